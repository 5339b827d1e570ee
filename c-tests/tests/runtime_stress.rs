//! Callbacks about as long as a loop waits before it is passed on, from many sessions at once, with
//! stops in between: whatever the timing, nothing is lost, done twice, or left behind.

use super::runtime_support::{BOUND, Filter};
use milter_mta::wire::command::Origin;
use milter_mta::{Client, ConnSpec};
use rustix::process::Signal;
use std::collections::BTreeMap;

/// What a client has seen of its session when the filter was gone.
struct Seen {
    name: String,
    /// Commands that were answered, connect and HELO included.
    answered: usize,
}

/// Plays messages until the filter hangs up; never waits for anything but replies.
fn play(spec: &ConnSpec, name: &str, random: &mut fastrand::Rng) -> Option<Seen> {
    let mut client = Client::connect(spec, BOUND).ok()?;
    let mut seen = Seen { name: name.to_owned(), answered: 0 };
    let mut ask = |client: &mut Client, count: usize| {
        client.flush().is_ok()
            && (0..count).all(|_| {
                let answered = client.read_packet(BOUND).is_ok_and(|reply| reply.letter == b'c');
                seen.answered += usize::from(answered);
                answered
            })
    };
    client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    if client.flush().is_err() || client.read_packet(BOUND).is_err() {
        return None;
    }
    client.queue_connect(name, &Origin::Unknown);
    let callbacks = ["envfrom", "header", "body", "eom", "close"];
    let task = format!("{} nap {}", callbacks[random.usize(..5)], random.u32(..4000));
    client.queue_strings(b'H', &[task]);
    let mut goes_on = ask(&mut client, 2);
    while goes_on && random.u8(..10) > 0 {
        client.queue_strings(b'M', &["<a>"]);
        client.queue_strings(b'R', &["<b>"]);
        // Sometimes all in one write, sometimes command by command.
        let together = random.bool();
        goes_on = together || ask(&mut client, 2);
        client.queue_strings(b'L', &["Name", "value"]);
        client.queue(b'N', b"");
        client.queue(b'B', b"body");
        client.queue(b'E', b"");
        goes_on = goes_on && ask(&mut client, if together { 6 } else { 4 });
    }
    Some(seen)
}

#[test]
fn any_timing() {
    const ROUNDS: u64 = 12;
    const CLIENTS: u64 = 24;
    for round in 0..ROUNDS {
        let filter = Filter::start(&[]);
        let seen: Vec<Seen> = std::thread::scope(|scope| {
            let players: Vec<_> = (0..CLIENTS)
                .map(|n| {
                    let spec = &filter.spec;
                    scope.spawn(move || {
                        let mut random = fastrand::Rng::with_seed(round * CLIENTS + n);
                        let names = (0..5).map(|again| format!("r{round}c{n}.{again}"));
                        names.filter_map(|name| play(spec, &name, &mut random)).collect()
                    })
                })
                .collect();
            // The stop comes when some sessions are over, at another moment in each round.
            filter.wait_until("some sessions", |lines| {
                lines.iter().filter(|l| l.contains(" closed ")).count() > round as usize * 5
            });
            filter.signal(if round % 2 == 0 { Signal::TERM } else { Signal::INT });
            players.into_iter().flat_map(|player| -> Vec<Seen> { player.join().unwrap() }).collect()
        });
        let (result, after) = filter.returned(1);
        assert_eq!((result.as_str(), after.threads), ("0", 1), "round {round}");
        let (events, log) = filter.end();
        assert_eq!(log, [""; 0], "round {round}");
        let mut closed: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (name, count) in events.iter().filter_map(|line| line.split_once(" closed after ")) {
            closed.entry(name).or_default().push(count.parse().unwrap());
        }
        for Seen { name, answered } in seen.iter().filter(|seen| seen.answered > 0) {
            let Some([calls]) = closed.get(name.as_str()).map(Vec::as_slice) else {
                panic!("{name} was closed {:?} times", closed.get(name.as_str()));
            };
            // Every answer comes from a callback; those cut off may have run without being heard.
            assert!(calls > answered, "{name}: {calls} callbacks, {answered} answers");
        }
        assert!(closed.values().all(|calls| calls.len() == 1), "closed twice: {closed:?}");
    }
}
