//! Unicast: who sends to whom, from where.

use std::net::IpAddr;

use super::super::bound::Destination;
use super::super::code::Code;
use super::super::diag::quoted;
use super::place::{Findings, Member};
use super::routers::Router;

/// Peers and sources of one virtual router.
pub(super) fn compare(router: &Router<'_>, findings: &mut Findings) {
    sources(router, findings);
    for member in &router.members {
        for peer in peers(member) {
            look(router, member, *peer, findings);
        }
    }
}

fn peers<'m>(member: &'m Member<'_>) -> &'m [IpAddr] {
    match &member.config.destination {
        Destination::Unicast(peers) => peers,
        Destination::Multicast(_) => &[],
    }
}

/// The source of each node: written, one's own, and none of the virtual addresses.
fn sources(router: &Router<'_>, findings: &mut Findings) {
    let name = router.name();
    for (place, member) in router.members.iter().enumerate() {
        let Some(source) = member.config.source else {
            if !peers(member).is_empty() {
                let message = format!(
                    "the virtual router {name} has no `unicast_src_ip` here: which of the \
                     interface's addresses its peers see is not certain"
                );
                findings
                    .warning(
                        Code::ClusterSourceMissing,
                        member.place("unicast_peer"),
                        message,
                    )
                    .help("write `unicast_src_ip` with the address that the other nodes list");
            }
            continue;
        };
        let before = router.members.iter().take(place);
        let same = before
            .into_iter()
            .find(|other| other.config.source == Some(source));
        if let Some(other) = same {
            let message = format!(
                "the source address {source} is that of the node {} too: packets from oneself are \
                 discarded, and both become master",
                quoted(other.node.name)
            );
            findings
                .error(
                    Code::ClusterSourceTwice,
                    member.place("unicast_src_ip"),
                    message,
                )
                .see(other.place("unicast_src_ip"), "the same here");
        }
        if router
            .members
            .iter()
            .any(|other| other.config.holds(source))
        {
            let message = format!(
                "the source address {source} is one of the virtual addresses: it moves with the \
                 mastership, and a backup cannot send from it"
            );
            findings
                .error(
                    Code::ClusterSourceVirtual,
                    member.place("unicast_src_ip"),
                    message,
                )
                .help("write the node's own fixed address");
        }
    }
}

/// One peer of one node.
fn look(router: &Router<'_>, member: &Member<'_>, peer: IpAddr, findings: &mut Findings) {
    let at = member.place_of_peer(peer);
    if member.config.source == Some(peer) {
        let message = format!("{peer} is this node's own address, and no peer of it");
        findings
            .warning(Code::ClusterPeerSelf, at, message)
            .see(member.place("unicast_src_ip"), "its own address")
            .help("list the other nodes only");
        return;
    }
    if router.members.iter().any(|other| other.config.holds(peer)) {
        let message = format!(
            "the peer {peer} is one of the virtual addresses: it moves with the mastership"
        );
        findings
            .error(Code::ClusterSourceVirtual, at, message)
            .help("write the other node's own fixed address");
        return;
    }
    let owner = router
        .members
        .iter()
        .find(|other| other.config.source == Some(peer));
    let Some(other) = owner else {
        unknown(router, member, peer, findings);
        return;
    };
    let lists = |addr: IpAddr| peers(other).contains(&addr);
    if let Some(source) = member.config.source
        && !peers(other).is_empty()
        && !lists(source)
    {
        let message = format!(
            "the node {} is a peer of this one, and does not list {source} as its own peer: it never \
             hears of it and becomes a second master",
            quoted(other.node.name)
        );
        findings
            .error(Code::ClusterPeerMissing, at, message)
            .see(
                other.place("unicast_peer"),
                format!("{source} is missing here"),
            )
            .help(format!(
                "add {source} to the list of the node {}",
                other.node.name
            ));
        return;
    }
    hops(member, other, findings);
}

/// A peer that no node sends from, unless a node does not say where it sends from.
fn unknown(router: &Router<'_>, member: &Member<'_>, peer: IpAddr, findings: &mut Findings) {
    let others = router
        .members
        .iter()
        .filter(|it| it.node.name != member.node.name);
    let silent = others.filter(|it| it.config.source.is_none()).count();
    if silent > 0 {
        return;
    }
    let message = format!("the peer {peer} is the source address of none of the nodes given");
    findings
        .warning(
            Code::ClusterPeerUnknown,
            member.place_of_peer(peer),
            message,
        )
        .help("correct it, remove it, or check with the file of that node too");
}

/// Whether `other` accepts the hop count of what `member` sends.
fn hops(member: &Member<'_>, other: &Member<'_>, findings: &mut Findings) {
    let Some(source) = member.config.source else {
        return;
    };
    let hops = member.config.hop_limit;
    let mut limits = other.config.peer_ttl.iter();
    let Some(limit) = limits.find(|limit| limit.addr == source) else {
        return;
    };
    // Routers on the way only take away from it.
    if hops >= limit.min && limit.max > 0 {
        return;
    }
    let message = format!(
        "adverts leave with a hop count of {hops}, and the node {} accepts {} to {}",
        quoted(other.node.name),
        limit.min,
        limit.max
    );
    findings
        .error(Code::ClusterTtl, member.place("unicast_ttl"), message)
        .see(other.place_of_peer(source), "accepted here");
}
