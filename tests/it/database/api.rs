//! Tests of the API, which run on SQLite where they stand, on the other databases.

use crate::{
    api::{
        access::{members, tenancy},
        conditional,
        images::{actions, create, data, delete, list, tags, update},
        metadefs::{content, namespaces},
        on_engine,
    },
    support::database::{mysql, postgres},
};

pub(super) const IMAGES: [fn(); 15] = [
    create::an_image_is_made_with_glances_defaults,
    create::an_id_is_used_once_and_never_again,
    create::what_is_wrong_is_refused,
    create::quotas_are_kept,
    data::what_goes_in_comes_out,
    data::uploads_are_refused_with_nothing_left,
    list::pages_lead_to_the_next_with_all_parameters,
    list::filters,
    update::changes_are_made_in_order_and_all_or_none,
    update::what_is_wrong_is_refused,
    tags::tags_come_and_go,
    actions::active_images_are_closed_and_opened_again,
    delete::deleted_images_are_gone,
    delete::protected_images_stay,
    delete::data_goes_with_its_image,
];

pub(super) const OTHERS: [fn(); 9] = [
    members::an_image_is_offered_taken_and_taken_back,
    members::members_are_counted,
    namespaces::a_namespace_is_made_with_all_that_is_in_it,
    namespaces::pages_follow_each_other,
    namespaces::a_namespace_is_renamed_protected_and_deleted,
    content::tags_are_replaced_or_added_to,
    content::properties_come_and_go,
    content::objects_come_and_go,
    content::a_namespace_is_associated_with_resource_types,
];

const RACES: [fn(); 3] = [
    conditional::a_change_can_depend_on_the_state_that_was_seen,
    conditional::changes_at_the_same_time_lose_nothing,
    conditional::of_changes_to_one_state_one_is_made_whichever_process_is_asked,
];

#[test]
fn changes_at_the_same_time_on_mariadb() {
    on_engine(mysql, &RACES);
}

#[test]
fn changes_at_the_same_time_on_postgresql() {
    on_engine(postgres, &RACES);
}

#[test]
fn images_on_mariadb() {
    on_engine(mysql, &IMAGES);
}

#[test]
fn images_on_postgresql() {
    on_engine(postgres, &IMAGES);
}

#[test]
fn members_and_definitions_on_mariadb() {
    on_engine(mysql, &OTHERS);
}

#[test]
fn members_and_definitions_on_postgresql() {
    on_engine(postgres, &OTHERS);
}

#[test]
fn projects_keep_what_is_theirs_on_mariadb() {
    on_engine(mysql, &[tenancy::projects_keep_what_is_theirs]);
}

#[test]
fn projects_keep_what_is_theirs_on_postgresql() {
    on_engine(postgres, &[tenancy::projects_keep_what_is_theirs]);
}
