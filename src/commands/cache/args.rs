//! What `larder cache` and `glance-cache-manage` take.

use crate::admin::Priority;
use crate::commands::{cli::EXIT_CODES, login::LoginArgs};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// `larder cache …`.
#[derive(Debug, Args)]
#[command(after_help = format!("Without --host, the node's agent is asked over its admin socket: the first of --socket, LARDER_SOCKET, \
        ./larder-dev/agent.sock when it is there, /run/larder/agent.sock.\n\nExamples:\n  larder cache status --watch\n  \
        larder cache queue-image ID\n  larder cache why ID\n  larder cache plan\n  larder cache prune --dry-run\n\n{EXIT_CODES}"))]
pub struct CacheArgs {
    /// Whom to ask, and how to answer.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub verb: CacheVerb,
}

/// The flags of glance-cache-manage, and `--socket`.
#[derive(Clone, Debug, Default, Args)]
pub struct Connection {
    /// The admin socket of the node's agent [env: LARDER_SOCKET] [default: /run/larder/agent.sock]
    #[arg(long, global = true, value_name = "PATH", conflicts_with_all = ["host", "port"])]
    pub socket: Option<PathBuf>,
    /// Ask the cache API of this host over HTTP instead
    #[arg(short = 'H', long, global = true, value_name = "ADDRESS")]
    pub host: Option<String>,
    /// Its port [default: 9292]
    #[arg(short, long, global = true, value_name = "PORT")]
    pub port: Option<u16>,
    /// Do not ask for confirmation
    #[arg(short, long, global = true)]
    pub force: bool,
    /// Say what was done, and how long it took
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Print debugging output
    #[arg(short, long, global = true)]
    pub debug: bool,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// keystone or noauth [env: OS_AUTH_STRATEGY]
    #[arg(
        short = 'S',
        long = "os-auth-strategy",
        alias = "os_auth_strategy",
        global = true,
        value_name = "STRATEGY",
        help_heading = "Catalogue and login"
    )]
    pub os_auth_strategy: Option<String>,
    /// Who asks, over HTTP.
    #[command(flatten)]
    pub login: LoginArgs,
}

/// What can be done with a node's cache.
#[derive(Clone, Debug, Subcommand)]
pub enum CacheVerb {
    /// What the agent is doing now: every image, every base and why it is kept, space, what comes next
    #[command(after_help = format!("Examples:\n  larder cache status\n  larder cache status --watch\n  larder cache status --json | jq '.images[].state'\n\n{EXIT_CODES}"))]
    Status {
        /// Show it again every second until Ctrl-C
        #[arg(short, long)]
        watch: bool,
    },
    /// Explain one image: where it is, what uses it, why it is kept, what failed
    #[command(after_help = format!("Examples:\n  larder cache why 5e3c1f0a-…\n\n{EXIT_CODES}"))]
    Why {
        /// The image's id
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Say what would be fetched and removed now, by queue, pins, prefetch rules and prune rules; changes nothing
    #[command(after_help = format!("What rules find is as the catalogue listed it last. An image that does not fit a rule's budget is \
        left out; one that waits for a window, or for room, says so.\n\nExamples:\n  larder cache plan\n  \
        larder cache plan --json | jq -r '.fetch[] | [.id, .reason, .waits] | @tsv'\n\n{EXIT_CODES}"))]
    Plan,
    /// Fetch what is queued now, and say what became of each image
    #[command(after_help = format!("Examples:\n  larder cache prefetch\n\nExit codes: 0 done, 1 failed or an image failed, 2 wrong usage."))]
    Prefetch,
    /// Remove old bases that nothing uses now, and say why the rest stays
    #[command(after_help = format!("Examples:\n  larder cache prune --dry-run\n\n{EXIT_CODES}"))]
    Prune {
        /// Remove nothing; say what would go
        #[arg(long)]
        dry_run: bool,
    },
    /// Queue images for caching with a priority, or give those that are queued another one; asks for no confirmation
    #[command(after_help = format!("Images come by priority, those of one priority in the order in which they were queued.\n\nExamples:\n  larder cache queue ID\n  larder cache queue --priority high ID\n\n{EXIT_CODES}"))]
    Queue {
        /// The image's id
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// low (-50), normal (0), high (50), or a number from -100 to 100
        #[arg(long, value_name = "N", default_value = "normal", allow_hyphen_values = true)]
        priority: Priority,
    },
    /// Keep images on this node: they are fetched when they are not there, and never pruned
    #[command(after_help = format!("Examples:\n  larder cache pin ID\n\n{EXIT_CODES}"))]
    Pin {
        /// The image's id
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Let pinned images be pruned again as all others
    #[command(after_help = format!("Examples:\n  larder cache unpin ID\n\n{EXIT_CODES}"))]
    Unpin {
        /// The image's id
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Say that the catalogue is right about images that it has no more, so that their bases go when nothing uses them
    #[command(after_help = format!("When a catalogue misses most of the cached images at once, it may be another catalogue or one that has lost its \
        database: their bases stay, and `larder cache status` says so.\n\nExamples:\n  larder cache confirm-gone\n  \
        larder cache confirm-gone -f ID\n\n{EXIT_CODES}"))]
    ConfirmGone {
        /// The image's id [default: all that are doubted]
        #[arg(value_name = "ID")]
        ids: Vec<String>,
    },
    /// List all images currently cached
    ListCached,
    /// List all images currently queued for caching
    ListQueued,
    /// Queue an image for caching
    #[command(after_help = format!("Examples:\n  larder cache queue-image -f ID\n\n{EXIT_CODES}"))]
    QueueImage {
        /// The image's id
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Purge an image from the cache
    DeleteCachedImage {
        /// The image's id
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Remove all images from the cache; those that instances use stay
    DeleteAllCachedImages,
    /// Delete an image from the cache queue
    DeleteQueuedImage {
        /// The image's id
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Delete all images from the cache queue
    DeleteAllQueuedImages,
}

/// `glance-cache-manage`: the same verbs by its own rules for arguments.
#[derive(Debug, Parser)]
#[command(name = "glance-cache-manage", version, disable_help_subcommand = true, about = MANAGE_COMMANDS)]
pub struct ManageCli {
    /// Whom to ask, and how to answer.
    #[command(flatten)]
    pub connection: Connection,
    /// The command to execute
    #[arg(required = true, help_heading = "Arguments")]
    pub command: Vec<String>,
}

/// The table of commands in glance-cache-manage's help.
pub(super) const MANAGE_COMMANDS: &str = "\
Commands:

    help <command>              Output help for one of the commands below

    list-cached                 List all images currently cached

    list-queued                 List all images currently queued for caching

    queue-image                 Queue an image for caching

    delete-cached-image         Purges an image from the cache

    delete-all-cached-images    Removes all images from the cache

    delete-queued-image         Deletes an image from the cache queue

    delete-all-queued-images    Deletes all images from the cache queue
";
