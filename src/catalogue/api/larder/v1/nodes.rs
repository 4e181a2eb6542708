//! `/larder/v1/nodes` and below.

use crate::catalogue::api::{
    extract::NoBody,
    larder::{
        asked::{Asked, Sent},
        body::done,
        params::{Named, Params},
    },
    reply,
    state::Answer,
};
use crate::wire::fleet::{Heartbeat, NodeName, Registration};
use http::StatusCode;

pub(super) async fn list(asked: Asked, params: Params, _: NoBody) -> Answer {
    params.only(&["label", "limit", "marker"])?;
    done(&asked.service().nodes(&asked.caller, params.selector()?, asked.bounds(&params)?).await?)
}

pub(super) async fn register(asked: Asked, Named(name): Named<NodeName>, Sent(it): Sent<Registration>) -> Answer {
    done(&asked.service().register(&asked.caller, &name, it).await?)
}

pub(super) async fn show(asked: Asked, Named(name): Named<NodeName>, params: Params, _: NoBody) -> Answer {
    params.only(&[])?;
    done(&asked.service().node(&asked.caller, &name).await?)
}

pub(super) async fn delete(asked: Asked, Named(name): Named<NodeName>, _: NoBody) -> Answer {
    asked.service().forget_node(&asked.caller, &name).await?;
    Ok(reply::bare(StatusCode::NO_CONTENT))
}

pub(super) async fn heartbeat(asked: Asked, Named(name): Named<NodeName>, Sent(it): Sent<Heartbeat>) -> Answer {
    done(&asked.service().heartbeat(&asked.caller, &name, it).await?)
}

pub(super) async fn images(asked: Asked, Named(name): Named<NodeName>, params: Params, _: NoBody) -> Answer {
    params.only(&["limit", "marker"])?;
    done(&asked.service().node_images(&asked.caller, &name, asked.bounds(&params)?).await?)
}
