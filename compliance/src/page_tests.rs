use super::*;

const OLD: &str = "Debian 12";
const NEW: &str = "Debian 13";

fn row(exercised: &str, version: &str) -> Row {
    row_with("Postfix", "3.7", exercised, version)
}

fn row_with(mta: &str, mta_version: &str, exercised: &str, version: &str) -> Row {
    Row(["m", version, mta, mta_version, exercised, "same"].map(str::to_owned).to_vec())
}

fn page(rows: &[Row]) -> Page {
    let mut page = Page::default();
    page.put(OLD, "8.17", rows);
    page
}

#[test]
fn what_differs_in_the_mta_only_is_one_line() {
    let own =
        Row(["own", "-", "sendmail", "8.12 played", "two", "same"].map(str::to_owned).to_vec());
    let page = page(&[row("one", "1"), row_with("sendmail", "8", "one", "1"), own]);
    let text = page.render();
    let (packaged, own) = text.split_once("## Filters in C").unwrap();
    assert!(packaged.contains("| m | Postfix; sendmail | one | same |\n"), "{text}");
    assert!(packaged.contains("| Program | Debian 12 |\n"), "{text}");
    assert!(packaged.contains("| sendmail | 8 |\n"), "{text}");
    assert!(own.contains("| own | sendmail 8.12 played | two | same |\n"), "{text}");
    assert_eq!(Page::parse(&text), page);
}

#[test]
fn a_page_holds_what_ran_and_nothing_else() {
    let rows = [row("one", "1"), row("two", "1")];
    let text = page(&rows).render();
    assert_eq!(complaints(&text, OLD, &rows), Vec::<String>::new());
    // A security update.
    assert_eq!(complaints(&text, OLD, &[row("one", "2"), row("two", "1")]), Vec::<String>::new());
    assert_eq!(
        complaints(&text, OLD, &rows[1..]),
        ["claimed, but did not run or failed: m | Postfix | one | same"]
    );
    assert_eq!(
        complaints(&page(&rows[..1]).render(), OLD, &rows),
        ["ran, but is not on the page: m | Postfix | two | same"]
    );
    assert_eq!(complaints(&text[1..], OLD, &rows).len(), 1);
    assert_eq!(complaints(&format!("{text}\n"), OLD, &rows).len(), 1);
    let played = [row_with("Postfix", "3.7 played", "one", "1"), row("two", "1")];
    assert_eq!(complaints(&text, OLD, &played).len(), 2);
}

#[test]
fn a_run_changes_what_is_said_of_its_own_release() {
    let mut page = page(&[row("one", "1"), row("two", "1")]);
    let old = page.clone();
    assert!(page.covers(OLD) && !page.covers(NEW));
    page.put(NEW, "8.18", &[row("one", "2"), row("three", "2")]);
    let text = page.render();
    assert!(text.contains("| libmilter1.0.1 | 8.17 | 8.18 |\n| m | 1 | 2 |\n"), "{text}");
    assert!(text.contains("| m | Postfix | one | same |\n"), "{text}");
    assert!(text.contains("| m | Postfix | two | same; only Debian 12 |\n"), "{text}");
    assert!(text.contains("| m | Postfix | three | same; only Debian 13 |\n"), "{text}");
    assert_eq!(Page::parse(&text), page);
    assert_eq!(complaints(&text, OLD, &[row("one", "1"), row("two", "1")]), Vec::<String>::new());
    assert_eq!(complaints(&text, NEW, &[row("one", "1"), row("two", "1")]).len(), 2);
    // Another result in the place of the one before.
    let mut other = row("one", "2");
    other.0[5] = "same; but D1".to_owned();
    page.put(NEW, "8.18", &[other]);
    let text = page.render();
    assert!(text.contains("| one | same; only Debian 12 |\n"), "{text}");
    assert!(text.contains("| one | same; but D1; only Debian 13 |\n"), "{text}");
    assert_eq!(Page::parse(&text), page);
    page.forget(NEW);
    assert_eq!(page, old);
    // A program that one release does not have.
    let rare = Row(["rare", "7", "Postfix", "3.7", "one", "same"].map(str::to_owned).to_vec());
    page.put(NEW, "8.18", &[rare]);
    assert!(page.render().contains("| rare | not in it | 7 |\n"), "{}", page.render());
}
