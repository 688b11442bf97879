//! `vrrp_sync_group` and `track_group`: names of instances that belong together.

use super::block::Statement;
use super::code::Code;
use super::diag::{Sink, Span, Spanned, quoted};
use super::page::Page;
use super::row::{Begin, Field, Head, Kind, Names, Row, Rows, own_name, rows};
use super::script::SCRIPT;
use super::track::{TRACKED, TRACKED_INTERFACES, TRACKED_WIDE, TrackWords};
use super::vrrp_instance::NotifyWords;

/// `vrrp_sync_group`: instances that are masters together or not at all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SyncGroup {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// `group`.
    pub members: Members,
    /// What all its members track.
    pub track: TrackWords,
    /// Whom it tells of its changes.
    pub notify: NotifyWords,
    /// `sync_group_tracking_weight`: what its members track may change their priorities.
    pub tracking_weight: Option<Span>,
    /// `global_tracking`, deprecated.
    pub global_tracking: Option<Span>,
}

impl Rows for SyncGroup {
    fn rows() -> &'static [Row<Self>] {
        rows! { SyncGroup:
            "global_tracking" => global_tracking: Kind::Flag, Built, "",
                "Deprecated: write what is tracked into the group.";
            "group" => members: Kind::Lines("INSTANCE"), Built, "",
                "The instances that are masters together or not at all; at least two.";
            "notify" => notify.any: SCRIPT, Built, "",
                "Runs at every change of the group, with four arguments.";
            "notify_backup" => notify.backup: SCRIPT, Built, "",
                "Runs when the group becomes a backup.";
            "notify_fault" => notify.fault: SCRIPT, Built, "",
                "Runs when the group becomes faulty.";
            "notify_master" => notify.master: SCRIPT, Built, "",
                "Runs when the group becomes master.";
            "notify_priority_changes" => notify.priority_changes: Kind::Bool, Built, "",
                "Changes of the priorities of its members are told too.";
            "notify_stop" => notify.stop: SCRIPT, Built, "",
                "Runs when the daemon ends.";
            "smtp_alert" => notify.smtp_alert: Kind::Bool, Built, "",
                "Changes of the group are told by mail.";
            "sync_group_tracking_weight" => tracking_weight: Kind::Flag, Built, "",
                "What is tracked may change the priorities of the members; without it weights are taken off.";
            "track_bfd" => track.bfds: TRACKED, Built, "",
                "BFD sessions that all members track.";
            "track_file" => track.files: TRACKED_WIDE, Built, "",
                "Files that all members track.";
            "track_interface" => track.interfaces: TRACKED_INTERFACES, Built, "",
                "Interfaces that all members track.";
            "track_process" => track.processes: TRACKED_WIDE, Built, "",
                "Processes that all members track.";
            "track_script" => track.scripts: TRACKED, Built, "",
                "Scripts that all members track.";
        }
    }

    fn on_line(&mut self, line: &Statement, sink: &mut Sink) {
        if line.keyword() == "global_tracking" {
            let message = "`global_tracking` is deprecated";
            sink.error(line.span(), message)
                .code(Code::Deprecated)
                .help("write what the members track into the group itself");
        }
    }
}

impl Begin for SyncGroup {
    fn begin(found: &Statement, sink: &mut Sink) -> Option<Self> {
        let name = own_name(found, sink)?;
        Some(Self {
            name: name.value,
            span: name.span,
            ..Self::default()
        })
    }

    fn heading(&self) -> Vec<&str> {
        vec![&self.name]
    }
}

/// `track_group`: instances without which addresses, routes and rules of `static_..` blocks go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrackGroup {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// `group`.
    pub members: Members,
}

impl Rows for TrackGroup {
    fn rows() -> &'static [Row<Self>] {
        rows! { TrackGroup:
            "group" => members: Kind::Lines("INSTANCE"), Built, "",
                "The instances of the group.";
        }
    }
}

impl Begin for TrackGroup {
    fn begin(found: &Statement, sink: &mut Sink) -> Option<Self> {
        let name = own_name(found, sink)?;
        Some(Self {
            name: name.value,
            span: name.span,
            ..Self::default()
        })
    }

    fn heading(&self) -> Vec<&str> {
        vec![&self.name]
    }
}

/// `group`: the first block of it counts, as in keepalived.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Members {
    /// Where the block stands.
    pub span: Option<Span>,
    /// Names of instances.
    pub names: Names,
}

impl Field for Members {
    fn read(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        if let Some(first) = self.span {
            let keyword = quoted(found.keyword());
            let line = first.line;
            let message = format!("{keyword} stands already on line {line}; this block is skipped");
            sink.error(found.span(), message)
                .code(Code::NameTaken)
                .help("write all members into one block");
            return;
        }
        self.span = Some(found.span());
        self.names.read(head, found, sink);
        if self.names.0.is_empty() {
            let message = format!("{} names no instance", quoted(found.keyword()));
            sink.error(found.span(), message)
                .code(Code::IncompleteBlock)
                .help("write the names of instances between the braces");
        }
    }

    fn show(&self, head: &Head, page: &mut Page) {
        self.names.show(head, page);
    }
}

impl Members {
    /// The names, each with its place.
    pub fn iter(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.names.0.iter()
    }
}
