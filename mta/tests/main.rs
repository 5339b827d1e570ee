//! milter-try and whole sessions with milters by script, in one program.

mod capture;
mod check;
mod launch;
mod look;
mod milter_try;
mod pages;
mod reader;
mod runs;
mod session;
mod support;
mod verdicts;
mod watch;
mod wishes;
