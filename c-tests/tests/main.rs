//! The tests in C with both libraries, in one program: twenty would be linked, and take space, one by one.

mod abi;
mod differences;
mod errno;
mod examples;
mod examples_support;
mod exhaustive;
mod headers;
mod linkage;
mod log_lines;
mod matrix;
mod privileges;
mod progress;
mod random;
mod runtime_concurrency;
mod runtime_fds;
mod runtime_languages;
mod runtime_limits;
mod runtime_mixed;
mod runtime_own_threads;
mod runtime_scale;
mod runtime_stop;
mod runtime_stress;
mod runtime_support;
mod runtime_timeouts;
mod scenarios;
mod sessions;
