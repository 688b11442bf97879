//! What a successor needs to go on where a machine stood: one record for each virtual router.
//!
//! A record is pushed *before* the actions of the transition that it tells of (write-ahead), so a
//! machine that dies between any two actions leaves a record from which the right thing follows:
//! a successor carries the transition on. It is written at transitions and when something else of
//! it changes, never for a mere advert: the moment of the last advert is stamped beside the record
//! by whoever sends it.
//!
//! What a successor makes of it:
//!
//! - *Master*: it stays one if the last advert left less than the adverts that a backup may miss
//!   ago (master-down less the skew time, so 3 intervals by default, by the boot clock): no backup
//!   can have taken over. Addresses that are there are ours, missing ones are added and announced;
//!   nothing is deleted. The next advert leaves one interval after the last, or at once when that
//!   has passed. If the announcements of the takeover were not all made, they are made. An older
//!   record is no mastership any more: the addresses are removed at once.
//! - *Backup*: it listens for a whole master-down interval, since it was deaf, with what it had
//!   learned of the master. After the end of the whole daemon it starts like any other backup.
//! - *Fault*: worked out anew.
//! - An unreadable record, of an unknown version or of another virtual router: a cold start.
//! - What carries our mark, is in a record's filter of addresses and is not configured any more was
//!   left behind, and is removed: by a virtual router that is gone, or by a reload that did not come
//!   to its end.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::config::bound::InstanceConfig;
use crate::ids::{Family, Version};
use crate::time::{Duration, Instant};
use crate::vrrp::StateName;
use crate::vrrp::instance::{Instance, PreemptDelay, State};
use crate::vrrp::note::Discard;
use crate::vrrp::stats::Stats;

/// The version of the layout.
const VERSION: u8 = 2;

/// Octets of an interface's name in a record; the rest is zeros.
const INTERFACE: usize = crate::limits::INTERFACE_NAME + 1;

/// Counters of [`Stats`] in a record, the discards apart.
const COUNTERS: usize = 7;

/// Words of the filter of addresses.
const FILTER: usize = 64;

/// Octets of an encoded record: a multiple of 8.
pub const RECORD_LEN: usize =
    8 + 8 + INTERFACE + 8 + 24 + 8 * 7 + 8 * (COUNTERS + Discard::ALL.len()) + 8 * FILTER + 8;

/// Why there is no record.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RecordError {
    /// Too short or too long.
    Length,
    /// Of a version that is not known here.
    Version,
    /// The checksum is wrong.
    Checksum,
    /// A field has a value that none has.
    Value,
}

/// What identifies a virtual router from one process to the next.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Identity {
    /// Family of its adverts.
    pub family: Family,
    /// Protocol version.
    pub version: Version,
    /// Virtual router identifier.
    pub vrid: u8,
    interface: [u8; INTERFACE],
    /// Of the instance's name, which a reload may change.
    name: u64,
}

impl Identity {
    /// That of a configured virtual router.
    pub fn of(config: &InstanceConfig) -> Self {
        let mut interface = [0; INTERFACE];
        for (to, from) in interface.iter_mut().zip(config.interface.bytes()) {
            *to = from;
        }
        let mut name = Fnv::default();
        name.add(config.name.as_bytes());
        Self {
            family: config.family,
            version: config.version,
            vrid: config.vrid,
            interface,
            name: name.0,
        }
    }

    /// The same under any name: what it is on the wire.
    pub const fn nameless(mut self) -> Self {
        self.name = 0;
        self
    }
}

/// Says of an address whether it is one of a set: never no to one that is. Up to [`EXACT`] addresses are
/// told apart by 64 bits each. Of more only bits are kept, and of 500 it is wrong about one foreign one in
/// fifty; it is asked about addresses with our mark only.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Filter([u64; FILTER]);

/// Addresses that a filter knows exactly.
const EXACT: usize = FILTER - 1;

/// Stands in the place of the number of addresses when only bits are kept.
const BITS: u64 = u64::MAX;

impl Default for Filter {
    fn default() -> Self {
        Self([0; FILTER])
    }
}

impl Filter {
    /// The addresses of a virtual router, on whatever interface: one may have another name by now.
    pub fn of(config: &InstanceConfig) -> Self {
        let mut filter = Self::default();
        for address in config.all_addresses() {
            filter.insert(hash_of(address.addr, address.prefix));
        }
        filter
    }

    /// The hashes, in their order, if it is exact.
    fn hashes(&self) -> Option<&[u64]> {
        let [count, hashes @ ..] = &self.0;
        hashes.get(..usize::try_from(*count).ok()?)
    }

    fn insert(&mut self, hash: u64) {
        let Some(hashes) = self.hashes() else {
            return self.set(hash);
        };
        let count = hashes.len();
        let Err(place) = hashes.binary_search(&hash) else {
            return;
        };
        if count == EXACT {
            self.blur();
            return self.set(hash);
        }
        self.0[0] += 1;
        let hashes = &mut self.0[1..=count + 1];
        hashes.copy_within(place..count, place + 1);
        hashes[place] = hash;
    }

    /// From now on it is bits.
    fn blur(&mut self) {
        if let Some(hashes) = self.hashes() {
            let mut bits = Self::default();
            bits.0[0] = BITS;
            for hash in hashes {
                bits.set(*hash);
            }
            *self = bits;
        }
    }

    fn set(&mut self, hash: u64) {
        for (word, bit) in bits(hash) {
            self.0[word] |= bit;
        }
    }

    /// Adds another set.
    pub(crate) fn add(&mut self, other: Self) {
        if let Some(hashes) = other.hashes() {
            for hash in hashes {
                self.insert(*hash);
            }
            return;
        }
        self.blur();
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    /// True if the address may be in the set.
    pub fn may_have(&self, addr: IpAddr, prefix: u8) -> bool {
        let hash = hash_of(addr, prefix);
        match self.hashes() {
            Some(hashes) => hashes.contains(&hash),
            None => bits(hash).all(|(word, bit)| self.0[word] & bit != 0),
        }
    }
}

fn hash_of(addr: IpAddr, prefix: u8) -> u64 {
    let mut hash = Fnv::default();
    match addr {
        IpAddr::V4(addr) => hash.add(&addr.octets()),
        IpAddr::V6(addr) => hash.add(&addr.octets()),
    }
    hash.add(&[prefix]);
    // The low bits of this hash are its best mixed ones only after folding.
    hash.0 ^ (hash.0 >> 29)
}

/// The four places of an address among the bits.
fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..4).map(move |part| {
        let bit = (hash >> (part * 13)) as usize % (EXACT * 64);
        (1 + bit / 64, 1 << (bit % 64))
    })
}

/// FNV-1a, 64 bits: a change of one octet always changes it.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The last master that a backup has heard.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LastMaster {
    /// Its address.
    pub addr: IpAddr,
    /// The priority of its last accepted advert.
    pub priority: u8,
}

/// What a successor needs to know of one virtual router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Whose it is.
    pub identity: Identity,
    /// Backup, master or fault.
    pub state: StateName,
    /// Effective priority.
    pub priority: u8,
    /// The old way of unicast checksums was in use.
    pub old_checksum: bool,
    /// Master: everything that follows a takeover has been done, the announcements too.
    pub settled: bool,
    /// Backup: tolerance of a lower-priority master.
    pub(crate) preempt: PreemptDelay,
    /// Backup: the last master heard.
    pub heard: Option<LastMaster>,
    /// The interval that the timers follow.
    pub master_interval: Duration,
    /// The interval of our own adverts.
    pub advert_interval: Duration,
    /// When the last advert left, as far as this record knows.
    pub spoke: Option<Instant>,
    /// Backup: when the master-down timer was to fire, at the moment of the record.
    pub master_down: Option<Instant>,
    /// Backup: when `preempt_delay` is over.
    pub preempt_at: Option<Instant>,
    /// When it came into its state.
    pub since: Instant,
    /// When the record was made.
    pub made: Instant,
    pub(crate) stats: Stats,
    /// Its addresses, and those of a while ago.
    pub filter: Filter,
    /// See [`addresses_hash`].
    pub addresses: u64,
}

/// Tells lists of configured addresses apart: a takeover is done for those of its time.
pub fn addresses_hash(config: &InstanceConfig) -> u64 {
    let mut hash = Fnv::default();
    for address in config.all_addresses() {
        match address.addr {
            IpAddr::V4(addr) => hash.add(&addr.octets()),
            IpAddr::V6(addr) => hash.add(&addr.octets()),
        }
        hash.add(&[address.prefix]);
        hash.add(address.dev.as_deref().unwrap_or_default().as_bytes());
        hash.add(&[0]);
    }
    hash.0
}

impl Record {
    /// The record of `instance` at `now`; `None` if there is nothing to remember.
    pub(crate) fn of(instance: &Instance, config: &InstanceConfig, now: Instant) -> Option<Self> {
        let mut record = Self {
            identity: Identity::of(config),
            state: instance.state_name(),
            priority: instance.priority,
            old_checksum: instance.old_checksum,
            settled: false,
            preempt: PreemptDelay::Idle,
            heard: None,
            master_interval: instance.master_interval,
            advert_interval: config.advert_interval,
            spoke: None,
            master_down: None,
            preempt_at: None,
            since: instance.since,
            made: now,
            stats: instance.stats.clone(),
            filter: instance.filter,
            addresses: instance.addresses_hash,
        };
        match &instance.state {
            State::Init => return None,
            State::Fault => {}
            State::Master(master) => {
                record.settled = master.settled;
                let sent = instance.stats.last_sent;
                record.spoke = sent.filter(|at| *at >= instance.since);
            }
            State::Backup(backup) => {
                record.preempt = backup.preempt;
                record.preempt_at = backup.preempt_at;
                record.master_down = Some(backup.down_at);
                let priority = instance.past.master_priority;
                record.heard = backup.master.map(|addr| LastMaster { addr, priority });
            }
        }
        Some(record)
    }

    /// One of no particular virtual router. For tests.
    #[cfg(test)]
    pub(crate) fn example(config: &InstanceConfig, state: StateName) -> Self {
        Self {
            identity: Identity::of(config),
            state,
            priority: config.priority,
            old_checksum: false,
            settled: true,
            preempt: PreemptDelay::Idle,
            heard: None,
            master_interval: config.advert_interval,
            advert_interval: config.advert_interval,
            spoke: None,
            master_down: None,
            preempt_at: None,
            since: Instant::ZERO,
            made: Instant::ZERO,
            stats: Stats::default(),
            filter: Filter::of(config),
            addresses: addresses_hash(config),
        }
    }

    /// There is nothing to go on with, only addresses that may still be there.
    pub(crate) fn given_up(mut self) -> Self {
        self.state = StateName::Fault;
        self
    }

    /// Appends the record: [`RECORD_LEN`] octets.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let start = into.len();
        let moment = |at: Option<Instant>| at.map_or(0, Instant::as_micros);
        let Identity {
            family, version, ..
        } = self.identity;
        let preempt = match self.preempt {
            PreemptDelay::Idle => 0,
            PreemptDelay::Running => 1,
            PreemptDelay::Over => 2,
        };
        let flags = u8::from(self.old_checksum) | u8::from(self.settled) << 1 | preempt << 2;
        let (kind, addr) = match self.heard.map(|heard| heard.addr) {
            None => (0, [0; 16]),
            Some(IpAddr::V4(addr)) => (4, addr.to_ipv6_mapped().octets()),
            Some(IpAddr::V6(addr)) => (6, addr.octets()),
        };
        into.extend_from_slice(&[
            VERSION,
            state_octet(self.state),
            match family {
                Family::V4 => 4,
                Family::V6 => 6,
            },
            match version {
                Version::V2 => 2,
                Version::V3 => 3,
            },
            self.identity.vrid,
            self.priority,
            flags,
            self.heard.map_or(0, |heard| heard.priority),
        ]);
        into.extend_from_slice(&self.identity.interface);
        put(into, self.identity.name);
        put(into, kind);
        into.extend_from_slice(&addr);
        for word in [
            self.master_interval.as_micros(),
            self.advert_interval.as_micros(),
            moment(self.spoke),
            moment(self.master_down),
            moment(self.preempt_at),
            self.since.as_micros(),
            self.made.as_micros(),
        ] {
            put(into, word);
        }
        for word in self.stats.counters() {
            put(into, word);
        }
        for reason in Discard::ALL {
            put(into, self.stats.discarded(reason));
        }
        for word in self.filter.0 {
            put(into, word);
        }
        put(into, self.addresses);
        let mut sum = Fnv::default();
        sum.add(&into[start..]);
        put(into, sum.0);
    }

    /// Reads what [`encode`](Self::encode) has written.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.first().is_some_and(|version| *version != VERSION) {
            return Err(RecordError::Version);
        }
        let (content, sum) = bytes.split_last_chunk().ok_or(RecordError::Length)?;
        if bytes.len() != RECORD_LEN {
            return Err(RecordError::Length);
        }
        let mut expected = Fnv::default();
        expected.add(content);
        if u64::from_le_bytes(*sum) != expected.0 {
            return Err(RecordError::Checksum);
        }
        Reader(content).record().ok_or(RecordError::Value)
    }

    /// True if no backup can have taken over at `now` since the last advert left: less time has
    /// passed than the adverts take that it may miss. The interval is the shorter one of then and
    /// now, and the adverts are no more than the default, since a peer may have that. A takeover
    /// that nobody has heard of is carried on within one interval: others may be about to.
    pub fn is_fresh(&self, config: &InstanceConfig, now: Instant) -> bool {
        let interval = self.advert_interval.min(config.advert_interval);
        let adverts = u64::from(config.down_timer_adverts.min(ADVERTS));
        let (from, limit) = match self.spoke {
            Some(spoke) => (spoke, interval * adverts),
            None => (self.since, interval),
        };
        self.state == StateName::Master && from <= now && now - from < limit
    }
}

/// The adverts that a backup may miss by default (RFC 9568 section 6.1).
pub(crate) const ADVERTS: u8 = 3;

/// `content` with the version in front and the checksum behind it, as long as a record: what a
/// search for odd values begins with.
#[doc(hidden)]
pub fn sealed(content: &[u8]) -> Vec<u8> {
    let mut bytes = content.to_vec();
    bytes.resize(RECORD_LEN - 8, 0);
    bytes[0] = VERSION;
    let mut sum = Fnv::default();
    sum.add(&bytes);
    put(&mut bytes, sum.0);
    bytes
}

fn put(into: &mut Vec<u8>, word: u64) {
    into.extend_from_slice(&word.to_le_bytes());
}

fn state_octet(state: StateName) -> u8 {
    match state {
        StateName::Init => 0,
        StateName::Backup => 1,
        StateName::Master => 2,
        StateName::Fault => 3,
    }
}

/// Takes a record apart from its beginning.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn word(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn moment(&mut self) -> Option<Option<Instant>> {
        let micros = self.word()?;
        Some((micros > 0).then_some(Instant::from_micros(micros)))
    }

    fn record(mut self) -> Option<Record> {
        let [
            _,
            state,
            family,
            version,
            vrid,
            priority,
            flags,
            heard_priority,
        ] = self.array()?;
        let identity = Identity {
            family: match family {
                4 => Family::V4,
                6 => Family::V6,
                _ => return None,
            },
            version: match version {
                2 => Version::V2,
                3 => Version::V3,
                _ => return None,
            },
            vrid,
            interface: self.array()?,
            name: self.word()?,
        };
        let state = match state {
            1 => StateName::Backup,
            2 => StateName::Master,
            3 => StateName::Fault,
            _ => return None,
        };
        let preempt = match flags >> 2 {
            0 => PreemptDelay::Idle,
            1 => PreemptDelay::Running,
            2 => PreemptDelay::Over,
            _ => return None,
        };
        let heard = self.heard(heard_priority)?;
        Some(Record {
            identity,
            state,
            priority,
            old_checksum: flags & 1 != 0,
            settled: flags & 2 != 0,
            preempt,
            heard,
            master_interval: Duration::from_micros(self.word()?),
            advert_interval: Duration::from_micros(self.word()?),
            spoke: self.moment()?,
            master_down: self.moment()?,
            preempt_at: self.moment()?,
            since: Instant::from_micros(self.word()?),
            made: Instant::from_micros(self.word()?),
            stats: self.stats()?,
            filter: self.filter()?,
            addresses: self.word()?,
        })
    }

    fn heard(&mut self, priority: u8) -> Option<Option<LastMaster>> {
        let kind = self.word()?;
        let addr = Ipv6Addr::from(self.array::<16>()?);
        let addr = match kind {
            0 if priority == 0 && addr.is_unspecified() => return Some(None),
            4 => IpAddr::V4(addr.to_ipv4_mapped()?),
            6 => IpAddr::V6(addr),
            _ => return None,
        };
        Some(Some(LastMaster { addr, priority }))
    }

    fn stats(&mut self) -> Option<Stats> {
        let mut counters = [0; COUNTERS];
        for counter in &mut counters {
            *counter = self.word()?;
        }
        let mut discarded = [0; Discard::ALL.len()];
        for counter in &mut discarded {
            *counter = self.word()?;
        }
        Some(Stats::from_counters(counters, discarded))
    }

    fn filter(&mut self) -> Option<Filter> {
        let mut filter = Filter::default();
        for word in &mut filter.0 {
            *word = self.word()?;
        }
        let known = filter.0[0] == BITS || filter.hashes().is_some();
        known.then_some(filter)
    }
}

/// What a runtime has kept of a predecessor.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Records {
    /// When the whole daemon began: what is older was left by another daemon, which may have ended
    /// long ago.
    pub daemon_since: Instant,
    pub(crate) kept: Vec<(u32, Record)>,
    pub(crate) refused: Vec<(u32, RecordError)>,
}

impl Records {
    /// Nothing so far.
    pub fn new(daemon_since: Instant) -> Self {
        Self {
            daemon_since,
            ..Self::default()
        }
    }

    /// Takes in what was kept in a slot. `stamped` says when the last advert left after the record
    /// was made, and `adverts` how many did.
    pub fn add(&mut self, slot: u32, bytes: &[u8], stamped: Option<Instant>, adverts: u64) {
        match Record::decode(bytes) {
            Ok(mut record) => {
                if record.state == StateName::Master {
                    // One of an earlier mastership may still stand there.
                    let stamped = stamped.filter(|at| *at >= record.since);
                    record.spoke = record.spoke.max(stamped);
                    record.stats.adverts_sent = record.stats.adverts_sent.saturating_add(adverts);
                }
                self.kept.push((slot, record));
            }
            Err(error) => self.refused.push((slot, error)),
        }
    }

    /// Nobody goes on with them, because that may be what killed the last one: they only tell what was
    /// left behind.
    pub fn give_up(&mut self) {
        for (_, record) in &mut self.kept {
            record.state = StateName::Fault;
        }
    }

    /// True if a successor that starts at `now` may go on as master.
    pub fn may_go_on(&self, config: &InstanceConfig, now: Instant) -> bool {
        let own = Identity::of(config).nameless();
        let own = |(_, it): &&(u32, Record)| it.identity.nameless() == own;
        let mut own = self.kept.iter().filter(own);
        own.any(|(_, record)| record.is_fresh(config, now))
    }

    /// True if these octets are a record.
    pub fn is_readable(bytes: &[u8]) -> bool {
        Record::decode(bytes).is_ok()
    }

    /// True if nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.refused.is_empty()
    }
}

impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, refused) = (self.kept.len(), self.refused.len());
        write!(f, "{kept} records, {refused} refused")
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
