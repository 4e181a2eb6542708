//! Back ends on servers: each on real ones.

mod alike;
mod hanging;
mod in_turns;
mod network;
mod rbd;
mod s3;
mod swift;
