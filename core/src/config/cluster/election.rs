//! Who becomes master, and whether that settles.

use super::super::bound::InstanceConfig;
use super::super::code::Code;
use super::super::diag::quoted;
use super::place::{Findings, Member};
use super::routers::Router;

/// Priorities, states and preemption of one virtual router.
pub(super) fn compare(router: &Router<'_>, findings: &mut Findings) {
    if router.members.len() < 2 {
        return;
    }
    let sorted = router.by_priority();
    priorities(router, &sorted, findings);
    states(router, &sorted, findings);
    preemption(router, &sorted, findings);
    for member in &sorted {
        rival(member, &sorted, findings);
    }
}

/// Equal priorities, and owners.
fn priorities(router: &Router<'_>, sorted: &[Member<'_>], findings: &mut Findings) {
    for pair in sorted.windows(2) {
        let [a, b] = pair else { continue };
        if a.config.priority != b.config.priority {
            continue;
        }
        let name = router.name();
        let node = quoted(a.node.name);
        if a.config.is_owner() {
            let message = format!(
                "this node and {node} both own the addresses of the virtual router {name} (priority \
                 255): neither yields"
            );
            findings
                .error(Code::ClusterOwners, b.place("priority"), message)
                .see(a.place("priority"), "the other owner")
                .help("give 255 to one node at most");
        } else {
            let message = format!(
                "the priority of the virtual router {name} is {} on this node and on {node}: the \
                 higher source address decides, and both may be master for a moment",
                b.config.priority
            );
            findings
                .warning(Code::ClusterPriority, b.place("priority"), message)
                .see(a.place("priority"), "the same here");
        }
    }
}

fn is_tied(member: &Member<'_>, sorted: &[Member<'_>]) -> bool {
    let same = |other: &&Member<'_>| other.config.priority == member.config.priority;
    sorted.iter().filter(same).count() > 1
}

/// `state MASTER` where it does not fit. It says something only until the first adverts.
fn states(router: &Router<'_>, sorted: &[Member<'_>], findings: &mut Findings) {
    let mut masters: Vec<&Member<'_>> = sorted.iter().collect();
    masters.retain(|member| member.config.state_master);
    let Some((best, more)) = masters.split_first() else {
        return;
    };
    let name = router.name();
    for member in more {
        if member.config.is_owner() && best.config.is_owner() {
            continue;
        }
        let message = format!(
            "`state MASTER` of the virtual router {name} stands on this node and on {}: after a \
             common start both are master for a moment",
            quoted(best.node.name)
        );
        findings
            .warning(Code::ClusterMasters, member.place("state"), message)
            .see(best.place("state"), "the other one")
            .suggest("BACKUP");
    }
    let Some(winner) = sorted.first() else { return };
    if more.is_empty() && best.config.priority < winner.config.priority && !is_tied(best, sorted) {
        let message = format!(
            "`state MASTER` stands on this node with priority {}, and the node {} has {}: at each \
             start of this node the addresses come and go",
            best.config.priority,
            quoted(winner.node.name),
            winner.config.priority
        );
        findings
            .warning(Code::ClusterState, best.place("state"), message)
            .see(winner.place("priority"), "this one wins")
            .suggest("BACKUP");
    }
}

fn preemption(router: &Router<'_>, sorted: &[Member<'_>], findings: &mut Findings) {
    let keeps = |member: &&Member<'_>| !member.config.preempt;
    let Some(keeper) = sorted.iter().find(keeps) else {
        return delays(router, sorted, findings);
    };
    for member in sorted
        .iter()
        .filter(|it| it.config.preempt && !it.config.is_owner())
    {
        // The last one never preempts anybody.
        let is_last = sorted.last().map(|last| last.node.name) == Some(member.node.name);
        if is_last && !is_tied(member, sorted) {
            continue;
        }
        let message = format!(
            "`nopreempt` of the virtual router {} stands on the node {} and has no effect here: this \
             node takes the addresses from a living master",
            router.name(),
            quoted(keeper.node.name)
        );
        findings
            .warning(Code::ClusterPreempt, member.place("priority"), message)
            .see(keeper.place("nopreempt"), "it stands here")
            .help("write `state BACKUP` and `nopreempt` on all nodes, or on none");
    }
    delays(router, sorted, findings);
}

/// A delay on the node of the lowest priority.
fn delays(router: &Router<'_>, sorted: &[Member<'_>], findings: &mut Findings) {
    let Some(last) = sorted.last() else { return };
    if last.config.preempt_delay.is_zero() || is_tied(last, sorted) {
        return;
    }
    let message = format!(
        "no node has a lower priority for the virtual router {} than this one, so `preempt_delay` is \
         never waited for",
        router.name()
    );
    findings
        .warning(
            Code::ClusterPreemptDelay,
            last.place("preempt_delay"),
            message,
        )
        .help("write it on the node of higher priority");
}

/// `timer_expired_backup` names the priority of the most important other node.
fn rival(member: &Member<'_>, sorted: &[Member<'_>], findings: &mut Findings) {
    let Some(written) = member.config.timer_expired_backup else {
        return;
    };
    let others = sorted.iter().filter(|it| it.node.name != member.node.name);
    let Some(best) = others.max_by_key(|it| it.config.priority) else {
        return;
    };
    // Without a number it is 254, which suits all.
    let is_default = |config: &InstanceConfig| config.timer_expired_backup == Some(254);
    if written == best.config.priority || is_default(member.config) {
        return;
    }
    let message = format!(
        "`timer_expired_backup` is {written}, and the highest priority of the other nodes is {}",
        best.config.priority
    );
    findings
        .warning(
            Code::ClusterRival,
            member.place("timer_expired_backup"),
            message,
        )
        .see(best.place("priority"), "this one")
        .suggest(best.config.priority.to_string());
}
