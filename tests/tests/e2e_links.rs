#![forbid(unsafe_code)]
//! The link under a daemon: it vanishes and returns under another number, is renamed, joins a bridge and
//! leaves it, loses its carrier or its address, comes late, is checked for duplicates, and the kernel's
//! news of all that are lost. Each time the daemon stops, and works again as soon as it can.
//!
//! The first test has a thousand rounds in `make soak`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use relevo_tests::lab::{
    Capture, Daemon, Flavour, Host, Lab, Program, Result, need, now_ns, soak, wait_until,
};

/// Rounds of the first test in an ordinary run.
const ROUNDS: u64 = 20;
/// How long the daemon may take for what takes it less than half a second when the machine is idle.
const LIMIT: Duration = Duration::from_secs(10);
/// What the daemon's memory may grow by after the first rounds, in KiB.
const GROWTH: u64 = 1_024;

/// Quick elections.
const QUICK: Flavour = Flavour {
    interval_centis: 5,
    ..Flavour::V3
};
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100));

/// One host with a daemon.
struct Stage {
    capture: Capture,
    daemon: Daemon,
    host: Host,
    lab: Lab,
}

impl Stage {
    /// A host whose daemon was started with `configuration`; `None` (and a note) where there can be none.
    fn new(configuration: impl Fn(&Lab) -> String, prepare: impl Fn(&Host)) -> Option<Self> {
        if let Some(reason) = need::lab() {
            relevo_tests::skip::record(module_path!(), &reason);
            return None;
        }
        let lab = Lab::new(&["a", "b"]).unwrap();
        let host = lab.host("a").clone();
        prepare(&host);
        let program = Program::relevo().unwrap();
        let capture = Capture::start(&lab).unwrap();
        let daemon = Daemon::start(&host, &program, &configuration(&lab)).unwrap();
        Some(Self {
            capture,
            daemon,
            host,
            lab,
        })
    }

    /// The host, the configuration `text` and its daemon, which is master by now.
    fn master(edit: impl Fn(String) -> String) -> Option<Self> {
        let text = |lab: &Lab| edit(plain(QUICK, lab));
        let stage = Self::new(text, |_| ())?;
        stage.expect_master(0, VIP);
        Some(stage)
    }

    #[track_caller]
    fn must<T>(&self, result: Result<T>) -> T {
        result.unwrap_or_else(|error| {
            let tail: Vec<String> = self
                .daemon
                .log()
                .lines()
                .rev()
                .take(60)
                .map(str::to_owned)
                .collect();
            let log: Vec<&str> = tail.iter().rev().map(String::as_str).collect();
            let links = self.host.ip("addr");
            panic!("{error}\n{}\n{links:?}", log.join("\n"))
        })
    }

    #[track_caller]
    fn ip(&self, words: &str) {
        self.must(self.host.ip(words));
    }

    /// The address is in the kernel, and an advert was seen since `since_ns`.
    #[track_caller]
    fn expect_master(&self, since_ns: i64, address: IpAddr) {
        self.must(wait_until("the address", LIMIT, || {
            Ok(self.host.holds(address).unwrap_or(false).then_some(()))
        }));
        self.must(wait_until("an advert", LIMIT, || {
            let adverts = self.capture.adverts(since_ns);
            Ok(adverts
                .iter()
                .any(|(_, advert)| advert.priority > 0)
                .then_some(()))
        }));
    }

    /// Waits for one more line than `before` that contains `text`.
    #[track_caller]
    fn expect_line(&self, text: &str, before: usize) {
        self.must(wait_until(text, LIMIT, || {
            Ok((self.count(text) > before).then_some(()))
        }));
    }

    fn count(&self, text: &str) -> usize {
        self.daemon.log().matches(text).count()
    }

    /// Does something to the link that must lead to FAULT, then something that must end it.
    #[track_caller]
    fn fault_and_back(&self, condition: &str, spoil: impl FnOnce(), mend: impl FnOnce()) {
        let faults = self.count("Entering FAULT STATE");
        let named = self.count(condition);
        spoil();
        self.expect_line("Entering FAULT STATE", faults);
        self.expect_line(condition, named);
        let since = now_ns();
        mend();
        self.expect_master(since, VIP);
    }

    /// The process that does the work.
    fn child(&self) -> u32 {
        let file = self.host.dir.join("run/vrrp.pid");
        let text = fs::read_to_string(file).unwrap_or_default();
        self.must(text.trim().parse().map_err(|_| "no pid file".to_owned()))
    }

    /// How many descriptors the process has, and how much memory, in KiB.
    fn costs(&self) -> (usize, u64) {
        let proc = format!("/proc/{}", self.child());
        let files = fs::read_dir(format!("{proc}/fd")).map_or(0, Iterator::count);
        let status = fs::read_to_string(format!("{proc}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let memory = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        (files, memory.unwrap_or(0))
    }
}

fn plain(flavour: Flavour, lab: &Lab) -> String {
    flavour.configuration(lab.host("a"), lab.host("b"), 100)
}

fn with_global(text: &str, lines: &str) -> String {
    text.replace("global_defs {\n", &format!("global_defs {{\n{lines}\n"))
}

#[test]
fn an_interface_that_is_deleted_and_made_again_is_used_again() {
    let Some(mut stage) = Stage::master(|text| text) else {
        return;
    };
    let rounds = soak::rounds(ROUNDS, 1_000);
    let child = stage.child();
    let (mut files, mut memory) = stage.costs();
    let begin = Instant::now();
    for round in 1..=rounds {
        stage.ip("link del eth0");
        let since = now_ns();
        stage.must(stage.lab.make_interface(&stage.host));
        if round % 3 == 0 {
            // Once more, before the daemon can have come to rest.
            stage.ip("link del eth0");
            stage.must(stage.lab.make_interface(&stage.host));
        }
        stage.expect_master(since, VIP);
        let (files_now, memory_now) = stage.costs();
        if round <= 10 {
            (files, memory) = (files_now, memory.max(memory_now));
        }
        assert_eq!(files_now, files, "descriptors after round {round}");
        assert!(
            memory_now <= memory + GROWTH,
            "{memory_now} KiB after round {round}"
        );
        if round % 100 == 0 || round == rounds {
            eprintln!(
                "round {round} of {rounds}: {:.0} s, {files_now} descriptors, {memory_now} KiB \
                 ({memory} KiB after ten rounds)",
                begin.elapsed().as_secs_f64()
            );
        }
    }
    assert_eq!(stage.child(), child, "the child was started again");
    soak::row(
        "links: delete and create",
        "relevo",
        "rounds, descriptors, memory after ten and at the end",
        &format!("{rounds}, {files}, {memory} KiB, {} KiB", stage.costs().1),
    );
    // What it said: the states always, the conditions only so often.
    let log = stage.daemon.log();
    let faults = stage.count("Entering FAULT STATE");
    assert!(
        faults >= rounds as usize,
        "{faults} faults in {rounds} rounds"
    );
    let most = 32 + 2 * begin.elapsed().as_secs() as usize / 10;
    let told = stage.count(") fault");
    assert!(told <= most, "{told} lines about conditions\n{log}");
    assert_eq!(stage.daemon.stop(LIMIT), Ok(0));
}

#[test]
fn what_happens_to_a_link_is_told_and_got_over() {
    let Some(stage) = Stage::master(|text| text) else {
        return;
    };
    let own = stage.host.ipv4();
    stage.fault_and_back(
        "interface eth0 has no carrier",
        || stage.must(stage.lab.pull(&stage.host)),
        || stage.must(stage.lab.plug(&stage.host)),
    );
    assert_eq!(stage.count("Netlink reports eth0 down"), 1);
    assert_eq!(stage.count("Netlink reports eth0 up"), 1);
    stage.fault_and_back(
        "interface eth0 is down",
        || stage.ip("link set eth0 down"),
        || stage.ip("link set eth0 up"),
    );
    stage.fault_and_back(
        "interface eth0 does not exist",
        || {
            let lines = "link set eth0 down\nlink set eth0 name lan0\nlink set lan0 up\n";
            stage.must(stage.host.ip_batch(lines));
        },
        || {
            let lines = "link set lan0 down\nlink set lan0 name eth0\nlink set eth0 up\n";
            stage.must(stage.host.ip_batch(lines));
        },
    );
    stage.fault_and_back(
        "interface eth0 has no address to send adverts from",
        || stage.ip(&format!("addr del {own}/24 dev eth0")),
        || stage.ip(&format!("addr add {own}/24 dev eth0")),
    );
    // Within one batch, and so often within one read.
    let since = now_ns();
    let lines = format!("addr del {own}/24 dev eth0\naddr add {own}/24 dev eth0\n");
    stage.must(stage.host.ip_batch(&lines));
    stage.expect_master(since, VIP);
    // Another interface takes the name; it has no cable, and then it is this one again.
    stage.fault_and_back(
        "Interface eth0 deleted",
        || {
            let lines = "link set eth0 down\nlink set eth0 name lan0\n\
                         link add eth0 type bridge\nlink del eth0\n";
            stage.must(stage.host.ip_batch(lines));
        },
        || {
            let lines = "link set lan0 name eth0\nlink set eth0 up\n";
            stage.must(stage.host.ip_batch(lines));
        },
    );
}

#[test]
fn a_bridge_that_comes_and_goes_changes_nothing() {
    let Some(stage) = Stage::master(|text| text) else {
        return;
    };
    let faults = stage.count("Entering");
    stage.must(
        stage
            .host
            .ip_batch("link add br7 type bridge\nlink set br7 up\n"),
    );
    for _ in 0..5 {
        stage.ip("link set eth0 master br7");
        let since = now_ns();
        stage.ip("link set eth0 nomaster");
        stage.expect_master(since, VIP);
    }
    assert_eq!(stage.count("Entering"), faults, "{}", stage.daemon.log());
    assert_eq!(stage.count("Interface eth0 deleted"), 0);
    // A new hardware address is announced, and used.
    let since = now_ns();
    stage.ip("link set eth0 address 02:00:00:00:00:77");
    stage.must(wait_until("the new address announced", LIMIT, || {
        let told = stage.capture.announcements(since);
        let new = told
            .iter()
            .any(|(_, it)| it.address == VIP && it.mac[5] == 0x77);
        Ok(new.then_some(()))
    }));
}

#[test]
fn an_interface_may_come_late() {
    let text = |lab: &Lab| with_global(&plain(QUICK, lab), "dynamic_interfaces allow_if_changes");
    let gone = |host: &Host| drop(host.ip("link del eth0").unwrap());
    let Some(stage) = Stage::new(text, gone) else {
        return;
    };
    stage.expect_line("Entering FAULT STATE (init)", 0);
    assert_eq!(stage.count("interface eth0 does not exist"), 1);
    let since = now_ns();
    stage.must(stage.lab.make_interface(&stage.host));
    stage.expect_master(since, VIP);
}

#[test]
fn a_tentative_address_is_waited_for() {
    let flavour = Flavour {
        interval_centis: 10,
        ..Flavour::V3_IPV6
    };
    let detect = |host: &Host| {
        let settings = "cd /proc/sys/net/ipv6/conf && for i in all default eth0; do \
                        echo 1 > $i/accept_dad; echo 1 > $i/dad_transmits; done";
        relevo_tests::lab::output(host.command("sh").args(["-c", settings])).unwrap();
        host.ip_batch("link set eth0 down\nlink set eth0 up\n")
            .unwrap();
    };
    let Some(stage) = Stage::new(|lab| plain(flavour, lab), detect) else {
        return;
    };
    stage.expect_line("Entering FAULT STATE (init)", 0);
    stage.expect_master(0, flavour.service());
    let log = stage.daemon.log();
    let early = log.contains("is still being checked") || log.contains("has no address to send");
    assert!(early, "{log}");
    let adverts = stage.capture.adverts(0);
    let own = IpAddr::from(stage.host.link_local());
    assert!(
        adverts.iter().all(|(_, advert)| advert.src == own),
        "{adverts:?}"
    );
    let since = now_ns();
    let faults = stage.count("Entering FAULT STATE");
    stage.must(
        stage
            .host
            .ip_batch("link set eth0 down\nlink set eth0 up\n"),
    );
    stage.expect_line("Entering FAULT STATE", faults);
    stage.expect_master(since, flavour.service());
}

/// The one thing that nothing tells of: an interface that is deleted and made again under its old number and
/// name while news are lost. A socket that stayed on it would hear no group, and this backup become master.
#[test]
fn an_interface_that_was_replaced_unseen_by_its_like_is_heard() {
    let tiny = |text: &str| with_global(text, "vrrp_netlink_monitor_rcv_bufs 1");
    let flavour = Flavour {
        interval_centis: 50,
        ..Flavour::V3
    };
    let Some(stage) = Stage::new(|lab| tiny(&plain(flavour, lab)), |_| ()) else {
        return;
    };
    let other = stage.lab.host("b").clone();
    let text = flavour.configuration(&other, &stage.host, 200);
    let _master = Daemon::start(&other, &Program::relevo().unwrap(), &text).unwrap();
    let held = || Ok(other.holds(VIP)?.then_some(()));
    stage.must(wait_until("the other one is master", LIMIT, held));
    stage.must(
        stage
            .host
            .ip_batch("link add noise0 type bridge\nlink set noise0 up\n"),
    );
    let index = stage.must(stage.host.ip("-o link show eth0"));
    let index = index.split(':').next().unwrap_or_default().to_owned();
    let child = stage.child().to_string();
    let freeze = |how| {
        stage.must(relevo_tests::lab::run(&[
            "sh",
            "-c",
            "kill -$1 $2",
            "sh",
            how,
            &child,
        ]))
    };
    // While it sleeps its buffer overflows, and then all that matters happens.
    freeze("STOP");
    stage.must(stage.host.ip_batch(&noise(200)));
    stage.ip("link del eth0");
    stage.must(stage.lab.make_interface_numbered(&stage.host, &index));
    let (before, since) = (stage.count("MASTER STATE"), now_ns());
    freeze("CONT");
    // Whatever it does when it wakes up, it follows the other one in the end.
    std::thread::sleep(Duration::from_secs(5));
    let own = IpAddr::from(stage.host.ipv4());
    let adverts = stage.capture.adverts(since);
    assert!(
        adverts.iter().all(|(_, it)| it.src != own),
        "{}",
        stage.daemon.log()
    );
    assert_eq!(
        stage.count("MASTER STATE"),
        before,
        "{}",
        stage.daemon.log()
    );
    let told = stage.count("Interface eth0 deleted");
    assert_eq!(told, 0, "it was told after all\n{}", stage.daemon.log());
}

/// Lines that add and delete so many addresses of an interface that nobody else cares for.
fn noise(count: u16) -> String {
    let mut lines = String::new();
    for verb in ["add", "del"] {
        for number in 0..count {
            let [high, low] = number.to_be_bytes();
            lines += &format!("addr {verb} 10.77.{high}.{low}/32 dev noise0\n");
        }
    }
    lines
}

#[test]
fn news_that_are_lost_are_made_good_by_a_look_at_everything() {
    let tiny = "vrrp_netlink_monitor_rcv_bufs 1\nvrrp_netlink_cmd_rcv_bufs 1";
    let Some(stage) = Stage::master(|text| with_global(&text, tiny)) else {
        return;
    };
    stage.must(
        stage
            .host
            .ip_batch("link add noise0 type bridge\nlink set noise0 up\n"),
    );
    let own = stage.host.ipv4();
    let (files, _) = stage.costs();
    for change in ["del", "add"] {
        let half = noise(1_500);
        let faults = stage.count("Entering FAULT STATE");
        let lines = format!("{half}addr {change} {own}/24 dev eth0\n{half}");
        stage.must(stage.host.ip_batch(&lines));
        if change == "del" {
            stage.expect_line("Entering FAULT STATE", faults);
            let quiet = now_ns();
            std::thread::sleep(Duration::from_millis(300));
            assert!(stage.capture.adverts(quiet).is_empty(), "it still speaks");
        }
    }
    stage.expect_master(now_ns(), VIP);
    // The whole interface, with all that tells of it drowned.
    let half = noise(1_500);
    let noisy = stage.host.clone();
    let storm = std::thread::spawn(move || (0..3).try_for_each(|_| noisy.ip_batch(&half)));
    for _ in 0..3 {
        stage.ip("link del eth0");
        stage.must(stage.lab.make_interface(&stage.host));
    }
    let ended = storm.join().unwrap();
    stage.must(ended);
    stage.expect_master(now_ns(), VIP);
    assert_eq!(stage.costs().0, files, "descriptors");
    stage.expect_line("news of the kernel were lost", 0);
    let lines = stage.count("news of the kernel were lost");
    assert!(lines <= 4, "{}", stage.daemon.log());
}
