//! What belongs together in a virtual server and in all of them: one function for each matter.
//!
//! Where the original puts something right with a message, that is a finding here, and the named
//! functions of [`super::inherit`] give what is then used.

use super::super::code::Code;
use std::net::IpAddr;

use super::super::Config;
use super::super::block::Statement;
use super::super::diag::{Class, Severity, Sink, Span, Spanned, quoted};
use super::checkers::Checker;
use super::forward::Forwarding;
use super::group::{GroupEntry, VirtualServerGroup};
use super::probe::place_of;
use super::virtual_server::{IpFamily, Protocol, Service, VirtualServer};
use super::{Scheduler, Served, mentions};
use crate::ids::Family;

/// Looks at a virtual server when all its lines are read; false, and reported, if it is left out.
pub(super) fn complete(server: &mut VirtualServer, found: &Statement, sink: &mut Sink) -> bool {
    flags_of_another_scheduler(server);
    sorry_family(server, sink);
    if !has_real_servers(server, found, sink) {
        return false;
    }
    server.real_servers.shrink_to_fit();
    protocol(server, found, sink);
    what_is_not_said(server, found, sink);
    if let Service::Address(_, port) = server.service {
        port_needs_persistence(server, port == 0, sink);
    }
    one_packet(server, found, sink);
    duplicates(server, found, sink);
    ports(server, found, sink);
    quorum(server, found, sink);
    sorry_is_real(server, sink);
    true
}

/// A flag that was set for sh or mh means nothing to the scheduler that counts in the end.
fn flags_of_another_scheduler(server: &mut VirtualServer) {
    let scheduling = &mut server.scheduling;
    if matches!(scheduling.scheduler, Some(Scheduler::Sh | Scheduler::Mh)) {
        return;
    }
    scheduling.hashed = false;
    for flag in [&mut scheduling.flag_1, &mut scheduling.flag_2] {
        if flag.is_some_and(|word| !word.starts_with("flag-")) {
            *flag = None;
        }
    }
}

/// The sorry server is of the family of the service unless a tunnel leads to it.
fn sorry_family(server: &mut VirtualServer, sink: &mut Sink) {
    let tunnelled = matches!(server.sorry_forwarding(), Forwarding::Tun(_));
    let Some(sorry) = server.sorry.as_ref().filter(|_| !tunnelled) else {
        return;
    };
    let family = Family::of(sorry.address);
    if let Some(known) = server.family.filter(|known| *known != family) {
        let message = format!(
            "the sorry server {} is {family}, but the service is {known}; it is left out",
            sorry.address
        );
        sink.error(sorry.span, message)
            .code(Code::MixedFamilies)
            .help("only one that is reached by TUN may be of another family");
        server.sorry = None;
    }
}

/// A service without servers is nothing.
fn has_real_servers(server: &VirtualServer, found: &Statement, sink: &mut Sink) -> bool {
    if !server.real_servers.is_empty() {
        return true;
    }
    if !mentions(found, "real_server") {
        sink.error(
            server.span,
            "this virtual server has no real servers; it is left out",
        )
        .code(Code::EmptyService)
        .help("write `real_server ADDRESS PORT {` and its lines in it");
    }
    false
}

/// A mark has no protocol, an address needs one. Groups are looked at when all are known.
fn protocol(server: &VirtualServer, found: &Statement, sink: &mut Sink) {
    match (&server.service, server.protocol) {
        (Service::Fwmark(_), Some(_)) => no_protocol(place_of(found, "protocol"), sink),
        (Service::Address(..), None) => assume_udp(found, server.span, sink),
        _ => {}
    }
}

fn no_protocol(span: Span, sink: &mut Sink) {
    let message = "a service that is a mark has no protocol; this line is ignored";
    sink.error(span, message)
        .code(Code::UnusedWord)
        .help("remove the line: what is marked decides");
}

fn assume_udp(found: &Statement, span: Span, sink: &mut Sink) {
    if !mentions(found, "protocol") {
        missing_protocol(span, sink);
    }
}

fn missing_protocol(span: Span, sink: &mut Sink) {
    sink.error(span, "this virtual server has no `protocol`; UDP is used")
        .code(Code::ImpliedSetting)
        .help("write `protocol TCP`, UDP or SCTP in it");
}

/// The original wants both of these to be written.
fn what_is_not_said(server: &VirtualServer, found: &Statement, sink: &mut Sink) {
    let missing = |words: [&str; 2]| !words.iter().any(|word| mentions(found, word));
    if server.scheduling.scheduler.is_none() && missing(["lb_algo", "lvs_sched"]) {
        sink.error(
            server.span,
            "this virtual server has no `lb_algo`; wlc is used",
        )
        .code(Code::ImpliedSetting)
        .help("write `lb_algo wlc` in it");
    }
    if server.forwarding.is_none() && missing(["lb_kind", "lvs_method"]) {
        sink.error(
            server.span,
            "this virtual server has no `lb_kind`; NAT is used",
        )
        .code(Code::ImpliedSetting)
        .help("write `lb_kind NAT`, DR or TUN in it");
    }
}

/// The kernel takes all ports only for services whose clients stay with their server.
fn port_needs_persistence(server: &VirtualServer, all_ports: bool, sink: &mut Sink) {
    let written = server.persistence_timeout.is_some() || server.persistence_granularity.is_some();
    if all_ports && !written {
        let message = "a service without port needs persistence; 360 s are used";
        sink.error(server.span, message)
            .code(Code::ImpliedSetting)
            .help("write the port, or `persistence_timeout SECONDS` in the block");
    }
}

/// Connections have more than one packet.
fn one_packet(server: &mut VirtualServer, found: &Statement, sink: &mut Sink) {
    if !server.one_packet {
        return;
    }
    if server
        .service_protocol()
        .is_some_and(|protocol| protocol != Protocol::Udp)
    {
        let message = "`ops` is for UDP only; the line is ignored";
        sink.error(place_of(found, "ops"), message)
            .code(Code::UnusedWord)
            .help("remove it, or write `protocol UDP`");
        server.one_packet = false;
    }
}

/// The second of two servers with one address and port is removed.
fn duplicates(server: &mut VirtualServer, found: &Statement, sink: &mut Sink) {
    let key = |at: &u32| {
        let real = &server.real_servers[*at as usize];
        (real.address, real.port, *at)
    };
    let count = u32::try_from(server.real_servers.len()).unwrap_or(u32::MAX);
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_unstable_by_key(key);
    let same = |pair: &[u32]| {
        let (one, two) = (key(&pair[0]), key(&pair[1]));
        (one.0, one.1) == (two.0, two.1)
    };
    let mut second: Vec<u32> = order
        .windows(2)
        .filter(|pair| same(pair))
        .map(|pair| pair[1])
        .collect();
    if second.is_empty() {
        return;
    }
    second.sort_unstable();
    for at in &second {
        let real = &server.real_servers[*at as usize];
        let (address, port) = (real.address, real.port);
        let message = format!(
            "the real server {address} {port} stands in this block already; the second one is removed"
        );
        sink.error(place_of_real(found, address, port), message)
            .code(Code::ServerTwice)
            .help("remove it, or give it another port");
    }
    let mut at = 0;
    let mut gone = second.into_iter().peekable();
    server.real_servers.retain(|_| {
        let is_second = gone.next_if_eq(&at).is_some();
        at += 1;
        !is_second
    });
}

/// The last real server with this address and port.
fn place_of_real(found: &Statement, address: IpAddr, port: u16) -> Span {
    let lines = found.block.iter().flat_map(|block| &block.statements);
    let is_it = |line: &&Statement| {
        let (ip, number) = (line.arguments().first(), line.arguments().get(1));
        let number = number.map_or(Ok(0), |word| word.text.parse());
        line.keyword() == "real_server"
            && ip.and_then(|word| word.text.parse().ok()) == Some(address)
            && number == Ok(port)
    };
    let line = lines.rev().find(is_it);
    line.and_then(|line| line.arguments().first())
        .map_or(found.span(), |word| word.span)
}

/// Only NAT changes ports: elsewhere those of the servers are that of the service.
fn ports(server: &mut VirtualServer, found: &Statement, sink: &mut Sink) {
    let port = match server.service {
        Service::Address(_, port) => port,
        Service::Fwmark(_) => 0,
        Service::Group(_) => return,
    };
    let outcome = if port == 0 {
        "a service that is a mark".to_owned()
    } else {
        format!("a service with port {port}")
    };
    let is_wrong = |written: u16, method| {
        written != 0 && written != port && !matches!(method, Forwarding::Nat)
    };
    for real in &server.real_servers {
        let served = Served { server, real };
        if is_wrong(real.port, served.forwarding()) {
            let message = format!(
                "the port {} does not count: only NAT changes that of {outcome}",
                real.port
            );
            sink.error(place_of_real(found, real.address, real.port), message)
                .code(Code::UnusedWord)
                .help("remove it, or use NAT");
        }
    }
    let method = server.sorry_forwarding();
    let Some(sorry) = &mut server.sorry else {
        return;
    };
    if is_wrong(sorry.port, method) {
        let message = format!(
            "the port {} of the sorry server does not count: only NAT changes that of {outcome}",
            sorry.port
        );
        sink.error(sorry.span, message)
            .code(Code::UnusedWord)
            .help("remove it, or use NAT");
    }
}

/// More than all weights is never up; and what is lost must be less than what was gained.
fn quorum(server: &VirtualServer, found: &Statement, sink: &mut Sink) {
    let written = u64::from(server.quorum.unwrap_or(1));
    let total = server.total_weight();
    if written > total {
        let message = format!(
            "a quorum of {written} is never reached: all weights together are {total}, which is used"
        );
        let at = if server.quorum.is_some() {
            place_of(found, "quorum")
        } else {
            server.span
        };
        sink.error(at, message)
            .code(Code::QuorumOutOfReach)
            .help("write a smaller `quorum` or larger weights");
        return;
    }
    if let Some(hysteresis) = server.hysteresis
        && u64::from(hysteresis) >= written
    {
        let message = format!(
            "a hysteresis of {hysteresis} is not less than the quorum of {written}; {} is used",
            written.saturating_sub(1)
        );
        sink.error(place_of(found, "hysteresis"), message)
            .code(Code::QuorumOutOfReach)
            .help("write a smaller `hysteresis` or a larger `quorum`");
    }
}

/// A server that is down cannot say sorry.
fn sorry_is_real(server: &VirtualServer, sink: &mut Sink) {
    let Some(sorry) = &server.sorry else {
        return;
    };
    let is_it = |served: Served<'_>| {
        served.real.address == sorry.address
            && (served.real.port == sorry.port || !matches!(served.forwarding(), Forwarding::Nat))
    };
    if server.served().any(is_it) {
        let message = format!(
            "the sorry server {} is one of the real servers: it is down when it is needed",
            sorry.address
        );
        sink.note(sorry.span, message)
            .code(Code::ServerTwice)
            .help("let another server say sorry");
    }
}

/// What can only be said when the whole file is read.
pub(in crate::config) fn check(config: &Config, sink: &mut Sink) {
    for server in &config.lvs.servers {
        group_of(config, server, sink);
        let checkers = server.real_servers.iter().flat_map(|real| &real.checkers);
        for checker in checkers {
            tracked(config, checker, sink);
        }
    }
    unused_groups(config, sink);
}

/// The group that a virtual server names.
fn group_of(config: &Config, server: &VirtualServer, sink: &mut Sink) {
    let Service::Group(name) = &server.service else {
        return;
    };
    let mut groups = config.lvs.groups.iter();
    let Some(group) = groups.find(|group| group.name.value == *name) else {
        let message = format!(
            "there is no virtual_server_group {}; this virtual server is left out",
            quoted(name)
        );
        sink.report(Severity::Error, Class::Ok, server.span, message)
            .code(Code::UnknownName)
            .help("define the group, or correct its name");
        return;
    };
    let members = Members::of(group, server.service_family());
    port_needs_persistence(server, members.all_ports, sink);
    if members.ports.is_empty() && !members.marks {
        let message = format!(
            "the group {} has no member of the family of the real servers, {}",
            quoted(name),
            server.service_family()
        );
        sink.note(server.span, message)
            .help("give the group addresses of that family, or use TUN");
    }
    match server.protocol {
        Some(_) if members.marks_only => no_protocol(server.span, sink),
        None if !members.ports.is_empty() => missing_protocol(server.span, sink),
        _ => {}
    }
    group_ports(server, &members, sink);
}

/// What a group means to a service of one family.
struct Members {
    /// Ports of its addresses.
    ports: Vec<u16>,
    /// One of them has none.
    all_ports: bool,
    /// It has a mark of the family.
    marks: bool,
    /// And nothing else at all.
    marks_only: bool,
}

impl Members {
    fn of(group: &VirtualServerGroup, family: Family) -> Self {
        let mut members = Self {
            ports: Vec::new(),
            all_ports: false,
            marks: false,
            marks_only: true,
        };
        for entry in &group.entries {
            let (of, port) = match entry {
                GroupEntry::Addresses(it) => (Family::of(it.first), Some(it.port)),
                GroupEntry::Fwmark { family: None, .. } => (family, None),
                GroupEntry::Fwmark {
                    family: Some(IpFamily::Inet),
                    ..
                } => (Family::V4, None),
                GroupEntry::Fwmark {
                    family: Some(IpFamily::Inet6),
                    ..
                } => (Family::V6, None),
            };
            members.marks_only &= port.is_none() && of == family;
            if of == family {
                members.marks |= port.is_none();
                members.all_ports |= port == Some(0);
                members.ports.extend(port);
            }
        }
        members
    }
}

/// As [`ports`], for each member of a group.
fn group_ports(server: &VirtualServer, members: &Members, sink: &mut Sink) {
    let not_nat = |served: &Served<'_>| !matches!(served.forwarding(), Forwarding::Nat);
    let ports = server.served().filter(not_nat).map(|it| it.real.port);
    let written: Vec<u16> = ports.filter(|port| *port != 0).collect();
    if members.marks && !written.is_empty() {
        let message = "the ports of the real servers do not count for the marks of the group: only NAT changes ports";
        sink.error(server.span, message)
            .code(Code::UnusedWord)
            .help("write the real servers without ports");
        return;
    }
    let differs = |port: &&u16| members.ports.iter().any(|it| it != *port);
    if let Some(port) = written.iter().find(differs) {
        let message = format!(
            "the port {port} of a real server is not that of each address of the group: only NAT changes ports"
        );
        sink.error(server.span, message)
            .help("write the real servers without ports, or use NAT");
    }
}

/// The block that a checker names.
fn tracked(config: &Config, checker: &Checker, sink: &mut Sink) {
    let missing = |what: &str, name: &Spanned<Box<str>>, sink: &mut Sink| {
        let message = format!(
            "there is no {what} {}; the check is left out",
            quoted(&name.value)
        );
        sink.error(name.span, message)
            .code(Code::UnknownName)
            .help("define it, or correct the name");
    };
    if let Checker::File(it) = checker
        && let Some(name) = &it.track_file
        && !config
            .track_files
            .iter()
            .any(|file| *file.name.value == *name.value)
    {
        missing("track_file", name, sink);
    }
    if let Checker::Bfd(it) = checker
        && let Some(name) = &it.name
        && !config.bfds.iter().any(|bfd| *bfd.name == *name.value)
    {
        missing("bfd_instance", name, sink);
    }
}

/// A group that nobody uses is harmless, and probably a misspelt name.
fn unused_groups(config: &Config, sink: &mut Sink) {
    for group in &config.lvs.groups {
        let uses = |server: &VirtualServer| matches!(&server.service, Service::Group(name) if *name == group.name.value);
        if !config.lvs.servers.iter().any(uses) {
            let message = format!(
                "no virtual server uses the group {}",
                quoted(&group.name.value)
            );
            sink.note(group.span(), message)
                .code(Code::UnusedWord)
                .help("write `virtual_server group NAME {`, or remove the group");
        }
    }
}
