//! One bucket: what opendal does in it, and the few requests about uploads in parts and about the bucket itself that opendal
//! has not, signed by its own signer.

use super::{address::Server, fault, settings::Checksums, settings::S3Settings, transport::Patient};
use crate::base::Secret;
use crate::store::OpenError;
use http::{Method, Request, StatusCode, header};
use opendal::{Buffer, HttpTransporter, OperationContext, Operator, services::S3};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqsign_aws_v4::{Credential, RequestSigner, StaticCredentialProvider};
use reqsign_core::{Context, Signer};
use reqwest::{Certificate, Client};
use std::{fs, path::Path, sync::Arc, time::Duration};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// All but what SigV4 leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How requests get to the server; clones share connections.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) server: Arc<Server>,
    transport: HttpTransporter,
    signer: Signer<Credential>,
    keys: Arc<(Secret, Secret)>,
    /// Parts and objects carry checksums.
    checksums: bool,
}

/// A bucket on a server.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) op: Operator,
    wire: Wire,
}

/// What a request about a bucket came to.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

// === impl Wire ===

impl Wire {
    /// Reads `s3_store_cacert`. Blocking.
    pub(super) fn open(settings: &S3Settings, server: Server) -> Result<Self, OpenError> {
        let client = client(settings.cacert.as_deref())?;
        let (access, secret) = (settings.access_key.expose(), settings.secret_key.expose());
        let provider = StaticCredentialProvider::new(access, secret);
        let signer = Signer::new(Context::new(), provider, RequestSigner::new("s3", &server.region));
        Ok(Self {
            server: Arc::new(server),
            transport: HttpTransporter::new(Patient::new(client)),
            signer,
            keys: Arc::new((settings.access_key.clone(), settings.secret_key.clone())),
            checksums: settings.enable_data_integrity_protection
                && settings.request_checksum_calculation == Checksums::WhenSupported,
        })
    }

    /// # Errors
    /// What opendal says of the options.
    pub(super) fn bucket(&self, name: &str) -> opendal::Result<Bucket> {
        let mut service = S3::default()
            .bucket(name)
            .endpoint(&self.server.endpoint)
            .region(&self.server.region)
            .access_key_id(self.keys.0.expose())
            .secret_access_key(self.keys.1.expose())
            .disable_config_load()
            .disable_ec2_metadata();
        if self.server.is_virtual {
            service = service.enable_virtual_host_style();
        }
        if self.checksums {
            service = service.checksum_algorithm("crc32c");
        }
        let context = OperationContext::new().with_http_transport(self.transport.clone());
        let op = Operator::new(service)?.with_context(context);
        Ok(Bucket { name: name.to_owned(), op, wire: self.clone() })
    }
}

/// The HTTP client as the options ask for it.
fn client(cacert: Option<&Path>) -> Result<Client, OpenError> {
    let failed = |what: String, source: Option<Box<dyn std::error::Error + Send + Sync>>| OpenError::Options {
        kind: "s3",
        what,
        source,
    };
    let mut builder = Client::builder()
        .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::limited(3));
    if let Some(path) = cacert {
        let name = path.display();
        let pem =
            fs::read(path).map_err(|e| failed(format!("s3_store_cacert {name} cannot be read"), Some(e.into())))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|e| failed(format!("s3_store_cacert {name} is not PEM"), Some(e.into())))?;
        if certificates.is_empty() {
            return Err(failed(format!("s3_store_cacert {name} holds no certificate"), None));
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|e| failed("no HTTP client can be made of its options".to_owned(), Some(e.into())))
}

// === impl Bucket ===

impl Bucket {
    /// Its location URL of an object.
    pub(super) fn url(&self, key: &str) -> String {
        self.wire.server.url(&self.name, key)
    }

    /// Where the server is, for messages.
    pub(super) fn endpoint(&self) -> &str {
        &self.wire.server.endpoint
    }

    /// Asks for the bucket itself, or for the object `key` in it; `query` stands as it is.
    ///
    /// # Errors
    /// There is no answer: why.
    pub(super) async fn ask(
        &self,
        method: Method,
        key: Option<&str>,
        query: &str,
        body: String,
    ) -> Result<Answer, String> {
        let mut url = self.wire.server.bucket_url(&self.name);
        if let Some(key) = key {
            url.push('/');
            url.extend(utf8_percent_encode(key, ENCODED));
        }
        if !query.is_empty() {
            url.push('?');
            url.push_str(query);
        }
        let request = Request::builder().method(method).uri(url).header(header::CONTENT_LENGTH, body.len());
        let (mut head, ()) = request.body(()).map_err(|e| e.to_string())?.into_parts();
        self.wire.signer.sign(&mut head, None).await.map_err(|e| e.to_string())?;
        let request = Request::from_parts(head, Buffer::from(body));
        let answer = self.wire.transport.send(request).await.map_err(|e| fault::words(&e))?;
        Ok(Answer { status: answer.status(), body: answer.body().to_vec() })
    }

    /// Makes it, in the region of the options.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(super) async fn create(&self) -> Result<(), String> {
        let region = &self.wire.server.region;
        // us-east-1 is what S3 calls no region; it may not be named.
        let body = if region == "us-east-1" {
            String::new()
        } else {
            format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            )
        };
        let answer = self.ask(Method::PUT, None, "", body).await?;
        // Another one may have made it meanwhile.
        let is_there = || answer.text().contains("BucketAlreadyOwnedByYou");
        if answer.status.is_success() || is_there() { Ok(()) } else { Err(answer.words()) }
    }
}

/// A word in a query.
pub(super) fn encoded(word: &str) -> String {
    utf8_percent_encode(word, ENCODED).to_string()
}

// === impl Answer ===

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The status, and S3's code for what is wrong.
    pub(super) fn words(&self) -> String {
        let text = self.text();
        let code = text.split_once("<Code>").and_then(|it| it.1.split_once("</Code>")).map_or("", |it| it.0);
        format!("the server answers {} {}", self.status.as_u16(), code.chars().take(80).collect::<String>())
            .trim_end()
            .to_owned()
    }
}
