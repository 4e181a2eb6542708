use crate::base::digest::{Algorithm, Digests, Hasher};
use bytes::Bytes;
use proptest::prelude::*;
use std::{fs, time::Duration};

/// Of "abc", from FIPS 180-2 and RFC 1321.
const ABC: [(Algorithm, &str); 4] = [
    (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
    (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        Algorithm::Sha512,
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn both_engines_know_abc() {
    for (algorithm, want) in ABC {
        for mut hasher in [Hasher::new(algorithm), Hasher::pure(algorithm)] {
            hasher.update(b"abc");
            assert_eq!(hasher.finish().unwrap(), want);
        }
    }
}

#[test]
fn names_are_hashlibs() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
        let mut hasher = Hasher::new(algorithm);
        hasher.update(b"");
        assert_eq!(hasher.finish().unwrap().len(), algorithm.hex_len());
    }
    assert!("blake2b".parse::<Algorithm>().is_err());
}

#[test]
fn a_dropped_stream_ends_its_threads() {
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    runtime().block_on(async {
        let before = threads();
        for _ in 0..20 {
            let mut digests = Digests::new(&Algorithm::ALL);
            for _ in 0..5 {
                digests.update(Bytes::from(vec![1; 1 << 20])).await;
            }
        }
        // Other tests start and end threads meanwhile; 120 leaked ones would stand out.
        for _ in 0..1200 {
            if threads() < before + 60 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} threads before, {} after", before, threads());
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn engines_agree_on_any_cut(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5000), 0..40), big in 0_usize..4) {
        let mut chunks = chunks;
        chunks.push(vec![3; big * 700_000]);
        let sums = runtime().block_on(async {
            let mut digests = Digests::new(&Algorithm::ALL);
            for chunk in &chunks {
                digests.update(Bytes::from(chunk.clone())).await;
            }
            digests.finish().await.unwrap()
        });
        prop_assert_eq!(sums.len(), Algorithm::ALL.len());
        for (algorithm, sum) in sums {
            let mut pure = Hasher::pure(algorithm);
            pure.update(&chunks.concat());
            prop_assert_eq!(pure.finish().unwrap(), sum);
        }
    }
}
