//! Bases that can't be fetched again.

use super::{node::overlay, site::Site};
use crate::support::{have, run};
use larder::admin::Status;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn a_base_in_use_whose_image_is_deleted_is_kept_and_reported() {
    if !have(&["qemu-img"]) {
        return;
    }
    let mut site = Site::new();
    site.settings.prune.remove_unused_original_minimum_age_seconds = 0;
    let (used, stays) = (site.push_raw(2).0, site.push_raw(2).0);
    let agent = site.start().await;
    for id in [&used, &stays] {
        agent.client.queue(id).await.unwrap();
        agent.wait_cached(id).await;
        let disk = site.tmp.path().join("instances").join(id.as_str()).join("disk");
        fs::create_dir(disk.parent().unwrap()).unwrap();
        overlay(&disk, site.base(id), "raw");
    }
    run(site.catalogue.larder(&["image", "delete"]).arg(used.as_str()));
    let pruned = agent.client.prune(false).await.unwrap();
    assert_eq!(pruned.removed, []);
    let reported = |it: &Status| {
        let gone: Vec<bool> = [&used, &stays]
            .iter()
            .filter_map(|id| it.bases.iter().find(|base| base.base == id.base_name()))
            .map(|it| it.in_use && it.gone)
            .collect();
        gone == [true, false]
    };
    let status = agent.wait("it is reported", reported).await;
    let said = status.warnings.join("\n");
    assert!(said.contains(&used.base_name()) && said.contains("cannot be fetched again"), "{said}");
    assert!(!said.contains(&stays.base_name()), "{said}");
    let why = agent.client.why(&used).await.unwrap().verdict.unwrap().why;
    assert!(why.starts_with("in use: ") && why.contains("the catalogue has its image no more"), "{why}");
    // A second pass says so in its own result, too; and so it is after a restart, with the catalogue away.
    let pruned = agent.client.prune(false).await.unwrap();
    assert!(pruned.kept.iter().any(|it| it.gone && it.in_use), "{pruned:?}");
    agent.stop().await;
    let mut site = site;
    site.catalogue.daemon.kill();
    let agent = site.start().await;
    agent.wait("it is still known", reported).await;
    agent.client.prune(false).await.unwrap();
    assert!(site.base(&used).exists() && site.base(&stays).exists());
    agent.stop().await;
}
