//! A new configuration in a running machine: only the difference is carried out.
//!
//! The kernel here answers at once and in order, so whatever goes missing is the machine's doing.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use relevo_core::config::bound::{Bound, InstanceConfig, VirtualAddress};
use relevo_core::ids::{IfIndex, InstanceId, OpId, SocketId, Version};
use relevo_core::kernel::{AddressAttrs, AddressKey, KernelEvent, KernelOp, Link, ROUTE_PROTOCOL};
use relevo_core::machine::{Machine, Out};
use relevo_core::rng::Rng;
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::{Command, Ingress, SocketSpec, StateName, VrrpAction, VrrpEvent, VrrpNode};
use relevo_tests::one_host::Advert;

/// A host with `eth0` and `eth1`, whose kernel does what it is told.
struct Rig {
    node: VrrpNode,
    bound: Arc<Bound>,
    now: Instant,
    table: BTreeMap<AddressKey, AddressAttrs>,
    sockets: BTreeMap<SocketId, SocketSpec>,
    deleted: Vec<AddressKey>,
    added: Vec<AddressKey>,
    /// Adverts by the name of the virtual router: when, and what follows the IP header.
    sent: Vec<(String, Instant, Vec<u8>)>,
    actions: usize,
    reloads: u64,
    answers: VecDeque<VrrpEvent<'static>>,
    answering: bool,
    /// Addresses with which the others of their subnet go.
    primaries: BTreeSet<AddressKey>,
}

const OWN: [(u32, &str, [u8; 4]); 2] = [(3, "eth0", [10, 0, 0, 5]), (4, "eth1", [10, 0, 1, 5])];

impl Rig {
    fn new(bound: Bound) -> Self {
        let bound = Arc::new(bound);
        let mut rig = Self {
            node: VrrpNode::new(Arc::clone(&bound), 0, Instant::ZERO),
            bound,
            now: Instant::ZERO,
            table: BTreeMap::new(),
            sockets: BTreeMap::new(),
            deleted: Vec::new(),
            added: Vec::new(),
            sent: Vec::new(),
            actions: 0,
            reloads: 0,
            answers: VecDeque::new(),
            answering: false,
            primaries: BTreeSet::new(),
        };
        rig.kernel(KernelEvent::DumpStart);
        for (ifindex, name, own) in OWN {
            let ifindex = IfIndex(ifindex);
            rig.kernel(KernelEvent::Link(Link {
                ifindex,
                name,
                mac: &[2, 0, 0, 0, 0, 5],
                admin_up: true,
                running: true,
                loopback: false,
                no_arp: false,
                multicast: true,
                forwarding: true,
                mtu: 1_500,
            }));
            let (addr, prefix) = (IpAddr::from(own), 24);
            let key = AddressKey {
                ifindex,
                addr,
                prefix,
            };
            rig.kernel(present(key, 0));
        }
        rig.kernel(KernelEvent::DumpEnd);
        rig
    }

    fn kernel(&mut self, event: KernelEvent<'_>) {
        self.deliver(VrrpEvent::Kernel(event));
    }

    fn deliver(&mut self, event: VrrpEvent<'_>) {
        let mut out = Out::new();
        self.node.handle(event, self.now, &mut out);
        self.carry_out(&mut out);
        while self.node.more() {
            self.node.handle(VrrpEvent::Continue, self.now, &mut out);
            self.carry_out(&mut out);
        }
    }

    fn reload(&mut self, bound: Bound) {
        self.reloads += 1;
        let number = self.reloads;
        self.actions = 0;
        self.added.clear();
        self.deleted.clear();
        self.sent.clear();
        let bound = Arc::new(bound);
        self.deliver(VrrpEvent::Reload { number, bound });
        assert!(!self.node.is_reloading(), "everything is answered");
        assert!(self.node.sources_agree());
    }

    fn carry_out(&mut self, out: &mut Out<VrrpAction>) {
        let done = std::mem::take(out);
        self.actions += done.len();
        let mut answers: Vec<VrrpEvent<'static>> = Vec::new();
        for action in done.actions() {
            match action {
                VrrpAction::SendAdvert {
                    instance,
                    socket,
                    src,
                    packet,
                    ..
                } => {
                    assert!(self.sockets.contains_key(socket), "a socket that is open");
                    let name = self.bound.instance(*instance).name.clone();
                    let skip = if src.is_ipv4() { 20 } else { 0 };
                    let bytes = done.bytes(*packet)[skip..].to_vec();
                    self.sent.push((name, self.now, bytes));
                }
                VrrpAction::Kernel { op, change } => self.change(*op, change, &mut answers),
                VrrpAction::OpenSocket { socket, spec, .. } => {
                    self.sockets.insert(*socket, *spec);
                    let (socket, result) = (*socket, Ok(()));
                    answers.push(VrrpEvent::Socket { socket, result });
                }
                VrrpAction::CloseSocket(socket) => {
                    assert!(self.sockets.remove(socket).is_some(), "it was open");
                }
                VrrpAction::InForce(bound) => self.bound = Arc::clone(bound),
                VrrpAction::SendGarp { .. }
                | VrrpAction::SendNa { .. }
                | VrrpAction::GrowSocket { .. }
                | VrrpAction::Remember { .. }
                | VrrpAction::Forget { .. }
                | VrrpAction::Note(_)
                | VrrpAction::Exit(_) => {}
            }
        }
        // In the order of the causes: the kernel's news never overtake each other.
        self.answers.extend(answers);
        if std::mem::replace(&mut self.answering, true) {
            return;
        }
        while let Some(answer) = self.answers.pop_front() {
            self.node.handle(answer, self.now, out);
            self.carry_out(out);
        }
        self.answering = false;
    }

    fn change(&mut self, op: OpId, change: &KernelOp, answers: &mut Vec<VrrpEvent<'static>>) {
        let result = Ok(());
        match change {
            KernelOp::AddAddress { key, attrs } => {
                let before = self.table.insert(*key, attrs.clone());
                assert_eq!(before, None, "{key:?} is there already");
                self.added.push(*key);
                answers.push(VrrpEvent::Done { op, result });
                answers.push(VrrpEvent::Kernel(present(*key, ROUTE_PROTOCOL)));
            }
            KernelOp::DelAddress { key } => {
                assert!(self.table.remove(key).is_some(), "{key:?} is not there");
                self.deleted.push(*key);
                answers.push(VrrpEvent::Done { op, result });
                let gone = |key| VrrpEvent::Kernel(KernelEvent::AddressGone { key });
                answers.push(gone(*key));
                // Without promote_secondaries.
                let network = |key: &AddressKey| match key.addr {
                    IpAddr::V4(addr) => addr.octets()[..3].to_vec(),
                    IpAddr::V6(_) => Vec::new(),
                };
                let first = self.primaries.contains(key);
                for other in self.present() {
                    if first && other.prefix == key.prefix && network(&other) == network(key) {
                        self.table.remove(&other);
                        answers.push(gone(other));
                    }
                }
            }
        }
    }

    /// Lets time pass and acts on every deadline in it.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.node.next_timeout()
            && at <= end
        {
            self.now = self.now.max(at);
            let mut out = Out::new();
            self.node.handle_timeout(self.now, &mut out);
            self.carry_out(&mut out);
            while self.node.more() {
                self.node.handle(VrrpEvent::Continue, self.now, &mut out);
                self.carry_out(&mut out);
            }
        }
        self.now = end;
    }

    /// A neighbour of this priority speaks for a virtual router.
    fn hear(&mut self, id: InstanceId, priority: u8) {
        let config = self.bound.instance(id).clone();
        let mut advert = Advert::from_neighbour(&config, 9, priority);
        let last = if config.interface == "eth0" { 0 } else { 1 };
        advert.src = Ipv4Addr::new(10, 0, last, 9).into();
        let ifindex = IfIndex(3 + u32::from(last));
        let socket = self
            .sockets
            .iter()
            .find(|(_, spec)| spec.ifindex == ifindex);
        let Some((&socket, _)) = socket else { return };
        let octets = advert.octets();
        let packet = Ingress::V4 { datagram: &octets };
        self.deliver(VrrpEvent::Packet { socket, packet });
    }

    fn states(&self) -> BTreeMap<String, StateName> {
        let all = self.bound.iter();
        all.map(|(id, config)| (config.name.clone(), self.node.state(id)))
            .collect()
    }

    /// What the masters want to be there.
    fn wanted(&self) -> BTreeSet<AddressKey> {
        let masters = self
            .bound
            .iter()
            .filter(|(id, _)| self.node.state(*id) == StateName::Master);
        let keys = masters.flat_map(|(_, config)| {
            let all = config.all_addresses();
            all.map(|address| key(address.dev.as_deref().unwrap_or(&config.interface), address))
        });
        keys.collect()
    }

    fn present(&self) -> BTreeSet<AddressKey> {
        self.table.keys().copied().collect()
    }
}

fn present(key: AddressKey, protocol: u8) -> KernelEvent<'static> {
    KernelEvent::Address {
        key,
        tentative: false,
        dad_failed: false,
        secondary: false,
        protocol,
    }
}

fn key(interface: &str, address: &VirtualAddress) -> AddressKey {
    AddressKey {
        ifindex: IfIndex(if interface == "eth0" { 3 } else { 4 }),
        addr: address.addr,
        prefix: address.prefix,
    }
}

fn address(last: u8) -> VirtualAddress {
    VirtualAddress::new(Ipv4Addr::new(10, 0, 0, last).into(), 32)
}

fn router(name: &str, vrid: u8, addresses: &[u8]) -> InstanceConfig {
    let addresses = addresses.iter().map(|last| address(*last)).collect();
    InstanceConfig::new(name, "eth0", Version::V3, vrid, addresses)
}

fn bound(instances: Vec<InstanceConfig>) -> Bound {
    Bound {
        instances,
        ..Bound::default()
    }
}

const LONG: Duration = Duration::from_secs(10);

fn three() -> Bound {
    bound(vec![
        router("VI_1", 51, &[101, 111]),
        router("VI_2", 52, &[102]),
        router("VI_3", 53, &[103]),
    ])
}

/// All three are masters.
fn three_masters() -> Rig {
    let mut rig = Rig::new(three());
    rig.pass(LONG);
    assert_eq!(rig.present(), rig.wanted());
    assert_eq!(rig.table.len(), 4);
    rig
}

#[test]
fn an_identical_configuration_yields_no_action_at_all() {
    let mut rig = three_masters();
    let before = rig.node.without_counters();
    rig.reload(three());
    assert_eq!(rig.actions, 0);
    assert!(rig.node.without_counters() == before);
}

#[test]
fn one_that_changes_adverts_at_once_and_the_others_in_their_time() {
    let mut rig = three_masters();
    rig.pass(Duration::from_millis(300));
    let mut new = three();
    new.instances[1].priority = 50;
    rig.reload(new);
    let names: Vec<&str> = rig.sent.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["VI_2"]);
    assert_eq!(rig.sent[0].2[2], 50, "the new priority");
    assert_eq!((rig.added.len(), rig.deleted.len()), (0, 0));
    let changed_at = rig.now;
    rig.sent.clear();
    rig.pass(Duration::from_millis(999));
    let before: Vec<&str> = rig.sent.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(before, ["VI_1", "VI_3"], "as if nothing had been");
    rig.pass(Duration::from_millis(1));
    let (name, at, _) = rig.sent.last().expect("an advert");
    assert_eq!(
        (name.as_str(), *at),
        ("VI_2", changed_at + Duration::from_secs(1))
    );
    // It stays master until a better one speaks.
    assert_eq!(rig.states()["VI_2"], StateName::Master);
    rig.hear(InstanceId(1), 60);
    assert_eq!(rig.states()["VI_2"], StateName::Backup);
}

#[test]
fn another_order_and_other_names_are_no_difference_on_the_wire() {
    let mut rig = three_masters();
    rig.pass(Duration::from_millis(250));
    let mut new = three();
    new.instances.reverse();
    new.instances[0].name = "VI_X".to_owned();
    rig.hear(InstanceId(1), 200);
    rig.reload(new);
    assert_eq!((rig.added.len(), rig.deleted.len()), (0, 0));
    assert_eq!(rig.sent, []);
    let states = rig.states();
    assert_eq!(states["VI_X"], StateName::Master);
    assert_eq!(states["VI_2"], StateName::Backup);
    assert_eq!(rig.node.stats(InstanceId(0)).became_master, 1);
    assert_eq!(rig.node.stats(InstanceId(1)).released_master, 1);
    // Every number followed: packets, timers and addresses are those of the same routers.
    rig.hear(InstanceId(0), 200);
    assert_eq!(rig.states()["VI_X"], StateName::Backup);
    assert_eq!(rig.present(), rig.wanted());
    rig.pass(LONG);
    assert_eq!(rig.table.len(), 4);
    assert_eq!(rig.present(), rig.wanted());
}

#[test]
fn an_address_that_moves_between_masters_is_never_absent() {
    for reversed in [false, true] {
        let mut rig = three_masters();
        let mut new = bound(vec![
            router("VI_1", 51, &[101]),
            router("VI_2", 52, &[102, 111]),
            router("VI_3", 53, &[103]),
        ]);
        if reversed {
            new.instances.reverse();
        }
        rig.reload(new);
        assert_eq!((rig.added.len(), rig.deleted.len()), (0, 0));
        assert_eq!(rig.sent.len(), 2, "both advert their new lists");
        // And it is the new one's alone.
        let vi_1 = if reversed {
            InstanceId(2)
        } else {
            InstanceId(0)
        };
        rig.hear(vi_1, 200);
        assert_eq!(rig.deleted, [key("eth0", &address(101))]);
        rig.hear(InstanceId(1), 200);
        assert_eq!(rig.table.len(), 1);
    }
}

#[test]
fn what_is_new_is_there_before_what_is_old_goes() {
    let mut rig = three_masters();
    let mut new = three();
    new.instances[0] = router("VI_1", 51, &[101, 120]);
    new.instances[2] = router("VI_3", 53, &[104]);
    // By hand: the order over all virtual routers is what counts.
    let mut out = Out::new();
    let (number, bound) = (1, Arc::new(new));
    rig.node
        .handle(VrrpEvent::Reload { number, bound }, rig.now, &mut out);
    let mut order = Vec::new();
    loop {
        for action in out.actions() {
            match action {
                VrrpAction::Kernel { op, change } => order.push((
                    Some(*op),
                    match change {
                        KernelOp::AddAddress { key, .. } => format!("add {}", key.addr),
                        KernelOp::DelAddress { key } => format!("delete {}", key.addr),
                    },
                )),
                VrrpAction::SendGarp { addr, .. } => order.push((None, format!("garp {addr}"))),
                _ => {}
            }
        }
        out.clear();
        if rig.node.more() {
            rig.node.handle(VrrpEvent::Continue, rig.now, &mut out);
        } else if let Some(op) = order.iter_mut().find_map(|(op, _)| op.take()) {
            let result = Ok(());
            assert!(rig.node.is_reloading());
            rig.node
                .handle(VrrpEvent::Done { op, result }, rig.now, &mut out);
        } else {
            break;
        }
    }
    assert!(!rig.node.is_reloading());
    let order: Vec<String> = order.into_iter().map(|(_, text)| text).collect();
    let place = |wanted: &str| order.iter().position(|text| text == wanted);
    for (first, then) in [
        ("add 10.0.0.120", "garp 10.0.0.120"),
        ("garp 10.0.0.120", "delete 10.0.0.103"),
        ("garp 10.0.0.104", "delete 10.0.0.111"),
    ] {
        assert!(place(first).is_some(), "{first}: {order:?}");
        assert!(place(first) < place(then), "{first}, {then}: {order:?}");
    }
}

#[test]
fn another_identifier_leaves_in_order_and_starts_cold() {
    let mut rig = three_masters();
    let mut new = three();
    new.instances[0].vrid = 61;
    rig.reload(new);
    let zero: Vec<u8> = rig.sent.iter().map(|(_, _, bytes)| bytes[2]).collect();
    assert_eq!(zero, [0], "its farewell");
    assert_eq!(rig.sent[0].2[1], 51);
    assert_eq!(rig.deleted.len(), 2);
    assert_eq!(rig.states()["VI_1"], StateName::Backup);
    assert_eq!(rig.sockets.len(), 1, "the others use the same socket");
    rig.pass(LONG);
    assert_eq!(rig.present(), rig.wanted());
    assert_eq!(rig.table.len(), 4);
}

#[test]
fn what_is_removed_says_farewell_and_takes_its_socket_along() {
    let mut rig = three_masters();
    rig.reload(bound(Vec::new()));
    assert_eq!(rig.sent.len(), 3);
    assert!(rig.sent.iter().all(|(_, _, bytes)| bytes[2] == 0));
    assert!(rig.table.is_empty() && rig.sockets.is_empty());
    assert_eq!(rig.node.next_timeout(), None);
    // And all can come back.
    rig.reload(three());
    assert_eq!(rig.states()["VI_1"], StateName::Backup);
    rig.pass(LONG);
    assert_eq!(rig.table.len(), 4);
}

#[test]
fn an_address_in_another_form_is_made_anew() {
    let mut rig = three_masters();
    let mut new = three();
    new.instances[0].addresses[1].scope = 253;
    rig.reload(new);
    let moved = key("eth0", &address(111));
    assert_eq!((&rig.deleted, &rig.added), (&vec![moved], &vec![moved]));
    assert_eq!(rig.table[&moved].scope, 253);
    assert_eq!(rig.states()["VI_1"], StateName::Master);
}

#[test]
fn what_the_kernel_removes_along_comes_back() {
    let outside = |last: u8| VirtualAddress::new(Ipv4Addr::new(192, 0, 2, last).into(), 24);
    let all = vec![outside(1), outside(2), outside(3)];
    let with = |addresses| {
        let config = InstanceConfig::new("VI_1", "eth0", Version::V3, 51, addresses);
        bound(vec![config])
    };
    let mut rig = Rig::new(with(all.clone()));
    rig.pass(LONG);
    rig.primaries.insert(key("eth0", &all[0]));
    rig.reload(with(all[1..].to_vec()));
    assert_eq!(rig.states()["VI_1"], StateName::Master);
    assert_eq!(rig.present(), rig.wanted());
    let priorities: Vec<u8> = rig.sent.iter().map(|(_, _, bytes)| bytes[2]).collect();
    assert_eq!(priorities, [100], "no farewell");
    // Later it is somebody else's doing again.
    rig.pass(LONG);
    let key = key("eth0", &all[1]);
    rig.table.remove(&key);
    rig.kernel(KernelEvent::AddressGone { key });
    assert_eq!(rig.states()["VI_1"], StateName::Backup);
}

#[test]
fn a_larger_socket_is_asked_for_when_many_more_share_it() {
    let mut rig = Rig::new(bound(vec![router("VI_0", 1, &[1])]));
    let many = (1..=100).map(|vrid| router(&format!("VI_{vrid}"), vrid, &[vrid]));
    let (mut out, number) = (Out::new(), 1);
    let bound = Arc::new(bound(many.collect()));
    let event = VrrpEvent::Reload { number, bound };
    rig.node.handle(event, rig.now, &mut out);
    let mut grown = Vec::new();
    loop {
        grown.extend(out.actions().iter().filter_map(|action| match action {
            VrrpAction::GrowSocket { receive_buffer, .. } => Some(*receive_buffer),
            _ => None,
        }));
        out.clear();
        if !rig.node.more() {
            break;
        }
        rig.node.handle(VrrpEvent::Continue, rig.now, &mut out);
    }
    assert_eq!(grown, [100 * 8_192]);
}

#[test]
fn a_stop_in_the_middle_of_a_reload_leaves_nothing_behind() {
    let mut rig = three_masters();
    let mut out = Out::new();
    let number = 1;
    let bound = Arc::new(bound(vec![router("VI_2", 52, &[102, 120])]));
    let event = VrrpEvent::Reload { number, bound };
    rig.node.handle(event, rig.now, &mut out);
    let mut kept = Out::new();
    std::mem::swap(&mut kept, &mut out);
    rig.node
        .handle(VrrpEvent::Command(Command::Stop), rig.now, &mut out);
    // What was asked before the order to stop is carried out before it.
    let mut first = Out::new();
    for action in kept.actions() {
        if matches!(action, VrrpAction::Kernel { .. } | VrrpAction::InForce(_)) {
            first.push(action.clone());
        }
    }
    let stop = out.clone();
    let mut both = first;
    for action in stop.actions() {
        if !matches!(action, VrrpAction::SendAdvert { .. }) {
            both.push(action.clone());
        }
    }
    rig.carry_out(&mut both);
    while rig.node.more() {
        let mut out = Out::new();
        rig.node.handle(VrrpEvent::Continue, rig.now, &mut out);
        rig.carry_out(&mut out);
    }
    assert!(rig.table.is_empty(), "{:?}", rig.table);
}

/// A random configuration: few interfaces, identifiers and addresses, so that pairs of them have
/// much in common.
fn draw(rng: &mut Rng) -> Bound {
    let mut instances: Vec<InstanceConfig> = Vec::new();
    for _ in 0..rng.within(0, 6) {
        let vrid = rng.within(1, 5) as u8;
        let interface = if rng.chance(3, 4) { "eth0" } else { "eth1" };
        let taken =
            |config: &InstanceConfig| (config.vrid, &*config.interface) == (vrid, interface);
        if instances.iter().any(taken) {
            continue;
        }
        let name = format!("VI_{}", rng.below(4) * 10 + instances.len() as u64);
        let mut lasts: Vec<u8> = (0..rng.within(1, 3))
            .map(|_| rng.within(100, 108) as u8)
            .collect();
        lasts.sort_unstable();
        lasts.dedup();
        let mut config = router(&name, vrid, &lasts);
        interface.clone_into(&mut config.interface);
        config.priority = [100, 100, 100, 150, 255][rng.below(5) as usize];
        config.state_master = config.priority == 255;
        if rng.chance(1, 5) {
            config.advert_interval = Duration::from_secs(2);
        }
        if rng.chance(1, 5) {
            config.version = Version::V2;
        }
        if rng.chance(1, 6) {
            config.addresses[0].dev = Some("eth0".to_owned());
        }
        instances.push(config);
    }
    let mut bound = bound(instances);
    if rng.chance(1, 4) {
        bound.global.garp_interval = Duration::from_millis(rng.within(1, 400));
    }
    bound
}

/// Brings a host to some state: virtual routers that hear a better one are backups.
fn stir(rig: &mut Rig, rng: &mut Rng) {
    for _ in 0..rng.within(1, 6) {
        rig.pass(Duration::from_millis(rng.within(1, 4_000)));
        let count = rig.bound.instances.len() as u64;
        if count > 0 && rng.chance(1, 2) {
            let id = InstanceId(rng.below(count) as u32);
            rig.hear(id, rng.within(0, 254) as u8);
        }
    }
}

#[test]
fn any_reload_ends_where_a_cold_start_would() {
    let mut moved_between_masters = 0;
    for seed in 0..800 {
        let mut rng = Rng::new(seed);
        let mut rig = Rig::new(draw(&mut rng));
        for _ in 0..3 {
            stir(&mut rig, &mut rng);
            let (before, held) = (rig.bound.clone(), rig.wanted());
            let states = rig.states();
            rig.reload(draw(&mut rng));
            assert_eq!(rig.present(), rig.wanted(), "seed {seed}");
            // What some master held and some master holds was never away.
            let common = rig.wanted();
            let common: BTreeSet<_> = held.intersection(&common).collect();
            moved_between_masters += common.len();
            for key in &rig.deleted {
                assert!(!common.contains(key), "seed {seed}: {key:?} was away");
            }
            // What did not change did not move.
            for config in &before.instances {
                if rig.bound.instances.contains(config) {
                    let now = rig.states()[&config.name];
                    assert_eq!(now, states[&config.name], "seed {seed}: {}", config.name);
                    let spoke = rig.sent.iter().any(|(name, ..)| *name == config.name);
                    assert!(!spoke, "seed {seed}: {} had no reason", config.name);
                }
            }
            assert_eq!(rig.sockets.len(), specs(&rig.bound), "seed {seed}");
        }
        compare_with_cold_start(&mut rig, seed);
    }
    assert!(moved_between_masters > 300, "{moved_between_masters}");
}

/// How many sockets a configuration needs.
fn specs(bound: &Bound) -> usize {
    let interfaces = bound.instances.iter().map(|config| &config.interface);
    interfaces.collect::<BTreeSet<_>>().len()
}

/// Undisturbed, every virtual router becomes master and sends the same as after a cold start.
fn compare_with_cold_start(rig: &mut Rig, seed: u64) {
    let mut cold = Rig::new((*rig.bound).clone());
    let mut spoken = Vec::new();
    for host in [&mut *rig, &mut cold] {
        host.pass(Duration::from_secs(30));
        host.sent.clear();
        host.pass(Duration::from_secs(2));
        let sent = host.sent.iter();
        let sent: BTreeSet<(String, Vec<u8>)> = sent
            .map(|(name, _, bytes)| (name.clone(), bytes.clone()))
            .collect();
        spoken.push(sent);
    }
    assert_eq!(spoken[0], spoken[1], "seed {seed}");
    assert_eq!(rig.table, cold.table, "seed {seed}");
}
