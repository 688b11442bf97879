//! The stable name of each finding, which `relevo explain` takes.

use std::fmt;

use super::diag::Class;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $slug:literal;)*) => {
        /// What a finding is about. Its name is stable: people search for it, and scripts filter by it.
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it is about, in one sentence.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)*
                }
            }

            /// Its name: lower case, words joined by hyphens.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $slug,)*
                }
            }
        }
    };
}

codes! {
    /// A file that is missing or cannot be read.
    MissingFile = "missing-file";
    /// An interface that does not exist or cannot be used.
    BadInterface = "bad-interface";
    /// A word that is not known where it stands.
    UnknownWord = "unknown-word";
    /// Braces that do not match.
    StrayBrace = "stray-brace";
    /// A double quote without its partner.
    UnmatchedQuote = "unmatched-quote";
    /// A word without its value.
    MissingValue = "missing-value";
    /// A number that is none, or out of range.
    BadNumber = "bad-number";
    /// A value that is not understood.
    BadValue = "bad-value";
    /// Something that works but is probably not meant.
    Doubtful = "doubtful";
    /// Something that will stop working one day.
    Deprecated = "deprecated";
    /// A script that others could change.
    UnsafeScript = "unsafe-script";
    /// A part of the language that this version does not build.
    NotBuilt = "not-built";
    /// A word that is probably another one with a misprint.
    MisspeltWord = "misspelt-word";
    /// A word that belongs to another block.
    MisplacedWord = "misplaced-word";
    /// A word of an older version that means nothing any more.
    RemovedWord = "removed-word";
    /// A word of an older version that has another name now.
    Renamed = "renamed-word";
    /// A place in a template that was never filled in.
    TemplateHole = "template-hole";
    /// The configuration of another program.
    ForeignLanguage = "foreign-language";
    /// A block behind a word that takes none.
    UnexpectedBlock = "unexpected-block";
    /// A block without its opening brace.
    MissingOpenBrace = "missing-open-brace";
    /// A block without its closing brace.
    MissingCloseBrace = "missing-close-brace";
    /// A line that is too long to be read.
    LongLine = "long-line";
    /// Blocks nested too deep to be read.
    DeepNesting = "deep-nesting";
    /// Something behind the value of a word, or behind a word that takes none.
    SurplusValue = "surplus-value";
    /// A word in a line of values that is not known there.
    UnknownOption = "unknown-option";
    /// A block without its name, or with more than one.
    MissingName = "missing-name";
    /// A name that is used already.
    NameTaken = "name-taken";
    /// A name that nothing in the file has.
    UnknownName = "unknown-name";
    /// A name that is too long.
    LongName = "long-name";
    /// A block without a line that it needs.
    IncompleteBlock = "incomplete-block";
    /// A time that is none, or out of range.
    BadTime = "bad-time";
    /// A time that the protocol cannot tell as exactly.
    RoundedTime = "rounded-time";
    /// Something that is neither yes nor no.
    BadBoolean = "bad-boolean";
    /// Something that is no address.
    BadAddress = "bad-address";
    /// A value that is none of the few possible ones.
    BadChoice = "bad-choice";
    /// An address that is no multicast group of the link.
    BadMulticastGroup = "bad-multicast-group";
    /// A broadcast address where the network has none.
    NoBroadcast = "no-broadcast";
    /// An interface that this host does not have.
    NoSuchInterface = "no-such-interface";
    /// A virtual router on the loopback interface.
    LoopbackInterface = "loopback-interface";
    /// An interface that cannot send to groups.
    NoMulticast = "no-multicast";
    /// Something that this machine cannot tell.
    NotCheckedHere = "not-checked-here";
    /// A virtual router without its number.
    MissingVrid = "missing-vrid";
    /// A virtual router without its interface.
    MissingInterface = "missing-interface";
    /// Two virtual routers with one number in one place.
    SameVrid = "same-vrid";
    /// A virtual router without an address.
    NoAddress = "no-address";
    /// An address that stands twice.
    AddressTwice = "address-twice";
    /// An address of two virtual routers.
    AddressInTwo = "address-in-two";
    /// More addresses than an advert holds.
    TooManyAddresses = "too-many-addresses";
    /// Addresses of both families in one virtual router.
    MixedFamilies = "mixed-families";
    /// A first IPv6 address that is not link-local.
    NotLinkLocal = "not-link-local";
    /// A unicast peer that stands twice.
    PeerTwice = "peer-twice";
    /// A unicast peer that is this router itself.
    PeerIsSource = "peer-is-source";
    /// A word for unicast without any peer.
    UnicastWithoutPeers = "unicast-without-peers";
    /// A word that has no effect beside the others.
    UnusedWord = "unused-word";
    /// A password of more than eight octets.
    LongPassword = "long-password";
    /// Authentication without a password.
    MissingPassword = "missing-password";
    /// A password without authentication.
    UnusedPassword = "unused-password";
    /// Authentication where the protocol has none.
    AuthVersion = "auth-version";
    /// A protocol version that does not go with the family of the addresses.
    VersionFamily = "version-family";
    /// `nopreempt` on a router that begins as master.
    MasterNopreempt = "master-nopreempt";
    /// A delay of preemption that is never waited for.
    UnusedDelay = "unused-delay";
    /// Strict mode that drops the packets to the addresses.
    StrictDropsTraffic = "strict-drops-traffic";
    /// Something that strict mode does not know.
    StrictForbids = "strict-forbids";
    /// A weight that cannot change anything.
    WeightWithoutEffect = "weight-without-effect";
    /// Octets that are no text.
    NotUtf8 = "not-utf8";
    /// A definition that cannot be put in.
    BadDefinition = "bad-definition";
    /// A repetition that cannot be done.
    BadRepetition = "bad-repetition";
    /// Definitions and repetitions that make too much text.
    LongText = "long-text";
    /// Files that include themselves, or too many.
    IncludeLoop = "include-loop";
    /// A virtual server without real servers.
    EmptyService = "empty-service";
    /// A virtual server that leaves an important setting to the default.
    ImpliedSetting = "implied-setting";
    /// A real server that stands twice.
    ServerTwice = "server-twice";
    /// A quorum that is never, or always, reached.
    QuorumOutOfReach = "quorum-out-of-reach";
    /// Two nodes with the same name or the same file.
    ClusterNodeTwice = "cluster-node-twice";
    /// A virtual router that one of the nodes does not have.
    ClusterMissing = "cluster-missing";
    /// A virtual router that one node only has.
    ClusterAlone = "cluster-alone";
    /// A virtual router with another name on another node.
    ClusterName = "cluster-name";
    /// A virtual router with different numbers.
    ClusterVrid = "cluster-vrid";
    /// A number that another virtual router of the segment uses.
    ClusterVridTaken = "cluster-vrid-taken";
    /// A virtual router with different protocol versions.
    ClusterVersion = "cluster-version";
    /// A virtual router with different families.
    ClusterFamily = "cluster-family";
    /// A virtual router with different advert intervals.
    ClusterInterval = "cluster-interval";
    /// A virtual router with different addresses.
    ClusterAddresses = "cluster-addresses";
    /// An address with different prefix lengths.
    ClusterPrefix = "cluster-prefix";
    /// A virtual router with different excluded addresses.
    ClusterExcluded = "cluster-excluded";
    /// An address that two virtual routers of the cluster hold.
    ClusterAddressClash = "cluster-address-clash";
    /// A virtual router with authentication on some nodes only.
    ClusterAuth = "cluster-auth";
    /// A virtual router with different passwords.
    ClusterPassword = "cluster-password";
    /// Routers with equal priorities.
    ClusterPriority = "cluster-priority";
    /// More than one owner of the addresses.
    ClusterOwners = "cluster-owners";
    /// `state MASTER` on more than one node.
    ClusterMasters = "cluster-masters";
    /// `state MASTER` on a node that loses the election.
    ClusterState = "cluster-state";
    /// `nopreempt` on some nodes only.
    ClusterPreempt = "cluster-preempt";
    /// A delay of preemption on a router that never preempts.
    ClusterPreemptDelay = "cluster-preempt-delay";
    /// Unicast on one node and multicast on another.
    ClusterTransport = "cluster-transport";
    /// Different multicast groups.
    ClusterGroup = "cluster-group";
    /// Unicast peers that do not name each other.
    ClusterPeerMissing = "cluster-peer-missing";
    /// A unicast peer that is none of the nodes.
    ClusterPeerUnknown = "cluster-peer-unknown";
    /// A node that is its own unicast peer.
    ClusterPeerSelf = "cluster-peer-self";
    /// A unicast router without a source address of its own.
    ClusterSourceMissing = "cluster-source-missing";
    /// Two nodes with one source address.
    ClusterSourceTwice = "cluster-source-twice";
    /// A source address that moves with the mastership.
    ClusterSourceVirtual = "cluster-source-virtual";
    /// Adverts with a hop count that the peer refuses.
    ClusterTtl = "cluster-ttl";
    /// Weights that cannot change who is master.
    ClusterWeight = "cluster-weight";
    /// Something that one node only watches.
    ClusterTracking = "cluster-tracking";
    /// Sync groups of different members.
    ClusterSyncMembers = "cluster-sync-members";
    /// A sync group that one of the nodes does not have.
    ClusterSyncMissing = "cluster-sync-missing";
    /// A sync group whose members want different masters.
    ClusterSyncPriority = "cluster-sync-priority";
    /// Different settings of gratuitous ARP.
    ClusterGarp = "cluster-garp";
    /// Strict mode on some nodes only.
    ClusterStrict = "cluster-strict";
    /// `accept` on some nodes only.
    ClusterAccept = "cluster-accept";
    /// Different ways of making the checksum.
    ClusterChecksum = "cluster-checksum";
    /// Different numbers of adverts that may be missed.
    ClusterDownTimer = "cluster-down-timer";
    /// A `timer_expired_backup` that is not the priority of the rival.
    ClusterRival = "cluster-rival";
    /// Different answers to adverts of lower priority.
    ClusterLowerPrio = "cluster-lower-prio";
    /// A last advert before yielding on some nodes only.
    ClusterHigherPrio = "cluster-higher-prio";
    /// Two nodes with one `router_id`.
    ClusterRouterId = "cluster-router-id";
    /// Different delays of the start.
    ClusterStartupDelay = "cluster-startup-delay";
    /// Virtual MAC addresses on some nodes only.
    ClusterVmac = "cluster-vmac";
    /// A virtual server that one of the nodes does not have.
    ClusterServerMissing = "cluster-server-missing";
    /// A virtual server that is not the same on all nodes.
    ClusterServerDiffers = "cluster-server-differs";
    /// A virtual server with different real servers.
    ClusterRealServers = "cluster-real-servers";
}

/// A paragraph for each code: `# NAME`, what it means, why it matters and how to mend it, and behind
/// an empty line an example that is right.
const PARAGRAPHS: [&str; 3] = [
    include_str!("explain/language.txt"),
    include_str!("explain/router.txt"),
    include_str!("explain/cluster.txt"),
];

impl Code {
    /// The code of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// The code whose name `name` was probably meant to be.
    pub fn nearest(name: &str) -> Option<Self> {
        let names = Self::ALL.iter().map(|code| code.name());
        super::keywords::nearest_of(names, name).and_then(Self::named)
    }

    /// What it means, why it matters, how to mend it, and an example, in lines of at most 110
    /// characters; the lines of the example are indented. The manual has the same text.
    pub fn paragraph(self) -> &'static str {
        let texts = PARAGRAPHS.iter().filter_map(|text| text.strip_prefix("# "));
        let sections = texts.flat_map(|text| text.split("\n# "));
        let mut named = sections.filter_map(|section| section.split_once('\n'));
        named
            .find(|(name, _)| *name == self.name())
            .map(|(name, text)| (name, text.trim_end()))
            .map_or("", |(_, text)| text)
    }

    /// The code of findings that were given none of their own.
    pub(super) const fn of(class: Class) -> Self {
        match class {
            Class::FileNotFound | Class::MultipleFiles => Self::MissingFile,
            Class::BadInterface => Self::BadInterface,
            Class::UnknownKeyword => Self::UnknownWord,
            Class::UnexpectedBraceOpen
            | Class::MissingBraceOpen
            | Class::UnexpectedBraceClose
            | Class::MissingBraceClose => Self::StrayBrace,
            Class::UnmatchedQuote => Self::UnmatchedQuote,
            Class::MissingParameter => Self::MissingValue,
            Class::InvalidNumber => Self::BadNumber,
            Class::Fatal | Class::General => Self::BadValue,
            Class::Ok | Class::Warning => Self::Doubtful,
            Class::Deprecated => Self::Deprecated,
            Class::Security => Self::UnsafeScript,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_name_title_and_paragraph() {
        for (place, code) in Code::ALL.iter().enumerate() {
            let name = code.name();
            assert_eq!(Code::named(name), Some(*code));
            let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.chars().all(ok) && !name.starts_with('-'), "{name}");
            let mut others = Code::ALL.iter().skip(place + 1);
            assert!(others.all(|it| it.title() != code.title()), "{name}");
            assert!(code.title().ends_with('.'), "{name}");
            let text = code.paragraph();
            let (prose, example) = text.split_once("\n\n    ").unwrap_or((text, ""));
            assert!(
                prose.len() > 100 && prose.ends_with(['.', ':']),
                "{name}: {prose}"
            );
            assert!(!example.trim().is_empty(), "{name} has no example");
            assert!(text.lines().all(|line| line.len() <= 110), "{name}");
        }
    }

    #[test]
    fn every_paragraph_belongs_to_a_code_and_stands_once() {
        let lines = PARAGRAPHS.iter().flat_map(|text| text.lines());
        let mut names: Vec<&str> = lines.filter_map(|line| line.strip_prefix("# ")).collect();
        assert_eq!(names.len(), Code::ALL.len());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(names.into_iter().all(|name| Code::named(name).is_some()));
    }
}
