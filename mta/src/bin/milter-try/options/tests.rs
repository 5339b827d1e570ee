//! Command lines, right and wrong.

use super::*;
use milter_mta::session::Stage;

fn run(line: &str) -> Result<Options, String> {
    let words = line.split_whitespace().map(OsString::from).collect();
    match parse(words) {
        Ok(Request::Run(options)) => Ok(*options),
        Ok(other) => panic!("{other:?}"),
        Err(failure) => {
            assert_eq!(failure.status.code(), 64);
            Err(failure.message)
        }
    }
}

#[test]
fn everything_after_the_dashes_is_the_milters() {
    let options = run("--count 3 a.eml b.eml -- ./m --count 7 -- x").unwrap();
    assert_eq!(options.count, 3);
    assert_eq!(options.files, [PathBuf::from("a.eml"), PathBuf::from("b.eml")]);
    assert_eq!(options.command, ["./m", "--count", "7", "--", "x"]);
    assert_eq!(options.rcpt, ["recipient@example.net"]);
}

#[test]
fn options_are_read() {
    let options =
        run("--socket=inet:25@h --wait 2.5 --linked --from a@b --rcpt c@d --rcpt e@f --mta 8.12 \
         --timeout 3 --macro mail:x=1 --macro envrcpt:{y}=a=b --sessions 5 --json -q -- m")
        .unwrap();
    assert_eq!(options.socket.unwrap().to_string(), "inet:25@h");
    assert_eq!(options.wait, Some(Duration::from_millis(2500)));
    assert_eq!(options.library, Library::Linked);
    assert_eq!(options.rcpt, ["c@d", "e@f"]);
    assert_eq!(options.profile.mta, Mta::Sendmail812);
    assert_eq!(options.profile.timeouts.content, Duration::from_secs(3));
    let macros = [
        (Stage::Mail, "x".to_owned(), "1".to_owned()),
        (Stage::Rcpt, "{y}".to_owned(), "a=b".to_owned()),
    ];
    assert_eq!(options.macros, macros);
    assert_eq!(options.sessions, 5);
    assert!(options.json && options.quiet);
}

#[test]
fn mistakes_say_what_is_wrong_and_what_would_be_right() {
    for (line, message) in [
        ("", "put its command after \"--\""),
        ("--", "put its command after \"--\""),
        ("--connect unix:/x -- m", "no command may follow"),
        ("--connect unix:/x --socket unix:/y", "with --connect there is none"),
        ("--connect unix:/x --linked", "has its library already"),
        ("--connect tcp:1@h", "inet:port@host"),
        ("--frobnicate -- m", "try: milter-try --help"),
        ("--count 0 -- m", "not a number from 1 to 1000000"),
        ("--sessions many -- m", "not a number from 1 to 10000"),
        ("--wait -1 -- m", "not a number of seconds"),
        ("--timeout 1e9 -- m", "up to a day"),
        ("--mta exim -- m", "known are sendmail"),
        ("--macro x=1 -- m", "STAGE:NAME=VALUE"),
        ("--macro end:x=1 -- m", "known are connect"),
        ("--rcpt", "--rcpt"),
    ] {
        let error = run(line).unwrap_err();
        assert!(error.contains(message), "{line}: {error}");
    }
}

#[test]
fn help_and_version_come_first() {
    let request = |word: &str| parse(vec![word.into()]);
    assert!(matches!(request("--help"), Ok(Request::Help)));
    assert!(matches!(request("-V"), Ok(Request::Version)));
}
