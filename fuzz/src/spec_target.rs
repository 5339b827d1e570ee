//! Connection specifications beside a grammar of their own.

use crate::conn_spec::{ConnSpec, Host, Port, SpecError, parse, split};
use crate::input::Input;
use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What specifications are made of.
const PIECES: [&[u8]; 28] = [
    b"unix",
    b"local",
    b"INET",
    b"inet6",
    b"fd",
    b"Systemd",
    b"abstract",
    b":",
    b"@",
    b"[",
    b"]",
    b"0",
    b"65535",
    b"65536",
    b"-1",
    b"+3",
    b"127.0.0.1",
    b"::1",
    b"IPv6:",
    b"localhost",
    b"smtp",
    b"/run/x",
    b" ",
    b".",
    b"0x7f.1",
    b"255.255.255.255",
    b",",
    b",Unix:",
];

/// # Panics
/// If the library reads a specification otherwise than the grammar.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data, 200);
    let mut spec = Vec::new();
    if input.byte() & 1 == 0 {
        while !input.is_empty() && spec.len() < 4096 {
            match input.byte() {
                n @ 0..200 => spec.extend_from_slice(PIECES[usize::from(n) % PIECES.len()]),
                _ => spec.extend(input.bytes()),
            }
        }
    } else {
        spec.extend_from_slice(input.take(usize::MAX));
    }
    // It comes from C.
    spec.retain(|byte| *byte != 0);
    let read: Vec<_> = split(&spec).map(parse).collect();
    for error in read.iter().filter_map(|read| read.as_ref().err()) {
        // The text of an error is what an operator sees: one line of it.
        let text = error.to_string();
        assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
    }
    let read: Vec<_> = read.into_iter().map(|read| read.map_err(|error| kind(&error))).collect();
    let expected: Vec<_> = list(&spec).iter().map(|spec| grammar(spec)).collect();
    assert_eq!(read, expected, "{}", spec.escape_ascii());
}

/// Cut at each comma that begins one of these.
fn list(specs: &[u8]) -> Vec<Vec<u8>> {
    let small = specs.to_ascii_lowercase();
    let starts = [",unix:", ",local:", ",inet:", ",inet6:", ",fd:", ",systemd:", ",abstract:"];
    let mut list = vec![Vec::new()];
    for (n, byte) in specs.iter().enumerate() {
        if starts.iter().any(|start| small[n..].starts_with(start.as_bytes())) {
            list.push(Vec::new());
        } else {
            list.last_mut().expect("one at least").push(*byte);
        }
    }
    list
}

fn kind(error: &SpecError) -> &'static str {
    match error {
        SpecError::Type(_) => "type",
        SpecError::NoPath => "no path",
        SpecError::PathTooLong(_) => "long path",
        SpecError::Port(_) => "port",
        SpecError::Numeric(_) => "numeric",
        SpecError::Host(_) => "host",
        SpecError::Fd(_) => "fd",
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `type:rest`, or a path without any colon.
fn grammar(spec: &[u8]) -> Result<ConnSpec, &'static str> {
    let mut halves = spec.splitn(2, |byte| *byte == b':');
    let first = halves.next().unwrap_or_default();
    let (name, rest) = match halves.next() {
        Some(rest) => (text(first).to_lowercase(), rest),
        None => (String::new(), first),
    };
    // Letters that only become ASCII in lower case are none.
    let name = if first.is_ascii() || name.is_empty() { name } else { "none".to_owned() };
    match name.as_str() {
        "" | "unix" | "local" => match rest.len() {
            0 => Err("no path"),
            1..=106 => Ok(ConnSpec::Unix(rest.to_vec())),
            _ => Err("long path"),
        },
        "inet" | "inet6" => inet(rest, name == "inet6"),
        "fd" => whole(rest, i32::MAX as u64).map(|fd| ConnSpec::Fd(fd as i32)).ok_or("fd"),
        "systemd" => Ok(ConnSpec::Systemd((!rest.is_empty()).then(|| text(rest)))),
        "abstract" => match rest.len() {
            0 => Err("no path"),
            1..=106 => Ok(ConnSpec::Abstract(rest.to_vec())),
            _ => Err("long path"),
        },
        _ => Err("type"),
    }
}

/// Digits and nothing else, up to a number.
fn whole(digits: &[u8], most: u64) -> Option<u64> {
    let mut number = 0u64;
    for digit in digits {
        number = number.saturating_mul(10).saturating_add(u64::from(digit.checked_sub(b'0')?));
        digit.is_ascii_digit().then_some(())?;
    }
    (!digits.is_empty() && number <= most).then_some(number)
}

fn inet(rest: &[u8], ipv6: bool) -> Result<ConnSpec, &'static str> {
    let at = rest.iter().position(|byte| *byte == b'@');
    let port = &rest[..at.unwrap_or(rest.len())];
    let port = match port.first() {
        None => return Err("port"),
        Some(b'0'..=b'9') => Port::Number(whole(port, 65_535).ok_or("port")? as u16),
        Some(_) => Port::Service(text(port)),
    };
    let host = match at.map(|at| &rest[at + 1..]) {
        None => None,
        Some([]) => return Err("host"),
        Some([b'[', inner @ .., b']']) => {
            let address = if ipv6 { v6(inner) } else { v4(inner) };
            Some(Host::Address(address.ok_or("numeric")?))
        }
        Some([b'[', ..]) => return Err("numeric"),
        Some(name) => Some(Host::Name(text(name))),
    };
    Ok(ConnSpec::Inet { ipv6, port, host })
}

/// As C programs parse it, but for the address that `inet_addr` can't tell from an error.
fn v4(inner: &[u8]) -> Option<IpAddr> {
    let inner = CString::new(inner).ok()?;
    let mut address = libc::in_addr { s_addr: 0 };
    // SAFETY: a terminated string, and room for an address.
    let read = unsafe { inet_aton(inner.as_ptr(), &raw mut address) };
    let address = Ipv4Addr::from(address.s_addr.to_ne_bytes());
    (read == 1 && !address.is_broadcast()).then_some(IpAddr::V4(address))
}

fn v6(inner: &[u8]) -> Option<IpAddr> {
    let bare = match inner.get(..5) {
        Some(prefix) if prefix.to_ascii_lowercase() == b"ipv6:" => &inner[5..],
        _ => inner,
    };
    let bare = CString::new(bare).ok()?;
    let mut address = [0u8; 16];
    // SAFETY: a terminated string, and room for an address of the family.
    let read = unsafe { inet_pton(libc::AF_INET6, bare.as_ptr(), address.as_mut_ptr().cast()) };
    (read == 1).then(|| IpAddr::V6(Ipv6Addr::from(address)))
}

unsafe extern "C" {
    fn inet_aton(text: *const libc::c_char, address: *mut libc::in_addr) -> libc::c_int;
    fn inet_pton(
        family: libc::c_int,
        text: *const libc::c_char,
        address: *mut libc::c_void,
    ) -> libc::c_int;
}
