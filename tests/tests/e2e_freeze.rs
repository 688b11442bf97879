#![forbid(unsafe_code)]
//! Routers that sleep (SIGSTOP) and wake up late: a backup never speaks as a master while the master lives, and
//! a master that slept yields or announces itself again, as its peer's packets say. With the default
//! buffers and a flood, what a router finds when it wakes is garbage; with 10 ms intervals it is old.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{scope, sleep};
use std::time::Duration;

use relevo_tests::lab::{
    Attack, Capture, Daemon, Flavour, Options, Pair, Program, Result, Rhythm, Who, ms, need,
    now_ns, output, soak, spoil, wait_until,
};
use relevo_tests::skip;

/// What a busy machine may add to anything.
const SLACK: Duration = Duration::from_millis(400);

/// All that a router sleeps in: multicast and unicast, both families.
const ALL: [Flavour; 4] = [
    Flavour::V3,
    Flavour::V3_IPV6,
    Flavour::V3.unicast(),
    Flavour::V3_IPV6.unicast(),
];

fn pair(flavour: Flavour) -> Result<Pair> {
    let program = Program::relevo()?;
    let mut pair = Pair::new(flavour, &program, &program)?;
    pair.capture = Capture::start_without(&pair.lab, spoil::MAC)?;
    Ok(pair)
}

/// Both run and the preferred one is master.
fn started(flavour: Flavour) -> Result<Pair> {
    let mut pair = pair(flavour)?;
    pair.a.start()?;
    pair.b.start()?;
    pair.wait_holders(
        true,
        false,
        flavour.master_down(Pair::HIGH) + Duration::from_secs(5),
    )?;
    Ok(pair)
}

fn signal(pair: &Pair, who: Who, name: &str) -> Result<()> {
    let daemon = pair.side(who).daemon.as_ref().ok_or("no daemon")?;
    daemon.signal_all(name)
}

/// Plays `story` in each flavour: those of `short`, or all of them side by side in the long run.
fn play(short: &[Flavour], story: fn(Flavour) -> Result<()>) {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let flavours = if soak::on() { &ALL[..] } else { short };
    let ends: Vec<Result<()>> = scope(|all| {
        let started = |flavour: &Flavour| {
            let flavour = *flavour;
            let told = move |error| format!("{}: {error}", flavour.name());
            all.spawn(move || story(flavour).map_err(told))
        };
        let handles: Vec<_> = flavours.iter().map(started).collect();
        let failed = |_| Err("the story panicked".to_owned());
        let joined = handles.into_iter().map(|handle| handle.join());
        joined.map(|end| end.unwrap_or_else(failed)).collect()
    });
    let errors: Vec<String> = ends.into_iter().filter_map(Result::err).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// Adds what is known of the pair to an error.
fn told<T>(pair: &Pair, end: Result<T>) -> Result<T> {
    end.map_err(|error| format!("{error}\n{}", pair.report()))
}

/// Packets that the raw sockets of a host have lost because nobody read them.
fn dropped(pair: &Pair, who: Who) -> Result<u64> {
    let host = &pair.side(who).host;
    let text = output(
        host.command("cat")
            .args(["/proc/net/raw", "/proc/net/raw6"]),
    )?;
    let last = |line: &str| {
        line.split_whitespace()
            .last()
            .and_then(|word| word.parse().ok())
    };
    Ok(text.lines().filter_map(last).map(|count: u64| count).sum())
}

fn times(pair: &Pair, who: Who, since: i64) -> Vec<i64> {
    let adverts = pair.adverts_of(who, since).into_iter();
    adverts.map(|(at, _)| at).collect()
}

/// Multicast packets that the kernel of a host has sent, and how long its daemon has waited for a processor:
/// tells apart what was not sent, what was lost on the way, and what was late.
fn sent_by_kernel(pair: &Pair, who: Who) -> Result<[u64; 2]> {
    let side = pair.side(who);
    // Of IPv4 only: a line of names and a line of values.
    let text = output(side.host.command("cat").arg("/proc/net/netstat"))?;
    let mut rows = text.lines().filter(|line| line.starts_with("IpExt:"));
    let [names, values] = [rows.next(), rows.next()].map(Option::unwrap_or_default);
    let mut fields = names.split_whitespace().zip(values.split_whitespace());
    let sent = fields.find(|(name, _)| *name == "OutMcastPkts");
    let sent = sent.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let pid = side.daemon.as_ref().ok_or("no daemon")?.vrrp_pid()?;
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let waited = text.split_whitespace().nth(1);
    let waited = waited.and_then(|value| value.parse().ok()).unwrap_or(0);
    Ok([sent, waited])
}

/// Adverts that were due in some time.
fn due(pair: &Pair, since: i64, until: i64) -> u64 {
    let interval = u64::try_from(pair.flavour.interval().as_nanos()).unwrap_or(u64::MAX);
    u64::try_from(until - since).unwrap_or(0) / interval
}

/// The backup has said nothing, has no address, and the master has not missed a beat.
fn only_the_master_spoke(pair: &Pair, since: i64) -> Result<()> {
    the_backup_is_silent(pair, since)?;
    the_master_is_steady(pair, since, now_ns())
}

fn the_backup_is_silent(pair: &Pair, since: i64) -> Result<()> {
    let spoke = pair.adverts_of(Who::B, since);
    if let Some((at, advert)) = spoke.first() {
        let before: Vec<i64> = times(pair, Who::A, 0);
        let last = before.iter().rfind(|time| *time < at);
        let ago = last.map_or_else(|| "never".to_owned(), |last| ms(at - last));
        return Err(format!(
            "the backup spoke ({ago} after the master): {advert:?}"
        ));
    }
    let told = pair.capture.announcements(since);
    if told.iter().any(|(_, it)| it.mac == pair.b.host.mac()) {
        return Err("the backup announced an address".to_owned());
    }
    pair.wait_holders(true, false, Duration::ZERO)
}

fn the_master_is_steady(pair: &Pair, since: i64, until: i64) -> Result<()> {
    let mut times = times(pair, Who::A, since);
    times.retain(|at| *at <= until);
    let time = Duration::from_nanos(u64::try_from(until - since).unwrap_or(0));
    Rhythm::of(&times).judge(pair.flavour.interval(), SLACK, time)
}

/// The backup sleeps; every other time bad packets fill its buffer meanwhile and go on when it wakes. Some
/// of these sleeps end when its master-down timer is due, so that the wake-up itself is not late.
fn backup_sleeps(flavour: Flavour) -> Result<()> {
    let mut pair = started(flavour)?;
    let (long, rate) = if soak::on() {
        (Duration::from_secs(10), 5_000)
    } else {
        (Duration::from_millis(3_500), 3_000)
    };
    let other = pair.lab.host("other").clone();
    let hosts = [pair.a.host.clone(), pair.b.host.clone()];
    let frames = spoil::everything(flavour, flavour.source(&other), &[&hosts[0], &hosts[1]]);
    let rounds = soak::rounds(4, 50);
    let (mut lost, mut missed) = (0, 0);
    for round in 0..rounds {
        let length = if round % 4 == 3 {
            flavour.master_down(Pair::LOW)
        } else {
            long
        };
        let since = now_ns();
        let watch = flavour.master_down(Pair::LOW) + flavour.interval() * 2;
        let attack = (round % 2 == 1)
            .then(|| Attack::start(&other, &frames, rate, length + watch))
            .transpose()?;
        let before = dropped(&pair, Who::B)?;
        let [sent, waited] = sent_by_kernel(&pair, Who::A)?;
        signal(&pair, Who::B, "STOP")?;
        sleep(length);
        signal(&pair, Who::B, "CONT")?;
        sleep(watch);
        let until = now_ns();
        let [sent_now, waited_now] = sent_by_kernel(&pair, Who::A)?;
        let (sent, waited) = (sent_now - sent, (waited_now - waited) / 1_000_000);
        let about = |error| {
            format!(
                "round {round} (the master's kernel sent {sent}, it waited {waited} ms for a processor): {error}"
            )
        };
        let end = the_backup_is_silent(&pair, since);
        told(&pair, end).map_err(about)?;
        let end = the_master_is_steady(&pair, since, until);
        // What its kernel has sent and the switch has lost is not the master's fault.
        if end.is_err() && sent >= due(&pair, since, until) {
            missed += 1;
        } else {
            told(&pair, end).map_err(about)?;
        }
        if let Some(attack) = attack {
            attack.finish()?;
            lost += dropped(&pair, Who::B)? - before;
        }
    }
    if lost == 0 {
        return Err("the flood did not fill the sleeper's buffer".to_owned());
    }
    let test = format!("freeze of the backup, {}", flavour.name());
    for (what, figure) in [
        ("rounds without an advert of the backup", rounds),
        ("packets its buffer lost", lost),
        (
            "rounds with adverts lost behind the master's kernel",
            missed,
        ),
    ] {
        soak::row(&test, "relevo", what, &figure.to_string());
    }
    // And it still knows what to do.
    pair.a.cut_power()?;
    let end = pair.wait_holders(false, true, flavour.master_down(Pair::LOW) + SLACK * 3);
    told(&pair, end)
}

#[test]
fn a_backup_that_slept_says_nothing() {
    play(&[Flavour::V3, Flavour::V3_IPV6.unicast()], backup_sleeps);
}

/// The preferred master sleeps, the other takes over; it wakes up to the packets of a lesser master and
/// shows at once that it is there: adverts, and where the addresses are.
fn better_master_sleeps(flavour: Flavour) -> Result<()> {
    let pair = started(flavour)?;
    let rounds = soak::rounds(2, 50);
    let (mut most, mut delays) = (0, Vec::new());
    for round in 0..rounds {
        signal(&pair, Who::A, "STOP")?;
        // Its addresses stay in its kernel: what counts is that the other speaks.
        let limit = flavour.master_down(Pair::LOW) + SLACK * 3;
        let asleep = now_ns();
        let took = pair.wait_advert(Who::B, asleep, limit, |advert| advert.priority == Pair::LOW);
        told(&pair, took)?;
        sleep(flavour.interval() * 3);
        let awake = now_ns();
        signal(&pair, Who::A, "CONT")?;
        let end = pair.wait_holders(true, false, Duration::from_secs(2));
        told(&pair, end).map_err(|error| format!("round {round}: {error}"))?;
        sleep(flavour.interval() * 2);
        let (count, first) = reannounced(&pair, awake)?;
        most = most.max(count);
        delays.push(first);
    }
    delays.sort_unstable();
    let [median, slowest] = [(delays.len() - 1) / 2, delays.len() - 1].map(|at| delays[at]);
    // Not one interval after it woke, as a timer would have it; now and then the machine is to blame.
    if median > 100_000_000 {
        return Err(format!(
            "the woken master spoke after {} and more",
            ms(median)
        ));
    }
    let test = format!("freeze of the master, {}", flavour.name());
    let row = |what: &str, value: &str| soak::row(&test, "relevo", what, value);
    row("rounds with the better claim", &rounds.to_string());
    row(
        "adverts within an interval of waking, most",
        &most.to_string(),
    );
    row(
        "first advert after SIGCONT",
        &format!("median {}, most {}", ms(median), ms(slowest)),
    );
    Ok(())
}

/// How many adverts the woken master sent within its first interval, and after what time the first.
fn reannounced(pair: &Pair, awake: i64) -> Result<(usize, i64)> {
    let interval = i64::try_from(pair.flavour.interval().as_nanos()).unwrap_or(0);
    let slack = i64::try_from(SLACK.as_nanos()).unwrap_or(0);
    let adverts = pair.adverts_of(Who::A, awake);
    let first = adverts.first().ok_or("the woken master says nothing")?.0 - awake;
    if first > slack * 3 {
        return Err(format!("the woken master spoke after {}", ms(first)));
    }
    if adverts.iter().any(|(_, advert)| advert.priority == 0) {
        return Err("the woken master let go".to_owned());
    }
    let early = adverts
        .iter()
        .filter(|(at, _)| *at < awake + interval)
        .count();
    // One at waking, one for each packet of the other that lay in its buffer (some four), and one in answer
    // to whatever it said before it heard of us.
    if early > 8 {
        return Err(format!(
            "the woken master sent {early} adverts within an interval"
        ));
    }
    let announcements = pair.capture.announcements(awake);
    let mut own = announcements
        .iter()
        .filter(|(_, it)| it.mac == pair.a.host.mac());
    if !own.any(|(at, _)| *at < awake + interval + slack) {
        return Err("the woken master did not announce its addresses".to_owned());
    }
    Ok((early, first))
}

#[test]
fn a_master_that_slept_announces_itself_again_if_it_is_the_better_one() {
    play(
        &[Flavour::V3_IPV6, Flavour::V3.unicast()],
        better_master_sleeps,
    );
}

/// The lesser master sleeps while the preferred one starts: it wakes up to better claims, and yields
/// without a word.
fn worse_master_sleeps(flavour: Flavour) -> Result<()> {
    let mut pair = pair(flavour)?;
    pair.b.start()?;
    let rounds = soak::rounds(2, 25);
    for round in 0..rounds {
        let limit = flavour.master_down(Pair::LOW) + Duration::from_secs(5);
        let end = pair.wait_holders(false, true, limit);
        told(&pair, end)?;
        signal(&pair, Who::B, "STOP")?;
        pair.a.start()?;
        let limit = flavour.master_down(Pair::HIGH) + Duration::from_secs(5);
        let end = pair.wait_holders(true, true, limit);
        told(&pair, end)?;
        sleep(flavour.interval() * 3);
        let awake = now_ns();
        signal(&pair, Who::B, "CONT")?;
        let end = pair.wait_holders(true, false, SLACK * 3);
        told(&pair, end).map_err(|error| format!("round {round}: {error}"))?;
        sleep(flavour.master_down(Pair::LOW));
        let end = only_the_master_spoke(&pair, awake);
        told(&pair, end).map_err(|error| format!("round {round}: {error}"))?;
        pair.a.stop()?;
    }
    let test = format!("freeze of the master, {}", flavour.name());
    let what = "rounds with the worse claim, no advert";
    soak::row(&test, "relevo", what, &rounds.to_string());
    Ok(())
}

#[test]
fn a_master_that_slept_yields_without_a_word_to_a_better_one() {
    play(
        &[Flavour::V3, Flavour::V3_IPV6.unicast()],
        worse_master_sleeps,
    );
}

/// Both sleep, and wake in either order: nobody but the master speaks.
fn both_sleep(flavour: Flavour) -> Result<()> {
    let pair = started(flavour)?;
    for round in 0..soak::rounds(2, 25) {
        let order = if round % 2 == 0 {
            [Who::A, Who::B]
        } else {
            [Who::B, Who::A]
        };
        for who in order {
            signal(&pair, who, "STOP")?;
        }
        sleep(flavour.master_down(Pair::LOW) * 2);
        let awake = now_ns();
        for who in order {
            signal(&pair, who, "CONT")?;
        }
        sleep(flavour.master_down(Pair::LOW) + flavour.interval());
        let end = only_the_master_spoke(&pair, awake);
        told(&pair, end).map_err(|error| format!("round {round}: {error}"))?;
    }
    Ok(())
}

#[test]
fn when_both_slept_the_master_goes_on() {
    play(&[Flavour::V3_IPV6], both_sleep);
}

/// The parent alone sleeps: its child neither notices nor cares, and the order to stop is carried out when
/// the parent wakes.
fn parent_sleeps(flavour: Flavour) -> Result<()> {
    let mut pair = started(flavour)?;
    let since = now_ns();
    let daemon = pair.a.daemon.as_ref().ok_or("no daemon")?;
    daemon.signal("STOP")?;
    sleep(flavour.master_down(Pair::LOW) * 2);
    let end = only_the_master_spoke(&pair, since);
    told(&pair, end)?;
    daemon.signal("TERM")?;
    daemon.signal("CONT")?;
    let code = pair.a.stop()?;
    if code != 0 {
        return Err(format!("code {code}"));
    }
    let end = pair.wait_holders(false, true, flavour.master_down(Pair::LOW) + SLACK * 3);
    told(&pair, end)
}

#[test]
fn a_child_works_while_its_parent_sleeps() {
    play(&[Flavour::V3], parent_sleeps);
}

/// The master dies, and the backup falls asleep about when it should take over: in the end it has, whole.
fn sleeps_in_transition(flavour: Flavour) -> Result<()> {
    let mut pair = started(flavour)?;
    let down = flavour.master_down(Pair::LOW);
    let rounds = soak::rounds(2, 25);
    for round in 0..rounds {
        pair.a.cut_power()?;
        let last = times(&pair, Who::A, 0)
            .pop()
            .ok_or("no advert of the master")?;
        // From 4 ms before the takeover to 16 ms after it.
        let offset = Duration::from_millis(round * 7 % 21);
        let at = last + i64::try_from((down + offset).as_nanos()).unwrap_or(0) - 4_000_000;
        sleep(Duration::from_nanos(
            u64::try_from(at - now_ns()).unwrap_or(0),
        ));
        signal(&pair, Who::B, "STOP")?;
        sleep(down);
        let awake = now_ns();
        signal(&pair, Who::B, "CONT")?;
        let limit = down + flavour.interval() + SLACK * 3;
        let end = pair.wait_holders(false, true, limit);
        told(&pair, end).map_err(|error| format!("round {round}: {error}"))?;
        let adverts = wait_until("adverts of the new master", limit, || {
            let times = times(&pair, Who::B, awake);
            Ok((times.len() > 3).then_some(times))
        })?;
        let announced = pair.capture.announcements(last);
        if !announced.iter().any(|(_, it)| it.mac == pair.b.host.mac()) {
            return told(&pair, Err("the new master announced nothing".to_owned()));
        }
        let steady = &adverts[1..];
        let gaps = u32::try_from(steady.len()).unwrap_or(0);
        Rhythm::of(steady).judge(flavour.interval(), SLACK, flavour.interval() * gaps)?;
        if round + 1 < rounds {
            pair.a.start()?;
            let end = pair.wait_holders(true, false, flavour.master_down(Pair::HIGH) + SLACK * 5);
            told(&pair, end)?;
        }
    }
    Ok(())
}

#[test]
fn a_takeover_interrupted_by_sleep_is_completed() {
    play(&[Flavour::V3.unicast()], sleeps_in_transition);
}

/// Adverts every 10 ms fill the sleeper's buffer: what it finds is the oldest. The machine itself may stall
/// for longer than such a master-down interval, so the backup may speak after a silence that the wire shows.
fn old_packets(flavour: Flavour) -> Result<()> {
    let flavour = Flavour {
        interval_centis: 1,
        ..flavour
    };
    let pair = started(flavour)?;
    let half = i64::try_from(flavour.master_down(Pair::LOW).as_nanos() / 2).unwrap_or(0);
    let (mut lost, mut excused) = (0, 0);
    for round in 0..soak::rounds(1, 5) {
        let before = dropped(&pair, Who::B)?;
        let since = now_ns();
        signal(&pair, Who::B, "STOP")?;
        sleep(Duration::from_secs(12));
        signal(&pair, Who::B, "CONT")?;
        sleep(Duration::from_secs(1));
        lost += dropped(&pair, Who::B)? - before;
        let masters = times(&pair, Who::A, since - 1_000_000_000);
        for at in times(&pair, Who::B, since) {
            let last = masters.iter().rfind(|time| **time < at);
            match last {
                Some(last) if at - last < half => {
                    let error = format!(
                        "round {round}: the backup spoke {} after the master",
                        ms(at - last)
                    );
                    return told(&pair, Err(error));
                }
                Some(_) | None => excused += 1,
            }
        }
    }
    if lost == 0 {
        return Err("the buffer did not overflow".to_owned());
    }
    let test = format!("freeze of the backup, 10 ms, {}", flavour.name());
    soak::row(
        &test,
        "relevo",
        "adverts its buffer lost",
        &lost.to_string(),
    );
    soak::row(
        &test,
        "relevo",
        "takeovers after a stall of the machine",
        &excused.to_string(),
    );
    Ok(())
}

#[test]
fn a_buffer_full_of_old_adverts_misleads_nobody() {
    play(&[Flavour::V3], old_packets);
}

/// Moves CLOCK_REALTIME, for the programs that it is loaded into, by the seconds that a file tells.
const FAKE_CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long shift(void)
{
    const char *path = getenv("RELEVO_CLOCK");
    FILE *file = path ? fopen(path, "re") : NULL;
    long seconds = 0;
    if (file) {
        if (fscanf(file, "%ld", &seconds) != 1)
            seconds = 0;
        fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t id, struct timespec *at)
{
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, at);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        at->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    (void)zone;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return result;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
"#;

/// The fake clock for the daemons of a pair: the library and the file that moves it.
fn fake_clock(pair: &Pair) -> Result<[PathBuf; 2]> {
    let [source, library, file] =
        ["clock.c", "clock.so", "clock"].map(|name| pair.lab.dir().join(name));
    let write = |path: &Path, text: &str| {
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    write(&source, FAKE_CLOCK)?;
    write(&file, "0\n")?;
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl");
    output(&mut compiler)?;
    Ok([library, file])
}

/// Seconds of the day in the stamp of a log line: `Mon Nov  2 01:02:03 2026: text`.
fn second_of_day(line: &str) -> Option<i64> {
    let stamp = line.split_whitespace().nth(3)?;
    let parts: Vec<i64> = stamp
        .split(':')
        .filter_map(|part| part.parse().ok())
        .collect();
    match parts[..] {
        [hours, minutes, seconds] => Some(hours * 3_600 + minutes * 60 + seconds),
        _ => None,
    }
}

/// The wall clock goes an hour forward, back, and two hours forward: nothing happens but the stamps of the
/// log.
fn clock_steps(flavour: Flavour) -> Result<()> {
    let mut pair = pair(flavour)?;
    let [library, file] = fake_clock(&pair)?;
    let words = [
        "env".to_owned(),
        format!("LD_PRELOAD={}", library.display()),
        format!("RELEVO_CLOCK={}", file.display()),
    ];
    let wrap: Vec<&str> = words.iter().map(String::as_str).collect();
    for side in [&mut pair.a, &mut pair.b] {
        let options = Options {
            extra: &[],
            wrap: &wrap,
        };
        let (host, program, text) = (&side.host, &side.program, &side.configuration);
        side.daemon = Some(Daemon::start_with(host, program, text, options)?);
    }
    pair.wait_holders(
        true,
        false,
        flavour.master_down(Pair::HIGH) + Duration::from_secs(5),
    )?;
    sleep(flavour.interval());
    let since = now_ns();
    for shift in ["3600\n", "0\n", "-3600\n", "7200\n"] {
        fs::write(&file, shift).map_err(|error| error.to_string())?;
        sleep(flavour.master_down(Pair::LOW) + flavour.interval() / 2);
        let end = only_the_master_spoke(&pair, since);
        told(&pair, end).map_err(|error| format!("at {}: {error}", shift.trim()))?;
    }
    // Else the fake would prove nothing: the stamps did move.
    let mut daemon = pair.a.daemon.take().ok_or("no daemon")?;
    daemon.stop(Duration::from_secs(10))?;
    let log = daemon.log();
    let stamps: Vec<i64> = log.lines().filter_map(second_of_day).collect();
    let (Some(first), Some(last)) = (stamps.first(), stamps.last()) else {
        return Err(format!("no stamps in {log}"));
    };
    let moved = (last - first).rem_euclid(86_400);
    if !(7_200..7_500).contains(&moved) {
        return Err(format!("the fake clock did not move the stamps: {log}"));
    }
    Ok(())
}

#[test]
fn a_step_of_the_wall_clock_changes_nothing() {
    play(&[Flavour::V3], clock_steps);
}
