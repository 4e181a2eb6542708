//! URLs.

use super::super::bench::{Bench, Wrong};
use crate::store::StoreError;

pub(super) async fn agree(bench: &Bench<'_>) -> Result<(), Wrong> {
    let store = bench.store;
    let (one, other) = (bench.id(), bench.id());
    let url = store.url(&one);
    if !store.urls(&one).contains(&url) {
        return Err(format!("urls() does not have url(): {url}"));
    }
    if store.urls(&other).iter().any(|it| store.urls(&one).contains(it)) {
        return Err(format!("two images have one URL: {url}"));
    }
    for url in store.urls(&one) {
        if !store.owns(&url) {
            return Err(format!("it does not own its URL {url}"));
        }
        if !store.schemes().iter().any(|it| url.starts_with(it)) {
            return Err(format!("none of its schemes begins its URL {url}"));
        }
    }
    let data = super::super::pattern::Pattern::new(5);
    let written = bench.put(&one, &data, Some(5)).await?;
    if !store.urls(&one).contains(&written) {
        return Err(format!("data was written to {written}, which is none of the image's URLs"));
    }
    bench.same(&written, &data).await
}

pub(super) async fn foreign(bench: &Bench<'_>) -> Result<(), Wrong> {
    let store = bench.store;
    let own = store.url(&bench.id());
    let rest = own.split_once("://").map_or("", |it| it.1);
    let mut urls = vec![format!("nonsense://{rest}"), rest.to_owned(), String::new()];
    // Of these, and of whatever it owns, there may just be no data.
    let near = [format!("{own}/../../../x"), format!("{own}\0"), format!("{own}\n"), format!("{own}%2f..")];
    urls.extend(
        store.schemes().iter().flat_map(|it| [(*it).to_owned(), format!("{it}/"), format!("{it}//"), format!("{it}x")]),
    );
    for url in near.iter().chain(&urls) {
        let is_near = near.contains(url) || store.owns(url);
        let refused = [
            ("size", store.size(url).await.map(drop)),
            ("read", store.read(url, 0..1).await.map(drop)),
            ("remove", store.remove(url).await),
        ];
        for (verb, answer) in refused {
            match answer {
                Err(StoreError::Foreign { .. }) => {}
                Err(StoreError::NotFound { .. }) if is_near => {}
                Err(other) => {
                    return Err(format!("{verb} of '{}' is not refused as foreign: {other}", url.escape_debug()));
                }
                Ok(()) => return Err(format!("{verb} of '{}' is not refused", url.escape_debug())),
            }
        }
    }
    if store.owns("nonsense://x") { Err("it owns nonsense://x".to_owned()) } else { Ok(()) }
}
