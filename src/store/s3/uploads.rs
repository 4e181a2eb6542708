//! Uploads in parts that were begun and neither completed nor aborted: they take room, and no list of objects shows them.

use super::bucket::{Answer, Bucket, encoded};
use crate::image::ImageId;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, StatusCode};
use serde::Deserialize;

/// Pages of a list at the most; one has up to 1000 entries.
const PAGES: usize = 100;

/// For how long nothing was added to an upload that counts as dead.
const DEAD: TimeDelta = TimeDelta::days(1);

/// An upload in parts.
#[derive(Debug, Deserialize)]
struct Upload {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    #[serde(rename = "Initiated")]
    initiated: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
struct UploadsPage {
    #[serde(rename = "Upload", default)]
    uploads: Vec<Upload>,
    #[serde(rename = "IsTruncated", default)]
    is_truncated: bool,
    #[serde(rename = "NextKeyMarker", default)]
    next_key: String,
    #[serde(rename = "NextUploadIdMarker", default)]
    next_id: String,
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "LastModified")]
    modified: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct PartsPage {
    #[serde(rename = "Part", default)]
    parts: Vec<Part>,
    #[serde(rename = "IsTruncated", default)]
    is_truncated: bool,
    #[serde(rename = "NextPartNumberMarker", default)]
    next: String,
}

// === impl Bucket ===

impl Bucket {
    /// Aborts all uploads of this object; how many there were.
    ///
    /// # Errors
    /// What the server said.
    pub(super) async fn abort_all(&self, key: &str) -> Result<usize, String> {
        let mut aborted = 0;
        for upload in self.uploads(key).await?.into_iter().filter(|it| it.key == key) {
            self.abort(&upload).await?;
            aborted += 1;
        }
        Ok(aborted)
    }

    /// Aborts the uploads of images to which nothing was added for a day, whoever began them.
    ///
    /// # Errors
    /// What the server said.
    pub(super) async fn abort_dead(&self, now: DateTime<Utc>) -> Result<usize, String> {
        let mut aborted = 0;
        let is_old = |it: &DateTime<Utc>| now - *it > DEAD;
        for upload in self.uploads("").await? {
            // What is no image is somebody else's.
            if upload.key.parse::<ImageId>().is_err() || !upload.initiated.as_ref().is_some_and(is_old) {
                continue;
            }
            if self.last_part(&upload).await?.as_ref().is_none_or(is_old) {
                self.abort(&upload).await?;
                aborted += 1;
            }
        }
        Ok(aborted)
    }

    /// The uploads of the objects whose names begin so.
    async fn uploads(&self, prefix: &str) -> Result<Vec<Upload>, String> {
        let (mut found, mut from) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let query = format!("prefix={}{from}&uploads=", encoded(prefix));
            let answer = self.ask(Method::GET, None, &query, String::new()).await?;
            let page: UploadsPage = answer.read()?;
            found.extend(page.uploads);
            if !page.is_truncated {
                break;
            }
            from = format!("&key-marker={}&upload-id-marker={}", encoded(&page.next_key), encoded(&page.next_id));
        }
        Ok(found)
    }

    /// When the newest part came; none without parts.
    async fn last_part(&self, upload: &Upload) -> Result<Option<DateTime<Utc>>, String> {
        let (mut newest, mut from) = (None, String::new());
        for _ in 0..PAGES {
            let query = format!("{from}uploadId={}", encoded(&upload.id));
            let answer = self.ask(Method::GET, Some(&upload.key), &query, String::new()).await?;
            if answer.status == StatusCode::NOT_FOUND {
                break;
            }
            let page: PartsPage = answer.read()?;
            newest = page.parts.iter().map(|it| it.modified).max().max(newest);
            if !page.is_truncated {
                break;
            }
            from = format!("part-number-marker={}&", encoded(&page.next));
        }
        Ok(newest)
    }

    async fn abort(&self, upload: &Upload) -> Result<(), String> {
        let query = format!("uploadId={}", encoded(&upload.id));
        let answer = self.ask(Method::DELETE, Some(&upload.key), &query, String::new()).await?;
        // It may have ended by itself meanwhile.
        if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND { Ok(()) } else { Err(answer.words()) }
    }
}

// === impl Answer ===

impl Answer {
    fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, String> {
        if !self.status.is_success() {
            return Err(self.words());
        }
        quick_xml::de::from_reader(&self.body[..]).map_err(|e| format!("the server's answer is not S3's: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_servers_are_read() {
        let answer = |text: &str| Answer { status: StatusCode::OK, body: text.as_bytes().to_vec() };
        let page: UploadsPage = answer(
            "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>b</Bucket>\
             <NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>2~x</NextUploadIdMarker><MaxUploads>2</MaxUploads>\
             <IsTruncated>true</IsTruncated><Upload><Key>k</Key><UploadId>2~x</UploadId><Initiator><ID>a</ID></Initiator>\
             <Initiated>2026-11-20T10:00:00.000Z</Initiated></Upload><Upload><Key>l</Key><UploadId>2~y</UploadId>\
             <Initiated>2026-11-20T10:00:00Z</Initiated></Upload></ListMultipartUploadsResult>",
        )
        .read()
        .unwrap();
        assert!(page.is_truncated && page.uploads.len() == 2 && page.uploads[1].id == "2~y", "{page:?}");
        assert_eq!(page.uploads[0].initiated, page.uploads[1].initiated);
        let none: UploadsPage =
            answer("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>")
                .read()
                .unwrap();
        assert!(none.uploads.is_empty() && !none.is_truncated);
        assert!(answer("<html>").read::<UploadsPage>().is_err());
        let denied =
            Answer { status: StatusCode::FORBIDDEN, body: b"<Error><Code>AccessDenied</Code></Error>".to_vec() };
        assert_eq!(denied.read::<UploadsPage>().unwrap_err(), "the server answers 403 AccessDenied");
    }
}
