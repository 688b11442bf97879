//! The section "Global definitions", which the parent and each child have in their data dumps.

use std::fmt::{self, Write};

use super::text::Seconds;
use crate::config::Processes;
use crate::config::bound::Global;
use crate::config::dumps::Defaults;
use crate::config::receiving::Policy;
use crate::config::reloading::{Marker, Reloading};
use crate::ids::Version;

/// What a process knows of itself beyond the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// The network namespace that it was told to work in.
    pub namespace: Option<String>,
    /// The name of this instance of the daemon.
    pub instance: Option<String>,
    /// Its umask.
    pub umask: u32,
    /// It is the parent.
    pub parent: bool,
}

/// What is shown of features that are not there, as the original shows it where they are not used.
const SMTP: &str = " Default smtp_alert = unset\n Default smtp_alert_vrrp = unset\n Default \
    smtp_alert_checker = unset\n Checkers log all failures = false\n";
const LVS: &str = " Disable local IGMP = no\n LVS flush = false\n LVS flush on stop = disabled\n FIFO \
    write vrrp states on reload = false\n VRRP notify priority changes = false\n";
const SNMP: &str = " SNMP vrrp disabled\n SNMP checker disabled\n SNMP RFCv2 disabled\n SNMP RFCv3 \
    disabled\n SNMP traps disabled\n SNMP socket = default (unix:/var/agentx/master)\n DBus \
    disabled\n DBus service name = \n Script security disabled\n Default script uid:gid 0:0\n";
const OTHER_BUFFERS: &str = " process_monitor_rcv_bufs = 0\n process_monitor_rcv_bufs_force = 0\n \
    lvs_netlink_cmd_rcv_bufs = 0\n lvs_netlink_cmd_rcv_bufs_force = 0\n \
    lvs_netlink_monitor_rcv_bufs = 0\n lvs_netlink_monitor_rcv_bufs_force = 0\n rs_init_notifies = \
    0\n no_checker_emails = 0\n";

/// Writes the section with its title.
pub(super) fn write(global: &Global, facts: &Facts, out: &mut dyn Write) -> fmt::Result {
    let defaults = &global.defaults;
    writeln!(out, "------< Global definitions >------")?;
    if let Some(directory) = &global.reloading.save_dir {
        writeln!(out, " Config save dir = {directory}")?;
    }
    write_names(global, facts, out)?;
    writeln!(out, " Router ID = {}", global.router_id)?;
    out.write_str(SMTP)?;
    write_reloading(&global.reloading, out)?;
    if global.dumps.use_instance {
        writeln!(out, " Use instance name in data dumps")?;
    }
    writeln!(out, " Dynamic interfaces = {}", global.dynamic_interfaces)?;
    if global.dynamic_interfaces {
        writeln!(out, " Allow interface changes = false")?;
    }
    if !facts.parent {
        let interface = defaults.interface.as_deref().unwrap_or("eth0");
        writeln!(out, " Default interface = {interface}")?;
    }
    out.write_str(LVS)?;
    write_announcements(global, defaults, out)?;
    writeln!(
        out,
        " VRRP check unicast_src = {}",
        defaults.check_unicast_src
    )?;
    let skips = defaults.skip_check_adv_addr;
    writeln!(out, " VRRP skip check advert addresses = {skips}")?;
    writeln!(out, " VRRP strict mode = {}", defaults.strict)?;
    write_processes(&global.processes, out)?;
    out.write_str(SNMP)?;
    write_buffers(global, out)?;
    writeln!(out, " umask = 0{:o}", facts.umask)?;
    if !global.startup_delay.is_zero() {
        writeln!(out, " vrrp_startup_delay = {}", global.startup_delay)?;
    }
    let vrrp = &global.processes.vrrp;
    if let (false, Some(priority)) = (facts.parent, vrrp.rt_priority) {
        let limit = vrrp.rlimit_rttime.as_micros();
        writeln!(out, " current realtime priority = {priority}")?;
        writeln!(out, " current realtime time limit = {limit}")?;
    }
    Ok(())
}

/// Where the daemon runs, and how it and its processes are called.
fn write_names(global: &Global, facts: &Facts, out: &mut dyn Write) -> fmt::Result {
    let namespace = facts.namespace.as_deref().unwrap_or("(default)");
    writeln!(out, " Network namespace = {namespace}")?;
    let namespace = match &global.processes.net_namespace_ipvs {
        None => "(main namespace)",
        Some(None) => "(default)",
        Some(Some(name)) => name,
    };
    writeln!(out, " Network namespace ipvs = {namespace}")?;
    if let Some(instance) = &facts.instance {
        writeln!(out, " Instance name = {instance}")?;
    }
    let processes = &global.processes;
    for (what, name) in [
        ("Parent", &processes.name),
        ("VRRP", &processes.vrrp.name),
        ("LVS", &processes.checkers.name),
        ("BFD", &processes.bfd.name),
    ] {
        if let Some(name) = name {
            writeln!(out, " {what} process name = {name}")?;
        }
    }
    Ok(())
}

fn write_buffers(global: &Global, out: &mut dyn Write) -> fmt::Result {
    for (name, buffer) in [
        ("cmd", global.netlink_commands),
        ("monitor", global.netlink_monitor),
    ] {
        let (octets, force) = (buffer.octets.unwrap_or(0), u8::from(buffer.force));
        writeln!(out, " vrrp_netlink_{name}_rcv_bufs = {octets}")?;
        writeln!(out, " vrrp_netlink_{name}_rcv_bufs_force = {force}")?;
    }
    out.write_str(OTHER_BUFFERS)?;
    match global.receiving.policy {
        None => {}
        Some(Policy::Mtu) => writeln!(out, " rx_bufs_policy = MTU")?,
        Some(Policy::Advert) => writeln!(out, " rx_bufs_policy = ADVERT")?,
        Some(Policy::Octets(octets)) => writeln!(out, " rx_bufs_size = {octets}")?,
    }
    let multiples = global.receiving.multiples;
    writeln!(out, " rx_bufs_multiples = {multiples}")
}

/// What happens around a reload. A new text is always checked before it; the original does so only
/// where it is told to, and says what it was told.
fn write_reloading(reloading: &Reloading, out: &mut dyn Write) -> fmt::Result {
    match &reloading.check_log {
        Some(file) => writeln!(out, " Test config before reload, log to {file}")?,
        None => writeln!(out, " No test config before reload")?,
    }
    if let Some(file) = &reloading.time_file {
        let repeat = if reloading.repeat { " (repeat)" } else { "" };
        writeln!(out, " Reload time file = {file}{repeat}")?;
    }
    match &reloading.marker {
        Marker::At(file) => writeln!(out, " Reload_file = {file}"),
        Marker::Absent | Marker::Usual => Ok(()),
    }
}

fn write_processes(processes: &Processes, out: &mut dyn Write) -> fmt::Result {
    let priority = processes.max_auto_priority.unwrap_or(0);
    let delay = processes.min_auto_priority_delay.as_micros();
    writeln!(out, " Max auto priority = {priority}")?;
    writeln!(out, " Min auto priority delay = {delay} usecs")?;
    for (name, process) in [
        ("VRRP", &processes.vrrp),
        ("Checker", &processes.checkers),
        ("BFD", &processes.bfd),
    ] {
        writeln!(
            out,
            " {name} process priority = {}",
            process.nice.unwrap_or(0)
        )?;
        writeln!(out, " {name} don't swap = {}", process.no_swap)?;
        let priority = process.rt_priority.unwrap_or(0);
        writeln!(out, " {name} realtime priority = {priority}")?;
        if !process.cpus.is_empty() {
            write!(out, " {name} CPU Affinity = ")?;
            process
                .cpus
                .iter()
                .try_for_each(|cpu| write!(out, " {cpu}"))?;
            writeln!(out, " ")?;
        }
        let limit = process.rlimit_rttime.as_micros();
        writeln!(out, " {name} realtime limit = {limit}")?;
    }
    Ok(())
}

fn write_announcements(global: &Global, defaults: &Defaults, out: &mut dyn Write) -> fmt::Result {
    let garp = &defaults.garp;
    writeln!(out, " VRRP IPv4 mcast group = {}", defaults.group4)?;
    writeln!(out, " VRRP IPv6 mcast group = {}", defaults.group6)?;
    writeln!(
        out,
        " Gratuitous ARP delay = {}",
        garp.master_delay.as_secs()
    )?;
    writeln!(out, " Gratuitous ARP repeat = {}", garp.master_repeat)?;
    writeln!(
        out,
        " Gratuitous ARP refresh timer = {}",
        garp.refresh.as_secs()
    )?;
    writeln!(
        out,
        " Gratuitous ARP refresh repeat = {}",
        garp.refresh_repeat
    )?;
    let delay = garp.lower_prio_delay.as_secs();
    writeln!(out, " Gratuitous ARP lower priority delay = {delay}")?;
    let repeat = garp.lower_prio_repeat;
    writeln!(out, " Gratuitous ARP lower priority repeat = {repeat}")?;
    writeln!(
        out,
        " Num adverts before down = {}",
        defaults.down_timer_adverts
    )?;
    writeln!(out, " Gratuitous ARP for each secondary VMAC = 0s")?;
    let answers = !defaults.lower_prio_no_advert;
    writeln!(
        out,
        " Send advert after receive lower priority advert = {answers}"
    )?;
    let speaks = defaults.higher_prio_send_advert;
    writeln!(
        out,
        " Send advert after receive higher priority advert = {speaks}"
    )?;
    writeln!(
        out,
        " Gratuitous ARP interval = {}",
        Seconds(global.garp_interval)
    )?;
    writeln!(
        out,
        " Gratuitous NA interval = {}",
        Seconds(global.gna_interval)
    )?;
    let version = match defaults.version {
        Version::V2 => 2,
        Version::V3 => 3,
    };
    writeln!(out, " VRRP default protocol version = {version}")?;
    // No table of it is used, so there are no counters either.
    writeln!(out, " nftables without counters")
}
