//! Decompression: what the crates and the system's programs write, what is damaged, and bombs.

use super::{Decompression, decompress, fuzzed};
use crate::catalogue::service::{BoxError, imports::source::Source};
use bytes::Bytes;
use flate2::{Compression, Crc, write::DeflateEncoder, write::GzEncoder};
use futures_util::{StreamExt, TryStreamExt, stream};
use proptest::prelude::*;
use std::io::{Read, Write};

const LIMITS: Decompression = Decompression { ratio_limit: 50, ratio_free_size: 4 << 20 };

fn source(data: &[u8], piece: usize) -> Source {
    let pieces: Vec<_> = data.chunks(piece).map(|it| Ok(Bytes::copy_from_slice(it))).collect();
    Source {
        body: stream::iter(pieces).boxed(),
        size: Some(data.len() as u64),
        file: None,
        changes: crate::catalogue::service::imports::plugins::Changes::default(),
    }
}

async fn read(source: Source) -> Result<Vec<u8>, BoxError> {
    let pieces: Vec<Bytes> = source.body.try_collect().await?;
    Ok(pieces.concat())
}

/// What comes of `data`, in pieces of this size.
async fn unpacked(data: &[u8], piece: usize) -> Result<Vec<u8>, String> {
    let source = decompress(source(data, piece), LIMITS).await.map_err(|it| it.to_string())?;
    read(source).await.map_err(|it| it.to_string())
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn xz(data: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    liblzma::read::XzEncoder::new(data, 6).read_to_end(&mut packed).unwrap();
    packed
}

fn zstd(data: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// How an archive is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Stored,
    Deflated,
    /// The length stands behind the file, with a mark or without one, in 32 or 64 bits.
    Behind {
        marked: bool,
        wide: bool,
    },
}

fn zip_with(way: Way, files: &[&[u8]]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (index, data) in files.iter().enumerate() {
        let packed = match way {
            Way::Stored => data.to_vec(),
            _ => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
        };
        let mut crc = Crc::new();
        crc.update(data);
        let sizes = |wide: bool| {
            [packed.len(), data.len()]
                .iter()
                .flat_map(|it| (*it as u64).to_le_bytes()[..if wide { 8 } else { 4 }].to_vec())
                .collect::<Vec<_>>()
        };
        let method: u16 = if way == Way::Stored { 0 } else { 8 };
        let behind = matches!(way, Way::Behind { .. });
        let flags: u16 = if behind { 8 } else { 0 };
        let fixed = |crc: u32, sizes: &[u8]| {
            [
                &[20, 0][..],
                &flags.to_le_bytes(),
                &method.to_le_bytes(),
                &[0; 4],
                &crc.to_le_bytes(),
                sizes,
                &[4, 0, 0, 0],
            ]
            .concat()
        };
        archive.extend(b"PK\x03\x04");
        archive.extend(if behind { fixed(0, &[0; 8]) } else { fixed(crc.sum(), &sizes(false)) });
        archive.extend(b"disk");
        archive.extend(&packed);
        if let Way::Behind { marked, wide } = way {
            archive.extend(if marked { &b"PK\x07\x08"[..] } else { b"" });
            archive.extend(crc.sum().to_le_bytes());
            archive.extend(sizes(wide));
        }
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(fixed(crc.sum(), &sizes(false)));
        directory.extend([0; 14]);
        directory.extend(format!("dis{index}").as_bytes());
    }
    archive.extend(directory);
    archive.extend(b"PK\x05\x06");
    archive.extend([0; 18]);
    archive
}

fn disk() -> Vec<u8> {
    let mut disk: Vec<u8> = (0..300_000_u32).flat_map(|it| it.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    disk.extend(vec![0; 1 << 20]);
    disk
}

#[tokio::test]
async fn what_is_compressed_comes_out_as_it_was() {
    let disk = disk();
    let mut all = vec![gzip(&disk), xz(&disk), zstd(&disk)];
    for way in
        [Way::Stored, Way::Deflated, behind(true, false), behind(false, false), behind(true, true), behind(false, true)]
    {
        all.push(zip_with(way, &[&disk]));
    }
    // Several parts make one file, as with the programs of these names.
    all.push([gzip(&disk[..1000]), gzip(&disk[1000..])].concat());
    all.push([xz(&disk[..1000]), xz(&disk[1000..])].concat());
    all.push([zstd(&disk[..1000]), zstd(&disk[1000..])].concat());
    for (index, packed) in all.iter().enumerate() {
        for piece in [1 << 20, 65_537, 777] {
            assert!(unpacked(packed, piece).await.as_deref() == Ok(&disk[..]), "{index} in pieces of {piece}");
        }
    }
    for empty in [gzip(b""), xz(b""), zstd(b""), zip_with(Way::Deflated, &[b""]), zip_with(Way::Stored, &[b""])] {
        assert_eq!(unpacked(&empty, 3).await.as_deref(), Ok(&b""[..]));
    }
}

fn behind(marked: bool, wide: bool) -> Way {
    Way::Behind { marked, wide }
}

#[tokio::test]
async fn what_is_not_compressed_stays() {
    for data in [&b""[..], b"x", b"some data that is no archive", b"\x1f\x8b\x09rest", b"PK\x05\x06"] {
        let source = decompress(source(data, 2), LIMITS).await.unwrap();
        assert_eq!(source.size, Some(data.len() as u64));
        assert_eq!(read(source).await.unwrap(), data);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told() {
    let disk = disk();
    for packed in
        [gzip(&disk), xz(&disk), zstd(&disk), zip_with(Way::Deflated, &[&disk]), zip_with(Way::Stored, &[&disk])]
    {
        for cut in [7, 40, packed.len() / 2, packed.len() - 5] {
            let words = unpacked(&packed[..cut], 999).await.err().unwrap_or_default();
            assert!(words.starts_with("image_decompression: the "), "{cut} of {}: {words}", packed.len());
        }
        let mut damaged = packed.clone();
        let middle = packed.len() / 2;
        damaged[middle] ^= 0x55;
        damaged[middle + 1] ^= 0xaa;
        assert!(unpacked(&damaged, 4096).await.is_err(), "{:?}", &packed[..4]);
    }
    for (packed, words) in [
        (b"xx-lh5-and more".to_vec(), "compressed by lha, which is not supported"),
        (zip_with(Way::Deflated, &[b"one", b"two"]), "more than one file"),
        (zip_with(Way::Stored, &[b"one", b"two"]), "more than one file"),
        (zip_with(behind(true, true), &[b"one", b"two"]), "more than one file"),
        ([&zip_with(Way::Stored, &[b"one"])[..26], &[9; 40]].concat(), "the archive is cut"),
        ([gzip(b"one"), b"rubbish".to_vec()].concat(), "the gzip data cannot be read after"),
    ] {
        let told = unpacked(&packed, 10).await.unwrap_err();
        assert!(told.contains(words), "{told}");
    }
    let mut encrypted = zip_with(Way::Deflated, &[b"secret"]);
    encrypted[6] |= 1;
    assert!(unpacked(&encrypted, 10).await.unwrap_err().contains("is encrypted"));
    let mut odd = zip_with(Way::Deflated, &[b"data"]);
    odd[8] = 14;
    assert!(unpacked(&odd, 10).await.unwrap_err().contains("method 14 is not supported"));
}

#[tokio::test]
async fn a_bomb_is_stopped() {
    let zeros = vec![0; 40 << 20];
    for packed in [gzip(&zeros), xz(&zeros), zstd(&zeros), zip_with(Way::Deflated, &[&zeros])] {
        let source = decompress(source(&packed, 64 << 10), LIMITS).await.unwrap();
        let (mut came, mut body, mut end) = (0, source.body, None);
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => came += piece.len() as u64,
                Err(error) => end = Some(error.to_string()),
            }
        }
        let words = end.unwrap();
        assert!(words.contains("[image_decompression] ratio_limit = 50"), "{words}");
        assert!(came <= (4 << 20) + packed.len() as u64 * 50 + (1 << 20), "{came}");
    }
    // Without the limit, and below it.
    let packed = gzip(&zeros);
    let open = Decompression { ratio_limit: 0, ..LIMITS };
    let all = decompress(source(&packed, 1 << 20), open).await.unwrap();
    assert_eq!(read(all).await.unwrap().len(), zeros.len());
    assert_eq!(unpacked(&gzip(&zeros[..4 << 20]), 1 << 20).await.unwrap().len(), 4 << 20);
}

#[tokio::test]
async fn a_source_that_breaks_off_says_why() {
    let packed = gzip(&disk());
    for at in [3, 5000] {
        let pieces = [Ok(Bytes::copy_from_slice(&packed[..at])), Err(BoxError::from("the server hung up"))];
        let source = Source {
            body: stream::iter(pieces).boxed(),
            size: None,
            file: None,
            changes: crate::catalogue::service::imports::plugins::Changes::default(),
        };
        let source = decompress(source, LIMITS).await.unwrap();
        assert_eq!(read(source).await.unwrap_err().to_string(), "the server hung up");
    }
}

#[tokio::test]
async fn nobody_goes_on_when_it_is_dropped() {
    let packed = gzip(&vec![0; 64 << 20]);
    let open = Decompression { ratio_limit: 0, ..LIMITS };
    let mut source = decompress(source(&packed, 1000), open).await.unwrap();
    assert!(source.body.next().await.unwrap().is_ok());
    drop(source);
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = tasks.filter_map(|it| std::fs::read_to_string(it.path().join("comm")).ok());
        names.filter(|it| it.trim() == "decompress").count()
    };
    // Those of other tests come and go.
    for _ in 0..1000 {
        if threads() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("a decoder goes on");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn no_bytes_panic_or_hang(kind in 0..4_usize, noise in proptest::collection::vec(any::<u8>(), 0..400), at in 0..400_usize, piece in 1..100_usize) {
        let disk = &b"a disk with some data ".repeat(90)[..];
        let mut packed = [gzip(disk), xz(disk), zstd(disk), zip_with(Way::Deflated, &[disk])][kind].clone();
        let at = at.min(packed.len());
        packed.splice(at.., noise);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _ = runtime.block_on(unpacked(&packed, piece));
    }
}

/// Inputs that the fuzzer found worth keeping.
#[test]
fn what_the_fuzzer_found_holds() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/decompression");
    let inputs: Vec<_> =
        std::fs::read_dir(corpus).unwrap().map(|it| std::fs::read(it.unwrap().path()).unwrap()).collect();
    assert!(inputs.len() > 6, "{}", inputs.len());
    inputs.iter().for_each(|it| fuzzed::check(it));
}
