//! What an unknown word was probably meant to be: words of older versions, of forks, and of the
//! block next door.

use super::code::Code;

/// What is said about a word that has another history than a misprint.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Hint {
    pub(super) code: Code,
    /// What to do.
    pub(super) help: &'static str,
    /// What to write instead; empty for nothing.
    pub(super) instead: &'static str,
}

const fn renamed(instead: &'static str) -> Hint {
    Hint {
        code: Code::Renamed,
        help: "older versions of keepalived called it so",
        instead,
    }
}

const fn removed(help: &'static str) -> Hint {
    Hint {
        code: Code::RemovedWord,
        help,
        instead: "",
    }
}

/// Said of the words of DPVS.
const DPVS: &str = "it is a word of DPVS, another program with a similar configuration; remove it";
/// Said of words that no release has.
const PATCHED: &str = "no release of keepalived has it, only patched ones; remove it";

/// Sorted by word.
const TABLE: &[(&str, Hint)] = &[
    ("authentification", renamed("authentication")),
    ("conn_timeout", renamed("connect_timeout")),
    ("daddr_group_name", removed(DPVS)),
    ("deny_address_group", removed(DPVS)),
    ("dpdk_interface", removed(DPVS)),
    ("enable_filesystem", removed(PATCHED)),
    ("establish_timeout", removed(DPVS)),
    ("filesystem_other_read", removed(PATCHED)),
    ("filesystem_owner", removed(PATCHED)),
    ("garp_delay", renamed("garp_master_delay")),
    ("laddr_group_name", removed(DPVS)),
    ("local_address_group", removed(DPVS)),
    ("lvs_id", renamed("router_id")),
    (
        "lvs_sync_daemon_inteface",
        renamed("lvs_sync_daemon_interface"),
    ),
    ("notify_email", renamed("notification_email")),
    ("rest_auth_groups", removed(PATCHED)),
    ("rest_auth_users", removed(PATCHED)),
    ("rest_port", removed(PATCHED)),
    ("static_address", renamed("static_ipaddress")),
    ("static_route", renamed("static_routes")),
    ("static_rule", renamed("static_rules")),
    ("syn_proxy", removed(DPVS)),
    (
        "track_sip",
        removed("watch the interface with `track_interface` instead"),
    ),
    (
        "track_sroute",
        removed("watch the interface with `track_interface` instead"),
    ),
    ("vip", renamed("virtual_ipaddress")),
    ("virtual_address", renamed("virtual_ipaddress")),
    ("virtual_ip", renamed("virtual_ipaddress")),
    ("virtual_ip_address", renamed("virtual_ipaddress")),
    ("virtual_ips", renamed("virtual_ipaddress")),
    ("vrid", renamed("virtual_router_id")),
    ("vrrp_group", renamed("vrrp_sync_group")),
    ("vrrp_router_id", renamed("router_id")),
];

/// The history of `word`, if it has one; `is_known` tells whether the place knows a word: what it
/// does not know is not proposed there.
pub(super) fn history(word: &str, is_known: impl Fn(&str) -> bool) -> Option<Hint> {
    let at = TABLE
        .binary_search_by(|(known, _)| (*known).cmp(word))
        .ok()?;
    let (_, hint) = TABLE.get(at)?;
    (hint.instead.is_empty() || is_known(hint.instead)).then_some(*hint)
}

/// The word of this place that says the same for all instances (`vrrp_` before it), or for one.
pub(super) fn of_all_or_one(
    word: &str,
    mut words: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    words.find(|known| {
        let without = |long: &str, short: &str| long.strip_prefix("vrrp_") == Some(short);
        without(known, word) || without(word, known)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_each_word_is_found() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        for (word, hint) in TABLE {
            assert_eq!(history(word, |_| true), Some(*hint), "{word}");
            let nowhere = history(word, |_| false);
            assert_eq!(nowhere.is_some(), hint.instead.is_empty(), "{word}");
        }
        assert_eq!(history("priority", |_| true), None);
    }

    #[test]
    fn words_of_all_instances_have_a_beginning_more() {
        let words = || ["priority", "vrrp_garp_master_delay"].into_iter();
        let of = |word| of_all_or_one(word, words());
        assert_eq!(of("garp_master_delay"), Some("vrrp_garp_master_delay"));
        assert_eq!(of("vrrp_priority"), Some("priority"));
        assert_eq!(of("delay"), None);
    }
}
