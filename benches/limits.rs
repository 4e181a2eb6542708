//! What plain loops reach: the bounds that the figures are compared with.

use larder::base::digest::{Algorithm, Hasher};
use std::{
    fs::File,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::FileExt,
    path::Path,
    thread,
};

/// The block of every loop, bytes.
pub(crate) const BLOCK: usize = 1 << 20;

/// Blocks that neither compress nor repeat soon.
pub(crate) fn blocks(count: usize) -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count)
        .map(|_| {
            let mut block = Vec::with_capacity(BLOCK);
            while block.len() < BLOCK {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                block.extend_from_slice(&state.to_le_bytes());
            }
            block
        })
        .collect()
}

/// Bytes of `blocks`, `rounds` times over.
pub(crate) fn length(blocks: &[Vec<u8>], rounds: usize) -> u64 {
    (blocks.len() * rounds * BLOCK) as u64
}

/// Writes all to a new file, and syncs it.
pub(crate) fn write(path: &Path, blocks: &[Vec<u8>], rounds: usize) {
    let mut file = File::create(path).unwrap();
    for block in blocks.iter().cycle().take(blocks.len() * rounds) {
        file.write_all(block).unwrap();
    }
    file.sync_all().unwrap();
}

/// Hashes all with one algorithm, on this thread.
pub(crate) fn hash(algorithm: Algorithm, blocks: &[Vec<u8>], rounds: usize) -> String {
    let mut hasher = Hasher::new(algorithm);
    for block in blocks.iter().cycle().take(blocks.len() * rounds) {
        hasher.update(block);
    }
    hasher.finish().unwrap()
}

/// md5 ∥ sha512 ∥ write, each on a thread of its own, from memory.
pub(crate) fn hashes_and_write(path: &Path, blocks: &[Vec<u8>], rounds: usize) {
    thread::scope(|scope| {
        scope.spawn(|| hash(Algorithm::Md5, blocks, rounds));
        scope.spawn(|| hash(Algorithm::Sha512, blocks, rounds));
        write(path, blocks, rounds);
    });
}

/// A file through a loopback socket: 1 MiB pread and write on one side, read on the other.
pub(crate) fn pread_and_send(path: &Path) -> u64 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let file = File::open(path).unwrap();
            let mut block = vec![0; BLOCK];
            let mut at = 0;
            loop {
                let got = file.read_at(&mut block, at).unwrap();
                if got == 0 {
                    return;
                }
                socket.write_all(&block[..got]).unwrap();
                at += got as u64;
            }
        });
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut block = vec![0; BLOCK];
        let mut all = 0;
        loop {
            match socket.read(&mut block).unwrap() {
                0 => return all,
                got => all += got as u64,
            }
        }
    })
}
