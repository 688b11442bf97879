//! The VRRP machine of a host: routes events to instances, and shares what they have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::bound::{Bound, Destination};
use crate::ids::{Errno, InstanceId, OpId, SocketId};
use crate::kernel::ledger::{Change, Outcome};
use crate::kernel::links::Links;
use crate::kernel::{AddressKey, KernelEvent, ROUTE_PROTOCOL};
use crate::limits::{
    BURST_TIMERS, BURST_WITHIN_US, LATE_US, SLICE, SLICE_FIRST, SLICE_SHORT, SLICE_SHORT_WITHIN_US,
    TIMERS, TIMERS_FIRST,
};
use crate::machine::{Machine, Out};
use crate::time::{Duration, Instant};
use crate::timers::{TimerKey, Timers};
use crate::vrrp::StateName;
use crate::vrrp::addresses::{Addresses, key_of};
use crate::vrrp::advert::{self, Datagram};
use crate::vrrp::announce::Announcements;
use crate::vrrp::conditions::TellBudget;
use crate::vrrp::event::{Command, Ingress, QueueId, VrrpAction, VrrpEvent, VrrpTimer};
use crate::vrrp::instance::{Ctx, Instance, Past, State, Told};
use crate::vrrp::note::{Discard, Note};
use crate::vrrp::snapshot::Record;
use crate::vrrp::sockets::Sockets;
use crate::vrrp::stats::Stats;
use crate::vrrp::timing;

mod around;
mod look;
mod reload;
mod resume;
mod view;

use around::{Borrowed, watchers_of};
use look::readiness_of;
use reload::Reload;
use resume::Legacy;

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
    /// For how many calls in a row queued work has been held back.
    held_back: u8,
    /// At the end: the first instance whose farewell is still to be said.
    farewells: Option<usize>,
    ident: u16,
    /// Instances to look at when something happens to the interface of this name.
    watchers: BTreeMap<String, Vec<InstanceId>>,
    /// Who is configured to send unicast adverts from an address.
    configured_sources: BTreeMap<IpAddr, Vec<InstanceId>>,
    /// Every virtual address that nobody here owns.
    virtual_addresses: Borrowed,
    /// For what is told of interfaces.
    tell_budget: TellBudget,
    /// What a new configuration has left to do.
    reload: Reload,
    /// What a predecessor left that belongs to nobody any more.
    legacy: Legacy,
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
        let (watchers, virtual_addresses) = (watchers_of(&bound), Borrowed::of(&bound));
        let configured_sources = configured_sources_of(&bound);
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
            farewells: None,
            ident: 0,
            watchers,
            configured_sources,
            virtual_addresses,
            tell_budget: TellBudget::default(),
            reload: Reload::default(),
            legacy: Legacy::default(),
        }
    }

    /// The configuration in force.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// The state of a virtual router.
    pub fn state(&self, id: InstanceId) -> StateName {
        self.instances[id.0 as usize].state_name()
    }

    /// True while it is not decided whether `id` goes on where a predecessor ended.
    pub fn is_resuming(&self, id: InstanceId) -> bool {
        let instance = self.instances.get(id.0 as usize);
        instance.is_some_and(|instance| instance.resumes.is_some())
    }

    /// The effective priority of a virtual router.
    pub fn effective_priority(&self, id: InstanceId) -> u8 {
        self.instances[id.0 as usize].priority
    }

    /// What a virtual router sends its adverts from, if it knows: what comes from there is its own.
    pub fn source(&self, id: InstanceId) -> Option<IpAddr> {
        self.instances.get(id.0 as usize)?.source
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
            instance.since = Instant::ZERO;
            instance.told = Told::default();
            instance.past = Past::default();
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
            Ok(heard) => {
                let style = datagram.payload.get(6..8).unwrap_or_default();
                let instance = &mut self.instances[id.0 as usize];
                if !instance.trusts_checksum(config, &heard, style) {
                    // It may be a master's all the same: there is no silence yet.
                    instance.on_packets_lost(now);
                    return instance.discard(datagram.src, Discard::Checksum, now, out);
                }
                self.with(id, now, out, |instance, ctx| instance.on_advert(heard, ctx));
            }
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
            KernelEvent::Link(link) => self.on_link(&link, now, out),
            KernelEvent::LinkGone { ifindex } => self.on_link_gone(ifindex, now, out),
            KernelEvent::Address {
                key,
                tentative,
                dad_failed,
                secondary,
                protocol,
            } => {
                let before = self.source_of(key);
                let readiness = readiness_of(tentative, dad_failed);
                self.links.on_address(key, readiness, secondary, protocol);
                let marked = protocol == ROUTE_PROTOCOL;
                self.addresses.ledger.on_present(key, marked);
                self.note_borrowed(key);
                self.look_at_source(key, before, now, out);
                self.look_at_configured_source(key.addr, now, out);
            }
            KernelEvent::AddressGone { key } => {
                let before = self.source_of(key);
                self.links.on_address_gone(key);
                if self.addresses.ledger.on_absent(key) {
                    self.on_address_taken(key, now, out);
                }
                self.look_at_source(key, before, now, out);
                self.look_at_configured_source(key.addr, now, out);
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
            let kept = self.weigh_records(now, out);
            self.remove_leftovers(&kept);
            if self.stop_asked {
                return self.resume_to_leave(now, out);
            }
            if now < self.starts_at {
                let delay = self.bound.global.startup_delay;
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
    /// Neither is what a master goes on with (`kept`).
    fn remove_leftovers(&mut self, kept: &BTreeSet<AddressKey>) {
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
                if !kept.contains(&key) {
                    self.addresses.remove_leftover(Some(instance), key);
                }
                // It carries our mark or is in the configuration.
                self.links.set_borrowed(key, true);
            }
        }
        self.remove_strays(kept);
        self.remove_legacy(kept);
    }

    fn on_address_taken(&mut self, key: AddressKey, now: Instant, out: &mut Out<VrrpAction>) {
        if self.comes_back(key, now) {
            return;
        }
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
        let outcome = self.addresses.ledger.done(op, result);
        let source = outcome.key().map(|key| (key, self.source_of(key)));
        if let Some((key, _)) = source {
            self.note_borrowed(key);
        }
        match outcome {
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
        if let Some((key, before)) = source {
            self.look_at_source(key, before, now, out);
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
            let instance = &mut self.instances[id.0 as usize];
            instance.socket_failed = result.err();
            let told = std::mem::replace(&mut instance.socket_error, result.err());
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
            Command::ClearStats { first, count } => self.clear_stats(first, count),
        }
    }

    /// Leaves in phases: every priority-0 advert of the host, a slice at a time, then everything else.
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
        if self.bound.global.keep_vips {
            return self.leave_everything(now, out);
        }
        self.phase = Phase::Stopping;
        self.end_reload();
        for index in 0..self.instances.len() {
            let id = InstanceId(index as u32);
            self.weigh_again(id, false, now, out);
            if !matches!(self.instances[index].state, State::Master(_)) {
                self.with(id, now, out, |instance, ctx| {
                    instance.forget(ctx);
                    instance.stop(ctx);
                });
            }
        }
        self.farewells = Some(0);
        self.sum_up_discards(now, out);
    }

    /// The end with `-V`: addresses stay, and so does what a successor needs to know of them. One
    /// that comes soon goes on as master.
    fn leave_everything(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        self.phase = Phase::Stopped;
        self.sum_up_discards(now, out);
        out.push(VrrpAction::Note(Note::Stopped));
        out.push(VrrpAction::Exit(0));
    }

    fn sum_up_discards(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        for instance in &mut self.instances {
            instance.sum_up_discards(true, now, out);
        }
        self.sockets.sum_up_discards(true, now, out);
    }

    /// One slice of the priority-0 adverts; the first is short, for what the first of them lets
    /// others take over waits for nothing. Nothing is removed before the last.
    fn say_farewells(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        let Some(first) = self.farewells else { return };
        let mut left = if first == 0 { SLICE_SHORT } else { TIMERS };
        let mut next = first;
        while left > 0
            && let Some(instance) = self.instances.get(next)
        {
            if matches!(instance.state, State::Master(_)) {
                let id = InstanceId(next as u32);
                self.with(id, now, out, |instance, ctx| instance.say_farewell(ctx));
                left -= 1;
            }
            next += 1;
        }
        self.farewells = (next < self.instances.len()).then_some(next);
        if self.farewells.is_none() {
            self.announcements.clear(&mut self.timers);
        }
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

    fn is_deadline_near(&self, now: Instant) -> bool {
        let near = now + Duration::from_micros(BURST_WITHIN_US);
        self.timers.next().is_some_and(|(at, _)| at < near)
    }

    /// Holds queued work back for one more call, but not for ever.
    fn hold_back(&mut self, wanted: bool) {
        self.held_back = match self.held_back {
            calls if wanted && calls < TIMERS_FIRST => calls + 1,
            _ => 0,
        };
    }

    /// Carries queued work on, at most a slice of it: kernel changes first, then announcements.
    /// Timers that are due come before either: when a thousand virtual routers take over in one
    /// instant, every advert of theirs is on its way before the first address.
    fn pump(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        // What was left may have been put off or stopped since.
        self.timers_due &= self.timers.next().is_some_and(|(at, _)| at <= now);
        self.say_farewells(now, out);
        if self.farewells.is_some() {
            return;
        }
        self.hold_back(self.held_back > 0 && self.is_deadline_near(now));
        if self.held_back > 0 {
            return;
        }
        let soon = now + Duration::from_micros(SLICE_SHORT_WITHIN_US);
        let slice = match self.timers.next() {
            Some((at, _)) if at < soon => SLICE_SHORT,
            _ => SLICE,
        };
        self.carry_on(slice, now, out);
    }

    /// One slice of queued work.
    fn carry_on(&mut self, slice: usize, now: Instant, out: &mut Out<VrrpAction>) {
        if self.phase == Phase::Stopped || self.farewells.is_some() {
            return;
        }
        let mut there = Vec::new();
        let reloaded = self.carry_reload_on(slice, now, out);
        let rest = slice.saturating_sub(reloaded);
        let used = reloaded + self.addresses.plan(rest, out, &mut there);
        for key in there {
            self.on_present(key, false, now, out);
        }
        self.run_jobs(slice.saturating_sub(used), now, out);
        self.forget_legacy(now, out);
        if self.phase == Phase::Stopping && self.addresses.ledger.is_settled() {
            self.phase = Phase::Stopped;
            self.forget_all(out);
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
            VrrpEvent::Command(Command::Stop)
            | VrrpEvent::Reload { .. }
            | VrrpEvent::Socket { .. }
            | VrrpEvent::Kernel(KernelEvent::DumpEnd)
            | VrrpEvent::Continue => true,
            VrrpEvent::Packet { .. }
            | VrrpEvent::PacketsLost { .. }
            | VrrpEvent::Kernel(_)
            | VrrpEvent::Command(Command::ClearStats { .. })
            | VrrpEvent::Done { .. }
            | VrrpEvent::SendFailed { .. } => false,
        };
        let is_answer = matches!(event, VrrpEvent::Done { .. });
        match event {
            VrrpEvent::Packet { socket, packet } => self.on_packet(socket, packet, now, out),
            VrrpEvent::PacketsLost { socket } => {
                for id in self.sockets.users(socket) {
                    self.instances[id.0 as usize].on_packets_lost(now);
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
                let bound = &self.bound;
                let config = bound.instances.get(instance.0 as usize);
                let known = self.instances.get_mut(instance.0 as usize);
                if let (Some(instance), Some(config)) = (known, config) {
                    instance.on_send_failed(note, config, out);
                }
            }
            VrrpEvent::Command(command) => self.on_command(command, now, out),
            VrrpEvent::Reload { bound, .. } => self.on_reload(bound, now, out),
            VrrpEvent::Continue => {}
        }
        let leaves = self.leave_if_resumed(now, out);
        // News and answers come in hundreds: what leads to nothing does not carry queued work on,
        // nor does an answer that others follow. `more` sees to the rest.
        let last_answer = is_answer && self.addresses.ledger.is_answered();
        if carries_on || leaves || last_answer || !is_answer && !out.is_empty() {
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
        let mut acted_on = 0;
        while acted_on < TIMERS
            && let Some((at, timer)) = self.pop_timer(now)
        {
            acted_on += 1;
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
        self.leave_if_resumed(now, out);
        self.timers_due = self.timers.next().is_some_and(|(at, _)| at <= now);
        let burst = acted_on >= BURST_TIMERS && self.is_deadline_near(now);
        let begins = self.held_back == 0 && (self.timers_due || burst);
        self.hold_back(self.timers_due || burst);
        if begins {
            self.carry_on(SLICE_FIRST, now, out);
        } else {
            self.pump(now, out);
        }
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
        let queued = || {
            self.addresses.ledger.may_go_on()
                || !self.announcements.jobs.is_empty()
                || self.reload_may_go_on()
        };
        let may_leave = || self.phase == Phase::Stopping && self.addresses.ledger.is_settled();
        let working = || self.timers_due || self.farewells.is_some() || queued() || may_leave();
        self.phase != Phase::Stopped && working()
    }

    fn is_reloading(&self) -> bool {
        self.reload_is_under_way()
    }

    fn snapshot(&self, into: &mut Vec<u8>) {
        for (instance, (_, config)) in self.instances.iter().zip(self.bound.iter()) {
            if let Some(record) = Record::of(instance, config, self.now) {
                record.encode(into);
            }
        }
    }
}

/// Who is configured to send unicast adverts from an address.
fn configured_sources_of(bound: &Bound) -> BTreeMap<IpAddr, Vec<InstanceId>> {
    let mut sources: BTreeMap<IpAddr, Vec<InstanceId>> = BTreeMap::new();
    for (id, config) in bound.iter() {
        if let (Some(source), Destination::Unicast(_)) = (config.source, &config.destination) {
            sources.entry(source).or_default().push(id);
        }
    }
    sources
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

    /// The same deadline of the virtual router that has another number now; `None` if it is gone.
    fn renumbered(self, number: impl Fn(InstanceId) -> Option<InstanceId>) -> Option<Self> {
        Some(match self {
            Self::Advert(id) => Self::Advert(number(id)?),
            Self::MasterDown(id) => Self::MasterDown(number(id)?),
            Self::GarpDelay(id) => Self::GarpDelay(number(id)?),
            Self::GarpRefresh(id) => Self::GarpRefresh(number(id)?),
            Self::GarpLower(id) => Self::GarpLower(number(id)?),
            Self::PreemptDelay(id) => Self::PreemptDelay(number(id)?),
            Self::Reopen(id) => Self::Reopen(number(id)?),
            Self::Answer(id) => Self::Answer(number(id)?),
            Self::AnnounceQueue(queue) => Self::AnnounceQueue(queue),
        })
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
