//! Replies with a text: SMTP code, enhanced status code and lines, checked and formatted.

use super::planted::{Bug, planted};

/// Bytes. Longest text line of a reply.
pub const LINE_MAX: usize = 980;
/// Lines a reply may have at most.
pub const LINES_MAX: usize = 32;

/// Why a reply was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyError {
    /// Not three digits of which the first is 4 or 5.
    Code,
    /// Not of the form `class.subject.detail`.
    EnhancedCode,
    /// A line holds CR or LF.
    LineBreak,
    /// A line is longer than [`LINE_MAX`].
    LineTooLong,
    /// More than [`LINES_MAX`] lines, or none.
    LineCount,
    /// There is no memory for it.
    Memory,
}

/// Room for a reply, so that it is allocated once.
fn room(size: usize) -> Result<Vec<u8>, ReplyError> {
    let mut reply = Vec::new();
    reply.try_reserve_exact(size).map_err(|_| ReplyError::Memory)?;
    Ok(reply)
}

fn check_code(code: &[u8]) -> Result<(), ReplyError> {
    match code {
        [b'4' | b'5', b'0'..=b'9', b'0'..=b'9'] => Ok(()),
        _ => Err(ReplyError::Code),
    }
}

fn check_enhanced(code: &[u8]) -> Result<(), ReplyError> {
    let most = if planted(Bug::FourDigits) { 4 } else { 3 };
    let number =
        |part: &[u8]| (1..=most).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    let mut parts = code.split(|&b| b == b'.');
    let class = matches!(parts.next(), Some([b'2' | b'4' | b'5']));
    let rest = parts.next().is_some_and(number) && parts.next().is_some_and(number);
    if class && rest && parts.next().is_none() { Ok(()) } else { Err(ReplyError::EnhancedCode) }
}

fn check_line(line: &[u8]) -> Result<(), ReplyError> {
    if line.len() > LINE_MAX {
        return Err(ReplyError::LineTooLong);
    }
    if line
        .iter()
        .any(|b| matches!(b, b'\r' | b'\n') && !(*b == b'\r' && planted(Bug::ReturnTaken)))
    {
        return Err(ReplyError::LineBreak);
    }
    Ok(())
}

/// Formats the reply of `smfi_setreply`.
///
/// # Errors
/// An argument breaks a rule; see [`ReplyError`].
pub fn single(
    code: &[u8],
    enhanced: Option<&[u8]>,
    text: Option<&[u8]>,
) -> Result<Vec<u8>, ReplyError> {
    check_code(code)?;
    if let Some(enhanced) = enhanced {
        check_enhanced(enhanced)?;
    }
    if let Some(text) = text {
        check_line(text)?;
    }
    let between = usize::from(enhanced.is_some() && text.is_some());
    let [enhanced_size, text_size] = [enhanced, text].map(|part| part.unwrap_or_default().len());
    let mut reply = room(code.len() + 1 + enhanced_size + between + text_size)?;
    reply.extend_from_slice(code);
    reply.push(b' ');
    reply.extend_from_slice(enhanced.unwrap_or_default());
    if let Some(text) = text {
        if enhanced.is_some() {
            reply.push(b' ');
        }
        reply.extend_from_slice(text);
    }
    Ok(reply)
}

/// Formats the reply of `smfi_setmlreply`: one line of SMTP for each text.
///
/// # Errors
/// An argument breaks a rule; see [`ReplyError`].
pub fn multi(code: &[u8], enhanced: Option<&[u8]>, lines: &[&[u8]]) -> Result<Vec<u8>, ReplyError> {
    check_code(code)?;
    let enhanced = match enhanced {
        Some(enhanced) => {
            check_enhanced(enhanced)?;
            enhanced
        }
        None if code.first() == Some(&b'4') => b"4.0.0",
        None => b"5.0.0",
    };
    let Some((last, _)) = lines.split_last().filter(|_| lines.len() <= LINES_MAX) else {
        return Err(ReplyError::LineCount);
    };
    for line in lines {
        check_line(line)?;
    }
    let each = code.len() + 1 + enhanced.len() + 1;
    let text = lines.iter().map(|line| line.len()).sum::<usize>();
    let mut reply = room(text + lines.len() * (each + 2) - 2)?;
    for line in lines {
        if !reply.is_empty() {
            reply.extend_from_slice(b"\r\n");
        }
        reply.extend_from_slice(code);
        let last_line =
            std::ptr::eq(line, last) && !(planted(Bug::LastLineMarked) && lines.len() == LINES_MAX);
        reply.push(if last_line { b' ' } else { b'-' });
        reply.extend_from_slice(enhanced);
        reply.push(b' ');
        reply.extend_from_slice(line);
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(result: Result<Vec<u8>, ReplyError>) -> Result<String, ReplyError> {
        // One allocation, which a box of the same bytes takes over.
        result.map(|bytes| {
            assert_eq!(bytes.len(), bytes.capacity());
            String::from_utf8(bytes).unwrap()
        })
    }

    #[test]
    fn single_line_forms() {
        let f = |x: Option<&str>, t: Option<&str>| {
            text(single(b"550", x.map(str::as_bytes), t.map(str::as_bytes)))
        };
        assert_eq!(f(None, None).unwrap(), "550 ");
        assert_eq!(f(Some("5.1.1"), None).unwrap(), "550 5.1.1");
        assert_eq!(f(None, Some("m")).unwrap(), "550 m");
        assert_eq!(f(Some("5.1.1"), Some("")).unwrap(), "550 5.1.1 ");
        assert_eq!(f(Some("4.1.1"), Some("100%")).unwrap(), "550 4.1.1 100%");
    }

    #[test]
    fn codes() {
        for bad in ["", "55", "5500", "250", "350", "5a0", "55x", "999"] {
            assert_eq!(single(bad.as_bytes(), None, None), Err(ReplyError::Code), "{bad}");
        }
        for good in ["400", "499", "500", "599"] {
            assert!(single(good.as_bytes(), None, None).is_ok(), "{good}");
        }
        let enhanced = |x: &str| single(b"550", Some(x.as_bytes()), None).map(|_| ());
        for bad in
            ["", "5", "5.1", "5.1.", "5..1", "3.1.1", "5.1.1.1", "5.1234.1", "55.1.1", "5.a.1"]
        {
            assert_eq!(enhanced(bad), Err(ReplyError::EnhancedCode), "{bad}");
        }
        for good in ["5.1.1", "2.123.123", "4.0.0"] {
            assert_eq!(enhanced(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn lines() {
        let long = vec![b'x'; LINE_MAX];
        assert!(single(b"550", None, Some(&long)).is_ok());
        let longer = vec![b'x'; LINE_MAX + 1];
        assert_eq!(single(b"550", None, Some(&longer)), Err(ReplyError::LineTooLong));
        assert_eq!(single(b"550", None, Some(b"a\rb")), Err(ReplyError::LineBreak));
        assert_eq!(multi(b"550", None, &[b"a", b"b\n"]), Err(ReplyError::LineBreak));
    }

    #[test]
    fn several_lines() {
        assert_eq!(
            text(multi(b"550", Some(b"5.7.1"), &[b"one", b"two", b"three"])).unwrap(),
            "550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three"
        );
        assert_eq!(text(multi(b"450", None, &[b"one"])).unwrap(), "450 4.0.0 one");
        assert_eq!(text(multi(b"550", None, &[b""])).unwrap(), "550 5.0.0 ");
        assert_eq!(multi(b"550", None, &[]), Err(ReplyError::LineCount));
        assert!(multi(b"550", None, &[&b"x"[..]; LINES_MAX]).is_ok());
        assert_eq!(multi(b"550", None, &[&b"x"[..]; LINES_MAX + 1]), Err(ReplyError::LineCount));
    }
}
