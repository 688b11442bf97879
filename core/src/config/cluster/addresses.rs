//! The addresses of a virtual router on its nodes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::bound::{InstanceConfig, VirtualAddress};
use super::super::code::Code;
use super::super::diag::quoted;
use super::place::{Findings, Member};
use super::routers::Router;
use super::settings;

/// Addresses shown in one message.
const SHOWN: usize = 4;

/// Lists, excluded lists and prefix lengths.
pub(super) fn compare(router: &Router<'_>, findings: &mut Findings) {
    let advertised = |config: &InstanceConfig| set(&config.addresses);
    let excluded = |config: &InstanceConfig| set(&config.excluded);
    let before = "the addresses";
    list(router, Code::ClusterAddresses, before, advertised, findings);
    // What is advertised here and excluded there has been told.
    let all: Vec<&Member<'_>> = router.members.iter().collect();
    let moved = settings::usual(&all, |config| text(&advertised(config))).is_some_and(|usual| {
        all.iter()
            .any(|it| advertised(it.config) != advertised(usual.config))
    });
    if !moved {
        let before = "the excluded addresses";
        list(router, Code::ClusterExcluded, before, excluded, findings);
    }
    prefixes(router, findings);
}

fn set(addresses: &[VirtualAddress]) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = addresses.iter().map(|it| it.addr).collect();
    all.sort_unstable();
    all
}

fn text(addresses: &[IpAddr]) -> String {
    let mut shown: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    if shown.len() > SHOWN {
        let more = shown.len() - SHOWN;
        shown.truncate(SHOWN);
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

fn list(
    router: &Router<'_>,
    code: Code,
    what: &str,
    of: impl Fn(&InstanceConfig) -> Vec<IpAddr> + Copy,
    findings: &mut Findings,
) {
    let all: Vec<&Member<'_>> = router.members.iter().collect();
    let key = |config: &InstanceConfig| {
        let all: Vec<String> = of(config).iter().map(IpAddr::to_string).collect();
        all.join(" ")
    };
    let Some(usual) = settings::usual(&all, key) else {
        return;
    };
    for member in all {
        let (own, other) = (of(member.config), of(usual.config));
        let only_here: Vec<IpAddr> = own
            .iter()
            .copied()
            .filter(|it| !other.contains(it))
            .collect();
        let only_there: Vec<IpAddr> = other
            .iter()
            .copied()
            .filter(|it| !own.contains(it))
            .collect();
        if only_here.is_empty() && only_there.is_empty() {
            continue;
        }
        let node = quoted(usual.node.name);
        let mut differences = Vec::new();
        if !only_here.is_empty() {
            differences.push(format!("{} is only here", text(&only_here)));
        }
        if !only_there.is_empty() {
            differences.push(format!("{} is only on the node {node}", text(&only_there)));
        }
        let message = format!(
            "{what} of the virtual router {} differ: {}",
            router.name(),
            differences.join(", and ")
        );
        let at = match only_here.first() {
            Some(first) => member.place_of_address(*first),
            None => member.place(""),
        };
        let there = only_there.first();
        let there = there.map_or_else(|| usual.place(""), |first| usual.place_of_address(*first));
        findings
            .error(code, at, message)
            .see(there, "the other list")
            .help("write the same addresses on all nodes; an included file keeps them the same");
    }
}

fn prefixes(router: &Router<'_>, findings: &mut Findings) {
    let mut first: BTreeMap<IpAddr, (&Member<'_>, u8)> = BTreeMap::new();
    for member in &router.members {
        for address in member.config.all_addresses() {
            let known = *first
                .entry(address.addr)
                .or_insert((member, address.prefix));
            let (other, prefix) = known;
            if prefix == address.prefix {
                continue;
            }
            let message = format!(
                "{} has the prefix length {} here and {prefix} on the node {}",
                address.addr,
                address.prefix,
                quoted(other.node.name)
            );
            findings
                .warning(
                    Code::ClusterPrefix,
                    member.place_of_address(address.addr),
                    message,
                )
                .see(other.place_of_address(address.addr), "the other length");
        }
    }
}

/// Addresses of two virtual routers on different nodes.
pub(super) fn clashes(routers: &[Router<'_>], findings: &mut Findings) {
    let mut owners: BTreeMap<IpAddr, (usize, &Member<'_>)> = BTreeMap::new();
    for (place, router) in routers.iter().enumerate() {
        for member in &router.members {
            for address in member.config.all_addresses() {
                let (owner, other) = *owners.entry(address.addr).or_insert((place, member));
                let link_local =
                    matches!(address.addr, IpAddr::V6(it) if it.is_unicast_link_local());
                if owner == place || link_local || member.node.name == other.node.name {
                    continue;
                }
                let message = format!(
                    "{} is an address of {} here and of {} on the node {}: two hosts may answer \
                     for it",
                    address.addr,
                    quoted(&member.config.name),
                    quoted(&other.config.name),
                    quoted(other.node.name)
                );
                findings
                    .error(
                        Code::ClusterAddressClash,
                        member.place_of_address(address.addr),
                        message,
                    )
                    .see(other.place_of_address(address.addr), "the other one");
            }
        }
    }
}
