//! Sessions of one message or more against a milter by script.

use milter_mta::OwnedPacket;
use milter_mta::mail::{Envelope, Message};
use milter_mta::session::{
    ClientInfo, Event, Mta, Outcome, Profile, Session, SessionError, Timeouts,
};

use super::{BOUND, start};

/// The message that is played.
pub(crate) const MAIL: &[u8] = b"Subject: hello\nX-Two:  two\n\nbody\n";

/// An MTA that waits as long as a test may.
pub(crate) fn profile(mta: Mta) -> Profile {
    Profile { timeouts: Timeouts::uniform(BOUND), ..Profile::new(mta) }
}

/// Plays the sample `messages` times and gives the outcomes and what the milter saw.
pub(crate) fn play<S: AsRef<str>>(
    mta: Mta,
    messages: usize,
    words: &[S],
) -> (Result<Vec<Outcome>, SessionError>, Vec<OwnedPacket>) {
    let (client, milter) = start(words);
    let envelope = Envelope::new("a@b.example SIZE=1", &["c@d.example", "<e@f.example>"]);
    let message = Message::parse(MAIL);
    let run = || {
        let mut observer = |_: Event<'_>| {};
        let mut session = Session::open(client, profile(mta), &mut observer)?;
        session.connect(&ClientInfo::new(Some("h.example"), [192, 0, 2, 1].into(), 25))?;
        session.helo("me.example")?;
        let mut outcomes = Vec::new();
        for number in 0..messages {
            outcomes.push(session.deliver(&format!("Q{number}"), &envelope, &message)?);
        }
        session.quit(BOUND)?;
        Ok(outcomes)
    };
    let outcomes = run();
    (outcomes, milter.join().unwrap())
}
