//! Messages in files, and what is odd about them.

use std::path::Path;

use milter_mta::mail::Message;

use crate::status::{Failure, Status};

/// The message that is played if none is given.
const SAMPLE: &[u8] = include_bytes!("sample.eml");

/// A message to play.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) name: String,
    /// As it is in the file.
    pub(crate) bytes: Vec<u8>,
    pub(crate) message: Message,
    /// What whoever wrote the file may not have meant.
    pub(crate) remarks: Vec<String>,
}

impl Mail {
    fn new(name: String, bytes: Vec<u8>) -> Mail {
        let message = Message::parse(&bytes);
        let remarks = remarks(&name, &bytes, &message);
        Mail { name, bytes, message, remarks }
    }
}

/// Reads messages; without any there is one that is built in.
pub(crate) fn read<'a>(files: impl Iterator<Item = &'a Path>) -> Result<Vec<Mail>, Failure> {
    let mut mails = Vec::new();
    for path in files {
        let bytes = std::fs::read(path).map_err(|error| {
            let text = format!("cannot read the message {}: {error}", path.display());
            Failure::new(Status::NoInput, text)
        })?;
        mails.push(Mail::new(path.display().to_string(), bytes));
    }
    if mails.is_empty() {
        mails.push(Mail::new("sample.eml".to_owned(), SAMPLE.to_vec()));
    }
    Ok(mails)
}

fn remarks(name: &str, bytes: &[u8], message: &Message) -> Vec<String> {
    let mut remarks = Vec::new();
    let parts = Message::parts(bytes);
    if bytes.is_empty() {
        remarks.push(format!("{name} is empty"));
        return remarks;
    }
    if message.headers.is_empty() {
        remarks.push(format!(
            "{name} has no headers: all of it is played as the body. Headers stand at the top, \
             with an empty line after them"
        ));
    } else if parts.separator.is_empty() && !message.body.is_empty() {
        let head = &bytes[..parts.body.start];
        let line = head.iter().filter(|byte| **byte == b'\n').count() + 1;
        remarks.push(format!(
            "line {line} of {name} is no header: it begins the body, without an empty line before it"
        ));
    }
    if bytes.last() != Some(&b'\n') {
        remarks.push(format!("{name} does not end with a newline, and is played so"));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_about_a_file_is_told() {
        for (text, remark) in [
            ("Subject: x\n\nbody\n", None),
            ("Subject: x\n", None),
            ("Subject: x\n\n", None),
            ("Subject: x\r\n\r\nbody\r\n", None),
            ("", Some("m is empty")),
            ("Hello Bob,\n\nbody\n", Some("m has no headers")),
            ("\nbody\n", Some("m has no headers")),
            ("To: x\nSubject: x\nHello Bob,\n", Some("line 3 of m is no header")),
            ("Subject: x\n\nbody", Some("m does not end with a newline")),
        ] {
            let mail = Mail::new("m".to_owned(), text.as_bytes().to_vec());
            match (remark, &mail.remarks[..]) {
                (None, []) => {}
                (Some(start), [only]) if only.starts_with(start) => {}
                (_, other) => panic!("{text:?}: {other:?}"),
            }
        }
    }
}
