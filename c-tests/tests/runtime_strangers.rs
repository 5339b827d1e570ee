//! Hostile peers of all kinds at once: honest ones beside them are answered in full.
//!
//! What the honest notice of it, against as many messages without strangers just before, is printed:
//! `STRANGERS=200 cargo test -p c-tests -- runtime_strangers:: --nocapture` has 200 of each kind that stays,
//! and the others come as often again for each; `STRANGERS_LIBRARY=reference` shows the same of the reference.

use super::runtime_allowance::port;
use super::runtime_peers::memory;
use super::runtime_support::{Filter, eventually, program};
use c_tests::Linkage;
use c_tests::milter::POLL;
use milter_mta::wire::command::Origin;
use milter_mta::{Client, ClientError, ConnSpec};
use rustix::process::Resource;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Strangers that stay, of a kind.
const STRANGERS: usize = 12;
/// Honest peers at the same time, and messages of each.
const HONEST: usize = 3;
const MESSAGES: usize = 60;
/// Threads of the filter.
const THREADS: usize = 8;

const SOME_TIME: Duration = Duration::from_secs(5);

type Outcome = Result<(), ClientError>;

/// Where strangers come to, and until when.
struct Scene {
    spec: ConnSpec,
    /// How many stay, and a hundredth of how often others come.
    count: usize,
    over: AtomicBool,
}

impl Scene {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Times to do something that is soon done.
    fn rounds(&self, each: usize) -> impl Iterator<Item = usize> {
        (0..self.count * each).take_while(|_| !self.is_over())
    }

    fn stay(&self) {
        while !self.is_over() {
            std::thread::sleep(POLL);
        }
    }

    /// A connection that is reset when it is closed, so that no port is used up.
    fn connect(&self) -> Result<Client, ClientError> {
        let client = Client::connect(&self.spec, SOME_TIME)?;
        let _cut = rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO));
        Ok(client)
    }

    /// A connection that has negotiated.
    fn greet(&self) -> Result<Client, ClientError> {
        let mut client = self.connect()?;
        client.queue_optneg(6, 0x1ff, 0x1f_ffff);
        client.queue_connect("stranger", &Origin::Unknown);
        client.flush()?;
        client.read_owned(SOME_TIME)?;
        client.read_owned(SOME_TIME)?;
        Ok(client)
    }
}

/// Each packet comes a byte at a time.
fn drip(scene: &Scene) -> Outcome {
    let mut peers = (0..scene.count).map(|_| scene.greet()).collect::<Result<Vec<_>, _>>()?;
    for peer in &mut peers {
        peer.send_raw(b"\0\0\xf0\0LSubject\0")?;
    }
    for _ in 0..50_000 {
        for peer in &mut peers {
            if scene.is_over() {
                return Ok(());
            }
            peer.send_raw(b"x")?;
        }
    }
    scene.stay();
    Ok(())
}

/// No reply is read.
fn do_not_read(scene: &Scene) -> Outcome {
    let mut peers = (0..scene.count).map(|_| scene.greet()).collect::<Result<Vec<_>, _>>()?;
    for peer in &mut peers {
        for _ in 0..200_000 {
            peer.queue_strings(b'H', &["me"]);
        }
        peer.set_write_timeout(Duration::from_millis(10));
        let _full = peer.flush();
    }
    scene.stay();
    Ok(())
}

fn come_and_go(scene: &Scene) -> Outcome {
    scene.rounds(100).try_for_each(|_| scene.connect().map(drop))
}

/// Reset in the middle of a packet of a message.
fn reset(scene: &Scene) -> Outcome {
    for _ in scene.rounds(30) {
        let mut peer = scene.greet()?;
        peer.queue_strings(b'M', &["<a@example.org>"]);
        peer.queue_raw(b"\0\0\0\x20R<half");
        peer.flush()?;
    }
    Ok(())
}

/// Nothing more comes, and the replies are waited for.
fn half_close(scene: &Scene) -> Outcome {
    for _ in scene.rounds(30) {
        let mut peer = scene.greet()?;
        peer.queue_strings(b'M', &["<a@example.org>"]);
        peer.flush()?;
        peer.shutdown_write()?;
        peer.read_to_end(SOME_TIME)?;
    }
    Ok(())
}

fn speak_something_else(scene: &Scene) -> Outcome {
    for n in scene.rounds(30) {
        let mut peer = scene.connect()?;
        let _closed = peer.send_raw(if n % 2 == 0 {
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        } else {
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 a client hello"
        });
        peer.read_to_end(SOME_TIME)?;
    }
    Ok(())
}

/// Lengths at all limits, before and after negotiation.
fn announce(scene: &Scene) -> Outcome {
    let limits = [0, 1, 2, 0xffff, 0x1_0000, 0x1_0001, 0xf_ffff, 0x10_0000, 0x7fff_ffff, u32::MAX];
    for n in scene.rounds(30) {
        let mut peer = if n % 2 == 0 { scene.connect()? } else { scene.greet()? };
        let length = limits[n / 2 % limits.len()];
        let _closed = peer.send_raw(&[&length.to_be_bytes()[..], b"Bbytes"].concat());
    }
    Ok(())
}

/// Macro packets, arguments and headers by the thousand, in order.
fn send_much(scene: &Scene) -> Outcome {
    let mut peer = scene.greet()?;
    for n in scene.rounds(1000) {
        let name = format!("{{m{}}}", n % 1000);
        peer.queue_macros(*b"CHMR".get(n % 4).unwrap(), &[(name, "value")]);
        if n % 100 == 0 {
            peer.flush()?;
        }
    }
    let arguments: Vec<String> = (0..5000).map(|n| format!("A{n}=1")).collect();
    let mut ask = |letter: u8, strings: &[String]| {
        peer.queue_strings(letter, strings);
        peer.flush()?;
        peer.read_owned(SOME_TIME).map(drop)
    };
    ask(b'M', &arguments)?;
    ask(b'R', &arguments)?;
    ask(b'T', &[])?;
    let header = ["Subject".to_owned(), "x".repeat(100)];
    scene.rounds(1000).try_for_each(|_| ask(b'L', &header))
}

type Kind = (&'static str, fn(&Scene) -> Outcome);

const KINDS: [Kind; 8] = [
    ("drip", drip),
    ("do not read", do_not_read),
    ("come and go", come_and_go),
    ("reset", reset),
    ("half-close", half_close),
    ("speak something else", speak_something_else),
    ("announce", announce),
    ("send much", send_much),
];

/// Honest peers, each with one message after the other, on two connections for three of them; how long each
/// message took.
fn honest(filter: &Filter, name: &str) -> Vec<Duration> {
    let peer = |n: usize| {
        let mut times = Vec::new();
        while times.len() < MESSAGES {
            let mut session = filter.session(&format!("{name}{n}"));
            for _ in 0..3 {
                let begun = Instant::now();
                session.mail();
                session.rest();
                times.push(begun.elapsed());
            }
            session.quit();
        }
        times
    };
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let peers: Vec<_> = (0..HONEST).map(|n| scope.spawn(move || peer(n))).collect();
        peers.into_iter().flat_map(|peer| peer.join().unwrap()).collect()
    });
    times.sort();
    times
}

/// Ends the scene, also if something is wrong.
struct Curtain<'a>(&'a Scene);

impl Drop for Curtain<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

#[test]
fn strangers_of_all_kinds_cost_others_no_answer() {
    let count = std::env::var("STRANGERS").map_or(STRANGERS, |count| count.parse().unwrap());
    let reference = std::env::var("STRANGERS_LIBRARY").is_ok_and(|library| library == "reference");
    if count > STRANGERS {
        let limit = rustix::process::getrlimit(Resource::Nofile).maximum;
        let descriptors = rustix::process::Rlimit { current: limit, maximum: limit };
        rustix::process::setrlimit(Resource::Nofile, descriptors).unwrap();
    }
    let linkage = if reference { Linkage::ReferenceDynamic } else { Linkage::OursDynamic };
    let mut command = linkage.command(&program()).unwrap();
    command.env("LIBMILTER_MAX_THREADS", THREADS.to_string());
    let mut filter = Filter::launch_command(command, "inet:0@127.0.0.1", &[]);
    filter.wait_for("ready ");
    filter.spec = format!("inet:{}@127.0.0.1", port(&filter)).parse().unwrap();
    let pid = filter.milter.pid();
    let alone = honest(&filter, "alone");
    let before = memory(pid);
    let scene = Scene { spec: filter.spec.clone(), count, over: AtomicBool::new(false) };
    let (beside, threads, after) = std::thread::scope(|scope| {
        let curtain = Curtain(&scene);
        let scene = &scene;
        for (kind, play) in KINDS {
            scope.spawn(move || {
                // Whoever is cut comes again.
                while !scene.is_over() {
                    if let Err(error) = play(scene) {
                        assert!(reference || !error.is_timeout(), "{kind}: {error}");
                    }
                }
            });
        }
        let beside = honest(&filter, "beside");
        let found = (beside, filter.threads(), memory(pid));
        drop(curtain);
        found
    });
    let figures = |times: &[Duration]| {
        let part = |percent| times[(times.len() - 1) * percent / 100];
        format!("median {:?}, 99 of 100 within {:?}, at most {:?}", part(50), part(99), part(100))
    };
    println!(
        "{count} of each kind: a message took alone {}; beside strangers {}; {threads} threads, {before} kB \
         before, {after} kB",
        figures(&alone),
        figures(&beside)
    );
    eventually("strangers are gone", || {
        let dir = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let links = dir.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count() == 1
    });
    let (events, log) = filter.stop();
    for name in ["alone", "beside"] {
        let closed =
            |event: &&String| event.starts_with(name) && event.ends_with(" closed after 23");
        assert_eq!(events.iter().filter(closed).count(), HONEST * MESSAGES / 3, "{name}");
    }
    if !reference {
        // Beside the pool's: smfi_main's, and the one for signals.
        assert!(threads <= THREADS + 2, "{threads} threads");
        // What strangers keep: a packet in part, what has arrived behind replies that are not read, macros.
        assert!(after < before + 300 * count + 16_000, "{before} kB, then {after} kB");
        let unknown: Vec<_> = log.iter().filter(|line| line.contains("panic")).collect();
        assert!(unknown.is_empty(), "{unknown:#?}");
    }
}

/// Who sends many commands at once gets its replies a few at a time, if others wait.
#[test]
fn a_peer_that_sends_much_at_once_lets_others_go_first() {
    const COMMANDS: usize = 1500;
    let filter = Filter::start_env(&[("LIBMILTER_MAX_THREADS", "1")], &["trace=1"]);
    let (pipe, mut blocker) = (filter.pipe(), filter.session("blocker"));
    let (mut much, mut little) = (filter.session("much"), filter.session("little"));
    blocker.task("envfrom", &pipe.block());
    blocker.send(b'M', &["<a@example.org>"]);
    filter.wait_until_blocked("blocker", 1);
    // The only thread finds both when it comes back, in this order.
    for _ in 0..COMMANDS {
        much.client.queue_strings(b'H', &["me"]);
    }
    much.client.flush().unwrap();
    little.send(b'H', &["me"]);
    pipe.release();
    assert_eq!(little.reply(), 'c');
    let is_turn = |event: &String| event == "little helo";
    let events = filter.wait_until("turn of little", |events| events.iter().any(is_turn));
    let turn = events.iter().position(is_turn).unwrap();
    let before = events[..turn].iter().filter(|event| *event == "much helo").count();
    assert!(before <= 200, "{before} commands came first");
    for _ in 0..COMMANDS {
        assert_eq!(much.reply(), 'c');
    }
    assert_eq!(blocker.reply(), 'c');
    drop(blocker);
    filter.stop();
}
