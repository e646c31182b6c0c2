#!/usr/bin/env python3
"""Bundles are readable without vmferry: rescue.py makes the disks of plain ones, and they are ordinary tar files."""
import struct
from lab import *


def rescue(lab, tag, *bundles, rc=0):
    """Run rescue.py into the folder tag.  On success give the folder, else what it said; then no image has its name."""
    folder = lab.path('rescued', str(tag))
    p = run(sys.executable, RESCUE, '-o', folder, *bundles, rc=rc)
    if rc == 0:
        return folder
    check(not glob.glob(os.path.join(folder, '*.raw')), 'rescue.py refused, but left images')
    return p.stderr


def is_refused(lab, why, *bundles):
    """Is that the word with which rescue.py refuses these bundles?"""
    said = rescue(lab, 'refused', *bundles, rc=1)
    check(why in said, 'refused with other words than "%s": %s' % (why, said))
    check('Traceback' not in said, said)
    shutil.rmtree(lab.path('rescued', 'refused'))


def damaged(lab, path, at, what=None):
    """A copy of a bundle with the byte at that place changed, or with everything from there on cut off (what = b'')."""
    with open(path, 'rb') as f:
        data = bytearray(f.read())
    at %= len(data)
    if what is None:
        data[at] ^= 0x10
    else:
        del data[at:]
    out = lab.path('damaged.vmf')
    with open(out, 'wb') as f:
        f.write(data)
    return out


def members(path):
    """The members of a bundle as tar lists them: (name, size)."""
    lines = run('tar', 'tvf', path).stdout.splitlines()
    return [(w[5], int(w[2])) for w in (x.split() for x in lines)]


def test_a_seed_and_deltas_are_read_by_rescue():
    """Data, zeroes, trims, growth, shrinking and odd ends; at every point, and with deltas that overlap."""
    lab = Lab(sizes=(8 * M, 1 * M + 512, 12 * K + 1536))
    a, b, c = lab.disks.values()

    def fill_all():
        lab.write(c, 0, 12 * K + 1536)

    def write():
        lab.write(a, 0, 3 * M)                              # several segments, which do not compress
        lab.write(a, 5 * M, 2 * M, b'text ')                # and some that do
        lab.write(b, 1 * M, 512)                            # the odd end

    def zero():
        lab.write(a, 64 * K, 200 * K, b'\0')                # zeroes over data
        run('fallocate', '-p', '-o', 1 * M, '-l', 256 * K, a)   # a hole where data was
        run('fallocate', '-p', '-o', 5 * M + 1000, '-l', 100 * K, a)

    def grow():
        for p, size in ((a, 9 * M + 1024), (b, 2 * M), (c, 20 * K + 512)):
            os.truncate(p, size)
        lab.write(a, 9 * M, 1024)

    def shrink():
        os.truncate(a, 2 * M + 512)                         # the end comes to lie inside of a block of data
        os.truncate(b, 512)

    def shrink_and_grow():
        os.truncate(a, 1 * M + 512)
        os.truncate(a, 4 * M)                               # what was cut off reads as zeroes now

    fill_all()
    lab.keep(1)
    seed = lab.export('--seed', '--plain', name='seed.vmf')
    steps, chain = (write, zero, grow, shrink, shrink_and_grow), [seed]
    for n, step in enumerate(steps, 2):
        step()
        lab.keep(n)
        # Each from the point before, as if it had been acknowledged; and all from the seed.
        chain.append(lab.export('--plain', '--since', n - 1, '--compress', ('none', 'fast', 'best')[n % 3],
                                name='d%d.vmf' % n))
    lab.keep('last')
    # No receipt came, so this one leads from the seed to the end: it must be right at any point between.
    whole = lab.export('--plain', name='whole.vmf')
    for n in range(1, len(chain) + 1):
        lab.same(n, rescue(lab, n, *chain[:n]), 'after %d bundles' % n)
        lab.same('last', rescue(lab, 'whole%d' % n, *chain[:n], whole), 'delta from 1 at point %d' % n)
    lab.close()


def test_a_bundle_for_nobody_is_read_by_rescue():
    lab = Lab(sizes=(1 * M,), enable=False)
    lab.hq('trust', 'remove', 'dr')
    lab.hq('enable', 'web1', *lab.disk_args())
    lab.keep(1)
    lab.same(1, rescue(lab, 1, lab.export('--seed', '--plain')))
    lab.close()


def test_a_truncated_bundle_is_refused():
    lab = Lab(sizes=(1 * M,))
    seed = lab.export('--seed', '--plain', '--compress', 'none', name='seed.vmf')
    size = os.path.getsize(seed)
    # Around every boundary of 512 near both ends, and some places between.
    ends = list(range(1, 9)) + list(range(size // 512 - 9, size // 512))
    cuts = {n * 512 + k for n in ends for k in (-1, 0)}
    for at in sorted(cuts | {0, size // 3, size // 2, size - 1}):
        is_refused(lab, 'it is cut off' if at < size - 1024 else 'it does not end', damaged(lab, seed, at, b''))
    lab.write(lab.disks['vda'], 0, 4 * K)
    delta = lab.export('--plain', name='delta.vmf')
    is_refused(lab, 'it is cut off', seed, damaged(lab, delta, -1025, b''))
    lab.close()


def test_a_damaged_bundle_is_refused():
    lab = Lab(sizes=(1 * M,))
    seed = lab.export('--seed', '--plain', '--compress', 'none', name='seed.vmf')
    # One byte of each payload, and the type, disk and stored length of each record but the last, which nothing follows.
    at = 0
    for name, size in members(seed):
        if name.endswith('.rec') and name != 'end.rec':
            for field in (8, 40, 72, 136, 192):
                if not (name == 'header.rec' and field == 8):
                    said = rescue(lab, 'x', damaged(lab, seed, at + 512 + field), rc=1)
                    check('Traceback' not in said, said)
                    shutil.rmtree(lab.path('rescued'))
        elif not name.endswith('.rec'):
            is_refused(lab, 'its digest is wrong', damaged(lab, seed, at + 512 + size // 2))
        # A record's header is padded to 1024 bytes with it.
        at += 512 + (size + 511) // 512 * 512
    lab.close()


def test_a_gap_or_a_wrong_order_is_refused():
    lab = Lab(sizes=(1 * M,))
    seed = lab.export('--seed', '--plain', name='seed.vmf')
    deltas = []
    for n in (2, 3, 4):
        lab.write(lab.disks['vda'], n * 8 * K, 4 * K)
        lab.keep(n)
        deltas.append(lab.export('--plain', '--since', n - 1, name='d%d.vmf' % n))
    lab.same(4, rescue(lab, 'good', seed, *deltas))
    gap = 'a bundle is missing, or out of turn'
    is_refused(lab, gap, seed, deltas[1])
    is_refused(lab, gap, seed, deltas[0], deltas[2])
    is_refused(lab, gap, seed, deltas[0], deltas[1], deltas[0])
    is_refused(lab, 'the first bundle must be a seed', deltas[0], seed)
    is_refused(lab, 'it is another seed', seed, seed)
    lab.hq('enable', 'other', '--to', 'dr', *lab.disk_args())
    lab.hq('export', 'other', '--seed', '--plain', '-o', lab.path('o1.vmf'))
    lab.hq('export', 'other', '--plain', '-o', lab.path('o2.vmf'))
    is_refused(lab, 'not of the history', seed, lab.path('o2.vmf'))
    lab.close()


def test_an_encrypted_bundle_and_a_receipt_are_refused():
    lab = Lab(sizes=(1 * M,))
    sealed = lab.export('--seed', name='sealed.vmf')
    is_refused(lab, 'it is encrypted', sealed)
    lab.dr('import', sealed, '--receipt', lab.path('receipt.vmf'))
    is_refused(lab, 'neither a seed nor a delta', lab.path('receipt.vmf'))
    lab.close()


def test_rescue_overwrites_nothing():
    lab = Lab(sizes=(1 * M,))
    seed = lab.export('--seed', '--plain', name='seed.vmf')
    folder = rescue(lab, 1, seed)
    before = tree(folder)
    run(sys.executable, RESCUE, '-o', folder, seed, rc=1)
    check(tree(folder) == before, 'an image was overwritten')
    lab.close()


def test_a_bundle_is_an_ordinary_tar():
    """tar lists and extracts it, and b2sum finds what the manifest says; encrypted or not, with and without segments."""
    lab = Lab(sizes=(3 * M, 512))
    lab.write(lab.disks['vda'], 0, 3 * M)
    bundles = [lab.export('--seed', '--plain', name='plain.vmf'), lab.export('--seed', name='sealed.vmf')]
    bundles.append(lab.export('--plain', '--since', 2, name='nothing.vmf'))
    lab.dr('import', bundles[1], '--receipt', lab.path('receipt.vmf'))
    bundles.append(lab.path('receipt.vmf'))
    for b in bundles:
        names = [n for n, size in members(b)]
        records = [n for n in names if n.startswith('s/') and n.endswith('.rec')]
        index = ['index'] if records else []
        check(names[:3] == ['header.rec', 'header.json', 'volume.rec'], names)
        check(names[-4 - len(index) - 1:] == ['index.rec'] + index + ['manifest.rec', 'manifest', 'end.rec', 'end.json'],
              names)
        check(records == ['s/%010d.rec' % n for n in range(1, len(records) + 1)], names)
        check((b in bundles[:2]) == (len(records) > 0), b, 'has', len(records), 'segments')
        out = b + '.d'
        os.mkdir(out)
        run('tar', 'xf', b, '-C', out)
        run('b2sum', '--strict', '-c', 'manifest', cwd=out)
        with open(os.path.join(out, 'manifest')) as f:
            listed = [line.split('(')[1].split(')')[0] for line in f]
        check(listed == [n for n in names if not n.endswith('.rec')][:-2], 'the manifest does not name all', listed)
        for n in records:
            with open(os.path.join(out, n), 'rb') as f:
                stored, = struct.unpack('<72xQ', f.read(80))
            check(stored == os.path.getsize(os.path.join(out, n[:-3] + 'dat')), n, 'is not the record of its payload')
        with open(os.path.join(out, listed[-1]), 'r+b') as f:
            f.write(b'\xff')
        run('b2sum', '-c', 'manifest', cwd=out, rc=1)
    lab.close()


if __name__ == '__main__':
    main(__name__)
