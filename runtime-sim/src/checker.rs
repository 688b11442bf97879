//! Compares facts with the promises of [`crate::invariant`].

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

use relevo_core::kernel::AddressKey;
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::StateName;

use crate::cluster::{Cluster, Member};
use crate::invariant::{Fact, Heard, Promise, Violation};
use crate::marks::Marks;

/// Actions of one call: a slice, and what one last step may add to it.
const ACTIONS: usize = relevo_core::limits::SLICE + 64;

/// How often in a row a late takeover must be put off.
const PUT_OFF_MAX: u8 = 3;

/// How often in an interval a master answers contradictions.
const ANSWERS_PER_INTERVAL: u64 = 20;

/// Calls in a row without waiting.
const CALLS_IN_A_ROW: u32 = 64;

#[derive(Clone, Debug)]
struct Known {
    state: StateName,
    since: Instant,
    /// Since when it was in the state before.
    previous_since: Instant,
    alive: bool,
    frozen: bool,
    spoke: Option<Instant>,
    /// No takeover before this moment, since a live master was heard.
    quiet_until: Option<Instant>,
    /// After a socket overflowed: how long it may listen before it takes over.
    listens_until: Option<Instant>,
    /// When it takes over if it hears nothing more, at the latest.
    timer: Option<Instant>,
    /// How often since it was set its daemon was frozen.
    thaws: u8,
    /// It left mastership in the last call, and must have sent priority 0 in that call.
    owes_zero: bool,
    /// It became master or was contradicted, and must have sent an advert by then.
    owes_advert: Option<Instant>,
    /// When it answered a contradiction last, or will.
    answered: Option<Instant>,
    heard_zero: Option<Instant>,
    heard_lower: Option<(Instant, usize)>,
    zero_sent: BTreeSet<IpAddr>,
    announced: BTreeSet<IpAddr>,
    /// What a predecessor had announced; and when it had last sent an advert, if it died as master.
    died: Option<(Option<Instant>, BTreeSet<IpAddr>)>,
    /// When an advert of this mastership left last.
    left: Option<Instant>,
}

#[derive(Copy, Clone, Debug)]
struct Path {
    open: bool,
    /// Since when everything that was sent arrived.
    clean_since: Instant,
    lost_in_a_row: u32,
}

/// How much too early a clock may be that measures `span`.
fn early(span: Duration) -> Duration {
    Duration::from_micros(span.as_micros() / 1_000) + Duration::from_millis(1)
}

/// Checks the promises against the facts.
#[derive(Clone, Debug)]
pub struct Checker {
    cluster: Rc<Cluster>,
    slack: Duration,
    slowest: Duration,
    known: Vec<Known>,
    paths: Vec<Path>,
    violation: Option<Violation>,
    /// How often which of the awaited occurrences was seen.
    pub marks: Marks,
}

impl Checker {
    /// A checker at the beginning of time. `slowest` is the longest way of a packet; `slack` is
    /// what a host may be late.
    pub fn new(cluster: Rc<Cluster>, slowest: Duration, slack: Duration) -> Self {
        let members = cluster.members.len();
        let known = Known {
            state: StateName::Init,
            since: Instant::ZERO,
            previous_since: Instant::ZERO,
            alive: false,
            frozen: false,
            spoke: None,
            quiet_until: None,
            listens_until: None,
            timer: None,
            thaws: 0,
            owes_zero: false,
            owes_advert: None,
            answered: None,
            heard_zero: None,
            heard_lower: None,
            zero_sent: BTreeSet::new(),
            announced: BTreeSet::new(),
            died: None,
            left: None,
        };
        let path = Path {
            open: true,
            clean_since: Instant::ZERO,
            lost_in_a_row: 0,
        };
        Self {
            cluster,
            slack,
            slowest,
            known: vec![known; members],
            paths: vec![path; members * members],
            violation: None,
            marks: Marks::default(),
        }
    }

    /// The first broken promise.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Notes a broken promise, unless an earlier one was noted.
    pub fn fail(&mut self, at: Instant, promise: Promise, text: String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { at, promise, text });
        }
    }

    /// The state of `member`, and whether its daemon runs and is not frozen.
    pub fn state(&self, member: usize) -> (StateName, bool) {
        let known = &self.known[member];
        (known.state, known.alive && !known.frozen)
    }

    /// The moment before which `member`, undisturbed, will not take over.
    pub fn quiet_until(&self, member: usize) -> Option<Instant> {
        self.known[member].quiet_until
    }

    /// Takes a fact in.
    pub fn note(&mut self, now: Instant, fact: Fact) {
        match fact {
            Fact::Started(host) => self.on_started(now, host),
            Fact::Ended(host) => self.on_ended(now, host),
            Fact::Forgotten(host) => {
                for &member in Rc::clone(&self.cluster).on_host(host) {
                    self.known[member].died = None;
                }
            }
            Fact::Frozen(host) => self.on_frozen(now, host, true),
            Fact::Thawed(host) => self.on_frozen(now, host, false),
            Fact::Overflowed(host) => self.on_overflowed(now, host),
            Fact::State {
                member,
                from,
                to,
                can_send,
                resumed,
            } => {
                let died = self.known[member].died.take();
                self.on_state(now, member, (from, to), can_send);
                self.on_successor(now, member, to, died, resumed);
            }
            Fact::Sent {
                member,
                dst,
                priority,
                was,
                is,
            } => self.on_sent(now, member, dst, priority, (was, is)),
            Fact::Reconfigured { cluster, host } => self.on_reconfigured(now, cluster, host),
            Fact::Left(member) => self.known[member].left = Some(now),
            Fact::Lost { from, to } => self.on_lost(now, from, to),
            Fact::Reach { from, to, open } => {
                let path = self.path(from, to);
                path.open = open;
                path.clean_since = now;
            }
            Fact::Heard(heard) => self.on_heard(now, heard),
            Fact::Settled { member, key, held } => self.on_settled(now, member, key, held),
            Fact::Interface {
                member,
                works,
                complete,
            } => self.on_interface(now, member, works, complete),
            Fact::Announced { member, addr, held } => self.on_announced(now, member, addr, held),
            Fact::Called {
                host,
                actions,
                stuck,
                in_a_row,
            } => self.on_called(now, host, actions, stuck, in_a_row),
            Fact::Error { host, text } => {
                let text = format!("host {host} reports: {text}");
                self.fail(now, Promise::NoUnexpectedError, text);
            }
        }
    }

    fn path(&mut self, from: usize, to: usize) -> &mut Path {
        let members = self.known.len();
        &mut self.paths[from * members + to]
    }

    fn member(&self, member: usize) -> &Member {
        &self.cluster.members[member]
    }

    fn tolerance(&self, span: Duration) -> Duration {
        Duration::from_micros(span.as_micros() / 1_000) + self.slack
    }

    fn on_started(&mut self, now: Instant, host: usize) {
        for member in self.cluster.on_host(host).to_vec() {
            let known = &mut self.known[member];
            known.alive = true;
            known.frozen = false;
            known.state = StateName::Init;
            known.since = now;
            known.spoke = None;
            known.quiet_until = None;
            known.heard_zero = None;
            known.heard_lower = None;
            known.zero_sent.clear();
            known.announced.clear();
        }
    }

    /// A host works by another configuration. What it knew of its timers is only roughly known.
    fn on_reconfigured(&mut self, now: Instant, cluster: Rc<Cluster>, host: usize) {
        let before = std::mem::replace(&mut self.cluster, cluster);
        for member in self.cluster.ever_on_host(host).to_vec() {
            let (was, is) = (&before.members[member], &self.cluster.members[member]);
            if was.present != is.present {
                let present = is.present;
                let known = &mut self.known[member];
                known.alive = present;
                known.died = None;
                known.spoke = None;
                known.quiet_until = None;
                known.zero_sent.clear();
                known.announced.clear();
            } else if was.priority != is.priority {
                let longest = is.master_down(self.cluster.slowest_interval(is.router));
                let known = &mut self.known[member];
                known.quiet_until = None;
                known.timer = known.timer.map(|timer| timer.max(now) + longest);
                for other in 0..self.known.len() {
                    self.path(member, other).clean_since = now;
                    self.path(other, member).clean_since = now;
                }
            }
        }
    }

    fn on_ended(&mut self, now: Instant, host: usize) {
        let here = self.cluster.ever_on_host(host).to_vec();
        // An address may belong to another virtual router of the host afterwards.
        let announced: BTreeSet<IpAddr> = here
            .iter()
            .flat_map(|member| std::mem::take(&mut self.known[*member].announced))
            .collect();
        for member in here {
            let known = &mut self.known[member];
            known.alive = false;
            let master = known.state == StateName::Master;
            let (before, mut known_to) = known.died.take().unwrap_or_default();
            known_to.extend(&announced);
            let left = known.left.filter(|_| master);
            let started = known.state != StateName::Init;
            known.died = Some((if started { left } else { before }, known_to));
            known.state = StateName::Init;
            known.since = now;
            known.quiet_until = None;
            known.timer = None;
            known.owes_zero = false;
            known.owes_advert = None;
            known.answered = None;
        }
    }

    fn on_frozen(&mut self, now: Instant, host: usize, frozen: bool) {
        for member in self.cluster.on_host(host).to_vec() {
            let known = &mut self.known[member];
            known.frozen = frozen;
            known.spoke = None;
            known.owes_advert = None;
            known.answered = Some(now);
            known.since = known.since.max(if frozen { known.since } else { now });
            for other in 0..self.known.len() {
                self.path(member, other).clean_since = now;
                self.path(other, member).clean_since = now;
            }
            if !frozen {
                self.on_thawed(now, member);
            }
        }
    }

    /// What was sent to a daemon that slept past its deadline may have been lost: it must listen
    /// for another interval. Only so often, or a host that always sleeps would never take over.
    fn on_thawed(&mut self, now: Instant, member: usize) {
        let me = self.member(member);
        let slowest = self.cluster.slowest_interval(me.router);
        let quickest = self.cluster.quickest_interval(me.router);
        let half = Duration::from_micros(slowest.as_micros() / 2);
        let believed = me.skew(slowest).max(half) + self.slack;
        let grace = quickest + me.skew(quickest);
        let longest = slowest + me.skew(slowest);
        let early = early(grace);
        let known = &mut self.known[member];
        let Some(timer) = known.timer else { return };
        if now.since(timer) > believed && known.thaws < PUT_OFF_MAX {
            known.quiet_until = Some(now + (grace - early));
        }
        known.timer = Some(timer.max(now) + longest);
        known.thaws = known.thaws.saturating_add(1);
    }

    /// Adverts may be among what was lost: a backup listens for an interval in which nothing was.
    fn on_overflowed(&mut self, now: Instant, host: usize) {
        for member in self.cluster.on_host(host).to_vec() {
            let me = self.member(member);
            let slowest = self.cluster.slowest_interval(me.router);
            let quickest = self.cluster.quickest_interval(me.router);
            let grace = quickest + me.skew(quickest);
            let longest = slowest + me.skew(slowest);
            let early = early(grace);
            let known = &mut self.known[member];
            let Some(timer) = known.timer else { continue };
            if known.thaws < PUT_OFF_MAX {
                let until = now + (grace - early);
                known.quiet_until = Some(known.quiet_until.map_or(until, |at| at.max(until)));
            }
            known.listens_until = Some(now + longest);
            known.timer = Some(timer.max(now + longest));
            known.thaws = known.thaws.saturating_add(1);
        }
    }

    /// The master-down timer of `member` is set to `span`.
    fn set_timer(&mut self, now: Instant, member: usize, span: Duration) {
        let known = &mut self.known[member];
        // A farewell does not make good what was lost.
        let listens = known.listens_until.filter(|until| *until > now + span);
        known.timer = Some(listens.unwrap_or(now + span));
        known.thaws = 0;
    }

    fn on_state(
        &mut self,
        now: Instant,
        member: usize,
        (from, to): (StateName, StateName),
        can_send: bool,
    ) {
        if to == StateName::Master {
            self.check_no_mistake(now, member, from);
            self.mark_takeover(now, member);
        }
        let known = &mut self.known[member];
        known.state = to;
        known.previous_since = known.since;
        known.since = now;
        known.spoke = None;
        known.quiet_until = None;
        known.timer = None;
        known.heard_zero = None;
        known.heard_lower = None;
        known.left = None;
        known.owes_zero = from == StateName::Master && can_send;
        known.owes_advert = (to == StateName::Master && can_send).then_some(now);
        known.answered = None;
        if to == StateName::Master {
            known.zero_sent.clear();
            known.announced.clear();
        }
        if to == StateName::Backup {
            let me = self.member(member);
            let span = me.master_down(self.cluster.slowest_interval(me.router));
            self.set_timer(now, member, span);
        }
    }

    /// The first state after a predecessor died as master.
    fn on_successor(
        &mut self,
        now: Instant,
        member: usize,
        to: StateName,
        died: Option<(Option<Instant>, BTreeSet<IpAddr>)>,
        resumed: bool,
    ) {
        let interval = self.member(member).interval;
        let limit = interval * u64::from(self.member(member).adverts.min(3));
        let (slack, known) = (self.tolerance(limit), &mut self.known[member]);
        let Some((left, announced)) = died else {
            return;
        };
        if resumed && to == StateName::Master {
            known.announced.extend(announced);
            known.left = left;
        }
        // Of what its own kernel has refused nobody knows.
        let Some(spoke) = left else { return };
        if resumed && to == StateName::Master {
            // What is overdue leaves at once, as after a takeover.
            if now < spoke + interval {
                known.spoke = Some(spoke);
                known.owes_advert = None;
            }
        } else if to == StateName::Backup && now + slack < spoke + limit {
            let text = format!(
                "member {member} was master {} s ago, and starts anew as backup",
                now.since(spoke)
            );
            self.fail(now, Promise::GoesOn, text);
        }
    }

    fn check_no_mistake(&mut self, now: Instant, member: usize, from: StateName) {
        let known = &self.known[member];
        if let Some(until) = known.quiet_until
            && now < until
            && from == StateName::Backup
        {
            let text = format!(
                "member {member} becomes master {} s before it may",
                until.since(now)
            );
            self.fail(now, Promise::NoMistake, text);
        }
    }

    fn mark_takeover(&mut self, now: Instant, member: usize) {
        let me = self.member(member);
        let recent = self.cluster.slowest_interval(me.router) * 2 + self.slack;
        let zero = me.skew(self.cluster.slowest_interval(me.router)) + self.slack;
        let known = &self.known[member];
        if let Some((at, from)) = known.heard_lower
            && now.since(at) <= recent
            && self.state(from) == (StateName::Master, true)
        {
            self.marks.preemption += 1;
        }
        if known.heard_zero.is_some_and(|at| now.since(at) <= zero) {
            self.marks.priority_zero += 1;
        }
    }

    fn on_sent(
        &mut self,
        now: Instant,
        member: usize,
        dst: IpAddr,
        priority: u8,
        (was, is): (StateName, StateName),
    ) {
        let master = StateName::Master;
        if priority == 0 {
            let leaving = was == master && is != master;
            if !leaving || !self.known[member].zero_sent.insert(dst) {
                let text =
                    format!("member {member} sends priority 0, {was:?} before and {is:?} after");
                self.fail(now, Promise::OnlyMastersAdvertise, text);
            }
            self.known[member].owes_zero = false;
            return;
        }
        if was != master && is != master {
            let text = format!("member {member} sends priority {priority} as {is:?}");
            self.fail(now, Promise::OnlyMastersAdvertise, text);
        }
        if is == master {
            self.check_speaks(now, member);
            self.known[member].spoke = Some(now);
            self.known[member].owes_advert = None;
        }
    }

    fn check_speaks(&mut self, now: Instant, member: usize) {
        let interval = self.member(member).interval;
        let known = &self.known[member];
        let last = known.spoke.unwrap_or(known.since);
        // The last one may have left early, together with others: by a hundredth of the interval
        // and no more than 5 ms.
        let early = Duration::from_micros(interval.as_micros() / 100).min(Duration::from_millis(5));
        let longest = interval + early;
        if now.since(last) > longest + self.tolerance(interval) {
            let text = format!(
                "member {member}, master, was silent for {} s",
                now.since(last)
            );
            self.fail(now, Promise::MasterSpeaks, text);
        }
    }

    fn on_lost(&mut self, now: Instant, from: usize, to: usize) {
        let path = self.path(from, to);
        path.clean_since = now;
        path.lost_in_a_row += 1;
        if path.lost_in_a_row == 3 {
            self.marks.three_lost += 1;
        }
    }

    fn on_heard(&mut self, now: Instant, heard: Heard) {
        if !heard.intact {
            if heard.was != heard.is || heard.timer_moved {
                let text = format!(
                    "member {}: {:?} became {:?}, timer moved: {}",
                    heard.to, heard.was, heard.is, heard.timer_moved
                );
                self.fail(now, Promise::BadPacketTouchesNothing, text);
            }
            return;
        }
        self.path(heard.from, heard.to).lost_in_a_row = 0;
        let master = StateName::Master;
        if heard.was != master && heard.is == master {
            let text = format!("member {} becomes master by a packet", heard.to);
            self.fail(now, Promise::KeepsAgainstWorse, text);
        }
        if heard.was == master {
            // Yielding to a better one needs no farewell.
            self.known[heard.to].owes_zero = false;
            self.on_heard_as_master(now, heard);
        }
        if heard.is == StateName::Backup {
            self.on_heard_as_backup(now, heard);
        }
    }

    fn on_heard_as_master(&mut self, now: Instant, heard: Heard) {
        let router = self.member(heard.to).router;
        let theirs = (heard.priority, self.member(heard.from).address);
        let ours = self.member(heard.to).claim();
        let yields = heard.is != StateName::Master;
        if heard.priority > 0 && theirs > ours && !yields {
            let text = format!("member {} stays master against {theirs:?}", heard.to);
            self.fail(now, Promise::YieldsToBetter, text);
        }
        if theirs < ours && yields {
            let text = format!("member {} yields to {theirs:?}", heard.to);
            self.fail(now, Promise::KeepsAgainstWorse, text);
        }
        if !yields && theirs < ours {
            self.on_contradicted(now, heard);
        }
        if yields && theirs > ours {
            if theirs.0 == ours.0 {
                self.marks.tie += 1;
            }
            let interval = self.cluster.slowest_interval(router);
            let other = &self.known[heard.from];
            let both_since = other.since.max(self.known[heard.to].previous_since);
            if other.state == StateName::Master && now.since(both_since) >= interval {
                self.marks.split_heal += 1;
            }
        }
    }

    /// A master answers at once, or together with others if it has answered just before.
    fn on_contradicted(&mut self, now: Instant, heard: Heard) {
        let me = self.member(heard.to);
        let answers = heard.priority == 0 || me.answers_lower;
        let gap = Duration::from_micros(me.interval.as_micros() / ANSWERS_PER_INTERVAL);
        let slack = self.slack;
        let known = &mut self.known[heard.to];
        let next = known.answered.map(|last| last + gap);
        let due = match next.filter(|next| now < *next + slack) {
            Some(next) => next + slack * 2,
            None => now,
        };
        known.answered = Some(next.unwrap_or(now).max(now));
        if answers {
            known.owes_advert = Some(known.owes_advert.map_or(due, |before| before.min(due)));
        }
    }

    fn on_heard_as_backup(&mut self, now: Instant, heard: Heard) {
        let me = self.member(heard.to);
        let from = self.member(heard.from);
        let interval = from.interval;
        let down = me.master_down(interval);
        let better = heard.priority >= me.priority;
        let acceptable = better || !me.preempts;
        let delayed = !me.preempt_delay.is_zero();
        if heard.priority == 0 {
            let skew = me.skew(self.cluster.slowest_interval(me.router));
            self.set_timer(now, heard.to, skew);
            let known = &mut self.known[heard.to];
            known.heard_zero = Some(now);
            known.quiet_until = None;
            return;
        }
        if acceptable || delayed {
            self.set_timer(now, heard.to, down);
        }
        let known = &mut self.known[heard.to];
        if acceptable {
            known.quiet_until = Some(now + (down - early(down)));
            known.heard_zero = None;
        } else {
            known.heard_lower = Some((now, heard.from));
            if delayed {
                known.quiet_until = None;
            }
        }
    }

    fn on_settled(&mut self, now: Instant, member: usize, key: AddressKey, held: bool) {
        let state = self.known[member].state;
        if held != (state == StateName::Master) {
            let text = format!(
                "member {member} is {state:?}, and its kernel {} {}",
                if held { "holds" } else { "lacks" },
                key.addr
            );
            self.fail(now, Promise::AddressIffMaster, text);
        }
    }

    fn on_interface(&mut self, now: Instant, member: usize, works: bool, complete: bool) {
        let state = self.known[member].state;
        let takes_part = matches!(state, StateName::Backup | StateName::Master);
        let must_not = !works && self.member(member).tracks_interface;
        let must = works && complete;
        if takes_part && must_not || !takes_part && must {
            let text = format!("member {member} is {state:?}, its interface works: {works}");
            self.fail(now, Promise::WorksWithItsInterface, text);
        }
    }

    fn on_announced(&mut self, now: Instant, member: usize, addr: IpAddr, held: bool) {
        let state = self.known[member].state;
        if !held || state != StateName::Master {
            let text = format!("member {member} announces {addr} as {state:?}, held: {held}");
            self.fail(now, Promise::AnnouncesWhatItHolds, text);
        }
        self.known[member].announced.insert(addr);
    }

    fn on_called(&mut self, now: Instant, host: usize, actions: usize, stuck: bool, in_a_row: u32) {
        for &member in Rc::clone(&self.cluster).ever_on_host(host) {
            if std::mem::take(&mut self.known[member].owes_zero) {
                let text = format!("member {member} left mastership without priority 0");
                self.fail(now, Promise::LetsGo, text);
            }
            let owed = &mut self.known[member].owes_advert;
            if owed.take_if(|due| *due <= now).is_some() {
                let text = format!("member {member} owed an advert by now and sent none");
                self.fail(now, Promise::MasterSpeaks, text);
            }
        }
        if stuck {
            let text = format!("host {host}: the next deadline is not in the future");
            self.fail(now, Promise::TimerMovesOn, text);
        }
        if actions > ACTIONS {
            let text = format!("host {host}: {actions} actions from one call");
            self.fail(now, Promise::BoundedWork, text);
        }
        if in_a_row > CALLS_IN_A_ROW {
            let text = format!("host {host}: {in_a_row} calls without any waiting");
            self.fail(now, Promise::BoundedWork, text);
        }
    }

    /// Looks at what should have happened by now and did not.
    pub fn pass(&mut self, now: Instant) {
        for member in 0..self.known.len() {
            let known = &self.known[member];
            if !known.alive || known.frozen {
                continue;
            }
            match known.state {
                StateName::Master => self.check_speaks(now, member),
                StateName::Backup => self.check_wakes(now, member),
                StateName::Init | StateName::Fault => {}
            }
        }
        for router in 0..self.cluster.routers.len() {
            self.check_one_master(now, router);
        }
    }

    fn check_wakes(&mut self, now: Instant, member: usize) {
        let Some(timer) = self.known[member].timer else {
            return;
        };
        let me = self.member(member);
        let span = me.master_down(self.cluster.slowest_interval(me.router));
        if now > timer + self.tolerance(span) {
            let late = now.since(timer);
            let text = format!("member {member}, backup, should have taken over {late} s ago");
            self.fail(now, Promise::BackupWakes, text);
        }
    }

    fn check_one_master(&mut self, now: Instant, router: usize) {
        let cluster = Rc::clone(&self.cluster);
        let masters: Vec<usize> = cluster.routers[router]
            .members
            .iter()
            .copied()
            .filter(|member| self.state(*member) == (StateName::Master, true))
            .collect();
        if masters.len() < 2 {
            return;
        }
        for &winner in &masters {
            for &loser in &masters {
                if cluster.members[winner].claim() > cluster.members[loser].claim() {
                    self.check_pair(now, winner, loser);
                }
            }
        }
    }

    fn check_pair(&mut self, now: Instant, winner: usize, loser: usize) {
        let path = *self.path(winner, loser);
        if !path.open {
            return;
        }
        let since = path
            .clean_since
            .max(self.known[winner].since)
            .max(self.known[loser].since);
        let interval = self.member(winner).interval;
        let limit = interval + self.slowest + self.tolerance(interval);
        if now.since(since) > limit {
            let text = format!(
                "members {winner} and {loser} are both master for {} s",
                now.since(since)
            );
            self.fail(now, Promise::OneMaster, text);
        }
    }

    /// Every master that is one for longer than `age` has announced each of its addresses.
    pub fn check_announced(&mut self, now: Instant, member: usize, age: Duration) {
        let known = &self.known[member];
        if known.state != StateName::Master || !known.alive || now.since(known.since) < age {
            return;
        }
        let missing = self
            .member(member)
            .vips
            .iter()
            .find(|key| !known.announced.contains(&key.addr));
        if let Some(key) = missing {
            let text = format!("member {member} never announced {}", key.addr);
            self.fail(now, Promise::AnnouncesWhatItHolds, text);
        }
    }
}

#[cfg(test)]
#[path = "checker_tests.rs"]
mod tests;
