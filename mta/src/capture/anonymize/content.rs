//! Headers and bodies.

use super::disguise::Disguise;

/// Headers that say how a message is built and where it has been; the beginnings of their names.
const TRACE: &[&str] = &[
    "received",
    "return-path",
    "delivered-to",
    "authentication-results",
    "arc-",
    "dkim-",
    "domainkey-",
    "date",
    "message-id",
    "references",
    "in-reply-to",
    "mime-version",
    "content-",
    "precedence",
    "auto-submitted",
    "list-",
];

/// What is known of the message whose body comes.
#[derive(Debug, Default)]
pub(super) struct Content {
    boundaries: Vec<Vec<u8>>,
    /// The line at hand is below a boundary, before an empty line.
    in_part_headers: bool,
}

impl Content {
    /// Takes note of how the parts of the body are set apart.
    pub(super) fn learn(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"content-type") {
            self.boundaries.extend(boundary(value));
        }
    }

    /// Disguises a part of the body.
    pub(super) fn body(&mut self, disguise: &mut Disguise, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_boundary = line.strip_prefix(b"--").is_some_and(|rest| {
                self.boundaries.iter().any(|boundary| rest.starts_with(boundary))
            });
            if is_boundary {
                self.in_part_headers = true;
                out.extend_from_slice(line);
            } else if self.in_part_headers && !line.trim_ascii().is_empty() {
                let colon = line.iter().position(|byte| *byte == b':');
                let name = colon.map_or(&b"content-"[..], |colon| &line[..colon]);
                self.boundaries.extend(boundary(line));
                let head = colon.map_or(0, |colon| colon + 1);
                out.extend_from_slice(&line[..head]);
                out.extend(header(disguise, name, &line[head..]));
            } else {
                self.in_part_headers = false;
                out.extend(disguise.everything_in(line));
            }
        }
        out
    }
}

/// Disguises the value of a header.
pub(super) fn header(disguise: &mut Disguise, name: &[u8], value: &[u8]) -> Vec<u8> {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    if !TRACE.iter().any(|start| name.starts_with(start)) {
        return disguise.everything_in(value);
    }
    if !name.starts_with("content-") {
        return disguise.names_in(value);
    }
    let mut out = Vec::with_capacity(value.len());
    for parameter in value.split_inclusive(|byte| *byte == b';') {
        let small = String::from_utf8_lossy(parameter.trim_ascii_start()).to_ascii_lowercase();
        if small.starts_with("name") || small.starts_with("filename") {
            let equal = parameter.iter().position(|byte| *byte == b'=').unwrap_or(0);
            out.extend_from_slice(&parameter[..equal]);
            out.extend(disguise.everything_in(&parameter[equal..]));
        } else if small.starts_with("boundary") {
            out.extend_from_slice(parameter);
        } else {
            out.extend(disguise.names_in(parameter));
        }
    }
    out
}

/// The boundary that a Content-Type names.
fn boundary(value: &[u8]) -> Option<Vec<u8>> {
    const NAME: &[u8] = b"boundary=";
    let at = value.windows(NAME.len()).position(|part| part.eq_ignore_ascii_case(NAME))?;
    let rest = &value[at + NAME.len()..];
    let text = match rest.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|byte| *byte == b'"').next()?,
        None => rest.split(|byte| b"; \t\r\n\0".contains(byte)).next()?,
    };
    (!text.is_empty()).then(|| text.to_vec())
}
