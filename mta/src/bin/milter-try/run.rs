//! From the command line to the exit status.

use std::time::Duration;

use milter_mta::capture::SharedRecorder;
use milter_mta::{Capture, Client, ConnSpec};
use serde_json::Value;

use crate::json::{self, MilterFacts};
use crate::log::{self, LogFile};
use crate::milter::{Milter, Stopped, system};
use crate::options::{Options, Task};
use crate::output::put;
use crate::place::{self, Private};
use crate::play::{self, Job};
use crate::status::{Failure, Status};
use crate::{check, interrupt, library, loaded, paint, playing, recording, replaying, report};

/// How long a started milter may take to accept, unless told otherwise.
const WAIT: Duration = Duration::from_secs(10);

/// How long to look for the end of a milter that has hung up in mid-session.
const DEATH: Duration = Duration::from_secs(1);

/// Does what the command line says.
pub(crate) fn run(options: &Options) -> Result<Status, Failure> {
    paint::choose(options.color);
    if let (Task::Check, Some(spec)) = (&options.task, &options.connect) {
        let (status, line) = check::check(spec, options.profile, options.wait);
        if !options.quiet {
            put(&line);
        }
        return Ok(status);
    }
    let mut run = Run {
        options,
        facts: MilterFacts::default(),
        sessions: Vec::new(),
        replayed: None,
        started: false,
        log: None,
    };
    let result = run.all();
    if options.json {
        let (status, error) = match &result {
            Ok(status) => (*status, None),
            Err(failure) => (failure.status, Some(failure.message.as_str())),
        };
        put(&json::document(status.code(), error, &run.facts, run.sessions, run.replayed));
    }
    result
}

/// What is played.
enum Plan {
    Messages(Box<Job>),
    Capture(Box<Capture>),
}

/// One run with what has been found out for the JSON document.
struct Run<'a> {
    options: &'a Options,
    facts: MilterFacts,
    sessions: Vec<Value>,
    replayed: Option<Value>,
    /// The report has begun: the milter was reached.
    started: bool,
    /// What the library logs, as far as it has not been shown.
    log: Option<LogFile>,
}

impl Run<'_> {
    fn all(&mut self) -> Result<Status, Failure> {
        let options = self.options;
        let plan = match &options.task {
            Task::Replay(file) => Plan::Capture(Box::new(recording::read(file)?)),
            Task::Play | Task::Check => Plan::Messages(Box::new(playing::job(options)?)),
        };
        let private = Private::make();
        let private = private.map_err(|error| system("create a temporary directory", &error))?;
        interrupt::watch(private.path().to_owned())
            .map_err(|error| system("watch for signals", &error))?;
        if options.sessions > 1 {
            play::allow_descriptors(options.sessions);
        }
        let (spec, mut milter) = match &options.connect {
            Some(spec) => (spec.clone(), None),
            None => self.start(&private).map(|(spec, milter)| (spec, Some(milter)))?,
        };
        self.facts.socket = spec.to_string();
        let mut played = self.play(&plan, &spec, milter.as_mut());
        if let (Err(failure), Some(milter)) = (&mut played, &mut milter)
            && self.started
            && let Some(ending) = milter.poll_for(DEATH)
        {
            failure.message += &format!("\nThe milter {ending}.{}", milter.output_lines());
        }
        interrupt::hold();
        let stopped = milter.as_mut().map(|milter| milter.stop(options.grace));
        interrupt::milter_stopped();
        if let (true, Some(milter), Some(stopped)) = (self.started, &milter, &stopped) {
            self.tell_end(milter, stopped);
        }
        let status = played?;
        stopped.map_or(Ok(()), |stopped| judge_end(&stopped, options.grace))?;
        Ok(status)
    }

    /// Starts the milter.
    fn start(&mut self, private: &Private) -> Result<(ConnSpec, Milter), Failure> {
        let options = self.options;
        let mut command = options.command.clone();
        let fresh = private.open().join("milter.sock");
        let filled = place::fill_in(&mut command, &fresh);
        let spec = match (&options.socket, filled) {
            (Some(spec), _) => spec.clone(),
            (None, true) => ConnSpec::Unix(fresh),
            (None, false) => place::find(&command)?,
        };
        let library = library::locate(&options.library)?;
        let mut environment = match &library {
            Some(path) => library::environment(path, private.path())
                .map_err(|error| system("prepare the library", &error))?,
            None => Vec::new(),
        };
        if std::env::var_os(log::VARIABLE).is_none() {
            let file = private.make_log().map_err(|error| system("create a file", &error))?;
            environment.push((log::VARIABLE, file.clone().into()));
            self.log = Some(LogFile::new(file));
        }
        let shown = command.iter().map(|word| word.to_string_lossy().into_owned());
        self.facts.command = shown.collect();
        let milter = Milter::start(&command, environment, &spec, private.path())?;
        interrupt::milter_started(milter.group(), &spec);
        self.facts.wanted = library;
        Ok((spec, milter))
    }

    /// Connects and plays.
    fn play(
        &mut self,
        plan: &Plan,
        spec: &ConnSpec,
        mut milter: Option<&mut Milter>,
    ) -> Result<Status, Failure> {
        let options = self.options;
        let mut client = match &mut milter {
            Some(milter) => milter.wait_for_socket(options.wait.unwrap_or(WAIT))?,
            None => connect(spec, options.wait.unwrap_or(Duration::ZERO))?,
        };
        self.tell_start(milter.as_deref(), plan);
        let recorder = match &options.record {
            Some(file) => Some((file, self.record(file, plan, &mut client)?)),
            None => None,
        };
        let status = match plan {
            Plan::Messages(job) => self.play_messages(job, spec, client),
            Plan::Capture(capture) => {
                let print = !options.quiet && !options.json;
                let timeouts = &options.profile.timeouts;
                let replayed = replaying::play(capture, client, timeouts, print);
                self.replayed = Some(replayed.value);
                Ok(replayed.status)
            }
        };
        if let Some((file, recorder)) = recorder {
            recording::end(file, &recorder)?;
        }
        status
    }

    fn play_messages(
        &mut self,
        job: &Job,
        spec: &ConnSpec,
        client: Client,
    ) -> Result<Status, Failure> {
        let options = self.options;
        let log = self.log.take();
        let played = match options.sessions {
            1 => playing::one(options, job, client, log),
            _ => playing::many(options, job, spec, client, log)?,
        };
        self.log = played.log;
        self.sessions = played.sessions;
        if let Some(record) = played.records.first() {
            playing::write_delivered(options, job, record)?;
        }
        playing::judge(job, &played.records)
    }

    /// Has the connection recorded.
    fn record(
        &self,
        file: &std::path::Path,
        plan: &Plan,
        client: &mut Client,
    ) -> Result<SharedRecorder, Failure> {
        let mut facts = vec![("milter", self.facts.socket.clone())];
        if !self.facts.command.is_empty() {
            facts[0].1 = quoted(&self.facts.command);
        }
        facts.push(("library", self.facts.loaded.in_words()));
        match plan {
            Plan::Messages(job) => facts.push(("mta", job.profile.mta.name().to_owned())),
            Plan::Capture(capture) => {
                facts.extend(capture.fact("mta").map(|mta| ("mta", mta.to_owned())));
            }
        }
        facts.retain(|(_, value)| !value.is_empty());
        let recorder = recording::begin(file, &facts)?;
        client.set_tap(Box::new(recorder.clone()));
        Ok(recorder)
    }

    /// Says what is being tried.
    fn tell_start(&mut self, milter: Option<&Milter>, plan: &Plan) {
        self.started = true;
        let mut out = String::new();
        if let (Plan::Capture(capture), Task::Replay(file)) = (plan, &self.options.task) {
            let by = capture.fact("recorder").unwrap_or("an unknown recorder");
            let at = capture.fact("started").map(|at| format!(", {at}")).unwrap_or_default();
            report::line(&mut out, "Replay", &format!("{}, by {by}{at}", file.display()));
        }
        if let Some(milter) = milter {
            report::line(&mut out, "Milter", &quoted(&self.facts.command));
            let loaded = loaded::look(milter, self.facts.wanted.take());
            report::line(&mut out, "Library", &loaded.in_words());
            if let Some(remark) = &loaded.remark
                && (self.options.quiet || self.options.json)
            {
                eprintln!("milter-try: {remark}");
            }
            self.facts.loaded = loaded;
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
        let lines = self.log.as_mut().map(LogFile::new_lines).unwrap_or_default();
        if !self.options.quiet && !self.options.json {
            let mut out = String::from("\n");
            for line in &lines {
                report::words(&mut out, "Log", log::without_stamp(line));
            }
            report::line(&mut out, "Milter", &ending);
            let text = output.in_words();
            if !text.is_empty() {
                report::line(&mut out, "Output", &text);
            }
            put(&out);
        }
        self.facts.ending = Some(ending);
        self.facts.output = Some(output);
        self.facts.log = lines;
    }
}

/// A milter that does not end as it is told has not done its job, whatever it said before.
fn judge_end(stopped: &Stopped, grace: Duration) -> Result<(), Failure> {
    let ending = &stopped.ending;
    let message = if stopped.forced {
        let grace = grace.as_secs_f32();
        format!(
            "the milter did not stop within {grace} s of SIGTERM and was killed\n\
             If it needs longer, give --grace."
        )
    } else if ending.is_crash() || stopped.early && !ending.is_orderly() {
        format!("the milter {ending}")
    } else if !ending.is_orderly() {
        format!("the milter {ending} when it was told to stop")
    } else {
        return Ok(());
    };
    Err(Failure::new(Status::Protocol, message))
}

/// A command as a shell takes it.
fn quoted(command: &[String]) -> String {
    let words = command.iter().map(String::as_str);
    shlex::try_join(words).unwrap_or_else(|_| command.join(" "))
}

/// Connects to a milter that runs already, or will within the bound.
fn connect(spec: &ConnSpec, wait: Duration) -> Result<Client, Failure> {
    let found = crate::milter::connect_within(spec, wait, || Ok(()))?;
    found.map_err(|error| {
        let text = format!("{error}\nIs the milter running, and is that its socket?");
        Failure::new(Status::Unavailable, text)
    })
}
