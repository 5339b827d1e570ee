//! Whether a milter answers: it is connected to, negotiated with and left.

use std::time::{Duration, Instant};

use milter_mta::session::{Event, Profile, Session};
use milter_mta::wire::flags::{action, describe, protocol};
use milter_mta::{Client, ConnSpec};

use crate::status::Status;
use crate::text::duration;

/// How long the connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// One line that tells it, and the exit status.
pub(crate) fn check(spec: &ConnSpec, profile: Profile, wait: Option<Duration>) -> (Status, String) {
    let start = Instant::now();
    let bound = wait.unwrap_or(CONNECT.min(profile.timeouts.command));
    let client = match Client::connect(spec, bound) {
        Ok(client) => client,
        // The error names the place.
        Err(error) => return (Status::Unavailable, format!("FAILED {error}\n")),
    };
    let mut nobody = |_: Event<'_>| {};
    let opened = Session::open(client, profile, &mut nobody).and_then(|session| {
        let agreement = session.agreement().clone();
        let took = start.elapsed();
        // MTAs do not wait for the milter to close either.
        session.quit(Duration::ZERO)?;
        Ok((agreement, took))
    });
    match opened {
        Err(error) => (Status::Protocol, format!("FAILED {spec} {error}\n")),
        Ok((agreement, took)) => (
            Status::Same,
            format!(
                "OK {spec} {}: version {}, actions {}, protocol {}\n",
                duration(took),
                agreement.version,
                describe(agreement.actions, action::NAMES),
                describe(agreement.protocol, protocol::NAMES)
            ),
        ),
    }
}
