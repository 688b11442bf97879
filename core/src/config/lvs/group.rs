//! `virtual_server_group`: addresses and marks that are one service.

use super::super::code::Code;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::Config;
use super::super::block::Statement;
use super::super::diag::{Class, Severity, Sink, Span, Spanned, quoted};
use super::super::lexer::Word;
use super::super::page::Page;
use super::super::row::{Head, Kind, Row, Rows, rows};
use super::super::statement::has_its_block;
use super::super::units::{self, Garbage};
use super::show_one;
use super::virtual_server::IpFamily;
use crate::ids::Family;

/// `virtual_server_group`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualServerGroup {
    /// Its name.
    pub name: Spanned<Box<str>>,
    /// Its members, in the order of the file. At least one.
    pub entries: Vec<GroupEntry>,
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupEntry {
    /// Addresses with a port.
    Addresses(GroupAddresses),
    /// A mark.
    Fwmark {
        /// The mark.
        mark: u32,
        /// Its family; else that of the real servers.
        family: Option<IpFamily>,
    },
}

/// Addresses from `first` to `last`, both included, of one family.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct GroupAddresses {
    /// The first.
    pub first: IpAddr,
    /// The last; not before the first.
    pub last: IpAddr,
    /// 0 if none is written.
    pub port: u16,
}

impl GroupAddresses {
    /// How many they are; `u128::MAX` for all of IPv6.
    pub fn count(&self) -> u128 {
        let number = |address| match address {
            IpAddr::V4(it) => u128::from(Ipv4Addr::to_bits(it)),
            IpAddr::V6(it) => Ipv6Addr::to_bits(it),
        };
        (number(self.last) - number(self.first)).saturating_add(1)
    }
}

impl Rows for VirtualServerGroup {
    fn rows() -> &'static [Row<Self>] {
        rows! { VirtualServerGroup:
            "<ADDR[-LAST] PORT>" => (read_addresses, show_entries):
                Kind::Other("ADDRESS[-LAST|/LENGTH] [PORT]"), Built, "",
                "An address, or all from one to another, and their port.";
            "fwmark" => (read_fwmark, |_, _, _| {}): Kind::Other("N [inet|inet6]"), Built, "",
                "Packets with this mark.";
        }
    }
}

const SKIPPED: &str = "the line is skipped";

fn read_fwmark(block: &mut VirtualServerGroup, _head: &Head, found: &Statement, sink: &mut Sink) {
    let words = found.arguments();
    let Some(number) = words.first() else {
        sink.missing_parameter(found.span(), found.keyword());
        return;
    };
    let range = 0..=u64::from(u32::MAX);
    let Some(mark) = units::number(number, range, Garbage::Refuse, SKIPPED, sink) else {
        return;
    };
    let family = match words.get(1).map(|word| word.text.as_str()) {
        None => None,
        Some("inet") => Some(IpFamily::Inet),
        Some("inet6") => Some(IpFamily::Inet6),
        Some(other) => {
            let at = words.get(1).map_or(found.span(), |word| word.span);
            let message = format!("{} is no family of addresses; {SKIPPED}", quoted(other));
            sink.error(at, message)
                .code(Code::BadChoice)
                .help("write inet or inet6");
            return;
        }
    };
    ignore_surplus(words.get(2), sink);
    block.entries.push(GroupEntry::Fwmark {
        mark: u32::try_from(mark).unwrap_or_default(),
        family,
    });
}

fn read_addresses(
    block: &mut VirtualServerGroup,
    _head: &Head,
    found: &Statement,
    sink: &mut Sink,
) {
    let Some(word) = found.words.first() else {
        return;
    };
    let (first, last) = match range(&word.text) {
        Ok(range) => range,
        Err(why) => {
            let message = format!("{} {why}; {SKIPPED}", quoted(&word.text));
            sink.error(word.span, message)
                .help("write 10.0.0.1, 10.0.0.1-9, 10.0.0.1-10.0.1.9 or 10.0.0.0/24, and a port");
            return;
        }
    };
    let port = match found.arguments().first() {
        None => Some(0),
        Some(port) => units::number(port, 0..=65_535, Garbage::Refuse, SKIPPED, sink),
    };
    if let Some(port) = port.and_then(|port| u16::try_from(port).ok()) {
        ignore_surplus(found.arguments().get(1), sink);
        let addresses = GroupAddresses { first, last, port };
        block.entries.push(GroupEntry::Addresses(addresses));
    }
}

fn ignore_surplus(word: Option<&Word>, sink: &mut Sink) {
    if let Some(word) = word {
        let message = format!("{} and what follows it is ignored", quoted(&word.text));
        sink.note(word.span, message)
            .code(Code::SurplusValue)
            .help("write one member on each line");
    }
}

/// `FIRST`, `FIRST-LAST`, where the last may be the end of the address alone, or `FIRST/LENGTH`.
fn range(text: &str) -> Result<(IpAddr, IpAddr), &'static str> {
    let address = |text: &str| {
        text.parse::<IpAddr>()
            .map_err(|_| "does not begin with an IPv4 or IPv6 address")
    };
    if let Some((first, length)) = text.split_once('/') {
        let first = address(first)?;
        let digits = length.bytes().all(|byte| byte.is_ascii_digit());
        let max = Family::of(first).prefix_max();
        let length: Option<u8> = length.parse().ok().filter(|_| digits);
        let length = length.filter(|length| (1..=max).contains(length));
        let last = last_of(
            first,
            length.ok_or("has no length of a network behind its slash")?,
        );
        return last
            .map(|last| (first, last))
            .ok_or("has bits behind its length that are not 0");
    }
    let Some((first, last)) = text.split_once('-') else {
        return address(text).map(|first| (first, first));
    };
    let first = address(first)?;
    if let Ok(last) = last.parse::<IpAddr>()
        && Family::of(last) == Family::of(first)
    {
        let ordered = first <= last;
        return ordered
            .then_some((first, last))
            .ok_or("ends before it begins");
    }
    let end = end_of(first, last).ok_or("has no end of an address behind its dash")?;
    let ordered = first < end;
    ordered
        .then_some((first, end))
        .ok_or("ends before it begins")
}

/// The last address of the network; `None` if `first` is not its first.
fn last_of(first: IpAddr, length: u8) -> Option<IpAddr> {
    match first {
        IpAddr::V4(it) => {
            let hosts = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            let bits = it.to_bits();
            (bits & hosts == 0).then(|| Ipv4Addr::from_bits(bits | hosts).into())
        }
        IpAddr::V6(it) => {
            let hosts = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            let bits = it.to_bits();
            (bits & hosts == 0).then(|| Ipv6Addr::from_bits(bits | hosts).into())
        }
    }
}

/// `first` with its last number replaced: decimal to 255, or hexadecimal to ffff.
fn end_of(first: IpAddr, text: &str) -> Option<IpAddr> {
    match first {
        IpAddr::V4(it) => {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let last: u8 = text.parse().ok().filter(|_| digits)?;
            Some(Ipv4Addr::from_bits(it.to_bits() & !0xff | u32::from(last)).into())
        }
        IpAddr::V6(it) => {
            let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let last = u16::from_str_radix(text, 16).ok().filter(|_| digits)?;
            Some(Ipv6Addr::from_bits(it.to_bits() & !0xffff | u128::from(last)).into())
        }
    }
}

/// All members, in their order.
fn show_entries(block: &VirtualServerGroup, _head: &Head, page: &mut Page) {
    for entry in &block.entries {
        match entry {
            GroupEntry::Addresses(it) => {
                let mut range = it.first.to_string();
                if it.first != it.last {
                    range = format!("{range}-{}", it.last);
                }
                if it.port == 0 {
                    page.line(&[&range]);
                } else {
                    page.line(&[&range, &it.port.to_string()]);
                }
            }
            GroupEntry::Fwmark { mark, family } => {
                let mark = mark.to_string();
                let mut words = vec!["fwmark", &mark];
                words.extend(family.map(|family| match family {
                    IpFamily::Inet => "inet",
                    IpFamily::Inet6 => "inet6",
                }));
                page.line(&words);
            }
        }
    }
}

/// `virtual_server_group` at the top level.
pub(in crate::config) fn read_group(
    config: &mut Config,
    head: &Head,
    found: &Statement,
    sink: &mut Sink,
) {
    let Some(name) = found.arguments().first() else {
        sink.missing_parameter(found.span(), found.keyword());
        return;
    };
    let before = sink.weight();
    let mut group = VirtualServerGroup {
        name: Spanned::new(name.text.as_str().into(), name.span),
        entries: Vec::new(),
    };
    let [addresses, fwmark] = VirtualServerGroup::rows() else {
        return;
    };
    let lines = found.block.iter().flat_map(|block| &block.statements);
    for line in lines.filter(|line| !line.is_unexpanded()) {
        let row = if line.keyword() == "fwmark" {
            fwmark
        } else {
            addresses
        };
        if has_its_block(false, line, sink) && line.block.is_none() {
            (row.read)(&mut group, &row.head, line, sink);
        }
        if sink.stopped() {
            return;
        }
    }
    let shown = quoted(&name.text);
    if let Some(first) = sink.first_use(head.word, &name.text, name.span) {
        let message = format!(
            "a group {shown} is defined already on line {}; this block is skipped",
            first.line
        );
        sink.report(Severity::Error, Class::Ok, name.span, message)
            .code(Code::NameTaken)
            .help("give each group a name of its own");
    } else if group.entries.is_empty() {
        // If its lines are wrong, they have had their messages.
        if sink.weight() == before {
            let message = format!("the group {shown} has no members; it is left out");
            sink.error(name.span, message)
                .code(Code::IncompleteBlock)
                .help("write addresses with ports in it, or `fwmark N`");
        }
    } else if family_is_open(&group) {
        let message = format!(
            "the group {shown} has IPv4 and IPv6 addresses and a mark without family; it is left out"
        );
        sink.error(name.span, message)
            .code(Code::MixedFamilies)
            .help("write inet or inet6 behind each mark");
    } else {
        config.lvs.groups.push(group);
    }
}

fn family_is_open(group: &VirtualServerGroup) -> bool {
    let (mut v4, mut v6, mut open) = (false, false, false);
    for entry in &group.entries {
        match entry {
            GroupEntry::Addresses(it) if it.first.is_ipv4() => v4 = true,
            GroupEntry::Addresses(_) => v6 = true,
            GroupEntry::Fwmark { family: None, .. } => open = true,
            GroupEntry::Fwmark { .. } => {}
        }
    }
    v4 && v6 && open
}

/// Writes all of them.
pub(in crate::config) fn show_groups(config: &Config, head: &Head, page: &mut Page) {
    for group in &config.lvs.groups {
        show_one(group, &[head.word, &group.name.value], page);
    }
}

impl VirtualServerGroup {
    /// Where its name stands.
    pub(super) const fn span(&self) -> Span {
        self.name.span
    }
}
