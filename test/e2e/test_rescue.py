#!/usr/bin/env python3
"""Bundles are readable without vmferry: rescue.py makes the disks of plain ones, and they are ordinary tar files."""
import struct, tarfile
from hashlib import blake2b
from lab import *

HEADER, VOLUME, SEGMENT, INDEX, MANIFEST, END, BLOB, VOLUME_END = range(1, 9)


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


class Rewriter:
    """Writes bundles anew, without signatures, which rescue.py does not check: in volumes, combined, or wrong."""
    def __init__(self, lab, stem):
        self.path, self.n, self.paths, self.segments, self.end = lab.path(stem + '-%d.vmf'), 0, [], 0, b''

    @staticmethod
    def read(path):
        """The records of a bundle of one volume, each with its payload."""
        out = []
        with open(path, 'rb') as f:
            for name, size in members(path):
                f.seek(512, 1)
                data = f.read(size)
                f.seek(-size % 512, 1)
                if name.endswith('.rec'):
                    out.append([bytearray(data), b''])
                else:
                    out[-1][1] = data
        return out

    def put(self, name, rec, payload=b'', **fields):
        """One record, changed in these fields, with its place in the chain."""
        at = {'type': (8, '<I'), 'part': (14, '<H'), 'number': (32, '<Q'), 'offset': (48, '<Q'), 'bundle': (16, '16s')}
        rec = bytearray(rec)
        for field, value in fields.items():
            struct.pack_into(at[field][1], rec, at[field][0], value)
        if len(payload) != struct.unpack_from('<Q', rec, 72)[0]:
            struct.pack_into('<QQ', rec, 64, len(payload), len(payload))
        rec[104:136] = blake2b(payload, digest_size=32).digest()
        if self.link is not None:
            rec[136:168] = self.link
        self.link = blake2b(rec, digest_size=32).digest()
        for member, data in ((name + '.rec', bytes(rec)), (name, payload)):
            if data:
                info = tarfile.TarInfo(member)
                info.size = len(data)
                self.file.write(info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512))

    def volume(self, records, items, end=None, **fields):
        """The next volume, of these items: (record, payload, fields); the last one if there is the text of an end."""
        self.n += 1
        self.paths.append(self.path % self.n)
        plain, link = bytes(256), None
        with open(self.paths[-1], 'wb') as self.file:
            self.link = None
            self.put('header.json', *records[0])
            head = bytearray(256)
            head[:32] = records[0][0][:32]
            head[12:16] = bytes(4)
            if self.n > 1:
                self.link = self.end
            self.put('volume', head, type=VOLUME, **{'number': self.n, 'offset': self.segments, **fields})
            for rec, payload, more in items:
                self.segments += rec[8] == SEGMENT
                self.put('x', rec, payload, **{'number': self.segments, **more})
            self.put('index', head, type=INDEX)
            self.put('manifest', head, type=MANIFEST)
            if end is None:
                self.put('volume-end', head, type=VOLUME_END, number=self.n, offset=self.segments)
            else:
                self.put('end.json', head, json.dumps(end).encode(), type=END)
            self.file.write(bytes(1024))
        self.end = self.link


def in_volumes(lab, path, stem, n, **wrong):
    """The same bundle in n volumes."""
    w, records = Rewriter(lab, stem), Rewriter.read(path)
    items = [(rec, data, {}) for rec, data in records if rec[8] == SEGMENT]
    end = dict(json.loads(records[-1][1]), volumes=n)
    end.update(wrong)
    for i in range(n):
        w.volume(records, items[len(items) * i // n:len(items) * (i + 1) // n], end if i == n - 1 else None)
    return w.paths


def combined(lab, paths, stem):
    """One delta of several, each of one volume, in two volumes with blobs in the first."""
    parts = [Rewriter.read(p) for p in paths]
    headers = [json.loads(records[0][1]) for records in parts]
    ends = [json.loads(records[-1][1]) for records in parts]
    h = dict(headers[-1], **{'from': headers[0]['from'], 'disks': [
        dict(last, before_size=first['before_size'], before_root=first['before_root'])
        for first, last in zip(headers[0]['disks'], headers[-1]['disks'])]})
    h['parts'] = [{'id': p['id'], 'cipher': 'none', 'targets': p['targets']} for p in headers]
    end = dict(ends[-1], volumes=2, **{n: sum(e[n] for e in ends) for n in ('segments', 'data', 'zero', 'stored')})
    records, w = [[parts[-1][0][0], json.dumps(h).encode()]], Rewriter(lab, stem)
    own = {'bundle': parts[-1][0][0][16:32]}
    blob = bytearray(256)
    blob[:32] = parts[-1][0][0][:32]
    items = [(rec, data, dict(own, part=i)) for i, p in enumerate(parts) for rec, data in p if rec[8] == SEGMENT]
    proofs = [bytes(parts[-1][i][k]) for i in (0, -1) for k in (0, 1)]
    blobs = [(blob, data, {'type': BLOB, 'number': n}) for n, data in enumerate(proofs, 1)]
    w.volume(records, blobs + items[:len(items) // 2])
    w.volume(records, items[len(items) // 2:], end)
    return w.paths


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


def three_points():
    """A lab with disks kept at points 1 to 3, and the seed and the deltas of these, some blocks in both of them."""
    lab = Lab(sizes=(8 * M, 1 * M + 512))
    a, b = lab.disks.values()
    lab.write(a, 0, 7 * M)
    bundles = []
    for n in (1, 2, 3):
        lab.keep(n)
        bundles.append(lab.export(*(['--since', n - 1] if n > 1 else ['--seed']), '--plain', name='p%d.vmf' % n))
        lab.write(a, n * 64 * K, 3 * M)
        lab.write(a, 4 * M + n * 256 * K, 512 * K, b'\0')
        lab.write(b, 512 * K, 512 * K + 512, b'text ')
    return lab, bundles


def test_volumes_are_read_by_rescue_in_any_order():
    lab, (seed, delta, _) = three_points()
    volumes = [in_volumes(lab, seed, 'sv', 3), in_volumes(lab, delta, 'dv', 2)]
    for n in range(6):
        lab.random.shuffle(volumes[0])
        lab.random.shuffle(volumes[1])
        lab.same(1, rescue(lab, 's%d' % n, *volumes[0]), 'seed')
        lab.same(2, rescue(lab, 'd%d' % n, *volumes[0], *volumes[1]), 'both')
        # A volume of the delta in front of the seed's last: bundles go by their first file.
        lab.same(2, rescue(lab, 'm%d' % n, volumes[0][0], *volumes[1], *volumes[0][1:]), 'mixed')
    lab.close()


def test_a_volume_missing_or_of_another_bundle_is_refused():
    lab, (seed, delta, _) = three_points()
    one, two, three = in_volumes(lab, seed, 'v', 3)
    is_refused(lab, 'volume 1 is missing', two, three)
    is_refused(lab, 'volume 2 is missing', one, three)
    is_refused(lab, 'the volume that follows it is missing', two, one)
    is_refused(lab, 'volume 2 is given twice', one, two, two, three)
    is_refused(lab, 'it does not hold what its end says', *in_volumes(lab, seed, 'x', 3, volumes=2))
    # The same number, of the same bundle cut in other places.
    other = in_volumes(lab, seed, 'o', 4)
    is_refused(lab, 'it does not follow the volume before it', one, other[1], three)
    is_refused(lab, 'it ends before the last volume', one, two, three, other[3])
    os.rename(two, one)
    is_refused(lab, 'volume 1 is missing', one)
    lab.close()


def test_a_combined_delta_is_read_by_rescue():
    lab, (seed, *deltas) = three_points()
    one = combined(lab, deltas, 'c')
    lab.same(3, rescue(lab, 1, seed, *one), 'the later part wins')
    lab.same(3, rescue(lab, 2, seed, deltas[0], *one), 'and so it does from point 2')
    lab.dr('combine', *deltas, '-o', lab.path('tool.vmf'))
    lab.same(3, rescue(lab, 3, seed, lab.path('tool.vmf')), 'what the tool combined')
    wrong = combined(lab, deltas[::-1], 'w')
    said = rescue(lab, 'x', seed, *wrong, rc=1)
    check('out of turn' in said, said)
    lab.close()


def test_totals_other_than_those_of_the_end_are_refused():
    lab, (seed, delta, _) = three_points()
    for n in ('segments', 'data', 'zero', 'stored', 'volumes'):
        for before, path in (([], seed), ([seed], delta)):
            records = Rewriter.read(path)
            w, end = Rewriter(lab, 'w'), json.loads(records[-1][1])
            end[n] += 1
            w.volume(records, [(rec, data, {}) for rec, data in records if rec[8] == SEGMENT], end)
            is_refused(lab, 'it does not hold what its end says', *before, *w.paths)
    lab.close()


def test_a_seed_that_does_not_cover_its_disks_is_refused():
    lab, (seed, delta, _) = three_points()
    records = Rewriter.read(seed)
    items = [(rec, data, {}) for rec, data in records if rec[8] == SEGMENT]

    def rewritten(items):
        w, end = Rewriter(lab, 'w'), json.loads(records[-1][1])
        end['segments'], end['stored'] = len(items), sum(len(data) for _, data, _ in items)
        w.volume(records, items, end)
        return w.paths[0]

    lab.same(1, rescue(lab, 'whole', rewritten(items)))
    for i in range(len(items)):
        is_refused(lab, 'it does not hold', rewritten(items[:i] + items[i + 1:]))
    is_refused(lab, 'or some twice', rewritten(items[:1] + items))
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
    is_refused(lab, gap, seed, deltas[1], deltas[0])
    is_refused(lab, 'is given twice', seed, deltas[0], deltas[1], deltas[0])
    is_refused(lab, 'the first bundle must be a seed', deltas[0], seed)
    is_refused(lab, 'is given twice', seed, seed)
    is_refused(lab, 'it is another seed', seed, lab.export('--seed', '--plain', name='seed2.vmf'))
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
