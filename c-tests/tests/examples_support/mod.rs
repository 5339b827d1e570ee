//! The example filters of `examples-c/`, compiled.

use c_tests::{Compile, Program, paths};

/// Compiles an example as its head comment says, with warnings as errors.
pub(crate) fn example(name: &str) -> Program {
    let source = paths::workspace().join(format!("examples-c/{name}.c"));
    let compile = Compile::c(source).flag("-Wextra").flag("-Werror");
    compile.build().unwrap()
}
