//! A whole cluster in memory: one queue of future events, one seed, no real time.
//!
//! [`World::new`] builds it, [`World::plan`] puts faults into its future, [`World::run_until`]
//! lets it happen. What it consists of is split over `turn` (a daemon's turn of its loop), `act`
//! (carrying its actions out) and `strike` (carrying faults out).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use relevo_core::ids::{ChildId, Family, IfIndex};
use relevo_core::kernel::AddressKey;
use relevo_core::rng::Rng;
use relevo_core::supervisor::Exit;
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::StateName;

use crate::checker::Checker;
use crate::client::Client;
use crate::cluster::Cluster;
use crate::faults::{Fault, Planned};
use crate::host::{Advert, Host};
use crate::invariant::{Fact, Promise, Violation};
use crate::kernel::Told;
use crate::link::{Quality, flipped};
use crate::segment::{Segment, Station};
use crate::spec::{self, WorldSpec};
use crate::timeline::Timeline;
use crate::trace::Trace;

/// How often the checker looks at what should have happened and did not.
const LOOK: Duration = Duration::from_millis(50);

/// How long duplicate address detection takes.
const DUPLICATE_DETECTION: Duration = Duration::from_secs(1);

/// How long a daemon may take to stop.
const STOP_WITHIN: Duration = Duration::from_millis(250);

/// Something that will happen.
#[derive(Clone, Debug)]
pub(crate) enum Future {
    /// A daemon's turn; void if another one was planned meanwhile.
    Wake { host: usize, number: u64 },
    /// The kernel carries out its oldest order.
    Order { host: usize, boot: u64 },
    /// Duplicate address detection ends.
    Settle {
        host: usize,
        boot: u64,
        key: AddressKey,
    },
    /// Something reaches the daemon's inbox.
    Tell {
        host: usize,
        incarnation: u64,
        told: Told,
    },
    /// A packet arrives.
    Advert {
        to: usize,
        ifindex: IfIndex,
        advert: Rc<Advert>,
    },
    /// An announcement arrives at a client.
    Announcement { client: usize, frame: Rc<[u8]> },
    /// A client sends a packet to each address.
    Ping { client: usize },
    /// A fault strikes.
    Fault(Fault),
    /// A daemon that was stopped must be gone by now.
    Stopped { host: usize, incarnation: u64 },
    /// A parent looks round; void if another look was planned meanwhile.
    Parent { host: usize, number: u64 },
    /// A parent learns that its daemon is gone.
    Reaped {
        host: usize,
        number: u64,
        child: ChildId,
        exit: Exit,
    },
    /// The checker looks round.
    Look,
}

/// How much of a run is kept.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Keep {
    /// Lines of the trace.
    pub lines: usize,
    /// The timeline.
    pub timeline: bool,
}

/// A cluster and its future.
#[derive(Debug)]
pub struct World {
    pub(crate) spec: WorldSpec,
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) seed: u64,
    pub(crate) cluster: Rc<Cluster>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) clients: Vec<Client>,
    pub(crate) checker: Checker,
    pub(crate) trace: Trace,
    pub(crate) timeline: Timeline,
    queue: BTreeMap<(Instant, u64), Future>,
    next: u64,
    /// What the checker was last told of each pair of members.
    reach: Vec<bool>,
    pairs: Vec<(usize, usize)>,
    /// The last advert of each member.
    pub(crate) samples: Vec<Option<Advert>>,
    /// When each member last sent anything.
    pub(crate) last_sent: Vec<Option<Instant>>,
    /// The members of the host whose turn it is, by the numbers of the configuration before, until
    /// another one is in force.
    pub(crate) former: Option<Vec<usize>>,
    /// The cluster as it is when every host works by its first configuration.
    pub(crate) first: Rc<Cluster>,
}

impl World {
    /// A world at the beginning of its time. The same `spec` and `seed` give the same run.
    pub fn new(spec: WorldSpec, seed: u64, keep: Keep) -> Result<Self, String> {
        let cluster = Rc::new(Cluster::new(&spec)?);
        let slack = spec.pace.wake * 3 + spec.pace.order * 4 + Duration::from_millis(2);
        let pairs = cluster.pairs();
        let hosts: Vec<Host> = spec
            .hosts
            .iter()
            .map(|host| Host::new(host, spec.segments.len()))
            .collect();
        let names = spec.hosts.iter().map(|host| host.name.clone()).collect();
        let mut world = Self {
            now: Instant::ZERO,
            rng: Rng::new(seed),
            seed,
            hosts,
            segments: spec.segments.iter().map(|q| Segment::new(*q)).collect(),
            clients: spec.clients.iter().map(|_| Client::default()).collect(),
            checker: Checker::new(Rc::clone(&cluster), spec.slowest, slack),
            trace: Trace::new(keep.lines),
            timeline: Timeline::new(keep.timeline, names),
            queue: BTreeMap::new(),
            next: 0,
            reach: vec![true; pairs.len()],
            pairs,
            samples: vec![None; cluster.members.len()],
            last_sent: vec![None; cluster.members.len()],
            former: None,
            first: Rc::clone(&cluster),
            cluster,
            spec,
        };
        world.begin();
        Ok(world)
    }

    fn begin(&mut self) {
        for host in 0..self.hosts.len() {
            if let Some(at) = self.spec.hosts[host].start {
                self.at(at, Future::Fault(Fault::Start { host }));
            }
        }
        for client in 0..self.clients.len() {
            let first = Instant::ZERO + self.spec.clients[client].ping;
            self.at(first, Future::Ping { client });
        }
        self.at(Instant::ZERO + LOOK, Future::Look);
    }

    /// Puts faults into the future.
    pub fn plan(&mut self, schedule: &[Planned]) {
        for planned in schedule {
            self.at(planned.at, Future::Fault(planned.fault.clone()));
        }
    }

    /// Gives one path a quality of its own.
    pub fn set_path(&mut self, segment: usize, from: Station, to: Station, quality: Quality) {
        if let Some(segment) = self.segments.get_mut(segment) {
            segment.set_path(from, to, quality);
        }
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The first broken promise.
    pub fn violation(&self) -> Option<&Violation> {
        self.checker.violation()
    }

    /// The checker, for its marks.
    pub fn checker(&self) -> &Checker {
        &self.checker
    }

    /// The record of the run.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Who held what when.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Who belongs to which virtual router.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Lets the next event happen; false if there is none.
    pub fn step(&mut self) -> bool {
        let Some(((at, _), future)) = self.queue.pop_first() else {
            return false;
        };
        assert!(at >= self.now, "time went backwards");
        self.now = at;
        self.happen(future);
        true
    }

    /// Lets everything happen up to and including `end`, unless a promise is broken before.
    pub fn run_until(&mut self, end: Instant) {
        while self.violation().is_none() {
            match self.queue.first_key_value() {
                Some(((at, _), _)) if *at <= end => self.step(),
                _ => break,
            };
        }
        if self.violation().is_none() {
            self.now = self.now.max(end);
        }
    }

    pub(crate) fn at(&mut self, at: Instant, future: Future) {
        self.next += 1;
        self.queue.insert((at.max(self.now), self.next), future);
    }

    pub(crate) fn fact(&mut self, fact: Fact) {
        self.checker.note(self.now, fact);
    }

    pub(crate) fn line(&mut self, host: usize, text: impl FnOnce() -> String) {
        if self.trace.keeps_lines() {
            self.trace.line(self.now, &self.hosts[host].name, text());
        }
    }

    fn happen(&mut self, future: Future) {
        match future {
            Future::Wake { host, number } => {
                if self.hosts[host].wake.is_some_and(|(_, n)| n == number) {
                    self.hosts[host].wake = None;
                    self.turn(host);
                }
            }
            Future::Order { host, boot } => {
                if self.hosts[host].boot == boot && self.hosts[host].powered {
                    self.carry_out_order(host);
                }
            }
            Future::Settle { host, boot, key } => {
                if self.hosts[host].boot == boot {
                    let told = self.hosts[host].kernel.settle(key);
                    self.tell(host, told);
                }
            }
            Future::Tell {
                host,
                incarnation,
                told,
            } => {
                if self.hosts[host].incarnation == incarnation {
                    self.tell(host, [told]);
                }
            }
            Future::Advert {
                to,
                ifindex,
                advert,
            } => self.arrive(to, ifindex, &advert),
            Future::Announcement { client, frame } => self.learn(client, &frame),
            Future::Ping { client } => self.ping(client),
            Future::Fault(fault) => self.strike(&fault),
            Future::Stopped { host, incarnation } => self.expect_gone(host, incarnation),
            Future::Parent { host, number } => self.parent_turn(host, number),
            Future::Reaped {
                host,
                number,
                child,
                exit,
            } => self.reap(host, number, child, exit),
            Future::Look => {
                self.checker.pass(self.now);
                self.at(self.now + LOOK, Future::Look);
            }
        }
    }

    /// Tells the daemon of `host` and wakes it.
    pub(crate) fn tell(&mut self, host: usize, told: impl IntoIterator<Item = Told>) {
        self.hosts[host].tell(told);
        self.wake_soon(host);
    }

    /// Plans a turn of the daemon as soon as it can notice that something waits.
    pub(crate) fn wake_soon(&mut self, host: usize) {
        let waits = self.hosts[host]
            .process
            .as_ref()
            .is_some_and(|p| p.is_untold() || p.has_packets());
        if waits {
            let late = self.lateness();
            self.wake_at(host, self.now + late);
        }
    }

    pub(crate) fn lateness(&mut self) -> Duration {
        let most = self.spec.pace.wake.as_micros();
        Duration::from_micros(1 + self.rng.below(most + 1))
    }

    /// Plans a turn at `at`, unless one is planned before.
    pub(crate) fn wake_at(&mut self, host: usize, at: Instant) {
        if self.hosts[host]
            .wake
            .is_some_and(|(planned, _)| planned <= at)
        {
            return;
        }
        let number = self.next + 1;
        self.hosts[host].wake = Some((at, number));
        self.at(at, Future::Wake { host, number });
    }

    /// Plans the execution of an order that was just given to the kernel.
    pub(crate) fn order_soon(&mut self, host: usize) {
        let most = self.spec.pace.order.as_micros();
        let takes = Duration::from_micros(1 + self.rng.below(most + 1));
        let at = self.hosts[host].last_order.max(self.now) + takes;
        self.hosts[host].last_order = at;
        let boot = self.hosts[host].boot;
        self.at(at, Future::Order { host, boot });
    }

    pub(crate) fn carry_out_order(&mut self, host: usize) {
        let Some(applied) = self.hosts[host].kernel.apply_next() else {
            return;
        };
        if applied.injected {
            self.checker.marks.refused += 1;
            self.hosts[host].tainted.insert(applied.key);
        }
        if applied.result.is_ok() {
            self.hosts[host].tainted.remove(&applied.key);
            self.timeline_held(host, applied.key);
        }
        if applied.tentative {
            self.settle_later(host, applied.key);
        }
        let (op, result) = (applied.op, applied.result);
        self.line(host, || format!("kernel: {op:?} {result:?}"));
        // The answer and the monitor's echo come on two sockets: either may be read first.
        let answer_first = self.rng.chance(1, 2);
        let done = Told::Done(applied.op, applied.result);
        let echo = applied.echo;
        if answer_first {
            self.tell(host, [Some(done), echo].into_iter().flatten());
        } else {
            self.tell(host, [echo, Some(done)].into_iter().flatten());
        }
    }

    pub(crate) fn settle_later(&mut self, host: usize, key: AddressKey) {
        let boot = self.hosts[host].boot;
        let at = self.now + DUPLICATE_DETECTION;
        self.at(at, Future::Settle { host, boot, key });
    }

    pub(crate) fn timeline_held(&mut self, host: usize, key: AddressKey) {
        let virtual_address = self
            .cluster
            .on_host(host)
            .iter()
            .any(|member| self.cluster.members[*member].vips.contains(&key));
        if virtual_address {
            let held = self.hosts[host].kernel.holds(key);
            self.timeline.on_address(self.now, host, key.addr, held);
        }
    }

    /// Puts an advert on the wire. `member` is the sender.
    pub(crate) fn transmit(&mut self, host: usize, advert: &Advert) {
        let cluster = Rc::clone(&self.cluster);
        let sender = &cluster.members[advert.member];
        let segment = cluster.routers[sender.router].segment;
        let up = self.hosts[host].kernel.link_works(sender.ifindex);
        for to in 0..self.hosts.len() {
            if to == host {
                continue;
            }
            let addressed = advert.dst.is_multicast()
                || self.hosts[to]
                    .kernel
                    .has_address(spec::ifindex(segment), advert.dst);
            if !addressed {
                continue;
            }
            let receiver = cluster.on_host_in(to, sender.router);
            let (a, b) = (Station::Host(host), Station::Host(to));
            let open = up
                && self.hosts[to].powered
                && self.hosts[to].kernel.link_works(spec::ifindex(segment))
                && !self.segments[segment].is_cut(a, b);
            let copies = if open {
                self.segments[segment].quality(a, b).draw(&mut self.rng)
            } else {
                [None, None]
            };
            let intact = copies.iter().flatten().any(|copy| copy.flip.is_none());
            if !intact
                && advert.priority > 0
                && let Some(receiver) = receiver
            {
                let from = advert.member;
                self.fact(Fact::Lost { from, to: receiver });
            }
            for copy in copies.into_iter().flatten() {
                let mut own = advert.clone();
                if let Some(flip) = copy.flip {
                    own.bytes = flipped(&own.bytes, flip);
                    own.intact = false;
                }
                self.at(
                    self.now + copy.after,
                    Future::Advert {
                        to,
                        ifindex: spec::ifindex(segment),
                        advert: Rc::new(own),
                    },
                );
            }
        }
    }

    pub(crate) fn arrive(&mut self, to: usize, ifindex: IfIndex, advert: &Rc<Advert>) {
        let host = &mut self.hosts[to];
        if !host.powered || !host.kernel.link_works(ifindex) || !passes_ip(advert) {
            return;
        }
        if let Some(process) = host.process.as_mut()
            && process.receive(ifindex, advert) > 0
        {
            self.wake_soon(to);
        }
    }

    /// Puts an announcement on the wire: only clients care.
    pub(crate) fn announce(&mut self, host: usize, ifindex: IfIndex, frame: &[u8]) {
        let Some(segment) = spec::segment_of(ifindex) else {
            return;
        };
        if !self.hosts[host].kernel.link_works(ifindex) {
            return;
        }
        let frame: Rc<[u8]> = frame.into();
        for client in 0..self.clients.len() {
            let (a, b) = (Station::Host(host), Station::Client(client));
            let here = self.spec.clients[client].segment == segment;
            if !here || self.segments[segment].is_cut(a, b) {
                continue;
            }
            let copies = self.segments[segment].quality(a, b).draw(&mut self.rng);
            for copy in copies.into_iter().flatten() {
                let frame = match copy.flip {
                    Some(flip) => flipped(&frame, flip).into(),
                    None => Rc::clone(&frame),
                };
                self.at(
                    self.now + copy.after,
                    Future::Announcement { client, frame },
                );
            }
        }
    }

    fn learn(&mut self, client: usize, frame: &[u8]) {
        if let Some((addr, mac)) = self.clients[client].on_frame(frame) {
            let name = &self.spec.clients[client].name;
            if self.trace.keeps_lines() {
                let text = format!("learns {addr} at {mac:02x?}");
                self.trace.line(self.now, name, text);
            }
        }
    }

    fn ping(&mut self, client: usize) {
        for addr in self.addresses_for(client) {
            if self.clients[client].mac(addr).is_none() {
                let holders: Vec<usize> = (0..self.hosts.len())
                    .filter(|host| self.answers(client, *host, addr))
                    .collect();
                if let Some(host) = self.rng.pick(&holders).copied() {
                    let segment = self.spec.clients[client].segment;
                    let mac = spec::mac(segment, self.hosts[host].number);
                    self.clients[client].learn(addr, mac);
                }
            }
            let reached = self.reached(client, addr);
            self.clients[client].on_ping(addr, reached.is_some());
            self.timeline.on_ping(self.now, client, addr, reached);
        }
        let next = self.now + self.spec.clients[client].ping;
        self.at(next, Future::Ping { client });
    }

    /// The virtual addresses on the client's segment.
    pub(crate) fn addresses_for(&self, client: usize) -> Vec<IpAddr> {
        let segment = self.spec.clients[client].segment;
        let mut all = Vec::new();
        for router in self.cluster.routers.iter().filter(|r| r.segment == segment) {
            for member in &router.members {
                for key in &self.cluster.members[*member].vips {
                    if !all.contains(&key.addr) {
                        all.push(key.addr);
                    }
                }
            }
        }
        all
    }

    /// The host that answers the client's packets to `addr`.
    pub fn reached(&self, client: usize, addr: IpAddr) -> Option<usize> {
        let number = spec::number_of(self.clients[client].mac(addr)?)?;
        let host = self.hosts.iter().position(|host| host.number == number)?;
        self.answers(client, host, addr).then_some(host)
    }

    fn answers(&self, client: usize, host: usize, addr: IpAddr) -> bool {
        let segment = self.spec.clients[client].segment;
        let (a, b) = (Station::Host(host), Station::Client(client));
        let ifindex = spec::ifindex(segment);
        self.hosts[host].powered
            && self.hosts[host].kernel.link_works(ifindex)
            && self.hosts[host].kernel.has_address(ifindex, addr)
            && !self.segments[segment].is_cut(a, b)
            && !self.segments[segment].is_cut(b, a)
    }

    /// Tells the checker which members reach which now, after something changed.
    pub(crate) fn refresh_reach(&mut self) {
        for index in 0..self.pairs.len() {
            let (from, to) = self.pairs[index];
            let (a, b) = (&self.cluster.members[from], &self.cluster.members[to]);
            let segment = self.cluster.routers[a.router].segment;
            let (x, y) = (Station::Host(a.host), Station::Host(b.host));
            let open = !self.segments[segment].is_cut(x, y)
                && self.hosts[a.host].kernel.link_works(a.ifindex)
                && self.hosts[b.host].kernel.link_works(b.ifindex)
                // What is sent to an address that is gone arrives nowhere.
                && self.hosts[b.host].kernel.has_address(b.ifindex, b.address);
            if self.reach[index] != open {
                self.reach[index] = open;
                self.fact(Fact::Reach { from, to, open });
            }
        }
    }

    pub(crate) fn expect_gone_later(&mut self, host: usize) {
        let incarnation = self.hosts[host].incarnation;
        let at = self.now + STOP_WITHIN + self.spec.pace.wake * 8 + self.spec.pace.order * 16;
        self.at(at, Future::Stopped { host, incarnation });
    }

    fn expect_gone(&mut self, host: usize, incarnation: u64) {
        let here = &self.hosts[host];
        if here.incarnation == incarnation && here.process.is_some() && !here.frozen {
            let text = format!("host {host} still runs {STOP_WITHIN} s after it was stopped");
            self.checker.fail(self.now, Promise::StopsClean, text);
        }
    }

    /// Tells the checker of every address of `host` about which nothing is under way.
    pub(crate) fn check_addresses(&mut self, host: usize) {
        let cluster = Rc::clone(&self.cluster);
        for &member in cluster.on_host(host) {
            for &key in &cluster.members[member].vips {
                let instance = cluster.members[member].instance;
                let process = self.hosts[host].process.as_ref();
                let resumes = process.is_some_and(|process| process.node.is_resuming(instance));
                if !resumes && self.hosts[host].is_settled(key) {
                    let held = self.hosts[host].kernel.holds(key);
                    self.fact(Fact::Settled { member, key, held });
                }
            }
        }
        self.check_strays(host);
    }

    /// Tells the checker of every interface of `host`, if its machine knows all about them.
    pub(crate) fn check_interfaces(&mut self, host: usize) {
        let cluster = Rc::clone(&self.cluster);
        for &member in cluster.on_host(host) {
            let here = &self.hosts[host];
            let Some(process) = here.process.as_ref() else {
                return;
            };
            if !process.ready || process.stopping || process.is_untold() || here.crippled {
                return;
            }
            let own = &cluster.members[member];
            let name = spec::interface(cluster.routers[own.router].segment);
            let works =
                here.kernel.link_works(own.ifindex) && here.kernel.is_called(own.ifindex, &name);
            let complete = here.kernel.has_usable(own.ifindex, own.address)
                && process.has_opened_all(own.ifindex);
            self.fact(Fact::Interface {
                member,
                works,
                complete,
            });
        }
    }

    /// The state of a member as its machine has it, or `Init` if there is none.
    pub fn state(&self, member: usize) -> StateName {
        let member = &self.cluster.members[member];
        match &self.hosts[member.host].process {
            Some(process) if member.present => process.node.state(member.instance),
            Some(_) | None => StateName::Init,
        }
    }
}

/// What the kernel's IP layer does before a raw socket sees a packet: a damaged IPv4 header is
/// dropped there.
fn passes_ip(advert: &Advert) -> bool {
    if advert.intact || Family::of(advert.dst) == Family::V6 {
        return true;
    }
    relevo_core::wire::ipv4::Packet::new_checked(&advert.bytes)
        .is_ok_and(|packet| packet.verify_checksum() && IpAddr::from(packet.dst()) == advert.dst)
}
