#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| libmilter_fuzz::replies_target::run(data));
