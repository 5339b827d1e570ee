//! The callbacks of a C filter and their arguments.

use std::ffi::{c_char, c_int, c_ulong, c_void};

use super::arguments::with_arguments;
use super::call::{Call, Flags, Form};
use super::types::{EventCallback, smfiDesc};
use crate::proto::address::Address;
use crate::proto::codes::{LIBRARY_VERSION, LIBRARY_VERSION_MDS, status, step};
use crate::proto::command::Command;
use crate::proto::negotiate::{FilterTraits, Offer, Request};
use crate::session::{Context, Filter};

/// A registered filter. A run keeps its own copy, so that registering again does not change the
/// callbacks under sessions that are open.
#[derive(Clone)]
pub(super) struct CFilter {
    callbacks: smfiDesc,
    traits: FilterTraits,
    /// Commands that have a callback, as bits by [`Command::index`].
    served: u16,
}

// SAFETY: the function pointers may be called from any thread: so says the interface that the
// filter was written for. The only other pointer, the name, is NULL (see `new`).
unsafe impl Send for CFilter {}
// SAFETY: as above.
unsafe impl Sync for CFilter {}

/// Whether a filter of this version is one the library can serve.
pub(super) fn version_fits(version: c_int) -> bool {
    const MAJOR: u32 = 0x7f00_0000;
    const MINOR: u32 = 0x007f_ff00;
    let version = version as u32;
    (2..=4).contains(&version) || version & (MAJOR | MINOR) == LIBRARY_VERSION & (MAJOR | MINOR)
}

/// The bits of a C number that exist in the protocol; the others are ignored.
fn flags(number: c_ulong) -> u32 {
    number as u32
}

impl CFilter {
    /// Keeps what the filter's version has; older filters pass a shorter structure.
    pub(super) fn new(mut desc: smfiDesc) -> CFilter {
        desc.xxfi_name = std::ptr::null_mut();
        if desc.xxfi_version <= 2 {
            desc.xxfi_unknown = None;
        }
        if desc.xxfi_version <= 3 {
            desc.xxfi_data = None;
        }
        if desc.xxfi_version <= 4 {
            desc.xxfi_negotiate = None;
        }
        let absent = [
            (desc.xxfi_connect.is_none(), step::NOCONNECT),
            (desc.xxfi_helo.is_none(), step::NOHELO),
            (desc.xxfi_envfrom.is_none(), step::NOMAIL),
            (desc.xxfi_envrcpt.is_none(), step::NORCPT),
            (desc.xxfi_body.is_none(), step::NOBODY),
            (desc.xxfi_header.is_none(), step::NOHDRS),
            (desc.xxfi_eoh.is_none(), step::NOEOH),
            (desc.xxfi_unknown.is_none(), step::NOUNKNOWN),
            (desc.xxfi_data.is_none(), step::NODATA),
        ];
        let absent = absent.iter().filter(|(absent, _)| *absent).map(|(_, flag)| flag).sum();
        let mds = desc.xxfi_version >= LIBRARY_VERSION_MDS as c_int;
        let actions = flags(desc.xxfi_flags);
        let served = [
            (desc.xxfi_negotiate.is_some(), Command::Negotiate),
            (desc.xxfi_connect.is_some(), Command::Connect),
            (desc.xxfi_helo.is_some(), Command::Helo),
            (desc.xxfi_envfrom.is_some(), Command::Mail),
            (desc.xxfi_envrcpt.is_some(), Command::Rcpt),
            (desc.xxfi_data.is_some(), Command::Data),
            (desc.xxfi_header.is_some(), Command::Header),
            (desc.xxfi_eoh.is_some(), Command::Eoh),
            (desc.xxfi_body.is_some(), Command::Body),
            (desc.xxfi_eom.is_some(), Command::Eom),
            (desc.xxfi_unknown.is_some(), Command::Unknown),
            (desc.xxfi_abort.is_some(), Command::Abort),
            (desc.xxfi_close.is_some(), Command::Quit),
            (desc.xxfi_close.is_some(), Command::QuitNc),
        ];
        let bits = served.iter().map(|(served, command)| u16::from(*served) << command.index());
        let served = bits.sum();
        CFilter { callbacks: desc, traits: FilterTraits { actions, absent, mds }, served }
    }

    #[inline]
    fn event_callback(&self, command: Command) -> EventCallback {
        match command {
            Command::Data => self.callbacks.xxfi_data,
            Command::Eoh => self.callbacks.xxfi_eoh,
            Command::Eom => self.callbacks.xxfi_eom,
            Command::Abort => self.callbacks.xxfi_abort,
            Command::Quit => self.callbacks.xxfi_close,
            _ => None,
        }
    }
}

/// Storage for any address a client can have, so that a filter may read as much as it likes.
#[repr(C)]
union AnyAddress {
    storage: libc::sockaddr_storage,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
    unix: libc::sockaddr_un,
}

impl AnyAddress {
    /// The address in C form; `None` if it is not known.
    fn new(address: &Address) -> Option<AnyAddress> {
        // SAFETY: socket addresses are made of numbers, for which zero is valid.
        let storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        let mut any = AnyAddress { storage };
        match address {
            Address::Unknown => return None,
            Address::V4(port, ip) => {
                // SAFETY: all bytes of the union were initialised.
                let v4 = unsafe { &mut any.v4 };
                v4.sin_family = libc::AF_INET as libc::sa_family_t;
                v4.sin_port = u16::from_ne_bytes(*port);
                v4.sin_addr.s_addr = u32::from_ne_bytes(ip.octets());
            }
            Address::V6(port, ip) => {
                // SAFETY: all bytes of the union were initialised.
                let v6 = unsafe { &mut any.v6 };
                v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                v6.sin6_port = u16::from_ne_bytes(*port);
                v6.sin6_addr.s6_addr = ip.octets();
            }
            Address::Unix(path) => {
                // SAFETY: all bytes of the union were initialised.
                let unix = unsafe { &mut any.unix };
                unix.sun_family = libc::AF_UNIX as libc::sa_family_t;
                let room = unix.sun_path.len() - 1;
                for (place, byte) in unix.sun_path.iter_mut().zip(path.iter().take(room)) {
                    *place = *byte as c_char;
                }
            }
        }
        Some(any)
    }
}

impl Filter for CFilter {
    fn traits(&self) -> FilterTraits {
        self.traits
    }

    #[inline]
    fn serves(&self, command: Command) -> bool {
        self.served & 1 << command.index() != 0
    }

    fn negotiate(&self, context: &Context, offer: &Offer, request: &mut Request) -> i32 {
        let Some(callback) = self.callbacks.xxfi_negotiate else { return status::ALL_OPTS };
        let long = |n: u32| c_ulong::from(n);
        let mut arguments = Flags {
            offered: [long(offer.actions), long(offer.shown_protocol()), 0, 0],
            wanted: [long(request.actions), long(request.protocol), 0, 0],
        };
        let call = Call::new(Form::Negotiate, callback as *const c_void, context);
        let call = call.first((&raw mut arguments).cast());
        // SAFETY: a callback of this form; the flags are valid during the call.
        let result = unsafe { call.run() };
        let [actions, protocol, ..] = arguments.wanted;
        *request = Request { actions: flags(actions), protocol: flags(protocol) };
        result
    }

    fn connect(&self, context: &Context, host: &mut [u8], address: &Address) -> i32 {
        let Some(callback) = self.callbacks.xxfi_connect else { return status::CONTINUE };
        let mut storage = AnyAddress::new(address);
        let address = storage.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut);
        let call = Call::new(Form::TwoPointers, callback as *const c_void, context);
        let call = call.first(host.as_mut_ptr().cast()).second(address.cast());
        // SAFETY: a callback of this form; the host name ends in NUL and the address is NULL or
        // of the family it names, both valid during the call.
        unsafe { call.run() }
    }

    fn helo(&self, context: &Context, name: &mut [u8]) -> i32 {
        let Some(callback) = self.callbacks.xxfi_helo else { return status::CONTINUE };
        let call = Call::new(Form::Pointer, callback as *const c_void, context);
        let call = call.first(name.as_mut_ptr().cast());
        // SAFETY: a callback of this form; the session checked that the name ends in NUL.
        unsafe { call.run() }
    }

    #[inline]
    fn envelope(&self, context: &Context, command: Command, strings: &mut [u8]) -> Option<i32> {
        let callback = match command {
            Command::Mail => self.callbacks.xxfi_envfrom,
            _ => self.callbacks.xxfi_envrcpt,
        };
        let Some(callback) = callback else { return Some(status::CONTINUE) };
        with_arguments(strings, |pointers| {
            let call = Call::new(Form::Pointer, callback as *const c_void, context);
            let call = call.first(pointers.as_mut_ptr().cast());
            // SAFETY: a callback of this form; the array ends in NULL and each string in NUL.
            unsafe { call.run() }
        })
    }

    fn header(&self, context: &Context, strings: &mut [u8], value: usize) -> i32 {
        let Some(callback) = self.callbacks.xxfi_header else { return status::CONTINUE };
        let name: *mut c_void = strings.as_mut_ptr().cast();
        let value = name.wrapping_byte_add(value.min(strings.len().saturating_sub(1)));
        let call = Call::new(Form::TwoPointers, callback as *const c_void, context);
        let call = call.first(name).second(value);
        // SAFETY: a callback of this form; the session checked that both strings end in NUL.
        unsafe { call.run() }
    }

    fn body(&self, context: &Context, chunk: &mut [u8]) -> i32 {
        let Some(callback) = self.callbacks.xxfi_body else { return status::CONTINUE };
        let call = Call::new(Form::Chunk, callback as *const c_void, context);
        let call = call.first(chunk.as_mut_ptr().cast()).size(chunk.len());
        // SAFETY: a callback of this form; the chunk has the length that is passed.
        unsafe { call.run() }
    }

    fn unknown(&self, context: &Context, text: &mut [u8]) -> i32 {
        let Some(callback) = self.callbacks.xxfi_unknown else { return status::CONTINUE };
        let call = Call::new(Form::Pointer, callback as *const c_void, context);
        let call = call.first(text.as_mut_ptr().cast());
        // SAFETY: a callback of this form; the session puts a NUL behind the text.
        unsafe { call.run() }
    }

    #[inline]
    fn event(&self, context: &Context, command: Command) -> i32 {
        let Some(callback) = self.event_callback(command) else { return status::CONTINUE };
        let call = Call::new(Form::Event, callback as *const c_void, context);
        // SAFETY: a callback of this form.
        unsafe { call.run() }
    }
}
