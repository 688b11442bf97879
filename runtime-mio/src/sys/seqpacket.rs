//! Pairs of Unix sockets that keep packets apart, and descriptors that travel with a packet.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::syscall;

/// Descriptors in one packet, at most. What is beyond them the kernel closes.
const FILES_MAX: usize = 4;

/// Octets of a cmsghdr, padded; ancillary data starts and goes on at multiples of an address.
const ALIGN: usize = size_of::<usize>();
const HEADER: usize = size_of::<libc::cmsghdr>().next_multiple_of(ALIGN);
const FILE: usize = size_of::<RawFd>();
const CONTROL: usize = HEADER + (FILES_MAX * FILE).next_multiple_of(ALIGN);

/// Ancillary data, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Two connected sockets, not blocking, closed at exec.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // The pointer is to a local with room for two descriptors.
    syscall!(socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()))?;
    let [a, b] = fds;
    // SAFETY: the kernel has just given us both descriptors and nobody else owns them.
    Ok(unsafe { (OwnedFd::from_raw_fd(a), OwnedFd::from_raw_fd(b)) })
}

/// Sends one packet, with a descriptor if there is one; never waits.
pub(crate) fn send(
    fd: BorrowedFd<'_>,
    packet: &[u8],
    file: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    match file {
        Some(file) => send_many(fd, packet, &[file]),
        None => send_many(fd, packet, &[]),
    }
}

/// Sends one packet with at most four descriptors; never waits.
pub(crate) fn send_many(
    fd: BorrowedFd<'_>,
    packet: &[u8],
    files: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let files = files.get(..FILES_MAX).unwrap_or(files);
    let mut control = Control([0; CONTROL]);
    let len = HEADER + files.len() * FILE;
    control.0[..ALIGN].copy_from_slice(&len.to_ne_bytes());
    // On musl the length is followed by padding; level and type end the header everywhere.
    control.0[HEADER - 8..HEADER - 4].copy_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
    control.0[HEADER - 4..HEADER].copy_from_slice(&libc::SCM_RIGHTS.to_ne_bytes());
    for (room, file) in control.0[HEADER..].chunks_exact_mut(FILE).zip(files) {
        room.copy_from_slice(&file.as_raw_fd().to_ne_bytes());
    }
    let mut vector = libc::iovec {
        iov_base: packet.as_ptr().cast_mut().cast(),
        iov_len: packet.len(),
    };
    let mut header = empty_header();
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    if !files.is_empty() {
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = len.next_multiple_of(ALIGN) as _;
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // The header points to a packet and to ancillary data of the stated lengths, which the kernel
    // only reads.
    syscall!(sendmsg(fd.as_raw_fd(), &raw const header, flags))?;
    Ok(())
}

/// Takes one packet and the first descriptor that came with it; never waits. A length of 0 is the
/// end of file.
pub(crate) fn receive(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut control = Control([0; CONTROL]);
    let mut vector = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut header = empty_header();
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // The header points to buffers of the stated lengths that outlive the call.
    let length = syscall!(recvmsg(fd.as_raw_fd(), &raw mut header, flags))?;
    // Another type of integer on musl.
    let used = header.msg_controllen.min(CONTROL as _) as _;
    let mut files = files_in(control.0.get(..used).unwrap_or_default())
        // SAFETY: the kernel has just given us these descriptors and nobody else owns them.
        .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let first = files.next();
    // The others are closed.
    files.for_each(drop);
    Ok((length.cast_unsigned(), first))
}

/// The descriptors in ancillary data that the kernel wrote. It holds one message: nothing else
/// than descriptors is asked for.
fn files_in(control: &[u8]) -> impl Iterator<Item = RawFd> {
    let int = |at: usize| {
        let octets = control.get(at..at + 4)?;
        Some(i32::from_ne_bytes(octets.try_into().ok()?))
    };
    let len = control
        .first_chunk::<ALIGN>()
        .map_or(0, |octets| usize::from_ne_bytes(*octets));
    let rights =
        int(HEADER - 8) == Some(libc::SOL_SOCKET) && int(HEADER - 4) == Some(libc::SCM_RIGHTS);
    let data = control.get(HEADER..len).filter(|_| rights);
    let chunks = data.unwrap_or_default().chunks_exact(FILE);
    chunks.filter_map(|octets| Some(RawFd::from_ne_bytes(octets.try_into().ok()?)))
}

fn empty_header() -> libc::msghdr {
    // SAFETY: a structure of integers and pointers, for which all zeros (null) is a value.
    unsafe { std::mem::zeroed() }
}
