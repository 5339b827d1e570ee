#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| libmilter_fuzz::macros_target::run(data));
