//! What a caller may do with metadata definitions: the one place that is asked.
//!
//! The policy can take rights away, and give them on what the caller sees: the public namespaces and its project's own,
//! whatever the policy says (Glance's behaviour: its database layer looks at the owner again).

use crate::catalogue::service::Fault;
use crate::catalogue::service::access::{Access, denied, hidden};
use crate::catalogue::tables::metadefs::namespaces::Sight;
use crate::identity::policy::{NamespaceTarget, Verdict};
use crate::image::metadef::Namespace;

/// The rule of looking at a namespace; who is denied it is told that there is none.
const SEE: &str = "get_metadef_namespace";

/// The rights of one caller.
#[derive(Clone)]
pub(super) struct Rights(pub(super) Access);

// === impl Rights ===

impl Rights {
    /// Who owns what the caller makes without saying for whom; as `glance-manage` has it where nobody has logged in.
    pub(super) fn owner(&self) -> String {
        self.0.caller.project.clone().unwrap_or_else(|| "admin".to_owned())
    }

    /// The namespaces that the caller can find.
    pub(super) fn sight(&self) -> Sight {
        let caller = &self.0.caller;
        if caller.is_admin { Sight::All } else { Sight::Public { and_of: caller.project.clone() } }
    }

    /// Whether the caller may know of this namespace.
    pub(super) fn sees(&self, namespace: &Namespace) -> bool {
        let caller = &self.0.caller;
        let finds = caller.is_admin || namespace.is_public || caller.project.as_ref() == Some(&namespace.owner);
        finds && self.decide(SEE, Some(namespace)) == Verdict::Allowed
    }

    /// The right of this policy rule, on what the caller sees already or on nothing in particular.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when the caller may look at no namespace either.
    pub(super) fn demand(&self, rule: &str, namespace: Option<&Namespace>) -> Result<(), Fault> {
        match self.decide(rule, namespace) {
            Verdict::Allowed => Ok(()),
            Verdict::Hidden => Err(hidden()),
            Verdict::Denied => Err(denied(rule)),
        }
    }

    fn decide(&self, rule: &str, namespace: Option<&Namespace>) -> Verdict {
        let target = match namespace {
            Some(it) => NamespaceTarget {
                owner: Some(&it.owner),
                visibility: Some(if it.is_public { "public" } else { "private" }),
            },
            None => NamespaceTarget { owner: self.0.caller.project.as_deref(), visibility: None },
        };
        self.0.enforcer.decide(rule, SEE, &target, &self.0.caller)
    }
}
