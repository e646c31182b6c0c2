#!/usr/bin/env python3
"""Compare instead of copy: a lost tracking, an older replica, a copy from elsewhere; only what differs is shipped."""
import resource

from lab import *


def replicated(n=3, **kw):
    """Points 1 to n at both sites, each kept; dr has acknowledged the last."""
    lab = Lab(**kw)
    for k in range(1, n + 1):
        if k > 1:
            lab.write(lab.disks['vda'], k * 64 * K + 100, 9 * K)
        lab.keep(k)
        lab.dr('import', lab.export('--seed' if k == 1 else '--delta', *([] if k == 1 else ['--since', 'sent'])))
    return lab


def compared(lab, *how, name='c.vmf'):
    lab.dr('compare', 'web1', '-o', lab.path(name), *how)
    return lab.path(name)


def leaves_of(lab, disk='vda'):
    return glob.glob(os.path.join(lab.hq.home, 'primaries', '*-*', 'leaves', disk))[0]


def flip(path, offset):
    with open(path, 'r+b') as f:
        f.seek(offset)
        b = f.read(1)
        f.seek(offset)
        f.write(bytes([b[0] ^ 1]))


def all_points_are(lab, tags):
    points = [p['seq'] for p in lab.dr.json('points', 'web1')]
    check(points == sorted(tags), 'the points are', points)
    for seq, tag in tags.items():
        out = lab.path('out')
        lab.dr('restore', 'web1', '--point', seq, '-o', out)
        lab.same(tag, out, 'point %d:' % seq)
        shutil.rmtree(out)
    lab.dr('scrub', 'web1')


def data_of(p):
    """Bytes of the disks that an export says it carried."""
    return int(p.stderr.rsplit('(', 1)[1].split(' ')[0])


def export_against(lab, c, name='d.vmf', **kw):
    return lab.hq('export', 'web1', '--against', c, '-o', lab.path(name), **kw)


def test_a_delta_is_refused_when_leaves_are_lost_or_damaged():
    for damage in ('lost', 'cut', 'flipped', 'zeroed'):
        lab = replicated(2)
        p = leaves_of(lab)
        if damage == 'lost':
            os.unlink(p)
        elif damage == 'cut':
            os.truncate(p, 64)
        elif damage == 'zeroed':
            os.truncate(p, 0)
        else:
            flip(p, 16)
        lab.write(lab.disks['vda'], 300 * K, 5000)
        before = tree(os.path.join(lab.hq.home, 'primaries'))
        q = lab.hq('export', 'web1', '--delta', '-o', lab.path('x.vmf'), rc=1)
        check('cannot be told' in q.stderr and '--against' in q.stderr, damage, q.stderr)
        if damage == 'lost':
            with open(lab.path('list'), 'w') as f:
                f.write('vda 0 4096\n')
            lab.hq('export', 'web1', '--changes', lab.path('list'), '-o', lab.path('x.vmf'), rc=1)
        check(tree(os.path.join(lab.hq.home, 'primaries')) == before, 'a refused export has changed something')
        lab.close()


def test_a_lost_tracking_is_resynced_and_the_old_points_stay():
    for damage in ('lost', 'flipped', 'none'):
        lab = replicated(3)
        if damage == 'lost':
            os.unlink(leaves_of(lab))
        elif damage == 'flipped':
            flip(leaves_of(lab), 16)
        lab.write(lab.disks['vda'], 300 * K, 5000)
        lab.write(lab.disks['vdb'], 1 * M, 512)     # the half block at its end
        lab.keep(4)
        c = compared(lab)
        check(os.path.getsize(c) < 20 * K, 'the comparison has', os.path.getsize(c))
        p = export_against(lab, c)
        check('delta to point 4' in p.stderr, p.stderr)
        # 5000 bytes lie in one group or two of 64 KiB, and the other disk has one that differs.
        check(data_of(p) <= 3 * 64 * K, 'carried', data_of(p))
        lab.dr('import', lab.path('d.vmf'))
        all_points_are(lab, {1: 1, 2: 2, 3: 3, 4: 4})
        # And from there on it is as ever.
        lab.write(lab.disks['vda'], 100 * K, 5000)
        lab.keep(5)
        lab.dr('import', lab.export('--delta', '--since', 'sent'))
        all_points_are(lab, {1: 1, 2: 2, 3: 3, 4: 4, 5: 5})
        lab.close()


def test_after_a_loss_no_other_site_gets_a_delta_from_before_it():
    lab = replicated(2)
    os.unlink(leaves_of(lab))
    lab.write(lab.disks['vda'], 0, 256 * K, b'\0')
    export_against(lab, compared(lab))
    p = lab.hq('export', 'web1', '--since', '2', '-o', lab.path('x.vmf'), rc=1)
    check('not kept' in p.stderr, p.stderr)
    # A whole seed heals it too, and says right roots.
    os.unlink(leaves_of(lab))
    lab.keep('now')
    lab.hq('export', 'web1', '--seed', '-o', lab.path('seed.vmf'))
    lab.dr('import', lab.path('seed.vmf'))
    out = lab.path('out')
    lab.dr('restore', 'web1', '-o', out)
    lab.same('now', out)


def test_a_replica_restored_from_an_older_copy_of_its_store():
    lab = replicated(2)
    old = lab.path('dr.old')
    run('cp', '-a', lab.dr.home, old)
    for k in (3, 4):
        lab.write(lab.disks['vda'], k * 64 * K + 100, 9 * K)
        lab.dr('import', lab.export('--delta', '--since', 'sent'))
    lab.dr('import', '--receipt', lab.path('r.vmf'), lab.export('--delta', '--since', 'sent'))
    lab.hq('import', lab.path('r.vmf'))     # so point 2 is not kept at hq any more
    shutil.rmtree(lab.dr.home)
    os.rename(old, lab.dr.home)
    lab.keep(6)
    check('no delta can' not in lab.hq('export', 'web1', '--delta', '-o', lab.path('x.vmf')).stderr, 'the tracking was lost')
    p = export_against(lab, compared(lab))
    check('delta to point 7' in p.stderr, p.stderr)
    check(data_of(p) <= 4 * 64 * K, 'carried', data_of(p))
    lab.dr('import', lab.path('d.vmf'))
    all_points_are(lab, {1: 1, 2: 2, 7: 6})


def test_a_primary_whose_record_is_older_than_the_replica():
    lab = replicated(2)
    old = lab.path('hq.old')
    run('cp', '-a', lab.hq.home, old)
    lab.write(lab.disks['vda'], 3 * 64 * K, 9 * K)
    lab.keep(3)
    lab.dr('import', lab.export('--delta', '--since', 'sent'))
    lab.write(lab.disks['vda'], 4 * 64 * K, 9 * K)
    lab.keep(4)
    lab.dr('import', lab.export('--delta', '--since', 'sent'))
    shutil.rmtree(lab.hq.home)
    os.rename(old, lab.hq.home)
    lab.write(lab.disks['vda'], 600 * K, 9 * K)
    lab.keep(5)
    export_against(lab, compared(lab))
    lab.dr('import', lab.path('d.vmf'))
    all_points_are(lab, {1: 1, 2: 2, 3: 3, 4: 4, 5: 5})


def test_disks_that_were_resized():
    for a, b in ((3 * M + 512, 2 * M), (6 * M, 900 * K), (4 * M + 4096, 1 * M + 1024)):
        lab = replicated(2)
        os.truncate(lab.disks['vda'], a)
        os.truncate(lab.disks['vdb'], b)
        lab.write(lab.disks['vdb'], b - 512, 512)
        lab.keep(3)
        export_against(lab, compared(lab))
        lab.dr('import', lab.path('d.vmf'))
        all_points_are(lab, {1: 1, 2: 2, 3: 3})
        lab.close()


def test_damage_at_the_replica_is_mended_by_a_full_comparison():
    lab = replicated(2)
    disk = os.path.join(lab.dr.replica(), 'disks', 'vda.raw')
    lab.write(disk, 130 * K, 3000)
    lab.dr('scrub', 'web1', rc=1)
    check('--full' in lab.dr('compare', 'web1', '-o', lab.path('c.vmf'), rc=1).stderr, 'not told to read the disks')
    lab.keep(3)
    p = export_against(lab, compared(lab, '--full'))
    check(0 < data_of(p) <= 64 * K, 'carried', data_of(p))
    lab.dr('import', lab.path('d.vmf'))
    lab.dr('scrub', 'web1')
    out = lab.path('out')
    lab.dr('restore', 'web1', '-o', out)
    lab.same(3, out)


def test_damaged_leaves_at_the_replica_are_made_anew_from_a_disk_that_is_right():
    for damage in ('lost', 'flipped'):
        lab = replicated(2)
        leaves = os.path.join(lab.dr.replica(), 'leaves', 'vda')
        if damage == 'lost':
            os.unlink(leaves)
        else:
            flip(leaves, 80)
        check(lab.dr('compare', 'web1', '-o', lab.path('c.vmf'), rc=None).returncode in (1, 3), 'damaged leaves were believed')
        lab.write(lab.disks['vda'], 300 * K, 5000)
        lab.keep(3)
        p = lab.dr('compare', 'web1', '--full', '-o', lab.path('c.vmf'))
        check('is made anew' in p.stderr, p.stderr)
        export_against(lab, lab.path('c.vmf'))
        lab.dr('import', lab.path('d.vmf'))
        all_points_are(lab, {1: 1, 2: 2, 3: 3})
        flip(leaves, 80)
        flip(os.path.join(lab.dr.replica(), 'disks', 'vda.raw'), 80 * K)
        check('both damaged' in lab.dr('compare', 'web1', '--full', '-o', lab.path('c.vmf'), rc=1).stderr, 'both')
        lab.close()


def test_nothing_differs():
    lab = replicated(2)
    p = export_against(lab, compared(lab))
    check(data_of(p) == 0, 'carried', data_of(p))
    lab.dr('import', lab.path('d.vmf'))
    all_points_are(lab, {1: 1, 2: 2, 3: 2})


def test_a_delta_against_fits_the_replica_only_as_it_was_compared():
    lab = replicated(2)
    c = compared(lab)
    delta = lab.export('--delta', '--since', '2')
    export_against(lab, c)
    lab.dr('import', delta)
    p = lab.dr('import', lab.path('d.vmf'), rc=1)
    check('compare them again' in p.stderr, p.stderr)
    # Of a comparison that this replica never made, or made and does not remember.
    c = compared(lab)
    export_against(lab, c, name='e.vmf')
    for state in glob.glob(os.path.join(lab.dr.home, 'replicas', '*-*', 'state')):
        edit_record(state, lambda o: o.pop('compared'))
    saved = tree(lab.dr.home)
    p = lab.dr('import', lab.path('e.vmf'), rc=1)
    check('compare it again' in p.stderr, p.stderr)
    check(tree(lab.dr.home) == saved, 'a refused bundle has changed something')
    export_against(lab, compared(lab), name='f.vmf')
    lab.dr('import', lab.path('f.vmf'))
    lab.dr('scrub', 'web1')


def adopt(lab, disks, *how, name='c.vmf', **kw):
    return lab.dr('adopt', 'web1', '--from', 'hq', *[a for i, p in disks.items() for a in ('--disk', '%s=%s' % (i, p))],
                  '-o', lab.path(name), *how, **kw)


def copies(lab, tag='copy'):
    """What another tool has copied of the disks some time ago."""
    lab.keep(tag)
    return {i: lab.path('kept', tag, i + '.raw') for i in lab.disks}


def is_replica(lab, tag, what=''):
    out = lab.path('out')
    lab.dr('restore', 'web1', '-o', out)
    lab.same(tag, out, what)
    shutil.rmtree(out)
    lab.dr('scrub', 'web1')
    check(glob.glob(os.path.join(lab.dr.home, 'adopted', '*-*')) == [], 'something is left of the adoption')


def adopted(lab, disks, tag='now'):
    """Adopt, export against, import: what the export said."""
    before = {p: open(p, 'rb').read() for p in disks.values()}
    adopt(lab, disks)
    check(before == {p: open(p, 'rb').read() for p in disks.values()}, 'a disk was modified')
    p = export_against(lab, lab.path('c.vmf'), name='s.vmf')
    check('seed to point' in p.stderr, p.stderr)
    lab.keep(tag)
    lab.dr('import', lab.path('s.vmf'))
    is_replica(lab, tag)
    return p


def test_a_copy_that_is_behind_becomes_a_replica():
    lab = Lab(sizes=(16 * M, 1 * M + 512))
    lab.write(lab.disks['vda'], 0, 15 * M)
    disks = copies(lab)
    lab.write(lab.disks['vda'], 5 * M + 100, 9 * K)
    lab.write(lab.disks['vda'], 9 * M, 64 * K, b'\0')
    p = adopted(lab, disks)
    check(data_of(p) <= 3 * 64 * K, 'carried', data_of(p))
    check(os.path.getsize(lab.path('c.vmf')) < 20 * K, 'the comparison has', os.path.getsize(lab.path('c.vmf')))
    # A seed as any other: deltas follow.
    lab.write(lab.disks['vda'], 100, 9 * K)
    lab.keep('next')
    lab.dr('import', lab.export('--delta', '--since', 'sent'))
    all_points_are(lab, {1: 'now', 2: 'next'})


def test_a_copy_that_is_the_same_ships_nothing():
    lab = Lab()
    check(data_of(adopted(lab, copies(lab))) == 0, 'something was carried')


def test_a_copy_of_which_one_byte_in_every_1000th_block_differs():
    lab = Lab(sizes=(40 * M,))
    lab.write(lab.disks['vda'], 0, 40 * M)
    disks = copies(lab)
    for block in range(0, 10240, 1000):
        flip(disks['vda'], block * 4096 + block % 4096)
    p = adopted(lab, disks)
    check(data_of(p) == 11 * 64 * K, 'carried', data_of(p))


def test_copies_of_other_sizes():
    for a, b in ((3 * M, 2 * M), (4 * M + 512, 512), (4 * M - 512, 1 * M + 1024), (64 * M, 1 * M)):
        lab = Lab()
        disks = copies(lab)
        os.truncate(disks['vda'], a)
        os.truncate(disks['vdb'], b)
        lab.write(disks['vda'], a - 512, 512)
        lab.write(disks['vdb'], b - 512, 512)
        adopted(lab, disks)
        lab.close()


def test_a_copy_that_is_all_zeroes_and_one_that_is_missing():
    lab = Lab()
    with open(lab.path('empty'), 'wb') as f:
        f.truncate(4 * M)
    p = adopted(lab, {'vda': lab.path('empty')})
    check('vdb was not compared' in p.stderr, p.stderr)
    # Without a byte it is no disk.
    lab.close()
    lab = Lab()
    open(lab.path('none'), 'wb').close()
    adopt(lab, {'vda': lab.path('none')}, rc=1)
    check(lab.dr('compare', 'web1', '-o', lab.path('x'), rc=1).stderr != '', 'an adoption was left')


def test_disks_in_another_order_and_one_that_the_vm_does_not_have():
    lab = Lab()
    disks = copies(lab)
    with open(lab.path('more'), 'wb') as f:
        f.write(os.urandom(300 * K))
        f.truncate(9 * M)
    p = adopted(lab, {'vdb': disks['vdb'], 'swap': lab.path('more'), 'vda': disks['vda']})
    check('swap was compared, but is not replicated' in p.stderr, p.stderr)


def test_adopted_disks_in_a_store():
    lab = Lab()
    store = lab.path('store')
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--store', store)
    disks = copies(lab)
    adopted(lab, disks)
    check(os.path.realpath(lab.dr.replica()).startswith(store), 'the replica is not in the store')
    check([n for n in os.listdir(store) if n.startswith('.')] == [], 'something is left in the store:', os.listdir(store))


def test_a_qcow2_backup_and_a_block_device_are_adopted():
    lab = Lab(sizes=(4 * M, 1 * M))
    disks = copies(lab)
    flip(disks['vda'], 200 * K)
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', disks['vda'], lab.path('vda.qcow2'))
    start('qemu-nbd', '-t', '-r', '-f', 'qcow2', '-k', lab.path('sock'), lab.path('vda.qcow2'), '--pid-file', lab.path('pid'))
    while not os.path.exists(lab.path('pid')):
        os.sched_yield()
    loop = shutil.which('losetup') and run('losetup', '-f', '--show', '-r', disks['vdb'], rc=None)
    is_device = loop and loop.returncode == 0       # root alone may have one
    vdb = loop.stdout.strip() if is_device else disks['vdb']
    try:
        adopt(lab, {'vda': 'nbd+unix:///?socket=' + lab.path('sock'), 'vdb': vdb})
        copy = glob.glob(os.path.join(lab.dr.home, 'adopted', '*-*', 'disks', 'vda.raw'))[0]
        check(os.stat(copy).st_blocks * 512 < 2 * M, 'the copy is not sparse')
    finally:
        if is_device:
            run('losetup', '-d', vdb)
    p = export_against(lab, lab.path('c.vmf'), name='s.vmf')
    check(data_of(p) == 64 * K, 'carried', data_of(p))
    lab.keep('now')
    lab.dr('import', lab.path('s.vmf'))
    is_replica(lab, 'now')


def test_what_differs_comes_in_volumes_in_any_order():
    for how in ('files', 'media'):
        lab = Lab(sizes=(8 * M, 1 * M + 512))
        lab.write(lab.disks['vda'], 0, 8 * M)
        disks = copies(lab)
        lab.write(lab.disks['vda'], 1 * M, 5 * M)
        adopt(lab, disks)
        lab.keep(1)
        os.mkdir(lab.path('stick'))
        lab.hq('export', 'web1', '--against', lab.path('c.vmf'), '--media', lab.path('stick'), '--volume-size', '2M')
        files = sorted(glob.glob(lab.path('stick', 'vmferry', '*.vmf')))
        check(len(files) >= 3, 'volumes', len(files))
        if how == 'files':
            lab.random.shuffle(files)
            for f in files:
                lab.dr('import', f)
        else:
            lab.dr('import', '--media', lab.path('stick'))
        is_replica(lab, 1)
        # And a delta against the replica as it is then.
        lab.write(lab.disks['vda'], 2 * M, 5 * M)
        lab.keep(2)
        os.mkdir(lab.path('stick2'))
        lab.hq('export', 'web1', '--against', compared(lab), '--media', lab.path('stick2'), '--volume-size', '2M')
        lab.dr('import', '--media', lab.path('stick2'))
        all_points_are(lab, {1: 1, 2: 2})
        lab.close()


def test_adopting_again_and_dropping():
    lab = Lab()
    disks = copies(lab)
    adopt(lab, disks)
    p = adopt(lab, disks, name='c2.vmf')
    check('copied before' in p.stderr, p.stderr)
    adopt(lab, {'vda': disks['vda']}, rc=1)
    lab.dr('compare', 'web1', '-o', lab.path('c3.vmf'))
    lab.dr('adopt', '--drop', 'web1')
    check(glob.glob(os.path.join(lab.dr.home, 'adopted', '*-*')) == [], 'it was not dropped')
    lab.dr('adopt', '--drop', 'web1', rc=1)
    export_against(lab, lab.path('c.vmf'), name='s.vmf')
    saved = tree(lab.dr.home)
    p = lab.dr('import', lab.path('s.vmf'), rc=1)
    check('no such disks are here' in p.stderr, p.stderr)
    check(tree(lab.dr.home) == saved, 'a refused seed has changed something')
    # Any of the comparisons of one adoption will do.
    adopt(lab, disks)
    lab.dr('compare', 'web1', '-o', lab.path('c4.vmf'))
    lab.write(lab.disks['vda'], 300 * K, 100)
    export_against(lab, lab.path('c.vmf'), name='s.vmf')
    lab.keep('now')
    lab.dr('import', lab.path('s.vmf'))
    is_replica(lab, 'now')


def test_an_adopted_copy_that_was_damaged_meanwhile_is_found_out():
    lab = Lab()
    adopt(lab, copies(lab))
    copy = glob.glob(os.path.join(lab.dr.home, 'adopted', '*-*', 'disks', 'vda.raw'))[0]
    flip(copy, 100 * K)
    export_against(lab, lab.path('c.vmf'), name='s.vmf')
    p = lab.dr('import', lab.path('s.vmf'), rc=1)
    check('disk vda does not come out' in p.stderr and '--drop' in p.stderr, p.stderr)
    check('web1' not in lab.dr('points', 'web1', rc=None).stdout, 'there are points')
    p = lab.dr('import', lab.path('s.vmf'), rc=1)
    check('is gone' in p.stderr, p.stderr)
    # A person drops it and begins anew.
    lab.dr('adopt', '--drop', 'web1')
    adopted(lab, {i: lab.path('kept', 'copy', i + '.raw') for i in lab.disks})


def test_a_seed_that_is_cut_short_costs_no_copy():
    lab = Lab()
    adopt(lab, copies(lab))
    lab.write(lab.disks['vda'], 300 * K, 200 * K)
    lab.keep('now')
    export_against(lab, lab.path('c.vmf'), name='s.vmf')
    whole = open(lab.path('s.vmf'), 'rb').read()
    for n in (0, 1024, 4096, len(whole) // 2, len(whole) - 1):
        with open(lab.path('cut.vmf'), 'wb') as f:
            f.write(whole[:n])
        lab.dr('import', lab.path('cut.vmf'), rc=1)
    for n in (len(whole) // 3, len(whole) // 2):
        check(subprocess.run([VMFERRY, '--home', lab.dr.home, 'import'], input=whole[:n], capture_output=True).returncode == 1, 'a cut pipe')
    lab.dr('import', lab.path('s.vmf'))
    is_replica(lab, 'now')
    check('already have it' in lab.dr('import', lab.path('s.vmf')).stderr, 'twice')


def test_a_delta_that_comes_before_the_seed_waits_for_it():
    lab = Lab()
    adopt(lab, copies(lab))
    lab.write(lab.disks['vda'], 300 * K, 100)
    export_against(lab, lab.path('c.vmf'), name='s.vmf')
    lab.keep(1)
    lab.write(lab.disks['vda'], 500 * K, 100)
    lab.keep(2)
    lab.dr('import', lab.export('--delta', '--since', 'sent'))
    # The placeholder is not in the way of another comparison of the adopted disks.
    lab.dr('compare', 'web1', '-o', lab.path('c2.vmf'))
    lab.dr('import', lab.path('s.vmf'))
    all_points_are(lab, {1: 1, 2: 2})
    check(glob.glob(os.path.join(lab.dr.home, 'adopted', '*-*')) == [], 'something is left of the adoption')


def test_a_whole_seed_takes_the_place_of_adopted_disks():
    lab = Lab()
    adopt(lab, copies(lab))
    export_against(lab, lab.path('c.vmf'), name='s.vmf')
    lab.write(lab.disks['vda'], 300 * K, 100)
    lab.keep('now')
    lab.dr('import', lab.export('--seed'))
    out = lab.path('out')
    lab.dr('restore', 'web1', '-o', out)
    lab.same('now', out)
    check('already have it' in lab.dr('import', lab.path('s.vmf')).stderr, 'an older seed')
    export_against(lab, lab.path('c.vmf'), name='t.vmf')
    saved = tree(os.path.join(lab.dr.home, 'replicas'))
    p = lab.dr('import', lab.path('t.vmf'), rc=1)
    check('against adopted disks' in p.stderr, p.stderr)
    check(tree(os.path.join(lab.dr.home, 'replicas')) == saved, 'a refused seed has changed something')


def test_who_may_be_adopted_from():
    lab = Lab()
    disks = copies(lab)
    args = ['--disk', 'vda=' + disks['vda'], '-o', lab.path('c.vmf')]
    check('no site of that name' in lab.dr('adopt', 'web1', '--from', 'x', *args, rc=1).stderr, 'an unknown site')
    check('may not replicate' in lab.dr('adopt', 'db', '--from', 'hq', *args, rc=1).stderr, 'another VM')
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--max-size', '1M')
    check('more than' in adopt(lab, disks, rc=1).stderr, 'larger than allowed')
    check(glob.glob(os.path.join(lab.dr.home, 'adopted', '*-*')) == [], 'something was left')
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*')
    with open(disks['vda'], 'r+b'):
        check('open for writing' in adopt(lab, disks, rc=1).stderr, 'a disk in use')
    for bad in ('vda', '=x', 'v/da=' + disks['vda']):
        lab.dr('adopt', 'web1', '--from', 'hq', '--disk', bad, '-o', lab.path('c.vmf'), rc=1)
    lab.dr('adopt', 'web1', '--from', 'hq', '--disk', 'vda=' + lab.path('nothing'), '-o', lab.path('c.vmf'), rc=3)


TEST = os.environ.get('VMFERRY_TEST', os.path.join(ROOT, 'build', 'test'))
MEMORY = 400 * M

# What a comparison that is wrong in one thing must be refused with.
HOSTILE = {
    'blobs-none': 'the digests of a disk are missing',
    'blobs-first-missing': 'its digests are not those',
    'blobs-last-missing': 'the digests of a disk are missing',
    'blobs-one-more': 'more digests than its disks',
    'blobs-of-no-disk-more': 'more digests than its disks',
    'blobs-swapped': 'its digests are not those',
    'blob-of-no-disk': 'its digests are not those',
    'blob-of-disk-with-high-bits': 'its digests are not those',
    'blob-zero-in-use': 'its digests are not those',
    'blob-empty': 'its digests are not those',
    'blob-short-by-one': 'its digests are not those',
    'blob-long-by-one': 'its digests are not those',
    'blob-in-two': 'its digests are not those',
    'blob-full': 'its digests are not those',
    'blob-with-a-byte-more': 'its digests are not those',
    'blob-clear': 'is not encrypted as the header says',
    'blob-with-another-key': 'cannot be decrypted',
    'blob-damaged': 'damaged',
    'blob-says-it-is-larger': 'is not one zstd frame',
    'blob-says-it-is-huge': 'larger than it can be',
    'blob-says-it-is-nothing': 'is not one zstd frame',
    'vm-of-another-uuid': 'compares another VM',
    'vm-of-another-lineage': 'another lineage',
    'vm-of-another-epoch': 'of epoch 2',
    'vm-adopted-of-another-name': "compares disks of VM 'db1'",
    'disk-unknown': 'compares other disks',
    'disks-unknown': "compares none of the VM's disks",
    'disk-missing': 'compares other disks',
    'disk-twice': 'two disks have the same id',
    'disk-of-64-TiB-without-digests': 'its digests are not those',
    'disk-of-64-TiB-and-one-blob': 'the digests of a disk are missing',
    'disk-size-odd': "a disk's size is out of range",
    'points-that-differ': 'the point that was compared',
    'points-without-from': 'the point that was compared',
    'points-without-to': 'starts from a point and leads to none',
    'type-undo': 'not what',
    'sealed-to-another': 'not addressed to this site',
    'seed-of-another-lineage': 'another leaf seed',
    'end-missing': 'cut short',
}


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def refused_against(lab, path, words, *how):
    """Refused, in little memory, with those words, and nothing has changed at the primary."""
    before = tree(lab.hq.home)
    p = lab.hq('export', 'web1', '--against', path, '-o', lab.path('x.vmf'), *how, rc=1, preexec_fn=limited)
    check(words in p.stderr, os.path.basename(path), ': said', p.stderr)
    check(tree(lab.hq.home) == before, os.path.basename(path), ': something has changed')
    check(glob.glob(lab.path('x.vmf*')) == [], os.path.basename(path), ': something was written')


def test_hostile_comparisons_are_refused_and_change_nothing():
    lab = replicated(1)
    out = lab.path('hostile')
    os.mkdir(out)
    made = run(os.path.join(TEST, 'compared'), lab.dr.home, lab.hq.card, out).stdout.split()
    check(set(made) == set(HOSTILE) | {'good'}, 'made and expected differ:', set(made) ^ (set(HOSTILE) | {'good'}))
    for name, words in HOSTILE.items():
        refused_against(lab, os.path.join(out, name + '.vmf'), words)
    lab.hq('export', 'web1', '--against', os.path.join(out, 'good.vmf'), '-o', lab.path('good.vmf'))


def test_a_comparison_of_somebody_else_is_refused():
    lab = replicated(1)
    c = compared(lab)
    lab.dr('import', '--receipt', lab.path('r.vmf'), lab.path('b0.vmf'))
    refused_against(lab, lab.path('r.vmf'), 'is a receipt')
    refused_against(lab, lab.path('b0.vmf'), 'that this site does not know')     # its own
    other = Site(lab, 'other')
    other('trust', 'add', lab.hq.card, '--vm', 'web*')
    refused_against(lab, c, 'not replicated to it', '--to', 'other') if lab.hq('trust', 'add', other.card) else None
    lab.keep('copy')
    other('adopt', 'web1', '--from', 'hq', '--disk', 'vda=' + lab.path('kept', 'copy', 'vda.raw'), '-o', lab.path('o.vmf'))
    refused_against(lab, lab.path('o.vmf'), 'say --to other')
    lab.hq('trust', 'remove', 'other')
    refused_against(lab, lab.path('o.vmf'), 'that this site does not know')
    lab.hq('trust', 'add', other.card)
    lab.hq('export', 'web1', '--against', lab.path('o.vmf'), '--to', 'other', '-o', lab.path('s.vmf'))
    # What is for one site is of no use to another, even where that may open it.
    p = lab.dr('import', lab.path('s.vmf'), rc=1)
    lab.hq('export', 'web1', '--against', lab.path('o.vmf'), '--to', 'other', '--plain', '-o', lab.path('s.vmf'))
    other('import', lab.path('s.vmf'))
    other('scrub', 'web1')


def test_a_comparison_cut_at_any_record_or_flipped_is_refused():
    lab = replicated(1)
    c = open(compared(lab), 'rb').read()
    cuts = sorted(set(range(0, len(c), 512)) | {1, len(c) - 1})
    for n in cuts:
        with open(lab.path('cut.vmf'), 'wb') as f:
            f.write(c[:n])
        refused_against(lab, lab.path('cut.vmf'), '')
    r = random.Random(7)
    for i in range(60):
        n = r.randrange(len(c))
        with open(lab.path('flip.vmf'), 'wb') as f:
            f.write(c[:n] + bytes([c[n] ^ 1 << r.randrange(8)]) + c[n + 1:])
        refused_against(lab, lab.path('flip.vmf'), '')
    with open(lab.path('more.vmf'), 'wb') as f:
        f.write(c + b'\0')
    refused_against(lab, lab.path('more.vmf'), 'something stands behind')


def test_a_seed_against_what_another_site_adopted_is_refused():
    lab = Lab()
    lab.keep('copy')
    disks = {i: lab.path('kept', 'copy', i + '.raw') for i in lab.disks}
    adopt(lab, disks)
    export_against(lab, lab.path('c.vmf'), name='s.vmf')
    # The adoption was for another VM, or for another site: its own record says so.
    state = glob.glob(os.path.join(lab.dr.home, 'adopted', '*-*', 'state'))[0]
    kept = open(state, 'rb').read()
    for change, words in ((lambda o: o.update(vm='web2'), "for VM 'web2'"), (lambda o: o.update(key='00' * 32), 'for site'),
                          (lambda o: o.update(issued=[]), 'no such disks are here')):
        edit_record(state, change)
        saved = tree(lab.dr.home)
        p = lab.dr('import', lab.path('s.vmf'), rc=1)
        check(words in p.stderr, p.stderr)
        check(tree(lab.dr.home) == saved, 'a refused seed has changed something')
        with open(state, 'wb') as f:
            f.write(kept)
    lab.keep('now')
    lab.dr('import', lab.path('s.vmf'))
    is_replica(lab, 'now')


if __name__ == '__main__':
    main(__name__)
