//! What must not be told: the passwords of VRRPv2, which travel in clear text.

use crate::config::bound::{Auth, Bound};
use crate::wire::vrrp::{AUTH_LEN, AUTH_PASS, HEADER_LEN};

/// In place of a password that was right, and of one that was not.
const RIGHT: u8 = 0;
const WRONG: u8 = 0xff;

const CHECKSUM: std::ops::Range<usize> = 6..8;

/// The passwords by which packets are told right from wrong before theirs are blanked.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// By virtual router identifier; routers of one number on several interfaces have several.
    known: Vec<(u8, [u8; AUTH_LEN])>,
}

/// Tells how many, and no more.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.known.len())
    }
}

impl Secrets {
    /// Those of a configuration.
    pub fn of(bound: &Bound) -> Self {
        let known = bound
            .instances
            .iter()
            .filter_map(|instance| match instance.auth {
                Auth::None => None,
                Auth::Pass(password) => Some((instance.vrid, password)),
            });
        let mut known: Vec<_> = known.collect();
        known.sort_unstable();
        known.dedup();
        Self { known }
    }

    /// Blanks what may be a password in a whole IPv4 datagram.
    pub(super) fn blank_v4(&self, datagram: &mut [u8]) {
        let len = datagram.len();
        let header = match datagram {
            [first, _, high, low, ..] if *first >> 4 == 4 => {
                let header = usize::from(*first & 0xf) * 4;
                let total = usize::from(u16::from_be_bytes([*high, *low])).min(len);
                (20..=total).contains(&header).then_some((header, total))
            }
            _ => None,
        };
        match header {
            Some((header, total)) => {
                let (packet, behind) = datagram.split_at_mut(total);
                behind.fill(RIGHT);
                self.blank(packet.get_mut(header..).unwrap_or_default(), 4);
            }
            // Whatever it is, no machine reads on.
            None => datagram.iter_mut().skip(20).for_each(|octet| *octet = 0),
        }
    }

    /// Blanks what may be a password in the payload of an IPv6 packet.
    pub(super) fn blank_v6(&self, payload: &mut [u8]) {
        self.blank(payload, 16);
    }

    /// Blanks what stands behind the addresses, and makes the checksum as right or wrong as it was
    /// without telling of it: whoever knows all but the password could guess from the sum.
    fn blank(&self, message: &mut [u8], address_len: usize) {
        let Some((header, rest)) = message.split_first_chunk_mut::<HEADER_LEN>() else {
            return;
        };
        let [version, vrid, _, count, auth_type, ..] = *header;
        let listed = usize::from(count) * address_len;
        let is_whole = match version >> 4 {
            2 => rest.len() == listed + AUTH_LEN,
            // Version 3 has no passwords; what stands behind may come of a damaged version.
            3 => rest.len() >= listed,
            _ => false,
        };
        let behind = rest.get_mut(if is_whole { listed } else { 0 }..);
        let behind = behind.unwrap_or_default();
        let old: Option<[u8; AUTH_LEN]> = (&*behind).try_into().ok();
        match old {
            Some(old) if is_whole && version >> 4 == 2 => {
                let is_wrong = auth_type == AUTH_PASS && !self.known.contains(&(vrid, old));
                behind.fill(if is_wrong { WRONG } else { RIGHT });
                let sum = u16::from_be_bytes([header[CHECKSUM.start], header[CHECKSUM.start + 1]]);
                let sum = updated(sum, &old, behind);
                header[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
            }
            // Its length is wrong, and it is discarded for that before anybody looks at the sum.
            _ if behind.iter().any(|octet| *octet != 0) => {
                behind.fill(RIGHT);
                header[CHECKSUM].fill(0);
            }
            _ => {}
        }
    }
}

/// The checksum `sum` of a message in which `old` has become `new` (RFC 1624 section 3).
fn updated(sum: u16, old: &[u8], new: &[u8]) -> u16 {
    let word = |pair: &[u8]| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        _ => 0,
    };
    let old: u32 = old.chunks(2).map(|pair| 0xffff - word(pair)).sum();
    let new: u32 = new.chunks(2).map(word).sum();
    let mut total = u32::from(!sum) + old + new;
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}
