//! A client: where its packets to each virtual address go.
//!
//! It keeps a neighbour cache which announcements overwrite. As in a real stack, an entry whose
//! host stays silent is thrown away after a few packets, and the question is broadcast.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Packets without an answer before an entry of the cache is thrown away.
const PATIENCE: u8 = 3;

/// The neighbour cache of one client.
#[derive(Clone, Debug, Default)]
pub struct Client {
    cache: BTreeMap<IpAddr, Entry>,
}

#[derive(Copy, Clone, Debug)]
struct Entry {
    mac: [u8; 6],
    unanswered: u8,
}

impl Client {
    /// Where packets to `addr` go.
    pub fn mac(&self, addr: IpAddr) -> Option<[u8; 6]> {
        self.cache.get(&addr).map(|entry| entry.mac)
    }

    /// Takes an announcement in; a frame that is none changes nothing. Gives what was learned.
    pub fn on_frame(&mut self, frame: &[u8]) -> Option<(IpAddr, [u8; 6])> {
        let learned = announced(frame)?;
        self.learn(learned.0, learned.1);
        Some(learned)
    }

    /// Enters an answer to a broadcast question.
    pub fn learn(&mut self, addr: IpAddr, mac: [u8; 6]) {
        let unanswered = 0;
        self.cache.insert(addr, Entry { mac, unanswered });
    }

    /// Notes whether the last packet to `addr` was answered.
    pub fn on_ping(&mut self, addr: IpAddr, answered: bool) {
        let Some(entry) = self.cache.get_mut(&addr) else {
            return;
        };
        if answered {
            entry.unanswered = 0;
        } else {
            entry.unanswered += 1;
            if entry.unanswered >= PATIENCE {
                self.cache.remove(&addr);
            }
        }
    }
}

/// What a gratuitous ARP or an unsolicited neighbour advertisement says: address and owner.
pub fn announced(frame: &[u8]) -> Option<(IpAddr, [u8; 6])> {
    match frame.get(12..14)? {
        [0x08, 0x06] => announced_by_arp(frame.get(14..)?),
        [0x86, 0xdd] => announced_by_na(frame.get(14..)?),
        _ => None,
    }
}

fn announced_by_arp(arp: &[u8]) -> Option<(IpAddr, [u8; 6])> {
    const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
    if arp.get(..6)? != ETHERNET_IPV4 {
        return None;
    }
    let mac: [u8; 6] = arp.get(8..14)?.try_into().ok()?;
    let sender: [u8; 4] = arp.get(14..18)?.try_into().ok()?;
    let target: [u8; 4] = arp.get(24..28)?.try_into().ok()?;
    (sender == target).then(|| (Ipv4Addr::from(sender).into(), mac))
}

fn announced_by_na(packet: &[u8]) -> Option<(IpAddr, [u8; 6])> {
    const ICMPV6: u8 = 58;
    const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    const OVERRIDE: u8 = 0x20;
    if *packet.get(6)? != ICMPV6 || *packet.get(7)? != 255 {
        return None;
    }
    let message = packet.get(40..)?;
    if *message.first()? != NEIGHBOUR_ADVERTISEMENT || *message.get(4)? & OVERRIDE == 0 {
        return None;
    }
    let target: [u8; 16] = message.get(8..24)?.try_into().ok()?;
    let option = message.get(24..32)?;
    if option.get(..2)? != [2, 1] {
        return None;
    }
    let mac: [u8; 6] = option.get(2..8)?.try_into().ok()?;
    Some((Ipv6Addr::from(target).into(), mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

    fn garp(addr: [u8; 4]) -> Vec<u8> {
        let mut frame = vec![0xff; 6];
        frame.extend(MAC);
        frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend(MAC);
        frame.extend(addr);
        frame.extend([0xff; 6]);
        frame.extend(addr);
        frame
    }

    fn na(target: Ipv6Addr) -> Vec<u8> {
        let mut frame = vec![0x33, 0x33, 0, 0, 0, 1];
        frame.extend(MAC);
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255]);
        frame.extend([0; 32]);
        frame.extend([136, 0, 0, 0, 0x20, 0, 0, 0]);
        frame.extend(target.octets());
        frame.extend([2, 1]);
        frame.extend(MAC);
        frame
    }

    #[test]
    fn announcements_of_both_families_move_the_entry() {
        let mut client = Client::default();
        let v4 = [10, 0, 0, 100];
        let v6: Ipv6Addr = "2001:db8::100".parse().expect("an address");
        client.on_frame(&garp(v4));
        client.on_frame(&na(v6));
        assert_eq!(client.mac(Ipv4Addr::from(v4).into()), Some(MAC));
        assert_eq!(client.mac(v6.into()), Some(MAC));
    }

    #[test]
    fn truncated_frames_and_questions_are_not_announcements() {
        for whole in [garp([10, 0, 0, 100]), na(Ipv6Addr::LOCALHOST)] {
            for len in 0..whole.len() {
                assert_eq!(announced(&whole[..len]), None, "{len}");
            }
            assert!(announced(&whole).is_some());
        }
        let mut question = garp([10, 0, 0, 100]);
        question[41] = 9;
        assert_eq!(announced(&question), None);
    }

    #[test]
    fn a_silent_neighbour_is_forgotten() {
        let mut client = Client::default();
        let addr = IpAddr::from([10, 0, 0, 100]);
        client.learn(addr, MAC);
        client.on_ping(addr, false);
        client.on_ping(addr, false);
        client.on_ping(addr, true);
        client.on_ping(addr, false);
        client.on_ping(addr, false);
        assert_eq!(client.mac(addr), Some(MAC));
        client.on_ping(addr, false);
        assert_eq!(client.mac(addr), None);
    }
}
