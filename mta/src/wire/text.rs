//! Bytes of mail as text for a person.

/// Text as it is; what a terminal must not get is escaped: control characters and broken UTF-8.
///
/// Line feeds and tabs stay.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() && !matches!(letter, '\n' | '\t') {
                out.extend(letter.escape_default());
            } else {
                out.push(letter);
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// The same on one line.
#[must_use]
pub fn one_line(bytes: &[u8]) -> String {
    in_one_line(&printable(bytes))
}

/// What is printable already, on one line.
#[must_use]
pub fn in_one_line(printable: &str) -> String {
    printable.replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_get_text_only() {
        let nasty = b"caf\xc3\xa9\tb\x1b[2Jc\xff\r\nd";
        assert_eq!(printable(nasty), "café\tb\\u{1b}[2Jc\\xff\\r\nd");
        assert_eq!(one_line(nasty), "café\\tb\\u{1b}[2Jc\\xff\\r\\nd");
    }
}
