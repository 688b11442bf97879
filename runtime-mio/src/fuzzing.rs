//! The door through which the fuzz targets reach what this crate reads from outside. What must
//! hold of types that nobody else sees is asserted here.

use std::ffi::{OsStr, OsString};
use std::fmt::Arguments;
use std::io::Cursor;
use std::net::Ipv6Addr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use relevo_core::config::Diagnostic;
use relevo_core::ids::{Errno, Family, OpId};
use relevo_core::kernel::{KernelEvent, KernelOp, ROUTE_PROTOCOL};
use relevo_core::supervisor::Kind;
use relevo_core::vrrp::Ingress;

use crate::child::Inheritance;
use crate::cli::{self, Invocation};
use crate::control::protocol::{self, Head};
use crate::diagnose::{self, Style};
use crate::netlink::{route, socket};
use crate::sys::{caps, msg};
use crate::syslog::Facility;
use crate::voice::{FromChild, MESSAGE_MAX, ToChild};
use crate::{logger, pidfile, sd_notify, vrrp_io};

/// Where the marks of an input go.
pub type Mark<'m> = dyn FnMut(Arguments<'_>) + 'm;

/// Reads a datagram from the kernel: every message, and what each means. `event` is told what the
/// machine would be told.
pub fn netlink(datagram: &[u8], mark: &mut Mark<'_>, event: &mut dyn FnMut(KernelEvent<'_>)) {
    let mut count = 0;
    for message in route::messages(datagram) {
        count += 1;
        let Ok(message) = message else {
            mark(format_args!("a length is a lie"));
            continue;
        };
        let meaning = message.decode();
        assert_eq!(meaning, message.decode());
        let interrupted = message.interrupted();
        match meaning {
            Ok(route::Meaning::Event(told)) => {
                check_event(&told, mark);
                event(told);
            }
            Ok(route::Meaning::Answer(result) | route::Meaning::TableEnd(result)) => {
                let positive = result.is_ok() || result.is_err_and(|errno| errno.0 > 0);
                assert!(positive, "{result:?} is no error number");
                mark(format_args!("answer {}", result.is_ok()));
            }
            Ok(other) => mark(format_args!("{other:?}, interrupted {interrupted}")),
            Err(error) => mark(format_args!("{} {error:?}", message.kind)),
        }
    }
    assert!(count <= datagram.len() / 16 + 1, "{count} messages");
}

fn check_event(event: &KernelEvent<'_>, mark: &mut Mark<'_>) {
    let key = match event {
        KernelEvent::Address {
            key,
            tentative,
            secondary,
            protocol,
            ..
        } => {
            let ours = *protocol == ROUTE_PROTOCOL;
            mark(format_args!(
                "address {} tentative {tentative} secondary {secondary} ours {ours}",
                Family::of(key.addr)
            ));
            key
        }
        KernelEvent::AddressGone { key } => {
            mark(format_args!("address gone {}", Family::of(key.addr)));
            key
        }
        KernelEvent::Link(link) => {
            assert!(link.ifindex.0 > 0 && !link.name.contains('\0'));
            return mark(format_args!(
                "link up {} running {} mac {} forwarding {}",
                link.admin_up,
                link.running,
                link.mac.len().min(7),
                link.forwarding
            ));
        }
        KernelEvent::LinkGone { ifindex } => {
            assert!(ifindex.0 > 0);
            return mark(format_args!("link gone"));
        }
        KernelEvent::DumpStart | KernelEvent::DumpEnd => return,
    };
    assert!(key.ifindex.0 > 0 && key.prefix <= Family::of(key.addr).prefix_max());
}

/// Writes changes into one datagram and reads it as the kernel's news: what is asked for is what
/// was meant.
pub fn netlink_changes(changes: &[KernelOp], mark: &mut Mark<'_>) {
    let mut batch = Cursor::new(Vec::new());
    let mut written = Vec::new();
    for (seq, change) in changes.iter().enumerate() {
        let result = route::encode_change(&mut batch, seq as u32, change);
        mark(format_args!("written {}", result.is_ok()));
        if result.is_ok() {
            written.push((seq as u32, change));
        }
    }
    let datagram = batch.into_inner();
    let messages: Vec<_> = route::messages(&datagram).collect();
    assert_eq!(messages.len(), written.len());
    for (message, (seq, change)) in messages.into_iter().zip(written) {
        let message = message.expect("a message of our own");
        assert_eq!(message.seq, seq);
        let (KernelOp::AddAddress { key, .. } | KernelOp::DelAddress { key }) = change;
        let sound = key.prefix <= Family::of(key.addr).prefix_max() && key.ifindex.0 > 0;
        let meaning = message.decode();
        match (change, &meaning) {
            (_, Err(_)) => assert!(!sound, "{change:?} is written so that nobody can read it"),
            (
                KernelOp::AddAddress { .. },
                Ok(route::Meaning::Event(KernelEvent::Address {
                    key: read,
                    protocol: ROUTE_PROTOCOL,
                    tentative: false,
                    ..
                })),
            )
            | (
                KernelOp::DelAddress { .. },
                Ok(route::Meaning::Event(KernelEvent::AddressGone { key: read })),
            ) => assert_eq!(read, key),
            _ => panic!("{change:?} reads as {meaning:?}"),
        }
    }
}

/// Reads a datagram of answers to changes that were sent under the numbers `seqs`: each is
/// answered at most once, and only if its number or that of a later one is there.
pub fn netlink_answers(seqs: &[u32], datagram: &[u8], mark: &mut Mark<'_>) {
    let mut answered: Vec<(OpId, Result<(), Errno>)> = Vec::new();
    let left = socket::settle(seqs, datagram, &mut |done| {
        answered.push((done.op, done.result));
    });
    assert_eq!(left + answered.len(), seqs.len());
    for (index, (op, _)) in answered.iter().enumerate() {
        assert!(answered[..index].iter().all(|(other, _)| other != op));
        let from = seqs.get(op.0 as usize..).expect("a change that was sent");
        let mut named = route::messages(datagram).flatten();
        assert!(named.any(|message| from.contains(&message.seq)));
    }
    mark(format_args!("{} answered, {left} left", answered.len()));
}

/// Ancillary data of a packet, and the sender's address.
pub fn ancillary(name: &[u8], control: &[u8], payload: &[u8], mark: &mut Mark<'_>) {
    let received = msg::received(name, control, payload);
    assert_eq!(received.bytes, payload);
    let whole = received.src.is_some() && received.dst.is_some() && received.hop_limit.is_some();
    let v6 = vrrp_io::ingress(Family::V6, received);
    assert_eq!(v6.is_some(), whole);
    let v4 = vrrp_io::ingress(Family::V4, received);
    assert_eq!(v4, Some(Ingress::V4 { datagram: payload }));
    mark(format_args!(
        "source {} destination {} hop limit {}",
        received.src.is_some(),
        received.dst.is_some(),
        received.hop_limit.is_some()
    ));
}

/// Ancillary data that we write is read as it was meant.
pub fn ancillary_written(addr: Ipv6Addr, ifindex: u32, hop_limit: u8) {
    let control = msg::Control::v6(addr, ifindex, hop_limit);
    let name = msg::Name::v6(addr, ifindex);
    let received = msg::received(name.bytes(), control.bytes(), &[]);
    assert_eq!((received.src, received.dst), (Some(addr), Some(addr)));
    assert_eq!(received.hop_limit, Some(hop_limit));
}

/// Reads a command line.
pub fn command_line(words: &[&[u8]], mark: &mut Mark<'_>) {
    let words = || words.iter().map(|word| OsString::from_vec(word.to_vec()));
    let line = cli::parse(words());
    assert_eq!(line, cli::parse(words()));
    assert!(line.unexpected.len() <= words().len());
    assert!(line.mistakes.len() <= words().map(|word| word.len() + 1).sum());
    match &line.invocation {
        Invocation::Misused => assert!(!line.mistakes.is_empty(), "refused without a word"),
        Invocation::Run(options) => {
            assert!(options.umask.is_none_or(|mask| mask <= 0o777));
            assert!(!options.wrong_value || !line.mistakes.is_empty());
            let mut ignored = options.ignored.clone();
            ignored.dedup();
            assert_eq!(ignored, options.ignored);
            for name in ignored {
                mark(format_args!("ignored {name:?}"));
            }
        }
        Invocation::SignalNumber(name) => {
            mark(format_args!(
                "signal {}",
                cli::signal_number(name).is_some()
            ));
        }
        Invocation::Help | Invocation::Version | Invocation::Genhash => {}
    }
    let what = format!("{:?}", line.invocation);
    let what = what.split(['(', ' ']).next().unwrap_or("");
    mark(format_args!(
        "{what}, mistakes {}",
        line.mistakes.len().min(2)
    ));
    for mistake in &line.mistakes {
        let words: Vec<_> = mistake.split(' ').take(2).collect();
        mark(format_args!("{}", words.join(" ")));
    }
}

/// The hidden word that a parent starts a child with.
pub fn child_word(word: &[u8], mark: &mut Mark<'_>) {
    let read = Inheritance::from_word(OsStr::from_bytes(word));
    mark(format_args!("{:?}", read.map(|read| read.kind)));
    if let Some(inheritance) = read {
        assert!(Kind::ALL.contains(&inheritance.kind));
        assert_ne!(inheritance.text, inheritance.parent);
        assert!(
            inheritance.text >= 0 && inheritance.parent >= 0,
            "{inheritance:?}"
        );
        assert!(inheritance.memory.is_none_or(|fd| fd >= 0));
        let again = Inheritance::from_word(&inheritance.to_word());
        assert_eq!(again, Some(inheritance));
    }
}

/// A packet between parent and child: never both kinds at once, and written as it was read.
pub fn voice(packet: &[u8], mark: &mut Mark<'_>) {
    let packet = packet.get(..MESSAGE_MAX).unwrap_or(packet);
    let mut again = Vec::new();
    let (to, from) = (ToChild::decode(packet), FromChild::decode(packet));
    assert!(to.is_err() || from.is_err(), "{to:?} and {from:?}");
    if let Ok(message) = to {
        message.encode(&mut again);
        assert_eq!(again, packet);
    }
    if let Ok(message) = from {
        message.encode(&mut again);
        assert_eq!(again, packet);
    }
    let octet = packet.first().copied().map(char::from);
    let read = to.is_ok() || from.is_ok();
    let outcome = match from {
        Ok(FromChild::Reloaded { outcome, .. }) => Some(outcome),
        _ => None,
    };
    if read {
        mark(format_args!("{octet:?} {outcome:?}"));
    } else {
        mark(format_args!("unreadable"));
    }
}

/// What a client of the control socket says, and what a daemon answers, in pieces of this length.
pub fn control(data: &[u8], piece: usize, mark: &mut Mark<'_>) {
    // Whatever the pieces, the same is understood.
    let (mut received, mut asked) = (Vec::new(), None);
    for piece in data.chunks(piece.max(1)) {
        received.extend_from_slice(piece);
        asked = protocol::take_request(&mut received);
        if asked.is_some() {
            break;
        }
        assert!(received.len() < protocol::REQUEST_MAX);
    }
    let mut whole = data.to_vec();
    assert_eq!(protocol::take_request(&mut whole), asked);
    mark(format_args!("{asked:?}"));
    if let Some(Ok(request)) = asked {
        let line = data.split(|octet| *octet == b'\n').next().unwrap_or(&[]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert_eq!(line, request.word().as_bytes());
    }
    if let Ok(Some(head)) = Head::read(data) {
        mark(format_args!("answer {}", head.is_ok));
        assert!(head.len <= data.len() && head.body <= protocol::BODY_MAX);
    }
    for answer in [Ok(data), Err(data)] {
        let mut sent = Vec::new();
        protocol::put_answer(&mut sent, answer);
        let head = Head::read(&sent).expect("an answer").expect("a whole line");
        assert_eq!(head.is_ok, answer.is_ok());
        assert_eq!((head.body, &sent[head.len..]), (data.len(), data));
    }
}

/// The small texts: a pid file, a facility, a mask, /proc/self/status, NOTIFY_SOCKET.
pub fn small_texts(data: &[u8], mark: &mut Mark<'_>) {
    if let Ok(address) = sd_notify::address(OsStr::from_bytes(data)) {
        mark(format_args!("socket, unnamed {}", address.is_unnamed()));
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(pid) = pidfile::number_in(text) {
        assert!(pid > 0);
        assert_eq!(pidfile::number_in(&format!("{pid}\n")), Some(pid));
        mark(format_args!("pid"));
    }
    if let Some(period) = sd_notify::half_of(OsStr::new(text), None, 1) {
        mark(format_args!("watchdog, zero {}", period.is_zero()));
    }
    if let Some(facility) = Facility::parse(text) {
        mark(format_args!("{facility:?}"));
    }
    if let Some(mask) = cli::mask(text) {
        assert!(mask <= 0o777);
        assert_eq!(cli::mask(&format!("0{mask:o}")), Some(mask));
        assert_eq!(cli::mask(&format!("0x{mask:x}")), Some(mask));
        mark(format_args!("mask"));
    }
    if let Some(set) = caps::effective(text) {
        assert_eq!(
            caps::effective(&format!("CapEff:\t{set:016x}\n")),
            Some(set)
        );
        mark(format_args!("capabilities"));
    }
}

/// A text as one line of the log.
pub fn log_line(text: &str, mark: &mut Mark<'_>) {
    let line = logger::one_line(text);
    assert!(line.len() <= logger::LINE && !line.contains(char::is_control));
    assert_eq!(logger::one_line(&line), line);
    let cut = line.chars().count() < text.chars().count();
    assert!(!cut || line.len() > logger::LINE - 4, "cut too early");
    mark(format_args!("changed {} cut {cut}", line != text));
}

/// The report of findings for people.
pub fn report(text: &str, found: &[Diagnostic], mark: &mut Mark<'_>) {
    for style in [Style::Plain, Style::Terminal] {
        let report = diagnose::render(text, found, style);
        for finding in found {
            let headline = diagnose::headline(finding);
            assert!(report.contains(&headline), "{headline}");
        }
        if style == Style::Plain {
            // The text is shown as it is, and may hold anything but what moves a terminal's cursor.
            let escapes = report.contains('\x1b');
            mark(format_args!(
                "findings {} escapes {escapes}",
                found.len().min(3)
            ));
            assert!(!escapes, "{report:?}");
        }
    }
}
