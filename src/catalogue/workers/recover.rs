//! Undoing what a killed process left: images in `saving`, and objects that belong to no image.

use crate::base::chain;
use crate::catalogue::{
    service::{Fault, Service},
    tables::{
        imports,
        processes::{self, Process},
        uploads,
    },
};
use crate::db::DbError;
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Says that this process lives, while it writes data.
///
/// # Errors
/// That of the database.
pub(super) async fn beat(service: &Service) -> Result<(), Fault> {
    if service.uploading().is_empty() {
        return Ok(());
    }
    let (process, now) = (service.process().clone(), service.now());
    Ok(service.db().write::<_, DbError, _>(move |tx| processes::beat(tx, &process, now)).await?)
}

/// How long the start waits for what earlier processes left to be undone; what takes longer is undone behind the requests.
const START: Duration = Duration::from_secs(10);

/// As [`begin`], and waits for the end of it for a while: a store may hang.
///
/// # Errors
/// That of the database.
pub(crate) async fn recover(service: &Service) -> Result<(), Fault> {
    let begun = begin(service).await?;
    if tokio::time::timeout(START, join_all(begun)).await.is_err() {
        tracing::warn!("what an earlier process left is undone later: a store does not answer in time");
    }
    Ok(())
}

/// Takes over the uploads of dead processes, and begins to undo all that nobody works on. Nothing here waits for a store.
///
/// # Errors
/// That of the database. Those of the store are logged, and the upload comes again.
pub(super) async fn begin(service: &Service) -> Result<Vec<JoinHandle<()>>, Fault> {
    let mut begun = Vec::new();
    if take_over(service).await? {
        let stores = service.stores().clone();
        begun.push(service.in_background(async move { stores.tidy().await }));
    }
    let id = service.process().id.clone();
    let mine = service.db().read::<_, DbError, _>(move |tx| uploads::of(tx, &id)).await?;
    for image in mine.into_iter().filter_map(|it| it.image.parse::<ImageId>().ok()) {
        // While it is undone this process gives signs of life, as for an upload.
        let Some(entered) = service.enter(&image) else { continue };
        let worker = service.clone();
        begun.push(service.in_background(async move {
            match worker.undo(image.as_str(), None).await {
                Ok(()) => tracing::info!(image.id = %image, "undid an upload that was broken off"),
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(image.id = %image, %error, "an upload that was broken off is not undone yet");
                }
            }
            drop(entered);
        }));
    }
    service.give_back_idle_imports().await?;
    Ok(begun)
}

/// Whether anything was taken over.
async fn take_over(service: &Service) -> Result<bool, Fault> {
    let mut any = false;
    let me = service.process().id.clone();
    let others = service.db().read::<_, DbError, _>(move |tx| processes::others(tx, &me)).await?;
    for (process, beat_at) in others {
        if !is_dead(&process, beat_at, service.now(), service.settings().lease) {
            continue;
        }
        let (from, me, now) = (process.id.clone(), service.process().clone(), service.now());
        let taken = service.db().write::<_, DbError, _>(move |tx| {
            if !processes::strike(tx, &from, beat_at)? {
                // It lives, or somebody else was faster.
                return Ok(0);
            }
            processes::beat(tx, &me, now)?;
            Ok(uploads::hand_over(tx, &from, &me.id)? + imports::release_all(tx, &from)?)
        });
        let taken = taken.await?;
        if taken > 0 {
            any = true;
            service.tidy_staging().await;
            tracing::warn!(
                pid = process.pid,
                taken,
                "another catalogue process died while it took data in or imported"
            );
        }
    }
    Ok(any)
}

/// A process on this machine is asked for; others are dead after a lease without a sign of life.
fn is_dead(process: &Process, beat_at: DateTime<Utc>, now: DateTime<Utc>, lease: Duration) -> bool {
    match process.runs() {
        Some(runs) => !runs,
        None => (now - beat_at).to_std().is_ok_and(|silent| silent > lease),
    }
}
