//! What somebody asks of the socket of statistics: HTTP, or nothing at all.

/// Bytes of a request at most.
pub(super) const REQUEST_MAX: usize = 8 << 10;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inquiry<'a> {
    /// More may come.
    Open,
    /// A page without HTTP around it.
    Bare(&'a str),
    /// A page by HTTP.
    Page(&'a str),
    /// What comes with a page by HTTP, without the page.
    Head(&'a str),
    /// By HTTP, something else than to read.
    Other,
    /// Nothing that is understood.
    Wrong,
}

/// Reads what has come so far; `over` if nothing more will.
pub(super) fn read(bytes: &[u8], over: bool) -> Inquiry<'_> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return match bytes {
            _ if bytes.len() >= REQUEST_MAX => Inquiry::Wrong,
            [] if over => Inquiry::Bare("/"),
            _ if over => line(bytes),
            _ => Inquiry::Open,
        };
    };
    let first = line(bytes.get(..end).unwrap_or_default());
    if matches!(first, Inquiry::Bare(_) | Inquiry::Wrong) || over || is_whole(bytes) {
        return first;
    }
    if bytes.len() >= REQUEST_MAX { Inquiry::Wrong } else { Inquiry::Open }
}

/// Whether the empty line has come that ends the head of a request.
fn is_whole(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|two| two == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

/// Reads the first line.
fn line(bytes: &[u8]) -> Inquiry<'_> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Inquiry::Wrong };
    let mut words = text.split_ascii_whitespace();
    let words = [words.next(), words.next(), words.next(), words.next()];
    match words {
        // As HTTP was before it had versions.
        [Some("GET"), Some(target), None, _] => Inquiry::Bare(path(target)),
        [Some(method), Some(target), Some(version), None] if version.starts_with("HTTP/") => {
            match method {
                "GET" => Inquiry::Page(path(target)),
                "HEAD" => Inquiry::Head(path(target)),
                _ => Inquiry::Other,
            }
        }
        _ => Inquiry::Wrong,
    }
}

/// The path of what is asked for, which may be a whole URL, without a query.
fn path(target: &str) -> &str {
    let rest = target.split_once("://").map_or(target, |(_, rest)| {
        rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
    });
    rest.split('?').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_when_they_are_whole() {
        let whole = b"GET /metrics?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end], false), Inquiry::Open, "{end}");
        }
        assert_eq!(read(whole, false), Inquiry::Page("/metrics"));
        assert_eq!(read(&whole[..30], true), Inquiry::Page("/metrics"));
        for (text, over, inquiry) in [
            ("HEAD / HTTP/1.0\n\n", false, Inquiry::Head("/")),
            ("GET http://host/a HTTP/1.0\r\n\r\n", false, Inquiry::Page("/a")),
            ("GET http://host HTTP/1.0\r\n\r\n", false, Inquiry::Page("/")),
            ("POST / HTTP/1.1\r\n\r\n", false, Inquiry::Other),
            ("GET /callbacks\n", false, Inquiry::Bare("/callbacks")),
            ("GET /callbacks", false, Inquiry::Open),
            ("GET /callbacks", true, Inquiry::Bare("/callbacks")),
            ("", false, Inquiry::Open),
            ("", true, Inquiry::Bare("/")),
            ("EHLO me\r\n", false, Inquiry::Wrong),
            ("\r\n", false, Inquiry::Wrong),
            ("GET", true, Inquiry::Wrong),
        ] {
            assert_eq!(read(text.as_bytes(), over), inquiry, "{text:?} {over}");
        }
        assert_eq!(read(b"\xff\n", false), Inquiry::Wrong);
    }

    #[test]
    fn requests_that_do_not_end_are_wrong() {
        assert_eq!(read(&[b'x'; REQUEST_MAX - 1], false), Inquiry::Open);
        assert_eq!(read(&[b'x'; REQUEST_MAX], false), Inquiry::Wrong);
        let mut head = b"GET / HTTP/1.1\r\n".to_vec();
        head.resize(REQUEST_MAX, b'x');
        assert_eq!(read(&head, false), Inquiry::Wrong);
    }
}
