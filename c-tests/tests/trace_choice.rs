//! `LIBMILTER_TRACE_EVERY`, `LIBMILTER_TRACE_CLIENTS`: which sessions are traced.

use super::runtime_support::Session;
use super::trace::{Traced, begin};
use milter_mta::wire::command::Origin;

#[test]
fn one_session_in_so_many_is_traced() {
    let traced = Traced::start(&[("LIBMILTER_TRACE_EVERY", "3")], &[]);
    (0..7).for_each(|n| traced.filter.session(&format!("s{n}")).quit());
    let text = traced.ended();
    let begun: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" begin "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(begun, ["1", "4", "7"], "{text}");
    assert!(text.lines().all(|line| begun.contains(&line.split(' ').next().unwrap())), "{text}");
}

#[test]
fn sessions_of_some_clients_are_traced() {
    let traced = Traced::start(&[("LIBMILTER_TRACE_CLIENTS", "192.0.2.0/24,2001:db8::1")], &[]);
    for address in ["192.0.3.1", "192.0.2.7", "2001:db8::1", "2001:db8::2"] {
        begin(&traced.filter, "host", address).quit();
    }
    traced.filter.session("without an address").quit();
    let text = traced.ended();
    // From their beginning, which was before the address was known.
    for (session, whole) in [(1, 0), (2, 1), (3, 1), (4, 0), (5, 0)] {
        let lines: Vec<&str> =
            text.lines().filter(|line| line.starts_with(&format!("{session} "))).collect();
        let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
        assert_eq!(count(" begin "), whole, "{text}");
        assert_eq!(count("> negotiate"), whole, "{text}");
        assert_eq!(count("< close"), whole, "{text}");
    }
}

/// Sixteen kilobytes are kept until it is known whether anybody wants them.
#[test]
fn lines_before_the_client_is_known_are_bounded_and_counted() {
    let traced = Traced::start(&[("LIBMILTER_TRACE_CLIENTS", "192.0.2.7")], &[]);
    let mut session = Session { client: traced.filter.connect() };
    session.client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    for n in 0..400 {
        session.client.queue_macros(b'C', &[("j", &format!("mx{n}.{}", "example.".repeat(5)))]);
    }
    session.client.queue_connect("host", &Origin::Inet([192, 0, 2, 7].into(), 25));
    session.client.flush().unwrap();
    assert_eq!((session.reply(), session.reply()), ('O', 'c'));
    session.quit();
    let text = traced.ended();
    let macros = text.lines().filter(|line| line.contains("> macros")).count();
    let lost = text.lines().find_map(|line| line.strip_prefix("- - - - lost "));
    let lost = lost.and_then(|rest| rest.split(' ').next()).unwrap().parse::<usize>().unwrap();
    assert!(macros > 100 && lost > 50 && macros + lost == 400, "{macros} {lost}\n{text}");
    assert!(text.contains("> connect \"host\"") && text.contains("< close"), "{text}");
}
