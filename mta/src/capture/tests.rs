//! Captures written, read, spoiled and disguised.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::*;
use crate::client::Client;
use crate::wire::OwnedPacket;
use crate::wire::frame::put;

fn packet(letter: u8, payload: &[u8]) -> What {
    What::Packet(OwnedPacket { letter, payload: payload.to_vec() })
}

fn record(micros: u64, from: Side, what: What) -> Record {
    Record { at: Duration::from_micros(micros), from, what }
}

fn sample() -> Capture {
    Capture {
        facts: vec![("recorder".to_owned(), "a test".to_owned())],
        records: vec![
            record(10, Side::Mta, packet(b'O', b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff")),
            record(1_000_200, Side::Milter, packet(b'c', b"")),
            record(
                1_000_201,
                Side::Mta,
                packet(b'B', b"one \"quote\"\r\n\r\nc:\\new\tcaf\xc3\xa9\r\n"),
            ),
            record(1_000_202, Side::Milter, packet(b'\n', b"odd")),
            record(1_000_203, Side::Milter, What::Raw(b"HTTP/1.1 200".to_vec())),
            record(1_000_204, Side::Milter, What::Closed),
        ],
    }
}

#[test]
fn what_is_written_is_what_a_person_can_read() {
    let text = String::from_utf8(sample().to_bytes()).unwrap();
    assert_eq!(
        text,
        "milter capture 1
recorder: a test

0.000010 > O 12 \"\\0\\0\\0\\x06\\0\\0\\x01\\xff\\0\\x1f\\xff\\xff\"
1.000200 < c 0
1.000201 > B 29
  \"one \\\"quote\\\"\\r\\n\"
  \"\\r\\n\"
  \"c:\\\\new\\tcaf\\xc3\\xa9\\r\\n\"
1.000202 < \\x0a 3 \"odd\"
1.000203 < raw 12 \"HTTP/1.1 200\"
1.000204 < close
"
    );
    assert_eq!(Capture::parse(text.as_bytes()), Ok(sample()));
}

#[test]
fn every_byte_comes_back_however_long_the_text() {
    let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    for letter in 0..=255_u8 {
        let payload = if letter == b'B' { &all[..] } else { &all[..usize::from(letter)] };
        let records = vec![record(0, Side::Mta, packet(letter, payload))];
        let capture = Capture { facts: Vec::new(), records };
        let text = capture.to_bytes();
        assert!(text.is_ascii());
        assert_eq!(Capture::parse(&text), Ok(capture), "letter {letter:#x}");
    }
}

#[test]
fn comments_and_line_ends_of_other_systems_do_no_harm() {
    let text = "milter capture 1\r\nmta: Postfix\r\n# why\r\n\r\n0 > H 3\r\n\t\"me\"\r\n# so\r\n  \"\\0\"\r\n";
    let capture = Capture::parse(text.as_bytes()).unwrap();
    assert_eq!(capture.fact("mta"), Some("Postfix"));
    assert_eq!(capture.records, [record(0, Side::Mta, packet(b'H', b"me\0"))]);
}

#[test]
fn what_is_no_capture_is_refused_with_its_line() {
    for (text, line, problem) in [
        ("", 1, "begins with \"milter capture 1\""),
        ("milter capture 2\n", 1, "version \"2\" is not understood"),
        ("milter capture 1\nfact\n", 2, "name: value"),
        ("milter capture 1\n\n  \"x\"\n", 3, "no record"),
        ("milter capture 1\n\nsoon > c 0\n", 3, "no number of seconds"),
        ("milter capture 1\n\n0 = c 0\n", 3, "no direction"),
        ("milter capture 1\n\n0 > cc 0\n", 3, "no packet's letter"),
        ("milter capture 1\n\n0 > c 0 \"x\n", 3, "quote at the end"),
        ("milter capture 1\n\n0 > c 1 \"\\y\"\n", 3, "after a backslash"),
        ("milter capture 1\n\n0 > c 1 \"\\x+1\"\n", 3, "after a backslash"),
        ("milter capture 1\n\n0 > c 1 \"x\" y\n", 3, "stands \"y\""),
        ("milter capture 1\n\n0 > close \"x\"\n", 3, "no text"),
        // Cut off in the middle.
        ("milter capture 1\n\n0 > B 9\n  \"four\"\n0 < c 0\n", 3, "9 bytes were announced, 4"),
        ("milter capture 1\n\n0 > B 9\n  \"four\"\n", 3, "9 bytes were announced, 4"),
    ] {
        let error = Capture::parse(text.as_bytes()).unwrap_err();
        assert!(error.line == line && error.problem.contains(problem), "{text:?}: {error}");
    }
}

/// A place to write to that a test can look at.
#[derive(Clone, Default)]
struct Place(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_connection_is_recorded_as_packets_however_they_arrive() {
    const BOUND: Duration = Duration::from_secs(20);
    let (ours, mut milter) = UnixStream::pair().unwrap();
    let place = Place::default();
    let recorder = Recorder::begin(Box::new(place.clone()), &[]).unwrap();
    let recorder = SharedRecorder::new(recorder);
    let mut client = Client::from_fd(ours.into());
    client.set_tap(Box::new(recorder.clone()));
    client.queue_macros(b'H', &[("j", "mx")]);
    client.queue_strings(b'H', &["me"]);
    client.flush().unwrap();
    let mut answer = Vec::new();
    put(&mut answer, b'y', b"550 no\0");
    for byte in answer {
        milter.write_all(&[byte]).unwrap();
    }
    client.read_packet(BOUND).unwrap();
    // Half a packet, and the end.
    milter.write_all(b"\0\0\0\x05c").unwrap();
    drop(milter);
    client.read_packet(BOUND).unwrap_err();
    client.read_packet(BOUND).unwrap_err();
    drop(client);
    assert!(recorder.take_error().is_none());
    let capture = Capture::parse(&place.0.lock().unwrap()).unwrap();
    let seen: Vec<(Side, What)> =
        capture.records.into_iter().map(|record| (record.from, record.what)).collect();
    assert_eq!(
        seen,
        [
            (Side::Mta, packet(b'D', b"Hj\0mx\0")),
            (Side::Mta, packet(b'H', b"me\0")),
            (Side::Milter, packet(b'y', b"550 no\0")),
            (Side::Milter, What::Raw(b"\0\0\0\x05c".to_vec())),
            (Side::Milter, What::Closed),
            (Side::Mta, What::Closed),
        ]
    );
}

#[test]
fn a_recorder_that_cannot_write_says_so_once() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if bytes.starts_with(b"milter") {
                Ok(bytes.len())
            } else {
                Err(std::io::ErrorKind::StorageFull.into())
            }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (ours, _milter) = UnixStream::pair().unwrap();
    let recorder = SharedRecorder::new(Recorder::begin(Box::new(Full), &[]).unwrap());
    let mut client = Client::from_fd(ours.into());
    client.set_tap(Box::new(recorder.clone()));
    client.send(b'A', b"").unwrap();
    client.send(b'Q', b"").unwrap();
    assert!(recorder.take_error().is_some() && recorder.take_error().is_none());
}

#[test]
fn times_are_told_as_the_standard_says() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (1_767_225_599, "2025-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ] {
        assert_eq!(timestamp(std::time::UNIX_EPOCH + Duration::from_secs(seconds)), text);
    }
}
