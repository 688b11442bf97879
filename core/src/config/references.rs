//! Addresses, peers and weights of several instances, and what is tracked without effect.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::bound::{Destination, InstanceConfig};
use super::code::Code;
use super::diag::{Related, Sink, Span, quoted};
use super::vrrp_instance::Instance;

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
