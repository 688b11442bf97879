//! `reload_time_file`: a file that holds the time of the next reload.
//!
//! `HH:MM:SS` is the next such time of day; with a date before it (`YY-MM-DD` or `YYYY-MM-DD`, then a
//! blank or `T`) it is that moment once. Local time, or UTC with a `Z` behind it. A thread of the
//! parent looks at the file once a second while the word is configured.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use relevo_core::config::reloading::Reloading;

use crate::dump;
use crate::sys::{localtime, process};

const LOOK: Duration = Duration::from_secs(1);
const DAY: i64 = 86_400;
/// Octets that are read of the file.
const LENGTH: u64 = 64;

/// The thread that waits for the time; it ends with this value.
pub(crate) struct Alarm {
    wanted: (PathBuf, bool),
    stop: Arc<AtomicBool>,
    thread: Option<Thread>,
}

impl Alarm {
    /// The alarm that is configured; `before` goes on if it is the same.
    pub(crate) fn follow(before: Option<Self>, reloading: &Reloading) -> Option<Self> {
        let path = PathBuf::from(reloading.time_file.as_ref()?);
        let wanted = (path, reloading.repeat);
        if let Some(before) = before.filter(|before| before.wanted == wanted) {
            return Some(before);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, (path, repeat)) = (Arc::clone(&stop), wanted.clone());
        let work = move || watch(&path, repeat, &seen);
        let thread = match thread::Builder::new()
            .name("reload-time".into())
            .spawn(work)
        {
            Ok(handle) => Some(handle.thread().clone()),
            Err(error) => {
                log::warn!("reload_time_file is not looked at, no thread: {error}");
                None
            }
        };
        Some(Self {
            wanted,
            stop,
            thread,
        })
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

fn watch(path: &Path, repeat: bool, stop: &AtomicBool) {
    let mut text = String::new();
    let mut due: Option<(i64, bool)> = None;
    while !stop.load(Ordering::Relaxed) {
        let now = unix_secs();
        let found = read(path).unwrap_or_default();
        if found != text {
            text = found;
            due = next(&text, now, localtime::east_of_utc);
            if due.is_none() && !text.trim().is_empty() {
                log::warn!("{}: no time to come: {:?}", path.display(), text.trim());
            }
        }
        if let Some((at, dated)) = due
            && now >= at
        {
            log::info!("{}: it is time to reload", path.display());
            if repeat && !dated {
                due = next(&text, now, localtime::east_of_utc);
            } else {
                due = None;
                if let Err(error) = fs::remove_file(path) {
                    log::warn!("{}: cannot be removed: {error}", path.display());
                }
            }
            if let Err(error) = process::hang_up_self() {
                log::error!("no reload: {error}");
            }
        }
        thread::park_timeout(LOOK);
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // A pipe must not hold the thread for ever.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    file.take(LENGTH).read_to_string(&mut text)?;
    Ok(text)
}

fn unix_secs() -> i64 {
    dump::wall().unix_us / 1_000_000
}

/// The moment that `text` names, in seconds since 1970, and whether it has a date; `None` if there
/// is none to come. `east` knows how far local time is ahead of UTC at a moment.
fn next(text: &str, now: i64, east: impl Fn(i64) -> i64) -> Option<(i64, bool)> {
    let text = text.trim();
    let (text, is_utc) = match text.strip_suffix(['Z', 'z']) {
        Some(rest) => (rest.trim_end(), true),
        None => (text, false),
    };
    let ahead = |at: i64| if is_utc { 0 } else { east(at) };
    // What the clock on the wall shows, to what it is: the difference may change in between.
    let moment = |wall: i64| {
        let first = wall - ahead(wall);
        wall - ahead(first)
    };
    match text.split_once([' ', 'T', 't']) {
        Some((date, time)) => {
            let at = moment(days(date)? * DAY + seconds(time.trim_start())?);
            (at > now).then_some((at, true))
        }
        None => {
            let time = seconds(text)?;
            let today = (now + ahead(now)).div_euclid(DAY) * DAY;
            let candidates = [today + time, today + DAY + time];
            let at = candidates.into_iter().map(moment).find(|at| *at > now)?;
            Some((at, false))
        }
    }
}

fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between).map(|part| {
        let digits =
            !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    });
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

fn seconds(text: &str) -> Option<i64> {
    let [hour, minute, second] = numbers(text, ':')?;
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3_600 + minute * 60 + second)
}

/// Days since 1970 of a date of the Gregorian calendar.
fn days(text: &str) -> Option<i64> {
    let [year, month, day] = numbers(text, '-')?;
    let year = if year < 100 { year + 2_000 } else { year };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if is_leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = lengths.get(..usize::try_from(month - 1).ok()?)?;
    let length = lengths.get(before.len())?;
    if year < 1970 || !(1..=*length).contains(&day) {
        return None;
    }
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    Some(years + before.iter().sum::<i64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 21:30:00 UTC.
    const NOW: i64 = 1_795_383_000;

    fn at(text: &str) -> Option<(i64, bool)> {
        next(text, NOW, |_| 3_600)
    }

    #[test]
    fn a_time_of_day_is_the_next_one_and_a_date_comes_once() {
        assert_eq!(at("21:30:01Z"), Some((NOW + 1, false)));
        assert_eq!(at("21:30:00Z\n"), Some((NOW + DAY, false)));
        // An hour ahead it is half past ten.
        assert_eq!(at("22:30:05"), Some((NOW + 5, false)));
        assert_eq!(at("22:29:59"), Some((NOW + DAY - 1, false)));
        assert_eq!(at("00:10:00"), Some((NOW + 6_000, false)));
        assert_eq!(at("26-11-22 21:30:07Z"), Some((NOW + 7, true)));
        assert_eq!(at("2026-11-23T22:30:00"), Some((NOW + DAY, true)));
        assert_eq!(at("2028-03-01 21:30:00 Z"), Some((NOW + 465 * DAY, true)));
        assert_eq!(at("2026-11-22 21:30:00Z"), None, "it is over");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "12",
            "12:00",
            "24:00:00",
            "12:60:00",
            "12:00:60",
            "-1:00:00",
            "+1:00:00",
            "a:b:c",
            "2027-13-01 12:00:00",
            "2027-02-29 12:00:00",
            "2027-00-10 12:00:00",
            "27-1 12:00:00",
            "2027-01-01",
            "12:00:00:00",
            "1969-01-01 00:00:00",
            "99999-01-01 00:00:00",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn the_day_on_which_the_clock_is_moved_has_its_hours() {
        // From 02:00 to 03:00 an hour after now.
        let east = |at: i64| if at < NOW + 3_600 { 3_600 } else { 7_200 };
        assert_eq!(next("22:40:00", NOW, east), Some((NOW + 600, false)));
        // 00:40 as shown then is 22:40 UTC.
        assert_eq!(next("00:40:00", NOW, east), Some((NOW + 4_200, false)));
    }
}
