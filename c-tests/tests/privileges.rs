//! The environment of a program with more rights than its user: `LIBMILTER_*` are not honoured.

use c_tests::output::output_within;
use c_tests::{Compile, syslog};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// Who runs the program, if the tests run as root; whose rights it has, 65533, is nobody either.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a shell command as root.
fn as_root(script: &str, file: &Path) {
    let mut command = match is_root() {
        true => Command::new("sh"),
        false => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "sh"]);
            sudo
        }
    };
    command.args(["-e", "-c", script, "sh"]).arg(file);
    let done = output_within(&mut command, PATIENCE).unwrap();
    assert!(
        done.status.success(),
        "as root, {script}: {}{}; needs root or sudo, and apt-get install libcap2-bin",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

/// What a filter logs, run by somebody without rights, after root has done `script` to its file.
///
/// The library and the shim are linked in: of such a program, the loader ignores the environment too.
fn logged(script: &str) -> Vec<String> {
    let shim = syslog::FILE_VARIABLE;
    let source = c_tests::paths::in_package("milters/syslog_shim.c");
    let program = Compile::c("programs/calls.c").flag("-D_GNU_SOURCE");
    let program = program.lib(source.display().to_string()).build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let copy = dir.path().join("filter");
    std::fs::copy(program.static_ours().unwrap(), &copy).unwrap();
    as_root(script, &copy);
    let mut command = Command::new(&copy);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.args(["register=0x01000001", "setconn=inet:0@127.0.0.1", "stop", "main"]);
    command.env("LIBMILTER_MAX_THREADS", "none").env("LIBMILTER_THREADS", "many");
    command.env("LIBMILTER_STOP_SECONDS", "soon").env("LIBMILTER_LOG", "nowhere");
    command.env("LIBMILTER_MAX_SESSIONS", "few").env("LIBMILTER_SURPLUS", "none");
    command.env("LIBMILTER_TRACE", "nowhere");
    command.env(shim, dir.path().join("log"));
    let done = output_within(&mut command, PATIENCE).unwrap();
    assert!(done.status.success(), "{script}: {}", done.status);
    // Made by the other user, for that one alone.
    as_root("chmod 644 \"${1%/*}/log\"", &copy);
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    as_root("rm -f \"$1\" \"${1%/*}/log\"", &copy);
    log.lines().map(str::to_owned).collect()
}

fn ignored() -> [String; 7] {
    const NAMES: [&str; 7] =
        ["LOG", "MAX_THREADS", "THREADS", "STOP_SECONDS", "MAX_SESSIONS", "SURPLUS", "TRACE"];
    NAMES.map(|name| {
        format!(
            "warning calls: LIBMILTER_{name} is ignored, since the program has rights that whoever started it \
             has not"
        )
    })
}

#[test]
fn set_uid_programs_ignore_it() {
    assert_eq!(logged("chown 65533:65533 \"$1\"; chmod 4755 \"$1\""), ignored());
}

#[test]
fn set_gid_programs_ignore_it() {
    assert_eq!(logged("chown 65533:65533 \"$1\"; chmod 2755 \"$1\""), ignored());
}

#[test]
fn programs_with_capabilities_ignore_it() {
    let script =
        "chmod 755 \"$1\"; PATH=$PATH:/usr/sbin:/sbin setcap cap_net_bind_service+ep \"$1\"";
    assert_eq!(logged(script), ignored());
}

/// The same program without rights of its own shows that the others could have.
#[test]
fn other_programs_honour_it() {
    let honoured = [
        "warning calls: LIBMILTER_LOG=nowhere is none of syslog, stderr, auto, fd: and the number of an \
         open descriptor, an absolute path; the system log is used",
        "warning calls: LIBMILTER_MAX_THREADS=none is not a positive number; no limit is set",
        "warning calls: LIBMILTER_THREADS=many is neither pool nor session; pool is used",
        "warning calls: LIBMILTER_STOP_SECONDS=soon is not a positive number; 8 is used",
        "warning calls: LIBMILTER_MAX_SESSIONS=few is not a positive number; no limit is set",
        "warning calls: LIBMILTER_SURPLUS=none is neither wait nor tempfail; wait is used",
        "warning calls: LIBMILTER_TRACE=nowhere is none of stderr, fd: and the number of an open descriptor, an \
         absolute path; there is no trace",
    ];
    assert_eq!(logged("chmod 755 \"$1\""), honoured);
}
