//! A session tells what its filter does wrong, each kind once.

use super::context::Context;
use super::mistake::Mistake;
use super::refused::Refused;
use super::report::Report;
use crate::proto::command::Command;
use crate::proto::nul::has_line_break as has_break;

/// Whether a text has a line break behind which something begins that is no continuation.
fn breaks_off(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some(at) = rest.iter().position(|b| matches!(b, b'\r' | b'\n')) {
        let width = 1 + usize::from(matches!(rest.get(at..at + 2), Some(b"\r\n")));
        rest = rest.get(at + width..).unwrap_or_default();
        if !matches!(rest.first(), Some(b' ' | b'\t')) {
            return true;
        }
    }
    false
}

impl Context {
    /// Tells of a mistake, the first time of its kind in this session.
    #[cold]
    pub(super) fn complain(&self, callback: Option<Command>, mistake: Mistake) {
        let Some(kind) = mistake.kind() else { return };
        let told = 1 << kind;
        let before = {
            let mut inner = self.lock();
            let before = inner.told;
            inner.told = before | told;
            before
        };
        if before & told == 0 {
            self.output.report(Report::Mistake(mistake, callback));
        }
    }

    /// Tells that a function of the filter's failed.
    #[cold]
    pub fn failed(&self, function: &'static str, why: Refused) {
        let mistake = Mistake::Refused(function, why, self.max_data_size());
        self.complain(self.output.callback(), mistake);
    }

    /// Tells of a header that would bring other lines into the message; it is sent as it is.
    #[inline]
    pub(super) fn check_breaks(&self, function: &'static str, name: &[u8], value: &[u8]) {
        if has_break(name) || has_break(value) {
            self.tell_breaks(function, name, value);
        }
    }

    #[cold]
    fn tell_breaks(&self, function: &'static str, name: &[u8], value: &[u8]) {
        let in_name = has_break(name);
        if in_name || breaks_off(value) {
            self.complain(self.output.callback(), Mistake::LineBreak(function, in_name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_values_are_whole_and_others_are_not() {
        for whole in [&b""[..], b"a", b"a\n b", b"a\r\n\tb\n c", b"a\r b", b"\n x"] {
            assert!(!breaks_off(whole), "{whole:?}");
        }
        for broken in
            [&b"a\n"[..], b"a\r\n", b"a\nX: y", b"a\n b\nc", b"a\r\r\n b", b"\n", b"a\n\n b"]
        {
            assert!(breaks_off(broken), "{broken:?}");
            assert!(has_break(broken));
        }
        assert!(!has_break(b"nothing of the kind, \t and so on"));
    }
}
