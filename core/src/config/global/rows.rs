//! The words of `global_defs`.

use super::super::row::{Field, Kind, Row, rows};
use super::super::{dumps, processes, reloading};
use super::{GlobalDefs, set, show_text, show_version, version};
use crate::limits;

/// The largest number of 32 bits.
const U32: i64 = u32::MAX as i64;
/// The numbers of 32 bits with a sign.
const I32_MIN: i64 = i32::MIN as i64;
/// The numbers of 32 bits with a sign.
const I32_MAX: i64 = i32::MAX as i64;
/// The longest time that the original's timers hold, in microseconds.
const MAX_US: u64 = u32::MAX as u64;

/// Every word, sorted.
pub(super) const ROWS: &[Row<GlobalDefs>] = rows! { GlobalDefs:
    "bfd_cpu_affinity" => (|g, _, f, s| processes::read_cpus(&mut g.processes.bfd, f, s), |g, h, p| processes::show_cpus(&g.processes.bfd, h, p)):
        Kind::Soft(&Kind::Other("CPU...")), Built, "",
        "CPUs that the BFD child may use; all without it.";
    "bfd_no_swap" => processes.bfd.no_swap:
        Kind::Flag, Built, "",
        "Locks the memory of the BFD child.";
    "bfd_priority" => processes.bfd.nice:
        Kind::Soft(&Kind::number(-20, 19)), Built, "0",
        "Nice value of the BFD child.";
    "bfd_process_name" => processes.bfd.name:
        Kind::Cut(processes::NAME_MAX), Built, "",
        "Name of the BFD child; 15 octets of it count.";
    "bfd_rlimit_rtime" = "bfd_rlimit_rttime" => (|g, _, f, s| processes::read_rttime(&mut g.processes.bfd, f, s), |g, h, p| processes::show_rttime(&g.processes.bfd, h, p)):
        Kind::Other("MICROSECONDS (2..4294967295)"), Built, "",
        "The old name of bfd_rlimit_rttime.";
    "bfd_rlimit_rttime" => (|g, _, f, s| processes::read_rttime(&mut g.processes.bfd, f, s), |g, h, p| processes::show_rttime(&g.processes.bfd, h, p)):
        Kind::Other("MICROSECONDS (2..4294967295)"), Built, "1000000",
        "How long the BFD child may compute without a pause while it has a real-time priority.";
    "bfd_rt_priority" => (|g, _, f, s| processes::read_rt(&mut g.processes.bfd, f, s), |g, h, p| Field::show(&g.processes.bfd.rt_priority, h, p)):
        Kind::Soft(&Kind::Other("1..99")), Built, "",
        "Real-time priority of the BFD child; the nearest in range counts.";
    "checker_cpu_affinity" => (|g, _, f, s| processes::read_cpus(&mut g.processes.checkers, f, s), |g, h, p| processes::show_cpus(&g.processes.checkers, h, p)):
        Kind::Soft(&Kind::Other("CPU...")), Built, "",
        "CPUs that the checker child may use; all without it.";
    "checker_log_all_failures" => lvs.log_all_failures:
        Kind::Bool, Harmless, "",
        "Logs every check that fails.";
    "checker_no_swap" => processes.checkers.no_swap:
        Kind::Flag, Built, "",
        "Locks the memory of the checker child.";
    "checker_priority" => processes.checkers.nice:
        Kind::Soft(&Kind::number(-20, 19)), Built, "0",
        "Nice value of the checker child.";
    "checker_process_name" => processes.checkers.name:
        Kind::Cut(processes::NAME_MAX), Built, "",
        "Name of the checker child; 15 octets of it count.";
    "checker_rlimit_rtime" = "checker_rlimit_rttime" => (|g, _, f, s| processes::read_rttime(&mut g.processes.checkers, f, s), |g, h, p| processes::show_rttime(&g.processes.checkers, h, p)):
        Kind::Other("MICROSECONDS (2..4294967295)"), Built, "",
        "The old name of checker_rlimit_rttime.";
    "checker_rlimit_rttime" => (|g, _, f, s| processes::read_rttime(&mut g.processes.checkers, f, s), |g, h, p| processes::show_rttime(&g.processes.checkers, h, p)):
        Kind::Other("MICROSECONDS (2..4294967295)"), Built, "1000000",
        "How long the checker child may compute without a pause while it has a real-time priority.";
    "checker_rt_priority" => (|g, _, f, s| processes::read_rt(&mut g.processes.checkers, f, s), |g, h, p| Field::show(&g.processes.checkers.rt_priority, h, p)):
        Kind::Soft(&Kind::Other("1..99")), Built, "",
        "Real-time priority of the checker child; the nearest in range counts.";
    "config_save_dir" => (|g, _, f, s| reloading::needed(&mut g.reloading.save_dir, f, s), |g, h, p| Field::show(&g.reloading.save_dir, h, p)):
        Kind::Text, Built, "",
        "Directory that gets dumps of the data before and after each reload.";
    "data_use_instance" => dumps.use_instance:
        Kind::Bool, Built, "",
        "Names of data dumps carry those of the namespace and of the instance of the daemon.";
    "dbus_no_interface_name" => dbus.no_interface_name:
        Kind::Text, Harmless, "",
        "Stands for the interface of instances that have none.";
    "dbus_service_name" => dbus.service_name:
        Kind::Soft(&Kind::Text), Harmless, "org.keepalived.Vrrp1",
        "Name of that service.";
    "default_interface" => default_interface:
        Kind::Soft(&Kind::Text), Built, "",
        "Interface of addresses and routes outside virtual routers that name none.";
    "disable_local_igmp" => disable_local_igmp:
        Kind::Flag, Harmless, "",
        "Switches off IGMP reports for groups of the link while the daemon runs.";
    "dynamic_interfaces" => (|g, _, f, s| g.read_dynamic_interfaces(f, s), |g, h, p| g.show_dynamic_interfaces(h, p)):
        Kind::Other("[allow_if_changes]"), Built, "",
        "Interfaces may be missing at the start; with allow_if_changes they may return as another kind.";
    "enable_dbus" => dbus.enabled:
        Kind::Flag, Harmless, "",
        "Offers the D-Bus service.";
    "enable_script_security" => scripts.security:
        Kind::Flag, Harmless, "",
        "Runs no script as root that another user could change.";
    "enable_snmp_checker" => snmp.checkers:
        Kind::Flag, Harmless, "",
        "Offers the part of KEEPALIVED-MIB about servers.";
    "enable_snmp_keepalived" = "enable_snmp_vrrp" => snmp.vrrp:
        Kind::Flag, Harmless, "",
        "The old name of enable_snmp_vrrp.";
    "enable_snmp_rfc" => snmp.rfc:
        Kind::Flag, Harmless, "",
        "Offers the MIBs of RFC 2787 and RFC 6527.";
    "enable_snmp_rfcv2" => snmp.rfc_v2:
        Kind::Flag, Harmless, "",
        "Offers the MIB of RFC 2787.";
    "enable_snmp_rfcv3" => snmp.rfc_v3:
        Kind::Flag, Harmless, "",
        "Offers the MIB of RFC 6527.";
    "enable_snmp_vrrp" => snmp.vrrp:
        Kind::Flag, Harmless, "",
        "Offers the VRRP part of KEEPALIVED-MIB.";
    "enable_traps" => snmp.traps:
        Kind::Flag, Harmless, "",
        "Sends SNMP traps.";
    "fifo_write_vrrp_states_on_reload" => fifos.states_on_reload:
        Kind::Flag, Harmless, "",
        "Writes the states into the FIFO after a reload.";
    "include_check" => include_check:
        Kind::Other("[[+|-]read|match|wildcard_match|brace_match]..."), Harmless, "",
        "Which faults of include lines are errors; alone all of them.";
    "iproute_etc_dir" => iproute_etc_dir:
        Kind::Text, Harmless, "",
        "Directory of the names of routing tables of this host.";
    "iproute_usr_dir" => iproute_usr_dir:
        Kind::Text, Harmless, "",
        "Directory of the names of routing tables that iproute2 brings.";
    "json_dump_file" => (|g, _, f, s| dumps::path(&mut g.dumps.json_file, f, s), |g, h, p| Field::show(&g.dumps.json_file, h, p)):
        Kind::Soft(&Kind::Text), Built, "",
        "Where the JSON dump goes; a directory if it ends with a slash.";
    "json_version" => (|g, h, f, s| g.dumps.read_version(h, f, s), |g, h, p| g.dumps.show_version(h, p)):
        Kind::Other("1|2"), Built, "1",
        "Layout of the JSON dump.";
    "log_unknown_vrids" => log_unknown_vrids:
        Kind::Flag, Harmless, "",
        "Logs adverts of virtual routers that are not configured.";
    "lvs_flush" => lvs.flush:
        Kind::Flag, Refused, "",
        "Empties the IPVS table at the start.";
    "lvs_flush_on_stop" => lvs.flush_on_stop:
        Kind::Other("[VS]"), Refused, "",
        "Empties the IPVS table at the end; with VS only virtual servers are removed one by one.";
    "lvs_flush_onstop" = "lvs_flush_on_stop" => lvs.flush_on_stop:
        Kind::Other("[VS]"), Refused, "",
        "The old name of lvs_flush_on_stop.";
    "lvs_netlink_cmd_rcv_bufs" => lvs.netlink_cmd_rcv_bufs:
        Kind::Soft(&Kind::number(0, U32)), Harmless, "",
        "Octets of the receive buffer of the netlink socket for commands of the checker child.";
    "lvs_netlink_cmd_rcv_bufs_force" => lvs.netlink_cmd_rcv_bufs_force:
        Kind::Bool, Harmless, "",
        "The limit of the kernel does not count for that buffer.";
    "lvs_netlink_monitor_rcv_bufs" => lvs.netlink_monitor_rcv_bufs:
        Kind::Soft(&Kind::number(0, U32)), Harmless, "",
        "Octets of the receive buffer of the netlink socket for news of the checker child.";
    "lvs_netlink_monitor_rcv_bufs_force" => lvs.netlink_monitor_rcv_bufs_force:
        Kind::Bool, Harmless, "",
        "The limit of the kernel does not count for that buffer.";
    "lvs_notify_fifo" => fifos.lvs:
        Kind::Soft(&Kind::Other("PATH [USER [GROUP]]")), Harmless, "",
        "FIFO that gets a line for changes of real servers.";
    "lvs_notify_fifo_script" => fifos.lvs_script:
        Kind::Soft(&Kind::Words), Harmless, "",
        "Program that reads lvs_notify_fifo.";
    "lvs_process_name" = "checker_process_name" => (|g, h, f, s| processes::read_old_name(&mut g.processes, h, f, s), processes::show_nothing):
        Kind::Cut(processes::NAME_MAX), Built, "",
        "The old name of checker_process_name.";
    "lvs_sync_daemon" => lvs.sync_daemon:
        Kind::Soft(&Kind::Other("INTERFACE [[inst] INSTANCE] [id 0..255] [maxlen 1..65507] [port 1..65535] [ttl 1..255] [group ADDRESS]")), Refused, "",
        "Keeps the connections of two directors alike; its role follows the instance.";
    "lvs_timeouts" => lvs.timeouts:
        Kind::Soft(&Kind::Other("[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]")), Refused, "",
        "How long the kernel keeps idle connections; 0 to 2678400 each.";
    "max_auto_priority" => (|g, _, f, s| processes::read_auto(&mut g.processes, f, s), |g, h, p| Field::show(&g.processes.max_auto_priority, h, p)):
        Kind::Other("[-1..99]"), Built, "0",
        "Highest real-time priority that a process which runs late gives to itself; alone 99, 0 or -1 for none.";
    "min_auto_priority_delay" => (|g, h, f, s| processes::read_delay(&mut g.processes, h, f, s), |g, h, p| processes::show_delay(&g.processes, h, p)):
        Kind::Soft(&Kind::Other("MICROSECONDS (1..10000000)")), Built, "1000000",
        "How late a process must run before it raises its priority.";
    "nftables" => firewall.table:
        Kind::Other("[TABLE]"), Harmless, "keepalived",
        "Rules of the firewall stand in this table of nftables.";
    "nftables_counters" => firewall.counters:
        Kind::Flag, Harmless, "",
        "Rules count packets.";
    "nftables_ifindex" => firewall.by_index:
        Kind::Flag, Harmless, "",
        "Rules name interfaces by their index.";
    "nftables_ipvs" => firewall.ipvs_table:
        Kind::Other("[TABLE]"), Harmless, "keepalived_ipvs",
        "Groups of virtual servers are marked by rules in this table of nftables.";
    "nftables_ipvs_priority" => firewall.ipvs_priority:
        Kind::number(I32_MIN, I32_MAX), Harmless, "-1",
        "Priority of the chains in that table.";
    "nftables_ipvs_start_fwmark" => firewall.ipvs_first_mark:
        Kind::number(0, U32), Harmless, "1000",
        "First firewall mark that is given to a group.";
    "nftables_priority" => firewall.priority:
        Kind::number(I32_MIN, I32_MAX), Harmless, "-1",
        "Priority of the chains in that table.";
    "no_checker_emails" => mail.no_checkers:
        Kind::Bool, Harmless, "",
        "Sends a mail when a real server comes or goes, and none for each check.";
    "no_email_faults" => mail.no_faults:
        Kind::Flag, Harmless, "",
        "Sends no mail for the state FAULT.";
    "notification_email" => mail.recipients:
        Kind::Lines("ADDRESS"), Harmless, "",
        "Who gets mails.";
    "notification_email_from" => mail.from:
        Kind::Soft(&Kind::Text), Harmless, "",
        "Who sends mails.";
    "notify_fifo" => fifos.all:
        Kind::Soft(&Kind::Other("PATH [USER [GROUP]]")), Harmless, "",
        "FIFO that gets a line for changes of virtual routers and of real servers.";
    "notify_fifo_script" => fifos.all_script:
        Kind::Soft(&Kind::Words), Harmless, "",
        "Program that reads notify_fifo.";
    "process_monitor_rcv_bufs" => process_monitor_rcv_bufs:
        Kind::Soft(&Kind::number(0, U32)), Harmless, "",
        "Octets of the receive buffer of the socket that tells of processes.";
    "process_monitor_rcv_bufs_force" => process_monitor_rcv_bufs_force:
        Kind::Bool, Harmless, "",
        "The limit of the kernel does not count for that buffer.";
    "process_name" => processes.name:
        Kind::Cut(processes::NAME_MAX), Built, "",
        "Name of the parent; 15 octets of it count.";
    "process_names" => (|g, _, f, s| processes::all_names(&mut g.processes, f, s), processes::show_nothing):
        Kind::Flag, Built, "",
        "Names the processes keepalived, keepalived_vrrp, keepalived_lvs and keepalived_bfd.";
    "random_seed" => processes.random_seed:
        Kind::number(0, U32), Built, "",
        "Seed of the random numbers, for tests.";
    "relevo_hello_interval" => hello_interval:
        Kind::Seconds { min_us: 50_000, max_us: 3_600_000_000 }, Built, "5",
        "How often the parent asks its children whether they are alive. An extension.";
    "reload_check_config" => (|g, _, f, s| g.reloading.read_check(f, s), |g, h, p| g.reloading.show_check(h, p)):
        Kind::Other("[FILE]"), Built, "",
        "A new text is always checked before it counts; with a file what is found is appended to it.";
    "reload_file" => (|g, _, f, s| g.reloading.read_marker(f, s), |g, h, p| g.reloading.show_marker(h, p)):
        Kind::Other("[FILE]"), Built, "",
        "File that is there while a new text is read.";
    "reload_repeat" => reloading.repeat:
        Kind::Flag, Built, "",
        "That file stays when its time has come.";
    "reload_time_file" => (|g, _, f, s| reloading::needed(&mut g.reloading.time_file, f, s), |g, h, p| Field::show(&g.reloading.time_file, h, p)):
        Kind::Soft(&Kind::Text), Built, "",
        "File that holds the time of the next reload.";
    "router_id" => router_id:
        Kind::Soft(&Kind::Text), Built, "",
        "Name of this host in mails and dumps; its host name without it.";
    "rs_init_notifies" => lvs.init_notifies:
        Kind::Bool, Harmless, "",
        "Notifies for the first state of each real server too.";
    "script_user" => scripts.user:
        Kind::Soft(&Kind::Other("USER [[:]GROUP]")), Harmless, "",
        "User and group that run scripts; a colon gives them the supplementary groups too. Without it keepalived_script, if there is such a user.";
    "set_supplementary_groups" => scripts.supplementary_groups:
        Kind::Bool, Harmless, "",
        "Gives scripts the supplementary groups of their user.";
    "shutdown_script" => scripts.shutdown:
        Kind::Soft(&Kind::Words), Harmless, "",
        "Program that is run when the children have ended.";
    "shutdown_script_timeout" => scripts.shutdown_timeout:
        Kind::Soft(&Kind::WholeSeconds { min: 1, max: 1_000 }), Harmless, "10",
        "How long shutdown_script may take.";
    "smtp_alert" => mail.alert:
        Kind::Bool, Harmless, "",
        "Whether mails are sent where nothing closer says so.";
    "smtp_alert_checker" => mail.alert_checker:
        Kind::Bool, Harmless, "",
        "The same for virtual and real servers.";
    "smtp_alert_vrrp" => mail.alert_vrrp:
        Kind::Bool, Harmless, "",
        "The same for virtual routers and groups of them.";
    "smtp_connect_timeout" => mail.connect_timeout:
        Kind::WholeSeconds { min: 0, max: 4_294 }, Harmless, "30",
        "How long the server may take; 0 counts as 1.";
    "smtp_helo_name" => mail.helo_name:
        Kind::Other("[NAME]"), Harmless, "",
        "Name by which the daemon greets the server; its host name without it.";
    "smtp_server" => mail.server:
        Kind::Other("HOST [PORT]"), Harmless, "",
        "Server that takes the mails; port 25 without one.";
    "snmp_rs_stats_update_interval" => lvs.rs_stats_interval:
        Kind::Seconds { min_us: 1_000, max_us: 30_000_000 }, Harmless, "",
        "The same for real servers; that of virtual servers without it.";
    "snmp_socket" => snmp.socket:
        Kind::Soft(&Kind::Text), Harmless, "",
        "Where the SNMP agent listens.";
    "snmp_vs_stats_update_interval" => lvs.vs_stats_interval:
        Kind::Seconds { min_us: 1_000, max_us: 30_000_000 }, Harmless, "5",
        "How long SNMP counters of virtual servers count as new.";
    "startup_script" => scripts.startup:
        Kind::Soft(&Kind::Words), Refused, "",
        "Program that is run before the children start.";
    "startup_script_timeout" => scripts.startup_timeout:
        Kind::Soft(&Kind::WholeSeconds { min: 1, max: 1_000 }), Harmless, "10",
        "How long startup_script may take.";
    "state_dump_file" => (|g, _, f, s| dumps::path(&mut g.dumps.state_file, f, s), |g, h, p| Field::show(&g.dumps.state_file, h, p)):
        Kind::Soft(&Kind::Text), Built, "",
        "Where the data dump goes; a directory if it ends with a slash.";
    "stats_dump_file" => (|g, _, f, s| dumps::path(&mut g.dumps.stats_file, f, s), |g, h, p| Field::show(&g.dumps.stats_file, h, p)):
        Kind::Soft(&Kind::Text), Built, "",
        "Where the dump of the counters goes; a directory if it ends with a slash.";
    "tmp_config_directory" => processes.tmp_config_directory:
        Kind::Soft(&Kind::Text), Built, "",
        "Directory of the text that the children read; without it that text is in memory only.";
    "umask" => (|g, _, f, s| processes::read_umask(&mut g.processes, f, s), |g, h, p| processes::show_umask(&g.processes, h, p)):
        Kind::Other("MASK"), Built, "0177",
        "Permission bits that no file gets; a number, or names such as IWGRP|IWOTH.";
    "use_symlink_paths" => scripts.symlink_paths:
        Kind::Bool, Harmless, "",
        "Keeps symbolic links in the paths of scripts.";
    "v3_checksum_as_v2" => v3_checksum_as_v2:
        Kind::Flag, Built, "",
        "Version 3 over IPv4 has its checksum without the pseudo header.";
    "vmac_addr_prefix" => vmac_addr_prefix:
        Kind::Name(limits::INTERFACE_NAME), Harmless, "",
        "The same for those that carry addresses of other interfaces; vmac_prefix without it.";
    "vmac_prefix" => vmac_prefix:
        Kind::Name(limits::INTERFACE_NAME), Harmless, "vrrp",
        "What the names of virtual MAC interfaces begin with.";
    "vrrp_check_unicast_src" => check_unicast_src:
        Kind::Flag, Built, "",
        "Unicast adverts count only if they come from a peer that is named.";
    "vrrp_cpu_affinity" => (|g, _, f, s| processes::read_cpus(&mut g.processes.vrrp, f, s), |g, h, p| processes::show_cpus(&g.processes.vrrp, h, p)):
        Kind::Soft(&Kind::Other("CPU...")), Built, "",
        "CPUs that the VRRP child may use; all without it.";
    "vrrp_delay_after_boot" => delay_after_boot:
        Kind::Seconds { min_us: 1_000, max_us: MAX_US }, Built, "",
        "How long after the start of the host VRRP begins.";
    "vrrp_down_timer_adverts" => down_timer_adverts:
        Kind::number_cut(1, 100), Built, "3",
        "Adverts that may be missed before the master counts as down.";
    "vrrp_garp_extra_if" => garp_extra_if:
        Kind::Soft(&Kind::Other("[all] 1..86400")), Harmless, "0",
        "How often, in seconds, gratuitous ARPs are sent on the other interfaces below a virtual MAC.";
    "vrrp_garp_interval" => garp_interval:
        Kind::Seconds { min_us: 1, max_us: MAX_US }, Built, "",
        "Least time between two gratuitous ARPs of an interface.";
    "vrrp_garp_lower_prio_delay" => (|g, h, f, s| g.garp.set(h.word.trim_start_matches("vrrp_"), f, s), |g, h, p| Field::show(&g.garp.lower_prio_delay, h, p)):
        Kind::WholeSeconds { min: 0, max: 4_294 }, Built, "",
        "The delay after an advert of lower priority was heard; vrrp_garp_master_delay without it.";
    "vrrp_garp_lower_prio_repeat" => (|g, h, f, s| g.garp.set(h.word.trim_start_matches("vrrp_"), f, s), |g, h, p| Field::show(&g.garp.lower_prio_repeat, h, p)):
        Kind::Other("COUNT"), Built, "",
        "The repetition then; vrrp_garp_master_repeat without it.";
    "vrrp_garp_master_delay" => (|g, h, f, s| g.garp.set(h.word.trim_start_matches("vrrp_"), f, s), |g, h, p| Field::show(&g.garp.master_delay, h, p)):
        Kind::WholeSeconds { min: 0, max: 4_294 }, Built, "5",
        "Seconds between the announcements of a new master and their repetition.";
    "vrrp_garp_master_refresh" => (|g, h, f, s| g.garp.set(h.word.trim_start_matches("vrrp_"), f, s), |g, h, p| Field::show(&g.garp.refresh, h, p)):
        Kind::WholeSeconds { min: 0, max: u32::MAX }, Built, "0",
        "Seconds between announcements of a master that stays; 0 for none.";
    "vrrp_garp_master_refresh_repeat" => (|g, h, f, s| g.garp.set(h.word.trim_start_matches("vrrp_"), f, s), |g, h, p| Field::show(&g.garp.refresh_repeat, h, p)):
        Kind::Other("COUNT"), Built, "1",
        "Announcements of each address at such a time; 0 counts as 1.";
    "vrrp_garp_master_repeat" => (|g, h, f, s| g.garp.set(h.word.trim_start_matches("vrrp_"), f, s), |g, h, p| Field::show(&g.garp.master_repeat, h, p)):
        Kind::Other("COUNT"), Built, "5",
        "Announcements of each address in a row; 0 counts as 1.";
    "vrrp_gna_interval" => gna_interval:
        Kind::Seconds { min_us: 1, max_us: MAX_US }, Built, "",
        "Least time between two unsolicited neighbour advertisements of an interface.";
    "vrrp_higher_prio_send_advert" => higher_prio_send_advert:
        Kind::Bool, Built, "",
        "A master sends one more advert before it gives way.";
    "vrrp_ipsets" => firewall.ipsets:
        Kind::Other("[NAME...]"), Harmless, "",
        "Names of up to six sets that those rules use; none without a name.";
    "vrrp_iptables" => firewall.iptables:
        Kind::Other("[INPUT_CHAIN [OUTPUT_CHAIN]]"), Harmless, "",
        "Rules of the firewall stand in these chains of iptables.";
    "vrrp_lower_prio_no_advert" => lower_prio_no_advert:
        Kind::Bool, Built, "",
        "A master does not answer adverts of lower priority.";
    "vrrp_mcast_group4" => (|g, _, f, s| g.read_mcast_group4(f, s), |g, h, p| show_text(g.mcast_group4, h, p)):
        Kind::Address, Built, "224.0.0.18",
        "Group that IPv4 adverts are sent to.";
    "vrrp_mcast_group6" => (|g, _, f, s| g.read_mcast_group6(f, s), |g, h, p| show_text(g.mcast_group6, h, p)):
        Kind::Address, Built, "ff02::12",
        "Group that IPv6 adverts are sent to.";
    "vrrp_min_garp" => min_garp:
        Kind::Bool, Built, "",
        "One announcement of each address and no repetition.";
    "vrrp_netlink_cmd_rcv_bufs" => netlink_cmd_rcv_bufs:
        Kind::Soft(&Kind::number(0, U32)), Built, "",
        "Octets of the receive buffer of the netlink socket for commands of the VRRP child.";
    "vrrp_netlink_cmd_rcv_bufs_force" => netlink_cmd_rcv_bufs_force:
        Kind::Bool, Built, "",
        "The limit of the kernel does not count for that buffer.";
    "vrrp_netlink_monitor_rcv_bufs" => netlink_monitor_rcv_bufs:
        Kind::Soft(&Kind::number(0, U32)), Built, "",
        "Octets of the receive buffer of the netlink socket for news of the VRRP child.";
    "vrrp_netlink_monitor_rcv_bufs_force" => netlink_monitor_rcv_bufs_force:
        Kind::Bool, Built, "",
        "The limit of the kernel does not count for that buffer.";
    "vrrp_no_swap" => processes.vrrp.no_swap:
        Kind::Flag, Built, "",
        "Locks the memory of the VRRP child.";
    "vrrp_notify_fifo" => fifos.vrrp:
        Kind::Soft(&Kind::Other("PATH [USER [GROUP]]")), Harmless, "",
        "FIFO that gets a line for changes of virtual routers.";
    "vrrp_notify_fifo_script" => fifos.vrrp_script:
        Kind::Soft(&Kind::Words), Harmless, "",
        "Program that reads vrrp_notify_fifo.";
    "vrrp_notify_priority_changes" => fifos.priority_changes:
        Kind::Bool, Harmless, "",
        "Tells changes of the effective priority too.";
    "vrrp_owner_ignore_adverts" => owner_ignore_adverts:
        Kind::Bool, Built, "",
        "The owner of the addresses (priority 255) drops adverts.";
    "vrrp_priority" => processes.vrrp.nice:
        Kind::Soft(&Kind::number(-20, 19)), Built, "0",
        "Nice value of the VRRP child.";
    "vrrp_process_name" => processes.vrrp.name:
        Kind::Cut(processes::NAME_MAX), Built, "",
        "Name of the VRRP child; 15 octets of it count.";
    "vrrp_rlimit_rtime" = "vrrp_rlimit_rttime" => (|g, _, f, s| processes::read_rttime(&mut g.processes.vrrp, f, s), |g, h, p| processes::show_rttime(&g.processes.vrrp, h, p)):
        Kind::Other("MICROSECONDS (2..4294967295)"), Built, "",
        "The old name of vrrp_rlimit_rttime.";
    "vrrp_rlimit_rttime" => (|g, _, f, s| processes::read_rttime(&mut g.processes.vrrp, f, s), |g, h, p| processes::show_rttime(&g.processes.vrrp, h, p)):
        Kind::Other("MICROSECONDS (2..4294967295)"), Built, "1000000",
        "How long the VRRP child may compute without a pause while it has a real-time priority.";
    "vrrp_rt_priority" => (|g, _, f, s| processes::read_rt(&mut g.processes.vrrp, f, s), |g, h, p| Field::show(&g.processes.vrrp.rt_priority, h, p)):
        Kind::Soft(&Kind::Other("1..99")), Built, "",
        "Real-time priority of the VRRP child; the nearest in range counts.";
    "vrrp_rx_bufs_multiplier" => (|g, h, f, s| g.receiving.read_multiples(h, f, s), |g, h, p| g.receiving.show_multiples(h, p)):
        Kind::Soft(&Kind::number(1, U32)), Built, "3",
        "How many adverts of each instance a receive buffer holds.";
    "vrrp_rx_bufs_policy" => (|g, _, f, s| g.receiving.read_policy(f, s), |g, h, p| g.receiving.show_policy(h, p)):
        Kind::Soft(&Kind::Other("MTU|ADVERT|OCTETS")), Built, "",
        "Size of the receive buffers: by the largest packet of the interface, by the size of an advert, or so many octets.";
    "vrrp_skip_check_adv_addr" => skip_check_adv_addr:
        Kind::Bool, Built, "",
        "The addresses in adverts of the known master are not compared again.";
    "vrrp_startup_delay" => startup_delay:
        Kind::Seconds { min_us: 1_000, max_us: MAX_US }, Built, "",
        "How long after the start of the daemon VRRP begins.";
    "vrrp_strict" => (|g, _, f, s| g.read_strict(f, s), |g, h, p| Field::show(&g.strict, h, p)):
        Kind::Bool, Built, "",
        "Holds every instance to the letter of the RFCs.";
    "vrrp_version" => (|g, _, f, s| set(&mut g.version, version(f, s)), |g, h, p| show_version(g.version, h, p)):
        Kind::number_cut(2, 3), Built, "2",
        "Version of the protocol where an instance names none.";
    "vrrp_vmac_garp_intvl" = "vrrp_garp_extra_if" => garp_extra_if:
        Kind::Soft(&Kind::Other("[all] 1..86400")), Harmless, "",
        "The old name of vrrp_garp_extra_if.";
};
