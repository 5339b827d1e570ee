//! All session files, run with one library, and what our library is recorded to do differently.

use super::play::{Played, play};
use super::process::{TraceMilter, program};
use super::session::{self, Session};
use crate::compile::Program;
use crate::error::{Error, Result};
use crate::linkage::Linkage;
use crate::{notes, paths};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A session that takes longer is mentioned; none needs a tenth of it.
const SLOW: Duration = Duration::from_secs(2);

/// File stem and session name.
pub type Key = (String, String);

/// What a library did in each session.
pub type Results = BTreeMap<Key, std::result::Result<Played, String>>;

/// Directory of the session files.
pub fn directory() -> PathBuf {
    paths::in_package("sessions")
}

/// Every scripted session.
pub fn sessions() -> Result<BTreeMap<Key, Session>> {
    let mut out = BTreeMap::new();
    for path in files(&directory())? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for session in session::read(&path)? {
            out.insert((stem.clone(), session.name.clone()), session);
        }
    }
    Ok(out)
}

/// Plays the sessions with one library, two processes at a time.
pub fn run(sessions: &BTreeMap<Key, Session>, linkage: Linkage) -> Result<Results> {
    run_program(&program()?, sessions, linkage)
}

/// As [`run`], with a trace filter compiled in another way.
pub fn run_program(
    program: &Program,
    sessions: &BTreeMap<Key, Session>,
    linkage: Linkage,
) -> Result<Results> {
    let mut groups: BTreeMap<String, Vec<(&Key, &Session)>> = BTreeMap::new();
    for (key, session) in sessions {
        groups.entry(session.process_key()).or_default().push((key, session));
    }
    let queue = Mutex::new(groups.into_values().collect::<Vec<_>>());
    let results = Mutex::new(Results::new());
    let work = || {
        loop {
            let group = queue.lock().ok().and_then(|mut queue| queue.pop());
            let Some(group) = group else { break };
            let done = run_group(program, &group, linkage);
            if let Ok(mut results) = results.lock() {
                results.extend(done);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    results.into_inner().map_err(|e| Error::new("a worker", e))
}

/// Plays sessions that may share a process; one that fails gets the rest a new process.
///
/// The reference reads beyond the end of some packets (entry D12), which ends its process now and then:
/// then the session is played again.
fn run_group(program: &Program, group: &[(&Key, &Session)], linkage: Linkage) -> Results {
    let mut milter: Option<TraceMilter> = None;
    let mut results = Results::new();
    for (key, session) in group {
        let next = || play_next(program, key, session, linkage, &mut milter);
        let what = format!("session {} \"{}\"", key.0, key.1);
        let outcome = notes::play(linkage, &what, next, |outcome| outcome.is_ok());
        results.insert((*key).clone(), outcome.map_err(|e| e.to_string()));
    }
    results
}

/// Plays a session in a running process or a new one, which stays unless the session fails.
fn play_next(
    program: &Program,
    key: &Key,
    session: &Session,
    linkage: Linkage,
    milter: &mut Option<TraceMilter>,
) -> Result<Played> {
    let running = match milter.take() {
        Some(running) => running,
        None => TraceMilter::start(program, linkage, &session.registration)?,
    };
    let start = Instant::now();
    let played = play(&running, session);
    if start.elapsed() > SLOW {
        eprintln!("slow: {linkage:?} {key:?} took {:?}", start.elapsed());
    }
    let played = played?;
    *milter = Some(running);
    Ok(played)
}

/// Printed transcripts of our library for the sessions that differ, from `sessions/ours`.
pub fn recorded() -> Result<BTreeMap<Key, String>> {
    let mut out = BTreeMap::new();
    for path in files(&directory().join("ours"))? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(|e| Error::new(path.display(), e))?;
        for section in text.split("\n== ").skip(1) {
            let (name, body) = section.split_once('\n').unwrap_or((section, ""));
            out.insert((stem.clone(), name.to_owned()), body.trim_end().to_owned());
        }
    }
    Ok(out)
}

/// Writes the recorded transcripts anew; to be read through before they are committed.
pub fn record(sessions: &BTreeMap<Key, Session>, ours: &Results) -> Result<()> {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for (key, session) in sessions.iter().filter(|(_, session)| !session.differs.is_empty()) {
        let text = texts.entry(&key.0).or_insert_with(|| {
            "# What our library does in the sessions that name an entry of docs/differences.md.\n"
                .into()
        });
        if let Some(Ok(played)) = ours.get(key) {
            text.push_str(&format!("\n== {}\n{}", session.name, played.transcript));
        }
    }
    for (stem, text) in texts {
        let path = directory().join("ours").join(format!("{stem}.txt"));
        paths::write_if_changed(&path, text.as_bytes())?;
    }
    Ok(())
}

/// The text files of a directory, sorted.
pub(crate) fn files(dir: &std::path::Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).map_err(|e| Error::new(dir.display(), e))?;
    let mut out: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    out.sort();
    Ok(out)
}
