//! What options take, read and written as oslo.config does (oslo_config/types.py).

use crate::base::byte_size::ByteSize;
use std::{collections::BTreeMap, fmt::Display, path::PathBuf, str::FromStr, time::Duration};

/// A field of some part's `Settings`, as an option fills it.
pub(super) trait Value {
    /// Takes the values that were found, the one that wins last; there is at least one.
    fn read(&mut self, values: &[String]) -> Result<(), Refused>;

    /// The values that would be read as this field; none when it is not set.
    fn write(&self) -> Vec<String>;

    /// What the option takes, such as `true or false`.
    fn takes(&self) -> String;

    /// Whether messages must not show the value.
    fn is_secret(&self) -> bool {
        false
    }
}

/// The value is none that the option takes; with more words when the field's own type has some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused(pub(super) Option<String>);

/// How one string becomes a `T` that has no form of its own in oslo.config.
pub(super) struct Kind<T> {
    pub(super) takes: &'static str,
    pub(super) read: fn(&str) -> Result<T, Refused>,
    pub(super) write: fn(&T) -> Option<String>,
}

/// A field with a [`Kind`].
pub(super) struct As<'a, T>(pub(super) &'a mut T, pub(super) Kind<T>);

/// A field that messages must not show.
pub(super) struct Secret<'a, T>(pub(super) &'a mut T);

/// Anything with `FromStr` and `Display` that says in its error what it takes.
pub(super) fn parsed<T: FromStr<Err: Display> + Display>(takes: &'static str) -> Kind<T> {
    Kind {
        takes,
        read: |text| text.parse().map_err(|error: T::Err| Refused(Some(error.to_string()))),
        write: |value| Some(value.to_string()),
    }
}

/// The same, where an empty value unsets it.
pub(super) fn parsed_or_unset<T: FromStr<Err: Display> + Display>(takes: &'static str) -> Kind<Option<T>> {
    Kind {
        takes,
        read: |text| match text {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|error: T::Err| Refused(Some(error.to_string()))),
        },
        write: |value| value.as_ref().map(ToString::to_string),
    }
}

/// A count where -1 means no limit (Glance's quotas).
#[cfg(feature = "catalogue")]
pub(super) const NO_LIMIT_BELOW_ZERO: Kind<Option<u64>> = Kind {
    takes: "a number, or -1 for no limit",
    read: |text| match text.trim().parse::<i64>() {
        Ok(count) => Ok(u64::try_from(count).ok()),
        Err(_) => Err(Refused::default()),
    },
    write: |value| Some(value.map_or_else(|| "-1".to_owned(), |count| count.to_string())),
};

/// A list in brackets, as Glance writes some of its lists; without them, too.
#[cfg(feature = "catalogue")]
pub(super) const BRACKETED: Kind<Vec<String>> = Kind {
    takes: "a list such as [a, b]",
    read: |text| Ok(bracketed(text).map(str::to_owned).collect()),
    write: |value| Some(format!("[{}]", value.join(","))),
};

/// The same, of ports.
#[cfg(feature = "catalogue")]
pub(super) const BRACKETED_PORTS: Kind<Vec<u16>> = Kind {
    takes: "a list of ports such as [80, 443]",
    read: |text| bracketed(text).map(|it| it.parse().map_err(|_| Refused::default())).collect(),
    write: |value| Some(format!("[{}]", value.iter().map(u16::to_string).collect::<Vec<_>>().join(","))),
};

#[cfg(feature = "catalogue")]
fn bracketed(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    inner.split(',').map(|it| it.trim().trim_matches(['"', '\''])).filter(|it| !it.is_empty())
}

/// Bytes: a plain number, or one with a unit.
pub(super) const BYTES: Kind<u64> = Kind {
    takes: "bytes, such as 1073741824, 500MB or 1GiB",
    read: |text| text.parse::<ByteSize>().map(|size| size.0).map_err(|_| Refused::default()),
    write: |value| Some(value.to_string()),
};

/// A share.
#[cfg(feature = "agent")]
pub(super) const PER_CENT: Kind<u32> = Kind {
    takes: "per cent, from 1 to 100",
    read: |text| text.trim().parse().ok().filter(|it| (1..=100).contains(it)).ok_or_else(Refused::default),
    write: |value| Some(value.to_string()),
};

/// Paths of folders.
#[cfg(feature = "agent")]
pub(super) const FOLDERS: Kind<Vec<PathBuf>> = Kind {
    takes: "paths, separated by commas",
    read: |text| Ok(text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(PathBuf::from).collect()),
    write: |value| Some(value.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(",")),
};

/// The one that wins.
fn last(values: &[String]) -> &str {
    values.last().map_or("", String::as_str)
}

// === impl Value ===

impl Value for String {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        last(values).clone_into(self);
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        vec![self.clone()]
    }

    fn takes(&self) -> String {
        "text".to_owned()
    }
}

#[cfg(feature = "catalogue")]
impl Value for crate::base::Secret {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        *self = last(values).into();
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        Some(self.expose()).filter(|it| !it.is_empty()).map(str::to_owned).into_iter().collect()
    }

    fn takes(&self) -> String {
        "text".to_owned()
    }

    fn is_secret(&self) -> bool {
        true
    }
}

impl Value for PathBuf {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        match last(values) {
            "" => return Err(Refused(Some("it must not be empty".to_owned()))),
            path => *self = PathBuf::from(path),
        }
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        vec![self.display().to_string()]
    }

    fn takes(&self) -> String {
        "a path".to_owned()
    }
}

impl Value for Option<String> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        *self = Some(last(values)).filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        self.iter().cloned().collect()
    }

    fn takes(&self) -> String {
        "text".to_owned()
    }
}

impl Value for Option<PathBuf> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        *self = Some(last(values)).filter(|text| !text.is_empty()).map(PathBuf::from);
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        self.iter().map(|path| path.display().to_string()).collect()
    }

    fn takes(&self) -> String {
        "a path".to_owned()
    }
}

impl Value for bool {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        *self = match last(values).to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" => true,
            "false" | "0" | "off" | "no" => false,
            _ => return Err(Refused::default()),
        };
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        vec![self.to_string()]
    }

    fn takes(&self) -> String {
        "true or false".to_owned()
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Value for $number {
            fn read(&mut self, values: &[String]) -> Result<(), Refused> {
                *self = last(values).trim().parse().map_err(|_| Refused::default())?;
                Ok(())
            }

            fn write(&self) -> Vec<String> {
                vec![self.to_string()]
            }

            fn takes(&self) -> String {
                match <$number>::MAX as u128 {
                    // Nobody reads twenty digits.
                    max if max > u128::from(u32::MAX) && <$number>::MIN == 0 => "a whole number from 0 up".to_owned(),
                    max if max > u128::from(u32::MAX) => "a whole number".to_owned(),
                    max => format!("a whole number from {} to {max}", <$number>::MIN),
                }
            }
        }
    )*};
}

numbers!(u16, u32, u64, usize, i64);

impl Value for Duration {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        let seconds: f64 = last(values).trim().parse().map_err(|_| Refused::default())?;
        *self = Duration::try_from_secs_f64(seconds).map_err(|_| Refused::default())?;
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        vec![self.as_secs_f64().to_string()]
    }

    fn takes(&self) -> String {
        "seconds".to_owned()
    }
}

impl Value for Vec<String> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        let text = last(values).trim().trim_end_matches(',');
        *self = if text.is_empty() { Vec::new() } else { text.split(',').map(|it| it.trim().to_owned()).collect() };
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        vec![self.join(",")]
    }

    fn takes(&self) -> String {
        "a list, separated by commas".to_owned()
    }
}

impl Value for BTreeMap<String, String> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        *self = pairs(last(values))?.into_iter().collect();
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        vec![self.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(",")]
    }

    fn takes(&self) -> String {
        PAIRS.to_owned()
    }
}

/// Pairs in their order.
impl Value for Vec<(String, String)> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        *self = pairs(last(values))?;
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        vec![self.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(",")]
    }

    fn takes(&self) -> String {
        PAIRS.to_owned()
    }
}

const PAIRS: &str = "key:value pairs, separated by commas";

/// A dictionary of oslo's; no key is there twice.
fn pairs(text: &str) -> Result<Vec<(String, String)>, Refused> {
    let text = text.trim();
    // A part without a colon and the next one are one pair (oslo's rule).
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        match parts.last_mut() {
            Some(before) if !before.contains(':') => {
                before.push(',');
                before.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    let mut read: Vec<(String, String)> = Vec::new();
    for part in parts {
        let (key, value) = part.split_once(':').ok_or_else(Refused::default)?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(Refused(Some("a key is empty".to_owned())));
        }
        if read.iter().any(|it| it.0 == key) {
            return Err(Refused(Some(format!("the key {key} is there twice"))));
        }
        read.push((key.to_owned(), value.to_owned()));
    }
    Ok(read)
}

impl<T> Value for As<'_, T> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        *self.0 = (self.1.read)(last(values))?;
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        (self.1.write)(self.0).into_iter().collect()
    }

    fn takes(&self) -> String {
        self.1.takes.to_owned()
    }
}

impl<T: Value> Value for Secret<'_, T> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        self.0.read(values)
    }

    fn write(&self) -> Vec<String> {
        self.0.write()
    }

    fn takes(&self) -> String {
        self.0.takes()
    }

    fn is_secret(&self) -> bool {
        true
    }
}
