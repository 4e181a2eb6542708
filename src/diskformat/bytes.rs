//! Bounded reads of numbers from captured bytes.

macro_rules! reader {
    ($name:ident, $type:ty, $from:ident) => {
        /// The number at `at`, if all of its bytes are there.
        pub(in crate::diskformat) fn $name(bytes: &[u8], at: usize) -> Option<$type> {
            let end = at.checked_add(size_of::<$type>())?;
            Some(<$type>::$from(bytes.get(at..end)?.try_into().ok()?))
        }
    };
}

reader!(be16, u16, from_be_bytes);
reader!(be32, u32, from_be_bytes);
reader!(be64, u64, from_be_bytes);
reader!(le16, u16, from_le_bytes);
reader!(le32, u32, from_le_bytes);
reader!(le64, u64, from_le_bytes);
