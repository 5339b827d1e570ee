//! `LIBMILTER_TRACE`: what lines of a trace say.

use super::runtime_support::{Filter, Session};
use c_tests::Linkage;
use milter_mta::wire::command::Origin;
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

/// A filter with a trace in a file.
pub(crate) struct Traced {
    pub(crate) filter: Filter,
    pub(crate) dir: TempDir,
    pub(crate) path: PathBuf,
}

impl Traced {
    pub(crate) fn start(variables: &[(&str, &str)], options: &[&str]) -> Traced {
        Traced::linked(Linkage::OursDynamic, variables, options)
    }

    fn linked(linkage: Linkage, variables: &[(&str, &str)], options: &[&str]) -> Traced {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace");
        let mut command = linkage.command(&super::runtime_support::program()).unwrap();
        command.env("LIBMILTER_TRACE", &path).envs(variables.iter().copied());
        let filter = Filter::launch_command(command, "unix:{dir}/socket", options);
        filter.wait_for("ready ");
        Traced { filter, dir, path }
    }

    pub(crate) fn read(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap_or_default()
    }

    /// The trace once the filter has ended.
    pub(crate) fn ended(self) -> String {
        let Traced { filter, dir: _dir, path } = self;
        filter.stop();
        std::fs::read_to_string(path).unwrap()
    }
}

/// Begins a session of a client with an address.
pub(crate) fn begin(filter: &Filter, name: &str, address: &str) -> Session {
    let mut session = Session { client: filter.connect() };
    session.client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    let port = 40_000;
    let origin = match address.parse().unwrap() {
        std::net::IpAddr::V4(ip) => Origin::Inet(ip, port),
        std::net::IpAddr::V6(ip) => Origin::Inet6(ip, port, false),
    };
    session.client.queue_connect(name, &origin);
    session.client.flush().unwrap();
    assert_eq!((session.reply(), session.reply()), ('O', 'c'));
    session
}

/// A message at whose end the filter makes calls.
pub(crate) fn message(session: &mut Session) {
    session.task("eom", "calls");
    session.client.queue_macros(b'M', &[("i", "4C0A"), ("{mail_addr}", "a@example.org")]);
    assert_eq!(session.ask(b'M', &["<a@example.org>", "SIZE=9"]), 'c');
    assert_eq!(session.ask(b'R', &["<b@example.net>"]), 'c');
    assert_eq!(session.ask(b'L', &["Subject", &"long ".repeat(20)]), 'c');
    assert_eq!(session.ask(b'N', &[]), 'c');
    session.send(b'E', &[]);
    while session.reply() != 'c' {}
}

/// A line without what differs from run to run: times and pointers.
fn settled(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    words[1] = "TIME";
    for at in 1..words.len() {
        if words[at - 1] == "after" || words[at - 1] == "begin" {
            words[at] = "TIME";
        }
        if words[at - 1] == "process" {
            words[at] = "PID";
        }
    }
    if words[4..6] == [">", "negotiate"] {
        // All there are.
        assert!(
            words[7].starts_with("SMFIF_ADDHDRS|SMFIF_CHGBODY|")
                && words[8].ends_with("|SMFIP_HDR_LEADSPC")
        );
        words[7..].copy_from_slice(&["ACTIONS", "STEPS"]);
    }
    let line = words.join(" ");
    match (line.find("smfi_setpriv(0x"), line.find("smfi_getpriv() = 0x")) {
        (Some(at), _) => format!("{}smfi_setpriv(POINTER) = MI_SUCCESS", &line[..at]),
        (_, Some(at)) => format!("{}smfi_getpriv() = POINTER", &line[..at]),
        _ => line,
    }
}

const TEXT: &str = r#"1 TIME - - begin TIME process PID
1 TIME - - > negotiate 6 ACTIONS STEPS
1 TIME - - < negotiate 6 SMFIF_ADDHDRS|SMFIF_CHGBODY 0
1 TIME - - > connect "host" inet 40000 "192.0.2.1"
1 TIME - - call smfi_setpriv(POINTER) = MI_SUCCESS
1 TIME - - callback xxfi_connect = SMFIS_CONTINUE after TIME s
1 TIME - - < continue
1 TIME - - > helo "eom calls"
1 TIME - - call smfi_getpriv() = POINTER
1 TIME - - call smfi_getpriv() = POINTER
1 TIME - - callback xxfi_helo = SMFIS_CONTINUE after TIME s
1 TIME - - < continue
1 TIME 4C0A - > macros mail "i" "4C0A" "{mail_addr}" "a@example.org"
1 TIME 4C0A <a@example.org> > mail "<a@example.org>" "SIZE=9"
1 TIME 4C0A <a@example.org> call smfi_getpriv() = POINTER
1 TIME 4C0A <a@example.org> callback xxfi_envfrom = SMFIS_CONTINUE after TIME s
1 TIME 4C0A <a@example.org> < continue
1 TIME 4C0A <a@example.org> > rcpt "<b@example.net>"
1 TIME 4C0A <a@example.org> call smfi_getpriv() = POINTER
1 TIME 4C0A <a@example.org> callback xxfi_envrcpt = SMFIS_CONTINUE after TIME s
1 TIME 4C0A <a@example.org> < continue
1 TIME 4C0A <a@example.org> > header "Subject" "long long long long long long long long long long long long long"... (100 bytes)
1 TIME 4C0A <a@example.org> call smfi_getpriv() = POINTER
1 TIME 4C0A <a@example.org> callback xxfi_header = SMFIS_CONTINUE after TIME s
1 TIME 4C0A <a@example.org> < continue
1 TIME 4C0A <a@example.org> > eoh
1 TIME 4C0A <a@example.org> call smfi_getpriv() = POINTER
1 TIME 4C0A <a@example.org> callback xxfi_eoh = SMFIS_CONTINUE after TIME s
1 TIME 4C0A <a@example.org> < continue
1 TIME 4C0A <a@example.org> > eom
1 TIME 4C0A <a@example.org> call smfi_getpriv() = POINTER
1 TIME 4C0A <a@example.org> call smfi_getsymval("{none}") = NULL
1 TIME 4C0A <a@example.org> call smfi_setreply("451", "4.7.1", "later") = MI_SUCCESS
1 TIME 4C0A <a@example.org> call smfi_setmlreply("451", "4.7.1", "first line") = MI_SUCCESS
1 TIME 4C0A <a@example.org> < add_header "X-Name" "value"
1 TIME 4C0A <a@example.org> call smfi_addheader("X-Name", "value") = MI_SUCCESS
1 TIME 4C0A <a@example.org> call smfi_chgheader("X-Other", 1, "value") = MI_FAILURE (SMFIF_CHGHDRS was not negotiated; the filter has to ask for it, in xxfi_flags or, if the MTA offers it, in xxfi_negotiate)
"#;

fn text_is_as_documented(linkage: Linkage) {
    let traced = Traced::linked(linkage, &[], &[]);
    let mut session = begin(&traced.filter, "host", "192.0.2.1");
    message(&mut session);
    session.quit();
    let text = traced.ended();
    let lines: Vec<String> = text.lines().map(settled).collect();
    let wanted: Vec<&str> = TEXT.lines().collect();
    assert_eq!(lines[..wanted.len().min(lines.len())], wanted, "{text}");
    let last: Vec<&str> = lines.iter().rev().take(6).rev().map(String::as_str).collect();
    let of = "1 TIME 4C0A <a@example.org>";
    assert!(lines.contains(&format!("{of} < progress")), "{text}");
    assert!(lines.iter().any(|line| line.contains("(65535 bytes)")), "{text}");
    assert_eq!(last[0], format!("{of} > quit"), "{text}");
    assert_eq!(last[5], format!("{of} < close"), "{text}");
}

with_ours!(text_is_as_documented);

#[test]
fn the_reference_writes_no_trace() {
    let traced = Traced::linked(Linkage::ReferenceDynamic, &[], &[]);
    traced.filter.session("s").quit();
    assert!(!traced.path.exists());
    traced.filter.stop();
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn json_is_as_documented() {
    let variables = [("LIBMILTER_TRACE_FORMAT", "json"), ("LIBMILTER_TRACE_TEXT_BYTES", "20")];
    let traced = Traced::start(&variables, &[]);
    let mut session = begin(&traced.filter, "host", "2001:db8::1");
    message(&mut session);
    session.client.queue_macros(b'M', &[("i", "4C0A")]);
    session.client.queue(b'M', b"<a@example.org>\0caf\xe9 \"\x1b\n\0");
    session.client.flush().unwrap();
    session.reply();
    session.quit();
    let mut objects = objects(&traced.ended());
    for object in &mut objects {
        let object = object.as_object_mut().unwrap();
        assert_eq!(object["session"], 1);
        assert!(object.remove("at").unwrap().is_f64());
        assert_eq!(object.contains_key("took"), object["event"] == "callback");
        object.remove("took");
    }
    let of = |mut object: Value| {
        object["session"] = json!(1);
        object["queue_id"] = json!("4C0A");
        object["sender"] = json!("<a@example.org>");
        object
    };
    for wanted in [
        json!({"session": 1, "event": "packet", "name": "connect",
               "arguments": ["host", "inet6", 40000, "2001:db8::1"]}),
        of(json!({"event": "packet", "name": "mail", "arguments": ["<a@example.org>", "SIZE=9"]})),
        of(json!({"event": "packet", "name": "header",
                  "arguments": ["Subject", {"text": "long long long long ", "bytes": 100}]})),
        of(json!({"event": "packet", "name": "mail", "arguments":
                  ["<a@example.org>", {"text": "caf\u{fffd} \"\u{1b}\n", "base64": "Y2Fm6SAiGwo="}]})),
        of(json!({"event": "callback", "name": "xxfi_eom", "result": "SMFIS_CONTINUE"})),
        of(
            json!({"event": "call", "name": "smfi_getsymval", "arguments": ["{none}"], "result": null}),
        ),
        of(json!({"event": "call", "name": "smfi_addheader", "arguments": ["X-Name", "value"],
                  "result": "MI_SUCCESS"})),
        of(json!({"event": "response", "name": "add_header", "arguments": ["X-Name", "value"]})),
        of(json!({"event": "end"})),
    ] {
        assert!(objects.contains(&wanted), "{wanted} is not in {objects:#?}");
    }
}

/// Neither a line of its own nor an escape sequence of a terminal is any peer's to write.
#[test]
fn peers_inject_nothing() {
    let evil = "x\n1 0.1 - - < accept\r\n\u{1b}[2J\u{9b}\u{202e}";
    for format in ["text", "json"] {
        let traced = Traced::start(&[("LIBMILTER_TRACE_FORMAT", format)], &[]);
        let mut session = begin(&traced.filter, "host", "192.0.2.1");
        session.client.queue_macros(b'M', &[("i", evil), (evil, evil)]);
        for (letter, strings) in [
            (b'M', &[evil, evil][..]),
            (b'R', &[evil]),
            (b'L', &[evil, evil]),
            (b'N', &[]),
            (b'B', &[evil]),
        ] {
            session.ask(letter, strings);
        }
        // What is no packet ends the session, with a line that shows it.
        session.client.queue_raw(b"\x7f\xff\xff\xffx\nGET / HTTP/1.0\r\n");
        session.client.flush().unwrap();
        session.closed();
        let text = traced.ended();
        let acting = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(acting), "{text:?}");
        if format == "json" {
            objects(&text);
            continue;
        }
        for line in text.lines() {
            let time = line.split(' ').nth(1).unwrap_or_default();
            let micros = time.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            assert!(line.starts_with("1 ") && micros == 6, "{line}");
        }
        assert!(text.contains("> no_packet \"\\x7f\\xff"), "{text}");
    }
}

#[test]
fn a_filter_that_is_refused_or_wrong_is_seen() {
    let traced = Traced::start(&[], &[]);
    let mut session = traced.filter.session("s");
    session.send(b'H', &["helo calls"]);
    assert_eq!((session.reply(), session.reply()), ('p', 'c'));
    session.send(b'H', &["envfrom return 99"]);
    while session.reply() != 'c' {}
    assert_eq!(session.ask(b'M', &["<a@example.org>"]), 'y');
    session.quit();
    let text = traced.ended();
    for part in [
        "call smfi_addheader(\"X-Name\", \"value\") = MI_FAILURE (a message can be changed in xxfi_eom only)",
        "callback xxfi_envfrom = 99 after ",
        "log err: session 1: xxfi_envfrom returned 99",
        "< reply \"451-4.7.1 first line\\r\\n451 4.7.1 second line\"",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}
