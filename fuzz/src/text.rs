//! Trace lines, and a machine's snapshot.

use std::sync::Arc;

use relevo_core::config::bound::{Bound, InstanceConfig, VirtualAddress};
use relevo_core::ids::{Errno, IfIndex, InstanceId, OpId, SocketId, Version};
use relevo_core::kernel::{AddressKey, KernelEvent, Link};
use relevo_core::machine::{Machine, Out};
use relevo_core::time::Instant;
use relevo_core::trace::{self, Input, Line};
use relevo_core::vrrp::snapshot::{self, RECORD_LEN, Record, Records};
use relevo_core::vrrp::{Command, Ingress, StateName, VrrpEvent, VrrpNode};

use crate::bytes::Bytes;
use crate::trail::Trail;

/// Words of trace lines.
pub const TRACE_WORDS: &[&str] = &[
    "link",
    "link-gone",
    "address",
    "address-gone",
    "dump-start",
    "dump-end",
    "packet4",
    "packet6",
    "done",
    "socket",
    "send-failed",
    "stop",
    "continue",
    "timeout",
    "ok",
    "errno=17",
    "errno=-1",
    "mac=020000000001",
    "mac=",
    "up",
    "running",
    "loopback",
    "noarp",
    "multicast",
    "forwarding",
    "mtu=1500",
    "mtu=0",
    "tentative",
    "dad-failed",
    "secondary",
    "proto=18",
    "eth0",
    "10.0.0.1/24",
    "fe80::1/64",
    "::/129",
    "fe80::1",
    "45",
    "4500",
];

/// An event that is read from a line is written as a line that gives the same event.
pub fn trace(data: &[u8], trail: &mut Trail) {
    let text = String::from_utf8_lossy(data);
    for text in text.lines() {
        let line = match Line::parse(text) {
            Ok(line) => line,
            Err(error) => {
                trail.mark(format_args!("line: {}", error.problem));
                assert_eq!(error.line, text);
                continue;
            }
        };
        match line.input() {
            Err(error) => trail.mark(format_args!("{}: {}", word(text), error.problem)),
            Ok(Input::Timeout) => trail.mark(format_args!("timeout")),
            Ok(Input::Reload(number)) => {
                trail.mark(format_args!("reload"));
                let bound = Arc::default();
                let again = trace::event_line(line.at, &VrrpEvent::Reload { number, bound });
                let second = Line::parse(&again).expect("what was written can be read");
                assert_eq!(second.input(), Ok(Input::Reload(number)), "{again}");
            }
            Ok(Input::Event(event)) => {
                trail.mark(format_args!("{}", word(text)));
                let again = trace::event_line(line.at, &event);
                assert!(!again.contains('\n'), "{again:?}");
                let second = Line::parse(&again).expect("what was written can be read");
                assert_eq!(second.at, line.at);
                assert_eq!(second.input(), Ok(Input::Event(event)), "{again}");
            }
        }
    }
}

/// The word that says what happened, if it is one of ours.
fn word(line: &str) -> &str {
    let word = line.split_ascii_whitespace().nth(1).unwrap_or("");
    TRACE_WORDS
        .iter()
        .find(|known| **known == word)
        .copied()
        .unwrap_or("other")
}

/// Any event at all is read from its line as it was.
pub fn trace_event(data: &[u8], trail: &mut Trail) {
    let mut bytes = Bytes::new(data);
    let at = Instant::from_micros(u64::from(bytes.u32()) << (bytes.u8() % 33));
    let kind = bytes.u8() % 12;
    let len = bytes.below(12);
    let name = String::from_utf8_lossy(bytes.take(len)).replace(|c: char| c.is_whitespace(), "_");
    // An interface always has a name; these look like something else.
    let name = match kind {
        0 if name.is_empty() => bytes
            .pick(&["up", "mtu=1", "mac=02", "running", "0"])
            .to_owned(),
        _ => name,
    };
    let addr = if bytes.one_in(2) {
        bytes.array::<16>().into()
    } else {
        bytes.array::<4>().into()
    };
    let (number, flags) = (bytes.u32(), bytes.u8());
    let key = AddressKey {
        ifindex: IfIndex(number),
        addr,
        prefix: bytes.u8(),
    };
    let errno = Errno(bytes.u32().cast_signed());
    let result = if flags & 1 == 0 { Ok(()) } else { Err(errno) };
    let rest = bytes.rest();
    let event = match kind {
        0..=3 => VrrpEvent::Kernel(kernel_event(kind, key, flags, &name, rest)),
        4 => VrrpEvent::Packet {
            socket: SocketId(number),
            packet: Ingress::V4 { datagram: rest },
        },
        5 => VrrpEvent::Packet {
            socket: SocketId(number),
            packet: Ingress::V6 {
                src: [flags; 16].into(),
                dst: [key.prefix; 16].into(),
                hop_limit: flags,
                payload: rest,
            },
        },
        6 => VrrpEvent::Done {
            op: OpId(u64::from(number) << 20),
            result,
        },
        7 => VrrpEvent::Socket {
            socket: SocketId(number),
            result,
        },
        8 => VrrpEvent::SendFailed {
            instance: InstanceId(number),
            dst: addr,
            errno,
        },
        9 => VrrpEvent::Command(Command::Stop),
        10 => VrrpEvent::PacketsLost {
            socket: SocketId(number),
        },
        _ => VrrpEvent::Continue,
    };
    let text = trace::event_line(at, &event);
    let line = Line::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    trail.mark(format_args!("{}", word(&text)));
    assert_eq!(
        (line.at, line.input()),
        (at, Ok(Input::Event(event.clone()))),
        "{text}"
    );
}

/// Something that the kernel may tell.
fn kernel_event<'a>(
    kind: u8,
    key: AddressKey,
    flags: u8,
    name: &'a str,
    mac: &'a [u8],
) -> KernelEvent<'a> {
    let ifindex = key.ifindex;
    match kind {
        0 => KernelEvent::Link(Link {
            ifindex,
            name,
            mac,
            admin_up: flags & 1 != 0,
            running: flags & 2 != 0,
            loopback: flags & 4 != 0,
            no_arp: flags & 8 != 0,
            multicast: flags & 16 != 0,
            forwarding: flags & 32 != 0,
            mtu: ifindex.0,
        }),
        1 => KernelEvent::Address {
            key,
            tentative: flags & 1 != 0,
            dad_failed: flags & 2 != 0,
            secondary: flags & 4 != 0,
            protocol: flags,
        },
        2 => KernelEvent::AddressGone { key },
        _ => KernelEvent::LinkGone { ifindex },
    }
}

/// What a predecessor left: records of whatever kind, the first one by itself.
pub fn snapshot(data: &[u8], trail: &mut Trail) {
    let whole = snapshot::sealed(data);
    for record in [data, &whole] {
        match Record::decode(record) {
            Ok(read) => {
                trail.mark(format_args!("{:?} {:?}", read.state, read.heard.is_some()));
                let mut again = Vec::new();
                read.encode(&mut again);
                assert_eq!(again, record, "another text of the same record");
            }
            Err(error) => trail.mark(format_args!("{error:?}")),
        }
    }
    let address = VirtualAddress::new([192, 0, 2, 1].into(), 32);
    let config = InstanceConfig::new("VI_1", "eth0", Version::V3, 51, vec![address]);
    let bound = Arc::new(Bound {
        instances: vec![config],
        ..Bound::default()
    });
    let mut records = Records::new(Instant::ZERO);
    for (slot, part) in (0..).zip(data.chunks(RECORD_LEN)) {
        records.add(slot, part, Some(Instant::from_micros(1)), 1);
    }
    records.add(9, &whole, Some(Instant::from_micros(1)), u64::MAX);
    let now = Instant::from_micros(2_000_000);
    let mut node = VrrpNode::resume(bound, &records, 1, now);
    // Nothing counts before the kernel's first picture.
    assert_eq!(node.state(InstanceId(0)), StateName::Init);
    let mut out = Out::new();
    for event in [KernelEvent::DumpStart, KernelEvent::DumpEnd] {
        out.clear();
        node.handle(VrrpEvent::Kernel(event), now, &mut out);
    }
    for action in out.actions() {
        trail.mark(format_args!("{:?}", std::mem::discriminant(action)));
    }
}
