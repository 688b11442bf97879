//! Gratuitous ARP and unsolicited neighbour advertisements (RFC 9568 sections 8.1.2 and 8.2.2).
//!
//! An address is announced as soon as the kernel has it; the repeats follow when every address of
//! the instance has had its first announcement. Repeats are cut into slices: between two of them
//! the loop looks at its sockets and due timers.
//!
//! Where an interval is configured (`garp_interval`, `gna_interval`, `garp_group`), what is too
//! early waits in a queue of the interface or of the group, one for each protocol. As in the
//! original an address waits at most once: what is asked for again meanwhile is the same
//! announcement. The queue is first in, first out, so that no address is repeated before the others
//! have had their turn.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use crate::config::bound::Bound;
use crate::ids::{Family, IfIndex, InstanceId};
use crate::kernel::AddressKey;
use crate::kernel::links::{LinkState, Links};
use crate::machine::Out;
use crate::time::{Duration, Instant};
use crate::timers::Timers;
use crate::vrrp::event::{QueueId, VrrpAction, VrrpTimer};
use crate::vrrp::plan::Matching;
use crate::wire::{arp, ndisc};

/// Announcements that are still to be made for one instance.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Job {
    pub(crate) instance: InstanceId,
    /// The mastership that the job belongs to: it is void after the next transition.
    pub(crate) epoch: u32,
    /// Rounds over all addresses that are left, the present one included.
    pub(crate) rounds: u32,
    /// The next address of the present round.
    pub(crate) next: usize,
}

/// What waits for its turn on one interface or in one group, for one protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Queue {
    interval: Duration,
    /// No announcement before this moment.
    open_at: Instant,
    waiting: VecDeque<AddressKey>,
    /// The same as a set.
    known: BTreeSet<AddressKey>,
}

/// The two queues of one interface or group.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
struct Pair {
    garp: Option<QueueId>,
    gna: Option<QueueId>,
}

/// Everything that is to be announced.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Announcements {
    /// Repeats, in the order in which they were asked for.
    pub(crate) jobs: VecDeque<Job>,
    /// By number.
    queues: Vec<Queue>,
    /// The queues of an interface by its name; an interface that is not here has no interval.
    by_interface: BTreeMap<String, Pair>,
}

impl Announcements {
    /// The queues that `bound` asks for: one pair for each group, and one for each other interface
    /// that an instance or an address is on.
    pub(crate) fn new(bound: &Bound) -> Self {
        let mut all = Self::default();
        let global = &bound.global;
        for group in &global.garp_groups {
            let pair = all.add_pair(group.garp_interval, group.gna_interval);
            for name in &group.interfaces {
                all.by_interface.entry(name.clone()).or_insert(pair);
            }
        }
        if global.garp_interval.is_zero() && global.gna_interval.is_zero() {
            return all;
        }
        for (_, config) in bound.iter() {
            let others = config
                .all_addresses()
                .filter_map(|address| address.dev.as_deref());
            for name in others.chain([config.interface.as_str()]) {
                if !all.by_interface.contains_key(name) {
                    let pair = all.add_pair(global.garp_interval, global.gna_interval);
                    all.by_interface.insert(name.to_owned(), pair);
                }
            }
        }
        all
    }

    fn add_pair(&mut self, garp: Duration, gna: Duration) -> Pair {
        Pair {
            garp: self.add_queue(garp),
            gna: self.add_queue(gna),
        }
    }

    fn add_queue(&mut self, interval: Duration) -> Option<QueueId> {
        if interval.is_zero() {
            return None;
        }
        let number = QueueId(self.queues.len() as u32);
        self.queues.push(Queue {
            interval,
            open_at: Instant::ZERO,
            waiting: VecDeque::new(),
            known: BTreeSet::new(),
        });
        Some(number)
    }

    /// When the queues of an interface may send: gratuitous ARP, then neighbour advertisements.
    /// None where there is no interval or nothing has been sent.
    pub(crate) fn next_of(&self, name: &str) -> (Option<Instant>, Option<Instant>) {
        let pair = self.by_interface.get(name).copied().unwrap_or_default();
        let next = |number: Option<QueueId>| {
            let queue = self.queues.get(number?.0 as usize)?;
            (queue.open_at > Instant::ZERO).then_some(queue.open_at)
        };
        (next(pair.garp), next(pair.gna))
    }

    /// Announces one address, now or when its queue has come to it.
    pub(crate) fn announce(
        &mut self,
        key: AddressKey,
        now: Instant,
        links: &Links,
        timers: &mut Timers<VrrpTimer>,
        out: &mut Out<VrrpAction>,
    ) {
        let Some(link) = links.get(key.ifindex) else {
            return;
        };
        let pair = self.by_interface.get(&link.name).copied();
        let pair = pair.unwrap_or_default();
        let number = match key.addr {
            IpAddr::V4(_) => pair.garp,
            IpAddr::V6(_) => pair.gna,
        };
        let queue = number.and_then(|number| {
            let queue = self.queues.get_mut(number.0 as usize)?;
            Some((number, queue))
        });
        let Some((number, queue)) = queue else {
            send(key, link, out);
            return;
        };
        if now < queue.open_at || !queue.waiting.is_empty() {
            if queue.known.insert(key) {
                queue.waiting.push_back(key);
                let timer = VrrpTimer::AnnounceQueue(number);
                timers.set(timer, queue.open_at.max(now));
            }
        } else if send(key, link, out) {
            queue.open_at = now + queue.interval;
        }
    }

    /// A queue may send its next announcement. `held` says whether an address is still ours to
    /// announce: what was let go meanwhile costs no time.
    pub(crate) fn on_queue(
        &mut self,
        number: QueueId,
        now: Instant,
        links: &Links,
        timers: &mut Timers<VrrpTimer>,
        held: impl Fn(AddressKey) -> bool,
        out: &mut Out<VrrpAction>,
    ) {
        let Some(queue) = self.queues.get_mut(number.0 as usize) else {
            return;
        };
        while let Some(key) = queue.waiting.pop_front() {
            queue.known.remove(&key);
            let link = links.get(key.ifindex).filter(|_| held(key));
            if link.is_some_and(|link| send(key, link, out)) {
                queue.open_at = now + queue.interval;
                break;
            }
        }
        if !queue.waiting.is_empty() {
            timers.set(VrrpTimer::AnnounceQueue(number), queue.open_at);
        }
    }

    /// True if something waits for its turn in a queue.
    pub(crate) fn is_waiting(&self) -> bool {
        self.queues.iter().any(|queue| !queue.waiting.is_empty())
    }

    /// The virtual routers have other numbers now: those that are gone announce nothing more.
    pub(crate) fn renumber(&mut self, matching: &Matching) {
        self.jobs.retain_mut(|job| {
            let successor = matching.successor(job.instance);
            job.instance = successor.unwrap_or(job.instance);
            successor.is_some()
        });
    }

    /// Another configuration is in force. What waits goes on waiting, in the queue that its
    /// interface has now; returned is what has none any more and may be announced at once.
    pub(crate) fn reload(
        &mut self,
        bound: &Bound,
        now: Instant,
        links: &Links,
        timers: &mut Timers<VrrpTimer>,
    ) -> Vec<AddressKey> {
        let mut fresh = Self::new(bound);
        let intervals =
            |of: &Self| -> Vec<Duration> { of.queues.iter().map(|queue| queue.interval).collect() };
        if fresh.by_interface == self.by_interface && intervals(&fresh) == intervals(self) {
            return Vec::new();
        }
        for number in 0..self.queues.len() {
            timers.stop(VrrpTimer::AnnounceQueue(QueueId(number as u32)));
        }
        for (name, before) in &self.by_interface {
            let after = fresh.by_interface.get(name).copied().unwrap_or_default();
            for (before, after) in [(before.garp, after.garp), (before.gna, after.gna)] {
                let before = before.and_then(|number| self.queues.get(number.0 as usize));
                let after = after.and_then(|number| fresh.queues.get_mut(number.0 as usize));
                if let (Some(before), Some(after)) = (before, after) {
                    let open_at = before.open_at.min(now + after.interval);
                    after.open_at = after.open_at.max(open_at);
                }
            }
        }
        let mut orphans = Vec::new();
        for key in self.queues.iter().flat_map(|queue| &queue.waiting) {
            let name = links.get(key.ifindex).map(|link| link.name.as_str());
            let number = name.and_then(|name| fresh.queue_of(name, *key));
            match number.and_then(|number| fresh.queues.get_mut(number.0 as usize)) {
                Some(queue) => {
                    if queue.known.insert(*key) {
                        queue.waiting.push_back(*key);
                    }
                }
                None => orphans.push(*key),
            }
        }
        for (number, queue) in (0..).zip(&fresh.queues) {
            if !queue.waiting.is_empty() {
                let timer = VrrpTimer::AnnounceQueue(QueueId(number));
                timers.set(timer, queue.open_at.max(now));
            }
        }
        fresh.jobs = std::mem::take(&mut self.jobs);
        *self = fresh;
        orphans
    }

    fn queue_of(&self, name: &str, key: AddressKey) -> Option<QueueId> {
        let pair = self.by_interface.get(name)?;
        match key.addr {
            IpAddr::V4(_) => pair.garp,
            IpAddr::V6(_) => pair.gna,
        }
    }

    /// Nothing is announced any more.
    pub(crate) fn clear(&mut self, timers: &mut Timers<VrrpTimer>) {
        self.jobs.clear();
        for (number, queue) in self.queues.iter_mut().enumerate() {
            queue.waiting.clear();
            queue.known.clear();
            timers.stop(VrrpTimer::AnnounceQueue(QueueId(number as u32)));
        }
    }
}

/// Announces an address that no queue knows: one of the interface itself.
pub(crate) fn announce_at_once(
    ifindex: IfIndex,
    addr: IpAddr,
    links: &Links,
    out: &mut Out<VrrpAction>,
) {
    let prefix = Family::of(addr).prefix_max();
    let key = AddressKey {
        ifindex,
        addr,
        prefix,
    };
    if let Some(link) = links.get(ifindex) {
        send(key, link, out);
    }
}

/// Announces one address; false if its interface cannot carry the announcement.
fn send(key: AddressKey, link: &LinkState, out: &mut Out<VrrpAction>) -> bool {
    let Some(mac) = link.mac.filter(|_| !link.no_arp) else {
        return false;
    };
    let ifindex = key.ifindex;
    match key.addr {
        IpAddr::V4(addr) => {
            let frame = out.write_bytes(|arena| arp::gratuitous(mac, addr, arena));
            out.push(VrrpAction::SendGarp {
                ifindex,
                addr,
                frame,
            });
        }
        IpAddr::V6(addr) => {
            let router = link.forwarding;
            let frame = out.write_bytes(|arena| ndisc::unsolicited(mac, addr, router, arena));
            out.push(VrrpAction::SendNa {
                ifindex,
                addr,
                frame,
            });
        }
    }
    true
}
