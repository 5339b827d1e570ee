//! A header field, as a message has it and as it goes over the wire.

/// One header field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Header {
    /// Name, without the colon.
    pub name: Vec<u8>,
    /// Everything after the colon: blanks kept, folded lines joined by LF.
    pub value: Vec<u8>,
}

impl Header {
    /// The value as a milter gets it: without `leading_space` (HDR_LEADSPC) one blank is dropped.
    ///
    /// Exactly one space: a tab stays, and of two spaces one stays.
    #[must_use]
    pub fn wire_value(&self, leading_space: bool) -> &[u8] {
        match self.value.split_first() {
            Some((b' ', rest)) if !leading_space => rest,
            _ => &self.value,
        }
    }

    /// Makes a header of what a milter sent: without `leading_space` it gets one blank.
    #[must_use]
    pub fn from_wire(name: &[u8], value: &[u8], leading_space: bool) -> Header {
        let mut full = Vec::with_capacity(value.len() + 1);
        if !leading_space {
            full.push(b' ');
        }
        full.extend_from_slice(value);
        Header { name: name.to_vec(), value: full }
    }
}
