//! Filters that come and go at one path or socket: nobody who connects finds none.

use super::runtime_support::{Filter, eventually, listening};
use c_tests::differences::assert_differs;
use c_tests::ends::Ends;
use c_tests::{Linkage, public};
use rustix::process::Signal;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Names by which the system lists sockets that listen at the path or beside it, without process ids.
fn listed(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let lines = listening();
    let names = lines.iter().filter_map(|line| line.find(path).map(|at| &line[at + path.len()..]));
    let mut names: Vec<String> =
        names.map(|rest| if rest.is_empty() { "path" } else { "beside" }.to_owned()).collect();
    names.sort();
    names
}

/// Starts a filter, and another one at its path while somebody connects all the time; how often that
/// failed, and how the system lists the two.
fn take_over(linkage: Linkage) -> (bool, Vec<String>) {
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("socket");
    let spec = format!("unix:{}", path.display());
    let mut serving = Filter::launch(linkage, &spec, &[]);
    serving.wait_for("ready ");
    serving.session("first").quit();
    let stop = AtomicBool::new(false);
    let mut refused = false;
    let mut names = Vec::new();
    std::thread::scope(|scope| {
        let connecting = scope.spawn(|| {
            let mut refused = false;
            while !stop.load(Ordering::Relaxed) {
                match UnixStream::connect(&path) {
                    Ok(stream) => drop(stream.shutdown(Shutdown::Both)),
                    Err(e)
                        if matches!(
                            e.kind(),
                            ErrorKind::NotFound | ErrorKind::ConnectionRefused
                        ) =>
                    {
                        refused = true;
                    }
                    // Its backlog is full.
                    Err(_) => std::thread::yield_now(),
                }
            }
            refused
        });
        let ends = Ends(&stop);
        for _ in 0..5 {
            // The reference's filter removes at its end what is at the path, whosever it is, unless it is root.
            let inode = std::fs::metadata(&path).ok().map(|file| file.ino());
            let next = Filter::launch(linkage, &spec, &[]);
            next.wait_for("ready ");
            eventually("the path is taken over", || {
                std::fs::metadata(&path).is_ok_and(|file| Some(file.ino()) != inode)
            });
            // It takes signals for itself from then on, after it has taken the path.
            next.session("first").quit();
            names = listed(&path);
            let before = std::mem::replace(&mut serving, next);
            before.signal(Signal::INT);
            // What it removes, it does now.
            before.returned(1);
        }
        drop(ends);
        refused = connecting.join().unwrap();
    });
    serving.signal(Signal::INT);
    (refused, names)
}

#[test]
fn the_next_filter_takes_a_path_over_without_a_gap() {
    let beside = |names: &[String]| names.iter().any(|name| name == "beside");
    let (refused, ours) = take_over(Linkage::OursDynamic);
    assert!(!refused);
    let (_, reference) = take_over(Linkage::ReferenceDynamic);
    assert_differs("D83", (beside(&reference), false), (beside(&ours), true));
}
