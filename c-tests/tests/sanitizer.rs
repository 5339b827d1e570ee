//! ThreadSanitizer sees that a session is handed from thread to thread, and only that.

use c_tests::trace::command::{Step, parse};
use c_tests::trace::transcript::{reply, take_packets};
use c_tests::{Compile, Linkage, Milter};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

const SESSIONS: usize = 8;
const ROUNDS: usize = 5;

/// One session; whether its callbacks ran on several threads.
fn session(path: &Path) -> bool {
    let mut stream = UnixStream::connect(path).unwrap();
    for command in ["O 6 1ff 1fffff", "C host U", "M <a@b>", "R <c@d>", "R <e@f>", "E", "Q"] {
        let Step::Send(bytes) = parse(command).unwrap() else { unreachable!() };
        stream.write_all(&bytes).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let packets: Vec<String> =
        take_packets(&mut bytes).iter().map(|packet| reply(packet)).collect();
    assert_eq!(packets.last().map(String::as_str), Some("a"), "{packets:?}");
    packets.iter().any(|packet| packet.contains("2 threads"))
}

/// What ThreadSanitizer says of the filter under load.
fn reports(linkage: Linkage, arguments: &[&str]) -> String {
    let program =
        Compile::c("milters/handover.c").flag("-fsanitize=thread").lib("-fsanitize=thread");
    let program = program.build().unwrap();
    let mut command = linkage.command(&program).unwrap();
    let logs = tempfile::tempdir().unwrap();
    command.env("TSAN_OPTIONS", format!("exitcode=0 log_path={}/tsan", logs.path().display()));
    let (milter, _) = Milter::start_at_socket(command, arguments).unwrap();
    let path = milter.dir().join("socket");
    let moved = std::thread::scope(|scope| {
        let play = || (0..ROUNDS).map(|_| session(&path)).filter(|moved| *moved).count();
        let threads: Vec<_> = (0..SESSIONS).map(|_| scope.spawn(play)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert!(moved > 0, "no session has changed its thread");
    let status = milter.stop().unwrap();
    let files = std::fs::read_dir(logs.path()).unwrap().flatten().map(|entry| entry.path());
    let text = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    assert!(status.success(), "{status}: {text}");
    text
}

#[test]
fn a_correct_filter_has_no_race() {
    for linkage in [Linkage::OursDynamic, Linkage::OursStatic] {
        assert_eq!(reports(linkage, &[]), "", "{linkage:?}");
    }
}

/// Else nothing would ever be found.
#[test]
fn a_race_between_sessions_is_found() {
    for linkage in [Linkage::OursDynamic, Linkage::OursStatic] {
        let text = reports(linkage, &["racing"]);
        assert!(text.contains("WARNING: ThreadSanitizer: data race"), "{linkage:?}: {text}");
        assert!(text.contains("global 'shared'"), "{linkage:?}: {text}");
    }
}
