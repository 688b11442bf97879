//! The words of `global_defs` about reloads.

use super::block::Statement;
use super::code::Code;
use super::diag::{Sink, quoted};
use super::lexer::Word;
use super::page::Page;
use super::row::Head;
use super::statement::optional;

/// What happens around a reload besides it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reloading {
    /// `reload_check_config`.
    pub checked: bool,
    /// `reload_check_config` with a file: what is found in the new text is appended to it. Without
    /// one the word asks for what is always done.
    pub check_log: Option<String>,
    /// `reload_file`: a file that is there while the new text is read.
    pub marker: Marker,
    /// `reload_time_file`: holds the time of the next reload.
    pub time_file: Option<String>,
    /// `reload_repeat`: that file stays when its time has come.
    pub repeat: bool,
    /// `config_save_dir`: the data are dumped there before and after each reload.
    pub save_dir: Option<String>,
}

/// A file that is there while the new text is read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Marker {
    /// None.
    #[default]
    Absent,
    /// In the usual place.
    Usual,
    /// Of this name.
    At(String),
}

impl Reloading {
    pub(super) fn read_check(&mut self, found: &Statement, sink: &mut Sink) {
        self.checked = true;
        self.check_log = name_of(optional(found, sink), found, sink);
    }

    pub(super) fn show_check(&self, head: &Head, page: &mut Page) {
        if self.checked {
            let mut words = vec![head.word];
            words.extend(self.check_log.as_deref());
            page.line(&words);
        }
    }

    pub(super) fn read_marker(&mut self, found: &Statement, sink: &mut Sink) {
        let named = optional(found, sink);
        self.marker = match (named, name_of(named, found, sink)) {
            (None, _) => Marker::Usual,
            (Some(_), Some(name)) => Marker::At(name),
            (Some(_), None) => Marker::Absent,
        };
    }

    pub(super) fn show_marker(&self, head: &Head, page: &mut Page) {
        match &self.marker {
            Marker::Absent => {}
            Marker::Usual => page.line(&[head.word]),
            Marker::At(name) => page.line(&[head.word, name]),
        }
    }
}

pub(super) fn needed(slot: &mut Option<String>, found: &Statement, sink: &mut Sink) {
    let word = optional(found, sink);
    if word.is_none() {
        let keyword = quoted(found.keyword());
        let message = format!("{keyword} needs a name; the line is ignored");
        sink.error(found.span(), message).code(Code::MissingValue);
    }
    if let Some(name) = name_of(word, found, sink) {
        *slot = Some(name);
    }
}

/// A whole name: the daemon's working directory is nobody's choice.
fn name_of(word: Option<&Word>, found: &Statement, sink: &mut Sink) -> Option<String> {
    let word = word?;
    if word.text.starts_with('/') && !word.text.contains('\0') {
        return Some(word.text.clone());
    }
    let (keyword, text) = (quoted(found.keyword()), quoted(&word.text));
    let message = format!("{keyword} needs a name that begins with /, not {text}; it is ignored");
    sink.error(word.span, message).code(Code::BadValue);
    None
}

#[cfg(test)]
mod tests {
    use crate::config::{Diagnostic, HostFacts, bind, parse};
    use crate::time::Duration;

    use super::*;

    fn read(lines: &str) -> (Reloading, Vec<Diagnostic>) {
        let text = format!("global_defs {{\n{lines}\n}}\n");
        let (config, mut found) = parse("x.conf", &text);
        let facts = HostFacts {
            hostname: "h".to_owned(),
            uptime: Duration::from_secs(3_600),
            interfaces: Vec::new(),
        };
        let (bound, more) = bind(&config, &facts);
        found.extend(more);
        (bound.global.reloading, found)
    }

    #[test]
    fn every_word_is_understood() {
        let (got, found) = read(
            "reload_check_config /var/log/check\nreload_file\nreload_repeat\n\
             reload_time_file /etc/when\nconfig_save_dir /var/save",
        );
        assert_eq!(found, []);
        let wanted = Reloading {
            checked: true,
            check_log: Some("/var/log/check".to_owned()),
            marker: Marker::Usual,
            time_file: Some("/etc/when".to_owned()),
            repeat: true,
            save_dir: Some("/var/save".to_owned()),
        };
        assert_eq!(got, wanted);
        let (got, found) = read("reload_check_config\nreload_file /run/x");
        assert_eq!(found, []);
        assert_eq!(
            (got.check_log, got.marker),
            (None, Marker::At("/run/x".to_owned()))
        );
    }

    #[test]
    fn a_name_that_depends_on_a_directory_is_refused() {
        let (got, found) = read("reload_file here\nreload_time_file\nconfig_save_dir sub/dir");
        assert_eq!(got, Reloading::default());
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
