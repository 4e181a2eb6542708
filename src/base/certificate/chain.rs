//! Whether trusted certificates vouch for one, by the rules of OpenStack's `cursive.certificate_utils`: everything from the
//! certificate's issuer up to a root that signs itself must be among the trusted ones.

use super::Certificate;
use chrono::{DateTime, SecondsFormat, Utc};

/// A certificate that is trusted to sign others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Its id at the key manager, for messages.
    pub id: String,
    /// Itself.
    pub certificate: Certificate,
}

/// Why a certificate is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Its time has not come.
    #[error("it is valid only from {} on", shown(*from))]
    Early {
        /// The first second of its validity.
        from: DateTime<Utc>,
    },
    /// Its time is over.
    #[error("it was valid only until {}", shown(*until))]
    Expired {
        /// The last second of its validity.
        until: DateTime<Utc>,
    },
    /// No trusted certificate leads to it.
    #[error(
        "no chain of trusted certificates leads to it: its issuer is {issuer}{}",
        if unusable.is_empty() { String::new() } else { format!("; not counted were {}", unusable.join(", ")) }
    )]
    Untrusted {
        /// The issuer that it names.
        issuer: String,
        /// Trusted certificates that can't vouch for others, each with the reason.
        unusable: Vec<String>,
    },
}

/// Longest chain that is followed.
const LONGEST: usize = 10;
/// Most signatures that are looked at, however many trusted certificates bear one name.
const MOST: u32 = 1000;

/// Whether `certificate` is valid at `now`, and trusted.
///
/// # Errors
/// [`ChainError`] says what stands against it.
pub fn check_chain(certificate: &Certificate, anchors: &[Anchor], now: DateTime<Utc>) -> Result<(), ChainError> {
    if now < certificate.not_before() {
        return Err(ChainError::Early { from: certificate.not_before() });
    }
    if now > certificate.not_after() {
        return Err(ChainError::Expired { until: certificate.not_after() });
    }
    let (mut signers, mut unusable) = (Vec::new(), Vec::new());
    for anchor in anchors {
        let it = &anchor.certificate;
        if now < it.not_before() || now > it.not_after() {
            unusable.push(format!("{} (not valid at this time)", anchor.id));
        } else if it.is_authority() {
            signers.push(it);
        } else {
            unusable.push(format!("{} (not marked as an authority that signs certificates)", anchor.id));
        }
    }
    let mut left = MOST;
    if leads_up(certificate, &signers, 0, &mut left) {
        return Ok(());
    }
    Err(ChainError::Untrusted { issuer: certificate.issuer(), unusable })
}

/// `height`: how many certificates stand below this one in the chain; `left`: signatures that may still be looked at.
fn leads_up(certificate: &Certificate, signers: &[&Certificate], height: usize, left: &mut u32) -> bool {
    if certificate.is_self_issued() && signers.contains(&certificate) {
        return true;
    }
    if height >= LONGEST {
        return false;
    }
    for signer in signers.iter().filter(|it| **it != certificate) {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        // The last certificate of the chain does not count.
        let fits = signer.longest_path().is_none_or(|longest| longest >= height);
        if fits && signer.has_issued(certificate) && leads_up(signer, signers, height + 1, left) {
            return true;
        }
    }
    false
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
