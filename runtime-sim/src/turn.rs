//! A daemon's turn of its loop: what the kernel tells, then packets, then timers.

use std::rc::Rc;

use relevo_core::ids::{InstanceId, SocketId};
use relevo_core::machine::{Machine, Out};
use relevo_core::time::{Duration, Instant};
use relevo_core::trace;
use relevo_core::vrrp::event::{VrrpAction, VrrpEvent};
use relevo_core::vrrp::{Note, StateName};

use crate::host::Advert;
use crate::invariant::{Fact, Heard};
use crate::kernel::Told;
use crate::world::World;

/// What is handed to a machine.
enum Input {
    Told(Told),
    Packet(SocketId, Rc<Advert>),
    PacketsLost(SocketId),
    Timeout,
    Continue,
}

impl World {
    /// One turn of the daemon of `host`.
    pub(crate) fn turn(&mut self, host: usize) {
        if self.hosts[host].frozen || self.hosts[host].process.is_none() {
            return;
        }
        let mut in_a_row = 0;
        while let Some(told) = self.next_told(host) {
            self.hand_in(host, Input::Told(told), 0);
        }
        while let Some((socket, advert)) = self.next_packet(host) {
            self.hand_in(host, Input::Packet(socket, advert), 0);
        }
        while let Some(socket) = self.next_overflow(host) {
            self.hand_in(host, Input::PacketsLost(socket), 0);
            self.fact(Fact::Overflowed(host));
        }
        if self.timer_is_due(host) {
            self.hand_in(host, Input::Timeout, 0);
        }
        while self.has_more(host) && in_a_row <= 2 * relevo_core::limits::SLICE as u32 {
            in_a_row += 1;
            self.hand_in(host, Input::Continue, in_a_row);
        }
        self.check_addresses(host);
        self.check_interfaces(host);
        self.answer_hello(host);
        self.plan_next_turn(host);
    }

    fn next_told(&mut self, host: usize) -> Option<Told> {
        self.hosts[host].process.as_mut()?.next_told()
    }

    fn next_packet(&mut self, host: usize) -> Option<(SocketId, Rc<Advert>)> {
        self.hosts[host].process.as_mut()?.next_packet()
    }

    fn next_overflow(&mut self, host: usize) -> Option<SocketId> {
        self.hosts[host].process.as_mut()?.next_overflow()
    }

    fn has_more(&self, host: usize) -> bool {
        let process = self.hosts[host].process.as_ref();
        process.is_some_and(|process| process.node.more())
    }

    fn timer_is_due(&self, host: usize) -> bool {
        let local = self.hosts[host].clock.local(self.now);
        let process = self.hosts[host].process.as_ref();
        let next = process.and_then(|process| process.node.next_timeout());
        next.is_some_and(|(at, _)| at <= local)
    }

    fn plan_next_turn(&mut self, host: usize) {
        let Some(process) = self.hosts[host].process.as_ref() else {
            return;
        };
        if let Some((at, _)) = process.node.next_timeout() {
            let late = self.lateness();
            let due = self.hosts[host].clock.world(at);
            let soonest = self.now + Duration::from_micros(1);
            self.wake_at(host, due.max(soonest) + late);
        }
    }

    /// One call of the machine, and everything that it asks for.
    fn hand_in(&mut self, host: usize, input: Input, in_a_row: u32) {
        let now = self.now;
        let local = self.hosts[host].clock.local(now);
        let Some(process) = self.hosts[host].process.as_mut() else {
            return;
        };
        let mut out = std::mem::take(&mut process.out);
        let deadline = process.node.next_timeout();
        let had_more = process.node.more();
        match &input {
            Input::Told(told) => process.node.handle(told.event(), local, &mut out),
            Input::Packet(socket, advert) => {
                if let Some(packet) = advert.ingress() {
                    let socket = *socket;
                    let event = VrrpEvent::Packet { socket, packet };
                    process.node.handle(event, local, &mut out);
                }
            }
            Input::PacketsLost(socket) => {
                let event = VrrpEvent::PacketsLost { socket: *socket };
                process.node.handle(event, local, &mut out);
            }
            Input::Timeout => process.node.handle_timeout(local, &mut out),
            Input::Continue => process.node.handle(VrrpEvent::Continue, local, &mut out),
        }
        let next = process.node.next_timeout();
        let due = next.is_some_and(|(at, _)| at <= local);
        let stuck = matches!(input, Input::Timeout) && due && !process.node.more();
        self.note_input(host, &input, local.as_micros());
        self.fact(Fact::Called {
            host,
            actions: out.len(),
            stuck,
            in_a_row,
        });
        if let Input::Told(Told::Reload(bound)) = &input {
            self.note_reload(host, bound, &out, had_more);
        }
        let was = self.note_states(host, &out);
        if let Input::Packet(socket, advert) = &input {
            let meant = self.is_meant_for(host, *socket, advert);
            self.note_heard(host, advert, meant, &was, deadline != next);
        }
        self.on_told(host, &input);
        let survived = self.perform(host, &out, &was);
        self.former = None;
        out.clear();
        if let Some(process) = self.hosts[host].process.as_mut().filter(|_| survived) {
            process.out = out;
        }
    }

    fn on_told(&mut self, host: usize, input: &Input) {
        let Input::Told(told) = input else { return };
        let Some(process) = self.hosts[host].process.as_mut() else {
            return;
        };
        match told {
            Told::DumpEnd => process.ready = true,
            Told::Socket(socket, Ok(())) => process.on_opened(*socket),
            _ => {}
        }
    }

    /// Notes the changes of state; gives the states before.
    fn note_states(&mut self, host: usize, out: &Out<VrrpAction>) -> Vec<StateName> {
        let here = &mut self.hosts[host];
        let Some(process) = here.process.as_mut() else {
            return Vec::new();
        };
        let is = crate::host::states(&process.node);
        let was = std::mem::replace(&mut process.states, is.clone());
        for (index, (&from, &to)) in was.iter().zip(&is).enumerate() {
            if from == to {
                continue;
            }
            let instance = InstanceId(index as u32);
            let Some(member) = self.cluster.member_of(host, instance) else {
                continue;
            };
            self.line(host, || format!("** {from:?} -> {to:?} (instance {index})"));
            self.trace.mix(&[host as u64, index as u64, to as u64]);
            self.timeline.on_state(self.now, member, to);
            let can_send = self.can_send(host, member);
            let resumed = out.actions().iter().any(|action| {
                matches!(action, VrrpAction::Note(Note::Resumed { instance: of, .. }) if *of == instance)
            });
            self.fact(Fact::State {
                member,
                from,
                to,
                can_send,
                resumed,
            });
        }
        was
    }

    /// True if nothing keeps `member` from sending an advert.
    pub(crate) fn can_send(&self, host: usize, member: usize) -> bool {
        let here = &self.cluster.members[member];
        let kernel = &self.hosts[host].kernel;
        let process = self.hosts[host].process.as_ref();
        let unheard = here.address.is_ipv6()
            && process.is_some_and(|process| process.will_hear_of(here.address));
        !unheard
            && process.is_some_and(|process| process.can_send(here.ifindex))
            && kernel.has_link(here.ifindex)
            && kernel.has_address(here.ifindex, here.address)
    }

    /// A raw socket gets a copy of every packet of its protocol and interface: a unicast advert
    /// also reaches a socket that is there for multicast, where it is a bad packet.
    fn is_meant_for(&self, host: usize, socket: SocketId, advert: &Advert) -> bool {
        let process = self.hosts[host].process.as_ref();
        let socket = process.and_then(|process| process.socket(socket));
        socket.is_some_and(|socket| socket.spec.group.is_some() == advert.dst.is_multicast())
    }

    fn note_heard(
        &mut self,
        host: usize,
        advert: &Advert,
        meant: bool,
        was: &[StateName],
        timer_moved: bool,
    ) {
        let router = self.cluster.members[advert.member].router;
        let Some(to) = self.cluster.on_host_in(host, router) else {
            return;
        };
        if !advert.intact {
            self.checker.marks.damaged += 1;
        }
        let instance = self.cluster.members[to].instance.0 as usize;
        let is = self.hosts[host]
            .process
            .as_ref()
            .and_then(|process| process.states.get(instance).copied());
        if let (Some(&was), Some(is)) = (was.get(instance), is) {
            self.fact(Fact::Heard(Heard {
                to,
                from: advert.member,
                priority: advert.priority,
                intact: advert.intact && meant,
                was,
                is,
                timer_moved,
            }));
        }
    }

    fn note_input(&mut self, host: usize, input: &Input, local: u64) {
        self.trace.mix(&[self.now.as_micros(), host as u64, local]);
        match input {
            Input::Packet(_, advert) => self.trace.mix_bytes(&advert.bytes),
            Input::Told(_) => self.trace.mix(&[1]),
            Input::Timeout => self.trace.mix(&[2]),
            Input::Continue => self.trace.mix(&[3]),
            Input::PacketsLost(_) => self.trace.mix(&[4]),
        }
        let local = Instant::from_micros(local);
        match input {
            Input::Packet(socket, advert) => self.line(host, || {
                let damage = if advert.intact { "" } else { ", damaged" };
                let (src, priority) = (advert.src, advert.priority);
                let socket = *socket;
                let line = advert
                    .ingress()
                    .map(|packet| trace::event_line(local, &VrrpEvent::Packet { socket, packet }));
                let line = line.unwrap_or_default();
                format!("{line}  # from {src}, priority {priority}{damage}")
            }),
            Input::Told(told) => self.line(host, || trace::event_line(local, &told.event())),
            Input::PacketsLost(socket) => self.line(host, || {
                trace::event_line(local, &VrrpEvent::PacketsLost { socket: *socket })
            }),
            Input::Timeout => self.line(host, || trace::timeout_line(local)),
            Input::Continue => {
                self.line(host, || trace::event_line(local, &VrrpEvent::Continue));
            }
        }
    }
}
