//! Bugs planted on purpose, to see that the fuzzers find them.
//!
//! They are in no library but one compiled with `--cfg planted`, and there only the one is active
//! whose name the environment variable `LIBMILTER_PLANTED` has. `scripts/fuzz.sh` reads this list: the
//! comment of each begins with the fuzz targets that have to find it.

macro_rules! bugs {
    ($($(#[$text:meta])* $name:ident,)+) => {
        /// A planted bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$text])* $name,)+
        }

        #[cfg(planted)]
        const ALL: &[(&str, Bug)] = &[$((stringify!($name), Bug::$name),)+];
    };
}

bugs! {
    /// frames: the byte behind a packet counts as its last.
    FrameTooLong,
    /// frames: payloads may be one byte longer than the limit.
    FrameLimit,
    /// frames session: memory is allocated for what a peer only announces.
    AnnouncedRoom,
    /// macros session: the first stage to be cleared is kept.
    StageKept,
    /// macros: names of two letters need no braces.
    BracesDropped,
    /// macros: offsets beyond 64 kB are cut to 16 bits.
    OffsetsCut,
    /// session: the abort callback is not called during the body.
    AbortMissed,
    /// session: the close callback is called again at the end.
    CloseTwice,
    /// session: RCPT keeps the macros of the recipient before.
    RecipientMacrosKept,
    /// session: a stored reply goes with a verdict of the other class.
    ReplyClass,
    /// session: a stored reply outlives its SMTP connection.
    ReplyKept,
    /// session: the text of a verdict is not repeated.
    VerdictWithoutText,
    /// session: what follows a verdict is given to callbacks.
    VerdictForgotten,
    /// session: a promise of silence is broken for the end of headers.
    SilenceBroken,
    /// session: messages can be changed after their end.
    ChangedLate,
    /// session: an action need not have been negotiated.
    NotGranted,
    /// session: changes may be larger than the limit.
    ChangeTooLong,
    /// session: data in the packet that ends a message has a reply of its own.
    EndAnsweredTwice,
    /// session: a reply that is replaced is never freed.
    ReplyLeaked,
    /// session: the second list of macros for a stage replaces the first.
    ListReplaced,
    /// replies: carriage returns are taken into lines.
    ReturnTaken,
    /// replies: the last of 32 lines is marked as one that others follow.
    LastLineMarked,
    /// replies: numbers of four digits are taken into enhanced codes.
    FourDigits,
    /// conn_spec: an address in brackets need not close them.
    BracketOpen,
    /// conn_spec: paths may be one byte longer.
    PathTooLong,
    /// conn_spec: a descriptor may be negative.
    NegativeDescriptor,
    /// conn_spec: a comma separates where ':' follows at once.
    EmptyTypeSeparates,
    /// differential: the index of an inserted header is one too high.
    IndexShifted,
    /// differential: a header's name may be empty, as what is before the first NUL.
    HeaderSplit,
}

/// Whether a bug is active.
#[cfg(not(planted))]
#[inline]
#[must_use]
pub const fn planted(_bug: Bug) -> bool {
    false
}

/// Whether a bug is active.
///
/// # Panics
/// There is none of the name given.
#[cfg(planted)]
#[must_use]
#[expect(clippy::panic, reason = "in no library that is shipped")]
pub fn planted(bug: Bug) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<Bug>> = std::sync::LazyLock::new(|| {
        let name = std::env::var("LIBMILTER_PLANTED").ok()?;
        let found = ALL.iter().find(|(known, _)| *known == name);
        Some(found.unwrap_or_else(|| panic!("LIBMILTER_PLANTED={name} is no planted bug")).1)
    });
    *CHOSEN == Some(bug)
}
