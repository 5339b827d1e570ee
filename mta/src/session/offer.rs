//! The first exchange: what the MTA offers and the milter chooses.

use super::error::Problem;
use super::event::Event;
use super::profile::Profile;
use crate::client::Client;
use crate::negotiate::Agreement;
use crate::wire::{Command, Reply};

/// Makes the offer and checks the answer.
pub(super) fn negotiate(
    client: &mut Client,
    profile: &Profile,
    observer: &mut dyn FnMut(Event<'_>),
) -> Result<Agreement, Problem> {
    let offer = profile.offer;
    let command = Command::Negotiate {
        version: offer.version,
        actions: offer.actions,
        protocol: offer.protocol,
    };
    observer(Event::Sent(&command));
    client.send_command(&command)?;
    let packet = client.read_packet(profile.timeouts.command)?;
    if let Ok(reply) = Reply::parse(packet) {
        observer(Event::Received(&reply));
    }
    Ok(Agreement::check(&offer, packet)?)
}
