#![forbid(unsafe_code)]
//! A killed VRRP process moves nothing: its successor goes on as master beside a live keepalived, and what
//! was left behind for too long goes at once. Read from the wire and from the kernel's news.

use std::fmt;
use std::sync::{Arc, Barrier};
use std::thread::{self, sleep};
use std::time::Duration;

use relevo_tests::lab::{
    Daemon, Flavour, News, Pair, Program, Result, Rhythm, Who, ms, need, now_ns, run, soak,
    wait_until,
};
use relevo_tests::skip;

/// The shortest interval at which a backup of keepalived gives no more than 0.36 s.
const FAST: Flavour = Flavour {
    interval_centis: 10,
    ..Flavour::V3
};

/// What a busy machine may add to anything.
const SLACK: Duration = Duration::from_millis(700);

fn check(condition: bool, what: impl FnOnce() -> String) -> Result<()> {
    if condition { Ok(()) } else { Err(what()) }
}

fn ns(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// Relevo is master, keepalived listens. The parent says hello so often, or as usual.
fn started(flavour: Flavour, hello: Option<&str>) -> Result<Pair> {
    let mut pair = Pair::new(flavour, &Program::relevo()?, &Program::keepalived()?)?;
    if let Some(hello) = hello {
        let word = format!("global_defs {{\n    relevo_hello_interval {hello}\n");
        let text = &mut pair.a.configuration;
        *text = text.replacen("global_defs {\n", &word, 1);
    }
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
    let changes = news.changes();
    check(changes == (0, 0), || {
        format!("(removed, added) = {changes:?} addresses")
    })?;
    pair.wait_holders(true, false, Duration::ZERO)
}

/// How the VRRP process is put out of work.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Blow {
    Kill,
    Stop,
}

/// One kind of blows, many of them.
#[derive(Copy, Clone, Debug)]
struct Series {
    what: &'static str,
    flavour: Flavour,
    blow: Blow,
    hello: Option<&'static str>,
    /// In the short run, and in the long one.
    count: (u64, u64),
    /// Pairs of hosts that play side by side in the long run.
    pairs: u64,
}

/// What came of a series on one pair.
#[derive(Debug, Default)]
struct Outcome {
    blows: u64,
    resumed: usize,
    takeovers: usize,
    /// From the blow to the next advert, and between two adverts at all.
    worst: i64,
    gap: i64,
    /// Both had the address.
    together: i64,
    failures: Vec<String>,
}

impl Series {
    /// At a moment of the interval that the round gives, at least 15 intervals after the last time.
    fn strike(&self, pair: &Pair, news: &mut News, round: u64) -> Result<i64> {
        let interval = pair.flavour.interval();
        let part = u32::try_from(round * 37 % 100).unwrap_or(0);
        sleep((interval * 11).max(Duration::from_millis(1_500)) + interval * part / 100);
        news.forget();
        let since = now_ns();
        let pid = daemon(pair)?.vrrp_pid()?;
        match self.blow {
            Blow::Kill => kill(pid)?,
            Blow::Stop => drop(run(&["kill", "-STOP", &pid.to_string()])?),
        }
        let at = pair.wait_advert(Who::A, since, interval * 3 + SLACK, |advert| {
            advert.priority == Pair::HIGH
        })?;
        sleep(interval * 4);
        nothing_moved(pair, news, since)?;
        let new = daemon(pair)?.vrrp_pid()?;
        check(new != pid, || "no new process".to_owned())?;
        let told = pair.capture.announcements(since);
        let own = told.iter().filter(|(_, it)| it.mac == pair.a.host.mac());
        let own = own.count();
        check(own == 0, || format!("{own} announcements"))?;
        Ok(at - since)
    }

    /// Plays on one pair of hosts; `first` sets the moments apart from those of other pairs. Nobody begins
    /// or tidies up while another pair plays: namespaces come and go under a lock that the daemons need too.
    fn play(self, first: u64, count: u64, together: &Barrier) -> Result<Outcome> {
        let stage = self.set_the_stage();
        together.wait();
        let outcome = stage.and_then(|mut stage| {
            let outcome = self.play_on(&mut stage, first, count)?;
            Ok((stage, outcome))
        });
        together.wait();
        outcome.map(|(_stage, outcome)| outcome)
    }

    fn set_the_stage(self) -> Result<(Pair, News, News)> {
        let pair = started(self.flavour, self.hello)?;
        let news = News::of(&pair.a.host, self.flavour)?;
        let peer = News::of(&pair.b.host, self.flavour)?;
        // The second announcements of the takeover are no consequence of what follows.
        sleep(Duration::from_secs(5));
        Ok((pair, news, peer))
    }

    fn play_on(
        self,
        (pair, news, peer): &mut (Pair, News, News),
        first: u64,
        count: u64,
    ) -> Result<Outcome> {
        let since = now_ns();
        let mut outcome = Outcome::default();
        for round in first..first + count {
            outcome.blows += 1;
            match self.strike(pair, news, round) {
                Ok(took) => outcome.worst = outcome.worst.max(took),
                Err(error) => {
                    let report = pair.report();
                    let text = format!("{}, round {round}: {error}\n{report}", self.what);
                    outcome.failures.push(text);
                    pair.wait_holders(true, false, Duration::from_secs(30))?;
                }
            }
        }
        outcome.together = news.longest_together(peer);
        outcome.takeovers = peer.changes().1;
        outcome.gap = Rhythm::of(&adverts(pair, since)).percentile(100);
        let log = daemon(pair)?.log();
        outcome.resumed = log.matches("resumes as MASTER").count();
        Ok(outcome)
    }

    /// Plays on all pairs at once, and sums up.
    fn play_all(self) -> Outcome {
        let count = soak::rounds(self.count.0, self.count.1);
        let pairs = if soak::on() { self.pairs } else { 1 };
        let each = count.div_ceil(pairs);
        let together = Arc::new(Barrier::new(usize::try_from(pairs).unwrap_or(1)));
        let play = |pair| {
            let together = Arc::clone(&together);
            thread::spawn(move || self.play(pair * 7, each, &together))
        };
        let threads: Vec<_> = (0..pairs).map(play).collect();
        let mut all = Outcome::default();
        for thread in threads {
            let one = thread.join().expect("a thread").expect("a pair");
            all.blows += one.blows;
            all.resumed += one.resumed;
            all.takeovers += one.takeovers;
            all.worst = all.worst.max(one.worst);
            all.gap = all.gap.max(one.gap);
            all.together = all.together.max(one.together);
            all.failures.extend(one.failures);
        }
        soak::row("resume", "relevo", self.what, &all.to_string());
        for failure in &all.failures {
            let first = failure.lines().next().unwrap_or_default();
            soak::row("resume", "relevo", self.what, first);
        }
        all
    }

    /// Nothing may move.
    fn run(self) {
        if let Some(reason) = need::keepalived() {
            skip!("{reason}");
        }
        let all = self.play_all();
        assert!(all.failures.is_empty(), "{}", all.failures.join("\n"));
        assert_eq!(all.resumed as u64, all.blows);
        assert_eq!((all.takeovers, all.together), (0, 0));
        assert!(all.gap < ns(self.flavour.interval() * 3), "{all}");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} blows, {} resumed, {} takeovers; longest to the next advert {}, between adverts {}, \
             address on both {}; {} failed",
            self.blows,
            self.resumed,
            self.takeovers,
            ms(self.worst),
            ms(self.gap),
            ms(self.together),
            self.failures.len()
        )
    }
}

#[test]
fn a_master_killed_at_1_s_moves_nothing() {
    let series = Series {
        what: "killed at 1 s",
        flavour: Flavour::V2,
        blow: Blow::Kill,
        hello: None,
        count: (3, 200),
        pairs: 8,
    };
    series.run();
}

#[test]
fn a_master_killed_at_100_ms_moves_nothing() {
    let series = Series {
        what: "killed at 100 ms",
        flavour: FAST,
        blow: Blow::Kill,
        hello: None,
        count: (5, 200),
        pairs: 3,
    };
    series.run();
}

#[test]
fn a_master_that_hangs_at_1_s_is_found_in_time() {
    let series = Series {
        what: "stopped at 1 s, hello 100 ms",
        flavour: Flavour::V2,
        blow: Blow::Stop,
        hello: Some("0.1"),
        count: (2, 200),
        pairs: 8,
    };
    series.run();
}

/// Longer than a hello of 50 ms needs, and shorter than three adverts: it is told, and counts only as far as
/// two holders are concerned.
#[test]
fn a_master_that_hangs_at_100_ms_makes_no_two_holders() {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    let series = Series {
        what: "stopped at 100 ms, hello 50 ms",
        flavour: FAST,
        blow: Blow::Stop,
        hello: Some("0.05"),
        count: (3, 200),
        pairs: 3,
    };
    let all = series.play_all();
    let most = ns(FAST.interval() + SLACK);
    assert!(all.together < most, "{}", all.failures.join("\n"));
}

/// Waits for a VRRP process that is not `last`, and returns it.
fn next_process(pair: &Pair, last: u32) -> Result<u32> {
    wait_until("the next VRRP process", Duration::from_secs(20), || {
        let pid = daemon(pair)?.vrrp_pid().ok();
        Ok(pid.filter(|pid| *pid != last))
    })
}

/// A has the address and B has not, as if nothing had been.
fn as_before(pair: &Pair) -> Result<()> {
    let limit = pair.flavour.master_down(Pair::HIGH) + Duration::from_secs(20);
    pair.wait_holders(true, false, limit)
}

/// The VRRP process is killed as soon as it is there again, also the one that is there only to tidy up: one
/// of the two holds the address, or none, but never both for longer than an advert takes.
fn bursts(flavour: Flavour, bursts: u64) -> Result<()> {
    let pair = started(flavour, None)?;
    let here = News::of(&pair.a.host, flavour)?;
    let peer = News::of(&pair.b.host, flavour)?;
    let mut last = 0;
    let mut kills = 0;
    for _ in 0..bursts {
        sleep((flavour.interval() * 11).max(Duration::from_millis(1_500)));
        for _ in 0..5 {
            last = next_process(&pair, last)?;
            kill(last)?;
            kills += 1;
        }
        as_before(&pair)?;
    }
    let together = here.longest_together(&peer);
    let (what, both) = (format!("bursts, {}", flavour.name()), ms(together));
    let figures = format!("{kills} kills in {bursts} bursts; address on both {both}");
    soak::row("resume", "relevo", &what, &figures);
    let most = ns(flavour.interval().min(Duration::from_secs(1)) + SLACK);
    check(together < most, || format!("{figures}\n{}", pair.report()))
}

#[test]
fn a_burst_of_kills_at_1_s_makes_no_two_holders() {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    bursts(Flavour::V2, soak::rounds(1, 8).min(8)).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_burst_of_kills_at_100_ms_makes_no_two_holders() {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    bursts(FAST, soak::rounds(2, 8).min(8)).unwrap_or_else(|error| panic!("{error}"));
}

/// The first early death moves nothing. From the second on the pause is longer than the peer waits: it gets a
/// farewell at once, and the address is not there while the pause lasts.
fn keeps_dying() -> Result<()> {
    let flavour = Flavour::V2;
    let pair = started(flavour, None)?;
    let here = News::of(&pair.a.host, flavour)?;
    let peer = News::of(&pair.b.host, flavour)?;
    let pid = daemon(&pair)?.vrrp_pid()?;
    let since = now_ns();
    kill(pid)?;
    let pid = next_process(&pair, pid)?;
    // Long enough to be trusted, and not long enough to have settled.
    sleep(Duration::from_millis(2_200));
    nothing_moved(&pair, &here, since)?;
    let since = now_ns();
    kill(pid)?;
    pair.wait_holders(false, true, Duration::from_millis(1_900))?;
    let farewell = |priority| {
        let said = pair.adverts_of(Who::A, since);
        said.iter().any(|(_, advert)| advert.priority == priority)
    };
    check(farewell(0), || "no farewell".to_owned())?;
    as_before(&pair)?;
    let together = here.longest_together(&peer);
    check(together < ns(SLACK), || {
        format!("both for {}", ms(together))
    })?;
    // As a backup it has nothing to give, and the next pause is longer: nothing changes on the peer.
    let log = daemon(&pair)?.log();
    let pauses = ["starts again in 1 s", "starts again in 2 s"];
    check(pauses.iter().all(|it| log.contains(it)), || log.clone())
}

#[test]
fn a_child_that_keeps_dying_hands_the_address_over() {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    keeps_dying().unwrap_or_else(|error| panic!("{error}"));
}

/// A stopped VRRP process outlives its parent, and wakes when another daemon has long begun: it must not touch
/// what is that one's now.
fn wakes_too_late() -> Result<()> {
    let mut pair = started(Flavour::V2, None)?;
    let old = daemon(&pair)?.vrrp_pid()?;
    run(&["kill", "-STOP", &old.to_string()])?;
    let mut former = pair.a.daemon.take().ok_or("no daemon")?;
    former.signal("KILL")?;
    former.wait(Duration::from_secs(5))?;
    pair.a.start()?;
    as_before(&pair)?;
    // The second announcements are over.
    sleep(Duration::from_secs(6));
    let news = News::of(&pair.a.host, Flavour::V2)?;
    let since = now_ns();
    run(&["kill", "-CONT", &old.to_string()])?;
    let end = wait_until("the end of the sleeper", Duration::from_secs(5), || {
        let gone = !std::path::Path::new(&format!("/proc/{old}")).exists();
        Ok(gone.then_some(()))
    });
    sleep(Duration::from_secs(3));
    let report = |error| format!("{error}\n{}\n{}", former.log(), pair.report());
    end.and_then(|()| nothing_moved(&pair, &news, since))
        .map_err(report)?;
    let said = adverts(&pair, since);
    let farewells = pair.adverts_of(Who::A, since);
    let farewell = farewells.iter().any(|(_, advert)| advert.priority == 0);
    // The sleeper's own would be among them.
    let least = Rhythm::of(&said).percentile(0);
    check(!farewell && least > ns(Flavour::V2.interval() / 2), || {
        report(format!("adverts: {farewells:?}"))
    })
}

#[test]
fn a_process_that_wakes_after_its_parents_death_touches_nothing() {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    wakes_too_late().unwrap_or_else(|error| panic!("{error}"));
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
    let mut pair = started(Flavour::V2, None)?;
    let news = News::of(&pair.a.host, Flavour::V2)?;
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
    let mut pair = started(Flavour::V2, None)?;
    let news = News::of(&pair.a.host, Flavour::V2)?;
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
    let changes = news.changes();
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
