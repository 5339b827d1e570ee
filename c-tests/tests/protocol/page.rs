//! The page and what its tests have in common.

use c_tests::Linkage;
use c_tests::protocol::{Document, Example, Grammar, Table};
use std::sync::OnceLock;

/// Both libraries.
pub(crate) const BOTH: [Linkage; 2] = [Linkage::ReferenceDynamic, Linkage::OursDynamic];

/// The page.
pub(crate) fn document() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| Document::read("protocol.md").unwrap())
}

/// Its grammar.
pub(crate) fn grammar() -> &'static Grammar {
    static GRAMMAR: OnceLock<Grammar> = OnceLock::new();
    GRAMMAR.get_or_init(|| document().grammar().unwrap())
}

/// Its example sessions.
pub(crate) fn examples() -> Vec<Example> {
    document().of_kind("session").map(|block| Example::parse(block).unwrap()).collect()
}

/// Fails with all problems at once.
#[track_caller]
pub(crate) fn report(problems: &[String]) {
    let shown: Vec<&String> = problems.iter().take(20).collect();
    assert!(problems.is_empty(), "{} problems: {shown:#?}", problems.len());
}

/// Whether a packet, without its length, follows the grammar of what is sent.
pub(crate) fn is_well_formed(rule: &str, packet: &[u8]) -> bool {
    grammar().matches(rule, packet)
}

/// The words of the tables' heads.
pub(crate) const ACTIONS: &[&str] = &["Bit", "Name", "Since", "The filter may"];
pub(crate) const FLAGS: &[&str] = &["Bit", "Name", "Since", "In force it means"];
pub(crate) const COMMANDS: &[&str] =
    &["Letter", "Constant", "Since", "Rule", "Response", "Not sent with", "No response with"];
pub(crate) const FAMILIES: &[&str] = &["Family", "Constant", "Client"];
pub(crate) const RESPONSES: &[&str] =
    &["Letter", "Constant", "Since", "Rule", "May answer", "Final"];
pub(crate) const SIZES: &[&str] = &["Limit", "Value", "Constant"];
pub(crate) const VERSIONS: &[&str] = &["Version", "Flags", "Actions", "Commands", "Responses"];
pub(crate) const NEGOTIATIONS: &[&str] = &["Offer", "Filter", "xxfi_negotiate", "Answer"];
pub(crate) const MACROS: &[&str] = &["Letter", "Stage", "Constant", "Emptied by"];
pub(crate) const RESULTS: &[&str] = &["Result", "Response", "Where"];
pub(crate) const ORDER: &[&str] =
    &["After", "C", "H", "M", "R", "T", "L", "N", "B", "E", "U", "A", "K", "Q"];
pub(crate) const OFFERS: &[&str] = &["MTA", "Version", "Actions", "Flags"];

/// The heads of all tables that tests read.
pub(crate) const HEADS: [&[&str]; 12] = [
    ACTIONS,
    FLAGS,
    COMMANDS,
    FAMILIES,
    RESPONSES,
    SIZES,
    VERSIONS,
    NEGOTIATIONS,
    MACROS,
    RESULTS,
    ORDER,
    OFFERS,
];

/// A column's cells.
pub(crate) fn column<'a>(table: &'a Table, name: &str) -> impl Iterator<Item = &'a str> {
    let at = table.column(name);
    table.rows.iter().map(move |row| row[at].as_str())
}

pub(crate) fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
        None => text.parse().unwrap_or_else(|_| panic!("no number: {text:?}")),
    }
}
