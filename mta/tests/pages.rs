//! The commands with milter-try that docs/writing-milters.md shows.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Each is carried out with a milter by script in place of the page's programs.
#[test]
fn commands_of_the_page_work() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/writing-milters.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut count = 0;
    for block in page.split("```sh\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        for line in block.lines() {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("message.eml"), "Subject: x\n\nx\n").unwrap();
            let milter = line.split("./").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            symlink(env!("CARGO_BIN_EXE_fake-milter"), dir.path().join(milter)).unwrap();
            // The fake one is linked with no library.
            let line = match line.contains("--linked") {
                true => line.to_owned(),
                false => line.replacen("milter-try", "milter-try --linked", 1),
            };
            let programs = Path::new(env!("CARGO_BIN_EXE_milter-try")).parent().unwrap();
            let path = format!("{}:/usr/bin:/bin", programs.display());
            let mut sh = Command::new("/bin/sh");
            sh.args(["-c", &line]).env("PATH", path).current_dir(dir.path());
            let output = sh.output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{line}: {}\n{told}", output.status);
            count += 1;
        }
    }
    assert!(count >= 5, "{count}");
}
