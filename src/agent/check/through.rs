//! Whether nova-compute asks the read-through endpoint. Pure.

use super::NovaSays;
use crate::admin::Finding;
use crate::agent::through::Settings;
use crate::base::chain;

const TOPIC: &str = "read-through";

pub(super) fn check(settings: &Settings, nova: &NovaSays) -> Finding {
    let Some(bind) = settings.bind else {
        return Finding::ok(TOPIC, "off: nova-compute asks the catalogue itself (read_through_bind is not set)");
    };
    if settings.refused().is_some() {
        return Finding::error(
            TOPIC,
            format!("read_through_bind = {bind} is not a loopback address: the agent does not start"),
            "set read_through_bind = 127.0.0.1:9292 in agent.conf, or read_through_allow_remote = true",
        );
    }
    let remedy = format!(
        "set [glance] endpoint_override = http://{bind} in nova.conf and restart nova-compute, or take read_through_bind out of \
         agent.conf"
    );
    let Some(endpoint) = nova.glance_endpoint.as_deref() else {
        let found = "nova-compute asks the address in Keystone's service catalogue, and not the agent";
        return Finding::warning(TOPIC, found, remedy);
    };
    match url::Url::parse(endpoint) {
        Ok(url) if settings.is_here(&url) => {
            Finding::ok(TOPIC, format!("nova-compute asks the agent at {bind} for images"))
        }
        Ok(_) => Finding::warning(TOPIC, "nova-compute asks another address, and not the agent", remedy),
        Err(error) => Finding::error(
            TOPIC,
            format!("[glance] endpoint_override of nova.conf is no URL: {}", chain(&error)),
            remedy,
        ),
    }
}
