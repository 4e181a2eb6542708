//! The HTTP client as the options of the store ask for it.

use super::{filter::Filtering, resolve::Judging};
use crate::store::{OpenError, Settings};
use reqwest::{Certificate, Client, ClientBuilder, Proxy, redirect};
use std::{collections::BTreeMap, fs, time::Duration};
use url::Url;

/// glance_store waits for ever; nobody is helped by that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest silence of a server.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A client of web servers with bounds; it follows no redirect and uses no proxy.
pub fn web_client() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
}

/// The store's own, which connects only where `rules` let it.
pub(super) fn build(settings: &Settings, rules: &Filtering) -> Result<Client, OpenError> {
    let failed = |what: String, source: Option<Box<dyn std::error::Error + Send + Sync>>| OpenError::Options {
        kind: "http",
        what,
        source,
    };
    let mut builder = web_client();
    if let Some(path) = &settings.https_ca_certificates_file {
        let name = path.display();
        let pem = fs::read(path)
            .map_err(|e| failed(format!("https_ca_certificates_file {name} cannot be read"), Some(e.into())))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|e| failed(format!("https_ca_certificates_file {name} is not PEM"), Some(e.into())))?;
        if certificates.is_empty() {
            return Err(failed(format!("https_ca_certificates_file {name} holds no certificate"), None));
        }
        builder = builder.tls_certs_only(certificates);
    } else if settings.https_insecure {
        builder = builder.tls_certs_only([]).tls_danger_accept_invalid_certs(true);
    }
    let proxies = proxies(&settings.http_proxy_information)?;
    let known = proxies.values().filter_map(|it| it.host_str().map(str::to_ascii_lowercase)).collect();
    builder = builder.dns_resolver(Judging::new(rules.clone(), known));
    if !proxies.is_empty() {
        builder = builder.proxy(Proxy::custom(move |url| choose(&proxies, url).cloned()));
    }
    builder.build().map_err(|e| failed("no HTTP client can be made of its options".to_owned(), Some(e.into())))
}

/// The proxies by what they are for: `http`, `https`, `all`, or one of these with `://host`.
fn proxies(written: &BTreeMap<String, String>) -> Result<BTreeMap<String, Url>, OpenError> {
    let parse = |(of, proxy): (&String, &String)| {
        let text = if proxy.contains("://") { proxy.clone() } else { format!("http://{proxy}") };
        match Url::parse(&text) {
            Ok(url) if url.has_host() => Ok((of.clone(), url)),
            _ => Err(OpenError::Options {
                kind: "http",
                what: format!("http_proxy_information: the proxy of {of} is no address"),
                source: None,
            }),
        }
    };
    written.iter().map(parse).collect()
}

/// The nearest one, as Python's requests chooses.
fn choose<'a>(proxies: &'a BTreeMap<String, Url>, url: &Url) -> Option<&'a Url> {
    let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
    [format!("{scheme}://{host}"), scheme.to_owned(), format!("all://{host}"), "all".to_owned()]
        .iter()
        .find_map(|it| proxies.get(it))
}
