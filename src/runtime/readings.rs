//! What a run looks like now, for whoever asks for statistics.

use std::fmt::{Result, Write};

use std::time::Instant;

use super::event_loop::EventLoop;
use super::exposition::{self, Readings, STAGES, stages};
use super::log::left_out;
use super::message::Message;
use super::run::Run;
use super::subject::UnderWay;
use crate::proto::printable::quote;
use crate::session::Filter;

/// Callbacks that a page shows.
const CALLBACKS_MAX: usize = 32;

/// Writes the page of a path; `false` if there is none.
pub(super) fn page<F: Filter>(
    run: &Run<F>,
    path: &str,
    out: &mut dyn Write,
) -> std::result::Result<bool, std::fmt::Error> {
    match path {
        "/" | "/metrics" => metrics(run, out)?,
        "/callbacks" => callbacks(run, out)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn metrics<F: Filter>(run: &Run<F>, out: &mut dyn Write) -> Result {
    let Some(tally) = &run.service.tally else { return Ok(()) };
    exposition::write(out, tally, &read(run))
}

/// A value that is allowed at most, unless all are.
fn limit(most: usize) -> Option<u64> {
    (most < usize::MAX).then_some(most as u64)
}

/// Looks at a run.
fn read<F: Filter>(run: &Run<F>) -> Readings {
    let service = &run.service;
    let (live, idle, queued) = run.pool.counts();
    let owned = run.loops.iter().filter(|l| l.owner.is_present()).count();
    let mut full = run.loops.iter().map(EventLoop::full).sum::<usize>();
    service.lifecycle.each_detached(|output| full += usize::from(output.is_full()));
    // With a thread for each session, those of the loops are beside them.
    let beside = if run.stops.is_some() { run.loops.len() } else { 0 };
    let threads = service.options.max_threads.saturating_add(beside);
    let mut readings = Readings {
        filter: service.log.name().to_owned(),
        sessions: service.lifecycle.sessions() as u64,
        begun: service.lifecycle.begun(),
        for_thread: queued.saturating_sub(idle) as u64,
        for_room: full as u64,
        threads: [owned, live.saturating_sub(owned + idle), idle].map(|n| n as u64),
        limits: [limit(service.options.allowance.sessions), limit(threads)],
        left_out: left_out(),
        ..Readings::default()
    };
    for (served, command) in readings.served.iter_mut().zip(STAGES) {
        *served = service.filter.serves(command);
    }
    let now = Instant::now();
    for_each_callback(run, |callback, _| {
        let stage = STAGES.iter().position(|command| *command == callback.command);
        let Some(stage) = stage else { return };
        let nanos = now.saturating_duration_since(callback.since).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        if let (Some(count), Some(longest)) =
            (readings.under_way.get_mut(stage), readings.longest.get_mut(stage))
        {
            *count += 1;
            *longest = nanos.max(*longest);
        }
    });
    readings
}

/// Tells of the callbacks that are under way.
fn for_each_callback<F: Filter>(run: &Run<F>, visit: impl FnMut(&UnderWay, &Message)) {
    if let Some(callbacks) = &run.service.callbacks {
        callbacks.each(visit);
    }
}

/// The callbacks under way that began first, one a line: session, callback, stage, milliseconds, thread,
/// queue id, with tabs between them.
fn callbacks<F: Filter>(run: &Run<F>, out: &mut dyn Write) -> Result {
    let mut first: [Option<(UnderWay, Message)>; CALLBACKS_MAX] = [const { None }; CALLBACKS_MAX];
    let mut all = 0_u64;
    for_each_callback(run, |callback, message| {
        all += 1;
        // Where it belongs, by its age; the last one falls out.
        let later = |place: &Option<(UnderWay, Message)>| {
            place.as_ref().is_none_or(|(held, _)| held.since > callback.since)
        };
        if let Some(at) = first.iter().position(later) {
            if let Some(rest) = first.get_mut(at..) {
                rest.rotate_right(1);
            }
            if let Some(place) = first.get_mut(at) {
                *place = Some((*callback, message.clone()));
            }
        }
    });
    let now = Instant::now();
    writeln!(out, "# session\tcallback\tstage\tmilliseconds\tthread\tqueue id; {all} in all")?;
    for (callback, message) in first.iter().flatten() {
        let UnderWay { session, command, since, thread, .. } = callback;
        let stage = stages().find(|(of, _)| of == command).map_or("", |(_, stage)| stage);
        write!(out, "{session}\t{}\t{stage}", command.callback_name())?;
        write!(out, "\t{}", now.saturating_duration_since(*since).as_millis())?;
        match thread {
            Some(thread) => write!(out, "\t{thread}")?,
            None => out.write_str("\t-")?,
        }
        match message.queue_id() {
            [] => out.write_str("\t-\n")?,
            id => writeln!(out, "\t{}", quote(id))?,
        }
    }
    Ok(())
}
