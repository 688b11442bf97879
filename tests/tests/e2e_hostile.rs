#![forbid(unsafe_code)]
//! Bad packets of every kind, two hundred a second, at a master and a backup: neither notices anything
//! but a counter. (keepalived fails here: any packet of its VRID restarts a master's advert timer.)

use std::time::Duration;

use relevo_tests::lab::forge::Advert;
use relevo_tests::lab::spoil::{believable, spoiled};
use relevo_tests::lab::{Attack, Flavour, Pair, Program, Result, Who, ms, need, now_ns};
use relevo_tests::skip;

const RATE: u32 = 200;
const TIME: Duration = Duration::from_secs(4);
/// What a busy machine may add to an interval.
const SLACK: Duration = Duration::from_millis(400);

/// All frames: each spoiled one with the priorities that would do the greatest harm, and each router's
/// own packets come back to itself alone.
fn frames(pair: &Pair) -> Vec<Vec<u8>> {
    let src = pair.flavour.source(pair.lab.host("other"));
    let mut frames = Vec::new();
    for priority in [255, 0] {
        let bad = spoiled(&believable(pair.flavour, src, priority, None));
        frames.extend(bad.iter().map(Advert::frame));
        for side in [&pair.a, &pair.b] {
            let mut own = believable(pair.flavour, side.source, priority, None);
            own.to = side.host.mac();
            frames.push(own.frame());
        }
    }
    frames
}

/// The master's adverts kept their rhythm and the backup was silent.
fn undisturbed(pair: &Pair, since: i64) -> Result<()> {
    let slack = i64::try_from(SLACK.as_nanos()).unwrap_or(0);
    let interval = i64::try_from(pair.flavour.interval().as_nanos()).unwrap_or(0);
    let times: Vec<i64> = pair
        .adverts_of(Who::A, since)
        .iter()
        .map(|(at, _)| *at)
        .collect();
    let expected = TIME.as_nanos() / pair.flavour.interval().as_nanos();
    if times.len() + 2 < usize::try_from(expected).unwrap_or(0) {
        return Err(format!(
            "the master sent {} adverts of about {expected}",
            times.len()
        ));
    }
    for pair in times.windows(2) {
        let gap = pair[1] - pair[0];
        // An advert provoked by a packet cuts some gap in two, one part below the half.
        if gap < interval * 6 / 10 || gap > interval + slack {
            return Err(format!("{} between two adverts of the master", ms(gap)));
        }
    }
    let spoke = pair.adverts_of(Who::B, since);
    if !spoke.is_empty() {
        return Err(format!("the backup spoke: {spoke:?}"));
    }
    let told = pair.capture.announcements(since);
    if told.iter().any(|(_, it)| it.mac == pair.b.host.mac()) {
        return Err("the backup announced an address".to_owned());
    }
    pair.wait_holders(true, false, Duration::ZERO)
}

fn story(pair: &mut Pair) -> Result<()> {
    pair.a.start()?;
    pair.b.start()?;
    let limit = pair.flavour.master_down(Pair::HIGH) + Duration::from_secs(3);
    pair.wait_holders(true, false, limit)?;
    let since = now_ns();
    let frames = frames(pair);
    Attack::start(pair.lab.host("other"), &frames, RATE, TIME)?.finish()?;
    undisturbed(pair, since)?;
    // The attacker's frames did arrive.
    let foreign = pair.capture.adverts(since).into_iter();
    let foreign =
        foreign.filter(|(_, advert)| advert.src == pair.flavour.source(pair.lab.host("other")));
    if foreign.count() < 100 {
        return Err("the attack did not reach the wire".to_owned());
    }
    // And the backup still knows what to do, and when.
    pair.a.cut_power()?;
    let theory = pair.flavour.master_down(Pair::LOW);
    pair.wait_holders(false, true, theory + Duration::from_secs(1))
}

fn play(flavour: Flavour) {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    let program = Program::relevo().unwrap();
    let mut pair = Pair::new(flavour, &program, &program).unwrap();
    if let Err(error) = story(&mut pair) {
        panic!("{error}\n{}", pair.report());
    }
}

#[test]
fn version_2_is_undisturbed() {
    play(Flavour::V2);
}

#[test]
fn version_2_with_a_password_is_undisturbed() {
    play(Flavour::V2_PASS);
}

#[test]
fn version_3_is_undisturbed() {
    play(Flavour::V3);
}

#[test]
fn version_3_over_ipv6_is_undisturbed() {
    play(Flavour::V3_IPV6);
}

#[test]
fn the_believable_advert_is_believed() {
    if let Some(reason) = need::end_to_end() {
        skip!("{reason}");
    }
    // Else the whole file would prove nothing: the unspoiled packet moves the address.
    for flavour in [Flavour::V2_PASS, Flavour::V3, Flavour::V3_IPV6] {
        let program = Program::relevo().unwrap();
        let mut pair = Pair::new(flavour, &program, &program).unwrap();
        pair.a.start().unwrap();
        let limit = flavour.master_down(Pair::HIGH) + Duration::from_secs(3);
        pair.wait_holders(true, false, limit).unwrap();
        let frame = believable(flavour, flavour.source(pair.lab.host("other")), 254, None).frame();
        let attack =
            Attack::start(pair.lab.host("other"), &[frame], 10, Duration::from_secs(1)).unwrap();
        let yields = pair.wait_holders(false, false, Duration::from_secs(2));
        yields.unwrap_or_else(|error| panic!("{error}\n{}", pair.report()));
        attack.finish().unwrap();
    }
}
