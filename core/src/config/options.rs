//! Lines that hold options: one row for each word, as [`super::row`] has one for each word of a block.
//!
//! Addresses, routes and rules are such lines. The reader, the dump, the manual and the test that
//! walks all words read the same rows.

use std::fmt;
use std::net::IpAddr;

use super::code::Code;
use super::diag::{Diagnostic, Sink, Span, Spanned, quoted};
use super::keywords;
use super::lexer::Word;
use super::row::{Head, Kind, Standing};
use super::scalar::Choice;
use super::units::{self, Garbage};
use crate::ids::Family;
use crate::limits;

/// The words of one line, taken one after the other.
#[derive(Debug)]
pub(super) struct Words<'w> {
    rest: &'w [Word],
    /// The option whose values are being read.
    option: &'w Word,
    /// For messages: what becomes of the line.
    pub(super) lost: &'static str,
    /// An option without its value ends the reading of the file, as in the original for routes and
    /// rules, and not for addresses.
    pub(super) strict: bool,
    /// The line stands in a block of static lines, outside all instances.
    pub(super) fixed: bool,
}

impl<'w> Words<'w> {
    /// The words of a line behind its first.
    pub(super) const fn new(first: &'w Word, rest: &'w [Word], lost: &'static str) -> Self {
        Self {
            rest,
            option: first,
            lost,
            strict: false,
            fixed: false,
        }
    }

    /// The next option.
    pub(super) fn next_option(&mut self) -> Option<&'w Word> {
        let (word, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.option = word;
        Some(word)
    }

    /// The word that comes next.
    pub(super) fn peek(&self) -> Option<&'w Word> {
        self.rest.first()
    }

    /// Takes the next word if it is this one.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let here = self.peek().is_some_and(|word| word.text == text);
        if here {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        here
    }

    /// Leaves the rest of the line unread.
    pub(super) const fn skip_all(&mut self) {
        self.rest = &[];
    }

    /// Where the option stands that is being read.
    pub(super) const fn span(&self) -> Span {
        self.option.span
    }

    /// The next value of the option; `None`, and reported, if there is none.
    pub(super) fn value(&mut self, sink: &mut Sink) -> Option<&'w Word> {
        if let Some((word, rest)) = self.rest.split_first() {
            self.rest = rest;
            return Some(word);
        }
        let option = self.option;
        if self.strict {
            sink.missing_parameter(option.span, &option.text);
        } else {
            let message = format!(
                "`{}` needs a value, and none follows it on this line; {}",
                option.text, self.lost
            );
            sink.error(option.span, message).code(Code::MissingValue);
        }
        None
    }

    /// Reports a value that is wrong, for which the line is lost.
    pub(super) fn wrong<'k>(
        &self,
        word: &Word,
        what: &str,
        sink: &'k mut Sink,
    ) -> &'k mut Diagnostic {
        let message = format!("{} {what}; {}", quoted(&word.text), self.lost);
        sink.error(word.span, message)
    }

    /// Reports an option that is wrong here, for which the line is lost.
    pub(super) fn misplaced<'k>(&self, what: &str, sink: &'k mut Sink) -> &'k mut Diagnostic {
        self.wrong(self.option, what, sink)
    }
}

/// What is read of an option: `None` if the whole line is lost for it, which has been reported.
pub(super) type Read<L> = fn(&mut L, &Head, &mut Words<'_>, &mut Sink) -> Option<()>;

/// An option of the line `L`.
pub(super) struct LineWord<L: 'static> {
    pub(super) head: Head,
    pub(super) read: Read<L>,
    /// The words that read back to what is held; none if none were written.
    pub(super) show: fn(&L, &Head, &mut Vec<String>),
}

/// A line, or a part of one, with options.
pub(super) trait Options: Sized + 'static {
    /// Its options, sorted. Those in `<>` stand for a value without a word before it.
    fn words() -> &'static [LineWord<Self>];
}

/// A field of a line, filled by one option.
pub(super) trait Part {
    /// Reads the values of the option; `None`, and reported, if the line is lost.
    fn read(&mut self, head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()>;
    /// Writes the option and its values, if it was written.
    fn show(&self, head: &Head, out: &mut Vec<String>);
}

/// Rows of a line: `"word" => field: Kind, Standing, "default", "sentence";`, sorted by word, or
/// `"word" => (read, show): ..` with functions as [`LineWord`] holds them.
macro_rules! words {
    ($line:ty: $($word:literal $(= $synonym:literal)? =>
      $(($read:expr, $show:expr))? $($first:ident $(. $more:ident)*)? :
      $kind:expr, $standing:ident, $default:literal, $text:literal;)*) => {{
        const WORDS: &[$crate::config::options::LineWord<$line>] = &[
            $($crate::config::options::LineWord {
                head: $crate::config::row::Head {
                    word: $word,
                    kind: $kind,
                    standing: $crate::config::row::Standing::$standing,
                    synonym_of: concat!($($synonym)?),
                    default: $default,
                    text: $text,
                },
                read: $crate::config::options::taker!($line; $(($read))? $($first $(. $more)*)?),
                show: $crate::config::options::teller!($line; $(($show))? $($first $(. $more)*)?),
            }),*
        ];
        WORDS
    }};
}
macro_rules! taker {
    ($line:ty; ($read:expr)) => { $read };
    ($line:ty; $($path:ident).+) => {
        |line: &mut $line, head, words, sink| {
            $crate::config::options::Part::read(&mut line.$($path).+, head, words, sink)
        }
    };
}
macro_rules! teller {
    ($line:ty; ($show:expr)) => { $show };
    ($line:ty; $($path:ident).+) => {
        |line: &$line, head, out| {
            $crate::config::options::Part::show(&line.$($path).+, head, out);
        }
    };
}
pub(super) use {taker, teller, words};

/// For options that the line writes itself.
pub(super) const fn unshown<L>(_line: &L, _head: &Head, _out: &mut Vec<String>) {}

/// The row of an option.
pub(super) fn find<L: Options>(word: &str) -> Option<&'static LineWord<L>> {
    let rows = L::words();
    let at = rows.binary_search_by(|row| row.head.word.cmp(word)).ok()?;
    rows.get(at).filter(|_| !word.starts_with('<'))
}

/// The option that was probably meant by a word that is none.
pub(super) fn nearest<L: Options>(word: &str) -> Option<&'static str> {
    let words = L::words().iter().map(|row| row.head.word);
    keywords::nearest_of(words, word)
}

/// Writes all options of `line`.
pub(super) fn show_options<L: Options>(line: &L, out: &mut Vec<String>) {
    for row in L::words()
        .iter()
        .filter(|row| row.head.synonym_of.is_empty())
    {
        (row.show)(line, &row.head, out);
    }
}

/// The rows of `L` for the catalogue.
pub(super) fn heads<L: Options>() -> Vec<Head> {
    L::words().iter().map(|row| row.head).collect()
}

/// A row for a value or word that stands in no table.
pub(super) const fn head(
    word: &'static str,
    kind: Kind,
    default: &'static str,
    text: &'static str,
) -> Head {
    Head {
        word,
        kind,
        standing: Standing::Built,
        synonym_of: "",
        default,
        text,
    }
}

/// [`Kind::Flag`].
impl Part for bool {
    fn read(&mut self, _head: &Head, _words: &mut Words<'_>, _sink: &mut Sink) -> Option<()> {
        *self = true;
        Some(())
    }

    fn show(&self, head: &Head, out: &mut Vec<String>) {
        if *self {
            out.push(head.word.to_owned());
        }
    }
}

/// What follows an option, in one or more words.
pub(super) trait Value: Sized {
    /// Reads it; `None`, and reported, if the line is lost.
    fn read(head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self>;
    /// Writes it.
    fn show(&self, out: &mut Vec<String>);
}

impl<T: Value> Part for Option<T> {
    fn read(&mut self, head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<()> {
        *self = Some(T::read(head, words, sink)?);
        Some(())
    }

    fn show(&self, head: &Head, out: &mut Vec<String>) {
        if let Some(value) = self {
            out.push(head.word.to_owned());
            value.show(out);
        }
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        /// Within the range of [`Kind::Number`], or that of the type.
        impl Value for $type {
            fn read(head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
                let word = words.value(sink)?;
                whole(head, u64::from(Self::MAX), word, words.lost, sink)?.try_into().ok()
            }

            fn show(&self, out: &mut Vec<String>) {
                out.push(self.to_string());
            }
        }
    )*};
}
whole_numbers!(u8, u16, u32, u64);

fn whole(head: &Head, most: u64, word: &Word, lost: &str, sink: &mut Sink) -> Option<u64> {
    let range = match head.kind {
        Kind::Number { min, max, .. } => u64::try_from(min).ok()?..=u64::try_from(max).ok()?,
        _ => 0..=most,
    };
    units::number(word, range, Garbage::Refuse, lost, sink)
}

/// A number as C writes it: decimal, octal behind `0`, or hexadecimal behind `0x`; `None` if it is none
/// or too large.
pub(super) fn c_number(text: &str) -> Option<u64> {
    let hex = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let (digits, radix) = match hex {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

impl Value for IpAddr {
    fn read(_head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let word = words.value(sink)?;
        let address = word.text.parse().ok();
        if address.is_none() {
            words
                .wrong(word, "is not an IPv4 or IPv6 address", sink)
                .code(Code::BadAddress);
        }
        address
    }

    fn show(&self, out: &mut Vec<String>) {
        out.push(self.to_string());
    }
}

/// An address and how many of its first bits count.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Prefix {
    /// The address.
    pub addr: IpAddr,
    /// The length: 0..=32, or 0..=128 for IPv6.
    pub length: u8,
}

impl Prefix {
    /// `ADDR[/LENGTH]`; a length that is wrong counts as none, as in the original. `None`, and
    /// reported, if there is no address.
    pub(super) fn parse(word: &Word, lost: &str, sink: &mut Sink) -> Option<Self> {
        let bare = word.text.split('/').next().unwrap_or_default();
        if bare.parse::<IpAddr>().is_err() {
            let message = format!("{} is not an IPv4 or IPv6 address; {lost}", quoted(bare));
            sink.error(word.span, message).code(Code::BadAddress);
            return None;
        }
        let (addr, length) = units::prefix(word, sink)?;
        Some(Self { addr, length })
    }

    /// True if `word` begins with an address.
    pub(super) fn fits(word: &Word) -> bool {
        let bare = word.text.split('/').next().unwrap_or_default();
        bare.parse::<IpAddr>().is_ok()
    }

    /// Its family.
    pub fn family(&self) -> Family {
        Family::of(self.addr)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.addr)?;
        if self.length < self.family().prefix_max() {
            write!(f, "/{}", self.length)?;
        }
        Ok(())
    }
}

impl Value for Prefix {
    fn read(_head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let word = words.value(sink)?;
        Self::parse(word, words.lost, sink)
    }

    fn show(&self, out: &mut Vec<String>) {
        out.push(self.to_string());
    }
}

/// The name of an interface, or another name.
impl Value for Spanned<String> {
    fn read(head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let word = words.value(sink)?;
        let longest = match head.kind {
            Kind::Name(longest) => longest,
            _ => limits::INTERFACE_NAME,
        };
        if word.text.is_empty() || word.text.len() > longest {
            let what = format!("is no name of 1 to {longest} characters");
            words.wrong(word, &what, sink).code(Code::LongName);
            return None;
        }
        Some(Self::new(word.text.clone(), word.span))
    }

    fn show(&self, out: &mut Vec<String>) {
        out.push(self.value.clone());
    }
}

/// A number up to `MAX`, or a name that the host may have for one, as in the files of iproute2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Symbol<const MAX: u32> {
    /// The number.
    Number(u32),
    /// The name; whether the host knows it is seen when it is needed.
    Name(String),
}

impl<const MAX: u32> Symbol<MAX> {
    pub(super) fn parse(word: &Word, text: &str, lost: &str, sink: &mut Sink) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = c_number(text);
        match number.map(u32::try_from) {
            Some(Ok(number)) if number <= MAX => Some(Self::Number(number)),
            None if !plain && !text.starts_with(['-', '+']) => Some(Self::Name(text.to_owned())),
            _ => {
                let message = format!("{} is out of range; {lost}", quoted(text));
                let help = format!("write a number from 0 to {MAX}, or a name");
                sink.number(word.span, message).help(help);
                None
            }
        }
    }
}

impl<const MAX: u32> fmt::Display for Symbol<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl<const MAX: u32> Value for Symbol<MAX> {
    fn read(_head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let word = words.value(sink)?;
        Self::parse(word, &word.text, words.lost, sink)
    }

    fn show(&self, out: &mut Vec<String>) {
        out.push(self.to_string());
    }
}

/// Realms of routing: `[FROM/]TO`, each up to 255 or a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Realms {
    /// That of the source.
    pub from: Option<Symbol<255>>,
    /// That of the destination.
    pub to: Symbol<255>,
}

impl Value for Realms {
    fn read(_head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let word = words.value(sink)?;
        let (from, to) = match word.text.split_once('/') {
            Some((from, to)) => (Some(from), to),
            None => (None, word.text.as_str()),
        };
        if to.is_empty() || to.contains('/') || from == Some("") {
            words
                .wrong(word, "is no pair of realms", sink)
                .help("write FROM/TO, or TO");
            return None;
        }
        let from = match from {
            Some(from) => Some(Symbol::parse(word, from, words.lost, sink)?),
            None => None,
        };
        let to = Symbol::parse(word, to, words.lost, sink)?;
        Some(Self { from, to })
    }

    fn show(&self, out: &mut Vec<String>) {
        out.push(match &self.from {
            Some(from) => format!("{from}/{}", self.to),
            None => self.to.to_string(),
        });
    }
}

impl<T: Choice> Value for T {
    fn read(head: &Head, words: &mut Words<'_>, sink: &mut Sink) -> Option<Self> {
        let word = words.value(sink)?;
        let known = T::WORDS.iter().find(|(text, _)| *text == word.text);
        if known.is_none() {
            let all: Vec<&str> = T::WORDS.iter().map(|(text, _)| *text).collect();
            let what = format!("is no value of `{}`", head.word);
            let help = format!("write one of {}", all.join(", "));
            words
                .wrong(word, &what, sink)
                .code(Code::BadChoice)
                .help(help);
        }
        known.map(|(_, value)| *value)
    }

    fn show(&self, out: &mut Vec<String>) {
        let known = T::WORDS.iter().find(|(_, value)| value == self);
        out.extend(known.map(|(text, _)| (*text).to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_writes_them() {
        let table = [
            ("0", Some(0)),
            ("10", Some(10)),
            ("010", Some(8)),
            ("0x1F", Some(31)),
            ("0x", None),
            ("09", None),
            ("1x", None),
            ("-1", None),
            ("+1", None),
            ("", None),
            ("18446744073709551616", None),
        ];
        for (text, value) in table {
            assert_eq!(c_number(text), value, "{text}");
        }
    }
}
