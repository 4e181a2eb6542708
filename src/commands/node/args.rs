//! What `larder node` takes.

use crate::commands::{cli::EXIT_CODES, login::LoginArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `larder node …`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nodes are those whose agents have registered at the catalogue. The catalogue is found as `larder image --help` says; looking \
        takes the policy rule larder_fleet_read, the rest larder_fleet_write (both: role admin).\n\n\
        Exit codes: 0 done, 1 failed (standard error says what), 2 wrong usage."
)]
pub struct NodeArgs {
    /// Address of the catalogue, such as http://127.0.0.1:9292
    #[arg(long, global = true, value_name = "URL", alias = "os-image-url", help_heading = "Catalogue and login")]
    pub endpoint: Option<String>,
    /// Who asks.
    #[command(flatten)]
    pub login: LoginArgs,
    /// What to do.
    #[command(subcommand)]
    pub verb: NodeVerb,
}

/// What can be done with nodes.
#[derive(Debug, Subcommand)]
pub enum NodeVerb {
    /// List nodes
    List(ListArgs),
    /// Show a node and what it holds
    Show(ShowArgs),
    /// Have nodes fetch images
    Queue(AskArgs),
    /// Have nodes fetch images and never prune them
    Pin(AskArgs),
    /// Let nodes prune images again
    Unpin(AskArgs),
    /// Have nodes remove images, unless an instance uses them
    Remove(AskArgs),
    /// What became of what nodes were asked for
    Job(JobArgs),
    /// Rules by which nodes fetch images by themselves
    Rules(RulesArgs),
    /// Forget a node that is gone for good; one that lives registers again
    #[command(after_help = format!("Examples:\n  larder node forget compute-17\n\n{EXIT_CODES}"))]
    Forget {
        /// The node's name
        name: String,
    },
}

/// `larder node list`.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:\n  larder node list\n  larder node list --nodes site=x,rack=r1\n  \
        larder node list --json | jq -r '.[] | select(.state == \"down\").name'\n\n{EXIT_CODES}"))]
pub struct ListArgs {
    /// Only nodes with these labels, such as site=x,rack=r1
    #[arg(long, value_name = "LABELS", default_value = "", hide_default_value = true)]
    pub nodes: String,
    /// Print a JSON array of whole nodes
    #[arg(long)]
    pub json: bool,
}

/// `larder node show`.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:\n  larder node show compute-17\n  larder node show compute-17 --json | jq .images\n\n{EXIT_CODES}"))]
pub struct ShowArgs {
    /// The node's name
    pub name: String,
    /// Print JSON: the node, with its images
    #[arg(long)]
    pub json: bool,
}

/// Which nodes.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct WhichArgs {
    /// This node; may be repeated
    #[arg(long, value_name = "NAME")]
    pub node: Vec<String>,
    /// The nodes with these labels, such as site=x,rack=r1
    #[arg(long, value_name = "LABELS")]
    pub nodes: Option<String>,
    /// Every node
    #[arg(long)]
    pub all: bool,
}

/// How it is asked for.
#[derive(Clone, Debug, Args)]
pub struct HowArgs {
    /// From -100 to 100, the greatest first
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub priority: i32,
    /// Wait until every node that is up is through, and show how far they are
    #[arg(short, long)]
    pub wait: bool,
    /// Print JSON: the job; with --wait also what became of it on each node
    #[arg(long)]
    pub json: bool,
}

/// `larder node queue`, `pin`, `unpin` and `remove`.
#[derive(Clone, Debug, Args)]
#[command(after_help = format!("Prints the id of the job; nodes that are down do it when they come back.\n\nExamples:\n  \
        larder node queue IMAGE --node compute-17\n  larder node pin IMAGE --nodes site=x,rack=r1 --wait\n  \
        larder node remove IMAGE1 IMAGE2 --all\n\n\
        Exit codes: 0 asked for, or (--wait) done; 1 failed, on one node or all; 2 wrong usage."))]
pub struct AskArgs {
    /// The images' ids
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
    /// Which nodes.
    #[command(flatten)]
    pub which: WhichArgs,
    /// How.
    #[command(flatten)]
    pub how: HowArgs,
}

/// `larder image prefetch`.
#[derive(Clone, Debug, Args)]
#[command(after_help = format!("The same as `larder node queue` (with --pin: `larder node pin`).\n\nExamples:\n  \
        larder image prefetch ID --nodes site=x --wait\n  larder image prefetch ID1 ID2 --all --pin\n  \
        JOB=$(larder image prefetch ID --all); larder node job $JOB\n\n\
        Exit codes: 0 asked for, or (--wait) done; 1 failed, on one node or all; 2 wrong usage."))]
pub struct PrefetchArgs {
    /// The images, and the nodes that are to have them.
    #[command(flatten)]
    pub ask: AskArgs,
    /// Never prune them there
    #[arg(long)]
    pub pin: bool,
}

/// `larder image where`.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:\n  larder image where ID\n  larder image where ID --json | jq -r '.[] | select(.state == \"cached\").node'\n\n{EXIT_CODES}"))]
pub struct WhereArgs {
    /// The image's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
}

/// `larder node job`.
#[derive(Debug, Args)]
#[command(after_help = format!("Without an id, the newest jobs.\n\nExamples:\n  larder node job\n  larder node job ID --wait\n  \
        larder node job ID --cancel\n\nExit codes: 0 done, 1 failed, or it failed on a node, 2 wrong usage."))]
pub struct JobArgs {
    /// The job's id
    pub id: Option<String>,
    /// Give up what no node has taken over yet
    #[arg(long, requires = "id")]
    pub cancel: bool,
    /// Wait until every node that is up is through
    #[arg(short, long, requires = "id", conflicts_with = "cancel")]
    pub wait: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `larder node rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// What to do with rules.
    #[command(subcommand)]
    pub verb: RulesVerb,
}

/// What can be done with rules.
#[derive(Debug, Subcommand)]
pub enum RulesVerb {
    /// List the rules
    #[command(after_help = format!("Examples:\n  larder node rules list\n  larder node rules list --node compute-17\n\n{EXIT_CODES}"))]
    List {
        /// Only those for this node
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
        /// Print JSON: the rules with their version
        #[arg(long)]
        json: bool,
    },
    /// Make a rule, or replace it
    #[command(after_help = format!("FILE is a JSON document, such as {{\"match\": {{\"tags\": [\"golden\"], \"newest\": 2}}, \"nodes\": \"site=x\", \
        \"window\": {{\"opens\": \"0 1 * * *\", \"lasts\": 14400}}, \"budget\": 50000000000, \"pin\": true}}. In `match`: tags, properties, name \
        (with * and ?), visibility, owner, newest (so many of each os_distro and os_version), most_used (on the node).\n\n\
        Examples:\n  larder node rules put golden golden.json\n  \
        echo '{{\"match\": {{\"visibility\": \"public\", \"newest\": 1}}}}' | larder node rules put newest -\n\n{EXIT_CODES}"))]
    Put {
        /// The rule's name
        name: String,
        /// The rule; - reads it from standard input
        file: PathBuf,
    },
    /// Delete rules
    #[command(after_help = format!("Examples:\n  larder node rules delete golden\n\n{EXIT_CODES}"))]
    Delete {
        /// The rules' names
        #[arg(required = true)]
        names: Vec<String>,
    },
}
