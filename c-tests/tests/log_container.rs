//! `LIBMILTER_LOG=auto` where there is no system log, as in containers, and where there is one: in a mount
//! namespace whose `/dev` has nothing, or a socket of the test's in the place of the log daemon's.

use c_tests::output::output_within;
use c_tests::{Compile, launch, ours};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

const LINE: &str = "f: expected positive integer as fd, got x";

/// Runs the program `"$3"` with its arguments as in a container: `/dev` has `null` alone, and if there is
/// a socket `"$1"/log`, that one as `log`.
const CONTAINER: &str = r#"
mkdir "$1/dev"
mount --rbind /dev "$1/dev"
mount -t tmpfs none /dev
touch /dev/null
mount --bind "$1/dev/null" /dev/null
if [ -S "$1/log" ]; then
    touch /dev/log
    mount --bind "$1/log" /dev/log
fi
export LD_LIBRARY_PATH="$2"
shift 2
exec "$@"
"#;

fn run(dir: &Path, setting: Option<&str>) -> Output {
    let program = Compile::c("programs/calls.c").flag("-D_GNU_SOURCE").build().unwrap();
    let program = program.dynamic().unwrap().to_path_buf();
    let mut command = launch::launched("unshare").unwrap();
    let mut words = ["--mount", "--propagation", "private"].map(str::to_owned).to_vec();
    words.extend(["sh", "-e", "-c", CONTAINER, "sh"].map(str::to_owned));
    words.extend([dir, &ours::ours().unwrap().lib].map(|path| path.display().to_string()));
    words.push("env".to_owned());
    words.extend(setting.map(|setting| format!("LIBMILTER_LOG={setting}")));
    words.push(program.display().to_string());
    words.extend(["register=0x01000001,f", "setconn=fd:x", "opensocket=0"].map(str::to_owned));
    if !rustix::process::geteuid().is_root() {
        command = Command::new("sudo");
        words.splice(0..0, ["-n", "unshare"].map(str::to_owned));
    }
    let done = output_within(command.args(words), PATIENCE).unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {stderr}; it needs root or sudo", done.status);
    done
}

/// Lines on standard error that are the library's.
fn on_stderr(done: &Output) -> bool {
    String::from_utf8_lossy(&done.stderr).contains(LINE)
}

/// What a log daemon has received.
fn received(log: &UnixDatagram) -> Vec<String> {
    log.set_nonblocking(true).unwrap();
    let mut lines = Vec::new();
    let mut buffer = [0; 2048];
    while let Ok(n) = log.recv(&mut buffer) {
        lines.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
    }
    lines
}

#[test]
fn without_a_system_log_lines_go_to_standard_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(on_stderr(&run(dir.path(), Some("auto"))));
    let dir = tempfile::tempdir().unwrap();
    assert!(!on_stderr(&run(dir.path(), None)), "nothing was asked for");
}

#[test]
fn a_system_log_gets_them_by_itself() {
    for setting in [Some("auto"), None] {
        let dir = tempfile::tempdir().unwrap();
        let log = UnixDatagram::bind(dir.path().join("log")).unwrap();
        assert!(!on_stderr(&run(dir.path(), setting)));
        let lines = received(&log);
        assert!(lines.iter().any(|line| line.ends_with(LINE)), "{setting:?}: {lines:?}");
    }
}

#[test]
fn the_socket_of_a_log_daemon_that_is_gone_is_no_log() {
    let dir = tempfile::tempdir().unwrap();
    drop(UnixDatagram::bind(dir.path().join("log")).unwrap());
    assert!(on_stderr(&run(dir.path(), Some("auto"))));
}
