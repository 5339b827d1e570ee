//! The client against the other half of a socket pair, and against nobody.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use super::*;

/// Long enough for any machine; only failing tests wait for it.
const BOUND: Duration = Duration::from_secs(20);

fn pair() -> (Client, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Client::from_fd(ours.into()), theirs)
}

#[test]
fn macros_and_command_leave_together() {
    let (mut client, mut milter) = pair();
    client.queue_macros(b'H', &[("j", "mx")]);
    client.queue_strings(b'H', &["me"]);
    assert_eq!(client.queued().len(), 19);
    client.flush().unwrap();
    assert!(client.queued().is_empty());
    let mut bytes = [0; 64];
    let count = milter.read(&mut bytes).unwrap();
    assert_eq!(&bytes[..count], b"\0\0\0\x07DHj\0mx\0\0\0\0\x04Hme\0");
}

#[test]
fn packets_are_read_whole_however_they_arrive() {
    let (mut client, mut milter) = pair();
    let writer = thread::spawn(move || {
        for byte in b"\0\0\0\x08y550 no\0\0\0\0\x01c" {
            milter.write_all(&[*byte]).unwrap();
        }
        milter
    });
    let packet = client.read_owned(BOUND).unwrap();
    assert_eq!((packet.letter, &packet.payload[..]), (b'y', &b"550 no\0"[..]));
    assert_eq!(client.read_packet(BOUND).unwrap().letter, b'c');
    let mut milter = writer.join().unwrap();
    milter.write_all(b"\0\0\0\x01c\0\0\0\x01a").unwrap();
    assert_eq!(client.read_packet(BOUND).unwrap().letter, b'c');
    assert_eq!(client.buffered_packet().unwrap().unwrap().letter, b'a');
    assert_eq!(client.buffered_packet().unwrap(), None);
}

#[test]
fn a_packet_larger_than_the_buffer_arrives() {
    let (mut client, mut milter) = pair();
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let copy = body.clone();
    let writer = thread::spawn(move || {
        let mut packet = Vec::new();
        put(&mut packet, b'b', &copy);
        milter.write_all(&packet).unwrap();
    });
    let packet = client.read_packet(BOUND).unwrap();
    assert!(packet.letter == b'b' && packet.payload == body);
    writer.join().unwrap();
}

#[test]
fn two_sides_that_both_write_do_not_block_each_other() {
    let (mut client, mut milter) = pair();
    // Answers every packet with a large one before it reads the next.
    let answer = vec![b'x'; 60_000];
    let echo = thread::spawn(move || {
        let mut packet = Vec::new();
        put(&mut packet, b'b', &answer);
        let mut bytes = [0; 5 + 1000];
        for _ in 0..200 {
            milter.read_exact(&mut bytes).unwrap();
            milter.write_all(&packet).unwrap();
        }
    });
    for _ in 0..200 {
        client.queue(b'B', &[b'y'; 1000]);
    }
    client.flush().unwrap();
    for _ in 0..200 {
        assert_eq!(client.read_packet(BOUND).unwrap().payload.len(), 60_000);
    }
    echo.join().unwrap();
}

#[test]
fn silence_and_half_packets_end_in_a_timeout() {
    let (mut client, mut milter) = pair();
    let wait = Duration::from_millis(20);
    let error = client.read_packet(wait).unwrap_err();
    assert_eq!(error.to_string(), "no reply within 0.02 s");
    assert!(error.is_timeout() && !error.is_closed());
    milter.write_all(b"\0\0\0\x08y55").unwrap();
    let error = client.read_packet(wait).unwrap_err();
    assert!(matches!(error, ClientError::ReadTimeout { partial: 7, .. }));
    milter.write_all(b"0 no\0").unwrap();
    assert_eq!(client.read_packet(BOUND).unwrap().payload, b"550 no\0");
}

#[test]
fn a_close_is_told_apart_from_a_cut_packet() {
    let (mut client, mut milter) = pair();
    milter.write_all(b"\0\0\0\x01c\0\0").unwrap();
    drop(milter);
    assert_eq!(client.read_packet(BOUND).unwrap().letter, b'c');
    let error = client.read_packet(BOUND).unwrap_err();
    assert!(matches!(error, ClientError::Closed { partial: 2 }));
    assert!(error.is_closed());
    let error = client.send(b'Q', b"").unwrap_err();
    assert!(error.is_closed(), "{error}");
}

#[test]
fn a_milter_that_reads_nothing_ends_in_a_write_timeout() {
    let (mut client, _milter) = pair();
    client.set_write_timeout(Duration::from_millis(20));
    let error = client.send(b'B', &vec![0; 4_000_000]).unwrap_err();
    assert!(matches!(error, ClientError::WriteTimeout { .. }), "{error}");
}

#[test]
fn raw_bytes_are_given_as_they_came_up_to_the_end() {
    let (mut client, mut milter) = pair();
    client.send_raw(b"\x80\0\0\0T").unwrap();
    client.shutdown_write().unwrap();
    let mut seen = Vec::new();
    milter.read_to_end(&mut seen).unwrap();
    assert_eq!(seen, b"\x80\0\0\0T");
    milter.write_all(b"\0\0\0\x01codd").unwrap();
    assert_eq!(client.read_packet(BOUND).unwrap().letter, b'c');
    drop(milter);
    assert_eq!(client.read_to_end(BOUND).unwrap(), b"odd");
}

#[test]
fn both_families_of_sockets_connect_and_errors_name_the_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let unix = ConnSpec::Unix(path.clone());
    let error = Client::connect(&unix, BOUND).unwrap_err().to_string();
    assert!(error.contains(&unix.to_string()), "{error}");
    assert!(error.contains("No such file"), "{error}");
    let _listener = UnixListener::bind(&path).unwrap();
    Client::connect(&unix, BOUND).unwrap();

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let spec: ConnSpec = format!("inet:{port}@localhost").parse().unwrap();
    let mut client = Client::connect(&spec, BOUND).unwrap();
    client.send(b'Q', b"").unwrap();
    drop(listener);
    let error = Client::connect(&spec, BOUND).unwrap_err().to_string();
    assert!(error.contains("Connection refused"), "{error}");
}
