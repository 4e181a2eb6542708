//! Which image a base is of, and what its bytes must be: nova leaves nothing but the SHA-1 of the image's id.

use crate::agent::{execute::scrub::Expected, index::Known, plan::fetch};
use crate::base::chain;
use crate::image::{ImageId, signature::Signatures};
use crate::remote::Catalogue;
use crate::wire::image::RemoteImage;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, time::timeout};

/// The images of the catalogue, by the names of their bases; asked for when a base of an unknown image turns up.
#[derive(Clone, Debug, Default)]
pub(super) struct Centre {
    images: Arc<Mutex<Option<(Instant, Images)>>>,
}

/// What the catalogue knows of a base.
#[derive(Debug, Default)]
pub(super) struct Identified {
    /// To be noted, when the catalogue said something new.
    pub(super) known: Option<Box<Known>>,
    pub(super) expected: Option<Expected>,
}

type Images = Arc<HashMap<String, RemoteImage>>;

/// How long a listing is good for.
const FRESH: Duration = Duration::from_secs(3600);
/// A catalogue that does not answer keeps no base from being read.
const PATIENCE: Duration = Duration::from_secs(60);

// === impl Centre ===

impl Centre {
    /// Asks the catalogue about a base, unless the index says enough.
    pub(super) async fn identify(&self, catalogue: &Catalogue, known: Known) -> Identified {
        let was_good = known.verified.as_ref().is_some_and(|it| it.damage.is_none());
        if known.id.is_some() && known.hash_value.is_some() {
            let expected = bytes(&known, None);
            if expected.is_some() || was_good {
                return Identified { expected, known: None };
            }
        }
        let image = match &known.id {
            Some(id) => timeout(PATIENCE, catalogue.image(id)).await.ok().and_then(Result::ok),
            None => self.images(catalogue).await.get(&known.base).cloned(),
        };
        let Some(image) = image else {
            let damaged = known.verified.is_some() && !was_good;
            return Identified { expected: damaged.then_some(Expected::Unknown), known: None };
        };
        let Ok(id) = image.id.parse::<ImageId>() else { return Identified::default() };
        let terms = fetch::Terms { allow_unverified: true, force_raw: false, signatures: Signatures::Off };
        let Ok(order) = fetch::order(&id, &image, terms) else { return Identified::default() };
        let (algorithm, value) = order.digest.clone().unzip();
        let known = Known {
            id: Some(id),
            name: order.name,
            disk_format: Some(order.disk_format),
            checksum: order.checksum,
            hash_algorithm: algorithm.map(|it| it.to_string()),
            hash_value: value,
            ..known
        };
        let expected = bytes(&known, order.size).or_else(|| disk(&known, order.size, image.virtual_size));
        Identified { expected, known: Some(Box::new(known)) }
    }

    async fn images(&self, catalogue: &Catalogue) -> Images {
        let mut kept = self.images.lock().await;
        if let Some((at, images)) = &*kept
            && at.elapsed() < FRESH
        {
            return images.clone();
        }
        let images = match timeout(PATIENCE, catalogue.images(&[])).await {
            Ok(Ok(images)) => images,
            Ok(Err(error)) => {
                tracing::info!(error = %chain(&error), "the catalogue does not say which images bases are of");
                return Images::default();
            }
            Err(_) => return Images::default(),
        };
        let named = |it: RemoteImage| Some((it.id.parse::<ImageId>().ok()?.base_name(), it));
        let images: Images = Arc::new(images.into_iter().filter_map(named).collect());
        *kept = Some((Instant::now(), images.clone()));
        images
    }
}

/// Nova keeps raw images as they came; all else it has made raw, and its bytes are not the image's any more.
fn bytes(known: &Known, size: Option<u64>) -> Option<Expected> {
    let raw = ["raw", "iso", "ami", "aki", "ari"].contains(&known.disk_format.as_deref()?);
    let algorithm = known.hash_algorithm.as_deref()?.parse().ok()?;
    let digest = (algorithm, known.hash_value.clone()?);
    raw.then_some(Expected::Bytes { size, digest })
}

/// Of a qcow2 image its length is known all the same; other formats round it in ways of their own.
fn disk(known: &Known, file: Option<u64>, virtual_size: Option<u64>) -> Option<Expected> {
    let (file, virtual_size) = file.zip(virtual_size).filter(|_| known.disk_format.as_deref() == Some("qcow2"))?;
    Some(Expected::Disk { file, virtual_size })
}
