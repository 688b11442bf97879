#![forbid(unsafe_code)]
//! Signals, and the deaths of single processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use relevo_tests::lab::{
    Flavour, Host, Lab, Pair, Program, Result, Who, need, now_ns, run, wait_until,
};
use relevo_tests::skip;

const SLACK: Duration = Duration::from_secs(2);

/// Both routers run, `a` is master; then `story`.
fn play(flavour: Flavour, story: fn(&mut Pair) -> Result<()>) {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let program = Program::relevo().unwrap();
    let mut pair = Pair::new(flavour, &program, &program).unwrap();
    let told = start(&mut pair).and_then(|()| story(&mut pair));
    if let Err(error) = told {
        panic!("{error}\n{}", pair.report());
    }
}

fn start(pair: &mut Pair) -> Result<()> {
    pair.a.start()?;
    pair.b.start()?;
    pair.wait_holders(true, false, pair.flavour.master_down(Pair::HIGH) + SLACK)
}

fn signal(pair: &Pair, name: &str) -> Result<()> {
    pair.a.daemon.as_ref().ok_or("a does not run")?.signal(name)
}

/// The pid in one of the daemon's pid files on `a`.
fn pid(pair: &Pair, file: &str) -> Result<String> {
    let path = pair.a.host.dir.join("run").join(file);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// Signals that ask for a dump are harmless, whatever they write: the master stays, its adverts go on.
fn asks_for_dumps(pair: &mut Pair) -> Result<()> {
    let since = now_ns();
    // By number where the shell has no name: SIGRTMIN+2 (JSON), SIGRTMAX-1 (statistics, then zero).
    for name in ["USR1", "USR2", "36", "63", "PIPE"] {
        signal(pair, name)?;
        std::thread::sleep(pair.flavour.interval());
    }
    for (before, after) in pair
        .adverts_of(Who::A, since)
        .windows(2)
        .map(|two| (two[0].0, two[1].0))
    {
        let gap = Duration::from_nanos((after - before).unsigned_abs());
        if gap > pair.flavour.interval() + Duration::from_millis(500) {
            return Err(format!("{gap:?} without an advert"));
        }
    }
    if !pair.adverts_of(Who::B, since).is_empty() {
        return Err("b became master".to_owned());
    }
    pair.wait_holders(true, false, Duration::ZERO)
}

/// SIGHUP: the same configuration is read again; in the end `a` is master as before.
fn reloads(pair: &mut Pair) -> Result<()> {
    signal(pair, "HUP")?;
    std::thread::sleep(Duration::from_millis(300));
    pair.wait_holders(
        true,
        false,
        pair.flavour.master_down(Pair::HIGH) * 2 + SLACK,
    )?;
    let since = now_ns();
    pair.wait_advert(Who::A, since, pair.flavour.interval() + SLACK, |advert| {
        advert.priority > 0
    })?;
    let code = pair.a.stop()?;
    if code == 0 {
        Ok(())
    } else {
        Err(format!("code {code} after a reload"))
    }
}

/// SIGINT is as good as SIGTERM.
fn is_interrupted(pair: &mut Pair) -> Result<()> {
    let since = now_ns();
    signal(pair, "INT")?;
    pair.wait_advert(Who::A, since, SLACK, |advert| advert.priority == 0)?;
    let mut daemon = pair.a.daemon.take().ok_or("a does not run")?;
    let code = daemon.wait(Duration::from_secs(5))?;
    if code != 0 {
        return Err(format!("code {code}"));
    }
    pair.wait_holders(false, true, pair.flavour.skew(Pair::LOW) + SLACK)?;
    let left = fs::read_dir(pair.a.host.dir.join("run")).map_err(|error| error.to_string())?;
    let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("left in /run: {left:?}"))
    }
}

/// The parent is killed: its child notices and leaves in order.
fn loses_its_parent(pair: &mut Pair) -> Result<()> {
    let (parent, child) = (pid(pair, "parent.pid")?, pid(pair, "vrrp.pid")?);
    if parent == child {
        return Err("parent and child are one process".to_owned());
    }
    let since = now_ns();
    run(&["sh", "-c", "kill -KILL $0", &parent])?;
    pair.wait_advert(Who::A, since, SLACK, |advert| advert.priority == 0)?;
    pair.wait_holders(false, true, pair.flavour.skew(Pair::LOW) + SLACK)?;
    wait_until("the child's end", SLACK, || {
        // Nobody may be there to reap it: a zombie has ended too.
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        Ok((stat.is_empty() || stat.contains(") Z ")).then_some(()))
    })
}

/// The VRRP child is killed: the parent starts another, and in the end one router has the address.
fn loses_its_child(pair: &mut Pair) -> Result<()> {
    let child = pid(pair, "vrrp.pid")?;
    run(&["sh", "-c", "kill -KILL $0", &child])?;
    wait_until("another child", Duration::from_secs(5), || {
        let now = pid(pair, "vrrp.pid").unwrap_or_default();
        Ok((!now.is_empty() && now != child).then_some(()))
    })?;
    let since = now_ns();
    let limit = pair.flavour.master_down(Pair::LOW) * 2 + SLACK;
    pair.wait_advert(Who::A, since, limit, |advert| advert.priority == Pair::HIGH)?;
    pair.wait_holders(true, false, SLACK)
}

/// The child dies as master and the daemon is told to stop at once: the dead child's address goes all
/// the same, and the exit is an orderly one.
fn is_stopped_behind_its_dead_child(pair: &mut Pair) -> Result<()> {
    let child = pid(pair, "vrrp.pid")?;
    let parent = pid(pair, "parent.pid")?;
    run(&["sh", "-c", "kill -KILL $0; kill -TERM $1", &child, &parent])?;
    let mut daemon = pair.a.daemon.take().ok_or("a does not run")?;
    let code = daemon.wait(Duration::from_secs(5))?;
    if code != 0 {
        return Err(format!("code {code}"));
    }
    pair.wait_holders(false, true, pair.flavour.master_down(Pair::LOW) + SLACK)
}

#[test]
fn a_stop_right_after_a_death_leaves_no_address() {
    play(Flavour::V3, is_stopped_behind_its_dead_child);
}

#[test]
fn requests_for_dumps_disturb_nothing() {
    play(Flavour::V3, asks_for_dumps);
}

#[test]
fn a_reload_ends_with_the_same_master() {
    play(Flavour::V3, reloads);
}

#[test]
fn an_interrupt_is_an_orderly_end() {
    play(Flavour::V2, is_interrupted);
}

#[test]
fn the_child_survives_no_parent() {
    play(Flavour::V3, loses_its_parent);
}

#[test]
fn the_parent_replaces_its_child() {
    play(Flavour::V3, loses_its_child);
}

/// Words that make processes differ from those of a daemon without them.
const WORDS: [&str; 3] = [
    "",
    "use_pid_dir\nglobal_defs {\nprocess_names\numask 022\nvrrp_cpu_affinity 0\n}\n",
    "instance one\nglobal_defs {\nprocess_name p\nvrrp_process_name v\nvrrp_rt_priority 7\n\
     vrrp_rlimit_rttime 900000\nvrrp_no_swap\n}\n",
];

/// What somebody who looks at the host sees of a daemon with this configuration, a line for each thing.
fn looks(host: &Host, program: &Program, text: &str, options: &[&str]) -> Result<Vec<String>> {
    let fail = |error: std::io::Error| error.to_string();
    let conf = host.dir.join("looks.conf");
    fs::write(&conf, text).map_err(fail)?;
    let mut command = host.inside(&[], &program.path);
    command
        .args(["-n", "-l", "-G", "-f"])
        .arg(&conf)
        .args(options);
    let null = || std::process::Stdio::null();
    command.stdin(null()).stdout(null()).stderr(null());
    let mut daemon = command.spawn().map_err(fail)?;
    let pid = daemon.id();
    let seen = wait_until("both processes", Duration::from_secs(10), || {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let child = children.unwrap_or_default().trim().parse::<u32>().ok();
        let files = files_of(&host.dir.join("run"));
        let written = files.iter().filter(|line| line.contains(".pid")).count() == 2;
        Ok(child.filter(|_| written))
    });
    // What comes behind the pid files: a priority is the last that a child gets.
    std::thread::sleep(Duration::from_millis(500));
    let lines = seen.map(|child| {
        let mut lines = files_of(&host.dir.join("run"));
        lines.extend([pid, child].into_iter().flat_map(process_of));
        let words = [pid, child].map(|pid| fs::read(format!("/proc/{pid}/cmdline")).ok());
        let [parents, childs] = words;
        lines.push(format!("same words {}", parents == childs));
        lines
    });
    run(&["sh", "-c", "kill -TERM $0", &pid.to_string()])?;
    let status = daemon.wait().map_err(fail)?;
    let mut lines = lines?;
    lines.push(format!("ends with {:?}", status.code()));
    let left = files_of(&host.dir.join("run"));
    lines.push(format!("leaves {left:?}"));
    Ok(lines)
}

/// The files below a folder with their permissions, but for what only one of the two has: a socket to
/// be asked by, a memory, a folder for both.
fn files_of(folder: &Path) -> Vec<String> {
    let list = format!(
        "cd {} && find . -mindepth 1 ! -type d -printf '%p %m\\n'",
        folder.display()
    );
    let text = run(&["sh", "-c", &list]).unwrap_or_default();
    let own = |line: &&str| {
        let foreign = ["/relevo", ".memory ", "./mount"];
        !foreign.iter().any(|part| line.contains(part))
    };
    let lines: BTreeSet<&str> = text.lines().filter(own).collect();
    lines.into_iter().map(str::to_owned).collect()
}

/// What the kernel tells of a process.
fn process_of(pid: u32) -> Vec<String> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let (status, limits, stat) = (read("status"), read("limits"), read("stat"));
    let mut lines = vec![format!("name {}", read("comm").trim_end())];
    let kept = ["Umask:", "Cpus_allowed_list:"];
    lines.extend(
        status
            .lines()
            .filter(|l| kept.iter().any(|k| l.starts_with(k)))
            .map(str::to_owned),
    );
    let kept = ["Max core", "Max realtime timeout"];
    lines.extend(
        limits
            .lines()
            .filter(|l| kept.iter().any(|k| l.starts_with(k)))
            .map(str::to_owned),
    );
    let locked = status
        .lines()
        .any(|l| l.starts_with("VmLck:") && !l.ends_with("\t       0 kB"));
    lines.push(format!("locked memory {locked}"));
    let fields: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    // Real-time priority and policy, of which the parent's shows what the test itself has.
    lines.push(format!(
        "priority {:?} {:?}",
        fields.get(37),
        fields.get(38)
    ));
    lines
}

/// To who looks at processes and files, the two daemons are one.
#[test]
fn the_host_sees_no_difference() {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let (ours, theirs) = (Program::relevo().unwrap(), Program::keepalived().unwrap());
    let lab = Lab::new(&["a", "b"]).unwrap();
    let host = lab.host("a");
    for words in WORDS {
        let text = words.to_owned() + &Flavour::V2.configuration(host, lab.host("b"), 100);
        for options in [&[][..], &["-m", "-u", "027"]] {
            let expected = looks(host, &theirs, &text, options).unwrap();
            let seen = looks(host, &ours, &text, options).unwrap();
            assert_eq!(seen, expected, "{words}{options:?}");
        }
    }
}
