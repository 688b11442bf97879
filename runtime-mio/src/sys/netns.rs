//! Network namespaces.

use std::io;

use super::syscall;

/// Moves the calling thread, and what it starts from now on, into a new network namespace.
pub(crate) fn leave_network() -> io::Result<()> {
    syscall!(unshare(libc::CLONE_NEWNET))?;
    Ok(())
}
