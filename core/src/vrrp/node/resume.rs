//! Going on where a predecessor ended; see [`crate::vrrp::snapshot`] for what follows from what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Phase, VrrpNode};
use crate::config::bound::Bound;
use crate::ids::InstanceId;
use crate::kernel::{AddressKey, ROUTE_PROTOCOL};
use crate::machine::Out;
use crate::time::Instant;
use crate::vrrp::StateName;
use crate::vrrp::addresses::key_of;
use crate::vrrp::event::{VrrpAction, VrrpTimer};
use crate::vrrp::instance::{Backup, Ctx, Instance, Master, PreemptDelay, State};
use crate::vrrp::note::Note;
use crate::vrrp::snapshot::{Filter, Identity, Record, RecordError, Records};
use crate::vrrp::states::address_interface;

/// What a predecessor left that belongs to nobody any more.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Legacy {
    /// Slots of virtual routers that are not configured any more, to be emptied once their
    /// addresses are gone.
    slots: Vec<u32>,
    /// Their addresses.
    filters: Vec<Filter>,
    /// Virtual routers that remember more addresses than they have, until the rest is gone.
    untidy: bool,
    refused: Vec<(u32, RecordError)>,
}

/// Whose each of `records` is now: the virtual router of the same identity, or else of another name
/// that is the same on the wire. Each has one at most.
fn heirs(bound: &Bound, records: &[&(u32, Record)]) -> Vec<Option<InstanceId>> {
    let mut heirs = vec![None; records.len()];
    let mut unclaimed: BTreeMap<InstanceId, Identity> = bound
        .iter()
        .map(|(id, config)| (id, Identity::of(config)))
        .collect();
    for part in [|it: Identity| it, Identity::nameless] {
        let mut configured = BTreeMap::new();
        for (id, identity) in &unclaimed {
            configured.entry(part(*identity)).or_insert(*id);
        }
        for (heir, (_, record)) in heirs.iter_mut().zip(records) {
            if heir.is_none()
                && let Some(id) = configured.remove(&part(record.identity))
            {
                unclaimed.remove(&id);
                *heir = Some(id);
            }
        }
    }
    heirs
}

impl VrrpNode {
    /// A machine that goes on where a predecessor ended. Its life is that of a [`new`](Self::new)
    /// one: what was remembered counts once the kernel's first picture is complete.
    pub fn resume(bound: Arc<Bound>, records: &Records, seed: u64, now: Instant) -> Self {
        let mut node = Self::new(bound, seed, now);
        let mut slots = vec![None; node.instances.len()];
        let mut resumes = false;
        // Of several with one identity, which a change of slots may leave, the latest counts.
        let mut kept: Vec<_> = records.kept.iter().collect();
        kept.sort_by_key(|(slot, record)| (std::cmp::Reverse(record.made), *slot));
        let heirs = heirs(&node.bound, &kept);
        for ((slot, record), heir) in kept.into_iter().zip(heirs) {
            let Some(id) = heir else {
                node.legacy.slots.push(*slot);
                node.legacy.filters.push(record.filter);
                continue;
            };
            slots[id.0 as usize] = Some(*slot);
            let config = node.bound.instance(id);
            let may_resume = record.made >= records.daemon_since || record.is_fresh(config, now);
            resumes |= may_resume;
            let instance = &mut node.instances[id.0 as usize];
            if record.filter != instance.filter {
                node.legacy.filters.push(record.filter);
                // The next one has to know of them too if this one dies before they are gone.
                instance.filter.add(record.filter);
                node.legacy.untidy = true;
            }
            if record.state == StateName::Master || may_resume {
                instance.resumes = Some(Box::new(record.clone()));
            }
        }
        let taken = records.kept.iter().map(|(slot, _)| *slot).collect();
        node.legacy.refused.clone_from(&records.refused);
        node.give_slots(slots, &taken);
        if resumes {
            // The delay is for a host that starts.
            node.starts_at = now;
        }
        node
    }

    /// It is to leave before it has begun: whoever can go on as master does so, for others wait for
    /// its farewell, and nobody else begins anything.
    pub(super) fn resume_to_leave(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        self.starts_at = now;
        for index in 0..self.instances.len() {
            self.look(InstanceId(index as u32), now, out);
        }
    }

    /// The end of [`resume_to_leave`](Self::resume_to_leave), once nobody waits for a socket any more.
    /// True if it has come.
    pub(super) fn leave_if_resumed(&mut self, now: Instant, out: &mut Out<VrrpAction>) -> bool {
        if !self.stop_asked || self.phase != Phase::Running {
            return false;
        }
        let waits = |instance: &Instance| {
            let resumes = instance.resumes.as_ref();
            resumes.is_some_and(|record| record.state == StateName::Master)
        };
        if self.instances.iter().any(waits) {
            return false;
        }
        self.on_stop(now, out);
        true
    }

    /// False for those that must not begin anything any more.
    pub(super) fn may_start(&self, id: InstanceId) -> bool {
        let instance = &self.instances[id.0 as usize];
        let resumes = instance.resumes.as_ref();
        let goes_on = resumes.is_some_and(|record| record.state == StateName::Master);
        !self.stop_asked || goes_on || !matches!(instance.state, State::Init)
    }

    /// Those that had none get the lowest free slots.
    fn give_slots(&mut self, slots: Vec<Option<u32>>, taken: &BTreeSet<u32>) {
        let mut free = (0..).filter(|slot| !taken.contains(slot));
        for (instance, slot) in self.instances.iter_mut().zip(slots) {
            instance.slot = match slot {
                Some(slot) => slot,
                None => free.next().unwrap_or(instance.slot),
            };
        }
    }

    /// The first picture is complete: decides who goes on as master, and lets their addresses be.
    /// Returns these.
    pub(super) fn weigh_records(
        &mut self,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) -> BTreeSet<AddressKey> {
        for (slot, error) in std::mem::take(&mut self.legacy.refused) {
            out.push(VrrpAction::Note(Note::RecordRefused { slot, error }));
        }
        let mut kept = BTreeSet::new();
        for index in 0..self.instances.len() {
            let id = InstanceId(index as u32);
            let config = self.bound.instance(id);
            let Some(record) = &self.instances[index].resumes else {
                continue;
            };
            if record.state != StateName::Master {
                continue;
            }
            if record.is_fresh(config, now) {
                kept.extend(self.keys_of(id));
            } else {
                self.give_up(id, now, out);
            }
        }
        kept
    }

    /// What was left behind by virtual routers that are not configured any more, and carries our
    /// mark.
    pub(super) fn remove_legacy(&mut self, kept: &BTreeSet<AddressKey>) {
        let filters = std::mem::take(&mut self.legacy.filters);
        if filters.is_empty() {
            return;
        }
        for key in self.links.marked(ROUTE_PROTOCOL) {
            let theirs = |filter: &Filter| filter.may_have(key.addr, key.prefix);
            let configured =
                kept.contains(&key) || self.virtual_addresses.contains((key.addr, key.prefix));
            if !configured && filters.iter().any(theirs) {
                self.addresses.remove_leftover(None, key);
            }
        }
    }

    /// Their slots are empty once nothing of theirs is left.
    pub(super) fn forget_legacy(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        let nothing = self.legacy.slots.is_empty() && !self.legacy.untidy;
        if nothing
            || self.phase == Phase::Waiting
            || self.reload_is_under_way()
            || !self.addresses.ledger.is_settled()
        {
            return;
        }
        // Whoever has not begun yet has nothing to write down.
        let begun = !self.instances.iter().any(|it| it.resumes.is_some());
        if self.legacy.untidy && begun && self.phase == Phase::Running {
            self.legacy.untidy = false;
            for index in 0..self.instances.len() {
                let id = InstanceId(index as u32);
                let own = Filter::of(self.bound.instance(id));
                if self.instances[index].filter != own {
                    self.instances[index].filter = own;
                    self.with(id, now, out, |instance, ctx| instance.remember(ctx));
                }
            }
        }
        for slot in std::mem::take(&mut self.legacy.slots) {
            if !self.instances.iter().any(|instance| instance.slot == slot) {
                out.push(VrrpAction::Forget { slot });
            }
        }
    }

    /// Everything is given back: a successor has nothing to know.
    pub(super) fn forget_all(&mut self, out: &mut Out<VrrpAction>) {
        let own = self.instances.iter().map(|instance| instance.slot);
        for slot in own.chain(std::mem::take(&mut self.legacy.slots)) {
            out.push(VrrpAction::Forget { slot });
        }
    }

    /// The configuration in force has other virtual routers than before: `fresh` says which of
    /// them are new, and `gone` where those were that are not there any more. Whoever has changed,
    /// or has another number, is remembered anew before anything else is done.
    pub(super) fn on_reload_remember(
        &mut self,
        (fresh, gone): (&[bool], Vec<u32>),
        changed: impl Fn(InstanceId) -> bool,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        self.legacy.slots.extend(gone);
        let count = if fresh.contains(&true) {
            fresh.len()
        } else {
            0
        };
        let kept = self
            .instances
            .iter()
            .zip(fresh)
            .take(count)
            .filter(|(_, fresh)| !**fresh);
        let mut taken: BTreeSet<u32> = kept.map(|(instance, _)| instance.slot).collect();
        taken.extend(&self.legacy.slots);
        let mut free = (0..).filter(|slot| !taken.contains(slot));
        for (instance, fresh) in self.instances.iter_mut().zip(fresh) {
            if *fresh {
                instance.slot = free.next().unwrap_or(instance.slot);
            }
        }
        for (index, fresh) in fresh.iter().enumerate() {
            let id = InstanceId(index as u32);
            if !fresh && changed(id) {
                self.with(id, now, out, |instance, ctx| instance.remember(ctx));
            }
        }
    }

    /// The addresses of `id` on the interfaces that there are.
    fn keys_of(&self, id: InstanceId) -> Vec<AddressKey> {
        let config = self.bound.instance(id);
        let keys = config.all_addresses().filter_map(|address| {
            let name = address.dev.as_ref().unwrap_or(&config.interface);
            let (ifindex, _) = self.links.named(name)?;
            Some(key_of(address, ifindex))
        });
        keys.collect()
    }

    /// `id` does not go on as its predecessor ended. Its addresses are leftovers.
    fn give_up(&mut self, id: InstanceId, now: Instant, out: &mut Out<VrrpAction>) {
        let instance = &mut self.instances[id.0 as usize];
        let Some(record) = instance.resumes.take() else {
            return;
        };
        instance.take_over_counters(&record);
        if record.state == StateName::Master {
            let config = self.bound.instance(id);
            let silent = record.spoke.map(|spoke| now.since(spoke));
            let silent = silent.filter(|_| !record.is_fresh(config, now));
            let note = Note::ResumedTooLate {
                instance: id,
                silent,
            };
            out.push(VrrpAction::Note(note));
        }
    }

    /// `id` is to start, or cannot: a mastership that may not be gone on with any more is given up,
    /// and its addresses go.
    pub(super) fn weigh_again(
        &mut self,
        id: InstanceId,
        can_work: bool,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        let config = self.bound.instance(id);
        let Some(record) = &self.instances[id.0 as usize].resumes else {
            return;
        };
        let is_master = record.state == StateName::Master;
        if can_work && (!is_master || record.is_fresh(config, now)) {
            return;
        }
        self.give_up(id, now, out);
        if !is_master {
            return;
        }
        let is_owner = self.bound.instance(id).is_owner();
        for key in self.keys_of(id) {
            let wanted = self.addresses.is_held(key);
            match self.links.address_protocol(key) {
                Some(protocol) if !wanted && (!is_owner || protocol == ROUTE_PROTOCOL) => {
                    self.addresses.remove_leftover(Some(id), key);
                }
                Some(_) | None => {}
            }
        }
    }
}

impl Instance {
    /// Goes on as the predecessor ended; false if there is nothing to go on with.
    pub(crate) fn resume(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let Some(record) = self.resumes.take() else {
            return false;
        };
        self.take_over_counters(&record);
        match record.state {
            StateName::Master => self.resume_as_master(&record, ctx),
            StateName::Backup => self.resume_as_backup(&record, ctx),
            StateName::Init | StateName::Fault => return false,
        }
        true
    }

    fn take_over_counters(&mut self, record: &Record) {
        self.stats = record.stats.clone();
        self.stats.last_sent = record.spoke;
        self.old_checksum = record.old_checksum;
    }

    /// Whatever of the takeover the predecessor has not done is done now; what is there stays.
    fn resume_as_master(&mut self, record: &Record, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        // The takeover was of the addresses of then.
        let settled = record.settled && record.addresses == self.addresses_hash;
        self.state = State::Master(Master {
            spoke: config.timer_expired_backup.and(record.spoke),
            settled,
            ..Master::default()
        });
        self.since = record.since;
        self.master_interval = config.advert_interval;
        // An owner that has met another keeps its lesser claim.
        self.priority = match config.is_owner() {
            true => record.priority,
            false => config.priority,
        };
        self.remember(ctx);
        let due = record.spoke.map(|spoke| spoke + config.advert_interval);
        let next = match due {
            Some(due) if due > ctx.now => due,
            Some(_) | None => {
                self.send_advert(ctx);
                ctx.now + config.advert_interval
            }
        };
        ctx.timers.set(VrrpTimer::Advert(self.id), next);
        let (instance, state) = (self.id, StateName::Master);
        let silent = record.spoke.map(|spoke| ctx.now.since(spoke));
        ctx.note(Note::Resumed {
            instance,
            state,
            silent,
        });
        let all_there = self.hold_on_to_addresses(ctx);
        let garp = &config.garp;
        match (settled, all_there) {
            (true, _) => {}
            (false, true) => self.announce_anew(ctx),
            // The repeats follow when the rest is there.
            (false, false) => self.announce_all(1, ctx),
        }
        let second = record.since + garp.master_delay;
        if !garp.master_delay.is_zero() && (second > ctx.now || !settled) {
            let second = second.max(ctx.now);
            ctx.timers.set(VrrpTimer::GarpDelay(self.id), second);
        }
        if !garp.refresh.is_zero() {
            let next = ctx.now + garp.refresh;
            ctx.timers.set(VrrpTimer::GarpRefresh(self.id), next);
        }
    }

    /// True if every address is there.
    fn hold_on_to_addresses(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let config = ctx.bound.instance(self.id);
        let Some(own) = self.ifindex else { return true };
        let mut master = Master::default();
        for address in config.all_addresses() {
            let Some(ifindex) = address_interface(address.dev.as_deref(), own, ctx) else {
                continue;
            };
            let key = key_of(address, ifindex);
            // An owner's may be the host's own.
            let marked = ctx.links.address_protocol(key) == Some(ROUTE_PROTOCOL);
            let ours = marked || !config.is_owner();
            if !ctx.addresses.hold_on(self.id, ifindex, address, ours) {
                master.awaited.insert(key);
            }
            master.held.push(key);
        }
        let all_there = master.awaited.is_empty();
        if let State::Master(state) = &mut self.state {
            state.held = master.held;
            // Once a takeover is done, what comes back is announced by itself, without the others.
            if !state.settled {
                state.awaited = master.awaited;
            }
        }
        all_there
    }

    fn resume_as_backup(&mut self, record: &Record, ctx: &mut Ctx<'_>) {
        self.state = State::Backup(Backup {
            master: record.heard.map(|heard| heard.addr),
            preempt: record.preempt,
            preempt_at: record.preempt_at,
            ..Backup::default()
        });
        self.since = record.since;
        self.past.master_priority = record.heard.map_or(0, |heard| heard.priority);
        self.priority = record.priority;
        let config = ctx.bound.instance(self.id);
        if !config.is_owner() {
            self.priority = config.priority;
        }
        if record.heard.is_some() && !record.master_interval.is_zero() {
            self.master_interval = self.learned_interval(record, ctx);
        }
        let interval = self.master_down_interval(config);
        self.set_master_down(interval, ctx);
        if let (PreemptDelay::Running, Some(at)) = (record.preempt, record.preempt_at) {
            let at = at.max(ctx.now);
            ctx.timers.set(VrrpTimer::PreemptDelay(self.id), at);
        }
        self.remember(ctx);
        let (instance, state, silent) = (self.id, StateName::Backup, None);
        ctx.note(Note::Resumed {
            instance,
            state,
            silent,
        });
    }

    /// The interval of the last master, which only version 3 tells.
    fn learned_interval(&self, record: &Record, ctx: &Ctx<'_>) -> crate::time::Duration {
        use crate::ids::Version;
        match record.identity.version {
            Version::V2 => ctx.bound.instance(self.id).advert_interval,
            Version::V3 => record.master_interval,
        }
    }
}
