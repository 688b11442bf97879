//! Frames made by hand: adverts right in every detail until a test spoils one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An advert and its lower layers. Fields hold what goes on the wire, right or wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advert {
    /// Source MAC.
    pub mac: [u8; 6],
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Destination MAC.
    pub to: [u8; 6],
    /// TTL or hop limit.
    pub ttl: u8,
    /// Version, 4 bits.
    pub version: u8,
    /// Type, 4 bits.
    pub kind: u8,
    /// Virtual router id.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Address count, whatever `addresses` has.
    pub count: u8,
    /// Version 2: authentication type and interval in seconds. Version 3: interval in centiseconds.
    pub timing: [u8; 2],
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// What follows the addresses: authentication data of version 2.
    pub tail: Vec<u8>,
    /// Added to the right checksum.
    pub checksum_error: u16,
    /// Added to the right length of the IP header.
    pub length_error: i16,
    /// Leaves only so many bytes of the VRRP part; IP's length follows.
    pub cut: Option<usize>,
}

impl Advert {
    /// A version 2 advert to the group for 10.0.0.100, one second, no password.
    pub fn v2(src: Ipv4Addr, vrid: u8, priority: u8) -> Self {
        Self {
            mac: [2, 0, 0, 0, 0, 0x66],
            src: src.into(),
            dst: Ipv4Addr::new(224, 0, 0, 18).into(),
            to: [1, 0, 0x5e, 0, 0, 18],
            ttl: 255,
            version: 2,
            kind: 1,
            vrid,
            priority,
            count: 1,
            timing: [0, 1],
            addresses: vec![Ipv4Addr::new(10, 0, 0, 100).into()],
            tail: vec![0; 8],
            checksum_error: 0,
            length_error: 0,
            cut: None,
        }
    }

    /// A version 3 advert to the group for 10.0.0.100, with the interval in centiseconds.
    pub fn v3(src: Ipv4Addr, vrid: u8, priority: u8, centis: u16) -> Self {
        Self {
            version: 3,
            timing: centis.to_be_bytes(),
            tail: Vec::new(),
            ..Self::v2(src, vrid, priority)
        }
    }

    /// A version 3 advert over IPv6 to the group.
    pub fn v3_ipv6(
        src: Ipv6Addr,
        vrid: u8,
        priority: u8,
        centis: u16,
        addresses: Vec<IpAddr>,
    ) -> Self {
        Self {
            src: src.into(),
            dst: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12).into(),
            to: [0x33, 0x33, 0, 0, 0, 0x12],
            count: u8::try_from(addresses.len()).unwrap_or(u8::MAX),
            addresses,
            ..Self::v3(Ipv4Addr::UNSPECIFIED, vrid, priority, centis)
        }
    }

    /// Puts a password in, as `auth_type PASS` does.
    pub fn password(mut self, password: &str) -> Self {
        self.timing[0] = 1;
        self.tail = vec![0; 8];
        for (place, byte) in self.tail.iter_mut().zip(password.bytes()) {
            *place = byte;
        }
        self
    }

    /// The VRRP part, with its checksum.
    fn vrrp(&self) -> Vec<u8> {
        let mut bytes = vec![
            (self.version << 4) | (self.kind & 15),
            self.vrid,
            self.priority,
        ];
        bytes.push(self.count);
        bytes.extend(self.timing);
        bytes.extend([0, 0]);
        for address in &self.addresses {
            match address {
                IpAddr::V4(address) => bytes.extend(address.octets()),
                IpAddr::V6(address) => bytes.extend(address.octets()),
            }
        }
        bytes.extend(&self.tail);
        if let Some(length) = self.cut {
            bytes.truncate(length);
        }
        let sum = checksum(&self.pseudo_header(bytes.len()), &bytes);
        let sum = sum.wrapping_add(self.checksum_error).to_be_bytes();
        if let Some(place) = bytes.get_mut(6..8) {
            place.copy_from_slice(&sum);
        }
        bytes
    }

    /// The pseudo-header of version 3; empty for version 2.
    fn pseudo_header(&self, length: usize) -> Vec<u8> {
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let mut bytes = Vec::new();
        match (self.src, self.dst) {
            (IpAddr::V4(_), _) if self.version == 2 => {}
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                bytes.extend(src.octets());
                bytes.extend(dst.octets());
                bytes.extend([0, 112]);
                bytes.extend(length);
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                bytes.extend(src.octets());
                bytes.extend(dst.octets());
                bytes.extend([0, 0]);
                bytes.extend(length);
                bytes.extend([0, 0, 0, 112]);
            }
            _ => {}
        }
        bytes
    }

    /// The whole Ethernet frame.
    pub fn frame(&self) -> Vec<u8> {
        let vrrp = self.vrrp();
        let mut frame = Vec::new();
        frame.extend(self.to);
        frame.extend(self.mac);
        let spoiled = |length: usize| {
            let length = i16::try_from(length).unwrap_or(i16::MAX);
            length.saturating_add(self.length_error).to_be_bytes()
        };
        match (self.src, self.dst) {
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                frame.extend([0x86, 0xdd, 0x6c, 0, 0, 0]);
                frame.extend(spoiled(vrrp.len()));
                frame.extend([112, self.ttl]);
                frame.extend(src.octets());
                frame.extend(dst.octets());
            }
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                frame.extend([0x08, 0x00]);
                let mut header = vec![0x45, 0xc0];
                header.extend(spoiled(20 + vrrp.len()));
                header.extend([0, 1, 0, 0, self.ttl, 112, 0, 0]);
                header.extend(src.octets());
                header.extend(dst.octets());
                let sum = checksum(&[], &header).to_be_bytes();
                header[10..12].copy_from_slice(&sum);
                frame.extend(header);
            }
            _ => {}
        }
        frame.extend(vrrp);
        frame
    }
}

/// The Internet checksum of two pieces; the first has an even length.
pub(super) fn checksum(first: &[u8], second: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for piece in [first, second] {
        for pair in piece.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([pair[0], low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_version_2_advert_equals_that_of_another_implementation() {
        // The test vector of holo: VRID 51, priority 30, one second, 10.0.1.5.
        let advert = Advert {
            addresses: vec![Ipv4Addr::new(10, 0, 1, 5).into()],
            ..Advert::v2(Ipv4Addr::new(192, 168, 100, 2), 51, 30)
        };
        assert_eq!(
            hex(&advert.vrrp()),
            "21331e010001b5c50a0001050000000000000000"
        );
    }

    #[test]
    fn version_3_sums_to_zero_over_its_pseudo_header() {
        let four = Advert::v3(Ipv4Addr::new(10, 0, 0, 7), 51, 200, 30);
        let addresses = vec![Ipv6Addr::LOCALHOST.into()];
        let six = Advert::v3_ipv6(Ipv6Addr::LOCALHOST, 51, 200, 30, addresses);
        for advert in [four, six] {
            let bytes = advert.vrrp();
            assert_eq!(checksum(&advert.pseudo_header(bytes.len()), &bytes), 0);
            let bad = Advert {
                checksum_error: 1,
                ..advert
            };
            assert_ne!(checksum(&bad.pseudo_header(bytes.len()), &bad.vrrp()), 0);
        }
    }

    #[test]
    fn cut_and_length_error_show_in_the_frame() {
        let advert = Advert {
            cut: Some(5),
            length_error: 3,
            ..Advert::v2(Ipv4Addr::new(10, 0, 0, 7), 51, 1)
        };
        let frame = advert.frame();
        assert_eq!(frame.len(), 14 + 20 + 5);
        assert_eq!(frame[16..18], [0, 28]);
    }
}
