//! What is tracked by instances and groups, and `track_file`.

use super::code::Code;
use std::collections::BTreeMap;

use super::block::Statement;
use super::diag::{Sink, Spanned, quoted};
use super::global::IGNORED;
use super::lexer::Word;
use super::page::Page;
use super::row::{Begin, Field, Head, Kind, Row, Rows, first_name, no_name, rows};
use super::scalar::Scalar;
use super::script::First;
use super::statement;
use super::tracker::tried;
use super::units::{self, Garbage};

/// `track_file`: a file whose number changes priorities and weights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackFile {
    /// Its name.
    pub name: Spanned<String>,
    /// `file`.
    pub file: First<String>,
    /// `weight`.
    pub weight: Option<Spanned<Weight>>,
    /// `init_file`.
    pub init_file: Option<Spanned<InitFile>>,
}

impl Rows for TrackFile {
    fn rows() -> &'static [Row<Self>] {
        rows! { TrackFile:
            "file" => file: Kind::Soft(&Kind::Text), Built, "",
                "The file to watch.";
            "init_file" => init_file: Kind::Other("[VALUE] [overwrite]"), Built, "",
                "Creates the file with VALUE (0) at the start; one that exists only with overwrite.";
            "weight" => weight: Kind::Soft(&FACTOR), Built, "1",
                "Factor of the number in the file.";
        }
    }
}

impl Begin for TrackFile {
    fn begin(found: &Statement, sink: &mut Sink) -> Option<Self> {
        Some(Self {
            name: first_name(found, sink)?,
            file: First::default(),
            weight: None,
            init_file: None,
        })
    }

    fn heading(&self) -> Vec<&str> {
        vec![&self.name.value]
    }

    fn end(&mut self, found: &Statement, sink: &mut Sink) -> bool {
        if self.file.0.is_none() && (sink.stopped() || tried(found, "file")) {
            return false;
        }
        if self.file.0.is_none() {
            let name = quoted(&self.name.value);
            let message = format!("the track_file {name} names no `file`; the block is left out");
            sink.error(found.span(), message)
                .code(Code::IncompleteBlock)
                .help("write `file PATH` in it");
            return false;
        }
        true
    }
}

/// What stands behind `weight` of a single object.
pub(super) const WEIGHT: Kind = Kind::Other("-253..253 [reverse]");

/// What stands behind `weight` of files and processes.
pub(super) const FACTOR: Kind = Kind::Other("-254..254 [reverse]");

/// How far a tracked object changes a priority.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Weight {
    /// Added when it is up, or taken away when it is down; for files a factor. -254..=254.
    pub value: i16,
    /// `reverse`: up counts as down, and down as up.
    pub reverse: bool,
}

impl Scalar for Weight {
    fn read(head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let words = found.arguments();
        let Some(number) = words.first() else {
            sink.missing_parameter(found.span(), found.keyword());
            return None;
        };
        let most = if head.kind == FACTOR {
            FACTOR_MAX
        } else {
            WEIGHT_MAX
        };
        let value = units::signed(number, -most..=most, Garbage::Refuse, IGNORED, sink)?;
        let mut weight = Self {
            value: i16::try_from(value).ok()?,
            reverse: false,
        };
        match words.get(1) {
            Some(word) if word.text == "reverse" => {
                weight.reverse = true;
                statement::surplus(found, 2, sink);
            }
            Some(word) => {
                let shown = quoted(&word.text);
                let message = format!("{shown} is not known behind a weight; it is ignored");
                sink.error(word.span, message)
                    .code(Code::UnknownOption)
                    .help("only `reverse` may stand here");
            }
            None => {}
        }
        Some(weight)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let value = self.value.to_string();
        let mut words = vec![head.word, &value];
        words.extend(self.reverse.then_some("reverse"));
        page.line(&words);
    }
}

/// `init_file`: what is written into the file at the start.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct InitFile {
    /// The number.
    pub value: i32,
    /// Also into a file that exists.
    pub overwrite: bool,
}

impl Scalar for InitFile {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let mut init = Self {
            value: 0,
            overwrite: false,
        };
        for word in found.arguments() {
            if word.text == "overwrite" {
                init.overwrite = true;
                continue;
            }
            if !word
                .text
                .starts_with(|c: char| c.is_ascii_digit() || "+-".contains(c))
            {
                let shown = quoted(&word.text);
                let message = format!("{shown} is not known here; {IGNORED}");
                sink.error(word.span, message)
                    .code(Code::UnknownOption)
                    .help("write a number, `overwrite`, or both");
                return None;
            }
            let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
            let value = units::signed(word, range, Garbage::Refuse, IGNORED, sink)?;
            init.value = i32::try_from(value).ok()?;
        }
        Some(init)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let value = self.value.to_string();
        let mut words = vec![head.word, &value];
        words.extend(self.overwrite.then_some("overwrite"));
        page.line(&words);
    }
}

/// A line of `track_interface`, `track_script`, `track_file`, `track_process` or `track_bfd`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tracked {
    /// What is tracked.
    pub name: Spanned<String>,
    /// `weight`, instead of what its own block says.
    pub weight: Option<Spanned<i16>>,
    /// `reverse` or, if false, `noreverse`, instead of what its own block says.
    pub reverse: Option<bool>,
}

/// The lines of a `track_..` block; several blocks add up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tracks(pub Vec<Tracked>);

/// What an instance or a group tracks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrackWords {
    /// `track_interface`.
    pub interfaces: Tracks,
    /// `track_script`.
    pub scripts: Tracks,
    /// `track_file`.
    pub files: Tracks,
    /// `track_process`.
    pub processes: Tracks,
    /// `track_bfd`.
    pub bfds: Tracks,
}

/// What stands on a line of a `track_..` block.
pub(super) const TRACKED: Kind = Kind::Lines("NAME [weight -253..253 [reverse|noreverse]]");

/// The same where a factor of 254 makes sense.
pub(super) const TRACKED_WIDE: Kind = Kind::Lines("NAME [weight -254..254 [reverse|noreverse]]");

/// The same for interfaces.
pub(super) const TRACKED_INTERFACES: Kind = Kind::Lines("INTERFACE [weight -253..253 [reverse]]");

/// The largest weight that a single object has.
const WEIGHT_MAX: i64 = 253;

/// The largest factor of files and processes.
const FACTOR_MAX: i64 = 254;

impl Field for Tracks {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        no_name(found, sink);
        let mut names: BTreeMap<String, u32> = BTreeMap::new();
        for known in &self.0 {
            names.insert(known.name.value.clone(), known.name.span.line);
        }
        let lines = found.block.iter().flat_map(|block| &block.statements);
        for line in lines {
            if !statement::has_its_block(false, line, sink) {
                continue;
            }
            let Some(tracked) = Tracked::read(head, line, sink) else {
                continue;
            };
            let name = &tracked.name;
            if let Some(first) = names.get(&name.value) {
                let shown = quoted(&name.value);
                let message = format!("{shown} stands already on line {first}; {IGNORED}");
                sink.error(name.span, message)
                    .code(Code::NameTaken)
                    .help("remove one of the two");
                continue;
            }
            names.insert(name.value.clone(), name.span.line);
            self.0.push(tracked);
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        if self.0.is_empty() {
            return;
        }
        page.open(&[head.word]);
        for tracked in &self.0 {
            tracked.show(page);
        }
        page.close();
    }
}

impl Tracked {
    /// The words of a line of the block `track`, for the catalogue.
    pub(super) fn heads(track: &str) -> Vec<Head> {
        let (name, text, most) = match track {
            "track_interface" => ("<IFNAME>", "The interface to track.", WEIGHT_MAX),
            "track_script" => ("<SCRIPT>", "The vrrp_script to track.", WEIGHT_MAX),
            "track_file" => ("<NAME>", "The track_file to track.", FACTOR_MAX),
            "track_process" => ("<NAME>", "The vrrp_track_process to track.", FACTOR_MAX),
            _ => ("<NAME>", "The bfd_instance to track.", WEIGHT_MAX),
        };
        let weight = Kind::number(-most, most);
        let text_of_weight = "Instead of the weight that its own block says; 0 makes faulty.";
        let mut heads = vec![
            Head::within(name, Kind::Text, text),
            Head::within("reverse", Kind::Flag, "Behind a weight: up counts as down."),
            Head::within("weight", weight, text_of_weight),
        ];
        if track != "track_interface" {
            let text = "Behind a weight: without the reverse that its own block says.";
            heads.push(Head::within("noreverse", Kind::Flag, text));
        }
        heads
    }

    fn read(head: &Head, line: &Statement, sink: &mut Sink) -> Option<Self> {
        let name = line.words.first()?;
        let mut tracked = Self {
            name: Spanned::new(name.text.clone(), name.span),
            weight: None,
            reverse: None,
        };
        let [option, rest @ ..] = line.arguments() else {
            return Some(tracked);
        };
        if option.text != "weight" {
            let message = format!("{} is not known here; {IGNORED}", quoted(&option.text));
            sink.error(option.span, message)
                .code(Code::UnknownOption)
                .help("write `weight N` behind the name, and `reverse` behind that");
            return None;
        }
        let Some((number, rest)) = rest.split_first() else {
            let message = format!("`weight` needs a value; {IGNORED}");
            sink.error(option.span, message).code(Code::MissingValue);
            return None;
        };
        tracked.weight = Some(Spanned::new(weight(head, number, sink)?, number.span));
        for word in rest {
            tracked.reverse = match word.text.as_str() {
                "reverse" => Some(true),
                "noreverse" => Some(false),
                other => {
                    let message = format!("{} is not known here; {IGNORED}", quoted(other));
                    sink.error(word.span, message)
                        .code(Code::UnknownOption)
                        .help("only `reverse` or `noreverse` may stand behind the weight");
                    return None;
                }
            };
        }
        Some(tracked)
    }

    fn show(&self, page: &mut Page) {
        let weight = self.weight.as_ref().map(|weight| weight.value.to_string());
        let mut words = vec![self.name.value.as_str()];
        if let Some(weight) = &weight {
            words.extend(["weight", weight]);
            words.extend(
                self.reverse
                    .map(|on| if on { "reverse" } else { "noreverse" }),
            );
        }
        page.line(&words);
    }
}

/// The weight of one line; 254 is 253 where it is none of a file or process.
fn weight(head: &Head, word: &Word, sink: &mut Sink) -> Option<i16> {
    let range = -FACTOR_MAX..=FACTOR_MAX;
    let is_factor = head.kind == TRACKED_WIDE;
    let range = if head.word == "track_bfd" {
        -WEIGHT_MAX..=WEIGHT_MAX
    } else {
        range
    };
    let mut value = units::signed(word, range, Garbage::Refuse, IGNORED, sink)?;
    if value.abs() > WEIGHT_MAX && !is_factor {
        value = value.signum() * WEIGHT_MAX;
        let message = format!("{} is out of range; {value} is used", quoted(&word.text));
        sink.error(word.span, message)
            .help(format!(
                "write a whole number from -{WEIGHT_MAX} to {WEIGHT_MAX}"
            ))
            .suggest(value.to_string());
    }
    i16::try_from(value).ok()
}
