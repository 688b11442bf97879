#![forbid(unsafe_code)]
//! Announcements beside keepalived's: both daemons run the same configuration at the same time on one
//! segment, each with virtual routers and addresses of its own, and what one tells the neighbours is
//! compared with what the other does. Checksums: either daemon is master to the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use relevo_tests::lab::judge::{decode, field};
use relevo_tests::lab::{
    Attack, Capture, Daemon, Host, Lab, Program, Result, forge, need, now_ns, wait_until,
};

/// Announcements of one address that lie closer together are one burst.
const BURST_NS: i64 = 120_000_000;
/// How far the beginnings of two bursts may be apart that should come at the same time. Generous: the
/// machine may be busy.
const TOLERANCE_NS: i64 = 700_000_000;

struct Stage {
    lab: Lab,
    capture: Capture,
    ours: Program,
    theirs: Program,
}

fn stage() -> Option<Stage> {
    if let Some(reason) = need::keepalived() {
        relevo_tests::skip::record(module_path!(), &reason);
        return None;
    }
    let lab = Lab::new(&["a", "b", "c"]).unwrap();
    let capture = Capture::start(&lab).unwrap();
    let ours = Program::relevo().unwrap();
    let theirs = Program::keepalived().unwrap();
    Some(Stage {
        lab,
        capture,
        ours,
        theirs,
    })
}

/// A virtual router of both daemons.
struct Router {
    /// What tells its addresses from those of others.
    number: u8,
    ipv6: bool,
    /// Lines of its configuration.
    words: &'static str,
}

/// Added to what keepalived has: virtual router ids and the last part of addresses.
const THEIRS: u8 = 60;

impl Router {
    fn vrid(&self, shift: u8) -> u8 {
        10 + self.number + shift
    }

    /// Two addresses.
    fn addresses(&self, shift: u8) -> [IpAddr; 2] {
        [0, 1].map(|index| {
            let last = 100 + 4 * self.number + index + shift;
            match (self.ipv6, index) {
                (false, _) => Ipv4Addr::new(10, 0, 0, last).into(),
                (true, 0) => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last.into()).into(),
                (true, _) => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last.into()).into(),
            }
        })
    }

    fn configuration(&self, shift: u8) -> String {
        let [first, second] = self.addresses(shift);
        let prefix = if self.ipv6 { 64 } else { 24 };
        format!(
            "vrrp_instance R{} {{\nversion 3\nadvert_int 0.2\ninterface eth0\npriority 200\n\
             virtual_router_id {}\n{}\nvirtual_ipaddress {{\n{first}/{prefix}\n{second}/{prefix}\n}}\n}}\n",
            self.number,
            self.vrid(shift),
            self.words
        )
    }
}

/// When each announcement of each of its two addresses went out, of a daemon that started then.
fn told(capture: &Capture, router: &Router, shift: u8, since: i64) -> [Vec<i64>; 2] {
    let all = capture.announcements(since);
    router.addresses(shift).map(|address| {
        all.iter()
            .filter(|(_, told)| told.address == address)
            .map(|(at, _)| *at)
            .collect()
    })
}

/// The routers, each with the shift of its daemon, that have not announced both addresses.
fn silent(capture: &Capture, routers: &[Router], since: i64) -> Vec<(u8, u8)> {
    let is_silent = |router: &Router, shift| {
        let told = told(capture, router, shift, since);
        told.iter().any(Vec::is_empty)
    };
    let of = |shift| {
        let silent = routers
            .iter()
            .filter(move |router| is_silent(router, shift));
        silent.map(move |router| (router.number, shift))
    };
    of(0).chain(of(THEIRS)).collect()
}

/// Bursts: how long after the first announcement of both addresses each began, and how many it had.
fn bursts(times: &[i64], start: i64) -> Vec<(i64, usize)> {
    let mut found: Vec<(i64, usize)> = Vec::new();
    let mut last = i64::MIN / 2;
    for at in times {
        match found.last_mut() {
            Some((_, count)) if at - last < BURST_NS => *count += 1,
            _ => found.push((at - start, 1)),
        }
        last = *at;
    }
    found
}

fn start_of(told: &[Vec<i64>; 2]) -> i64 {
    let firsts = told.iter().filter_map(|times| times.first());
    firsts.min().copied().unwrap_or_default()
}

/// The same bursts of the same size at the same times, address by address; the first address first.
fn assert_alike(router: &Router, ours: &[Vec<i64>; 2], theirs: &[Vec<i64>; 2]) {
    let number = router.number;
    for (index, (own, other)) in ours.iter().zip(theirs).enumerate() {
        let own = bursts(own, start_of(ours));
        let other = bursts(other, start_of(theirs));
        let counts = |bursts: &[(i64, usize)]| bursts.iter().map(|b| b.1).collect::<Vec<_>>();
        let case = format!("router {number} address {index}:\nours {own:?}\ntheirs {other:?}");
        assert!(!own.is_empty(), "{case}");
        assert_eq!(counts(&own), counts(&other), "{case}");
        for (own, other) in own.iter().zip(&other) {
            assert!((own.0 - other.0).abs() < TOLERANCE_NS, "{case}");
        }
    }
    for told in [ours, theirs] {
        assert!(
            told[0].first() < told[1].first(),
            "router {number}: {told:?}"
        );
    }
}

fn start_both(stage: &Stage, global: &str, routers: &[Router]) -> Result<(Daemon, Daemon)> {
    let text = |shift| {
        let own = routers.iter().map(|router| router.configuration(shift));
        global.to_owned() + &own.collect::<String>()
    };
    let ours = Daemon::start(stage.lab.host("a"), &stage.ours, &text(0))?;
    let theirs = Daemon::start(stage.lab.host("b"), &stage.theirs, &text(THEIRS))?;
    Ok((ours, theirs))
}

/// A lower-priority advert from host c for a router of one of the daemons.
fn lower(router: &Router, shift: u8) -> Vec<u8> {
    let mut advert = forge::Advert::v3(Ipv4Addr::new(10, 0, 0, 99), router.vrid(shift), 20, 20);
    advert.addresses = router.addresses(shift).to_vec();
    advert.count = 2;
    advert.frame()
}

/// One for each set of words.
fn routers() -> [Router; 8] {
    let router = |number, ipv6, words| Router {
        number,
        ipv6,
        words,
    };
    [
        router(1, false, ""),
        router(2, true, ""),
        router(3, false, "garp_master_repeat 2\ngarp_master_delay 2"),
        router(4, true, "garp_master_repeat 1\ngarp_master_delay 3"),
        router(
            5,
            false,
            "garp_master_delay 0\ngarp_master_refresh 2\ngarp_master_refresh_repeat 3",
        ),
        router(
            6,
            false,
            "garp_master_delay 0\ngarp_lower_prio_repeat 3\ngarp_lower_prio_delay 2",
        ),
        router(
            7,
            false,
            "garp_master_delay 0\nlower_prio_no_advert\ngarp_lower_prio_delay 0",
        ),
        router(8, false, "garp_master_delay 0\ngarp_lower_prio_repeat 0"),
    ]
}

#[test]
fn blocks_refreshes_and_answers_are_those_of_keepalived() {
    let Some(stage) = stage() else {
        return;
    };
    let routers = routers();
    let since = now_ns();
    let (ours, theirs) = start_both(&stage, "", &routers).unwrap();
    wait_until("all masters", Duration::from_secs(20), || {
        let silent = silent(&stage.capture, &routers, since);
        Ok(silent.is_empty().then_some(()))
    })
    .unwrap_or_else(|error| {
        let silent = silent(&stage.capture, &routers, since);
        panic!("{error}: {silent:?}\n{}\n{}", ours.log(), theirs.log())
    });
    // Apart from the first burst, so that the answers are bursts of their own.
    std::thread::sleep(Duration::from_millis(500));
    let frames: Vec<_> = routers[5..]
        .iter()
        .flat_map(|router| [lower(router, 0), lower(router, THEIRS)])
        .collect();
    let rate = u32::try_from(frames.len()).unwrap() * 10;
    let once = Duration::from_millis(100);
    let before = now_ns();
    Attack::start(stage.lab.host("c"), &frames, rate, once)
        .unwrap()
        .finish()
        .unwrap();
    std::thread::sleep(Duration::from_millis(6_500));
    for router in &routers {
        let [ours, theirs] = [0, THEIRS].map(|shift| told(&stage.capture, router, shift, since));
        // What both were to do within 5.9 s after the last began.
        let until = |told: [Vec<i64>; 2]| {
            let end = start_of(&told) + 5_900_000_000;
            told.map(|times| times.into_iter().filter(|at| *at <= end).collect())
        };
        assert_alike(router, &until(ours), &until(theirs));
    }
    // The advert that answers comes between two of the schedule. (keepalived starts its interval anew.)
    for router in [&routers[5], &routers[7]] {
        let all = stage.capture.adverts(before);
        let own: Vec<i64> = all
            .iter()
            .filter(|(_, advert)| advert.vrid == router.vrid(0) && advert.priority == 200)
            .map(|(at, _)| *at)
            .collect();
        let is_close = |pair: &[i64]| pair[1] - pair[0] < 150_000_000;
        assert!(own.windows(2).any(is_close), "{} {own:?}", router.number);
    }
}

/// With an interval an address waits at most once for its turn, whatever is asked for meanwhile. The
/// distance and the number are keepalived's. The order is ours: it repeats the first address before the
/// second has been announced at all.
#[test]
fn intervals_are_those_of_keepalived() {
    let Some(stage) = stage() else {
        return;
    };
    let global = "global_defs {\nvrrp_garp_interval 0.4\n}\n\
                  garp_group {\ngna_interval 0.3\ngarp_interval 0.4\ninterface eth0\n}\n";
    let routers = [false, true].map(|ipv6| Router {
        number: if ipv6 { 2 } else { 1 },
        ipv6,
        words: "garp_master_delay 3",
    });
    let since = now_ns();
    let (_ours, _theirs) = start_both(&stage, global, &routers).unwrap();
    let second_block_is_over = || {
        let all = routers.iter().all(|router| {
            [0, THEIRS].into_iter().all(|shift| {
                let told = told(&stage.capture, router, shift, since);
                told.iter().map(Vec::len).sum::<usize>() >= 6
            })
        });
        Ok(all.then_some(()))
    };
    wait_until("two blocks", Duration::from_secs(20), second_block_is_over).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    for router in &routers {
        let interval = if router.ipv6 {
            300_000_000
        } else {
            400_000_000
        };
        for shift in [0, THEIRS] {
            let told = told(&stage.capture, router, shift, since);
            let mut all: Vec<(i64, usize)> = told
                .iter()
                .enumerate()
                .flat_map(|(index, times)| times.iter().map(move |at| (*at, index)))
                .collect();
            all.sort_unstable();
            let order: Vec<usize> = all.iter().map(|(_, index)| *index).collect();
            let block = if shift == 0 { [0, 1, 0] } else { [0, 0, 1] };
            assert_eq!(order, [block, block].concat(), "router {}", router.number);
            for (at, pair) in all.windows(2).enumerate() {
                let gap = pair[1].0 - pair[0].0;
                let longest = if at == 2 {
                    3_500_000_000
                } else {
                    interval + TOLERANCE_NS
                };
                let allowed = interval - 20_000_000..longest;
                assert!(allowed.contains(&gap), "router {} {all:?}", router.number);
            }
        }
    }
}

/// A unicast router with version 3 and a peer.
fn unicast(own: &Host, peer: &Host, priority: u8, words: &str) -> String {
    format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 9\npriority {priority}\nversion 3\n\
         advert_int 0.2\nunicast_src_ip {}\nunicast_peer {{\n{}\n}}\n{words}\nvirtual_ipaddress {{\n\
         10.0.0.200/24\n}}\n}}\n",
        own.ipv4(),
        peer.ipv4()
    )
}

/// The adverts that a host has sent since then, field by field: the octets of the message.
fn sent(stage: &Stage, host: &Host, since: i64, priority: u8) -> Vec<String> {
    let filter = format!(
        "vrrp && ip.src == {} && vrrp.prio == {priority} && frame.time_epoch >= {}.{:09}",
        host.ipv4(),
        since / 1_000_000_000,
        since % 1_000_000_000
    );
    let fields = [
        "ip.dst",
        "ip.ttl",
        "ip.dsfield",
        "ip.len",
        "vrrp.checksum",
        "vrrp.short_adver_int",
    ];
    let rows = decode(stage.capture.path(), &filter, &fields).unwrap();
    let line = |row| fields.map(|name| field(row, name)).join(" ");
    rows.iter().map(line).collect()
}

/// Master on host a with `old_unicast_checksum`, backup on host b without a word about it, which
/// follows. Returns what the master sent, and what the other sends when it has taken over.
fn old_checksum(stage: &Stage, a: &Program, b: &Program) -> (String, String) {
    let (first, second) = (stage.lab.host("a"), stage.lab.host("b"));
    let since = now_ns();
    let text = unicast(first, second, 200, "old_unicast_checksum");
    let mut master = Daemon::start(first, a, &text).unwrap();
    let limit = Duration::from_secs(15);
    let vip: IpAddr = Ipv4Addr::new(10, 0, 0, 200).into();
    wait_until("a master", limit, || Ok(first.holds(vip)?.then_some(()))).unwrap();
    let text = unicast(second, first, 100, "");
    let mut backup = Daemon::start(second, b, &text).unwrap();
    // Longer than the backup would wait for a master whose adverts it does not accept.
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(!second.holds(vip).unwrap(), "{}", backup.log());
    let of_master = sent(stage, first, since, 200);
    assert!(
        sent(stage, second, since, 100).is_empty(),
        "{}",
        backup.log()
    );
    master.stop(limit).unwrap();
    let of_backup = first_sent(stage, second, since, 100);
    backup.stop(limit).unwrap();
    assert!(of_master.windows(2).all(|pair| pair[0] == pair[1]));
    (of_master[0].clone(), of_backup)
}

fn first_sent(stage: &Stage, host: &Host, since: i64, priority: u8) -> String {
    let first = || Ok(sent(stage, host, since, priority).into_iter().next());
    wait_until("an advert", Duration::from_secs(15), first).unwrap()
}

/// What a daemon sends that is alone on host b.
fn alone(stage: &Stage, program: &Program, words: &str) -> String {
    let (first, second) = (stage.lab.host("a"), stage.lab.host("b"));
    let since = now_ns();
    let text = unicast(second, first, 100, words);
    let mut daemon = Daemon::start(second, program, &text).unwrap();
    let sent = first_sent(stage, second, since, 100);
    daemon.stop(Duration::from_secs(15)).unwrap();
    sent
}

#[test]
fn the_old_unicast_checksum_is_sent_and_learned_as_keepalived_does() {
    let Some(stage) = stage() else {
        return;
    };
    let (theirs_as_master, ours_as_backup) = old_checksum(&stage, &stage.theirs, &stage.ours);
    let (ours_as_master, _) = old_checksum(&stage, &stage.ours, &stage.theirs);
    assert_eq!(theirs_as_master, ours_as_master);
    // What was learned is sent too. keepalived 2.2.7 learns to accept it and goes on sending the usual
    // one, which a peer that is configured for the old one discards.
    let old = alone(&stage, &stage.theirs, "old_unicast_checksum");
    assert_eq!(ours_as_backup, old);
    let usual = alone(&stage, &stage.theirs, "old_unicast_checksum never");
    assert_eq!(alone(&stage, &stage.ours, ""), usual);
    assert_ne!(old, usual);
}
