//! What each exported function leaves in errno, after success and after failure.

use c_tests::differences::assert_differs;
use c_tests::output::output_within;
use c_tests::{Compile, Linkage, Program, paths};
use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Arguments of `programs/errno.c`; {dir} is a fresh directory, {long} a name of 110 bytes.
const RUNS: [&str; 4] = [
    "run unix:{dir}/s unix:{dir}/missing/s",
    "debug unix:{dir}/s unix:{dir}/missing/s",
    "main inet:0@localhost",
    "refused nonsense:x unix:{dir}/{long} inet:nonsense@127.0.0.1 inet:0@[zz] inet:0@192.0.2.1 \
     fd:99 fd:x unix:/etc/passwd unix:/dev/null/x inet6:0@[127.0.0.1]",
];

/// What the program prints: `call = result: errno name`, with "kept" for a number that is as before.
fn lines(program: &Program, linkage: Linkage, arguments: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let arguments = arguments.replace("{dir}", &dir.path().display().to_string());
    let arguments = arguments.replace("{long}", &"p".repeat(110));
    let mut command = linkage.command(program).unwrap();
    let done = output_within(command.args(arguments.split(' ')), PATIENCE).unwrap();
    assert!(done.status.success(), "{linkage:?} {arguments}: {}", done.status);
    let text = String::from_utf8(done.stdout).unwrap();
    let text = text.replace(&*dir.path().to_string_lossy(), "{dir}");
    text.lines().map(str::to_owned).collect()
}

fn program() -> Program {
    Compile::c("programs/errno.c").flag("-D_GNU_SOURCE").build().unwrap()
}

/// What the reference does; it takes seconds for each stop.
fn reference() -> &'static [Vec<String>] {
    static REFERENCE: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        RUNS.iter().map(|run| lines(&program(), Linkage::ReferenceDynamic, run)).collect()
    })
}

fn compare(linkage: Linkage) {
    let (mut theirs, mut ours) = (BTreeSet::new(), BTreeSet::new());
    let mut called = String::new();
    for (arguments, reference) in RUNS.iter().zip(reference()) {
        let seen = lines(&program(), linkage, arguments);
        assert_eq!(reference.len(), seen.len(), "{arguments}\n{reference:#?}\n{seen:#?}");
        for (reference, seen) in reference.iter().zip(&seen) {
            called.push_str(seen);
            if reference != seen {
                theirs.insert(reference.clone());
                ours.insert(seen.clone());
            }
        }
    }
    let set = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect();
    let reference = [
        "smfi_main() = 0: errno 0",
        "smfi_opensocket(1) = -1: errno 0",
        "smfi_opensocket(1) = 0: errno ENOENT",
    ];
    let wanted = [
        "smfi_main() = 0: errno kept",
        "smfi_opensocket(1) = -1: errno kept",
        "smfi_opensocket(1) = 0: errno kept",
    ];
    assert_differs("D70", (theirs, set(&reference)), (ours, set(&wanted)));
    let symbols = std::fs::read_to_string(paths::in_package("symbols.txt")).unwrap();
    let missing: Vec<_> = symbols.lines().filter(|name| !called.contains(name)).collect();
    assert!(missing.is_empty(), "programs/errno.c does not call {missing:?}");
}

with_ours!(compare);
