//! Sessions: one with its conversation, or many at once.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use milter_mta::mail::Envelope;
use milter_mta::session::{ClientInfo, Event, Outcome, Profile, Session, SessionError};
use milter_mta::{Agreement, Client, ClientError, ConnSpec};

use crate::mails::Mail;
use crate::milter::system;
use crate::options::AddedMacro;
use crate::status::Failure;
use crate::transcript::{Entry, Sink, Times, Transcript};

/// How long the milter may take to close after QUIT.
const LINGER: Duration = Duration::from_secs(5);

/// Pause between two progress lines, for a terminal and for a log.
const PROGRESS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Stack of a session's thread, in bytes.
const STACK: usize = 256 * 1024;

/// What every session plays.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) profile: Profile,
    pub(crate) client: ClientInfo,
    pub(crate) helo: String,
    pub(crate) macros: Vec<AddedMacro>,
    pub(crate) envelope: Envelope,
    pub(crate) mails: Vec<Mail>,
    pub(crate) count: usize,
    /// Keep the messages that come out; else only the verdicts are needed.
    pub(crate) keep: bool,
    /// Keep what is said in each of several sessions.
    pub(crate) conversations: bool,
}

impl Job {
    /// Messages in one session.
    pub(crate) fn messages(&self) -> usize {
        self.mails.len() * self.count
    }

    /// The message that is played as number `index` of a session.
    pub(crate) fn mail(&self, index: usize) -> &Mail {
        &self.mails[index % self.mails.len()]
    }
}

/// Why a session ended early.
#[derive(Debug)]
pub(crate) enum Broken {
    /// No connection.
    Connect(ClientError),
    /// The milter failed.
    Session(SessionError),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Broken::Connect(error) => error.fmt(f),
            Broken::Session(error) => error.fmt(f),
        }
    }
}

/// What became of a session.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) agreement: Option<Agreement>,
    pub(crate) outcomes: Vec<Outcome>,
    /// How long the milter took for each of them; the first has what came before.
    pub(crate) times: Vec<Times>,
    /// What was said, for JSON and for a person, if it was to be kept.
    pub(crate) entries: Vec<Entry>,
    pub(crate) conversation: String,
    pub(crate) broken: Option<Broken>,
    /// The milter did not close after QUIT.
    pub(crate) left_open: bool,
}

/// Plays one session; `each` is told of every outcome when it is there.
pub(crate) fn session(
    job: &Job,
    number: usize,
    client: Client,
    transcript: &RefCell<Transcript>,
    each: &mut dyn FnMut(usize, &Outcome, &Times),
) -> Record {
    let mut record = Record::default();
    let mut observer = |event: Event<'_>| transcript.borrow_mut().hear(event);
    let result = Session::open(client, job.profile, &mut observer).and_then(|mut session| {
        record.agreement = Some(session.agreement().clone());
        for (stage, name, value) in &job.macros {
            session.macros().add(*stage, name, value.as_str());
        }
        session.connect(&job.client)?;
        if session.is_active() {
            session.helo(&job.helo)?;
        }
        for index in 0..job.messages() {
            let queue_id = queue_id(job, number, index);
            let message = &job.mail(index).message;
            let mut outcome = session.deliver(&queue_id, &job.envelope, message)?;
            transcript.borrow_mut().pause();
            let times = transcript.borrow_mut().take_times();
            each(index, &outcome, &times);
            record.times.push(times);
            if !job.keep {
                outcome.delivered = None;
                outcome.changes.clear();
            }
            record.outcomes.push(outcome);
        }
        session.quit(LINGER)
    });
    record.conversation = transcript.borrow_mut().finish();
    match result {
        Ok(closed) => record.left_open = !closed,
        Err(error) => record.broken = Some(Broken::Session(error)),
    }
    record
}

/// A name for the message, different for all sessions and messages, in the MTA's style.
fn queue_id(job: &Job, session: usize, index: usize) -> String {
    if job.profile.mta.is_sendmail() {
        format!("6239U1{session:05}{index:06}")
    } else {
        format!("4C{session:04X}{index:05X}")
    }
}

/// Plays `sessions` sessions at once; the first one on a connection that is open already.
pub(crate) fn many(
    job: &Job,
    sessions: usize,
    spec: &ConnSpec,
    first: Client,
    quiet: bool,
) -> Result<Vec<Record>, Failure> {
    let (told, news) = channel();
    let bound = job.profile.timeouts.command;
    let mut progress = Progress::new(sessions, sessions * job.messages(), quiet);
    std::thread::scope(|scope| {
        let mut first = Some(first);
        let mut threads = Vec::with_capacity(sessions);
        for number in 0..sessions {
            let (told, open) = (told.clone(), first.take());
            let thread = std::thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, move || one_of_many(job, number, spec, open, bound, &told))
                .map_err(|error| system(&format!("start a thread for session {number}"), &error))?;
            threads.push(thread);
        }
        drop(told);
        loop {
            match news.recv_timeout(progress.pause) {
                Ok(News::Message) => progress.messages += 1,
                Ok(News::Session) => progress.sessions += 1,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            progress.show(false);
        }
        progress.show(true);
        let records = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        Ok(records.collect())
    })
}

/// Raises the limit on open files, which the milter inherits, if the sessions need more.
pub(crate) fn allow_descriptors(sessions: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    // For files other than connections, here and in the milter.
    const OTHERS: u64 = 100;
    let needed = u64::try_from(sessions).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
        // If that is refused, the sessions that do not fit say so.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// What a session tells while it runs.
enum News {
    Message,
    Session,
}

fn one_of_many(
    job: &Job,
    number: usize,
    spec: &ConnSpec,
    open: Option<Client>,
    bound: Duration,
    told: &Sender<News>,
) -> Record {
    let client = open.map_or_else(|| Client::connect(spec, bound), Ok);
    let record = match client {
        Ok(client) => {
            let sink = if job.conversations { Sink::Memory(String::new()) } else { Sink::Nowhere };
            let transcript = RefCell::new(Transcript::new(sink, job.conversations, None));
            let mut each = |_, _: &Outcome, _: &Times| {
                // Nobody listens any more if the main thread has given up.
                let _ = told.send(News::Message);
            };
            let mut record = session(job, number, client, &transcript, &mut each);
            if job.conversations {
                record.entries = transcript.into_inner().entries;
            }
            record
        }
        Err(error) => Record { broken: Some(Broken::Connect(error)), ..Record::default() },
    };
    let _ = told.send(News::Session);
    record
}

/// The progress line on standard error: rewritten on a terminal, now and then in a log.
struct Progress {
    sessions: usize,
    messages: usize,
    all_sessions: usize,
    all_messages: usize,
    quiet: bool,
    terminal: bool,
    pause: Duration,
    started: Instant,
    last: Instant,
}

impl Progress {
    fn new(all_sessions: usize, all_messages: usize, quiet: bool) -> Progress {
        let terminal = io::stderr().is_terminal();
        let now = Instant::now();
        Progress {
            sessions: 0,
            messages: 0,
            all_sessions,
            all_messages,
            quiet,
            terminal,
            pause: if terminal { PROGRESS.0 } else { PROGRESS.1 },
            started: now,
            last: now,
        }
    }

    fn show(&mut self, end: bool) {
        let now = Instant::now();
        if self.quiet || !end && now - self.last < self.pause {
            return;
        }
        self.last = now;
        let (before, after) = match (self.terminal, end) {
            (true, false) => ("\r", ""),
            (true, true) => ("\r", "\n"),
            (false, _) => ("", "\n"),
        };
        let line = format!(
            "{before}{}/{} sessions, {}/{} messages, {:.1} s{after}",
            self.sessions,
            self.all_sessions,
            self.messages,
            self.all_messages,
            (now - self.started).as_secs_f32()
        );
        let _ = io::stderr().write_all(line.as_bytes());
    }
}
