//! smfi_progress from several threads while the callback sends changes: whole packets only.

use c_tests::differences::assert_ours;
use c_tests::trace::command::{Step, parse};
use c_tests::trace::transcript::{reply, take_packets};
use c_tests::{Compile, Linkage, Milter};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

#[test]
fn packets_of_several_threads_stay_whole() {
    let program = Compile::c("milters/progress.c").build().unwrap();
    let command = Linkage::OursDynamic.command(&program).unwrap();
    let (milter, _) = Milter::start_at_socket(command, &[]).unwrap();
    let path = milter.dir().join("socket");
    let mut stream = UnixStream::connect(path).unwrap();
    for command in ["O 6 1ff 1fffff", "C host U", "M <a@b>", "R <c@d>", "E"] {
        let Step::Send(bytes) = parse(command).unwrap() else { unreachable!() };
        stream.write_all(&bytes).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for packet in take_packets(&mut bytes).into_iter().skip(1) {
        *counts.entry(reply(&packet)).or_default() += 1;
    }
    let wanted =
        [("a", 1), ("c", 3), ("h \"X-Between\\00progress packets\\00\"", 500), ("p", 2000)];
    let wanted: BTreeMap<String, usize> = wanted.map(|(k, n)| (k.to_owned(), n)).into();
    assert_ours("D25", (counts, bytes.len()), (wanted, 0));
}
