//! The left side of a check: a Python literal, or the path of an attribute of the credentials.

/// What stands before the first colon of a check.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LeftSide {
    /// As Python's `str()` prints it.
    Literal(String),
    /// The attribute, and the keys below it.
    Attribute(String, Vec<String>),
}

/// Reads it; the error says why in words.
pub(super) fn left_side(text: &str) -> Result<LeftSide, String> {
    if let Some(value) = literal(text) {
        return Ok(LeftSide::Literal(value));
    }
    let is_name = |part: &str| {
        part.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            && !part.ends_with('-')
    };
    let mut parts = text.split('.').map(str::to_owned);
    match parts.next() {
        Some(key) if text.split('.').all(is_name) => Ok(LeftSide::Attribute(key, parts.collect())),
        _ => {
            let shown: String = text.chars().take(60).collect();
            Err(format!("'{shown}' is neither the name of an attribute nor a literal"))
        }
    }
}

/// Quoted texts without escapes, numbers, True, False, None.
fn literal(text: &str) -> Option<String> {
    if matches!(text, "True" | "False" | "None") {
        return Some(text.to_owned());
    }
    for mark in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(mark).and_then(|it| it.strip_suffix(mark)) {
            return (!inner.contains(['\\', mark])).then(|| inner.to_owned());
        }
    }
    number(text)
}

fn number(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let is_digits = |it: &str| !it.is_empty() && it.bytes().all(|b| b.is_ascii_digit());
    if is_digits(digits) && digits.len() <= 18 {
        let zero = digits.bytes().all(|b| b == b'0');
        // Python refuses 007, and knows no -0.
        return if zero { Some("0".into()) } else { (!digits.starts_with('0')).then(|| format!("{sign}{digits}")) };
    }
    let (whole, fraction) = digits.split_once('.')?;
    if !is_digits(whole) || !is_digits(fraction) || digits.len() > 15 {
        return None;
    }
    let number: f64 = digits.parse().ok()?;
    // Outside of this, Python writes an exponent.
    (number == 0.0 || number >= 1e-4).then(|| format!("{sign}{number:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_print_as_python_prints_them() {
        let cases = [
            ("'x'", "x"),
            ("\"a b\"", "a b"),
            ("True", "True"),
            ("None", "None"),
            ("1", "1"),
            ("-12", "-12"),
            ("+3", "3"),
            ("1.50", "1.5"),
            ("-0.0", "-0.0"),
            ("00", "0"),
        ];
        for (text, value) in cases {
            assert_eq!(left_side(text), Ok(LeftSide::Literal(value.to_owned())), "{text}");
        }
        assert_eq!(left_side("a.b-c._d"), Ok(LeftSide::Attribute("a".into(), vec!["b-c".into(), "_d".into()])));
        for text in ["", "a..b", "007", "'a", "1x", "$a", "a-", ".", "'a'b'"] {
            assert!(left_side(text).is_err(), "{text}");
        }
    }
}
