#![forbid(unsafe_code)]
//! Ten thousand bad packets a second, of every kind, at a master and its backup at once: each own advert
//! on time, nothing changes, every kind is counted, the log stays short, and the CPU time is bounded.
//! Six seconds for each variant; a minute in the long run, which plays the same to keepalived and reports.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use relevo_tests::lab::{
    Attack, Capture, Flavour, Pair, Program, Result, Rhythm, Sent, Side, Who, need, now_ns, soak,
    spoil,
};
use relevo_tests::skip;

/// Bad packets a second.
const RATE: u32 = 10_000;
/// Less than this, and the machine was too weak to prove anything.
const RATE_MIN: f64 = 5_000.0;
/// What a busy shared machine may add to an interval: far less than would make a backup doubt.
const SLACK: Duration = Duration::from_millis(400);
/// CPU time for each packet that a build without optimisation, on a busy machine, must not exceed.
const CPU_MAX: Duration = Duration::from_micros(60);
/// Lines in the log for all kinds together: each is told once, and summed up once a minute.
const LINES_MAX: usize = 40;

/// One flood at a time: the machine has few processors.
static TURN: Mutex<()> = Mutex::new(());

/// What a flood did to one router.
struct Suffered {
    lines: usize,
    cpu: Duration,
    discarded: u64,
    kinds: Vec<(String, u64)>,
}

fn count_lines(side: &Side) -> usize {
    let log = side.daemon.as_ref().map(|daemon| daemon.log());
    log.unwrap_or_default().lines().count()
}

fn cpu(side: &Side) -> Result<Duration> {
    side.daemon.as_ref().ok_or("no daemon")?.cpu()
}

/// The counters that a daemon tells when it stops: `discarded 12 packets in 60 s: TTL 7, checksum 5`.
fn counters(log: &str) -> Vec<(String, u64)> {
    let mut kinds: Vec<(String, u64)> = Vec::new();
    for line in log.lines().filter(|line| line.contains("discarded ")) {
        let Some((_, list)) = line.split_once(" s: ") else {
            continue;
        };
        for item in list.split(", ") {
            let Some((kind, count)) = item.rsplit_once(' ') else {
                continue;
            };
            let count = count.parse().unwrap_or(0);
            match kinds.iter_mut().find(|(known, _)| known == kind) {
                Some((_, sum)) => *sum += count,
                None => kinds.push((kind.to_owned(), count)),
            }
        }
    }
    kinds
}

/// What must have been counted, in the words of the log.
fn expected_kinds(flavour: Flavour) -> Vec<&'static str> {
    let mut kinds = vec!["length", "version", "type", "checksum", "virtual router id"];
    if flavour.cast == relevo_tests::lab::Cast::Multicast {
        kinds.extend(["TTL", "destination"]);
    }
    if flavour.version == 2 {
        kinds.extend([
            "authentication type",
            "unknown authentication type",
            "interval",
        ]);
    }
    if flavour.password.is_some() {
        kinds.push("password");
    }
    kinds
}

/// Starts both, and waits until there is nothing more to announce.
fn settle(pair: &mut Pair) -> Result<()> {
    pair.a.start()?;
    pair.b.start()?;
    let limit = pair.flavour.master_down(Pair::HIGH) + Duration::from_secs(5);
    pair.wait_holders(true, false, limit)?;
    // The announcements of the takeover are over.
    let settled = if pair.a.program.keepalived { 6 } else { 1 };
    std::thread::sleep(Duration::from_secs(settled));
    Ok(())
}

/// Floods both and stops them; everything that is to be known is in the answer.
fn flood(pair: &mut Pair, time: Duration) -> Result<(Sent, Vec<i64>, [Suffered; 2])> {
    let other = pair.lab.host("other").clone();
    let routers = [pair.a.host.clone(), pair.b.host.clone()];
    let src = pair.flavour.source(&other);
    let mut frames = spoil::everything(pair.flavour, src, &[&routers[0], &routers[1]]);
    frames.extend(spoil::headless(other.ipv4()));
    let before = [
        (count_lines(&pair.a), cpu(&pair.a)?),
        (count_lines(&pair.b), cpu(&pair.b)?),
    ];
    let states = entered(pair);
    let since = now_ns();
    let sent = Attack::start(&other, &frames, RATE, time)?.finish()?;
    let until = now_ns();
    let mut suffered = Vec::new();
    for (side, (lines, used)) in [&mut pair.a, &mut pair.b].into_iter().zip(before) {
        suffered.push(Suffered {
            lines: count_lines(side) - lines,
            cpu: cpu(side)?.saturating_sub(used),
            discarded: 0,
            kinds: Vec::new(),
        });
    }
    calm(pair, since, states)?;
    let times = pair.adverts_of(Who::A, since).into_iter();
    let times = times.map(|(at, _)| at).filter(|at| *at <= until).collect();
    for (side, suffered) in [&mut pair.b, &mut pair.a]
        .into_iter()
        .zip(suffered.iter_mut().rev())
    {
        let mut daemon = side.daemon.take().ok_or("no daemon")?;
        let code = daemon.stop(Duration::from_secs(10))?;
        if code != 0 {
            return Err(format!("{} ended with code {code}", side.host.name));
        }
        suffered.kinds = counters(&daemon.log());
        suffered.discarded = suffered.kinds.iter().map(|(_, count)| count).sum();
    }
    let suffered = <[Suffered; 2]>::try_from(suffered).map_err(|_| "two routers")?;
    Ok((sent, times, suffered))
}

/// How often each router has entered a state.
fn entered(pair: &Pair) -> [usize; 2] {
    [&pair.a, &pair.b].map(|side| {
        let log = side.daemon.as_ref().map(|daemon| daemon.log());
        log.unwrap_or_default().matches("Entering ").count()
    })
}

/// No state has changed; keepalived, which is only reported, may.
fn calm(pair: &Pair, since: i64, before: [usize; 2]) -> Result<()> {
    if pair.a.program.keepalived {
        return Ok(());
    }
    let spoke = pair.adverts_of(Who::B, since);
    if !spoke.is_empty() {
        return Err(format!("the backup spoke {} times", spoke.len()));
    }
    // The master repeats its own some seconds after the takeover.
    let mut told = pair.capture.announcements(since).into_iter();
    if told.any(|(_, told)| told.mac == pair.b.host.mac()) {
        return Err("the backup announced an address".to_owned());
    }
    if entered(pair) != before {
        return Err("a state has changed".to_owned());
    }
    pair.wait_holders(true, false, Duration::ZERO)
}

fn report(pair: &Pair, sent: Sent, rhythm: &Rhythm, suffered: &[Suffered; 2]) {
    let who = if pair.a.program.keepalived {
        "keepalived"
    } else {
        "relevo"
    };
    let test = format!("flood {}", pair.flavour.name());
    let row = |what: &str, value: String| soak::row(&test, who, what, &value);
    row("sent", format!("{} at {:.0}/s", sent.frames, sent.rate()));
    row("master's adverts", rhythm.to_string());
    for (name, side) in ["master", "backup"].into_iter().zip(suffered) {
        let each = side.cpu.as_secs_f64() * 1e6 / (sent.frames.max(1) as f64);
        row(&format!("{name}: CPU"), format!("{each:.2} us/packet sent"));
        row(&format!("{name}: log lines"), side.lines.to_string());
        if side.discarded > 0 {
            row(
                &format!("{name}: counted"),
                format!("{} {:?}", side.discarded, side.kinds),
            );
        }
    }
}

fn judge(pair: &Pair, sent: Sent, rhythm: &Rhythm, suffered: &[Suffered; 2]) -> Result<()> {
    if sent.rate() < RATE_MIN {
        return Err(format!(
            "only {:.0} packets a second were sent",
            sent.rate()
        ));
    }
    let time = Duration::from_secs_f64(sent.seconds);
    rhythm.judge(pair.flavour.interval(), SLACK, time)?;
    for (name, side) in ["master", "backup"].into_iter().zip(suffered) {
        if side.lines > LINES_MAX {
            return Err(format!("the {name} wrote {} lines", side.lines));
        }
        if side.cpu > CPU_MAX * u32::try_from(sent.frames).unwrap_or(u32::MAX) {
            return Err(format!("the {name} used {:?}", side.cpu));
        }
        let missing = expected_kinds(pair.flavour).into_iter().find(|kind| {
            let mut known = side.kinds.iter();
            !known.any(|(counted, count)| counted == kind && *count > 0)
        });
        if let Some(kind) = missing {
            return Err(format!("the {name} counted no {kind}: {:?}", side.kinds));
        }
        // Not all arrive: some are for the other router, some are thrown away by the kernel.
        if side.discarded * 10 < sent.frames * 3 {
            return Err(format!("the {name} counted {} only", side.discarded));
        }
    }
    Ok(())
}

fn play(flavour: Flavour, program: &Program, time: Duration) -> Result<()> {
    let mut pair = Pair::new(flavour, program, program)?;
    pair.capture = Capture::start_without(&pair.lab, spoil::MAC)?;
    settle(&mut pair).map_err(|error| format!("{error}\n{}", pair.report()))?;
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let played = flood(&mut pair, time);
    drop(turn);
    let story = played.and_then(|(sent, times, suffered)| {
        let rhythm = Rhythm::of(&times);
        report(&pair, sent, &rhythm, &suffered);
        if program.keepalived {
            return Ok(());
        }
        judge(&pair, sent, &rhythm, &suffered)
    });
    story.map_err(|error| format!("{error}\n{}", pair.report()))
}

fn test(flavour: Flavour) {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let time = soak::time(Duration::from_secs(5).max(flavour.interval() * 6));
    let program = Program::relevo().unwrap();
    play(flavour, &program, time).unwrap_or_else(|error| panic!("{error}"));
    if soak::on() && need::keepalived().is_none() {
        let keepalived = Program::keepalived().unwrap();
        if let Err(error) = play(flavour, &keepalived, time) {
            soak::row(
                &format!("flood {}", flavour.name()),
                "keepalived",
                "failed",
                &error,
            );
        }
    }
}

#[test]
fn version_2_with_a_password_bears_a_flood() {
    test(Flavour::V2_PASS);
}

#[test]
fn version_3_bears_a_flood() {
    test(Flavour::V3);
}

#[test]
fn version_3_over_ipv6_bears_a_flood() {
    test(Flavour::V3_IPV6);
}

#[test]
fn version_3_over_unicast_bears_a_flood() {
    test(Flavour::V3.unicast());
}
