//! The message as it goes on its way, byte for byte.

use milter_mta::mail::Message;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::mails::Mail;

/// What the milter has not changed is as it was in the file; the rest has the file's line ends.
pub(crate) fn bytes(mail: &Mail, after: &Message) -> Vec<u8> {
    let file = &mail.bytes;
    let parts = Message::parts(file);
    let crlf = file.split(|byte| *byte == b'\n').next().is_some_and(|line| line.ends_with(b"\r"));
    let mut out = file[..parts.start].to_vec();
    let operations = capture_diff_slices(Algorithm::Myers, &mail.message.headers, &after.headers);
    for operation in operations {
        match operation {
            DiffOp::Equal { old_index, len, .. } => {
                for range in &parts.headers[old_index..old_index + len] {
                    out.extend_from_slice(&file[range.clone()]);
                }
            }
            DiffOp::Delete { .. } => {}
            DiffOp::Insert { new_index, new_len, .. }
            | DiffOp::Replace { new_index, new_len, .. } => {
                // The last line of the file may lack its end.
                if !out.is_empty() && out.last() != Some(&b'\n') {
                    out.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
                }
                for header in &after.headers[new_index..new_index + new_len] {
                    let text = [&header.name[..], b":", &header.value, b"\n"].concat();
                    push(&mut out, &text, crlf);
                }
            }
        }
    }
    let same_body = after.body == mail.message.body;
    if same_body && (!parts.separator.is_empty() || after.headers == mail.message.headers) {
        out.extend_from_slice(&file[parts.separator.start..]);
        return out;
    }
    if parts.separator.is_empty() {
        out.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
    } else {
        out.extend_from_slice(&file[parts.separator]);
    }
    if same_body {
        out.extend_from_slice(&file[parts.body]);
    } else {
        push(&mut out, &after.body, crlf);
    }
    out
}

/// Appends with the line ends of the file; what is no line end stays.
fn push(out: &mut Vec<u8>, text: &[u8], crlf: bool) {
    let mut last = 0;
    for byte in text {
        if *byte == b'\n' && crlf && last != b'\r' {
            out.push(b'\r');
        }
        if *byte == b'\n' && !crlf && last == b'\r' {
            out.pop();
        }
        out.push(*byte);
        last = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use milter_mta::mail::{Change, Envelope, apply};

    /// The file after changes.
    fn after(file: &[u8], changes: &[Change]) -> Vec<u8> {
        let mail = Mail {
            name: String::new(),
            bytes: file.to_vec(),
            message: Message::parse(file),
            remarks: Vec::new(),
        };
        let mut message = mail.message.clone();
        apply(changes, &mut Envelope::new("a@b", &["c@d"]), &mut message, false);
        bytes(&mail, &message)
    }

    #[test]
    fn a_message_without_changes_is_the_same_file() {
        for file in [
            &b"Subject: x\n\nbody\n"[..],
            b"Subject: x\r\n\r\nbody\r\n",
            b"From a@b Mon\nSubject :x\nX:\n\t fold\r\n\nmixed\r\nends\nbare\rcr\0\xff",
            b"Subject: x\nno header\n",
            b"Subject: x",
            b"Subject: x\n",
            b"no header",
            b"\n\n",
            b"",
        ] {
            assert_eq!(after(file, &[]), file, "{}", file.escape_ascii());
        }
    }

    #[test]
    fn only_what_has_changed_is_other() {
        let add = || Change::AddHeader { name: "X-New".into(), value: "a\n\tb".into() };
        let body = || Change::ReplaceBody(b"new\r\nbody".to_vec());
        let delete = || Change::ChangeHeader { index: 1, name: "b".into(), value: Vec::new() };
        for (file, change, result) in [
            (&b"A :1\nB: 2\n\nbody\r\n"[..], add(), &b"A :1\nB: 2\nX-New: a\n\tb\n\nbody\r\n"[..]),
            (b"A: 1\r\n\r\nbody\r\n", add(), b"A: 1\r\nX-New: a\r\n\tb\r\n\r\nbody\r\n"),
            (b"A :1\nB: 2\n\nbody\n", body(), b"A :1\nB: 2\n\nnew\nbody"),
            (b"A: 1\r\n\r\nx", body(), b"A: 1\r\n\r\nnew\r\nbody"),
            (b"A :1\nB: 2\n\nbody\n", delete(), b"A :1\n\nbody\n"),
            (b"A: 1", add(), b"A: 1\nX-New: a\n\tb\n\n"),
            (b"A: 1\nno header\n", add(), b"A: 1\nX-New: a\n\tb\n\nno header\n"),
            (b"A: 1\n", body(), b"A: 1\n\nnew\nbody"),
        ] {
            let got = after(file, &[change]);
            assert_eq!(got.escape_ascii().to_string(), result.escape_ascii().to_string());
        }
    }
}
