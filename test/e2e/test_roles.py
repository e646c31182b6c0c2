#!/usr/bin/env python3
"""Roles and failover as a pure machine: its tables are those of doc/ROLES.md, and simulated sites keep its promises."""
import re

from lab import *

ROLES = os.path.join(os.environ.get('VMFERRY_TEST', os.path.join(ROOT, 'build', 'test')), 'roles')
PLANTS = ['epoch', 'lock', 'handover', 'used', 'raise', 'fence', 'heir', 'keep', 'claim', 'parted', 'restored', 'test', 'order']


def test_the_tables_of_the_page_are_those_of_the_code():
    with open(os.path.join(ROOT, 'doc', 'ROLES.md')) as f:
        page = ''.join(re.findall(r'<!-- (?:table|texts) \w+ -->\n.*?<!-- end -->\n', f.read(), re.S))
    code = run(ROLES, '--table').stdout
    check(page == code, 'doc/ROLES.md says', page, 'and the code', code)


def test_some_thousand_histories_keep_every_promise():
    for sites, steps in (0, 120000), (2, 30000), (3, 30000), (5, 30000):
        p = run(ROLES, '--steps', steps, '--sites', sites, rc=None)
        check(p.returncode == 0 and ' passed, 0 failed' in p.stdout, 'exit', p.returncode, p.stdout, p.stderr)


def test_every_planted_bug_is_found():
    for plant in PLANTS:
        p = run(ROLES, '--steps', 400000, '--seed', 1, '--plant', plant, rc=None)
        check(p.returncode == 1 and '\n*** ' in p.stdout, 'not found:', plant, p.stdout[-300:])


def test_a_seed_gives_the_same_histories_and_the_same_shortest_failure_again():
    out = [run(ROLES, '--steps', 20000, '--seed', 7).stdout for _ in range(2)]
    check(out[0] == out[1] and 'seed 7' in out[0], *out)
    out = [run(ROLES, '--steps', 20000, '--seed', 7, '--plant', 'lock', rc=1).stdout for _ in range(2)]
    check(out[0] == out[1] and 'which needs' in out[0], *out)


if __name__ == '__main__':
    main(__name__)
