//! Who asks, and what they may: against a real Keystone, and against Python's oslo.policy.

pub(crate) mod admin;
mod keystone;
mod limits;
mod policy;
mod proxy;
mod remote;
mod remote_tls;
