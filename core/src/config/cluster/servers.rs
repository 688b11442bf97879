//! Virtual servers of the load balancer.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::code::Code;
use super::super::diag::quoted;
use super::super::lvs::{Service, VirtualServer};
use super::Node;
use super::place::Findings;

/// Every virtual server on every node.
pub(super) fn compare(nodes: &[Node<'_>], findings: &mut Findings) {
    let mut seen: BTreeMap<String, (&Node<'_>, &VirtualServer)> = BTreeMap::new();
    let mut keys: Vec<String> = Vec::new();
    for node in nodes {
        for server in &node.config.lvs.servers {
            let key = key(server);
            let Some((other, first)) = seen.get(&key) else {
                seen.insert(key.clone(), (node, server));
                keys.push(key);
                continue;
            };
            if other.name != node.name {
                differ(&key, (node, server), (other, first), findings);
            }
        }
    }
    for key in keys {
        let Some((node, server)) = seen.get(&key) else {
            continue;
        };
        let without: Vec<String> = nodes
            .iter()
            .filter(|node| {
                !node
                    .config
                    .lvs
                    .servers
                    .iter()
                    .any(|it| self::key(it) == key)
            })
            .map(|node| quoted(node.name))
            .collect();
        if !without.is_empty() {
            let message = format!(
                "the virtual server {key} is not on the node {}: its connections are refused there",
                without.join(", ")
            );
            let at = node.place(server.span);
            findings.error(Code::ClusterServerMissing, at, message);
        }
    }
}

/// What tells virtual servers apart, as a message shows it.
fn key(server: &VirtualServer) -> String {
    let service = match &server.service {
        Service::Address(addr, port) => format!("{addr} {port}"),
        Service::Fwmark(mark) => format!("fwmark {mark}"),
        Service::Group(name) => format!("group {name}"),
    };
    match server.protocol {
        Some(protocol) => format!("{service} {protocol:?}"),
        None => service,
    }
}

fn differ(
    key: &str,
    (node, server): (&Node<'_>, &VirtualServer),
    (other, first): (&Node<'_>, &VirtualServer),
    findings: &mut Findings,
) {
    let mut what = Vec::new();
    let mut add = |differs: bool, word: &'static str| what.extend(differs.then_some(word));
    add(server.scheduling != first.scheduling, "`lb_algo`");
    add(server.forwarding != first.forwarding, "`lb_kind`");
    add(
        server.persistence_timeout != first.persistence_timeout
            || server.persistence_granularity != first.persistence_granularity
            || server.persistence_engine != first.persistence_engine,
        "persistence",
    );
    add(
        server.quorum != first.quorum || server.hysteresis != first.hysteresis,
        "the quorum",
    );
    let sorry = |server: &VirtualServer| server.sorry.as_ref().map(|it| (it.address, it.port));
    add(sorry(server) != sorry(first), "the sorry server");
    if !what.is_empty() {
        let message = format!(
            "{} of the virtual server {key} differ from those on the node {}",
            what.join(", "),
            quoted(other.name)
        );
        findings
            .warning(Code::ClusterServerDiffers, node.place(server.span), message)
            .see(other.place(first.span), "the other one");
    }
    let (own, theirs) = (weights(server), weights(first));
    let mut different: Vec<String> = Vec::new();
    for (real, weight) in &own {
        if theirs.get(real) != Some(weight) {
            different.push(format!("{} {}", real.0, real.1));
        }
    }
    let gone = theirs.keys().filter(|real| !own.contains_key(real));
    different.extend(gone.map(|real| format!("{} {}", real.0, real.1)));
    if !different.is_empty() {
        let message = format!(
            "the real servers of the virtual server {key} differ from those on the node {}: {}",
            quoted(other.name),
            different.join(", ")
        );
        findings
            .error(Code::ClusterRealServers, node.place(server.span), message)
            .see(other.place(first.span), "the other list");
    }
}

/// Real servers and their weights.
fn weights(server: &VirtualServer) -> BTreeMap<(IpAddr, u16), Option<u32>> {
    let servers = server.real_servers.iter();
    servers
        .map(|real| ((real.address, real.port), real.weight.or(server.weight)))
        .collect()
}
