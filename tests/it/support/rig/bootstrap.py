"""bootstrap.py AUTH_URL IMAGE_URL OBJECTS_URL : projects, users, roles, the image service and the object store in a fresh
Keystone. The domains `default` and `north` have a project `pictures` and a user `keeper` each, with passwords of their own."""
import sys

import openstack

auth_url, image_url, objects_url = sys.argv[1:]
c = openstack.connect(load_yaml_config=False, auth=dict(
    auth_url=auth_url, username='admin', password='secret', project_name='admin',
    user_domain_id='default', project_domain_id='default'), region_name='RegionOne')
role = {r.name: r for r in c.identity.roles()}
if 'service' not in role:
    role['service'] = c.identity.create_role(name='service')
project = {p.name: p for p in c.identity.projects()}
for name in ('demo', 'alt_demo', 'service'):
    project[name] = c.identity.create_project(name=name, domain_id='default')
user = {u.name: u for u in c.identity.users()}
for name in ('demo', 'alt_demo', 'reader', 'fleeting', 'glance', 'nova', 'swift'):
    user[name] = c.identity.create_user(name=name, password='secret', domain_id='default')
for who, where, what in [
        ('demo', 'demo', 'member'), ('alt_demo', 'alt_demo', 'member'), ('reader', 'demo', 'reader'),
        ('fleeting', 'demo', 'member'),
        ('glance', 'service', 'admin'), ('glance', 'service', 'service'),
        ('nova', 'service', 'admin'), ('nova', 'service', 'service'),
        ('swift', 'service', 'admin'), ('swift', 'service', 'service')]:
    c.identity.assign_project_role_to_user(project[where], user[who], role[what])
north = c.identity.create_domain(name='north')
for domain, password in (('default', 'se+cr@t%'), (north.id, 'of the north')):
    pictures = c.identity.create_project(name='pictures', domain_id=domain)
    keeper = c.identity.create_user(name='keeper', password=password, domain_id=domain)
    c.identity.assign_project_role_to_user(pictures, keeper, role['member'])
for name, kind, url in (('glance', 'image', image_url), ('swift', 'object-store', objects_url)):
    service = c.identity.create_service(name=name, type=kind)
    for interface in ('public', 'internal', 'admin'):
        c.identity.create_endpoint(service_id=service.id, interface=interface, region_id='RegionOne', url=url)
