#!/usr/bin/env bash
# s3.sh PORT CEPH : a real S3 server, Ceph's gateway, over the Ceph whose folder is CEPH: path style, the user with the access
# key `glance` and the secret key `secret/+=`. Prints "ready" and runs until its standard input ends.
set -euo pipefail
port=$1 ceph=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
packages radosgw:radosgw
export CEPH_CONF=$ceph/ceph.conf
mkdir -p rgw
timeout 60 ceph auth get-or-create client.rgw mon 'allow rw' osd 'allow rwx' mgr 'allow rw' >"$ceph/ceph.client.rgw.keyring"
radosgw -f -n client.rgw --rgw-data="$RIG/rgw" --log-to-stderr=true --rgw-thread-pool-size=64 \
    --rgw-frontends="beast endpoint=127.0.0.1:$port" >rgw.log 2>&1 </dev/null &
server=$!
trap 'kill -TERM $server 2>/dev/null || true; wait $server 2>/dev/null || true' EXIT
wait_http "http://127.0.0.1:$port/"
timeout 120 radosgw-admin user create --uid=glance --display-name=glance --access-key=glance --secret-key='secret/+=' >admin.log 2>&1
echo ready
cat >/dev/null
