//! All blocks and their words, for what must know them all: hints, the manual, the table of the
//! README, and the tests that walk them.

use std::sync::OnceLock;

use super::Config;
use super::announcement::AnnouncementGroup;
use super::authentication::{AuthHmac, Authentication};
use super::bfd::BfdInstance;
use super::global::{GlobalDefs, Recipients};
use super::instance_words::Peer;
use super::language;
use super::link_watch::{LinkDelays, Linkbeat};
use super::lvs::{
    BfdCheck, DnsCheck, FileCheck, Get, MiscCheck, PingCheck, RealServer, SmtpCheck, SmtpHost, Ssl,
    TcpCheck, UdpCheck, Url, VirtualServer, VirtualServerGroup,
};
use super::row::{Head, Rows};
use super::sync_group::{SyncGroup, TrackGroup};
use super::track::{TrackFile, Tracked};
use super::tracker::{TrackProcess, VrrpScript};
use super::vrrp_instance::Instance;
use super::{address_line, route_line, rule_line, static_lines};

/// A block and its words.
#[derive(Copy, Clone, Debug)]
pub struct BlockEntry {
    /// Its name, with the names of the blocks around it; empty for the top level.
    pub path: &'static str,
    /// Its words.
    pub heads: fn() -> Vec<Head>,
}

impl BlockEntry {
    const fn of<B: Rows>(path: &'static str) -> Self {
        Self {
            path,
            heads: heads::<B>,
        }
    }

    /// The word that opens it; empty for the top level.
    pub fn keyword(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// For a message: where a word of this block belongs.
    pub fn place(&self) -> String {
        match self.keyword() {
            "" => "outside all blocks".to_owned(),
            keyword => format!("in `{keyword}`"),
        }
    }
}

/// Every block whose words have rows.
pub fn blocks() -> &'static [BlockEntry] {
    BLOCKS
}

const BLOCKS: &[BlockEntry] = &[
    BlockEntry::of::<Config>(""),
    BlockEntry::of::<GlobalDefs>("global_defs"),
    BlockEntry::of::<BfdInstance>("bfd_instance"),
    BlockEntry::of::<AnnouncementGroup>("garp_group"),
    BlockEntry::of::<TrackFile>("track_file"),
    BlockEntry::of::<TrackGroup>("track_group"),
    BlockEntry::of::<Instance>("vrrp_instance"),
    BlockEntry::of::<AuthHmac>("vrrp_instance/auth_hmac"),
    BlockEntry::of::<Authentication>("vrrp_instance/authentication"),
    BlockEntry::of::<VrrpScript>("vrrp_script"),
    BlockEntry::of::<SyncGroup>("vrrp_sync_group"),
    BlockEntry::of::<TrackProcess>("vrrp_track_process"),
    BlockEntry::of::<Ssl>("SSL"),
    BlockEntry::of::<VirtualServerGroup>("virtual_server_group"),
    BlockEntry::of::<VirtualServer>("virtual_server"),
    BlockEntry::of::<RealServer>("virtual_server/real_server"),
    BlockEntry::of::<Get<false>>("virtual_server/real_server/HTTP_GET"),
    BlockEntry::of::<Url<false>>("virtual_server/real_server/HTTP_GET/url"),
    BlockEntry::of::<Get<true>>("virtual_server/real_server/SSL_GET"),
    BlockEntry::of::<Url<true>>("virtual_server/real_server/SSL_GET/url"),
    BlockEntry::of::<TcpCheck>("virtual_server/real_server/TCP_CHECK"),
    BlockEntry::of::<SmtpCheck>("virtual_server/real_server/SMTP_CHECK"),
    BlockEntry::of::<SmtpHost>("virtual_server/real_server/SMTP_CHECK/host"),
    BlockEntry::of::<DnsCheck>("virtual_server/real_server/DNS_CHECK"),
    BlockEntry::of::<UdpCheck>("virtual_server/real_server/UDP_CHECK"),
    BlockEntry::of::<PingCheck>("virtual_server/real_server/PING_CHECK"),
    BlockEntry::of::<MiscCheck>("virtual_server/real_server/MISC_CHECK"),
    BlockEntry::of::<FileCheck>("virtual_server/real_server/FILE_CHECK"),
    BlockEntry::of::<BfdCheck>("virtual_server/real_server/BFD_CHECK"),
];

/// The words that stand within lines: options of addresses, routes and rules, what follows a name in
/// a block of lines, and what is neither a word of a block nor part of one, as `include`.
pub const fn line_words() -> &'static [BlockEntry] {
    LINE_WORDS
}

const LINE_WORDS: &[BlockEntry] = &[
    BlockEntry {
        path: "",
        heads: || language::HEADS.to_vec(),
    },
    BlockEntry {
        path: "global_defs/notification_email",
        heads: || vec![Recipients::HEAD],
    },
    BlockEntry {
        path: "interface_up_down_delays",
        heads: || vec![LinkDelays::HEAD],
    },
    BlockEntry {
        path: "linkbeat_interfaces",
        heads: || vec![Linkbeat::HEAD],
    },
    BlockEntry {
        path: "vrrp_instance/virtual_ipaddress",
        heads: || vec![static_lines::address_head()],
    },
    BlockEntry {
        path: "vrrp_instance/virtual_ipaddress_excluded",
        heads: || vec![static_lines::address_head()],
    },
    BlockEntry {
        path: "vrrp_instance/virtual_routes",
        heads: || vec![static_lines::route_head()],
    },
    BlockEntry {
        path: "vrrp_instance/virtual_rules",
        heads: || vec![static_lines::rule_head()],
    },
    BlockEntry {
        path: "vrrp_instance/track_bfd",
        heads: || Tracked::heads("track_bfd"),
    },
    BlockEntry {
        path: "vrrp_instance/track_file",
        heads: || Tracked::heads("track_file"),
    },
    BlockEntry {
        path: "vrrp_instance/track_interface",
        heads: || Tracked::heads("track_interface"),
    },
    BlockEntry {
        path: "vrrp_instance/track_process",
        heads: || Tracked::heads("track_process"),
    },
    BlockEntry {
        path: "vrrp_instance/track_script",
        heads: || Tracked::heads("track_script"),
    },
    BlockEntry {
        path: "vrrp_instance/unicast_peer",
        heads: Peer::heads,
    },
    BlockEntry {
        path: "address_line",
        heads: address_line::heads,
    },
    BlockEntry {
        path: "route_line",
        heads: route_line::heads,
    },
    BlockEntry {
        path: "rule_line",
        heads: rule_line::heads,
    },
    BlockEntry {
        path: "static_ipaddress",
        heads: static_lines::address_heads,
    },
    BlockEntry {
        path: "static_routes",
        heads: static_lines::route_heads,
    },
    BlockEntry {
        path: "static_rules",
        heads: static_lines::rule_heads,
    },
];

fn heads<B: Rows>() -> Vec<Head> {
    B::rows().iter().map(|row| row.head).collect()
}

/// The words of the block of this path.
pub(super) fn words(path: &str) -> impl Iterator<Item = &'static str> {
    let entry = blocks().iter().find(|entry| entry.path == path);
    let heads = entry.map(|entry| (entry.heads)()).unwrap_or_default();
    heads.into_iter().map(|head| head.word)
}

/// True if `word`, inside a block that `outer` opened (empty at the top level), opens a block.
pub(super) fn takes_block(outer: &str, word: &str) -> bool {
    // It is asked for every line, so it must not go through all the rows each time.
    static OPENERS: OnceLock<Vec<(&'static str, &'static str)>> = OnceLock::new();
    let openers = OPENERS.get_or_init(|| {
        let of = |entry: &BlockEntry| {
            let outer = entry.keyword();
            let heads = (entry.heads)().into_iter();
            let opens = heads.filter(|head| head.kind.is_block());
            opens
                .map(move |head| (outer, head.word))
                .collect::<Vec<_>>()
        };
        let mut all: Vec<_> = blocks().iter().flat_map(of).collect();
        all.sort_unstable();
        all
    });
    openers.binary_search(&(outer, word)).is_ok()
}

/// A block that knows `word`, as [`BlockEntry::place`] names it.
pub(super) fn elsewhere(word: &str) -> Option<String> {
    let knows = |entry: &&BlockEntry| (entry.heads)().iter().any(|head| head.word == word);
    blocks().iter().find(knows).map(BlockEntry::place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words are found by halves.
    #[test]
    fn the_words_of_each_block_are_sorted_and_say_something() {
        for entry in blocks() {
            let heads = (entry.heads)();
            assert!(
                heads.is_sorted_by(|a, b| a.word < b.word),
                "{}: {heads:?}",
                entry.path
            );
            for head in heads {
                let known = (entry.heads)();
                let synonym = known.iter().any(|it| it.word == head.synonym_of);
                assert!(head.synonym_of.is_empty() || synonym, "{head:?}");
                assert!(
                    head.text.ends_with('.') && head.text.len() < 300,
                    "{head:?}"
                );
            }
        }
    }
}
