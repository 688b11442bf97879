//! Bytes become a stream of events into one VRRP machine, and its promises are the oracle:
//!
//! - it never panics, and no call pushes more than a bounded number of actions;
//! - after `handle_timeout(now)` the next deadline is later than `now`, or more work waits;
//! - only a master sends adverts of priority above 0;
//! - the same stream twice gives the same actions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use relevo_core::config::bound::{Auth, Bound, Global, InstanceConfig, VirtualAddress};
use relevo_core::ids::{Errno, Family, IfIndex, InstanceId, OpId, SocketId, Version};
use relevo_core::kernel::{AddressKey, KernelEvent, Link};
use relevo_core::limits::SLICE;
use relevo_core::machine::{Machine, Out};
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::{Command, Ingress, StateName, VrrpAction, VrrpEvent, VrrpNode};
use relevo_core::wire::{ipv4, vrrp};

/// Events taken from one input: enough to reach every state, few enough to be fast.
const EVENTS_MAX: usize = 400;

/// Feeds the stream to a machine, twice.
pub fn run(data: &[u8]) {
    let first = play(data);
    let second = play(data);
    assert_eq!(first, second, "the same events gave other actions");
}

fn play(data: &[u8]) -> Vec<String> {
    let bound = Arc::new(configuration());
    let mut player = Player {
        node: VrrpNode::new(Arc::clone(&bound), 0, Instant::ZERO),
        out: Out::new(),
        now: Instant::from_micros(1),
        asked: Vec::new(),
        sockets: Vec::new(),
        trace: Vec::new(),
        bound,
    };
    player.begin();
    let mut bytes = Bytes { data };
    for _ in 0..EVENTS_MAX {
        let Some(kind) = bytes.next() else { break };
        player.step(kind, &mut bytes);
    }
    player.trace
}

struct Player {
    node: VrrpNode,
    bound: Arc<Bound>,
    out: Out<VrrpAction>,
    now: Instant,
    asked: Vec<OpId>,
    sockets: Vec<SocketId>,
    trace: Vec<String>,
}

impl Player {
    fn begin(&mut self) {
        self.deliver(VrrpEvent::Kernel(KernelEvent::DumpStart));
        self.deliver(VrrpEvent::Kernel(KernelEvent::Link(link(true))));
        for addr in ["10.0.0.1", "fe80::1"] {
            self.deliver(VrrpEvent::Kernel(address(
                addr.parse().expect("an address"),
            )));
        }
        self.deliver(VrrpEvent::Kernel(KernelEvent::DumpEnd));
    }

    fn step(&mut self, kind: u8, bytes: &mut Bytes<'_>) {
        self.now += Duration::from_micros(u64::from(bytes.u16()) * 40);
        let result = match bytes.next().unwrap_or(0) % 4 {
            0..=2 => Ok(()),
            _ => Err(Errno(i32::from(bytes.next().unwrap_or(1)))),
        };
        match kind % 16 {
            0..=3 => self.packet(bytes, true),
            4 => self.packet(bytes, false),
            5 | 6 => self.timeout(),
            7 | 8 => {
                if !self.asked.is_empty() {
                    let op = self.asked.remove(0);
                    self.deliver(VrrpEvent::Done { op, result });
                }
            }
            9 => {
                if let Some(socket) = self.sockets.pop() {
                    self.deliver(VrrpEvent::Socket { socket, result });
                }
            }
            10 => {
                let up = !bytes.next().unwrap_or(0).is_multiple_of(4);
                self.deliver(VrrpEvent::Kernel(KernelEvent::Link(link(up))));
            }
            11 => self.deliver(VrrpEvent::Kernel(KernelEvent::LinkGone {
                ifindex: IfIndex(3),
            })),
            12 => self.address_event(bytes),
            13 => self.deliver(VrrpEvent::Kernel(KernelEvent::DumpStart)),
            14 => self.deliver(VrrpEvent::Kernel(KernelEvent::DumpEnd)),
            _ if bytes.next() == Some(0) => self.deliver(VrrpEvent::Command(Command::Stop)),
            _ => self.deliver(VrrpEvent::Continue),
        }
    }

    fn packet(&mut self, bytes: &mut Bytes<'_>, well_formed: bool) {
        let socket = SocketId(u32::from(bytes.next().unwrap_or(0) % 4));
        if !well_formed {
            let datagram = bytes.take(60);
            return self.deliver(VrrpEvent::Packet {
                socket,
                packet: Ingress::V4 { datagram },
            });
        }
        let config = &self.bound.instances[usize::from(bytes.next().unwrap_or(0)) % 3];
        let priority = bytes.next().unwrap_or(0);
        let last = bytes.next().unwrap_or(2);
        let addresses: Vec<IpAddr> = config
            .addresses
            .iter()
            .map(|address| address.addr)
            .collect();
        let repr = vrrp::Repr {
            version: config.version,
            family: config.family,
            vrid: config.vrid,
            priority,
            interval: Duration::from_centis(u64::from(bytes.next().unwrap_or(100))),
            auth: config.auth,
            addresses: &addresses,
        };
        let mut packet = Vec::new();
        if config.family == Family::V4 {
            let (src, dst) = (Ipv4Addr::new(10, 0, 0, last), vrrp::GROUP_V4);
            let payload_len = repr.buffer_len();
            let (ttl, protocol) = (255, vrrp::PROTOCOL);
            let (tos, ident, dont_fragment) = (0, 1, false);
            ipv4::Repr {
                tos,
                ident,
                ttl,
                protocol,
                src,
                dst,
                payload_len,
                dont_fragment,
            }
            .emit(&mut packet);
            repr.emit(vrrp::Pseudo::new(src.into(), dst.into()), &mut packet);
            self.deliver(VrrpEvent::Packet {
                socket,
                packet: Ingress::V4 { datagram: &packet },
            });
        } else {
            let src = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(last));
            let dst = vrrp::GROUP_V6;
            repr.emit(vrrp::Pseudo::new(src.into(), dst.into()), &mut packet);
            let packet = Ingress::V6 {
                src,
                dst,
                hop_limit: 255,
                payload: &packet,
            };
            self.deliver(VrrpEvent::Packet { socket, packet });
        }
    }

    fn address_event(&mut self, bytes: &mut Bytes<'_>) {
        let addrs = [
            "10.0.0.1",
            "fe80::1",
            "10.0.0.100",
            "10.0.0.101",
            "fe80::64",
        ];
        let which = usize::from(bytes.next().unwrap_or(0));
        let addr = addrs[which % addrs.len()].parse().expect("an address");
        let event = address(addr);
        let KernelEvent::Address { key, .. } = event else {
            return;
        };
        let gone = bytes.next().unwrap_or(0).is_multiple_of(2);
        self.deliver(VrrpEvent::Kernel(if gone {
            KernelEvent::AddressGone { key }
        } else {
            event
        }));
    }

    fn timeout(&mut self) {
        if let Some((at, _)) = self.node.next_timeout() {
            self.now = self.now.max(at);
        }
        let masters = self.masters();
        self.node.handle_timeout(self.now, &mut self.out);
        let next = self.node.next_timeout();
        assert!(
            self.node.more() || next.is_none_or(|(at, _)| at > self.now),
            "a timer is stuck"
        );
        self.take_actions(&masters);
    }

    fn deliver(&mut self, event: VrrpEvent<'_>) {
        let masters = self.masters();
        self.node.handle(event, self.now, &mut self.out);
        self.take_actions(&masters);
    }

    fn masters(&self) -> Vec<bool> {
        let ids = self.bound.iter().map(|(id, _)| id);
        ids.map(|id| self.node.state(id) == StateName::Master)
            .collect()
    }

    fn take_actions(&mut self, were_masters: &[bool]) {
        let actions = self.out.actions();
        assert!(
            actions.len() <= 2 * SLICE + 100,
            "{} actions in one call",
            actions.len()
        );
        for action in actions {
            match action {
                VrrpAction::SendAdvert {
                    instance, packet, ..
                } => {
                    let bytes = self.out.bytes(*packet);
                    self.check_sender(*instance, bytes, were_masters);
                }
                VrrpAction::Kernel { op, .. } => self.asked.push(*op),
                VrrpAction::OpenSocket { socket, .. } => self.sockets.push(*socket),
                VrrpAction::SendGarp { .. }
                | VrrpAction::SendNa { .. }
                | VrrpAction::CloseSocket(_)
                | VrrpAction::Note(_)
                | VrrpAction::Exit(_) => {}
            }
            let line = relevo_core::trace::action_line(self.now, action, &self.out, &self.bound);
            self.trace.push(line);
        }
        self.out.clear();
        self.check_conditions();
    }

    /// An instance is in FAULT exactly while a condition is unmet, and sends from the address that
    /// a look at all of them would find.
    fn check_conditions(&self) {
        assert!(
            self.node.sources_agree(),
            "another source than a scan finds"
        );
        for (id, _) in self.bound.iter() {
            let state = self.node.state(id);
            let unmet: Vec<_> = self.node.unmet_conditions(id).collect();
            assert!(
                state == StateName::Init || (state == StateName::Fault) != unmet.is_empty(),
                "{state:?} with {unmet:?}"
            );
        }
    }

    fn check_sender(&self, instance: InstanceId, packet: &[u8], were_masters: &[bool]) {
        let config = self.bound.instance(instance);
        let header = if config.family == Family::V4 { 20 } else { 0 };
        let priority = packet[header + 2];
        let is_master = self.node.state(instance) == StateName::Master;
        let was_master = were_masters[instance.0 as usize];
        assert!(is_master || was_master, "an advert from {config:?}");
        assert!(priority == 0 || priority == config.priority);
        assert!(
            priority != 0 || was_master,
            "priority 0 without having been master"
        );
    }
}

struct Bytes<'a> {
    data: &'a [u8],
}

impl<'a> Bytes<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(*first)
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.next().unwrap_or(0), self.next().unwrap_or(0)])
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.data.split_at(count.min(self.data.len()));
        self.data = rest;
        taken
    }
}

fn link(up: bool) -> Link<'static> {
    Link {
        ifindex: IfIndex(3),
        name: "eth0",
        mac: &[2, 0, 0, 0, 0, 1],
        admin_up: true,
        running: up,
        loopback: false,
        no_arp: false,
        multicast: true,
        forwarding: false,
        mtu: 1500,
    }
}

fn address(addr: IpAddr) -> KernelEvent<'static> {
    let prefix = if addr.is_ipv4() { 24 } else { 64 };
    let key = AddressKey {
        ifindex: IfIndex(3),
        addr,
        prefix,
    };
    KernelEvent::Address {
        key,
        tentative: false,
        dad_failed: false,
        secondary: false,
        protocol: 0,
    }
}

fn configuration() -> Bound {
    let v2 = instance("V2", Version::V2, 51, "10.0.0.100");
    let v3 = InstanceConfig {
        preempt: false,
        advert_interval: Duration::from_centis(20),
        auth: Auth::None,
        ..instance("V3", Version::V3, 52, "10.0.0.101")
    };
    let v6 = InstanceConfig {
        preempt_delay: Duration::from_secs(2),
        auth: Auth::None,
        ..instance("V6", Version::V3, 53, "fe80::64")
    };
    Bound {
        global: Global::default(),
        instances: vec![v2, v3, v6],
    }
}

fn instance(name: &str, version: Version, vrid: u8, addr: &str) -> InstanceConfig {
    let addr: IpAddr = addr.parse().expect("an address");
    let prefix = if addr.is_ipv4() { 24 } else { 64 };
    let addresses = vec![VirtualAddress::new(addr, prefix)];
    InstanceConfig {
        auth: Auth::Pass(*b"secret\0\0"),
        higher_prio_send_advert: true,
        ..InstanceConfig::new(name, "eth0", version, vrid, addresses)
    }
}
