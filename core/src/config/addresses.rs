//! One line of `virtual_ipaddress` or `virtual_ipaddress_excluded`.

use super::code::Code;
use std::net::IpAddr;

use super::bound::VirtualAddress;
use super::diag::{Sink, Span, Spanned, quoted};
use super::keywords;
use super::lexer::Word;
use super::units::{self, Garbage};
use crate::limits;

/// An address as written; its interface is checked against the host when bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressEntry {
    /// Where the address stands.
    pub span: Span,
    /// The address with everything that its line says.
    pub address: VirtualAddress,
    /// Where `dev` names the interface.
    pub dev: Option<Spanned<String>>,
}

/// The options of an address line.
const OPTIONS: &[&str] = &[
    "-nodad",
    "autojoin",
    "brd",
    "broadcast",
    "dev",
    "home",
    "label",
    "mngtmpaddr",
    "no_track",
    "noprefixroute",
    "peer",
    "preferred_lft",
    "scope",
    "use_vmac",
];

/// What an IPv4 line says of its broadcast address.
#[derive(Clone, Copy)]
enum Broadcast {
    Given(std::net::Ipv4Addr),
    Ones(Span),
    Zeros(Span),
}

/// What has been read of one line so far.
struct Line<'w> {
    words: std::slice::Iter<'w, Word>,
    entry: AddressEntry,
    broadcast: Option<Broadcast>,
    scope: Option<Span>,
    label: Option<Span>,
    preferred: Option<bool>,
}

/// The address of one line, or `None` if keepalived drops the line.
pub(super) fn read(words: &[Word], sink: &mut Sink) -> Option<AddressEntry> {
    let mut words = words.iter();
    let first = words.next()?;
    let (addr, prefix) = units::prefix(first, sink)?;
    let mut line = Line {
        words,
        entry: AddressEntry {
            span: first.span,
            address: VirtualAddress {
                addr,
                prefix,
                dev: None,
                scope: 0,
                broadcast: None,
                label: None,
                nodad: addr.is_ipv6(),
                deprecated: false,
                no_prefix_route: false,
            },
            dev: None,
        },
        broadcast: None,
        scope: None,
        label: None,
        preferred: None,
    };
    while let Some(word) = line.words.next() {
        line.option(word, sink)?;
    }
    Some(line.finish(sink))
}

impl<'w> Line<'w> {
    /// One option; `None` if the line is dropped for it.
    fn option(&mut self, word: &'w Word, sink: &mut Sink) -> Option<()> {
        match word.text.as_str() {
            "dev" => self.dev(word, sink),
            "brd" | "broadcast" => self.broadcast(word, sink),
            "scope" => self.scope(word, sink),
            "label" => self.label(word, sink),
            "preferred_lft" => self.preferred_lifetime(word, sink),
            "noprefixroute" => {
                self.entry.address.no_prefix_route = true;
                Some(())
            }
            "-nodad" => {
                self.entry.address.nodad = false;
                Some(())
            }
            "peer" => {
                self.value(word, sink)?;
                sink.refuse(word.span, "`peer` of a virtual address");
                Some(())
            }
            "no_track" | "use_vmac" => {
                let what = format!("`{}` of a virtual address", word.text);
                sink.refuse(word.span, &what);
                Some(())
            }
            "home" | "mngtmpaddr" | "autojoin" => {
                let message = format!(
                    "`{}` of a virtual address is not built yet in this version of relevo; the \
                     address is used without it",
                    word.text
                );
                sink.note(word.span, message);
                Some(())
            }
            other => {
                let message = format!(
                    "{} is not an option of an address; it is skipped",
                    quoted(other)
                );
                let found = sink.error(word.span, message).code(Code::UnknownOption);
                if let Some(near) = keywords::nearest_of(OPTIONS.iter().copied(), other) {
                    found.help(format!("did you mean `{near}`?")).suggest(near);
                } else if other.parse::<IpAddr>().is_ok() {
                    found.help("write each address on a line of its own");
                }
                Some(())
            }
        }
    }

    /// The word behind an option; the line is dropped if there is none.
    fn value(&mut self, option: &Word, sink: &mut Sink) -> Option<&'w Word> {
        let value = self.words.next();
        if value.is_none() {
            let message = format!(
                "`{}` needs a value, and none follows it on this line; the address is dropped",
                option.text
            );
            sink.error(option.span, message).code(Code::MissingValue);
        }
        value
    }

    fn dev(&mut self, option: &Word, sink: &mut Sink) -> Option<()> {
        let value = self.value(option, sink)?;
        if self.entry.dev.is_some() {
            let message = "`dev` is written twice for one address; the address is dropped";
            sink.error(option.span, message).code(Code::SurplusValue);
            return None;
        }
        if value.text.len() > limits::INTERFACE_NAME {
            let message = format!(
                "{} is too long for the name of an interface; the address is dropped",
                quoted(&value.text)
            );
            sink.error(value.span, message).code(Code::LongName);
            return None;
        }
        self.entry.dev = Some(Spanned::new(value.text.clone(), value.span));
        self.entry.address.dev = Some(value.text.clone());
        Some(())
    }

    fn broadcast(&mut self, option: &Word, sink: &mut Sink) -> Option<()> {
        let value = self.value(option, sink)?;
        if self.entry.address.addr.is_ipv6() {
            let message = "IPv6 knows no broadcast; the address is dropped";
            sink.error(option.span, message)
                .code(Code::MixedFamilies)
                .help("remove the option and its value");
            return None;
        }
        self.broadcast = Some(match value.text.as_str() {
            "+" => Broadcast::Ones(value.span),
            "-" => Broadcast::Zeros(value.span),
            text => match text.parse() {
                Ok(addr) => Broadcast::Given(addr),
                Err(_) => {
                    let message = format!(
                        "{} is not an IPv4 broadcast address; the address is dropped",
                        quoted(text)
                    );
                    sink.error(value.span, message)
                        .code(Code::BadAddress)
                        .help("write an address, or `+` to derive it from the prefix");
                    return None;
                }
            },
        });
        Some(())
    }

    fn scope(&mut self, option: &Word, sink: &mut Sink) -> Option<()> {
        let value = self.value(option, sink)?;
        let number = match value.text.as_str() {
            "global" => Some(0),
            "site" => Some(200),
            "link" => Some(253),
            "host" => Some(254),
            "nowhere" => Some(255),
            text => text.parse::<u8>().ok(),
        };
        match number {
            Some(scope) => {
                self.entry.address.scope = scope;
                self.scope = Some(option.span);
            }
            None => {
                let message = format!("{} is not a scope; it is ignored", quoted(&value.text));
                sink.error(value.span, message)
                    .code(Code::BadChoice)
                    .help("write global, site, link, host, nowhere or a number up to 255");
            }
        }
        Some(())
    }

    fn label(&mut self, option: &Word, sink: &mut Sink) -> Option<()> {
        let value = self.value(option, sink)?;
        if value.text.len() > limits::INTERFACE_NAME {
            let message = format!(
                "the label {} has more than {} characters; the address is dropped",
                quoted(&value.text),
                limits::INTERFACE_NAME
            );
            sink.error(value.span, message).code(Code::LongName);
            return None;
        }
        self.entry.address.label = Some(value.text.clone());
        self.label = Some(option.span);
        Some(())
    }

    fn preferred_lifetime(&mut self, option: &Word, sink: &mut Sink) -> Option<()> {
        let value = self.value(option, sink)?;
        if value.text == "forever" {
            self.preferred = Some(false);
            return Some(());
        }
        let range = 0..=u64::from(u32::MAX);
        if let Some(lifetime) =
            units::number(value, range, Garbage::Cut, "the default is used", sink)
        {
            self.preferred = Some(lifetime == 0);
            if lifetime != 0 {
                let message = "a preferred lifetime other than 0 and forever is not built yet in \
                               this version of relevo; forever is used";
                sink.note(value.span, message);
            }
        }
        Some(())
    }

    /// What depends on more than one option.
    fn finish(mut self, sink: &mut Sink) -> AddressEntry {
        let address = &mut self.entry.address;
        match address.addr {
            IpAddr::V4(addr) => {
                let (derived, span) = match self.broadcast {
                    None => return self.entry,
                    Some(Broadcast::Given(given)) => {
                        address.broadcast = Some(given);
                        return self.entry;
                    }
                    Some(Broadcast::Ones(span)) => {
                        (units::broadcast(addr, address.prefix, true), span)
                    }
                    Some(Broadcast::Zeros(span)) => {
                        (units::broadcast(addr, address.prefix, false), span)
                    }
                };
                address.broadcast = derived;
                if derived.is_none() {
                    let message = format!(
                        "a network of prefix length {} has no broadcast address; none is set",
                        address.prefix
                    );
                    sink.error(span, message).code(Code::NoBroadcast);
                }
            }
            IpAddr::V6(_) => {
                if let Some(span) = self.scope.filter(|_| address.scope != 0) {
                    let message =
                        "the kernel derives the scope of an IPv6 address; it is ignored here";
                    sink.error(span, message).code(Code::UnusedWord);
                    address.scope = 0;
                }
                if let Some(span) = self.label.filter(|_| address.label.is_some()) {
                    sink.error(span, "IPv6 addresses have no label; it is ignored")
                        .code(Code::UnusedWord);
                    address.label = None;
                }
                // A single address must not become the source of the host's own traffic.
                address.deprecated = self.preferred.unwrap_or(address.prefix == 128);
            }
        }
        self.entry
    }
}
