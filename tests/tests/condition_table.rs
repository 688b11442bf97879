//! Every condition of operation alone and with every other, in every state, coming and going in every
//! order: the virtual router is in FAULT exactly while one is unmet, each keeps its own time, and each
//! change is told once.

use std::collections::{BTreeMap, BTreeSet};

use relevo_core::ids::{Errno, Family, IfIndex, Version};
use relevo_core::kernel::{AddressKey, KernelEvent};
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::{Cause, Device, Fault, Note, StateName};
use relevo_tests::one_host::{Effect, ID, OWN_V6, OneHost, config, link, notes};

const OTHER: IfIndex = IfIndex(4);
/// The second address goes on another interface.
const ELSEWHERE: Device = Device::OfAddress(1);

/// What may be wrong.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Spoiled {
    Missing,
    Renamed,
    Down,
    NoCarrier,
    NoSource,
    Tentative,
    Duplicate,
    OtherMissing,
    OtherDown,
    OtherNoCarrier,
    /// Sockets cannot be opened; the one that is open stays so.
    Sockets,
}

use Spoiled::{
    Down, Duplicate, Missing, NoCarrier, NoSource, OtherDown, OtherMissing, OtherNoCarrier,
    Renamed, Sockets, Tentative,
};

const ALL: [Spoiled; 11] = [
    Missing,
    Renamed,
    Down,
    NoCarrier,
    NoSource,
    Tentative,
    Duplicate,
    OtherMissing,
    OtherDown,
    OtherNoCarrier,
    Sockets,
];

/// What the kernel has to tell of an interface: its name, whether it is up, whether it runs.
type LinkPicture = Option<(&'static str, bool, bool)>;

/// What the kernel has to tell.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Picture {
    own: LinkPicture,
    other: LinkPicture,
    /// The link-local address: tentative, and another host's.
    source: Option<(bool, bool)>,
}

fn picture(spoiled: &BTreeSet<Spoiled>) -> Picture {
    let has = |what| spoiled.contains(&what);
    let name = if has(Renamed) { "lan0" } else { "eth0" };
    let own = (!has(Missing)).then_some((name, !has(Down), !has(NoCarrier) && !has(Down)));
    let running = !has(OtherNoCarrier) && !has(OtherDown);
    Picture {
        own,
        other: (!has(OtherMissing)).then_some(("eth1", !has(OtherDown), running)),
        source: (own.is_some() && !has(NoSource)).then_some((has(Tentative), has(Duplicate))),
    }
}

struct World {
    host: OneHost,
    spoiled: BTreeSet<Spoiled>,
    index: IfIndex,
    socket_open: bool,
    since: BTreeMap<Fault, Instant>,
    told: Vec<Effect>,
}

impl World {
    fn new(spoiled: BTreeSet<Spoiled>) -> Self {
        let mut config = config(Version::V3, Family::V6);
        config.addresses[1].dev = Some("eth1".to_owned());
        let mut host = OneHost::new(config);
        host.present.clear();
        let mut world = Self {
            host,
            spoiled,
            index: IfIndex(3),
            socket_open: false,
            since: BTreeMap::new(),
            told: Vec::new(),
        };
        let nothing = Picture {
            own: None,
            other: None,
            source: None,
        };
        world.tell(KernelEvent::DumpStart);
        world.tell_difference(nothing, picture(&world.spoiled));
        world.tell(KernelEvent::DumpEnd);
        world
    }

    fn tell(&mut self, event: KernelEvent<'_>) {
        let effects = self.host.kernel(event);
        self.react(effects);
    }

    /// Answers whatever is asked for.
    fn react(&mut self, mut effects: Vec<Effect>) {
        while !effects.is_empty() {
            let failing = self.spoiled.contains(&Sockets);
            let result = if failing { Err(Errno::ENOBUFS) } else { Ok(()) };
            if effects
                .iter()
                .any(|effect| matches!(effect, Effect::Open(..)))
            {
                self.socket_open = !failing;
            }
            let mut caused = self.host.open_sockets(&effects, result);
            caused.extend(self.host.settle());
            self.told.append(&mut effects);
            effects = caused;
        }
    }

    fn tell_link(&mut self, (name, up, running): (&'static str, bool, bool), ifindex: IfIndex) {
        let mut told = link(name, ifindex);
        told.admin_up = up;
        told.running = running;
        told.no_arp = ifindex == OTHER;
        self.tell(KernelEvent::Link(told));
    }

    fn tell_difference(&mut self, before: Picture, after: Picture) {
        match (before.own, after.own) {
            (Some(_), None) => {
                let ifindex = self.index;
                self.index = IfIndex(ifindex.0 + 10);
                self.socket_open = false;
                self.tell(KernelEvent::LinkGone { ifindex });
            }
            (former, Some(own)) if former != after.own => {
                self.host.eth0 = self.index;
                self.socket_open &= own.0 == "eth0";
                self.tell_link(own, self.index);
            }
            _ => {}
        }
        let key = AddressKey {
            ifindex: self.index,
            addr: OWN_V6.into(),
            prefix: 64,
        };
        match (before.source, after.source) {
            (Some(_), None) if after.own.is_some() => self.tell(KernelEvent::AddressGone { key }),
            (former, Some(now)) if former != after.source || before.own.is_none() => {
                self.tell(KernelEvent::Address {
                    key,
                    tentative: now.0,
                    dad_failed: now.1,
                    secondary: false,
                    protocol: 0,
                });
            }
            _ => {}
        }
        match (before.other, after.other) {
            (Some(_), None) => self.tell(KernelEvent::LinkGone { ifindex: OTHER }),
            (former, Some(other)) if former != after.other => self.tell_link(other, OTHER),
            _ => {}
        }
    }

    /// One thing is spoiled, or no longer, a second later.
    fn toggle(&mut self, what: Spoiled) {
        self.host.pass(Duration::from_secs(1));
        self.told.clear();
        let before = picture(&self.spoiled);
        if !self.spoiled.remove(&what) {
            self.spoiled.insert(what);
        }
        self.tell_difference(before, picture(&self.spoiled));
        if what == Sockets && !self.spoiled.contains(&Sockets) {
            // It is tried again by itself.
            self.host.pass(Duration::from_secs(5));
            let effects = self.host.look_at_timers();
            self.react(effects);
        }
    }

    /// What must be unmet now.
    fn expected(&self) -> BTreeSet<Fault> {
        let now = picture(&self.spoiled);
        let by = |link: LinkPicture, device| match link {
            None | Some(("lan0", ..)) => Some(Fault::InterfaceMissing(device)),
            Some((_, false, _)) => Some(Fault::InterfaceDown(device)),
            Some((_, true, false)) => Some(Fault::NoCarrier(device)),
            Some((_, true, true)) => None,
        };
        let own = by(now.own, Device::Own);
        let gone = own == Some(Fault::InterfaceMissing(Device::Own));
        let source = match now.source.filter(|_| !gone) {
            None => Some(Fault::NoSource),
            Some((_, true)) => Some(Fault::SourceDuplicate),
            Some((true, false)) => Some(Fault::SourceTentative),
            Some((false, false)) => None,
        };
        let can_open = now.own.is_some_and(|(_, up, _)| up) && !gone;
        let socket = can_open && !self.socket_open;
        let socket = socket.then_some(Fault::SocketFailed(Errno::ENOBUFS));
        let other = by(now.other, ELSEWHERE);
        own.into_iter()
            .chain(source)
            .chain(socket)
            .chain(other)
            .collect()
    }

    #[track_caller]
    fn check(&mut self, case: &str) {
        let expected = self.expected();
        let unmet: BTreeMap<Fault, Instant> = self.host.node.unmet_conditions(ID).collect();
        let names: BTreeSet<Fault> = unmet.keys().copied().collect();
        assert_eq!(names, expected, "{case}");
        let fault = self.host.state() == StateName::Fault;
        assert_eq!(
            fault,
            !names.is_empty(),
            "{case}: {:?} with {names:?}",
            self.host.state()
        );
        assert!(self.host.node.sources_agree(), "{case}");
        let before = std::mem::take(&mut self.since);
        for (condition, since) in &unmet {
            if let Some(former) = before.get(condition) {
                assert_eq!(former, since, "{case}: {condition:?}");
            }
        }
        self.check_told(&before, &unmet, case);
        self.since = unmet;
    }

    /// Each change is told once: by the cause of a transition or by a note of its own.
    #[track_caller]
    fn check_told(
        &self,
        before: &BTreeMap<Fault, Instant>,
        after: &BTreeMap<Fault, Instant>,
        case: &str,
    ) {
        let mut appeared = Vec::new();
        let mut cleared = Vec::new();
        for note in notes(&self.told) {
            match note {
                Note::Cause {
                    cause: Cause::Fault(fault),
                    ..
                } => appeared.push(fault),
                Note::SocketFailed { errno, .. } => appeared.push(Fault::SocketFailed(errno)),
                Note::Condition {
                    fault,
                    lasted: None,
                    ..
                } => appeared.push(fault),
                Note::Condition {
                    fault,
                    lasted: Some(lasted),
                    ..
                } => cleared.push((fault, lasted)),
                _ => {}
            }
        }
        for condition in after.keys().filter(|it| !before.contains_key(it)) {
            let times = appeared.iter().filter(|it| *it == condition).count();
            // The socket's failure is its own note and may be the cause of the transition as well.
            let most = if matches!(condition, Fault::SocketFailed(_)) {
                2
            } else {
                1
            };
            assert!(
                (1..=most).contains(&times),
                "{case}: {condition:?} told {times} times"
            );
        }
        for (condition, since) in before.iter().filter(|(it, _)| !after.contains_key(it)) {
            let told: Vec<_> = cleared.iter().filter(|(it, _)| it == condition).collect();
            assert_eq!(told.len(), 1, "{case}: {condition:?} is over: {told:?}");
            assert_eq!(
                told[0].1,
                self.host.now.since(*since),
                "{case}: {condition:?}"
            );
        }
    }
}

/// A virtual router in `state`, or whose first picture of the kernel has `first` in it.
fn start(state: StateName, first: &[Spoiled]) -> World {
    let spoiled = if state == StateName::Init { first } else { &[] };
    let mut world = World::new(spoiled.iter().copied().collect());
    if state == StateName::Master {
        let effects = world.host.fire();
        world.react(effects);
        assert_eq!(world.host.state(), StateName::Master);
    }
    world.check("start");
    world
}

fn run(state: StateName, order: &[Spoiled], clear: &[Spoiled]) {
    let case = format!("{state:?}: {order:?} and over {clear:?}");
    let mut world = start(state, order);
    if state != StateName::Init {
        for what in order {
            world.toggle(*what);
            world.check(&format!("{case}, at {what:?}"));
        }
    }
    for what in clear {
        world.toggle(*what);
        world.check(&format!("{case}, end of {what:?}"));
    }
    world.host.settle();
    let state = world.host.state();
    assert!(
        matches!(state, StateName::Backup | StateName::Master),
        "{case}"
    );
    world.host.run_for(Duration::from_secs(4));
    assert_eq!(world.host.state(), StateName::Master, "{case}");
}

const STATES: [StateName; 3] = [StateName::Init, StateName::Backup, StateName::Master];

#[test]
fn each_condition_alone_makes_the_fault_and_its_end_ends_it() {
    for state in STATES {
        for what in ALL {
            run(state, &[what], &[what]);
        }
    }
}

#[test]
fn two_conditions_are_independent_in_every_order() {
    for state in STATES {
        for a in ALL {
            for b in ALL.into_iter().filter(|b| *b != a) {
                run(state, &[a, b], &[a, b]);
                run(state, &[a, b], &[b, a]);
            }
        }
    }
}

#[test]
fn all_conditions_at_once_go_one_by_one() {
    for state in STATES {
        for first in 0..ALL.len() {
            let mut order = ALL.to_vec();
            order.rotate_left(first);
            let clear: Vec<Spoiled> = order.iter().rev().copied().collect();
            // So many changes in a row are not all told.
            let mut world = start(StateName::Backup, &[]);
            if state == StateName::Init {
                world = World::new(order.iter().copied().collect());
            } else {
                order.iter().for_each(|what| world.toggle(*what));
            }
            for what in clear {
                let unmet = world.host.node.unmet_conditions(ID).map(|(fault, _)| fault);
                assert_eq!(
                    unmet.collect::<BTreeSet<_>>(),
                    world.expected(),
                    "before {what:?}"
                );
                world.toggle(what);
            }
            assert_eq!(world.host.state(), StateName::Backup);
        }
    }
}

/// A link that changes every second for hours: every state is told, the rest seldom.
#[test]
fn a_flapping_link_does_not_flood_the_log() {
    let mut world = start(StateName::Backup, &[]);
    let (mut entering, mut others, mut untold) = (0, 0, 0);
    for round in 0..12_000 {
        world.toggle(NoCarrier);
        for note in notes(&world.told) {
            match note {
                Note::Entering { .. } => entering += 1,
                Note::Condition { untold: before, .. } => {
                    others += 1;
                    untold += before;
                }
                Note::Interface { .. } => others += 1,
                _ => {}
            }
        }
        assert_eq!(world.host.state() == StateName::Fault, round % 2 == 0);
    }
    assert_eq!(entering, 12_000);
    assert!(
        (2_400..=2_440).contains(&others),
        "{others} lines in 12,000 s"
    );
    assert!(untold > 4_000, "{untold}");
}
