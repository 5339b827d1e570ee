//! What the library logs while the milter runs, read from the file it was told to log to.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use milter_mta::wire::text::printable;

/// By this variable the library is told where to log to.
pub(crate) const VARIABLE: &str = "LIBMILTER_LOG";

/// A log file that grows.
#[derive(Clone, Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    /// Bytes that have been read as whole lines.
    read: u64,
}

impl LogFile {
    /// The log at this path, which need not be there yet.
    pub(crate) fn new(path: PathBuf) -> LogFile {
        LogFile { path, read: 0 }
    }

    /// The lines that have been written since the last call.
    pub(crate) fn new_lines(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(&self.path)
            && file.seek(SeekFrom::Start(self.read)).is_ok()
        {
            let _ = file.read_to_end(&mut bytes);
        }
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        self.read += u64::try_from(end + 1).unwrap_or(0);
        bytes[..end].split(|byte| *byte == b'\n').map(printable).collect()
    }
}

/// A line without time and process, which are plain where it stands in a report.
pub(crate) fn without_stamp(line: &str) -> &str {
    match line.split_once("] ") {
        Some((stamp, rest)) if stamp.starts_with(|first: char| first.is_ascii_digit()) => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn whole_lines_are_given_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = LogFile::new(path.clone());
        assert!(log.new_lines().is_empty());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntwo\nthr").unwrap();
        assert_eq!(log.new_lines(), ["one", "two"]);
        assert!(log.new_lines().is_empty());
        file.write_all(b"ee\x1b\n").unwrap();
        assert_eq!(log.new_lines(), ["three\\u{1b}"]);
        assert_eq!(
            without_stamp("2026-11-27T04:46:38.760Z [2692] info: m: [x] y"),
            "info: m: [x] y"
        );
        assert_eq!(without_stamp("m: [x] y"), "m: [x] y");
    }
}
