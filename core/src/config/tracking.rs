//! Checks of what is tracked, of groups, and of names that one block has from another.
//!
//! As in the original most of what is wrong here is left out with a message. Its blocks know only
//! names that stand before them; so it is here, and the message says what to move.

use std::collections::{BTreeMap, BTreeSet};

use super::Config;
use super::bind::Interfaces;
use super::code::Code;
use super::diag::{Class, Severity, Sink, Span, Spanned, quoted};
use super::sync_group::SyncGroup;
use super::track::{TrackWords, Tracks};
use super::vrrp_instance::Instance;

/// All passes over `config`; `interfaces` are those of the host.
pub(super) fn check(config: &Config, interfaces: &Interfaces<'_>, sink: &mut Sink) {
    let names = Names::of(config);
    for instance in &config.instances {
        tracked_names(&instance.track, &names, sink);
        own_interface(instance, sink);
        own_devices(instance, sink);
    }
    let instances: BTreeSet<&str> = config.instances.iter().map(|it| it.name.as_str()).collect();
    let groups = member_groups(config, &instances, sink);
    for group in &config.sync_groups {
        tracked_names(&group.track, &names, sink);
    }
    for instance in &config.instances {
        if let Some(group) = groups.get(instance.name.as_str()) {
            tracked_twice(instance, group, sink);
            weights_in_group(instance, group, &names, sink);
        }
    }
    for group in &config.track_groups {
        for member in group.members.iter() {
            known_instance(&instances, member, "track_group", sink);
        }
    }
    if !config.global.dynamic_interfaces {
        tracked_interfaces(config, interfaces, sink);
        watched_interfaces(config, interfaces, sink);
    }
}

/// Where the names of one kind of block stand, and whether the block has a weight.
type Known<'c> = BTreeMap<&'c str, (Span, bool)>;

/// What may be tracked by name.
struct Names<'c> {
    scripts: Known<'c>,
    files: Known<'c>,
    processes: Known<'c>,
    bfds: Known<'c>,
}

impl<'c> Names<'c> {
    fn of(config: &'c Config) -> Self {
        let weighs = |weight: &Option<Spanned<super::Weight>>, default: bool| {
            weight.as_ref().map_or(default, |it| it.value.value != 0)
        };
        let scripts = config.scripts.iter();
        let files = config.track_files.iter();
        let processes = config.track_processes.iter();
        let bfds = config.bfds.iter();
        Self {
            scripts: scripts
                .map(|it| (it.name.as_str(), (it.span, weighs(&it.weight, false))))
                .collect(),
            files: files
                .map(|it| {
                    let weighs = weighs(&it.weight, true);
                    (it.name.value.as_str(), (it.name.span, weighs))
                })
                .collect(),
            processes: processes
                .map(|it| (it.name.as_str(), (it.span, weighs(&it.weight, false))))
                .collect(),
            bfds: bfds
                .map(|it| (it.name.as_str(), (it.span, weighs(&it.weight, false))))
                .collect(),
        }
    }

    /// Each list of `track` but the interfaces, with the names for it and the keyword of their blocks.
    fn lists<'t>(&self, track: &'t TrackWords) -> [(&'t Tracks, &Known<'c>, &'static str); 4] {
        [
            (&track.scripts, &self.scripts, "vrrp_script"),
            (&track.files, &self.files, "track_file"),
            (&track.processes, &self.processes, "vrrp_track_process"),
            (&track.bfds, &self.bfds, "bfd_instance"),
        ]
    }
}

/// Names that no block before them has.
fn tracked_names(track: &TrackWords, names: &Names<'_>, sink: &mut Sink) {
    for (tracks, known, keyword) in names.lists(track) {
        for tracked in &tracks.0 {
            let name = &tracked.name;
            let shown = quoted(&name.value);
            match known.get(name.value.as_str()) {
                Some((at, _)) if at.file == name.span.file && at.start > name.span.start => {
                    let message = format!(
                        "the {keyword} {shown} stands behind this, on line {}: as in keepalived \
                         nothing is tracked here",
                        at.line
                    );
                    sink.error(name.span, message)
                        .code(Code::UnknownName)
                        .help("move its block before this one");
                }
                Some(_) => {}
                None => {
                    let message = format!("there is no {keyword} {shown}; nothing is tracked here");
                    let is_full = sink.is_full();
                    let candidates = known.keys().copied().filter(|_| !is_full);
                    let near = super::keywords::nearest(candidates, &name.value);
                    let report = sink.error(name.span, message).code(Code::UnknownName);
                    report.help(format!("write a `{keyword}` of this name before it"));
                    if let Some(near) = near {
                        report.help(format!("did you mean `{near}`?")).suggest(near);
                    }
                }
            }
        }
    }
}

/// The interface of an instance counts anyway.
fn own_interface(instance: &Instance, sink: &mut Sink) {
    let Some(own) = &instance.interface else {
        return;
    };
    let tracked = instance.track.interfaces.0.iter();
    for tracked in tracked.filter(|it| it.name.value == own.value) {
        let message = format!(
            "{} is the interface of the instance, which counts anyway; the line is ignored",
            quoted(&own.value)
        );
        sink.error(tracked.name.span, message)
            .code(Code::UnusedWord)
            .help("remove the line; `dont_track_primary` is what leaves the interface out");
    }
}

/// Interfaces that an instance makes for itself.
fn own_devices(instance: &Instance, sink: &mut Sink) {
    let vmac = &instance.vmac;
    if let (Some(span), None) = (vmac.xmit_base, &vmac.use_vmac) {
        sink.error(span, "`vmac_xmit_base` without `use_vmac` is not used")
            .code(Code::UnusedWord)
            .help("write `use_vmac` too, or remove it");
    }
    let Some(ipvlan) = &vmac.use_ipvlan else {
        return;
    };
    let family = instance.family;
    let address = ipvlan.value.address.map(|(addr, _)| addr);
    if let (Some(addr), Some(family)) = (address, family)
        && crate::ids::Family::of(addr) != family
    {
        let message = format!("{addr} is not {family}, as the instance is; it is ignored");
        sink.error(ipvlan.span, message).code(Code::MixedFamilies);
    } else if address.is_none()
        && instance.transport.source().is_none()
        && family != Some(crate::ids::Family::V6)
    {
        let message = "an IPv4 instance with `use_ipvlan` needs an address; it would be faulty";
        sink.error(ipvlan.span, message)
            .code(Code::IncompleteBlock)
            .help("write the address of the interface behind `use_ipvlan`");
    }
}

/// False, and reported, for an instance that does not exist.
fn known_instance(
    instances: &BTreeSet<&str>,
    member: &Spanned<String>,
    what: &str,
    sink: &mut Sink,
) -> bool {
    if instances.contains(member.value.as_str()) {
        return true;
    }
    let is_full = sink.is_full();
    let shown = quoted(&member.value);
    let message = format!("there is no vrrp_instance {shown}; the {what} goes without it");
    // Nobody will read the hint, and looking for it takes time.
    let candidates = instances.iter().copied().filter(|_| !is_full);
    let near = super::keywords::nearest(candidates, &member.value);
    let report = sink.error(member.span, message).code(Code::UnknownName);
    if let Some(near) = near {
        report.help(format!("did you mean `{near}`?")).suggest(near);
    }
    false
}

/// The group of each instance; says what is wrong with the members of groups.
fn member_groups<'c>(
    config: &'c Config,
    instances: &BTreeSet<&str>,
    sink: &mut Sink,
) -> BTreeMap<&'c str, &'c SyncGroup> {
    let mut groups: BTreeMap<&str, &SyncGroup> = BTreeMap::new();
    for group in &config.sync_groups {
        let before = sink.weight();
        let mut count = 0_usize;
        for member in group.members.iter() {
            if !known_instance(instances, member, "group", sink) {
                continue;
            }
            if let Some(first) = groups.get(member.value.as_str()) {
                let message = format!(
                    "{} is in the sync group {} already, and can be in one only",
                    quoted(&member.value),
                    quoted(&first.name)
                );
                sink.error(member.span, message).code(Code::NameTaken);
                continue;
            }
            groups.insert(&member.value, group);
            count += 1;
        }
        // What has become of the members has been said.
        if sink.weight() == before {
            size(group, count, sink);
        }
    }
    groups
}

/// A group has two members at least.
fn size(group: &SyncGroup, count: usize, sink: &mut Sink) {
    let name = quoted(&group.name);
    let message = match count {
        0 if group.members.span.is_some() && group.members.iter().next().is_none() => return,
        0 => format!("the sync group {name} has no members and is left out"),
        1 => format!("the sync group {name} has one member only, which does nothing"),
        _ => return,
    };
    sink.error(group.span, message)
        .code(Code::IncompleteBlock)
        .help("name at least two instances in its `group`");
}

/// An interface that a member tracks, or has for its own, and its group too.
fn tracked_twice(instance: &Instance, group: &SyncGroup, sink: &mut Sink) {
    for tracked in &group.track.interfaces.0 {
        let name = &tracked.name.value;
        let mut of_member = instance.track.interfaces.0.iter();
        let second = of_member.find(|it| it.name.value == *name);
        let is_own = instance.interface.as_ref().map(|it| &it.value) == Some(name)
            && instance.dont_track_primary.is_none();
        let span = match second {
            Some(second) => second.name.span,
            None if is_own => tracked.name.span,
            None => continue,
        };
        let message = format!(
            "{} counts for {} both by itself and by its sync group {}",
            quoted(name),
            quoted(&instance.name),
            quoted(&group.name)
        );
        sink.error(span, message)
            .code(Code::NameTaken)
            .help("remove one of the two");
    }
}

/// Without `sync_group_tracking_weight` nothing that a member tracks may change its priority alone.
fn weights_in_group(instance: &Instance, group: &SyncGroup, names: &Names<'_>, sink: &mut Sink) {
    if group.tracking_weight.is_some() || group.global_tracking.is_some() {
        return;
    }
    let help = "write `sync_group_tracking_weight` into the group, or track it there";
    let interfaces = instance.track.interfaces.0.iter();
    for tracked in interfaces {
        if let Some(weight) = tracked.weight.as_ref().filter(|it| it.value != 0) {
            let message = format!(
                "the sync group {} takes this weight off: {} down makes it faulty",
                quoted(&group.name),
                quoted(&tracked.name.value)
            );
            sink.error(weight.span, message)
                .code(Code::WeightWithoutEffect)
                .help(help);
        }
    }
    let track = &instance.track;
    let lists = [
        (&track.scripts, &names.scripts),
        (&track.files, &names.files),
        (&track.bfds, &names.bfds),
    ];
    for (tracks, known) in lists {
        for tracked in &tracks.0 {
            let own = known.get(tracked.name.value.as_str());
            let weighs = match &tracked.weight {
                Some(weight) => weight.value != 0,
                None => own.is_some_and(|(_, weighs)| *weighs),
            };
            if weighs {
                let message = format!(
                    "{} has a weight, which does not go with the sync group {}; it is not tracked",
                    quoted(&tracked.name.value),
                    quoted(&group.name)
                );
                sink.error(tracked.name.span, message)
                    .code(Code::WeightWithoutEffect)
                    .help(help);
            }
        }
    }
}

/// Tracked interfaces that the host does not have, which keeps the original from starting.
fn tracked_interfaces(config: &Config, interfaces: &Interfaces<'_>, sink: &mut Sink) {
    let instances = config.instances.iter().map(|it| &it.track);
    let groups = config.sync_groups.iter().map(|it| &it.track);
    for tracked in instances.chain(groups).flat_map(|it| &it.interfaces.0) {
        if !interfaces.contains_key(tracked.name.value.as_str()) {
            sink.fatal(tracked.name.span, absent(&tracked.name))
                .code(Code::NoSuchInterface)
                .help(COMES_LATER);
        }
    }
}

/// What may be done about an interface that is not there.
const COMES_LATER: &str = "correct the name, or write `dynamic_interfaces` in `global_defs` if the \
                           interface comes later";

fn absent(name: &Spanned<String>) -> String {
    format!("this host has no interface {}", quoted(&name.value))
}

/// The same where links are watched, with another exit code of `-t`, and in `garp_group`, which does
/// nothing for an interface that is not there.
fn watched_interfaces(config: &Config, interfaces: &Interfaces<'_>, sink: &mut Sink) {
    let delays = config.link_delays.0.iter().map(|it| &it.value.interface);
    let beats = config.linkbeats.0.iter().map(|it| &it.value.interface);
    for name in delays.chain(beats) {
        if !interfaces.contains_key(name.value.as_str()) {
            let (severity, class) = (Severity::Fatal, Class::BadInterface);
            sink.report(severity, class, name.span, absent(name))
                .code(Code::NoSuchInterface)
                .help("correct the name, or remove the line");
        }
    }
    for name in config.garp_groups.iter().flat_map(|it| it.names()) {
        if !interfaces.contains_key(name.value.as_str()) {
            sink.error(name.span, absent(name))
                .code(Code::NoSuchInterface)
                .help(COMES_LATER);
        }
    }
}
