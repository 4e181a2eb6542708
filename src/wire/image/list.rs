//! A page of images.

use crate::image::Image;
use crate::wire::image::{Shown, to_json};
use serde_json::{Map, Value};

/// The page that answers the parameters `params`; `more` adds the link to the next one.
///
/// Unlike Glance's, the links keep every repeated parameter (`tag=a&tag=b`), without which the next page would be one
/// of another list.
pub fn list_to_json(
    images: &[Image],
    more: bool,
    params: &[(String, String)],
    shown: impl Fn(&Image) -> Shown,
) -> Value {
    let mut page = Map::new();
    page.insert("images".to_owned(), images.iter().map(|it| to_json(it, &shown(it))).collect());
    let query = query_without_marker(params);
    let first = if query.is_empty() { "/v2/images".to_owned() } else { format!("/v2/images?{query}") };
    page.insert("first".to_owned(), first.into());
    page.insert("schema".to_owned(), "/v2/schemas/images".into());
    if let (true, Some(last)) = (more, images.last()) {
        let and = if query.is_empty() { "" } else { "&" };
        page.insert("next".to_owned(), format!("/v2/images?{query}{and}marker={}", last.id).into());
    }
    Value::Object(page)
}

/// All parameters but the marker, encoded again.
pub fn query_without_marker(params: &[(String, String)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(params.iter().filter(|(name, _)| name != "marker"));
    // Python's encoder and this one differ in two characters; links are compared by clients.
    query.finish().replace('*', "%2A").replace("%7E", "~")
}
