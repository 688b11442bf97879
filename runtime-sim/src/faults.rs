//! Faults, and their one line of text: the same words stand in scenario files and in what a
//! search prints.
//!
//! | text | meaning |
//! |---|---|
//! | `start a` | the daemon of host `a` starts (and its power comes back) |
//! | `stop a` | the operator stops it in order |
//! | `watch a 500` | its daemon is the child of a parent from now on, which says hello every 500 ms |
//! | `crash a` | the daemon is killed; its kernel keeps what it has |
//! | `crash a after 3` | the same, right after its third further action |
//! | `power-off a`, `power-off a after 3` | the whole host is gone |
//! | `freeze a`, `thaw a` | the daemon gets no processor time, and gets it again |
//! | `cut a b`, `join a b` | nothing passes between two hosts (or a host and a client), both ways |
//! | `cut a -> b`, `join a -> b` | the same in one direction |
//! | `unplug a`, `plug a` | the cable of a host |
//! | `down a`, `up a` | an administrator sets the interface |
//! | `quality loss 300 delay 5ms` | the paths between hosts (see below) |
//! | `refuse a 1`, `refuse-send a 1`, `refuse-socket a 1` | the next change of an address, advert, or socket fails with that error number |
//! | `take a` | another program deletes an address that the host holds |
//! | `give a` | another program adds an address that the host may come to hold |
//! | `remove a`, `restore a` | the interface is deleted, and made again |
//! | `replace a` | the same at once |
//! | `rename a`, `rename-back a` | the interface gets another name, and its own again |
//! | `lose a`, `regain a` | the interface loses its own addresses, and has them again |
//! | `retell a` | the kernel describes the interface again, as when it joins a bridge |
//! | `reload a 1` | the daemon is given the host's configuration of that number; 0 is the first |
//! | `noise a 20` | so many bad packets of all kinds arrive |
//! | `overrun a` | the kernel's monitor socket loses what it holds |
//! | `heal` | every fault ends, every daemon runs |
//!
//! The words of `quality`: `loss`, `duplicate`, `reorder`, `corrupt` in thousandths; `delay`,
//! `spread`, `by` (how long a reordered packet waits) as times such as `300us`, `5ms`, `1.5s`.
//! What is about an interface or a segment ends with `on eth1` when it is not `eth0`.

use std::fmt::Write;

use relevo_core::ids::Errno;
use relevo_core::time::{Duration, Instant};

use crate::link::Quality;
use crate::segment::Station;

/// Bad packets in one burst.
const NOISE_MAX: u32 = 10_000;

/// Something that goes wrong, or right again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A daemon starts.
    Start {
        /// On which host.
        host: usize,
    },
    /// The operator stops a daemon.
    Stop {
        /// On which host.
        host: usize,
    },
    /// A daemon has a parent from now on.
    Watch {
        /// On which host.
        host: usize,
        /// How often the parent says hello.
        interval: Duration,
    },
    /// A daemon is killed.
    Crash {
        /// On which host.
        host: usize,
        /// The whole host is gone with it.
        power: bool,
        /// Only after this many further actions.
        after: Option<u32>,
    },
    /// A daemon gets no processor time, or gets it again.
    Freeze {
        /// On which host.
        host: usize,
        /// Whether it begins.
        on: bool,
    },
    /// A path is cut or joined.
    Cut {
        /// On which segment.
        segment: usize,
        /// From where.
        from: Station,
        /// To where.
        to: Station,
        /// In both directions.
        both: bool,
        /// Whether it begins.
        on: bool,
    },
    /// A cable is pulled or plugged.
    Cable {
        /// Of which host.
        host: usize,
        /// On which segment.
        segment: usize,
        /// Whether it is in.
        plugged: bool,
    },
    /// An administrator sets an interface.
    Admin {
        /// Of which host.
        host: usize,
        /// On which segment.
        segment: usize,
        /// Whether up.
        up: bool,
    },
    /// The paths between the hosts of a segment change.
    Quality {
        /// Which segment.
        segment: usize,
        /// To this.
        quality: Quality,
    },
    /// An action fails.
    Refuse {
        /// Of which host.
        host: usize,
        /// Which kind.
        what: Refusal,
        /// With which error number.
        errno: Errno,
    },
    /// Another program deletes an address.
    Take {
        /// On which host.
        host: usize,
    },
    /// Another program adds an address.
    Give {
        /// On which host.
        host: usize,
    },
    /// An interface is deleted or made again.
    Interface {
        /// Of which host.
        host: usize,
        /// On which segment.
        segment: usize,
        /// Whether it is there.
        there: bool,
    },
    /// Something else happens to an interface.
    Link {
        /// Of which host.
        host: usize,
        /// On which segment.
        segment: usize,
        /// What.
        change: LinkChange,
    },
    /// Another configuration shall be in force.
    Reload {
        /// On which host.
        host: usize,
        /// Its number; 0 is the one of the beginning.
        variant: usize,
    },
    /// Bad packets arrive.
    Noise {
        /// At which host.
        host: usize,
        /// How many.
        count: u32,
    },
    /// The monitor socket overruns.
    Overrun {
        /// On which host.
        host: usize,
    },
    /// Every fault ends.
    Heal,
}

impl Refusal {
    fn word(self) -> &'static str {
        match self {
            Self::Order => "refuse",
            Self::Send => "refuse-send",
            Self::Socket => "refuse-socket",
        }
    }
}

/// What happens to an interface besides going and coming.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum LinkChange {
    /// It is deleted and made again at once, under another number.
    Replace,
    /// It gets another name.
    Rename,
    /// It gets its own name again.
    RenameBack,
    /// It loses its own addresses.
    Lose,
    /// It has them again.
    Regain,
    /// It is described again as it is.
    Retell,
}

impl LinkChange {
    const WORDS: [(&'static str, Self); 6] = [
        ("replace", Self::Replace),
        ("rename", Self::Rename),
        ("rename-back", Self::RenameBack),
        ("lose", Self::Lose),
        ("regain", Self::Regain),
        ("retell", Self::Retell),
    ];

    fn of(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, change)| *change)
    }

    fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, change)| *change == self);
        found.map_or("?", |(word, _)| word)
    }
}

/// Which action fails.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Adding or deleting an address.
    Order,
    /// Sending an advert.
    Send,
    /// Opening a socket.
    Socket,
}

/// A fault with its moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// When.
    pub at: Instant,
    /// What.
    pub fault: Fault,
    /// What belongs together has the same number, such as a cut and its end.
    pub episode: u32,
}

/// The names that faults are written with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// Hosts by position.
    pub hosts: Vec<String>,
    /// Clients by position.
    pub clients: Vec<String>,
}

impl Names {
    /// The position of a host.
    pub fn host(&self, name: &str) -> Result<usize, String> {
        self.hosts
            .iter()
            .position(|host| host == name)
            .ok_or_else(|| format!("there is no host '{name}'"))
    }

    /// The position of a host or client.
    pub fn station(&self, name: &str) -> Result<Station, String> {
        if let Some(client) = self.clients.iter().position(|client| client == name) {
            return Ok(Station::Client(client));
        }
        self.host(name)
            .map(Station::Host)
            .map_err(|_| format!("there is no host or client '{name}'"))
    }

    fn of(&self, station: Station) -> &str {
        let name = match station {
            Station::Host(host) => self.hosts.get(host),
            Station::Client(client) => self.clients.get(client),
        };
        name.map_or("?", String::as_str)
    }
}

impl Fault {
    /// The fault that `text` describes.
    pub fn parse(text: &str, names: &Names) -> Result<Self, String> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let segment = take_segment(&mut words)?;
        let host = |name: &&str| names.host(name);
        let fault = match words.as_slice() {
            ["heal"] => Self::Heal,
            ["start", a] => Self::Start { host: host(a)? },
            ["stop", a] => Self::Stop { host: host(a)? },
            ["take", a] => Self::Take { host: host(a)? },
            ["give", a] => Self::Give { host: host(a)? },
            [word @ ("remove" | "restore"), a] => Self::Interface {
                host: host(a)?,
                segment,
                there: *word == "restore",
            },
            [word @ ("noise" | "reload" | "watch"), a, number] => {
                Self::with_number(word, host(a)?, number)?
            }
            ["overrun", a] => Self::Overrun { host: host(a)? },
            [word @ ("freeze" | "thaw"), a] => Self::Freeze {
                host: host(a)?,
                on: *word == "freeze",
            },
            [word @ ("crash" | "power-off"), a, rest @ ..] => Self::Crash {
                host: host(a)?,
                power: *word == "power-off",
                after: parse_after(rest)?,
            },
            [word @ ("cut" | "join"), a, rest @ ..] => {
                let (b, both) = parse_end(word, rest)?;
                Self::Cut {
                    segment,
                    from: names.station(a)?,
                    to: names.station(b)?,
                    both,
                    on: *word == "cut",
                }
            }
            [word @ ("plug" | "unplug"), a] => Self::Cable {
                host: host(a)?,
                segment,
                plugged: *word == "plug",
            },
            [word @ ("up" | "down"), a] => Self::Admin {
                host: host(a)?,
                segment,
                up: *word == "up",
            },
            ["quality", rest @ ..] => Self::Quality {
                segment,
                quality: parse_quality(rest)?,
            },
            [word, a, errno] if word.starts_with("refuse") => Self::Refuse {
                host: host(a)?,
                what: parse_refusal(word)?,
                errno: parse_errno(errno)?,
            },
            [word, a] if LinkChange::of(word).is_some() => Self::Link {
                host: host(a)?,
                segment,
                change: LinkChange::of(word).unwrap_or(LinkChange::Retell),
            },
            _ => return Err(format!("'{text}' is no fault")),
        };
        Ok(fault)
    }

    /// A fault of one host that has a number.
    fn with_number(word: &str, host: usize, number: &str) -> Result<Self, String> {
        Ok(match word {
            "noise" => Self::Noise {
                host,
                count: parse_count(number)?,
            },
            "watch" => Self::Watch {
                host,
                interval: parse_interval(number)?,
            },
            _ => Self::Reload {
                host,
                variant: number
                    .parse()
                    .map_err(|_| format!("'{number}' is no number of a configuration"))?,
            },
        })
    }

    /// The text that [`parse`](Self::parse) reads.
    pub fn text(&self, names: &Names) -> String {
        let name = |host: &usize| names.of(Station::Host(*host));
        let on = |segment: &usize| match segment {
            0 => String::new(),
            _ => format!(" on eth{segment}"),
        };
        match self {
            Self::Heal => "heal".into(),
            Self::Start { host } => format!("start {}", name(host)),
            Self::Stop { host } => format!("stop {}", name(host)),
            Self::Watch { host, interval } => {
                format!("watch {} {}", name(host), interval.as_millis())
            }
            Self::Take { host } => format!("take {}", name(host)),
            Self::Overrun { host } => format!("overrun {}", name(host)),
            Self::Give { host } => format!("give {}", name(host)),
            Self::Reload { host, variant } => format!("reload {} {variant}", name(host)),
            Self::Noise { host, count } => format!("noise {} {count}", name(host)),
            Self::Interface {
                host,
                segment,
                there: true,
            } => format!("restore {}{}", name(host), on(segment)),
            Self::Interface { host, segment, .. } => {
                format!("remove {}{}", name(host), on(segment))
            }
            Self::Link {
                host,
                segment,
                change,
            } => format!("{} {}{}", change.word(), name(host), on(segment)),
            Self::Freeze { host, on: true } => format!("freeze {}", name(host)),
            Self::Freeze { host, on: false } => format!("thaw {}", name(host)),
            Self::Crash { host, power, after } => {
                let word = if *power { "power-off" } else { "crash" };
                let after = after.map_or(String::new(), |n| format!(" after {n}"));
                format!("{word} {}{after}", name(host))
            }
            Self::Cut {
                segment,
                from,
                to,
                both,
                on: begins,
            } => {
                let word = if *begins { "cut" } else { "join" };
                let arrow = if *both { " " } else { " -> " };
                let (from, to) = (names.of(*from), names.of(*to));
                format!("{word} {from}{arrow}{to}{}", on(segment))
            }
            Self::Cable {
                host,
                segment,
                plugged,
            } => {
                let word = if *plugged { "plug" } else { "unplug" };
                format!("{word} {}{}", name(host), on(segment))
            }
            Self::Admin { host, segment, up } => {
                let word = if *up { "up" } else { "down" };
                format!("{word} {}{}", name(host), on(segment))
            }
            Self::Quality { segment, quality } => {
                format!("quality{}{}", quality_text(quality), on(segment))
            }
            Self::Refuse { host, what, errno } => {
                format!("{} {} {}", what.word(), name(host), errno.0)
            }
        }
    }
}

fn take_segment(words: &mut Vec<&str>) -> Result<usize, String> {
    let Some(at) = words.iter().position(|word| *word == "on") else {
        return Ok(0);
    };
    let rest: Vec<&str> = words.drain(at..).collect();
    match rest.as_slice() {
        ["on", interface] => interface
            .strip_prefix("eth")
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| format!("'{interface}' is no interface: eth0, eth1 ..")),
        _ => Err("'on' wants one interface at the end".into()),
    }
}

fn parse_end<'a>(word: &str, words: &[&'a str]) -> Result<(&'a str, bool), String> {
    match words {
        [b] => Ok((b, true)),
        ["->", b] => Ok((b, false)),
        _ => Err(format!("'{word}' wants two names: {word} a b")),
    }
}

fn parse_refusal(word: &str) -> Result<Refusal, String> {
    match word {
        "refuse" => Ok(Refusal::Order),
        "refuse-send" => Ok(Refusal::Send),
        "refuse-socket" => Ok(Refusal::Socket),
        _ => Err(format!("'{word}': refuse, refuse-send or refuse-socket")),
    }
}

fn parse_errno(text: &str) -> Result<Errno, String> {
    let number = text.parse();
    number
        .map(Errno)
        .map_err(|_| format!("'{text}' is no error number"))
}

fn parse_interval(millis: &str) -> Result<Duration, String> {
    match millis.parse() {
        Ok(millis @ 1..=3_600_000) => Ok(Duration::from_millis(millis)),
        _ => Err(format!("'{millis}' is no number of milliseconds")),
    }
}

fn parse_count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if count <= NOISE_MAX => Ok(count),
        _ => Err(format!("'{text}' is no number up to {NOISE_MAX}")),
    }
}

fn parse_after(words: &[&str]) -> Result<Option<u32>, String> {
    match words {
        [] => Ok(None),
        ["after", count] => match count.parse() {
            Ok(count) if count > 0 => Ok(Some(count)),
            _ => Err(format!("'after {count}' wants a number of actions above 0")),
        },
        _ => Err("a crash may only be followed by: after N".into()),
    }
}

/// The quality that words such as `loss 300 delay 5ms` describe; what is not named is as on a
/// clean path.
pub fn parse_quality(words: &[&str]) -> Result<Quality, String> {
    let mut quality = Quality::default();
    for pair in words.chunks(2) {
        let [word, value] = pair else {
            return Err(format!("'{}' wants a value", pair.join(" ")));
        };
        let share = || match value.parse::<u16>() {
            Ok(share) if share <= 1_000 => Ok(share),
            _ => Err(format!("'{value}' is no share in thousandths")),
        };
        match *word {
            "loss" => quality.loss = share()?,
            "duplicate" => quality.duplicate = share()?,
            "reorder" => quality.reorder = share()?,
            "corrupt" => quality.corrupt = share()?,
            "delay" => quality.delay = parse_span(value)?,
            "spread" => quality.spread = parse_span(value)?,
            "by" => quality.reorder_by = parse_span(value)?,
            _ => return Err(format!("'{word}' is no quality of a path")),
        }
    }
    Ok(quality)
}

fn quality_text(quality: &Quality) -> String {
    let mut text = String::new();
    let shares = [
        ("loss", quality.loss),
        ("duplicate", quality.duplicate),
        ("reorder", quality.reorder),
        ("corrupt", quality.corrupt),
    ];
    for (word, share) in shares.into_iter().filter(|(_, share)| *share > 0) {
        let _ = write!(text, " {word} {share}");
    }
    let clean = Quality::default();
    let spans = [
        ("delay", quality.delay, clean.delay),
        ("spread", quality.spread, clean.spread),
        ("by", quality.reorder_by, clean.reorder_by),
    ];
    for (word, span, usual) in spans {
        if span != usual {
            let _ = write!(text, " {word} {}us", span.as_micros());
        }
    }
    text
}

/// A time such as `300us`, `5ms`, `1.5s` or `1.5` (seconds).
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time: 300us, 5ms, 1.5s");
    let (number, unit_us) = if let Some(number) = text.strip_suffix("us") {
        (number, 1)
    } else if let Some(number) = text.strip_suffix("ms") {
        (number, 1_000)
    } else {
        (text.strip_suffix('s').unwrap_or(text), 1_000_000)
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let millionths: u64 = format!("{fraction:0<6}").parse().map_err(|_| wrong())?;
    let micros = whole
        .checked_mul(unit_us)
        .and_then(|micros| micros.checked_add(millionths * unit_us / 1_000_000))
        .ok_or_else(wrong)?;
    Ok(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            hosts: vec!["a".into(), "b".into()],
            clients: vec!["laptop".into()],
        }
    }

    #[test]
    fn every_fault_reads_back_from_its_text() {
        for text in [
            "heal",
            "start a",
            "stop b",
            "watch a 500",
            "crash a",
            "crash a after 3",
            "power-off b after 1",
            "freeze a",
            "thaw a",
            "cut a b",
            "cut a -> b on eth1",
            "join a laptop",
            "unplug a",
            "plug a on eth2",
            "down b",
            "up b",
            "quality loss 300 reorder 20 spread 9000us by 40000us",
            "quality",
            "refuse a 1",
            "refuse-send b 105",
            "refuse-socket b 1",
            "take a",
            "overrun b",
            "give a",
            "remove a",
            "restore b on eth1",
            "replace a",
            "rename a",
            "rename-back b on eth1",
            "lose a",
            "regain a",
            "retell b",
            "noise a 20",
        ] {
            let fault = Fault::parse(text, &names()).expect(text);
            assert_eq!(fault.text(&names()), text);
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_with_its_reason() {
        for (text, part) in [
            ("explode a", "is no fault"),
            ("watch a 0", "no number of milliseconds"),
            ("crash c", "no host 'c'"),
            ("crash a after 0", "above 0"),
            ("crash a soon", "after N"),
            ("cut a", "two names"),
            ("cut a nobody", "host or client"),
            ("quality loss", "wants a value"),
            ("quality loss 1001", "thousandths"),
            ("quality colour 3", "no quality"),
            ("unplug a on wlan0", "no interface"),
            ("refuse a EPERM", "no error number"),
        ] {
            let error = Fault::parse(text, &names()).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn times_have_units() {
        let micros = |text| parse_span(text).map(Duration::as_micros);
        assert_eq!(micros("300us"), Ok(300));
        assert_eq!(micros("5ms"), Ok(5_000));
        assert_eq!(micros("1.5s"), Ok(1_500_000));
        assert_eq!(micros("3.609375"), Ok(3_609_375));
        assert_eq!(micros("0.5ms"), Ok(500));
        for wrong in ["", "s", "-1", "1,5", "1.0000000", "99999999999999999999s"] {
            assert!(micros(wrong).is_err(), "{wrong}");
        }
    }
}
