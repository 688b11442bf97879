//! From bytes to events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use relevo_core::config::bound::Bound;
use relevo_core::ids::{Errno, IfIndex, InstanceId, OpId, SocketId};
use relevo_core::kernel::{AddressKey, KernelEvent, KernelOp, ROUTE_PROTOCOL};
use relevo_core::machine::{Machine, Out};
use relevo_core::time::{Duration, Instant};
use relevo_core::trace;
use relevo_core::vrrp::{
    Command, Discard, Ingress, Note, SocketSpec, StateName, VrrpAction, VrrpEvent, VrrpNode,
};

use super::host::{Flags, Host, News, Row, own_key};
use super::packets::{self, Flaw, Packet};
use super::promises::Promises;
use super::setup::{self, INTERFACES, KINDS, OWN, addr};
use crate::bytes::Bytes;
use crate::trail::Trail;

/// Events taken from one input: enough to reach every state, few enough to be fast.
const EVENTS_MAX: usize = 250;

/// Microseconds that pass before an event.
const PAUSES: [u64; 8] = [0, 0, 0, 1, 300, 20_000, 500_000, 3_000_000];

/// Error numbers that the kernel may answer with.
const ERRNOS: [i32; 8] = [1, 3, 12, 17, 19, 99, 101, 105];

/// Those of them that an honest kernel may answer with at any time.
const REFUSALS: [i32; 3] = [1, 12, 105];

/// What a call did: when, counted from the beginning, its actions, and the bytes of their packets.
pub(super) type Record = (Duration, Vec<VrrpAction>, Vec<Vec<u8>>);

pub(super) struct Player<'a, 't> {
    bytes: Bytes<'a>,
    honest: bool,
    bound: Arc<Bound>,
    /// The configuration of the start, and all that were in force before the present one.
    first: Arc<Bound>,
    former: Vec<Arc<Bound>>,
    reloads: u64,
    begin: Instant,
    now: Instant,
    node: VrrpNode,
    twin: Option<VrrpNode>,
    out: Out<VrrpAction>,
    host: Host,
    /// Everything that was ever asked of a lying kernel.
    asked: Vec<(OpId, KernelOp)>,
    sockets: BTreeMap<SocketId, SocketSpec>,
    pending: Vec<SocketId>,
    /// Addresses of which an honest kernel may not have what it should: refused, or foreign.
    blemished: BTreeSet<AddressKey>,
    /// An interface has been removed, with its addresses.
    interface_gone: bool,
    told_to_stop: bool,
    /// A table is being told: what it replaces is lost, and not yet known to be.
    telling: bool,
    promises: Promises,
    records: Vec<Record>,
    trail: Option<&'t mut Trail>,
}

impl<'a, 't> Player<'a, 't> {
    pub(super) fn new(data: &'a [u8], begin: Duration, trail: Option<&'t mut Trail>) -> Self {
        let mut bytes = Bytes::new(data);
        let bound = setup::bound(bytes.u8());
        let honest = !bytes.one_in(3);
        let now = Instant::ZERO + begin;
        Self {
            bytes,
            honest,
            begin: now,
            now,
            node: VrrpNode::new(Arc::clone(&bound), 0, now),
            twin: None,
            out: Out::new(),
            host: Host::new(),
            asked: Vec::new(),
            sockets: BTreeMap::new(),
            pending: Vec::new(),
            blemished: BTreeSet::new(),
            interface_gone: false,
            told_to_stop: false,
            telling: false,
            promises: Promises::new(Arc::clone(&bound)),
            first: Arc::clone(&bound),
            former: Vec::new(),
            reloads: 0,
            records: Vec::new(),
            bound,
            trail,
        }
    }

    pub(super) fn play(mut self) -> Vec<Record> {
        // A liar may begin with anything.
        if self.honest || self.bytes.one_in(2) {
            self.table();
        }
        for _ in 0..EVENTS_MAX {
            if self.bytes.is_empty() {
                break;
            }
            self.step();
        }
        if self.honest {
            self.settle();
            self.check_held();
            self.told_to_stop = true;
            self.deliver(VrrpEvent::Command(Command::Stop));
            self.settle();
            assert!(
                self.promises.exited(),
                "stopped, and everything answered, and no exit"
            );
            self.check_held();
        }
        self.records
    }

    fn step(&mut self) {
        let op = self.bytes.u8();
        self.now += Duration::from_micros(PAUSES[usize::from(op >> 5)]);
        match op & 31 {
            0..=8 => self.packet(),
            9 => {
                let packet = Packet::random(&mut self.bytes);
                let socket = SocketId(u32::from(self.bytes.u8() % 8));
                self.receive(socket, packet.ingress(), Flaw::Perhaps);
            }
            10..=14 => self.time(),
            15..=17 => self.kernel_works(),
            18..=20 => self.answers(),
            21 | 22 => self.news(),
            23 => self.socket(),
            24 => self.interface(),
            25 => self.foreign_address(),
            26 => {
                if self.honest || self.bytes.one_in(2) {
                    self.table();
                } else {
                    self.lie();
                }
            }
            27 => self.send_failed(),
            28 if self.bytes.one_in(4) => {
                self.told_to_stop = true;
                self.deliver(VrrpEvent::Command(Command::Stop));
            }
            28 => {
                let socket = SocketId(u32::from(self.bytes.u8() % 8));
                self.deliver(VrrpEvent::PacketsLost { socket });
            }
            29 => self.twin = Some(self.node.clone()),
            30 if !self.honest => self.lie(),
            30 => self.reload(),
            31 if !self.honest && self.bytes.one_in(4) => self.reload(),
            _ => self.deliver(VrrpEvent::Continue),
        }
    }

    /// Another configuration of the same virtual routers, or the same again.
    fn reload(&mut self) {
        self.reloads += 1;
        let which = self.bytes.u16();
        let bound = Arc::new(setup::other(&self.first, which));
        self.former.push(Arc::clone(&self.bound));
        let number = self.reloads;
        self.deliver(VrrpEvent::Reload { number, bound });
    }

    fn packet(&mut self) {
        let which = self.bytes.below(self.bound.instances.len());
        let bound = Arc::clone(&self.bound);
        let config = &bound.instances[which];
        let packet = packets::almost(config, &mut self.bytes);
        let interface = INTERFACES.iter().position(|name| *name == config.interface);
        // A liar has told of other interfaces.
        let ifindex = interface.and_then(|interface| self.host.index_of(interface));
        let right = ifindex.filter(|_| self.honest).and_then(|ifindex| {
            let id = InstanceId(which as u32);
            self.promises.socket_of(id, ifindex, &self.sockets)
        });
        let stray = self.bytes.one_in(16);
        let (socket, flaw) = match right {
            Some(socket) if !stray => (socket, packet.flaw),
            Some(_) | None => (SocketId(u32::from(self.bytes.u8() % 8)), Flaw::Perhaps),
        };
        self.receive(socket, packet.ingress(), flaw);
    }

    fn receive(&mut self, socket: SocketId, packet: Ingress<'_>, flaw: Flaw) {
        // Two copies of everything are dear: the first of the two plays will do.
        let quiet = self.trail.is_some() && !self.node.more();
        let before = quiet.then(|| self.node.without_counters());
        let discarded = self.discarded();
        let listens = self.promises.is_open(socket) && !self.told_to_stop;
        self.deliver(VrrpEvent::Packet { socket, packet });
        let dropped = self.discarded() > discarded;
        if let (true, Some(before)) = (dropped, before) {
            assert_eq!(
                before,
                self.node.without_counters(),
                "a discarded packet did something"
            );
        }
        if listens && self.promises.is_running() {
            assert!(
                !dropped || flaw != Flaw::None,
                "a right advert was discarded: {packet:?}"
            );
            assert!(
                dropped || flaw != Flaw::Fatal,
                "a wrong packet was accepted: {packet:?}"
            );
        }
    }

    fn discarded(&self) -> u64 {
        let charged = self
            .bound
            .iter()
            .map(|(id, _)| self.node.stats(id).discarded_total());
        let others = Discard::ALL
            .iter()
            .map(|kind| self.node.discarded_unattributed(*kind));
        charged.chain(others).sum()
    }

    /// Time passes, a little or a lot, and due timers are acted on, or not yet.
    fn time(&mut self) {
        let next = self.node.next_timeout().map(|(at, _)| at);
        let how = self.bytes.u8();
        self.now = match (how & 7, next) {
            (0..=3, Some(at)) => self.now.max(at),
            (4, Some(at)) => self.now.max(at - Duration::from_micros(1)),
            (5, Some(at)) => self.now.max(at) + Duration::from_micros(u64::from(self.bytes.u16())),
            (6, _) => self.now + Duration::from_micros(u64::from(self.bytes.u16()) << (how >> 4)),
            _ => self.now,
        };
        if how & 8 == 0 {
            self.timeout();
        }
    }

    fn timeout(&mut self) {
        let before = self.promises.before(&self.node, &self.bound);
        self.tell(|| trace::timeout_line(self.now));
        self.node.handle_timeout(self.now, &mut self.out);
        let next = self.node.next_timeout();
        assert!(
            self.node.more() || next.is_none_or(|(at, _)| at > self.now),
            "a timer is stuck: {next:?} at {:?}",
            self.now
        );
        if let Some(twin) = &mut self.twin {
            let mut out = Out::new();
            twin.handle_timeout(self.now, &mut out);
            assert_eq!(
                out.actions(),
                self.out.actions(),
                "a copy does something else"
            );
        }
        self.after("timeout", &before);
    }

    fn kernel_works(&mut self) {
        for _ in 0..=self.bytes.u8() % 16 {
            if !self.honest {
                return self.answer_anything();
            }
            let refuses = self.bytes.one_in(16);
            let refusal = refuses.then(|| Errno(self.bytes.pick(&REFUSALS)));
            self.blemished.extend(self.host.work(refusal));
        }
    }

    /// An answer to something that was asked, or not; once or again; in whatever order.
    fn answer_anything(&mut self) {
        let choice = usize::from(self.bytes.u8());
        let op = match self.asked.get(choice % (self.asked.len() + 1)) {
            Some((op, _)) => *op,
            None => OpId(choice as u64),
        };
        let result = self.result();
        self.deliver(VrrpEvent::Done { op, result });
    }

    fn result(&mut self) -> Result<(), Errno> {
        if self.bytes.one_in(3) {
            Err(Errno(self.bytes.pick(&ERRNOS)))
        } else {
            Ok(())
        }
    }

    fn answers(&mut self) {
        if !self.honest {
            return self.answer_anything();
        }
        for _ in 0..=self.bytes.u8() % 16 {
            if let Some((op, result)) = self.host.answers.pop_front() {
                self.deliver(VrrpEvent::Done { op, result });
            }
        }
    }

    fn news(&mut self) {
        for _ in 0..=self.bytes.u8() % 8 {
            if let Some(news) = self.host.news.pop_front() {
                self.deliver(VrrpEvent::Kernel(news.event()));
            }
        }
    }

    fn socket(&mut self) {
        let choice = usize::from(self.bytes.u8());
        let result = self.result();
        let socket = if self.honest {
            if self.pending.is_empty() {
                return;
            }
            self.pending.remove(choice % self.pending.len())
        } else {
            SocketId(choice as u32 % 8)
        };
        self.deliver(VrrpEvent::Socket { socket, result });
    }

    fn interface(&mut self) {
        let which = self.bytes.below(INTERFACES.len());
        let how = self.bytes.u8();
        let Some(ifindex) = self.host.index_of(which) else {
            return self.host.create(which);
        };
        match how % 6 {
            0 => self.host.change(ifindex, |row| row.running = false),
            1 => self
                .host
                .change(ifindex, |row| row.admin_up = !row.admin_up),
            2 => self.host.change(ifindex, |row| row.no_arp = !row.no_arp),
            3 => {
                self.interface_gone = true;
                self.host.remove(ifindex);
            }
            _ => self.host.change(ifindex, |row| row.running = true),
        }
    }

    /// Another program adds or deletes an address: one of the host's own or a virtual one.
    fn foreign_address(&mut self) {
        let how = self.bytes.u8();
        let which = self.bytes.below(INTERFACES.len());
        let Some(ifindex) = self.host.index_of(which) else {
            return;
        };
        if how.is_multiple_of(3) {
            let key = own_key(ifindex, OWN[which][self.bytes.below(2)]);
            if self.host.addresses.contains_key(&key) {
                self.host.take(key);
            } else {
                self.host.put(key, 0);
            }
            self.blemished.insert(key);
            return;
        }
        let config = &self.bound.instances[self.bytes.below(self.bound.instances.len())];
        let addresses: Vec<_> = config.all_addresses().take(4).collect();
        if addresses.is_empty() {
            return;
        }
        let address = addresses[self.bytes.below(addresses.len())];
        let key = AddressKey {
            ifindex,
            addr: address.addr,
            prefix: address.prefix,
        };
        self.blemished.insert(key);
        if how % 3 == 1 {
            self.host.take(key);
        } else if !self.host.addresses.contains_key(&key) {
            let protocol = if how & 64 == 0 { 0 } else { ROUTE_PROTOCOL };
            self.host.put(key, protocol);
        }
    }

    /// A whole table, after a loss of what was waiting. Answers wait already when a change has been
    /// sent, so that they are read before a table that is asked for later.
    fn table(&mut self) {
        while let Some((op, result)) = self.host.answers.pop_front() {
            self.deliver(VrrpEvent::Done { op, result });
        }
        let rows = self.host.table();
        self.telling = true;
        self.deliver(VrrpEvent::Kernel(KernelEvent::DumpStart));
        for row in rows {
            self.deliver(VrrpEvent::Kernel(row.event()));
        }
        self.telling = false;
        self.deliver(VrrpEvent::Kernel(KernelEvent::DumpEnd));
    }

    /// News of what never happened.
    fn lie(&mut self) {
        let how = self.bytes.u8();
        let which = self.bytes.below(INTERFACES.len());
        let ifindex = IfIndex(u32::from(self.bytes.u8() % 6));
        let own = addr(OWN[which][usize::from(how >> 4 & 1)]);
        let config = &self.bound.instances[self.bytes.below(self.bound.instances.len())];
        let other = config
            .all_addresses()
            .next()
            .map_or(own, |address| address.addr);
        let key = AddressKey {
            ifindex,
            addr: if how & 32 == 0 { other } else { own },
            prefix: self.bytes.pick(&[24, 24, 64, 64, 128, 32]),
        };
        let flags = Flags {
            tentative: how & 64 != 0,
            protocol: if how & 128 == 0 { 0 } else { ROUTE_PROTOCOL },
        };
        let row = Row {
            name: INTERFACES[which],
            mac: [2; 6],
            admin_up: how & 16 == 0,
            running: how & 32 == 0,
            no_arp: how & 64 != 0,
            forwarding: false,
        };
        let news = match how & 7 {
            0 => return self.deliver(VrrpEvent::Kernel(KernelEvent::DumpStart)),
            1 | 2 => return self.deliver(VrrpEvent::Kernel(KernelEvent::DumpEnd)),
            3 => News::Link(ifindex, row),
            4 => News::LinkGone(ifindex),
            5 | 6 => News::Address(key, flags),
            _ => News::AddressGone(key),
        };
        self.deliver(VrrpEvent::Kernel(news.event()));
    }

    fn send_failed(&mut self) {
        let event = VrrpEvent::SendFailed {
            instance: InstanceId(self.bytes.below(KINDS + 1) as u32),
            dst: addr("10.0.0.3"),
            errno: Errno(self.bytes.pick(&ERRNOS)),
        };
        self.deliver(event);
    }

    fn deliver(&mut self, event: VrrpEvent<'_>) {
        let line = trace::event_line(self.now, &event);
        let parsed = trace::Line::parse(&line).expect("the line of an event can be read");
        assert_eq!(parsed.at, self.now);
        // A configuration is more than a line holds.
        if !matches!(event, VrrpEvent::Reload { .. }) {
            let input = Ok(trace::Input::Event(event.clone()));
            assert_eq!(parsed.input(), input, "{line}");
        }
        self.tell(|| line.clone());
        let before = self.promises.before(&self.node, &self.bound);
        self.promises.hear(&event);
        if let Some(twin) = &mut self.twin {
            let mut out = Out::new();
            twin.handle(event.clone(), self.now, &mut out);
            self.node.handle(event, self.now, &mut self.out);
            assert_eq!(
                out.actions(),
                self.out.actions(),
                "a copy does something else"
            );
        } else {
            self.node.handle(event, self.now, &mut self.out);
        }
        let kind = line.split(' ').nth(1).unwrap_or("");
        self.after(kind, &before);
    }

    fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(trail) = &self.trail {
            trail.tell(line);
        }
    }

    /// Takes the actions of a call.
    fn after(&mut self, kind: &str, before: &[StateName]) {
        for action in self.out.actions() {
            self.tell(|| trace::action_line(self.now, action, &self.out, &self.bound));
        }
        let host = Some(&self.host).filter(|_| self.honest && !self.telling);
        self.promises
            .check(&self.node, before, &self.out, self.now, host);
        if let Some(trail) = &mut self.trail {
            self.promises
                .mark(kind, &self.node, before, &self.out, trail);
            // A burst is much of the same.
            for action in self.out.actions().iter().take(40) {
                let line = trace::action_line(self.now, action, &self.out, &self.bound);
                assert!(!line.contains(char::is_control), "{line:?}");
            }
        }
        let mut packets = Vec::new();
        for action in self.out.actions() {
            match action {
                VrrpAction::SendAdvert { packet, .. } => {
                    packets.push(self.out.bytes(*packet).to_vec());
                }
                VrrpAction::Kernel { op, change } if self.honest => {
                    self.host.asked.push_back((*op, change.clone()));
                }
                VrrpAction::Kernel { op, change } => self.asked.push((*op, change.clone())),
                VrrpAction::OpenSocket { socket, spec, .. } => {
                    self.sockets.insert(*socket, *spec);
                    self.pending.push(*socket);
                }
                VrrpAction::CloseSocket(socket) => {
                    self.sockets.remove(socket);
                    self.pending.retain(|pending| pending != socket);
                }
                VrrpAction::SendGarp { frame, .. } | VrrpAction::SendNa { frame, .. } => {
                    packets.push(self.out.bytes(*frame).to_vec());
                }
                VrrpAction::Note(Note::AddressTaken { key, .. }) => {
                    let reason = self.blemished.contains(key) || self.interface_gone;
                    assert!(reason || !self.honest, "nobody has taken {key:?}");
                }
                VrrpAction::InForce(bound) => self.bound = Arc::clone(bound),
                VrrpAction::GrowSocket { .. }
                | VrrpAction::Note(_)
                | VrrpAction::Remember { .. }
                | VrrpAction::Forget { .. }
                | VrrpAction::Exit(_) => {}
            }
        }
        let actions = self.out.actions().to_vec();
        self.records.push((self.now - self.begin, actions, packets));
        self.out.clear();
    }

    /// The honest kernel does and tells everything, and sockets open; no time passes.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            if let Some(news) = self.host.news.pop_front() {
                self.deliver(VrrpEvent::Kernel(news.event()));
            } else if !self.host.asked.is_empty() {
                self.host.work(None);
            } else if let Some((op, result)) = self.host.answers.pop_front() {
                self.deliver(VrrpEvent::Done { op, result });
            } else if let Some(socket) = self.pending.pop() {
                let result = Ok(());
                self.deliver(VrrpEvent::Socket { socket, result });
            } else if self.node.more() {
                self.deliver(VrrpEvent::Continue);
            } else {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// Everything has been done and told: who is master has its addresses, and nobody else.
    fn check_held(&self) {
        let mut wanted = BTreeSet::new();
        let mut all = BTreeSet::new();
        let former = self.former.iter().flat_map(|bound| bound.iter());
        let former = former.map(|(_, config)| (None, config));
        let present = self.bound.iter().map(|(id, config)| (Some(id), config));
        for (id, config) in former.chain(present) {
            for address in config.all_addresses() {
                let name = address.dev.as_deref().unwrap_or(&config.interface);
                let interface = INTERFACES.iter().position(|known| *known == name);
                let Some(ifindex) = interface.and_then(|which| self.host.index_of(which)) else {
                    continue;
                };
                let key = AddressKey {
                    ifindex,
                    addr: address.addr,
                    prefix: address.prefix,
                };
                if id.is_some_and(|id| self.node.state(id) == StateName::Master) {
                    wanted.insert(key);
                }
                all.insert(key);
            }
        }
        for key in all {
            let there = self.host.addresses.get(&key);
            let own = OWN.as_flattened().iter().any(|own| addr(own) == key.addr);
            if self.blemished.contains(&key) || own {
                continue;
            }
            assert_eq!(
                there.is_some(),
                wanted.contains(&key),
                "{key:?}: there, and wanted"
            );
        }
    }
}
