//! `LIBMILTER_LOG=auto` where there is no system log, as in containers, and where there is one: below a root
//! directory whose `/dev` has nothing, or a socket of the test's in the place of the log daemon's.

use c_tests::output::output_within;
use c_tests::{Compile, launch, ours};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

const LINE: &str = "f: expected positive integer as fd, got x";

/// A root directory with the program and its libraries at their places, and an empty `/dev`.
struct Container {
    root: tempfile::TempDir,
    program: PathBuf,
}

impl Container {
    fn new() -> Container {
        let program = Compile::c("programs/calls.c").flag("-D_GNU_SOURCE").build().unwrap();
        let program = program.dynamic().unwrap().to_path_buf();
        let mut ldd = c_tests::start::command("ldd");
        ldd.env("LD_LIBRARY_PATH", &ours::ours().unwrap().lib).arg(&program);
        let listed = output_within(&mut ldd, PATIENCE).unwrap();
        assert!(listed.status.success(), "{listed:?}");
        let listed = String::from_utf8(listed.stdout).unwrap();
        let files = listed.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new);
        let root = tempfile::tempdir().unwrap();
        let inside = |file: &Path| root.path().join(file.strip_prefix("/").unwrap());
        for file in files.chain([program.as_path()]) {
            std::fs::create_dir_all(inside(file).parent().unwrap()).unwrap();
            std::fs::copy(file, inside(file)).unwrap();
        }
        std::fs::create_dir(inside(Path::new("/dev"))).unwrap();
        Container { root, program }
    }

    /// Where the log daemon has its socket.
    fn log(&self) -> PathBuf {
        self.root.path().join("dev/log")
    }

    /// Runs the program there.
    fn run(&self, setting: Option<&str>) -> Output {
        let mut words = vec![format!("LD_LIBRARY_PATH={}", ours::ours().unwrap().lib.display())];
        words.extend(setting.map(|setting| format!("LIBMILTER_LOG={setting}")));
        words.push("/usr/sbin/chroot".to_owned());
        words.extend([self.root.path(), &self.program].map(|path| path.display().to_string()));
        words.extend(["register=0x01000001,f", "setconn=fd:x", "opensocket=0"].map(str::to_owned));
        let mut command = launch::launched("env").unwrap();
        if !rustix::process::geteuid().is_root() {
            command = Command::new("sudo");
            command.args(["-n", "env"]);
        }
        let done = output_within(command.args(words), PATIENCE).unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{}: {stderr}; it needs root or sudo", done.status);
        done
    }
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
    let container = Container::new();
    assert!(on_stderr(&container.run(Some("auto"))));
    assert!(!on_stderr(&container.run(None)), "nothing was asked for");
}

#[test]
fn a_system_log_gets_them_by_itself() {
    for setting in [Some("auto"), None] {
        let container = Container::new();
        let log = UnixDatagram::bind(container.log()).unwrap();
        assert!(!on_stderr(&container.run(setting)));
        let lines = received(&log);
        assert!(lines.iter().any(|line| line.ends_with(LINE)), "{setting:?}: {lines:?}");
    }
}

#[test]
fn the_socket_of_a_log_daemon_that_is_gone_is_no_log() {
    let container = Container::new();
    drop(UnixDatagram::bind(container.log()).unwrap());
    assert!(on_stderr(&container.run(Some("auto"))));
}
