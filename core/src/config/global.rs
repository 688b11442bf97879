//! `global_defs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::announcement::{self, AnnouncementWords};
use super::block::Statement;
use super::diag::{Class, Severity, Sink, Span, quoted};
use super::dumps::Dumps;
use super::keywords::Place;
use super::processes::Processes;
use super::receiving::Receiving;
use super::reloading::Reloading;
use super::statement::{self, flag, optional, value};
use super::units::{self, Garbage};
use crate::ids::Version;
use crate::time::Duration;

/// The longest delay that keepalived's timers hold, in seconds.
pub(super) const DELAY_MAX: u64 = u32::MAX as u64 / 1_000_000;

/// What happens to most lines with a wrong number.
pub(super) const IGNORED: &str = "the line is ignored";

/// `global_defs` as written; `None` where nothing was written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GlobalDefs {
    /// `router_id`.
    pub router_id: Option<String>,
    /// `dynamic_interfaces`.
    pub dynamic_interfaces: bool,
    /// `default_interface`; of no effect on instances, as in keepalived.
    pub default_interface: Option<String>,
    /// `vrrp_version`.
    pub version: Option<Version>,
    /// `vrrp_mcast_group4`.
    pub mcast_group4: Option<Ipv4Addr>,
    /// `vrrp_mcast_group6`.
    pub mcast_group6: Option<Ipv6Addr>,
    /// The words `vrrp_garp_..` about announcements.
    pub garp: AnnouncementWords,
    /// `vrrp_garp_interval`.
    pub garp_interval: Option<Duration>,
    /// `vrrp_gna_interval`.
    pub gna_interval: Option<Duration>,
    /// `vrrp_min_garp`.
    pub min_garp: bool,
    /// `vrrp_down_timer_adverts`.
    pub down_timer_adverts: Option<u8>,
    /// `vrrp_lower_prio_no_advert`.
    pub lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`.
    pub higher_prio_send_advert: bool,
    /// `vrrp_skip_check_adv_addr`.
    pub skip_check_adv_addr: bool,
    /// `vrrp_check_unicast_src`.
    pub check_unicast_src: bool,
    /// `vrrp_strict`, where it is on.
    pub strict: Option<Span>,
    /// `vrrp_owner_ignore_adverts`.
    pub owner_ignore_adverts: bool,
    /// `v3_checksum_as_v2`; as in keepalived its value does not count.
    pub v3_checksum_as_v2: bool,
    /// `vrrp_startup_delay`.
    pub startup_delay: Option<Duration>,
    /// `vrrp_delay_after_boot`.
    pub delay_after_boot: Option<Duration>,
    /// `relevo_hello_interval`, an extension.
    pub hello_interval: Option<Duration>,
    /// `child_wait_time`, a word of the top level.
    pub child_wait_time: Option<Duration>,
    /// `vrrp_netlink_cmd_rcv_bufs`, in octets.
    pub netlink_cmd_rcv_bufs: Option<u32>,
    /// `vrrp_netlink_cmd_rcv_bufs_force`.
    pub netlink_cmd_rcv_bufs_force: bool,
    /// `vrrp_netlink_monitor_rcv_bufs`, in octets.
    pub netlink_monitor_rcv_bufs: Option<u32>,
    /// `vrrp_netlink_monitor_rcv_bufs_force`.
    pub netlink_monitor_rcv_bufs_force: bool,
    /// The words about dump files.
    pub dumps: Dumps,
    /// The words about receive buffers.
    pub receiving: Receiving,
    /// The words about processes.
    pub processes: Processes,
    /// The words about reloads.
    pub reloading: Reloading,
}

/// Adds one `global_defs` block to what earlier ones said.
pub(super) fn read(global: &mut GlobalDefs, block: &Statement, sink: &mut Sink) {
    let statements = block.block.iter().flat_map(|block| &block.statements);
    for found in statements {
        if statement::is_built(Place::Global, found, sink)
            && !global.processes.set(found, sink)
            && !global.reloading.set(found, sink)
            && !global.dumps.set(found, sink)
            && !global.receiving.set(found, sink)
        {
            global.set(found, sink);
        }
        if sink.stopped() {
            return;
        }
    }
}

impl GlobalDefs {
    fn set(&mut self, found: &Statement, sink: &mut Sink) {
        match found.keyword() {
            "router_id" => set(&mut self.router_id, name(found, sink)),
            "default_interface" => set(&mut self.default_interface, name(found, sink)),
            "dynamic_interfaces" => self.dynamic_interfaces(found, sink),
            "vrrp_version" => {
                if let Some(found) = version(found, sink) {
                    self.version = Some(found);
                }
            }
            "vrrp_mcast_group4" => self.mcast_group4(found, sink),
            "vrrp_mcast_group6" => self.mcast_group6(found, sink),
            "vrrp_garp_interval" => {
                set(&mut self.garp_interval, announcement::interval(found, sink));
            }
            "vrrp_gna_interval" => set(&mut self.gna_interval, announcement::interval(found, sink)),
            "vrrp_min_garp" => assign(&mut self.min_garp, boolean(found, sink)),
            "vrrp_down_timer_adverts" => {
                set(
                    &mut self.down_timer_adverts,
                    down_timer_adverts(found, sink),
                );
            }
            "vrrp_lower_prio_no_advert" => {
                assign(&mut self.lower_prio_no_advert, boolean(found, sink));
            }
            "vrrp_higher_prio_send_advert" => {
                assign(&mut self.higher_prio_send_advert, boolean(found, sink));
            }
            "vrrp_skip_check_adv_addr" => {
                assign(&mut self.skip_check_adv_addr, boolean(found, sink));
            }
            "vrrp_check_unicast_src" => {
                flag(found, sink);
                self.check_unicast_src = true;
            }
            "vrrp_netlink_cmd_rcv_bufs" => {
                set(&mut self.netlink_cmd_rcv_bufs, octets(found, sink));
            }
            "vrrp_netlink_cmd_rcv_bufs_force" => {
                assign(&mut self.netlink_cmd_rcv_bufs_force, boolean(found, sink));
            }
            "vrrp_netlink_monitor_rcv_bufs" => {
                set(&mut self.netlink_monitor_rcv_bufs, octets(found, sink));
            }
            "vrrp_netlink_monitor_rcv_bufs_force" => {
                let force = boolean(found, sink);
                assign(&mut self.netlink_monitor_rcv_bufs_force, force);
            }
            "vrrp_strict" => self.strict_mode(found, sink),
            "vrrp_owner_ignore_adverts" => {
                assign(&mut self.owner_ignore_adverts, boolean(found, sink));
            }
            "v3_checksum_as_v2" => {
                flag(found, sink);
                self.v3_checksum_as_v2 = true;
            }
            "relevo_hello_interval" => set(&mut self.hello_interval, hello_interval(found, sink)),
            "vrrp_startup_delay" => set(&mut self.startup_delay, startup_delay(found, sink)),
            "vrrp_delay_after_boot" => set(&mut self.delay_after_boot, startup_delay(found, sink)),
            other => {
                let word = other.strip_prefix("vrrp_").unwrap_or_default();
                self.garp.set(word, found, sink);
            }
        }
    }

    fn strict_mode(&mut self, found: &Statement, sink: &mut Sink) {
        if let Some(strict) = boolean(found, sink) {
            self.strict = strict.then_some(found.span());
        }
    }

    fn dynamic_interfaces(&mut self, found: &Statement, sink: &mut Sink) {
        self.dynamic_interfaces = true;
        match optional(found, sink) {
            // An interface may return as another kind without it too: nothing here depends on it.
            Some(word) if word.text == "allow_if_changes" => {}
            None => {}
            Some(word) => {
                let message = format!(
                    "{} is not an option of this word; it is ignored",
                    quoted(&word.text)
                );
                sink.error(word.span, message);
            }
        }
    }

    fn mcast_group4(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        match units::address(word, sink) {
            None => {}
            Some(IpAddr::V4(addr)) if addr.is_multicast() => self.mcast_group4 = Some(addr),
            Some(addr) => {
                let message = format!("{addr} is not an IPv4 multicast group; the line is ignored");
                sink.error(word.span, message)
                    .help("write an address from 224.0.0.0 to 239.255.255.255");
            }
        }
    }

    fn mcast_group6(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        match units::address(word, sink) {
            None => {}
            Some(IpAddr::V6(addr)) if addr.is_multicast() => {
                if !is_link_local_group(addr) {
                    let message = format!("the group {addr} reaches beyond the link");
                    sink.report(Severity::Warning, Class::Warning, word.span, message)
                        .help("use a link-local group, one that begins with ff02");
                }
                self.mcast_group6 = Some(addr);
            }
            Some(addr) => {
                let message = format!("{addr} is not an IPv6 multicast group; the line is ignored");
                sink.error(word.span, message)
                    .help("write an address that begins with ff02");
            }
        }
    }
}

/// True for ffX2::/16, as IN6_IS_ADDR_MC_LINKLOCAL.
pub(super) const fn is_link_local_group(addr: Ipv6Addr) -> bool {
    addr.segments()[0] & 0xff0f == 0xff02
}

/// Keeps what was there if nothing usable was written.
pub(super) fn set<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}

fn assign(slot: &mut bool, value: Option<bool>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// A name that keepalived reports but does not stop for when it is missing.
fn name(found: &Statement, sink: &mut Sink) -> Option<String> {
    let word = optional(found, sink);
    if word.is_none() {
        let message = format!(
            "{} needs a name; the line is ignored",
            quoted(found.keyword())
        );
        sink.error(found.span(), message);
    }
    word.map(|word| word.text.clone())
}

pub(super) fn boolean(found: &Statement, sink: &mut Sink) -> Option<bool> {
    let word = optional(found, sink);
    units::boolean(word, sink)
}

/// From what a busy host can keep to, to an hour.
fn hello_interval(found: &Statement, sink: &mut Sink) -> Option<Duration> {
    let word = value(found, sink)?;
    let range = Duration::from_millis(50)..=Duration::from_secs(3_600);
    units::seconds(word, range, IGNORED, sink)
}

/// Whole seconds, as in keepalived.
pub(super) fn child_wait_time(found: &Statement, sink: &mut Sink) -> Option<Duration> {
    let word = value(found, sink)?;
    let range = 0..=u64::from(u32::MAX);
    units::number(word, range, Garbage::Refuse, IGNORED, sink).map(Duration::from_secs)
}

/// Seconds from a millisecond on.
fn startup_delay(found: &Statement, sink: &mut Sink) -> Option<Duration> {
    let word = value(found, sink)?;
    let range = Duration::from_millis(1)..=Duration::from_micros(u64::from(u32::MAX));
    units::seconds(word, range, IGNORED, sink)
}

/// 2 or 3.
pub(super) fn version(found: &Statement, sink: &mut Sink) -> Option<Version> {
    let word = value(found, sink)?;
    match units::number(word, 2..=3, Garbage::Cut, IGNORED, sink)? {
        2 => Some(Version::V2),
        _ => Some(Version::V3),
    }
}

/// The size of a buffer; keepalived reports a missing one and goes on.
fn octets(found: &Statement, sink: &mut Sink) -> Option<u32> {
    let Some(word) = optional(found, sink) else {
        let message = format!(
            "{} needs a number of octets; the line is ignored",
            quoted(found.keyword())
        );
        sink.error(found.span(), message);
        return None;
    };
    let range = 0..=u64::from(u32::MAX);
    let octets = units::number(word, range, Garbage::Refuse, IGNORED, sink)?;
    u32::try_from(octets).ok()
}

/// Adverts that may be missed.
pub(super) fn down_timer_adverts(found: &Statement, sink: &mut Sink) -> Option<u8> {
    let word = value(found, sink)?;
    let count = units::number(word, 1..=100, Garbage::Cut, IGNORED, sink)?;
    u8::try_from(count).ok()
}
