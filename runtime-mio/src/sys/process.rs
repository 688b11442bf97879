//! Processes: becoming a daemon, starting children, signalling and reaping them.

use std::ffi::{CStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use relevo_core::supervisor::Exit;

use super::signalfd::SignalSet;
use super::syscall;

/// Which process returned from [`daemonize`].
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// The one that was called: it has nothing more to do.
    Caller,
    /// The daemon.
    Daemon,
}

/// Puts the process into the background: a grandchild in a session of its own, which it does not
/// lead, in `/`, with stdin, stdout and stderr on /dev/null. To be called before any thread starts.
pub(crate) fn daemonize() -> io::Result<Role> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    if fork()? {
        return Ok(Role::Caller);
    }
    syscall!(setsid())?;
    if fork()? {
        leave_now(0);
    }
    std::env::set_current_dir("/")?;
    for fd in 0..=2 {
        syscall!(dup2(null.as_raw_fd(), fd))?;
    }
    Ok(Role::Daemon)
}

/// True in the process that was there before.
fn fork() -> io::Result<bool> {
    // The process has one thread, so the new one may do whatever the old one might.
    Ok(syscall!(fork())? != 0)
}

/// Ends the process without running anything that was registered for its end.
fn leave_now(code: i32) -> ! {
    // SAFETY: it does not return and touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// The number of the user whose permissions this process has.
pub(crate) fn user() -> u32 {
    // SAFETY: it cannot fail and touches no memory.
    unsafe { libc::geteuid() }
}

/// Makes the calling thread one of those that wait for others to finish, whatever priority the
/// process has.
pub(crate) fn yield_to_others() {
    // SAFETY: all-zero is a valid value of this plain C struct.
    let param: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local of the right type; 0 is the calling thread.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const param) } != 0 {
        log::debug!(
            "the priority of a thread cannot be lowered: {}",
            io::Error::last_os_error()
        );
    }
}

/// Sets the umask.
pub(crate) fn set_umask(mask: u32) {
    // SAFETY: it cannot fail and touches no memory.
    unsafe { libc::umask(mask) };
}

/// Lets children be waited for, whatever the caller's disposition of SIGCHLD: an ignored one is
/// inherited over exec and makes the kernel reap them.
pub(crate) fn wait_for_children() {
    // SAFETY: the default disposition runs no code of ours.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Sets the name by which pidof, pgrep and killall know the process.
pub(crate) fn set_name(name: &CStr) -> io::Result<()> {
    syscall!(prctl(libc::PR_SET_NAME, name.as_ptr()))?;
    Ok(())
}

/// A descriptor of our own for stderr; `None` if there is no stderr.
pub(crate) fn own_stderr() -> Option<File> {
    // SAFETY: the standard library has made sure that descriptor 2 is open, and it is only
    // borrowed for the call.
    let stderr = unsafe { BorrowedFd::borrow_raw(2) };
    stderr.try_clone_to_owned().ok().map(File::from)
}

/// Takes over a descriptor that the parent process left open for this one. Each number may be
/// taken once.
pub(crate) fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    if fd <= 2 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    let flags = syscall!(fcntl(fd, libc::F_GETFD))?;
    syscall!(fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC))?;
    // SAFETY: it is open, as fcntl has just found, and was made for us by the parent: nothing of
    // this process has opened it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes this process the new parent of whatever its children leave behind.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    syscall!(prctl(libc::PR_SET_CHILD_SUBREAPER, 1))?;
    Ok(())
}

/// The number of a child that has ended and that nobody has waited for yet. It stays one.
pub(crate) fn ended_child() -> io::Result<Option<u32>> {
    let pid = wait(
        libc::P_ALL,
        0,
        libc::WEXITED | libc::WNOHANG | libc::WNOWAIT,
    );
    match pid {
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        pid => pid,
    }
}

/// Waits for a child that has ended.
pub(crate) fn forget_child(pid: u32) -> io::Result<()> {
    wait(libc::P_PID, pid, libc::WEXITED | libc::WNOHANG)?;
    Ok(())
}

fn wait(kind: libc::idtype_t, id: libc::id_t, flags: i32) -> io::Result<Option<u32>> {
    // SAFETY: all-zero is a valid value of this plain C struct.
    let mut info: libc::siginfo_t = unsafe { MaybeUninit::zeroed().assume_init() };
    syscall!(waitid(kind, id, &raw mut info, flags))?;
    // SAFETY: waitid has filled in the fields of a child, or left zeros.
    let pid = unsafe { info.si_pid() };
    Ok((pid != 0).then_some(pid.cast_unsigned()))
}

/// A child process, held by a descriptor that becomes readable when it ends.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    pid: u32,
    pidfd: OwnedFd,
}

/// Takes a variable out of the environment, so that programs that this process starts do not get it.
/// To be called before any thread is started.
pub(crate) fn take_variable(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: the process has one thread, so nobody else looks at the environment.
    unsafe { std::env::remove_var(name) };
    Some(value)
}

/// Starts this program again with `words` and, added to its environment, `variables`. The child inherits `descriptors` under their numbers,
/// gets SIGTERM when the calling thread ends, and begins with `blocked` signals blocked, so that
/// none can hit it before it listens.
pub(crate) fn start_self(
    words: &[OsString],
    variables: &[(&'static str, OsString)],
    descriptors: &[BorrowedFd<'_>],
    blocked: SignalSet,
) -> io::Result<ChildProcess> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let prepare = move || {
        for &fd in &numbers {
            syscall!(fcntl(fd, libc::F_SETFD, 0))?;
        }
        syscall!(prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM))?;
        blocked.block()
    };
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    command.args(words);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    // SAFETY: between fork and exec it makes system calls only; it neither allocates nor locks.
    unsafe { command.pre_exec(prepare) };
    let mut child = command.spawn()?;
    let pid = child.id();
    // Nobody has waited for it, so the number still is its own.
    let pidfd =
        syscall!(syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0)).inspect_err(|_| {
            // A child that cannot be watched over must not live.
            _ = child.kill();
            _ = child.wait();
        })?;
    // SAFETY: the kernel has just given us this descriptor and nobody else owns it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd as RawFd) };
    Ok(ChildProcess { pid, pidfd })
}

impl ChildProcess {
    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Readable once the child has ended.
    pub(crate) fn raw(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }

    /// Sends a signal; a child that has already ended is no error.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        let info = std::ptr::null::<libc::siginfo_t>();
        let call = libc::SYS_pidfd_send_signal;
        match syscall!(syscall(call, self.raw(), signal, info, 0)) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Reaps the child if it has ended.
    pub(crate) fn reap(&self) -> io::Result<Option<Exit>> {
        // SAFETY: all-zero is a valid value of this plain C struct.
        let mut info: libc::siginfo_t = unsafe { MaybeUninit::zeroed().assume_init() };
        let flags = libc::WEXITED | libc::WNOHANG;
        let id = self.raw() as libc::id_t;
        syscall!(waitid(libc::P_PIDFD, id, &raw mut info, flags))?;
        // SAFETY: waitid has filled in the fields of a child, or left zeros.
        let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
        Ok((pid != 0).then_some(match info.si_code {
            libc::CLD_EXITED => Exit::Code(status as u8),
            _ => Exit::Signal(status),
        }))
    }
}

/// Sends SIGHUP to this process.
pub(crate) fn hang_up_self() -> io::Result<()> {
    // SAFETY: takes two numbers; the process exists.
    let result = unsafe { libc::kill(libc::getpid(), libc::SIGHUP) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
