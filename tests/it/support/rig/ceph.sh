#!/usr/bin/env bash
# ceph.sh PORT OLD_PORT : a real Ceph on this machine alone: a monitor at PORT (at OLD_PORT for the old protocol), a manager
# and one OSD on a sparse file, one replica; the pool `images`, with RBD's marks. In its folder: ceph.conf, which names the
# rest, and the keyrings of client.admin and client.glance (RBD on `images`). Prints "ready" and runs until its standard
# input ends. Each command of a client needs a timeout: without its OSD, Ceph waits for ever.
set -euo pipefail
port=$1 old_port=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
packages ceph-mon:ceph-mon ceph-mgr:ceph-mgr ceph-osd:ceph-osd ceph:ceph-common rbd:ceph-common
ulimit -n "$(ulimit -Hn)"
export CEPH_CONF=$RIG/ceph.conf
mkdir -p mon mgr osd crash
fsid=$(cat /proc/sys/kernel/random/uuid) osd=$(cat /proc/sys/kernel/random/uuid)
cat >ceph.conf <<C
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$port,v1:127.0.0.1:$old_port]
keyring = $RIG/ceph.\$name.keyring
run dir = $RIG
admin socket =
crash dir = $RIG/crash
mon data = $RIG/mon
mgr data = $RIG/mgr
osd data = $RIG/osd
public addr = 127.0.0.1
cluster addr = 127.0.0.1
log file =
log to stderr = true
mon cluster log file = $RIG/cluster.log
mon allow pool size one = true
mon allow pool delete = true
mon warn on pool no redundancy = false
mon data avail warn = 1
paxos propose interval = 0.05
mon data avail crit = 0
auth allow insecure global id reclaim = false
mgr initial modules =
osd pool default size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = bluestore
osd memory target = 939524096
bluestore block size = 8G
[client]
log to stderr = false
rbd default pool = images
C
servers=()
trap 'kill -TERM "${servers[@]}" 2>/dev/null || true; wait || true' EXIT
# run NAME COMMAND… : a server, until this script ends
run() {
    "${@:2}" >>"$1.log" 2>&1 </dev/null &
    servers+=($!)
}
key() {
    ceph auth get-or-create "$@" >/dev/null
    ceph auth get "$1" -o "ceph.$1.keyring" 2>/dev/null
}
ceph-authtool -C ceph.mon..keyring -g -n mon. --cap mon 'allow *' >/dev/null
ceph-authtool -C ceph.client.admin.keyring -g -n client.admin \
    --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' >/dev/null
cat ceph.mon..keyring ceph.client.admin.keyring >first.keyring
monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$port,v1:127.0.0.1:$old_port]" monmap >/dev/null
ceph-mon --mkfs -i a --monmap monmap --keyring first.keyring 2>mkfs.log
run mon ceph-mon -f -i a
# A monitor that has just begun to listen refuses whoever asks.
for _ in $(seq 60); do
    ! ceph --connect-timeout 60 mon stat >>setup.log 2>&1 || break
    sleep 0.5
done
key mgr.a mon 'allow profile mgr' osd 'allow *' mds 'allow *'
ceph osd new "$osd" >/dev/null
key osd.0 mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *'
run mgr ceph-mgr -f -i a
ceph-osd --mkfs -i 0 --osd-uuid "$osd" 2>>mkfs.log
run osd ceph-osd -f -i 0
{
    ceph osd pool create images 8
    timeout 120 rbd pool init images
    key client.glance mon 'profile rbd' osd 'profile rbd pool=images' mgr 'profile rbd pool=images'
} >>setup.log 2>&1
timeout 120 rados -p images ls >/dev/null
echo ready
cat >/dev/null
