//! The node's side: real agents, and a real catalogue.

mod gone;
mod many;
mod outage;
mod site;
mod work;
