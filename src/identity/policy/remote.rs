//! Checks that another server answers: `http://host/path/%(attribute)s`, and the same with `https`.
//!
//! ```text
//! rule, target, credentials ── POST ─→ server ─→ True: allowed; anything else, and no answer: denied
//! ```
//!
//! Rules are judged where nobody can wait asynchronously. So a thread of its own asks, and the judging thread waits for
//! it; a worker of the runtime hands its other work on first. Where nobody may wait at all, the question is put off
//! ([`super::later`]). What was answered holds for the rest of the request, and a server that fails is not asked again by
//! the same request.

use crate::base::chain;
use crate::identity::policy::{ContentType, RemoteSettings, later};
use reqwest::{Certificate, Client, Identity, Response, header, redirect};
use std::{
    collections::HashMap,
    error::Error,
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc as std_mpsc,
    },
    thread,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle, RuntimeFlavor},
    sync::{OnceCell, mpsc},
    task::block_in_place,
};
use tracing::error;

/// Most questions under way at a time; each holds a thread.
const MOST: usize = 64;

/// Longest answer that is read, bytes.
const MAX_ANSWER: usize = 4096;

/// What the thread that asks has beyond the timeout before it counts as lost.
const GRACE: Duration = Duration::from_secs(5);

type BoxError = Box<dyn Error + Send + Sync>;

/// What other servers have answered during one request. Clones are one.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    given: HashMap<Question, bool>,
    /// Servers that did not answer.
    failed: Vec<String>,
}

/// What is asked: parts are JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) url: String,
    pub(super) rule: String,
    pub(super) target: String,
    pub(super) credentials: String,
}

/// The thread that asks; it begins with the first question.
pub(super) struct Remote {
    settings: RemoteSettings,
    asking: OnceLock<mpsc::Sender<Asked>>,
    waiting: AtomicUsize,
}

struct Asked {
    question: Question,
    answer: std_mpsc::SyncSender<Result<bool, BoxError>>,
}

// === impl Answers ===

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

/// Callers are the same whatever was asked about them.
impl PartialEq for Answers {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Answers {}

// === impl Remote ===

impl Remote {
    pub(super) fn new(settings: RemoteSettings) -> Self {
        Self { settings, asking: OnceLock::new(), waiting: AtomicUsize::new(0) }
    }

    /// Whether the server says `True`. Waits for it, at most `remote_timeout`; what fails is logged, and denies. So does
    /// what may not be asked now.
    pub(super) fn allows(&self, question: Question, answers: &Answers) -> bool {
        let server = server(&question.url);
        {
            let known = answers.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(answer) = known.given.get(&question) {
                return *answer;
            }
            if known.failed.contains(&server) {
                return false;
            }
        }
        if later::put_off(&question) {
            return false;
        }
        let outcome = self.ask(&question);
        let mut known = answers.0.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(answer) => {
                known.given.insert(question, answer);
                answer
            }
            Err(error) => {
                let (rule, error) = (question.rule.trim_matches('"'), chain(&*error));
                error!(rule, server, %error, "denied, as the server that the policy names does not answer");
                known.failed.push(server);
                false
            }
        }
    }

    fn ask(&self, question: &Question) -> Result<bool, BoxError> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let outcome = if before < MOST {
            match Handle::try_current().map(|it| it.runtime_flavor()) {
                // A worker: its other tasks go to another thread. (On a thread that may wait, this does nothing.)
                Ok(RuntimeFlavor::MultiThread) => block_in_place(|| self.wait(question)),
                _ => self.wait(question),
            }
        } else {
            Err(format!("{MOST} questions are under way already").into())
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        outcome
    }

    fn wait(&self, question: &Question) -> Result<bool, BoxError> {
        let (answer, outcome) = std_mpsc::sync_channel(1);
        let asked = Asked { question: question.clone(), answer };
        self.asking.get_or_init(|| start(self.settings.clone())).try_send(asked).map_err(|_| "nobody asks")?;
        outcome.recv_timeout(self.settings.timeout.saturating_add(GRACE)).map_err(|_| "nobody has asked")?
    }
}

/// The thread ends when nobody can ask it any more.
fn start(settings: RemoteSettings) -> mpsc::Sender<Asked> {
    let (sender, mut questions) = mpsc::channel::<Asked>(MOST);
    let ask_all = move || {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return error!(%error, "no server can be asked what the policy allows"),
        };
        runtime.block_on(async {
            let asker = Arc::new(Asker { settings, client: OnceCell::new() });
            while let Some(asked) = questions.recv().await {
                let asker = Arc::clone(&asker);
                tokio::spawn(async move {
                    // Who asked may have gone.
                    let _ = asked.answer.try_send(asker.ask(&asked.question).await);
                });
            }
        });
    };
    if let Err(error) = thread::Builder::new().name("policy".to_owned()).spawn(ask_all) {
        error!(%error, "no server can be asked what the policy allows");
    }
    sender
}

struct Asker {
    settings: RemoteSettings,
    client: OnceCell<Client>,
}

// === impl Asker ===

impl Asker {
    async fn ask(&self, question: &Question) -> Result<bool, BoxError> {
        let answer = async {
            let client = self.client.get_or_try_init(|| async { client(&self.settings) }).await?;
            let (kind, body) = body(self.settings.content_type, question);
            let request = client.post(&question.url).header(header::CONTENT_TYPE, kind).body(body);
            is_true(request.send().await.map_err(reqwest::Error::without_url)?).await
        };
        let timeout = self.settings.timeout;
        tokio::time::timeout(timeout, answer).await.map_err(|_| format!("no answer within {timeout:?}"))?
    }
}

/// With or without quotation marks around it, whatever the status (oslo.policy's rule).
async fn is_true(mut response: Response) -> Result<bool, BoxError> {
    let mut text = Vec::new();
    while let Some(part) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        text.extend_from_slice(&part);
        if text.len() > MAX_ANSWER {
            return Err(format!("the answer is longer than {MAX_ANSWER} bytes").into());
        }
    }
    Ok(str::from_utf8(&text).is_ok_and(|it| it.trim_matches('"') == "True"))
}

fn body(kind: ContentType, it: &Question) -> (&'static str, String) {
    let parts = [("rule", &it.rule), ("target", &it.target), ("credentials", &it.credentials)];
    let body = match kind {
        ContentType::Form => url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parts).finish(),
        ContentType::Json => {
            let [rule, target, credentials] = parts.map(|it| it.1);
            format!(r#"{{"rule": {rule}, "target": {target}, "credentials": {credentials}}}"#)
        }
    };
    (kind.as_str(), body)
}

/// Blocks for files, on a thread of its own.
fn client(settings: &RemoteSettings) -> Result<Client, BoxError> {
    let client = builder(settings)?.build();
    match client {
        Ok(client) => Ok(client),
        // A bare machine has no authorities, and may need none.
        Err(_) if !settings.verify_server => Ok(builder(settings)?.tls_certs_only([]).build()?),
        Err(error) => Err(error.into()),
    }
}

fn builder(settings: &RemoteSettings) -> Result<reqwest::ClientBuilder, BoxError> {
    let mut builder = Client::builder()
        .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
        .pool_idle_timeout(Duration::from_secs(30))
        // Where else what is known of the caller may go, the policy does not say.
        .redirect(redirect::Policy::none());
    if !settings.verify_server {
        builder = builder.tls_danger_accept_invalid_certs(true);
    } else if let Some(path) = &settings.ca_file {
        let wrong = |it| format!("remote_ssl_ca_crt_file {} is not a certificate in PEM: {it}", path.display());
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&read(path)?).map_err(wrong)?);
    }
    if let Some(path) = &settings.client_cert_file {
        let mut pem = read(path)?;
        if let Some(path) = &settings.client_key_file {
            pem.push(b'\n');
            pem.extend(read(path)?);
        }
        let wrong = |it| format!("remote_ssl_client_crt_file {} is not a certificate and a key: {it}", path.display());
        builder = builder.identity(Identity::from_pem(&pem).map_err(wrong)?);
    }
    Ok(builder)
}

fn read(path: &Path) -> Result<Vec<u8>, BoxError> {
    std::fs::read(path).map_err(|it| format!("{} cannot be read: {it}", path.display()).into())
}

/// Of a URL, without what may be secret.
fn server(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| "a URL that makes no sense".to_owned(), |it| it.origin().ascii_serialization())
}
