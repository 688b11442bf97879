//! One line of `virtual_rules` or `static_rules`.
//!
//! As in the original a rule with a mistake is dropped. It differs where the original reads on with
//! less than was written: a port range, protocol or user range that is wrong drops the rule too, since
//! the rule would then be for more packets than meant. `inet` and `inet6` do not swallow the word
//! behind them.

use super::block::Statement;
use super::code::Code;
use super::diag::{Class, Severity, Sink, Span, Spanned, quoted};
use super::lexer::Word;
use super::options::{self, LineWord, Options, Part, Prefix, Realms, Symbol, Value, Words, words};
use super::page::Page;
use super::route_line::{PROTOCOL, group};
use super::row::{Head, Kind, Line};
use super::scalar::Choice;
use super::static_lines::Static;
use crate::ids::Family;
use crate::limits;

/// What becomes of a line with a mistake.
const DROPPED: &str = "the rule is dropped";

/// What a rule does with the packets that it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// `table`: looks there.
    Table(Symbol<{ u32::MAX }>),
    /// `l3mdev`: looks in the table of the interface's VRF.
    L3mdev,
    /// `goto`: goes on at the rule of this preference.
    Goto(u32),
    /// Ends in one of the ways without a value.
    Plain(Ending),
}

/// An action without a value.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// `nop`: goes on at the next rule.
    Nop,
    /// `blackhole`: drops them.
    Blackhole,
    /// `prohibit`: refuses them as forbidden.
    Prohibit,
    /// `unreachable`: refuses them, the network being unreachable.
    Unreachable,
}

impl Choice for Ending {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("blackhole", Self::Blackhole),
        ("prohibit", Self::Prohibit),
        ("unreachable", Self::Unreachable),
        ("nop", Self::Nop),
    ];
}

/// Which addresses a rule is for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Selector {
    /// `all`, `any` or `default`.
    All,
    /// These.
    Prefix(Prefix),
}

impl Value for Selector {
    fn read(_head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let word = words.value(sink)?;
        match word.text.as_str() {
            "all" | "any" | "default" => Some(Self::All),
            _ => Prefix::parse(word, words.lost, sink).map(Self::Prefix),
        }
    }

    fn show(&self, out: &mut Vec<String>) {
        out.push(match self {
            Self::All => "all".to_owned(),
            Self::Prefix(prefix) => prefix.to_string(),
        });
    }
}

/// `fwmark`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The mark.
    pub mark: u32,
    /// Which of its bits count; all by default.
    pub mask: Option<u32>,
}

impl Value for Mark {
    fn read(_head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let word = words.value(sink)?;
        let (mark, mask) = match word.text.split_once('/') {
            Some((mark, mask)) => (mark, Some(mask)),
            None => (word.text.as_str(), None),
        };
        let number = |text| options::c_number(text).and_then(|it| u32::try_from(it).ok());
        let read = match (number(mark), mask.map(number)) {
            (Some(mark), None) => Some(Self { mark, mask: None }),
            (Some(mark), Some(Some(mask))) => Some(Self {
                mark,
                mask: Some(mask),
            }),
            _ => None,
        };
        if read.is_none() {
            let help = "write a number of 32 bits, with `/` and a mask if not all bits count";
            let message = format!("{} is no mark; {DROPPED}", quoted(&word.text));
            sink.number(word.span, message).help(help);
        }
        read
    }

    fn show(&self, out: &mut Vec<String>) {
        out.push(match self.mask {
            Some(mask) => format!("{:#x}/{mask:#x}", self.mark),
            None => format!("{:#x}", self.mark),
        });
    }
}

/// Numbers from one to another, both included.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Between<T> {
    /// The first.
    pub first: T,
    /// The last, not before the first.
    pub last: T,
}

impl<T: TryFrom<u64> + PartialOrd> Between<T> {
    fn parse(word: &Word, single: bool, sink: &mut Sink) -> Option<Self> {
        let (first, last) = match word.text.split_once('-') {
            Some(pair) => pair,
            None if single => (word.text.as_str(), word.text.as_str()),
            None => ("", ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| {
            let number = text.parse::<u64>().ok().filter(|_| digits(text))?;
            T::try_from(number).ok()
        };
        let read = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Some(Self { first, last }),
            _ => None,
        };
        if read.is_none() {
            let message = format!("{} is no such range; {DROPPED}", quoted(&word.text));
            sink.number(word.span, message)
                .help("write FIRST-LAST, the smaller number before the other");
        }
        read
    }
}

/// Of users.
impl Value for Between<u32> {
    fn read(_head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        Self::parse(words.value(sink)?, false, sink)
    }

    fn show(&self, out: &mut Vec<String>) {
        out.push(format!("{}-{}", self.first, self.last));
    }
}

/// Of ports.
impl Value for Between<u16> {
    fn read(_head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        Self::parse(words.value(sink)?, true, sink)
    }

    fn show(&self, out: &mut Vec<String>) {
        out.push(format!("{}-{}", self.first, self.last));
    }
}

/// The preference of a rule, which the original reads as C writes numbers.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RulePreference(pub u32);

impl Value for RulePreference {
    fn read(head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        match words.peek().and_then(|word| options::c_number(&word.text)) {
            Some(number) if number <= u64::from(u32::MAX) => {
                words.value(sink)?;
                u32::try_from(number).ok().map(Self)
            }
            _ => u32::read(head, words, sink).map(Self),
        }
    }

    fn show(&self, out: &mut Vec<String>) {
        out.push(self.0.to_string());
    }
}

/// One rule as written; `None` and `false` where nothing was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleLine {
    /// Where it stands.
    pub span: Span,
    /// `from`.
    pub from: Option<Selector>,
    /// `to`.
    pub to: Option<Selector>,
    /// `not`: for all packets but those.
    pub inverted: bool,
    /// What it does.
    pub action: Option<Action>,
    /// `preference`: rules of lower numbers come first.
    pub preference: Option<RulePreference>,
    /// `tos`.
    pub tos: Option<Symbol<255>>,
    /// `fwmark`.
    pub mark: Option<Mark>,
    /// `realms`; IPv4.
    pub realms: Option<Realms>,
    /// `suppress_prefixlength`: results of at most this length do not count.
    pub suppress_length: Option<u32>,
    /// `suppress_ifgroup`: results through interfaces of this group do not count.
    pub suppress_group: Option<Symbol<0x7fff_ffff>>,
    /// `iif`: the interface that packets come from.
    pub input: Option<Spanned<String>>,
    /// `oif`: the interface that they shall leave through.
    pub output: Option<Spanned<String>>,
    /// `tunnel-id`.
    pub tunnel_id: Option<u64>,
    /// `uidrange`: the users whose packets they are.
    pub users: Option<Between<u32>>,
    /// `protocol`; keepalived's by default.
    pub protocol: Option<Symbol<255>>,
    /// `ipproto`.
    pub ip_protocol: Option<Symbol<255>>,
    /// `sport`.
    pub source_ports: Option<Between<u16>>,
    /// `dport`.
    pub destination_ports: Option<Between<u16>>,
    /// `inet` or `inet6`.
    pub family: Option<Family>,
    /// `no_track`.
    pub no_track: bool,
    /// `track_group`, of static rules.
    pub track_group: Option<Spanned<String>>,
}

impl RuleLine {
    const fn new(span: Span) -> Self {
        Self {
            span,
            from: None,
            to: None,
            inverted: false,
            action: None,
            preference: None,
            tos: None,
            mark: None,
            realms: None,
            suppress_length: None,
            suppress_group: None,
            input: None,
            output: None,
            tunnel_id: None,
            users: None,
            protocol: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            family: None,
            no_track: false,
            track_group: None,
        }
    }

    /// Takes an action; a rule has one.
    fn act(&mut self, action: Action, at: Span, sink: &mut Sink) -> Option<()> {
        if self.action.is_some() {
            let message = format!("a rule has one action, and this is another; {DROPPED}");
            sink.error(at, message)
                .help("keep one of table, goto, l3mdev, nop, blackhole, prohibit and unreachable");
            return None;
        }
        self.action = Some(action);
        Some(())
    }

    fn table(&mut self, head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let at = words.span();
        let table = Symbol::read(head, words, sink)?;
        if table == Symbol::Number(0) {
            let message = format!("there is no table 0 for rules; {DROPPED}");
            sink.error(at, message);
            return None;
        }
        self.act(Action::Table(table), at, sink)
    }

    fn goes_to(&mut self, head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let at = words.span();
        let target = u32::read(head, words, sink)?;
        self.act(Action::Goto(target), at, sink)
    }

    fn typed(&mut self, head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let at = words.span();
        let ending = Ending::read(head, words, sink)?;
        self.act(Action::Plain(ending), at, sink)
    }

    /// An action that is a word of its own.
    fn ends(&mut self, head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        let known = Ending::WORDS.iter().find(|(word, _)| *word == head.word);
        let action = known.map_or(Action::L3mdev, |(_, ending)| Action::Plain(*ending));
        self.act(action, words.span(), sink)
    }

    /// The action, if it is that of this row.
    fn show_action(&self, head: &Head, out: &mut Vec<String>) {
        let Some(action) = &self.action else {
            return;
        };
        let (word, value) = match action {
            Action::Table(table) => ("table", Some(table.to_string())),
            Action::L3mdev => ("l3mdev", None),
            Action::Goto(target) => ("goto", Some(target.to_string())),
            Action::Plain(ending) => {
                let known = Ending::WORDS.iter().find(|(_, it)| it == ending);
                (known.map_or("", |(word, _)| word), None)
            }
        };
        if word == head.word {
            out.push(word.to_owned());
            out.extend(value);
        }
    }
}

const TABLE: Kind = Kind::Other("1..4294967295|NAME");
const PREFERENCE: Kind = Kind::number(0, 4_294_967_295);

impl Options for RuleLine {
    fn words() -> &'static [LineWord<Self>] {
        WORDS
    }
}

const WORDS: &[LineWord<RuleLine>] = words! { RuleLine:
    "blackhole" => (RuleLine::ends, RuleLine::show_action): Kind::Flag, Built, "",
        "Packets are dropped.";
    "dev" = "iif" => input: Kind::Name(limits::INTERFACE_NAME), Built, "",
        "Another word for iif.";
    "dport" => destination_ports: Kind::Other("FIRST[-LAST]"), Built, "",
        "The rule is for packets to these ports.";
    "dsfield" = "tos" => tos: Kind::Other("0..255|NAME"), Built, "",
        "Another word for tos.";
    "from" => from: Kind::Other("ADDRESS[/LENGTH]|all"), Built, "all",
        "The rule is for packets from there.";
    "fwmark" => mark: Kind::Other("MARK[/MASK]"), Built, "",
        "The rule is for packets with this mark of the firewall.";
    "goto" => (RuleLine::goes_to, RuleLine::show_action): PREFERENCE, Built, "",
        "Goes on at the rule of this preference, which is higher than its own.";
    "iif" => input: Kind::Name(limits::INTERFACE_NAME), Built, "",
        "The rule is for packets that come in through this interface.";
    "inet" => (|it, _, _, _| { it.family = Some(Family::V4); Some(()) },
        |it, head, out| (it.family == Some(Family::V4)).show(head, out)): Kind::Flag, Built, "",
        "The rule is one of IPv4.";
    "inet6" => (|it, _, _, _| { it.family = Some(Family::V6); Some(()) },
        |it, head, out| (it.family == Some(Family::V6)).show(head, out)): Kind::Flag, Built, "",
        "The rule is one of IPv6.";
    "ipproto" => ip_protocol: Kind::Other("0..255|NAME"), Built, "",
        "The rule is for packets of this protocol, as tcp.";
    "l3mdev" => (RuleLine::ends, RuleLine::show_action): Kind::Flag, Built, "",
        "Looks in the table of the VRF that the interface belongs to.";
    "lookup" = "table" => (RuleLine::table, options::unshown): TABLE, Built, "",
        "Another word for table.";
    "no_track" => no_track: Kind::Flag, Built, "",
        "Nothing happens if somebody else removes the rule.";
    "nop" => (RuleLine::ends, RuleLine::show_action): Kind::Flag, Built, "",
        "Nothing: the next rule decides.";
    "not" => inverted: Kind::Flag, Built, "",
        "The rule is for all packets that the rest of the line does not describe.";
    "oif" => output: Kind::Name(limits::INTERFACE_NAME), Built, "",
        "The rule is for packets of the host that are bound to this interface.";
    "order" = "preference" => preference: PREFERENCE, Built, "",
        "Another word for preference.";
    "preference" => preference: PREFERENCE, Built, "",
        "Rules of lower numbers come first; without one a number is chosen.";
    "priority" = "preference" => preference: PREFERENCE, Built, "",
        "Another word for preference.";
    "prohibit" => (RuleLine::ends, RuleLine::show_action): Kind::Flag, Built, "",
        "Packets are refused as forbidden.";
    "protocol" => protocol: Kind::Other("0..255|NAME"), Built, "keepalived",
        "What made the rule; any other is not tracked.";
    "realms" => realms: Kind::Other("[FROM/]TO"), Built, "",
        "The realms of an IPv4 rule.";
    "sport" => source_ports: Kind::Other("FIRST[-LAST]"), Built, "",
        "The rule is for packets from these ports.";
    "sup_group" = "suppress_ifgroup" => suppress_group: Kind::Other("0..2147483647|NAME"), Built, "",
        "Another word for suppress_ifgroup.";
    "sup_pl" = "suppress_prefixlength" => suppress_length: Kind::number(0, 2_147_483_647), Built, "",
        "Another word for suppress_prefixlength.";
    "suppress_ifgroup" => suppress_group: Kind::Other("0..2147483647|NAME"), Built, "",
        "Routes through interfaces of this group do not count.";
    "suppress_prefixlength" => suppress_length: Kind::number(0, 2_147_483_647), Built, "",
        "Routes whose prefix is at most so long do not count.";
    "table" => (RuleLine::table, RuleLine::show_action): TABLE, Built, "",
        "The table that is looked up.";
    "to" => to: Kind::Other("ADDRESS[/LENGTH]|all"), Built, "all",
        "The rule is for packets that go there.";
    "tos" => tos: Kind::Other("0..255|NAME"), Built, "",
        "The rule is for packets of this type of service.";
    "track_group" => (|it, _, words, sink| group(&mut it.track_group, words, sink),
        |it, head, out| it.track_group.show(head, out)): Kind::Other("GROUP"), Built, "",
        "The instances of this group track the interface of a static rule.";
    "tunnel-id" => tunnel_id: Kind::Other("0..18446744073709551615"), Built, "",
        "The rule is for packets of the tunnel with this key.";
    "type" => (RuleLine::typed, options::unshown):
        Kind::Choice(&["blackhole", "prohibit", "unreachable", "nop"]), Built, "",
        "The action by its name.";
    "uidrange" => users: Kind::Other("FIRST-LAST"), Built, "",
        "The rule is for packets of these users of the host.";
    "unreachable" => (RuleLine::ends, RuleLine::show_action): Kind::Flag, Built, "",
        "Packets are refused, the network being unreachable.";
};

/// The rule of one line; `None`, and reported, if it is dropped.
fn read(line: &[Word], fixed: bool, sink: &mut Sink) -> Option<RuleLine> {
    let first = line.first()?;
    let mut words = Words::new(first, line, DROPPED);
    words.strict = true;
    words.fixed = fixed;
    let mut rule = RuleLine::new(first.span);
    while let Some(word) = words.next_option() {
        let known = options::find::<RuleLine>(&word.text);
        let Some(row) = known.filter(|row| fixed || row.head.word != "track_group") else {
            unknown(word, sink);
            return None;
        };
        (row.read)(&mut rule, &row.head, &mut words, sink)?;
    }
    rule.finish(sink).then_some(rule)
}

fn unknown(word: &Word, sink: &mut Sink) {
    let message = format!("{} is no word of a rule; {DROPPED}", quoted(&word.text));
    let found = sink.error(word.span, message).code(Code::UnknownOption);
    if let Some(near) = options::nearest::<RuleLine>(&word.text) {
        found.help(format!("did you mean `{near}`?")).suggest(near);
    } else if Prefix::fits(word) {
        found.help("write `from` or `to` before an address");
    }
}

impl RuleLine {
    /// What depends on more than one option; false, and reported, if the rule is dropped.
    fn finish(&mut self, sink: &mut Sink) -> bool {
        let Some(action) = &self.action else {
            let message = format!("this rule does nothing; {DROPPED}");
            sink.error(self.span, message)
                .help("write `table` and the table to look up, or another action");
            return false;
        };
        let looks = matches!(action, Action::Table(_) | Action::L3mdev);
        let target = match action {
            Action::Goto(target) => Some(*target),
            Action::Table(_) | Action::L3mdev | Action::Plain(_) => None,
        };
        let narrows = self.suppress_length.is_some()
            || self.suppress_group.is_some()
            || self.realms.is_some();
        if narrows && !looks {
            let message = format!(
                "`realms` and the words that suppress routes are for rules that look up a table; \
                 {DROPPED}"
            );
            sink.error(self.span, message);
            return false;
        }
        let preference = self.preference.map(|it| it.0);
        if let Some(target) = target
            && preference.is_none_or(|own| own >= target)
        {
            let message = format!(
                "`goto {target}` needs a `preference` that is lower than its target; {DROPPED}"
            );
            sink.error(self.span, message);
            return false;
        }
        if !self.finish_family(sink) {
            return false;
        }
        self.finish_tracking(sink);
        true
    }

    fn finish_family(&self, sink: &mut Sink) -> bool {
        let ends = [self.from, self.to].into_iter().flatten();
        let families = ends.filter_map(|end| match end {
            Selector::All => None,
            Selector::Prefix(prefix) => Some(Family::of(prefix.addr)),
        });
        let mut families = families.chain(self.family);
        let first = families.next();
        if families.any(|family| Some(family) != first) {
            let message = format!("this rule mixes IPv4 and IPv6; {DROPPED}");
            sink.error(self.span, message)
                .help("write IPv4 and IPv6 rules on lines of their own");
            return false;
        }
        if self.realms.is_some() && first == Some(Family::V6) {
            let message = format!("`realms` is for rules of IPv4 only; {DROPPED}");
            sink.error(self.span, message);
            return false;
        }
        true
    }

    /// The original tracks rules of its own protocol only, and warns of rules without a preference.
    fn finish_tracking(&mut self, sink: &mut Sink) {
        let own = match &self.protocol {
            None => true,
            Some(Symbol::Number(number)) => *number == PROTOCOL,
            Some(Symbol::Name(name)) => name == "keepalived",
        };
        if !self.no_track && !own {
            let message =
                "a rule of another protocol cannot be tracked; it is made one of keepalived";
            sink.report(Severity::Warning, Class::General, self.span, message)
                .help("write `no_track` to keep the protocol");
            self.protocol = None;
        }
        if self.preference.is_none() {
            let message = "this rule has no `preference`; the one that it will be given is \
                           probably not what you want";
            sink.report(Severity::Warning, Class::Warning, self.span, message)
                .help("write `preference` and a number below 32766");
        }
    }
}

fn show(rule: &RuleLine, page: &mut Page) {
    let mut out = Vec::new();
    options::show_options(rule, &mut out);
    let words: Vec<&str> = out.iter().map(String::as_str).collect();
    page.line(&words);
}

/// The words of a rule for the catalogue.
pub(super) fn heads() -> Vec<Head> {
    let mut heads = options::heads::<RuleLine>();
    heads.retain(|head| head.word != "track_group");
    heads
}

impl Line for RuleLine {
    fn read(line: &Statement, sink: &mut Sink) -> Option<Self> {
        read(&line.words, false, sink)
    }

    fn show(&self, page: &mut Page) {
        show(self, page);
    }
}

impl Line for Static<RuleLine> {
    fn read(line: &Statement, sink: &mut Sink) -> Option<Self> {
        read(&line.words, true, sink).map(Self)
    }

    fn show(&self, page: &mut Page) {
        show(&self.0, page);
    }
}
