//! `UDP_CHECK`: what is sent, and what must come back.

use super::super::code::Code;
use std::net::IpAddr;

use super::super::block::Statement;
use super::super::diag::{Sink, quoted};
use super::super::global::IGNORED;
use super::super::page::Page;
use super::super::row::{Head, Kind, Row, Rows, plain_fields};
use super::super::scalar::Scalar;
use super::checkers::Check;
use super::probe::{Probe, place_of, probe_rows};

/// The longest reply if nothing is written.
const LONGEST_REPLY: u16 = 255;

/// `UDP_CHECK`: a datagram, and perhaps its answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UdpCheck {
    /// The common words.
    pub probe: Probe,
    /// `payload`; a text if not written.
    pub payload: Option<Payload>,
    /// `require_reply`: an answer must come, and be so.
    pub require_reply: Option<HexPattern>,
    /// `min_reply_length`, in octets; 0 if not written.
    pub min_reply_length: Option<u16>,
    /// `max_reply_length`, in octets; 255 if not written.
    pub max_reply_length: Option<u16>,
}

impl Rows for UdpCheck {
    fn rows() -> &'static [Row<Self>] {
        probe_rows! { UdpCheck, "1", "1",
            "max_reply_length" => max_reply_length: Kind::number(0, 65_535), Built, "255",
                "The most octets of the reply.";
            "min_reply_length" => min_reply_length: Kind::number(0, 65_535), Built, "0",
                "The fewest octets of the reply.";
            "payload" => payload: Kind::Soft(&Kind::Other("HEX...")), Built, "",
                "What is sent, two digits for each octet; else some text.";
            "require_reply" => require_reply: Kind::Other("[HEX...]"), Built, "",
                "A reply must come, and begin so if something is written; x stands for any digit.";
        }
    }
}

impl Check for UdpCheck {
    fn end(&mut self, server: IpAddr, found: &Statement, sink: &mut Sink) -> bool {
        let min = self.min_reply_length.unwrap_or(0);
        let max = self.max_reply_length.unwrap_or(LONGEST_REPLY);
        if min > max {
            let message = format!(
                "no reply has at least {min} octets and at most {max}: this check always fails"
            );
            sink.error(place_of(found, "min_reply_length"), message)
                .code(Code::BadNumber)
                .help("write a larger `max_reply_length`");
        }
        self.probe.end(server, found, sink)
    }
}

/// The octets that are sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payload(pub Box<[u8]>);

/// The octets with which a reply begins.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HexPattern {
    /// They, 0 where any digit will do.
    pub octets: Box<[u8]>,
    /// For each the bits that count.
    pub mask: Box<[u8]>,
}

/// Two digits for each octet; the last of an odd number of digits in a word is an octet of its own.
/// Returns octets and masks.
fn hex(found: &Statement, wildcards: bool, sink: &mut Sink) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut octets, mut masks) = (Vec::new(), Vec::new());
    for word in found.arguments() {
        let parts = word.text.split_ascii_whitespace();
        for digits in parts.map(str::as_bytes).flat_map(|part| part.chunks(2)) {
            let (mut octet, mut mask) = (0_u8, 0_u8);
            if digits.len() == 1 {
                mask = 0x0f;
            }
            for digit in digits {
                let value = match char::from(*digit).to_digit(16) {
                    Some(value) => Some((value as u8, 0x0f)),
                    None if wildcards && digit.eq_ignore_ascii_case(&b'x') => Some((0, 0)),
                    None => None,
                };
                let Some((value, counts)) = value else {
                    let shown = quoted(&word.text);
                    let what = if wildcards {
                        "hexadecimal digits and x"
                    } else {
                        "hexadecimal digits"
                    };
                    let message = format!("{shown} does not consist of {what}; {IGNORED}");
                    sink.error(word.span, message)
                        .code(Code::BadValue)
                        .help("write two digits for each octet, as `00ff 1a`");
                    return None;
                };
                octet = octet << 4 | value;
                mask = mask << 4 | counts;
            }
            octets.push(octet);
            masks.push(mask);
        }
    }
    Some((octets, masks))
}

impl Scalar for Payload {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (octets, _) = hex(found, false, sink)?;
        Some(Self(octets.into()))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let digits: String = self.0.iter().map(|octet| format!("{octet:02x}")).collect();
        page.line(&[head.word, &digits]);
    }
}

impl Scalar for HexPattern {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (octets, mask) = hex(found, true, sink)?;
        Some(Self {
            octets: octets.into(),
            mask: mask.into(),
        })
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut digits = String::new();
        for (octet, mask) in self.octets.iter().zip(&self.mask) {
            for shift in [4, 0] {
                let digit = char::from_digit(u32::from(octet >> shift & 0x0f), 16);
                let counts = mask >> shift & 0x0f != 0;
                digits.push(digit.filter(|_| counts).unwrap_or('x'));
            }
        }
        let words: &[&str] = if digits.is_empty() {
            &[head.word]
        } else {
            &[head.word, &digits]
        };
        page.line(words);
    }
}

plain_fields!(Payload, HexPattern);
