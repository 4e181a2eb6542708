//! Asks the catalogue about images, in bounded pieces.

use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteError};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Images that are asked for at once; their ids fit any server's limit on URLs.
const BATCH: usize = 50;

/// Images that are asked for one by one in a pass; the rest has its turn in the next one.
const SINGLES: usize = 1000;

/// What the catalogue said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// They can be used.
    pub(super) there: BTreeSet<ImageId>,
    /// They cannot, and why.
    pub(super) gone: BTreeMap<ImageId, String>,
    /// It has no image at all: it may be another catalogue, or its database is lost.
    pub(super) is_empty: bool,
}

/// Asks about all of these.
pub(super) async fn ask(catalogue: &Catalogue, images: &BTreeSet<ImageId>) -> Result<Answer, RemoteError> {
    let mut statuses: HashMap<String, String> = HashMap::new();
    let all: Vec<&str> = images.iter().map(ImageId::as_str).collect();
    // What the feed has named is few, and asked for directly.
    if all.len() > 3 {
        for batch in all.chunks(BATCH) {
            let query = [("id", format!("in:{}", batch.join(","))), ("limit", BATCH.to_string())];
            let query: Vec<(&str, &str)> = query.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let listed = catalogue.images_up_to(&query, BATCH).await?;
            statuses.extend(listed.into_iter().map(|it| (it.id, it.status)));
        }
    }
    let (mut answer, mut missed, mut singles) = (Answer::default(), false, 0);
    for id in images {
        let status = match statuses.remove(id.as_str()) {
            Some(status) => status,
            None if singles == SINGLES => continue,
            // A listing leaves out hidden and community images; only the image's own address says that it is gone.
            None => {
                singles += 1;
                match catalogue.image(id).await {
                    Ok(image) => image.status,
                    Err(RemoteError::NotFound { .. }) => {
                        missed = true;
                        let why = "it is deleted there, or not visible to this node's user any more";
                        answer.gone.insert(id.clone(), why.to_owned());
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        match status.as_str() {
            "deactivated" => drop(answer.gone.insert(id.clone(), "it is deactivated there".to_owned())),
            "deleted" | "pending_delete" => drop(answer.gone.insert(id.clone(), "it is deleted there".to_owned())),
            _ => drop(answer.there.insert(id.clone())),
        }
    }
    // Whatever answers 404 to everything, such as an empty catalogue or the wrong server, lists nothing.
    answer.is_empty = missed && catalogue.images_up_to(&[("limit", "1")], 1).await?.is_empty();
    Ok(answer)
}
