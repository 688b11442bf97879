//! Moments, spans and addresses as keepalived writes them.

use std::fmt::{self, Write};

use super::HeldAddress;
use crate::config::bound::VirtualAddress;
use crate::time::{Duration, Instant};

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAY: i64 = 86_400;

/// The wall clock, which dates moments for people. It may be stepped: everything is dated by what
/// it shows when it is asked.
#[derive(Copy, Clone, Debug)]
pub struct Wall {
    /// A reading of the clock of [`Instant`]s.
    pub at: Instant,
    /// What the wall clock showed at that moment: microseconds since 1970, UTC.
    pub unix_us: i64,
    /// Seconds that local time is ahead of UTC, at a moment in seconds since 1970.
    pub east_of_utc: fn(i64) -> i64,
}

impl Wall {
    /// Microseconds since 1970 at `moment`.
    pub fn unix_us(&self, moment: Instant) -> i64 {
        let ahead = i64::try_from((moment - self.at).as_micros()).unwrap_or(i64::MAX);
        let behind = i64::try_from((self.at - moment).as_micros()).unwrap_or(i64::MAX);
        self.unix_us.saturating_add(ahead).saturating_sub(behind)
    }

    /// `moment` as a date in local time.
    pub(super) fn date(&self, moment: Instant) -> Date {
        self.date_of(self.unix_us(moment))
    }

    /// Microseconds since 1970 as a date in local time.
    pub(super) fn date_of(&self, unix_us: i64) -> Date {
        let secs = unix_us.div_euclid(1_000_000);
        let micros = unix_us.rem_euclid(1_000_000) as u32;
        Date::new(secs.saturating_add((self.east_of_utc)(secs)), micros)
    }

    /// Seconds since 1970 with six decimals, as JSON has them too.
    pub(super) fn epoch(&self, moment: Instant) -> Epoch {
        Epoch(self.unix_us(moment))
    }
}

/// Seconds since 1970 with six decimals.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Epoch(pub(super) i64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (secs, micros) = (
            self.0.unsigned_abs() / 1_000_000,
            self.0.unsigned_abs() % 1_000_000,
        );
        write!(f, "{sign}{secs}.{micros:06}")
    }
}

/// A date and time of day.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Date {
    year: i64,
    /// From 0.
    month: usize,
    /// From 1.
    day: i64,
    /// From Sunday, which is 0.
    weekday: usize,
    second_of_day: i64,
    micros: u32,
}

impl Date {
    /// From seconds since 1970 by the calendar whose time is wanted.
    fn new(secs: i64, micros: u32) -> Self {
        let days = secs.div_euclid(DAY);
        // Years that begin in March have their leap day at the end; 400 of them have 146,097 days.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march_month + 2) / 5 + 1;
        let month = (march_month + 2) % 12;
        let year = year_of_era + era * 400 + i64::from(month < 2);
        Self {
            year,
            month: month as usize,
            day,
            weekday: (days + 4).rem_euclid(7) as usize,
            second_of_day: secs.rem_euclid(DAY),
            micros,
        }
    }

    /// `Sun Nov 22 21:31:46`.
    fn write_to_second(&self, f: &mut dyn Write) -> fmt::Result {
        let weekday = WEEKDAYS.get(self.weekday).unwrap_or(&"?");
        let month = MONTHS.get(self.month).unwrap_or(&"?");
        let (hour, minute) = (self.second_of_day / 3_600, self.second_of_day / 60 % 60);
        let second = self.second_of_day % 60;
        let day = self.day;
        write!(
            f,
            "{weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02}"
        )
    }

    /// `2026-11-22 21:31:46`.
    pub(super) fn write_plain(&self, f: &mut dyn Write) -> fmt::Result {
        let (hour, minute) = (self.second_of_day / 3_600, self.second_of_day / 60 % 60);
        let (month, second) = (self.month + 1, self.second_of_day % 60);
        write!(f, "{:04}-{month:02}-{:02} ", self.year, self.day)?;
        write!(f, "{hour:02}:{minute:02}:{second:02}")
    }
}

/// `1795383106.919994 (Sun Nov 22 21:31:46.919994 2026)`.
pub(super) fn write_moment(out: &mut dyn Write, wall: &Wall, moment: Instant) -> fmt::Result {
    let date = wall.date(moment);
    write!(out, "{} (", wall.epoch(moment))?;
    date.write_to_second(out)?;
    write!(out, ".{:06} {})", date.micros, date.year)
}

/// The same with the year before the fraction, as in the lines about IPv6 forwarding.
pub(super) fn write_moment_year_first(
    out: &mut dyn Write,
    wall: &Wall,
    moment: Instant,
) -> fmt::Result {
    let date = wall.date(moment);
    write!(out, "{} (", wall.epoch(moment))?;
    date.write_to_second(out)?;
    write!(out, " {}.{:06})", date.year, date.micros)
}

/// The same without a year, for a moment that may never have been: that is 1970.
pub(super) fn write_next_time(
    out: &mut dyn Write,
    wall: &Wall,
    moment: Option<Instant>,
) -> fmt::Result {
    let unix_us = moment.map_or(0, |moment| wall.unix_us(moment));
    let date = wall.date_of(unix_us);
    write!(out, "{} (", Epoch(unix_us))?;
    date.write_to_second(out)?;
    write!(out, ".{:06})", date.micros)
}

/// Seconds with six decimals.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

pub(super) const fn on_off(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

/// The name of an rtnetlink scope.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Scope(u8);

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("global"),
            200 => f.write_str("site"),
            253 => f.write_str("link"),
            254 => f.write_str("host"),
            255 => f.write_str("nowhere"),
            other => write!(f, "{other}"),
        }
    }
}

/// A virtual address as the dumps have it: `10.9.0.1/24 dev d0 scope global label d0:1 set`.
#[derive(Copy, Clone, Debug)]
pub(super) struct AddressLine<'a> {
    pub(super) address: &'a VirtualAddress,
    /// The instance's own interface.
    pub(super) interface: &'a str,
    pub(super) held: HeldAddress,
}

impl fmt::Display for AddressLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        let is_v6 = address.addr.is_ipv6();
        write!(f, "{}", address.addr)?;
        if address.prefix != if is_v6 { 128 } else { 32 } {
            write!(f, "/{}", address.prefix)?;
        }
        if let Some(broadcast) = address.broadcast {
            write!(f, " brd {broadcast}")?;
        }
        let dev = address.dev.as_deref().unwrap_or(self.interface);
        write!(f, " dev {dev} scope {}", Scope(address.scope))?;
        if let Some(label) = &address.label {
            write!(f, " label {label}")?;
        }
        if is_v6 && !address.nodad {
            f.write_str(" -nodad")?;
        }
        if address.no_prefix_route {
            f.write_str(" noprefixroute")?;
        }
        if is_v6 {
            f.write_str(if address.deprecated {
                " deprecated"
            } else {
                " preferred_lft forever"
            })?;
        }
        match self.held {
            HeldAddress::Held | HeldAddress::Ours => f.write_str(" set"),
            HeldAddress::Missing | HeldAddress::Absent | HeldAddress::Foreign => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
        let mut text = String::new();
        write(&mut text).expect("a string takes everything");
        text
    }

    const fn utc(at_us: u64, unix_us: i64) -> Wall {
        Wall {
            at: Instant::from_micros(at_us),
            unix_us,
            east_of_utc: |_| 0,
        }
    }

    #[test]
    fn moments_are_written_as_the_original_does() {
        let wall = utc(5_000_000, 1_795_383_106_919_994);
        let text = written(|out| write_moment(out, &wall, wall.at));
        assert_eq!(text, "1795383106.919994 (Sun Nov 22 21:31:46.919994 2026)");
        let text = written(|out| write_moment_year_first(out, &wall, wall.at));
        assert_eq!(text, "1795383106.919994 (Sun Nov 22 21:31:46 2026.919994)");
        let earlier = Instant::from_micros(4_000_000);
        let text = written(|out| write_moment(out, &wall, earlier));
        assert_eq!(text, "1795383105.919994 (Sun Nov 22 21:31:45.919994 2026)");
        let text = written(|out| write_next_time(out, &wall, None));
        assert_eq!(text, "0.000000 (Thu Jan  1 00:00:00.000000)");
    }

    #[test]
    fn local_time_is_what_the_host_says() {
        let mut wall = utc(0, 1_709_164_799_000_001);
        // Half an hour ahead: over midnight and into a leap day.
        wall.east_of_utc = |_| 1_800;
        let text = written(|out| write_moment(out, &wall, wall.at));
        assert_eq!(text, "1709164799.000001 (Thu Feb 29 00:29:59.000001 2024)");
    }

    #[test]
    fn every_day_of_three_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1890_i64, 0_usize, 1_i64);
        let first = -29_219;
        for number in first..first + 110_000 {
            let date = Date::new(number * DAY + 3_661, 0);
            assert_eq!((date.year, date.month, date.day), (year, month, day));
            assert_eq!(date.weekday, (number + 4).rem_euclid(7) as usize);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                1 => 28 + i64::from(leap),
                3 | 5 | 8 | 10 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                day = 1;
                month += 1;
            }
            if month == 12 {
                month = 0;
                year += 1;
            }
        }
    }

    #[test]
    fn addresses_are_written_as_the_original_does() {
        let line = |address: &VirtualAddress, held| {
            AddressLine {
                address,
                interface: "d0",
                held,
            }
            .to_string()
        };
        let mut v4 = VirtualAddress::new([10, 9, 0, 4].into(), 24);
        v4.broadcast = Some([10, 9, 0, 255].into());
        v4.label = Some("d0:z".to_owned());
        v4.no_prefix_route = true;
        assert_eq!(
            line(&v4, HeldAddress::Held),
            "10.9.0.4/24 brd 10.9.0.255 dev d0 scope global label d0:z noprefixroute set"
        );
        let mut host = VirtualAddress::new([10, 9, 1, 7].into(), 32);
        (host.dev, host.scope) = (Some("d1".to_owned()), 77);
        assert_eq!(line(&host, HeldAddress::Absent), "10.9.1.7 dev d1 scope 77");
        let addr = "2001:db8::2".parse().expect("an address");
        let mut v6 = VirtualAddress::new(addr, 128);
        assert_eq!(
            line(&v6, HeldAddress::Missing),
            "2001:db8::2 dev d0 scope global deprecated"
        );
        (v6.prefix, v6.nodad, v6.deprecated) = (64, false, false);
        assert_eq!(
            line(&v6, HeldAddress::Held),
            "2001:db8::2/64 dev d0 scope global -nodad preferred_lft forever set"
        );
    }
}
