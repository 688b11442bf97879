//! Who held what when: recorded on the way, read by people and by a scenario's expectations.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::StateName;

use crate::cluster::Cluster;

/// How a daemon is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Life {
    /// It runs.
    Runs,
    /// It gets no processor time.
    Frozen,
    /// It is not there.
    Gone,
    /// Its host has no power.
    Off,
}

/// A change, newest last.
type Changes<T> = Vec<(Instant, T)>;

/// The record.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    on: bool,
    hosts: Vec<String>,
    states: BTreeMap<usize, Changes<StateName>>,
    lives: BTreeMap<usize, Changes<Life>>,
    held: BTreeMap<(usize, IpAddr), Changes<bool>>,
    reached: BTreeMap<(usize, IpAddr), Changes<Option<usize>>>,
    faults: Changes<String>,
    end: Instant,
}

fn value_at<T: Clone>(changes: Option<&Changes<T>>, at: Instant) -> Option<T> {
    let changes = changes?;
    let before = changes.iter().rev().find(|(when, _)| *when <= at)?;
    Some(before.1.clone())
}

fn change<T: PartialEq>(changes: &mut Changes<T>, at: Instant, value: T) {
    if changes.last().is_none_or(|(_, last)| *last != value) {
        changes.push((at, value));
    }
}

impl Timeline {
    /// A record of hosts with these names; if it is not `on` it stays empty.
    pub fn new(on: bool, hosts: Vec<String>) -> Self {
        Self {
            on,
            hosts,
            ..Self::default()
        }
    }

    /// True if it records.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// A member is in another state.
    pub fn on_state(&mut self, at: Instant, member: usize, state: StateName) {
        if self.on {
            change(self.states.entry(member).or_default(), at, state);
            self.end = self.end.max(at);
        }
    }

    /// A daemon is in another condition.
    pub fn on_life(&mut self, at: Instant, host: usize, life: Life) {
        if self.on {
            change(self.lives.entry(host).or_default(), at, life);
        }
    }

    /// A kernel has or has not a virtual address.
    pub fn on_address(&mut self, at: Instant, host: usize, addr: IpAddr, held: bool) {
        if self.on {
            change(self.held.entry((host, addr)).or_default(), at, held);
        }
    }

    /// A client's packet was answered by a host, or by none.
    pub fn on_ping(&mut self, at: Instant, client: usize, addr: IpAddr, by: Option<usize>) {
        if self.on {
            change(self.reached.entry((client, addr)).or_default(), at, by);
            self.end = self.end.max(at);
        }
    }

    /// A fault strikes.
    pub fn on_fault(&mut self, at: Instant, text: String) {
        if self.on {
            self.faults.push((at, text));
            self.end = self.end.max(at);
        }
    }

    /// The state of a member at a moment.
    pub fn state_at(&self, member: usize, at: Instant) -> StateName {
        value_at(self.states.get(&member), at).unwrap_or(StateName::Init)
    }

    /// The condition of a daemon at a moment.
    pub fn life_at(&self, host: usize, at: Instant) -> Life {
        value_at(self.lives.get(&host), at).unwrap_or(Life::Gone)
    }

    /// The hosts whose kernels have `addr` at a moment.
    pub fn holders_at(&self, addr: IpAddr, at: Instant) -> Vec<usize> {
        let has = |host: &usize| {
            value_at(self.held.get(&(*host, addr)), at).unwrap_or(false)
                && self.life_at(*host, at) != Life::Off
        };
        (0..self.hosts.len()).filter(has).collect()
    }

    /// The host that answers a client at a moment.
    pub fn reached_at(&self, client: usize, addr: IpAddr, at: Instant) -> Option<usize> {
        value_at(self.reached.get(&(client, addr)), at).flatten()
    }

    /// The longest time without an answer for a client after its first answer, up to `end`.
    pub fn longest_outage(&self, client: usize, addr: IpAddr, end: Instant) -> Duration {
        let Some(changes) = self.reached.get(&(client, addr)) else {
            return end.since(Instant::ZERO);
        };
        let mut longest = Duration::ZERO;
        let mut since = None;
        let mut answered = false;
        for (at, by) in changes {
            match by {
                Some(_) => {
                    longest = longest.max(since.map_or(Duration::ZERO, |s| at.since(s)));
                    since = None;
                    answered = true;
                }
                None if answered => since = Some(*at),
                None => {}
            }
        }
        longest.max(since.map_or(Duration::ZERO, |s| end.since(s)))
    }

    /// Every moment at which the state of one of `members` changes.
    pub fn changes_of(&self, members: &[usize]) -> Vec<Instant> {
        let mut all: Vec<Instant> = members
            .iter()
            .filter_map(|member| self.states.get(member))
            .flatten()
            .map(|(at, _)| *at)
            .collect();
        all.sort_unstable();
        all
    }

    /// How often `members` became master.
    pub fn takeovers_of(&self, members: &[usize]) -> usize {
        members
            .iter()
            .filter_map(|member| self.states.get(member))
            .flatten()
            .filter(|(_, state)| *state == StateName::Master)
            .count()
    }

    /// What happened, one line each, in order.
    pub fn text(&self, cluster: &Cluster, clients: &[String]) -> String {
        let mut lines: Vec<(Instant, u8, String)> = Vec::new();
        for (at, text) in &self.faults {
            lines.push((*at, 0, format!("--- {text}")));
        }
        for (member, changes) in &self.states {
            let who = self.name_of(cluster, *member);
            for (at, state) in changes.iter().filter(|(_, s)| *s != StateName::Init) {
                let state = format!("{state:?}").to_uppercase();
                lines.push((*at, 1, format!("{who:<12} is {state}")));
            }
        }
        for ((host, addr), changes) in &self.held {
            let who = self.hosts.get(*host).map_or("?", String::as_str);
            for (at, held) in changes {
                let verb = if *held { "holds" } else { "no longer holds" };
                lines.push((*at, 2, format!("{who:<12} {verb} {addr}")));
            }
        }
        for ((client, addr), changes) in &self.reached {
            let who = clients.get(*client).map_or("?", String::as_str);
            for (at, by) in changes {
                let by = by.and_then(|host| self.hosts.get(host));
                let by = by.map_or("nobody".into(), |name| format!("host {name}"));
                lines.push((*at, 3, format!("{who:<12} is answered by {by} for {addr}")));
            }
        }
        lines.sort();
        lines.iter().fold(String::new(), |mut text, (at, _, line)| {
            let micros = at.as_micros();
            let (secs, rest) = (micros / 1_000_000, micros % 1_000_000);
            let _ = writeln!(text, "{secs:>4}.{rest:06}  {line}");
            text
        })
    }

    fn name_of(&self, cluster: &Cluster, member: usize) -> String {
        let here = &cluster.members[member];
        let host = self.hosts.get(here.host).map_or("?", String::as_str);
        match cluster.routers.len() {
            1 => host.to_string(),
            _ => format!("{host}/{}", cluster.routers[here.router].vrid),
        }
    }

    /// One row of characters for each member, a column for each `width`-th part of the time.
    pub fn bars(&self, cluster: &Cluster, width: usize, end: Instant) -> String {
        let width = width.max(10) as u64;
        let step = (end.as_micros() / width).max(1);
        let mut text = String::new();
        let seconds = Duration::from_micros(step);
        let _ = writeln!(
            text,
            "one column is {seconds} s:  # master  . backup  ! fault  z frozen  x not running"
        );
        for member in 0..cluster.members.len() {
            let host = cluster.members[member].host;
            let row: String = (0..width)
                .map(|column| {
                    let from = Instant::from_micros(column * step);
                    let to = Instant::from_micros((column + 1) * step - 1);
                    self.symbol(member, host, from, to)
                })
                .collect();
            let _ = writeln!(text, "{:<12} |{row}|", self.name_of(cluster, member));
        }
        let mut axis = String::new();
        for column in (0..width).step_by(10) {
            let secs = Duration::from_millis(column * step / 1_000).as_millis() / 100;
            let _ = write!(axis, "{:<10}", format!("{}.{}", secs / 10, secs % 10));
        }
        let _ = writeln!(text, "{:<12}  {axis}", "seconds");
        text
    }

    /// The most telling thing within a column: mastership, however short, is always shown.
    fn symbol(&self, member: usize, host: usize, from: Instant, to: Instant) -> char {
        let changes = self.states.get(&member);
        let became_master = changes.is_some_and(|changes| {
            changes
                .iter()
                .any(|(at, state)| *at > from && *at <= to && *state == StateName::Master)
        });
        match self.life_at(host, to) {
            Life::Gone | Life::Off => 'x',
            Life::Frozen => 'z',
            Life::Runs if became_master => '#',
            Life::Runs => match self.state_at(member, to) {
                StateName::Master => '#',
                StateName::Backup => '.',
                StateName::Fault => '!',
                StateName::Init => ' ',
            },
        }
    }

    /// The last moment that anything was recorded at.
    pub fn end(&self) -> Instant {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::{one_router, plain_member};

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn sample() -> Timeline {
        let mut line = Timeline::new(true, vec!["a".into(), "b".into()]);
        let vip = IpAddr::from([10, 0, 0, 100]);
        for host in 0..2 {
            line.on_life(at(0), host, Life::Runs);
            line.on_state(at(0), host, StateName::Backup);
        }
        line.on_state(at(3_600), 0, StateName::Master);
        line.on_address(at(3_601), 0, vip, true);
        line.on_ping(at(3_700), 0, vip, Some(0));
        line.on_fault(at(5_000), "power-off a".into());
        line.on_life(at(5_000), 0, Life::Off);
        line.on_state(at(5_000), 0, StateName::Init);
        line.on_ping(at(5_100), 0, vip, None);
        line.on_state(at(8_500), 1, StateName::Master);
        line.on_ping(at(8_600), 0, vip, Some(1));
        line
    }

    #[test]
    fn the_past_can_be_asked_for() {
        let line = sample();
        let vip = IpAddr::from([10, 0, 0, 100]);
        assert_eq!(line.state_at(0, at(3_599)), StateName::Backup);
        assert_eq!(line.state_at(0, at(3_600)), StateName::Master);
        assert_eq!(line.holders_at(vip, at(4_000)), [0]);
        assert!(line.holders_at(vip, at(5_000)).is_empty(), "no power");
        assert_eq!(line.reached_at(0, vip, at(9_000)), Some(1));
        let outage = line.longest_outage(0, vip, at(10_000));
        assert_eq!(outage, Duration::from_millis(3_500));
        assert_eq!(line.takeovers_of(&[0, 1]), 2);
    }

    #[test]
    fn the_pictures_show_what_happened() {
        let line = sample();
        let cluster = one_router(vec![plain_member(0, 100), plain_member(1, 90)]);
        let text = line.text(&cluster, &["laptop".into()]);
        assert!(text.contains("   5.000000  --- power-off a"), "{text}");
        assert!(text.contains("b            is MASTER"), "{text}");
        let bars = line.bars(&cluster, 10, at(10_000));
        assert!(bars.contains("a            |...##xxxxx|"), "{bars}");
        assert!(bars.contains("b            |........##|"), "{bars}");
    }

    #[test]
    fn nothing_is_recorded_when_off() {
        let mut line = Timeline::new(false, vec!["a".into()]);
        line.on_state(at(1), 0, StateName::Master);
        assert_eq!(line.state_at(0, at(2)), StateName::Init);
    }
}
