//! What happens to a node: what nova does, what operators do, what the centre says, what goes wrong.

use super::{host::Host, law::Allowed, model::World, node::Node};
use crate::admin::Priority;
use crate::agent::reconcile::{Command, Presence};
use crate::image::ImageId;
use chrono::TimeDelta;
use rand::Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::Duration,
};

/// Instances at the same time.
const MOST: usize = 14;

impl World {
    /// One step: something happens, the loop turns until it rests.
    pub(super) async fn happen(&mut self) -> Result<(), String> {
        let passed = TimeDelta::seconds(self.rng.random_range(1..900));
        self.host.now += passed;
        match self.rng.random_range(0..100) {
            0..52 => {
                self.nova();
                self.watched(World::rest).await
            }
            52..62 => self.watched(World::spawn_during_a_prune).await,
            62..70 => self.clock().await,
            70..94 => self.operator().await,
            _ => self.watched(World::crash).await,
        }
    }

    pub(super) async fn rest(&mut self) {
        let host = &mut self.host;
        let now = host.now;
        self.node.as_mut().unwrap().settle(now, || host.restamp()).await;
    }

    /// Whatever the loop removes meanwhile is judged.
    async fn watched(&mut self, act: impl AsyncFnOnce(&mut Self)) -> Result<(), String> {
        let allowed = self.allowed();
        self.watched_as(allowed, act).await
    }

    async fn watched_as(&mut self, allowed: Allowed, act: impl AsyncFnOnce(&mut Self)) -> Result<(), String> {
        // As the loop does before it obeys: what is asked for now is not decided by the time of the last step.
        self.node.as_mut().unwrap().loop_.it_is(self.host.now).await;
        let before = self.host.listing();
        act(self).await;
        allowed.judge(&self.host, &before, &self.host.listing())
    }

    fn allowed(&self) -> Allowed {
        let ages = self.gone.iter().map(|it| (it.base_name(), 300)).collect();
        let pinned = self.pinned.iter().map(ImageId::base_name).collect();
        Allowed { now: self.host.now, ages, age: None, pinned }
    }

    fn image(&mut self) -> ImageId {
        let at = self.rng.random_range(0..self.images.len());
        self.images[at].clone()
    }

    /// An image whose base nobody has locked.
    fn free_image(&mut self) -> ImageId {
        loop {
            let id = self.image();
            if !self.host.is_locked(&id.base_name()) {
                return id;
            }
        }
    }

    fn one_of(&mut self, these: &[String]) -> Option<String> {
        (!these.is_empty()).then(|| these[self.rng.random_range(0..these.len())].clone())
    }

    /// What nova does, or somebody on this machine.
    fn nova(&mut self) {
        let folders = self.host.folders();
        let plain: Vec<String> = folders.iter().filter(|it| !it.contains('_')).cloned().collect();
        match self.rng.random_range(0..30) {
            0..9 if folders.len() < MOST => self.spawn(),
            0..15 => {
                if let Some(folder) = self.one_of(&folders) {
                    self.delete(&folder);
                }
            }
            15..18 => {
                if let Some(folder) = self.one_of(&plain) {
                    self.resize(&folder);
                }
            }
            18..20 => {
                if let Some(folder) = self.one_of(&plain) {
                    self.rescue(&folder);
                }
            }
            20..22 => self.domain(),
            22 => self.leftover(),
            23 => self.novas_manager(),
            24 => {
                let names: Vec<String> = self.host.listing().into_keys().collect();
                if let Some(name) = self.one_of(&names) {
                    self.say(format!("touch {name}"));
                    let now = self.host.now;
                    self.host.stamp_file(&name, now).unwrap();
                }
            }
            25..28 => self.hold(),
            _ => self.unreadable(&plain),
        }
    }

    pub(super) fn spawn(&mut self) {
        let id = self.free_image();
        self.names += 1;
        let folder = format!("{:08x}-0000-4000-8000-000000000000", self.names);
        if !self.host.fetch(&id) {
            return self.say(format!("spawn of {id} fails: nobody has it"));
        }
        let (path, base) = (self.host.instance(&folder), id.base_name());
        let disk = path.join("disk");
        let shape = self.rng.random_range(0..12);
        self.say(format!("spawn {folder} of {id} = {base}, shape {shape}"));
        match shape {
            0 => {
                // A copy: it stands on nothing.
                fs::create_dir_all(&path).unwrap();
                fs::copy(self.host.base(&base), &disk).unwrap();
            }
            1 => {
                self.host.overlay(&path.join("disk.snap"), &base);
                let bases = self.host.disks[&path.join("disk.snap")].clone();
                fs::write(&disk, self.host.template.on(std::path::Path::new("disk.snap"))).unwrap();
                self.host.disks.insert(disk, bases);
            }
            2 => {
                // A copy that stands on its original, from a release long ago.
                let name = format!("{base}_20");
                let bytes = self.host.template.on(&self.host.base(&base));
                self.host.resized.insert(name.clone(), base);
                self.host.made_here(&name, &bytes);
                self.host.overlay(&disk, &name);
            }
            4 => self.host.link(&disk, &base, false),
            5 => self.host.link(&disk, &base, true),
            _ => self.host.overlay(&disk, &base),
        }
        self.more_disks(&path);
    }

    fn more_disks(&mut self, path: &std::path::Path) {
        let more = self.rng.random_range(0..8);
        if more & 1 == 1 {
            let name = format!("swap_{}", 512 << self.rng.random_range(0..3));
            self.host.made_here(&name, &[0; 4096]);
            self.host.overlay(&path.join("disk.swap"), &name);
        }
        if more & 2 == 2 {
            let name = format!("ephemeral_{}_default", self.rng.random_range(1..4));
            self.host.made_here(&name, &[0; 4096]);
            self.host.overlay(&path.join("disk.eph0"), &name);
        }
        if more & 4 == 4 {
            // A kernel is fetched like an image and copied beside the disks.
            let id = self.free_image();
            if self.host.fetch(&id) {
                let _ = fs::copy(self.host.base(&id.base_name()), path.join("kernel"));
            }
            fs::write(path.join("disk.info"), "{}").unwrap();
            fs::write(path.join("console.log"), b"QFI\xfb").unwrap();
        }
    }

    /// At once, or first renamed; a resize is confirmed or reverted.
    fn delete(&mut self, folder: &str) {
        let way = self.rng.random_range(0..3);
        self.say(format!("delete {folder}, way {way}"));
        let resized = format!("{folder}_resize");
        let has_resize = self.host.instance(&resized).exists();
        let to = format!("{folder}_del");
        match way {
            0 if !folder.contains('_') && !has_resize && !self.host.instance(&to).exists() => {
                self.host.rename(folder, &to)
            }
            1 if has_resize => {
                self.host.remove_folder(folder);
                self.host.rename(&resized, folder);
            }
            _ => self.host.remove_folder(folder),
        }
    }

    fn resize(&mut self, folder: &str) {
        let (disk, to) = (self.host.instance(folder).join("disk"), format!("{folder}_resize"));
        let Some(base) = self.host.disks.get(&disk).and_then(|it| it.first()).map(|it| it.0.clone()) else { return };
        if self.host.instance(&to).exists() || self.host.is_locked(&base) {
            return;
        }
        self.say(format!("resize {folder} on {base}"));
        self.host.rename(folder, &to);
        self.host.overlay(&disk, &base);
    }

    fn rescue(&mut self, folder: &str) {
        let disk = self.host.instance(folder).join("disk.rescue");
        if self.host.disks.contains_key(&disk) {
            self.say(format!("unrescue {folder}"));
            return self.host.remove_disk(&disk);
        }
        let id = self.free_image();
        if self.host.fetch(&id) {
            self.say(format!("rescue {folder} by {id} = {}", id.base_name()));
            self.host.overlay(&disk, &id.base_name());
        }
    }

    /// A domain of libvirt's whose disk lies elsewhere.
    fn domain(&mut self) {
        let known: Vec<PathBuf> =
            self.host.disks.keys().filter(|it| it.starts_with(self.host.dir.join("elsewhere"))).cloned().collect();
        if let Some(disk) = known.first().filter(|_| known.len() > 1 || self.rng.random_bool(0.5)) {
            self.say(format!("undefine {}", disk.display()));
            let name = disk.file_name().unwrap().to_str().unwrap();
            fs::remove_file(self.host.dir.join("qemu").join(format!("{name}.xml"))).unwrap();
            return self.host.remove_disk(disk);
        }
        let id = self.free_image();
        if self.host.fetch(&id) {
            let disk = self.host.dir.join("elsewhere").join(format!("d{}", self.count));
            self.say(format!("define {} on {}", disk.display(), id.base_name()));
            let xml = format!("<domain><devices><disk><source file='{}'/></disk></devices></domain>", disk.display());
            // Libvirt knows of a disk before it is there.
            fs::write(self.host.dir.join("qemu").join(format!("d{}.xml", self.count)), xml).unwrap();
            self.host.overlay(&disk, &id.base_name());
        }
    }

    /// A crash of nova's has left a part of a download; or somebody puts a file into the directory.
    fn leftover(&mut self) {
        let base = self.free_image().base_name();
        let kind = self.rng.random_range(0..3);
        let name = ["part", "converted"].get(kind).map_or_else(|| "README".to_owned(), |end| format!("{base}.{end}"));
        self.say(format!("left over: {name}"));
        if kind == 2 && !self.host.foreign.contains(&name) {
            self.host.foreign.push(name.clone());
        }
        fs::write(self.host.base(&name), "left over").unwrap();
        let at = self.host.now - TimeDelta::hours(self.rng.random_range(0..72));
        self.host.stamp_file(&name, at).unwrap();
    }

    /// Nova's own manager removes what it takes for unused.
    fn novas_manager(&mut self) {
        let used: BTreeSet<&String> = self.host.disks.values().flatten().map(|it| &it.0).collect();
        let below: BTreeSet<&String> = self.host.resized.values().collect();
        let names = self.host.listing().into_keys();
        let names: Vec<String> = names
            .filter(|it| it.len() == 40 && !used.contains(it) && !below.contains(it) && !self.host.is_locked(it))
            .collect();
        if let Some(name) = self.one_of(&names) {
            self.say(format!("nova's manager removes {name}"));
            let _lock = self.host.lock(&name);
            fs::remove_file(self.host.base(&name)).unwrap();
        }
    }

    /// Somebody has a base open, or locked, for a while.
    fn hold(&mut self) {
        match self.rng.random_range(0..4) {
            0 => self.host.open.clear(),
            1 | 2 => self.host.locked.clear(),
            _ => {}
        }
        let names: Vec<String> = self.host.listing().into_keys().filter(|it| it.len() == 40).collect();
        let Some(name) = self.one_of(&names) else { return };
        if self.rng.random_bool(0.5) && self.host.leases && self.host.open.len() < 3 {
            self.say(format!("open {name}"));
            self.host.open.push((fs::File::open(self.host.base(&name)).unwrap(), name));
        } else if self.host.locked.is_empty() {
            self.say(format!("lock {name}"));
            let lock = self.host.lock(&name);
            self.host.locked.push((lock, name));
        }
    }

    fn unreadable(&mut self, plain: &[String]) {
        if let Some(disk) = self.host.unreadable.pop() {
            self.say(format!("{} is gone", disk.display()));
            return fs::remove_file(disk).unwrap();
        }
        if let Some(folder) = self.one_of(plain) {
            let disk = self.host.instance(&folder).join("disk.bad");
            self.say(format!("{} cannot be read", disk.display()));
            fs::write(&disk, self.host.template.cut()).unwrap();
            self.host.unreadable.push(disk);
        }
    }

    /// Nova works while the agent removes.
    async fn spawn_during_a_prune(&mut self) {
        self.say("prune, and meanwhile:".to_owned());
        let node = self.node.as_mut().unwrap();
        drop(node.ask(|reply| Command::Prune { dry_run: false, reply }).await);
        node.loop_.turn(self.host.now).await;
        for _ in 0..self.rng.random_range(1..3) {
            tokio::time::sleep(Duration::from_micros(self.rng.random_range(0..3000))).await;
            self.spawn();
        }
        self.rest().await;
    }

    /// The clock jumps, a little or by weeks.
    async fn clock(&mut self) -> Result<(), String> {
        let by = match self.rng.random_range(0..4) {
            0 => TimeDelta::hours(-self.rng.random_range(1..72)),
            1 => TimeDelta::days(-self.rng.random_range(1..40)),
            2 => TimeDelta::days(self.rng.random_range(1..40)),
            _ => TimeDelta::hours(self.rng.random_range(1..72)),
        };
        self.say(format!("the clock jumps by {by}"));
        self.host.now += by;
        self.watched(World::rest).await
    }

    /// What somebody asks the agent for, or the centre tells it.
    async fn operator(&mut self) -> Result<(), String> {
        let id = self.image();
        let mut allowed = self.allowed();
        match self.rng.random_range(0..20) {
            0..4 => {
                let dry_run = self.rng.random_bool(0.2);
                self.say(format!("prune, dry run: {dry_run}"));
                let command = async move |it: &mut Node| drop(it.ask(|reply| Command::Prune { dry_run, reply }).await);
                self.asked(allowed, command).await
            }
            4..8 => {
                self.say(format!("queue {id} = {}", id.base_name()));
                self.asked(allowed, async |it| {
                    drop(it.ask(|reply| Command::Queue(id, Some(Priority::default()), reply)).await)
                })
                .await
            }
            8 | 9 => {
                self.say(format!("pin {id} = {}", id.base_name()));
                self.pinned.insert(id.clone());
                self.asked(allowed, async |it| drop(it.ask(|reply| Command::Pin(id, reply)).await)).await
            }
            10..13 => {
                self.say(format!("unpin {id}"));
                self.pinned.remove(&id);
                allowed.pinned.remove(&id.base_name());
                self.asked(allowed, async |it| drop(it.ask(|reply| Command::Unpin(id, reply)).await)).await
            }
            13 => {
                self.say(format!("delete {id} = {} from the cache", id.base_name()));
                allowed.ages.insert(id.base_name(), 0);
                self.asked(allowed, async |it| drop(it.ask(|reply| Command::DeleteCached(id, reply)).await)).await
            }
            14 => {
                self.say("delete all from the cache".to_owned());
                allowed.ages = self.images.iter().map(|it| (it.base_name(), 0)).collect();
                self.asked(allowed, async |it| drop(it.ask(Command::DeleteAllCached).await)).await
            }
            15..18 => {
                let presence = self.centre_changes(&id);
                self.asked(self.allowed(), async |it| it.loop_.obey(Command::Presence(presence)).await).await
            }
            _ => self.evict().await,
        }
    }

    async fn asked(&mut self, allowed: Allowed, ask: impl AsyncFnOnce(&mut Node)) -> Result<(), String> {
        self.watched_as(allowed, async |it| {
            ask(it.node.as_mut().unwrap()).await;
            it.rest().await;
        })
        .await
    }

    /// An image is deleted at the centre, or is there again.
    fn centre_changes(&mut self, id: &ImageId) -> Presence {
        let (mut gone, mut there) = (BTreeMap::new(), BTreeSet::new());
        if self.host.centre.has(id) {
            self.say(format!("{id} = {} is deleted at the centre", id.base_name()));
            self.host.centre.delete(id);
            self.gone.insert(id.clone());
            gone.insert(id.clone(), "deleted".to_owned());
        } else {
            self.say(format!("{id} = {} is at the centre again", id.base_name()));
            self.host.centre.bring_back(id);
            self.gone.remove(id);
            there.insert(id.clone());
        }
        Presence { gone, there, held: None, check: None }
    }

    /// There is to be less in the directory from one moment to the next.
    async fn evict(&mut self) -> Result<(), String> {
        let most = self.rng.random_range(1..20) * 4096;
        self.say(format!("no more than {most} bytes"));
        let allowed = Allowed { age: Some(600), ..self.allowed() };
        let (small, usual) =
            (crate::agent::Settings { cache_max_size: most, ..self.settings.clone() }, self.settings.clone());
        self.asked(allowed, async |it| it.loop_.obey(Command::Reconfigure(Box::new(small))).await).await?;
        self.node.as_mut().unwrap().loop_.obey(Command::Reconfigure(Box::new(usual))).await;
        Ok(())
    }

    /// The agent ends anywhere, and starts again: with its index, without it, later.
    async fn crash(&mut self) {
        let during = self.rng.random_range(0..4);
        let id = self.image();
        let mut node = self.node.take().unwrap();
        match during {
            0 => drop(node.ask(|reply| Command::Prune { dry_run: false, reply }).await),
            1 => drop(node.ask(|reply| Command::Queue(id.clone(), None, reply)).await),
            _ => {}
        }
        if during < 2 {
            node.loop_.turn(self.host.now).await;
            tokio::time::sleep(Duration::from_micros(self.rng.random_range(0..4000))).await;
        }
        drop(node);
        let lost = self.rng.random_range(0..6);
        self.say(format!("crash during {during} (of {id}), lost: {lost}"));
        if self.rng.random_bool(0.3) {
            self.spawn();
        }
        let state = self.settings.state_path.clone();
        // What a crash has left running writes no more once the folders are let go of.
        drop(Node::start(&self.settings, self.host.now).await);
        match lost {
            0 => {
                for name in ["index.db", "index.db-wal", "index.db-shm"] {
                    let _ = fs::remove_file(state.join(name));
                }
                self.pinned.clear();
            }
            1 => fs::remove_dir_all(state.join("pieces")).unwrap(),
            2 => fs::write(self.host.base(&format!(".larder-{}.fetch", id.base_name())), "left over").unwrap(),
            _ => {}
        }
        if self.rng.random_bool(0.2) {
            self.host.now += TimeDelta::days(self.rng.random_range(-30..30));
        }
        self.node = Some(Node::start(&self.settings, self.host.now).await);
        self.host.restamp();
        self.rest().await;
    }
}

impl Host {
    pub(super) fn is_locked(&self, base: &str) -> bool {
        self.locked.iter().any(|(_, it)| it == base)
    }

    /// The disk is the base itself, under another name.
    fn link(&mut self, disk: &std::path::Path, base: &str, symbolic: bool) {
        use std::os::unix::fs::MetadataExt;
        let _lock = self.lock(base);
        fs::create_dir_all(disk.parent().unwrap()).unwrap();
        let path = self.base(base);
        let done = if symbolic { std::os::unix::fs::symlink(&path, disk) } else { fs::hard_link(&path, disk) };
        done.unwrap();
        let inode = path.metadata().unwrap_or_else(|_| panic!("{base} went after nova had touched it")).ino();
        self.disks.insert(disk.to_owned(), vec![(base.to_owned(), inode)]);
    }
}
