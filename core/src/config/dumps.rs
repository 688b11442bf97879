//! What `global_defs` says of dump files, and what of it is only shown in them.

use super::code::Code;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::announcement::AnnouncementWords;
use super::block::Statement;
use super::bound::GarpConfig;
use super::diag::{Sink, quoted};
use super::global::GlobalDefs;
use super::page::Page;
use super::row::{Head, Kind};
use super::scalar::Scalar;
use super::statement;
use crate::ids::Version;

/// Where dumps go and how they look.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dumps {
    /// `state_dump_file`: the data dump. A directory if it ends with `/`; a relative name is one in
    /// the directory for temporary files.
    pub state_file: Option<String>,
    /// `stats_dump_file`: the same for the counters.
    pub stats_file: Option<String>,
    /// `json_dump_file`: the same for JSON.
    pub json_file: Option<String>,
    /// `json_version` is 2.
    pub json_two: bool,
    /// `data_use_instance`: the names of data dumps carry those of the namespace and of the daemon's
    /// instance.
    pub use_instance: bool,
}

impl Dumps {
    pub(super) fn read_version(&mut self, head: &Head, found: &Statement, sink: &mut Sink) {
        let head = &Head {
            kind: Kind::number(1, 2),
            ..*head
        };
        if let Some(version) = <u8 as Scalar>::read(head, found, sink) {
            self.json_two = version == 2;
        }
    }

    pub(super) fn show_version(&self, head: &Head, page: &mut Page) {
        if self.json_two {
            page.line(&[head.word, "2"]);
        } else {
            page.default(head.word, head.default);
        }
    }
}

/// The name of a file or directory.
pub(super) fn path(slot: &mut Option<String>, found: &Statement, sink: &mut Sink) {
    let Some(word) = statement::optional(found, sink) else {
        let message = format!(
            "{} needs the name of a file; the line is ignored",
            quoted(found.keyword())
        );
        sink.error(found.span(), message).code(Code::MissingValue);
        return;
    };
    if word.text.is_empty() || word.text.contains('\0') {
        let message = format!(
            "{} is no name of a file; the line is ignored",
            quoted(&word.text)
        );
        sink.error(word.span, message).code(Code::BadValue);
        return;
    }
    *slot = Some(word.text.clone());
}

/// The settings of `global_defs` that instances have taken over, as the data dump shows them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Defaults {
    /// `default_interface`.
    pub interface: Option<String>,
    /// `vrrp_version`.
    pub version: Version,
    /// `vrrp_mcast_group4`.
    pub group4: Ipv4Addr,
    /// `vrrp_mcast_group6`.
    pub group6: Ipv6Addr,
    /// The words about announcements.
    pub garp: GarpConfig,
    /// `vrrp_down_timer_adverts`.
    pub down_timer_adverts: u8,
    /// `vrrp_lower_prio_no_advert`.
    pub lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`.
    pub higher_prio_send_advert: bool,
    /// `vrrp_check_unicast_src`.
    pub check_unicast_src: bool,
    /// `vrrp_skip_check_adv_addr`.
    pub skip_check_adv_addr: bool,
    /// `vrrp_strict`.
    pub strict: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self::of(&GlobalDefs::default())
    }
}

impl Defaults {
    pub(super) fn of(global: &GlobalDefs) -> Self {
        let none = AnnouncementWords::default();
        Self {
            interface: global.default_interface.clone(),
            version: global.version.unwrap_or(Version::V2),
            group4: global.mcast_group4.unwrap_or(super::bind::GROUP_V4),
            group6: global.mcast_group6.unwrap_or(super::bind::GROUP_V6),
            garp: none.bind(&global.garp, global.min_garp),
            down_timer_adverts: global.down_timer_adverts.unwrap_or(3),
            lower_prio_no_advert: global.lower_prio_no_advert,
            higher_prio_send_advert: global.higher_prio_send_advert,
            check_unicast_src: global.check_unicast_src,
            skip_check_adv_addr: global.skip_check_adv_addr,
            strict: global.strict.is_some(),
        }
    }
}
