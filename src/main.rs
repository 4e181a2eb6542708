//! args → config → build → run → drain; nothing else.

use anyhow::Context;
use clap::Parser;
use larder::{
    admin,
    base::chain,
    commands::{
        self, Cli, Command, ConfigArgs,
        cache::{CacheArgs, Connection, ManageCli, Node},
        image::ImageArgs,
        node::NodeArgs,
    },
    config::{self, Environment, Note, Sources},
    remote,
    runtime::{logging, signals, systemd},
};
use std::{env, ffi::OsStr, future::Future, path::Path, process::ExitCode};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    // The client of a catalogue may speak TLS; one provider for the whole process. Fails only when there is one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let done = match called_as().as_deref() {
        Some("glance-cache-manage") => manage(ManageCli::parse()),
        Some(name) => pass_or_run(name),
        None => run(Cli::parse().command),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("larder: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Image(args) => image(args),
        Command::Node(args) => fleet(args),
        Command::Cache(args) => cache(args),
        #[cfg(feature = "catalogue")]
        Command::Catalogue(args) => catalogue(&args),
        #[cfg(all(feature = "agent", feature = "catalogue"))]
        Command::Dev(args) => dev(&args),
        #[cfg(feature = "agent")]
        Command::Agent(args) => agent(&args),
        #[cfg(any(feature = "agent", feature = "catalogue"))]
        Command::ConvertWorker(args) => {
            let code = larder::diskformat::convert::worker_main(args);
            Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
        }
        #[cfg(not(all(feature = "agent", feature = "catalogue")))]
        _ => anyhow::bail!("this larder was built without that part (cargo features: catalogue, agent)"),
    }
}

/// The name under which the program was started (perhaps that of a link to it).
fn called_as() -> Option<String> {
    let program = env::args_os().next()?;
    Path::new(&program).file_name().and_then(OsStr::to_str).map(str::to_owned)
}

#[cfg(feature = "catalogue")]
fn pass_or_run(name: &str) -> anyhow::Result<ExitCode> {
    use commands::CatalogueVerb::{Cache, Scrub};
    let (mut config, verb, file) = if name == "glance-scrubber" {
        let args = commands::ScrubCli::parse();
        (args.config, Scrub(args.scrub), "/etc/glance/glance-scrubber.conf")
    } else {
        let Some(verb) = commands::PassVerb::of_program(name) else { return run(Cli::parse().command) };
        (commands::PassCli::parse().config, Cache(verb), "/etc/glance/glance-cache.conf")
    };
    if config.config_file.is_empty() && config.config_dir.is_empty() {
        let files = ["/etc/glance/glance-api.conf", file].map(std::path::PathBuf::from);
        config.config_file.extend(files.into_iter().filter(|it| it.is_file()));
    }
    catalogue(&commands::ServeArgs { config, no_auth: false, verb: Some(verb) })
}

#[cfg(not(feature = "catalogue"))]
fn pass_or_run(_: &str) -> anyhow::Result<ExitCode> {
    run(Cli::parse().command)
}

fn image(args: ImageArgs) -> anyhow::Result<ExitCode> {
    let settings = Environment::of_process().catalogue(args.endpoint.as_deref(), &args.login)?;
    exit_code(block_on(commands::image::run(args, settings))?)
}

fn fleet(args: NodeArgs) -> anyhow::Result<ExitCode> {
    let settings = Environment::of_process().catalogue(args.endpoint.as_deref(), &args.login)?;
    exit_code(block_on(commands::node::run(args, settings))?)
}

fn cache(args: CacheArgs) -> anyhow::Result<ExitCode> {
    debug_log(args.connection.debug)?;
    let node = node(&args.connection)?;
    exit_code(block_on(commands::cache::run(args, node))?)
}

fn manage(args: ManageCli) -> anyhow::Result<ExitCode> {
    debug_log(args.connection.debug)?;
    exit_code(block_on(commands::cache::manage(args, node))?)
}

/// The node that the options lead to.
fn node(connection: &Connection) -> anyhow::Result<Node> {
    let environment = Environment::of_process();
    Ok(match environment.cache_host(connection)? {
        Some((host, settings)) => Node::Http { host, catalogue: remote::Catalogue::new(settings)? },
        None => Node::Agent(admin::Client::new(&environment.socket(connection.socket.as_deref()))),
    })
}

fn debug_log(debug: bool) -> anyhow::Result<()> {
    if debug {
        logging::init(&logging::Settings { debug, ..logging::Settings::default() })?;
    }
    Ok(())
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Runtime::new().context("cannot start the runtime")?.block_on(work)
}

/// What a command that only looks has begun, and cannot stop, gets this long at its end: a lost file server, a resolver.
#[cfg(feature = "agent")]
const LAST_LOOK: std::time::Duration = std::time::Duration::from_millis(200);

/// Likewise; blocking steps that are still under way get so long at the end, or as long as they take.
#[cfg(feature = "agent")]
fn block_on_for<T>(
    patience: Option<std::time::Duration>,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let done = runtime.block_on(work);
    if let Some(patience) = patience {
        runtime.shutdown_timeout(patience);
    }
    done
}

fn exit_code(done: bool) -> anyhow::Result<ExitCode> {
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads a daemon's configuration, starts its log, and says what an operator should hear about it.
#[cfg(any(feature = "agent", feature = "catalogue"))]
fn start_log(args: &ConfigArgs, settings: logging::Settings, notes: &[Note]) -> anyhow::Result<()> {
    logging::init(&log_of(args, settings))?;
    tell(notes);
    Ok(())
}

/// The log as the command line wants it.
#[cfg(any(feature = "agent", feature = "catalogue"))]
fn log_of(args: &ConfigArgs, mut settings: logging::Settings) -> logging::Settings {
    settings.debug |= args.debug;
    settings.json |= args.log_json;
    settings
}

#[cfg(any(feature = "agent", feature = "catalogue"))]
fn tell(notes: &[Note]) {
    for note in notes {
        if note.is_warning() { tracing::warn!("{note}") } else { tracing::info!("{note}") }
    }
}

#[cfg(any(feature = "agent", feature = "catalogue"))]
fn sources(args: &ConfigArgs, default: &str) -> Sources {
    Sources::new(&args.config_file, &args.config_dir, Path::new(default)).with_environment(env::vars_os())
}

/// Runs a daemon that is ready: systemd is told, the watchdog patted, signals heard.
#[cfg(any(feature = "agent", feature = "catalogue"))]
async fn supervise<F: Future<Output = anyhow::Result<()>>>(
    shutdown: CancellationToken,
    daemon: F,
) -> anyhow::Result<ExitCode> {
    systemd::ready();
    tokio::spawn(systemd::watchdog(shutdown.clone()));
    tokio::spawn(larder::runtime::metrics::upkeep(shutdown.clone()));
    let told = shutdown.clone();
    tokio::spawn(async move {
        told.cancelled().await;
        systemd::stopping();
    });
    daemon.await?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "agent")]
fn agent(args: &commands::AgentArgs) -> anyhow::Result<ExitCode> {
    if args.config.print_config {
        commands::print(config::agent_sample().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (sources, nova_files) = (sources(&args.config, "/etc/larder/agent.conf"), args.nova_config_file.clone());
    let loaded = config::agent(&sources, &nova_files)?;
    start_log(&args.config, loaded.settings.logging, &loaded.notes)?;
    let (settings, nova, files) = (loaded.settings.settings, loaded.settings.nova, loaded.files);
    let looks_only = matches!(args.verb, Some(commands::AgentVerb::Check { .. }));
    let patience = if looks_only { Some(LAST_LOOK) } else { None };
    block_on_for(patience, async {
        let shutdown = signals::shutdown_token().context("cannot listen to signals")?;
        if let Some(verb) = args.verb {
            return once(settings, &nova, verb, &shutdown).await;
        }
        has_catalogue(&settings)?;
        let hangups = signals::hangups().context("cannot listen to SIGHUP")?;
        let read_again = move || {
            let loaded = config::agent(&sources, &nova_files).map_err(|error| chain(&error).to_string())?;
            tell(&loaded.notes);
            Ok(loaded.settings.settings)
        };
        let agent = larder::agent::build(settings).await?.bind()?.configured_by(files, hangups, read_again);
        supervise(shutdown.clone(), async { Ok(agent.run(shutdown).await?) }).await
    })
}

#[cfg(feature = "agent")]
fn has_catalogue(settings: &larder::agent::Settings) -> anyhow::Result<()> {
    if settings.catalogue.endpoint.is_none() && settings.catalogue.auth == remote::Auth::None {
        anyhow::bail!(
            "no catalogue is configured: set [glance] endpoint_override, such as http://controller:9292, or a login in \
             [glance] or [keystone_authtoken], in /etc/larder/agent.conf or nova.conf"
        );
    }
    Ok(())
}

/// What `larder agent` does instead of running as a daemon.
#[cfg(feature = "agent")]
async fn once(
    settings: larder::agent::Settings,
    nova: &larder::agent::check::NovaSays,
    verb: commands::AgentVerb,
    shutdown: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    use commands::{
        AgentVerb,
        cache::{print_pass, print_pruned, print_scrubbed, watch_scrub},
    };
    match verb {
        AgentVerb::Prefetch => {
            let settings = with_agent(settings).await?;
            exit_code(print_pass(&larder::agent::prefetch_once(settings, shutdown).await?, false)?)
        }
        AgentVerb::Prune { dry_run } => {
            let settings = with_agent(settings).await?;
            print_pruned(&larder::agent::prune_once(settings, dry_run, shutdown).await?, false)?;
            Ok(ExitCode::SUCCESS)
        }
        AgentVerb::Scrub { json } => {
            let settings = with_agent(settings).await?;
            let client = admin::Client::new(&settings.admin.socket);
            let pass = tokio::select! {
                pass = larder::agent::scrub_once(settings, shutdown) => pass?,
                () = watch_scrub(&client) => anyhow::bail!("the pass was not waited for"),
            };
            exit_code(print_scrubbed(&pass, json)?)
        }
        AgentVerb::Check { json } => {
            let found = tokio::select! {
                biased;
                () = shutdown.cancelled() => anyhow::bail!("stopped before all was looked at"),
                found = larder::agent::check::check(&settings, nova) => found,
            };
            exit_code(commands::print_findings(&found, json)?)
        }
    }
}

/// The settings of a pass: by the running agent if there is one, else here.
#[cfg(feature = "agent")]
async fn with_agent(mut settings: larder::agent::Settings) -> anyhow::Result<larder::agent::Settings> {
    // An agent that the configuration does not know, such as that of `larder dev`, is found as `larder cache` finds it.
    if settings.admin.socket == Path::new(admin::DEFAULT_SOCKET) {
        settings.admin.socket = Environment::of_process().socket(None);
    }
    let here = match admin::Client::new(&settings.admin.socket).status().await {
        Err(admin::ClientError::NoAgent { .. }) => has_catalogue(&settings),
        _ => Ok(()),
    };
    here.context("no agent answers on its socket, and the pass cannot run in this process")?;
    Ok(settings)
}

#[cfg(feature = "catalogue")]
fn catalogue(args: &commands::ServeArgs) -> anyhow::Result<ExitCode> {
    larder::runtime::allocator::keep_buffers();
    if args.config.print_config {
        commands::print(config::catalogue_sample().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let sources = sources(&args.config, "/etc/larder/catalogue.conf");
    let (given, no_auth) = (args.config.clone(), args.no_auth);
    let read = move || {
        let loaded = config::catalogue(&sources)?;
        let config::Catalogue { mut settings, logging, .. } = loaded.settings;
        if no_auth {
            settings.identity.flavour = larder::identity::Flavour::None;
        }
        Ok::<_, config::ConfigError>((
            larder::catalogue::Read { settings, logging: log_of(&given, logging) },
            loaded.notes,
        ))
    };
    let (larder::catalogue::Read { settings, logging }, notes) = read()?;
    start_log(&args.config, logging, &notes)?;
    if let Some(verb) = &args.verb {
        return block_on(manage_catalogue(&settings, verb));
    }
    block_on(async {
        let shutdown = signals::shutdown_token().context("cannot listen to signals")?;
        let hangups = signals::hangups().context("cannot listen to SIGHUP")?;
        let read_again = move || {
            let (read, notes) = read().map_err(|error| chain(&error).to_string())?;
            tell(&notes);
            Ok(read)
        };
        let catalogue = larder::catalogue::build(settings).await?.configured_by(hangups, read_again);
        supervise(shutdown.clone(), async { Ok(catalogue.run(shutdown).await?) }).await
    })
}

/// Works on the catalogue's database, with `glance-manage`'s exit codes.
#[cfg(feature = "catalogue")]
async fn manage_catalogue(
    settings: &larder::catalogue::Settings,
    verb: &commands::CatalogueVerb,
) -> anyhow::Result<ExitCode> {
    use commands::{CatalogueVerb, MetadefsVerb};
    use larder::catalogue::manage;
    let (database, default) = (&settings.database, settings.metadata_source_path.as_path());
    match verb {
        CatalogueVerb::Scrub(args) => return scrub(settings, args).await,
        CatalogueVerb::StoreCheck(args) => return check_store(settings, args).await,
        CatalogueVerb::Db(verb) => return manage_schema(database, verb).await,
        CatalogueVerb::Metadefs(MetadefsVerb::Load { path, merge, prefer_new, overwrite }) => {
            let how = match (merge, prefer_new, overwrite) {
                (false, ..) => manage::How::Skip,
                (true, true, _) => manage::How::PreferNew,
                (true, false, true) => manage::How::Overwrite,
                (true, false, false) => manage::How::Merge,
            };
            let source = manage::Source::choose(path.as_deref(), default)?;
            commands::print(&format!("Loading {source}."))?;
            return said(&manage::load_metadefs(database, &source, how).await?);
        }
        CatalogueVerb::Metadefs(MetadefsVerb::Unload) => {
            manage::unload_metadefs(database).await?;
            commands::print("All metadata definitions have been deleted.")?;
        }
        CatalogueVerb::Cache(verb) => return cache_pass(settings.clone(), *verb).await,
        CatalogueVerb::Metadefs(MetadefsVerb::Export { path }) => {
            let files = manage::export_metadefs(database, path.as_deref().unwrap_or(default)).await?;
            let files: Vec<String> = files.iter().map(|it| it.display().to_string()).collect();
            commands::print(&files.join("\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Works on the schema, with `glance-manage`'s words and exit codes.
#[cfg(feature = "catalogue")]
async fn manage_schema(database: &larder::db::Settings, verb: &commands::DbVerb) -> anyhow::Result<ExitCode> {
    use commands::DbVerb;
    use larder::catalogue::manage;
    let (words, code) = match verb {
        DbVerb::Sync(revision) => (manage::sync(database, revision.get()).await?, 0),
        DbVerb::Upgrade(revision) => (manage::upgrade(database, revision.get()).await?, 0),
        DbVerb::VersionControl(revision) => (manage::version_control(database, revision.get()).await?, 0),
        DbVerb::Expand => (manage::expand(database).await?, 0),
        DbVerb::Migrate => (manage::migrate(database).await?, 0),
        DbVerb::Contract => (manage::contract(database).await?, 0),
        DbVerb::Check => manage::check(database).await?,
        DbVerb::Purge(args) => return purge(database, (args.age_in_days, 30), &args.rows, false).await,
        DbVerb::PurgeImagesTable(args) => return purge(database, (args.age_in_days, 180), &args.rows, true).await,
        DbVerb::Version => {
            let versions = manage::versions(database).await?;
            let none = "Database is not under migration control: it has no schema yet. Please run \"larder catalogue db sync\".";
            (if versions.is_empty() { none.to_owned() } else { versions.join("\n") }, 0)
        }
    };
    commands::print(&words)?;
    Ok(ExitCode::from(code))
}

/// What a load of definitions did, in `glance-manage`'s words; it has failed if one file has.
#[cfg(feature = "catalogue")]
fn said(done: &larder::catalogue::manage::Loaded) -> anyhow::Result<ExitCode> {
    use larder::catalogue::manage::Outcome;
    let (mut lines, mut loaded, mut skipped, mut failed) = (Vec::new(), 0, 0, 0);
    for (file, outcome) in &done.files {
        match outcome {
            Outcome::Loaded(_) => loaded += 1,
            Outcome::Overwritten(name) => {
                lines.push(format!("Overwriting namespace {name}"));
                loaded += 1;
            }
            Outcome::Skipped(name) => {
                lines.push(format!("Skipping namespace {name}. It already exists in the database."));
                skipped += 1;
                continue;
            }
            Outcome::Failed(why) => {
                eprintln!("larder: {file}: {why}");
                failed += 1;
                continue;
            }
        }
        lines.push(format!("File {file} loaded to database."));
    }
    lines.push(format!(
        "Metadata loading finished: {loaded} namespaces loaded, {skipped} skipped because they are there already, \
         {failed} files failed"
    ));
    commands::print(&lines.join("\n"))?;
    exit_code(failed == 0)
}

/// Tries a store, and tells of each point as it goes.
#[cfg(feature = "catalogue")]
async fn check_store(
    settings: &larder::catalogue::Settings,
    args: &commands::StoreCheckArgs,
) -> anyhow::Result<ExitCode> {
    use larder::catalogue::manage;
    let shutdown = signals::shutdown_token().context("cannot listen to signals")?;
    let extent = larder::store::conformance::Extent {
        largest: args.largest << 20,
        patience: std::time::Duration::from_secs(args.patience),
    };
    let json = args.json;
    let tell = move |tried: &manage::Tried| {
        if !json {
            // Whoever reads may go away; the trial goes on, so that it removes what it wrote.
            let _ = commands::print(&tried.to_string());
        }
    };
    let stop = async { shutdown.cancelled().await };
    let checked = manage::check_store(settings, args.store.as_deref(), &extent, (tell, stop)).await?;
    commands::print(&if json { serde_json::to_string_pretty(&checked)? } else { checked.to_string() })?;
    exit_code(checked.is_well())
}

/// One pass over the image cache.
#[cfg(feature = "catalogue")]
async fn cache_pass(settings: larder::catalogue::Settings, verb: commands::PassVerb) -> anyhow::Result<ExitCode> {
    use commands::PassVerb;
    use larder::catalogue::manage;
    let said = match verb {
        PassVerb::Prefetch => {
            let done = manage::prefetch(settings).await?;
            for (id, why) in &done.failed {
                eprintln!("larder: {id}: {why}");
            }
            commands::print(&format!("Cached {} image(s), {} failed.", done.cached.len(), done.failed.len()))?;
            return exit_code(done.failed.is_empty());
        }
        PassVerb::Prune => {
            let done = manage::prune_cache(settings).await?;
            format!("Pruned {} file(s), {} byte(s).", done.files, done.bytes)
        }
        PassVerb::Clean => {
            let done = manage::clean_cache(settings).await?;
            format!("Removed {} invalid and {} stalled file(s).", done.invalid, done.stalled)
        }
    };
    commands::print(&said)?;
    Ok(ExitCode::SUCCESS)
}

/// `db purge` and `db purge_images_table`, with `glance-manage`'s exit codes.
#[cfg(feature = "catalogue")]
async fn purge(
    database: &larder::db::Settings,
    (age_in_days, default_age): (Option<i64>, i64),
    rows: &commands::RowsArgs,
    images: bool,
) -> anyhow::Result<ExitCode> {
    use larder::catalogue::manage::{self, Purge};
    let (age_in_days, max_rows) = rows.numbers(age_in_days, default_age).map_err(anyhow::Error::msg)?;
    let what = Purge::new(age_in_days, max_rows, images)?;
    let verb = if rows.dry_run { "Would delete" } else { "Deleted" };
    let mut done = true;
    for it in manage::purge(database, what, rows.dry_run).await? {
        commands::print(&format!("{verb} {} row(s) from table {}", it.rows, it.table))?;
        if it.needed > 0 {
            let why = match it.table {
                "image_locations" => "their data is still to be removed (`larder catalogue scrub`)",
                "images" => "other tables have rows of these images; run `larder catalogue db purge` first",
                _ => "other rows refer to them",
            };
            eprintln!("larder: {} row(s) of table {} stay: {why}", it.needed, it.table);
            done &= !images;
        }
    }
    exit_code(done)
}

/// `larder catalogue scrub`.
#[cfg(feature = "catalogue")]
async fn scrub(settings: &larder::catalogue::Settings, args: &commands::ScrubArgs) -> anyhow::Result<ExitCode> {
    let shutdown = signals::shutdown_token().context("cannot listen to signals")?;
    let scrubber = larder::catalogue::scrub::Scrubber::open(settings).await?;
    if args.daemon {
        let pause = args.wakeup_time.unwrap_or(settings.wakeup_time);
        return supervise(shutdown.clone(), async {
            scrubber.run(pause, &shutdown).await;
            Ok(())
        })
        .await;
    }
    if let Some(id) = &args.restore {
        let restored = scrubber.restore(id).await?;
        for warning in &restored.warnings {
            eprintln!("larder: {warning}");
        }
        let words = format!("image {id} is active again");
        commands::print(&if args.json { serde_json::to_string_pretty(&restored)? } else { words })?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = if args.dry_run { scrubber.rehearse().await? } else { scrubber.pass(&shutdown).await? };
    for failure in &report.failures {
        eprintln!("larder: {failure}");
    }
    commands::print(&if args.json { serde_json::to_string_pretty(&report)? } else { report.to_string() })?;
    exit_code(report.failed == 0)
}

#[cfg(all(feature = "agent", feature = "catalogue"))]
fn dev(args: &commands::DevArgs) -> anyhow::Result<ExitCode> {
    let level = if args.debug { "info,larder=debug" } else { "warn" };
    logging::init(&logging::Settings { level: level.to_owned(), ..logging::Settings::default() })?;
    let place = larder::dev::Place::open(&args.dir, args.port)?;
    block_on(async {
        let shutdown = signals::shutdown_token().context("cannot listen to signals")?;
        let dev = larder::dev::build(place).await?;
        commands::print(&dev.greeting(&program()))?;
        let done = supervise(shutdown.clone(), async { Ok(dev.run(shutdown).await?) }).await?;
        commands::print("Larder has stopped.")?;
        Ok(done)
    })
}

/// How this program was called, for commands to copy.
#[cfg(all(feature = "agent", feature = "catalogue"))]
fn program() -> String {
    env::args().next().unwrap_or_else(|| "larder".to_owned())
}
