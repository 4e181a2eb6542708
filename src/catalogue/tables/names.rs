//! The names of tables and columns, and how the columns that all have are written.

use crate::db::Dialect;
use chrono::{DateTime, Utc};
use sea_query::{ColumnRef, Expr, ExprTrait, Func, Iden, IntoColumnRef, Value};

/// A time as a column holds it: UTC, without zone.
pub(super) fn time(at: DateTime<Utc>) -> Value {
    at.naive_utc().into()
}

/// `deleted` is false, so written that no index is looked up for it: nearly every row would match.
pub(super) fn alive(deleted: impl IntoColumnRef) -> Expr {
    Expr::from(Func::coalesce([Expr::col(deleted), Expr::val(false)])).eq(false)
}

/// A column of texts is this one, letter for letter. MySQL's collation takes `A`, `a`, `á` and `a ` for the same text:
/// there the index finds what may be meant, and the bytes decide. (Glance leaves it to the collation.)
pub(super) fn same(dialect: Dialect, column: impl IntoColumnRef, text: &str) -> Expr {
    same_as_any(dialect, column, &[text])
}

/// A column of texts is one of these, letter for letter.
pub(super) fn same_as_any(dialect: Dialect, column: impl IntoColumnRef, texts: &[&str]) -> Expr {
    let column: ColumnRef = column.into_column_ref();
    let among = |it: Expr| match texts {
        [one] => it.eq(*one),
        more => it.is_in(more.iter().copied()),
    };
    let found = Expr::col(column.clone());
    if dialect != Dialect::Mysql {
        return among(found);
    }
    let exact = among(Func::cast_as(Expr::col(column), "BINARY").into());
    // A column of Glance's has no character of four bytes, and is not comparable to one.
    if texts.iter().any(|it| it.chars().any(|it| it.len_utf8() > 3)) { exact } else { among(found).and(exact) }
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
    Id,
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
    Id,
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
pub(super) enum NodeReference {
    Table,
    #[iden = "node_reference_id"]
    Id,
    #[iden = "node_reference_url"]
    Url,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum CachedImages {
    Table,
    Id,
    ImageId,
    LastAccessed,
    LastModified,
    Size,
    Hits,
    Checksum,
    NodeReferenceId,
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

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderImports {
    Table,
    ImageId,
    TaskId,
    ProcessId,
    StagingId,
    Attempts,
    OrderJson,
    Urls,
    CreatedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderStaged {
    Table,
    ImageId,
    StagingId,
    StagedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderTurns {
    Table,
    Slot,
    Turn,
}
