//! Any text at all: no panic, the same answer twice, and nothing out of range in what is bound.

use proptest::prelude::*;

use super::super::bound::Auth;
use super::super::{bind, parse};
use super::{facts, with};
use crate::ids::{Family, Version};
use crate::limits;
use crate::time::Duration;

/// Everything that must hold for any text at all.
fn holds_for(text: &str) {
    let (config, found) = parse("f", text);
    assert_eq!(
        (&config, &found),
        (&parse("f", text).0, &parse("f", text).1)
    );
    let (bound, more) = bind(&config, &facts());
    assert_eq!(
        (&bound, &more),
        (&bind(&config, &facts()).0, &bind(&config, &facts()).1)
    );
    for d in found.iter().chain(&more) {
        assert!(text.get(d.span.clone()).is_some(), "{d:?}");
        assert!(d.line >= 1 && d.column >= 1, "{d:?}");
        assert!(
            !d.message.is_empty() && !d.to_string().contains('\n'),
            "{d:?}"
        );
    }
    for config in &bound.instances {
        let interval = config.advert_interval;
        let max = match config.version {
            Version::V2 => Duration::from_secs(255),
            Version::V3 => Duration::from_centis(4_095),
        };
        assert!(!interval.is_zero() && interval <= max);
        assert!(config.vrid > 0 && config.priority > 0 && config.down_timer_adverts > 0);
        assert!(config.addresses.len() <= limits::ADVERT_ADDRESSES);
        assert!(
            config
                .addresses
                .iter()
                .all(|a| Family::of(a.addr) == config.family)
        );
        assert!(config.version == Version::V2 || config.auth == Auth::None);
        assert!(config.preempt || !(config.is_owner() || config.state_master));
    }
}

/// Words and signs of the language.
const WORDS: &[&str] = &[
    "vrrp_instance",
    "global_defs",
    "A",
    "{",
    "}",
    "\n",
    "\n",
    "\n",
    "interface",
    "eth0",
    "virtual_router_id",
    "51",
    "priority",
    "255",
    "0",
    "-1",
    "1x",
    "\"",
    "#",
    "!",
    "\\",
    "virtual_ipaddress",
    "10.0.0.1/24",
    "fe80::1",
    "dev",
    "brd",
    "+",
    "unicast_peer",
    "authentication",
    "auth_type",
    "PASS",
    "auth_pass",
    "$X=1",
    "${X}",
    "~SEQ(a,1)",
    "@x",
    "include",
    "advert_int",
    "0.015",
    "version",
    "3",
    "state",
    "MASTER",
    "nopreempt",
    "preempt_delay",
    "notify",
    "virtual_server",
];

/// They, in any order.
fn soup() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(WORDS);
    proptest::collection::vec(word, 0..120).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "\\PC*(\n\\PC*){0,8}") {
        holds_for(&text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        holds_for(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_order_of_words_is_survived(text in soup()) {
        holds_for(&text);
    }

    #[test]
    fn any_damage_to_a_good_text_is_survived(
        at in 0..2_000_usize, length in 0..40_usize, with_text in "[ -~\n]{0,12}"
    ) {
        let good = with(
            "version 2\nstate BACKUP\nauthentication {\nauth_type PASS\nauth_pass \"a b\"\n}\n\
             unicast_src_ip 10.0.0.2\nunicast_peer {\n10.0.0.3\n10.0.0.4\n}\n\
             virtual_ipaddress_excluded {\n10.0.1.1/24 brd + dev eth1 label x\nfe80::1/64 -nodad\n}",
        );
        let start = at % good.len();
        let end = (start + length).min(good.len());
        holds_for(&format!("{}{with_text}{}", &good[..start], &good[end..]));
    }
}
