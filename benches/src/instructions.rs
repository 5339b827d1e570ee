//! Instructions in user space per message, counted by valgrind: the same on every run and machine.

use crate::client::serial;
use crate::measure::Bench;
use crate::message::{Shape, script};
use crate::server::{Address, Server, Setup};
use crate::subject::Subject;
use c_tests::{Error, Result, paths};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Messages of the shorter run; start-up and first-time work are in both.
const SHORT_RUN: u64 = 20;

/// Instructions per message.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// In code of libmilter itself.
    pub library: f64,
    /// In all code of the process, libc and the filter included.
    pub all: f64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The typical message, each on a connection of its own.
    Typical,
    /// The same on one connection, with callbacks that do nothing.
    Reused,
    /// The same without replies before the end of a message.
    NoReplies,
}

impl Kind {
    /// All, as the gate counts them.
    pub const ALL: [Kind; 3] = [Kind::Typical, Kind::Reused, Kind::NoReplies];

    /// The name, in files and in the list of limits.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Typical => "typical",
            Kind::Reused => "reused",
            Kind::NoReplies => "no-replies",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Kind::Typical => &[],
            Kind::Reused => &["-i"],
            Kind::NoReplies => &["-i", "-n"],
        }
    }

    fn send(self, address: &Address, messages: u64) -> Result<()> {
        if self == Kind::Typical {
            serial::messages(address, &script(&Shape::TYPICAL), messages)?;
            return Ok(());
        }
        let no_reply = self == Kind::NoReplies;
        let shape = Shape { no_reply, unchanged: true, ..Shape::TYPICAL };
        serial::reused(address, &script(&shape), messages)
    }
}

/// Counts two runs of different length; the difference is due to messages alone. A smoke run counts the
/// longer one only.
pub fn per_message(bench: &Bench<'_>, subject: Subject, kind: Kind) -> Result<Counts> {
    let more = bench.pace.pick(200, 60, 5);
    let begin = bench.pace.pick(SHORT_RUN, SHORT_RUN, 0);
    let short = if begin > 0 { count(bench, subject, kind, begin)? } else { Totals::default() };
    let long = count(bench, subject, kind, begin + more)?;
    let each = |long: u64, short: u64| (long as f64 - short as f64) / more as f64;
    Ok(Counts { library: each(long.library, short.library), all: each(long.all, short.all) })
}

/// Instructions of a whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    library: u64,
    all: u64,
}

fn count(bench: &Bench<'_>, subject: Subject, kind: Kind, messages: u64) -> Result<Totals> {
    // Kept for callgrind_annotate: it tells where a change went.
    let dir = paths::target()?.join("bench");
    fs::create_dir_all(&dir).map_err(|e| Error::new(dir.display(), e))?;
    let profile = dir.join(format!("callgrind-{}-{}-{messages}.out", subject.name(), kind.name()));
    let wrapper = vec![
        "valgrind".into(),
        "--quiet".into(),
        "--tool=callgrind".into(),
        format!("--callgrind-out-file={}", profile.display()),
    ];
    let server = bench
        .start(subject, &Setup { wrapper, ..Setup::PLAIN }.with(kind.arguments()))
        .map_err(|e| Error(format!("{e}; valgrind is needed: apt-get install valgrind")))?;
    kind.send(&server.address, messages)?;
    stop(server)?;
    totals(&profile)
}

fn stop(server: Server) -> Result<()> {
    let (status, _, _) = server.stop()?;
    match status.success() {
        true => Ok(()),
        false => Err(Error(format!("the filter ended under valgrind with {status}"))),
    }
}

fn totals(profile: &Path) -> Result<Totals> {
    let text = fs::read_to_string(profile).map_err(|e| Error::new(profile.display(), e))?;
    let by_object = parse(&text);
    let library = by_object.iter().filter(|(name, _)| name.contains("libmilter.so"));
    let library = library.map(|(_, n)| n).sum();
    if library == 0 {
        return Err(Error("the profile has no instructions in libmilter.so".into()));
    }
    Ok(Totals { library, all: by_object.values().sum() })
}

/// Self cost by object file, from callgrind's output format.
fn parse(text: &str) -> HashMap<String, u64> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut costs: HashMap<String, u64> = HashMap::new();
    let mut object = "";
    let mut in_call = false;
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("ob=").or_else(|| line.strip_prefix("cob=")) {
            // "(1) /path" the first time, "(1)" later.
            let (id, name) = value.split_once(' ').unwrap_or((value, ""));
            if !name.is_empty() {
                names.insert(id, name);
            }
            if line.starts_with("ob=") {
                object = names.get(id).copied().unwrap_or(id);
            }
        } else if line.starts_with("calls=") {
            // The next line is the callee's cost, which counts there.
            in_call = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c))
            && !std::mem::take(&mut in_call)
            && let Some(cost) = line.split_whitespace().nth(1)
        {
            *costs.entry(object.to_owned()).or_default() += cost.parse::<u64>().unwrap_or(0);
        }
    }
    costs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn self_cost_is_summed_by_object_and_calls_left_out() {
        let text = "version: 1\nevents: Ir\n\nob=(1) /lib/libmilter.so.1.0.1\nfl=(1) a\nfn=(1) f\n\
            10 5\n+1 7\ncob=(2) /lib/libc.so.6\ncfn=(2) memcpy\ncalls=3 0\n+1 900\n* 1\n\n\
            ob=(2)\nfn=(2)\n0 900\n\nob=(1)\nfn=(3) g\n-2 4\ntotals: 917\n";
        let costs = parse(text);
        assert_eq!(costs["/lib/libmilter.so.1.0.1"], 17);
        assert_eq!(costs["/lib/libc.so.6"], 900);
    }
}
