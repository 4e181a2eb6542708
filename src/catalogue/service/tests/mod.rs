//! The verbs, on a real database and a real file store.

mod cache;
mod changes;
mod data;
mod deletes;
mod engines;
mod quotas;
mod records;

use super::{BoxError, Fault, Service, Upload};
use crate::catalogue::Settings;
use crate::db;
use crate::identity::Caller;
use crate::image::{Image, ImageId, ListQuery, NewImage, query::Limits};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::path::{Path, PathBuf};

/// A service in a folder of its own.
pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) service: Service,
}

pub(crate) fn settings(dir: &Path) -> Settings {
    let mut settings =
        Settings { database: db::Settings::sqlite(&dir.join("catalogue.sqlite")), ..Settings::default() };
    settings.store.filesystem_store_datadir = dir.join("images");
    settings.staging_folder = dir.join("staging");
    settings
}

pub(crate) async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::open(settings(dir.path())).await.unwrap();
    Fixture { dir, service }
}

impl Fixture {
    /// The file of an image's data.
    pub(crate) fn file(&self, id: &ImageId) -> PathBuf {
        self.dir.path().join("images").join(id.as_str())
    }

    /// What is in the store's folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.dir.path().join("images")).unwrap();
        names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// The store is empty, or becomes so at once: the thread that wrote an aside file removes it.
    pub(crate) async fn assert_no_bytes(&self) {
        for _ in 0..500 {
            if self.files().is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("left in the store: {:?}", self.files());
    }

    /// A queued raw image.
    pub(crate) async fn queued(&self) -> Image {
        self.service.create(&Caller::admin(), raw()).await.unwrap()
    }

    pub(crate) async fn put(&self, id: &ImageId, data: &[u8]) -> Result<(), Fault> {
        self.service.upload(&Caller::admin(), id, upload(data)).await
    }

    pub(crate) async fn show(&self, id: &ImageId) -> Image {
        self.service.show(&Caller::admin(), id).await.unwrap()
    }

    /// The database, for what the service does not do.
    pub(crate) fn sql(&self, statement: &str) -> usize {
        let raw = rusqlite::Connection::open(self.dir.path().join("catalogue.sqlite")).unwrap();
        raw.execute(statement, []).unwrap()
    }

    pub(crate) fn text(&self, query: &str) -> String {
        let raw = rusqlite::Connection::open(self.dir.path().join("catalogue.sqlite")).unwrap();
        raw.query_row(query, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn count(&self, query: &str) -> i64 {
        let raw = rusqlite::Connection::open(self.dir.path().join("catalogue.sqlite")).unwrap();
        raw.query_row(query, [], |row| row.get(0)).unwrap()
    }
}

pub(crate) fn raw() -> NewImage {
    NewImage { disk_format: Some("raw".to_owned()), container_format: Some("bare".to_owned()), ..NewImage::default() }
}

pub(crate) fn project(name: &str) -> Caller {
    Caller {
        project: Some(name.to_owned()),
        roles: vec!["member".to_owned(), "reader".to_owned()],
        ..Caller::default()
    }
}

pub(crate) fn upload(data: &[u8]) -> Upload {
    let pieces: Vec<Result<Bytes, BoxError>> = data.chunks(70_000).map(|it| Ok(Bytes::copy_from_slice(it))).collect();
    Upload { body: stream::iter(pieces).boxed(), expected: None, store: None }
}

pub(crate) fn query(text: &str) -> ListQuery {
    let pairs = text.split('&').filter_map(|it| it.split_once('='));
    let params: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    ListQuery::parse(&params, Limits { default: 25, max: 1000 }).unwrap()
}

pub(crate) async fn read_all(service: &Service, caller: &Caller, id: &ImageId) -> Option<Vec<u8>> {
    let download = service.download(caller, id).await.unwrap()?;
    let blocks: Vec<Bytes> = download.read(0..download.size).await.unwrap().try_collect().await.unwrap();
    Some(blocks.concat())
}
