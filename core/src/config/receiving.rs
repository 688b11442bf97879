//! The words of `global_defs` about the room for packets that were not read yet.

use super::block::Statement;
use super::bound::InstanceConfig;
use super::diag::Sink;
use super::global::IGNORED;
use super::page::Page;
use super::row::Head;
use super::scalar::Scalar;
use super::statement::optional;
use super::units::{self, Garbage};
use crate::ids::Family;
use crate::wire::vrrp;

/// Octets that one socket may be asked to have room for; more is a slip of the pen.
const MOST: u32 = 1 << 30;

/// Adverts, or packets of the largest size, for each virtual router, where nothing else is said.
const MULTIPLES: u32 = 3;

/// Octets of an IPv4 header without options.
const IPV4_HEADER: u32 = 20;

/// How much room the receive buffer of a socket has at least. The original takes it from these words
/// alone, or leaves it to the kernel; here there is always room for some adverts, and more by these.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Receiving {
    /// `vrrp_rx_bufs_policy`.
    pub policy: Option<Policy>,
    /// `vrrp_rx_bufs_multiplier`, at least 1.
    pub multiples: u32,
}

/// What a virtual router adds to the buffer of its socket.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Policy {
    /// So many of its interface's largest packets as the multiplier says.
    Mtu,
    /// So many of its adverts as the multiplier says.
    Advert,
    /// So many octets.
    Octets(u32),
}

impl Default for Receiving {
    fn default() -> Self {
        Self {
            policy: None,
            multiples: MULTIPLES,
        }
    }
}

impl Receiving {
    /// `vrrp_rx_bufs_multiplier`.
    pub(super) fn read_multiples(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        let number = <u32 as Scalar>::read(head, found, sink);
        self.multiples = number.unwrap_or(self.multiples);
    }

    /// `vrrp_rx_bufs_multiplier`.
    pub(super) fn show_multiples(&self, head: &Head, page: &mut Page) {
        if self.multiples == MULTIPLES {
            page.default(head.word, head.default);
        } else {
            page.line(&[head.word, &self.multiples.to_string()]);
        }
    }

    /// `vrrp_rx_bufs_policy`.
    pub(super) fn read_policy(&mut self, found: &Statement, sink: &mut Sink) {
        let Some(word) = optional(found, sink) else {
            return;
        };
        let named = match word.text.to_ascii_uppercase().as_str() {
            "MTU" => Some(Policy::Mtu),
            "ADVERT" => Some(Policy::Advert),
            _ => None,
        };
        let policy = named.or_else(|| {
            let range = 0..=u64::from(u32::MAX);
            let octets = units::number(word, range, Garbage::Refuse, IGNORED, sink)?;
            Some(Policy::Octets(octets as u32))
        });
        self.policy = match (self.policy, policy) {
            (before, None) => before,
            // As in the original a size wins, whichever comes first.
            (Some(Policy::Octets(size)), Some(Policy::Mtu | Policy::Advert)) => {
                Some(Policy::Octets(size))
            }
            (_, policy) => policy,
        };
    }

    /// `vrrp_rx_bufs_policy`.
    pub(super) fn show_policy(&self, head: &Head, page: &mut Page) {
        match self.policy {
            None => {}
            Some(Policy::Mtu) => page.line(&[head.word, "MTU"]),
            Some(Policy::Advert) => page.line(&[head.word, "ADVERT"]),
            Some(Policy::Octets(octets)) => page.line(&[head.word, &octets.to_string()]),
        }
    }

    /// Octets that a virtual router wants in the receive buffer of its socket, on an interface with
    /// packets of at most `mtu` octets; 0 if these words do not ask for any.
    pub fn wanted_by(&self, config: &InstanceConfig, mtu: u32) -> u32 {
        let wanted = match self.policy {
            None => 0,
            Some(Policy::Octets(octets)) => octets,
            Some(Policy::Mtu) => mtu.saturating_mul(self.multiples),
            Some(Policy::Advert) => advert_len(config).saturating_mul(self.multiples),
        };
        wanted.min(MOST)
    }
}

/// Octets of an advert as the socket hands it on.
fn advert_len(config: &InstanceConfig) -> u32 {
    let (header, address) = match config.family {
        Family::V4 => (IPV4_HEADER, 4),
        Family::V6 => (0, 16),
    };
    let addresses = u32::try_from(config.addresses.len()).unwrap_or(u32::from(u8::MAX));
    header + (vrrp::HEADER_LEN + vrrp::AUTH_LEN) as u32 + addresses * address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::bound::VirtualAddress;
    use crate::config::{HostFacts, bind, parse};
    use crate::ids::Version;

    fn read(lines: &str) -> (Receiving, usize) {
        let text = format!("global_defs {{\n{lines}\n}}\n");
        let (config, found) = parse("x.conf", &text);
        let (bound, more) = bind(&config, &HostFacts::default());
        (bound.global.receiving, found.len() + more.len())
    }

    #[test]
    fn what_2_2_7_takes_is_taken() {
        let of = |policy, multiples| Receiving { policy, multiples };
        for (lines, expected, findings) in [
            ("", of(None, 3), 0),
            ("vrrp_rx_bufs_policy mtu", of(Some(Policy::Mtu), 3), 0),
            (
                "vrrp_rx_bufs_policy ADVERT\nvrrp_rx_bufs_multiplier 10",
                of(Some(Policy::Advert), 10),
                0,
            ),
            (
                "vrrp_rx_bufs_policy 5000\nvrrp_rx_bufs_policy MTU",
                of(Some(Policy::Octets(5_000)), 3),
                0,
            ),
            (
                "vrrp_rx_bufs_policy x\nvrrp_rx_bufs_multiplier 0",
                of(None, 3),
                2,
            ),
            (
                "vrrp_rx_bufs_policy\nvrrp_rx_bufs_multiplier\nvrrp_rx_bufs_multiplier 5x",
                of(None, 3),
                3,
            ),
        ] {
            assert_eq!(read(lines), (expected, findings), "{lines}");
        }
    }

    #[test]
    fn each_virtual_router_adds_what_the_policy_says() {
        let address = VirtualAddress::new([10, 0, 0, 100].into(), 24);
        let config = InstanceConfig::new("A", "eth0", Version::V2, 1, vec![address; 2]);
        let wanted = |policy, multiples| Receiving { policy, multiples }.wanted_by(&config, 1_500);
        assert_eq!(wanted(None, 1_000), 0);
        assert_eq!(wanted(Some(Policy::Mtu), 4), 6_000);
        assert_eq!(wanted(Some(Policy::Advert), 10), 10 * 44);
        assert_eq!(wanted(Some(Policy::Octets(70_000)), 10), 70_000);
        assert_eq!(wanted(Some(Policy::Mtu), u32::MAX), MOST);
    }
}
