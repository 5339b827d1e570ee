//! Milters as MTAs have them in their settings.

mod common;
mod postfix;
mod sendmail;

pub(crate) use common::Configured;
pub(crate) use postfix::postfix;
pub(crate) use sendmail::sendmail;
