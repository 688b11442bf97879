//! Words about interfaces that an instance makes for itself, and about announcements on them.

use super::code::Code;
use std::net::IpAddr;

use super::block::Statement;
use super::diag::{Sink, quoted};
use super::global::IGNORED;
use super::lexer::Word;
use super::page::Page;
use super::row::{Head, Kind};
use super::scalar::Scalar;
use super::units::{self, Garbage};
use crate::limits;
use crate::time::Duration;

/// What stands behind `use_vmac`.
pub(super) const USE_VMAC: Kind =
    Kind::Other("[[name] INTERFACE] [MAC] [netlink_notify_msg] [group GROUP]");

/// What stands behind `use_ipvlan`.
pub(super) const USE_IPVLAN: Kind =
    Kind::Other("[[name] INTERFACE] [ADDRESS] [bridge|private|vepa] [group GROUP]");

/// What stands behind `garp_extra_if`.
pub(super) const EXTRA_GARP: Kind = Kind::Other("[all] 0..86400");

/// `use_vmac`: a macvlan interface that has the virtual MAC address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UseVmac {
    /// Its name; `vrrp.VRID` or, for IPv6, `vrrp6.VRID` by default.
    pub name: Option<String>,
    /// Its address, instead of the virtual one.
    pub mac: Option<MacAddress>,
    /// `netlink_notify_msg`: the switch learns the address by another way.
    pub notify: bool,
    /// `group`: the group of interfaces that it joins, by name or number.
    pub group: Option<String>,
}

/// A MAC address, or one whose last octet is the VRID.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct MacAddress {
    /// Its octets; the last is 0 where it is not written.
    pub octets: [u8; 6],
    /// The last octet is the VRID.
    pub ends_with_vrid: bool,
}

/// The words behind a keyword, with what they may hold in any order.
struct Options<'w> {
    words: std::slice::Iter<'w, Word>,
    name: Option<String>,
    group: Option<String>,
}

impl<'w> Options<'w> {
    fn of(found: &'w Statement) -> Self {
        Self {
            words: found.arguments().iter(),
            name: None,
            group: None,
        }
    }

    /// A word that stands before its value, or the name of the interface; `None` if that is wrong.
    fn other(&mut self, word: &Word, sink: &mut Sink) -> Option<()> {
        let name = match word.text.as_str() {
            "group" => {
                self.group = Some(self.value(word, sink)?.text.clone());
                return Some(());
            }
            "name" => self.value(word, sink)?,
            _ => word,
        };
        let shown = quoted(&name.text);
        if let Some(before) = &self.name {
            let before = quoted(before);
            let message = format!("the interface has the name {before} already; {IGNORED}");
            sink.error(name.span, message);
            return None;
        }
        if name.text.is_empty() || name.text.len() > limits::INTERFACE_NAME {
            let message = format!(
                "{shown} is no name of an interface, which has 1 to {} octets; {IGNORED}",
                limits::INTERFACE_NAME
            );
            sink.error(name.span, message).code(Code::LongName);
            return None;
        }
        self.name = Some(name.text.clone());
        Some(())
    }

    fn value(&mut self, word: &Word, sink: &mut Sink) -> Option<&'w Word> {
        let value = self.words.next();
        if value.is_none() {
            let message = format!("{} needs a value; {IGNORED}", quoted(&word.text));
            sink.error(word.span, message).code(Code::MissingValue);
        }
        value
    }
}

impl Scalar for UseVmac {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let mut options = Options::of(found);
        let (mut mac, mut notify) = (None, false);
        while let Some(word) = options.words.next() {
            match word.text.as_str() {
                "netlink_notify_msg" => notify = true,
                text if text.contains(':') => mac = Some(mac_address(word, sink)?),
                _ => options.other(word, sink)?,
            }
        }
        let Options { name, group, .. } = options;
        Some(Self {
            name,
            mac,
            notify,
            group,
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mac = self.mac.map(|mac| mac.to_string());
        let mut words = vec![head.word];
        if let Some(name) = &self.name {
            words.extend(["name", name]);
        }
        words.extend(mac.as_deref());
        words.extend(self.notify.then_some("netlink_notify_msg"));
        if let Some(group) = &self.group {
            words.extend(["group", group]);
        }
        page.line(&words);
    }
}

/// Six octets, or five before the VRID, in hexadecimal digits with colons between them.
fn mac_address(word: &Word, sink: &mut Sink) -> Option<MacAddress> {
    let mut octets = [0; 6];
    let parts: Vec<&str> = word.text.split(':').collect();
    let is_octet = |part: &&str| (1..=2).contains(&part.len());
    let mut good = matches!(parts.len(), 5 | 6) && parts.iter().all(is_octet);
    for (octet, part) in octets.iter_mut().zip(&parts) {
        match u8::from_str_radix(part, 16) {
            Ok(value) => *octet = value,
            Err(_) => good = false,
        }
    }
    let shown = quoted(&word.text);
    if !good {
        let message = format!("{shown} is not a MAC address; {IGNORED}");
        sink.error(word.span, message)
            .help("write five or six octets, as 02:00:5e:00:01; the VRID is the sixth");
        return None;
    }
    if octets[0] & 1 == 1 {
        let message = format!("the MAC address {shown} is that of a group; {IGNORED}");
        sink.error(word.span, message)
            .help("its first octet must be even");
        return None;
    }
    Some(MacAddress {
        octets,
        ends_with_vrid: parts.len() == 5,
    })
}

impl std::fmt::Display for MacAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = if self.ends_with_vrid { 5 } else { 6 };
        for (place, octet) in self.octets.iter().take(count).enumerate() {
            let colon = if place > 0 { ":" } else { "" };
            write!(f, "{colon}{octet:02x}")?;
        }
        Ok(())
    }
}

/// `use_ipvlan`: an ipvlan interface of the instance's own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UseIpvlan {
    /// Its name; `vrrp.VRID` or, for IPv6, `vrrp6.VRID` by default.
    pub name: Option<String>,
    /// The address that it gets, with its prefix length.
    pub address: Option<(IpAddr, u8)>,
    /// How it reaches its neighbours on the same parent; `bridge` by default.
    pub mode: Option<IpvlanMode>,
    /// `group`: the group of interfaces that it joins, by name or number.
    pub group: Option<String>,
}

/// How ipvlan interfaces of one parent reach each other.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum IpvlanMode {
    /// Directly.
    Bridge,
    /// Not at all.
    Private,
    /// By the switch outside.
    Vepa,
}

impl IpvlanMode {
    const fn word(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Private => "private",
            Self::Vepa => "vepa",
        }
    }
}

impl Scalar for UseIpvlan {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let mut options = Options::of(found);
        let (mut address, mut mode) = (None, None);
        while let Some(word) = options.words.next() {
            match word.text.as_str() {
                "bridge" => mode = Some(IpvlanMode::Bridge),
                "private" => mode = Some(IpvlanMode::Private),
                "vepa" => mode = Some(IpvlanMode::Vepa),
                text if text.contains([':', '.']) => address = Some(units::prefix(word, sink)?),
                _ => options.other(word, sink)?,
            }
        }
        let Options { name, group, .. } = options;
        Some(Self {
            name,
            address,
            mode,
            group,
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let address = self
            .address
            .map(|(addr, prefix)| format!("{addr}/{prefix}"));
        let mut words = vec![head.word];
        if let Some(name) = &self.name {
            words.extend(["name", name]);
        }
        words.extend(address.as_deref());
        words.extend(self.mode.map(IpvlanMode::word));
        if let Some(group) = &self.group {
            words.extend(["group", group]);
        }
        page.line(&words);
    }
}

/// `garp_extra_if`: announcements also out of the interfaces that addresses stand on.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ExtraGarp {
    /// Also out of the instance's own.
    pub all: bool,
    /// The period; zero for none.
    pub period: Duration,
}

impl Scalar for ExtraGarp {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (all, words) = match found.arguments() {
            [first, rest @ ..] if first.text == "all" => (true, rest),
            words => (false, words),
        };
        let Some(word) = words.first() else {
            let message = format!("{} needs seconds; {IGNORED}", quoted(found.keyword()));
            sink.error(found.span(), message)
                .help("write 0 to 86400 behind it");
            return None;
        };
        let seconds = units::number(word, 0..=86_400, Garbage::Refuse, IGNORED, sink)?;
        if let Some(word) = words.get(1) {
            let message = format!("{} is ignored", quoted(&word.text));
            sink.note(word.span, message);
        }
        Some(Self {
            all,
            period: Duration::from_secs(seconds),
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let period = self.period.to_string();
        let mut words = vec![head.word];
        words.extend(self.all.then_some("all"));
        words.push(&period);
        page.line(&words);
    }
}
