//! Parsing messages and applying changes.

use super::*;

const MAIL: &[u8] = b"From: a@b\r\nsubject:  two blanks\r\nX-Fold: one\r\n\ttwo\r\nX-Empty:\r\n\
X-Same: 1\r\nX-Same: 2\r\nX-SAME: 3\r\n\r\nline one\r\n\r\n.dot\r\n";

fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: value.into() }
}

fn text(message: &Message) -> String {
    String::from_utf8(message.to_bytes()).unwrap()
}

fn change(index: u32, name: &str, value: &str) -> Change {
    Change::ChangeHeader { index, name: name.into(), value: value.into() }
}

/// Applies to the sample and gives the header lines that differ in any way.
fn headers_after(changes: &[Change], leading_space: bool) -> Vec<String> {
    let mut message = Message::parse(MAIL);
    let mut envelope = Envelope::new("a@b", &["c@d"]);
    apply(changes, &mut envelope, &mut message, leading_space);
    let all = text(&message);
    let (head, _) = all.split_once("\n\n").unwrap();
    head.replace("\n\t", "|").lines().map(str::to_owned).collect()
}

#[test]
fn a_message_keeps_folds_blanks_and_order() {
    let message = Message::parse(MAIL);
    assert_eq!(message.headers[1], header("subject", "  two blanks"));
    assert_eq!(message.headers[2], header("X-Fold", " one\n\ttwo"));
    assert_eq!(message.headers[3], header("X-Empty", ""));
    assert_eq!(message.body, b"line one\r\n\r\n.dot\r\n");
    let unix = text(&message);
    assert_eq!(unix, String::from_utf8_lossy(MAIL).replace('\r', ""));
    assert_eq!(Message::parse(unix.as_bytes()), message);
    let values: Vec<_> = message.values("x-same").collect();
    assert_eq!(values, [b"1", b"2", b"3"]);
}

#[test]
fn odd_messages_are_read_as_mtas_read_them() {
    let mbox = Message::parse(b"From a@b Mon\nTo : x\n\nbody");
    assert_eq!(mbox.headers, [header("To", " x")]);
    assert_eq!(mbox.body, b"body");
    let no_blank_line = Message::parse(b"To: x\nno header here\nTo: y\n");
    assert_eq!(no_blank_line.headers, [header("To", " x")]);
    assert_eq!(no_blank_line.body, b"no header here\r\nTo: y\r\n");
    let only_headers = Message::parse(b"To: x");
    assert_eq!(only_headers.headers, [header("To", " x")]);
    assert_eq!(only_headers.body, b"");
    assert_eq!(Message::parse(b"\nTo: x\n").body, b"To: x\r\n");
    assert_eq!(Message::parse(b""), Message::default());
}

#[test]
fn exactly_one_leading_space_is_dropped_on_the_wire() {
    for (value, short) in [(" a", "a"), ("  a", " a"), ("\ta", "\ta"), ("a", "a"), ("", "")] {
        let header = header("X", value);
        assert_eq!(header.wire_value(false), short.as_bytes());
        assert_eq!(header.wire_value(true), value.as_bytes());
    }
}

#[test]
fn headers_are_added_below_and_inserted_by_position() {
    let insert =
        |index, name: &str| Change::InsertHeader { index, name: name.into(), value: "v".into() };
    let add = Change::AddHeader { name: "Last".into(), value: "v\n\tw".into() };
    let after =
        headers_after(&[add, insert(0, "Top"), insert(2, "Third"), insert(99, "End")], false);
    assert_eq!(after[0], "Top: v");
    assert_eq!(after[2], "Third: v");
    assert_eq!(after[9..], ["Last: v|w", "End: v"]);
    let tight = headers_after(&[insert(0, "Top")], true);
    assert_eq!(tight[0], "Top:v");
}

#[test]
fn headers_are_changed_by_number_among_their_name() {
    let same = |after: Vec<String>| -> Vec<String> {
        let lines = after.into_iter();
        lines.filter(|line| line.to_lowercase().starts_with("x-same")).collect()
    };
    for index in [0, 1] {
        let after = same(headers_after(&[change(index, "x-same", "new")], false));
        assert_eq!(after, ["X-Same: new", "X-Same: 2", "X-SAME: 3"]);
    }
    let third = same(headers_after(&[change(3, "X-Same", "new")], false));
    assert_eq!(third, ["X-Same: 1", "X-Same: 2", "X-SAME: new"]);
    let missing = same(headers_after(&[change(4, "X-Same", "new")], false));
    assert_eq!(missing[3], "X-Same: new");
    let deleted = same(headers_after(&[change(2, "X-Same", ""), change(2, "X-Same", "")], false));
    assert_eq!(deleted, ["X-Same: 1"]);
}

#[test]
fn deleting_what_is_not_there_leaves_a_remark() {
    let mut message = Message::parse(MAIL);
    let mut envelope = Envelope::new("a@b", &["c@d"]);
    let changes = [change(4, "X-Same", ""), Change::DeleteRecipient("x@y".into())];
    let remarks = apply(&changes, &mut envelope, &mut message, false);
    assert_eq!(message, Message::parse(MAIL));
    assert_eq!(
        remarks,
        ["no 4. header \"X-Same\" to delete", "x@y is no recipient, so it cannot be deleted"]
    );
}

#[test]
fn the_envelope_changes() {
    let mut message = Message::parse(MAIL);
    let mut envelope = Envelope::new("a@b SIZE=1", &["<c@d> NOTIFY=NEVER", "e@f"]);
    let add = |address: &str, arguments: Option<&str>| Change::AddRecipient {
        address: address.into(),
        arguments: arguments.map(|text| text.into()),
    };
    let changes = [
        Change::ChangeSender {
            address: "<new@b>".into(),
            arguments: Some("RET=HDRS ENVID=1".into()),
        },
        Change::DeleteRecipient("E@f".into()),
        add("g@h", Some("NOTIFY=NEVER")),
        add("<C@D>", None),
    ];
    let remarks = apply(&changes, &mut envelope, &mut message, false);
    assert_eq!(
        envelope.to_string(),
        "MAIL FROM:<new@b> RET=HDRS ENVID=1\nRCPT TO:<c@d> NOTIFY=NEVER\nRCPT TO:<g@h> NOTIFY=NEVER\n"
    );
    assert_eq!(remarks, ["<C@D> is a recipient already"]);
}

#[test]
fn the_parts_of_a_new_body_are_joined() {
    let mut changes = Vec::new();
    for part in [&b"one\r"[..], b"\ntwo\n", b"three"] {
        Change::ReplaceBody(part.to_vec()).collect(&mut changes);
        Change::Quarantine(b"why".to_vec()).collect(&mut changes);
    }
    assert_eq!(changes.len(), 4);
    let mut message = Message::parse(MAIL);
    let mut envelope = Envelope::new("a@b", &["c@d"]);
    apply(&changes, &mut envelope, &mut message, false);
    assert_eq!(message.body, b"one\r\ntwo\r\nthree");
}
