//! The node's side: real agents, and a real catalogue.

mod gone;
mod many;
mod outage;
mod rules;
mod site;
mod work;
