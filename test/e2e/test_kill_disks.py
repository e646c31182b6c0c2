#!/usr/bin/env python3
"""Killed at any instant: disks that are added and removed, and a replica's storage on its way."""
import test_kill as kill
import test_disks as disks
import test_nbd_target as nbd
from inject import *
from lab import *


def lab_with_points(**kw):
    """Points 1 and 2 at the replica, acknowledged."""
    l = disks.Disks(sizes=(96 * K, 32 * K + 512), where=on_disk(), **kw)
    l.bring(l.cut('--seed'), l.cut('--delta'))
    l.receipt()
    return l


def sweep(name, l, argv, resets, allowed, want, after=lambda k: None, **kw):
    def after_kill(k):
        have = l.seqs()
        check(have in allowed, 'the points are', have)
        if k % 2:
            l.whole(have)
        after(k)

    def finish(k):
        l.whole(want)
        check(not leftovers(l.dr), 'left over:', *leftovers(l.dr))

    kill.Sweep(name, l, argv, resets, after_kill, lambda k: run(*argv), finish, **{'share': 3, **kw}).run()


def test_merge_of_a_delta_that_adds_and_removes_disks():
    l = lab_with_points()
    l.add('vdc', 40 * K)
    l.change('--remove', 'vda')
    del l.disks['vda']
    delta = l.cut('--delta')
    sweep('import of a delta that adds and removes disks', l, [tool('import'), '--home', l.dr.home, delta], ['dr'],
          [[1, 2], [1, 2, 3]], [1, 2, 3])


def test_merge_of_a_delta_that_brings_a_disk_back():
    l = lab_with_points()
    l.change('--remove', 'vdb')
    del l.disks['vdb']
    l.bring(l.cut('--delta'))
    l.receipt()
    l.add('vdb', 40 * K)
    delta = l.cut('--delta')
    sweep('import of a delta that brings a disk back', l, [tool('import'), '--home', l.dr.home, delta], ['dr'],
          [[1, 2, 3], [1, 2, 3, 4]], [1, 2, 3, 4])


def test_change_of_the_disks():
    l = lab_with_points()
    path = l.make_disk('vdc.img', 40 * K)
    argv = [tool('enable'), '--home', l.hq.home, 'web1', '--disk', 'vdc=' + path, '--exclude', 'vdb', '--points', 9]

    def disks_now():
        with open(glob.glob(os.path.join(l.hq.home, 'primaries', '*-*', 'state'))[0], 'rb') as f:
            return [(d['id'], d['excluded'], d['gone']) for d in json.loads(f.read()[:-22])['disks']]

    old = disks_now()
    new = [('vda', False, False), ('vdb', False, True), ('vdc', False, False), ('vdb', True, False)]

    def after_kill(k):
        check(disks_now() in (old, new), 'the disks are', disks_now())

    def again(k):
        run(*argv, rc=0 if disks_now() == old else 1)

    def finish(k):
        check(disks_now() == new, 'the disks are', disks_now())
        out = l.path('new.vmf')
        l.hq('export', 'web1', '-o', out)
        l.dr('import', out)
        have = l.dr.json('points', 'web1')[-1]['disks']
        check([d['size'] for d in have] == [96 * K, 0, 40 * K], 'the replica has', have)

    kill.Sweep('change of the disks', l, argv, ['hq', 'dr'], after_kill, again, finish).run()


def test_export_after_a_change_of_the_disks():
    """Begun, killed, and gone on with: a disk is new, and one is not there any more."""
    l = lab_with_points()
    l.add('vdc', 40 * K)
    l.change('--remove', 'vdb')
    del l.disks['vdb']
    l.touch()
    os.makedirs(l.path('kept', 'now'))
    for i, p in l.disks.items():
        run('cp', p, l.path('kept', 'now', i + '.raw'))
    out = l.path('new.vmf')
    argv = [tool('export'), '--home', l.hq.home, 'web1', '--delta', '-o', out]

    def again(k):
        run(*argv)

    def finish(k):
        l.dr('import', out)
        check(len(l.seqs()) == 3, 'the points are', l.seqs())
        for i in l.disks:
            check(filecmp.cmp(l.path('kept', 'now', i + '.raw'), os.path.join(l.dr.replica(), 'disks', i + '.raw'), shallow=False), i, 'differs')
        l.dr('scrub', 'web1')
        if k % 4:
            return
        # And what the primary knows of it leads on.
        more = l.path('new.vmf.more')
        l.hq('export', 'web1', '--delta', '--since', 'sent', '-o', more)
        l.dr('import', more)
        l.dr('scrub', 'web1')

    kill.Sweep('export after a change of the disks', l, argv, ['hq', 'dr'], lambda k: None, again, finish).run()


def store_sweep(name, to, first=None):
    """The storage moves to the folder of that name (None: back home), from the first one, if it was there."""
    l = lab_with_points()
    l.dr('import', '--no-merge', l.cut('--delta'))
    extra = l.cut('--delta', '--since', '3')
    if first is not None:
        l.dr('move', 'web1', '--store', l.path(first))
    to = os.path.join(l.dr.home, 'replicas') if to is None else l.path(to)
    argv = [tool('move'), '--home', l.dr.home, 'web1', '--store', to]

    def after_kill(k):
        have = l.seqs()
        check(have == [1, 2], 'the points are', have)
        if k % 6 == 1:
            l.whole()
        # Every now and then the replica goes on before the same command comes again.
        if k % 4 == 2:
            l.dr('import', extra)

    def finish(k):
        there = l.dr.replica()
        check(os.path.dirname(there) == os.path.realpath(to), 'it lies in', there)
        here = os.listdir(os.path.join(l.dr.home, 'replicas'))
        check(here == [os.path.basename(there)], 'left in the home:', here)
        for d in (l.path('one'), l.path('two')):
            left = [x for x in os.listdir(d) if os.path.join(d, x) != there] if os.path.exists(d) else []
            check(not left, 'left in', d, left)
        check(not os.path.exists(os.path.join(there, 'moving')), 'it is still marked')
        if k % 4 == 0:
            l.dr('import', extra)
            l.whole([1, 2, 3, 4])
        else:
            l.dr('scrub', 'web1')

    kill.Sweep(name, l, argv, ['dr', 'one', 'two'], after_kill, lambda k: run(*argv), finish).run()


def test_move_to_a_store():
    store_sweep('move to a store', 'one')


def test_move_to_another_store():
    store_sweep('move to another store', 'two', 'one')


def test_move_back_home():
    store_sweep('move back home', None, 'one')


def disk_sweep(name, is_back):
    l = lab_with_points()
    os.mkdir(l.path('else'))
    there = l.path('else', 'disk')
    if is_back:
        l.dr('move', 'web1', '--disk', 'vda=' + there)
    sweep(name, l, [tool('move'), '--home', l.dr.home, 'web1', '--disk', 'vda' if is_back else 'vda=' + there], ['dr', 'else'],
          [[1, 2]], [1, 2], after=lambda k: check(len(os.listdir(l.path('else'))) <= 1, 'two files are there'))


def test_move_of_a_disk_to_a_file():
    disk_sweep('move of a disk to a file', False)


def test_move_of_a_disk_back():
    disk_sweep('move of a disk back', True)


def test_move_of_a_disk_to_a_device():
    l = lab_with_points()
    device = disks.loop(l, 'device', 128 * K)
    if device is None:
        return
    sweep('move of a disk to a device', l, [tool('move'), '--home', l.dr.home, 'web1', '--disk', 'vda=' + device, '--yes'],
          ['dr'], [[1, 2]], [1, 2], counted=False)


def test_merge_into_a_disk_on_a_device():
    """Killed as a merge writes to it; the device is put back with the rest."""
    l = lab_with_points()
    device = disks.loop(l, 'device', 256 * K)
    if device is None:
        return
    l.dr('move', 'web1', '--disk', 'vda=' + device, '--yes')
    os.truncate(l.disks['vda'], 160 * K)
    delta = l.cut('--delta')
    with open(device, 'rb') as f:
        before = f.read()

    class Putting(kill.Sweep):
        def fresh(self):
            super().fresh()
            with open(device, 'r+b') as f:
                f.write(before)

    argv = [tool('import'), '--home', l.dr.home, delta]

    def after_kill(k):
        check(l.seqs() in ([1, 2], [1, 2, 3]), 'the points are', l.seqs())
        if k % 2:
            l.whole()

    Putting('merge into a device', l, argv, ['dr'], after_kill, lambda k: run(*argv), lambda k: l.whole([1, 2, 3])).run()


def exported(l, size=128 * K):
    """An export whose file is put back with the rest; None where nbdkit is not."""
    if not nbd.has('nbdkit'):
        return None
    os.mkdir(l.path('else'))
    return nbd.Export(l, os.path.join('else', 'disk'), size)


def test_move_of_a_disk_to_an_export():
    l = lab_with_points()
    e = exported(l)
    if e is not None:
        sweep('move of a disk to an export', l, [tool('move'), '--home', l.dr.home, 'web1', '--disk', 'vda=' + e.uri, '--yes'],
              ['dr', 'else'], [[1, 2]], [1, 2], calls=SENDING, share=6)


def test_merge_into_a_disk_at_an_export():
    l = lab_with_points()
    e = exported(l)
    if e is None:
        return
    l.dr('move', 'web1', '--disk', 'vda=' + e.uri, '--yes')
    l.dr('import', '--no-merge', l.cut('--delta'))
    sweep('merge into an export', l, [tool('merge'), '--home', l.dr.home, 'web1'], ['dr', 'else'],
          [[1, 2], [1, 2, 3]], [1, 2, 3], calls=SENDING, share=6)


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
