//! The Internet checksum: RFC 1071, with the pseudo-headers of IPv4 and IPv6.
//!
//! The ones' complement of the ones' complement sum of all 16-bit words in network order. Over a
//! packet that carries its right checksum, [`Checksum::finish`] gives zero.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A sum in progress.
///
/// Octets may come in slices of any length, odd ones too: the sum is that of their concatenation.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Checksum {
    /// Sum of all words so far; the carries are folded in at the end (RFC 1071 section 2, (1)).
    sum: u64,
    /// The next octet is the low half of a word whose high half is already in the sum.
    odd: bool,
}

impl Checksum {
    /// The sum of nothing.
    pub const fn new() -> Self {
        Self { sum: 0, odd: false }
    }

    /// Adds `bytes` as if they followed all those added before.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.odd
            && let Some((low, tail)) = rest.split_first()
        {
            self.sum += u64::from(*low);
            self.odd = false;
            rest = tail;
        }
        let (words, last) = rest.as_chunks::<2>();
        for word in words {
            self.sum += u64::from(u16::from_be_bytes(*word));
        }
        if let [high] = last {
            self.sum += u64::from(*high) << 8;
            self.odd = true;
        }
    }

    /// Adds the IPv4 pseudo-header, as laid out in RFC 9293 section 3.1; `len` counts the octets
    /// that follow the IP header.
    ///
    /// ```text
    /// +--------+--------+--------+--------+
    /// |           source address          |
    /// +--------+--------+--------+--------+
    /// |         destination address       |
    /// +--------+--------+--------+--------+
    /// |  zero  |protocol|      length     |
    /// +--------+--------+--------+--------+
    /// ```
    pub fn add_pseudo_v4(&mut self, src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, len: u16) {
        self.add_bytes(&src.octets());
        self.add_bytes(&dst.octets());
        self.add_bytes(&[0, protocol]);
        self.add_bytes(&len.to_be_bytes());
    }

    /// Adds the IPv6 pseudo-header of RFC 8200 section 8.1; `len` counts the octets of the upper
    /// layer's packet.
    ///
    /// ```text
    /// +--------+--------+--------+--------+
    /// |      source address, 16 octets    |
    /// |   destination address, 16 octets  |
    /// +--------+--------+--------+--------+
    /// |               length              |
    /// +--------+--------+--------+--------+
    /// |            zero          |nexthead|
    /// +--------+--------+--------+--------+
    /// ```
    pub fn add_pseudo_v6(&mut self, src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, len: u32) {
        self.add_bytes(&src.octets());
        self.add_bytes(&dst.octets());
        self.add_bytes(&len.to_be_bytes());
        self.add_bytes(&[0, 0, 0, next_header]);
    }

    /// The checksum of everything added; a last odd octet is padded with zero.
    pub const fn finish(self) -> u16 {
        let mut sum = self.sum;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

/// The checksum of `bytes` alone.
pub fn of(bytes: &[u8]) -> u16 {
    let mut sum = Checksum::new();
    sum.add_bytes(bytes);
    sum.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        // Section 3: the words 0001 f203 f4f5 f6f7 sum up to ddf2.
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(of(&bytes), !0xddf2);
    }

    #[test]
    fn nothing_sums_to_all_ones() {
        assert_eq!(of(&[]), 0xffff);
        assert_eq!(of(&[0; 7]), 0xffff);
        assert_eq!(of(&[0xff; 6]), 0);
    }

    #[test]
    fn an_odd_octet_is_the_high_half_of_a_word() {
        assert_eq!(of(&[0x12]), !0x1200);
        assert_eq!(of(&[0x00, 0x01, 0x12]), !0x1201);
    }

    #[test]
    fn pseudo_headers_equal_their_octets() {
        let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(224, 0, 0, 18));
        let mut sum = Checksum::new();
        sum.add_pseudo_v4(src, dst, 112, 0x1234);
        assert_eq!(
            sum.finish(),
            of(&[10, 0, 0, 1, 224, 0, 0, 18, 0, 112, 0x12, 0x34])
        );

        let mut octets = [0u8; 40];
        octets[0] = 0xfe;
        octets[1] = 0x80;
        octets[15] = 1;
        octets[16] = 0xff;
        octets[17] = 0x02;
        octets[31] = 0x12;
        octets[32..36].copy_from_slice(&[0x00, 0x01, 0x56, 0x78]);
        octets[39] = 112;
        let mut sum = Checksum::new();
        sum.add_pseudo_v6(
            "fe80::1".parse().unwrap(),
            "ff02::12".parse().unwrap(),
            112,
            0x1_5678,
        );
        assert_eq!(sum.finish(), of(&octets));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_sum(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            cuts in proptest::collection::vec(0usize..100, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut sum = Checksum::new();
            for pair in cuts.windows(2) {
                sum.add_bytes(&bytes[pair[0]..pair[1]]);
            }
            prop_assert_eq!(sum.finish(), of(&bytes));
        }

        #[test]
        fn one_changed_octet_is_noticed(
            bytes in proptest::collection::vec(any::<u8>(), 1..100),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let mut changed = bytes.clone();
            changed[at.index(bytes.len())] ^= flip;
            prop_assert_ne!(of(&changed), of(&bytes));
        }
    }
}
