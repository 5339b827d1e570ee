//! The page as blocks and tables.

use super::abnf::Grammar;
use crate::error::{Error, Result};
use crate::paths;
use std::path::PathBuf;

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// What stands behind the fence, such as `abnf`.
    pub kind: String,
    /// Number of the fence's line, from 1.
    pub line: usize,
    /// The lines inside.
    pub lines: Vec<String>,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Number of the head's line, from 1.
    pub line: usize,
    /// Names of the columns.
    pub head: Vec<String>,
    /// Rows, without code marks.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Number of the column with this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn column(&self, name: &str) -> usize {
        let found = self.head.iter().position(|known| known == name);
        found.unwrap_or_else(|| panic!("line {}: no column {name:?}", self.line))
    }
}

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Where it lies.
    pub path: PathBuf,
    /// All fenced blocks.
    pub blocks: Vec<Block>,
    /// All tables outside of them.
    pub tables: Vec<Table>,
}

impl Document {
    /// Reads a page below `docs`.
    pub fn read(name: &str) -> Result<Self> {
        let path = paths::workspace().join("docs").join(name);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::new(path.display(), e))?;
        let mut page = Self::parse(&text).map_err(|e| Error::new(path.display(), e))?;
        page.path = path;
        Ok(page)
    }

    /// Takes a page apart.
    pub fn parse(text: &str) -> Result<Self> {
        let mut page = Self::default();
        let mut open: Option<Block> = None;
        let mut in_table = false;
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(kind) = line.strip_prefix("```") {
                match open.take() {
                    Some(block) if kind.is_empty() => page.blocks.push(block),
                    Some(block) => {
                        return Err(Error(format!("line {}: a fence in a block", block.line)));
                    }
                    None if kind.is_empty() => {
                        return Err(Error(format!("line {number}: a block without a kind")));
                    }
                    None => {
                        open = Some(Block { kind: kind.into(), line: number, lines: Vec::new() });
                    }
                }
                in_table = false;
            } else if let Some(block) = &mut open {
                block.lines.push(line.to_owned());
            } else if let Some(cells) = cells(line) {
                match page.tables.last_mut().filter(|_| in_table) {
                    None => page.tables.push(Table { line: number, head: cells, rows: vec![] }),
                    Some(_) if line.contains("|--") || line.contains("|:-") => {}
                    Some(table) if cells.len() != table.head.len() => {
                        return Err(Error(format!("line {number}: {} cells", cells.len())));
                    }
                    Some(table) => table.rows.push(cells),
                }
                in_table = true;
            } else {
                in_table = false;
            }
        }
        match open {
            Some(block) => Err(Error(format!("line {}: a block without an end", block.line))),
            None => Ok(page),
        }
    }

    /// The blocks of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }

    /// The grammar: all rules of all blocks of it.
    pub fn grammar(&self) -> Result<Grammar> {
        let blocks = self.of_kind("abnf");
        Grammar::parse(blocks.flat_map(|block| block.lines.iter().map(String::as_str)))
    }

    /// The table with this head.
    ///
    /// # Panics
    /// If there is none, or more than one.
    pub fn table(&self, head: &[&str]) -> &Table {
        let mut found = self.tables.iter().filter(|table| table.head == head);
        match (found.next(), found.next()) {
            (Some(table), None) => table,
            (None, _) => panic!("{} has no table {head:?}", self.path.display()),
            _ => panic!("{} has more than one table {head:?}", self.path.display()),
        }
    }
}

/// The cells of a table's line, without the marks of code.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    // `\|` is a bar within a cell.
    let inner = inner.replace("\\|", "\u{1}");
    let clean = |cell: &str| cell.trim().replace('`', "").replace('\u{1}', "|");
    Some(inner.split('|').map(clean).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_tables() {
        let text = "a\n```abnf\nx = y\n| no | table |\n```\n| A | B |\n|---|--:|\n| `1` | 2\\|3 |\n\n| A |\n|---|\n";
        let page = Document::parse(text).unwrap();
        assert_eq!(page.blocks.len(), 1);
        assert_eq!(page.blocks[0].lines.len(), 2);
        assert_eq!(page.tables.len(), 2);
        assert_eq!(page.table(&["A", "B"]).rows, [["1", "2|3"]]);
        assert_eq!(page.table(&["A", "B"]).column("B"), 1);
        for bad in ["```\n```\n", "```abnf\n", "| A | B |\n|---|---|\n| 1 |\n"] {
            assert!(Document::parse(bad).is_err(), "{bad}");
        }
    }
}
