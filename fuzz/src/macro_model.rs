//! Macros as lists of names and values.

/// Stages by the letter of their packets, the first one first.
const STAGES: &[u8; 7] = b"CHMRTNE";

#[derive(Debug, Default)]
struct Stage {
    macros: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of the last packet; its room may stay.
    size: usize,
    /// Whether it can't be told what the stage has, as it is not known whether a command was taken.
    unknown: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    stages: [Stage; 7],
}

/// "{x}" is the same as "x".
fn plain(name: &[u8]) -> &[u8] {
    if name.len() == 3 && name[0] == b'{' && name[2] == b'}' { &name[1..2] } else { name }
}

impl Model {
    /// A macro packet: the letter of a stage, then strings.
    pub(crate) fn packet(&mut self, payload: &[u8]) {
        let Some((letter, strings)) = payload.split_first() else { return };
        let Some(stage) = STAGES.iter().position(|known| known == letter) else { return };
        self.store(stage, strings);
    }

    pub(crate) fn store(&mut self, stage: usize, strings: &[u8]) {
        let mut strings: Vec<&[u8]> = strings.split(|byte| *byte == 0).collect();
        // What is behind the last NUL.
        strings.pop();
        if strings.is_empty() {
            return;
        }
        let size = strings.iter().map(|string| string.len() + 1).sum();
        let pairs = strings.chunks_exact(2);
        let macros = pairs.map(|pair| (plain(pair[0]).to_vec(), pair[1].to_vec())).collect();
        self.stages[stage] = Stage { macros, size, unknown: false };
    }

    pub(crate) fn clear_from(&mut self, first: usize) {
        for stage in &mut self.stages[first..] {
            stage.macros.clear();
            stage.unknown = false;
        }
    }

    pub(crate) fn forget_from(&mut self, first: usize) {
        self.stages[first..].iter_mut().for_each(|stage| stage.unknown = true);
    }

    /// The value, or none; `Err` if this can't be told.
    pub(crate) fn get(&self, name: &[u8]) -> Result<Option<&[u8]>, ()> {
        let name = plain(name);
        if name.is_empty() {
            return Ok(None);
        }
        for letter in b"ENTRMHC" {
            let stage = STAGES.iter().position(|known| known == letter).expect("a stage");
            let stage = &self.stages[stage];
            if stage.unknown {
                return Err(());
            }
            if let Some((_, value)) = stage.macros.iter().find(|(known, _)| known == name) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Bytes that storing all this may take: each string and where it begins.
    pub(crate) fn room(&self) -> usize {
        self.stages.iter().map(|stage| 5 * stage.size + 64).sum()
    }
}
