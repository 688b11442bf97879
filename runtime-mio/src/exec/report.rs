//! What the parent knows of the daemon, as text and as JSON.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;

use relevo_core::ids::ChildId;
use relevo_core::status::Wall;
use relevo_core::supervisor::Kind;
use relevo_core::time::{Duration, Instant};

use crate::sys::localtime;
use crate::version;

/// What was found in the configuration when it was last read, a line each. Whoever reads it writes
/// it down here.
pub(crate) type Findings = Rc<RefCell<String>>;

/// Reasons told why a reload was refused.
const REASONS: usize = 10;

/// A child that runs.
#[derive(Clone, Debug)]
pub(crate) struct ChildFacts {
    pub(crate) id: ChildId,
    pub(crate) kind: Kind,
    pub(crate) pid: u32,
    pub(crate) since: Instant,
    pub(crate) ready: bool,
    /// When it last said something of its own accord or answered a hello.
    pub(crate) heard: Option<Instant>,
}

/// What the parent knows.
#[derive(Debug)]
pub(crate) struct Facts {
    pid: u32,
    since: Instant,
    config_file: PathBuf,
    pub(super) findings: Findings,
    /// When the configuration in force was read, and whether that was a reload.
    loaded: Instant,
    is_reloaded: bool,
    /// When a reload was last refused, if none has succeeded since, and why.
    refused: Option<(Instant, String)>,
    pub(super) children: Vec<ChildFacts>,
    /// How often a child of each kind has died.
    deaths: [(Kind, u32); Kind::ALL.len()],
}

impl Facts {
    /// Of a daemon that starts now.
    pub(crate) fn new(config_file: PathBuf, findings: Findings, now: Instant) -> Self {
        Self {
            pid: std::process::id(),
            since: now,
            config_file,
            findings,
            loaded: now,
            is_reloaded: false,
            refused: None,
            children: Vec::new(),
            deaths: Kind::ALL.map(|kind| (kind, 0)),
        }
    }

    pub(super) fn on_died(&mut self, kind: Kind) {
        for (of, count) in &mut self.deaths {
            if *of == kind {
                *count += 1;
            }
        }
    }

    pub(super) fn on_reloaded(&mut self, well: bool, now: Instant) {
        if well {
            self.loaded = now;
            self.is_reloaded = true;
            self.refused = None;
        } else {
            self.refused = Some((now, self.findings.borrow().clone()));
        }
    }

    /// What whoever waited for a reload is told.
    pub(super) fn reload_text(&self) -> String {
        let file = self.config_file.display();
        let findings = self.findings.borrow();
        match &self.refused {
            Some(_) => format!("{findings}{file}: refused; what ran before runs on unchanged\n"),
            None => format!("{findings}{file}: in force\n"),
        }
    }
}

/// The answer to one question.
pub(super) struct Report<'a> {
    pub(super) facts: &'a Facts,
    pub(super) now: Instant,
    pub(super) wall: Wall,
    /// What the VRRP child told; `None` if it did not.
    pub(super) told: Option<&'a [u8]>,
    /// When it was asked.
    pub(super) asked: Instant,
}

impl Report<'_> {
    /// False if somebody who should have said something has not.
    pub(super) fn is_whole(&self) -> bool {
        self.told.is_some() || self.facts.children.is_empty()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_text(&mut text);
        text
    }

    fn write_text(&self, text: &mut String) -> std::fmt::Result {
        let Facts { pid, since, .. } = self.facts;
        let up = span(self.now - *since);
        let since = self.moment(self.facts.since);
        writeln!(
            text,
            "{}, pid {pid}, up {up} (since {since})",
            version::SELF
        )?;
        let file = self.facts.config_file.display();
        let loaded = self.moment(self.facts.loaded);
        let how = if self.facts.is_reloaded {
            "reloaded"
        } else {
            "read at start"
        };
        writeln!(text, "configuration {file}, {how} {loaded}")?;
        if let Some((at, why)) = &self.facts.refused {
            writeln!(text, "THE LAST RELOAD WAS REFUSED {}:", self.moment(*at))?;
            // What is found, without the places that are drawn.
            let drawn = |char: char| char == ' ' || char.is_ascii_digit();
            let found = why.lines().filter(|line| !line.starts_with(drawn));
            for line in found.take(REASONS) {
                writeln!(text, "    {line}")?;
            }
        }
        for child in &self.facts.children {
            self.write_child(text, child)?;
        }
        text.push('\n');
        match self.told {
            Some(told) => text.push_str(&String::from_utf8_lossy(told)),
            None => text.push_str(&self.silence()),
        }
        Ok(())
    }

    fn write_child(&self, text: &mut String, child: &ChildFacts) -> std::fmt::Result {
        let (title, pid) = (child.kind.title(), child.pid);
        let up = span(self.now - child.since);
        write!(text, "{title} process: pid {pid}, up {up}")?;
        let deaths = self.deaths(child.kind);
        if deaths > 0 {
            write!(text, ", died {deaths} times")?;
        }
        match child.heard {
            Some(at) => writeln!(text, ", last heard {} ago", span(self.now - at)),
            None => writeln!(text, ", NOT READY YET"),
        }
    }

    fn deaths(&self, kind: Kind) -> u32 {
        let deaths = self.facts.deaths.iter().find(|(of, _)| *of == kind);
        deaths.map_or(0, |(_, count)| *count)
    }

    /// Why nothing was told.
    pub(super) fn silence(&self) -> String {
        let is_vrrp = |child: &&ChildFacts| child.kind == Kind::Vrrp;
        match self.facts.children.iter().find(is_vrrp) {
            None => "No VRRP process runs.\n".to_owned(),
            Some(child) if !child.ready => "The VRRP process is still starting.\n".to_owned(),
            Some(_) => {
                let waited = span(self.now - self.asked);
                format!("The VRRP process HAS NOT ANSWERED for {waited}.\n")
            }
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        let Facts { pid, since, .. } = self.facts;
        let file = quoted(&self.facts.config_file.to_string_lossy());
        let up = (self.now - *since).as_secs();
        let children = self.facts.children.iter().map(|child| {
            let kind = quoted(child.kind.title());
            let pid = child.pid;
            let up = (self.now - child.since).as_secs();
            let heard = child.heard.map(|at| (self.now - at).as_millis().to_string());
            let heard = heard.unwrap_or_else(|| "null".to_owned());
            let deaths = self.deaths(child.kind);
            format!(
                "{{\"kind\":{kind},\"pid\":{pid},\"up_s\":{up},\"deaths\":{deaths},\"heard_ms_ago\":{heard}}}"
            )
        });
        let children: Vec<String> = children.collect();
        let refused = self.facts.refused.as_ref().map(|(_, why)| quoted(why));
        let vrrp = self.told.map(String::from_utf8_lossy);
        let vrrp = vrrp
            .as_deref()
            .map(str::trim)
            .filter(|told| !told.is_empty());
        format!(
            "{{\"version\":{},\"pid\":{pid},\"up_s\":{up},\"configuration\":{file},\
             \"reload_refused\":{},\"children\":[{}],\"vrrp\":{}}}\n",
            quoted(version::SELF),
            refused.as_deref().unwrap_or("null"),
            children.join(","),
            vrrp.unwrap_or("null"),
        )
    }

    /// The local date and time.
    fn moment(&self, at: Instant) -> String {
        let day = |at| localtime::from_unix(self.wall.unix_us(at) / 1_000_000);
        let (at, today) = (day(at), day(self.wall.at));
        let time = format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second);
        if (at.year, at.month, at.day) == (today.year, today.month, today.day) {
            return time;
        }
        format!("{}-{:02}-{:02} {time}", at.year, at.month + 1, at.day)
    }
}

/// A span as people say it: `0.25 s`, `17 s`, `4 min 02 s`, `2 h 07 min`, `3 d 04 h`.
fn span(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0..10 => format!("{secs}.{:02} s", span.as_centis() % 100),
        10..60 => format!("{secs} s"),
        60..3_600 => format!("{} min {:02} s", secs / 60, secs % 60),
        3_600..86_400 => format!("{} h {:02} min", secs / 3_600, secs / 60 % 60),
        _ => format!("{} d {:02} h", secs / 86_400, secs / 3_600 % 24),
    }
}

/// A string of JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\n' => quoted.push_str("\\n"),
            char if char.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(char)),
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump;

    fn at(secs: u64) -> Instant {
        Instant::from_micros(secs * 1_000_000)
    }

    fn facts() -> Facts {
        let findings = Findings::default();
        findings.borrow_mut().push_str("a.conf:3: what\n");
        let mut facts = Facts::new("/etc/a.conf".into(), findings, at(100));
        facts.children.push(ChildFacts {
            id: ChildId(1),
            kind: Kind::Vrrp,
            pid: 42,
            since: at(160),
            ready: true,
            heard: Some(at(218)),
        });
        facts.on_died(Kind::Vrrp);
        facts
    }

    fn report<'a>(facts: &'a Facts, told: Option<&'a [u8]>) -> Report<'a> {
        Report {
            facts,
            now: at(220),
            wall: dump::wall(),
            told,
            asked: at(218),
        }
    }

    #[test]
    fn what_is_known_is_told_without_the_child() {
        let facts = facts();
        let text = report(&facts, None).text();
        for part in [
            ", up 2 min 00 s (since ",
            "\nconfiguration /etc/a.conf, read at start ",
            "\nVRRP process: pid 42, up 1 min 00 s, died 1 times, last heard 2.00 s ago\n",
            "\n\nThe VRRP process HAS NOT ANSWERED for 2.00 s.\n",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        let text = report(&facts, Some(b"VI_1 MASTER\n")).text();
        assert!(text.ends_with("\n\nVI_1 MASTER\n"), "{text}");
    }

    #[test]
    fn a_refused_reload_stays_in_sight_until_one_succeeds() {
        let mut facts = facts();
        facts.on_reloaded(false, at(200));
        let text = report(&facts, None).text();
        assert!(
            text.contains("WAS REFUSED") && text.contains("    a.conf:3: what\n"),
            "{text}"
        );
        assert!(
            facts
                .reload_text()
                .starts_with("a.conf:3: what\n/etc/a.conf: refused;")
        );
        facts.on_reloaded(true, at(210));
        let text = report(&facts, None).text();
        assert!(
            !text.contains("REFUSED") && text.contains(", reloaded "),
            "{text}"
        );
    }

    #[test]
    fn json_is_json() {
        let mut facts = facts();
        facts.on_reloaded(false, at(200));
        facts.config_file = "/etc/\"q\"\\\u{1}".into();
        let json = report(&facts, Some(b"[{\"iname\":\"x\"}]\n")).json();
        let behind = json
            .split_once("\"up_s\":120,")
            .expect("the parent's part")
            .1;
        assert_eq!(
            behind,
            "\"configuration\":\"/etc/\\\"q\\\"\\\\\\u0001\",\
             \"reload_refused\":\"a.conf:3: what\\n\",\
             \"children\":[{\"kind\":\"VRRP\",\"pid\":42,\"up_s\":60,\"deaths\":1,\
             \"heard_ms_ago\":2000}],\"vrrp\":[{\"iname\":\"x\"}]}\n"
        );
        assert!(report(&facts, None).json().ends_with(",\"vrrp\":null}\n"));
    }

    #[test]
    fn spans_are_read_at_a_glance() {
        for (secs, text) in [
            (0, "0.00 s"),
            (17, "17 s"),
            (62, "1 min 02 s"),
            (7_620, "2 h 07 min"),
            (4 * 86_400 + 3_700, "4 d 01 h"),
        ] {
            assert_eq!(span(Duration::from_secs(secs)), text);
        }
        assert_eq!(span(Duration::from_millis(250)), "0.25 s");
    }
}
