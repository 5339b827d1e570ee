//! What C programmers call flags and results.

use super::codes::{action, status, step};
use std::fmt::Write;

const ACTIONS: [(u32, &str); 9] = [
    (action::ADDHDRS, "SMFIF_ADDHDRS"),
    (action::CHGBODY, "SMFIF_CHGBODY"),
    (action::ADDRCPT, "SMFIF_ADDRCPT"),
    (action::DELRCPT, "SMFIF_DELRCPT"),
    (action::CHGHDRS, "SMFIF_CHGHDRS"),
    (action::QUARANTINE, "SMFIF_QUARANTINE"),
    (action::CHGFROM, "SMFIF_CHGFROM"),
    (action::ADDRCPT_PAR, "SMFIF_ADDRCPT_PAR"),
    (action::SETSYMLIST, "SMFIF_SETSYMLIST"),
];

const STEPS: [(u32, &str); 21] = [
    (step::NOCONNECT, "SMFIP_NOCONNECT"),
    (step::NOHELO, "SMFIP_NOHELO"),
    (step::NOMAIL, "SMFIP_NOMAIL"),
    (step::NORCPT, "SMFIP_NORCPT"),
    (step::NOBODY, "SMFIP_NOBODY"),
    (step::NOHDRS, "SMFIP_NOHDRS"),
    (step::NOEOH, "SMFIP_NOEOH"),
    (step::NR_HDR, "SMFIP_NR_HDR"),
    (step::NOUNKNOWN, "SMFIP_NOUNKNOWN"),
    (step::NODATA, "SMFIP_NODATA"),
    (step::SKIP, "SMFIP_SKIP"),
    (step::RCPT_REJ, "SMFIP_RCPT_REJ"),
    (step::NR_CONN, "SMFIP_NR_CONN"),
    (step::NR_HELO, "SMFIP_NR_HELO"),
    (step::NR_MAIL, "SMFIP_NR_MAIL"),
    (step::NR_RCPT, "SMFIP_NR_RCPT"),
    (step::NR_DATA, "SMFIP_NR_DATA"),
    (step::NR_UNKN, "SMFIP_NR_UNKN"),
    (step::NR_EOH, "SMFIP_NR_EOH"),
    (step::NR_BODY, "SMFIP_NR_BODY"),
    (step::HDR_LEADSPC, "SMFIP_HDR_LEADSPC"),
];

/// All actions there are.
pub const ALL_ACTIONS: u32 = 0x1ff;
/// All protocol flags that filters know.
pub const ALL_STEPS: u32 = 0x1f_ffff;

/// Writes the names of flags; a number for those that have none.
fn write(
    out: &mut dyn Write,
    flags: u32,
    names: &[(u32, &str)],
    separator: &str,
) -> std::fmt::Result {
    let mut rest = flags;
    let mut before = "";
    for (flag, name) in names.iter().filter(|(flag, _)| flags & flag != 0) {
        rest &= !flag;
        write!(out, "{before}{name}")?;
        before = separator;
    }
    if rest == 0 { Ok(()) } else { write!(out, "{before}0x{rest:x}") }
}

fn named(flags: u32, names: &[(u32, &str)]) -> String {
    let mut out = String::new();
    let _written = write(&mut out, flags, names, ", ");
    out
}

/// The names of actions.
#[must_use]
pub fn actions(flags: u32) -> String {
    named(flags, &ACTIONS)
}

/// The names of protocol flags.
#[must_use]
pub fn steps(flags: u32) -> String {
    named(flags, &STEPS)
}

/// Writes the names of actions as C has them; 0 if there are none.
///
/// # Errors
/// Those of `out`.
pub fn write_actions(out: &mut dyn Write, flags: u32) -> std::fmt::Result {
    if flags == 0 { out.write_str("0") } else { write(out, flags, &ACTIONS, "|") }
}

/// Writes the names of protocol flags as C has them; 0 if there are none.
///
/// # Errors
/// Those of `out`.
pub fn write_steps(out: &mut dyn Write, flags: u32) -> std::fmt::Result {
    if flags == 0 { out.write_str("0") } else { write(out, flags, &STEPS, "|") }
}

/// The name of a callback's result; its number if there is none.
#[must_use]
pub fn result(result: i32) -> String {
    result_name(result).map_or_else(|| result.to_string(), str::to_owned)
}

/// The name of a callback's result.
#[must_use]
pub fn result_name(result: i32) -> Option<&'static str> {
    Some(match result {
        status::CONTINUE => "SMFIS_CONTINUE",
        status::REJECT => "SMFIS_REJECT",
        status::DISCARD => "SMFIS_DISCARD",
        status::ACCEPT => "SMFIS_ACCEPT",
        status::TEMPFAIL => "SMFIS_TEMPFAIL",
        status::NOREPLY => "SMFIS_NOREPLY",
        status::SKIP => "SMFIS_SKIP",
        status::ALL_OPTS => "SMFIS_ALL_OPTS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "minutes for a look at text")]
    fn flags_have_the_names_of_the_header() {
        assert_eq!(actions(0x21), "SMFIF_ADDHDRS, SMFIF_QUARANTINE");
        assert_eq!(actions(0x300), "SMFIF_SETSYMLIST, 0x200");
        assert_eq!(actions(0x8000_0000), "0x80000000");
        assert_eq!(steps(0x10_0080), "SMFIP_NR_HDR, SMFIP_HDR_LEADSPC");
        assert_eq!(steps(0), "");
        for (all, names) in [(ALL_ACTIONS, &ACTIONS[..]), (ALL_STEPS, &STEPS[..])] {
            assert_eq!(names.iter().map(|(flag, _)| flag).sum::<u32>(), all);
        }
        let header = include_str!("../../include/libmilter/mfapi.h").to_owned()
            + include_str!("../../include/libmilter/mfdef.h");
        for (flag, name) in ACTIONS.iter().chain(&STEPS) {
            let line = header.lines().find(|line| {
                let mut words = line.split_whitespace();
                words.next() == Some("#define") && words.next() == Some(name)
            });
            let value = line.and_then(|line| line.split_whitespace().nth(2)).unwrap();
            let digits = value.trim_start_matches("0x").trim_end_matches(['L', 'U']);
            assert_eq!(u32::from_str_radix(digits, 16).unwrap(), *flag, "{name}");
        }
    }

    #[test]
    fn results_have_names_or_numbers() {
        assert_eq!(result(status::TEMPFAIL), "SMFIS_TEMPFAIL");
        assert_eq!(result(-1), "-1");
    }
}
