//! `user_storage_quota`.

use std::{fmt, str::FromStr};

/// How many bytes the images of one project may have in all: size times locations, without what is killed or deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageQuota(Option<u64>);

/// Not a quota as Glance writes them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no storage quota: it takes a whole number with or without B, KB, MB, GB or TB, and no space")]
pub struct InvalidQuota(pub String);

// === impl StorageQuota ===

impl StorageQuota {
    /// As many bytes as this; 0 is no limit.
    pub fn new(bytes: u64) -> Self {
        Self((bytes > 0).then_some(bytes))
    }

    /// None: there is no limit.
    pub fn bytes(self) -> Option<u64> {
        self.0
    }

    /// How many bytes fit beside what is `used`; none when there is no limit. A quota that was made smaller leaves 0.
    pub fn remaining(self, used: u64) -> Option<u64> {
        self.0.map(|it| it.saturating_sub(used))
    }
}

impl fmt::Display for StorageQuota {
    /// In bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.unwrap_or(0).fmt(f)
    }
}

impl FromStr for StorageQuota {
    type Err = InvalidQuota;

    /// Glance's form: `10GB` is 10 GiB.
    fn from_str(text: &str) -> Result<Self, InvalidQuota> {
        let invalid = || InvalidQuota(text.chars().take(80).collect());
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let shift = match unit {
            "" | "B" => 0,
            "KB" => 10,
            "MB" => 20,
            "GB" => 30,
            "TB" => 40,
            _ => return Err(invalid()),
        };
        let number: u64 = number.parse().map_err(|_| invalid())?;
        number.checked_mul(1 << shift).map(Self::new).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotas_are_written_as_glance_reads_them() {
        let cases = [
            ("0", None),
            ("0TB", None),
            ("5", Some(5)),
            ("5B", Some(5)),
            ("2KB", Some(2048)),
            ("10GB", Some(10 << 30)),
            ("1TB", Some(1 << 40)),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse::<StorageQuota>().map(StorageQuota::bytes), Ok(bytes), "{text}");
        }
        for text in ["", "GB", "-1", "1.5GB", "1 GB", "1gb", "1G", "1PB", "1GiB", "99999999999TB"] {
            assert!(text.parse::<StorageQuota>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(quota in any::<u64>(), used in any::<u64>()) {
            let it = StorageQuota::new(quota);
            prop_assert_eq!(it.to_string().parse(), Ok(it));
            prop_assert!(it.remaining(used).is_none_or(|left| left == quota.saturating_sub(used)));
        }
    }
}
