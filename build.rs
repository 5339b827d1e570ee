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
    if unwinder_inside() {
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
    without_some_flags();
    // Debug information must not depend on the directory that the library is built in.
    let here = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let mut build = cc::Build::new();
    build
        .flag("-fvisibility=hidden")
        .flag_if_supported(format!("-ffile-prefix-map={here}=/usr/src/libmilter"))
        // As rustc calls: LLD has the loader look up a name twice that is called in both ways.
        .flag_if_supported("-fno-plt")
        .warnings_into_errors(true);
    for flag in hardening() {
        build.flag_if_supported(flag);
    }
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

/// Whether the shared library has GCC's unwinder inside, for panics on their way to where they are caught.
///
/// Looking up and loading libgcc_s takes a tenth of the time that a small C program needs to start, and
/// sendmail's library does not load it. Nothing else unwinds through the library's own frames: a thread
/// that ends in a callback comes back by a jump, and exceptions of C++ find no way (call.c).
fn unwinder_inside() -> bool {
    let is = |name: &str, value: &str| env::var(name).as_deref() == Ok(value);
    // Where it was tried; on 32-bit Arm it is another one.
    is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && ["x86_64", "aarch64"].iter().any(|arch| is("CARGO_CFG_TARGET_ARCH", arch))
}

/// What distributions ask of C code, for whoever builds without their CFLAGS, which come after these.
/// What it is worth in a library whose other objects are Rust's is in docs/packaging.md.
fn hardening() -> &'static [&'static str] {
    // Elsewhere it may need a library of its own at link time.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return &[];
    }
    match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64" | "x86") => &["-fstack-protector-strong", "-fcf-protection"],
        Ok("aarch64") => &["-fstack-protector-strong", "-mbranch-protection=standard"],
        _ => &["-fstack-protector-strong"],
    }
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
