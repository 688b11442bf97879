//! Configuration text: every finding has a place that is right, what is bound is within its ranges,
//! and a text that may be started with can be written again from what was understood of it.

use std::sync::OnceLock;

use relevo_core::config::bound::{Auth, Bound, Destination, InstanceConfig};
use relevo_core::config::fuzzing::{Piece, keywords, pieces, statements};
use relevo_core::config::source::Bundle;
use relevo_core::config::{
    Diagnostic, EXIT_CONFIG, HostFacts, InterfaceFact, Span, bind, check_exit_code, load, parse,
    parse_sources, start_exit_code,
};
use relevo_core::ids::{Family, Version};
use relevo_core::limits;
use relevo_core::time::Duration;

use crate::config_text;
use crate::trail::Trail;

/// Words that values are made of.
const VALUES: &[&str] = &[
    "{",
    "}",
    "\"",
    "#",
    "!",
    "\\",
    "$X=1",
    "${X}",
    "$X",
    "@host",
    "~SEQ(a,1,2)",
    "include",
    "lo",
    "eth0",
    "eth1",
    "PASS",
    "AH",
    "MASTER",
    "BACKUP",
    "on",
    "off",
    "yes",
    "no",
    "true",
    "false",
    "10.0.0.100/24",
    "10.0.0.1",
    "224.0.0.18",
    "ff02::12",
    "fe80::1/64",
    "2001:db8::1/128",
    "dev",
    "brd",
    "+",
    "-",
    "label",
    "scope",
    "global",
    "link",
    "host",
    "-nodad",
    "noprefixroute",
    "preferred_lft",
    "0",
    "home",
    "peer",
    "min_ttl",
    "1.5",
    "0.01",
];

/// The words of the language.
pub fn words() -> &'static [&'static str] {
    static WORDS: OnceLock<Vec<&'static str>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let mut words = keywords();
        // As many again, so that values are as frequent as keywords.
        while words.len() < 400 {
            words.extend(VALUES);
        }
        words.extend(VALUES);
        words
    })
}

/// Words that make lines of other lines.
pub fn language_words() -> &'static [&'static str] {
    &[
        "$A=",
        "$B=",
        "${A}",
        "$A",
        "${B}",
        "$B",
        "\\\n",
        "\n",
        "~SEQ(i,1,3) ",
        "~SEQx(j, 10, -2, 1) ",
        "~LST({v,w},{a,b},{c,d}) ",
        "~SEQ(i,1000000) ",
        "${i}",
        "${v}",
        "@me ",
        "@^me ",
        "@you ",
        "include ",
        "includea ",
        "include_check ",
        "/d/b",
        "c.conf",
        "*",
        "{b,c.conf}",
        "=== \n",
        "${_PWD}",
        "${_RANDOM 1 9}",
        "${_ENV HOME}",
        "${_HASH}",
        "${_INSTANCE}",
        "{",
        "}",
        "\"",
        "#",
        "!",
        "\\#",
        "'",
        "vrrp_instance A {\n",
        "priority ",
        "random_seed 3\n",
        "x",
    ]
}

/// The host that the text is for.
fn facts() -> HostFacts {
    let interface = |name: &str, mtu, multicast| InterfaceFact {
        name: name.to_owned(),
        loopback: name == "lo",
        multicast,
        mtu,
    };
    HostFacts {
        hostname: "host".to_owned(),
        uptime: Duration::from_secs(3_600),
        interfaces: vec![
            interface("lo", 65_536, false),
            interface("eth0", 1_500, true),
            interface("eth1", 576, true),
            interface("tun0", 0, false),
        ],
    }
}

/// Reads any text, as UTF-8 as it may be.
pub fn config(data: &[u8], trail: &mut Trail) {
    let text = String::from_utf8_lossy(data);
    let (config, found) = parse("fuzz.conf", &text);
    let again = parse("fuzz.conf", &text);
    assert_eq!((&config, &found), (&again.0, &again.1), "read otherwise");
    check_findings(&text, &found, trail);
    for facts in [facts(), HostFacts::default()] {
        let (bound, more) = bind(&config, &facts);
        check_findings(&text, &more, trail);
        check_ranges(&bound);
        let (loaded, all) = load("fuzz.conf", &text, &facts);
        check_load(&bound, &loaded, &all, found.len() + more.len());
        trail.mark(format_args!("check {}", check_exit_code(&all)));
        if start_exit_code(&all).is_none() {
            describe(&bound, trail);
            check_written_again(&bound, &facts);
        }
    }
}

fn check_load(bound: &Bound, loaded: &Bound, all: &[Diagnostic], expected: usize) {
    if check_exit_code(all) == EXIT_CONFIG {
        assert_eq!(loaded, &Bound::default(), "read on behind a missing value");
    } else {
        assert_eq!(loaded, bound);
        // Findings about one mistake are joined.
        assert!(all.len() <= expected && all.is_empty() == (expected == 0));
    }
    assert!(
        all.is_sorted_by_key(|finding| (finding.span.start, finding.span.end))
            || all.len() > limits::DIAGNOSTICS
    );
    if start_exit_code(all).is_some() {
        assert!(check_exit_code(all) != 0 || all.iter().any(|one| !one.message.is_empty()));
    }
}

/// Places lie in the text, lines and columns say the same as octets, messages are one line.
fn check_findings(text: &str, found: &[Diagnostic], trail: &mut Trail) {
    // The ceiling, one more of each kind, and the line that counts the rest.
    assert!(found.len() <= limits::DIAGNOSTICS + 5 * 17 + 1);
    for finding in found {
        let covered = text.get(finding.span.clone());
        assert!(covered.is_some(), "a span outside the text: {finding:?}");
        if finding.span != (0..0) || finding.line != 0 {
            check_place(text, finding);
        }
        let line = finding.to_string();
        assert!(
            !finding.message.is_empty() && !line.contains(char::is_control),
            "{line:?}"
        );
        assert!(line.len() < 2_000, "an endless message: {line:?}");
        trail.mark(format_args!(
            "{}/{:?}: {}",
            finding.severity,
            finding.class,
            first_words(&finding.message)
        ));
    }
}

fn check_place(text: &str, finding: &Diagnostic) {
    let before = &text[..finding.span.start];
    let line = before.matches('\n').count() + 1;
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let column = text[begin..finding.span.start].chars().count() + 1;
    assert_eq!(
        (finding.line as usize, finding.column as usize),
        (line, column),
        "{finding:?}"
    );
}

/// What tells one message from another without the names in it.
fn first_words(message: &str) -> &str {
    let quote = message.find('`').unwrap_or(message.len());
    let digit = message
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(message.len());
    &message[..quote.min(digit)]
}

/// The ranges that `bound` and the original's manual document.
fn check_ranges(bound: &Bound) {
    let timers_max = Duration::from_secs(u64::from(u32::MAX));
    for config in &bound.instances {
        let longest = match config.version {
            Version::V2 => Duration::from_secs(255),
            Version::V3 => Duration::from_centis(4_095),
        };
        let interval = config.advert_interval;
        assert!(!interval.is_zero() && interval <= longest, "{config:?}");
        let unit = if config.version == Version::V2 {
            1_000_000
        } else {
            10_000
        };
        assert!(interval.as_micros().is_multiple_of(unit), "{config:?}");
        assert!(config.vrid > 0 && config.priority > 0, "{config:?}");
        assert!((1..=100).contains(&config.down_timer_adverts), "{config:?}");
        assert!(
            config.addresses.len() <= limits::ADVERT_ADDRESSES,
            "{config:?}"
        );
        assert!(
            config.version == Version::V2 || config.auth == Auth::None,
            "{config:?}"
        );
        assert!(
            config.preempt || !(config.is_owner() || config.state_master),
            "{config:?}"
        );
        assert!(
            config.preempt_delay <= timers_max && config.garp.master_delay <= timers_max,
            "{config:?}"
        );
        for address in config.all_addresses() {
            assert!(
                address.prefix <= Family::of(address.addr).prefix_max(),
                "{address:?}"
            );
        }
        check_families(config);
    }
}

/// Everything that adverts consist of is of one family.
fn check_families(config: &InstanceConfig) {
    assert!(
        config
            .addresses
            .iter()
            .all(|one| Family::of(one.addr) == config.family),
        "{config:?}"
    );
    assert!(
        config
            .source
            .is_none_or(|addr| Family::of(addr) == config.family),
        "{config:?}"
    );
    match &config.destination {
        Destination::Multicast(group) => {
            assert!(
                group.is_multicast() && Family::of(*group) == config.family,
                "{config:?}"
            );
            assert_eq!(config.hop_limit, 255, "{config:?}");
        }
        Destination::Unicast(peers) => {
            assert!(!peers.is_empty(), "{config:?}");
            assert!(
                peers.iter().all(|peer| Family::of(*peer) == config.family),
                "{config:?}"
            );
        }
    }
}

fn describe(bound: &Bound, trail: &mut Trail) {
    for config in &bound.instances {
        trail.mark(format_args!(
            "starts: v{} {} auth {} owner {} master {} preempt {} unicast {}",
            config.version.number(),
            config.family,
            config.auth != Auth::None,
            config.is_owner(),
            config.state_master,
            config.preempt,
            matches!(config.destination, Destination::Unicast(_))
        ));
        for address in config.all_addresses() {
            trail.mark(format_args!(
                "address: {} scope {} brd {} label {} dev {} nodad {} deprecated {} route {}",
                address.addr.is_ipv4(),
                address.scope,
                address.broadcast.is_some(),
                address.label.is_some(),
                address.dev.is_some(),
                address.nodad,
                address.deprecated,
                address.no_prefix_route
            ));
        }
    }
}

/// What was understood, written out in full, is understood as the same again.
fn check_written_again(bound: &Bound, facts: &HostFacts) {
    let Some(text) = config_text::write(bound) else {
        return;
    };
    let (second, found) = load("again.conf", &text, facts);
    let refused = start_exit_code(&found);
    assert!(refused.is_none(), "{text}\n{found:?}");
    assert_eq!(
        config_text::write(&second).as_ref(),
        Some(&text),
        "{found:?}"
    );
}

/// The lexer: every octet is part of a word or brace, blank, comment, or has been complained about.
/// Where lines ask for other text, only the places are looked at.
pub fn lexer(data: &[u8], trail: &mut Trail) {
    let text = String::from_utf8_lossy(data);
    let (pieces, found) = pieces(&text);
    check_findings(&text, &found, trail);
    if text.contains(['$', '@', '~']) || text.contains("include") {
        for piece in &pieces {
            if let Piece::Word { span, .. } | Piece::Brace { span } = piece {
                let covered = text.get(span.bytes());
                assert!(covered.is_some_and(|it| !it.contains('\n')), "{piece:?}");
            }
        }
        return;
    }
    let mut covered = Vec::new();
    let mut open = false;
    for piece in &pieces {
        match piece {
            Piece::Word { text: word, span } => {
                let source = &text[span.bytes()];
                assert_eq!(*word, unquoted(source), "at {span:?}");
                trail.mark(format_args!(
                    "word: quoted {} escaped {}",
                    source.starts_with('"'),
                    source.contains('\\'),
                ));
                covered.push(*span);
                open = true;
            }
            Piece::Brace { span } => {
                assert!(!open, "a brace within a statement");
                assert!(["{", "}"].contains(&&text[span.bytes()]));
                trail.mark(format_args!("brace {}", &text[span.bytes()]));
                covered.push(*span);
            }
            Piece::End => {
                assert!(open, "a statement without words");
                open = false;
            }
        }
    }
    check_covered(&text, covered, &found);
}

/// Words lie in order on their lines, and nothing but blanks and comments between them.
fn check_covered(text: &str, covered: Vec<Span>, found: &[Diagnostic]) {
    assert!(
        covered.is_sorted_by(|one, two| one.end <= two.start),
        "words overlap"
    );
    assert!(covered.iter().all(|span| span.start < span.end));
    let mut covered = covered.into_iter().peekable();
    let mut start = 0;
    for (index, line) in text.split('\n').enumerate() {
        let end = start + line.len();
        let number = index as u32 + 1;
        let complaint = found.iter().any(|finding| finding.line == number);
        let mut at = start;
        while let Some(span) = covered.next_if(|span| span.bytes().start < end.max(start + 1)) {
            assert!(
                span.bytes().end <= end && span.line == number,
                "a word over the end of its line"
            );
            check_gap(&text[at..span.bytes().start], false, complaint);
            at = span.bytes().end;
        }
        check_gap(&text[at..end], true, complaint);
        start = end + 1;
    }
    assert!(covered.next().is_none(), "a word behind the text");
}

/// Includes, definitions, repetitions and conditions: three files of the data, the first of which is
/// read. Nothing panics or goes on for ever, the same is read again from the same bundle, and every
/// place lies in the file that it names.
pub fn expansion(data: &[u8], trail: &mut Trail) {
    let text = String::from_utf8_lossy(data);
    let mut bundle = Bundle {
        directory: "/d".to_owned(),
        config_id: "me".to_owned(),
        seed: 1,
        room: ROOM,
        ..Bundle::default()
    };
    for (name, text) in ["/d/a", "/d/b", "/d/c.conf"]
        .iter()
        .zip(text.splitn(3, "=== \n"))
    {
        bundle = bundle.with(name, text);
    }
    let (lines, found) = statements("/d/a", &mut bundle);
    let again = statements("/d/a", &mut bundle);
    assert_eq!((&lines, &found), (&again.0, &again.1), "read otherwise");
    let size: usize = lines.iter().map(String::len).sum();
    assert!(
        size <= 2 * ROOM + 16 * text.len() + 65_536,
        "{size} octets were made"
    );
    for finding in &found {
        let text = bundle.text(&finding.file).expect("a file that was read");
        assert!(text.get(finding.span.clone()).is_some(), "{finding:?}");
        for other in &finding.related {
            let text = bundle.text(&other.file).expect("a file that was read");
            assert!(text.get(other.span.clone()).is_some(), "{finding:?}");
        }
        trail.mark(format_args!("{}", first_words(&finding.message)));
    }
    trail.mark(format_args!("lines {}", lines.len().min(4)));
    let (config, _) = parse_sources("/d/a", &mut bundle);
    trail.mark(format_args!("instances {}", config.instances.len().min(2)));
}

/// Octets that a text of this target may be made to.
const ROOM: usize = 100_000;

/// A bundle as octets: whatever is accepted is written again as it was.
pub fn bundle(data: &[u8], trail: &mut Trail) {
    match Bundle::decode(data) {
        Err(_) => trail.mark(format_args!("refused at {}", data.len().min(20))),
        Ok(bundle) => {
            // Names that are out of order are put into it.
            let again = bundle.encode();
            assert_eq!(Bundle::decode(&again).as_ref(), Ok(&bundle));
            assert_eq!(again.len(), data.len());
            trail.mark(format_args!(
                "read: files {} patterns {} variables {}",
                bundle.files.len().min(3),
                bundle.globs.len().min(2),
                bundle.environment.len().min(2)
            ));
        }
    }
}

/// What stands between words. A comment reaches to the end of the line.
fn check_gap(gap: &str, last: bool, complaint: bool) {
    let rest = gap.trim_start_matches([' ', '\t', '\r', '\x0b', '\x0c', '\u{feff}']);
    let comment = last && rest.starts_with(['#', '!']);
    assert!(
        rest.is_empty() || comment || complaint,
        "swallowed: {gap:?}"
    );
}

/// The text of a word as its source says.
fn unquoted(source: &str) -> String {
    if let Some(inside) = source.strip_prefix('"') {
        return inside.strip_suffix('"').unwrap_or(inside).to_owned();
    }
    let mut text = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("${") {
            // Nothing is escaped within a reference.
            let end = rest.find('}').map_or(2, |at| at + 1);
            text.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let escaped = c == '\\' && rest[1..].starts_with(['#', '!']);
        let skip = usize::from(escaped);
        let c = rest[skip..].chars().next().unwrap_or(c);
        text.push(c);
        rest = &rest[skip + c.len_utf8()..];
    }
    text
}
