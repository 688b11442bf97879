//! What is told of the machine on demand: keepalived's dump files, its counters, its JSON, and a
//! short table for people.
//!
//! All of it is text made from a [`Picture`], which is plain data. A picture of thousands of virtual
//! routers is taken a few at a time, so that the loop goes on between two slices, and the text is
//! made elsewhere. A virtual router is seen at one moment; two of them need not be.

pub mod brief;
pub mod data;
mod global;
pub mod json;
pub mod stats;
mod text;

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::bound::{Bound, InstanceConfig};
use crate::ids::{IfIndex, InstanceId, SocketId};
use crate::kernel::links::LinkState;
use crate::time::{Duration, Instant};
use crate::vrrp::{Cause, Fault, StateName, Stats, VrrpNode};

pub use text::Wall;

/// What one virtual router costs in a slice; an address costs one.
const INSTANCE_COST: usize = 4;

/// What an interface costs in a slice.
const LINK_COST: usize = 2;

/// What is told of one virtual router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstanceView {
    /// Its state.
    pub state: StateName,
    /// When it was entered, and why if this process was there; none before the first transition.
    pub transition: Option<(Instant, Option<Cause>)>,
    /// Effective priority.
    pub priority: u8,
    /// Its interface's number, if that is there.
    pub ifindex: Option<IfIndex>,
    /// The address that adverts are sent from.
    pub source: Option<IpAddr>,
    /// Its socket.
    pub socket: Option<SocketId>,
    /// The runtime's descriptor of that socket; none if it is not known or not open.
    pub descriptor: Option<i32>,
    /// Backup: the master that is followed.
    pub master: Option<IpAddr>,
    /// Backup: that master's priority, 0 if there is none.
    pub master_priority: u8,
    /// Backup: the master that let go with priority 0 and has not been followed by another.
    pub released_by: Option<IpAddr>,
    /// The interval that the timers follow.
    pub master_interval: Duration,
    /// What the master-down timer was last set to; zero if it never was.
    pub down_interval: Duration,
    /// What it would be set to by an advert now.
    pub whole_down_interval: Duration,
    /// Master: when the next advert is due. Backup: when the master-down timer fires.
    pub deadline: Option<Instant>,
    /// Its peers make their checksums in the old way of unicast.
    pub old_checksum: bool,
    /// Backup: until when a master of lower priority is tolerated (`preempt_delay`).
    pub tolerates_until: Option<Instant>,
    /// When the socket that could not be opened is tried again.
    pub retries_at: Option<Instant>,
    /// Conditions of operation that are not met, and since when.
    pub conditions: Vec<(Fault, Instant)>,
    /// Its addresses in the order of the configuration.
    pub addresses: Vec<HeldAddress>,
    /// Its counters.
    pub stats: Stats,
}

/// Whether the kernel has an address, and whether it should.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HeldAddress {
    /// We are master and it is there.
    Held,
    /// We are master and it is not there (yet).
    Missing,
    /// We are not master and it is not there.
    Absent,
    /// We are not master, put it there, and are about to remove it.
    Ours,
    /// We are not master, and it is there all the same.
    Foreign,
}

/// What is told of one interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkView {
    /// Its number.
    pub ifindex: IfIndex,
    /// What the kernel says of it.
    pub link: LinkState,
    /// Its first own IPv4 address.
    pub v4: Option<IpAddr>,
    /// Its first link-local IPv6 address.
    pub v6: Option<IpAddr>,
    /// When the next gratuitous ARP and the next neighbour advertisement may go out of it; none
    /// where there is no interval or none has gone out yet.
    pub next_announcements: (Option<Instant>, Option<Instant>),
}

/// What a picture shall show.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Wish {
    /// The interfaces too.
    pub links: bool,
    /// The counters are to begin afresh, each as soon as it has been read.
    pub clear: bool,
}

/// What has been seen of a node, as plain data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// The configuration that it belongs to.
    pub bound: Arc<Bound>,
    /// The virtual routers in the order of the configuration.
    pub instances: Vec<InstanceView>,
    /// The interfaces in the order of their numbers, if they were asked for.
    pub links: Vec<LinkView>,
    /// Before this moment nothing is heard and nothing is taken over.
    pub starts_at: Instant,
    wish: Wish,
    complete: bool,
}

/// What a slice has done.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Slice {
    /// Nothing is left to look at.
    pub complete: bool,
    /// The first of the virtual routers that this slice has finished, and how many they are.
    pub finished: (InstanceId, u32),
}

impl Picture {
    /// Nothing seen yet.
    pub fn begin(node: &VrrpNode, wish: Wish) -> Self {
        let bound = Arc::clone(node.shared_bound());
        Self {
            instances: Vec::with_capacity(bound.instances.len()),
            links: Vec::new(),
            starts_at: node.starts_at(),
            bound,
            wish,
            complete: false,
        }
    }

    /// The whole of `node` at once.
    pub fn of(node: &VrrpNode, wish: Wish) -> Self {
        let mut picture = Self::begin(node, wish);
        picture.step(node, usize::MAX, |_| None);
        picture
    }

    /// Looks at more of `node`, about `budget` addresses' worth of it. `descriptor` knows the
    /// runtime's descriptors of sockets. If the configuration was replaced since the last slice,
    /// everything is looked at anew.
    pub fn step(
        &mut self,
        node: &VrrpNode,
        budget: usize,
        descriptor: impl Fn(SocketId) -> Option<i32>,
    ) -> Slice {
        if !Arc::ptr_eq(&self.bound, node.shared_bound()) {
            *self = Self::begin(node, self.wish);
        }
        let bound = Arc::clone(&self.bound);
        let mut left = budget;
        let mut finished = 0;
        let first_finished = self.finished(&bound);
        while left > 0 && finished + first_finished < bound.instances.len() {
            left = self.look_at_instance(node, &bound, left, &descriptor);
            finished = self.finished(&bound) - first_finished;
        }
        let instances_done = finished + first_finished == bound.instances.len();
        if instances_done && !self.complete {
            self.complete = !self.wish.links || self.look_at_links(node, left);
        }
        Slice {
            complete: self.complete,
            finished: (InstanceId(first_finished as u32), finished as u32),
        }
    }

    /// How many virtual routers have been seen whole: all but the last, if addresses of it are left.
    fn finished(&self, bound: &Bound) -> usize {
        let last = self.instances.len().checked_sub(1);
        let is_whole = |last: usize| {
            let all = bound.instances.get(last).map_or(0, count_addresses);
            self.instances[last].addresses.len() >= all
        };
        match last {
            Some(last) if !is_whole(last) => last,
            Some(_) | None => self.instances.len(),
        }
    }

    /// Goes on with the last virtual router or begins another; returns what is left of `budget`.
    fn look_at_instance(
        &mut self,
        node: &VrrpNode,
        bound: &Bound,
        budget: usize,
        descriptor: &impl Fn(SocketId) -> Option<i32>,
    ) -> usize {
        let mut left = budget;
        let number = self.finished(bound);
        let id = InstanceId(number as u32);
        if number == self.instances.len() {
            let Some(mut view) = node.view(id) else {
                return 0;
            };
            view.descriptor = view.socket.and_then(descriptor);
            self.instances.push(view);
            left = left.saturating_sub(INSTANCE_COST);
        }
        if let Some(view) = self.instances.last_mut() {
            let before = view.addresses.len();
            node.view_addresses(id, before, left.max(1), &mut view.addresses);
            left = left.saturating_sub(view.addresses.len() - before);
        }
        left
    }

    /// True once every interface has been seen.
    fn look_at_links(&mut self, node: &VrrpNode, budget: usize) -> bool {
        let links = node.links();
        for _ in 0..(budget / LINK_COST).max(1) {
            let last = self.links.last().map_or(IfIndex(0), |last| last.ifindex);
            let Some((ifindex, link)) = links.after(last) else {
                return true;
            };
            let (v4, v6) = links.own_addresses(ifindex);
            let next_announcements = node.next_announcements(&link.name);
            let link = link.clone();
            self.links.push(LinkView {
                ifindex,
                link,
                v4,
                v6,
                next_announcements,
            });
        }
        false
    }

    /// What was asked for.
    pub fn wish(&self) -> Wish {
        self.wish
    }

    /// The virtual routers with their configurations.
    pub fn iter(&self) -> impl Iterator<Item = (&InstanceConfig, &InstanceView)> {
        self.bound.instances.iter().zip(&self.instances)
    }
}

fn count_addresses(config: &InstanceConfig) -> usize {
    config.addresses.len() + config.excluded.len()
}
