//! `vrrp_strict` and `strict_mode`: what the RFCs do not know is reported and taken out of an
//! instance, as in the original.
//!
//! One part of it is not built: packets to the virtual addresses are to be dropped unless the router
//! owns them or has `accept`. Without it the services of the master would answer clients that get no
//! answer today, which is another server getting traffic; so an instance that needs it is refused,
//! as `no_accept` is.

use super::bound::{Auth, Destination, InstanceConfig};
use super::code::Code;
use super::diag::{Sink, Span, quoted};
use super::global::GlobalDefs;
use super::vrrp_instance::Instance;
use crate::ids::{Family, Version};
use crate::time::Duration;

/// Adverts that may be missed: strict mode knows no other number.
const DOWN_TIMER_ADVERTS: u8 = 3;

/// Where strict mode is asked for, if it is for this instance.
pub(super) fn asked(instance: &Instance, global: &GlobalDefs) -> Option<Span> {
    match &instance.strict {
        Some(strict) => strict.value.then_some(strict.span),
        None => global.strict,
    }
}

/// IPv6 has version 3 only.
pub(super) fn version(
    written: Version,
    family: Family,
    instance: &Instance,
    sink: &mut Sink,
) -> Version {
    if family == Family::V4 || written == Version::V3 {
        return written;
    }
    let span = instance.version.as_ref().map_or(instance.span, |v| v.span);
    sink.error(span, "IPv6 has version 3 only, which is used")
        .code(Code::VersionFamily)
        .help("write `version 3`");
    Version::V3
}

/// Takes out of `config` what strict mode forbids. `None`, and reported, if the instance cannot run.
/// `multicast` is whether its interface can send to groups.
pub(super) fn apply(
    config: &mut InstanceConfig,
    (instance, global): (&Instance, &GlobalDefs),
    asked: Span,
    multicast: bool,
    sink: &mut Sink,
) -> Option<()> {
    state(config, instance, sink);
    if config.auth != Auth::None {
        let message = "strict mode knows no authentication; it is left out";
        let span = instance.authentication.as_ref().and_then(|it| it.pass());
        let span = span.unwrap_or(instance.span);
        sink.error(span, message)
            .code(Code::StrictForbids)
            .help("remove the block `authentication`, on all routers alike");
        config.auth = Auth::None;
    }
    if config.down_timer_adverts != DOWN_TIMER_ADVERTS {
        let message = "strict mode takes over after three missed adverts; `down_timer_adverts` is \
                       dropped";
        sink.error(instance.span, message).code(Code::StrictForbids);
        config.down_timer_adverts = DOWN_TIMER_ADVERTS;
    }
    announcements(config, (instance, global), sink);
    config.owner_ignore_adverts = true;
    if matches!(config.destination, Destination::Unicast(_)) && multicast {
        let message = "strict mode has no unicast where the interface can send to groups";
        let span = instance.transport.unicast.unwrap_or(instance.span);
        sink.fatal(span, message)
            .code(Code::StrictForbids)
            .help("remove `unicast_peer`, or write `strict_mode off`");
        return None;
    }
    accept(config, instance, asked, sink);
    Some(())
}

/// MASTER goes with priority 255, and only with it.
fn state(config: &mut InstanceConfig, instance: &Instance, sink: &mut Sink) {
    if config.state_master == config.is_owner() {
        return;
    }
    let used = if config.is_owner() {
        "MASTER"
    } else {
        "BACKUP"
    };
    let span = instance.state.0.as_ref().map_or(instance.span, |s| s.span);
    let message =
        format!("in strict mode `state MASTER` and priority 255 go together; {used} is used");
    sink.error(span, message)
        .code(Code::StrictForbids)
        .suggest(used);
    config.state_master = config.is_owner();
}

/// A master does not answer lower priorities, and yields without another word.
fn announcements(
    config: &mut InstanceConfig,
    (instance, global): (&Instance, &GlobalDefs),
    sink: &mut Sink,
) {
    let repeats = [&instance.garp, &global.garp].map(|words| words.lower_prio_repeat.as_ref());
    let dropped = [
        (
            repeats
                .into_iter()
                .flatten()
                .next()
                .is_some_and(|repeat| repeat.value > 0),
            "`garp_lower_prio_repeat`",
        ),
        (
            instance
                .lower_prio_no_advert
                .as_ref()
                .is_some_and(|it| !it.value),
            "`lower_prio_no_advert off`",
        ),
        (config.higher_prio_send_advert, "`higher_prio_send_advert`"),
    ];
    for (_, what) in dropped.into_iter().filter(|(written, _)| *written) {
        let message = format!("strict mode does not go with {what}, which is dropped");
        sink.error(instance.span, message).code(Code::StrictForbids);
    }
    config.garp.lower_prio_repeat = 0;
    config.garp.lower_prio_delay = Duration::ZERO;
    config.lower_prio_no_advert = true;
    config.higher_prio_send_advert = false;
}

fn accept(config: &InstanceConfig, instance: &Instance, asked: Span, sink: &mut Sink) {
    let mut accepts = instance.accepts().is_some();
    if let (Some(span), Version::V2) = (instance.accepts(), config.version) {
        let message = "version 2 has no `accept` in strict mode; it is dropped";
        sink.error(span, message)
            .code(Code::StrictForbids)
            .help("write `version 3` on all routers");
        accepts = false;
    }
    if !accepts && !config.is_owner() {
        let what = format!(
            "dropping the packets to the addresses of {}, as strict mode asks,",
            quoted(&instance.name)
        );
        sink.refuse(asked, &what)
            .code(Code::StrictDropsTraffic)
            .help("write `version 3` and `accept`, or remove the strict mode");
    }
}
