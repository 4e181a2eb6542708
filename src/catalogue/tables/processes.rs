//! The table `larder_processes`: which catalogue processes write data, and when each was last alive.

use crate::catalogue::tables::names::{LarderProcesses, time};
use crate::db::{DbError, Tx};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, OnConflict, Query};

/// A process, so named that another one on the same machine can tell whether it still runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Random; a new one at each start.
    pub(crate) id: String,
    /// The boot of the machine and the space of process numbers that `pid` counts in.
    pub(crate) host: String,
    /// Its number there.
    pub(crate) pid: i64,
    /// When that began, in the kernel's ticks, since numbers are used again.
    pub(crate) pid_started: i64,
}

/// Says that the process is alive; enters it if need be.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn beat(tx: &Tx<'_>, process: &Process, now: DateTime<Utc>) -> Result<(), DbError> {
    use LarderProcesses::{BeatAt, Host, Id, Pid, PidStarted, Table};
    let mut statement = Query::update();
    statement.table(Table).value(BeatAt, time(now)).and_where(Expr::col(Id).eq(process.id.as_str()));
    if tx.execute(&statement)? > 0 {
        return Ok(());
    }
    let mut statement = Query::insert();
    statement.into_table(Table).columns([Id, Host, Pid, PidStarted, BeatAt]);
    let (id, host) = (Expr::val(process.id.as_str()), Expr::val(process.host.as_str()));
    statement.values_panic([id, host, process.pid.into(), process.pid_started.into(), Expr::val(time(now))]);
    // Its first upload and its first beat may both be under way.
    statement.on_conflict(OnConflict::column(Id).update_column(BeatAt).to_owned());
    tx.execute(&statement).map(drop)
}

/// All processes but one, each with its last beat.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn others(tx: &Tx<'_>, but: &str) -> Result<Vec<(Process, DateTime<Utc>)>, DbError> {
    use LarderProcesses::{BeatAt, Host, Id, Pid, PidStarted, Table};
    let mut query = Query::select();
    query.columns([Id, Host, Pid, PidStarted, BeatAt]).from(Table).and_where(Expr::col(Id).ne(but));
    let rows = tx.select(&query)?;
    rows.iter()
        .map(|row| {
            let (pid, pid_started) = (row.get(2)?, row.get(3)?);
            Ok((Process { id: row.get(0)?, host: row.get(1)?, pid, pid_started }, row.get(4)?))
        })
        .collect()
}

/// Strikes a process off, unless it has given a sign of life since `beat_at`.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn strike(tx: &Tx<'_>, id: &str, beat_at: DateTime<Utc>) -> Result<bool, DbError> {
    let mut statement = Query::delete();
    statement.from_table(LarderProcesses::Table).and_where(Expr::col(LarderProcesses::Id).eq(id));
    statement.and_where(Expr::col(LarderProcesses::BeatAt).eq(Expr::val(time(beat_at))));
    Ok(tx.execute(&statement)? > 0)
}

// === impl Process ===

impl Process {
    /// This process, under a new random id.
    pub(crate) fn this() -> Self {
        let pid = i64::from(std::process::id());
        let pid_started = started(pid).unwrap_or(0);
        Self { id: uuid::Uuid::new_v4().to_string(), host: host(), pid, pid_started }
    }

    /// Whether it runs; none when this machine cannot know.
    pub(crate) fn runs(&self) -> Option<bool> {
        let here = host();
        if here.is_empty() || here != self.host {
            return None;
        }
        Some(started(self.pid) == Some(self.pid_started))
    }
}

/// The boot of the machine and the process-number space (containers on one machine count apart); empty if unknown.
fn host() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    if boot.is_empty() { String::new() } else { format!("{} {}", boot.trim(), space.display()) }
}

/// When the process began, in ticks since boot: field 22 of `/proc/<pid>/stat`, counted after the name in brackets.
fn started(pid: i64) -> Option<i64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
