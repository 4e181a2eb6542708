//! What `larder image` takes.

use crate::commands::{
    cli::EXIT_CODES,
    login::LoginArgs,
    node::{PrefetchArgs, WhereArgs},
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `larder image …`.
#[derive(Debug, Args)]
#[command(
    after_help = "The catalogue is the first of: --endpoint, LARDER_ENDPOINT, OS_IMAGE_ENDPOINT_OVERRIDE, OS_IMAGE_ENDPOINT, the one in \
        Keystone's service catalogue when OS_AUTH_URL is set, the one that ./larder-dev/address names, http://127.0.0.1:9292.\n\n\
        Exit codes: 0 done, 1 failed (standard error says what), 2 wrong usage."
)]
pub struct ImageArgs {
    /// Address of the catalogue, such as http://127.0.0.1:9292
    #[arg(long, global = true, value_name = "URL", alias = "os-image-url", help_heading = "Catalogue and login")]
    pub endpoint: Option<String>,
    /// Who asks.
    #[command(flatten)]
    pub login: LoginArgs,
    /// What to do.
    #[command(subcommand)]
    pub verb: ImageVerb,
}

/// What can be done with images.
#[derive(Debug, Subcommand)]
pub enum ImageVerb {
    /// Upload an image file; prints the new image's id
    Push(Box<PushArgs>),
    /// Have the catalogue take an image in, from a file or from a web server, into one or several stores
    Import(Box<ImportArgs>),
    /// Have the catalogue copy an image to further stores
    Copy(CopyArgs),
    /// List images
    List(ListArgs),
    /// Show everything about images
    Show(ShowArgs),
    /// Download an image's data and verify its hash
    Save(SaveArgs),
    /// Have the catalogue read the copies of images in its stores and compare their hashes
    Verify(VerifyArgs),
    /// Delete images
    Delete(DeleteArgs),
    /// Say which nodes have an image
    Where(WhereArgs),
    /// Have nodes fetch images before anybody asks for them
    Prefetch(PrefetchArgs),
}

/// `larder image push`.
#[derive(Debug, Args)]
#[command(after_help = format!("The file is read once, from start to end. If the upload fails, the record that was made for it is removed again \
        (--keep leaves it, in status queued).\n\nExamples:\n  larder image push disk.qcow2 --name debian-12\n  \
        larder image push disk.raw --name web --tag lts --property os_distro=debian --visibility public\n  \
        ID=$(larder image push disk.qcow2 --name ci --quiet)\n\n{EXIT_CODES}"))]
pub struct PushArgs {
    /// The image file
    pub file: PathBuf,
    /// What the image is called, and so on.
    #[command(flatten)]
    pub record: RecordArgs,
    /// How it ends.
    #[command(flatten)]
    pub end: EndArgs,
}

/// What is shown of a new image, and left of one that gets no data.
#[derive(Debug, Args)]
pub struct EndArgs {
    /// Keep the image's record (status queued) when it gets no data
    #[arg(long)]
    pub keep: bool,
    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
    /// Print the whole image as JSON instead of its id
    #[arg(long)]
    pub json: bool,
}

/// What an image's record says.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The image's name
    #[arg(long)]
    pub name: Option<String>,
    /// The id that it shall have (a UUID) [default: the catalogue chooses]
    #[arg(long, value_name = "UUID")]
    pub id: Option<String>,
    /// raw, qcow2, vmdk, vdi, vhd, vhdx, iso, ploop… [default: recognised from the content]
    #[arg(long, value_name = "FORMAT")]
    pub disk_format: Option<String>,
    /// bare, ovf, ova, docker…
    #[arg(long, value_name = "FORMAT", default_value = "bare")]
    pub container_format: String,
    /// private, shared, community or public [default: the catalogue's, shared]
    #[arg(long)]
    pub visibility: Option<String>,
    /// A property, such as os_distro=debian; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub property: Vec<String>,
    /// A tag; may be repeated
    #[arg(long)]
    pub tag: Vec<String>,
    /// Disk that an instance of it needs at least, GiB
    #[arg(long, value_name = "GIB")]
    pub min_disk: Option<u32>,
    /// Memory that an instance of it needs at least, MiB
    #[arg(long, value_name = "MIB")]
    pub min_ram: Option<u32>,
    /// Refuse to delete it until this is taken back
    #[arg(long)]
    pub protected: bool,
}

/// Which stores an image goes to.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Ids of stores, separated by commas [default: the catalogue's]
    #[arg(long, value_name = "STORES", value_delimiter = ',', conflicts_with = "all_stores")]
    pub stores: Vec<String>,
    /// All stores that take data
    #[arg(long)]
    pub all_stores: bool,
    /// Go on when a store fails, while another one takes the data
    #[arg(long)]
    pub allow_failure: bool,
}

/// `larder image import`.
#[derive(Debug, Args)]
#[command(after_help = format!("The data goes to all stores at once. If the import fails, the record that was made for it is removed again \
        (--keep leaves it).\n\nExamples:\n  larder image import disk.qcow2 --name debian-12 --stores fast,slow\n  \
        larder image import https://images.example.org/disk.qcow2 --disk-format qcow2 --name debian-12\n\n{EXIT_CODES}"))]
pub struct ImportArgs {
    /// The image file, or the address of one that the catalogue fetches (http://…, https://…)
    #[arg(value_name = "FILE|URL")]
    pub source: String,
    /// What the image is called, and so on.
    #[command(flatten)]
    pub record: RecordArgs,
    /// Where it goes.
    #[command(flatten)]
    pub targets: TargetArgs,
    /// How it ends.
    #[command(flatten)]
    pub end: EndArgs,
}

/// `larder image copy`.
#[derive(Debug, Args)]
#[command(after_help = format!("The catalogue copies from one of its stores to the others, and verifies the image's hash. Prints the stores that have it.\n\n\
        Examples:\n  larder image copy ID --stores slow\n  larder image copy ID --all-stores --allow-failure\n\n{EXIT_CODES}"))]
pub struct CopyArgs {
    /// The image's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// Where it goes.
    #[command(flatten)]
    pub targets: TargetArgs,
    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// `larder image list`.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:\n  larder image list\n  larder image list --tag lts --status active\n  \
        larder image list --filter os_distro=debian --sort size:asc --limit 10\n  larder image list --columns id,name,checksum\n\n{EXIT_CODES}"))]
pub struct ListArgs {
    /// Only images of this name
    #[arg(long)]
    pub name: Option<String>,
    /// Only images of this status: queued, active, deactivated…
    #[arg(long)]
    pub status: Option<String>,
    /// Only images of this visibility: public, private, shared, community, all
    #[arg(long)]
    pub visibility: Option<String>,
    /// Only images with this tag; may be repeated
    #[arg(long)]
    pub tag: Vec<String>,
    /// Only images whose attribute or property has this value, such as os_distro=debian or size_min=1000; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub filter: Vec<String>,
    /// Order, such as name:asc,size [default: newest first]
    #[arg(long)]
    pub sort: Option<String>,
    /// At most so many images
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Which columns, separated by commas: any attribute or property of an image
    #[arg(long, value_delimiter = ',', default_value = "id,name,status,disk_format,size,visibility")]
    pub columns: Vec<String>,
    /// Print a JSON array of whole images
    #[arg(long)]
    pub json: bool,
}

/// `larder image show`.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:\n  larder image show 5e3c1f0a-…\n  larder image show --json ID | jq .checksum\n\n{EXIT_CODES}"))]
pub struct ShowArgs {
    /// The images' ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// Print JSON: one object a line
    #[arg(long)]
    pub json: bool,
}

/// `larder image save`.
#[derive(Debug, Args)]
#[command(after_help = format!("The data is written beside FILE first and gets that name only when its hash is right.\n\n\
        Examples:\n  larder image save ID disk.qcow2\n\n{EXIT_CODES}"))]
pub struct SaveArgs {
    /// The image's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// Where to; it must not be there yet
    pub file: PathBuf,
    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// `larder image verify`.
#[derive(Debug, Args)]
#[command(after_help = format!("The data is read where it is, once for each store that has it, and nothing is changed. A copy is sound, damaged, missing,\n\
        unreadable, or unhashed (the image has no hash to compare with). What is damaged in one store of several is mended so:\n  \
        glance stores-delete --store slow ID; larder image copy ID --stores slow\n\n\
        Examples:\n  larder image verify ID\n  larder image verify --all --json | jq 'select(.outcome != \"sound\")'\n\n\
        Exit codes: 0 all copies are sound or unhashed, 1 one is not or could not be judged, 2 wrong usage."))]
pub struct VerifyArgs {
    /// The images' ids
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    pub ids: Vec<String>,
    /// All active images that the catalogue lists
    #[arg(long)]
    pub all: bool,
    /// Print JSON: one object a line for each copy
    #[arg(long)]
    pub json: bool,
    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// `larder image delete`.
#[derive(Debug, Args)]
#[command(after_help = format!("Each image is tried, also when one before it could not be deleted.\n\n\
        Examples:\n  larder image delete ID\n  larder image delete ID1 ID2\n\n{EXIT_CODES}"))]
pub struct DeleteArgs {
    /// The images' ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
}
