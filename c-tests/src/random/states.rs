//! The order of commands as the reference has it; only to know where its oddities begin.

/// Numbers of the states, as the reference's log messages have them.
pub mod number {
    /// Accepted, nothing received.
    pub const INIT: u8 = 0;
    /// Negotiated.
    pub const OPTS: u8 = 1;
    /// After connect.
    pub const CONN: u8 = 2;
    /// After HELO, a verdict, or a command out of order.
    pub const HELO: u8 = 3;
    /// After MAIL: the first of the states inside a message.
    pub const MAIL: u8 = 4;
    /// After RCPT.
    pub const RCPT: u8 = 5;
    /// After DATA.
    pub const DATA: u8 = 6;
    /// After a header.
    pub const HDRS: u8 = 7;
    /// After the end of headers.
    pub const EOHS: u8 = 8;
    /// After a part of the body: the last of the states inside a message.
    pub const BODY: u8 = 9;
    /// After the end of the message.
    pub const ENDM: u8 = 10;
    /// After quit.
    pub const QUIT: u8 = 11;
    /// After abort.
    pub const ABRT: u8 = 12;
    /// After an unknown command.
    pub const UNKN: u8 = 13;
    /// After "quit, new connection follows".
    pub const QNC: u8 = 14;
}
use number::*;

/// The state that a command leads to.
pub fn target(letter: u8) -> Option<u8> {
    Some(match letter {
        b'O' => OPTS,
        b'C' => CONN,
        b'H' => HELO,
        b'M' => MAIL,
        b'R' => RCPT,
        b'T' => DATA,
        b'L' => HDRS,
        b'N' => EOHS,
        b'B' => BODY,
        b'E' => ENDM,
        b'Q' => QUIT,
        b'A' => ABRT,
        b'U' => UNKN,
        b'K' => QNC,
        _ => return None,
    })
}

/// Whether a state is inside a message.
pub fn in_message(state: u8) -> bool {
    (MAIL..=BODY).contains(&state)
}

fn successors(state: u8) -> &'static [u8] {
    match state {
        INIT => &[OPTS],
        OPTS => &[CONN, UNKN],
        CONN | HELO => &[HELO, MAIL, UNKN],
        MAIL => &[RCPT, ABRT, UNKN],
        RCPT => &[RCPT, DATA, HDRS, EOHS, BODY, ENDM, ABRT, UNKN],
        DATA | HDRS => &[HDRS, EOHS, ABRT],
        EOHS | BODY => &[BODY, ENDM, ABRT],
        ENDM => &[MAIL, QUIT, QNC, UNKN],
        UNKN => &[HELO, MAIL, RCPT, DATA, BODY, ABRT, UNKN, QUIT, QNC],
        QNC => &[CONN, UNKN],
        _ => &[],
    }
}

/// Whether the MTA was told that it may leave this state's command out.
fn skippable(state: u8, flags: u32) -> bool {
    let bit = match state {
        CONN => 0x1,
        HELO => 0x2,
        MAIL => 0x4,
        RCPT => 0x8,
        BODY => 0x10,
        HDRS => 0x20,
        EOHS => 0x40,
        UNKN => 0x100,
        DATA => 0x200,
        _ => 0,
    };
    flags & bit != 0
}

/// Whether a command may lead from one state to another, states between being skippable.
pub fn reachable(mut from: u8, to: u8, flags: u32) -> bool {
    loop {
        if successors(from).contains(&to) {
            return true;
        }
        from += 1;
        if !skippable(from, flags) {
            return false;
        }
    }
}
