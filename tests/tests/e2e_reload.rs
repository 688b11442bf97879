#![forbid(unsafe_code)]
//! Reload, seen from outside: the wire, the kernel's news, and a peer that watches. Only the
//! difference shows.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use relevo_tests::lab::{
    Capture, Daemon, Lab, Program, Result, Rhythm, need, now_ns, output, wait_until,
};

const INTERVAL: Duration = Duration::from_secs(1);
/// What a busy machine may be late.
const SLACK: Duration = Duration::from_millis(150);
const LIMIT: Duration = Duration::from_secs(15);

/// One virtual router of a configuration: name, identifier, priority, last octets of its addresses.
type Router<'a> = (&'a str, u8, u8, &'a [u8]);

const THREE: [Router<'_>; 3] = [
    ("VI_1", 51, 150, &[101, 111]),
    ("VI_2", 52, 150, &[102]),
    ("VI_3", 53, 150, &[103]),
];

/// The first address is in the adverts; a peer that compares lists does not see the others.
fn configuration(routers: &[Router<'_>]) -> String {
    let mut text = "global_defs {\n    router_id r\n}\n".to_owned();
    for (name, vrid, priority, addresses) in routers {
        _ = write!(
            text,
            "vrrp_instance {name} {{\n    state BACKUP\n    interface eth0\n    \
             virtual_router_id {vrid}\n    priority {priority}\n    advert_int 1\n    \
             garp_master_delay 0\n"
        );
        let (first, others) = addresses.split_at(1);
        for (block, addresses) in [
            ("virtual_ipaddress", first),
            ("virtual_ipaddress_excluded", others),
        ] {
            _ = writeln!(text, "    {block} {{");
            for last in addresses {
                _ = writeln!(text, "        10.0.0.{last}/24");
            }
            text += "    }\n";
        }
        text += "}\n";
    }
    text
}

/// `ip monitor address` in a host's network.
struct News {
    child: Child,
    file: PathBuf,
}

impl News {
    fn start(lab: &Lab) -> Result<Self> {
        let file = lab.dir().join("news");
        let out = File::create(&file).map_err(|error| error.to_string())?;
        let namespace = &lab.host("a").namespace;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "nsenter"])
            .arg(format!("--net=/run/netns/{namespace}"))
            .args(["ip", "-o", "monitor", "address"])
            .stdin(Stdio::null())
            .stdout(out)
            .spawn()
            .map_err(|error| format!("ip monitor: {error}"))?;
        // It says nothing when it is ready.
        sleep(Duration::from_millis(300));
        Ok(Self { child, file })
    }

    /// Last octets of addresses added (true) and deleted, in their order.
    fn all(&self) -> Vec<(bool, u8)> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let of = |line: &str| {
            let rest = line.split(" inet 10.0.0.").nth(1)?;
            let last = rest.split('/').next()?.parse().ok()?;
            Some((!line.starts_with("Deleted"), last))
        };
        text.lines().filter_map(of).collect()
    }
}

impl Drop for News {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Host `a` with the daemon as master of three virtual routers; on `b` a peer watches.
struct Stage {
    lab: Lab,
    capture: Capture,
    daemon: Daemon,
    peer: Daemon,
    news: News,
}

/// `None` (and a note) where there can be none.
fn stage() -> Option<Stage> {
    if let Some(reason) = need::keepalived() {
        relevo_tests::skip::record(module_path!(), &reason);
        return None;
    }
    Some(build().unwrap())
}

fn build() -> Result<Stage> {
    let lab = Lab::new(&["a", "b"])?;
    let capture = Capture::start(&lab)?;
    let text = configuration(&THREE);
    let daemon = Daemon::start(lab.host("a"), &Program::relevo()?, &text)?;
    wait_until("the three masters", LIMIT, || {
        let held = lab.host("a").addresses()?.len();
        Ok((daemon.log().matches("Entering MASTER").count() == 3 && held > 4).then_some(()))
    })
    .map_err(|error| format!("{error}\n{}", daemon.log()))?;
    let text = text.replace("priority 150", "priority 100");
    let peer = Daemon::start(lab.host("b"), &Program::keepalived()?, &text)?;
    wait_until("the peer", LIMIT, || {
        Ok((peer.log().matches("Entering BACKUP").count() == 3).then_some(()))
    })?;
    sleep(INTERVAL);
    let news = News::start(&lab)?;
    Ok(Stage {
        lab,
        capture,
        daemon,
        peer,
        news,
    })
}

impl Stage {
    /// Writes `text` and asks for a reload; returns the log from there on, once it says one of
    /// `words`.
    fn reload(&self, text: Option<&str>, words: &str) -> Result<String> {
        let file = self.lab.host("a").dir.join("daemon.conf");
        match text {
            Some(text) => fs::write(&file, text),
            None => fs::remove_file(&file),
        }
        .map_err(|error| error.to_string())?;
        let before = self.daemon.log().len();
        self.daemon.signal("HUP")?;
        let log = || self.daemon.log()[before..].to_owned();
        wait_until(words, LIMIT, || Ok(log().contains(words).then_some(())))
            .map_err(|error| format!("{error}\n{}", log()))?;
        Ok(log())
    }

    /// Times of the adverts of a virtual router of `a`, with their priorities.
    fn adverts(&self, vrid: u8, since_ns: i64) -> Vec<(i64, u8)> {
        let mac = self.lab.host("a").mac();
        let all = self.capture.adverts(since_ns).into_iter();
        all.filter(|(_, advert)| advert.vrid == vrid && advert.mac == mac)
            .map(|(at, advert)| (at, advert.priority))
            .collect()
    }

    /// No advert came late or too often since then.
    fn keeps_time(&self, vrid: u8, since_ns: i64) -> Result<()> {
        let times: Vec<i64> = self
            .adverts(vrid, since_ns)
            .iter()
            .map(|(at, _)| *at)
            .collect();
        let time = Duration::from_nanos((now_ns() - since_ns).unsigned_abs());
        Rhythm::of(&times)
            .judge(INTERVAL, SLACK, time)
            .map_err(|error| format!("VRID {vrid}: {error}"))
    }

    /// The peer has had no reason to move.
    fn peer_is_quiet(&self) {
        let log = self.peer.log();
        assert_eq!(log.matches("Entering MASTER").count(), 0, "{log}");
    }
}

#[test]
fn only_the_difference_shows() {
    let Some(stage) = stage() else { return };
    let begin = now_ns();
    sleep(INTERVAL * 3);
    let mut routers = THREE;
    routers[1] = ("VI_2", 52, 140, &[102, 122]);
    let at = now_ns();
    let log = stage
        .reload(Some(&configuration(&routers)), "Reload complete")
        .unwrap();
    assert!(log.contains("~ VI_2: priority 150 -> 140"), "{log}");
    assert!(!log.contains("VI_1") && !log.contains("VI_3"), "{log}");
    sleep(INTERVAL * 4);
    stage.keeps_time(51, begin).unwrap();
    stage.keeps_time(53, begin).unwrap();
    assert_eq!(stage.news.all(), [(true, 122)]);
    let adverts = stage.adverts(52, at);
    let (first, priority) = adverts[0];
    assert_eq!(priority, 140, "{adverts:?}");
    assert!(first - at < 300_000_000, "at once: {}", first - at);
    let announced = stage.capture.announcements(at);
    assert!(
        announced
            .iter()
            .any(|(_, seen)| seen.address.to_string() == "10.0.0.122")
    );
    stage.peer_is_quiet();
}

#[test]
fn an_address_that_moves_is_never_absent_and_what_is_removed_leaves_in_order() {
    let Some(stage) = stage() else { return };
    let at = now_ns();
    // 111 goes from VI_1 to VI_3, which has another name and place; VI_2 is gone, VI_4 new.
    let routers: [Router<'_>; 3] = [
        ("VI_C", 53, 150, &[103, 111]),
        ("VI_1", 51, 150, &[101]),
        ("VI_4", 54, 150, &[104]),
    ];
    let log = stage
        .reload(Some(&configuration(&routers)), "Reload complete")
        .unwrap();
    assert!(log.contains("(VI_4) Entering BACKUP STATE (init)"), "{log}");
    wait_until("the new one", LIMIT, || {
        Ok(stage.news.all().contains(&(true, 104)).then_some(()))
    })
    .unwrap();
    assert_eq!(stage.news.all(), [(false, 102), (true, 104)]);
    let farewell: Vec<u8> = stage.adverts(52, at).iter().map(|(_, it)| *it).collect();
    assert_eq!(farewell.last(), Some(&0), "{farewell:?}");
    // The peer follows the farewell, and only that.
    let log = stage.peer.log();
    assert_eq!(log.matches("(VI_2) Entering MASTER").count(), 1, "{log}");
    assert_eq!(log.matches("Entering MASTER").count(), 1, "{log}");
}

#[test]
fn the_same_file_is_nothing_on_the_wire_and_in_the_kernel() {
    let Some(stage) = stage() else { return };
    let begin = now_ns();
    for _ in 0..5 {
        sleep(INTERVAL * 7 / 10);
        let log = stage
            .reload(Some(&configuration(&THREE)), "Reload complete")
            .unwrap();
        assert!(!log.contains("VI_"), "{log}");
    }
    sleep(INTERVAL * 2);
    for vrid in [51, 52, 53] {
        stage.keeps_time(vrid, begin).unwrap();
    }
    assert_eq!(stage.news.all(), []);
    assert_eq!(stage.capture.announcements(begin).len(), 0);
    stage.peer_is_quiet();
}

#[test]
fn a_bad_or_missing_file_changes_nothing() {
    let Some(stage) = stage() else { return };
    let begin = now_ns();
    let good = configuration(&THREE);
    let pid = stage.daemon.vrrp_pid().unwrap();
    let bad = [
        Some(good.replace("interface eth0", "interface nosuch0")),
        Some(good.replace("virtual_router_id 52", "virtual_router_id")),
        Some(good.replace("priority 150", "priority 150\n    no_such_word")),
        Some(good.trim_end().trim_end_matches('}').to_owned()),
        None,
    ];
    for text in &bad {
        let log = stage.reload(text.as_deref(), "Reload refused").unwrap();
        assert!(!log.contains("Reload complete"), "{log}");
        sleep(INTERVAL / 2);
    }
    sleep(INTERVAL);
    for vrid in [51, 52, 53] {
        stage.keeps_time(vrid, begin).unwrap();
    }
    assert_eq!(stage.news.all(), []);
    assert_eq!(stage.daemon.vrrp_pid().unwrap(), pid);
    // And a good one is taken again.
    let log = stage
        .reload(Some(&good.replace("150", "149")), "Reload complete")
        .unwrap();
    assert!(log.contains("150 -> 149"), "{log}");
    stage.peer_is_quiet();
    let alive = output(Command::new("ps").args(["-o", "pid=", "-p", &pid.to_string()]));
    assert!(alive.is_ok(), "the same process");
}
