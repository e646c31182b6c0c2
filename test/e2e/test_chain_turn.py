#!/usr/bin/env python3
"""Three sites in a row, hq -> dr -> far, and one or two of them are gone: who takes over, and who follows whom then."""
import test_turn as turn
from lab import *
from test_turn import says, side


class Row(turn.Pair):
    """hq -> dr -> far by forwarding, all three at point 2; each may replicate to the others."""
    def __init__(self):
        super().__init__()
        self.far = Site(self, 'far')
        for a, b in ((self.hq, self.far), (self.dr, self.far), (self.far, self.hq), (self.far, self.dr)):
            a('trust', 'add', b.card, '--vm', 'web*')
        self.send(self.hq, self.dr, '--seed')
        self.extend(self.hq, self.dr, self.far)
        seed = self.file()
        self.hq('export', 'web1', '--seed', '--to', 'far', '-o', seed)
        self.far('import', seed, '--receipt', self.path('far.receipt'))
        for s in (self.hq, self.dr):
            s('import', self.path('far.receipt'))
        self.send(self.hq, self.dr)

    def extend(self, a, b, c):
        a('extend', 'web1', '--to', c.name, '--via', b.name)
        b('extend', 'web1', '--to', c.name)

    def pass_on(self, a, b, c):
        """What waits at b goes on to c; c's receipt to both."""
        while True:
            out = self.file('on')
            if b('export', 'web1', '--to', c.name, '-o', out, rc=None).returncode == 1:
                break
            c('import', out, '--receipt', self.path('far.receipt'))
        for s in (a, b):
            s('import', self.path('far.receipt'))

    def row(self, a, b, c, *args):
        self.dirty(a)
        want = self.content(a)
        self.send(a, b, *args)
        self.pass_on(a, b, c)
        for s in (b, c):
            check(self.content(s) == want, 'the disks of', s.name, 'are not those of', a.name)
            s('scrub', 'web1')
        return want


def test_far_takes_over_when_hq_and_dr_are_gone():
    lab = Row()
    want = lab.row(lab.hq, lab.dr, lab.far)
    lab.dirty(lab.hq)
    lab.send(lab.hq, lab.dr)                       # this never gets to far
    lab.unplanned(lab.far)
    check(lab.content(lab.far) == want, 'far lost what it had')
    lab.far('reverse', 'web1', '-o', lab.path('word'))
    check(side(lab.far) == [('primary', 'replicating')], side(lab.far))
    # Both come back; each gives way by itself, and gets what is different.
    says(lab.hq('import', lab.path('word'), rc=1), "'far'")
    lab.hq('resync', 'web1', '--keep', 'far', '--yes', '-o', lab.path('hq.says'))
    lab.dr('import', lab.path('word'), rc=None)
    lab.dr('resync', 'web1', '--keep', 'far', '--yes', '-o', lab.path('dr.says'))
    lab.dirty(lab.far)
    lab.send(lab.far, lab.hq, '--against', lab.path('hq.says'), '--to', 'hq')
    lab.send(lab.far, lab.dr, '--against', lab.path('dr.says'), '--to', 'dr')
    lab.dirty(lab.far)
    for s in (lab.hq, lab.dr):
        lab.send(lab.far, s, '--to', s.name)
        check(lab.content(s) == lab.content(lab.far), s.name)
        s('scrub', 'web1')
    lab.close()


def test_dr_takes_over_and_far_follows_and_hq_gives_way():
    lab = Row()
    lab.row(lab.hq, lab.dr, lab.far)
    lab.dirty(lab.hq)                              # what hq writes last goes nowhere
    lab.unplanned(lab.dr)
    lab.dr('reverse', 'web1', '-o', lab.path('word'))
    says(lab.far('import', lab.path('word')), "'dr' is its primary")
    lab.dr('import', lab.path('far.receipt'))
    lab.dirty(lab.dr)
    lab.send(lab.dr, lab.far, '--to', 'far')
    check(lab.content(lab.far) == lab.content(lab.dr))
    lab.hq('import', lab.path('word'), rc=1)
    lab.hq('resync', 'web1', '--keep', 'dr', '--yes', '-o', lab.path('hq.says'))
    lab.send(lab.dr, lab.hq, '--against', lab.path('hq.says'), '--to', 'hq')
    lab.dirty(lab.dr)
    for s in (lab.hq, lab.far):
        lab.send(lab.dr, s, '--to', s.name)
        check(lab.content(s) == lab.content(lab.dr), s.name)
        s('scrub', 'web1')
    # And in a row again, from dr by way of hq.
    lab.extend(lab.dr, lab.hq, lab.far)
    lab.row(lab.dr, lab.hq, lab.far)
    lab.close()


def test_a_planned_failover_to_dr_and_far_stays_in_the_row():
    lab = Row()
    lab.row(lab.hq, lab.dr, lab.far)
    lab.dirty(lab.hq)
    want = lab.content(lab.hq)
    lab.planned(lab.hq, lab.dr)
    # The final point waits at dr for far: that goes first, then far follows dr.
    lab.send(lab.dr, lab.far, '--to', 'far')
    check(lab.content(lab.far) == want, 'far is not at the final point')
    check(not os.listdir(os.path.join(lab.dr.replica(), 'outbox')), 'it is kept for far all the same')
    lab.dirty(lab.dr)
    lab.send(lab.dr, lab.far, '--to', 'far')
    check(lab.content(lab.far) == lab.content(lab.dr))
    lab.dirty(lab.dr)
    lab.send(lab.dr, lab.hq, '--to', 'hq')         # hq follows by itself
    check(side(lab.hq) == [('replica', 'replicating')], side(lab.hq))
    lab.send(lab.dr, lab.far, '--to', 'far')       # what went to hq before it forwarded
    lab.extend(lab.dr, lab.hq, lab.far)
    lab.row(lab.dr, lab.hq, lab.far)
    lab.close()


if __name__ == '__main__':
    main(__name__)
