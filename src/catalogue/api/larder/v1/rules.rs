//! `/larder/v1/rules` and `/larder/v1/rules/{name}`

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
use crate::wire::fleet::{Rule, RuleName};
use http::StatusCode;

pub(super) async fn list(asked: Asked, params: Params, _: NoBody) -> Answer {
    params.only(&["node"])?;
    done(&asked.service().rules(&asked.caller, params.get("node")?).await?)
}

pub(super) async fn put(asked: Asked, Named(name): Named<RuleName>, Sent(rule): Sent<Rule>) -> Answer {
    done(&asked.service().put_rule(&asked.caller, &name, rule).await?)
}

pub(super) async fn delete(asked: Asked, Named(name): Named<RuleName>, _: NoBody) -> Answer {
    asked.service().delete_rule(&asked.caller, &name).await?;
    Ok(reply::bare(StatusCode::NO_CONTENT))
}
