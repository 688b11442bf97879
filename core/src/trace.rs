//! One line of text for each event and action, and events back from text.
//!
//! Golden tests, recorded bug reports and the simulator's traces are all written in this form.
//!
//! ```text
//! MICROS link IFINDEX NAME [mac=HEX] [up] [running] [loopback] [noarp] [multicast] [forwarding] mtu=N
//! MICROS link-gone IFINDEX
//! MICROS address IFINDEX ADDR/PREFIX [tentative] [dad-failed] [secondary] [proto=N]
//! MICROS address-gone IFINDEX ADDR/PREFIX
//! MICROS dump-start | dump-end
//! MICROS packet4 SOCKET HEX                        (whole datagram)
//! MICROS packet6 SOCKET SRC DST HOPS HEX           (payload)
//! MICROS packets-lost SOCKET
//! MICROS done OP ok | errno=N
//! MICROS socket SOCKET ok | errno=N
//! MICROS send-failed INSTANCE DST errno=N
//! MICROS clear-stats FIRST COUNT
//! MICROS stop | continue | timeout
//! MICROS reload NUMBER                             (which configuration, the reader knows)
//! ```
//!
//! Actions follow the event that caused them, as `MICROS -> ...`. Words are separated by one blank.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::config::bound::Bound;
use crate::ids::{Errno, IfIndex, InstanceId, OpId, SocketId};
use crate::kernel::{AddressKey, KernelEvent, KernelOp, Link};
use crate::machine::{BytesRange, Out};
use crate::notify::text::Rendered;
use crate::time::Instant;
use crate::vrrp::event::{Command, Ingress, VrrpAction, VrrpEvent};
use crate::vrrp::note::Level;
use crate::vrrp::snapshot::Record;

/// Why a line is not an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceError {
    /// The line.
    pub line: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.problem, self.line)
    }
}

impl std::error::Error for TraceError {}

/// A line of text taken apart, which the event borrows from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// When it happened.
    pub at: Instant,
    words: Vec<String>,
    bytes: Vec<u8>,
}

/// What a line says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input<'a> {
    /// A deadline has come: call `handle_timeout`.
    Timeout,
    /// The configuration of this number shall be in force: deliver [`VrrpEvent::Reload`].
    Reload(u64),
    /// An event.
    Event(VrrpEvent<'a>),
}

impl Line {
    /// Takes a line apart.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let problem = |problem| TraceError {
            line: text.to_owned(),
            problem,
        };
        let mut words = text.split_ascii_whitespace().map(str::to_owned);
        let at = words.next().and_then(|word| word.parse().ok());
        let at = Instant::from_micros(at.ok_or(problem("does not begin with a time"))?);
        let words: Vec<String> = words.collect();
        let hex = match words.first().map(String::as_str) {
            // An empty packet has no digits: whatever stands in their place is not the last word.
            Some("packet4") => words.get(2).map(String::as_str),
            Some("packet6") => words.get(5).map(String::as_str),
            Some("link") => options(&words).find_map(|word| word.strip_prefix("mac=")),
            Some(_) => None,
            None => return Err(problem("has no event")),
        };
        let bytes = from_hex(hex.unwrap_or("")).ok_or(problem("has bad hexadecimal digits"))?;
        Ok(Self { at, words, bytes })
    }

    /// The event.
    pub fn input(&self) -> Result<Input<'_>, TraceError> {
        let problem = |problem| TraceError {
            line: self.words.join(" "),
            problem,
        };
        let bad = || problem("has a bad or missing word");
        let event = match self.word(0).ok_or_else(bad)? {
            "timeout" => return Ok(Input::Timeout),
            "reload" => return Ok(Input::Reload(self.number(1).ok_or_else(bad)?)),
            "continue" => VrrpEvent::Continue,
            "stop" => VrrpEvent::Command(Command::Stop),
            "clear-stats" => VrrpEvent::Command(Command::ClearStats {
                first: InstanceId(self.number(1).ok_or_else(bad)?),
                count: self.number(2).ok_or_else(bad)?,
            }),
            "done" => VrrpEvent::Done {
                op: OpId(self.number(1).ok_or_else(bad)?),
                result: self.result(2).ok_or_else(bad)?,
            },
            "socket" => VrrpEvent::Socket {
                socket: SocketId(self.number(1).ok_or_else(bad)?),
                result: self.result(2).ok_or_else(bad)?,
            },
            "packets-lost" => VrrpEvent::PacketsLost {
                socket: SocketId(self.number(1).ok_or_else(bad)?),
            },
            "send-failed" => VrrpEvent::SendFailed {
                instance: InstanceId(self.number(1).ok_or_else(bad)?),
                dst: self.number(2).ok_or_else(bad)?,
                errno: self.result(3).ok_or_else(bad)?.err().ok_or_else(bad)?,
            },
            "packet4" | "packet6" => self.packet().ok_or_else(bad)?,
            _ => VrrpEvent::Kernel(self.kernel().ok_or_else(bad)?),
        };
        Ok(Input::Event(event))
    }

    fn packet(&self) -> Option<VrrpEvent<'_>> {
        let socket = SocketId(self.number(1)?);
        let packet = if self.word(0)? == "packet4" {
            Ingress::V4 {
                datagram: &self.bytes,
            }
        } else {
            Ingress::V6 {
                src: self.number(2)?,
                dst: self.number(3)?,
                hop_limit: self.number(4)?,
                payload: &self.bytes,
            }
        };
        Some(VrrpEvent::Packet { socket, packet })
    }

    fn kernel(&self) -> Option<KernelEvent<'_>> {
        match self.word(0)? {
            "dump-start" => Some(KernelEvent::DumpStart),
            "dump-end" => Some(KernelEvent::DumpEnd),
            "link-gone" => Some(KernelEvent::LinkGone {
                ifindex: IfIndex(self.number(1)?),
            }),
            "address-gone" => Some(KernelEvent::AddressGone {
                key: self.address_key()?,
            }),
            "address" => Some(KernelEvent::Address {
                key: self.address_key()?,
                tentative: self.has("tentative"),
                dad_failed: self.has("dad-failed"),
                secondary: self.has("secondary"),
                protocol: self.named("proto=").unwrap_or(0),
            }),
            "link" => Some(KernelEvent::Link(Link {
                ifindex: IfIndex(self.number(1)?),
                name: self.word(2)?,
                mac: &self.bytes,
                admin_up: self.has("up"),
                running: self.has("running"),
                loopback: self.has("loopback"),
                no_arp: self.has("noarp"),
                multicast: self.has("multicast"),
                forwarding: self.has("forwarding"),
                mtu: self.named("mtu=")?,
            })),
            _ => None,
        }
    }

    fn address_key(&self) -> Option<AddressKey> {
        let (addr, prefix) = self.word(2)?.split_once('/')?;
        Some(AddressKey {
            ifindex: IfIndex(self.number(1)?),
            addr: addr.parse().ok()?,
            prefix: prefix.parse().ok()?,
        })
    }

    fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index).map(String::as_str)
    }

    fn number<T: FromStr>(&self, index: usize) -> Option<T> {
        self.word(index)?.parse().ok()
    }

    fn named<T: FromStr>(&self, prefix: &str) -> Option<T> {
        options(&self.words)
            .find_map(|word| word.strip_prefix(prefix))?
            .parse()
            .ok()
    }

    fn has(&self, flag: &str) -> bool {
        options(&self.words).any(|word| word == flag)
    }

    fn result(&self, index: usize) -> Option<Result<(), Errno>> {
        match self.word(index)? {
            "ok" => Some(Ok(())),
            word => word
                .strip_prefix("errno=")?
                .parse()
                .ok()
                .map(|errno| Err(Errno(errno))),
        }
    }
}

/// What follows the number and the name or address of a kernel object: an interface may be called
/// `up` or `mtu=9`.
fn options(words: &[String]) -> impl Iterator<Item = &str> {
    words.iter().skip(3).map(String::as_str)
}

/// The line of an event.
pub fn event_line(at: Instant, event: &VrrpEvent<'_>) -> String {
    let mut line = at.as_micros().to_string();
    write_event(&mut line, event);
    line
}

/// Appends the words of an event's line that follow its time, each behind a blank.
pub fn write_event(line: &mut String, event: &VrrpEvent<'_>) {
    // Writing to a String cannot fail.
    let _ = match event {
        VrrpEvent::Packet { socket, packet } => match packet {
            Ingress::V4 { datagram } => write!(line, " packet4 {} {}", socket.0, Hex(datagram)),
            Ingress::V6 {
                src,
                dst,
                hop_limit,
                payload,
            } => {
                write!(
                    line,
                    " packet6 {} {src} {dst} {hop_limit} {}",
                    socket.0,
                    Hex(payload)
                )
            }
        },
        VrrpEvent::PacketsLost { socket } => write!(line, " packets-lost {}", socket.0),
        VrrpEvent::Kernel(event) => write_kernel_event(line, event),
        VrrpEvent::Done { op, result } => write!(line, " done {} {}", op.0, Answer(*result)),
        VrrpEvent::Socket { socket, result } => {
            write!(line, " socket {} {}", socket.0, Answer(*result))
        }
        VrrpEvent::SendFailed {
            instance,
            dst,
            errno,
        } => {
            write!(
                line,
                " send-failed {} {dst} {}",
                instance.0,
                Answer(Err(*errno))
            )
        }
        VrrpEvent::Command(Command::Stop) => write!(line, " stop"),
        VrrpEvent::Reload { number, .. } => write!(line, " reload {number}"),
        VrrpEvent::Command(Command::ClearStats { first, count }) => {
            write!(line, " clear-stats {} {count}", first.0)
        }
        VrrpEvent::Continue => write!(line, " continue"),
    };
}

/// The line of a call of `handle_timeout`.
pub fn timeout_line(at: Instant) -> String {
    format!("{} timeout", at.as_micros())
}

/// The line of an action. `out` holds the bytes that the action refers to, `bound` the names that
/// a note refers to.
pub fn action_line(
    at: Instant,
    action: &VrrpAction,
    out: &Out<VrrpAction>,
    bound: &Bound,
) -> String {
    let mut line = format!("{} -> ", at.as_micros());
    let hex = |range: &BytesRange| Hex(out.bytes(*range)).to_string();
    // Writing to a String cannot fail.
    let _ = match action {
        VrrpAction::SendAdvert {
            instance,
            socket,
            src,
            dst,
            hop_limit,
            packet,
        } => write!(
            line,
            "send-advert {} socket={} src={src} dst={dst} ttl={hop_limit} {}",
            instance.0,
            socket.0,
            hex(packet)
        ),
        VrrpAction::Kernel { op, change } => write_change(&mut line, *op, change),
        VrrpAction::SendGarp {
            ifindex,
            addr,
            frame,
        } => {
            write!(line, "send-garp {} {addr} {}", ifindex.0, hex(frame))
        }
        VrrpAction::SendNa {
            ifindex,
            addr,
            frame,
        } => {
            write!(line, "send-na {} {addr} {}", ifindex.0, hex(frame))
        }
        VrrpAction::OpenSocket { .. }
        | VrrpAction::GrowSocket { .. }
        | VrrpAction::CloseSocket(_) => write_socket(&mut line, action),
        VrrpAction::InForce(bound) => {
            write!(line, "in-force instances={}", bound.instances.len())
        }
        VrrpAction::Note(note) => {
            let level = level_name(note.level());
            write!(line, "note {level} {}", Rendered { bound, note })
        }
        VrrpAction::Remember {
            instance,
            slot,
            record,
        } => write_record(&mut line, (*instance, *slot), out.bytes(*record)),
        VrrpAction::Forget { slot } => write!(line, "forget {slot}"),
        VrrpAction::Exit(code) => write!(line, "exit {code}"),
    };
    line
}

fn write_socket(line: &mut String, action: &VrrpAction) -> fmt::Result {
    match action {
        VrrpAction::OpenSocket {
            socket,
            spec,
            receive_buffer,
        } => {
            let group = spec
                .group
                .map_or("unicast".to_owned(), |group| format!("group={group}"));
            let (family, ifindex) = (spec.family, spec.ifindex.0);
            let number = socket.0;
            write!(
                line,
                "open-socket {number} {ifindex} {family} {group} buffer={receive_buffer}"
            )
        }
        VrrpAction::GrowSocket {
            socket,
            receive_buffer,
        } => write!(line, "grow-socket {} buffer={receive_buffer}", socket.0),
        VrrpAction::CloseSocket(socket) => write!(line, "close-socket {}", socket.0),
        _ => Ok(()),
    }
}

const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
        Level::Detail => "detail",
    }
}

/// What a record says of the state; the rest follows from what happened before.
fn write_record(
    line: &mut String,
    (instance, slot): (InstanceId, u32),
    record: &[u8],
) -> fmt::Result {
    write!(line, "remember {} slot={slot}", instance.0)?;
    if record.is_empty() {
        return write!(line, " nothing");
    }
    let Ok(record) = Record::decode(record) else {
        return write!(line, " unreadable");
    };
    let (state, priority) = (record.state, record.priority);
    write!(
        line,
        " {state:?} priority={priority} since={}",
        record.since.as_micros()
    )?;
    write_flags(
        line,
        &[
            (record.old_checksum, "old-checksum"),
            (record.settled, "settled"),
        ],
    )?;
    if let Some(heard) = record.heard {
        write!(line, " heard={}@{}", heard.priority, heard.addr)?;
    }
    Ok(())
}

fn write_kernel_event(line: &mut String, event: &KernelEvent<'_>) -> fmt::Result {
    match event {
        KernelEvent::DumpStart => write!(line, " dump-start"),
        KernelEvent::DumpEnd => write!(line, " dump-end"),
        KernelEvent::LinkGone { ifindex } => write!(line, " link-gone {}", ifindex.0),
        KernelEvent::AddressGone { key } => write!(line, " address-gone {}", Key(key)),
        KernelEvent::Address {
            key,
            tentative,
            dad_failed,
            secondary,
            protocol,
        } => {
            write!(line, " address {}", Key(key))?;
            write_flags(
                line,
                &[
                    (*tentative, "tentative"),
                    (*dad_failed, "dad-failed"),
                    (*secondary, "secondary"),
                ],
            )?;
            if *protocol == 0 {
                Ok(())
            } else {
                write!(line, " proto={protocol}")
            }
        }
        KernelEvent::Link(link) => {
            write!(line, " link {} {}", link.ifindex.0, link.name)?;
            if !link.mac.is_empty() {
                write!(line, " mac={}", Hex(link.mac))?;
            }
            write_flags(
                line,
                &[
                    (link.admin_up, "up"),
                    (link.running, "running"),
                    (link.loopback, "loopback"),
                    (link.no_arp, "noarp"),
                    (link.multicast, "multicast"),
                    (link.forwarding, "forwarding"),
                ],
            )?;
            write!(line, " mtu={}", link.mtu)
        }
    }
}

fn write_change(line: &mut String, op: OpId, change: &KernelOp) -> fmt::Result {
    match change {
        KernelOp::DelAddress { key } => write!(line, "kernel {} del-address {}", op.0, Key(key)),
        KernelOp::AddAddress { key, attrs } => {
            write!(
                line,
                "kernel {} add-address {} scope={}",
                op.0,
                Key(key),
                attrs.scope
            )?;
            if let Some(broadcast) = attrs.broadcast {
                write!(line, " brd={broadcast}")?;
            }
            if let Some(label) = &attrs.label {
                write!(line, " label={label}")?;
            }
            write_flags(
                line,
                &[
                    (attrs.nodad, "nodad"),
                    (attrs.deprecated, "deprecated"),
                    (attrs.no_prefix_route, "noprefixroute"),
                ],
            )
        }
    }
}

fn write_flags(line: &mut String, flags: &[(bool, &str)]) -> fmt::Result {
    flags
        .iter()
        .filter(|(set, _)| *set)
        .try_for_each(|(_, name)| write!(line, " {name}"))
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A journal is mostly this: octet by octet through the formatter it takes long.
        for octets in self.0.chunks(32) {
            let mut text = [0; 64];
            for (place, octet) in text.chunks_exact_mut(2).zip(octets) {
                place.copy_from_slice(&[digit(octet >> 4), digit(octet & 0xf)]);
            }
            let text = text.get(..2 * octets.len()).unwrap_or_default();
            f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

/// A number below 16 as a digit.
const fn digit(value: u8) -> u8 {
    match value {
        0..10 => b'0' + value,
        _ => b'a' + (value - 10),
    }
}

struct Key<'a>(&'a AddressKey);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.0.ifindex.0, self.0.addr, self.0.prefix)
    }
}

struct Answer(Result<(), Errno>);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(()) => f.write_str("ok"),
            Err(errno) => write!(f, "errno={}", errno.0),
        }
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "\
0 dump-start
1 link 3 eth0 mac=020000000001 up running multicast mtu=1500
2 link 1 lo up running loopback mtu=65536
3 address 3 10.0.0.1/24
4 address 3 fe80::1/64 tentative proto=3
5 dump-end
6 address-gone 3 10.0.0.1/24
7 link-gone 3
8 packet4 0 4500abcd
9 packet6 1 fe80::1 ff02::12 255 3133
10 done 17 ok
11 done 18 errno=17
12 socket 0 errno=19
13 send-failed 0 224.0.0.18 errno=101
14 stop
15 continue
16 packets-lost 1";

    #[test]
    fn every_event_survives_the_way_to_text_and_back() {
        for text in LINES.lines() {
            let line = Line::parse(text).unwrap();
            let Input::Event(event) = line.input().unwrap() else {
                panic!("{text}")
            };
            assert_eq!(event_line(line.at, &event), text);
        }
        let event = VrrpEvent::Reload {
            number: 3,
            bound: Default::default(),
        };
        let text = event_line(Instant::from_micros(9), &event);
        let line = Line::parse(&text).unwrap();
        assert_eq!(line.input(), Ok(Input::Reload(3)));
        let timeout = Line::parse(&timeout_line(Instant::from_micros(9))).unwrap();
        assert_eq!(timeout.input(), Ok(Input::Timeout));
    }

    #[test]
    fn a_line_that_is_no_event_says_what_is_wrong() {
        for text in [
            "",
            "x stop",
            "1",
            "1 what",
            "1 done",
            "1 packets-lost",
            "1 reload",
            "1 done 2 maybe",
            "1 link 3 eth0",
        ] {
            let problem = Line::parse(text).and_then(|line| line.input().map(|_| ()));
            assert!(problem.is_err(), "{text:?}");
        }
        assert!(Line::parse("1 packet4 0 xyz").is_err());
        assert!(Line::parse("1 packet4 0 450").is_err());
    }
}
