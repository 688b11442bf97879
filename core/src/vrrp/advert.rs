//! Is this advert acceptable? The checks of RFC 9568 section 7.1 (RFC 3768 section 7.1), in an
//! order that names the most telling fault first, as a function of configuration and bytes alone.

use std::net::IpAddr;

use crate::config::bound::{Auth, ChecksumStyle, Destination, InstanceConfig};
use crate::ids::{Family, Version};
use crate::limits::ETHERNET_PAYLOAD_MIN;
use crate::time::Duration;
use crate::vrrp::event::Ingress;
use crate::vrrp::note::Discard;
use crate::wire::{ipv4, vrrp};

/// A packet of protocol 112 with the fields of its IP header.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Datagram<'a> {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) hop_limit: u8,
    pub(crate) payload: &'a [u8],
    /// Octets behind the end that the IP header tells.
    trailer_len: usize,
    /// Octets of the whole packet as received, to tell padding from surplus; in IPv6 there is no
    /// padding.
    packet_len: usize,
}

/// What an acceptable advert says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    pub(crate) src: IpAddr,
    pub(crate) priority: u8,
    pub(crate) interval: Duration,
    /// It lists other addresses than ours: told, and still used, as in the original.
    pub(crate) list_differs: bool,
    /// It has the old unicast checksum.
    pub(crate) old_checksum: bool,
}

impl<'a> Datagram<'a> {
    /// Reads the IP header.
    pub(crate) fn parse(packet: Ingress<'a>) -> Result<Self, Discard> {
        match packet {
            Ingress::V4 { datagram } => {
                let ip = ipv4::Packet::new_checked(datagram).map_err(|_| Discard::IpHeader)?;
                if ip.protocol() != vrrp::PROTOCOL {
                    return Err(Discard::IpHeader);
                }
                let total = usize::from(ip.total_len());
                let payload = datagram
                    .get(ip.header_len()..total)
                    .ok_or(Discard::Length)?;
                Ok(Self {
                    src: ip.src().into(),
                    dst: ip.dst().into(),
                    hop_limit: ip.ttl(),
                    payload,
                    trailer_len: datagram.len() - total,
                    packet_len: datagram.len(),
                })
            }
            Ingress::V6 {
                src,
                dst,
                hop_limit,
                payload,
            } => Ok(Self {
                src: src.into(),
                dst: dst.into(),
                hop_limit,
                payload,
                trailer_len: 0,
                packet_len: usize::MAX,
            }),
        }
    }

    /// The virtual router identifier, if the packet is long enough to have one.
    pub(crate) fn vrid(&self) -> Result<u8, Discard> {
        self.payload.get(1).copied().ok_or(Discard::Length)
    }
}

/// Judges a packet for one virtual router. `advertised` is our own address list; `master` the
/// master last heard, whose list need not be compared again under `skip_check_adv_addr`.
pub(crate) fn judge(
    config: &InstanceConfig,
    advertised: &[IpAddr],
    own: Option<IpAddr>,
    master: Option<IpAddr>,
    datagram: &Datagram<'_>,
) -> Result<Heard, Discard> {
    if own == Some(datagram.src) {
        return Err(Discard::Own);
    }
    let packet = vrrp::Packet::new_checked(datagram.payload).map_err(|_| Discard::Length)?;
    check_header(config, datagram, &packet)?;
    let packet = check_length(config, datagram, packet)?;
    if config.version == Version::V2 {
        check_v2(config, &packet)?;
    }
    if packet.kind() != vrrp::TYPE_ADVERTISEMENT {
        return Err(Discard::Type);
    }
    let old_checksum = check_checksum(config, datagram, &packet)?;
    check_peer(config, datagram)?;
    let known = config.skip_check_adv_addr && master == Some(datagram.src);
    Ok(Heard {
        src: datagram.src,
        priority: packet.priority(),
        interval: match config.version {
            Version::V2 => Duration::from_secs(u64::from(packet.interval_secs())),
            Version::V3 => Duration::from_centis(u64::from(packet.interval_centis())),
        },
        list_differs: !known && !same_addresses(&packet, config.family, advertised),
        old_checksum,
    })
}

/// The pseudo-header of the checksum. keepalived has one in v3 over IPv4 too (rfc-checklist K-13).
pub(crate) fn pseudo_header(version: Version, src: IpAddr, dst: IpAddr) -> Option<vrrp::Pseudo> {
    match (version, src, dst) {
        (Version::V3, IpAddr::V4(src), IpAddr::V4(dst)) => Some(vrrp::Pseudo::V4 { src, dst }),
        (Version::V3, IpAddr::V6(src), IpAddr::V6(dst)) => Some(vrrp::Pseudo::V6 { src, dst }),
        (Version::V2 | Version::V3, _, _) => None,
    }
}

/// The pseudo-header of what `config` sends; `old` if the old unicast checksum is wanted.
pub(crate) fn sent_header(
    config: &InstanceConfig,
    old: bool,
    src: IpAddr,
    dst: IpAddr,
) -> Option<vrrp::Pseudo> {
    match (pseudo_header(config.version, src, dst), &config.destination) {
        (Some(vrrp::Pseudo::V4 { .. }), _) if config.checksum.style == ChecksumStyle::AsV2 => None,
        (Some(vrrp::Pseudo::V4 { src, .. }), Destination::Unicast(_)) if old => {
            let dst = config.checksum.group;
            Some(vrrp::Pseudo::V4 { src, dst })
        }
        (header, _) => header,
    }
}

/// Whether the checksum is right in one of the ways that `config` accepts; true for the old unicast
/// checksum.
fn check_checksum(
    config: &InstanceConfig,
    datagram: &Datagram<'_>,
    packet: &vrrp::Packet<'_>,
) -> Result<bool, Discard> {
    let len = packet.expected_len(config.version, config.family);
    let (src, dst) = (datagram.src, datagram.dst);
    let usual = pseudo_header(config.version, src, dst);
    let is_right = |old| packet.checksum_ok(len, sent_header(config, old, src, dst));
    let unicast = matches!(config.destination, Destination::Unicast(_));
    let can_be_old = unicast && matches!(usual, Some(vrrp::Pseudo::V4 { .. }));
    match config.checksum.style {
        ChecksumStyle::OldUnicast if can_be_old => is_right(true).then_some(true),
        ChecksumStyle::Auto if is_right(false) => Some(false),
        ChecksumStyle::Auto => (can_be_old && is_right(true)).then_some(true),
        ChecksumStyle::AsV2 => (is_right(false) || packet.checksum_ok(len, usual)).then_some(false),
        ChecksumStyle::OldUnicast | ChecksumStyle::Never => is_right(false).then_some(false),
    }
    .ok_or(Discard::Checksum)
}

/// TTL (RFC 9568 section 5.1.1.3) and version (section 5.2.1). A unicast packet may have been
/// forwarded, so its TTL is judged only where the peer has limits (K-7).
fn check_header(
    config: &InstanceConfig,
    datagram: &Datagram<'_>,
    packet: &vrrp::Packet<'_>,
) -> Result<(), Discard> {
    let multicast = datagram.dst.is_multicast();
    let is_near = |ttl: u8| {
        let limits = config
            .peer_ttl
            .iter()
            .find(|peer| peer.addr == datagram.src);
        limits.is_none_or(|peer| (peer.min..=peer.max).contains(&ttl))
    };
    if (multicast && datagram.hop_limit != 255) || (!multicast && !is_near(datagram.hop_limit)) {
        return Err(Discard::Ttl);
    }
    if packet.version() != config.version.number() {
        return Err(Discard::Version);
    }
    if multicast != matches!(config.destination, Destination::Multicast(_)) {
        return Err(Discard::Destination);
    }
    if config.owner_ignore_adverts && config.is_owner() {
        return Err(Discard::OwnerIgnores);
    }
    Ok(())
}

/// The length that the address count asks for; surplus octets only as Ethernet padding (K-8).
fn check_length<'a>(
    config: &InstanceConfig,
    datagram: &Datagram<'a>,
    packet: vrrp::Packet<'a>,
) -> Result<vrrp::Packet<'a>, Discard> {
    let expected = packet.expected_len(config.version, config.family);
    let given = datagram.payload.len() + datagram.trailer_len;
    if given > expected && datagram.packet_len > ETHERNET_PAYLOAD_MIN {
        return Err(Discard::Length);
    }
    let exact = datagram.payload.get(..expected).ok_or(Discard::Length)?;
    vrrp::Packet::new_checked(exact).map_err(|_| Discard::Length)
}

/// Authentication (RFC 2338 section 5.3.6) and interval (RFC 3768 section 7.1).
fn check_v2(config: &InstanceConfig, packet: &vrrp::Packet<'_>) -> Result<(), Discard> {
    let theirs = packet.auth_type();
    if theirs > vrrp::AUTH_AH {
        return Err(Discard::AuthTypeUnknown);
    }
    match config.auth {
        Auth::None if theirs != vrrp::AUTH_NONE => return Err(Discard::AuthTypeMismatch),
        Auth::None => {}
        Auth::Pass(_) if theirs != vrrp::AUTH_PASS => return Err(Discard::AuthTypeMismatch),
        Auth::Pass(ours) if packet.auth_data() != Some(&ours) => return Err(Discard::AuthFailure),
        Auth::Pass(_) => {}
    }
    if u64::from(packet.interval_secs()) != config.advert_interval.as_secs() {
        return Err(Discard::Interval);
    }
    Ok(())
}

fn check_peer(config: &InstanceConfig, datagram: &Datagram<'_>) -> Result<(), Discard> {
    match &config.destination {
        Destination::Unicast(peers)
            if config.check_unicast_source && !peers.contains(&datagram.src) =>
        {
            Err(Discard::UnknownPeer)
        }
        Destination::Unicast(_) | Destination::Multicast(_) => Ok(()),
    }
}

/// True if the packet lists just our addresses, in whatever order.
fn same_addresses(packet: &vrrp::Packet<'_>, family: Family, ours: &[IpAddr]) -> bool {
    if usize::from(packet.address_count()) != ours.len() {
        return false;
    }
    // The same order is the common case and needs no search.
    packet.addresses(family).eq(ours.iter().copied())
        || (ours
            .iter()
            .all(|own| packet.addresses(family).any(|addr| addr == *own))
            && packet.addresses(family).all(|addr| ours.contains(&addr)))
}

#[cfg(test)]
#[path = "advert_tests.rs"]
mod tests;
