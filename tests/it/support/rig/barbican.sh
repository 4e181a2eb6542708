#!/usr/bin/env bash
# barbican.sh PORT AUTH_URL : a real Barbican under this Keystone, its secrets in an SQLite file, encrypted by the key in
# its configuration (simple_crypto). Prints "ready" and runs until its standard input ends.
set -euo pipefail
port=$1 auth_url=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
# Where oslo.config looks for it.
export HOME=$RIG
mkdir -p .barbican
cat >.barbican/barbican.conf <<C
[DEFAULT]
host_href = http://127.0.0.1:$port
[database]
connection = sqlite:///$RIG/barbican.db
[secretstore]
enabled_secretstore_plugins = store_crypto
[crypto]
enabled_crypto_plugins = simple_crypto
[simple_crypto_plugin]
kek = dGhpcnR5X3R3b19ieXRlX2tleWJsYWhibGFoYmxhaGg=
[keystone_authtoken]
auth_url = $auth_url
auth_type = password
username = nova
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
C
barbican-manage db upgrade >manage.log 2>&1
cat >app.py <<P
from paste import deploy
application = deploy.loadapp('config:$VENV/etc/barbican/barbican-api-paste.ini')
P
serve "$port" 1 app:application --pythonpath "$RIG"
wait_http "http://127.0.0.1:$port/"
echo ready
cat >/dev/null
