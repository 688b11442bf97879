//! What a scenario expects, and whether it came.
//!
//! | in `[expect]` | meaning |
//! |---|---|
//! | `master at 10 = b` | at second 10 exactly host b is master (`none`: nobody is) |
//! | `masters at 10 = a b` | exactly these are |
//! | `master from 10 to 15 = b` | exactly b is, all the time |
//! | `state a at 10 = backup` | `init`, `backup`, `master`, `fault` |
//! | `address at 10 = b` | exactly these kernels have every virtual address (or `none`) |
//! | `client laptop at 10 = b` | who answers its packets (or `none`) |
//! | `outage laptop at most = 3.7` | the longest time without an answer |
//! | `outage laptop at least = 3` | the same, from below |
//! | `takeovers = 2` | how often a host became master |
//! | `never two-masters`, `never no-master` | also with `from 8` or `from 8 to 12` |
//! | `seen = freeze \| tie by address` | occurrences, named as a search prints them |
//!
//! With several virtual routers, `of 52` before `at` or `from` names one by its VRID; without it
//! all of them must do as expected. Two masters are two for longer than a hundredth of a second:
//! a backup that preempts is one before the other can have heard of it.

use std::net::IpAddr;

use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::StateName;

use crate::cluster::Cluster;
use crate::faults::{Names, parse_span};
use crate::marks::Marks;
use crate::timeline::Timeline;

/// How long two hosts may both be master before it counts.
const OVERLAP: Duration = Duration::from_millis(10);

/// One line of `[expect]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// As written.
    pub text: String,
    what: What,
    vrid: Option<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    Masters(Instant, Vec<usize>),
    MasterThroughout(Instant, Instant, usize),
    State(usize, Instant, StateName),
    Address(Instant, Vec<usize>),
    Client(usize, Instant, Option<usize>),
    Outage {
        client: usize,
        least: bool,
        span: Duration,
    },
    Takeovers(usize),
    NeverTwoMasters(Option<Instant>, Option<Instant>),
    NeverNoMaster(Option<Instant>, Option<Instant>),
    Seen(Vec<String>),
}

fn moment(text: &str) -> Result<Instant, String> {
    parse_span(text).map(|span| Instant::ZERO + span)
}

fn hosts(text: &str, names: &Names) -> Result<Vec<usize>, String> {
    let mut all = match text {
        "none" => Vec::new(),
        _ => text
            .split_whitespace()
            .map(|name| names.host(name))
            .collect::<Result<_, _>>()?,
    };
    all.sort_unstable();
    if all.is_empty() && text != "none" {
        return Err("who? a host's name, or none".into());
    }
    Ok(all)
}

fn client(name: &str, names: &Names) -> Result<usize, String> {
    let known = names.clients.iter().position(|client| client == name);
    known.ok_or_else(|| format!("there is no client '{name}'"))
}

fn state(text: &str) -> Result<StateName, String> {
    match text.to_lowercase().as_str() {
        "init" => Ok(StateName::Init),
        "backup" => Ok(StateName::Backup),
        "master" => Ok(StateName::Master),
        "fault" => Ok(StateName::Fault),
        _ => Err(format!("'{text}' is no state")),
    }
}

/// The end of a `never`: nothing, `from T`, or `from T to T`.
fn range(words: &[&str]) -> Result<(Option<Instant>, Option<Instant>), String> {
    match words {
        [] => Ok((None, None)),
        ["from", from] => Ok((Some(moment(from)?), None)),
        ["from", from, "to", to] => Ok((Some(moment(from)?), Some(moment(to)?))),
        _ => Err(format!("'{}': from T, or from T to T", words.join(" "))),
    }
}

impl Expectation {
    /// Reads one line.
    pub fn parse(key: &str, value: &str, names: &Names) -> Result<Self, String> {
        let text = match value {
            "" => key.to_string(),
            _ => format!("{key} = {value}"),
        };
        let wrong = |error: String| format!("'{text}': {error}");
        let mut words: Vec<&str> = key.split_whitespace().collect();
        let vrid = take_vrid(&mut words).map_err(wrong)?;
        let what = Self::what(&words, value, names).map_err(wrong)?;
        Ok(Self { text, what, vrid })
    }

    fn what(words: &[&str], value: &str, names: &Names) -> Result<What, String> {
        let one = |what: Vec<usize>| match what.as_slice() {
            [] => Ok(None),
            [host] => Ok(Some(*host)),
            _ => Err("one host, or none".to_string()),
        };
        match words {
            ["master", "at", at] => {
                let master = one(hosts(value, names)?)?;
                Ok(What::Masters(moment(at)?, master.into_iter().collect()))
            }
            ["masters", "at", at] => Ok(What::Masters(moment(at)?, hosts(value, names)?)),
            ["master", "from", from, "to", to] => match one(hosts(value, names)?)? {
                Some(host) => Ok(What::MasterThroughout(moment(from)?, moment(to)?, host)),
                None => Err("one host; for nobody see 'masters at'".into()),
            },
            ["state", host, "at", at] => {
                Ok(What::State(names.host(host)?, moment(at)?, state(value)?))
            }
            ["address", "at", at] => Ok(What::Address(moment(at)?, hosts(value, names)?)),
            ["client", name, "at", at] => {
                let by = one(hosts(value, names)?)?;
                Ok(What::Client(client(name, names)?, moment(at)?, by))
            }
            ["outage", name, "at", bound @ ("most" | "least")] => Ok(What::Outage {
                client: client(name, names)?,
                least: *bound == "least",
                span: parse_span(value)?,
            }),
            ["takeovers"] => {
                let count = value.parse();
                let count = count.map_err(|_| format!("'{value}' is no number"))?;
                Ok(What::Takeovers(count))
            }
            ["never", "two-masters", rest @ ..] if value.is_empty() => {
                range(rest).map(|(from, to)| What::NeverTwoMasters(from, to))
            }
            ["never", "no-master", rest @ ..] if value.is_empty() => {
                range(rest).map(|(from, to)| What::NeverNoMaster(from, to))
            }
            ["seen"] => {
                let wanted: Vec<String> = value.split('|').map(|s| s.trim().to_string()).collect();
                let unknown = wanted
                    .iter()
                    .find(|w| count(&Marks::default(), w).is_none());
                match unknown {
                    Some(unknown) => Err(format!("'{unknown}' is no occurrence")),
                    None => Ok(What::Seen(wanted)),
                }
            }
            _ => Err("this is no expectation".into()),
        }
    }
}

fn take_vrid(words: &mut Vec<&str>) -> Result<Option<u8>, String> {
    let Some(at) = words.iter().position(|word| *word == "of") else {
        return Ok(None);
    };
    let vrid = words.get(at + 1).and_then(|word| word.parse().ok());
    let vrid = vrid.ok_or("'of' wants a VRID")?;
    words.drain(at..=at + 1);
    Ok(Some(vrid))
}

fn count(marks: &Marks, name: &str) -> Option<u64> {
    let all = marks.required();
    let more = marks.further();
    let mut all = all.iter().chain(&more);
    all.find(|(known, _)| *known == name).map(|(_, n)| *n)
}

/// Compares expectations with what was recorded.
#[derive(Copy, Clone, Debug)]
pub struct Judge<'a> {
    /// What was recorded.
    pub timeline: &'a Timeline,
    /// Who belongs to which virtual router.
    pub cluster: &'a Cluster,
    /// What was seen.
    pub marks: &'a Marks,
    /// The names of hosts and clients.
    pub names: &'a Names,
    /// The end of the record.
    pub until: Instant,
}

impl Judge<'_> {
    /// Whether the expectation came true, and if not what came instead.
    pub fn check(&self, expectation: &Expectation) -> Result<(), String> {
        let mut routers = Vec::new();
        for (index, router) in self.cluster.routers.iter().enumerate() {
            if expectation.vrid.is_none_or(|vrid| vrid == router.vrid) {
                routers.push(index);
            }
        }
        if routers.is_empty() {
            return Err(format!("'{}': there is no such VRID", expectation.text));
        }
        for router in routers {
            self.check_router(&expectation.what, router)
                .map_err(|came| format!("expected '{}', but {came}", expectation.text))?;
        }
        Ok(())
    }

    fn check_router(&self, what: &What, router: usize) -> Result<(), String> {
        match what {
            What::Masters(at, wanted) => self.check_masters(router, *at, wanted),
            What::MasterThroughout(from, to, host) => {
                for at in self.moments(router, *from, *to) {
                    self.check_masters(router, at, &[*host])?;
                }
                Ok(())
            }
            What::State(host, at, wanted) => {
                let member = self.cluster.on_host_in(*host, router);
                let is = member.map(|member| self.timeline.state_at(member, *at));
                same(&is, &Some(*wanted))
            }
            What::Address(at, wanted) => {
                for addr in self.addresses(router) {
                    let holders = self.timeline.holders_at(addr, *at);
                    if holders != *wanted {
                        return Err(format!("{addr} is on {}", self.list(&holders)));
                    }
                }
                Ok(())
            }
            What::Client(client, at, by) => self.check_client(router, *client, *at, *by),
            What::Outage {
                client,
                least,
                span,
            } => {
                for addr in self.addresses(router) {
                    let longest = self.timeline.longest_outage(*client, addr, self.until);
                    let right = if *least {
                        longest >= *span
                    } else {
                        longest <= *span
                    };
                    if !right {
                        return Err(format!("{addr} was away for {longest} s"));
                    }
                }
                Ok(())
            }
            What::Takeovers(wanted) => {
                let members = &self.cluster.routers[router].members;
                same(&self.timeline.takeovers_of(members), wanted)
            }
            What::NeverTwoMasters(from, to) => self.check_never_two(router, *from, *to),
            What::NeverNoMaster(from, to) => {
                let from = from.unwrap_or(Instant::ZERO);
                for at in self.moments(router, from, to.unwrap_or(self.until)) {
                    if self.masters(router, at).is_empty() {
                        return Err(format!("there is none at {} s", at.since(Instant::ZERO)));
                    }
                }
                Ok(())
            }
            What::Seen(wanted) => match wanted.iter().find(|w| count(self.marks, w) == Some(0)) {
                Some(missing) => Err(format!("'{missing}' was not seen")),
                None => Ok(()),
            },
        }
    }

    fn check_client(
        &self,
        router: usize,
        client: usize,
        at: Instant,
        by: Option<usize>,
    ) -> Result<(), String> {
        for addr in self.addresses(router) {
            let reached = self.timeline.reached_at(client, addr, at);
            if reached != by {
                let who: Vec<usize> = reached.into_iter().collect();
                return Err(format!("{addr} is answered by {}", self.list(&who)));
            }
        }
        Ok(())
    }

    fn check_masters(&self, router: usize, at: Instant, wanted: &[usize]) -> Result<(), String> {
        let masters = self.masters(router, at);
        if masters == wanted {
            return Ok(());
        }
        let at = at.since(Instant::ZERO);
        Err(format!("at {at} s it is {}", self.list(&masters)))
    }

    fn check_never_two(
        &self,
        router: usize,
        from: Option<Instant>,
        to: Option<Instant>,
    ) -> Result<(), String> {
        let to = to.unwrap_or(self.until);
        let mut since = None;
        let moments = self.moments(router, from.unwrap_or(Instant::ZERO), to);
        for at in moments.into_iter().chain([to]) {
            let two = since.is_some_and(|since| at.since(since) > OVERLAP);
            if two {
                let since = since.unwrap_or(at).since(Instant::ZERO);
                return Err(format!("there were two from {since} s on"));
            }
            if self.masters(router, at).len() < 2 {
                since = None;
            } else {
                since = since.or(Some(at));
            }
        }
        Ok(())
    }

    /// The hosts that are master at a moment.
    fn masters(&self, router: usize, at: Instant) -> Vec<usize> {
        let members = self.cluster.routers[router].members.iter();
        let mut hosts: Vec<usize> = members
            .filter(|member| self.timeline.state_at(**member, at) == StateName::Master)
            .map(|member| self.cluster.members[*member].host)
            .collect();
        hosts.sort_unstable();
        hosts
    }

    /// Moments that stand for all of `from ..= to`: its ends and each change between.
    fn moments(&self, router: usize, from: Instant, to: Instant) -> Vec<Instant> {
        let members = &self.cluster.routers[router].members;
        let mut all = vec![from];
        let changes = self.timeline.changes_of(members);
        all.extend(changes.into_iter().filter(|at| *at > from && *at < to));
        all.push(to);
        all
    }

    fn addresses(&self, router: usize) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = Vec::new();
        for member in &self.cluster.routers[router].members {
            for key in &self.cluster.members[*member].vips {
                if !all.contains(&key.addr) {
                    all.push(key.addr);
                }
            }
        }
        all
    }

    fn list(&self, hosts: &[usize]) -> String {
        let names = hosts.iter().map(|host| {
            let name = self.names.hosts.get(*host);
            name.map_or("?", String::as_str)
        });
        let names: Vec<&str> = names.collect();
        match names.is_empty() {
            true => "nobody".into(),
            false => names.join(" and "),
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(is: &T, wanted: &T) -> Result<(), String> {
    if is == wanted {
        Ok(())
    } else {
        Err(format!("it is {is:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::{one_router, plain_member};

    fn names() -> Names {
        Names {
            hosts: vec!["a".into(), "b".into()],
            clients: vec!["laptop".into()],
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// a is master from 1 to 5 and b from 4 on; both hold their address meanwhile.
    fn check(key: &str, value: &str) -> Result<(), String> {
        let mut timeline = Timeline::new(true, names().hosts);
        let vip = IpAddr::from([10, 0, 0, 100]);
        timeline.on_state(at(0), 1, StateName::Backup);
        timeline.on_state(at(1_000), 0, StateName::Master);
        timeline.on_address(at(1_000), 0, vip, true);
        timeline.on_ping(at(1_500), 0, vip, Some(0));
        timeline.on_ping(at(3_000), 0, vip, None);
        timeline.on_state(at(4_000), 1, StateName::Master);
        timeline.on_address(at(4_000), 1, vip, true);
        timeline.on_ping(at(4_500), 0, vip, Some(1));
        timeline.on_state(at(5_000), 0, StateName::Backup);
        timeline.on_address(at(5_000), 0, vip, false);
        let cluster = one_router(vec![plain_member(0, 100), plain_member(1, 90)]);
        let marks = Marks {
            tie: 1,
            ..Marks::default()
        };
        let judge = Judge {
            timeline: &timeline,
            cluster: &cluster,
            marks: &marks,
            names: &names(),
            until: at(10_000),
        };
        judge.check(&Expectation::parse(key, value, &names())?)
    }

    #[test]
    fn each_expectation_comes_true_and_false() {
        for (key, right, wrong) in [
            ("master at 2", "a", "b"),
            ("master at 0.5", "none", "a"),
            ("masters at 4.5", "a b", "b"),
            ("master from 1 to 3.9", "a", "b"),
            ("master from 5 to 10", "b", "a"),
            ("state b at 2", "backup", "master"),
            ("address at 4.5", "a b", "a"),
            ("address at 6", "b", "none"),
            ("client laptop at 2", "a", "none"),
            ("client laptop at 3.5", "none", "b"),
            ("outage laptop at most", "1.5", "1.4"),
            ("outage laptop at least", "1.5", "1.6"),
            ("takeovers", "2", "1"),
            ("takeovers of 51", "2", "3"),
            ("seen", "tie by address", "freeze"),
        ] {
            assert_eq!(check(key, right), Ok(()), "{key}");
            let error = check(key, wrong).expect_err(key);
            assert!(error.starts_with("expected '"), "{error}");
        }
    }

    #[test]
    fn never_looks_at_every_change() {
        assert!(check("never two-masters", "").is_err());
        assert!(
            check("never two-masters from 4.995", "").is_ok(),
            "too short"
        );
        assert!(check("never two-masters from 0 to 3", "").is_ok());
        assert!(check("never no-master", "").is_err());
        assert!(check("never no-master from 1", "").is_ok());
    }

    #[test]
    fn what_is_no_expectation_is_refused_with_its_reason() {
        for (key, value, part) in [
            ("mistress at 3", "a", "no expectation"),
            ("master at soon", "a", "no time"),
            ("master at 3", "c", "no host 'c'"),
            ("master at 3", "", "who?"),
            ("master at 3", "a b", "one host"),
            ("client phone at 3", "a", "no client"),
            ("never two-masters until 3", "", "from T"),
            ("seen", "ghosts", "no occurrence"),
            ("takeovers of 77", "1", "no such VRID"),
            ("state a at 3", "happy", "no state"),
        ] {
            let error = check(key, value).expect_err(key);
            assert!(error.contains(part), "{key}: {error}");
        }
    }
}
