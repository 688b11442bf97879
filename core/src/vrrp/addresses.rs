//! The virtual addresses of all instances towards the kernel: who holds which, and the ledger.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::config::bound::VirtualAddress;
use crate::ids::{IfIndex, InstanceId};
use crate::kernel::ledger::{Ledger, Step};
use crate::kernel::{AddressAttrs, AddressKey, KernelOp};
use crate::machine::Out;
use crate::vrrp::event::VrrpAction;
use crate::vrrp::note::Note;
use crate::vrrp::plan::Matching;

type Holders = SmallVec<[InstanceId; 1]>;

/// The ledger of addresses, with the instances behind each wish: two may hold the same address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) ledger: Ledger<AddressKey, AddressAttrs>,
    holders: BTreeMap<AddressKey, Holders>,
    /// What a former run left behind, and whose it would be; told when it is removed.
    leftovers: BTreeMap<AddressKey, Option<InstanceId>>,
}

impl Addresses {
    /// `id` wants `address` on `ifindex`.
    pub(crate) fn hold(&mut self, id: InstanceId, ifindex: IfIndex, address: &VirtualAddress) {
        let key = key_of(address, ifindex);
        let holders = self.holders.entry(key).or_default();
        if !holders.contains(&id) {
            holders.push(id);
        }
        self.ledger.want(key, attrs_of(address));
    }

    /// `id` wants `key` no longer; it stays while another instance holds it.
    pub(crate) fn release(&mut self, id: InstanceId, key: AddressKey) {
        let Some(holders) = self.holders.get_mut(&key) else {
            return;
        };
        holders.retain(|holder| *holder != id);
        if holders.is_empty() {
            self.holders.remove(&key);
            self.ledger.unwant(key);
        }
    }

    /// `id` wants `address` on `ifindex`, where a predecessor of ours had put it: if the kernel has
    /// it, there is nothing to do. True if it has.
    pub(crate) fn hold_on(
        &mut self,
        id: InstanceId,
        ifindex: IfIndex,
        address: &VirtualAddress,
        ours: bool,
    ) -> bool {
        let key = key_of(address, ifindex);
        if !self.ledger.keep(key, attrs_of(address), ours) {
            self.hold(id, ifindex, address);
            return false;
        }
        let holders = self.holders.entry(key).or_default();
        if !holders.contains(&id) {
            holders.push(id);
        }
        true
    }

    /// The same for an address that goes even if somebody else had put it there.
    pub(crate) fn release_for_good(&mut self, id: InstanceId, key: AddressKey) {
        self.ledger.adopt(key);
        self.release(id, key);
    }

    /// `id` holds `address` already, and its settings may have changed: true if the kernel's row has
    /// to be made anew.
    pub(crate) fn refresh(&mut self, key: AddressKey, address: &VirtualAddress) -> bool {
        let attrs = attrs_of(address);
        let differs = self.ledger.wish(key).is_some_and(|wish| *wish != attrs);
        if differs {
            self.ledger.renew(key, attrs);
        }
        differs
    }

    /// `id` holds `key` no longer, which stays for now: see [`unwant_unheld`](Self::unwant_unheld).
    pub(crate) fn drop_holder(&mut self, id: InstanceId, key: AddressKey) {
        if let Some(holders) = self.holders.get_mut(&key) {
            holders.retain(|holder| *holder != id);
            if holders.is_empty() {
                self.holders.remove(&key);
            }
        }
    }

    /// Wants `key` no longer, unless somebody has come to hold it meanwhile.
    pub(crate) fn unwant_unheld(&mut self, key: AddressKey) {
        if !self.is_held(key) {
            self.ledger.unwant(key);
        }
    }

    /// The virtual routers have other numbers now.
    pub(crate) fn renumber(&mut self, matching: &Matching) {
        let renumbered = |id: InstanceId| matching.successor(id);
        for holders in self.holders.values_mut() {
            let ids: Holders = holders.iter().filter_map(|id| renumbered(*id)).collect();
            *holders = ids;
        }
        self.holders.retain(|_, holders| !holders.is_empty());
        self.leftovers = std::mem::take(&mut self.leftovers)
            .into_iter()
            .map(|(key, id)| (key, id.and_then(renumbered)))
            .collect();
    }

    /// A former run left `key` behind: it is to be removed.
    pub(crate) fn remove_leftover(&mut self, id: Option<InstanceId>, key: AddressKey) {
        self.ledger.remove_leftover(key);
        self.leftovers.insert(key, id);
    }

    /// True if an instance holds `key`.
    pub(crate) fn is_held(&self, key: AddressKey) -> bool {
        self.holders.contains_key(&key)
    }

    /// The instances that hold `key`.
    pub(crate) fn holders(&self, key: AddressKey) -> Holders {
        self.holders.get(&key).cloned().unwrap_or_default()
    }

    /// Asks for at most `budget` changes; `there` collects what needs no change. Returns how much
    /// of the budget was used.
    pub(crate) fn plan(
        &mut self,
        budget: usize,
        out: &mut Out<VrrpAction>,
        there: &mut Vec<AddressKey>,
    ) -> usize {
        let leftovers = &mut self.leftovers;
        self.ledger.plan(budget, |step| match step {
            Step::Add { op, key, value } => {
                let change = KernelOp::AddAddress {
                    key,
                    attrs: value.clone(),
                };
                out.push(VrrpAction::Kernel { op, change });
            }
            Step::Delete { op, key } => {
                if let Some(instance) = leftovers.remove(&key) {
                    out.push(VrrpAction::Note(Note::Leftover { instance, key }));
                }
                out.push(VrrpAction::Kernel {
                    op,
                    change: KernelOp::DelAddress { key },
                });
            }
            Step::There(key) => there.push(key),
        })
    }
}

/// What identifies `address` once it is known which interface it goes on.
pub(crate) fn key_of(address: &VirtualAddress, ifindex: IfIndex) -> AddressKey {
    AddressKey {
        ifindex,
        addr: address.addr,
        prefix: address.prefix,
    }
}

fn attrs_of(address: &VirtualAddress) -> AddressAttrs {
    AddressAttrs {
        scope: address.scope,
        broadcast: address.broadcast,
        label: address.label.clone(),
        nodad: address.nodad,
        deprecated: address.deprecated,
        no_prefix_route: address.no_prefix_route,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Errno, OpId};

    #[test]
    fn an_address_of_others_stays_unless_it_goes_for_good() {
        for for_good in [false, true] {
            let (id, mut addresses) = (InstanceId(0), Addresses::default());
            let address = VirtualAddress::new([10, 0, 0, 9].into(), 24);
            let key = key_of(&address, IfIndex(2));
            let (mut out, mut there) = (Out::new(), Vec::new());
            addresses.hold(id, IfIndex(2), &address);
            assert_eq!(addresses.plan(1, &mut out, &mut there), 1);
            addresses.ledger.done(OpId(1), Err(Errno::EEXIST));
            out.clear();
            if for_good {
                addresses.release_for_good(id, key);
            } else {
                addresses.release(id, key);
            }
            addresses.plan(1, &mut out, &mut there);
            let removed = VrrpAction::Kernel {
                op: OpId(2),
                change: KernelOp::DelAddress { key },
            };
            let expected = if for_good { &[removed][..] } else { &[] };
            assert_eq!(out.actions(), expected);
        }
    }
}
