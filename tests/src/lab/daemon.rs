//! A daemon with keepalived's command line, on a host of the lab.

use std::fs::{self, File};
use std::io::PipeWriter;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::command::{Result, output, run, wait_until};
use super::host::{Host, INTERFACE};

static STARTS: AtomicU32 = AtomicU32::new(1);

/// The folder cargo builds into.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
    }
}

/// The daemon under test: `RELEVO_BIN`, or what cargo builds now from this tree.
///
/// # Errors
/// It cannot be built, or is not there.
pub fn relevo() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf>> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let path = match std::env::var_os("RELEVO_BIN") {
                Some(path) => PathBuf::from(path),
                None => {
                    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
                    let mut build = Command::new(cargo);
                    build.current_dir(env!("CARGO_MANIFEST_DIR"));
                    output(build.args(["build", "--quiet", "--package", "relevo"]))?;
                    target_dir().join("debug/relevo")
                }
            };
            path.canonicalize()
                .map_err(|error| format!("{}: {error}", path.display()))
        })
        .clone()
}

/// A program that understands keepalived's command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// It is keepalived itself, some of whose habits tests must forgive.
    pub keepalived: bool,
}

impl Program {
    /// The program at a path; it is taken for keepalived by its name.
    pub fn at(path: PathBuf) -> Self {
        let keepalived = path.file_name().is_some_and(|name| name == "keepalived");
        Self { path, keepalived }
    }

    /// Relevo, see [`relevo`].
    ///
    /// # Errors
    /// It cannot be built.
    pub fn relevo() -> Result<Self> {
        Ok(Self::at(relevo()?))
    }

    /// The installed keepalived.
    ///
    /// # Errors
    /// There is none.
    pub fn keepalived() -> Result<Self> {
        let path = run(&["sh", "-c", "command -v keepalived"])?;
        Ok(Self::at(PathBuf::from(path.trim())))
    }
}

/// What a start may add to the usual words.
#[derive(Clone, Copy, Default, Debug)]
pub struct Options<'a> {
    /// More options of the daemon.
    pub extra: &'a [&'a str],
    /// A command to run the daemon under, such as `setpriv --bounding-set ..`.
    pub wrap: &'a [&'a str],
}

/// Where a log goes that the lab does not read.
#[derive(Debug)]
pub enum Elsewhere {
    /// To /dev/log.
    Syslog,
    /// Into a pipe.
    Pipe(PipeWriter),
}

/// A running daemon; killed without ceremony when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    host: Host,
    log: PathBuf,
    started_ns: i64,
}

impl Daemon {
    /// Starts `program` on `host` with the configuration `text`.
    ///
    /// # Errors
    /// A file could not be written or the program not be started. What the daemon itself thinks shows later.
    pub fn start(host: &Host, program: &Program, text: &str) -> Result<Self> {
        Self::start_with(host, program, text, Options::default())
    }

    /// As [`Daemon::start`], with more words.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub fn start_with(
        host: &Host,
        program: &Program,
        text: &str,
        options: Options<'_>,
    ) -> Result<Self> {
        Self::start_logging(host, program, text, options, None)
    }

    /// As [`Daemon::start_with`], but its log goes elsewhere: to syslog, or to a file of the test's, such as
    /// a pipe; [`Daemon::log`] has nothing then.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub fn start_logging(
        host: &Host,
        program: &Program,
        text: &str,
        options: Options<'_>,
        elsewhere: Option<Elsewhere>,
    ) -> Result<Self> {
        let fail = |error: std::io::Error| format!("{}: {error}", host.dir.display());
        let conf = host.dir.join("daemon.conf");
        fs::write(&conf, text).map_err(fail)?;
        let path = visible(&program.path, host)?;
        let number = STARTS.fetch_add(1, Ordering::Relaxed);
        let log = host.dir.join(format!("log.{number}"));
        let mut command = host.inside(options.wrap, &path);
        command.arg("-n");
        if !matches!(elsewhere, Some(Elsewhere::Syslog)) {
            command.args(["-l", "-G"]);
        }
        let file = File::create(&log).map_err(fail)?;
        let stdout = file.try_clone().map_err(fail)?;
        let stderr: Stdio = match elsewhere {
            Some(Elsewhere::Pipe(pipe)) => pipe.into(),
            Some(Elsewhere::Syslog) | None => file.into(),
        };
        command.args(["-D", "-f"]).arg(&conf);
        command.args(["-p", "/run/parent.pid", "-r", "/run/vrrp.pid"]);
        command.args(["-c", "/run/checkers.pid", "-b", "/run/bfd.pid"]);
        command.args(options.extra);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let started_ns = super::now_ns();
        let child = command.spawn().map_err(fail)?;
        Ok(Self {
            child,
            host: host.clone(),
            log,
            started_ns,
        })
    }

    /// When it was started, on the clock of [`super::now_ns`].
    pub fn started_ns(&self) -> i64 {
        self.started_ns
    }

    /// Everything that it has written.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends a signal, by its name without SIG, to the parent.
    ///
    /// # Errors
    /// The process is gone.
    pub fn signal(&self, name: &str) -> Result<()> {
        let pid = self.child.id().to_string();
        run(&["sh", "-c", "kill -$1 $2", "sh", name, &pid]).map(|_| ())
    }

    /// Sends a signal, by its name without SIG, to the parent and all its children: the whole daemon sleeps
    /// (`STOP`) or wakes (`CONT`).
    ///
    /// # Errors
    /// A process is gone.
    pub fn signal_all(&self, name: &str) -> Result<()> {
        let pids: Vec<String> = tree(self.child.id()).iter().map(u32::to_string).collect();
        let mut command = Command::new("sh");
        command.args(["-c", r#"n=$1; shift; kill -"$n" "$@""#, "sh", name]);
        output(command.args(pids)).map(|_| ())
    }

    /// The process that speaks VRRP, once it has written its pid file.
    ///
    /// # Errors
    /// It has not.
    pub fn vrrp_pid(&self) -> Result<u32> {
        let path = self.host.dir.join("run/vrrp.pid");
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        text.trim()
            .parse()
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// CPU time that the process that speaks VRRP has used, of all its threads, as the scheduler has it.
    ///
    /// # Errors
    /// It is gone, or the kernel does not tell.
    pub fn cpu(&self) -> Result<Duration> {
        let threads = format!("/proc/{}/task", self.vrrp_pid()?);
        let mut total = 0;
        for thread in fs::read_dir(&threads).map_err(|error| format!("{threads}: {error}"))? {
            let path = thread
                .map_err(|error| error.to_string())?
                .path()
                .join("schedstat");
            let text = fs::read_to_string(&path).unwrap_or_default();
            let used = text.split_whitespace().next().unwrap_or("0");
            total += used
                .parse::<u64>()
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// Waits for its end and returns the exit code; 128 + n after signal n.
    ///
    /// # Errors
    /// It runs still after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<i32> {
        let what = format!("the end of the daemon on {}", self.host.name);
        wait_until(&what, limit, || {
            let status = self.child.try_wait().map_err(|error| error.to_string())?;
            Ok(status.map(|status| {
                status
                    .code()
                    .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
            }))
        })
    }

    /// SIGTERM, and the exit code.
    ///
    /// # Errors
    /// As [`Daemon::wait`].
    pub fn stop(&mut self, limit: Duration) -> Result<i32> {
        self.signal("TERM")?;
        self.wait(limit)
    }

    /// The host loses its power: no process says another word, and what the kernel knew is gone. `own`
    /// addresses are those that a boot would bring back.
    ///
    /// # Errors
    /// A command failed.
    pub fn cut_power(mut self) -> Result<()> {
        self.kill_tree()?;
        let own = [
            self.host.ipv4().into(),
            self.host.ipv6().into(),
            self.host.link_local().into(),
        ];
        for address in self.host.addresses()? {
            if !own.contains(&address) {
                let prefix = prefix_of(&self.host, &address.to_string())?;
                output(
                    self.host
                        .command("ip")
                        .args(["addr", "del", &prefix, "dev", INTERFACE]),
                )?;
            }
        }
        for entry in fs::read_dir(self.host.dir.join("run"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let _ = fs::remove_file(entry.path());
        }
        Ok(())
    }

    /// Stops the parent first, so that it sees no child die, then kills all.
    fn kill_tree(&mut self) -> Result<()> {
        let pids = tree(self.child.id());
        let text: Vec<String> = pids.iter().rev().map(u32::to_string).collect();
        let parent = self.child.id().to_string();
        let script = r#"kill -STOP "$1"; shift; kill -STOP "$@"; kill -KILL "$@""#;
        let mut command = Command::new("sh");
        // A process that has just ended by itself is no failure.
        let _ = output(command.args(["-c", script, "sh", &parent]).args(&text));
        self.wait(Duration::from_secs(5)).map(|_| ())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.kill_tree();
        }
    }
}

/// The path of a program as the host sees it: copied when the host's own /tmp or /run would hide it.
fn visible(path: &Path, host: &Host) -> Result<PathBuf> {
    if !path.starts_with("/tmp") && !path.starts_with("/run") {
        return Ok(path.to_owned());
    }
    let copy = host.dir.join(path.file_name().unwrap_or_default());
    if !copy.exists() {
        fs::copy(path, &copy).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(copy)
}

/// The address with its prefix length, as `ip addr` shows it.
fn prefix_of(host: &Host, address: &str) -> Result<String> {
    let text = output(
        host.command("ip")
            .args(["-o", "addr", "show", "dev", INTERFACE]),
    )?;
    let wanted = format!("{address}/");
    let found = text
        .split_whitespace()
        .find(|word| word.starts_with(&wanted));
    found
        .map(str::to_owned)
        .ok_or_else(|| format!("{} has no {address}", host.name))
}

/// A process and its descendants, ancestors first.
fn tree(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // pid (name) state ppid ..: the name may have blanks and brackets.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        if let Some(Ok(parent)) = after.split_whitespace().nth(1).map(str::parse::<u32>) {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            parents
                .iter()
                .filter(|(_, its)| *its == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_the_children() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        let found = tree(std::process::id());
        assert!(found.contains(&child.id()));
        assert_eq!(found.first(), Some(&std::process::id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn keepalived_is_known_by_its_name() {
        assert!(Program::at("/usr/sbin/keepalived".into()).keepalived);
        assert!(!Program::at("/usr/sbin/relevo".into()).keepalived);
    }
}
