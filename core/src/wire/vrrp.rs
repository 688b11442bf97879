//! VRRP adverts: RFC 9568 section 5.2 (version 3), RFC 3768 section 5.3 (version 2) with the
//! authentication of RFC 2338 section 5.3.
//!
//! Version 2:
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Type  | Virtual Rtr ID|   Priority    |Count IP Addrs |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   Auth Type   | Adver Int (s) |           Checksum            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                 IPv4 Address (1) .. (count)                   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                   Authentication Data (1)                     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                   Authentication Data (2)                     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! Version 3:
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Type  | Virtual Rtr ID|   Priority    |Count IP Addrs |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Reserve| Max Advertise Int (cs)|           Checksum            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |          IPv4 or IPv6 Address (1) .. (count)                  |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! The version 2 authentication data is always there, zero without a password. Its checksum
//! covers the message alone. The checksum of version 3 includes a pseudo-header over IPv6; over
//! IPv4 RFC 9568 has none, but keepalived and FRR send and expect one, so the caller chooses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use byteorder::{ByteOrder, NetworkEndian};

use crate::config::bound::Auth;
use crate::ids::{Family, Version};
use crate::limits;
use crate::time::Duration;
use crate::wire::WireError;
use crate::wire::checksum::Checksum;

/// IP protocol number of VRRP (RFC 9568 section 5.1.1.4).
pub const PROTOCOL: u8 = 112;
/// Group of the adverts over IPv4 (RFC 9568 section 5.1.1.2).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Group of the adverts over IPv6 (RFC 9568 section 5.1.2.2).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// TTL or hop limit of every advert (RFC 9568 sections 5.1.1.3 and 5.1.2.3).
pub const HOP_LIMIT: u8 = 255;

/// Octets before the addresses.
pub const HEADER_LEN: usize = 8;
/// Octets of authentication data behind the addresses in version 2.
pub const AUTH_LEN: usize = 8;

/// The only type of message (RFC 9568 section 5.2.2).
pub const TYPE_ADVERTISEMENT: u8 = 1;

/// Authentication type: none (RFC 2338 section 5.3.6).
pub const AUTH_NONE: u8 = 0;
/// Authentication type: a password in clear text.
pub const AUTH_PASS: u8 = 1;
/// Authentication type: an IP authentication header before the message.
pub const AUTH_AH: u8 = 2;

/// The longest interval that version 2 can express, in seconds.
pub const INTERVAL_SECS_MAX: u8 = u8::MAX;
/// The longest interval that version 3 can express, in centiseconds: 12 bits.
pub const INTERVAL_CENTIS_MAX: u16 = 0x0fff;

mod field {
    use std::ops::Range;

    pub(super) const VERSION_TYPE: usize = 0;
    pub(super) const VRID: usize = 1;
    pub(super) const PRIORITY: usize = 2;
    pub(super) const COUNT: usize = 3;
    pub(super) const AUTH_TYPE: usize = 4;
    pub(super) const INTERVAL_SECS: usize = 5;
    pub(super) const INTERVAL_CENTIS: Range<usize> = 4..6;
    pub(super) const CHECKSUM: Range<usize> = 6..8;
}

/// Addresses of the pseudo-header that a version 3 checksum includes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Pseudo {
    /// IPv4: the form of keepalived and FRR.
    V4 {
        /// Source address of the packet.
        src: Ipv4Addr,
        /// Destination address of the packet.
        dst: Ipv4Addr,
    },
    /// IPv6: RFC 9568 section 5.2.8.
    V6 {
        /// Source address of the packet.
        src: Ipv6Addr,
        /// Destination address of the packet.
        dst: Ipv6Addr,
    },
}

impl Pseudo {
    /// The pseudo-header of a packet from `src` to `dst`; `None` if their families differ.
    pub const fn new(src: IpAddr, dst: IpAddr) -> Option<Self> {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Some(Self::V4 { src, dst }),
            (IpAddr::V6(src), IpAddr::V6(dst)) => Some(Self::V6 { src, dst }),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }

    fn add_to(self, sum: &mut Checksum, len: usize) {
        match self {
            // A message is at most 4,096 octets long: 8 + 255 * 16 + 8.
            Self::V4 { src, dst } => sum.add_pseudo_v4(src, dst, PROTOCOL, len as u16),
            Self::V6 { src, dst } => sum.add_pseudo_v6(src, dst, PROTOCOL, len as u32),
        }
    }
}

/// Octets of a message with `count` addresses: header, addresses and, in version 2,
/// authentication data.
pub const fn message_len(version: Version, family: Family, count: usize) -> usize {
    let auth_len = match version {
        Version::V2 => AUTH_LEN,
        Version::V3 => 0,
    };
    HEADER_LEN + count * family.address_len() + auth_len
}

/// The octets of a message.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    data: &'a [u8],
    header: &'a [u8; HEADER_LEN],
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Takes `data` for a message if the fixed fields are there. Nothing else is judged.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below 8 octets.
    pub fn new_checked(data: &'a [u8]) -> Result<Self, WireError> {
        let (header, body) = data.split_first_chunk().ok_or(WireError::Truncated)?;
        Ok(Self { data, header, body })
    }

    /// Version, 0 to 15.
    pub const fn version(&self) -> u8 {
        self.header[field::VERSION_TYPE] >> 4
    }

    /// Type of message, 0 to 15.
    pub const fn kind(&self) -> u8 {
        self.header[field::VERSION_TYPE] & 0x0f
    }

    /// Virtual router identifier.
    pub const fn vrid(&self) -> u8 {
        self.header[field::VRID]
    }

    /// Priority; 0 is a master's farewell, 255 the owner of the addresses.
    pub const fn priority(&self) -> u8 {
        self.header[field::PRIORITY]
    }

    /// Number of addresses, as the sender says.
    pub const fn address_count(&self) -> u8 {
        self.header[field::COUNT]
    }

    /// Version 2: authentication type.
    pub const fn auth_type(&self) -> u8 {
        self.header[field::AUTH_TYPE]
    }

    /// Version 2: interval in seconds.
    pub const fn interval_secs(&self) -> u8 {
        self.header[field::INTERVAL_SECS]
    }

    /// Version 3: interval in centiseconds, 12 bits. The reserved bits before it are ignored
    /// (RFC 9568 section 5.2.6).
    pub fn interval_centis(&self) -> u16 {
        NetworkEndian::read_u16(&self.header[field::INTERVAL_CENTIS]) & INTERVAL_CENTIS_MAX
    }

    /// Checksum, as the sender says.
    pub fn checksum(&self) -> u16 {
        NetworkEndian::read_u16(&self.header[field::CHECKSUM])
    }

    /// All octets behind the fixed fields, up to the end of the buffer.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Octets that a message with this count of addresses has: more or fewer than are there if
    /// the packet was padded or cut.
    pub fn expected_len(&self, version: Version, family: Family) -> usize {
        message_len(version, family, usize::from(self.address_count()))
    }

    /// The addresses, at most as many as the buffer holds. If the message is shorter than
    /// [`expected_len`](Self::expected_len), the last ones may be made of other octets.
    pub fn addresses(&self, family: Family) -> impl Iterator<Item = IpAddr> + use<'a> {
        self.body
            .chunks_exact(family.address_len())
            .take(usize::from(self.address_count()))
            .map(move |octets| match family {
                Family::V4 => Ipv4Addr::from(NetworkEndian::read_u32(octets)).into(),
                Family::V6 => Ipv6Addr::from(NetworkEndian::read_u128(octets)).into(),
            })
    }

    /// Version 2: the eight octets behind the addresses, which are IPv4 in that version. `None`
    /// if the message is too short.
    pub fn auth_data(&self) -> Option<&'a [u8; AUTH_LEN]> {
        let start = usize::from(self.address_count()) * Family::V4.address_len();
        self.body.get(start..)?.first_chunk()
    }

    /// True if there are `len` octets and their checksum is right. Version 2 never has a
    /// pseudo-header, so `pseudo` does not count there.
    pub fn checksum_ok(&self, len: usize, pseudo: Option<Pseudo>) -> bool {
        let Some(message) = self.data.get(..len) else {
            return false;
        };
        let pseudo = pseudo.filter(|_| self.version() != Version::V2.number());
        message_checksum(message, pseudo) == 0
    }
}

/// The checksum over `message` and, if there is one, its pseudo-header.
fn message_checksum(message: &[u8], pseudo: Option<Pseudo>) -> u16 {
    let mut sum = Checksum::new();
    if let Some(pseudo) = pseudo {
        pseudo.add_to(&mut sum, message.len());
    }
    sum.add_bytes(message);
    sum.finish()
}

/// The meaning of an advert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repr<'a> {
    /// Version of the protocol.
    pub version: Version,
    /// Family of the addresses; version 2 knows IPv4 only.
    pub family: Family,
    /// Virtual router identifier.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Interval: whole seconds up to 255 in version 2, centiseconds up to 4,095 in version 3.
    /// Fractions are cut off and longer ones sent as the longest.
    pub interval: Duration,
    /// Authentication; version 3 has none and ignores it.
    pub auth: Auth,
    /// The addresses. Those of another family, and those beyond the 255th, are left out.
    pub addresses: &'a [IpAddr],
}

impl<'a> Repr<'a> {
    /// The meaning of an advert of `family` that fills `packet` exactly. Its addresses replace
    /// what is in `addresses`, which the result borrows.
    ///
    /// # Errors
    /// [`WireError::Version`] if it is neither version 3 nor version 2 over IPv4;
    /// [`WireError::Kind`] if it is no advert; [`WireError::Length`] if it is not as long as its
    /// count of addresses requires; [`WireError::Checksum`]; [`WireError::AuthType`] if it is
    /// neither none nor a password.
    pub fn parse(
        packet: &Packet<'_>,
        family: Family,
        pseudo: Option<Pseudo>,
        addresses: &'a mut Vec<IpAddr>,
    ) -> Result<Self, WireError> {
        let version = match (packet.version(), family) {
            (2, Family::V4) => Version::V2,
            (3, Family::V4 | Family::V6) => Version::V3,
            _ => return Err(WireError::Version),
        };
        if packet.kind() != TYPE_ADVERTISEMENT {
            return Err(WireError::Kind);
        }
        let len = packet.expected_len(version, family);
        if packet.data.len() != len {
            return Err(WireError::Length);
        }
        if !packet.checksum_ok(len, pseudo) {
            return Err(WireError::Checksum);
        }
        let (interval, auth) = match version {
            Version::V2 => (
                Duration::from_secs(u64::from(packet.interval_secs())),
                parse_auth(packet)?,
            ),
            Version::V3 => (
                Duration::from_centis(u64::from(packet.interval_centis())),
                Auth::None,
            ),
        };
        addresses.clear();
        addresses.extend(packet.addresses(family));
        Ok(Self {
            version,
            family,
            vrid: packet.vrid(),
            priority: packet.priority(),
            interval,
            auth,
            addresses,
        })
    }

    /// Octets that [`emit`](Self::emit) appends.
    pub fn buffer_len(&self) -> usize {
        message_len(self.version, self.family, self.advertised().count())
    }

    /// Appends the advert with its checksum. Version 2 never has a pseudo-header, so `pseudo`
    /// does not count there; in version 3 over IPv6, `None` leaves the checksum to be completed
    /// by others.
    pub fn emit(&self, pseudo: Option<Pseudo>, into: &mut Vec<u8>) {
        let start = into.len();
        into.reserve(self.buffer_len());
        into.extend_from_slice(&self.header());
        for addr in self.advertised() {
            match addr {
                IpAddr::V4(addr) => into.extend_from_slice(&addr.octets()),
                IpAddr::V6(addr) => into.extend_from_slice(&addr.octets()),
            }
        }
        let pseudo = match self.version {
            Version::V2 => {
                into.extend_from_slice(&match self.auth {
                    Auth::None => [0; AUTH_LEN],
                    Auth::Pass(password) => password,
                });
                None
            }
            Version::V3 => pseudo,
        };
        let message = &mut into[start..];
        let sum = message_checksum(message, pseudo);
        NetworkEndian::write_u16(&mut message[field::CHECKSUM], sum);
    }

    /// The fixed fields, without the checksum.
    fn header(&self) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        header[field::VERSION_TYPE] = self.version.number() << 4 | TYPE_ADVERTISEMENT;
        header[field::VRID] = self.vrid;
        header[field::PRIORITY] = self.priority;
        // At most 255: see `advertised`.
        header[field::COUNT] = self.advertised().count() as u8;
        match self.version {
            Version::V2 => {
                header[field::AUTH_TYPE] = self.auth_type();
                let secs = u8::try_from(self.interval.as_secs());
                header[field::INTERVAL_SECS] = secs.unwrap_or(INTERVAL_SECS_MAX);
            }
            Version::V3 => {
                let max = u64::from(INTERVAL_CENTIS_MAX);
                let centis = self.interval.as_centis().min(max) as u16;
                NetworkEndian::write_u16(&mut header[field::INTERVAL_CENTIS], centis);
            }
        }
        header
    }

    const fn auth_type(&self) -> u8 {
        match self.auth {
            Auth::None => AUTH_NONE,
            Auth::Pass(_) => AUTH_PASS,
        }
    }

    /// The addresses that are sent: those of our family, as many as the count field can say.
    fn advertised(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        let family = self.family;
        self.addresses
            .iter()
            .copied()
            .filter(move |addr| Family::of(*addr) == family)
            .take(limits::ADVERT_ADDRESSES)
    }
}

/// The authentication of a version 2 message; without a password its data does not count.
fn parse_auth(packet: &Packet<'_>) -> Result<Auth, WireError> {
    match packet.auth_type() {
        AUTH_NONE => Ok(Auth::None),
        AUTH_PASS => packet
            .auth_data()
            .map(|password| Auth::Pass(*password))
            .ok_or(WireError::Length),
        _ => Err(WireError::AuthType),
    }
}

/// One line as tcpdump(8) prints it, without the password.
impl fmt::Display for Repr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "VRRPv{}, Advertisement, vrid {}, prio {}",
            self.version.number(),
            self.vrid,
            self.priority
        )?;
        match self.version {
            Version::V2 => {
                let auth = match self.auth {
                    Auth::None => "none",
                    Auth::Pass(_) => "simple",
                };
                write!(f, ", authtype {auth}, intvl {}s", self.interval.as_secs())?;
            }
            Version::V3 => write!(f, ", intvl {}cs", self.interval.as_centis())?,
        }
        write!(f, ", length {}, addrs", self.buffer_len())?;
        let count = self.advertised().count();
        if count > 1 {
            write!(f, "({count})")?;
        }
        for (index, addr) in self.advertised().enumerate() {
            write!(f, "{}{addr}", if index == 0 { ": " } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "vrrp_tests.rs"]
mod tests;
