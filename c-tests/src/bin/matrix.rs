//! Prints a table of `sessions/matrix` with its cells as the libraries fill them now.
//!
//! `cargo run -p c-tests --bin matrix -- FILE`; the entries named after a cell of ours are kept.

use c_tests::trace::matrix::{COMMANDS, parse};
use c_tests::trace::{TraceMilter, play, process};
use c_tests::{Error, Linkage, Result};
use std::collections::BTreeMap;

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let text = std::fs::read_to_string(&path).map_err(|e| Error::new(&path, e))?;
    let mut cells = BTreeMap::new();
    let mut filter = "";
    let mut asked = String::new();
    // Ask for every cell of every state, whether the file has it or not.
    for line in text.lines() {
        if line.starts_with("filter ") || line.starts_with("state ") {
            asked.push_str(&format!("{line}\n"));
        }
        if let Some(rest) = line.strip_prefix("state ") {
            let state = rest.split(' ').next().unwrap_or_default();
            for (letter, _) in COMMANDS {
                asked.push_str(&format!("{state} {letter} : ?\n"));
            }
        }
    }
    let known: BTreeMap<String, Vec<String>> = parse(&text)?
        .into_iter()
        .map(|cell| (cell.name, cell.ours.map(|(_, ids)| ids).unwrap_or_default()))
        .collect();
    let program = process::program()?;
    for cell in parse(&asked)? {
        let seen = |linkage| -> Result<String> {
            let milter = TraceMilter::start(&program, linkage, &cell.session.registration)?;
            Ok(cell.seen(&play::play(&milter, &cell.session)?.transcript))
        };
        let reference = seen(Linkage::ReferenceDynamic)?;
        let ours = seen(Linkage::OursDynamic)?;
        let ids = known.get(&cell.name).map(|ids| ids.join(" ")).unwrap_or_default();
        let column = if ours == reference { String::new() } else { format!(" : {ours} {ids}") };
        cells.insert(cell.name, format!(" : {reference}{}", column.trim_end()));
    }
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("filter ") {
            filter = rest;
        }
        if !line.contains(" : ") {
            println!("{line}");
        }
        if let Some(state) = line.strip_prefix("state ").and_then(|rest| rest.split(' ').next()) {
            for (letter, _) in COMMANDS {
                let name = format!("{filter}: {state} {letter}");
                println!("{state} {letter}{}", cells.get(&name).map_or("", String::as_str));
            }
        }
    }
    Ok(())
}
