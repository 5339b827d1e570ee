//! Mail that flows while something happens to its filters, and a look at all of it afterwards.

use super::{SHORT, eventually};
use c_tests::ends::Ends;
use compliance::{Mta, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

const CLIENTS: usize = 4;
/// Messages after which some have gone through the filter that runs now, as others were under way.
pub(crate) const FLOWS: usize = 2 * CLIENTS;
/// What the filter puts into each message, with a text of its own behind it.
pub(crate) const HEADER: &str = "X-Seen: ";

/// What came of the messages of a client: recipients of those accepted; else what was said.
#[derive(Default)]
struct Sent {
    accepted: Vec<String>,
    refused: Vec<String>,
    put_off: Vec<String>,
}

/// Clients that send messages, one for each connection, until told to stop.
pub(crate) struct Load<'a> {
    pub(crate) mta: &'a Mta,
    stop: AtomicBool,
    accepted: AtomicUsize,
}

impl<'a> Load<'a> {
    fn new(mta: &'a Mta) -> Self {
        Self { mta, stop: AtomicBool::new(false), accepted: AtomicUsize::new(0) }
    }

    /// One message after the other; one that is put off at MAIL is sent again.
    fn client(&self, number: usize) -> Result<Sent> {
        let Sent { mut accepted, mut refused, mut put_off } = Sent::default();
        while !self.stop.load(Ordering::Relaxed) {
            let recipient = format!("{number}-{}@b.example", accepted.len() + refused.len());
            let mut smtp = self.mta.smtp()?;
            smtp.send("a@a.example", &[&recipient], SHORT)?;
            let said = smtp.quit()?;
            let mut replies = said.windows(2);
            if replies.any(|pair| pair[0].starts_with("C: MAIL") && pair[1].starts_with("S: 4")) {
                put_off.push(said.join("\n"));
                continue;
            }
            // The last replies are those to the message and to QUIT.
            match said
                .iter()
                .filter(|line| line.starts_with("S: 4") || line.ends_with("(closed)"))
                .count()
            {
                1 => {
                    self.accepted.fetch_add(1, Ordering::Relaxed);
                    accepted.push(recipient);
                }
                _ => refused.push(said.join("\n")),
            }
        }
        Ok(Sent { accepted, refused, put_off })
    }

    /// Waits until that many more messages were accepted.
    pub(crate) fn wait_for(&self, more: usize) {
        let wanted = self.accepted.load(Ordering::Relaxed) + more;
        eventually(
            || self.accepted.load(Ordering::Relaxed) >= wanted,
            || format!("mail does not flow; {}", self.mta.log()),
        );
    }
}

/// Sends mail through an MTA while this happens; all of it is accepted, and delivered once, with such a header once.
/// How many messages.
pub(crate) fn nothing_is_lost(
    mta: &Mta,
    header: &str,
    happens: impl FnOnce(&Load<'_>) -> Result<()>,
) -> Result<usize> {
    let (messages, put_off) = nothing_begun_is_lost(mta, header, happens)?;
    assert!(put_off.is_empty(), "{}\n{}", put_off.join("\n\n"), mta.log());
    Ok(messages)
}

/// The same where clients may be told to try again before they have begun a message, at MAIL; what was said to
/// those is the second result.
pub(crate) fn nothing_begun_is_lost(
    mta: &Mta,
    header: &str,
    happens: impl FnOnce(&Load<'_>) -> Result<()>,
) -> Result<(usize, Vec<String>)> {
    let load = Load::new(mta);
    let (clients, happened) = thread::scope(|scope| {
        let load = &load;
        let clients: Vec<_> = (0..CLIENTS).map(|n| scope.spawn(move || load.client(n))).collect();
        let ends = Ends(&load.stop);
        let happened = happens(load);
        drop(ends);
        let clients: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        (clients, happened)
    });
    happened?;
    mta.settle()?;
    let mut delivered: Vec<String> = Vec::new();
    for delivery in mta.deliveries()? {
        let seen = delivery.message.lines().filter(|line| line.starts_with(header)).count();
        assert_eq!(seen, 1, "{}: {}", delivery.recipient, delivery.message);
        delivered.push(delivery.recipient);
    }
    let (mut accepted, mut put_off) = (Vec::new(), Vec::new());
    for client in clients {
        let Sent { accepted: mut those, refused, put_off: mut again } = client?;
        put_off.append(&mut again);
        assert!(refused.is_empty(), "{}\n{}", refused.join("\n\n"), mta.log());
        accepted.append(&mut those);
    }
    delivered.sort();
    accepted.sort();
    assert_eq!(delivered, accepted);
    Ok((accepted.len(), put_off))
}
