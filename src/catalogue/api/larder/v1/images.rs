//! `/larder/v1/images/{image}/nodes`

use crate::catalogue::api::{
    extract::NoBody,
    larder::{
        asked::Asked,
        body::done,
        params::{Named, Params},
    },
    state::Answer,
};
use crate::image::ImageId;

pub(super) async fn nodes(asked: Asked, Named(image): Named<ImageId>, params: Params, _: NoBody) -> Answer {
    params.only(&["limit", "marker"])?;
    done(&asked.service().image_nodes(&asked.caller, &image, asked.bounds(&params)?).await?)
}
