//! What the commands on deleted images take.

use super::ConfigArgs;
use clap::{Args, Parser};
use std::time::Duration;

/// What `larder catalogue scrub` takes.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "With delayed_delete = true, deleting an image keeps its data, and the image in pending_delete, until a scrubber \
        removes it, scrub_time after the deletion at the earliest. Several scrubbers, glance-scrubber among them, may run \
        at the same time. Data that a plain deletion could not remove goes as well.\n\nExamples:\n  \
        larder catalogue scrub                        one pass, for a timer\n  \
        larder catalogue scrub --dry-run              what a pass would remove\n  \
        larder catalogue scrub --daemon               a pass every wakeup_time\n  \
        larder catalogue --config-file /etc/glance/glance-api.conf scrub --restore ID\n\n\
        Exit codes: 0 done, or stopped by a signal; 1 data of an image could not be removed (the other images' is), the image \
        cannot be restored, or it could not start; 2 wrong usage."
)]
pub struct ScrubArgs {
    /// Go on, with a pass every wakeup_time, until SIGTERM or SIGINT
    #[arg(short = 'D', long)]
    pub daemon: bool,
    /// Seconds between two passes of the daemon, in place of the option wakeup_time
    #[arg(long, alias = "wakeup_time", value_name = "SECONDS", requires = "daemon", value_parser = seconds)]
    pub wakeup_time: Option<Duration>,
    /// Bring an image in pending_delete back to active, with its data, properties, tags and members
    #[arg(long, value_name = "IMAGE_ID", conflicts_with_all = ["daemon", "dry_run"])]
    pub restore: Option<String>,
    /// Remove nothing; say what would go
    #[arg(long, conflicts_with = "daemon")]
    pub dry_run: bool,
    /// Answer with one JSON object
    #[arg(long, conflicts_with = "daemon")]
    pub json: bool,
}

/// What the program takes when it is called as `glance-scrubber`.
#[derive(Debug, Parser)]
#[command(
    name = "glance-scrubber",
    version,
    about = "Removes the data of deleted images: `larder catalogue scrub` under the name of Glance's program",
    after_help = "Without --config-file, /etc/glance/glance-api.conf and /etc/glance/glance-scrubber.conf are read when they are \
        there.\n\nExit codes: 0 done, or stopped by a signal; 1 failed; 2 wrong usage."
)]
pub struct ScrubCli {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// What to do.
    #[command(flatten)]
    pub scrub: ScrubArgs,
}

/// What `db purge` takes.
#[derive(Clone, Debug, Args)]
pub struct PurgeArgs {
    /// Take rows of what was deleted longer ago than these days [default: 30]
    #[arg(long = "age_in_days", alias = "age-in-days", value_name = "DAYS", allow_negative_numbers = true)]
    pub age_in_days: Option<i64>,
    /// How these and other rows are taken
    #[command(flatten)]
    pub rows: RowsArgs,
}

/// What `db purge_images_table` takes.
#[derive(Clone, Debug, Args)]
pub struct PurgeImagesArgs {
    /// Take rows of images that were deleted longer ago than these days [default: 180]
    #[arg(long = "age_in_days", alias = "age-in-days", value_name = "DAYS", allow_negative_numbers = true)]
    pub age_in_days: Option<i64>,
    /// How these and other rows are taken
    #[command(flatten)]
    pub rows: RowsArgs,
}

/// What both take.
#[derive(Clone, Debug, Args)]
pub struct RowsArgs {
    /// Take no more rows than this out of each table; -1 for all [default: 100]
    #[arg(long = "max_rows", alias = "max-rows", value_name = "ROWS", allow_negative_numbers = true)]
    pub max_rows: Option<i64>,
    /// The days and the rows, without their names
    #[arg(value_name = "NUMBER", allow_negative_numbers = true)]
    pub numbers: Vec<String>,
    /// Take nothing; say how many rows would go
    #[arg(long, alias = "dry_run")]
    pub dry_run: bool,
}

impl RowsArgs {
    /// The days and the rows, each by its name or by its place (as `glance-manage` takes them), or as it is without.
    ///
    /// # Errors
    /// One is no number, or is there twice, or there are more; the words are Glance's.
    pub fn numbers(&self, age_in_days: Option<i64>, default_age: i64) -> Result<(i64, i64), String> {
        let one = |at: usize, name: &str, named: Option<i64>| match (self.numbers.get(at), named) {
            (Some(_), Some(_)) => Err(format!("{name} is there twice")),
            (Some(text), None) => text.parse().map(Some).map_err(|_| format!("Invalid int value for {name}: {text}")),
            (None, named) => Ok(named),
        };
        if let Some(more) = self.numbers.get(2) {
            return Err(format!("there are two numbers, age_in_days and max_rows, and no further one: {more}"));
        }
        let age = one(0, "age_in_days", age_in_days)?;
        Ok((age.unwrap_or(default_age), one(1, "max_rows", self.max_rows)?.unwrap_or(100)))
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: u32 = text.parse().map_err(|_| "it takes a whole number of seconds".to_owned())?;
    Ok(Duration::from_secs(seconds.into()))
}
