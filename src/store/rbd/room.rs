//! How much room a pool has.

use super::{ceph::CephError, site::Site};
use crate::store::{Room, StoreError};
use nix::errno::Errno;
use serde::Deserialize;

const COMMAND: &str = r#"{"prefix": "df", "detail": "detail", "format": "json"}"#;

/// `ceph df detail`.
#[derive(Deserialize)]
struct Df {
    pools: Vec<PoolDf>,
}

#[derive(Deserialize)]
struct PoolDf {
    name: String,
    stats: Stats,
}

#[derive(Deserialize)]
struct Stats {
    /// Bytes of data, copies not counted.
    stored: u64,
    /// Likewise, that fit beside them.
    max_avail: u64,
    /// 0: none.
    #[serde(default)]
    quota_bytes: u64,
}

/// None when the cluster does not tell us.
pub(super) async fn room(site: &Site) -> Result<Option<Room>, StoreError> {
    match site.link.work(|cluster, _| cluster.ask(COMMAND)).await {
        Ok(answer) => Ok(parse(&answer, site.pool())),
        Err(error) if error.is(Errno::EACCES) || error.is(Errno::EPERM) => Ok(None),
        Err(error) => Err(failed(site, error)),
    }
}

fn failed(site: &Site, error: CephError) -> StoreError {
    site.link.failed("measured", site.pool(), &format!("rbd://{}/{}", site.link.fsid(), site.pool()), error)
}

fn parse(answer: &[u8], pool: &str) -> Option<Room> {
    let df: Df = serde_json::from_slice(answer).ok()?;
    let Stats { stored, max_avail, quota_bytes } = df.pools.into_iter().find(|it| it.name == pool)?.stats;
    let room = Room { free: max_avail, total: stored.saturating_add(max_avail) };
    Some(match quota_bytes {
        0 => room,
        quota => Room { free: room.free.min(quota.saturating_sub(stored)), total: room.total.min(quota) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_counts() {
        let with = |quota: u64| {
            // As Ceph 16 answers, with what is not looked at left out.
            let answer = format!(
                r#"{{"stats":{{"total_bytes":6442450944}},"pools":[{{"name":"other","stats":{{"stored":1,"max_avail":2}}}},{{"name":"images","id":1,"stats":{{"stored":1000,"objects":6,"max_avail":5000,"quota_objects":0,"quota_bytes":{quota}}}}}]}}"#
            );
            parse(answer.as_bytes(), "images")
        };
        assert_eq!(with(0), Some(Room { free: 5000, total: 6000 }));
        assert_eq!(with(1500), Some(Room { free: 500, total: 1500 }));
        assert_eq!(with(900), Some(Room { free: 0, total: 900 }));
        assert_eq!(parse(b"{\"pools\":[]}", "images"), None);
        assert_eq!(parse(b"no", "images"), None);
    }
}
