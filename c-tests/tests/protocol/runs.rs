//! Tables of docs/protocol.md that both libraries are run for.

use super::page::*;
use super::play::{PATHS, alone, bytes_of, one};
use c_tests::Headers;
use c_tests::protocol::constants::of_headers;
use c_tests::protocol::example;
use c_tests::trace::command::Step;
use c_tests::trace::script::callback_of;
use std::fmt::Write;

#[test]
fn negotiations_have_these_answers() {
    let table = document().table(NEGOTIATIONS);
    let mut problems = Vec::new();
    for row in &table.rows {
        let [offer, filter, does, answer] = &row[..] else { unreachable!() };
        let on = if does == "none" { String::new() } else { format!("on negotiate: {does}\n") };
        let session = one(&format!("session {offer}\nfilter {filter}\n{on}> O {offer}\n"));
        assert_eq!(does == "none", !session.registration.has("negotiate"), "{row:?}");
        for linkage in BOTH {
            let seen = alone(linkage, &session).packets;
            let wanted = match answer.as_str() {
                "closed" => Vec::new(),
                answer => vec![example::response(&format!("O {answer}")).unwrap()[4..].to_vec()],
            };
            if seen != wanted {
                problems.push(format!("{linkage:?} {row:?}: {seen:02x?}"));
            }
        }
    }
    report(&problems);
}

/// A filter that wants nothing gets along with every MTA of the table.
#[test]
fn offers_are_taken() {
    for row in &document().table(OFFERS).rows {
        let numbers: Vec<String> = row[1..].iter().map(|n| format!("{:x}", number(n))).collect();
        let text = format!("session {}\nfilter flags=0x0\n> O {}\n", row[0], numbers.join(" "));
        for linkage in BOTH {
            let seen = alone(linkage, &one(&text)).packets;
            let wanted = example::response(&format!("O {} 0 0", numbers[0])).unwrap();
            assert_eq!(seen, [&wanted[4..]], "{row:?}");
        }
    }
}

#[test]
fn commands_have_a_response_or_none() {
    let table = document().table(COMMANDS);
    let flags = of_headers(Headers::Ours).unwrap();
    for row in &table.rows {
        let letter = row[0].chars().next().unwrap();
        let path = PATHS.iter().find(|(known, _)| *known == letter).map_or(" | C h U", |(_, p)| p);
        let offer = if letter == 'O' { "" } else { "O 6 1ff 1fffff" };
        let path = if letter == 'O' { "" } else { path };
        let before = one(&format!("session {letter}\n> {offer}{path}\n"));
        let mut after = before.clone();
        after.steps.push(Step::Send(bytes_of(letter)));
        for linkage in BOTH {
            let [less, more] = [&before, &after].map(|s| alone(linkage, s).packets.len());
            assert_eq!(more - less, usize::from(row[4] == "yes"), "{linkage:?} {row:?}");
        }
        // With the flag there is none; the command itself is an empty column where it has none.
        let Some(flag) = flags.get(&row[6]) else {
            assert!(row[6].is_empty(), "{row:?}");
            continue;
        };
        let callback = callback_of(letter).unwrap();
        let text = format!(
            "session {letter}\nfilter all\non negotiate: pf1 {flag}; return continue\n\
             on {callback}: return noreply\n> {offer}{path}\n"
        );
        let before = one(&text);
        let mut after = before.clone();
        after.steps.push(Step::Send(bytes_of(letter)));
        for linkage in BOTH {
            let [less, more] = [&before, &after].map(|s| alone(linkage, s));
            assert_eq!(more.packets.len(), less.packets.len(), "{linkage:?} {row:?}");
            assert!(more.transcript.callbacks().contains(&callback), "{linkage:?} {row:?}");
        }
    }
}

/// Macros of each stage before one of these commands, looked up after it.
#[test]
fn macros_are_emptied_by_these_commands() {
    let table = document().table(MACROS);
    let all: Vec<&str> = column(table, "Letter").collect();
    let mut macros = String::new();
    let mut look_ups = String::new();
    for letter in &all {
        write!(macros, " | D {letter} {}=1", letter.to_lowercase()).unwrap();
        write!(look_ups, "getsymval {}; ", letter.to_lowercase()).unwrap();
    }
    for (emptying, before, after) in [
        ("O", "", " | O 6 1ff 1fffff"),
        ("C", "O 6 1ff 1fffff", " | C h U"),
        ("H", "O 6 1ff 1fffff | C h U", " | H me"),
        ("M", "O 6 1ff 1fffff | C h U", " | M a"),
        ("R", "O 6 1ff 1fffff | C h U | M a", " | R b"),
        ("T", "O 6 1ff 1fffff | C h U | M a | R b", " | T"),
        ("L", "O 6 1ff 1fffff | C h U | M a | R b", " | L a b"),
        ("N", "O 6 1ff 1fffff | C h U | M a | R b", " | N"),
        ("B", "O 6 1ff 1fffff | C h U | M a | R b", " | B x"),
        ("E", "O 6 1ff 1fffff | C h U | M a | R b", " | E"),
        ("A", "O 6 1ff 1fffff | C h U | M a", " | A"),
    ] {
        let session = one(&format!("session x\non close: {look_ups}\n> {before}{macros}{after}\n"));
        for linkage in BOTH {
            let trace = alone(linkage, &session).transcript.trace;
            for (letter, by) in all.iter().zip(column(table, "Emptied by")) {
                let line = format!("  getsymval \"{}\" = ", letter.to_lowercase());
                let seen = trace.iter().rev().find_map(|known| known.strip_prefix(&line)).unwrap();
                let emptied = by.split_whitespace().any(|by| by == emptying);
                assert_eq!(seen == "NULL", emptied, "{linkage:?} {emptying} and {letter}");
            }
        }
    }
}
