use super::*;
use crate::image::ImageId;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

struct World {
    tmp: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { tmp: tempfile::tempdir().unwrap() }
    }

    fn settings(&self) -> Settings {
        Settings { instances_path: self.tmp.path().to_owned(), ..Settings::default() }
    }

    fn open(&self) -> BaseDir {
        BaseDir::open(self.settings()).unwrap()
    }

    fn base(&self, name: &str) -> PathBuf {
        self.tmp.path().join("_base").join(name)
    }
}

fn id() -> ImageId {
    "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69".parse().unwrap()
}

fn stage(dir: &BaseDir, bytes: &[u8]) -> PathBuf {
    let staged = dir.staging(&id(), Staging::Raw);
    fs::write(&staged, bytes).unwrap();
    fs::set_permissions(&staged, fs::Permissions::from_mode(0o600)).unwrap();
    staged
}

fn names(dir: &BaseDir) -> Vec<String> {
    dir.scan().unwrap().into_iter().map(|file| file.name).filter(|name| name != ".larder.lock").collect()
}

#[test]
fn opening_makes_novas_folders_and_holds_them() {
    let world = World::new();
    fs::set_permissions(world.tmp.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let dir = world.open();
    for folder in ["_base", "locks"] {
        assert_eq!(world.tmp.path().join(folder).metadata().unwrap().mode() & 0o777, 0o750, "{folder}");
    }
    let error = BaseDir::open(world.settings()).unwrap_err();
    assert!(matches!(error, BaseDirError::Lock { .. }), "{error:?}");
    drop(dir);
    world.open();
}

#[test]
fn what_root_makes_belongs_to_nova() {
    if !nix::unistd::geteuid().is_root() {
        return println!("skipped: takes root");
    }
    let world = World::new();
    std::os::unix::fs::chown(world.tmp.path(), Some(4242), Some(4343)).unwrap();
    let dir = world.open();
    let lock = dir.try_lock(&id().base_name()).unwrap().unwrap();
    dir.publish(&stage(&dir, b"x"), &id(), &lock).unwrap();
    let lock_file = format!("locks/nova-{}", id().base_name());
    let base = format!("_base/{}", id().base_name());
    for path in ["_base", "locks", "_base/.larder.lock", &lock_file, &base] {
        let meta = world.tmp.path().join(path).metadata().unwrap();
        assert_eq!((meta.uid(), meta.gid()), (4242, 4343), "{path}");
    }
}

#[test]
fn messages_say_what_to_do() {
    let world = World::new();
    let missing = Settings { instances_path: world.tmp.path().join("none"), ..world.settings() };
    let error = BaseDir::open(missing).unwrap_err();
    assert!(error.to_string().contains("is the file system mounted?"), "{error}");
    for name in ["", ".", "..", "a/b", "/abs", "locks"] {
        let named = Settings { subdirectory_name: name.into(), ..world.settings() };
        assert!(matches!(BaseDir::open(named), Err(BaseDirError::Name(_))), "{name}");
    }
    fs::write(world.tmp.path().join("_base"), b"a file").unwrap();
    assert!(matches!(BaseDir::open(world.settings()), Err(BaseDirError::Make { .. })));
}

#[test]
fn a_download_goes_on_only_while_there_is_no_base() {
    let world = World::new();
    drop(world.open());
    let x = id().base_name();
    let download = format!(".larder-{x}.localhost.fetch");
    fs::write(world.base(&download), b"x").unwrap();
    let open = || BaseDir::open_keeping(world.settings(), &|_| true).unwrap();
    assert!(open().removed_at_start().is_empty());
    fs::write(world.base(&x), b"x").unwrap();
    assert_eq!(open().removed_at_start(), [download]);
    assert!(world.base(&x).exists());
}

#[test]
fn leftovers_of_a_crash_go_and_nothing_else() {
    let world = World::new();
    drop(world.open());
    let x = id().base_name();
    let ours = [format!(".larder-{x}.fetch"), format!(".larder-{x}.raw")];
    let others = [".larder-notes", ".larder-x.fetch", &x, &format!("{x}.part")].map(str::to_owned);
    for name in ours.iter().chain(&others) {
        fs::write(world.base(name), b"x").unwrap();
    }
    let dir = world.open();
    assert_eq!(dir.removed_at_start(), ours);
    let mut left = others.to_vec();
    left.sort();
    assert_eq!(names(&dir), left);
}

#[test]
fn a_base_appears_whole_and_readable() {
    let world = World::new();
    let dir = world.open();
    let staged = stage(&dir, b"content");
    let old = fs::File::options().write(true).open(&staged).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    let lock = dir.try_lock(&id().base_name()).unwrap().unwrap();
    assert_eq!(dir.publish(&staged, &id(), &lock).unwrap(), Published::New);
    let path = dir.base_path(&id());
    let meta = path.metadata().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"content");
    assert_eq!(meta.mode() & 0o7777, 0o644);
    assert!(meta.modified().unwrap().elapsed().unwrap() < Duration::from_secs(60), "mtime is now");
    assert!(!staged.exists());
}

#[test]
fn novas_base_stays_when_it_was_faster() {
    let world = World::new();
    let dir = world.open();
    fs::write(dir.base_path(&id()), b"nova's").unwrap();
    let staged = stage(&dir, b"ours");
    let lock = dir.try_lock(&id().base_name()).unwrap().unwrap();
    assert_eq!(dir.publish(&staged, &id(), &lock).unwrap(), Published::AlreadyThere);
    assert_eq!(fs::read(dir.base_path(&id())).unwrap(), b"nova's");
    assert!(!staged.exists());
    // The way of file systems that cannot rename without replacing.
    let staged = stage(&dir, b"ours");
    let error = publish::link_new(&staged, &dir.base_path(&id())).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    fs::remove_file(dir.base_path(&id())).unwrap();
    publish::link_new(&staged, &dir.base_path(&id())).unwrap();
    assert!(!staged.exists() && dir.base_path(&id()).metadata().unwrap().nlink() == 1);
}

#[test]
fn nothing_is_published_over_a_link_or_under_another_lock() {
    let world = World::new();
    let dir = world.open();
    let staged = stage(&dir, b"ours");
    let other = dir.try_lock("swap_512").unwrap().unwrap();
    assert!(matches!(dir.publish(&staged, &id(), &other), Err(PublishError::WrongLock { .. })));
    let lock = dir.try_lock(&id().base_name()).unwrap().unwrap();
    symlink("/nowhere", dir.base_path(&id())).unwrap();
    assert!(matches!(dir.publish(&staged, &id(), &lock), Err(PublishError::InTheWay { .. })));
    assert!(staged.exists());
    let link = dir.staging(&id(), Staging::Fetch);
    symlink("/etc/hostname", &link).unwrap();
    assert!(matches!(dir.publish(&link, &id(), &lock), Err(PublishError::Prepare { .. })));
}

#[test]
fn a_scan_follows_nothing_and_takes_any_name() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    let dir = world.open();
    let x = id().base_name();
    symlink("/etc/passwd", world.base(&x)).unwrap();
    fs::create_dir(world.base("folder")).unwrap();
    fs::write(world.base("").join(std::ffi::OsStr::from_bytes(b"odd\xff\nname")), b"x").unwrap();
    let sparse = fs::File::create(world.base("swap_8")).unwrap();
    sparse.set_len(8 << 20).unwrap();
    let files = dir.scan().unwrap();
    let kinds: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.kind.clone())).collect();
    assert_eq!(
        kinds,
        [
            (".larder.lock", Kind::Ours),
            (x.as_str(), Kind::Link),
            ("odd\u{fffd}\nname", Kind::Other),
            ("swap_8", Kind::Swap)
        ]
    );
    let swap = files.last().unwrap();
    assert_eq!((swap.size, swap.allocated), (8 << 20, 0), "holes take no room");
    assert_eq!(dir.look("swap_8").unwrap().as_ref(), Some(swap));
    assert_eq!(dir.look("swap_9").unwrap(), None);
}

#[test]
fn only_the_very_file_that_was_looked_at_goes() {
    let world = World::new();
    let dir = world.open();
    let x = id().base_name();
    let put = |name: &str| fs::write(world.base(name), b"x").unwrap();
    let look = |name: &str| dir.look(name).unwrap().unwrap();
    put(&x);
    put("keep");
    let lock = dir.try_lock(&x).unwrap().unwrap();
    let seen = look(&x);
    // The old inode stays taken, so the new file has another one.
    fs::rename(world.base(&x), world.base("keep")).unwrap();
    put(&x);
    assert!(matches!(dir.remove(&seen, &lock), Err(RemoveError::Changed { .. })));
    assert_eq!(dir.remove(&look(&x), &lock).unwrap(), Removed::Gone);
    assert_eq!(dir.remove(&seen, &lock).unwrap(), Removed::WasNotThere);
    symlink(world.base("keep"), world.base(&x)).unwrap();
    assert!(matches!(dir.remove(&look(&x), &lock), Err(RemoveError::NotNovas { .. })));
    let keep = dir.try_lock("keep").unwrap().unwrap();
    assert!(matches!(dir.remove(&look("keep"), &keep), Err(RemoveError::NotNovas { .. })));
    assert!(matches!(dir.remove(&look("keep"), &lock), Err(RemoveError::WrongLock { .. })));
    // The download of a base goes under that base's lock.
    let part = format!("{x}.part");
    put(&part);
    assert_eq!(dir.remove(&look(&part), &lock).unwrap(), Removed::Gone);
    dir.sync_names().unwrap();
    assert!(world.base("keep").exists());
}

#[test]
fn touching_never_makes_a_file() {
    let world = World::new();
    let dir = world.open();
    fs::write(world.base("swap_1"), b"").unwrap();
    fs::File::options().write(true).open(world.base("swap_1")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(dir.touch("swap_1", chrono::Utc::now()).unwrap());
    assert!(dir.look("swap_1").unwrap().unwrap().mtime.timestamp() > 1_000_000_000);
    dir.touch("swap_2", chrono::Utc::now()).unwrap_err();
    assert!(!world.base("swap_2").exists());
}

#[test]
fn locks_with_a_path_in_their_name_are_refused() {
    let world = World::new();
    let dir = world.open();
    for name in ["", "../x", "a/b", "a\0b"] {
        assert!(dir.try_lock(name).is_err(), "{name:?}");
    }
    assert!(!Path::new(&world.tmp.path().join("x")).exists());
}
