//! Macros beside a model of them.

use crate::input::Input;
use crate::macro_model::Model;
use crate::memory::{counted, held, reset};
use crate::proto::macros::{Macros, stage_of};

/// Names that packets and look-ups share.
const NAMES: [&[u8]; 10] =
    [b"i", b"{i}", b"j", b"{ab}", b"ab", b"{mail_addr}", b"", b"{}", b"{{}", b"{auth_type}"];

/// # Panics
/// If a value is not what the model has.
pub fn run(data: &[u8]) {
    reset();
    let mut input = Input::new(data, 200_000);
    let mut macros = Macros::default();
    let mut model = Model::default();
    while !input.is_empty() {
        match input.byte() % 8 {
            0..4 => {
                let payload = packet(&mut input);
                model.packet(&payload);
                let [letter, strings @ ..] = payload.as_slice() else { continue };
                if let Some(stage) = stage_of(*letter) {
                    counted(|| macros.store(stage, strings).expect("memory"));
                }
            }
            4 => {
                let from = usize::from(input.byte() % 8);
                counted(|| macros.clear_from(from));
                model.clear_from(from.min(7));
            }
            5 => look(&mut macros, &model, &input.bytes()),
            _ => look(&mut macros, &model, NAMES[usize::from(input.byte()) % NAMES.len()]),
        }
        assert!(held() <= model.room() + 256, "{} bytes for {}", held(), model.room());
    }
    for name in NAMES {
        look(&mut macros, &model, name);
    }
    counted(|| drop(macros));
    assert_eq!(held(), 0, "left behind");
}

/// A macro packet: anything, or names and values.
pub(crate) fn packet(input: &mut Input<'_>) -> Vec<u8> {
    let kind = input.byte();
    let mut payload = vec![b"CHMRTNEZ"[usize::from(kind & 7)]];
    if kind & 0x80 != 0 {
        payload.extend(input.bytes());
        return payload;
    }
    for _ in 0..(kind >> 3 & 7) {
        let name = input.byte();
        payload.extend_from_slice(NAMES[usize::from(name) % NAMES.len()]);
        payload.push(0);
        let mut value = input.bytes();
        value.retain(|byte| *byte != 0);
        payload.extend(value);
        payload.push(0);
    }
    payload
}

fn look(macros: &mut Macros, model: &Model, name: &[u8]) {
    // C names end at the first NUL.
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let found = counted(|| macros.find(name)).map(|value| value.to_vec());
    let value = found.as_deref().map(|value| value.split(|byte| *byte == 0).next().expect("one"));
    assert_eq!(model.get(name), Ok(value), "{}", name.escape_ascii());
    if let Some(found) = &found {
        assert!(found.contains(&0), "a value without NUL");
    }
}
