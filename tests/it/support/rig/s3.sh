#!/usr/bin/env bash
# s3.sh PORT TLS_PORT CEPH : a real S3 server, Ceph's gateway, over the Ceph whose folder is CEPH: the user with the access
# key `glance` and the secret key `secret/+=`. At TLS_PORT it has a certificate of an authority of its own, ca.pem in its
# folder. Buckets are in the path, or in the name of the host (BUCKET.s3.test). Prints "ready" and runs until its standard
# input ends.
set -euo pipefail
port=$1 tls_port=$2 ceph=$3
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
packages radosgw:radosgw
export CEPH_CONF=$ceph/ceph.conf
mkdir -p rgw
{
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj /CN=authority
    openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=s3
    printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >names
    openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 3650 -extfile names
} >openssl.log 2>&1
timeout 60 ceph auth get-or-create client.rgw mon 'allow rw' osd 'allow rwx' mgr 'allow rw' >"$ceph/ceph.client.rgw.keyring"
radosgw -f -n client.rgw --rgw-data="$RIG/rgw" --log-to-stderr=true --rgw-thread-pool-size=64 \
    --rgw-dns-name=s3.test --rgw-frontends="beast endpoint=127.0.0.1:$port ssl_endpoint=127.0.0.1:$tls_port \
ssl_certificate=$RIG/cert.pem ssl_private_key=$RIG/key.pem" >rgw.log 2>&1 </dev/null &
server=$!
trap 'kill -TERM $server 2>/dev/null || true; wait $server 2>/dev/null || true' EXIT
wait_http "http://127.0.0.1:$port/"
timeout 120 radosgw-admin user create --uid=glance --display-name=glance --access-key=glance --secret-key='secret/+=' >admin.log 2>&1
echo ready
cat >/dev/null
