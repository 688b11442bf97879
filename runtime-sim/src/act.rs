//! Carrying out what a machine asks for, one action after the other, with a crash between any two.

use std::net::IpAddr;

use relevo_core::ids::{Errno, IfIndex, InstanceId, SocketId};
use relevo_core::machine::{BytesRange, Out};
use relevo_core::trace;
use relevo_core::vrrp::StateName;
use relevo_core::vrrp::event::{SocketSpec, VrrpAction};
use relevo_core::vrrp::note::{Level, Note};
use relevo_core::wire;

use crate::host::{Advert, Process};
use crate::invariant::{Fact, Promise};
use crate::kernel::Told;
use crate::noise::finish_header;
use crate::numbers::is_nobody;
use crate::world::{Future, World};

/// Error number for a socket or an advert on an interface that is down.
const ENETDOWN: Errno = Errno(100);

impl World {
    /// Carries out the actions of one call; false if the daemon did not survive them.
    pub(crate) fn perform(
        &mut self,
        host: usize,
        out: &Out<VrrpAction>,
        was: &[StateName],
    ) -> bool {
        let count = out.len();
        for (index, action) in out.actions().iter().enumerate() {
            self.perform_one(host, action, out, was);
            if self.hosts[host].process.is_none() {
                return false;
            }
            if self.crashes_now(host) {
                if index + 1 < count {
                    self.checker.marks.crash_between += 1;
                }
                self.line(host, || {
                    format!("-- crash after action {} of {count}", index + 1)
                });
                return false;
            }
        }
        true
    }

    fn crashes_now(&mut self, host: usize) -> bool {
        let Some((left, power)) = self.hosts[host].traps.crash.as_mut() else {
            return false;
        };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return false;
        }
        let power = *power;
        self.hosts[host].traps.crash = None;
        self.crash(host, power);
        true
    }

    fn perform_one(
        &mut self,
        host: usize,
        action: &VrrpAction,
        out: &Out<VrrpAction>,
        was: &[StateName],
    ) {
        if self.trace.keeps_lines() {
            let local = self.hosts[host].clock.local(self.now);
            let bound = std::sync::Arc::clone(&self.hosts[host].bound);
            self.line(host, || trace::action_line(local, action, out, &bound));
        }
        match action {
            VrrpAction::SendAdvert { .. } => self.send_advert(host, action, out, was),
            VrrpAction::Kernel { op, change } => {
                self.trace.mix(&[4, op.0]);
                let change = self.hosts[host].numbers.asked(change);
                self.hosts[host].kernel.submit(*op, change);
                self.order_soon(host);
            }
            VrrpAction::SendGarp {
                ifindex,
                addr,
                frame,
            } => self.send_announcement(host, *ifindex, (*addr).into(), out.bytes(*frame)),
            VrrpAction::SendNa {
                ifindex,
                addr,
                frame,
            } => self.send_announcement(host, *ifindex, (*addr).into(), out.bytes(*frame)),
            VrrpAction::OpenSocket { socket, spec, .. } => self.open_socket(host, *socket, spec),
            VrrpAction::CloseSocket(socket) => {
                if let Some(process) = self.hosts[host].process.as_mut() {
                    process.close(*socket);
                }
            }
            VrrpAction::GrowSocket { .. } => {}
            VrrpAction::InForce(bound) => self.put_in_force(host, bound),
            VrrpAction::Remember {
                instance,
                slot,
                record,
            } => {
                let record = out.bytes(*record);
                self.trace.mix(&[7, u64::from(*slot)]);
                self.trace.mix_bytes(record);
                self.hosts[host].memory.remember(*instance, *slot, record);
            }
            VrrpAction::Forget { slot } => self.hosts[host].memory.forget(*slot),
            VrrpAction::Note(note) => self.take_note(host, note),
            VrrpAction::Exit(code) => self.exit(host, *code),
        }
    }

    fn open_socket(&mut self, host: usize, socket: SocketId, spec: &SocketSpec) {
        let spec = SocketSpec {
            ifindex: self.hosts[host].numbers.inward(spec.ifindex),
            ..*spec
        };
        let refusal = self.hosts[host].traps.sockets.pop_front();
        self.hosts[host].crippled |= refusal.is_some();
        let down = !self.hosts[host].kernel.is_admin_up(spec.ifindex);
        let gone = !self.hosts[host].kernel.has_link(spec.ifindex);
        let errno = refusal
            .or(gone.then_some(Errno::ENODEV))
            .or(down.then_some(ENETDOWN));
        if let Some(errno) = errno {
            self.hosts[host].given.insert(errno);
        }
        if let Some(process) = self.hosts[host].process.as_mut() {
            process.open(socket, spec);
        }
        let result = errno.map_or(Ok(()), Err);
        self.tell_later(host, Told::Socket(socket, result));
    }

    fn send_advert(
        &mut self,
        host: usize,
        action: &VrrpAction,
        out: &Out<VrrpAction>,
        was: &[StateName],
    ) {
        let VrrpAction::SendAdvert {
            instance,
            socket,
            src,
            dst,
            hop_limit,
            packet,
        } = action
        else {
            return;
        };
        let Some(member) = self.speaker(host, *instance) else {
            return;
        };
        let Some((priority, bytes)) = on_wire(*src, out, *packet) else {
            let text = format!("host {host} sends an advert that is none");
            return self
                .checker
                .fail(self.now, Promise::OnlyMastersAdvertise, text);
        };
        self.trace.mix(&[5, u64::from(priority)]);
        self.trace.mix_bytes(&bytes);
        self.note_sent(host, *instance, member, *dst, priority, was);
        let ifindex = self.cluster.members[member].ifindex;
        let process = self.hosts[host].process.as_ref();
        let through = process.and_then(|process| process.socket(*socket));
        let (known, deaf) = (through.is_some(), through.is_some_and(|socket| socket.deaf));
        let down = !self.hosts[host].kernel.is_admin_up(ifindex);
        let gone = deaf || !self.hosts[host].kernel.has_link(ifindex);
        let trap = self.hosts[host].traps.sends.pop_front();
        if !known {
            let text = format!("host {host} sends through a socket that is not open");
            self.checker
                .fail(self.now, Promise::OnlyMastersAdvertise, text);
        }
        if let Some(errno) = trap
            .or(gone.then_some(Errno::ENODEV))
            .or(down.then_some(ENETDOWN))
        {
            return self.refuse_advert(host, *instance, member, *dst, errno);
        }
        let mut advert = Advert {
            src: *src,
            dst: *dst,
            hop_limit: *hop_limit,
            bytes,
            member,
            priority,
            intact: true,
        };
        finish_header(&mut advert);
        let local = self.hosts[host].clock.local(self.now);
        self.hosts[host].memory.stamp(*instance, local);
        self.last_sent[member] = Some(self.now);
        self.fact(Fact::Left(member));
        self.transmit(host, &advert);
        self.samples[member] = Some(advert);
    }

    fn note_sent(
        &mut self,
        host: usize,
        instance: InstanceId,
        member: usize,
        dst: IpAddr,
        priority: u8,
        was: &[StateName],
    ) {
        if self.former.is_some() {
            // It is gone, and this is its farewell.
            let (was, is) = (StateName::Master, StateName::Init);
            return self.fact(Fact::Sent {
                member,
                dst,
                priority,
                was,
                is,
            });
        }
        let index = instance.0 as usize;
        let is = self.hosts[host]
            .process
            .as_ref()
            .and_then(|process| process.states.get(index).copied());
        if let (Some(&was), Some(is)) = (was.get(index), is) {
            self.fact(Fact::Sent {
                member,
                dst,
                priority,
                was,
                is,
            });
        }
    }

    fn refuse_advert(
        &mut self,
        host: usize,
        instance: InstanceId,
        member: usize,
        dst: IpAddr,
        errno: Errno,
    ) {
        self.hosts[host].given.insert(errno);
        let router = self.cluster.members[member].router;
        for to in self.cluster.routers[router].members.clone() {
            if to != member {
                self.fact(Fact::Lost { from: member, to });
            }
        }
        self.tell_later(host, Told::SendFailed(instance, dst, errno));
    }

    fn send_announcement(&mut self, host: usize, ifindex: IfIndex, addr: IpAddr, frame: &[u8]) {
        self.trace.mix(&[6]);
        self.trace.mix_bytes(frame);
        let ifindex = self.hosts[host].numbers.inward(ifindex);
        if is_nobody(ifindex) {
            // The kernel refuses it; the machine has not been told yet.
            return;
        }
        let held = self.hosts[host].kernel.has_address(ifindex, addr);
        let cluster = std::rc::Rc::clone(&self.cluster);
        let owner = cluster.on_host(host).iter().copied().find(|member| {
            let vips = &cluster.members[*member].vips;
            vips.iter()
                .any(|key| key.addr == addr && key.ifindex == ifindex)
        });
        if let Some(member) = owner {
            let tainted = self.hosts[host].tainted.iter().any(|key| key.addr == addr);
            // What the machine has not been told yet, it cannot know.
            let process = self.hosts[host].process.as_ref();
            let untold = process.is_some_and(Process::is_untold);
            let held = held || tainted || untold;
            self.fact(Fact::Announced { member, addr, held });
        }
        let says = crate::client::announced(frame);
        let segment = crate::spec::segment_of(ifindex).unwrap_or(0);
        let mac = crate::spec::mac(segment, self.hosts[host].number);
        if says != Some((addr, mac)) {
            let text = format!("host {host} announces {addr} with a frame that says {says:?}");
            self.checker
                .fail(self.now, Promise::AnnouncesWhatItHolds, text);
        }
        self.announce(host, ifindex, frame);
    }

    fn take_note(&mut self, host: usize, note: &Note) {
        match note {
            Note::Leftover { .. } => self.checker.marks.leftover += 1,
            Note::Resumed {
                state: StateName::Master,
                ..
            } => self.checker.marks.resumed_master += 1,
            Note::Resumed { .. } => self.checker.marks.resumed_backup += 1,
            Note::ResumedTooLate { .. } => self.checker.marks.resumed_late += 1,
            Note::AddressTaken { .. } => self.checker.marks.taken += 1,
            Note::AddressFound { .. } => self.checker.marks.found += 1,
            _ => {}
        }
        if note.level() != Level::Error {
            return;
        }
        let explained = match note {
            Note::AddressFailed { errno, .. }
            | Note::SocketFailed { errno, .. }
            | Note::SendFailed { errno, .. } => self.hosts[host].given.contains(errno),
            _ => false,
        };
        if !explained {
            let text = format!("{note:?}");
            self.fact(Fact::Error { host, text });
        }
    }

    /// An answer that takes the kernel a moment.
    fn tell_later(&mut self, host: usize, told: Told) {
        let incarnation = self.hosts[host].incarnation;
        let at = self.now + self.lateness();
        self.at(
            at,
            Future::Tell {
                host,
                incarnation,
                told,
            },
        );
    }

    fn exit(&mut self, host: usize, code: u8) {
        let stopping = self.hosts[host]
            .process
            .as_ref()
            .is_some_and(|process| process.stopping);
        if code != 0 || !stopping {
            let text = format!("host {host} ends with {code}, asked to stop: {stopping}");
            self.checker.fail(self.now, Promise::StopsClean, text);
        }
        let cluster = std::rc::Rc::clone(&self.cluster);
        for &member in cluster.on_host(host) {
            for &key in &cluster.members[member].vips {
                let kernel = &self.hosts[host].kernel;
                let left = kernel.holds(key) || kernel.is_ordered(key);
                if left && !self.hosts[host].tainted.contains(&key) {
                    let text = format!("host {host} ends and leaves {}", key.addr);
                    self.checker.fail(self.now, Promise::StopsClean, text);
                }
            }
        }
        self.line(host, || format!("-- ended with {code}"));
        self.leaves_with(host, code);
        self.end_process(host);
        self.fact(Fact::Forgotten(host));
    }
}

/// The priority of an advert and its bytes; `None` if it is none.
fn on_wire(src: IpAddr, out: &Out<VrrpAction>, packet: BytesRange) -> Option<(u8, Vec<u8>)> {
    let bytes = out.bytes(packet).to_vec();
    let message = match src {
        IpAddr::V4(src) => {
            let datagram = wire::ipv4::Packet::new_checked(&bytes).ok()?;
            if datagram.src() != src {
                return None;
            }
            bytes.get(datagram.header_len()..)?
        }
        IpAddr::V6(_) => &bytes,
    };
    let priority = wire::vrrp::Packet::new_checked(message).ok()?.priority();
    Some((priority, bytes))
}
