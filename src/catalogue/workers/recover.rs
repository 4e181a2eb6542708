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
use chrono::{DateTime, Utc};
use std::time::Duration;

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

/// Takes over the uploads of dead processes, and undoes all that nobody works on.
///
/// # Errors
/// That of the database. Those of the store are logged, and the upload comes again.
pub(crate) async fn recover(service: &Service) -> Result<(), Fault> {
    take_over(service).await?;
    let id = service.process().id.clone();
    let mine = service.db().read::<_, DbError, _>(move |tx| uploads::of(tx, &id)).await?;
    for upload in mine {
        if service.uploading().iter().any(|it| it.as_str() == upload.image) {
            continue;
        }
        match service.undo(&upload.image).await {
            Ok(()) => tracing::info!(image.id = upload.image, "undid an upload that was broken off"),
            Err(error) => {
                let error = chain(&error);
                tracing::error!(image.id = upload.image, %error, "an upload that was broken off is not undone yet");
            }
        }
    }
    service.give_back_idle_imports().await
}

async fn take_over(service: &Service) -> Result<(), Fault> {
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
            service.stores().tidy().await;
            service.tidy_staging().await;
            tracing::warn!(
                pid = process.pid,
                taken,
                "another catalogue process died while it took data in or imported"
            );
        }
    }
    Ok(())
}

/// A process on this machine is asked for; others are dead after a lease without a sign of life.
fn is_dead(process: &Process, beat_at: DateTime<Utc>, now: DateTime<Utc>, lease: Duration) -> bool {
    match process.runs() {
        Some(runs) => !runs,
        None => (now - beat_at).to_std().is_ok_and(|silent| silent > lease),
    }
}
