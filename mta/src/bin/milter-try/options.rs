//! The command line.

mod values;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use milter_mta::session::{ClientInfo, Mta, Profile, Timeouts};
use milter_mta::{ConnSpec, spec};

use crate::paint::When;
use crate::status::Failure;
pub(crate) use values::AddedMacro;
use values::{CLIENT_PORT, added_macro, client, number, seconds};

/// Most sessions at once: each takes a thread and a descriptor here and in the milter.
const MOST_SESSIONS: usize = 10_000;

/// How long the milter may take to end after SIGTERM. sendmail's libmilter needs up to 5 s.
const GRACE: Duration = Duration::from_secs(10);

/// Which libmilter the milter runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// Look for one.
    Find,
    /// This one.
    At(PathBuf),
    /// The one it was linked with.
    Linked,
}

/// Everything the command line says.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) socket: Option<ConnSpec>,
    pub(crate) connect: Option<ConnSpec>,
    pub(crate) wait: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) library: Library,
    pub(crate) from: String,
    pub(crate) rcpt: Vec<String>,
    pub(crate) helo: String,
    pub(crate) client: ClientInfo,
    pub(crate) macros: Vec<AddedMacro>,
    pub(crate) count: usize,
    pub(crate) sessions: usize,
    pub(crate) profile: Profile,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) color: When,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) command: Vec<OsString>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Play messages.
    Run(Box<Options>),
    /// Print the help text.
    Help,
    /// Print the version.
    Version,
}

/// Reads the command line, without the program's name.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Request, Failure> {
    let mut arguments = arguments.into_iter();
    let ours: Vec<OsString> = arguments.by_ref().take_while(|word| word != "--").collect();
    let command: Vec<OsString> = arguments.collect();
    let mut options = defaults(command);
    let mut timeout = None;
    let mut words = lexopt::Parser::from_args(ours);
    while let Some(word) = words.next().map_err(wrong)? {
        match word {
            Long("help") | Short('h') => return Ok(Request::Help),
            Long("version") | Short('V') => return Ok(Request::Version),
            Long("socket") => options.socket = Some(spec_option(&mut words)?),
            Long("connect") => options.connect = Some(spec_option(&mut words)?),
            Long("wait") => options.wait = Some(seconds("--wait", &text(&mut words)?)?),
            Long("grace") => options.grace = seconds("--grace", &text(&mut words)?)?,
            Long("timeout") => timeout = Some(seconds("--timeout", &text(&mut words)?)?),
            Long("library") => options.library = Library::At(words.value().map_err(wrong)?.into()),
            Long("linked") => options.library = Library::Linked,
            Long("from") => options.from = text(&mut words)?,
            Long("rcpt") => options.rcpt.push(text(&mut words)?),
            Long("helo") => options.helo = text(&mut words)?,
            Long("client") => options.client = client(&text(&mut words)?)?,
            Long("macro") => options.macros.push(added_macro(&text(&mut words)?)?),
            Long("count") => options.count = number("--count", &text(&mut words)?, 1_000_000)?,
            Long("sessions") => {
                options.sessions = number("--sessions", &text(&mut words)?, MOST_SESSIONS)?;
            }
            Long("mta") => {
                let parsed = text(&mut words)?.parse::<Profile>();
                options.profile =
                    parsed.map_err(|error| Failure::usage(format!("--mta: {error}")))?;
            }
            Long("json") => options.json = true,
            Long("quiet") | Short('q') => options.quiet = true,
            Long("color") => options.color = values::when(&text(&mut words)?)?,
            Value(file) => options.files.push(file.into()),
            _ => return Err(wrong(word.unexpected())),
        }
    }
    if let Some(bound) = timeout {
        options.profile.timeouts = Timeouts::uniform(bound);
    }
    if options.rcpt.is_empty() {
        options.rcpt.push("recipient@example.net".to_owned());
    }
    check(&options)?;
    Ok(Request::Run(Box::new(options)))
}

fn defaults(command: Vec<OsString>) -> Options {
    let address = IpAddr::from([192, 0, 2, 25]);
    Options {
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
        quiet: false,
        color: When::Auto,
        files: Vec::new(),
        command,
    }
}

/// Options that exclude each other.
fn check(options: &Options) -> Result<(), Failure> {
    match (&options.connect, options.command.is_empty()) {
        (None, true) => Err(Failure::usage(
            "no milter: put its command after \"--\", or give --connect SPEC\n\
             for example: milter-try -- ./my-milter -p {socket}",
        )),
        (Some(_), false) => Err(Failure::usage(
            "--connect talks to a milter that runs already, so no command may follow",
        )),
        (Some(_), true) if options.socket.is_some() => Err(Failure::usage(
            "--socket tells where the command listens; with --connect there is none",
        )),
        (Some(_), true) if options.library != Library::Find => {
            Err(Failure::usage("--connect talks to a milter that has its library already"))
        }
        _ => Ok(()),
    }
}

fn wrong(error: lexopt::Error) -> Failure {
    Failure::usage(format!("{error}\ntry: milter-try --help"))
}

fn text(words: &mut lexopt::Parser) -> Result<String, Failure> {
    words.value().map_err(wrong)?.string().map_err(wrong)
}

fn spec_option(words: &mut lexopt::Parser) -> Result<ConnSpec, Failure> {
    let parsed = text(words)?.parse::<ConnSpec>();
    parsed.map_err(|error| Failure::usage(format!("{error}\nIt may be\n{}", spec::GRAMMAR)))
}

#[cfg(test)]
mod tests;
