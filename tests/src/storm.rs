//! A stream of random events into one machine, with a model of the kernel behind it, and the
//! promises that are checked after each of them.
//!
//! Changes are carried out when they are asked for; their answers and the echoes of the event
//! socket come later, each in its own order. The same seed gives the same stream.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use relevo_core::config::bound::{Bound, Destination, Global, InstanceConfig};
use relevo_core::ids::{Errno, Family, IfIndex, InstanceId, OpId, SocketId, Version};
use relevo_core::kernel::{AddressKey, KernelEvent, KernelOp, Link, ROUTE_PROTOCOL};
use relevo_core::limits::SLICE;
use relevo_core::machine::{Machine, Out};
use relevo_core::rng::Rng;
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::snapshot::Record;
use relevo_core::vrrp::{Command, Discard, SocketSpec, StateName, VrrpAction, VrrpEvent, VrrpNode};
use relevo_core::wire::{ipv4, vrrp};

use crate::one_host::{Advert, MAC, OWN_V4, OWN_V6, config, link, neighbour, virtual_address};

/// What the kernel and the neighbours are like.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Weather {
    /// Interfaces fail, other programs delete addresses, packets are of every kind; but no change
    /// is refused and no event lost.
    Fair,
    /// Changes are refused, answers and events lost, sockets fail.
    Rough,
    /// And the kernel says things that make no sense.
    Wild,
}

/// What the event socket has to tell.
#[derive(Clone, Debug)]
enum Told {
    Link(Interface),
    LinkGone(IfIndex),
    Address {
        key: AddressKey,
        tentative: bool,
        protocol: u8,
    },
    AddressGone(AddressKey),
}

#[derive(Clone, Debug)]
struct Interface {
    ifindex: IfIndex,
    name: String,
    admin_up: bool,
    running: bool,
}

#[derive(Clone, Debug, Default)]
struct Kernel {
    interfaces: Vec<Interface>,
    /// With their protocol marks.
    addresses: BTreeMap<AddressKey, u8>,
    told: VecDeque<Told>,
    next_ifindex: u32,
}

impl Kernel {
    fn add(&mut self, key: AddressKey, protocol: u8) -> Result<(), Errno> {
        if !self.interfaces.iter().any(|i| i.ifindex == key.ifindex) {
            return Err(Errno::ENODEV);
        }
        if self.addresses.contains_key(&key) {
            return Err(Errno::EEXIST);
        }
        self.addresses.insert(key, protocol);
        self.told.push_back(Told::Address {
            key,
            tentative: false,
            protocol,
        });
        Ok(())
    }

    fn delete(&mut self, key: AddressKey) -> Result<(), Errno> {
        self.addresses.remove(&key).ok_or(Errno::EADDRNOTAVAIL)?;
        self.told.push_back(Told::AddressGone(key));
        Ok(())
    }

    fn carry_out(&mut self, op: &KernelOp) -> Result<(), Errno> {
        match op {
            KernelOp::AddAddress { key, .. } => self.add(*key, ROUTE_PROTOCOL),
            KernelOp::DelAddress { key } => self.delete(*key),
        }
    }

    fn named(&self, name: &str) -> Option<IfIndex> {
        let found = self.interfaces.iter().find(|i| i.name == name);
        found.map(|i| i.ifindex)
    }

    fn plug_in(&mut self, name: &str) {
        self.next_ifindex += 1;
        let interface = Interface {
            ifindex: IfIndex(self.next_ifindex),
            name: name.to_owned(),
            admin_up: true,
            running: true,
        };
        self.interfaces.push(interface.clone());
        self.told.push_back(Told::Link(interface));
        for key in own_addresses(IfIndex(self.next_ifindex)) {
            let _ = self.add(key, 0);
        }
    }

    fn unplug(&mut self, index: usize) {
        let gone = self.interfaces.remove(index).ifindex;
        for key in self.on(gone) {
            let _ = self.delete(key);
        }
        self.told.push_back(Told::LinkGone(gone));
    }

    fn on(&self, ifindex: IfIndex) -> Vec<AddressKey> {
        let keys = self.addresses.keys().copied();
        keys.filter(|key| key.ifindex == ifindex).collect()
    }

    /// An administrator's or a cable's doing. IPv6 addresses go with IFF_UP, and the link-local
    /// one comes back tentative.
    fn change_link(&mut self, index: usize, admin_up: bool, running: bool) {
        let interface = &mut self.interfaces[index];
        let went_up = admin_up && !interface.admin_up;
        interface.admin_up = admin_up;
        interface.running = running;
        let interface = interface.clone();
        let ifindex = interface.ifindex;
        self.told.push_back(Told::Link(interface));
        if !admin_up {
            for key in self.on(ifindex) {
                if key.addr.is_ipv6() {
                    let _ = self.delete(key);
                }
            }
        }
        if went_up {
            let key = own_addresses(ifindex)[1];
            self.told.push_back(Told::Address {
                key,
                tentative: true,
                protocol: 0,
            });
            let _ = self.add(key, 0);
        }
    }
}

/// The host's own addresses on an interface.
fn own_addresses(ifindex: IfIndex) -> [AddressKey; 2] {
    [(IpAddr::V4(OWN_V4), 24), (IpAddr::V6(OWN_V6), 64)].map(|(addr, prefix)| AddressKey {
        ifindex,
        addr,
        prefix,
    })
}

/// What the runtime still owes the machine.
#[derive(Copy, Clone, Debug)]
enum Answer {
    Done(OpId, Result<(), Errno>),
    Socket(SocketId, Result<(), Errno>),
}

/// The stream. See [`Storm::run`].
#[derive(Debug)]
pub struct Storm {
    seed: u64,
    rng: Rng,
    weather: Weather,
    now: Instant,
    node: VrrpNode,
    out: Out<VrrpAction>,
    kernel: Kernel,
    answers: VecDeque<Answer>,
    sockets: BTreeMap<SocketId, SocketSpec>,
    /// Addresses that another program put there.
    foreign: Vec<AddressKey>,
    calm: bool,
    stopping: bool,
    exits: u32,
    log: Vec<u64>,
}

/// A record that a successor can read, or none.
fn readable(seed: u64, record: &[u8]) {
    let read = Record::decode(record);
    assert!(record.is_empty() || read.is_ok(), "seed {seed}: {read:?}");
}

impl Storm {
    /// A host with one to three virtual routers that has seen its first whole picture. All times
    /// are later by `shift`.
    pub fn new(seed: u64, weather: Weather, shift: Duration) -> Self {
        let mut rng = Rng::new(seed);
        let instances: Vec<_> = (0..rng.within(1, 3) as u8)
            .map(|number| random_config(&mut rng, number))
            .collect();
        let bound = Bound {
            global: random_global(&mut rng),
            instances,
        };
        let now = Instant::from_micros(5_000_000) + shift;
        let mut storm = Self {
            seed,
            weather,
            now,
            node: VrrpNode::new(Arc::new(bound), seed, now),
            out: Out::new(),
            kernel: Kernel::default(),
            answers: VecDeque::new(),
            sockets: BTreeMap::new(),
            foreign: Vec::new(),
            calm: false,
            stopping: false,
            exits: 0,
            log: Vec::new(),
            rng,
        };
        storm.kernel.plug_in("eth0");
        if storm.rng.chance(3, 4) {
            storm.kernel.plug_in("eth1");
        }
        // Leftovers of a former run.
        for key in storm.virtual_keys() {
            if storm.rng.chance(1, 8) {
                let _ = storm.kernel.add(key, ROUTE_PROTOCOL);
            }
        }
        storm.dump();
        storm
    }

    /// Delivers `steps` events and the calm after them; returns what the machine did, call by
    /// call, as numbers that are equal when the actions and the time to the next deadline are.
    pub fn run(mut self, steps: u32) -> Vec<u64> {
        for _ in 0..steps {
            self.step();
        }
        self.calm_down();
        self.log
    }

    fn step(&mut self) {
        if self.node.more() && self.rng.chance(3, 4) {
            return self.deliver(VrrpEvent::Continue);
        }
        match self.rng.below(100) {
            0..35 => self.packet(),
            35..53 => self.pass_time(),
            53..70 => self.answer(),
            70..86 => self.tell(),
            86..97 => self.trouble(),
            _ if self.weather == Weather::Wild => self.nonsense(),
            97 => self.send_failed(),
            98 => self.dump(),
            _ => {
                if self.rng.chance(1, 10) {
                    self.stopping = true;
                    self.deliver(VrrpEvent::Command(Command::Stop));
                }
            }
        }
    }

    fn packet(&mut self) {
        let count = self.node.bound().instances.len() as u64;
        let id = InstanceId(self.rng.below(count) as u32);
        let config = self.node.bound().instance(id).clone();
        let numbers = [1, 4, 5, 6, 9, 200];
        let priorities = [0, 1, 50, 99, 100, 101, 200, 254, 255];
        let number = *self.rng.pick(&numbers).unwrap_or(&1);
        let priority = *self.rng.pick(&priorities).unwrap_or(&1);
        let mut advert = Advert::from_neighbour(&config, number, priority);
        if config.version == Version::V3 && self.rng.chance(1, 2) {
            advert.interval = Duration::from_centis(self.rng.below(400));
        }
        if self.rng.chance(1, 10) {
            advert.addresses.push(neighbour(config.family, 99));
        }
        if self.rng.chance(1, 20) {
            advert.hop_limit = 64;
        }
        let mut octets = advert.octets();
        match self.rng.below(10) {
            0 => octets.truncate(self.rng.below(octets.len() as u64) as usize),
            1 => {
                let at = self.rng.below(octets.len() as u64) as usize;
                octets[at] ^= 1 << self.rng.below(8);
            }
            2 => octets
                .iter_mut()
                .for_each(|octet| *octet = self.rng.next_u64() as u8),
            _ => {}
        }
        let ifindex = self.kernel.named("eth0");
        let here = |spec: &SocketSpec| {
            Some(spec.ifindex) == ifindex
                && spec.family == config.family
                && spec.group.is_some() == matches!(config.destination, Destination::Multicast(_))
        };
        let socket = self.sockets.iter().find(|(_, spec)| here(spec));
        let socket = socket.map_or(SocketId(9_999), |(socket, _)| *socket);
        let packet = advert.ingress(&octets);
        let (counted, received) = self.counted();
        let quiet = !self.node.more();
        let before = self.node.without_counters();
        self.deliver(VrrpEvent::Packet { socket, packet });
        let (counted_after, received_after) = self.counted();
        let sum = counted_after + received_after - counted - received;
        assert!(
            sum <= 1,
            "seed {}: one packet counted {sum} times",
            self.seed
        );
        if quiet && received_after == received {
            assert!(
                self.node.without_counters() == before,
                "seed {}: a discarded packet changed something",
                self.seed
            );
        }
    }

    /// Discarded and accepted packets of all instances.
    fn counted(&self) -> (u64, u64) {
        let ids = (0..self.node.bound().instances.len()).map(|index| InstanceId(index as u32));
        let (mut discarded, mut received) = (0, 0);
        for id in ids {
            discarded += self.node.stats(id).discarded_total();
            received += self.node.stats(id).adverts_received;
        }
        let nobody_s = Discard::ALL.map(|kind| self.node.discarded_unattributed(kind));
        (discarded + nobody_s.iter().sum::<u64>(), received)
    }

    /// Goes on to the next deadline, sometimes too late, or a little further.
    fn pass_time(&mut self) {
        let next = self.node.next_timeout().map(|(at, _)| at);
        self.now = match next {
            Some(at) if self.rng.chance(3, 4) => self.now.max(at),
            _ => self.now + Duration::from_micros(self.rng.below(300_000)),
        };
        if self.rng.chance(1, 10) {
            self.now += Duration::from_micros(self.rng.below(3_000_000));
        }
        let before = self.states();
        self.node.handle_timeout(self.now, &mut self.out);
        let next = self.node.next_timeout();
        assert!(
            self.node.more() || next.is_none_or(|(at, _)| at > self.now),
            "seed {}: {next:?} was left behind",
            self.seed
        );
        self.carry_out(&before);
    }

    fn answer(&mut self) {
        match self.answers.pop_front() {
            Some(Answer::Done(op, result)) => self.deliver(VrrpEvent::Done { op, result }),
            Some(Answer::Socket(socket, result)) => {
                self.deliver(VrrpEvent::Socket { socket, result });
            }
            None => {}
        }
    }

    fn tell(&mut self) {
        if let Some(told) = self.kernel.told.pop_front() {
            self.deliver_told(&told);
        }
    }

    fn deliver_told(&mut self, told: &Told) {
        let event = match told {
            Told::Link(interface) => KernelEvent::Link(Link {
                admin_up: interface.admin_up,
                running: interface.running,
                ..link(&interface.name, interface.ifindex)
            }),
            Told::LinkGone(ifindex) => KernelEvent::LinkGone { ifindex: *ifindex },
            Told::Address {
                key,
                tentative,
                protocol,
            } => KernelEvent::Address {
                key: *key,
                tentative: *tentative,
                dad_failed: false,
                secondary: false,
                protocol: *protocol,
            },
            Told::AddressGone(key) => KernelEvent::AddressGone { key: *key },
        };
        self.deliver(VrrpEvent::Kernel(event));
    }

    /// A whole picture. In rough weather the events before it were lost; else they come first.
    fn dump(&mut self) {
        if self.weather == Weather::Fair || self.calm {
            while !self.kernel.told.is_empty() {
                self.tell();
            }
        }
        self.kernel.told.clear();
        self.deliver(VrrpEvent::Kernel(KernelEvent::DumpStart));
        let kernel = self.kernel.clone();
        for interface in kernel.interfaces {
            self.deliver_told(&Told::Link(interface));
        }
        for (key, protocol) in kernel.addresses {
            self.deliver_told(&Told::Address {
                key,
                tentative: false,
                protocol,
            });
        }
        self.deliver(VrrpEvent::Kernel(KernelEvent::DumpEnd));
    }

    /// Something happens to the host.
    fn trouble(&mut self) {
        let count = self.kernel.interfaces.len() as u64;
        let index = self.rng.below(count) as usize;
        match self.rng.below(12) {
            0..3 if count > 0 => {
                let (up, running) = (self.rng.chance(3, 4), self.rng.chance(3, 4));
                self.kernel.change_link(index, up, running);
            }
            3 if count > 0 => self.kernel.unplug(index),
            4 | 5 => {
                for name in ["eth0", "eth1"] {
                    if self.kernel.named(name).is_none() {
                        self.kernel.plug_in(name);
                    }
                }
            }
            6 if count > 0 => {
                let taken = self.kernel.named("lan0").is_some();
                let interface = &mut self.kernel.interfaces[index];
                if !taken {
                    interface.name = "lan0".to_owned();
                    let told = Told::Link(interface.clone());
                    self.kernel.told.push_back(told);
                }
            }
            7 | 8 => {
                let keys: Vec<_> = self.kernel.addresses.keys().copied().collect();
                if let Some(key) = self.rng.pick(&keys) {
                    let _ = self.kernel.delete(*key);
                    self.foreign.retain(|foreign| foreign != key);
                }
            }
            9 if count > 0 => {
                let ifindex = self.kernel.interfaces[index].ifindex;
                for key in own_addresses(ifindex) {
                    let _ = self.kernel.add(key, 0);
                }
            }
            10 => {
                let keys = self.virtual_keys();
                if let Some(key) = self.rng.pick(&keys)
                    && self.kernel.add(*key, 0).is_ok()
                {
                    self.foreign.push(*key);
                }
            }
            _ => {}
        }
    }

    /// What no kernel and no runtime would ever say.
    fn nonsense(&mut self) {
        let ifindex = IfIndex(self.rng.below(5) as u32);
        let keys = self.virtual_keys();
        let key = self.rng.pick(&keys).copied().unwrap_or(AddressKey {
            ifindex,
            addr: OWN_V4.into(),
            prefix: 24,
        });
        let event = match self.rng.below(10) {
            0 => VrrpEvent::Kernel(KernelEvent::DumpEnd),
            1 => VrrpEvent::Kernel(KernelEvent::DumpStart),
            2 => VrrpEvent::Kernel(KernelEvent::LinkGone { ifindex }),
            3 => VrrpEvent::Kernel(KernelEvent::AddressGone { key }),
            4 => VrrpEvent::Kernel(KernelEvent::Address {
                key: AddressKey { ifindex, ..key },
                tentative: true,
                dad_failed: true,
                secondary: true,
                protocol: 77,
            }),
            5 => VrrpEvent::Kernel(KernelEvent::Link(Link {
                mac: &[],
                ..link("eth0", ifindex)
            })),
            6 => VrrpEvent::Done {
                op: OpId(self.rng.below(200)),
                result: Err(Errno(71)),
            },
            7 => VrrpEvent::Socket {
                socket: SocketId(self.rng.below(10) as u32),
                result: Err(Errno::EPERM),
            },
            8 => VrrpEvent::PacketsLost {
                socket: SocketId(self.rng.below(10) as u32),
            },
            _ => VrrpEvent::Packet {
                socket: SocketId(self.rng.below(10) as u32),
                packet: relevo_core::vrrp::Ingress::V6 {
                    src: Ipv6Addr::UNSPECIFIED,
                    dst: Ipv6Addr::UNSPECIFIED,
                    hop_limit: 255,
                    payload: &[0x31, 51],
                },
            },
        };
        self.deliver(event);
    }

    fn send_failed(&mut self) {
        let instance = InstanceId(self.rng.below(5) as u32);
        self.deliver(VrrpEvent::SendFailed {
            instance,
            dst: vrrp::GROUP_V4.into(),
            errno: Errno::ENETUNREACH,
        });
    }

    fn states(&self) -> Vec<StateName> {
        let ids = (0..self.node.bound().instances.len()).map(|index| InstanceId(index as u32));
        ids.map(|id| self.node.state(id)).collect()
    }

    fn deliver(&mut self, event: VrrpEvent<'_>) {
        let before = self.states();
        self.node.handle(event, self.now, &mut self.out);
        self.carry_out(&before);
    }

    /// Carries out what one call asked for, and checks it.
    fn carry_out(&mut self, before: &[StateName]) {
        let out = std::mem::take(&mut self.out);
        let seed = self.seed;
        let most = 2 * SLICE + 32 * before.len();
        assert!(out.len() <= most, "seed {seed}: {} actions", out.len());
        let mut hasher = DefaultHasher::new();
        for action in out.actions() {
            format!("{action:?}").hash(&mut hasher);
            self.carry_out_one(action, &out, before, &mut hasher);
        }
        let next = self.node.next_timeout();
        next.map(|(at, timer)| (at.since(self.now).as_micros(), timer))
            .hash(&mut hasher);
        self.log.push(hasher.finish());
    }

    fn carry_out_one(
        &mut self,
        action: &VrrpAction,
        out: &Out<VrrpAction>,
        before: &[StateName],
        hasher: &mut DefaultHasher,
    ) {
        let seed = self.seed;
        match action {
            VrrpAction::SendAdvert {
                instance,
                socket,
                src,
                dst,
                packet,
                ..
            } => {
                assert_eq!(self.exits, 0, "seed {seed}: an advert after the end");
                assert!(self.sockets.contains_key(socket), "seed {seed}: no socket");
                let octets = out.bytes(*packet);
                octets.hash(hasher);
                let priority = priority_of(octets, *src, *dst);
                let was = before[instance.0 as usize];
                let is = self.node.state(*instance);
                let allowed = was == StateName::Master || is == StateName::Master && priority > 0;
                assert!(allowed, "seed {seed}: {priority} from {was:?} to {is:?}");
            }
            VrrpAction::Kernel { op, change } => {
                assert_eq!(self.exits, 0, "seed {seed}: a change after the end");
                let result = self.kernel_answer(change);
                self.answers.push_back(Answer::Done(*op, result));
            }
            VrrpAction::OpenSocket { socket, spec, .. } => {
                let exists = self
                    .kernel
                    .interfaces
                    .iter()
                    .any(|i| i.ifindex == spec.ifindex);
                let fails = self.rough() && self.rng.chance(1, 5);
                let result = match (exists, fails) {
                    (false, _) => Err(Errno::ENODEV),
                    (true, true) => Err(Errno::ENOBUFS),
                    (true, false) => Ok(()),
                };
                self.sockets.insert(*socket, *spec);
                self.answers.push_back(Answer::Socket(*socket, result));
            }
            VrrpAction::CloseSocket(socket) => {
                let known = self.sockets.remove(socket);
                assert!(known.is_some(), "seed {seed}: {socket:?} closed twice");
            }
            VrrpAction::SendGarp { frame, .. } | VrrpAction::SendNa { frame, .. } => {
                let octets = out.bytes(*frame);
                octets.hash(hasher);
                assert_eq!(octets[6..12], MAC, "seed {seed}: whose announcement");
            }
            VrrpAction::Note(_) | VrrpAction::GrowSocket { .. } | VrrpAction::InForce(_) => {}
            VrrpAction::Remember { record, .. } => readable(seed, out.bytes(*record)),
            VrrpAction::Forget { .. } => {}
            VrrpAction::Exit(code) => {
                assert!(self.stopping && *code == 0, "seed {seed}: an early end");
                self.exits += 1;
                assert_eq!(self.exits, 1, "seed {seed}: a second end");
            }
        }
    }

    fn rough(&self) -> bool {
        self.weather != Weather::Fair && !self.calm
    }

    fn kernel_answer(&mut self, change: &KernelOp) -> Result<(), Errno> {
        if self.rough() && self.rng.chance(1, 10) {
            return Err(Errno::EPERM);
        }
        if self.rough() && self.rng.chance(1, 10) {
            if self.rng.chance(1, 2) {
                let _ = self.kernel.carry_out(change);
            }
            return Err(Errno::ENOBUFS);
        }
        self.kernel.carry_out(change)
    }

    /// Everything that is owed is delivered, then a whole picture: now what the masters want is
    /// there, and nothing else of ours.
    fn calm_down(&mut self) {
        self.calm = true;
        self.settle();
        if self.weather != Weather::Fair {
            self.dump();
            self.settle();
        }
        let seed = self.seed;
        if self.stopping {
            assert_eq!(self.exits, 1, "seed {seed}: no end");
        }
        // Who was lied to knows nothing.
        if self.weather == Weather::Wild {
            return;
        }
        let wanted = self.wanted();
        for key in &wanted {
            let there = self.kernel.addresses.contains_key(key);
            assert!(there, "seed {seed}: {key:?} is missing");
        }
        // A daemon that is gone cannot make up for a refused deletion; and what an interface is
        // called was all there was to find leftovers by.
        if self.stopping && self.weather != Weather::Fair {
            return;
        }
        for key in self.kernel.addresses.keys() {
            let ours = self.kernel.addresses[key] == ROUTE_PROTOCOL;
            let allowed = !ours || wanted.contains(key) || self.foreign.contains(key);
            assert!(allowed, "seed {seed}: {key:?} was left behind");
        }
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.kernel.told.is_empty() {
                self.tell();
            } else if !self.answers.is_empty() {
                self.answer();
            } else if self.node.more() {
                self.deliver(VrrpEvent::Continue);
            } else {
                return;
            }
        }
        panic!("seed {}: no rest", self.seed);
    }

    /// The addresses of all masters.
    fn wanted(&self) -> Vec<AddressKey> {
        let masters = self.states();
        let bound = self.node.bound();
        let masters = bound
            .iter()
            .filter(|(id, _)| masters[id.0 as usize] == StateName::Master);
        masters
            .flat_map(|(_, config)| keys_of(config, &self.kernel))
            .collect()
    }

    /// The virtual addresses of all virtual routers, where their interfaces are at present.
    fn virtual_keys(&self) -> Vec<AddressKey> {
        let bound = self.node.bound();
        bound
            .iter()
            .flat_map(|(_, config)| keys_of(config, &self.kernel))
            .collect()
    }
}

fn keys_of(config: &InstanceConfig, kernel: &Kernel) -> Vec<AddressKey> {
    let addresses = config.addresses.iter().chain(&config.excluded);
    let keys = addresses.filter_map(|address| {
        let name = address.dev.as_ref().unwrap_or(&config.interface);
        Some(AddressKey {
            ifindex: kernel.named(name)?,
            addr: address.addr,
            prefix: address.prefix,
        })
    });
    keys.collect()
}

/// The priority of an advert that has to be well formed.
fn priority_of(octets: &[u8], src: IpAddr, dst: IpAddr) -> u8 {
    let family = Family::of(src);
    let message = match family {
        Family::V4 => {
            let packet = ipv4::Packet::new_checked(octets).expect("an IPv4 header");
            ipv4::Repr::parse(&packet).expect("a well-formed header");
            packet.payload()
        }
        Family::V6 => octets,
    };
    let packet = vrrp::Packet::new_checked(message).expect("a VRRP header");
    let mut addresses = Vec::new();
    let repr = vrrp::Repr::parse(&packet, family, vrrp::Pseudo::new(src, dst), &mut addresses);
    repr.expect("a well-formed advert").priority
}

fn random_global(rng: &mut Rng) -> Global {
    let intervals = [0, 0, 1, 50, 700].map(Duration::from_millis);
    let mut any = || *rng.pick(&intervals).unwrap_or(&Duration::ZERO);
    Global {
        garp_interval: any(),
        gna_interval: any(),
        startup_delay: any(),
        ..Global::default()
    }
}

fn random_config(rng: &mut Rng, number: u8) -> InstanceConfig {
    let sorts = [
        (Version::V2, Family::V4),
        (Version::V3, Family::V4),
        (Version::V3, Family::V6),
    ];
    let (version, family) = *rng.pick(&sorts).unwrap_or(&sorts[0]);
    let mut config = config(version, family);
    config.name = format!("VI_{number}");
    config.vrid = 51 + number;
    config.priority = *rng.pick(&[1, 50, 100, 200, 255]).unwrap_or(&100);
    config.advert_interval = match version {
        Version::V2 => Duration::from_secs(rng.within(1, 3)),
        Version::V3 => Duration::from_centis(rng.within(1, 200)),
    };
    config.preempt = rng.chance(3, 4);
    if rng.chance(1, 4) {
        config.preempt_delay = Duration::from_secs(rng.within(1, 5));
    }
    if rng.chance(1, 4) {
        config.destination = Destination::Unicast(vec![neighbour(family, 1), neighbour(family, 9)]);
        config.check_unicast_source = rng.chance(1, 2);
    }
    if rng.chance(1, 6) {
        config.source = Some(crate::one_host::own(family));
    }
    config.skip_check_adv_addr = rng.chance(1, 4);
    config.lower_prio_no_advert = rng.chance(1, 4);
    config.higher_prio_send_advert = rng.chance(1, 4);
    config.dont_track_primary = rng.chance(1, 6);
    config.owner_ignore_adverts = rng.chance(1, 6);
    if !config.preempt && rng.chance(1, 3) {
        config.timer_expired_backup = Some(rng.within(1, 254) as u8);
    }
    let garp = &mut config.garp;
    garp.master_repeat = rng.within(1, 5) as u32;
    garp.master_delay = Duration::from_millis(rng.below(3) * 700);
    garp.refresh = Duration::from_millis(rng.below(3) * 900);
    garp.lower_prio_repeat = rng.below(3) as u32;
    garp.lower_prio_delay = Duration::from_millis(rng.below(3) * 500);
    // Two virtual routers may want the same address.
    let third = if rng.chance(1, 4) { 0 } else { number };
    let many = rng.chance(1, 60);
    let count = if many { 600 } else { rng.within(1, 4) };
    let addr = |index: u64| -> IpAddr {
        match family {
            Family::V4 => {
                Ipv4Addr::new(10, 1 + third, (index / 200) as u8, (index % 200) as u8).into()
            }
            Family::V6 => {
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, u16::from(third), 0, index as u16).into()
            }
        }
    };
    let mut addresses: Vec<_> = (0..count)
        .map(|index| virtual_address(addr(index)))
        .collect();
    if rng.chance(1, 3) {
        addresses[0].dev = Some("eth1".to_owned());
    }
    config.excluded = addresses.split_off(addresses.len().min(3));
    config.addresses = addresses;
    config
}
