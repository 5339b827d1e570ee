//! The one error of the harness: a text that names the thing and says what to do next.

use std::fmt;
use std::process::{Command, Output};

/// What went wrong, in words for the person who runs the tests.
pub struct Error(pub String);

/// Result of every harness function.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wraps a cause with what was being done.
    pub fn new(what: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self(format!("{what}: {cause}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Same as `Display`, so that `unwrap` in a test prints readable lines.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// Runs a tool to its end; failure becomes an error with the command line, output and advice.
pub fn run(command: &mut Command, advice: &str) -> Result<Output> {
    let output =
        command.output().map_err(|e| Error(format!("cannot run {command:?}: {e}; {advice}")))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(failed(command, &output, advice))
}

/// What is said of a tool that has failed.
pub(crate) fn failed(command: &Command, output: &Output, advice: &str) -> Error {
    Error(format!(
        "{command:?}: {}\n{}{}\n{advice}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    ))
}
