"""drive.py PROGRAM : runs commands of a real client in one process, since to start one for each command takes seconds.
All are one user's: the client keeps whose it is.

A line of standard input is a command's arguments (JSON); a line of standard output {"code", "out", "err"}.
"""
import contextlib
import getpass
import importlib
import io
import json
import logging
import os
import sys
import traceback
import warnings

warnings.simplefilter('ignore')
requests, answers = os.fdopen(os.dup(0), encoding='utf-8'), os.fdopen(os.dup(1), 'w', encoding='utf-8')


class Terminal(io.StringIO):
    """What a person's standard input is; the clients take anything else for an image's data."""

    def isatty(self):
        return True


def log_in_once():
    """Keeps what Keystone answers to a login: every command begins with one."""
    from keystoneauth1.identity.v3 import base
    log_in, kept = base.Auth.get_auth_ref, []

    def once(self, session, **kwargs):
        if not kept:
            kept.append(log_in(self, session, **kwargs))
        return kept[0]

    base.Auth.get_auth_ref = once


def run(args):
    sys.argv = [sys.argv[0], *args]
    try:
        return shell.main() or 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException:
        traceback.print_exc()
        return 99


shell = importlib.import_module({
    'openstack': 'openstackclient.shell', 'glance': 'glanceclient.shell',
    'glance-cache-manage': 'glance.cmd.cache_manage'}[sys.argv[1]])
log_in_once()
# Keys have no password.
getpass.getpass = lambda *args, **kwargs: ''
for line in requests:
    logging.getLogger().handlers.clear()
    sys.stdin = Terminal()
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(json.loads(line))
    answers.write(json.dumps({'code': code, 'out': out.getvalue(), 'err': err.getvalue()}) + '\n')
    answers.flush()
