//! The Image API over HTTP; it translates, and decides nothing.
//!
//! A path of the API is the path of a file here: `images/data.rs` is `/v2/images/{id}/file`. A request passes
//! [`pipeline`], which finds its version, its id and its caller, then the router and its handler; a refusal comes back
//! as a [`refusal::Refusal`] and becomes text, HTML or JSON at the end of the pipeline.

mod cache;
mod cached_images;
mod etag;
mod extract;
mod healthcheck;
mod images;
mod info;
mod larder;
mod metadefs;
mod pipeline;
mod refusal;
mod render;
mod reply;
mod router;
mod schemas;
mod state;
mod stores;
mod tasks;
#[cfg(test)]
mod tests;
mod versions;

pub use router::router;
