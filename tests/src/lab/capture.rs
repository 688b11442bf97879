//! A capture in the switch, read while it grows. Only what tests wait for is decoded here, and by code of
//! its own: neither the daemon's nor tshark's, which judges the same file afterwards (see `judge`).

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::command::{Result, wait_until};
use super::net::Lab;

/// A VRRP advert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advert {
    /// The frame's source MAC.
    pub mac: [u8; 6],
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Version, the upper half of the first byte.
    pub version: u8,
    /// Virtual router id.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
}

/// A gratuitous ARP or an unsolicited neighbour advertisement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// The address that is announced.
    pub address: IpAddr,
    /// The frame's source MAC.
    pub mac: [u8; 6],
}

/// What a frame was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// A VRRP advert.
    Advert(Advert),
    /// A gratuitous ARP or neighbour advertisement.
    Announcement(Announcement),
}

/// A frame of interest and when it was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// Nanoseconds on the clock of [`super::now_ns`].
    pub at_ns: i64,
    /// What it was.
    pub seen: Seen,
}

/// A running tcpdump on the switch.
#[derive(Debug)]
pub struct Capture {
    child: Child,
    path: PathBuf,
}

impl Capture {
    /// Starts to capture; returns when packets are being caught.
    ///
    /// # Errors
    /// tcpdump does not start.
    pub fn start(lab: &Lab) -> Result<Self> {
        Self::start_with(lab, "wire.pcap", "")
    }

    /// As [`Capture::start`], without the frames that come from a MAC address: a flood would fill the file.
    ///
    /// # Errors
    /// As [`Capture::start`].
    pub fn start_without(lab: &Lab, mac: [u8; 6]) -> Result<Self> {
        let words: Vec<String> = mac.iter().map(|octet| format!("{octet:02x}")).collect();
        Self::start_with(
            lab,
            "calm.pcap",
            &format!(" and not ether src {}", words.join(":")),
        )
    }

    fn start_with(lab: &Lab, name: &str, more: &str) -> Result<Self> {
        let path = lab.dir().join(name);
        let wanted = "ip proto 112 or ip6 proto 112 or arp or igmp or \
                      (icmp6 and ip6[40] != 128 and ip6[40] != 129)";
        let child = lab
            .switch_command("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "tcpdump",
                "-i",
                "br0",
                "-n",
                "-U",
                "--immediate-mode",
                // KiB: two daemons' bursts at once overrun less.
                "-B",
                "16384",
            ])
            // The usual buffer holds some thirty packets, too few for a machine that stalls.
            .args(["-s", "2048", "-B", "8192"])
            .args(["--time-stamp-precision=nano", "-Z", "root", "-w"])
            .arg(&path)
            .arg(format!("({wanted}){more}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("tcpdump: {error}"))?;
        let capture = Self { child, path };
        wait_until("tcpdump's file header", Duration::from_secs(10), || {
            let size = fs::metadata(&capture.path).map_or(0, |data| data.len());
            Ok((size >= 24).then_some(()))
        })?;
        Ok(capture)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every frame of interest up to now.
    pub fn all(&self) -> Vec<Sighting> {
        read(&fs::read(&self.path).unwrap_or_default())
    }

    /// The adverts seen since `since_ns`, with their times.
    pub fn adverts(&self, since_ns: i64) -> Vec<(i64, Advert)> {
        let recent = self
            .all()
            .into_iter()
            .filter(|sighting| sighting.at_ns >= since_ns);
        recent
            .filter_map(|sighting| match sighting.seen {
                Seen::Advert(advert) => Some((sighting.at_ns, advert)),
                Seen::Announcement(_) => None,
            })
            .collect()
    }

    /// The announcements seen since `since_ns`, with their times.
    pub fn announcements(&self, since_ns: i64) -> Vec<(i64, Announcement)> {
        let recent = self
            .all()
            .into_iter()
            .filter(|sighting| sighting.at_ns >= since_ns);
        recent
            .filter_map(|sighting| match sighting.seen {
                Seen::Announcement(told) => Some((sighting.at_ns, told)),
                Seen::Advert(_) => None,
            })
            .collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Decodes a capture file with nanosecond stamps in this machine's byte order; stops at a record that is
/// not yet whole.
fn read(file: &[u8]) -> Vec<Sighting> {
    let mut found = Vec::new();
    let mut rest = file.get(24..).unwrap_or_default();
    while let (Some(seconds), Some(nanos), Some(length)) =
        (word(rest, 0), word(rest, 4), word(rest, 8))
    {
        let end = 16 + length as usize;
        let Some(frame) = rest.get(16..end) else {
            break;
        };
        if let Some(seen) = decode(frame) {
            let at_ns = i64::from(seconds) * 1_000_000_000 + i64::from(nanos);
            found.push(Sighting { at_ns, seen });
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    found
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

fn ipv4(bytes: &[u8], at: usize) -> Option<IpAddr> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(four).into())
}

fn ipv6(bytes: &[u8], at: usize) -> Option<IpAddr> {
    let sixteen: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(sixteen).into())
}

/// What an Ethernet frame is, if it is anything of interest.
fn decode(frame: &[u8]) -> Option<Seen> {
    let mac: [u8; 6] = frame.get(6..12)?.try_into().ok()?;
    match frame.get(12..14)? {
        [0x08, 0x06] => {
            let (sender, target) = (ipv4(frame, 28)?, ipv4(frame, 38)?);
            let told = Announcement {
                address: sender,
                mac,
            };
            // A kernel that defends its address answers the one who asked.
            let to_all = frame.get(..6)? == [0xff; 6];
            (to_all && sender == target).then_some(Seen::Announcement(told))
        }
        [0x08, 0x00] if *frame.get(23)? == 112 => {
            let header = usize::from(frame.get(14)? & 15) * 4;
            let ends = (ipv4(frame, 26)?, ipv4(frame, 30)?);
            advert(frame.get(14 + header..)?, mac, ends, *frame.get(22)?)
        }
        [0x86, 0xdd] => {
            let ends = (ipv6(frame, 22)?, ipv6(frame, 38)?);
            match (*frame.get(20)?, *frame.get(54)?) {
                (112, _) => advert(frame.get(54..)?, mac, ends, *frame.get(21)?),
                // Solicited ones answer somebody's question: no announcement.
                (58, 136) if frame.get(58)? & 0x40 == 0 => {
                    let address = ipv6(frame, 62)?;
                    Some(Seen::Announcement(Announcement { address, mac }))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn advert(vrrp: &[u8], mac: [u8; 6], (src, dst): (IpAddr, IpAddr), ttl: u8) -> Option<Seen> {
    Some(Seen::Advert(Advert {
        mac,
        src,
        dst,
        ttl,
        version: vrrp.first()? >> 4,
        vrid: *vrrp.get(1)?,
        priority: *vrrp.get(2)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::forge;
    use super::*;

    fn record(at: (u32, u32), frame: &[u8]) -> Vec<u8> {
        let length = u32::try_from(frame.len()).unwrap();
        let mut bytes = Vec::new();
        for word in [at.0, at.1, length, length] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(frame);
        bytes
    }

    #[test]
    fn whole_records_are_read_and_a_torn_one_waits() {
        let frame = forge::Advert::v2("10.0.0.7".parse().unwrap(), 51, 30).frame();
        let mut file = vec![0; 24];
        file.extend(record((5, 7), &frame));
        let whole = file.len();
        file.extend(record((6, 0), &frame));
        let both = read(&file);
        assert_eq!(both.len(), 2);
        assert_eq!(both[0].at_ns, 5_000_000_007);
        let Seen::Advert(advert) = &both[0].seen else {
            panic!("{both:?}");
        };
        assert_eq!(
            (advert.version, advert.vrid, advert.priority, advert.ttl),
            (2, 51, 30, 255)
        );
        for cut in whole..file.len() {
            assert_eq!(read(&file[..cut]).len(), 1, "cut at {cut}");
        }
    }

    #[test]
    fn garbage_is_nothing() {
        for length in 0..80 {
            assert_eq!(decode(&vec![0xff; length]), None);
        }
    }
}
