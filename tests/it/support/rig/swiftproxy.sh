#!/usr/bin/env bash
# swiftproxy.sh PORT SWIFT RINGS MADE AUTH_URL : another proxy of the Swift in the folder SWIFT (swift.sh), at PORT, with the rings
# in its folder RINGS (`etc`, or `etc/full`: all of its disks are full), for the tokens of this Keystone alone (AUTH_<project id>; admin and member may all, admin in all accounts), with quotas of containers and
# accounts. It asks Keystone about every token each time. MADE: Swift's virtual environment. Prints "ready" and runs until its
# standard input ends.
set -euo pipefail
port=$1 swift=$2 rings=$3 made=$4 auth_url=$5
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
. "$here/servers.sh"
export PATH=$made/bin:$PATH
cat >proxy-server.conf <<C
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
workers = 2
swift_dir = $swift/$rings
user = $(id -un)
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk authtoken keystoneauth copy container_quotas account_quotas slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
# one disk is all there is: it is asked again soon after it was full
error_suppression_interval = 1
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$(cat "$swift/cache-port")
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = $auth_url
auth_url = $auth_url
auth_type = password
username = swift
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
service_token_roles_required = true
delay_auth_decision = true
include_service_catalog = false
token_cache_time = -1
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
reseller_admin_role = admin
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
$(for name in catch_errors gatekeeper healthcheck listing_formats bulk copy container_quotas account_quotas slo dlo symlink; do
    printf '[filter:%s]\nuse = egg:swift#%s\n' $name $name
done)
C
run proxy swift-proxy-server "$RIG/proxy-server.conf"
wait_http "http://127.0.0.1:$port/healthcheck"
echo ready
cat >/dev/null
