//! How data comes out.

use super::super::{
    bench::{Bench, Wrong},
    pattern::Pattern,
};
use crate::base::chain;
use futures_util::{StreamExt, TryStreamExt, future::try_join_all};

const MIB: u64 = 1 << 20;

/// Data of some parts, where these are not too long.
async fn some(bench: &Bench<'_>) -> Result<(Pattern, String), Wrong> {
    let data = Pattern::new((bench.store.part() + 3 * MIB + 517).min(bench.extent.largest.max(4 * MIB)));
    let url = bench.put(&bench.id(), &data, Some(data.len)).await?;
    Ok((data, url))
}

pub(super) async fn ranges(bench: &Bench<'_>) -> Result<(), Wrong> {
    let (data, url) = some(bench).await?;
    let (len, part) = (data.len, bench.store.part().min(data.len - MIB));
    let mut ranges = vec![0..1, len - 1..len, 0..len, 1..len, 0..len - 1, len / 2..len / 2 + 1, 4095..4097];
    ranges.extend([
        MIB - 1..MIB + 1,
        MIB..2 * MIB,
        12_345..2 * MIB + 54_321,
        part - 1..part + 1,
        part - MIB..part + MIB,
    ]);
    ranges.extend([0..0, 77..77, len..len]);
    for range in ranges {
        bench.same_range(&url, &data, range).await?;
    }
    Ok(())
}

pub(super) async fn beyond(bench: &Bench<'_>) -> Result<(), Wrong> {
    let data = Pattern::new(MIB + 5);
    let url = bench.put(&bench.id(), &data, Some(data.len)).await?;
    for range in [0..data.len + 1, data.len - 1..data.len + 7, data.len + 1..data.len + 2, data.len * 9..data.len * 10]
    {
        let Ok(blocks) = bench.store.read(&url, range.clone()).await else { continue };
        let got: Result<Vec<_>, _> = blocks.try_collect().await;
        if let Ok(got) = got {
            let sum: usize = got.iter().map(bytes::Bytes::len).sum();
            return Err(format!("reading bytes {range:?} of {} gives {sum} bytes and no error", data.len));
        }
    }
    bench.same(&url, &data).await
}

pub(super) async fn many(bench: &Bench<'_>) -> Result<(), Wrong> {
    let (data, url) = some(bench).await?;
    let (url, len) = (url.as_str(), data.len);
    let reads =
        [0..len, 0..len, len / 3..len, 5..len / 2, len - 9..len, 0..len].map(|it| bench.same_range(url, &data, it));
    try_join_all(reads).await.map(drop)
}

pub(super) async fn dropped(bench: &Bench<'_>) -> Result<(), Wrong> {
    let (data, url) = some(bench).await?;
    for blocks in [0, 1, 2] {
        for _ in 0..8 {
            let read = bench.store.read(&url, 0..data.len).await;
            let read = read.map_err(|e| format!("after some reads were dropped, there is no other: {}", chain(&e)))?;
            let seen: Vec<_> = read.take(blocks).collect().await;
            if let Some(Err(e)) = seen.into_iter().find(Result::is_err) {
                return Err(format!("after some reads were dropped, another one fails: {}", chain(&e)));
            }
        }
    }
    bench.same(&url, &data).await
}
