//! What a new configuration would change, found without carrying it out.
//!
//! [`Matching`] says which virtual router of one configuration is which of the other; the running
//! machine uses the same. [`plan`] compares item by item for a reader.
//!
//! A virtual router is what it is on the wire: interface, family, identifier, version, and the group
//! or the own unicast address. Its name is only a label. That is keepalived's rule
//! (behaviour.md 3.17) but for the version, which cannot change under a state that others see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::config::bound::{Auth, Bound, Destination, InstanceConfig, VirtualAddress};
use crate::ids::{Family, InstanceId, Version};
use crate::time::Duration;

/// What makes a virtual router the same one.
type Identity<'a> = (&'a str, Family, u8, Version, Option<IpAddr>, Option<IpAddr>);

fn identity(config: &InstanceConfig) -> Identity<'_> {
    let (group, local) = match &config.destination {
        Destination::Multicast(group) => (Some(*group), None),
        Destination::Unicast(_) => (None, config.source),
    };
    (
        &config.interface,
        config.family,
        config.vrid,
        config.version,
        group,
        local,
    )
}

/// Which virtual router of the former configuration is which of the new one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matching {
    /// By number in the new configuration.
    predecessors: Vec<Option<InstanceId>>,
    /// By number in the former one.
    successors: Vec<Option<InstanceId>>,
}

impl Matching {
    /// Compares by one walk over both configurations in the order of what makes a virtual router
    /// the same; the cost is that of sorting.
    pub fn of(former: &Bound, new: &Bound) -> Self {
        let mut matching = Self {
            predecessors: vec![None; new.instances.len()],
            successors: vec![None; former.instances.len()],
        };
        let (before, after) = (sorted(former), sorted(new));
        let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
        while let (Some((old, _, was)), Some((new, _, is))) = (before.peek(), after.peek()) {
            match old.cmp(new) {
                std::cmp::Ordering::Less => drop(before.next()),
                std::cmp::Ordering::Greater => drop(after.next()),
                std::cmp::Ordering::Equal => {
                    matching.successors[was.0 as usize] = Some(*is);
                    matching.predecessors[is.0 as usize] = Some(*was);
                    before.next();
                    after.next();
                }
            }
        }
        matching
    }

    /// What a virtual router of the new configuration was in the former one; `None` if it is new.
    pub fn predecessor(&self, id: InstanceId) -> Option<InstanceId> {
        self.predecessors.get(id.0 as usize).copied().flatten()
    }

    /// What a virtual router of the former configuration is in the new one; `None` if it is gone.
    pub fn successor(&self, id: InstanceId) -> Option<InstanceId> {
        self.successors.get(id.0 as usize).copied().flatten()
    }

    /// Those of the former configuration that are gone.
    pub fn gone(&self) -> impl Iterator<Item = InstanceId> {
        let numbered = (0..).map(InstanceId).zip(&self.successors);
        let gone = numbered.filter(|(_, successor)| successor.is_none());
        gone.map(|(id, _)| id)
    }

    /// True if every virtual router is still there under its number.
    pub fn keeps_numbers(&self) -> bool {
        let mut numbered = (0..).map(InstanceId).zip(&self.successors);
        numbered.all(|(id, successor)| *successor == Some(id))
    }
}

/// By identity; of several with the same one, which no sound configuration has, by name.
fn sorted(bound: &Bound) -> Vec<(Identity<'_>, &str, InstanceId)> {
    let mut all: Vec<_> = bound
        .iter()
        .map(|(id, config)| (identity(config), config.name.as_str(), id))
        .collect();
    all.sort_unstable();
    all
}

/// Everything that a new configuration would change.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Settings of `global_defs`.
    pub globals: Vec<Setting>,
    /// Virtual routers about which something changes: those that are gone in the order of the
    /// former configuration, then the others in the order of the new one.
    pub instances: Vec<Item>,
    /// Virtual routers that stay as they are.
    pub unchanged: usize,
}

/// A setting with another value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its keyword in the configuration.
    pub keyword: &'static str,
    /// What it was.
    pub from: String,
    /// What it will be.
    pub to: String,
}

/// What happens to one virtual router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Its name, in the new configuration if it is there.
    pub name: String,
    /// What happens to it.
    pub what: What,
}

/// What happens to a virtual router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// It starts.
    Added {
        /// What it will be.
        summary: String,
    },
    /// It leaves in order.
    Removed {
        /// What it was.
        summary: String,
    },
    /// It leaves in order and starts again, because it becomes another one on the wire.
    Restarted {
        /// What makes it another one.
        settings: Vec<Setting>,
    },
    /// It goes on in its state.
    Changed {
        /// Its former name, if it had another one.
        renamed_from: Option<String>,
        /// Settings with other values.
        settings: Vec<Setting>,
        /// What happens to its addresses.
        addresses: Vec<AddressChange>,
    },
}

/// What happens to an address of a virtual router that goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressChange {
    /// The address as it will be, or was.
    pub address: String,
    /// What happens to it.
    pub what: AddressWhat,
}

/// What happens to an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AddressWhat {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It comes from the virtual router of this name, and is never absent if both are master.
    MovedFrom(String),
    /// It goes to the virtual router of this name.
    MovedTo(String),
    /// It is installed in another form: it is removed and added again.
    Renewed,
}

/// Compares two configurations: what would change if `new` followed `old`.
pub fn plan(old: &Bound, new: &Bound) -> Plan {
    let matching = Matching::of(old, new);
    let mut plan = Plan {
        globals: global_settings(old, new),
        ..Plan::default()
    };
    let names: BTreeMap<&str, &InstanceConfig> = new
        .iter()
        .filter(|(id, _)| matching.predecessor(*id).is_none())
        .map(|(_, config)| (config.name.as_str(), config))
        .collect();
    let mut restarted: BTreeMap<&str, &InstanceConfig> = BTreeMap::new();
    for id in matching.gone() {
        let config = old.instance(id);
        if names.contains_key(config.name.as_str()) {
            restarted.insert(&config.name, config);
            continue;
        }
        let (name, summary) = (config.name.clone(), summary(config));
        let what = What::Removed { summary };
        plan.instances.push(Item { name, what });
    }
    let touched = touched(old, new, &matching);
    let (before, after) = (places(old, &touched), places(new, &touched));
    for (id, config) in new.iter() {
        let former = matching.predecessor(id).map(|id| old.instance(id));
        let what = match (former, restarted.get(config.name.as_str())) {
            (None, Some(former)) => {
                let settings = settings(former, config);
                What::Restarted { settings }
            }
            (None, None) => {
                let summary = summary(config);
                What::Added { summary }
            }
            (Some(former), _) if former == config => {
                plan.unchanged += 1;
                continue;
            }
            (Some(former), _) => {
                let renamed = former.name != config.name;
                What::Changed {
                    renamed_from: renamed.then(|| former.name.clone()),
                    settings: settings(former, config),
                    addresses: address_changes(former, config, &before, &after),
                }
            }
        };
        let name = config.name.clone();
        plan.instances.push(Item { name, what });
    }
    plan
}

/// Where virtual routers that go on with other settings have or had addresses: of no other place
/// is anything told.
fn touched<'a>(old: &'a Bound, new: &'a Bound, matching: &Matching) -> BTreeSet<Place<'a>> {
    let mut touched = BTreeSet::new();
    for (id, config) in new.iter() {
        let former = matching.predecessor(id).map(|id| old.instance(id));
        if let Some(former) = former.filter(|former| *former != config) {
            for config in [former, config] {
                let addresses = config.all_addresses();
                touched.extend(addresses.map(|address| place(config, address)));
            }
        }
    }
    touched
}

/// Where an address stands: interface, address, prefix length.
type Place<'a> = (&'a str, IpAddr, u8);

fn place<'a>(config: &'a InstanceConfig, address: &'a VirtualAddress) -> Place<'a> {
    let name = address.dev.as_deref().unwrap_or(&config.interface);
    (name, address.addr, address.prefix)
}

/// The first holder of each of the `wanted`.
fn places<'a>(bound: &'a Bound, wanted: &BTreeSet<Place<'_>>) -> BTreeMap<Place<'a>, &'a str> {
    let mut places = BTreeMap::new();
    for config in &bound.instances {
        for address in config.all_addresses() {
            let place = place(config, address);
            if !wanted.contains(&place) {
                continue;
            }
            let holder = places.entry(place);
            holder.or_insert(config.name.as_str());
        }
    }
    places
}

fn address_changes(
    former: &InstanceConfig,
    config: &InstanceConfig,
    before: &BTreeMap<Place<'_>, &str>,
    after: &BTreeMap<Place<'_>, &str>,
) -> Vec<AddressChange> {
    let of = |config| -> BTreeMap<Place<'_>, &VirtualAddress> {
        let config: &InstanceConfig = config;
        let all = config.all_addresses();
        all.map(|address| (place(config, address), address))
            .collect()
    };
    let (was, is) = (of(former), of(config));
    let mut changes = Vec::new();
    for address in former.all_addresses() {
        let place = place(former, address);
        if !is.contains_key(&place) {
            let to = after.get(&place).map(|name| (*name).to_owned());
            let what = to.map_or(AddressWhat::Removed, AddressWhat::MovedTo);
            let address = text_of(address);
            changes.push(AddressChange { address, what });
        }
    }
    for address in config.all_addresses() {
        let place = place(config, address);
        let what = match (was.get(&place), before.get(&place)) {
            (Some(former), _) if **former == *address => continue,
            (Some(former), _) if same_form(former, address) => continue,
            (Some(_), _) => AddressWhat::Renewed,
            (None, Some(name)) => AddressWhat::MovedFrom((*name).to_owned()),
            (None, None) => AddressWhat::Added,
        };
        let address = text_of(address);
        changes.push(AddressChange { address, what });
    }
    changes
}

/// True if only the way of writing the interface differs.
fn same_form(a: &VirtualAddress, b: &VirtualAddress) -> bool {
    let mut a = a.clone();
    a.dev.clone_from(&b.dev);
    a == *b
}

fn text_of(address: &VirtualAddress) -> String {
    let dev = address.dev.as_deref();
    let dev = dev.map_or(String::new(), |dev| format!(" dev {dev}"));
    format!("{}/{}{dev}", address.addr, address.prefix)
}

fn summary(config: &InstanceConfig) -> String {
    let count = config.addresses.len() + config.excluded.len();
    let plural = if count == 1 { "" } else { "es" };
    format!(
        "{}, virtual router {}, {}, priority {}, {count} address{plural}",
        config.interface, config.vrid, config.family, config.priority
    )
}

/// Collects settings that differ.
#[derive(Default)]
struct Differences {
    found: Vec<Setting>,
}

impl Differences {
    fn compare<T: PartialEq>(
        &mut self,
        keyword: &'static str,
        (old, new): (&T, &T),
        text: impl Fn(&T) -> String,
    ) {
        if old != new {
            self.found.push(Setting {
                keyword,
                from: text(old),
                to: text(new),
            });
        }
    }
}

fn seconds(span: &Duration) -> String {
    format!("{span} s")
}

fn yes_no(value: &bool) -> String {
    if *value { "yes" } else { "no" }.to_owned()
}

fn or_none<T: fmt::Display>(value: &Option<T>) -> String {
    value
        .as_ref()
        .map_or("none".to_owned(), ToString::to_string)
}

fn settings(old: &InstanceConfig, new: &InstanceConfig) -> Vec<Setting> {
    let mut all = Differences::default();
    let number = |value: &u8| value.to_string();
    all.compare("interface", (&old.interface, &new.interface), String::clone);
    all.compare("family", (&old.family, &new.family), ToString::to_string);
    let version = |value: &Version| value.number().to_string();
    all.compare("version", (&old.version, &new.version), version);
    all.compare("virtual_router_id", (&old.vrid, &new.vrid), number);
    all.compare("priority", (&old.priority, &new.priority), number);
    let state = |master: &bool| if *master { "MASTER" } else { "BACKUP" }.to_owned();
    all.compare("state", (&old.state_master, &new.state_master), state);
    let intervals = (&old.advert_interval, &new.advert_interval);
    all.compare("advert_int", intervals, seconds);
    all.compare("preempt", (&old.preempt, &new.preempt), yes_no);
    let delays = (&old.preempt_delay, &new.preempt_delay);
    all.compare("preempt_delay", delays, seconds);
    let adverts = (&old.down_timer_adverts, &new.down_timer_adverts);
    all.compare("down_timer_adverts", adverts, number);
    // The password itself is nobody's business.
    let kind = |auth: &Auth| match auth {
        Auth::None => "none".to_owned(),
        Auth::Pass(_) => "a password".to_owned(),
    };
    all.compare("authentication", (&old.auth, &new.auth), kind);
    all.compare("source address", (&old.source, &new.source), or_none);
    let destinations = (&old.destination, &new.destination);
    all.compare("destination", destinations, destination_text);
    further_settings(old, new, &mut all);
    if all.found.is_empty() && !same_but_addresses(old, new) {
        all.found.push(Setting {
            keyword: "other settings",
            from: "as they were".to_owned(),
            to: "as they are written now".to_owned(),
        });
    }
    all.found
}

fn further_settings(old: &InstanceConfig, new: &InstanceConfig, all: &mut Differences) {
    let number = |value: &u8| value.to_string();
    let hops = (&old.hop_limit, &new.hop_limit);
    all.compare("unicast_ttl", hops, number);
    let debug = |checksum: &crate::config::bound::ChecksumConfig| format!("{:?}", checksum.style);
    all.compare("checksum", (&old.checksum, &new.checksum), debug);
    let backups = (&old.timer_expired_backup, &new.timer_expired_backup);
    all.compare("timer_expired_backup", backups, or_none);
    let flags: [(&'static str, (&bool, &bool)); 6] = [
        (
            "check_unicast_src",
            (&old.check_unicast_source, &new.check_unicast_source),
        ),
        (
            "skip_check_adv_addr",
            (&old.skip_check_adv_addr, &new.skip_check_adv_addr),
        ),
        (
            "owner_ignore_adverts",
            (&old.owner_ignore_adverts, &new.owner_ignore_adverts),
        ),
        (
            "lower_prio_no_advert",
            (&old.lower_prio_no_advert, &new.lower_prio_no_advert),
        ),
        (
            "higher_prio_send_advert",
            (&old.higher_prio_send_advert, &new.higher_prio_send_advert),
        ),
        (
            "dont_track_primary",
            (&old.dont_track_primary, &new.dont_track_primary),
        ),
    ];
    for (keyword, values) in flags {
        all.compare(keyword, values, yes_no);
    }
    let (was, is) = (&old.garp, &new.garp);
    let count = |value: &u32| value.to_string();
    let delays = (&was.master_delay, &is.master_delay);
    all.compare("garp_master_delay", delays, seconds);
    let repeats = (&was.master_repeat, &is.master_repeat);
    all.compare("garp_master_repeat", repeats, count);
    all.compare("garp_master_refresh", (&was.refresh, &is.refresh), seconds);
    let repeats = (&was.refresh_repeat, &is.refresh_repeat);
    all.compare("garp_master_refresh_repeat", repeats, count);
    let delays = (&was.lower_prio_delay, &is.lower_prio_delay);
    all.compare("garp_lower_prio_delay", delays, seconds);
    let repeats = (&was.lower_prio_repeat, &is.lower_prio_repeat);
    all.compare("garp_lower_prio_repeat", repeats, count);
}

fn same_but_addresses(old: &InstanceConfig, new: &InstanceConfig) -> bool {
    let mut old = old.clone();
    old.name.clone_from(&new.name);
    old.addresses.clone_from(&new.addresses);
    old.excluded.clone_from(&new.excluded);
    old == *new
}

fn destination_text(destination: &Destination) -> String {
    match destination {
        Destination::Multicast(group) => group.to_string(),
        Destination::Unicast(peers) => {
            let peers: Vec<String> = peers.iter().map(ToString::to_string).collect();
            format!("unicast to {}", peers.join(", "))
        }
    }
}

fn global_settings(old: &Bound, new: &Bound) -> Vec<Setting> {
    let mut all = Differences::default();
    let (was, is) = (&old.global, &new.global);
    all.compare("router_id", (&was.router_id, &is.router_id), String::clone);
    let dynamic = (&was.dynamic_interfaces, &is.dynamic_interfaces);
    all.compare("dynamic_interfaces", dynamic, yes_no);
    let intervals = (&was.garp_interval, &is.garp_interval);
    all.compare("vrrp_garp_interval", intervals, seconds);
    let intervals = (&was.gna_interval, &is.gna_interval);
    all.compare("vrrp_gna_interval", intervals, seconds);
    let groups = |groups: &Vec<crate::config::bound::GarpGroup>| groups.len().to_string();
    all.compare("garp_group", (&was.garp_groups, &is.garp_groups), groups);
    let mut rest = was.clone();
    // How long a start waits says nothing to a daemon that runs.
    rest.startup_delay = is.startup_delay;
    if all.found.is_empty() && rest != *is {
        all.found.push(Setting {
            keyword: "other settings of global_defs",
            from: "as they were".to_owned(),
            to: "as they are written now".to_owned(),
        });
    }
    all.found
}

impl Plan {
    /// True if nothing changes.
    pub fn is_empty(&self) -> bool {
        self.globals.is_empty() && self.instances.is_empty()
    }

    /// One line for each item that changes.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let globals = self.globals.iter();
        let globals = globals.map(|setting| format!("~ global_defs: {setting}"));
        let instances = self.instances.iter();
        globals.chain(instances.flat_map(Item::lines))
    }

    /// How many of each kind, in one line.
    pub fn summary(&self) -> String {
        let count = |wanted: fn(&What) -> bool| {
            let items = self.instances.iter();
            items.filter(|item| wanted(&item.what)).count()
        };
        let added = count(|what| matches!(what, What::Added { .. }));
        let removed = count(|what| matches!(what, What::Removed { .. }));
        let restarted = count(|what| matches!(what, What::Restarted { .. }));
        let changed = count(|what| matches!(what, What::Changed { .. }));
        let unchanged = self.unchanged;
        format!(
            "virtual routers: {added} added, {removed} removed, {restarted} restarted, {changed} \
             changed, {unchanged} unchanged"
        )
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing changes ({} virtual routers)", self.unchanged);
        }
        self.lines().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "{}", self.summary())
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.keyword, self.from, self.to)
    }
}

impl Item {
    fn lines(&self) -> Vec<String> {
        let name = &self.name;
        match &self.what {
            What::Added { summary } => vec![format!("+ {name}: starts ({summary})")],
            What::Removed { summary } => vec![format!("- {name}: leaves ({summary})")],
            What::Restarted { settings } => {
                let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
                let why = settings.join(", ");
                vec![format!("! {name}: leaves and starts again: {why}")]
            }
            What::Changed {
                renamed_from,
                settings,
                addresses,
            } => {
                let renamed = renamed_from.iter();
                let renamed = renamed.map(|from| format!("~ {name}: was called {from}"));
                let settings = settings.iter();
                let settings = settings.map(|setting| format!("~ {name}: {setting}"));
                let addresses = addresses.iter();
                let addresses = addresses.map(|change| format!("~ {name}: {change}"));
                renamed.chain(settings).chain(addresses).collect()
            }
        }
    }
}

impl fmt::Display for AddressChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "address {} ", self.address)?;
        match &self.what {
            AddressWhat::Added => write!(f, "is added"),
            AddressWhat::Removed => write!(f, "is removed"),
            AddressWhat::MovedFrom(name) => write!(f, "comes from {name}"),
            AddressWhat::MovedTo(name) => write!(f, "goes to {name}"),
            AddressWhat::Renewed => write!(f, "is removed and added again in its new form"),
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
