//! What is told on demand, without a network: dumps against what keepalived 2.2.7 wrote for the same
//! configuration on a host with the same interfaces and the same neighbour (`tests/dumps`), and the
//! short table.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use relevo_core::config::bound::Bound;
use relevo_core::config::{HostFacts, InterfaceFact, bind, parse};
use relevo_core::ids::{Family, IfIndex, InstanceId, SocketId};
use relevo_core::kernel::{AddressKey, KernelEvent, Link};
use relevo_core::machine::{Machine, Out};
use relevo_core::status::brief::brief;
use relevo_core::status::data::{self, Facts};
use relevo_core::status::json::{self, Layout};
use relevo_core::status::{HeldAddress, Picture, Wall, Wish, stats};
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::{Command, SocketSpec, StateName, VrrpAction, VrrpEvent, VrrpNode};
use relevo_tests::dumps::{difference, lines, pairs};
use relevo_tests::one_host::{Advert, ETH0, Effect, OneHost, link};

const LO: IfIndex = IfIndex(1);
const ETH1: IfIndex = IfIndex(4);
const V1: InstanceId = InstanceId(0);
const V6: InstanceId = InstanceId(5);

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("dumps")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn bound(text: &str) -> Bound {
    let (config, found) = parse("config.conf", text);
    assert!(found.is_empty(), "{found:?}");
    let fact = |name: &str| InterfaceFact {
        name: name.to_owned(),
        loopback: name == "lo",
        multicast: name != "lo",
        mtu: 1_500,
    };
    let facts = HostFacts {
        hostname: "host".to_owned(),
        uptime: Duration::ZERO,
        interfaces: ["lo", "eth0", "eth1"].map(fact).to_vec(),
    };
    let (bound, found) = bind(&config, &facts);
    assert!(found.is_empty(), "{found:?}");
    bound
}

/// The host of the recording: eth0 works, eth1 is down, 10.0.0.9 is master of V6.
struct Host {
    one: OneHost,
    sockets: BTreeMap<SocketSpec, SocketId>,
}

fn links() -> [Link<'static>; 3] {
    let lo = Link {
        mac: &[0; 6],
        loopback: true,
        multicast: false,
        mtu: 65_536,
        ..link("lo", LO)
    };
    let eth1 = Link {
        admin_up: false,
        running: false,
        ..link("eth1", ETH1)
    };
    [lo, link("eth0", ETH0), eth1]
}

impl Host {
    fn started(text: &str) -> Self {
        let mut one = OneHost::with_bound(bound(text));
        one.present.insert(AddressKey {
            ifindex: LO,
            addr: [127, 0, 0, 1].into(),
            prefix: 8,
        });
        let effects = one.dump(&links());
        one.open_sockets(&effects, Ok(()));
        let sockets = effects.iter().filter_map(|effect| match effect {
            Effect::Open(socket, spec) => Some((*spec, *socket)),
            _ => None,
        });
        let sockets = sockets.collect();
        Self { one, sockets }
    }

    /// As long as the original ran before it was asked, with the neighbour's adverts.
    fn as_recorded() -> Self {
        let mut host = Self::started(&read("config.conf"));
        host.one.run_for(Duration::from_millis(500));
        for _ in 0..5 {
            host.hear(V6, 9, 200);
            host.one.run_for(Duration::from_secs(1));
        }
        host.hear(V6, 9, 200);
        host.one.run_for(Duration::from_millis(500));
        host
    }

    fn hear(&mut self, id: InstanceId, neighbour: u8, priority: u8) {
        let config = self.one.node.bound().instance(id).clone();
        let mut advert = Advert::from_neighbour(&config, neighbour, priority);
        advert.interval = Duration::from_secs(1);
        let spec = SocketSpec {
            ifindex: ETH0,
            family: Family::V4,
            group: Some([224, 0, 0, 18].into()),
        };
        let socket = self.sockets[&spec];
        let octets = advert.octets();
        let packet = advert.ingress(&octets);
        self.one.deliver(VrrpEvent::Packet { socket, packet });
        self.one.settle();
    }

    fn wall(&self) -> Wall {
        Wall {
            at: self.one.now,
            unix_us: 1_795_384_858_500_000,
            east_of_utc: |_| 0,
        }
    }

    fn picture(&self) -> Picture {
        let wish = Wish {
            links: true,
            clear: false,
        };
        Picture::of(&self.one.node, wish)
    }

    fn data(&self) -> String {
        let mut text = String::new();
        let facts = Facts {
            umask: 0o177,
            ..Facts::default()
        };
        data::write(&self.picture(), &self.wall(), &facts, &mut text).expect("a string");
        text
    }

    fn json(&self, layout: Layout) -> String {
        let mut text = String::new();
        json::write(&self.picture(), &self.wall(), layout, &mut text).expect("a string");
        text
    }

    fn stats(&self) -> String {
        let mut text = String::new();
        stats::write(&self.picture(), &mut text).expect("a string");
        text
    }
}

/// The text is that of the file, which `RELEVO_ACCEPT=1` writes anew.
fn assert_golden(name: &str, text: &str) {
    if std::env::var_os("RELEVO_ACCEPT").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("dumps")
            .join(name);
        fs::write(path, text).expect("the expected file can be written");
    }
    assert_eq!(text, read(name), "\n{text}");
}

/// Panics with the first difference.
fn assert_same(expected: &[String], found: &[String]) {
    if let Some(difference) = difference(expected, found) {
        panic!("{difference}");
    }
}

#[test]
fn the_data_dump_is_what_the_original_writes() {
    let mut expected = lines(&read("keepalived.data"));
    for line in &mut expected {
        // Nobody has been heard: the original shows the last address that it wrote anywhere.
        if line.starts_with("   Master router = ff02::12") {
            "   Master router = 0.0.0.0".clone_into(line);
        }
    }
    let host = Host::as_recorded();
    assert_same(&expected, &lines(&host.data()));
    assert!(!host.data().contains("secret"));
}

#[test]
fn the_parents_dump_is_what_the_original_writes() {
    let mut expected = lines(&read("keepalived_parent.data"));
    for line in &mut expected {
        // Not set, which the original's parent shows as the largest number.
        *line = line.replace("4294967295", "5");
    }
    let facts = Facts {
        umask: 0o177,
        parent: true,
        ..Facts::default()
    };
    let mut text = String::new();
    let global = &bound(&read("config.conf")).global;
    data::write_parent(global, &facts, &mut text).expect("a string");
    assert_same(&expected, &lines(&text));
}

#[test]
fn the_counters_are_written_as_the_original_does() {
    let expected = lines(&read("keepalived.stats"));
    assert_same(&expected, &lines(&Host::as_recorded().stats()));
}

#[test]
fn json_is_what_the_original_writes() {
    let text = Host::as_recorded().json(Layout::One);
    assert_same(&pairs(&read("keepalived.json")), &pairs(&text));
    assert!(text.starts_with("[{\"data\":{\"iname\":\"V1\",") && text.ends_with("}}]\n"));
    assert!(text.contains("\"10.0.0.100\\/24 dev eth0 "));
    assert!(text.contains("\"auth_type\":1,\"auth_data\":\"********\"}"));
}

#[test]
fn the_second_json_has_the_first_inside() {
    let host = Host::as_recorded();
    let (one, two) = (host.json(Layout::One), host.json(Layout::Two));
    let bare = two.replace(
        "\"auth_ext_missing\":0,\"auth_ext_malformed\":0,\"auth_ext_unknown_key\":0,\
             \"auth_ext_invalid_hmac\":0,\"auth_ext_stale\":0,\"auth_ext_replay\":0,",
        "",
    );
    assert_eq!(
        bare,
        format!("{{\"vrrp\":{},\"track_process\":[]}}\n", one.trim_end())
    );
    let nobody = Host::started("global_defs {\n router_id R1\n}\n");
    assert_eq!(nobody.json(Layout::One), "");
    assert_eq!(nobody.json(Layout::Two), "");
}

/// However small the slices, the same is seen; and a clear loses nothing of what it shows.
#[test]
fn a_picture_in_slices_is_the_whole_picture() {
    let host = Host::as_recorded();
    for budget in 1..20 {
        let wish = Wish {
            links: true,
            clear: false,
        };
        let mut picture = Picture::begin(&host.one.node, wish);
        let mut slices = 0;
        let mut finished = 0;
        loop {
            let slice = picture.step(&host.one.node, budget, |_| None);
            assert_eq!(
                slice.finished.0,
                InstanceId(finished),
                "none twice, none left out"
            );
            finished += slice.finished.1;
            slices += 1;
            if slice.complete {
                break;
            }
            assert!(slices < 100, "does not come to an end");
        }
        assert_eq!(finished, 6);
        assert!(slices > 1, "budget {budget}");
        assert_eq!(picture, host.picture(), "budget {budget}");
    }
}

#[test]
fn a_clear_begins_with_those_that_it_names() {
    let mut host = Host::as_recorded();
    let before = host.one.node.stats(V6).clone();
    assert!(before.adverts_received > 0 && host.one.node.stats(V1).adverts_sent > 0);
    let clear = |first, count| VrrpEvent::Command(Command::ClearStats { first, count });
    assert_eq!(host.one.deliver(clear(V1, 5)), []);
    assert_eq!(host.one.node.stats(V1).adverts_sent, 0);
    assert_eq!(*host.one.node.stats(V6), before);
    assert_eq!(host.one.deliver(clear(V6, u32::MAX)), []);
    assert_eq!(host.one.node.stats(V6).adverts_received, 0);
    assert_eq!(host.one.deliver(clear(InstanceId(u32::MAX), 7)), []);
    // The clear changes counters and nothing else.
    assert_eq!(host.one.node.state(V1), StateName::Master);
}

#[test]
fn the_short_table_says_who_why_and_what_next() {
    let mut host = Host::as_recorded();
    let text = brief(&host.one.node, &host.wall());
    assert_golden("brief.txt", &text);
    // Somebody deletes an address of V1, and somebody else adds one of V6.
    let key = |addr: [u8; 4], prefix| AddressKey {
        ifindex: ETH0,
        addr: addr.into(),
        prefix,
    };
    let event = KernelEvent::Address {
        key: key([10, 0, 0, 106], 24),
        tentative: false,
        dad_failed: false,
        secondary: true,
        protocol: 0,
    };
    host.one.kernel(event);
    host.one.kernel(KernelEvent::AddressGone {
        key: key([10, 0, 0, 101], 32),
    });
    let text = brief(&host.one.node, &host.wall());
    assert!(text.contains("10.0.0.106 IS HERE ALL THE SAME"), "{text}");
    assert!(
        text.contains("10.0.0.100 STILL HERE, being removed"),
        "{text}"
    );
    assert!(text.contains("10.0.0.101/32 is gone: steps down"), "{text}");
}

#[test]
fn the_short_table_knows_what_a_backup_waits_for() {
    let text = "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n version 3\n \
                PREEMPT\n priority 150\n virtual_ipaddress {\n 10.0.0.100\n }\n}\n";
    let waits = |preempt: &str, neighbour: Option<(u8, u8)>, release: bool| {
        let mut host = Host::started(&text.replace("PREEMPT", preempt));
        host.one.run_for(Duration::from_millis(500));
        if let Some((number, priority)) = neighbour {
            host.hear(V1, number, priority);
            if release {
                host.hear(V1, number, 0);
            }
        }
        host.one.pass(Duration::from_millis(100));
        let text = brief(&host.one.node, &host.wall());
        let line = text.lines().find(|line| line.starts_with("    waits: "));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    assert_eq!(
        waits("", None, false),
        "    waits: takes over in 2.9 s if no master is heard"
    );
    assert_eq!(
        waits("", Some((9, 200)), false),
        "    waits: takes over in 3.4 s if 10.0.0.9 stays silent"
    );
    assert_eq!(
        waits("", Some((9, 200)), true),
        "    waits: takes over in 0.4 s: master 10.0.0.9 let go"
    );
    assert_eq!(
        waits("nopreempt", Some((9, 20)), false),
        "    waits: leaves 10.0.0.9 alone, though its priority is lower (nopreempt); takes over in \
         3.4 s if 10.0.0.9 stays silent"
    );
    assert_eq!(
        waits("preempt_delay 60", Some((9, 20)), false),
        "    waits: takes over from 10.0.0.9, which has a lower priority, 59.9 s from now at the \
         earliest (preempt_delay); takes over in 3.4 s if 10.0.0.9 stays silent"
    );
}

/// The first of many addresses that is not as it should be is named, and the rest is counted.
#[test]
fn the_short_table_stays_short() {
    let addresses: String = (1..=200).map(|n| format!(" 10.1.0.{n}\n")).collect();
    let text = format!(
        "vrrp_instance A {{\n interface eth0\n virtual_router_id 1\n version 3\n \
         virtual_ipaddress {{\n{addresses} }}\n}}\n"
    );
    let mut host = Host::started(&text);
    let table = brief(&host.one.node, &host.wall());
    assert!(
        table.contains("    addresses: all 200 not here\n"),
        "{table}"
    );
    host.one.run_for(Duration::from_secs(4));
    let table = brief(&host.one.node, &host.wall());
    assert!(
        table.contains("    addresses: all 200 held here\n"),
        "{table}"
    );
    let view = &host.picture().instances[0];
    assert_eq!(view.addresses, vec![HeldAddress::Held; 200]);
}

/// As keepalived 2.2.7 was seen to write them.
#[test]
fn words_without_an_effect_of_their_own_are_shown() {
    for (words, expected) in [
        (
            "net_namespace_ipvs foo\nglobal_defs {\n vrrp_rx_bufs_policy MTU\n \
             vrrp_rx_bufs_multiplier 100\n}\n",
            [
                " Network namespace ipvs = foo",
                " rx_bufs_policy = MTU",
                " rx_bufs_multiples = 100",
            ],
        ),
        (
            "net_namespace_ipvs\nglobal_defs {\n vrrp_rx_bufs_policy 5000\n}\n",
            [
                " Network namespace ipvs = (default)",
                " rx_bufs_size = 5000",
                " rx_bufs_multiples = 3",
            ],
        ),
    ] {
        let mut text = String::new();
        let global = bound(words).global;
        data::write_parent(&global, &Facts::default(), &mut text).expect("a String");
        let shown = |prefix: &str| {
            text.lines()
                .filter(|line| line.starts_with(prefix))
                .collect::<Vec<_>>()
        };
        let found = [shown(" Network namespace ipvs"), shown(" rx_bufs")].concat();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_socket_has_the_room_that_the_configuration_asks_for() {
    let instance = "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n priority 100\n \
                    virtual_ipaddress {\n 10.0.0.100/24\n }\n}\n";
    for (words, expected) in [
        ("", 262_144),
        ("vrrp_rx_bufs_policy 5000", 262_144),
        ("vrrp_rx_bufs_policy 500000", 500_000),
        (
            "vrrp_rx_bufs_policy MTU\nvrrp_rx_bufs_multiplier 1000",
            1_500_000,
        ),
    ] {
        let text = format!("global_defs {{\n{words}\n}}\n{instance}");
        let mut node = VrrpNode::new(bound(&text).into(), 1, Instant::ZERO);
        let (mut out, mut room) = (Out::new(), None);
        let eth0 = KernelEvent::Link(link("eth0", ETH0));
        for event in [KernelEvent::DumpStart, eth0, KernelEvent::DumpEnd] {
            node.handle(VrrpEvent::Kernel(event), Instant::ZERO, &mut out);
            room = out
                .actions()
                .iter()
                .fold(room, |room, action| match action {
                    VrrpAction::OpenSocket { receive_buffer, .. } => Some(*receive_buffer),
                    _ => room,
                });
            out.clear();
        }
        assert_eq!(room, Some(expected), "{words}");
    }
}
