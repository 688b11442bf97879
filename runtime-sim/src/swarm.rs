//! From a seed to a world and its schedule of faults.
//!
//! First the seed decides which kinds of faults there are at all and what the cluster looks like
//! (so that some worlds are all loss, and others all crashes), then it draws an explicit schedule.
//! The schedule, not the seed, is what is shrunk.

use std::net::{IpAddr, Ipv6Addr};

use relevo_core::config::bound::GarpConfig;
use relevo_core::ids::{Errno, Family, Version};
use relevo_core::rng::Rng;
use relevo_core::time::{Duration, Instant};

use crate::clock::SimClock;
use crate::faults::{Fault, LinkChange, Planned, Refusal};
use crate::host::SOCKET_BUFFER;
use crate::link::Quality;
use crate::parent::add_parents;
use crate::segment::Station;
use crate::spec::{
    ClientSpec, HostSpec, InstanceSpec, Pace, WorldSpec, address_global, address_v4, bind_all,
};
use crate::variants::add_reloads;

/// One world with its faults.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The seed that it was drawn from, which also decides everything that happens in it.
    pub seed: u64,
    /// The world.
    pub spec: WorldSpec,
    /// What its instances are, for people.
    pub instances: Vec<Vec<InstanceSpec>>,
    /// The faults in order of time.
    pub schedule: Vec<Planned>,
    /// When all faults end.
    pub heal_at: Instant,
}

/// Settles that two draws of one seed do not share a sequence of numbers.
const DRAW: u64 = 0x5eed_0f5e_ed0f_5eed;

/// What kinds of fault a world has.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Kind {
    Crash,
    CrashBetween,
    PowerOff,
    Stop,
    Freeze,
    Cut,
    OneWay,
    Isolate,
    Cable,
    Admin,
    Quality,
    RefuseOrder,
    RefuseSend,
    Take,
    Overrun,
    Give,
    Interface,
    Noise,
    RefuseSocket,
    Replace,
    Rename,
    Lose,
    Flap,
    Retell,
}

const KINDS: [Kind; 24] = [
    Kind::Crash,
    Kind::CrashBetween,
    Kind::PowerOff,
    Kind::Stop,
    Kind::Freeze,
    Kind::Cut,
    Kind::OneWay,
    Kind::Isolate,
    Kind::Cable,
    Kind::Admin,
    Kind::Quality,
    Kind::RefuseOrder,
    Kind::RefuseSend,
    Kind::Take,
    Kind::Overrun,
    Kind::Give,
    Kind::Interface,
    Kind::Noise,
    Kind::RefuseSocket,
    Kind::Replace,
    Kind::Rename,
    Kind::Lose,
    Kind::Flap,
    Kind::Retell,
];

struct Draw {
    rng: Rng,
    hosts: usize,
    segments: usize,
    version: Version,
    family: Family,
    interval: Duration,
    pace: Pace,
    quality: Quality,
    slowest: Duration,
    /// `garp_interval` of all hosts.
    announce_interval: Duration,
    numbers: Vec<u8>,
}

/// The world and the schedule of `seed`.
pub fn draw(seed: u64) -> Trial {
    let mut draw = Draw::new(seed);
    let instances = draw.instances();
    let hosts: Vec<HostSpec> = instances
        .iter()
        .enumerate()
        .map(|(host, instances)| draw.host(host, instances))
        .collect();
    let clients = (0..draw.segments)
        .map(|segment| ClientSpec {
            name: format!("client{segment}"),
            segment,
            ping: Duration::from_millis(500),
        })
        .collect();
    let end = Instant::ZERO + draw.length();
    let schedule = draw.schedule(end);
    let spec = WorldSpec {
        segments: vec![draw.quality; draw.segments],
        hosts,
        clients,
        pace: draw.pace,
        slowest: draw.slowest,
    };
    let mut trial = Trial {
        seed,
        spec,
        instances,
        schedule,
        heal_at: end + Duration::from_millis(500),
    };
    add_reloads(&mut trial, end);
    add_parents(&mut trial);
    trial
}

impl Draw {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ DRAW);
        let hosts = pick(&mut rng, &[2, 2, 2, 3, 3, 4]);
        let segments = pick(&mut rng, &[1, 1, 1, 1, 2]);
        let version = pick(
            &mut rng,
            &[Version::V2, Version::V3, Version::V3, Version::V3],
        );
        let family = match version {
            Version::V2 => Family::V4,
            Version::V3 => pick(&mut rng, &[Family::V4, Family::V6]),
        };
        let interval = match version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => Duration::from_centis(pick(&mut rng, &[10, 10, 20, 30, 50, 100])),
        };
        let pace = draw_pace(&mut rng, interval);
        let quality = if rng.chance(2, 5) {
            draw_quality(&mut rng, interval, 200)
        } else {
            Quality::default()
        };
        let announce_interval = pick(&mut rng, &[0, 0, 0, 1, 7, 20]);
        let mut numbers: Vec<u8> = (1..=20).collect();
        for index in 0..numbers.len() {
            let other = rng.below(numbers.len() as u64) as usize;
            numbers.swap(index, other);
        }
        Self {
            rng,
            hosts,
            segments,
            version,
            family,
            interval,
            pace,
            quality,
            slowest: quality.slowest(),
            announce_interval: Duration::from_millis(announce_interval),
            numbers,
        }
    }

    fn length(&mut self) -> Duration {
        let intervals = self.rng.within(16, 60);
        let wanted = self.interval * intervals;
        wanted
            .max(Duration::from_secs(6))
            .min(Duration::from_secs(18))
    }

    fn host(&mut self, host: usize, instances: &[InstanceSpec]) -> HostSpec {
        let name = char::from(b'a' + host as u8).to_string();
        let at_once = self.rng.chance(1, 2);
        let start = if at_once {
            0
        } else {
            self.rng.below(2_000_000)
        };
        HostSpec {
            bound: bind_all(&name, instances),
            variants: Vec::new(),
            name,
            number: self.numbers[host],
            start: Some(Instant::from_micros(start)),
            clock: SimClock {
                offset: Duration::from_micros(self.rng.below(1_000_000_000_000)),
                drift_ppm: self.rng.below(401) as i32 - 200,
            },
            detects_duplicates: self.family == Family::V6 && self.rng.chance(1, 5),
        }
    }

    /// The instances of each host: one or two virtual routers, on one segment or two.
    fn instances(&mut self) -> Vec<Vec<InstanceSpec>> {
        let routers = if self.segments == 2 || self.rng.chance(1, 4) {
            2
        } else {
            1
        };
        let mut all = vec![Vec::new(); self.hosts];
        for router in 0..routers {
            let segment = router % self.segments;
            let specs = self.router(router, segment);
            for (host, spec) in specs.into_iter().enumerate() {
                all[host].push(spec);
            }
        }
        all
    }

    fn router(&mut self, router: usize, segment: usize) -> Vec<InstanceSpec> {
        let priorities = self.priorities();
        let preempts = self.preempts();
        let delay = if self.rng.chance(1, 8) {
            Duration::from_millis(self.rng.within(200, 2_000))
        } else {
            Duration::ZERO
        };
        let vips = self.vips(router, segment);
        let unicast = self.rng.chance(3, 10);
        let own = |number: u8| match self.family {
            Family::V4 => address_v4(segment, number),
            Family::V6 => address_global(segment, number),
        };
        let addresses: Vec<IpAddr> = self.numbers[..self.hosts].iter().map(|n| own(*n)).collect();
        let garp = self.garp();
        let lower_prio_no_advert = self.rng.chance(1, 10);
        let higher_prio_send_advert = self.rng.chance(1, 10);
        let differing = self.version == Version::V3 && self.rng.chance(1, 6);
        (0..self.hosts)
            .map(|host| {
                let owner = priorities[host] == 255;
                let preempt = preempts[host] || owner;
                let peers = addresses.iter().copied().filter(|a| *a != addresses[host]);
                let factor = if differing { self.rng.within(1, 3) } else { 1 };
                InstanceSpec {
                    name: format!("VI_{}", router + 1),
                    segment,
                    vrid: 51 + router as u8,
                    priority: priorities[host],
                    version: self.version,
                    family: self.family,
                    interval: self.interval * factor,
                    preempt,
                    preempt_delay: if preempt && !owner {
                        delay
                    } else {
                        Duration::ZERO
                    },
                    vips: vips.clone(),
                    unicast: unicast.then(|| (addresses[host], peers.collect())),
                    garp: garp.clone(),
                    announce_interval: self.announce_interval,
                    lower_prio_no_advert,
                    higher_prio_send_advert,
                }
            })
            .collect()
    }

    fn priorities(&mut self) -> Vec<u8> {
        let any = |rng: &mut Rng| rng.within(1, 254) as u8;
        let style = self.rng.below(10);
        let same = any(&mut self.rng);
        let mut all: Vec<u8> = (0..self.hosts)
            .map(|host| match style {
                0..3 => same,
                3..5 if host % 2 == 0 => same,
                _ => any(&mut self.rng),
            })
            .collect();
        if style == 9 {
            let owner = self.rng.below(self.hosts as u64) as usize;
            all[owner] = 255;
        }
        all
    }

    fn preempts(&mut self) -> Vec<bool> {
        let style = self.rng.below(10);
        (0..self.hosts)
            .map(|_| match style {
                0..6 => true,
                6..8 => false,
                _ => self.rng.chance(1, 2),
            })
            .collect()
    }

    fn vips(&mut self, router: usize, segment: usize) -> Vec<(IpAddr, u8)> {
        let count = self.rng.within(1, 3);
        let whole = self.rng.chance(1, 2);
        (0..count)
            .map(|index| {
                let last = 100 + 10 * router as u8 + index as u8;
                match self.family {
                    Family::V4 => (address_v4(segment, last), if whole { 32 } else { 24 }),
                    Family::V6 if index == 0 => {
                        let addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(last));
                        (addr.into(), if whole { 128 } else { 64 })
                    }
                    Family::V6 => (address_global(segment, last), if whole { 128 } else { 64 }),
                }
            })
            .collect()
    }

    fn garp(&mut self) -> GarpConfig {
        GarpConfig {
            master_delay: Duration::from_secs(self.rng.below(3)),
            master_repeat: self.rng.within(1, 5) as u32,
            refresh: Duration::from_secs(if self.rng.chance(1, 5) { 1 } else { 0 }),
            refresh_repeat: 1,
            lower_prio_delay: Duration::from_secs(self.rng.below(2)),
            lower_prio_repeat: self.rng.below(4) as u32,
        }
    }

    fn schedule(&mut self, end: Instant) -> Vec<Planned> {
        let chosen: Vec<Kind> = KINDS
            .into_iter()
            .filter(|_| self.rng.chance(2, 5))
            .collect();
        let episodes = self.rng.below(10) as u32;
        let mut schedule = Vec::new();
        for episode in 0..episodes {
            let Some(kind) = self.rng.pick(&chosen).copied() else {
                break;
            };
            let begin = self
                .rng
                .within(0, end.as_micros().saturating_sub(1_000_000));
            let longest = (end.as_micros() - begin).max(2_000);
            let span = self.span().min(longest - 1_000);
            let begin = Instant::from_micros(begin);
            let until = begin + Duration::from_micros(span);
            for (at, fault) in self.episode(kind, begin, until) {
                schedule.push(Planned { at, fault, episode });
            }
        }
        schedule.sort_by_key(|planned| planned.at);
        schedule
    }

    /// How long an episode lasts: often shorter than an interval, often longer than a
    /// master-down interval.
    fn span(&mut self) -> u64 {
        let interval = self.interval.as_micros();
        match self.rng.below(4) {
            0 => self.rng.within(1_000, interval),
            1 => self.rng.within(interval, 4 * interval),
            _ => self.rng.within(3 * interval, 14 * interval),
        }
    }

    /// A host sleeps; now and then so does another one, and now and then bad packets fill the socket of
    /// the sleeper, so that what is sent to it is lost.
    fn freezes(
        &mut self,
        host: usize,
        other: usize,
        at: Instant,
        until: Instant,
    ) -> Vec<(Instant, Fault)> {
        let mut faults = vec![
            (at, Fault::Freeze { host, on: true }),
            (until, Fault::Freeze { host, on: false }),
        ];
        if self.rng.chance(1, 4) {
            // More than a socket holds.
            let count = SOCKET_BUFFER as u32 + 44;
            faults.insert(1, (at, Fault::Noise { host, count }));
        }
        if self.rng.chance(1, 6) {
            let quarter = Duration::from_micros(until.since(at).as_micros() / 4);
            let wakes = at + quarter * self.rng.within(1, 4);
            let host = other;
            faults.push((at, Fault::Freeze { host, on: true }));
            faults.push((wakes, Fault::Freeze { host, on: false }));
        }
        faults
    }

    /// Bursts of bad packets all through the episode.
    fn noise(&mut self, host: usize, at: Instant, until: Instant) -> Vec<(Instant, Fault)> {
        let step = Duration::from_micros(until.since(at).as_micros() / 8);
        let burst = |n: u64| (at + step * n, Fault::Noise { host, count: 5 });
        (0..8).map(burst).collect()
    }

    /// What the overrun loses is what happened in the same instant.
    fn overrun(&mut self, host: usize, at: Instant) -> Vec<(Instant, Fault)> {
        let taken = self.rng.chance(1, 2).then_some((at, Fault::Take { host }));
        let overrun = (at, Fault::Overrun { host });
        taken.into_iter().chain([overrun]).collect()
    }

    /// One or several replacements; some in one instant, some with what tells of them lost.
    fn replacements(
        &mut self,
        host: usize,
        segment: usize,
        (at, until): (Instant, Instant),
    ) -> Vec<(Instant, Fault)> {
        let replace = changed(host, segment, LinkChange::Replace);
        let mut all = vec![(at, replace.clone())];
        if self.rng.chance(1, 3) {
            all.push((at, replace.clone()));
        }
        if self.rng.chance(1, 3) {
            all.push((at, Fault::Overrun { host }));
        }
        if self.rng.chance(1, 3) {
            all.push((until, replace));
        }
        all
    }

    /// The carrier comes and goes, sometimes twice in one instant.
    fn flaps(
        &mut self,
        host: usize,
        segment: usize,
        (at, until): (Instant, Instant),
    ) -> Vec<(Instant, Fault)> {
        let step = until.since(at).as_micros() / 8;
        let quick = self.rng.chance(1, 3);
        let toggles = (0..8).map(|n| {
            let plugged = n % 2 == 1;
            let after = if quick { n / 2 * 2 * step } else { n * step };
            let cable = Fault::Cable {
                host,
                segment,
                plugged,
            };
            (at + Duration::from_micros(after), cable)
        });
        toggles.collect()
    }

    fn refusals(&mut self, at: Instant, host: usize, what: Refusal) -> Vec<(Instant, Fault)> {
        let errno = pick(&mut self.rng, &[Errno::EPERM, Errno(105)]);
        let count = self.rng.within(1, 4) as usize;
        vec![(at, Fault::Refuse { host, what, errno }); count]
    }

    fn episode(&mut self, kind: Kind, at: Instant, until: Instant) -> Vec<(Instant, Fault)> {
        let host = self.rng.below(self.hosts as u64) as usize;
        let other = (host + 1 + self.rng.below(self.hosts as u64 - 1) as usize) % self.hosts;
        let segment = self.rng.below(self.segments as u64) as usize;
        let start = Fault::Start { host };
        let crash = |power, after| Fault::Crash { host, power, after };
        let cut = |to: usize, both, on| Fault::Cut {
            segment,
            from: Station::Host(host),
            to: Station::Host(to),
            both,
            on,
        };
        match kind {
            Kind::CrashBetween => {
                let after = Some(self.rng.within(1, 14) as u32);
                let power = self.rng.chance(1, 4);
                vec![(at, crash(power, after)), (until, start)]
            }
            Kind::Crash | Kind::PowerOff => {
                vec![(at, crash(kind == Kind::PowerOff, None)), (until, start)]
            }
            Kind::Stop => {
                let until = until.max(at + Duration::from_millis(600));
                vec![(at, Fault::Stop { host }), (until, start)]
            }
            Kind::Freeze => self.freezes(host, other, at, until),
            Kind::Cut | Kind::OneWay => {
                let [begin, end] = [true, false].map(|on| cut(other, kind == Kind::Cut, on));
                vec![(at, begin), (until, end)]
            }
            Kind::Isolate => (0..self.hosts)
                .filter(|peer| *peer != host)
                .flat_map(|peer| [(at, cut(peer, true, true)), (until, cut(peer, true, false))])
                .collect(),
            Kind::Cable | Kind::Admin | Kind::Interface => {
                let [begin, end] = [false, true].map(|on| link_fault(kind, host, segment, on));
                vec![(at, begin), (until, end)]
            }
            Kind::Quality => {
                let bad = draw_quality(&mut self.rng, self.interval, 950);
                self.slowest = self.slowest.max(bad.slowest());
                [(at, bad), (until, self.quality)]
                    .map(|(at, quality)| (at, Fault::Quality { segment, quality }))
                    .to_vec()
            }
            Kind::RefuseOrder => self.refusals(at, host, Refusal::Order),
            Kind::RefuseSend => self.refusals(at, host, Refusal::Send),
            Kind::Take => vec![(at, Fault::Take { host })],
            Kind::Overrun => self.overrun(host, at),
            Kind::Give => vec![(at, Fault::Give { host })],
            Kind::Noise => self.noise(host, at, until),
            Kind::Replace => self.replacements(host, segment, (at, until)),
            Kind::Flap => self.flaps(host, segment, (at, until)),
            Kind::Rename | Kind::Lose | Kind::Retell => {
                let [begin, end] = both_ends(kind).map(|it| changed(host, segment, it));
                vec![(at, begin), (until, end)]
            }
            Kind::RefuseSocket => {
                let (what, errno) = (Refusal::Socket, Errno::EPERM);
                let refuse = Fault::Refuse { host, what, errno };
                vec![(at, crash(false, None)), (until, start), (until, refuse)]
            }
        }
    }
}

fn both_ends(kind: Kind) -> [LinkChange; 2] {
    match kind {
        Kind::Rename => [LinkChange::Rename, LinkChange::RenameBack],
        Kind::Lose => [LinkChange::Lose, LinkChange::Regain],
        _ => [LinkChange::Retell, LinkChange::Retell],
    }
}

fn changed(host: usize, segment: usize, change: LinkChange) -> Fault {
    Fault::Link {
        host,
        segment,
        change,
    }
}

fn link_fault(kind: Kind, host: usize, segment: usize, on: bool) -> Fault {
    let (up, plugged, there) = (on, on, on);
    match kind {
        Kind::Admin => Fault::Admin { host, segment, up },
        Kind::Interface => Fault::Interface {
            host,
            segment,
            there,
        },
        _ => Fault::Cable {
            host,
            segment,
            plugged,
        },
    }
}

fn pick<T: Copy>(rng: &mut Rng, items: &[T]) -> T {
    items[rng.below(items.len() as u64) as usize]
}

/// Hosts that are quick, or as slow as an interval of that length allows.
fn draw_pace(rng: &mut Rng, interval: Duration) -> Pace {
    if rng.chance(3, 5) {
        return Pace::default();
    }
    let most = interval.as_micros() / 40;
    Pace {
        order: Duration::from_micros(rng.within(50, most.min(3_000))),
        wake: Duration::from_micros(rng.within(50, most)),
    }
}

fn draw_quality(rng: &mut Rng, interval: Duration, most_loss: u64) -> Quality {
    let mut quality = Quality::default();
    if rng.chance(3, 4) {
        quality.loss = rng.within(10, most_loss) as u16;
    }
    if rng.chance(1, 3) {
        quality.duplicate = rng.within(10, 300) as u16;
    }
    if rng.chance(1, 3) {
        quality.corrupt = rng.within(10, 200) as u16;
    }
    if rng.chance(1, 3) {
        quality.reorder = rng.within(10, 300) as u16;
        quality.reorder_by = Duration::from_micros(interval.as_micros() * 3 / 2);
    }
    if rng.chance(1, 3) {
        quality.spread = Duration::from_micros(rng.below(interval.as_micros() / 4));
    }
    quality
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_trial() {
        for seed in 0..50 {
            assert_eq!(draw(seed).schedule, draw(seed).schedule);
            assert_eq!(draw(seed).instances, draw(seed).instances);
        }
    }

    #[test]
    fn the_seeds_cover_what_they_should() {
        let trials: Vec<Trial> = (0..400).map(draw).collect();
        let any = |test: fn(&InstanceSpec) -> bool| {
            trials
                .iter()
                .flat_map(|t| t.instances.iter().flatten())
                .any(test)
        };
        assert!(any(|i| i.version == Version::V2));
        assert!(any(|i| i.family == Family::V6 && i.unicast.is_some()));
        assert!(any(|i| i.family == Family::V6 && i.unicast.is_none()));
        assert!(any(|i| !i.preempt));
        assert!(any(|i| i.priority == 255));
        assert!(any(|i| !i.preempt_delay.is_zero()));
        assert!(any(|i| !i.announce_interval.is_zero()));
        assert!(any(|i| i.lower_prio_no_advert && i.higher_prio_send_advert));
        assert!(trials.iter().any(|t| t.spec.hosts.len() == 4));
        assert!(trials.iter().any(|t| t.spec.segments.len() == 2));
        assert!(trials.iter().any(|t| t.schedule.is_empty()));
        let faults = || trials.iter().flat_map(|t| &t.schedule);
        assert!(faults().any(|p| matches!(p.fault, Fault::Take { .. })));
        assert!(
            trials
                .iter()
                .all(|t| t.schedule.iter().all(|p| p.at < t.heal_at))
        );
    }
}
