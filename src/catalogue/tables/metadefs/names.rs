//! The names of tables and columns.

use sea_query::Iden;

#[derive(Clone, Copy, Iden)]
pub(super) enum MetadefNamespaces {
    Table,
    Id,
    Namespace,
    DisplayName,
    Description,
    Visibility,
    Protected,
    Owner,
    CreatedAt,
    UpdatedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum MetadefResourceTypes {
    Table,
    Id,
    Name,
    Protected,
    CreatedAt,
    UpdatedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum MetadefNamespaceResourceTypes {
    Table,
    ResourceTypeId,
    NamespaceId,
    PropertiesTarget,
    Prefix,
    CreatedAt,
    UpdatedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum MetadefProperties {
    Table,
    Id,
    NamespaceId,
    Name,
    JsonSchema,
    CreatedAt,
    UpdatedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum MetadefObjects {
    Table,
    Id,
    NamespaceId,
    Name,
    Description,
    Required,
    JsonSchema,
    CreatedAt,
    UpdatedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum MetadefTags {
    Table,
    Id,
    NamespaceId,
    Name,
    CreatedAt,
    UpdatedAt,
}
