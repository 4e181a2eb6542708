//! Property protections: who may create, read, update and delete which custom property (Glance's file).
//!
//! ```text
//! [^x_billing_.*]            a regular expression; the first section that finds a match in the name counts
//! create = admin,billing     roles; or, with property_protection_rule_format = policies, one rule of the policy
//! read = @                   everybody
//! update = !                 nobody
//! delete =                   nobody
//! ```
//!
//! A property that no section matches is protected from everybody. `os_glance.*` is Glance's own and always open.

mod error;
mod ini;
mod rules;

#[cfg(test)]
mod tests;

pub use error::ProtectionError;
pub use rules::{Action, Format, Protections, Settings};
