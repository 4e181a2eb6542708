//! Data whose hash is known before it comes.

use crate::base::{
    Batcher,
    digest::{Algorithm, Digests},
};
use crate::catalogue::service::BoxError;
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};

/// It is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("the data that came is not that of the image: its {algorithm} is {found}, not {wanted}")]
pub(super) struct WrongHash {
    algorithm: Algorithm,
    found: String,
    wanted: String,
}

/// The same data, which ends with an error unless it has this hash (hex).
pub(super) fn verified(
    mut body: BoxStream<'static, Result<Bytes, BoxError>>,
    (algorithm, wanted): (Algorithm, String),
) -> BoxStream<'static, Result<Bytes, BoxError>> {
    let checked = async_stream::try_stream! {
        let (mut digests, mut batcher) = (Digests::new(&[algorithm]), Batcher::default());
        while let Some(piece) = body.next().await {
            let piece = piece?;
            if let Some(batch) = batcher.push(piece.clone()) {
                digests.update_batch(batch).await;
            }
            yield piece;
        }
        if let Some(last) = batcher.take() {
            digests.update_batch(last).await;
        }
        let sums = digests.finish().await?;
        let found = sums.into_iter().find(|it| it.0 == algorithm).map(|it| it.1).unwrap_or_default();
        if !found.eq_ignore_ascii_case(&wanted) {
            Err(WrongHash { algorithm, found, wanted })?;
        }
    };
    checked.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{TryStreamExt, stream};

    #[tokio::test]
    async fn only_what_has_the_hash_comes_to_its_end() {
        let data = || stream::iter([Ok(Bytes::from_static(b"some ")), Ok(Bytes::from_static(b"data"))]).boxed();
        // printf 'some data' | md5sum
        for (sum, whole) in [("1E50210A0202497FB79BC38B6ADE6C34", true), ("1e50210a0202497fb79bc38b6ade6c35", false)] {
            let read: Result<Vec<Bytes>, _> = verified(data(), (Algorithm::Md5, sum.to_owned())).try_collect().await;
            assert_eq!(read.is_ok(), whole);
            if let Err(error) = read {
                assert!(error.to_string().contains("its md5 is 1e50210a0202497fb79bc38b6ade6c34, not"), "{error}");
            }
        }
    }
}
