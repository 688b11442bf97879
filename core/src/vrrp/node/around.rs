//! What a node looks up by name or address instead of passing over all virtual routers. A function
//! of the configuration; a new one changes only the entries of what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::config::bound::{Bound, InstanceConfig};
use crate::ids::InstanceId;

/// Address and prefix length.
pub(super) type Place = (IpAddr, u8);

/// The virtual addresses that nobody here owns: none of them is an address to send adverts from.
/// What is owned is the host's own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Borrowed {
    /// How many lines of the configuration have it.
    counts: BTreeMap<Place, u32>,
}

impl Borrowed {
    /// Those of a whole configuration.
    pub(super) fn of(bound: &Bound) -> Self {
        let mut all = Self::default();
        for config in &bound.instances {
            for place in places(config) {
                all.add(place);
            }
        }
        all
    }

    /// True if it is one of them.
    pub(super) fn contains(&self, place: Place) -> bool {
        self.counts.contains_key(&place)
    }

    /// Other settings of a virtual router, none where it is new or gone. What may have come or gone
    /// with them is added to `touched`.
    pub(super) fn exchange(
        &mut self,
        former: Option<&InstanceConfig>,
        config: Option<&InstanceConfig>,
        touched: &mut BTreeSet<Place>,
    ) {
        for place in config.into_iter().flat_map(places) {
            touched.insert(place);
            self.add(place);
        }
        for place in former.into_iter().flat_map(places) {
            touched.insert(place);
            if let Some(count) = self.counts.get_mut(&place) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&place);
                }
            }
        }
    }

    fn add(&mut self, place: Place) {
        *self.counts.entry(place).or_default() += 1;
    }
}

fn places(config: &InstanceConfig) -> impl Iterator<Item = Place> {
    let borrowed = (!config.is_owner()).then(|| config.all_addresses());
    let borrowed = borrowed.into_iter().flatten();
    borrowed.map(|address| (address.addr, address.prefix))
}

/// Who is to look when something happens to the interface of a name.
pub(super) fn watchers_of(bound: &Bound) -> BTreeMap<String, Vec<InstanceId>> {
    let mut watchers: BTreeMap<String, Vec<InstanceId>> = BTreeMap::new();
    for (id, config) in bound.iter() {
        for name in interfaces(config) {
            match watchers.get_mut(name) {
                Some(ids) => ids.push(id),
                None => drop(watchers.insert(name.to_owned(), vec![id])),
            }
        }
    }
    watchers
}

/// The interfaces on which a virtual router has anything to do.
pub(super) fn interfaces(config: &InstanceConfig) -> BTreeSet<&str> {
    let devices = config
        .all_addresses()
        .filter_map(|address| address.dev.as_deref());
    devices.chain([config.interface.as_str()]).collect()
}
