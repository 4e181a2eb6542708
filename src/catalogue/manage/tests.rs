use super::{State, check, sync, versions};
use crate::db::Settings;
use std::path::Path;

fn settings(dir: &Path) -> Settings {
    Settings::sqlite(&dir.join("catalogue.sqlite"))
}

#[tokio::test]
async fn a_schema_is_made_and_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    assert_eq!(check(&settings).await.unwrap(), State::ToExpand);
    assert!(!dir.path().join("catalogue.sqlite").exists());
    assert!(sync(&settings).await.unwrap());
    assert!(!sync(&settings).await.unwrap());
    assert_eq!(check(&settings).await.unwrap(), State::Current);
    assert_eq!(versions(&settings).await.unwrap(), ["2024_1_contract01"]);
    let raw = rusqlite::Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    for (version, state) in [("2024_1_expand01", State::ToContract), ("2023_1_expand01", State::ToExpand)] {
        raw.execute("UPDATE alembic_version SET version_num = ?", [version]).unwrap();
        assert_eq!(check(&settings).await.unwrap(), state);
        assert!(sync(&settings).await.is_err());
    }
}
