# What the rig's scripts share. VENV: the virtual environment; RIG: this server's folder.
export PATH=$VENV/bin:$PATH PYTHONWARNINGS=ignore
unset "${!OS_@}"
mkdir -p "$RIG" "$CACHE"
cd "$RIG"

# What is done when this script ends, after its server has.
at_end=:

# serve PORT THREADS MODULE:APP [OPTIONS…] : the application, until this script ends. One process, and where the database
# is an SQLite file as many threads as there may be writers of it.
serve() {
    uwsgi --http-socket "127.0.0.1:$1" --module "$3" --master --die-on-term --lazy-apps --processes 1 --threads "$2" \
        --enable-threads --buffer-size 65535 --chunked-input-limit 1073741824 --listen 64 --harakiri 600 \
        --add-header 'Connection: close' "${@:4}" >>uwsgi.log 2>&1 </dev/null &
    server=$!
    trap 'kill -TERM $server 2>/dev/null || true; wait $server 2>/dev/null || true; eval "$at_end"' EXIT
}

# wait_http URL : until something answers there, for at most four minutes: many start at the same time, on few cores
wait_http() {
    python - "$1" <<'P'
import sys, time, urllib.error, urllib.request
end = time.time() + 240
while True:
    try:
        urllib.request.urlopen(sys.argv[1], timeout=5)
        break
    except urllib.error.HTTPError:
        break
    except OSError:
        if time.time() > end:
            sys.exit('nothing answers at ' + sys.argv[1])
        time.sleep(0.1)
P
}

# packages COMMAND:PACKAGE… : installs the packages whose commands are missing, in CI, where we are root; none of them
# starts a server of its own
packages() {
    local it missing=()
    for it in "$@"; do
        command -v "${it%%:*}" >/dev/null || [ -x "/usr/sbin/${it%%:*}" ] || missing+=("${it##*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "${CI:-}" = true ] || { echo "not installed: ${missing[*]}" >&2; return 1; }
    mkdir -p "$CACHE"
    (
        flock 8
        [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; }
        export DEBIAN_FRONTEND=noninteractive
        apt-get -q -o DPkg::Lock::Timeout=300 update
        apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "${missing[@]}"
    ) 8>"$CACHE/lock-packages" >packages.log 2>&1
}
