//! A short table for people: who is master, since when and why, and what is being waited for.
//!
//! Whoever reads it at three in the morning looks for what is wrong: that is written in capitals or
//! stands behind `fault`.

use std::fmt::{self, Display, Write};

use super::{HeldAddress, InstanceView, Picture, Wall, Wish};
use crate::config::bound::InstanceConfig;
use crate::ids::InstanceId;
use crate::notify::text::{CauseText, FaultText};
use crate::time::Duration;
use crate::vrrp::{StateName, VrrpNode};

/// So many addresses are listed one by one; of more only those are that are not as they should be,
/// and so many of them.
const LISTED: usize = 8;

/// How wide a column of names gets.
const NAME_MAX: usize = 24;

const HEADS: [&str; 7] = [
    "NAME",
    "ROLE",
    "FOR",
    "PRIORITY",
    "VRID",
    "INTERFACE",
    "MASTER",
];

/// The table of `node` as it is at `wall.at`.
pub fn brief(node: &VrrpNode, wall: &Wall) -> String {
    let mut text = String::new();
    let picture = Picture::of(node, Wish::default());
    // A string takes everything.
    _ = write(&picture, wall, &mut text);
    text
}

/// Writes the table as it is at `wall.at`.
pub fn write(picture: &Picture, wall: &Wall, out: &mut dyn Write) -> fmt::Result {
    write_sum(picture, wall, out)?;
    let rows: Vec<_> = picture
        .iter()
        .map(|(config, view)| row(config, view, wall))
        .collect();
    let mut widths = HEADS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count().min(NAME_MAX));
        }
    }
    if !rows.is_empty() {
        write_row(&HEADS.map(str::to_owned), &widths, out)?;
    }
    for (number, (row, (config, view))) in rows.iter().zip(picture.iter()).enumerate() {
        write_row(row, &widths, out)?;
        let id = InstanceId(number as u32);
        write_why(picture, id, view, wall, out)?;
        write_addresses(config, view, out)?;
        write_needs(picture, id, view, wall, out)?;
        write_wait(picture, config, view, wall, out)?;
    }
    Ok(())
}

/// `3 virtual routers: 1 MASTER, 1 BACKUP, 1 FAULT`.
fn write_sum(picture: &Picture, wall: &Wall, out: &mut dyn Write) -> fmt::Result {
    let all = picture.instances.len();
    write!(
        out,
        "{all} virtual router{}",
        if all == 1 { "" } else { "s" }
    )?;
    let mut sign = ':';
    for state in [
        StateName::Master,
        StateName::Backup,
        StateName::Fault,
        StateName::Init,
    ] {
        let count = picture.instances.iter().filter(|view| view.state == state);
        let count = count.count();
        if count > 0 {
            write!(out, "{sign} {count} {}", upper(state))?;
            sign = ',';
        }
    }
    let left = picture.starts_at - wall.at;
    if !left.is_zero() {
        let left = Tenths(left);
        write!(
            out,
            "; startup delay: nothing is heard or taken over for {left} s"
        )?;
    }
    writeln!(out)
}

fn row(config: &InstanceConfig, view: &InstanceView, wall: &Wall) -> [String; 7] {
    let since = view.transition.map(|(since, _)| wall.at - since);
    let priority = if view.priority == config.priority {
        config.priority.to_string()
    } else {
        format!("{} of {}", view.priority, config.priority)
    };
    let master = match (view.state, view.master) {
        (StateName::Master, _) => "this host".to_owned(),
        (StateName::Backup, Some(master)) => format!("{master} ({})", view.master_priority),
        (StateName::Backup, None) => "none heard".to_owned(),
        (StateName::Init | StateName::Fault, _) => "-".to_owned(),
    };
    [
        clean(&config.name),
        upper(view.state).to_owned(),
        since.map_or_else(|| "-".to_owned(), |span| Span(span).to_string()),
        priority,
        config.vrid.to_string(),
        clean(&config.interface),
        master,
    ]
}

fn write_row(cells: &[String; 7], widths: &[usize; 7], out: &mut dyn Write) -> fmt::Result {
    let last = cells.len() - 1;
    for (number, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if number == last {
            writeln!(out, "{cell}")?;
        } else {
            write!(out, "{cell:width$}  ")?;
        }
    }
    Ok(())
}

fn write_why(
    picture: &Picture,
    id: InstanceId,
    view: &InstanceView,
    wall: &Wall,
    out: &mut dyn Write,
) -> fmt::Result {
    let Some((since, cause)) = &view.transition else {
        return writeln!(
            out,
            "    not started: the kernel has not told of its interfaces yet"
        );
    };
    write!(out, "    since ")?;
    wall.date(*since).write_plain(out)?;
    let bound = &picture.bound;
    match cause {
        Some(cause) => writeln!(out, ": {}", clean(&CauseText { bound, id, cause })),
        None => writeln!(out, ", before this process took over from its predecessor"),
    }
}

fn write_addresses(
    config: &InstanceConfig,
    view: &InstanceView,
    out: &mut dyn Write,
) -> fmt::Result {
    let all = view.addresses.len();
    if all == 0 {
        return writeln!(out, "    addresses: none configured");
    }
    let usual = match view.state {
        StateName::Master => HeldAddress::Held,
        StateName::Init | StateName::Backup | StateName::Fault => HeldAddress::Absent,
    };
    let odd: Vec<_> = config
        .all_addresses()
        .zip(&view.addresses)
        .filter(|(_, held)| **held != usual)
        .collect();
    let how = match usual {
        HeldAddress::Held => "held here",
        _ => "not here",
    };
    write!(out, "    addresses: ")?;
    let good = all - odd.len();
    if good == all && all > LISTED {
        return writeln!(out, "all {all} {how}");
    }
    if good > 0 && all > LISTED {
        write!(out, "{good} of {all} {how}")?;
    } else if good > 0 {
        let listed = config.all_addresses().zip(&view.addresses);
        let listed = listed.filter(|(_, held)| **held == usual);
        let listed: Vec<_> = listed
            .map(|(address, _)| address.addr.to_string())
            .collect();
        write!(out, "{} {how}", listed.join(", "))?;
    }
    for (number, (address, held)) in odd.iter().take(LISTED).enumerate() {
        let sign = if number > 0 || good > 0 { "; " } else { "" };
        write!(out, "{sign}{} {}", address.addr, oddity(**held))?;
    }
    if odd.len() > LISTED {
        write!(out, "; and {} more like these", odd.len() - LISTED)?;
    }
    writeln!(out)
}

fn oddity(held: HeldAddress) -> &'static str {
    match held {
        HeldAddress::Held => "held here",
        HeldAddress::Absent => "not here",
        HeldAddress::Missing => "MISSING IN THE KERNEL",
        HeldAddress::Ours => "STILL HERE, being removed",
        HeldAddress::Foreign => "IS HERE ALL THE SAME, put there by somebody else",
    }
}

/// Conditions of operation that are not met.
fn write_needs(
    picture: &Picture,
    id: InstanceId,
    view: &InstanceView,
    wall: &Wall,
    out: &mut dyn Write,
) -> fmt::Result {
    for (number, (fault, since)) in view.conditions.iter().enumerate() {
        let head = if number == 0 { "fault:" } else { "      " };
        let bound = &picture.bound;
        let fault = FaultText {
            bound,
            id,
            fault: *fault,
        };
        let span = Span(wall.at - *since);
        writeln!(out, "    {head} {} (for {span})", clean(&fault))?;
    }
    if let Some(at) = view.retries_at {
        let left = Tenths(at - wall.at);
        writeln!(out, "    the socket is tried again in {left} s")?;
    }
    Ok(())
}

/// What a backup waits for.
fn write_wait(
    picture: &Picture,
    config: &InstanceConfig,
    view: &InstanceView,
    wall: &Wall,
    out: &mut dyn Write,
) -> fmt::Result {
    let (StateName::Backup, Some(deadline)) = (view.state, view.deadline) else {
        return Ok(());
    };
    let left = Tenths(deadline - wall.at);
    write!(out, "    waits: ")?;
    if wall.at < picture.starts_at {
        return writeln!(
            out,
            "takes over in {left} s at the earliest (startup delay)"
        );
    }
    if let Some(src) = view.released_by {
        return writeln!(out, "takes over in {left} s: master {src} let go");
    }
    let Some(master) = view.master else {
        return writeln!(out, "takes over in {left} s if no master is heard");
    };
    let is_lower = view.master_priority < view.priority;
    match view.tolerates_until.filter(|_| is_lower) {
        Some(until) => {
            let delay = Tenths(until - wall.at);
            write!(
                out,
                "takes over from {master}, which has a lower priority, {delay} s from now at the \
                 earliest (preempt_delay)"
            )?;
        }
        None if is_lower && !config.preempt => write!(
            out,
            "leaves {master} alone, though its priority is lower (nopreempt)"
        )?,
        None => {}
    }
    let listens = view.tolerates_until.is_some() || is_lower && !config.preempt;
    if listens && is_lower {
        write!(out, "; ")?;
    }
    writeln!(out, "takes over in {left} s if {master} stays silent")
}

/// A span as people say it, in two units at most: `45 s`, `2 min 5 s`, `3 h`, `4 d 2 h`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Span(Duration);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        let (large, large_unit, small, small_unit) = match secs {
            0..60 => return f.pad(&format!("{secs} s")),
            60..3_600 => (secs / 60, "min", secs % 60, "s"),
            3_600..86_400 => (secs / 3_600, "h", secs / 60 % 60, "min"),
            _ => (secs / 86_400, "d", secs / 3_600 % 24, "h"),
        };
        if small == 0 {
            f.pad(&format!("{large} {large_unit}"))
        } else {
            f.pad(&format!("{large} {large_unit} {small} {small_unit}"))
        }
    }
}

/// A span in seconds with one decimal, rounded up: what is left is never told too short.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Tenths(Duration);

impl Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.as_micros().div_ceil(100_000);
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

/// Nothing that a terminal would obey.
fn clean(text: &dyn Display) -> String {
    let text = text.to_string();
    text.chars()
        .map(|one| if one.is_control() { '?' } else { one })
        .collect()
}

fn upper(state: StateName) -> &'static str {
    match state {
        StateName::Init => "INIT",
        StateName::Backup => "BACKUP",
        StateName::Master => "MASTER",
        StateName::Fault => "FAULT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let span = |secs| Span(Duration::from_secs(secs)).to_string();
        let all = [0, 59, 60, 61, 3_599, 3_600, 86_399, 86_400, 1_000_000];
        assert_eq!(
            all.map(span),
            [
                "0 s",
                "59 s",
                "1 min",
                "1 min 1 s",
                "59 min 59 s",
                "1 h",
                "23 h 59 min",
                "1 d",
                "11 d 13 h"
            ]
        );
        assert_eq!(Tenths(Duration::from_micros(2_300_001)).to_string(), "2.4");
        assert_eq!(Tenths(Duration::ZERO).to_string(), "0.0");
    }

    #[test]
    fn a_name_cannot_speak_to_the_terminal() {
        assert_eq!(clean(&"a\u{1b}[2Jb\nc"), "a?[2Jb?c");
    }
}
