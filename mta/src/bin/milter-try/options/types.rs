//! What a command line can say.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use milter_mta::ConnSpec;
use milter_mta::session::{ClientInfo, Profile};

use super::values::AddedMacro;
use crate::paint::When;
use crate::watch::Watch;

/// Which libmilter the milter runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// Look for one.
    Find,
    /// This one.
    At(PathBuf),
    /// The one it was linked with.
    Linked,
}

/// What is done with the milter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Messages are played to it.
    Play,
    /// A capture is.
    Replay(PathBuf),
    /// Only the negotiation.
    Check,
}

/// Everything the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) task: Task,
    pub(crate) socket: Option<ConnSpec>,
    pub(crate) connect: Option<ConnSpec>,
    pub(crate) wait: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) library: Library,
    pub(crate) from: String,
    pub(crate) rcpt: Vec<String>,
    pub(crate) helo: String,
    pub(crate) client: ClientInfo,
    pub(crate) macros: Vec<AddedMacro>,
    pub(crate) count: usize,
    pub(crate) sessions: usize,
    pub(crate) profile: Profile,
    pub(crate) json: bool,
    pub(crate) conversations: bool,
    pub(crate) quiet: bool,
    pub(crate) color: When,
    pub(crate) record: Option<PathBuf>,
    pub(crate) deliver: Option<PathBuf>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) command: Vec<OsString>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Play something to a milter.
    Run(Box<Options>),
    /// Print this capture without names and contents.
    Anonymize(PathBuf),
    /// Show what a running filter does.
    Watch(Watch),
    /// Say which libmilter this is.
    Library(Library),
    /// Print the help text.
    Help,
    /// Print the version.
    Version,
}
