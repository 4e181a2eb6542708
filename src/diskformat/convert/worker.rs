//! The child process of a conversion.

use super::{
    jail::{self, Enforced, Limits},
    qcow2,
};
use crate::base::priority::give_way;
use clap::Args;
use nix::{
    sys::{prctl, signal::Signal},
    unistd::getppid,
};
use std::{
    convert::Infallible,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::Command,
};

/// Arguments of the hidden subcommand `convert-worker`, which is started by the daemons only.
#[derive(Clone, Debug, Args)]
pub struct ConvertWorkerArgs {
    /// The image
    pub source: PathBuf,
    /// The file to make, which exists and is empty
    pub target: PathBuf,
    /// Bytes of the disk in the image
    #[arg(long)]
    pub virtual_size: u64,
    /// The process that waits for this one
    #[arg(long)]
    pub parent: i32,
    /// Threads to convert with
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Limit of the address space, bytes
    #[arg(long)]
    pub memory: u64,
    /// Limit of CPU time, seconds
    #[arg(long)]
    pub cpu_seconds: u64,
    /// Give way to all other processes
    #[arg(long)]
    pub idle: bool,
    /// Let this qemu-img do it
    #[arg(long, requires = "driver")]
    pub qemu_img: Option<PathBuf>,
    /// The name of qemu's driver for the image
    #[arg(long)]
    pub driver: Option<String>,
    /// What it makes
    #[arg(long, default_value = "raw")]
    pub output: String,
}

/// What qemu may write beyond the size in the header: it rounds a VHD's up to whole cylinders, and other formats have tables.
const SLACK: u64 = 64 << 20;
const TABLES: u64 = 256;

/// How the worker fails; printed once, for the agent to read.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("the agent is gone")]
    Orphaned,
    #[error("cannot open the image")]
    OpenSource(#[source] io::Error),
    #[error("cannot open the target")]
    OpenTarget(#[source] io::Error),
    #[error("cannot set the limits")]
    Limit(#[source] io::Error),
    #[error("cannot close off the file system")]
    CloseOff(#[source] io::Error),
    #[error("cannot convert")]
    Convert(#[source] io::Error),
    #[error("cannot execute qemu-img")]
    Execute(#[source] io::Error),
}

/// Converts, and returns the exit code. Progress and errors go to standard output.
pub fn worker_main(args: ConvertWorkerArgs) -> i32 {
    let result = match &args.qemu_img {
        None => natively(&args),
        Some(program) => by_qemu_img(&args, program).map(|never| match never {}),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            // Nobody is left to tell when this fails.
            let _ = writeln!(io::stdout(), "{}", crate::base::chain(&error));
            1
        }
    }
}

fn natively(args: &ConvertWorkerArgs) -> Result<(), WorkerError> {
    let source = File::open(&args.source).map_err(WorkerError::OpenSource)?;
    let target = OpenOptions::new().write(true).open(&args.target).map_err(WorkerError::OpenTarget)?;
    settle(args)?;
    announce(jail::close_off().map_err(WorkerError::CloseOff)?, jail::deny_network());
    let report = |done| writeln!(io::stdout(), "done {done}");
    qcow2::convert(source, target, args.virtual_size, args.threads, report).map_err(WorkerError::Convert)
}

fn by_qemu_img(args: &ConvertWorkerArgs, program: &PathBuf) -> Result<Infallible, WorkerError> {
    settle(args)?;
    jail::small_stacks().map_err(WorkerError::Limit)?;
    let jail = jail::close_off_for(program, &args.source, &args.target).map_err(WorkerError::CloseOff)?;
    announce(jail, jail::deny_network());
    let driver = args.driver.as_deref().unwrap_or("raw");
    let mut command = Command::new(program);
    // Writeback: the agent syncs the file before it publishes it.
    command.args(["convert", "-p", "-W", "-t", "writeback", "-f", driver, "-O", &args.output]);
    Err(WorkerError::Execute(command.arg(&args.source).arg(&args.target).exec()))
}

/// Dies with the agent, steps back if asked to, and takes its limits.
fn settle(args: &ConvertWorkerArgs) -> Result<(), WorkerError> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|it| WorkerError::Limit(it.into()))?;
    if getppid().as_raw() != args.parent {
        return Err(WorkerError::Orphaned);
    }
    if args.idle {
        give_way();
    }
    let file_size = args.virtual_size.saturating_add(args.virtual_size / TABLES).saturating_add(SLACK);
    jail::limit(&Limits { memory: args.memory, cpu_seconds: args.cpu_seconds, file_size }).map_err(WorkerError::Limit)
}

fn announce(enforced: Enforced, network: Result<(), String>) {
    let network = network.err().map_or_else(|| "no sockets".to_owned(), |why| format!("sockets stay: {why}"));
    let _ = writeln!(io::stdout(), "jail {enforced}, {network}");
}
