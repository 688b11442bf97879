//! The blocks of the load balancer: verdicts as the original's, values, and what is inherited.

use super::super::code::Code;
use super::super::diag::{Diagnostic, check_exit_code};
use super::super::{Config, HostFacts, dump, load, parse};
use super::*;
use crate::ids::Family;

/// What all of `codes.tsv` is made of.
const SERVER: &str = "virtual_server 10.0.0.1 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n";
const REAL: &str = "\nreal_server 10.0.0.2 80 {\n";

fn written(text: &str) -> String {
    let text = text.replace("\\n", "\n").replace("\\\\", "\\");
    text.replace("@V", SERVER).replace("@R", REAL)
}

/// What is wrong with a text, apart from what this version does not build.
fn wrong(text: &str) -> Vec<Diagnostic> {
    let (_, mut found) = load("f", text, &HostFacts::default());
    found.retain(|it| it.code != Code::NotBuilt);
    found
}

#[test]
fn verdicts_are_those_of_the_original() {
    let mut failures = Vec::new();
    let lines = include_str!("codes.tsv").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (code, text) = (columns[0], columns[1]);
        // Where it differs, a third column says what it is here, and why.
        let expected = columns.get(2).map_or(code, |differs| &differs[..1]);
        let found = wrong(&written(text));
        let ours = check_exit_code(&found);
        if ours.to_string() != expected {
            let said: Vec<String> = found.iter().map(|it| it.message.clone()).collect();
            failures.push(format!("{code} but here {ours}: {text} {said:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Words of a line `kind<TAB>word=value word=value..`.
fn values(line: &str) -> Vec<(String, String)> {
    let words = line.split(' ').filter_map(|word| word.split_once('='));
    words
        .map(|(word, value)| (word.to_owned(), value.to_owned()))
        .collect()
}

const fn on_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

const fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn forwarding(method: Forwarding) -> String {
    let Forwarding::Tun(tunnel) = method else {
        return if method == Forwarding::Nat {
            "NAT"
        } else {
            "DR"
        }
        .to_owned();
    };
    let kind = match tunnel.kind {
        TunnelKind::Ipip => "IPIP".to_owned(),
        TunnelKind::Gre => "GRE".to_owned(),
        TunnelKind::Gue(port) => format!("GUE/port={port}"),
    };
    let sum = match tunnel.checksum {
        Some(Checksum::Full) => "/checksum",
        _ => "",
    };
    format!("TUN/type={kind}{sum}")
}

fn of_server(server: &VirtualServer, word: &str) -> String {
    match word {
        "family" => match server.service_family() {
            Family::V4 => "inet".to_owned(),
            Family::V6 => "inet6".to_owned(),
        },
        "sched" => format!("{:?}", server.scheduler()).to_lowercase(),
        "fwd" => forwarding(server.forwarding()),
        "persist" => server.persistence().map_or(0, |it| it.0).to_string(),
        "gran" => match server.persistence_granularity {
            None => "-".to_owned(),
            Some(Granularity::Mask(mask)) => mask.to_string(),
            Some(Granularity::Prefix(prefix)) => prefix.to_string(),
        },
        "proto" => format!("{:?}", server.service_protocol().expect("an address")).to_uppercase(),
        "alpha" => on_off(server.tuning.alpha == Some(true)).to_owned(),
        "omega" => on_off(server.omega).to_owned(),
        "quorum" => server.effective_quorum().to_string(),
        "hyst" => server.effective_hysteresis().to_string(),
        "smtp" => yes_no(server.smtp_alert(None)).to_owned(),
        other => panic!("{other}"),
    }
}

fn of_real(served: Served<'_>, word: &str) -> String {
    match word {
        "weight" => served.weight().to_string(),
        "fwd" => forwarding(served.forwarding()),
        "alpha" => on_off(served.alpha()).to_owned(),
        "timeout" => served.connect_timeout().as_micros().to_string(),
        "limit" => {
            let more = &served.real.more;
            let (lower, upper) = (more.lower.unwrap_or(0), more.upper.unwrap_or(0));
            format!("{lower}->{upper}")
        }
        "delay_loop" => served.delay_loop().as_micros().to_string(),
        "inhibit" => on_off(served.inhibit_on_failure()).to_owned(),
        "smtp" => yes_no(served.smtp_alert(None)).to_owned(),
        other => panic!("{other}"),
    }
}

fn of_check(checked: Checked<'_>, word: &str) -> String {
    let (address, port) = checked.target();
    match word {
        "method" => match checked.checker {
            Checker::Tcp(_) => "TCP_CHECK",
            Checker::Http(_) => "HTTP_GET",
            Checker::Ssl(_) => "SSL_GET",
            Checker::Smtp(_) => "SMTP_CHECK",
            Checker::Dns(_) => "DNS_CHECK",
            Checker::Udp(_) => "UDP_CHECK",
            Checker::Ping(_) => "PING_CHECK",
            Checker::Misc(_) => "MISC_CHECK",
            Checker::File(_) => "FILE_CHECK",
            Checker::Bfd(_) => "BFD_CHECK",
        }
        .to_owned(),
        "alpha" => yes_no(checked.alpha()).to_owned(),
        "delay_loop" => checked.delay_loop().as_micros().to_string(),
        "warmup" => checked.warmup().as_micros().to_string(),
        "retry" => checked.retry().to_string(),
        "delay" => checked.delay_before_retry().as_micros().to_string(),
        "log_all" => yes_no(checked.log_all_failures(false)).to_owned(),
        "dest" => format!("[{address}]:{port}"),
        "timeout" => checked.timeout().as_micros().to_string(),
        other => panic!("{other}"),
    }
}

/// Every value that the original dumps is the one that counts here.
#[test]
fn values_are_those_that_the_original_dumps() {
    let mut config = Config::default();
    let mut name = "";
    let mut checks = 0;
    let mut compared = 0;
    for line in include_str!("dumped.tsv")
        .lines()
        .filter(|it| !it.starts_with('#'))
    {
        let (kind, rest) = line.split_once('\t').expect("two columns");
        if kind == "conf" {
            let (new, text) = rest.split_once('\t').expect("three columns");
            let (read, found) = parse("f", &written(text));
            assert!(
                found.iter().all(|it| it.code != Code::UnknownWord),
                "{found:?}"
            );
            (config, name, checks) = (read, new, 0);
            continue;
        }
        let server = &config.lvs.servers[0];
        let served = server.served().next().expect("a real server");
        let is_other = |it: &Checked<'_>| !matches!(it.checker, Checker::File(_) | Checker::Bfd(_));
        let checked = served.checked().filter(is_other).nth(checks);
        for (word, value) in values(rest) {
            let ours = match kind {
                "vs" => of_server(server, &word),
                "rs" => of_real(served, &word),
                _ => of_check(checked.expect("a check"), &word),
            };
            if value != "-" || word == "gran" {
                let of_none = word == "dest" && value == "-";
                assert!(
                    of_none || ours == value,
                    "{name} {kind}: {word}={value}, not {ours}"
                );
                compared += 1;
            }
        }
        checks += usize::from(kind == "check");
    }
    assert!(compared > 400, "{compared}");
}

fn first_server(text: &str) -> VirtualServer {
    let (mut config, found) = parse("f", text);
    assert!(
        found.iter().all(|it| it.code == Code::NotBuilt),
        "{found:?}"
    );
    config.lvs.servers.remove(0)
}

/// The nearest that says something: page, check, real server, virtual server.
#[test]
fn hosts_are_inherited() {
    let of = |vs: &str, rs: &str, check: &str, url: &str| {
        let text = format!(
            "{SERVER}{vs}{REAL}{rs}\nHTTP_GET {{\n{check}\nurl {{\npath /\n{url}\n}}\n}}\n}}\n}}\n"
        );
        let server = first_server(&text);
        let served = server.served().next().expect("one");
        let checked = served.checked().next().expect("one");
        let Checker::Http(get) = checked.checker else {
            panic!("{:?}", checked.checker);
        };
        let host = checked.virtualhost(get.urls[0].virtualhost.as_deref());
        host.map(str::to_owned)
    };
    let host = |name: &str| format!("virtualhost {name}");
    assert_eq!(of("", "", "", ""), None);
    assert_eq!(of(&host("v"), "", "", "").as_deref(), Some("v"));
    assert_eq!(of(&host("v"), &host("r"), "", "").as_deref(), Some("r"));
    assert_eq!(
        of(&host("v"), &host("r"), &host("c"), "").as_deref(),
        Some("c")
    );
    assert_eq!(
        of(&host("v"), "", &host("c"), &host("u")).as_deref(),
        Some("u")
    );
}

#[test]
fn only_nat_changes_ports() {
    let of = |head: &str, method: &str, port: &str| {
        let text = format!(
            "virtual_server {head} {{\nlb_algo rr\nlb_kind {method}\nprotocol TCP\n\
             real_server 10.0.0.2 {port} {{\nTCP_CHECK {{\n}}\n}}\n}}\n"
        );
        let (config, _) = parse("f", &text);
        let served = config.lvs.servers[0].served().next().expect("one");
        (
            served.port(),
            served.checked().next().expect("one").target().1,
        )
    };
    assert_eq!(of("10.0.0.1 80", "NAT", "81"), (81, 81));
    assert_eq!(of("10.0.0.1 80", "DR", "81"), (80, 80));
    assert_eq!(of("10.0.0.1 80", "TUN", ""), (80, 80));
    assert_eq!(of("fwmark 3", "DR", "81"), (0, 0));
    assert_eq!(of("fwmark 3", "NAT", "81"), (81, 81));
}

#[test]
fn a_quorum_can_be_reached_and_lost() {
    let of = |lines: &str| {
        let text =
            format!("{SERVER}{lines}{REAL}weight 4\n}}\nreal_server 10.0.0.3 80 {{\n}}\n}}\n");
        let (config, _) = parse("f", &text);
        let server = &config.lvs.servers[0];
        (server.effective_quorum(), server.effective_hysteresis())
    };
    assert_eq!(of(""), (1, 0));
    assert_eq!(of("quorum 5\nhysteresis 4"), (5, 4));
    assert_eq!(of("quorum 5\nhysteresis 5"), (5, 4));
    assert_eq!(of("quorum 9"), (5, 0));
    assert_eq!(of("weight 3\nquorum 9"), (7, 0));
}

#[test]
fn ranges_of_a_group_hold_both_ends() {
    let of = |line: &str| {
        let (config, _) = parse("f", &format!("virtual_server_group G {{\n{line}\n}}\n"));
        let entry = config.lvs.groups.first().and_then(|it| it.entries.first());
        entry.map(|entry| match entry {
            GroupEntry::Addresses(it) => (
                it.first.to_string(),
                it.last.to_string(),
                it.port,
                it.count(),
            ),
            GroupEntry::Fwmark { .. } => panic!("{entry:?}"),
        })
    };
    let good = |first: &str, last: &str, port, count| {
        Some((first.to_owned(), last.to_owned(), port, count))
    };
    assert_eq!(of("10.0.0.1 80"), good("10.0.0.1", "10.0.0.1", 80, 1));
    assert_eq!(of("10.0.0.1-9"), good("10.0.0.1", "10.0.0.9", 0, 9));
    assert_eq!(
        of("10.0.0.250-10.0.1.5 7"),
        good("10.0.0.250", "10.0.1.5", 7, 12)
    );
    assert_eq!(
        of("10.0.0.0/8 7"),
        good("10.0.0.0", "10.255.255.255", 7, 1 << 24)
    );
    assert_eq!(of("fe80::1-ff 7"), good("fe80::1", "fe80::ff", 7, 255));
    assert_eq!(
        of("fe80::/64 7"),
        good("fe80::", "fe80::ffff:ffff:ffff:ffff", 7, 1 << 64)
    );
    for bad in [
        "10.0.0.1-0",
        "10.0.0.1/24",
        "10.0.0.0/0",
        "fe80::1-fffff",
        "10.0.0.1-::2",
        "::/129",
    ] {
        assert_eq!(of(bad), None, "{bad}");
    }
}

/// The checks of all of them stand one after the other, in the order of the file, also after a dump.
#[test]
fn a_dump_keeps_the_order_of_checks() {
    let text = format!(
        "{SERVER}{REAL}TCP_CHECK {{\nretry 1\n}}\nDNS_CHECK {{\n}}\nTCP_CHECK {{\nretry 2\n}}\n}}\n}}\n"
    );
    let (config, _) = parse("f", &text);
    let first = dump(&config, false);
    let (again, _) = parse("f", &first);
    assert_eq!(
        again.lvs.servers[0].real_servers,
        config.lvs.servers[0].real_servers
    );
    assert_eq!(dump(&again, false), first);
    let checkers = &config.lvs.servers[0].real_servers[0].checkers;
    assert!(matches!(
        checkers.as_slice(),
        [Checker::Tcp(_), Checker::Dns(_), Checker::Tcp(_)]
    ));
}

#[test]
fn texts_with_signs_reach_their_fields_and_come_back() {
    let text = format!(
        "{SERVER}quorum_up \"/bin/x 'a b' \\\\x41\" joe{REAL}HTTP_GET {{\nurl {{\npath /\n\
         regex \"a\\\\.b 'c' \\x24\"\n}}\n}}\n}}\n}}\n"
    );
    let server = first_server(&text);
    let script = server.quorum_up.as_ref().expect("a script");
    assert_eq!(script.command.argv, ["/bin/x", "a b", "A"]);
    let Checker::Http(get) = &server.real_servers[0].checkers[0] else {
        panic!("{server:?}");
    };
    let pattern = get.urls[0].regex.pattern.as_ref().expect("a pattern");
    assert_eq!(&*pattern.0, "a\\.b 'c' $");
    let (config, _) = parse("f", &text);
    let again = first_server(&dump(&config, false));
    assert_eq!(again.quorum_up, server.quorum_up);
    assert_eq!(again.real_servers, server.real_servers);
}

/// There may be hundreds of thousands of them.
#[test]
fn real_servers_and_checks_are_small() {
    assert!(size_of::<RealServer>() <= 72, "{}", size_of::<RealServer>());
    assert!(size_of::<TcpCheck>() <= 96, "{}", size_of::<TcpCheck>());
    assert!(size_of::<Checker>() <= 16, "{}", size_of::<Checker>());
}

#[test]
fn nothing_written_takes_no_box() {
    let server = first_server(&format!(
        "{SERVER}{REAL}TCP_CHECK {{\nretry 1\n}}\n}}\n}}\n"
    ));
    let real = &server.real_servers[0];
    let Checker::Tcp(tcp) = &real.checkers[0] else {
        panic!("{real:?}");
    };
    assert!(real.more.0.is_none() && tcp.probe.ends.0.is_none());
    assert_eq!(real.more, Rare::<RealServerMore>::default());
}

/// Of many with one address and port, one is left, and it does not take long.
#[test]
fn the_first_of_equal_servers_stays() {
    let one = |n: u32| {
        format!(
            "real_server 10.0.{}.{} 80 {{\nweight {n}\n}}\n",
            n % 64,
            n % 50
        )
    };
    let all: String = (1..=6_400).map(one).collect();
    let (config, found) = parse("f", &format!("{SERVER}{all}}}\n"));
    let reals = &config.lvs.servers[0].real_servers;
    assert_eq!(reals.len(), 1_600);
    assert!(reals.iter().all(|real| real.weight <= Some(1_600)));
    assert!(
        found
            .iter()
            .any(|it| it.message.contains("stands in this block already"))
    );
}
