//! Server plumbing that knows no images: the accept loop, who is at the other end, bodies, ranges.

pub mod body;
pub mod keystone;
mod peer;
pub mod range;
pub mod server;

pub use peer::Peer;
