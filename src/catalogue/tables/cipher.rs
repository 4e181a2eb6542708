//! How the URL of a location stands in its column: as it is, or encrypted with `metadata_encryption_key`.
//!
//! The form is Glance's (`glance/common/crypt.py`): AES in CBC mode over the URL, a zero byte, and random bytes that
//! are not zero; before it the random first block; all of it in URL-safe base64.

use crate::catalogue::tables::locations;
use crate::db::{Db, DbError};
use aes::{Aes128, Aes192, Aes256};
use base64::{Engine, engine::general_purpose::URL_SAFE};
use cbc::{
    Decryptor, Encryptor,
    cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding},
};
use std::{fmt, str::FromStr};

/// Bytes of a block of AES.
const BLOCK: usize = 16;

/// `metadata_encryption_key`: 16, 24 or 32 bytes. Its `Debug` is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct LocationKey(String);

/// Writes and reads the column, with a key or without.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocationCipher(Option<LocationKey>);

/// The locations in the database are encrypted otherwise than the configuration says.
#[derive(Debug, thiserror::Error)]
pub enum WrongKey {
    /// Another key.
    #[error(
        "metadata_encryption_key does not open the locations in the database, such as that of image {0}: it is not the \
         key that they were encrypted with"
    )]
    Other(String),
    /// No key.
    #[error(
        "the locations in the database, such as that of image {0}, are encrypted, and metadata_encryption_key is not \
         set; it takes the key that Glance had"
    )]
    Missing(String),
    /// The database.
    #[error("cannot look at the locations in the database")]
    Db(#[from] DbError),
}

/// The cipher of a key, which is tried on what is there.
///
/// # Errors
/// [`WrongKey`].
pub(crate) async fn opened_cipher(db: &Db, key: Option<LocationKey>) -> Result<LocationCipher, WrongKey> {
    let cipher = LocationCipher(key);
    let tried = cipher.clone();
    match db.read::<_, DbError, _>(move |tx| locations::unopened(tx, &tried)).await? {
        None => Ok(cipher),
        Some(image) if cipher.0.is_some() => Err(WrongKey::Other(image)),
        Some(image) => Err(WrongKey::Missing(image)),
    }
}

// === impl LocationKey ===

impl FromStr for LocationKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.len() {
            16 | 24 | 32 => Ok(Self(text.to_owned())),
            other => Err(format!("it has {other} bytes")),
        }
    }
}

impl fmt::Debug for LocationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl LocationKey {
    /// Encrypts whole blocks in place.
    fn encrypt(&self, first: &[u8; BLOCK], text: &mut [u8]) -> Option<()> {
        let (key, len) = (self.0.as_bytes(), text.len());
        macro_rules! with {
            ($aes:ty) => {
                Encryptor::<$aes>::new_from_slices(key, first).ok()?.encrypt_padded::<NoPadding>(text, len).ok()
            };
        }
        match key.len() {
            16 => with!(Aes128),
            24 => with!(Aes192),
            _ => with!(Aes256),
        }
        .map(drop)
    }

    /// Decrypts whole blocks in place.
    fn decrypt(&self, first: &[u8], text: &mut [u8]) -> Option<()> {
        let key = self.0.as_bytes();
        macro_rules! with {
            ($aes:ty) => {
                Decryptor::<$aes>::new_from_slices(key, first).ok()?.decrypt_padded::<NoPadding>(text).ok()
            };
        }
        match key.len() {
            16 => with!(Aes128),
            24 => with!(Aes192),
            _ => with!(Aes256),
        }
        .map(drop)
    }

    fn seal(&self, url: &str) -> Option<String> {
        let mut first = [0; BLOCK];
        rand::fill(&mut first);
        let mut text = url.as_bytes().to_vec();
        text.push(0);
        while !text.len().is_multiple_of(BLOCK) {
            text.push(rand::random_range(1..=u8::MAX));
        }
        self.encrypt(&first, &mut text)?;
        Some(URL_SAFE.encode([&first[..], &text].concat()))
    }

    /// The URL; none when this is not the key. The padding and the form of a URL tell: a wrong key gives noise.
    fn open(&self, sealed: &str) -> Option<String> {
        let mut bytes = URL_SAFE.decode(sealed).ok()?;
        let (first, text) = bytes.split_at_mut_checked(BLOCK)?;
        self.decrypt(first, text)?;
        let end = text.iter().rposition(|it| *it == 0).filter(|end| text.len() - end <= BLOCK)?;
        let url = str::from_utf8(&text[..end]).ok()?;
        Some(url.to_owned()).filter(|it| is_url(it))
    }
}

// === impl LocationCipher ===

impl LocationCipher {
    /// What is written for a URL.
    pub(crate) fn seal(&self, url: &str) -> String {
        // Whole blocks and a key of the right length cannot fail.
        self.0.as_ref().and_then(|key| key.seal(url)).unwrap_or_else(|| url.to_owned())
    }

    /// The URL of what was read. A URL that stands there as it is, as some of Glance's own code writes it despite the
    /// key, is taken. What the key does not open comes back as it is; [`is_sealed`] tells, and no store knows it.
    pub(crate) fn open(&self, value: String) -> String {
        match &self.0 {
            Some(key) if is_sealed(&value) => key.open(&value).unwrap_or(value),
            _ => value,
        }
    }
}

/// Whether a value is encrypted, or was and could not be opened. No URL looks like that: base64 has no colon.
pub(crate) fn is_sealed(value: &str) -> bool {
    URL_SAFE.decode(value).is_ok_and(|it| it.len() >= 2 * BLOCK && it.len().is_multiple_of(BLOCK))
}

fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |it| it.0);
    let word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.' | '_');
    !scheme.is_empty() && scheme.chars().all(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    fn cipher(key: &str) -> LocationCipher {
        LocationCipher(Some(key.parse().unwrap()))
    }

    const KEYS: [&str; 3] = ["0123456789abcdef", "0123456789abcdef01234567", "0123456789abcdef0123456789abcéf"];

    #[test]
    fn keys_have_three_lengths() {
        for wrong in ["", "0123456789abcde", "0123456789abcdefg"] {
            assert!(wrong.parse::<LocationKey>().is_err());
        }
        assert_eq!(format!("{:?}", "0123456789abcdef".parse::<LocationKey>()), "Ok(***)");
    }

    #[test]
    fn what_is_not_encrypted_is_taken_as_it_is() {
        for cipher in [cipher(KEYS[0]), LocationCipher::default()] {
            assert_eq!(cipher.open("file:///x/y".to_owned()), "file:///x/y");
        }
        assert_eq!(LocationCipher::default().seal("file:///x"), "file:///x");
    }

    #[test]
    fn what_the_key_does_not_open_stays_sealed() {
        let sealed = cipher(KEYS[0]).seal("file:///var/lib/glance/images/x");
        let cut = sealed[..sealed.len() - 24].to_owned();
        for value in [sealed.as_str(), &cut, "", "AAAA", "not base64!", &sealed[4..]] {
            for key in &KEYS[1..] {
                assert_eq!(cipher(key).open(value.to_owned()), value);
            }
        }
        assert_eq!(cipher(KEYS[0]).open(cut.clone()), cut);
        assert!(is_sealed(&sealed) && !is_sealed("") && !is_sealed("AAAA") && !is_sealed("file:///x"));
    }

    proptest! {
        #[test]
        fn sealed_urls_open_with_their_key_alone(path in any::<String>(), which in 0..3_usize) {
            let url = format!("swift+https://{}", path.replace('\0', ""));
            let sealed = cipher(KEYS[which]).seal(&url);
            assert!(is_sealed(&sealed) && sealed != cipher(KEYS[which]).seal(&url), "the first block is random");
            assert_eq!(cipher(KEYS[which]).open(sealed.clone()), url);
            assert_eq!(cipher(KEYS[(which + 1) % 3]).open(sealed.clone()), sealed);
        }
    }
}
