//! What may be tracked: `track_file`.

use super::block::Statement;
use super::diag::{Sink, Spanned, quoted};
use super::global::IGNORED;
use super::page::Page;
use super::row::{Begin, Head, Kind, Row, Rows, own_name, rows};
use super::scalar::Scalar;
use super::units::{self, Garbage};

/// `track_file`: a file whose number changes priorities and weights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackFile {
    /// Its name.
    pub name: Spanned<String>,
    /// `file`.
    pub file: Option<Spanned<String>>,
    /// `weight`.
    pub weight: Option<Spanned<Weight>>,
    /// `init_file`.
    pub init_file: Option<Spanned<InitFile>>,
}

impl Rows for TrackFile {
    fn rows() -> &'static [Row<Self>] {
        rows! { TrackFile:
            "file" => file: Kind::Text, Built, "",
                "The file to watch.";
            "init_file" => init_file: Kind::Other("[VALUE] [overwrite]"), Built, "",
                "Creates the file with VALUE (0) at the start; one that exists only with overwrite.";
            "weight" => weight: Kind::Other("-254..254 [reverse]"), Built, "1",
                "Factor of the number in the file.";
        }
    }
}

impl Begin for TrackFile {
    fn begin(found: &Statement, sink: &mut Sink) -> Option<Self> {
        Some(Self {
            name: own_name(found, sink)?,
            file: None,
            weight: None,
            init_file: None,
        })
    }

    fn heading(&self) -> Vec<&str> {
        vec![&self.name.value]
    }

    fn end(&mut self, found: &Statement, sink: &mut Sink) -> bool {
        if self.file.is_none() && !sink.stopped() {
            let name = quoted(&self.name.value);
            let message = format!("the track_file {name} names no `file`; the block is left out");
            sink.error(found.span(), message)
                .help("write `file PATH` in it");
            return false;
        }
        true
    }
}

/// How far a tracked object changes a priority.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Weight {
    /// Added when it is up, or taken away when it is down; for files a factor. -254..=254.
    pub value: i16,
    /// `reverse`: up counts as down, and down as up.
    pub reverse: bool,
}

impl Scalar for Weight {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let words = found.arguments();
        let Some(number) = words.first() else {
            sink.missing_parameter(found.span(), found.keyword());
            return None;
        };
        let value = units::signed(number, -254..=254, Garbage::Refuse, IGNORED, sink)?;
        let mut weight = Self {
            value: i16::try_from(value).ok()?,
            reverse: false,
        };
        for word in &words[1..] {
            match word.text.as_str() {
                "reverse" => weight.reverse = true,
                "noreverse" => weight.reverse = false,
                other => {
                    let message = format!("{} is not known behind a weight", quoted(other));
                    sink.error(word.span, message)
                        .help("only `reverse` may stand here");
                }
            }
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
