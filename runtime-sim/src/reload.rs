//! Other configurations for a running daemon, and what the world makes of them.

use std::rc::Rc;
use std::sync::Arc;

use relevo_core::config::bound::Bound;
use relevo_core::ids::InstanceId;
use relevo_core::kernel::AddressKey;
use relevo_core::machine::{Machine, Out};
use relevo_core::vrrp::StateName;
use relevo_core::vrrp::event::VrrpAction;

use crate::cluster::Cluster;
use crate::invariant::{Fact, Promise};
use crate::kernel::Told;
use crate::spec::Variant;
use crate::world::World;

impl World {
    /// The operator gives `host` another configuration. A daemon that does not run starts with it.
    pub(crate) fn reload(&mut self, host: usize, number: usize) {
        let Some(variant) = self.spec.hosts[host].variant(number) else {
            return;
        };
        self.hosts[host].asked = number;
        self.tell(host, [Told::Reload(variant.bound)]);
    }

    /// Makes what was last asked for the configuration of the daemon that is about to start.
    pub(crate) fn start_with_what_was_asked(&mut self, host: usize) {
        let asked = self.hosts[host].asked;
        if let Some(variant) = self.spec.hosts[host].variant(asked) {
            self.hosts[host].bound = Arc::clone(&variant.bound);
            self.reconfigure(host, &variant);
        }
        let here = &self.hosts[host];
        let bound = &here.bound;
        if here.unfinished.iter().any(|former| former != bound) {
            self.checker.marks.reload_cut_short += 1;
        }
    }

    fn reconfigure(&mut self, host: usize, variant: &Variant) {
        let number = self.spec.hosts[host].number;
        let cluster: &mut Cluster = Rc::make_mut(&mut self.cluster);
        cluster.reconfigure(host, number, variant);
        let cluster = Rc::clone(&self.cluster);
        self.fact(Fact::Reconfigured { cluster, host });
    }

    /// After a call that brought another configuration: numbers mean other members from now on.
    /// The same configuration again must lead to nothing, unless something waited anyway.
    pub(crate) fn note_reload(
        &mut self,
        host: usize,
        bound: &Arc<Bound>,
        out: &Out<VrrpAction>,
        had_more: bool,
    ) {
        let in_force = |action: &VrrpAction| matches!(action, VrrpAction::InForce(_));
        if !out.actions().iter().any(in_force) {
            if *bound == self.hosts[host].bound {
                self.checker.marks.reloaded_same += 1;
                if !had_more && !out.is_empty() {
                    let text = format!("host {host}: {:?} for nothing new", out.actions());
                    self.checker.fail(self.now, Promise::SameIsNothing, text);
                }
            }
            return;
        }
        let spec = &self.spec.hosts[host];
        let all = (0..=spec.variants.len()).filter_map(|number| spec.variant(number));
        let Some(variant) = all.into_iter().find(|variant| variant.bound == *bound) else {
            return;
        };
        let former = self.cluster.on_host(host).to_vec();
        self.reconfigure(host, &variant);
        let Some(process) = self.hosts[host].process.as_mut() else {
            return;
        };
        let was = std::mem::take(&mut process.states);
        let state_of = |member: &usize| {
            let at = former.iter().position(|other| other == member);
            let state = at.and_then(|at| was.get(at).copied());
            state.unwrap_or(StateName::Init)
        };
        let now = self.cluster.on_host(host);
        process.states = now.iter().map(state_of).collect();
        let gone: Vec<(usize, StateName)> = former
            .iter()
            .filter(|member| !self.cluster.members[**member].present)
            .map(|member| (*member, state_of(member)))
            .collect();
        for (member, from) in gone {
            let (to, can_send) = (StateName::Init, self.can_send(host, member));
            if from != to {
                self.timeline.on_state(self.now, member, to);
                self.fact(Fact::State {
                    member,
                    from,
                    to,
                    can_send,
                    resumed: false,
                });
            }
        }
        self.former = Some(former);
    }

    /// Carries out that another configuration is in force.
    pub(crate) fn put_in_force(&mut self, host: usize, bound: &Arc<Bound>) {
        let here = &mut self.hosts[host];
        let former = std::mem::replace(&mut here.bound, Arc::clone(bound));
        here.unfinished.push(former);
        self.former = None;
        self.checker.marks.reloaded += 1;
    }

    /// The member that an action of `host` speaks of.
    pub(crate) fn speaker(&self, host: usize, instance: InstanceId) -> Option<usize> {
        match &self.former {
            Some(former) => former.get(instance.0 as usize).copied(),
            None => self.cluster.member_of(host, instance),
        }
    }

    /// An address that is in no configuration any more must not stay.
    pub(crate) fn check_strays(&mut self, host: usize) {
        if self.spec.hosts[host].variants.is_empty() {
            return;
        }
        let wanted = self.virtual_addresses(host);
        let strays: Vec<AddressKey> = self
            .addresses_of_variants(host)
            .into_iter()
            .filter(|key| !wanted.contains(key) && self.hosts[host].kernel.holds(*key))
            .collect();
        for key in strays {
            if self.hosts[host].is_settled(key) {
                let text = format!("host {host} keeps {}, which nobody wants", key.addr);
                self.checker.fail(self.now, Promise::AddressIffMaster, text);
            }
        }
        let here = &mut self.hosts[host];
        let asked = self.spec.hosts[host].variant(here.asked);
        let quiet = here.process.as_ref().is_some_and(|process| {
            process.ready
                && !process.is_untold()
                && !process.node.more()
                && !process.node.is_reloading()
        });
        let agreed = asked.is_some_and(|variant| variant.bound == here.bound);
        if quiet && agreed && !here.kernel.has_orders() {
            here.unfinished.clear();
        }
    }

    /// The virtual addresses that `host` has in some configuration.
    pub(crate) fn addresses_of_variants(&self, host: usize) -> Vec<AddressKey> {
        let spec = &self.spec.hosts[host];
        let mut cluster = (*self.first).clone();
        let mut all = Vec::new();
        for number in 0..=spec.variants.len() {
            if let Some(variant) = spec.variant(number) {
                cluster.reconfigure(host, spec.number, &variant);
                for &member in cluster.on_host(host) {
                    all.extend(&cluster.members[member].vips);
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What somebody has to put right by hand is about any configuration; and what another program
    /// has given stays where nobody wants it, until that program takes it back.
    pub(crate) fn suspect_everything(&mut self, host: usize) {
        let members = self.first.on_host(host).iter();
        let wanted: Vec<AddressKey> = members
            .flat_map(|member| self.first.members[*member].vips.clone())
            .collect();
        let given = self.hosts[host].tainted.clone();
        for key in given.into_iter().filter(|key| !wanted.contains(key)) {
            let told = self.hosts[host].kernel.take(key);
            self.tell(host, told);
        }
        let spec = &self.spec.hosts[host];
        let all = (0..=spec.variants.len()).filter_map(|number| spec.variant(number));
        let all: Vec<Arc<Bound>> = all.map(|variant| variant.bound).collect();
        self.hosts[host].unfinished.extend(all);
    }
}
