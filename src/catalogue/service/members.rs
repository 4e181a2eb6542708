//! Whom an image is shared with.
//!
//! The owner says with whom, each project answers for itself. Members exist for images of visibility `shared` only; the
//! rows of an image that is made something else stay, and are out of sight until it is shared again.

use crate::catalogue::{
    service::{
        Fault, Service,
        access::{Access, denied, hidden},
        notes::Event,
        records::seen,
    },
    tables::members,
};
use crate::db::{DbError, Tx};
use crate::identity::Caller;
use crate::image::{Answer, Image, ImageId, InvalidAnswer, Member, Visibility};

impl Service {
    /// The members of an image: all of them for its owner, itself for a member.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn members(&self, caller: &Caller, id: &ImageId) -> Result<Vec<Member>, Fault> {
        let (access, id) = (self.access(caller), id.clone());
        let judge = access.clone();
        self.read_judged(&judge, move |tx| {
            let image = shared(tx, &access, &id, "list")?;
            access.may_share("get_members", &image)?;
            let mut all = members::of(tx, &id)?;
            all.retain(|it| is_for(&access, &image, &it.project));
            Ok(all)
        })
        .await
    }

    /// One member.
    ///
    /// # Errors
    /// `NotFound`, whatever the reason (Glance's behaviour).
    pub async fn member(&self, caller: &Caller, id: &ImageId, project: &str) -> Result<Member, Fault> {
        let (access, id, project) = (self.access(caller), id.clone(), project.to_owned());
        let judge = access.clone();
        let found = self.read_judged(&judge, move |tx| {
            let image = shared(tx, &access, &id, "show")?;
            member(tx, &access, &image, &project)
        });
        found.await.map_err(|fault| if let Fault::Forbidden(words) = fault { Fault::NotFound(words) } else { fault })
    }

    /// Shares an image with a project, which may be any text.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Conflict` (it is a member already), `TooLarge`, `Invalid`.
    pub async fn add_member(&self, caller: &Caller, id: &ImageId, project: String) -> Result<Member, Fault> {
        super::check::text("member", Some(&project))?;
        let (access, id, now) = (self.access(caller), id.clone(), self.now());
        let quota = self.settings().image_member_quota;
        let judge = access.clone();
        let added = self.write_judged(&judge, move |tx| {
            let image = shared(tx, &access, &id, "create")?;
            access.may_share("add_member", &image)?;
            only(access.caller.owns(image.owner.as_deref()), "add_member")?;
            let all = members::of(tx, &id)?;
            let taken = || Fault::Conflict(format!("Member {project} is duplicated for image {id}"));
            if all.iter().any(|it| it.project == project) {
                return Err(taken());
            }
            let attempted = all.len() as u64 + 1;
            if let Some(quota) = quota.filter(|&it| attempted > it) {
                return Err(Fault::TooLarge(format!(
                    "The limit has been exceeded on the number of allowed image members for this image. \
                         Attempted: {attempted}, Maximum: {quota}"
                )));
            }
            let (image, whom, status) = (id.clone(), project.clone(), Answer::Pending);
            let member = Member { image, project: whom, status, created_at: now, updated_at: now };
            match members::add(tx, &member) {
                Err(DbError::Duplicate) => Err(taken()),
                done => done.map(|()| member).map_err(Fault::from),
            }
        });
        let member = added.await?;
        self.notes().member(Event::Created, &member);
        Ok(member)
    }

    /// What a project answers to an image that is shared with it: its own to say, not the owner's.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid` (no such answer).
    pub async fn answer(&self, caller: &Caller, id: &ImageId, project: &str, status: &str) -> Result<Member, Fault> {
        let (access, id, project, now) = (self.access(caller), id.clone(), project.to_owned(), self.now());
        let status = status.to_owned();
        let judge = access.clone();
        let answered = self.write_judged(&judge, move |tx| {
            let image = shared(tx, &access, &id, "update")?;
            let found = member(tx, &access, &image, &project)?;
            access.may_share("modify_member", &image)?;
            let own = access.caller.project.as_deref() == Some(&project);
            only(own || access.caller.is_admin, "modify_member")?;
            let status =
                status.parse().map_err(|error: InvalidAnswer| Fault::Invalid(format!("Incorrect request: {error}")))?;
            if found.status == status {
                return Ok((found, false));
            }
            let member = Member { status, updated_at: now, ..found };
            if members::answer(tx, &member)? { Ok((member, true)) } else { Err(no_member(&image, &project)) }
        });
        let (member, is_new) = answered.await?;
        if is_new {
            self.notes().member(Event::Updated(""), &member);
        }
        Ok(member)
    }

    /// Ends the sharing with a project.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn remove_member(&self, caller: &Caller, id: &ImageId, project: &str) -> Result<(), Fault> {
        let (access, id, project, now) = (self.access(caller), id.clone(), project.to_owned(), self.now());
        let judge = access.clone();
        let removed = self.write_judged(&judge, move |tx| {
            let image = shared(tx, &access, &id, "delete")?;
            let member = member(tx, &access, &image, &project)?;
            access.may_share("delete_member", &image)?;
            only(access.caller.owns(image.owner.as_deref()), "delete_member")?;
            if members::remove(tx, &id, &project, now)? { Ok(member) } else { Err(no_member(&image, &project)) }
        });
        let member = removed.await?;
        self.notes().member(Event::Deleted(now), &Member { updated_at: now, ..member });
        Ok(())
    }
}

/// The image, if the caller sees it and it has members.
fn shared(tx: &Tx<'_>, access: &Access, id: &ImageId, verb: &str) -> Result<Image, Fault> {
    let image = seen(tx, access, id)?;
    if !access.sees(&image) {
        return Err(hidden());
    }
    if image.visibility == Visibility::Shared {
        return Ok(image);
    }
    Err(Fault::Forbidden(format!("Not allowed to {verb} members for image {id}: Only shared images have members.")))
}

/// A member that the caller may know of.
fn member(tx: &Tx<'_>, access: &Access, image: &Image, project: &str) -> Result<Member, Fault> {
    access.may_share("get_member", image)?;
    let found = if is_for(access, image, project) { members::find(tx, &image.id, project)? } else { None };
    found.ok_or_else(|| no_member(image, project))
}

/// Refuses what no policy can allow.
fn only(it: bool, rule: &str) -> Result<(), Fault> {
    it.then_some(()).ok_or_else(|| denied(rule))
}

/// Others than the owner know of themselves only.
fn is_for(access: &Access, image: &Image, project: &str) -> bool {
    access.caller.owns(image.owner.as_deref()) || access.caller.project.as_deref() == Some(project)
}

fn no_member(image: &Image, project: &str) -> Fault {
    let project: String = project.chars().take(80).collect();
    Fault::NotFound(format!("{project} not found in the member list of the image {}.", image.id))
}
