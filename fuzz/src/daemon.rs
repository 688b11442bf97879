//! What the daemon reads from outside, through its one door.

use std::net::{IpAddr, Ipv4Addr};

use relevo_core::config::{HostFacts, load};
use relevo_core::ids::IfIndex;
use relevo_core::kernel::{AddressAttrs, AddressKey, KernelEvent, KernelOp};
use relevo_core::time::Instant;
use relevo_core::trace;
use relevo_core::vrrp::VrrpEvent;
use relevo_daemon::fuzzing;

use crate::bytes::Bytes;
use crate::trail::Trail;

/// Words of command lines.
pub const OPTION_WORDS: &[&str] = &[
    "-f",
    "-t",
    "-tfile",
    "-P",
    "-C",
    "-n",
    "-l",
    "-D",
    "-S",
    "7",
    "local0",
    "-G",
    "-g",
    "-u",
    "022",
    "0x1f",
    "-h",
    "-v",
    "-p",
    "-r",
    "-x",
    "-m",
    "-i",
    "--",
    "--signum=STOP",
    "--signum",
    "DATA",
    "--config-test",
    "--config-test=x",
    "--use-file=x",
    "--dont-fork",
    "--log-",
    "--log-console",
    "--log-facility=9",
    "--umask=999",
    "--vrrp",
    "--no-such",
    "-nlD",
    "-s",
    "ns",
    "--all",
    "--help=x",
    "--version",
    "--genhash",
    "--dump-conf",
    "--core-dump",
    "--pid=/x",
    "--ignore-sigint",
    "-",
];

/// Words of the small texts, and of the hidden word.
pub const SMALL_WORDS: &[&str] = &[
    "1",
    "0",
    "4294967296",
    "+1",
    "-1",
    "local7",
    "daemon",
    "user",
    "0777",
    "0x1ff",
    "01000",
    "CapEff:\t",
    "CapPrm:\t0\n",
    "@name",
    "/run/systemd/notify",
    "--relevo-child=",
    "vrrp",
    ",3",
    ",4",
    "checkers",
    "bfd",
    "--relevo-child=vrrp,3,4",
];

/// A datagram of the kernel: every message, and what each means; an event survives the way to text
/// and back.
pub fn netlink(data: &[u8], trail: &mut Trail) {
    let mut told = |event: KernelEvent<'_>| {
        if let KernelEvent::Link(link) = &event
            && (link.name.is_empty() || link.name.contains(char::is_whitespace))
        {
            // No kernel has such a name.
            return;
        }
        let event = VrrpEvent::Kernel(event);
        let line = trace::event_line(Instant::ZERO, &event);
        let line = trace::Line::parse(&line).expect("the line of an event can be read");
        assert_eq!(line.input(), Ok(trace::Input::Event(event)));
    };
    fuzzing::netlink(data, &mut |words| trail.mark(words), &mut told);
}

/// Changes of addresses, as they are asked of the kernel.
pub fn netlink_changes(data: &[u8], trail: &mut Trail) {
    let mut bytes = Bytes::new(data);
    let mut changes = Vec::new();
    while !bytes.is_empty() {
        let how = bytes.u8();
        let addr: IpAddr = if how & 1 == 0 {
            bytes.array::<4>().into()
        } else {
            bytes.array::<16>().into()
        };
        let key = AddressKey {
            ifindex: IfIndex(u32::from(bytes.u8())),
            addr,
            prefix: bytes.u8(),
        };
        if how & 2 != 0 {
            changes.push(KernelOp::DelAddress { key });
            continue;
        }
        let label = bytes.below(20);
        let attrs = AddressAttrs {
            scope: bytes.u8(),
            broadcast: (how & 4 != 0).then(|| Ipv4Addr::from(bytes.array())),
            label: (how & 8 != 0).then(|| String::from_utf8_lossy(bytes.take(label)).into_owned()),
            nodad: how & 16 != 0,
            deprecated: how & 32 != 0,
            no_prefix_route: how & 64 != 0,
        };
        changes.push(KernelOp::AddAddress { key, attrs });
    }
    fuzzing::netlink_changes(&changes, &mut |words| trail.mark(words));
}

/// Answers to changes: the first octet says how many were sent, under numbers from the second on.
pub fn netlink_answers(data: &[u8], trail: &mut Trail) {
    let mut bytes = Bytes::new(data);
    let (count, first) = (bytes.u8() % 8, u32::from(bytes.u8()));
    let seqs: Vec<u32> = (0..u32::from(count)).map(|index| first + index).collect();
    let datagram = bytes.rest();
    fuzzing::netlink_answers(&seqs, datagram, &mut |words| trail.mark(words));
}

/// Ancillary data: 28 octets of address, then up to 128 of data.
pub fn ancillary(data: &[u8], trail: &mut Trail) {
    let mut bytes = Bytes::new(data);
    let (name_len, control_len) = (bytes.u8(), bytes.u8());
    let name = bytes.take(usize::from(name_len % 32));
    let control = bytes.take(usize::from(control_len % 140));
    fuzzing::ancillary(name, control, bytes.rest(), &mut |words| trail.mark(words));
    let mut bytes = Bytes::new(data);
    fuzzing::ancillary_written(bytes.array::<16>().into(), bytes.u32(), bytes.u8());
}

/// A command line: words between newlines.
pub fn command_line(data: &[u8], trail: &mut Trail) {
    let words: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    fuzzing::command_line(&words, &mut |words| trail.mark(words));
}

/// Pid file, facility, mask, capabilities, NOTIFY_SOCKET, the hidden word of a child.
pub fn small_texts(data: &[u8], trail: &mut Trail) {
    fuzzing::small_texts(data, &mut |words| trail.mark(words));
    fuzzing::child_word(data, &mut |words| trail.mark(words));
}

/// A packet between parent and child.
pub fn voice(data: &[u8], trail: &mut Trail) {
    fuzzing::voice(data, &mut |words| trail.mark(words));
}

/// Words of the control socket.
pub const CONTROL_WORDS: &[&str] = &[
    "status\n",
    "status json\n",
    "plan\n",
    "reload\r\n",
    "journal\n",
    "version\n",
    "ok 12\n",
    "error 0\n",
    "\n",
];

/// What is said on the control socket: the length of a piece, then the octets.
pub fn control(data: &[u8], trail: &mut Trail) {
    let mut bytes = Bytes::new(data);
    let piece = usize::from(bytes.u8());
    fuzzing::control(bytes.rest(), piece, &mut |words| trail.mark(words));
}

/// Any text as a line of the log.
pub fn log_line(data: &[u8], trail: &mut Trail) {
    // Lines at the ceiling from short inputs.
    let text = String::from_utf8_lossy(data);
    for times in [1, 64] {
        fuzzing::log_line(&text.repeat(times), &mut |words| trail.mark(words));
    }
}

/// The findings of a configuration, shown in their text.
pub fn report(data: &[u8], trail: &mut Trail) {
    let text = String::from_utf8_lossy(data);
    let (_, mut found) = load("fuzz.conf", &text, &HostFacts::default());
    found.truncate(8);
    fuzzing::report(&text, &found, &mut |words| trail.mark(words));
}
