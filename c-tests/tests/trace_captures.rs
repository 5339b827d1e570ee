//! `LIBMILTER_TRACE_FORMAT=capture`: a file a session, as docs/capture.md describes it.

use super::runtime_support::{Filter, Session, program};
use super::trace::{begin, message};
use c_tests::Linkage;
use milter_mta::Capture;
use milter_mta::capture::{Recorder, SharedRecorder, Side, What};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn start(linkage: Linkage, directory: &Path, variables: &[(&str, &str)]) -> Filter {
    let mut command = linkage.command(&program()).unwrap();
    command.env("LIBMILTER_TRACE", directory).env("LIBMILTER_TRACE_FORMAT", "capture");
    command.envs(variables.iter().copied());
    let filter = Filter::launch_command(command, "unix:{dir}/socket", &[]);
    filter.wait_for("ready ");
    filter
}

/// The captures, in the order of sessions.
fn files(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files.collect();
    let number = |path: &PathBuf| -> u32 {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        name.rsplit('-').next().unwrap().parse().unwrap()
    };
    files.sort_by_key(number);
    files
}

fn parse(file: &Path) -> Capture {
    let bytes = fs::read(file).unwrap();
    assert!(bytes.is_ascii() && bytes.ends_with(b"\n"));
    Capture::parse(&bytes).unwrap()
}

/// Who has said what, without times.
fn said(capture: &Capture) -> Vec<(Side, What)> {
    capture.records.iter().map(|record| (record.from, record.what.clone())).collect()
}

/// What the library captures is what the MTA records, byte for byte.
fn captures_have_all_that_was_said(linkage: Linkage) {
    let directory = tempfile::tempdir().unwrap();
    let filter = start(linkage, directory.path(), &[]);
    let own = directory.path().join("mta");
    let recorder = Recorder::begin(Box::new(fs::File::create(&own).unwrap()), &[]).unwrap();
    let mut client = filter.connect();
    client.set_tap(Box::new(SharedRecorder::new(recorder)));
    let mut session = Session { client };
    session.introduce("host");
    message(&mut session);
    let every: Vec<u8> = (0..=255).chain(*b"\n\n\0\"\\\r\n").collect();
    session.client.queue(b'H', &[&b"x"[..], &every, b"\0"].concat());
    session.client.flush().unwrap();
    assert_eq!(session.reply(), 'c');
    session.quit();
    filter.stop();
    let recorded = parse(&own);
    fs::remove_file(&own).unwrap();
    let files = files(directory.path());
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    let capture = parse(&files[0]);
    assert_eq!(capture.fact("session"), Some("1"));
    assert!(capture.fact("recorder").unwrap().starts_with("libmilter in Rust, version "));
    assert!(capture.fact("started").is_some() && capture.fact("library").is_some());
    // Commands that do not wait for replies meet them, and either side may close first.
    for side in [Side::Mta, Side::Milter] {
        let packets = |capture| {
            let mut said = said(capture);
            said.retain(|(from, what)| *from == side && *what != What::Closed);
            said
        };
        assert_eq!(packets(&capture), packets(&recorded));
    }
    assert_eq!(said(&capture).last(), Some(&(Side::Milter, What::Closed)));
    let times: Vec<_> = capture.records.iter().map(|record| record.at).collect();
    assert!(times.is_sorted(), "{times:?}");
}

with_ours!(captures_have_all_that_was_said);

#[test]
fn what_is_no_packet_is_captured_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let filter = start(Linkage::OursDynamic, directory.path(), &[]);
    let ends: [&[u8]; 3] = [b"\0\0\0\x0bMshort", b"\0\0", b"\x80\0\0\0GET /"];
    for bytes in ends {
        let mut session = filter.session("s");
        session.client.queue_raw(bytes);
        session.client.flush().unwrap();
        if bytes[0] != 0 {
            session.closed();
        }
    }
    // A letter that no command has.
    let mut session = filter.session("s");
    session.client.queue(b'#', b"x");
    session.client.flush().unwrap();
    session.closed();
    filter.stop();
    let files = files(directory.path());
    let has =
        |n: usize, wanted: &What| said(&parse(&files[n])).contains(&(Side::Mta, wanted.clone()));
    for (n, bytes) in ends.iter().enumerate() {
        assert!(has(n, &What::Raw(bytes.to_vec())), "{}", fs::read_to_string(&files[n]).unwrap());
    }
    assert!(has(0, &What::Closed) && !has(2, &What::Closed));
    let text = fs::read_to_string(&files[3]).unwrap();
    assert!(text.contains(" > \\x23 1 \"x\"\n"), "{text}");
    // What was logged stands there as a comment.
    assert!(text.lines().any(|line| line.starts_with("# 0.") && line.contains("'#' is not known")));
}

#[test]
fn captures_end_when_they_take_too_much() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [("LIBMILTER_TRACE_FILE_BYTES", "1500")];
    let filter = start(Linkage::OursDynamic, directory.path(), &variables);
    for name in ["first", "second", "third", "fourth"] {
        let mut session = filter.session(name);
        session.mail();
        session.rest();
        session.quit();
    }
    let (_, log) = filter.stop();
    assert_eq!(log.iter().filter(|line| line.contains("lines of the trace")).count(), 2, "{log:?}");
    let texts: Vec<String> =
        files(directory.path()).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let cut = |text: &&String| text.ends_with("# what follows could not be written\n");
    assert_eq!(texts.iter().filter(cut).count(), 1, "{texts:#?}");
    assert!(texts.len() < 4 && texts.iter().map(String::len).sum::<usize>() < 1700, "{texts:#?}");
}

#[test]
fn only_whole_sessions_of_some_clients_are_captured() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [("LIBMILTER_TRACE_CLIENTS", "192.0.2.7")];
    let filter = start(Linkage::OursDynamic, directory.path(), &variables);
    for address in ["192.0.2.6", "192.0.2.7"] {
        let mut session = begin(&filter, "host", address);
        // Another SMTP connection, which says less of a client.
        session.send(b'K', &[]);
        session.client.queue_connect("again", &milter_mta::wire::command::Origin::Unknown);
        session.client.flush().unwrap();
        assert_eq!(session.reply(), 'c');
        session.quit();
    }
    filter.stop();
    let files = files(directory.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let capture = parse(&files[0]);
    assert_eq!(capture.fact("session"), Some("2"));
    let letters: String = capture
        .records
        .iter()
        .filter_map(|record| match &record.what {
            What::Packet(packet) if record.from == Side::Mta => Some(packet.letter as char),
            _ => None,
        })
        .collect();
    assert_eq!(letters, "OCKCQ");
}

#[test]
fn sessions_do_without_where_there_can_be_no_captures() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    for (place, told) in [
        (missing.as_path(), "lines of the trace can't be written and are left out: No such file"),
        (
            Path::new("here"),
            "LIBMILTER_TRACE=here is no absolute path of a directory; there is no trace",
        ),
        (
            Path::new("stderr"),
            "LIBMILTER_TRACE=stderr is no absolute path of a directory; there is no trace",
        ),
    ] {
        let filter = start(Linkage::OursDynamic, place, &[]);
        let mut session = filter.session("s");
        session.mail();
        session.rest();
        session.quit();
        let (_, log) = filter.stop();
        assert!(log.iter().any(|line| line.contains(told)), "{told}: {log:?}");
    }
    assert!(files(directory.path()).is_empty());
}
