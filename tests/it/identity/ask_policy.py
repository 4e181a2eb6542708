"""Answers policy questions with oslo.policy: one JSON document per line in, True, False or an error per line out."""
import json
import logging
import sys
import warnings

warnings.simplefilter('ignore')
logging.disable(logging.CRITICAL)

from oslo_config import cfg  # noqa: E402
from oslo_policy import policy  # noqa: E402

conf = cfg.ConfigOpts()
conf([])
for line in sys.stdin:
    it = json.loads(line)
    enforcer = policy.Enforcer(conf, use_conf=False)
    for name, value in it.get('options', {}).items():
        conf.set_override(name, value, 'oslo_policy')
    try:
        enforcer.set_rules(policy.Rules.from_dict(it['rules'], 'default'), use_conf=False)
        answer = bool(enforcer.enforce(it['ask'], it['target'], it['creds']))
    except Exception as e:
        answer = type(e).__name__
    for name in it.get('options', {}):
        conf.clear_override(name, 'oslo_policy')
    print(answer, flush=True)
