"""Puts requests to oslo.middleware: one JSON document per line in, its answer as JSON per line out."""
import json
import logging
import sys
import warnings

warnings.simplefilter('ignore')
logging.disable(logging.CRITICAL)

from glance.common import config as glance  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_middleware import cors, healthcheck, http_proxy_to_wsgi  # noqa: E402
from oslo_middleware.healthcheck import opts  # noqa: E402
import webob  # noqa: E402

glance.set_cors_middleware_defaults()


@webob.dec.wsgify
def application(request):
    seen = {'url': request.application_url, 'client': request.environ.get('REMOTE_ADDR')}
    return webob.Response(json.dumps(seen), content_type='text/plain', charset='UTF-8')


def middleware(kind, settings):
    conf = cfg.ConfigOpts()
    conf([])
    if kind == 'cors':
        group, options, made = 'cors', cors.OPTS, lambda: cors.CORS(application, conf)
    elif kind == 'proxy':
        group, options = 'oslo_middleware', http_proxy_to_wsgi.OPTS
        made = lambda: http_proxy_to_wsgi.HTTPProxyToWSGI(application, conf)  # noqa: E731
    else:
        group = 'healthcheck'
        options = (opts.HEALTHCHECK_OPTS + opts.DISABLE_BY_FILE_OPTS + opts.DISABLE_BY_FILES_OPTS
                   + opts.ENABLE_BY_FILES_OPTS)
        made = lambda: healthcheck.Healthcheck(None, conf)  # noqa: E731
    conf.register_opts(options, group)
    for name, value in settings.items():
        conf.set_override(name, value, group)
    return made()


for line in sys.stdin:
    it = json.loads(line)
    request = webob.Request.blank(it['path'], method=it['method'], base_url=it.get('base'))
    request.environ['REMOTE_ADDR'] = '127.0.0.1'
    for name, value in it['headers']:
        request.headers[name] = value
    answer = request.get_response(middleware(it['middleware'], it['settings']))
    print(json.dumps({
        'status': answer.status_int,
        'headers': {name.lower(): value for name, value in answer.headers.items()},
        'body': answer.body.decode(),
    }), flush=True)
