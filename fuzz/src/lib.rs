//! The pure layers of libmilter, compiled without the C boundary, and a session for fuzzers.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "the layers are used in part")]

#[path = "../../src/net/conn_spec.rs"]
pub mod conn_spec;
#[path = "../../src/proto/mod.rs"]
pub mod proto;
#[path = "../../src/session/mod.rs"]
pub mod session;

mod fake;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use fake::{Fake, Recorder};
use proto::codes::{DEFAULT_MAX_DATA_SIZE, step};
use proto::command::Command;
use session::{Flow, Session};

/// Letters of final replies; all others are changes.
const FINAL: &[u8] = b"cadrtsyO";

/// The offer of a current MTA.
const OFFER: &[u8] = b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";

/// Plays a whole session: five bytes say what the filter is, one how many results of callbacks
/// follow, the rest is what the MTA sends: letters, each with the length of a payload and this.
///
/// # Panics
/// If the session does what it must not: that is what the fuzzer looks for.
pub fn play(data: &[u8]) {
    let Some((&[a, b, c, d, e, count], rest)) = data.split_first_chunk::<6>() else { return };
    let (results, mut stream) = rest.split_at(usize::from(count).min(rest.len()));
    let filter = Fake::new(u16::from_be_bytes([a, b]), u32::from_be_bytes([0, c, d, e]), results);
    let output = Arc::new(Recorder::default());
    let limit = Arc::new(AtomicUsize::new(DEFAULT_MAX_DATA_SIZE));
    let mut session = Session::new(filter.traits, Arc::<Recorder>::clone(&output), limit);
    let mut answered = 0;
    let mut flow = Flow::Continue;
    // One in two sessions begins as it should; the fuzzer need not find that out.
    if a & 0x80 == 0 {
        flow = packet(&mut session, &filter, &output, b'O', OFFER, &mut answered);
    }
    while let (Flow::Continue, Some((&[letter, size], after))) = (flow, stream.split_first_chunk())
    {
        let payload;
        (payload, stream) = after.split_at(usize::from(size).min(after.len()));
        flow = packet(&mut session, &filter, &output, letter, payload, &mut answered);
    }
    session.finish(&filter);
    filter.check_end();
}

/// Hands one packet over and checks what comes back.
fn packet(
    session: &mut Session,
    filter: &Fake,
    output: &Recorder,
    letter: u8,
    payload: &[u8],
    answered: &mut u32,
) -> Flow {
    let mut bytes = payload.to_vec();
    bytes.push(0);
    let flow = session.handle(filter, letter, &mut bytes);
    let sent = std::mem::take(&mut *output.sent.lock());
    let finals = sent.iter().filter(|(letter, _)| FINAL.contains(letter)).count();
    let wanted = replies(letter, flow, *answered);
    assert_eq!(finals, wanted, "replies to {}", letter.escape_ascii());
    for (reply, payload) in &sent {
        match reply {
            b'O' => *answered = u32::from_be_bytes(payload[8..12].try_into().expect("4 bytes")),
            b's' => assert!(letter == b'B' && *answered & step::SKIP != 0),
            _ => assert!(FINAL.contains(reply) || letter == b'E'),
        }
    }
    flow
}

/// How many final replies a packet must get.
fn replies(letter: u8, flow: Flow, answered: u32) -> usize {
    match Command::from_letter(letter) {
        _ if flow == Flow::Close => 0,
        None | Some(Command::Abort | Command::Macro | Command::Quit | Command::QuitNc) => 0,
        Some(command) => usize::from(answered & command.no_reply_flag() == 0),
    }
}
