//! One virtual router: its state, and what it does with an advert.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::config::bound::{Bound, ChecksumStyle, Destination, InstanceConfig};
use crate::ids::{Errno, IfIndex, InstanceId, SocketId, Version};
use crate::kernel::AddressKey;
use crate::kernel::links::Links;
use crate::machine::Out;
use crate::time::{Duration, Instant};
use crate::timers::Timers;
use crate::vrrp::StateName;
use crate::vrrp::addresses::Addresses;
use crate::vrrp::advert::Heard;
use crate::vrrp::announce::Announcements;
use crate::vrrp::conditions::{Conditions, TellBudget};
use crate::vrrp::event::{VrrpAction, VrrpTimer};
use crate::vrrp::note::{Cause, Discard, Note};
use crate::vrrp::snapshot::{self, Filter, Record};
use crate::vrrp::stats::Stats;
use crate::vrrp::timing;

/// What an owner claims that has heard another owner, until it is master again.
const PRIORITY_RIVAL: u8 = 254;

/// A virtual router of this host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) state: State,
    /// Conditions of operation that are not met.
    pub(crate) conditions: Conditions,
    /// For what is told of them.
    pub(crate) tell_budget: TellBudget,
    pub(crate) ifindex: Option<IfIndex>,
    /// The address that adverts are sent from; in IPv4 it stays for a farewell when it is gone.
    pub(crate) source: Option<IpAddr>,
    pub(crate) socket: Option<SocketId>,
    /// Why the socket could not be opened at the last attempt, on the interface of now.
    pub(crate) socket_failed: Option<Errno>,
    /// The same as it was told.
    pub(crate) socket_error: Option<Errno>,
    /// Effective priority.
    pub(crate) priority: u8,
    /// The interval that the timers follow: our own, in v3 the one learned from the master.
    pub(crate) master_interval: Duration,
    /// The old unicast checksum is what the peers of this instance use.
    pub(crate) old_checksum: bool,
    /// Addresses in our adverts, in the order of the configuration.
    pub(crate) advertised: Vec<IpAddr>,
    /// Counts transitions: what belongs to an older one is void.
    pub(crate) epoch: u32,
    pub(crate) told: Told,
    pub(crate) stats: Stats,
    pub(crate) past: Past,
    /// When it came into its state.
    pub(crate) since: Instant,
    /// Where a successor finds what it needs to know.
    pub(crate) slot: u32,
    /// Its addresses, for the record.
    pub(crate) filter: Filter,
    /// The same list as configured.
    pub(crate) addresses_hash: u64,
    /// What a predecessor left, until the conditions of operation are known.
    pub(crate) resumes: Option<Box<Record>>,
}

/// The state of a virtual router with what only that state needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Init,
    Backup(Backup),
    Master(Master),
    Fault,
}

/// Listening to a master.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Backup {
    /// The master last heard and accepted.
    pub(crate) master: Option<IpAddr>,
    /// The master that let go with priority 0 and has not been followed by another.
    pub(crate) released_by: Option<IpAddr>,
    /// What the master-down timer was last set to.
    pub(crate) down_interval: Duration,
    /// How often in a row the timer was put off because adverts may have been missed.
    pub(crate) put_off: u8,
    /// When the socket last lost packets, unless a master has been heard since. A farewell does not
    /// count: the successor's adverts may be among what was lost.
    pub(crate) packets_lost: Option<Instant>,
    pub(crate) preempt: PreemptDelay,
    /// When the master-down timer was to fire, as it was last set in a transition.
    pub(crate) down_at: Instant,
    /// When the tolerance of a lower-priority master ends.
    pub(crate) preempt_at: Option<Instant>,
}

/// Tolerance of a lower-priority master (`preempt_delay`).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum PreemptDelay {
    /// None has been heard.
    #[default]
    Idle,
    /// One is tolerated until the timer fires.
    Running,
    /// It has been tolerated long enough.
    Over,
}

/// Holding the addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Master {
    /// The addresses wanted, in the order of the configuration.
    pub(crate) held: Vec<AddressKey>,
    /// Those that the kernel has not answered for.
    pub(crate) awaited: BTreeSet<AddressKey>,
    /// A burst of announcements is under way.
    pub(crate) announcing: bool,
    /// Rounds of another burst, asked for meanwhile, that follows it.
    pub(crate) next_rounds: u32,
    /// When a rival was answered last, and what is owed to those that came too soon behind it.
    pub(crate) answered: Option<Instant>,
    pub(crate) owed: Answer,
    /// Another owner of lower address that speaks: since when, and when it was last heard.
    pub(crate) rival_owner: Option<(Instant, Instant)>,
    /// When the last advert went out, where `timer_expired_backup` asks for it.
    pub(crate) spoke: Option<Instant>,
    /// Every announcement of the takeover was made, and is not to be made again by a successor.
    pub(crate) settled: bool,
    /// The kernel has refused an address, which was never announced: nothing settles.
    pub(crate) refused: bool,
}

/// What a master answers to a rival.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) advert: bool,
    /// Announcements of each address.
    pub(crate) rounds: u32,
}

/// What has been told since the state or the master changed, so that it is told once.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Told {
    discards: u32,
    list: bool,
    interval: bool,
    lower: bool,
    send_failed: bool,
    checksum: bool,
    owners: bool,
    /// The last advert with a checksum of the other kind: by whom, and the checksum.
    other_checksum: Option<(IpAddr, [u8; 2])>,
}

/// What people are told of how it came to this. The protocol decides nothing by it.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Past {
    /// When the present state was entered, and why; none before the first transition.
    pub(crate) transition: Option<(Instant, Cause)>,
    /// What the master-down timer was last set to, in whatever state; zero if it never was.
    pub(crate) down_interval: Duration,
    /// The priority of the master that is followed.
    pub(crate) master_priority: u8,
}

/// What surrounds an instance while it handles an event.
pub(crate) struct Ctx<'a> {
    pub(crate) now: Instant,
    pub(crate) bound: &'a Bound,
    pub(crate) links: &'a Links,
    pub(crate) timers: &'a mut Timers<VrrpTimer>,
    pub(crate) addresses: &'a mut Addresses,
    /// Before this moment nothing is heard and nothing is taken over.
    pub(crate) starts_at: Instant,
    pub(crate) announcements: &'a mut Announcements,
    /// Identification field of the last IPv4 packet.
    pub(crate) ident: &'a mut u16,
    pub(crate) out: &'a mut Out<VrrpAction>,
}

impl Ctx<'_> {
    pub(crate) fn note(&mut self, note: Note) {
        self.out.push(VrrpAction::Note(note));
    }

    /// Announces one address, now or when its turn comes.
    pub(crate) fn announce(&mut self, key: AddressKey) {
        self.announcements
            .announce(key, self.now, self.links, self.timers, self.out);
    }

    pub(crate) fn config(&self, id: InstanceId) -> &InstanceConfig {
        self.bound.instance(id)
    }
}

impl Instance {
    pub(crate) fn new(id: InstanceId, config: &InstanceConfig) -> Self {
        Self {
            id,
            state: State::Init,
            conditions: Conditions::default(),
            tell_budget: TellBudget::default(),
            ifindex: None,
            source: None,
            socket: None,
            socket_failed: None,
            socket_error: None,
            priority: config.priority,
            master_interval: config.advert_interval,
            old_checksum: config.checksum.style == ChecksumStyle::OldUnicast,
            advertised: config
                .addresses
                .iter()
                .map(|address| address.addr)
                .collect(),
            epoch: 0,
            told: Told::default(),
            stats: Stats::default(),
            past: Past::default(),
            since: Instant::ZERO,
            slot: id.0,
            filter: Filter::of(config),
            addresses_hash: snapshot::addresses_hash(config),
            resumes: None,
        }
    }

    pub(crate) fn state_name(&self) -> StateName {
        match self.state {
            State::Init => StateName::Init,
            State::Backup(_) => StateName::Backup,
            State::Master(_) => StateName::Master,
            State::Fault => StateName::Fault,
        }
    }

    /// The master last heard, as a backup.
    pub(crate) fn heard_master(&self) -> Option<IpAddr> {
        match &self.state {
            State::Backup(backup) => backup.master,
            State::Init | State::Master(_) | State::Fault => None,
        }
    }

    pub(crate) fn skew_time(&self, config: &InstanceConfig) -> Duration {
        timing::skew_time(
            config.version,
            self.own_priority(config),
            self.master_interval,
        )
    }

    pub(crate) fn master_down_interval(&self, config: &InstanceConfig) -> Duration {
        let adverts = config.down_timer_adverts;
        let priority = self.own_priority(config);
        timing::master_down_interval(config.version, priority, self.master_interval, adverts)
    }

    /// The priority that timers go by: an owner stays one, whatever it claims (behaviour.md 3.4).
    fn own_priority(&self, config: &InstanceConfig) -> u8 {
        if config.is_owner() {
            config.priority
        } else {
            self.priority
        }
    }

    /// A packet that is not accepted touches nothing but its counter (RFC 9568 section 7.1).
    pub(crate) fn discard(
        &mut self,
        src: IpAddr,
        reason: Discard,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        self.stats.count_discarded(reason, now);
        if self.told.discards & reason.bit() == 0 {
            self.told.discards |= reason.bit();
            let instance = self.id;
            out.push(VrrpAction::Note(Note::Discarded {
                instance,
                src,
                reason,
            }));
        }
        self.sum_up_discards(false, now, out);
    }

    /// Tells how many packets were discarded, if there is something to tell and it is time, or
    /// `at_once`. Asked at packets and timers: a timer of its own would be more than a counter.
    pub(crate) fn sum_up_discards(
        &mut self,
        at_once: bool,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        if let Some(discarded) = self.stats.sum_up(at_once, now) {
            let instance = Some(self.id);
            out.push(VrrpAction::Note(Note::DiscardedSum {
                instance,
                discarded,
            }));
        }
    }

    /// The socket overflowed: the master's adverts may be among what is lost.
    pub(crate) fn on_packets_lost(&mut self, now: Instant) {
        if let State::Backup(backup) = &mut self.state {
            backup.packets_lost = Some(now);
        }
    }

    /// An acceptable advert arrived: the table of RFC 9568 section 6.4 (RFC 3768 section 6.4).
    pub(crate) fn on_advert(&mut self, heard: Heard, ctx: &mut Ctx<'_>) {
        match &self.state {
            // Not operating: nothing is followed and nothing is learned.
            State::Init | State::Fault => return,
            State::Backup(_) | State::Master(_) => {}
        }
        self.stats.adverts_received += 1;
        if heard.priority == 0 {
            self.stats.priority_zero_received += 1;
        }
        self.learn_checksum(&heard, ctx);
        match &self.state {
            State::Backup(_) => self.on_advert_as_backup(heard, ctx),
            State::Master(_) => self.on_advert_as_master(heard, ctx),
            State::Init | State::Fault => {}
        }
        // Afterwards: a change of the master, which this advert may be, makes all of it news again.
        self.tell_differences(&heard, ctx);
    }

    /// RFC 9568 section 6.4.2, with the original's order of tests (behaviour.md 3.5).
    fn on_advert_as_backup(&mut self, heard: Heard, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        if heard.priority == 0 {
            let skew = self.skew_time(config);
            self.set_master_down(skew, ctx);
            if let State::Backup(backup) = &mut self.state {
                backup.released_by = Some(heard.src);
            }
        } else if heard.priority >= self.priority {
            self.forget_preempt_delay(ctx);
            self.follow(heard, ctx);
        } else if !(config.preempt || config.is_owner()) || self.tolerates_lower(ctx) {
            self.follow(heard, ctx);
        } else {
            // Discarded: the timer runs on and we take over when it fires.
            self.tell_lower(heard, ctx);
        }
    }

    /// RFC 9568 section 6.4.3, with the original's answer to lower priorities (K-4).
    fn on_advert_as_master(&mut self, heard: Heard, ctx: &mut Ctx<'_>) {
        // What waited in the socket comes before the timers: the rival that took over is heard first.
        if self.steps_back(ctx) {
            return self.on_advert_as_backup(heard, ctx);
        }
        let config = ctx.bound.instance(self.id);
        if heard.priority == 0 {
            self.answer_farewell(ctx);
            return;
        }
        if heard.priority == 255 && self.priority == 255 {
            self.on_rival_owner(&heard, ctx);
        }
        let (src, theirs, ours) = (heard.src, heard.priority, self.priority);
        // Addresses of one family compare as unsigned integers in network order.
        let higher_address = theirs == ours && self.source.is_some_and(|own| src > own);
        if theirs > ours || higher_address {
            if config.higher_prio_send_advert {
                self.send_advert(ctx);
            }
            let cause = if theirs > ours {
                Cause::HigherPriority { src, theirs, ours }
            } else {
                Cause::HigherAddress {
                    src,
                    priority: ours,
                }
            };
            self.yield_to(heard, cause, ctx);
        } else {
            self.assert_mastership(heard, ctx);
        }
    }

    /// Follows an accepted master: learns its interval and restarts the master-down timer.
    pub(crate) fn follow(&mut self, heard: Heard, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        let mut news = false;
        if config.version == Version::V3 && !heard.interval.is_zero() {
            news |= self.master_interval != heard.interval;
            self.master_interval = heard.interval;
        }
        let State::Backup(backup) = &mut self.state else {
            return;
        };
        news |= self.past.master_priority != heard.priority || backup.master != Some(heard.src);
        if backup.master != Some(heard.src) {
            backup.master = Some(heard.src);
            self.told = Told::default();
        }
        backup.released_by = None;
        backup.packets_lost = None;
        self.past.master_priority = heard.priority;
        let interval = self.master_down_interval(config);
        self.set_master_down(interval, ctx);
        if news {
            self.remember(ctx);
        }
    }

    /// Tells a successor how things stand. To be called before the actions that follow.
    pub(crate) fn remember(&self, ctx: &mut Ctx<'_>) {
        let record = Record::of(self, ctx.bound.instance(self.id), ctx.now);
        let record = ctx.out.write_bytes(|arena| {
            if let Some(record) = record {
                record.encode(arena);
            }
        });
        ctx.out.push(VrrpAction::Remember {
            instance: self.id,
            slot: self.slot,
            record,
        });
    }

    /// Sets the master-down timer to fire `interval` from now.
    pub(crate) fn set_master_down(&mut self, interval: Duration, ctx: &mut Ctx<'_>) {
        let State::Backup(backup) = &mut self.state else {
            return;
        };
        backup.down_interval = interval;
        backup.put_off = 0;
        self.past.down_interval = interval;
        let at = ctx.now.max(ctx.starts_at) + interval;
        backup.down_at = at;
        ctx.timers.set(VrrpTimer::MasterDown(self.id), at);
    }

    /// `preempt_delay`: the first lower-priority advert starts it, and while it runs lower
    /// priorities are followed.
    fn tolerates_lower(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let delay = ctx.config(self.id).preempt_delay;
        let State::Backup(backup) = &mut self.state else {
            return false;
        };
        match backup.preempt {
            PreemptDelay::Idle if delay.is_zero() => false,
            PreemptDelay::Idle => {
                backup.preempt = PreemptDelay::Running;
                backup.preempt_at = Some(ctx.now + delay);
                ctx.timers
                    .set(VrrpTimer::PreemptDelay(self.id), ctx.now + delay);
                self.remember(ctx);
                true
            }
            PreemptDelay::Running => true,
            PreemptDelay::Over => false,
        }
    }

    fn forget_preempt_delay(&mut self, ctx: &mut Ctx<'_>) {
        let State::Backup(backup) = &mut self.state else {
            return;
        };
        if backup.preempt != PreemptDelay::Idle {
            backup.preempt = PreemptDelay::Idle;
            backup.preempt_at = None;
            ctx.timers.stop(VrrpTimer::PreemptDelay(self.id));
            self.remember(ctx);
        }
    }

    /// Where two ways of making checksums are accepted, a packet damaged on its way may happen to be
    /// right in the other one. Who really changes its way sends the same again.
    pub(crate) fn trusts_checksum(
        &mut self,
        config: &InstanceConfig,
        heard: &Heard,
        checksum: &[u8],
    ) -> bool {
        if config.checksum.style != ChecksumStyle::Auto || heard.old_checksum == self.old_checksum {
            return true;
        }
        let this = checksum.first_chunk().map(|octets| (heard.src, *octets));
        std::mem::replace(&mut self.told.other_checksum, this) == this
    }

    /// A unicast peer of before 1.3.7 makes its checksums in its own way, and expects the same.
    fn learn_checksum(&mut self, heard: &Heard, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        let learns = config.checksum.style == ChecksumStyle::Auto
            && matches!(config.destination, Destination::Unicast(_));
        if !learns || self.old_checksum == heard.old_checksum {
            return;
        }
        self.old_checksum = heard.old_checksum;
        self.remember(ctx);
        if !std::mem::replace(&mut self.told.checksum, true) {
            let (instance, src, old) = (self.id, heard.src, heard.old_checksum);
            ctx.note(Note::ChecksumLearned { instance, src, old });
        }
    }

    /// Two owners: the one with the lower address claims 254 at once, and so yields. The other does
    /// so only if its rival goes on all the same (behaviour.md 3.6).
    fn on_rival_owner(&mut self, heard: &Heard, ctx: &mut Ctx<'_>) {
        if !std::mem::replace(&mut self.told.owners, true) {
            let (instance, src) = (self.id, heard.src);
            ctx.note(Note::TwoOwners { instance, src });
        }
        let config = ctx.bound.instance(self.id);
        let slower = config.advert_interval.max(heard.interval);
        let patience =
            config.advert_interval * 2 + Duration::from_micros(slower.as_micros() * 6 / 5);
        let is_higher = self.source.is_some_and(|own| heard.src > own);
        let State::Master(master) = &mut self.state else {
            return;
        };
        let since = match master.rival_owner {
            Some((since, last)) if ctx.now.since(last) <= slower * 3 => since,
            Some(_) | None => ctx.now,
        };
        master.rival_owner = Some((since, ctx.now));
        if is_higher || ctx.now.since(since) > patience {
            self.priority = PRIORITY_RIVAL;
        }
    }

    fn tell_differences(&mut self, heard: &Heard, ctx: &mut Ctx<'_>) {
        let (instance, src) = (self.id, heard.src);
        if heard.list_differs {
            self.stats.address_list_differs += 1;
            if !std::mem::replace(&mut self.told.list, true) {
                ctx.note(Note::AddressListDiffers { instance, src });
            }
        }
        let ours = ctx.config(instance).advert_interval;
        if heard.interval != ours && !std::mem::replace(&mut self.told.interval, true) {
            ctx.note(Note::IntervalDiffers {
                instance,
                src,
                theirs: heard.interval,
                ours,
            });
        }
    }

    /// Tells of a lesser claim, once until the state or the master changes.
    pub(crate) fn tell_lower(&mut self, heard: Heard, ctx: &mut Ctx<'_>) {
        if std::mem::replace(&mut self.told.lower, true) {
            return;
        }
        let (instance, src) = (self.id, heard.src);
        let (theirs, ours) = (heard.priority, self.priority);
        ctx.note(match self.state {
            State::Master(_) => Note::LowerPriorityMaster {
                instance,
                src,
                theirs,
                ours,
            },
            State::Init | State::Backup(_) | State::Fault => Note::LowerPriorityHeard {
                instance,
                src,
                theirs,
                ours,
            },
        });
    }

    /// One of many unicast peers does not hear it; of the only destination nobody does.
    pub(crate) fn on_send_failed(
        &mut self,
        note: Note,
        config: &InstanceConfig,
        out: &mut Out<VrrpAction>,
    ) {
        match &config.destination {
            Destination::Multicast(_) => self.stats.on_refused(),
            Destination::Unicast(peers) if peers.len() == 1 => self.stats.on_refused(),
            Destination::Unicast(_) => {}
        }
        let master = matches!(self.state, State::Master(_));
        if master && !std::mem::replace(&mut self.told.send_failed, true) {
            out.push(VrrpAction::Note(note));
        }
    }
}
