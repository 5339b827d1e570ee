//! Another static library in Rust, in the same program as libmilter.a.

/// One more than `n`; 3 panics, and is told so by -7.
#[unsafe(no_mangle)]
pub extern "C" fn beside_answer(n: i32) -> i32 {
    std::panic::set_hook(Box::new(|_| {}));
    let answer = std::thread::spawn(move || {
        assert!(n != 3);
        n + 1
    });
    answer.join().unwrap_or(-7)
}
