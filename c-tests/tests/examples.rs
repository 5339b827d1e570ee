//! The example filters do what their head comments say, with either library in every linkage.

use crate::examples_support::example;
use c_tests::error::run;
use c_tests::{Compile, Headers, Linkage, Milter};
use milter_mta::mail::{Envelope, Message};
use milter_mta::session::{ClientInfo, Event, Mta, Outcome, Profile, Session, Verdict};
use milter_mta::{Client, ConnSpec};
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

/// How long to wait for anything the filter owes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running example and its connection spec.
struct Example(Milter, ConnSpec);

impl Example {
    /// Compiles and starts an example with a socket of its own and these further arguments.
    fn start(linkage: Linkage, name: &str, args: &[&str]) -> Self {
        let command = linkage.command(&example(name)).unwrap();
        let (milter, spec) = Milter::start_at_socket(command, args).unwrap();
        milter.check_mapped(linkage).unwrap();
        Self(milter, spec.parse().unwrap())
    }

    /// Plays one SMTP session with messages to it.
    fn session(&self, mta: Mta, client: &str, play: impl FnOnce(&mut Session<'_>)) {
        self.session_at("MTA", mta, client, play);
    }

    /// The same, with a client that connects to this service of the MTA.
    fn session_at(
        &self,
        daemon: &str,
        mta: Mta,
        client: &str,
        play: impl FnOnce(&mut Session<'_>),
    ) {
        let mut observer = |_: Event<'_>| {};
        let connection = Client::connect(&self.1, PATIENCE).unwrap();
        let mut session = Session::open(connection, Profile::new(mta), &mut observer).unwrap();
        session.macros().set("daemon_name", daemon);
        let address: IpAddr = client.parse().unwrap();
        let client = ClientInfo::new(Some("client.example"), address, 40_000);
        session.connect(&client).unwrap();
        session.helo("client.example").unwrap();
        play(&mut session);
        assert!(session.quit(PATIENCE).unwrap(), "the filter kept the connection");
    }

    /// Stops the filter, which must end well and have logged nothing.
    fn stop(self) {
        assert_eq!(self.0.log().lines().unwrap(), Vec::<String>::new());
        assert!(self.0.stop().unwrap().success());
    }
}

fn deliver(session: &mut Session<'_>, sender: &str, recipients: &[&str], text: &str) -> Outcome {
    let envelope = Envelope::new(sender, recipients);
    let message = Message::parse(text.as_bytes());
    session.deliver("4F0C2A", &envelope, &message).unwrap()
}

/// The message that goes on its way, with LF line ends.
fn delivered(outcome: &Outcome) -> String {
    let (_, message) = outcome.delivered.as_ref().unwrap_or_else(|| panic!("{outcome:?}"));
    String::from_utf8(message.to_bytes()).unwrap()
}

fn disclaimer(linkage: Linkage) {
    let example = Example::start(linkage, "disclaimer", &["ACME Ltd", "submission"]);
    let send = |session: &mut Session<'_>, text: &str| {
        delivered(&deliver(session, "a@a.example", &["b@b.example"], text))
    };
    let plain = "Subject: x\n\nhello\n";
    example.session(Mta::Postfix, "192.0.2.1", |session| {
        assert_eq!(send(session, plain), plain, "not outgoing");
        session.macros().set("auth_authen", "ada");
        assert_eq!(send(session, plain), "Subject: x\n\nhello\n\nACME Ltd\n");
        let typed =
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nä\n";
        assert_eq!(send(session, typed), format!("{typed}\nACME Ltd\n"));
        for left_alone in [
            "Content-Type: text/html\n\n<p>hello\n",
            "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhello\n--x--\n",
            "Content-Transfer-Encoding: base64\n\naGVsbG8K\n",
            "Content-Transfer-Encoding: quoted-printable\n\nhello=\n",
        ] {
            assert_eq!(send(session, left_alone), left_alone);
        }
        let long = format!("Subject: x\n\n{}", "a line that is repeated often\n".repeat(10_000));
        assert!(send(session, &long) == format!("{long}\nACME Ltd\n"));
    });
    example.session_at("submission", Mta::Sendmail, "192.0.2.1", |session| {
        assert_eq!(send(session, "Subject: x\n\n"), "Subject: x\n\n\nACME Ltd\n");
    });
    example.stop();
}

fn rhubarb(linkage: Linkage) {
    let example = Example::start(linkage, "rhubarb", &["rhubarb"]);
    // The number in the header, if there is one.
    let count = |session: &mut Session<'_>, text: &str| -> Option<usize> {
        let outcome = deliver(session, "a@a.example", &["b@b.example"], text);
        let (_, message) = outcome.delivered.unwrap();
        let value = String::from_utf8(message.values("X-Rhubarb").next()?.to_vec()).unwrap();
        value.split(' ').nth(2).unwrap().parse().ok()
    };
    example.session(Mta::Postfix, "192.0.2.1", |session| {
        assert_eq!(count(session, "Subject: rhubarb\n\nnone here\n"), None);
        assert_eq!(count(session, "Subject: x\n\nRhuBARB\n"), Some(1));
        assert_eq!(count(session, "Subject: x\n\nrhurhubarb\n"), Some(2));
        assert_eq!(count(session, "Subject: x\n\nrhubar b\n"), None);
        // In two packets, however the body is cut at 65535 bytes.
        for before in 65_526..65_537 {
            let split = format!("Subject: x\n\n{}rhubarb\n", "x".repeat(before));
            assert!(count(session, &split).is_some(), "after {before} bytes");
        }
    });
    let seen = 2 + 11;
    // All connections share the count: every message gets a number of its own.
    let mut counts: Vec<usize> = std::thread::scope(|scope| {
        let play = || {
            let mut counts = Vec::new();
            example.session(Mta::Sendmail, "192.0.2.1", |session| {
                counts.extend((0..10).filter_map(|_| count(session, "Subject: x\n\nrhubarb\n")));
            });
            counts
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(play)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    counts.sort_unstable();
    assert_eq!(counts, (seen + 1..=seen + 80).collect::<Vec<_>>());
    example.stop();
}

fn gatekeeper(linkage: Linkage) {
    let example = Example::start(linkage, "gatekeeper", &[]);
    let says = |outcome: &Outcome, verdict: Verdict, lines: &[&str]| {
        assert_eq!(
            (outcome.verdict, &outcome.reply.lines[..]),
            (verdict, &lines.iter().map(|&l| l.to_owned()).collect::<Vec<_>>()[..])
        );
    };
    let text = "Subject: x\n\nhello\n";
    example.session(Mta::Postfix, "203.0.113.7", |session| {
        let outcome = deliver(session, "a@a.example", &["b@b.example"], text);
        says(
            &outcome,
            Verdict::Reject,
            &["554-5.7.1 Your network is blocked.", "554 5.7.1 Write to postmaster."],
        );
    });
    example.session(Mta::Postfix, "198.51.100.7", |session| {
        let outcome = deliver(session, "a@a.example", &["b@b.example"], text);
        says(
            &outcome,
            Verdict::Tempfail,
            &["451-4.7.1 Too much mail from you.", "451 4.7.1 Try again in an hour."],
        );
    });
    example.session(Mta::Sendmail, "192.0.2.1", |session| {
        let outcome = deliver(session, "Seller@SPAM.example", &["b@b.example"], text);
        says(
            &outcome,
            Verdict::Reject,
            &[
                "550-5.7.1 <Seller@SPAM.example>... We know you.",
                "550 5.7.1 100% of your mail is spam.",
            ],
        );
        let outcome = deliver(session, "a@a.example", &["gone@b.example", "b@b.example"], text);
        assert_eq!(outcome.verdict, Verdict::Accept);
        assert_eq!(
            outcome.recipients[0].refused.as_ref().unwrap().lines[1],
            "550 5.1.6 Try info@ instead."
        );
        assert_eq!(outcome.recipients[1].refused, None);
        let (envelope, _) = outcome.delivered.as_ref().unwrap();
        assert_eq!(*envelope, Envelope::new("a@a.example", &["b@b.example"]));
        let outcome = deliver(session, "a@odd.example", &["b@b.example"], text);
        assert_eq!(outcome.quarantine_reason().as_deref(), Some("odd sender"));
        // What was remembered about one message is gone with the next.
        let outcome = deliver(session, "a@a.example", &["b@b.example"], text);
        assert_eq!((outcome.verdict, outcome.changes), (Verdict::Accept, Vec::new()));
    });
    example.stop();
}

fn rewrite(linkage: Linkage) {
    let example = Example::start(linkage, "rewrite", &["old@a.example", "new@b.example"]);
    let text = "From: Old <old@a.example>\nX-Mailer: one\nSubject: x\nX-Mailer: two\n\nhello\n";
    for mta in [Mta::Postfix, Mta::Sendmail] {
        example.session(mta, "192.0.2.1", |session| {
            let outcome = deliver(session, "old@a.example", &["old@a.example", "b@b.example"], text);
            assert_eq!(
                delivered(&outcome),
                "X-Old-Address: old@a.example\nFrom: new@b.example\nSubject: x\nX-Rewritten: 4F0C2A\n\nhello\n"
            );
            let (envelope, _) = outcome.delivered.unwrap();
            assert!(envelope.sender.is("new@b.example"), "{envelope}");
            let recipients: Vec<&str> = envelope.recipients.iter().map(|r| r.bare()).collect();
            assert_eq!(recipients, ["b@b.example", "new@b.example"]);

            let other = text.replace("old@a.example", "older@a.example");
            let outcome = deliver(session, "older@a.example", &["b@b.example"], &other);
            assert_eq!((outcome.verdict, outcome.changes), (Verdict::Accept, Vec::new()));
        });
    }
    example.stop();
}

/// They compile as they are against Debian's header and ours, from C99 to C23.
#[test]
fn they_compile_without_a_warning() {
    let directory = c_tests::paths::workspace().join("examples-c");
    let examples = ["disclaimer", "rhubarb", "gatekeeper", "rewrite"];
    let check = |compiler: &str, headers: Headers, standard: &str| {
        let mut compile = Command::new(compiler);
        compile.args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]);
        compile.arg(format!("-std={standard}"));
        compile.arg("-I").arg(headers.include().unwrap());
        compile.args(examples.map(|name| directory.join(format!("{name}.c"))));
        run(&mut compile, "the tests need gcc and clang").unwrap();
    };
    for compiler in ["gcc", "clang"] {
        for standard in ["c99", "c11", "gnu17"] {
            check(compiler, Headers::Reference, standard);
            check(compiler, Headers::Ours, standard);
        }
        // Debian's header defines `bool`, which is a word of the language in C23.
        check(compiler, Headers::Ours, "c2x");
    }
}

/// The README's first lines of C are a filter that does what they say.
#[test]
fn the_readme_has_a_whole_milter() {
    let readme = c_tests::paths::workspace().join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, code) = readme.split_once("```c\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let spec = format!("unix:{}/socket", dir.path().display());
    assert!(code.contains("inet:8890@127.0.0.1"));
    let source = dir.path().join("readme.c");
    std::fs::write(&source, code.replace("inet:8890@127.0.0.1", &spec)).unwrap();
    let compile = Compile::c(&source).headers(Headers::Ours).flag("-Wextra").flag("-Werror");
    let command = Linkage::OursDynamic.command(&compile.build().unwrap()).unwrap();
    let mut milter = Milter::start(command, |_, _| {}).unwrap();
    milter.wait_for(&spec).unwrap();
    let example = Example(milter, spec.parse().unwrap());
    example.session(Mta::Postfix, "192.0.2.1", |session| {
        let outcome = deliver(session, "a@a.example", &["b@b.example"], "Subject: x\n\nhello\n");
        assert_eq!(delivered(&outcome), "Subject: x\nX-Seen: yes\n\nhello\n");
    });
    example.stop();
}

macro_rules! in_each_linkage {
    ($($module:ident $linkage:ident,)*) => {$(
        mod $module {
            use super::Linkage;

            #[test]
            fn disclaimer() {
                super::disclaimer(Linkage::$linkage);
            }

            #[test]
            fn rhubarb() {
                super::rhubarb(Linkage::$linkage);
            }

            #[test]
            fn gatekeeper() {
                super::gatekeeper(Linkage::$linkage);
            }

            #[test]
            fn rewrite() {
                super::rewrite(Linkage::$linkage);
            }
        }
    )*};
}

in_each_linkage! {
    reference_dynamic ReferenceDynamic,
    reference_static ReferenceStatic,
    ours_dynamic OursDynamic,
    ours_static OursStatic,
    ours_preload OursPreload,
}
