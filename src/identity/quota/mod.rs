//! How much a project may have: the server's own quota, and Keystone's unified limits.

mod limits;
mod storage;

pub use limits::{LimitError, Limits, OverLimit, Resource, Settings, Usage, over};
pub use storage::{InvalidQuota, StorageQuota};
