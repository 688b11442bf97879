//! The network interfaces of this network namespace.

use std::ffi::CStr;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use super::syscall;

/// One interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) loopback: bool,
    pub(crate) multicast: bool,
    pub(crate) mtu: u32,
}

/// Every interface, whether it has addresses or not, each once.
pub(crate) fn interfaces() -> io::Result<Vec<Interface>> {
    let mut first = std::ptr::null_mut::<libc::ifaddrs>();
    syscall!(getifaddrs(&raw mut first))?;
    let mut found: Vec<Interface> = Vec::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: getifaddrs has made a list of valid entries, which is not freed before the end.
        let entry = unsafe { &*next };
        next = entry.ifa_next;
        // SAFETY: the name of an entry is a string that lives as long as the list.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        // Interface names may be any bytes; a name that is no text cannot be in a configuration.
        let Ok(name) = name.to_str() else { continue };
        if found.iter().any(|interface| interface.name == name) {
            continue;
        }
        let has = |flag: libc::c_int| entry.ifa_flags & flag as libc::c_uint != 0;
        found.push(Interface {
            name: name.to_owned(),
            loopback: has(libc::IFF_LOOPBACK),
            multicast: has(libc::IFF_MULTICAST),
            mtu: 0,
        });
    }
    // SAFETY: the list comes from getifaddrs, is freed once, and nothing refers to it any more.
    unsafe { libc::freeifaddrs(first) };
    // Any socket gives access to the interfaces of the namespace.
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // One that has gone in the meantime is no interface any more.
    found.retain_mut(|interface| match mtu(&socket, &interface.name) {
        Some(mtu) => {
            interface.mtu = mtu;
            true
        }
        None => false,
    });
    Ok(found)
}

/// The name of the interface with this number; `None` if there is none by now.
pub(crate) fn name_of(number: u32) -> Option<String> {
    let mut buffer = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the length that the call asks for, and is a string if it succeeds.
    let name = unsafe {
        let name = libc::if_indextoname(number, buffer.as_mut_ptr());
        (!name.is_null()).then(|| CStr::from_ptr(buffer.as_ptr()))
    };
    Some(name?.to_string_lossy().into_owned())
}

fn mtu(socket: &UdpSocket, name: &str) -> Option<u32> {
    // SAFETY: all-zero is a valid value of this plain C struct.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return None;
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    syscall!(ioctl(
        socket.as_raw_fd(),
        libc::SIOCGIFMTU,
        &raw mut request
    ))
    .ok()?;
    // SAFETY: this request fills in the MTU.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    u32::try_from(mtu).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_loopback_interface_is_there_once() {
        let found = super::interfaces().expect("interfaces can be listed");
        let loopbacks: Vec<_> = found
            .iter()
            .filter(|interface| interface.loopback)
            .collect();
        assert_eq!(loopbacks.len(), 1, "{found:?}");
        assert_eq!(loopbacks[0].name, "lo");
        assert!(loopbacks[0].mtu > 1000);
    }
}
