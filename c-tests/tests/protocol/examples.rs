//! docs/protocol.md: its grammar, diagrams and example sessions are true of both libraries.
//!
//! `UPDATE_PROTOCOL=1 cargo test -p c-tests protocol::examples` writes the octets of the example sessions
//! anew, from their words; what then differs from what a library does still fails.

use super::page::{BOTH, HEADS, document, examples, grammar, is_well_formed, report};
use c_tests::protocol::{Example, diagram::Diagram, example};
use c_tests::random::{PROFILES, generate};
use c_tests::trace::command::Step;
use c_tests::trace::play::{Played, play};
use c_tests::trace::session::{Session, parse};
use c_tests::trace::{Registration, TraceMilter, process, suite};
use c_tests::{Linkage, differences, notes};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn nothing_stands_on_the_page_that_no_test_reads() {
    let known = ["abnf", "packet", "session"];
    for block in &document().blocks {
        assert!(known.contains(&block.kind.as_str()), "line {}: {}", block.line, block.kind);
    }
    for table in &document().tables {
        let head: Vec<&str> = table.head.iter().map(String::as_str).collect();
        assert!(
            HEADS.contains(&head.as_slice()),
            "line {}: no test reads the table {head:?}",
            table.line
        );
    }
}

/// Plays an example as a whole and packet by packet; what is not as it says.
fn play_example(example: &Example, linkage: Linkage) -> Vec<String> {
    let program = process::program().unwrap();
    let milter = TraceMilter::start(&program, linkage, &example.session.registration).unwrap();
    let mut problems = Vec::new();
    let plays = example.plays(linkage);
    let count = plays.len();
    for (number, (session, expected)) in (1..).zip(plays) {
        let played = play(&milter, &session);
        let name = format!("line {} ({linkage:?}): {}", example.line, session.name);
        let Played { transcript, packets, .. } = match played {
            Ok(played) => played,
            Err(error) => return vec![format!("{name}: {error}")],
        };
        let expected: Vec<&[u8]> = expected.iter().map(|packet| &packet[4..]).collect();
        if packets != expected {
            let sent = session.steps.iter().filter(|step| matches!(step, Step::Send(_))).count();
            problems.push(format!("{name}: after {sent} packets\n{transcript}"));
        }
        let trace = example.trace(linkage).filter(|_| number == count);
        if trace.is_some_and(|trace| trace != transcript.trace) {
            problems.push(format!("{name}: trace\n. {}", transcript.trace.join("\n. ")));
        }
    }
    problems
}

#[test]
fn examples_are_what_both_libraries_do() {
    if std::env::var_os("UPDATE_PROTOCOL").is_some() {
        let path = &document().path;
        let page = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, example::with_bytes(&page).unwrap()).unwrap();
        return;
    }
    let examples = examples();
    let entries = differences::entries().unwrap();
    let mut problems = Vec::new();
    let mut plays = 0;
    for example in &examples {
        let named = &example.session.differs;
        assert_eq!(example.has_sides(), !named.is_empty(), "line {}: differs", example.line);
        assert!(named.iter().all(|id| entries.contains(id)), "line {}: {named:?}", example.line);
        for linkage in BOTH {
            plays += example.plays(linkage).len();
            problems.extend(play_example(example, linkage));
        }
    }
    report(&problems);
    let packets: usize =
        examples.iter().map(|e| e.packets(true).count() + e.packets(false).count()).sum();
    assert!(examples.len() >= 30, "{}", examples.len());
    let told = format!(
        "{} example sessions of {packets} packets, {} diagrams, {} tables with {} rows, {} rules of grammar; \
         {plays} sessions played for the examples",
        examples.len(),
        document().of_kind("packet").count(),
        document().tables.len(),
        document().tables.iter().map(|table| table.rows.len()).sum::<usize>(),
        grammar().names().count(),
    );
    notes::note(notes::SHOWN_TRUE, "docs/protocol.md", &told).unwrap();
}

#[test]
fn packets_of_the_examples_follow_the_grammar() {
    // Examples of what must not be sent: the beginning of a packet, an address that is none, no NUL, a
    // body that is too large for the filter.
    let mut malformed = 0;
    for example in examples() {
        for packet in example.packets(true) {
            malformed += usize::from(!is_well_formed("command", &packet[4..]));
        }
        for packet in example.packets(false) {
            assert!(is_well_formed("response", &packet[4..]), "line {}", example.line);
        }
    }
    assert_eq!(malformed, 3);
}

#[test]
fn diagrams_are_packets_of_the_examples() {
    let examples = examples();
    let shown: BTreeSet<&Vec<u8>> = examples
        .iter()
        .flat_map(|example| example.packets(true).chain(example.packets(false)))
        .collect();
    let mut problems = Vec::new();
    for block in document().of_kind("packet") {
        let diagram = Diagram::parse(block).unwrap();
        let bytes = diagram.bytes();
        if let Err(error) = diagram.check() {
            problems.push(format!("line {}: {error}", block.line));
        } else if !is_well_formed(&diagram.rule, &bytes[4..]) {
            problems.push(format!("line {}: no {}", block.line, diagram.rule));
        } else if !shown.contains(&bytes) {
            problems.push(format!("line {}: no example has this packet", block.line));
        }
    }
    report(&problems);
}

#[test]
fn every_rule_of_the_grammar_is_used() {
    let roots = ["command", "response", "taken"];
    let used: BTreeSet<String> = grammar().uses().into_iter().map(|(_, used)| used).collect();
    let unused: Vec<&str> =
        grammar().names().filter(|name| !used.contains(*name) && !roots.contains(name)).collect();
    assert_eq!(unused, Vec::<&str>::new());
}

/// Packets, without their lengths, that the files of sessions send, and those of random sessions.
fn sent_packets() -> BTreeSet<Vec<u8>> {
    let mut sessions: Vec<Session> = suite::sessions().unwrap().into_values().collect();
    let mut rng = fastrand::Rng::with_seed(6);
    for profile in &PROFILES {
        let registration = Registration::parse(profile.filter).unwrap();
        for _ in 0..50 {
            let text =
                generate::generate(&mut rng, profile, &registration).text(profile, usize::MAX);
            sessions.extend(parse(&text).unwrap());
        }
    }
    let steps = sessions.into_iter().flat_map(|session| session.steps);
    let packets = steps.filter_map(|step| match step {
        Step::Send(bytes) => Some(bytes),
        _ => None,
    });
    // Raw bytes may be anything but one packet.
    let whole = packets.filter_map(|bytes| {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        (u32::from_be_bytes(*length) as usize == rest.len() && !rest.is_empty())
            .then(|| rest.to_vec())
    });
    // Sizes are no matter of grammar, and what comes of "quit" is not to be seen.
    whole.filter(|packet| packet.len() <= 4096 && !b"QK".contains(&packet[0])).collect()
}

/// Whether a library goes on after a packet, in a stage where it may come.
fn goes_on(milter: &TraceMilter, packet: &[u8]) -> bool {
    let before = match packet[0] {
        b'O' => "",
        b'C' => "O 6 1ff 1fffff",
        b'R' => "open | M a",
        b'L' | b'N' | b'B' | b'E' | b'T' => "open | mail",
        _ => "open",
    };
    let mut session = parse(&format!("session taken\n> {before}\n")).unwrap().pop().unwrap();
    let mut bytes = u32::try_from(packet.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(packet);
    session.steps.push(Step::Send(bytes));
    let probe = parse("session probe\n> H still-there\n").unwrap().pop().unwrap();
    session.steps.extend(probe.steps);
    let trace = play(milter, &session).unwrap().transcript.trace;
    trace.iter().any(|line| line.starts_with("helo \"still-there\""))
}

#[test]
fn the_grammar_tells_what_both_libraries_take() {
    let packets = sent_packets();
    let program = process::program().unwrap();
    let registration = Registration { flags: 0, ..Registration::default() };
    let [reference, ours] =
        BOTH.map(|linkage| TraceMilter::start(&program, linkage, &registration).unwrap());
    let mut problems = Vec::new();
    let mut counts: BTreeMap<(bool, bool), usize> = BTreeMap::new();
    for packet in &packets {
        let sent = is_well_formed("command", packet);
        let taken = is_well_formed("taken", packet);
        let goes_on_ours = goes_on(&ours, packet);
        *counts.entry((sent, taken)).or_default() += 1;
        let shown = String::from_utf8_lossy(&packet[..packet.len().min(60)]).into_owned();
        // An offer that lacks what the filter needs is refused however well it is formed.
        let refusable = packet[0] == b'O';
        if sent && !taken && !refusable {
            problems.push(format!("{shown:?} is sent but not taken"));
        }
        if sent && taken && !refusable && !(goes_on_ours && goes_on(&reference, packet)) {
            problems.push(format!("{shown:?} follows the grammar and is refused"));
        }
        // No grammar tells whether an address is one.
        if taken != goes_on_ours && !(taken && (packet[0] == b'C' || refusable)) {
            problems.push(format!("{shown:?}: taken {taken}, but ours goes on {goes_on_ours}"));
        }
    }
    report(&problems);
    assert!(packets.len() >= 300, "{}", packets.len());
    let least = [((true, true), 150), ((false, true), 20), ((false, false), 20)];
    for (kind, least) in least {
        assert!(counts.get(&kind).is_some_and(|count| *count >= least), "{counts:?}");
    }
}
