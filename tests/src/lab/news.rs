//! What the kernel of a host tells of its virtual addresses, with the times.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::command::Result;
use super::flavour::Flavour;
use super::host::Host;

/// Goes on writing down what the kernel of a host tells of addresses, until dropped.
#[derive(Debug)]
pub struct News {
    child: Child,
    path: PathBuf,
    flavour: Flavour,
    /// The host had the addresses when this began.
    held: bool,
    /// When the last round began, in lines of the file.
    since: usize,
}

impl News {
    /// Listens on `host` from now on.
    ///
    /// # Errors
    /// `ip` could not be started.
    pub fn of(host: &Host, flavour: Flavour) -> Result<Self> {
        let path = host.dir.join("addresses.news");
        let fail = |error: std::io::Error| error.to_string();
        let file = File::create(&path).map_err(fail)?;
        let child = host
            .command("setpriv")
            .args(["--pdeathsig", "KILL"])
            .args(["ip", "-ts", "-o", "monitor", "address"])
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(Stdio::null())
            .spawn()
            .map_err(fail)?;
        sleep(Duration::from_millis(300));
        let present = host.addresses()?;
        let all = flavour.virtual_addresses();
        Ok(Self {
            child,
            path,
            flavour,
            held: all.iter().any(|(address, _)| present.contains(address)),
            since: 0,
        })
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let all = self.flavour.virtual_addresses();
        let ours = |line: &&str| all.iter().any(|(it, _)| line.contains(&format!(" {it}/")));
        text.lines().filter(ours).map(str::to_owned).collect()
    }

    /// How often one of the addresses was removed, and how often added, since the last call of
    /// [`forget`](Self::forget).
    pub fn changes(&self) -> (usize, usize) {
        let lines = self.lines();
        let new = lines.get(self.since..).unwrap_or_default();
        let removed = new.iter().filter(|line| is_removal(line)).count();
        (removed, new.len() - removed)
    }

    /// What was told until now is not counted any more.
    pub fn forget(&mut self) {
        self.since = self.lines().len();
    }

    /// The times, in nanoseconds of the day's beginning in 1970, from which and to which the host had one
    /// of the addresses at least.
    fn holdings(&self) -> Vec<(i64, i64)> {
        let mut count = if self.held {
            self.flavour.virtual_addresses().len()
        } else {
            0
        };
        let mut spans = Vec::new();
        let mut from = self.held.then_some(i64::MIN);
        for line in self.lines() {
            let Some(at) = time_of(&line) else { continue };
            if is_removal(&line) {
                count = count.saturating_sub(1);
            } else {
                count += 1;
            }
            match (from, count) {
                (None, 1..) => from = Some(at),
                (Some(begin), 0) => {
                    spans.push((begin, at));
                    from = None;
                }
                (None, 0) | (Some(_), _) => {}
            }
        }
        spans.extend(from.map(|from| (from, i64::MAX)));
        spans
    }

    /// The longest time for which this host and another one had an address at once, in nanoseconds.
    pub fn longest_together(&self, other: &Self) -> i64 {
        longest_overlap(&self.holdings(), &other.holdings())
    }
}

impl Drop for News {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_removal(line: &str) -> bool {
    line.contains("Deleted")
}

fn longest_overlap(here: &[(i64, i64)], there: &[(i64, i64)]) -> i64 {
    let overlap = |(from, to): &(i64, i64)| {
        let with = |(begin, end): &(i64, i64)| to.min(end).saturating_sub(*from.max(begin));
        there.iter().map(with).max().unwrap_or(0)
    };
    here.iter().map(overlap).max().unwrap_or(0).max(0)
}

/// The time of a line such as `[2026-11-23T00:53:20.690562] 1: lo ..`, as far as it can be told.
fn time_of(line: &str) -> Option<i64> {
    let stamp = line.strip_prefix('[')?.split(']').next()?;
    let numbers: Vec<i64> = stamp
        .split(['-', 'T', ':', '.'])
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [year, month, day, hour, minute, second, micros] = numbers[..] else {
        return None;
    };
    // Days of the civil calendar, with years that begin in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    // From the first of March of the year 0 to the first of January 1970.
    let seconds = seconds - 719_469 * 86_400;
    Some((seconds * 1_000_000 + micros) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let at = |text: &str| time_of(text).map(|ns| ns / 1_000_000_000);
        assert_eq!(at("[1970-01-01T00:00:00.000000] 1: lo"), Some(0));
        assert_eq!(at("[2000-02-29T00:00:01.000000] x"), Some(951_782_401));
        assert_eq!(at("[2026-11-23T00:53:20.690562] x"), Some(1_795_395_200));
        assert_eq!(at("Deleted 1: lo"), None);
    }

    #[test]
    fn two_hosts_hold_at_once_as_long_as_both_do() {
        let here = [(i64::MIN, 10), (20, 30), (50, i64::MAX)];
        assert_eq!(longest_overlap(&here, &[(10, 20), (30, 50)]), 0);
        assert_eq!(longest_overlap(&here, &[(8, 26)]), 6);
        assert_eq!(longest_overlap(&here, &[(0, 9), (45, 51)]), 9);
        assert_eq!(longest_overlap(&here, &[]), 0);
    }
}
