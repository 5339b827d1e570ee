//! Filters in C++ and in C as of 1989, with our header and with the reference's.

use crate::runtime_support::start_with_session;
use c_tests::{Compile, Headers, Linkage, Program};

/// The reference's header is older than some warnings of today's compilers.
const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];

fn program(source: &str, headers: Headers) -> Program {
    let (compile, standard) = match source.ends_with(".cc") {
        true => (Compile::cxx(source), "-std=c++98"),
        false => (Compile::c(source), "-std=c89"),
    };
    let mut compile = compile.headers(headers).flag(standard);
    if headers == Headers::Ours {
        compile = STRICT.iter().fold(compile, |compile, flag| compile.flag(*flag));
    }
    compile.build().unwrap()
}

/// What two messages get: the first accepted with a header added, the second rejected.
fn plays_two_messages(program: &Program, linkage: Linkage) {
    let (milter, mut session) = start_with_session(linkage.command(program).unwrap());
    assert_eq!(session.ask(b'M', &["<a@example.org>"]), 'c');
    assert_eq!(session.ask(b'L', &["Subject", "x"]), 'c');
    assert_eq!(session.ask(b'L', &["From", "y"]), 'c');
    session.send(b'E', &[]);
    let added = session.packet();
    assert_eq!((added.letter, added.payload), (b'h', b"X-Seen\0Subject From\0".to_vec()));
    assert_eq!(session.reply(), 'a');
    assert_eq!(session.ask(b'M', &["<b@example.org>"]), 'c');
    session.send(b'L', &["X-Throw", "thrown and caught"]);
    let reply = session.packet();
    assert_eq!((reply.letter, reply.payload), (b'y', b"554 5.7.1 thrown and caught\0".to_vec()));
    session.quit();
    let log = milter.log().lines().unwrap();
    assert_eq!(log, [""; 0], "{linkage:?}");
    // The reference may hang or fail at a stop on a busy machine; how it ends is not the matter here.
    if linkage.is_ours() {
        assert!(milter.stop().unwrap().success(), "{linkage:?}");
    }
}

#[test]
fn a_filter_in_cxx_and_one_in_c89() {
    for source in ["milters/runtime_cxx.cc", "milters/runtime_c89.c"] {
        for linkage in Linkage::OURS {
            plays_two_messages(&program(source, Headers::Ours), linkage);
        }
        let reference = program(source, Headers::Reference);
        plays_two_messages(&reference, Linkage::OursDynamic);
        plays_two_messages(&reference, Linkage::ReferenceDynamic);
    }
}
