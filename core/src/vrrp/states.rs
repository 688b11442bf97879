//! The transitions of a virtual router, and what its timers do.

use crate::config::bound::Destination;
use crate::ids::IfIndex;
use crate::kernel::AddressKey;
use crate::time::{Duration, Instant};
use crate::vrrp::StateName;
use crate::vrrp::addresses::key_of;
use crate::vrrp::advert::Heard;
use crate::vrrp::announce::{Job, announce_at_once};
use crate::vrrp::emit;
use crate::vrrp::event::{VrrpAction, VrrpTimer};
use crate::vrrp::instance::{Answer, Backup, Ctx, Instance, Master, PreemptDelay, State, Told};
use crate::vrrp::note::{Cause, Note};
use crate::vrrp::snapshot::Record;
use crate::vrrp::timing;

/// Into how many parts an interval is cut, in each of which a master answers its rivals once.
const ANSWER_GAPS: u64 = 20;

/// The longest such part: with a long interval too a second rival is told soon.
const ANSWER_GAP_MAX: Duration = Duration::from_millis(50);

/// How often in a row a master-down timer is put off. A host whose every wake-up is late, or whose
/// socket always overflows, must still take over some day.
const PUT_OFF_MAX: u8 = 3;

impl Instance {
    /// Starts or starts again: every condition of operation is met.
    pub(crate) fn start(&mut self, initial: bool, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        self.master_interval = config.advert_interval;
        if self.resume(ctx) {
            return;
        }
        if !initial {
            self.announce_source(ctx);
        }
        if config.is_owner() && config.state_master && ctx.now < ctx.starts_at {
            self.become_backup(Cause::Startup, Duration::ZERO, initial, ctx);
        } else if config.is_owner() && config.state_master {
            // RFC 9568 section 6.4.1: the owner does not wait, unless `state BACKUP` says so.
            self.become_master(Cause::Owner, ctx);
        } else {
            let cause = if initial {
                Cause::Startup
            } else {
                Cause::Recovered
            };
            let interval = self.master_down_interval(config);
            self.become_backup(cause, interval, initial, ctx);
        }
    }

    /// A successor has nothing to go on with: it starts anew, and removes what is still there.
    pub(crate) fn forget(&self, ctx: &mut Ctx<'_>) {
        let record = Record::of(self, ctx.bound.instance(self.id), ctx.now);
        let record = ctx.out.write_bytes(|arena| {
            if let Some(record) = record {
                record.given_up().encode(arena);
            }
        });
        ctx.out.push(VrrpAction::Remember {
            instance: self.id,
            slot: self.slot,
            record,
        });
    }

    /// Takes over: the advert goes out before anything else (behaviour.md 3.7).
    pub(crate) fn become_master(&mut self, cause: Cause, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        self.leave_state(ctx);
        self.state = State::Master(Master::default());
        self.master_interval = config.advert_interval;
        self.priority = config.priority;
        self.stats.became_master += 1;
        self.remember(ctx);
        self.send_advert(ctx);
        ctx.timers
            .set(VrrpTimer::Advert(self.id), ctx.now + config.advert_interval);
        self.tell(StateName::Master, cause, false, ctx);
        self.hold_addresses(ctx);
        let garp = &config.garp;
        if !garp.master_delay.is_zero() {
            ctx.timers
                .set(VrrpTimer::GarpDelay(self.id), ctx.now + garp.master_delay);
        }
        if !garp.refresh.is_zero() {
            let first = ctx.now + garp.master_delay + garp.refresh;
            ctx.timers.set(VrrpTimer::GarpRefresh(self.id), first);
        }
    }

    /// Listens; the master-down timer fires after `interval` unless a master is heard.
    pub(crate) fn become_backup(
        &mut self,
        cause: Cause,
        interval: Duration,
        initial: bool,
        ctx: &mut Ctx<'_>,
    ) {
        let former = self.leave_state(ctx);
        self.state = State::Backup(Backup::default());
        self.set_master_down(interval, ctx);
        self.remember(ctx);
        self.tell(StateName::Backup, cause, initial, ctx);
        self.let_go(former, ctx);
    }

    /// Stops operating because of `cause`; a master lets go with priority 0 first.
    pub(crate) fn become_fault(&mut self, cause: Cause, initial: bool, ctx: &mut Ctx<'_>) {
        let farewell = matches!(self.state, State::Master(_));
        let former = self.leave_state(ctx);
        self.state = State::Fault;
        self.remember(ctx);
        if farewell {
            self.send_priority_zero(ctx);
        }
        self.tell(StateName::Fault, cause, initial, ctx);
        self.let_go(former, ctx);
    }

    /// A master heard a better claim.
    pub(crate) fn yield_to(&mut self, heard: Heard, cause: Cause, ctx: &mut Ctx<'_>) {
        let interval = self.master_down_interval(ctx.bound.instance(self.id));
        self.become_backup(cause, interval, false, ctx);
        self.follow(heard, ctx);
    }

    /// A master heard a lesser claim: it shows that it is there, and tells the neighbours again
    /// where the addresses are (K-4).
    pub(crate) fn assert_mastership(&mut self, heard: Heard, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        self.tell_lower(heard, ctx);
        let garp = &config.garp;
        let answer = Answer {
            advert: !config.lower_prio_no_advert,
            rounds: garp.lower_prio_repeat,
        };
        if garp.lower_prio_repeat > 0 && !garp.lower_prio_delay.is_zero() {
            let second = ctx.now + garp.lower_prio_delay;
            ctx.timers.set(VrrpTimer::GarpLower(self.id), second);
        }
        self.answer(answer, ctx);
    }

    /// A rival let go while we are master: an advert and a new interval (RFC 9568 section 6.4.3).
    /// The neighbours may have believed the rival, and its own last announcements may be the last
    /// that they heard: each address is announced once.
    pub(crate) fn answer_farewell(&mut self, ctx: &mut Ctx<'_>) {
        let garp = &ctx.bound.instance(self.id).garp;
        let answer = Answer {
            advert: true,
            rounds: garp.lower_prio_repeat.min(1),
        };
        if self.answer(answer, ctx) {
            let interval = ctx.bound.instance(self.id).advert_interval;
            ctx.timers
                .set(VrrpTimer::Advert(self.id), ctx.now + interval);
        }
    }

    /// Answers a rival; true if at once. The first is answered at once, and those that come within
    /// a part ([`ANSWER_GAPS`]) of the interval behind it together at its end: what waited in a socket while we slept, or a
    /// flood, is no reason for an advert and announcements each. Nobody stays unanswered, because
    /// the answer goes out after everything that it answers.
    fn answer(&mut self, answer: Answer, ctx: &mut Ctx<'_>) -> bool {
        let interval = ctx.bound.instance(self.id).advert_interval;
        let gap = Duration::from_micros(interval.as_micros() / ANSWER_GAPS).min(ANSWER_GAP_MAX);
        let State::Master(master) = &mut self.state else {
            return false;
        };
        master.owed.advert |= answer.advert;
        master.owed.rounds = master.owed.rounds.max(answer.rounds);
        if let Some(next) = master.answered.map(|last| last + gap)
            && ctx.now < next
        {
            ctx.timers.set(VrrpTimer::Answer(self.id), next);
            return false;
        }
        self.on_answer_due(ctx);
        true
    }

    fn on_answer_due(&mut self, ctx: &mut Ctx<'_>) {
        ctx.timers.stop(VrrpTimer::Answer(self.id));
        let State::Master(master) = &mut self.state else {
            return;
        };
        master.answered = Some(ctx.now);
        let owed = std::mem::take(&mut master.owed);
        if owed.advert {
            self.send_advert(ctx);
        }
        self.announce_all(owed.rounds, ctx);
    }

    /// A unicast instance that works again tells its peers where it is, as the original does: they
    /// may know its address by the hardware address of a former interface.
    fn announce_source(&self, ctx: &mut Ctx<'_>) {
        let unicast = matches!(
            ctx.bound.instance(self.id).destination,
            Destination::Unicast(_)
        );
        if let (true, Some(ifindex), Some(addr)) = (unicast, self.ifindex, self.source) {
            announce_at_once(ifindex, addr, ctx.links, ctx.out);
        }
    }

    /// Another program deleted an address that a master holds: it steps down with priority 0 and
    /// comes back after the skew time, as the original does (behaviour.md 3.16).
    pub(crate) fn on_address_taken(&mut self, key: AddressKey, ctx: &mut Ctx<'_>) {
        if !matches!(self.state, State::Master(_)) {
            return;
        }
        let instance = self.id;
        ctx.note(Note::AddressTaken { instance, key });
        self.forget(ctx);
        self.send_priority_zero(ctx);
        let skew = self.skew_time(ctx.bound.instance(self.id));
        self.become_backup(Cause::AddressTaken { key }, skew, false, ctx);
    }

    /// The daemon ends, and this is a master's. Its addresses are not wanted any more, but stay
    /// until every priority-0 advert of the host has gone out.
    pub(crate) fn say_farewell(&mut self, ctx: &mut Ctx<'_>) {
        self.release_mastership(ctx);
        self.stop(ctx);
    }

    /// A master lets go, without having given anything back yet.
    pub(crate) fn release_mastership(&mut self, ctx: &mut Ctx<'_>) {
        self.forget(ctx);
        if matches!(self.state, State::Master(_)) {
            self.send_priority_zero(ctx);
        }
    }

    /// The daemon ends.
    pub(crate) fn stop(&mut self, ctx: &mut Ctx<'_>) {
        let former = self.leave_state(ctx);
        self.state = State::Init;
        self.let_go(former, ctx);
    }

    /// The kernel has an address of ours: it is announced at once, and when it was the last that
    /// was awaited the repeats follow.
    pub(crate) fn on_address_present(&mut self, key: AddressKey, ctx: &mut Ctx<'_>) {
        let State::Master(master) = &mut self.state else {
            return;
        };
        let awaited = master.awaited.remove(&key);
        let last = awaited && master.awaited.is_empty();
        ctx.announce(key);
        if last {
            self.repeat_announcements(ctx);
        }
    }

    /// The kernel refused an address: the others are announced all the same.
    pub(crate) fn on_address_refused(&mut self, key: AddressKey, ctx: &mut Ctx<'_>) {
        let State::Master(master) = &mut self.state else {
            return;
        };
        master.refused = true;
        let settled = std::mem::take(&mut master.settled);
        if master.awaited.remove(&key) && master.awaited.is_empty() {
            self.repeat_announcements(ctx);
        }
        if settled {
            self.remember(ctx);
        }
    }

    /// Acts on a deadline of this instance that was set for `at`.
    pub(crate) fn on_timer(&mut self, timer: VrrpTimer, at: Instant, ctx: &mut Ctx<'_>) {
        self.sum_up_discards(false, ctx.now, ctx.out);
        let garp = &ctx.bound.instance(self.id).garp;
        match timer {
            VrrpTimer::Advert(_) => self.on_advert_due(at, ctx),
            VrrpTimer::MasterDown(_) => self.on_master_down(at, ctx),
            VrrpTimer::GarpDelay(_) => self.announce_all(garp.master_repeat, ctx),
            VrrpTimer::GarpLower(_) => self.announce_all(garp.lower_prio_repeat, ctx),
            VrrpTimer::Answer(_) => self.on_answer_due(ctx),
            VrrpTimer::GarpRefresh(_) => {
                self.announce_all(garp.refresh_repeat, ctx);
                ctx.timers.set(timer, ctx.now + garp.refresh);
            }
            VrrpTimer::PreemptDelay(_) => {
                if let State::Backup(backup) = &mut self.state {
                    backup.preempt = PreemptDelay::Over;
                    self.remember(ctx);
                }
            }
            // The node's, who has the sockets and the queues.
            VrrpTimer::Reopen(_) | VrrpTimer::AnnounceQueue(_) => {}
        }
    }

    pub(crate) fn send_advert(&mut self, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        let sent = emit::send_adverts(self, config, self.priority, ctx.ident, ctx.out);
        if sent > 0 {
            self.stats.on_sent(false, ctx.now);
        }
        if config.timer_expired_backup.is_some()
            && let State::Master(master) = &mut self.state
        {
            master.spoke = Some(ctx.now);
        }
    }

    /// Notes, an advert after it is so, that a successor has nothing of the takeover left to do.
    fn settle(&mut self, ctx: &mut Ctx<'_>) {
        let State::Master(master) = &mut self.state else {
            return;
        };
        if master.settled || master.refused || master.announcing || !master.awaited.is_empty() {
            return;
        }
        if !ctx.announcements.is_waiting() {
            master.settled = true;
            self.remember(ctx);
        }
    }

    /// The next advert is due one interval after the last *deadline*, so that there is no drift;
    /// after a stall of more than an interval the count starts afresh. A master that slept for so
    /// long that a backup may have taken over, and that nothing it has heard since told to yield,
    /// says at once that it is there and where the addresses are.
    fn on_advert_due(&mut self, at: Instant, ctx: &mut Ctx<'_>) {
        if self.steps_back(ctx) {
            return;
        }
        self.settle(ctx);
        self.send_advert(ctx);
        if let State::Master(master) = &mut self.state {
            // One that leaves early, with others, counts for its deadline.
            master.spoke = master.spoke.map(|spoke| spoke.max(at));
        }
        let config = ctx.bound.instance(self.id);
        let (interval, late) = (config.advert_interval, ctx.now - at);
        if late > self.master_down_interval(config) {
            let instance = self.id;
            ctx.note(Note::Slept { instance, by: late });
            self.announce_all(config.garp.master_repeat, ctx);
        }
        let next = at + interval;
        let next = if next > ctx.now {
            next
        } else {
            ctx.now + interval
        };
        ctx.timers.set(VrrpTimer::Advert(self.id), next);
    }

    /// No advert for the master-down interval. If the wake-up itself was late, or the socket
    /// overflowed meanwhile, as it does in a flood while nobody reads, the silence may be our own:
    /// what was sent can have been lost, so the master gets a whole interval in which nothing was.
    fn on_master_down(&mut self, at: Instant, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        let skew = self.skew_time(config);
        let half_interval = Duration::from_micros(self.master_interval.as_micros() / 2);
        let grace = self.master_interval + skew;
        let late = ctx.now - at;
        let instance = self.id;
        let State::Backup(backup) = &mut self.state else {
            return;
        };
        let is_late = late > skew.max(half_interval);
        // Since the last loss nothing has been missed; that must have been for long enough.
        let listen_until = backup.packets_lost.map(|at| at + grace);
        let listen_until = listen_until.filter(|until| *until > ctx.now);
        if (is_late || listen_until.is_some()) && backup.put_off < PUT_OFF_MAX {
            backup.put_off += 1;
            let (until, note) = match listen_until {
                Some(until) if !is_late => (until, Note::PacketsLost { instance }),
                Some(_) | None => (ctx.now + grace, Note::Late { instance, by: late }),
            };
            ctx.timers.set(VrrpTimer::MasterDown(self.id), until);
            ctx.note(note);
            return;
        }
        let cause = match backup.released_by {
            Some(src) => Cause::PriorityZero { src },
            None if backup.down_interval.is_zero() => Cause::Owner,
            None => Cause::MasterDown {
                after: backup.down_interval,
                last_master: backup.master,
            },
        };
        self.become_master(cause, ctx);
    }

    /// `timer_expired_backup`: after so long a sleep that a router of that priority has taken over,
    /// a master listens first (behaviour.md 3.6). True if it does.
    pub(crate) fn steps_back(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let config = ctx.bound.instance(self.id);
        let State::Master(master) = &self.state else {
            return false;
        };
        let (Some(priority), Some(spoke)) = (config.timer_expired_backup, master.spoke) else {
            return false;
        };
        let interval = config.advert_interval;
        let theirs = config.down_timer_adverts;
        let limit = timing::master_down_interval(config.version, priority, interval, theirs);
        let by = ctx.now.since(spoke);
        if by < limit {
            return false;
        }
        let wait = self.master_down_interval(config);
        self.become_backup(Cause::Slept { by, priority }, wait, false, ctx);
        true
    }

    fn send_priority_zero(&mut self, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        let sent = emit::send_adverts(self, config, 0, ctx.ident, ctx.out);
        if sent > 0 {
            self.stats.on_sent(true, ctx.now);
        }
    }

    /// Stops the timers of the present state and returns the state for its clean-up.
    pub(crate) fn leave_state(&mut self, ctx: &mut Ctx<'_>) -> State {
        let id = self.id;
        for timer in [
            VrrpTimer::Advert(id),
            VrrpTimer::MasterDown(id),
            VrrpTimer::GarpDelay(id),
            VrrpTimer::GarpRefresh(id),
            VrrpTimer::GarpLower(id),
            VrrpTimer::PreemptDelay(id),
            VrrpTimer::Reopen(id),
            VrrpTimer::Answer(id),
        ] {
            ctx.timers.stop(timer);
        }
        self.epoch = self.epoch.wrapping_add(1);
        self.since = ctx.now;
        self.told = Told::default();
        let former = std::mem::replace(&mut self.state, State::Init);
        if matches!(former, State::Master(_)) {
            self.stats.released_master += 1;
        }
        former
    }

    /// Gives the addresses of a former mastership back.
    fn let_go(&self, former: State, ctx: &mut Ctx<'_>) {
        if let State::Master(master) = former {
            // Last in, first out, as the original removes them.
            for key in master.held.into_iter().rev() {
                if ctx.bound.global.release_vips {
                    ctx.addresses.release_for_good(self.id, key);
                } else {
                    ctx.addresses.release(self.id, key);
                }
            }
        }
    }

    fn hold_addresses(&mut self, ctx: &mut Ctx<'_>) {
        let config = ctx.bound.instance(self.id);
        let Some(own) = self.ifindex else { return };
        let mut held = Vec::with_capacity(config.addresses.len() + config.excluded.len());
        for address in config.addresses.iter().chain(&config.excluded) {
            let ifindex = address_interface(address.dev.as_deref(), own, ctx);
            if let Some(ifindex) = ifindex {
                ctx.addresses.hold(self.id, ifindex, address);
                held.push(key_of(address, ifindex));
            }
        }
        if let State::Master(master) = &mut self.state {
            master.awaited = held.iter().copied().collect();
            master.held = held;
        }
    }

    /// The neighbours have to learn again where the addresses are.
    pub(crate) fn announce_anew(&mut self, ctx: &mut Ctx<'_>) {
        let repeat = ctx.bound.instance(self.id).garp.master_repeat;
        self.announce_all(repeat, ctx);
    }

    fn repeat_announcements(&mut self, ctx: &mut Ctx<'_>) {
        let repeat = ctx.bound.instance(self.id).garp.master_repeat;
        self.announce_all(repeat.saturating_sub(1), ctx);
    }

    pub(crate) fn announce_all(&mut self, rounds: u32, ctx: &mut Ctx<'_>) {
        let State::Master(master) = &mut self.state else {
            return;
        };
        if rounds == 0 {
            return;
        }
        if std::mem::replace(&mut master.announcing, true) {
            // One burst follows another; a third would say nothing new.
            master.next_rounds = master.next_rounds.max(rounds);
        } else {
            ctx.announcements.jobs.push_back(Job {
                instance: self.id,
                epoch: self.epoch,
                rounds,
                next: 0,
            });
        }
    }

    fn tell(&mut self, state: StateName, cause: Cause, initial: bool, ctx: &mut Ctx<'_>) {
        let instance = self.id;
        self.past.transition = Some((ctx.now, cause));
        self.past.master_priority = 0;
        ctx.note(Note::Cause { instance, cause });
        ctx.note(Note::Entering {
            instance,
            state,
            initial,
        });
    }
}

/// The interface that an address goes on.
pub(crate) fn address_interface(dev: Option<&str>, own: IfIndex, ctx: &Ctx<'_>) -> Option<IfIndex> {
    match dev {
        None => Some(own),
        Some(name) => ctx.links.named(name).map(|(ifindex, _)| ifindex),
    }
}
