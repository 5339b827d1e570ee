//! The tests in C with both libraries, in one program: twenty would be linked, and take space, one by one.

/// One test for each way in which a program gets our library.
macro_rules! with_ours {
    ($test:ident) => {
        #[test]
        fn ours_dynamic() {
            $test(c_tests::Linkage::OursDynamic);
        }

        #[test]
        fn ours_static() {
            $test(c_tests::Linkage::OursStatic);
        }

        #[test]
        fn ours_preloaded() {
            $test(c_tests::Linkage::OursPreload);
        }
    };
}

mod abi;
mod differences;
mod errno;
mod examples;
mod examples_support;
mod exhaustive;
mod headers;
mod headers_bool;
mod inherited;
mod linkage;
mod log_container;
mod log_destination;
mod log_lines;
mod matrix;
mod mistakes;
mod packages;
mod privileges;
mod progress;
mod protocol;
mod random;
mod runtime_accept;
mod runtime_allowance;
mod runtime_arrival;
mod runtime_closed;
mod runtime_concurrency;
mod runtime_faults;
mod runtime_fds;
mod runtime_fork;
mod runtime_languages;
mod runtime_leave;
mod runtime_limits;
mod runtime_memory;
mod runtime_mixed;
mod runtime_old_system;
mod runtime_own_threads;
mod runtime_peers;
mod runtime_scale;
mod runtime_slow;
mod runtime_stop;
mod runtime_strangers;
mod runtime_stress;
mod runtime_stuck;
mod runtime_support;
mod runtime_takeover;
mod runtime_threads;
mod runtime_throw;
mod runtime_timeouts;
mod sanitizer;
mod scenarios;
mod services;
mod services_lists;
mod sessions;
mod soak;
mod start_up;
mod static_library;
mod statistics;
mod statistics_reasons;
mod statistics_socket;
mod statistics_support;
mod trace;
mod trace_captures;
mod trace_choice;
mod trace_places;
mod writing_milters;
