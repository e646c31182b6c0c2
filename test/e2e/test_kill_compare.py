#!/usr/bin/env python3
"""Killed at any instant: comparing, adopting, and taking in what was made against a comparison."""
import test_kill as kill
from inject import *
from lab import *


def copied(lab):
    """A copy that is behind, as disks to adopt; the disks as they are now are kept as 1."""
    lab.keep('copy')
    kill.touch(lab, 1)
    lab.write(lab.disks['vda'], 64 * K, 20 * K)
    lab.keep(1)
    return [a for i in lab.disks for a in ('--disk', '%s=%s' % (i, lab.path('kept', 'copy', i + '.raw')))]


def nothing_adopted(lab):
    left = glob.glob(os.path.join(lab.dr.home, 'adopted', '*-*')) + glob.glob(lab.path('dr', 'store', '.*'))
    check(not left, 'left of the adoption:', *left)


def shipped(lab, want):
    """What was compared is of use: against it, the replica gets to where it should be."""
    lab.hq('export', 'web1', '--against', lab.path('new.vmf'), '-o', lab.path('against.vmf'))
    lab.dr('import', lab.path('against.vmf'))
    kill.whole(lab, want)
    nothing_adopted(lab)


def adopt_sweep(name, lab):
    argv = [tool('adopt'), '--home', lab.dr.home, 'web1', '--from', 'hq', *copied(lab), '-o', lab.path('new.vmf')]

    def after_kill(k):
        check(kill.seqs(lab.dr) is None, 'there is a replica')
        if k % 5 == 4:
            lab.dr('adopt', '--drop', 'web1', rc=None)
            nothing_adopted(lab)

    kill.Sweep(name, lab, argv, ['dr', 'hq'], after_kill, lambda k: run(*argv), lambda k: shipped(lab, [1])).run()


def test_adopt():
    adopt_sweep('adopt', kill.small_lab())


def test_adopt_into_a_store():
    lab = kill.small_lab()
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--store', lab.path('dr', 'store'))
    adopt_sweep('adopt into a store', lab)


def seed_sweep(name, lab):
    lab.dr('adopt', 'web1', '--from', 'hq', *copied(lab), '-o', lab.path('c.vmf'))
    lab.hq('export', 'web1', '--against', lab.path('c.vmf'), '-o', lab.path('seed.vmf'))
    argv = [tool('import'), '--home', lab.dr.home, lab.path('seed.vmf')]

    def after_kill(k):
        have = kill.seqs(lab.dr)
        check(have in (None, [], [1]), 'the points are', have)
        if have and k % 2:
            lab.dr('scrub', 'web1')

    def finish(k):
        kill.whole(lab, [1])
        nothing_adopted(lab)

    kill.Sweep(name, lab, argv, ['dr'], after_kill, lambda k: run(*argv), finish).run()


def test_import_of_a_seed_against_adopted_disks():
    seed_sweep('import of a seed against adopted disks', kill.small_lab())


def test_import_of_a_seed_against_adopted_disks_into_a_store():
    lab = kill.small_lab()
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--store', lab.path('dr', 'store'))
    seed_sweep('import of a seed against adopted disks into a store', lab)


def behind(lab):
    """Points 1 and 2 at the replica, and the disks as they are now kept as 3; the primary has lost its leaves."""
    for b in kill.with_points(lab, 2):
        lab.dr('import', b)
    kill.touch(lab, 3)
    lab.keep(3)
    os.unlink(glob.glob(os.path.join(lab.hq.home, 'primaries', '*-*', 'leaves', 'vda'))[0])


def test_compare():
    lab = kill.small_lab()
    behind(lab)
    argv = [tool('compare'), '--home', lab.dr.home, 'web1', '-o', lab.path('new.vmf')]

    def after_kill(k):
        check(kill.seqs(lab.dr) == [1, 2], 'the points have changed')

    kill.Sweep('compare', lab, argv, ['dr', 'hq'], after_kill, lambda k: run(*argv), lambda k: shipped(lab, [1, 2, 3])).run()


def test_export_against_and_its_import():
    lab = kill.small_lab()
    behind(lab)
    lab.dr('compare', 'web1', '-o', lab.path('c.vmf'))
    argv = [tool('export'), '--home', lab.hq.home, 'web1', '--against', lab.path('c.vmf'), '-o', lab.path('new.vmf')]

    def after_kill(k):
        last = lab.hq.json('status')[0]['last_point']['seq']
        check(2 <= last <= 4, 'the primary is at', last)       # two, where it was killed twice
        # Something else does not go on with it unawares.
        if glob.glob(os.path.join(lab.hq.home, 'primaries', '*-*', 'pending', 'state')):
            p = lab.hq('export', 'web1', '-o', lab.path('new.vmf'), rc=1)
            check('--against' in p.stderr, p.stderr)

    def again(k):
        run(*argv)
        check(len(os.listdir(os.path.join(lab.hq.home, 'tmp'))) == 0, 'something is left in tmp')

    def finish(k):
        lab.dr('import', lab.path('new.vmf'))
        have = kill.seqs(lab.dr)
        check(have[:2] == [1, 2] and len(have) == 3, 'the points are', have)
        lab.same(3, os.path.join(lab.dr.replica(), 'disks'), 'the replica:')
        lab.dr('scrub', 'web1')

    kill.Sweep('export --against', lab, argv, ['dr', 'hq'], after_kill, again, finish).run()
    # And what it made, taken in.
    lab = kill.small_lab()
    behind(lab)
    lab.dr('compare', 'web1', '-o', lab.path('c.vmf'))
    lab.hq('export', 'web1', '--against', lab.path('c.vmf'), '-o', lab.path('d.vmf'))
    kill.replica_sweep('import of a delta against a comparison', lab, [tool('import'), '--home', lab.dr.home, lab.path('d.vmf')],
                       [[1, 2], [1, 2, 3]], [1, 2, 3])


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
