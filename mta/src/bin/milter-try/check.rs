//! Whether a milter answers: it is connected to, negotiated with and left. For programs that ask again and
//! again: the line and the statuses are those of monitoring plugins.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use milter_mta::session::{Event, Profile, Session, Timeouts};
use milter_mta::wire::flags::{action, describe, protocol};
use milter_mta::{Client, ConnSpec};

use crate::status::{Failure, Status};

/// How long all of it may take, unless told otherwise.
const BOUND: Duration = Duration::from_secs(10);

/// For what has its own bound to say what it waited for, on a busy machine too; only a resolver needs all of it.
const GRACE: Duration = Duration::from_secs(1);

/// One line that tells it, and the exit status; within the bound, whatever the resolver or the milter do.
pub(crate) fn check(
    spec: &ConnSpec,
    profile: Profile,
    bound: Option<Duration>,
) -> (Status, String) {
    let bound = bound.unwrap_or(BOUND);
    let (tell, told) = mpsc::channel();
    let (start, place) = (Instant::now(), spec.clone());
    let asks = move || {
        // Nobody may be left to hear it.
        let _ = tell.send(ask(&place, profile, bound));
    };
    let outcome = match thread::Builder::new().spawn(asks) {
        Ok(_) => told
            .recv_timeout(bound.saturating_add(GRACE))
            .unwrap_or_else(|_| Err(format!("{spec} no answer within {} s", bound.as_secs_f32()))),
        Err(error) => {
            return (Status::Unknown, unknown(&format!("no thread to ask with: {error}")));
        }
    };
    let measured =
        format!("time={:.6}s;;;0;{}", start.elapsed().as_secs_f64(), bound.as_secs_f32());
    match outcome {
        Ok(text) => (Status::Same, line("OK", &text, Some(&measured))),
        Err(text) => (Status::Critical, line("CRITICAL", &text, Some(&measured))),
    }
}

/// The line about a command line that says nothing to ask.
pub(crate) fn misunderstood(failure: &Failure) -> (Status, String) {
    (Status::Unknown, unknown(failure.message.lines().next().unwrap_or_default()))
}

fn unknown(text: &str) -> String {
    line("UNKNOWN", text, None)
}

/// What there is to say of a milter that answers, or of one that does not.
fn ask(spec: &ConnSpec, mut profile: Profile, bound: Duration) -> Result<String, String> {
    let start = Instant::now();
    let client = Client::connect(spec, bound);
    // The error names the place.
    let client = client.map_err(|error| error.to_string())?;
    let left = bound.saturating_sub(start.elapsed());
    // Which can be said in words.
    let left = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX) + 1);
    profile.timeouts = Timeouts::uniform(left.min(bound));
    let mut nobody = |_: Event<'_>| {};
    let session = Session::open(client, profile, &mut nobody);
    let session = session.map_err(|error| format!("{spec} {error}"))?;
    let agreement = session.agreement().clone();
    // MTAs do not wait for the milter to close either.
    session.quit(Duration::ZERO).map_err(|error| format!("{spec} {error}"))?;
    Ok(format!(
        "{spec}: version {}, actions {}, protocol {}",
        agreement.version,
        describe(agreement.actions, action::NAMES),
        describe(agreement.protocol, protocol::NAMES)
    ))
}

/// One line, in which `|` stands before what is measured and nowhere else.
fn line(word: &str, text: &str, measured: Option<&str>) -> String {
    let text: String =
        text.chars().map(|c| if c == '|' || c.is_control() { ' ' } else { c }).collect();
    match measured {
        Some(measured) => format!("{word} {text} | {measured}\n"),
        None => format!("{word} {text}\n"),
    }
}
