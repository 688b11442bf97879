//! Renders a [`Note`] as one log line.
//!
//! The lines of behaviour.md 1.10 keep keepalived's wording, because programs match them; every
//! other text is ours and says what happened, to whom, and what to do where something can be done.

use std::fmt;
use std::net::IpAddr;

use crate::config::bound::{Bound, InstanceConfig};
use crate::ids::{Errno, InstanceId};
use crate::kernel::AddressKey;
use crate::time::Duration;
use crate::vrrp::StateName;
use crate::vrrp::note::{Cause, Device, Discard, Discarded, Fault, LinkNews, Note};
use crate::vrrp::snapshot::RecordError;

/// A note with the configuration that gives its instances their names.
#[derive(Copy, Clone, Debug)]
pub struct Rendered<'a> {
    /// The configuration in force.
    pub bound: &'a Bound,
    /// What to tell.
    pub note: &'a Note,
}

impl Rendered<'_> {
    fn name(&self, id: InstanceId) -> &str {
        self.bound
            .instances
            .get(id.0 as usize)
            .map_or("?", |config| &config.name)
    }

    /// An address with the name of its interface, as far as the configuration tells it.
    fn address<'b>(&'b self, id: Option<InstanceId>, key: &'b AddressKey) -> Address<'b> {
        let holder = |config: &&InstanceConfig| config.holds(key.addr);
        let of = id.and_then(|id| self.bound.instances.get(id.0 as usize));
        let config = of.or_else(|| self.bound.instances.iter().find(holder));
        let dev = config.and_then(|config| config.device_of(key.addr));
        Address { key, dev }
    }

    fn interface(&self, id: InstanceId) -> &str {
        self.bound
            .instances
            .get(id.0 as usize)
            .map_or("?", |config| &config.interface)
    }
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |id: &InstanceId| self.name(*id);
        match self.note {
            Note::Entering {
                instance,
                state,
                initial,
            } => {
                let initial = if *initial { " (init)" } else { "" };
                write!(
                    f,
                    "({}) Entering {} STATE{initial}",
                    name(instance),
                    upper(*state)
                )
            }
            Note::Cause { instance, cause } => {
                write!(f, "({}) ", name(instance))?;
                self.write_cause(f, *instance, cause)
            }
            Note::Discarded {
                instance,
                src,
                reason,
            } => write!(
                f,
                "({}) discarded an advert from {src}: {} (counted; told once until the state or \
                 the master changes)",
                name(instance),
                discard_text(*reason)
            ),
            Note::DiscardedUnknown { socket, reason } => write!(
                f,
                "discarded a packet on socket {}: {} (counted; told once)",
                socket.0,
                discard_text(*reason)
            ),
            note => self.write_rest(f, note),
        }
    }
}

impl Rendered<'_> {
    fn write_rest(&self, f: &mut fmt::Formatter<'_>, note: &Note) -> fmt::Result {
        let name = |id: &InstanceId| self.name(*id);
        match note {
            Note::DiscardedSum {
                instance,
                discarded,
            } => write_sum(f, instance.as_ref().map(name), discarded),
            Note::LowerPriorityMaster {
                instance,
                src,
                theirs,
                ours,
            } => write!(
                f,
                "({}) {src} claims to be master with priority {theirs}, we have {ours}: we stay, \
                 and announce ourselves again",
                name(instance)
            ),
            Note::LowerPriorityHeard {
                instance,
                src,
                theirs,
                ours,
            } => write!(
                f,
                "({}) master {src} has priority {theirs}, below our {ours}: we take over when \
                 the master-down timer fires",
                name(instance)
            ),
            Note::AddressListDiffers { instance, src } => write!(
                f,
                "({}) the adverts of {src} list other virtual addresses than ours: they are \
                 followed, but the configurations should agree",
                name(instance)
            ),
            Note::IntervalDiffers {
                instance,
                src,
                theirs,
                ours,
            } => write!(
                f,
                "({}) {src} sends an advert every {theirs} s, we are configured for {ours} s: \
                 we follow its interval while it is master",
                name(instance)
            ),
            Note::Leftover { instance, key } => write!(
                f,
                "({}) {} was left behind by a former run and is removed",
                instance.as_ref().map_or("not configured any more", name),
                self.address(*instance, key)
            ),
            note => self.write_rule_note(f, note),
        }
    }

    /// What is told when a process takes the place of another.
    fn write_resumption(&self, f: &mut fmt::Formatter<'_>, note: &Note) -> fmt::Result {
        match note {
            Note::Resumed {
                instance,
                state,
                silent,
            } => {
                let (name, state) = (self.name(*instance), upper(*state));
                write!(f, "({name}) resumes as {state}")?;
                match silent {
                    Some(silent) => write!(f, ", last advert {silent} s ago"),
                    None => Ok(()),
                }
            }
            Note::ResumedTooLate { instance, silent } => {
                let name = self.name(*instance);
                write!(f, "({name}) the former process was master")?;
                match silent {
                    Some(silent) => write!(
                        f,
                        ", its last advert left {silent} s ago: another may have taken over, so we \
                         start anew"
                    ),
                    None => f.write_str(", which we cannot go on with now: we start anew"),
                }
            }
            Note::RecordRefused { slot, error } => {
                let why = match error {
                    RecordError::Length => "its length is wrong",
                    RecordError::Version => "another version of this program has written it",
                    RecordError::Checksum => "its checksum is wrong",
                    RecordError::Value => "a value in it makes no sense",
                };
                write!(
                    f,
                    "What the former process left in slot {slot} cannot be used ({why}): a virtual \
                     router starts anew"
                )
            }
            _ => Ok(()),
        }
    }

    fn write_rule_note(&self, f: &mut fmt::Formatter<'_>, note: &Note) -> fmt::Result {
        let name = |id: &InstanceId| self.name(*id);
        match note {
            Note::ChecksumLearned { instance, src, old } => write!(
                f,
                "({}) {src} sends VRRPv3 checksums {}: so do we from now on",
                name(instance),
                if *old {
                    "in the old way of unicast, with the multicast group in place of our address"
                } else {
                    "in the usual way again"
                }
            ),
            Note::TwoOwners { instance, src } => write!(
                f,
                "({}) {src} says that it owns the addresses (priority 255), and so are we \
                 configured: give all routers but one a lower priority",
                name(instance)
            ),
            Note::StartupDelay { delay } => write!(
                f,
                "for {delay} s adverts are not heard, and no address is taken (startup delay)"
            ),
            Note::Late { instance, by } => write!(
                f,
                "({}) woke up {by} s late: adverts may have been missed meanwhile, so the master \
                 gets one more interval before we take over",
                name(instance)
            ),
            Note::PacketsLost { instance } => write!(
                f,
                "({}) adverts may be among the packets that came faster than they were read, or that \
                 are not trusted yet: the master gets one more interval before we take over",
                name(instance)
            ),
            Note::Slept { instance, by } => write!(
                f,
                "({}) woke up {by} s late as master: another may have taken over meanwhile, so we \
                 say that we are here and announce the addresses again",
                name(instance)
            ),
            Note::SendFailed {
                instance,
                dst,
                errno,
            } => write!(
                f,
                "({}) cannot send adverts to {dst}: {}",
                name(instance),
                ErrorText(*errno)
            ),
            note => self.write_kernel_note(f, note),
        }
    }

    fn write_kernel_note(&self, f: &mut fmt::Formatter<'_>, note: &Note) -> fmt::Result {
        let name = |id: &InstanceId| self.name(*id);
        match note {
            Note::AddressFailed {
                instance,
                key,
                adding,
                errno,
            } => {
                if let Some(instance) = instance {
                    write!(f, "({}) ", name(instance))?;
                }
                let verb = if *adding { "add" } else { "remove" };
                write!(
                    f,
                    "cannot {verb} {}: {}",
                    self.address(*instance, key),
                    ErrorText(*errno)
                )
            }
            Note::AddressFound { instance, key } => write!(
                f,
                "({}) {} was there already: it is used, and stays when we leave",
                name(instance),
                self.address(Some(*instance), key)
            ),
            Note::AddressTaken { instance, key } => write!(
                f,
                "({}) another program deleted {}",
                name(instance),
                self.address(Some(*instance), key)
            ),
            note => self.write_socket_note(f, note),
        }
    }

    fn write_socket_note(&self, f: &mut fmt::Formatter<'_>, note: &Note) -> fmt::Result {
        let name = |id: &InstanceId| self.name(*id);
        match note {
            Note::Condition {
                instance,
                fault,
                lasted,
                untold,
            } => self.write_condition(f, *instance, (*fault, *lasted, *untold)),
            Note::Interface {
                instance,
                device,
                news,
            } => write_news(f, self.device(*instance, *device), *news),
            Note::SocketFailed {
                instance,
                ifindex,
                errno,
            } => write!(
                f,
                "({}) cannot open the VRRP socket on {} (interface {}): {}",
                name(instance),
                self.interface(*instance),
                ifindex.0,
                ErrorText(*errno)
            ),
            Note::Stopped => f.write_str("Stopped"),
            Note::Resumed { .. } | Note::ResumedTooLate { .. } | Note::RecordRefused { .. } => {
                self.write_resumption(f, note)
            }
            Note::Entering { .. }
            | Note::Cause { .. }
            | Note::Discarded { .. }
            | Note::DiscardedUnknown { .. }
            | Note::DiscardedSum { .. }
            | Note::LowerPriorityMaster { .. }
            | Note::LowerPriorityHeard { .. }
            | Note::AddressListDiffers { .. }
            | Note::IntervalDiffers { .. }
            | Note::ChecksumLearned { .. }
            | Note::TwoOwners { .. }
            | Note::StartupDelay { .. }
            | Note::Late { .. }
            | Note::PacketsLost { .. }
            | Note::Slept { .. }
            | Note::SendFailed { .. }
            | Note::Leftover { .. }
            | Note::AddressFailed { .. }
            | Note::AddressFound { .. }
            | Note::AddressTaken { .. } => Ok(()),
        }
    }
}

impl Rendered<'_> {
    fn write_cause(
        &self,
        f: &mut fmt::Formatter<'_>,
        instance: InstanceId,
        cause: &Cause,
    ) -> fmt::Result {
        match cause {
            Cause::Startup => f.write_str("starts, and listens for a master first"),
            Cause::Owner => f.write_str("owns its addresses (priority 255) and does not wait"),
            Cause::MasterDown {
                after,
                last_master: Some(master),
            } => {
                write!(
                    f,
                    "no advert for {after} s (master was {master}): master-down timer expired"
                )
            }
            Cause::MasterDown {
                after,
                last_master: None,
            } => {
                write!(
                    f,
                    "no master heard for {after} s: master-down timer expired"
                )
            }
            Cause::PriorityZero { src } => {
                write!(
                    f,
                    "master {src} let go (priority 0), and no other has come within the skew time"
                )
            }
            Cause::HigherPriority { src, theirs, ours } => {
                write!(f, "{src} has priority {theirs}, above our {ours}: we yield")
            }
            Cause::HigherAddress { src, priority } => {
                write!(
                    f,
                    "{src} has our priority {priority} and the higher address: we yield"
                )
            }
            Cause::Fault(fault) => self.write_fault(f, instance, *fault),
            Cause::Slept { by, priority } => write!(
                f,
                "our advert is {by} s late: a router of priority {priority} has taken over by now, \
                 so we listen first"
            ),
            Cause::Recovered => f.write_str("every condition of operation is met again"),
            Cause::AddressTaken { key } => {
                write!(
                    f,
                    "{}/{} is gone: steps down, and comes back after the skew time",
                    key.addr, key.prefix
                )
            }
        }
    }

    fn write_condition(
        &self,
        f: &mut fmt::Formatter<'_>,
        instance: InstanceId,
        (fault, lasted, untold): (Fault, Option<Duration>, u32),
    ) -> fmt::Result {
        write!(f, "({}) ", self.name(instance))?;
        match lasted {
            None => f.write_str("fault: ")?,
            Some(lasted) => write!(f, "fault over after {lasted} s: ")?,
        }
        self.write_fault(f, instance, fault)?;
        if untold > 0 {
            write!(f, " ({untold} changes before this one were not told)")?;
        }
        Ok(())
    }

    /// An IPv6 address to send adverts from.
    fn write_source(&self, f: &mut fmt::Formatter<'_>, instance: InstanceId) -> fmt::Result {
        match self.configured_source(instance) {
            Some(source) => write!(f, "{source} (unicast_src_ip)"),
            None => {
                let interface = self.interface(instance);
                write!(f, "the link-local address of {interface}")
            }
        }
    }

    fn configured_source(&self, instance: InstanceId) -> Option<IpAddr> {
        let config = self.bound.instances.get(instance.0 as usize)?;
        config.source
    }

    fn write_fault(
        &self,
        f: &mut fmt::Formatter<'_>,
        instance: InstanceId,
        fault: Fault,
    ) -> fmt::Result {
        let device = |device| self.device(instance, device);
        let interface = self.interface(instance);
        match fault {
            Fault::InterfaceMissing(which) => {
                write!(f, "interface {} does not exist", device(which))
            }
            Fault::InterfaceDown(which) => write!(f, "interface {} is down", device(which)),
            Fault::NoCarrier(which) => write!(f, "interface {} has no carrier", device(which)),
            Fault::NoSource => match self.configured_source(instance) {
                Some(source) => write!(f, "{source} (unicast_src_ip) is not on this host"),
                None => write!(
                    f,
                    "interface {interface} has no address to send adverts from"
                ),
            },
            Fault::SourceTentative => {
                self.write_source(f, instance)?;
                f.write_str(" is still being checked for duplicates")
            }
            Fault::SourceDuplicate => {
                f.write_str("another host has ")?;
                self.write_source(f, instance)?;
                f.write_str(" too")
            }
            Fault::SocketFailed(errno) => write!(
                f,
                "the VRRP socket on {interface} could not be opened: {}",
                ErrorText(errno)
            ),
            Fault::NoSocket => write!(f, "the VRRP socket on {interface} is not open"),
        }
    }

    /// The name of an interface of `id`.
    fn device(&self, id: InstanceId, device: Device) -> &str {
        let config = self.bound.instances.get(id.0 as usize);
        match device {
            Device::Own => self.interface(id),
            Device::OfAddress(number) => config
                .and_then(|config| config.all_addresses().nth(number as usize))
                .and_then(|address| address.dev.as_deref())
                .unwrap_or("?"),
        }
    }
}

/// Why an instance changed its state, in the words of the log.
#[derive(Copy, Clone, Debug)]
pub struct CauseText<'a> {
    /// The configuration in force.
    pub bound: &'a Bound,
    /// Which instance.
    pub id: InstanceId,
    /// Why.
    pub cause: &'a Cause,
}

impl fmt::Display for CauseText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bound, id, cause } = *self;
        let note = &Note::Stopped;
        Rendered { bound, note }.write_cause(f, id, cause)
    }
}

/// A condition of operation that is not met, in the words of the log.
#[derive(Copy, Clone, Debug)]
pub struct FaultText<'a> {
    /// The configuration in force.
    pub bound: &'a Bound,
    /// Which instance.
    pub id: InstanceId,
    /// Which condition.
    pub fault: Fault,
}

impl fmt::Display for FaultText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bound, id, fault } = *self;
        let note = &Note::Stopped;
        Rendered { bound, note }.write_fault(f, id, fault)
    }
}

fn write_news(f: &mut fmt::Formatter<'_>, name: &str, news: LinkNews) -> fmt::Result {
    match news {
        LinkNews::Added => write!(f, "Interface {name} added"),
        LinkNews::Deleted => write!(f, "Interface {name} deleted"),
        LinkNews::Renamed => write!(f, "Interface {name} has another name now"),
        LinkNews::Up => write!(f, "Netlink reports {name} up"),
        LinkNews::Down => write!(f, "Netlink reports {name} down"),
    }
}

/// `discarded 12 packets in 60 s: TTL 7, checksum 5`.
fn write_sum(f: &mut fmt::Formatter<'_>, name: Option<&str>, sum: &Discarded) -> fmt::Result {
    if let Some(name) = name {
        write!(f, "({name}) ")?;
    }
    let (packets, seconds) = (sum.total(), sum.over.as_secs());
    write!(f, "discarded {packets} packets in {seconds} s")?;
    let mut sign = ':';
    for reason in Discard::ALL {
        let count = sum.counts[reason.index()];
        if count > 0 {
            write!(f, "{sign} {} {count}", discard_word(reason))?;
            sign = ',';
        }
    }
    Ok(())
}

/// The reason in as few words as a list of counters has room for.
const fn discard_word(reason: Discard) -> &'static str {
    match reason {
        Discard::IpHeader => "IP header",
        Discard::Length => "length",
        Discard::Ttl => "TTL",
        Discard::Version => "version",
        Discard::AuthTypeUnknown => "unknown authentication type",
        Discard::AuthTypeMismatch => "authentication type",
        Discard::AuthFailure => "password",
        Discard::Interval => "interval",
        Discard::Type => "type",
        Discard::Checksum => "checksum",
        Discard::Destination => "destination",
        Discard::UnknownPeer => "unknown peer",
        Discard::Vrid => "virtual router id",
        Discard::Own => "own address",
        Discard::OwnerIgnores => "heard as owner",
    }
}

fn discard_text(reason: Discard) -> &'static str {
    match reason {
        Discard::IpHeader => "not a whole IP packet of protocol 112",
        Discard::Length => "its length does not fit its address count and version",
        Discard::Ttl => {
            "its TTL is not 255 (or not within its peer's limits), so it did not come from this link"
        }
        Discard::Version => "it is of another VRRP version than configured",
        Discard::AuthTypeUnknown => "its authentication type does not exist",
        Discard::AuthTypeMismatch => "its authentication type is not the configured one",
        Discard::AuthFailure => "wrong password",
        Discard::Interval => "its interval is not ours, which VRRPv2 forbids",
        Discard::Type => "it is not an advertisement",
        Discard::Checksum => "wrong checksum",
        Discard::Destination => "multicast at a unicast instance, or the reverse",
        Discard::UnknownPeer => "the sender is not one of the configured peers",
        Discard::Vrid => "no instance has its virtual router id",
        Discard::Own => "it carries our own source address",
        Discard::OwnerIgnores => "we own the addresses, and are configured to listen to nobody",
    }
}

fn upper(state: StateName) -> &'static str {
    match state {
        StateName::Init => "INIT",
        StateName::Backup => "BACKUP",
        StateName::Master => "MASTER",
        StateName::Fault => "FAULT",
    }
}

struct Address<'a> {
    key: &'a AddressKey,
    dev: Option<&'a str>,
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.key.addr, self.key.prefix)?;
        match self.dev {
            Some(dev) => write!(f, " on {dev}"),
            None => write!(f, " on interface {}", self.key.ifindex.0),
        }
    }
}

struct ErrorText(Errno);

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", std::io::Error::from_raw_os_error(self.0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(note: &Note) -> String {
        Rendered {
            bound: &Bound::default(),
            note,
        }
        .to_string()
    }

    #[test]
    fn the_lines_that_programs_match_keep_their_wording() {
        let instance = InstanceId(0);
        let entering = |state, initial| {
            line(&Note::Entering {
                instance,
                state,
                initial,
            })
        };
        assert_eq!(
            entering(StateName::Master, false),
            "(?) Entering MASTER STATE"
        );
        assert_eq!(
            entering(StateName::Backup, true),
            "(?) Entering BACKUP STATE (init)"
        );
        assert_eq!(
            entering(StateName::Fault, true),
            "(?) Entering FAULT STATE (init)"
        );
        assert_eq!(line(&Note::Stopped), "Stopped");
        let interface = |news| {
            line(&Note::Interface {
                instance,
                device: Device::Own,
                news,
            })
        };
        assert_eq!(interface(LinkNews::Up), "Netlink reports ? up");
        assert_eq!(interface(LinkNews::Down), "Netlink reports ? down");
        assert_eq!(interface(LinkNews::Added), "Interface ? added");
        assert_eq!(interface(LinkNews::Deleted), "Interface ? deleted");
    }

    #[test]
    fn a_sum_lists_what_there_was() {
        let mut counts = Box::new([0; Discard::ALL.len()]);
        counts[Discard::Ttl.index()] = 7;
        counts[Discard::Checksum.index()] = 5;
        let discarded = Discarded {
            over: Duration::from_secs(60),
            counts,
        };
        let text = line(&Note::DiscardedSum {
            instance: None,
            discarded,
        });
        assert_eq!(text, "discarded 12 packets in 60 s: TTL 7, checksum 5");
    }

    #[test]
    fn a_cause_names_its_figures() {
        let cause = Cause::MasterDown {
            after: Duration::from_micros(3_609_375),
            last_master: Some("10.0.0.1".parse().unwrap()),
        };
        let text = line(&Note::Cause {
            instance: InstanceId(0),
            cause,
        });
        assert!(
            text.contains("3.609375 s") && text.contains("10.0.0.1"),
            "{text}"
        );
    }
}
