//! Which blocks of the nodes are one virtual router, and which node lacks one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::bound::{Destination, InstanceConfig};
use super::super::code::Code;
use super::super::diag::quoted;
use super::Node;
use super::place::{Findings, Member};

/// One virtual router on its nodes, at most once on each.
#[derive(Clone, Debug, Default)]
pub(super) struct Router<'a> {
    pub(super) members: Vec<Member<'a>>,
}

impl<'a> Router<'a> {
    /// What messages call it: its name on the first node.
    pub(super) fn name(&self) -> String {
        let first = self.members.first();
        first.map_or_else(String::new, |member| quoted(&member.config.name))
    }

    /// Members by falling priority.
    pub(super) fn by_priority(&self) -> Vec<Member<'a>> {
        let mut members = self.members.clone();
        members.sort_by_key(|member| std::cmp::Reverse(member.config.priority));
        members
    }

    /// How much `config` has in common with it; 0 for too little to be the same.
    fn likeness(&self, config: &InstanceConfig) -> u32 {
        let like = |member: &Member<'_>| {
            let vrid = member.config.vrid == config.vrid;
            let name = member.config.name == config.name;
            let address = shares_address(member.config, config);
            let family = member.config.family == config.family;
            if !(address || vrid && name) {
                return 0;
            }
            u32::from(vrid) * 4 + u32::from(name) * 2 + u32::from(address) * 3 + u32::from(family)
        };
        self.members.iter().map(like).max().unwrap_or(0)
    }
}

fn shares_address(a: &InstanceConfig, b: &InstanceConfig) -> bool {
    let of_a: BTreeSet<IpAddr> = a.all_addresses().map(|it| it.addr).collect();
    b.all_addresses().any(|it| of_a.contains(&it.addr))
}

/// The virtual routers of the cluster, in the order in which the nodes name them.
pub(super) fn find<'a>(nodes: &[Node<'a>]) -> Vec<Router<'a>> {
    let mut routers: Vec<Router<'a>> = Vec::new();
    for node in nodes {
        // Only those of the nodes before: two blocks of one node are two virtual routers.
        let mut free = vec![true; routers.len()];
        for config in &node.bound.instances {
            let written = node.config.instances.iter();
            let member = Member {
                node: *node,
                config,
                written: written.into_iter().find(|it| it.name == config.name),
            };
            let scores = routers.iter().zip(&free).enumerate();
            let scores = scores.filter(|(_, (_, is_free))| **is_free);
            let best = scores
                .map(|(place, (router, _))| (router.likeness(config), place))
                .filter(|(score, _)| *score > 0)
                .max_by_key(|(score, place)| (*score, std::cmp::Reverse(*place)));
            let place = best.map(|(_, place)| place);
            match place.and_then(|place| Some((routers.get_mut(place)?, free.get_mut(place)?))) {
                Some((router, is_free)) => {
                    router.members.push(member);
                    *is_free = false;
                }
                None => routers.push(Router {
                    members: vec![member],
                }),
            }
        }
    }
    routers
}

/// Nodes without the block, unless it was left out for a reason that has been told.
pub(super) fn presence(routers: &[Router<'_>], nodes: &[Node<'_>], findings: &mut Findings) {
    for router in routers {
        let has = |node: &&Node<'_>| router.members.iter().any(|it| it.node.name == node.name);
        let spoilt = |node: &&Node<'_>| {
            let mut written = node.config.instances.iter();
            written.any(|it| router.members.iter().any(|own| own.config.name == it.name))
                && node.bound.instances.len() < node.config.instances.len()
        };
        let lacking: Vec<&str> = nodes
            .iter()
            .filter(|node| !has(node) && !spoilt(node))
            .map(|node| node.name)
            .collect();
        let Some(first) = router.members.first() else {
            continue;
        };
        if lacking.is_empty() || is_stranger(router, routers) {
            continue;
        }
        let name = router.name();
        let at = first.place("");
        if router.members.len() == 1 {
            let message = format!(
                "only the node {} has the virtual router {name}: nobody takes over from it",
                quoted(first.node.name)
            );
            findings.warning(Code::ClusterAlone, at, message);
        } else {
            let shown: Vec<String> = lacking.into_iter().map(quoted).collect();
            let message = format!(
                "the virtual router {name} is not on the node {}",
                shown.join(", ")
            );
            findings.warning(Code::ClusterMissing, at, message);
        }
    }
}

/// True if its number is the matter, which [`numbers`] tells.
fn is_stranger(router: &Router<'_>, routers: &[Router<'_>]) -> bool {
    let mut others = routers.iter().filter(|it| !std::ptr::eq(*it, router));
    others.any(|other| collision(router, other).is_some())
}

/// A number that two virtual routers use on one segment.
pub(super) fn numbers(routers: &[Router<'_>], findings: &mut Findings) {
    for (place, router) in routers.iter().enumerate() {
        for other in routers.iter().skip(place + 1) {
            let Some((a, b)) = collision(router, other) else {
                continue;
            };
            let message = format!(
                "{} uses VRID {} on {}, where {} of the node {} has it: each takes the adverts of \
                 the other for its own",
                quoted(&b.config.name),
                b.config.vrid,
                quoted(&b.config.interface),
                quoted(&a.config.name),
                quoted(a.node.name)
            );
            findings
                .error(
                    Code::ClusterVridTaken,
                    b.place("virtual_router_id"),
                    message,
                )
                .see(a.place("virtual_router_id"), "the other one")
                .help("give one of them another `virtual_router_id`, on all its nodes");
        }
    }
}

/// Members on different nodes, but probably on one segment, that hear each other by mistake.
fn collision<'a, 'r>(
    router: &'r Router<'a>,
    other: &'r Router<'a>,
) -> Option<(&'r Member<'a>, &'r Member<'a>)> {
    let is_group =
        |member: &Member<'_>| matches!(member.config.destination, Destination::Multicast(_));
    let pairs = router
        .members
        .iter()
        .flat_map(|a| other.members.iter().map(move |b| (a, b)));
    let mut pairs = pairs.into_iter();
    pairs.find(|(a, b)| {
        a.node.name != b.node.name
            && a.config.vrid == b.config.vrid
            && a.config.family == b.config.family
            && a.config.interface == b.config.interface
            && a.config.destination == b.config.destination
            && is_group(a)
    })
}
