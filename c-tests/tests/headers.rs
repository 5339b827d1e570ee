//! Our headers against the reference's: the same macros, values, sizes, offsets and types; and they
//! compile cleanly in every language standard.

use c_tests::differences::assert_ours;
use c_tests::trace::script::CALLBACKS;
use c_tests::{Error, Headers, paths};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

/// What an includer may define first; each changes what the headers define.
const SETTINGS: [&str; 8] = [
    "",
    "-D_FFR_MDS_NEGOTIATE",
    "-D_FFR_WORKERS_POOL",
    "-D_FFR_MILTER_CHECK",
    "-D_FFR_THREAD_MONITOR",
    "-DSMFI_VERSION=999",
    "-DSMFI_PROT_VERSION=2",
    "-DSM_CONF_STDBOOL_H=1",
];

fn compiler(name: &str) -> Command {
    Command::new(name)
}

/// Runs a compiler, or what it has made.
pub(crate) fn output(command: &mut Command) -> Output {
    let package = match command.get_program().to_string_lossy().as_ref() {
        "clang" | "clang++" => "clang",
        "g++" => "g++",
        _ => "gcc libc6-dev",
    };
    command
        .output()
        .map_err(|e| Error(format!("cannot run {command:?}: {e}; apt-get install {package}")))
        .unwrap()
}

/// Compiles a text as `language` and returns the messages, empty if there are none.
fn compile(tool: &str, language: &str, flags: &[&str], headers: Headers, text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    std::fs::write(&source, text).unwrap();
    let mut command = compiler(tool);
    command.args(flags).arg("-I").arg(headers.include().unwrap());
    command.args(["-x", language, "-c", "-o"]).arg(dir.path().join("object")).arg(&source);
    let done = output(&mut command);
    let messages = String::from_utf8_lossy(&done.stderr).into_owned();
    match (done.status.success(), messages.is_empty()) {
        (true, true) => String::new(),
        _ => format!("{command:?}: {}\n{messages}", done.status),
    }
}

/// Names and expansions of the macros that a header adds.
fn macros(headers: Headers, file: &str, setting: &str) -> BTreeMap<String, String> {
    let all = |source: &str| -> BTreeMap<String, String> {
        let mut command = compiler("gcc");
        command.args(setting.split_whitespace());
        command.args(["-dM", "-E", "-include", source, "-x", "c", "/dev/null", "-I"]);
        let text = output(command.arg(headers.include().unwrap()));
        assert!(text.status.success(), "{command:?}: {}", String::from_utf8_lossy(&text.stderr));
        let text = String::from_utf8(text.stdout).unwrap();
        let defines = text.lines().filter_map(|line| line.strip_prefix("#define "));
        let pairs = defines.map(|line| line.split_once(' ').unwrap_or((line, "")));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let system = all("sys/socket.h");
    let mut own = all(file);
    own.retain(|name, _| !system.contains_key(name) && !name.starts_with("__"));
    // The guard of a file that the reference does not have.
    own.remove("_LIBMILTER_LIBMILTER_H");
    own
}

/// Runs a program that prints each expression's value and size.
fn values(headers: Headers, setting: &str, expressions: &[String]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::from(
        "#include <libmilter/mfapi.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{\n",
    );
    for e in expressions {
        let shown = e.replace('"', "'");
        text.push_str(&format!(
            "printf(\"{shown} = %lld, %d bytes\\n\", (long long)({e}), (int)sizeof({e}));\n"
        ));
    }
    text.push_str("return 0;\n}\n");
    let source = dir.path().join("values.c");
    std::fs::write(&source, text).unwrap();
    let program = dir.path().join("values");
    let mut command = compiler("gcc");
    command.args(setting.split_whitespace()).arg("-I").arg(headers.include().unwrap());
    let done = output(command.arg("-o").arg(&program).arg(&source));
    assert!(done.status.success(), "{headers:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(output(&mut Command::new(&program)).stdout).unwrap()
}

#[test]
fn macros_have_the_same_names_and_values() {
    // Not numbers: compared by name only.
    let no_value = ["LIBMILTER_API", "_SOCK_ADDR", "bool", "_STDBOOL_H"];
    for setting in SETTINGS {
        // Older standards have the same bool in both; see headers_bool.rs for the others.
        let setting = &format!("-std=gnu90 {setting}");
        let theirs = macros(Headers::Reference, "libmilter/mfapi.h", setting);
        let ours = macros(Headers::Ours, "libmilter/mfapi.h", setting);
        let only = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
            one.keys().filter(|name| !other.contains_key(*name)).cloned().collect::<Vec<_>>()
        };
        assert_eq!(only(&theirs, &ours), Vec::<String>::new(), "only the reference's, {setting}");
        assert_eq!(only(&ours, &theirs), Vec::<String>::new(), "only ours, {setting}");
        assert!(theirs.len() > 100, "{}", theirs.len());
        let numbers: Vec<String> = theirs
            .keys()
            .filter(|name| !name.contains('(') && !no_value.contains(&name.as_str()))
            .cloned()
            .collect();
        assert_eq!(
            values(Headers::Reference, setting, &numbers),
            values(Headers::Ours, setting, &numbers),
            "with {setting}"
        );
    }
}

#[test]
fn each_file_has_the_same_macros() {
    for setting in SETTINGS {
        let file = "libmilter/mfdef.h";
        let theirs = macros(Headers::Reference, file, setting);
        let ours = macros(Headers::Ours, file, setting);
        let names = |macros: &BTreeMap<String, String>| macros.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&theirs), names(&ours), "{setting}");
        assert!(theirs.len() > 60, "{}", theirs.len());
    }
}

#[test]
fn sizes_and_offsets_are_the_same() {
    let mut expressions: Vec<String> = vec![
        "sizeof(struct smfiDesc)".into(),
        "sizeof(smfiDesc_str)".into(),
        "sizeof(smfiDesc_ptr)".into(),
        "sizeof(SMFICTX_PTR)".into(),
        "sizeof(sfsistat)".into(),
        "(sfsistat)-1 < 0".into(),
        "sizeof(bool)".into(),
        "SM_LM_VRS_MAJOR(0x12345678)".into(),
        "SM_LM_VRS_MINOR(0x12345678)".into(),
        "SM_LM_VRS_PLVL(0x123456ff)".into(),
    ];
    for member in ["name", "version", "flags"].iter().chain(&CALLBACKS) {
        expressions.push(format!("offsetof(struct smfiDesc, xxfi_{member})"));
        expressions.push(format!("sizeof(((struct smfiDesc *)0)->xxfi_{member})"));
    }
    let theirs = values(Headers::Reference, "-std=gnu90", &expressions);
    assert_eq!(theirs, values(Headers::Ours, "-std=gnu90", &expressions));
    assert_eq!(theirs.lines().count(), expressions.len());
}

#[test]
fn functions_and_members_have_the_same_types() {
    let text = std::fs::read_to_string(paths::in_package("programs/abi_types.c")).unwrap();
    let strict = ["-Wall", "-Wextra", "-Werror", "-pedantic-errors"];
    for headers in [Headers::Reference, Headers::Ours] {
        for (tool, language) in [("gcc", "c"), ("clang", "c"), ("g++", "c++"), ("clang++", "c++")] {
            assert_eq!(compile(tool, language, &strict, headers, &text), "", "{headers:?}");
        }
    }
}

/// The first of several spellings of a standard that the compiler knows.
fn standard(tool: &str, language: &str, spellings: &[&str]) -> String {
    let flag = |spelling: &&&str| {
        let flag = format!("-std={spelling}");
        compile(tool, language, &[&flag], Headers::Ours, "int x;\n").is_empty()
    };
    let known = spellings.iter().find(flag);
    format!("-std={}", known.unwrap_or_else(|| panic!("{tool} knows none of {spellings:?}")))
}

fn every_standard(tool: &str, language: &str, standards: &[&[&str]]) {
    let includes = [
        "#include <libmilter/mfapi.h>\n",
        "#include <stdbool.h>\n#include <libmilter/mfapi.h>\n",
        "#include <libmilter/mfapi.h>\n#include <stdbool.h>\n",
        "#define SM_CONF_STDBOOL_H 1\n#include <libmilter/mfapi.h>\n",
        "#include <libmilter/mfdef.h>\n#include <libmilter/mfapi.h>\n#include <libmilter/mfapi.h>\n",
        "#include <libmilter/mfapi.h>\n#include <stdio.h>\n#include <netinet/in.h>\n",
    ];
    let mut problems = String::new();
    for spellings in standards {
        let standard = standard(tool, language, spellings);
        for include in includes {
            // With -pedantic, clang takes any use of <stdbool.h> before C99 for an extension.
            if standard == "-std=c89" && include.to_ascii_lowercase().contains("stdbool") {
                continue;
            }
            let text = format!("{include}bool f(void);\nbool f(void) {{ return true; }}\n");
            let flags = [&*standard, "-pedantic", "-Wall", "-Wextra", "-Werror"];
            problems.push_str(&compile(tool, language, &flags, Headers::Ours, &text));
        }
    }
    assert_ours("D53", problems.as_str(), "");
}

const C: [&[&str]; 6] =
    [&["c89"], &["c99"], &["c11"], &["c17"], &["c23", "c2x"], &["gnu23", "gnu2x"]];
const CXX: [&[&str]; 6] =
    [&["c++98"], &["c++11"], &["c++14"], &["c++17"], &["c++20"], &["c++23", "c++2b"]];

#[test]
fn gcc_compiles_them_in_every_standard() {
    every_standard("gcc", "c", &C);
}

#[test]
fn clang_compiles_them_in_every_standard() {
    every_standard("clang", "c", &C);
}

#[test]
fn gxx_compiles_them_in_every_standard() {
    every_standard("g++", "c++", &CXX);
}

#[test]
fn clangxx_compiles_them_in_every_standard() {
    every_standard("clang++", "c++", &CXX);
}

/// Sources may have used these without including more.
#[test]
fn system_names_come_along() {
    let text = "#include <libmilter/mfapi.h>\nint main(void)\n{\n\tsize_t n = SOMAXCONN;\n\t\
                socklen_t l = 0;\n\tstruct sockaddr a;\n\tfd_set s;\n\tFD_ZERO(&s);\n\t\
                a.sa_family = AF_INET;\n\treturn (int)n + (int)l + a.sa_family;\n}\n";
    for headers in [Headers::Reference, Headers::Ours] {
        assert_eq!(compile("gcc", "c", &["-Wall", "-Werror"], headers, text), "");
    }
    assert!(Path::new(&Headers::Ours.include().unwrap()).join("libmilter/libmilter.h").exists());
}
