//! The names of tables and columns, and how the columns that all have are written.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Func, Iden, IntoColumnRef, Value};

/// A time as a column holds it: UTC, without zone.
pub(super) fn time(at: DateTime<Utc>) -> Value {
    at.naive_utc().into()
}

/// `deleted` is false, so written that no index is looked up for it: nearly every row would match.
pub(super) fn alive(deleted: impl IntoColumnRef) -> Expr {
    Expr::from(Func::coalesce([Expr::col(deleted), Expr::val(false)])).eq(false)
}

#[derive(Clone, Copy, Iden)]
pub(super) enum AlembicVersion {
    Table,
    VersionNum,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderVersion {
    Table,
    Version,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum Images {
    Table,
    Id,
    Name,
    Size,
    Status,
    CreatedAt,
    UpdatedAt,
    DeletedAt,
    Deleted,
    DiskFormat,
    ContainerFormat,
    Checksum,
    Owner,
    MinDisk,
    MinRam,
    Protected,
    VirtualSize,
    Visibility,
    OsHidden,
    OsHashAlgo,
    OsHashValue,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum ImageProperties {
    Table,
    ImageId,
    Name,
    Value,
    CreatedAt,
    UpdatedAt,
    DeletedAt,
    Deleted,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum ImageTags {
    Table,
    ImageId,
    Value,
    CreatedAt,
    UpdatedAt,
    DeletedAt,
    Deleted,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum ImageLocations {
    Table,
    Id,
    ImageId,
    Value,
    MetaData,
    Status,
    CreatedAt,
    UpdatedAt,
    DeletedAt,
    Deleted,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum ImageMembers {
    Table,
    Id,
    ImageId,
    Member,
    CanShare,
    Status,
    CreatedAt,
    UpdatedAt,
    DeletedAt,
    Deleted,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum Tasks {
    Table,
    Id,
    Type,
    Status,
    Owner,
    ExpiresAt,
    CreatedAt,
    UpdatedAt,
    DeletedAt,
    Deleted,
    ImageId,
    RequestId,
    UserId,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum TaskInfo {
    Table,
    TaskId,
    Input,
    Result,
    Message,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderProcesses {
    Table,
    Id,
    Host,
    Pid,
    PidStarted,
    BeatAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderUploads {
    Table,
    ImageId,
    ProcessId,
    Url,
    StartedAt,
}
