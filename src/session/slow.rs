//! What an operator should know of a callback that takes long.

use std::fmt::Write;
use std::time::Duration;

use super::event::Due;
use crate::proto::command::Command;
use crate::proto::names;
use crate::proto::printable::quote;

/// A callback that takes, or has taken, long.
#[derive(Debug, Clone, Copy)]
pub struct Slow<'a> {
    /// The command that it serves.
    pub callback: Command,
    /// How long it has run.
    pub took: Duration,
    /// The system's number of its thread.
    pub thread: Option<u64>,
    /// The queue id of its message; empty if the MTA has not told it.
    pub queue_id: &'a [u8],
    /// What has become of it.
    pub outcome: Fate,
}

/// What becomes of a callback that takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    GoesOn,
    /// Its result will not count; what its MTA had waited for, and whether it could be told.
    Overran(Due, bool),
    /// It has returned this, and whether that counts.
    Returned(i32, bool),
    /// It has ended its thread.
    EndedThread,
}

impl Slow<'_> {
    /// Whether it runs no more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.outcome, Fate::Returned(..) | Fate::EndedThread)
    }

    /// What became of the MTA's wait.
    fn answered(&self, due: Due, told: bool) -> &'static str {
        match (due, self.callback) {
            (Due::Agreement, _) | (Due::Silence, Command::Connect | Command::Helo) => {
                "the connection is closed"
            }
            (Due::Silence, Command::Rcpt) => "the message gets a temporary failure",
            (Due::Silence | Due::Nothing, _) => "it is taken as SMFIS_TEMPFAIL",
            (Due::Reply | Due::Verdict, _) if told => "the MTA got a temporary failure",
            (Due::Reply | Due::Verdict, _) => "the MTA can't be told",
        }
    }

    /// The text of the log line, without session and filter.
    pub(super) fn text(&self) -> String {
        let callback = self.callback.callback_name();
        let (seconds, tenths) = (self.took.as_secs(), self.took.subsec_millis() / 100);
        let took = format!("{seconds}.{tenths} s");
        let mut text = match self.outcome {
            Fate::GoesOn => format!("{callback} has run for {took} and goes on"),
            Fate::Overran(due, told) => format!(
                "{callback} has run for {took}, and what it returns will not count: {}",
                self.answered(due, told)
            ),
            Fate::Returned(result, counts) => format!(
                "{callback} has returned {} after {took}{}",
                names::result(result),
                if counts { "" } else { ", which does not count" }
            ),
            Fate::EndedThread => format!("{callback} has ended its thread after {took}"),
        };
        if !self.queue_id.is_empty() {
            // Writing to a string can't fail.
            let _done = write!(text, ", queue id {}", quote(self.queue_id));
        }
        if let Some(thread) = self.thread {
            let _done = write!(text, ", thread {thread}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::codes::status;

    #[test]
    fn lines_have_all_that_is_known() {
        let slow = |outcome| Slow {
            callback: Command::Eom,
            took: Duration::from_millis(12_399),
            thread: Some(4711),
            queue_id: b"Q\n1",
            outcome,
        };
        assert_eq!(
            slow(Fate::GoesOn).text(),
            "xxfi_eom has run for 12.3 s and goes on, queue id Q\\x0a1, thread 4711"
        );
        let little =
            Slow { queue_id: b"", thread: None, ..slow(Fate::Overran(Due::Verdict, true)) };
        assert_eq!(
            little.text(),
            "xxfi_eom has run for 12.3 s, and what it returns will not count: the MTA got a \
             temporary failure"
        );
        for (due, told, callback, what) in [
            (Due::Reply, false, Command::Mail, "the MTA can't be told"),
            (Due::Agreement, true, Command::Negotiate, "the connection is closed"),
            (Due::Silence, true, Command::Helo, "the connection is closed"),
            (Due::Silence, true, Command::Rcpt, "the message gets a temporary failure"),
            (Due::Silence, true, Command::Header, "it is taken as SMFIS_TEMPFAIL"),
        ] {
            let silent = Slow { callback, outcome: Fate::Overran(due, told), ..little };
            assert!(silent.text().ends_with(what), "{}", silent.text());
        }
        let little = Slow { outcome: Fate::Returned(status::ACCEPT, false), ..little };
        assert_eq!(
            little.text(),
            "xxfi_eom has returned SMFIS_ACCEPT after 12.3 s, which does not count"
        );
    }
}
