use super::*;
use crate::spec::bind_all;
use crate::swarm::draw;

const SMALL: &str = "
[cluster]
interval = 0.2
until = 5
[host a]
priority = 150
[host b]
[client laptop]
[event 1]
at = 3
do = power-off a
[expect]
master at 2 = a
master at 5 = b
client laptop at 5 = b
";

fn read(text: &str) -> Result<Scenario, String> {
    Scenario::read(text, &|name| Err(format!("{name}: no such file")))
}

#[test]
fn a_small_cluster_is_read_and_played() {
    let scenario = read(SMALL).expect("a sound scenario");
    assert_eq!(scenario.spec.hosts.len(), 2);
    assert_eq!(scenario.spec.hosts[0].bound.instances[0].priority, 150);
    let played = scenario.play(10).expect("a sound world");
    assert_eq!(played.failures, Vec::<String>::new());
    assert_eq!(played.expected, 3);
}

#[test]
fn what_was_not_expected_is_told() {
    let text = SMALL.replace("master at 5 = b", "master at 5 = a");
    let played = read(&text).and_then(|s| s.play(10)).expect("sound");
    assert_eq!(played.failures.len(), 1);
    assert_eq!(
        played.failures[0],
        "expected 'master at 5 = a', but at 5 s it is b"
    );
}

#[test]
fn mistakes_are_named() {
    for (from, to, part) in [
        (
            "interval = 0.2",
            "intervall = 0.2",
            "'intervall' is not known",
        ),
        ("interval = 0.2", "interval = often", "no time"),
        ("interval = 0.2", "version = 4", "neither 2 nor 3"),
        ("interval = 0.2", "vips = somewhere", "no address"),
        (
            "[host b]",
            "[host a]",
            "line 7: section [host a] is there twice",
        ),
        ("[host b]", "[host b]\nnumber = 1", "same number 1"),
        ("[host b]", "[host b]\npriority = 300", "number that fits"),
        ("[host b]", "[hosts b]", "is no section"),
        (
            "[host b]",
            "[host b]\nconfig = b.conf",
            "b.conf: no such file",
        ),
        ("[host b]", "[host b]\nextra = advert_int", "advert_int"),
        ("at = 3\n", "", "wants 'at'"),
        ("power-off a", "reload a 1", "there is no [reload a 1]"),
        ("[host b]", "[host b]\n[reload c 1]", "no host 'c'"),
        ("[host b]", "[host b]\n[reload b 2]", "number 1 comes next"),
        ("[host b]", "[host b]\n[reload b 1]\nvrid = 1", "'vrid'"),
        ("power-off a", "explode a", "no fault"),
        ("master at 2 = a", "master at 2 = z", "no host 'z'"),
        (
            "[client laptop]",
            "[link a phone]",
            "no host or client 'phone'",
        ),
        ("\n[cluster]", "until = 3\n[cluster]", "before the first"),
    ] {
        assert!(SMALL.contains(from));
        let error = read(&SMALL.replacen(from, to, 1)).expect_err(to);
        assert!(error.contains(part), "{to}: {error}");
    }
    let doubled = SMALL.replace("until = 5", "until = 5\nuntil = 6");
    assert_eq!(
        read(&doubled).expect_err("a doubled key"),
        "line 5: [cluster] 'until' is there twice"
    );
}

#[test]
fn a_file_beside_the_scenario_configures_a_host() {
    let conf = "vrrp_instance V {\n version 3\n interface eth0\n virtual_router_id 51\n \
                priority 7\n advert_int 0.2\n virtual_ipaddress {\n 10.0.0.100/24\n }\n}\n";
    let text = SMALL.replace("[host b]", "[host b]\nconfig = b.conf");
    let scenario = Scenario::read(&text, &|_| Ok(conf.into())).expect("sound");
    assert_eq!(scenario.spec.hosts[1].bound.instances[0].priority, 7);
}

#[test]
fn a_host_is_given_another_configuration() {
    let text = SMALL.replace(
        "[client laptop]",
        "[reload a 1]\npriority = 50\nname = other\nvips = 10.0.0.101/24\n\
         [reload b 1]\nvips = 10.0.0.101/24\n[client laptop]",
    );
    let text = text.replace("power-off a", "reload a 1 | reload b 1");
    let scenario = read(&text).expect("sound");
    let variant = &scenario.spec.hosts[0].variants[0];
    assert_eq!(variant.bound.instances[0].name, "other");
    assert_eq!(variant.order, [0]);
    let played = scenario.play(10).expect("sound");
    assert_eq!(played.failures, Vec::<String>::new());
    assert_eq!(played.world.checker().marks.reloaded, 2);
    let scenario = read(&text.replace("master at 5 = b", "master at 5 = a")).expect("sound");
    let played = scenario.play(10).expect("sound");
    assert_eq!(played.failures.len(), 1, "a has the lower priority now");
}

/// What exploration builds directly is what the same words in a configuration file give.
#[test]
fn text_and_direct_binding_agree() {
    let mut compared = 0;
    for seed in 0..300 {
        let trial = draw(seed);
        if trial.spec.segments.len() > 1 {
            continue;
        }
        for (host, instances) in trial.spec.hosts.iter().zip(&trial.instances) {
            let text: String = instances.iter().map(|own| own.conf_text(&[])).collect();
            let from_text = bound(&host.name, &text).expect("drawn configurations are sound");
            let direct = bind_all(&host.name, instances);
            assert_eq!(from_text.instances, direct.instances, "seed {seed}\n{text}");
            compared += 1;
        }
    }
    assert!(compared > 300);
}
