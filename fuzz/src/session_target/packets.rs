//! What the MTA sends.

use crate::input::Input;
use crate::macros_target;
use crate::stream::put;

pub(super) struct Packet {
    bytes: Vec<u8>,
    /// Where the stream is cut: so many bytes before the end of this packet, if it is.
    cut: Option<usize>,
}

/// The offer of a current MTA, and others.
const OFFERS: [[u32; 3]; 6] = [
    [6, 0x1ff, 0x1f_ffff],
    [6, 0x1ff, 0x1f_ffff & !0x400],
    [6, 0x1ff, 0x301f_ffff],
    [2, 0x3f, 0x7f],
    [4, 0, 0],
    [6, 0x1ff, 0x1f_ff7f & !0xff000],
];

/// Packets as they should be, by letter.
const USUAL: [(u8, &[&[u8]]); 14] = [
    (
        b'C',
        &[b"h\0U", b"host.example\x004\x04\xd2192.0.2.1\0", b"h\x006\0\x19::1\0", b"h\0L\0\0/x\0"],
    ),
    (b'H', &[b"me\0", b"\0"]),
    (b'M', &[b"<a@b>\0", b"<a@b>\0SIZE=1\0", b"<>\0"]),
    (b'R', &[b"<c@d>\0", b"<e@f>\0A\0B\0\0"]),
    (b'T', &[b""]),
    (b'L', &[b"Subject\0hi\0", b"X\0\0", b"\0a\0b\0"]),
    (b'N', &[b""]),
    (b'B', &[b"text\r\n", b"\0"]),
    (b'E', &[b"", b"last"]),
    (b'U', &[b"NOOP\0", b"\0"]),
    (b'A', &[b""]),
    (b'K', &[b""]),
    (b'Q', &[b""]),
    (b'R', &[b"<g@h>\0"]),
];

fn negotiation(input: &mut Input<'_>) -> Vec<u8> {
    let kind = usize::from(input.byte());
    let mut offer = OFFERS[kind % OFFERS.len()];
    if kind >= 240 {
        offer = [input.number(), input.number(), input.number()];
    }
    offer.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// All packets; one in two sessions begins as it should, which the fuzzer need not find out.
pub(super) fn packets(input: &mut Input<'_>, negotiates: bool) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut size = 0;
    if negotiates {
        packets.push(packet(b'O', &negotiation(input), input));
    }
    while !input.is_empty() && packets.len() < 200 && size < 1 << 20 {
        let kind = usize::from(input.byte());
        let (letter, payload) = match kind {
            0..160 => {
                let (letter, payloads) = USUAL[kind % USUAL.len()];
                (letter, payloads[kind / USUAL.len() % payloads.len()].to_vec())
            }
            160..200 => (b'D', macros_target::packet(input)),
            200..204 => (b'O', negotiation(input)),
            204..240 => (USUAL[kind % USUAL.len()].0, input.bytes()),
            _ => (input.byte(), input.bytes()),
        };
        size += payload.len();
        packets.push(packet(letter, &payload, input));
    }
    packets
}

fn packet(letter: u8, payload: &[u8], input: &mut Input<'_>) -> Packet {
    let mut bytes = Vec::new();
    put(&mut bytes, letter, payload);
    let cut = input.byte();
    let cut = match cut {
        // Nothing but the length and a few bytes more.
        248.. => Some(bytes.len().saturating_sub(usize::from(cut - 244))),
        _ => (cut & 3 != 1).then_some(usize::from(cut >> 2)),
    };
    Packet { bytes, cut }
}

/// The stream, and where its parts end.
pub(super) fn stream(packets: &[Packet]) -> (Vec<u8>, Vec<usize>) {
    let mut stream = Vec::new();
    let mut parts = Vec::new();
    for packet in packets {
        stream.extend_from_slice(&packet.bytes);
        if let Some(before) = packet.cut {
            let end = stream.len().saturating_sub(before);
            if end > parts.last().copied().unwrap_or(0) {
                parts.push(end);
            }
        }
    }
    if parts.last() != Some(&stream.len()) && !stream.is_empty() {
        parts.push(stream.len());
    }
    (stream, parts)
}
