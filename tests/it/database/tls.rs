//! Encrypted connections to real servers, as a connection string of Glance's asks for them.

use crate::support::{
    daemon::Daemon,
    database::answer,
    own_server::{self, Authority, OwnServer, own},
    wait_until,
};
use std::{fs, path::Path, time::Duration};

/// What `larder catalogue db version` says with this connection string: whether it reached the database, and its words.
/// A failure that is taken for a passing one would be tried again for ever.
fn reaches(url: &str) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let conf = format!("[database]\nconnection = {url}\nmax_retries = -1\nretry_interval = 1\n");
    fs::write(dir.path().join("c.conf"), conf).unwrap();
    let mut daemon = Daemon::start(dir.path(), "c", &["catalogue", "--config-file", "c.conf", "db", "version"]);
    let mut status = None;
    wait_until("an answer", Duration::from_secs(120), || {
        status = daemon.ended();
        status.is_some()
    });
    (status.unwrap().success(), daemon.log())
}

#[track_caller]
fn works(url: &str) {
    let (works, said) = reaches(url);
    assert!(works && !said.contains("not used"), "{url}: {said}");
}

#[track_caller]
fn fails(url: &str, words: &[&str]) {
    let (works, said) = reaches(url);
    assert!(!works && words.iter().all(|it| said.contains(it)) && !said.contains("hidden"), "{url}: {words:?}\n{said}");
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

#[test]
fn mariadb_is_met_as_pymysql_meets_it() {
    let Some((program, install)) = own_server::mariadb_programs() else { return };
    let dir = own_server::open_folder();
    let (Some(ours), Some(another)) = (Authority::new(dir.path(), "ours"), Authority::new(dir.path(), "another"))
    else {
        return;
    };
    let [cert, key] = ours.sign("server", "DNS:localhost,IP:127.0.0.1", Some("mysql"));
    let [client_cert, client_key] = ours.sign("client", "DNS:client", None);
    let data = dir.path().join("data");
    own_server::make_mariadb(&install, &data);
    let (ca, wrong) = (ours.file(), another.file());
    let option = |name: &str, file: &Path| format!("--{name}={}", file.display());
    let options = [option("ssl-ca", &ca), option("ssl-cert", &cert), option("ssl-key", &key)];
    let server = OwnServer::mariadb(&program, &data, &options);
    let admin = format!("mysql://root@{}/mysql", server.address());
    for sql in [
        "CREATE DATABASE glance",
        "CREATE USER free IDENTIFIED BY 'hidden'",
        "CREATE USER secure IDENTIFIED BY 'hidden' REQUIRE SSL",
        "CREATE USER known IDENTIFIED BY 'hidden' REQUIRE SUBJECT '/CN=client'",
        "GRANT ALL ON glance.* TO free, secure, known",
    ] {
        answer(&admin, sql).unwrap();
    }
    let url = |user: &str, options: &str| {
        format!("mysql+pymysql://{user}:hidden@{}/glance?charset=utf8{options}", server.address())
    };
    let (ca, wrong) = (format!("&ssl_ca={}", path(&ca)), format!("&ssl_ca={}", path(&wrong)));
    works(&url("free", ""));
    works(&url("secure", &ca));
    works(&url("secure", &format!("{ca}&ssl_verify_cert=true&ssl_verify_identity=true")));
    works(&url("secure", &format!("{wrong}&ssl_verify_cert=false")));
    works(&url("secure", "&ssl_mode=REQUIRED"));
    let client = format!("&ssl_cert={}&ssl_key={}", path(&client_cert), path(&client_key));
    works(&url("known", &format!("{ca}{client}")));
    fails(&url("known", &ca), &["Access denied"]);
    fails(&url("secure", ""), &["Access denied", "takes encrypted connections only", "ssl_ca="]);
    fails(&url("secure", &wrong), &["no TLS with the database", "signed by nobody in ssl_ca = ", "another.pem"]);
    fails(&url("free", "&ssl_ca=/no/such/file"), &["its ssl_ca = /no/such/file cannot be used", "No such file"]);
    fails(&url("free", &format!("&ssl_ca={}", path(&key))), &["its ssl_ca = ", "no certificate in it"]);
    fails(&url("free", &format!("&ssl_cert={}", path(&client_cert))), &["ssl_cert and ssl_key go together"]);
    // By what is not asked for, nobody is to believe himself safe.
    fails(&url("free", "&ssl_capath=/etc/ssl"), &["ssl_capath is not known here", "ssl_verify_cert"]);
    let (works_too, said) = reaches(&url("free", "&read_timeout=5&connect_timeout=3"));
    assert!(works_too && said.contains("options that are not used: connect_timeout, read_timeout"), "{said}");

    answer(&admin, "SET GLOBAL require_secure_transport = ON").unwrap();
    fails(&url("free", ""), &["Access denied", "takes encrypted connections only", "ssl_ca="]);
    works(&url("free", &ca));
    drop(server);

    // A certificate of another name, and a server without TLS.
    let [cert, key] = ours.sign("other", "DNS:db.example.org", Some("mysql"));
    let server = OwnServer::mariadb(&program, &data, &[option("ssl-cert", &cert), option("ssl-key", &key)]);
    let url = |options: &str| format!("mysql+pymysql://free:hidden@{}/glance?charset=utf8{options}", server.address());
    fails(&url(&ca), &["is not for the name", "ssl_check_hostname=false lets any name pass"]);
    works(&url(&format!("{ca}&ssl_check_hostname=false")));
    drop(server);
    let server = OwnServer::mariadb(&program, &data, &["--skip-ssl".to_owned()]);
    let url = format!("mysql+pymysql://free:hidden@{}/glance?charset=utf8{ca}", server.address());
    fails(&url, &["the server has none, and [database] connection asks for it with ssl_ca="]);
}

#[test]
fn postgresql_is_met_as_libpq_meets_it() {
    let Some(programs) = own_server::postgres_programs() else { return };
    let dir = own_server::open_folder();
    let (Some(ours), Some(another)) = (Authority::new(dir.path(), "ours"), Authority::new(dir.path(), "another"))
    else {
        return;
    };
    let [cert, key] = ours.sign("server", "DNS:localhost", Some("postgres"));
    let [client_cert, client_key] = ours.sign("known", "DNS:client", None);
    let data = dir.path().join("data");
    own_server::make_postgres(&programs, &data);
    let access = "hostssl glance known all cert\nhostssl all all all trust\nhostnossl all postgres all trust\n";
    fs::write(data.join("pg_hba.conf"), access).unwrap();
    own(&data.join("pg_hba.conf"), "postgres");
    let setting = |name: &str, file: &Path| format!("{name}={}", file.display());
    let (ca, wrong) = (ours.file(), another.file());
    let settings = [
        "ssl=on".to_owned(),
        setting("ssl_ca_file", &ca),
        setting("ssl_cert_file", &cert),
        setting("ssl_key_file", &key),
    ];
    let server = OwnServer::postgres(&programs, &data, &settings);
    let admin = format!("postgresql://postgres@{}/postgres", server.address());
    for sql in ["CREATE DATABASE glance", "CREATE USER secure", "CREATE USER known"] {
        answer(&admin, sql).unwrap();
    }
    let port = server.port;
    let url =
        |host: &str, user: &str, options: &str| format!("postgresql+psycopg2://{user}@{host}:{port}/glance{options}");
    let (ca, wrong) = (format!("&sslrootcert={}", path(&ca)), format!("&sslrootcert={}", path(&wrong)));
    let full = format!("?sslmode=verify-full{ca}");
    for options in ["", "?sslmode=prefer", "?sslmode=require", &format!("?sslmode=require{ca}"), &full] {
        works(&url("localhost", "secure", options));
    }
    works(&url("127.0.0.1", "secure", &format!("?sslmode=verify-ca{ca}")));
    let client = format!("&sslcert={}&sslkey={}", path(&client_cert), path(&client_key));
    works(&url("localhost", "known", &format!("{full}{client}")));
    fails(&url("localhost", "known", &full), &["cannot connect to the database"]);
    fails(&url("127.0.0.1", "secure", &full), &["is not for the name", "sslmode=verify-ca lets any name pass"]);
    for mode in ["verify-full", "verify-ca", "require"] {
        let words = ["no TLS with the database", "signed by nobody in sslrootcert = ", "another.pem"];
        fails(&url("localhost", "secure", &format!("?sslmode={mode}{wrong}")), &words);
    }
    fails(&url("localhost", "secure", "?sslmode=disable"), &["takes encrypted connections only", "sslrootcert="]);
    fails(&url("localhost", "secure", "?sslmode=verify-full"), &["sslmode needs sslrootcert="]);
    fails(&url("localhost", "secure", "?sslmode=always"), &["sslmode is none of PostgreSQL's"]);
    fails(&url("localhost", "secure", "?sslmode=require&sslcrl=/x"), &["sslcrl is not known here"]);
    let (works_too, said) = reaches(&url("localhost", "secure", "?target_session_attrs=any"));
    assert!(works_too && said.contains("options that are not used: target_session_attrs"), "{said}");
    drop(server);

    let server = OwnServer::postgres(&programs, &data, &["ssl=off".to_owned()]);
    let url = format!("postgresql://postgres@localhost:{}/glance{full}", server.port);
    fails(&url, &["the server has none, and [database] connection asks for it with sslmode=verify-full"]);
}
