//! Signatures: do agent and nova-compute ask for the same, are the certificates to be had, which bases were never verified.

use super::NovaSays;
use crate::admin::Finding;
use crate::agent::{
    Settings,
    base_dir::Kind,
    lists::{FileId, Lists},
};
use crate::base::chain;
use crate::image::signature::Signatures;
use crate::remote::certificates::Certificates;
use std::fs;

const TOPIC: &str = "signatures";

/// What the options say. Pure.
pub(super) fn agreed(settings: &Settings, nova: &NovaSays) -> Finding {
    let ours = &settings.signatures;
    match (ours.policy(), nova.verifies_signatures) {
        (Signatures::Off, false) => Finding::ok(
            TOPIC,
            "neither nova-compute nor the agent asks for signatures: images are verified by their hashes",
        ),
        (Signatures::Off, true) => Finding::error(
            TOPIC,
            "nova-compute verifies signatures while it downloads, but never those of bases that are there already, and the \
             agent does not verify them",
            "set verify_signatures = nova in agent.conf, or queue only images whose origin you trust",
        ),
        (_, _) if ours.trusted().is_some_and(<[_]>::is_empty) => Finding::error(
            TOPIC,
            "enable_certificate_validation is on, but no certificate is trusted: every signature is refused",
            "name the trusted certificates in [glance] default_trusted_certificate_ids",
        ),
        (Signatures::WhenPresent, true) => Finding::warning(
            TOPIC,
            "nova-compute takes only signed images, but the agent caches others too, and instances start from those",
            "set verify_signatures = required in agent.conf",
        ),
        (policy, _) => {
            let which = if policy == Signatures::Required { "every image" } else { "every image that is signed" };
            let whose = match ours.trusted() {
                Some(ids) => format!("by a certificate that one of {} trusted ones vouches for", ids.len()),
                None => "by any certificate: enable_certificate_validation is off".to_owned(),
            };
            Finding::ok(TOPIC, format!("{which} is verified before it becomes a base, {whose}"))
        }
    }
}

/// Whether certificates are to be had.
pub(super) async fn certificates(settings: &Settings) -> Vec<Finding> {
    const TOPIC: &str = "certificates";
    let ours = &settings.signatures;
    if ours.policy() == Signatures::Off {
        return Vec::new();
    }
    let remedy = "set certificate_directory, or make the key manager of [barbican] reachable for the login in [glance]";
    let certificates = match Certificates::new(&ours.certificates) {
        Ok(certificates) => certificates,
        Err(error) => return vec![Finding::error(TOPIC, chain(&error).to_string(), remedy)],
    };
    if let Err(error) = certificates.probe().await {
        return vec![Finding::error(TOPIC, chain(&error).to_string(), remedy)];
    }
    let mut found = vec![Finding::ok(TOPIC, format!("{} answers", certificates.describe()))];
    for id in ours.trusted().unwrap_or_default() {
        if let Err(error) = certificates.get(id).await {
            found.push(Finding::warning(
                TOPIC,
                format!("the trusted certificate {id} is not usable: {}", chain(&error)),
                "put it there, readable for the agent, or take it out of default_trusted_certificate_ids",
            ));
        }
    }
    found
}

/// Bases that the agent did not verify by a signature, where all must be signed; blocking.
pub(super) fn bases(settings: &Settings) -> Vec<Finding> {
    if settings.signatures.policy() != Signatures::Required {
        return Vec::new();
    }
    let folder = settings.base_dir.instances_path.join(&settings.base_dir.subdirectory_name);
    let lists = settings.pieces_path();
    let lists = if lists.is_dir() { Lists::open(lists).ok() } else { None };
    let signed = |name: &str| {
        let file = FileId::from(&fs::symlink_metadata(folder.join(name)).ok()?);
        lists.as_ref()?.load(name, file).ok().flatten()?.1.signed_by
    };
    let names = fs::read_dir(&folder).ok().into_iter().flatten().flatten();
    let names = names.filter_map(|it| it.file_name().into_string().ok()).filter(|it| Kind::of(it) == Kind::Original);
    let unsigned: Vec<String> = names.filter(|it| signed(it).is_none()).collect();
    if unsigned.is_empty() {
        return Vec::new();
    }
    let count = unsigned.len();
    vec![Finding::warning(
        TOPIC,
        format!(
            "{count} of the bases {} not verified by a signature here, such as {}: nova-compute fetched them, or they are older \
             than the option",
            if count == 1 { "was" } else { "were" },
            unsigned[0]
        ),
        "they are kept, since instances may stand on them; to have one verified, remove it by larder cache \
         delete-cached-image while nothing uses it, and queue its image again",
    )]
}
