//! What the processes are to the host: names, files, limits, priorities, namespaces. Each daemon has
//! a network namespace and a `/run` of its own. Without root what needs it is refused by the kernel,
//! and then the daemon has to say so and to run on.

mod common;

use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::wait_until;

/// A daemon in the foreground.
struct Daemon {
    place: PathBuf,
    process: Child,
    /// The process that was started is another one, which waits for it.
    inner: Option<u32>,
}

impl Daemon {
    /// Runs with `conf` and `options` after the shell's `preparation`; waits until it is up.
    fn start(name: &str, preparation: &str, conf: &str, options: &[&str]) -> Self {
        let daemon = Self::begin(name, preparation, conf, options);
        daemon.wait_for_log("Startup complete");
        daemon
    }

    fn begin(name: &str, preparation: &str, conf: &str, options: &[&str]) -> Self {
        let place = place(name);
        fs::write(place.join("conf"), conf).expect("a file of our own");
        let process = command(&place, &[], preparation, options)
            .spawn()
            .expect("unshare(1) runs");
        Self {
            place,
            process,
            inner: None,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.place.join("log")).unwrap_or_default()
    }

    fn wait_for_log(&self, text: &str) {
        wait_until(text, || self.log().contains(text));
    }

    fn pid(&self) -> u32 {
        self.inner.unwrap_or_else(|| self.process.id())
    }

    /// The daemon's one child.
    fn child(&self) -> u32 {
        let mut child = None;
        wait_until("a child", || {
            child = children(self.pid()).first().copied();
            child.is_some()
        });
        child.expect("just found")
    }

    /// What the daemon finds at the absolute `path`.
    fn sees(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid()))
    }

    fn stop(&mut self) -> Option<i32> {
        kill(self.pid(), "TERM");
        self.wait().code()
    }

    fn wait(&mut self) -> ExitStatus {
        let log = self.place.join("log");
        let log = || fs::read_to_string(&log).unwrap_or_default();
        common::wait_for_end(&mut self.process, log)
    }
}

/// Ends everything by force if the test failed half-way.
impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            for pid in children(self.pid()) {
                kill(pid, "KILL");
            }
            _ = self.process.kill();
            _ = self.process.wait();
        }
        _ = fs::remove_dir_all(&self.place);
    }
}

fn place(name: &str) -> PathBuf {
    common::place("env", name)
}

/// The daemon behind `preparation` in new namespaces, `more` of them than a network's and a file
/// system's. Root stays root, so that it may do what it may; anybody else becomes root inside.
fn command(place: &Path, more: &[&str], preparation: &str, options: &[&str]) -> Command {
    let log = fs::File::create(place.join("log")).expect("a file of our own");
    let script = format!(
        "mount -t tmpfs tmpfs /run && ip link set lo up && \
         {{ {preparation}\n}} && exec \"$0\" \"$@\""
    );
    let mut command = Command::new("unshare");
    if !is_root() {
        command.arg("--map-root-user");
    }
    command
        .args(["--net", "--mount"])
        .args(more)
        .args(["sh", "-c", &script])
        .arg(env!("CARGO_BIN_EXE_relevo"))
        .args(["-n", "-l", "-G", "--all", "-f"])
        .arg(place.join("conf"))
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command
}

fn is_root() -> bool {
    status(std::process::id(), "Uid").starts_with("0\t")
}

fn kill(pid: u32, signal: &str) {
    _ = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

/// A field of /proc/PID/status.
fn status(pid: u32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("alive");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t"));
    value.unwrap_or_default().trim_start().to_owned()
}

/// The soft and the hard limit called `name` in /proc/PID/limits.
fn limits(pid: u32, name: &str) -> [String; 2] {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).expect("alive");
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    let mut fields = rest.expect("a limit").split_whitespace();
    [(); 2].map(|()| fields.next().expect("a value").to_owned())
}

/// Field `number` of /proc/PID/stat, counted from 1 as in proc(5).
fn stat(pid: u32, number: usize) -> i64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("alive");
    let rest = text.rsplit(") ").next().expect("fields");
    let field = rest.split(' ').nth(number - 3).expect("a field");
    field.parse().expect("a number")
}

fn name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).expect("alive");
    name.trim_end().to_owned()
}

fn global(lines: &str) -> String {
    format!("global_defs {{\n{lines}\n}}\n")
}

#[test]
fn processes_and_files_have_the_originals_names() {
    for (test, words, names, files) in [
        (
            "plain",
            String::new(),
            ["keepalived", "keepalived"],
            ["/run/keepalived.pid", "/run/vrrp.pid"],
        ),
        (
            "directory",
            "use_pid_dir\n".to_owned() + &global("process_names"),
            ["keepalived", "keepalived_vrrp"],
            ["/run/keepalived/keepalived.pid", "/run/keepalived/vrrp.pid"],
        ),
        (
            "instance",
            "instance one\n".to_owned() + &global("process_name a\nvrrp_process_name b"),
            ["a", "b"],
            [
                "/run/keepalived/keepalived_one.pid",
                "/run/keepalived/vrrp_one.pid",
            ],
        ),
    ] {
        let mut daemon = Daemon::start(test, "true", &words, &[]);
        let pids = [daemon.pid(), daemon.child()];
        assert_eq!(pids.map(name), names, "{test}");
        let [words, childs] =
            pids.map(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("alive"));
        assert_eq!(words, childs, "{test}");
        assert!(words.contains("\0-n\0-l\0"), "{words:?}");
        for (file, pid) in files.into_iter().zip(pids) {
            let text = fs::read_to_string(daemon.sees(file)).expect(file);
            assert_eq!(text, format!("{pid}\n"), "{file}");
        }
        // A file system outlives its processes as long as a file in it is open.
        let run = fs::File::open(daemon.sees("/run")).expect("readable");
        assert_eq!(daemon.stop(), Some(0));
        let left = fs::read_dir(format!("/proc/self/fd/{}", run.as_raw_fd())).expect("readable");
        let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
        assert!(left.is_empty(), "{test}: {left:?}");
    }
}

#[test]
fn a_stale_pid_file_never_stops_a_start_and_a_link_is_not_followed() {
    let stale = "echo 1 > /run/keepalived.pid; echo $$ > /run/vrrp.pid";
    let mut daemon = Daemon::start("stale", stale, "", &[]);
    let text = fs::read_to_string(daemon.sees("/run/keepalived.pid")).expect("a pid file");
    assert_eq!(text, format!("{}\n", daemon.pid()));
    assert_eq!(daemon.stop(), Some(0));

    let link = "echo precious > $PLACE/target; ln -s $PLACE/target /run/keepalived.pid";
    let target = place("link-target");
    let link = link.replace("$PLACE", &target.display().to_string());
    let mut daemon = Daemon::begin("link", &link, "", &[]);
    assert_eq!(daemon.wait().code(), Some(1));
    assert!(
        daemon.log().contains("/run/keepalived.pid: cannot write"),
        "{}",
        daemon.log()
    );
    let text = fs::read_to_string(target.join("target")).expect("there");
    assert_eq!(text, "precious\n");
    _ = fs::remove_dir_all(&target);
}

#[test]
fn the_umask_is_the_command_lines_or_the_configurations() {
    for (test, conf, options, mask) in [
        ("umask-none", "", &[][..], "0177"),
        ("umask-word", "umask IWGRP|IWOTH", &[], "0022"),
        ("umask-option", "umask 022", &["-u", "077"], "0077"),
    ] {
        let mut daemon = Daemon::start(test, "true", &global(conf), options);
        for pid in [daemon.pid(), daemon.child()] {
            assert_eq!(status(pid, "Umask"), mask, "{test}");
        }
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn core_dumps_come_only_when_asked_for() {
    let core = |pid| limits(pid, "Max core file size");
    let mut daemon = Daemon::start("core-none", "ulimit -S -c 4", "", &[]);
    for pid in [daemon.pid(), daemon.child()] {
        assert_eq!(core(pid)[0], "0");
    }
    assert_eq!(daemon.stop(), Some(0));
    let mut daemon = Daemon::start("core-m", "true", "", &["-m"]);
    for pid in [daemon.pid(), daemon.child()] {
        let [soft, hard] = core(pid);
        assert_eq!(soft, hard);
    }
    assert_eq!(daemon.stop(), Some(0));
    // The host's pattern must not change: a file of our own stands in its place.
    let file = place("core-pattern").join("pattern");
    let pattern = "/proc/sys/kernel/core_pattern";
    let preparation = format!(
        "echo before > {0} && mount --bind {0} {pattern}",
        file.display()
    );
    for (option, expected) in [("-M", "core\n"), ("-M/x/%p", "/x/%p\n")] {
        let mut daemon = Daemon::start("core-M", &preparation, "", &[option]);
        let [soft, hard] = core(daemon.child());
        assert_eq!(soft, hard);
        let read = || fs::read_to_string(&file).expect("readable");
        assert_eq!(read(), expected);
        assert_eq!(daemon.stop(), Some(0));
        assert_eq!(read(), "before\n");
    }
    _ = fs::remove_dir_all(file.parent().expect("a directory"));
}

#[test]
fn the_child_is_scheduled_as_its_words_say() {
    let words = "vrrp_priority 7\nvrrp_cpu_affinity 0\nvrrp_no_swap\nvrrp_rt_priority 3\n\
                 vrrp_rlimit_rttime 900000\nchecker_priority 9";
    let mut daemon = Daemon::start("schedule", "true", &global(words), &[]);
    let (parent, child) = (daemon.pid(), daemon.child());
    assert_eq!(stat(child, 19), 7, "nice");
    assert_eq!(status(child, "Cpus_allowed_list"), "0");
    // The parent, and who writes the log, are not in a hurry.
    assert_eq!(stat(parent, 19), stat(std::process::id(), 19));
    assert_eq!(status(parent, "VmLck"), "0 kB");
    if is_root() {
        const ROUND_ROBIN: i64 = 2;
        assert_eq!((stat(child, 40), stat(child, 41)), (3, ROUND_ROBIN));
        let limit = limits(child, "Max realtime timeout");
        assert_eq!(limit, ["450000", "900000"]);
        assert_ne!(status(child, "VmLck"), "0 kB");
        for thread in fs::read_dir(format!("/proc/{child}/task")).expect("alive") {
            let thread = thread.expect("a thread").file_name();
            let thread: u32 = thread.to_string_lossy().parse().expect("a number");
            assert_eq!(status(thread, "Cpus_allowed_list"), "0");
            assert_eq!(stat(thread, 41) == ROUND_ROBIN, thread == child, "{thread}");
        }
        assert!(!daemon.log().contains("cannot be had"), "{}", daemon.log());
    } else {
        daemon.wait_for_log("vrrp_rt_priority cannot be had");
    }
    assert_eq!(daemon.stop(), Some(0));
}

/// An instance that sends or waits every 100 ms.
const QUICK: &str = "vrrp_instance A {\ninterface eth0\nversion 3\nadvert_int 0.1\n\
                     virtual_router_id 9\nvirtual_ipaddress {\n10.0.0.9/24\n}\n}\n";
const LINK: &str = "ip link add eth0 type veth peer name p0 && ip addr add 10.0.0.1/24 dev eth0 && \
                    ip link set eth0 up && ip link set p0 up";

#[test]
fn lateness_raises_the_priority_step_by_step() {
    let conf = global("max_auto_priority 2\nmin_auto_priority_delay 300000") + QUICK;
    let mut daemon = Daemon::start("late", LINK, &conf, &[]);
    daemon.wait_for_log("Entering MASTER STATE");
    let child = daemon.child();
    assert_eq!(stat(child, 40), 0, "no real-time priority");
    // The limit is two, however often it is late.
    for step in [1, 2, 2] {
        kill(child, "STOP");
        sleep(Duration::from_millis(600));
        kill(child, "CONT");
        if !is_root() {
            daemon.wait_for_log("max_auto_priority cannot be had");
            break;
        }
        wait_until("a higher priority", || stat(child, 40) == step);
        sleep(Duration::from_millis(300));
        assert_eq!(stat(child, 40), step);
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_warning_comes_before_the_kernel_ends_what_computes_too_long() {
    let mut daemon = Daemon::start("xcpu", "true", "", &[]);
    let child = daemon.child();
    for _ in 0..3 {
        kill(child, "XCPU");
    }
    daemon.wait_for_log("vrrp_rlimit_rttime may be too small");
    assert_eq!(daemon.child(), child);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(daemon.log().matches("vrrp_rlimit_rttime").count(), 1);
}

/// Somebody adds a virtual address before it is taken over. Only with `-X` it goes with the daemon.
#[test]
fn addresses_of_others_go_when_that_is_asked_for() {
    let conf = QUICK.replace("version 3\nadvert_int 0.1", "version 3\nadvert_int 0.5");
    // Somebody else holds the namespace, so that it can be looked at afterwards.
    let keeper = format!("{LINK}; sleep 1000 &");
    for (options, stays) in [(&["-a"][..], true), (&["-X", "-a"], false)] {
        let mut daemon = Daemon::start("release", &keeper, &conf, options);
        let child = pid_in(&daemon.sees("/run/vrrp.pid"));
        let keeper = children(daemon.pid()).into_iter().find(|&pid| pid != child);
        let keeper = keeper.expect("who keeps the place");
        let ip = |words: &[&str]| {
            let mut enter = Command::new("nsenter");
            if !is_root() {
                enter.args(["--user", "--preserve-credentials"]);
            }
            let enter = enter
                .args(["-n", "-t", &keeper.to_string(), "ip"])
                .args(words);
            let output = enter.output().expect("nsenter(1) runs");
            assert!(output.status.success(), "{words:?}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        daemon.wait_for_log("Entering BACKUP STATE");
        ip(&["addr", "add", "10.0.0.9/24", "dev", "eth0"]);
        daemon.wait_for_log("Address 10.0.0.9/24 on eth0 is there");
        daemon.wait_for_log("Entering MASTER STATE");
        sleep(Duration::from_millis(200));
        assert_eq!(daemon.stop(), Some(0));
        let there = ip(&["-br", "addr", "show", "eth0"]);
        assert!(there.contains("10.0.0.1/24"), "{there}");
        assert_eq!(there.contains("10.0.0.9/24"), stays, "{options:?}: {there}");
        kill(keeper, "KILL");
    }
}

fn pid_in(path: &Path) -> u32 {
    let text = fs::read_to_string(path).expect("a pid file");
    text.trim().parse().expect("a number")
}

/// `blue` is a namespace with an interface eth0; the one outside has none.
const BLUE: &str = "mkdir /run/netns && touch /run/netns/blue && \
                    unshare --net=/run/netns/blue sh -c 'ip link set lo up && \
                    ip link add eth0 type veth peer name p0 && \
                    ip addr add 10.0.0.1/24 dev eth0 && ip link set eth0 up && ip link set p0 up'";

#[test]
fn a_network_namespace_is_entered_with_files_of_its_own() {
    let word = "net_namespace blue\ninstance two\n".to_owned() + QUICK;
    for (test, conf, options, files) in [
        (
            "ns-option",
            QUICK,
            &["-s", "blue"][..],
            ["keepalived.pid", "vrrp.pid"],
        ),
        (
            "ns-word",
            &word,
            &[],
            ["keepalived_two.pid", "vrrp_two.pid"],
        ),
    ] {
        let keeper = format!("{BLUE} && sleep 1000 & sleep 0.5; test -e /run/netns/blue");
        let mut daemon = Daemon::start(test, &keeper, conf, options);
        let parent = daemon.pid();
        // It found its interface, and its address is there.
        daemon.wait_for_log("Entering MASTER STATE");
        let network = |pid| fs::read_link(format!("/proc/{pid}/ns/net")).expect("alive");
        let mounts = |pid| fs::read_link(format!("/proc/{pid}/ns/mnt")).expect("alive");
        let child = pid_in(&daemon.sees(&format!("/run/keepalived/{}", files[1])));
        let outside = children(parent).into_iter().find(|&pid| pid != child);
        let outside = outside.expect("who keeps the place outside");
        assert_eq!(network(parent), network(child));
        assert_ne!(network(parent), network(outside));
        assert_ne!(mounts(parent), mounts(outside));
        for (file, pid) in files.into_iter().zip([parent, child]) {
            let inside = daemon.sees(&format!("/run/keepalived/{file}"));
            let text = fs::read_to_string(inside).expect(file);
            assert_eq!(text, format!("{pid}\n"));
            let outside = format!("/proc/{outside}/root/run/keepalived/blue/{file}");
            assert_eq!(fs::read_to_string(outside).expect(file), text);
        }
        assert_eq!(daemon.stop(), Some(0));
        let left = fs::exists(format!("/proc/{outside}/root/run/keepalived"));
        assert!(!left.expect("readable"), "the directories stay behind");
        kill(outside, "KILL");
    }
}

#[test]
fn a_namespace_that_cannot_be_entered_stops_the_start() {
    for (test, conf, options) in [
        ("ns-none", "", &["-s", "nosuch"][..]),
        ("ns-path", "", &["-s", "../nosuch"]),
        ("ns-none-word", "net_namespace nosuch\n", &[]),
    ] {
        let mut daemon = Daemon::begin(test, "true", conf, options);
        assert_eq!(daemon.wait().code(), Some(1), "{test}");
        let log = daemon.log();
        assert!(log.contains("nosuch cannot be entered"), "{test}: {log}");
        assert!(!log.contains("Starting VRRP"), "{test}: {log}");
    }
}

#[test]
fn what_was_entered_cannot_be_left_by_a_reload() {
    let mut daemon = Daemon::start("fixed", "true", "instance one\n", &[]);
    let child = daemon.child();
    fs::write(daemon.place.join("conf"), "instance two\n").expect("a file of our own");
    kill(daemon.pid(), "HUP");
    daemon.wait_for_log("`instance` cannot be changed");
    assert_eq!(daemon.child(), child);
    assert_eq!(daemon.stop(), Some(0));
}

/// A text in a file without a name serves as well as one in memory.
#[test]
fn the_text_may_be_kept_on_a_file_system() {
    for (test, directory, kept) in [
        ("text-file", "/run", "/run/#"),
        ("text-memory", "/nonexistent", "/memfd:"),
    ] {
        let conf = global(&format!("tmp_config_directory {directory}"));
        let mut daemon = Daemon::start(test, "true", &conf, &[]);
        let fds = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("alive");
        let held = fds
            .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
            .any(|file| file.to_string_lossy().starts_with(kept));
        assert!(held, "{test}");
        // Another child reads it from its beginning.
        kill(daemon.child(), "KILL");
        wait_until("another child", || {
            daemon.log().matches("Starting VRRP child").count() == 2
        });
        assert_eq!(daemon.stop(), Some(0), "{}", daemon.log());
    }
}

#[test]
fn process_1_of_a_container_reaps_orphans_and_heeds_sigterm() {
    let place = place("container");
    fs::write(place.join("conf"), "").expect("a file of our own");
    let more = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let mut command = command(&place, &more, "true", &[]);
    // Neither a service manager nor a syslog is there.
    command.env_remove("NOTIFY_SOCKET");
    let process = command.spawn().expect("unshare(1) runs");
    let mut daemon = Daemon {
        place,
        process,
        inner: None,
    };
    daemon.wait_for_log("Startup complete");
    let first = children(daemon.process.id())[0];
    daemon.inner = Some(first);
    assert_eq!(status(first, "NSpid").split('\t').next_back(), Some("1"));
    // Orphans: their parent ends first, and process 1 adopts them.
    let target = first.to_string();
    let mut enter = Command::new("nsenter");
    if !is_root() {
        enter.args(["--user", "--preserve-credentials"]);
    }
    let orphans = enter
        .args(["-p", "-m", "-n", "-t", &target, "sh", "-c"])
        .arg("for i in 1 2 3; do (sleep 0.2 &); done")
        .status()
        .expect("nsenter(1) runs");
    assert!(orphans.success());
    wait_until("the orphans are adopted", || children(first).len() > 1);
    wait_until("none is left, dead or alive", || children(first).len() == 1);
    let child = daemon.child();
    assert_eq!(name(child), "keepalived");
    assert_eq!(daemon.stop(), Some(0), "{}", daemon.log());
    assert!(daemon.log().contains(": Stopped\n"), "{}", daemon.log());
}

/// The value of a line of the unit in `conf-examples`.
fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../conf-examples/systemd/relevo.service");
    let text = fs::read_to_string(path).expect("the unit");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

/// What the unit takes away is taken away here by other means: all capabilities but two for good, and
/// the right to write anywhere but where it says.
#[test]
fn the_daemon_works_with_what_the_unit_leaves_it() {
    let capabilities: Vec<String> = unit("CapabilityBoundingSet")
        .split_whitespace()
        .map(|name| format!("+{}", name.trim_start_matches("CAP_").to_lowercase()))
        .collect();
    let kept = capabilities.join(",");
    assert_eq!(unit("NoNewPrivileges"), "yes");
    assert_eq!(unit("ReadWritePaths"), "/run /tmp");
    let place = place("unit");
    fs::write(place.join("conf"), QUICK).expect("a file of our own");
    // The log is open already; everything else is below /, which cannot be written any more.
    let preparation = format!(
        "{LINK} && mount --bind / /mnt && mount -o remount,bind,ro /mnt && \
         mount -t tmpfs tmpfs /mnt/run && mount -t proc proc /mnt/proc && \
         mount --rbind /dev /mnt/dev && cp {}/conf /mnt/run/conf && \
         exec chroot /mnt setpriv --no-new-privs --bounding-set=-all,{kept} --inh-caps=-all \
         \"$0\" \"$@\"",
        place.display()
    );
    let process = command(
        &place,
        &["--pid", "--fork", "--kill-child"],
        &preparation,
        // The last one counts.
        &["-f", "/run/conf"],
    )
    .spawn()
    .expect("unshare(1) runs");
    let mut daemon = Daemon {
        place,
        process,
        inner: None,
    };
    daemon.wait_for_log("Entering MASTER STATE");
    let first = children(daemon.process.id())[0];
    daemon.inner = Some(first);
    let child = daemon.child();
    for pid in [first, child] {
        assert_eq!(status(pid, "NoNewPrivs"), "1");
        assert_eq!(status(pid, "CapBnd"), "0000000000003000");
        assert_eq!(status(pid, "CapEff"), "0000000000003000");
        assert!(fs::write(format!("/proc/{pid}/root/etc/written"), "").is_err());
    }
    assert!(daemon.sees("/run/keepalived.pid").exists());
    assert_eq!(daemon.stop(), Some(0), "{}", daemon.log());
    let log = daemon.log();
    assert!(!log.contains("denied") && !log.contains("cannot"), "{log}");
}

/// What `systemd-analyze security` thinks: an exposure of at most 3.5.
fn is_hardened(file: &Path) -> bool {
    let status = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=35"])
        .arg(file)
        .stdout(Stdio::null())
        .status();
    status.expect("it ran before").success()
}

/// systemd has a say about the unit where it is installed.
#[test]
fn systemd_understands_the_unit() {
    let place = place("verify");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = source.join("../conf-examples/systemd/relevo.service");
    let text = fs::read_to_string(source).expect("the unit");
    let program = unit("ExecStart");
    let program = program.split(' ').next().expect("a program");
    assert_eq!(text.matches(program).count(), 1);
    let file = place.join("relevo.service");
    let text = text.replace(program, env!("CARGO_BIN_EXE_relevo"));
    fs::write(&file, &text).expect("a file of our own");
    let verify = |file: &Path| {
        Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(file)
            .output()
    };
    match verify(&file) {
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && told.is_empty(), "{told}");
            // And it does look.
            fs::write(&file, text.replace("ProtectHome=", "ProtectHone=")).expect("writable");
            let output = verify(&file).expect("it ran before");
            assert!(String::from_utf8_lossy(&output.stderr).contains("ProtectHone"));
            fs::write(&file, &text).expect("writable");
            // Of ten, where ten is a service that may do everything.
            assert!(is_hardened(&file));
            fs::write(&file, "[Service]\nExecStart=/bin/true\n").expect("writable");
            assert!(!is_hardened(&file));
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
            eprintln!("skipped: systemd-analyze is not installed (package systemd)");
        }
    }
    _ = fs::remove_dir_all(&place);
}
