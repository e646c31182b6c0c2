#!/usr/bin/env python3
"""Compare instead of copy: a lost tracking, an older replica, a copy from elsewhere; only what differs is shipped."""
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


if __name__ == '__main__':
    main(__name__)
