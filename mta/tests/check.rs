//! `milter-try --check`, as monitoring systems and load balancers run it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::thread;

use crate::runs::{milter_try, status, stderr, stdout};
use crate::support::{Script, listen};

/// The status and the only line.
fn check(words: &[&str]) -> (i32, String) {
    let output = milter_try(words).output().unwrap();
    let line = stdout(&output);
    assert_eq!((line.lines().count(), stderr(&output).as_str()), (1, ""), "{line}");
    (status(&output), line)
}

/// A server on a port of this machine, for as long as the process lasts.
fn serve(listener: TcpListener, answer: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap())));
    port
}

/// One that says this when it has read something, and closes the connection when its peer has.
fn says(words: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = serve(listener, move |mut stream| {
        let mut offer = [0; 17];
        stream.read_exact(&mut offer).unwrap();
        stream.write_all(words).unwrap();
        let _ = stream.read(&mut offer);
    });
    format!("inet:{port}@127.0.0.1")
}

#[test]
fn a_milter_that_answers_is_ok() {
    let (_directory, spec) = listen::<&str>(&[]);
    let (code, line) = check(&["--check", &spec]);
    assert_eq!(code, 0, "{line}");
    assert!(line.starts_with(&format!("OK {spec}: version 6, actions ")), "{line}");
    let (text, measured) = line.trim_end().split_once(" | time=").unwrap();
    let (seconds, limits) = measured.split_once('s').unwrap();
    assert!(!text.contains('|') && seconds.parse::<f64>().is_ok(), "{line}");
    assert_eq!(limits, ";;;0;10");
    let output = milter_try(&["--quiet", "--check", &spec]).output().unwrap();
    assert_eq!((status(&output), stdout(&output).as_str()), (0, ""));
}

#[test]
fn every_kind_of_address_can_be_checked() {
    let script = Script::new::<&str>(&[]);
    let name = format!("milter-try-check-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let of_unix = script.clone();
    thread::spawn(move || {
        listener.incoming().for_each(|stream| drop(of_unix.serve(stream.unwrap())));
    });
    let of_tcp = script.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = serve(listener, move |stream| drop(of_tcp.serve(stream)));
    let mut specs = vec![format!("abstract:{name}")];
    specs.extend([format!("inet:{port}@[127.0.0.1]"), format!("inet:{port}")]);
    match TcpListener::bind("[::1]:0") {
        Ok(listener) => {
            let port = serve(listener, move |stream| drop(script.serve(stream)));
            specs.extend([format!("inet6:{port}@::1"), format!("inet6:{port}@[::1]")]);
        }
        // A machine without IPv6 cannot connect either.
        Err(_) => assert_eq!(check(&["--check", "inet6:25@::1"]).0, 2),
    }
    for spec in specs {
        let (code, line) = check(&["--check", &spec]);
        assert_eq!(code, 0, "{spec}: {line}");
    }
    let (code, line) = check(&["--check", "abstract:milter-try-nobody"]);
    assert_eq!(code, 2, "{line}");
    assert!(line.starts_with("CRITICAL cannot connect to abstract:milter-try-nobody: "), "{line}");
}

#[test]
fn what_does_not_answer_is_critical() {
    let (_directory, silent) = listen(&["O="]);
    let (_directory2, wrong) = listen(&["O=c"]);
    // The first connection fills the backlog, and nobody accepts it.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("full");
    let full = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let _first = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let full = format!("unix:{}", path.display());
    // Nothing listens on it any more.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (spec, problem) in [
        ("unix:/no/such".to_owned(), "cannot connect to unix:/no/such: No such file"),
        ("unix:/no/pipe|here".to_owned(), "cannot connect to unix:/no/pipe here: "),
        (format!("inet:{closed}@127.0.0.1"), "Connection refused"),
        (full, "the milter accepts no connection (its backlog is full)"),
        (silent, "negotiation: no reply within "),
        (wrong, "negotiation: reply 'c' where the answer"),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "these are the characters \"HTTP\""),
        (says(b"220 mx.example ESMTP\r\n"), "no whole packet within "),
        // An alert, which is what a server of TLS has to say.
        (says(b"\x15\x03\x03\0\x02\x02\x0a"), "(7 bytes of one arrived)"),
        (says(b"\0\0\0\x0dO\0\0"), "no whole packet within "),
        (says(b"\0\0\0\x0dO\0\0\0\x01\0\0\0\0\0\0\0\0"), "version 1"),
    ] {
        // Time for what answers, on a busy machine too, and not much of it for what never does.
        let (code, line) = check(&["--check", &spec, "--timeout", "2.5"]);
        assert_eq!(code, 2, "{line}");
        assert!(line.starts_with("CRITICAL ") && line.contains(problem), "{problem}: {line}");
        let (_, measured) = line.trim_end().split_once(" | time=").unwrap();
        assert!(measured.ends_with("s;;;0;2.5"), "{line}");
    }
}

#[test]
fn a_command_line_that_names_nothing_to_ask_is_unknown() {
    let lines: [(&[&str], &str); 7] = [
        (&["--check"], "missing argument for option '--check'"),
        (&["--check", "tcp:1"], "connection specification \"tcp:1\" not understood: no protocol"),
        (&["--check", "inet:localhost:25"], "write 25@localhost"),
        (&["--check", "systemd:dkim"], "only systemd and the milter know"),
        (&["--check", "inet:25@localhost,unix:/x"], "these are several; name one of them"),
        (&["--check", "/x", "--json"], "--check prints one line"),
        (&["--check=/x", "a.eml"], "--check plays no messages"),
    ];
    for (words, problem) in lines {
        let (code, line) = check(words);
        assert_eq!(code, 3, "{line}");
        assert!(line.starts_with("UNKNOWN ") && line.contains(problem), "{problem}: {line}");
    }
}
