//! `docs/compatibility.md` says what the other test program has just shown on this release of the
//! distribution, no more and no less.
//!
//! Cargo runs the test programs in the order of their names; this one has to be the last.
//!
//! `UPDATE_COMPATIBILITY=1` writes anew what the page says of this release, and leaves others alone;
//! `UPDATE_COMPATIBILITY=add` with some of the other tests, as in `-- played:: the_page_is`, puts what
//! they have shown into it.

use c_tests::{notes, packages, paths, reference};
use compliance::page::{self, Page};
use compliance::row;

#[test]
fn the_page_is_what_ran() {
    let rows = row::recorded().unwrap();
    assert!(!rows.is_empty(), "this test needs the others: run scripts/compliance.sh");
    let path = page::path();
    let release = packages::release().unwrap();
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let mut page = Page::parse(&committed);
    if let Ok(wish) = std::env::var("UPDATE_COMPATIBILITY") {
        if wish != "add" {
            page.forget(&release);
        }
        page.put(&release, &reference::version().unwrap(), &rows);
        return std::fs::write(&path, page.render()).unwrap();
    }
    if !page.covers(&release) {
        let why = format!("docs/compatibility.md says nothing of {release}");
        return notes::note(notes::LEFT_OUT, "the_page_is_what_ran", &why).unwrap();
    }
    // 8.17.1 of 8.17.1.9, which is what Debian calls its packaging of it.
    let version = reference::version().unwrap();
    let version = version.split('.').take(3).collect::<Vec<_>>().join(".");
    let differences =
        std::fs::read_to_string(paths::workspace().join("docs/differences.md")).unwrap();
    let begin = differences.split("\n## ").next().unwrap();
    assert!(
        begin.contains(&version),
        "docs/differences.md does not say that it is about {version}"
    );
    let complaints = page::complaints(&committed, &release, &rows);
    assert!(
        complaints.is_empty(),
        "{} is not what ran on {release}:\n{}\nif that is as it should be: UPDATE_COMPATIBILITY=1 scripts/compliance.sh",
        path.display(),
        complaints.join("\n")
    );
}
