//! The command line: what an operator types.
//!
//! ```text
//! cli          the tree of commands, and the arguments of the daemons
//! deleted      the arguments of `larder catalogue scrub` and `db purge`
//! store_check  the arguments of `larder catalogue store-check`
//! image/       larder image push | list | show | save | delete      talks to a catalogue
//! node/        larder node …, image where, image prefetch            talks to a catalogue
//! findings     what `larder agent check` prints
//! cache/       larder cache …, also as glance-cache-manage          talks to a node's agent
//! ```
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage.

pub mod cache;
mod cli;
mod deleted;
mod findings;
pub mod image;
mod login;
pub mod node;
mod output;
mod store_check;

pub use cli::{
    AgentArgs, AgentVerb, CatalogueVerb, Cli, Command, ConfigArgs, DbVerb, DevArgs, MetadefsVerb, PassCli, PassVerb,
    ServeArgs,
};
pub use deleted::{PurgeArgs, PurgeImagesArgs, RowsArgs, ScrubArgs, ScrubCli};
pub use findings::print_findings;
pub use login::LoginArgs;
pub use output::print;
pub use store_check::StoreCheckArgs;
