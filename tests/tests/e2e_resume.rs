#![forbid(unsafe_code)]
//! A killed VRRP process moves nothing: its successor goes on as master beside a live keepalived, and what
//! was left behind for too long goes at once. Read from the wire and from the kernel's news.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use relevo_tests::lab::{
    Daemon, Flavour, Pair, Program, Result, Rhythm, Who, ms, need, now_ns, run, soak, wait_until,
};
use relevo_tests::skip;

/// The shortest interval at which a backup of keepalived gives no more than 0.36 s.
const FAST: Flavour = Flavour {
    interval_centis: 10,
    ..Flavour::V3
};

/// What a busy machine may add to anything.
const SLACK: Duration = Duration::from_millis(700);

/// Goes on writing down what the kernel of a host tells of addresses, until dropped.
struct News {
    child: Child,
    path: PathBuf,
}

impl News {
    fn of(pair: &Pair, who: Who) -> Result<Self> {
        let host = &pair.side(who).host;
        let path = host.dir.join("addresses.news");
        let fail = |error: std::io::Error| error.to_string();
        let file = File::create(&path).map_err(fail)?;
        let child = host
            .command("setpriv")
            .args(["--pdeathsig", "KILL", "ip", "-o", "monitor", "address"])
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(Stdio::null())
            .spawn()
            .map_err(fail)?;
        sleep(Duration::from_millis(300));
        Ok(Self { child, path })
    }

    /// How often one of the addresses was removed, and how often added.
    fn changes(&self, flavour: Flavour) -> (usize, usize) {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let ours = |line: &&str| {
            let all = flavour.virtual_addresses();
            all.iter()
                .any(|(addr, _)| line.contains(&format!(" {addr}/")))
        };
        let lines: Vec<&str> = text.lines().filter(ours).collect();
        let removed = lines.iter().filter(|line| line.contains("Deleted")).count();
        (removed, lines.len() - removed)
    }
}

impl Drop for News {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn check(condition: bool, what: impl FnOnce() -> String) -> Result<()> {
    if condition { Ok(()) } else { Err(what()) }
}

fn ns(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// Relevo is master, keepalived listens.
fn started(flavour: Flavour) -> Result<Pair> {
    let mut pair = Pair::new(flavour, &Program::relevo()?, &Program::keepalived()?)?;
    pair.a.start()?;
    let limit = flavour.master_down(Pair::HIGH) + Duration::from_secs(5);
    pair.wait_holders(true, false, limit)?;
    pair.b.start()?;
    // As a backup it says nothing: it has to be asked for by its process.
    wait_until("keepalived's VRRP process", Duration::from_secs(5), || {
        let pid = pair.b.daemon.as_ref().map(Daemon::vrrp_pid);
        Ok(pid.and_then(Result::ok))
    })?;
    sleep(flavour.interval() * 3);
    Ok(pair)
}

fn kill(pid: u32) -> Result<()> {
    run(&["kill", "-KILL", &pid.to_string()]).map(|_| ())
}

fn daemon(pair: &Pair) -> Result<&Daemon> {
    pair.a.daemon.as_ref().ok_or_else(|| "no daemon".to_owned())
}

/// Times of the adverts of the master since a moment.
fn adverts(pair: &Pair, since: i64) -> Vec<i64> {
    let adverts = pair.adverts_of(Who::A, since).into_iter();
    adverts.map(|(at, _)| at).collect()
}

/// The peer has not said a word since, and the address has not been absent.
fn nothing_moved(pair: &Pair, news: &News, since: i64) -> Result<()> {
    let theirs = pair.adverts_of(Who::B, since);
    check(theirs.is_empty(), || format!("the peer spoke: {theirs:?}"))?;
    let changes = news.changes(pair.flavour);
    check(changes == (0, 0), || {
        format!("(removed, added) = {changes:?} addresses")
    })?;
    pair.wait_holders(true, false, Duration::ZERO)
}

/// Kills the VRRP process at a moment of its interval that the round gives, long after the last time.
fn kill_round(pair: &Pair, news: &News, round: u64) -> Result<i64> {
    let interval = pair.flavour.interval();
    let part = u32::try_from(round * 37 % 100).unwrap_or(0);
    sleep((interval * 11).max(Duration::from_millis(1_500)) + interval * part / 100);
    let since = now_ns();
    let pid = daemon(pair)?.vrrp_pid()?;
    kill(pid)?;
    let at = pair.wait_advert(Who::A, since, interval * 3 + SLACK, |advert| {
        advert.priority == Pair::HIGH
    });
    let at = at.map_err(|error| format!("round {round}: {error}"))?;
    sleep(interval * 4);
    nothing_moved(pair, news, since).map_err(|error| format!("round {round}: {error}"))?;
    let new = daemon(pair)?.vrrp_pid()?;
    check(new != pid, || format!("round {round}: no new process"))?;
    let told = pair.capture.announcements(since);
    let own = told.iter().filter(|(_, it)| it.mac == pair.a.host.mac());
    let own = own.count();
    check(own == 0, || format!("round {round}: {own} announcements"))?;
    Ok(at - since)
}

fn rounds(flavour: Flavour, count: u64) {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    let told = |pair: &Pair, end: Result<()>| end.map_err(|e| format!("{e}\n{}", pair.report()));
    let pair = started(flavour).expect("a pair");
    let news = News::of(&pair, Who::A).expect("news");
    let since = now_ns();
    let mut worst = 0;
    let play = |worst: &mut i64| {
        for round in 0..count {
            *worst = kill_round(&pair, &news, round)?.max(*worst);
        }
        Ok(())
    };
    let end = play(&mut worst);
    told(&pair, end).unwrap_or_else(|error| panic!("{error}"));
    let log = daemon(&pair).expect("a daemon").log();
    let resumed = log.matches("resumes as MASTER").count() as u64;
    assert_eq!(resumed, count, "{log}");
    assert_eq!(log.matches("Entering MASTER STATE").count(), 1, "{log}");
    let rhythm = Rhythm::of(&adverts(&pair, since));
    let most = rhythm.percentile(100);
    let row = |what: &str, value: &str| soak::row("resume", &flavour.name(), what, value);
    row("kills", &count.to_string());
    row("adverts", &rhythm.to_string());
    row("longest from kill to advert", &ms(worst));
    assert!(
        most < ns(flavour.interval() * 3),
        "{rhythm}\n{}",
        pair.report()
    );
}

#[test]
fn a_master_killed_at_1_s_moves_nothing() {
    rounds(Flavour::V2, soak::rounds(3, 200));
}

#[test]
fn a_master_killed_at_100_ms_moves_nothing() {
    rounds(FAST, soak::rounds(5, 200));
}

/// Both kernels have the address at one moment: seen on one, then on the other, then on the first again.
fn both_hold(pair: &Pair) -> Result<bool> {
    let has = |who| Ok::<bool, String>(pair.holds(who)? == Some(true));
    Ok(has(Who::A)? && has(Who::B)? && has(Who::A)?)
}

/// The VRRP process is killed as soon as it is there again, many times: one of the two holds the address, or
/// none, but never both.
fn burst(flavour: Flavour, kills: usize) -> Result<()> {
    let pair = started(flavour)?;
    let mut last = 0;
    for _ in 0..kills {
        let limit = Duration::from_secs(40);
        let pid = wait_until("the next VRRP process", limit, || {
            check(!both_hold(&pair)?, || {
                format!("both hold the address\n{}", pair.report())
            })?;
            let pid = daemon(&pair)?.vrrp_pid().ok();
            Ok(pid.filter(|pid| *pid != last))
        })?;
        kill(pid)?;
        last = pid;
    }
    let limit = flavour.master_down(Pair::HIGH) + Duration::from_secs(70);
    wait_until("the preferred router", limit, || {
        check(!both_hold(&pair)?, || {
            format!("both hold the address\n{}", pair.report())
        })?;
        let is_so = pair.holds(Who::A)? == Some(true) && pair.holds(Who::B)? == Some(false);
        Ok(is_so.then_some(()))
    })
}

#[test]
fn a_burst_of_kills_never_makes_two_holders() {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    let kills = if soak::on() { 20 } else { 3 };
    burst(Flavour::V2, kills).unwrap_or_else(|error| panic!("{error}"));
}

/// Kills parent and child together, with the addresses left, and starts again after a while.
fn kill_everything(pair: &mut Pair, pause: Duration) -> Result<i64> {
    let since = now_ns();
    // A daemon that is dropped is killed without a word.
    pair.a.daemon = None;
    sleep(pause);
    check(pair.holds(Who::A)? == Some(true), || {
        "the addresses are not left".to_owned()
    })?;
    pair.a.start()?;
    Ok(since)
}

fn soon() -> Result<()> {
    let mut pair = started(Flavour::V2)?;
    let news = News::of(&pair, Who::A)?;
    let since = kill_everything(&mut pair, Duration::from_millis(500))?;
    let limit = Flavour::V2.interval() * 3;
    let end = pair
        .wait_advert(Who::A, since, limit, |advert| advert.priority == Pair::HIGH)
        .and_then(|_| {
            sleep(Flavour::V2.interval() * 5);
            nothing_moved(&pair, &news, since)
        });
    end.map_err(|error| format!("{error}\n{}", pair.report()))?;
    let log = daemon(&pair)?.log();
    check(log.contains("resumes as MASTER"), || log.clone())?;
    // In order this time: nothing is left to know.
    let file = pair.a.host.dir.join("run/vrrp.memory");
    check(file.exists(), || format!("no {}", file.display()))?;
    pair.a.stop()?;
    check(!file.exists(), || format!("{} is left", file.display()))
}

fn late() -> Result<()> {
    let mut pair = started(Flavour::V2)?;
    let news = News::of(&pair, Who::A)?;
    kill_everything(&mut pair, Duration::from_secs(10))?;
    check(pair.holds(Who::B)? == Some(true), || {
        format!("the peer has not taken over\n{}", pair.report())
    })?;
    let since = now_ns();
    let end = pair
        .wait_holders(false, true, Duration::from_secs(1))
        .and_then(|()| {
            let said = pair.adverts_of(Who::A, since);
            check(said.is_empty(), || format!("a spoke at once: {said:?}"))?;
            let limit = Flavour::V2.master_down(Pair::HIGH) + SLACK * 3;
            pair.wait_holders(true, false, limit)
        });
    end.map_err(|error| format!("{error}\n{}", pair.report()))?;
    let changes = news.changes(Flavour::V2);
    check(changes == (1, 1), || {
        format!("(removed, added) = {changes:?}")
    })?;
    let log = daemon(&pair)?.log();
    check(log.contains("so we start anew"), || log.clone())
}

#[test]
fn everything_killed_and_started_within_half_a_second_keeps_the_address() {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    soon().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn everything_killed_and_started_after_ten_seconds_lets_go_at_once() {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    late().unwrap_or_else(|error| panic!("{error}"));
}
