//! Compiles the C half of `smfi_setmlreply` and of calls to callbacks, and names the shared library.

use std::env;
use std::process::Command;

/// Name in the dynamic section, that programs linked with the library look for at run time.
/// Debian's; other distributions set `LIBMILTER_SONAME` (see README.md).
const SONAME: &str = "libmilter.so.1.0.1";

fn main() {
    println!("cargo:rerun-if-env-changed=LIBMILTER_SONAME");
    println!("cargo:rerun-if-changed=src/ffi/setmlreply.c");
    println!("cargo:rerun-if-changed=src/ffi/call.c");
    println!("cargo:rerun-if-changed=src/sys/tsan.c");
    println!("cargo:rustc-check-cfg=cfg(exported_from_c)");
    let exported_from_c = rustc_minor() < 88;
    if exported_from_c {
        println!("cargo:rustc-cfg=exported_from_c");
    }
    let apple = env::var("CARGO_CFG_TARGET_VENDOR").is_ok_and(|vendor| vendor == "apple");
    if !apple {
        if let Some(soname) = soname() {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{soname}");
        }
        // A missing symbol is an error now, not when a filter is started. (What a sanitizer has is in no
        // library to link with.)
        if env::var_os("CARGO_CFG_SANITIZED").is_none() {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,defs");
        }
    }
    without_some_flags();
    // Debug information must not depend on the directory that the library is built in.
    let here = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let mut build = cc::Build::new();
    build
        .flag("-fvisibility=hidden")
        .flag_if_supported(format!("-ffile-prefix-map={here}=/usr/src/libmilter"))
        .warnings_into_errors(true);
    let mut call = build.clone();
    let mut tsan = build.clone();
    if exported_from_c {
        build.define("EXPORTED_FROM_C", None);
    }
    build.file("src/ffi/setmlreply.c").compile("milter_setmlreply");
    tsan.file("src/sys/tsan.c").compile("milter_tsan");
    // Exceptions of C++ must find no way through here, see the file.
    for flag in ["-fno-exceptions", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables"] {
        call.flag(flag);
    }
    call.file("src/ffi/call.c").compile("milter_call");
}

/// The NN of Rust 1.NN; a number above all if `rustc --version` is of another form.
fn rustc_minor() -> u32 {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let minor = text.split('.').nth(1).and_then(|minor| minor.parse().ok());
    minor.unwrap_or(u32::MAX)
}

/// None if cargo-c names the library itself, as `package.metadata.capi.library` in Cargo.toml says.
fn soname() -> Option<String> {
    let cargo_c = env::var_os("CARGO_FEATURE_CAPI").is_some();
    env::var("LIBMILTER_SONAME").ok().or_else(|| (!cargo_c).then(|| SONAME.to_owned()))
}

/// What distributions set in CFLAGS and no file here can be compiled with: rustc's linker can't read
/// GCC's intermediate code, and would leave the shim undefined; and `call.c` must not have the tables
/// that exceptions find their way by. The compiler takes these flags after our own.
const UNWANTED: [&str; 5] =
    ["-flto", "-ffat-lto", "-fexceptions", "-funwind-tables", "-fasynchronous-unwind-tables"];

fn without_some_flags() {
    for (name, value) in env::vars() {
        if name == "CFLAGS" || name.starts_with("CFLAGS_") || name.ends_with("_CFLAGS") {
            let kept: Vec<&str> = value
                .split_whitespace()
                .filter(|flag| !UNWANTED.iter().any(|start| flag.starts_with(start)))
                .collect();
            // SAFETY: the build script has no other thread.
            unsafe { env::set_var(&name, kept.join(" ")) };
        }
    }
}
