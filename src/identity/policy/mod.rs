//! What callers may do: oslo.policy's rules, with Glance's defaults.
//!
//! ```text
//! policy.yaml, policy.d/* ─ files ─→ parse ─→ Check (one rule) ─→ Rules (all of them) ─→ Enforcer ─→ yes or no
//!                          DEFAULTS ───┘
//! ```
//!
//! A rule is read once and asked often: asking takes no lock for longer than to copy a pointer, and allocates only for
//! values that are not texts, and waits for nothing but the servers that remote checks (`http:`) name. Everything that is
//! not understood denies.

mod check;
mod defaults;
mod enforcer;
mod error;
mod files;
mod later;
mod literal;
mod parse;
mod remote;
mod rules;
mod settings;
mod target;
mod template;
mod value;

#[cfg(test)]
mod tests;

pub use check::{Check, Leaf};
pub use defaults::{DEFAULTS, RuleDefault};
pub use enforcer::{Enforcer, Verdict, check_files};
pub use error::PolicyError;
pub use later::{Unasked, without_asking};
pub use parse::{Parsed, SyntaxError, parse, parse_value};
pub use remote::Answers;
pub use rules::Rules;
pub use settings::{ContentType, RemoteSettings, Settings, UnknownContentType};
pub use target::{ImageTarget, NamespaceTarget, NewImageTarget, NoTarget};
pub use value::{Attributes, Credentials, Value};
