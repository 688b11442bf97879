//! `vrrp_script` and `vrrp_track_process`: what instances and groups track by name.

use super::block::Statement;
use super::code::Code;
use super::command::Command;
use super::diag::{Sink, Span, Spanned, quoted};
use super::global::IGNORED;
use super::page::Page;
use super::row::{Begin, Head, Kind, Row, Rows, first_name, rows};
use super::scalar::Scalar;
use super::script::User;
use super::statement::{self, value};
use super::track::{FACTOR, WEIGHT, Weight};
use super::units::{self, Garbage};
use crate::time::Duration;

/// `vrrp_script`: a command whose exit status is tracked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VrrpScript {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// `script`.
    pub script: Option<Spanned<Command>>,
    /// `interval`: from the beginning of a run to that of the next.
    pub interval: Option<Spanned<RunTime>>,
    /// `timeout`: a run that takes longer has failed; `interval` by default.
    pub timeout: Option<Spanned<RunTime>>,
    /// `weight`.
    pub weight: Option<Spanned<Weight>>,
    /// `rise`.
    pub rise: Option<Spanned<Runs>>,
    /// `fall`.
    pub fall: Option<Spanned<Runs>>,
    /// `user`.
    pub user: Option<Spanned<User>>,
    /// `init_fail`.
    pub init_fail: Option<Span>,
}

/// Seconds of a script, of which 0 becomes 1.
const RUN_TIME: Kind = Kind::Other("SECONDS (0.001..4294)");

/// Runs in a row.
const RUNS: Kind = Kind::number(1, i32::MAX as i64);

impl Rows for VrrpScript {
    fn rows() -> &'static [Row<Self>] {
        rows! { VrrpScript:
            "fall" => fall: RUNS, Built, "1",
                "Failures in a row that make it bad.";
            "init_fail" => init_fail: Kind::Flag, Built, "",
                "It is bad until it has succeeded for the first time.";
            "interval" => interval: RUN_TIME, Built, "1",
                "Time from the beginning of a run to that of the next.";
            "rise" => rise: RUNS, Built, "1",
                "Successes in a row that make it good.";
            "script" => script: Kind::Command, Built, "",
                "The command; exit status 0 is success. Behind < stands a file that must be readable.";
            "timeout" => timeout: RUN_TIME, Built, "",
                "A run that takes longer has failed; as long as the interval by default.";
            "user" => user: Kind::Other("USER [GROUP]"), Built, "",
                "As whom it runs; script_user by default.";
            "weight" => weight: WEIGHT, Built, "0",
                "Added to the priority while it is good or, if negative, while it is bad; 0 makes faulty.";
        }
    }
}

impl Begin for VrrpScript {
    fn begin(found: &Statement, sink: &mut Sink) -> Option<Self> {
        let name = first_name(found, sink)?;
        Some(Self {
            name: name.value,
            span: name.span,
            ..Self::default()
        })
    }

    fn heading(&self) -> Vec<&str> {
        vec![&self.name]
    }

    fn end(&mut self, found: &Statement, sink: &mut Sink) -> bool {
        let misses = self.script.is_none() && !sink.stopped() && !tried(found, "script");
        if misses {
            let name = quoted(&self.name);
            let message = format!("the vrrp_script {name} has no `script` and is left out");
            sink.error(self.span, message)
                .code(Code::IncompleteBlock)
                .help("write `script COMMAND` in it");
        }
        self.script.is_some()
    }
}

/// True if `word` was written, so that what is wrong with it has been said.
pub(super) fn tried(found: &Statement, word: &str) -> bool {
    let lines = found.block.iter().flat_map(|block| &block.statements);
    let mut lines = lines.into_iter();
    lines.any(|line| line.keyword() == word)
}

/// Seconds in milliseconds, of which 0 becomes 1 s.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RunTime(pub Duration);

impl Scalar for RunTime {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let range = Duration::ZERO..=Duration::from_secs(4_294);
        let time = units::seconds(word, range, IGNORED, sink)?;
        if time.is_zero() {
            let message = format!("{} must be more than 0; 1 is used", quoted(found.keyword()));
            sink.error(word.span, message)
                .code(Code::BadTime)
                .suggest("1");
            return Some(Self(Duration::from_secs(1)));
        }
        let rounded = Duration::from_millis((time.as_micros().max(1_000) + 500) / 1_000);
        if rounded != time {
            let shown = quoted(&word.text);
            let message = format!("{shown} is finer than a millisecond; {rounded} s is used");
            sink.number(word.span, message)
                .code(Code::RoundedTime)
                .help("write at most three decimals");
        }
        Some(Self(rounded))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        self.0.show(head, page);
    }
}

/// Runs in a row; 1 if the number is wrong, as in keepalived.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Runs(pub u32);

impl Scalar for Runs {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let range = 1..=u64::from(i32::MAX.unsigned_abs());
        let count = units::number(word, range, Garbage::Refuse, "1 is used", sink);
        let count = count.and_then(|count| u32::try_from(count).ok());
        Some(Self(count.unwrap_or(1)))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        self.0.show(head, page);
    }
}

/// `vrrp_track_process`: processes whose number is tracked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrackProcess {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// `process`: name or path, and parameters.
    pub process: Option<Spanned<Command>>,
    /// `param_match`.
    pub param_match: Option<Spanned<ParamMatch>>,
    /// `weight`.
    pub weight: Option<Spanned<Weight>>,
    /// `quorum`: the fewest that are good.
    pub quorum: Option<Spanned<u16>>,
    /// `quorum_max`: the most that are good.
    pub quorum_max: Option<Spanned<u16>>,
    /// `delay`, which counts for the two other delays.
    pub delay: Option<Spanned<Duration>>,
    /// `fork_delay`, written behind `delay`.
    pub fork_delay: Option<Spanned<Duration>>,
    /// `terminate_delay`, written behind `delay`.
    pub terminate_delay: Option<Spanned<Duration>>,
    /// `full_command`.
    pub full_command: Option<Span>,
}

/// A delay of `vrrp_track_process`.
const PROCESS_DELAY: Kind = Kind::Seconds {
    min_us: 1,
    max_us: 3_600_000_000,
};

impl Rows for TrackProcess {
    fn rows() -> &'static [Row<Self>] {
        rows! { TrackProcess:
            "delay" => delay: PROCESS_DELAY, Built, "",
                "How long a change in either direction must last to count.";
            "fork_delay" => fork_delay: PROCESS_DELAY, Built, "",
                "How long it waits after processes have begun.";
            "full_command" => full_command: Kind::Flag, Built, "",
                "The whole path is compared, and not the name alone.";
            "param_match" => param_match: Kind::Other("[initial|partial]"), Built, "",
                "How the parameters are compared: all of them, the first ones, or any part.";
            "process" => process: Kind::Command, Built, "",
                "Name or path of the processes, and parameters.";
            "quorum" => quorum: Kind::number(1, 65_535), Built, "1",
                "The fewest processes that are good.";
            "quorum_max" => quorum_max: Kind::number(0, 65_535), Built, "",
                "The most processes that are good; no limit by default.";
            "terminate_delay" => terminate_delay: PROCESS_DELAY, Built, "",
                "How long it waits after processes have ended.";
            "weight" => weight: FACTOR, Built, "0",
                "Added to the priority while they are good or, if negative, while they are bad; 0 makes faulty.";
        }
    }

    fn on_line(&mut self, line: &Statement, _sink: &mut Sink) {
        if line.keyword() == "delay" {
            self.fork_delay = None;
            self.terminate_delay = None;
        }
    }
}

impl Begin for TrackProcess {
    fn begin(found: &Statement, sink: &mut Sink) -> Option<Self> {
        let name = first_name(found, sink)?;
        Some(Self {
            name: name.value,
            span: name.span,
            ..Self::default()
        })
    }

    fn heading(&self) -> Vec<&str> {
        vec![&self.name]
    }

    fn end(&mut self, found: &Statement, sink: &mut Sink) -> bool {
        if self.process.is_none() {
            if !sink.stopped() && !tried(found, "process") {
                let name = quoted(&self.name);
                let message =
                    format!("the vrrp_track_process {name} has no `process` and is left out");
                sink.error(self.span, message)
                    .code(Code::IncompleteBlock)
                    .help("write `process NAME` in it");
            }
            return false;
        }
        let fewest = self.quorum.as_ref().map_or(1, |quorum| quorum.value);
        if let Some(most) = self
            .quorum_max
            .take_if(|most| most.value < fewest && self.quorum.is_some())
        {
            let message = format!(
                "`quorum_max` {} is less than `quorum` {fewest}; it is ignored",
                most.value
            );
            sink.error(most.span, message).code(Code::BadNumber);
        }
        true
    }
}

/// How parameters are compared.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ParamMatch {
    /// All are the same.
    Exact,
    /// Those that are written come first.
    Initial,
    /// Those that are written come first, and the last may be the beginning of one.
    Partial,
}

impl Scalar for ParamMatch {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let Some(word) = statement::optional(found, sink) else {
            return Some(Self::Exact);
        };
        match word.text.as_str() {
            "initial" => Some(Self::Initial),
            "partial" => Some(Self::Partial),
            other => {
                let message = format!("{} is no way to compare; {IGNORED}", quoted(other));
                sink.error(word.span, message)
                    .code(Code::BadChoice)
                    .help("write `initial`, `partial`, or nothing behind it");
                None
            }
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        let mut words = vec![head.word];
        words.extend(match self {
            Self::Exact => None,
            Self::Initial => Some("initial"),
            Self::Partial => Some("partial"),
        });
        page.line(&words);
    }
}
