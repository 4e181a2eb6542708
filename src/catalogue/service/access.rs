//! What one caller may do: the policy, the property protections, and whose image it is.
//!
//! A policy can take rights away and give them within a project; what another project owns only admins change, whatever
//! the policy says (Glance's behaviour: its database layer looks at the owner again).

use crate::catalogue::{service::Fault, tables::LocationCipher};
use crate::identity::{
    Caller,
    policy::{Attributes, Enforcer, ImageTarget, NewImageTarget, NoTarget, Verdict},
    protection::{Action, Protections},
};
use crate::image::{Attribute, Change, ChangeError, How, Image, ListQuery, Visibility, query::Filter};
use crate::store::Stores;
use std::sync::Arc;

/// The rule of looking at an image; who is denied it is told that there is none.
const SEE: &str = "get_image";

/// A caller, and the rules of the moment.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) caller: Caller,
    pub(super) enforcer: Enforcer,
    pub(super) protections: Arc<Protections>,
    /// Locations are read with it.
    pub(super) cipher: LocationCipher,
    /// Locations are in them.
    pub(super) stores: Stores,
}

// === impl Access ===

impl Access {
    /// Whether the caller may do `rule` to an image that it can find.
    ///
    /// # Errors
    /// `NotFound` when it may not look at the image either, else `Forbidden`.
    pub(super) fn may(&self, rule: &str, image: &Image) -> Result<(), Fault> {
        match self.enforcer.decide(rule, SEE, &ImageTarget::new(image, &self.caller), &self.caller) {
            Verdict::Allowed => Ok(()),
            Verdict::Hidden => Err(hidden()),
            Verdict::Denied => Err(denied(rule)),
        }
    }

    /// As [`Self::may`], of what changes the image.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub(super) fn may_change(&self, rule: &str, image: &Image) -> Result<(), Fault> {
        self.may(rule, image)?;
        if self.caller.owns(image.owner.as_deref()) { Ok(()) } else { Err(denied(rule)) }
    }

    /// Whether the caller may do `rule` to the members of an image that it sees.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) fn may_share(&self, rule: &str, image: &Image) -> Result<(), Fault> {
        self.ask(rule, &ImageTarget::new(image, &self.caller))
    }

    /// Whether the caller may do `rule`, of no image in particular.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) fn may_at_all(&self, rule: &str) -> Result<(), Fault> {
        self.ask(rule, &NoTarget)
    }

    /// Whether the caller may do `rule` to the cache, or to an image in it.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) fn may_cache(&self, rule: &str, image: Option<&Image>) -> Result<(), Fault> {
        match image {
            Some(image) => self.ask(rule, &ImageTarget::new(image, &self.caller)),
            None => self.ask(rule, &NoTarget),
        }
    }

    /// Whether the caller may list images.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) fn may_list(&self) -> Result<(), Fault> {
        let owner = self.caller.project.as_deref();
        self.ask("get_images", &NewImageTarget { owner, visibility: Visibility::Private.as_str() })
    }

    /// Whether the caller may make such an image; rules are asked about an image of the visibility `asked`.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) fn may_create(&self, image: &Image, asked: Visibility) -> Result<(), Fault> {
        let target = NewImageTarget { owner: image.owner.as_deref(), visibility: asked.as_str() };
        let (owner, own) = (image.owner.as_deref().unwrap_or_default(), self.caller.project.as_deref());
        let strange = || Fault::Forbidden(format!("You are not permitted to create images owned by '{owner}'"));
        self.ask("add_image", &target).map_err(|it| if image.owner.as_deref() == own { it } else { strange() })?;
        if !self.caller.owns(image.owner.as_deref()) {
            return Err(strange());
        }
        if let Some(rule) = rule_of(asked) {
            self.ask(rule, &target)?;
        }
        for name in image.properties.keys() {
            self.property(name, Action::Create)?;
        }
        Ok(())
    }

    /// Whether the caller may do this change to the image; `before` is as it was found, `now` as changes before this
    /// one have left it. A property that the caller may not read is none (Glance's rule).
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` for properties that are not there.
    pub(super) fn may_apply(&self, change: &Change, before: &Image, now: &Image) -> Result<(), Fault> {
        match change {
            Change::ReplaceLocations(locations) if locations.is_empty() => {
                Err(Fault::Forbidden("Cannot set locations to empty list.".to_owned()))
            }
            Change::AddLocation { .. } | Change::ReplaceLocations(_) => self.may_change("set_image_location", before),
            Change::RemoveLocation(_) => self.may_change("delete_image_location", before),
            Change::Set(Attribute::Visibility(visibility), _) => {
                if let Some(rule) = rule_of(*visibility) {
                    self.may_change(rule, before)?;
                }
                self.may_change("modify_image", before)
            }
            Change::Set(..) => self.may_change("modify_image", before),
            Change::SetProperty { name, how, .. } => {
                self.may_change("modify_image", before)?;
                match (now.properties.contains_key(name), self.reads(name)) {
                    (false, _) | (_, false) if *how == How::Replace => Err(missing(name)),
                    (false, _) => self.property(name, Action::Create),
                    (true, true) => self.property(name, Action::Update),
                    (true, false) => Err(reserved(name)),
                }
            }
            Change::Remove(name) => {
                self.may_change("modify_image", before)?;
                match (now.properties.contains_key(name), self.reads(name)) {
                    (false, _) => Ok(()),
                    (true, true) => self.property(name, Action::Delete),
                    (true, false) => Err(missing(name)),
                }
            }
        }
    }

    /// Whether the caller may look at an image that it can find.
    pub(super) fn sees(&self, image: &Image) -> bool {
        self.enforcer.allows(SEE, &ImageTarget::new(image, &self.caller), &self.caller)
    }

    /// The image without properties that the caller may not read.
    pub(super) fn readable(&self, mut image: Image) -> Image {
        if !self.protections.is_empty() {
            image.properties.retain(|name, _| self.reads(name));
        }
        image
    }

    /// Whether the query asks only for what the caller may read; otherwise it would tell values by what it finds.
    pub(super) fn may_ask(&self, query: &ListQuery) -> bool {
        query.filters.iter().all(|it| !matches!(it, Filter::Property { name, .. } if !self.reads(name)))
    }

    fn reads(&self, name: &str) -> bool {
        self.protections.allow(name, Action::Read, &self.caller, &self.enforcer)
    }

    fn property(&self, name: &str, action: Action) -> Result<(), Fault> {
        if self.protections.allow(name, action, &self.caller, &self.enforcer) { Ok(()) } else { Err(reserved(name)) }
    }

    fn ask<T: Attributes + ?Sized>(&self, rule: &str, target: &T) -> Result<(), Fault> {
        if self.enforcer.allows(rule, target, &self.caller) { Ok(()) } else { Err(denied(rule)) }
    }
}

fn reserved(name: &str) -> Fault {
    let name: String = name.chars().take(80).collect();
    Fault::Forbidden(format!("Attribute '{name}' is reserved."))
}

fn missing(name: &str) -> Fault {
    ChangeError::Missing(name.to_owned()).into()
}

/// The rule of giving an image this visibility, where there is one.
fn rule_of(visibility: Visibility) -> Option<&'static str> {
    match visibility {
        Visibility::Public => Some("publicize_image"),
        Visibility::Community => Some("communitize_image"),
        Visibility::Private | Visibility::Shared => None,
    }
}

/// For what the policy hides: in other words than what is not there (Glance's).
pub(super) fn hidden() -> Fault {
    Fault::NotFound("The resource could not be found.".to_owned())
}

pub(super) fn denied(rule: &str) -> Fault {
    Fault::Forbidden(format!("You are not authorized to complete {rule} action."))
}
