//! What a thread that owns no loop does with a session.

use super::connection::{Connection, Job, Place, Scratch, TurnEnd};
use super::run::Run;
use super::service::Service;
use crate::session::Filter;
use crate::sys::clock::Time;

/// Takes a session on whose turn has come to this `end`, and that came from the loop `home`: runs its
/// slow callbacks, and puts it into a loop again.
pub(super) fn settle<F: Filter>(
    run: &Run<F>,
    mut connection: Box<Connection>,
    mut end: TurnEnd,
    home: usize,
    scratch: &mut Scratch,
) {
    while end == TurnEnd::HandOver {
        end = connection.turn(&run.service, scratch, Job::Resume, Place::Spare);
    }
    run.service.lifecycle.undetach(connection.output.session);
    connection.wait_from(Time::now());
    if end.stays() {
        if let Err(mut connection) = run.attach(connection, home, false) {
            end_session(&run.service, &mut connection);
        }
    }
}

/// Ends a session that is in no loop.
pub(super) fn end_session<F: Filter>(service: &Service<F>, connection: &mut Connection) {
    service.lifecycle.detach(&connection.output);
    connection.finish(service);
    service.lifecycle.undetach(connection.output.session);
}
