//! What a virtual router does when its settings change while it runs.
//!
//! The order over all virtual routers is the node's (`node/reload.rs`); this is one of them, which
//! stays what it is: same interface, identifier, family and version. It keeps its state. A master
//! says at once what it is now, and takes its new addresses before it gives old ones back; a backup
//! goes on waiting for its master.

use std::collections::BTreeSet;

use crate::config::bound::InstanceConfig;
use crate::ids::{InstanceId, Version};
use crate::kernel::AddressKey;
use crate::vrrp::addresses::key_of;
use crate::vrrp::event::VrrpTimer;
use crate::vrrp::instance::{Backup, Ctx, Instance, PreemptDelay, State, Told};
use crate::vrrp::states::address_interface;

impl Instance {
    /// Takes over what is kept of the settings beside the state, in the moment in which they come
    /// into force.
    pub(crate) fn take_settings(&mut self, former: &InstanceConfig, config: &InstanceConfig) {
        let fresh = Self::new(self.id, config);
        if former.priority != config.priority {
            self.priority = fresh.priority;
        }
        if former.checksum != config.checksum {
            self.old_checksum = fresh.old_checksum;
        }
        self.advertised = fresh.advertised;
        // The former ones are there for a while.
        self.filter.add(fresh.filter);
        self.addresses_hash = fresh.addresses_hash;
        if let State::Master(master) = &mut self.state {
            // What is new has to be announced.
            master.settled = false;
        }
        // What was told of others compared them with the former settings.
        self.told = Told::default();
    }

    /// Acts on changed settings. Returns the addresses that are held no longer; they stay in the
    /// kernel until everybody has taken what is new.
    pub(crate) fn on_reload(
        &mut self,
        former: &InstanceConfig,
        ctx: &mut Ctx<'_>,
    ) -> Vec<AddressKey> {
        match &self.state {
            State::Master(_) => self.on_reload_as_master(former, ctx),
            State::Backup(_) => {
                self.on_reload_as_backup(former, ctx);
                Vec::new()
            }
            // What begins later begins with the new settings.
            State::Init | State::Fault => Vec::new(),
        }
    }

    /// A change of the priority moves the deadline by what it is worth; another interval begins
    /// to be waited for anew, as in the original.
    fn on_reload_as_backup(&mut self, former: &InstanceConfig, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        let learned = config.version == Version::V3 && self.heard_master().is_some();
        let other_interval = former.advert_interval != config.advert_interval && !learned;
        if other_interval {
            self.master_interval = config.advert_interval;
        }
        let interval = self.master_down_interval(config);
        let State::Backup(backup) = &mut self.state else {
            return;
        };
        if former.preempt_delay != config.preempt_delay {
            shorten_preempt_delay(backup, self.id, config, ctx);
        }
        // A master that let go is followed within the skew time, an owner does not wait at all.
        let before = backup.down_interval;
        if backup.released_by.is_some() || before.is_zero() || before == interval {
            return;
        }
        if other_interval {
            return self.set_master_down(interval, ctx);
        }
        backup.down_interval = interval;
        let timer = VrrpTimer::MasterDown(self.id);
        if let Some(at) = ctx.timers.get(timer) {
            // Added before it is subtracted: moments do not go below zero.
            ctx.timers.set(timer, (at + interval - before).max(ctx.now));
        }
    }

    fn on_reload_as_master(
        &mut self,
        former: &InstanceConfig,
        ctx: &mut Ctx<'_>,
    ) -> Vec<AddressKey> {
        let config = ctx.bound.instance(self.id);
        self.master_interval = config.advert_interval;
        let timer = VrrpTimer::Advert(self.id);
        // One that is due already is about to be sent, and whoever slept has more to do then.
        if ctx.timers.get(timer).is_some_and(|at| at > ctx.now) {
            self.send_advert(ctx);
            ctx.timers.set(timer, ctx.now + config.advert_interval);
        }
        let garp = &config.garp;
        if former.garp.refresh != garp.refresh {
            let timer = VrrpTimer::GarpRefresh(self.id);
            ctx.timers.stop(timer);
            if !garp.refresh.is_zero() {
                ctx.timers.set(timer, ctx.now + garp.refresh);
            }
        }
        if garp.master_delay.is_zero() {
            ctx.timers.stop(VrrpTimer::GarpDelay(self.id));
        }
        self.exchange_addresses(ctx)
    }

    /// Takes what is new; what is not wanted any more is returned.
    fn exchange_addresses(&mut self, ctx: &mut Ctx<'_>) -> Vec<AddressKey> {
        let config = ctx.bound.instance(self.id);
        let (Some(own), State::Master(master)) = (self.ifindex, &mut self.state) else {
            return Vec::new();
        };
        let before: BTreeSet<AddressKey> = master.held.iter().copied().collect();
        let mut held = Vec::with_capacity(config.addresses.len() + config.excluded.len());
        let mut is_new = false;
        for address in config.all_addresses() {
            let Some(ifindex) = address_interface(address.dev.as_deref(), own, ctx) else {
                continue;
            };
            let key = key_of(address, ifindex);
            held.push(key);
            let comes = if before.contains(&key) {
                ctx.addresses.refresh(key, address)
            } else {
                ctx.addresses.hold(self.id, ifindex, address);
                true
            };
            if comes {
                is_new = true;
                master.awaited.insert(key);
            }
        }
        let now: BTreeSet<AddressKey> = held.iter().copied().collect();
        master.awaited.retain(|key| now.contains(key));
        let gone = std::mem::replace(&mut master.held, held);
        let gone = gone.into_iter().rev().filter(|key| !now.contains(key));
        let gone: Vec<AddressKey> = gone.collect();
        for key in &gone {
            ctx.addresses.drop_holder(self.id, *key);
        }
        let delay = config.garp.master_delay;
        if is_new && !delay.is_zero() {
            let timer = VrrpTimer::GarpDelay(self.id);
            ctx.timers.set(timer, ctx.now + delay);
        }
        gone
    }

    /// An address of a master is away for a moment.
    pub(crate) fn await_address(&mut self, key: AddressKey) {
        if let State::Master(master) = &mut self.state {
            master.awaited.insert(key);
        }
    }

    /// Leaves for good: it is not in the configuration any more. Its addresses are returned and
    /// stay in the kernel until everybody has taken what is new.
    pub(crate) fn leave(&mut self, ctx: &mut Ctx<'_>) -> Vec<AddressKey> {
        let State::Master(master) = self.leave_state(ctx) else {
            return Vec::new();
        };
        // Last in, first out, as the original removes them.
        let held: Vec<AddressKey> = master.held.into_iter().rev().collect();
        for key in &held {
            ctx.addresses.drop_holder(self.id, *key);
        }
        held
    }
}

/// A delay that runs ends no later than the new one would from now.
fn shorten_preempt_delay(
    backup: &mut Backup,
    id: InstanceId,
    config: &InstanceConfig,
    ctx: &mut Ctx<'_>,
) {
    let timer = VrrpTimer::PreemptDelay(id);
    if backup.preempt != PreemptDelay::Running {
        return;
    }
    if let Some(at) = ctx.timers.get(timer) {
        ctx.timers
            .set(timer, at.min(ctx.now + config.preempt_delay));
    }
}
