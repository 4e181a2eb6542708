use super::{State, contract, expand, migrate, state, sync, versions};
use crate::db::Settings;
use std::path::Path;

fn settings(dir: &Path) -> Settings {
    Settings::sqlite(&dir.join("catalogue.sqlite"))
}

#[tokio::test]
async fn a_schema_is_made_and_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    assert_eq!(state(&settings).await.unwrap(), State::Empty);
    assert!(!dir.path().join("catalogue.sqlite").exists());
    assert!(sync(&settings, None).await.unwrap().contains("synced successfully"));
    assert!(sync(&settings, Some("heads")).await.unwrap().contains("up to date"));
    assert!(sync(&settings, Some("rocky_expand01")).await.is_err());
    assert_eq!(state(&settings).await.unwrap(), State::Current);
    assert_eq!(versions(&settings).await.unwrap(), ["2024_1_contract01"]);
    let raw = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    raw.execute("UPDATE alembic_version SET version_num = '2023_1_expand01'", []).unwrap();
    assert_eq!(state(&settings).await.unwrap(), State::ToExpand);
    assert!(sync(&settings, None).await.is_err());
    raw.execute("UPDATE alembic_version SET version_num = '2024_1_expand01'", []).unwrap();
    assert_eq!(state(&settings).await.unwrap(), State::ToContract);
    assert!(sync(&settings, None).await.unwrap().contains("synced successfully"));
}

#[tokio::test]
async fn a_schema_is_made_in_phases() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    assert!(migrate(&settings).await.is_err());
    assert!(contract(&settings).await.is_err());
    expand(&settings).await.unwrap();
    assert_eq!(versions(&settings).await.unwrap(), ["2024_1_expand01"]);
    assert!(expand(&settings).await.unwrap().contains("No expansion needed"));
    assert!(migrate(&settings).await.unwrap().contains("No migration needed"));
    contract(&settings).await.unwrap();
    assert_eq!(state(&settings).await.unwrap(), State::Current);
    assert!(migrate(&settings).await.unwrap().contains("up to date"));
}
