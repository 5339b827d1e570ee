//! Replies with a text, beside the rules of the manual pages.

use crate::input::Input;
use crate::proto::reply::{multi, single};

/// # Panics
/// If the library takes what is against the rules, refuses what is not, or formats it otherwise.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data, 1_000);
    let kind = input.byte();
    let code = code(&mut input);
    let enhanced = enhanced(&mut input);
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let count = kind & 0x3f;
    let same = line(&mut input);
    for n in 0..count {
        // Many lines need not be in the input.
        lines.push(if input.is_empty() && n > 0 { same.clone() } else { line(&mut input) });
    }
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let text = (kind & 0x40 != 0).then_some(same.as_slice());
    let ours = single(&code, enhanced.as_deref(), text).ok();
    assert_eq!(shown(ours), shown(one_line(&code, enhanced.as_deref(), text)));
    let ours = multi(&code, enhanced.as_deref(), &lines).ok();
    assert_eq!(shown(ours), shown(several_lines(&code, enhanced.as_deref(), &lines)));
}

fn shown(reply: Option<Vec<u8>>) -> Option<String> {
    reply.map(|bytes| bytes.escape_ascii().to_string())
}

pub(crate) fn code(input: &mut Input<'_>) -> Vec<u8> {
    match input.byte() {
        0..100 => b"550".to_vec(),
        100..150 => b"451".to_vec(),
        150..200 => input.take(3).to_vec(),
        _ => input.bytes(),
    }
}

pub(crate) fn enhanced(input: &mut Input<'_>) -> Option<Vec<u8>> {
    match input.byte() {
        0..80 => None,
        80..160 => Some(b"5.7.1".to_vec()),
        160..200 => {
            let digit = |byte: u8| char::from(b'0' + byte % 11);
            let mut text = String::from(digit(input.byte()));
            for _ in 0..2 {
                text.push('.');
                for _ in 0..input.byte() % 6 {
                    text.push(digit(input.byte()));
                }
            }
            Some(text.into_bytes())
        }
        _ => Some(input.bytes()),
    }
}

pub(crate) fn line(input: &mut Input<'_>) -> Vec<u8> {
    let mut text = input.bytes();
    text.retain(|byte| *byte != 0);
    // Around the longest line.
    if text.len() > 970 {
        text.truncate(970 + text.len() % 20);
    }
    text
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Three digits, the first 4 or 5; an enhanced code of a class, a subject and a detail.
fn codes_are_fine(code: &[u8], enhanced: Option<&[u8]>) -> bool {
    let Ok(code) = std::str::from_utf8(code) else { return false };
    let fine = code.len() == 3 && digits(code) && (code.starts_with('4') || code.starts_with('5'));
    let Some(enhanced) = enhanced else { return fine };
    let Ok(text) = std::str::from_utf8(enhanced) else { return false };
    let parts: Vec<&str> = text.split('.').collect();
    fine && parts.len() == 3
        && ["2", "4", "5"].contains(&parts[0])
        && parts[1..].iter().all(|part| digits(part) && matches!(part.len(), 1 | 2 | 3))
}

fn line_is_fine(line: &[u8]) -> bool {
    line.len() <= 980 && !line.contains(&b'\r') && !line.contains(&b'\n')
}

/// What `smfi_setreply` stores.
pub(crate) fn one_line(
    code: &[u8],
    enhanced: Option<&[u8]>,
    text: Option<&[u8]>,
) -> Option<Vec<u8>> {
    if !codes_are_fine(code, enhanced) || !text.is_none_or(line_is_fine) {
        return None;
    }
    let rest: Vec<&[u8]> = [enhanced, text].into_iter().flatten().collect();
    Some([code, &rest.join(&b' ')].join(&b' '))
}

/// What `smfi_setmlreply` stores.
pub(crate) fn several_lines(
    code: &[u8],
    enhanced: Option<&[u8]>,
    lines: &[&[u8]],
) -> Option<Vec<u8>> {
    let all_fine = lines.iter().all(|line| line_is_fine(line));
    if !codes_are_fine(code, enhanced) || !all_fine || lines.is_empty() || lines.len() > 32 {
        return None;
    }
    let usual = [code[0], b'.', b'0', b'.', b'0'];
    let enhanced = enhanced.unwrap_or(&usual);
    let mut reply = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let mark = if n + 1 < lines.len() { "-" } else { " " };
        let end = if n + 1 < lines.len() { "\r\n" } else { "" };
        let parts = [code, mark.as_bytes(), enhanced, b" ", line, end.as_bytes()];
        reply.extend(parts.concat());
    }
    Some(reply)
}
