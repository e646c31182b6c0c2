#!/usr/bin/env python3
"""A third site: hq -> dr -> far by forwarding the same bundles, and hq -> dr and hq -> far at once."""
from lab import *


def touch(lab, n):
    lab.write(lab.disks['vda'], (n * 5 % 60) * 64 * K, 70 * K)
    lab.write(lab.disks['vda'], (n * 7 % 60) * 64 * K, 8 * K, b'\0')
    lab.write(lab.disks['vdb'], n % 8 * 64 * K + 512, 512)


class Chain:
    """hq, dr and far, which has its seed (point 2) from hq; dr has it too.  What goes to dr goes on to far."""
    def __init__(self, seeded=True, **kw):
        self.lab = lab = Lab(**kw)
        self.far = Site(lab, 'far')
        lab.hq('trust', 'add', self.far.card)
        lab.dr('trust', 'add', self.far.card)
        self.far('trust', 'add', lab.hq.card, '--vm', 'web*')
        self.n = 0
        self.cut('--seed')
        self.give_dr()
        lab.hq('extend', 'web1', '--to', 'far', '--via', 'dr')
        lab.dr('extend', 'web1', '--to', 'far')
        if seeded:
            self.cut('--seed', '--to', 'far')
            self.far('import', self.bundle(), '--receipt', lab.path('far.receipt'))
            self.receipt_of_far()

    def bundle(self, n=None):
        return self.lab.path('b%d.vmf' % (self.n if n is None else n))

    def cut(self, *args):
        """hq cuts the next point into a file; the disks are kept."""
        if self.n:
            touch(self.lab, self.n)
        self.n += 1
        self.lab.keep(self.n)
        return self.lab.hq('export', 'web1', '-o', self.bundle(), *args)

    def give_dr(self, n=None):
        p = self.lab.dr('import', self.bundle(n), '--receipt', self.lab.path('dr.receipt'))
        self.lab.hq('import', self.lab.path('dr.receipt'))
        return p

    def next(self, *args, rc=0):
        """dr forwards the next volume through a pipe: its bytes."""
        return run(VMFERRY, '--home', self.lab.dr.home, 'export', 'web1', '--to', 'far', *args, rc=rc, text=False)

    def give_far(self, data, rc=0):
        with open(self.lab.path('through.vmf'), 'wb') as f:
            f.write(data)
        with open(self.lab.path('through.vmf')) as f:
            return self.far('import', '--receipt', self.lab.path('far.receipt'), stdin=f, rc=rc)

    def receipt_of_far(self):
        """far's word goes to dr, and the same file to hq."""
        self.lab.dr('import', self.lab.path('far.receipt'))
        self.lab.hq('import', self.lab.path('far.receipt'))

    def forward(self):
        return self.lab.dr.json('status')[0]['forwards'][0]

    def acked(self, site):
        return [t['acked'] for t in self.lab.hq.json('status')[0]['targets'] if t['site'] == site][0]

    def outbox(self):
        return sorted(os.listdir(os.path.join(self.lab.dr.replica(), 'outbox')))

    def at(self, site):
        return site.json('points', 'web1')[-1]['seq']

    def same(self, n):
        """dr and far are at point n, bit for bit, and their trees are those of their disks."""
        for site in self.lab.dr, self.far:
            check(self.at(site) == n, site.name, 'is at', self.at(site), 'and not at', n)
            self.lab.same(n, os.path.join(site.replica(), 'disks'), site.name)
            site('scrub', 'web1')


def test_the_same_bytes_go_on_through_pipes_and_are_dropped_when_acknowledged():
    c = Chain()
    for k in range(3):
        c.cut()
        c.give_dr()
        check(len(c.outbox()) == 1, *c.outbox())
        data = c.next().stdout
        with open(c.bundle(), 'rb') as f:
            check(data == f.read(), 'dr has changed what hq made')
        check('was sent' in c.next(rc=1).stderr.decode(), 'it is sent twice')
        c.give_far(data)
        check(c.forward()['sent'] == 1, c.forward())
        c.receipt_of_far()
        check(c.outbox() == [] and c.forward()['acked'] == c.n, c.outbox(), c.forward())
        check(c.acked('far') == c.acked('dr') == c.n, 'hq knows', c.acked('far'), c.acked('dr'))
        check('nothing waits' in c.next(rc=1).stderr.decode(), 'something is left')
        c.same(c.n)


if __name__ == '__main__':
    main(__name__)
