//! What requests name: in their path, and behind the `?`.

use crate::catalogue::{api::refusal::Refusal, service::Fault};
use crate::image::ImageId;
use crate::wire::fleet::{JobId, NodeName, RuleName, Selector};
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use std::{fmt::Display, str::FromStr};

/// `{name}`, `{image}` or `{job}` of the path.
pub(super) struct Named<T>(pub(super) T);

/// The parameters behind the `?`; each is known and given once, but `label`.
pub(super) struct Params(Vec<(String, String)>);

/// What a path can name.
pub(super) trait InPath: FromStr<Err: Display> {
    /// The name of the path's part.
    const PART: &'static str;
}

impl InPath for NodeName {
    const PART: &'static str = "name";
}

impl InPath for RuleName {
    const PART: &'static str = "name";
}

impl InPath for ImageId {
    const PART: &'static str = "image";
}

impl InPath for JobId {
    const PART: &'static str = "job";
}

// === impl Named ===

impl<T: InPath, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Refusal::no_resource())?;
        let text = params.iter().find(|it| it.0 == T::PART).map(|it| it.1).ok_or_else(Refusal::no_resource)?;
        text.parse().map(Self).map_err(|error| Fault::Invalid(format!("{error}.")).into())
    }
}

// === impl Params ===

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        if percent_decode_str(query).decode_utf8().is_err() {
            return Err(Refusal::undecodable());
        }
        Ok(Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Params {
    /// Refuses what this path does not know, and what is given twice.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Fault> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            let shown: String = name.chars().take(80).collect();
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Fault::Invalid(format!("There is no parameter '{shown}' here; there are: {known}.")));
            }
            if name != "label" && self.0[..index].iter().any(|it| it.0 == *name) {
                return Err(Fault::Invalid(format!("The parameter '{shown}' is given twice.")));
            }
        }
        Ok(())
    }

    /// A parameter, if it is given.
    pub(super) fn get<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Fault> {
        let text = self.0.iter().find(|it| it.0 == name).map(|it| it.1.as_str());
        text.map(|it| it.parse().map_err(|error| Fault::Invalid(format!("{name}: {error}.")))).transpose()
    }

    /// `label`, any number of times, each with one label or several.
    pub(super) fn selector(&self) -> Result<Selector, Fault> {
        let labels: Vec<&str> = self.0.iter().filter(|it| it.0 == "label").map(|it| it.1.as_str()).collect();
        labels.join(",").parse().map_err(|error| Fault::Invalid(format!("label: {error}.")))
    }
}
