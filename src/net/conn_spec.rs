//! The grammar of connection specifications (`smfi_setconn`).
//!
//! ```text
//! list    = spec *( "," spec )           where a proto and ":" follow the comma
//! spec    = [ proto ":" ] address        without proto: the path of a unix socket
//! proto   = "unix" | "local" | "inet" | "inet6" | "fd" | "systemd" | "abstract"
//!                                        in any case; empty means unix
//! address = path                         unix, local
//!         | port [ "@" host ]            inet, inet6; host may be "[" numeric "]"
//!         | number                       fd: an open descriptor
//!         | [ name ]                     systemd: sockets passed by the service manager
//!         | name                         abstract: a unix socket without a file (Linux)
//! ```

use std::net::IpAddr;

use crate::proto::address;
use crate::proto::planted::{Bug, planted};
use crate::proto::printable::quote;

/// Bytes. Longest path of a unix socket: one less than fits `sun_path` on Linux, as in the
/// reference.
pub const PATH_MAX: usize = 106;

/// A parsed specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnSpec {
    /// A unix socket at a path.
    Unix(Vec<u8>),
    /// A TCP port.
    Inet {
        /// IPv6 rather than IPv4.
        ipv6: bool,
        /// The port.
        port: Port,
        /// The address to bind to; any if there is none.
        host: Option<Host>,
    },
    /// A descriptor that is open already.
    Fd(i32),
    /// What the service manager has passed: the only socket, or those of that name.
    Systemd(Option<String>),
    /// A unix socket by a name that is not a file's.
    Abstract(Vec<u8>),
}

/// A port as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// By number; 0 lets the system choose.
    Number(u16),
    /// By the name of a TCP service.
    Service(String),
}

/// A host as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A numeric address in brackets.
    Address(IpAddr),
    /// A name, or a numeric address without brackets, for the resolver.
    Name(String),
}

/// Why a specification can't be used; the texts are those of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecError {
    /// The part before the first ':' is no known kind of socket.
    Type(String),
    /// The path is empty.
    NoPath,
    /// The path is longer than [`PATH_MAX`].
    PathTooLong(String),
    /// Neither a port number up to 65535 nor a service name.
    Port(String),
    /// A bad address in brackets.
    Numeric(String),
    /// An empty host name, or one the resolver does not know in this family.
    Host(String),
    /// Not the number of a descriptor.
    Fd(String),
}

impl std::fmt::Display for SpecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quote = |text: &String| quote(text.as_bytes());
        match self {
            SpecError::Type(text) => write!(
                f,
                "unknown socket type {} (expected unix, local, inet, inet6, fd, systemd or abstract before \
                 the first ':')",
                quote(text)
            ),
            SpecError::NoPath => write!(f, "empty UNIX socket name (expected unix:/path)"),
            SpecError::PathTooLong(path) => {
                write!(f, "UNIX socket name {} too long (longest: {PATH_MAX} bytes)", quote(path))
            }
            SpecError::Port(text) => write!(
                f,
                "unknown port name {} (expected 0 to 65535 or the name of a TCP service)",
                quote(text)
            ),
            SpecError::Numeric(text) => {
                write!(f, "Invalid numeric domain spec \"{}\"", quote(text))
            }
            SpecError::Host(text) => write!(f, "Unknown host name {}", quote(text)),
            SpecError::Fd(text) => {
                write!(f, "expected positive integer as fd, got {}", quote(text))
            }
        }
    }
}

/// The types of sockets that a specification may name.
const TYPES: [&[u8]; 7] = [b"unix", b"local", b"inet", b"inet6", b"fd", b"systemd", b"abstract"];

/// The specifications of a list, one at least.
///
/// A comma separates them where a type and ':' follow. Others are part of an address, as in a path.
pub fn split(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let separates = |text: &[u8]| {
        let colon = text.iter().take(10).position(|&b| b == b':');
        colon.and_then(|colon| text.get(..colon)).is_some_and(|name| {
            TYPES.iter().any(|known| known.eq_ignore_ascii_case(name))
                || name.is_empty() && planted(Bug::EmptyTypeSeparates)
        })
    };
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let all = rest.take()?;
        let mut commas = all.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(n, _)| n);
        let Some(comma) = commas.find(|&comma| separates(&all[comma + 1..])) else {
            return Some(all);
        };
        rest = Some(&all[comma + 1..]);
        Some(&all[..comma])
    })
}

/// Parses one specification, without looking anything up.
///
/// # Errors
/// It does not follow the grammar.
pub fn parse(spec: &[u8]) -> Result<ConnSpec, SpecError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (proto, address) = match spec.iter().position(|&b| b == b':') {
        Some(colon) => (&spec[..colon], &spec[colon + 1..]),
        None => (&b"unix"[..], spec),
    };
    match proto.to_ascii_lowercase().as_slice() {
        b"" | b"unix" | b"local" if address.is_empty() => Err(SpecError::NoPath),
        b"" | b"unix" | b"local"
            if address.len() > PATH_MAX + usize::from(planted(Bug::PathTooLong)) =>
        {
            Err(SpecError::PathTooLong(text(address)))
        }
        b"" | b"unix" | b"local" => Ok(ConnSpec::Unix(address.to_vec())),
        b"inet" => inet(&text(address), false),
        b"inet6" => inet(&text(address), true),
        b"fd" => {
            let number = text(address);
            match number.parse() {
                Ok(fd)
                    if planted(Bug::NegativeDescriptor)
                        || fd >= 0 && number.starts_with(|c: char| c.is_ascii_digit()) =>
                {
                    Ok(ConnSpec::Fd(fd))
                }
                _ => Err(SpecError::Fd(number)),
            }
        }
        b"systemd" => {
            Ok(ConnSpec::Systemd(Some(address).filter(|name| !name.is_empty()).map(text)))
        }
        b"abstract" if address.is_empty() => Err(SpecError::NoPath),
        b"abstract" if address.len() > PATH_MAX => Err(SpecError::PathTooLong(text(address))),
        b"abstract" => Ok(ConnSpec::Abstract(address.to_vec())),
        _ => Err(SpecError::Type(text(proto))),
    }
}

fn inet(address: &str, ipv6: bool) -> Result<ConnSpec, SpecError> {
    let (port, host) = match address.split_once('@') {
        Some((port, host)) => (port, Some(host)),
        None => (address, None),
    };
    let bad_port = || SpecError::Port(port.to_owned());
    let port = match port.as_bytes().first() {
        Some(b'0'..=b'9') => Port::Number(port.parse().map_err(|_| bad_port())?),
        Some(_) => Port::Service(port.to_owned()),
        None => return Err(bad_port()),
    };
    let host = match host {
        Some("") => return Err(SpecError::Host(String::new())),
        Some(host) if host.starts_with('[') => Some(Host::Address(numeric(host, ipv6)?)),
        Some(host) => Some(Host::Name(host.to_owned())),
        None => None,
    };
    Ok(ConnSpec::Inet { ipv6, port, host })
}

/// "[" address "]", where the address must be of the family asked for.
fn numeric(text: &str, ipv6: bool) -> Result<IpAddr, SpecError> {
    let open = |rest| Some(rest).filter(|_| planted(Bug::BracketOpen));
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']').or(open(rest)));
    let parsed = inner.and_then(|inner| match ipv6 {
        true => address::inet6(inner.as_bytes()).map(IpAddr::from),
        false => {
            address::inet_aton(inner.as_bytes()).filter(|ip| !ip.is_broadcast()).map(IpAddr::from)
        }
    });
    parsed.ok_or_else(|| SpecError::Numeric(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet_spec(ipv6: bool, port: Port, host: Option<Host>) -> Result<ConnSpec, SpecError> {
        Ok(ConnSpec::Inet { ipv6, port, host })
    }

    #[test]
    fn unix_forms() {
        for spec in ["/run/x", "unix:/run/x", "LOCAL:/run/x", ":/run/x"] {
            assert_eq!(parse(spec.as_bytes()), Ok(ConnSpec::Unix(b"/run/x".to_vec())), "{spec}");
        }
        assert_eq!(parse(b"unix:a:b"), Ok(ConnSpec::Unix(b"a:b".to_vec())));
        assert_eq!(parse(b"/x:y"), Err(SpecError::Type("/x".to_owned())));
        assert_eq!(parse(b"unix:"), Err(SpecError::NoPath));
        assert!(parse(&[b'p'; PATH_MAX]).is_ok());
        assert!(matches!(parse(&[b'p'; PATH_MAX + 1]), Err(SpecError::PathTooLong(_))));
    }

    #[test]
    fn inet_forms() {
        let number = Port::Number;
        assert_eq!(parse(b"inet:8891"), inet_spec(false, number(8891), None));
        assert_eq!(parse(b"INET6:0"), inet_spec(true, number(0), None));
        assert_eq!(
            parse(b"inet:smtp@localhost"),
            inet_spec(
                false,
                Port::Service("smtp".to_owned()),
                Some(Host::Name("localhost".to_owned()))
            )
        );
        let at = |ip: &str| Some(Host::Address(ip.parse().unwrap()));
        assert_eq!(parse(b"inet:1@[127.0.0.1]"), inet_spec(false, number(1), at("127.0.0.1")));
        assert_eq!(parse(b"inet6:1@[ipv6:::1]"), inet_spec(true, number(1), at("::1")));
        for bad in ["inet:", "inet:65536", "inet:18908abc", "inet:@localhost"] {
            assert!(matches!(parse(bad.as_bytes()), Err(SpecError::Port(_))), "{bad}");
        }
        for bad in ["inet:1@[::1]", "inet6:1@[1.2.3.4]", "inet:1@[1.2.3.4", "inet:1@[1.2.3.4]x"] {
            assert!(matches!(parse(bad.as_bytes()), Err(SpecError::Numeric(_))), "{bad}");
        }
        assert_eq!(parse(b"inet:1@"), Err(SpecError::Host(String::new())));
    }

    #[test]
    fn passed_and_abstract_forms() {
        assert_eq!(parse(b"systemd:"), Ok(ConnSpec::Systemd(None)));
        assert_eq!(parse(b"Systemd:mail"), Ok(ConnSpec::Systemd(Some("mail".to_owned()))));
        assert_eq!(parse(b"abstract:mail"), Ok(ConnSpec::Abstract(b"mail".to_vec())));
        assert_eq!(parse(b"abstract:"), Err(SpecError::NoPath));
        let long = [&b"abstract:"[..], &[b'n'; PATH_MAX + 1]].concat();
        assert!(matches!(parse(&long), Err(SpecError::PathTooLong(_))));
    }

    #[test]
    fn lists() {
        for (list, specs) in [
            ("unix:/a", &["unix:/a"][..]),
            ("/a,b,/c", &["/a,b,/c"]),
            ("unix:/a,/b,:c,tcp:d", &["unix:/a,/b,:c,tcp:d"]),
            ("inet:1@[::1], unix:/a", &["inet:1@[::1], unix:/a"]),
            ("inet:1@h,Unix:/a,fd:3", &["inet:1@h", "Unix:/a", "fd:3"]),
            ("/a,inet6:1,systemd:,abstract:x,y", &["/a", "inet6:1", "systemd:", "abstract:x,y"]),
            (",local:", &["", "local:"]),
            ("", &[""]),
        ] {
            let split: Vec<_> = split(list.as_bytes()).collect();
            assert_eq!(
                split,
                specs.iter().map(|spec| spec.as_bytes()).collect::<Vec<_>>(),
                "{list}"
            );
        }
    }

    #[test]
    fn descriptor_forms() {
        assert_eq!(parse(b"fd:3"), Ok(ConnSpec::Fd(3)));
        for bad in ["fd:", "fd:-1", "fd:3x", "fd:+3", "fd:99999999999"] {
            assert!(matches!(parse(bad.as_bytes()), Err(SpecError::Fd(_))), "{bad}");
        }
    }
}
