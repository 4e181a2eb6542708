//! Values that a client may send, sensible and not.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

/// One of these.
pub(super) fn pick<'a>(random: &mut StdRng, of: &[&'a str]) -> &'a str {
    of.choose(random).unwrap()
}

/// True in so many of 100 cases.
pub(super) fn percent(random: &mut StdRng, chance: u32) -> bool {
    random.random_range(0..100) < chance
}

/// Text of every kind.
pub(super) fn text(random: &mut StdRng) -> String {
    const TEXTS: [&str; 22] = [
        "",
        " ",
        "x",
        "plain words",
        "ünïcödé ☃ 漢字",
        "😀",
        "a😀b",
        "<b>&\"'</b>",
        "../../etc/passwd",
        "a/b",
        "%41%00",
        "null",
        "true",
        "5",
        "line\nbreak",
        "tab\there",
        " padded ",
        "in:a,b",
        "eq:x",
        "a,b;c=d",
        "\u{7f}",
        "\\ back ~1 ~0",
    ];
    match random.random_range(0..30) {
        0 => "x".repeat(255),
        1 => "x".repeat(256),
        2 => "é".repeat(255),
        3 => "é".repeat(256),
        4 => "y".repeat(66_000),
        5 => "z".repeat(81),
        _ => pick(random, &TEXTS).to_owned(),
    }
}

/// JSON of every kind.
pub(super) fn anything(random: &mut StdRng) -> Value {
    match random.random_range(0..20) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(0),
        4 => json!(-1),
        5 => json!(1.0),
        6 => json!(1.5),
        7 => json!(2_147_483_647),
        8 => json!(2_147_483_648_u64),
        9 => json!(u64::MAX),
        10 => json!(1e300),
        11 => json!([]),
        12 => json!({}),
        13 => json!(["a", "b", "a"]),
        14 => json!([1, null, {}]),
        15 => json!({"a": {"b": [1]}}),
        _ => json!(text(random)),
    }
}

/// `sensible` mostly, sometimes anything.
pub(super) fn mostly(random: &mut StdRng, sensible: Value) -> Value {
    if percent(random, 85) { sensible } else { anything(random) }
}

/// Encodes a segment of a path, or a query's value.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
