//! What a world is made of, before it runs: segments, hosts with their virtual routers, clients.
//!
//! Host number `n` has on segment `s` the interface `eth<s>` with number `2 + s`, the addresses
//! `10.<s>.0.<n>/24`, `fe80::<n>/64` and `2001:db8:<s>::<n>/64`, and a hardware address that names
//! both. Numbers, not positions, decide who wins a tie.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use relevo_core::config::bound::{
    Bound, Destination, GarpConfig, Global, InstanceConfig, VirtualAddress,
};
use relevo_core::ids::{Family, IfIndex, Version};
use relevo_core::kernel::AddressKey;
use relevo_core::time::{Duration, Instant};

use crate::clock::SimClock;
use crate::kernel::LinkRow;
use crate::link::Quality;

/// The number of the interface on the first segment.
const FIRST_IFINDEX: u32 = 2;

/// A whole world.
#[derive(Clone, Debug)]
pub struct WorldSpec {
    /// The segments' qualities.
    pub segments: Vec<Quality>,
    /// The hosts.
    pub hosts: Vec<HostSpec>,
    /// The clients.
    pub clients: Vec<ClientSpec>,
    /// How fast hosts are.
    pub pace: Pace,
    /// The longest time that an advert may travel at any time of the run.
    pub slowest: Duration,
}

/// How long the parts of a host take.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Pace {
    /// The kernel carries out one order in at most this.
    pub order: Duration,
    /// A process wakes up at most this late.
    pub wake: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            order: Duration::from_micros(200),
            wake: Duration::from_micros(60),
        }
    }
}

/// One host.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Its name.
    pub name: String,
    /// Its number, 1..=254, different for each host.
    pub number: u8,
    /// When its daemon first starts, if at all.
    pub start: Option<Instant>,
    /// Its clock.
    pub clock: SimClock,
    /// Its configuration.
    pub bound: Arc<Bound>,
    /// Configurations that it may be given while it runs.
    pub variants: Vec<Variant>,
    /// Its kernel detects duplicate IPv6 addresses, which takes a second.
    pub detects_duplicates: bool,
}

/// Another configuration of a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variant {
    /// The configuration.
    pub bound: Arc<Bound>,
    /// Which instance of the first configuration each of its instances is.
    pub order: Vec<usize>,
}

impl HostSpec {
    /// Configuration number `variant`; 0 is the first one.
    pub fn variant(&self, variant: usize) -> Option<Variant> {
        if variant > 0 {
            return self.variants.get(variant - 1).cloned();
        }
        Some(Variant {
            bound: Arc::clone(&self.bound),
            order: (0..self.bound.instances.len()).collect(),
        })
    }
}

/// One client.
#[derive(Clone, Debug)]
pub struct ClientSpec {
    /// Its name.
    pub name: String,
    /// The segment it is on.
    pub segment: usize,
    /// How often it sends a packet to each virtual address.
    pub ping: Duration,
}

/// One virtual router as a host has it configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstanceSpec {
    /// Its name.
    pub name: String,
    /// The segment it works on.
    pub segment: usize,
    /// Virtual router identifier.
    pub vrid: u8,
    /// Base priority.
    pub priority: u8,
    /// Protocol version.
    pub version: Version,
    /// Family of its adverts and addresses.
    pub family: Family,
    /// Advert interval.
    pub interval: Duration,
    /// False with `nopreempt`.
    pub preempt: bool,
    /// `preempt_delay`.
    pub preempt_delay: Duration,
    /// The virtual addresses with their prefix lengths.
    pub vips: Vec<(IpAddr, u8)>,
    /// The own address and the peers', for unicast.
    pub unicast: Option<(IpAddr, Vec<IpAddr>)>,
    /// Announcements.
    pub garp: GarpConfig,
    /// Between two announcements out of one interface, of the whole host; zero for none.
    pub announce_interval: Duration,
    /// `lower_prio_no_advert`.
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`.
    pub higher_prio_send_advert: bool,
}

/// The interface's number on `segment`.
pub fn ifindex(segment: usize) -> IfIndex {
    IfIndex(FIRST_IFINDEX + segment as u32)
}

/// The segment that an interface number stands for.
pub fn segment_of(ifindex: IfIndex) -> Option<usize> {
    ifindex.0.checked_sub(FIRST_IFINDEX).map(|n| n as usize)
}

/// The interface's name on `segment`.
pub fn interface(segment: usize) -> String {
    format!("eth{segment}")
}

/// The hardware address of host `number` on `segment`.
pub fn mac(segment: usize, number: u8) -> [u8; 6] {
    [2, 0, 0, 0, segment as u8, number]
}

/// The host number in a hardware address made by [`mac`].
pub fn number_of(mac: [u8; 6]) -> Option<u8> {
    matches!(mac, [2, 0, 0, 0, _, _]).then_some(mac[5])
}

/// The IPv4 address of host `number` on `segment`.
pub fn address_v4(segment: usize, number: u8) -> IpAddr {
    Ipv4Addr::new(10, segment as u8, 0, number).into()
}

/// The link-local address of host `number`, the same on every segment.
pub fn address_link_local(number: u8) -> IpAddr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(number)).into()
}

/// The global IPv6 address of host `number` on `segment`.
pub fn address_global(segment: usize, number: u8) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, segment as u16, 0, 0, 0, 0, u16::from(number)).into()
}

impl HostSpec {
    /// Its links, all up.
    pub fn links(&self, segments: usize) -> Vec<LinkRow> {
        (0..segments)
            .map(|segment| LinkRow {
                ifindex: ifindex(segment),
                name: interface(segment),
                mac: mac(segment, self.number),
                admin_up: true,
                carrier: true,
            })
            .collect()
    }

    /// Its own addresses.
    pub fn addresses(&self, segments: usize) -> Vec<AddressKey> {
        let on = |segment: usize| {
            [
                (address_v4(segment, self.number), 24),
                (address_link_local(self.number), 64),
                (address_global(segment, self.number), 64),
            ]
            .map(|(addr, prefix)| AddressKey {
                ifindex: ifindex(segment),
                addr,
                prefix,
            })
        };
        (0..segments).flat_map(on).collect()
    }
}

impl InstanceSpec {
    /// The bound configuration that [`conf_text`] would give.
    pub fn bind(&self) -> InstanceConfig {
        let addresses = self
            .vips
            .iter()
            .map(|&(addr, prefix)| VirtualAddress::new(addr, prefix));
        let plain = InstanceConfig::new(
            &self.name,
            &interface(self.segment),
            self.version,
            self.vrid,
            addresses.collect(),
        );
        InstanceConfig {
            family: self.family,
            priority: self.priority,
            state_master: self.priority == 255,
            advert_interval: self.interval,
            preempt: self.preempt,
            preempt_delay: self.preempt_delay,
            source: self.unicast.as_ref().map(|(own, _)| *own),
            destination: match &self.unicast {
                Some((_, peers)) => Destination::Unicast(peers.clone()),
                None => plain.destination.clone(),
            },
            garp: self.garp.clone(),
            lower_prio_no_advert: self.lower_prio_no_advert,
            higher_prio_send_advert: self.higher_prio_send_advert,
            ..plain
        }
    }

    /// The block of a configuration file; `extra` lines go in as they are.
    pub fn conf_text(&self, extra: &[String]) -> String {
        let mut lines = Vec::new();
        if !self.announce_interval.is_zero() {
            lines.push("global_defs {".into());
            for word in ["vrrp_garp_interval", "vrrp_gna_interval"] {
                lines.push(format!("    {word} {}", self.announce_interval));
            }
            lines.push("}".into());
        }
        lines.extend([
            format!("vrrp_instance {} {{", self.name),
            format!("    version {}", self.version.number()),
            format!("    interface {}", interface(self.segment)),
            format!("    virtual_router_id {}", self.vrid),
            format!("    priority {}", self.priority),
            format!("    advert_int {}", self.interval),
        ]);
        if !self.preempt {
            lines.push("    nopreempt".into());
        }
        for (word, on) in [
            ("lower_prio_no_advert", self.lower_prio_no_advert),
            ("higher_prio_send_advert", self.higher_prio_send_advert),
        ] {
            if on {
                lines.push(format!("    {word}"));
            }
        }
        if !self.preempt_delay.is_zero() {
            lines.push(format!("    preempt_delay {}", self.preempt_delay));
        }
        if let Some((own, peers)) = &self.unicast {
            lines.push(format!("    unicast_src_ip {own}"));
            lines.push("    unicast_peer {".into());
            lines.extend(peers.iter().map(|peer| format!("        {peer}")));
            lines.push("    }".into());
        }
        let garp = &self.garp;
        lines.push(format!("    garp_master_delay {}", garp.master_delay));
        lines.push(format!("    garp_master_repeat {}", garp.master_repeat));
        lines.push(format!("    garp_master_refresh {}", garp.refresh));
        lines.push(format!(
            "    garp_master_refresh_repeat {}",
            garp.refresh_repeat
        ));
        lines.push(format!(
            "    garp_lower_prio_delay {}",
            garp.lower_prio_delay
        ));
        lines.push(format!(
            "    garp_lower_prio_repeat {}",
            garp.lower_prio_repeat
        ));
        lines.extend(extra.iter().map(|line| format!("    {line}")));
        lines.push("    virtual_ipaddress {".into());
        lines.extend(
            self.vips
                .iter()
                .map(|(addr, prefix)| format!("        {addr}/{prefix}")),
        );
        lines.push("    }".into());
        lines.push("}".into());
        lines.join("\n") + "\n"
    }
}

/// A host's configuration, bound without a detour through text.
pub fn bind_all(host: &str, instances: &[InstanceSpec]) -> Arc<Bound> {
    let intervals = instances.iter().map(|own| own.announce_interval);
    let interval = intervals.max().unwrap_or_default();
    Arc::new(Bound {
        global: Global {
            router_id: host.into(),
            garp_interval: interval,
            gna_interval: interval,
            ..Global::default()
        },
        instances: instances.iter().map(InstanceSpec::bind).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_interfaces_go_both_ways() {
        for segment in 0..3 {
            assert_eq!(segment_of(ifindex(segment)), Some(segment));
            assert_eq!(number_of(mac(segment, 77)), Some(77));
        }
        assert_eq!(segment_of(IfIndex(1)), None, "the loopback");
        assert_eq!(number_of([0xff; 6]), None);
    }
}
