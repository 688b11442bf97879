//! A timer of microsecond resolution; mio's own timeout is rounded up to whole milliseconds.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use relevo_core::time::Instant;

use super::syscall;

/// A timerfd on CLOCK_BOOTTIME with absolute deadlines: one that passed during a suspend fires at
/// the resumption.
#[derive(Debug)]
pub(crate) struct TimerFd {
    fd: OwnedFd,
}

impl TimerFd {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        let fd = syscall!(timerfd_create(libc::CLOCK_BOOTTIME, flags))?;
        // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd })
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Sets the deadline, or disarms with `None`. A deadline in the past fires at once.
    pub(crate) fn arm(&self, deadline: Option<Instant>) -> io::Result<()> {
        // A value of zero would disarm; the first microsecond of the clock is long past.
        let micros = deadline.map_or(0, |at| at.as_micros().max(1));
        let spec = libc::itimerspec {
            it_interval: libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: libc::timespec {
                tv_sec: (micros / 1_000_000) as libc::time_t,
                tv_nsec: ((micros % 1_000_000) * 1_000) as libc::c_long,
            },
        };
        let old = std::ptr::null_mut();
        syscall!(timerfd_settime(
            self.raw(),
            libc::TFD_TIMER_ABSTIME,
            &raw const spec,
            old
        ))?;
        Ok(())
    }
}
