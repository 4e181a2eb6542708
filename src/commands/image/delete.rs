//! `larder image delete`.

use super::{args::DeleteArgs, parse_id};
use crate::remote::Catalogue;

pub(super) async fn run(catalogue: &Catalogue, args: &DeleteArgs) -> anyhow::Result<bool> {
    let mut all = true;
    for text in &args.ids {
        let deleted = match parse_id(text) {
            Ok(id) => catalogue.delete(&id).await.map_err(anyhow::Error::from),
            Err(error) => Err(error),
        };
        if let Err(error) = deleted {
            eprintln!("larder: {error:#}");
            all = false;
        }
    }
    Ok(all)
}
