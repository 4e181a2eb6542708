//! The work on one import.

use super::{
    order::Order,
    plugins::{Changes, DecompressError, Prepared},
    progress::Ended,
    settle::Stored,
    verify::WrongHash,
};
use crate::base::{chain, digest::Algorithm};
use crate::catalogue::{
    service::{
        Fault, Service,
        difference::difference,
        signatures::{self, Named},
        upload::{judge, storage_left},
    },
    tables::{images, imports, tasks},
};
use crate::db::DbError;
use crate::identity::{Caller, quota::Resource};
use crate::image::{Image, ImportMethod, signature::Signer, task::Task};
use crate::store::{self, IngestError, OnFailure, Spread, Store, StoreError};
use futures_util::{StreamExt, TryStreamExt, future::join_all};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// How often work on an import begins; one that breaks off as often would for ever.
const MOST_ATTEMPTS: u64 = 5;

/// Why an import fails, for the task.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
}

/// Data that stands aside in the stores, and what is to become of the image with it.
struct Brought {
    spread: Spread,
    changes: Changes,
}

/// What an import knows at its begin.
struct Begun {
    image: Image,
    task: Task,
    /// It was said that data is about to come.
    told: AtomicBool,
}

impl Service {
    /// Works on an import of this process until it is settled, or no longer ours.
    ///
    /// # Errors
    /// What has nothing to do with the import: it is taken up again later.
    pub(super) async fn work_on(&self, row: &imports::Import) -> Result<(), Fault> {
        let order = Order::from_json(&row.order)?;
        let begun = match self.begin_import(row).await? {
            Ok(begun) => begun,
            Err(Ended::ImageGone) => return self.settle_gone(row, &order).await,
            Err(Ended::NotOurs | Ended::Closing) => return Ok(()),
        };
        let copied = Arc::new(AtomicU64::new(0));
        let outcome = tokio::select! {
            ended = self.watch(row, &copied) => Err(ended),
            outcome = self.try_once(&begun, row, &order, &copied) => Ok(outcome?),
        };
        if !matches!(outcome, Err(Ended::Closing)) {
            self.desk().tokens.forget(&row.task);
        }
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => {
                if begun.told.into_inner() {
                    self.notes().upload_failed(&row.image, &Fault::Invalid(failure.why.clone()));
                }
                self.clear_import(row).await?;
                self.settle_failed(row, &order, failure).await
            }
            Err(Ended::ImageGone) => self.settle_gone(row, &order).await,
            // It is not the import's fault.
            Err(Ended::Closing) => {
                // What only this process could do nobody can; whoever takes it says so.
                let alone = row.staging.as_deref() == Some(self.process().id.as_str());
                let staging = row.staging.clone().filter(|_| !alone);
                let row = imports::Import { staging, ..row.clone() };
                self.give_back(&row, row.attempts.saturating_sub(1)).await
            }
            Err(Ended::NotOurs) => Ok(()),
        }
    }

    /// The task runs from now on, if the import is still this process's and its image is there.
    async fn begin_import(&self, row: &imports::Import) -> Result<Result<Begun, Ended>, Fault> {
        let (row, process, now) = (row.clone(), self.process().id.clone(), self.now());
        let cipher = self.cipher().clone();
        let is_first = row.attempts <= 1;
        let begun = self.db().write::<_, DbError, _>(move |tx| {
            if !imports::is_of(tx, &row, &process)? {
                return Ok(Err(Ended::NotOurs));
            }
            let (image, task) = (images::find(tx, &cipher, &row.image)?, tasks::find(tx, &row.task, None)?);
            let (Some(image), Some(task)) = (image, task) else { return Ok(Err(Ended::ImageGone)) };
            let task = Task { status: "processing".to_owned(), updated_at: now, ..task };
            tasks::update(tx, &task)?;
            Ok(Ok(Begun { image, task, told: AtomicBool::new(false) }))
        });
        let begun = begun.await?;
        if let Some(Begun { task, .. }) = begun.as_ref().ok().filter(|_| is_first) {
            self.notes().task_runs(&Task { status: "pending".to_owned(), ..task.clone() }, now);
            self.notes().task(task, now);
        }
        Ok(begun)
    }

    async fn try_once(
        &self,
        begun: &Begun,
        row: &imports::Import,
        order: &Order,
        copied: &Arc<AtomicU64>,
    ) -> Result<Result<(), Failure>, Fault> {
        if row.attempts > MOST_ATTEMPTS {
            return Ok(Err(format!("The import broke off {MOST_ATTEMPTS} times.").into()));
        }
        match &order.in_place {
            Some(data) => self.measure_in_place((row, order), (data, &begun.image), copied).await,
            None => self.attempt(begun, row, order, copied).await,
        }
    }

    /// The import itself.
    async fn attempt(
        &self,
        begun: &Begun,
        row: &imports::Import,
        order: &Order,
        copied: &Arc<AtomicU64>,
    ) -> Result<Result<(), Failure>, Fault> {
        if let Err(fault) = self.check_limits(begun, order).await {
            return refused(fault);
        }
        let (targets, missing) = self.targets(order);
        let written: Vec<&dyn Store> = targets.iter().map(|it| &**it).collect();
        self.remove_orphan(&begun.image.id, &written).await?;
        if !missing.is_empty() && (order.all_must_succeed || targets.is_empty()) {
            let why = format!("Nothing can be written to {}.", missing.join(", "));
            return Ok(Err(Failure { why }));
        }
        let Brought { spread, changes } = match self.bring_in(begun, row, order, (&targets, copied)).await {
            Ok(brought) => brought,
            Err(failure) => return Ok(Err(failure)),
        };
        let method = order.method()?;
        let mut becomes = begun.image.clone();
        changes.apply(&mut becomes);
        let virtual_size = match check(self, &becomes, &spread, method) {
            Ok(size) => size.or(changes.virtual_size()),
            Err(why) => return Ok(Err(why.into())),
        };
        let stored = match self.publish(row, order, (spread, &targets), missing).await? {
            Some(Ok(stored)) => stored,
            Some(Err(failure)) => return Ok(Err(failure)),
            // Another process has it: what stands there is no location, and goes when that one looks.
            None => return Ok(Ok(())),
        };
        match self.settle_done(row, order, &begun.image, Stored { virtual_size, changes, ..stored }).await {
            Ok(()) => Ok(Ok(())),
            Err(fault) => refused(fault),
        }
    }

    /// Keystone's limits, in the name of the project that asked.
    async fn check_limits(&self, begun: &Begun, order: &Order) -> Result<(), Fault> {
        let caller = Caller { project: Some(begun.task.owner.clone()), ..Caller::default() };
        let size = begun.image.size.unwrap_or(0) >> 20;
        if order.method()? == ImportMethod::GlanceDirect {
            return self.enforce(&caller, &[(Resource::ImageSizeTotal, size)]).await;
        }
        self.enforce(&caller, &[(Resource::ImageStageTotal, size), (Resource::ImageCountUploading, 0)]).await
    }

    /// The stores that the data goes to, and the ids of those that take none.
    fn targets(&self, order: &Order) -> (Vec<Arc<dyn Store>>, Vec<String>) {
        let Some(ids) = &order.stores else { return (vec![Arc::clone(self.stores().main())], Vec::new()) };
        let settings = self.settings();
        let (mut targets, mut missing) = (Vec::new(), Vec::new());
        for id in ids {
            let takes = settings.store.backend(id).is_some_and(|it| !it.is_read_only());
            match self.stores().by_id(id).filter(|_| takes) {
                Some(store) => targets.push(Arc::clone(store)),
                None => missing.push(id.clone()),
            }
        }
        (targets, missing)
    }

    /// Reads the data once, into all stores.
    async fn bring_in(
        &self,
        begun: &Begun,
        row: &imports::Import,
        order: &Order,
        (targets, copied): (&[Arc<dyn Store>], &Arc<AtomicU64>),
    ) -> Result<Brought, Failure> {
        let mut source = self.source(&begun.image, row, order).await?;
        let counter = Arc::clone(copied);
        let counted = source.body.inspect_ok(move |it| {
            counter.fetch_add(it.len() as u64, Ordering::Relaxed);
        });
        source.body = counted.boxed();
        let mut image = begun.image.clone();
        source.changes.apply(&mut image);
        // The files live until all of it is in the stores.
        let Prepared { source, mut changes, introspects, scratch: _scratch } =
            self.prepare((&image, row), order, source).await?;
        // What is stored is what nodes verify.
        changes.apply(&mut image);
        let signer = self.signer_of_import((&image, row), order).await?;
        begun.told.store(true, Ordering::Relaxed);
        for store in targets {
            self.notes().preparing(&begun.image, self.named(&**store).as_deref());
        }
        let settings = self.settings();
        let cap = self.cap(&begun.image, targets.len() as u64).await.map_err(|it| it.to_string())?;
        let known = begun.image.os_hash_algo.as_deref().and_then(|it| it.parse().ok());
        let hash: Algorithm = known.unwrap_or(settings.hashing_algorithm);
        let also = signer.as_ref().map(|it| it.signature().hash());
        let limits = store::Limits { size_cap: cap, expected: source.size, hash, also };
        let on_failure = if order.all_must_succeed { OnFailure::Stop } else { OnFailure::GoOn };
        let spread = store::spread(source.body, targets, &begun.image.id, (limits, on_failure)).await;
        let spread = spread.map_err(|error| {
            tracing::warn!(image.id = %begun.image.id, error = %chain(&error), "the data of an import does not get in");
            Failure { why: told(error) }
        })?;
        if let Some(signer) = &signer {
            signatures::check(&begun.image.id, signer, &spread.facts).map_err(|it| it.to_string())?;
        }
        if introspects {
            changes.introspect(&spread.facts.inspection);
        }
        Ok(Brought { spread, changes })
    }

    /// Who must have signed the data that is about to be stored, if somebody must: the image is as it will be then.
    pub(super) async fn signer_of_import(
        &self,
        (image, row): (&Image, &imports::Import),
        order: &Order,
    ) -> Result<Option<Signer>, String> {
        if order.method == ImportMethod::CopyImage.as_str() {
            return Ok(None);
        }
        let held = self.desk().tokens.caller(&row.task).map(|it| it.0);
        let named = Named { kept: order.certificate.as_ref(), caller: held.as_ref() };
        self.signer(image, named).await.map_err(|it| it.to_string())
    }

    /// The most bytes that the data may have, so many times.
    pub(super) async fn cap(&self, image: &Image, times: u64) -> Result<u64, Fault> {
        let (settings, image) = (self.settings(), image.clone());
        let most = settings.image_size_cap;
        let left = self.db().read::<_, DbError, _>(move |tx| {
            storage_left(tx, &settings, image.owner.as_deref(), &image.id)
                .map(|left| left.map(|it| it / (times + image.locations.len() as u64).max(1)))
        });
        Ok(left.await?.unwrap_or(u64::MAX).min(most))
    }

    /// Makes the objects stand, whose places are announced first. None when another process has the import.
    async fn publish(
        &self,
        row: &imports::Import,
        order: &Order,
        (spread, targets): (Spread, &[Arc<dyn Store>]),
        missing: Vec<String>,
    ) -> Result<Option<Result<Stored, Failure>>, Fault> {
        let Spread { facts, copies } = spread;
        let urls: Vec<String> = copies.iter().flatten().map(|it| it.url().to_owned()).collect();
        let (mine, process) = (row.clone(), self.process().id.clone());
        let announced = self.db().write::<_, DbError, _>(move |tx| imports::announce(tx, &mine, &process, &urls));
        if !announced.await? {
            return Ok(None);
        }
        let commit = async |copy: Result<Box<dyn store::StagedData>, StoreError>| {
            let copy = copy?;
            let url = copy.url().to_owned();
            copy.commit().await.map(|()| url)
        };
        let standing = join_all(copies.into_iter().map(commit)).await;
        let changes = Changes::default();
        let mut stored = Stored { places: Vec::new(), failed: missing, facts, virtual_size: None, changes };
        let mut why = None;
        for (outcome, store) in standing.into_iter().zip(targets) {
            match outcome {
                Ok(url) => stored.places.push(self.stores().written(&**store, url)),
                Err(error) => {
                    let name = store.name();
                    tracing::warn!(image.id = %row.image, store = name, error = %chain(&error), "a store did not take an import");
                    why = Some(format!("{name}: {}", Fault::from(error)));
                    stored.failed.push(name.to_owned());
                }
            }
        }
        match why {
            Some(why) if order.all_must_succeed || stored.places.is_empty() => Ok(Some(Err(Failure { why }))),
            _ => Ok(Some(Ok(stored))),
        }
    }
}

/// What the data is, against what it should be; the size that a guest sees.
fn check(service: &Service, image: &Image, spread: &Spread, method: ImportMethod) -> Result<Option<u64>, String> {
    let judged = || judge(&service.settings(), image, &spread.facts.inspection).map_err(|it| it.to_string());
    if method != ImportMethod::CopyImage {
        return judged();
    }
    match difference(image, &spread.facts) {
        // Nobody has looked at data whose place was only told.
        None if image.virtual_size.is_none() => judged(),
        None => Ok(image.virtual_size),
        Some(it) => Err(format!("The image's data is damaged: its {} is {}, not {}.", it.what, it.found, it.wanted)),
    }
}

/// A refusal is the end of an import; whatever else goes wrong is no fault of its own.
pub(super) fn refused(fault: Fault) -> Result<Result<(), Failure>, Fault> {
    match fault {
        Fault::Unavailable(_) | Fault::Internal(_) => Err(fault),
        other => Ok(Err(other.to_string().into())),
    }
}

/// An error in words for the client: nothing of the server's folders.
pub(super) fn told(error: IngestError) -> String {
    match error {
        IngestError::StoreOf { store, source } => format!("{store}: {}", Fault::from(source)),
        // A plugin has words of its own.
        IngestError::Body { source, .. } if source.is::<DecompressError>() || source.is::<WrongHash>() => {
            source.to_string()
        }
        IngestError::Body { .. } => chain(&error).to_string(),
        other => Fault::from(other).to_string(),
    }
}

// === impl Failure ===

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self { why }
    }
}
