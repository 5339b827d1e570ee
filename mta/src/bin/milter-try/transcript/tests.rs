//! Events and what is kept and shown of them.

use super::*;

#[test]
fn a_remark_does_not_take_the_replies_of_its_command() {
    let mut transcript = Transcript::new(false, true);
    transcript.hear(Event::Sent(&Command::EndOfBody));
    transcript.hear(Event::Remark("odd"));
    transcript.hear(Event::Received(&Reply::Continue));
    assert_eq!(transcript.entries[0].replies, ["continue"]);
    assert_eq!(transcript.entries[1].text, "odd");
}

#[test]
fn macros_without_their_command_are_kept_too() {
    let mut transcript = Transcript::new(false, true);
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
    assert_eq!(lines.len(), 2);
    assert!(DETAIL + lines[0].len() <= WIDTH);
    assert!(lines[1].starts_with("                word"));
}

#[test]
fn folds_are_shown_as_line_breaks() {
    let folded = unfolded("add header X: a\\n\\tb\\n c");
    assert_eq!(folded, "add header X: a\n                  b\n                  c");
    let reply = unfolded("550-a\\r\\n550 b");
    assert_eq!(reply, "550-a\n                550 b");
}

#[test]
fn replies_and_macros_are_kept_with_their_command() {
    let mut transcript = Transcript::new(false, true);
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
    assert_eq!(helo.macros, [("j".to_owned(), "mx".to_owned())]);
    assert_eq!(helo.replies, ["progress", "550-a\\r\\n550 b"]);
    assert_eq!((mail.text.as_str(), mail.unanswered), ("<a> SIZE=1", true));
    assert!(mail.macros.is_empty());
}
