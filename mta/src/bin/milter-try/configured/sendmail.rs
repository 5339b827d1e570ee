//! `X` lines of a sendmail.cf.

use std::path::Path;

use milter_mta::session::{Mta, Profile};

use super::common::{Configured, time};
use crate::status::{Failure, Status};

/// The milter with this name in a sendmail.cf.
pub(crate) fn sendmail(file: &Path, name: &str) -> Result<Configured, Failure> {
    let text = std::fs::read(file).map_err(|error| {
        Failure::new(Status::NoInput, format!("cannot read {}: {error}", file.display()))
    })?;
    let text = String::from_utf8_lossy(&text);
    configured(&text, name)
        .map_err(|problem| Failure::usage(format!("{}: {problem}", file.display())))
}

fn configured(text: &str, name: &str) -> Result<Configured, String> {
    let mut names = Vec::new();
    for line in logical_lines(text) {
        let Some(line) = line.strip_prefix('X') else {
            continue;
        };
        let (this, equates) = line.split_once(',').unwrap_or((line, ""));
        if this.trim() == name {
            return milter(equates).map_err(|problem| format!("milter {name}: {problem}"));
        }
        names.push(this.trim().to_owned());
    }
    let known = if names.is_empty() {
        "there is no X line at all".to_owned()
    } else {
        format!("there are {}", names.join(", "))
    };
    Err(format!("no milter \"{name}\"; {known}"))
}

/// Lines that begin with a blank go on with the one before.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// Reads `S=inet:8891@localhost, F=T, T=C:5m;S:10s;R:10s;E:5m`.
fn milter(equates: &str) -> Result<Configured, String> {
    let mut profile = Profile::new(Mta::Sendmail);
    let mut spec = None;
    for equate in equates.split(',') {
        let Some((key, value)) = equate.split_once('=') else {
            continue;
        };
        match key.trim() {
            "S" => spec = Some(value.trim().parse().map_err(|error| format!("{error}"))?),
            "T" => timeouts(&mut profile, value)?,
            _ => {}
        }
    }
    let spec = spec.ok_or("its line has no S=, the socket")?;
    Ok(Configured { spec, profile })
}

fn timeouts(profile: &mut Profile, value: &str) -> Result<(), String> {
    for one in value.split(';').map(str::trim).filter(|one| !one.is_empty()) {
        let (key, bound) = one.split_once(':').unwrap_or((one, ""));
        let bound = time(bound.trim()).ok_or_else(|| format!("\"{one}\" in T= is no timeout"))?;
        let timeouts = &mut profile.timeouts;
        match key.trim() {
            "S" => timeouts.write = bound,
            "R" => (timeouts.command, timeouts.content) = (bound, bound),
            "E" => timeouts.end_of_message = Some(bound),
            // To connect: there is --wait.
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const CF: &str = "# X in a comment\nO InputMailFilters=opendkim,clam\n\
Xopendkim, S=inet:8891@localhost\nXclam, S=local:/run/clamav/milter.ctl, F=T,\n\tT=S:4m;R:30; E:10m\n\
Xnone, F=R\nXodd, S=tcp:1\n";

    #[test]
    fn a_milter_is_found_by_its_name() {
        let opendkim = configured(CF, "opendkim").unwrap();
        assert_eq!(opendkim.spec.to_string(), "inet:8891@localhost");
        assert_eq!(opendkim.profile, Profile::new(Mta::Sendmail));
        let clam = configured(CF, "clam").unwrap();
        assert_eq!(clam.spec.to_string(), "unix:/run/clamav/milter.ctl");
        let timeouts = clam.profile.timeouts;
        assert_eq!(timeouts.write, Duration::from_secs(240));
        assert_eq!(timeouts.command, Duration::from_secs(30));
        assert_eq!(timeouts.end_of_message, Some(Duration::from_secs(600)));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (name, problem) in [
            ("other", "there are opendkim, clam, none, odd"),
            ("none", "milter none: its line has no S="),
            ("odd", "no protocol \"tcp\""),
        ] {
            let error = configured(CF, name).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
        assert!(configured("", "x").unwrap_err().contains("no X line at all"));
    }
}
