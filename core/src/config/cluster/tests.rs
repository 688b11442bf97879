//! Two files, what differs between them, and the findings.

use super::*;
use crate::config::{Checked, Code, HostFacts, check};

/// Lines of the two nodes that differ from a sound pair, and `NODE:LINE CODE` for each finding.
struct Case {
    /// Lines of `global_defs` and others of the top level.
    tops: [&'static str; 2],
    /// Lines of the instance, from line 8 on.
    lines: [&'static str; 2],
    expected: &'static [&'static str],
}

/// A sound pair: VI_1 with 10.0.0.100, VRID 51, priorities 150 and 100.
fn text(priority: &str, top: &str, lines: &str) -> String {
    let has = |word: &str| {
        lines
            .lines()
            .any(|line| line.split(' ').next() == Some(word))
    };
    let usual = |word: &str, line: &str| {
        if has(word) {
            "#".to_owned()
        } else {
            line.to_owned()
        }
    };
    [
        "vrrp_instance VI_1 {".to_owned(),
        "interface eth0".to_owned(),
        usual("virtual_router_id", "virtual_router_id 51"),
        usual("priority", &format!("priority {priority}")),
        if has("virtual_ipaddress") {
            "#".to_owned()
        } else {
            "virtual_ipaddress { 10.0.0.100/24 }".to_owned()
        },
        "#".to_owned(),
        "#".to_owned(),
        lines.to_owned(),
        "}".to_owned(),
        top.to_owned(),
    ]
    .join("\n")
}

fn compared(files: &[(&str, String)]) -> Vec<String> {
    let checked: Vec<(&str, Checked)> = files
        .iter()
        .map(|(name, text)| (*name, check(name, text, &HostFacts::default())))
        .collect();
    let nodes: Vec<Node<'_>> = checked
        .iter()
        .map(|(name, checked)| Node {
            name,
            config: &checked.config,
            bound: &checked.bound,
        })
        .collect();
    let found = compare(&nodes);
    for finding in &found {
        assert!(!finding.message.contains("s3cr3t"), "{finding}");
        assert!(finding.line > 0 && finding.column > 0, "{finding}");
    }
    let shown = found.iter();
    shown
        .map(|it| format!("{}:{} {}", it.file, it.line, it.code))
        .collect()
}

fn run(cases: &[Case]) {
    for case in cases {
        let files = [
            ("a", text("150", case.tops[0], case.lines[0])),
            ("b", text("100", case.tops[1], case.lines[1])),
        ];
        assert_eq!(compared(&files), case.expected, "{:?}", case.lines);
    }
}

const fn lines(a: &'static str, b: &'static str, expected: &'static [&'static str]) -> Case {
    Case {
        tops: ["", ""],
        lines: [a, b],
        expected,
    }
}

const fn tops(a: &'static str, b: &'static str, expected: &'static [&'static str]) -> Case {
    Case {
        tops: [a, b],
        lines: ["", ""],
        expected,
    }
}

#[test]
fn a_sound_pair_is_sound() {
    run(&[
        lines("", "", &[]),
        lines("state MASTER", "state BACKUP", &[]),
        lines("nopreempt", "nopreempt", &[]),
        lines("preempt_delay 5", "", &[]),
        lines(
            "unicast_src_ip 10.0.0.1\nunicast_peer { 10.0.0.2 }",
            "unicast_src_ip 10.0.0.2\nunicast_peer { 10.0.0.1 }",
            &[],
        ),
        lines(
            "authentication {\nauth_type PASS\nauth_pass s3cr3t\n}",
            "authentication {\nauth_type PASS\nauth_pass s3cr3t\n}",
            &[],
        ),
    ]);
}

#[test]
fn settings_that_must_agree() {
    run(&[
        lines("", "virtual_router_id 52", &["b:8 cluster-vrid"]),
        lines("version 3", "version 2", &["b:8 cluster-version"]),
        lines("advert_int 2", "advert_int 1", &["b:8 cluster-interval"]),
        lines(
            "version 3\nadvert_int 0.5",
            "version 3\nadvert_int 0.6",
            &["b:9 cluster-interval"],
        ),
        lines(
            "authentication {\nauth_type PASS\nauth_pass s3cr3t\n}",
            "",
            &["b:1 cluster-auth"],
        ),
        lines(
            "authentication {\nauth_type PASS\nauth_pass s3cr3t\n}",
            "authentication {\nauth_type PASS\nauth_pass s3cr3t2\n}",
            &["b:10 cluster-password"],
        ),
        lines("mcast_dst_ip 224.0.0.19", "", &["b:1 cluster-group"]),
        lines(
            "unicast_src_ip 10.0.0.1\nunicast_peer { 10.0.0.2 }",
            "mcast_src_ip 10.0.0.2",
            &["b:1 cluster-transport"],
        ),
        lines(
            "virtual_ipaddress { fe80::1 }",
            "version 3\nvirtual_ipaddress { 10.0.0.100 }",
            &["b:1 cluster-family", "b:9 cluster-addresses"],
        ),
    ]);
}

#[test]
fn settings_that_should_agree() {
    run(&[
        lines(
            "version 3\naccept\nstrict_mode",
            "version 3",
            &["b:1 cluster-strict"],
        ),
        lines(
            "version 3\nv3_checksum_as_v2",
            "version 3",
            &["b:1 cluster-checksum"],
        ),
        lines("down_timer_adverts 4", "", &["b:1 cluster-down-timer"]),
        lines("lower_prio_no_advert", "", &["b:1 cluster-lower-prio"]),
        lines("higher_prio_send_advert", "", &["b:1 cluster-higher-prio"]),
        lines("garp_master_delay 1", "", &["b:1 cluster-garp"]),
        tops(
            "global_defs {\nrouter_id x\n}",
            "global_defs {\nrouter_id x\n}",
            &["b:1 cluster-router-id"],
        ),
        tops(
            "global_defs {\nvrrp_startup_delay 4\n}",
            "",
            &["b:1 cluster-startup-delay"],
        ),
    ]);
    let strict = |lines: &str, priority: &str| {
        text(priority, "", &format!("version 3\nstrict_mode\n{lines}"))
    };
    let files = [
        ("a", strict("accept", "150")),
        ("b", strict("priority 255", "255")),
    ];
    let found = compared(&files);
    assert!(
        found.contains(&"b:1 cluster-accept".to_owned()),
        "{found:?}"
    );
}

#[test]
fn addresses_are_the_same_everywhere() {
    run(&[
        lines(
            "virtual_ipaddress {\n10.0.0.100/24\n10.0.0.101/24\n}",
            "",
            &["b:1 cluster-addresses"],
        ),
        lines(
            "",
            "virtual_ipaddress {\n10.0.0.100/24\n10.0.0.101/24\n}",
            &["b:10 cluster-addresses"],
        ),
        lines(
            "virtual_ipaddress { 10.0.0.100 }",
            "",
            &["b:5 cluster-prefix"],
        ),
        lines(
            "virtual_ipaddress_excluded { 10.0.0.101 }",
            "virtual_ipaddress_excluded { 10.0.0.102 }",
            &["b:8 cluster-excluded"],
        ),
        tops(
            "vrrp_instance VI_2 {\ninterface eth0\nvirtual_router_id 52\nvirtual_ipaddress { 10.0.0.9 }\n}",
            "vrrp_instance VI_3 {\ninterface eth0\nvirtual_router_id 53\npriority 90\n\
             virtual_ipaddress { 10.0.0.8 }\nvirtual_ipaddress_excluded { 10.0.0.100 }\n}",
            &[
                "a:10 cluster-alone",
                "b:10 cluster-alone",
                "b:15 cluster-address-clash",
            ],
        ),
    ]);
}

#[test]
fn elections_settle_as_written() {
    run(&[
        lines(
            "priority 100\nskip_check_adv_addr",
            "priority 100",
            &["b:8 cluster-priority"],
        ),
        lines(
            "priority 255\nskip_check_adv_addr",
            "priority 255",
            &["b:8 cluster-owners"],
        ),
        lines("state MASTER", "state MASTER", &["b:8 cluster-masters"]),
        lines("state BACKUP", "state MASTER", &["b:8 cluster-state"]),
        lines("", "nopreempt", &["a:4 cluster-preempt"]),
        lines("nopreempt", "", &[]),
        lines("", "preempt_delay 5", &["b:8 cluster-preempt-delay"]),
        lines(
            "nopreempt\ntimer_expired_backup 90",
            "nopreempt\ntimer_expired_backup",
            &["a:9 cluster-rival"],
        ),
    ]);
}

#[test]
fn peers_name_each_other() {
    run(&[
        lines(
            "unicast_src_ip 10.0.0.1\nunicast_peer { 10.0.0.2 }",
            "unicast_src_ip 10.0.0.2\nunicast_peer { 10.0.0.3 }",
            &["a:9 cluster-peer-missing", "b:9 cluster-peer-unknown"],
        ),
        lines(
            "unicast_src_ip 10.0.0.1\nunicast_peer {\n10.0.0.1\n10.0.0.2\n}",
            "unicast_src_ip 10.0.0.2\nunicast_peer { 10.0.0.1 }",
            &["a:10 cluster-peer-self"],
        ),
        lines(
            "unicast_peer { 10.0.0.2 }",
            "unicast_src_ip 10.0.0.2\nunicast_peer { 10.0.0.1 }",
            &["a:8 cluster-source-missing"],
        ),
        lines(
            "unicast_src_ip 10.0.0.1\nunicast_peer { 10.0.0.2 }",
            "unicast_src_ip 10.0.0.1\nunicast_peer { 10.0.0.2 }",
            &[
                "a:9 cluster-peer-unknown",
                "b:8 cluster-source-twice",
                "b:9 cluster-peer-unknown",
            ],
        ),
        lines(
            "unicast_src_ip 10.0.0.1\nunicast_peer { 10.0.0.100 }",
            "unicast_src_ip 10.0.0.100\nunicast_peer { 10.0.0.1 }",
            &["a:9 cluster-source-virtual", "b:8 cluster-source-virtual"],
        ),
        lines(
            "unicast_src_ip 10.0.0.1\nunicast_ttl 9\nunicast_peer { 10.0.0.2 }",
            "unicast_src_ip 10.0.0.2\nunicast_peer { 10.0.0.1 min_ttl 10 }",
            &["a:9 cluster-ttl"],
        ),
    ]);
}

#[test]
fn every_node_has_every_virtual_router() {
    let second = "vrrp_instance VI_2 {\ninterface eth0\nvirtual_router_id 52\n\
                  virtual_ipaddress { 10.0.0.9 }\n}";
    run(&[
        tops(second, "", &["a:10 cluster-alone"]),
        tops(
            second,
            "vrrp_instance OTHER {\ninterface eth0\nvirtual_router_id 52\npriority 90\n\
             virtual_ipaddress { 10.0.0.9 }\n}",
            &["b:10 cluster-name"],
        ),
        tops(
            second,
            "vrrp_instance OTHER {\ninterface eth0\nvirtual_router_id 52\npriority 90\n\
             virtual_ipaddress { 10.0.0.8 }\n}",
            &["b:12 cluster-vrid-taken"],
        ),
        // What is wrong with the block itself has been told.
        tops(
            second,
            "vrrp_instance VI_2 {\ninterface eth0\nvirtual_ipaddress { 10.0.0.9 }\n}",
            &[],
        ),
    ]);
    let three = |c: &str| {
        compared(&[
            ("a", text("150", "", "")),
            ("b", text("120", "", "")),
            ("c", c.to_owned()),
        ])
    };
    assert_eq!(three(&text("100", "", "")), [""; 0]);
    assert_eq!(three(""), ["a:1 cluster-missing"]);
    assert_eq!(
        three(&text("100", "", "virtual_router_id 9")),
        ["c:8 cluster-vrid"]
    );
}

#[test]
fn a_node_is_given_once() {
    let same = text("100", "", "");
    let found = compared(&[("a", same.clone()), ("b", same)]);
    assert_eq!(found, ["b:1 cluster-node-twice"]);
    assert_eq!(compared(&[("a", text("100", "", ""))]), [""; 0]);
}

#[test]
fn every_rule_has_its_own_code() {
    let rules = Code::ALL
        .iter()
        .filter(|code| code.name().starts_with("cluster-"));
    assert!(rules.count() >= 30);
}

#[test]
fn what_is_watched_can_change_who_is_master() {
    let chk = |weight: &'static str| -> &'static str {
        match weight {
            "10" => "vrrp_script chk {\nscript /bin/true\nweight 10\n}",
            _ => "vrrp_script chk {\nscript /bin/true\nweight -60\n}",
        }
    };
    let case = |a, b, lines: [&'static str; 2], expected| Case {
        tops: [a, b],
        lines,
        expected,
    };
    let track = "track_script { chk }";
    run(&[
        case(chk("-60"), chk("-60"), [track, track], &[]),
        case(
            chk("10"),
            chk("10"),
            [track, track],
            &["a:8 cluster-weight", "b:8 cluster-weight"],
        ),
        case(chk("-60"), "", [track, ""], &["a:8 cluster-tracking"]),
        lines("track_interface { eth1 weight -60 }", "", &[]),
        lines("use_vmac", "", &["b:1 cluster-vmac"]),
    ]);
}

const SECOND: &str = "vrrp_instance VI_2 {\ninterface eth0\nvirtual_router_id 52\npriority 150\n\
                      virtual_ipaddress { 10.0.0.9 }\n}\n";

#[test]
fn sync_groups_have_one_master() {
    let group = "vrrp_sync_group G {\ngroup { VI_1 VI_2 }\n}";
    let node = |priority: &str, second: &str, group: &str| {
        let second = SECOND.replace("priority 150", &format!("priority {second}"));
        text(priority, &(second + group), "")
    };
    let of = |a: String, b: String| compared(&[("a", a), ("b", b)]);
    let sound = of(node("150", "150", group), node("100", "100", group));
    assert_eq!(sound, [""; 0]);
    let missing = of(node("150", "150", group), node("100", "100", ""));
    assert_eq!(missing, ["a:16 cluster-sync-missing"]);
    let other = group.replace("VI_1 VI_2", "VI_2");
    let members = of(node("150", "150", group), node("100", "100", &other));
    assert_eq!(members, ["b:16 cluster-sync-members"]);
    let torn = of(node("150", "100", group), node("100", "150", group));
    assert_eq!(torn, ["a:16 cluster-sync-priority"]);
}

#[test]
fn virtual_servers_are_the_same_everywhere() {
    let server = |algo: &str, real: &str| {
        format!(
            "virtual_server 10.0.0.100 80 {{\nlb_algo {algo}\nlb_kind DR\nprotocol TCP\n\
             real_server {real} 80 {{\nweight 1\n}}\n}}"
        )
    };
    let of = |a: &str, b: &str| compared(&[("a", text("150", a, "")), ("b", text("100", b, ""))]);
    let usual = server("rr", "10.0.1.1");
    assert_eq!(of(&usual, &usual), [""; 0]);
    assert_eq!(of(&usual, ""), ["a:10 cluster-server-missing"]);
    assert_eq!(
        of(&usual, &server("wrr", "10.0.1.1")),
        ["b:10 cluster-server-differs"]
    );
    assert_eq!(
        of(&usual, &server("rr", "10.0.1.2")),
        ["b:10 cluster-real-servers"]
    );
}
