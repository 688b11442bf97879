//! The words about announcements, which are the same in `global_defs` (with `vrrp_` before them)
//! and in `vrrp_instance`; and `garp_group`.

use super::block::Statement;
use super::bound::{GarpConfig, GarpGroup};
use super::diag::{Sink, quoted};
use super::global::{DELAY_MAX, IGNORED, set};
use super::keywords::Place;
use super::lexer::Word;
use super::statement::{self, value};
use super::units::{self, Garbage};
use crate::limits;
use crate::time::Duration;

/// The longest interval of a `garp_group`, as in keepalived.
const GROUP_INTERVAL_MAX: Duration = Duration::from_micros(i32::MAX as u64);

/// How addresses are announced, as written; `None` where nothing was written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AnnouncementWords {
    /// `garp_master_delay`.
    pub master_delay: Option<Duration>,
    /// `garp_master_repeat`.
    pub master_repeat: Option<u32>,
    /// `garp_master_refresh`.
    pub refresh: Option<Duration>,
    /// `garp_master_refresh_repeat`.
    pub refresh_repeat: Option<u32>,
    /// `garp_lower_prio_delay`.
    pub lower_prio_delay: Option<Duration>,
    /// `garp_lower_prio_repeat`.
    pub lower_prio_repeat: Option<u32>,
}

impl AnnouncementWords {
    /// Reads a line whose keyword, without `vrrp_`, is `word`; leaves other words alone.
    pub(super) fn set(&mut self, word: &str, found: &Statement, sink: &mut Sink) {
        match word {
            "garp_master_delay" => set(&mut self.master_delay, delay(found, sink)),
            "garp_master_repeat" => set(&mut self.master_repeat, repeat(found, sink)),
            "garp_master_refresh" => self.refresh = Some(refresh(found, sink)),
            "garp_master_refresh_repeat" => set(&mut self.refresh_repeat, repeat(found, sink)),
            "garp_lower_prio_delay" => set(&mut self.lower_prio_delay, delay(found, sink)),
            "garp_lower_prio_repeat" => set(&mut self.lower_prio_repeat, lower_repeat(found, sink)),
            _ => {}
        }
    }

    /// The settings of the instance (`self`), else of `global_defs`, else of the original; `min` is
    /// `vrrp_min_garp`, which changes only the last.
    pub(super) fn bind(&self, global: &Self, min: bool) -> GarpConfig {
        let default = if min {
            GarpConfig {
                master_delay: Duration::ZERO,
                master_repeat: 1,
                refresh_repeat: 0,
                ..GarpConfig::default()
            }
        } else {
            GarpConfig::default()
        };
        let delay = global.master_delay.unwrap_or(default.master_delay);
        let repeat = global.master_repeat.unwrap_or(default.master_repeat);
        GarpConfig {
            master_delay: self.master_delay.unwrap_or(delay),
            master_repeat: self.master_repeat.unwrap_or(repeat),
            refresh: self.refresh.or(global.refresh).unwrap_or(default.refresh),
            refresh_repeat: self
                .refresh_repeat
                .or(global.refresh_repeat)
                .unwrap_or(default.refresh_repeat),
            lower_prio_delay: self
                .lower_prio_delay
                .or(global.lower_prio_delay)
                .unwrap_or(delay),
            lower_prio_repeat: self
                .lower_prio_repeat
                .or(global.lower_prio_repeat)
                .unwrap_or(repeat),
        }
    }
}

/// Reads a `garp_group`; `None`, and reported, if it has no interval or no interface. `groups` are
/// those before: an interface belongs to the first that names it.
pub(super) fn group(block: &Statement, groups: &[GarpGroup], sink: &mut Sink) -> Option<GarpGroup> {
    let mut group = GarpGroup::default();
    let statements = block.block.iter().flat_map(|block| &block.statements);
    for found in statements {
        if statement::is_built(Place::GarpGroup, found, sink) {
            match found.keyword() {
                "garp_interval" => assign(&mut group.garp_interval, found, sink),
                "gna_interval" => assign(&mut group.gna_interval, found, sink),
                "interface" => {
                    if let Some(word) = value(found, sink) {
                        add(&mut group, groups, word, sink);
                    }
                }
                "interfaces" => {
                    let lines = found.block.iter().flat_map(|block| &block.statements);
                    for word in lines.flat_map(|line| &line.words) {
                        add(&mut group, groups, word, sink);
                    }
                }
                _ => {}
            }
        }
        if sink.stopped() {
            return None;
        }
    }
    let what = if group.garp_interval.is_zero() && group.gna_interval.is_zero() {
        "`garp_interval` or `gna_interval`"
    } else if group.interfaces.is_empty() {
        "interface"
    } else {
        return Some(group);
    };
    let message = format!("this `garp_group` has no {what} and is left out");
    sink.error(block.span(), message);
    None
}

fn assign(slot: &mut Duration, found: &Statement, sink: &mut Sink) {
    let Some(word) = value(found, sink) else {
        return;
    };
    let range = Duration::ZERO..=GROUP_INTERVAL_MAX;
    if let Some(interval) = units::seconds(word, range, IGNORED, sink) {
        *slot = interval;
    }
}

fn add(group: &mut GarpGroup, groups: &[GarpGroup], word: &Word, sink: &mut Sink) {
    if word.unexpanded {
        return;
    }
    let name = &word.text;
    if name.len() > limits::INTERFACE_NAME {
        let message = format!(
            "{} is too long for the name of an interface; it is ignored",
            quoted(name)
        );
        sink.error(word.span, message);
        return;
    }
    let is_same = |known: &GarpGroup| known.interfaces.contains(name);
    if groups.iter().any(is_same) || is_same(group) {
        let message = format!(
            "the interface {} is in a `garp_group` already; it is ignored here",
            quoted(name)
        );
        sink.error(word.span, message)
            .help("name each interface in one group only");
        return;
    }
    group.interfaces.push(name.clone());
}

/// Whole seconds between blocks of announcements.
fn delay(found: &Statement, sink: &mut Sink) -> Option<Duration> {
    let word = value(found, sink)?;
    let range = 0..=DELAY_MAX;
    units::number(word, range, Garbage::Cut, IGNORED, sink).map(Duration::from_secs)
}

/// Whole seconds between refreshes; 0, which is none, if the number is wrong.
fn refresh(found: &Statement, sink: &mut Sink) -> Duration {
    let Some(word) = value(found, sink) else {
        return Duration::ZERO;
    };
    let range = 0..=u64::from(u32::MAX);
    let seconds = units::number(word, range, Garbage::Cut, "0 is used", sink).unwrap_or(0);
    Duration::from_secs(seconds)
}

/// A count of which 0 becomes 1.
fn repeat(found: &Statement, sink: &mut Sink) -> Option<u32> {
    let word = value(found, sink)?;
    let range = 0..=u64::from(u32::MAX);
    let count = units::number(word, range, Garbage::Cut, IGNORED, sink)?;
    if count == 0 {
        let message = format!("{} must be at least 1; 1 is used", quoted(found.keyword()));
        sink.error(word.span, message).suggest("1");
    }
    u32::try_from(count.max(1)).ok()
}

/// A count that may be 0.
fn lower_repeat(found: &Statement, sink: &mut Sink) -> Option<u32> {
    let word = value(found, sink)?;
    let range = 0..=u64::from(i32::MAX.unsigned_abs());
    let count = units::number(word, range, Garbage::Cut, IGNORED, sink)?;
    u32::try_from(count).ok()
}
