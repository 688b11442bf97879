//! Two routers of one flavour on a switch, with a client and an idle fourth host: the usual stage.

use std::net::IpAddr;
use std::time::Duration;

use super::capture::{Advert, Capture};
use super::client::Client;
use super::command::{Result, wait_until};
use super::daemon::{Daemon, Program};
use super::flavour::Flavour;
use super::host::Host;
use super::net::Lab;

/// One router of the pair.
#[derive(Debug)]
pub struct Side {
    /// Its host.
    pub host: Host,
    /// What runs there.
    pub program: Program,
    /// Its priority.
    pub priority: u8,
    /// Its configuration.
    pub configuration: String,
    /// The process, while it runs.
    pub daemon: Option<Daemon>,
    /// The source address of its adverts.
    pub source: IpAddr,
}

impl Side {
    /// Starts the daemon; a former one is killed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&mut self) -> Result<()> {
        self.daemon = None;
        self.daemon = Some(Daemon::start(
            &self.host,
            &self.program,
            &self.configuration,
        )?);
        Ok(())
    }

    /// SIGTERM; returns the exit code.
    ///
    /// # Errors
    /// It is not running, or does not end.
    pub fn stop(&mut self) -> Result<i32> {
        let mut daemon = self.daemon.take().ok_or("no daemon to stop")?;
        daemon.stop(Duration::from_secs(10))
    }

    /// See [`Daemon::cut_power`].
    ///
    /// # Errors
    /// It is not running, or a command failed.
    pub fn cut_power(&mut self) -> Result<()> {
        self.daemon.take().ok_or("no daemon to kill")?.cut_power()
    }
}

/// The stage. `a` is the preferred router.
#[derive(Debug)]
pub struct Pair {
    /// The router of higher priority.
    pub a: Side,
    /// The router of lower priority.
    pub b: Side,
    /// Pings the last virtual address.
    pub client: Client,
    /// Records everything.
    pub capture: Capture,
    /// The protocol variant.
    pub flavour: Flavour,
    /// The network; hosts `a`, `b`, `client` and `other`.
    pub lab: Lab,
}

/// Which router.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// The preferred one.
    A,
    /// The other.
    B,
}

impl Pair {
    /// Priority of the preferred router.
    pub const HIGH: u8 = 150;
    /// Priority of the other.
    pub const LOW: u8 = 100;

    /// Builds the network; no daemon runs yet, the client pings.
    ///
    /// # Errors
    /// Something could not be built.
    pub fn new(flavour: Flavour, a: &Program, b: &Program) -> Result<Self> {
        let lab = Lab::new(&["a", "b", "client", "other"])?;
        let side = |name: &str, peer: &str, program: &Program, priority| {
            let host = lab.host(name).clone();
            Side {
                configuration: flavour.configuration(&host, lab.host(peer), priority),
                source: flavour.source(&host),
                program: program.clone(),
                priority,
                daemon: None,
                host,
            }
        };
        let capture = Capture::start(&lab)?;
        let every = Duration::from_millis(50);
        Ok(Self {
            a: side("a", "b", a, Self::HIGH),
            b: side("b", "a", b, Self::LOW),
            client: Client::start(lab.host("client"), flavour.service(), every)?,
            capture,
            flavour,
            lab,
        })
    }

    /// The router.
    pub fn side(&self, who: Who) -> &Side {
        match who {
            Who::A => &self.a,
            Who::B => &self.b,
        }
    }

    /// Whether a router has all (`true`), or none (`false`) of the virtual addresses; `None` in between.
    ///
    /// # Errors
    /// The kernel could not be asked.
    pub fn holds(&self, who: Who) -> Result<Option<bool>> {
        let present = self.side(who).host.addresses()?;
        let wanted = self.flavour.virtual_addresses();
        let count = wanted
            .iter()
            .filter(|(address, _)| present.contains(address))
            .count();
        Ok(if count == wanted.len() {
            Some(true)
        } else {
            (count == 0).then_some(false)
        })
    }

    /// Waits until `a` and `b` hold the addresses or not, as said.
    ///
    /// # Errors
    /// That was not so within `limit`.
    pub fn wait_holders(&self, a: bool, b: bool, limit: Duration) -> Result<()> {
        let told = |yes| if yes { "has" } else { "has not" };
        let what = format!("a {} the addresses and b {} them", told(a), told(b));
        wait_until(&what, limit, || {
            let is_so = self.holds(Who::A)? == Some(a) && self.holds(Who::B)? == Some(b);
            Ok(is_so.then_some(()))
        })
    }

    /// Waits for the first advert of a router after a moment that fits.
    ///
    /// # Errors
    /// There was none within `limit`.
    pub fn wait_advert(
        &self,
        who: Who,
        since_ns: i64,
        limit: Duration,
        fits: impl Fn(&Advert) -> bool,
    ) -> Result<i64> {
        wait_until(&format!("an advert of {who:?}"), limit, || {
            let adverts = self.adverts_of(who, since_ns);
            let found = adverts.iter().find(|(_, advert)| fits(advert));
            Ok(found.map(|(at, _)| *at))
        })
    }

    /// The adverts of a router since a moment; what others send in its name does not count.
    pub fn adverts_of(&self, who: Who, since_ns: i64) -> Vec<(i64, Advert)> {
        let side = self.side(who);
        let (source, mac) = (side.source, side.host.mac());
        let mut adverts = self.capture.adverts(since_ns);
        adverts.retain(|(_, advert)| advert.src == source && advert.mac == mac);
        adverts
    }

    /// What one wants to know when a test has failed.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for who in [Who::A, Who::B] {
            let side = self.side(who);
            text += &format!("--- {who:?}: {:?}\n", side.host.addresses());
            let log = side.daemon.as_ref().map_or_else(String::new, Daemon::log);
            let lines: Vec<&str> = log.lines().collect();
            for line in lines.iter().skip(lines.len().saturating_sub(40)) {
                text += &format!("    {line}\n");
            }
        }
        let adverts = self.capture.adverts(0);
        for (at, advert) in adverts.iter().skip(adverts.len().saturating_sub(20)) {
            text += &format!(
                "    {}.{:03} {advert:?}\n",
                at / 1_000_000_000,
                at / 1_000_000 % 1000
            );
        }
        text
    }
}
