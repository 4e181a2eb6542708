//! How data goes, and what was never wholly there.

use super::super::{
    bench::{Bench, Wrong},
    pattern::Pattern,
};
use crate::base::chain;
use crate::store::StoreError;
use std::time::Duration;

const MIB: u64 = 1 << 20;

pub(super) async fn absent(bench: &Bench<'_>) -> Result<(), Wrong> {
    bench.absent(&bench.id()).await
}

pub(super) async fn dropped_write(bench: &Bench<'_>) -> Result<(), Wrong> {
    let data = Pattern::new((bench.store.part() + MIB + 5).min(bench.extent.largest.max(3 * MIB)));
    for (until, expected) in [(0, Some(data.len)), (1, None), (2 * MIB, Some(data.len)), (data.len, None)] {
        let id = bench.id();
        let said = |e: StoreError| format!("writing failed: {}", chain(&e));
        let mut writing = bench.store.write(&id, expected).await.map_err(said)?;
        bench.fill(&mut *writing, &data, until).await.map_err(said)?;
        drop(writing);
        bench.fresh(&id).await.map_err(|why| format!("dropped after {until} bytes: {why}"))?;
    }
    Ok(())
}

pub(super) async fn dropped_staged(bench: &Bench<'_>) -> Result<(), Wrong> {
    let part = bench.store.part();
    for len in [0, MIB + 3, part + 3].into_iter().filter(|it| *it <= bench.extent.largest) {
        let (id, data) = (bench.id(), Pattern::new(len));
        let staged = bench.stage(&id, &data, None).await.map_err(|e| format!("writing failed: {}", chain(&e)))?;
        drop(staged);
        bench.fresh(&id).await.map_err(|why| format!("dropped with {len} bytes: {why}"))?;
    }
    Ok(())
}

pub(super) async fn dropped_commit(bench: &Bench<'_>) -> Result<(), Wrong> {
    for polls in [1, 2, 4, 8, 16, 64] {
        let (id, data) = (bench.id(), Pattern::new(MIB + 11));
        let staged = bench.stage(&id, &data, Some(data.len)).await;
        let staged = staged.map_err(|e| format!("writing failed: {}", chain(&e)))?;
        let url = staged.url().to_owned();
        let mut commit = staged.commit();
        let mut done = None;
        for _ in 0..polls {
            if let std::task::Poll::Ready(answer) = futures_util::poll!(&mut commit) {
                done = Some(answer);
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(commit);
        match done {
            Some(Ok(())) => bench.same(&url, &data).await?,
            Some(Err(e)) => return Err(format!("committing failed: {}", chain(&e))),
            None => bench.fresh(&id).await.map_err(|why| format!("dropped after {polls} ms: {why}"))?,
        }
    }
    Ok(())
}

pub(super) async fn removed(bench: &Bench<'_>) -> Result<(), Wrong> {
    let (id, data) = (bench.id(), Pattern::new(MIB + 1));
    for _ in 0..2 {
        let url = bench.put(&id, &data, Some(data.len)).await?;
        bench.store.remove(&url).await.map_err(|e| format!("it cannot be removed: {}", chain(&e)))?;
        bench.absent(&id).await?;
    }
    Ok(())
}

pub(super) async fn tidy(bench: &Bench<'_>) -> Result<(), Wrong> {
    let data = Pattern::new((bench.store.part() + MIB + 5).min(bench.extent.largest.max(3 * MIB)));
    let (done, under_way, staged) = (bench.id(), bench.id(), bench.id());
    let said = |e: StoreError| format!("writing failed: {}", chain(&e));
    let there = bench.put(&done, &data, None).await?;
    let mut writing = bench.store.write(&under_way, None).await.map_err(said)?;
    bench.fill(&mut *writing, &data, data.len).await.map_err(said)?;
    let safe = bench.stage(&staged, &data, Some(data.len)).await.map_err(said)?;
    bench.store.tidy().await.map_err(|e| format!("tidying failed: {}", chain(&e)))?;
    let spared = |e: StoreError| format!("it did not survive the tidying: {}", chain(&e));
    let finished = writing.finish().await.map_err(spared)?;
    for staged in [finished, safe] {
        let url = staged.url().to_owned();
        staged.commit().await.map_err(spared)?;
        bench.same(&url, &data).await?;
    }
    bench.same(&there, &data).await
}
