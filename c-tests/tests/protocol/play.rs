//! How the commands of the tables are reached and played.

use c_tests::Linkage;
use c_tests::trace::command::packet;
use c_tests::trace::matrix;
use c_tests::trace::play::{Played, play};
use c_tests::trace::session::{Session, parse};
use c_tests::trace::{TraceMilter, process};

/// How each stage is reached: the letter that comes next, and what before it.
pub(crate) const PATHS: [(char, &str); 10] = [
    ('C', ""),
    ('H', " | C h U"),
    ('M', " | C h U | H me"),
    ('R', " | C h U | M a"),
    ('T', " | C h U | M a | R b"),
    ('L', " | C h U | M a | R b | T"),
    ('N', " | C h U | M a | R b | T | L a b"),
    ('B', " | C h U | M a | R b | T | L a b | N"),
    ('E', " | C h U | M a | R b | T | L a b | N"),
    ('U', " | C h U"),
];

pub(crate) fn one(text: &str) -> Session {
    parse(text).unwrap_or_else(|error| panic!("{error}: {text}")).pop().unwrap()
}

/// Plays in a process of its own: the reference remembers what was negotiated.
pub(crate) fn alone(linkage: Linkage, session: &Session) -> Played {
    let program = process::program().unwrap();
    let milter = TraceMilter::start(&program, linkage, &session.registration).unwrap();
    play(&milter, session).unwrap_or_else(|error| panic!("{linkage:?} {}: {error}", session.name))
}

pub(crate) fn bytes_of(letter: char) -> Vec<u8> {
    let (_, payload) = matrix::COMMANDS.iter().find(|(known, _)| *known == letter).unwrap();
    packet(u8::try_from(letter).unwrap(), payload)
}
