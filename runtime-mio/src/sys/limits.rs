//! Resource limits of this process, which its children inherit.

use std::io;
use std::mem::MaybeUninit;

use relevo_core::time::Duration;

use super::syscall;

/// Lets the kernel write core dumps of any size, or none at all. An ordinary user can raise a limit
/// no further than somebody allowed.
pub(crate) fn set_core_dumps(allowed: bool) -> io::Result<()> {
    let mut limit = get(libc::RLIMIT_CORE)?;
    if !allowed {
        limit.rlim_cur = 0;
        return set(libc::RLIMIT_CORE, limit);
    }
    let none = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    set(libc::RLIMIT_CORE, none).or_else(|_| {
        limit.rlim_cur = limit.rlim_max;
        set(libc::RLIMIT_CORE, limit)
    })
}

/// How long a thread with a real-time priority may compute without a pause: from half of `longest`
/// on it gets SIGXCPU, at the end SIGKILL.
pub(crate) fn set_real_time(longest: Duration) -> io::Result<()> {
    let micros = longest.as_micros() as libc::rlim_t;
    let limit = libc::rlimit {
        rlim_cur: micros / 2,
        rlim_max: micros,
    };
    set(libc::RLIMIT_RTTIME, limit)
}

/// Makes room for `wanted` open files, or as many as may be had.
pub(crate) fn allow_open_files(wanted: u64) -> io::Result<()> {
    let mut limit = get(libc::RLIMIT_NOFILE)?;
    let wanted = wanted as libc::rlim_t;
    if limit.rlim_cur >= wanted {
        return Ok(());
    }
    let more = libc::rlimit {
        rlim_cur: wanted,
        rlim_max: limit.rlim_max.max(wanted),
    };
    set(libc::RLIMIT_NOFILE, more).or_else(|_| {
        limit.rlim_cur = limit.rlim_max.min(wanted);
        set(libc::RLIMIT_NOFILE, limit)
    })
}

/// The numbers of the limits have another type in each C library.
#[cfg(target_env = "musl")]
type Resource = libc::c_int;
#[cfg(not(target_env = "musl"))]
type Resource = libc::__rlimit_resource_t;

fn get(resource: Resource) -> io::Result<libc::rlimit> {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    syscall!(getrlimit(resource, limit.as_mut_ptr()))?;
    // SAFETY: the kernel has filled it.
    Ok(unsafe { limit.assume_init() })
}

fn set(resource: Resource, limit: libc::rlimit) -> io::Result<()> {
    syscall!(setrlimit(resource, &raw const limit))?;
    Ok(())
}
