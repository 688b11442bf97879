//! keepalived.data and keepalived_parent.data: everything that is known, in keepalived's layout.
//!
//! Programs parse it, so the names of values and their order are those of release 2.2.7. Passwords
//! are not told, as in later releases.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::net::IpAddr;

use super::global;
use super::json::split;
use super::text::{AddressLine, on_off, write_moment, write_next_time};
use super::{HeldAddress, InstanceView, Picture, Wall};
use crate::config::bound::{
    Auth, ChecksumStyle, Destination, Global, InstanceConfig, VirtualAddress,
};
use crate::ids::{Family, Version};
use crate::time::Duration;
use crate::vrrp::{Fault, StateName};

mod links;

pub use global::Facts;

/// Writes the dump of the VRRP process. The picture must have been taken with the interfaces.
pub fn write(picture: &Picture, wall: &Wall, facts: &Facts, out: &mut dyn Write) -> fmt::Result {
    global::write(&picture.bound.global, facts, out)?;
    write_delays(picture, wall, out)?;
    writeln!(out, "------< VRRP Topology >------")?;
    for (config, view) in picture.iter() {
        write_instance(config, view, wall, out)?;
    }
    write_sockets(picture, out)?;
    links::write(picture, wall, out)
}

/// Writes the dump of the parent.
pub fn write_parent(global: &Global, facts: &Facts, out: &mut dyn Write) -> fmt::Result {
    global::write(global, facts, out)
}

/// The intervals between announcements: those of groups, then those of each other interface.
fn write_delays(picture: &Picture, wall: &Wall, out: &mut dyn Write) -> fmt::Result {
    let global = &picture.bound.global;
    let has_own = !global.garp_interval.is_zero() || !global.gna_interval.is_zero();
    if has_own || !global.garp_groups.is_empty() {
        writeln!(out, "------< Gratuitous ARP delays >------")?;
    }
    let by_name: BTreeMap<&str, _> = picture
        .links
        .iter()
        .map(|view| (view.link.name.as_str(), view.next_announcements))
        .collect();
    let mut write_group = |number, (garp, gna): (Duration, Duration), names: &[&str]| {
        writeln!(out, "------< GARP delay group {number} >------")?;
        let next = names.iter().find_map(|name| by_name.get(name)).copied();
        let next = next.unwrap_or_default();
        for (what, interval, next) in [("GARP", garp, next.0), ("GNA", gna, next.1)] {
            if !interval.is_zero() {
                writeln!(out, " {what} interval = {interval}")?;
                write!(out, " {what} next time ")?;
                write_next_time(out, wall, next)?;
                writeln!(out)?;
            }
        }
        writeln!(out, " Interfaces")?;
        names.iter().try_for_each(|name| writeln!(out, "  {name}"))
    };
    for (number, group) in (1..).zip(&global.garp_groups) {
        let names: Vec<_> = group.interfaces.iter().map(String::as_str).collect();
        write_group(number, (group.garp_interval, group.gna_interval), &names)?;
    }
    let intervals = (global.garp_interval, global.gna_interval);
    if !has_own {
        return Ok(());
    }
    for name in links::named(&picture.bound) {
        let in_group = |group: &crate::config::bound::GarpGroup| {
            group.interfaces.iter().any(|member| member == name)
        };
        if !global.garp_groups.iter().any(in_group) {
            write_group(0, intervals, &[name])?;
        }
    }
    Ok(())
}

fn write_instance(
    config: &InstanceConfig,
    view: &InstanceView,
    wall: &Wall,
    out: &mut dyn Write,
) -> fmt::Result {
    writeln!(out, " VRRP Instance = {}", config.name)?;
    writeln!(out, "   VRRP Version = {}", config.version.number())?;
    if config.family == Family::V6 {
        writeln!(out, "   Using Native IPv6")?;
    }
    write_state(config, view, wall, out)?;
    write_transport(config, view, out)?;
    write_announcements(config, out)?;
    write_protocol(config, view, out)?;
    let (own, excluded) = split(&view.addresses, config.addresses.len());
    if !config.addresses.is_empty() {
        writeln!(out, "   Virtual IP ({}):", config.addresses.len())?;
        write_addresses(config, (&config.addresses, own), out)?;
    }
    if !config.excluded.is_empty() {
        writeln!(out, "   Virtual IP Excluded :")?;
        write_addresses(config, (&config.excluded, excluded), out)?;
    }
    write_peers(config, view, out)?;
    let descriptor = view.descriptor.unwrap_or(-1);
    writeln!(out, "   fd_in {descriptor}, fd_out {descriptor}")?;
    writeln!(out, "   Using smtp notification = no")?;
    writeln!(out, "   Notify deleted = Fault")?;
    writeln!(out, "   Notify priority changes = false")
}

fn write_state(
    config: &InstanceConfig,
    view: &InstanceView,
    wall: &Wall,
    out: &mut dyn Write,
) -> fmt::Result {
    let state = name_of(view.state);
    writeln!(out, "   State = {state}")?;
    if view.state == StateName::Backup {
        let master = view.master.unwrap_or(unspecified(config.family));
        writeln!(out, "   Master router = {master}")?;
        writeln!(out, "   Master priority = {}", view.master_priority)?;
        if config.version == Version::V3 {
            let centis = view.master_interval.as_centis();
            let (secs, rest) = (centis / 100, centis % 100);
            writeln!(out, "   Master advert int = {secs}.{rest:02} sec")?;
        }
    }
    write_flags(config, out)?;
    writeln!(out, "   Wantstate = {state}")?;
    writeln!(out, "   Number of config faults = 0")?;
    let faults = view.conditions.iter().filter(|(fault, _)| counts(*fault));
    let faults = faults.count();
    writeln!(
        out,
        "   Number of interface and track script faults = {faults}"
    )?;
    writeln!(out, "   Number of track scripts init = 0")?;
    write!(out, "   Last transition = ")?;
    let since = view.transition.map_or(wall.at, |(since, _)| since);
    write_moment(out, wall, since)?;
    writeln!(out)?;
    write!(out, "   Read timeout = ")?;
    match view.deadline {
        Some(deadline) => write_moment(out, wall, deadline)?,
        None => out.write_str("DISABLED")?,
    }
    writeln!(out)?;
    let down = match view.state {
        // As the original has it for an owner that never waited.
        StateName::Master if view.down_interval.is_zero() => Duration::from_micros(1),
        _ if view.down_interval.is_zero() => view.whole_down_interval,
        _ => view.down_interval,
    };
    writeln!(out, "   Master down timer = {} usecs", down.as_micros())
}

/// The original keeps some settings as flags, of which it names few, and says `none` if there are
/// none at all.
fn write_flags(config: &InstanceConfig, out: &mut dyn Write) -> fmt::Result {
    let unicast = matches!(config.destination, Destination::Unicast(_));
    let any = unicast
        || config.unicast_unused
        || !config.preempt
        || config.dont_track_primary
        || config.skip_check_adv_addr
        || config.source.is_some();
    writeln!(out, "   Flags:{}", if any { "" } else { " none" })?;
    if unicast {
        writeln!(out, "     Using unicast")?;
    }
    if config.unicast_unused {
        writeln!(
            out,
            "     Unicast config option specified but using multicast"
        )?;
    }
    Ok(())
}

/// True for a condition that the original would call a fault of the interface.
fn counts(fault: Fault) -> bool {
    match fault {
        Fault::InterfaceMissing(_)
        | Fault::InterfaceDown(_)
        | Fault::NoCarrier(_)
        | Fault::NoSource
        | Fault::SourceTentative
        | Fault::SourceDuplicate
        | Fault::SocketFailed(_) => true,
        Fault::NoSocket => false,
    }
}

fn write_transport(
    config: &InstanceConfig,
    view: &InstanceView,
    out: &mut dyn Write,
) -> fmt::Result {
    writeln!(out, "   Interface = {}", config.interface)?;
    if config.dont_track_primary {
        writeln!(out, "   VRRP interface tracking disabled")?;
    }
    if config.skip_check_adv_addr {
        writeln!(out, "   Skip checking advert IP addresses")?;
    }
    if config.strict {
        writeln!(out, "   Enforcing strict VRRP compliance")?;
    }
    match (config.source, view.source) {
        (Some(source), _) => writeln!(out, "   Using src_ip = {source} (from configuration)")?,
        (None, Some(source)) => writeln!(out, "   Using src_ip = {source}")?,
        (None, None) => writeln!(out, "   Using src_ip = (none)")?,
    }
    match &config.destination {
        Destination::Unicast(_) => Ok(()),
        Destination::Multicast(group @ IpAddr::V4(_)) => {
            writeln!(out, "   Multicast address {group}")
        }
        Destination::Multicast(group @ IpAddr::V6(_)) => {
            let ifindex = view.ifindex.map_or(0, |ifindex| ifindex.0);
            writeln!(out, "   Multicast address {group}, ifindex {ifindex}")
        }
    }
}

fn write_announcements(config: &InstanceConfig, out: &mut dyn Write) -> fmt::Result {
    let garp = &config.garp;
    let name = "   Gratuitous ARP";
    writeln!(out, "{name} delay = {}", garp.master_delay.as_secs())?;
    writeln!(out, "{name} repeat = {}", garp.master_repeat)?;
    writeln!(out, "{name} refresh = {}", garp.refresh.as_secs())?;
    writeln!(out, "{name} refresh repeat = {}", garp.refresh_repeat)?;
    let delay = garp.lower_prio_delay.as_secs();
    writeln!(out, "{name} lower priority delay = {delay}")?;
    writeln!(
        out,
        "{name} lower priority repeat = {}",
        garp.lower_prio_repeat
    )?;
    writeln!(out, "   Down timer adverts = {}", config.down_timer_adverts)?;
    let answers = !config.lower_prio_no_advert;
    writeln!(
        out,
        "   Send advert after receive lower priority advert = {answers}"
    )?;
    let speaks = config.higher_prio_send_advert;
    writeln!(
        out,
        "   Send advert after receive higher priority advert = {speaks}"
    )
}

fn write_protocol(
    config: &InstanceConfig,
    view: &InstanceView,
    out: &mut dyn Write,
) -> fmt::Result {
    writeln!(out, "   Virtual Router ID = {}", config.vrid)?;
    writeln!(out, "   Priority = {}", config.priority)?;
    writeln!(out, "   Effective priority = {}", view.priority)?;
    writeln!(out, "   Total priority = {}", view.priority)?;
    match config.version {
        Version::V2 => {
            let secs = config.advert_interval.as_secs();
            writeln!(out, "   Advert interval = {secs} sec")?;
        }
        Version::V3 => {
            let millis = config.advert_interval.as_millis();
            writeln!(out, "   Advert interval = {millis} milli-sec")?;
            if view.state == StateName::Backup {
                let millis = view.master_interval.as_millis();
                writeln!(out, "   Master advert interval = {millis} milli-sec")?;
            }
        }
    }
    writeln!(out, "   Accept = {}", on_off(config.accepts()))?;
    writeln!(out, "   Preempt = {}", on_off(config.preempt))?;
    if !config.preempt_delay.is_zero() {
        writeln!(out, "   Preempt delay = {} secs", config.preempt_delay)?;
    }
    writeln!(out, "   Promote_secondaries = disabled")?;
    match (config.version, config.auth) {
        (Version::V3, _) => Ok(()),
        (Version::V2, Auth::None) => writeln!(out, "   Authentication type = none"),
        (Version::V2, Auth::Pass(_)) => {
            writeln!(out, "   Authentication type = SIMPLE_PASSWORD")?;
            writeln!(out, "   Password = ********")
        }
    }
}

fn write_addresses(
    config: &InstanceConfig,
    (addresses, held): (&[VirtualAddress], &[HeldAddress]),
    out: &mut dyn Write,
) -> fmt::Result {
    let interface = &config.interface;
    for (address, held) in addresses.iter().zip(held) {
        let held = *held;
        let line = AddressLine {
            address,
            interface,
            held,
        };
        writeln!(out, "     {line}")?;
    }
    Ok(())
}

fn write_peers(config: &InstanceConfig, view: &InstanceView, out: &mut dyn Write) -> fmt::Result {
    let Destination::Unicast(peers) = &config.destination else {
        return Ok(());
    };
    if config.family == Family::V4 {
        writeln!(out, "   Unicast TTL = {}", config.hop_limit)?;
    }
    let checks = if config.check_unicast_source {
        "yes"
    } else {
        "no"
    };
    writeln!(out, "   Check unicast src : {checks}")?;
    writeln!(out, "   Unicast Peer :")?;
    for peer in peers {
        let limits = config.peer_ttl.iter().find(|limits| limits.addr == *peer);
        let (min, max) = limits.map_or((u8::MIN, u8::MAX), |limits| (limits.min, limits.max));
        writeln!(out, "     {peer} min_ttl {min} max_ttl {max}")?;
    }
    let compatibility = match config.checksum.style {
        ChecksumStyle::OldUnicast => "config",
        ChecksumStyle::Never => "never",
        ChecksumStyle::Auto if view.old_checksum => "auto",
        ChecksumStyle::Auto | ChecksumStyle::AsV2 => "no",
    };
    writeln!(out, "   Unicast checksum compatibility = {compatibility}")
}

/// The sockets, each with the virtual routers that share it, in the order of the first of them.
fn write_sockets(picture: &Picture, out: &mut dyn Write) -> fmt::Result {
    type Pool<'a> = Vec<(&'a InstanceConfig, &'a InstanceView)>;
    writeln!(out, "------< VRRP Sockpool >------")?;
    let mut pools: Vec<Pool<'_>> = Vec::new();
    let mut numbers = BTreeMap::new();
    for (config, view) in picture.iter() {
        let end = match &config.destination {
            Destination::Multicast(group) => (true, Some(*group)),
            Destination::Unicast(_) => (false, config.source.or(view.source)),
        };
        let number = *numbers
            .entry((config.interface.as_str(), config.family, end))
            .or_insert(pools.len());
        match pools.get_mut(number) {
            Some(pool) => pool.push((config, view)),
            None => pools.push(vec![(config, view)]),
        }
    }
    for pool in &pools {
        let Some((config, view)) = pool.first() else {
            continue;
        };
        let descriptor = view.descriptor.unwrap_or(-1);
        writeln!(out, " fd_in {descriptor} fd_out = {descriptor}")?;
        writeln!(out, "   Interface = {}", config.interface)?;
        writeln!(out, "   Family = {}", config.family)?;
        writeln!(out, "   Protocol = VRRP")?;
        match &config.destination {
            Destination::Multicast(_) => writeln!(out, "   Type = Multicast")?,
            Destination::Unicast(_) => {
                writeln!(out, "   Type = Unicast")?;
                let source = config.source.or(view.source);
                let source = source.unwrap_or(unspecified(config.family));
                writeln!(out, "   Address = {source}")?;
            }
        }
        writeln!(out, "   Rx buf size = 0")?;
        writeln!(out, "   VRRP instances")?;
        for (config, _) in pool {
            writeln!(out, "     {} vrid {}", config.name, config.vrid)?;
        }
    }
    Ok(())
}

fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::V4 => std::net::Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn name_of(state: StateName) -> &'static str {
    match state {
        StateName::Init => "INIT",
        StateName::Backup => "BACKUP",
        StateName::Master => "MASTER",
        StateName::Fault => "FAULT",
    }
}
