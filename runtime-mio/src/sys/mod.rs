//! The only unsafe code of the project: thin, checked wrappers around system calls.

pub(crate) mod caps;
#[cfg(test)]
pub(crate) mod counting;
pub(crate) mod glob;
pub(crate) mod interfaces;
pub(crate) mod limits;
pub(crate) mod localtime;
pub(crate) mod lock;
pub(crate) mod memfd;
pub(crate) mod msg;
pub(crate) mod namespaces;
#[cfg(test)]
pub(crate) mod netns;
pub(crate) mod process;
pub(crate) mod scheduling;
pub(crate) mod seqpacket;
pub(crate) mod shared;
pub(crate) mod signalfd;
pub(crate) mod socket;
pub(crate) mod timerfd;

/// Calls a libc function and turns -1 into the error that errno names.
macro_rules! syscall {
    ($name:ident ( $($arg:expr),* $(,)? )) => {{
        #[cfg(test)]
        $crate::sys::counting::note_call(stringify!($name));
        // SAFETY: the caller's expression passes pointers that are valid for the call; see there.
        let result = unsafe { libc::$name($($arg),*) };
        if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
    }};
}
pub(crate) use syscall;

/// CLOCK_BOOTTIME in microseconds: never stepped, and a suspended host's clock goes on.
pub(crate) fn boottime_micros() -> u64 {
    read_micros(libc::CLOCK_BOOTTIME)
}

/// CLOCK_MONOTONIC in microseconds, for whoever asks for just that clock.
pub(crate) fn monotonic_micros() -> u64 {
    read_micros(libc::CLOCK_MONOTONIC)
}

fn read_micros(clock: libc::clockid_t) -> u64 {
    let mut spec = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // The call cannot fail: the clock exists and the pointer is to a local.
    let read = syscall!(clock_gettime(clock, &raw mut spec));
    debug_assert!(read.is_ok());
    spec.tv_sec as u64 * 1_000_000 + spec.tv_nsec as u64 / 1_000
}

/// Sleeps for a moment; a signal may end it early.
pub(crate) fn nap(span: relevo_core::time::Duration) {
    let spec = libc::timespec {
        tv_sec: 0,
        tv_nsec: (span.as_micros() % 1_000_000 * 1_000) as libc::c_long,
    };
    // An interrupted sleep is as good as any, and it can fail in no other way.
    drop(syscall!(nanosleep(&raw const spec, std::ptr::null_mut())));
}
