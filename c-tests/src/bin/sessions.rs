//! Prints what scripted sessions look like with one library.
//!
//! `cargo run -p c-tests --bin sessions -- FILE [part of a name] [reference|static|ours|ours-static|preload]`

use c_tests::trace::play::Played;
use c_tests::trace::{TraceMilter, play, process, session};
use c_tests::{Linkage, Result};
use std::path::Path;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let file = args.first().map_or("", String::as_str);
    let part = args.get(1).map_or("", String::as_str);
    let linkage = match args.get(2).map_or("reference", String::as_str) {
        "ours" => Linkage::OursDynamic,
        "ours-static" => Linkage::OursStatic,
        "preload" => Linkage::OursPreload,
        "static" => Linkage::ReferenceStatic,
        _ => Linkage::ReferenceDynamic,
    };
    let program = process::program()?;
    for session in session::read(Path::new(file))?.iter().filter(|s| s.name.contains(part)) {
        let milter = TraceMilter::start(&program, linkage, &session.registration)?;
        println!("== {}", session.name);
        match play::play(&milter, session) {
            Ok(Played { transcript, log, .. }) => {
                print!("{transcript}");
                log.iter().for_each(|line| println!("# {line}"));
                println!();
            }
            Err(error) => println!("! {error}"),
        }
    }
    Ok(())
}
