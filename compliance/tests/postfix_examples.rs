//! The example filters in Postfix.

use compliance::compare::BOTH_WAYS;
use compliance::filter::Socket;
use compliance::mta::Kind;
use compliance::{Filter, Mta, Observation, Pair, compare};

const MESSAGE: &str = "From: Old <old@a.example>\r\nX-Mailer: one\r\nSubject: hello\r\nX-Mailer: two\r\n\r\nshort\r\n";

#[test]
fn rewrite() {
    let pair = Pair {
        milter: "rewrite",
        milter_version: "-".into(),
        mta: "Postfix",
        mta_version: Kind::Postfix.version().unwrap(),
        exercised: "sender, recipients, header and body changed; two messages in a session",
        libraries: BOTH_WAYS,
        differences: &[],
    };
    compare(&pair, |linkage| {
        let mut seen = Observation::new();
        let args = ["old@a.example", "new@b.example"];
        let filter = Filter::compiled(linkage, "examples-c/rewrite.c", Socket::Inet, &args)?;
        let mta = Mta::postfix().milter(filter.spec()).start()?;
        let mut smtp = mta.smtp()?;
        smtp.send("old@a.example", &["old@a.example", "kept@c.example"], MESSAGE)?;
        smtp.send("other@a.example", &["b@b.example"], "Subject: x\r\n\r\nx\r\n")?;
        seen.section("SMTP", smtp.quit()?);
        mta.observe(&mut seen)?;
        drop(mta);
        filter.stop(&mut seen, "rewrite")?;
        seen.expect("delivered", "X-Old-Address: old@a.example");
        Ok(seen)
    });
}
