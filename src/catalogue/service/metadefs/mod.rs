//! The verbs of metadata definitions. Each is one transaction with a fixed number of statements.
//!
//! What a caller may not see is not there for it; what it sees and may not change is refused.

mod namespaces;
mod objects;
mod properties;
mod resource_types;
mod rights;
mod tags;
#[cfg(test)]
mod tests;

use crate::catalogue::{
    service::{Fault, Service, metadefs::rights::Rights},
    tables::metadefs::namespaces::{self as rows, Found},
};
use crate::db::{DbError, Tx};
use crate::identity::Caller;

/// The verbs of metadata definitions, as one caller may use them.
pub struct Metadefs<'a> {
    service: &'a Service,
    rights: Rights,
}

// === impl Metadefs ===

impl Metadefs<'_> {
    /// A transaction in which the rights are judged.
    async fn read<T, W>(&self, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: Fn(&Tx<'_>) -> Result<T, Fault> + Send + Sync + 'static,
    {
        self.service.read_judged(&self.rights.0, work).await
    }

    /// Likewise, one that may write.
    async fn write<T, W>(&self, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: Fn(&Tx<'_>) -> Result<T, Fault> + Send + Sync + 'static,
    {
        self.service.write_judged(&self.rights.0, work).await
    }
}

impl Service {
    /// The metadata definitions, as `caller` sees them.
    pub fn metadefs(&self, caller: &Caller) -> Metadefs<'_> {
        Metadefs { service: self, rights: Rights(self.access(caller)) }
    }
}

/// How the lack of a namespace is put: Glance has two forms.
#[derive(Clone, Copy)]
enum Missing {
    Definition,
    Namespace,
}

// === impl Missing ===

impl Missing {
    fn fault(self, name: &str) -> Fault {
        let name: String = name.chars().take(80).collect();
        Fault::NotFound(match self {
            Self::Definition => format!("Metadata definition namespace={name} was not found."),
            Self::Namespace => format!("Namespace {name} not found"),
        })
    }
}

/// The namespace, when the caller may see it and has the right `rule` on it.
fn seen(tx: &Tx<'_>, rights: &Rights, rule: &str, name: &str, missing: Missing) -> Result<Found, Fault> {
    match rows::find(tx, name)? {
        Some(found) if rights.sees(&found.namespace) => {
            rights.demand(rule, Some(&found.namespace))?;
            Ok(found)
        }
        _ => Err(missing.fault(name)),
    }
}

/// A taken name becomes a conflict in these words.
fn taken(words: impl FnOnce() -> String) -> impl FnOnce(DbError) -> Fault {
    move |error| if error.is_duplicate() { Fault::Conflict(words()) } else { error.into() }
}

/// A protected namespace keeps what is in it.
fn unprotected(found: &Found, words: impl FnOnce() -> String) -> Result<(), Fault> {
    if found.namespace.protected { Err(Fault::Forbidden(words())) } else { Ok(()) }
}
