//! Who belongs to which virtual router: the table that the checks look things up in.

use std::net::IpAddr;

use relevo_core::config::bound::{Bound, InstanceConfig};
use relevo_core::ids::{Family, IfIndex, InstanceId, Version};
use relevo_core::kernel::AddressKey;
use relevo_core::time::Duration;

use crate::spec::{self, Variant, WorldSpec};

/// One host's part in one virtual router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The host, by position.
    pub host: usize,
    /// Which of the host's instances.
    pub instance: InstanceId,
    /// It is in the configuration of its host.
    pub present: bool,
    /// The virtual router, by position.
    pub router: usize,
    /// Base priority.
    pub priority: u8,
    /// Takes over from lower priorities.
    pub preempts: bool,
    /// Waits this long before it does.
    pub preempt_delay: Duration,
    /// Its advert interval.
    pub interval: Duration,
    /// Its protocol version.
    pub version: Version,
    /// Its interface's state counts.
    pub tracks_interface: bool,
    /// As master it answers lower priorities.
    pub answers_lower: bool,
    /// Adverts that it may miss.
    pub adverts: u8,
    /// The source of its adverts, which decides ties.
    pub address: IpAddr,
    /// Its interface.
    pub ifindex: IfIndex,
    /// The virtual addresses, excluded ones too.
    pub vips: Vec<AddressKey>,
}

impl Member {
    /// The skew time, with the arithmetic of the original, for adverts every `interval`.
    pub fn skew(&self, interval: Duration) -> Duration {
        let below = 256 - u64::from(self.priority);
        Duration::from_micros(match self.version {
            Version::V2 => below * 1_000_000 / 256,
            Version::V3 => below * interval.as_centis() * 625 / 16,
        })
    }

    /// The master-down interval for adverts every `interval`.
    pub fn master_down(&self, interval: Duration) -> Duration {
        interval * u64::from(self.adverts) + self.skew(interval)
    }

    /// What decides between two masters: the greater wins.
    pub fn claim(&self) -> (u8, IpAddr) {
        (self.priority, self.address)
    }
}

/// One virtual router: everybody with its identifier in its family on its segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Router {
    /// The segment.
    pub segment: usize,
    /// The family.
    pub family: Family,
    /// Virtual router identifier.
    pub vrid: u8,
    /// Its members, by position.
    pub members: Vec<usize>,
}

/// All virtual routers and their members.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cluster {
    /// The members.
    pub members: Vec<Member>,
    /// The virtual routers.
    pub routers: Vec<Router>,
    by_host: Vec<Vec<usize>>,
    /// The same at the beginning, with every member.
    of_host: Vec<Vec<usize>>,
}

impl Cluster {
    /// The table for `world`. Instances on interfaces that do not exist are an error.
    pub fn new(world: &WorldSpec) -> Result<Self, String> {
        let mut cluster = Self::default();
        for (host, spec) in world.hosts.iter().enumerate() {
            let mut own = Vec::new();
            for (instance, config) in spec.bound.iter() {
                let segment = (0..world.segments.len())
                    .find(|segment| spec::interface(*segment) == config.interface)
                    .ok_or_else(|| {
                        format!(
                            "host {}: there is no interface {}",
                            spec.name, config.interface
                        )
                    })?;
                let router = cluster.router(segment, config);
                let position = cluster.members.len();
                let member = member(host, instance, router, segment, spec.number, config);
                cluster.members.push(member);
                cluster.routers[router].members.push(position);
                own.push(position);
            }
            cluster.by_host.push(own);
        }
        cluster.of_host.clone_from(&cluster.by_host);
        Ok(cluster)
    }

    /// `host` works by another configuration: each of its instances is one that the host had at
    /// the beginning.
    pub fn reconfigure(&mut self, host: usize, number: u8, variant: &Variant) {
        let all = self.of_host[host].clone();
        for &position in &all {
            self.members[position].present = false;
        }
        let order = variant.order.iter().map(|first| all[*first]);
        self.by_host[host] = order.collect();
        for ((instance, config), position) in variant.bound.iter().zip(&self.by_host[host]) {
            let router = self.members[*position].router;
            let segment = self.routers[router].segment;
            self.members[*position] = member(host, instance, router, segment, number, config);
        }
    }

    /// Every member that `host` has in some configuration.
    pub fn ever_on_host(&self, host: usize) -> &[usize] {
        self.of_host.get(host).map_or(&[], Vec::as_slice)
    }

    /// The member that `instance` of `host` is.
    pub fn member_of(&self, host: usize, instance: InstanceId) -> Option<usize> {
        self.by_host.get(host)?.get(instance.0 as usize).copied()
    }

    /// The members on `host`, in the order of its instances.
    pub fn on_host(&self, host: usize) -> &[usize] {
        self.by_host.get(host).map_or(&[], Vec::as_slice)
    }

    /// The member of `router` on `host`.
    pub fn on_host_in(&self, host: usize, router: usize) -> Option<usize> {
        self.on_host(host)
            .iter()
            .copied()
            .find(|member| self.members[*member].router == router)
    }

    /// The longest advert interval within `router`.
    pub fn slowest_interval(&self, router: usize) -> Duration {
        self.routers[router]
            .members
            .iter()
            .map(|member| self.members[*member].interval)
            .max()
            .unwrap_or(Duration::ZERO)
    }

    /// The shortest advert interval within `router`.
    pub fn quickest_interval(&self, router: usize) -> Duration {
        self.routers[router]
            .members
            .iter()
            .map(|member| self.members[*member].interval)
            .min()
            .unwrap_or(Duration::ZERO)
    }

    /// Pairs of members of one virtual router, each in both orders.
    pub fn pairs(&self) -> Vec<(usize, usize)> {
        let of = |router: &Router| {
            let all = router.members.clone();
            let mut pairs = Vec::new();
            for &a in &all {
                pairs.extend(all.iter().filter(|b| **b != a).map(|b| (a, *b)));
            }
            pairs
        };
        self.routers.iter().flat_map(of).collect()
    }

    fn router(&mut self, segment: usize, config: &InstanceConfig) -> usize {
        let same = |router: &Router| {
            router.segment == segment
                && router.family == config.family
                && router.vrid == config.vrid
        };
        self.routers.iter().position(same).unwrap_or_else(|| {
            self.routers.push(Router {
                segment,
                family: config.family,
                vrid: config.vrid,
                members: Vec::new(),
            });
            self.routers.len() - 1
        })
    }
}

fn member(
    host: usize,
    instance: InstanceId,
    router: usize,
    segment: usize,
    number: u8,
    config: &InstanceConfig,
) -> Member {
    let own = match config.family {
        Family::V4 => spec::address_v4(segment, number),
        Family::V6 => spec::address_link_local(number),
    };
    let all = config.addresses.iter().chain(&config.excluded);
    let vips = all
        .map(|vip| AddressKey {
            ifindex: interface_number(vip.dev.as_deref()).unwrap_or(spec::ifindex(segment)),
            addr: vip.addr,
            prefix: vip.prefix,
        })
        .collect();
    Member {
        host,
        instance,
        present: true,
        router,
        priority: config.priority,
        preempts: config.preempt || config.is_owner(),
        preempt_delay: config.preempt_delay,
        interval: config.advert_interval,
        version: config.version,
        tracks_interface: !config.dont_track_primary,
        answers_lower: !config.lower_prio_no_advert,
        adverts: config.down_timer_adverts,
        address: config.source.unwrap_or(own),
        ifindex: spec::ifindex(segment),
        vips,
    }
}

fn interface_number(dev: Option<&str>) -> Option<IfIndex> {
    let segment = dev?.strip_prefix("eth")?.parse().ok()?;
    Some(spec::ifindex(segment))
}

/// The name of `instance` in `bound`, for people.
pub fn instance_name(bound: &Bound, instance: InstanceId) -> &str {
    bound
        .instances
        .get(instance.0 as usize)
        .map_or("?", |config| config.name.as_str())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A member for tests: host `host`, alone but for its position.
    pub(crate) fn plain_member(host: usize, priority: u8) -> Member {
        Member {
            host,
            instance: InstanceId(0),
            present: true,
            router: 0,
            priority,
            preempts: true,
            preempt_delay: Duration::ZERO,
            interval: Duration::from_secs(1),
            version: Version::V3,
            tracks_interface: true,
            answers_lower: true,
            adverts: 3,
            address: spec::address_v4(0, host as u8 + 1),
            ifindex: spec::ifindex(0),
            vips: vec![AddressKey {
                ifindex: spec::ifindex(0),
                addr: [10, 0, 0, 100].into(),
                prefix: 24,
            }],
        }
    }

    /// One virtual router with one member on each host.
    pub(crate) fn one_router(members: Vec<Member>) -> Cluster {
        let positions: Vec<usize> = (0..members.len()).collect();
        Cluster {
            by_host: positions.iter().map(|p| vec![*p]).collect(),
            of_host: positions.iter().map(|p| vec![*p]).collect(),
            members,
            routers: vec![Router {
                segment: 0,
                family: Family::V4,
                vrid: 51,
                members: positions,
            }],
        }
    }

    #[test]
    fn timers_have_the_originals_arithmetic() {
        let member = plain_member(0, 100);
        let second = Duration::from_secs(1);
        assert_eq!(member.master_down(second).as_micros(), 3_609_375);
        let v2 = Member {
            version: Version::V2,
            priority: 103,
            ..member
        };
        assert_eq!(v2.master_down(second).as_micros(), 3_597_656);
    }

    #[test]
    fn the_greater_priority_then_the_greater_address_has_the_better_claim() {
        let [a, b] = [plain_member(0, 100), plain_member(1, 100)];
        assert!(b.claim() > a.claim());
        assert!(plain_member(0, 101).claim() > b.claim());
    }

    #[test]
    fn pairs_are_directed() {
        let cluster = one_router(vec![plain_member(0, 100), plain_member(1, 90)]);
        assert_eq!(cluster.pairs(), [(0, 1), (1, 0)]);
        assert_eq!(cluster.on_host_in(1, 0), Some(1));
        assert_eq!(cluster.member_of(5, InstanceId(0)), None);
    }
}
