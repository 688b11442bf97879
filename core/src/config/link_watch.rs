//! `interface_up_down_delays` and `linkbeat_interfaces`: how the state of links is learnt.

use super::block::Statement;
use super::code::Code;
use super::diag::{Sink, Spanned, quoted};
use super::global::IGNORED;
use super::page::Page;
use super::row::{Head, Kind, Line};
use super::units;
use crate::limits;
use crate::time::Duration;

/// A line of `interface_up_down_delays`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkDelays {
    /// The interface.
    pub interface: Spanned<String>,
    /// How long it must be down to count as down.
    pub down: Duration,
    /// How long it must be up to count as up; zero if it is not written, as in keepalived.
    pub up: Option<Duration>,
}

impl LinkDelays {
    /// The line, for the catalogue.
    pub(super) const HEAD: Head = Head::within(
        "<IFNAME>",
        Kind::Other("0..255 [0..255]"),
        "Seconds that the interface must be down, and up, to count as such.",
    );
}

impl Line for LinkDelays {
    fn read(line: &Statement, sink: &mut Sink) -> Option<Self> {
        let interface = interface(line, sink)?;
        let range = || Duration::ZERO..=Duration::from_secs(255);
        let down = match line.arguments().first() {
            Some(word) => units::seconds(word, range(), IGNORED, sink)?,
            None => {
                let message = format!("{} has no delay; {IGNORED}", quoted(&interface.value));
                sink.error(interface.span, message)
                    .code(Code::MissingValue)
                    .help("write `INTERFACE DOWN_DELAY UP_DELAY`");
                return None;
            }
        };
        let up = match line.arguments().get(1) {
            Some(word) => Some(units::seconds(word, range(), IGNORED, sink)?),
            None => None,
        };
        if let Some(word) = line.arguments().get(2) {
            let message = format!("{} is ignored", quoted(&word.text));
            sink.note(word.span, message);
        }
        Some(Self {
            interface,
            down,
            up,
        })
    }

    fn show(&self, page: &mut Page) {
        let down = self.down.to_string();
        let up = self.up.map(|up| up.to_string());
        let mut words = vec![self.interface.value.as_str(), &down];
        words.extend(up.as_deref());
        page.line(&words);
    }
}

/// A line of `linkbeat_interfaces`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Linkbeat {
    /// The interface.
    pub interface: Spanned<String>,
    /// How it is asked; the best of them that it knows by default.
    pub method: Option<LinkbeatMethod>,
}

/// How an interface is asked for the state of its link.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum LinkbeatMethod {
    /// The registers of its transceiver.
    Mii,
    /// ethtool.
    Ethtool,
    /// Its flags.
    Ioctl,
}

/// Each way of asking and its word.
const METHODS: [(&str, LinkbeatMethod); 3] = [
    ("MII", LinkbeatMethod::Mii),
    ("ETHTOOL", LinkbeatMethod::Ethtool),
    ("IOCTL", LinkbeatMethod::Ioctl),
];

impl Linkbeat {
    /// The line, for the catalogue.
    pub(super) const HEAD: Head = Head::within(
        "<IFNAME>",
        Kind::Other("[MII|ETHTOOL|IOCTL]"),
        "The interface is asked for the state of its link, by the best way that it knows.",
    );
}

impl Line for Linkbeat {
    fn read(line: &Statement, sink: &mut Sink) -> Option<Self> {
        let interface = interface(line, sink)?;
        let mut method = None;
        for (place, word) in line.arguments().iter().enumerate() {
            let known = METHODS.iter().find(|(name, _)| *name == word.text);
            match known.filter(|_| place == 0) {
                Some((_, known)) => method = Some(*known),
                None => {
                    let shown = quoted(&word.text);
                    let message = format!("{shown} is no way to ask an interface; it is ignored");
                    let report = sink.error(word.span, message).code(Code::BadChoice);
                    report
                        .help("write one of MII, ETHTOOL and IOCTL, and each interface on a line");
                    let upper = word.text.to_uppercase();
                    if METHODS.iter().any(|(name, _)| *name == upper) && upper != word.text {
                        report.suggest(upper);
                    }
                    break;
                }
            }
        }
        Some(Self { interface, method })
    }

    fn show(&self, page: &mut Page) {
        let mut words = vec![self.interface.value.as_str()];
        let method = METHODS.iter().find(|(_, it)| Some(*it) == self.method);
        words.extend(method.map(|(name, _)| name));
        page.line(&words);
    }
}

/// The interface that begins a line.
fn interface(line: &Statement, sink: &mut Sink) -> Option<Spanned<String>> {
    let word = line.words.first()?;
    if word.text.is_empty() || word.text.len() > limits::INTERFACE_NAME {
        let shown = quoted(&word.text);
        let message = format!(
            "{shown} is no name of an interface, which has 1 to {} octets; {IGNORED}",
            limits::INTERFACE_NAME
        );
        sink.error(word.span, message).code(Code::LongName);
        return None;
    }
    Some(Spanned::new(word.text.clone(), word.span))
}
