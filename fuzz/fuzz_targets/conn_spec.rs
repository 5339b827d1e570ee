#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // The text of an error is what an operator sees.
    if let Err(error) = libmilter_fuzz::conn_spec::parse(data) {
        assert!(!error.to_string().is_empty());
    }
});
