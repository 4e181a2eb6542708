//! What Larder does differently on purpose, each with its reason. What is not here is a fault of Larder's.
//!
//! An entry is tied to its situation: rows name method, path, both statuses and both texts; what rows cannot say is a
//! condition on the request and both answers.

mod case;
mod entries;
mod faults;
mod words;

pub(super) use case::{Case, has_wide_path};
pub(super) use entries::KNOWN;

/// A difference that stays.
pub(super) struct Known {
    /// A name, for the report.
    pub(super) name: &'static str,
    /// Why it stays.
    pub(super) reason: &'static str,
    /// Words of the README that tell it.
    readme: &'static str,
    is: Is,
}

/// Which differences it is.
enum Is {
    /// Answers as in one of these rows: the words of the same refusal, or whatever differs in two different ones.
    Rows(&'static [Row]),
    /// Those of which this holds.
    When(fn(&Case<'_>) -> bool),
}

/// A request and both answers to it.
struct Row {
    /// Method and path; with the query if there is a `?` in it. `*` is anything, here and below.
    on: &'static str,
    larder: (u16, &'static str),
    glance: (u16, &'static str),
}

const fn row(on: &'static str, larder: (u16, &'static str), glance: (u16, &'static str)) -> Row {
    Row { on, larder, glance }
}

/// The known difference that this one is. That Larder itself fails is never known.
pub(super) fn find(case: &Case<'_>) -> Option<&'static Known> {
    if !case.larder.is_some_and(|it| it.status < 500 || it.status == 501) {
        return None;
    }
    KNOWN.iter().find(|it| match it.is {
        Is::Rows(rows) => rows.iter().any(|it| case.is_in(it)),
        Is::When(holds) => holds(case),
    })
}
