//! `docs/compatibility.md` says what the other test program has just shown, no more and no less.
//!
//! Cargo runs the test programs in the order of their names; this one has to be the last.
//!
//! `UPDATE_COMPATIBILITY=1` writes the page anew; `UPDATE_COMPATIBILITY=add` with some of the other
//! tests, as in `-- played:: the_page_is`, puts their rows into it and keeps the others.

use compliance::page;

#[test]
fn the_page_is_what_ran() {
    let rows = page::recorded().unwrap();
    assert!(!rows.is_empty(), "this test needs the others: run scripts/compliance.sh");
    let path = page::path();
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    match std::env::var("UPDATE_COMPATIBILITY").as_deref() {
        Ok("add") => {
            std::fs::write(&path, page::render(&page::merged(&committed, &rows))).unwrap();
        }
        Ok(_) => std::fs::write(&path, page::render(&rows)).unwrap(),
        Err(_) => {
            let complaints = page::complaints(&committed, &rows);
            assert!(
                complaints.is_empty(),
                "{} is not what ran:\n{}\nif that is as it should be: UPDATE_COMPATIBILITY=1 scripts/compliance.sh",
                path.display(),
                complaints.join("\n")
            );
        }
    }
}
