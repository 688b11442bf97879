//! The list of targets.

use crate::mutate::{Shape, packet};
use crate::{Target, config, daemon, event_stream, journal, scenario, supervisor, text, wire};

const fn target(
    name: &'static str,
    run: fn(&[u8], &mut crate::trail::Trail),
    shape: Shape,
) -> Target {
    Target {
        name,
        run,
        shape,
        weight: 1,
    }
}

impl Target {
    const fn weighs(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target("ethernet", wire::ethernet, Shape::Plain),
    target("ipv4", wire::ipv4, Shape::Packet(packet::ipv4)),
    target("ipv6", wire::ipv6, Shape::Packet(packet::ipv6)),
    target("vrrp", wire::vrrp, Shape::Packet(packet::vrrp)).weighs(2),
    target("vrrp_emit", wire::vrrp_emit, Shape::Plain),
    target("arp", wire::arp, Shape::Plain),
    target("ndisc", wire::ndisc, Shape::Packet(packet::ndisc)),
    target("checksum", wire::checksum, Shape::Plain),
    target("netlink", daemon::netlink, Shape::Packet(packet::netlink)).weighs(2),
    target("netlink_changes", daemon::netlink_changes, Shape::Stream),
    target("netlink_answers", daemon::netlink_answers, Shape::Plain),
    target("ancillary", daemon::ancillary, Shape::Plain),
    target(
        "command_line",
        daemon::command_line,
        Shape::Text(|| daemon::OPTION_WORDS),
    ),
    target(
        "small_texts",
        daemon::small_texts,
        Shape::Text(|| daemon::SMALL_WORDS),
    ),
    target("voice", daemon::voice, Shape::Plain),
    target(
        "control",
        daemon::control,
        Shape::Text(|| daemon::CONTROL_WORDS),
    ),
    target("log_line", daemon::log_line, Shape::Plain),
    target("trace", text::trace, Shape::Text(|| text::TRACE_WORDS)),
    target("trace_event", text::trace_event, Shape::Plain),
    target("journal", journal::image, Shape::Plain),
    target("journal_ring", journal::ring, Shape::Stream).weighs(3),
    target("lexer", config::lexer, Shape::Text(config::words)).weighs(2),
    target("config", config::config, Shape::Text(config::words)).weighs(4),
    target(
        "expansion",
        config::expansion,
        Shape::Text(config::language_words),
    )
    .weighs(2),
    target("bundle", config::bundle, Shape::Plain),
    target("report", daemon::report, Shape::Text(config::words)),
    target(
        "scenario",
        scenario::scenario,
        Shape::Text(|| scenario::WORDS),
    ),
    target("faults", scenario::faults, Shape::Text(|| scenario::WORDS)),
    target("snapshot", text::snapshot, Shape::Plain),
    target("supervisor", supervisor::run, Shape::Stream).weighs(2),
    target("event_stream", event_stream::run, Shape::Stream).weighs(8),
];
