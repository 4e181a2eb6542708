//! The state of a record as one word.

use crate::image::Image;
use sha2::{Digest, Sha256};

/// Hex digits of a revision: more than enough for no two states to share one by chance.
const DIGITS: usize = 32;

/// Takes fields in, so that no two lists of fields are the same bytes.
struct Fields(Sha256);

// === impl Image ===

impl Image {
    /// A word that differs whenever anything that is known of the image differs, whichever process asks.
    pub fn revision(&self) -> String {
        let Self {
            id,
            name,
            status,
            visibility,
            owner,
            protected,
            hidden,
            min_disk,
            min_ram,
            disk_format,
            container_format,
            size,
            virtual_size,
            checksum,
            os_hash_algo,
            os_hash_value,
            created_at,
            updated_at,
            tags,
            properties,
            locations,
        } = self;
        let mut fields = Fields(Sha256::new());
        for text in [id.as_str(), status.as_str(), visibility.as_str()] {
            fields.put(Some(text));
        }
        for text in [name, owner, disk_format, container_format, checksum, os_hash_algo, os_hash_value] {
            fields.put(text.as_deref());
        }
        for number in [i64::from(*protected), i64::from(*hidden), i64::from(*min_disk), i64::from(*min_ram)] {
            fields.put(Some(&number.to_string()));
        }
        for bytes in [size, virtual_size] {
            fields.put(bytes.map(|it| it.to_string()).as_deref());
        }
        for time in [created_at, updated_at] {
            // As fine as every database keeps it, and as it is shown.
            fields.put(Some(&time.timestamp().to_string()));
        }
        fields.put(Some(&tags.len().to_string()));
        tags.iter().for_each(|it| fields.put(Some(it)));
        fields.put(Some(&properties.len().to_string()));
        for (name, value) in properties {
            fields.put(Some(name));
            fields.put(value.as_deref());
        }
        for location in locations {
            fields.put(Some(&location.url));
            for (name, value) in &location.metadata {
                fields.put(Some(name));
                fields.put(Some(&value.to_string()));
            }
        }
        fields.word()
    }
}

// === impl Fields ===

impl Fields {
    fn put(&mut self, text: Option<&str>) {
        let length = text.map_or(u64::MAX, |it| it.len() as u64);
        self.0.update(length.to_be_bytes());
        self.0.update(text.unwrap_or_default());
    }

    fn word(self) -> String {
        let mut word: String = self.0.finalize().iter().map(|it| format!("{it:02x}")).collect();
        word.truncate(DIGITS);
        word
    }
}
