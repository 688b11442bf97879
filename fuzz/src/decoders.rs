//! Decoders of packets and text. Where a decoder has an encoder, what was understood must survive
//! the way back.

use relevo_core::config::{HostFacts, InterfaceFact, bind, parse, start_exit_code};
use relevo_core::ids::{Family, Version};
use relevo_core::time::Duration;
use relevo_core::trace;
use relevo_core::wire::{arp, ethernet, ipv4, ipv6, ndisc, vrrp};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Ethernet II header.
pub fn ethernet(data: &[u8]) {
    if let Ok(packet) = ethernet::Packet::new_checked(data) {
        let repr = ethernet::Repr::parse(&packet);
        let mut again = Vec::new();
        repr.emit(&mut again);
        assert_eq!(again, data[..ethernet::HEADER_LEN]);
    }
}

/// IPv4 header.
pub fn ipv4(data: &[u8]) {
    let Ok(packet) = ipv4::Packet::new_checked(data) else {
        return;
    };
    let _ = (
        packet.verify_checksum(),
        packet.payload().len(),
        packet.is_fragment(),
    );
    if let Ok(repr) = ipv4::Repr::parse(&packet) {
        let mut again = Vec::new();
        repr.emit(&mut again);
        let header = ipv4::Packet::new_checked(&again).expect("what was emitted can be read");
        assert!(header.verify_checksum());
        assert_eq!((header.src(), header.dst()), (packet.src(), packet.dst()));
    }
}

/// IPv6 header.
pub fn ipv6(data: &[u8]) {
    let Ok(packet) = ipv6::Packet::new_checked(data) else {
        return;
    };
    if let Ok(repr) = ipv6::Repr::parse(&packet) {
        let mut again = Vec::new();
        repr.emit(&mut again);
        let header = ipv6::Packet::new_checked(&again).expect("what was emitted can be read");
        assert_eq!((header.src(), header.dst()), (packet.src(), packet.dst()));
    }
}

/// VRRP message; the first octet chooses family and pseudo-header.
pub fn vrrp(data: &[u8]) {
    let Some((choice, message)) = data.split_first() else {
        return;
    };
    let (family, pseudo) = match choice % 3 {
        0 => (Family::V4, None),
        1 => {
            let pseudo = vrrp::Pseudo::V4 {
                src: Ipv4Addr::LOCALHOST,
                dst: vrrp::GROUP_V4,
            };
            (Family::V4, Some(pseudo))
        }
        _ => {
            let pseudo = vrrp::Pseudo::V6 {
                src: Ipv6Addr::LOCALHOST,
                dst: vrrp::GROUP_V6,
            };
            (Family::V6, Some(pseudo))
        }
    };
    let Ok(packet) = vrrp::Packet::new_checked(message) else {
        return;
    };
    for version in [Version::V2, Version::V3] {
        let len = packet.expected_len(version, family);
        let _ = (packet.checksum_ok(len, pseudo), packet.auth_data());
    }
    let listed = packet.addresses(family).count();
    assert!(listed <= usize::from(packet.address_count()));
    let mut addresses = Vec::new();
    if let Ok(repr) = vrrp::Repr::parse(&packet, family, pseudo, &mut addresses) {
        let mut again = Vec::new();
        repr.emit(pseudo, &mut again);
        let packet = vrrp::Packet::new_checked(&again).expect("what was emitted can be read");
        let mut addresses = Vec::new();
        let second = vrrp::Repr::parse(&packet, family, pseudo, &mut addresses);
        assert_eq!(second, Ok(repr));
    }
}

/// ARP over Ethernet.
pub fn arp(data: &[u8]) {
    let Ok(packet) = arp::Packet::new_checked(data) else {
        return;
    };
    if let Ok(repr) = arp::Repr::parse(&packet) {
        let mut again = Vec::new();
        repr.emit(&mut again);
        let packet = arp::Packet::new_checked(&again).expect("what was emitted can be read");
        assert_eq!(arp::Repr::parse(&packet), Ok(repr));
    }
}

/// Neighbour advertisement.
pub fn ndisc(data: &[u8]) {
    let (src, dst) = (Ipv6Addr::LOCALHOST, ipv6::ALL_NODES);
    let Ok(packet) = ndisc::Packet::new_checked(data) else {
        return;
    };
    let _ = (packet.target_mac(), packet.verify_checksum(src, dst));
    if let Ok(repr) = ndisc::Repr::parse(&packet, src, dst) {
        let mut again = Vec::new();
        repr.emit(src, dst, &mut again);
        let packet = ndisc::Packet::new_checked(&again).expect("what was emitted can be read");
        assert_eq!(ndisc::Repr::parse(&packet, src, dst), Ok(repr));
    }
}

/// Trace lines.
pub fn trace(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for text in text.lines() {
        let Ok(line) = trace::Line::parse(text) else {
            continue;
        };
        if let Ok(trace::Input::Event(event)) = line.input() {
            let again = trace::event_line(line.at, &event);
            let line = trace::Line::parse(&again).expect("what was written can be read");
            assert_eq!(line.input(), Ok(trace::Input::Event(event)), "{again}");
        }
    }
}

/// Configuration text. What may be started with holds what the machine relies on.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (config, mut findings) = parse("fuzz.conf", &text);
    let interface = |name: &str| InterfaceFact {
        name: name.to_owned(),
        loopback: name == "lo",
        multicast: true,
        mtu: 1500,
    };
    let interfaces = vec![interface("lo"), interface("eth0"), interface("eth1")];
    let (bound, more) = bind(
        &config,
        &HostFacts {
            hostname: "host".to_owned(),
            uptime: Duration::from_secs(3_600),
            interfaces,
        },
    );
    findings.extend(more);
    for finding in &findings {
        assert!(
            text.get(finding.span.clone()).is_some(),
            "a span outside the text: {finding:?}"
        );
        assert!(finding.line > 0 && finding.column > 0);
    }
    if start_exit_code(&findings).is_none() {
        for instance in &bound.instances {
            assert!(instance.vrid > 0 && instance.priority > 0);
            assert!(!instance.advert_interval.is_zero());
            assert!(instance.addresses.len() <= relevo_core::limits::ADVERT_ADDRESSES);
        }
    }
}
