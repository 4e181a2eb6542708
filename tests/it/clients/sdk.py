"""sdk.py ENDPOINT ALT : calls of openstacksdk at an image service; each one's outcome as a line [name, outcome] of JSON.

ALT is the id of a project of somebody else's. Ids are called by the names of what they are of; times are left out.
"""
import json
import os
import sys
import warnings

import openstack
from openstack import exceptions

warnings.simplefilter('ignore')
endpoint, alt = sys.argv[1:]


def connect(user, project):
    return openstack.connect(load_yaml_config=False, load_envvars=False, region_name='RegionOne',
                             image_endpoint_override=endpoint, auth={
                                 'auth_url': os.environ['OS_AUTH_URL'], 'username': user,
                                 'password': os.environ['OS_PASSWORD'], 'project_name': project,
                                 'user_domain_id': 'default', 'project_domain_id': 'default'})


demo, friend, admin = connect('demo', 'demo'), connect('alt_demo', 'alt_demo'), connect('admin', 'admin')
reader = connect('reader', 'demo')
names = {alt: 'ALT'}
TIMES = ('created_at', 'updated_at')


def plain(value):
    if hasattr(value, 'to_dict'):
        value = {k: v for k, v in value.to_dict().items() if v is not None and k != 'location'}
    if isinstance(value, dict):
        return {k: '<time>' if k in TIMES else plain(v) for k, v in sorted(value.items())}
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple)):
        listed = [plain(it) for it in value]
        return sorted(listed) if all(isinstance(it, str) for it in listed) else listed
    if isinstance(value, str):
        for known, name in names.items():
            value = value.replace(known, name)
        return value
    return value if isinstance(value, (int, float, bool, type(None))) else str(type(value).__name__)


def call(name, action, learn=False):
    """What it gives back, or the status or kind of its refusal."""
    result = None
    try:
        result = action()
        if learn:
            names[result.id] = name.upper()
        if hasattr(result, '__next__'):
            result = list(result)
        outcome = plain(result)
    except exceptions.HttpException as refused:
        outcome = 'refused: %s %s' % (type(refused).__name__, refused.status_code)
    except Exception as other:
        outcome = 'failed: %s' % type(other).__name__
    print(json.dumps([name, outcome], sort_keys=True))
    return result


def made(name, action):
    """What it makes is called by its name from now on."""
    return call(name, action, learn=True)


raw = {'disk_format': 'raw', 'container_format': 'bare'}
i, f, a, r = demo.image, friend.image, admin.image, reader.image
one = made('one', lambda: i.create_image('one', data=b'7' * 4096, tags=['t'], min_disk=1, min_ram=2,
                                         color='red', os_distro='debian', **raw))
two = made('two', lambda: i.create_image('two', visibility='private', is_protected=True, **raw))
three = made('three', lambda: i.create_image('three', data=b'', **raw))
call('same id', lambda: i.create_image('four', id=one.id, **raw))
call('public', lambda: i.create_image('four', visibility='public', **raw))
call("another's", lambda: i.create_image('four', owner=alt, **raw))
call('by a reader', lambda: r.create_image('four', **raw))
call('unknown format', lambda: i.create_image('four', disk_format='wrong', container_format='bare'))
call('reserved', lambda: i.create_image('four', allow_duplicates=True, os_glance_x='y', **raw))
call('upload to an active one', lambda: i.upload_image(one.id, data=b'x'))
call('show', lambda: i.get_image(one.id))
call('show by a friend', lambda: f.get_image(one.id))
call('find by name', lambda: i.find_image('one').id)
call('find nothing', lambda: i.find_image('nothing'))
call('find nothing, loudly', lambda: i.find_image('nothing', ignore_missing=False))
call('list', lambda: [it.name for it in i.images(sort='name:asc')])
call('list in pages', lambda: [it.name for it in i.images(limit=1, sort='name:asc')])
for query in [{'name': 'one'}, {'visibility': 'private'}, {'visibility': 'all'}, {'status': 'queued'}, {'tag': 't'},
              {'size_min': 1}, {'size_max': 1}, {'owner': alt}, {'is_hidden': True}, {'is_protected': True},
              {'disk_format': 'raw'}, {'container_format': 'ovf'}, {'member_status': 'all'}, {'color': 'red'},
              {'created_at': 'gt:2020-01-01T00:00:00Z'}, {'sort_key': 'size', 'sort_dir': 'desc'},
              {'visibility': 'wrong'}, {'marker': 'nothing'}, {'limit': -1}, {'sort': 'wrong:asc'}]:
    call('list %s' % query, lambda q=query: [it.name for it in i.images(**q)])
call('download', lambda: i.download_image(one.id).content[:8])
call('download as a stream', lambda: len(b''.join(i.download_image(one.id, stream=True).iter_content(1000))))
call('download nothing', lambda: i.download_image(two.id).status_code)
call('download by a friend', lambda: f.download_image(one.id).status_code)
call('download by a reader', lambda: r.download_image(one.id).status_code)
call('update', lambda: i.update_image(one.id, name='uno', color='blue', min_disk=5))
call('update properties', lambda: i.update_image_properties(one.id, shade='dark'))
call('update by a friend', lambda: f.update_image(one.id, name='mine'))
call('update what is not to be', lambda: i.update_image(one.id, status='queued'))
call('hide', lambda: i.update_image(one.id, is_hidden=True).is_hidden)
call('hidden', lambda: [it.name for it in i.images(is_hidden=True)])
call('show again', lambda: i.update_image(one.id, is_hidden=False).is_hidden)
call('publish', lambda: i.update_image(one.id, visibility='public'))
call('publish by an admin', lambda: a.update_image(three.id, visibility='public').visibility)
call('seen by a friend', lambda: [it.name for it in f.images(visibility='public')])
call('community', lambda: i.update_image(three.id, visibility='community').visibility)
call('tag', lambda: i.add_tag(one.id, 'new'))
call('untag', lambda: i.remove_tag(one.id, 'new'))
call('untag again', lambda: i.remove_tag(one.id, 'new'))
call('tags', lambda: i.get_image(one.id).tags)
call('deactivate', lambda: i.deactivate_image(one.id))
call('download deactivated', lambda: i.download_image(one.id).status_code)
call('reactivate', lambda: i.reactivate_image(one.id))
call('deactivate queued', lambda: i.deactivate_image(two.id))

call('share', lambda: i.add_member(one.id, member_id=alt))
call('share again', lambda: i.add_member(one.id, member_id=alt))
call('share private', lambda: i.add_member(two.id, member_id=alt))
call('members', lambda: i.members(one.id))
call('member', lambda: i.get_member(alt, one.id))
call('find member', lambda: i.find_member(alt, one.id))
call('no member', lambda: i.find_member('nobody', one.id))
call('offered', lambda: [it.name for it in f.images(member_status='pending', visibility='shared')])
call('accept', lambda: f.update_member(alt, one.id, status='accepted'))
call('accept wrongly', lambda: f.update_member(alt, one.id, status='wrong'))
call('accept for them', lambda: i.update_member(alt, one.id, status='accepted'))
call('accepted', lambda: [it.name for it in f.images(visibility='shared')])
call('download as a member', lambda: f.download_image(one.id).content[:2])
call('change as a member', lambda: f.update_image(one.id, name='mine'))
call('unshare as a member', lambda: f.remove_member(alt, one.id, ignore_missing=False))
call('unshare', lambda: i.remove_member(alt, one.id, ignore_missing=False))
call('unshare again', lambda: i.remove_member(alt, one.id, ignore_missing=False))

space = {'display_name': 'Name', 'description': 'Text', 'visibility': 'public', 'is_protected': False}
call('namespace by a member', lambda: i.create_metadef_namespace(namespace='S'))
call('namespace', lambda: a.create_metadef_namespace(namespace='S', **space))
call('namespace again', lambda: a.create_metadef_namespace(namespace='S'))
call('get namespace', lambda: i.get_metadef_namespace('S'))
call('private ones', lambda: i.metadef_namespaces(visibility='private'))
call('change namespace', lambda: a.update_metadef_namespace('S', description='More', visibility='public'))
call('object', lambda: a.create_metadef_object(namespace='S', name='o', properties={'q': {'title': 'Q', 'type': 'string'}}))
call('objects', lambda: i.metadef_objects('S'))
call('get object', lambda: i.get_metadef_object('o', 'S'))
call('change object', lambda: a.update_metadef_object('o', 'S', name='o', description='More'))
call('type', lambda: a.create_metadef_resource_type_association('S', name='My::Type', prefix='my_'))
call('types', lambda: i.metadef_resource_type_associations('S'))
call('of a type', lambda: [it.namespace for it in i.metadef_namespaces(resource_types='My::Type')])
call('property', lambda: a.create_metadef_property('S', name='p', title='P', type='string', enum=['a']))
call('properties', lambda: i.metadef_properties('S'))
call('get property', lambda: i.get_metadef_property('p', 'S'))
call('change property', lambda: a.update_metadef_property('p', 'S', name='p', title='New', type='string'))
call('tag namespace', lambda: a.add_tag_to_metadef_namespace('S', 'mt'))
call('untag namespace', lambda: a.remove_tag_from_metadef_namespace('S', 'mt'))
call('untag namespace again', lambda: a.remove_tag_from_metadef_namespace('S', 'mt'))
call('untag namespace wholly', lambda: a.remove_tags_from_metadef_namespace('S'))
call('delete property', lambda: a.delete_metadef_property('p', 'S'))
call('delete properties', lambda: a.delete_all_metadef_properties('S'))
call('delete object', lambda: a.delete_metadef_object('o', namespace='S'))
call('delete objects', lambda: a.delete_all_metadef_objects('S'))
call('delete type', lambda: a.delete_metadef_resource_type_association('My::Type', 'S'))
call('delete namespace by a member', lambda: i.delete_metadef_namespace('S'))
call('delete namespace', lambda: a.delete_metadef_namespace('S'))
call('no namespace', lambda: i.get_metadef_namespace('S'))

for kind in ['member', 'members', 'task', 'tasks']:
    call('schema of %s' % kind, lambda k=kind: getattr(i, 'get_%s_schema' % k)().properties)
for kind in ['image', 'images']:
    call('schema of %s' % kind, lambda k=kind: sorted(getattr(i, 'get_%s_schema' % k)().properties))
for kind in ['namespace', 'namespaces', 'object', 'objects', 'property', 'properties', 'resource_type',
             'resource_types', 'tag', 'tags']:
    call('schema of %s' % kind, lambda k=kind: sorted(getattr(i, 'get_metadef_%s_schema' % k)().properties))
call('tasks', lambda: a.tasks())
call('tasks by a member', lambda: i.tasks())
call('no task', lambda: a.get_task(two.id))
call('tasks of an image', lambda: i.image_tasks(one.id))
call('import methods', lambda: i.get_import_info().import_methods)
call('stores', lambda: i.stores())
call('stores in detail', lambda: a.stores(details=True))
call('stage', lambda: i.stage_image(two.id, data=b'x'))
call('import', lambda: i.import_image(two, 'glance-direct'))
call('add a location', lambda: i.add_image_location(two.id, 'http://127.0.0.1:9/x'))
call('locations', lambda: i.image_locations(one.id))
call('cache', lambda: a.get_image_cache())
call('queue for the cache', lambda: a.queue_image(one.id))
call('clear the cache', lambda: a.clear_cache('both'))
call('delete from the cache', lambda: a.cache_delete_image(one.id, ignore_missing=False))

call('delete protected', lambda: i.delete_image(two.id))
call('unprotect', lambda: i.update_image(two.id, is_protected=False).is_protected)
call('delete by a friend', lambda: f.delete_image(three.id, ignore_missing=False))
for image in (one, two, three):
    call('delete', lambda it=image: i.delete_image(it.id, ignore_missing=False))
    call('deleted', lambda it=image: i.wait_for_delete(it) and None)
call('delete again', lambda: i.delete_image(one.id, ignore_missing=False))
call('cloud layer', lambda: demo.create_image('cloud', data=b'1234', wait=True, timeout=60, **raw).status)
call('cloud layer, list', lambda: [it.name for it in demo.list_images()])
call('cloud layer, show', lambda: demo.get_image('cloud').name)
call('cloud layer, delete', lambda: demo.delete_image('cloud', wait=True, timeout=60))
