//! What the node shows of itself. Nothing here changes it but the clearing of counters.

use std::sync::Arc;

use super::VrrpNode;
use crate::config::bound::Bound;
use crate::ids::InstanceId;
use crate::kernel::links::Links;
use crate::status::{HeldAddress, InstanceView};
use crate::time::Instant;
use crate::vrrp::addresses::key_of;
use crate::vrrp::event::VrrpTimer;
use crate::vrrp::instance::{PreemptDelay, State};

impl VrrpNode {
    /// The configuration in force, shared.
    pub(crate) fn shared_bound(&self) -> &Arc<Bound> {
        &self.bound
    }

    /// Before this moment nothing is heard and nothing is taken over.
    pub(crate) fn starts_at(&self) -> Instant {
        self.starts_at
    }

    /// What is known of interfaces and of the addresses on them.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// When the next announcements may go out of the interface of this name: gratuitous ARP, then
    /// neighbour advertisements.
    pub(crate) fn next_announcements(&self, name: &str) -> (Option<Instant>, Option<Instant>) {
        self.announcements.next_of(name)
    }

    /// Everything that is told of one virtual router.
    pub(crate) fn view(&self, id: InstanceId) -> Option<InstanceView> {
        let instance = self.instances.get(id.0 as usize)?;
        let config = self.bound.instance(id);
        let deadline = match &instance.state {
            State::Master(_) => self.timers.get(VrrpTimer::Advert(id)),
            State::Backup(_) => self.timers.get(VrrpTimer::MasterDown(id)),
            State::Init | State::Fault => None,
        };
        let mut released_by = None;
        let mut tolerates_until = None;
        if let State::Backup(backup) = &instance.state {
            released_by = backup.released_by;
            if backup.preempt == PreemptDelay::Running {
                tolerates_until = self.timers.get(VrrpTimer::PreemptDelay(id));
            }
        }
        // A successor knows when, and not why.
        let resumed = !matches!(instance.state, State::Init);
        let transition = match instance.past.transition {
            Some((since, cause)) => Some((since, Some(cause))),
            None => resumed.then_some((instance.since, None)),
        };
        Some(InstanceView {
            state: instance.state_name(),
            transition,
            priority: instance.priority,
            ifindex: instance.ifindex,
            source: instance.source,
            socket: instance.socket,
            descriptor: None,
            master: instance.heard_master(),
            master_priority: instance.past.master_priority,
            released_by,
            master_interval: instance.master_interval,
            down_interval: instance.past.down_interval,
            whole_down_interval: instance.master_down_interval(config),
            deadline,
            old_checksum: instance.old_checksum,
            tolerates_until,
            retries_at: self.timers.get(VrrpTimer::Reopen(id)),
            conditions: instance.conditions.iter().collect(),
            addresses: Vec::new(),
            stats: instance.stats.clone(),
        })
    }

    /// Whether the kernel has the addresses of a virtual router, for at most `count` of them from
    /// the one numbered `first` on, in the order of the configuration.
    pub(crate) fn view_addresses(
        &self,
        id: InstanceId,
        first: usize,
        count: usize,
        into: &mut Vec<HeldAddress>,
    ) {
        let Some(instance) = self.instances.get(id.0 as usize) else {
            return;
        };
        let wanted = matches!(instance.state, State::Master(_));
        let ledger = &self.addresses.ledger;
        let all = self.bound.instance(id).all_addresses();
        for address in all.skip(first).take(count) {
            let ifindex = match address.dev.as_deref() {
                None => instance.ifindex,
                Some(dev) => self.links.named(dev).map(|(ifindex, _)| ifindex),
            };
            let key = ifindex.map(|ifindex| key_of(address, ifindex));
            into.push(match key.filter(|key| ledger.has(*key)) {
                Some(_) if wanted => HeldAddress::Held,
                Some(key) if ledger.is_ours(key) => HeldAddress::Ours,
                Some(_) => HeldAddress::Foreign,
                None if wanted => HeldAddress::Missing,
                None => HeldAddress::Absent,
            });
        }
    }

    pub(super) fn clear_stats(&mut self, first: InstanceId, count: u32) {
        let from = (first.0 as usize).min(self.instances.len());
        let cleared = self.instances[from..].iter_mut().take(count as usize);
        for instance in cleared {
            instance.stats.clear();
        }
    }
}
