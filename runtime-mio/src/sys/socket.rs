//! Sockets: opening them, their options, and one receive call that tells who sent.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use super::syscall;

/// Opens a non-blocking socket that is closed at exec.
pub(crate) fn open(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let fd = syscall!(socket(domain, kind, protocol))?;
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets an option whose value is the bytes of a structure.
pub(crate) fn set_bytes(fd: RawFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let length = value.len() as libc::socklen_t;
    // The kernel reads `length` octets of the slice and keeps no pointer.
    syscall!(setsockopt(fd, level, name, value.as_ptr().cast(), length))?;
    Ok(())
}

/// Sets an option whose value is an int.
pub(crate) fn set_int(fd: RawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    set_bytes(fd, level, name, &value.to_ne_bytes())
}

/// Reads an option whose value is an int.
pub(crate) fn get_int(fd: RawFd, level: i32, name: i32) -> io::Result<i32> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // Both pointers are to locals, and `length` is the size of the first.
    syscall!(getsockopt(
        fd,
        level,
        name,
        (&raw mut value).cast(),
        &raw mut length
    ))?;
    Ok(value)
}

/// The user behind a connected Unix socket, as it was when it connected.
pub(crate) fn peer_uid(fd: RawFd) -> io::Result<u32> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // Both pointers are to locals, and `length` is the size of the first.
    syscall!(getsockopt(
        fd,
        libc::SOL_SOCKET,
        libc::SO_PEERCRED,
        (&raw mut peer).cast(),
        &raw mut length
    ))?;
    Ok(peer.uid)
}

/// How many packets a socket had no room for since it was opened.
pub(crate) fn dropped(fd: RawFd) -> io::Result<u32> {
    let mut values = [0u32; MEMINFO_VALUES];
    let mut length = size_of_val(&values) as libc::socklen_t;
    // Both pointers are to locals, and `length` is the size of the first.
    syscall!(getsockopt(
        fd,
        libc::SOL_SOCKET,
        libc::SO_MEMINFO,
        values.as_mut_ptr().cast(),
        &raw mut length
    ))?;
    Ok(values[MEMINFO_DROPS])
}

/// linux/sock_diag.h: the values of SO_MEMINFO, and which of them counts dropped packets.
const MEMINFO_VALUES: usize = 9;
const MEMINFO_DROPS: usize = 8;

/// Which of a socket's two buffers.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Buffer {
    Receive,
    Send,
}

/// Makes a buffer hold at least `octets`: beyond the system's limit where we may, else up to it.
/// Never makes it smaller.
pub(crate) fn grow_buffer(fd: RawFd, buffer: Buffer, octets: u32) -> io::Result<()> {
    let (force, plain) = match buffer {
        Buffer::Receive => (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        Buffer::Send => (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    };
    let octets = i32::try_from(octets).unwrap_or(i32::MAX / 2);
    // The kernel doubles what it is given, for its own overhead, and reports the double.
    if get_int(fd, libc::SOL_SOCKET, plain)? / 2 >= octets {
        return Ok(());
    }
    set_int(fd, libc::SOL_SOCKET, force, octets)
        .or_else(|_| set_int(fd, libc::SOL_SOCKET, plain, octets))
}

/// Makes a buffer of `octets`, or what the system's limit allows; with `force` beyond it where we
/// may. The kernel has its own least.
pub(crate) fn set_buffer(fd: RawFd, buffer: Buffer, octets: u32, force: bool) -> io::Result<()> {
    let (forced, plain) = match buffer {
        Buffer::Receive => (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        Buffer::Send => (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    };
    let octets = i32::try_from(octets).unwrap_or(i32::MAX / 2);
    if force && set_int(fd, libc::SOL_SOCKET, forced, octets).is_ok() {
        return Ok(());
    }
    set_int(fd, libc::SOL_SOCKET, plain, octets)
}

/// Restricts a socket to one interface: ENODEV if there is none of this number.
pub(crate) fn bind_to_interface(fd: RawFd, ifindex: u32) -> io::Result<()> {
    // The option takes any number; only the name tells that the interface exists.
    let Ok(name) = interface_name(ifindex) else {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    };
    let number = ifindex.cast_signed();
    match set_int(fd, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX, number) {
        // Before Linux 5.1.
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {
            set_bytes(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &name)
        }
        other => other,
    }
}

/// The name of an interface, padded with zeros.
fn interface_name(ifindex: u32) -> io::Result<[u8; libc::IF_NAMESIZE]> {
    let mut name = [0u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE octets that the call may write.
    let result = unsafe { libc::if_indextoname(ifindex, name.as_mut_ptr().cast()) };
    if result.is_null() {
        return Err(io::Error::last_os_error());
    }
    Ok(name)
}

/// One datagram of a netlink socket.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct NetlinkDatagram {
    /// Octets of the buffer that it fills.
    pub(crate) len: usize,
    /// It was longer than the buffer; the rest is lost.
    pub(crate) truncated: bool,
    /// The kernel sent it, and not some process.
    pub(crate) from_kernel: bool,
}

/// Receives one datagram from a netlink socket without waiting.
pub(crate) fn receive_netlink(fd: RawFd, buffer: &mut [u8]) -> io::Result<NetlinkDatagram> {
    let mut from = NO_ADDRESS;
    let mut from_len = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
    // The kernel writes at most `buffer.len()` octets there and `from_len` into the local; with
    // MSG_TRUNC it returns the datagram's own length.
    let len = syscall!(recvfrom(
        fd,
        buffer.as_mut_ptr().cast(),
        buffer.len(),
        libc::MSG_DONTWAIT | libc::MSG_TRUNC,
        (&raw mut from).cast(),
        &raw mut from_len,
    ))?;
    let len = len.cast_unsigned();
    Ok(NetlinkDatagram {
        len: len.min(buffer.len()),
        truncated: len > buffer.len(),
        from_kernel: from_len as usize == size_of::<libc::sockaddr_nl>() && from.nl_pid == 0,
    })
}

// SAFETY: a structure of integers, for which all zeros is a value.
const NO_ADDRESS: libc::sockaddr_nl = unsafe { std::mem::zeroed() };

/// Throws away what waits at a datagram socket: as much as a buffer holds, not for ever.
pub(crate) fn discard_waiting(fd: RawFd) -> io::Result<()> {
    let mut octet = 0u8;
    for _ in 0..4_096 {
        // The kernel writes at most the one octet.
        let taken = syscall!(recv(fd, (&raw mut octet).cast(), 1, libc::MSG_DONTWAIT));
        match taken {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
