//! The client's address in a connect packet.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes. Longest path, without its NUL, that fits `sun_path` on every supported system.
pub const UNIX_PATH_MAX: usize = 107;

/// The client's address as the MTA tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Family 'U': not known; the callback gets no address.
    Unknown,
    /// Family '4'. The port is in network order, as on the wire.
    V4([u8; 2], Ipv4Addr),
    /// Family '6'. The port is in network order, as on the wire.
    V6([u8; 2], Ipv6Addr),
    /// Family 'L': a path, without NUL, of at most [`UNIX_PATH_MAX`] bytes.
    Unix(Vec<u8>),
}

/// Why a connect packet can't be used. Each ends the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressError {
    /// No family byte after the host name, or no NUL at the end.
    Truncated,
    /// A family that needs an address has none: bytes up to the family, bytes of the payload.
    WrongLength(usize, usize),
    /// The text is no IPv4 address.
    Inet,
    /// The text is no IPv6 address.
    Inet6,
    /// The path does not fit `sun_path`.
    PathTooLong,
    /// No such family.
    Family(u8),
}

/// Parses what follows the host name's NUL: family, port, address.
///
/// `payload` is the whole payload, of which `host` bytes with their NUL come first.
///
/// # Errors
/// The packet is malformed; the session must end.
pub fn parse(payload: &[u8], host: usize) -> Result<Address, AddressError> {
    let rest = payload.get(host..).unwrap_or_default();
    let Some((&family, rest)) = rest.split_first() else {
        return Err(AddressError::Truncated);
    };
    if family == b'U' {
        return Ok(Address::Unknown);
    }
    let Some((&port, text)) = rest.split_first_chunk::<2>().filter(|(_, text)| !text.is_empty())
    else {
        return Err(AddressError::WrongLength(host + 1, payload.len()));
    };
    if text.last() != Some(&0) {
        return Err(AddressError::Truncated);
    }
    let text = text.split(|&b| b == 0).next().unwrap_or_default();
    match family {
        b'4' => inet_aton(text).map(|ip| Address::V4(port, ip)).ok_or(AddressError::Inet),
        b'6' => inet6(text).map(|ip| Address::V6(port, ip)).ok_or(AddressError::Inet6),
        b'L' if text.len() > UNIX_PATH_MAX => Err(AddressError::PathTooLong),
        b'L' => Ok(Address::Unix(text.to_vec())),
        other => Err(AddressError::Family(other)),
    }
}

/// IPv6 text with the optional prefix "IPv6:" that sendmail sends.
#[must_use]
pub fn inet6(text: &[u8]) -> Option<Ipv6Addr> {
    let bare = match text.split_at_checked(5) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(b"IPv6:") => rest,
        _ => text,
    };
    std::str::from_utf8(bare).ok()?.parse().ok()
}

/// IPv4 text as `inet_aton` takes it: 1 to 4 numbers, decimal, octal or hexadecimal, the last of
/// which fills the remaining bytes; anything after white space is ignored.
#[must_use]
pub fn inet_aton(text: &[u8]) -> Option<Ipv4Addr> {
    plain(text).or_else(|| any_form(text))
}

/// The form that MTAs write: four decimal numbers.
fn plain(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut high, mut numbers, mut last) = (0, 0, None);
    for byte in text {
        last = match (byte, last) {
            (b'0'..=b'9', None) => Some(u32::from(byte - b'0')),
            // Digits behind a zero are octal.
            (b'0'..=b'9', Some(n @ 1..26)) => Some(n * 10 + u32::from(byte - b'0')),
            (b'.', Some(n @ 0..256)) => {
                (high, numbers) = (high << 8 | n, numbers + 1);
                None
            }
            _ => return None,
        };
    }
    let last = last.filter(|n| numbers == 3 && *n < 256)?;
    Some(Ipv4Addr::from(high << 8 | last))
}

fn any_form(text: &[u8]) -> Option<Ipv4Addr> {
    // What C calls space, vertical tabs too.
    let text = text.split(|b| matches!(b, b'\t'..=b'\r' | b' ')).next()?;
    let mut parts = text.split(|&b| b == b'.');
    let mut last = number(parts.next()?)?;
    let (mut high, mut free) = (0, 32);
    for part in parts {
        if free == 8 {
            return None;
        }
        free -= 8;
        high |= u32::from(u8::try_from(last).ok()?) << free;
        last = number(part)?;
    }
    let fits = u64::from(last) < 1u64 << free;
    fits.then(|| Ipv4Addr::from(high | last))
}

/// A number in C notation: 0x for hexadecimal, 0 for octal, else decimal.
fn number(text: &[u8]) -> Option<u32> {
    let (digits, radix) = match text {
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
        _ => (text, 10),
    };
    let add = |value: u32, digit: &u8| {
        value.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?)
    };
    (!digits.is_empty()).then_some(digits)?.iter().try_fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inet_aton_takes_the_classic_forms() {
        for (text, want) in [
            ("192.0.2.1", Some([192, 0, 2, 1])),
            ("255.255.255.255", Some([255; 4])),
            ("255.256.255.255", None),
            ("0.0.0.0", Some([0; 4])),
            ("0.00.0.010", Some([0, 0, 0, 8])),
            ("1.2.3.4 ", Some([1, 2, 3, 4])),
            ("1.2.3.4.", None),
            ("1", Some([0, 0, 0, 1])),
            ("0x7f.1", Some([127, 0, 0, 1])),
            ("127.0.0.1 trailing", Some([127, 0, 0, 1])),
            ("127.0.0.1\x0b", Some([127, 0, 0, 1])),
            ("010.1.2.3", Some([8, 1, 2, 3])),
            ("4294967295", Some([255, 255, 255, 255])),
            ("4294967296", None),
            ("1.2.3.256", None),
            ("256.1", None),
            ("1.2.3.4.5", None),
            ("", None),
            ("+1", None),
            ("1..2", None),
            ("host", None),
            ("0x", None),
            ("0xG", None),
            ("08", None),
            ("1.", None),
            (".1", None),
            ("1.0x10000", Some([1, 1, 0, 0])),
            ("1.2.0xffff", Some([1, 2, 255, 255])),
            ("1.2.65536", None),
        ] {
            let want = want.map(Ipv4Addr::from);
            assert_eq!(inet_aton(text.as_bytes()), want, "{text:?}");
            assert_eq!(any_form(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn families_and_their_errors() {
        assert_eq!(parse(b"h\0U", 2), Ok(Address::Unknown));
        assert_eq!(parse(b"h\0Uanything", 2), Ok(Address::Unknown));
        assert_eq!(parse(b"h\0", 2), Err(AddressError::Truncated));
        assert_eq!(parse(b"h\x004\x04\xd2", 2), Err(AddressError::WrongLength(3, 5)));
        assert_eq!(parse(b"h\x004\x04\xd21.2.3.4", 2), Err(AddressError::Truncated));
        assert_eq!(
            parse(b"h\x004\x04\xd21.2.3.4\0more\0", 2),
            Ok(Address::V4([4, 210], Ipv4Addr::new(1, 2, 3, 4)))
        );
        assert_eq!(parse(b"h\x006\0\0ipv6:::1\0", 2), Ok(Address::V6([0, 0], Ipv6Addr::LOCALHOST)));
        assert_eq!(parse(b"h\x006\0\x001.2.3.4\0", 2), Err(AddressError::Inet6));
        assert_eq!(parse(b"h\0L\0\0\0", 2), Ok(Address::Unix(Vec::new())));
        assert_eq!(parse(b"h\0X\0\x001\0", 2), Err(AddressError::Family(b'X')));
        let mut long = b"h\0L\0\0".to_vec();
        long.extend([b'p'; UNIX_PATH_MAX + 1]);
        long.push(0);
        assert_eq!(parse(&long, 2), Err(AddressError::PathTooLong));
    }
}
