//! How the kernel schedules the calling thread, and whether its memory may be swapped out.

use std::io;

use super::syscall;

/// Sets the nice value.
pub(crate) fn set_nice(nice: i8) -> io::Result<()> {
    syscall!(setpriority(libc::PRIO_PROCESS, 0, i32::from(nice)))?;
    Ok(())
}

/// Lets the calling thread give way to those that send adverts: five steps behind them, which keeps
/// it going on a busy host.
pub(crate) fn give_way() {
    // -1 may be the new value as well as a failure, and nothing depends on it.
    drop(syscall!(nice(5)));
}

/// Gives the calling thread a real-time priority; what it starts later runs as ordinary threads and
/// processes do.
pub(crate) fn set_real_time(priority: u8) -> io::Result<()> {
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: all-zero is a valid value of this plain C struct.
    let mut param: libc::sched_param = unsafe { std::mem::zeroed() };
    param.sched_priority = i32::from(priority);
    syscall!(sched_setscheduler(0, policy, &raw const param))?;
    Ok(())
}

/// Lets the calling thread, and what it starts later, run on these CPUs only.
pub(crate) fn set_cpus(cpus: &[u16]) -> io::Result<()> {
    // SAFETY: all-zero is a valid value of this plain C struct: the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        let cpu = usize::from(cpu);
        if cpu < libc::CPU_SETSIZE as usize {
            // SAFETY: the set has a bit for it, as was just checked.
            unsafe { libc::CPU_SET(cpu, &mut set) };
        }
    }
    let size = size_of::<libc::cpu_set_t>();
    syscall!(sched_setaffinity(0, size, &raw const set))?;
    Ok(())
}

/// Keeps all memory of the process from being swapped out: what is there now is read in at once,
/// what comes later is kept from its first use on. To fill the stacks of threads to come would take
/// megabytes that nobody uses.
pub(crate) fn lock_memory() -> io::Result<()> {
    syscall!(mlockall(libc::MCL_CURRENT))?;
    syscall!(mlockall(libc::MCL_FUTURE | libc::MCL_ONFAULT))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_gives_way_alone() {
        let nice = || {
            let text = std::fs::read_to_string("/proc/thread-self/stat").expect("our own");
            let rest = text.rsplit(") ").next().expect("fields").to_owned();
            let field = rest.split(' ').nth(16).map(str::parse::<i32>);
            field.expect("a field").expect("a number")
        };
        let before = nice();
        let other = std::thread::spawn(move || {
            super::give_way();
            nice()
        });
        let after = other.join().expect("it ends");
        assert_eq!(after, (before + 5).min(19));
        assert_eq!(nice(), before);
    }
}
