//! Builds what an instance puts on the wire.

use std::net::IpAddr;

use crate::config::bound::{Destination, InstanceConfig};
use crate::ids::SocketId;
use crate::machine::Out;
use crate::vrrp::advert::sent_header;
use crate::vrrp::event::VrrpAction;
use crate::vrrp::instance::Instance;
use crate::wire::{ipv4, vrrp};

/// Type of service of adverts: network control (class selector 6), as the original sends it.
const TOS: u8 = 0xc0;

/// Sends one advert of `priority` to every destination; returns how many were sent.
pub(crate) fn send_adverts(
    instance: &Instance,
    config: &InstanceConfig,
    priority: u8,
    ident: &mut u16,
    out: &mut Out<VrrpAction>,
) -> u64 {
    let (Some(socket), Some(src)) = (instance.socket, instance.source) else {
        return 0;
    };
    match &config.destination {
        Destination::Multicast(group) => {
            send_one(
                instance,
                config,
                priority,
                (socket, src, *group),
                ident,
                out,
            );
            1
        }
        Destination::Unicast(peers) => {
            for peer in peers {
                send_one(instance, config, priority, (socket, src, *peer), ident, out);
            }
            peers.len() as u64
        }
    }
}

fn send_one(
    instance: &Instance,
    config: &InstanceConfig,
    priority: u8,
    (socket, src, dst): (SocketId, IpAddr, IpAddr),
    ident: &mut u16,
    out: &mut Out<VrrpAction>,
) {
    let repr = vrrp::Repr {
        version: config.version,
        family: config.family,
        vrid: config.vrid,
        priority,
        interval: config.advert_interval,
        auth: config.auth,
        addresses: &instance.advertised,
    };
    let packet = out.write_bytes(|arena| {
        if let (IpAddr::V4(src), IpAddr::V4(dst)) = (src, dst) {
            *ident = ident.wrapping_add(1).max(1);
            let header = ipv4::Repr {
                tos: TOS,
                ident: *ident,
                ttl: config.hop_limit,
                protocol: vrrp::PROTOCOL,
                src,
                dst,
                payload_len: repr.buffer_len(),
                dont_fragment: false,
            };
            header.emit(arena);
        }
        repr.emit(sent_header(config, instance.old_checksum, src, dst), arena);
    });
    let hop_limit = config.hop_limit;
    let instance = instance.id;
    out.push(VrrpAction::SendAdvert {
        instance,
        socket,
        src,
        dst,
        hop_limit,
        packet,
    });
}
