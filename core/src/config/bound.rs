//! The configuration as the machines use it: names resolved, defaults filled in, checked.
//!
//! Immutable once built; a reload builds another one.

use std::net::{IpAddr, Ipv4Addr};

use super::dumps::{Defaults, Dumps};
use super::processes::Processes;
use super::receiving::Receiving;
use super::reloading::Reloading;
use crate::ids::{Family, InstanceId, Version};
use crate::time::Duration;
use crate::wire::vrrp;

/// Everything that was bound from one configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bound {
    /// Settings of `global_defs` that outlive parsing.
    pub global: Global,
    /// Virtual routers in the order of the file; [`InstanceId`] is the position.
    pub instances: Vec<InstanceConfig>,
}

impl Bound {
    /// The configuration of `id`.
    pub fn instance(&self, id: InstanceId) -> &InstanceConfig {
        &self.instances[id.0 as usize]
    }

    /// All instances with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (InstanceId, &InstanceConfig)> {
        self.instances
            .iter()
            .enumerate()
            .map(|(index, config)| (InstanceId(index as u32), config))
    }
}

/// What `global_defs` leaves for the running daemon.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Global {
    /// `router_id`, or the host's name.
    pub router_id: String,
    /// `dynamic_interfaces`: an interface may be missing at start.
    pub dynamic_interfaces: bool,
    /// `vrrp_startup_delay`, or what `vrrp_delay_after_boot` leaves of it if that ends later: for so
    /// long after the start nothing is heard and nothing is taken over.
    pub startup_delay: Duration,
    /// `relevo_hello_interval`: time between two hellos from the parent to each child.
    pub hello_interval: Option<Duration>,
    /// `child_wait_time`: how long a child may take to leave before it is killed.
    pub child_wait_time: Option<Duration>,
    /// `vrrp_garp_interval`: least time between two gratuitous ARPs out of one interface; zero for
    /// none.
    pub garp_interval: Duration,
    /// `vrrp_gna_interval`: the same for neighbour advertisements.
    pub gna_interval: Duration,
    /// `garp_group`: interfaces that share intervals of their own. An interface is in one at most.
    pub garp_groups: Vec<GarpGroup>,
    /// Receive buffer of the netlink socket for changes (`vrrp_netlink_cmd_rcv_bufs`).
    pub netlink_commands: ReceiveBuffer,
    /// Receive buffer of the netlink socket for news (`vrrp_netlink_monitor_rcv_bufs`).
    pub netlink_monitor: ReceiveBuffer,
    /// Room for packets that were not read yet.
    pub receiving: Receiving,
    /// Where dumps go and how they look.
    pub dumps: Dumps,
    /// What instances have taken over from `global_defs`, for showing it.
    pub defaults: Defaults,
    /// The words about processes.
    pub processes: Processes,
    /// The words about reloads.
    pub reloading: Reloading,
    /// No word but the option `-X`, so never set by binding: a virtual address goes with the
    /// mastership even if it was there before.
    pub release_vips: bool,
    /// No word but the option `-V`, so never set by binding: at the end of the daemon nothing is said
    /// and nothing removed.
    pub keep_vips: bool,
}

/// Interfaces whose announcements wait for each other.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GarpGroup {
    /// Their names.
    pub interfaces: Vec<String>,
    /// `garp_interval`; zero for none.
    pub garp_interval: Duration,
    /// `gna_interval`; zero for none.
    pub gna_interval: Duration,
}

/// The receive buffer of a socket.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct ReceiveBuffer {
    /// Its size in octets as the kernel takes it (SO_RCVBUF); none leaves it to the runtime, which
    /// takes a large one and enlarges it when it proves too small.
    pub octets: Option<u32>,
    /// The size may exceed the system's limit (SO_RCVBUFFORCE).
    pub force: bool,
}

/// One virtual router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstanceConfig {
    /// Its name, as written.
    pub name: String,
    /// The interface's name.
    pub interface: String,
    /// Family of its adverts and of its first address.
    pub family: Family,
    /// Protocol version.
    pub version: Version,
    /// Virtual router identifier, 1..=255.
    pub vrid: u8,
    /// Base priority, 1..=255; 255 is the owner.
    pub priority: u8,
    /// The state to begin with is MASTER: `state MASTER` was written, or no state and priority 255.
    pub state_master: bool,
    /// Advert interval: whole seconds in v2, centiseconds in v3.
    pub advert_interval: Duration,
    /// False with `nopreempt`.
    pub preempt: bool,
    /// `preempt_delay`.
    pub preempt_delay: Duration,
    /// `down_timer_adverts`: adverts that may be missed, 3 by default.
    pub down_timer_adverts: u8,
    /// Authentication of RFC 2338; always `None` in v3.
    pub auth: Auth,
    /// Addresses in the adverts.
    pub addresses: Vec<VirtualAddress>,
    /// Addresses held but not advertised.
    pub excluded: Vec<VirtualAddress>,
    /// `mcast_src_ip` or `unicast_src_ip`; else the interface's primary (IPv6: link-local) address.
    pub source: Option<IpAddr>,
    /// Where adverts go.
    pub destination: Destination,
    /// TTL or hop limit of adverts: 255, or `unicast_ttl`.
    pub hop_limit: u8,
    /// Limits of the TTL or hop limit of adverts from unicast peers that have them.
    pub peer_ttl: Vec<PeerTtl>,
    /// How the checksum of version 3 over IPv4 is made.
    pub checksum: ChecksumConfig,
    /// `check_unicast_src`: adverts only from configured peers.
    pub check_unicast_source: bool,
    /// `skip_check_adv_addr`: the address list of the current master is not compared again.
    pub skip_check_adv_addr: bool,
    /// `owner_ignore_adverts`: an owner discards what it hears.
    pub owner_ignore_adverts: bool,
    /// `timer_expired_backup`: a master whose advert is so late that a router of this priority has
    /// taken over becomes a backup.
    pub timer_expired_backup: Option<u8>,
    /// `lower_prio_no_advert`: a master does not answer lower priorities.
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`: a master sends one last advert before it yields.
    pub higher_prio_send_advert: bool,
    /// `dont_track_primary`: the interface's state is not watched.
    pub dont_track_primary: bool,
    /// Strict mode was applied (`vrrp_strict`, `strict_mode`); for showing it.
    pub strict: bool,
    /// `accept`; for showing it.
    pub accept: bool,
    /// A unicast word was written, but no peer; for showing it.
    pub unicast_unused: bool,
    /// Gratuitous ARP and neighbour advertisement.
    pub garp: GarpConfig,
}

impl InstanceConfig {
    /// A virtual router with every setting at the original's default: priority 100, an advert a
    /// second, preempting, multicast. Its family is that of the first address.
    pub fn new(
        name: &str,
        interface: &str,
        version: Version,
        vrid: u8,
        addresses: Vec<VirtualAddress>,
    ) -> Self {
        let first = addresses.first().map(|address| Family::of(address.addr));
        let family = first.unwrap_or(Family::V4);
        let group = match family {
            Family::V4 => vrrp::GROUP_V4.into(),
            Family::V6 => vrrp::GROUP_V6.into(),
        };
        Self {
            name: name.to_owned(),
            interface: interface.to_owned(),
            family,
            version,
            vrid,
            priority: 100,
            state_master: false,
            advert_interval: Duration::from_secs(1),
            preempt: true,
            preempt_delay: Duration::ZERO,
            down_timer_adverts: 3,
            auth: Auth::None,
            addresses,
            excluded: Vec::new(),
            source: None,
            destination: Destination::Multicast(group),
            hop_limit: vrrp::HOP_LIMIT,
            peer_ttl: Vec::new(),
            checksum: ChecksumConfig::default(),
            check_unicast_source: false,
            skip_check_adv_addr: false,
            owner_ignore_adverts: false,
            timer_expired_backup: None,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            dont_track_primary: false,
            strict: false,
            accept: false,
            unicast_unused: false,
            garp: GarpConfig::default(),
        }
    }

    /// True for the owner of the addresses: base priority 255.
    pub const fn is_owner(&self) -> bool {
        self.priority == 255
    }

    /// True if packets to the addresses are for the master: always but in strict mode.
    pub const fn accepts(&self) -> bool {
        self.accept || !self.strict
    }

    /// True if `addr` is one of its addresses.
    pub fn holds(&self, addr: IpAddr) -> bool {
        self.all_addresses().any(|address| address.addr == addr)
    }

    /// The name of the interface that `addr` goes on, if it is one of its addresses.
    pub fn device_of(&self, addr: IpAddr) -> Option<&str> {
        let address = self.all_addresses().find(|address| address.addr == addr)?;
        Some(address.dev.as_ref().unwrap_or(&self.interface))
    }

    /// Its addresses, those in the adverts first.
    pub fn all_addresses(&self) -> impl Iterator<Item = &VirtualAddress> {
        self.addresses.iter().chain(&self.excluded)
    }
}

/// VRRPv2 authentication (RFC 2338 section 5.3.6).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Auth {
    /// Type 0.
    #[default]
    None,
    /// Type 1: a password of up to eight octets, padded with zeros.
    Pass([u8; 8]),
}

/// How the checksum of version 3 over IPv4 is made. Version 2 and IPv6 have one way only.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ChecksumConfig {
    /// Which one.
    pub style: ChecksumStyle,
    /// What the old unicast checksum has in place of the destination: the default group of IPv4.
    pub group: Ipv4Addr,
}

impl Default for ChecksumConfig {
    fn default() -> Self {
        Self {
            style: ChecksumStyle::Auto,
            group: vrrp::GROUP_V4,
        }
    }
}

/// What the checksum of version 3 over IPv4 covers besides the message.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum ChecksumStyle {
    /// The pseudo-header. Unicast: either kind is accepted, and the kind last heard is sent.
    #[default]
    Auto,
    /// `old_unicast_checksum`. Unicast: the pseudo-header has the group for its destination, as
    /// releases of keepalived up to 1.3.6 had it.
    OldUnicast,
    /// `old_unicast_checksum never`: the pseudo-header, and nothing else is accepted.
    Never,
    /// `v3_checksum_as_v2`: nothing, as RFC 9568 section 5.2.8 says. The pseudo-header is accepted
    /// too.
    AsV2,
}

/// Limits of the TTL or hop limit of what a unicast peer sends.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct PeerTtl {
    /// The peer.
    pub addr: IpAddr,
    /// The least accepted.
    pub min: u8,
    /// The greatest accepted.
    pub max: u8,
}

/// Where adverts go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// To a group, 224.0.0.18 or ff02::12 by default.
    Multicast(IpAddr),
    /// To each of these peers.
    Unicast(Vec<IpAddr>),
}

/// A virtual address as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualAddress {
    /// The address.
    pub addr: IpAddr,
    /// Prefix length; /32 or /128 when not written.
    pub prefix: u8,
    /// The interface it goes on, when not the instance's.
    pub dev: Option<String>,
    /// rtnetlink scope; 0 (global) by default.
    pub scope: u8,
    /// IPv4 broadcast: as written, or derived from the prefix for `brd +`.
    pub broadcast: Option<Ipv4Addr>,
    /// IPv4 label.
    pub label: Option<String>,
    /// IPv6: false with `-nodad`.
    pub nodad: bool,
    /// IPv6 /128: preferred lifetime 0 (unless the entry says otherwise).
    pub deprecated: bool,
    /// `noprefixroute`.
    pub no_prefix_route: bool,
}

impl VirtualAddress {
    /// An address with every setting at the original's default.
    pub const fn new(addr: IpAddr, prefix: u8) -> Self {
        Self {
            addr,
            prefix,
            dev: None,
            scope: 0,
            broadcast: None,
            label: None,
            nodad: addr.is_ipv6(),
            deprecated: addr.is_ipv6() && prefix == 128,
            no_prefix_route: false,
        }
    }
}

/// How addresses are announced; counts of 0 in a file become 1 where the original does so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GarpConfig {
    /// `garp_master_delay`: when the second block follows; zero for none.
    pub master_delay: Duration,
    /// `garp_master_repeat`: announcements of each address in a block.
    pub master_repeat: u32,
    /// `garp_master_refresh`: period while master; zero for none.
    pub refresh: Duration,
    /// `garp_master_refresh_repeat`.
    pub refresh_repeat: u32,
    /// `garp_lower_prio_delay`.
    pub lower_prio_delay: Duration,
    /// `garp_lower_prio_repeat`; zero for none.
    pub lower_prio_repeat: u32,
}

impl Default for GarpConfig {
    fn default() -> Self {
        Self {
            master_delay: Duration::from_secs(5),
            master_repeat: 5,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_delay: Duration::from_secs(5),
            lower_prio_repeat: 5,
        }
    }
}
