//! The table of docs/protocol.md that says which command may follow which.

use super::page::*;
use super::play::{bytes_of, one};
use c_tests::trace::command::Step;
use c_tests::trace::play::play;
use c_tests::trace::script::callback_of;
use c_tests::trace::{TraceMilter, process};
use std::fmt::Write;

/// Rows of the table of the order: what came before, and how many callbacks that takes.
const BEFORE: [(&str, usize, &str); 13] = [
    ("O", 0, ""),
    ("C", 1, " | C h U"),
    ("H", 2, " | C h U | H me"),
    ("M", 2, " | C h U | M a"),
    ("R", 3, " | C h U | M a | R b"),
    ("T", 4, " | C h U | M a | R b | T"),
    ("L", 5, " | C h U | M a | R b | T | L a b"),
    ("N", 6, " | C h U | M a | R b | T | L a b | N"),
    ("B", 7, " | C h U | M a | R b | T | L a b | N | B x"),
    ("E", 8, " | C h U | M a | R b | T | L a b | N | B x | E"),
    ("A", 4, " | C h U | M a | R b | A"),
    ("U", 3, " | C h U | H me | U what"),
    ("K", 5, " | C h U | M a | R b | E | K"),
];

/// What a library makes of a command after some others: `+`, `!` or `.`, as the page says it.
fn judged(milter: &TraceMilter, path: &str, begun: usize, letter: char) -> char {
    let before = one(&format!("session {letter}\n> O 6 1ff 1fffff{path}\n"));
    let mut after = before.clone();
    after.steps.push(Step::Send(bytes_of(letter)));
    // Whether the session goes on shows in what it makes of the next command.
    let next = if letter == 'K' { "C again U" } else { "H again" };
    after.steps.extend(one(&format!("session next\n> {next}\n")).steps);
    let [before, after] = [&before, &after].map(|session| play(milter, session).unwrap());
    let callbacks: Vec<&str> = after.transcript.callbacks().into_iter().skip(begun).collect();
    let mut rest = callbacks.iter().peekable();
    let aborted = rest.next_if(|name| **name == "abort").is_some();
    let responses = after.packets.len() - before.packets.len();
    let good = match letter {
        'A' => responses == 1,
        // The next command would have a response.
        'Q' => responses == 0,
        'K' => rest.next() == Some(&"close") && rest.next() == Some(&"connect") && responses == 1,
        _ => rest.next().copied() == callback_of(letter) && responses == 2,
    };
    match (good, aborted) {
        (false, _) => '.',
        (true, true) => '!',
        (true, false) => '+',
    }
}

#[test]
fn commands_may_come_in_this_order() {
    let table = document().table(ORDER);
    let program = process::program().unwrap();
    let registration = one("session x\n").registration;
    let [reference, ours] =
        BOTH.map(|linkage| TraceMilter::start(&program, linkage, &registration).unwrap());
    let mut made = String::new();
    for (name, begun, path) in BEFORE {
        write!(made, "| `{name}` |").unwrap();
        for letter in ORDER[1..].iter().flat_map(|letter| letter.chars()) {
            let [theirs, ours] =
                [&reference, &ours].map(|milter| judged(milter, path, begun, letter));
            let cell = match (theirs, ours) {
                _ if theirs == ours => ours,
                // The reference calls `xxfi_abort` without a message now and then (entry D10).
                ('!', '+') if letter == 'A' => '+',
                // What only one of them takes is nothing to count on.
                _ => '.',
            };
            write!(made, " {cell} |").unwrap();
        }
        made.push('\n');
    }
    let mut shown = String::new();
    for row in &table.rows {
        writeln!(shown, "| `{}` | {} |", row[0], row[1..].join(" | ")).unwrap();
    }
    assert!(shown == made, "the table is\n{made}");
}
