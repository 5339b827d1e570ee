//! Debian's opendkim: its keys, its settings, and what of its signatures is different each time.

use super::Daemon;
use crate::filter::{Filter, Socket, packaged};
use crate::observation::Observation;
use c_tests::error::run;
use c_tests::{Error, Linkage, Packages, Result, public};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// `miltertest` comes with it, in a package of its own.
pub const PACKAGES: &[&str] = &["opendkim", "miltertest"];

/// Key pairs of the domain `a.example`, and where opendkim finds the public ones in place of DNS.
#[derive(Debug)]
pub struct Keys(TempDir);

impl Keys {
    /// One pair for each selector.
    pub fn new(selectors: &[&str]) -> Result<Self> {
        let dir = public::tempdir()?;
        let mut public = String::new();
        for selector in selectors {
            let private = dir.path().join(selector);
            let advice = "this test makes its keys with openssl: apt-get install openssl";
            let mut generate = Command::new("openssl");
            generate.args(["genrsa", "-out"]).arg(&private).arg("2048");
            run(&mut generate, advice)?;
            let mut export = Command::new("openssl");
            export.args(["rsa", "-pubout", "-in"]).arg(&private);
            let pem = run(&mut export, advice)?.stdout;
            let pem = String::from_utf8_lossy(&pem).into_owned();
            let key: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            public += &format!("{selector}._domainkey.a.example v=DKIM1; k=rsa; p={key}\n");
            // A daemon that has given up root reads it again after SIGUSR1.
            readable(&private)?;
        }
        let file = dir.path().join("public");
        fs::write(&file, public).map_err(|e| Error::new(file.display(), e))?;
        readable(&file)?;
        Ok(Self(dir))
    }

    /// Settings for signing with the key of this selector.
    pub fn signing(&self, selector: &str) -> String {
        let key = self.0.path().join(selector);
        format!(
            "Syslog yes\nLogWhy yes\nMode s\nDomain a.example\nSelector {selector}\n\
             KeyFile {}\nRequireSafeKeys no\n",
            key.display()
        )
    }

    /// Settings for verifying; by default mail from this machine is not.
    pub fn verifying(&self) -> String {
        let public = self.0.path().join("public");
        format!(
            "Syslog yes\nLogWhy yes\nMode v\nTestPublicKeys {}\n\
             InternalHosts 192.0.2.1\nAlwaysAddARHeader yes\n",
            public.display()
        )
    }
}

fn readable(path: &Path) -> Result<()> {
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(path, open).map_err(|e| Error::new(path.display(), e))
}

/// Starts it in the foreground.
pub fn start(linkage: Linkage, socket: Socket, settings: &str) -> Result<Filter> {
    start_with(linkage, socket, settings, &[])
}

/// The same with variables in its environment.
pub fn start_with(
    linkage: Linkage,
    socket: Socket,
    settings: &str,
    variables: &[(&str, &Path)],
) -> Result<Filter> {
    let packages = Packages::unpack(PACKAGES)?;
    let mut command = packaged(linkage, &packages, "usr/sbin/opendkim")?;
    command.envs(variables.iter().copied());
    Filter::start(linkage, command, socket, |command, dir, spec| {
        let file = dir.join("opendkim.conf");
        let _ = fs::write(&file, format!("{settings}Socket {spec}\nUMask 000\n"));
        command.arg("-f").arg("-x").arg(file);
    })
}

/// Starts it as a daemon that changes to the user nobody.
pub fn daemon(linkage: Linkage, settings: &str) -> Result<Daemon> {
    let packages = Packages::unpack(PACKAGES)?;
    let command = packaged(linkage, &packages, "usr/sbin/opendkim")?;
    Daemon::start(linkage, &command, Socket::Unix, |command, dir, spec, pid_file| {
        let file = dir.join("opendkim.conf");
        let pid_file = pid_file.display();
        let own = format!(
            "Socket {spec}\nPidFile {pid_file}\nUserID nobody:nogroup\nBackground yes\nUMask 000\n"
        );
        let _ = fs::write(&file, format!("{settings}{own}"));
        let _ = readable(&file);
        command.arg("-x").arg(file);
    })
}

/// Hides of signatures what the time and the queue id make different.
pub fn hide_volatile(seen: &mut Observation) {
    seen.mask(r"\bt=\d+;", "t=TIME;");
    // As sendmail logs them, with line ends and tabs in letters.
    seen.mask(r"\\tt=\d+;", "\\tt=TIME;");
    seen.mask(r"\\tb=([A-Za-z0-9+/=]|\\n\\t )+", "\\tb=SIGNATURE");
    seen.mask(r"\bb=[A-Za-z0-9+/=\s]{100,}(==)?\n", "b=SIGNATURE\n");
    seen.mask(r"header\.b=[A-Za-z0-9+/]{8}", "header.b=SIGNATURE");
}
