//! A bound configuration written out as text, with nothing left to defaults.

use std::fmt::{self, Write};

use relevo_core::config::bound::{
    Auth, Bound, Destination, GarpConfig, InstanceConfig, VirtualAddress,
};
use relevo_core::ids::{Family, Version};
use relevo_core::limits;

/// The text; `None` if something in it has no form of its own in one instance's block.
pub(crate) fn write(bound: &Bound) -> Option<String> {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = global(&mut text, bound);
    for config in &bound.instances {
        if !is_expressible(config) {
            return None;
        }
        let _ = instance(&mut text, config);
    }
    let fits = text.lines().all(|line| line.len() <= limits::CONFIG_LINE);
    (fits && !text.contains('\r')).then_some(text)
}

fn is_expressible(config: &InstanceConfig) -> bool {
    // A family may stem from an address that was dropped.
    let has_address = !config.addresses.is_empty();
    let link_local = |octets: [u8; 16]| octets[1] & 0x0f == 2;
    let group = match &config.destination {
        Destination::Multicast(std::net::IpAddr::V6(group)) => link_local(group.octets()),
        Destination::Multicast(_) | Destination::Unicast(_) => true,
    };
    let password = match &config.auth {
        Auth::None => true,
        // A long one may have been cut within a letter.
        Auth::Pass(octets) => std::str::from_utf8(octets)
            .is_ok_and(|text| !text.trim_end_matches('\0').contains(char::is_control)),
    };
    // `vrrp_min_garp` alone makes this.
    has_address && group && password && config.garp.refresh_repeat > 0
}

fn global(text: &mut String, bound: &Bound) -> fmt::Result {
    writeln!(text, "global_defs {{")?;
    writeln!(text, "    router_id \"{}\"", bound.global.router_id)?;
    if bound.global.dynamic_interfaces {
        writeln!(text, "    dynamic_interfaces")?;
    }
    writeln!(text, "}}")
}

fn instance(text: &mut String, config: &InstanceConfig) -> fmt::Result {
    writeln!(text, "vrrp_instance \"{}\" {{", config.name)?;
    writeln!(text, "    interface \"{}\"", config.interface)?;
    writeln!(text, "    virtual_router_id {}", config.vrid)?;
    writeln!(text, "    priority {}", config.priority)?;
    let state = if config.state_master {
        "MASTER"
    } else {
        "BACKUP"
    };
    writeln!(text, "    state {state}")?;
    if config.family == Family::V4 {
        writeln!(text, "    version {}", config.version.number())?;
    }
    writeln!(text, "    advert_int {}", config.advert_interval)?;
    writeln!(text, "    down_timer_adverts {}", config.down_timer_adverts)?;
    if !config.preempt {
        writeln!(text, "    nopreempt")?;
    }
    if !config.preempt_delay.is_zero() {
        writeln!(text, "    preempt_delay {}", config.preempt_delay)?;
    }
    if let (Version::V2, Auth::Pass(octets)) = (config.version, &config.auth) {
        let password = String::from_utf8_lossy(octets);
        let password = password.trim_end_matches('\0');
        writeln!(text, "    authentication {{\n        auth_type PASS")?;
        writeln!(text, "        auth_pass \"{password}\"\n    }}")?;
    }
    flags(text, config)?;
    announcements(text, &config.garp)?;
    block(text, "virtual_ipaddress", &config.addresses)?;
    destination(text, config)?;
    block(text, "virtual_ipaddress_excluded", &config.excluded)?;
    writeln!(text, "}}")
}

fn flags(text: &mut String, config: &InstanceConfig) -> fmt::Result {
    let flags = [
        (config.check_unicast_source, "check_unicast_src"),
        (config.skip_check_adv_addr, "skip_check_adv_addr"),
        (config.dont_track_primary, "dont_track_primary"),
    ];
    for (_, word) in flags.iter().filter(|(set, _)| *set) {
        writeln!(text, "    {word}")?;
    }
    writeln!(
        text,
        "    lower_prio_no_advert {}",
        config.lower_prio_no_advert
    )?;
    writeln!(
        text,
        "    higher_prio_send_advert {}",
        config.higher_prio_send_advert
    )
}

fn announcements(text: &mut String, garp: &GarpConfig) -> fmt::Result {
    writeln!(text, "    garp_master_delay {}", garp.master_delay)?;
    writeln!(text, "    garp_master_repeat {}", garp.master_repeat)?;
    writeln!(text, "    garp_master_refresh {}", garp.refresh)?;
    writeln!(
        text,
        "    garp_master_refresh_repeat {}",
        garp.refresh_repeat
    )?;
    writeln!(text, "    garp_lower_prio_delay {}", garp.lower_prio_delay)?;
    writeln!(
        text,
        "    garp_lower_prio_repeat {}",
        garp.lower_prio_repeat
    )
}

fn destination(text: &mut String, config: &InstanceConfig) -> fmt::Result {
    let unicast = matches!(config.destination, Destination::Unicast(_));
    if let Some(source) = config.source {
        let word = if unicast {
            "unicast_src_ip"
        } else {
            "mcast_src_ip"
        };
        writeln!(text, "    {word} {source}")?;
    }
    match &config.destination {
        Destination::Multicast(group) => writeln!(text, "    mcast_dst_ip {group}"),
        Destination::Unicast(peers) => {
            writeln!(text, "    unicast_ttl {}", config.hop_limit)?;
            writeln!(text, "    unicast_peer {{")?;
            for peer in peers {
                writeln!(text, "        {peer}")?;
            }
            writeln!(text, "    }}")
        }
    }
}

fn block(text: &mut String, word: &str, addresses: &[VirtualAddress]) -> fmt::Result {
    if addresses.is_empty() {
        return Ok(());
    }
    writeln!(text, "    {word} {{")?;
    for address in addresses {
        write!(
            text,
            "        {}/{} scope {}",
            address.addr, address.prefix, address.scope
        )?;
        if let Some(dev) = &address.dev {
            write!(text, " dev \"{dev}\"")?;
        }
        if let Some(broadcast) = address.broadcast {
            write!(text, " brd {broadcast}")?;
        }
        if let Some(label) = &address.label {
            write!(text, " label \"{label}\"")?;
        }
        if address.addr.is_ipv6() {
            let lifetime = if address.deprecated { "0" } else { "forever" };
            write!(text, " preferred_lft {lifetime}")?;
            if !address.nodad {
                write!(text, " -nodad")?;
            }
        }
        if address.no_prefix_route {
            write!(text, " noprefixroute")?;
        }
        writeln!(text)?;
    }
    writeln!(text, "    }}")
}
