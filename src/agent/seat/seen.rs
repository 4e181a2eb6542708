//! Looking at the others.

use super::{Entry, Folder, HostName, Seen};
use crate::base::ofd_lock::OfdLock;
use std::{
    io,
    time::{Duration, SystemTime},
};

/// The others in the folder, but for `us`, at the file system's `now`. Blocks on the disk.
///
/// # Errors
/// When the folder cannot be read; what cannot be read of one host is in the answer.
pub fn seen(folder: &Folder, us: &HostName, now: Duration) -> io::Result<Vec<Seen>> {
    let hosts = folder.hosts()?;
    Ok(hosts.into_iter().filter(|it| it != us).map(|host| look(folder, host, now)).collect())
}

/// All hosts in the folder, by this machine's clock, for those who only look.
///
/// # Errors
/// As [`seen`].
pub fn seen_at(folder: &Folder, now: SystemTime) -> io::Result<Vec<Seen>> {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(folder.hosts()?.into_iter().map(|host| look(folder, host, now)).collect())
}

fn look(folder: &Folder, host: HostName, now: Duration) -> Seen {
    // Before the entry: who writes it and leaves has let go of the lock afterwards.
    let locked = OfdLock::is_held(&folder.lock(&host)).ok();
    let (entry, silent) = match Folder::read(&folder.entry(&host)) {
        Ok(Some((text, beat))) => {
            let why = |why| format!("{} cannot be understood: {why}", folder.entry(&host).display());
            (Entry::parse(&text, &host).map(Some).map_err(why), Some(now.saturating_sub(beat)))
        }
        Ok(None) => (Ok(None), None),
        Err(error) => (Err(format!("{} cannot be read: {error}", folder.entry(&host).display())), None),
    };
    Seen { host, locked, entry, silent }
}
