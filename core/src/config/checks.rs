//! Checks of several instances against each other.

use super::code::Code;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::bound::{Destination, InstanceConfig};
use super::diag::{Sink, quoted};
use super::vrrp_instance::Instance;
use crate::ids::Family;

/// What tells the adverts of one instance from those of another on the same interface.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Space {
    /// Adverts to this group.
    Group(IpAddr),
    /// Adverts to peers, from this address or from the interface's own.
    Peers(Option<IpAddr>),
}

/// Two instances with one VRID in one place would take each other's adverts for their own.
///
/// `written` are the blocks that `instances` come from, in the same order.
pub(super) fn same_vrid(instances: &[InstanceConfig], written: &[&Instance], sink: &mut Sink) {
    let mut seen: BTreeMap<(&str, Family, u8, Space), &str> = BTreeMap::new();
    for (config, instance) in instances.iter().zip(written) {
        let space = match &config.destination {
            Destination::Multicast(group) => Space::Group(*group),
            Destination::Unicast(_) => Space::Peers(config.source),
        };
        let key = (config.interface.as_str(), config.family, config.vrid, space);
        match seen.get(&key) {
            None => {
                seen.insert(key, &config.name);
            }
            Some(first) => {
                let span = instance
                    .vrid
                    .as_ref()
                    .map_or(instance.span, |vrid| vrid.span);
                let message = format!(
                    "the instances {} and {} both use VRID {} with {} on {}",
                    quoted(first),
                    quoted(&config.name),
                    config.vrid,
                    config.family,
                    quoted(&config.interface)
                );
                sink.fatal(span, message)
                    .code(Code::SameVrid)
                    .help("give one of them another `virtual_router_id`, on all its routers");
            }
        }
    }
}
