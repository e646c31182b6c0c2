#!/usr/bin/env python3
"""The disks of a VM change while it is protected: added, removed, excluded, included, at every point bit for bit.

And what is where: a replica's disks lie on files and devices of any name, and its storage moves.
"""
from inject import *
from lab import *

SIZES = (256 * K, 64 * K + 512)


class Disks(Lab):
    """A lab that knows which disks each point has, with what on them."""
    def __init__(self, sizes=SIZES, **kw):
        super().__init__(sizes=sizes, **kw)
        self.points = {}
        self.files = {i: p for i, p in self.disks.items()}

    def change(self, *args, **kw):
        return self.hq('enable', 'web1', *args, **kw)

    def add(self, i, size=128 * K, verb='--disk'):
        """A new disk, or one more that is excluded."""
        path = self.make_disk('%s.%d.img' % (i, len(os.listdir(self.dir))), size)
        self.change(verb, '%s=%s' % (i, path))
        self.files[i] = path
        if verb == '--disk':
            self.disks[i] = path

    def touch(self):
        for p in self.disks.values():
            for _ in range(3):
                at = self.random.randrange(0, os.path.getsize(p) // 512) * 512
                self.write(p, at, min(5 * K, os.path.getsize(p) - at), self.random.choice((None, b'\0')))

    def cut(self, *args, **kw):
        """Export; what the disks hold now is that of the point."""
        self.touch()
        b = self.export(*args, **kw)
        seq = max(json.loads(run(VMFERRY, 'inspect', '--json', b).stdout)['to']['seq'], 0)
        self.points[seq] = dict(self.disks)
        os.makedirs(self.path('kept', str(seq)))
        for i, p in self.disks.items():
            run('cp', '--sparse=always', p, self.path('kept', str(seq), i + '.raw'))
        return b

    def is_point(self, seq, folder, what):
        have = sorted(f for f in os.listdir(folder) if f.endswith('.raw') and os.path.getsize(os.path.join(folder, f)) > 0)
        want = sorted(i + '.raw' for i in self.points[seq])
        check(have == want, what, 'point', seq, 'has', have, 'and not', want)
        for f in want:
            check(filecmp.cmp(self.path('kept', str(seq), f), os.path.join(folder, f), shallow=False), what, 'point', seq, f, 'differs')

    def seqs(self):
        return [p['seq'] for p in self.dr.json('points', 'web1')]

    def whole(self, want=None):
        """All points of the replica, or those wanted, come back as they were; the disks are at the last one."""
        have = self.seqs()
        check(want is None or have == want, 'the points are', have, 'and not', want)
        for n in have:
            out = self.path('out')
            self.dr('restore', 'web1', '--point', n, '-o', out)
            self.is_point(n, out, 'restored:')
            shutil.rmtree(out)
        self.dr('scrub', 'web1')

    def rescued(self, *bundles):
        out = self.path('rescued')
        run(sys.executable, RESCUE, '-o', out, *bundles)
        self.is_point(max(json.loads(run(VMFERRY, 'inspect', '--json', b).stdout)['to']['seq'] for b in bundles), out, 'rescued:')
        shutil.rmtree(out)

    def receipt(self):
        r = self.path('receipt')
        if os.path.exists(r):
            os.unlink(r)
        self.dr('import', '--receipt', r, *self.last, rc=None)
        self.hq('import', r)

    def bring(self, *bundles):
        for b in bundles:
            self.dr('import', b)
        self.last = bundles[-1:]


def test_a_disk_added_later_is_in_the_points_since_and_in_none_before():
    l = Disks()
    l.bring(l.cut('--seed'), l.cut('--delta'))
    l.receipt()
    l.add('vdc')
    l.bring(l.cut('--delta'))
    l.receipt()
    l.bring(l.cut('--delta'))
    l.whole([1, 2, 3, 4])


def test_a_removed_disk_is_gone_from_the_next_point_on_and_whole_before():
    l = Disks()
    l.bring(l.cut('--seed'), l.cut('--delta'))
    l.receipt()
    l.change('--remove', 'vdb')
    del l.disks['vdb']
    os.unlink(l.files['vdb'])           # nothing is read of it any more
    l.bring(l.cut('--delta'))
    l.receipt()
    l.bring(l.cut('--delta'))
    l.whole([1, 2, 3, 4])
    check(os.path.getsize(os.path.join(l.dr.replica(), 'disks', 'vdb.raw')) == 0, 'its image is not empty')


def test_the_id_of_a_removed_disk_may_come_back_with_another_disk():
    for gap in (0, 1, 2):
        l = Disks()
        l.bring(l.cut('--seed'))
        l.receipt()
        l.change('--remove', 'vdb')
        del l.disks['vdb']
        for _ in range(gap):
            l.bring(l.cut('--delta'))
        l.add('vdb', 96 * K)
        # Who tracks changes cannot know of this one.
        with open(l.path('list'), 'w') as f:
            f.write('vda 0 %d\n' % SIZES[0])
        l.bring(l.cut('--delta', '--changes', l.path('list')))
        l.whole()
        l.receipt()
        l.bring(l.cut('--delta', '--since', '1'))
        l.whole()


def test_a_disk_is_excluded_later_and_included_again():
    l = Disks()
    l.bring(l.cut('--seed'))
    l.receipt()
    l.change('--exclude', 'vdb')
    del l.disks['vdb']
    b = l.cut('--delta')
    l.bring(b)
    h = json.loads(run(VMFERRY, 'inspect', '--json', b).stdout)
    check([x['id'] for x in h['excluded']] == ['vdb'], 'it is not listed as excluded:', h['excluded'])
    l.receipt()
    l.write(l.files['vdb'], 0, 32 * K)
    l.change('--include', 'vdb')
    l.disks['vdb'] = l.files['vdb']
    l.bring(l.cut('--delta'))
    l.whole([1, 2, 3])
    l.add('swap', verb='--exclude')
    l.bring(l.cut('--delta'))
    l.change('--include', 'swap')
    l.disks['swap'] = l.files['swap']
    l.bring(l.cut('--delta'))
    l.whole([1, 2, 3, 4, 5])


def test_every_base_and_every_order():
    """Deltas from each point to the last, at replicas that are at each point between; lost ones cost nothing."""
    l = Disks(points=3)
    pristine = l.path('pristine')
    near = [l.cut('--seed')]
    steps = [lambda: None, lambda: l.add('vdc'), lambda: (l.change('--remove', 'vdb'), l.disks.pop('vdb')), lambda: l.add('vdd', 4 * K),
             lambda: l.add('vdb', 32 * K), lambda: (l.change('--exclude', 'vdc'), l.disks.pop('vdc'))]
    for i, f in enumerate(steps):
        f()
        near.append(l.cut('--delta', '--since', i + 1))
    far = {}
    for base in range(1, len(near)):
        far[base] = l.cut('--delta', '--since', base)
    shutil.copytree(l.dr.home, pristine, symlinks=True)
    for base in far:
        for at in range(base, len(near) + 1):
            shutil.rmtree(l.dr.home)
            shutil.copytree(pristine, l.dr.home, symlinks=True)
            l.bring(*near[:at], far[base])
            l.whole()
            check(l.seqs()[-1] == len(near) + base, 'from', base, 'at', at, 'leads to', l.seqs())


def test_bundles_come_in_any_order_across_such_changes():
    for seed in range(4):
        l = Disks()
        bundles = [l.cut('--seed')]
        for i, f in enumerate((lambda: l.add('vdc'), lambda: None, lambda: (l.change('--remove', 'vda'), l.disks.pop('vda')), lambda: l.add('vdd'))):
            f()
            bundles.append(l.cut('--delta', '--since', i + 1))
        random.Random(seed).shuffle(bundles)
        l.bring(*bundles)
        l.whole([1, 2, 3, 4, 5])


def test_a_new_seed_after_such_changes():
    l = Disks()
    l.bring(l.cut('--seed'))
    l.add('vdc')
    l.change('--remove', 'vda')
    del l.disks['vda']
    seed = l.cut('--seed')
    l.bring(seed)
    l.whole()
    l.receipt()
    # And at a site that has nothing.
    l.dr('import', l.cut('--delta'))
    l.whole()


def test_a_seed_alone_after_such_changes():
    l = Disks(points=2)
    l.cut('--seed', '--plain')
    l.add('vdc')
    l.change('--remove', 'vda')
    del l.disks['vda']
    l.cut('--delta', '--plain')
    seed = l.cut('--seed', '--plain')
    l.bring(seed)
    l.whole([3])
    l.rescued(seed)


def test_combined_deltas_lead_across_such_changes():
    l = Disks()
    seed = l.cut('--seed', '--plain')
    parts = []
    for i, f in enumerate((lambda: l.add('vdc'), lambda: (l.change('--remove', 'vdb'), l.disks.pop('vdb')), lambda: l.add('vdb', 32 * K),
                           lambda: (l.change('--exclude', 'vdc'), l.disks.pop('vdc')))):
        f()
        parts.append(l.cut('--delta', '--plain', '--since', i + 1))
    for n, at in ((2, 1), (4, 1), (4, 2), (4, 3)):
        out = l.path('c%d-%d.vmf' % (n, at))
        l.hq('combine', '-o', out, *parts[:n])
        l.rescued(seed, out)
        stage = l.path('dr.saved')
        shutil.copytree(l.dr.home, stage, symlinks=True)
        l.bring(seed, *parts[:at - 1], out)
        l.whole()
        check(l.seqs()[-1] == n + 1, 'it leads to', l.seqs())
        shutil.rmtree(l.dr.home)
        os.rename(stage, l.dr.home)


def test_an_independent_reader_follows_such_changes():
    l = Disks()
    bundles = [l.cut('--seed', '--plain')]
    for i, f in enumerate((lambda: l.add('vdc'), lambda: (l.change('--remove', 'vdb'), l.disks.pop('vdb')), lambda: l.add('vdb', 32 * K))):
        f()
        bundles.append(l.cut('--delta', '--plain', '--since', i + 1))
        l.rescued(*bundles)


def test_comparing_finds_what_was_added():
    l = Disks()
    l.bring(l.cut('--seed'), l.cut('--delta'))
    l.add('vdc')
    l.change('--remove', 'vdb')
    del l.disks['vdb']
    l.dr('compare', 'web1', '-o', l.path('compared'))
    l.bring(l.cut('--against', l.path('compared')))
    l.whole([1, 2, 3])
    l.dr('compare', 'web1', '--full', '-o', l.path('compared2'))
    l.bring(l.cut('--against', l.path('compared2')))
    l.whole([1, 2, 3, 4])


def test_disks_are_adopted_after_such_changes():
    l = Disks()
    l.cut('--seed')
    l.add('vdc')
    l.change('--remove', 'vdb')
    del l.disks['vdb']
    l.cut('--delta')
    run('cp', l.disks['vda'], l.path('copy'))
    l.dr('adopt', 'web1', '--from', 'hq', '--disk', 'vda=' + l.path('copy'), '-o', l.path('compared'))
    l.bring(l.cut('--against', l.path('compared')))
    l.whole([3])
    l.receipt()
    l.bring(l.cut('--delta'))
    l.whole([3, 4])


def test_what_comes_is_told_beforehand():
    l = Disks(sizes=(4 * M,))
    l.bring(l.cut('--seed'))
    l.receipt()
    small = json.loads(l.hq('export', 'web1', '--dry-run', '--json').stdout)
    l.add('vdc', 8 * M)
    l.write(l.files['vdc'], 0, 8 * M)
    large = json.loads(l.hq('export', 'web1', '--dry-run', '--json').stdout)
    check(json.dumps(large) != json.dumps(small), 'the same is told', large)
    check(max(v for v in large.values() if type(v) is int) >= 8 * M, 'too little is told', large)


def test_a_test_failover_does_not_have_a_disk_twice():
    l = Disks()
    l.bring(l.cut('--seed'))
    l.change('--exclude', 'vdb')
    del l.disks['vdb']
    l.bring(l.cut('--delta'))
    for seq, places in ((1, ['test/vda.qcow2', 'test/vdb.qcow2']), (2, ['test/vda.qcow2', 'test/vdb.raw'])):
        out = l.dr('failover', 'web1', '--test', '--point', seq)
        said = out.stdout + out.stderr
        check([x for x in ('test/vda.qcow2', 'test/vdb.qcow2', 'test/vdb.raw') if x in said] == places, said)
        l.dr('failover', 'web1', '--stop-test')


def test_a_receipt_from_before_the_change_counts():
    l = Disks()
    l.bring(l.cut('--seed'))
    l.dr('import', '--receipt', l.path('early'), l.last[0])
    l.add('vdc')
    l.cut('--delta')
    l.hq('import', l.path('early'))
    b = l.cut('--delta')
    check(json.loads(run(VMFERRY, 'inspect', '--json', b).stdout)['from']['seq'] == 1, 'it was not taken')
    l.bring(b)
    l.whole()


def test_what_cannot_be_is_refused_and_changes_nothing():
    l = Disks()
    l.cut('--seed')
    state = tree(l.hq.home)
    for args, word in ((('--disk', 'vda=' + l.disks['vda']), 'already'), (('--remove', 'vdx'), "no disk 'vdx'"),
                       (('--include', 'vda'), 'excluded'), (('--exclude', 'vdx'), 'replicated'),
                       (('--exclude', 'vda=' + l.disks['vda']), '--exclude vda'),
                       (('--remove', 'vda', '--remove', 'vdb'), 'no disk would be left')):
        p = l.change(*args, rc=1)
        check(word in p.stderr, args, 'is refused with', p.stderr)
    check(tree(l.hq.home) == state, 'something changed')
    l.hq('enable', 'web9', '--to', 'dr', rc=1)


def test_no_more_than_64_places():
    l = Disks(sizes=(4 * K,))
    l.cut('--seed')
    paths = [l.make_disk('m%d.img' % i, 4 * K) for i in range(63)]
    l.change(*[a for i, p in enumerate(paths) for a in ('--disk', 'm%d=%s' % (i, p))])
    l.cut('--delta')
    l.change('--remove', 'm5')
    l.cut('--delta')
    p = l.change('--disk', 'other=' + paths[0], rc=1)
    check('64' in p.stderr, p.stderr)
    l.change('--disk', 'm5=' + paths[5])


def test_points_frequency_and_sites_change():
    l = Disks(points=2)
    l.bring(l.cut('--seed'), l.cut('--delta', '--since', '1'), l.cut('--delta', '--since', '2'))
    check(l.seqs() == [2, 3], 'points', l.seqs())
    l.change('--points', 5, '--frequency', '5m')
    l.bring(l.cut('--delta', '--since', '3'), l.cut('--delta', '--since', '4'))
    l.whole([2, 3, 4, 5])
    other = Site(l, 'third')
    l.hq('trust', 'add', other.card)
    l.change('--to', 'third')
    check(len(l.hq.json('status')[0]['targets']) == 2, 'there is no second target')


def test_no_change_while_an_export_is_not_finished():
    l = Disks()
    l.cut('--seed')
    argv = [tool('export'), '--home', l.hq.home, 'web1', '--delta', '-o', l.path('cut.vmf')]
    saved = l.path('saved')
    shutil.copytree(l.hq.home, saved, symlinks=True)
    l.touch()
    calls, _ = record(argv, l.dir)
    shutil.rmtree(l.hq.home)
    os.rename(saved, l.hq.home)
    for f in glob.glob(l.path('cut.vmf*')):
        os.unlink(f)
    killed(argv, l.dir, 'pwritev' if 'pwritev' in calls else 'writev' if 'writev' in calls else 'write', 3)
    check('not finished' in l.change('--remove', 'vdb', rc=1).stderr, 'with other words')
    l.change('--points', 3)             # which has nothing to do with it
    l.hq('export', 'web1', '--delta', '--anew', '-o', l.path('cut.vmf'))
    l.change('--remove', 'vdb')


# --- where a replica's disks lie ------------------------------------------------------------------------


def loop(l, name, size):
    """A block device of that size, with something on it; None where there can be none."""
    if os.geteuid() != 0 or shutil.which('losetup') is None:
        return None
    image = l.path(name)
    with open(image, 'wb') as f:
        f.write(l.random.randbytes(size))
    p = run('losetup', '-f', '--show', image, rc=None)
    if p.returncode != 0:
        print('        skipped: no loop device here')
        return None
    device = p.stdout.strip()
    UNDO.append(lambda: run('losetup', '-d', device))
    return device


def life(l):
    """All that happens to a replica whose disk lies elsewhere."""
    for _ in range(2):
        l.bring(l.cut('--delta'))
        l.receipt()
    l.whole()
    l.dr('compare', 'web1', '--full', '-o', l.path('full'))
    l.bring(l.cut('--against', l.path('full')))
    os.unlink(l.path('full'))
    l.whole()


def test_a_disk_lies_in_a_file_elsewhere():
    l = Disks()
    l.bring(l.cut('--seed'), l.cut('--delta'))
    l.receipt()
    os.mkdir(l.path('else'))
    there, inside = l.path('else', 'a disk'), os.path.join(l.dr.replica(), 'disks', 'vda.raw')
    l.dr('move', 'web1', '--disk', 'vda=' + there)
    check(os.path.exists(there) and not os.path.exists(inside), 'it does not lie there, or at both places')
    life(l)
    l.dr('move', 'web1', '--disk', 'vda=' + there)              # is there already
    again = l.path('else', 'another')
    l.dr('move', 'web1', '--disk', 'vda=' + again)
    check(os.path.exists(there), 'a file that lay elsewhere was removed')
    l.change('--remove', 'vda')
    del l.disks['vda']
    l.bring(l.cut('--delta'))
    l.receipt()
    l.whole()
    check(os.path.getsize(again) == 0, 'it is not empty')
    l.add('vda', 32 * K)
    l.bring(l.cut('--delta'))
    l.whole()
    l.dr('move', 'web1', '--disk', 'vda')
    check(os.path.exists(inside) and os.path.exists(again), 'it is not back, or took what lay elsewhere along')
    life(l)


def test_a_disk_lies_on_a_block_device():
    l = Disks(sizes=(256 * K, 128 * K))
    device = loop(l, 'device', 512 * K)
    if device is None:
        return
    l.bring(l.cut('--seed'), l.cut('--delta'))
    l.receipt()
    p = l.dr('move', 'web1', '--disk', 'vda=' + device, rc=1)
    check('--yes' in p.stderr, p.stderr)
    l.dr('move', 'web1', '--disk', 'vda=' + device, '--yes')
    life(l)
    p = l.dr('move', 'web1', '--disk', 'vdb=' + device, '--yes', rc=1)
    check('lies there' in p.stderr, p.stderr)
    # It grows on the device, over what was there, shrinks, and grows again.
    for size in (384 * K, 64 * K + 512, 512 * K):
        os.truncate(l.disks['vda'], size)
        l.bring(l.cut('--delta'))
        l.receipt()
        l.whole()
    # And beyond it.
    os.truncate(l.disks['vda'], 1 * M)
    b = l.cut('--delta')
    p = l.dr('import', b, rc=1)
    check(device in p.stderr and 'move --disk' in p.stderr, p.stderr)
    check(l.seqs()[-1] + 1 == max(l.points), 'the points are', l.seqs())
    l.whole()
    l.dr('move', 'web1', '--disk', 'vda=' + l.path('larger'))
    l.dr('merge', 'web1')
    check(l.seqs()[-1] == max(l.points), 'the points are', l.seqs())
    l.whole()
    # A damaged one is found.
    l.dr('move', 'web1', '--disk', 'vdb=' + device, '--yes')
    l.write(device, 4096, 512)
    l.dr('scrub', 'web1', rc=1)


def test_a_device_that_is_used_or_too_small_is_refused():
    l = Disks()
    device, small = loop(l, 'device', 16 * M), loop(l, 'small', 128 * K)
    if device is None or small is None or shutil.which('mkfs.ext4') is None:
        return
    l.bring(l.cut('--seed'))
    run('mkfs.ext4', '-q', device)
    os.mkdir(l.path('mnt'))
    run('mount', device, l.path('mnt'))
    UNDO.append(lambda: run('umount', l.path('mnt')))
    p = l.dr('move', 'web1', '--disk', 'vda=' + device, '--yes', rc=1)
    check('mounted' in p.stderr, p.stderr)
    p = l.dr('move', 'web1', '--disk', 'vda=' + small, '--yes', rc=1)
    check('bytes' in p.stderr, p.stderr)
    with open(small, 'r+b'):
        p = l.dr('move', 'web1', '--disk', 'vdb=' + small, '--yes', rc=1)
    check('open for writing' in p.stderr, p.stderr)
    l.whole([1])


def test_nothing_is_overwritten_by_a_move():
    l = Disks()
    p = l.dr('move', 'web1', '--store', l.path('s'), rc=1)      # there is none
    l.bring(l.cut('--seed'))
    there = l.path('mine')
    with open(there, 'wb') as f:
        f.write(b'mine')
    shutil.copy(os.path.join(l.dr.replica(), 'disks', 'vda.raw'), l.path('same'))
    state = tree(l.dr.home)
    l.dr('move', 'web1', '--disk', 'vda=' + there, rc=1)
    l.dr('move', 'web1', '--disk', 'vda=' + l.path('same'), rc=1)
    l.dr('move', 'web1', '--disk', 'vda=' + os.path.join(l.dr.replica(), 'mine'), rc=1)
    l.dr('move', 'web1', '--disk', 'vdx=' + l.path('x'), rc=1)
    os.makedirs(l.path('store', os.path.basename(l.dr.replica()), 'mine'))
    l.dr('move', 'web1', '--store', l.path('store'), rc=1)
    l.dr('move', 'web1', '--store', os.path.join(l.dr.replica(), 'disks'), rc=1)
    l.dr('move', 'web1', rc=2)
    check(tree(l.dr.home) == state, 'something changed')


def test_the_storage_moves_and_all_goes_on():
    l = Disks()
    l.bring(l.cut('--seed'), l.cut('--delta'))
    l.receipt()
    l.dr('import', '--no-merge', l.cut('--delta'))
    first = l.dr.replica()
    l.dr('move', 'web1', '--store', l.path('one'))
    check(l.dr.replica() == l.path('one', os.path.basename(first)) and not os.listdir(os.path.dirname(first)) == [], l.dr.replica())
    check(os.listdir(os.path.join(l.dr.home, 'replicas')) == [os.path.basename(first)], 'something is left in the home')
    l.dr('merge', 'web1')
    l.whole([1, 2, 3])
    life(l)
    l.dr('move', 'web1', '--store', l.path('two', 'deep'))
    check(not os.listdir(l.path('one')), 'the old one is still there')
    life(l)
    l.dr('move', 'web1', '--store', l.path('two', 'deep'))      # is there already
    l.dr('move', 'web1', '--store', os.path.join(l.dr.home, 'replicas'))
    check(l.dr.replica() == first and not os.listdir(l.path('two', 'deep')), 'it is not back home')
    life(l)


def test_the_storage_moves_to_another_file_system():
    l = Disks(where=on_disk())
    shm = tempfile.mkdtemp(prefix='vmferry-test.', dir='/dev/shm')
    UNDO.append(lambda: shutil.rmtree(shm))
    l.bring(l.cut('--seed'), l.cut('--delta'))
    l.receipt()
    l.dr('move', 'web1', '--store', shm)
    life(l)


def test_a_damaged_replica_is_not_moved():
    l = Disks()
    l.bring(l.cut('--seed'), l.cut('--delta'))
    raw = os.path.join(l.dr.replica(), 'disks', 'vda.raw')
    l.write(raw, 8192, 512)
    state = tree(l.dr.home)
    check('scrub' in l.dr('move', 'web1', '--store', l.path('store'), rc=1).stderr, 'other words')
    check('scrub' in l.dr('move', 'web1', '--disk', 'vda=' + l.path('x'), rc=1).stderr, 'other words')
    check(tree(l.dr.home) == state and not os.listdir(l.path('store')) and not os.path.exists(l.path('x')), 'something is left')
    check(len(os.listdir(os.path.join(l.dr.home, 'replicas'))) == 1, 'something is left in the home')


# --- failovers of such replicas ---------------------------------------------------------------------------


def several(l):
    """Points 1 to 5: vdc comes at 2, vdb goes at 3, another vdb comes at 4, vda grows at 5."""
    l.bring(l.cut('--seed'))
    for i, f in enumerate((lambda: l.add('vdc'), lambda: (l.change('--remove', 'vdb'), l.disks.pop('vdb')), lambda: l.add('vdb', 32 * K),
                           lambda: os.truncate(l.disks['vda'], 384 * K))):
        f()
        l.bring(l.cut('--delta', '--since', i + 1))


def shown(l, name, seq):
    """What the overlays of a test or failover show, by QEMU's reading, as raw images."""
    out = l.path('shown')
    os.mkdir(out)
    for p in glob.glob(os.path.join(l.dr.replica(), name, '*.qcow2')):
        run('qemu-img', 'convert', '-U', '-f', 'qcow2', '-O', 'raw', p, os.path.join(out, os.path.basename(p)[:-6] + '.raw'))
    l.is_point(seq, out, name)
    shutil.rmtree(out)


def failovers(l):
    for seq in range(1, 6):
        l.dr('failover', 'web1', '--test', '--point', seq)
        shown(l, 'test', seq)
        check('stop-test' in l.dr('move', 'web1', '--store', l.path('s'), rc=1).stderr, 'it is moved under a test')
        check('stop-test' in l.dr('move', 'web1', '--disk', 'vdc=' + l.path('x'), rc=1).stderr, 'it is moved under a test')
        l.dr('failover', 'web1', '--stop-test')
    l.whole([1, 2, 3, 4, 5])
    saved = l.path('saved')
    for seq in (3, 1, 5):
        shutil.copytree(l.dr.home, saved, symlinks=True)
        l.dr('failover', 'web1', '--unplanned', '--yes', '--point', seq)
        shown(l, 'failover', seq)
        l.dr('move', 'web1', '--store', l.path('s'), rc=1)
        yield seq
        shutil.rmtree(l.dr.home)
        os.rename(saved, l.dr.home)


def test_failovers_have_the_disks_of_their_point():
    l = Disks()
    several(l)
    for seq in failovers(l):
        l.dr('failover', 'web1', '--complete', '--yes')
        check(l.seqs() == [seq], 'the points are', l.seqs())
        l.is_point(seq, os.path.join(l.dr.replica(), 'disks'), 'completed:')


def test_failovers_of_disks_that_lie_elsewhere():
    l = Disks()
    several(l)
    device = loop(l, 'device', 512 * K)
    os.mkdir(l.path('else'))
    l.dr('move', 'web1', '--disk', 'vdc=' + l.path('else', 'vdc'))
    if device is not None:
        l.dr('move', 'web1', '--disk', 'vda=' + device, '--yes')
    for seq in failovers(l):
        if seq == 5:
            l.dr('failover', 'web1', '--cancel')
            l.whole([1, 2, 3, 4, 5])
    l.dr('failover', 'web1', '--unplanned', '--yes', '--point', 4)
    l.dr('failover', 'web1', '--complete', '--yes')
    for i, p in (('vda', device), ('vdc', l.path('else', 'vdc'))):
        if p is not None:
            with open(p, 'rb') as f, open(l.path('kept', '4', i + '.raw'), 'rb') as g:
                want = g.read()
                check(f.read(len(want)) == want, i, 'is not at the point')


if __name__ == '__main__':
    main(__name__)
