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

/// Every interface, whether it has addresses or not, each once. The kernel is not asked for the
/// addresses: there may be thousands of ours.
pub(crate) fn interfaces() -> io::Result<Vec<Interface>> {
    let names = names()?;
    // Any socket gives access to the interfaces of the namespace.
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // One that has gone in the meantime is no interface any more.
    let found = names.into_iter().filter_map(|name| facts(&socket, name));
    Ok(found.collect())
}

/// Interface names may be any bytes; a name that is no text cannot be in a configuration.
fn names() -> io::Result<Vec<String>> {
    // SAFETY: the call has no requirements.
    let first = unsafe { libc::if_nameindex() };
    if first.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut names = Vec::new();
    let mut next = first;
    loop {
        // SAFETY: if_nameindex has made a list of valid entries, which ends with one without a
        // name and is not freed before the end.
        let name = unsafe { (*next).if_name };
        if name.is_null() {
            break;
        }
        // SAFETY: the name of an entry is a string that lives as long as the list.
        if let Ok(name) = unsafe { CStr::from_ptr(name) }.to_str() {
            names.push(name.to_owned());
        }
        // SAFETY: another entry follows each that has a name.
        next = unsafe { next.add(1) };
    }
    // SAFETY: the list comes from if_nameindex, is freed once, and nothing refers to it any more.
    unsafe { libc::if_freenameindex(first) };
    Ok(names)
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

/// What there is to be known of the interface `name`; `None` if there is none by now.
fn facts(socket: &UdpSocket, name: String) -> Option<Interface> {
    // SAFETY: all-zero is a valid value of this plain C struct.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return None;
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    let fd = socket.as_raw_fd();
    syscall!(ioctl(fd, libc::SIOCGIFFLAGS, &raw mut request)).ok()?;
    // SAFETY: this request fills in the flags.
    let flags = i32::from(unsafe { request.ifr_ifru.ifru_flags });
    syscall!(ioctl(fd, libc::SIOCGIFMTU, &raw mut request)).ok()?;
    // SAFETY: this request fills in the MTU.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    Some(Interface {
        name,
        loopback: flags & libc::IFF_LOOPBACK != 0,
        multicast: flags & libc::IFF_MULTICAST != 0,
        mtu: u32::try_from(mtu).ok()?,
    })
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
