//! One host with one virtual router, without a network: the test says what arrives and reads what
//! is asked for. Everything that is sent is parsed by the strict half of `relevo_core::wire`, so
//! an advert, ARP or neighbour advertisement that is not well formed fails whatever test sent it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use relevo_core::config::bound::{
    Auth, Bound, Destination, Global, InstanceConfig, VirtualAddress,
};
use relevo_core::ids::{Errno, Family, IfIndex, InstanceId, OpId, SocketId, Version};
use relevo_core::journal::{Journal, Secrets};
use relevo_core::kernel::{AddressKey, KernelEvent, KernelOp, Link, ROUTE_PROTOCOL};
use relevo_core::machine::{BytesRange, Machine, Out};
use relevo_core::time::{Duration, Instant};
use relevo_core::trace::action_line;
use relevo_core::vrrp::{
    Command, Ingress, Note, SocketSpec, StateName, VrrpAction, VrrpEvent, VrrpNode, VrrpTimer,
};
use relevo_core::wire::{arp, ethernet, ipv4, ipv6, ndisc, vrrp};

/// The only virtual router.
pub const ID: InstanceId = InstanceId(0);
/// The interface `eth0`.
pub const ETH0: IfIndex = IfIndex(3);
/// The hardware address of `eth0`.
pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 5];
/// The primary address of `eth0`.
pub const OWN_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
/// The link-local address of `eth0`.
pub const OWN_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 5);
/// Virtual router identifier of [`config`].
pub const VRID: u8 = 51;

/// The own address that adverts of `family` come from.
pub fn own(family: Family) -> IpAddr {
    match family {
        Family::V4 => OWN_V4.into(),
        Family::V6 => OWN_V6.into(),
    }
}

/// A neighbour on the segment; [`own`] is number 5.
pub fn neighbour(family: Family, number: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 0, 0, number).into(),
        Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(number)).into(),
    }
}

/// The group of the adverts.
pub fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => vrrp::GROUP_V4.into(),
        Family::V6 => vrrp::GROUP_V6.into(),
    }
}

/// A virtual address with the defaults of a configuration that names the address alone.
pub fn virtual_address(addr: IpAddr) -> VirtualAddress {
    VirtualAddress::new(addr, Family::of(addr).prefix_max())
}

/// The two virtual addresses of [`config`].
pub fn virtual_addresses(family: Family) -> Vec<IpAddr> {
    match family {
        Family::V4 => vec![
            Ipv4Addr::new(10, 0, 0, 100).into(),
            Ipv4Addr::new(10, 0, 0, 101).into(),
        ],
        Family::V6 => vec![
            "fe80::100".parse().expect("an address"),
            "fe80::101".parse().expect("an address"),
        ],
    }
}

/// A virtual router with every setting at its default: VRID 51, priority 100, one second.
pub fn config(version: Version, family: Family) -> InstanceConfig {
    let addresses = virtual_addresses(family).into_iter().map(virtual_address);
    InstanceConfig::new("VI_1", "eth0", version, VRID, addresses.collect())
}

/// An advert on the wire, sent or to be received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advert {
    /// Protocol version.
    pub version: Version,
    /// Source of the IP packet.
    pub src: IpAddr,
    /// Destination of the IP packet.
    pub dst: IpAddr,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// Virtual router identifier.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Advert interval.
    pub interval: Duration,
    /// VRRPv2 authentication.
    pub auth: Auth,
    /// Virtual addresses.
    pub addresses: Vec<IpAddr>,
}

impl Advert {
    /// What neighbour `number` would send that is configured like `config`, with `priority`.
    pub fn from_neighbour(config: &InstanceConfig, number: u8, priority: u8) -> Self {
        let unicast = matches!(config.destination, Destination::Unicast(_));
        Self {
            version: config.version,
            src: neighbour(config.family, number),
            dst: if unicast {
                own(config.family)
            } else {
                group(config.family)
            },
            hop_limit: 255,
            vrid: config.vrid,
            priority,
            interval: config.advert_interval,
            auth: config.auth,
            addresses: config.addresses.iter().map(|entry| entry.addr).collect(),
        }
    }

    /// The octets that a raw socket delivers: the whole datagram in IPv4, the payload in IPv6.
    pub fn octets(&self) -> Vec<u8> {
        let repr = vrrp::Repr {
            version: self.version,
            family: Family::of(self.src),
            vrid: self.vrid,
            priority: self.priority,
            interval: self.interval,
            auth: self.auth,
            addresses: &self.addresses,
        };
        let mut octets = Vec::new();
        if let (IpAddr::V4(src), IpAddr::V4(dst)) = (self.src, self.dst) {
            let header = ipv4::Repr {
                tos: ipv4::TOS_INTERNETWORK_CONTROL,
                ident: 1,
                ttl: self.hop_limit,
                protocol: vrrp::PROTOCOL,
                src,
                dst,
                payload_len: repr.buffer_len(),
                dont_fragment: false,
            };
            header.emit(&mut octets);
        }
        repr.emit(vrrp::Pseudo::new(self.src, self.dst), &mut octets);
        octets
    }

    /// `octets` as they arrive in a packet from and to the addresses of this advert.
    pub fn ingress<'a>(&self, octets: &'a [u8]) -> Ingress<'a> {
        match (self.src, self.dst) {
            (IpAddr::V6(src), IpAddr::V6(dst)) => Ingress::V6 {
                src,
                dst,
                hop_limit: self.hop_limit,
                payload: octets,
            },
            _ => Ingress::V4 { datagram: octets },
        }
    }
}

/// What the machine asked for, in its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// An advert goes out.
    Advert(Advert),
    /// An address shall be added.
    Add(AddressKey),
    /// An address shall be deleted.
    Delete(AddressKey),
    /// A gratuitous ARP or unsolicited neighbour advertisement goes out of `eth0`.
    Announce(IpAddr),
    /// A socket shall be opened.
    Open(SocketId, SocketSpec),
    /// A socket shall have a larger buffer.
    Grow(SocketId),
    /// A socket shall be closed.
    Close(SocketId),
    /// Numbers of virtual routers mean another configuration from here on.
    InForce,
    /// The operator is told.
    Note(Note),
    /// The daemon is done.
    Exit(u8),
}

/// The priorities of the adverts in `effects`.
pub fn priorities(effects: &[Effect]) -> Vec<u8> {
    adverts(effects).iter().map(|sent| sent.priority).collect()
}

/// The adverts in `effects`.
pub fn adverts(effects: &[Effect]) -> Vec<Advert> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Advert(advert) => Some(advert.clone()),
        _ => None,
    });
    sent.collect()
}

/// The addresses that `effects` add.
pub fn added(effects: &[Effect]) -> Vec<IpAddr> {
    let keys = effects.iter().filter_map(|effect| match effect {
        Effect::Add(key) => Some(key.addr),
        _ => None,
    });
    keys.collect()
}

/// The addresses that `effects` delete.
pub fn deleted(effects: &[Effect]) -> Vec<IpAddr> {
    let keys = effects.iter().filter_map(|effect| match effect {
        Effect::Delete(key) => Some(key.addr),
        _ => None,
    });
    keys.collect()
}

/// The addresses that `effects` announce.
pub fn announced(effects: &[Effect]) -> Vec<IpAddr> {
    let addrs = effects.iter().filter_map(|effect| match effect {
        Effect::Announce(addr) => Some(*addr),
        _ => None,
    });
    addrs.collect()
}

/// The notes in `effects`.
pub fn notes(effects: &[Effect]) -> Vec<Note> {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Note(note) => Some(note.clone()),
        _ => None,
    });
    told.collect()
}

/// What went into a machine, as the daemon keeps it, and the lines of what came of it.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The inputs.
    pub journal: Journal,
    /// The actions.
    pub actions: Vec<String>,
    secrets: Secrets,
}

/// The host.
#[derive(Clone, Debug)]
pub struct OneHost {
    /// The machine.
    pub node: VrrpNode,
    /// The present.
    pub now: Instant,
    /// The last socket that was opened.
    pub socket: SocketId,
    /// Changes that the kernel has not answered.
    pub asked: Vec<(OpId, KernelOp)>,
    /// What stands on the host's interfaces.
    pub present: BTreeSet<AddressKey>,
    /// The number of `eth0` at present, on which announcements are to go out.
    pub eth0: IfIndex,
    /// The most actions that one call pushed.
    pub most_actions: usize,
    /// What went in and what came of it, if it is recorded.
    pub recording: Option<Recording>,
    out: Out<VrrpAction>,
}

impl OneHost {
    /// A host that has told nothing to its machine yet, at the beginning of time.
    pub fn new(config: InstanceConfig) -> Self {
        Self::with_instances(vec![config])
    }

    /// The same with several virtual routers.
    pub fn with_instances(instances: Vec<InstanceConfig>) -> Self {
        Self::with_bound(Bound {
            global: Global::default(),
            instances,
        })
    }

    /// The same with a whole configuration.
    pub fn with_bound(bound: Bound) -> Self {
        let now = Instant::from_micros(1_000_000);
        Self {
            node: VrrpNode::new(Arc::new(bound), 1, now),
            now,
            socket: SocketId(u32::MAX),
            asked: Vec::new(),
            present: BTreeSet::from([
                key_on_eth0(OWN_V4.into(), 24),
                key_on_eth0(OWN_V6.into(), 64),
            ]),
            eth0: ETH0,
            most_actions: 0,
            recording: None,
            out: Out::new(),
        }
    }

    /// Records everything from now on; to be called before anything has happened.
    pub fn record(&mut self) {
        self.recording = Some(Recording {
            journal: Journal::new(self.now, 1),
            actions: Vec::new(),
            secrets: Secrets::of(self.node.bound()),
        });
    }

    /// A host whose machine has seen `eth0` with its addresses and has its socket: the virtual
    /// router has started. Returns what the start made it do.
    pub fn started(config: InstanceConfig) -> (Self, Vec<Effect>) {
        let mut host = Self::new(config);
        let mut effects = host.dump(&[link("eth0", ETH0)]);
        effects.extend(host.open_sockets(&effects.clone(), Ok(())));
        (host, effects)
    }

    /// A host with a backup that has just started.
    pub fn backup(config: InstanceConfig) -> Self {
        let (host, _) = Self::started(config);
        assert_eq!(host.state(), StateName::Backup, "no backup after the start");
        host
    }

    /// A host with a master whose addresses are there and whose first announcements are over.
    pub fn master(config: InstanceConfig) -> Self {
        let (mut host, _) = Self::started(config);
        if host.state() == StateName::Backup {
            host.fire();
        }
        host.settle();
        assert_eq!(host.state(), StateName::Master, "no master after silence");
        host
    }

    /// The state of the virtual router.
    pub fn state(&self) -> StateName {
        self.node.state(ID)
    }

    /// The configuration of the virtual router.
    pub fn config(&self) -> InstanceConfig {
        self.node.bound().instance(ID).clone()
    }

    /// The earliest deadline, as a span from now.
    pub fn timer(&self) -> Option<(VrrpTimer, Duration)> {
        let (at, timer) = self.node.next_timeout()?;
        Some((timer, at.since(self.now)))
    }

    /// Delivers one event.
    pub fn deliver(&mut self, event: VrrpEvent<'_>) -> Vec<Effect> {
        if let Some(Recording {
            journal, secrets, ..
        }) = &mut self.recording
        {
            journal.on_event(&event, secrets, self.now);
        }
        self.node.handle(event, self.now, &mut self.out);
        self.take()
    }

    /// Lets time pass without looking at the timers.
    pub fn pass(&mut self, span: Duration) {
        self.now += span;
    }

    /// Looks at the timers now.
    pub fn look_at_timers(&mut self) -> Vec<Effect> {
        if let Some(recording) = &mut self.recording {
            recording.journal.on_timeout(self.now);
        }
        self.node.handle_timeout(self.now, &mut self.out);
        let effects = self.take();
        let next = self.node.next_timeout();
        assert!(
            self.node.more() || next.is_none_or(|(at, _)| at > self.now),
            "a deadline was left behind: {next:?}"
        );
        effects
    }

    /// Goes to the earliest deadline and acts on it.
    pub fn fire(&mut self) -> Vec<Effect> {
        let (at, _) = self.node.next_timeout().expect("a deadline");
        self.now = self.now.max(at);
        self.look_at_timers()
    }

    /// Acts on every deadline until `span` from now has passed.
    pub fn run_for(&mut self, span: Duration) -> Vec<Effect> {
        let end = self.now + span;
        let mut effects = Vec::new();
        while self.node.next_timeout().is_some_and(|(at, _)| at <= end) {
            effects.extend(self.fire());
            effects.extend(self.settle());
        }
        self.now = end;
        effects
    }

    /// Delivers `advert` through the socket.
    pub fn hear(&mut self, advert: &Advert) -> Vec<Effect> {
        let octets = advert.octets();
        self.hear_octets(advert, &octets)
    }

    /// Delivers `octets` in a packet from and to the addresses of `advert`.
    pub fn hear_octets(&mut self, advert: &Advert, octets: &[u8]) -> Vec<Effect> {
        let socket = self.socket;
        let packet = advert.ingress(octets);
        self.deliver(VrrpEvent::Packet { socket, packet })
    }

    /// Delivers an advert of neighbour `number` with `priority`.
    pub fn hear_neighbour(&mut self, number: u8, priority: u8) -> Vec<Effect> {
        let advert = Advert::from_neighbour(&self.config(), number, priority);
        self.hear(&advert)
    }

    /// The kernel's whole picture: these links and what is present on them.
    pub fn dump(&mut self, links: &[Link<'_>]) -> Vec<Effect> {
        let mut effects = self.kernel(KernelEvent::DumpStart);
        for link in links {
            effects.extend(self.kernel(KernelEvent::Link(link.clone())));
        }
        for key in self.present.clone() {
            effects.extend(self.kernel(address(key)));
        }
        effects.extend(self.kernel(KernelEvent::DumpEnd));
        effects
    }

    /// Delivers an event of the kernel.
    pub fn kernel(&mut self, event: KernelEvent<'_>) -> Vec<Effect> {
        self.deliver(VrrpEvent::Kernel(event))
    }

    /// `eth0` goes up or down.
    pub fn set_link(&mut self, up: bool) -> Vec<Effect> {
        let mut changed = link("eth0", ETH0);
        changed.running = up;
        self.kernel(KernelEvent::Link(changed))
    }

    /// Another program deletes an address.
    pub fn take_address(&mut self, addr: IpAddr) -> Vec<Effect> {
        let key = self.present.iter().copied().find(|key| key.addr == addr);
        let key = key.expect("an address that is there");
        self.present.remove(&key);
        self.kernel(KernelEvent::AddressGone { key })
    }

    /// The operator stops the daemon.
    pub fn stop(&mut self) -> Vec<Effect> {
        self.deliver(VrrpEvent::Command(Command::Stop))
    }

    /// Answers every socket that `effects` ask for.
    pub fn open_sockets(&mut self, effects: &[Effect], result: Result<(), Errno>) -> Vec<Effect> {
        let mut caused = Vec::new();
        for effect in effects {
            if let Effect::Open(socket, _) = effect {
                let socket = *socket;
                caused.extend(self.deliver(VrrpEvent::Socket { socket, result }));
            }
        }
        caused
    }

    /// The kernel answers the oldest change as it would, and its event socket tells of it.
    pub fn answer_one(&mut self) -> Vec<Effect> {
        let (op, change) = self.asked.remove(0);
        let (result, event) = match change {
            KernelOp::AddAddress { key, .. } if self.present.insert(key) => {
                (Ok(()), Some(address(key)))
            }
            KernelOp::AddAddress { .. } => (Err(Errno::EEXIST), None),
            KernelOp::DelAddress { key } if self.present.remove(&key) => {
                (Ok(()), Some(KernelEvent::AddressGone { key }))
            }
            KernelOp::DelAddress { .. } => (Err(Errno::EADDRNOTAVAIL), None),
        };
        let mut effects = self.deliver(VrrpEvent::Done { op, result });
        if let Some(event) = event {
            effects.extend(self.kernel(event));
        }
        effects
    }

    /// Answers changes and goes on until nothing is left to do at this moment.
    pub fn settle(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while !self.asked.is_empty() || self.node.more() {
            let due = self.node.next_timeout();
            if due.is_some_and(|(at, _)| at <= self.now) {
                effects.extend(self.look_at_timers());
            } else if self.asked.is_empty() {
                effects.extend(self.deliver(VrrpEvent::Continue));
            } else {
                effects.extend(self.answer_one());
            }
        }
        effects
    }

    /// The virtual addresses that stand on `eth0`, sorted.
    pub fn held(&self) -> Vec<IpAddr> {
        let own = [IpAddr::V4(OWN_V4), IpAddr::V6(OWN_V6)];
        let keys = self.present.iter().filter(|key| !own.contains(&key.addr));
        let mut addrs: Vec<_> = keys.map(|key| key.addr).collect();
        addrs.sort_unstable();
        addrs
    }

    fn take(&mut self) -> Vec<Effect> {
        let out = std::mem::take(&mut self.out);
        self.most_actions = self.most_actions.max(out.len());
        if let Some(recording) = &mut self.recording {
            let bound = self.node.bound();
            let line = |action| action_line(self.now, action, &out, bound);
            recording.actions.extend(out.actions().iter().map(line));
        }
        // What a successor is told is not seen from outside.
        let outward = |action: &&VrrpAction| {
            !matches!(
                action,
                VrrpAction::Remember { .. } | VrrpAction::Forget { .. }
            )
        };
        let effects = out
            .actions()
            .iter()
            .filter(outward)
            .map(|action| match action {
                VrrpAction::Remember { .. } | VrrpAction::Forget { .. } => Effect::Exit(u8::MAX),
                VrrpAction::SendAdvert {
                    src,
                    dst,
                    hop_limit,
                    packet,
                    ..
                } => Effect::Advert(read_advert(out.bytes(*packet), *src, *dst, *hop_limit)),
                VrrpAction::Kernel { op, change } => {
                    self.asked.push((*op, change.clone()));
                    match change {
                        KernelOp::AddAddress { key, .. } => Effect::Add(*key),
                        KernelOp::DelAddress { key } => Effect::Delete(*key),
                    }
                }
                VrrpAction::SendGarp {
                    ifindex,
                    addr,
                    frame,
                } => read_garp(&out, (*ifindex, self.eth0), *addr, *frame),
                VrrpAction::SendNa {
                    ifindex,
                    addr,
                    frame,
                } => read_na(&out, (*ifindex, self.eth0), *addr, *frame),
                VrrpAction::OpenSocket { socket, spec, .. } => {
                    self.socket = *socket;
                    Effect::Open(*socket, *spec)
                }
                VrrpAction::GrowSocket { socket, .. } => Effect::Grow(*socket),
                VrrpAction::CloseSocket(socket) => Effect::Close(*socket),
                VrrpAction::InForce(_) => Effect::InForce,
                VrrpAction::Note(note) => Effect::Note(note.clone()),
                VrrpAction::Exit(code) => Effect::Exit(*code),
            });
        effects.collect()
    }
}

/// An interface that works.
pub fn link(name: &str, ifindex: IfIndex) -> Link<'_> {
    Link {
        ifindex,
        name,
        mac: &MAC,
        admin_up: true,
        running: true,
        loopback: false,
        no_arp: false,
        multicast: true,
        forwarding: true,
        mtu: 1_500,
    }
}

/// An address on `eth0`.
pub fn key_on_eth0(addr: IpAddr, prefix: u8) -> AddressKey {
    AddressKey {
        ifindex: ETH0,
        addr,
        prefix,
    }
}

/// The event that tells of an address, marked as ours if it is as narrow as ours are.
pub fn address(key: AddressKey) -> KernelEvent<'static> {
    let ours = key.prefix == Family::of(key.addr).prefix_max();
    KernelEvent::Address {
        key,
        tentative: false,
        dad_failed: false,
        secondary: false,
        protocol: if ours { ROUTE_PROTOCOL } else { 0 },
    }
}

/// Reads an advert as strictly as can be: RFC 9568 section 5, RFC 3768 section 5.
fn read_advert(octets: &[u8], src: IpAddr, dst: IpAddr, hop_limit: u8) -> Advert {
    let family = Family::of(src);
    let message = match family {
        Family::V4 => {
            let packet = ipv4::Packet::new_checked(octets).expect("an IPv4 header");
            let header = ipv4::Repr::parse(&packet).expect("a well-formed IPv4 header");
            assert_eq!(IpAddr::V4(header.src), src, "source of the header");
            assert_eq!(IpAddr::V4(header.dst), dst, "destination of the header");
            assert_eq!(header.ttl, hop_limit, "TTL of the header");
            assert_eq!(header.protocol, 112, "protocol");
            assert_eq!(header.tos, 0xc0, "type of service");
            assert_eq!(packet.payload().len(), header.payload_len, "surplus octets");
            packet.payload()
        }
        Family::V6 => octets,
    };
    let packet = vrrp::Packet::new_checked(message).expect("a VRRP header");
    assert_eq!(
        message[4] & 0xf0,
        0,
        "the reserved bits are zero in v3, and the authentication type is small in v2"
    );
    let mut addresses = Vec::new();
    let pseudo = vrrp::Pseudo::new(src, dst);
    let repr = vrrp::Repr::parse(&packet, family, pseudo, &mut addresses).expect("an advert");
    Advert {
        version: repr.version,
        src,
        dst,
        hop_limit,
        vrid: repr.vrid,
        priority: repr.priority,
        interval: repr.interval,
        auth: repr.auth,
        addresses: repr.addresses.to_vec(),
    }
}

fn read_garp(
    out: &Out<VrrpAction>,
    (ifindex, eth0): (IfIndex, IfIndex),
    addr: Ipv4Addr,
    frame: BytesRange,
) -> Effect {
    assert_eq!(ifindex, eth0, "interface of the announcement");
    let frame = ethernet::Packet::new_checked(out.bytes(frame)).expect("a frame");
    assert_eq!(
        (frame.dst(), frame.src()),
        ([0xff; 6], MAC),
        "frame of the ARP"
    );
    let packet = arp::Packet::new_checked(frame.payload()).expect("an ARP packet");
    let repr = arp::Repr::parse(&packet).expect("a well-formed ARP packet");
    assert!(repr.is_gratuitous(), "no gratuitous ARP: {repr:?}");
    assert_eq!(packet.sender_addr(), addr, "announced address");
    assert_eq!(packet.sender_mac(), MAC, "hardware address of the ARP");
    Effect::Announce(addr.into())
}

fn read_na(
    out: &Out<VrrpAction>,
    (ifindex, eth0): (IfIndex, IfIndex),
    addr: Ipv6Addr,
    frame: BytesRange,
) -> Effect {
    assert_eq!(ifindex, eth0, "interface of the announcement");
    let frame = ethernet::Packet::new_checked(out.bytes(frame)).expect("a frame");
    let packet = ipv6::Packet::new_checked(frame.payload()).expect("an IPv6 packet");
    assert_eq!(packet.hop_limit(), 255, "hop limit of the advertisement");
    assert_eq!(packet.dst(), ipv6::ALL_NODES, "all nodes");
    let advertisement = ndisc::Packet::new_checked(packet.payload()).expect("an advertisement");
    let repr = ndisc::Repr::parse(&advertisement, packet.src(), packet.dst());
    let repr = repr.expect("a well-formed neighbour advertisement");
    assert_eq!(repr.target, addr, "announced address");
    assert!(repr.router, "the router flag (the interface forwards)");
    assert!(repr.overrides, "the override flag");
    assert!(!repr.solicited, "the solicited flag");
    assert_eq!(repr.target_mac, Some(MAC), "hardware address");
    Effect::Announce(addr.into())
}
