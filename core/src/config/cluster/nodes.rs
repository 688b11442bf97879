//! The nodes as wholes.

use std::collections::BTreeMap;

use super::super::code::Code;
use super::super::diag::{Span, quoted};
use super::Node;
use super::place::Findings;

/// Names, and files that say the same; true if there are such.
pub(super) fn same_node(nodes: &[Node<'_>], findings: &mut Findings) -> bool {
    let mut copies = false;
    for (place, node) in nodes.iter().enumerate() {
        let before = nodes.iter().take(place);
        let same = before.into_iter().find_map(|other| {
            if other.name == node.name {
                Some(format!("two nodes are called {}", quoted(node.name)))
            } else if other.bound == node.bound && !node.bound.instances.is_empty() {
                Some(format!(
                    "the nodes {} and {} have the same configuration to the letter: priorities and \
                     addresses of nodes differ",
                    quoted(other.name),
                    quoted(node.name)
                ))
            } else {
                None
            }
        });
        if let Some(message) = same {
            let first = node.config.instances.first().map(|it| it.span);
            let at = node.place(first.unwrap_or_default());
            findings.warning(Code::ClusterNodeTwice, at, message);
            copies = true;
        }
    }
    copies
}

/// Settings of `global_defs`.
pub(super) fn globals(nodes: &[Node<'_>], findings: &mut Findings) {
    let mut ids: BTreeMap<&str, &Node<'_>> = BTreeMap::new();
    for node in nodes {
        let Some(id) = &node.config.global.router_id else {
            continue;
        };
        match ids.get(id.as_str()) {
            None => _ = ids.insert(id, node),
            Some(other) => {
                let message = format!(
                    "the `router_id` {} is that of the node {} too: mails and traps do not show which \
                     of them speaks",
                    quoted(id),
                    quoted(other.name)
                );
                findings
                    .warning(Code::ClusterRouterId, node.place(Span::default()), message)
                    .help("remove it: the name of the host is used");
            }
        }
    }
    let Some((first, rest)) = nodes.split_first() else {
        return;
    };
    let delays = |node: &Node<'_>| {
        let global = &node.config.global;
        (global.startup_delay, global.delay_after_boot)
    };
    for node in rest {
        if delays(node) != delays(first) {
            let message = format!(
                "this node waits for another time after its start than {}: after a common start the \
                 addresses move once more",
                quoted(first.name)
            );
            findings.warning(
                Code::ClusterStartupDelay,
                node.place(Span::default()),
                message,
            );
        }
    }
}
