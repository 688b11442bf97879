//! A [`Config`] and the facts of a host into a [`Bound`]: defaults, clean-ups and cross-checks.
//!
//! Each pass looks at one matter and is named after it. The order of the passes is that of
//! keepalived, because later ones look at what earlier ones have corrected.

use super::code::Code;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Config;
use super::address_line::AddressEntry;
use super::announcement::AnnouncementGroup;
use super::bound::{
    Auth, Bound, ChecksumConfig, ChecksumStyle, Destination, Global, InstanceConfig, ReceiveBuffer,
    VirtualAddress,
};
use super::checks;
use super::diag::{Class, Diagnostic, Severity, Sink, Spanned, quoted};
use super::dumps::Defaults;
use super::global::GlobalDefs;
use super::instance_words::InitialState;
use super::references;
use super::strict;
use super::vrrp_instance::Instance;
use crate::ids::{Family, Version};
use crate::limits;
use crate::time::Duration;

/// What binding asks of the host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HostFacts {
    /// The host's name, the default of `router_id`.
    pub hostname: String,
    /// How long ago it was booted.
    pub uptime: Duration,
    /// Its interfaces.
    pub interfaces: Vec<InterfaceFact>,
}

/// One interface of the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceFact {
    /// Its name.
    pub name: String,
    /// It is a loopback interface.
    pub loopback: bool,
    /// It can send to groups.
    pub multicast: bool,
    /// Octets of its largest packet.
    pub mtu: u32,
}

/// Interfaces by name.
pub(super) type Interfaces<'f> = BTreeMap<&'f str, &'f InterfaceFact>;

/// MTU assumed where the interface does not exist yet.
const DEFAULT_MTU: u32 = 1_500;
/// The group of RFC 9568 section 5.1.1.2.
pub(super) const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The group of RFC 9568 section 5.1.2.2.
pub(super) const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// Priority of a router that says nothing.
const PRIORITY_DEFAULT: u8 = 100;
/// Priority of the owner of the addresses.
const PRIORITY_OWNER: u8 = 255;

/// Looks the names of `config` up in `facts`, fills in defaults and checks what belongs together.
///
/// An instance that cannot run is reported and left out of the result.
pub fn bind(config: &Config, facts: &HostFacts) -> (Bound, Vec<Diagnostic>) {
    let mut sink = Sink::at(&config.places);
    let global = &config.global;
    let interfaces: Interfaces<'_> = facts
        .interfaces
        .iter()
        .map(|fact| (fact.name.as_str(), fact))
        .collect();
    let mut bound = Bound {
        global: Global {
            router_id: global
                .router_id
                .clone()
                .unwrap_or_else(|| facts.hostname.clone()),
            dynamic_interfaces: global.dynamic_interfaces,
            startup_delay: startup_delay(global, facts),
            hello_interval: global.hello_interval,
            child_wait_time: global.child_wait_time,
            garp_interval: global.garp_interval.unwrap_or_default(),
            gna_interval: global.gna_interval.unwrap_or_default(),
            garp_groups: config
                .garp_groups
                .iter()
                .map(AnnouncementGroup::bind)
                .collect(),
            netlink_commands: ReceiveBuffer {
                octets: global.netlink_cmd_rcv_bufs,
                force: global.netlink_cmd_rcv_bufs_force,
            },
            netlink_monitor: ReceiveBuffer {
                octets: global.netlink_monitor_rcv_bufs,
                force: global.netlink_monitor_rcv_bufs_force,
            },
            dumps: global.dumps.clone(),
            receiving: global.receiving,
            defaults: Defaults::of(global),
            processes: global.processes.clone(),
            reloading: global.reloading.clone(),
            release_vips: false,
            keep_vips: false,
        },
        instances: Vec::new(),
    };
    let mut written = Vec::new();
    for instance in &config.instances {
        let mut pass = Pass {
            instance,
            global,
            interfaces: &interfaces,
            sink: &mut sink,
        };
        if let Some(config) = pass.complete() {
            bound.instances.push(config);
            written.push(instance);
        }
    }
    checks::same_vrid(&bound.instances, &written, &mut sink);
    references::addresses(&bound.instances, &written, &mut sink);
    references::peers(&bound.instances, &written, &mut sink);
    references::weights(&bound.instances, &written, &mut sink);
    super::lvs::check(config, &mut sink);
    super::tracking::check(config, &interfaces, &mut sink);
    (bound, sink.finish())
}

/// What is left to wait after the start: `vrrp_startup_delay` or, counted from boot,
/// `vrrp_delay_after_boot`, whichever ends later.
fn startup_delay(global: &GlobalDefs, facts: &HostFacts) -> Duration {
    let after_boot = global.delay_after_boot.unwrap_or_default();
    let left = after_boot
        .as_micros()
        .saturating_sub(facts.uptime.as_micros());
    let delay = global.startup_delay.unwrap_or_default();
    delay.max(Duration::from_micros(left))
}

fn of<T: Copy>(written: &Option<Spanned<T>>) -> Option<T> {
    written.as_ref().map(|written| written.value)
}

/// One instance on its way.
struct Pass<'p> {
    instance: &'p Instance,
    global: &'p GlobalDefs,
    interfaces: &'p Interfaces<'p>,
    sink: &'p mut Sink,
}

impl Pass<'_> {
    /// All passes; `None` if the instance cannot run.
    fn complete(&mut self) -> Option<InstanceConfig> {
        let instance = self.instance;
        let strict = strict::asked(instance, self.global);
        let vrid = self.vrid();
        let interface = self.interface();
        let family = instance.family.unwrap_or(Family::V4);
        let version = self.version(family, strict.is_some());
        let (vrid, interface) = (vrid?, interface?);
        let (priority, state_master) = self.priority();
        let auth = self.auth(version);
        let destination = self.destination(family);
        self.can_send(&interface, &destination)?;
        let mut config = InstanceConfig {
            name: instance.name.clone(),
            family,
            version,
            vrid,
            priority,
            state_master,
            advert_interval: self.advert_interval(version),
            preempt: true,
            preempt_delay: Duration::ZERO,
            down_timer_adverts: of(&instance.down_timer_adverts)
                .or(self.global.down_timer_adverts)
                .unwrap_or(3),
            auth,
            addresses: Vec::new(),
            excluded: Vec::new(),
            source: instance.transport.source(),
            hop_limit: self.hop_limit(),
            destination,
            peer_ttl: instance.transport.peer_ttl(),
            checksum: self.checksum(),
            owner_ignore_adverts: of(&instance.owner_ignore_adverts)
                .unwrap_or(self.global.owner_ignore_adverts),
            timer_expired_backup: None,
            check_unicast_source: instance.transport.check_unicast_src.is_some()
                || self.global.check_unicast_src,
            skip_check_adv_addr: instance.skip_check_adv_addr.is_some()
                || self.global.skip_check_adv_addr,
            lower_prio_no_advert: of(&instance.lower_prio_no_advert)
                .unwrap_or(self.global.lower_prio_no_advert),
            higher_prio_send_advert: of(&instance.higher_prio_send_advert)
                .unwrap_or(self.global.higher_prio_send_advert),
            dont_track_primary: instance.dont_track_primary.is_some(),
            strict: strict.is_some(),
            accept: instance.accepts().is_some(),
            unicast_unused: instance.transport.unicast.is_some()
                && instance.transport.peers.0.is_empty(),
            garp: instance.garp.bind(&self.global.garp, self.global.min_garp),
            interface,
        };
        if let Some(asked) = strict {
            let fact = self.interfaces.get(config.interface.as_str());
            let multicast = fact.is_none_or(|fact| fact.multicast);
            let words = (instance, self.global);
            strict::apply(&mut config, words, asked, multicast, self.sink)?;
        }
        self.preempt(&mut config, strict.is_some());
        self.sleep(&mut config);
        self.addresses(&mut config, strict.is_some())?;
        Some(config)
    }

    fn vrid(&mut self) -> Option<u8> {
        let vrid = self.instance.vrid.as_ref().map(|vrid| vrid.value);
        if vrid.is_none() {
            let message = format!(
                "the instance {} has no `virtual_router_id`",
                quoted(&self.instance.name)
            );
            self.sink
                .fatal(self.instance.span, message)
                .code(Code::MissingVrid)
                .help("add `virtual_router_id N`, 1 to 255, the same on all its routers");
        }
        vrid
    }

    fn interface(&mut self) -> Option<String> {
        let Some(interface) = &self.instance.interface else {
            self.no_interface();
            return None;
        };
        let name = &interface.value;
        match self.interfaces.get(name.as_str()) {
            Some(fact) if fact.loopback => {
                let message = format!(
                    "{} is a loopback interface, on which no router hears us",
                    quoted(name)
                );
                self.sink
                    .fatal(interface.span, message)
                    .code(Code::LoopbackInterface)
                    .help("name the interface that the other routers are on");
                None
            }
            None if !self.global.dynamic_interfaces => {
                let message = format!("this host has no interface {}", quoted(name));
                let found = self
                    .sink
                    .fatal(interface.span, message)
                    .code(Code::NoSuchInterface);
                found.help(
                    "correct the name, or write `dynamic_interfaces` in `global_defs` if the \
                     interface comes later",
                );
                None
            }
            Some(_) | None => Some(name.clone()),
        }
    }

    fn no_interface(&mut self) {
        let instance = self.instance;
        if instance.transport.unicast.is_some() && instance.transport.source().is_some() {
            let what = "a unicast instance without `interface`";
            self.sink.refuse(instance.span, what);
            return;
        }
        let message = format!("the instance {} has no `interface`", quoted(&instance.name));
        self.sink
            .fatal(instance.span, message)
            .code(Code::MissingInterface)
            .help("add `interface NAME`");
    }

    fn version(&mut self, family: Family, strict: bool) -> Version {
        let Some(written) = &self.instance.version else {
            return match family {
                Family::V6 => Version::V3,
                Family::V4 => self.global.version.unwrap_or(Version::V2),
            };
        };
        if strict {
            return strict::version(written.value, family, self.instance, self.sink);
        }
        if family == Family::V6 && written.value == Version::V2 {
            // keepalived sends version 2 over IPv6, which no standard describes; version 3 instead
            // would make two masters beside it.
            self.sink
                .refuse(written.span, "VRRP version 2 with IPv6 addresses")
                .code(Code::VersionFamily)
                .help("remove `version`: IPv6 uses version 3, which all routers of it must do");
        }
        written.value
    }

    /// Priority, and whether MASTER is the state to begin with.
    fn priority(&self) -> (u8, bool) {
        let state = self.instance.state.0.as_ref().map(|state| state.value);
        let written = self
            .instance
            .priority
            .as_ref()
            .map(|priority| priority.value.0);
        let priority = written.unwrap_or(match state {
            Some(InitialState::Master) => PRIORITY_OWNER,
            Some(InitialState::Backup) | None => PRIORITY_DEFAULT,
        });
        let master = match state {
            Some(InitialState::Master) => true,
            Some(InitialState::Backup) => false,
            None => priority == PRIORITY_OWNER,
        };
        (priority, master)
    }

    fn auth(&mut self, version: Version) -> Auth {
        if let Some(hmac) = &self.instance.auth_hmac {
            hmac.check(self.sink);
        }
        let Some(auth) = &self.instance.authentication else {
            return Auth::None;
        };
        let Some(span) = auth.pass() else {
            if let Some(password) = &auth.password {
                let message = "a password without `auth_type PASS` is not used";
                self.sink
                    .note(password.span, message)
                    .code(Code::UnusedPassword)
                    .help("add `auth_type PASS`, or remove the password");
            }
            return Auth::None;
        };
        if version == Version::V3 {
            let message = "version 3 has no authentication; the block is ignored";
            self.sink
                .error(span, message)
                .code(Code::AuthVersion)
                .help("remove the block `authentication`");
            return Auth::None;
        }
        match &auth.password {
            Some(password) if password.value.0.iter().any(|octet| *octet != 0) => {
                Auth::Pass(password.value.0)
            }
            _ => {
                let message = "there is no password; authentication is left out";
                self.sink
                    .error(span, message)
                    .code(Code::MissingPassword)
                    .help("add `auth_pass`");
                Auth::None
            }
        }
    }

    fn destination(&mut self, family: Family) -> Destination {
        let transport = &self.instance.transport;
        if !transport.peers.0.is_empty() {
            if let Some(group) = &transport.mcast_dst {
                let message = "adverts go to the unicast peers; this group is not used";
                self.sink
                    .error(group.span, message)
                    .code(Code::UnusedWord)
                    .help("remove `mcast_dst_ip` or `unicast_peer`");
            }
            let peers = transport.peers.0.iter().map(|peer| peer.value.addr);
            return Destination::Unicast(peers.collect());
        }
        if let Some(span) = transport.unicast {
            let message = "this asks for unicast, but there is no usable `unicast_peer`: adverts go \
                           to the multicast group";
            self.sink
                .report(Severity::Deprecated, Class::Deprecated, span, message)
                .code(Code::UnicastWithoutPeers)
                .help("add the peers, or remove the unicast words");
        }
        Destination::Multicast(match (&transport.mcast_dst, family) {
            (Some(group), _) => group.value,
            (None, Family::V4) => IpAddr::V4(self.global.mcast_group4.unwrap_or(GROUP_V4)),
            (None, Family::V6) => IpAddr::V6(self.global.mcast_group6.unwrap_or(GROUP_V6)),
        })
    }

    /// `None`, and reported, if the interface cannot carry the adverts.
    fn can_send(&mut self, interface: &str, destination: &Destination) -> Option<()> {
        let fact = self.interfaces.get(interface);
        if fact.is_none_or(|fact| fact.multicast) || matches!(destination, Destination::Unicast(_))
        {
            return Some(());
        }
        let span = self
            .instance
            .interface
            .as_ref()
            .map_or(self.instance.span, |interface| interface.span);
        let message = format!(
            "{} cannot send to multicast groups; the instance {} does not run",
            quoted(interface),
            quoted(&self.instance.name)
        );
        self.sink
            .error(span, message)
            .code(Code::NoMulticast)
            .help("list the other routers in `unicast_peer`");
        None
    }

    fn hop_limit(&mut self) -> u8 {
        let Some(ttl) = &self.instance.transport.unicast_ttl else {
            return 255;
        };
        if self.instance.transport.peers.0.is_empty() {
            let message = "`unicast_ttl` without a `unicast_peer` is not used: the TTL is 255";
            self.sink.error(ttl.span, message).code(Code::UnusedWord);
            return 255;
        }
        ttl.value
    }

    /// Whole seconds in version 2, hundredths in version 3.
    fn advert_interval(&mut self, version: Version) -> Duration {
        let Some(written) = &self.instance.advert_int else {
            return Duration::from_secs(1);
        };
        let (unit, max, what) = match version {
            Version::V2 => (1_000_000, 255 * 1_000_000, "whole seconds"),
            Version::V3 => (10_000, 4_095 * 10_000, "hundredths of a second"),
        };
        let micros = written.value.as_micros();
        // What rounds up to the end of the range, or lies beyond it, is the end of the range.
        let rounded = ((micros + unit / 2) / unit * unit).clamp(unit, max);
        let interval = Duration::from_micros(rounded);
        if micros >= max + unit {
            let message = format!(
                "an interval of {} s is more than version {} can tell; {interval} s is used",
                written.value,
                version.number()
            );
            self.sink
                .error(written.span, message)
                .code(Code::RoundedTime);
        } else if rounded != micros {
            let message = format!(
                "version {} counts the interval in {what}; {} s becomes {interval} s",
                version.number(),
                written.value
            );
            let found = self
                .sink
                .error(written.span, message)
                .code(Code::RoundedTime);
            match version {
                Version::V2 => found.help("use `version 3` on all routers for shorter intervals"),
                Version::V3 => found.suggest(interval.to_string()),
            };
        }
        interval
    }

    /// Settings of preemption that a first or owning master has no use for are dropped.
    fn preempt(&mut self, config: &mut InstanceConfig, strict: bool) {
        let delay = self.instance.preempt_delay.as_ref();
        let delay = delay.filter(|delay| !delay.value.0.is_zero());
        if let Some(span) = self.instance.nopreempt() {
            let reason = if config.is_owner() {
                Some("priority 255")
            } else if config.state_master {
                Some("`state MASTER`")
            } else {
                None
            };
            config.preempt = reason.is_some();
            if let Some(reason) = reason {
                let message = format!("`nopreempt` does not go with {reason}; it is dropped");
                self.sink
                    .error(span, message)
                    .code(Code::MasterNopreempt)
                    .help("write `state BACKUP` and a priority below 255 on both routers");
            }
        }
        let Some(delay) = delay else {
            return;
        };
        let reason = if strict {
            "strict mode"
        } else if config.state_master {
            "`state MASTER`"
        } else if !config.preempt {
            "`nopreempt`"
        } else {
            config.preempt_delay = delay.value.0;
            return;
        };
        let message = format!("`preempt_delay` does not go with {reason}; it is dropped");
        self.sink.error(delay.span, message).code(Code::UnusedDelay);
    }

    /// What the checksum of version 3 covers.
    fn checksum(&self) -> ChecksumConfig {
        let transport = &self.instance.transport;
        let as_v2 = of(&transport.v3_checksum_as_v2).unwrap_or(self.global.v3_checksum_as_v2);
        ChecksumConfig {
            style: if as_v2 {
                ChecksumStyle::AsV2
            } else {
                of(&transport.old_checksum).unwrap_or_default()
            },
            group: self.global.mcast_group4.unwrap_or(GROUP_V4),
        }
    }

    /// `timer_expired_backup` is of use only where a router that comes back does not preempt.
    fn sleep(&mut self, config: &mut InstanceConfig) {
        let Some(written) = &self.instance.timer_expired_backup else {
            return;
        };
        if config.preempt {
            let message = "`timer_expired_backup` does not go without `nopreempt`; it is dropped";
            self.sink
                .error(written.span, message)
                .code(Code::UnusedWord)
                .help("write `nopreempt` too, or remove it");
        } else {
            config.timer_expired_backup = Some(written.value.0);
        }
    }

    /// Devices, number and presence of the addresses.
    fn addresses(&mut self, config: &mut InstanceConfig, strict: bool) -> Option<()> {
        config.addresses = self.on_devices(&self.instance.addresses.0);
        config.excluded = self.on_devices(&self.instance.excluded.0);
        self.fit(config);
        if config.addresses.is_empty() {
            return self.no_address(config.version, strict);
        }
        let first = config.addresses.first().map(|first| first.addr);
        if let Some(IpAddr::V6(first)) = first
            && !first.is_unicast_link_local()
            && matches!(config.destination, Destination::Multicast(_))
        {
            let span = self.instance.addresses.0.first().map(|entry| entry.span);
            let message = "the first IPv6 address of an instance should be link-local";
            let span = span.unwrap_or(self.instance.span);
            let found = if strict {
                self.sink.error(span, message).code(Code::NotLinkLocal)
            } else {
                self.sink.note(span, message)
            };
            found.help("put an address that begins with fe80 before it (RFC 9568 section 5.2.9)");
        }
        Some(())
    }

    /// The addresses whose interfaces exist or may come.
    fn on_devices(&mut self, entries: &[Spanned<AddressEntry>]) -> Vec<VirtualAddress> {
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries.iter().map(|entry| &entry.value) {
            let missing = entry.dev.as_ref().filter(|dev| {
                !self.global.dynamic_interfaces && !self.interfaces.contains_key(dev.value.as_str())
            });
            match missing {
                None => kept.push(entry.address.clone()),
                Some(dev) => {
                    let message = format!("this host has no interface {}", quoted(&dev.value));
                    self.sink.fatal(dev.span, message).code(Code::NoSuchInterface).help(
                        "correct the name, or write `dynamic_interfaces` in `global_defs` if the \
                         interface comes later",
                    );
                }
            }
        }
        kept
    }

    /// What one advert cannot hold is held but not advertised.
    fn fit(&mut self, config: &mut InstanceConfig) {
        let mtu = self
            .interfaces
            .get(config.interface.as_str())
            .map_or(DEFAULT_MTU, |fact| fact.mtu);
        // Ethernet and IP headers, the VRRP header and the authentication data of version 2.
        let headers = match (config.family, config.version) {
            (Family::V4, Version::V2) => 14 + 20 + 8 + 8,
            (Family::V4, Version::V3) => 14 + 20 + 8,
            (Family::V6, _) => 14 + 40 + 8,
        };
        let room = (mtu as usize).saturating_sub(headers) / config.family.address_len();
        let room = room.min(limits::ADVERT_ADDRESSES);
        let count = config.addresses.len();
        if count <= room {
            return;
        }
        config.excluded.extend(config.addresses.drain(room..));
        let span = self.instance.addresses.0.get(room).map(|entry| entry.span);
        let message = format!(
            "{count} addresses do not fit into one advert, which holds {room}; this one and those \
             behind it are held but not advertised"
        );
        self.sink
            .error(span.unwrap_or(self.instance.span), message)
            .code(Code::TooManyAddresses)
            .help("move them to `virtual_ipaddress_excluded`, on all routers alike");
    }

    fn no_address(&mut self, version: Version, strict: bool) -> Option<()> {
        let instance = self.instance;
        let name = quoted(&instance.name);
        if strict || version == Version::V3 {
            let mode = if strict { "strict mode" } else { "version 3" };
            let message = format!(
                "the instance {name} has no address in `virtual_ipaddress`, and {mode} needs one"
            );
            self.sink
                .fatal(instance.span, message)
                .code(Code::NoAddress)
                .help("add the address that the routers share");
            return None;
        }
        if instance.no_virtual_ipaddress.is_none() {
            let message = format!("the instance {name} has no address in `virtual_ipaddress`");
            self.sink
                .error(instance.span, message)
                .code(Code::NoAddress)
                .help(
                    "add the address that the routers share, or `no_virtual_ipaddress` if it shall \
                 have none",
                );
        }
        Some(())
    }
}
