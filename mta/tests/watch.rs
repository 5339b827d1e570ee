//! `milter-try --watch` as a program: frames, errors in words, and how it leaves a terminal.

use crate::runs::{milter_try, stderr, stdout};
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A filter that tells the same, each page to whoever asks for it, with a start that can be told apart.
fn filter(dir: &Path, page: &'static str) -> PathBuf {
    let path = dir.join("stats");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for mut asking in listener.incoming().map_while(Result::ok) {
            let mut line = Vec::new();
            while !line.ends_with(b"\n") {
                let mut byte = [0];
                if asking.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                line.push(byte[0]);
            }
            let callbacks = "# session\tcallback\tstage\tmilliseconds\tthread\tqueue id; 1 in all\n\
                             7\txxfi_eom\teom\t1500\t99\tQ\u{1b}[31m\n";
            let asked = String::from_utf8_lossy(&line);
            let text = if asked.contains("/callbacks") { callbacks } else { page };
            let _gone = asking.write_all(text.as_bytes());
        }
    });
    path
}

const PAGE: &str = "libmilter_build_info{version=\"0.1.0\",filter=\"fake\"} 1\n\
                    libmilter_start_time_seconds 1000\nlibmilter_sessions_open 1\n";

#[test]
fn one_frame_where_it_is_no_terminal_or_as_many_as_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let path = filter(dir.path(), PAGE);
    let path = path.to_str().unwrap();
    let output = milter_try(&["--watch", path]).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let frame = stdout(&output);
    assert!(frame.starts_with("fake, libmilter 0.1.0, up "), "{frame}");
    assert!(
        frame.contains("session 7          xxfi_eom            1.50 s         99  Q"),
        "{frame}"
    );
    // What would act on a terminal does not get there.
    assert!(!frame.contains('\u{1b}'), "{frame}");
    assert!(frame.lines().all(|line| line.chars().count() <= 80), "{frame}");
    let output =
        milter_try(&["--watch", &format!("unix:{path}"), "--count", "2"]).output().unwrap();
    let frames = stdout(&output);
    assert_eq!(frames.matches("fake, libmilter").count(), 2, "{frames}");
    assert!(frames.contains("rates since the start"), "{frames}");
    assert!(frames.contains("rates of the last 1.") || frames.contains("rates of the last 2."));
}

#[test]
fn what_goes_wrong_is_told_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let other = filter(dir.path(), "<html>\n");
    let missing = dir.path().join("missing");
    let gone = dir.path().join("gone");
    drop(UnixListener::bind(&gone).unwrap());
    for (arguments, status, why) in [
        (&["--watch", missing.to_str().unwrap()][..], 69, "missing: there is no such socket; does"),
        (&["--watch", gone.to_str().unwrap()], 69, "gone: nobody listens there; the filter has"),
        (&["--watch", other.to_str().unwrap()], 70, "but not with statistics of libmilter"),
        (&["--watch", ""], 64, "--watch: no path of a socket"),
        (&["--watch"], 64, "missing argument for option '--watch'"),
        (&["--watch", "/x", "--count", "0"], 64, "--count: \"0\" is not a number from 1"),
        (&["--watch", "/x", "--quiet"], 64, "--watch PATH stands alone"),
    ] {
        let output = milter_try(arguments).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
        assert_eq!(stdout(&output), "");
    }
}

/// Runs it on a terminal of some rows, and interrupts it after two frames: all that the terminal was sent,
/// and how it ended.
const ON_A_TERMINAL: &str = "
import fcntl, os, pty, signal, struct, sys, termios
rows, columns = int(sys.argv[1]), int(sys.argv[2])
signal.alarm(60)
pid, terminal = pty.fork()
if pid == 0:
    # Whoever runs the tests in the background has it ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    os.execv(sys.argv[3], sys.argv[3:])
shown = b''
before = None
while shown.count(b'\\x1b[J') < 2:
    shown += os.read(terminal, 4096)
    before = before or termios.tcgetattr(terminal)
# As the terminal does when somebody types it.
os.write(terminal, b'\\x03')
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    if not more:
        break
    shown += more
status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(shown)
sys.exit(0 if os.WTERMSIG(status) == signal.SIGINT else 1)
";

#[test]
fn a_terminal_is_left_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = filter(dir.path(), PAGE);
    for (rows, columns) in [(24, 80), (10, 60)] {
        let mut terminal = Command::new("python3");
        terminal.args(["-c", ON_A_TERMINAL, &rows.to_string(), &columns.to_string()]);
        terminal.args([env!("CARGO_BIN_EXE_milter-try"), "--watch"]).arg(&path);
        terminal.env("TERM", "xterm").stdin(Stdio::null());
        let output =
            terminal.output().expect("python3, to have a terminal: apt-get install python3");
        let shown = stdout(&output);
        assert!(output.status.success(), "{shown}{}", stderr(&output));
        // Nothing is switched on that would have to be switched off: no other screen, no hidden cursor.
        for sequence in shown.split('\u{1b}').skip(1) {
            let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
            assert!(["[2J", "[H", "[K", "[J"].contains(&&sequence[..=end]), "{sequence:?}");
        }
        for frame in shown.split("\u{1b}[H").skip(1) {
            let frame = frame.split("\u{1b}[J").next().unwrap();
            assert!(frame.lines().count() < rows, "{frame}");
            let width = |line: &str| line.replace("\u{1b}[K", "").trim_end().chars().count();
            assert!(frame.lines().all(|line| width(line) <= columns), "{frame}");
        }
    }
    // One that knows no sequences.
    let mut dumb = Command::new("python3");
    let spawn = "import pty, sys; pty.spawn(sys.argv[1:])";
    dumb.args(["-c", spawn, env!("CARGO_BIN_EXE_milter-try"), "--watch"]).arg(&path);
    let output = dumb.env("TERM", "dumb").output().unwrap();
    assert!(!stdout(&output).contains('\u{1b}'), "{}", stdout(&output));
}
