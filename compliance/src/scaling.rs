//! What the blocks of `docs/scaling.md` have, which is what an administrator types.

use c_tests::{Error, Result, paths};
use std::fs;

/// The text of the only block that begins with these words behind its three backquotes.
pub fn block(name: &str) -> Result<String> {
    let page = paths::workspace().join("docs/scaling.md");
    let text = fs::read_to_string(&page).map_err(|e| Error::new(page.display(), e))?;
    let begin = format!("\n```{name}\n");
    let mut blocks = text.split(&begin).skip(1);
    match (blocks.next().and_then(|rest| rest.split_once("\n```\n")), blocks.next()) {
        (Some((block, _)), None) => Ok(format!("{block}\n")),
        _ => Err(Error(format!("not one block {name} in docs/scaling.md"))),
    }
}

/// The text with something else in the place of words that stand in it once.
pub fn replaced(text: &str, words: &str, other: &str) -> Result<String> {
    match text.matches(words).count() {
        1 => Ok(text.replace(words, other)),
        n => Err(Error(format!("{words} stands {n} times in a block of docs/scaling.md"))),
    }
}
