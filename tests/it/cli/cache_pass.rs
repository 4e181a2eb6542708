//! One pass over the catalogue's image cache, by `larder catalogue cache` and by the names of Glance's programs.

use crate::{
    api::Server,
    support::{LARDER, larder, output, text},
};
use std::{fs, os::unix::fs::symlink, process::Command};

#[test]
fn passes_do_what_glances_programs_do() {
    let dir = tempfile::tempdir().unwrap();
    let options = format!(
        "image_cache_dir = {}/cache\nworker_self_reference_url = http://node.example\n[paste_deploy]\nflavor = cachemanagement",
        dir.path().display()
    );
    let (database, images) = (dir.path().join("catalogue.sqlite"), dir.path().join("images"));
    let mut server = Server::over(dir, &database, &images, &options);
    let (one, two) = (server.upload(&[1; 70_000]), server.upload(&[2; 70_000]));
    let cache = server.dir.path().join("cache");
    assert!(server.daemon.stop().success());
    // As `glance-cache-manage queue-image` leaves it, at a Glance that is not asked now.
    for id in [&one, &two] {
        fs::write(cache.join("queue").join(id), "").unwrap();
    }
    let by_name = |name: &str| {
        let link = server.dir.path().join(name);
        symlink(LARDER, &link).unwrap();
        let mut command = Command::new(link);
        for (name, _) in larder(&[]).get_envs() {
            command.env_remove(name);
        }
        let out = output(command.args(["--config-file", "catalogue.conf"]).current_dir(server.dir.path()));
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    let (code, said, log) = by_name("glance-cache-prefetcher");
    assert_eq!((code, said.as_str()), (Some(0), "Cached 2 image(s), 0 failed.\n"), "{log}");
    assert!(cache.join(&one).exists() && cache.join(&two).exists());
    assert_eq!(fs::read_dir(cache.join("queue")).unwrap().count(), 0);
    fs::write(cache.join("invalid/x"), "x").unwrap();
    let (code, said, log) = by_name("glance-cache-cleaner");
    assert_eq!((code, said.as_str()), (Some(0), "Removed 1 invalid and 0 stalled file(s).\n"), "{log}");
    let conf = server.dir.path().join("catalogue.conf");
    let text_of = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text_of.replace("image_cache_dir", "image_cache_max_size = 100000\nimage_cache_dir")).unwrap();
    let (code, said, log) = by_name("glance-cache-pruner");
    assert_eq!((code, said.as_str()), (Some(0), "Pruned 1 file(s), 70000 byte(s).\n"), "{log}");
    let pass = |verb: &str| {
        let args = ["catalogue", "--config-file", "catalogue.conf", "cache", verb];
        let out = output(larder(&args).current_dir(server.dir.path()));
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    assert_eq!(pass("prune").1, "Pruned 0 file(s), 0 byte(s).\n");
    fs::write(cache.join("queue/00000000-1111-2222-3333-444444444444"), "").unwrap();
    let (code, _, log) = pass("prefetch");
    assert!(code == Some(1) && log.contains("larder: 00000000-1111-2222-3333-444444444444: "), "{log}");
    fs::write(&conf, text_of.replace("image_cache_dir", "#image_cache_dir")).unwrap();
    let (code, _, log) = pass("clean");
    assert!(code == Some(1) && log.contains("image_cache_dir is not set"), "{log}");
    assert!(cache.join("queue/00000000-1111-2222-3333-444444444444").exists());
}
