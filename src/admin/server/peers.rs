//! Who may talk to the agent.

use crate::http::Peer;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::ffi::CString;

/// Root, the agent's own user, and a group's members.
#[derive(Clone, Debug)]
pub struct Peers {
    own: Uid,
    group: Option<(String, Gid)>,
}

/// No such group on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("admin_group: there is no group '{0}' on this machine")]
pub struct NoSuchGroup(pub String);

// === impl Peers ===

impl Peers {
    /// With the members of `group`, if one is named.
    ///
    /// # Errors
    /// [`NoSuchGroup`]
    pub fn new(group: Option<&str>) -> Result<Self, NoSuchGroup> {
        let find = |name: &str| match Group::from_name(name) {
            Ok(Some(group)) => Ok((name.to_owned(), group.gid)),
            _ => Err(NoSuchGroup(name.to_owned())),
        };
        Ok(Self { own: Uid::effective(), group: group.map(find).transpose()? })
    }

    /// The group's id, for the socket's owner.
    pub fn gid(&self) -> Option<Gid> {
        self.group.as_ref().map(|(_, gid)| *gid)
    }

    /// # Errors
    /// Says who asks and who may.
    pub async fn check(&self, peer: &Peer) -> Result<(), String> {
        let Peer::Unix { uid, gid, .. } = *peer else {
            return Err("the agent's admin API answers on its Unix socket only".to_owned());
        };
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        if uid.is_root() || uid == self.own {
            return Ok(());
        }
        if let Some((_, allowed)) = &self.group {
            if gid == *allowed {
                return Ok(());
            }
            // The user database may be far away (LDAP).
            let allowed = *allowed;
            let member = tokio::task::spawn_blocking(move || groups(uid, gid).contains(&allowed)).await;
            if member.unwrap_or(false) {
                return Ok(());
            }
        }
        let name = User::from_uid(uid).ok().flatten().map_or_else(|| format!("user id {uid}"), |it| it.name);
        let members = match &self.group {
            Some((group, _)) => format!("members of the group {group}"),
            None => "no group (admin_group is not set)".to_owned(),
        };
        Err(format!("{name} may not talk to this agent: root, its own user (id {}) and {members} may", self.own))
    }
}

/// All groups of a user as the user database has them now.
fn groups(uid: Uid, gid: Gid) -> Vec<Gid> {
    let Ok(Some(user)) = User::from_uid(uid) else { return Vec::new() };
    let Ok(name) = CString::new(user.name) else { return Vec::new() };
    getgrouplist(&name, gid).unwrap_or_default()
}
