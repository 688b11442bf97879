//! What counts where nothing is written: a checker inherits from its real server, that from its
//! virtual server, and for the rest there is a number here.
//!
//! The numbers are those of keepalived 2.2.7, read from its own dump.

use std::net::IpAddr;

use super::Scheduler;
use super::checkers::Checker;
use super::forward::Forwarding;
use super::probe::{Pace, Probe};
use super::real::RealServer;
use super::virtual_server::{Granularity, PersistenceTimeout, Protocol, Service, VirtualServer};
use crate::ids::Family;
use crate::time::Duration;

/// Between two checks.
const DELAY_LOOP: Duration = Duration::from_secs(60);
/// For a connection, and for each answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl VirtualServer {
    /// The family of the service; of a mark that of its real servers, else IPv4. A group may have
    /// both.
    pub fn service_family(&self) -> Family {
        self.family.unwrap_or(Family::V4)
    }

    /// The protocol; a mark has none.
    pub fn service_protocol(&self) -> Option<Protocol> {
        match self.service {
            Service::Fwmark(_) => None,
            Service::Address(..) | Service::Group(_) => {
                Some(self.protocol.unwrap_or(Protocol::Udp))
            }
        }
    }

    /// The scheduler.
    pub fn scheduler(&self) -> Scheduler {
        self.scheduling.scheduler.unwrap_or(Scheduler::Wlc)
    }

    /// How packets reach servers that say nothing.
    pub fn forwarding(&self) -> Forwarding {
        self.forwarding.unwrap_or(Forwarding::Nat)
    }

    /// How long clients stay with their server, if they do. A service of all ports needs it, and a
    /// granularity says it.
    pub fn persistence(&self) -> Option<PersistenceTimeout> {
        let all_ports = matches!(self.service, Service::Address(_, 0));
        let implied = all_ports || self.persistence_granularity.is_some();
        let implied = implied.then_some(PersistenceTimeout::DEFAULT);
        self.persistence_timeout.or(implied)
    }

    /// Which clients count as one.
    pub fn granularity(&self) -> Granularity {
        let alone = match self.service_family() {
            Family::V4 => Granularity::Mask(std::net::Ipv4Addr::BROADCAST),
            Family::V6 => Granularity::Prefix(128),
        };
        self.persistence_granularity.unwrap_or(alone)
    }

    /// Mail when quorum is gained or lost; `global` is what the global words say.
    pub fn smtp_alert(&self, global: Option<bool>) -> bool {
        self.tuning.smtp_alert.or(global).unwrap_or(false)
    }

    /// The sum of the weights of its real servers.
    pub fn total_weight(&self) -> u64 {
        let of = |real| u64::from(Served { server: self, real }.weight());
        self.real_servers.iter().map(of).sum()
    }

    /// The quorum: not more than all weights, as far as there are any.
    pub fn effective_quorum(&self) -> u64 {
        let written = u64::from(self.quorum.unwrap_or(1));
        written.min(self.total_weight())
    }

    /// The hysteresis: less than the quorum.
    pub fn effective_hysteresis(&self) -> u64 {
        let written = u64::from(self.hysteresis.unwrap_or(0));
        written.min(self.effective_quorum().saturating_sub(1))
    }

    /// How packets reach the sorry server.
    pub fn sorry_forwarding(&self) -> Forwarding {
        let own = self.sorry.as_ref().and_then(|sorry| sorry.forwarding);
        own.unwrap_or_else(|| self.forwarding())
    }

    /// Its real servers, with what they inherit.
    pub fn served(&self) -> impl Iterator<Item = Served<'_>> {
        let reals = self.real_servers.iter();
        reals.map(|real| Served { server: self, real })
    }
}

/// A real server, and the virtual one that it inherits from.
#[derive(Copy, Clone, Debug)]
pub struct Served<'c> {
    /// The virtual server.
    pub server: &'c VirtualServer,
    /// The real one.
    pub real: &'c RealServer,
}

impl<'c> Served<'c> {
    /// Its share of the connections.
    pub fn weight(&self) -> u32 {
        self.real.weight.or(self.server.weight).unwrap_or(1)
    }

    /// How packets reach it.
    pub fn forwarding(&self) -> Forwarding {
        let own = self.real.more.forwarding;
        own.unwrap_or_else(|| self.server.forwarding())
    }

    /// Its port: that of the service unless addresses are rewritten, 0 for a mark.
    pub fn port(&self) -> u16 {
        match (self.forwarding(), &self.server.service) {
            (Forwarding::Nat, _) => self.real.port,
            (_, Service::Address(_, port)) => *port,
            (_, Service::Fwmark(_)) => 0,
            (_, Service::Group(_)) => self.real.port,
        }
    }

    /// It stays with weight 0 when it fails.
    pub fn inhibit_on_failure(&self) -> bool {
        let inherited = self.server.tuning.inhibit_on_failure;
        let own = self.real.more.inhibit_on_failure;
        own.or(inherited).unwrap_or(false)
    }

    /// It counts as down until it is checked.
    pub fn alpha(&self) -> bool {
        let inherited = self.server.tuning.alpha;
        self.real.more.alpha.or(inherited).unwrap_or(false)
    }

    /// Mail when it goes up or down; `global` is what the global words say.
    pub fn smtp_alert(&self, global: Option<bool>) -> bool {
        self.real.more.smtp_alert.or(global).unwrap_or(true)
    }

    /// The host that its checks ask for.
    pub fn virtualhost(&self) -> Option<&'c str> {
        let inherited = self.server.tuning.virtualhost.as_deref();
        self.real.more.virtualhost.as_deref().or(inherited)
    }

    /// How long a connection of its checks may take.
    pub fn connect_timeout(&self) -> Duration {
        let inherited = self.server.tuning.connect_timeout;
        let own = self.real.more.connect_timeout;
        own.or(inherited).unwrap_or(CONNECT_TIMEOUT)
    }

    /// Time between two checks.
    pub fn delay_loop(&self) -> Duration {
        let inherited = self.server.tuning.delay_loop;
        self.real
            .more
            .delay_loop
            .or(inherited)
            .unwrap_or(DELAY_LOOP)
    }

    /// Retries of its checks, if something is written.
    pub fn retry(&self) -> Option<u32> {
        self.real.more.retry.or(self.server.tuning.retry)
    }

    /// Time before a retry, if something is written.
    pub fn delay_before_retry(&self) -> Option<Duration> {
        let inherited = self.server.tuning.delay_before_retry;
        self.real.more.delay_before_retry.or(inherited)
    }

    /// Time within which the first check comes, if something is written.
    pub fn warmup(&self) -> Option<Duration> {
        self.real.more.warmup.or(self.server.tuning.warmup)
    }

    /// Its checkers, with what they inherit.
    pub fn checked(self) -> impl Iterator<Item = Checked<'c>> {
        let checkers = self.real.checkers.iter();
        checkers.map(move |checker| Checked {
            served: self,
            checker,
        })
    }
}

impl Checker {
    /// True for the `BFD_CHECK` of this session.
    pub(super) fn follows(&self, session: &str) -> bool {
        let name = match self {
            Self::Bfd(it) => it.name.as_ref(),
            _ => None,
        };
        name.is_some_and(|name| *name.value == *session)
    }

    /// When it runs; a checker that waits to be told does not run.
    pub fn pace(&self) -> Option<&Pace> {
        match self {
            Self::Misc(it) => Some(&it.pace),
            Self::File(_) | Self::Bfd(_) => None,
            _ => self.probe().map(|probe| &probe.pace),
        }
    }

    /// Its socket, if it has one.
    pub fn probe(&self) -> Option<&Probe> {
        match self {
            Self::Tcp(it) => Some(&it.probe),
            Self::Http(it) => Some(&it.probe),
            Self::Ssl(it) => Some(&it.probe),
            Self::Smtp(it) => Some(&it.probe),
            Self::Dns(it) => Some(&it.probe),
            Self::Udp(it) => Some(&it.probe),
            Self::Ping(it) => Some(&it.probe),
            Self::Misc(_) | Self::File(_) | Self::Bfd(_) => None,
        }
    }
}

/// A checker, and the servers that it inherits from.
#[derive(Copy, Clone, Debug)]
pub struct Checked<'c> {
    /// The servers.
    pub served: Served<'c>,
    /// The checker.
    pub checker: &'c Checker,
}

impl<'c> Checked<'c> {
    /// How many failures in a row leave the server up: 1, for DNS 3, for programs 0.
    pub fn retry(&self) -> u32 {
        let own = self.checker.pace().and_then(|pace| pace.retry);
        let usual = match self.checker {
            Checker::Dns(_) => 3,
            Checker::Misc(_) | Checker::File(_) | Checker::Bfd(_) => 0,
            _ => 1,
        };
        own.or(self.served.retry()).unwrap_or(usual)
    }

    /// Time before a retry: 1 s, for pages 3 s, for DNS that between two checks.
    pub fn delay_before_retry(&self) -> Duration {
        let own = self.checker.pace().and_then(|pace| pace.delay_before_retry);
        let written = own.or(self.served.delay_before_retry());
        written.unwrap_or_else(|| match self.checker {
            Checker::Http(_) | Checker::Ssl(_) => Duration::from_secs(3),
            Checker::Dns(_) => self.delay_loop(),
            _ => Duration::from_secs(1),
        })
    }

    /// Time between two checks.
    pub fn delay_loop(&self) -> Duration {
        let own = self.checker.pace().and_then(|pace| pace.delay_loop);
        own.unwrap_or_else(|| self.served.delay_loop())
    }

    /// Time within which the first check comes: that between two checks.
    pub fn warmup(&self) -> Duration {
        let own = self.checker.pace().and_then(|pace| pace.warmup);
        own.or(self.served.warmup())
            .unwrap_or_else(|| self.delay_loop())
    }

    /// The server counts as down until this check has succeeded.
    pub fn alpha(&self) -> bool {
        let own = match self.checker {
            Checker::Bfd(it) => it.alpha,
            _ => self.checker.pace().and_then(|pace| pace.alpha),
        };
        own.unwrap_or_else(|| self.served.alpha())
    }

    /// Retried failures are logged; `global` is `checker_log_all_failures`.
    pub fn log_all_failures(&self, global: bool) -> bool {
        let own = self.checker.pace().and_then(|pace| pace.log_all_failures);
        own.unwrap_or(global)
    }

    /// How long a connection and each answer may take; of a program the whole run.
    pub fn timeout(&self) -> Duration {
        if let Checker::Misc(it) = self.checker {
            return it.timeout.unwrap_or_else(|| self.delay_loop());
        }
        let own = self.checker.probe().and_then(|probe| probe.connect_timeout);
        own.unwrap_or_else(|| self.served.connect_timeout())
    }

    /// The address and the port that are checked.
    pub fn target(&self) -> (IpAddr, u16) {
        let probe = self.checker.probe();
        let address = probe.and_then(|probe| probe.ends.connect_ip);
        let port = probe.and_then(|probe| probe.connect_port);
        (
            address.unwrap_or(self.served.real.address),
            port.unwrap_or_else(|| self.served.port()),
        )
    }

    /// The host that a page with `own` virtualhost is asked of; `None` for its address and port.
    pub fn virtualhost<'h>(&self, own: Option<&'h str>) -> Option<&'h str>
    where
        'c: 'h,
    {
        let checker = match self.checker {
            Checker::Http(it) => it.virtualhost.as_deref(),
            Checker::Ssl(it) => it.virtualhost.as_deref(),
            _ => None,
        };
        own.or(checker).or(self.served.virtualhost())
    }
}
