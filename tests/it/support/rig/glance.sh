#!/usr/bin/env bash
# glance.sh PORT AUTH_URL [plain|FLAVOR] : a real Glance with a file store (`images`), the read-only http store, and the cache API.
# AUTH_URL is Keystone's, or `none`: then everybody is admin, or `headers`: a Glance with Glance's own defaults (one file
# store, and http; no import method, no cache) that believes the identity headers of requests and shows locations; with
# `stores` as third word, one with several stores.
# With `plain`: behind Keystone too with those defaults, and without a schema of the site. EXTRA: more lines of [DEFAULT].
# MYSQL: a server (mysql://user@host:port/…) to have the database on, for as long as this runs; without it the database is
# `glance.db` in its folder. Prints "ready" and runs until its standard input ends. A glance-api.conf that stands in its
# folder is used as it is, with its glance.db if there is one; a database elsewhere is synced.
set -euo pipefail
port=$1 auth_url=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
mkdir -p images staging tasks cache lock
# Libraries of its own.
[ ! -e modules ] || export PYTHONPATH=$RIG/modules
# With Keystone the old paths of the cache API are left out, so that both kinds are there to test with.
flavor=cachemanagement
[ "$auth_url" = none ] || flavor=keystone
case ${3:-plain} in plain) ;; *) flavor=$3 ;; esac
policy=
if [ "$auth_url" = none ]; then
    # Callers without Keystone are admins without a role or project, whom Glance's default policy lets do nothing.
    policy="[oslo_policy]
policy_file = $RIG/policy.yaml"
    python -c "
import json
from glance import policies
print(json.dumps({rule.name: '' for rule in policies.list_rules()}))" >policy.yaml
fi
database=sqlite:///$RIG/glance.db threads=1
if [ -n "${MYSQL:-}" ] && [ ! -e glance-api.conf ]; then
    name=larder_rig_$$_${RANDOM}_$RANDOM
    database=$(python "$here/database.py" make "$MYSQL" "$name")
    threads=2
    at_end='python "$here/database.py" drop "$MYSQL" "$name"'
    trap 'eval "$at_end"' EXIT
fi
if [ -e glance-api.conf ]; then
    :
elif [ "$auth_url" = headers ]; then
    . "$here/glance-headers.sh"
    [ $# -lt 3 ] || rm schema-image.json
elif [ "${3:-}" = plain ]; then
    . "$here/glance-plain.sh"
else
cat >glance-api.conf <<C
[DEFAULT]
enabled_backends = local:file, web:http
enabled_import_methods = [glance-direct,web-download]
show_multiple_locations = true
show_image_direct_url = true
worker_self_reference_url = http://127.0.0.1:$port
image_cache_dir = $RIG/cache
${EXTRA:-}
[wsgi]
task_pool_threads = 2
python_interpreter = $VENV/bin/python
[glance_store]
default_backend = local
[local]
filesystem_store_datadir = $RIG/images
[web]
[os_glance_staging_store]
filesystem_store_datadir = $RIG/staging
[os_glance_tasks_store]
filesystem_store_datadir = $RIG/tasks
[database]
connection = $database
[paste_deploy]
flavor = $flavor
config_file = $VENV/etc/glance/glance-api-paste.ini
[keystone_authtoken]
www_authenticate_uri = $auth_url
auth_url = $auth_url
auth_type = password
username = glance
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
service_token_roles = service
service_token_roles_required = true
# no cache: a revoked token is refused at once
token_cache_time = -1
$policy
[import_filtering_opts]
# locations on this machine are allowed here
allowed_hosts = [127.0.0.1]
allowed_ports = []
[oslo_concurrency]
lock_path = $RIG/lock
C
fi
export OS_GLANCE_CONFIG_DIR=$RIG
mkdir -p "$CACHE"
pins=$(sha256sum <"$here/requirements.txt" | cut -c1-16)
manage="glance-manage --config-file glance-api.conf db_sync"
# The tables are made once, and copied from then on.
if [ "$threads" != 1 ]; then
    cached=$CACHE/glance-$pins-$(python "$here/database.py" version "$MYSQL").json
    exec 9>"$CACHE/lock-glance"
    flock 9
    if [ -e "$cached" ]; then
        flock -u 9
        python "$here/database.py" load "$MYSQL" "$name" "$cached"
    else
        $manage >manage.log 2>&1
        python "$here/database.py" dump "$MYSQL" "$name" "$cached.new"
        mv "$cached.new" "$cached"
        flock -u 9
    fi
elif ! grep -q '^connection = sqlite' glance-api.conf; then
    $manage >manage.log 2>&1
elif [ ! -e glance.db ]; then
    cached=$CACHE/glance-$pins.db
    exec 9>"$CACHE/lock-glance"
    flock 9
    if [ ! -e "$cached" ]; then
        sed "s|^connection = .*|connection = sqlite:///$RIG/glance.db|" glance-api.conf >sync.conf
        glance-manage --config-file sync.conf db_sync >manage.log 2>&1
        cp glance.db "$cached.new"
        mv "$cached.new" "$cached"
    fi
    flock -u 9
    cp "$cached" glance.db
    # Readers then do not stand in the way of a writer.
    python -c "import sqlite3; sqlite3.connect('glance.db').execute('PRAGMA journal_mode=WAL')"
fi
serve "$port" "$threads" glance.wsgi.api:application --http-chunked-input
wait_http "http://127.0.0.1:$port/versions"
echo ready
cat >/dev/null
