//! A whole connection: any packets in any parts, callbacks that make any calls and return anything.
//!
//! ```text
//! packets   what the MTA sends, and how the stream is cut
//! host      the filter: checks when it is called and with what, does what the input says
//! calls     its calls of smfi_* functions, each with the result that must come
//! witness   follows the session from outside: aborts, closes, arguments, macros, room
//! replies   the part of it that says which reply a packet must get
//! ```

mod calls;
mod host;
mod packets;
mod replies;
mod witness;

use crate::input::Input;
use crate::memory::{counted, held, reset};
use crate::proto::codes::DEFAULT_MAX_DATA_SIZE;
use crate::session::{Flow, Session};
use crate::stream::{Front, Receiver, front};
use host::{Host, Recorder};
use packets::Packet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes. What a session may hold beside macros, replies, lists and what has arrived of a packet.
const ROOM: usize = 2048;

/// Half of the input is what the MTA sends, more or less, and the rest what callbacks do.
///
/// # Panics
/// If the session does what it must not.
pub fn run(data: &[u8]) {
    let Some((&[share, broken, missing, setup, limit], rest)) = data.split_first_chunk() else {
        return;
    };
    let (sent, done) = rest.split_at(rest.len() * usize::from(share) / 255);
    let mut sent = Input::new(sent, 280_000);
    let mut done = Input::new(done, 70_000);
    let shared = Arc::new(AtomicUsize::new(match limit {
        0..200 => DEFAULT_MAX_DATA_SIZE,
        _ => 80 * usize::from(limit - 199),
    }));
    let traits = host::traits(missing, setup, &mut done);
    let packets = packets::packets(&mut sent, setup & 1 == 0);
    let output = Arc::new(Recorder::default());
    let host = Host::new(traits, done, Arc::clone(&output), Arc::clone(&shared));
    // From this packet on the MTA can't be written to.
    let broken = if broken < 128 { usize::MAX } else { usize::from(broken - 127) };
    play(&host, &packets, broken, shared);
}

fn play(host: &Host<'_>, packets: &[Packet], broken: usize, shared: Arc<AtomicUsize>) {
    reset();
    let output: Arc<Recorder> = Arc::clone(&host.output);
    let mut session = counted(|| Session::new(host.traits.filter, output, shared, false));
    let (stream, parts) = packets::stream(packets);
    let mut receiver = Receiver::default();
    let context = Arc::clone(session.context());
    let mut number = 0;
    let (mut at, mut received) = (0, 0);
    let mut ended = false;
    for end in parts {
        let part = &stream[received..end];
        received = end;
        let take = |letter: u8, bytes: &mut [u8]| {
            let limit = context.max_data_size();
            let Front::Packet(wanted, length) = front(&stream[at..end], limit) else {
                panic!("a packet where there is none");
            };
            let payload = &stream[at + 5..at + length];
            assert_eq!((letter, &bytes[..bytes.len() - 1]), (wanted, payload), "packet");
            at += length;
            number += 1;
            host.output.broken.store(number >= broken, Relaxed);
            host.begin(letter, payload);
            let flow = counted(|| session.handle(host, letter, bytes));
            host.end(flow);
            flow
        };
        let outcome = receiver.receive(part, || context.max_data_size(), take);
        ended = outcome != Ok(Flow::Continue);
        if ended {
            break;
        }
        let room = host.room() + ROOM + 64.max(2 * receiver.waiting());
        assert!(held() <= room, "{} bytes held, {room} expected", held());
    }
    if !ended {
        let rest = front(&stream[at..], context.max_data_size());
        assert_eq!(rest, Front::Part, "a packet was missed");
    }
    drop(context);
    host.finish();
    counted(|| session.finish(host));
    host.finished();
    receiver.end();
    counted(|| drop(session));
    assert_eq!(held(), 0, "left behind");
}
