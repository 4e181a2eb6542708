//! The node as a member of the fleet that the catalogue keeps; the protocol is in [`crate::wire::fleet`].
//!
//! ```text
//! status ─→ inventory ─┐                       ┌─→ journal ─→ worker ─→ the loop
//!                      ├─→ link ─→ beats ──────┤     ↑↓ index: what was taken over, what came of it
//! journal: results ────┘         catalogue     └─ rules ─→ index
//! feed ─→ work, rules: a beat at once;  images ─→ hints ─→ presence ─→ the loop: these are gone
//! ```
//!
//! What to do when is the `course`'s to say, which is pure; `member` does it.

pub(crate) mod course;
mod feed;
mod hints;
mod inventory;
mod journal;
mod link;
mod member;
mod patience;
mod presence;
mod settings;
mod start;
#[cfg(test)]
mod tests;
mod worker;

pub use settings::{Membership, Settings, UnknownMembership};
#[cfg(test)]
pub(crate) use {
    feed::Heard,
    journal::{Key, Step},
};
pub(in crate::agent) use {member::Parts, start::start};
