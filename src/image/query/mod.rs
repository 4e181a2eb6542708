//! What a listing asks for, as data; read from the parameters of `GET /v2/images`.

mod error;
mod filter;
mod parse;
mod sort;
#[cfg(test)]
mod tests;
mod time;

pub use error::QueryError;
pub use filter::{Comparison, Filter, NumberField, TextField, TimeField};
pub(super) use parse::limit;
pub use parse::{Limits, ListQuery, MemberStatus, VisibilityFilter};
pub use sort::{Sort, SortKey};
