#!/usr/bin/env bash
# rabbit.sh PORT DIST_PORT EPMD_PORT [TLS_PORT CA CERT KEY] : a real RabbitMQ (guest, guest) on this machine alone, and its
# port mapper. Its queues stand in its folder: one that is started there again has the durable ones. Prints "ready" and
# runs until its standard input ends; then it is killed, as a power cut would.
set -euo pipefail
port=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
packages rabbitmqctl:rabbitmq-server epmd:erlang-base
export HOME=$RIG RABBITMQ_NODENAME=larder@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$port
export RABBITMQ_DIST_PORT=$2 ERL_EPMD_PORT=$3 ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_MNESIA_BASE=$RIG/mnesia RABBITMQ_LOG_BASE=$RIG/log RABBITMQ_CONF_ENV_FILE=$RIG/none
export RABBITMQ_CONFIG_FILE=$RIG/rabbitmq RABBITMQ_ENABLED_PLUGINS_FILE=$RIG/enabled_plugins
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none'
echo '[].' >enabled_plugins
echo 'disk_free_limit.absolute = 1MB' >rabbitmq.conf
if [ $# -gt 3 ]; then
    cat >>rabbitmq.conf <<C
listeners.ssl.1 = 127.0.0.1:$4
ssl_options.cacertfile = $5
ssl_options.certfile = $6
ssl_options.keyfile = $7
ssl_options.verify = verify_none
C
fi
programs=/usr/lib/rabbitmq/bin
groups=()
trap 'for it in "${groups[@]}"; do kill -KILL -- "-$it" 2>/dev/null || true; done' EXIT
# run NAME COMMAND… : a server in a process group of its own, until this script ends
run() {
    setsid "${@:2}" >>"$1.log" 2>&1 </dev/null &
    groups+=($!)
}
run epmd epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT"
run rabbit "$programs/rabbitmq-server"
for _ in $(seq 600); do
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.2
done
timeout 120 "$programs/rabbitmqctl" -q await_startup >>ctl.log 2>&1
echo ready
cat >/dev/null
