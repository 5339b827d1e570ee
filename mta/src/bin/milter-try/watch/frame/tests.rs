use super::*;

fn page(scale: u64, start: u64) -> Page {
    let text = format!(
        r#"libmilter_build_info{{version="0.1.0",filter="a filter"}} 1
libmilter_start_time_seconds {start}
libmilter_sessions_total {sessions}
libmilter_sessions_open 12
libmilter_sessions_waiting{{for="mta"}} 8
libmilter_sessions_waiting{{for="thread"}} 1
libmilter_sessions_waiting{{for="room"}} 1
libmilter_sessions_ended_total{{reason="quit"}} {scale}0
libmilter_sessions_ended_total{{reason="hung_up"}} {scale}
libmilter_sessions_ended_total{{reason="stop"}} 0
libmilter_refused_total{{reason="max_sessions"}} {scale}
libmilter_received_bytes_total {scale}20000
libmilter_sent_bytes_total {scale}00
libmilter_log_lines_left_out_total 3
libmilter_messages_total {scale}0
libmilter_messages_ended_total{{result="accepted"}} {scale}0
libmilter_messages_ended_total{{result="rejected"}} {scale}
libmilter_callback_duration_seconds_bucket{{stage="mail",le="0.0001"}} {scale}00
libmilter_callback_duration_seconds_bucket{{stage="mail",le="+Inf"}} {scale}00
libmilter_callback_duration_seconds_sum{{stage="mail"}} 0.00{scale}
libmilter_callback_duration_seconds_count{{stage="mail"}} {scale}00
libmilter_callback_duration_seconds_bucket{{stage="eom",le="0.5"}} {scale}0
libmilter_callback_duration_seconds_bucket{{stage="eom",le="60"}} {scale}96
libmilter_callback_duration_seconds_bucket{{stage="eom",le="+Inf"}} {scale}99
libmilter_callback_duration_seconds_sum{{stage="eom"}} {scale}0.5
libmilter_callback_duration_seconds_count{{stage="eom"}} {scale}99
libmilter_callbacks_under_way{{stage="eom"}} 2
libmilter_callbacks_under_way{{stage="mail"}} 0
libmilter_callbacks_under_way{{stage="data"}} 0
libmilter_callbacks_under_way_longest_seconds{{stage="eom"}} 75.25
libmilter_callbacks_under_way_longest_seconds{{stage="mail"}} 0
libmilter_callbacks_under_way_longest_seconds{{stage="data"}} 0
libmilter_threads{{state="loop"}} 2
libmilter_threads{{state="working"}} 2
libmilter_threads{{state="idle"}} 1
libmilter_threads_limit 20
"#,
        sessions = scale + 11,
    );
    Page::read(&text).unwrap()
}

fn callbacks(count: usize) -> Callbacks {
    let row = Callback {
        session: "4711".into(),
        name: "xxfi_eom".into(),
        milliseconds: 75_250,
        thread: "123456".into(),
        queue_id: "4c9Yzk1Nq5z".into(),
    };
    Callbacks { rows: vec![row; count.min(32)], count }
}

#[test]
fn a_frame_since_the_last_one() {
    let (before, now) = (page(1, 1000), page(5, 1000));
    let since = Duration::from_millis(2000);
    let callbacks = callbacks(2);
    let moment =
        Moment { page: &now, before: Some((&before, since)), callbacks: &callbacks, unix: 9000.0 };
    let expected = "\
a filter, libmilter 0.1.0, up 2 h 13 min                 rates of the last 2.0 s

Sessions   12 open, 2 in a callback, 8 wait for their MTA, 1 a thread, 1 room
Begun      2.0/s, quit 20.0, hung up 2.0
Refused/s  max sessions 2.0
Messages   20.0/s, accepted 20.0, rejected 2.0
Traffic    200.0k bytes/s received, 200 bytes/s sent
Threads    5 of 20, 2 with a loop, 2 working, 1 idle
Log        3 lines left out

Slowest stages    calls/s       mean     95% in     99% in    now    longest now
eom                   200   100.0 ms    60.00 s    60.00 s      2        75.25 s
mail                  200      10 us     100 us     100 us      0              -

In a callback now  callback               for     thread  queue id
session 4711       xxfi_eom           75.25 s     123456  4c9Yzk1Nq5z
session 4711       xxfi_eom           75.25 s     123456  4c9Yzk1Nq5z
";
    assert_eq!(frame(&moment), expected);
}

#[test]
fn the_first_frame_has_rates_since_the_start() {
    let now = page(5, 1000);
    let moment = Moment { page: &now, before: None, callbacks: &callbacks(0), unix: 1010.0 };
    let text = frame(&moment);
    assert!(text.contains("up 10 s                        "), "{text}");
    assert!(text.contains("rates since the start\n"), "{text}");
    assert!(text.contains("Messages   5.0/s, accepted 5.0, rejected 0.5\n"), "{text}");
    assert!(text.ends_with("\nNo session is in a callback now\n"), "{text}");
}

#[test]
fn no_line_is_longer_than_a_terminal_is_wide() {
    let long = "x".repeat(300);
    let text = format!("libmilter_build_info{{version=\"1\",filter=\"{long}\"}} 1\n");
    let reasons = (0..40)
        .map(|n| format!("libmilter_sessions_ended_total{{reason=\"reason_{n}\"}} 1000000000\n"));
    let now = Page::read(&(text + &reasons.collect::<String>())).unwrap();
    let mut callbacks = callbacks(100);
    callbacks.rows.iter_mut().for_each(|row| row.queue_id.clone_from(&long));
    let moment = Moment { page: &now, before: None, callbacks: &callbacks, unix: 1e9 };
    let text = frame(&moment);
    for line in text.lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
    assert!(text.ends_with("\nand 92 more\n"), "{text}");
}

#[test]
fn numbers_have_as_many_decimals_as_help() {
    let shown = [0.0, 0.004, 0.25, 12.34, 345.6, 12_345.0, 2e7].map(number);
    assert_eq!(shown, ["0.0", "0.004", "0.2", "12.3", "346", "12.3k", "20.0M"]);
    let ages = [5.0, 65.0, 3700.0, 90_000.0, -1.0].map(age);
    assert_eq!(ages, ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h", "0 s"]);
}
