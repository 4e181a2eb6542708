//! Nodes: they register, and are looked at.

use super::{Bounds, no_node};
use crate::catalogue::{
    service::{Fault, Service},
    tables::fleet::{
        counters::{self, Counter},
        inventory, items, nodes,
        owners::{self, Owner},
    },
};
use crate::identity::Caller;
use crate::image::ImageId;
use crate::wire::fleet::{
    ImageNodes, Node, NodeImages, NodeName, NodePage, Registered, Registration, Selector, Session,
};
use sha2::{Digest, Sha256};

impl Service {
    /// Enters a node, or begins a new session with it.
    ///
    /// # Errors
    /// `Forbidden`: also a node that another user has registered; `Invalid`; `Conflict`: the node is alive, and neither the
    /// session that was named is its own, nor is this the agent whose registration got no beat yet.
    pub async fn register(&self, caller: &Caller, name: &NodeName, it: Registration) -> Result<Registered, Fault> {
        self.may_as_agent(caller)?;
        it.check()?;
        let (name, settings) = (name.clone(), self.settings().fleet.clone());
        let session = Session(uuid::Uuid::from_u128(rand::random()).simple().to_string());
        let (new, user, is_admin) = (session.clone(), caller.user.clone(), caller.is_admin);
        let registered = self.db().write(move |tx| {
            let known = nodes::session(tx, &name, settings.patience())?;
            let owner = owners::find(tx, &name)?.unwrap_or_default();
            if !is_admin && owner.user.is_some() && owner.user != user {
                return Err(Fault::Forbidden(format!(
                    "Node {name} belongs to the user who registered it first: for another user's agent an admin forgets \
                     it (`larder node forget {name}`)."
                )));
            }
            let instance = it.instance.as_ref().map(hash);
            if let Some(known) = known.as_ref().filter(|it| it.alive)
                && it.session.as_ref().is_none_or(|it| hash(it) != known.hash)
                && (known.beat > 0 || instance.is_none() || instance != owner.instance_hash)
            {
                return Err(Fault::Conflict(format!(
                    "Node {name} is registered and alive: only its own agent, which knows the session, can register it \
                     again before it has been silent for {} seconds.",
                    settings.patience()
                )));
            }
            nodes::enter(tx, &name, &it, &hash(&new), known.is_none())?;
            owners::put(tx, &name, &Owner { instance_hash: instance, user: user.clone().or(owner.user) })?;
            items::take_back(tx, &name)?;
            let rules_version = counters::get(tx, Counter::Rules)?;
            let heartbeat_interval = settings.interval();
            Ok(Registered { node: name.clone(), session: new.clone(), heartbeat_interval, rules_version })
        });
        let registered = registered.await?;
        tracing::info!(node = %registered.node, "a node registered");
        Ok(registered)
    }

    /// A page of nodes.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`: the marker.
    pub async fn nodes(&self, caller: &Caller, selector: Selector, bounds: Bounds) -> Result<NodePage, Fault> {
        self.may_look(caller)?;
        let (after, most, patience) = (bounds.marker()?, bounds.most(), self.settings().fleet.patience());
        let found = self.db().read(move |tx| nodes::page(tx, &selector, after.as_ref(), most, patience));
        let (nodes, next) = bounds.page(found.await.map_err(|it: crate::db::DbError| it)?, |it| it.name.to_string());
        Ok(NodePage { nodes, next })
    }

    /// One node.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn node(&self, caller: &Caller, name: &NodeName) -> Result<Node, Fault> {
        self.may_look(caller)?;
        let (name, patience) = (name.clone(), self.settings().fleet.patience());
        self.db().read(move |tx| nodes::find(tx, &name, patience)?.ok_or_else(|| no_node(&name))).await
    }

    /// Forgets a node and what it holds; what it had to do has failed. An agent that lives registers it again.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn forget_node(&self, caller: &Caller, name: &NodeName) -> Result<(), Fault> {
        self.may_steer(caller)?;
        let name = name.clone();
        self.db()
            .write(move |tx| {
                if !nodes::delete(tx, &name)? {
                    return Err(no_node(&name));
                }
                inventory::forget(tx, &name)?;
                owners::delete(tx, &name)?;
                Ok(items::fail_all(tx, &name, "the node was forgotten")?)
            })
            .await
    }

    /// A page of what a node holds.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Invalid`: the marker.
    pub async fn node_images(&self, caller: &Caller, name: &NodeName, bounds: Bounds) -> Result<NodeImages, Fault> {
        self.may_look(caller)?;
        let (name, patience) = (name.clone(), self.settings().fleet.patience());
        let (after, most) = (bounds.marker()?, bounds.most());
        let found = self.db().read(move |tx| {
            let held = inventory::of_node(tx, &name, after.as_ref(), most)?;
            if held.is_empty() && nodes::find(tx, &name, patience)?.is_none() {
                return Err(no_node(&name));
            }
            Ok(held)
        });
        let (images, next) = bounds.page(found.await?, |it| it.image.to_string());
        Ok(NodeImages { images, next })
    }

    /// A page of the nodes that hold an image, or are about to. An image that the catalogue does not know (any more) may
    /// still be on nodes.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`: the marker.
    pub async fn image_nodes(&self, caller: &Caller, image: &ImageId, bounds: Bounds) -> Result<ImageNodes, Fault> {
        self.may_look_or_is_agent(caller)?;
        let (image, patience) = (image.clone(), self.settings().fleet.patience());
        let (after, most) = (bounds.marker()?, bounds.most());
        let found = self.db().read(move |tx| inventory::holders(tx, &image, after.as_ref(), most, patience));
        let (nodes, next) = bounds.page(found.await.map_err(|it: crate::db::DbError| it)?, |it| it.node.to_string());
        Ok(ImageNodes { nodes, next })
    }
}

/// What the database keeps of a session: whoever reads it cannot speak for the node.
pub(super) fn hash(session: &Session) -> String {
    Sha256::digest(session.0.as_bytes()).iter().map(|it| format!("{it:02x}")).collect()
}
