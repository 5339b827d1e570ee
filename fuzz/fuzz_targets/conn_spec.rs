#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| libmilter_fuzz::spec_target::run(data));
