//! The agent's side of the admin socket: who may connect, what is answered, and by whom.

mod answer;
mod bind;
mod glance;
mod handler;
mod peers;
mod routes;
mod settings;
#[cfg(test)]
mod tests;

pub use bind::{SocketError, bind};
pub use handler::{Fault, Handler};
pub use peers::Peers;
pub use routes::serve;
pub use settings::Settings;
