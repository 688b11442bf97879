//! What a daemon that is gone has left in the kernel, for whoever removes it without going on as one.

use std::collections::BTreeSet;

use crate::config::bound::Bound;
use crate::kernel::links::{Links, Readiness};
use crate::kernel::{AddressKey, KernelEvent, ROUTE_PROTOCOL};
use crate::vrrp::StateName;
use crate::vrrp::addresses::key_of;
use crate::vrrp::snapshot::{Identity, Records};

/// Of what a kernel has, what is left of a daemon.
#[derive(Clone, Debug, Default)]
pub struct Leftovers {
    links: Links,
}

impl Leftovers {
    /// Takes in a row of the kernel's tables, or news.
    pub fn observe(&mut self, event: &KernelEvent<'_>) {
        match event {
            KernelEvent::DumpStart => self.links.on_dump_start(),
            KernelEvent::DumpEnd => drop(self.links.on_dump_end()),
            KernelEvent::Link(link) => drop(self.links.on_link(link)),
            KernelEvent::LinkGone { ifindex } => drop(self.links.on_link_gone(*ifindex)),
            KernelEvent::Address {
                key,
                secondary,
                protocol,
                ..
            } => self
                .links
                .on_address(*key, Readiness::Usable, *secondary, *protocol),
            KernelEvent::AddressGone { key } => self.links.on_address_gone(*key),
        }
    }

    /// The addresses that are there, carry our mark and are configured or stand in a record; and those
    /// that the last record says a master held, on kernels that keep no marks. An owner's that is not
    /// marked is the host's own. As a start would remove them, but without one.
    pub fn of(&self, bound: &Bound, records: &Records) -> BTreeSet<AddressKey> {
        let is_master = |state| state == StateName::Master;
        let masters = records.kept.iter();
        let masters = masters.filter(|(_, record)| is_master(record.state));
        let masters: BTreeSet<Identity> = masters
            .map(|(_, record)| record.identity.nameless())
            .collect();
        let mut left = BTreeSet::new();
        let mut configured = BTreeSet::new();
        for (_, config) in bound.iter() {
            let held = !config.is_owner() && masters.contains(&Identity::of(config).nameless());
            for address in config.all_addresses() {
                configured.insert((address.addr, address.prefix));
                let name = address.dev.as_ref().unwrap_or(&config.interface);
                if let Some((ifindex, _)) = self.links.named(name)
                    && held
                {
                    left.insert(key_of(address, ifindex));
                }
            }
        }
        left.retain(|key| self.links.address_protocol(*key).is_some());
        // Wherever they stand: an interface may have another name by now.
        let remembered = |key: &AddressKey| {
            let mut records = records.kept.iter();
            records.any(|(_, record)| record.filter.may_have(key.addr, key.prefix))
        };
        let marked = self.links.marked(ROUTE_PROTOCOL).into_iter();
        left.extend(
            marked.filter(|key| configured.contains(&(key.addr, key.prefix)) || remembered(key)),
        );
        left
    }
}

#[cfg(test)]
#[path = "leftovers_tests.rs"]
mod tests;
