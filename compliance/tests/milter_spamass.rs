//! spamass-milter: starts `spamc` from its callbacks, which asks a real spamd.

use compliance::compare::BOTH_WAYS;
use compliance::filter::{Filter, Socket, packaged};
use compliance::milters::{Daemon, Service, left_out, pair, perl_directories, redirect_exec};
use compliance::mta::Kind;
use compliance::{Linkage, Mta, Observation, Packages, Result, compare};
use std::fs;
use std::process::Command;

const PACKAGES: &[&str] = &["spamass-milter", "spamassassin", "spamd", "spamc"];

/// Two rules, and what it takes to look at a message at all; nothing that asks the network.
const RULES: &str = "loadplugin Mail::SpamAssassin::Plugin::Check
required_score 5
report_safe 1
use_bayes 0
rewrite_header Subject [SPAM]
add_header spam Flag _YESNOCAPS_
add_header all Level _STARS(*)_
add_header all Status _YESNO_, score=_SCORE_ required=_REQD_ tests=_TESTS_
report Two rules of a test. _HITS_ points.
header TEST_PILLS Subject =~ /cheap pills/i
score TEST_PILLS 7.5
describe TEST_PILLS Cheap pills
body TEST_CASINO /online casino/i
score TEST_CASINO 20
describe TEST_CASINO A casino
";

fn spamd() -> Result<Service> {
    let packages = Packages::unpack(PACKAGES)?;
    let mut command = c_tests::start::command("/usr/bin/perl");
    command.env("LD_LIBRARY_PATH", &packages.libraries).arg("-T");
    for dir in perl_directories(&packages)? {
        command.arg("-I").arg(dir);
    }
    command.arg(packages.root.join("usr/sbin/spamd"));
    Service::start(command, |command, dir, socket| {
        let rules = dir.join("rules");
        fs::create_dir(&rules)?;
        fs::write(rules.join("local.cf"), RULES)?;
        let rules = rules.display();
        command.args(["--local", "--nouser-config", "--syslog=stderr", "--max-children=4"]);
        command.arg(format!("--configpath={rules}"));
        command.arg(format!("--siteconfigpath={rules}"));
        command.arg(format!("--helper-home-dir={}", dir.display()));
        command.arg(format!("--socketpath={}", socket.display()));
        command.arg("--socketmode=0666");
        Ok(())
    })
}

/// The milter, with the path of `spamc` that it has compiled in.
fn command(linkage: Linkage) -> Result<Command> {
    let packages = Packages::unpack(PACKAGES)?;
    let mut command = packaged(linkage, &packages, "usr/sbin/spamass-milter")?;
    redirect_exec(&mut command, "/usr/bin/spamc", &packages.root.join("usr/bin/spamc"))?;
    Ok(command)
}

fn play(mta: &Mta, seen: &mut Observation) -> Result<()> {
    let message = |subject: &str, body: &str| {
        format!(
            "From: a@a.example\r\nSubject: {subject}\r\nX-Spam-Status: forged\r\n\r\n{body}\r\n"
        )
    };
    let long = "some line of a long body\r\n".repeat(8000);
    let mut smtp = mta.smtp()?;
    smtp.send("ham@a.example", &["1@b.example"], &message("hello", "nothing"))?;
    smtp.send("pills@a.example", &["2@b.example"], &message("Cheap pills", "buy"))?;
    smtp.script(&["MAIL FROM:<a@a.example>", "RCPT TO:<x@b.example>", "RSET"])?;
    let casino = message("hello", "An online casino");
    smtp.send("casino@a.example", &["3@b.example", "4@b.example"], &casino)?;
    smtp.send("long@a.example", &["5@b.example"], &message("hello", &long))?;
    seen.section("SMTP", smtp.quit()?);
    // Several children at once; what they read and write must not be mixed up.
    let many: Vec<Result<Vec<String>>> = std::thread::scope(|scope| {
        let session = |number: usize| -> Result<Vec<String>> {
            let mut smtp = mta.smtp()?;
            let subject = if number.is_multiple_of(2) { "cheap pills" } else { "plain" };
            let message = message(&format!("{subject} {number}"), &long);
            smtp.send("many@a.example", &[&format!("many{number}@b.example")], &message)?;
            smtp.quit()
        };
        let start = |number| scope.spawn(move || session(number));
        let threads: Vec<_> = (0..4).map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("a session")).collect()
    });
    for (number, transcript) in many.into_iter().enumerate() {
        seen.section(format!("SMTP of session {number}"), transcript?);
    }
    mta.settle()?;
    for delivery in mta.deliveries()? {
        let title = format!("delivered to {}", delivery.recipient);
        seen.section(title, delivery.message.lines().take(60));
    }
    let mut log = mta.milter_log();
    log.retain(|line| line.contains("warning") || line.contains("fatal"));
    seen.section("warnings of the MTA", log);
    seen.expect("SMTP", "Blocked by SpamAssassin");
    seen.expect("delivered to 2@b.example", "X-Spam-Flag: YES");
    seen.expect("delivered to many2@b.example", "Subject: [SPAM] cheap pills 2");
    seen.expect("delivered to many3@b.example", "Subject: plain 3");
    // Names the version of spamd, and part of a boundary is the time.
    seen.mask(r"-+=_[0-9A-F]+\.[0-9A-F]+", "BOUNDARY");
    Ok(())
}

fn in_the_foreground(kind: Kind) {
    if left_out(PACKAGES) {
        return;
    }
    let spamd = spamd().unwrap();
    let exercised = "spamc started for each message, 4 at once; marked, rewritten, rejected";
    let row = pair(PACKAGES, "spamass-milter", kind, exercised, BOTH_WAYS);
    compare(&row, |linkage| {
        let mut seen = Observation::new();
        // A path without a prefix is all that it takes for a unix socket.
        let socket = if kind == Kind::Postfix { Socket::Unix } else { Socket::Inet };
        let filter = Filter::start(linkage, command(linkage)?, socket, |command, _, spec| {
            let spec = spec.strip_prefix("unix:").unwrap_or(spec);
            command.arg("-p").arg(spec).args(["-r", "15", "--", "-U"]).arg(spamd.socket());
        })?;
        // Made by smfi_main, so that only root may connect.
        if let Some(path) = filter.spec().strip_prefix("unix:") {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
            fs::set_permissions(path, open).expect("open the socket to Postfix");
        }
        let mta = Mta::of(kind).milter(filter.spec()).start()?;
        play(&mta, &mut seen)?;
        drop(mta);
        seen.section("log", filter.log_lines()?);
        filter.stop(&mut seen, "spamass-milter")?;
        Ok(seen)
    });
}

#[test]
fn with_postfix() {
    in_the_foreground(Kind::Postfix);
}

#[test]
fn with_sendmail() {
    in_the_foreground(Kind::Sendmail);
}

/// As its service starts it, and its socket made by `smfi_main` after the fork.
#[test]
fn as_a_daemon() {
    if left_out(PACKAGES) {
        return;
    }
    let spamd = spamd().unwrap();
    let exercised = "daemon: fork, pid file; spamc started for each message, 4 at once";
    let row = pair(PACKAGES, "spamass-milter", Kind::Postfix, exercised, BOTH_WAYS);
    compare(&row, |linkage| {
        let mut seen = Observation::new();
        let daemon = Daemon::start(
            linkage,
            &command(linkage)?,
            Socket::Inet,
            |command, _, spec, pid_file| {
                command.arg("-f").arg("-p").arg(spec).arg("-P").arg(pid_file);
                command.args(["-r", "15", "-u", "nobody", "--", "-U"]).arg(spamd.socket());
            },
        )?;
        let mta = Mta::postfix().milter(daemon.spec()).start()?;
        play(&mta, &mut seen)?;
        drop(mta);
        daemon.describe(&mut seen, "spamass-milter")?;
        seen.section("log", daemon.log());
        daemon.stop(&mut seen, "spamass-milter")?;
        Ok(seen)
    });
}
