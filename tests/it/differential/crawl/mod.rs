//! The switch in place: a real Glance fills a database and a store; Larder takes both over with the same
//! `glance-api.conf` and serves the same; what Larder then writes, a Glance that comes back serves the same.

mod fill;
mod served;
mod walk;

use super::{
    pair::{Tokens, configuration, connection, start_larder, write_schema},
    request::{Request, Who},
};
use crate::{
    api::Server,
    database::glance_manage,
    support::{
        database::{Scratch, mysql, postgres},
        free_port,
        rig::{self, Keystone, OwnGlance},
        run,
    },
};
use fill::Filler;
use served::compare;
use std::{fs, net::SocketAddr, process::Command};
use tempfile::TempDir;
use walk::walk;

/// A database, a store, and the configuration of both servers, which take turns at one address.
struct Site {
    dir: TempDir,
    port: u16,
    keystone: &'static Keystone,
    tokens: Tokens,
    on_postgres: bool,
}

// === impl Site ===

impl Site {
    /// One on this database; on an SQLite file without one.
    fn new(scratch: Option<&Scratch>) -> Option<Self> {
        let keystone = rig::keystone()?;
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let database = connection(scratch, dir.path());
        let text = configuration(dir.path(), port, &keystone.auth_url, &database);
        // Tasks may then be told to read from this machine.
        let text = text + "[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n";
        fs::write(dir.path().join("glance-api.conf"), text).unwrap();
        let other = Server::start();
        let on_postgres = scratch.is_some_and(|it| it.kind == "postgresql");
        write_schema(other.address, None, dir.path());
        Some(Self { dir, port, keystone, tokens: Tokens::of(keystone), on_postgres })
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn glance(&self) -> OwnGlance {
        OwnGlance::start(self.dir.path(), self.port, &self.keystone.auth_url).unwrap()
    }

    /// Something of the server that runs.
    fn ask(&self, request: &Request) -> crate::api::Answer {
        let answer = request.send(self.address(), self.tokens.get(request.who));
        answer.unwrap_or_else(|| panic!("no answer to {request}"))
    }
}

fn switches_there_and_back(scratch: Option<&Scratch>) {
    let Some(manage) = glance_manage() else { return };
    let Some(site) = Site::new(scratch) else { return };

    let glance = site.glance();
    let mut glances = Filler::new(&site, "glance");
    glances.fill();
    let by_glance = walk(&site);
    drop(glance);

    let mut larder = start_larder(site.dir.path(), site.port);
    let by_larder = walk(&site);
    compare("what Glance wrote", &by_larder, &by_glance);
    let mut larders = Filler::new(&site, "larder");
    larders.fill();
    larders.change(&glances);
    let by_larder = walk(&site);
    assert!(larder.stop().success(), "{}", larder.log());

    let config = site.dir.path().join("glance-api.conf");
    // Glance's check knows of SQLite and MySQL only.
    let verb = if site.on_postgres { "version" } else { "check" };
    run(Command::new(&manage).arg("--config-file").arg(&config).args(["db", verb]));
    let _glance = site.glance();
    compare("what Larder wrote", &by_larder, &walk(&site));
    // And it is Glance's to change.
    glances.change(&larders);
}

#[test]
fn from_glance_to_larder_and_back_on_sqlite() {
    switches_there_and_back(None);
}

#[test]
fn from_glance_to_larder_and_back_on_mariadb() {
    let Some(scratch) = mysql() else { return };
    switches_there_and_back(Some(&scratch));
}

#[test]
fn from_glance_to_larder_and_back_on_postgresql() {
    let Some(scratch) = postgres() else { return };
    switches_there_and_back(Some(&scratch));
}

/// What a caller is that the tests ask as.
const CALLERS: [Who; 3] = [Who::Admin, Who::Member, Who::Other];
