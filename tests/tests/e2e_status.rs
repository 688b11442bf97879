#![forbid(unsafe_code)]
//! Dump files beside keepalived's: both daemons run the same configuration on hosts of the same make,
//! each with the same neighbour, and get the same signals.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::time::Duration;

use relevo_tests::dumps::{difference, lines, pairs};
use relevo_tests::lab::{
    Capture, Daemon, Host, Lab, Program, Result, Rhythm, ms, need, now_ns, wait_until,
};
use relevo_tests::skip;

const DATA: &str = "USR1";
const STATS: &str = "USR2";
/// SIGRTMAX-1 and SIGRTMIN+2, which the shell does not know by name.
const STATS_CLEAR: &str = "63";
const JSON: &str = "36";

const LIMIT: Duration = Duration::from_secs(10);

/// Is this value a count that depends on when the signal came? Then it counts or it does not.
fn is_counted(line: &str) -> bool {
    let keys = [
        "Sent:",
        "Received:",
        "\"advert_sent\":",
        "{\"advert_rcvd\":",
        "\"advert_rcvd\":",
    ];
    keys.iter().any(|key| line.trim_start().starts_with(key))
}

/// Without what two hosts of the same make do not share.
fn comparable(lines: Vec<String>) -> Vec<String> {
    let counted = |line: String| match line.rsplit_once([' ', ':']) {
        Some((key, number)) if is_counted(&line) && number.trim_end_matches(',') != "0" => {
            format!("{key} some")
        }
        _ => line,
    };
    // The capture's end of a cable has an address of the kernel's own choice.
    lines.into_iter().map(counted).collect()
}

/// A host that a daemon is to run on, and a neighbour that is master of V6.
struct Stage {
    lab: Lab,
    daemon: Daemon,
    neighbour: Daemon,
}

const NEIGHBOUR: &str = "vrrp_instance P6 {\n interface eth0\n virtual_router_id 56\n version 3\n \
    advert_int 1\n priority 200\n virtual_ipaddress {\n 10.0.0.106/24\n }\n}\n";

/// The configuration of the recording, for the lab's host 1.
fn configuration() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/dumps/config.conf");
    let text = fs::read_to_string(path).unwrap();
    text.replace("10.0.0.5", "10.0.0.1")
        .replace("advert_int 0.4", "advert_int 0.3")
}

impl Stage {
    fn new(program: &Program) -> Result<Self> {
        let lab = Lab::new(&["a", "m"])?;
        let host = lab.host("a");
        host.ip_batch(
            "link add eth1 type veth peer name eth2\nlink set eth1 address 02:00:00:00:01:01\n\
             link set eth2 address 02:00:00:00:01:02\n",
        )?;
        let neighbour = Daemon::start(lab.host("m"), &Program::keepalived()?, NEIGHBOUR)?;
        let master = lab.host("m").clone();
        wait_until("the neighbour's address", LIMIT, || {
            Ok(master.holds([10, 0, 0, 106].into())?.then_some(()))
        })?;
        let daemon = Daemon::start(host, program, &configuration())?;
        let stage = Self {
            lab,
            daemon,
            neighbour,
        };
        let host = stage.host();
        wait_until("V1", LIMIT, || {
            Ok(host.holds([10, 0, 0, 100].into())?.then_some(()))
        })?;
        std::thread::sleep(Duration::from_millis(1_500));
        Ok(stage)
    }

    fn host(&self) -> &Host {
        self.lab.host("a")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.host().dir.join("tmp").join(name)
    }

    /// Sends `signal`; gives the text of the new file called `name`, and takes the file away.
    fn ask(&self, signal: &str, name: &str) -> Result<String> {
        let path = self.file(name);
        let inode = fs::symlink_metadata(&path).map(|data| data.ino()).ok();
        self.daemon.signal(signal)?;
        wait_until(name, LIMIT, || {
            let now = fs::symlink_metadata(&path).map(|data| data.ino()).ok();
            Ok((now.is_some() && now != inode).then_some(()))
        })?;
        // One that is written in place grows for a while.
        std::thread::sleep(Duration::from_millis(100));
        let fail = |error: std::io::Error| format!("{}: {error}", path.display());
        let mode = fs::metadata(&path).map_err(fail)?.permissions().mode() & 0o7777;
        if mode != 0o600 {
            return Err(format!("{name} has the mode {mode:o}"));
        }
        let text = fs::read_to_string(&path).map_err(fail)?;
        fs::remove_file(&path).map_err(fail)?;
        Ok(text)
    }
}

fn both() -> Option<(Stage, Stage)> {
    if let Some(reason) = need::keepalived() {
        skip::record(module_path!(), &reason);
        return None;
    }
    let theirs = Stage::new(&Program::keepalived().unwrap()).unwrap();
    let ours = Stage::new(&Program::relevo().unwrap()).unwrap();
    Some((theirs, ours))
}

fn assert_same(what: &str, theirs: Vec<String>, ours: Vec<String>) {
    if let Some(difference) = difference(&comparable(theirs), &comparable(ours)) {
        panic!("{what}: {difference}");
    }
}

#[test]
fn each_signal_writes_what_the_original_writes() {
    let Some((theirs, ours)) = both() else { return };
    let [theirs_json, ours_json] =
        [&theirs, &ours].map(|stage| pairs(&stage.ask(JSON, "keepalived.json").unwrap()));
    assert!(ours_json.len() > 200);
    assert_same("keepalived.json", theirs_json, ours_json);
    for (signal, name) in [
        (DATA, "keepalived.data"),
        (DATA, "keepalived_parent.data"),
        (STATS, "keepalived.stats"),
        (STATS_CLEAR, "keepalived.stats"),
    ] {
        let [theirs, ours] = [&theirs, &ours].map(|stage| {
            let mut lines = lines(&stage.ask(signal, name).unwrap());
            for line in &mut lines {
                // Nobody has been heard: the original shows whatever address it wrote last.
                let nobody = "   Master router = ";
                if line.starts_with(nobody) && !line.ends_with("10.0.0.2") {
                    format!("{nobody}nobody").clone_into(line);
                }
                // Not set, which the original's parent shows as the largest number.
                *line = line.replace("4294967295", "5");
            }
            lines
        });
        assert!(ours.len() > 50, "{name} has only {} lines", ours.len());
        assert_same(name, theirs, ours);
    }
    drop(theirs.neighbour);
}

#[test]
fn a_clear_writes_the_counters_and_begins_afresh() {
    let Some((theirs, ours)) = both() else { return };
    for stage in [&theirs, &ours] {
        let before = stage.ask(STATS_CLEAR, "keepalived.stats").unwrap();
        let after = stage.ask(STATS, "keepalived.stats").unwrap();
        let masters = |text: &str| text.matches("Became master: 1").count();
        assert_eq!(
            (masters(&before), masters(&after)),
            (2, 0),
            "{before}\n{after}"
        );
        let sent = |text: &str| {
            let counts = text
                .lines()
                .filter_map(|line| line.strip_prefix("    Sent: "));
            counts
                .filter_map(|count| count.parse::<u32>().ok())
                .sum::<u32>()
        };
        assert!(sent(&after) < sent(&before), "{before}\n{after}");
    }
}

/// What somebody else has put where a dump goes is neither followed nor written into.
#[test]
fn nothing_planted_is_written_into() {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    let stage = Stage::new(&Program::relevo().unwrap()).unwrap();
    let nobody = Some(65_534);
    let precious = stage.file("precious");
    fs::write(&precious, "precious").unwrap();
    for name in ["keepalived.stats", "keepalived_parent.data"] {
        symlink("/tmp/precious", stage.file(name)).unwrap();
    }
    let theirs = stage.file("keepalived.data");
    fs::write(&theirs, "theirs").unwrap();
    chown(&theirs, nobody, nobody).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o666)).unwrap();
    let opened_before = fs::File::open(&theirs).unwrap();
    fs::create_dir(stage.file("keepalived.json")).unwrap();

    let text = stage.ask(STATS, "keepalived.stats").unwrap();
    assert!(text.starts_with("VRRP Instance: V1\n"), "{text}");
    let text = stage.ask(DATA, "keepalived.data").unwrap();
    assert!(
        text.starts_with("------< Global definitions >------\n"),
        "{text}"
    );
    stage.daemon.signal(JSON).unwrap();
    wait_until("the log", LIMIT, || {
        let log = stage.daemon.log();
        Ok(log
            .contains("keepalived.json: cannot be written")
            .then_some(()))
    })
    .unwrap();

    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert_eq!(std::io::read_to_string(opened_before).unwrap(), "theirs");
    let parent = fs::symlink_metadata(stage.file("keepalived_parent.data")).unwrap();
    assert!(parent.is_file() && parent.uid() == 0, "{parent:?}");
    let folder = fs::read_dir(stage.host().dir.join("tmp")).unwrap();
    let mut left: Vec<_> = folder.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(
        left,
        ["keepalived.json", "keepalived_parent.data", "precious"]
    );
    drop(stage.neighbour);
}

/// The words about places, names and layouts; only some of them are known to the original's release.
#[test]
fn files_are_where_the_configuration_wants_them() {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let lab = Lab::new(&["a"]).unwrap();
    let host = lab.host("a");
    let text = "instance INST\nglobal_defs {\n data_use_instance\n state_dump_file /tmp/sub/\n \
                stats_dump_file counts\n json_dump_file /tmp/sub/all.json\n json_version 2\n}\n\
                vrrp_instance V {\n interface eth0\n virtual_router_id 9\n virtual_ipaddress {\n \
                10.0.0.9\n }\n}\n";
    let folder = host.dir.join("tmp");
    fs::create_dir(folder.join("sub")).unwrap();
    let daemon = Daemon::start(host, &Program::relevo().unwrap(), text).unwrap();
    wait_until("the start", LIMIT, || {
        Ok(daemon
            .log()
            .contains("(V) Entering BACKUP STATE")
            .then_some(()))
    })
    .unwrap();
    for signal in [DATA, STATS, JSON] {
        daemon.signal(signal).unwrap();
    }
    let read = |name: &str| {
        let path = folder.join(name);
        wait_until(name, LIMIT, || Ok(fs::read_to_string(&path).ok())).unwrap()
    };
    let parent = read("sub/keepalived_parent.INST.data");
    assert!(parent.contains("\n Instance name = INST\n"), "{parent}");
    assert!(!parent.contains("VRRP Topology"), "{parent}");
    assert!(read("sub/keepalived.INST.data").contains("\n VRRP Instance = V\n"));
    assert!(read("counts").starts_with("VRRP Instance: V\n"));
    let json = read("sub/all.json");
    assert!(
        json.starts_with("{\"vrrp\":[{\"data\":{\"iname\":\"V\","),
        "{json}"
    );
    assert!(json.ends_with("}],\"track_process\":[]}\n"), "{json}");
}

/// Virtual routers on each of the interfaces of the crowded host.
const ROUTERS: u8 = 250;
/// Their interfaces.
const INTERFACES: [&str; 4] = ["eth0", "eth1", "eth2", "eth3"];

fn crowd() -> String {
    let mut text = String::new();
    for (number, interface) in INTERFACES.iter().enumerate() {
        for vrid in 1..=ROUTERS {
            let name = format!("I{number}_{vrid}");
            writeln!(
                text,
                "vrrp_instance {name} {{\n interface {interface}\n virtual_router_id {vrid}\n \
                 version 3\n advert_int 1\n virtual_ipaddress {{\n 10.1{number}.0.{vrid}\n }}\n}}"
            )
            .unwrap();
        }
    }
    text
}

/// The worst gap between two adverts of one virtual router on eth0.
fn worst_gap(capture: &Capture, since: i64) -> i64 {
    let adverts = capture.adverts(since);
    let gaps = (1..=ROUTERS).map(|vrid| {
        let of_one = adverts.iter().filter(|(_, advert)| advert.vrid == vrid);
        let times: Vec<_> = of_one.map(|(at, _)| *at).collect();
        assert!(times.len() >= 2, "VRID {vrid}: {} adverts", times.len());
        Rhythm::of(&times).percentile(100)
    });
    gaps.max().unwrap()
}

/// A thousand masters go on as if nobody had asked.
#[test]
fn adverts_do_not_wait_for_dumps() {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let lab = Lab::new(&["a"]).unwrap();
    let host = lab.host("a");
    for (number, interface) in INTERFACES.iter().enumerate().skip(1) {
        host.ip_batch(&format!(
            "link add {interface} type veth peer name p{number}\nlink set p{number} up\n\
             link set {interface} up\naddr add 10.2{number}.0.1/24 dev {interface}\n"
        ))
        .unwrap();
    }
    let capture = Capture::start(&lab).unwrap();
    let daemon = Daemon::start(host, &Program::relevo().unwrap(), &crowd()).unwrap();
    let last = format!(" 10.13.0.{ROUTERS}/32 ");
    wait_until("the last address", Duration::from_secs(30), || {
        let shown = host.ip("-o addr show dev eth3")?;
        Ok(shown.contains(&last).then_some(()))
    })
    .unwrap();
    let measured = Duration::from_secs(4);
    std::thread::sleep(measured);
    let quiet_from = now_ns();
    std::thread::sleep(measured);
    let quiet = worst_gap(&capture, quiet_from);
    let asked_from = now_ns();
    for _ in 0..5 {
        for signal in [DATA, STATS, JSON, STATS_CLEAR] {
            daemon.signal(signal).unwrap();
            std::thread::sleep(measured / 20);
        }
    }
    let asked = worst_gap(&capture, asked_from);
    println!("worst gap {} quiet, {} with dumps", ms(quiet), ms(asked));
    let text = fs::read_to_string(host.dir.join("tmp/keepalived.data")).unwrap();
    let all = INTERFACES.len() * usize::from(ROUTERS);
    assert_eq!(text.matches("   State = MASTER\n").count(), all);
    // An order of size: a dump made on the loop would be seen, a busy machine not.
    let allowed = quiet.max(1_000_000_000) + 150_000_000;
    assert!(
        asked < allowed,
        "{} and {} without dumps",
        ms(asked),
        ms(quiet)
    );
}
