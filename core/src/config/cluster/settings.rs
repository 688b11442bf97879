//! Settings that must be, or should be, the same on all nodes.

use super::super::bound::{Auth, ChecksumStyle, Destination, GarpConfig, InstanceConfig};
use super::super::code::Code;
use super::super::diag::{Severity, quoted};
use super::place::{Findings, Member};
use super::routers::Router;
use crate::ids::{Family, Version};

/// One setting: how the message names it, and how a value is shown.
struct Setting {
    code: Code,
    severity: Severity,
    /// Where it is written.
    word: &'static str,
    what: &'static str,
    /// Behind the values: what comes of it.
    outcome: &'static str,
    /// The value as text; nodes with equal texts agree.
    show: fn(&InstanceConfig) -> String,
    /// Whether the setting counts for this instance.
    counts: fn(&InstanceConfig) -> bool,
}

const fn always(_: &InstanceConfig) -> bool {
    true
}

fn is_group(config: &InstanceConfig) -> bool {
    matches!(config.destination, Destination::Multicast(_))
}

const TWO_MASTERS: &str = "neither hears the other, and both become master";

const SETTINGS: &[Setting] = &[
    Setting {
        code: Code::ClusterName,
        severity: Severity::Warning,
        word: "",
        what: "the name",
        outcome: "logs and scripts show two virtual routers",
        show: |config| quoted(&config.name),
        counts: always,
    },
    Setting {
        code: Code::ClusterVrid,
        severity: Severity::Error,
        word: "virtual_router_id",
        what: "the VRID",
        outcome: TWO_MASTERS,
        show: |config| config.vrid.to_string(),
        counts: always,
    },
    Setting {
        code: Code::ClusterFamily,
        severity: Severity::Error,
        word: "",
        what: "the family of the first address",
        outcome: TWO_MASTERS,
        show: |config| config.family.to_string(),
        counts: always,
    },
    Setting {
        code: Code::ClusterVersion,
        severity: Severity::Error,
        word: "version",
        what: "the version of VRRP",
        outcome: TWO_MASTERS,
        show: |config| config.version.number().to_string(),
        counts: always,
    },
    Setting {
        code: Code::ClusterTransport,
        severity: Severity::Error,
        word: "unicast_peer",
        what: "the way of the adverts",
        outcome: TWO_MASTERS,
        show: |config| {
            if is_group(config) {
                "multicast"
            } else {
                "unicast"
            }
            .to_owned()
        },
        counts: always,
    },
    Setting {
        code: Code::ClusterGroup,
        severity: Severity::Error,
        word: "mcast_dst_ip",
        what: "the multicast group",
        outcome: TWO_MASTERS,
        show: |config| match config.destination {
            Destination::Multicast(group) => group.to_string(),
            Destination::Unicast(_) => String::new(),
        },
        counts: is_group,
    },
    Setting {
        code: Code::ClusterInterval,
        severity: Severity::Error,
        word: "advert_int",
        what: "the advert interval",
        outcome: "version 2 discards adverts of another interval, and both become master",
        show: |config| format!("{} s", config.advert_interval),
        counts: |config| config.version == Version::V2,
    },
    Setting {
        code: Code::ClusterInterval,
        severity: Severity::Warning,
        word: "advert_int",
        what: "the advert interval",
        outcome: "how soon a failure is noticed depends on who is master",
        show: |config| format!("{} s", config.advert_interval),
        counts: |config| config.version == Version::V3,
    },
    Setting {
        code: Code::ClusterAuth,
        severity: Severity::Error,
        word: "auth_type",
        what: "authentication",
        outcome: "adverts of the wrong kind are discarded, and both become master",
        show: |config| {
            if config.auth == Auth::None {
                "off"
            } else {
                "on"
            }
            .to_owned()
        },
        counts: always,
    },
    Setting {
        code: Code::ClusterStrict,
        severity: Severity::Warning,
        word: "strict_mode",
        what: "strict mode",
        outcome: "what the addresses answer depends on who is master",
        show: |config| on_off(config.strict),
        counts: always,
    },
    Setting {
        code: Code::ClusterAccept,
        severity: Severity::Warning,
        word: "accept",
        what: "`accept`",
        outcome: "what the addresses answer depends on who is master",
        show: |config| on_off(config.accept),
        counts: |config| config.strict,
    },
    Setting {
        code: Code::ClusterChecksum,
        severity: Severity::Warning,
        word: "",
        what: "the checksum of version 3",
        outcome: "a node that does not accept the other kind becomes a second master",
        show: |config| checksum(config.checksum.style).to_owned(),
        counts: |config| config.version == Version::V3 && config.family == Family::V4,
    },
    Setting {
        code: Code::ClusterDownTimer,
        severity: Severity::Warning,
        word: "",
        what: "`down_timer_adverts`",
        outcome: "the most impatient node takes over first, whatever its priority",
        show: |config| config.down_timer_adverts.to_string(),
        counts: always,
    },
    Setting {
        code: Code::ClusterLowerPrio,
        severity: Severity::Warning,
        word: "",
        what: "`lower_prio_no_advert`",
        outcome: "only some nodes tell a router that it is master by mistake",
        show: |config| on_off(config.lower_prio_no_advert),
        counts: |config| !config.strict,
    },
    Setting {
        code: Code::ClusterHigherPrio,
        severity: Severity::Warning,
        word: "",
        what: "`higher_prio_send_advert`",
        outcome: "neighbours may keep the wrong master after some changes",
        show: |config| on_off(config.higher_prio_send_advert),
        counts: |config| !config.strict,
    },
    Setting {
        code: Code::ClusterGarp,
        severity: Severity::Warning,
        word: "",
        what: "the announcement of the addresses",
        outcome: "neighbours learn of some changes later than of others",
        show: |config| garp(&config.garp),
        counts: |config| !config.strict,
    },
];

fn on_off(value: bool) -> String {
    if value { "on" } else { "off" }.to_owned()
}

const fn checksum(style: ChecksumStyle) -> &'static str {
    match style {
        ChecksumStyle::Auto => "as usual",
        ChecksumStyle::OldUnicast => "`old_unicast_checksum`",
        ChecksumStyle::Never => "`old_unicast_checksum never`",
        ChecksumStyle::AsV2 => "`v3_checksum_as_v2`",
    }
}

fn garp(garp: &GarpConfig) -> String {
    format!(
        "delay {} s, repeat {}, refresh {} s repeat {}, lower priority delay {} s repeat {}",
        garp.master_delay,
        garp.master_repeat,
        garp.refresh,
        garp.refresh_repeat,
        garp.lower_prio_delay,
        garp.lower_prio_repeat
    )
}

/// All settings of one virtual router.
pub(super) fn compare(router: &Router<'_>, findings: &mut Findings) {
    let families = router.members.windows(2);
    let mixed = families.into_iter().any(|pair| match pair {
        [a, b] => a.config.family != b.config.family,
        _ => false,
    });
    for setting in SETTINGS {
        // Each family has a group of its own.
        if mixed && setting.code == Code::ClusterGroup {
            continue;
        }
        let counting: Vec<&Member<'_>> = router
            .members
            .iter()
            .filter(|member| (setting.counts)(member.config))
            .collect();
        let Some(usual) = usual(&counting, setting.show) else {
            continue;
        };
        for member in &counting {
            odd_one(router, setting, (member, usual), findings);
        }
    }
    passwords(router, findings);
}

/// The member whose value most have; the first of them.
pub(super) fn usual<'m, 'a>(
    members: &[&'m Member<'a>],
    show: impl Fn(&InstanceConfig) -> String,
) -> Option<&'m Member<'a>> {
    let values: Vec<String> = members.iter().map(|member| show(member.config)).collect();
    let count = |value: &String| values.iter().filter(|other| *other == value).count();
    let best = values
        .iter()
        .enumerate()
        .max_by_key(|(place, value)| (count(value), std::cmp::Reverse(*place)));
    best.and_then(|(place, _)| members.get(place).copied())
}

fn odd_one(
    router: &Router<'_>,
    setting: &Setting,
    (member, usual): (&Member<'_>, &Member<'_>),
    findings: &mut Findings,
) {
    let (own, other) = ((setting.show)(member.config), (setting.show)(usual.config));
    if own == other {
        return;
    }
    let message = format!(
        "{} of the virtual router {} is {own} here and {other} on the node {}: {}",
        setting.what,
        router.name(),
        quoted(usual.node.name),
        setting.outcome
    );
    let at = member.place(setting.word);
    let found = if setting.severity == Severity::Error {
        findings.error(setting.code, at, message)
    } else {
        findings.warning(setting.code, at, message)
    };
    found.see(usual.place(setting.word), format!("{other} here"));
}

/// Passwords are compared without being shown.
fn passwords(router: &Router<'_>, findings: &mut Findings) {
    let mut with: Vec<&Member<'_>> = router.members.iter().collect();
    with.retain(|member| member.config.auth != Auth::None);
    let Some(usual) = usual(&with, |config| format!("{:?}", config.auth)) else {
        return;
    };
    for member in with {
        if member.config.auth != usual.config.auth {
            let message = format!(
                "the password of the virtual router {} is not that of the node {}: adverts are \
                 discarded, and both become master",
                router.name(),
                quoted(usual.node.name)
            );
            findings
                .error(Code::ClusterPassword, member.place("auth_pass"), message)
                .see(usual.place("auth_pass"), "another one here");
        }
    }
}
