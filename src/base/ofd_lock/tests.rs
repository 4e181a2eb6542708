use super::*;

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn one_holder_at_a_time_even_within_the_process() {
    let dir = dir();
    let path = dir.path().join("nova-x");
    assert!(!OfdLock::is_held(&path).unwrap() && !path.exists());
    let held = OfdLock::try_lock(&path, None).unwrap().unwrap();
    assert!(OfdLock::try_lock(&path, None).unwrap().is_none());
    assert!(OfdLock::is_held(&path).unwrap());
    // Closing another descriptor of the file does not drop it, as it would a POSIX lock.
    drop(File::open(&path).unwrap());
    assert!(OfdLock::is_held(&path).unwrap());
    drop(held);
    assert!(!OfdLock::is_held(&path).unwrap());
    assert!(path.exists(), "lock files stay");
    assert_eq!(path.metadata().unwrap().mode() & 0o777 & !0o644, 0);
}

#[test]
fn an_unlinked_lock_file_is_noticed() {
    let dir = dir();
    let path = dir.path().join("nova-x");
    let old = OfdLock::try_lock(&path, None).unwrap().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(!old.is_current());
    let new = OfdLock::try_lock(&path, None).unwrap().unwrap();
    assert!(new.is_current());
}

#[test]
fn a_file_made_by_root_belongs_to_the_owner() {
    if !Uid::effective().is_root() {
        println!("skipped: takes root");
        return;
    }
    let dir = dir();
    let path = dir.path().join("nova-x");
    let _held = OfdLock::try_lock(&path, Some(Owner { uid: 4242, gid: 4343 })).unwrap().unwrap();
    let meta = path.metadata().unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (4242, 4343, 0o644));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_there_keeps_its_owner_and_a_link_is_not_followed() {
    let dir = dir();
    let path = dir.path().join("nova-x");
    File::create(&path).unwrap();
    let before = path.metadata().unwrap().uid();
    drop(OfdLock::try_lock(&path, Some(Owner { uid: 4242, gid: 4343 })).unwrap().unwrap());
    assert_eq!(path.metadata().unwrap().uid(), before);
    let link = dir.path().join("nova-y");
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), &link).unwrap();
    assert!(matches!(OfdLock::try_lock(&link, None), Err(OfdLockError::Open { .. })));
    assert!(!dir.path().join("elsewhere").exists());
}

#[tokio::test]
async fn waiting_ends_by_release_by_time_and_by_cancellation() {
    let dir = dir();
    let path = dir.path().join("nova-x");
    let cancel = CancellationToken::new();
    let held = OfdLock::try_lock(&path, None).unwrap().unwrap();
    let error = OfdLock::lock(&path, None, Duration::from_millis(60), &cancel).await.unwrap_err();
    assert!(matches!(error, OfdLockError::Busy { .. }), "{error}");

    let waiter = tokio::spawn({
        let (path, cancel) = (path.clone(), cancel.clone());
        async move { OfdLock::lock(&path, None, Duration::from_secs(120), &cancel).await }
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    drop(held);
    let held = waiter.await.unwrap().unwrap();

    let waiter = tokio::spawn({
        let (path, cancel) = (path.clone(), cancel.clone());
        async move { OfdLock::lock(&path, None, Duration::from_secs(120), &cancel).await }
    });
    cancel.cancel();
    assert!(matches!(waiter.await.unwrap(), Err(OfdLockError::Cancelled { .. })));
    drop(held);
}

/// A child that is being started has all descriptors up to its exec; here it keeps one for as long as it runs.
#[test]
fn what_is_dropped_is_free_although_a_child_has_inherited_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let lock = OfdLock::try_lock(&path, None).unwrap().unwrap();
    let inherited = std::process::Stdio::from(lock.file.try_clone().unwrap());
    let mut child = std::process::Command::new("sleep").arg("600").stdin(inherited).spawn().unwrap();
    assert!(OfdLock::try_lock(&path, None).unwrap().is_none());
    drop(lock);
    let again = OfdLock::try_lock(&path, None).unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(again);
}
