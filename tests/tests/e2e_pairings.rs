#![forbid(unsafe_code)]
//! Two real daemons share an address, in every variant of the protocol and with keepalived on either
//! side. What happened is read from the wire and from the kernel; no log is looked at.

use std::time::Duration;

use relevo_tests::lab::{self, Flavour, Pair, Program, Result, Who, judge, ms, need, now_ns};
use relevo_tests::skip;

/// Who plays the preferred router and who the other.
#[derive(Copy, Clone)]
enum Cast {
    RelevoKeepalived,
    KeepalivedRelevo,
    RelevoRelevo,
}

/// What timers may be late by on a busy machine.
const SLACK: Duration = Duration::from_secs(1);
/// What an orderly end may take, most of it the machine's.
const QUICK: Duration = Duration::from_millis(400);
/// From the start of a process to its first timer.
const START: Duration = Duration::from_millis(1500);
/// How often a new master announces each address at once: keepalived's default.
const REPEATS: usize = 5;

/// Says what is wrong unless `condition`.
fn check(condition: bool, what: impl FnOnce() -> String) -> Result<()> {
    if condition { Ok(()) } else { Err(what()) }
}

fn ns(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// `at` lies at `theory` after `from`: not a millisecond before, and not [`SLACK`] after.
fn on_time(what: &str, from: i64, at: i64, theory: Duration) -> Result<()> {
    let late = at - from - ns(theory);
    check(late >= -1_000_000 && late <= ns(SLACK), || {
        format!(
            "{what}: {} off the theoretical {} ms",
            ms(late),
            theory.as_millis()
        )
    })
}

fn elects_the_lower_when_alone(pair: &mut Pair) -> Result<()> {
    pair.b.start()?;
    let started = now_ns();
    let theory = pair.flavour.master_down(pair.b.priority);
    let limit = theory + START + SLACK;
    let at = pair.wait_advert(Who::B, started, limit, |advert| advert.priority > 0)?;
    let waited = at - started;
    check(waited >= ns(theory) - 1_000_000, || {
        format!("b is master after {}", ms(waited))
    })?;
    pair.wait_holders(false, true, SLACK)?;
    pair.client.wait_answer(at, SLACK).map(|_| ())
}

/// `a` starts, or is started again, while `b` is master: it listens for a master-down time and preempts.
fn preempts(pair: &mut Pair) -> Result<()> {
    let started = now_ns();
    pair.a.start()?;
    let theory = pair.flavour.master_down(pair.a.priority);
    let limit = theory + START + SLACK;
    let at = pair.wait_advert(Who::A, started, limit, |advert| advert.priority > 0)?;
    let waited = at - started;
    check(waited >= ns(theory) - 1_000_000, || {
        format!("a is master after {}", ms(waited))
    })?;
    pair.wait_holders(true, false, SLACK)?;
    announced(pair, Who::A, at)?;
    only_one_speaks(pair, Who::A)?;
    pair.client.wait_answer(at, SLACK).map(|_| ())
}

/// From now on, for a little more than an interval, only `who` sends adverts.
fn only_one_speaks(pair: &Pair, who: Who) -> Result<()> {
    // What was on its way when the addresses changed hands may still come.
    std::thread::sleep(Duration::from_millis(50));
    let since = now_ns();
    let limit = pair.flavour.interval() * 2 + SLACK;
    pair.wait_advert(who, since, limit, |advert| advert.priority > 0)?;
    let source = pair.side(who).source;
    let others = pair
        .capture
        .adverts(since)
        .into_iter()
        .filter(|(_, advert)| advert.src != source);
    let others: Vec<_> = others.collect();
    check(others.is_empty(), || {
        format!("besides {who:?} there spoke {others:?}")
    })
}

/// `who` announced every virtual address from its own MAC, soon after `since`.
fn announced(pair: &Pair, who: Who, since: i64) -> Result<()> {
    let host = &pair.side(who).host;
    for (address, _) in pair.flavour.virtual_addresses() {
        let what = format!("{who:?} announces {address}");
        lab::wait_until(&what, SLACK, || {
            let told = pair.capture.announcements(since);
            let his = told
                .iter()
                .filter(|(_, it)| it.address == address && it.mac == host.mac());
            Ok((his.count() >= REPEATS).then_some(()))
        })?;
    }
    Ok(())
}

/// SIGTERM to the master: priority 0 on the wire, addresses gone, exit code 0, `b` after its skew time.
fn hands_over(pair: &mut Pair) -> Result<()> {
    let asked = now_ns();
    let code = pair.a.stop()?;
    let took = now_ns() - asked;
    check(code == 0, || format!("a ended with code {code}"))?;
    // keepalived waits a second before it ends.
    let limit = if pair.a.program.keepalived {
        SLACK * 3
    } else {
        QUICK
    };
    check(took <= ns(limit), || format!("a took {} to end", ms(took)))?;
    check(pair.holds(Who::A)? == Some(false), || {
        "a kept an address".to_owned()
    })?;
    let zero = pair.wait_advert(Who::A, asked, SLACK, |advert| advert.priority == 0)?;
    let skew = pair.flavour.skew(pair.b.priority);
    let at = pair.wait_advert(Who::B, zero, skew + SLACK, |advert| advert.priority > 0)?;
    on_time("takeover after priority 0", zero, at, skew)?;
    let after = pair.adverts_of(Who::A, zero + 1);
    check(after.is_empty(), || {
        format!("a spoke after its farewell: {after:?}")
    })?;
    pair.wait_holders(false, true, SLACK)?;
    announced(pair, Who::B, at)?;
    pair.client.wait_answer(at, SLACK)?;
    let outage = pair.client.outage(asked).length;
    check(outage <= skew + SLACK, || {
        format!("the client waited {outage:?}")
    })
}

/// The master's power is cut: `b` is there three intervals and its skew time after the last advert.
fn takes_over(pair: &mut Pair) -> Result<()> {
    pair.a.cut_power()?;
    let cut = now_ns();
    let theory = pair.flavour.master_down(pair.b.priority);
    let at = pair.wait_advert(Who::B, cut, theory + SLACK, |advert| advert.priority > 0)?;
    let last = pair.adverts_of(Who::A, 0).last().map_or(0, |(at, _)| *at);
    on_time("takeover after silence", last, at, theory)?;
    pair.wait_holders(false, true, SLACK)?;
    announced(pair, Who::B, at)?;
    let heard = pair.client.wait_answer(at, SLACK)?;
    let outage = pair.client.outage(cut).length;
    check(outage <= theory + SLACK && heard > at, || {
        format!("the client waited {outage:?}")
    })
}

/// The path between the routers is cut: both are master. It heals: only the preferred one is.
fn survives_a_cut(pair: &mut Pair) -> Result<()> {
    let cut = now_ns();
    pair.lab.cut(&pair.a.host, &pair.b.host)?;
    let limit = pair.flavour.master_down(pair.b.priority) + SLACK;
    pair.wait_holders(true, true, limit)?;
    let spoke = pair.adverts_of(Who::A, cut).len();
    check(spoke >= 2, || {
        format!("a sent {spoke} adverts during the cut")
    })?;
    pair.lab.heal(&pair.a.host, &pair.b.host)?;
    let healed = now_ns();
    // The client may go on asking b for a while: when a's advert comes first, b leaves without a word, and
    // a has no reason to announce anything.
    pair.wait_holders(true, false, pair.flavour.interval() * 2 + SLACK)?;
    pair.wait_advert(Who::A, healed, SLACK, |advert| advert.priority > 0)?;
    only_one_speaks(pair, Who::A)
}

/// The master's cable is pulled: it gives the address up, `b` takes it. Plugged in, it returns.
fn notices_its_cable(pair: &mut Pair) -> Result<()> {
    pair.lab.pull(&pair.a.host)?;
    let limit = pair.flavour.master_down(pair.b.priority) + SLACK;
    pair.wait_holders(false, true, limit)?;
    pair.lab.plug(&pair.a.host)?;
    let plugged = now_ns();
    let theory = pair.flavour.master_down(pair.a.priority);
    pair.wait_holders(true, false, theory + START + SLACK)?;
    let at = pair.wait_advert(Who::A, plugged, SLACK, |advert| advert.priority > 0)?;
    announced(pair, Who::A, at)?;
    only_one_speaks(pair, Who::A)
}

/// Both stop: nothing is left on any host.
fn leaves_nothing(pair: &mut Pair) -> Result<()> {
    for side in [&mut pair.b, &mut pair.a] {
        let code = side.stop()?;
        check(code == 0, || {
            format!("{} ended with code {code}", side.host.name)
        })?;
    }
    pair.wait_holders(false, false, Duration::ZERO)
}

type Step = (&'static str, fn(&mut Pair) -> Result<()>);

const STORY: [Step; 11] = [
    ("b alone becomes master", elects_the_lower_when_alone),
    ("a comes and preempts", preempts),
    ("a is told to stop", hands_over),
    ("a comes back", preempts),
    ("a loses its power", takes_over),
    ("a comes back again", preempts),
    ("the path is cut and healed", survives_a_cut),
    ("a's cable is pulled and plugged", notices_its_cable),
    ("both stop", leaves_nothing),
    ("tshark on the adverts", adverts_are_well_formed),
    ("tshark on the announcements", announcements_are_well_formed),
];

/// What every advert of a router must look like, field by field.
fn expected_advert(pair: &Pair, who: Who) -> Vec<(&'static str, String)> {
    let (flavour, side) = (pair.flavour, pair.side(who));
    let peer = pair.side(if who == Who::A { Who::B } else { Who::A });
    let unicast = flavour.cast == lab::Cast::Unicast;
    let (group, mac) = if flavour.ipv6 {
        ("ff02::12", "33:33:00:00:00:12")
    } else {
        ("224.0.0.18", "01:00:5e:00:00:12")
    };
    let to = if unicast {
        peer.source.to_string()
    } else {
        group.to_owned()
    };
    let to_mac = if unicast {
        peer.host.mac_text()
    } else {
        mac.to_owned()
    };
    let addresses = flavour.virtual_addresses();
    let listed: Vec<String> = addresses
        .iter()
        .map(|(address, _)| address.to_string())
        .collect();
    // keepalived 2.2.7 leaves the kernel's default on IPv6 unicast.
    let hops = if flavour.ipv6 && unicast && side.program.keepalived {
        64
    } else {
        255
    };
    let own = |yes: bool, text: String| if yes { text } else { String::new() };
    let (v2, v4) = (flavour.version == 2, !flavour.ipv6);
    let auth = if flavour.password.is_some() { "1" } else { "0" };
    vec![
        ("eth.src", side.host.mac_text()),
        ("eth.dst", to_mac),
        ("ip.dst", own(v4, to.clone())),
        ("ipv6.dst", own(!v4, to)),
        ("ip.ttl", own(v4, hops.to_string())),
        ("ipv6.hlim", own(!v4, hops.to_string())),
        ("ip.dsfield", own(v4, "0xc0".to_owned())),
        ("ip.checksum.status", own(v4, "1".to_owned())),
        ("vrrp.version", flavour.version.to_string()),
        ("vrrp.type", "1".to_owned()),
        ("vrrp.virt_rtr_id", Flavour::VRID.to_string()),
        ("vrrp.addr_count", addresses.len().to_string()),
        ("vrrp.auth_type", own(v2, auth.to_owned())),
        (
            "vrrp.auth_string",
            flavour.password.unwrap_or_default().to_owned(),
        ),
        (
            "vrrp.adver_int",
            own(v2, (flavour.interval_centis / 100).to_string()),
        ),
        (
            "vrrp.short_adver_int",
            own(!v2, flavour.interval_centis.to_string()),
        ),
        ("vrrp.ip_addr", own(v4, listed.join(","))),
        ("vrrp.ipv6_addr", own(!v4, listed.join(","))),
        ("vrrp.checksum.status", "1".to_owned()),
    ]
}

/// The fields of a packet are as expected.
fn compare(row: &judge::Row, expected: &[(&str, String)]) -> Result<()> {
    for (name, value) in expected {
        check(judge::field(row, name) == value, || {
            format!("{name} is not {value:?} in {row:?}")
        })?;
    }
    Ok(())
}

fn adverts_are_well_formed(pair: &mut Pair) -> Result<()> {
    let mut total = 0;
    for who in [Who::A, Who::B] {
        let side = pair.side(who);
        let expected = expected_advert(pair, who);
        let mut fields: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        fields.push("vrrp.prio");
        let family = if pair.flavour.ipv6 { "ipv6" } else { "ip" };
        // Complaints of a kernel quote the advert that they are about.
        let filter = format!(
            "vrrp && !icmp && !icmpv6 && {family}.src == {}",
            side.source
        );
        let rows = judge::decode(pair.capture.path(), &filter, &fields)?;
        for row in &rows {
            compare(row, &expected)?;
            let priority = judge::field(row, "vrrp.prio");
            check(
                priority == "0" || priority == side.priority.to_string(),
                || format!("{who:?} sent priority {priority}"),
            )?;
        }
        check(rows.len() > 10, || {
            format!("{who:?} sent {} adverts", rows.len())
        })?;
        total += rows.len();
    }
    let seen = pair.capture.adverts(0).len();
    check(total == seen, || {
        format!("{total} of {seen} adverts have an expected source")
    })
}

fn announcements_are_well_formed(pair: &mut Pair) -> Result<()> {
    for (address, _) in pair.flavour.virtual_addresses() {
        for who in [Who::A, Who::B] {
            let mac = pair.side(who).host.mac_text();
            let (filter, expected) = if address.is_ipv6() {
                expected_na(&address.to_string(), &mac)
            } else {
                expected_garp(&address.to_string(), &mac)
            };
            let fields: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
            let rows = judge::decode(pair.capture.path(), &filter, &fields)?;
            // Each of them became master four times at least, and was silent about it never.
            check(rows.len() >= 4 * REPEATS, || {
                format!("{} announcements of {address}", rows.len())
            })?;
            for row in &rows {
                compare(row, &expected)?;
            }
        }
    }
    Ok(())
}

fn expected_garp(address: &str, mac: &str) -> (String, Vec<(&'static str, String)>) {
    // A kernel that defends its address answers with the same addresses, but to the one who asked.
    let filter = format!(
        "arp.isgratuitous == 1 && arp.opcode == 1 && arp.src.proto_ipv4 == {address} && eth.src == {mac}"
    );
    let expected = vec![
        ("eth.dst", "ff:ff:ff:ff:ff:ff".to_owned()),
        ("arp.src.hw_mac", mac.to_owned()),
        ("arp.dst.hw_mac", "ff:ff:ff:ff:ff:ff".to_owned()),
        ("arp.dst.proto_ipv4", address.to_owned()),
    ];
    (filter, expected)
}

fn expected_na(address: &str, mac: &str) -> (String, Vec<(&'static str, String)>) {
    let filter = format!(
        "icmpv6.type == 136 && icmpv6.nd.na.flag.s == 0 && eth.src == {mac} && \
         icmpv6.nd.na.target_address == {address}"
    );
    let expected = vec![
        ("eth.dst", "33:33:00:00:00:01".to_owned()),
        ("ipv6.dst", "ff02::1".to_owned()),
        ("ipv6.hlim", "255".to_owned()),
        ("icmpv6.nd.na.flag.r", "0".to_owned()),
        ("icmpv6.nd.na.flag.o", "1".to_owned()),
        ("icmpv6.opt.linkaddr", mac.to_owned()),
        ("icmpv6.checksum.status", "1".to_owned()),
    ];
    (filter, expected)
}

fn play(flavour: Flavour, cast: Cast) {
    if let Some(reason) = need::keepalived() {
        skip!("{reason}");
    }
    let programs = || -> Result<(Program, Program)> {
        let (ours, theirs) = (Program::relevo()?, Program::keepalived()?);
        Ok(match cast {
            Cast::RelevoKeepalived => (ours, theirs),
            Cast::KeepalivedRelevo => (theirs, ours),
            Cast::RelevoRelevo => (ours.clone(), ours),
        })
    };
    let (a, b) = programs().unwrap();
    let mut pair = Pair::new(flavour, &a, &b).unwrap();
    for (what, step) in STORY {
        let begun = now_ns();
        if let Err(error) = step(&mut pair) {
            panic!("{what}: {error}\n{}", pair.report());
        }
        println!("{what}: {}", ms(now_ns() - begun));
    }
}

/// One test for each flavour and cast.
macro_rules! pairings {
    ($($name:ident: $flavour:expr;)*) => {
        $(mod $name {
            use super::{Cast, Flavour, play};

            #[test]
            fn relevo_over_keepalived() {
                play($flavour, Cast::RelevoKeepalived);
            }

            #[test]
            fn keepalived_over_relevo() {
                play($flavour, Cast::KeepalivedRelevo);
            }

            #[test]
            fn relevo_over_relevo() {
                play($flavour, Cast::RelevoRelevo);
            }
        })*
    };
}

pairings! {
    v2_multicast: Flavour::V2;
    v2_unicast: Flavour::V2.unicast();
    v2_password_multicast: Flavour::V2_PASS;
    v2_password_unicast: Flavour::V2_PASS.unicast();
    v3_multicast: Flavour::V3;
    v3_unicast: Flavour::V3.unicast();
    v3_ipv6_multicast: Flavour::V3_IPV6;
    v3_ipv6_unicast: Flavour::V3_IPV6.unicast();
}
