//! Free space of a file system.

use std::{io, path::Path};

/// Bytes of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Free for this user (root's reserve not counted for others).
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// The space of the file system that holds `path`.
///
/// # Errors
/// What statvfs(3) says.
pub fn free(path: &Path) -> io::Result<Space> {
    let answer = nix::sys::statvfs::statvfs(path)?;
    let unit = answer.fragment_size();
    Ok(Space { free: answer.blocks_available().saturating_mul(unit), total: answer.blocks().saturating_mul(unit) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_has_less_free_than_in_all() {
        let space = free(Path::new("/tmp")).unwrap();
        assert!(space.total > 0 && space.free <= space.total);
        assert_eq!(free(Path::new("/no/such/place")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
