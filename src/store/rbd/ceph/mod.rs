//! librados and librbd, opened at run time, so that nothing of Ceph is needed to build, or to run without this store.
//! The only unsafe code of the store.
//!
//! What the C side asks for, and how it is kept:
//! - The prototypes in [`library`] are those of Ceph's headers. The libraries are never closed.
//! - A handle is used while it lives: an [`Image`] holds its [`Pool`], which holds its [`Cluster`]; each is closed when the
//!   last user drops it. librados and librbd take calls of several threads on one handle.
//! - Everything blocks but what [`aio`] starts, so it belongs on a thread of its own; so does dropping an [`Image`], for which
//!   [`Opened`] cares.
//! - Nothing may unwind into C: functions that it calls ([`aio`], progress) do not panic.

#![expect(unsafe_code, reason = "C libraries that are opened at run time")]

mod aio;
mod cluster;
mod error;
mod image;
mod library;
mod opened;
mod pool;

pub(super) use cluster::{Cluster, Login};
pub(super) use error::CephError;
pub(super) use image::Image;
pub(super) use library::library;
pub(super) use opened::Opened;
pub(super) use pool::Pool;
