//! The command line.

mod check;
mod types;
mod values;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use milter_mta::session::{ClientInfo, Mta, Profile, Timeouts};
use milter_mta::{ConnSpec, spec};

use crate::configured::{self, Configured};
use crate::paint::When;
use crate::status::Failure;
use crate::watch::Watch;
pub(crate) use types::{Library, Options, Request, Task};
pub(crate) use values::AddedMacro;
use values::{CLIENT_PORT, added_macro, client, number, seconds};

/// Most sessions at once: each takes a thread and a descriptor here and in the milter.
const MOST_SESSIONS: usize = 10_000;

/// How long the milter may take to end after SIGTERM. sendmail's libmilter needs up to 5 s.
const GRACE: Duration = Duration::from_secs(10);

/// Whether the outcome is to be one JSON document, however wrong the rest of the line is.
pub(crate) fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json")
}

/// Whether the outcome is to be one line for a monitoring system, likewise.
pub(crate) fn wants_check(arguments: &[OsString]) -> bool {
    let name =
        |word: &OsString| word.to_str().map(|word| word.split('=').next() == Some("--check"));
    let check = |word: &OsString| name(word) == Some(true);
    arguments.iter().take_while(|word| *word != "--").any(check)
}

/// What options say that has an effect only once all are read.
#[derive(Default)]
struct Later {
    timeout: Option<Duration>,
    mta: Option<Profile>,
    configured: Option<Configured>,
}

/// Reads the command line, without the program's name.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Request, Failure> {
    let mut arguments = arguments.into_iter();
    let ours: Vec<OsString> = arguments.by_ref().take_while(|word| word != "--").collect();
    let mut options = defaults(arguments.collect());
    let mut later = Later::default();
    let mut words = lexopt::Parser::from_args(ours);
    while let Some(word) = words.next().map_err(wrong)? {
        match word {
            Long("help") | Short('h') => return Ok(Request::Help),
            Long("version") | Short('V') => return Ok(Request::Version),
            Long("anonymize") => return anonymize(&mut words),
            Long("watch") => return watch(&mut words),
            Long("library") => match words.optional_value() {
                Some(path) => options.library = Library::At(path.into()),
                None => match words.next().map_err(wrong)? {
                    Some(Value(path)) => options.library = Library::At(path.into()),
                    Some(other) => return Err(wrong(other.unexpected())),
                    None => return Ok(Request::Library(Library::Find)),
                },
            },
            Long("linked") => options.library = Library::Linked,
            Value(file) => options.files.push(file.into()),
            Long(name) => {
                let name = name.to_owned();
                if !(about_the_milter(&name, &mut words, &mut options, &mut later)?
                    || about_the_mail(&name, &mut words, &mut options)?
                    || about_the_output(&name, &mut words, &mut options)?)
                {
                    return Err(wrong(Long(&name).unexpected()));
                }
            }
            Short('q') => options.quiet = true,
            Short(_) => return Err(wrong(word.unexpected())),
        }
    }
    finish(&mut options, later);
    if let Library::At(_) = options.library
        && check::names_no_milter(&options)
    {
        return Ok(Request::Library(options.library));
    }
    check::check(&options)?;
    Ok(Request::Run(Box::new(options)))
}

/// Takes an option if it is one of these.
fn about_the_milter(
    name: &str,
    words: &mut lexopt::Parser,
    options: &mut Options,
    later: &mut Later,
) -> Result<bool, Failure> {
    match name {
        "socket" => options.socket = Some(spec_option(words)?),
        "connect" => options.connect = Some(spec_option(words)?),
        "check" => {
            options.task = Task::Check;
            options.connect = Some(spec_option(words)?);
        }
        "sendmail-cf" => {
            let file = path(words)?;
            later.configured = Some(configured::sendmail(&file, &text(words)?)?);
        }
        "postfix" => {
            let which = words.optional_value().map(|value| value.string().map_err(wrong));
            let which = which.transpose()?;
            let which = which.map(|text| number("--postfix", &text, 99)).transpose()?;
            later.configured = Some(configured::postfix(which)?);
        }
        "wait" => options.wait = Some(seconds("--wait", &text(words)?)?),
        "grace" => options.grace = seconds("--grace", &text(words)?)?,
        "timeout" => later.timeout = Some(seconds("--timeout", &text(words)?)?),
        "mta" => {
            let parsed = text(words)?.parse::<Profile>();
            let parsed = parsed.map_err(|error| Failure::usage(format!("--mta: {error}")))?;
            later.mta = Some(parsed);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Takes an option if it is one of these.
fn about_the_mail(
    name: &str,
    words: &mut lexopt::Parser,
    options: &mut Options,
) -> Result<bool, Failure> {
    match name {
        "from" => options.from = text(words)?,
        "rcpt" => options.rcpt.push(text(words)?),
        "helo" => options.helo = text(words)?,
        "client" => options.client = client(&text(words)?)?,
        "macro" => options.macros.push(added_macro(&text(words)?)?),
        "count" => options.count = number("--count", &text(words)?, 1_000_000)?,
        "sessions" => {
            options.sessions = number("--sessions", &text(words)?, MOST_SESSIONS)?;
        }
        "replay" => options.task = Task::Replay(path(words)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Takes an option if it is one of these.
fn about_the_output(
    name: &str,
    words: &mut lexopt::Parser,
    options: &mut Options,
) -> Result<bool, Failure> {
    match name {
        "record" => options.record = Some(path(words)?),
        "deliver" => options.deliver = Some(path(words)?),
        "json" => options.json = true,
        "conversations" => options.conversations = true,
        "quiet" => options.quiet = true,
        "color" => options.color = values::when(&text(words)?)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Fills in what options leave open.
fn finish(options: &mut Options, later: Later) {
    if let Some(configured) = later.configured {
        options.connect = Some(configured.spec);
        options.profile = configured.profile;
    }
    if let Some(profile) = later.mta {
        options.profile = profile;
    }
    if let Some(bound) = later.timeout {
        options.profile.timeouts = Timeouts::uniform(bound);
        if matches!(options.task, Task::Check) {
            // For all of it.
            options.wait = Some(bound);
        }
    }
    if options.rcpt.is_empty() {
        options.rcpt.push("recipient@example.net".to_owned());
    }
}

fn defaults(command: Vec<OsString>) -> Options {
    let address = IpAddr::from([192, 0, 2, 25]);
    Options {
        task: Task::Play,
        socket: None,
        connect: None,
        wait: None,
        grace: GRACE,
        library: Library::Find,
        from: "sender@example.org".to_owned(),
        rcpt: Vec::new(),
        helo: "client.example.org".to_owned(),
        client: ClientInfo::new(Some("client.example.org"), address, CLIENT_PORT),
        macros: Vec::new(),
        count: 1,
        sessions: 1,
        profile: Profile::new(Mta::Postfix),
        json: false,
        conversations: false,
        quiet: false,
        color: When::Auto,
        record: None,
        deliver: None,
        files: Vec::new(),
        command,
    }
}

/// A capture, and nothing else.
fn anonymize(words: &mut lexopt::Parser) -> Result<Request, Failure> {
    let file = path(words)?;
    match words.next().map_err(wrong)? {
        None => Ok(Request::Anonymize(file)),
        Some(_) => {
            Err(Failure::usage("--anonymize FILE stands alone; it prints the other capture"))
        }
    }
}

/// A filter's statistics, how often, and nothing else.
fn watch(words: &mut lexopt::Parser) -> Result<Request, Failure> {
    let place = words.value().map_err(wrong)?;
    let mut count = None;
    while let Some(word) = words.next().map_err(wrong)? {
        match word {
            Long("count") => count = Some(number("--count", &text(words)?, 1_000_000)?),
            _ => {
                return Err(Failure::usage(
                    "--watch PATH stands alone, but for --count N behind it",
                ));
            }
        }
    }
    Ok(Request::Watch(Watch::new(&place, count)?))
}

fn wrong(error: lexopt::Error) -> Failure {
    Failure::usage(format!("{error}\ntry: milter-try --help"))
}

fn text(words: &mut lexopt::Parser) -> Result<String, Failure> {
    words.value().map_err(wrong)?.string().map_err(wrong)
}

fn path(words: &mut lexopt::Parser) -> Result<PathBuf, Failure> {
    Ok(words.value().map_err(wrong)?.into())
}

fn spec_option(words: &mut lexopt::Parser) -> Result<ConnSpec, Failure> {
    let parsed = text(words)?.parse::<ConnSpec>();
    parsed.map_err(|error| Failure::usage(format!("{error}\nIt may be\n{}", spec::GRAMMAR)))
}

#[cfg(test)]
mod tests;
