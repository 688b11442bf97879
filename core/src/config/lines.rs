//! The lines of a configuration in the order in which they count: of the file, of the files that it
//! includes, and of definitions and repetitions.
//!
//! Where work is under way stands on a stack: a file half read, a repetition half walked, the lines
//! of a definition. So nothing is made before it is needed, and a file that includes itself or a
//! range of a billion costs what has been read of it.

use super::code::Code;
use std::sync::Arc;

use super::definition::{self, Definitions, LINE_COST, Line, Put};
use super::diag::{Sink, Span};
use super::include::Checks;
use super::made::{Made, Piece};
use super::repeat::{self, Values};
use super::source::{FileText, Sources};
use crate::limits;

/// A line with everything put in.
#[derive(Debug)]
pub(super) enum Whole {
    /// Octets of a file, which stand there one by one.
    Plain {
        text: Arc<str>,
        from: usize,
        to: usize,
        file: u16,
        number: u32,
    },
    /// A line that is made of several.
    Made(Made),
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct OpenFile {
    text: Arc<str>,
    /// First octet of the next line.
    next: usize,
    /// The line read last, from 1.
    number: u32,
    pub(super) file: u16,
    /// What tells it from others, see [`super::include::identity`].
    pub(super) identity: String,
    /// The checks of whoever includes it, which count again behind it.
    checks: Checks,
}

/// What is under way.
#[derive(Debug)]
enum Work {
    File(OpenFile),
    /// Lines still to be looked at, the last one first.
    Lines(Vec<Made>),
    Repeat {
        values: Values,
        rest: Made,
        /// Where the repetition stands.
        place: Span,
    },
}

/// The lines of a definition that is not at its end yet.
#[derive(Debug)]
struct Defining {
    name: String,
    lines: Vec<Line>,
}

pub(super) struct Reading<'s> {
    pub(super) sources: &'s mut dyn Sources,
    work: Vec<Work>,
    definitions: Definitions,
    defining: Option<Defining>,
    pub(super) checks: Checks,
    config_id: Option<String>,
    /// So many files were included.
    pub(super) opened: usize,
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading")
            .field("work", &self.work)
            .finish_non_exhaustive()
    }
}

impl<'s> Reading<'s> {
    /// Nothing is open yet.
    pub(super) fn new(sources: &'s mut dyn Sources) -> Self {
        let checks = if sources.check_all() {
            Checks::ALL
        } else {
            Checks::default()
        };
        Self {
            sources,
            work: Vec::new(),
            definitions: Definitions::default(),
            defining: None,
            checks,
            config_id: None,
            opened: 0,
        }
    }

    /// Reads on in `file`, whose number is `number`, and then where it was.
    pub(super) fn open(&mut self, identity: String, file: FileText, number: u16, sink: &mut Sink) {
        sink.keep_text(number, &file.text);
        if let Some(at) = file.replaced {
            Self::tell_replaced(&file, at, number, sink);
        }
        self.work.push(Work::File(OpenFile {
            text: file.text,
            next: 0,
            number: 0,
            file: number,
            identity,
            checks: self.checks,
        }));
    }

    fn tell_replaced(file: &FileText, at: u32, number: u16, sink: &mut Sink) {
        let before = file.text.get(..at as usize).unwrap_or_default();
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let column = before[begin..].chars().count() + 1;
        let span = Span {
            file: number,
            line: count(before.matches('\n').count() + 1),
            column: u16::try_from(column).unwrap_or(u16::MAX),
            start: at,
            end: at.saturating_add(3),
            origin: 0,
        };
        let message = "this is not UTF-8; what is not is read as U+FFFD";
        sink.note(span, message)
            .code(Code::NotUtf8)
            .help("save the file as UTF-8 if it is more than a comment");
    }

    /// The files that are being read, the innermost last.
    pub(super) fn files(&self) -> impl Iterator<Item = &OpenFile> {
        self.work.iter().filter_map(|work| match work {
            Work::File(file) => Some(file),
            Work::Lines(_) | Work::Repeat { .. } => None,
        })
    }

    /// The random numbers begin with `seed` from now on.
    pub(super) fn seed(&mut self, seed: u64) {
        self.definitions.seed(seed);
    }

    /// The next line with something on it.
    pub(super) fn next(&mut self, sink: &mut Sink) -> Option<Whole> {
        loop {
            let whole = match self.work.last_mut()? {
                Work::File(_) => self.read_line(sink),
                Work::Lines(lines) => match lines.pop() {
                    Some(made) => self.look(made, sink),
                    None => {
                        self.work.pop();
                        None
                    }
                },
                Work::Repeat { .. } => {
                    let made = self.repeat(sink);
                    made.and_then(|made| self.look(made, sink))
                }
            };
            if whole.is_some() {
                return whole;
            }
        }
    }

    /// The next line of the innermost file.
    fn read_line(&mut self, sink: &mut Sink) -> Option<Whole> {
        let Some(Work::File(open)) = self.work.last_mut() else {
            return None;
        };
        let rest = open.text.get(open.next..).unwrap_or_default();
        if rest.is_empty() {
            self.checks = open.checks;
            self.work.pop();
            self.end_definition();
            return None;
        }
        let length = rest.find('\n').unwrap_or(rest.len());
        let from = open.next;
        open.next = (from + length + 1).min(open.text.len());
        open.number = open.number.saturating_add(1);
        let (file, number) = (open.file, open.number);
        let place = Span {
            file,
            line: number,
            column: 1,
            start: octet(from),
            end: octet(from + length),
            origin: 0,
        };
        if length > limits::CONFIG_LINE {
            Self::tell_long(place, length, sink);
            self.end_definition();
            return None;
        }
        let line = &rest[..length];
        if self.defining.is_none() && is_plain(line) {
            return Some(Whole::Plain {
                text: Arc::clone(&open.text),
                from,
                to: from + length,
                file,
                number,
            });
        }
        let made = Made::literal(line, place);
        self.look(made, sink)
    }

    fn tell_long(place: Span, length: usize, sink: &mut Sink) {
        let message = format!(
            "this line has {length} bytes; lines of more than {} are ignored",
            limits::CONFIG_LINE
        );
        sink.error(place, message)
            .code(Code::LongLine)
            .help("break it into several lines");
    }

    /// Does with a line what it asks for; returns it if it has words for others.
    fn look(&mut self, mut made: Made, sink: &mut Sink) -> Option<Whole> {
        if self.defining.is_some() {
            self.define_on(made);
            return None;
        }
        // The number of rounds is bound by what definitions may make.
        loop {
            let start = made.text.len() - made.text.trim_start_matches(is_blank).len();
            made.cut_before(start);
            if made.text.is_empty() {
                return None;
            }
            if made.text.starts_with('@') {
                self.keep(&mut made)?;
                continue;
            }
            if repeat::begins(&made.text) {
                self.begin_repeat(&made, sink);
                return None;
            }
            if let Some((name, behind)) = definition::begins(&made.text) {
                let name = name.to_owned();
                self.define(name, behind, made);
                return None;
            }
            made.cut_behind(comment(&made.text));
            match self.definitions.put(&mut made, self.sources, sink) {
                Put::Same => return Some(Whole::Made(made)),
                Put::Bad => return None,
                Put::Done(following) => self.follow(following, sink)?,
            }
        }
    }

    /// Looks at `lines` next, but for the line that is being looked at.
    fn follow(&mut self, lines: Vec<Made>, sink: &mut Sink) -> Option<()> {
        if lines.is_empty() {
            return Some(());
        }
        if self.work.len() >= limits::WORK_DEPTH {
            let place = lines
                .first()
                .map(|made| made.place(0, 0))
                .unwrap_or_default();
            let message = format!(
                "definitions of several lines and repetitions stand in each other more than {} deep; \
                 this one is ignored",
                limits::WORK_DEPTH
            );
            sink.error(place, message)
                .code(Code::BadRepetition)
                .help("look for a definition that uses itself");
            return None;
        }
        self.work
            .push(Work::Lines(lines.into_iter().rev().collect()));
        Some(())
    }

    /// `@ID rest` and `@^ID rest`: leaves the rest if it counts here.
    fn keep(&mut self, made: &mut Made) -> Option<()> {
        let (word, _) = made.text.split_once([' ', '\t'])?;
        let (wanted, id) = match word.strip_prefix("@^") {
            Some(id) => (false, id),
            None => (true, word.strip_prefix('@')?),
        };
        let sources = &mut self.sources;
        let own = self.config_id.get_or_insert_with(|| sources.config_id());
        if (own == id) != wanted {
            return None;
        }
        let end = word.len();
        made.cut_before(end);
        Some(())
    }

    /// `$NAME=`, whose value begins at octet `behind`.
    fn define(&mut self, name: String, behind: usize, mut made: Made) {
        made.cut_before(behind);
        self.defining = Some(Defining {
            name,
            lines: Vec::new(),
        });
        self.define_on(made);
    }

    /// One more line of a value.
    fn define_on(&mut self, mut made: Made) {
        let text = made.text.trim_end();
        let goes_on = text.ends_with('\\');
        let text = text.strip_suffix('\\').unwrap_or(text);
        let text = &text[..comment(text)];
        let from = text.len() - text.trim_start_matches(is_blank).len();
        let to = text.trim_end().len();
        if let Some(defining) = &mut self.defining
            && from < to
        {
            made.cut_behind(to);
            made.cut_before(from);
            // Of a line that was made itself the place of the whole is told.
            let literal = matches!(made.pieces[..], [Piece { literal: true, .. }]);
            let place = match made.defined(0, made.text.len()) {
                Some((_, place)) => place,
                None => made.place(0, made.text.len()),
            };
            let text = made.text;
            defining.lines.push(Line {
                text,
                place,
                literal,
            });
        }
        if !goes_on {
            self.end_definition();
        }
    }

    fn end_definition(&mut self) {
        if let Some(Defining { name, mut lines }) = self.defining.take() {
            if lines.is_empty() {
                lines.push(Line {
                    text: String::new(),
                    place: Span::default(),
                    literal: false,
                });
            }
            self.definitions.set(&name, lines);
        }
    }

    fn begin_repeat(&mut self, made: &Made, sink: &mut Sink) {
        let (mut text, mut read) = (made.clone(), repeat::read(&made.text));
        // The numbers may be definitions.
        if made.text.contains('$')
            && let Some(end) = made.text.find(')')
        {
            text.cut_behind(end + 1);
            if matches!(
                self.definitions.put(&mut text, self.sources, sink),
                Put::Bad
            ) {
                return;
            }
            read = repeat::read(&text.text).map(|(values, _)| (values, end + 1));
        }
        let end = made.text.find(')').map_or(made.text.len(), |end| end + 1);
        let place = made.place(0, end);
        match read {
            Err(why) => {
                sink.error(place, format!("{why}; the line is ignored"))
                    .code(Code::BadRepetition);
            }
            Ok((values, _)) if values.is_endless() => {
                let message = format!(
                    "this repeats the line {} times; more than {} are not done, and the line is ignored",
                    values.count(),
                    limits::REPETITIONS
                );
                sink.error(place, message).code(Code::BadRepetition);
            }
            Ok(_) if self.work.len() >= limits::WORK_DEPTH => {
                let message = format!(
                    "repetitions stand in each other more than {} deep; the line is ignored",
                    limits::WORK_DEPTH
                );
                sink.error(place, message).code(Code::BadRepetition);
            }
            Ok((values, end)) => {
                let rest = made.rest(end);
                self.work.push(Work::Repeat {
                    values,
                    rest,
                    place,
                });
            }
        }
    }

    /// The line of the innermost repetition with its next values.
    fn repeat(&mut self, sink: &mut Sink) -> Option<Made> {
        let Some(Work::Repeat {
            values,
            rest,
            place,
        }) = self.work.last_mut()
        else {
            return None;
        };
        let (step, place) = (values.step(), *place);
        let octets = rest.text.len() + LINE_COST;
        let room = (place, self.sources.room());
        let Some(step) = step.filter(|_| self.definitions.spend(octets, room, sink)) else {
            self.work.pop();
            return None;
        };
        let made = rest.clone();
        for (name, text) in step {
            let literal = false;
            let line = Line {
                text,
                place,
                literal,
            };
            self.definitions.set(&name, vec![line]);
        }
        Some(made)
    }
}

/// A line that asks for nothing of what is done here.
fn is_plain(line: &str) -> bool {
    let first = line.trim_start_matches(is_blank).as_bytes().first();
    !matches!(first, Some(b'@' | b'~')) && !line.as_bytes().contains(&b'$')
}

/// The octet at which the comment of a line begins, or its length.
pub(super) fn comment(line: &str) -> usize {
    let mut inside = false;
    let mut escaped = false;
    for (at, c) in line.bytes().enumerate() {
        match c {
            b'"' => inside = !inside,
            b'#' | b'!' if !inside && !escaped => return at,
            _ => {}
        }
        escaped = c == b'\\' && !inside;
    }
    line.len()
}

pub(super) const fn is_blank(c: char) -> bool {
    // The last is the mark that some editors put at the beginning of a file.
    matches!(c, ' ' | '\t' | '\r' | '\x0b' | '\x0c' | '\u{feff}')
}

/// The place of an octet in a span; texts are never so long that it does not fit.
pub(super) fn octet(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
