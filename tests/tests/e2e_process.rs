#![forbid(unsafe_code)]
//! Signals, and the deaths of single processes.

use std::fs;
use std::time::Duration;

use relevo_tests::lab::{Flavour, Pair, Program, Result, Who, need, now_ns, run, wait_until};
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
