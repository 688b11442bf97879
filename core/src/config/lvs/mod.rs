//! The load balancer: `virtual_server`, `virtual_server_group`, `SSL` and all that stands in them.
//!
//! There may be hundreds of thousands of real servers, and most of them have two or three lines. So
//! a block holds what nearly all write, and in a [`Rare`] box what few write; times and numbers
//! stand without their places, because what belongs together is checked while the block is still
//! there as text. What is not written is inherited, checker from real server from virtual server:
//! that is said in one place, [`inherit`].

mod checkers;
mod forward;
mod group;
mod http;
mod inherit;
mod passes;
mod probe;
mod real;
mod scheduler;
mod script;
mod ssl;
mod udp;
mod virtual_server;

use std::ops::{Deref, DerefMut};

pub use checkers::{
    BfdCheck, Checker, Checkers, DnsCheck, DnsType, FileCheck, FileWeight, MiscCheck, PingCheck,
    SmtpCheck, SmtpHost, TcpCheck,
};
pub use forward::{Checksum, Forwarding, Tunnel, TunnelKind};
pub use group::{GroupAddresses, GroupEntry, VirtualServerGroup};
pub use http::{Digest, Get, HttpVersion, RegexOptions, RegexStack, RegexWords, StatusCodes, Url};
pub use inherit::{Checked, Served};
pub use probe::{Endpoint, Pace, Probe};
pub use real::{RealServer, RealServerMore};
pub use scheduler::{Named, Scheduler, Scheduling};
pub use script::{Pattern, Script, User};
pub use ssl::Ssl;
pub use udp::{HexPattern, Payload, UdpCheck};
pub use virtual_server::{
    Granularity, IpFamily, PersistenceTimeout, Protocol, Service, SorryServer, Tuning,
    VirtualServer,
};

pub(super) use group::{read_group, show_groups};
pub(super) use passes::check;
pub(super) use ssl::{read_ssl, show_ssl};
pub(super) use virtual_server::{read_server, show_servers};

use super::block::Statement;
use super::code::Code;
use super::diag::{Class, Severity, Sink, quoted};
use super::global::IGNORED;
use super::lexer::Word;
use super::page::Page;
use super::row::{Head, Row, Rows, plain_fields, show_lines};
use super::scalar::Scalar;
use super::statement::value;

/// Everything that the file says about the load balancer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lvs {
    /// `SSL`.
    pub ssl: Option<Box<Ssl>>,
    /// `virtual_server_group` blocks in the order of the file.
    pub groups: Vec<VirtualServerGroup>,
    /// `virtual_server` blocks in the order of the file.
    pub servers: Vec<VirtualServer>,
}

/// A value that few blocks write: it takes the room of a pointer where nothing is written.
#[derive(Clone, Debug, Default)]
pub struct Rare<T>(Option<Box<T>>);

/// A type of which one value says that nothing was written.
pub trait Blank: Default + PartialEq + 'static {
    /// That value.
    fn blank() -> &'static Self;
}

impl<T: Blank> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => T::blank(),
        }
    }
}

impl<T: Blank> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

/// A box in which nothing is written is no box.
impl<T: Blank> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Blank + Eq> Eq for Rare<T> {}

plain_fields!(Box<str>);

/// One word.
impl Scalar for Box<str> {
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        String::read(head, found, sink).map(String::into_boxed_str)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, self]);
    }
}

/// A name that SNMP shows: one word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnmpName(pub Box<str>);

impl Scalar for SnmpName {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let (name, rest) = found.arguments().split_first()?;
        if let Some(word) = rest.first() {
            let message = format!("{} is a word too many; {IGNORED}", quoted(&word.text));
            sink.error(word.span, message)
                .help("put a name with blanks into double quotes");
            return None;
        }
        Some(Self(name.text.as_str().into()))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, &self.0]);
    }
}

plain_fields!(SnmpName);

/// `rows` sorted by word, for blocks that share some of their words with others.
const fn sorted<B: 'static, const N: usize>(rows: &[Row<B>]) -> [Row<B>; N] {
    let mut all = [rows[0]; N];
    let mut count = 0;
    while count < N {
        let mut at = count;
        while at > 0 && is_before(rows[count].head.word, all[at - 1].head.word) {
            all[at] = all[at - 1];
            at -= 1;
        }
        all[at] = rows[count];
        count += 1;
    }
    all
}

const fn is_before(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return a[at] < b[at];
        }
        at += 1;
    }
    a.len() < b.len()
}

/// [`rows`](super::row::rows) in any order.
macro_rules! sorted_rows {
    ($block:ty: $($rows:tt)*) => {{
        const LISTED: &[$crate::config::row::Row<$block>] =
            $crate::config::row::rows! { $block: $($rows)* };
        const SORTED: [$crate::config::row::Row<$block>; LISTED.len()] =
            $crate::config::lvs::sorted(LISTED);
        &SORTED
    }};
}
use sorted_rows;

/// Writes a block with `words` between its keyword and its brace.
fn show_one<B: Rows>(block: &B, words: &[&str], page: &mut Page) {
    page.open(words);
    show_lines(block, page);
    page.close();
}

/// True if `word` begins a line in the block of `found`: what is wrong with it has been said.
fn mentions(found: &Statement, word: &str) -> bool {
    let lines = found.block.iter().flat_map(|block| &block.statements);
    lines.into_iter().any(|line| line.keyword() == word)
}

/// The value of a word whose spelling in capitals does not matter.
fn word_of<T: Copy>(
    words: &'static [(&'static str, T)],
    exact: bool,
    found: &Statement,
    sink: &mut Sink,
) -> Option<T> {
    let word = value(found, sink)?;
    known_word(words, exact, found.keyword(), word, sink)
}

/// The same for a word anywhere on the line.
fn known_word<T: Copy>(
    words: &'static [(&'static str, T)],
    exact: bool,
    keyword: &str,
    word: &Word,
    sink: &mut Sink,
) -> Option<T> {
    let fits = |text: &str| {
        if exact {
            text == word.text
        } else {
            text.eq_ignore_ascii_case(&word.text)
        }
    };
    if let Some((_, value)) = words.iter().find(|(text, _)| fits(text)) {
        return Some(*value);
    }
    let all: Vec<&str> = words.iter().map(|(text, _)| *text).collect();
    let shown = quoted(&word.text);
    let message = format!("{shown} is no value of `{keyword}`; {IGNORED}");
    let help = format!("write one of {}", all.join(", "));
    let other_case = all
        .iter()
        .find(|text| text.eq_ignore_ascii_case(&word.text));
    let near = other_case
        .copied()
        .or_else(|| super::keywords::nearest_of(all.into_iter(), &word.text));
    let report = sink
        .error(word.span, message)
        .code(Code::BadChoice)
        .help(help);
    if let Some(near) = near {
        report.suggest(near);
    }
    None
}

/// The word of a value.
fn text_of<T: PartialEq>(words: &'static [(&'static str, T)], value: &T) -> &'static str {
    let known = words.iter().find(|(_, known)| known == value);
    known.map_or("", |(text, _)| text)
}

/// Something that is refused here and that the original takes without a word: it does not change
/// the exit code of `-t`.
fn quiet_error<'s>(
    word: &Word,
    message: impl Into<String>,
    sink: &'s mut Sink,
) -> &'s mut super::diag::Diagnostic {
    sink.report(Severity::Error, Class::Ok, word.span, message)
}

/// A word without its value, where the original says nothing; true if it is.
fn quietly_missing(head: &Head, found: &Statement, sink: &mut Sink) -> bool {
    let missing = found.arguments().is_empty();
    if let Some(word) = found.words.first().filter(|_| missing) {
        let message = format!(
            "`{}` needs a value, and none follows it; {IGNORED}",
            head.word
        );
        quiet_error(word, message, sink)
            .code(Code::MissingValue)
            .help(format!("write {} {}", head.word, head.kind.synopsis()));
    }
    missing
}

#[cfg(test)]
mod tests;
