//! What bool is in a source that includes our headers, and that each kind of it reaches the library.

use super::headers::output;
use c_tests::differences::assert_ours;
use c_tests::{Compile, Headers, Linkage};
use std::process::Command;

/// What bool is in a source that begins so: its size, and whether 2 stays 2 in it.
fn bool_is(headers: Headers, flags: &str, begin: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (source, program) = (dir.path().join("bool.c"), dir.path().join("bool"));
    let text = format!(
        "{begin}\n#include <libmilter/mfapi.h>\n#include <stdio.h>\nint main(void)\n{{\n\
         printf(\"%d %d\", (int)sizeof(bool), (int)(bool)2);\nreturn 0;\n}}\n"
    );
    std::fs::write(&source, text).unwrap();
    let mut words = flags.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["-Wall", "-Wextra", "-Werror", "-I"]).arg(headers.include().unwrap());
    let done = output(command.arg("-o").arg(&program).arg(&source));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(output(&mut Command::new(&program)).stdout).unwrap()
}

const INT: &str = "4 2";
const BOOL: &str = "1 1";

/// As sendmail 8.18.2 has it, and Debian's from its next release on.
#[test]
fn bool_is_that_of_8_18_2() {
    let ours = |flags: &str, begin: &str| bool_is(Headers::Ours, flags, begin);
    for flags in ["gcc -std=c89", "gcc -std=gnu90", "gcc -std=iso9899:199409", "clang -std=gnu90"] {
        assert_eq!(ours(flags, ""), INT, "{flags}");
    }
    for flags in ["clang -std=c99", "clang -std=gnu11", "clang -std=c17", "clang"] {
        assert_eq!(ours(flags, ""), INT, "{flags}");
    }
    let seen: Vec<_> = ["c99", "gnu99", "c11", "gnu11", "c17", "gnu17"]
        .map(|standard| ours(&format!("gcc -std={standard}"), ""))
        .into();
    assert_ours("D53", seen, vec![BOOL.to_owned(); 6]);
    for flags in ["gcc -std=c2x", "clang -std=c2x"] {
        assert_eq!(ours(flags, ""), BOOL, "{flags}");
    }
    // Where the source has chosen, nothing changes from one release to the next.
    for (begin, wanted) in [
        ("#define SM_CONF_STDBOOL_H 0", INT),
        ("#define SM_CONF_STDBOOL_H 1", BOOL),
        ("#include <stdbool.h>", BOOL),
        ("#define bool int\n#define true 1\n#define false 0", INT),
        ("typedef int bool;\n#define __bool_true_false_are_defined 1", INT),
    ] {
        for compiler in ["gcc", "clang"] {
            let flags = format!("{compiler} -std=gnu11");
            assert_eq!(bool_is(Headers::Reference, &flags, begin), wanted, "{flags} {begin}");
            assert_eq!(ours(&flags, begin), wanted, "{flags} {begin}");
        }
    }
}

/// An argument of every kind reaches the library as what it was meant to be.
#[test]
fn every_kind_of_bool_opens_the_socket() {
    for headers in [Headers::Reference, Headers::Ours] {
        for (compile, flags) in [
            (Compile::c("programs/remove_socket.c"), "-std=gnu90"),
            (Compile::c("programs/remove_socket.c"), "-std=gnu17"),
            (Compile::c("programs/remove_socket.c"), "-DSM_CONF_STDBOOL_H=1"),
            (Compile::c("programs/remove_socket.c"), "-std=gnu2x -DSM_CONF_STDBOOL_H=1"),
            (Compile::cxx("programs/remove_socket.c"), "-std=gnu++98"),
        ] {
            let mut compile = compile.headers(headers);
            for flag in flags.split(' ') {
                compile = compile.flag(flag);
            }
            let program = compile.build().unwrap();
            for linkage in [Linkage::ReferenceDynamic, Linkage::OursDynamic, Linkage::OursStatic] {
                let dir = tempfile::tempdir().unwrap();
                let mut command = linkage.command(&program).unwrap();
                let done = output(command.arg(dir.path().join("socket")));
                let text = String::from_utf8(done.stdout).unwrap();
                assert_eq!(text, "false -1\ntrue 0\n", "{headers:?} {flags} {linkage:?}");
            }
        }
    }
}
