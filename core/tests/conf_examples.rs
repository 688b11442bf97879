//! Every file of `conf-examples` is understood to the last word, and means what its comments say.

use std::path::PathBuf;

use relevo_core::config::bound::{Auth, Bound, Destination};
use relevo_core::config::{HostFacts, InterfaceFact, bind, parse};
use relevo_core::ids::{Family, Version};
use relevo_core::time::Duration;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../conf-examples")
}

fn facts() -> HostFacts {
    let interface = |name: &str, loopback| InterfaceFact {
        name: name.to_owned(),
        loopback,
        multicast: !loopback,
        mtu: 1_500,
    };
    HostFacts {
        hostname: "host-1".to_owned(),
        uptime: Duration::from_secs(3_600),
        interfaces: vec![
            interface("lo", true),
            interface("eth0", false),
            interface("eth1", false),
        ],
    }
}

/// Parses and binds one file, which must give no finding at all.
fn read(name: &str) -> Bound {
    let text = std::fs::read_to_string(folder().join(name)).expect(name);
    let (config, found) = parse(name, &text);
    assert_eq!(found, [], "{name}");
    let (bound, found) = bind(&config, &facts());
    assert_eq!(found, [], "{name}");
    assert_eq!(bound.instances.len(), config.instances.len(), "{name}");
    bound
}

#[test]
fn every_example_is_understood_without_a_finding() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).expect("conf-examples") {
        let entry = entry.expect("entry");
        // What is not a configuration stands in folders of its own.
        if entry.file_type().expect("a type").is_dir() {
            continue;
        }
        let name = entry.file_name();
        let name = name.to_str().expect("a name of ASCII");
        assert!(name.ends_with(".conf"), "{name}");
        assert!(!read(name).instances.is_empty(), "{name}");
        count += 1;
    }
    assert!(count >= 7, "{count} examples");
}

#[test]
fn two_nodes_use_the_defaults() {
    let bound = read("two-nodes.conf");
    assert_eq!(bound.global.router_id, "host-1");
    let [web] = bound.instances.as_slice() else {
        panic!("one instance");
    };
    assert_eq!((web.version, web.family), (Version::V2, Family::V4));
    assert_eq!((web.vrid, web.priority, web.preempt), (51, 150, true));
    assert_eq!(web.advert_interval, Duration::from_secs(1));
    assert_eq!(
        web.destination,
        Destination::Multicast("224.0.0.18".parse().expect("address"))
    );
}

#[test]
fn the_password_keeps_its_quoted_character() {
    let bound = read("two-nodes-password.conf");
    assert_eq!(bound.global.router_id, "web-1");
    assert_eq!(bound.instances[0].auth, Auth::Pass(*b"s3cret!7"));
}

#[test]
fn sub_second_is_version_3() {
    let bound = read("sub-second.conf");
    assert_eq!(bound.instances[0].version, Version::V3);
    assert_eq!(
        bound.instances[0].advert_interval,
        Duration::from_millis(100)
    );
}

#[test]
fn ipv6_and_ipv4_share_a_number() {
    let bound = read("ipv6.conf");
    let both: Vec<_> = bound
        .instances
        .iter()
        .map(|i| (i.family, i.version, i.vrid))
        .collect();
    assert_eq!(
        both,
        [(Family::V6, Version::V3, 51), (Family::V4, Version::V3, 51)]
    );
}

#[test]
fn unicast_goes_to_the_peer_only() {
    let bound = read("unicast.conf");
    let web = &bound.instances[0];
    assert_eq!(
        web.destination,
        Destination::Unicast(vec!["192.0.2.2".parse().expect("address")])
    );
    assert_eq!(web.source, Some("192.0.2.1".parse().expect("address")));
    assert!(web.check_unicast_source);
}

#[test]
fn no_preempt_stays_in_force() {
    let bound = read("no-preempt.conf");
    assert!(!bound.instances[0].preempt);
    assert!(!bound.instances[0].state_master);
}

#[test]
fn several_instances_have_their_own_addresses() {
    let bound = read("several-instances.conf");
    let [left, right] = bound.instances.as_slice() else {
        panic!("two instances");
    };
    assert_eq!(left.preempt_delay, Duration::from_secs(60));
    assert_eq!(left.garp.master_repeat, 2);
    assert_eq!(left.garp.lower_prio_delay, Duration::from_secs(2));
    assert_eq!((right.addresses.len(), right.excluded.len()), (1, 3));
    assert_eq!(right.excluded[1].dev.as_deref(), Some("eth1"));
}

#[test]
fn announcements_keep_their_distance() {
    let bound = read("announcements.conf");
    let global = &bound.global;
    assert_eq!(global.garp_interval, Duration::from_millis(2));
    assert_eq!(global.startup_delay, Duration::from_millis(2_500));
    assert_eq!(global.garp_groups[0].interfaces, ["eth0", "eth1"]);
    let garp = &bound.instances[0].garp;
    assert_eq!((garp.master_repeat, garp.lower_prio_repeat), (3, 2));
    assert_eq!(garp.refresh, Duration::from_secs(60));
}

#[test]
fn strict_mode_is_of_all_but_one() {
    let bound = read("strict.conf");
    let [gateway, lab] = bound.instances.as_slice() else {
        panic!("two instances");
    };
    assert!(gateway.lower_prio_no_advert && !lab.lower_prio_no_advert);
    assert_eq!(lab.preempt_delay, Duration::from_secs(30));
    assert_eq!(gateway.version, Version::V3);
}
