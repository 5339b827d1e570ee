//! What C programmers call flags and results.

use super::codes::{action, status, step};
use std::fmt::Write;

/// Flags, and their names in the same order without what all begin with: one text, as a pointer to each
/// would have to be relocated whenever a program starts.
struct Names<const COUNT: usize> {
    flags: [u32; COUNT],
    prefix: &'static str,
    names: &'static str,
}

const ACTIONS: Names<9> = Names {
    flags: [
        action::ADDHDRS,
        action::CHGBODY,
        action::ADDRCPT,
        action::DELRCPT,
        action::CHGHDRS,
        action::QUARANTINE,
        action::CHGFROM,
        action::ADDRCPT_PAR,
        action::SETSYMLIST,
    ],
    prefix: "SMFIF_",
    names: "ADDHDRS CHGBODY ADDRCPT DELRCPT CHGHDRS QUARANTINE CHGFROM ADDRCPT_PAR SETSYMLIST",
};

const STEPS: Names<21> = Names {
    flags: [
        step::NOCONNECT,
        step::NOHELO,
        step::NOMAIL,
        step::NORCPT,
        step::NOBODY,
        step::NOHDRS,
        step::NOEOH,
        step::NR_HDR,
        step::NOUNKNOWN,
        step::NODATA,
        step::SKIP,
        step::RCPT_REJ,
        step::NR_CONN,
        step::NR_HELO,
        step::NR_MAIL,
        step::NR_RCPT,
        step::NR_DATA,
        step::NR_UNKN,
        step::NR_EOH,
        step::NR_BODY,
        step::HDR_LEADSPC,
    ],
    prefix: "SMFIP_",
    names: "NOCONNECT NOHELO NOMAIL NORCPT NOBODY NOHDRS NOEOH NR_HDR NOUNKNOWN NODATA SKIP \
             RCPT_REJ NR_CONN NR_HELO NR_MAIL NR_RCPT NR_DATA NR_UNKN NR_EOH NR_BODY HDR_LEADSPC",
};

impl<const COUNT: usize> Names<COUNT> {
    fn each(&self) -> impl Iterator<Item = (u32, &'static str)> {
        self.flags.into_iter().zip(self.names.split_ascii_whitespace())
    }
}

/// All actions there are.
pub const ALL_ACTIONS: u32 = 0x1ff;
/// All protocol flags that filters know.
pub const ALL_STEPS: u32 = 0x1f_ffff;

/// Writes the names of flags; a number for those that have none.
fn write<const COUNT: usize>(
    out: &mut dyn Write,
    flags: u32,
    names: &Names<COUNT>,
    separator: &str,
) -> std::fmt::Result {
    let mut rest = flags;
    let mut before = "";
    for (flag, name) in names.each().filter(|(flag, _)| flags & flag != 0) {
        rest &= !flag;
        write!(out, "{before}{}{name}", names.prefix)?;
        before = separator;
    }
    if rest == 0 { Ok(()) } else { write!(out, "{before}0x{rest:x}") }
}

fn named<const COUNT: usize>(flags: u32, names: &Names<COUNT>) -> String {
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
        assert_eq!(ACTIONS.each().map(|(flag, _)| flag).sum::<u32>(), ALL_ACTIONS);
        assert_eq!(STEPS.each().map(|(flag, _)| flag).sum::<u32>(), ALL_STEPS);
        let header = include_str!("../../include/libmilter/mfapi.h").to_owned()
            + include_str!("../../include/libmilter/mfdef.h");
        let named = |prefix: &'static str| move |(flag, name)| (flag, format!("{prefix}{name}"));
        let actions = ACTIONS.each().map(named(ACTIONS.prefix));
        for (flag, name) in actions.chain(STEPS.each().map(named(STEPS.prefix))) {
            let line = header.lines().find(|line| {
                let mut words = line.split_whitespace();
                words.next() == Some("#define") && words.next() == Some(name.as_str())
            });
            let value = line.and_then(|line| line.split_whitespace().nth(2)).unwrap();
            let digits = value.trim_start_matches("0x").trim_end_matches(['L', 'U']);
            assert_eq!(u32::from_str_radix(digits, 16).unwrap(), flag, "{name}");
        }
    }

    #[test]
    fn results_have_names_or_numbers() {
        assert_eq!(result(status::TEMPFAIL), "SMFIS_TEMPFAIL");
        assert_eq!(result(-1), "-1");
    }
}
