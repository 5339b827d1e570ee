//! docs/writing-milters.md: each program compiles without a warning, and does with both libraries what
//! stands below it.

use c_tests::protocol::{Block, Document};
use c_tests::{Compile, Headers, Linkage, Milter, Program, notes, paths};
use milter_mta::mail::{Envelope, Message};
use milter_mta::session::{ClientInfo, Event, Mta, Profile, Session, Verdict};
use milter_mta::{Client, ConnSpec};
use rustix::process::Signal;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a message is if the page says no more.
const HEAD: &str = "From: a@a.example\nSubject: hello\n";

/// The blocks of programs, each with what comes of it.
fn programs(page: &Document) -> Vec<(&Block, &Block)> {
    let mut out = Vec::new();
    let mut blocks = page.blocks.iter();
    while let Some(block) = blocks.next() {
        match block.kind.as_str() {
            "c" => {
                let played = blocks.next().filter(|next| next.kind == "played");
                let played = played.unwrap_or_else(|| panic!("line {}: no result", block.line));
                out.push((block, played));
            }
            "sh" => {}
            other => panic!("line {}: {other}", block.line),
        }
    }
    out
}

/// Compiles a program with the headers of each library, as the page says: no warning.
fn compile(block: &Block, headers: Headers) -> Program {
    let source = paths::work_dir("writing-milters").unwrap().join(format!("{}.c", block.line));
    paths::write_if_changed(&source, format!("{}\n", block.lines.join("\n")).as_bytes()).unwrap();
    let compile = Compile::c(source).headers(headers).flag("-Wextra").flag("-Werror");
    compile.build().unwrap_or_else(|error| panic!("line {}: {error}", block.line))
}

/// A running program with the session that is open.
struct Run {
    milter: Option<Milter>,
    spec: ConnSpec,
    session: Option<Session<'static>>,
}

impl Run {
    /// The open session, or a new one.
    fn session(&mut self) -> &mut Session<'static> {
        match self.session.take() {
            Some(session) => self.session.insert(session),
            None => self.client(),
        }
    }

    fn client(&mut self) -> &mut Session<'static> {
        // Without size: nothing is lost.
        let observer = Box::leak(Box::new(|_: Event<'_>| {}));
        let connection = Client::connect(&self.spec, PATIENCE).unwrap();
        let mut session = Session::open(connection, Profile::new(Mta::Postfix), observer).unwrap();
        let client = ClientInfo::new(Some("client.example"), "192.0.2.25".parse().unwrap(), 40_000);
        session.connect(&client).unwrap();
        session.helo("client.example").unwrap();
        self.session.insert(session)
    }

    fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            assert!(session.quit(PATIENCE).unwrap(), "the filter kept the connection");
        }
    }
}

/// `message from <a> to <b> <c> with Name: value`, and what comes of it.
fn message(session: &mut Session<'_>, words: &str) -> Vec<String> {
    let (words, more) = words.split_once(" with ").unwrap_or((words, ""));
    let (sender, recipients) = words.split_once(" to ").unwrap_or((words, "<b@b.example>"));
    let recipients: Vec<&str> = recipients.split(' ').collect();
    let more = if more.is_empty() { String::new() } else { format!("{more}\n") };
    let text = format!("{HEAD}{more}\nHow are you?\n");
    let sent = Message::parse(text.as_bytes());
    let outcome = session.deliver("4F0C2A", &Envelope::new(sender, &recipients), &sent).unwrap();
    let mut out = Vec::new();
    if outcome.verdict == Verdict::Accept {
        out.push(format!("  {}", outcome.reply.code));
    } else {
        out.extend(outcome.reply.to_string().lines().map(|line| format!("  {}", line.trim())));
    }
    if let Some((_, delivered)) = outcome.delivered {
        let after = String::from_utf8(delivered.to_bytes()).unwrap();
        let head = |text: &str| -> Vec<String> {
            text.split("\n\n").next().unwrap_or_default().lines().map(str::to_owned).collect()
        };
        let (before, after) = (head(&text), head(&after));
        let missing = |these: &[String], those: &[String], sign| -> Vec<String> {
            let lines = these.iter().filter(|line| !those.contains(line));
            lines.map(|line| format!("  {sign} {line}")).collect()
        };
        out.extend(missing(&after, &before, '+'));
        out.extend(missing(&before, &after, '-'));
    }
    out
}

/// Plays what a block says, and gives the block as it should be.
fn play(program: &Program, linkage: Linkage, block: &Block) -> Vec<String> {
    let mut command = linkage.command(program).unwrap();
    command.stdout(Stdio::piped());
    let (milter, spec) = Milter::start_at_socket(command, &[]).unwrap();
    milter.check_mapped(linkage).unwrap();
    let mut run = Run { milter: Some(milter), spec: spec.parse().unwrap(), session: None };
    let mut out = Vec::new();
    for line in block.lines.iter().filter(|line| !line.starts_with(' ')) {
        out.push(line.clone());
        if let Some(words) = line.strip_prefix("message from ") {
            out.extend(message(run.session(), words));
        } else if line == "another client" {
            run.leave();
        } else if line == "stop" {
            run.leave();
            let mut milter = run.milter.take().unwrap();
            milter.signal(Signal::TERM).unwrap();
            let status = milter.wait().unwrap().code();
            out.push(format!("  status {}", status.unwrap_or(-1)));
            let mut printed = String::new();
            milter.child().stdout.take().unwrap().read_to_string(&mut printed).unwrap();
            out.extend(printed.lines().map(|line| format!("  {line}")));
        } else {
            panic!("line {}: cannot read: {line}", block.line);
        }
    }
    run.leave();
    if let Some(milter) = run.milter {
        assert_eq!(milter.log().lines().unwrap(), Vec::<String>::new(), "line {}", block.line);
    }
    out
}

#[test]
fn programs_do_what_stands_below_them() {
    let page = Document::read("writing-milters.md").unwrap();
    let programs = programs(&page);
    assert!(programs.len() >= 7, "{}", programs.len());
    let messages: usize = programs
        .iter()
        .map(|(_, played)| played.lines.iter().filter(|line| line.starts_with("message ")).count())
        .sum();
    std::thread::scope(|scope| {
        for (code, played) in &programs {
            scope.spawn(move || {
                compile(code, Headers::Ours);
                let program = compile(code, Headers::Reference);
                for linkage in [Linkage::ReferenceDynamic, Linkage::OursDynamic] {
                    let seen = play(&program, linkage, played);
                    let line = played.line;
                    assert!(seen == played.lines, "line {line}, {linkage:?}:\n{}", seen.join("\n"));
                }
            });
        }
    });
    let told =
        format!("{} programs in C and {messages} messages with each library", programs.len());
    notes::note(notes::SHOWN_TRUE, "docs/writing-milters.md", &told).unwrap();
}

/// The specifications of the table are taken by both libraries' `smfi_opensocket`, or by nobody.
#[test]
fn specifications_are_of_known_kinds() {
    let page = Document::read("writing-milters.md").unwrap();
    let table = page.table(&["Specification", "Listens on"]);
    for row in &table.rows {
        let spec: ConnSpec = row[0].parse().unwrap_or_else(|error| panic!("{}: {error}", row[0]));
        assert_eq!(spec.to_string(), row[0]);
    }
}
