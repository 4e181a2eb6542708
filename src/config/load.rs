//! The configuration of each program.

#[cfg(feature = "agent")]
use super::{Agent, nova::Nova};
#[cfg(feature = "catalogue")]
use super::{Catalogue, notes::of_backend};
use super::{
    ConfigError, Note, Sources,
    notes::unknown,
    options::{Visitor, describe, read},
    sample::sample,
    sources::Found,
};
use std::path::PathBuf;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded<S> {
    /// What it says.
    pub settings: S,
    /// What an operator should hear about it, once the log runs.
    pub notes: Vec<Note>,
    /// The files that were read, in that order.
    pub files: Vec<PathBuf>,
}

/// The catalogue's configuration. Options of Glance that Larder does not use are one remark, not many warnings.
///
/// # Errors
/// [`ConfigError`]: a file can't be read, or values are wrong.
#[cfg(feature = "catalogue")]
pub fn catalogue(sources: &Sources) -> Result<Loaded<Catalogue>, ConfigError> {
    let found = sources.gather()?.with_auth_sections(&super::identity::LOGINS, &super::identity::LOGIN);
    let mut loaded = load(super::catalogue::visit, Catalogue::default(), found, true)?;
    let folders = loaded.files.iter().filter_map(|it| it.parent()).map(Into::into).collect();
    super::identity::finish(&mut loaded.settings, folders);
    loaded.settings.finish_notifications()?;
    loaded.settings.settings.staging_folder = loaded.settings.staging_folder();
    loaded.settings.finish_key_manager();
    if let Some(id) = loaded.settings.main_backend()? {
        let mut backends = loaded.settings.plain_backends();
        for it in backends.iter_mut().filter(|it| crate::store::BUILT.contains(&it.kind())) {
            // The store's own section has the names of [glance_store].
            let found = sources.gather()?.with_section_as(&it.id, "glance_store");
            let (described, _) = read(super::catalogue::backend, it, &found).map_err(ConfigError::Invalid)?;
            of_backend(&mut loaded.notes, &it.id, &described);
        }
        let store = &mut loaded.settings.settings.store;
        (store.backends, store.default_backend) = (backends, id);
    }
    Ok(loaded)
}

/// The agent's configuration: nova's files first, then its own.
///
/// # Errors
/// [`ConfigError`]: a file can't be read, or values are wrong.
#[cfg(feature = "agent")]
pub fn agent(sources: &Sources, nova_files: &[PathBuf]) -> Result<Loaded<Agent>, ConfigError> {
    let nova = Sources { optional_files: nova_files.to_vec(), ..Sources::default() }.gather()?;
    let mut shared = Nova::over(Agent::default());
    read(super::nova::visit, &mut shared, &nova).map_err(ConfigError::Invalid)?;
    let mut found = sources.gather()?;
    let rules = super::rules::take(&mut found);
    let mut loaded = match (rules, load(super::agent::visit, shared.into_agent(), found, false)) {
        (Ok((rules, notes)), Ok(mut loaded)) => {
            loaded.settings.settings.prefetch_rules = rules;
            loaded.notes.extend(notes);
            loaded
        }
        // All that is wrong is told together.
        (Err(wrong), Err(ConfigError::Invalid(others))) => {
            return Err(ConfigError::Invalid(super::Problems(others.0.into_iter().chain(wrong.0).collect())));
        }
        (_, Err(error)) => return Err(error),
        (Err(wrong), Ok(_)) => return Err(ConfigError::Invalid(wrong)),
    };
    loaded.settings = loaded.settings.finish().map_err(|(section, source)| ConfigError::Login { section, source })?;
    loaded.settings.nova.files.clone_from(&nova.files);
    let says = &loaded.settings.nova;
    // Without its file there may be no nova at all.
    let removes = !says.files.is_empty() && says.prunes();
    loaded.settings.settings.nova_removes_after = removes.then_some(says.remove_unused_original_minimum_age_seconds);
    loaded.files.splice(0..0, nova.files);
    Ok(loaded)
}

/// The sample file of the catalogue: every option at its default.
#[cfg(feature = "catalogue")]
pub fn catalogue_sample() -> String {
    sample(super::catalogue::INTRO, &describe(super::catalogue::visit, &mut Catalogue::default()))
}

/// The sample file of the agent: every option at its default.
#[cfg(feature = "agent")]
pub fn agent_sample() -> String {
    let mut described = describe(super::agent::visit, &mut Agent::default());
    described.extend(super::rules::described());
    sample(super::agent::INTRO, &described)
}

fn load<S>(visit: Visitor<S>, mut settings: S, found: Found, glance: bool) -> Result<Loaded<S>, ConfigError> {
    let (described, mut notes) = read(visit, &mut settings, &found).map_err(ConfigError::Invalid)?;
    notes.extend(unknown(&found, &described, glance));
    Ok(Loaded { settings, notes, files: found.files })
}
