//! An exception of C++ that leaves a callback: the program's own terminate handler ends the process.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use c_tests::{Compile, Linkage};

use super::runtime_support::start_with_session;

#[test]
fn an_exception_that_leaves_a_callback_ends_the_process_as_the_program_wants() {
    let program = Compile::cxx("milters/runtime_throw.cc").build().unwrap();
    for linkage in [Linkage::ReferenceDynamic].into_iter().chain(Linkage::OURS) {
        for threads in ["pool", "session"] {
            let mut command = linkage.command(&program).unwrap();
            command.stdout(Stdio::piped()).env("LIBMILTER_THREADS", threads);
            let (mut milter, mut session) = start_with_session(command);
            session.send(b'M', &["<a@example.org>"]);
            let mut said = String::new();
            milter.child().stdout.take().unwrap().read_to_string(&mut said).unwrap();
            assert_eq!(said, "terminate: left the callback, unwound: 0\n", "{linkage:?}");
            let status = milter.wait().unwrap();
            assert_eq!(status.signal(), Some(6), "{linkage:?}: {status}");
            assert_eq!(milter.log().lines().unwrap(), [""; 0], "{linkage:?}");
        }
    }
}
