#!/usr/bin/env python3
"""Several deltas in one: at the primary, the replica and a courier station; newest data first, and nothing forged."""
from forge import BLOB, SEGMENT, Bundle, Key
from inject import hurry, leftovers, tool
from lab import *
from test_kill import Sweep
import struct, tarfile


def points_of(site):
    return [p['seq'] for p in site.json('points', 'web1')]


def look(path):
    return json.loads(run(VMFERRY, 'inspect', '--json', path).stdout)


class Story:
    """A VM whose disks are kept at every point; deltas of its own to each from the one before; and a courier station."""
    def __init__(self, n, sizes=(1 * M, 96 * K + 512), how=(), guest=None, third=False, **kw):
        self.lab = lab = Lab(sizes=sizes, enable=not third, **kw)
        self.to = lab.dr            # who the combined deltas are brought to
        if third:
            self.to = Site(lab, 'd2')
            lab.hq('trust', 'add', self.to.card)
            for card in (lab.hq.card, lab.dr.card):
                self.to('trust', 'add', card, '--vm', 'web*')
            lab.hq('enable', 'web1', '--to', 'dr', '--to', 'd2', '--points', 24, *lab.disk_args())
        self.co = Site(self.lab, 'co')
        self.co('trust', 'add', self.lab.hq.card)
        for site in {self.lab.dr, self.to}:
            site('trust', 'add', self.co.card, '--vm', 'web*')
        self.how, self.guest = how, guest or self.write_some
        self.lab.keep(1)
        self.seed = self.lab.export('--seed', *how)
        self.n, self.deltas = 1, {}
        while self.n < n:
            self.next()

    def write_some(self, lab, n):
        """The same places again and again, others once, zeroes over data and data over zeroes."""
        lab.write(lab.disks['vda'], 8 * K, 12 * K)
        lab.write(lab.disks['vda'], n * 40 * K % (960 * K), 20 * K)
        lab.write(lab.disks['vda'], n * 76 * K % (960 * K), 24 * K, b'\0')
        lab.write(lab.disks['vdb'], n * 512, 700)

    def next(self, since='sent'):
        self.guest(self.lab, self.n + 1)
        self.n += 1
        self.lab.keep(self.n)
        p = self.lab.export('--delta', '--since', str(since), *self.how, name='d-%s-%d.vmf' % (since, self.n))
        self.deltas[look(p)['from']['seq'], self.n] = p
        return p

    def chain(self, a, c):
        return [self.deltas[i, i + 1] for i in range(a, c)]

    def combine(self, site, bundles, name='combined.vmf', rc=0, *args):
        out = self.lab.path(name)
        if os.path.exists(out):
            os.remove(out)
        self.said = site('combine', '-o', out, *args, *bundles, rc=rc).stderr
        check(os.path.exists(out) == (rc == 0), 'what was written does not go with exit', rc)
        check(not os.listdir(os.path.join(site.home, 'tmp')), 'something is left in tmp')
        return out

    def try_combine(self, site, bundles, name, may):
        """Combine, which may be refused or not; was it done?"""
        p = site('combine', '-o', self.lab.path(name), *bundles, rc=None)
        check(p.returncode in may, 'exit', p.returncode, p.stderr)
        check(p.returncode == 0 or 'cannot be read here to be cut' in p.stderr, p.stderr)
        return p.returncode == 0

    def at(self, b):
        """A copy of the replica at point b, that was reached step by step."""
        if os.path.exists(self.lab.path('at')):
            shutil.rmtree(self.lab.path('at'))
        copy = Site.__new__(Site)
        copy.lab, copy.name, copy.home = self.lab, self.to.name, self.lab.path('at')
        copy.card = self.to.card
        shutil.copytree(self.to.home, copy.home, symlinks=True)
        copy('import', self.seed)
        for d in self.chain(1, b):
            copy('import', d)
        return copy

    def leads(self, bundle, a, c, points=None):
        """It brings a replica at any point from a to c - 1 (or at those alone) to c, and every point comes back."""
        for b in points or range(a, c):
            dr = self.at(b)
            dr('import', bundle)
            want = list(range(1, b + 1)) + [c]
            check(points_of(dr) == want, 'from', b, 'the points are', points_of(dr), 'and not', want)
            self.lab.same(c, os.path.join(dr.replica(), 'disks'), 'from %d:' % b)
            for n in want if b in (a, c - 1) else want[-2:-1]:
                out = self.lab.path('out')
                dr('restore', 'web1', '--point', n, '-o', out)
                self.lab.same(n, out, 'from %d, restored point %d:' % (b, n))
                shutil.rmtree(out)
            dr('scrub', 'web1')
            check(not leftovers(dr), 'left over:', *leftovers(dr))

    def refused(self, bundle, *words, b=1):
        dr = self.at(b)
        before = tree(dr.home)
        p = dr('import', bundle, rc=1)
        for w in words:
            check(w in p.stderr, 'it does not say "%s": %s' % (w, p.stderr))
        check(tree(dr.home) == before, 'a refused bundle changed the store')


def test_the_primary_combines_what_it_sent():
    s = Story(5)
    s.leads(s.combine(s.lab.hq, s.chain(1, 5)), 1, 5)


def test_a_courier_combines_without_keys():
    s = Story(5)
    p = s.combine(s.co, s.chain(1, 5)[::-1])
    check(look(p)['signer'] == 'co' and look(p)['encrypted'], 'not signed by the courier, or not encrypted')
    s.leads(p, 1, 5)


def test_a_courier_combines_plain_deltas():
    s = Story(5, how=('--plain',))
    p = s.combine(s.co, s.chain(1, 5))
    check(' 0 made anew' not in s.said, 'nothing was folded:', s.said)
    s.leads(p, 1, 5)


def test_a_courier_combines_with_a_card_alone():
    s = Story(3)
    s.co('trust', 'remove', 'hq')
    s.combine(s.co, s.chain(1, 3), rc=1)
    check('not known here' in s.said, s.said)
    p = s.combine(s.co, s.chain(1, 3), 'combined.vmf', 0, '--key', s.lab.hq.card)
    s.leads(p, 1, 3)


def test_the_replica_combines_and_forwards():
    s = Story(5)
    p = s.combine(s.lab.dr, s.chain(1, 5))
    check(' 0 made anew' not in s.said, 'nothing was folded:', s.said)
    s.lab.dr('import', s.seed)
    before = tree(s.lab.dr.home)
    check('made at this very site' in s.lab.dr('import', p, rc=1).stderr, 'it took its own bundle')
    check(tree(s.lab.dr.home) == before, 'a refused bundle changed the store')
    run(VMFERRY, 'verify', '--key', s.lab.dr.card, p)


def test_what_a_replica_combined_goes_on_to_another():
    s = Story(6, guest=resizing, third=True)
    s.leads(s.combine(s.lab.dr, s.chain(1, 6)), 1, 6)
    check(' 0 made anew' not in s.said, 'nothing was folded:', s.said)
    s.leads(s.combine(s.lab.dr, s.chain(2, 5)), 2, 5)


def test_only_those_who_can_read_all_parts_are_targets():
    s = Story(2, third=True)
    s.next()
    s.guest(s.lab, 4)
    s.lab.keep(4)
    s.n = 4
    s.deltas[3, 4] = s.lab.export('--delta', '--since', 3, '--to', 'd2', name='d2only.vmf')
    p = s.combine(s.co, s.chain(1, 4))
    check(len(look(p)['targets']) == 1, 'the targets are', look(p)['targets'])
    s.leads(p, 1, 4)
    s.guest(s.lab, 5)
    s.lab.export('--delta', '--since', 4, '--to', 'dr', name='dronly.vmf')
    combine_refused(s, s.co, [s.deltas[3, 4], s.lab.path('dronly.vmf')], 'none could read the result')


def test_hot_blocks_are_carried_once_with_keys():
    def hot(lab, n):
        lab.write(lab.disks['vda'], 64 * K, 256 * K)
    s = Story(9, guest=hot)
    one = look(s.deltas[1, 2])['data']
    check(one >= 256 * K, one)
    for site in (s.lab.dr, s.co):
        p = s.combine(site, s.chain(1, 9))
        check(look(p)['data'] == one, site.name, 'carries', look(p)['data'], 'bytes, not', one)
    s.leads(p, 7, 9)


def test_scattered_hot_blocks_are_carried_once_with_keys():
    def hot(lab, n):
        for i in range(40):
            lab.write(lab.disks['vda'], i * 24 * K, 4 * K)
        lab.write(lab.disks['vda'], n * 24 * K + 8 * K, 4 * K)
    s = Story(6, guest=hot, how=('--plain',))
    p = s.combine(s.co, s.chain(1, 6))
    check(look(p)['data'] == (40 + 5) * 4 * K, 'it carries', look(p)['data'])
    s.leads(p, 1, 6)
    s = Story(6, guest=hot)
    p = s.combine(s.co, s.chain(1, 6))
    check(look(p)['data'] > 45 * 4 * K, 'a courier without keys folded blocks that it cannot read')
    s.leads(p, 4, 6)


def test_a_block_that_changed_and_changed_back():
    def guest(lab, n):
        lab.write(lab.disks['vda'], 100 * K // 4096 * 4096, 8 * K, b'XYXYX'[n % 5:n % 5 + 1])
        lab.write(lab.disks['vda'], n * 12 * K, 1)
    s = Story(5, guest=guest)
    for site in (s.co, s.lab.hq):
        s.leads(s.combine(site, s.chain(1, 5)), 1, 5)


def test_zeroes_over_data_and_data_over_zeroes():
    def guest(lab, n):
        a, b = (b'\0', None) if n % 2 else (None, b'\0')
        lab.write(lab.disks['vda'], 0, 512 * K, a)
        lab.write(lab.disks['vda'], 512 * K + n * 4 * K, 64 * K, b)
        with open(lab.disks['vda'], 'r+b') as f:
            run('fallocate', '-p', '-o', 700 * K, '-l', 64 * K, lab.disks['vda'])
        if n % 2:
            lab.write(lab.disks['vda'], 704 * K, 16 * K)
    for how in ((), ('--plain',)):
        s = Story(6, guest=guest, how=how)
        s.leads(s.combine(s.co, s.chain(1, 6)), 1, 6)


def test_what_is_hidden_is_left_out_if_its_zeroes_are_known():
    def guest(lab, n):
        if n == 4:
            lab.write(lab.disks['vda'], 0, 128 * K)
            return
        lab.write(lab.disks['vda'], n * 8 * K, 8 * K)
        lab.write(lab.disks['vda'], n * 8 * K + 64 * K, 4 * K, b'\0' if n == 2 else None)
    s = Story(4, guest=guest)
    p = s.combine(s.co, s.chain(1, 4))
    # The one with zeroes stays: without keys nobody knows how many.  The one without, and what is hidden of it, goes.
    check('2 segments copied, 0 made anew, 1 left out' in s.said, s.said)
    s.leads(p, 1, 4)


SIZES = {2: 1 * M + 512, 3: 768 * K + 1536, 4: 500 * K, 5: 1200 * K + 512, 6: 1100 * K}


def resizing(lab, n):
    lab.write(lab.disks['vda'], 8 * K, 8 * K)
    os.truncate(lab.disks['vda'], SIZES[n])
    lab.write(lab.disks['vda'], SIZES[n] - 6 * K, 6 * K)
    lab.write(lab.disks['vda'], n * 60 * K, 9 * K)
    os.truncate(lab.disks['vdb'], 64 * K + n * 1024)


def test_disks_that_grow_and_shrink_in_between():
    s, rng = Story(6, guest=resizing, how=('--plain',)), random.Random(5)
    for a in range(1, 6):
        for c in range(a + 1, 7):
            s.leads(s.combine(s.co, s.chain(a, c)), a, c, None if (a, c) == (1, 6) else [rng.randrange(a, c)])


def test_disks_that_grow_by_whole_blocks_without_keys():
    def guest(lab, n):
        lab.write(lab.disks['vda'], 8 * K, 8 * K)
        os.truncate(lab.disks['vda'], 1 * M + n * 64 * K)
        lab.write(lab.disks['vda'], 1 * M + n * 64 * K - 8 * K, 4 * K)
    s = Story(5, guest=guest)
    s.leads(s.combine(s.co, s.chain(1, 5)), 1, 5)


def test_a_disk_that_cannot_be_cut_unread_is_refused():
    s = Story(6, guest=resizing)
    s.combine(s.co, s.chain(1, 6), rc=1)
    check('cannot be read here to be cut' in s.said, s.said)
    s.combine(s.lab.dr, s.chain(1, 6))


def test_overlapping_deltas():
    s = Story(4)
    wide = s.next(since=2)
    s.next()
    check((2, 5) in s.deltas, s.deltas.keys())
    p = s.combine(s.co, [wide, s.deltas[1, 2], s.deltas[2, 3], s.deltas[5, 6]])
    s.deltas[4, 5] = wide
    s.leads(p, 1, 6)


def test_what_was_combined_is_combined_again():
    s = Story(7)
    s.lab.hq('trust', 'add', s.co.card)
    s.co('trust', 'add', s.lab.dr.card)
    a = s.combine(s.co, s.chain(1, 4), 'a.vmf')
    b = s.combine(s.lab.hq, s.chain(4, 6), 'b.vmf')
    s.leads(s.combine(s.co, [b, a], 'ab.vmf'), 1, 6)
    s.leads(s.combine(s.co, [s.lab.path('ab.vmf'), s.deltas[6, 7]], 'all.vmf'), 1, 7)
    s.leads(s.combine(s.lab.hq, [s.lab.path('all.vmf')], 'again.vmf'), 5, 7)


def test_random_histories():
    rng = random.Random(11)

    def guest(lab, n):
        p = lab.disks['vda']
        if rng.random() < 0.4:
            os.truncate(p, rng.randrange(200, 3000) * 512)
        size = os.path.getsize(p)
        for _ in range(rng.randrange(1, 12)):
            at = rng.randrange(0, size // K) * K
            lab.write(p, at, min(rng.choice((1, 5 * K, 40 * K, 300 * K)), size - at), rng.choice((None, None, b'\0', b'a')))
    for i in range(int(os.environ.get('COMBINE_HISTORIES', 6))):
        s = Story(6, guest=guest, how=('--plain',) if i % 3 == 0 else (), third=i % 3 == 1)
        site = s.lab.dr if i % 3 == 1 else s.co
        a = rng.randrange(1, 4)
        c = rng.randrange(a + 2, 7)
        mid = rng.randrange(a, c)
        # Without keys, not all disks that were resized can be carried; what can be must be right.
        may = (0, 1) if i % 3 == 2 else (0,)
        parts = s.chain(a, c)
        if mid > a and s.try_combine(site, s.chain(a, mid), 'low.vmf', may):
            parts = [s.lab.path('low.vmf')] + s.chain(mid, c)
        if s.try_combine(site, parts, 'combined.vmf', may):
            s.leads(s.lab.path('combined.vmf'), a, c)
        s.lab.close()


def test_it_waits_in_the_inbox_and_merges_later():
    s = Story(5)
    p = s.combine(s.co, s.chain(2, 5))
    dr = s.at(1)
    dr('import', p)
    check(points_of(dr) == [1], points_of(dr))
    dr('import', s.deltas[1, 2], '--no-merge')
    dr('scrub', 'web1')
    dr('merge', 'web1')
    check(points_of(dr) == [1, 2, 5], points_of(dr))
    s.lab.same(5, os.path.join(dr.replica(), 'disks'))


def test_a_bundle_in_volumes_is_combined_and_must_be_whole():
    s = Story(3, guest=lambda lab, n: lab.write(lab.disks['vda'], 0, 4 * M), sizes=(6 * M, 64 * K))
    hq = Key(s.lab.hq)
    v = Bundle(s.deltas[1, 2]).write_volumes(s.lab.path('v%d.vmf'), hq, 2)
    check(len(v) > 1, 'it is one volume')
    combine_refused(s, s.co, [v[0], s.deltas[2, 3]], 'more volumes of its bundle follow')
    combine_refused(s, s.co, [v[1], s.deltas[2, 3]], 'volume 1 of its bundle was not named')
    combine_refused(s, s.co, [*v, v[0], s.deltas[2, 3]], 'named twice')
    s.leads(s.combine(s.co, [s.deltas[2, 3], *v[::-1]]), 1, 3)
    c = Bundle(s.combine(s.co, s.chain(1, 3))).write_volumes(s.lab.path('c%d.vmf'), Key(s.co), 3)
    for order in (c, c[::-1]):
        dr = s.at(1)
        for p in order:
            dr('import', p)
        check(points_of(dr) == [1, 3], points_of(dr))
        s.lab.same(3, os.path.join(dr.replica(), 'disks'))


def test_through_a_pipe():
    s = Story(3)
    out = s.co('combine', *s.chain(1, 3), text=False).stdout
    dr = s.at(1)
    dr('import', input=out, text=False, stdin=None)
    s.lab.same(3, os.path.join(dr.replica(), 'disks'))


def test_the_independent_reader_agrees():
    s = Story(6, how=('--plain',), guest=resizing)
    out = s.lab.path('rescued')
    run('python3', '-B', RESCUE, '-o', out, s.seed, s.combine(s.co, s.chain(1, 6)))
    s.lab.same(6, out, 'rescued:')
    s = Story(5)
    with tarfile.open(s.combine(s.co, s.chain(1, 5))) as t:
        t.extractall(s.lab.path('x'))
    run('b2sum', '--quiet', '-c', 'manifest', cwd=s.lab.path('x'))


def combine_refused(s, site, bundles, *words):
    s.combine(site, bundles, 'no.vmf', 1)
    for w in words:
        check(w in s.said, 'it does not say "%s": %s' % (w, s.said))


def test_what_does_not_belong_together_is_refused():
    s, other = Story(5), Story(3)
    s.co('trust', 'add', other.lab.hq.card, rc=None)
    combine_refused(s, s.co, [s.deltas[1, 2], s.deltas[3, 4]], 'what lies between is missing')
    combine_refused(s, s.co, [s.deltas[1, 2], s.deltas[1, 2]], 'named twice')
    combine_refused(s, s.co, [s.seed, s.deltas[1, 2]], 'only deltas are combined')
    combine_refused(s, s.co, [s.deltas[1, 2], other.deltas[2, 3]], 'not known here')
    other.co('trust', 'add', s.lab.hq.card, rc=None)
    combine_refused(s, s.co, [s.lab.path('vda.img')], 'not a bundle')
    wide = s.next(since=2)
    combine_refused(s, s.co, [wide, s.deltas[1, 2], s.deltas[2, 3], s.combine(s.co, s.chain(1, 3), 'c.vmf')],
                    'leave it out')


def test_another_lineage_is_refused():
    s = Story(3)
    old = s.deltas[1, 2]
    lab = s.lab
    hq = lab.hq.home
    shutil.rmtree(os.path.join(hq, 'primaries'))
    os.mkdir(os.path.join(hq, 'primaries'))
    lab.hq('enable', 'web1', '--to', 'dr', *lab.disk_args())
    for i in range(3):
        s.guest(lab, i)
        p = lab.export('--seed' if i == 0 else '--delta', *([] if i == 0 else ['--since', 'sent']), name='n%d.vmf' % i)
    combine_refused(s, s.co, [old, p], 'of another VM, lineage or epoch')


def test_damage_in_an_input_is_found():
    s = Story(4)
    for where in (300, 5000, -30000, -900):
        bad = s.lab.path('bad.vmf')
        shutil.copyfile(s.deltas[2, 3], bad)
        with open(bad, 'r+b') as f:
            f.seek(where, 2 if where < 0 else 0)
            byte = f.read(1)[0]
            f.seek(-1, 1)
            f.write(bytes([byte ^ 4]))
        combine_refused(s, s.co, [s.deltas[1, 2], bad, s.deltas[3, 4]], bad)


# --- a courier that forges: all of these are signed with its own key, which is authorized ---

def test_a_station_that_is_not_authorized_is_refused():
    s = Story(3)
    p = s.combine(s.co, s.chain(1, 3))
    s.lab.dr('trust', 'remove', 'co')
    s.refused(p, 'does not know')
    s.lab.dr('trust', 'add', s.co.card)
    s.refused(p, 'may not replicate this VM')
    s.lab.dr('trust', 'remove', 'co')
    s.lab.dr('trust', 'add', s.co.card, '--vm', 'db*')
    s.refused(p, 'may not replicate this VM')


def test_it_cannot_be_the_first_bundle_of_a_vm():
    s = Story(3)
    p = s.combine(s.co, s.chain(1, 3))
    before = tree(s.lab.dr.home)
    check('bring its seed first' in s.lab.dr('import', p, rc=1).stderr, 'a courier bound a VM to itself')
    check(tree(s.lab.dr.home) == before, 'a refused bundle changed the store')


def test_an_ordinary_delta_of_a_courier_is_refused():
    s = Story(3)
    b = Bundle(s.deltas[1, 2])
    s.refused(b.write(s.lab.path('f.vmf'), Key(s.co)), 'accepted from site')


def forge(s, change):
    b = Bundle(s.combine(s.co, s.chain(1, 4)))
    change(b)
    return b.write(s.lab.path('forged.vmf'), Key(s.co))


def test_the_forger_of_these_tests_can_write_a_good_bundle():
    s = Story(4)
    s.leads(forge(s, lambda b: None), 1, 4)


def in_text(member, **fields):
    member.text = dict(member.text, **fields)


def test_a_courier_cannot_change_the_roots():
    s = Story(4)

    def change(b):
        o = b.end.text
        o['disks'][0]['root'] = '00' * 16
        b.end.text = o
    s.refused(forge(s, change), 'other roots than its primary signed')


def test_a_courier_cannot_change_the_points_or_disks():
    s = Story(4)
    h = Bundle(s.deltas[1, 2]).header.text
    for field, value, words in (
            ('to', dict(h['to'], seq=9), 'other points'),
            ('to', dict(look(s.deltas[3, 4])['to'], time='2020-01-01T00:00:00Z'), 'other points'),
            ('keep', 1, 'other disks'),
            ('excluded', [{'id': 'vdz', 'size': 4096}], 'other disks'),
            ('vm', {'uuid': h['vm']['uuid'], 'name': 'web2'}, 'another VM')):
        s.refused(forge(s, lambda b: in_text(b.header, **{field: value})), words)


def test_a_courier_cannot_change_the_proof():
    s = Story(4)
    s.refused(forge(s, lambda b: b.members.remove(b.of(BLOB)[3])), 'without its proof')
    s.refused(forge(s, lambda b: [b.members.remove(m) for m in b.of(BLOB)]), 'without its proof')

    def flip(i):
        def change(b):
            m = b.of(BLOB)[i]
            m.payload = m.payload[:40] + bytes([m.payload[40] ^ 1]) + m.payload[41:]
        return change
    for i in range(4):
        s.refused(forge(s, flip(i)), 'proof of a combined delta')

    def older(b):
        """The proof of the bundle before, which the primary signed as well."""
        for m, n in zip(b.of(BLOB), Bundle(s.combine(s.co, s.chain(1, 3), 'older.vmf')).of(BLOB)):
            m.payload = n.payload
    s.refused(forge(s, older), 'other points')

    def mixed(b):
        for m, n in list(zip(b.of(BLOB), Bundle(s.combine(s.co, s.chain(1, 3), 'older.vmf')).of(BLOB)))[2:]:
            m.payload = n.payload
    s.refused(forge(s, mixed), 'from two bundles')

    def own(b):
        """Both records signed by the courier itself."""
        key = Key(s.co)
        for i, context in ((0, b'vmferry 1 bundle header'), (2, b'vmferry 1 bundle end')):
            m = b.of(BLOB)[i]
            rec = bytearray(m.payload[:192])
            if i == 0:
                rec[136:168] = key.public.raw
            m.payload = bytes(rec) + key.sign(context.ljust(32, b'\0') + bytes(rec))
    s.refused(forge(s, own), 'another key than that of the VM')


def test_verify_holds_a_combined_delta_against_its_proof():
    s = Story(4)
    good = forge(s, lambda b: None)
    s.lab.dr('verify', good)
    run(VMFERRY, 'verify', '--key', s.co.card, good)

    def roots(b):
        o = b.end.text
        o['disks'][0]['root'] = '00' * 16
        b.end.text = o
    for change, words in ((roots, 'other roots than its primary signed'),
                          (lambda b: b.members.remove(b.of(BLOB)[3]), 'without its proof')):
        bad = forge(s, change)
        for p in (s.lab.dr('verify', bad, rc=1), run(VMFERRY, 'verify', '--key', s.co.card, bad, rc=1)):
            check(words in p.stderr and 'good' not in p.stderr, p.stderr)


def test_a_courier_cannot_change_what_it_carries():
    s = Story(4)

    def cut_short(b):
        b.members.remove(b.of(SEGMENT)[0])

    def swapped(b):
        """Old data over new: the parts the other way round."""
        o = b.header.text
        o['parts'].reverse()
        b.header.text = o

    for change in (cut_short, swapped):
        p = forge(s, change)
        b = Bundle(p)
        dr = s.at(1)
        said = dr('import', p, rc=1).stderr
        check(points_of(dr) == [1], 'it was merged: ', said)
        s.lab.same(1, os.path.join(dr.replica(), 'disks'))


def test_a_courier_cannot_leave_a_segment_out():
    """All counts are right, each segment decodes, and only the roots say no."""
    s = Story(4, how=('--plain',))

    def change(b):
        m = b.of(SEGMENT)[-1]
        b.members.remove(m)
        o = b.end.text
        data = m.get('Q', 64) - 24 * m.get('I', 44)
        o['segments'] -= 1
        o['data'] -= data
        o['zero'] -= sum_of_zeroes(m)
        o['stored'] -= len(m.payload)
        b.end.text = o
    p = forge(s, change)
    dr = s.at(1)
    said = dr('import', p, rc=1).stderr
    check('does not give disk' in said, said)
    check(points_of(dr) == [1], 'it was merged')
    s.lab.same(1, os.path.join(dr.replica(), 'disks'))
    dr('import', s.combine(s.co, s.chain(1, 4)))
    s.lab.same(4, os.path.join(dr.replica(), 'disks'), 'after the refusal:')


def sum_of_zeroes(m):
    plain = m.payload if m.rec[12] == 0 else run('zstd', '-dc', input=m.payload, text=False, stdin=None).stdout
    kinds = [struct.unpack_from('<QQI', plain, 24 * i) for i in range(m.get('I', 44))]
    return sum(length for _, length, kind in kinds if kind != 1)


# --- killed at every call that changes something ---

def killed_story():
    s = Story(4, sizes=(256 * K,), guest=lambda lab, n: (lab.write(lab.disks['vda'], 8 * K, 12 * K),
                                                         lab.write(lab.disks['vda'], n * 20 * K, 8 * K)))
    s.lab.dr('import', s.seed)
    return s


def test_combine_killed_at_every_call():
    s = killed_story()
    new = s.lab.path('new.vmf')

    def after_kill(k):
        if os.path.exists(new):
            run(VMFERRY, 'verify', '--key', s.co.card, new)

    def finish(k):
        run(VMFERRY, 'verify', '--key', s.co.card, new)
        check(not os.path.exists(new + '.part'), 'a part of it is left')
    argv = [tool('combine'), '--home', s.co.home, '-o', new, *s.chain(1, 4)]
    Sweep('combine', s.lab, argv, ['co'], after_kill, lambda k: run(*argv), finish).run()


def test_import_of_a_combined_delta_killed_at_every_call():
    s = killed_story()
    p = s.combine(s.co, s.chain(1, 4), 'all.vmf')

    def after_kill(k):
        s.lab.dr('scrub', 'web1')
        at = points_of(s.lab.dr)[-1]
        check(at in (1, 4), 'it is at point', at)
        s.lab.same(at, os.path.join(s.lab.dr.replica(), 'disks'))

    def finish(k):
        check(points_of(s.lab.dr) == [1, 4], points_of(s.lab.dr))
        s.lab.same(4, os.path.join(s.lab.dr.replica(), 'disks'))
        check(not leftovers(s.lab.dr), 'left over:', *leftovers(s.lab.dr))
    argv = [tool('import'), '--home', s.lab.dr.home, p]
    Sweep('import', s.lab, argv, ['dr'], after_kill, lambda k: run(*argv), finish).run()


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
