use std::net::Ipv4Addr;

use super::*;
use crate::config::bound::{Auth, Bound, InstanceConfig, VirtualAddress};
use crate::ids::{Errno, Family, IfIndex, InstanceId, OpId, Version};
use crate::kernel::{AddressKey, KernelEvent, Link};
use crate::rng::Rng;
use crate::time::Duration;
use crate::trace::{Input, Line};
use crate::vrrp::Command;
use crate::wire::{ipv4, vrrp};

const PASSWORD: [u8; 8] = *b"s3cr3t!!";
const SRC: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

fn bound() -> Bound {
    let addresses = vec![VirtualAddress::new(Ipv4Addr::new(10, 0, 0, 100).into(), 32)];
    Bound {
        instances: vec![InstanceConfig {
            auth: Auth::Pass(PASSWORD),
            ..InstanceConfig::new("VI_1", "eth0", Version::V2, 51, addresses)
        }],
        ..Bound::default()
    }
}

/// An advert of version 2 with this authentication, as a whole datagram.
fn advert(auth: Auth) -> Vec<u8> {
    let addresses = [Ipv4Addr::new(10, 0, 0, 100).into()];
    let repr = vrrp::Repr {
        version: Version::V2,
        family: Family::V4,
        vrid: 51,
        priority: 100,
        interval: Duration::from_secs(1),
        auth,
        addresses: &addresses,
    };
    let header = ipv4::Repr {
        tos: ipv4::TOS_INTERNETWORK_CONTROL,
        ident: 1,
        ttl: 255,
        protocol: vrrp::PROTOCOL,
        src: SRC,
        dst: vrrp::GROUP_V4,
        payload_len: repr.buffer_len(),
        dont_fragment: false,
    };
    let mut octets = Vec::new();
    header.emit(&mut octets);
    repr.emit(None, &mut octets);
    octets
}

fn packet(datagram: &[u8]) -> VrrpEvent<'_> {
    let packet = Ingress::V4 { datagram };
    let socket = SocketId(0);
    VrrpEvent::Packet { socket, packet }
}

fn lines(journal: &Journal) -> Vec<String> {
    let mut image = Vec::new();
    journal.copy_into(&mut image);
    assert!(image.len() <= IMAGE_MAX);
    let text = text(&image);
    assert!(!text.contains("unreadable"), "{text}");
    text.lines().map(str::to_owned).collect()
}

/// What a journal makes of one datagram.
fn kept(datagram: &[u8]) -> Vec<u8> {
    let mut journal = Journal::new(at(0), 1);
    journal.on_event(&packet(datagram), &Secrets::of(&bound()), at(1));
    let lines = lines(&journal);
    let line = Line::parse(lines.last().expect("a line")).expect("a trace line");
    let Ok(Input::Event(VrrpEvent::Packet { packet, .. })) = line.input() else {
        panic!("{line:?}");
    };
    match packet {
        Ingress::V4 { datagram } => datagram.to_vec(),
        Ingress::V6 { payload, .. } => payload.to_vec(),
    }
}

fn checksum_is_right(datagram: &[u8]) -> bool {
    let message = vrrp::Packet::new_checked(&datagram[20..]).expect("long enough");
    message.checksum_ok(datagram.len() - 20, None)
}

#[test]
fn a_right_password_becomes_zeros_and_a_wrong_one_does_not() {
    let right = kept(&advert(Auth::Pass(PASSWORD)));
    assert_eq!(right[right.len() - 8..], [0; 8]);
    assert!(checksum_is_right(&right));
    // To the letter what would have been sent with that password.
    assert_eq!(right, advert(Auth::Pass([0; 8])));
    for other in [*b"another!", [0; 8]] {
        let wrong = kept(&advert(Auth::Pass(other)));
        assert_eq!(wrong, advert(Auth::Pass([0xff; 8])));
    }
    assert_eq!(kept(&advert(Auth::None)), advert(Auth::None));
}

#[test]
fn a_wrong_checksum_stays_wrong_and_tells_nothing() {
    let mut sent = advert(Auth::Pass(PASSWORD));
    sent[26] ^= 0x40;
    let read = kept(&sent);
    assert!(!checksum_is_right(&read));
    assert_eq!(read[read.len() - 8..], [0; 8]);
}

/// However a packet was cut, stretched or damaged, the password is not in it any more, nor does the
/// checksum depend on it.
#[test]
fn no_damaged_packet_gives_the_password_away() {
    let has = |octets: &[u8]| {
        let mut found = false;
        for width in 3..=8 {
            found |= octets
                .windows(width)
                .any(|part| PASSWORD.windows(width).any(|of| of == part));
        }
        found
    };
    let good = advert(Auth::Pass(PASSWORD));
    assert!(has(&good));
    let mut rng = Rng::new(7);
    for _ in 0..4_000 {
        let mut sent = good.clone();
        match rng.below(4) {
            0 => sent.truncate(rng.below(sent.len() as u64) as usize),
            1 => sent.extend_from_slice(&PASSWORD),
            2 => sent.splice(28..28, [1, 2, 3, 4]).for_each(drop),
            _ => {}
        }
        for _ in 0..rng.below(3) {
            // Version 3 with a count that includes the password: that nobody could tell.
            let index = 9 + rng.below(35) as usize;
            if index != 20
                && let Some(octet) = sent.get_mut(index)
            {
                *octet = rng.below(256) as u8;
            }
        }
        // Where it is whole; parts may be shorter than what is searched.
        let kept = kept(&sent);
        assert_eq!(kept.len(), sent.len());
        let header = &kept[..kept.len().min(28)];
        assert!(
            !has(kept.get(28..).unwrap_or_default()) && !has(header),
            "{sent:02x?}"
        );
    }
}

/// Any event at all. What it borrows comes from `name` and `octets`.
fn any<'a>(rng: &mut Rng, name: &'a str, octets: &'a [u8]) -> VrrpEvent<'a> {
    let socket = SocketId(rng.below(1 << 32) as u32);
    let errno = Errno(rng.below(200) as i32 + 1);
    let result = if rng.below(2) == 0 {
        Ok(())
    } else {
        Err(errno)
    };
    let ifindex = IfIndex(rng.below(9) as u32);
    let key = AddressKey {
        ifindex,
        addr: SRC.into(),
        prefix: rng.below(33) as u8,
    };
    match rng.below(14) {
        0 => VrrpEvent::Continue,
        1 => VrrpEvent::Command(Command::Stop),
        2 => VrrpEvent::PacketsLost { socket },
        3 => VrrpEvent::Socket { socket, result },
        4 => VrrpEvent::Done {
            op: OpId(rng.below(u64::MAX)),
            result,
        },
        5 => VrrpEvent::SendFailed {
            instance: InstanceId(socket.0),
            dst: SRC.into(),
            errno,
        },
        6 => VrrpEvent::Kernel(KernelEvent::AddressGone { key }),
        7 => VrrpEvent::Kernel(KernelEvent::Link(Link {
            ifindex,
            name,
            mac: &[2, 0, 0, 0, 0, 1],
            admin_up: true,
            running: rng.below(2) == 0,
            loopback: false,
            no_arp: false,
            multicast: true,
            forwarding: false,
            mtu: 1_500,
        })),
        8 => VrrpEvent::Packet {
            socket,
            packet: Ingress::V6 {
                src: [3; 16].into(),
                dst: [4; 16].into(),
                hop_limit: 255,
                payload: &[0x31, 51, 100, 0, 0, 100, 0, 0],
            },
        },
        _ => packet(octets),
    }
}

/// Property: after any number of inputs the youngest are there, each as it was, the oldest is whole,
/// and the rest is counted.
#[test]
fn what_is_kept_is_what_was_last_put_in() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let mut journal = Journal::new(at(77), seed);
        let mut all = Vec::new();
        let mut now = at(rng.below(1 << 50));
        let big = vec![0; 4_400];
        let good = advert(Auth::None);
        for _ in 0..rng.below(4_000) {
            let scale = 1 + rng.below(40);
            now = at(now.as_micros() + rng.below(1 << scale));
            if rng.below(3) == 0 {
                journal.on_timeout(now);
                all.push(trace::timeout_line(now));
            } else {
                let octets = if rng.below(20) == 0 { &big } else { &good };
                let event = any(&mut rng, "eth0", octets);
                journal.on_event(&event, &Secrets::default(), now);
                all.push(trace::event_line(now, &event));
            }
        }
        let lines = lines(&journal);
        assert_eq!(lines[1], format!("# began at 77, seed {seed}"));
        let kept: Vec<_> = lines.iter().filter(|line| !line.starts_with('#')).collect();
        let gone = all.len() - kept.len();
        assert_eq!(journal.overwritten(), gone as u64);
        assert!(all[gone..].iter().eq(kept.iter().copied()), "seed {seed}");
        let noted = lines[2] == format!("# {gone} older inputs were overwritten");
        assert_eq!(noted, gone > 0);
        for line in kept {
            let line = Line::parse(line).expect("a trace line");
            assert!(line.input().is_ok());
        }
    }
}

#[test]
fn a_packet_of_any_length_leaves_the_ring_whole() {
    let mut journal = Journal::new(at(0), 1);
    for length in (0..70_000).step_by(501) {
        let octets = vec![0; length];
        journal.on_event(&packet(&octets), &Secrets::default(), at(length as u64));
    }
    let lines = lines(&journal);
    assert!(
        lines
            .iter()
            .any(|line| line.contains("a packet of 69639 octets")),
        "{lines:?}"
    );
}

#[test]
fn a_successor_says_so() {
    let mut journal = Journal::new(at(5), 1);
    journal.on_resumed();
    journal.on_timeout(at(9));
    let lines = lines(&journal);
    assert_eq!(lines[2], "# went on from the records of a predecessor");
    assert_eq!(lines[3], "9 timeout");
}

#[test]
fn a_thousand_adverts_fit() {
    let mut journal = Journal::new(at(0), 1);
    let sent = advert(Auth::Pass(PASSWORD));
    for second in 0..1_200 {
        journal.on_event(&packet(&sent), &Secrets::default(), at(second * 1_000_000));
        journal.on_timeout(at(second * 1_000_000 + 4_000));
    }
    assert_eq!(journal.overwritten(), 0);
}

#[test]
fn what_is_no_image_says_so() {
    let mut journal = Journal::new(at(5), 1);
    journal.on_timeout(at(9));
    let mut image = Vec::new();
    journal.copy_into(&mut image);
    for end in 0..image.len() {
        let text = text(&image[..end]);
        // Cut before its only record it is an empty one.
        assert!(
            text.contains("unreadable") || end == record::HEADER,
            "{end}: {text}"
        );
    }
    for octet in 0..image.len() {
        let mut damaged = image.clone();
        damaged[octet] ^= 0xff;
        drop(text(&damaged));
    }
    assert_eq!(image.len(), record::HEADER + LENGTH + 1 + 1);
}
