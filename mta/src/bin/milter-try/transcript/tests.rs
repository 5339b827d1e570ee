//! Events and what is kept and shown of them.

use super::layout::{DETAIL, WIDTH, wrapped};
use super::*;

fn kept() -> Transcript {
    Transcript::new(Sink::Nowhere, true, None)
}

fn replies(entry: &Entry) -> Vec<&str> {
    entry.replies.iter().map(|said| said.text.as_str()).collect()
}

/// What is printed of a session with these events.
fn shown(events: &[Event<'_>]) -> String {
    let mut transcript = Transcript::new(Sink::Memory(String::new()), false, None);
    events.iter().for_each(|event| transcript.hear(*event));
    transcript.finish()
}

#[test]
fn a_remark_does_not_take_the_replies_of_its_command() {
    let mut transcript = kept();
    transcript.hear(Event::Sent(&Command::EndOfBody));
    transcript.hear(Event::Remark("odd"));
    transcript.hear(Event::Received(&Reply::Continue));
    assert_eq!(replies(&transcript.entries[0]), ["continue"]);
    assert_eq!(transcript.entries[1].text, "odd");
}

#[test]
fn macros_without_their_command_are_kept_too() {
    let mut transcript = kept();
    for target in [b'C', b'M'] {
        let pairs: &[(&[u8], &[u8])] = &[(b"j", b"mx")];
        transcript.hear(Event::Sent(&Command::Macros { target, pairs }));
    }
    transcript.hear(Event::Sent(&Command::Mail(&[b"<>"])));
    let [connect, mail] = &transcript.entries[..] else {
        panic!("{:?}", transcript.entries);
    };
    assert_eq!((connect.command, connect.text.as_str()), ("macros", "connect"));
    assert_eq!(connect.macros, mail.macros);
}

#[test]
fn long_text_is_broken_between_words() {
    let text = wrapped(&"word ".repeat(30), "   ");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(DETAIL + lines[0].len() <= WIDTH);
    assert!(lines[1].starts_with("                word"));
}

#[test]
fn folds_are_shown_as_they_are() {
    let fold = b"a\n\tb\n    c \\n\td";
    let text = shown(&[
        Event::Sent(&Command::Header { name: b"X", value: fold }),
        Event::Received(&Reply::AddHeader { name: b"Y", value: fold }),
        Event::Received(&Reply::ReplyCode(b"550-a\r\n550 b")),
    ]);
    assert_eq!(
        text,
        "  header     X: a
             \tb
                 c \\n\td
             -> add header Y: a
                \tb
                    c \\n\td
             -> 550-a\\r
                550 b
"
    );
}

#[test]
fn rows_of_parts_are_summed_up() {
    let part = vec![b'x'; 100];
    let mut events = Vec::new();
    let body = Command::Body(&part);
    for _ in 0..4 {
        events.extend([Event::Sent(&body), Event::Received(&Reply::Continue)]);
    }
    // The last of a row may get another reply.
    events.extend([Event::Sent(&body), Event::Received(&Reply::Skip)]);
    events.push(Event::Sent(&Command::EndOfBody));
    let replace = Reply::ReplaceBody(&part);
    events.extend([Event::Received(&replace); 4]);
    events.push(Event::Received(&Reply::Continue));
    let text = shown(&events);
    let at = |text: &str| format!("{text:<56}");
    let lines = [
        at("  body       100 bytes") + "-> continue",
        at("  body       3 more parts, 300 bytes") + "-> continue each",
        at("  body       100 bytes") + "-> skip",
        "  eom".to_owned(),
        "             -> replace body, 100 bytes".to_owned(),
        "             -> replace body, 3 more parts, 300 bytes".to_owned(),
        "             -> continue".to_owned(),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);

    // Two are no row, and a row may be cut off.
    let mut events = vec![Event::Sent(&body), Event::Received(&Reply::Continue)];
    events.extend([Event::Sent(&body), Event::Received(&Reply::Continue), Event::Sent(&body)]);
    let text = shown(&events);
    let lines = [
        at("  body       100 bytes") + "-> continue",
        at("  body       100 bytes") + "-> continue",
        "  body       100 bytes".to_owned(),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn replies_and_macros_are_kept_with_their_command() {
    let mut transcript = kept();
    transcript.hear(Event::Sent(&Command::Macros { target: b'H', pairs: &[(b"j", b"mx")] }));
    transcript.hear(Event::Sent(&Command::Helo(b"a\x1bb")));
    transcript.hear(Event::Received(&Reply::Progress));
    transcript.hear(Event::Received(&Reply::ReplyCode(b"550-a\r\n550 b")));
    transcript.hear(Event::Sent(&Command::Mail(&[b"<a>", b"SIZE=1"])));
    transcript.hear(Event::Unanswered);
    let [helo, mail] = &transcript.entries[..] else {
        panic!("{:?}", transcript.entries);
    };
    assert_eq!((helo.command, helo.text.as_str()), ("helo", "a\\u{1b}b"));
    assert_eq!(helo.macros, [(b"j".to_vec(), b"mx".to_vec())]);
    assert_eq!(replies(helo), ["progress", "550-a\\r\\n550 b"]);
    assert_eq!((mail.text.as_str(), mail.unanswered), ("<a> SIZE=1", true));
    assert!(mail.macros.is_empty());
}

#[test]
fn what_is_logged_stands_below_its_command() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    std::fs::write(&path, "at the start\n").unwrap();
    let sink = Sink::Memory(String::new());
    let mut transcript = Transcript::new(sink, true, Some(LogFile::new(path.clone())));
    transcript.hear(Event::Sent(&Command::Helo(b"me")));
    std::fs::write(&path, "at the start\nat helo\n").unwrap();
    transcript.hear(Event::Received(&Reply::Continue));
    transcript.hear(Event::Sent(&Command::Quit));
    assert_eq!(
        transcript.finish(),
        format!(
            "  log        at the start\n{:<56}-> continue\n  log        at helo\n  quit\n",
            "  helo       me"
        )
    );
    let logs: Vec<&[String]> = transcript.entries.iter().map(|entry| &entry.log[..]).collect();
    assert_eq!(logs, [&["at the start".to_owned()][..], &["at helo".to_owned()], &[]]);
}
