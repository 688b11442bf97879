//! The ring of last inputs.

use relevo_core::ids::{Errno, IfIndex, OpId, SocketId};
use relevo_core::journal::{self, Journal, Secrets, What};
use relevo_core::kernel::{AddressKey, KernelEvent};
use relevo_core::time::Instant;
use relevo_core::trace::{self, Line};
use relevo_core::vrrp::{Command, Ingress, VrrpEvent};

use crate::bytes::Bytes;
use crate::trail::Trail;

/// Events of one input.
const EVENTS: usize = 60;
/// Packets that fill most of the ring, each of no known kind and so kept as zeros.
const FILLER: [u8; 500] = [0; 500];
const FILLERS: usize = 120;

/// Any octets as an image: records until one cannot be read, and each a line.
pub fn image(data: &[u8], trail: &mut Trail) {
    let text = journal::text(data);
    assert!(text.starts_with("# relevo journal 1\n") && text.ends_with('\n'));
    let image = match journal::image(data) {
        Ok(image) => image,
        Err(why) => return trail.mark(format_args!("{why:?}")),
    };
    let (mut good, mut bad) = (0, 0);
    for record in image {
        match record {
            Ok(record) => {
                assert_eq!(bad, 0, "a record behind one that cannot be read");
                good += 1;
                let line = record.to_string();
                assert!(!line.contains('\n'), "{line:?}");
                assert!(text.contains(&line));
                trail.mark(format_args!("{}", kind(&record.what)));
            }
            Err(why) => {
                bad += 1;
                trail.mark(format_args!("{why:?}"));
            }
        }
    }
    assert!(good <= data.len() / 4 && bad <= 1);
}

fn kind(what: &What<'_>) -> &'static str {
    match what {
        What::Timeout => "timeout",
        What::Event(VrrpEvent::Continue) => "continue",
        What::Event(VrrpEvent::Packet { packet, .. }) => match packet {
            Ingress::V4 { .. } => "packet4",
            Ingress::V6 { .. } => "packet6",
        },
        What::Event(_) => panic!("{what:?} is not kept as such"),
        What::Words(_) => "words",
        What::LeftOut { .. } => "left out",
    }
}

/// Events into the ring: the youngest come out as they went in, and the others are counted.
pub fn ring(data: &[u8], trail: &mut Trail) {
    let mut bytes = Bytes::new(data);
    let mut now = Instant::from_micros(u64::from(bytes.u32()));
    let mut journal = Journal::new(now, 1);
    let mut lines = vec![
        "# relevo journal 1".to_owned(),
        format!("# began at {}, seed 1", now.as_micros()),
    ];
    let mut all = Vec::new();
    // Long packets fill the ring with few octets of input.
    let mut packet = vec![0xff; 8 + 32 * 16];
    // Version 3, with 32 addresses.
    packet[0] = 0x31;
    packet[3] = 32;
    // Filled to near its end before the input begins.
    let filler = VrrpEvent::Packet {
        socket: SocketId(0),
        packet: Ingress::V4 { datagram: &FILLER },
    };
    for _ in 0..FILLERS {
        journal.on_event(&filler, &Secrets::default(), now);
        all.push(trace::event_line(now, &filler));
    }
    for _ in 0..EVENTS {
        if bytes.is_empty() {
            break;
        }
        now = Instant::from_micros(now.as_micros() + (u64::from(bytes.u16()) << (bytes.u8() % 32)));
        match event(&mut bytes, &packet) {
            None => {
                journal.on_timeout(now);
                all.push(trace::timeout_line(now));
            }
            Some(event) => {
                journal.on_event(&event, &Secrets::default(), now);
                all.push(trace::event_line(now, &event));
            }
        }
    }
    let mut image = Vec::new();
    journal.copy_into(&mut image);
    assert!(image.len() <= journal::IMAGE_MAX);
    let gone = journal.overwritten() as usize;
    if gone > 0 {
        lines.push(format!("# {gone} older inputs were overwritten"));
    }
    lines.extend(all.drain(gone..));
    trail.mark(format_args!("overwritten {}", gone.min(20)));
    let text = journal::text(&image);
    assert!(text.lines().eq(lines.iter().map(String::as_str)));
    // The long ones are all alike, and take long.
    let is_short = |line: &&String| !line.starts_with('#') && line.len() < 200;
    for line in lines.iter().filter(is_short) {
        let line = Line::parse(line).expect("a line of a trace");
        line.input().expect("an input");
    }
}

/// An event that has no secret in it; none for a timeout.
fn event<'a>(bytes: &mut Bytes<'_>, packet: &'a [u8]) -> Option<VrrpEvent<'a>> {
    let kind = bytes.u8() % 10;
    let socket = SocketId(u32::from(bytes.u8()) << (bytes.u8() % 24));
    let key = AddressKey {
        ifindex: IfIndex(u32::from(bytes.u8())),
        addr: bytes.array::<4>().into(),
        prefix: bytes.u8(),
    };
    let count = bytes.u8();
    Some(match kind {
        0 => return None,
        1 => VrrpEvent::Continue,
        2 => VrrpEvent::Command(Command::Stop),
        3 => VrrpEvent::PacketsLost { socket },
        4 => VrrpEvent::Kernel(KernelEvent::AddressGone { key }),
        5 => VrrpEvent::Done {
            op: OpId(u64::from(socket.0)),
            result: Err(Errno(i32::from(count))),
        },
        _ => VrrpEvent::Packet {
            socket,
            packet: Ingress::V6 {
                src: bytes.array::<16>().into(),
                dst: [count; 16].into(),
                hop_limit: count,
                payload: packet,
            },
        },
    })
}
