//! What a filter tells of its process.

use c_tests::linkage::sanitizer_threads;

/// What `describe` in runtime.c tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) threads: usize,
    /// Descriptors; a '!' behind one says that it is inherited by programs the filter starts.
    pub(crate) fds: Vec<String>,
    pub(crate) stop_signals_blocked: bool,
}

impl Description {
    /// Descriptors that there were not before.
    pub(crate) fn added_to(&self, before: &Description) -> Vec<String> {
        self.fds.iter().filter(|fd| !before.fds.contains(fd)).cloned().collect()
    }

    pub(super) fn parse(line: &str) -> Description {
        let value = |name: &str| {
            let start = line.find(name).unwrap() + name.len();
            line[start..].split(' ').next().unwrap()
        };
        let mut fds: Vec<String> = value("fds=").split(',').map(str::to_owned).collect();
        fds.retain(|fd| !fd.is_empty());
        fds.sort();
        let threads: usize = value("threads=").parse().unwrap();
        Description {
            // A sanitizer's own begins with the first one that is started.
            threads: (threads - sanitizer_threads()).max(1),
            fds,
            stop_signals_blocked: value("blocked=") != "0",
        }
    }
}
