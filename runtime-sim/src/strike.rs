//! Carrying faults out.

use std::net::IpAddr;
use std::rc::Rc;

use relevo_core::ids::Errno;
use relevo_core::kernel::AddressKey;
use relevo_core::time::{Duration, Instant};

use crate::faults::{Fault, LinkChange, Refusal};
use crate::host::{Process, Traps};
use crate::invariant::{Fact, Promise};
use crate::kernel::Told;
use crate::link::Quality;
use crate::noise::{reflected, spoil};
use crate::reference::{Candidate, Standing, winners};
use crate::segment::Station;
use crate::spec;
use crate::timeline::Life;
use crate::world::World;
use relevo_core::vrrp::StateName;

/// Seeds of machines differ by host and start.
const HOST_SEED: u64 = 0x9e37_79b9;

impl World {
    /// Lets `fault` happen now.
    pub(crate) fn strike(&mut self, fault: &Fault) {
        if self.trace.keeps_lines() || self.timeline.is_on() {
            let text = fault.text(&self.names());
            self.trace.line(self.now, "=====", &text);
            self.timeline.on_fault(self.now, text);
        }
        match *fault {
            Fault::Start { host } => self.start(host),
            Fault::Stop { host } => self.stop(host),
            Fault::Watch { host, interval } => self.watch_over(host, interval),
            Fault::Crash {
                host,
                power,
                after: None,
            } => self.crash(host, power),
            Fault::Crash {
                host,
                power,
                after: Some(count),
            } => self.hosts[host].traps.crash = Some((count, power)),
            Fault::Freeze { host, on } => self.freeze(host, on),
            Fault::Cut {
                segment,
                from,
                to,
                both,
                on,
            } => self.cut(segment, (from, to), both, on),
            Fault::Cable {
                host,
                segment,
                plugged,
            } => self.set_carrier(host, segment, plugged),
            Fault::Admin { host, segment, up } => self.set_admin(host, segment, up),
            Fault::Quality { segment, quality } => {
                if let Some(segment) = self.segments.get_mut(segment) {
                    segment.set_quality(quality);
                }
            }
            Fault::Refuse { host, what, errno } => {
                self.hosts[host].given.insert(errno);
                match what {
                    Refusal::Order => self.hosts[host].kernel.refuse(errno),
                    Refusal::Send => self.hosts[host].traps.sends.push_back(errno),
                    Refusal::Socket => self.hosts[host].traps.sockets.push_back(errno),
                }
            }
            Fault::Take { host } => self.take(host),
            Fault::Overrun { host } => self.overrun(host),
            Fault::Give { host } => self.give(host),
            Fault::Interface {
                host,
                segment,
                there,
            } => self.set_interface(host, segment, there),
            Fault::Link {
                host,
                segment,
                change,
            } => self.change_link(host, segment, change),
            Fault::Reload { host, variant } => self.reload(host, variant),
            Fault::Noise { host, count } => self.make_noise(host, count),
            Fault::Heal => {
                self.heal();
                self.start_all();
            }
        }
        self.refresh_reach();
    }

    /// The names of hosts and clients.
    pub fn names(&self) -> crate::faults::Names {
        crate::faults::Names {
            hosts: self.spec.hosts.iter().map(|h| h.name.clone()).collect(),
            clients: self.spec.clients.iter().map(|c| c.name.clone()).collect(),
        }
    }

    /// The operator starts the daemon, with a parent if it has one.
    fn start(&mut self, host: usize) {
        if self.hosts[host].process.is_some() {
            return;
        }
        self.hosts[host].powered = true;
        if self.hosts[host].watched.is_some() {
            self.begin_parent(host);
        } else {
            self.start_process(host);
        }
    }

    /// The daemon itself starts, unless it runs.
    pub(crate) fn start_process(&mut self, host: usize) {
        if self.hosts[host].process.is_some() {
            return;
        }
        self.hosts[host].incarnation += 1;
        let seed = self
            .seed
            .wrapping_add(HOST_SEED.wrapping_mul(host as u64 + 1))
            .wrapping_add(self.hosts[host].incarnation);
        self.start_with_what_was_asked(host);
        let here = &mut self.hosts[host];
        let local = here.clock.local(self.now);
        let dump = here.dump();
        let records = here.memory.records();
        let process = Process::start(&here.bound, &records, (seed, local), dump);
        here.process = Some(process);
        here.frozen = false;
        here.wake = None;
        self.fact(Fact::Started(host));
        self.timeline.on_life(self.now, host, Life::Runs);
        self.wake_soon(host);
    }

    fn stop(&mut self, host: usize) {
        if !self.stop_parent(host) {
            self.stop_process(host);
        }
    }

    /// The daemon itself is told to leave.
    pub(crate) fn stop_process(&mut self, host: usize) {
        let Some(process) = self.hosts[host].process.as_mut() else {
            return;
        };
        process.stopping = true;
        self.checker.marks.stopped += 1;
        self.tell(host, [Told::Stop]);
        self.expect_gone_later(host);
    }

    /// The daemon is gone at once; with `power` its kernel too.
    pub(crate) fn crash(&mut self, host: usize, power: bool) {
        if power {
            self.hosts[host].parent = None;
        }
        self.end_process(host);
        if power && self.hosts[host].powered {
            self.checker.marks.power_loss += 1;
            self.timeline.on_life(self.now, host, Life::Off);
            let spec = self.spec.hosts[host].clone();
            self.hosts[host].reboot(&spec, self.spec.segments.len());
            self.fact(Fact::Forgotten(host));
            self.hosts[host].powered = false;
            for key in self.virtual_addresses(host) {
                self.timeline.on_address(self.now, host, key.addr, false);
            }
            self.refresh_reach();
        }
    }

    /// The daemon is gone, in whatever way.
    pub(crate) fn end_process(&mut self, host: usize) {
        let Some(process) = self.hosts[host].process.take() else {
            return;
        };
        drop(process);
        self.reap_later(host);
        let bound = std::sync::Arc::clone(&self.hosts[host].bound);
        self.hosts[host].unfinished.push(bound);
        // The kernel carries an order out within the call that gives it: what was ordered is done
        // before anybody can see that the daemon is gone.
        while self.hosts[host].kernel.has_orders() {
            self.carry_out_order(host);
        }
        self.hosts[host].incarnation += 1;
        self.hosts[host].frozen = false;
        self.hosts[host].wake = None;
        self.hosts[host].crippled = false;
        self.hosts[host].traps = Traps::default();
        self.fact(Fact::Ended(host));
        self.timeline.on_life(self.now, host, Life::Gone);
        for &member in Rc::clone(&self.cluster).on_host(host) {
            self.timeline.on_state(self.now, member, StateName::Init);
        }
    }

    fn freeze(&mut self, host: usize, on: bool) {
        if self.hosts[host].process.is_none() || self.hosts[host].frozen == on {
            return;
        }
        self.hosts[host].frozen = on;
        if on {
            self.hosts[host].froze = Some(self.now);
            self.checker.marks.freeze += 1;
            self.fact(Fact::Frozen(host));
            self.timeline.on_life(self.now, host, Life::Frozen);
        } else {
            self.hosts[host].thawed = Some(self.now);
            self.check_found(host);
            self.fact(Fact::Thawed(host));
            self.timeline.on_life(self.now, host, Life::Runs);
            self.hosts[host].wake = None;
            self.wake_at(host, self.now + Duration::from_micros(1));
        }
    }

    fn cut(&mut self, segment: usize, (a, b): (Station, Station), both: bool, on: bool) {
        let Some(here) = self.segments.get_mut(segment) else {
            return;
        };
        here.set_cut(a, b, on);
        if both {
            here.set_cut(b, a, on);
        }
    }

    fn set_carrier(&mut self, host: usize, segment: usize, plugged: bool) {
        let kernel = &mut self.hosts[host].kernel;
        let told = kernel.set_carrier(spec::ifindex(segment), plugged);
        self.link_changed(host, told, plugged);
    }

    fn set_admin(&mut self, host: usize, segment: usize, up: bool) {
        let before = self.virtual_addresses(host);
        let told = self.hosts[host]
            .kernel
            .set_admin(spec::ifindex(segment), up);
        for key in before {
            self.timeline_held(host, key);
        }
        self.settle_tentative(host, &told);
        self.link_changed(host, told, up);
    }

    fn link_changed(&mut self, host: usize, told: Vec<Told>, up: bool) {
        if told.is_empty() {
            return;
        }
        if !up {
            self.checker.marks.link_down += 1;
        }
        self.tell(host, told);
    }

    pub(crate) fn set_interface(&mut self, host: usize, segment: usize, there: bool) {
        let ifindex = spec::ifindex(segment);
        let before = self.virtual_addresses(host);
        let told = if there {
            let links = self.spec.hosts[host].links(self.spec.segments.len());
            match links.get(segment) {
                Some(link) => self.hosts[host].kernel.restore_link(link),
                None => Vec::new(),
            }
        } else {
            self.hosts[host].kernel.remove_link(ifindex)
        };
        if told.is_empty() {
            return;
        }
        if !there {
            self.checker.marks.removed += 1;
            self.hosts[host].given.insert(Errno::ENODEV);
            if let Some(process) = self.hosts[host].process.as_mut() {
                process.deafen(ifindex);
            }
        }
        for key in before {
            self.timeline_held(host, key);
        }
        self.settle_tentative(host, &told);
        self.tell(host, told);
        if !there {
            self.hosts[host].numbers.on_removed(segment);
        }
    }

    fn settle_tentative(&mut self, host: usize, told: &[Told]) {
        for one in told {
            if let Told::Address(row) = one
                && row.tentative
            {
                self.settle_later(host, row.key);
            }
        }
    }

    /// An address that is not the machine's doing: what it makes of it is not judged until the
    /// address is gone.
    fn give(&mut self, host: usize) {
        let Some(key) = self.virtual_addresses(host).first().copied() else {
            return;
        };
        if let Some(told) = self.hosts[host].kernel.give(key) {
            self.hosts[host].tainted.insert(key);
            self.timeline_held(host, key);
            self.tell(host, [told]);
        }
    }

    /// What another program gave to the owner of the address would rightly stay there.
    fn take_back(&mut self, host: usize) {
        let cluster = Rc::clone(&self.cluster);
        for &member in cluster.on_host(host) {
            let here = &cluster.members[member];
            for &key in here.vips.iter().filter(|_| here.priority == 255) {
                if self.hosts[host].tainted.contains(&key) {
                    let told = self.hosts[host].kernel.take(key);
                    self.tell(host, told);
                }
            }
        }
    }

    fn make_noise(&mut self, host: usize, count: u32) {
        let cluster = Rc::clone(&self.cluster);
        for _ in 0..count {
            let members: Vec<usize> = (0..cluster.members.len()).collect();
            let Some(&member) = self.rng.pick(&members) else {
                return;
            };
            let Some(sample) = self.samples[member].clone() else {
                continue;
            };
            let own = cluster.members[member].host == host;
            if own && !self.sends_from(host, member, sample.src) {
                // It may be anybody's.
                continue;
            }
            let mut bad = if own {
                reflected(&sample)
            } else {
                spoil(&sample, &mut self.rng)
            };
            // A unicast packet would not get past the host's IP layer with a foreign address.
            let ifindex = cluster.members[member].ifindex;
            let here =
                bad.dst.is_multicast() || self.hosts[host].kernel.has_address(ifindex, bad.dst);
            if here {
                bad.intact = false;
                self.arrive(host, ifindex, &Rc::new(bad));
            }
        }
    }

    /// True if `addr` is what the machine of `host` has for the source of `member`: a reload may have
    /// made another address of the interface the first one.
    fn sends_from(&self, host: usize, member: usize, addr: IpAddr) -> bool {
        let here = &self.cluster.members[member];
        let process = self.hosts[host].process.as_ref();
        let source = process.and_then(|process| process.node.source(here.instance));
        here.present
            && source == Some(addr)
            && self.hosts[host].kernel.has_address(here.ifindex, addr)
    }

    fn take(&mut self, host: usize) {
        let held = self
            .virtual_addresses(host)
            .into_iter()
            .find(|key| self.hosts[host].kernel.holds(*key));
        if let Some(key) = held {
            let told = self.hosts[host].kernel.take(key);
            self.timeline_held(host, key);
            self.tell(host, told);
        }
    }

    fn overrun(&mut self, host: usize) {
        let dump = self.hosts[host].dump();
        if let Some(process) = self.hosts[host].process.as_mut().filter(|p| p.ready) {
            process.overrun(dump);
            self.checker.marks.overrun += 1;
            self.wake_soon(host);
        }
    }

    /// Every fault ends. What the machine cannot know of (an address whose change was refused) is
    /// put right as an operator would: by starting the daemon again.
    fn heal(&mut self) {
        for index in 0..self.segments.len() {
            self.segments[index].heal(Quality::default());
        }
        for host in 0..self.hosts.len() {
            if !self.hosts[host].tainted.is_empty() || self.hosts[host].crippled {
                self.crash(host, false);
                self.suspect_everything(host);
                self.take_back(host);
                self.hosts[host].tainted.clear();
                self.hosts[host].crippled = false;
            }
            if self.hosts[host]
                .process
                .as_ref()
                .is_some_and(|p| p.stopping)
            {
                self.crash(host, false);
            }
            self.hosts[host].traps = Traps::default();
            self.hosts[host].kernel.stop_refusing();
            for segment in 0..self.segments.len() {
                self.set_interface(host, segment, true);
                self.change_link(host, segment, LinkChange::RenameBack);
                self.set_carrier(host, segment, true);
                self.set_admin(host, segment, true);
                self.regain_addresses(host, segment);
            }
            self.freeze(host, false);
        }
    }

    /// The virtual addresses of a host's members.
    pub(crate) fn virtual_addresses(&self, host: usize) -> Vec<AddressKey> {
        let members = self.cluster.on_host(host).iter();
        members
            .flat_map(|member| self.cluster.members[*member].vips.iter().copied())
            .collect()
    }

    /// Ends every fault and starts every daemon; names for each virtual router who may be master
    /// when everything is quiet, as the simple model has it.
    pub fn heal_and_foresee(&mut self) -> Vec<std::collections::BTreeSet<usize>> {
        let disturbed = self.disturbed();
        self.trace.line(self.now, "=====", "heal");
        self.heal();
        for host in 0..self.hosts.len() {
            self.reload(host, 0);
        }
        self.refresh_reach();
        let foreseen = (0..self.cluster.routers.len())
            .map(|router| winners(&self.candidates(router, &disturbed)))
            .collect();
        self.start_all();
        foreseen
    }

    fn start_all(&mut self) {
        for host in 0..self.hosts.len() {
            self.start(host);
        }
    }

    /// Hosts whose daemon has something to learn at the moment of healing.
    fn disturbed(&self) -> Vec<bool> {
        self.hosts
            .iter()
            .enumerate()
            .map(|(host_number, host)| {
                let untold = host.process.as_ref().is_some_and(Process::is_untold);
                let whole = (0..self.segments.len()).all(|segment| {
                    let ifindex = spec::ifindex(segment);
                    let named = host.kernel.is_called(ifindex, &spec::interface(segment));
                    named && host.kernel.link_works(ifindex)
                });
                let addresses = self.spec.hosts[host_number].addresses(self.segments.len());
                let addressed = addresses.iter().all(|key| host.kernel.holds(*key));
                let links = !whole || !addressed;
                let reloads = host.asked != 0
                    || host.bound != self.spec.hosts[host_number].bound
                    || host.process.as_ref().is_some_and(Process::is_reloading);
                host.frozen || untold || links || reloads || host.kernel.has_orders()
            })
            .collect()
    }

    fn candidates(&self, router: usize, disturbed: &[bool]) -> Vec<Candidate> {
        let members = &self.cluster.routers[router].members;
        let travelling = self.spec.slowest + self.spec.pace.wake * 2 + Duration::from_millis(5);
        let stray = members.iter().any(|member| {
            let sent = self.last_sent[*member];
            let recent = sent.is_some_and(|at| self.now.since(at) <= travelling);
            recent && self.state(*member) != StateName::Master
        });
        // One that has another claim now than in a moment may have moved the others.
        let changes = members.iter().any(|member| {
            let host = self.cluster.members[*member].host;
            let (here, spec) = (&self.hosts[host], &self.spec.hosts[host]);
            let untold = here.process.as_ref().is_some_and(Process::is_untold);
            here.bound != spec.bound || untold && !spec.variants.is_empty()
        });
        let interval = self.cluster.slowest_interval(router);
        let heard_by = self.now + interval + travelling + Duration::from_millis(10);
        members
            .iter()
            .map(|&position| {
                let member = &self.first.members[position];
                let shaken = disturbed[member.host] || stray || changes;
                let standing = match self.state(position) {
                    StateName::Master if !shaken => Standing::Master,
                    StateName::Master => Standing::Uncertain,
                    StateName::Backup if shaken => Standing::Uncertain,
                    StateName::Backup => match self.checker.quiet_until(position) {
                        Some(until) if until > heard_by => Standing::Quiet,
                        _ => Standing::Uncertain,
                    },
                    StateName::Init if self.may_go_on(position) => Standing::Uncertain,
                    StateName::Init | StateName::Fault => Standing::Quiet,
                };
                Candidate {
                    member: position,
                    claim: member.claim(),
                    preempts: member.preempts,
                    standing,
                }
            })
            .collect()
    }

    /// True if the daemon of a member, or the next one, may go on as the master that it was.
    fn may_go_on(&self, member: usize) -> bool {
        let member = &self.cluster.members[member];
        let host = &self.hosts[member.host];
        let Some(config) = host.bound.instances.get(member.instance.0 as usize) else {
            return false;
        };
        match &host.process {
            Some(process) => process.node.is_resuming(member.instance),
            None => {
                let now = host.clock.local(self.now);
                host.memory.clone().records().may_go_on(config, now)
            }
        }
    }

    /// How long after the end of all faults the right master must be in place.
    pub fn settles_within(&self) -> Duration {
        let slowest = |member: &crate::cluster::Member| {
            let interval = self.first.slowest_interval(member.router);
            let down = member.master_down(interval);
            let once = down + interval + member.skew(interval);
            match member.preempt_delay.as_micros() {
                0 => once,
                _ => once + member.preempt_delay + down + interval,
            }
        };
        let election = self.first.members.iter().map(slowest).max();
        let travel = self.spec.slowest * 4 + self.spec.pace.wake * 16 + self.spec.pace.order * 16;
        let duplicates = if self.spec.hosts.iter().any(|host| host.detects_duplicates) {
            Duration::from_millis(1_100)
        } else {
            Duration::ZERO
        };
        election.unwrap_or(Duration::ZERO) + travel + duplicates + Duration::from_millis(200)
    }

    /// How long after that every client must reach it.
    pub fn clients_within(&self) -> Duration {
        let slowest = self.spec.clients.iter().map(|client| client.ping).max();
        slowest.unwrap_or(Duration::ZERO) * 6
    }

    /// Checks that the foreseen master is there, alone, with all addresses.
    pub fn check_settled(&mut self, foreseen: &[std::collections::BTreeSet<usize>]) {
        let cluster = Rc::clone(&self.cluster);
        let now = self.now;
        for (router, expected) in cluster.routers.iter().zip(foreseen) {
            let members = router.members.iter().copied();
            let masters: Vec<usize> = members
                .clone()
                .filter(|member| self.state(*member) == StateName::Master)
                .collect();
            if masters.len() != 1 || !masters.iter().all(|master| expected.contains(master)) {
                let text = format!(
                    "VRID {}: masters are members {masters:?}, expected one of {expected:?}",
                    router.vrid
                );
                self.checker.fail(now, Promise::ElectsTheRightOne, text);
            }
            for member in members {
                let host = cluster.members[member].host;
                let is_master = masters.contains(&member);
                for key in &cluster.members[member].vips {
                    if self.hosts[host].kernel.holds(*key) != is_master {
                        let text = format!("host {host}: wrong about {} in the end", key.addr);
                        self.checker.fail(now, Promise::ElectsTheRightOne, text);
                    }
                }
                // With an interval an address waits for the others of its host.
                let interval = self.hosts[host].bound.global.garp_interval;
                let settled =
                    Duration::from_millis(100) + self.spec.pace.order * 32 + interval * 16;
                self.checker.check_announced(now, member, settled);
            }
        }
    }

    /// Checks that every client reaches the master of every address.
    pub fn check_clients(&mut self) {
        let cluster = Rc::clone(&self.cluster);
        for client in 0..self.clients.len() {
            for addr in self.addresses_for(client) {
                let reached = self.reached(client, addr);
                let right = reached.is_some_and(|host| {
                    cluster.on_host(host).iter().any(|member| {
                        let here = &cluster.members[*member];
                        here.vips.iter().any(|key| key.addr == addr)
                            && self.state(*member) == StateName::Master
                    })
                });
                if !right {
                    let text = format!("client {client} reaches {reached:?} for {addr}");
                    self.checker.fail(self.now, Promise::ReachesClients, text);
                }
            }
        }
    }

    /// The end of the world as far as it was asked for.
    pub fn end_at(&self, faults_end: Instant) -> Instant {
        faults_end + self.settles_within() + self.clients_within()
    }
}
