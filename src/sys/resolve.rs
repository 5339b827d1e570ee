//! Names of hosts and services, looked up while the listening socket is opened.

use std::ffi::CString;
use std::net::{IpAddr, SocketAddr};

/// The TCP port of a service, from the system's list.
#[must_use]
pub fn service_port(name: &str) -> Option<u16> {
    let name = CString::new(name).ok()?;
    let mut hints = empty_hints();
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_family = libc::AF_INET;
    addresses(None, Some(&name), &hints).first().map(SocketAddr::port)
}

/// The first address of a host in the family asked for. Numeric forms, `127.1` too, count.
#[must_use]
pub fn host_address(name: &str, ipv6: bool) -> Option<IpAddr> {
    let name = CString::new(name).ok().filter(|name| !name.is_empty())?;
    let mut hints = empty_hints();
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_family = if ipv6 { libc::AF_INET6 } else { libc::AF_INET };
    addresses(Some(&name), None, &hints).first().map(SocketAddr::ip)
}

fn empty_hints() -> libc::addrinfo {
    // SAFETY: all fields are numbers or pointers, for which zero is a valid value.
    unsafe { std::mem::zeroed() }
}

fn addresses(
    host: Option<&CString>,
    service: Option<&CString>,
    hints: &libc::addrinfo,
) -> Vec<SocketAddr> {
    let pointer = |text: Option<&CString>| text.map_or(std::ptr::null(), |text| text.as_ptr());
    let mut list = std::ptr::null_mut();
    // SAFETY: both strings and the hints live during the call; `list` is valid for writing.
    let result = unsafe {
        libc::getaddrinfo(pointer(host), pointer(service), &raw const *hints, &raw mut list)
    };
    let mut found = Vec::new();
    if result != 0 {
        return found;
    }
    let mut node = list;
    // SAFETY: getaddrinfo succeeded, so the list's nodes are valid until freeaddrinfo.
    while let Some(info) = unsafe { node.as_ref() } {
        // SAFETY: ai_addr is null or points to an address of the family ai_family.
        found.extend(unsafe { socket_address(info.ai_addr) });
        node = info.ai_next;
    }
    // SAFETY: the list came from getaddrinfo and is freed once.
    unsafe { libc::freeaddrinfo(list) };
    found
}

/// # Safety
/// The pointer is null or valid for the address of the family it starts with.
unsafe fn socket_address(address: *const libc::sockaddr) -> Option<SocketAddr> {
    // SAFETY: by the caller's promise.
    let family = unsafe { address.as_ref() }?.sa_family;
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: by the caller's promise, the family tells the type.
            let v4 = unsafe { &*address.cast::<libc::sockaddr_in>() };
            let ip = v4.sin_addr.s_addr.to_ne_bytes();
            Some(SocketAddr::from((ip, u16::from_be(v4.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: by the caller's promise, the family tells the type.
            let v6 = unsafe { &*address.cast::<libc::sockaddr_in6>() };
            Some(SocketAddr::from((v6.sin6_addr.s6_addr, u16::from_be(v6.sin6_port))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_hosts_need_no_resolver() {
        assert_eq!(host_address("127.1", false), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(host_address("::1", true), Some("::1".parse().unwrap()));
        assert_eq!(host_address("::1", false), None);
        assert_eq!(host_address("", false), None);
        assert_eq!(service_port("no-such-service-name"), None);
    }
}
