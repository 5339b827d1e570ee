//! How long callbacks may take before something is done about it, as an administrator has set it.

use std::time::Duration;

/// How long callbacks may take before something is done. By default nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Patience {
    /// Until it is logged; likewise after twice as long, and so on.
    pub warn: Option<Duration>,
    /// Between two signs of life for the MTA, at the end of a message.
    pub progress: Option<Duration>,
    /// Until the MTA gets a temporary failure.
    pub limit: Option<Duration>,
}

impl Patience {
    /// Whether anything is to be done.
    pub(super) fn ends(&self) -> bool {
        [self.warn, self.progress, self.limit].iter().any(Option::is_some)
    }
}
