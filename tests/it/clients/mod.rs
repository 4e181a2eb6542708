//! OpenStack's own clients, with a real Keystone, at a catalogue and at a real Glance with its own defaults: every
//! command that there is, its end and what it prints compared. And the dashboard.
//!
//! A row of a table is `(who, command, how it ends, what its id is called)`; later rows say `{name}` for that id. How it
//! ends: [`pair::DONE`], [`pair::DIFFERS`] or words of the refusal, which both servers' clients have to say.

pub(crate) mod drive;
mod glance;
mod horizon;
mod imports;
mod openstack;
mod pair;
mod sdk;
mod signed;
mod stores;
