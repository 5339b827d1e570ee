//! From the command line to the exit status.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use milter_mta::mail::{Envelope, Message};
use milter_mta::session::{Outcome, SmtpReply, Verdict};
use milter_mta::{Client, ConnSpec};
use serde_json::Value;

use crate::json::{self, MilterFacts};
use crate::milter::{Milter, Stopped, system};
use crate::options::Options;
use crate::play::{self, Broken, Job, Mail, Record};
use crate::status::{Failure, Status};
use crate::text::put;
use crate::transcript::Transcript;
use crate::{interrupt, library, paint, place, processes, report};

/// How long a started milter may take to accept, unless told otherwise.
const WAIT: Duration = Duration::from_secs(10);

/// How long to look for the end of a milter that has hung up in mid-session.
const DEATH: Duration = Duration::from_secs(1);

/// The message that is played if none is given.
const SAMPLE: &[u8] = include_bytes!("sample.eml");

/// Does what the command line says.
pub(crate) fn run(options: &Options) -> Result<Status, Failure> {
    paint::choose(options.color);
    let mut run =
        Run { options, facts: MilterFacts::default(), sessions: Vec::new(), started: false };
    let result = run.all();
    if options.json {
        let (status, error) = match &result {
            Ok(status) => (*status, None),
            Err(failure) => (failure.status, Some(failure.message.as_str())),
        };
        put(&json::document(status.code(), error, &run.facts, run.sessions));
    }
    result
}

/// One run with what has been found out for the JSON document.
struct Run<'a> {
    options: &'a Options,
    facts: MilterFacts,
    sessions: Vec<Value>,
    /// The report has begun: the milter was reached.
    started: bool,
}

impl Run<'_> {
    fn all(&mut self) -> Result<Status, Failure> {
        let options = self.options;
        let job = job(options)?;
        let private = tempfile::Builder::new().prefix("milter-try.").tempdir();
        let private = private.map_err(|error| system("create a temporary directory", &error))?;
        interrupt::watch(private.path().to_owned())
            .map_err(|error| system("watch for signals", &error))?;
        if options.sessions > 1 {
            play::allow_descriptors(options.sessions);
        }
        let (spec, mut milter) = match &options.connect {
            Some(spec) => (spec.clone(), None),
            None => self.start(private.path()).map(|(spec, milter)| (spec, Some(milter)))?,
        };
        self.facts.socket = spec.to_string();
        let played = self.play(&job, &spec, milter.as_mut());
        interrupt::hold();
        let stopped = milter.as_mut().map(|milter| milter.stop(options.grace));
        interrupt::milter_stopped();
        if let (true, Some(milter), Some(stopped)) = (self.started, &milter, &stopped) {
            self.tell_end(milter, stopped);
        }
        let status = played?;
        match stopped {
            Some(stopped) if stopped.ending.is_crash() => {
                Err(Failure::new(Status::Protocol, format!("the milter {}", stopped.ending)))
            }
            _ => Ok(status),
        }
    }

    /// Starts the milter.
    fn start(&mut self, private: &Path) -> Result<(ConnSpec, Milter), Failure> {
        let options = self.options;
        let mut command = options.command.clone();
        let fresh = private.join("milter.sock");
        let filled = place::fill_in(&mut command, &fresh);
        let spec = match (&options.socket, filled) {
            (Some(spec), _) => spec.clone(),
            (None, true) => ConnSpec::Unix(fresh),
            (None, false) => place::find(&command)?,
        };
        let library = library::locate(&options.library)?;
        let environment = match &library {
            Some(path) => library::environment(path, private)
                .map_err(|error| system("prepare the library", &error))?,
            None => Vec::new(),
        };
        let shown = command.iter().map(|word| word.to_string_lossy().into_owned());
        self.facts.command = shown.collect();
        let milter = Milter::start(&command, environment, &spec, private)?;
        interrupt::milter_started(milter.group(), &spec);
        self.facts.library = library.map(|path| path.display().to_string());
        Ok((spec, milter))
    }

    /// Connects and plays.
    fn play(
        &mut self,
        job: &Job,
        spec: &ConnSpec,
        mut milter: Option<&mut Milter>,
    ) -> Result<Status, Failure> {
        let options = self.options;
        let client = match &mut milter {
            Some(milter) => milter.wait_for_socket(options.wait.unwrap_or(WAIT))?,
            None => connect(spec, options.wait.unwrap_or(Duration::ZERO))?,
        };
        self.tell_start(milter.as_deref());
        let print = !options.quiet && !options.json;
        let records = if options.sessions == 1 {
            let transcript = RefCell::new(Transcript::new(print, options.json));
            let mut last = String::new();
            let mut each = |index: usize, outcome: &Outcome| {
                let text = report::outcome(job, index, outcome);
                if index + 1 == job.messages() {
                    // After the end of the conversation.
                    last = text;
                } else if print {
                    put(&format!("{text}\n"));
                }
            };
            let record = play::session(job, 0, client, &transcript, &mut each);
            if print {
                put(&last);
            }
            if options.json {
                let entries = transcript.into_inner().entries;
                self.sessions.push(json::session(job, &record, &entries));
            }
            vec![record]
        } else {
            let quiet = options.quiet;
            let records = play::many(job, options.sessions, spec, client, quiet)?;
            if print {
                put(&report::summary(&records));
            }
            if options.json {
                let values = records.iter().map(|record| json::session(job, record, &[]));
                self.sessions.extend(values);
            }
            records
        };
        judge(job, &records, milter)
    }

    /// Says what is being tried.
    fn tell_start(&mut self, milter: Option<&Milter>) {
        self.started = true;
        let mut out = String::new();
        if let Some(milter) = milter {
            report::line(&mut out, "Milter", &quoted(&self.facts.command));
            let (library, remark) = loaded(milter, self.facts.library.take().map(PathBuf::from));
            report::line(&mut out, "Library", remark.as_ref().unwrap_or(&library));
            self.facts.library = Some(library);
            if let Some(remark) = remark.filter(|_| self.options.quiet || self.options.json) {
                eprintln!("milter-try: {remark}");
            }
        } else {
            report::line(&mut out, "Milter", &self.facts.socket);
        }
        if !self.options.quiet && !self.options.json {
            put(&format!("{out}\n"));
        }
    }

    /// Says how the milter ended and what it wrote.
    fn tell_end(&mut self, milter: &Milter, stopped: &Stopped) {
        let ending = match (stopped.early, stopped.forced) {
            (true, _) => format!("{} before it was told to stop", stopped.ending),
            (false, true) => "did not stop on SIGTERM in time and was killed".to_owned(),
            (false, false) => format!("{} on SIGTERM", stopped.ending),
        };
        let output = milter.output();
        if !self.options.quiet && !self.options.json {
            let mut out = String::from("\n");
            report::line(&mut out, "Milter", &ending);
            if !output.is_empty() {
                report::line(&mut out, "Output", &crate::text::printable(output.as_bytes()));
            }
            put(&out);
        }
        self.facts.ending = Some(ending);
        self.facts.output = Some(output);
    }
}

/// A command as a shell takes it.
fn quoted(command: &[String]) -> String {
    let words = command.iter().map(String::as_str);
    shlex::try_join(words).unwrap_or_else(|_| command.join(" "))
}

/// Messages and envelope.
fn job(options: &Options) -> Result<Job, Failure> {
    let mut mails = Vec::new();
    for path in &options.files {
        let bytes = std::fs::read(path).map_err(|error| {
            let text = format!("cannot read the message {}: {error}", path.display());
            Failure::new(Status::NoInput, text)
        })?;
        mails.push(Mail { name: path.display().to_string(), message: Message::parse(&bytes) });
    }
    if mails.is_empty() {
        mails.push(Mail { name: "sample.eml".to_owned(), message: Message::parse(SAMPLE) });
    }
    let recipients: Vec<&str> = options.rcpt.iter().map(String::as_str).collect();
    Ok(Job {
        profile: options.profile,
        client: options.client.clone(),
        helo: options.helo.clone(),
        macros: options.macros.clone(),
        envelope: Envelope::new(&options.from, &recipients),
        mails,
        count: options.count,
        keep: options.json,
    })
}

/// Connects to a milter that runs already, or will within the bound.
fn connect(spec: &ConnSpec, wait: Duration) -> Result<Client, Failure> {
    let found = crate::milter::connect_within(spec, wait, || Ok(()))?;
    found.map_err(|error| {
        let text = format!("{error}\nIs the milter running, and is that its socket?");
        Failure::new(Status::Unavailable, text)
    })
}

/// Which library the milter has loaded, and a remark if it is not the one it should be.
fn loaded(milter: &Milter, wanted: Option<PathBuf>) -> (String, Option<String>) {
    let seen = milter.processes().into_iter();
    let seen: Vec<PathBuf> = seen.filter_map(processes::loaded_libmilters).flatten().collect();
    match wanted {
        Some(wanted) if seen.contains(&wanted) => (wanted.display().to_string(), None),
        Some(wanted) if !cfg!(target_os = "linux") => (wanted.display().to_string(), None),
        Some(wanted) => {
            let remark = format!(
                "the milter has not loaded {}: is it set-uid, or linked statically?",
                wanted.display()
            );
            (wanted.display().to_string(), Some(remark))
        }
        None => {
            let names: Vec<String> = seen.iter().map(|path| path.display().to_string()).collect();
            match names.is_empty() {
                true => ("as linked (none loaded dynamically)".to_owned(), None),
                false => (names.join(", "), None),
            }
        }
    }
}

/// The exit status, or what broke.
fn judge(job: &Job, records: &[Record], milter: Option<&mut Milter>) -> Result<Status, Failure> {
    let broken: Vec<&Broken> = records.iter().filter_map(|record| record.broken.as_ref()).collect();
    let Some(first) = broken.first() else {
        if records.iter().any(|record| record.left_open) {
            eprintln!("milter-try: the milter did not close the connection after QUIT");
        }
        let outcomes = records.iter().flat_map(|record| &record.outcomes);
        let worst = outcomes.map(|outcome| outcome.verdict).max();
        return Ok(Status::Verdict(worst.unwrap_or(Verdict::Accept)));
    };
    let mut message = match broken.len() {
        1 if records.len() == 1 => first.to_string(),
        count => format!("{count} of {} sessions failed, the first {first}", records.len()),
    };
    let mut status = Status::Protocol;
    match first {
        Broken::Connect(_) => status = Status::Unavailable,
        Broken::Session(error) => {
            let reply = SmtpReply::tempfailed(job.profile.mta);
            message.push_str(&format!("\nAn MTA tells the client: {reply}"));
            if error.is_timeout() {
                message.push_str("\nIf the milter needs longer, give --timeout.");
            }
        }
    }
    if let Some(milter) = milter
        && let Some(ending) = milter.poll_for(DEATH)
    {
        message.push_str(&format!("\nThe milter {ending}.{}", milter.output_lines()));
    }
    Err(Failure::new(status, message))
}
