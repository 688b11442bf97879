//! Lengths and checksums put right after a change, so that the change is looked at.

use relevo_core::wire::checksum::{self, Checksum};
use relevo_core::wire::{ndisc, vrrp};

use crate::wire::{ND_DST, ND_SRC, vrrp_choice};

/// Puts a packet right.
pub type Repair = fn(&mut Vec<u8>);

/// An IPv4 header: total length and checksum.
pub fn ipv4(data: &mut Vec<u8>) {
    let Some(first) = data.first().copied() else {
        return;
    };
    let header = (usize::from(first & 0x0f) * 4).max(20);
    data.resize(data.len().max(header), 0);
    data[0] = 0x40 | (header / 4) as u8;
    let total = data.len().min(0xffff) as u16;
    data[2..4].copy_from_slice(&total.to_be_bytes());
    put_sum(data, 10, header, Checksum::new());
}

/// An IPv6 header: payload length.
pub fn ipv6(data: &mut Vec<u8>) {
    data.resize(data.len().max(40), 0);
    data[0] = 0x60 | data[0] & 0x0f;
    let len = (data.len() - 40).min(0xffff) as u16;
    data[4..6].copy_from_slice(&len.to_be_bytes());
}

/// An advert behind the octet that chooses its surroundings: count and checksum.
pub fn vrrp(data: &mut Vec<u8>) {
    let Some((choice, message)) = data.split_first() else {
        return;
    };
    let (family, pseudo) = vrrp_choice(*choice);
    let version = message.first().map_or(3, |first| first >> 4);
    let mut message = message.to_vec();
    message.resize(message.len().max(vrrp::HEADER_LEN), 0);
    let trailer = if version == 2 { vrrp::AUTH_LEN } else { 0 };
    let room = message.len() - vrrp::HEADER_LEN;
    let count = room.saturating_sub(trailer) / family.address_len();
    let count = count.min(255);
    message[3] = count as u8;
    message.resize(vrrp::HEADER_LEN + trailer + count * family.address_len(), 0);
    let mut sum = Checksum::new();
    if version != 2 {
        match pseudo {
            Some(vrrp::Pseudo::V4 { src, dst }) => {
                sum.add_pseudo_v4(src, dst, vrrp::PROTOCOL, message.len() as u16);
            }
            Some(vrrp::Pseudo::V6 { src, dst }) => {
                sum.add_pseudo_v6(src, dst, vrrp::PROTOCOL, message.len() as u32);
            }
            None => {}
        }
    }
    let len = message.len();
    put_sum(&mut message, 6, len, sum);
    data.truncate(1);
    data.append(&mut message);
}

/// A neighbour advertisement: type, code and checksum.
pub fn ndisc(data: &mut Vec<u8>) {
    data.resize(data.len().max(ndisc::HEADER_LEN), 0);
    data[..2].copy_from_slice(&[ndisc::TYPE_NEIGHBOR_ADVERT, 0]);
    let mut sum = Checksum::new();
    sum.add_pseudo_v6(ND_SRC, ND_DST, 58, data.len() as u32);
    let len = data.len();
    put_sum(data, 2, len, sum);
}

/// Netlink messages: the last length ends with the datagram.
#[expect(clippy::ptr_arg, reason = "every repair has one type")]
pub fn netlink(data: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(len) = data.get(at..at + 4).and_then(|len| len.first_chunk::<4>()) {
        let len = u32::from_ne_bytes(*len) as usize;
        if len < 16 || len > data.len() - at {
            let rest = (data.len() - at) as u32;
            data[at..at + 4].copy_from_slice(&rest.to_ne_bytes());
            return;
        }
        at += len.next_multiple_of(4);
    }
}

/// Zeroes the checksum at `at`, and puts that of the first `len` octets there.
fn put_sum(data: &mut [u8], at: usize, len: usize, mut sum: Checksum) {
    data[at..at + 2].fill(0);
    sum.add_bytes(&data[..len]);
    let sum = sum.finish();
    data[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    debug_assert!(at != 10 || checksum::of(&data[..len]) == 0);
}
