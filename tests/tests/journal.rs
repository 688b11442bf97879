#![forbid(unsafe_code)]
//! A machine that is fed the journal of another does what that one did.

use std::sync::Arc;

use relevo_core::config::bound::{Auth, Bound, InstanceConfig};
use relevo_core::ids::{Family, Version};
use relevo_core::journal;
use relevo_core::machine::{Machine, Out};
use relevo_core::time::{Duration, Instant};
use relevo_core::trace::{Input, Line, action_line};
use relevo_core::vrrp::{StateName, VrrpNode};
use relevo_tests::one_host::{Advert, ETH0, OneHost, Recording, config, virtual_addresses};

const PASSWORD: [u8; 8] = *b"s3cr3t!!";

fn text_of(recording: &Recording) -> String {
    let mut image = Vec::new();
    recording.journal.copy_into(&mut image);
    journal::text(&image)
}

/// Plays the text of a journal into a new machine; returns the lines of its actions.
fn play(text: &str, bound: Bound) -> Vec<String> {
    let began = text
        .lines()
        .find_map(|line| line.strip_prefix("# began at "));
    let (at, seed) = began
        .and_then(|words| words.split_once(", seed "))
        .expect("how it began");
    let at = Instant::from_micros(at.parse().expect("a time"));
    let bound = Arc::new(bound);
    let mut node = VrrpNode::new(Arc::clone(&bound), seed.parse().expect("a number"), at);
    let mut out = Out::new();
    let mut actions = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let line = Line::parse(line).expect("a line of a trace");
        match line.input().expect("an input") {
            Input::Timeout => node.handle_timeout(line.at, &mut out),
            Input::Reload(_) => panic!("nothing was reloaded"),
            Input::Event(event) => node.handle(event, line.at, &mut out),
        }
        let line_of = |action| action_line(line.at, action, &out, &bound);
        actions.extend(out.actions().iter().map(line_of));
        out.clear();
    }
    actions
}

/// The configuration, and the same without its password.
fn with_password(mut config: InstanceConfig, password: [u8; 8]) -> InstanceConfig {
    config.auth = Auth::Pass(password);
    config
}

/// A life with everything in it: elections, a rival, strangers, a link that fails, the end.
fn live(config: InstanceConfig) -> OneHost {
    let mut host = OneHost::new(config);
    host.record();
    let effects = host.dump(&[relevo_tests::one_host::link("eth0", ETH0)]);
    host.open_sockets(&effects, Ok(()));
    host.hear_neighbour(7, 200);
    host.pass(Duration::from_millis(900));
    host.hear_neighbour(7, 200);
    // One with another password, and one that is damaged: they do not count.
    let mut stranger = Advert::from_neighbour(&host.config(), 8, 250);
    if host.config().version == Version::V2 {
        stranger.auth = Auth::Pass(*b"another!");
    }
    stranger.hop_limit = 254;
    host.hear(&stranger);
    stranger.hop_limit = 255;
    if host.config().version == Version::V2 {
        host.hear(&stranger);
    }
    let good = Advert::from_neighbour(&host.config(), 7, 200);
    let mut octets = good.octets();
    let last = octets.len() - 9;
    octets[last] ^= 1;
    host.hear_octets(&good, &octets);
    host.run_for(Duration::from_secs(10));
    assert_eq!(host.state(), StateName::Master);
    host.hear_neighbour(4, 50);
    host.run_for(Duration::from_millis(1_300));
    host.set_link(false);
    host.settle();
    host.run_for(Duration::from_secs(2));
    assert_eq!(host.state(), StateName::Fault);
    host.set_link(true);
    host.run_for(Duration::from_secs(10));
    host.take_address(virtual_addresses(host.config().family)[0]);
    host.run_for(Duration::from_secs(5));
    host.stop();
    host.settle();
    host
}

#[test]
fn a_journal_from_the_start_gives_the_same_actions() {
    for (version, family) in [
        (Version::V2, Family::V4),
        (Version::V3, Family::V4),
        (Version::V3, Family::V6),
    ] {
        let host = live(config(version, family));
        let recording = host.recording.as_ref().expect("it was recorded");
        let text = text_of(recording);
        assert!(!text.contains("overwritten"), "{text}");
        let again = play(&text, host.node.bound().clone());
        assert!(again.len() > 40, "a dull life: {again:?}");
        assert_eq!(again, recording.actions);
    }
}

/// The secret is not in it, and whoever has none can still play it: what was right is right, and
/// what was wrong is wrong.
#[test]
fn a_journal_plays_without_the_password() {
    let plain = config(Version::V2, Family::V4);
    let host = live(with_password(plain.clone(), PASSWORD));
    let recording = host.recording.as_ref().expect("it was recorded");
    let text = text_of(recording);
    let hex = |secret: &[u8]| -> String { secret.iter().map(|o| format!("{o:02x}")).collect() };
    for secret in [&PASSWORD[..], b"another!"] {
        assert!(!text.contains(&hex(&secret[..4])), "{text}");
    }
    let blank = with_password(plain.clone(), [0; 8]);
    let again = play(
        &text,
        Bound {
            instances: vec![blank],
            ..host.node.bound().clone()
        },
    );
    // Its own adverts have the other password, and so another checksum.
    let told = |lines: &[String]| -> Vec<String> {
        let cut = |line: &String| match line.split_once(" 45") {
            Some((words, _)) if line.contains("send-advert") => words.to_owned(),
            Some(_) | None => line.clone(),
        };
        lines.iter().map(cut).collect()
    };
    assert_eq!(told(&again), told(&recording.actions));
    // And with another one it is another life: the verdicts count.
    let other = with_password(plain, *b"another!");
    let bound = Bound {
        instances: vec![other],
        ..host.node.bound().clone()
    };
    assert_ne!(told(&play(&text, bound)), told(&recording.actions));
}
