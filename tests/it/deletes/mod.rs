//! What becomes of deleted images: delayed deletion, the scrubber, the purge; and encrypted locations, since whoever
//! removes data must read them right.

mod encryption;
