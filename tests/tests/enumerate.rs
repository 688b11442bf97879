//! Every state against every event, under every kind of preemption, version, family and
//! destination. [`expected`] is the table: RFC 9568 section 6.4 (RFC 3768 section 6.4) with what
//! keepalived adds (K-4, `preempt_delay`, faults, the deletion of an address by others).

use relevo_core::config::bound::{Destination, InstanceConfig};
use relevo_core::ids::{Family, SocketId, Version};
use relevo_core::kernel::KernelEvent;
use relevo_core::machine::Machine;
use relevo_core::time::Duration;
use relevo_core::vrrp::{Note, StateName, VrrpTimer};
use relevo_tests::one_host::{
    Advert, ETH0, Effect, ID, OneHost, added, announced, config, deleted, key_on_eth0, link,
    neighbour, notes, own, priorities, virtual_addresses,
};

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Preempt {
    Yes,
    No,
    /// Yes, but a lower priority is tolerated for 30 s.
    Delayed,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Event {
    Lower,
    EqualFromLesserAddress,
    EqualFromGreaterAddress,
    Higher,
    PriorityZero,
    Owner,
    Timer,
    LinkDown,
    LinkUp,
    AddressDeleted,
    Stop,
}

/// What becomes of the earliest deadline.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Deadline {
    None,
    /// The one that was set runs on.
    Kept,
    /// Master-down interval of our own advert interval.
    MasterDown,
    /// Master-down interval of the advert interval just heard; in v2 that is ours.
    MasterDownLearned,
    /// Skew time alone.
    Skew,
    /// One advert interval.
    Adver,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Addresses {
    Untouched,
    Added,
    Deleted,
    /// All of them, save the one that is gone already.
    OthersDeleted,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Outcome {
    state: StateName,
    /// Priority of the advert that is sent at once, to each destination.
    advert: Option<u8>,
    addresses: Addresses,
    deadline: Deadline,
    /// Addresses are announced at once.
    announced: bool,
}

const OURS: u8 = 100;

/// The table.
fn expected(state: StateName, event: Event, preempt: Preempt) -> Outcome {
    let quiet = |state, deadline| Outcome {
        state,
        advert: None,
        addresses: Addresses::Untouched,
        deadline,
        announced: false,
    };
    match state {
        StateName::Init => match event {
            Event::LinkDown => quiet(StateName::Fault, Deadline::None),
            _ => quiet(StateName::Init, Deadline::None),
        },
        StateName::Fault => match event {
            Event::LinkUp => quiet(StateName::Backup, Deadline::MasterDown),
            Event::Stop => quiet(StateName::Init, Deadline::None),
            _ => quiet(StateName::Fault, Deadline::None),
        },
        StateName::Backup => match event {
            Event::PriorityZero => quiet(state, Deadline::Skew),
            Event::Lower => match preempt {
                Preempt::Yes => quiet(state, Deadline::Kept),
                Preempt::No | Preempt::Delayed => quiet(state, Deadline::MasterDownLearned),
            },
            Event::EqualFromLesserAddress
            | Event::EqualFromGreaterAddress
            | Event::Higher
            | Event::Owner => quiet(state, Deadline::MasterDownLearned),
            Event::Timer => Outcome {
                advert: Some(OURS),
                addresses: Addresses::Added,
                ..quiet(StateName::Master, Deadline::Adver)
            },
            Event::LinkDown => quiet(StateName::Fault, Deadline::None),
            Event::LinkUp | Event::AddressDeleted => quiet(state, Deadline::Kept),
            Event::Stop => quiet(StateName::Init, Deadline::None),
        },
        StateName::Master => match event {
            Event::PriorityZero | Event::Timer => Outcome {
                advert: Some(OURS),
                announced: event == Event::PriorityZero,
                ..quiet(state, Deadline::Adver)
            },
            Event::Lower | Event::EqualFromLesserAddress => Outcome {
                advert: Some(OURS),
                announced: true,
                ..quiet(state, Deadline::Kept)
            },
            Event::EqualFromGreaterAddress | Event::Higher | Event::Owner => Outcome {
                addresses: Addresses::Deleted,
                ..quiet(StateName::Backup, Deadline::MasterDownLearned)
            },
            Event::LinkUp => quiet(state, Deadline::Kept),
            Event::AddressDeleted => Outcome {
                advert: Some(0),
                addresses: Addresses::OthersDeleted,
                ..quiet(StateName::Backup, Deadline::Skew)
            },
            Event::LinkDown | Event::Stop => Outcome {
                advert: Some(0),
                addresses: Addresses::Deleted,
                ..expected(StateName::Backup, event, preempt)
            },
        },
    }
}

const STATES: [StateName; 4] = [
    StateName::Init,
    StateName::Backup,
    StateName::Master,
    StateName::Fault,
];
const EVENTS: [Event; 11] = [
    Event::Lower,
    Event::EqualFromLesserAddress,
    Event::EqualFromGreaterAddress,
    Event::Higher,
    Event::PriorityZero,
    Event::Owner,
    Event::Timer,
    Event::LinkDown,
    Event::LinkUp,
    Event::AddressDeleted,
    Event::Stop,
];
const OWN_INTERVAL: Duration = Duration::from_secs(2);
/// What the neighbour says in v3; in v2 it has to say ours.
const THEIR_INTERVAL: Duration = Duration::from_centis(70);

fn configured(version: Version, family: Family, unicast: bool, preempt: Preempt) -> InstanceConfig {
    let mut config = config(version, family);
    config.advert_interval = OWN_INTERVAL;
    config.priority = OURS;
    if unicast {
        let peers = vec![neighbour(family, 1), neighbour(family, 9)];
        config.destination = Destination::Unicast(peers);
    }
    match preempt {
        Preempt::Yes => {}
        Preempt::No => config.preempt = false,
        Preempt::Delayed => config.preempt_delay = Duration::from_secs(30),
    }
    config
}

/// A host in `state`, some time after it got there.
fn host_in(state: StateName, config: InstanceConfig) -> OneHost {
    let mut host = match state {
        StateName::Init => {
            // The socket is asked for and not open yet.
            let mut host = OneHost::new(config);
            host.dump(&[link("eth0", ETH0)]);
            host
        }
        StateName::Backup => OneHost::backup(config),
        StateName::Master => OneHost::master(config),
        StateName::Fault => {
            let mut host = OneHost::backup(config);
            host.set_link(false);
            host
        }
    };
    assert_eq!(host.state(), state);
    assert_ne!(host.socket, SocketId(u32::MAX));
    host.pass(Duration::from_millis(300));
    host
}

fn hear(host: &mut OneHost, number: u8, priority: u8) -> Vec<Effect> {
    let mut advert = Advert::from_neighbour(&host.config(), number, priority);
    if host.config().version == Version::V3 {
        advert.interval = THEIR_INTERVAL;
    }
    host.hear(&advert)
}

fn happen(host: &mut OneHost, event: Event) -> Vec<Effect> {
    match event {
        Event::Lower => hear(host, 9, OURS - 1),
        Event::EqualFromLesserAddress => hear(host, 4, OURS),
        Event::EqualFromGreaterAddress => hear(host, 6, OURS),
        Event::Higher => hear(host, 1, OURS + 1),
        Event::PriorityZero => hear(host, 9, 0),
        Event::Owner => hear(host, 1, 255),
        Event::Timer => match host.node.next_timeout() {
            Some(_) => host.fire(),
            None => {
                host.pass(Duration::from_secs(1_000));
                host.look_at_timers()
            }
        },
        Event::LinkDown => host.set_link(false),
        Event::LinkUp => host.set_link(true),
        Event::AddressDeleted => {
            let first = virtual_addresses(host.config().family)[0];
            let key = key_on_eth0(first, host.config().family.prefix_max());
            host.present.remove(&key);
            host.kernel(KernelEvent::AddressGone { key })
        }
        Event::Stop => host.stop(),
    }
}

/// Skew time: RFC 9568 section 6.1, RFC 3768 section 6.1.
fn skew_time(version: Version, interval: Duration) -> Duration {
    let scale = match version {
        Version::V2 => 1_000_000,
        Version::V3 => interval.as_micros(),
    };
    Duration::from_micros((256 - u64::from(OURS)) * scale / 256)
}

fn deadline(
    wanted: Deadline,
    version: Version,
    kept: Option<(VrrpTimer, Duration)>,
) -> Option<(VrrpTimer, Duration)> {
    let learned = match version {
        Version::V2 => OWN_INTERVAL,
        Version::V3 => THEIR_INTERVAL,
    };
    let master_down = |interval| interval * 3 + skew_time(version, interval);
    match wanted {
        Deadline::None => None,
        Deadline::Kept => kept,
        Deadline::MasterDown => Some((VrrpTimer::MasterDown(ID), master_down(OWN_INTERVAL))),
        Deadline::MasterDownLearned => Some((VrrpTimer::MasterDown(ID), master_down(learned))),
        Deadline::Skew => Some((VrrpTimer::MasterDown(ID), skew_time(version, OWN_INTERVAL))),
        Deadline::Adver => Some((VrrpTimer::Advert(ID), OWN_INTERVAL)),
    }
}

fn check(state: StateName, event: Event, preempt: Preempt, config: &InstanceConfig, case: &str) {
    let mut host = host_in(state, config.clone());
    let kept = host.timer();
    let effects = happen(&mut host, event);
    let wanted = expected(state, event, preempt);
    assert_eq!(host.state(), wanted.state, "state: {case}");
    let destinations = match &config.destination {
        Destination::Multicast(_) => 1,
        Destination::Unicast(peers) => peers.len(),
    };
    let sent: Vec<u8> = wanted.advert.into_iter().collect();
    assert_eq!(
        priorities(&effects),
        sent.repeat(destinations),
        "adverts: {case}"
    );
    let all = virtual_addresses(config.family);
    let (to_add, mut to_delete) = match wanted.addresses {
        Addresses::Untouched => (vec![], vec![]),
        Addresses::Added => (all, vec![]),
        Addresses::Deleted => (vec![], all),
        Addresses::OthersDeleted => (vec![], all[1..].to_vec()),
    };
    // Last in, first out.
    to_delete.reverse();
    assert_eq!(added(&effects), to_add, "added: {case}");
    assert_eq!(deleted(&effects), to_delete, "deleted: {case}");
    let after = deadline(wanted.deadline, config.version, kept);
    assert_eq!(host.timer(), after, "deadline: {case}");
    // A unicast instance that works again announces its own address too.
    let told = announced(&effects)
        .iter()
        .any(|addr| *addr != own(config.family));
    assert_eq!(told, wanted.announced, "announcements: {case}");
    let entered = notes(&effects)
        .iter()
        .any(|note| matches!(note, Note::Entering { state, .. } if *state == wanted.state));
    let changed = state != wanted.state && event != Event::Stop;
    assert_eq!(entered, changed, "what is told: {case}");
    let exits = effects.contains(&Effect::Exit(0));
    let at_once = event == Event::Stop && wanted.addresses == Addresses::Untouched;
    assert_eq!(exits, at_once, "exit: {case}");
}

#[test]
fn every_state_and_event_has_the_outcome_of_the_table() {
    let mut cases = 0;
    for (version, family) in [
        (Version::V2, Family::V4),
        (Version::V3, Family::V4),
        (Version::V3, Family::V6),
    ] {
        for unicast in [false, true] {
            for preempt in [Preempt::Yes, Preempt::No, Preempt::Delayed] {
                let config = configured(version, family, unicast, preempt);
                for state in STATES {
                    for event in EVENTS {
                        let case = format!(
                            "{state:?} {event:?} {preempt:?} {version:?} {family} unicast {unicast}"
                        );
                        check(state, event, preempt, &config, &case);
                        cases += 1;
                    }
                }
            }
        }
    }
    assert_eq!(cases, 3 * 2 * 3 * 4 * 11);
}

/// `preempt_delay` over time: what the single steps of the table cannot show.
#[test]
fn preempt_delay_runs_from_the_first_lower_priority_and_a_higher_one_cancels_it() {
    let config = configured(Version::V3, Family::V4, false, Preempt::Delayed);
    let mut host = OneHost::backup(config);
    let tolerate = |host: &mut OneHost| {
        // 43 of them, the last one 29.4 s after the first.
        for _ in 0..43 {
            hear(host, 9, 50);
            host.pass(THEIR_INTERVAL);
            assert_eq!(priorities(&host.look_at_timers()), []);
        }
    };
    tolerate(&mut host);
    // A higher priority ends the tolerance, and the next lower one begins it anew.
    hear(&mut host, 9, 200);
    tolerate(&mut host);
    // 30.1 s after the first one they are discarded: the timer runs out although they go on.
    let mut passed = THEIR_INTERVAL;
    while host.state() == StateName::Backup {
        assert!(passed < Duration::from_secs(10), "no takeover");
        hear(&mut host, 9, 50);
        host.pass(Duration::from_micros(1));
        host.look_at_timers();
        let (_, left) = host.timer().expect("a deadline");
        let step = left.min(Duration::from_millis(100));
        host.pass(step);
        host.look_at_timers();
        passed = passed + Duration::from_micros(1) + step;
    }
    let down = THEIR_INTERVAL * 3 + skew_time(Version::V3, THEIR_INTERVAL);
    assert_eq!(passed, down);
}

/// An owner that hears an owner: the greater address stays (behaviour of both RFCs' equal-priority
/// rule; nothing is special about 255).
#[test]
fn two_owners_are_told_apart_by_their_addresses() {
    for (number, wins) in [(4, false), (6, true)] {
        let mut config = config(Version::V3, Family::V4);
        config.priority = 255;
        config.state_master = true;
        let mut host = OneHost::master(config);
        host.hear_neighbour(number, 255);
        assert_eq!(host.state() == StateName::Backup, wins);
    }
}

/// What was learned from a master is forgotten when there is none (behaviour of the original, save
/// for its bug of keeping it without detailed logging).
#[test]
fn a_new_master_counts_in_its_own_interval_again() {
    let config = configured(Version::V3, Family::V4, false, Preempt::Yes);
    let mut host = OneHost::backup(config);
    hear(&mut host, 1, OURS + 1);
    host.fire();
    host.settle();
    assert_eq!(host.state(), StateName::Master);
    happen(&mut host, Event::AddressDeleted);
    let skew = deadline(Deadline::Skew, Version::V3, None);
    assert_eq!(host.timer(), skew);
}

/// The wake-up itself came late: what was sent meanwhile may have been lost, so one more interval
/// and skew time is granted. A host that is always late still takes over.
#[test]
fn a_late_wake_up_is_no_silence() {
    let config = configured(Version::V3, Family::V4, false, Preempt::Yes);
    let grace = OWN_INTERVAL + skew_time(Version::V3, OWN_INTERVAL);
    // Skew time 1.21875 s is more than half an interval.
    let tolerable = skew_time(Version::V3, OWN_INTERVAL);
    let late = |by: Duration| {
        let mut host = OneHost::backup(config.clone());
        let (_, left) = host.timer().expect("a deadline");
        host.pass(left + by);
        host.look_at_timers();
        host
    };
    assert_eq!(late(tolerable).state(), StateName::Master);
    let by = tolerable + Duration::from_micros(1);
    let mut host = late(by);
    for round in 1..=3 {
        assert_eq!(host.state(), StateName::Backup, "round {round}");
        assert_eq!(host.timer(), Some((VrrpTimer::MasterDown(ID), grace)));
        host.pass(grace + by);
        host.look_at_timers();
    }
    assert_eq!(host.state(), StateName::Master);
    // A master that is heard meanwhile is followed.
    let mut host = late(by);
    hear(&mut host, 1, OURS + 1);
    let learned = deadline(Deadline::MasterDownLearned, Version::V3, None);
    assert_eq!(host.timer(), learned);
}

#[test]
fn adverts_do_not_drift_and_do_not_pile_up() {
    let mut config = configured(Version::V3, Family::V4, false, Preempt::Yes);
    config.garp.master_delay = Duration::ZERO;
    let mut host = OneHost::master(config);
    let late = Duration::from_millis(5);
    let start = host.now;
    for count in 1..=10 {
        let (_, left) = host.timer().expect("a deadline");
        host.pass(left + late);
        assert_eq!(priorities(&host.look_at_timers()), [OURS]);
        assert_eq!(host.now.since(start), OWN_INTERVAL * count + late);
        host.settle();
    }
    // After a stall there is one advert, not one for each that was missed.
    host.pass(OWN_INTERVAL * 7);
    assert_eq!(priorities(&host.look_at_timers()), [OURS]);
    let (_, left) = host.timer().expect("a deadline");
    assert_eq!(left, OWN_INTERVAL);
}
