//! What `larder catalogue store-check` takes.

use clap::Args;

/// What `larder catalogue store-check` takes.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Tries on a store what a catalogue builds on: that data comes back as it was written, that nothing is seen \
        before it is whole, that uploads which are broken off leave nothing, ranges, removal and more. It writes data under \
        random image ids of its own and removes it; images are not touched, and a catalogue may run meanwhile. A store that \
        only gives data, such as http, is told as such.\n\nExamples:\n  \
        larder catalogue store-check\n  \
        larder catalogue --config-file /etc/glance/glance-api.conf store-check --store ceph\n  \
        larder catalogue store-check --store ceph --largest 500 --json\n\n\
        Exit codes: 0 all points hold, or the store is read-only; 1 some do not hold, or there is no such store, or it was \
        stopped; 2 wrong usage."
)]
pub struct StoreCheckArgs {
    /// The store to try, by its id in enabled_backends; without it, the one that uploads go to
    #[arg(long, value_name = "ID")]
    pub store: Option<String>,
    /// The largest data to write, in MiB. Above the length of a store's parts it tries several parts; about three times as
    /// much room is needed
    #[arg(long, value_name = "MIB", default_value_t = 48, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub largest: u64,
    /// The longest that one point may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub patience: u64,
    /// Answer with one JSON object, at the end
    #[arg(long)]
    pub json: bool,
}
