//! All blocks and their words, for what must know them all: hints, the manual, the table of the
//! README, and the tests that walk them.

use super::Config;
use super::announcement::AnnouncementGroup;
use super::authentication::{AuthHmac, Authentication};
use super::bfd::BfdInstance;
use super::global::{GlobalDefs, Recipients};
use super::instance_words::Peer;
use super::link_watch::{LinkDelays, Linkbeat};
use super::row::{Head, Rows};
use super::sync_group::{SyncGroup, TrackGroup};
use super::track::{TrackFile, Tracked};
use super::tracker::{TrackProcess, VrrpScript};
use super::vrrp_instance::Instance;

/// A block and its words.
#[derive(Copy, Clone, Debug)]
pub struct BlockEntry {
    /// Its name, with the names of the blocks around it; empty for the top level.
    pub path: &'static str,
    /// Its words.
    pub heads: fn() -> Vec<Head>,
}

impl BlockEntry {
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
    &[
        BlockEntry {
            path: "",
            heads: heads::<Config>,
        },
        BlockEntry {
            path: "bfd_instance",
            heads: heads::<BfdInstance>,
        },
        BlockEntry {
            path: "garp_group",
            heads: heads::<AnnouncementGroup>,
        },
        BlockEntry {
            path: "global_defs",
            heads: heads::<GlobalDefs>,
        },
        BlockEntry {
            path: "track_file",
            heads: heads::<TrackFile>,
        },
        BlockEntry {
            path: "track_group",
            heads: heads::<TrackGroup>,
        },
        BlockEntry {
            path: "vrrp_instance",
            heads: heads::<Instance>,
        },
        BlockEntry {
            path: "vrrp_instance/auth_hmac",
            heads: heads::<AuthHmac>,
        },
        BlockEntry {
            path: "vrrp_instance/authentication",
            heads: heads::<Authentication>,
        },
        BlockEntry {
            path: "vrrp_script",
            heads: heads::<VrrpScript>,
        },
        BlockEntry {
            path: "vrrp_sync_group",
            heads: heads::<SyncGroup>,
        },
        BlockEntry {
            path: "vrrp_track_process",
            heads: heads::<TrackProcess>,
        },
    ]
}

/// The words that stand within lines: options of addresses, routes and rules, what follows a name in
/// a block of lines, and what is neither a word of a block nor part of one, as `include`.
pub fn line_words() -> &'static [BlockEntry] {
    &[
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
    ]
}

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
    let opens = |entry: &BlockEntry| {
        let heads = (entry.heads)();
        heads
            .iter()
            .any(|head| head.word == word && head.kind.is_block())
    };
    blocks()
        .iter()
        .any(|entry| entry.keyword() == outer && opens(entry))
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
