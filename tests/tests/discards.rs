#![forbid(unsafe_code)]
//! Discarded packets are told once for each kind, and summed up once a minute and at the end: a flood
//! makes a handful of lines, and none of them moves a timer.

use relevo_core::ids::{Family, Version};
use relevo_core::time::Duration;
use relevo_core::vrrp::Discard;
use relevo_core::vrrp::note::{Discarded, Note};
use relevo_tests::one_host::{Advert, Effect, OneHost, config, notes};

/// The sums among the effects.
fn sums(effects: &[Effect]) -> Vec<Discarded> {
    let told = notes(effects).into_iter();
    told.filter_map(|note| match note {
        Note::DiscardedSum { discarded, .. } => Some(discarded),
        _ => None,
    })
    .collect()
}

/// A neighbour's advert with a damaged checksum.
fn damaged(host: &OneHost) -> (Advert, Vec<u8>) {
    let advert = Advert::from_neighbour(&host.config(), 9, 200);
    let mut octets = advert.octets();
    if let Some(last) = octets.last_mut() {
        *last ^= 1;
    }
    (advert, octets)
}

#[test]
fn a_master_sums_up_a_flood_once_a_minute() {
    let mut host = OneHost::master(config(Version::V3, Family::V4));
    let (advert, octets) = damaged(&host);
    let mut effects = Vec::new();
    // Ten a second for 150 seconds, adverts in between.
    for _ in 0..1_500 {
        effects.extend(host.hear_octets(&advert, &octets));
        effects.extend(host.run_for(Duration::from_millis(100)));
    }
    let told = sums(&effects);
    assert_eq!(told.len(), 2);
    for sum in &told {
        assert_eq!(sum.over, Duration::from_secs(60));
        assert_eq!(sum.total(), sum.counts[Discard::Checksum.index()]);
        assert!((590..=610).contains(&sum.total()), "{}", sum.total());
    }
    let single = notes(&effects)
        .into_iter()
        .filter(|note| matches!(note, Note::Discarded { .. }));
    assert_eq!(single.count(), 1);
    let rest = sums(&host.stop());
    let all: u64 = told.iter().chain(&rest).map(Discarded::total).sum();
    assert_eq!((rest.len(), all), (1, 1_500));
}

#[test]
fn a_quiet_master_says_nothing() {
    let mut host = OneHost::master(config(Version::V3, Family::V4));
    let effects = host.run_for(Duration::from_secs(200));
    assert!(sums(&effects).is_empty());
    assert!(sums(&host.stop()).is_empty());
}
