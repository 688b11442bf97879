//! What texts mean.

mod any;
mod cases;
mod generated;
mod language;
mod lines;
mod processes;
mod rows;
mod words;

use super::bound::{Auth, Bound, Destination, InstanceConfig, ReceiveBuffer};
use super::*;
use crate::ids::{Family, Version};
use crate::limits;
use crate::time::Duration;

fn facts() -> HostFacts {
    let interface = |name: &str, loopback, multicast| InterfaceFact {
        name: name.to_owned(),
        loopback,
        multicast,
        mtu: 1_500,
    };
    HostFacts {
        hostname: "host".to_owned(),
        uptime: Duration::from_secs(3_600),
        interfaces: vec![
            interface("lo", true, false),
            interface("eth0", false, true),
            interface("eth1", false, true),
            interface("tun0", false, false),
        ],
    }
}

fn read(text: &str) -> (Bound, Vec<Diagnostic>) {
    load("f", text, &facts())
}

/// An instance that lacks nothing, and `extra` lines from line 6 on.
fn with(extra: &str) -> String {
    format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 51\npriority 90\n\
         virtual_ipaddress {{ 10.0.0.100/24 }}\n{extra}\n}}\n"
    )
}

/// An instance without addresses, and `extra` lines from line 4 on.
fn bare(extra: &str) -> String {
    format!("vrrp_instance A {{\ninterface eth0\nvirtual_router_id 51\n{extra}\n}}\n")
}

fn instance(text: &str) -> InstanceConfig {
    let (bound, found) = read(text);
    assert_eq!(start_exit_code(&found), None, "{found:?}");
    bound.instances.into_iter().next().expect("an instance")
}

#[test]
fn columns_count_characters_and_spans_count_bytes() {
    let text = "# \u{e9}\nvrrp_instance \"\u{e9}\u{e9}\" prority {\n}\n";
    let (_, found) = parse("f", &text.replace(" prority", ""));
    assert_eq!(found, []);
    let text = "\u{e9}\u{e9} \"\u{e9}\n";
    let (_, found) = parse("f", text);
    let quote = found.iter().find(|d| d.class == Class::UnmatchedQuote);
    let quote = quote.expect("a finding");
    assert_eq!((quote.line, quote.column), (1, 4));
    assert_eq!(&text[quote.span.clone()], "\"\u{e9}");
}

#[test]
fn suggestions_replace_exactly_what_is_wrong() {
    let text = with("prority 100");
    let (_, found) = read(&text);
    let near = found.first().expect("a finding");
    assert_eq!(near.suggestion.as_deref(), Some("priority"));
    assert_eq!(&text[near.span.clone()], "prority");
    let mut mended = text;
    mended.replace_range(near.span.clone(), "priority");
    assert_eq!(read(&mended).1, []);
}

#[test]
fn defaults_are_those_of_the_original() {
    let plain = instance(&with(""));
    assert_eq!((plain.version, plain.family), (Version::V2, Family::V4));
    assert_eq!(plain.advert_interval, Duration::from_secs(1));
    assert_eq!((plain.down_timer_adverts, plain.hop_limit), (3, 255));
    assert_eq!(plain.garp, bound::GarpConfig::default());
    assert!(plain.preempt && !plain.state_master);
    assert_eq!(plain.auth, Auth::None);
    let six = instance(&bare("virtual_ipaddress {\nfe80::1\nfd00::1/64 -nodad\n}"));
    assert_eq!((six.version, six.family), (Version::V3, Family::V6));
    assert_eq!(
        six.destination,
        Destination::Multicast("ff02::12".parse().expect("address"))
    );
    let flags: Vec<_> = six
        .addresses
        .iter()
        .map(|a| (a.prefix, a.nodad, a.deprecated))
        .collect();
    assert_eq!(flags, [(128, true, true), (64, false, false)]);
}

#[test]
fn priority_and_state_decide_each_other() {
    let of = |extra: &str| {
        let instance = instance(&bare(&format!("virtual_ipaddress {{ 10.0.0.1 }}\n{extra}")));
        (instance.priority, instance.state_master)
    };
    assert_eq!(of(""), (100, false));
    assert_eq!(of("state BACKUP"), (100, false));
    assert_eq!(of("state MASTER"), (255, true));
    assert_eq!(of("state MASTER\npriority 150"), (150, true));
    assert_eq!(of("state MASTER\npriority 0"), (100, true));
    assert_eq!(of("priority 255"), (255, true));
    assert_eq!(of("priority 255\nstate BACKUP"), (255, false));
}

#[test]
fn global_settings_reach_instances_wherever_they_stand() {
    let globals = "global_defs {\nrouter_id r\nvrrp_version 3\nvrrp_garp_master_delay 3\n\
                   vrrp_garp_master_repeat 2\nvrrp_mcast_group4 224.0.0.19\n\
                   vrrp_down_timer_adverts 5\nvrrp_check_unicast_src\n}\n";
    for text in [
        globals.to_owned() + &with("garp_master_repeat 7"),
        with("garp_master_repeat 7") + globals,
    ] {
        let (bound, found) = read(&text);
        assert_eq!(found, []);
        assert_eq!(bound.global.router_id, "r");
        let config = &bound.instances[0];
        assert_eq!(config.version, Version::V3);
        assert_eq!(
            (config.garp.master_repeat, config.garp.lower_prio_repeat),
            (7, 2)
        );
        assert_eq!(config.garp.lower_prio_delay, Duration::from_secs(3));
        assert_eq!(config.down_timer_adverts, 5);
        assert!(config.check_unicast_source);
        assert_eq!(
            config.destination,
            Destination::Multicast("224.0.0.19".parse().expect("address"))
        );
    }
    let least = instance(&(with("") + "global_defs {\nvrrp_min_garp\n}\n")).garp;
    assert_eq!(
        (
            least.master_repeat,
            least.refresh_repeat,
            least.lower_prio_repeat
        ),
        (1, 0, 1)
    );
    assert_eq!(least.master_delay, Duration::ZERO);
}

#[test]
fn strict_mode_leaves_what_the_rfcs_know() {
    let text = "global_defs {\nvrrp_strict\n}\n".to_owned();
    let strict = instance(&(text.clone() + &with("version 3\naccept")));
    assert!(strict.lower_prio_no_advert && strict.owner_ignore_adverts);
    assert_eq!(strict.garp.lower_prio_repeat, 0);
    let lax = instance(&(text + &with("version 3\nstrict_mode off")));
    assert!(!lax.lower_prio_no_advert && !lax.owner_ignore_adverts);
    assert_eq!(lax.garp.lower_prio_repeat, 5);
}

#[test]
fn dumps_have_their_words() {
    let read = |lines: &str| {
        let text = format!("global_defs {{\n{lines}\n}}\n");
        let (config, found) = parse("f", &text);
        let found: Vec<_> = found.iter().map(|it| (it.line, it.severity)).collect();
        (config.global.dumps, found)
    };
    let (dumps, found) = read(
        "state_dump_file /a/\nstats_dump_file b\njson_dump_file /c/d\njson_version 2\n\
         data_use_instance",
    );
    assert_eq!(found, []);
    let names = [&dumps.state_file, &dumps.stats_file, &dumps.json_file];
    assert_eq!(
        names.map(|it| it.as_deref()),
        [Some("/a/"), Some("b"), Some("/c/d")]
    );
    assert!(dumps.json_two && dumps.use_instance);
    let (dumps, found) = read("json_version 3\nstate_dump_file\ndata_use_instance off");
    let wrong = |line| (line, Severity::Error);
    assert_eq!(found, [wrong(2), wrong(3)]);
    assert_eq!(dumps, dumps::Dumps::default());
}

#[test]
fn checksums_are_of_the_instance_before_those_of_all() {
    use bound::ChecksumStyle::{AsV2, Auto, Never, OldUnicast};
    let of = |global: &str, extra: &str| {
        let text = format!("global_defs {{\n{global}\n}}\n") + &with(extra);
        read(&text).0.instances[0].checksum.style
    };
    assert_eq!(of("", ""), Auto);
    assert_eq!(of("", "old_unicast_checksum"), OldUnicast);
    assert_eq!(of("", "old_unicast_checksum never"), Never);
    assert_eq!(of("v3_checksum_as_v2", "old_unicast_checksum"), AsV2);
    assert_eq!(of("v3_checksum_as_v2", "v3_checksum_as_v2 off"), Auto);
    assert_eq!(of("", "v3_checksum_as_v2"), AsV2);
}

#[test]
fn the_watch_over_the_children_has_its_words() {
    let of = |text: &str| {
        let (bound, found) = read(text);
        assert_eq!(found, []);
        let global = bound.global;
        [global.hello_interval, global.child_wait_time].map(|time| time.map(|it| it.as_millis()))
    };
    let hello = |value: &str| {
        of(&format!(
            "global_defs {{\nrelevo_hello_interval {value}\n}}\n"
        ))
    };
    assert_eq!(of(""), [None, None]);
    assert_eq!(hello("0.05"), [Some(50), None]);
    assert_eq!(hello("3600"), [Some(3_600_000), None]);
    assert_eq!(of("child_wait_time 0\n"), [None, Some(0)]);
    assert_eq!(of("child_wait_time 12\n"), [None, Some(12_000)]);
}

/// The facts say that the host was booted an hour ago.
#[test]
fn the_start_is_delayed_by_what_ends_later() {
    let of = |global: &str| {
        let (bound, found) = read(&format!("global_defs {{\n{global}\n}}\n"));
        assert_eq!(found, []);
        bound.global.startup_delay.as_micros()
    };
    assert_eq!(of(""), 0);
    assert_eq!(of("vrrp_startup_delay 2.5"), 2_500_000);
    assert_eq!(of("vrrp_delay_after_boot 60"), 0);
    assert_eq!(of("vrrp_delay_after_boot 3600.25"), 250_000);
    assert_eq!(
        of("vrrp_delay_after_boot 3603\nvrrp_startup_delay 2"),
        3_000_000
    );
    assert_eq!(
        of("vrrp_delay_after_boot 3601\nvrrp_startup_delay 2"),
        2_000_000
    );
}

#[test]
fn garp_groups_are_bound_as_written() {
    let text = "global_defs {\ndynamic_interfaces\n}\ngarp_group {\ngarp_interval 0.000001\ninterface eth0\ninterfaces {\neth1 eth2\n\
                eth3\n}\n}\nglobal_defs {\nvrrp_garp_interval 1.5\n}\n";
    let (bound, found) = read(text);
    assert_eq!(found, []);
    assert_eq!(bound.global.garp_interval, Duration::from_millis(1_500));
    assert!(bound.global.gna_interval.is_zero());
    let group = &bound.global.garp_groups[0];
    assert_eq!(group.interfaces, ["eth0", "eth1", "eth2", "eth3"]);
    assert_eq!(group.garp_interval.as_micros(), 1);
}

#[test]
fn netlink_buffers_are_what_was_written() {
    let (bound, _) = read(
        "global_defs {\nvrrp_netlink_cmd_rcv_bufs 4096\nvrrp_netlink_monitor_rcv_bufs 1\n\
         vrrp_netlink_monitor_rcv_bufs_force\n}",
    );
    let of = |buffer: ReceiveBuffer| (buffer.octets, buffer.force);
    assert_eq!(of(bound.global.netlink_commands), (Some(4_096), false));
    assert_eq!(of(bound.global.netlink_monitor), (Some(1), true));
    let (bound, _) = read("");
    assert_eq!(of(bound.global.netlink_monitor), (None, false));
}

#[test]
fn passwords_are_octets_padded_with_zeros() {
    let of = |word: &str| {
        let block = format!("authentication {{\nauth_type PASS\nauth_pass {word}\n}}");
        let (bound, _) = read(&with(&block));
        bound.instances[0].auth
    };
    assert_eq!(of("abc"), Auth::Pass(*b"abc\0\0\0\0\0"));
    assert_eq!(of("123456789"), Auth::Pass(*b"12345678"));
    assert_eq!(of("\"a b#{\""), Auth::Pass(*b"a b#{\0\0\0"));
    assert_eq!(of("a#b"), Auth::Pass(*b"a\0\0\0\0\0\0\0"));
    assert_eq!(of("a\\#b\\!"), Auth::Pass(*b"a#b!\0\0\0\0"));
    assert_eq!(of("ab\"cd\""), Auth::Pass(*b"ab\0\0\0\0\0\0"));
}

#[test]
fn what_does_not_fit_is_held_but_not_advertised() {
    let many = |count: usize| {
        let lines: Vec<String> = (0..count)
            .map(|n| format!("10.1.{}.{}", n / 256, n % 256))
            .collect();
        bare(&format!("virtual_ipaddress {{\n{}\n}}", lines.join("\n")))
    };
    let (bound, found) = read(&many(255));
    assert_eq!(found, []);
    assert_eq!(bound.instances[0].addresses.len(), 255);
    let (bound, found) = read(&many(300));
    assert_eq!((found.len(), found[0].line), (1, 260));
    assert_eq!(bound.instances[0].addresses.len(), 255);
    assert_eq!(bound.instances[0].excluded.len(), 45);
    // 1,500 octets less 62 of headers hold 89 IPv6 addresses.
    let lines: Vec<String> = (1..=100).map(|n| format!("fe80::{n:x}")).collect();
    let (bound, _) = read(&bare(&format!(
        "virtual_ipaddress {{\n{}\n}}",
        lines.join("\n")
    )));
    assert_eq!(bound.instances[0].addresses.len(), 89);
    assert_eq!(bound.instances[0].excluded.len(), 11);
}

#[test]
fn deep_nesting_ends_at_the_limit() {
    for unit in ["a {\n", "{", "vrrp_instance A {\n", "virtual_ipaddress {\n"] {
        let bomb = unit.repeat(20_000);
        let (_, found) = read(&bomb);
        assert!(!found.is_empty(), "{unit}");
        let (_, found) = read(&(bomb + &"}\n".repeat(20_000) + &with("")));
        assert!(!found.is_empty(), "{unit}");
    }
}

#[test]
fn a_flood_of_mistakes_is_counted_not_kept() {
    let text = "interfaze eth0\n".repeat(20_000);
    let (_, found) = parse("f", &text);
    assert_eq!(found.len(), limits::DIAGNOSTICS + 1);
    assert!(found.last().expect("one").message.contains("19000 more"));
}

/// What was good once is not given up because an interface is away for a while.
#[test]
fn a_text_that_is_in_force_survives_a_missing_interface() {
    let text = "vrrp_instance A {\n interface gone0\n virtual_router_id 1\n \
                virtual_ipaddress {\n 10.0.0.1 dev gone1\n }\n}\n";
    let facts = HostFacts::default();
    let (bound, found) = load("x.conf", text, &facts);
    assert!(start_exit_code(&found).is_some() && bound.instances.is_empty());
    let (bound, found) = load_again("x.conf", text, &facts);
    assert_eq!(start_exit_code(&found), None, "{found:?}");
    assert_eq!(bound.instances[0].addresses.len(), 1);
    assert!(!bound.global.dynamic_interfaces, "as it is written");
}
