#!/usr/bin/env bash
# horizon.sh PORT AUTH_URL HORIZON_VENV : a real Horizon with sessions in memory, which uploads from the browser to the image
# service, and has three rows on a page. Prints "ready" and runs until its standard input ends.
set -euo pipefail
port=$1 auth_url=$2 VENV=$3
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
# Horizon's settings import this one from wherever it is found first.
mkdir -p local
touch local/__init__.py
cat >local/local_settings.py <<C
ALLOWED_HOSTS = ['127.0.0.1']
SECRET_KEY = 'for tests only'
CACHES = {'default': {'BACKEND': 'django.core.cache.backends.locmem.LocMemCache'}}
OPENSTACK_KEYSTONE_URL = '$auth_url'
API_RESULT_PAGE_SIZE = 3
HORIZON_IMAGES_UPLOAD_MODE = 'direct'
# Pages without styles are enough.
COMPRESS_ENABLED = False
COMPRESS_PRECOMPILERS = ()
STATIC_ROOT = '$RIG/static'
C
export DJANGO_SETTINGS_MODULE=openstack_dashboard.settings PYTHONPATH=$RIG
python -m django runserver --noreload "127.0.0.1:$port" >horizon.log 2>&1 </dev/null &
server=$!
trap 'kill -TERM $server 2>/dev/null || true; wait $server 2>/dev/null || true' EXIT
wait_http "http://127.0.0.1:$port/auth/login/"
echo ready
cat >/dev/null
