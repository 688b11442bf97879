//! The VRRP machine of a host: routes events to instances, and shares what they have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::bound::{Bound, Destination, InstanceConfig};
use crate::ids::{Errno, Family, IfIndex, InstanceId, OpId, SocketId};
use crate::kernel::ledger::{Change, Outcome};
use crate::kernel::links::Links;
use crate::kernel::{AddressKey, KernelEvent, ROUTE_PROTOCOL};
use crate::limits::{LATE_US, SLICE, SLICE_SHORT, SLICE_SHORT_WITHIN_US, TIMERS, TIMERS_FIRST};
use crate::machine::{Machine, Out};
use crate::time::{Duration, Instant};
use crate::timers::{TimerKey, Timers};
use crate::vrrp::StateName;
use crate::vrrp::addresses::{Addresses, key_of};
use crate::vrrp::advert::{self, Datagram};
use crate::vrrp::announce::Announcements;
use crate::vrrp::event::{Command, Ingress, QueueId, SocketSpec, VrrpAction, VrrpEvent, VrrpTimer};
use crate::vrrp::instance::{Ctx, Instance, State, Told};
use crate::vrrp::note::{Cause, Discard, Fault, Note};
use crate::vrrp::sockets::{Sockets, Status};
use crate::vrrp::stats::Stats;
use crate::vrrp::timing;

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
    announcements: Announcements,
    /// Before this moment nothing is heard and nothing is taken over.
    starts_at: Instant,
    /// The last look at the timers left some that were due.
    timers_due: bool,
    /// For how many such looks in a row queued work has been held back.
    held_back: u8,
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
        let announcements = Announcements::new(&bound);
        let starts_at = now + bound.global.startup_delay;
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
            announcements,
            starts_at,
            timers_due: false,
            held_back: 0,
            ident: 0,
            watchers,
            virtual_addresses,
        }
    }

    /// A machine that goes on where a predecessor's snapshot ends. Every snapshot is a cold start
    /// so far.
    pub fn resume(bound: Arc<Bound>, snapshot: &[u8], seed: u64, now: Instant) -> Self {
        debug_assert!(
            snapshot
                .first()
                .is_none_or(|version| *version == SNAPSHOT_COLD)
        );
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
        if self.phase != Phase::Running || now < self.starts_at {
            return;
        }
        let parsed = Datagram::parse(packet).and_then(|datagram| Ok((datagram, datagram.vrid()?)));
        let (datagram, vrid) = match parsed {
            Ok(parsed) => parsed,
            Err(reason) => return self.sockets.discard(socket, reason, now, out),
        };
        let Some(id) = self.sockets.router(socket, vrid, datagram.dst) else {
            return self.sockets.discard(socket, Discard::Vrid, now, out);
        };
        let config = self.bound.instance(id);
        let instance = &self.instances[id.0 as usize];
        let (own, master) = (instance.source, instance.heard_master());
        match advert::judge(config, &instance.advertised, own, master, &datagram) {
            Ok(heard) => self.with(id, now, out, |instance, ctx| instance.on_advert(heard, ctx)),
            Err(reason) => self.instances[id.0 as usize].discard(datagram.src, reason, now, out),
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
            if now < self.starts_at {
                let delay = self.starts_at.since(now);
                out.push(VrrpAction::Note(Note::StartupDelay { delay }));
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
        for instance in &mut self.instances {
            instance.sum_up_discards(true, now, out);
        }
        self.sockets.sum_up_discards(true, now, out);
        self.announcements.clear(&mut self.timers);
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

    /// Takes the next deadline out that is to be acted on at `now`: one that is due, or that of an
    /// advert which may leave together with those that are due.
    fn pop_timer(&mut self, now: Instant) -> Option<(Instant, VrrpTimer)> {
        let (at, timer) = self.timers.next()?;
        let latest = match timer {
            VrrpTimer::Advert(id) => {
                now + timing::advert_grouping(self.bound.instance(id).advert_interval)
            }
            VrrpTimer::MasterDown(_)
            | VrrpTimer::GarpDelay(_)
            | VrrpTimer::GarpRefresh(_)
            | VrrpTimer::GarpLower(_)
            | VrrpTimer::PreemptDelay(_)
            | VrrpTimer::Answer(_)
            | VrrpTimer::AnnounceQueue(_)
            | VrrpTimer::Reopen(_) => now,
        };
        if at > latest {
            return None;
        }
        self.timers.pop_due(at)
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
            announcements,
            starts_at,
            ident,
            ..
        } = self;
        let mut ctx = Ctx {
            now,
            bound,
            links,
            timers,
            addresses,
            announcements,
            starts_at: *starts_at,
            ident,
            out,
        };
        act(&mut instances[id.0 as usize], &mut ctx);
    }

    /// Carries queued work on, at most a slice of it: kernel changes first, then announcements.
    /// Timers that are due come before either: when a thousand virtual routers take over in one
    /// instant, every advert of theirs is on its way before the first address.
    fn pump(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        // What was left may have been put off or stopped since.
        self.timers_due &= self.timers.next().is_some_and(|(at, _)| at <= now);
        if !self.timers_due {
            self.held_back = 0;
        }
        if self.phase == Phase::Stopped || self.held_back > 0 {
            return;
        }
        let soon = now + Duration::from_micros(SLICE_SHORT_WITHIN_US);
        let slice = match self.timers.next() {
            Some((at, _)) if at < soon => SLICE_SHORT,
            _ => SLICE,
        };
        let mut there = Vec::new();
        let used = self.addresses.plan(slice, out, &mut there);
        for key in there {
            self.on_present(key, false, now, out);
        }
        self.run_jobs(slice.saturating_sub(used), now, out);
        if self.phase == Phase::Stopping && self.addresses.ledger.is_settled() {
            self.phase = Phase::Stopped;
            out.push(VrrpAction::Note(Note::Stopped));
            out.push(VrrpAction::Exit(0));
        }
    }

    fn on_announce_queue(&mut self, queue: QueueId, now: Instant, out: &mut Out<VrrpAction>) {
        let Self {
            announcements,
            addresses,
            links,
            timers,
            ..
        } = self;
        let held = |key| addresses.is_held(key) && addresses.ledger.keeps(key);
        announcements.on_queue(queue, now, links, timers, held, out);
    }

    fn run_jobs(&mut self, mut budget: usize, now: Instant, out: &mut Out<VrrpAction>) {
        while budget > 0
            && let Some(job) = self.announcements.jobs.front().copied()
        {
            let instance = &mut self.instances[job.instance.0 as usize];
            let State::Master(master) = &mut instance.state else {
                self.announcements.jobs.pop_front();
                continue;
            };
            if instance.epoch != job.epoch {
                self.announcements.jobs.pop_front();
                continue;
            }
            if let Some(key) = master.held.get(job.next) {
                if self.addresses.ledger.keeps(*key) {
                    self.announcements
                        .announce(*key, now, &self.links, &mut self.timers, out);
                }
                budget -= 1;
            }
            let last = job.next >= master.held.len();
            if last && (job.rounds <= 1 || master.held.is_empty()) {
                self.announcements.jobs.pop_front();
                let rounds = std::mem::take(&mut master.next_rounds);
                master.announcing = rounds > 0;
                if master.announcing {
                    // Behind the bursts of other instances.
                    let mut again = job;
                    (again.rounds, again.next) = (rounds, 0);
                    self.announcements.jobs.push_back(again);
                }
            } else if let Some(job) = self.announcements.jobs.front_mut() {
                job.next = if last { 0 } else { job.next + 1 };
                job.rounds -= u32::from(last);
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
        let carries_on = match event {
            VrrpEvent::Command(_)
            | VrrpEvent::Socket { .. }
            | VrrpEvent::Kernel(KernelEvent::DumpEnd)
            | VrrpEvent::Continue => true,
            VrrpEvent::Packet { .. }
            | VrrpEvent::PacketsLost { .. }
            | VrrpEvent::Kernel(_)
            | VrrpEvent::Done { .. }
            | VrrpEvent::SendFailed { .. } => false,
        };
        let is_answer = matches!(event, VrrpEvent::Done { .. });
        match event {
            VrrpEvent::Packet { socket, packet } => self.on_packet(socket, packet, now, out),
            VrrpEvent::PacketsLost { socket } => {
                for id in self.sockets.users(socket) {
                    self.instances[id.0 as usize].on_packets_lost();
                }
            }
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
        // News and answers come in hundreds: what leads to nothing does not carry queued work on,
        // nor does an answer that others follow. `more` sees to the rest.
        let last_answer = is_answer && self.addresses.ledger.is_answered();
        if carries_on || last_answer || !is_answer && !out.is_empty() {
            self.pump(now, out);
        }
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        assert!(now >= self.now, "time went backwards");
        assert!(
            out.is_empty(),
            "the actions of the last call were not taken"
        );
        self.now = now;
        for _ in 0..TIMERS {
            let Some((at, timer)) = self.pop_timer(now) else {
                break;
            };
            if let VrrpTimer::Reopen(id) = timer {
                self.look(id, now, out);
                continue;
            }
            if let VrrpTimer::AnnounceQueue(queue) = timer {
                self.on_announce_queue(queue, now, out);
                continue;
            }
            let Some(id) = timer.instance() else { continue };
            self.with(id, now, out, |instance, ctx| {
                instance.on_timer(timer, at, ctx);
            });
        }
        self.timers_due = self.timers.next().is_some_and(|(at, _)| at <= now);
        self.held_back = match self.held_back {
            calls if self.timers_due && calls < TIMERS_FIRST => calls + 1,
            _ => 0,
        };
        self.pump(now, out);
    }

    fn next_timeout(&self) -> Option<(Instant, VrrpTimer)> {
        self.timers.next()
    }

    /// A master may have spoken already when its master-down timer is due; and whoever slept, as
    /// master too, hears first what was said meanwhile.
    fn packets_first(&self, now: Instant) -> bool {
        let late = Duration::from_micros(LATE_US);
        if self.timers.next().is_some_and(|(at, _)| at + late < now) {
            return true;
        }
        let is_master_down = |timer| matches!(timer, VrrpTimer::MasterDown(_));
        self.timers.any_due(now, is_master_down)
    }

    fn more(&self) -> bool {
        let queued = || self.addresses.ledger.may_go_on() || !self.announcements.jobs.is_empty();
        let may_leave = || self.phase == Phase::Stopping && self.addresses.ledger.is_settled();
        self.phase != Phase::Stopped && (self.timers_due || queued() || may_leave())
    }

    fn snapshot(&self, into: &mut Vec<u8>) {
        into.push(SNAPSHOT_COLD);
    }
}

impl VrrpTimer {
    /// The instance that the deadline belongs to; `None` for what several share.
    pub const fn instance(self) -> Option<InstanceId> {
        match self {
            Self::Advert(id)
            | Self::MasterDown(id)
            | Self::GarpDelay(id)
            | Self::GarpRefresh(id)
            | Self::GarpLower(id)
            | Self::PreemptDelay(id)
            | Self::Reopen(id)
            | Self::Answer(id) => Some(id),
            Self::AnnounceQueue(_) => None,
        }
    }
}

impl TimerKey for VrrpTimer {
    fn slot(self) -> usize {
        let (number, kind) = match self {
            Self::Advert(id) => (id.0, 0),
            Self::MasterDown(id) => (id.0, 1),
            Self::GarpDelay(id) => (id.0, 2),
            Self::GarpRefresh(id) => (id.0, 3),
            Self::GarpLower(id) => (id.0, 4),
            Self::PreemptDelay(id) => (id.0, 5),
            Self::Reopen(id) => (id.0, 6),
            // At most two for each interface and group, so not many more than there are instances.
            Self::AnnounceQueue(queue) => (queue.0, 7),
            Self::Answer(id) => (id.0, 8),
        };
        number as usize * 9 + kind
    }
}

fn group_of(config: &InstanceConfig) -> Option<IpAddr> {
    match &config.destination {
        Destination::Multicast(group) => Some(*group),
        Destination::Unicast(_) => None,
    }
}
