//! Calls of smfi_* functions from callbacks, each with the result that must come.

use super::witness::Witness;
use crate::input::Input;
use crate::memory::{counted, uncounted};
use crate::proto::codes::action;
use crate::replies_target as rules;
use crate::session::{Context, Refused};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A packet to the MTA: letter and payload.
pub(super) type Sent = (u8, Vec<u8>);

/// A callback makes some calls.
pub(super) fn make(
    context: &Context,
    witness: &mut Witness,
    input: &mut Input<'_>,
    shared: &AtomicUsize,
    broken: bool,
) {
    for name in NAMES {
        look(context, witness, name);
    }
    for _ in 0..input.byte() & 3 {
        one(context, witness, input, shared, broken);
    }
}

/// Strings, each with its NUL.
fn strings(start: &[u8], strings: &[&[u8]]) -> Vec<u8> {
    let mut payload = start.to_vec();
    for string in strings {
        payload.extend_from_slice(string);
        payload.push(0);
    }
    payload
}

fn one(
    context: &Context,
    witness: &mut Witness,
    input: &mut Input<'_>,
    shared: &AtomicUsize,
    broken: bool,
) {
    let call = input.byte() % 18;
    match call {
        0..9 => change(call, context, witness, input, broken),
        9 => {
            let done = counted(|| context.progress()).is_ok();
            assert_eq!(done, !broken, "smfi_progress");
            witness.sent(done, vec![(b'p', Vec::new())]);
        }
        10 => look(context, witness, &input.text().unwrap_or_default()),
        11 => {
            // smfi_setreply with what fits most verdicts.
            let code: &[u8] = if input.byte() & 1 == 0 { b"550" } else { b"450" };
            let text = input.text();
            let done = counted(|| context.set_reply(code, None, text.as_deref()));
            let wanted = rules::one_line(code, None, text.as_deref());
            assert_eq!(done.is_ok(), wanted.is_some(), "smfi_setreply {done:?}");
            witness.reply = wanted.or(witness.reply.take());
        }
        12 | 13 => reply(call == 13, context, witness, input),
        14 => {
            let stage = i32::from(input.byte() % 9) - 1;
            let list = input.text().unwrap_or_default();
            let done = counted(|| context.set_symbol_list(stage, &list)).is_ok();
            assert_eq!(done, witness.list(stage, list), "smfi_setsymlist {stage}");
        }
        15 => {
            let place = usize::from(input.byte());
            context.set_private(std::ptr::without_provenance_mut(place));
            witness.private = place;
        }
        16 => assert_eq!(context.private().addr(), witness.private, "smfi_getpriv"),
        _ => {
            // smfi_setmaxdatasize, which is about the whole process.
            let limit = usize::try_from(input.number() % 300_000).expect("a size");
            shared.store(limit, Relaxed);
        }
    }
}

/// Names that macro packets have; all are looked up in every callback.
const NAMES: [&[u8]; 4] = [b"i", b"{j}", b"{mail_addr}", b"{ab}"];

fn look(context: &Context, witness: &Witness, name: &[u8]) {
    let copy = |value: &mut [u8]| uncounted(|| value.to_vec());
    let value = counted(|| context.macro_value(name, copy));
    witness.macro_value(name, value.as_deref());
}

fn reply(several: bool, context: &Context, witness: &mut Witness, input: &mut Input<'_>) {
    let code = rules::code(input);
    let enhanced = rules::enhanced(input);
    let enhanced = enhanced.as_deref();
    let (done, wanted) = if several {
        let lines: Vec<Vec<u8>> = (0..input.byte() % 34).map(|_| rules::line(input)).collect();
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let done = counted(|| context.set_multiline_reply(&code, enhanced, &lines));
        (done, rules::several_lines(&code, enhanced, &lines))
    } else {
        let text = input.byte() & 1 == 0;
        let text = text.then(|| rules::line(input));
        let done = counted(|| context.set_reply(&code, enhanced, text.as_deref()));
        (done, rules::one_line(&code, enhanced, text.as_deref()))
    };
    assert_eq!(done.is_ok(), wanted.is_some(), "smfi_setreply {done:?}");
    // A stored one is kept if this fails.
    witness.reply = wanted.or(witness.reply.take());
}

/// The functions that change a message.
fn change(call: u8, context: &Context, witness: &mut Witness, input: &mut Input<'_>, broken: bool) {
    let [first, second] = [input.text(), input.text()];
    let (first, second) = (first.as_deref(), second.as_deref());
    let index = if call == 1 || call == 2 { input.number() as i32 } else { 0 };
    let index = if index % 8 == 0 { index } else { index % 4 };
    // What must be there, and not be empty.
    let name = first.filter(|name| !name.is_empty());
    let number = u32::try_from(index).ok();
    let number = number.map(u32::to_be_bytes);
    let mut body = Vec::new();
    if call == 7 {
        body = input.bytes();
    }
    type Change = (u32, Option<Vec<Sent>>);
    let one = |letter: u8, payload: Option<Vec<u8>>| payload.map(|bytes| vec![(letter, bytes)]);
    let ((wanted, packets), done): (Change, Result<(), Refused>) = match call {
        0 => (
            (action::ADDHDRS, one(b'h', name.zip(second).map(|(n, v)| strings(&[], &[n, v])))),
            counted(|| context.add_header(first, second)),
        ),
        1 => {
            let payload = name.zip(second).zip(number);
            let payload = payload.map(|((n, v), index)| strings(&index, &[n, v]));
            let done = counted(|| context.insert_header(index, first, second));
            ((action::ADDHDRS, one(b'i', payload)), done)
        }
        2 => {
            let payload = name.zip(number);
            let payload = payload.map(|(n, at)| strings(&at, &[n, second.unwrap_or_default()]));
            let done = counted(|| context.change_header(first, index, second));
            ((action::CHGHDRS, one(b'm', payload)), done)
        }
        3 | 5 => {
            let all = |address| [Some(address), second].into_iter().flatten().collect::<Vec<_>>();
            let payload = name.map(|address| strings(&[], &all(address)));
            if call == 3 {
                let done = counted(|| context.change_from(first, second));
                ((action::CHGFROM, one(b'e', payload)), done)
            } else {
                let done = counted(|| context.add_recipient_with(first, second));
                ((action::ADDRCPT_PAR, one(b'2', payload)), done)
            }
        }
        4 => (
            (action::ADDRCPT, one(b'+', name.map(|name| strings(&[], &[name])))),
            counted(|| context.add_recipient(first)),
        ),
        6 => (
            (action::DELRCPT, one(b'-', name.map(|name| strings(&[], &[name])))),
            counted(|| context.delete_recipient(first)),
        ),
        7 => {
            let mut packets: Vec<Sent> =
                body.chunks(65_535).map(|chunk| (b'b', chunk.to_vec())).collect();
            if packets.is_empty() {
                packets.push((b'b', Vec::new()));
            }
            ((action::CHGBODY, Some(packets)), counted(|| context.replace_body(&body)))
        }
        _ => (
            (action::QUARANTINE, one(b'q', name.map(|name| strings(&[], &[name])))),
            counted(|| context.quarantine(first)),
        ),
    };
    let limit = context.max_data_size();
    let allowed = witness.may_change(wanted) && !broken;
    // Those before the first that is too large have been sent.
    let mut sent = packets.unwrap_or_default();
    let all = sent.len();
    let fit = sent.iter().take_while(|(_, payload)| payload.len() <= limit).count();
    sent.truncate(fit);
    let wanted = allowed && fit == all && all > 0;
    assert_eq!(done.is_ok(), wanted, "change {call}: {done:?}, limit {limit}");
    witness.sent(allowed, sent);
}
