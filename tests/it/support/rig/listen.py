"""listen.py URL EXCHANGE TOPIC [durable] : what oslo.messaging's own listener hears, one JSON document a line, until the
standard input ends. The first line is "listening"."""
import json
import sys
import threading

import oslo_messaging
from oslo_config import cfg

url, exchange, topic = sys.argv[1:4]
lock = threading.Lock()


def say(document):
    with lock:
        print(document if isinstance(document, str) else json.dumps(document), flush=True)


class Endpoint:
    def __init__(self, priority):
        self.filter_rule = None
        setattr(self, priority, self.hear)
        self.priority = priority

    def hear(self, context, publisher_id, event_type, payload, metadata):
        say({'priority': self.priority, 'publisher_id': publisher_id, 'event_type': event_type, 'payload': payload,
             'metadata': metadata, 'context': context})


conf = cfg.ConfigOpts()
conf([])
oslo_messaging.set_transport_defaults(exchange)
transport = oslo_messaging.get_notification_transport(conf, url=url)
if sys.argv[4:] == ['durable']:
    conf.set_override('amqp_durable_queues', True, group='oslo_messaging_rabbit')
listener = oslo_messaging.get_notification_listener(
    transport, [oslo_messaging.Target(topic=topic)], [Endpoint('info'), Endpoint('warn'), Endpoint('error')],
    executor='threading')
# One thread: what is heard is told in its order.
listener.start(override_pool_size=1)
say('listening')
sys.stdin.read()
listener.stop()
