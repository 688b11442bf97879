//! The words about announcements, which are the same in `global_defs` (with `vrrp_` before them)
//! and in `vrrp_instance`; and `garp_group`.

use super::block::Statement;
use super::bound::{GarpConfig, GarpGroup};
use super::code::Code;
use super::diag::{Sink, Span, Spanned, quoted};
use super::global::{DELAY_MAX, IGNORED};
use super::page::Page;
use super::row::{self, Begin, Field, Head, Kind, Names, Row, Rows, rows};
use super::scalar::Scalar;
use super::statement::value;
use super::units::{self, Garbage};
use super::vrrp_instance::Instance;
use crate::limits;
use crate::time::Duration;

/// The longest interval of a `garp_group`, as in keepalived.
const GROUP_INTERVAL_MAX: u64 = i32::MAX as u64;

/// Whole seconds between blocks of announcements.
pub(super) const DELAY: Kind = Kind::WholeSeconds {
    min: 0,
    max: DELAY_MAX as u32,
};

/// Whole seconds between refreshes.
pub(super) const REFRESH: Kind = Kind::WholeSeconds {
    min: 0,
    max: u32::MAX,
};

/// How often in a row; of 0 becomes 1.
pub(super) const REPEAT: Kind = Kind::number_cut(1, u32::MAX as i64);

/// How often in a row, and not at all with 0.
pub(super) const LOWER_REPEAT: Kind = Kind::number_cut(0, i32::MAX as i64);

/// How addresses are announced, as written; `None` where nothing was written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AnnouncementWords {
    /// `garp_master_delay`.
    pub master_delay: Option<Spanned<Duration>>,
    /// `garp_master_repeat`.
    pub master_repeat: Option<Spanned<Repeat>>,
    /// `garp_master_refresh`.
    pub refresh: Option<Spanned<Refresh>>,
    /// `garp_master_refresh_repeat`.
    pub refresh_repeat: Option<Spanned<Repeat>>,
    /// `garp_lower_prio_delay`.
    pub lower_prio_delay: Option<Spanned<Duration>>,
    /// `garp_lower_prio_repeat`.
    pub lower_prio_repeat: Option<Spanned<u32>>,
}

impl AnnouncementWords {
    /// Reads a line whose keyword, without `vrrp_`, is `word`; leaves other words alone.
    pub(super) fn set(&mut self, word: &str, found: &Statement, sink: &mut Sink) {
        let field: &mut dyn Field = match word {
            "garp_master_delay" => &mut self.master_delay,
            "garp_master_repeat" => &mut self.master_repeat,
            "garp_master_refresh" => &mut self.refresh,
            "garp_master_refresh_repeat" => &mut self.refresh_repeat,
            "garp_lower_prio_delay" => &mut self.lower_prio_delay,
            "garp_lower_prio_repeat" => &mut self.lower_prio_repeat,
            _ => return,
        };
        if let Some(row) = row::find::<Instance>(word) {
            field.read(&row.head, found, sink);
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
        let delay = of(&global.master_delay).unwrap_or(default.master_delay);
        let repeat = count(&global.master_repeat).unwrap_or(default.master_repeat);
        let refresh = of(&self.refresh).or(of(&global.refresh));
        GarpConfig {
            master_delay: of(&self.master_delay).unwrap_or(delay),
            master_repeat: count(&self.master_repeat).unwrap_or(repeat),
            refresh: refresh.map_or(default.refresh, |refresh| refresh.0),
            refresh_repeat: count(&self.refresh_repeat)
                .or(count(&global.refresh_repeat))
                .unwrap_or(default.refresh_repeat),
            lower_prio_delay: of(&self.lower_prio_delay)
                .or(of(&global.lower_prio_delay))
                .unwrap_or(delay),
            lower_prio_repeat: of(&self.lower_prio_repeat)
                .or(of(&global.lower_prio_repeat))
                .unwrap_or(repeat),
        }
    }
}

fn of<T: Copy>(written: &Option<Spanned<T>>) -> Option<T> {
    written.as_ref().map(|written| written.value)
}

fn count(written: &Option<Spanned<Repeat>>) -> Option<u32> {
    of(written).map(|repeat| repeat.0)
}

/// A count of which 0 becomes 1.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Repeat(pub u32);

impl Scalar for Repeat {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let has = |digits: &str| word.text.contains(|c| digits.contains(c));
        let is_zero = !has("123456789-");
        let outcome = if is_zero { "1 is used" } else { IGNORED };
        let range = 1..=u64::from(u32::MAX);
        let count = units::number(word, range, Garbage::Cut, outcome, sink);
        let count = count.or(is_zero.then_some(1))?;
        u32::try_from(count).ok().map(Self)
    }

    fn show(&self, head: &Head, page: &mut Page) {
        page.line(&[head.word, &self.0.to_string()]);
    }
}

/// Whole seconds between refreshes; 0, which is none, if the number is wrong.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Refresh(pub Duration);

impl Scalar for Refresh {
    fn read(_head: &Head, found: &Statement, sink: &mut Sink) -> Option<Self> {
        let word = value(found, sink)?;
        let range = 0..=u64::from(u32::MAX);
        let seconds = units::number(word, range, Garbage::Cut, "0 is used", sink).unwrap_or(0);
        Some(Self(Duration::from_secs(seconds)))
    }

    fn show(&self, head: &Head, page: &mut Page) {
        self.0.show(head, page);
    }
}

/// `garp_group`: interfaces whose announcements wait for each other.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AnnouncementGroup {
    /// Where it begins.
    pub span: Span,
    /// `garp_interval`.
    pub garp_interval: Option<Spanned<Duration>>,
    /// `gna_interval`.
    pub gna_interval: Option<Spanned<Duration>>,
    /// `interface` and `interfaces`.
    pub interfaces: GroupInterfaces,
}

impl Rows for AnnouncementGroup {
    fn rows() -> &'static [Row<Self>] {
        const INTERVAL: Kind = Kind::Seconds {
            min_us: 0,
            max_us: GROUP_INTERVAL_MAX,
        };
        rows! { AnnouncementGroup:
            "garp_interval" => garp_interval: INTERVAL, Built, "0",
                "Least time between two gratuitous ARPs out of these interfaces.";
            "gna_interval" => gna_interval: INTERVAL, Built, "0",
                "Least time between two neighbour advertisements out of these interfaces.";
            "interface" = "interfaces" => interfaces: Kind::Interface, Built, "",
                "An interface of the group.";
            "interfaces" => interfaces.names: Kind::Lines("INTERFACE"), Built, "",
                "The interfaces of the group, which share its intervals.";
        }
    }
}

impl Begin for AnnouncementGroup {
    fn begin(found: &Statement, sink: &mut Sink) -> Option<Self> {
        row::no_name(found, sink);
        let span = found.span();
        Some(Self {
            span,
            ..Self::default()
        })
    }

    fn heading(&self) -> Vec<&str> {
        Vec::new()
    }

    /// An interface belongs to the first group that names it.
    fn end(&mut self, found: &Statement, sink: &mut Sink) -> bool {
        if sink.stopped() {
            return false;
        }
        let names = &mut self.interfaces.names.0;
        names.retain(|name| belongs(name, sink));
        let is_zero =
            |it: &Option<Spanned<Duration>>| it.as_ref().is_none_or(|it| it.value.is_zero());
        let what = if is_zero(&self.garp_interval) && is_zero(&self.gna_interval) {
            "`garp_interval` or `gna_interval`"
        } else if self.interfaces.names.0.is_empty() {
            "interface"
        } else {
            return true;
        };
        let message = format!("this `garp_group` has no {what} and is left out");
        sink.error(found.span(), message)
            .code(Code::IncompleteBlock);
        false
    }
}

impl AnnouncementGroup {
    /// The names of its interfaces.
    pub fn names(&self) -> &[Spanned<String>] {
        &self.interfaces.names.0
    }

    /// The group as the daemon uses it.
    pub(super) fn bind(&self) -> GarpGroup {
        let names = self.interfaces.names.0.iter();
        GarpGroup {
            interfaces: names.map(|name| name.value.clone()).collect(),
            garp_interval: of(&self.garp_interval).unwrap_or_default(),
            gna_interval: of(&self.gna_interval).unwrap_or_default(),
        }
    }
}

/// The interfaces of a `garp_group`; as a field of its own it reads the line `interface NAME`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupInterfaces {
    /// Their names.
    pub names: Names,
}

impl Field for GroupInterfaces {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        if let Some(name) = String::read(head, found, sink)
            && let Some(word) = found.arguments().first()
        {
            self.names.0.push(Spanned::new(name, word.span));
        }
    }

    /// Shown by its synonym.
    fn show(&self, _head: &Head, _page: &mut Page) {}
}

/// False, and reported, for what is no interface or is in a group already.
fn belongs(name: &Spanned<String>, sink: &mut Sink) -> bool {
    let shown = quoted(&name.value);
    if name.value.len() > limits::INTERFACE_NAME {
        let message = format!("{shown} is too long for the name of an interface; it is ignored");
        sink.error(name.span, message).code(Code::LongName);
        return false;
    }
    if sink
        .first_use("garp_group interface", &name.value, name.span)
        .is_some()
    {
        let message =
            format!("the interface {shown} is in a `garp_group` already; it is ignored here");
        sink.error(name.span, message)
            .code(Code::NameTaken)
            .help("name each interface in one group only");
        return false;
    }
    true
}
