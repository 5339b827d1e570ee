//! The tables of docs/protocol.md: compared with the headers of both libraries, with `src/proto`, with each
//! other and with what both libraries do.

use super::page::*;
use c_tests::protocol::Example;
use c_tests::protocol::constants::{Constants, of_headers, of_source};
use c_tests::{Headers, Linkage};
use milter_mta::Offer;
use milter_mta::session::Stage;
use std::collections::BTreeSet;

fn headers() -> [Constants; 2] {
    [Headers::Reference, Headers::Ours].map(|headers| of_headers(headers).unwrap())
}

/// Two columns of a table are the constants that begin so, all of them, of both headers.
#[track_caller]
fn are_constants(head: &[&str], names: &str, values: &str, prefix: &str, others: &[&str]) {
    let table = document().table(head);
    for known in headers() {
        let wanted: BTreeSet<(&str, u64)> = known
            .iter()
            .filter(|(name, _)| name.starts_with(prefix) && !others.contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        let shown: BTreeSet<(&str, u64)> = column(table, names)
            .zip(column(table, values))
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, value)| {
                (
                    name,
                    match *value.as_bytes() {
                        [letter] if prefix != "SMFIM_" => u64::from(letter),
                        _ => number(value),
                    },
                )
            })
            .collect();
        assert_eq!(shown, wanted, "line {}", table.line);
    }
}

#[test]
fn letters_and_bits_are_those_of_both_headers() {
    are_constants(ACTIONS, "Name", "Bit", "SMFIF_", &["SMFIF_NONE", "SMFIF_MODBODY"]);
    are_constants(FLAGS, "Name", "Bit", "SMFIP_", &["SMFIP_NOHREPL", "SMFIP_TEST"]);
    are_constants(COMMANDS, "Constant", "Letter", "SMFIC_", &[]);
    are_constants(RESPONSES, "Constant", "Letter", "SMFIR_", &[]);
    are_constants(FAMILIES, "Constant", "Family", "SMFIA_", &[]);
    let aliases = ["SMFIM_FIRST", "SMFIM_LAST", "SMFIM_NOMACROS"];
    are_constants(MACROS, "Constant", "Stage", "SMFIM_", &aliases);
}

#[test]
fn bits_and_letters_are_those_of_the_library_inside() {
    let codes = of_source("codes.rs").unwrap();
    for (head, prefix, module) in [(ACTIONS, "SMFIF_", "action::"), (FLAGS, "SMFIP_", "step::")] {
        let table = document().table(head);
        for (name, bit) in column(table, "Name").zip(column(table, "Bit")) {
            let inside = name.replace(prefix, module);
            assert_eq!(codes.get(&inside), Some(&number(bit)), "{name}");
        }
    }
    let letters = of_source("response.rs").unwrap();
    let table = document().table(RESPONSES);
    for row in &table.rows {
        if row[table.column("Final")].is_empty() {
            continue;
        }
        let inside = row[1].replace("SMFIR_", "letter::").replace("SMFIC_", "letter::");
        assert_eq!(letters.get(&inside), Some(&u64::from(row[0].as_bytes()[0])), "{row:?}");
    }
}

#[test]
fn sizes_are_the_constants_of_the_code() {
    let mut known = Constants::new();
    for file in ["codes.rs", "reply.rs", "address.rs"] {
        known.extend(of_source(file).unwrap());
    }
    let [reference, ours] = headers();
    let table = document().table(SIZES);
    for (name, value) in column(table, "Constant").zip(column(table, "Value")) {
        let value = Some(&number(value));
        if name.starts_with("MILTER_") {
            assert_eq!((reference.get(name), ours.get(name)), (value, value), "{name}");
        } else {
            assert_eq!(known.get(name), value, "{name}");
        }
    }
    assert_eq!(known["DEFAULT_MAX_DATA_SIZE"], ours["MILTER_MAX_DATA_SIZE"]);
    assert_eq!(known["MDS_256K_SIZE"], ours["MILTER_MDS_256K"]);
    assert_eq!(known["MDS_1M_SIZE"], ours["MILTER_MDS_1M"]);
    assert_eq!(known["BODY_CHUNK_SIZE"], ours["MILTER_CHUNK_SIZE"]);
    assert_eq!(known["VERSION_MAX"], ours["SMFI_PROT_VERSION"]);
}

/// Bits of a table that a version has.
fn bits(head: &[&str], version: u64) -> u64 {
    let table = document().table(head);
    let rows = column(table, "Bit").zip(column(table, "Since"));
    rows.map(|(bit, since)| (number(bit), number(since)))
        // Sizes are offered beside what a version has.
        .filter(|(bit, since)| *since <= version && *bit < 0x0100_0000)
        .fold(0, |all, (bit, _)| all | bit)
}

/// Letters of a table that a version brings.
fn letters(head: &[&str], version: u64) -> BTreeSet<&'static str> {
    let table = document().table(head);
    let rows = column(table, "Letter").zip(column(table, "Since"));
    rows.filter(|(_, since)| !since.is_empty() && number(since) == version)
        .map(|(letter, _)| letter)
        .collect()
}

#[test]
fn versions_have_what_the_other_tables_say() {
    let table = document().table(VERSIONS);
    let [_, ours] = headers();
    for row in &table.rows {
        let version = number(&row[0]);
        assert_eq!(number(&row[1]), bits(FLAGS, version), "flags of {version}");
        assert_eq!(number(&row[2]), bits(ACTIONS, version), "actions of {version}");
        for (cell, head) in [(&row[3], COMMANDS), (&row[4], RESPONSES)] {
            let listed: BTreeSet<&str> = cell.split_whitespace().collect();
            assert_eq!(listed, letters(head, version), "version {version}");
        }
        if let Some(offer) = u32::try_from(version).ok().and_then(Offer::postfix) {
            assert_eq!(u64::from(offer.protocol), number(&row[1]), "{offer:?}");
        }
    }
    assert_eq!(bits(FLAGS, 2), ours["SMFI_V2_PROT"]);
    assert_eq!(bits(ACTIONS, 2), ours["SMFI_V2_ACTS"]);
    assert_eq!(bits(FLAGS, 6), ours["SMFI_CURR_PROT"]);
    assert_eq!(bits(ACTIONS, 6), ours["SMFI_CURR_ACTS"]);
}

#[test]
fn flags_belong_to_the_commands_that_the_witness_says() {
    let [_, ours] = headers();
    let flags = document().table(FLAGS);
    let meaning = |name: &str| {
        let at = column(flags, "Name").position(|known| known == name).unwrap();
        flags.rows[at][3].as_str()
    };
    let table = document().table(COMMANDS);
    for row in &table.rows {
        let Some(stage) = Stage::from_letter(row[0].as_bytes()[0]) else { continue };
        for (name, flag, says) in [
            (&row[5], stage.unwanted_flag(), format!("{} is not sent", row[0])),
            (&row[6], stage.silent_flag(), format!("no response to {}", row[0])),
        ] {
            let value = if name.is_empty() { 0 } else { ours[name.as_str()] };
            assert_eq!(value, u64::from(flag), "{row:?}");
            assert!(name.is_empty() || meaning(name) == says, "{name}: {}", meaning(name));
        }
    }
    let table = document().table(MACROS);
    for (letter, number) in column(table, "Letter").zip(column(table, "Stage")) {
        let stage = Stage::from_letter(letter.as_bytes()[0]).unwrap();
        assert_eq!(
            stage.symbol_number().map(|n| n.to_string()).as_deref(),
            Some(number),
            "{letter}"
        );
    }
}

/// Each letter's rule is about that letter, and an example shows it.
#[test]
fn rules_of_letters_match_their_packets() {
    let examples: Vec<Example> =
        document().of_kind("session").map(|block| Example::parse(block).unwrap()).collect();
    let mut problems = Vec::new();
    for (head, of_mta) in [(COMMANDS, true), (RESPONSES, false)] {
        let table = document().table(head);
        for row in table.rows.iter().filter(|row| !row[table.column("Since")].is_empty()) {
            let (letter, rule) = (row[0].as_bytes()[0], row[3].as_str());
            let packets = || {
                let all = examples.iter().flat_map(|example| example.packets(of_mta));
                all.filter(|packet| packet.get(4) == Some(&letter))
            };
            let shown = packets().any(|packet| grammar().matches(rule, &packet[4..]));
            // A filter that skips what it may not is the example of what goes wrong.
            if !shown && letter != b'U' && letter != b'd' {
                problems.push(format!("no example has {} as {rule}", row[0]));
            }
            for other in 0..=255 {
                let other_letter = [other];
                if other != letter && rule != "verdict" && grammar().matches(rule, &other_letter) {
                    problems.push(format!("{rule} is about {other_letter:?}, too"));
                }
            }
        }
    }
    report(&problems);
}

/// To each command of the examples there is one final response, behind those that are not.
#[test]
fn only_final_responses_end_what_is_answered() {
    let table = document().table(RESPONSES);
    let rows = column(table, "Letter").zip(column(table, "Final"));
    let last: BTreeSet<u8> =
        rows.filter(|(_, last)| *last == "yes").map(|(letter, _)| letter.as_bytes()[0]).collect();
    for block in document().of_kind("session") {
        let example = Example::parse(block).unwrap();
        for linkage in [Linkage::ReferenceDynamic, BOTH[1]] {
            let mut before = 0;
            for (_, responses) in example.plays(linkage) {
                let new = &responses[before..];
                before = responses.len();
                for (number, packet) in new.iter().enumerate() {
                    let is_last = number + 1 == new.len();
                    let message = format!("line {}: response {number}", block.line);
                    assert_eq!(last.contains(&packet[4]), is_last, "{message}");
                }
            }
        }
    }
}

#[test]
fn offers_are_those_of_the_witness() {
    let table = document().table(OFFERS);
    let known = [
        ("sendmail 8.14.1 and later", Some(Offer::SENDMAIL)),
        ("sendmail 8.13", Some(Offer::SENDMAIL_8_13)),
        ("sendmail 8.12", Some(Offer::SENDMAIL_8_12)),
        ("Postfix, milter_protocol = 6", Offer::postfix(6)),
        ("Postfix, milter_protocol = 4", Offer::postfix(4)),
        ("Postfix, milter_protocol = 3", Offer::postfix(3)),
        ("Postfix, milter_protocol = 2", Offer::postfix(2)),
        // The tests with the real one have it: compliance/src/played/stalwart.rs.
        ("Stalwart", Some(Offer { version: 6, actions: 0xff, protocol: 0x42 })),
    ];
    assert_eq!(table.rows.len(), known.len());
    for (row, (name, offer)) in table.rows.iter().zip(known) {
        let offer = offer.unwrap();
        let shown: Vec<u64> = row[1..].iter().map(|cell| number(cell)).collect();
        let wanted = [offer.version, offer.actions, offer.protocol].map(u64::from);
        assert_eq!((row[0].as_str(), &shown[..]), (name, &wanted[..]));
    }
}
