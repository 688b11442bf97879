//! A client: what a user of the virtual address notices.

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::command::{Result, wait_until};
use super::host::Host;

/// The longest time without an answer within some window.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Outage {
    /// The last answer before it, on the clock of [`super::now_ns`].
    pub from_ns: i64,
    /// How long it lasted; of the order of the ping interval when there was none.
    pub length: Duration,
}

/// A ping that goes on for as long as this lives.
#[derive(Debug)]
pub struct Client {
    child: Child,
    log: PathBuf,
}

impl Client {
    /// Starts to ping `address` from `host` every `interval`.
    ///
    /// # Errors
    /// ping cannot be started.
    pub fn start(host: &Host, address: IpAddr, interval: Duration) -> Result<Self> {
        let log = host.dir.join("ping");
        let out = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let child = host
            .command("setpriv")
            .args(["--pdeathsig", "KILL", "ping", "-n", "-D", "-i"])
            .arg(format!("{:.3}", interval.as_secs_f64()))
            .arg(address.to_string())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("ping: {error}"))?;
        Ok(Self { child, log })
    }

    /// When answers came, oldest first.
    pub fn answers(&self) -> Vec<i64> {
        parse(&fs::read_to_string(&self.log).unwrap_or_default())
    }

    /// Waits for an answer that comes after `since_ns`.
    ///
    /// # Errors
    /// None came within `limit`.
    pub fn wait_answer(&self, since_ns: i64, limit: Duration) -> Result<i64> {
        wait_until("an answer to the client's ping", limit, || {
            Ok(self.answers().into_iter().find(|&at| at >= since_ns))
        })
    }

    /// The longest time without an answer that ended, or has lasted until now, after `since_ns`.
    pub fn outage(&self, since_ns: i64) -> Outage {
        longest_gap(&self.answers(), since_ns, super::now_ns())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn longest_gap(answers: &[i64], since_ns: i64, until_ns: i64) -> Outage {
    let before = answers
        .iter()
        .copied()
        .rfind(|&at| at < since_ns)
        .unwrap_or(since_ns);
    let after = answers.iter().copied().filter(|&at| at >= since_ns);
    let (mut last, mut longest, mut from_ns) = (before, 0, before);
    for at in after.chain([until_ns]) {
        if at - last > longest {
            (longest, from_ns) = (at - last, last);
        }
        last = at;
    }
    Outage {
        from_ns,
        length: Duration::from_nanos(longest.unsigned_abs()),
    }
}

/// The stamps of ping's lines `[seconds.micros] 64 bytes from ..`.
fn parse(text: &str) -> Vec<i64> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| line.contains(" bytes from ")) {
        let stamp = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let parts = stamp.and_then(|(stamp, _)| stamp.split_once('.'));
        if let Some((Ok(seconds), Ok(micros))) =
            parts.map(|(whole, part)| (whole.parse::<i64>(), format!("{part:0<6}").parse::<i64>()))
        {
            found.push(seconds * 1_000_000_000 + micros * 1000);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_count() {
        let text = "PING 10.0.0.100\n[17.000005] 64 bytes from 10.0.0.100: icmp_seq=1\n\
                    [18.5] From 10.0.0.9 icmp_seq=2 Destination Host Unreachable\n\
                    [19.250000] 64 bytes from 10.0.0.100: icmp_seq=3\n[20.1";
        assert_eq!(parse(text), [17_000_005_000, 19_250_000_000]);
    }

    #[test]
    fn the_longest_gap_counts_the_edges() {
        let gap = |answers: &[i64], since, until| {
            let outage = longest_gap(answers, since, until);
            (outage.from_ns, outage.length.as_nanos())
        };
        assert_eq!(gap(&[0, 10, 50, 60], 20, 70), (10, 40));
        assert_eq!(gap(&[0, 10], 20, 70), (10, 60));
        assert_eq!(gap(&[], 20, 70), (20, 50));
        assert_eq!(gap(&[0, 100, 110], 105, 112), (100, 10));
    }
}
