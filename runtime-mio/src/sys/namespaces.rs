//! Namespaces of networks and mounts. What is entered or made here counts for the calling thread
//! and what it starts later, so it has to come before any other thread.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::syscall;

/// Enters the network namespace that `file` stands for.
pub(crate) fn enter_network(file: &File) -> io::Result<()> {
    syscall!(setns(file.as_raw_fd(), libc::CLONE_NEWNET))?;
    Ok(())
}

/// Gives this process mounts of its own: what it mounts nobody else sees; what the host unmounts
/// goes here too.
pub(crate) fn own_mounts() -> io::Result<()> {
    let nothing = std::ptr::null();
    syscall!(unshare(libc::CLONE_NEWNS))?;
    let flags = libc::MS_REC | libc::MS_SLAVE;
    syscall!(mount(
        nothing,
        c"/".as_ptr(),
        nothing,
        flags,
        nothing.cast()
    ))?;
    Ok(())
}

/// Shows the directory `from` at `to` as well.
pub(crate) fn bind(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (path(from)?, path(to)?);
    let nothing = std::ptr::null::<libc::c_char>();
    syscall!(mount(
        from.as_ptr(),
        to.as_ptr(),
        nothing,
        libc::MS_BIND,
        nothing.cast()
    ))?;
    Ok(())
}

/// Takes back what [`bind`] did to `at`, also while somebody uses it.
pub(crate) fn unbind(at: &Path) -> io::Result<()> {
    let at = path(at)?;
    let flags = libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW;
    syscall!(umount2(at.as_ptr(), flags))?;
    Ok(())
}

fn path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
