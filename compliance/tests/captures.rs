//! A session with a packaged milter, recorded and played again to it with each library: by an MTA of these
//! tests, and by the library itself between Postfix and the milter.

use compliance::filter::Socket;
use compliance::milters::{left_out, opendkim};
use compliance::mta::Kind;
use compliance::{Error, Filter, Linkage, Observation, Result};
use milter_mta::capture::{Recorder, SharedRecorder};
use milter_mta::mail::{Envelope, Message};
use milter_mta::replay::{Fate, Patience, Step, replay};
use milter_mta::session::{ClientInfo, Event, Mta, Profile, Session, Timeouts};
use milter_mta::{Capture, Client};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A filter that says nothing for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

fn failed(e: impl std::fmt::Display) -> Error {
    Error::new("captures", e)
}

fn connect(filter: &Filter) -> Result<Client> {
    let spec = filter.spec().parse().map_err(|e| Error::new(filter.spec(), e))?;
    Client::connect(&spec, PATIENCE).map_err(failed)
}

/// Plays two messages as an MTA does, and records it.
fn record(filter: &Filter, mta: Mta, file: &Path) -> Result<Capture> {
    let out = std::fs::File::create(file).map_err(failed)?;
    let recorder = Recorder::begin(Box::new(out), &[]).map_err(failed)?;
    let recorder = SharedRecorder::new(recorder);
    let mut client = connect(filter)?;
    client.set_tap(Box::new(recorder.clone()));
    let profile = Profile { timeouts: Timeouts::uniform(PATIENCE), ..Profile::new(mta) };
    let mut nobody = |_: Event<'_>| {};
    let mut session = Session::open(client, profile, &mut nobody).map_err(failed)?;
    let host = ClientInfo::new(Some("client.example"), [192, 0, 2, 25].into(), 40_000);
    session.connect(&host).map_err(failed)?;
    session.helo("client.example").map_err(failed)?;
    let envelope = Envelope::new("author@a.example", &["reader@b.example"]);
    for body in ["The quick brown fox\n".repeat(8000), "Short\n".to_owned()] {
        let signature =
            "v=1; a=rsa-sha256; d=a.example; s=test;\n\tc=relaxed/simple; h=From; bh=x; b=x";
        let text =
            format!("DKIM-Signature: {signature}\nFrom: author@a.example\nDate: x\n\n{body}");
        session.deliver("4C0A", &envelope, &Message::parse(text.as_bytes())).map_err(failed)?;
    }
    session.quit(PATIENCE).map_err(failed)?;
    assert!(recorder.take_error().is_none());
    Capture::parse(&std::fs::read(file).map_err(failed)?).map_err(failed)
}

/// What comes of each exchange, and whether it is what was recorded.
fn play(capture: &Capture, filter: &Filter) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let patience = Patience { answer: PATIENCE, close: PATIENCE };
    replay(capture, connect(filter)?, patience, &mut |step| steps.push(step.clone()));
    Ok(steps)
}

#[test]
fn opendkim_answers_a_capture_alike_with_both_libraries() {
    if left_out(opendkim::PACKAGES) {
        return;
    }
    let keys = opendkim::Keys::new(&["test"]).unwrap();
    let start = |linkage, settings: &str| opendkim::start(linkage, Socket::Unix, settings).unwrap();
    let (reference, ours) = (Linkage::ReferenceDynamic, Linkage::OursPreload);
    for (mta, recorded_with) in [(Mta::Postfix, reference), (Mta::Sendmail, ours)] {
        let first = start(recorded_with, &keys.verifying());
        let capture = record(&first, mta, &first.dir().join("capture")).unwrap();
        first.stop(&mut Observation::new(), "recorded").unwrap();
        for linkage in [reference, ours] {
            let filter = start(linkage, &keys.verifying());
            let steps = play(&capture, &filter).unwrap();
            filter.stop(&mut Observation::new(), "replayed").unwrap();
            let other: Vec<&Step> = steps.iter().filter(|step| !step.is_equal()).collect();
            assert!(other.is_empty(), "{mta:?} {linkage:?}: {other:#?}");
            let adds = steps.iter().filter(|step| match &step.fate {
                Fate::Played(answers) => format!("{answers:?}").contains("65, 117, 116, 104"),
                Fate::LeftOut(_) => false,
            });
            assert_eq!(adds.count(), 2, "no Authentication-Results");
        }
        // Another milter: it signs, and wants other things.
        let other = start(ours, &keys.signing("test"));
        let steps = play(&capture, &other).unwrap();
        other.stop(&mut Observation::new(), "another").unwrap();
        assert!(steps.iter().any(|step| !step.is_equal()), "{steps:#?}");
    }
}

const BODY: &str = "The quick brown fox jumps over the lazy dog.\r\n";

/// Sends a message through Postfix to a milter that is started with variables.
fn through_postfix(filter: &Filter, body: &str) -> Result<()> {
    let mta = compliance::Mta::of(Kind::Postfix).milter(filter.spec()).start()?;
    let mut smtp = mta.smtp()?;
    let signature = "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=test;\r\n\t\
                     c=relaxed/simple; h=From; bh=x; b=x\r\n";
    let head = "From: author@a.example\r\nSubject: caf\u{e9}\r\n";
    smtp.send("author@a.example", &["reader@b.example"], &format!("{signature}{head}\r\n{body}"))?;
    smtp.quit()?;
    mta.settle()
}

#[test]
fn postfix_and_opendkim_are_captured_and_replayed_with_both_libraries() {
    if left_out(opendkim::PACKAGES) {
        return;
    }
    let keys = opendkim::Keys::new(&["test"]).unwrap();
    let directory = c_tests::public::tempdir().unwrap();
    let format = Path::new("capture");
    let variables = [("LIBMILTER_TRACE", directory.path()), ("LIBMILTER_TRACE_FORMAT", format)];
    let (reference, ours) = (Linkage::ReferenceDynamic, Linkage::OursPreload);
    let first = opendkim::start_with(ours, Socket::Unix, &keys.verifying(), &variables).unwrap();
    through_postfix(&first, &BODY.repeat(3000)).unwrap();
    first.stop(&mut Observation::new(), "captured").unwrap();
    let files: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap()).collect();
    let captures: Vec<Capture> = files
        .iter()
        .map(|file| Capture::parse(&fs::read(file.path()).unwrap()).unwrap())
        .filter(|capture| capture.records.len() > 10)
        .collect();
    let [capture] = &captures[..] else { panic!("{files:?}") };
    let start = |linkage, settings: &str| opendkim::start(linkage, Socket::Unix, settings).unwrap();
    for linkage in [reference, ours] {
        let filter = start(linkage, &keys.verifying());
        let steps = play(capture, &filter).unwrap();
        filter.stop(&mut Observation::new(), "replayed").unwrap();
        let other: Vec<&Step> = steps.iter().filter(|step| !step.is_equal()).collect();
        assert!(other.is_empty(), "{linkage:?}: {other:#?}");
        assert!(format!("{steps:?}").contains("65, 117, 116, 104"), "no Authentication-Results");
    }
    let signer = start(ours, &keys.signing("test"));
    let steps = play(capture, &signer).unwrap();
    signer.stop(&mut Observation::new(), "another").unwrap();
    assert!(steps.iter().any(|step| !step.is_equal()), "{steps:#?}");
}

#[test]
fn postfix_and_opendkim_are_traced() {
    if left_out(opendkim::PACKAGES) {
        return;
    }
    let keys = opendkim::Keys::new(&["test"]).unwrap();
    let directory = c_tests::public::tempdir().unwrap();
    let path = directory.path().join("trace");
    let settings = keys.verifying();
    let variables = [("LIBMILTER_TRACE", &*path)];
    let filter =
        opendkim::start_with(Linkage::OursPreload, Socket::Unix, &settings, &variables).unwrap();
    through_postfix(&filter, BODY).unwrap();
    filter.stop(&mut Observation::new(), "traced").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let line = |part: &str| {
        let found = text.lines().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("{part} is not in\n{text}"))
    };
    line(" - - > negotiate 6 SMFIF_ADDHDRS|");
    line("> macros connect ");
    line("> connect \"");
    let sender = line("> mail \"<author@a.example>\"").split(' ').nth(3);
    assert_eq!(sender, Some("<author@a.example>"), "{text}");
    line("> header \"Subject\" \"");
    line("call smfi_getsymval(\"i\") = \"");
    line("callback xxfi_body = SMFIS_SKIP after 0.");
    let change = line("< insert_header 0 \"Authentication-Results\" \"");
    // Postfix has given it a queue id by then, which it tells in a macro.
    let id = change.split(' ').nth(2).unwrap();
    assert!(id.len() > 5 && id.chars().all(char::is_alphanumeric), "{change}");
    line("< close");
}
