//! How often the situations occurred that a search must have seen to be worth anything.

use std::ops::AddAssign;

/// Counts of occurrences.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// A backup took over from a live master of lower priority.
    pub preemption: u64,
    /// A backup took over within the skew time after priority 0.
    pub priority_zero: u64,
    /// Two masters that could not hear each other, until one heard the other and yielded.
    pub split_heal: u64,
    /// A master yielded to equal priority with a higher address.
    pub tie: u64,
    /// Three adverts of one master in a row did not reach one backup.
    pub three_lost: u64,
    /// A daemon got no processor time for longer than an advert interval.
    pub freeze: u64,
    /// A daemon crashed with a part of one call's actions carried out.
    pub crash_between: u64,
    /// A daemon went on as master where its predecessor ended.
    pub resumed_master: u64,
    /// The same as backup.
    pub resumed_backup: u64,
    /// A daemon did not go on as master, because it was too late or its interface was gone.
    pub resumed_late: u64,
    /// The power of a host failed.
    pub power_loss: u64,
    /// A daemon started over addresses that an earlier one had left.
    pub leftover: u64,
    /// A link went down.
    pub link_down: u64,
    /// The kernel refused an order.
    pub refused: u64,
    /// Another program deleted an address of a master.
    pub taken: u64,
    /// The kernel's monitor socket overran.
    pub overrun: u64,
    /// A daemon was stopped in order.
    pub stopped: u64,
    /// A damaged packet was delivered.
    pub damaged: u64,
    /// A machine found one of its addresses there already.
    pub found: u64,
    /// An interface was deleted.
    pub removed: u64,
    /// An interface was deleted and made again at once.
    pub replaced: u64,
    /// An interface got another name.
    pub renamed: u64,
    /// An interface lost its own addresses.
    pub addresses_lost: u64,
    /// Another configuration came into force.
    pub reloaded: u64,
    /// The same configuration was given again.
    pub reloaded_same: u64,
    /// A parent killed a daemon that did not answer.
    pub hung: u64,
    /// A daemon started after one that ended in the middle of a reload.
    pub reload_cut_short: u64,
    /// A parent waited before it started the next daemon.
    pub pause: u64,
    /// A parent removed addresses itself.
    pub let_go: u64,
}

impl Marks {
    /// The occurrences without which a search proves nothing.
    pub fn required(&self) -> [(&'static str, u64); 7] {
        [
            ("preemption", self.preemption),
            ("priority-0 takeover", self.priority_zero),
            ("split brain and heal", self.split_heal),
            ("tie by address", self.tie),
            ("three adverts lost in a row", self.three_lost),
            ("freeze", self.freeze),
            ("crash between two actions", self.crash_between),
        ]
    }

    /// Further occurrences, for information.
    pub fn further(&self) -> [(&'static str, u64); 22] {
        [
            ("power loss", self.power_loss),
            ("resumed as master", self.resumed_master),
            ("resumed as backup", self.resumed_backup),
            ("resumed too late", self.resumed_late),
            ("start over leftovers", self.leftover),
            ("link down", self.link_down),
            ("refused order", self.refused),
            ("address taken", self.taken),
            ("monitor overrun", self.overrun),
            ("orderly stop", self.stopped),
            ("damaged packet", self.damaged),
            ("address found", self.found),
            ("interface deleted", self.removed),
            ("interface replaced", self.replaced),
            ("interface renamed", self.renamed),
            ("own addresses lost", self.addresses_lost),
            ("reload", self.reloaded),
            ("reload of the same", self.reloaded_same),
            ("hung and killed", self.hung),
            ("reload cut short", self.reload_cut_short),
            ("pause of a parent", self.pause),
            ("let go by a parent", self.let_go),
        ]
    }

    /// The required occurrences that never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        self.required()
            .into_iter()
            .filter(|(_, count)| *count == 0)
            .map(|(name, _)| name)
            .collect()
    }
}

impl AddAssign for Marks {
    fn add_assign(&mut self, other: Self) {
        self.preemption += other.preemption;
        self.priority_zero += other.priority_zero;
        self.split_heal += other.split_heal;
        self.tie += other.tie;
        self.three_lost += other.three_lost;
        self.freeze += other.freeze;
        self.crash_between += other.crash_between;
        self.power_loss += other.power_loss;
        self.resumed_master += other.resumed_master;
        self.resumed_backup += other.resumed_backup;
        self.resumed_late += other.resumed_late;
        self.leftover += other.leftover;
        self.link_down += other.link_down;
        self.refused += other.refused;
        self.taken += other.taken;
        self.overrun += other.overrun;
        self.stopped += other.stopped;
        self.damaged += other.damaged;
        self.found += other.found;
        self.removed += other.removed;
        self.replaced += other.replaced;
        self.renamed += other.renamed;
        self.addresses_lost += other.addresses_lost;
        self.reloaded += other.reloaded;
        self.reloaded_same += other.reloaded_same;
        self.hung += other.hung;
        self.reload_cut_short += other.reload_cut_short;
        self.pause += other.pause;
        self.let_go += other.let_go;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_missing_until_it_was_seen() {
        let mut marks = Marks::default();
        assert_eq!(marks.missing().len(), 7);
        marks += Marks {
            tie: 1,
            freeze: 2,
            ..Marks::default()
        };
        assert_eq!(marks.missing().len(), 5);
        assert!(!marks.missing().contains(&"freeze"));
    }
}
