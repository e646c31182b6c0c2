#!/usr/bin/env python3
"""Roles change hands: reverse, following, histories that part, and what a person decides then."""
from lab import *


def side(site):
    return [(v['role'], v['state']) for v in site.json('status')]


class Pair(Lab):
    """hq and dr, each of which may replicate to the other."""
    def __init__(self, **kw):
        super().__init__(**kw)
        self.hq('trust', 'add', self.dr.card, '--vm', 'web*')
        self.n = 0

    def file(self, kind='b'):
        self.n += 1
        return self.path('%s%d.vmf' % (kind, self.n))

    def send(self, a, b, *args, receipt=True):
        """A bundle from a to b, and its receipt back."""
        out, back = self.file(), self.file('r')
        a('export', 'web1', '-o', out, *args)
        b('import', out, '--receipt', back)
        if receipt:
            a('import', back)
        return out

    def dirty(self, site, n=3):
        """Writes to the VM's disks as they are at a site."""
        for p in self.disk_paths(site):
            size = os.path.getsize(p)
            for _ in range(n):
                self.write(p, self.random.randrange(size - 4096), 4096)

    def disk_paths(self, site):
        """Where the VM's disks are at a site, by what its records say."""
        side = [v['role'] for v in site.json('status')][0]
        with open(glob.glob(os.path.join(site.home, ('primaries' if side == 'primary' else 'replicas'), '*-*', 'state'))[0], 'rb') as f:
            o = json.loads(f.read()[:-22])
        if side == 'primary':
            return [d['where'] for d in o['disks']]
        return [o.get('where', {}).get(i) or os.path.join(site.replica(), 'disks', i + '.raw') for i in o['disks']]

    def content(self, site):
        out = []
        for p in self.disk_paths(site):
            with open(p, 'rb') as f:
                out.append(f.read())
        return out

    def planned(self, a, b, *more):
        """a hands the VM over to b."""
        out = self.file('final')
        a('failover', 'web1', '--planned', '--to', b.name, '--vm-is-shut-down', '-o', out)
        b('import', out)
        b('failover', 'web1', '--planned', '--complete', '--reverse', *more)

    def unplanned(self, b, *args):
        b('failover', 'web1', '--unplanned', '--yes', *args)
        b('failover', 'web1', '--complete', '--yes')


def test_a_planned_round_trip_needs_no_seed_and_loses_nothing():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.dirty(lab.hq)
    lab.send(lab.hq, lab.dr)
    at = lab.disk_paths(lab.hq)
    for a, b in ((lab.hq, lab.dr), (lab.dr, lab.hq)) * 2:
        lab.dirty(a)
        want = lab.content(a)
        lab.planned(a, b)
        check(lab.content(b) == want, 'something was lost on the way to', b.name)
        check(side(b) == [('primary', 'replicating')], side(b))
        lab.dirty(b)
        out = lab.send(b, a)
        size = json.loads(run(VMFERRY, 'inspect', '--json', out).stdout)
        check(size['type'] == 'delta', size)
        check(side(a) == [('replica', 'replicating')], side(a))
        check(lab.content(a) == lab.content(b), a.name, 'is not what', b.name, 'is')
        a('scrub', 'web1')
    check(lab.disk_paths(lab.hq) == at, 'the disks have moved')
    lab.close()


def test_after_an_unplanned_failover_the_old_primary_comes_back_by_comparing():
    lab = Pair(sizes=(64 * M, 1 * M + 512))
    lab.send(lab.hq, lab.dr, '--seed')
    for _ in range(3):
        lab.dirty(lab.hq)
        lab.send(lab.hq, lab.dr)
    fork = lab.content(lab.hq)
    lab.dirty(lab.hq)
    lab.hq('export', 'web1', '-o', lab.file('lost'))      # a point that never came
    lab.dirty(lab.hq)                                       # and writes that no point has
    lost = lab.content(lab.hq)
    lab.unplanned(lab.dr)
    word = lab.file('word')
    lab.dr('reverse', 'web1', '-o', word)
    lab.dirty(lab.dr)
    p = lab.dr('export', 'web1', '-o', lab.file(), rc=1)
    check('--against' in p.stderr and 'resync' in p.stderr, p.stderr)
    p = lab.hq('import', word, rc=1)
    check('fenced' in p.stderr and "'dr'" in p.stderr, p.stderr)
    p = lab.hq('export', 'web1', '-o', lab.file(), rc=1)
    check('fenced' in p.stderr, p.stderr)
    says = lab.file('says')
    p = lab.hq('resync', 'web1', '--keep', 'dr', '-o', says, rc=1)
    check('--yes' in p.stderr, p.stderr)
    lab.hq('resync', 'web1', '--keep', 'dr', '-o', says, '--yes')
    check(side(lab.hq) == [('replica', 'resynchronizing')], side(lab.hq))
    branch = lab.hq.json('points', 'web1')[-1]
    check(branch['branch'] and branch['pinned'], branch)
    out = lab.send(lab.dr, lab.hq, '--against', says)
    check(lab.content(lab.hq) == lab.content(lab.dr), 'hq is not what dr is')
    check(side(lab.hq) == [('replica', 'replicating')], side(lab.hq))
    check(side(lab.dr) == [('primary', 'replicating')], side(lab.dr))
    # What flowed back is what has changed on either side.
    now, union = lab.content(lab.dr), 0
    for a, b, c in zip(fork, lost, now):
        for at in range(0, len(a), 64 * K):
            blocks = {x[at:at + 64 * K] for x in (a, b, c)}
            union += min(64 * K, len(a) - at) if len(blocks) > 1 else 0
    data = json.loads(run(VMFERRY, 'inspect', '--json', out).stdout)
    carried = data['data'] if 'data' in data else data['end']['data']
    print('        %d bytes came back, %.3f of what changed on both sides' % (carried, carried / union))
    check(carried <= 1.05 * union, carried, 'bytes came back, of', union, 'that changed')
    # The branch is there, bit by bit, until a person drops it.
    for _ in range(3):
        lab.dirty(lab.dr)
        lab.send(lab.dr, lab.hq)
    lab.hq('restore', 'web1', '--point', branch['seq'], '-o', lab.path('back'))
    for i, want in zip(lab.disks, lost):
        with open(lab.path('back', i + '.raw'), 'rb') as f:
            check(f.read() == want, 'the branch is not what was on disk', i)
    check(str(branch['seq']) in lab.hq('points', 'web1', '--branch').stdout)
    check('--yes' in lab.hq('points', 'web1', '--branch', '--drop', rc=1).stderr)
    lab.hq('points', 'web1', '--branch', '--drop', '--yes')
    check(all(not p['branch'] and p['seq'] > branch['seq'] for p in lab.hq.json('points', 'web1')))
    lab.hq('scrub', 'web1')
    # And back again, as planned.
    lab.planned(lab.dr, lab.hq)
    lab.send(lab.hq, lab.dr)
    check(lab.content(lab.hq) == lab.content(lab.dr))
    lab.close()


if __name__ == '__main__':
    main(__name__)
