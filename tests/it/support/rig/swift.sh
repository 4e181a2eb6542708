#!/usr/bin/env bash
# swift.sh PORT SPARE SPARE SPARE SPARE SPARE MADE : a real Swift, alone: its proxy at PORT, account, container and object
# server, an object server whose disk counts as full (a proxy with the rings in `etc/full` uses it) and memcached at the spare
# ports; one replica, no auditors or replicators. Ways in: tempauth (test:tester / testing, account
# TEMP_test, http://127.0.0.1:PORT/auth/v1.0; test:tester3 / testing3 has no rights there) and S3 (the same words as keys,
# us-east-1); swiftproxy.sh adds a proxy under Keystone. MADE: its virtual environment, which is made when it is not there, in CI. Prints "ready" and runs until its
# standard input ends.
set -euo pipefail
port=$1 cache=$6 made=$7
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
packages memcached:memcached
stamp=$made/$(sha256sum "$here/swift.txt" | cut -c1-16)
if [ ! -e "$stamp" ]; then
    [ "${CI:-}" = true ] || { echo "there is no Swift in $made" >&2; exit 1; }
    mkdir -p "$CACHE"
    exec 7>"$CACHE/lock-swift"
    flock 7
    if [ ! -e "$stamp" ]; then
        rm -rf "$made"
        "$VENV/bin/python" -m venv "$made"
        "$made/bin/pip" -q --disable-pip-version-check install -r "$here/swift.txt" >pip.log 2>&1
        touch "$stamp"
    fi
    flock -u 7
fi
export PATH=$made/bin:$PATH
user=$(id -un)
mkdir -p etc/full devices/d1
printf '[swift-hash]\nswift_hash_path_suffix = larder\n[storage-policy:0]\nname = one\ndefault = yes\n' | tee etc/full/swift.conf >etc/swift.conf
echo "$cache" >cache-port
cat >etc/proxy-server.conf <<C
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
workers = 2
swift_dir = $RIG/etc
user = $user
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$cache
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
auth_pipeline_check = false
s3_acl = false
min_segment_size = 5242880
[filter:tempauth]
use = egg:swift#tempauth
reseller_prefix = TEMP
user_admin_admin = admin .admin .reseller_admin
user_test_tester = testing .admin
user_test_tester3 = testing3
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
$(for name in catch_errors gatekeeper healthcheck listing_formats bulk copy slo dlo symlink; do
    printf '[filter:%s]\nuse = egg:swift#%s\n' $name $name
done)
C
. "$here/servers.sh"
at=2
for ring in account container object full/object; do
    at_port=${!at} server=${ring#full/} reserve=0
    at=$((at + 1))
    [ "$ring" = "$server" ] || reserve=100%
    cat >"etc/$ring-server.conf" <<C
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $at_port
workers = 2
swift_dir = $RIG/etc
devices = $RIG/devices
mount_check = false
fallocate_reserve = $reserve
user = $user
[pipeline:main]
pipeline = healthcheck $server-server
[filter:healthcheck]
use = egg:swift#healthcheck
[app:$server-server]
use = egg:swift#$server
C
    {
        swift-ring-builder "etc/$ring.builder" create 6 1 1
        swift-ring-builder "etc/$ring.builder" add "r1z1-127.0.0.1:$at_port/d1" 1
        swift-ring-builder "etc/$ring.builder" rebalance
    } >>rings.log 2>&1
    run "${ring/\//-}" "swift-$server-server" "$RIG/etc/$ring-server.conf"
done
cp etc/{account,container}.ring.gz etc/full/
run memcached memcached -u "$user" -l 127.0.0.1 -p "$cache" -m 32 -I 1m
for at_port in "$2" "$3" "$4" "$5"; do wait_http "http://127.0.0.1:$at_port/healthcheck"; done
run proxy swift-proxy-server "$RIG/etc/proxy-server.conf"
wait_http "http://127.0.0.1:$port/healthcheck"
echo ready
cat >/dev/null
