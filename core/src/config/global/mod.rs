//! `global_defs`.

mod parts;
mod rows;

pub use parts::{
    Chains, Dbus, ExtraInterfaces, Fifo, Fifos, Firewall, FlushOnStop, IncludeCheck, Lvs, Mail,
    Named, NamedSets, Recipients, ScriptUser, Scripts, SmtpServer, Snmp, SyncDaemon, Timeouts,
};

use super::code::Code;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::announcement::AnnouncementWords;
use super::block::Statement;
use super::diag::{Class, Severity, Sink, Span, quoted};
use super::dumps::Dumps;
use super::page::Page;
use super::processes::Processes;
use super::receiving::Receiving;
use super::reloading::Reloading;
use super::row::{self, Head, Row, Rows};
use super::statement::{optional, value};
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
    /// `dynamic_interfaces allow_if_changes`: an interface may return as another kind. It may without
    /// this too: nothing here depends on it.
    pub dynamic_kinds: bool,
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
    /// `disable_local_igmp`.
    pub disable_local_igmp: bool,
    /// `log_unknown_vrids`.
    pub log_unknown_vrids: bool,
    /// `vmac_prefix`.
    pub vmac_prefix: Option<String>,
    /// `vmac_addr_prefix`.
    pub vmac_addr_prefix: Option<String>,
    /// `vrrp_garp_extra_if`.
    pub garp_extra_if: Option<ExtraInterfaces>,
    /// The words `vrrp_rx_bufs_..`.
    pub receiving: Receiving,
    /// `process_monitor_rcv_bufs`, in octets.
    pub process_monitor_rcv_bufs: Option<u32>,
    /// `process_monitor_rcv_bufs_force`.
    pub process_monitor_rcv_bufs_force: bool,
    /// `iproute_usr_dir`.
    pub iproute_usr_dir: Option<String>,
    /// `iproute_etc_dir`.
    pub iproute_etc_dir: Option<String>,
    /// `include_check`.
    pub include_check: Option<IncludeCheck>,
    /// The words about mail.
    pub mail: Mail,
    /// The words about scripts.
    pub scripts: Scripts,
    /// The words about FIFOs.
    pub fifos: Fifos,
    /// The words about the firewall.
    pub firewall: Firewall,
    /// The words about the checker child as a whole.
    pub lvs: Lvs,
    /// The words about SNMP.
    pub snmp: Snmp,
    /// The words about D-Bus.
    pub dbus: Dbus,
    /// The words about dump files.
    pub dumps: Dumps,
    /// The words about processes.
    pub processes: Processes,
    /// The words about reloads.
    pub reloading: Reloading,
}

impl Rows for GlobalDefs {
    fn rows() -> &'static [Row<Self>] {
        rows::ROWS
    }
}

/// Writes the block, if anything was written.
pub(super) fn show(global: &GlobalDefs, head: &Head, page: &mut Page) {
    if *global == GlobalDefs::default() && !page.with_defaults() {
        return;
    }
    page.open(&[head.word]);
    row::show_lines(global, page);
    page.close();
}

impl GlobalDefs {
    fn read_strict(&mut self, found: &Statement, sink: &mut Sink) {
        if let Some(strict) = units::boolean(optional(found, sink), sink) {
            self.strict = strict.then_some(found.span());
        }
    }

    fn read_dynamic_interfaces(&mut self, found: &Statement, sink: &mut Sink) {
        self.dynamic_interfaces = true;
        match optional(found, sink) {
            Some(word) if word.text == "allow_if_changes" => self.dynamic_kinds = true,
            None => {}
            Some(word) => {
                let message = format!(
                    "{} is not an option of this word; it is ignored",
                    quoted(&word.text)
                );
                sink.error(word.span, message).code(Code::UnknownOption);
            }
        }
    }

    fn show_dynamic_interfaces(&self, head: &Head, page: &mut Page) {
        if self.dynamic_interfaces {
            let mut words = vec![head.word];
            words.extend(self.dynamic_kinds.then_some("allow_if_changes"));
            page.line(&words);
        }
    }

    fn read_mcast_group4(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        match units::address(word, sink) {
            None => {}
            Some(IpAddr::V4(addr)) if addr.is_multicast() => self.mcast_group4 = Some(addr),
            Some(addr) => {
                let message = format!("{addr} is not an IPv4 multicast group; the line is ignored");
                sink.error(word.span, message)
                    .code(Code::BadMulticastGroup)
                    .help("write an address from 224.0.0.0 to 239.255.255.255");
            }
        }
    }

    fn read_mcast_group6(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = value(found, sink) else {
            return;
        };
        match units::address(word, sink) {
            None => {}
            Some(IpAddr::V6(addr)) if addr.is_multicast() => {
                if !is_link_local_group(addr) {
                    let message = format!("the group {addr} reaches beyond the link");
                    sink.report(Severity::Warning, Class::Warning, word.span, message)
                        .code(Code::BadMulticastGroup)
                        .help("use a link-local group, one that begins with ff02");
                }
                self.mcast_group6 = Some(addr);
            }
            Some(addr) => {
                let message = format!("{addr} is not an IPv6 multicast group; the line is ignored");
                sink.error(word.span, message)
                    .code(Code::BadMulticastGroup)
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

/// 2 or 3.
pub(super) fn version(found: &Statement, sink: &mut Sink) -> Option<Version> {
    let word = value(found, sink)?;
    match units::number(word, 2..=3, Garbage::Cut, IGNORED, sink)? {
        2 => Some(Version::V2),
        _ => Some(Version::V3),
    }
}

/// A value as it is written.
fn show_text(value: Option<impl Display>, head: &Head, page: &mut Page) {
    match value {
        Some(value) => page.line(&[head.word, &value.to_string()]),
        None => page.default(head.word, head.default),
    }
}

fn show_version(version: Option<Version>, head: &Head, page: &mut Page) {
    let number = version.map(|version| match version {
        Version::V2 => 2,
        Version::V3 => 3,
    });
    show_text(number, head, page);
}
