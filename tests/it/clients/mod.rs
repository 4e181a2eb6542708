//! OpenStack's own clients, with a real Keystone.

mod horizon;
