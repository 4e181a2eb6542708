"""horizon.py DASHBOARD PART : what a browser asks of Horizon in its image and metadata panels; ends with an error if an answer is wrong."""
import hashlib
import html
import json
import re
import sys
import time

import requests

dashboard, part = sys.argv[1], sys.argv[2]
DATA = b'data ' * 300_000


class Browser:
    def __init__(self, user, project_of=None):
        self.session = requests.Session()
        page = self.page('/auth/login/')
        region = re.search(r'name="region" value="([^"]*)"', page)
        form = {'username': user, 'password': 'secret', 'region': region.group(1) if region else 'default'}
        answer = self.post('/auth/login/?next=/project/images/', form)
        assert answer.status_code == 200 and 'auth/login' not in answer.url, (answer.url, answer.text[-2000:])

    def page(self, path):
        answer = self.session.get(dashboard + path, timeout=120)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-2000:])
        return answer.text

    def token(self):
        return {'X-CSRFToken': self.session.cookies['csrftoken'], 'Referer': dashboard + '/'}

    def post(self, path, form, files=None):
        """A form, as its page sends it."""
        return self.session.post(dashboard + path, form, files=files, headers=self.token(), timeout=120)

    def rest(self, method, path, body=None, status=200):
        """The REST API, as the page's scripts use it."""
        headers = {'X-Requested-With': 'XMLHttpRequest', **self.token()}
        answer = self.session.request(method, dashboard + '/api/glance/' + path, json=body, headers=headers, timeout=120)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text[:2000])
        return answer.json() if answer.content else None

    def submit(self, path, form, words, files=None):
        """Sends a form, of which the next page must say this."""
        answer = self.post(path, form, files)
        said = ' '.join(re.findall(r'<p><strong>.*?</p>|class="(?:errorlist|help-block alert).*?</(?:ul|span)>', answer.text, re.S))
        said = html.unescape(re.sub(r'\s+', ' ', re.sub('<[^>]*>', ' ', said)))
        assert answer.status_code == 200 and words in said, (words, answer.status_code, answer.url, said)


def until_active(browser, image):
    end = time.time() + 60
    while True:
        found = browser.rest('GET', f'images/{image}/')
        if found['status'] == 'active':
            return found
        assert time.time() < end, found
        time.sleep(0.2)


def check(found, **wanted):
    for name, value in wanted.items():
        assert found.get(name) == value, (name, found)


def upload(browser, name):
    """Through the dashboard: it takes the file and sends it on."""
    fields = {'name': name, 'disk_format': 'raw', 'container_format': 'bare', 'visibility': 'private', 'description': 'some words'}
    headers = {'X-Requested-With': 'XMLHttpRequest', **browser.token()}
    answer = browser.session.post(dashboard + '/api/glance/images/', fields, files={'data': ('disk.raw', DATA)},
                                  headers=headers, timeout=120)
    assert answer.status_code == 201, answer.text[:2000]
    found = until_active(browser, answer.json()['id'])
    check(found, name=name, size=len(DATA), visibility='private')
    check(found['properties'], description='some words', os_hash_value=hashlib.sha512(DATA).hexdigest())
    return found['id']


def upload_directly(browser, name):
    """From the browser to the image service: the dashboard makes the image, and says where to."""
    body = {'name': name, 'disk_format': 'raw', 'container_format': 'bare', 'visibility': 'private', 'data': 'disk.raw',
            'source_type': 'file-direct'}
    made = browser.rest('PUT', 'images/', body, 201)
    check(made, status='queued')
    url, token = made['upload_url'], made['token_id']
    asked = {'Origin': dashboard, 'Access-Control-Request-Method': 'PUT',
             'Access-Control-Request-Headers': 'content-type,x-auth-token,x-requested-with'}
    answer = requests.options(url, headers=asked, timeout=60)
    assert answer.status_code == 200, (answer.status_code, answer.text)
    allowed = {it.strip().lower() for it in answer.headers['Access-Control-Allow-Headers'].split(',')}
    assert answer.headers['Access-Control-Allow-Origin'] == dashboard, answer.headers
    assert 'PUT' in answer.headers['Access-Control-Allow-Methods'], answer.headers
    assert {'content-type', 'x-auth-token', 'x-requested-with'} <= allowed, answer.headers
    headers = {'X-Auth-Token': token, 'Content-Type': 'application/octet-stream', 'X-Requested-With': 'XMLHttpRequest',
               'Origin': dashboard}
    answer = requests.put(url, DATA, headers=headers, timeout=120)
    assert answer.status_code == 204, (answer.status_code, answer.text)
    assert answer.headers['Access-Control-Allow-Origin'] == dashboard, answer.headers
    check(until_active(browser, made['id']), size=len(DATA), checksum=hashlib.md5(DATA).hexdigest())
    stranger = requests.options(url, headers={**asked, 'Origin': 'http://elsewhere.example'}, timeout=60)
    assert 'Access-Control-Allow-Origin' not in stranger.headers, stranger.headers
    return made['id']


def names(found):
    return [it['name'] for it in found['items']]


def images():
    demo, admin, alt = Browser('demo'), Browser('admin'), Browser('alt_demo')
    assert 'Images' in demo.page('/project/images/')
    assert demo.rest('GET', 'version/') == {'version': '2'}, demo.rest('GET', 'version/')
    made = [upload(demo, f'image {at}') for at in range(2)]
    for at in range(2, 5):
        image = demo.rest('PUT', 'images/', {'name': f'image {at}', 'disk_format': 'raw', 'visibility': 'private', 'data': ''}, 201)
        made.append(image['id'])

    # Pages of three; forwards, backwards, filtered.
    def by_name(**asked):
        asked = {'paginate': 'true', 'sort_key': 'name', 'sort_dir': 'asc', 'owner': demo_project, **asked}
        return demo.rest('GET', 'images/?' + '&'.join(f'{key}={value}' for key, value in asked.items()))
    demo_project = demo.rest('GET', f'images/{made[0]}/')['owner']
    first = by_name()
    assert names(first) == ['image 0', 'image 1', 'image 2'] and first['has_more_data'], first
    second = by_name(marker=first['items'][-1]['id'])
    assert names(second) == ['image 3', 'image 4'] and second['has_prev_data'] and not second['has_more_data'], second
    assert names(by_name(status='queued')) == ['image 2', 'image 3', 'image 4']
    assert names(by_name(name='image%201')) == ['image 1']
    assert names(by_name(visibility='public')) == []
    assert names(demo.rest('GET', 'images/')) == [f'image {at}' for at in (4, 3, 2, 1, 0)]

    # Editing, as the form does it: every field; then properties, as the metadata dialogue does.
    edited = {'name': 'renamed', 'description': 'other words', 'disk_format': 'raw', 'container_format': 'bare', 'min_disk': 1,
              'min_ram': 64, 'architecture': 'x86_64', 'visibility': 'shared', 'protected': True}
    demo.rest('PATCH', f'images/{made[0]}/', edited, 204)
    found = demo.rest('GET', f'images/{made[0]}/')
    check(found, name='renamed', architecture='x86_64', min_disk=1, min_ram=64, visibility='shared', protected=True)
    check(found['properties'], description='other words')
    changes = {'updated': {'hw_disk_bus': 'scsi', 'os_distro': 'debian', 'os_hidden': 'true'}, 'removed': ['architecture']}
    demo.rest('PATCH', f'images/{made[0]}/properties/', changes, 204)
    found = demo.rest('GET', f'images/{made[0]}/')['properties']
    check(found, hw_disk_bus='scsi', os_distro='debian', architecture=None)
    assert 'renamed' not in names(demo.rest('GET', 'images/'))
    check(found, os_hidden=True)
    demo.rest('DELETE', f'images/{made[0]}/', status=403)
    demo.rest('PATCH', f'images/{made[0]}/', {**edited, 'protected': False}, 204)

    # Others, and the administrator's panel.
    alt.rest('GET', f'images/{made[1]}/', status=404)
    demo.rest('PATCH', f'images/{made[1]}/', {**edited, 'visibility': 'public', 'protected': False}, 403)
    assert 'Images' in admin.page('/admin/images/')
    admin.rest('PATCH', f'images/{made[1]}/', {**edited, 'visibility': 'public', 'protected': False}, 204)
    check(alt.rest('GET', f'images/{made[1]}/'), visibility='public')
    admin.rest('POST', f'images/{made[1]}/actions/deactivate', {})
    check(admin.rest('GET', f'images/{made[1]}/'), status='deactivated')
    admin.rest('POST', f'images/{made[1]}/actions/reactivate', {})
    check(admin.rest('GET', f'images/{made[1]}/'), status='active')

    made.append(upload_directly(demo, 'direct'))
    for image in made:
        demo.rest('DELETE', f'images/{image}/', status=204)
    demo.rest('GET', f'images/{made[0]}/', status=404)
    assert names(demo.rest('GET', 'images/')) == []


def metadefs():
    demo, admin = Browser('demo'), Browser('admin')
    # What Launch Instance and Update Metadata ask for first, then for each of the namespaces at once.
    for kind, wanted in (('OS::Glance::Image', 'hw_boot_menu'), ('OS::Nova::Flavor', 'hw:boot_menu')):
        start = time.time()
        found = demo.rest('GET', f'metadefs/namespaces/?resource_type={kind}')['items']
        print(f'{len(found)} namespaces of {kind} in {time.time() - start:.3f} s')
        libvirt = [it for it in found if it['namespace'] == 'OS::Compute::Libvirt']
        assert len(found) > 10 and wanted in libvirt[0]['properties'], found

    # The administrator's panel: three on a page, forwards and by a filter.
    panel = '/admin/metadata_defs/'
    page = admin.page(panel)
    rows = re.findall(r'data-object-id="([^"]+)"', page)
    assert rows[:3] == ['CIM::ProcessorAllocationSettingData', 'CIM::ResourceAllocationSettingData', 'CIM::StorageAllocationSettingData'], rows
    assert 'OS::Compute::VTPM' not in page and 'namespace_marker=CIM' in page
    following = admin.page(panel + '?namespace_marker=' + rows[2])
    assert 'CIM::VirtualSystemSettingData' in following and 'CIM::ProcessorAllocationSettingData' not in following
    answer = admin.post(panel, {'namespaces__filter__q': 'OS::Trove::Instance', 'namespaces__filter__q_field': 'resource_types',
                                'action': 'namespaces__filter__'})
    assert re.findall(r'data-object-id="([^"]+)"', answer.text) == ['OS::Software::DBMS'], answer.text[-3000:]
    admin.post(panel, {'namespaces__filter__q': '', 'namespaces__filter__q_field': 'resource_types', 'action': 'namespaces__filter__'})
    detail = admin.page(panel + 'OS::Software::DBMS/detail')
    assert 'Database Software' in detail and 'OS::Trove::Instance' in detail
    assert 'PostgreSQL' in admin.page(panel + 'OS::Software::DBMS/detail?tab=namespace_details__contents')

    definition = {
        'namespace': 'A::Tier', 'display_name': 'A site', 'description': 'Where it runs.',
        'resource_type_associations': [{'name': 'OS::Glance::Image', 'prefix': 'site_'}],
        'properties': {'tier': {'title': 'Tier', 'description': 'How good.', 'type': 'string', 'enum': ['gold', 'tin'], 'default': 'tin'}},
        'objects': [{'name': 'rack', 'description': 'A rack.', 'properties': {'row': {'title': 'Row', 'type': 'integer', 'minimum': 1}}}],
        'tags': [{'name': 'inside'}],
    }
    created = 'Namespace A::Tier has been created.'
    files = {'metadef_file': ('site.json', json.dumps(definition))}
    admin.submit(panel + 'create/', {'source_type': 'file', 'public': 'on'}, created, files)
    raw = {'source_type': 'raw', 'direct_input': json.dumps(definition), 'public': 'on'}
    admin.submit(panel, {'action': 'namespaces__delete__A::Tier'}, 'Deleted Namespace: A site')
    admin.submit(panel + 'create/', raw, created)
    image = [it for it in demo.rest('GET', 'metadefs/namespaces/?resource_type=OS::Glance::Image')['items'] if it['namespace'] == 'A::Tier']
    assert image[0]['properties']['site_tier']['enum'] == ['gold', 'tin'], image
    assert list(image[0]['objects'][0]['properties']) == ['site_row'] and image[0]['tags'][0]['name'] == 'inside', image

    chosen = [{'name': 'OS::Nova::Flavor', 'prefix': 'site:', 'selected': True, '$$hashKey': 'x'}, {'name': 'OS::Glance::Image', 'selected': False}]
    admin.submit(panel + 'A::Tier/resource_types/', {'resource_types': json.dumps(chosen)},
                 'Resource types updated for namespace A::Tier.')
    flavors = demo.rest('GET', 'metadefs/namespaces/?resource_type=OS::Nova::Flavor')['items']
    assert [it for it in flavors if 'site:tier' in it.get('properties', {})], flavors
    admin.submit(panel + 'A::Tier/update', {'protected': 'on'}, 'Namespace successfully updated.')
    seen = [it['namespace'] for it in demo.rest('GET', 'metadefs/namespaces/?resource_type=OS::Nova::Flavor')['items']]
    assert 'A::Tier' not in seen, seen
    admin.post(panel, {'action': 'namespaces__delete__A::Tier'})
    assert 'data-object-id="A::Tier"' in admin.page(panel)
    admin.submit(panel + 'A::Tier/update', {'public': 'on'}, 'Namespace successfully updated.')
    admin.submit(panel, {'action': 'namespaces__delete__A::Tier'}, 'Deleted Namespace: A site')


{'images': images, 'metadefs': metadefs}[part]()
print('all is as it should be')
