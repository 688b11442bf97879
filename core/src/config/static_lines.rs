//! `static_ipaddress`, `static_routes` and `static_rules`: what stays on the host whoever is master.

use super::options::head;
use super::row::{Head, Kind};

/// A line of a static block: it may name a `track_group`, and lacks what only an instance can give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Static<T>(pub T);

const TRACK_GROUP: Kind = Kind::Other("GROUP");

/// What stands in `static_ipaddress`.
pub(super) fn address_heads() -> Vec<Head> {
    vec![
        address_head(),
        head(
            "track_group",
            TRACK_GROUP,
            "",
            "The instances of the group track the interface of the address.",
        ),
    ]
}

/// What stands in `static_routes`.
pub(super) fn route_heads() -> Vec<Head> {
    vec![
        route_head(),
        head(
            "track_group",
            TRACK_GROUP,
            "",
            "The instances of the group track the interface of the route.",
        ),
    ]
}

/// What stands in `static_rules`.
pub(super) fn rule_heads() -> Vec<Head> {
    vec![
        rule_head(),
        head(
            "track_group",
            TRACK_GROUP,
            "",
            "The instances of the group track the incoming interface of the rule.",
        ),
    ]
}

/// A line of any block of addresses.
pub(super) fn address_head() -> Head {
    let kind = Kind::Other("ADDRESS[/LENGTH] [OPTION [VALUE]]...");
    head("<address line>", kind, "", "One address and its options.")
}

/// A line of any block of routes.
pub(super) fn route_head() -> Head {
    let kind = Kind::Other("[TYPE] DESTINATION [OPTION [VALUE]]...");
    head("<route line>", kind, "", "One route and its options.")
}

/// A line of any block of rules.
pub(super) fn rule_head() -> Head {
    let kind = Kind::Other("[OPTION [VALUE]]...");
    head(
        "<rule line>",
        kind,
        "",
        "One rule: selectors and an action.",
    )
}
