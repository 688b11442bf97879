//! Texts and what is said about them, with the exit code of `-t`.
//!
//! keepalived 2.2.7 was asked for each exit code. It differs where a word is not built yet, where its
//! later versions look closer (an address or peer that stands twice, `no_virtual_ipaddress`), for
//! scripts run as root, and for the mark that some editors put at the beginning of a file.

use super::super::{Severity, check_exit_code};
use super::{bare, read, with};
use crate::limits;

/// Where the lines of a case stand.
enum Text {
    /// In an instance that lacks nothing, from line 6 on.
    With(&'static str),
    /// In an instance without addresses, from line 4 on.
    Bare(&'static str),
    /// In its `virtual_ipaddress`, from line 5 on.
    Vips(&'static str),
    /// In an instance of another name behind one that lacks nothing, from line 13 on.
    Second(&'static str),
    /// Nowhere: the case is the whole text.
    Whole(&'static str),
}
use Text::{Bare, Second, Vips, Whole, With};

impl Text {
    fn text(&self) -> String {
        match self {
            With(lines) => with(lines),
            Bare(lines) => bare(lines),
            Vips(lines) => bare(&format!("virtual_ipaddress {{\n{lines}\n}}")),
            Second(lines) => with("") + &with(lines).replace("A {", "B {").replace(".100", ".101"),
            Whole(text) => (*text).to_owned(),
        }
    }
}

/// A text, `LINE:COLUMN SEVERITY FRAGMENT` for everything found, and the exit code of `-t`.
type Case = (Text, &'static [&'static str], u8);

fn check(cases: &[Case]) {
    for (text, expected, code) in cases {
        check_text(&text.text(), expected, *code);
    }
}

fn check_text(text: &str, expected: &[&str], code: u8) {
    let (_, found) = read(text);
    let shown: Vec<String> = found
        .iter()
        .map(|d| format!("{}:{} {} {}", d.line, d.column, d.severity, d.message))
        .collect();
    assert_eq!(shown.len(), expected.len(), "{text}: {shown:#?}");
    for (shown, expected) in shown.iter().zip(expected) {
        let mut parts = expected.splitn(3, ' ');
        let mut part = || parts.next().unwrap_or_default();
        let start = format!("{} {} ", part(), part());
        let matches = shown.starts_with(&start) && shown.contains(part());
        assert!(matches, "{text}: {shown} is not {expected}");
    }
    assert_eq!(check_exit_code(&found), code, "{text}: {found:#?}");
}

#[test]
fn values() {
    check(VALUES);
}

#[test]
fn cleanups() {
    check(CLEANUPS);
}

#[test]
fn addresses() {
    check(ADDRESSES);
}

#[test]
fn instances() {
    check(INSTANCES);
}

#[test]
fn words_that_are_not_built() {
    check(NOT_BUILT);
}

#[test]
fn strict_mode() {
    check(STRICT);
}

#[test]
fn announcement_intervals() {
    check(INTERVALS);
}

#[test]
fn tracking() {
    check(TRACKING);
}

#[test]
fn braces_and_quotes() {
    check(BRACES);
}

#[test]
fn a_line_has_1024_bytes() {
    let longest = "x".repeat(limits::CONFIG_LINE - 1);
    check_text(&with(&format!("#{longest}")), &[], 0);
    check_text(&with(&format!("# {longest}")), &["6:1 error ignored"], 5);
}

const VALUES: &[Case] = &[
    (With(""), &[], 0),
    (With("priority \"150\""), &[], 0),
    (With("priority 0"), &["6:10 error 100 is used"], 5),
    (With("priority 256"), &["6:10 error out of range"], 5),
    (With("priority 1x"), &["6:10 error not a whole"], 5),
    (With("priority 0x20"), &["6:10 error not a whole"], 5),
    (With("priority +010"), &[], 0),
    (With("virtual_router_id 256"), &["6:19 error ignored"], 5),
    (With("version 4"), &["6:9 error out of range"], 5),
    (With("advert_int 0"), &["6:12 error out of range"], 5),
    (With("advert_int 300"), &["6:12 error out of range"], 5),
    (With("advert_int -1"), &["6:12 error negative"], 5),
    (With("advert_int 1x"), &["6:12 error not a number"], 5),
    (With("advert_int 1.5"), &["6:12 error becomes 2 s"], 5),
    (With("advert_int 0.1"), &["6:12 error becomes 1 s"], 5),
    (With("version 3\nadvert_int 41"), &["7:12 error 40.95 s"], 5),
    (
        With("version 3\nadvert_int 0.015"),
        &["7:12 error 0.02 s"],
        5,
    ),
    (With("version 3\nadvert_int 40.95"), &[], 0),
    (With("state master"), &["6:7 error BACKUP is used"], 5),
    (
        With("state MASTER\nstate BACKUP"),
        &["7:7 error ignored"],
        5,
    ),
    (With("lower_prio_no_advert 1"), &["6:22 error neither"], 5),
    (With("lower_prio_no_advert off"), &[], 0),
    (With("garp_master_delay -1"), &["6:19 error negative"], 5),
    (With("garp_master_delay 1.5"), &["6:19 error 1 is used"], 5),
    (With("garp_master_delay abc"), &["6:19 error 0 is used"], 5),
    (With("garp_master_repeat 0"), &["6:20 error 1 is used"], 5),
    (With("garp_lower_prio_repeat 0"), &[], 0),
    (With("down_timer_adverts 101"), &["6:20 error out of"], 5),
    (With("preempt_delay 1001"), &["6:15 error 0 is used"], 5),
    (With("unicast_ttl 256"), &["6:13 error out of range"], 5),
    (With("debug 9"), &["6:7 error out of range"], 5),
    (With("debug 1"), &["6:1 warning not built"], 0),
    (
        With("authentication {\nauth_type PASS\nauth_pass ab\"cd\"\n}"),
        &["8:13 warning behind the password"],
        0,
    ),
    (With("priority 100 200"), &["6:14 warning `200`"], 0),
    (With("nopreempt off"), &["6:11 warning setting is on"], 0),
    (
        With("skip_check_adv_addr off"),
        &["6:1 warning any value"],
        0,
    ),
    (With("priority"), &["6:1 fatal needs a value"], 2),
    (With("notify_master"), &["6:1 fatal needs a value"], 2),
    // What stands behind a missing value is not read.
    (
        With("priority\nfoo\nvirtual_router_id x"),
        &["6:1 fatal needs"],
        2,
    ),
    (
        Whole("global_defs {\nrouter_id\n}"),
        &["2:1 error needs a value"],
        5,
    ),
    (
        Whole("global_defs {\nvrrp_version\n}"),
        &["2:1 fatal needs"],
        2,
    ),
    (
        Whole("global_defs {\nvrrp_mcast_group4 10.0.0.1\n}"),
        &["2:19 error not an IPv4 multicast"],
        5,
    ),
    (
        Whole("global_defs {\nvrrp_mcast_group6 ff05::12\n}"),
        &["2:19 warning beyond the link"],
        5,
    ),
];

const CLEANUPS: &[Case] = &[
    (
        With("unicast_peer {\n10.0.0.3\n}\nold_unicast_checksum bla"),
        &["9:22 error ignored"],
        5,
    ),
    (
        With("old_unicast_checksum never"),
        &["6:1 deprecated group"],
        5,
    ),
    (
        With(
            "unicast_peer {\n10.0.0.2 min_ttl 3 max_ttl 2\n10.0.0.3 min_ttl 256\n10.0.0.4 max_ttl\n10.0.0.6 ttl 3\n10.0.0.7 min_ttl 4 max_ttl 9\n}",
        ),
        &[
            "7:10 error every packet",
            "8:18 error out of range",
            "9:10 error needs a value",
            "10:10 error not an option",
        ],
        5,
    ),
    (With("nopreempt\ntimer_expired_backup"), &[], 0),
    (With("nopreempt\nthread_timer_expired 200"), &[], 0),
    (
        With("nopreempt\ntimer_expired_backup 255"),
        &["7:22 error out of range"],
        5,
    ),
    (
        With("timer_expired_backup 200"),
        &["6:22 error without `nopreempt`"],
        5,
    ),
    (
        Whole(
            "global_defs {\nvrrp_startup_delay 0\nvrrp_delay_after_boot x\nv3_checksum_as_v2 off\n}",
        ),
        &[
            "2:20 error out of range",
            "3:23 error not a number",
            "4:19 warning is on",
        ],
        5,
    ),
    (
        Whole("global_defs {\nrelevo_hello_interval 0.049\nrelevo_hello_interval 1h\n}"),
        &["2:23 error out of range", "3:23 error not a number"],
        5,
    ),
    (
        Whole("child_wait_time 2.5\nchild_wait_time -1\nchild_wait_time 9"),
        &["1:17 error not a whole number", "2:17 error negative"],
        5,
    ),
    (With("state MASTER\nnopreempt"), &["7:1 error MASTER"], 5),
    (
        With("priority 255\nnopreempt"),
        &["7:1 error priority 255"],
        5,
    ),
    (With("nopreempt\nstate BACKUP"), &[], 0),
    (With("state MASTER\nnopreempt\npreempt"), &[], 0),
    (
        With("state MASTER\npreempt_delay 9"),
        &["7:15 error MASTER"],
        5,
    ),
    (
        With("nopreempt\npreempt_delay 9"),
        &["7:15 error `nopreempt`"],
        5,
    ),
    (
        With("authentication {\nauth_type PASS\nauth_pass 123456789\n}"),
        &["8:11 error first 8"],
        5,
    ),
    (
        With("authentication {\nauth_type PASS\n}"),
        &["7:11 error no password"],
        5,
    ),
    (
        With("authentication {\nauth_pass a\n}"),
        &["7:11 warning not used"],
        0,
    ),
    (
        With("version 3\nauthentication {\nauth_type PASS\nauth_pass 1\n}"),
        &["8:11 error ignored"],
        5,
    ),
    (
        With("authentication {\nauth_type NONE\n}"),
        &["7:11 error no authentication"],
        5,
    ),
    (
        With("authentication {\nauth_type FOO\n}"),
        &["7:11 error not a kind"],
        5,
    ),
    (
        With("unicast_src_ip 10.0.0.2"),
        &["6:1 deprecated multicast group"],
        5,
    ),
    (With("check_unicast_src"), &["6:1 deprecated group"], 5),
    (With("unicast_peer {\n}"), &["6:1 deprecated group"], 5),
    (
        With("unicast_peer {\n10.0.0.300\n}"),
        &["6:1 deprecated group", "7:1 error not an IPv4"],
        5,
    ),
    (With("mcast_src_ip 10.0.0.2"), &[], 0),
    (With("unicast_ttl 9"), &["6:13 error TTL is 255"], 5),
    (
        With("mcast_dst_ip 224.0.0.19\nunicast_peer {\n10.0.0.3\n}"),
        &["6:14 error not used"],
        5,
    ),
    (
        With("unicast_peer {\n10.0.0.3 10.0.0.4\n}"),
        &["7:10 error not an option of a peer"],
        5,
    ),
    (
        With("unicast_peer {\n10.0.0.3\n10.0.0.3\n}"),
        &["8:1 error already on line 7"],
        5,
    ),
    (With("mcast_dst_ip 10.0.0.1"), &["6:14 error group"], 5),
    (With("mcast_src_ip fe80::1"), &["6:14 error not IPv4"], 5),
    (
        With("mcast_src_ip 10.0.0.2/24"),
        &["6:14 warning only 10.0.0.2"],
        0,
    ),
    (With("native_ipv6"), &["6:1 error IPv4 address"], 5),
    (With("interface tun0"), &["6:11 error cannot send"], 5),
    (With("interface tun0\nunicast_peer {\n10.0.0.3\n}"), &[], 0),
];

const ADDRESSES: &[Case] = &[
    (
        Vips("10.0.0.1/24 brd + dev eth1 scope link label e:1 noprefixroute"),
        &[],
        0,
    ),
    (Vips("10.0.0.1/24 broadcast 10.0.0.255"), &[], 0),
    (Vips("fe80::1/64 -nodad"), &[], 0),
    (Vips("10.0.0.1 10.0.0.2"), &["5:10 error not an option"], 5),
    (
        Vips("10.0.0.1 scop link"),
        &["5:10 error `scop`", "5:15 error `link`"],
        5,
    ),
    (Vips("10.0.0.1/33"), &["5:10 error /32 is used"], 5),
    (Vips("10.0.0.1/24\n10.0.0.1"), &["6:1 error twice"], 5),
    (Vips("10.0.0.1\n10.0.0.1 dev eth1"), &["6:1 error twice"], 5),
    (Vips("10.0.0.1\nfe80::1"), &["6:1 error not IPv4"], 5),
    (
        Vips("10.0.0.2\n10.0.0.1 dev eth9"),
        &["6:14 fatal no interface `eth9`"],
        5,
    ),
    (
        Vips("10.0.0.2\n10.0.0.1 dev eth0 dev eth1"),
        &["6:19 error twice"],
        5,
    ),
    (
        Vips("10.0.0.2\n10.0.0.1 dev a123456789012345"),
        &["6:14 error dropped"],
        5,
    ),
    (Vips("10.0.0.1 peer 10.0.0.2"), &["5:10 refused `peer`"], 5),
    (Vips("10.0.0.1 no_track"), &["5:10 refused `no_track`"], 5),
    (Vips("10.0.0.1 use_vmac"), &["5:10 refused `use_vmac`"], 5),
    (Vips("fe80::1 home"), &["5:9 warning without it"], 0),
    (Vips("10.0.0.1/31 brd +"), &["5:17 error no broadcast"], 5),
    (
        Vips("10.0.0.2\n10.0.0.1 brd 1.2"),
        &["6:14 error dropped"],
        5,
    ),
    (Vips("fe80::2\nfe80::1 brd +"), &["6:9 error dropped"], 5),
    (Vips("10.0.0.1 scope 256"), &["5:16 error not a scope"], 5),
    (Vips("fe80::1 label a"), &["5:9 error no label"], 5),
    (Vips("fe80::1 scope link"), &["5:9 error ignored"], 5),
    (
        Vips("10.0.0.2\n10.0.0.1 label a123456789012345"),
        &["6:16 error dropped"],
        5,
    ),
    (Vips("10.0.0.1\n10.0.0.2 dev"), &["6:10 error dropped"], 5),
    (Vips("fd00::1"), &["5:1 warning link-local"], 0),
    (
        Vips("fe80::1 preferred_lft 30"),
        &["5:23 warning forever"],
        0,
    ),
    (Vips("fe80::1/64 preferred_lft 0"), &[], 0),
    (Vips("10.0.0.1\nfoo"), &["6:1 error not an IPv4"], 5),
    (
        Vips("10.0.0.1\nx {\n}"),
        &["6:1 error not an", "6:3 error no block"],
        5,
    ),
    (Bare(""), &["1:15 error no address"], 5),
    (Bare("no_virtual_ipaddress"), &[], 0),
    (Bare("version 3"), &["1:15 fatal version 3 needs"], 5),
    (
        Bare("virtual_ipaddress {\n10.0.0.1\n}\nvirtual_ipaddress_excluded {\n10.0.0.1\n}"),
        &["8:1 error twice"],
        5,
    ),
    (
        Bare("virtual_ipaddress {\n1.0.0.1\n}\nvirtual_ipaddress_excluded {\n1.0.0.1 dev eth1\n}"),
        &[],
        0,
    ),
    (
        Bare("virtual_ipaddress_excluded {\nfe80::1\n}\nvirtual_ipaddress {\n10.0.0.1\n}"),
        &[],
        0,
    ),
];

const INSTANCES: &[Case] = &[
    (
        Whole("vrrp_instance A {\ninterface eth0\n}"),
        &["1:15 fatal virtual_router_id"],
        5,
    ),
    (
        Whole("vrrp_instance A {\nvirtual_router_id 1\n}"),
        &["1:15 fatal `interface`"],
        5,
    ),
    (
        Whole("vrrp_instance A {\nvirtual_router_id 1\nunicast_src_ip 10.0.0.1\n}"),
        &["1:15 refused without `interface`"],
        5,
    ),
    (With("interface eth9"), &["6:11 fatal no interface"], 5),
    (With("interface lo"), &["6:11 fatal loopback"], 5),
    (
        With("interface a123456789012345"),
        &["6:11 error too long"],
        5,
    ),
    (Whole("vrrp_instance {\n}"), &["1:1 error one name"], 5),
    (Whole("vrrp_instance A B {\n}"), &["1:1 error one name"], 5),
    (
        Whole("vrrp_instance A {\n}\nvrrp_instance A {\n}\nvrrp_instance A {\n}"),
        &[
            "1:15 fatal virtual_router_id",
            "1:15 fatal interface",
            "3:15 error already on line 1",
            "5:15 error already on line 1",
        ],
        5,
    ),
    (Second(""), &["10:19 fatal both use VRID 51"], 5),
    (Second("virtual_router_id 52"), &[], 0),
    (Second("interface eth1"), &[], 0),
    (Second("unicast_peer {\n10.0.0.3\n}"), &[], 0),
    (Second("mcast_dst_ip 224.0.0.19"), &[], 0),
    (
        Whole(
            "global_defs {\ndynamic_interfaces\n}\nvrrp_instance A {\ninterface eth9\n\
             virtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1 dev eth8\n}\n}",
        ),
        &[],
        0,
    ),
    (
        Whole("global_defs {\ndynamic_interfaces allow_if_changes\n}"),
        &[],
        0,
    ),
    (
        Whole("global_defs {\ndynamic_interfaces always\n}"),
        &["2:20 error not an option"],
        5,
    ),
    (
        Whole("global_defs {\nvrrp_netlink_cmd_rcv_bufs\nvrrp_netlink_cmd_rcv_bufs_force\n}"),
        &["2:1 error needs a value"],
        5,
    ),
    (
        Whole("global_defs {\nvrrp_netlink_monitor_rcv_bufs 12x\n}"),
        &["2:31 error not a whole number"],
        5,
    ),
    (
        Whole("global_defs {\nvrrp_netlink_monitor_rcv_bufs_force maybe\n}"),
        &["2:37 error `maybe`"],
        5,
    ),
];

const STRICT: &[Case] = &[
    (
        With("strict_mode"),
        &["6:1 refused dropping the packets to the addresses of `A`"],
        5,
    ),
    (
        Whole(
            "global_defs {\nvrrp_strict\n}\nvrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n}",
        ),
        &["2:1 refused dropping"],
        5,
    ),
    (With("version 3\naccept\nstrict_mode"), &[], 0),
    (
        With("accept\nstrict_mode"),
        &["6:1 error version 2", "7:1 refused dropping"],
        5,
    ),
    (
        With("version 3\naccept\nstrict_mode\nstate MASTER"),
        &["9:7 error BACKUP is used"],
        5,
    ),
    (With("strict_mode\npriority 255"), &[], 0),
    (
        With("strict_mode\npriority 255\nstate BACKUP"),
        &["8:7 error MASTER is used"],
        5,
    ),
    (
        With("strict_mode\npriority 255\nauthentication {\nauth_type PASS\nauth_pass x\n}"),
        &["9:11 error no authentication"],
        5,
    ),
    (
        With("version 3\naccept\nstrict_mode\npreempt_delay 4"),
        &["9:15 error strict mode"],
        5,
    ),
    (
        With("version 3\naccept\nstrict_mode\ndown_timer_adverts 4"),
        &["1:15 error three missed"],
        5,
    ),
    (
        With("version 3\naccept\nstrict_mode\ngarp_lower_prio_repeat 1\nlower_prio_no_advert off"),
        &[
            "1:15 error `garp_lower_prio_repeat`",
            "1:15 error `lower_prio_no_advert off`",
        ],
        5,
    ),
    (
        With("version 3\naccept\nstrict_mode\nhigher_prio_send_advert"),
        &["1:15 error `higher_prio_send_advert`"],
        5,
    ),
    (
        With("version 3\naccept\nstrict_mode\nunicast_peer {\n10.0.0.3\n}"),
        &["9:1 fatal no unicast"],
        5,
    ),
    (
        Bare("version 3\naccept\nstrict_mode\nno_virtual_ipaddress"),
        &["1:15 fatal strict mode needs one"],
        5,
    ),
    (
        Bare("version 2\naccept\nstrict_mode\nvirtual_ipaddress {\nfe80::1\n}"),
        &["4:9 error version 3 only"],
        5,
    ),
    (
        Bare("accept\nstrict_mode\nvirtual_ipaddress {\nfd00::1\n}"),
        &["7:1 error link-local"],
        5,
    ),
];

const INTERVALS: &[Case] = &[
    (
        Whole("global_defs {\nvrrp_garp_interval 0.001\nvrrp_gna_interval 4294.967295\n}"),
        &[],
        0,
    ),
    (
        Whole("global_defs {\nvrrp_garp_interval 0\nvrrp_gna_interval -1\n}"),
        &["2:20 error out of range", "3:19 error negative"],
        5,
    ),
    (
        Whole("global_defs {\nvrrp_gna_interval\n}"),
        &["2:1 fatal needs"],
        2,
    ),
    (
        Whole("garp_group {\n}"),
        &["1:1 error no `garp_interval`"],
        5,
    ),
    (
        Whole("garp_group {\ngarp_interval x\ngna_interval 2148\ninterface eth0\n}"),
        &[
            "1:1 error left out",
            "2:15 error not a number",
            "3:14 error out of range",
        ],
        5,
    ),
    (
        Whole("garp_group {\ngarp_interval 1\n}"),
        &["1:1 error no interface"],
        5,
    ),
    (
        Whole(
            "garp_group {\ngarp_interval 1\ninterfaces {\neth0 eth1\neth1\n}\n}\n\
             garp_group {\ngna_interval 0.5\ninterface eth0\ninterface tun0\nintervall 3\n}",
        ),
        &[
            "5:1 error already",
            "10:11 error already",
            "12:1 error `intervall`",
        ],
        5,
    ),
];

const NOT_BUILT: &[Case] = &[
    (With("prority 100"), &["6:1 error `prority`"], 5),
    (
        With("frobnicate {\npriority 1\nx {\n}\n}"),
        &["6:1 error block are skipped"],
        5,
    ),
    (Whole("priority 100"), &["1:1 error outside all blocks"], 5),
    (
        With("notify_master /bin/true"),
        &["6:1 warning without it"],
        0,
    ),
    (
        With("track_script {\na\n}"),
        &["6:1 refused `track_script`", "7:1 error no vrrp_script `a`"],
        5,
    ),
    (With("use_vmac"), &["6:1 refused `use_vmac`"], 5),
    (With("no_accept"), &["6:1 refused `no_accept`"], 5),
    (With("strict_mode off\naccept"), &[], 0),
    (
        With("authentication {\nauth_type AH\n}"),
        &["7:11 refused `auth_type AH`"],
        5,
    ),
    (With("unicast_peer {\n10.0.0.3 min_ttl 3\n}"), &[], 0),
    (
        Bare("version 2\nvirtual_ipaddress {\nfe80::1\n}"),
        &["4:9 refused version 2 with IPv6"],
        5,
    ),
    (
        Whole("vrrp_sync_group G {\ngroup {\nA\n}\n}"),
        &[
            "1:1 refused `vrrp_sync_group`",
            "3:1 error no vrrp_instance",
        ],
        5,
    ),
    (
        Whole(
            "virtual_server 10.0.0.1 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n\
             real_server 10.0.0.2 80 {\n}\n}",
        ),
        &["1:1 refused `virtual_server`"],
        5,
    ),
    (
        Whole("global_defs {\nenable_traps\nsnmp_socket unix:/x\n}"),
        &["2:1 warning", "3:1 warning"],
        0,
    ),
    (
        With("authentication {\nauth_type PASS\nauth_pass a$b\n}"),
        &[],
        0,
    ),
    (
        Whole("global_defs {\nnotification_email {\na@b\n}\nsmtp_server 10.0.0.1\n}"),
        &["2:1 warning without it", "5:1 warning without it"],
        0,
    ),
    (Whole("global_defs {\nvrrp_strict no\n}"), &[], 0),
];

const BRACES: &[Case] = &[
    (Whole(""), &[], 0),
    (Whole("global_defs\n\n# c\n{\nrouter_id a\n}"), &[], 0),
    (
        Whole("global_defs { router_id a } use_pid_dir x"),
        &["1:41 warning use_pid_dir"],
        0,
    ),
    (
        Whole("global_defs\nrouter_id a\n}"),
        &["1:1 error not followed by `{`"],
        5,
    ),
    (
        Whole("global_defs\nvrrp_instance A {\n}"),
        &[
            "1:1 error not followed by a block",
            "2:15 fatal virtual_router_id",
            "2:15 fatal interface",
        ],
        5,
    ),
    (
        Whole("global_defs {\nrouter_id a"),
        &["1:1 error no `}` before the end of the file"],
        5,
    ),
    (
        Whole("global_defs {\nrouter_id a\nglobal_defs {\nrouter_id b\n}"),
        &["1:1 error no `}` before `global_defs` on line 3"],
        5,
    ),
    (
        Whole("global_defs {\nnotification_email {\na@b\n"),
        &[
            "1:1 error no `}`",
            "2:1 error no `}`",
            "2:1 warning without it",
        ],
        5,
    ),
    (
        Whole("global_defs {\n}\n}"),
        &["3:1 error closes nothing"],
        5,
    ),
    (With("{\npriority 0\n}"), &["6:1 error follows no word"], 5),
    (
        With("state MASTER {\nfoo\n}"),
        &["6:14 error takes no block"],
        5,
    ),
    (
        With("unicast_peer"),
        &["6:1 error not followed by a block", "6:1 deprecated group"],
        5,
    ),
    (
        With("unicast_peer a {\n10.0.0.3\n}"),
        &["6:14 error stands between"],
        5,
    ),
    (
        With("authentication {\nauth_type PASS\nauth_pass \"a{b\"\n}"),
        &[],
        0,
    ),
    (With("priority 9 \"a"), &["6:12 error double quote"], 5),
    (
        With("priority \"9"),
        &["6:1 fatal needs a value", "6:10 error double quote"],
        2,
    ),
    (With("priority 9 # \"\n! { \"\n#}"), &[], 0),
    (With("priority 9\r\n# a\r"), &[], 0),
    (Whole("\u{feff}global_defs {\n}"), &[], 0),
];

/// Of a block that is not built yet and has a mistake inside, and of the mistake: both are said.
const TRACKING: &[Case] = &[
    (
        With("track_interface {\neth1 weight -254\n}"),
        &["7:13 error -253 is used"],
        5,
    ),
    (
        With("track_interface {\neth1 reverse\n}"),
        &["7:6 error not known here"],
        5,
    ),
    (
        With("track_interface {\neth0\n}"),
        &["6:1 refused", "7:1 error counts anyway"],
        5,
    ),
    (
        With("track_interface {\neth1\neth1 weight 3\n}"),
        &["8:1 error already on line 7"],
        5,
    ),
    (
        With("track_interface {\neth9\n}"),
        &["6:1 refused", "7:1 fatal no interface `eth9`"],
        5,
    ),
    (
        With("track_script {\na weight 1 weight 2\n}"),
        &["7:12 error not known here"],
        5,
    ),
    (
        With("track_bfd {\na weight 254\n}"),
        &["7:10 error out of range"],
        5,
    ),
    (
        With("track_process {\na weight 254\n}"),
        &["6:1 refused", "7:1 error no vrrp_track_process `a`"],
        5,
    ),
    (
        Whole(
            "vrrp_script check {\nscript /bin/true\n}\nvrrp_instance A {\ninterface eth0\n\
             virtual_router_id 1\nvirtual_ipaddress { 10.0.0.1 }\ntrack_script {\nchekc\nlate\n}\n}\n\
             vrrp_script late {\nscript /bin/true\n}",
        ),
        &[
            "1:1 refused",
            "8:1 refused",
            "9:1 error no vrrp_script `chekc`",
            "10:1 error stands behind this, on line 13",
            "13:1 refused",
        ],
        5,
    ),
    (
        With("vmac_xmit_base"),
        &["6:1 refused", "6:1 error without `use_vmac`"],
        5,
    ),
    (
        With("notify_master /a\nnotify_master /b"),
        &["6:1 warning", "7:1 error already on line 6"],
        5,
    ),
    (
        Whole("vrrp_script a {\ninterval 0\n}"),
        &["1:13 error no `script`", "2:10 error 1 is used"],
        5,
    ),
    (Whole("vrrp_script {\n}"), &["1:1 fatal needs a value"], 2),
    (
        Whole("vrrp_sync_group G x {\ngroup { A }\n}"),
        &["1:1 error has one name"],
        5,
    ),
    (
        Whole("bfd_instance a {\nneighbor_ip 10.0.0.1\nmax_hops 7\nttl 6\n}"),
        &["3:10 error more than the TTL 6"],
        5,
    ),
    (
        Whole("linkbeat_interfaces {\neth9\n}"),
        &["1:1 refused", "2:1 fatal no interface"],
        5,
    ),
];

/// Two instances, what `G` has besides its members, and what the first one has.
fn group(of_group: &str, of_a: &str) -> String {
    format!(
        "vrrp_script s {{\nscript /bin/true\nweight 4\n}}\n{}\
         vrrp_instance B {{\ninterface eth1\nvirtual_router_id 52\n\
         virtual_ipaddress {{ 10.0.0.101/24 }}\n}}\n\
         vrrp_sync_group G {{\ngroup {{ A B }}\n{of_group}\n}}\n",
        with(of_a)
    )
}

/// The messages about groups that 2.2.7 has too.
#[test]
fn groups() {
    let errors = |text: &str| {
        let (_, found) = read(text);
        let found = found.iter().filter(|it| it.severity == Severity::Error);
        let shown: Vec<_> = found.map(|it| it.message.clone()).collect();
        shown.join("; ")
    };
    assert_eq!(errors(&group("", "")), "");
    let weighted = "track_script { s }";
    assert!(errors(&group("", weighted)).contains("`s` has a weight"));
    assert_eq!(errors(&group("", "track_script { s weight 0 }")), "");
    assert_eq!(errors(&group("sync_group_tracking_weight", weighted)), "");
    assert_eq!(errors(&group(weighted, "")), "");
    let down = "track_interface { tun0 weight 3 }";
    assert!(errors(&group("", down)).contains("takes this weight off"));
    assert!(
        errors(&group(
            "track_interface { tun0 }",
            "track_interface { tun0 }"
        ))
        .contains("both")
    );
    assert!(errors(&group("track_interface { eth1 }", "")).contains("`B` both by itself"));
    let member = |names: &str| errors(&group("", "").replace("{ A B }", names));
    assert!(member("{ A C }").contains("no vrrp_instance `C`"));
    assert!(member("{ A }").contains("one member only"));
    assert!(member("{ C D }").contains("no vrrp_instance `D`"));
    assert!(member("{ }").contains("names no instance"));
    assert!(member("{ A A }").contains("already, and can be in one only"));
    let second = format!("{}vrrp_sync_group H {{ group {{ A B }} }}\n", group("", ""));
    assert!(errors(&second).contains("`A` is in the sync group `G` already"));
}
