//! How packets reach a real server: `lb_kind` and its like.

use super::super::block::Statement;
use super::super::code::Code;
use super::super::diag::{Sink, quoted};
use super::super::global::IGNORED;
use super::super::lexer::Word;
use super::super::page::Page;
use super::super::row::{Head, plain_fields};
use super::super::scalar::Scalar;
use super::super::units::{self, Garbage};
use super::{known_word, text_of};

/// A forwarding method.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Forwarding {
    /// The address is rewritten.
    Nat,
    /// The frame is sent on.
    Dr,
    /// The packet is put into another.
    Tun(Tunnel),
}

/// A tunnel to a real server.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Tunnel {
    /// What the packet is put into.
    pub kind: TunnelKind,
    /// Its checksum; as the kernel likes if not written. Never for IP in IP.
    pub checksum: Option<Checksum>,
}

/// What a packet is put into.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TunnelKind {
    /// IP in IP.
    Ipip,
    /// Generic UDP encapsulation, to this port.
    Gue(u16),
    /// Generic routing encapsulation.
    Gre,
}

/// The checksum of a tunnel's packets.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Checksum {
    /// None.
    None,
    /// Of all octets.
    Full,
    /// Remote checksum offload; only in GUE.
    Remote,
}

/// What follows the words that say a forwarding method.
pub(super) const SHAPE: &str = "NAT|DR|TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]";

const METHODS: &[(&str, Method)] = &[
    ("NAT", Method::Nat),
    ("DR", Method::Dr),
    ("TUN", Method::Tun),
];
const KINDS: &[(&str, Kind)] = &[("ipip", Kind::Ipip), ("gue", Kind::Gue), ("gre", Kind::Gre)];
const OPTIONS: &[(&str, Part)] = &[
    ("type", Part::Type),
    ("port", Part::Port),
    ("nocsum", Part::Checksum(Checksum::None)),
    ("csum", Part::Checksum(Checksum::Full)),
    ("remcsum", Part::Checksum(Checksum::Remote)),
];
const CHECKSUMS: &[(&str, Checksum)] = &[
    ("nocsum", Checksum::None),
    ("csum", Checksum::Full),
    ("remcsum", Checksum::Remote),
];

#[derive(Copy, Clone)]
enum Method {
    Nat,
    Dr,
    Tun,
}

#[derive(Copy, Clone)]
enum Kind {
    Ipip,
    Gue,
    Gre,
}

#[derive(Copy, Clone)]
enum Part {
    Type,
    Port,
    Checksum(Checksum),
}

impl Scalar for Forwarding {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let keyword = found.keyword();
        let Some((method, options)) = found.arguments().split_first() else {
            sink.missing_parameter(found.span(), keyword);
            return None;
        };
        let method = known_word(METHODS, true, keyword, method, sink)?;
        if let (Method::Nat | Method::Dr, Some(word)) = (method, options.first()) {
            let message = format!("{} and what follows it is ignored", quoted(&word.text));
            sink.note(word.span, message)
                .code(Code::SurplusValue)
                .help("only TUN has options");
        }
        match method {
            Method::Nat => Some(Self::Nat),
            Method::Dr => Some(Self::Dr),
            Method::Tun => tunnel(found, options, sink).map(Self::Tun),
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word];
        let port;
        match self {
            Self::Nat => words.push("NAT"),
            Self::Dr => words.push("DR"),
            Self::Tun(tunnel) => {
                words.push("TUN");
                match tunnel.kind {
                    TunnelKind::Ipip => {}
                    TunnelKind::Gre => words.extend(["type", "gre"]),
                    TunnelKind::Gue(number) => {
                        port = number.to_string();
                        words.extend(["type", "gue", "port", &port]);
                    }
                }
                words.extend(tunnel.checksum.map(|it| text_of(CHECKSUMS, &it)));
            }
        }
        page.line(&words);
    }
}

fn tunnel(found: &Statement, mut words: &[Word], sink: &mut Sink) -> Option<Tunnel> {
    let keyword = found.keyword();
    let (mut kind, mut port, mut checksum) = (Kind::Ipip, None, None);
    while let Some((word, rest)) = words.split_first() {
        words = rest;
        let part = known_word(OPTIONS, true, keyword, word, sink)?;
        if let Part::Checksum(sum) = part {
            checksum = Some(sum);
            continue;
        }
        let Some((value, rest)) = words.split_first() else {
            let message = format!("{} needs a value; {IGNORED}", quoted(&word.text));
            sink.error(word.span, message)
                .code(Code::MissingValue)
                .help(format!("write `{keyword} {SHAPE}`"));
            return None;
        };
        words = rest;
        if let Part::Type = part {
            kind = known_word(KINDS, true, "type", value, sink)?;
        } else {
            let number = units::number(value, 1..=65_535, Garbage::Refuse, IGNORED, sink)?;
            port = u16::try_from(number).ok();
        }
    }
    let kind = match (kind, port) {
        (Kind::Ipip, None) => TunnelKind::Ipip,
        (Kind::Gre, None) => TunnelKind::Gre,
        (Kind::Gue, Some(port)) => TunnelKind::Gue(port),
        (Kind::Gue, None) | (_, Some(_)) => {
            let message =
                format!("a tunnel has a `port` if it is of type gue, and only then; {IGNORED}");
            sink.error(found.span(), message)
                .code(Code::UnusedWord)
                .help("write `TUN type gue port N`, or leave the port out");
            return None;
        }
    };
    let fits = match (kind, checksum) {
        (_, None | Some(Checksum::None)) | (TunnelKind::Gue(_), _) => true,
        (TunnelKind::Gre, Some(sum)) => sum != Checksum::Remote,
        (TunnelKind::Ipip, Some(_)) => false,
    };
    if !fits {
        let message = format!("tunnels of this type have no such checksum; {IGNORED}");
        sink.error(found.span(), message)
            .code(Code::UnusedWord)
            .help("`remcsum` needs type gue, `csum` type gue or gre");
        return None;
    }
    Some(Tunnel { kind, checksum })
}

plain_fields!(Forwarding);
