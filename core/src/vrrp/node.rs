//! The VRRP machine of a host: routes events to instances, and shares what they have in common.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::bound::{Bound, Destination, InstanceConfig};
use crate::ids::{Errno, Family, IfIndex, InstanceId, OpId, SocketId};
use crate::kernel::ledger::{Change, Outcome};
use crate::kernel::links::Links;
use crate::kernel::{AddressKey, KernelEvent, ROUTE_PROTOCOL};
use crate::limits::SLICE;
use crate::machine::{Machine, Out};
use crate::time::{Duration, Instant};
use crate::timers::{TimerKey, Timers};
use crate::vrrp::StateName;
use crate::vrrp::addresses::{Addresses, key_of};
use crate::vrrp::advert::{self, Datagram};
use crate::vrrp::announce::{Job, announce};
use crate::vrrp::event::{Command, Ingress, SocketSpec, VrrpAction, VrrpEvent, VrrpTimer};
use crate::vrrp::instance::{Ctx, Instance, State, Told};
use crate::vrrp::note::{Cause, Discard, Fault, Note};
use crate::vrrp::sockets::{Sockets, Status};
use crate::vrrp::stats::Stats;

/// Version byte of a snapshot that carries nothing: the successor starts cold.
const SNAPSHOT_COLD: u8 = 0;

/// How long after a failure a socket is tried again, if nothing happens to its interface before.
const REOPEN_AFTER: Duration = Duration::from_secs(5);

/// All virtual routers of a host. See [`Machine`] for the order of calls.
///
/// Its life: `new`; then the kernel's first whole picture (`DumpStart` .. `DumpEnd`), at the end of
/// which leftovers of a former run are removed, sockets are asked for, and each instance starts as
/// soon as its socket is open; then events as they come; `Command::Stop` and at last
/// [`VrrpAction::Exit`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VrrpNode {
    bound: Arc<Bound>,
    phase: Phase,
    /// The order to stop came before the first picture of the kernel was complete.
    stop_asked: bool,
    now: Instant,
    instances: Vec<Instance>,
    links: Links,
    addresses: Addresses,
    sockets: Sockets,
    timers: Timers<VrrpTimer>,
    jobs: VecDeque<Job>,
    ident: u16,
    /// Instances to look at when something happens to the interface of this name.
    watchers: BTreeMap<String, Vec<InstanceId>>,
    /// Address and prefix length of every virtual address that nobody here owns: none of them is
    /// an address to send adverts from. What is owned is the host's own.
    virtual_addresses: BTreeSet<(IpAddr, u8)>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Phase {
    /// The first picture of the kernel is not complete.
    Waiting,
    Running,
    /// Everything is being given back.
    Stopping,
    Stopped,
}

impl VrrpNode {
    /// A machine for `bound` that has seen nothing yet. Nothing in VRRP draws at random so far;
    /// `seed` has its place for what will.
    pub fn new(bound: Arc<Bound>, _seed: u64, now: Instant) -> Self {
        let instances = bound
            .iter()
            .map(|(id, config)| Instance::new(id, config))
            .collect();
        let mut watchers: BTreeMap<String, Vec<InstanceId>> = BTreeMap::new();
        let mut virtual_addresses = BTreeSet::new();
        for (id, config) in bound.iter() {
            let devices = config
                .all_addresses()
                .filter_map(|address| address.dev.clone());
            let names: BTreeSet<String> = devices.chain([config.interface.clone()]).collect();
            for name in names {
                watchers.entry(name).or_default().push(id);
            }
            if !config.is_owner() {
                let borrowed = config
                    .all_addresses()
                    .map(|address| (address.addr, address.prefix));
                virtual_addresses.extend(borrowed);
            }
        }
        Self {
            bound,
            phase: Phase::Waiting,
            stop_asked: false,
            now,
            instances,
            links: Links::default(),
            addresses: Addresses::default(),
            sockets: Sockets::default(),
            timers: Timers::new(),
            jobs: VecDeque::new(),
            ident: 0,
            watchers,
            virtual_addresses,
        }
    }

    /// A machine that goes on where a predecessor's snapshot ends. Every snapshot is a cold start
    /// so far, that of an unknown version too.
    pub fn resume(bound: Arc<Bound>, _snapshot: &[u8], seed: u64, now: Instant) -> Self {
        Self::new(bound, seed, now)
    }

    /// The configuration in force.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// The state of a virtual router.
    pub fn state(&self, id: InstanceId) -> StateName {
        self.instances[id.0 as usize].state_name()
    }

    /// The effective priority of a virtual router.
    pub fn effective_priority(&self, id: InstanceId) -> u8 {
        self.instances[id.0 as usize].priority
    }

    /// The counters of a virtual router.
    pub fn stats(&self, id: InstanceId) -> &Stats {
        &self.instances[id.0 as usize].stats
    }

    /// Packets of one kind that no virtual router could be charged with.
    pub fn discarded_unattributed(&self, reason: Discard) -> u64 {
        self.sockets.discarded(reason)
    }

    /// A copy without counters, without what was told once and without the time of the last call:
    /// two machines that would do the same are equal. For tests.
    #[doc(hidden)]
    pub fn without_counters(&self) -> Self {
        let mut bare = self.clone();
        bare.now = Instant::ZERO;
        bare.sockets.forget_counters();
        for instance in &mut bare.instances {
            instance.stats = Stats::default();
            instance.told = Told::default();
        }
        bare
    }

    fn on_packet(
        &mut self,
        socket: SocketId,
        packet: Ingress<'_>,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        if self.phase != Phase::Running {
            return;
        }
        let parsed = Datagram::parse(packet).and_then(|datagram| Ok((datagram, datagram.vrid()?)));
        let (datagram, vrid) = match parsed {
            Ok(parsed) => parsed,
            Err(reason) => return self.sockets.discard(socket, reason, out),
        };
        let Some(id) = self.sockets.router(socket, vrid, datagram.dst) else {
            return self.sockets.discard(socket, Discard::Vrid, out);
        };
        let config = self.bound.instance(id);
        let instance = &self.instances[id.0 as usize];
        let (own, master) = (instance.source, instance.heard_master());
        match advert::judge(config, &instance.advertised, own, master, &datagram) {
            Ok(heard) => self.with(id, now, out, |instance, ctx| instance.on_advert(heard, ctx)),
            Err(reason) => self.instances[id.0 as usize].discard(datagram.src, reason, out),
        }
    }

    fn on_kernel(&mut self, event: KernelEvent<'_>, now: Instant, out: &mut Out<VrrpAction>) {
        match event {
            KernelEvent::DumpStart => {
                self.links.on_dump_start();
                self.addresses.ledger.on_dump_start();
            }
            KernelEvent::DumpEnd => self.on_dump_end(now, out),
            KernelEvent::Link(link) => {
                if let Some(former) = self.links.free_name(link.name, link.ifindex) {
                    self.on_interface_gone(former, link.name, now, out);
                }
                let renamed = self.links.on_link(&link);
                if let Some(old) = renamed {
                    self.on_interface_gone(link.ifindex, &old, now, out);
                }
                self.look_at(link.name, now, out);
            }
            KernelEvent::LinkGone { ifindex } => {
                if let Some(name) = self.links.on_link_gone(ifindex) {
                    self.addresses.ledger.forget(|key| key.ifindex == ifindex);
                    self.on_interface_gone(ifindex, &name, now, out);
                }
            }
            KernelEvent::Address {
                key,
                tentative,
                dad_failed,
                secondary,
                protocol,
            } => {
                let usable = !tentative && !dad_failed;
                self.links.on_address(key, usable, secondary, protocol);
                let marked = protocol == ROUTE_PROTOCOL;
                self.addresses.ledger.on_present(key, marked);
                self.look_at_sources(key, now, out);
            }
            KernelEvent::AddressGone { key } => {
                self.links.on_address_gone(key);
                if self.addresses.ledger.on_absent(key) {
                    self.on_address_taken(key, now, out);
                }
                self.look_at_sources(key, now, out);
            }
        }
    }

    fn on_dump_end(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        let vanished = self.links.on_dump_end();
        for (ifindex, _) in &vanished.links {
            self.addresses.ledger.forget(|key| key.ifindex == *ifindex);
        }
        let taken = self.addresses.ledger.on_dump_end();
        if self.phase == Phase::Waiting {
            self.phase = Phase::Running;
            self.remove_leftovers();
            if self.stop_asked {
                return self.on_stop(now, out);
            }
        }
        for (ifindex, name) in vanished.links {
            self.on_interface_gone(ifindex, &name, now, out);
        }
        for key in taken {
            self.on_address_taken(key, now, out);
        }
        for index in 0..self.instances.len() {
            self.look(InstanceId(index as u32), now, out);
        }
    }

    /// Removes what a former run left behind, before anything else (behaviour.md 3.3). An address
    /// of an owner that does not carry our mark is the host's own, and stays.
    fn remove_leftovers(&mut self) {
        for (instance, config) in self.bound.iter() {
            for address in config.all_addresses() {
                let name = address.dev.as_ref().unwrap_or(&config.interface);
                let Some((ifindex, _)) = self.links.named(name) else {
                    continue;
                };
                let key = key_of(address, ifindex);
                let Some(protocol) = self.links.address_protocol(key) else {
                    continue;
                };
                if config.is_owner() && protocol != ROUTE_PROTOCOL {
                    continue;
                }
                self.addresses.remove_leftover(instance, key);
            }
        }
    }

    /// An interface is gone, or has another name now: whoever worked on it looks again, and says
    /// farewell if it still can; then its sockets are closed.
    fn on_interface_gone(
        &mut self,
        ifindex: IfIndex,
        name: &str,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        self.look_at(name, now, out);
        for socket in self.sockets.on_interface(ifindex) {
            for id in self.sockets.close(socket, out) {
                self.instances[id.0 as usize].socket = None;
            }
        }
    }

    fn on_address_taken(&mut self, key: AddressKey, now: Instant, out: &mut Out<VrrpAction>) {
        for id in self.addresses.holders(key) {
            self.with(id, now, out, |instance, ctx| {
                instance.on_address_taken(key, ctx);
            });
        }
    }

    fn on_done(
        &mut self,
        op: OpId,
        result: Result<(), Errno>,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        match self.addresses.ledger.done(op, result) {
            Outcome::Present { key, found } => self.on_present(key, found, now, out),
            Outcome::Taken(key) => self.on_address_taken(key, now, out),
            Outcome::Absent(_) | Outcome::Lost(_) | Outcome::Unknown => {}
            Outcome::Failed { key, change, errno } => {
                let adding = change == Change::Add;
                let holders = self.addresses.holders(key);
                let instance = holders.first().copied();
                out.push(VrrpAction::Note(Note::AddressFailed {
                    instance,
                    key,
                    adding,
                    errno,
                }));
                for id in holders {
                    self.with(id, now, out, |instance, ctx| {
                        instance.on_address_refused(key, ctx);
                    });
                }
            }
        }
    }

    fn on_present(
        &mut self,
        key: AddressKey,
        found: bool,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        for id in self.addresses.holders(key) {
            if found {
                out.push(VrrpAction::Note(Note::AddressFound { instance: id, key }));
            }
            self.with(id, now, out, |instance, ctx| {
                instance.on_address_present(key, ctx);
            });
        }
    }

    fn on_socket(
        &mut self,
        socket: SocketId,
        result: Result<(), Errno>,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        let Some((ifindex, users)) = self.sockets.answered(socket, result) else {
            return;
        };
        for id in users {
            let told = &mut self.instances[id.0 as usize].socket_error;
            let told = std::mem::replace(told, result.err());
            if let Err(errno) = result
                && told != Some(errno)
            {
                out.push(VrrpAction::Note(Note::SocketFailed {
                    instance: id,
                    ifindex,
                    errno,
                }));
            }
            self.look(id, now, out);
        }
        if result.is_err() {
            // The next event on the interface tries again under another number, or else the timer.
            for id in self.sockets.close(socket, out) {
                self.instances[id.0 as usize].socket = None;
                self.timers.set(VrrpTimer::Reopen(id), now + REOPEN_AFTER);
            }
        }
    }

    fn on_command(&mut self, command: Command, now: Instant, out: &mut Out<VrrpAction>) {
        match command {
            Command::Stop => self.on_stop(now, out),
        }
    }

    /// Leaves in phases: every priority-0 advert of the host, then everything else.
    fn on_stop(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        match self.phase {
            Phase::Running => {}
            // What a former run left behind is not known yet, and must not stay.
            Phase::Waiting => {
                self.stop_asked = true;
                return;
            }
            Phase::Stopping | Phase::Stopped => return,
        }
        self.phase = Phase::Stopping;
        for index in 0..self.instances.len() {
            let id = InstanceId(index as u32);
            self.with(id, now, out, |instance, ctx| {
                instance.release_mastership(ctx);
            });
        }
        for index in 0..self.instances.len() {
            let id = InstanceId(index as u32);
            self.with(id, now, out, |instance, ctx| instance.stop(ctx));
        }
        self.jobs.clear();
    }

    /// Something happened to the interface called `name`.
    fn look_at(&mut self, name: &str, now: Instant, out: &mut Out<VrrpAction>) {
        if self.phase != Phase::Running {
            return;
        }
        let Some(watchers) = self.watchers.get(name).cloned() else {
            return;
        };
        for id in watchers {
            self.look(id, now, out);
        }
    }

    /// An address came or went that adverts might be sent from.
    fn look_at_sources(&mut self, key: AddressKey, now: Instant, out: &mut Out<VrrpAction>) {
        if self.phase != Phase::Running || self.is_virtual(key) {
            return;
        }
        let name = self.links.get(key.ifindex).map(|link| link.name.clone());
        if let Some(name) = name {
            self.look_at(&name, now, out);
        }
    }

    /// True for an address that comes and goes with a mastership. The prefix counts: 10.0.0.1/32 may
    /// be borrowed on an interface that has 10.0.0.1/24 of its own (rfc-checklist K-6).
    fn is_virtual(&self, key: AddressKey) -> bool {
        self.virtual_addresses.contains(&(key.addr, key.prefix))
            || self.addresses.ledger.is_ours(key)
            || self.links.address_protocol(key) == Some(ROUTE_PROTOCOL)
    }

    /// Works the conditions of operation of `id` out afresh and acts on what they are now.
    fn look(&mut self, id: InstanceId, now: Instant, out: &mut Out<VrrpAction>) {
        if self.phase != Phase::Running {
            return;
        }
        let has_source = self.attach(id, out);
        let faults = self.unmet_conditions(id, has_source);
        let instance = &mut self.instances[id.0 as usize];
        instance.faults = faults;
        let socket = instance
            .socket
            .and_then(|socket| self.sockets.status(socket));
        let initial = matches!(instance.state, State::Init);
        let worst = instance.faults.first().copied();
        match (&instance.state, worst) {
            (State::Init | State::Backup(_) | State::Master(_), Some(fault)) => {
                let cause = Cause::Fault(fault);
                self.with(id, now, out, |instance, ctx| {
                    instance.become_fault(cause, initial, ctx);
                });
            }
            (State::Init | State::Fault, None) if socket == Some(Status::Open) => {
                self.with(id, now, out, |instance, ctx| instance.start(initial, ctx));
            }
            (State::Init | State::Fault | State::Backup(_) | State::Master(_), _) => {}
        }
    }

    /// Finds the interface, the source address and the socket of `id`; returns whether there is a
    /// source address.
    fn attach(&mut self, id: InstanceId, out: &mut Out<VrrpAction>) -> bool {
        let config = self.bound.instance(id);
        let link = self.links.named(&config.interface);
        let ifindex = link.map(|(ifindex, _)| ifindex);
        let can_open = link.is_some_and(|(_, link)| link.admin_up);
        let source = config.source.or_else(|| {
            self.links
                .source(ifindex?, config.family, |key| self.is_virtual(key))
        });
        let instance = &mut self.instances[id.0 as usize];
        instance.ifindex = ifindex;
        // A farewell may still come from an IPv4 address that is gone (behaviour.md 3.8).
        if source.is_some() || config.family == Family::V6 {
            instance.source = source;
        }
        if let (None, true, Some(ifindex)) = (instance.socket, can_open, ifindex) {
            let spec = SocketSpec {
                ifindex,
                family: config.family,
                group: group_of(config),
            };
            let sharers = self.watchers.get(&config.interface).map_or(1, Vec::len) as u32;
            let local = config.source.filter(|_| spec.group.is_none());
            let router = (config.vrid, local, id);
            let socket = self.sockets.attach(spec, router, sharers, out);
            instance.socket = Some(socket);
        }
        source.is_some()
    }

    fn unmet_conditions(&self, id: InstanceId, has_source: bool) -> BTreeSet<Fault> {
        let config = self.bound.instance(id);
        let instance = &self.instances[id.0 as usize];
        let mut faults = BTreeSet::new();
        match self.links.named(&config.interface) {
            None => drop(faults.insert(Fault::InterfaceMissing)),
            Some((_, link)) if !link.working && !config.dont_track_primary => {
                faults.insert(Fault::InterfaceDown);
            }
            Some(_) => {}
        }
        let devices = config
            .all_addresses()
            .filter_map(|address| address.dev.as_deref());
        let mut others = devices.filter(|dev| *dev != config.interface);
        if others.any(|dev| self.links.named(dev).is_none_or(|(_, link)| !link.working)) {
            faults.insert(Fault::AddressInterfaceDown);
        }
        if !has_source {
            faults.insert(Fault::NoSource);
        }
        let status = instance
            .socket
            .and_then(|socket| self.sockets.status(socket));
        if matches!(status, Some(Status::Failed(_))) {
            faults.insert(Fault::NoSocket);
        }
        faults
    }

    /// Lets `act` work on an instance with its surroundings.
    fn with(
        &mut self,
        id: InstanceId,
        now: Instant,
        out: &mut Out<VrrpAction>,
        act: impl FnOnce(&mut Instance, &mut Ctx<'_>),
    ) {
        let Self {
            bound,
            instances,
            links,
            addresses,
            timers,
            jobs,
            ident,
            ..
        } = self;
        let mut ctx = Ctx {
            now,
            bound,
            links,
            timers,
            addresses,
            jobs,
            ident,
            out,
        };
        act(&mut instances[id.0 as usize], &mut ctx);
    }

    /// Carries queued work on, at most a slice of it: kernel changes first, then announcements.
    fn pump(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        if self.phase == Phase::Stopped {
            return;
        }
        let mut there = Vec::new();
        let used = self.addresses.plan(SLICE, out, &mut there);
        for key in there {
            self.on_present(key, false, now, out);
        }
        self.run_jobs(SLICE.saturating_sub(used), out);
        if self.phase == Phase::Stopping && self.addresses.ledger.is_settled() {
            self.phase = Phase::Stopped;
            out.push(VrrpAction::Note(Note::Stopped));
            out.push(VrrpAction::Exit(0));
        }
    }

    fn run_jobs(&mut self, mut budget: usize, out: &mut Out<VrrpAction>) {
        while budget > 0
            && let Some(job) = self.jobs.front_mut()
        {
            let instance = &mut self.instances[job.instance.0 as usize];
            let State::Master(master) = &mut instance.state else {
                self.jobs.pop_front();
                continue;
            };
            if instance.epoch != job.epoch {
                self.jobs.pop_front();
                continue;
            }
            if let Some(key) = master.held.get(job.next) {
                if self.addresses.ledger.keeps(*key) {
                    announce(*key, &self.links, out);
                }
                job.next += 1;
                budget -= 1;
            } else {
                job.next = 0;
                job.rounds -= 1;
                if job.rounds == 0 || master.held.is_empty() {
                    master.announcing = false;
                    self.jobs.pop_front();
                }
            }
        }
    }
}

impl Machine for VrrpNode {
    type Event<'a> = VrrpEvent<'a>;
    type Action = VrrpAction;
    type Timer = VrrpTimer;

    fn handle(&mut self, event: VrrpEvent<'_>, now: Instant, out: &mut Out<VrrpAction>) {
        assert!(now >= self.now, "time went backwards");
        assert!(
            out.is_empty(),
            "the actions of the last call were not taken"
        );
        self.now = now;
        match event {
            VrrpEvent::Packet { socket, packet } => self.on_packet(socket, packet, now, out),
            VrrpEvent::Kernel(event) => self.on_kernel(event, now, out),
            VrrpEvent::Done { op, result } => self.on_done(op, result, now, out),
            VrrpEvent::Socket { socket, result } => self.on_socket(socket, result, now, out),
            VrrpEvent::SendFailed {
                instance,
                dst,
                errno,
            } => {
                let note = Note::SendFailed {
                    instance,
                    dst,
                    errno,
                };
                if let Some(instance) = self.instances.get_mut(instance.0 as usize) {
                    instance.on_send_failed(note, out);
                }
            }
            VrrpEvent::Command(command) => self.on_command(command, now, out),
            VrrpEvent::Continue => {}
        }
        self.pump(now, out);
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        assert!(now >= self.now, "time went backwards");
        assert!(
            out.is_empty(),
            "the actions of the last call were not taken"
        );
        self.now = now;
        while let Some((at, timer)) = self.timers.pop_due(now) {
            if let VrrpTimer::Reopen(id) = timer {
                self.look(id, now, out);
                continue;
            }
            self.with(timer.instance(), now, out, |instance, ctx| {
                instance.on_timer(timer, at, ctx);
            });
        }
        self.pump(now, out);
    }

    fn next_timeout(&self) -> Option<(Instant, VrrpTimer)> {
        self.timers.next()
    }

    /// A master may have spoken already when its master-down timer is due.
    fn packets_first(&self, now: Instant) -> bool {
        let is_master_down = |timer| matches!(timer, VrrpTimer::MasterDown(_));
        self.timers.any_due(now, is_master_down)
    }

    fn more(&self) -> bool {
        self.phase != Phase::Stopped && (self.addresses.ledger.may_go_on() || !self.jobs.is_empty())
    }

    fn snapshot(&self, into: &mut Vec<u8>) {
        into.push(SNAPSHOT_COLD);
    }
}

impl VrrpTimer {
    /// The instance that the deadline belongs to.
    pub const fn instance(self) -> InstanceId {
        match self {
            Self::Advert(id)
            | Self::MasterDown(id)
            | Self::GarpDelay(id)
            | Self::GarpRefresh(id)
            | Self::GarpLower(id)
            | Self::PreemptDelay(id)
            | Self::Reopen(id) => id,
        }
    }
}

impl TimerKey for VrrpTimer {
    fn slot(self) -> usize {
        let kind = match self {
            Self::Advert(_) => 0,
            Self::MasterDown(_) => 1,
            Self::GarpDelay(_) => 2,
            Self::GarpRefresh(_) => 3,
            Self::GarpLower(_) => 4,
            Self::PreemptDelay(_) => 5,
            Self::Reopen(_) => 6,
        };
        self.instance().0 as usize * 7 + kind
    }
}

fn group_of(config: &InstanceConfig) -> Option<IpAddr> {
    match &config.destination {
        Destination::Multicast(group) => Some(*group),
        Destination::Unicast(_) => None,
    }
}
