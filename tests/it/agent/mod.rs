//! The node agent over a directory like nova's, with disks made by `qemu-img`.

mod admin;
mod base_dir;
mod check;
mod holes;
mod in_use;
mod irreplaceable;
mod large;
mod locks;
mod manners;
mod node;
mod openers;
mod pins;
mod prefetch;
mod privileges;
mod prune;
mod resume;
mod scrub;
mod shared;
mod signed;
mod site;
mod space;
mod stock_glance;
mod surprises;
#[cfg(feature = "catalogue")]
mod through;
