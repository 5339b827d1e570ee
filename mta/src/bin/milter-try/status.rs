//! Exit statuses, and failures that carry one.

use std::fmt;

use milter_mta::session::Verdict;

/// How the program ends. The numbers from 64 are those of `sysexits.h`, those of a check those of monitoring
/// plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// All messages met this verdict or a milder one.
    Verdict(Verdict),
    /// Nothing was played, or it was answered as recorded.
    Same,
    /// The answers to a capture are others than those in it.
    Differs,
    /// The command line is wrong.
    Usage,
    /// A message cannot be read.
    NoInput,
    /// The milter did not start or cannot be reached.
    Unavailable,
    /// The milter broke the protocol, crashed or hung.
    Protocol,
    /// The system refused something.
    System,
    /// Of a check: the milter does not answer.
    Critical,
    /// Of a check: nothing could be asked.
    Unknown,
}

impl Status {
    /// The number for the shell.
    pub(crate) fn code(self) -> u8 {
        match self {
            Status::Verdict(Verdict::Accept) => 0,
            Status::Verdict(Verdict::Reject) => 10,
            Status::Verdict(Verdict::Tempfail) => 11,
            Status::Verdict(Verdict::Discard) => 12,
            Status::Verdict(Verdict::Quarantine) => 13,
            Status::Same => 0,
            Status::Differs => 20,
            Status::Usage => 64,
            Status::NoInput => 66,
            Status::Unavailable => 69,
            Status::Protocol => 70,
            Status::System => 71,
            Status::Critical => 2,
            Status::Unknown => 3,
        }
    }
}

/// Why the program cannot go on, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Exit status.
    pub(crate) status: Status,
    /// One or more lines for a person.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Status::Usage, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
