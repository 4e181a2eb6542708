//! `/larder/…`: what no Glance has, apart from its name space.

mod asked;
mod body;
mod params;
mod v1;

pub(super) use v1::routes;
