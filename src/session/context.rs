//! What a callback can reach of its session: macros, reply, private pointer, lists of macros.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::event::Event;
use super::output::{Output, SendError};
use super::refused::{Refused, Wrong};
use crate::proto::codes::MACRO_STAGES;
use crate::proto::macros::Macros;
use crate::proto::planted::{Bug, planted};
use crate::proto::reply;

/// The part of a session that C knows as `SMFICTX`.
///
/// Every method may be called from any thread; locks are held for the time of a copy only.
pub struct Context {
    pub(super) output: Arc<dyn Output>,
    /// The process-wide data size limit, in bytes.
    shared_limit: Arc<AtomicUsize>,
    /// The limit negotiated for this session, in bytes; 0 if none was.
    own_limit: AtomicU32,
    /// Somebody wants to hear of all that happens.
    watched: bool,
    private: AtomicPtr<c_void>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) macros: Macros,
    /// What most sessions never have, once there is some.
    seldom: Option<Box<Seldom>>,
    /// Actions negotiated.
    pub(super) granted: u32,
    /// Whether the end of a message is being processed, so that it may be changed.
    pub(super) changeable: bool,
    /// The callback that has just returned had run for too long, see [`Output::overran`].
    pub(super) overran: Option<Result<(), SendError>>,
    /// Mistakes of the filter that were told, as bits by kind.
    pub(super) told: u8,
}

/// What a filter may set for later.
#[derive(Default)]
struct Seldom {
    reply: Option<Box<[u8]>>,
    lists: Option<Box<[Option<Vec<u8>>; MACRO_STAGES]>>,
}

impl Inner {
    /// Stores a reply; gives the one before.
    fn set_reply(&mut self, reply: Vec<u8>) -> Option<Box<[u8]>> {
        self.seldom.get_or_insert_default().reply.replace(reply.into_boxed_slice())
    }

    fn reply(&self) -> Option<&[u8]> {
        self.seldom.as_ref()?.reply.as_deref()
    }

    /// Forgets the stored reply.
    pub(super) fn forget_reply(&mut self) {
        if let Some(seldom) = &mut self.seldom {
            seldom.reply = None;
        }
    }
}

impl Context {
    pub(super) fn new(output: Arc<dyn Output>, shared_limit: Arc<AtomicUsize>) -> Context {
        Context {
            watched: output.watches(),
            output,
            shared_limit,
            own_limit: AtomicU32::new(0),
            private: AtomicPtr::new(std::ptr::null_mut()),
            inner: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Bytes of payload a packet may have now, in either direction.
    #[must_use]
    pub fn max_data_size(&self) -> usize {
        // Relaxed: a number on its own; nothing else is published with it.
        match self.own_limit.load(Ordering::Relaxed) {
            0 => self.shared_limit.load(Ordering::Relaxed),
            own => own as usize,
        }
    }

    pub(super) fn set_max_data_size(&self, bytes: usize) {
        self.own_limit.store(u32::try_from(bytes).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Whether somebody wants to hear of what callbacks do.
    #[inline]
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// Tells whoever watches the session.
    #[cold]
    pub fn note(&self, event: Event<'_>) {
        self.output.note(event);
    }

    /// The way back to the MTA and to the log.
    #[must_use]
    pub fn output(&self) -> &dyn Output {
        &*self.output
    }

    /// The filter's own pointer (`smfi_getpriv`).
    #[must_use]
    pub fn private(&self) -> *mut c_void {
        // Acquire pairs with the release in `set_private`: what the filter wrote behind the
        // pointer is seen by the thread that runs the session's next callback.
        self.private.load(Ordering::Acquire)
    }

    /// Sets the filter's own pointer (`smfi_setpriv`); it is never followed nor freed.
    pub fn set_private(&self, private: *mut c_void) {
        self.private.store(private, Ordering::Release);
    }

    /// Hands a macro's value, with its NUL, to `take` (`smfi_getsymval`).
    ///
    /// The bytes stay where they are until the MTA replaces the stage's macros, a command clears
    /// them, or the session ends; none of that happens while a callback runs.
    pub fn macro_value<T>(&self, name: &[u8], take: impl FnOnce(&mut [u8]) -> T) -> Option<T> {
        self.lock().macros.get(name).map(take)
    }

    /// Where a macro's value begins, which a NUL ends; see [`Context::macro_value`].
    #[inline]
    #[must_use]
    pub fn macro_pointer(&self, name: &[u8]) -> Option<*mut u8> {
        self.lock().macros.find(name).map(<[u8]>::as_mut_ptr)
    }

    /// Stores a reply of one line (`smfi_setreply`); a stored one is kept if this fails.
    ///
    /// # Errors
    /// The reply breaks a rule.
    pub fn set_reply(
        &self,
        code: &[u8],
        enhanced: Option<&[u8]>,
        text: Option<&[u8]>,
    ) -> Result<(), Refused> {
        let reply = reply::single(code, enhanced, text).map_err(Refused::Reply)?;
        self.in_time()?;
        let old = self.lock().set_reply(reply);
        if planted(Bug::ReplyLeaked) {
            std::mem::forget(old);
        }
        Ok(())
    }

    /// Stores a reply of several lines (`smfi_setmlreply`); a stored one is kept if this fails.
    ///
    /// # Errors
    /// The reply breaks a rule.
    pub fn set_multiline_reply(
        &self,
        code: &[u8],
        enhanced: Option<&[u8]>,
        lines: &[&[u8]],
    ) -> Result<(), Refused> {
        let reply = reply::multi(code, enhanced, lines).map_err(Refused::Reply)?;
        self.in_time()?;
        self.lock().set_reply(reply);
        Ok(())
    }

    /// The code of the stored reply, if there is one.
    #[cold]
    pub(super) fn reply_code(&self) -> Option<[u8; 3]> {
        self.lock().reply().and_then(|reply| reply.first_chunk().copied())
    }

    /// Takes the stored reply if its class fits: '4' or '5'.
    pub(super) fn take_reply(&self, class: u8) -> Option<Box<[u8]>> {
        let fits = |first: &u8| *first == class || planted(Bug::ReplyClass);
        let mut inner = self.lock();
        inner.seldom.as_mut()?.reply.take_if(|reply| reply.first().is_some_and(fits))
    }

    /// Sets the list of macros wanted at a stage (`smfi_setsymlist`).
    ///
    /// # Errors
    /// There is no such stage, or it has a list already.
    pub fn set_symbol_list(&self, stage: i32, list: &[u8]) -> Result<(), Refused> {
        let stage = usize::try_from(stage).map_err(|_| Refused::Argument(Wrong::MacroStage))?;
        self.in_time()?;
        let mut inner = self.lock();
        let lists = inner.seldom.get_or_insert_default().lists.get_or_insert_default();
        let slot = lists.get_mut(stage).ok_or(Refused::Argument(Wrong::MacroStage))?;
        if slot.is_some() && !planted(Bug::ListReplaced) {
            return Err(Refused::AlreadySet);
        }
        let mut copy = Vec::new();
        copy.try_reserve_exact(list.len()).map_err(|_| Refused::Memory)?;
        copy.extend_from_slice(list);
        *slot = Some(copy);
        Ok(())
    }

    /// Hands the lists that are set, with their stages, to `take`.
    pub(super) fn symbol_lists<T>(
        &self,
        take: impl FnOnce(&mut dyn Iterator<Item = (u32, &[u8])>) -> T,
    ) -> T {
        let inner = self.lock();
        let lists = inner.seldom.as_ref().and_then(|seldom| seldom.lists.as_ref());
        let slots = lists.iter().flat_map(|lists| lists.iter());
        take(&mut (0u32..).zip(slots).filter_map(|(n, slot)| Some((n, slot.as_deref()?))))
    }

    /// Whether the filter may do this to the message now.
    pub(super) fn may(&self, wanted: u32) -> Result<(), Refused> {
        let inner = self.lock();
        let granted = inner.granted & wanted == wanted || planted(Bug::NotGranted);
        match inner.changeable {
            true if granted => Ok(()),
            true => Err(Refused::Right(wanted)),
            false => Err(Refused::Stage),
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
