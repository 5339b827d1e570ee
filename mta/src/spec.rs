//! Connection specifications: how a milter's socket is written down.
//!
//! ```text
//! unix:/path  local:/path  /path
//! inet:port   inet:port@host   inet:port@[192.0.2.1]
//! inet6:port  inet6:port@host  inet6:port@[::1]
//! abstract:name
//! ```

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The forms a specification can have, for error messages and help texts.
pub const GRAMMAR: &str = concat!(
    "    unix:/path            a unix socket (also local:/path, or the path alone)\n",
    "    inet:port@host        IPv4, host name or [address]; inet:port means this machine\n",
    "    inet6:port@host       IPv6, host name or [address]; inet6:port means this machine\n",
    "    abstract:name         a unix socket without a file (Linux)"
);

/// Where a milter listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConnSpec {
    /// A unix socket.
    Unix(PathBuf),
    /// A unix socket by a name that is not a file's.
    Abstract(String),
    /// IPv4, with the host if one was given.
    Inet {
        /// TCP port.
        port: u16,
        /// Host name or address.
        host: Option<String>,
    },
    /// IPv6, with the host if one was given.
    Inet6 {
        /// TCP port.
        port: u16,
        /// Host name or address.
        host: Option<String>,
    },
}

/// A specification that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// The text as given.
    pub spec: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection specification \"{}\" not understood: {}", self.spec, self.problem)
    }
}

impl std::error::Error for SpecError {}

impl ConnSpec {
    /// Whether a text begins like a specification: with one of the protocol names and a colon.
    #[must_use]
    pub fn looks_like(text: &str) -> bool {
        text.split_once(':').is_some_and(|(name, address)| {
            name.eq_ignore_ascii_case("systemd")
                || !address.is_empty() && Proto::from_name(name).is_some()
        })
    }

    /// Host to connect to: a milter that listens on every address is reached on the loopback one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            ConnSpec::Unix(_) | ConnSpec::Abstract(_) => None,
            ConnSpec::Inet { host, .. } => Some(host.as_deref().unwrap_or("127.0.0.1")),
            ConnSpec::Inet6 { host, .. } => Some(host.as_deref().unwrap_or("::1")),
        }
    }
}

impl FromStr for ConnSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<ConnSpec, SpecError> {
        let fail = |problem: String| SpecError { spec: text.to_owned(), problem };
        if is_list(text) {
            return Err(fail("these are several; name one of them".to_owned()));
        }
        let (name, address) = text.split_once(':').unwrap_or(("unix", text));
        let Some(proto) = Proto::from_name(name) else {
            return Err(fail(unknown(name, text)));
        };
        if proto == Proto::Unix {
            if address.is_empty() {
                return Err(fail("the path is missing".to_owned()));
            }
            return Ok(ConnSpec::Unix(PathBuf::from(address)));
        }
        if proto == Proto::Abstract {
            if address.is_empty() {
                return Err(fail("the name is missing".to_owned()));
            }
            return Ok(ConnSpec::Abstract(address.to_owned()));
        }
        let (port, host) = parse_address(address).map_err(fail)?;
        Ok(match proto {
            Proto::Inet6 => ConnSpec::Inet6 { port, host },
            _ => ConnSpec::Inet { port, host },
        })
    }
}

impl fmt::Display for ConnSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, port, host) = match self {
            ConnSpec::Unix(path) => return write!(f, "unix:{}", path.display()),
            ConnSpec::Abstract(name) => return write!(f, "abstract:{name}"),
            ConnSpec::Inet { port, host } => ("inet", port, host),
            ConnSpec::Inet6 { port, host } => ("inet6", port, host),
        };
        match host {
            None => write!(f, "{name}:{port}"),
            Some(host) if host.contains(':') => write!(f, "{name}:{port}@[{host}]"),
            Some(host) => write!(f, "{name}:{port}@{host}"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Proto {
    Unix,
    Inet,
    Inet6,
    Abstract,
}

impl Proto {
    fn from_name(name: &str) -> Option<Proto> {
        match name.to_ascii_lowercase().as_str() {
            "unix" | "local" | "" => Some(Proto::Unix),
            "inet" => Some(Proto::Inet),
            "inet6" => Some(Proto::Inet6),
            "abstract" => Some(Proto::Abstract),
            _ => None,
        }
    }
}

/// Whether a milter takes it for several specifications: a type and ':' follow a comma.
fn is_list(text: &str) -> bool {
    let types = ["unix", "local", "inet", "inet6", "fd", "systemd", "abstract"];
    text.split(',').skip(1).any(|part| {
        part.split_once(':')
            .is_some_and(|(name, _)| types.iter().any(|t| name.eq_ignore_ascii_case(t)))
    })
}

/// What to say of what is no protocol here.
fn unknown(name: &str, text: &str) -> String {
    let own = |what| format!("{what}: say where it listens, as in unix:/path or inet:port@host");
    match name.to_ascii_lowercase().as_str() {
        "systemd" => own(
            "which socket that is only systemd and the milter know (ListenStream= of the socket unit, \
             systemctl list-sockets)",
        ),
        "fd" => own("that is a descriptor of the milter's"),
        _ if name.starts_with('/') => {
            format!("a path that contains ':' must be written unix:{text}")
        }
        _ => format!("no protocol \"{name}\" (unix, local, inet, inet6, abstract)"),
    }
}

/// Reads `port[@host]`.
fn parse_address(address: &str) -> Result<(u16, Option<String>), String> {
    let (port, host) = match address.split_once('@') {
        Some((port, host)) => (port, Some(host)),
        None => (address, None),
    };
    let number = match port.parse::<u16>() {
        Ok(0) => return Err("port 0 lets the system choose, so it cannot be found".to_owned()),
        Ok(number) => number,
        Err(_) => return Err(port_problem(address, port)),
    };
    let host = match host {
        None => None,
        Some("") => return Err("the host after '@' is missing".to_owned()),
        Some(host) => Some(unbracket(host)?),
    };
    Ok((number, host))
}

/// Says what is wrong with a port, and what was probably meant.
fn port_problem(address: &str, port: &str) -> String {
    if let Some((host, after)) = address.rsplit_once(':')
        && after.parse::<u16>().is_ok()
    {
        return format!("host and port the other way round: write {after}@{host}");
    }
    if port.is_empty() {
        return "the port is missing".to_owned();
    }
    format!("\"{port}\" is not a port number (1 to 65535)")
}

/// Takes the brackets off `[address]`, with an `IPv6:` prefix if there is one.
fn unbracket(host: &str) -> Result<String, String> {
    let Some(inner) = host.strip_prefix('[') else {
        return Ok(host.to_owned());
    };
    let Some(inner) = inner.strip_suffix(']') else {
        return Err(format!("\"{host}\" does not end in ']'"));
    };
    let plain = match inner.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("ipv6:") => &inner[5..],
        _ => inner,
    };
    if plain.parse::<std::net::IpAddr>().is_err() {
        return Err(format!("\"{plain}\" in brackets is not an IP address"));
    }
    Ok(plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ConnSpec {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_is_understood() {
        let unix = |path: &str| ConnSpec::Unix(PathBuf::from(path));
        assert_eq!(parse("unix:/run/x"), unix("/run/x"));
        assert_eq!(parse("LOCAL:/run/x:y"), unix("/run/x:y"));
        assert_eq!(parse("/run/x"), unix("/run/x"));
        assert_eq!(parse(":/run/x"), unix("/run/x"));
        let inet =
            |port, host: Option<&str>| ConnSpec::Inet { port, host: host.map(str::to_owned) };
        assert_eq!(parse("abstract:a b"), ConnSpec::Abstract("a b".to_owned()));
        assert_eq!(parse("inet:8891"), inet(8891, None));
        assert_eq!(parse("inet:8891@localhost"), inet(8891, Some("localhost")));
        assert_eq!(parse("inet:1@[192.0.2.1]"), inet(1, Some("192.0.2.1")));
        assert_eq!(
            parse("inet6:25@[IPv6:::1]"),
            ConnSpec::Inet6 { port: 25, host: Some("::1".to_owned()) }
        );
    }

    #[test]
    fn a_specification_is_shown_as_it_can_be_read_again() {
        for text in ["unix:/run/x", "inet:8891", "inet:1@h", "inet6:25@[::1]"] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn errors_say_what_is_wrong_and_what_was_meant() {
        for (text, problem) in [
            ("unix:", "path is missing"),
            ("abstract:", "name is missing"),
            ("tcp:25@localhost", "no protocol \"tcp\""),
            ("/run/a:b", "must be written unix:/run/a:b"),
            ("systemd:dkim", "say where it listens"),
            ("fd:3", "say where it listens"),
            ("inet:25@localhost,Unix:/run/x", "name one of them"),
            ("/a,fd:3", "name one of them"),
            ("inet:localhost:8891", "write 8891@localhost"),
            ("inet:", "port is missing"),
            ("inet:smtp", "not a port number"),
            ("inet:70000", "not a port number"),
            ("inet:0@localhost", "cannot be found"),
            ("inet:25@", "host after '@' is missing"),
            ("inet6:25@[::1", "does not end in ']'"),
            ("inet6:25@[here]", "not an IP address"),
        ] {
            let message = text.parse::<ConnSpec>().unwrap_err().to_string();
            assert!(message.contains(text), "{message}");
            assert!(message.contains(problem), "{message}");
        }
    }

    #[test]
    fn specifications_are_recognised_among_other_words() {
        for text in ["unix:/x", "inet:25", "Local:/x", "systemd:", "inet6:25@[::1]", "abstract:x"] {
            assert!(ConnSpec::looks_like(text), "{text}");
        }
        for text in ["/x", "-p", "unix:", "http://x", "a:b"] {
            assert!(!ConnSpec::looks_like(text), "{text}");
        }
    }

    #[test]
    fn a_milter_on_every_address_is_reached_on_loopback() {
        assert_eq!(parse("inet:25").host(), Some("127.0.0.1"));
        assert_eq!(parse("inet6:25").host(), Some("::1"));
        assert_eq!(parse("inet:25@h").host(), Some("h"));
        assert_eq!(parse("/x").host(), None);
    }
}
