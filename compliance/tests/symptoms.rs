//! What MTAs log of milters that do not work, which is what docs/debugging.md begins with: each symptom of
//! the page comes of a set-up that is broken on purpose, and the page has no other.

use crate::support::{SHORT, settings};
use c_tests::{paths, public};
use compliance::filter::Socket;
use compliance::mta::Kind;
use compliance::{Linkage, Mta, Probe};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

/// What listens where a milter should.
#[derive(Clone, Copy)]
enum Stranger {
    /// Says nothing at all.
    Silent,
    /// Closes the connection at once.
    Gone,
    /// Writes a line of text.
    Text,
    /// Agrees to everything, and then says nothing.
    Slow,
}

impl Stranger {
    fn serve(self, mut stream: TcpStream) -> std::io::Result<()> {
        match self {
            Stranger::Gone => return Ok(()),
            Stranger::Text => stream.write_all(b"starting ...\n")?,
            Stranger::Slow => {
                let mut offer = [0; 17];
                stream.read_exact(&mut offer)?;
                stream.write_all(b"\0\0\0\x0dO\0\0\0\x06\0\0\0\0\0\0\0\0")?;
            }
            Stranger::Silent => {}
        }
        std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
    }

    /// Its specification; it lasts as long as the process.
    fn start(self) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // An MTA that hangs up first is nobody's fault.
                std::thread::spawn(move || self.serve(stream.unwrap()).ok());
            }
        });
        format!("inet:{port}@127.0.0.1")
    }
}

/// A set-up that does not work.
enum Broken {
    /// Nothing is at the path.
    Missing,
    /// A socket that works, but Postfix runs in a chroot in which there is none.
    Chroot,
    /// The file of a socket that nobody listens on any more.
    Old,
    /// The MTA may not enter the directory.
    Closed,
    /// Nobody listens on the port.
    Port,
    Stranger(Stranger),
    /// A filter with these settings of `milters/probe.c`.
    Filter(&'static str),
}

/// What the MTA logs of one message.
fn log(kind: Kind, broken: &Broken) -> String {
    let dir = public::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let unix = |path: &Path| format!("unix:{}", path.display());
    let mut probe = None;
    let mut socket = None;
    let spec = match broken {
        Broken::Missing => unix(&path("missing")),
        Broken::Old => {
            drop(UnixListener::bind(path("old")).unwrap());
            fs::set_permissions(path("old"), Permissions::from_mode(0o777)).unwrap();
            unix(&path("old"))
        }
        Broken::Closed => {
            fs::create_dir(path("within")).unwrap();
            socket = Some(UnixListener::bind(path("within/socket")).unwrap());
            fs::set_permissions(path("within"), Permissions::from_mode(0o700)).unwrap();
            unix(&path("within/socket"))
        }
        Broken::Chroot => {
            socket = Some(UnixListener::bind(path("socket")).unwrap());
            fs::set_permissions(path("socket"), Permissions::from_mode(0o777)).unwrap();
            unix(&path("socket"))
        }
        // The discard service, which no machine for tests has.
        Broken::Port => "inet:9@127.0.0.1".to_owned(),
        Broken::Stranger(stranger) => stranger.start(),
        Broken::Filter(rule) => {
            let rules = settings(&[rule]);
            let filter = Probe::start(Linkage::OursDynamic, Socket::Inet, &rules).unwrap();
            probe.insert(filter).spec().to_owned()
        }
    };
    // Seconds; short where they are to pass.
    let patience = if matches!(broken, Broken::Stranger(_)) { 2 } else { 60 };
    let setup = Mta::of(kind);
    let setup = match kind {
        Kind::Postfix => setup
            .milter(&spec)
            .line(format!("milter_connect_timeout = {patience}s"))
            .line(format!("milter_command_timeout = {patience}s")),
        Kind::Sendmail => {
            let times = format!("C:{patience}s;S:{patience}s;R:{patience}s;E:60s");
            setup.line(format!("INPUT_MAIL_FILTER(`f', `S={spec}, F=T, T={times}')"))
        }
    };
    let setup = if matches!(broken, Broken::Chroot) { setup.line("chroot") } else { setup };
    let mta = setup.start().unwrap();
    if let Ok(mut smtp) = mta.smtp() {
        let _refused = smtp.send("a@a.example", &["b@b.example"], SHORT);
        let _gone = smtp.quit();
    }
    mta.wait_for_sessions().unwrap();
    let log = mta.log();
    drop((socket, probe));
    log
}

/// Whether a line has the parts of a symptom in their order; `...` stands for anything.
fn shows(line: &str, symptom: &str) -> bool {
    let mut rest = line;
    symptom.split("...").all(|part| {
        let found = rest.find(part);
        rest = found.map_or("", |at| &rest[at + part.len()..]);
        found.is_some()
    })
}

/// The symptoms of the page, out of the first column of the table below a heading.
fn symptoms(heading: &str) -> BTreeSet<String> {
    let page = fs::read_to_string(paths::workspace().join("docs/debugging.md")).unwrap();
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| row.split(" | ").next().unwrap());
    let mut found = BTreeSet::new();
    for cell in cells {
        let quoted = cell.trim_end_matches('`').split("`, `");
        found.extend(quoted.map(str::to_owned));
    }
    found
}

/// Plays all set-ups at once.
fn check(kind: Kind, heading: &str, cases: &[(&str, Broken, &[&str])]) {
    let mut shown = BTreeSet::new();
    let logs: Vec<String> = std::thread::scope(|scope| {
        let run = |broken| scope.spawn(move || log(kind, broken));
        let threads: Vec<_> = cases.iter().map(|(_, broken, _)| run(broken)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for ((what, _, expected), log) in cases.iter().zip(logs) {
        for symptom in *expected {
            assert!(log.lines().any(|line| shows(line, symptom)), "{what}: no {symptom}\n{log}");
            shown.insert((*symptom).to_owned());
        }
    }
    assert_eq!(symptoms(heading), shown, "docs/debugging.md, {heading}");
}

#[test]
fn of_postfix() {
    let negotiation = "can't read SMFIC_OPTNEG reply packet header: ...";
    let cases: &[(&str, Broken, &[&str])] = &[
        (
            "missing",
            Broken::Missing,
            &[
                "connect to Milter service unix:...: No such file or directory",
                "milter-reject: ... Service unavailable - try again later",
            ],
        ),
        (
            "chroot",
            Broken::Chroot,
            &["connect to Milter service unix:...: No such file or directory"],
        ),
        ("closed", Broken::Closed, &["connect to Milter service unix:...: Permission denied"]),
        ("old", Broken::Old, &["connect to Milter service ...: Connection refused"]),
        ("port", Broken::Port, &["connect to Milter service ...: Connection refused"]),
        (
            "gone",
            Broken::Stranger(Stranger::Gone),
            &[negotiation, "read error in initial handshake"],
        ),
        (
            "text",
            Broken::Stranger(Stranger::Text),
            &["unreasonable packet length: ... > 1073741823"],
        ),
        (
            "silent",
            Broken::Stranger(Stranger::Silent),
            &["can't read SMFIC_OPTNEG reply packet header: Connection timed out"],
        ),
        (
            "slow",
            Broken::Stranger(Stranger::Slow),
            &["can't read SMFIC_CONNECT reply packet header: Connection timed out"],
        ),
        ("refuses", Broken::Filter("negotiate=reject"), &[negotiation]),
        ("dies", Broken::Filter("eom=die"), &["can't read SMFIC_BODYEOB reply packet header: ..."]),
    ];
    check(Kind::Postfix, "What Postfix says", cases);
}

#[test]
fn of_sendmail() {
    let refused = "Milter (...): error connecting to filter: Connection refused";
    let closed = "milter_sys_read(...): cmd read returned 0, expecting 5";
    let cases: &[(&str, Broken, &[&str])] = &[
        (
            "missing",
            Broken::Missing,
            &[
                "Milter (...): local socket name ... unsafe",
                "Milter (...): to error state",
                "Milter: initialization failed, temp failing commands",
            ],
        ),
        ("old", Broken::Old, &[refused]),
        ("port", Broken::Port, &[refused]),
        (
            "text",
            Broken::Stranger(Stranger::Text),
            &["Milter (...): timeout during data read, where=negotiate"],
        ),
        (
            "silent",
            Broken::Stranger(Stranger::Silent),
            &["Milter (...): timeout before data read, where=negotiate"],
        ),
        (
            "slow",
            Broken::Stranger(Stranger::Slow),
            &["Milter (...): timeout before data read, where=connect"],
        ),
        (
            "refuses",
            Broken::Filter("negotiate=reject"),
            &[closed, "Milter (...): init failed to open"],
        ),
        ("dies", Broken::Filter("eom=die"), &[closed]),
    ];
    check(Kind::Sendmail, "What sendmail says", cases);
}
