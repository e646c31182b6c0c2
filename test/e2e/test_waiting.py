#!/usr/bin/env python3
"""Bundles in any order end alike; what is missing is named; a stream that was cut goes on where it was cut.

VMFERRY_FULL=1 takes every order of six bundles and every kill; VMFERRY_SEED=N repeats the choice of orders.
"""
import itertools

from inject import *
from lab import *

SEED = int(os.environ.get('VMFERRY_SEED', '0')) or random.SystemRandom().randrange(1, 1 << 32)
STRIDE = int(os.environ.get('VMFERRY_STRIDE', '4'))


class Line:
    """A site whose state is put back before each line of bundles that comes to it."""
    def __init__(self, lab, site):
        self.lab, self.site, self.saved = lab, site, site.home + '.before'
        run('cp', '-a', site.home, self.saved)

    def reset(self):
        shutil.rmtree(self.site.home)
        run('cp', '-a', self.saved, self.site.home)


def points_of(site):
    return [p['seq'] for p in site.json('points', 'web1')]


def causes(site):
    return site.json('status')[0]['causes']


def changes(lab, n):
    lab.write(lab.disks['vda'], (n * 37 % 200) * 4 * K + 1000, 9 * K)
    lab.write(lab.disks['vda'], (n * 53 % 200) * 4 * K, 12 * K, b'\0')
    lab.write(lab.disks['vdb'], n * 512, 512)
    lab.keep(n)


def chain(n, **kw):
    """A lab with n points, and the bundles (from, to) that lead to them one by one."""
    lab = Lab(sizes=(1 * M, 64 * K + 512), **kw)
    lab.keep(1)
    bundles = {(0, 1): lab.export('--seed')}
    for k in range(2, n + 1):
        changes(lab, k)
        bundles[k - 1, k] = lab.export('--delta', '--since', 'sent', name='d-%d.vmf' % k)
    return lab, bundles


def reachable(have):
    """The point that a replica with these bundles is at: brute force, over all orders of applying them."""
    best, todo = 0, [0]
    while todo:
        at = todo.pop()
        best = max(best, at)
        todo += [to for frm, to in have if to > at and (frm == 0 or (at != 0 and frm <= at))]
    return best


def same_at(lab, site, seq, scrub=False):
    lab.same(seq, os.path.join(site.replica(), 'disks'), 'the replica:')
    if scrub:
        site('scrub', 'web1')
        left = leftovers(site)
        check(not left, 'left over:', *left)


def bring(lab, bundles, order):
    """Import in that order; after each, the replica is as far as it can be."""
    have = []
    for b in order:
        lab.dr('import', bundles[b])
        have.append(b)
        want = reachable(have)
        there = points_of(lab.dr)
        check((there[-1] if there else 0) == want, order, 'after', b, ': the points are', there, 'and not up to', want)
        waiting = [frm for frm, to in have if to > want and frm > want]
        said = [c for c in causes(lab.dr) if 'waits' in c]
        check(len(said) == (1 if waiting else 0), order, 'after', b, ':', said)
        if waiting:
            check('from point %d waits' % min(waiting) in said[0], order, 'after', b, ':', said)
    same_at(lab, lab.dr, want, scrub=True)
    return there


def test_a_chain_in_every_order_ends_alike():
    n = 6 if FULL else 4
    lab, bundles = chain(n)
    line = Line(lab, lab.dr)
    for order in itertools.permutations(bundles):
        line.reset()
        check(bring(lab, bundles, order) == list(range(1, n + 1)), order, points_of(lab.dr))
    for k in range(1, n + 1):
        lab.dr('restore', 'web1', '--point', k, '-o', lab.path('out%d' % k))
        lab.same(k, lab.path('out%d' % k))
    lab.close()


def test_wide_deltas_and_two_seeds_in_any_order_end_at_the_newest_point():
    lab, bundles = chain(4)
    for frm, n in ((1, 5), (3, 6), (0, 7), (6, 8)):
        changes(lab, n)
        bundles[frm, n] = lab.export(*(('--seed',) if frm == 0 else ('--delta', '--since', frm)), name='w-%d.vmf' % n)
    line = Line(lab, lab.dr)
    r = random.Random(SEED)
    for k in range(100 if FULL else 12):
        order = list(bundles)
        r.shuffle(order)
        line.reset()
        try:
            there = bring(lab, bundles, order)
            check(there[-1] == 8, 'it ends at', there)
            oldest = there[0]
            lab.dr('restore', 'web1', '--point', oldest, '-o', lab.path('out%d' % k))
            lab.same(oldest, lab.path('out%d' % k))
        except Failed as e:
            raise Failed('seed %d, order %s: %s' % (SEED, order, e)) from None
    lab.close()


def test_what_waits_takes_no_more_room_than_it_may():
    lab, bundles = chain(5)
    size = os.path.getsize(bundles[2, 3])
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--inbox', size + os.path.getsize(bundles[3, 4]) + 100)
    lab.dr('import', bundles[0, 1])
    lab.dr('import', bundles[2, 3])
    lab.dr('import', bundles[3, 4])
    before = tree(lab.dr.home)
    p = lab.dr('import', bundles[4, 5], rc=1)
    check('--inbox' in p.stderr and 'from point 1 to point 4' in p.stderr, p.stderr)
    check(tree(lab.dr.home) == before, 'a refused bundle changed the store')
    lab.dr('import', bundles[1, 2])             # what the others wait for does not wait
    check(points_of(lab.dr) == [1, 2, 3, 4])
    lab.dr('import', bundles[4, 5])
    same_at(lab, lab.dr, 5, scrub=True)
    lab.close()


# --- volumes -------------------------------------------------------------------------------------------------

def in_volumes(lab, name, *how):
    """Export in volumes: their paths, in order."""
    medium = lab.path(name)
    os.mkdir(medium)
    lab.hq('export', 'web1', '--media', medium, '--volume-size', '3M', *how)
    return sorted(glob.glob(os.path.join(medium, 'vmferry', '*.vmf')))


def volumes_lab():
    """A lab, and a seed and a delta from it in several volumes each."""
    lab = Lab(where=on_disk(), sizes=(7 * M, 64 * K + 512))
    lab.write(lab.disks['vda'], 0, 6 * M)
    lab.keep(1)
    seed = in_volumes(lab, 'one', '--seed')
    lab.write(lab.disks['vda'], 100 * K, 5 * M)
    lab.keep(2)
    delta = in_volumes(lab, 'two', '--delta', '--since', 'sent')
    check(len(seed) > 2 and len(delta) > 2, 'there are not several volumes')
    return lab, seed, delta


def missing_of(have, n):
    """What is said of a bundle of n volumes of which those are here."""
    out = [str(k) for k in range(1, (n if n in have else max(have)) + 1) if k not in have]
    text = ', '.join(out)
    if n not in have:
        text += (', and ' if out else '') + 'those after %d' % max(have)
    return '%d volumes are here; missing: %s' % (len(have), text)


def test_volumes_come_in_any_order_and_those_missing_are_named():
    lab, seed, delta = volumes_lab()
    line, r = Line(lab, lab.dr), random.Random(SEED)
    for _ in range(40 if FULL else 5):
        line.reset()
        order = [('seed', 1, k + 1, p) for k, p in enumerate(seed)] + [('delta', 2, k + 1, p) for k, p in enumerate(delta)]
        r.shuffle(order)
        have = {'seed': set(), 'delta': set()}
        for kind, to, k, p in order:
            lab.dr('import', p)
            have[kind].add(k)
            said = causes(lab.dr)
            for name, seq, n in (('seed', 1, len(seed)), ('delta', 2, len(delta))):
                text = 'of the %s to point %d, ' % (name, seq)
                if have[name] and len(have[name]) < n:
                    check(any(c.split('; bring')[0] == text + missing_of(have[name], n) for c in said), [o[:3] for o in order], 'after', kind, k, ':', said)
                else:
                    check(not any(c.startswith(text) for c in said), said)
            waits = len(have['delta']) == len(delta) and len(have['seed']) < len(seed)
            check(any(c.startswith('a delta from point 1 waits for a seed') for c in said) == waits, [o[:3] for o in order], 'after', kind, k, ':', said)
        check(points_of(lab.dr) == [1, 2], points_of(lab.dr))
        same_at(lab, lab.dr, 2, scrub=True)
    lab.close()


def test_a_volume_that_was_cut_goes_on_whatever_came_meanwhile():
    lab, seed, delta = volumes_lab()
    for to, volumes in ((1, seed), (2, delta)):
        cut = Bundle(volumes[1])
        p = pipe(lab.dr, cut.data[:len(cut.data) * 3 // 4])
        check(p.returncode == 1, p.stderr)
        for k, path in enumerate(volumes):
            if k != 1:
                lab.dr('import', path)
        check(position(lab.dr)['volume'] == 2)
        check(go_on(lab.dr, cut), 'it did not go on')
        same_at(lab, lab.dr, to, scrub=True)
    check(points_of(lab.dr) == [1, 2])
    lab.close()


def test_an_older_seed_is_turned_away_for_a_newer_one_of_which_a_part_is_here():
    lab, seed, _ = volumes_lab()
    newer = in_volumes(lab, 'three', '--seed')
    lab.keep(3)
    lab.dr('import', newer[1])
    before = tree(lab.dr.home)
    p = lab.dr('import', seed[0], rc=1)
    check('volumes of a newer seed' in p.stderr, p.stderr)
    check(tree(lab.dr.home) == before, 'a refused bundle changed the store')
    for k, path in enumerate(newer):
        if k != 1:
            lab.dr('import', path)
    same_at(lab, lab.dr, 3, scrub=True)
    lab.close()


# --- streams that are cut ------------------------------------------------------------------------------------

class Bundle:
    """The bytes of a bundle, and where its members begin."""
    def __init__(self, path):
        with open(path, 'rb') as f:
            self.data = f.read()
        self.members, at = [], 0        # (name, where its tar header begins, where its content ends)
        while self.data[at]:
            size = int(self.data[at + 124:at + 135], 8)
            self.members.append((self.data[at:at + 100].rstrip(b'\0').decode(), at, at + 512 + size))
            at += 512 + (size + 511) // 512 * 512
        self.end = at

    def records(self):
        """(kind, where its first tar header begins, where the next record's begins)."""
        heads = [(n, at) for n, at, _ in self.members if n.endswith('.rec')] + [('', self.end)]
        return [(n, at, heads[i + 1][1]) for i, (n, at) in enumerate(heads[:-1])]

    def cuts(self):
        """A cut in each kind of place: in heads, records and payloads, and between them."""
        out = {}
        for n, at, after in self.records():
            kind = 's' if n.startswith('s/') else n
            for what, where in (('before', at), ('in the head of', at + 300), ('in the record of', at + 600), ('behind the record of', at + 1024),
                                ('in', (at + 1024 + after) // 2), ('just before the end of', after - 1)):
                out.setdefault((what, kind), where)
        segments = [r for r in self.records() if r[0].startswith('s/')]
        out['before the last', 's'] = segments[-1][1]
        out['in the last', 's'] = (segments[-1][1] + segments[-1][2]) // 2
        out['behind all', 'records'] = self.end
        out['in the', 'trailer'] = self.end + 700
        return {k: v for k, v in out.items() if v < len(self.data)}

    def rest(self, record):
        """What comes behind the record, which is there once."""
        at = self.data.find(record)
        check(at % 512 == 0 and self.data.find(record, at + 1) < 0, 'the position is no record of the bundle')
        return next(self.data[after:] for _, begin, after in self.records() if begin == at - 512)


def pipe(site, data, *args):
    return subprocess.run([tool('import'), '--home', site.home, *args], input=data, capture_output=True)


def position(site):
    """The position of the bundle that was cut short: JSON; None where there is none."""
    p = site('import', '--position', rc=None)
    if p.returncode == 1:
        check('cut short' in p.stderr, p.stderr)
        return None
    check(p.returncode == 0, p.stderr)
    return json.loads(p.stdout)


def go_on(site, bundle, again=None):
    """Feed what is missing; again: cut that in its middle, and go on once more.  True: from a position."""
    at = position(site)
    if at is None:
        p = pipe(site, bundle.data)
    else:
        rest = bundle.rest(bytes.fromhex(at['record']))
        check(len(rest) < len(bundle.data))
        if again:
            p = pipe(site, rest[:int(len(rest) * again)])
            check(p.returncode in (1, 3), 'cut again: exit', p.returncode, p.stderr)
            return go_on(site, bundle) or True
        p = pipe(site, rest)
    check(p.returncode == 0, 'the rest: exit', p.returncode, p.stderr.decode())
    check(position(site) is None, 'it is still cut short')
    return at is not None


def cut_lab(how):
    """A lab, the bundle in question, and the point that it leads to."""
    lab = Lab(where=on_disk(), sizes=(5 * M, 64 * K + 512))
    lab.write(lab.disks['vda'], 0, 4 * M)
    lab.keep(1)
    seed = lab.export('--seed')
    if how == 'seed':
        return lab, Bundle(seed), 1
    lab.dr('import', seed)
    lab.write(lab.disks['vda'], 100 * K, 3 * M)
    lab.keep(2)
    return lab, Bundle(lab.export('--seed' if how == 'seed over a replica' else '--delta', name='cut.vmf')), 2


def cut_everywhere(how):
    lab, bundle, to = cut_lab(how)
    line = Line(lab, lab.dr)
    went_on = 0
    for k, (what, n) in enumerate(sorted(bundle.cuts().items(), key=lambda x: x[1])):
        line.reset()
        try:
            p = pipe(lab.dr, bundle.data[:n])
            check(p.returncode in (1, 3), 'exit', p.returncode, p.stderr)
            if to == 2:
                same_at(lab, lab.dr, 1)
                check(points_of(lab.dr) == [1])
            went_on += go_on(lab.dr, bundle, again=(None, 0.3, 0.9)[k % 3])
            check(points_of(lab.dr) == list(range(1, to + 1)), points_of(lab.dr))
            same_at(lab, lab.dr, to, scrub=True)
        except Failed as e:
            raise Failed('%s cut %s %s, at byte %d of %d: %s' % (how, *what, n, len(bundle.data), e)) from None
    check(went_on > len(bundle.cuts()) // 2, 'of', len(bundle.cuts()), 'cuts only', went_on, 'were continued')
    lab.close()


def test_a_seed_that_is_cut_anywhere_goes_on():
    cut_everywhere('seed')


def test_a_seed_over_a_replica_that_is_cut_anywhere_goes_on():
    cut_everywhere('seed over a replica')


def test_a_delta_that_is_cut_anywhere_goes_on():
    cut_everywhere('delta')


def test_a_whole_bundle_is_taken_after_a_part_of_it():
    for how in ('seed', 'delta'):
        lab, bundle, to = cut_lab(how)
        pipe(lab.dr, bundle.data[:len(bundle.data) * 2 // 3])
        check(position(lab.dr) is not None)
        p = pipe(lab.dr, bundle.data)
        check(p.returncode == 0, p.stderr)
        check(position(lab.dr) is None)
        same_at(lab, lab.dr, to, scrub=True)
        lab.close()


def refused(lab, rest, *words):
    """It is no: points, disks and position stay."""
    folders = [os.path.join(lab.dr.replica(), d) for d in ('leaves', 'undo')]
    before, at, points = [tree(d) for d in folders], position(lab.dr), points_of(lab.dr)
    p = pipe(lab.dr, rest)
    check(p.returncode == 1, 'exit', p.returncode, p.stderr)
    for w in words:
        check(w.encode() in p.stderr, 'it does not say', w, p.stderr)
    check(points_of(lab.dr) == points, 'the points have changed')
    if points:
        check([tree(d) for d in folders] == before, 'leaves or undo have changed')
        same_at(lab, lab.dr, points[-1])
    return at


def test_a_rest_that_is_not_the_rest_is_refused():
    for how in ('seed', 'seed over a replica', 'delta'):
        lab, bundle, to = cut_lab(how)
        segments = [r for r in bundle.records() if r[0].startswith('s/')]
        middle = segments[len(segments) // 2]
        try:
            refused(lab, bundle.data[middle[1]:], 'beginning is not here') if how != 'seed' else None
            pipe(lab.dr, bundle.data[:middle[1] + 700])
            at = position(lab.dr)
            rest = bundle.rest(bytes.fromhex(at['record']))
            check(bundle.data[middle[1]:] == rest, 'it goes on elsewhere')
            refused(lab, bundle.data[segments[0][1]:])          # stale: from an earlier record
            check(position(lab.dr) == at, 'the position has changed')
            refused(lab, bundle.data[middle[2]:])               # forged: from a later one
            check(position(lab.dr) == at, 'the position has changed')
            flipped = bytearray(rest)
            flipped[1024 + 512 + 5000] ^= 1
            refused(lab, bytes(flipped))
            flipped = bytearray(rest)
            flipped[600] ^= 1
            refused(lab, bytes(flipped))
            flipped = bytearray(rest)
            flipped[middle[2] - middle[1] + 600] ^= 1           # a good segment, then a bad one
            refused(lab, bytes(flipped))
            other = Bundle(lab.export('--seed', name='other.vmf'))
            refused(lab, other.data[other.records()[-3][1]:], 'beginning is not here')
            check(go_on(lab.dr, bundle), 'it did not go on')
            same_at(lab, lab.dr, to, scrub=True)
            refused(lab, rest, 'beginning is not here')
        except Failed as e:
            raise Failed('%s: %s' % (how, e)) from None
        lab.close()


# --- kills ---------------------------------------------------------------------------------------------------

class Through:
    """A file that comes through a pipe, for strace."""
    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.cat = subprocess.Popen(['cat', self.path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return self.cat.stdout

    def __exit__(self, *how):
        self.cat.stdout.close()
        self.cat.wait()


def kill_everywhere(what, how, make):
    """Kill the import of a stream at every call: afterwards a position or a fresh import leads to the same end."""
    lab, bundle, to = cut_lab(how)
    path = lab.path('stream')
    with open(path, 'wb') as f:
        f.write(make(lab, bundle))
    line, kills, went_on = Line(lab, lab.dr), 0, 0
    argv = [tool('import'), '--home', lab.dr.home]
    with Through(path) as stdin:
        calls, p = record(argv, lab.dir, stdin=stdin)
    for k, (call, n) in enumerate(points(calls, STRIDE)):
        line.reset()
        try:
            with Through(path) as stdin:
                killed(argv, lab.dir, call, n, stdin=stdin)
            kills += 1
            p = lab.dr('points', 'web1', '--json', rc=None)
            check(to == 1 or json.loads(p.stdout)[-1]['seq'] in (1, to), p.stdout)
            if k % 2:
                p = pipe(lab.dr, bundle.data)
                check(p.returncode == 0, 'afresh: exit', p.returncode, p.stderr)
            elif points_at(lab.dr) != to:
                went_on += go_on(lab.dr, bundle)
            check(points_at(lab.dr) == to)
            same_at(lab, lab.dr, to, scrub=True)
        except Failed as e:
            raise Failed('%s, killed at %s %d of %d: %s' % (what, call, n, calls[call].count, e)) from None
    print('        %s: %d kills, %d times it went on from a position' % (what, kills, went_on))
    lab.close()


def points_at(site):
    p = site('points', 'web1', '--json', rc=None)
    return (json.loads(p.stdout) or [{'seq': 0}])[-1]['seq'] if p.returncode == 0 else 0


def half(lab, bundle):
    return bundle.data[:len(bundle.data) * 2 // 3]


def second_half(lab, bundle):
    """The site has the beginning, and the rest is to come."""
    pipe(lab.dr, half(lab, bundle))
    return bundle.rest(bytes.fromhex(position(lab.dr)['record']))


def test_an_import_killed_while_a_cut_seed_comes():
    kill_everywhere('a seed that is cut', 'seed', half)


def test_an_import_killed_while_a_cut_delta_comes():
    kill_everywhere('a delta that is cut', 'delta', half)


def test_an_import_killed_while_the_rest_of_a_seed_comes():
    kill_everywhere('the rest of a seed', 'seed', second_half)


def test_an_import_killed_while_the_rest_of_a_delta_comes():
    kill_everywhere('the rest of a delta', 'delta', second_half)


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
