//! Sync groups: the same members everywhere, and one node that wins all of them.

use std::collections::BTreeSet;

use super::super::code::Code;
use super::super::diag::quoted;
use super::super::sync_group::SyncGroup;
use super::Node;
use super::place::Findings;
use super::routers::Router;

/// The sync groups of all nodes, matched by name.
pub(super) fn compare(nodes: &[Node<'_>], routers: &[Router<'_>], findings: &mut Findings) {
    let mut names: Vec<&str> = Vec::new();
    for group in nodes.iter().flat_map(|node| &node.config.sync_groups) {
        if !names.contains(&group.name.as_str()) {
            names.push(&group.name);
        }
    }
    for name in names {
        let with: Vec<(&Node<'_>, &SyncGroup)> = nodes
            .iter()
            .filter_map(|node| {
                let mut groups = node.config.sync_groups.iter();
                Some((node, groups.find(|group| group.name == name)?))
            })
            .collect();
        presence(name, &with, nodes, findings);
        members(name, &with, findings);
        if let Some((node, group)) = with.first() {
            priorities((node, group), routers, findings);
        }
    }
}

fn presence(
    name: &str,
    with: &[(&Node<'_>, &SyncGroup)],
    nodes: &[Node<'_>],
    findings: &mut Findings,
) {
    let has = |node: &&Node<'_>| with.iter().any(|(other, _)| other.name == node.name);
    let without: Vec<String> = nodes
        .iter()
        .filter(|node| !has(node))
        .map(|node| quoted(node.name))
        .collect();
    let Some((node, group)) = with.first() else {
        return;
    };
    if !without.is_empty() {
        let message = format!(
            "the vrrp_sync_group {} is not on the node {}: its members change one by one there",
            quoted(name),
            without.join(", ")
        );
        let at = node.place(group.span);
        findings.warning(Code::ClusterSyncMissing, at, message);
    }
}

fn set(group: &SyncGroup) -> BTreeSet<&str> {
    let names = group.members.names.0.iter();
    names.map(|name| name.value.as_str()).collect()
}

fn members(name: &str, with: &[(&Node<'_>, &SyncGroup)], findings: &mut Findings) {
    let Some(((first_node, first), rest)) = with.split_first() else {
        return;
    };
    for (node, group) in rest {
        let (own, other) = (set(group), set(first));
        let different: Vec<String> = own
            .symmetric_difference(&other)
            .map(|it| quoted(it))
            .collect();
        if different.is_empty() {
            continue;
        }
        let message = format!(
            "the vrrp_sync_group {} has other members than on the node {}: {}",
            quoted(name),
            quoted(first_node.name),
            different.join(", ")
        );
        findings
            .error(Code::ClusterSyncMembers, node.place(group.span), message)
            .see(first_node.place(first.span), "the other group");
    }
}

/// Members that want different nodes as master.
fn priorities(
    (node, group): (&Node<'_>, &SyncGroup),
    routers: &[Router<'_>],
    findings: &mut Findings,
) {
    let members = set(group);
    let mut winners: Vec<(String, &str)> = Vec::new();
    for router in routers {
        let is_member = router
            .members
            .iter()
            .any(|it| it.node.name == node.name && members.contains(it.config.name.as_str()));
        let sorted = router.by_priority();
        let (Some(best), Some(second), true) = (sorted.first(), sorted.get(1), is_member) else {
            continue;
        };
        if best.config.priority > second.config.priority {
            winners.push((router.name(), best.node.name));
        }
    }
    let Some((first, rest)) = winners.split_first() else {
        return;
    };
    if let Some(other) = rest.iter().find(|(_, winner)| *winner != first.1) {
        let message = format!(
            "the members of the vrrp_sync_group {} want different masters: {} the node {}, and {} \
             the node {}",
            quoted(&group.name),
            first.0,
            quoted(first.1),
            other.0,
            quoted(other.1)
        );
        let at = node.place(group.span);
        findings
            .error(Code::ClusterSyncPriority, at, message)
            .help("give all members of a group their highest priority on the same node");
    }
}
