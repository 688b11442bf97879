//! What every call of the machine must keep to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use relevo_core::config::bound::{Bound, Destination, InstanceConfig};
use relevo_core::ids::{Errno, Family, IfIndex, InstanceId, OpId, SocketId, Version};
use relevo_core::kernel::{AddressKey, KernelEvent, KernelOp, ROUTE_PROTOCOL};
use relevo_core::limits::SLICE;
use relevo_core::machine::{Machine, Out};
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::snapshot::Record;
use relevo_core::vrrp::{Note, SocketSpec, StateName, VrrpAction, VrrpEvent, VrrpNode, timing};
use relevo_core::wire::{arp, ethernet, ipv4, ipv6, ndisc, vrrp};

use super::host::{Host, News};
use crate::trail::Trail;

/// What an instance may add to a call beyond its share of sliced work.
const ACTIONS_PER_INSTANCE: usize = 16;

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Socket {
    Asked,
    Open,
    Closed,
}

/// What has been promised and seen so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Promises {
    bound: Arc<Bound>,
    sockets: BTreeMap<SocketId, Socket>,
    last_op: OpId,
    ops: BTreeMap<OpId, KernelOp>,
    /// Addresses that may be announced: their addition was answered, if only with a refusal while
    /// the kernel shows them, or they were shown with our mark.
    present: BTreeSet<AddressKey>,
    /// Addresses whose addition was answered, whatever the answer.
    answered: BTreeSet<AddressKey>,
    /// Addresses that the kernel has shown.
    shown: BTreeSet<AddressKey>,
    /// Where priority 0 has been sent since the last time that the instance was master.
    farewells: BTreeMap<InstanceId, BTreeSet<IpAddr>>,
    /// The state that was told last.
    told: Vec<StateName>,
    /// The first picture is complete.
    running: bool,
    stop: bool,
    exited: bool,
    /// A configuration that was handed over last.
    reload: Option<Arc<Bound>>,
}

impl Promises {
    pub(super) fn new(bound: Arc<Bound>) -> Self {
        Self {
            told: vec![StateName::Init; bound.instances.len()],
            bound,
            sockets: BTreeMap::new(),
            last_op: OpId(0),
            ops: BTreeMap::new(),
            present: BTreeSet::new(),
            answered: BTreeSet::new(),
            shown: BTreeSet::new(),
            farewells: BTreeMap::new(),
            running: false,
            stop: false,
            exited: false,
            reload: None,
        }
    }

    pub(super) const fn exited(&self) -> bool {
        self.exited
    }

    pub(super) const fn is_running(&self) -> bool {
        self.running && !self.stop
    }

    pub(super) fn is_open(&self, socket: SocketId) -> bool {
        matches!(self.sockets.get(&socket), Some(Socket::Open))
    }

    /// The open socket of an instance, whose interface has this number.
    pub(super) fn socket_of(
        &self,
        id: InstanceId,
        ifindex: IfIndex,
        sockets: &BTreeMap<SocketId, SocketSpec>,
    ) -> Option<SocketId> {
        let config = self.bound.instance(id);
        let group = match &config.destination {
            Destination::Multicast(group) => Some(*group),
            Destination::Unicast(_) => None,
        };
        let wanted = SocketSpec {
            ifindex,
            family: config.family,
            group,
        };
        let mut fitting = sockets.iter().filter(|(_, spec)| **spec == wanted);
        let (socket, _) = fitting.next()?;
        self.is_open(*socket).then_some(*socket)
    }

    pub(super) fn before(&self, node: &VrrpNode, bound: &Bound) -> Vec<StateName> {
        bound.iter().map(|(id, _)| node.state(id)).collect()
    }

    /// Takes note of what the machine is about to hear.
    pub(super) fn hear(&mut self, event: &VrrpEvent<'_>) {
        match event {
            VrrpEvent::Socket { socket, result } => {
                if let Some(state) = self.sockets.get_mut(socket)
                    && *state != Socket::Closed
                {
                    *state = if result.is_ok() {
                        Socket::Open
                    } else {
                        Socket::Asked
                    };
                }
            }
            VrrpEvent::Done { op, result } => {
                let counts = matches!(result, Ok(()) | Err(Errno::EEXIST | Errno::ENOBUFS));
                if let Some(KernelOp::AddAddress { key, .. }) = self.ops.get(op) {
                    self.answered.insert(*key);
                    if counts || self.shown.contains(key) {
                        self.present.insert(*key);
                    }
                }
            }
            VrrpEvent::Kernel(KernelEvent::Address { key, protocol, .. }) => {
                self.shown.insert(*key);
                if *protocol == ROUTE_PROTOCOL || self.answered.contains(key) {
                    self.present.insert(*key);
                }
            }
            VrrpEvent::Kernel(KernelEvent::DumpEnd) => self.running = true,
            VrrpEvent::Command(_) => self.stop = true,
            VrrpEvent::Reload { bound, .. } => self.reload = Some(Arc::clone(bound)),
            _ => {}
        }
    }

    /// Checks the actions of one call against the state before and after it.
    pub(super) fn check(
        &mut self,
        node: &VrrpNode,
        before: &[StateName],
        out: &Out<VrrpAction>,
        now: Instant,
        host: Option<&Host>,
    ) {
        let count = out.len();
        let most = 2 * SLICE + ACTIONS_PER_INSTANCE * before.len();
        assert!(count <= most, "{count} actions in one call");
        self.check_exit(out);
        // A master that stood in office during the call.
        let mut office: Vec<bool> = before
            .iter()
            .map(|state| *state == StateName::Master)
            .collect();
        for action in out.actions() {
            match action {
                VrrpAction::SendAdvert { .. } => self.check_advert(action, out, &mut office, node),
                VrrpAction::SendGarp { .. } | VrrpAction::SendNa { .. } => {
                    self.check_announcement(action, out, &office, node, host);
                }
                VrrpAction::Kernel { op, change } => {
                    assert!(*op > self.last_op, "the number of a change came before");
                    self.last_op = *op;
                    self.ops.insert(*op, change.clone());
                }
                VrrpAction::OpenSocket { socket, .. } => {
                    let former = self.sockets.insert(*socket, Socket::Asked);
                    assert_eq!(former, None, "the number of a socket came before");
                }
                VrrpAction::CloseSocket(socket) => {
                    let former = self.sockets.insert(*socket, Socket::Closed);
                    let open = matches!(former, Some(Socket::Asked | Socket::Open));
                    assert!(open, "closes {socket:?}, which is {former:?}");
                }
                VrrpAction::GrowSocket { socket, .. } => {
                    let known = self.sockets.get(socket);
                    let open = matches!(known, Some(Socket::Asked | Socket::Open));
                    assert!(open, "enlarges {socket:?}, which is {known:?}");
                }
                VrrpAction::InForce(bound) => self.on_in_force(bound),
                VrrpAction::Note(note) => self.check_note(note, &mut office),
                VrrpAction::Remember { record, .. } => check_record(out.bytes(*record)),
                VrrpAction::Forget { .. } => {}
                VrrpAction::Exit(_) => {
                    assert!(self.stop && !self.exited, "leaves by itself, or twice");
                    self.exited = true;
                }
            }
        }
        self.check_farewells(node, before, out);
        self.check_states(node);
        self.check_deadline(node, now);
    }

    /// Numbers stay what they are: no virtual router comes or goes.
    fn on_in_force(&mut self, bound: &Arc<Bound>) {
        let asked = self.reload.take();
        assert!(asked.is_some_and(|asked| asked == *bound), "not asked for");
        self.bound = Arc::clone(bound);
    }

    /// The runtime takes no further actions; the world must not hear of any.
    fn check_exit(&self, out: &Out<VrrpAction>) {
        let inward = |action: &VrrpAction| {
            matches!(
                action,
                VrrpAction::CloseSocket(_)
                    | VrrpAction::Note(_)
                    | VrrpAction::Remember { .. }
                    | VrrpAction::Forget { .. }
            )
        };
        assert!(
            !self.exited || out.actions().iter().all(inward),
            "something after Exit: {:?}",
            out.actions()
        );
    }

    /// A master that leaves for good, or for a fault, says so; without a source in IPv6 it cannot.
    fn check_farewells(&self, node: &VrrpNode, before: &[StateName], out: &Out<VrrpAction>) {
        for ((id, config), former) in self.bound.iter().zip(before) {
            let leaves = match node.state(id) {
                StateName::Init => true,
                StateName::Fault => config.family == Family::V4,
                StateName::Backup | StateName::Master => false,
            };
            if *former == StateName::Master && leaves {
                let peers = match &config.destination {
                    Destination::Multicast(_) => 1,
                    Destination::Unicast(peers) => peers.len(),
                };
                let said = self.farewells.get(&id).map_or(0, BTreeSet::len);
                assert_eq!(
                    said,
                    peers,
                    "{id:?} leaves without a word: {:?}",
                    out.actions()
                );
            }
        }
    }

    /// Every state has been told of, and is counted.
    fn check_states(&self, node: &VrrpNode) {
        for (id, _) in self.bound.iter() {
            let state = node.state(id);
            // Leaving for good is told as a whole.
            let left = self.stop && state == StateName::Init;
            let told = self.told[id.0 as usize];
            assert!(
                left || state == told,
                "{id:?}: {state:?}, and told was {told:?}"
            );
            let stats = node.stats(id);
            let master = u64::from(state == StateName::Master);
            assert_eq!(
                stats.became_master,
                stats.released_master + master,
                "{id:?}"
            );
        }
        self.check_conditions(node);
    }

    /// An instance is in FAULT exactly while a condition is unmet, and sends from the address that
    /// a look at all of them would find.
    fn check_conditions(&self, node: &VrrpNode) {
        assert!(node.sources_agree(), "another source than a scan finds");
        for (id, _) in self.bound.iter() {
            let state = node.state(id);
            let unmet: Vec<_> = node.unmet_conditions(id).collect();
            assert!(
                state == StateName::Init || (state == StateName::Fault) != unmet.is_empty(),
                "{state:?} with {unmet:?}"
            );
        }
    }

    /// A master has an advert to come within its interval, a backup will not wait for ever.
    fn check_deadline(&self, node: &VrrpNode, now: Instant) {
        if self.exited {
            return;
        }
        let next = node.next_timeout().map(|(at, _)| at);
        for (id, config) in self.bound.iter() {
            let longest = match node.state(id) {
                // The last one may have left a little early, together with others.
                StateName::Master => {
                    config.advert_interval + timing::advert_grouping(config.advert_interval)
                }
                // The longest interval of version 3, as often as may be missed, and the skew.
                StateName::Backup => {
                    let times = u64::from(config.down_timer_adverts) + 2;
                    Duration::from_secs(255) * times
                }
                StateName::Init | StateName::Fault => continue,
            };
            let latest = now + longest;
            assert!(
                next.is_some_and(|at| at <= latest),
                "{id:?} waits for ever: {next:?}"
            );
        }
    }

    fn check_note(&mut self, note: &Note, office: &mut [bool]) {
        if let Note::Entering {
            instance, state, ..
        } = note
        {
            let index = instance.0 as usize;
            self.told[index] = *state;
            office[index] = *state == StateName::Master;
            if office[index] {
                self.farewells.remove(instance);
            }
        }
    }

    fn check_advert(
        &mut self,
        action: &VrrpAction,
        out: &Out<VrrpAction>,
        office: &mut [bool],
        node: &VrrpNode,
    ) {
        let VrrpAction::SendAdvert {
            instance,
            socket,
            src,
            dst,
            hop_limit,
            packet,
        } = action
        else {
            return;
        };
        let config = self.bound.instance(*instance);
        assert!(
            self.is_open(*socket),
            "an advert through {:?}",
            self.sockets.get(socket)
        );
        assert_eq!(*hop_limit, config.hop_limit);
        let priority = check_packet(config, *src, *dst, out.bytes(*packet));
        let borrowed = !config.is_owner() && config.holds(*src);
        assert!(!borrowed, "{instance:?} speaks from a virtual address");
        let index = instance.0 as usize;
        if priority == 0 {
            assert!(office[index], "{instance:?}: a farewell of no master");
            let once = self.farewells.entry(*instance).or_default().insert(*dst);
            assert!(once, "{instance:?}: priority 0 twice");
            return;
        }
        assert_eq!(priority, node.effective_priority(*instance));
        assert!(
            !self.stop,
            "{instance:?}: an advert after the order to stop"
        );
        let becomes = node.state(*instance) == StateName::Master
            || out.actions().iter().any(|action| {
                let VrrpAction::Note(Note::Entering {
                    instance: entering,
                    state,
                    ..
                }) = action
                else {
                    return false;
                };
                entering == instance && *state == StateName::Master
            });
        assert!(
            office[index] || becomes,
            "{instance:?}: an advert of no master"
        );
        if becomes && !office[index] {
            // The first advert goes out before the state is told.
            office[index] = true;
            self.farewells.remove(instance);
        }
        let left = self.farewells.contains_key(instance);
        assert!(!left, "{instance:?}: an advert behind the farewell");
    }

    fn check_announcement(
        &self,
        action: &VrrpAction,
        out: &Out<VrrpAction>,
        office: &[bool],
        node: &VrrpNode,
        host: Option<&Host>,
    ) {
        let (ifindex, addr, frame): (_, IpAddr, _) = match action {
            VrrpAction::SendGarp {
                ifindex,
                addr,
                frame,
            } => (*ifindex, (*addr).into(), *frame),
            VrrpAction::SendNa {
                ifindex,
                addr,
                frame,
            } => (*ifindex, (*addr).into(), *frame),
            _ => return,
        };
        // A unicast router that works again tells its peers where it is.
        let mut own = self
            .bound
            .instances
            .iter()
            .filter_map(|config| config.source);
        if own.any(|source| source == addr) {
            return check_frame(addr, out.bytes(frame));
        }
        let of_master = self.bound.iter().any(|(id, config)| {
            config.holds(addr) && (office[id.0 as usize] || node.state(id) == StateName::Master)
        });
        assert!(of_master, "{addr} is announced by no master");
        let same = |key: &&AddressKey| key.ifindex == ifindex && key.addr == addr;
        let key = self.present.iter().find(same);
        let key = *key.unwrap_or_else(|| panic!("{addr} is announced before it is there"));
        if let Some(host) = host {
            let known_gone = !host.addresses.contains_key(&key)
                && !host.news.contains(&News::AddressGone(key))
                && !host
                    .answers
                    .iter()
                    .any(|(op, _)| self.is_deletion(*op, key));
            let others = self.present.iter().filter(same).count() > 1;
            assert!(
                others || !known_gone,
                "{addr} is announced and is not there"
            );
        }
        check_frame(addr, out.bytes(frame));
    }

    fn is_deletion(&self, op: OpId, key: AddressKey) -> bool {
        self.ops.get(&op) == Some(&KernelOp::DelAddress { key })
    }

    /// Leaves the marks of a call.
    pub(super) fn mark(
        &self,
        event: &str,
        node: &VrrpNode,
        before: &[StateName],
        out: &Out<VrrpAction>,
        trail: &mut Trail,
    ) {
        for ((id, config), former) in self.bound.iter().zip(before) {
            let state = node.state(id);
            if state != *former {
                trail.mark(format_args!(
                    "{}: {event}: {former:?} to {state:?}",
                    config.name
                ));
            }
        }
        let busy = if node.more() { ", more" } else { "" };
        for action in out.actions() {
            match action {
                VrrpAction::Note(note) => {
                    trail.mark(format_args!("{event}: {}{busy}", variant(note)));
                }
                action => trail.mark(format_args!("{event}: {}{busy}", variant(action))),
            }
        }
    }
}

/// Octets that the other routers accept and that say what was configured; gives the priority.
fn check_packet(config: &InstanceConfig, src: IpAddr, dst: IpAddr, packet: &[u8]) -> u8 {
    let mut message = packet;
    if config.family == Family::V4 {
        let header = ipv4::Packet::new_checked(message).expect("a whole header");
        let repr = ipv4::Repr::parse(&header).expect("a right header");
        assert_eq!((IpAddr::V4(repr.src), IpAddr::V4(repr.dst)), (src, dst));
        assert_eq!(
            (repr.ttl, repr.protocol),
            (config.hop_limit, vrrp::PROTOCOL)
        );
        message = &message[ipv4::HEADER_LEN..];
    }
    let pseudo = vrrp::Pseudo::new(src, dst).filter(|_| config.version == Version::V3);
    let packet = vrrp::Packet::new_checked(message).expect("a whole message");
    let mut listed = Vec::new();
    let repr = vrrp::Repr::parse(&packet, config.family, pseudo, &mut listed);
    let repr = repr.expect("an advert that others accept");
    assert_eq!((repr.version, repr.vrid), (config.version, config.vrid));
    let said = (repr.interval, repr.auth);
    assert_eq!(said, (config.advert_interval, config.auth));
    let ours = config.addresses.iter().map(|address| address.addr);
    assert!(repr.addresses.iter().copied().eq(ours), "{repr:?}");
    repr.priority
}

/// The frame says of its address what its receivers must believe.
fn check_frame(addr: IpAddr, frame: &[u8]) {
    let ethernet = ethernet::Packet::new_checked(frame).expect("a whole frame");
    let payload = ethernet.payload();
    match addr {
        IpAddr::V4(addr) => {
            let packet = arp::Packet::new_checked(payload).expect("a whole packet");
            let repr = arp::Repr::parse(&packet).expect("a right packet");
            assert!(repr.is_gratuitous() && repr.sender_addr == addr);
            assert_eq!(repr.sender_mac, ethernet.src());
        }
        IpAddr::V6(addr) => {
            let header = ipv6::Packet::new_checked(payload).expect("a whole header");
            let advert = ndisc::Packet::new_checked(header.payload()).expect("a whole advert");
            let repr = ndisc::Repr::parse(&advert, header.src(), header.dst());
            let repr = repr.expect("a right advert");
            assert_eq!((repr.target, repr.target_mac), (addr, Some(ethernet.src())));
            assert_eq!(header.hop_limit(), ndisc::HOP_LIMIT);
        }
    }
}

/// The name of a variant, and of the variant within it where that says more.
fn variant(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let reason = ["cause: ", "reason: ", "change: "].iter().find_map(|word| {
        let (_, reason) = text.split_once(word)?;
        reason.split(|c: char| !c.is_alphanumeric()).next()
    });
    let name = text
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or("");
    match reason {
        Some(reason) => format!("{name} {reason}"),
        None => name.to_owned(),
    }
}

/// A record that a successor can read, or none.
fn check_record(record: &[u8]) {
    let read = Record::decode(record);
    assert!(record.is_empty() || read.is_ok(), "{read:?}");
}
