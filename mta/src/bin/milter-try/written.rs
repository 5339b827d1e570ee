//! What the milter has written to its standard output and error.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use milter_mta::wire::text::printable;

/// How much is shown of it, from its end, in bytes.
const SHOWN: u64 = 16 * 1024;

/// What the milter has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The end of it.
    pub(crate) bytes: Vec<u8>,
    /// Bytes before that.
    pub(crate) left_out: u64,
}

impl Written {
    /// Reads the end of a file.
    pub(crate) fn read(path: &Path) -> Written {
        let mut written = Written::default();
        if let Ok(mut file) = File::open(path) {
            let length = file.metadata().map_or(0, |data| data.len());
            written.left_out = length.saturating_sub(SHOWN);
            let _ = file.seek(SeekFrom::Start(written.left_out));
            let _ = file.read_to_end(&mut written.bytes);
        }
        written.bytes.truncate(written.bytes.trim_ascii_end().len());
        written
    }

    /// For a person; empty if there is none.
    pub(crate) fn in_words(&self) -> String {
        let text = printable(&self.bytes);
        match self.left_out {
            0 => text,
            count => format!("(the first {count} bytes are left out)\n{text}"),
        }
    }
}
