//! Every word that keepalived knows in the blocks that we read, and what we do with it.
//!
//! A known word that is not built is harmless if leaving it out cannot change who is master or which
//! server gets traffic (mail, scripts run on a change, SNMP, scheduling of processes, names and
//! places of files): one warning, and the daemon runs. Any other is refused. Nothing is swallowed.
//!
//! `include` and its kin stand anywhere, so the lexer refuses them.
//!
//! The tables are sorted, so that a word is found by halves.

use super::catalogue;
use super::row::Standing;

/// A block whose words we read.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Outside all blocks.
    Top,
}

impl Place {
    /// For a message: where a word of this place belongs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Top => "outside all blocks",
        }
    }

    /// Its words.
    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        let tables = self.tables().into_iter();
        let rows = catalogue::words(if self == Self::Top { "" } else { "-" });
        tables
            .flat_map(|(table, _)| table.iter().copied())
            .chain(rows)
    }

    const fn tables(self) -> [(&'static [&'static str], Standing); 3] {
        let (built, harmless, refused) = match self {
            Self::Top => (TOP_BUILT, TOP_HARMLESS, TOP_REFUSED),
        };
        [
            (built, Standing::Built),
            (harmless, Standing::Harmless),
            (refused, Standing::Refused),
        ]
    }
}

/// What we do with `word` at `place`; `None` if keepalived does not know it there.
pub(super) fn standing(place: Place, word: &str) -> Option<Standing> {
    let (_, standing) = place
        .tables()
        .into_iter()
        .find(|(table, _)| holds(table, word))?;
    Some(standing)
}

/// True if keepalived stops at once when this harmless word has no value.
pub(super) fn needs_value(word: &str) -> bool {
    holds(HARMLESS_WITH_VALUE, word)
}

/// True if `word`, inside the block that `outer` opened (empty at the top level), opens a block.
pub(super) fn takes_block(outer: &str, word: &str) -> bool {
    if catalogue::takes_block(outer, word) {
        return true;
    }
    match outer {
        "" => holds(TOP_BLOCKS, word),
        _ => false,
    }
}

/// True if `word` opens a block of the top level and has no other meaning further in, as `track_file`
/// has.
pub(super) fn begins_top_block(word: &str) -> bool {
    let opens = holds(TOP_BLOCKS, word) || catalogue::takes_block("", word);
    opens && !matches!(word, "track_file" | "SSL")
}

/// The one of `candidates` that `word` was probably meant to be: at most a third of it is wrong.
pub(super) fn nearest_of(
    candidates: impl Iterator<Item = &'static str>,
    word: &str,
) -> Option<&'static str> {
    /// Longer words are nobody's misprint, and would take long to compare.
    const LONGEST: usize = 40;
    if word.len() > LONGEST {
        return None;
    }
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(wrong, _)| (1..=limit).contains(wrong))
        .min()
        .map(|(_, candidate)| candidate)
}

/// A block in which keepalived does know `word`.
pub(super) fn elsewhere(word: &str) -> Option<String> {
    if let Some(place) = catalogue::elsewhere(word) {
        return Some(place);
    }
    let read = [Place::Top];
    if let Some(place) = read
        .into_iter()
        .find(|place| standing(*place, word).is_some())
    {
        return Some(place.name().to_owned());
    }
    INNER
        .iter()
        .find(|(_, words)| words.contains(&word))
        .map(|(block, _)| (*block).to_owned())
}

/// Every word of the tables, for the fuzz targets.
pub(super) fn all() -> Vec<&'static str> {
    let read = [Place::Top];
    let tables = read.into_iter().flat_map(Place::tables);
    let words = tables.flat_map(|(table, _)| table.iter().copied());
    let inner = INNER.iter().flat_map(|(_, words)| words.iter().copied());
    let rows = catalogue::blocks().iter().flat_map(|entry| (entry.heads)());
    let rows = rows.map(|head| head.word);
    words.chain(inner).chain(rows).collect()
}

fn holds(table: &[&str], word: &str) -> bool {
    table.binary_search(&word).is_ok()
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let width = b.len() + 1;
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..width).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x;
            if swapped {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

/// Words of the top level understood.
const TOP_BUILT: &[&str] = &[];

/// Words of the top level without which the same router is master.
const TOP_HARMLESS: &[&str] = &[];

/// Words of the top level that keep the daemon from starting.
const TOP_REFUSED: &[&str] = &[];

/// Harmless words for which keepalived insists on a value.
const HARMLESS_WITH_VALUE: &[&str] = &[
    "nftables_ipvs_priority",
    "nftables_ipvs_start_fwmark",
    "nftables_priority",
    "smtp_connect_timeout",
    "smtp_server",
    "vmac_addr_prefix",
    "vmac_prefix",
];

/// Words of the top level that open a block.
const TOP_BLOCKS: &[&str] = &[];

/// Words of the blocks that we do not read yet, to say where a misplaced one belongs.
const INNER: &[(&str, &[&str])] = &[
    (
        "in `virtual_server`",
        &[
            "alpha",
            "connect_timeout",
            "delay_before_retry",
            "delay_loop",
            "flag-1",
            "flag-2",
            "flag-3",
            "ha_suspend",
            "hashed",
            "hysteresis",
            "inhibit_on_failure",
            "ip_family",
            "lb_algo",
            "lb_kind",
            "lvs_method",
            "lvs_sched",
            "mh-fallback",
            "mh-port",
            "omega",
            "ops",
            "persistence_engine",
            "persistence_granularity",
            "persistence_timeout",
            "protocol",
            "quorum_down",
            "quorum_up",
            "real_server",
            "retry",
            "sh-fallback",
            "sh-port",
            "snmp_name",
            "sorry_server",
            "sorry_server_inhibit",
            "sorry_server_lvs_method",
            "virtualhost",
            "warmup",
        ],
    ),
    (
        "in `real_server`",
        &[
            "BFD_CHECK",
            "DNS_CHECK",
            "FILE_CHECK",
            "HTTP_GET",
            "MISC_CHECK",
            "PING_CHECK",
            "SMTP_CHECK",
            "SSL_GET",
            "TCP_CHECK",
            "UDP_CHECK",
            "lthreshold",
            "notify_down",
            "notify_up",
            "uthreshold",
        ],
    ),
    (
        "in a checker of `real_server`",
        &[
            "bind_if",
            "bind_port",
            "bindto",
            "connect_ip",
            "connect_port",
            "digest",
            "enable_sni",
            "fast_recovery",
            "fwmark",
            "helo_name",
            "host",
            "http_protocol",
            "log_all_failures",
            "max_reply_length",
            "min_reply_length",
            "misc_dynamic",
            "misc_path",
            "misc_timeout",
            "name",
            "nb_get_retry",
            "path",
            "payload",
            "regex",
            "regex_max_offset",
            "regex_min_offset",
            "regex_no_match",
            "regex_options",
            "regex_stack",
            "require_reply",
            "sni_name",
            "status_code",
            "tls_compliant",
            "type",
            "url",
        ],
    ),
    ("in `unicast_peer`", &["max_ttl", "min_ttl"]),
    ("in `SSL`", &["ca", "certificate", "password"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_sorted_so_that_each_word_is_found() {
        let places = [Place::Top];
        let tables = places
            .into_iter()
            .flat_map(Place::tables)
            .map(|(table, _)| table);
        let others = [HARMLESS_WITH_VALUE, TOP_BLOCKS];
        for table in tables.chain(others) {
            assert!(table.is_sorted_by(|a, b| a < b), "{table:?}");
        }
    }

    #[test]
    fn a_word_has_one_standing() {
        {
            let place = Place::Top;
            let mut all: Vec<_> = place.tables().into_iter().flat_map(|(t, _)| t).collect();
            let count = all.len();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), count, "{place:?}");
        }
    }

    #[test]
    fn blocks_are_known_words() {
        for word in TOP_BLOCKS {
            assert!(standing(Place::Top, word).is_some(), "{word}");
        }
    }

    #[test]
    fn misprints_find_their_word() {
        assert_eq!(
            nearest_of(catalogue::words("vrrp_instance"), "prority"),
            Some("priority")
        );
        assert_eq!(
            nearest_of(catalogue::words("vrrp_instance"), "virtual_routerid"),
            Some("virtual_router_id")
        );
        assert_eq!(
            nearest_of(catalogue::words("vrrp_instance"), "unicast_peers"),
            Some("unicast_peer")
        );
        assert_eq!(
            nearest_of(Place::Top.words(), "vrrp_instnace"),
            Some("vrrp_instance")
        );
        assert_eq!(
            nearest_of(catalogue::words("vrrp_instance"), "frobnicate"),
            None
        );
        assert_eq!(
            nearest_of(catalogue::words("vrrp_instance"), &"x".repeat(10_000)),
            None
        );
    }

    #[test]
    fn misplaced_words_find_their_block() {
        assert_eq!(elsewhere("priority").as_deref(), Some("in `vrrp_instance`"));
        assert_eq!(
            elsewhere("quorum_up").as_deref(),
            Some("in `virtual_server`")
        );
        assert_eq!(elsewhere("router_id").as_deref(), Some("in `global_defs`"));
        assert_eq!(elsewhere("frobnicate"), None);
    }
}
