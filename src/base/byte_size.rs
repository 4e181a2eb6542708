//! Sizes as people write and read them: `10GiB`, `100 MB`, `12345`.

use std::{fmt, str::FromStr};

const BINARY: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const DECIMAL: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];

/// A number of bytes that prints with the largest binary unit that leaves at least 1: `1.5 GiB`, `900 B`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// The text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a size: it takes a number of bytes, or a number with a unit such as 100MB or 10GiB")]
pub struct InvalidByteSize(pub String);

// === impl ByteSize ===

impl FromStr for ByteSize {
    type Err = InvalidByteSize;

    /// Units: none or `B`; `k`…`E` and `Ki`…`Ei`, with or without `B`, in any case. A fraction (`1.5GiB`) is rounded down.
    fn from_str(text: &str) -> Result<Self, InvalidByteSize> {
        let invalid = || InvalidByteSize(text.chars().take(80).collect());
        let trimmed = text.trim();
        let digits_end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits_end);
        let factor = factor(unit.trim_start()).ok_or_else(invalid)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || fraction.len() > 9 || (number.contains('.') && fraction.is_empty()) {
            return Err(invalid());
        }
        let whole: u128 = whole.parse().map_err(|_| invalid())?;
        let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| invalid())? };
        let scale = 10_u128.pow(fraction.len() as u32);
        let bytes = whole.checked_mul(factor).and_then(|it| it.checked_add(part * factor / scale));
        bytes.and_then(|it| u64::try_from(it).ok()).map(Self).ok_or_else(invalid)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        let mut unit = "B";
        for next in BINARY {
            // 1023.96 would print as 1024.0.
            if value < 1023.95 {
                break;
            }
            value /= 1024.0;
            unit = next;
        }
        if unit == "B" { write!(f, "{} B", self.0) } else { write!(f, "{value:.1} {unit}") }
    }
}

fn factor(unit: &str) -> Option<u128> {
    if unit.is_empty() || unit.eq_ignore_ascii_case("b") {
        return Some(1);
    }
    let named = |names: &[&str; 6], base: u128| {
        let fits = |name: &str| unit.eq_ignore_ascii_case(name) || unit.eq_ignore_ascii_case(&name[..name.len() - 1]);
        names.iter().position(|name| fits(name)).map(|power| base.pow(power as u32 + 1))
    };
    named(&BINARY, 1024).or_else(|| named(&DECIMAL, 1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("12345", 12345),
            ("0", 0),
            ("10GiB", 10 << 30),
            ("100MB", 100_000_000),
            ("100 mb", 100_000_000),
            ("1.5 GiB", 3 << 29),
            ("2k", 2000),
            ("2Ki", 2048),
            ("7 B", 7),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in
            ["", "GiB", "-1", "1..5G", "1.G", "10 parsecs", "16EiB", "99999999999999999999999999999999999999EB", "1e3"]
        {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn prints_what_people_read() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (3 << 29, "1.5 GiB"),
            ((1 << 30) - 1, "1.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back_within_a_twentieth(bytes in any::<u64>()) {
            let Ok(back) = ByteSize(bytes).to_string().parse::<ByteSize>() else {
                // 16.0 EiB is one more than fits.
                prop_assert!(bytes > u64::MAX - (u64::MAX >> 6));
                return Ok(());
            };
            prop_assert!(back.0.abs_diff(bytes) <= bytes / 20);
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = text.parse::<ByteSize>();
        }
    }
}
