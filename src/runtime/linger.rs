//! How long a stop waits for MTAs that are in the middle of a conversation.

use std::time::{Duration, Instant};

/// How long it waits at most for the next command of an MTA that has just been answered. Those in
/// the middle of a conversation send it within that time, also on a busy machine; a message that finds
/// the connection closed is put off for minutes.
pub(super) const LINGER: Duration = Duration::from_secs(1);
/// If no MTA has said anything for so long, they are not in the middle of conversations.
const QUIET: Duration = Duration::from_millis(75);
/// The same where mail flows: then they probably are, and a busy machine or a client far away makes them
/// slow.
const QUIET_IN_FLOW: Duration = Duration::from_millis(500);

/// Whether mail flows, as seen from time to time.
#[derive(Debug, Default)]
pub(super) struct Flow {
    served: u64,
    /// When there were last more of them.
    at: Option<Instant>,
}

impl Flow {
    /// Takes note of how many sessions with a message have ended.
    pub(super) fn note(&mut self, served: u64) {
        if served > self.served {
            self.served = served;
            self.at = Some(Instant::now());
        }
    }

    /// How long MTAs must have said nothing at a stop that begins now.
    pub(super) fn quiet(&self, now: Instant) -> Quiet {
        let flows = self.at.is_some_and(|at| now.saturating_duration_since(at) < LINGER);
        Quiet { flows, answers: 0 }
    }
}

/// How long MTAs must have said nothing for none to be in the middle of a conversation.
#[derive(Debug)]
pub(super) struct Quiet {
    flows: bool,
    /// Answers since the stop has begun.
    answers: u64,
}

impl Quiet {
    pub(super) fn time(&self) -> Duration {
        if self.flows { QUIET_IN_FLOW } else { QUIET }
    }

    /// Whether none has said anything more, after that time, by the answers there have been.
    pub(super) fn is_over(&mut self, answers: u64) -> bool {
        let over = answers == self.answers;
        self.answers = answers;
        self.flows |= !over;
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_waits_longer_where_messages_have_just_ended() {
        let mut flow = Flow::default();
        let quiet = |flow: &Flow, after| flow.quiet(Instant::now() + after).time();
        flow.note(0);
        assert_eq!(quiet(&flow, Duration::ZERO), QUIET);
        flow.note(3);
        assert_eq!(quiet(&flow, Duration::ZERO), QUIET_IN_FLOW);
        // What is seen again is no flow.
        let at = flow.at;
        flow.note(3);
        assert_eq!(flow.at, at);
        assert_eq!(quiet(&flow, LINGER), QUIET);
    }

    #[test]
    fn a_stop_waits_longer_once_an_mta_has_said_something() {
        let mut quiet = Flow::default().quiet(Instant::now());
        assert!(!quiet.is_over(1));
        assert_eq!(quiet.time(), QUIET_IN_FLOW);
        assert!(!quiet.is_over(2));
        assert!(quiet.is_over(2));

        let mut quiet = Flow::default().quiet(Instant::now());
        assert!(quiet.is_over(0));
        assert_eq!(quiet.time(), QUIET);
    }
}
