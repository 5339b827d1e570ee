//! The sockets of a list of specifications: all of them, or none.

use super::conn_spec::{parse, split};
use super::listener::{ListenError, Listener, Opening, SOCKETS_MAX};
use crate::proto::printable::quote;

/// Opens what a list of specifications names and listens.
///
/// # Errors
/// Which of them can't be opened, and why, as in [`ListenError`]. Nothing is left of the others then, and
/// sockets that are served have not been replaced.
pub fn open<'a>(
    list: &'a [u8],
    opening: Opening<'_>,
) -> Result<Vec<Listener>, (&'a [u8], ListenError)> {
    let mut opened = Vec::new();
    match open_each(list, opening, &mut opened) {
        Ok(()) => Ok(opened),
        Err(error) => {
            opened.into_iter().for_each(Listener::withdraw);
            Err(error)
        }
    }
}

/// Opens one more socket, at a path or by a name without a file, beside `others`, in whose place it never is.
///
/// # Errors
/// See [`ListenError`].
pub fn open_beside(
    spec: &[u8],
    opening: Opening<'_>,
    others: &mut Vec<Listener>,
) -> Result<Listener, ListenError> {
    let parsed = parse(spec).map_err(ListenError::Spec)?;
    Listener::open(parsed, &quote(spec), opening, others)?;
    let Some(mut listener) = others.pop() else { return Err(ListenError::TooMany) };
    match listener.put_in_place() {
        Ok(()) => Ok(listener),
        Err(error) => {
            listener.withdraw();
            Err(error)
        }
    }
}

fn open_each<'a>(
    list: &'a [u8],
    opening: Opening<'_>,
    opened: &mut Vec<Listener>,
) -> Result<(), (&'a [u8], ListenError)> {
    // Before anything is opened.
    let mut specs = Vec::new();
    for spec in split(list) {
        specs.push((spec, parse(spec).map_err(|error| (spec, ListenError::Spec(error)))?));
    }
    // Where the sockets of each end.
    let mut ends = Vec::new();
    for (spec, parsed) in specs {
        Listener::open(parsed, &quote(spec), opening, opened).map_err(|error| (spec, error))?;
        if opened.len() > SOCKETS_MAX {
            return Err((spec, ListenError::TooMany));
        }
        ends.push((opened.len(), spec));
    }
    for (n, listener) in opened.iter_mut().enumerate() {
        let of = || ends.iter().find(|(end, _)| n < *end).map_or(list, |(_, spec)| *spec);
        listener.put_in_place().map_err(|error| (of(), error))?;
    }
    Ok(())
}
