//! Back ends on servers: each on real ones.

mod s3;
mod swift;
