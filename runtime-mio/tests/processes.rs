//! The life of the daemon's processes, for real: start, stop, death, respawn, reload. Each daemon
//! runs in a network namespace of its own, which ends with it, and has nothing to fail over.

mod common;

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{LIMIT, wait_until};

const GOOD: &str = "global_defs {\n    router_id somewhere\n}\n";
const BAD: &str = "vrrp_instance VI_1 {\n    interface\n}\n";

/// A daemon in the foreground, with its files in a directory of its own.
struct Daemon {
    place: PathBuf,
    process: Child,
}

impl Daemon {
    fn start(name: &str, options: &[&str]) -> Self {
        Self::start_with(name, GOOD, options)
    }

    fn start_with(name: &str, text: &str, options: &[&str]) -> Self {
        let place = place(name);
        fs::write(place.join("conf"), text).expect("a file of our own");
        let process = command(&place, options).spawn().expect("the binary runs");
        let daemon = Self { place, process };
        daemon.wait_for_log("Startup complete");
        daemon
    }

    fn log(&self) -> String {
        fs::read_to_string(self.place.join("log")).unwrap_or_default()
    }

    /// Waits until the log has the text as often as `times`.
    fn wait_for_log_times(&self, text: &str, times: usize) {
        wait_until(text, || self.log().matches(text).count() >= times);
    }

    fn wait_for_log(&self, text: &str) {
        self.wait_for_log_times(text, 1);
    }

    fn child(&self) -> u32 {
        pid_in(&self.place.join("vrrp.pid"))
    }

    fn signal(&self, signal: &str) {
        kill(self.process.id(), signal);
    }

    fn wait(&mut self) -> ExitStatus {
        let log = self.place.join("log");
        let log = || fs::read_to_string(&log).unwrap_or_default();
        common::wait_for_end(&mut self.process, log)
    }
}

/// Ends both processes by force if the test failed half-way.
impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            let child = fs::read_to_string(self.place.join("vrrp.pid"));
            // The parent first: it would start another one.
            _ = self.process.kill();
            if let Some(child) = child.ok().and_then(|text| text.trim().parse().ok())
                && alive(child)
            {
                kill(child, "KILL");
            }
            _ = self.process.wait();
        }
        _ = fs::remove_dir_all(&self.place);
    }
}

fn place(name: &str) -> PathBuf {
    common::place("life", name)
}

/// The daemon in a new network namespace; an ordinary user gets a user namespace with it.
fn command(place: &Path, options: &[&str]) -> Command {
    command_in(place, &[], options)
}

/// The same, behind the words of another command.
fn command_in(place: &Path, words: &[&str], options: &[&str]) -> Command {
    let log = fs::File::create(place.join("log")).expect("a file of our own");
    let mut command = Command::new("unshare");
    command
        .env("RELEVO_SOCKET", place.join("control.sock"))
        .args(["--map-root-user", "--net"])
        .args(words)
        .arg(env!("CARGO_BIN_EXE_relevo"))
        .args(["-l", "-G", "--all", "-f"])
        .arg(place.join("conf"))
        .arg("-p")
        .arg(place.join("parent.pid"))
        .arg("-r")
        .arg(place.join("vrrp.pid"))
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command
}

fn kill(pid: u32, signal: &str) {
    let killed = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status()
        .expect("kill(1) runs");
    assert!(killed.success(), "kill -{signal} {pid}");
}

fn pid_in(path: &Path) -> u32 {
    let text = fs::read_to_string(path).expect("a pid file");
    text.trim().parse().expect("a number")
}

fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

#[test]
fn a_polite_stop_is_quick_and_leaves_nothing() {
    let mut daemon = Daemon::start("stop", &["-n"]);
    let (parent, child) = (daemon.process.id(), daemon.child());
    assert_eq!(pid_in(&daemon.place.join("parent.pid")), parent);
    for pid in [parent, child] {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).expect("alive");
        assert_eq!(name, "keepalived\n");
    }
    let before = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
    // 30 ms are promised; a busy machine may take longer, but nothing waits a constant second.
    assert!(
        before.elapsed() < Duration::from_millis(900),
        "{:?}",
        before.elapsed()
    );
    assert!(!alive(child));
    assert!(!daemon.place.join("parent.pid").exists());
    assert!(!daemon.place.join("vrrp.pid").exists());
    let log = daemon.log();
    assert!(
        log.contains(&format!(": Starting VRRP child process, pid={child}\n")),
        "{log}"
    );
    for line in ["Stopping", "Stopped"] {
        assert!(
            log.lines().any(|text| text.ends_with(&format!(": {line}"))),
            "{line}: {log}"
        );
    }
}

#[test]
fn systemd_is_told_how_far_it_is() {
    let place = place("systemd");
    fs::write(place.join("conf"), GOOD).expect("a file of our own");
    let socket = place.join("notify");
    let listener = UnixDatagram::bind(&socket).expect("a socket of our own");
    listener.set_read_timeout(Some(LIMIT)).expect("settable");
    let hear = || {
        let mut buffer = [0; 100];
        let length = listener.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let mut command = command(&place, &["-n"]);
    let process = command
        .env("NOTIFY_SOCKET", &socket)
        .spawn()
        .expect("the binary runs");
    let mut daemon = Daemon { place, process };
    assert!(hear().starts_with("READY=1\nSTATUS="));
    daemon.signal("HUP");
    assert!(hear().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert!(hear().starts_with("READY=1\nSTATUS="));
    daemon.signal("TERM");
    assert!(hear().starts_with("STOPPING=1\nSTATUS="));
    assert_eq!(daemon.wait().code(), Some(0));
}

/// What `NOTIFY_SOCKET` hears within `span`.
fn heard_within(listener: &UnixDatagram, span: Duration) -> Vec<String> {
    let until = Instant::now() + span;
    let mut all = Vec::new();
    while let Some(left) = until.checked_duration_since(Instant::now())
        && !left.is_zero()
    {
        listener.set_read_timeout(Some(left)).expect("settable");
        let mut buffer = [0; 100];
        if let Ok(length) = listener.recv(&mut buffer) {
            all.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
    }
    all
}

#[test]
fn the_watchdog_hears_of_us_while_every_child_answers() {
    let place = place("watchdog");
    fs::write(place.join("conf"), WATCHED).expect("a file of our own");
    let socket = place.join("notify");
    let listener = UnixDatagram::bind(&socket).expect("a socket of our own");
    let process = command(&place, &["-n"])
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "400000")
        .spawn()
        .expect("the binary runs");
    let mut daemon = Daemon { place, process };
    daemon.wait_for_log("Startup complete");
    heard_within(&listener, Duration::from_millis(300));
    let heard = heard_within(&listener, Duration::from_secs(2));
    assert!(heard.iter().all(|text| text == "WATCHDOG=1"), "{heard:?}");
    // Ten, on a machine that is not busy.
    assert!((7..=11).contains(&heard.len()), "{heard:?}");
    // The child is killed after 200 to 300 ms and back a second later.
    kill(daemon.child(), "STOP");
    daemon.wait_for_log("killed");
    daemon.wait_for_log_times("Starting VRRP child process", 2);
    assert!(!heard_within(&listener, Duration::from_secs(1)).is_empty());
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_watchdog_of_another_process_hears_nothing() {
    let place = place("watchdog-other");
    fs::write(place.join("conf"), GOOD).expect("a file of our own");
    let socket = place.join("notify");
    let listener = UnixDatagram::bind(&socket).expect("a socket of our own");
    let process = command(&place, &["-n"])
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "100000")
        .env("WATCHDOG_PID", "1")
        .spawn()
        .expect("the binary runs");
    let mut daemon = Daemon { place, process };
    daemon.wait_for_log("Startup complete");
    let heard = heard_within(&listener, Duration::from_millis(500));
    assert!(
        matches!(&heard[..], [ready] if ready.starts_with("READY=1\n")),
        "{heard:?}"
    );
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

/// Voluntary context switches of a process: every one is a wait.
fn waits(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("alive");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok())
        .expect("a count")
}

#[test]
fn an_idle_daemon_wakes_once_for_each_hello() {
    let mut daemon = Daemon::start_with("idle", WATCHED, &["-n"]);
    let (parent, child) = (daemon.process.id(), daemon.child());
    sleep(Duration::from_millis(300));
    let before = [waits(parent), waits(child)];
    let begin = Instant::now();
    sleep(Duration::from_secs(2));
    let hellos = begin.elapsed().as_millis() as u64 / 100;
    for (pid, before) in [parent, child].into_iter().zip(before) {
        let woken = waits(pid) - before;
        let expected = hellos / 2..=hellos + 2;
        assert!(expected.contains(&woken), "{woken} for {hellos} hellos");
    }
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_second_start_finds_the_first_and_ends_with_0() {
    let mut daemon = Daemon::start("second", &["-n"]);
    let before = daemon.log();
    let second = Command::new(env!("CARGO_BIN_EXE_relevo"))
        .args(["-n", "-G", "-C", "-f"])
        .arg(daemon.place.join("conf"))
        .arg("-p")
        .arg(daemon.place.join("parent.pid"))
        .output()
        .expect("the binary runs");
    assert_eq!(second.status.code(), Some(0));
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(told.contains("already running"), "{told}");
    assert_eq!(
        pid_in(&daemon.place.join("parent.pid")),
        daemon.process.id()
    );
    assert_eq!(daemon.log(), before);
    daemon.signal("INT");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_child_that_is_killed_comes_back() {
    let mut daemon = Daemon::start("respawn", &["-n"]);
    let first = daemon.child();
    kill(first, "KILL");
    daemon.wait_for_log_times("Starting VRRP child process", 2);
    wait_until("a new pid", || {
        let text = fs::read_to_string(daemon.place.join("vrrp.pid")).unwrap_or_default();
        text.trim().parse().is_ok_and(|pid: u32| pid != first)
    });
    assert!(alive(daemon.child()) && alive(daemon.process.id()));
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

/// Hello every 100 ms, so that the tests need not wait long.
const WATCHED: &str = "global_defs {\n    relevo_hello_interval 0.1\n}\n";

/// Waits for another child than `first`.
fn successor(daemon: &Daemon, first: u32) -> u32 {
    let path = daemon.place.join("vrrp.pid");
    let mut next = first;
    wait_until("a new pid", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        next = text.trim().parse().unwrap_or(first);
        next != first
    });
    next
}

#[test]
fn a_child_that_is_stopped_is_replaced() {
    let mut daemon = Daemon::start_with("hung", WATCHED, &["-n"]);
    // Long enough to have settled: the next one starts at once.
    sleep(Duration::from_millis(1_100));
    let first = daemon.child();
    let before = Instant::now();
    kill(first, "STOP");
    daemon.wait_for_log("has not answered for 0.2 s: killed");
    let second = successor(&daemon, first);
    let waited = before.elapsed();
    assert!(!alive(first) && alive(second));
    // At most three intervals to find it, and no pause.
    assert!(waited < Duration::from_millis(900), "{waited:?}");
    let log = daemon.log();
    assert_eq!(
        log.matches("died (signal 9): Respawning").count(),
        1,
        "{log}"
    );
    assert_eq!(log.matches("starts again in").count(), 0, "{log}");
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

/// From now on every look of the process at its sources comes back at once with nothing: its loop turns and
/// turns, and hears nobody. None where that cannot be done from outside.
fn spin(pid: u32) -> Option<Child> {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o", "/dev/null", "-p", &pid.to_string()]);
    command.args(["-e", "trace=epoll_wait,epoll_pwait"]);
    command.args(["-e", "inject=epoll_wait,epoll_pwait:retval=0"]);
    command.stderr(Stdio::null()).spawn().ok()
}

#[test]
fn a_child_in_an_endless_loop_is_replaced() {
    let mut daemon = Daemon::start_with("loop", WATCHED, &["-n"]);
    sleep(Duration::from_millis(1_100));
    let first = daemon.child();
    let Some(mut strace) = spin(first) else {
        eprintln!("skipped: nothing here makes a process loop from outside");
        return;
    };
    daemon.wait_for_log("has not answered for 0.2 s: killed");
    let second = successor(&daemon, first);
    assert!(!alive(first) && alive(second));
    _ = strace.wait();
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_child_that_hangs_again_and_again_is_started_with_pauses() {
    let mut daemon = Daemon::start_with("hung-twice", WATCHED, &["-n"]);
    let mut child = daemon.child();
    // Each time one is started that only tidies up, and another one after the pause.
    for (pause, starts) in [("starts again in 1 s", 3), ("starts again in 2 s", 5)] {
        kill(child, "STOP");
        daemon.wait_for_log(pause);
        daemon.wait_for_log_times("Starting VRRP child process", starts);
        child = successor(&daemon, child);
    }
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_parent_that_was_stopped_kills_nobody() {
    let mut daemon = Daemon::start_with("late-parent", WATCHED, &["-n"]);
    let (parent, child) = (daemon.process.id(), daemon.child());
    // The parent alone; then both, and the parent is back first.
    for both in [false, true, true, true] {
        kill(parent, "STOP");
        if both {
            kill(child, "STOP");
        }
        sleep(Duration::from_millis(350));
        kill(parent, "CONT");
        if both {
            sleep(Duration::from_millis(20));
            kill(child, "CONT");
        }
        sleep(Duration::from_millis(400));
        assert!(alive(child), "{}", daemon.log());
    }
    assert_eq!(daemon.child(), child);
    assert_eq!(
        daemon.log().matches("killed").count(),
        0,
        "{}",
        daemon.log()
    );
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_hung_child_without_respawn_ends_the_daemon() {
    let mut daemon = Daemon::start_with("hung-no-respawn", WATCHED, &["-n", "-R"]);
    kill(daemon.child(), "STOP");
    assert_eq!(daemon.wait().code(), Some(0));
    let log = daemon.log();
    assert!(log.contains("died (signal 9): Exiting"), "{log}");
}

#[test]
fn the_interval_of_hellos_changes_with_a_reload() {
    let mut daemon = Daemon::start("new-interval", &["-n"]);
    let conf = daemon.place.join("conf");
    fs::write(&conf, WATCHED).expect("writable");
    daemon.signal("HUP");
    daemon.wait_for_log("Reload complete");
    kill(daemon.child(), "STOP");
    daemon.wait_for_log("has not answered for 0.2 s: killed");
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn child_wait_time_is_heeded() {
    let text = format!("child_wait_time 1\n{GOOD}");
    let mut daemon = Daemon::start_with("wait-time", &text, &["-n"]);
    kill(daemon.child(), "STOP");
    let before = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
    let waited = before.elapsed();
    let expected = Duration::from_secs(1)..Duration::from_secs(4);
    assert!(expected.contains(&waited), "{waited:?}");
    let log = daemon.log();
    assert!(log.contains("did not leave within 1 s: killed"), "{log}");
}

#[test]
fn without_respawn_a_dead_child_ends_the_daemon() {
    let mut daemon = Daemon::start("no-respawn", &["-n", "-R"]);
    kill(daemon.child(), "KILL");
    assert_eq!(daemon.wait().code(), Some(0));
    assert_eq!(
        daemon.log().matches("Starting VRRP child process").count(),
        1
    );
}

#[test]
fn what_a_child_may_never_do_ends_the_daemon_with_its_code() {
    let place = place("forbidden");
    fs::write(place.join("conf"), GOOD).expect("a file of our own");
    // Root in a user namespace that does not own the network namespace: only trying shows it.
    let mut process = command_in(&place, &["unshare", "--map-root-user"], &["-n"])
        .spawn()
        .expect("the binary runs");
    let status = process.wait().expect("our child");
    let log = fs::read_to_string(place.join("log")).unwrap_or_default();
    assert_eq!(status.code(), Some(4), "{log}");
    assert!(
        log.contains("cannot work: a permission is missing (code 4)"),
        "{log}"
    );
    assert_eq!(
        log.matches("Starting VRRP child process").count(),
        1,
        "{log}"
    );
    assert!(!place.join("parent.pid").exists());
    _ = fs::remove_dir_all(&place);
}

#[test]
fn the_child_leaves_when_the_parent_is_killed() {
    let mut daemon = Daemon::start("orphan", &["-n"]);
    let child = daemon.child();
    daemon.signal("KILL");
    daemon.wait();
    wait_until("the child is gone", || !alive(child));
    // It left in order, it was not killed: its own pid file is gone too.
    assert!(!daemon.place.join("vrrp.pid").exists());
    // What the parent left behind does not stop the next one.
    assert!(daemon.place.join("parent.pid").exists());
    let mut next = command(&daemon.place, &["-n"]);
    daemon.process = next.spawn().expect("the binary runs");
    daemon.wait_for_log("Startup complete");
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_reload_keeps_the_child_whether_it_is_good_or_broken() {
    let mut daemon = Daemon::start("reload", &["-n"]);
    let first = daemon.child();
    fs::write(daemon.place.join("conf"), BAD).expect("writable");
    daemon.signal("HUP");
    daemon.wait_for_log("Reload refused");
    let conf = daemon.place.join("conf");
    assert!(
        daemon
            .log()
            .contains(&format!("{}:2:5: fatal: ", conf.display()))
    );
    fs::remove_file(&conf).expect("removable");
    daemon.signal("HUP");
    daemon.wait_for_log_times("Reload refused", 2);
    assert!(alive(first) && daemon.child() == first);
    fs::write(&conf, GOOD).expect("writable");
    daemon.signal("HUP");
    daemon.wait_for_log("Reload complete");
    assert!(alive(first) && daemon.child() == first);
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn signals_for_what_is_not_built_are_harmless() {
    let mut daemon = Daemon::start("signals", &["-n"]);
    let child = daemon.child();
    for signal in ["USR1", "USR2", "63", "36", "PIPE"] {
        daemon.signal(signal);
        kill(child, signal);
    }
    daemon.signal("HUP");
    daemon.wait_for_log("Reload complete");
    assert_eq!(daemon.log().matches("died").count(), 0, "{}", daemon.log());
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_stopped_child_does_not_keep_the_daemon_for_ever() {
    let mut daemon = Daemon::start("stuck", &["-n"]);
    let child = daemon.child();
    kill(child, "STOP");
    let before = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
    let waited = before.elapsed();
    assert!(waited >= Duration::from_secs(5), "{waited:?}");
    assert!(!alive(child));
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let place = place("hung");
    // Every unknown word is a line: far more than the ring and the pipe take together.
    let text = "no_such_word\n".repeat(900) + GOOD;
    fs::write(place.join("conf"), text).expect("a file of our own");
    let mut command = command(&place, &["-n"]);
    command.stderr(Stdio::piped());
    let process = command.spawn().expect("the binary runs");
    let mut daemon = Daemon { place, process };
    let pid_file = daemon.place.join("vrrp.pid");
    wait_until("the child runs", || {
        fs::read_to_string(&pid_file).is_ok_and(|text| !text.is_empty())
    });
    // Reloads fill what room is left.
    for _ in 0..3 {
        daemon.signal("HUP");
        sleep(Duration::from_millis(50));
    }
    let before = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(
        before.elapsed() < Duration::from_secs(2),
        "{:?}",
        before.elapsed()
    );
    let mut written = Vec::new();
    let stderr = daemon.process.stderr.as_mut().expect("piped");
    stderr.read_to_end(&mut written).expect("readable");
    assert!(
        written.len() >= 60_000,
        "the pipe was never full: {}",
        written.len()
    );
    assert!(!String::from_utf8_lossy(&written).contains("Stopped relevo"));
}

#[test]
fn in_the_background_the_caller_returns_and_the_pid_file_names_the_daemon() {
    let place = place("background");
    fs::write(place.join("conf"), GOOD).expect("a file of our own");
    let log_file = format!("--log-file={}", place.join("x.log").display());
    let status = command(&place, &[&log_file])
        .status()
        .expect("the binary runs");
    assert_eq!(status.code(), Some(0));
    let (parent_file, child_file) = (place.join("parent.pid"), place.join("vrrp.pid"));
    wait_until("both run", || {
        let written = |path| fs::read_to_string(path).is_ok_and(|text| text.ends_with('\n'));
        written(&parent_file) && written(&child_file)
    });
    let (parent, child) = (pid_in(&parent_file), pid_in(&child_file));
    let root = fs::read_link(format!("/proc/{parent}/cwd")).expect("alive");
    assert_eq!(root, Path::new("/"));
    let stat = fs::read_to_string(format!("/proc/{parent}/stat")).expect("alive");
    let fields: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .expect("fields")
        .split(' ')
        .collect();
    let (session, terminal) = (fields[3], fields[4]);
    assert_ne!(
        session,
        parent.to_string(),
        "a session leader could get a terminal"
    );
    assert_eq!(terminal, "0");
    let stderr = fs::read_link(format!("/proc/{child}/fd/2")).expect("alive");
    assert_eq!(stderr, Path::new("/dev/null"));
    wait_until("it is ready", || {
        let log = fs::read_to_string(place.join("x.log")).unwrap_or_default();
        log.contains(": Startup complete\n")
    });
    kill(parent, "TERM");
    wait_until("both are gone", || !alive(parent) && !alive(child));
    assert!(!parent_file.exists() && !child_file.exists());
    for (name, line) in [
        ("x.log", ": Startup complete\n"),
        ("x_vrrp.log", ": Stopped\n"),
    ] {
        let log = fs::read_to_string(place.join(name)).expect("a log file");
        assert!(log.contains(line), "{name}: {log}");
    }
    _ = fs::remove_dir_all(&place);
}

/// Each option of 2.2.7 does what it says, or the log says that it does not.
#[test]
fn options_without_an_effect_are_told() {
    let place = place("ignored");
    let options = ["-I", "-x", "-A", "unix:/x", "-D", "-R"];
    let mut process = command(&place, &options).spawn().expect("the binary runs");
    // There is no configuration, so it ends at once.
    let status = process.wait().expect("it ends");
    assert_eq!(status.code(), Some(6));
    let log = fs::read_to_string(place.join("log")).expect("a log");
    for (option, what) in [
        ("dont-release-ipvs", "leave the IPVS table"),
        ("snmp", "start SNMP"),
        ("snmp-agent-socket", "choose the SNMP master agent"),
    ] {
        let told = format!("Option --{option} would {what}");
        assert_eq!(log.matches(&told).count(), 1, "{told}: {log}");
    }
    assert_eq!(log.matches("so it is ignored").count(), 3, "{log}");
    fs::remove_dir_all(&place).expect("ours");
}
