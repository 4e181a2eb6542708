//! Having the catalogue read the copies of an image.

use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteError};
use crate::wire::verify::VerifiedCopy;
use std::time::Duration;
use tokio::time::timeout;

/// A catalogue that is silent for so long is dead: it says each second how far it is.
const SILENCE: Duration = Duration::from_secs(60);

/// Bytes of a line at the most.
const MAX_LINE: usize = 64 << 10;

impl Catalogue {
    /// Has every copy of an image's data read and compared; `tell` hears how far it is, and what came out.
    ///
    /// # Errors
    /// [`RemoteError`]; the status is 404 also from a Glance, which cannot do this.
    pub async fn verify(&self, id: &ImageId, mut tell: impl FnMut(VerifiedCopy)) -> Result<(), RemoteError> {
        let (doing, path) = (format!("verifying image {id}"), format!("/larder/v1/images/{id}/verify"));
        // Silence counts by the measure of this, not by that of calls.
        let client = &self.session.transport.uploads;
        let (call, response) = self.session.call(&doing, &path, |_, url| client.post(url)).await?;
        let mut response = call.check(response).await?;
        let mut line = Vec::new();
        loop {
            let chunk = timeout(SILENCE, response.chunk()).await.map_err(|_| call.silence(SILENCE))?;
            let Some(chunk) = chunk.map_err(|error| call.transport(error))? else { break };
            for byte in chunk {
                match byte {
                    b'\n' => {
                        let copy = serde_json::from_slice(&line);
                        tell(
                            copy.map_err(|error| call.malformed(format!("it is no line of a verification: {error}")))?,
                        );
                        line.clear();
                    }
                    _ if line.len() == MAX_LINE => return Err(call.malformed("a line of it never ends")),
                    byte => line.push(byte),
                }
            }
        }
        if line.is_empty() { Ok(()) } else { Err(call.malformed("it ends within a line")) }
    }
}
