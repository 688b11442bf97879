#![forbid(unsafe_code)]
//! Starts that cannot succeed say why, once, with keepalived's exit code, and change nothing on the host.
//! Starts that can succeed tidy up what a former run has left.

use std::time::Duration;

use relevo_tests::lab::{
    Daemon, Flavour, Host, Lab, Options, Program, Result, need, output, wait_until,
};

/// Exit codes of keepalived.
const CONFIG: i32 = 2;
const MISSING_PERMISSION: i32 = 4;
const NO_CONFIG: i32 = 6;
/// What `-t` returns for ordinary errors.
const TEST_FAILED: i32 = 5;
/// How long a start that cannot succeed may take.
const LIMIT: Duration = Duration::from_secs(5);

/// A lab of two hosts and the daemon; `None` (and a note) where there can be none.
fn stage() -> Option<(Lab, Host, Program)> {
    if let Some(reason) = need::lab() {
        relevo_tests::skip::record(module_path!(), &reason);
        return None;
    }
    let lab = Lab::new(&["a", "b"]).unwrap();
    let host = lab.host("a").clone();
    Some((lab, host, Program::relevo().unwrap()))
}

/// A good configuration; line 7 is the VRID, line 6 the interface.
fn good(lab: &Lab) -> String {
    Flavour::V2.configuration(lab.host("a"), lab.host("b"), 100)
}

/// Runs the daemon to its end: code, and everything it said. The host must be as before.
fn run(host: &Host, program: &Program, text: &str, options: Options<'_>) -> Result<(i32, String)> {
    let before = host.fingerprint()?;
    let mut daemon = Daemon::start_with(host, program, text, options)?;
    let code = daemon
        .wait(LIMIT)
        .map_err(|error| format!("{error}\n{}", daemon.log()))?;
    let after = host.fingerprint()?;
    if before == after {
        Ok((code, daemon.log()))
    } else {
        Err(format!(
            "the host has changed\nbefore:\n{before}\nafter:\n{after}\n{}",
            daemon.log()
        ))
    }
}

/// A configuration that the daemon must refuse: what is replaced in the good one by what, the line that
/// is to blame, and a word that the message must have.
struct Refused {
    replace: (&'static str, &'static str),
    line: usize,
    word: &'static str,
}

const REFUSED: [Refused; 4] = [
    Refused {
        replace: ("virtual_router_id 51", "virtual_router_id"),
        line: 8,
        word: "virtual_router_id",
    },
    Refused {
        replace: ("virtual_router_id 51", "virtual_router_id 300"),
        line: 8,
        word: "300",
    },
    Refused {
        replace: ("interface eth0", "interface nosuch0"),
        line: 7,
        word: "nosuch0",
    },
    Refused {
        replace: ("interface eth0", "interface lo"),
        line: 7,
        word: "lo",
    },
];

#[test]
fn a_refused_configuration_is_named_with_its_place() {
    let Some((lab, host, program)) = stage() else {
        return;
    };
    for case in &REFUSED {
        let text = good(&lab).replace(case.replace.0, case.replace.1);
        assert_ne!(text, good(&lab));
        let (code, log) = run(&host, &program, &text, Options::default()).unwrap();
        assert_eq!(code, CONFIG, "{:?}:\n{log}", case.replace);
        if program.keepalived {
            continue;
        }
        // file:line:column, told once.
        let place = format!("daemon.conf:{}:", case.line);
        assert_eq!(log.matches(&place).count(), 1, "{place} in\n{log}");
        let column = log
            .split(&place)
            .nth(1)
            .and_then(|rest| rest.chars().next());
        assert!(
            column.is_some_and(|c| c.is_ascii_digit()),
            "no column in\n{log}"
        );
        assert!(log.contains(case.word), "no {} in\n{log}", case.word);
    }
}

#[test]
fn a_missing_configuration_is_told() {
    let Some((lab, host, program)) = stage() else {
        return;
    };
    let options = Options {
        extra: &["-f", "/nonexistent/relevo.conf"],
        wrap: &[],
    };
    let (code, log) = run(&host, &program, &good(&lab), options).unwrap();
    assert_eq!(code, NO_CONFIG, "{log}");
    assert!(log.contains("/nonexistent/relevo.conf"), "{log}");
}

#[test]
fn a_missing_capability_is_told() {
    let Some((lab, host, program)) = stage() else {
        return;
    };
    for (without, name) in [
        ("-net_raw", "CAP_NET_RAW"),
        ("-net_admin,-net_raw", "CAP_NET_ADMIN"),
    ] {
        let options = Options {
            extra: &[],
            wrap: &["setpriv", "--bounding-set", without],
        };
        let (code, log) = run(&host, &program, &good(&lab), options).unwrap();
        assert_eq!(code, MISSING_PERMISSION, "{without}:\n{log}");
        assert!(
            program.keepalived || log.contains(name),
            "no {name} in\n{log}"
        );
    }
}

#[test]
fn a_configuration_can_be_tested() {
    let Some((lab, host, program)) = stage() else {
        return;
    };
    let options = Options {
        extra: &["-t"],
        wrap: &[],
    };
    let (code, log) = run(&host, &program, &good(&lab), options).unwrap();
    assert_eq!(code, 0, "{log}");
    let text = good(&lab).replace("virtual_router_id 51", "virtual_router_id 300");
    let (code, log) = run(&host, &program, &text, options).unwrap();
    assert_eq!(code, TEST_FAILED, "{log}");
    let text = good(&lab).replace("priority 100", "no_such_word 100");
    let (code, log) = run(&host, &program, &text, options).unwrap();
    assert_eq!(code, TEST_FAILED, "{log}");
}

#[test]
fn an_unknown_option_is_refused() {
    let Some((lab, host, program)) = stage() else {
        return;
    };
    let options = Options {
        extra: &["--no-such-option"],
        wrap: &[],
    };
    let (code, log) = run(&host, &program, &good(&lab), options).unwrap();
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("no-such-option"), "{log}");
}

#[test]
fn a_second_daemon_leaves_the_first_alone() {
    let Some((lab, host, program)) = stage() else {
        return;
    };
    let first = Daemon::start(&host, &program, &good(&lab)).unwrap();
    let limit = Flavour::V2.master_down(100) + LIMIT;
    let address = Flavour::V2.service();
    let held = || Ok(host.holds(address)?.then_some(()));
    wait_until("the address", limit, held)
        .unwrap_or_else(|error| panic!("{error}\n{}", first.log()));
    let (code, log) = run(&host, &program, &good(&lab), Options::default()).unwrap();
    assert_eq!(code, 0, "{log}");
    assert!(log.to_lowercase().contains("already running"), "{log}");
    assert!(host.holds(address).unwrap());
}

#[test]
fn addresses_left_by_a_former_run_go_first() {
    let Some((lab, host, program)) = stage() else {
        return;
    };
    for flavour in [Flavour::V2, Flavour::V3_IPV6] {
        let text = flavour.configuration(&host, lab.host("b"), 100);
        for (address, prefix) in flavour.virtual_addresses() {
            let text = format!("{address}/{prefix}");
            let mut add = host.command("ip");
            output(add.args(["addr", "add", &text, "dev", "eth0"])).unwrap();
        }
        let daemon = Daemon::start(&host, &program, &text).unwrap();
        let held = |wanted: bool| {
            let present = host.addresses()?;
            let all = flavour.virtual_addresses();
            let count = all
                .iter()
                .filter(|(address, _)| present.contains(address))
                .count();
            Ok((count == if wanted { all.len() } else { 0 }).then_some(()))
        };
        let early = flavour.master_down(100);
        let gone = wait_until("the leftovers are removed", early, || held(false));
        gone.unwrap_or_else(|error| panic!("{error}\n{}", daemon.log()));
        // Then it is elected, and puts them there itself.
        let back = wait_until("the addresses are back", early + LIMIT, || held(true));
        back.unwrap_or_else(|error| panic!("{error}\n{}", daemon.log()));
        daemon.cut_power().unwrap();
    }
}
