//! What happens to the interfaces of a host besides going down: they are replaced, renamed,
//! described again, and lose their own addresses.

use relevo_core::ids::{Errno, Family};

use crate::faults::LinkChange;
use crate::kernel::Told;
use crate::spec;
use crate::world::World;

/// What an interface is called while it is renamed.
const OTHER_NAME: &str = "lan9";

impl World {
    /// Carries a change of the interface on `segment` out.
    pub(crate) fn change_link(&mut self, host: usize, segment: usize, change: LinkChange) {
        match change {
            LinkChange::Replace => {
                self.set_interface(host, segment, false);
                self.set_interface(host, segment, true);
                self.checker.marks.replaced += 1;
            }
            LinkChange::Rename | LinkChange::RenameBack => {
                let back = change == LinkChange::RenameBack;
                self.rename(host, segment, back);
            }
            LinkChange::Lose => self.lose_addresses(host, segment),
            LinkChange::Regain => self.regain_addresses(host, segment),
            LinkChange::Retell => {
                let told = self.hosts[host].kernel.describe(spec::ifindex(segment));
                self.tell(host, told);
            }
        }
    }

    fn rename(&mut self, host: usize, segment: usize, back: bool) {
        let own = spec::interface(segment);
        let name = if back { &own } else { OTHER_NAME };
        let kernel = &mut self.hosts[host].kernel;
        let told = kernel.rename(spec::ifindex(segment), name);
        if told.is_some() && !back {
            self.checker.marks.renamed += 1;
            // Whoever is told late opens its socket in vain.
            self.hosts[host].given.insert(Errno::ENODEV);
        }
        self.tell(host, told);
    }

    fn lose_addresses(&mut self, host: usize, segment: usize) {
        let before = self.virtual_addresses(host);
        let mut told = Vec::new();
        for key in self.spec.hosts[host].addresses(self.spec.segments.len()) {
            if key.ifindex == spec::ifindex(segment) {
                told.extend(self.hosts[host].kernel.take_primary(key));
            }
        }
        if !told.is_empty() {
            self.checker.marks.addresses_lost += 1;
        }
        for key in before {
            self.timeline_held(host, key);
        }
        self.tell(host, told);
    }

    /// The interface has its own addresses again, as far as it can have any.
    pub(crate) fn regain_addresses(&mut self, host: usize, segment: usize) {
        let ifindex = spec::ifindex(segment);
        let mut told: Vec<Told> = Vec::new();
        for key in self.spec.hosts[host].addresses(self.spec.segments.len()) {
            let kernel = &mut self.hosts[host].kernel;
            let possible = Family::of(key.addr) == Family::V4 || kernel.is_admin_up(ifindex);
            if key.ifindex == ifindex && possible {
                told.extend(kernel.give(key));
            }
        }
        self.tell(host, told);
    }
}
