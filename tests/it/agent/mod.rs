//! The node agent over a directory like nova's, with disks made by `qemu-img`.

mod admin;
mod base_dir;
mod in_use;
mod locks;
mod node;
mod prefetch;
mod prune;
mod resume;
mod site;
mod stock_glance;
