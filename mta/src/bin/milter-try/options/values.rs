//! The values of options.

use std::net::IpAddr;
use std::time::Duration;

use milter_mta::session::{ClientInfo, Stage};
use milter_mta::wire::Origin;

use crate::paint::When;
use crate::status::Failure;

/// A macro from the command line.
pub(crate) type AddedMacro = (Stage, String, String);

/// The SMTP client's port; any will do.
pub(super) const CLIENT_PORT: u16 = 40_000;

/// Longest bound that can be given: a day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads a number of seconds, with decimals.
pub(super) fn seconds(option: &str, text: &str) -> Result<Duration, Failure> {
    let parsed = text.parse::<f64>().ok().filter(|value| *value > 0.0);
    let parsed = parsed.and_then(|value| Duration::try_from_secs_f64(value).ok());
    parsed.filter(|bound| *bound <= LONGEST).ok_or_else(|| {
        Failure::usage(format!("{option}: \"{text}\" is not a number of seconds up to a day"))
    })
}

/// Reads when there is colour.
pub(super) fn when(text: &str) -> Result<When, Failure> {
    match text {
        "auto" => Ok(When::Auto),
        "always" => Ok(When::Always),
        "never" => Ok(When::Never),
        _ => Err(Failure::usage(format!("--color: \"{text}\" is none of auto, always and never"))),
    }
}

/// Reads a number from 1 to `most`.
pub(super) fn number(option: &str, text: &str, most: usize) -> Result<usize, Failure> {
    let parsed = text.parse().ok().filter(|value| (1..=most).contains(value));
    parsed.ok_or_else(|| {
        Failure::usage(format!("{option}: \"{text}\" is not a number from 1 to {most}"))
    })
}

/// Reads `NAME[ADDRESS]`, `[ADDRESS]`, `ADDRESS`, `local:/path` or `unknown`.
pub(super) fn client(text: &str) -> Result<ClientInfo, Failure> {
    let local = |origin| ClientInfo { name: "localhost".to_owned(), origin };
    if text == "unknown" {
        return Ok(local(Origin::Unknown));
    }
    if let Some(path) = text.strip_prefix("local:").or(text.strip_prefix("unix:")) {
        return Ok(local(Origin::Unix(path.as_bytes().to_vec())));
    }
    let (name, address) = match text.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
        Some(("", address)) => (None, address),
        Some((name, address)) => (Some(name), address),
        None => (None, text),
    };
    let address = address.parse::<IpAddr>().map_err(|_| {
        Failure::usage(format!(
            "--client: \"{address}\" is no IP address; write NAME[ADDRESS], such as \
             client.example.org[192.0.2.25]"
        ))
    })?;
    Ok(ClientInfo::new(name, address, CLIENT_PORT))
}

/// Reads `STAGE:NAME=VALUE`.
pub(super) fn added_macro(text: &str) -> Result<AddedMacro, Failure> {
    let parts = text.split_once(':').and_then(|(stage, rest)| {
        let (name, value) = rest.split_once('=')?;
        (!name.is_empty()).then_some((stage, name, value))
    });
    let Some((stage, name, value)) = parts else {
        return Err(Failure::usage(format!(
            "--macro: \"{text}\" is not STAGE:NAME=VALUE, such as mail:auth_authen=ada"
        )));
    };
    let stage = stage.parse::<Stage>();
    let stage = stage.map_err(|error| Failure::usage(format!("--macro: {error}")))?;
    Ok((stage, name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_read_in_every_form() {
        let client = |text: &str| client(text).map(|info| (info.name, info.origin));
        let v4 = || Origin::Inet([192, 0, 2, 9].into(), CLIENT_PORT);
        assert_eq!(client("h[192.0.2.9]").unwrap(), ("h".to_owned(), v4()));
        let nameless = ("[192.0.2.9]".to_owned(), v4());
        assert_eq!(client("192.0.2.9").unwrap(), nameless);
        assert_eq!(client("[192.0.2.9]").unwrap(), nameless);
        let v6 = Origin::Inet6("2001:db8::1".parse().unwrap(), CLIENT_PORT, false);
        assert_eq!(client("h[2001:db8::1]").unwrap().1, v6);
        assert_eq!(client("local:/x").unwrap().1, Origin::Unix(b"/x".to_vec()));
        assert_eq!(client("unknown").unwrap().1, Origin::Unknown);
        let error = client("h").unwrap_err().message;
        assert!(error.contains("write NAME[ADDRESS]"), "{error}");
    }
}
