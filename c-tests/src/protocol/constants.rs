//! Names and values: macros of the headers, of both libraries, and constants of `src/proto`.

use crate::compile::Headers;
use crate::error::{Error, Result, run};
use crate::paths;
use std::collections::BTreeMap;
use std::process::Command;

/// Values by name.
pub type Constants = BTreeMap<String, u64>;

/// The macros that `libmilter/mfapi.h` defines, those with numbers or letters.
pub fn of_headers(headers: Headers) -> Result<Constants> {
    let mut gcc = Command::new("gcc");
    gcc.args(["-D_FFR_MDS_NEGOTIATE", "-dM", "-E", "-include", "libmilter/mfapi.h"]);
    gcc.args(["-x", "c", "/dev/null", "-I"]).arg(headers.include()?);
    let output = run(&mut gcc, "apt-get install gcc libc6-dev")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let defines: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split_once(' '))
        .filter(|(name, _)| ["SMFI", "MILTER_", "MI_"].iter().any(|p| name.starts_with(p)))
        .collect();
    let mut out = Constants::new();
    for (name, body) in &defines {
        // Names of other macros, once: `MILTER_LEN_BYTES * 3`, `SMFIP_NR_HDR`.
        let mut body = (*body).to_owned();
        for (other, value) in &defines {
            if body.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == *other) {
                body = body.replace(other, value);
            }
        }
        if let Some(value) = value(&body) {
            out.insert((*name).to_owned(), value);
        }
    }
    Ok(out)
}

/// The constants of a file of `src/proto`, such as `codes.rs`; those of modules as `step::SKIP`.
pub fn of_source(file: &str) -> Result<Constants> {
    let path = paths::workspace().join("src/proto").join(file);
    let text = std::fs::read_to_string(&path).map_err(|e| Error::new(path.display(), e))?;
    let mut out = Constants::new();
    let mut module = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(" {")) {
            module = format!("{name}::");
        } else if line == "}" {
            module.clear();
        }
        let constant = line.trim().strip_prefix("pub const ").and_then(|rest| {
            let (name, rest) = rest.split_once(": ")?;
            Some((name, value(rest.split_once(" = ")?.1.trim_end_matches(';'))?))
        });
        if let Some((name, value)) = constant {
            out.insert(format!("{module}{name}"), value);
        }
    }
    Ok(out)
}

/// A number, a character in quotes, a product or a difference.
fn value(text: &str) -> Option<u64> {
    let text = text.trim().trim_start_matches('(').trim_end_matches(')').trim();
    let letter = text.trim_start_matches('b').strip_prefix('\'');
    if let Some(letter) = letter.and_then(|rest| rest.strip_suffix('\'')) {
        return letter.bytes().next().map(u64::from);
    }
    if let Some((one, two)) = text.split_once('-') {
        return value(one)?.checked_sub(value(two)?);
    }
    if let Some((one, two)) = text.split_once('*') {
        return Some(value(one)? * value(two)?);
    }
    let digits = text.trim_end_matches(['L', 'U']).replace('_', "");
    match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_sources_are_read() {
        for headers in [Headers::Reference, Headers::Ours] {
            let found = of_headers(headers).unwrap();
            assert_eq!(found["SMFIC_CONNECT"], u64::from(b'C'));
            assert_eq!(found["SMFIP_NR_HDR"], 0x80);
            assert_eq!(found["MILTER_OPTLEN"], 12);
        }
        let found = of_source("codes.rs").unwrap();
        assert_eq!((found["step::SKIP"], found["VERSION_MAX"]), (0x400, 6));
        assert_eq!(of_source("response.rs").unwrap()["letter::SKIP"], u64::from(b's'));
    }
}
