//! Scenarios around smfi_main: `programs/scenarios.txt`, played by `programs/calls.c`.

use crate::compile::{Compile, Program};
use crate::error::{Error, Result};
use crate::linkage::Linkage;
use crate::output::output_within;
use crate::paths::{self, locked};
use crate::syslog::Log;
use crate::trace::session::expand;
use rustix::process::geteuid;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// How long a scenario may take before it is killed; the slowest takes 11 s.
const PATIENCE: Duration = Duration::from_secs(120);

/// The reference's workers say so when they meet a stop at a bad moment.
const NOISE: [&str; 4] = [
    "TASKMGR_",
    "mi_start_session() failed",
    "pthread_cond_timedwait error",
    "Error writing to event pipe",
];

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Unique name.
    pub name: String,
    /// Arguments of the program, with `{dir}` and the like.
    pub arguments: Vec<String>,
    /// Entries of `docs/differences.md` that explain another outcome of ours.
    pub differs: Vec<String>,
    /// An entry explains what ours does as root. This user is another one, for whom both do the same.
    pub recorded_for_root: bool,
    /// What the reference does is left to chance, or crashes in one of several ways.
    pub only_ours: bool,
    /// Compare only lines that begin so; the rest is left to chance.
    pub lines: Option<String>,
}

/// Reads the scenarios.
pub fn scenarios() -> Result<Vec<Scenario>> {
    let path = paths::in_package("programs/scenarios.txt");
    let text = std::fs::read_to_string(&path).map_err(|e| Error::new(path.display(), e))?;
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with("scenario ") {
            blocks.push(Vec::new());
        }
        let block = blocks.last_mut();
        block.ok_or_else(|| Error(format!("before the first scenario: {line}")))?.push(line);
    }
    let mut out = Vec::new();
    for block in blocks {
        for lines in expand(&block)? {
            out.push(one(&lines)?);
        }
    }
    Ok(out)
}

fn one(lines: &[String]) -> Result<Scenario> {
    let mut scenario = Scenario {
        name: String::new(),
        arguments: vec![],
        differs: vec![],
        recorded_for_root: false,
        only_ours: false,
        lines: None,
    };
    for line in lines {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = rest.split(' ').map(str::to_owned);
        match word {
            "scenario" => scenario.name = rest.to_owned(),
            ">" => scenario.arguments.extend(words),
            "differs" => {
                let ids = rest.strip_suffix(" as root");
                if ids.is_none() || geteuid().is_root() {
                    scenario.differs.extend(ids.unwrap_or(rest).split(' ').map(str::to_owned));
                } else {
                    scenario.recorded_for_root = true;
                }
            }
            "lines" => scenario.lines = Some(rest.to_owned()),
            "only" => {
                scenario.only_ours = true;
                scenario.differs.extend(words.skip(1));
            }
            _ => return Err(Error(format!("cannot read: {line}"))),
        }
    }
    Ok(scenario)
}

/// The one port that is not free but has a name.
const NAMED_PORT: &str = "inet:mailq";

/// What a scenario printed and logged, and how it ended.
pub fn run(program: &Program, linkage: Linkage, scenario: &Scenario) -> Result<String> {
    let fail = |e: std::io::Error| Error::new(&scenario.name, e);
    let dir = tempfile::tempdir().map_err(fail)?;
    // Some scenarios give up root and still have to write here.
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).map_err(fail)?;
    let log_file = tempfile::NamedTempFile::new().map_err(fail)?;
    std::fs::set_permissions(log_file.path(), PermissionsExt::from_mode(0o666)).map_err(fail)?;
    let mut command = linkage.command(program)?;
    let log = Log::attach(&mut command, log_file.path());
    let places = places(dir.path());
    for argument in &scenario.arguments {
        let replace = |text: String, (name, value): &(String, String)| text.replace(name, value);
        command.arg(places.iter().fold(argument.clone(), replace));
    }
    let mut play =
        || output_within(&mut command, PATIENCE).map_err(|e| Error::new(&scenario.name, e));
    // A service that only one of several plays can have.
    let named = scenario.arguments.iter().any(|argument| argument.contains(NAMED_PORT));
    let done = if named { locked("named-port", play) } else { play() }?;
    let mut out = String::from_utf8_lossy(&done.stdout).into_owned();
    for line in String::from_utf8_lossy(&done.stderr).lines() {
        out.push_str(&format!("stderr: {line}\n"));
    }
    let noise = |line: &&String| !linkage.is_ours() && NOISE.iter().any(|n| line.contains(n));
    for line in log.lines()?.iter().filter(|line| !noise(line)) {
        out.push_str(&format!("log: {}\n", without_library(line)));
    }
    out.push_str(&match done.status.signal() {
        Some(signal) => format!("killed by signal {signal}\n"),
        None => format!("exit {}\n", done.status.code().unwrap_or(-1)),
    });
    // Assertions name the program, which is called differently for each linkage.
    let exe = Path::new(command.get_program()).file_name().unwrap_or_default();
    let out = out.replace(&*exe.to_string_lossy(), "calls");
    let restore = |text: String, (name, value): &(String, String)| text.replace(value, name);
    let out = places.iter().fold(out, restore);
    Ok(match &scenario.lines {
        Some(start) => {
            out.lines().filter(|l| l.starts_with(start)).map(|l| format!("{l}\n")).collect()
        }
        None => out,
    })
}

/// The line without version and file of the library, which are others for each way of linking.
fn without_library(line: &str) -> String {
    let parts = line.split_once(", version ").map(|(before, rest)| (before, rest.split_once(')')));
    match parts {
        Some((before, Some((_, after)))) => format!("{before}, version {{library}}{after}"),
        _ => line.to_owned(),
    }
}

/// `{pad106}` and the like, longest first, then `{dir}`.
fn places(dir: &Path) -> Vec<(String, String)> {
    let dir = dir.display().to_string();
    let pad = |length: usize| {
        let name = "p".repeat(length.saturating_sub(dir.len() + 1));
        (format!("{{pad{length}}}"), format!("{dir}/{name}"))
    };
    vec![pad(107), pad(106), ("{dir}".into(), dir.clone())]
}

/// The program that plays scenarios.
fn program() -> Result<Program> {
    Compile::c("programs/calls.c").flag("-D_GNU_SOURCE").build()
}

/// Plays one scenario again; what comes of it.
pub fn run_again(linkage: Linkage, name: &str) -> Result<String> {
    let all = scenarios()?;
    let scenario = all.iter().find(|scenario| scenario.name == name);
    run(&program()?, linkage, scenario.ok_or_else(|| Error(format!("no scenario {name}")))?)
}

/// Runs all scenarios; most of the time they wait, so many go at once.
pub fn run_all(linkage: Linkage) -> Result<BTreeMap<String, String>> {
    const AT_ONCE: usize = 16;
    let program = program()?;
    let mut all = scenarios()?;
    all.retain(|scenario| linkage.is_ours() || !scenario.only_ours);
    let queue = Mutex::new(all);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().ok().and_then(|mut queue| queue.pop());
                    let Some(scenario) = next else { break };
                    let outcome =
                        run(&program, linkage, &scenario).unwrap_or_else(|e| e.to_string());
                    if let Ok(mut results) = results.lock() {
                        results.insert(scenario.name, outcome);
                    }
                }
            });
        }
    });
    results.into_inner().map_err(|e| Error::new("a worker", e))
}
