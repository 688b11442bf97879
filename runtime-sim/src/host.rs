//! One host: a kernel, a clock, and the process that runs the production machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use relevo_core::config::bound::Bound;
use relevo_core::ids::{Errno, Family, IfIndex, InstanceId, SocketId};
use relevo_core::kernel::AddressKey;
use relevo_core::machine::{Machine, Out};
use relevo_core::time::{Duration, Instant};
use relevo_core::vrrp::event::{Ingress, SocketSpec, VrrpAction};
use relevo_core::vrrp::snapshot::Records;
use relevo_core::vrrp::{StateName, VrrpNode};

use crate::clock::SimClock;
use crate::kernel::{SimKernel, Told};
use crate::memory::Memory;
use crate::numbers::Numbers;
use crate::parent::Parent;
use crate::spec::HostSpec;

/// Packets that one socket holds: what Linux's default buffer has room for.
pub const SOCKET_BUFFER: usize = 256;

/// A packet of protocol 112 on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advert {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// IPv4: the whole datagram; IPv6: the payload.
    pub bytes: Vec<u8>,
    /// Who sent it, by position in the cluster's table of members.
    pub member: usize,
    /// The priority it was sent with.
    pub priority: u8,
    /// False if a byte was changed on the way.
    pub intact: bool,
}

impl Advert {
    /// As the machine gets it. `None` if the addresses are of two families.
    pub fn ingress(&self) -> Option<Ingress<'_>> {
        match (self.src, self.dst) {
            (IpAddr::V4(_), IpAddr::V4(_)) => Some(Ingress::V4 {
                datagram: &self.bytes,
            }),
            (IpAddr::V6(src), IpAddr::V6(dst)) => Some(Ingress::V6 {
                src,
                dst,
                hop_limit: self.hop_limit,
                payload: &self.bytes,
            }),
            _ => None,
        }
    }
}

/// A raw socket of a process.
#[derive(Clone, Debug)]
pub struct Socket {
    /// What it is for.
    pub spec: SocketSpec,
    /// Whether its opening was answered with success.
    pub open: bool,
    /// Its interface is gone, even if another one has the number now.
    pub deaf: bool,
    buffer: VecDeque<Rc<Advert>>,
    /// There was no room for a packet, and the machine has not been told.
    overflowed: bool,
}

/// A running daemon: the machine and what waits to be delivered to it.
#[derive(Debug)]
pub struct Process {
    /// The production machine.
    pub node: VrrpNode,
    /// The instances' states after the last call.
    pub states: Vec<StateName>,
    /// True once the machine has seen a whole dump.
    pub ready: bool,
    /// The operator asked it to stop.
    pub stopping: bool,
    /// The machine's buffer of actions, reused.
    pub out: Out<VrrpAction>,
    told: VecDeque<Told>,
    sockets: BTreeMap<SocketId, Socket>,
}

impl Process {
    /// Starts the machine; `dump` is what the kernel shows it first.
    pub fn start(
        bound: &Arc<Bound>,
        records: &Records,
        (seed, now): (u64, Instant),
        dump: Vec<Told>,
    ) -> Self {
        let node = VrrpNode::resume(Arc::clone(bound), records, seed, now);
        Self {
            states: states(&node),
            node,
            ready: false,
            stopping: false,
            out: Out::new(),
            told: dump.into(),
            sockets: BTreeMap::new(),
        }
    }

    /// True while another configuration is not wholly in force.
    pub fn is_reloading(&self) -> bool {
        self.node.is_reloading()
    }

    /// Queues something to be told.
    pub fn tell(&mut self, told: Told) {
        self.told.push_back(told);
    }

    /// Takes the oldest thing to be told.
    pub fn next_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// True if something waits to be told.
    pub fn is_untold(&self) -> bool {
        !self.told.is_empty()
    }

    /// True if it has yet to be told that the address is there: it sends nothing from it.
    pub fn will_hear_of(&self, addr: IpAddr) -> bool {
        let mut told = self.told.iter();
        told.any(|told| matches!(told, Told::Address(row) if row.key.addr == addr))
    }

    /// The monitor socket overran: what it held is lost, and a whole dump follows.
    pub fn overrun(&mut self, dump: Vec<Told>) {
        self.told.retain(|told| !told.is_monitor());
        self.told.extend(dump);
    }

    /// Opens a socket; until [`on_opened`](Self::on_opened) it hears nothing.
    pub fn open(&mut self, socket: SocketId, spec: SocketSpec) {
        let (open, deaf) = (false, false);
        let buffer = VecDeque::new();
        self.sockets.insert(
            socket,
            Socket {
                spec,
                open,
                deaf,
                buffer,
                overflowed: false,
            },
        );
    }

    /// The socket works from now on.
    pub fn on_opened(&mut self, socket: SocketId) {
        if let Some(socket) = self.sockets.get_mut(&socket) {
            socket.open = true;
        }
    }

    /// The interface is gone: what is bound to it hears nothing any more.
    pub fn deafen(&mut self, ifindex: IfIndex) {
        for socket in self.sockets.values_mut() {
            if socket.spec.ifindex == ifindex {
                socket.deaf = true;
                socket.buffer.clear();
            }
        }
    }

    /// Closes a socket; false if there was none.
    pub fn close(&mut self, socket: SocketId) -> bool {
        self.sockets.remove(&socket).is_some()
    }

    /// The socket, if it is open.
    pub fn socket(&self, socket: SocketId) -> Option<&Socket> {
        self.sockets.get(&socket).filter(|socket| socket.open)
    }

    /// True if every socket on the interface is open, and there is one.
    pub fn has_opened_all(&self, ifindex: IfIndex) -> bool {
        let mut here = self.sockets.values().filter(|s| s.spec.ifindex == ifindex);
        self.can_send(ifindex) && here.all(|socket| socket.open && !socket.deaf)
    }

    /// True if something can be sent through the interface.
    pub fn can_send(&self, ifindex: IfIndex) -> bool {
        let mut here = self.sockets.values().filter(|s| s.spec.ifindex == ifindex);
        here.any(|socket| socket.open && !socket.deaf)
    }

    /// Puts a packet into the buffers of all sockets that it is for. A full buffer keeps what it
    /// has. Gives the number of sockets that took it.
    pub fn receive(&mut self, ifindex: IfIndex, advert: &Rc<Advert>) -> usize {
        let family = Family::of(advert.dst);
        let multicast = advert.dst.is_multicast();
        let mut taken = 0;
        for socket in self.sockets.values_mut().filter(|s| s.open && !s.deaf) {
            let spec = &socket.spec;
            if spec.ifindex != ifindex || spec.family != family {
                continue;
            }
            if multicast && spec.group != Some(advert.dst) {
                continue;
            }
            if socket.buffer.len() < SOCKET_BUFFER {
                socket.buffer.push_back(Rc::clone(advert));
                taken += 1;
            } else {
                socket.overflowed = true;
            }
        }
        taken
    }

    /// Takes the oldest packet of the first socket that has one.
    pub fn next_packet(&mut self) -> Option<(SocketId, Rc<Advert>)> {
        let (id, socket) = self
            .sockets
            .iter_mut()
            .find(|(_, socket)| !socket.buffer.is_empty())?;
        Some((*id, socket.buffer.pop_front()?))
    }

    /// Takes note of a socket that had no room for a packet since it was last asked for.
    pub fn next_overflow(&mut self) -> Option<SocketId> {
        let (id, socket) = self
            .sockets
            .iter_mut()
            .find(|(_, socket)| socket.overflowed)?;
        socket.overflowed = false;
        Some(*id)
    }

    /// True if a packet waits.
    pub fn has_packets(&self) -> bool {
        self.sockets
            .values()
            .any(|socket| !socket.buffer.is_empty())
    }
}

/// The states of all instances.
pub fn states(node: &VrrpNode) -> Vec<StateName> {
    (0..node.bound().instances.len())
        .map(|index| node.state(InstanceId(index as u32)))
        .collect()
}

/// What the schedule holds ready for a host's next actions.
#[derive(Clone, Debug, Default)]
pub struct Traps {
    /// The process crashes after this many further actions; true if the kernel is lost with it.
    pub crash: Option<(u32, bool)>,
    /// The next adverts cannot be sent.
    pub sends: VecDeque<Errno>,
    /// The next sockets cannot be opened.
    pub sockets: VecDeque<Errno>,
}

/// One host.
#[derive(Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: u8,
    /// Its clock.
    pub clock: SimClock,
    /// The configuration that its machine works by.
    pub bound: Arc<Bound>,
    /// The number of the one that was last asked for, which a new machine starts with.
    pub asked: usize,
    /// Configurations whose addresses a machine may have left, because it ended in the middle of a
    /// reload.
    pub unfinished: Vec<Arc<Bound>>,
    /// What a daemon leaves to its successor.
    pub memory: Memory,
    /// Its kernel.
    pub kernel: SimKernel,
    /// What its kernel calls the interfaces.
    pub numbers: Numbers,
    /// False after a power loss.
    pub powered: bool,
    /// Counts boots; orders of an earlier boot are void.
    pub boot: u64,
    /// The daemon, while it runs.
    pub process: Option<Process>,
    /// Counts starts of the daemon; answers to an earlier one are void.
    pub incarnation: u64,
    /// The daemon gets no processor time.
    pub frozen: bool,
    /// Faults that wait for the next actions.
    pub traps: Traps,
    /// Error numbers that this host was given on purpose.
    pub given: BTreeSet<Errno>,
    /// Virtual addresses whose state in the kernel is not the machine's doing.
    pub tainted: BTreeSet<AddressKey>,
    /// The machine has a socket that could not be opened, and will not try again by itself.
    pub crippled: bool,
    /// The daemon has a parent from its next start on, which says hello so often.
    pub watched: Option<Duration>,
    /// The parent, while it runs.
    pub parent: Option<Parent>,
    /// Counts parents and their looks; what was meant for an earlier one is void.
    pub parents: u64,
    pub looks: u64,
    /// When the daemon last got no processor time any more, and when it got it again.
    pub froze: Option<Instant>,
    pub thawed: Option<Instant>,
    /// When the next turn is planned, and under which number.
    pub wake: Option<(Instant, u64)>,
    /// When the last order will be carried out: they keep their order.
    pub last_order: Instant,
}

impl Host {
    /// A host that is powered and runs no daemon yet.
    pub fn new(spec: &HostSpec, segments: usize) -> Self {
        let mut kernel = SimKernel::boot(&spec.links(segments), &spec.addresses(segments));
        kernel.detects_duplicates = spec.detects_duplicates;
        Self {
            name: spec.name.clone(),
            number: spec.number,
            clock: spec.clock,
            bound: Arc::clone(&spec.bound),
            asked: 0,
            unfinished: Vec::new(),
            memory: Memory::default(),
            kernel,
            numbers: Numbers::default(),
            powered: true,
            boot: 0,
            process: None,
            incarnation: 0,
            frozen: false,
            traps: Traps::default(),
            given: BTreeSet::new(),
            tainted: BTreeSet::new(),
            crippled: false,
            watched: None,
            parent: None,
            parents: 0,
            looks: 0,
            froze: None,
            thawed: None,
            wake: None,
            last_order: Instant::ZERO,
        }
    }

    /// The kernel is lost and, when the power is back, boots with nothing but its own addresses.
    pub fn reboot(&mut self, spec: &HostSpec, segments: usize) {
        self.kernel = SimKernel::boot(&spec.links(segments), &spec.addresses(segments));
        self.kernel.detects_duplicates = spec.detects_duplicates;
        self.boot += 1;
        self.memory = Memory::default();
        self.tainted.clear();
    }

    /// The whole picture, as the process is given it.
    pub fn dump(&self) -> Vec<Told> {
        let dump = self.kernel.dump().into_iter();
        dump.map(|told| self.numbers.told(told)).collect()
    }

    /// Tells the process something, if there is one.
    pub fn tell(&mut self, told: impl IntoIterator<Item = Told>) {
        if let Some(process) = self.process.as_mut() {
            for one in told {
                process.tell(self.numbers.told(one));
            }
        }
    }

    /// True if nothing is under way between the machine and its kernel about `key`.
    pub fn is_settled(&self, key: AddressKey) -> bool {
        use relevo_core::machine::Machine;
        match &self.process {
            Some(process) => {
                process.ready
                    && !self.frozen
                    && !process.is_untold()
                    && !process.node.more()
                    && !process.node.is_reloading()
                    && !self.kernel.is_ordered(key)
                    && !self.tainted.contains(&key)
            }
            None => false,
        }
    }
}
