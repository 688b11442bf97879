//! keepalived.json, in both of keepalived's layouts.
//!
//! The writer is our own: the layout has slashes written `\/`, one float of six decimals beside
//! others of as many as they need, and a fixed order of keys with some left out, which a general
//! serialiser would have to be talked out of at each step.

use std::fmt::{self, Write};

use super::stats::{wrong_addresses, wrong_length};
use super::text::AddressLine;
use super::{HeldAddress, InstanceView, Picture, Wall};
use crate::config::bound::{Auth, InstanceConfig, VirtualAddress};
use crate::ids::Version;
use crate::vrrp::{Discard, StateName, Stats};

/// What stands for a password.
const HIDDEN: &str = "********";

/// The layout (`json_version`).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Layout {
    /// An array of virtual routers.
    #[default]
    One,
    /// An object with that array and one of tracked processes.
    Two,
}

/// Writes every virtual router; nothing at all if there is none, as in keepalived.
pub fn write(picture: &Picture, wall: &Wall, layout: Layout, out: &mut dyn Write) -> fmt::Result {
    if picture.instances.is_empty() {
        return Ok(());
    }
    let mut json = Json { out, first: true };
    if layout == Layout::Two {
        json.open('{')?;
        json.key("vrrp")?;
    }
    json.open('[')?;
    for (config, view) in picture.iter() {
        json.separate()?;
        json.open('{')?;
        json.key("data")?;
        write_data(&mut json, config, view, wall)?;
        json.key("stats")?;
        write_stats(&mut json, &view.stats, layout)?;
        json.close('}')?;
    }
    json.close(']')?;
    if layout == Layout::Two {
        json.key("track_process")?;
        json.open('[')?;
        json.close(']')?;
        json.close('}')?;
    }
    json.out.write_char('\n')
}

fn write_data(
    json: &mut Json<'_>,
    config: &InstanceConfig,
    view: &InstanceView,
    wall: &Wall,
) -> fmt::Result {
    let garp = &config.garp;
    json.open('{')?;
    json.string("iname", &config.name)?;
    json.flag("dont_track_primary", config.dont_track_primary)?;
    json.flag("skip_check_adv_addr", config.skip_check_adv_addr)?;
    json.flag("strict_mode", config.strict)?;
    json.string("vmac_ifname", "")?;
    json.string("ifp_ifname", &config.interface)?;
    json.value("master_priority", view.master_priority)?;
    let since = view.transition.map(|(since, _)| since);
    let since = wall.epoch(since.unwrap_or(wall.at));
    json.value("last_transition", since)?;
    json.value("garp_delay", garp.master_delay.as_secs())?;
    json.value("garp_refresh", garp.refresh.as_secs())?;
    json.value("garp_rep", garp.master_repeat)?;
    json.value("garp_refresh_rep", garp.refresh_repeat)?;
    json.value("garp_lower_prio_delay", garp.lower_prio_delay.as_secs())?;
    json.value("garp_lower_prio_rep", garp.lower_prio_repeat)?;
    json.flag("lower_prio_no_advert", config.lower_prio_no_advert)?;
    json.flag("higher_prio_send_advert", config.higher_prio_send_advert)?;
    json.value("vrid", config.vrid)?;
    json.value("base_priority", config.priority)?;
    json.value("effective_priority", view.priority)?;
    json.value("vipset", view.state == StateName::Master)?;
    json.value("promote_secondaries", false)?;
    json.value("adver_int", config.advert_interval)?;
    json.value("master_adver_int", view.master_interval)?;
    json.flag("accept", config.accepts())?;
    json.value("nopreempt", !config.preempt)?;
    json.value("preempt_delay", config.preempt_delay.as_secs())?;
    json.value("state", number_of(view.state))?;
    json.value("wantstate", number_of(view.state))?;
    json.value("version", config.version.number())?;
    json.value("smtp_alert", false)?;
    json.value("notify_deleted", false)?;
    let (own, excluded) = split(&view.addresses, config.addresses.len());
    write_addresses(json, "vips", config, (&config.addresses, own))?;
    write_addresses(json, "evips", config, (&config.excluded, excluded))?;
    match (config.version, config.auth) {
        (Version::V2, Auth::Pass(_)) => {
            json.value("auth_type", 1)?;
            json.string("auth_data", HIDDEN)?;
        }
        (Version::V2 | Version::V3, _) => json.value("auth_type", 0)?,
    }
    json.close('}')
}

/// The two lists of addresses, of which the first has `count`.
pub(super) fn split(all: &[HeldAddress], count: usize) -> (&[HeldAddress], &[HeldAddress]) {
    all.split_at(count.min(all.len()))
}

fn write_addresses(
    json: &mut Json<'_>,
    key: &str,
    config: &InstanceConfig,
    (addresses, held): (&[VirtualAddress], &[HeldAddress]),
) -> fmt::Result {
    if addresses.is_empty() {
        return Ok(());
    }
    json.key(key)?;
    json.open('[')?;
    for (address, held) in addresses.iter().zip(held) {
        json.separate()?;
        let interface = &config.interface;
        let held = *held;
        json.text(&AddressLine {
            address,
            interface,
            held,
        })?;
    }
    json.close(']')
}

fn write_stats(json: &mut Json<'_>, stats: &Stats, layout: Layout) -> fmt::Result {
    let of = |reason| stats.discarded(reason);
    json.open('{')?;
    json.value("advert_rcvd", stats.adverts_received)?;
    json.value("advert_sent", stats.adverts_sent)?;
    json.value("become_master", stats.became_master)?;
    json.value("release_master", stats.released_master)?;
    json.value("packet_len_err", wrong_length(stats))?;
    json.value("advert_interval_err", of(Discard::Interval))?;
    json.value("ip_ttl_err", of(Discard::Ttl))?;
    json.value("invalid_type_rcvd", of(Discard::Type))?;
    json.value("addr_list_err", wrong_addresses(stats))?;
    json.value("invalid_authtype", of(Discard::AuthTypeUnknown))?;
    json.value("authtype_mismatch", of(Discard::AuthTypeMismatch))?;
    json.value("auth_failure", of(Discard::AuthFailure))?;
    if layout == Layout::Two {
        // As old as this layout is the extension that they count, of which we know nothing.
        for kind in [
            "missing",
            "malformed",
            "unknown_key",
            "invalid_hmac",
            "stale",
            "replay",
        ] {
            json.value(&format!("auth_ext_{kind}"), 0)?;
        }
    }
    json.value("pri_zero_rcvd", stats.priority_zero_received)?;
    json.value("pri_zero_sent", stats.priority_zero_sent)?;
    json.close('}')
}

/// keepalived's numbers of states.
fn number_of(state: StateName) -> u8 {
    match state {
        StateName::Init => 0,
        StateName::Backup => 1,
        StateName::Master => 2,
        StateName::Fault => 3,
    }
}

/// A writer of JSON without blanks.
struct Json<'a> {
    out: &'a mut dyn Write,
    /// Nothing stands in the present object or array yet.
    first: bool,
}

impl Json<'_> {
    fn open(&mut self, bracket: char) -> fmt::Result {
        self.first = true;
        self.out.write_char(bracket)
    }

    fn close(&mut self, bracket: char) -> fmt::Result {
        self.first = false;
        self.out.write_char(bracket)
    }

    fn separate(&mut self) -> fmt::Result {
        if !std::mem::replace(&mut self.first, false) {
            self.out.write_char(',')?;
        }
        Ok(())
    }

    fn key(&mut self, key: &str) -> fmt::Result {
        self.separate()?;
        write!(self.out, "\"{key}\":")
    }

    fn value(&mut self, key: &str, value: impl fmt::Display) -> fmt::Result {
        self.key(key)?;
        write!(self.out, "{value}")
    }

    /// 0 or 1.
    fn flag(&mut self, key: &str, value: bool) -> fmt::Result {
        self.value(key, u8::from(value))
    }

    fn string(&mut self, key: &str, value: &str) -> fmt::Result {
        self.key(key)?;
        self.text(&value)
    }

    fn text(&mut self, value: &dyn fmt::Display) -> fmt::Result {
        self.out.write_char('"')?;
        write!(Escaped { out: self.out }, "{value}")?;
        self.out.write_char('"')
    }
}

/// Escapes what goes into a string.
struct Escaped<'a> {
    out: &'a mut dyn Write,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '"' => self.out.write_str("\\\"")?,
                '\\' => self.out.write_str("\\\\")?,
                '/' => self.out.write_str("\\/")?,
                '\u{8}' => self.out.write_str("\\b")?,
                '\u{c}' => self.out.write_str("\\f")?,
                '\n' => self.out.write_str("\\n")?,
                '\r' => self.out.write_str("\\r")?,
                '\t' => self.out.write_str("\\t")?,
                control if control < ' ' => write!(self.out, "\\u{:04x}", u32::from(control))?,
                other => self.out.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_stands_in_a_string_is_escaped() {
        let mut text = String::new();
        let mut json = Json {
            out: &mut text,
            first: true,
        };
        let wild = "a/b\"c\\d\n\r\t\u{8}\u{c}\u{1}\u{1f}'<\u{e9}>";
        json.string("k", wild).expect("a string takes everything");
        assert_eq!(
            text,
            "\"k\":\"a\\/b\\\"c\\\\d\\n\\r\\t\\b\\f\\u0001\\u001f'<\u{e9}>\""
        );
    }
}
