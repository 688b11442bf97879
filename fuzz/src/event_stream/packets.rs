//! Packets that are adverts, almost.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use relevo_core::config::bound::{Auth, Destination, InstanceConfig};
use relevo_core::ids::{Family, Version};
use relevo_core::time::Duration;
use relevo_core::vrrp::Ingress;
use relevo_core::wire::{ipv4, vrrp};

use super::setup::addr;
use crate::bytes::Bytes;

/// A packet of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Packet {
    src: IpAddr,
    dst: IpAddr,
    hop_limit: u8,
    /// IPv4: the whole datagram.
    octets: Vec<u8>,
    pub(super) flaw: Flaw,
}

/// What is wrong with a packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Flaw {
    /// Nothing: it must be heard.
    None,
    /// Something that the rules of reception name: it must be discarded.
    Fatal,
    /// Something that may or may not matter.
    Perhaps,
}

impl Packet {
    pub(super) fn ingress(&self) -> Ingress<'_> {
        match (self.src, self.dst) {
            (IpAddr::V6(src), IpAddr::V6(dst)) => Ingress::V6 {
                src,
                dst,
                hop_limit: self.hop_limit,
                payload: &self.octets,
            },
            _ => Ingress::V4 {
                datagram: &self.octets,
            },
        }
    }

    /// Any octets at all.
    pub(super) fn random(bytes: &mut Bytes<'_>) -> Self {
        let v6 = bytes.one_in(2);
        let (src, dst): (IpAddr, IpAddr) = if v6 {
            (Ipv6Addr::LOCALHOST.into(), vrrp::GROUP_V6.into())
        } else {
            (Ipv4Addr::LOCALHOST.into(), vrrp::GROUP_V4.into())
        };
        let hop_limit = bytes.u8();
        let len = bytes.below(64);
        Self {
            src,
            dst,
            hop_limit,
            octets: bytes.take(len).to_vec(),
            flaw: Flaw::Perhaps,
        }
    }
}

/// What is done to an advert.
struct Draft<'a> {
    config: &'a InstanceConfig,
    src: IpAddr,
    dst: IpAddr,
    hop_limit: u8,
    version: Version,
    vrid: u8,
    priority: u8,
    interval: Duration,
    auth: Auth,
    addresses: Vec<IpAddr>,
    flaw: Flaw,
}

/// An advert as another router of `config` might send it, with at most one thing wrong with it.
pub(super) fn almost(config: &InstanceConfig, bytes: &mut Bytes<'_>) -> Packet {
    let mut draft = Draft::right(config, bytes);
    let how = bytes.u8();
    match how % 24 {
        // As likely right as not.
        0..=11 => {}
        12 => draft.flawed(Flaw::Fatal, |draft| draft.hop_limit = 254),
        13 => draft.flawed(Flaw::Fatal, |draft| {
            draft.version = match draft.version {
                Version::V2 => Version::V3,
                Version::V3 => Version::V2,
            };
        }),
        14 => draft.flawed(Flaw::Perhaps, |draft| {
            draft.vrid = draft.vrid.wrapping_add(1);
        }),
        15 => draft.flawed(Flaw::Perhaps, |draft| {
            draft.interval = Duration::from_centis(300);
        }),
        16 => draft.flawed(Flaw::Perhaps, |draft| {
            draft.auth = Auth::Pass(*b"wrong\0\0\0");
        }),
        17 => draft.flawed(Flaw::Perhaps, |draft| draft.addresses.truncate(0)),
        18 => draft.flawed(Flaw::Perhaps, |draft| {
            draft.addresses.push(addr("10.9.9.9"));
        }),
        19 => draft.flawed(Flaw::Perhaps, |draft| draft.dst = draft.src),
        _ => {}
    }
    let mut packet = draft.emit();
    let start = if config.family == Family::V4 { 20 } else { 0 };
    match how % 24 {
        20 => {
            // Whatever bit it is, the checksum is wrong.
            let at = start + bytes.below(packet.octets.len() - start);
            packet.octets[at] ^= 1 << bytes.below(8);
            packet.flaw = Flaw::Fatal;
        }
        21 => {
            packet
                .octets
                .truncate(packet.octets.len() - 1 - bytes.below(start + 7));
            packet.flaw = Flaw::Fatal;
        }
        22 => {
            packet.octets.extend_from_slice(bytes.take(4));
            packet.flaw = Flaw::Perhaps;
        }
        23 => {
            let at = bytes.below(packet.octets.len());
            packet.octets[at] = bytes.u8();
            packet.flaw = Flaw::Perhaps;
        }
        _ => {}
    }
    packet
}

impl<'a> Draft<'a> {
    fn right(config: &'a InstanceConfig, bytes: &mut Bytes<'_>) -> Self {
        let own = config.priority;
        let priorities = [
            0,
            1,
            own.saturating_sub(1),
            own,
            own,
            own.saturating_add(1),
            254,
            255,
        ];
        let priority = bytes.pick(&priorities);
        // Lower and higher than our own .7, both of them peers of unicast.
        let last = if bytes.one_in(2) { 3 } else { 9 };
        let (src, group): (IpAddr, IpAddr) = match config.family {
            Family::V4 if config.interface == "eth1" => {
                ([10, 0, 1, last].into(), vrrp::GROUP_V4.into())
            }
            Family::V4 => ([10, 0, 0, last].into(), vrrp::GROUP_V4.into()),
            Family::V6 => {
                let src = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(last));
                (src.into(), vrrp::GROUP_V6.into())
            }
        };
        let dst = match &config.destination {
            Destination::Multicast(_) => group,
            Destination::Unicast(_) => config.source.unwrap_or(group),
        };
        // Version 3 follows the master's interval, whatever it is.
        let interval = match (config.version, bytes.u8() % 8) {
            (Version::V3, 0) => Duration::from_centis(u64::from(bytes.u16() & 0x0fff)),
            _ => config.advert_interval,
        };
        Self {
            config,
            src,
            dst,
            hop_limit: 255,
            version: config.version,
            vrid: config.vrid,
            priority,
            interval,
            auth: config.auth,
            addresses: config
                .addresses
                .iter()
                .map(|address| address.addr)
                .collect(),
            flaw: Flaw::None,
        }
    }

    fn flawed(&mut self, flaw: Flaw, change: impl FnOnce(&mut Self)) {
        let multicast = matches!(self.config.destination, Destination::Multicast(_));
        self.flaw = flaw;
        change(self);
        // A unicast packet may have been forwarded.
        if self.hop_limit != 255 && !multicast {
            self.flaw = Flaw::Perhaps;
        }
    }

    fn emit(&self) -> Packet {
        let repr = vrrp::Repr {
            version: self.version,
            family: self.config.family,
            vrid: self.vrid,
            priority: self.priority,
            interval: self.interval,
            auth: self.auth,
            addresses: &self.addresses,
        };
        let mut octets = Vec::new();
        if let (IpAddr::V4(src), IpAddr::V4(dst)) = (self.src, self.dst) {
            let header = ipv4::Repr {
                tos: ipv4::TOS_INTERNETWORK_CONTROL,
                ident: 1,
                ttl: self.hop_limit,
                protocol: vrrp::PROTOCOL,
                src,
                dst,
                payload_len: repr.buffer_len(),
                dont_fragment: false,
            };
            header.emit(&mut octets);
        }
        repr.emit(vrrp::Pseudo::new(self.src, self.dst), &mut octets);
        Packet {
            src: self.src,
            dst: self.dst,
            hop_limit: self.hop_limit,
            octets,
            flaw: self.flaw,
        }
    }
}
