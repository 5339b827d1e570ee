//! Letters of replies in words.

/// Says in words what a reply letter stands for.
#[must_use]
pub fn letter_name(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'O' => "negotiation",
        b'c' => "continue",
        b'a' => "accept",
        b'd' => "discard",
        b'r' => "reject",
        b't' => "tempfail",
        b's' => "skip",
        b'y' => "reply code",
        b'p' => "progress",
        b'4' => "shutdown",
        b'f' => "connection failure",
        b'h' => "add header",
        b'i' => "insert header",
        b'm' => "change header",
        b'e' => "change sender",
        b'+' => "add recipient",
        b'2' => "add recipient with arguments",
        b'-' => "delete recipient",
        b'q' => "quarantine",
        b'b' => "replace body",
        b'l' => "symbol list",
        _ => return None,
    })
}
