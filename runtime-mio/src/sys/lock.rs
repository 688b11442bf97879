//! Locks on whole files that belong to the open file, not to the process.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::syscall;

/// Takes the lock for writing; false if another open file has it. It lasts until the last
/// descriptor of this open file is closed, so it is inherited across fork.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    // SAFETY: all-zero is a valid value of this plain C struct.
    let mut whole: libc::flock = unsafe { std::mem::zeroed() };
    whole.l_type = libc::F_WRLCK as libc::c_short;
    whole.l_whence = libc::SEEK_SET as libc::c_short;
    match syscall!(fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const whole)) {
        Ok(_) => Ok(true),
        Err(error) => match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EACCES) => Ok(false),
            _ => Err(error),
        },
    }
}
