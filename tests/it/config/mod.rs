//! The configuration: shipped files, and oslo.config itself as the judge of what a file means.

#[cfg(feature = "agent")]
mod nova;
#[cfg(feature = "catalogue")]
mod oslo;
mod shipped;
