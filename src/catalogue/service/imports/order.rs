//! What was asked for, as the row of an import keeps it.

use crate::catalogue::service::{Fault, signatures::Kept};
use crate::image::{Elsewhere, Image, Import, ImportMethod};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An order; stores are named by their ids where there are several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) method: String,
    pub(super) uri: Option<String>,
    /// None: the one store that there is.
    pub(super) stores: Option<Vec<String>>,
    pub(super) all_must_succeed: bool,
    /// The data is not brought anywhere: it is read where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) in_place: Option<InPlace>,
    /// The image of another region.
    #[serde(default)]
    pub(super) elsewhere: Option<Place>,
    /// Those of the caller.
    #[serde(default)]
    pub(super) roles: Vec<String>,
    /// The certificate of the image's signature, which may be had with the caller's token only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certificate: Option<Kept>,
}

/// Data that stays where it is, and is read for its hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::catalogue::service) struct InPlace {
    /// Where it is, in the form that locations have in the database.
    pub(in crate::catalogue::service) sealed_url: String,
    /// Bytes.
    pub(in crate::catalogue::service) size: u64,
    /// Algorithm and hex of the hash that it must have for the image to become active.
    pub(in crate::catalogue::service) wanted: Option<(String, String)>,
    /// It must be signed for the image to become active.
    #[serde(default)]
    pub(in crate::catalogue::service) signed: bool,
}

// === impl InPlace ===

impl InPlace {
    /// Whether the image becomes active only when the data is what it should be; otherwise it is.
    pub(in crate::catalogue::service) fn is_awaited(&self) -> bool {
        self.wanted.is_some() || self.signed
    }
}

/// Where an image of another region is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) region: String,
    pub(super) interface: String,
    pub(super) image: String,
}

// === impl Place ===

impl From<&Elsewhere> for Place {
    fn from(it: &Elsewhere) -> Self {
        Self { region: it.region.clone(), interface: it.interface.clone(), image: it.image.to_string() }
    }
}

// === impl Order ===

impl Order {
    pub(super) fn new(
        import: &Import,
        stores: Option<Vec<String>>,
        roles: &[String],
        certificate: Option<Kept>,
    ) -> Self {
        let elsewhere = import.elsewhere.as_ref().and_then(|it| it.as_ref().ok()).map(Place::from);
        Self {
            method: import.method.to_string(),
            uri: import.uri.clone(),
            stores,
            all_must_succeed: import.all_must_succeed,
            in_place: None,
            elsewhere,
            roles: roles.to_vec(),
            certificate,
        }
    }

    pub(super) fn to_measure(data: InPlace, certificate: Option<Kept>) -> Self {
        Self {
            method: "location".to_owned(),
            uri: None,
            stores: None,
            all_must_succeed: true,
            in_place: Some(data),
            elsewhere: None,
            roles: Vec::new(),
            certificate,
        }
    }

    pub(super) fn to_json(&self) -> Result<String, Fault> {
        serde_json::to_string(self).map_err(Fault::internal)
    }

    pub(super) fn from_json(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(Fault::internal)
    }

    pub(super) fn method(&self) -> Result<ImportMethod, Fault> {
        self.method.parse().map_err(Fault::internal)
    }

    /// The ids of the stores; none where there is one store without an id.
    pub(super) fn ids(&self) -> &[String] {
        self.stores.as_deref().unwrap_or_default()
    }
}

/// Adds stores to the list in a property of the image, and takes others out. The property stays, empty.
pub(super) fn change_list(image: &mut Image, name: &str, add: &[String], remove: &[String]) {
    let text = image.properties.get(name).cloned().flatten().unwrap_or_default();
    let mut list: BTreeSet<&str> = text.split(',').filter(|it| !it.is_empty()).collect();
    list.extend(add.iter().map(String::as_str));
    list.retain(|it| !remove.iter().any(|gone| gone == it));
    let list = list.into_iter().collect::<Vec<_>>().join(",");
    image.properties.insert(name.to_owned(), Some(list));
}
