//! The raw sockets that instances share, and which instance a packet is for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::ids::{Errno, IfIndex, InstanceId, SocketId};
use crate::machine::Out;
use crate::time::Instant;
use crate::vrrp::event::{SocketSpec, VrrpAction};
use crate::vrrp::note::{Discard, Note};
use crate::vrrp::plan::Matching;
use crate::vrrp::stats::Stats;

/// Receive buffer of a socket for each of its instances: four bursts of one advert, each of which
/// the kernel accounts with its own overhead of about 2 KiB.
const BUFFER_PER_INSTANCE: u32 = 4 * 2_048;
const BUFFER_MIN: u32 = 256 * 1_024;
/// The kernel takes twice as much, and no more than an i32 holds.
const BUFFER_MAX: u32 = 1 << 30;

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// Asked for, not answered.
    Pending,
    Open,
    Failed(Errno),
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    spec: SocketSpec,
    status: Status,
    routers: Routers,
    /// What the runtime was asked for.
    receive_buffer: u32,
    /// Octets that each of its virtual routers wants in it.
    each: u32,
    /// Kinds of discarded packets that have been told.
    told: u32,
}

/// The instances of one socket, found by the identifier in a packet without a search.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Routers {
    /// In the order of virtual router id and, for unicast, the configured own address: two may
    /// share an id.
    sorted: Vec<(u8, Option<IpAddr>, InstanceId)>,
    /// Where the instances of an identifier begin.
    first: Box<[u32; 257]>,
}

impl Default for Routers {
    fn default() -> Self {
        Self {
            sorted: Vec::new(),
            first: Box::new([0; 257]),
        }
    }
}

impl Routers {
    fn insert(&mut self, vrid: u8, local: Option<IpAddr>, id: InstanceId) {
        let key = |(vrid, local, _): &(u8, Option<IpAddr>, InstanceId)| (*vrid, *local);
        match self.sorted.binary_search_by_key(&(vrid, local), key) {
            Ok(index) => self.sorted[index].2 = id,
            Err(index) => {
                self.sorted.insert(index, (vrid, local, id));
                for first in &mut self.first[usize::from(vrid) + 1..] {
                    *first += 1;
                }
            }
        }
    }

    fn of(&self, vrid: u8) -> &[(u8, Option<IpAddr>, InstanceId)] {
        let vrid = usize::from(vrid);
        let range = self.first[vrid] as usize..self.first[vrid + 1] as usize;
        self.sorted.get(range).unwrap_or_default()
    }

    fn renumber(&mut self, matching: &Matching) {
        let before = std::mem::take(self);
        for (vrid, local, id) in before.sorted {
            if let Some(id) = matching.successor(id) {
                self.insert(vrid, local, id);
            }
        }
    }

    fn ids(&self) -> Vec<InstanceId> {
        self.sorted.iter().map(|(_, _, id)| *id).collect()
    }
}

/// All sockets, by number and by what they are for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sockets {
    table: BTreeMap<SocketId, Entry>,
    by_spec: BTreeMap<SocketSpec, SocketId>,
    next: u32,
    /// Packets that no instance can be charged with.
    stats: Stats,
}

impl Sockets {
    /// Adds an instance to the socket for `spec`, which is opened if it does not exist yet.
    /// `sharers` is how many instances will use it, `each` how many octets one wants in its buffer.
    pub(crate) fn attach(
        &mut self,
        spec: SocketSpec,
        (vrid, local, id): (u8, Option<IpAddr>, InstanceId),
        (sharers, each): (u32, u32),
        out: &mut Out<VrrpAction>,
    ) -> SocketId {
        let receive_buffer = buffer_for(sharers, each);
        let socket = match self.by_spec.get(&spec) {
            Some(socket) => *socket,
            None => {
                let socket = SocketId(self.next);
                self.next += 1;
                self.by_spec.insert(spec, socket);
                out.push(VrrpAction::OpenSocket {
                    socket,
                    spec,
                    receive_buffer,
                });
                socket
            }
        };
        let fresh = || Entry {
            spec,
            status: Status::Pending,
            routers: Routers::default(),
            receive_buffer,
            each,
            told: 0,
        };
        self.table
            .entry(socket)
            .or_insert_with(fresh)
            .routers
            .insert(vrid, local, id);
        socket
    }

    /// Closes a socket and returns the instances that lose it.
    pub(crate) fn close(&mut self, socket: SocketId, out: &mut Out<VrrpAction>) -> Vec<InstanceId> {
        let Some(entry) = self.table.remove(&socket) else {
            return Vec::new();
        };
        self.by_spec.remove(&entry.spec);
        out.push(VrrpAction::CloseSocket(socket));
        entry.routers.ids()
    }

    /// The virtual routers have other numbers now, and some are gone.
    pub(crate) fn renumber(&mut self, matching: &Matching) {
        for entry in self.table.values_mut() {
            entry.routers.renumber(matching);
        }
    }

    /// Closes sockets that nobody uses any more, and asks for larger buffers where more virtual
    /// routers share one than it was made for.
    pub(crate) fn tidy(&mut self, out: &mut Out<VrrpAction>) {
        let unused = |entry: &&mut Entry| entry.routers.sorted.is_empty();
        let mut idle = Vec::new();
        for (&socket, entry) in &mut self.table {
            let receive_buffer = buffer_for(entry.routers.sorted.len() as u32, entry.each);
            if unused(&entry) {
                idle.push(socket);
            } else if receive_buffer > entry.receive_buffer {
                entry.receive_buffer = receive_buffer;
                out.push(VrrpAction::GrowSocket {
                    socket,
                    receive_buffer,
                });
            }
        }
        for socket in idle {
            self.close(socket, out);
        }
    }

    /// True if no answer of the runtime is awaited.
    pub(crate) fn are_answered(&self) -> bool {
        let mut all = self.table.values();
        all.all(|entry| entry.status != Status::Pending)
    }

    /// The sockets on an interface.
    pub(crate) fn on_interface(&self, ifindex: IfIndex) -> Vec<SocketId> {
        let here = self
            .by_spec
            .iter()
            .filter(|(spec, _)| spec.ifindex == ifindex);
        here.map(|(_, socket)| *socket).collect()
    }

    /// The instances of a socket.
    pub(crate) fn users(&self, socket: SocketId) -> Vec<InstanceId> {
        let entry = self.table.get(&socket);
        entry.map_or_else(Vec::new, |entry| entry.routers.ids())
    }

    pub(crate) fn status(&self, socket: SocketId) -> Option<Status> {
        self.table.get(&socket).map(|entry| entry.status)
    }

    /// Takes the runtime's answer; returns where the socket is and whose it is.
    pub(crate) fn answered(
        &mut self,
        socket: SocketId,
        result: Result<(), Errno>,
    ) -> Option<(IfIndex, Vec<InstanceId>)> {
        let entry = self.table.get_mut(&socket)?;
        entry.status = match result {
            Ok(()) => Status::Open,
            Err(errno) => Status::Failed(errno),
        };
        Some((entry.spec.ifindex, entry.routers.ids()))
    }

    /// The instance that a packet to `dst` is for: the one at that address, else the one that is
    /// not bound to any, else whichever has the identifier, which will say what is wrong with it.
    pub(crate) fn router(&self, socket: SocketId, vrid: u8, dst: IpAddr) -> Option<InstanceId> {
        let routers = self.table.get(&socket)?.routers.of(vrid);
        let here = routers.iter().find(|(_, local, _)| *local == Some(dst));
        here.or(routers.first()).map(|(_, _, id)| *id)
    }

    /// Counts a packet that no instance can be charged with; told once for each kind.
    pub(crate) fn discard(
        &mut self,
        socket: SocketId,
        reason: Discard,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        let Some(entry) = self.table.get_mut(&socket) else {
            return;
        };
        self.stats.count_discarded(reason, now);
        // A foreign virtual router on the same segment is nobody's fault (behaviour.md 3.10).
        if reason != Discard::Vrid && entry.told & reason.bit() == 0 {
            entry.told |= reason.bit();
            out.push(VrrpAction::Note(Note::DiscardedUnknown { socket, reason }));
        }
        self.sum_up_discards(false, now, out);
    }

    /// Tells how many packets were discarded that no instance could be charged with, if it is time, or
    /// `at_once`.
    pub(crate) fn sum_up_discards(
        &mut self,
        at_once: bool,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        if let Some(discarded) = self.stats.sum_up(at_once, now) {
            let instance = None;
            out.push(VrrpAction::Note(Note::DiscardedSum {
                instance,
                discarded,
            }));
        }
    }

    /// Packets that no instance could be charged with, by kind.
    pub(crate) fn discarded(&self, reason: Discard) -> u64 {
        self.stats.discarded(reason)
    }

    /// Forgets counters and what was told.
    pub(crate) fn forget_counters(&mut self) {
        self.stats = Stats::default();
        for entry in self.table.values_mut() {
            entry.told = 0;
        }
    }
}

fn buffer_for(sharers: u32, each: u32) -> u32 {
    let each = each.max(BUFFER_PER_INSTANCE);
    each.saturating_mul(sharers).clamp(BUFFER_MIN, BUFFER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Family;

    #[test]
    fn two_unicast_routers_of_one_id_are_told_apart_by_their_own_address() {
        let (mut sockets, mut out) = (Sockets::default(), Out::new());
        let spec = SocketSpec {
            ifindex: IfIndex(3),
            family: Family::V4,
            group: None,
        };
        let addr = |last: u8| IpAddr::from([10, 0, 0, last]);
        let [one, two] = [InstanceId(0), InstanceId(1)];
        let socket = sockets.attach(spec, (51, Some(addr(1)), one), (2, 0), &mut out);
        assert_eq!(
            sockets.attach(spec, (51, Some(addr(2)), two), (2, 0), &mut out),
            socket
        );
        assert_eq!(out.len(), 1, "one socket for both");
        assert_eq!(sockets.router(socket, 51, addr(1)), Some(one));
        assert_eq!(sockets.router(socket, 51, addr(2)), Some(two));
        // Somebody has to say that a multicast packet is at the wrong place.
        assert_eq!(
            sockets.router(socket, 51, [224, 0, 0, 18].into()),
            Some(one)
        );
        assert_eq!(sockets.router(socket, 52, addr(1)), None);
        assert_eq!(sockets.router(socket, 50, addr(1)), None);
    }
}
