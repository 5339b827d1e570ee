//! What goes wrong around a filter: peers that drip, descriptors that run out, and its end.

use super::busy::{millis, pausing_plan};
use super::idle::{TO_EHLO, open};
use super::last::LastCommand;
use crate::client::held::{connect, open_idle, send_all};
use crate::measure::{Bench, Load, Weight, higher, lower, shared_script};
use crate::message::{Shape, connect_and_quit};
use crate::server::{Server, Setup};
use crate::subject::Subject;
use c_tests::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Loads of things that go wrong.
pub(super) fn loads() -> Vec<Load> {
    vec![
        Load {
            name: "drip".into(),
            title: "1,000 peers that drip, and 64 clients that pause 5 ms".into(),
            subjects: &Subject::ALL,
            metrics: vec![
                lower("threads", ""),
                higher("messages, share of undisturbed", "%"),
                lower("command p99, share of undisturbed", "%"),
            ],
            weight: Weight::Close,
            measure: Box::new(drip),
        },
        Load {
            name: "deadline".into(),
            title: "a peer that drips, with a timeout of 1 s".into(),
            subjects: &Subject::LIBRARIES,
            metrics: vec![lower("cut after (4: not cut)", "s")],
            weight: Weight::Heavy,
            measure: Box::new(deadline),
        },
        Load {
            name: "descriptors".into(),
            title: "200 connections with 64 descriptors".into(),
            subjects: &Subject::LIBRARIES,
            metrics: vec![
                lower("CPU burnt", "% of a core"),
                lower("log lines meanwhile", ""),
                lower("log lines in all", ""),
                lower("next reply after room was made", "ms"),
                lower("connections never answered", ""),
            ],
            weight: Weight::Heavy,
            measure: Box::new(descriptors),
        },
        Load {
            name: "stop".into(),
            title: "SIGTERM to exit".into(),
            subjects: &Subject::LIBRARIES,
            metrics: vec![
                lower("idle", "ms"),
                lower("1,000 sessions open", "ms"),
                higher("xxfi_close calls for them", ""),
                higher("of 10 messages in hand, answered", ""),
            ],
            weight: Weight::Heavy,
            measure: Box::new(stop),
        },
    ]
}

/// A header packet of which a peer sends a byte now and then.
fn dripped() -> Vec<u8> {
    let mut packet = 40_u32.to_be_bytes().to_vec();
    packet.extend_from_slice(b"Lname\0");
    packet.resize(40, b'v');
    packet
}

/// Sends a byte; a filter may have cut the peer, which other figures tell.
fn drip_to(peer: &OwnedFd, byte: u8) {
    let _sent = send(peer, &[byte], SendFlags::NOSIGNAL);
}

fn drip(bench: &Bench<'_>, subject: Subject) -> Result<Vec<f64>> {
    let server = bench.start(subject, &Setup::PLAIN)?;
    let plan = pausing_plan(&server.address, 64, 5);
    let alone = bench.watch(&server, &plan)?;
    let peers = in_message(&server, bench.pace.pick(1_000, 1_000, 50))?;
    peers.iter().for_each(|peer| drip_to(peer, dripped()[0]));
    let stop = AtomicBool::new(false);
    let (beside, threads) = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Peers do not wait for each other: every hundredth of a second is the turn of some.
            let ticks = peers.chunks(peers.len().div_ceil(100));
            for byte in &dripped()[1..30] {
                for some in ticks.clone() {
                    some.iter().for_each(|peer| drip_to(peer, *byte));
                    std::thread::sleep(Duration::from_millis(10));
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                }
            }
        });
        let beside = bench.watch(&server, &plan);
        let usage = server.usage();
        stop.store(true, Ordering::Relaxed);
        (beside, usage.map(|usage| usage.threads))
    });
    let beside = beside?;
    let p99 = |window: &crate::measure::Window| window.outcome.command(0.99);
    Ok(vec![threads? as f64, 100.0 * beside.rate / alone.rate, 100.0 * p99(&beside) / p99(&alone)])
}

/// Sessions that have sent their recipients and DATA: headers may follow.
fn in_message(server: &Server, count: usize) -> Result<Vec<OwnedFd>> {
    let script = shared_script(&Shape::SHORT);
    // Negotiation, connection, EHLO, MAIL, RCPT, DATA.
    open_idle(&server.address, &script, TO_EHLO + 3, count)
}

fn deadline(bench: &Bench<'_>, subject: Subject) -> Result<Vec<f64>> {
    const LIMIT: Duration = Duration::from_secs(4);
    let server = bench.start(subject, &Setup::PLAIN.with(&["-t", "1"]))?;
    let peers = in_message(&server, 1)?;
    let begin = Instant::now();
    for byte in dripped() {
        for peer in &peers {
            let gone = send(peer, &[byte], SendFlags::NOSIGNAL).is_err();
            if gone || readable(peer, Duration::from_millis(100))? {
                return Ok(vec![begin.elapsed().as_secs_f64()]);
            }
        }
        if begin.elapsed() > LIMIT {
            break;
        }
    }
    Ok(vec![LIMIT.as_secs_f64()])
}

/// Whether something can be read, or the peer is gone, within a time.
fn readable(socket: &OwnedFd, within: Duration) -> Result<bool> {
    let within = Timespec::try_from(within).map_err(|e| Error::new("a time", e))?;
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    let n = poll(&mut fds, Some(&within)).map_err(|e| Error::new("poll", e))?;
    Ok(n > 0)
}

fn descriptors(bench: &Bench<'_>, subject: Subject) -> Result<Vec<f64>> {
    let server = bench.start(subject, &Setup::PLAIN)?;
    let limit = Rlimit { current: Some(64), maximum: Some(64) };
    prlimit(Pid::from_raw(server.pid().cast_signed()), Resource::Nofile, limit)
        .map_err(|e| Error::new("limit the descriptors of the filter", e))?;
    let script = connect_and_quit();
    let offer = &script.bytes[script.steps[0].send.clone()];
    let mut waiting = Vec::new();
    for _ in 0..200 {
        let socket = connect(&server.address)?;
        send_all(&socket, offer)?;
        waiting.push(socket);
    }
    let mut answered = Vec::new();
    while take_answered(&mut waiting, Duration::from_millis(300), &mut answered)? {}
    let (begin, cpu) = (Instant::now(), server.cpu_time()?);
    std::thread::sleep(bench.window);
    let burnt = (server.cpu_time()? - cpu).as_secs_f64() / begin.elapsed().as_secs_f64();
    let meanwhile = server.log_lines()?.len();
    let room = Instant::now();
    answered.clear();
    take_answered(&mut waiting, Duration::from_secs(3), &mut answered)?;
    let recovered = room.elapsed();
    // Each that is answered, and then closed, makes room for another.
    loop {
        answered.clear();
        if !take_answered(&mut waiting, Duration::from_secs(1), &mut answered)? {
            break;
        }
    }
    let lines = server.log_lines()?.len();
    Ok(vec![100.0 * burnt, meanwhile as f64, lines as f64, millis(recovered), waiting.len() as f64])
}

/// Moves the sockets that have been answered; `false` if none was within the time.
fn take_answered(
    waiting: &mut Vec<OwnedFd>,
    within: Duration,
    answered: &mut Vec<OwnedFd>,
) -> Result<bool> {
    let end = Instant::now() + within;
    loop {
        let before = waiting.len();
        let mut left = Vec::new();
        for socket in waiting.drain(..) {
            let mut room = [0; 256];
            match recv(&socket, &mut room[..], RecvFlags::DONTWAIT) {
                Ok((_, n)) if n > 0 => answered.push(socket),
                // The end of the stream: accepted and lost, which counts as never answered.
                _ => left.push(socket),
            }
        }
        *waiting = left;
        if waiting.len() < before {
            return Ok(true);
        }
        if Instant::now() > end {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

fn stop(bench: &Bench<'_>, subject: Subject) -> Result<Vec<f64>> {
    let server = bench.start(subject, &Setup::PLAIN)?;
    drop(open(&server, 1)?);
    let (_, _, idle) = server.stop()?;
    let server = bench.start(subject, &Setup::PLAIN)?;
    let sessions = open(&server, 1_000)?;
    let (_, text, busy) = server.stop()?;
    drop(sessions);
    let closed = text.split_whitespace().skip_while(|word| *word != "closed").nth(1);
    let closed: f64 = closed
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| Error(format!("the filter printed \"{text}\" at its end")))?;
    Ok(vec![millis(idle), millis(busy), closed, in_hand(bench, subject)? as f64])
}

/// Messages whose last callback runs when the filter is told to stop: how many get their verdict.
fn in_hand(bench: &Bench<'_>, subject: Subject) -> Result<usize> {
    let server = bench.start(subject, &Setup::PLAIN.with(&["-e", "300"]))?;
    let ends = LastCommand::of(&server, 10)?;
    ends.send()?;
    // The callbacks have begun, and take three times as long.
    std::thread::sleep(Duration::from_millis(100));
    server.stop()?;
    Ok(ends.answered())
}
