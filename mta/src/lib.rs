//! The MTA's side of the milter protocol.
//!
//! This crate speaks to a milter as sendmail and Postfix do. It deliberately shares no code with
//! `libmilter`: it is written from the protocol alone, so that tests which use it are an
//! independent witness of what goes over the wire. A mistake made once in shared code would be
//! made on both sides and never show.
//!
//! From the bottom up:
//!
//! * [`wire`]: packets, command letters, replies, flags. No I/O.
//! * [`spec`]: connection specifications such as `unix:/run/x.sock` and `inet:8891@localhost`.
//! * [`client`]: one connection; raw bytes and packets, queued into one write, read with a bound.
//! * [`negotiate`]: offers of several MTAs, answers checked strictly.
//! * [`mail`]: messages, envelopes, and what changes make of them.
//! * [`session`]: a whole SMTP session as sendmail or Postfix plays it.
//! * [`capture`]: what was said on a connection, as a file.
//! * [`replay`]: the MTA's half of a capture, played again; where the answers differ.
//!
//! A message through a milter, and what comes out:
//!
//! ```no_run
//! use std::time::Duration;
//! use milter_mta::mail::{Envelope, Message};
//! use milter_mta::session::{ClientInfo, Mta, Profile, Session};
//! use milter_mta::Client;
//!
//! let client = Client::connect(&"inet:8891@localhost".parse()?, Duration::from_secs(5))?;
//! let mut observer = |event: milter_mta::session::Event<'_>| println!("{event:?}");
//! let mut session = Session::open(client, Profile::new(Mta::Postfix), &mut observer)?;
//! let address = "192.0.2.25".parse()?;
//! session.connect(&ClientInfo::new(Some("client.example.org"), address, 40_000))?;
//! session.helo("client.example.org")?;
//! let envelope = Envelope::new("sender@example.org", &["recipient@example.net"]);
//! let message = Message::parse(b"Subject: hello\n\nHow are you?\n");
//! let outcome = session.deliver("4F0C2A", &envelope, &message)?;
//! println!("{}: {}", outcome.verdict, outcome.reply);
//! session.quit(Duration::from_secs(1))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod capture;
pub mod client;
pub mod mail;
pub mod negotiate;
pub mod replay;
pub mod session;
pub mod spec;
pub mod wire;

pub use capture::Capture;
pub use client::{Client, ClientError};
pub use negotiate::{Agreement, Offer};
pub use spec::ConnSpec;
pub use wire::{Command, OwnedPacket, Packet, Reply};
