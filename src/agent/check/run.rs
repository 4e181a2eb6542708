//! All checks, one after another.

use super::{NovaSays, agreed, centre, labels, places, rights, shared, signatures, through};
use crate::admin::Finding;
use crate::agent::Settings;

/// Looks at everything; the findings are in the order in which an operator would look. Changes nothing.
pub async fn check(settings: &Settings, nova: &NovaSays) -> Vec<Finding> {
    let mut found = agreed::check(settings, nova);
    found.push(through::check(&settings.through, nova));
    let (host, says) = (settings.clone(), nova.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let mut found = places::check(&host);
        found.extend(shared::check(&host, &says));
        found.extend(labels::check(&host.base_dir));
        found.extend(rights::check(&host.base_dir));
        found.extend(signatures::bases(&host));
        found
    });
    match looked.await {
        Ok(looked) => found.extend(looked),
        Err(died) => found.push(Finding::error(
            "host",
            format!("looking at the host ended by a fault of this program: {died}"),
            "report it with this line",
        )),
    }
    found.extend(centre::check(settings).await);
    found.extend(signatures::certificates(settings).await);
    found
}
