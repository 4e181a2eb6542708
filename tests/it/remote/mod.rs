//! The client of a catalogue, against a real Keystone and a real Glance, with and without faults between.

mod cache;
mod download;
mod images;
mod login;
mod upload;

use crate::support::rig::{Glance, Keystone, PASSWORD};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use larder::{
    base::chain,
    image::ImageId,
    remote::{Auth, Catalogue, Password, RemoteError, Settings},
};
use serde_json::json;
use std::{io, time::Duration};
use url::Url;

/// Waits for a busy machine: everything is on this one.
fn quick() -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(60),
        read_timeout: Duration::from_secs(60),
        finish_timeout: Duration::from_secs(120),
        ..Settings::default()
    }
}

fn password(keystone: &Keystone, user: &str, project: &str) -> Password {
    Password {
        auth_url: keystone.auth_url.clone(),
        username: Some(user.into()),
        password: PASSWORD.into(),
        project_name: Some(project.into()),
        ..Password::default()
    }
}

fn as_user(keystone: &Keystone, user: &str, project: &str) -> Catalogue {
    Catalogue::new(Settings { auth: Auth::Password(password(keystone, user, project)), ..quick() }).unwrap()
}

/// Everybody is admin there.
fn open(glance: &Glance) -> Catalogue {
    at(&glance.url, quick())
}

fn at(url: &str, settings: Settings) -> Catalogue {
    Catalogue::new(Settings { endpoint: Some(Url::parse(url).unwrap()), ..settings }).unwrap()
}

async fn register(catalogue: &Catalogue, name: &str) -> ImageId {
    let image = json!({"name": name, "disk_format": "raw", "container_format": "bare"});
    catalogue.create(&image).await.unwrap().id.parse().unwrap()
}

fn body(data: &[u8]) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + use<> {
    stream::iter(data.chunks(50_000).map(|it| Ok(Bytes::copy_from_slice(it))).collect::<Vec<_>>())
}

/// Registers an image with this data.
async fn put(catalogue: &Catalogue, name: &str, data: &[u8]) -> ImageId {
    let id = register(catalogue, name).await;
    catalogue.upload(&id, body(data), Some(data.len() as u64), |_| ()).await.unwrap();
    id
}

/// What came of an image from `from` on: where it began, the bytes, and how it ended.
async fn fetch(
    catalogue: &Catalogue,
    id: &ImageId,
    from: u64,
) -> Result<(u64, Vec<u8>, Option<RemoteError>), RemoteError> {
    let download = catalogue.download(id, from).await?;
    let (mut data, mut body) = (Vec::new(), download.body);
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => data.extend_from_slice(&chunk),
            Err(e) => return Ok((download.start, data, Some(e))),
        }
    }
    if let Some(total) = download.total {
        assert_eq!(download.start + data.len() as u64, total);
    }
    Ok((download.start, data, None))
}

/// All bytes of an image.
async fn whole(catalogue: &Catalogue, id: &ImageId) -> Vec<u8> {
    let download = catalogue.download(id, 0).await.unwrap();
    download.body.try_collect::<Vec<_>>().await.unwrap().concat()
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = len as u64 | 1;
    let mut data = Vec::with_capacity(len + 8);
    while data.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        data.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
    }
    data.truncate(len);
    // Whatever the noise is, it must not look like a boot sector.
    data.iter_mut().take(1024).for_each(|it| *it = 0x11);
    data
}

/// The whole message of an error, as people see it; no secret may be in it.
fn told(error: &RemoteError) -> String {
    let text = format!("{} {error:?}", chain(error));
    assert!(!text.contains(PASSWORD) && !text.contains("gAAAA"), "{text}");
    chain(error).to_string()
}
