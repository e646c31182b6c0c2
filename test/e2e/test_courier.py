#!/usr/bin/env python3
"""Some hundred histories of couriers over the real decisions of both sides: test/courier.  "make stress" has more."""
from lab import *

COURIER = os.path.join(os.environ.get('VMFERRY_TEST', os.path.join(ROOT, 'build', 'test')), 'courier')


def test_some_hundred_histories_end_as_they_must():
    p = run(COURIER, '--histories', 800, rc=None)
    check(p.returncode == 0 and '800 passed, 0 failed' in p.stdout, 'exit', p.returncode, p.stdout, p.stderr)


def test_a_seed_gives_the_same_histories_again():
    out = [[line for line in run(COURIER, '--histories', 50, '--seed', 7).stdout.splitlines() if ' a second' not in line]
           for _ in range(2)]
    check(out[0] == out[1] and len(out[0]) > 5, *out)
    told = [run(COURIER, '--history', (7 << 32) + 3).stdout for _ in range(2)]
    check(told[0] == told[1] and 'exports' in told[0], *told)


if __name__ == '__main__':
    main(__name__)
