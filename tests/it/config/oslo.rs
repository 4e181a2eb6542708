//! The same files read by Python's oslo.config and by Larder give the same values.

use crate::support::rig;
use larder::config::{self, Sources};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Reads files by oslo.config into options of the same types, and prints them as JSON.
const READER: &str = r#"
import json, sys
from oslo_config import cfg
conf = cfg.ConfigOpts()
conf.register_opts([cfg.StrOpt('bind_host', default='0.0.0.0'), cfg.PortOpt('bind_port', default=9292),
    cfg.StrOpt('public_endpoint'), cfg.BoolOpt('show_image_direct_url', default=False), cfg.IntOpt('api_limit_max', default=1000),
    cfg.DictOpt('enabled_backends', default={})])
conf.register_opts([cfg.ListOpt('disk_formats', default=['raw']), cfg.ListOpt('vmdk_allowed_types', default=[])], group='image_format')
conf.register_opts([cfg.StrOpt('filesystem_store_datadir', default='/d')], group='glance_store')
out = {}
try:
    conf(sys.argv[1:], default_config_files=[], default_config_dirs=[])
    out = {'bind_host': conf.bind_host, 'bind_port': conf.bind_port, 'public_endpoint': conf.public_endpoint,
        'show_image_direct_url': conf.show_image_direct_url, 'api_limit_max': conf.api_limit_max,
        'disk_formats': conf.image_format.disk_formats, 'vmdk_allowed_types': conf.image_format.vmdk_allowed_types,
        'datadir': conf.glance_store.filesystem_store_datadir}
except Exception as error:
    out = {'error': str(error)}
print(json.dumps(out))
"#;

fn by_oslo(python: &Path, files: &[PathBuf]) -> Value {
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-c", READER]);
    for file in files {
        command.arg("--config-file").arg(file);
    }
    let out = command.output().unwrap();
    serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)))
}

fn by_larder(files: &[PathBuf]) -> Value {
    let sources = Sources { files: files.to_vec(), ..Sources::default() };
    match config::catalogue(&sources) {
        Err(error) => json!({ "error": error.to_string() }),
        Ok(loaded) => {
            let it = loaded.settings.settings;
            json!({
                "bind_host": it.bind_host, "bind_port": it.bind_port, "public_endpoint": it.public_endpoint,
                "show_image_direct_url": it.show_image_direct_url, "api_limit_max": it.api_limit_max,
                "disk_formats": it.disk_formats, "vmdk_allowed_types": it.vmdk_allowed_types,
                "datadir": it.store.filesystem_store_datadir,
            })
        }
    }
}

/// Everything set once, so that defaults play no part, then each case's own lines.
const ALL: &str = "[DEFAULT]\nbind_host=h\nbind_port=1\npublic_endpoint=e\nshow_image_direct_url=no\napi_limit_max=7\n\
                   [image_format]\ndisk_formats=raw\nvmdk_allowed_types=x\n[glance_store]\nfilesystem_store_datadir=/d\n";

const CASES: [&str; 26] = [
    "[DEFAULT]\nbind_host = a b\n",
    "[DEFAULT]\nbind_host: colon = equal\n",
    "[DEFAULT]\nbind_host = 'quoted'\npublic_endpoint = \"x\n",
    "[DEFAULT]\nbind_host = \"'twice'\"\n",
    "[DEFAULT]\nbind_host = a # b ; c\n# bind_host = no\n;bind_host = no\n",
    "[DEFAULT]\nbind_host = 100% \\d back\\\npublic_endpoint = http://x:1/?a=b&c=d\n",
    "[DEFAULT]\nbind_host = $public_endpoint/${api_limit_max}/$$x/\\$y\n",
    "[DEFAULT]\nbind_host = ${glance_store.filesystem_store_datadir}/x\n[glance_store]\nfilesystem_store_datadir = /q\n",
    "[glance_store]\nfilesystem_store_datadir = $bind_host/$public_endpoint\n",
    "[DEFAULT]\nbind_host = $nothing_of_that_name\n",
    "[DEFAULT]\nbind_host = one\nbind_host = two\n",
    "[DEFAULT]\nshow_image_direct_url = YES\nbind_port = 8080\n",
    "[DEFAULT]\nshow_image_direct_url = On\napi_limit_max = 5\n",
    "[DEFAULT]\nshow_image_direct_url = perhaps\n",
    "[DEFAULT]\nbind_port = 70000\n",
    "[DEFAULT]\nbind_port = 12a\n",
    "[image_format]\ndisk_formats = raw , qcow2,iso ,\n",
    "[image_format]\ndisk_formats =\n",
    "[image_format]\ndisk_formats = raw,\n  qcow2,\n  iso\n",
    "[IMAGE_FORMAT]\ndisk_formats = upper\n",
    "[image_format]\ndisk_formats = a\n[DEFAULT]\nbind_host = back\n[image_format]\nvmdk_allowed_types = again\n",
    "[DEFAULT]\r\nbind_host = dos\r\n",
    "[DEFAULT]\nno assignment\n",
    "[DEFAULT]\n  bind_host = indented\n",
    "[DEFAULT\nbind_host = x\n",
    "bind_host = outside\n",
];

#[test]
fn larder_reads_what_oslo_reads() {
    let Some(python) = rig::program("python") else { return };
    let dir = tempfile::tempdir().unwrap();
    let all = dir.path().join("all.conf");
    fs::write(&all, ALL).unwrap();
    let mut different = Vec::new();
    for (at, case) in CASES.iter().enumerate() {
        let file = dir.path().join(format!("{at}.conf"));
        fs::write(&file, case).unwrap();
        let files = [all.clone(), file];
        let (want, got) = (by_oslo(&python, &files), by_larder(&files));
        let both_refuse = want.get("error").is_some() && got.get("error").is_some();
        if want != got && !both_refuse {
            different.push(format!("{case:?}\n  oslo   {want}\n  larder {got}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
