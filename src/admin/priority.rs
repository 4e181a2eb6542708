//! How urgent a queued image is.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// From -100 (last) to 100 (first); what is queued without one has 0. Images of one priority come in the order of the
/// queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Priority(i32);

/// The text is no priority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a priority: it takes low, normal, high, or a number from -100 to 100")]
pub struct InvalidPriority(pub String);

const WORDS: [(&str, i32); 3] = [("low", -50), ("normal", 0), ("high", 50)];

// === impl Priority ===

impl Priority {
    /// Whether it is the one of what is queued without.
    pub fn is_normal(&self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<i32> for Priority {
    type Error = InvalidPriority;

    fn try_from(number: i32) -> Result<Self, InvalidPriority> {
        if (-100..=100).contains(&number) { Ok(Self(number)) } else { Err(InvalidPriority(number.to_string())) }
    }
}

impl From<Priority> for i32 {
    fn from(it: Priority) -> Self {
        it.0
    }
}

impl FromStr for Priority {
    type Err = InvalidPriority;

    fn from_str(text: &str) -> Result<Self, InvalidPriority> {
        let text = text.trim();
        if let Some((_, number)) = WORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)) {
            return Ok(Self(*number));
        }
        let invalid = || InvalidPriority(text.chars().take(80).collect());
        text.parse::<i32>().map_err(|_| invalid()).and_then(|number| Self::try_from(number).map_err(|_| invalid()))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_are_read() {
        for (text, number) in [("low", -50), ("Normal", 0), (" HIGH ", 50), ("-100", -100), ("100", 100), ("7", 7)] {
            assert_eq!(text.parse::<Priority>().map(i32::from), Ok(number), "{text}");
        }
        for text in ["", "101", "-101", "urgent", "1.5", "99999999999999"] {
            assert!(text.parse::<Priority>().unwrap_err().to_string().contains("from -100 to 100"), "{text}");
        }
        assert!(serde_json::from_str::<Priority>("101").is_err());
        assert_eq!(serde_json::to_string(&Priority::try_from(-3).unwrap()).unwrap(), "-3");
    }
}
