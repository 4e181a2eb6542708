//! The S3 store: Amazon's, and servers that speak like it (Ceph, Swift, MinIO…). An image is the object of its id in
//! `s3_store_bucket`, as glance_store's s3 driver has it.
//!
//! ```text
//! write ─→ parts of 10 MiB, some at once ─→ commit: the object is there
//!                └─→ drop: aborted, also after kill -9 (clear(), tidy())
//! read  ─→ a range request, and on from where it breaks off
//! ```
//!
//! Keys stand in the options, and in location URLs of old releases of Glance, whose keys are not used; no message shows
//! them.

mod address;
mod bucket;
mod fault;
mod read;
mod settings;
mod transport;
mod uploads;
mod write;

pub use settings::{BucketUrlFormat, Checksums, S3Settings};

use crate::image::ImageId;
use crate::store::{Blocks, OpenError, Room, Store, StoreError, Writing, resume, settling::Settling};
use address::{Place, Server, shown};
use bucket::{Bucket, Wire};
use futures_util::{FutureExt, future::BoxFuture};
use http::{Method, StatusCode};
use read::Source;
use std::ops::Range;
use tokio::sync::OnceCell;
use write::{Parts, S3Writing, Target};

/// The shortest part (S3's limit), MiB.
const SHORTEST_PART: u64 = 5;
/// The longest (S3's limit), MiB.
const LONGEST_PART: u64 = 5 << 10;

/// The S3 store.
pub(super) struct S3Store {
    name: String,
    wire: Wire,
    bucket: Bucket,
    /// Bytes.
    part: u64,
    pools: usize,
    create_bucket: bool,
    /// The bucket was seen.
    is_there: OnceCell<()>,
    settling: Settling,
}

// === impl S3Store ===

impl S3Store {
    /// Looks at the options. The server is asked in the background, and the log says when it cannot be used: Glance starts
    /// without it, too.
    pub(super) fn open(name: &str, settings: &S3Settings) -> Result<Self, OpenError> {
        let refused = |what: String| OpenError::Options { kind: "s3", what, source: None };
        for (option, value) in [
            ("s3_store_host", settings.host.as_str()),
            ("s3_store_access_key", settings.access_key.expose()),
            ("s3_store_secret_key", settings.secret_key.expose()),
            ("s3_store_bucket", &settings.bucket),
        ] {
            if value.trim().is_empty() {
                return Err(refused(format!("{option} is not set")));
            }
        }
        if !address::is_bucket(&settings.bucket) {
            return Err(refused(format!("s3_store_bucket: '{}' is no name of a bucket", settings.bucket)));
        }
        let part = settings.large_object_chunk_size;
        if !(SHORTEST_PART..=LONGEST_PART).contains(&part) {
            let limits = format!("from {SHORTEST_PART} to {LONGEST_PART} MB");
            return Err(refused(format!("s3_store_large_object_chunk_size is {part}: S3 takes parts {limits}")));
        }
        if settings.thread_pools == 0 {
            return Err(refused("s3_store_thread_pools is 0: it takes 1 at the least".to_owned()));
        }
        let wire = Wire::open(settings, Server::new(settings).map_err(refused)?)?;
        let bucket = wire.bucket(&settings.bucket).map_err(|e| refused(fault::words(&e)))?;
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(warn(name.to_owned(), bucket.clone(), settings.create_bucket_on_put));
        }
        Ok(Self {
            name: name.to_owned(),
            wire,
            bucket,
            part: part << 20,
            pools: settings.thread_pools,
            create_bucket: settings.create_bucket_on_put,
            is_there: OnceCell::new(),
            settling: Settling::default(),
        })
    }

    /// Where the data of a location URL is.
    fn locate(&self, url: &str) -> Result<Source, StoreError> {
        let place = Place::parse(url).map_err(|why| address::foreign(url, &self.name, why))?;
        let bucket = if place.bucket == self.bucket.name {
            self.bucket.clone()
        } else {
            // Of a time when the option named another one.
            let other = self.wire.bucket(place.bucket);
            other.map_err(|_| address::foreign(url, &self.name, "its bucket cannot be asked for"))?
        };
        Ok(Source { bucket, key: place.key.to_owned(), url: url.to_owned(), store: self.name.clone() })
    }

    /// The bucket is there, or is made.
    async fn ready(&self, url: &str) -> Result<(), StoreError> {
        let failed = |what: &str| fault::remote("written", url, what);
        let look = async || {
            let answer = self.bucket.ask(Method::HEAD, None, "", String::new()).await.map_err(|e| failed(&e))?;
            match answer.status {
                StatusCode::NOT_FOUND if self.create_bucket => {
                    self.bucket.create().await.map_err(|e| failed(&format!("its bucket cannot be made: {e}")))?;
                    tracing::info!(store = self.name, bucket = self.bucket.name, "made the bucket");
                    Ok(())
                }
                StatusCode::NOT_FOUND => Err(failed(&format!(
                    "there is no bucket {}; make it, or set s3_store_create_bucket_on_put",
                    self.bucket.name
                ))),
                // The keys may be good for objects alone.
                _ => Ok(()),
            }
        };
        self.is_there.get_or_try_init(look).await.map(drop)
    }
}

/// Says in the log what is wrong with the server, if anything is.
async fn warn(store: String, bucket: Bucket, create: bool) {
    let (server, name) = (bucket.endpoint().to_owned(), bucket.name.clone());
    let wrong = match bucket.ask(Method::HEAD, None, "", String::new()).await {
        Ok(answer) if answer.status.is_success() => return,
        Ok(answer) if answer.status == StatusCode::NOT_FOUND && create => return,
        Ok(answer) if answer.status == StatusCode::NOT_FOUND => "there is no such bucket".to_owned(),
        Ok(answer) if answer.status == StatusCode::FORBIDDEN => {
            "the server denies access: look at s3_store_access_key, s3_store_secret_key and the rights on the bucket"
                .to_owned()
        }
        Ok(answer) => answer.words(),
        Err(error) => error,
    };
    tracing::warn!(store, server, bucket = name, error = wrong, "the S3 store cannot be used as it is");
}

impl Store for S3Store {
    fn name(&self) -> &str {
        &self.name
    }

    fn schemes(&self) -> &'static [&'static str] {
        &address::SCHEMES
    }

    fn owns(&self, url: &str) -> bool {
        let server = &self.wire.server;
        Place::parse(url).is_ok_and(|it| it.bucket == self.bucket.name && it.host.eq_ignore_ascii_case(&server.host))
    }

    fn url(&self, id: &ImageId) -> String {
        self.bucket.url(id.as_str())
    }

    fn read<'a>(&'a self, url: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Blocks, StoreError>> {
        async move {
            let size = self.size(url).await?;
            if range.end > size || range.start > range.end {
                return Err(StoreError::Short { url: shown(url), size, wanted: range.end.max(range.start) });
            }
            resume::read(self.locate(url)?, range).await
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        id: &'a ImageId,
        expected: Option<u64>,
    ) -> BoxFuture<'a, Result<Box<dyn Writing>, StoreError>> {
        async move {
            let (key, url) = (id.to_string(), self.url(id));
            self.ready(&url).await?;
            self.settling.settled(&key).await;
            let target = Target {
                bucket: self.bucket.clone(),
                key,
                url,
                store: self.name.clone(),
                settling: self.settling.clone(),
            };
            // Said now, before the client has sent it all; the commit finds out for sure.
            if target.len().await?.is_some() {
                return Err(StoreError::Duplicate { url: target.url });
            }
            let writing = S3Writing::begin(target, Parts::new(self.part, self.pools, expected)).await?;
            Ok(Box::new(writing) as Box<dyn Writing>)
        }
        .boxed()
    }

    fn size<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        async move {
            let Source { bucket, key, .. } = self.locate(url)?;
            let found = bucket.op.stat(&key).await.map_err(|e| fault::of("read", url, &self.name, &e))?;
            Ok(found.content_length())
        }
        .boxed()
    }

    fn remove<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let Source { bucket, key, .. } = self.locate(url)?;
            // S3 does not tell whether there was an object.
            self.size(url).await?;
            bucket.op.delete(&key).await.map_err(|e| fault::of("removed", url, &self.name, &e))
        }
        .boxed()
    }

    fn clear<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let failed = |e: String| fault::remote("cleared of unfinished uploads", &self.url(id), &e);
            let aborted = self.bucket.abort_all(id.as_str()).await.map_err(failed)?;
            if aborted > 0 {
                tracing::info!(store = self.name, image.id = %id, "removed what an interrupted upload left");
            }
            Ok(())
        }
        .boxed()
    }

    fn tidy(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let url = self.bucket.url("");
            let failed = |e: String| fault::remote("cleared of unfinished uploads", &url, &e);
            let aborted = self.bucket.abort_dead(chrono::Utc::now()).await.map_err(failed)?;
            if aborted > 0 {
                tracing::info!(store = self.name, uploads = aborted, "removed what interrupted uploads left");
            }
            Ok(())
        }
        .boxed()
    }

    fn part(&self) -> u64 {
        self.part
    }

    fn room(&self) -> BoxFuture<'_, Result<Option<Room>, StoreError>> {
        std::future::ready(Ok(None)).boxed()
    }
}
