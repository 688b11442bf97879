//! The section "Interfaces" of the data dump.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::net::IpAddr;

use crate::config::bound::{Bound, InstanceConfig};
use crate::kernel::links::LinkState;
use crate::status::text::write_moment_year_first;
use crate::status::{HeldAddress, LinkView, Picture, Wall};
use crate::time::Duration;

/// What the original gives for the weight of an interface that is not watched.
const NOT_TRACKED: u8 = 255;

/// What is told of every interface, of which nothing is ever changed here.
const UNTOUCHED: &str = "   Delayed state change running = false\n   Up debounce timer = 0us\n   \
    Down debounce timer = 0us\n";

/// Virtual routers and addresses by the name of an interface.
#[derive(Default)]
struct Use<'a> {
    /// Who needs it, with a weight.
    instances: Vec<(&'a str, u8)>,
    /// Neighbour advertisements go out of it.
    advertises_v6: bool,
}

/// Writes the section with its title.
pub(super) fn write(picture: &Picture, wall: &Wall, out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "------< Interfaces >------")?;
    let uses = uses(picture);
    let unused = Use::default();
    for view in &picture.links {
        let used = uses.get(view.link.name.as_str()).unwrap_or(&unused);
        write_link(picture, view, used, wall, out)?;
    }
    let known: BTreeSet<_> = picture.links.iter().map(|v| v.link.name.as_str()).collect();
    for name in named(&picture.bound) {
        if !known.contains(name) {
            let used = uses.get(name).unwrap_or(&unused);
            write_missing(picture, name, used, out)?;
        }
    }
    Ok(())
}

/// The interfaces of the configuration in its order, each once.
pub(super) fn named(bound: &Bound) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let all = bound.instances.iter().flat_map(of_instance);
    all.filter(|name| seen.insert(*name)).collect()
}

/// The interfaces of one virtual router; names may repeat.
fn of_instance(config: &InstanceConfig) -> impl Iterator<Item = &str> {
    let devices = config.all_addresses().filter_map(|it| it.dev.as_deref());
    std::iter::once(config.interface.as_str()).chain(devices)
}

fn uses(picture: &Picture) -> BTreeMap<&str, Use<'_>> {
    let mut uses: BTreeMap<&str, Use<'_>> = BTreeMap::new();
    for (config, view) in picture.iter() {
        let mut seen = BTreeSet::new();
        for name in of_instance(config).filter(|name| seen.insert(*name)) {
            let untracked = config.dont_track_primary && name == config.interface;
            let weight = if untracked { NOT_TRACKED } else { 0 };
            let used = uses.entry(name).or_default();
            used.instances.push((config.name.as_str(), weight));
        }
        for (address, held) in config.all_addresses().zip(&view.addresses) {
            if address.addr.is_ipv6() && *held == HeldAddress::Held {
                let name = address.dev.as_deref().unwrap_or(&config.interface);
                uses.entry(name).or_default().advertises_v6 = true;
            }
        }
    }
    uses
}

fn write_link(
    picture: &Picture,
    view: &LinkView,
    used: &Use<'_>,
    wall: &Wall,
    out: &mut dyn Write,
) -> fmt::Result {
    let link = &view.link;
    writeln!(out, " Name = {}", link.name)?;
    writeln!(out, "   index = {}", view.ifindex.0)?;
    write_own("IPv4", view.v4, out)?;
    write_own("IPv6", view.v6, out)?;
    let ethernet = link.mac.filter(|_| !link.loopback);
    if let Some([a, b, c, d, e, f]) = ethernet {
        writeln!(
            out,
            "   MAC = {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"
        )?;
        writeln!(out, "   MAC broadcast = ff:ff:ff:ff:ff:ff")?;
    }
    write_flags(link, ethernet.is_some(), out)?;
    writeln!(out, "   Seen up = {}", u8::from(link.seen_up))?;
    out.write_str(UNTOUCHED)?;
    writeln!(out, "   MTU = {}", link.mtu)?;
    let kind = match (link.loopback, ethernet) {
        (true, _) => "LOOPBACK",
        (false, Some(_)) => "ETHERNET",
        (false, None) => "UNKNOWN (0)",
    };
    writeln!(out, "   HW Type = {kind}")?;
    writeln!(out, "   NIC netlink status update")?;
    write_delays(picture, &link.name, !used.instances.is_empty(), out)?;
    write_sysctls(false, out)?;
    if used.advertises_v6 {
        let not = if link.forwarding { "" } else { "Not " };
        write!(out, "   {not}IPv6 forwarding. Last checked ")?;
        // The kernel tells of every change.
        write_moment_year_first(out, wall, wall.at)?;
        writeln!(out)?;
    }
    write_tracking(used, out)
}

fn write_missing(
    picture: &Picture,
    name: &str,
    used: &Use<'_>,
    out: &mut dyn Write,
) -> fmt::Result {
    writeln!(out, " Name = {name}")?;
    writeln!(out, "   index = 0 (deleted)")?;
    write_own("IPv4", None, out)?;
    write_own("IPv6", None, out)?;
    writeln!(
        out,
        "   State = not UP, not RUNNING, no broadcast, no multicast"
    )?;
    writeln!(out, "   Seen up = 0")?;
    out.write_str(UNTOUCHED)?;
    writeln!(out, "   MTU = 0")?;
    writeln!(out, "   HW Type = UNKNOWN (0)")?;
    writeln!(out, "   NIC netlink status update")?;
    write_delays(picture, name, true, out)?;
    write_sysctls(true, out)?;
    write_tracking(used, out)
}

fn write_own(family: &str, addr: Option<IpAddr>, out: &mut dyn Write) -> fmt::Result {
    match addr {
        Some(addr) => writeln!(out, "   {family} address = {addr}"),
        None => writeln!(out, "   {family} address = (none)"),
    }
}

fn write_flags(link: &LinkState, broadcast: bool, out: &mut dyn Write) -> fmt::Result {
    let up = if link.admin_up { "UP" } else { "not UP" };
    let running = if link.running {
        "RUNNING"
    } else {
        "not RUNNING"
    };
    write!(out, "   State = {up}, {running}")?;
    for (wanted, word) in [
        (!broadcast, "no broadcast"),
        (link.loopback, "loopback"),
        (link.arp_off, "no arp"),
        (!link.multicast, "no multicast"),
    ] {
        if wanted {
            write!(out, ", {word}")?;
        }
    }
    writeln!(out)
}

/// The intervals between announcements out of this interface.
fn write_delays(picture: &Picture, name: &str, used: bool, out: &mut dyn Write) -> fmt::Result {
    let global = &picture.bound.global;
    let is_member = |member: &String| member == name;
    let mut groups = (1..).zip(&global.garp_groups);
    let group = groups.find(|(_, group)| group.interfaces.iter().any(is_member));
    let (number, garp, gna) = match group {
        Some((number, group)) => (number, group.garp_interval, group.gna_interval),
        None if used => (0, global.garp_interval, global.gna_interval),
        None => (0, Duration::ZERO, Duration::ZERO),
    };
    for (what, interval) in [("ARP", garp), ("NA", gna)] {
        if !interval.is_zero() {
            let millis = interval.as_millis();
            writeln!(out, "   Gratuitous {what} interval {millis}ms")?;
        }
    }
    if number != 0 {
        writeln!(out, "   Gratuitous ARP aggregation group {number}")?;
    }
    Ok(())
}

fn write_sysctls(deleted: bool, out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "   Reset ARP config counter 0")?;
    writeln!(out, "   Original arp_ignore 0")?;
    writeln!(out, "   Original arp_filter 0")?;
    if deleted {
        writeln!(out, "   rp_filter 0")?;
    }
    writeln!(out, "   Original promote_secondaries 0")?;
    writeln!(out, "   Reset promote_secondaries counter 0")
}

fn write_tracking(used: &Use<'_>, out: &mut dyn Write) -> fmt::Result {
    if used.instances.is_empty() {
        return Ok(());
    }
    writeln!(out, "   Tracking VRRP instances :")?;
    for (name, weight) in &used.instances {
        writeln!(out, "     {name}, weight {weight}")?;
    }
    Ok(())
}
