//! `$NAME=VALUE` and its use: names for text, put in where they are used and not before.
//!
//! As in the original: `${NAME}` anywhere, or `$NAME` where its end is seen; what is put in is looked
//! at again, so a definition may use others, also ones that come later; names that are not defined
//! stay as they are. A value may have several lines, and is then used at the end of a line.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::code::Code;
use super::diag::{Sink, Span, quoted};
use super::made::{Made, Piece, Within};
use super::source::Sources;
use crate::limits;
use crate::rng::Rng;

/// The largest of the random numbers if none is said.
const RANDOM_MAX: u64 = 32_767;

/// What a line costs besides its octets.
pub(super) const LINE_COST: usize = 32;

/// One line of a value.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    /// Where it stands.
    pub(super) place: Span,
    /// It stands there octet by octet.
    pub(super) literal: bool,
}

/// What names stand for.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    lines: BTreeMap<Arc<str>, Arc<[Line]>>,
    random: Option<Rng>,
    /// Octets that were put in so far.
    spent: usize,
    /// The ceiling was told.
    exhausted: bool,
}

/// A use of a name: octets `from..to`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Use<'t> {
    from: usize,
    to: usize,
    name: &'t str,
    /// What stands behind the name within the braces.
    arguments: &'t str,
}

/// What became of a line.
#[derive(Debug)]
pub(super) enum Put {
    /// Nothing in it is defined.
    Same,
    /// Something was put in; these lines follow it.
    Done(Vec<Made>),
    /// It cannot be used, which was reported.
    Bad,
}

/// What stands for a use.
enum Value {
    Lines(Arc<[Line]>),
    Text(String),
    Unknown,
}

/// True if `name` may be defined.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// `$NAME=` at the beginning of `line`: the name, and the octet behind the `=`.
pub(super) fn begins(line: &str) -> Option<(&str, usize)> {
    let (name, _) = line.strip_prefix('$')?.split_once('=')?;
    is_name(name).then_some((name, name.len() + 2))
}

/// The next use in `text` that begins at octet `from` or behind it.
fn next_use(text: &str, from: usize) -> Option<Use<'_>> {
    let mut at = from;
    loop {
        at += text.get(at..)?.find('$')?;
        let rest = &text[at + 1..];
        let braced = rest.strip_prefix('{');
        let body = braced.unwrap_or(rest);
        let end = body
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(body.len());
        let (name, tail) = body.split_at(end);
        let start = at + 1 + usize::from(braced.is_some()) + end;
        if braced.is_some() && is_name(name) {
            let close = tail.find('}');
            if let Some(close) = close.filter(|close| *close == 0 || tail.starts_with(' ')) {
                return Some(Use {
                    from: at,
                    to: start + close + 1,
                    name,
                    arguments: tail.get(..close).unwrap_or_default().trim(),
                });
            }
        } else if is_name(name)
            && (tail.is_empty() || tail.starts_with([' ', '\t', '\r', ',', ')']))
        {
            return Some(Use {
                from: at,
                to: start,
                name,
                arguments: "",
            });
        }
        at += 1;
    }
}

impl Definitions {
    /// `name` stands for `lines` from now on; of empty ones only the last may stay.
    pub(super) fn set(&mut self, name: &str, lines: Vec<Line>) {
        self.lines.insert(name.into(), lines.into());
    }

    /// The random numbers begin with `seed` from now on.
    pub(super) fn seed(&mut self, seed: u64) {
        self.random = Some(Rng::new(seed));
    }

    /// Counts octets; false, and reported once, when there are more than `room`.
    pub(super) fn spend(
        &mut self,
        octets: usize,
        (place, room): (Span, usize),
        sink: &mut Sink,
    ) -> bool {
        self.spent = self.spent.saturating_add(octets);
        if self.spent > room && !self.exhausted {
            self.exhausted = true;
            let message = format!(
                "definitions and repetitions make more than {} MiB of text; nothing more is put in",
                room >> 20
            );
            sink.fatal(place, message).code(Code::LongText).help(
                "look for definitions that use each other several times, and for long ranges",
            );
        }
        !self.exhausted
    }

    /// Puts what is defined into `made`, until nothing in it is.
    pub(super) fn put(
        &mut self,
        made: &mut Made,
        sources: &mut dyn Sources,
        sink: &mut Sink,
    ) -> Put {
        let mut following = Vec::new();
        let mut at = 0;
        let mut any = false;
        while let Some(found) = next_use(&made.text, at) {
            let (from, to) = (found.from, found.to);
            let name: Arc<str> = found.name.into();
            let place = made.place(from, to);
            let (lines, own) = match self.value(made, &found, sources, sink) {
                Value::Lines(lines) => (lines, true),
                Value::Text(text) => {
                    let literal = false;
                    let line = Line {
                        text,
                        place,
                        literal,
                    };
                    ([line].into(), false)
                }
                Value::Unknown => {
                    at = to;
                    continue;
                }
            };
            if lines.len() > 1 && !made.text[to..].trim_end().is_empty() {
                let shown = quoted(&format!("${name}"));
                let message = format!("{shown} has several lines, and something stands behind it");
                sink.error(place, message)
                    .code(Code::BadDefinition)
                    .help("it is not replaced; write what follows it on a line of its own");
                at = to;
                continue;
            }
            let depth = made.piece_at(from).map_or(0, |piece| piece.depth) + 1;
            if !self.fits(made, (&name, depth), &lines, (place, sources.room()), sink) {
                return Put::Bad;
            }
            any = true;
            let piece = |line: &Line| Piece {
                end: line.text.len(),
                place: Span { origin: 0, ..place },
                literal: false,
                definition: own.then(|| Within {
                    name: Arc::clone(&name),
                    place: line.place,
                    literal: line.literal,
                }),
                depth,
            };
            if let Some((first, rest)) = lines.split_first() {
                made.splice((from, to), &first.text, piece(first));
                let rest = rest.iter();
                let rest = rest.map(|line| Made::of(line.text.clone(), piece(line)));
                // Those of an inner definition come before those of the outer one.
                following.splice(0..0, rest);
            }
            at = from;
        }
        if any { Put::Done(following) } else { Put::Same }
    }

    /// True if `lines` may be put into `made`; otherwise why not has been reported.
    fn fits(
        &mut self,
        made: &Made,
        (name, depth): (&str, usize),
        lines: &[Line],
        (place, room): (Span, usize),
        sink: &mut Sink,
    ) -> bool {
        if depth > limits::DEFINITION_DEPTH {
            let shown = quoted(&format!("${name}"));
            let message = format!(
                "the definition of {shown} goes round in a circle, or definitions are put into each \
                 other more than {} deep; this line is ignored",
                limits::DEFINITION_DEPTH
            );
            sink.error(place, message)
                .help("a definition is put in where it is used, with what counts there");
            return false;
        }
        let longer = made.text.len() + lines.first().map_or(0, |line| line.text.len());
        if longer > limits::EXPANDED_LINE {
            let message = format!(
                "with its definitions this line has more than {} octets; it is ignored",
                limits::EXPANDED_LINE
            );
            sink.error(place, message).code(Code::LongLine);
            return false;
        }
        let octets = lines.iter().map(|line| line.text.len() + LINE_COST).sum();
        self.spend(octets, (place, room), sink)
    }

    fn value(
        &mut self,
        made: &Made,
        found: &Use<'_>,
        sources: &mut dyn Sources,
        sink: &mut Sink,
    ) -> Value {
        if found.arguments.is_empty()
            && let Some(lines) = self.lines.get(found.name)
        {
            return Value::Lines(Arc::clone(lines));
        }
        let place = made.place(found.from, found.to);
        match (found.name, found.arguments) {
            ("_PWD", "") => Value::Text(directory(sink.places().name(place.file), sources)),
            ("_INSTANCE", "") => Value::Text(sources.config_id()),
            ("_HASH", "") => Value::Text(sign(made, found.from, '#')),
            ("_BANG", "") => Value::Text(sign(made, found.from, '!')),
            ("_RANDOM", range) => match self.random(range, sources) {
                Some(number) => Value::Text(number.to_string()),
                None => {
                    let message = "no random number: write `${_RANDOM}`, `${_RANDOM MIN}` or \
                                   `${_RANDOM MIN MAX}`";
                    sink.error(place, message).code(Code::Doubtful);
                    Value::Unknown
                }
            },
            ("_ENV", name) if !name.is_empty() => match sources.environment(name) {
                Some(value) => Value::Text(value.replace(['\n', '\r', '\0'], " ")),
                None => {
                    let message = format!("the environment has no {}", quoted(name));
                    sink.error(place, message)
                        .code(Code::Doubtful)
                        .help("the empty text is used");
                    Value::Text(String::new())
                }
            },
            _ => Value::Unknown,
        }
    }

    /// A number of the range that stands behind `_RANDOM`.
    fn random(&mut self, range: &str, sources: &mut dyn Sources) -> Option<u64> {
        let mut numbers = range
            .split_ascii_whitespace()
            .map(|word| word.parse::<u32>().ok());
        let min = u64::from(numbers.next().unwrap_or(Some(0))?);
        let max = numbers
            .next()
            .map_or(Some(RANDOM_MAX), |max| max.map(u64::from))?;
        if numbers.next().is_some() || min > max {
            return None;
        }
        let random = self.random.get_or_insert_with(|| Rng::new(sources.seed()));
        Some(random.within(min, max))
    }
}

/// A sign that begins no comment where it is put in.
fn sign(made: &Made, at: usize, sign: char) -> String {
    let quotes = made.text.get(..at).unwrap_or_default().matches('"').count();
    if quotes % 2 == 1 {
        sign.to_string()
    } else {
        format!("\\{sign}")
    }
}

/// The directory of the file `name`, as an absolute path.
pub(super) fn directory(name: &str, sources: &mut dyn Sources) -> String {
    let (directory, _) = name.rsplit_once('/').unwrap_or_default();
    if name.starts_with('/') {
        return if directory.is_empty() { "/" } else { directory }.to_owned();
    }
    let base = sources.directory();
    let directory = directory.trim_start_matches("./");
    if directory.is_empty() || directory == "." {
        return base;
    }
    format!("{}/{directory}", base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_used_only_where_its_end_is_seen() {
        let used = |text| {
            next_use(text, 0)
                .map(|found| (&text[found.from..found.to], found.name, found.arguments))
        };
        for text in [
            "a $AB", "a x$AB", "a ${AB}x", "a $AB,b", "a $AB)", "a $x$AB",
        ] {
            assert_eq!(used(text).map(|it| it.1), Some("AB"), "{text}");
        }
        for text in [
            "a $AB.", "a $", "a ${AB", "a $1", "a ${1}", "a ${}", "a $AB;", "a ${A-B}",
        ] {
            assert_eq!(used(text), None, "{text}");
        }
        assert_eq!(
            used("x${_RANDOM 1 2}y"),
            Some(("${_RANDOM 1 2}", "_RANDOM", "1 2"))
        );
    }

    #[test]
    fn definitions_begin_with_a_name_and_an_equals_sign() {
        assert_eq!(begins("$A_1=b"), Some(("A_1", 5)));
        for line in ["$A =b", "$A-B=c", "$=a", "$1=a", "A=b", "$A"] {
            assert_eq!(begins(line), None, "{line}");
        }
    }

    #[test]
    fn directories_are_absolute() {
        let mut sources = super::super::source::Bundle {
            directory: "/w".to_owned(),
            ..Default::default()
        };
        let table = [
            ("/a/b.conf", "/a"),
            ("/b.conf", "/"),
            ("b.conf", "/w"),
            ("./b", "/w"),
            ("c/d/b", "/w/c/d"),
        ];
        for (name, expected) in table {
            assert_eq!(directory(name, &mut sources), expected, "{name}");
        }
    }
}
