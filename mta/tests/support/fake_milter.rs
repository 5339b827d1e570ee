//! A milter by script, as a process: `fake-milter [OPTION] SPEC [SCRIPT…]`.
//!
//! Options: `--background` goes to the background as daemons do, `--deaf` ignores SIGTERM,
//! `--never` opens no socket, `--fail STATUS` writes a line to standard error and ends.
//! The script is described in `mod.rs`.

#[path = "mod.rs"]
mod support;

use std::net::{TcpListener, ToSocketAddrs};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use milter_mta::ConnSpec;
use support::Script;

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("--fail") => {
            eprintln!("fake-milter: failing as told");
            std::process::exit(words[1].parse().expect("an exit status"));
        }
        Some("--never") => loop {
            thread::park();
        },
        Some("--deaf") => {
            words.remove(0);
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal_hook::consts::SIGTERM, flag).expect("a handler");
        }
        Some("--background") => {
            words.remove(0);
            background(words);
            return;
        }
        _ => {}
    }
    let spec: ConnSpec = words.remove(0).parse().expect("a specification");
    serve(&spec, &Script::new(&words));
}

/// Starts this program again, in a process group of its own.
#[expect(clippy::zombie_processes, reason = "it is left to whoever adopts it, as a daemon is")]
fn background(words: Vec<String>) {
    let program = std::env::current_exe().expect("a path");
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).process_group(0);
    let child = command.spawn().expect("a child");
    println!("fake-milter: in the background as {}", child.id());
}

fn serve(spec: &ConnSpec, script: &Script) {
    match spec {
        ConnSpec::Unix(path) => {
            let listener = UnixListener::bind(path).expect("a socket");
            for stream in listener.incoming() {
                let script = script.clone();
                thread::spawn(move || script.serve(stream.expect("a connection")));
            }
        }
        ConnSpec::Abstract(_) => panic!("no abstract sockets"),
        ConnSpec::Inet { port, .. } | ConnSpec::Inet6 { port, .. } => {
            let host = spec.host().expect("a host");
            let ipv6 = matches!(spec, ConnSpec::Inet6 { .. });
            // A host such as localhost may have addresses of both families.
            let addresses: Vec<_> = (host, *port)
                .to_socket_addrs()
                .expect("addresses")
                .filter(|address| address.is_ipv6() == ipv6)
                .collect();
            let listener = TcpListener::bind(&addresses[..]).expect("a port");
            for stream in listener.incoming() {
                let script = script.clone();
                thread::spawn(move || script.serve(stream.expect("a connection")));
            }
        }
    }
}
