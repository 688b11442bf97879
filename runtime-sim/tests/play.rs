//! Every scenario comes out as it expects, and a first stretch of seeds keeps every promise.

use std::fs;
use std::path::Path;

use relevo_sim::explore::{Search, explore};
use relevo_sim::scenario::Scenario;

#[test]
fn every_scenario_comes_out_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let mut played = 0;
    for entry in fs::read_dir(&folder).expect("the folder of scenarios") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "ini") {
            continue;
        }
        let name = path.display();
        let scenario = Scenario::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let result = scenario.play(0).unwrap_or_else(|error| panic!("{error}"));
        assert!(result.expected > 0, "{name} expects nothing");
        assert!(result.failures.is_empty(), "{name}: {:?}", result.failures);
        played += 1;
    }
    assert!(played >= 12, "only {played} scenarios");
}

#[test]
fn a_stretch_of_seeds_keeps_every_promise_and_sees_everything() {
    let search = Search {
        first: 0,
        count: 400,
        threads: 2,
        all: false,
    };
    let report = explore(search, &|_| {});
    if let Some(failure) = &report.failure {
        panic!("{}", failure.text());
    }
    assert_eq!(report.marks.missing(), Vec::<&str>::new());
    assert!(report.twice > 0);
}
