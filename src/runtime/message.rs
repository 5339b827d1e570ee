//! What is known of a session's message: queue id and sender, as packets have told them.

use crate::proto::describe::macros;

/// What is known of the message of a session, which begins with nothing.
#[derive(Debug, Clone)]
pub(super) struct Message {
    queue_id: Short<64>,
    sender: Short<256>,
    /// Macros have told of the message that MAIL begins.
    announced: bool,
}

/// A text of `N` bytes at most.
#[derive(Debug, Clone)]
struct Short<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Short<N> {
    const EMPTY: Short<N> = Short { bytes: [0; N], len: 0 };

    fn set(&mut self, text: &[u8]) {
        self.len = text.len().min(N);
        self.bytes.iter_mut().zip(text).for_each(|(place, byte)| *place = *byte);
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Message {
    pub(super) const NONE: Message =
        Message { queue_id: Short::EMPTY, sender: Short::EMPTY, announced: false };

    /// Its queue id; empty if the MTA has not told it, or there is no message.
    pub(super) fn queue_id(&self) -> &[u8] {
        self.queue_id.get()
    }

    /// Its sender as MAIL has it, likewise.
    pub(super) fn sender(&self) -> &[u8] {
        self.sender.get()
    }

    /// Takes in what a packet tells.
    pub(super) fn learn(&mut self, letter: u8, payload: &[u8]) {
        let is_macro = letter == b'D';
        let of = if is_macro { payload.first().copied() } else { Some(letter) };
        let begins = matches!(of, Some(b'C' | b'H' | b'M' | b'K'));
        if begins && !(letter == b'M' && self.announced) {
            self.queue_id.len = 0;
            self.sender.len = 0;
        }
        self.announced = is_macro && of == Some(b'M');
        if letter == b'M' {
            self.sender.set(payload.split(|byte| *byte == 0).next().unwrap_or_default());
        } else if is_macro {
            let id = macros(payload).find(|(name, _)| matches!(*name, b"i" | b"{i}"));
            if let Some((_, id)) = id {
                self.queue_id.set(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(message: &Message) -> (&[u8], &[u8]) {
        (message.queue_id(), message.sender())
    }

    #[test]
    fn a_message_begins_with_its_macros_or_with_mail() {
        let mut message = Message::NONE;
        message.learn(b'M', b"<a@x>\0SIZE=1\0");
        assert_eq!(known(&message), (&b""[..], &b"<a@x>"[..]));
        message.learn(b'D', b"Ri\0Q1\0");
        assert_eq!(known(&message), (&b"Q1"[..], &b"<a@x>"[..]));
        message.learn(b'D', b"M{i}\0Q2\0");
        assert_eq!(known(&message), (&b"Q2"[..], &b""[..]));
        message.learn(b'M', b"<b@x>\0");
        assert_eq!(known(&message), (&b"Q2"[..], &b"<b@x>"[..]));
        message.learn(b'H', b"host\0");
        assert_eq!(known(&message), (&b""[..], &b""[..]));
    }
}
