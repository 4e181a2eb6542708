//! The options of the log, the same for both daemons.

use super::options::Options;
use crate::runtime::logging;

pub(super) fn visit(options: &mut Options<'_>, settings: &mut logging::Settings) {
    options.bind("debug", &mut settings.debug, "Log what happens in detail.");
    options.bind(
        "log_level",
        &mut settings.level,
        "What to log: error, warn, info, debug or trace, or module=level pairs such as info,larder::agent=debug. \
         Empty means info, or debug with the option debug.",
    );
    options.bind(
        "use_json",
        &mut settings.json,
        "Log one JSON object a line to standard error. Otherwise the log goes to the journal under systemd, else to standard error as text.",
    );
}
