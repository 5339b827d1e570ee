//! Several filter hosts behind HAProxy, set up as docs/scaling.md has it: one that is stopped, one that hangs,
//! and what comes of the mail meanwhile.

use crate::support::load::{FLOWS, HEADER, Load, nothing_begun_is_lost, nothing_is_lost};
use crate::support::{SHORT, eventually};
use c_tests::Milter;
use compliance::filter::compiled;
use compliance::haproxy::{HaProxy, host};
use compliance::{Linkage, Mta, Result, Smtp};
use rustix::process::Signal;
use std::fs;
use std::thread;

/// Each is stopped so often.
const ROUNDS: usize = 2;
const ROUNDS_VARIABLE: &str = "RESTARTS";

/// Two filters and what is before them.
struct Hosts {
    linkage: Linkage,
    specs: [String; 2],
    /// `None` is one that does not run.
    filters: [Option<Milter>; 2],
    haproxy: HaProxy,
}

impl Hosts {
    /// Starts all; the filters are up.
    fn start(linkage: Linkage) -> Result<Self> {
        let specs = [host(0)?, host(1)?];
        let filters = [filter(linkage, &specs, 0)?, filter(linkage, &specs, 1)?].map(Some);
        let haproxy = HaProxy::start(&specs)?;
        for which in [0, 1] {
            haproxy.wait_for(which, "check_status", |found| found == "L7OK")?;
        }
        Ok(Self { linkage, specs, filters, haproxy })
    }

    /// Starts one that does not run.
    fn begin(&mut self, which: usize) -> Result<()> {
        self.filters[which] = Some(filter(self.linkage, &self.specs, which)?);
        Ok(())
    }

    /// Stops one as a service manager does.
    fn stop(&mut self, which: usize) -> Result<()> {
        let status = self.filters[which].take().expect("it runs").stop()?;
        assert!(status.success(), "{status}");
        Ok(())
    }

    fn signal(&self, which: usize, signal: Signal) -> Result<()> {
        self.filters[which].as_ref().expect("it runs").signal(signal)
    }

    /// Has one hang, as far as anybody can see; until all of its threads do.
    fn hang(&self, which: usize) -> Result<()> {
        self.signal(which, Signal::STOP)?;
        let pid = self.filters[which].as_ref().expect("it runs").pid();
        eventually(|| is_stopped(pid), || format!("process {pid} goes on"));
        Ok(())
    }

    /// Waits until more sessions have gone to a filter.
    fn wait_for_sessions(&self, which: usize) -> Result<()> {
        let count = |text: &str| text.parse::<usize>().unwrap_or_default();
        let before = count(&self.haproxy.field(which, "stot")?);
        self.haproxy.wait_for(which, "stot", |found| count(found) >= before + FLOWS)
    }

    /// An SMTP session whose filter is that one, up to DATA.
    fn session(&self, mta: &Mta, which: usize, recipient: &str) -> Result<Smtp> {
        // Those that are on the other one keep it busy.
        let mut others = Vec::new();
        loop {
            // All there have been: one that has just ended may be counted as open for a moment.
            let before = self.haproxy.field(which, "stot")?;
            let mut smtp = mta.smtp()?;
            smtp.say("MAIL FROM:<a@a.example>")?;
            if self.haproxy.field(which, "stot")? != before {
                smtp.say(&format!("RCPT TO:<{recipient}>"))?;
                return Ok(smtp);
            }
            assert!(others.len() < 8, "no session on filter {which}");
            others.push(smtp);
        }
    }
}

/// Whether each thread of a process is stopped.
fn is_stopped(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.map(|task| fs::read_to_string(task.path().join("stat")).unwrap_or_default()).all(|stat| {
        // "PID (NAME) STATE ..."
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    })
}

fn filter(linkage: Linkage, specs: &[String; 2], which: usize) -> Result<Milter> {
    let mut filter =
        Milter::start(compiled(linkage, "compliance/milters/probe.c")?, |command, dir| {
            command.arg(&specs[which]).arg(dir.join("trace"));
            command.arg(format!("eom=add~{}{which}", HEADER.replace(": ", "~")));
            // Of a stop; a busy machine takes its time.
            command.env("LIBMILTER_STOP_SECONDS", "60");
        })?;
    filter.wait_for(&specs[which])?;
    filter.check_mapped(linkage)?;
    Ok(filter)
}

/// Sends messages, one for each connection, which are all accepted.
fn send(mta: &Mta, name: &str) -> Result<()> {
    for n in 0..FLOWS {
        let mut smtp = mta.smtp()?;
        smtp.send("a@a.example", &[&format!("{name}-{n}@b.example")], SHORT)?;
        let said = smtp.quit()?.join("\n");
        assert!(said.contains("queued as"), "{said}\n{}", mta.log());
    }
    Ok(())
}

/// Who has got a message and which filter has seen it, sorted.
fn delivered(mta: &Mta) -> Result<Vec<String>> {
    mta.settle()?;
    let deliveries = mta.deliveries()?.into_iter().map(|delivery| {
        let seen: Vec<&str> =
            delivery.message.lines().filter_map(|line| line.strip_prefix(HEADER)).collect();
        format!("{} {}", delivery.recipient, seen.join(" "))
    });
    let mut deliveries: Vec<String> = deliveries.collect();
    deliveries.sort();
    Ok(deliveries)
}

fn with_both(test: impl Fn(Linkage) -> Result<()> + Sync) {
    thread::scope(|scope| {
        let test = &test;
        let run =
            |linkage| scope.spawn(move || test(linkage).map_err(|e| format!("{linkage:?}: {e}")));
        let runs = [Linkage::OursDynamic, Linkage::ReferenceDynamic].map(run);
        for run in runs {
            run.join().unwrap().unwrap();
        }
    });
}

/// By SIGTERM and nothing else: connections go to the other one, messages in hand are finished. Where a client
/// takes its time before MAIL, as on a busy machine, the filter does not wait for it.
#[test]
fn one_that_is_stopped_under_load_loses_no_message() {
    let rounds = std::env::var(ROUNDS_VARIABLE).ok();
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"));
    let mut hosts = Hosts::start(Linkage::OursDynamic).unwrap();
    let mta = Mta::postfix().milter(hosts.haproxy.spec()).start().unwrap();
    let stops = |load: &Load<'_>| {
        for which in (0..rounds).flat_map(|_| [0, 1]) {
            hosts.wait_for_sessions(which)?;
            hosts.stop(which)?;
            load.wait_for(FLOWS);
            hosts.begin(which)?;
            hosts.haproxy.wait_until(which, "UP")?;
        }
        hosts.wait_for_sessions(0)?;
        hosts.wait_for_sessions(1)
    };
    let (messages, put_off) = nothing_begun_is_lost(&mta, HEADER, stops).unwrap();
    println!("{messages} messages, {} stops, {} told to try again", 2 * rounds, put_off.len());
}

/// The message that is in hand has its verdict of a filter that stops, while the next one has gone elsewhere.
#[test]
fn a_message_in_hand_is_finished_where_it_began() {
    let mut hosts = Hosts::start(Linkage::OursDynamic).unwrap();
    let mta = Mta::postfix().milter(hosts.haproxy.spec()).start().unwrap();
    let mut begun = hosts.session(&mta, 0, "begun@b.example").unwrap();
    hosts.signal(0, Signal::TERM).unwrap();
    hosts.haproxy.wait_until(0, "DOWN").unwrap();
    send(&mta, "next").unwrap();
    begun.say("DATA").unwrap();
    let reply = begun.data(SHORT).unwrap().join("\n");
    assert!(reply.contains("queued as"), "{reply}; {}", mta.log());
    begun.quit().unwrap();
    let filter = hosts.filters[0].as_mut().expect("it runs");
    assert!(filter.wait().unwrap().success());
    let mut expected = vec!["begun@b.example 0".to_owned()];
    expected.extend((0..FLOWS).map(|n| format!("next-{n}@b.example 1")));
    assert_eq!(delivered(&mta).unwrap(), expected);
}

/// As on a machine whose restart is planned: it gets no new sessions, then it has none, then it is stopped.
#[test]
fn one_that_is_drained_is_restarted_with_either_library() {
    with_both(|linkage| {
        let mut hosts = Hosts::start(linkage)?;
        let mta = Mta::postfix().milter(hosts.haproxy.spec()).start()?;
        let drains = |load: &Load<'_>| {
            for which in [0, 1] {
                hosts.wait_for_sessions(which)?;
                let server = format!("set server filters/filter{} state", which + 1);
                assert_eq!(hosts.haproxy.ask(&format!("{server} drain"))?.trim(), "");
                hosts.haproxy.wait_for(which, "scur", |sessions| sessions == "0")?;
                hosts.stop(which)?;
                load.wait_for(FLOWS);
                hosts.begin(which)?;
                assert_eq!(hosts.haproxy.ask(&format!("{server} ready"))?.trim(), "");
                hosts.haproxy.wait_until(which, "UP")?;
            }
            hosts.wait_for_sessions(0)?;
            hosts.wait_for_sessions(1)
        };
        nothing_is_lost(&mta, HEADER, drains).map(drop)
    });
}

/// Its sessions wait; new ones go to the other. They go on when it does, or fail when told to.
#[test]
fn one_that_hangs_is_taken_out_until_it_answers_again() {
    with_both(|linkage| {
        let hosts = Hosts::start(linkage)?;
        // None that a busy machine could reach.
        let setup = Mta::postfix().milter(hosts.haproxy.spec());
        let timeouts =
            ["connect", "command", "content"].map(|t| format!("milter_{t}_timeout = 600s"));
        let mta = timeouts.into_iter().fold(setup, |setup, line| setup.line(line)).start()?;

        let mut patient = hosts.session(&mta, 0, "patient@b.example")?;
        hosts.hang(0)?;
        patient.send_line("DATA");
        hosts.haproxy.wait_until(0, "DOWN")?;
        send(&mta, "hung")?;
        hosts.signal(0, Signal::CONT)?;
        assert_eq!(patient.reply()?.join("\n").split(' ').next(), Some("354"));
        assert!(patient.data(SHORT)?.join("\n").contains("queued as"));
        patient.quit()?;
        hosts.haproxy.wait_until(0, "UP")?;

        let mut told = hosts.session(&mta, 0, "told@b.example")?;
        hosts.hang(0)?;
        told.send_line("DATA");
        hosts.haproxy.wait_until(0, "DOWN")?;
        hosts.haproxy.ask("shutdown sessions server filters/filter1")?;
        let reply = told.reply()?.join("\n");
        assert!(reply.starts_with("451 4.7.1"), "{reply}; {}", mta.log());
        told.quit()?;
        send(&mta, "again")?;
        hosts.signal(0, Signal::CONT)?;
        hosts.haproxy.wait_until(0, "UP")?;

        let both =
            [0, 1].map(|which| hosts.session(&mta, which, &format!("last-{which}@b.example")));
        for session in both {
            let mut session = session?;
            session.say("DATA")?;
            assert!(session.data(SHORT)?.join("\n").contains("queued as"));
            session.quit()?;
        }
        let flowed = |name| (0..FLOWS).map(move |n| format!("{name}-{n}@b.example 1"));
        let single = ["last-0@b.example 0", "last-1@b.example 1", "patient@b.example 0"];
        let mut expected: Vec<String> =
            flowed("again").chain(flowed("hung")).chain(single.map(str::to_owned)).collect();
        expected.sort();
        assert_eq!(delivered(&mta)?, expected);
        Ok(())
    });
}
