#!/usr/bin/env python3
"""The walk of the README, as a person does it: seed, delta, receipt, points, restore, scrub."""
from lab import *


def test_a_seed_and_deltas_give_every_point_back():
    lab = Lab()
    lab.keep(1)
    lab.dr('import', lab.export('--seed'))
    for n in (2, 3, 4):
        lab.write(lab.disks['vda'], 300 * K + n * 40 * K, 10 * K)
        lab.write(lab.disks['vdb'], n * 4 * K, 512)
        lab.keep(n)
        p = lab.dr('import', lab.export('--delta', name='d%d.vmf' % n), '--receipt', lab.path('r%d' % n))
        lab.hq('import', lab.path('r%d' % n))
    check([p['seq'] for p in lab.dr.json('points', 'web1')] == [1, 2, 3, 4])
    for n in (1, 2, 3, 4):
        lab.dr('restore', 'web1', '--point', n, '-o', lab.path('out%d' % n))
        lab.same(n, lab.path('out%d' % n))
    lab.dr('scrub', 'web1')
    check(lab.hq.json('status')[0]['state'] == 'replicating')
    lab.close()


if __name__ == '__main__':
    main(__name__)
