#!/usr/bin/env bash
# keystone.sh PORT IMAGE_PORT [LIFE [SWIFT_PORT]] : a real Keystone, with projects, users, roles, the image service at
# IMAGE_PORT and the object store at SWIFT_PORT. Tokens live for LIFE seconds. Prints "ready" and runs until its standard input ends. CACHE keeps the prepared database.
set -euo pipefail
port=$1 image_port=$2 swift_port=${4:-1}
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
url=http://127.0.0.1:$port/v3
cat >keystone.conf <<C
[DEFAULT]
max_token_size = 1024
[database]
connection = sqlite:///$RIG/keystone.db
[token]
provider = fernet
caching = false
expiration = ${3:-3600}
[fernet_tokens]
key_repository = $RIG/fernet-keys
[fernet_receipts]
key_repository = $RIG/fernet-keys
[credential]
key_repository = $RIG/credential-keys
[identity]
password_hash_rounds = 4
# Without it a token takes some 500 queries; what is revoked is seen at once, in this one process.
[cache]
enabled = true
backend = dogpile.cache.memory
C
export OS_KEYSTONE_CONFIG_FILES=$RIG/keystone.conf
mkdir -p "$CACHE"
exec 9>"$CACHE/lock"
flock 9
cached=$CACHE/keystone-$(cat "$here"/{keystone.sh,bootstrap.py,requirements.txt} | sha256sum | cut -c1-16)
if [ -e "$cached" ]; then
    cp -a "$cached/." .
    # The ports are new in each run.
    python - "$port" "$image_port" "$swift_port" <<'P'
import sqlite3, sys
db = sqlite3.connect('keystone.db')
for kind, port, path in (('identity', sys.argv[1], '/v3'), ('image', sys.argv[2], ''),
                         ('object-store', sys.argv[3], '/v1/AUTH_%(project_id)s')):
    db.execute('UPDATE endpoint SET url = ? WHERE service_id IN (SELECT id FROM service WHERE type = ?)',
               ('http://127.0.0.1:' + port + path, kind))
db.commit()
P
    flock -u 9
    serve "$port" 1 keystone.wsgi.api:application
    wait_http "$url"
else
    manage="keystone-manage --config-file keystone.conf"
    {
        $manage db_sync
        $manage fernet_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
        $manage credential_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
        $manage bootstrap --bootstrap-password secret --bootstrap-region-id RegionOne \
            --bootstrap-public-url "$url" --bootstrap-internal-url "$url"
    } >manage.log 2>&1
    serve "$port" 1 keystone.wsgi.api:application
    wait_http "$url"
    python "$here/bootstrap.py" "$url" "http://127.0.0.1:$image_port" "http://127.0.0.1:$swift_port/v1/AUTH_%(project_id)s"
    rm -rf "$cached.new"
    mkdir "$cached.new"
    cp -a keystone.db fernet-keys credential-keys "$cached.new/"
    mv "$cached.new" "$cached"
    flock -u 9
fi
echo ready
cat >/dev/null
