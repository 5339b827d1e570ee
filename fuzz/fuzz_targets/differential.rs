#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| libmilter_fuzz::differential_target::run(data));
