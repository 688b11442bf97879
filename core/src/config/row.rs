//! One row for each word of a block: what follows it, where its value goes, what it does by default.
//!
//! Everything that must know the words reads these rows: the reader of the blocks ([`read_lines`]),
//! the dump ([`Page`]), the manual and the table of the README ([`super::catalogue`]), and the test
//! that walks all words. A word that has a row therefore has all of them.

use super::code::Code;
use std::net::IpAddr;

use super::block::Statement;
use super::diag::{Class, Severity, Sink, Span, Spanned, quoted};
use super::lexer::Word;
use super::page::Page;
use super::scalar::Scalar;
use super::statement;
use super::units::Garbage;
use crate::time::Duration;

/// What this version does with a word.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Carried out, if the block that it stands in is.
    Built,
    /// Read and checked, and not carried out, which cannot change who is master or which server
    /// gets traffic: one warning, and the daemon runs.
    Harmless,
    /// Read and checked; the daemon does not start with it.
    Refused,
}

/// What follows a word.
#[derive(Copy, Clone, PartialEq, Debug)]
pub enum Kind {
    /// Nothing: the word alone says it.
    Flag,
    /// Nothing: the word alone sets a truth value to this.
    Switch(bool),
    /// A truth value, or nothing for true.
    Bool,
    /// A whole number.
    Number {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
        /// What becomes of a number with something behind it.
        tail: Garbage,
    },
    /// Whole seconds.
    WholeSeconds {
        /// The fewest.
        min: u32,
        /// The most.
        max: u32,
    },
    /// Seconds with decimals, in microseconds.
    Seconds {
        /// The fewest, in microseconds.
        min_us: u64,
        /// The most, in microseconds.
        max_us: u64,
    },
    /// Milliseconds with decimals.
    Millis {
        /// The fewest.
        min: u32,
        /// The most.
        max: u32,
    },
    /// One word.
    Text,
    /// One word of at most so many octets.
    Name(usize),
    /// The name of an interface.
    Interface,
    /// One word, of which at most so many octets count.
    Cut(usize),
    /// One or more words.
    Words,
    /// A program and its arguments, with quotes of both kinds and backslashes.
    Command,
    /// An IPv4 or IPv6 address.
    Address,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A block whose lines are of this shape.
    Lines(&'static str),
    /// A block with words of its own, and what stands between its keyword and `{` (empty for nothing).
    Block(&'static str),
    /// Something else, as the manual writes it.
    Other(&'static str),
    /// The same, and where nothing follows the word the original says so and goes on; for other
    /// kinds that need a value it ends there.
    Soft(&'static Self),
}

impl Kind {
    /// A whole number from `min` to `max`; one with something behind it is refused.
    pub(super) const fn number(min: i64, max: i64) -> Self {
        let tail = Garbage::Refuse;
        Self::Number { min, max, tail }
    }

    /// A whole number from `min` to `max`; of one with something behind it the digits count.
    pub(super) const fn number_cut(min: i64, max: i64) -> Self {
        let tail = Garbage::Cut;
        Self::Number { min, max, tail }
    }

    /// True if the word opens a block.
    pub const fn is_block(self) -> bool {
        matches!(self, Self::Lines(_) | Self::Block(_))
    }

    /// What follows the word, as the manual writes it; empty for nothing.
    pub fn synopsis(self) -> String {
        match self {
            Self::Flag | Self::Switch(_) => String::new(),
            Self::Bool => "[BOOL]".to_owned(),
            Self::Number { min, max, .. } => format!("{min}..{max}"),
            Self::WholeSeconds { min, max } => format!("SECONDS ({min}..{max})"),
            Self::Seconds { min_us, max_us } => {
                format!("SECONDS ({}..{})", in_seconds(min_us), in_seconds(max_us))
            }
            Self::Millis { min, max } => format!("MILLISECONDS ({min}..{max})"),
            Self::Text => "TEXT".to_owned(),
            Self::Name(_) | Self::Cut(_) => "NAME".to_owned(),
            Self::Interface => "INTERFACE".to_owned(),
            Self::Words => "WORD...".to_owned(),
            Self::Command => "COMMAND".to_owned(),
            Self::Address => "ADDRESS".to_owned(),
            Self::Choice(words) => words.join("|"),
            Self::Lines(shape) => format!("{{ {shape} ... }}"),
            Self::Block("") => "{ ... }".to_owned(),
            Self::Block(name) => format!("{name} {{ ... }}"),
            Self::Other(shape) => shape.to_owned(),
            Self::Soft(inner) => inner.synopsis(),
        }
    }
}

fn in_seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a row says, whatever block it belongs to.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Head {
    /// The word.
    pub word: &'static str,
    /// What follows it.
    pub kind: Kind,
    /// What this version does with it.
    pub standing: Standing,
    /// The word whose synonym this is; empty for none. The dump writes that one.
    pub synonym_of: &'static str,
    /// What counts where the word is not written, as it would be written; empty for nothing.
    pub default: &'static str,
    /// What it does: one sentence for the manual.
    pub text: &'static str,
}

impl Head {
    /// A word that stands within a line; `<NAME>` for what stands for a value.
    pub(super) const fn within(word: &'static str, kind: Kind, text: &'static str) -> Self {
        Self {
            word,
            kind,
            standing: Standing::Built,
            synonym_of: "",
            default: "",
            text,
        }
    }

    /// The same with a default.
    pub(super) const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }
}

/// A word of the block `B`, and what is done with its statements.
pub(super) struct Row<B: 'static> {
    pub(super) head: Head,
    /// Reads one statement; see [`Field::read`].
    pub(super) read: fn(&mut B, &Head, &Statement, &mut Sink),
    /// Writes the statements that read back to what is held; see [`Field::show`].
    pub(super) show: fn(&B, &Head, &mut Page),
}

impl<B> Clone for Row<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Row<B> {}

/// A field of a block: reads the statements of its word, and shows itself as such.
pub(super) trait Field {
    /// Reads one statement. What is wrong with it is reported; the field is then as it was.
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink);
    /// Writes the statements that would read back to this value; nothing if none was written.
    fn show(&self, head: &Head, page: &mut Page);
}

/// A block with words of its own.
pub(super) trait Rows: Sized + 'static {
    /// Its words, sorted.
    fn rows() -> &'static [Row<Self>];
    /// Looks at the block when one of its lines has been read.
    fn on_line(&mut self, _line: &Statement, _sink: &mut Sink) {}
}

/// A block that begins with its keyword and perhaps a name.
pub(super) trait Begin: Rows {
    /// An empty block for the statement that opens it; `None`, and reported, if it is unusable. The
    /// lines inside are not read then.
    fn begin(found: &Statement, sink: &mut Sink) -> Option<Self>;
    /// What stands between the keyword and `{`.
    fn heading(&self) -> Vec<&str>;
    /// Looks at the block when all its lines are read; false, and reported, if it is left out.
    fn end(&mut self, _found: &Statement, _sink: &mut Sink) -> bool {
        true
    }
}

/// Rows of a block: `"word" => field: Kind, Standing, "default", "sentence";`, sorted by word.
///
/// `field` may be a path of fields, or `(read, show)`: functions as [`Row`] holds them. `= "word"`
/// behind the word makes it a synonym of that one.
macro_rules! rows {
    ($block:ty: $($word:literal $(= $synonym:literal)? =>
      $(($read:expr, $show:expr))? $($first:ident $(. $more:ident)*)? :
      $kind:expr, $standing:ident, $default:literal, $text:literal;)*) => {{
        const ROWS: &[$crate::config::row::Row<$block>] = &[$($crate::config::row::Row {
            head: $crate::config::row::Head {
                word: $word,
                kind: $kind,
                standing: $crate::config::row::Standing::$standing,
                synonym_of: concat!($($synonym)?),
                default: $default,
                text: $text,
            },
            read: $crate::config::row::reader!($block; $(($read))? $($first $(. $more)*)?),
            show: $crate::config::row::shower!($block; $(($show))? $($first $(. $more)*)?),
        }),*];
        ROWS
    }};
}
macro_rules! reader {
    ($block:ty; ($read:expr)) => { $read };
    ($block:ty; $($path:ident).+) => {
        |block: &mut $block, head, found, sink| {
            $crate::config::row::Field::read(&mut block.$($path).+, head, found, sink);
        }
    };
}
macro_rules! shower {
    ($block:ty; ($show:expr)) => { $show };
    ($block:ty; $($path:ident).+) => {
        |block: &$block, head, page| {
            $crate::config::row::Field::show(&block.$($path).+, head, page);
        }
    };
}
pub(super) use {reader, rows, shower};

/// The row of `word`.
pub(super) fn find<B: Rows>(word: &str) -> Option<&'static Row<B>> {
    let rows = B::rows();
    let at = rows.binary_search_by(|row| row.head.word.cmp(word)).ok()?;
    rows.get(at)
}

/// Reads the lines inside `found` into `block`, which messages call `place`.
pub(super) fn read_lines<B: Rows>(
    block: &mut B,
    place: &'static str,
    found: &Statement,
    sink: &mut Sink,
) {
    let lines = found.block.iter().flat_map(|block| &block.statements);
    for line in lines {
        read_line(block, place, line, sink);
        if sink.stopped() {
            return;
        }
    }
}

/// Reads one line of `block`.
pub(super) fn read_line<B: Rows>(
    block: &mut B,
    place: &'static str,
    line: &Statement,
    sink: &mut Sink,
) {
    let Some(row) = find::<B>(line.keyword()) else {
        let words = B::rows().iter().map(|row| row.head.word);
        statement::unknown_in(&format!("in `{place}`"), words, line, sink);
        return;
    };
    if !statement::has_its_block(row.head.kind.is_block(), line, sink) {
        return;
    }
    let mut head = row.head;
    if let Kind::Soft(inner) = head.kind {
        if line.arguments().is_empty() {
            statement::missing(&head, line, sink);
            return;
        }
        head.kind = *inner;
    }
    let before = sink.weight();
    (row.read)(block, &head, line, sink);
    block.on_line(line, sink);
    // A line that is wrong has had its message.
    if sink.weight() == before {
        statement::say_standing(row.head.standing, line, sink);
    }
}

/// Writes the lines of `block`.
pub(super) fn show_lines<B: Rows>(block: &B, page: &mut Page) {
    for row in B::rows() {
        if row.head.synonym_of.is_empty() {
            (row.show)(block, &row.head, page);
        }
    }
}

/// A value of one word.
impl<T: Scalar> Field for Option<Spanned<T>> {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        if let Some(value) = T::read(head, found, sink) {
            let span = found.arguments().first().map_or(found.span(), |it| it.span);
            *self = Some(Spanned::new(value, span));
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        match self {
            Some(value) => value.value.show(head, page),
            None if !head.default.is_empty() => page.default(head.word, head.default),
            None => {}
        }
    }
}

/// Fields that keep a value of one word without its place.
macro_rules! plain_fields {
    ($($type:ty),*) => {$(
        impl $crate::config::row::Field for Option<$type> {
            fn read(
                &mut self,
                head: &$crate::config::row::Head,
                found: &$crate::config::block::Statement,
                sink: &mut $crate::config::diag::Sink,
            ) {
                if let Some(value) = $crate::config::scalar::Scalar::read(head, found, sink) {
                    *self = Some(value);
                }
            }

            fn show(
                &self,
                head: &$crate::config::row::Head,
                page: &mut $crate::config::page::Page,
            ) {
                match self {
                    Some(value) => $crate::config::scalar::Scalar::show(value, head, page),
                    None if !head.default.is_empty() => page.default(head.word, head.default),
                    None => {}
                }
            }
        }
    )*};
}
pub(super) use plain_fields;
plain_fields!(
    u8,
    u16,
    u32,
    u64,
    i8,
    i16,
    i32,
    i64,
    bool,
    String,
    Vec<String>,
    Duration,
    IpAddr
);

/// Off unless it is switched on: [`Kind::Flag`] or [`Kind::Bool`].
impl Field for bool {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        if head.kind == Kind::Flag {
            statement::flag(found, sink);
            *self = true;
        } else if let Some(value) = Scalar::read(head, found, sink) {
            *self = value;
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        if *self {
            page.line(&[head.word]);
        } else if head.kind == Kind::Bool {
            page.default(head.word, "off");
        }
    }
}

/// A word that may stand several times, once for each value.
impl<T: Scalar> Field for Vec<Spanned<T>> {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        if let Some(value) = T::read(head, found, sink) {
            self.push(Spanned::new(value, found.span()));
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        for value in self {
            value.value.show(head, page);
        }
    }
}

/// [`Kind::Flag`].
impl Field for Option<Span> {
    fn read(&mut self, _head: &Head, found: &Statement, sink: &mut Sink) {
        statement::flag(found, sink);
        *self = Some(found.span());
    }

    fn show(&self, head: &Head, page: &mut Page) {
        if self.is_some() {
            page.line(&[head.word]);
        }
    }
}

/// What may stand on a line of a block of lines.
pub(super) trait Line: Sized {
    /// The value of one line; `None`, and reported, if it is unusable.
    fn read(line: &Statement, sink: &mut Sink) -> Option<Self>;
    /// Writes the line.
    fn show(&self, page: &mut Page);
}

/// [`Kind::Lines`]: several blocks add up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lines<T>(pub Vec<Spanned<T>>);

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Line> Field for Lines<T> {
    fn read(&mut self, _head: &Head, found: &Statement, sink: &mut Sink) {
        no_name(found, sink);
        let count = found.block.as_ref().map_or(0, |it| it.statements.len());
        self.0.reserve_exact(count);
        let lines = found.block.iter().flat_map(|block| &block.statements);
        for line in lines {
            if !statement::has_its_block(false, line, sink) {
                continue;
            }
            if let Some(value) = T::read(line, sink) {
                self.0.push(Spanned::new(value, line.span()));
            }
            if sink.stopped() {
                return;
            }
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        if self.0.is_empty() {
            return;
        }
        page.open(&[head.word]);
        for line in &self.0 {
            line.value.show(page);
        }
        page.close();
    }
}

/// A list of names, several on a line if one likes; several blocks add up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names(pub Vec<Spanned<String>>);

impl Field for Names {
    fn read(&mut self, _head: &Head, found: &Statement, sink: &mut Sink) {
        no_name(found, sink);
        let lines = found.block.iter().flat_map(|block| &block.statements);
        let words = lines.flat_map(|line| &line.words);
        self.0
            .extend(words.map(|word| Spanned::new(word.text.clone(), word.span)));
    }

    fn show(&self, head: &Head, page: &mut Page) {
        if self.0.is_empty() {
            return;
        }
        page.open(&[head.word]);
        for name in &self.0 {
            page.line(&[&name.value]);
        }
        page.close();
    }
}

/// Blocks that may stand several times.
impl<T: Begin> Field for Vec<T> {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        self.extend(read_block(head, found, sink));
    }

    fn show(&self, head: &Head, page: &mut Page) {
        for block in self {
            show_block(block, head, page);
        }
    }
}

/// A block that stands once; a second one adds to the first.
impl<T: Begin> Field for Option<Box<T>> {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        match self {
            Some(block) => read_lines(block.as_mut(), head.word, found, sink),
            None => *self = read_block(head, found, sink).map(Box::new),
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        if let Some(block) = self {
            show_block(block.as_ref(), head, page);
        }
    }
}

fn read_block<T: Begin>(head: &Head, found: &Statement, sink: &mut Sink) -> Option<T> {
    let mut block = T::begin(found, sink)?;
    read_lines(&mut block, head.word, found, sink);
    block.end(found, sink).then_some(block)
}

fn show_block<T: Begin>(block: &T, head: &Head, page: &mut Page) {
    let mut words = vec![head.word];
    words.extend(block.heading());
    page.open(&words);
    show_lines(block, page);
    page.close();
}

/// Reports what stands behind the keyword of a block that has no name.
pub(super) fn no_name(found: &Statement, sink: &mut Sink) {
    if let Some(word) = found.arguments().first()
        && found.block.is_some()
    {
        let message = format!(
            "{} stands between {} and its block; it is ignored",
            quoted(&word.text),
            quoted(found.keyword())
        );
        sink.error(word.span, message).code(Code::SurplusValue);
    }
}

/// The first word behind the keyword of a block, not yet used by another block of this keyword;
/// otherwise reported, and the block is skipped. As in the original reading stops where there is
/// none, and more words do not matter.
pub(super) fn first_name(found: &Statement, sink: &mut Sink) -> Option<Spanned<String>> {
    let name = statement::value(found, sink)?;
    unused(found, name, sink)
}

/// The one name behind the keyword of a block, not yet used by another block of this keyword;
/// otherwise reported, and the block is skipped.
pub(super) fn own_name(found: &Statement, sink: &mut Sink) -> Option<Spanned<String>> {
    let [name] = found.arguments() else {
        let keyword = quoted(found.keyword());
        let message = format!("a {keyword} has one name; the block is skipped");
        let help = format!(
            "write `{} NAME {{`; a name with blanks needs double quotes",
            found.keyword()
        );
        sink.error(found.span(), message)
            .code(Code::MissingName)
            .help(help);
        return None;
    };
    unused(found, name, sink)
}

fn unused(found: &Statement, name: &Word, sink: &mut Sink) -> Option<Spanned<String>> {
    // Blocks of the old and of the new word share their names.
    let kind = match find::<super::Config>(found.keyword()) {
        Some(row) if !row.head.synonym_of.is_empty() => row.head.synonym_of,
        _ => found.keyword(),
    };
    if let Some(first) = sink.first_use(kind, &name.text, name.span) {
        let keyword = quoted(found.keyword());
        let line = first.line;
        let name_shown = quoted(&name.text);
        let message = format!(
            "a {keyword} {name_shown} is defined already on line {line}; this block is skipped"
        );
        sink.report(Severity::Error, Class::General, name.span, message)
            .code(Code::NameTaken)
            .help("give each block a name of its own");
        return None;
    }
    Some(Spanned::new(name.text.clone(), name.span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_shown_as_the_manual_writes_them() {
        let table = [
            (Kind::Flag, ""),
            (Kind::number(1, 255), "1..255"),
            (
                Kind::Seconds {
                    min_us: 10_000,
                    max_us: 40_950_000,
                },
                "SECONDS (0.01..40.95)",
            ),
            (Kind::Choice(&["MASTER", "BACKUP"]), "MASTER|BACKUP"),
            (Kind::Lines("ADDRESS"), "{ ADDRESS ... }"),
            (Kind::Block("NAME"), "NAME { ... }"),
        ];
        for (kind, shown) in table {
            assert_eq!(kind.synopsis(), shown);
        }
    }
}
