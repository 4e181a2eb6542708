//! The tree of commands.

use super::{
    cache::CacheArgs,
    deleted::{PurgeArgs, PurgeImagesArgs, ScrubArgs},
    image::ImageArgs,
    node::NodeArgs,
    store_check::StoreCheckArgs,
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Exit codes, for the end of each long help.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed (standard error says what), 2 wrong usage.";

/// What `larder` takes.
#[derive(Debug, Parser)]
#[command(
    name = "larder",
    version,
    about = "Brings virtual machine images to where they boot",
    long_about = "Brings virtual machine images to where they boot: a catalogue that speaks the OpenStack Image API v2, \
        and a node agent that keeps nova-compute's _base filled, verified and pruned.",
    after_help = "Start here:\n  larder dev                                  everything on this machine, nothing to set up\n  \
        larder image push disk.qcow2 --name debian-12\n  larder cache queue-image ID\n  larder cache status\n\n\
        Exit codes: 0 done, 1 failed (standard error says what), 2 wrong usage.",
    disable_help_subcommand = false,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the OpenStack Image API: the central daemon
    Catalogue(ServeArgs),
    /// Keep this node's _base: the daemon of a compute node
    Agent(AgentArgs),
    /// A catalogue and a node agent on this machine, for trying things out
    Dev(DevArgs),
    /// Push, import, copy, list, show, save and delete images of a catalogue
    Image(ImageArgs),
    /// Look at the nodes of a fleet, and have them fetch, pin and remove images
    Node(NodeArgs),
    /// Look at a node's image cache and drive it
    Cache(CacheArgs),
    /// The child process of a conversion
    #[cfg(any(feature = "agent", feature = "catalogue"))]
    #[command(hide = true)]
    ConvertWorker(crate::diskformat::convert::ConvertWorkerArgs),
}

/// Where a daemon's configuration comes from.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// A configuration file (oslo.config's INI); may be repeated, a later file wins
    #[arg(long, value_name = "FILE", global = true)]
    pub config_file: Vec<PathBuf>,
    /// A folder of *.conf files, read in the order of their names after the files; may be repeated
    #[arg(long, value_name = "DIR", global = true)]
    pub config_dir: Vec<PathBuf>,
    /// Write every option with its help and default to standard output, and stop
    #[arg(long)]
    pub print_config: bool,
    /// Log one JSON object a line to standard error
    #[arg(long)]
    pub log_json: bool,
    /// Log what happens in detail
    #[arg(short, long)]
    pub debug: bool,
}

/// What `larder catalogue` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --config-file, /etc/larder/catalogue.conf is read when it is there. Each option can also be set in the \
        environment as OS_<GROUP>__<OPTION>, such as OS_DEFAULT__BIND_PORT.\n\nExamples:\n  \
        larder catalogue\n  larder catalogue --config-file /etc/glance/glance-api.conf\n  \
        larder catalogue --print-config > /etc/larder/catalogue.conf\n  \
        larder catalogue --config-file /etc/glance/glance-api.conf db check\n  \
        larder catalogue --config-file /etc/glance/glance-api.conf cache prune\n  \
        larder catalogue scrub --dry-run\n  \
        larder catalogue --config-file /etc/glance/glance-api.conf store-check\n\n\
        Exit codes: 0 stopped by SIGTERM or SIGINT after the drain, 1 could not start or go on, 2 wrong usage."
)]
pub struct ServeArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Serve everybody as administrator, although [paste_deploy] flavor asks for Keystone
    #[arg(long)]
    pub no_auth: bool,
    /// Work on the database, a store or the image cache instead of serving
    #[command(subcommand)]
    pub verb: Option<CatalogueVerb>,
}

/// What is done instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum CatalogueVerb {
    /// The database's schema, as `glance-manage db` has it
    #[command(subcommand)]
    Db(DbVerb),
    /// Metadata definitions, as `glance-manage db load_metadefs` and so on have them
    #[command(subcommand)]
    Metadefs(MetadefsVerb),
    /// Remove the data of images whose deletion was delayed, as glance-scrubber does
    Scrub(ScrubArgs),
    /// One pass over the image cache of this node, for timers; a running catalogue does all of this by itself
    #[command(subcommand)]
    Cache(PassVerb),
    /// Try whether a store does what the catalogue builds on, with data of its own
    StoreCheck(StoreCheckArgs),
}

/// What is done with the cache of `image_cache_dir`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum PassVerb {
    /// Fetch what is queued, as `glance-cache-prefetcher` does
    #[command(
        after_help = "Examples:\n  larder catalogue --config-file /etc/glance/glance-api.conf cache prefetch\n\n\
        Exit codes: 0 done, 1 failed or an image could not be fetched (it stays queued), 2 wrong usage."
    )]
    Prefetch,
    /// Remove what was not read for the longest time, down to image_cache_max_size, as `glance-cache-pruner` does
    #[command(after_help = "Examples:\n  larder catalogue --config-file /etc/glance/glance-api.conf cache prune\n\n\
        Exit codes: 0 done, 1 failed, 2 wrong usage.")]
    Prune,
    /// Remove what is invalid, and what was left unfinished for image_cache_stall_time, as `glance-cache-cleaner` does
    #[command(after_help = "Examples:\n  larder catalogue --config-file /etc/glance/glance-api.conf cache clean\n\n\
        Exit codes: 0 done, 1 failed, 2 wrong usage.")]
    Clean,
}

/// What the program takes when it is called as `glance-cache-prefetcher`, `glance-cache-pruner` or
/// `glance-cache-cleaner`.
#[derive(Debug, Parser)]
#[command(
    name = "glance-cache",
    version,
    about = "One pass over the image cache of this node: `larder catalogue cache` under the name of Glance's program",
    after_help = "Without --config-file, /etc/glance/glance-api.conf and /etc/glance/glance-cache.conf are read when they are \
        there.\n\nExit codes: 0 done, 1 failed, 2 wrong usage."
)]
pub struct PassCli {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

// === impl PassVerb ===

impl PassVerb {
    /// The verb that a program of Glance's of this name stands for.
    pub fn of_program(name: &str) -> Option<Self> {
        match name {
            "glance-cache-prefetcher" => Some(Self::Prefetch),
            "glance-cache-pruner" => Some(Self::Prune),
            "glance-cache-cleaner" => Some(Self::Clean),
            _ => None,
        }
    }
}

/// What is done with the schema.
#[derive(Clone, Debug, Subcommand)]
pub enum DbVerb {
    /// Make the schema in an empty database; one that is as it should be stays as it is
    #[command(after_help = "Examples:\n  larder catalogue --config-file /etc/glance/glance-api.conf db sync\n\n\
        Exit codes: 0 done or nothing to do, 1 failed (an older or newer schema is left alone), 2 wrong usage.")]
    Sync(Revision),
    /// Print the revisions of the schema
    #[command(after_help = "Examples:\n  larder catalogue db version\n\n\
        Exit codes: 0 done, 1 failed, 2 wrong usage.")]
    Version,
    /// Say whether the schema is as it should be
    #[command(after_help = "Examples:\n  larder catalogue db check\n\n\
        Exit codes: 0 it is, 3 db expand is needed (or the database is empty), 5 db contract is needed, 1 failed, 2 wrong usage.")]
    Check,
    /// Take out the rows of what was deleted long ago, of all tables but that of images
    #[command(
        after_help = "Deleted images, their properties, tags, locations and members, and tasks stay in the database as \
        rows that nobody sees; this takes them out for good, those deleted first in front. The rows of images stay, so that no \
        id is used again (see purge_images_table), and so do locations whose data is still to be removed.\n\nExamples:\n  \
        larder catalogue db purge --dry-run --max_rows -1\n  \
        larder catalogue db purge --age_in_days 90 --max_rows 10000\n\n\
        Exit codes: 0 done, 1 failed or a number makes no sense, 2 wrong usage."
    )]
    Purge(PurgeArgs),
    /// Take out the rows of images that were deleted long ago, so that their ids can be used again
    #[command(
        name = "purge_images_table",
        aliases = ["purge-images-table", "purge-images"],
        after_help = "Beware (OSSN-0075): while the row of a deleted image is there, nobody can make an image of its id. Once it is \
        gone, any project can, and whoever still uses the id (in a script, a template, a flavor, the cache of a node) gets that \
        project's image. Take out rows only of images that nobody can know any more. Run `db purge` first: an image stays as \
        long as rows of other tables refer to it.\n\nExamples:\n  \
        larder catalogue db purge_images_table --dry-run\n  \
        larder catalogue db purge_images_table --age_in_days 365 --max_rows -1\n\n\
        Exit codes: 0 done, 1 failed, a number makes no sense, or images stay since other rows refer to them, 2 wrong usage."
    )]
    PurgeImagesTable(PurgeImagesArgs),
    /// As sync, or to the revision of the first phase
    #[command(after_help = "Examples:\n  larder catalogue db upgrade 2024_1_expand01\n\n\
        Exit codes: 0 done or nothing to do, 1 failed, 2 wrong usage.")]
    Upgrade(Revision),
    /// Note that the database is at a revision, whatever is in it
    #[command(
        name = "version_control",
        alias = "version-control",
        after_help = "Examples:\n  larder catalogue db version_control 2024_1_contract01\n\n\
        Exit codes: 0 done, 1 failed or no such revision, 2 wrong usage."
    )]
    VersionControl(Revision),
    /// The first phase: make all tables in an empty database
    #[command(after_help = "Examples:\n  larder catalogue db expand\n\n\
        Exit codes: 0 done or nothing to do, 1 failed (an older schema is left to glance-manage), 2 wrong usage.")]
    Expand,
    /// The second phase: rewrite rows of old releases; there are none to rewrite
    #[command(after_help = "Examples:\n  larder catalogue db migrate\n\n\
        Exit codes: 0 nothing to do, 1 failed or the first phase comes first, 2 wrong usage.")]
    Migrate,
    /// The third phase: end the migration to Glance 2024.1
    #[command(after_help = "Examples:\n  larder catalogue db contract\n\n\
        Exit codes: 0 done or nothing to do, 1 failed or the first phase comes first, 2 wrong usage.")]
    Contract,
}

/// A revision of the schema, in either of the forms that `glance-manage` takes.
#[derive(Clone, Debug, Args)]
pub struct Revision {
    /// The revision, such as 2024_1_contract01
    #[arg(value_name = "VERSION", conflicts_with = "named")]
    version: Option<String>,
    /// The same
    #[arg(long = "version", value_name = "VERSION")]
    named: Option<String>,
}

// === impl Revision ===

impl Revision {
    /// What was given.
    pub fn get(&self) -> Option<&str> {
        self.version.as_deref().or(self.named.as_deref())
    }
}

/// What is done with metadata definitions.
#[derive(Clone, Debug, Subcommand)]
pub enum MetadefsVerb {
    /// Load *.json files, one namespace each; a namespace that is there already stays as it is
    #[command(
        after_help = "Without --path, the files in metadata_source_path are taken; where there are none, the standard \
        definitions that are part of the program: those of OpenStack's own properties.\n\nExamples:\n  larder catalogue metadefs load\n  \
        larder catalogue metadefs load --path new.json --merge --prefer-new\n\n\
        Exit codes: 0 done, 1 failed or a file was wrong (the others are loaded), 2 wrong usage."
    )]
    Load {
        /// A file, or a folder of *.json files [default: metadata_source_path, else the standard ones]
        #[arg(long, value_name = "PATH")]
        path: Option<PathBuf>,
        /// Add what a namespace that is there already lacks
        #[arg(long)]
        merge: bool,
        /// With --merge: where file and database differ, take the file's
        #[arg(long, alias = "prefer_new", requires = "merge", conflicts_with = "overwrite")]
        prefer_new: bool,
        /// With --merge: delete a namespace that is there already first
        #[arg(long, requires = "merge")]
        overwrite: bool,
    },
    /// Delete all metadata definitions
    #[command(after_help = "Examples:\n  larder catalogue metadefs unload\n\n\
        Exit codes: 0 done, 1 failed, 2 wrong usage.")]
    Unload,
    /// Write each namespace to a file
    #[command(after_help = "Examples:\n  larder catalogue metadefs export --path /tmp/metadefs\n\n\
        Exit codes: 0 done, 1 failed, 2 wrong usage.")]
    Export {
        /// The folder; made if it is not there [default: metadata_source_path]
        #[arg(long, value_name = "DIR")]
        path: Option<PathBuf>,
    },
}

/// What `larder agent` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --config-file, /etc/larder/agent.conf is read when it is there. What agent and nova-compute must agree on \
        (instances_path, [image_cache], force_raw_images, images_type) is read from nova's file first; the agent's own file wins. \
        Each option can also be set in the environment as OS_<GROUP>__<OPTION>.\n\nExamples:\n  \
        larder agent                        run the daemon\n  larder agent prefetch               one pass, for a timer\n  \
        larder agent prune --dry-run        what would go, and why the rest stays\n  \
        larder agent check                  what stands in the way here, with the remedy\n  \
        larder agent scrub                  look for flipped bits in all bases\n  \
        larder agent --print-config > /etc/larder/agent.conf\n\n\
        Exit codes: 0 stopped by a signal, or the pass is done; 1 could not start, an image of the pass failed, or a base is damaged; \
        2 wrong usage."
)]
pub struct AgentArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Nova's configuration; may be repeated; a file that is not there is no error
    #[arg(long, value_name = "FILE", default_value = "/etc/nova/nova.conf")]
    pub nova_config_file: Vec<PathBuf>,
    /// One pass instead of the daemon
    #[command(subcommand)]
    pub verb: Option<AgentVerb>,
}

/// One-pass forms of the agent.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum AgentVerb {
    /// Fetch what is queued: through the running agent if there is one, else by itself
    Prefetch,
    /// Remove old bases that nothing uses: through the running agent if there is one, else by itself
    Prune {
        /// Remove nothing; say what would go
        #[arg(long)]
        dry_run: bool,
    },
    /// Say what of this host and of nova.conf stands in the way, with the remedy; changes nothing
    #[command(
        after_help = "Run it as nova's user or as root. Each finding is ok, a warning (it works, but not as well as it could) or an \
        error (starts fail, or nothing is cached).\n\nExamples:\n  larder agent check\n  \
        larder agent --nova-config-file /etc/kolla/nova-compute/nova.conf check --json\n\n\
        Exit codes: 0 no errors (there may be warnings), 1 errors, 2 wrong usage."
    )]
    Check {
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },
    /// Read all bases and compare them with what they were: through the running agent if there is one, else by itself
    #[command(
        after_help = "A damaged base that nothing uses is removed and fetched again; one in use stays and is reported. \
        Reading takes scrub_rate from the disk, at idle priority.\n\nExamples:\n  larder agent scrub\n  \
        larder agent scrub --json | jq '.bases[] | select(.outcome != \"good\")'\n\n\
        Exit codes: 0 all bases are good, or could not be told from good; 1 failed or a base is damaged; 2 wrong usage."
    )]
    Scrub {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What `larder dev` takes.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "No authentication, loopback only. Ctrl-C finishes what is under way and stops; the next start finds everything \
        as it was. The other commands find ./larder-dev by themselves.\n\nExamples:\n  larder dev\n  \
        larder dev --dir /srv/try-larder --port 9393\n\n\
        Exit codes: 0 stopped by a signal, 1 could not start or go on, 2 wrong usage."
)]
pub struct DevArgs {
    /// Where everything is kept; made when it is not there
    #[arg(long, value_name = "DIR", default_value = "larder-dev")]
    pub dir: PathBuf,
    /// Port of the catalogue [default: the one of the last start, else 9292, else any free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Log what happens in detail
    #[arg(short, long)]
    pub debug: bool,
}
