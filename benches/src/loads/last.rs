//! Sessions that stand before the last command of their message, which blocks.

use crate::client::held::{expect, open_idle, send_all};
use crate::measure::shared_script;
use crate::message::{Script, Shape, Step};
use crate::server::Server;
use c_tests::{Error, Result};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Sessions that wait to send the end of their message.
pub(super) struct LastCommand {
    script: Arc<Script>,
    step: Step,
    sessions: Vec<OwnedFd>,
}

impl LastCommand {
    /// Opens sessions and takes them there.
    pub(super) fn of(server: &Server, count: usize) -> Result<LastCommand> {
        let script = shared_script(&Shape::SHORT);
        let at = script
            .steps
            .iter()
            .position(|step| step.ends)
            .ok_or_else(|| Error("the script has no end of message".into()))?;
        let sessions = open_idle(&server.address, &script, at, count)?;
        Ok(LastCommand { step: script.steps[at].clone(), script, sessions })
    }

    /// Sends the end of all messages, at once.
    pub(super) fn send(&self) -> Result<()> {
        let bytes = &self.script.bytes[self.step.send.clone()];
        self.sessions.iter().try_for_each(|session| send_all(session, bytes))
    }

    /// Waits for all verdicts.
    pub(super) fn verdicts(&self) -> Result<()> {
        let expected = &self.script.bytes[self.step.expect.clone()];
        self.sessions.iter().try_for_each(|session| expect(session, expected))
    }

    /// How many get their verdict.
    pub(super) fn answered(&self) -> usize {
        let expected = &self.script.bytes[self.step.expect.clone()];
        self.sessions.iter().filter(|session| expect(session, expected).is_ok()).count()
    }
}
