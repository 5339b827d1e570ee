//! Every scenario around smfi_main with every way of linking: `programs/scenarios.txt`.
//!
//! `UPDATE_SESSIONS=1 cargo test -p c-tests scenarios::` records what our library does where
//! an entry of docs/differences.md is named; read the change before committing it.

use c_tests::differences::entries;
use c_tests::scenario::{Scenario, run_again, run_all, scenarios};
use c_tests::{Linkage, notes, paths};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

const RECORDED: &str = "programs/scenarios-ours.txt";

/// What the reference does in each scenario, in the order it was seen. Its threads race with each other
/// at a stop, so that a rare outcome is looked for in further plays before it counts.
static REFERENCE: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());

/// Plays with the reference until an outcome is wanted; the last one, or none if it does not play that.
fn reference(name: &str, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let mut seen = REFERENCE.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.is_empty() {
        let first = run_all(Linkage::ReferenceDynamic).unwrap();
        *seen = first.into_iter().map(|(name, outcome)| (name, vec![outcome])).collect();
    }
    let outcomes = seen.get_mut(name)?;
    let next = || run_again(Linkage::ReferenceDynamic, name).unwrap();
    let what = format!("scenario {name}");
    Some(notes::play_reference(&what, outcomes, next, |outcome| wanted(outcome)).clone())
}

fn recorded() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(paths::in_package(RECORDED)).unwrap_or_default();
    let sections = text.split("\n== ").skip(1).filter_map(|part| part.split_once('\n'));
    sections.map(|(name, body)| (name.to_owned(), body.trim_end().to_owned())).collect()
}

fn record(all: &[Scenario], ours: &BTreeMap<String, String>) {
    let mut text =
        String::from("# What our library does where programs/scenarios.txt names an entry.\n");
    for scenario in all.iter().filter(|scenario| !scenario.differs.is_empty()) {
        write!(text, "\n== {}\n{}", scenario.name, ours[&scenario.name]).unwrap();
    }
    std::fs::write(paths::in_package(RECORDED), text).unwrap();
}

/// Equal but for log lines, to which ours may add what was expected and what to do.
///
/// The reference shows a connection specification cut at its first special character.
fn same(theirs: &str, ours: &str) -> bool {
    theirs.lines().count() == ours.lines().count()
        && theirs.lines().zip(ours.lines()).all(|(theirs, ours)| {
            theirs == ours || theirs.starts_with("log: ") && ours.starts_with(theirs)
        })
}

fn compare(linkage: Linkage) {
    let all = scenarios().unwrap();
    let ours = run_all(linkage).unwrap();
    if linkage == Linkage::OursDynamic && std::env::var_os("UPDATE_SESSIONS").is_some() {
        record(&all, &ours);
    }
    let recorded = recorded();
    let mut problems = String::new();
    for scenario in &all {
        let name = &scenario.name;
        let seen = &ours[name];
        let differs = !scenario.differs.is_empty();
        if let Some(theirs) = reference(name, |theirs| same(theirs, seen) != differs) {
            if !differs && !same(&theirs, seen) {
                write!(problems, "\n{name}\nreference:\n{theirs}ours:\n{seen}").unwrap();
            }
            if differs && same(&theirs, seen) {
                write!(problems, "\n{name} names an entry but does not differ\n{seen}").unwrap();
            }
        }
        let wanted = recorded.get(name).map_or("nothing", String::as_str);
        if differs && wanted != seen.trim_end() {
            write!(problems, "\n{name}\nrecorded:\n{wanted}\nours:\n{seen}").unwrap();
        }
    }
    assert!(problems.is_empty(), "{linkage:?}\n{problems}");
}

#[test]
fn reference_static_equals_reference_dynamic() {
    for (name, outcome) in run_all(Linkage::ReferenceStatic).unwrap() {
        let theirs = reference(&name, |theirs| theirs == outcome).unwrap();
        let mut first = Some(outcome);
        let next =
            || first.take().unwrap_or_else(|| run_again(Linkage::ReferenceStatic, &name).unwrap());
        let what = format!("scenario {name}, static");
        // What was seen last is among what was seen: either may be the rare one.
        let seen = |outcome: &String| REFERENCE.lock().unwrap()[&name].contains(outcome);
        let outcome = notes::play(Linkage::ReferenceStatic, &what, next, seen);
        assert!(seen(&outcome), "{name}\ndynamic:\n{theirs}static:\n{outcome}");
    }
}

with_ours!(compare);

#[test]
fn named_differences_are_documented_and_recorded_ones_are_named() {
    let entries = entries().unwrap();
    let all = scenarios().unwrap();
    for scenario in &all {
        for id in &scenario.differs {
            assert!(entries.contains(id), "{}: docs/differences.md has no {id}", scenario.name);
        }
    }
    for name in recorded().keys() {
        let explained = |s: &Scenario| !s.differs.is_empty() || s.recorded_for_root;
        let known = all.iter().any(|s| s.name == *name && explained(s));
        assert!(known, "{name} is recorded in vain");
    }
}
