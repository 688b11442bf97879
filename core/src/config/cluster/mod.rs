//! The configurations of all nodes of a cluster, read together and compared.
//!
//! One file alone may be right and still make two masters beside the others: a VRID, a password, an
//! interval, a peer that differs. Each rule here looks at one such matter and has a code of its own.
//! What makes two masters, or loses addresses, is an error; the rest are warnings. Nothing is asked of
//! any host.

mod addresses;
mod election;
mod groups;
mod nodes;
mod peers;
mod place;
mod routers;
mod servers;
mod settings;
#[cfg(test)]
mod tests;
mod tracking;

use super::Config;
use super::bound::Bound;
use super::diag::Diagnostic;
use place::Findings;

/// One node: its name in messages, and its configuration as written and as bound.
#[derive(Copy, Clone, Debug)]
pub struct Node<'a> {
    /// Its name.
    pub name: &'a str,
    /// As written.
    pub config: &'a Config,
    /// As its daemon would use it.
    pub bound: &'a Bound,
}

/// What is wrong between the nodes; nothing for fewer than two.
///
/// The findings come in the order of the nodes' files, and in each in the order of the text.
pub fn compare(nodes: &[Node<'_>]) -> Vec<Diagnostic> {
    if nodes.len() < 2 {
        return Vec::new();
    }
    let mut findings = Findings::default();
    let copies = nodes::same_node(nodes, &mut findings);
    nodes::globals(nodes, &mut findings);
    let all = routers::find(nodes);
    routers::presence(&all, nodes, &mut findings);
    routers::numbers(&all, &mut findings);
    for router in &all {
        settings::compare(router, &mut findings);
        addresses::compare(router, &mut findings);
        // Of a copy the priorities are no mistake of their own.
        if !copies {
            election::compare(router, &mut findings);
        }
        peers::compare(router, &mut findings);
        tracking::compare(router, &mut findings);
    }
    addresses::clashes(&all, &mut findings);
    groups::compare(nodes, &all, &mut findings);
    servers::compare(nodes, &mut findings);
    findings.in_order(nodes)
}
