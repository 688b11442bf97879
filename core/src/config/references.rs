//! Names that blocks use for each other, and what is tracked without effect.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Config;
use super::bound::{Destination, InstanceConfig};
use super::code::Code;
use super::diag::{Related, Sink, Span, Spanned, quoted};
use super::keywords;
use super::sync_group::Members;
use super::track::{TrackWords, Tracks};
use super::vrrp_instance::Instance;

/// Names of scripts, files, processes, sessions and instances that nothing has.
pub(super) fn names(config: &Config, sink: &mut Sink) {
    let all = Known {
        scripts: config.scripts.iter().map(|it| it.name.as_str()).collect(),
        files: config
            .track_files
            .iter()
            .map(|it| it.name.value.as_str())
            .collect(),
        processes: config
            .track_processes
            .iter()
            .map(|it| it.name.as_str())
            .collect(),
        sessions: config.bfds.iter().map(|it| it.name.as_str()).collect(),
        instances: config.instances.iter().map(|it| it.name.as_str()).collect(),
    };
    for instance in &config.instances {
        all.tracked(&instance.track, sink);
    }
    for group in &config.sync_groups {
        all.tracked(&group.track, sink);
        all.members(&group.members, "vrrp_sync_group", sink);
        lonely(&group.name, group.span, &group.members, sink);
    }
    for group in &config.track_groups {
        all.members(&group.members, "track_group", sink);
    }
}

/// The names that blocks have given themselves.
struct Known<'c> {
    scripts: BTreeSet<&'c str>,
    files: BTreeSet<&'c str>,
    processes: BTreeSet<&'c str>,
    sessions: BTreeSet<&'c str>,
    instances: BTreeSet<&'c str>,
}

impl Known<'_> {
    fn tracked(&self, track: &TrackWords, sink: &mut Sink) {
        let kinds: [(&Tracks, &BTreeSet<&str>, &str); 4] = [
            (&track.scripts, &self.scripts, "vrrp_script"),
            (&track.files, &self.files, "track_file"),
            (&track.processes, &self.processes, "vrrp_track_process"),
            (&track.bfds, &self.sessions, "bfd_instance"),
        ];
        for (tracks, known, keyword) in kinds {
            for tracked in &tracks.0 {
                unknown(&tracked.name, known, keyword, "it is not watched", sink);
            }
        }
    }

    fn members(&self, members: &Members, keyword: &str, sink: &mut Sink) {
        let outcome = format!("the {} goes without it", quoted(keyword));
        for name in &members.names.0 {
            unknown(name, &self.instances, "vrrp_instance", &outcome, sink);
        }
    }
}

fn unknown(
    name: &Spanned<String>,
    known: &BTreeSet<&str>,
    keyword: &str,
    outcome: &str,
    sink: &mut Sink,
) {
    if known.contains(name.value.as_str()) {
        return;
    }
    let shown = quoted(&name.value);
    let message = format!("there is no {keyword} {shown}; {outcome}");
    let near = keywords::nearest(known.iter().copied(), &name.value).map(str::to_owned);
    let found = sink.error(name.span, message).code(Code::UnknownName);
    if let Some(near) = near {
        found.help(format!("did you mean `{near}`?")).suggest(near);
    } else {
        found.help(format!("write a block `{keyword} {}`", name.value));
    }
}

/// A group whose one member follows nobody.
fn lonely(name: &str, span: Span, members: &Members, sink: &mut Sink) {
    if members.names.0.len() == 1 {
        let message = format!(
            "the vrrp_sync_group {} has one member, which follows nobody",
            quoted(name)
        );
        sink.error(span, message)
            .code(Code::UnusedWord)
            .help("add the other members, or remove the group");
    }
}

/// Addresses that two instances of this host hold on one interface.
pub(super) fn addresses(instances: &[InstanceConfig], written: &[&Instance], sink: &mut Sink) {
    let mut holders: BTreeMap<(IpAddr, &str), (&InstanceConfig, Span)> = BTreeMap::new();
    for (config, instance) in instances.iter().zip(written) {
        let entries = instance.addresses.0.iter().chain(&instance.excluded.0);
        for entry in entries {
            let addr = entry.value.address.addr;
            let device = config.device_of(addr).unwrap_or(&config.interface);
            let Some((other, first)) = holders.get(&(addr, device)) else {
                holders.insert((addr, device), (config, entry.span));
                continue;
            };
            if other.name == config.name {
                continue;
            }
            let related = Related {
                file: sink.places().name(first.file).to_owned(),
                span: first.bytes(),
                line: first.line,
                column: u32::from(first.column),
                text: "the other one".to_owned(),
            };
            let message = format!(
                "{addr} is an address of {} too: the first of them that is no longer master takes it \
                 away",
                quoted(&other.name)
            );
            let found = sink.note(entry.span, message).code(Code::AddressInTwo);
            found.related.push(related);
            found.help("let one instance hold it");
        }
    }
}

/// Peers that are the router itself.
pub(super) fn peers(instances: &[InstanceConfig], written: &[&Instance], sink: &mut Sink) {
    for (config, instance) in instances.iter().zip(written) {
        let (Some(source), Destination::Unicast(_)) = (config.source, &config.destination) else {
            continue;
        };
        let mut peers = instance.transport.peers.0.iter();
        if let Some(own) = peers.find(|peer| peer.value.addr == source) {
            let message = format!("the peer {source} is this router's own source address");
            sink.note(own.span, message)
                .code(Code::PeerIsSource)
                .help("list the other routers only");
        }
    }
}

/// Weights of what an owner tracks: its priority is 255 whatever happens.
pub(super) fn weights(instances: &[InstanceConfig], written: &[&Instance], sink: &mut Sink) {
    for (config, instance) in instances.iter().zip(written) {
        if !config.is_owner() {
            continue;
        }
        let track = &instance.track;
        let kinds = [
            &track.interfaces,
            &track.scripts,
            &track.files,
            &track.processes,
            &track.bfds,
        ];
        for tracked in kinds.into_iter().flat_map(|tracks| &tracks.0) {
            if let Some(weight) = tracked.weight.as_ref().filter(|it| it.value != 0) {
                let message = format!(
                    "a router of priority 255 keeps it: the weight {} never changes who is master",
                    weight.value
                );
                sink.note(weight.span, message)
                    .code(Code::WeightWithoutEffect)
                    .help("write a priority below 255, or no weight: then a failure is a fault");
            }
        }
    }
}
