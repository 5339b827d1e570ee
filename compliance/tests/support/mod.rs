//! What the tests with C filters have in common.

pub(crate) mod load;

use c_tests::milter::POLL;
pub(crate) use compliance::compare::BOTH_WAYS;
use compliance::filter::Socket;
use compliance::mta::Kind;
use compliance::{Linkage, Mta, Observation, Pair, Probe, Result, compare};
use std::thread;
use std::time::{Duration, Instant};

/// How long something may take before a test fails for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so; a test that waits in vain fails with what was `found` in its place.
pub(crate) fn eventually(done: impl Fn() -> bool, found: impl Fn() -> String) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{}", found());
        thread::sleep(POLL);
    }
}

/// A message of one line.
pub(crate) const SHORT: &str = "From: a@a.example\r\nSubject: hello\r\nX-Fold: one\r\n\ttwo\r\nX-Empty:\r\nX-Two:  blanks\r\n\r\nshort\r\n";

/// The row of the probe with an MTA.
pub(crate) fn probe_with<'a>(kind: Kind, exercised: &'a str, libraries: &'a [Linkage]) -> Pair<'a> {
    Pair {
        milter: "probe",
        milter_version: "-".into(),
        mta: kind.name(),
        mta_version: kind.version().expect("the version of the MTA"),
        exercised,
        libraries,
        differences: &[],
    }
}

/// A message of several body packets.
pub(crate) fn long() -> String {
    let line = "The quick brown fox jumps over the lazy dog.\r\n";
    format!("From: a@a.example\r\nSubject: long\r\n\r\n{}", line.repeat(4000))
}

/// What a test with one probe does.
pub(crate) struct Run<'a> {
    pub(crate) kind: Kind,
    pub(crate) exercised: &'a str,
    pub(crate) socket: Socket,
    /// Of the probe.
    pub(crate) settings: &'a [String],
    /// What is special about the MTA.
    pub(crate) lines: &'a [&'a str],
    pub(crate) libraries: &'a [Linkage],
    /// Entries of `docs/differences.md` that show.
    pub(crate) differences: &'a [&'a str],
}

impl<'a> Run<'a> {
    pub(crate) fn new(kind: Kind, exercised: &'a str, settings: &'a [String]) -> Self {
        Self {
            kind,
            exercised,
            socket: Socket::Unix,
            settings,
            lines: &[],
            libraries: BOTH_WAYS,
            differences: &[],
        }
    }

    /// Compares what comes of it when `play` talks to the MTA; it returns its transcripts.
    ///
    /// Each of `expected`, a section and a text, has to be there.
    pub(crate) fn compare(
        &self,
        expected: &[(&str, &str)],
        play: impl Fn(&Mta) -> Result<Vec<String>> + Sync,
    ) {
        let mut pair = probe_with(self.kind, self.exercised, self.libraries);
        pair.differences = self.differences;
        compare(&pair, |linkage| {
            let mut seen = Observation::new();
            let probe = Probe::start(linkage, self.socket, self.settings)?;
            let setup = Mta::of(self.kind).milter(probe.spec());
            let setup = self.lines.iter().fold(setup, |setup, &line| setup.line(line));
            let mta = setup.start()?;
            seen.section("SMTP", play(&mta)?);
            mta.observe(&mut seen)?;
            drop(mta);
            probe.stop_allowing(&mut seen, "probe", self.differences)?;
            for (section, text) in expected {
                seen.expect(section, text);
            }
            Ok(seen)
        });
    }
}

/// Settings from literals.
pub(crate) fn settings(list: &[&str]) -> Vec<String> {
    list.iter().map(|&setting| setting.to_owned()).collect()
}

/// A test with each MTA for each function of the kind of MTA.
macro_rules! with_both {
    ($($name:ident)*) => {$(
        mod $name {
            use super::Kind;

            #[test]
            fn postfix() {
                super::$name(Kind::Postfix);
            }

            #[test]
            fn sendmail() {
                super::$name(Kind::Sendmail);
            }
        }
    )*};
}
