//! Raw sockets over a cable between two interfaces, in a network namespace of each test's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use relevo_core::ids::{Errno, Family, IfIndex, InstanceId, SocketId};
use relevo_core::vrrp::event::{Ingress, SocketSpec};

use super::{Advert, Unsent, VrrpIo, ingress};
use crate::sys::msg::{RECEIVE_BATCH, RECEIVE_MAX, ReceiveBatch};
use crate::sys::socket::get_int;
use crate::testnet::{await_local, cable, in_namespace, index_of, ip};

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
const A: SocketId = SocketId(1);
const B: SocketId = SocketId(2);

fn spec(interface: &str, group: Option<IpAddr>, family: Family) -> SocketSpec {
    SocketSpec {
        ifindex: IfIndex(index_of(interface)),
        family,
        group,
    }
}

/// Sockets A on `va` and B on `vb`.
fn pair(group: Option<IpAddr>, family: Family) -> VrrpIo {
    let mut io = VrrpIo::default();
    for (socket, interface) in [(A, "va"), (B, "vb")] {
        io.open(socket, spec(interface, group, family), 1 << 20)
            .expect("opens");
    }
    io
}

fn advert(number: u32, src: impl Into<IpAddr>, dst: impl Into<IpAddr>) -> Advert {
    Advert {
        instance: InstanceId(number),
        socket: A,
        src: src.into(),
        dst: dst.into(),
        hop_limit: 255,
    }
}

fn datagram_v4(src: Ipv4Addr, dst: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0xc0, 0, 0, 0, 1, 0, 0, 255, 112, 0, 0];
    bytes.extend_from_slice(&src.octets());
    bytes.extend_from_slice(&dst.octets());
    bytes.extend_from_slice(payload);
    let len = (bytes.len() as u16).to_be_bytes();
    bytes[2..4].copy_from_slice(&len);
    bytes
}

/// Everything that arrives at a socket until it has been quiet for a while.
fn arrivals(io: &VrrpIo, socket: SocketId) -> Vec<String> {
    let (fd, family) = io.get(socket).expect("open");
    let mut batch = ReceiveBatch::new();
    let mut all = Vec::new();
    let mut end = Instant::now() + Duration::from_millis(100);
    while Instant::now() < end {
        match batch.fill(fd) {
            Ok(_) => end = Instant::now() + Duration::from_millis(100),
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
        for received in batch.iter() {
            all.push(match ingress(family, received) {
                Some(Ingress::V4 { datagram }) => {
                    format!("ttl {} payload {:?}", datagram[8], &datagram[20..])
                }
                Some(Ingress::V6 {
                    src,
                    dst,
                    hop_limit,
                    payload,
                }) => format!("{src} to {dst} ttl {hop_limit} payload {payload:?}"),
                None => "incomplete".to_owned(),
            });
        }
    }
    all
}

fn no_failure(unsent: Unsent) {
    panic!("{unsent:?}");
}

#[test]
fn ipv4_multicast_goes_over_the_cable_and_not_back() {
    in_namespace(|| {
        cable();
        ip("address add 10.9.0.1/24 dev va");
        ip("address add 10.9.0.2/24 dev vb");
        let mut io = pair(Some(GROUP_V4.into()), Family::V4);
        let src = Ipv4Addr::new(10, 9, 0, 1);
        let packet = datagram_v4(src, GROUP_V4, &[0x21, 1, 2, 3]);
        for number in 0..3 {
            io.push(advert(number, src, GROUP_V4), &packet, &mut no_failure);
        }
        assert_eq!(io.collected(), 3);
        io.flush(&mut no_failure);
        assert_eq!(io.collected(), 0);
        let expected = vec!["ttl 255 payload [33, 1, 2, 3]"; 3];
        assert_eq!(arrivals(&io, B), expected);
        assert!(arrivals(&io, A).is_empty());
    });
}

#[test]
fn ipv4_multicast_needs_no_address_and_no_route() {
    in_namespace(|| {
        cable();
        let mut io = pair(Some(GROUP_V4.into()), Family::V4);
        let src = Ipv4Addr::new(10, 9, 0, 1);
        let packet = datagram_v4(src, GROUP_V4, &[0x21]);
        io.push(advert(0, src, GROUP_V4), &packet, &mut no_failure);
        io.flush(&mut no_failure);
        assert_eq!(arrivals(&io, B).len(), 1);
    });
}

#[test]
fn ipv6_multicast_arrives_with_its_header_fields_and_untouched() {
    in_namespace(|| {
        cable();
        let mut io = pair(Some(GROUP_V6.into()), Family::V6);
        let src: Ipv6Addr = "fe80::ff:fe00:a".parse().expect("an address");
        // The checksum is wrong on purpose: the kernel neither corrects nor checks it.
        let payload = [0x31, 1, 100, 1, 0, 100, 0xab, 0xcd];
        io.push(advert(0, src, GROUP_V6), &payload, &mut no_failure);
        io.flush(&mut no_failure);
        let line = format!("{src} to {GROUP_V6} ttl 255 payload {payload:?}");
        assert_eq!(arrivals(&io, B), [line]);
        assert!(arrivals(&io, A).is_empty());
    });
}

#[test]
fn unicast_carries_the_hop_limit_that_was_asked_for() {
    in_namespace(|| {
        cable();
        let (src, dst) = ("2001:db8::a", "2001:db8::b");
        ip(&format!("address add {src}/64 dev va nodad"));
        let mut io = pair(None, Family::V6);
        let src: Ipv6Addr = src.parse().expect("an address");
        let dst: Ipv6Addr = dst.parse().expect("an address");
        // Both ends are on one host: keep it from taking the short way.
        ip(&format!(
            "neighbour add {dst} lladdr 02:00:00:00:00:0b dev va"
        ));
        ip(&format!("address add {dst}/128 dev vb nodad"));
        await_local(&src.to_string(), "va");
        await_local(&dst.to_string(), "vb");
        ip(&format!("route del local {dst} dev vb table local"));
        ip(&format!("route add local {dst} dev vb table 7"));
        ip("-6 rule add iif vb lookup 7 priority 1");
        let mut mild = advert(0, src, dst);
        mild.hop_limit = 7;
        io.push(mild, &[0x31], &mut no_failure);
        io.flush(&mut no_failure);
        let line = format!("{src} to {dst} ttl 7 payload [49]");
        assert_eq!(arrivals(&io, B), [line]);
    });
}

#[test]
fn one_advert_that_fails_does_not_stop_the_others() {
    in_namespace(|| {
        cable();
        ip("address add 10.9.0.1/24 dev va");
        let mut io = pair(Some(GROUP_V4.into()), Family::V4);
        let src = Ipv4Addr::new(10, 9, 0, 1);
        // Not allowed without SO_BROADCAST.
        let nowhere = Ipv4Addr::BROADCAST;
        // More than one system call takes.
        let mut unsent = Vec::new();
        for number in 0..300 {
            let dst = if number % 100 == 50 {
                nowhere
            } else {
                GROUP_V4
            };
            let packet = datagram_v4(src, dst, &[number as u8]);
            io.push(advert(number, src, dst), &packet, &mut no_failure);
        }
        io.flush(&mut |failed| unsent.push(failed));
        let instances: Vec<_> = unsent.iter().map(|failed| failed.instance.0).collect();
        let sent = arrivals(&io, B);
        assert_eq!((instances, sent.len()), (vec![50, 150, 250], 297));
        assert!(
            unsent
                .iter()
                .all(|failed| failed.dst == nowhere && failed.errno.0 == libc::EACCES)
        );
        assert_eq!(sent[50], "ttl 255 payload [51]");
    });
}

#[test]
fn a_datagram_that_is_too_long_is_cut_not_lost() {
    in_namespace(|| {
        cable();
        let mut io = pair(Some(GROUP_V6.into()), Family::V6);
        let src: Ipv6Addr = "fe80::ff:fe00:a".parse().expect("an address");
        let payload = vec![0x31; RECEIVE_MAX + 100];
        io.push(advert(0, src, GROUP_V6), &payload, &mut no_failure);
        io.flush(&mut no_failure);
        let (fd, _) = io.get(B).expect("open");
        std::thread::sleep(Duration::from_millis(50));
        let mut batch = ReceiveBatch::new();
        assert_eq!(batch.fill(fd).expect("reads"), 1);
        let lengths: Vec<_> = batch.iter().map(|received| received.bytes.len()).collect();
        assert_eq!(lengths, [RECEIVE_MAX]);
    });
}

#[test]
fn packets_that_find_no_room_are_noticed_once() {
    in_namespace(|| {
        cable();
        let mut io = pair(Some(GROUP_V4.into()), Family::V4);
        let src = Ipv4Addr::new(10, 9, 0, 1);
        let datagram = datagram_v4(src, GROUP_V4, &[0x31; 20]);
        let send = |io: &mut VrrpIo, count| {
            for number in 0..count {
                io.push(advert(number, src, GROUP_V4), &datagram, &mut no_failure);
            }
            io.flush(&mut no_failure);
        };
        send(&mut io, 100);
        assert_eq!(arrivals(&io, B).len(), 100);
        assert!(!io.take_overflow(B));
        send(&mut io, 10_000);
        let kept = arrivals(&io, B).len();
        assert!((RECEIVE_BATCH..10_000).contains(&kept), "{kept} had room");
        assert!(io.take_overflow(B));
        assert!(!io.take_overflow(B));
        assert!(!io.take_overflow(A) && !io.take_overflow(SocketId(9)));
    });
}

#[test]
fn what_cannot_be_opened_or_sent_is_told() {
    in_namespace(|| {
        cable();
        let mut io = VrrpIo::default();
        let missing = SocketSpec {
            ifindex: IfIndex(9_999),
            family: Family::V4,
            group: Some(GROUP_V4.into()),
        };
        let error = io.open(A, missing, 0).expect_err("no such interface");
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        let mixed = spec("va", Some(GROUP_V6.into()), Family::V4);
        let error = io
            .open(A, mixed, 0)
            .expect_err("a group of the other family");
        assert_eq!(error.raw_os_error(), Some(libc::EAFNOSUPPORT));

        let mut errors = Vec::new();
        let src = Ipv4Addr::new(10, 9, 0, 1);
        io.push(advert(0, src, GROUP_V4), &[], &mut |failed| {
            errors.push(failed.errno);
        });
        let fd = io
            .open(A, spec("va", Some(GROUP_V4.into()), Family::V4), 0)
            .expect("opens");
        let priority = get_int(fd, libc::SOL_SOCKET, libc::SO_PRIORITY);
        assert_eq!(priority.expect("reads"), 7);
        io.push(advert(0, src, GROUP_V6), &[], &mut |failed| {
            errors.push(failed.errno);
        });
        assert_eq!(errors, [Errno(libc::EBADF), Errno(libc::EAFNOSUPPORT)]);
        io.close(A);
        assert_eq!(io.get(A), None);
    });
}
