//! The names of the fleet's tables and columns.

use sea_query::Iden;

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderNodes {
    Table,
    Name,
    SessionHash,
    Beat,
    Ready,
    Notice,
    BeatAt,
    RegisteredAt,
    Labels,
    Address,
    Version,
    BootId,
    RulesVersion,
    UsedBytes,
    FreeBytes,
    TotalBytes,
    DiskGrowthBytes,
    HeldCount,
    QueuedCount,
    FetchingCount,
    FailedCount,
    PinnedCount,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderNodeLabels {
    Table,
    Label,
    Value,
    Node,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderNodeOwners {
    Table,
    Node,
    InstanceHash,
    UserId,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderNodeImages {
    Table,
    ImageId,
    Node,
    State,
    SizeBytes,
    DoneBytes,
    Pinned,
    Digest,
    Why,
    ChangedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderJobs {
    Table,
    Id,
    Action,
    Images,
    Targets,
    Priority,
    UserId,
    CreatedAt,
    ExpiresAt,
    Ended,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderJobNodes {
    Table,
    JobId,
    Node,
    ImageId,
    State,
    Beat,
    Why,
    ChangedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderRules {
    Table,
    Name,
    Document,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderChanges {
    Table,
    Id,
    Seq,
    Event,
    HappenedAt,
    ImageId,
    JobId,
    Node,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum LarderCounters {
    Table,
    Name,
    Value,
}
