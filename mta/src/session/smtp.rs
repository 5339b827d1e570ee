//! The SMTP replies a client gets, by MTA.

use std::fmt;

use super::profile::Mta;
use super::stage::Stage;

/// An SMTP reply as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SmtpReply {
    /// The three digits.
    pub code: u16,
    /// All lines with their codes, without line ends.
    pub lines: Vec<String>,
}

impl SmtpReply {
    /// A reply of one line; the text begins with the code.
    fn line(text: &str) -> SmtpReply {
        SmtpReply {
            code: text.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0),
            lines: vec![text.to_owned()],
        }
    }

    /// Whether the client should try again later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Whether the MTA closes the SMTP connection with it.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.code == 421
    }

    /// What the MTA says when a milter rejects without a text.
    #[must_use]
    pub fn rejected(mta: Mta, stage: Stage) -> SmtpReply {
        SmtpReply::line(match (mta.is_sendmail(), stage) {
            (false, _) => "550 5.7.1 Command rejected",
            (true, Stage::Connect | Stage::Helo) => "550 5.0.0 Command rejected",
            (true, stage) if stage.is_content() => "554 5.7.1 Command rejected",
            (true, _) => "550 5.7.1 Command rejected",
        })
    }

    /// What the MTA says when a milter fails temporarily without a text.
    #[must_use]
    pub fn tempfailed(mta: Mta) -> SmtpReply {
        SmtpReply::line(if mta.is_sendmail() {
            "451 4.3.2 Please try again later"
        } else {
            "451 4.7.1 Service unavailable - try again later"
        })
    }

    /// What the MTA says when a milter asks it to close.
    #[must_use]
    pub fn shutdown() -> SmtpReply {
        SmtpReply::line("421 4.7.0 Server closing connection")
    }

    /// What the MTA says when no recipient is left at DATA.
    #[must_use]
    pub fn no_recipients(mta: Mta) -> SmtpReply {
        SmtpReply::line(if mta.is_sendmail() {
            "503 5.0.0 Need RCPT (recipient)"
        } else {
            "554 5.5.1 Error: no valid recipients"
        })
    }

    /// What the MTA says when it has taken the message.
    #[must_use]
    pub fn queued(mta: Mta, queue_id: &str) -> SmtpReply {
        SmtpReply::line(&if mta.is_sendmail() {
            format!("250 2.0.0 {queue_id} Message accepted for delivery")
        } else {
            format!("250 2.0.0 Ok: queued as {queue_id}")
        })
    }

    /// Reads the text of a milter's `y` as the MTA does; `Err` says why it refuses it.
    ///
    /// Postfix wants every line to be code, hyphen or space, text, with an enhanced code of the
    /// same class if there is one. sendmail looks at the first three digits only, but prints the
    /// text through a format, so that a single `%` makes it unusable.
    pub fn from_milter(mta: Mta, stage: Stage, text: &[u8]) -> Result<SmtpReply, &'static str> {
        let code = leading_code(text).ok_or("it must begin with 4 or 5 and two more digits")?;
        let text = String::from_utf8_lossy(text);
        if !mta.is_sendmail() {
            let lines = postfix_lines(&text)?;
            return Ok(SmtpReply { code, lines });
        }
        if code != 421 && stage == Stage::Connect {
            return Ok(if code < 500 {
                SmtpReply::tempfailed(mta)
            } else {
                SmtpReply::rejected(mta, stage)
            });
        }
        let Some(text) = sendmail_format(&text) else {
            return Ok(if code < 500 {
                SmtpReply::tempfailed(mta)
            } else {
                SmtpReply::rejected(mta, stage)
            });
        };
        let lines = text.lines().map(str::to_owned).collect();
        Ok(SmtpReply { code, lines })
    }

    /// Puts the address into the first line, as sendmail does at MAIL and RCPT.
    #[must_use]
    pub fn with_address(mut self, address: &str) -> SmtpReply {
        if let Some(first) = self.lines.first_mut() {
            let code_end = first.len().min(4);
            let mut at = code_end;
            let after = &first[code_end..];
            if let Some((word, _)) = after.split_once(' ')
                && is_enhanced(word)
            {
                at += word.len() + 1;
            }
            first.insert_str(at, &format!("{address}... "));
        }
        self
    }
}

impl fmt::Display for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

/// The code a reply text begins with.
fn leading_code(text: &[u8]) -> Option<u16> {
    let digits = text.first_chunk::<3>()?;
    if !matches!(digits[0], b'4' | b'5') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether a word is an enhanced status code such as `5.7.1`.
fn is_enhanced(word: &str) -> bool {
    let mut parts = word.split('.');
    let class = parts.next().is_some_and(|class| matches!(class, "2" | "4" | "5"));
    let number = |part: Option<&str>| {
        part.is_some_and(|part| {
            (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    class && number(parts.next()) && number(parts.next()) && parts.next().is_none()
}

/// Checks every line and takes out the percent signs.
fn postfix_lines(text: &str) -> Result<Vec<String>, &'static str> {
    let mut lines = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (line, after) = match text.split_once("\r\n") {
            Some((line, after)) => (line, Some(after)),
            None => (text, None),
        };
        if line.contains(['\r', '\n']) {
            return Err("a line break that is not CRLF");
        }
        let bytes = line.as_bytes();
        leading_code(bytes).ok_or("a line that does not begin with a code")?;
        match (bytes.get(3), after.is_some()) {
            (Some(b'-'), true) | (Some(b' '), false) => {}
            (_, true) => return Err("a line before the last without a hyphen after the code"),
            (_, false) => return Err("a last line without a space after the code"),
        }
        if bytes.get(4).is_some_and(|byte| byte.is_ascii_digit() && *byte != bytes[0]) {
            return Err("an enhanced status code of another class than the code");
        }
        lines.push(line.replace("%%", "\0").replace('%', "").replace('\0', "%"));
        rest = after;
    }
    Ok(lines)
}

/// What sendmail's formatting makes of the text; `None` if a single `%` spoils it.
fn sendmail_format(text: &str) -> Option<String> {
    let plain = text.replace("%%", "\0");
    if plain.contains('%') {
        return None;
    }
    Some(plain.replace('\0', "%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mta: Mta, text: &str) -> Result<String, &'static str> {
        let reply = SmtpReply::from_milter(mta, Stage::Mail, text.as_bytes())?;
        Ok(reply.to_string())
    }

    #[test]
    fn well_formed_texts_pass_unchanged() {
        for text in ["550 ", "550 5.7.1 no", "451 4.0.0 later", "550-5.7.1 a\r\n550 5.7.1 b"] {
            for mta in [Mta::Postfix, Mta::Sendmail] {
                assert_eq!(read(mta, text), Ok(text.replace('\r', "")));
            }
        }
    }

    #[test]
    fn postfix_is_strict_where_sendmail_is_not() {
        for (text, problem) in [
            ("550 4.1.1 x", "another class"),
            ("550-5.7.1", "last line without a space"),
            ("550", "last line without a space"),
            ("550 a\r\n550 b", "without a hyphen"),
            ("550-a\n550 b", "not CRLF"),
            ("550-a\r\nb", "does not begin with a code"),
        ] {
            let error = read(Mta::Postfix, text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
            assert_eq!(read(Mta::Sendmail, text), Ok(text.replace('\r', "")));
        }
        for text in ["250 ok", "5x0 a", "55", ""] {
            assert!(read(Mta::Postfix, text).is_err(), "{text}");
            assert!(read(Mta::Sendmail, text).is_err(), "{text}");
        }
    }

    #[test]
    fn percent_signs_must_be_doubled() {
        assert_eq!(read(Mta::Postfix, "550 a 9%% a%b"), Ok("550 a 9% ab".to_owned()));
        assert_eq!(read(Mta::Sendmail, "550 9%%"), Ok("550 9%".to_owned()));
        let spoiled = read(Mta::Sendmail, "451 9% a");
        assert_eq!(spoiled, Ok("451 4.3.2 Please try again later".to_owned()));
    }

    #[test]
    fn sendmail_names_the_address_and_drops_texts_at_connect() {
        let reply = |text: &[u8]| SmtpReply::from_milter(Mta::Sendmail, Stage::Rcpt, text).unwrap();
        let named = |text| reply(text).with_address("<a@b>").to_string();
        assert_eq!(named(b"550 5.7.1 no"), "550 5.7.1 <a@b>... no");
        assert_eq!(named(b"550 no way"), "550 <a@b>... no way");
        assert_eq!(named(b"550-5.7.1 a\r\n550 5.7.1 b"), "550-5.7.1 <a@b>... a\n550 5.7.1 b");
        let at_connect = |text: &[u8]| {
            SmtpReply::from_milter(Mta::Sendmail, Stage::Connect, text).unwrap().to_string()
        };
        assert_eq!(at_connect(b"554 5.7.1 go"), "550 5.0.0 Command rejected");
        assert_eq!(at_connect(b"421 4.7.0 go"), "421 4.7.0 go");
    }
}
