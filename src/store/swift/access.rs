//! The token of an account: got when it is needed first, renewed before its end, and once more when it is refused.
//!
//! ```text
//! login ─→ token is good ─→ it ends soon (swift_store_expire_soon_interval): whoever comes first gets the next one,
//!   ↑                             │           all others go on with it; so do all while Keystone is away
//!   └── refused (401), or over ───┘
//! ```

use super::{
    accounts::Version,
    fault::Fault,
    login::{self, Fresh},
    wire::{ANSWER, Session, attempts},
};
use http::HeaderValue;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Mutex as Turn,
    time::{Instant, timeout},
};

/// The longest wait for a login while the token at hand is still good.
const RENEWAL: Duration = Duration::from_secs(10);

/// The pause after a renewal that failed.
const NEXT_RENEWAL: Duration = Duration::from_secs(5);

/// How long before its end a token is renewed at the least: a request, and the server's look at its token, take a while.
const LEAST_MARGIN: Duration = Duration::from_secs(10);

/// What a request needs.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) token: HeaderValue,
    /// The account's URL, without a slash at its end.
    pub(super) storage: String,
    /// From when on another token is wanted, and the end of this one; none where the server tells no end.
    term: Option<(Instant, Instant)>,
}

/// The token at hand, and the way to the next.
pub(super) struct Tokens {
    known: Mutex<Option<Access>>,
    /// Held during a login, so that there is one at a time; when the last one failed, and why.
    turn: Turn<Option<(Instant, Fault)>>,
    /// How long before its end a token is renewed.
    margin: Duration,
}

/// What the token at hand is good for.
enum Known {
    Good(Access),
    /// Good, and to be renewed.
    Ending(Access),
    Nothing,
}

// === impl Tokens ===

impl Tokens {
    pub(super) fn new(margin: Duration) -> Self {
        Self { known: Mutex::default(), turn: Turn::default(), margin: margin.max(LEAST_MARGIN) }
    }

    /// The one at hand, unless it is over, or the server has refused it.
    fn known(&self, refused: Option<&Access>, now: Instant) -> Known {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |it: &Access| {
            let refused = refused.is_some_and(|refused| refused.token == it.token);
            refused || it.term.is_some_and(|(_, end)| end <= now)
        };
        if known.as_ref().is_some_and(over) {
            *known = None;
        }
        match &*known {
            None => Known::Nothing,
            Some(it) if it.term.is_some_and(|(renewal, _)| renewal <= now) => Known::Ending(it.clone()),
            Some(it) => Known::Good(it.clone()),
        }
    }

    /// Keeps what a login gave that was asked for at `asked`.
    fn keep(&self, fresh: Fresh, asked: Instant) -> Access {
        let term = fresh.life.and_then(|life| {
            // Of a short life at most half is given away.
            let renewal = asked.checked_add(life - self.margin.min(life / 2))?;
            Some((renewal, asked.checked_add(life)?))
        });
        let access = Access { token: fresh.token, storage: fresh.storage, term };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(access.clone());
        access
    }

    /// Nobody tries to renew this token for some time.
    fn postpone(&self, access: &Access, now: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Access { token, term: Some((renewal, _)), .. }) = &mut *known
            && *token == access.token
        {
            *renewal = now + NEXT_RENEWAL;
        }
    }
}

// === impl Session ===

impl Session {
    /// What to ask with; in place of what the server has `refused`, something new. Who comes during a login waits for it, and
    /// shares its failure.
    pub(super) async fn access(&self, refused: Option<&Access>) -> Result<Access, Fault> {
        let came = Instant::now();
        match self.tokens.known(refused, came) {
            Known::Good(access) => return Ok(access),
            Known::Ending(access) => return Ok(self.renewed(access).await),
            Known::Nothing => {}
        }
        let mut failed = self.tokens.turn.lock().await;
        if let Known::Good(access) | Known::Ending(access) = self.tokens.known(refused, Instant::now()) {
            return Ok(access);
        }
        if let Some((_, fault)) = failed.as_ref().filter(|it| came <= it.0) {
            return Err(fault.clone());
        }
        let fresh = attempts(async || {
            let asked = Instant::now();
            Ok((self.log_in(ANSWER).await?, asked))
        });
        match fresh.await {
            Ok((fresh, asked)) => Ok(self.tokens.keep(fresh, asked)),
            Err(fault) => {
                let fault = fault.at_login(&self.account.address);
                *failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    /// A new token in place of one that ends soon; this one where that fails, or somebody is at it.
    async fn renewed(&self, access: Access) -> Access {
        let Ok(_turn) = self.tokens.turn.try_lock() else { return access };
        if let Known::Good(access) = self.tokens.known(None, Instant::now()) {
            return access;
        }
        let asked = Instant::now();
        match self.log_in(RENEWAL).await {
            Ok(fresh) => self.tokens.keep(fresh, asked),
            Err(fault) => {
                self.tokens.postpone(&access, Instant::now());
                let (auth, error) = (&self.account.address, fault.words());
                tracing::warn!(auth, error, "the token for Swift ends soon, and there is no new one as yet");
                access
            }
        }
    }

    async fn log_in(&self, limit: Duration) -> Result<Fresh, Fault> {
        let answer = timeout(limit, async {
            match self.account.version {
                Version::V1 => login::first(&self.client, &self.account, &self.endpoints).await,
                Version::V3 => login::keystone(&self.client, &self.account, &self.endpoints).await,
            }
        });
        let fresh = answer.await.unwrap_or_else(|_| Err(Fault::new("there is no answer")))?;
        let life_s = fresh.life.map(|it| it.as_secs());
        tracing::debug!(auth = self.account.address, storage = fresh.storage, life_s, "logged in for Swift");
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(token: &'static str, life: Option<u64>) -> Fresh {
        let token = HeaderValue::from_static(token);
        Fresh { token, storage: "http://s/v1/AUTH_x".to_owned(), life: life.map(Duration::from_secs) }
    }

    fn tell(tokens: &Tokens, refused: Option<&Access>, now: Instant) -> String {
        let (word, access) = match tokens.known(refused, now) {
            Known::Good(it) => ("good", it),
            Known::Ending(it) => ("ending", it),
            Known::Nothing => return "nothing".to_owned(),
        };
        format!("{} {word}", access.token.to_str().unwrap())
    }

    #[test]
    fn a_token_is_renewed_before_its_end_and_not_used_after_it() {
        let (tokens, start) = (Tokens::new(Duration::from_secs(60)), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(tell(&tokens, None, start), "nothing");
        let one = tokens.keep(fresh("one", Some(3600)), start);
        for (seconds, word) in
            [(3539, "one good"), (3540, "one ending"), (3599, "one ending"), (3600, "nothing"), (3600, "nothing")]
        {
            assert_eq!(tell(&tokens, None, at(seconds)), word);
        }
        // Of a short life, half.
        tokens.keep(fresh("two", Some(8)), at(4000));
        for (seconds, word) in [(4003, "two good"), (4004, "two ending"), (4008, "nothing")] {
            assert_eq!(tell(&tokens, None, at(seconds)), word);
        }
        // However late it is wanted.
        let late = Tokens::new(Duration::ZERO);
        late.keep(fresh("late", Some(3600)), start);
        assert_eq!(
            (tell(&late, None, at(3589)), tell(&late, None, at(3590))),
            ("late good".to_owned(), "late ending".to_owned())
        );
        // One that has no end, and was refused to somebody before it was there.
        let three = tokens.keep(fresh("three", None), at(5000));
        assert_eq!(tell(&tokens, Some(&one), at(1 << 30)), "three good");
        assert_eq!(tell(&tokens, Some(&three), at(1 << 30)), "nothing");
        assert_eq!(tell(&tokens, None, at(1 << 30)), "nothing");
    }

    #[test]
    fn a_renewal_that_failed_is_not_tried_at_once() {
        let (tokens, start) = (Tokens::new(Duration::from_secs(60)), Instant::now());
        let late = start + Duration::from_secs(545);
        let one = tokens.keep(fresh("one", Some(600)), start);
        assert_eq!(tell(&tokens, None, late), "one ending");
        tokens.postpone(&one, late);
        assert_eq!(tell(&tokens, None, late), "one good");
        assert_eq!(tell(&tokens, None, late + NEXT_RENEWAL), "one ending");
    }
}
