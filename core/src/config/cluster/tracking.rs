//! What the nodes watch for a virtual router, whether it can change who is master, and whose MAC
//! address the master uses.

use std::collections::BTreeMap;

use super::super::code::Code;
use super::super::diag::{Span, quoted};
use super::super::track::Tracks;
use super::place::{Findings, Member};
use super::routers::Router;

/// The range that effective priorities are kept in.
const PRIORITIES: std::ops::RangeInclusive<i32> = 1..=254;

/// Something that is watched, and what it adds or takes.
struct Watched {
    what: String,
    /// 0: a failure is a fault.
    weight: i32,
    span: Span,
}

/// Everything about what is watched for one virtual router.
pub(super) fn compare(router: &Router<'_>, findings: &mut Findings) {
    vmac(router, findings);
    if router.members.len() < 2 {
        return;
    }
    let watched: Vec<Vec<Watched>> = router.members.iter().map(watched_by).collect();
    one_sided(router, &watched, findings);
    for (member, own) in router.members.iter().zip(&watched) {
        weights(router, member, own, findings);
    }
}

fn watched_by(member: &Member<'_>) -> Vec<Watched> {
    let Some(written) = member.written else {
        return Vec::new();
    };
    let config = member.node.config;
    let scripts = config.scripts.iter();
    let scripts =
        scripts.filter_map(|it| Some((it.name.as_str(), it.weight.as_ref()?.value.value)));
    let processes = config.track_processes.iter();
    let processes =
        processes.filter_map(|it| Some((it.name.as_str(), it.weight.as_ref()?.value.value)));
    let none = BTreeMap::new();
    let (scripts, processes) = (scripts.collect(), processes.collect());
    let track = &written.track;
    let kinds: [(&str, &Tracks, &BTreeMap<&str, i16>); 4] = [
        ("interface", &track.interfaces, &none),
        ("script", &track.scripts, &scripts),
        ("process", &track.processes, &processes),
        ("BFD session", &track.bfds, &none),
    ];
    let mut all = Vec::new();
    for (kind, tracks, weights) in kinds {
        for it in &tracks.0 {
            let name = it.name.value.as_str();
            let own = it.weight.as_ref().map(|weight| weight.value);
            let weight = own.or_else(|| weights.get(name).copied()).unwrap_or(0);
            all.push(Watched {
                what: format!("{kind} {}", quoted(name)),
                weight: i32::from(weight),
                span: it
                    .weight
                    .as_ref()
                    .map_or(it.name.span, |weight| weight.span),
            });
        }
    }
    all
}

/// What one node watches and the others do not. Names of interfaces differ between hosts.
fn one_sided(router: &Router<'_>, watched: &[Vec<Watched>], findings: &mut Findings) {
    for (place, (member, own)) in router.members.iter().zip(watched).enumerate() {
        for it in own.iter().filter(|it| !it.what.starts_with("interface")) {
            let others = watched
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != place);
            let shared = others
                .into_iter()
                .any(|(_, all)| all.iter().any(|o| o.what == it.what));
            if shared {
                continue;
            }
            let message = format!(
                "only this node watches the {} for the virtual router {}",
                it.what,
                router.name()
            );
            let at = member.node.place(it.span);
            findings.warning(Code::ClusterTracking, at, message);
        }
    }
}

/// Weights that leave the order of the nodes as it is, whatever becomes of what they watch.
fn weights(router: &Router<'_>, member: &Member<'_>, own: &[Watched], findings: &mut Findings) {
    let weighted: Vec<&Watched> = own.iter().filter(|it| it.weight != 0).collect();
    let (Some(first), false) = (weighted.first(), member.config.is_owner()) else {
        return;
    };
    let base = i32::from(member.config.priority);
    let (least, most) = reach(base, &weighted);
    let others = router
        .members
        .iter()
        .filter(|other| other.node.name != member.node.name);
    let spans: Vec<(i32, i32)> = others
        .map(|other| {
            let theirs = watched_by(other);
            let theirs: Vec<&Watched> = theirs.iter().filter(|it| it.weight != 0).collect();
            reach(i32::from(other.config.priority), &theirs)
        })
        .collect();
    let crosses = spans
        .iter()
        .any(|(low, high)| least <= *high && *low <= most);
    if spans.is_empty() || crosses {
        return;
    }
    let all: Vec<String> = weighted.iter().map(|it| it.weight.to_string()).collect();
    let message = format!(
        "with its weights ({}) the priority of this node for the virtual router {} is {least} to \
         {most}, which crosses that of no other node: they never change who is master",
        all.join(", "),
        router.name()
    );
    let at = member.node.place(first.span);
    let found = findings.warning(Code::ClusterWeight, at, message);
    let others = router
        .members
        .iter()
        .zip(0..)
        .filter(|(it, _)| it.node.name != member.node.name);
    for (other, _) in others {
        found.see(other.place("priority"), "the priority there");
    }
    found.help("make the weight greater than the distance of the priorities");
}

/// The least and the greatest effective priority.
fn reach(base: i32, weighted: &[&Watched]) -> (i32, i32) {
    let down: i32 = weighted.iter().map(|it| it.weight.min(0)).sum();
    let up: i32 = weighted.iter().map(|it| it.weight.max(0)).sum();
    let kept = |priority: i32| priority.clamp(*PRIORITIES.start(), *PRIORITIES.end());
    (kept(base + down), kept(base + up))
}

/// The virtual MAC address on some nodes only.
fn vmac(router: &Router<'_>, findings: &mut Findings) {
    let uses = |member: &&Member<'_>| {
        member
            .written
            .is_some_and(|written| written.vmac.use_vmac.is_some())
    };
    let Some(user) = router.members.iter().find(uses) else {
        return;
    };
    for member in router.members.iter().filter(|member| !uses(member)) {
        let message = format!(
            "the virtual router {} has its virtual MAC address on the node {} and not here: \
             neighbours learn the two changes of mastership in different ways",
            router.name(),
            quoted(user.node.name)
        );
        findings
            .warning(Code::ClusterVmac, member.place(""), message)
            .see(user.place("use_vmac"), "it is used here");
    }
}
