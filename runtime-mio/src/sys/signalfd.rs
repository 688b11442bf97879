//! Signals as something to read.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::syscall;

/// A set of signals.
#[derive(Copy, Clone)]
pub(crate) struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// The set of `signals`, each a valid signal number.
    pub(crate) fn of(signals: &[i32]) -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        syscall!(sigemptyset(set.as_mut_ptr()))?;
        for &signal in signals {
            syscall!(sigaddset(set.as_mut_ptr(), signal))?;
        }
        // SAFETY: sigemptyset has initialized it.
        Ok(Self(unsafe { set.assume_init() }))
    }

    /// Makes this the set of signals that the calling thread, and threads and programs that it
    /// starts, do not receive the ordinary way.
    pub(crate) fn block(&self) -> io::Result<()> {
        let old = std::ptr::null_mut();
        // SAFETY: the pointers are to an initialized set and null. Unlike most calls this one
        // returns its error, and it may be called between fork and exec.
        match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, old) } {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

/// A descriptor from which blocked signals are read.
#[derive(Debug)]
pub(crate) struct SignalFd {
    fd: OwnedFd,
}

impl SignalFd {
    /// Blocks `signals`, and no others, and collects them. To be called before any thread is
    /// started: a thread that does not block a signal would take it away.
    pub(crate) fn new(signals: &[i32]) -> io::Result<Self> {
        let set = SignalSet::of(signals)?;
        set.block()?;
        let flags = libc::SFD_NONBLOCK | libc::SFD_CLOEXEC;
        let fd = syscall!(signalfd(-1, &raw const set.0, flags))?;
        // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd })
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Gives the descriptor away.
    pub(crate) fn into_owned(self) -> OwnedFd {
        self.fd
    }

    /// The number of the next signal that has arrived; `None` if there is none.
    pub(crate) fn read(&self) -> io::Result<Option<i32>> {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        match syscall!(read(self.raw(), info.as_mut_ptr().cast(), SIZE)) {
            Ok(length) if length as usize == SIZE => {
                // SAFETY: the kernel has filled all of it.
                Ok(Some(unsafe { info.assume_init() }.ssi_signo as i32))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}
