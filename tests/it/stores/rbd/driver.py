"""What Glance's own driver does: write ID FILE | read URL FILE | delete URL."""

import sys

import glance_store
from oslo_config import cfg

conf = cfg.ConfigOpts()
glance_store.register_opts(conf)
conf(["--config-file", sys.argv[1]], project="glance")
glance_store.create_stores(conf)
verb, what = sys.argv[2:4]
if verb == "write":
    with open(sys.argv[4], "rb") as data:
        size = len(data.read())
        data.seek(0)
        print(glance_store.add_to_backend_with_multihash(conf, what, data, size, "sha512", "rbd")[0])
elif verb == "read":
    chunks, size = glance_store.get_from_backend(what)
    with open(sys.argv[4], "wb") as file:
        for chunk in chunks:
            file.write(chunk)
else:
    glance_store.delete_from_backend(what)
