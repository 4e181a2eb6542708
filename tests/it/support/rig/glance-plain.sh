# The configuration of a Glance behind Keystone with Glance's own defaults: one file store, no import method, no cache
# (sourced by glance.sh).
cat >glance-api.conf <<C
[DEFAULT]
enabled_import_methods = []
node_staging_uri = file://$RIG/staging/
[wsgi]
task_pool_threads = 2
python_interpreter = $VENV/bin/python
[glance_store]
stores = file
default_store = file
filesystem_store_datadir = $RIG/images
[database]
connection = $database
[paste_deploy]
flavor = keystone
config_file = $VENV/etc/glance/glance-api-paste.ini
[keystone_authtoken]
www_authenticate_uri = $auth_url
auth_url = $auth_url
auth_type = password
username = glance
password = secret
project_name = service
user_domain_id = default
project_domain_id = default
service_token_roles = service
service_token_roles_required = true
[oslo_concurrency]
lock_path = $RIG/lock
C
# What Glance's own file of that name has; the package on PyPI is without it.
cat >schema-image.json <<C
{"kernel_id": {"type": ["null", "string"], "is_base": false, "description": "A kernel.",
    "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}\$"},
 "ramdisk_id": {"type": ["null", "string"], "is_base": false, "description": "A ramdisk.",
    "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}\$"},
 "instance_uuid": {"type": "string", "is_base": false, "description": "An instance."},
 "architecture": {"type": "string", "is_base": false, "description": "An architecture."},
 "os_distro": {"type": "string", "is_base": false, "description": "A distribution."},
 "os_version": {"type": "string", "is_base": false, "description": "Its version."},
 "description": {"type": "string", "is_base": false, "description": "A description."},
 "cinder_encryption_key_id": {"type": "string", "is_base": false, "description": "A key."},
 "cinder_encryption_key_deletion_policy": {"type": "string", "is_base": false, "description": "When it goes.",
    "enum": ["on_image_deletion", "do_not_delete"]}}
C
