//! Reads a fuzzer's input as decisions; where it ends, everything is zero.

#[derive(Clone, Debug)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
    /// Bytes. No value is longer.
    longest: usize,
}

impl<'a> Input<'a> {
    pub(crate) fn new(rest: &'a [u8], longest: usize) -> Self {
        Self { rest, longest }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    pub(crate) fn number(&mut self) -> u32 {
        u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Bytes as they are, or a few repeated up to a length that the input need not have.
    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        let kind = self.byte();
        if kind < 240 {
            return self.take(kind.into()).to_vec();
        }
        let unit = self.take(1 + usize::from(kind & 1)).to_vec();
        let number = usize::from(u16::from_be_bytes([self.byte(), self.byte()]));
        let length = match kind {
            240..250 => number % 1200,
            250 | 251 => number,
            // Around the limits of packets.
            252 | 253 => 65_535 - 64 + number % 128,
            254 => 262_143 - 64 + number % 128,
            _ => number * 17,
        };
        let length = length.min(self.longest);
        unit.iter().copied().cycle().take(if unit.is_empty() { 0 } else { length }).collect()
    }

    /// What C passes as a string: NULL, or bytes without NUL.
    pub(crate) fn text(&mut self) -> Option<Vec<u8>> {
        match self.byte() % 6 {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(b"x".to_vec()),
            3 => Some(b"<a@b>".to_vec()),
            _ => {
                let mut bytes = self.bytes();
                bytes.retain(|byte| *byte != 0);
                Some(bytes)
            }
        }
    }
}
