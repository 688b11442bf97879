//! A cluster, what happens to it, and what is expected, in one file.
//!
//! ```ini
//! [cluster]                     ; everything here is optional
//! version = 3                   ; 2 or 3
//! vrid = 51
//! interval = 1                  ; seconds; each host may have another one
//! vips = 10.0.0.100/24          ; separated by blanks; IPv6 addresses make an IPv6 cluster
//! preempt = yes                 ; each host may differ
//! unicast = no                  ; yes: every host has every other one as a peer
//! quality = loss 20 spread 2ms  ; the paths between hosts, in the words of `faults`
//! wake = 60us                   ; a daemon wakes up at most this late
//! order = 200us                 ; the kernel takes at most this long for a change
//! duplicate-detection = no      ; yes: a new IPv6 address takes a second
//! extra = garp_master_delay 1 | garp_master_repeat 2   ; further lines of each vrrp_instance
//! seed = 1                      ; decides delays and losses
//! until = 20                    ; when the play ends, in seconds
//!
//! [host a]                      ; at least one; numbered 1, 2, .. in the order of the file
//! priority = 100
//! number = 7                    ; its addresses are 10.0.0.7 and fe80::7: decides ties
//! start = 0                     ; or never
//! interval, preempt, preempt-delay, extra   ; as in [cluster]
//! config = a.conf               ; a whole keepalived.conf beside this file instead of all that
//! clock = 5s                    ; what its clock shows at the beginning
//! drift = -100                  ; what its clock gains in a million
//!
//! [reload a 1]                  ; what `reload a 1` gives it; numbered 1, 2, .. for each host
//! priority, interval, preempt, preempt-delay, extra, config   ; where it differs from [host a]
//! name = VI_1                   ; of its virtual router
//! vips = 10.0.0.101/24
//!
//! [client laptop]               ; sends a packet to each virtual address again and again
//! ping = 100ms
//!
//! [link a b]                    ; the path from a to b alone
//! quality = loss 500
//!
//! [event 1]
//! at = 5
//! do = crash a | freeze b       ; in the words of `faults`
//!
//! [expect]                      ; see `expect`
//! master at 10 = b
//! never two-masters
//! ```
//!
//! The hosts are configured by text: the keys above become a keepalived.conf that is parsed and
//! bound as the daemon's is. The promises are always checked too.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use relevo_core::config::bound::{Bound, GarpConfig, InstanceConfig};
use relevo_core::config::parse;
use relevo_core::config::{HostFacts, InterfaceFact, Severity, bind};
use relevo_core::ids::{Family, Version};
use relevo_core::time::{Duration, Instant};

use crate::clock::SimClock;
use crate::expect::{Expectation, Judge};
use crate::faults::{Fault, Names, Planned, parse_quality, parse_span};
use crate::link::Quality;
use crate::segment::Station;
use crate::spec::{
    ClientSpec, HostSpec, InstanceSpec, Pace, Variant, WorldSpec, address_global, address_v4,
    interface,
};
use crate::world::{Keep, World};

/// A scenario that was read.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The world.
    pub spec: WorldSpec,
    /// Decides what chance decides.
    pub seed: u64,
    /// When the play ends.
    pub until: Instant,
    /// What happens.
    pub schedule: Vec<Planned>,
    /// Paths of their own quality.
    pub paths: Vec<(Station, Station, Quality)>,
    /// What is expected.
    pub expectations: Vec<Expectation>,
}

/// A scenario that was played.
#[derive(Debug)]
pub struct Played {
    /// What was expected and did not come, and the broken promise if there is one.
    pub failures: Vec<String>,
    /// How many expectations there were.
    pub expected: usize,
    /// The world at its end.
    pub world: World,
}

/// One section of the file.
struct Section<'a> {
    name: &'a str,
    pairs: Vec<(&'a str, &'a str)>,
}

impl Section<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
    }

    fn check(&self, known: &[&str]) -> Result<(), String> {
        match self.pairs.iter().find(|(key, _)| !known.contains(key)) {
            None => Ok(()),
            Some((key, _)) => Err(format!(
                "[{}]: '{key}' is not known here; known are: {}",
                self.name,
                known.join(", ")
            )),
        }
    }

    fn read<T>(
        &self,
        key: &str,
        usual: T,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        match self.get(key) {
            None => Ok(usual),
            Some(text) => read(text).map_err(|e| format!("[{}] {key}: {e}", self.name)),
        }
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("'{text}' is neither yes nor no")),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not a number that fits here"))
}

fn list(text: &str) -> Result<Vec<String>, String> {
    Ok(text
        .split('|')
        .map(|part| part.trim().to_string())
        .filter(|part| !part.is_empty())
        .collect())
}

fn quality(text: &str) -> Result<Quality, String> {
    parse_quality(&text.split_whitespace().collect::<Vec<_>>())
}

fn moment(text: &str) -> Result<Instant, String> {
    parse_span(text).map(|span| Instant::ZERO + span)
}

impl Scenario {
    /// Reads the scenario in `path`.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let beside = path.parent().unwrap_or(Path::new("."));
        let config = |name: &str| {
            let path = beside.join(name);
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        Self::read(&text, &config).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads a scenario; `config` gives the text of a configuration file by its name.
    pub fn read(
        text: &str,
        config: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Self, String> {
        check_doubles(text)?;
        let map = ini::inistr!(safe cs text)?;
        let sections: Vec<Section<'_>> = map
            .iter()
            .map(|(name, keys)| Section {
                name,
                pairs: keys
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_deref().unwrap_or("")))
                    .collect(),
            })
            .collect();
        Reader {
            sections: &sections,
            config,
        }
        .scenario()
    }

    /// Plays it to its end.
    pub fn play(&self, lines: usize) -> Result<Played, String> {
        let keep = Keep {
            lines,
            timeline: true,
        };
        let mut world = World::new(self.spec.clone(), self.seed, keep)?;
        for &(from, to, quality) in &self.paths {
            world.set_path(0, from, to, quality);
        }
        world.plan(&self.schedule);
        world.run_until(self.until);
        let mut failures = Vec::new();
        if let Some(violation) = world.violation() {
            let at = violation.at.since(Instant::ZERO);
            failures.push(format!(
                "broken promise at {at} s: {}: {}",
                violation.promise, violation.text
            ));
        }
        let judge = Judge {
            timeline: world.timeline(),
            cluster: world.cluster(),
            marks: &world.checker().marks,
            names: &world.names(),
            until: self.until,
        };
        for expectation in &self.expectations {
            if let Err(what) = judge.check(expectation) {
                failures.push(what);
            }
        }
        Ok(Played {
            failures,
            expected: self.expectations.len(),
            world,
        })
    }
}

/// Keys and sections that are there twice would silently win over the first ones.
fn check_doubles(text: &str) -> Result<(), String> {
    let mut section = String::new();
    let mut seen = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split([';', '#']).next().unwrap_or("").trim();
        let header = line.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
        let name = match header {
            Some(header) => {
                section = header.trim().to_string();
                format!("section [{section}]")
            }
            None if line.is_empty() => continue,
            None => {
                let key = line.split(['=', ':']).next().unwrap_or("").trim();
                format!("[{section}] '{key}'")
            }
        };
        if !seen.insert(name.clone()) {
            return Err(format!("line {}: {name} is there twice", index + 1));
        }
    }
    Ok(())
}

struct Reader<'a> {
    sections: &'a [Section<'a>],
    config: &'a dyn Fn(&str) -> Result<String, String>,
}

/// What [cluster] says.
struct Common {
    version: Version,
    vrid: u8,
    interval: Duration,
    vips: Vec<(IpAddr, u8)>,
    preempt: bool,
    unicast: bool,
    extra: Vec<String>,
    duplicates: bool,
}

/// What a [host] says.
struct HostText<'a> {
    name: String,
    number: u8,
    section: &'a Section<'a>,
}

const CLUSTER_KEYS: [&str; 13] = [
    "version",
    "vrid",
    "interval",
    "vips",
    "preempt",
    "unicast",
    "quality",
    "wake",
    "order",
    "duplicate-detection",
    "extra",
    "seed",
    "until",
];

const HOST_KEYS: [&str; 10] = [
    "priority",
    "number",
    "start",
    "interval",
    "preempt",
    "preempt-delay",
    "extra",
    "config",
    "clock",
    "drift",
];

const RELOAD_KEYS: [&str; 8] = [
    "priority",
    "interval",
    "preempt",
    "preempt-delay",
    "extra",
    "config",
    "name",
    "vips",
];

impl<'a> Reader<'a> {
    fn scenario(&self) -> Result<Scenario, String> {
        self.check_sections()?;
        let none = Section {
            name: "cluster",
            pairs: Vec::new(),
        };
        let cluster = self.section("cluster").unwrap_or(&none);
        cluster.check(&CLUSTER_KEYS)?;
        let common = common(cluster)?;
        let hosts = self.host_texts()?;
        let names = Names {
            hosts: hosts.iter().map(|host| host.name.clone()).collect(),
            clients: self.named("client").map(|(name, _)| name.into()).collect(),
        };
        let base = cluster.read("quality", Quality::default(), quality)?;
        let usual = Pace::default();
        let schedule = self.events(&names)?;
        let paths = self.paths(&names)?;
        let hosts: Vec<HostSpec> = hosts
            .iter()
            .map(|host| self.host(host, &common, &hosts))
            .collect::<Result<_, _>>()?;
        self.check_reloads(&hosts, &schedule)?;
        let spec = WorldSpec {
            segments: vec![base],
            hosts,
            clients: self.clients()?,
            pace: Pace {
                order: cluster.read("order", usual.order, parse_span)?,
                wake: cluster.read("wake", usual.wake, parse_span)?,
            },
            slowest: slowest(base, &schedule, &paths),
        };
        let until = cluster.read("until", Instant::ZERO + Duration::from_secs(20), moment)?;
        Ok(Scenario {
            spec,
            seed: cluster.read("seed", 1, number)?,
            until,
            schedule,
            paths,
            expectations: self.expectations(&names)?,
        })
    }

    fn section(&self, name: &str) -> Option<&'a Section<'a>> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Sections such as `[host a]`, with what follows the first word.
    fn named(&self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Section<'a>)> {
        self.sections.iter().filter_map(move |section| {
            let rest = section.name.strip_prefix(kind)?;
            rest.starts_with(char::is_whitespace)
                .then(|| (rest.trim(), section))
        })
    }

    fn check_sections(&self) -> Result<(), String> {
        for section in self.sections {
            let kind = section.name.split_whitespace().next().unwrap_or("");
            let words = section.name.split_whitespace().count();
            let right = match kind {
                "cluster" | "expect" => words == 1,
                "host" | "client" | "event" => words == 2,
                "link" | "reload" => words == 3,
                "default" => {
                    return Err("there are keys before the first [section]".into());
                }
                _ => false,
            };
            if !right {
                return Err(format!(
                    "[{}] is no section: [cluster], [host NAME], [client NAME], [link FROM TO], \
                     [reload NAME N], [event N], [expect]",
                    section.name
                ));
            }
        }
        Ok(())
    }

    fn host_texts(&self) -> Result<Vec<HostText<'a>>, String> {
        let mut hosts: Vec<HostText<'a>> = Vec::new();
        for (index, (name, section)) in self.named("host").enumerate() {
            section.check(&HOST_KEYS)?;
            let number = section.read("number", index as u8 + 1, number)?;
            if !(1..=254).contains(&number) {
                return Err(format!("[{}] number: 1 to 254", section.name));
            }
            if let Some(other) = hosts.iter().find(|host| host.number == number) {
                return Err(format!(
                    "hosts {} and {name} have the same number {number}",
                    other.name
                ));
            }
            hosts.push(HostText {
                name: name.into(),
                number,
                section,
            });
        }
        if hosts.is_empty() {
            return Err("there is no [host NAME]".into());
        }
        Ok(hosts)
    }

    fn host(
        &self,
        host: &HostText<'_>,
        common: &Common,
        all: &[HostText<'_>],
    ) -> Result<HostSpec, String> {
        let section = host.section;
        let first = self.bound(host, section, common, all)?;
        let start = section.read("start", Some(Instant::ZERO), |text| match text {
            "never" => Ok(None),
            _ => moment(text).map(Some),
        })?;
        let drift_ppm = section.read("drift", 0, number)?;
        if !(-100_000..=100_000).contains(&drift_ppm) {
            return Err(format!("[{}] drift: at most 100000", section.name));
        }
        Ok(HostSpec {
            variants: self.variants(host, &first, common, all)?,
            bound: first,
            name: host.name.clone(),
            number: host.number,
            start,
            clock: SimClock {
                offset: section.read("clock", Duration::from_secs(1), parse_span)?,
                drift_ppm,
            },
            detects_duplicates: common.duplicates,
        })
    }

    /// The configuration that the keys of `section` make, or the file that they name.
    fn bound(
        &self,
        host: &HostText<'_>,
        section: &Section<'_>,
        common: &Common,
        all: &[HostText<'_>],
    ) -> Result<Arc<Bound>, String> {
        let text = match section.get("config") {
            Some(file) => (self.config)(file)?,
            None => conf_text(host, section, common, all)?,
        };
        bound(&host.name, &text)
    }

    /// What `host` may be given while it runs.
    fn variants(
        &self,
        host: &HostText<'_>,
        first: &Bound,
        common: &Common,
        all: &[HostText<'_>],
    ) -> Result<Vec<Variant>, String> {
        let mut variants = Vec::new();
        let own = self.named("reload").filter_map(|(words, section)| {
            let (name, number) = words.split_once(char::is_whitespace)?;
            (name == host.name).then_some((number.trim(), section))
        });
        for (number, section) in own {
            section.check(&RELOAD_KEYS)?;
            if number != (variants.len() + 1).to_string() {
                let next = variants.len() + 1;
                return Err(format!("[{}]: number {next} comes next", section.name));
            }
            if host.section.get("config").is_some() && section.get("config").is_none() {
                return Err(format!(
                    "[{}] wants 'config', as its host has",
                    section.name
                ));
            }
            let pairs = [&section.pairs[..], &host.section.pairs[..]].concat();
            let name = section.name;
            let bound = self.bound(host, &Section { name, pairs }, common, all)?;
            let order = order(first, &bound).ok_or_else(|| {
                format!("[{name}] has a virtual router that its host does not begin with")
            })?;
            variants.push(Variant { bound, order });
        }
        Ok(variants)
    }

    /// Every `[reload ..]` is of a host, and every event speaks of one that is there.
    fn check_reloads(&self, hosts: &[HostSpec], schedule: &[Planned]) -> Result<(), String> {
        for (words, section) in self.named("reload") {
            let name = words.split_whitespace().next().unwrap_or("");
            if !hosts.iter().any(|host| host.name == name) {
                return Err(format!("[{}]: no host '{name}'", section.name));
            }
        }
        for planned in schedule {
            if let Fault::Reload { host, variant } = planned.fault
                && hosts[host].variant(variant).is_none()
            {
                let name = &hosts[host].name;
                return Err(format!("there is no [reload {name} {variant}]"));
            }
        }
        Ok(())
    }

    fn clients(&self) -> Result<Vec<ClientSpec>, String> {
        self.named("client")
            .map(|(name, section)| {
                section.check(&["ping"])?;
                let ping = section.read("ping", Duration::from_millis(100), parse_span)?;
                if ping.is_zero() {
                    return Err(format!("[{}] ping: above 0", section.name));
                }
                Ok(ClientSpec {
                    name: name.into(),
                    segment: 0,
                    ping,
                })
            })
            .collect()
    }

    fn paths(&self, names: &Names) -> Result<Vec<(Station, Station, Quality)>, String> {
        self.named("link")
            .map(|(ends, section)| {
                section.check(&["quality"])?;
                let mut ends = ends.split_whitespace();
                let mut end = || {
                    let name = ends.next().unwrap_or("");
                    let station = names.station(name);
                    station.map_err(|error| format!("[{}]: {error}", section.name))
                };
                let (from, to) = (end()?, end()?);
                let quality = section.read("quality", Quality::default(), quality)?;
                Ok((from, to, quality))
            })
            .collect()
    }

    fn events(&self, names: &Names) -> Result<Vec<Planned>, String> {
        let mut schedule = Vec::new();
        for (index, (_, section)) in self.named("event").enumerate() {
            section.check(&["at", "do"])?;
            let wanted = |key| {
                let missing = || format!("[{}] wants '{key}'", section.name);
                section.get(key).ok_or_else(missing)
            };
            let at = moment(wanted("at")?).map_err(|e| format!("[{}] at: {e}", section.name))?;
            for text in list(wanted("do")?)? {
                let fault = Fault::parse(&text, names)
                    .map_err(|error| format!("[{}] do: {error}", section.name))?;
                schedule.push(Planned {
                    at,
                    fault,
                    episode: index as u32,
                });
            }
        }
        schedule.sort_by_key(|planned| planned.at);
        Ok(schedule)
    }

    fn expectations(&self, names: &Names) -> Result<Vec<Expectation>, String> {
        let Some(section) = self.section("expect") else {
            return Ok(Vec::new());
        };
        section
            .pairs
            .iter()
            .map(|(key, value)| {
                Expectation::parse(key, value, names).map_err(|error| format!("[expect]: {error}"))
            })
            .collect()
    }
}

fn common(cluster: &Section<'_>) -> Result<Common, String> {
    let vips = cluster.read("vips", vec![(IpAddr::from([10, 0, 0, 100]), 24)], vips)?;
    let version = cluster.read("version", Version::V3, |text| match text {
        "2" => Ok(Version::V2),
        "3" => Ok(Version::V3),
        _ => Err(format!("'{text}' is neither 2 nor 3")),
    })?;
    Ok(Common {
        version,
        vips,
        vrid: cluster.read("vrid", 51, number)?,
        interval: cluster.read("interval", Duration::from_secs(1), parse_span)?,
        preempt: cluster.read("preempt", true, yes_or_no)?,
        unicast: cluster.read("unicast", false, yes_or_no)?,
        extra: cluster.read("extra", Vec::new(), list)?,
        duplicates: cluster.read("duplicate-detection", false, yes_or_no)?,
    })
}

/// Which instance of `first` each instance of `other` is: the same on the wire.
fn order(first: &Bound, other: &Bound) -> Option<Vec<usize>> {
    let place = |config: &InstanceConfig| {
        first.instances.iter().position(|was| {
            (&was.interface, was.family, was.vrid)
                == (&config.interface, config.family, config.vrid)
        })
    };
    other.instances.iter().map(place).collect()
}

fn vips(text: &str) -> Result<Vec<(IpAddr, u8)>, String> {
    text.split_whitespace().map(vip).collect()
}

fn vip(text: &str) -> Result<(IpAddr, u8), String> {
    let wrong = || format!("'{text}' is no address such as 10.0.0.100/24");
    let (addr, prefix) = match text.split_once('/') {
        Some((addr, prefix)) => (addr, Some(prefix)),
        None => (text, None),
    };
    let addr: IpAddr = addr.parse().map_err(|_| wrong())?;
    let most = Family::of(addr).prefix_max();
    let prefix = match prefix {
        Some(prefix) => prefix.parse().map_err(|_| wrong())?,
        None => most,
    };
    if prefix > most {
        return Err(wrong());
    }
    Ok((addr, prefix))
}

/// The longest time that a packet can travel in any part of the play.
fn slowest(base: Quality, schedule: &[Planned], paths: &[(Station, Station, Quality)]) -> Duration {
    let later = schedule.iter().filter_map(|planned| match planned.fault {
        Fault::Quality { quality, .. } => Some(quality),
        _ => None,
    });
    let own = paths.iter().map(|(_, _, quality)| *quality);
    let all = later.chain(own).chain([base]);
    all.map(|quality| quality.slowest())
        .max()
        .unwrap_or(Duration::ZERO)
}

/// The configuration that the keys of a host make.
fn conf_text(
    host: &HostText<'_>,
    section: &Section<'_>,
    common: &Common,
    all: &[HostText<'_>],
) -> Result<String, String> {
    let vips = section.read("vips", common.vips.clone(), vips)?;
    let family = vips
        .first()
        .map_or(Family::V4, |(addr, _)| Family::of(*addr));
    let own = |number: u8| match family {
        Family::V4 => address_v4(0, number),
        Family::V6 => address_global(0, number),
    };
    let peers = all.iter().filter(|other| other.number != host.number);
    let unicast = common.unicast.then(|| {
        let peers = peers.map(|other| own(other.number)).collect();
        (own(host.number), peers)
    });
    let mut extra = common.extra.clone();
    extra.extend(section.read("extra", Vec::new(), list)?);
    let spec = InstanceSpec {
        name: section.get("name").unwrap_or("VI_1").into(),
        segment: 0,
        vrid: common.vrid,
        priority: section.read("priority", 100, number)?,
        version: common.version,
        family,
        interval: section.read("interval", common.interval, parse_span)?,
        preempt: section.read("preempt", common.preempt, yes_or_no)?,
        preempt_delay: section.read("preempt-delay", Duration::ZERO, parse_span)?,
        vips,
        unicast,
        garp: GarpConfig::default(),
        announce_interval: Duration::ZERO,
        lower_prio_no_advert: false,
        higher_prio_send_advert: false,
    };
    Ok(spec.conf_text(&extra))
}

/// Parses and binds the configuration of a host, as its daemon would.
pub fn bound(host: &str, text: &str) -> Result<Arc<Bound>, String> {
    let file = format!("{host}.conf");
    let (config, mut found) = parse(&file, text);
    let facts = HostFacts {
        hostname: host.into(),
        uptime: Duration::from_secs(3_600),
        interfaces: vec![InterfaceFact {
            name: interface(0),
            loopback: false,
            multicast: true,
            mtu: 1_500,
        }],
    };
    let (bound, more) = bind(&config, &facts);
    found.extend(more);
    let serious = found.iter().find(|d| d.severity >= Severity::Warning);
    match serious {
        Some(diagnostic) => Err(format!("{diagnostic}\n{text}")),
        None if bound.instances.is_empty() => Err(format!("{file}: no virtual router\n{text}")),
        None => Ok(Arc::new(bound)),
    }
}

#[cfg(test)]
#[path = "scenario_tests.rs"]
mod tests;
