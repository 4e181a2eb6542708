//! Server plumbing that knows no images: the accept loop, who is at the other end, bodies, ranges, other origins,
//! proxies in front.

pub mod body;
pub mod conditional;
pub mod cors;
mod forwarded;
pub mod keystone;
mod peer;
pub mod range;
pub mod server;

pub use forwarded::{Forwarded, is_host};
pub use peer::Peer;
