//! Every command in every state, with every way of linking: `sessions/matrix/*.txt`.

use c_tests::differences::entries;
use c_tests::trace::matrix::{Cell, cells};
use c_tests::trace::process::program;
use c_tests::trace::suite::{Key, run_program};
use c_tests::{Compile, Headers, Linkage, Program};
use std::collections::BTreeMap;

fn check(linkage: Linkage) {
    check_program(&program().unwrap(), linkage);
}

fn check_program(program: &Program, linkage: Linkage) {
    let cells = cells().unwrap();
    assert!(cells.len() >= 495, "{} cells", cells.len());
    let key = |cell: &Cell| -> Key { ("matrix".into(), cell.name.clone()) };
    let sessions: BTreeMap<_, _> =
        cells.iter().map(|cell| (key(cell), cell.session.clone())).collect();
    let results = run_program(program, &sessions, linkage).unwrap();
    let mut problems = Vec::new();
    for cell in &cells {
        let seen = match &results[&key(cell)] {
            Ok(played) => cell.seen(&played.transcript),
            Err(error) => error.clone(),
        };
        let wanted = match &cell.ours {
            Some((ours, _)) if linkage.is_ours() => ours,
            _ => &cell.reference,
        };
        if seen != *wanted {
            problems.push(format!("{}: {seen}, not {wanted}\n", cell.name));
        }
    }
    assert!(problems.is_empty(), "{linkage:?}: {}\n{}", problems.len(), problems.concat());
}

#[test]
fn reference_dynamic() {
    check(Linkage::ReferenceDynamic);
}

#[test]
fn reference_static() {
    check(Linkage::ReferenceStatic);
}

#[test]
fn ours_dynamic() {
    check(Linkage::OursDynamic);
}

#[test]
fn ours_static() {
    check(Linkage::OursStatic);
}

#[test]
fn ours_preloaded() {
    check(Linkage::OursPreload);
}

/// Compiled against our headers, the filter works with either library.
#[test]
fn compiled_against_our_headers() {
    let program = Compile::c("milters/trace.c").headers(Headers::Ours).build().unwrap();
    for linkage in Linkage::ALL {
        check_program(&program, linkage);
    }
}

#[test]
fn cells_that_differ_name_a_documented_difference() {
    let entries = entries().unwrap();
    for cell in cells().unwrap() {
        if let Some((ours, ids)) = &cell.ours {
            assert_ne!(*ours, cell.reference, "{}", cell.name);
            assert!(!ids.is_empty(), "{} names no entry", cell.name);
            for id in ids {
                assert!(entries.contains(id), "{}: docs/differences.md has no {id}", cell.name);
            }
        }
    }
}
