# The configuration of a Glance that believes what requests say of their callers (sourced by glance.sh), with one store or,
# with `stores` as third word, with several: fast and slow are folders, web is read-only. The latter reads what is added as
# a location. EXTRA: more lines of [DEFAULT].
stores="stores = file,http
default_store = file
filesystem_store_datadir = $RIG/images" enabled= methods= secure=false
if [ "${3:-}" = stores ]; then
    mkdir -p slow
    enabled="enabled_backends = slow:file, fast:file, web:http"
    methods=glance-direct,web-download,copy-image
    secure=true
    stores="default_backend = fast
[fast]
filesystem_store_datadir = $RIG/images
store_description = SSD
weight = 10
[slow]
filesystem_store_datadir = $RIG/slow
filesystem_thin_provisioning = true
[web]
weight = 20
[os_glance_staging_store]
filesystem_store_datadir = $RIG/staging
[os_glance_tasks_store]
filesystem_store_datadir = $RIG/tasks"
fi
cat >glance-api.conf <<C
[DEFAULT]
$enabled
enabled_import_methods = [$methods]
show_multiple_locations = true
show_image_direct_url = true
do_secure_hash = $secure
image_location_quota = 3
node_staging_uri = file://$RIG/staging/
${EXTRA:-}
[task]
work_dir = $RIG/tasks
[wsgi]
task_pool_threads = 2
python_interpreter = $VENV/bin/python
[glance_store]
$stores
[database]
connection = $database
[paste_deploy]
flavor = headers
config_file = $RIG/paste.ini
[import_filtering_opts]
# locations on this machine are allowed here
allowed_hosts = [127.0.0.1]
allowed_ports = []
[oslo_concurrency]
lock_path = $RIG/lock
${EXTRA:-}
C
cat >paste.ini <<C
[composite:glance-api-headers]
paste.composite_factory = glance.api:root_app_factory
/: api
[composite:api]
paste.composite_factory = glance.api:pipeline_factory
headers = versionnegotiation context rootapp
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
C
# Properties of the site's own, beside one that Glance ships.
cat >schema-image.json <<C
{"properties": {
    "kernel_id": {"type": ["null", "string"], "pattern": "^[0-9a-f]*\$", "description": "A kernel."},
    "site_tier": {"type": "string", "enum": ["gold", "tin"], "description": "How good it is."},
    "site_note": {"type": ["null", "string"], "maxLength": 5, "description": "A remark, or none."}}}
C
