//! Why data is not decompressed.

use crate::base::ByteSize;
use std::io;

/// For the client, who sees it in the task.
#[derive(Debug, thiserror::Error)]
pub(in crate::catalogue::service::imports) enum DecompressError {
    /// Glance asks a library for it.
    #[error("image_decompression: the data is compressed by lha, which is not supported; use gzip, zip, xz or zstd")]
    Lha,
    /// The server's fault.
    #[error("image_decompression: no thread can be started")]
    Thread(#[source] io::Error),
    /// It is damaged, or uses what is not supported.
    #[error("image_decompression: the {kind} data cannot be read after {got} bytes: {why}")]
    Broken {
        /// `gzip`…
        kind: &'static str,
        /// Bytes that went in.
        got: u64,
        /// In words.
        why: String,
    },
    /// A small file that stands for too many bytes.
    #[error(
        "image_decompression: {came} or more came of {got} bytes, which is more than [image_decompression] ratio_limit = {limit} \
         allows",
        came = ByteSize(*.came)
    )]
    Ratio {
        /// Bytes that went in.
        got: u64,
        /// Bytes that came out.
        came: u64,
        /// `ratio_limit`
        limit: u64,
    },
}
