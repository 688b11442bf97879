//! A new configuration in a running machine: only what differs is carried out.
//!
//! Virtual routers are matched by what they are on the wire ([`Matching`]). Those that are gone say
//! farewell, a slice of them in each call; then, in one call, the table is put into the order of
//! the new configuration, and every number in timers, sockets, announcements and holders with it;
//! [`VrrpAction::InForce`] stands between what speaks of the old numbers and what speaks of the
//! new. Whatever did not change is left alone: no deadline, socket, address or line of it.
//!
//! What follows is queued work, in slices like every other: first each virtual router that is new
//! or has changed, which adds addresses; when all of those are answered, and so announced, the
//! addresses that nobody holds any more are removed. An address that moves from one virtual router
//! to another has a new holder before its turn to be removed comes, and stays.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::around::{Place, interfaces, watchers_of};
use super::{Phase, VrrpNode, configured_sources_of};
use crate::config::bound::{Bound, InstanceConfig};
use crate::ids::{Family, IfIndex, InstanceId};
use crate::kernel::AddressKey;
use crate::kernel::links::Unsourced;
use crate::limits::TIMERS;
use crate::machine::Out;
use crate::time::{Duration, Instant};
use crate::vrrp::event::VrrpAction;
use crate::vrrp::instance::Instance;
use crate::vrrp::plan::Matching;

/// What a new configuration has left to do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Reload {
    /// The new configuration, as long as farewells are to be said before it comes into force.
    incoming: Option<Incoming>,
    /// The configuration before, as long as something of the new one is left to do.
    former: Option<Arc<Bound>>,
    /// Virtual routers that are new or changed.
    waiting: VecDeque<Work>,
    /// Addresses that somebody held no longer; what nobody holds when their turn comes goes.
    departing: VecDeque<AddressKey>,
    /// Subnets in which addresses were removed last, and when.
    removed: BTreeSet<Subnet>,
    removed_at: Instant,
    /// Sockets that have lost or won users were not looked at yet.
    untidy: bool,
}

/// An interface, the network part of an IPv4 address, and its length.
type Subnet = (IfIndex, u32, u8);

/// So long after a removal its consequences are told of.
const CONSEQUENCES: Duration = Duration::from_secs(1);

/// A configuration that is about to come into force.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Incoming {
    bound: Arc<Bound>,
    matching: Matching,
    /// Of those before this number, whoever is gone has said farewell.
    next: u32,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Work {
    id: InstanceId,
    /// Its number in the former configuration; none if it is new.
    former: Option<InstanceId>,
}

impl VrrpNode {
    /// Puts `bound` in force.
    pub(super) fn on_reload(&mut self, bound: Arc<Bound>, now: Instant, out: &mut Out<VrrpAction>) {
        match self.phase {
            Phase::Stopping | Phase::Stopped => return,
            Phase::Running if self.stop_asked => return,
            Phase::Waiting | Phase::Running => {}
        }
        if self.reload.incoming.is_none() && *bound == *self.bound {
            return;
        }
        // What an earlier one has left to add: the new comparison is with the whole of it.
        while self.reload.incoming.is_some() || !self.reload.waiting.is_empty() {
            self.dismiss(usize::MAX, now, out);
            self.apply_next(now, out);
        }
        let matching = Matching::of(&self.bound, &bound);
        let few_go = matching.gone().nth(TIMERS).is_none();
        self.reload.incoming = Some(Incoming {
            bound,
            matching,
            next: 0,
        });
        // Many farewells are queued work.
        if few_go {
            self.dismiss(usize::MAX, now, out);
        }
    }

    /// Those that are gone, at most `budget` of them: their farewells, before anything else of the
    /// new configuration. It comes into force behind the last. Returns how many there were.
    fn dismiss(&mut self, budget: usize, now: Instant, out: &mut Out<VrrpAction>) -> usize {
        let Some(incoming) = &mut self.reload.incoming else {
            return 0;
        };
        let left = incoming.matching.gone().filter(|id| id.0 >= incoming.next);
        let gone: Vec<InstanceId> = left.take(budget).collect();
        let is_last = gone.len() < budget;
        if let Some(last) = gone.last() {
            incoming.next = last.0 + 1;
        }
        for &id in &gone {
            self.with(id, now, out, |instance, ctx| {
                instance.release_mastership(ctx);
            });
        }
        for &id in &gone {
            let mut held = Vec::new();
            self.with(id, now, out, |instance, ctx| {
                held = instance.leave(ctx);
                instance.sum_up_discards(true, ctx.now, ctx.out);
            });
            self.reload.departing.extend(held);
        }
        if is_last && let Some(incoming) = self.reload.incoming.take() {
            self.put_in_force(incoming.bound, &incoming.matching, now, out);
        }
        gone.len()
    }

    /// True if a virtual router is gone with the configuration that is about to come into force.
    pub(super) fn is_dismissed(&self, id: InstanceId) -> bool {
        let incoming = self.reload.incoming.as_ref();
        incoming.is_some_and(|it| id.0 < it.next && it.matching.successor(id).is_none())
    }

    fn put_in_force(
        &mut self,
        bound: Arc<Bound>,
        matching: &Matching,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        let former = std::mem::replace(&mut self.bound, bound);
        out.push(VrrpAction::InForce(Arc::clone(&self.bound)));
        let slots: Vec<u32> = matching
            .gone()
            .map(|id| self.instances[id.0 as usize].slot)
            .collect();
        let touched = self.take_over(&former, matching);
        self.remember_anew(&former, matching, slots, now, out);
        let orphans = self
            .announcements
            .reload(&self.bound, now, &self.links, &mut self.timers);
        for key in orphans {
            for id in self.addresses.holders(key) {
                self.with(id, now, out, |instance, ctx| instance.announce_all(1, ctx));
            }
        }
        self.reload.former = Some(former);
        self.reload.untidy = true;
        self.reload.removed.clear();
        self.look_at_sources_anew(&touched, now, out);
    }

    /// A successor shall know what is in force. Other numbers are for whoever stamps adverts.
    fn remember_anew(
        &mut self,
        former: &Bound,
        matching: &Matching,
        gone: Vec<u32>,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        let bound = Arc::clone(&self.bound);
        let predecessors: Vec<Option<InstanceId>> = bound
            .iter()
            .map(|(id, _)| matching.predecessor(id))
            .collect();
        let fresh: Vec<bool> = predecessors.iter().map(Option::is_none).collect();
        let renumbered = !matching.keeps_numbers();
        let changed = |id: InstanceId| {
            let before = predecessors.get(id.0 as usize).copied().flatten();
            renumbered || before.is_some_and(|it| former.instance(it) != bound.instance(id))
        };
        self.on_reload_remember((&fresh, gone), changed, now, out);
    }

    /// Puts the table into the order of the configuration that is now in force, and queues what is
    /// new or changed. Returns the places of virtual addresses that may have come or gone.
    fn take_over(&mut self, former: &Bound, matching: &Matching) -> BTreeSet<Place> {
        let mut touched = BTreeSet::new();
        for id in matching.gone() {
            let config = Some(former.instance(id));
            self.virtual_addresses.exchange(config, None, &mut touched);
        }
        let in_place =
            matching.keeps_numbers() && former.instances.len() == self.bound.instances.len();
        if !in_place {
            self.reorder(matching);
        }
        let mut same_interfaces = in_place;
        for ((id, config), instance) in self.bound.iter().zip(&mut self.instances) {
            let predecessor = matching.predecessor(id);
            let before = predecessor.map(|id| former.instance(id));
            if before.is_some_and(|former| !has_changed(former, config)) {
                continue;
            }
            if let Some(former) = before {
                instance.take_settings(former, config);
                same_interfaces &= interfaces(former) == interfaces(config);
            }
            let after = Some(config);
            self.virtual_addresses.exchange(before, after, &mut touched);
            let former = predecessor;
            self.reload.waiting.push_back(Work { id, former });
        }
        if !same_interfaces {
            self.watchers = watchers_of(&self.bound);
        }
        self.configured_sources = configured_sources_of(&self.bound);
        touched
    }

    fn reorder(&mut self, matching: &Matching) {
        let before = std::mem::take(&mut self.instances);
        let mut before: Vec<Option<Instance>> = before.into_iter().map(Some).collect();
        for (id, config) in self.bound.iter() {
            let predecessor = matching.predecessor(id);
            let kept = predecessor.and_then(|id| before.get_mut(id.0 as usize)?.take());
            let mut instance = kept.unwrap_or_else(|| Instance::new(id, config));
            instance.id = id;
            self.instances.push(instance);
        }
        if !matching.keeps_numbers() {
            self.timers
                .rename(|timer| timer.renumbered(|id| matching.successor(id)));
            self.sockets.renumber(matching);
            self.announcements.renumber(matching);
            self.addresses.renumber(matching);
        }
    }

    /// Which addresses are virtual may have changed at the places `touched`, and with it, perhaps,
    /// what adverts of others are sent from.
    fn look_at_sources_anew(
        &mut self,
        touched: &BTreeSet<Place>,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        if touched.is_empty() {
            return;
        }
        let keys: Vec<AddressKey> = self
            .links
            .keys()
            .filter(|key| touched.contains(&(key.addr, key.prefix)))
            .collect();
        let places: BTreeSet<(IfIndex, Family)> = keys
            .iter()
            .map(|key| (key.ifindex, Family::of(key.addr)))
            .collect();
        let sources: Vec<Result<IpAddr, Unsourced>> = places
            .iter()
            .map(|(ifindex, family)| self.links.source(*ifindex, *family))
            .collect();
        for key in keys {
            self.note_borrowed(key);
        }
        for ((ifindex, family), source) in places.into_iter().zip(sources) {
            if self.links.source(ifindex, family) != source {
                let name = self.links.get(ifindex).map(|link| link.name.clone());
                self.look_at(&name.unwrap_or_default(), now, out);
            }
        }
    }

    /// The next virtual router that is new or changed. One that is new begins as at a start, where
    /// its socket and everything else allow it.
    fn apply_next(&mut self, now: Instant, out: &mut Out<VrrpAction>) {
        let Some(work) = self.reload.waiting.pop_front() else {
            return;
        };
        self.look(work.id, now, out);
        let former = self.reload.former.clone();
        if let (Some(bound), Some(former)) = (&former, work.former) {
            let mut departing = Vec::new();
            self.with(work.id, now, out, |instance, ctx| {
                departing = instance.on_reload(bound.instance(former), ctx);
            });
            self.reload.departing.extend(departing);
        }
    }

    /// Carries a reload on, at most `budget` steps of it; returns how many were taken.
    pub(super) fn carry_reload_on(
        &mut self,
        budget: usize,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) -> usize {
        if !self.reload_is_under_way() {
            return 0;
        }
        let begin = out.len();
        let mut used = self.dismiss(budget.min(TIMERS), now, out);
        if self.reload.incoming.is_some() {
            return used;
        }
        while used < budget && !self.reload.waiting.is_empty() {
            let before = out.len();
            self.apply_next(now, out);
            used += (out.len() - before).max(1);
        }
        if self.reload.waiting.is_empty() && std::mem::take(&mut self.reload.untidy) {
            self.sockets.tidy(out);
        }
        if !self.reload.waiting.is_empty() || !self.has_answers() {
            return out.len().saturating_sub(begin).max(used);
        }
        while used < budget
            && let Some(key) = self.reload.departing.pop_front()
        {
            self.addresses.unwant_unheld(key);
            self.reload.removed.extend(subnet_of(key));
            self.reload.removed_at = now;
            used += 1;
        }
        if self.reload.departing.is_empty() && self.addresses.ledger.is_settled() {
            self.reload.former = None;
        }
        used
    }

    /// With the first IPv4 address of a subnet the kernel removes the others of it, unless
    /// `promote_secondaries` is set: what goes with an address that a reload has removed is nobody's
    /// doing, and comes back. True if `key` is such an address.
    pub(super) fn comes_back(&mut self, key: AddressKey, now: Instant) -> bool {
        let recent = now.since(self.reload.removed_at) < CONSEQUENCES;
        let beside = subnet_of(key).is_some_and(|it| self.reload.removed.contains(&it));
        if !recent || !beside || self.phase != Phase::Running {
            return false;
        }
        self.addresses.ledger.ask_again(key);
        for id in self.addresses.holders(key) {
            self.instances[id.0 as usize].await_address(key);
        }
        true
    }

    /// True from a new configuration until everything that it asks for is done and answered.
    pub(super) fn reload_is_under_way(&self) -> bool {
        self.reload.former.is_some() || self.reload.incoming.is_some()
    }

    /// True if a step of the reload can be taken now.
    pub(super) fn reload_may_go_on(&self) -> bool {
        let may_go_on = || {
            self.reload.incoming.is_some() || !self.reload.waiting.is_empty() || self.has_answers()
        };
        self.reload_is_under_way() && may_go_on()
    }

    /// Nothing that the new configuration added is awaited: no address, and no socket, whose
    /// opening may make an owner master at once.
    fn has_answers(&self) -> bool {
        self.addresses.ledger.is_settled() && self.sockets.are_answered()
    }

    /// The daemon ends: what was to be removed at the end of a reload is removed now.
    pub(super) fn end_reload(&mut self) {
        self.reload.incoming = None;
        self.reload.waiting.clear();
        self.reload.former = None;
        for key in std::mem::take(&mut self.reload.departing) {
            self.addresses.unwant_unheld(key);
        }
    }
}

fn subnet_of(key: AddressKey) -> Option<Subnet> {
    let IpAddr::V4(addr) = key.addr else {
        return None;
    };
    let mask = u32::MAX
        .checked_shl(32 - u32::from(key.prefix))
        .unwrap_or(0);
    Some((key.ifindex, u32::from(addr) & mask, key.prefix))
}

/// True if there is more in it than another name.
fn has_changed(former: &InstanceConfig, config: &InstanceConfig) -> bool {
    if former.name == config.name {
        return former != config;
    }
    let mut renamed = former.clone();
    renamed.name.clone_from(&config.name);
    renamed != *config
}
