//! One hash over bytes, in the calling thread.

use crate::base::digest::{Algorithm, libcrypto};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, digest::DynDigest};

/// A hash being computed.
pub struct Hasher(Engine);

enum Engine {
    System(libcrypto::Context),
    Rust(Box<dyn DynDigest + Send>),
}

// === impl Hasher ===

impl Hasher {
    /// With libcrypto where it is there and willing (a FIPS one refuses md5), in pure Rust otherwise.
    pub fn new(algorithm: Algorithm) -> Self {
        libcrypto::context(algorithm).map_or_else(|| Self::pure(algorithm), |it| Self(Engine::System(it)))
    }

    /// In pure Rust.
    pub fn pure(algorithm: Algorithm) -> Self {
        Self(Engine::Rust(match algorithm {
            Algorithm::Md5 => Box::new(Md5::new()),
            Algorithm::Sha1 => Box::new(Sha1::new()),
            Algorithm::Sha224 => Box::new(Sha224::new()),
            Algorithm::Sha256 => Box::new(Sha256::new()),
            Algorithm::Sha384 => Box::new(Sha384::new()),
            Algorithm::Sha512 => Box::new(Sha512::new()),
        }))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Engine::System(context) => context.update(bytes),
            Engine::Rust(digest) => digest.update(bytes),
        }
    }

    /// The hash in lower-case hex; none when libcrypto failed on the way, which it says only at the end.
    pub fn finish(self) -> Option<String> {
        let bytes = match self.0 {
            Engine::System(context) => context.finish()?,
            Engine::Rust(digest) => digest.finalize().into_vec(),
        };
        Some(hex(&bytes))
    }

    /// True when libcrypto does the work.
    pub fn is_system(&self) -> bool {
        matches!(self.0, Engine::System(_))
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}
