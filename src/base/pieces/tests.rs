use super::{aligned::ALIGNMENT, *};
use crate::base::pace::Pace;
use proptest::prelude::*;
use std::{
    fs::{self, File},
    io::ErrorKind,
    ops::ControlFlow,
    os::unix::fs::FileExt,
    path::Path,
};

fn bytes(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn list(bytes: &[u8], step: usize) -> Pieces {
    let mut hasher = PieceHasher::default();
    bytes.chunks(step.max(1)).for_each(|it| hasher.update(it));
    assert_eq!(hasher.taken(), bytes.len() as u64);
    hasher.finish()
}

const PIECE: usize = PIECE_BYTES as usize;

#[test]
fn the_root_is_the_plain_blake3_for_every_length_around_the_boundaries() {
    let all = bytes(7 * PIECE + 1025);
    let near =
        |at: usize| [at.saturating_sub(1025), at.saturating_sub(1024), at.saturating_sub(1), at, at + 1, at + 1024];
    for len in (0..=7).flat_map(|piece| near(piece * PIECE)).chain([1023, 1025, 4096]) {
        let (whole, pieces) = (&all[..len], list(&all[..len], 1 << 20));
        assert_eq!(pieces.root(), blake3::hash(whole).to_hex().as_str(), "{len} bytes");
        assert_eq!((pieces.size(), pieces.count()), (len as u64, len.div_ceil(PIECE)));
        let (back, label) = Pieces::decode(&pieces.encode(b"a label")).unwrap();
        assert!(back == pieces && label == b"a label", "{len} bytes");
        for piece in 0..pieces.count() {
            let range = pieces.range(piece).unwrap();
            let of = &whole[range.start as usize..range.end as usize];
            assert!(pieces.verify(piece, of) && !pieces.verify(piece + 1, of), "piece {piece} of {len} bytes");
            assert!(!pieces.verify(piece, &of[..of.len() - 1]));
            let mut flipped = of.to_vec();
            flipped[of.len() / 2] ^= 0x10;
            assert!(!pieces.verify(piece, &flipped), "a flipped bit in piece {piece} of {len} bytes");
        }
        assert_eq!(pieces.range(pieces.count()), None);
    }
}

#[test]
fn a_stream_goes_on_after_the_pieces_that_are_right() {
    let all = bytes(3 * PIECE + 77);
    let want = list(&all, PIECE);
    for keep in 0..=3 {
        let mut hasher = PieceHasher::default();
        hasher.update(&all);
        hasher.truncate(keep);
        assert_eq!(hasher.taken(), (keep * PIECE) as u64);
        hasher.update(&all[keep * PIECE..]);
        assert_eq!(hasher.finish(), want, "{keep} kept");
    }
    let mut one = PieceHasher::default();
    one.update(&all);
    one.truncate(1);
    assert_eq!(one.finish().root(), blake3::hash(&all[..PIECE]).to_hex().as_str());
}

#[test]
fn a_journal_ends_where_a_crash_or_a_disk_ended_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.fetch");
    assert_eq!(Begun::load(&path).unwrap(), None);
    let chains: Vec<Chain> = (0..9).map(|n| [n; 32]).collect();
    let mut journal = Journal::create(&path, b"image", &chains[..2]).unwrap();
    chains[2..].iter().for_each(|it| journal.add(it).unwrap());
    journal.sync().unwrap();
    let whole = fs::read(&path).unwrap();
    assert_eq!(Begun::load(&path).unwrap().unwrap(), Begun { label: b"image".to_vec(), chains: chains.clone() });
    let head = whole.len() - 9 * 40;
    for cut in 0..whole.len() {
        let begun = Begun::decode(&whole[..cut]);
        assert_eq!(begun.map(|it| it.chains.len()), (cut >= head).then(|| (cut - head) / 40), "cut at {cut}");
    }
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        let begun = Begun::decode(&flipped);
        assert_eq!(begun.map(|it| it.chains.len()), (at >= head).then(|| (at - head) / 40), "flipped at {at}");
    }
    // Records in another order are none.
    let mut swapped = whole.clone();
    swapped[head..head + 40].copy_from_slice(&whole[head + 40..head + 80]);
    assert_eq!(Begun::decode(&swapped).unwrap().chains.len(), 0);
    // And one that is made anew says what is right only.
    Journal::create(&path, b"image", &chains[..4]).unwrap().add(&[7; 32]).unwrap();
    let begun = Begun::load(&path).unwrap().unwrap();
    assert_eq!((begun.chains.len(), begun.chains[4]), (5, [7; 32]));
}

#[test]
fn a_list_is_saved_whole_and_a_damaged_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.base");
    assert!(Pieces::load(&path).unwrap().is_none());
    let pieces = list(&bytes(2 * PIECE + 5), PIECE);
    pieces.save(&path, b"{}").unwrap();
    assert_eq!(Pieces::load(&path).unwrap(), Some((pieces.clone(), b"{}".to_vec())));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        assert!(Pieces::decode(&flipped).is_none(), "flipped at {at}");
        assert!(Pieces::decode(&whole[..at]).is_none(), "cut at {at}");
    }
    fs::write(&path, &whole[1..]).unwrap();
    let error = Pieces::load(&path).unwrap_err().to_string();
    assert!(error.contains("x.base is damaged"), "{error}");
}

/// A list whose checksum is right, whatever else is wrong with it.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let sum = blake3::hash(&body);
    body.extend_from_slice(sum.as_bytes());
    body
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_bytes_never_panic(noise in proptest::collection::vec(any::<u8>(), 0..400), numbers in any::<[u64; 3]>()) {
        prop_assert!(Pieces::decode(&noise).is_none());
        let _ = Begun::decode(&noise);
        // Past the checksum and the first words, too.
        let mut body = b"larder pieces 1\n".to_vec();
        numbers.iter().for_each(|it| body.extend_from_slice(&it.to_le_bytes()));
        body.extend_from_slice(&noise);
        let _ = Pieces::decode(&sealed(body));
        for (size, label) in [(numbers[0] % (3 * PIECE_BYTES), numbers[1] % 500), (u64::MAX, 0)] {
            let mut body = b"larder pieces 1\n".to_vec();
            [size, PIECE_BYTES, label].iter().for_each(|it| body.extend_from_slice(&it.to_le_bytes()));
            body.extend_from_slice(&noise);
            let _ = Pieces::decode(&sealed(body));
        }
        let mut begun = b"larder begun 1\n\0".to_vec();
        begun.extend_from_slice(&(numbers[2] % 600).to_le_bytes());
        begun.extend_from_slice(&noise);
        let _ = Begun::decode(&begun);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn however_a_stream_is_cut_it_is_the_same(cuts in proptest::collection::vec(1_usize..5_000_000, 1..12)) {
        let all = bytes(cuts.iter().sum());
        let mut hasher = PieceHasher::default();
        let mut rest = all.as_slice();
        for cut in &cuts {
            let (now, later) = rest.split_at(*cut);
            hasher.update(now);
            rest = later;
        }
        let pieces = hasher.finish();
        prop_assert_eq!(pieces.root(), blake3::hash(&all).to_hex().to_string());
        prop_assert_eq!(pieces, list(&all, PIECE));
    }
}

fn read(path: &Path, range: (u64, u64), way: Way) -> (Vec<u8>, Vec<(u64, ErrorKind)>, bool) {
    let (mut got, mut bad) = (Vec::new(), Vec::new());
    let all = walk(path, range, Manner::quick(way), |block| {
        match block {
            Block::Data(bytes) => got.extend_from_slice(bytes),
            Block::Unreadable(len, error) => bad.push((len, error.kind())),
        }
        ControlFlow::Continue(())
    });
    (got, bad, all.unwrap())
}

#[test]
fn a_file_is_read_with_its_holes_by_either_way() {
    // Both on a disk and in memory, where there may be no O_DIRECT.
    for folder in [std::env::temp_dir(), "/dev/shm".into()].into_iter().filter(|it| it.is_dir()) {
        let dir = tempfile::tempdir_in(folder).unwrap();
        let path = dir.path().join("x");
        let file = File::create(&path).unwrap();
        let data = bytes(5 << 20);
        file.write_all_at(&data, 6 << 20).unwrap();
        file.write_all_at(&data[..777], 40 << 20).unwrap();
        file.set_len((64 << 20) + 13).unwrap();
        let whole = fs::read(&path).unwrap();
        let end = whole.len() as u64;
        for way in [Way::Disk, Way::Cache] {
            for (from, to) in [(0, end), (0, 0), (1, 5), (7 << 20, 9 << 20), (16 << 20, 48 << 20), (5000, end)] {
                let (got, bad, all) = read(&path, (from, to), way);
                assert!(got == whole[from as usize..to as usize] && bad.is_empty() && all, "{from}..{to} by {way:?}");
            }
            // It has become shorter than was thought.
            let (got, bad, all) = read(&path, (0, end + 100), way);
            assert!(all && got.len() as u64 <= end && bad.last().unwrap().1 == ErrorKind::UnexpectedEof);
        }
    }
}

#[test]
fn reading_stops_when_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    fs::write(&path, bytes(9 << 20)).unwrap();
    let mut seen = 0;
    let mut once = |_: Block<'_>| {
        seen += 1;
        ControlFlow::Break(())
    };
    assert!(!walk(&path, (0, 9 << 20), Manner::quick(Way::Disk), &mut once).unwrap());
    assert_eq!(seen, 1);
    // A slow pace is left at once.
    let start = std::time::Instant::now();
    let nothing = |_: Block<'_>| ControlFlow::Continue(());
    let slow = Manner { way: Way::Disk, pace: Pace::new(1), stop: &|| start.elapsed().as_millis() > 100 };
    assert!(!walk(&path, (0, 9 << 20), slow, nothing).unwrap());
    assert!(walk(&dir.path().join("none"), (0, 1), Manner::quick(Way::Disk), nothing).is_err());
    std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
    assert!(walk(&dir.path().join("link"), (0, 1), Manner::quick(Way::Cache), nothing).is_err());
}

#[test]
fn buffers_are_where_a_disk_can_reach_them() {
    let mut buffer = aligned::Aligned::new(8192);
    assert_eq!((buffer.get().as_ptr() as usize % ALIGNMENT, buffer.get_mut().len()), (0, 8192));
}
