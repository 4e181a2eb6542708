//! How much of its disk an image holds: what a raw copy with holes takes at most.

use super::bytes;
use crate::base::sparse::HOLE_BYTES;
use std::io::{self, Read, Seek, SeekFrom};

const MAGIC: &[u8] = b"QFI\xfb";
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;
const EXTENDED_L2: u64 = 1 << 4;
/// The largest level-1 table that qemu takes, bytes.
const LONGEST_L1: u64 = 32 << 20;
/// So much of tables is read; they describe 8 TiB of the usual clusters.
const MOST_TABLES: u64 = 1 << 30;
/// What holds a byte takes so much: file systems have no smaller holes than the writer makes.
const GRAIN: u64 = HOLE_BYTES as u64;

/// An upper bound of the bytes that the disk in this qcow2 takes as a raw file with holes; none for all else, and for what
/// cannot be told.
///
/// # Errors
/// What the system says; the image may be cut.
pub fn raw_bytes(file: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    let mut header = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(112).read_to_end(&mut header)?;
    let Some(shape) = Shape::of(&header) else { return Ok(None) };
    let Some(first) = shape.first_table(file)? else { return Ok(None) };
    let mut table = vec![0; usize::try_from(shape.cluster).unwrap_or(0)];
    let (mut sum, mut last, mut read) = (0_u64, None, 0_u64);
    for (at, entry) in (0_u64..).zip(numbers(&first)) {
        if entry & OFFSET == 0 {
            continue;
        }
        read += shape.cluster;
        if read > MOST_TABLES {
            return Ok(Some(shape.size));
        }
        file.seek(SeekFrom::Start(entry & OFFSET))?;
        file.read_exact(&mut table)?;
        for (place, _) in (0_u64..).zip(numbers(&table)).filter(|(_, entry)| shape.holds(*entry)) {
            let start = (at * shape.entries() + place) * shape.cluster;
            if start >= shape.size {
                break;
            }
            let (from, to) = (start / GRAIN, (start + shape.cluster - 1) / GRAIN);
            let new = last.map_or(from, |last: u64| from.max(last + 1));
            sum += (to + 1).saturating_sub(new) * GRAIN;
            last = Some(to);
        }
    }
    Ok(Some(sum.min(shape.size)))
}

/// What a header says.
struct Shape {
    version: u32,
    cluster: u64,
    size: u64,
    first: u64,
    first_entries: u64,
}

// === impl Shape ===

impl Shape {
    fn of(header: &[u8]) -> Option<Self> {
        let version = bytes::be32(header, 4).filter(|it| header.starts_with(MAGIC) && [2, 3].contains(it))?;
        let features = if version == 3 { bytes::be64(header, 72)? } else { 0 };
        let cluster = 1 << bytes::be32(header, 20).filter(|it| (9..=21).contains(it))?;
        let (size, first) = (bytes::be64(header, 24)?, bytes::be64(header, 40)?);
        let first_entries = u64::from(bytes::be32(header, 36)?);
        (features & EXTENDED_L2 == 0).then_some(Self { version, cluster, size, first, first_entries })
    }

    /// Of one table of the second level.
    fn entries(&self) -> u64 {
        self.cluster / 8
    }

    /// The part of the first level that is about the disk, if it is all there.
    fn first_table(&self, file: &mut (impl Read + Seek)) -> io::Result<Option<Vec<u8>>> {
        let needed = self.size.div_ceil(self.cluster * self.entries());
        if needed > self.first_entries || needed.saturating_mul(8) > LONGEST_L1 {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(self.first))?;
        let mut table = Vec::new();
        file.take(needed * 8).read_to_end(&mut table)?;
        Ok((table.len() as u64 == needed * 8).then_some(table))
    }

    /// Whether the cluster of this entry may be more than zeros.
    fn holds(&self, entry: u64) -> bool {
        let is_zero = self.version == 3 && entry & ZERO != 0;
        entry & COMPRESSED != 0 || (entry & OFFSET != 0 && !is_zero)
    }
}

fn numbers(table: &[u8]) -> impl Iterator<Item = u64> {
    table.chunks_exact(8).map(|it| bytes::be64(it, 0).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, io::Cursor, os::unix::fs::MetadataExt, process::Command};

    fn run(command: &mut Command) -> bool {
        match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "in CI nothing is skipped: {error}");
                false
            }
        }
    }

    /// Of a disk of 1 GiB with a few data, the bound is above what qemu-img's raw copy takes, and near it.
    #[test]
    fn it_is_near_what_a_raw_copy_takes() {
        let dir = tempfile::tempdir().unwrap();
        let [raw, image, copy] = ["raw", "image", "copy"].map(|it| dir.path().join(it));
        let file = File::create(&raw).unwrap();
        file.set_len(1 << 30).unwrap();
        for at in [0, 300 << 20, (700 << 20) + 5000, (1 << 30) - 4096] {
            std::os::unix::fs::FileExt::write_all_at(&file, &vec![7; 4096 * 25][..4096], at).unwrap();
        }
        for options in [
            &["-o", "cluster_size=64k"][..],
            &["-c"],
            &["-o", "cluster_size=2M"],
            &["-o", "cluster_size=512"],
            &["-o", "compat=0.10"],
        ] {
            let mut convert = Command::new("qemu-img");
            convert.args(["convert", "-f", "raw", "-O", "qcow2"]).args(options).arg(&raw).arg(&image);
            if !run(&mut convert) {
                return;
            }
            assert!(run(Command::new("qemu-img").args(["convert", "-f", "qcow2", "-O", "raw"]).arg(&image).arg(&copy)));
            let takes = copy.metadata().unwrap().blocks() * 512;
            let bound = raw_bytes(&mut File::open(&image).unwrap()).unwrap().unwrap();
            assert!((takes..=8 << 20).contains(&bound), "{options:?}: {bound}, and it takes {takes}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        assert_eq!(raw_bytes(&mut Cursor::new(b"")).unwrap(), None);
        assert_eq!(raw_bytes(&mut Cursor::new(vec![0; 1 << 20])).unwrap(), None);
        let mut cut = b"QFI\xfb\0\0\0\x03".to_vec();
        cut.resize(112, 0);
        cut[23] = 16;
        cut[24..32].copy_from_slice(&(1_u64 << 30).to_be_bytes());
        cut[39] = 2;
        cut[46] = 1;
        assert_eq!(raw_bytes(&mut Cursor::new(&cut)).unwrap(), None, "its first table is missing");
        cut.resize(256, 0);
        cut.extend([0, 0, 0, 0, 0, 1, 0, 0].repeat(2));
        raw_bytes(&mut Cursor::new(&cut)).unwrap_err();
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bits in 0_u8..30, size in proptest::prelude::any::<u64>(), tables in proptest::collection::vec(0_u8..4, 0..2000)) {
            let mut image = b"QFI\xfb\0\0\0\x03".to_vec();
            image.resize(112, 0);
            image[23] = bits;
            image[24..32].copy_from_slice(&(size >> (bits + 8)).to_be_bytes());
            image[38] = 1;
            image[46] = 0;
            image[47] = 112;
            image.extend(tables);
            if let Ok(Some(bytes)) = raw_bytes(&mut Cursor::new(&image)) {
                proptest::prop_assert!(bytes <= size);
            }
        }
    }
}
