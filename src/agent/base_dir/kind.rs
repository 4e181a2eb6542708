//! What a name in the base directory means (nova's rules).

/// The names that nova, or we, give files in `_base`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `X`: 40 lower-case hex digits; an image, a kernel or a ramdisk.
    Original,
    /// `X_N` or `X_sm`: a resized copy of `of`, from releases long ago.
    Resized {
        /// X.
        of: String,
    },
    /// `swap_<MB>`.
    Swap,
    /// `ephemeral_<GB>_<7 characters>`.
    Ephemeral,
    /// `X.part` or `X.converted`: a download or conversion by nova, in progress or left by a crash.
    Part {
        /// X.
        of: String,
    },
    /// Ours: staging files and the lock of the directory.
    Ours,
    /// A symbolic link, whatever its name: never followed, never removed.
    Link,
    /// Nobody's that we know: never removed.
    Other,
}

// === impl Kind ===

impl Kind {
    /// The kind of a regular file of this name.
    pub fn of(name: &str) -> Self {
        if is_original(name) {
            return Self::Original;
        }
        if name.starts_with(super::staging::PREFIX) || name == super::staging::LOCK {
            return Self::Ours;
        }
        if let Some((of, rest)) = split_original(name) {
            return match rest {
                ".part" | ".converted" => Self::Part { of: of.to_owned() },
                "_sm" => Self::Resized { of: of.to_owned() },
                _ => match rest.strip_prefix('_') {
                    Some(size) if is_digits(size) => Self::Resized { of: of.to_owned() },
                    _ => Self::Other,
                },
            };
        }
        if name.strip_prefix("swap_").is_some_and(is_digits) {
            return Self::Swap;
        }
        match name.strip_prefix("ephemeral_").and_then(|rest| rest.split_once('_')) {
            Some((size, tag))
                if is_digits(size) && tag.len() == 7 && tag.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                Self::Ephemeral
            }
            _ => Self::Other,
        }
    }

    /// Whether instances boot from files of this kind.
    pub fn is_base(&self) -> bool {
        matches!(self, Self::Original | Self::Resized { .. } | Self::Swap | Self::Ephemeral)
    }
}

/// Whether this is the name of an image's base: 40 lower-case hex digits.
pub(crate) fn is_original(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn split_original(name: &str) -> Option<(&str, &str)> {
    let (head, rest) = name.split_at_checked(40)?;
    is_original(head).then_some((head, rest))
}

fn is_digits(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `_scan_base_images` of nova.virt.libvirt.imagecache: what it takes for its own, it removes.
    #[test]
    fn nova_looks_at_none_of_our_own_names() {
        let x = "9e88aa4a3b1e8ce1cf9ee4b4b8a3c2d1e0f98765";
        use super::super::staging::{LOCK, Staging};
        let host = crate::agent::seat::HostName::default();
        for name in [LOCK.to_owned(), Staging::Fetch.name(x, &host), Staging::Raw.name(x, &host)] {
            let resized = name.len() > 42 && name.as_bytes()[40] == b'_';
            let other = name.starts_with("swap_") || name.starts_with("ephemeral_");
            assert!(name.len() != 40 && !resized && !other, "{name}");
        }
    }

    #[test]
    fn names_mean_what_they_mean_to_nova() {
        let x = "9e88aa4a3b1e8ce1cf9ee4b4b8a3c2d1e0f98765";
        assert_eq!(Kind::of(x), Kind::Original);
        for (rest, kind) in [
            ("_20", Kind::Resized { of: x.into() }),
            ("_5", Kind::Resized { of: x.into() }),
            ("_sm", Kind::Resized { of: x.into() }),
            (".part", Kind::Part { of: x.into() }),
            (".converted", Kind::Part { of: x.into() }),
            ("_", Kind::Other),
            ("_2x", Kind::Other),
            (".partial", Kind::Other),
            ("0", Kind::Other),
        ] {
            assert_eq!(Kind::of(&format!("{x}{rest}")), kind, "{rest}");
        }
        assert_eq!(Kind::of("swap_512"), Kind::Swap);
        assert_eq!(Kind::of("ephemeral_20_0706d66"), Kind::Ephemeral);
        assert_eq!(Kind::of("ephemeral_20_default"), Kind::Ephemeral);
        assert_eq!(Kind::of(".larder-x.fetch"), Kind::Ours);
        assert_eq!(Kind::of(".larder.lock"), Kind::Ours);
        for other in [
            "",
            "swap_",
            "swap_1M",
            "ephemeral_1_toolong8",
            "README",
            &"é".repeat(20),
            &"Z".repeat(40),
            &x.to_uppercase(),
        ] {
            assert_eq!(Kind::of(other), Kind::Other, "{other}");
        }
    }
}
