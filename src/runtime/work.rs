//! What a thread of the pool does with each kind of work.

use std::sync::Arc;

use super::connection::{Scratch, TurnEnd};
use super::drive::drive;
use super::own_thread::accompany;
use super::pool::{Employer, Next, Pool};
use super::run::{Run, Work};
use super::spare::{end_session, settle};
use crate::session::Filter;

impl<F: Filter + 'static> Employer for Run<F> {
    type Work = Work;
    type Desk = Scratch;

    fn pool(&self) -> &Pool<Work> {
        &self.pool
    }

    fn perform(self: &Arc<Self>, work: Work, scratch: &mut Scratch) -> Next {
        match work {
            Work::Loop(index) => drive(self, index, scratch),
            Work::Connection(connection, home) => {
                settle(self, connection, TurnEnd::HandOver, home, scratch);
            }
            Work::Session(mut connection) => {
                match &self.stops {
                    Some(stops) => accompany(&self.service, stops, connection, scratch),
                    None => end_session(&self.service, &mut connection),
                }
                // Another session may wait for a thread.
                return Next::Leave;
            }
            Work::End(mut connection) => end_session(&self.service, &mut connection),
        }
        Next::Stay
    }

    fn at_rest(&self) {
        if self.has_vacancy() {
            self.service.lifecycle.control.wake();
        }
    }
}
