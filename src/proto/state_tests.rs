use super::*;
use crate::proto::codes::step;

const STATES: [State; 12] = [
    State::Init,
    State::Opts,
    State::Conn,
    State::Helo,
    State::Mail,
    State::Rcpt,
    State::Data,
    State::Hdrs,
    State::Eohs,
    State::Body,
    State::Endm,
    State::QuitNc,
];

/// One row a state, one column a command: '+' processed, 'r' processed after a reset,
/// '-' can't be processed.
fn table(protocol: u32) -> Vec<String> {
    STATES
        .iter()
        .map(|&state| {
            "OCHMRTLNBEU"
                .bytes()
                .map(|letter| {
                    let command = Command::from_letter(letter).unwrap();
                    match transition(state, command, protocol) {
                        Transition { reset: false, .. } => '+',
                        Transition { next: Some(_), .. } => 'r',
                        Transition { next: None, .. } => '-',
                    }
                })
                .collect()
        })
        .collect()
}

#[test]
fn nothing_skipped() {
    assert_eq!(
        table(0),
        [
            // OCHMRTLNBEU
            "+-rr------r", // Init
            "-+rr------+", // Opts
            "--++------+", // Conn
            "--++------+", // Helo
            "--rr+-----+", // Mail
            "--rr+++++++", // Rcpt
            "--rr--++++r", // Data
            "--rr--++--r", // Hdrs
            "--rr----++r", // Eohs
            "--rr----++r", // Body
            "--r+------+", // Endm
            "-+rr------+", // QuitNc
        ]
    );
}

#[test]
fn skipped_states_are_stepped_over_in_order() {
    let helo = step::NOHELO;
    assert!(State::Conn.reaches(State::Mail, helo));
    assert!(!State::Conn.reaches(State::Rcpt, helo));
    let envelope = step::NOHELO | step::NOMAIL;
    assert!(State::Conn.reaches(State::Rcpt, envelope));
    assert!(State::Opts.reaches(State::Endm, 0x7f));
    assert!(!State::Opts.reaches(State::Endm, 0x7f & !step::NOMAIL));
}

#[test]
fn a_message_may_end_right_after_data() {
    assert!(State::Data.reaches(State::Endm, 0));
    assert!(State::Data.reaches(State::Body, 0));
    assert!(!State::Hdrs.reaches(State::Endm, 0), "headers are closed by end of headers");
    assert!(State::Hdrs.reaches(State::Endm, step::NOEOH));
}

/// Where MAIL is not sent, only the order tells where a message begins.
#[test]
fn what_goes_back_is_another_message_if_it_can_begin_one() {
    use State::{Body, Data, Endm, Eohs, Hdrs, Helo, Mail, Rcpt};
    let sent = [Helo, Mail, Rcpt, Data, Hdrs, Eohs, Body, Endm];
    let others = |place: State, protocol| -> Vec<State> {
        sent.into_iter().filter(|next| place.is_before(*next, protocol)).collect()
    };
    for place in [Mail, Rcpt, Data, Hdrs, Eohs, Body] {
        assert_eq!(others(place, 0), [Helo, Mail], "{place:?}");
    }
    let no_envelope = step::NOMAIL | step::NORCPT;
    assert_eq!(others(Data, no_envelope), [Helo, Mail, Rcpt, Data]);
    assert_eq!(others(Hdrs, no_envelope), [Helo, Mail, Rcpt, Data], "headers are several");
    assert_eq!(others(Eohs, no_envelope | step::NODATA), [Helo, Mail, Rcpt, Data, Hdrs, Eohs]);
    assert_eq!(others(Body, step::NOMAIL), [Helo, Mail, Rcpt]);
}

#[test]
fn unknown_commands_leave_the_state() {
    for state in STATES {
        let got = transition(state, Command::Unknown, 0);
        if got.reset {
            assert_eq!(got.next, Some(State::Helo));
        } else {
            assert_eq!(got.next, Some(state));
        }
    }
}
