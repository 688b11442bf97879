//! Draws other configurations for the hosts of a world, and when they are given to them.

use std::net::{IpAddr, Ipv6Addr};

use relevo_core::ids::Family;
use relevo_core::rng::Rng;
use relevo_core::time::{Duration, Instant};

use crate::faults::{Fault, Planned};
use crate::spec::{InstanceSpec, Variant, address_global, address_v4, bind_all};
use crate::swarm::Trial;

/// A sequence of numbers of its own: the rest of a world is the same with reloads and without.
const DRAW: u64 = 0x3e10_ad3e_10ad_3e10;

/// Other configurations of each host.
const VARIANTS: u64 = 3;

/// Gives every third world reloads at random moments.
pub(crate) fn add_reloads(trial: &mut Trial, end: Instant) {
    let mut rng = Rng::new(trial.seed ^ DRAW);
    if !rng.chance(1, 3) {
        return;
    }
    for (host, instances) in trial.spec.hosts.iter_mut().zip(&trial.instances) {
        for _ in 0..VARIANTS {
            host.variants.push(variant(&mut rng, &host.name, instances));
        }
    }
    let hosts = trial.spec.hosts.len() as u64;
    let next = trial.schedule.iter().map(|planned| planned.episode + 1);
    let first = next.max().unwrap_or(0);
    for episode in first..first + rng.within(1, 8) as u32 {
        let at = Instant::from_micros(rng.within(0, end.as_micros()));
        let host = rng.below(hosts) as usize;
        let variant = rng.below(VARIANTS + 1) as usize;
        let fault = Fault::Reload { host, variant };
        trial.schedule.push(Planned { at, fault, episode });
        if rng.chance(1, 4) {
            // In the middle of it something else happens.
            let at = at + Duration::from_micros(rng.below(3_000));
            let after = Some(rng.within(1, 12) as u32);
            let fault = match rng.below(3) {
                0 => Fault::Crash {
                    host,
                    power: false,
                    after,
                },
                1 => Fault::Overrun { host },
                _ => Fault::Reload {
                    host,
                    variant: rng.below(VARIANTS + 1) as usize,
                },
            };
            let crashes = matches!(fault, Fault::Crash { .. });
            trial.schedule.push(Planned { at, fault, episode });
            if crashes {
                let at = at + Duration::from_micros(rng.within(1_000, 4_000_000));
                // Before everything heals.
                let at = at.min(end + Duration::from_millis(100));
                let fault = Fault::Start { host };
                trial.schedule.push(Planned { at, fault, episode });
            }
        }
    }
    trial.schedule.sort_by_key(|planned| planned.at);
}

fn variant(rng: &mut Rng, name: &str, instances: &[InstanceSpec]) -> Variant {
    let mut numbered: Vec<(usize, InstanceSpec)> = instances.iter().cloned().enumerate().collect();
    if rng.chance(1, 4) && !numbered.is_empty() {
        // Now and then the only one.
        numbered.remove(rng.below(numbered.len() as u64) as usize);
    }
    if rng.chance(1, 2) {
        numbered.reverse();
    }
    for (number, spec) in &mut numbered {
        change(rng, *number, spec);
    }
    if rng.chance(1, 3)
        && let [(_, one), (_, other)] = numbered.as_mut_slice()
        && one.segment == other.segment
        && one.vips.len() > 1
        && let Some(moved) = one.vips.pop()
    {
        other.vips.push(moved);
    }
    let (order, specs): (Vec<usize>, Vec<InstanceSpec>) = numbered.into_iter().unzip();
    Variant {
        bound: bind_all(name, &specs),
        order,
    }
}

fn change(rng: &mut Rng, number: usize, spec: &mut InstanceSpec) {
    if rng.chance(1, 4) {
        spec.name = format!("renamed_{}", rng.below(3) * 10 + number as u64);
    }
    if rng.chance(1, 3) && spec.vips.len() > 1 {
        spec.vips.pop();
    }
    if rng.chance(1, 2) {
        let last = 150 + 10 * number as u8 + rng.below(2) as u8;
        let addr: IpAddr = match spec.family {
            Family::V4 => address_v4(spec.segment, last),
            Family::V6 => address_global(spec.segment, last),
        };
        let prefix = spec.vips.first().map_or(32, |(_, prefix)| *prefix);
        spec.vips.push((addr, prefix));
    }
    if rng.chance(1, 6) && spec.family == Family::V6 {
        let addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 190 + number as u16);
        spec.vips.insert(0, (addr.into(), 128));
    }
    if rng.chance(1, 3) && spec.priority != 255 {
        spec.priority = rng.within(1, 254) as u8;
    }
    if rng.chance(1, 3) {
        spec.garp.master_repeat = rng.within(1, 5) as u32;
        spec.garp.refresh = Duration::from_secs(rng.below(2));
    }
    if rng.chance(1, 5) {
        spec.announce_interval = Duration::from_millis(rng.below(20));
    }
}
