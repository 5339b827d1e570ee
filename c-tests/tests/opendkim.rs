//! Debian's `opendkim`, as it is packaged, signs and verifies with our library in `LD_PRELOAD`.
//!
//! A message goes through a Postfix whose filter is the signing opendkim. What that delivers is sent
//! through a second Postfix, whose filter verifies and says so in a header. The public key comes
//! from a file, so no DNS is asked.

#[allow(dead_code, reason = "shared with postfix.rs, which looks at more of a delivery")]
mod postfix_support;

use c_tests::error::run;
use c_tests::{Linkage, Milter};
use postfix_support::{Postfix, free_port, unpack};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A key pair: `private.pem`, and `public` in the form opendkim reads in place of DNS.
fn keys() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let private = dir.path().join("private.pem");
    let advice = "this test makes its key with openssl: apt-get install openssl";
    let mut generate = Command::new("openssl");
    generate.args(["genrsa", "-out"]).arg(&private).arg("2048");
    run(&mut generate, advice).unwrap();
    let mut export = Command::new("openssl");
    export.args(["rsa", "-pubout", "-in"]).arg(&private);
    let pem = run(&mut export, advice).unwrap().stdout;
    let pem = String::from_utf8(pem).unwrap();
    let key: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let record = format!("test._domainkey.a.example v=DKIM1; k=rsa; p={key}\n");
    fs::write(dir.path().join("public"), record).unwrap();
    dir
}

/// Starts opendkim with these settings; returns it with its connection spec.
fn opendkim(linkage: Linkage, settings: &str) -> (Milter, String) {
    let (root, libraries) = unpack(&["opendkim"]).unwrap();
    let mut command = Command::new(root.join("usr/sbin/opendkim"));
    linkage.apply(&mut command).unwrap();
    let found = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| {
        (name == "LD_LIBRARY_PATH").then(|| value.unwrap_or_default().to_str().unwrap().to_owned())
    };
    let libmilter = command.get_envs().find_map(found).unwrap();
    command.env("LD_LIBRARY_PATH", format!("{libmilter}:{libraries}"));
    let spec = format!("inet:{}@127.0.0.1", free_port().unwrap());
    let mut milter = Milter::start(command, |command, dir| {
        let file = dir.join("opendkim.conf");
        fs::write(&file, format!("{settings}Socket {spec}\n")).unwrap();
        command.arg("-f").arg("-x").arg(file);
    })
    .unwrap();
    milter.wait_for(&spec).unwrap();
    milter.check_mapped(linkage).unwrap();
    (milter, spec)
}

fn signer(linkage: Linkage, keys: &Path) -> (Milter, String) {
    let key = keys.join("private.pem");
    let key = key.display();
    opendkim(
        linkage,
        &format!("Mode s\nDomain a.example\nSelector test\nKeyFile {key}\nRequireSafeKeys no\n"),
    )
}

/// By default mail from this machine is not verified, hence `InternalHosts`.
fn verifier(linkage: Linkage, keys: &Path) -> (Milter, String) {
    let public = keys.join("public");
    let public = public.display();
    opendkim(
        linkage,
        &format!(
            "Mode v\nTestPublicKeys {public}\nInternalHosts 192.0.2.1\nAlwaysAddARHeader yes\n"
        ),
    )
}

/// Sends a message with CRLF line ends through a Postfix; returns it as delivered, likewise.
fn through(postfix: &Postfix, message: &str) -> String {
    let mut smtp = postfix.greeted();
    let reply = smtp.send("author@a.example", &["reader@b.example"], message);
    let id = reply.queue_id();
    let deliveries = postfix.deliveries(&id);
    let has_id = |message: &&str| message.contains(&id);
    let mut messages = deliveries.iter().map(|d| d.message.as_str());
    messages.find(has_id).unwrap().replace('\n', "\r\n")
}

/// What the verifier says: `pass`, `fail`, ...
fn result(message: &str) -> &str {
    let header = message.strip_prefix("Authentication-Results: ");
    let (_, rest) = header.and_then(|h| h.split_once("dkim=")).unwrap_or_else(|| {
        panic!("no Authentication-Results at the top:\n{message}");
    });
    rest.split([' ', ';', '\r']).next().unwrap()
}

fn signs_and_verifies(signing: Linkage, verifying: Linkage) {
    let keys = keys();
    let (signer, spec) = signer(signing, keys.path());
    let outgoing = Postfix::start(&spec).unwrap();
    // Long enough for several body packets.
    let body = "The quick brown fox jumps over the lazy dog.\r\n".repeat(4000);
    let message = format!("From: author@a.example\r\nSubject: signed\r\n\r\n{body}");
    let signed = through(&outgoing, &message);
    assert!(signed.starts_with("DKIM-Signature: "), "{}", &signed[..2000]);
    drop(outgoing);

    let (verifier, spec) = verifier(verifying, keys.path());
    let incoming = Postfix::start(&spec).unwrap();
    assert_eq!(result(&through(&incoming, &signed)), "pass");
    // The very last body line counts, and so does the header.
    let (before, last) = signed.rsplit_once("dog").unwrap();
    let forged = format!("{before}cat{last}");
    assert_eq!(result(&through(&incoming, &forged)), "fail");
    let forged = signed.replacen("Subject: signed", "Subject: forged", 1);
    assert_eq!(result(&through(&incoming, &forged)), "fail");
    assert!(signer.stop().unwrap().success());
    assert!(verifier.stop().unwrap().success());
}

#[test]
fn reference() {
    signs_and_verifies(Linkage::ReferenceDynamic, Linkage::ReferenceDynamic);
}

/// What we sign, a verifier with Debian's library accepts.
#[test]
fn ours_signs() {
    signs_and_verifies(Linkage::OursPreload, Linkage::ReferenceDynamic);
}

#[test]
fn ours_verifies() {
    signs_and_verifies(Linkage::ReferenceDynamic, Linkage::OursPreload);
}
