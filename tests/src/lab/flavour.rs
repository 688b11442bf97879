//! The variants of the protocol that pairs of routers are tried in: configuration text, and the theory.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::host::{Host, INTERFACE};

/// Whom adverts are sent to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Cast {
    /// The group.
    Multicast,
    /// The configured peer.
    Unicast,
}

/// One variant.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Flavour {
    /// VRRP version, 2 or 3.
    pub version: u8,
    /// Over IPv6 (version 3 only).
    pub ipv6: bool,
    /// Whom adverts go to.
    pub cast: Cast,
    /// The password of `auth_type PASS` (version 2 only).
    pub password: Option<&'static str>,
    /// The interval in centiseconds; whole seconds for version 2.
    pub interval_centis: u16,
}

impl Flavour {
    /// Version 2, one second, multicast.
    pub const V2: Self = Self {
        version: 2,
        ipv6: false,
        cast: Cast::Multicast,
        password: None,
        interval_centis: 100,
    };
    /// Version 2 with a password.
    pub const V2_PASS: Self = Self {
        password: Some("secret12"),
        ..Self::V2
    };
    /// Version 3 over IPv4, 0.3 s, multicast.
    pub const V3: Self = Self {
        version: 3,
        interval_centis: 30,
        ..Self::V2
    };
    /// Version 3 over IPv6, 0.3 s, multicast.
    pub const V3_IPV6: Self = Self {
        ipv6: true,
        ..Self::V3
    };

    /// The same over unicast.
    pub const fn unicast(self) -> Self {
        Self {
            cast: Cast::Unicast,
            ..self
        }
    }

    /// In a few words, for reports.
    pub fn name(self) -> String {
        let family = if self.ipv6 { "IPv6" } else { "IPv4" };
        let cast = match self.cast {
            Cast::Multicast => "",
            Cast::Unicast => " unicast",
        };
        let password = if self.password.is_some() { " PASS" } else { "" };
        format!("v{} {family}{cast}{password}", self.version)
    }

    /// The virtual router id that the lab uses.
    pub const VRID: u8 = 51;

    /// The virtual addresses with their prefix lengths, in the order of the advert.
    pub fn virtual_addresses(self) -> Vec<(IpAddr, u8)> {
        if self.ipv6 {
            let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100);
            let global = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);
            vec![(link_local.into(), 64), (global.into(), 64)]
        } else {
            vec![(Ipv4Addr::new(10, 0, 0, 100).into(), 24)]
        }
    }

    /// The virtual address that clients use.
    pub fn service(self) -> IpAddr {
        let addresses = self.virtual_addresses();
        addresses
            .last()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |(address, _)| *address)
    }

    /// The source address of a host's adverts.
    pub fn source(self, host: &Host) -> IpAddr {
        match (self.ipv6, self.cast) {
            (false, _) => host.ipv4().into(),
            (true, Cast::Multicast) => host.link_local().into(),
            (true, Cast::Unicast) => host.ipv6().into(),
        }
    }

    /// The advertisement interval.
    pub fn interval(self) -> Duration {
        Duration::from_millis(u64::from(self.interval_centis) * 10)
    }

    /// The skew time of a router: RFC 3768 6.1 for version 2, RFC 9568 6.1 for version 3.
    pub fn skew(self, priority: u8) -> Duration {
        let base = if self.version == 2 {
            Duration::from_secs(1)
        } else {
            self.interval()
        };
        base * (256 - u32::from(priority)) / 256
    }

    /// How long a router waits for a silent master.
    pub fn master_down(self, priority: u8) -> Duration {
        self.interval() * 3 + self.skew(priority)
    }

    /// The configuration of a router with its one peer.
    pub fn configuration(self, host: &Host, peer: &Host, priority: u8) -> String {
        let seconds = f64::from(self.interval_centis) / 100.0;
        let mut text = format!(
            "global_defs {{\n    router_id {}\n}}\n\nvrrp_instance VI_1 {{\n    state BACKUP\n    \
             interface {INTERFACE}\n    virtual_router_id {}\n    priority {priority}\n    \
             version {}\n    advert_int {seconds}\n",
            host.name,
            Self::VRID,
            self.version
        );
        if let Some(password) = self.password {
            text += "    authentication {\n        auth_type PASS\n        auth_pass ";
            text += &format!("{password}\n    }}\n");
        }
        if self.cast == Cast::Unicast {
            let (own, other) = (self.source(host), self.source(peer));
            text += &format!("    unicast_src_ip {own}\n");
            text += &format!("    unicast_peer {{\n        {other}\n    }}\n");
        }
        text += "    virtual_ipaddress {\n";
        for (address, prefix) in self.virtual_addresses() {
            text += &format!("        {address}/{prefix}\n");
        }
        text + "    }\n}\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_theory_is_that_of_the_rfcs() {
        // RFC 3768: (256 - 100) / 256 seconds whatever the interval.
        let slow = Flavour {
            interval_centis: 500,
            ..Flavour::V2
        };
        assert_eq!(slow.skew(100), Duration::from_nanos(609_375_000));
        assert_eq!(slow.master_down(100), Duration::from_nanos(15_609_375_000));
        // RFC 9568: the skew is a share of the interval.
        assert_eq!(Flavour::V3.skew(100), Duration::from_nanos(182_812_500));
        assert_eq!(
            Flavour::V3.master_down(254),
            Duration::from_nanos(902_343_750)
        );
    }
}
