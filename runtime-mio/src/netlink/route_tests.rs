//! Messages as bytes and as meaning; nothing here needs a kernel.

use std::io::Cursor;
use std::net::IpAddr;

use relevo_core::ids::{Errno, IfIndex};
use relevo_core::kernel::{AddressAttrs, AddressKey, KernelEvent, KernelOp};

use super::route::{
    Malformed, Meaning, Table, ask_for_answer, encode_change, encode_dump, messages,
};

fn key(ifindex: u32, addr: &str, prefix: u8) -> AddressKey {
    AddressKey {
        ifindex: IfIndex(ifindex),
        addr: addr.parse::<IpAddr>().expect("an address"),
        prefix,
    }
}

fn encoded(change: &KernelOp) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    encode_change(&mut bytes, 7, change).expect("encodes");
    bytes.into_inner()
}

fn has_attribute(message: &[u8], kind: u16, value: &[u8]) -> bool {
    let mut whole = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
    whole.extend_from_slice(&kind.to_ne_bytes());
    whole.extend_from_slice(value);
    message
        .get(24..)
        .is_some_and(|attributes| attributes.windows(whole.len()).any(|part| part == whole))
}

#[test]
fn an_address_to_add_carries_what_was_asked_for() {
    let attrs = AddressAttrs {
        scope: 253,
        broadcast: Some([192, 0, 2, 255].into()),
        label: Some("eth0:1".to_owned()),
        nodad: true,
        deprecated: true,
        no_prefix_route: true,
    };
    let change = KernelOp::AddAddress {
        key: key(3, "192.0.2.1", 24),
        attrs,
    };
    let bytes = encoded(&change);
    assert_eq!(bytes.len() % 4, 0);
    assert_eq!(bytes[..4], (bytes.len() as u32).to_ne_bytes());
    assert_eq!(bytes[4..6], libc::RTM_NEWADDR.to_ne_bytes());
    // NLM_F_REQUEST | NLM_F_EXCL | NLM_F_CREATE: never NLM_F_REPLACE, and NLM_F_ACK when asked for.
    assert_eq!(bytes[6..8], 0x601u16.to_ne_bytes());
    let mut asking = bytes.clone();
    ask_for_answer(&mut asking);
    assert_eq!(asking[6..8], 0x605u16.to_ne_bytes());
    assert_eq!((&asking[..6], &asking[8..]), (&bytes[..6], &bytes[8..]));
    ask_for_answer(&mut asking[..7]);
    assert_eq!(bytes[8..12], 7u32.to_ne_bytes());
    assert_eq!(bytes[16..20], [2, 24, 0, 253]);
    assert_eq!(bytes[20..24], 3u32.to_ne_bytes());
    assert!(has_attribute(&bytes, libc::IFA_LOCAL, &[192, 0, 2, 1]));
    assert!(has_attribute(&bytes, libc::IFA_ADDRESS, &[192, 0, 2, 1]));
    assert!(has_attribute(
        &bytes,
        libc::IFA_BROADCAST,
        &[192, 0, 2, 255]
    ));
    assert!(has_attribute(&bytes, libc::IFA_LABEL, b"eth0:1\0"));
    // Duplicate address detection and lifetimes are matters of IPv6.
    let flags = libc::IFA_F_NOPREFIXROUTE.to_ne_bytes();
    assert!(has_attribute(&bytes, libc::IFA_FLAGS, &flags));
    assert!(has_attribute(&bytes, 11, &[18]));
}

#[test]
fn an_ipv6_address_to_add_is_usable_at_once_and_no_source() {
    let attrs = AddressAttrs {
        nodad: true,
        deprecated: true,
        broadcast: Some([192, 0, 2, 255].into()),
        label: Some("eth0:1".to_owned()),
        ..AddressAttrs::default()
    };
    let change = KernelOp::AddAddress {
        key: key(3, "2001:db8::64", 128),
        attrs,
    };
    let bytes = encoded(&change);
    assert_eq!(bytes[16..20], [10, 128, 0, 0]);
    let flags = libc::IFA_F_NODAD.to_ne_bytes();
    assert!(has_attribute(&bytes, libc::IFA_FLAGS, &flags));
    let mut lifetimes = [0; 16];
    lifetimes[4..8].fill(0xff);
    assert!(has_attribute(&bytes, libc::IFA_CACHEINFO, &lifetimes));
    assert!(!has_attribute(&bytes, libc::IFA_LABEL, b"eth0:1\0"));
    assert!(!has_attribute(
        &bytes,
        libc::IFA_BROADCAST,
        &[192, 0, 2, 255]
    ));
}

#[test]
fn an_address_to_delete_is_only_named() {
    let change = KernelOp::DelAddress {
        key: key(3, "192.0.2.1", 24),
    };
    let bytes = encoded(&change);
    assert_eq!(bytes[4..6], libc::RTM_DELADDR.to_ne_bytes());
    assert_eq!(bytes[6..8], 0x001u16.to_ne_bytes());
    assert_eq!(bytes.len(), 16 + 8 + 8 + 8);
}

#[test]
fn changes_stand_one_behind_the_other() {
    let change = KernelOp::AddAddress {
        key: key(3, "192.0.2.1", 24),
        attrs: AddressAttrs {
            label: Some("eth0:1".to_owned()),
            ..AddressAttrs::default()
        },
    };
    let mut bytes = Cursor::new(Vec::new());
    for seq in 1..=3 {
        encode_change(&mut bytes, seq, &change).expect("encodes");
    }
    let seqs: Vec<_> = messages(bytes.get_ref())
        .map(|message| message.expect("whole").seq)
        .collect();
    assert_eq!(seqs, [1, 2, 3]);
}

#[test]
fn a_table_is_asked_for_by_its_kind() {
    for (table, kind) in [
        (Table::Links, libc::RTM_GETLINK),
        (Table::Addresses, libc::RTM_GETADDR),
    ] {
        let mut bytes = Cursor::new(Vec::new());
        encode_dump(&mut bytes, 9, table).expect("encodes");
        let bytes = bytes.into_inner();
        assert_eq!(bytes[4..6], kind.to_ne_bytes());
        // NLM_F_REQUEST | NLM_F_DUMP.
        assert_eq!(bytes[6..8], 0x301u16.to_ne_bytes());
    }
}

#[test]
fn lengths_that_lie_end_the_walk() {
    assert_eq!(messages(&[]).count(), 0);
    for len in [0u32, 1, 15, 17, u32::MAX] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        let walked: Vec<_> = messages(&bytes).collect();
        assert_eq!(walked, [Err(Malformed)], "length {len}");
    }
}

#[cfg(target_endian = "little")]
mod of_the_kernel {
    use super::super::testdata;
    use super::*;
    use relevo_core::kernel::Link;

    fn bytes(digits: &str) -> Vec<u8> {
        let digits: Vec<_> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|pair| (pair[0] << 4 | pair[1]) as u8)
            .collect()
    }

    /// The meaning of the only message of a datagram; panics if it is malformed.
    fn with_meaning(digits: &str, check: impl FnOnce(Meaning<'_>)) {
        let datagram = bytes(digits);
        let mut all = messages(&datagram);
        let message = all.next().expect("a message").expect("whole");
        assert!(all.next().is_none());
        check(message.decode().expect("decodes"));
    }

    fn expect_event(digits: &str, expected: &KernelEvent<'_>) {
        with_meaning(digits, |meaning| match meaning {
            Meaning::Event(event) => assert_eq!(event, *expected),
            other => panic!("{other:?}"),
        });
    }

    fn address(key: AddressKey) -> KernelEvent<'static> {
        KernelEvent::Address {
            key,
            tentative: false,
            dad_failed: false,
            secondary: false,
            protocol: 0,
        }
    }

    #[test]
    fn addresses_are_read() {
        let key = key;
        expect_event(testdata::ADDRESS_LABEL, &address(key(3, "192.0.2.1", 24)));
        // The address is our end, not the peer's.
        expect_event(testdata::ADDRESS_PEER, &address(key(3, "192.0.2.9", 32)));
        expect_event(testdata::ADDRESS_V6, &address(key(3, "2001:db8::64", 128)));
        expect_event(
            testdata::ADDRESS_SECONDARY,
            &KernelEvent::Address {
                key: key(3, "192.0.2.100", 24),
                tentative: false,
                dad_failed: false,
                secondary: true,
                protocol: 0,
            },
        );
        expect_event(
            testdata::ADDRESS_GONE,
            &KernelEvent::AddressGone {
                key: key(3, "192.0.2.100", 24),
            },
        );
    }

    #[test]
    fn the_flags_of_an_ipv6_address_are_read() {
        let mut datagram = bytes(testdata::ADDRESS_V6);
        let flags_at = datagram.len() - 4;
        for (flags, expected) in [
            (libc::IFA_F_TENTATIVE, (true, false, false)),
            (
                libc::IFA_F_TENTATIVE | libc::IFA_F_OPTIMISTIC,
                (false, false, false),
            ),
            (
                libc::IFA_F_TENTATIVE | libc::IFA_F_DADFAILED,
                (true, true, false),
            ),
            (libc::IFA_F_TEMPORARY, (false, false, false)),
        ] {
            datagram[flags_at..].copy_from_slice(&flags.to_ne_bytes());
            let message = messages(&datagram)
                .next()
                .expect("a message")
                .expect("whole");
            let Ok(Meaning::Event(KernelEvent::Address {
                tentative,
                dad_failed,
                secondary,
                ..
            })) = message.decode()
            else {
                panic!("{message:?}");
            };
            assert_eq!((tentative, dad_failed, secondary), expected, "{flags:#x}");
        }
    }

    #[test]
    fn links_are_read() {
        expect_event(
            testdata::LINK,
            &KernelEvent::Link(Link {
                ifindex: IfIndex(3),
                name: "va",
                mac: &[2, 0, 0, 0, 0, 10],
                admin_up: true,
                running: false,
                loopback: false,
                no_arp: false,
                multicast: true,
                forwarding: false,
                mtu: 1500,
            }),
        );
        expect_event(
            testdata::LINK_GONE,
            &KernelEvent::LinkGone {
                ifindex: IfIndex(3),
            },
        );
    }

    #[test]
    fn leaving_a_bridge_is_no_end_of_a_link() {
        with_meaning(testdata::BRIDGE_PORT_GONE, |meaning| {
            assert_eq!(meaning, Meaning::Nothing);
        });
    }

    #[test]
    fn answers_are_read() {
        with_meaning(testdata::ACK, |meaning| {
            assert_eq!(meaning, Meaning::Answer(Ok(())));
        });
        with_meaning(testdata::REFUSED, |meaning| {
            assert_eq!(meaning, Meaning::Answer(Err(Errno::ENODEV)));
        });
        with_meaning(testdata::TABLE_END, |meaning| {
            assert_eq!(meaning, Meaning::TableEnd(Ok(())));
        });
    }

    #[test]
    fn every_row_of_a_table_is_read() {
        let datagram = bytes(testdata::TABLE);
        let rows: Vec<_> = messages(&datagram)
            .map(|message| message.and_then(|message| message.decode()))
            .collect();
        assert_eq!(
            rows,
            [
                Ok(Meaning::Event(address(key(1, "127.0.0.1", 8)))),
                Ok(Meaning::Event(KernelEvent::Address {
                    key: key(1, "::1", 128),
                    tentative: false,
                    dad_failed: false,
                    secondary: false,
                    // Given by the kernel to loopback: IFAPROT_KERNEL_LO.
                    protocol: 1,
                })),
            ]
        );
    }

    const ALL: [&str; 12] = [
        testdata::ADDRESS_LABEL,
        testdata::ADDRESS_SECONDARY,
        testdata::ADDRESS_PEER,
        testdata::ADDRESS_GONE,
        testdata::ADDRESS_V6,
        testdata::LINK,
        testdata::BRIDGE_PORT_GONE,
        testdata::LINK_GONE,
        testdata::TABLE,
        testdata::TABLE_END,
        testdata::ACK,
        testdata::REFUSED,
    ];

    fn walk(datagram: &[u8]) -> (usize, usize) {
        let (mut whole, mut malformed) = (0, 0);
        for message in messages(datagram) {
            match message.and_then(|message| message.decode().map(drop)) {
                Ok(()) => whole += 1,
                Err(Malformed) => malformed += 1,
            }
        }
        (whole, malformed)
    }

    #[test]
    fn a_datagram_cut_anywhere_is_malformed() {
        for digits in ALL {
            let datagram = bytes(digits);
            let (whole, malformed) = walk(&datagram);
            assert!(whole > 0 && malformed == 0);
            for len in 1..datagram.len() {
                let (fewer, malformed) = walk(&datagram[..len]);
                // A cut between two messages leaves a shorter table that is whole.
                assert!(malformed == 1 || fewer < whole, "cut at {len}");
            }
        }
    }

    #[test]
    fn a_message_whose_own_length_is_cut_is_never_trusted_beyond_it() {
        for digits in ALL {
            let whole = bytes(digits);
            for len in 0..whole.len() as u32 {
                let mut datagram = whole.clone();
                datagram[..4].copy_from_slice(&len.to_ne_bytes());
                walk(&datagram);
                let mut exact = whole[..len as usize].to_vec();
                if exact.len() >= 4 {
                    exact[..4].copy_from_slice(&len.to_ne_bytes());
                }
                walk(&exact);
            }
        }
    }

    #[test]
    fn an_octet_of_any_value_anywhere_does_no_harm() {
        for digits in ALL {
            let mut datagram = bytes(digits);
            for at in 0..datagram.len() {
                let was = datagram[at];
                for value in [0, 1, 3, 4, 7, 0x7f, 0x80, 0xfe, 0xff, was ^ 1, was ^ 0x80] {
                    datagram[at] = value;
                    walk(&datagram);
                }
                datagram[at] = was;
            }
        }
    }
}
