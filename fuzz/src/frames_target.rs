//! Packets in place, over any split of the stream.

use crate::input::Input;
use crate::memory::{held, reset};
use crate::session::Flow;
use crate::stream::{Front, Receiver, front, put};

/// Bytes. Limits of the payload, one after the other.
const LIMITS: [usize; 6] = [65_535, 0, 7, 262_143, usize::MAX - 1, 40];

/// # Panics
/// If packets are not what a walk over the whole stream finds.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data, 280_000);
    let limits = input.byte();
    let limit = |packets: usize| match limits {
        // The same for all, or another after each packet.
        0..200 => LIMITS[usize::from(limits) % LIMITS.len()],
        _ => LIMITS[packets % LIMITS.len()],
    };
    let mut stream = Vec::new();
    let mut parts = Vec::new();
    while !input.is_empty() && stream.len() < 1 << 20 {
        let kind = input.byte();
        match kind % 4 {
            0 => stream.extend(input.bytes()),
            1 => stream.extend_from_slice(&input.number().to_be_bytes()),
            _ => put(&mut stream, kind, &input.bytes()),
        }
        let back = usize::from(input.byte());
        // Cut here, or some bytes before, which may be within the packet or its length.
        if back < 250 {
            parts.push(stream.len().saturating_sub(back));
        }
    }
    parts.push(stream.len());
    compare(&stream, &parts, limit);
}

fn compare(stream: &[u8], parts: &[usize], limit: impl Fn(usize) -> usize) {
    reset();
    let mut receiver = Receiver::default();
    let mut packets = 0;
    // Where the next packet begins, by the walk, and how much was received.
    let (mut at, mut received) = (0, 0);
    for &end in parts {
        if end <= received {
            continue;
        }
        let part = &stream[received..end];
        received = end;
        let arrived = &stream[..end];
        let seen = std::cell::Cell::new(packets);
        let outcome = receiver.receive(
            part,
            || limit(seen.get()),
            |letter, bytes| {
                let Front::Packet(wanted, length) = front(&arrived[at..], limit(seen.get())) else {
                    panic!("a packet where there is none");
                };
                let (behind, payload) = bytes.split_last().expect("the byte behind");
                assert_eq!(letter, wanted);
                assert_eq!(payload, &arrived[at + 5..at + length], "payload");
                assert_eq!(*behind, 0, "the byte behind");
                // Callbacks may write to what they get.
                bytes.fill(0x55);
                at += length;
                seen.set(seen.get() + 1);
                Flow::Continue
            },
        );
        packets = seen.get();
        match front(&arrived[at..], limit(packets)) {
            Front::Packet(..) => panic!("a packet was missed"),
            Front::Part => assert_eq!(outcome, Ok(Flow::Continue)),
            Front::Garbage => {
                let error = outcome.expect_err("garbage was taken");
                assert!(!error.to_string().is_empty());
                break;
            }
        }
        let waiting = end - at;
        assert_eq!(receiver.waiting(), waiting);
        // The vector and its box.
        assert!(held() <= 64.max(2 * waiting) + 64, "{} for {waiting}", held());
        assert!(waiting > 0 || held() == 0, "{} bytes for nothing", held());
    }
    receiver.end();
    assert_eq!(held(), 0, "left behind");
}
