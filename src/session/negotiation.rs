//! Negotiation: the first thing said.

use super::core::{Flow, Session};
use super::filter::Filter;
use super::report::Report;
use crate::proto::command::Command;
use crate::proto::negotiate::{self, Agreement, NegotiateError, Offer};
use crate::proto::response::{Payload, letter};

impl Session {
    /// Answers an offer with what holds from now on.
    #[cold]
    pub(super) fn negotiate<F: Filter>(&mut self, filter: &F, payload: &[u8]) -> Flow {
        let agreed = self.agreed(filter, payload);
        if self.context.take_overrun().is_some() {
            return Flow::Close;
        }
        match agreed {
            Ok(agreement) => self.agreement = agreement,
            Err(error) => {
                let flow = self.give_up(Report::Negotiate(error));
                if error.explanation().is_some() {
                    self.context.output.report(Report::Unsuited(error));
                }
                return flow;
            }
        }
        let agreement = self.agreement;
        self.context.lock().granted = agreement.actions;
        match self.context.symbol_lists(|lists| agreement.encode(lists)) {
            Ok(answer) => self.send_packet(letter::OPTNEG, Payload::Raw(&answer)),
            Err(_) => Flow::Close,
        }
    }

    fn agreed<F: Filter>(&self, filter: &F, payload: &[u8]) -> Result<Agreement, NegotiateError> {
        let traits = filter.traits();
        let offer = Offer::parse(payload, traits)?;
        if let Some(size) = offer.max_data_size() {
            self.context.set_max_data_size(size);
        }
        let mut request = offer.defaults(traits);
        let called = filter.serves(Command::Negotiate).then(|| {
            let result = filter.negotiate(&self.context, &offer, &mut request);
            (result, request)
        });
        let agreed = negotiate::agree(&offer, traits, called);
        if let Ok(a) = &agreed {
            self.debug(3, |line| {
                line(format_args!(
                    "milter_negotiate: mta_actions=0x{:x}, mta_flags=0x{:x} actions=0x{:x}, flags=0x{:x}",
                    offer.actions, offer.protocol, a.actions, a.answered
                ));
            });
        }
        agreed
    }
}
