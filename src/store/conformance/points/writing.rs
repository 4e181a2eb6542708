//! How data gets in.

use super::super::{
    bench::{Bench, Wrong, not_found},
    pattern::Pattern,
};
use crate::base::chain;
use crate::store::StoreError;
use futures_util::future::try_join_all;

const MIB: u64 = 1 << 20;

pub(super) async fn known_length(bench: &Bench<'_>) -> Result<(), Wrong> {
    round_trips(bench, true).await
}

pub(super) async fn unknown_length(bench: &Bench<'_>) -> Result<(), Wrong> {
    round_trips(bench, false).await
}

async fn round_trips(bench: &Bench<'_>, known: bool) -> Result<(), Wrong> {
    for len in lengths(bench.store.part(), bench.extent.largest) {
        let (id, data) = (bench.id(), Pattern::new(len));
        let url = bench.put(&id, &data, known.then_some(len)).await?;
        bench.same(&url, &data).await?;
        bench.store.remove(&url).await.map_err(|e| format!("{len} bytes cannot be removed: {}", chain(&e)))?;
    }
    Ok(())
}

/// Odd ones, and those around the borders of a MiB and of the store's parts.
fn lengths(part: u64, largest: u64) -> Vec<u64> {
    let mut all = vec![1, 4095, MIB - 1, MIB, MIB + 1, 3 * MIB + 70_003];
    all.extend([part - 1, part, part + 1, 2 * part, 2 * part + 12_345]);
    all.retain(|it| (1..=largest).contains(it));
    all.sort_unstable();
    all.dedup();
    all
}

pub(super) async fn empty(bench: &Bench<'_>) -> Result<(), Wrong> {
    for expected in [Some(0), None] {
        let (id, data) = (bench.id(), Pattern::new(0));
        let url = bench.put(&id, &data, expected).await?;
        bench.same(&url, &data).await?;
    }
    Ok(())
}

pub(super) async fn wrong_length(bench: &Bench<'_>) -> Result<(), Wrong> {
    for (len, expected) in [(2 * MIB + 1, 3 * MIB), (2 * MIB + 1, MIB), (MIB, 0), (0, MIB)] {
        let (id, data) = (bench.id(), Pattern::new(len));
        let staged = match bench.stage(&id, &data, Some(expected)).await {
            Ok(it) => it,
            Err(_) => {
                bench.soon_absent(&id).await.map_err(|why| format!("it was refused, and something is left: {why}"))?;
                continue;
            }
        };
        let url = staged.url().to_owned();
        match staged.commit().await {
            Ok(()) => bench.same(&url, &data).await.map_err(|why| format!("{expected} bytes were announced: {why}"))?,
            Err(_) => bench.soon_absent(&id).await?,
        }
    }
    Ok(())
}

pub(super) async fn unseen(bench: &Bench<'_>) -> Result<(), Wrong> {
    let (id, data) = (bench.id(), Pattern::new(2 * MIB + 77));
    let said = |e: StoreError| format!("writing failed: {}", chain(&e));
    let mut writing = bench.store.write(&id, Some(data.len)).await.map_err(said)?;
    nothing(bench, &id, "when it has begun").await?;
    bench.fill(&mut *writing, &data, data.len).await.map_err(said)?;
    nothing(bench, &id, "when all of it is written").await?;
    let staged = writing.finish().await.map_err(said)?;
    nothing(bench, &id, "when it is finished").await?;
    let url = staged.url().to_owned();
    staged.commit().await.map_err(said)?;
    bench.same(&url, &data).await
}

async fn nothing(bench: &Bench<'_>, id: &crate::image::ImageId, when: &str) -> Result<(), Wrong> {
    for url in bench.store.urls(id) {
        let seen = not_found("its size", bench.store.size(&url).await.map(|it| format!("{it} bytes")));
        seen.map_err(|why| format!("{when}: {why}"))?;
        let read = bench.store.read(&url, 0..1).await;
        let read = match read {
            Ok(mut blocks) => {
                futures_util::StreamExt::next(&mut blocks).await.unwrap_or_else(|| Ok(bytes::Bytes::new()))
            }
            Err(e) => Err(e),
        };
        not_found("reading it", read.map(|it| format!("{} bytes", it.len())))
            .map_err(|why| format!("{when}: {why}"))?;
    }
    Ok(())
}

pub(super) async fn once(bench: &Bench<'_>) -> Result<(), Wrong> {
    let (id, first, second) = (bench.id(), Pattern::new(MIB + 9), Pattern::new(MIB + 9));
    let said = |e: StoreError| format!("the first one: {}", chain(&e));
    // Two at once: the first to commit wins.
    let one = bench.stage(&id, &first, Some(first.len)).await.map_err(said)?;
    let two = bench.stage(&id, &second, Some(second.len)).await;
    let url = one.url().to_owned();
    one.commit().await.map_err(said)?;
    let two = match two {
        Ok(staged) => staged.commit().await,
        Err(e) => Err(e),
    };
    duplicate("a second one, begun before the first was there", two)?;
    bench.same(&url, &first).await.map_err(|why| format!("the first one's data: {why}"))?;
    let third = match bench.stage(&id, &second, None).await {
        Ok(staged) => staged.commit().await,
        Err(e) => Err(e),
    };
    duplicate("one that comes later", third)?;
    bench.same(&url, &first).await.map_err(|why| format!("the first one's data: {why}"))
}

fn duplicate(which: &str, answer: Result<(), StoreError>) -> Result<(), Wrong> {
    match answer {
        Err(StoreError::Duplicate { .. }) => Ok(()),
        Err(other) => Err(format!("{which}: it does not say that there is data already: {}", chain(&other))),
        Ok(()) => Err(format!("{which}: it has overwritten data")),
    }
}

pub(super) async fn many(bench: &Bench<'_>) -> Result<(), Wrong> {
    let one = |len: u64| async move {
        let (id, data) = (bench.id(), Pattern::new(len));
        let url = bench.put(&id, &data, len.is_multiple_of(2).then_some(len)).await?;
        bench.same(&url, &data).await
    };
    try_join_all([MIB, 2 * MIB + 1, 300_000, 3 * MIB].map(one)).await.map(drop)
}
