//! Health checks of HAProxy as docs/scaling.md has them, and what a filter hears of them and of HAProxy.

use crate::support::eventually;
use c_tests::{Milter, public};
use compliance::filter::compiled;
use compliance::haproxy::{HaProxy, host};
use compliance::scaling::{block, replaced};
use compliance::{Linkage, Mta, Result, milter_try};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A filter on a host of its own, with variables; each second one.
fn filters(variables: &[(&str, &str)]) -> Result<([Milter; 2], [String; 2])> {
    let specs = [host(0)?, host(1)?];
    let start = |spec: &String| {
        let mut command = compiled(Linkage::OursDynamic, "compliance/milters/probe.c")?;
        command.envs(variables.iter().copied());
        let mut filter = Milter::start(command, |command, dir| {
            command.arg(spec).arg(dir.join("trace"));
        })?;
        filter.wait_for(spec)?;
        Ok(filter)
    };
    Ok(([start(&specs[0])?, start(&specs[1])?], specs))
}

fn trace(filter: &Milter) -> String {
    fs::read_to_string(filter.dir().join("trace")).unwrap_or_default()
}

/// Lines that something has gone wrong.
fn complaints(filter: &Milter) -> Vec<String> {
    let mut lines = filter.log().lines().unwrap();
    lines.retain(|line| !line.starts_with("info "));
    lines
}

/// The check of the page is a session that negotiates and ends, about which nothing is logged.
#[test]
fn a_check_is_a_session_without_a_message() {
    let ([filter, _other], specs) = filters(&[("LIBMILTER_QUIET_PROBES", "1")]).unwrap();
    let haproxy = HaProxy::start(&specs).unwrap();
    haproxy.wait_for(0, "check_status", |found| found == "L7OK").unwrap();
    eventually(|| trace(&filter).matches(" close\n").count() >= 3, || trace(&filter));
    drop(haproxy);
    for line in trace(&filter).lines() {
        let (_, what) = line.split_once(' ').unwrap();
        assert!(what == "close" || what.starts_with("negotiate 1ff 1fffff"), "{line}");
    }
    assert_eq!(complaints(&filter), [""; 0]);
}

/// One that only connects reaches no callback, and sees nothing of a filter that hangs.
#[test]
fn a_check_that_only_connects_is_not_heard_and_sees_little() {
    let ([filter, _other], specs) = filters(&[("LIBMILTER_QUIET_PROBES", "1")]).unwrap();
    filter.signal(Signal::STOP).unwrap();
    let plain = |text: String| {
        let lines = text.lines().filter(|line| !line.contains("tcp-check"));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    let haproxy = HaProxy::start_changed(&specs, plain).unwrap();
    haproxy.wait_for(0, "check_status", |found| found == "L4OK").unwrap();
    assert_eq!(haproxy.field(0, "status").unwrap(), "UP");
    filter.signal(Signal::CONT).unwrap();
    drop(haproxy);
    let status = filter.log().lines().map(drop);
    status.unwrap();
    assert_eq!(trace(&filter), "");
    assert_eq!(complaints(&filter), [""; 0]);
}

/// milter-try in the place of the packets, by HAProxy's external-check.
#[test]
fn milter_try_is_a_health_check() {
    let ([filter, _other], specs) = filters(&[]).unwrap();
    let program = milter_try::program().unwrap();
    let directory = public::tempdir().unwrap();
    let script = directory.path().join("check-milter");
    fs::write(&script, block("check-milter").unwrap()).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let lines = block("haproxy-external").unwrap();
    let lines = replaced(&lines, "/usr/local/bin/check-milter", script.to_str().unwrap()).unwrap();
    let path = format!("\"{}:/usr/bin:/bin\"", program.parent().unwrap().display());
    let lines = replaced(&lines, "\"/usr/local/bin:/usr/bin:/bin\"", &path).unwrap();
    let external = |text: String| {
        let (before, rest) = text.split_once("    option tcp-check\n").unwrap();
        let rest =
            rest.lines().filter(|line| !line.contains("tcp-check")).map(|l| format!("{l}\n"));
        format!("{before}{lines}{}", rest.collect::<String>())
    };
    let haproxy = HaProxy::start_changed(&specs, external).unwrap();
    for which in [0, 1] {
        haproxy.wait_for(which, "check_status", |found| found == "PROCOK").unwrap();
    }
    filter.signal(Signal::STOP).unwrap();
    haproxy.wait_until(0, "DOWN").unwrap();
    filter.signal(Signal::CONT).unwrap();
    haproxy.wait_until(0, "UP").unwrap();
}

/// The PROXY protocol is for others: its line is no packet, which a check does not show.
#[test]
fn the_proxy_protocol_is_not_understood() {
    let ([filter, other], specs) = filters(&[]).unwrap();
    let proxy = |text: String| {
        replaced(&text, "default-server check ", "default-server check send-proxy ").unwrap()
    };
    let haproxy = HaProxy::start_changed(&specs, proxy).unwrap();
    for which in [0, 1] {
        haproxy.wait_for(which, "check_status", |found| found == "L7OK").unwrap();
    }
    let mta = Mta::postfix().milter(haproxy.spec()).start().unwrap();
    let reply = mta.smtp().unwrap().say("MAIL FROM:<a@a.example>").unwrap().join("\n");
    assert!(reply.starts_with("451"), "{reply}");
    let log = [complaints(&filter), complaints(&other)].concat().join("\n");
    assert!(log.contains("PROX"), "{log}");
}

/// All MTAs are one peer to a filter: HAProxy.
#[test]
fn limits_for_each_peer_are_for_haproxy() {
    let ([_filter, _other], specs) = filters(&[("LIBMILTER_MAX_SESSIONS_PER_PEER", "1")]).unwrap();
    let unchecked =
        |text: String| replaced(&text, "default-server check ", "default-server ").unwrap();
    let haproxy = HaProxy::start_changed(&specs, unchecked).unwrap();
    let mta = Mta::postfix().milter(haproxy.spec()).start().unwrap();
    let mut replies = Vec::new();
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let mut smtp = mta.smtp().unwrap();
        replies.push(smtp.say("MAIL FROM:<a@a.example>").unwrap().join("\n"));
        sessions.push(smtp);
    }
    assert!(replies[0].starts_with("250") && replies[1].starts_with("250"), "{replies:?}");
    assert!(replies[2].starts_with("451"), "{replies:?}");
}

/// Nobody is there: mail is put off.
#[test]
fn without_a_filter_mail_fails_for_a_time() {
    let specs = [host(0).unwrap(), host(1).unwrap()];
    let haproxy = HaProxy::start(&specs).unwrap();
    let mta = Mta::postfix().milter(haproxy.spec()).start().unwrap();
    // Before the health check has seen it, and after.
    for _ in 0..2 {
        let reply = mta.smtp().unwrap().say("MAIL FROM:<a@a.example>").unwrap().join("\n");
        assert!(reply.starts_with("451"), "{reply}");
        for which in [0, 1] {
            haproxy.wait_until(which, "DOWN").unwrap();
        }
    }
}

/// A filter that has as many sessions as it may have lets health checks wait too.
#[test]
fn one_that_is_full_is_down() {
    let ([_filter, _other], specs) = filters(&[("LIBMILTER_MAX_SESSIONS", "1")]).unwrap();
    let haproxy = HaProxy::start(&specs).unwrap();
    for which in [0, 1] {
        haproxy.wait_for(which, "check_status", |found| found == "L7OK").unwrap();
    }
    let mta = Mta::postfix().milter(haproxy.spec()).start().unwrap();
    let sessions = [mta.smtp().unwrap(), mta.smtp().unwrap()];
    for which in [0, 1] {
        haproxy.wait_until(which, "DOWN").unwrap();
    }
    for session in sessions {
        session.quit().unwrap();
    }
    for which in [0, 1] {
        haproxy.wait_until(which, "UP").unwrap();
    }
}
