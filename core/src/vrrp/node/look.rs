//! What happens to interfaces and addresses, and what it means to the instances on them.
//!
//! Each look works the conditions of operation out afresh from what is known of interfaces,
//! addresses and sockets. An instance is in FAULT exactly while one of them is not met; there is
//! nothing that could get out of step.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Phase, VrrpNode};
use crate::config::bound::{Destination, InstanceConfig};
use crate::ids::{Family, IfIndex, InstanceId};
use crate::kernel::links::{LinkState, Readiness, Unsourced};
use crate::kernel::{AddressKey, Link, ROUTE_PROTOCOL};
use crate::machine::Out;
use crate::time::{Duration, Instant};
use crate::vrrp::event::{SocketSpec, VrrpAction};
use crate::vrrp::instance::State;
use crate::vrrp::note::{Cause, Device, Fault, LinkNews, Note};
use crate::vrrp::sockets::Status;

impl VrrpNode {
    /// A description of an interface: new, changed, renamed, or the same as before.
    pub(super) fn on_link(&mut self, link: &Link<'_>, now: Instant, out: &mut Out<VrrpAction>) {
        if let Some(former) = self.links.free_name(link.name, link.ifindex) {
            self.tell_interface(link.name, LinkNews::Deleted, now, out);
            self.on_interface_gone(former, link.name, now, out);
        }
        let before = self.links.get(link.ifindex).cloned();
        let renamed = self.links.on_link(link);
        if let Some(old) = &renamed {
            self.tell_interface(old, LinkNews::Renamed, now, out);
            self.on_interface_gone(link.ifindex, old, now, out);
        }
        let before = before.filter(|_| renamed.is_none());
        if before.is_none() {
            self.tell_interface(link.name, LinkNews::Added, now, out);
        }
        let worked = before.as_ref().is_some_and(|before| before.working);
        let works = link.admin_up && link.running;
        if worked != works {
            let news = if works { LinkNews::Up } else { LinkNews::Down };
            self.tell_interface(link.name, news, now, out);
        }
        self.look_at(link.name, now, out);
        if let Some(before) = before {
            self.look_at_hardware_address(link, &before, now, out);
        }
    }

    /// The neighbours know the addresses of a master by the old hardware address.
    fn look_at_hardware_address(
        &mut self,
        link: &Link<'_>,
        before: &LinkState,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        let mac = self.links.get(link.ifindex).and_then(|link| link.mac);
        if mac.is_none() || mac == before.mac {
            return;
        }
        for id in self.watchers.get(link.name).cloned().unwrap_or_default() {
            self.with(id, now, out, |instance, ctx| instance.announce_anew(ctx));
        }
    }

    /// An interface was deleted.
    pub(super) fn on_link_gone(
        &mut self,
        ifindex: IfIndex,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        let name = self.links.on_link_gone(ifindex);
        self.addresses.ledger.forget(|key| key.ifindex == ifindex);
        if let Some(name) = name {
            self.tell_interface(&name, LinkNews::Deleted, now, out);
            self.on_interface_gone(ifindex, &name, now, out);
        }
    }

    /// An interface is gone, or has another name now: whoever worked on it looks again, and says
    /// farewell if it still can; then its sockets are closed.
    pub(super) fn on_interface_gone(
        &mut self,
        ifindex: IfIndex,
        name: &str,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        self.look_at(name, now, out);
        for socket in self.sockets.on_interface(ifindex) {
            for id in self.sockets.close(socket, out) {
                let instance = &mut self.instances[id.0 as usize];
                instance.socket = None;
                instance.socket_failed = None;
            }
        }
    }

    /// Something happened to the interface called `name`.
    pub(super) fn look_at(&mut self, name: &str, now: Instant, out: &mut Out<VrrpAction>) {
        if self.phase != Phase::Running {
            return;
        }
        let Some(watchers) = self.watchers.get(name).cloned() else {
            return;
        };
        for id in watchers {
            self.look(id, now, out);
        }
    }

    /// What adverts of the family of `key` would be sent from, on its interface.
    pub(super) fn source_of(&self, key: AddressKey) -> Result<IpAddr, Unsourced> {
        self.links.source(key.ifindex, Family::of(key.addr))
    }

    /// An address came, went or changed; before that, `before` was what adverts were sent from.
    /// Thousands of addresses may do so while the answer stays the same.
    pub(super) fn look_at_source(
        &mut self,
        key: AddressKey,
        before: Result<IpAddr, Unsourced>,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        if self.phase != Phase::Running || self.source_of(key) == before {
            return;
        }
        let name = self.links.get(key.ifindex).map(|link| link.name.clone());
        if let Some(name) = name {
            self.look_at(&name, now, out);
        }
    }

    /// True for an address that comes and goes with a mastership. The prefix counts: 10.0.0.1/32 may
    /// be borrowed on an interface that has 10.0.0.1/24 of its own (rfc-checklist K-6).
    pub(super) fn is_virtual(&self, key: AddressKey) -> bool {
        self.virtual_addresses.contains((key.addr, key.prefix))
            || self.addresses.ledger.is_ours(key)
            || self.links.address_protocol(key) == Some(ROUTE_PROTOCOL)
    }

    /// Removes what a former run left behind on an interface that has another name by now.
    pub(super) fn remove_strays(&mut self, kept: &BTreeSet<AddressKey>) {
        let mut configured = BTreeMap::new();
        for (id, config) in self.bound.iter() {
            let here = config.all_addresses();
            configured.extend(here.map(|address| ((address.addr, address.prefix), id)));
        }
        for key in self.links.marked(ROUTE_PROTOCOL) {
            if let Some(&id) = configured.get(&(key.addr, key.prefix))
                && !self.addresses.ledger.is_ours(key)
                && !kept.contains(&key)
            {
                self.addresses.remove_leftover(Some(id), key);
            }
        }
    }

    /// Keeps what is known of an address in step, whenever one of the three things that make it
    /// virtual may have changed.
    pub(super) fn note_borrowed(&mut self, key: AddressKey) {
        let borrowed = self.is_virtual(key);
        self.links.set_borrowed(key, borrowed);
    }

    /// True if every interface's source is what a look at all of its addresses would find. For
    /// tests.
    #[doc(hidden)]
    pub fn sources_agree(&self) -> bool {
        self.links.indexes().all(|ifindex| {
            [Family::V4, Family::V6].into_iter().all(|family| {
                let scanned = |key| self.is_virtual(key);
                let scanned = self.links.source_by_scan(ifindex, family, scanned);
                self.links.source(ifindex, family).ok() == scanned
            })
        })
    }

    /// The conditions of operation of a virtual router that are not met, with the time since when;
    /// the one that explains most comes first. It is in FAULT exactly while there is one, apart
    /// from the moment between the start and the answer to the opening of its socket.
    pub fn unmet_conditions(&self, id: InstanceId) -> impl Iterator<Item = (Fault, Instant)> {
        self.instances[id.0 as usize].conditions.iter()
    }

    /// Works the conditions of operation of `id` out afresh and acts on what they are now.
    pub(super) fn look(&mut self, id: InstanceId, now: Instant, out: &mut Out<VrrpAction>) {
        if self.phase != Phase::Running || !self.may_start(id) || self.is_dismissed(id) {
            return;
        }
        let source = self.attach(id, out);
        let unmet = self.find_unmet(id, source);
        let instance = &mut self.instances[id.0 as usize];
        let mut changes = instance.conditions.update(&unmet, now);
        let initial = matches!(instance.state, State::Init);
        let worst = instance.conditions.first();
        for (fault, lasted) in changes.cleared {
            self.tell_condition(id, fault, Some(lasted), now, out);
        }
        if initial && worst != Some(Fault::NoSocket) {
            self.weigh_again(id, worst.is_none(), now, out);
            if !self.may_start(id) {
                return;
            }
        }
        match (&self.instances[id.0 as usize].state, worst) {
            // Nothing but the answer is awaited.
            (State::Init, Some(Fault::NoSocket)) => {}
            (State::Init | State::Backup(_) | State::Master(_), Some(fault)) => {
                changes.appeared.retain(|other| *other != fault);
                let cause = Cause::Fault(fault);
                self.with(id, now, out, |instance, ctx| {
                    instance.become_fault(cause, initial, ctx);
                });
            }
            (State::Init | State::Fault, None) => {
                self.with(id, now, out, |instance, ctx| instance.start(initial, ctx));
            }
            (State::Fault, Some(_)) | (State::Backup(_) | State::Master(_), None) => {}
        }
        for fault in changes.appeared {
            self.tell_condition(id, fault, None, now, out);
        }
    }

    /// Tells of a condition that is not met any more, or again after it was not for `lasted`.
    fn tell_condition(
        &mut self,
        id: InstanceId,
        fault: Fault,
        lasted: Option<Duration>,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        let known = match fault {
            // The answer follows at once.
            Fault::NoSocket => true,
            // Told when the answer came.
            Fault::SocketFailed(_) => lasted.is_none(),
            Fault::InterfaceMissing(_)
            | Fault::InterfaceDown(_)
            | Fault::NoCarrier(_)
            | Fault::NoSource
            | Fault::SourceTentative
            | Fault::SourceDuplicate => false,
        };
        let budget = &mut self.instances[id.0 as usize].tell_budget;
        if !known && let Some(untold) = budget.spend(now) {
            let instance = id;
            out.push(VrrpAction::Note(Note::Condition {
                instance,
                fault,
                lasted,
                untold,
            }));
        }
    }

    /// Tells of the interface called `name`, if anybody works on it.
    fn tell_interface(
        &mut self,
        name: &str,
        news: LinkNews,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        if self.phase != Phase::Running {
            return;
        }
        let first = self.watchers.get(name).and_then(|ids| ids.first());
        let Some(&instance) = first else {
            return;
        };
        let device = device_called(self.bound.instance(instance), name);
        if self.tell_budget.spend(now).is_some() {
            out.push(VrrpAction::Note(Note::Interface {
                instance,
                device,
                news,
            }));
        }
    }

    /// Finds the interface, the source address and the socket of `id`; returns the source address,
    /// or why there is none.
    fn attach(&mut self, id: InstanceId, out: &mut Out<VrrpAction>) -> Result<IpAddr, Unsourced> {
        let config = self.bound.instance(id);
        let link = self.links.named(&config.interface);
        let ifindex = link.map(|(ifindex, _)| ifindex);
        let can_open = link.is_some_and(|(_, link)| link.admin_up);
        let mtu = link.map_or(0, |(_, link)| link.mtu);
        let each = self.bound.global.receiving.wanted_by(config, mtu);
        let source = match (config.source, ifindex) {
            (Some(source), _) if self.waits_for_source(id) => self.links.configured_source(source),
            (Some(source), _) => Ok(source),
            (None, Some(ifindex)) => self.links.source(ifindex, config.family),
            (None, None) => Err(Unsourced::None),
        };
        let instance = &mut self.instances[id.0 as usize];
        instance.ifindex = ifindex;
        // A farewell may still come from an IPv4 address that is gone (behaviour.md 3.8), and from
        // any address of an interface that only has another name now.
        if source.is_ok() || (config.family == Family::V6 && ifindex.is_some()) {
            instance.source = source.ok();
        }
        if let (None, true, Some(ifindex)) = (instance.socket, can_open, ifindex) {
            let spec = SocketSpec {
                ifindex,
                family: config.family,
                group: group_of(config),
            };
            let sharers = self.watchers.get(&config.interface).map_or(1, Vec::len) as u32;
            let local = config.source.filter(|_| spec.group.is_none());
            let router = (config.vrid, local, id);
            let socket = self.sockets.attach(spec, router, (sharers, each), out);
            instance.socket = Some(socket);
        }
        source
    }

    /// A unicast router begins only where its `unicast_src_ip` is on the host, for its peers send
    /// there: without it it would hear no master, and become a second one. As in the original it
    /// is not looked for any more once it works.
    fn waits_for_source(&self, id: InstanceId) -> bool {
        let unicast = matches!(self.bound.instance(id).destination, Destination::Unicast(_));
        match self.instances[id.0 as usize].state {
            State::Init | State::Fault => unicast,
            State::Backup(_) | State::Master(_) => false,
        }
    }

    /// The address came, went or changed: whoever waits for it as its source looks.
    pub(super) fn look_at_configured_source(
        &mut self,
        addr: IpAddr,
        now: Instant,
        out: &mut Out<VrrpAction>,
    ) {
        if self.phase != Phase::Running {
            return;
        }
        let all = self.configured_sources.get(&addr);
        for id in all.cloned().unwrap_or_default() {
            if self.waits_for_source(id) {
                self.look(id, now, out);
            }
        }
    }

    fn find_unmet(&self, id: InstanceId, source: Result<IpAddr, Unsourced>) -> BTreeSet<Fault> {
        let config = self.bound.instance(id);
        let mut unmet = BTreeSet::new();
        let link = self.links.named(&config.interface).map(|(_, link)| link);
        if let Some(link) = link {
            if !config.dont_track_primary {
                unmet.extend(unmet_by(Some(link), Device::Own));
            }
            unmet.extend(self.socket_unmet(id, link, unmet.is_empty()));
        } else {
            unmet.insert(Fault::InterfaceMissing(Device::Own));
        }
        if let Err(why) = source {
            unmet.insert(match why {
                Unsourced::None => Fault::NoSource,
                Unsourced::Tentative => Fault::SourceTentative,
                Unsourced::Duplicate => Fault::SourceDuplicate,
            });
        }
        let mut seen = None;
        for (number, address) in (0..).zip(config.all_addresses()) {
            // Thousands in a row may be on one interface.
            let Some(dev) = address.dev.as_deref().filter(|dev| seen != Some(*dev)) else {
                continue;
            };
            seen = Some(dev);
            let device = device_called(config, dev);
            if device == Device::OfAddress(number) {
                let link = self.links.named(dev).map(|(_, link)| link);
                unmet.extend(unmet_by(link, device));
            }
        }
        unmet
    }

    /// What is wrong with the socket of `id`, unless the state of the interface explains it.
    fn socket_unmet(&self, id: InstanceId, link: &LinkState, link_works: bool) -> Option<Fault> {
        let instance = &self.instances[id.0 as usize];
        let socket = instance.socket.and_then(|it| self.sockets.status(it));
        match (socket, instance.socket_failed) {
            (Some(Status::Open), _) => None,
            _ if !link.admin_up && !link_works => None,
            (_, Some(errno)) => Some(Fault::SocketFailed(errno)),
            (Some(Status::Failed(errno)), None) => Some(Fault::SocketFailed(errno)),
            (Some(Status::Pending) | None, None) => Some(Fault::NoSocket),
        }
    }
}

/// What keeps an interface from carrying packets.
fn unmet_by(link: Option<&LinkState>, device: Device) -> Option<Fault> {
    match link {
        None => Some(Fault::InterfaceMissing(device)),
        Some(link) if !link.admin_up => Some(Fault::InterfaceDown(device)),
        Some(link) if !link.running => Some(Fault::NoCarrier(device)),
        Some(_) => None,
    }
}

/// Which of its interfaces the virtual router knows as `name`.
fn device_called(config: &InstanceConfig, name: &str) -> Device {
    if config.interface == name {
        return Device::Own;
    }
    let mut addresses = (0..).zip(config.all_addresses());
    let first = addresses.find(|(_, address)| address.dev.as_deref() == Some(name));
    first.map_or(Device::Own, |(number, _)| Device::OfAddress(number))
}

/// Optimistic addresses are usable while they are tentative; the runtime does not call them so.
pub(super) const fn readiness_of(tentative: bool, dad_failed: bool) -> Readiness {
    match (tentative, dad_failed) {
        (_, true) => Readiness::Duplicate,
        (true, false) => Readiness::Tentative,
        (false, false) => Readiness::Usable,
    }
}

fn group_of(config: &InstanceConfig) -> Option<IpAddr> {
    match &config.destination {
        Destination::Multicast(group) => Some(*group),
        Destination::Unicast(_) => None,
    }
}
