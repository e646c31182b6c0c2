#!/usr/bin/env python3
"""Bundles that come late, twice, out of order or never; points that are kept, pruned and pinned; several targets."""
from inject import FULL, leftovers
from lab import *


def points_of(site):
    return [p['seq'] for p in site.json('points', 'web1')]


class Story:
    """A VM whose disks are kept at every point; deltas can be made from any point to the newest."""
    def __init__(self, n, **kw):
        self.lab = Lab(sizes=(1 * M, 64 * K + 512), **kw)
        self.lab.keep(1)
        self.seed = self.lab.export('--seed')
        self.n, self.deltas = 1, {}
        while self.n < n:
            self.next('sent')

    def next(self, since, *how):
        """The guest writes, a point is cut: a delta from the point that since stands for.  Its path."""
        lab, n = self.lab, self.n + 1
        lab.write(lab.disks['vda'], (n * 37 % 200) * 4 * K + 1000, 9 * K)
        lab.write(lab.disks['vda'], (n * 53 % 200) * 4 * K, 12 * K, b'\0')
        lab.write(lab.disks['vdb'], n * 512, 512)
        lab.keep(n)
        self.n = n
        p = lab.export('--delta', '--since', str(since), *how, name='d-%s-%d.vmf' % (since, n))
        frm = json.loads(run(VMFERRY, 'inspect', '--json', p).stdout)['from']['seq']
        self.deltas[frm, n] = p
        return p

    def whole(self, want, site=None):
        site = site or self.lab.dr
        check(points_of(site) == want, 'the points are', points_of(site), 'and not', want)
        self.lab.same(want[-1], os.path.join(site.replica(), 'disks'), 'the replica:')
        for n in want:
            out = self.lab.path('out')
            site('restore', 'web1', '--point', n, '-o', out)
            self.lab.same(n, out, 'restored point %d:' % n)
            shutil.rmtree(out)
        site('scrub', 'web1')
        check(not leftovers(site), 'left over:', *leftovers(site))


def again(lab, bundle):
    """A bundle that is here already: so it is said, and nothing changes."""
    before = tree(lab.dr.home)
    p = lab.dr('import', bundle)
    check('already have it' in p.stderr, p.stderr)
    check(tree(lab.dr.home) == before, 'a bundle that is here already changed the store')


def refused(lab, bundle, *words):
    before = tree(lab.dr.home)
    p = lab.dr('import', bundle, rc=1)
    for w in words:
        check(w in p.stderr, 'it does not say "%s": %s' % (w, p.stderr))
    check(tree(lab.dr.home) == before, 'a refused bundle changed the store')


def waits(site, bundle, *said, volumes=1):
    """A bundle that came early: it is taken, lies in the inbox, and what is missing is said."""
    folder = os.path.join(site.replica(), 'inbox')
    before = os.listdir(folder)
    p = site('import', bundle)
    for w in said:
        check(w in p.stderr, 'it does not say "%s": %s' % (w, p.stderr))
        check(any(w in c for c in site.json('status')[0]['causes']), 'status does not say it:', w)
    check(len(os.listdir(folder)) == len(before) + volumes, 'it does not lie in the inbox')


def test_a_delta_is_taken_at_every_point_that_it_covers():
    s = Story(5)
    lab = s.lab
    wide = s.next(2)                            # from 2 to 6
    for b in (1, 2, 3, 4, 5):
        dr = Site(lab, 'at%d' % b)
        dr('trust', 'add', lab.hq.card, '--vm', '*')
        run('cp', lab.dr.home + '/card', lab.dr.home + '/secret', dr.home)      # the site that the bundles are for
        dr('import', s.seed)
        for k in range(2, b + 1):
            dr('import', s.deltas[k - 1, k])
        if b == 1:
            waits(dr, wide, 'from point 2 waits', 'leads from point 1 to point 2', '--since 1')
            lab.same(1, os.path.join(dr.replica(), 'disks'))
            dr('import', s.deltas[1, 2])
            s.whole([1, 2, 6], dr)
        else:
            p = dr('import', wide, rc=None)
            check(p.returncode == 0, 'at point', b, ': exit', p.returncode, p.stderr)
            s.whole(list(range(1, b + 1)) + [6], dr)
    lab.close()


def test_a_block_that_changed_and_changed_back():
    """X, then Y, then X again: a delta from 1 to 3 taken at 2 must bring X back."""
    lab = Lab(sizes=(1 * M,))
    disk = lab.disks['vda']
    lab.keep(1)
    lab.dr('import', lab.export('--seed'))
    with open(disk, 'rb') as f:
        x = f.read(64 * K)
    lab.write(disk, 0, 64 * K, b'y')
    lab.keep(2)
    one = lab.export('--delta')
    with open(disk, 'r+b') as f:
        f.write(x)
    lab.keep(3)
    both = lab.export('--delta')                # from the seed: no receipt has come
    check(json.loads(run(VMFERRY, 'inspect', '--json', both).stdout)['from']['seq'] == 1)
    lab.dr('import', one)
    lab.same(2, os.path.join(lab.dr.replica(), 'disks'))
    lab.dr('import', both)
    lab.same(3, os.path.join(lab.dr.replica(), 'disks'))
    for n in (1, 2, 3):
        lab.dr('restore', 'web1', '--point', n, '-o', lab.path('out%d' % n))
        lab.same(n, lab.path('out%d' % n))
    lab.dr('scrub', 'web1')
    # And where it changed back long before the delta was made, so that no comparison shows it.
    late = Site(lab, 'late')
    run('cp', lab.dr.home + '/card', lab.dr.home + '/secret', late.home)
    late('trust', 'add', lab.hq.card, '--vm', '*')
    late('import', lab.path('b0.vmf'))
    late('import', one)
    lab.write(disk, 500 * K, 512)
    lab.keep(4)
    late('import', lab.export('--delta'))
    lab.same(4, os.path.join(late.replica(), 'disks'))
    lab.close()


def test_the_same_bundle_twice_changes_nothing():
    s = Story(3)
    lab = s.lab
    lab.dr('import', s.seed)
    again(lab, s.seed)
    lab.dr('import', s.deltas[1, 2])
    lab.dr('import', s.deltas[2, 3])
    for b in (s.seed, s.deltas[1, 2], s.deltas[2, 3]):
        again(lab, b)
    s.next('sent')
    lab.dr('import', '--no-merge', s.deltas[3, 4])
    before = tree(lab.dr.home)
    check('already have it' in lab.dr('import', '--no-merge', s.deltas[3, 4]).stderr)
    check(tree(lab.dr.home) == before)
    p = lab.dr('import', s.seed, '--receipt', lab.path('r'))    # a duplicate gets its receipt too
    lab.hq('import', lab.path('r'))
    check(lab.hq.json('status')[0]['targets'][0]['acked'] == 4)
    s.whole([1, 2, 3, 4])
    lab.close()


def test_a_damaged_duplicate_is_not_answered_as_if_it_were_good():
    s = Story(2)
    s.lab.dr('import', s.seed)
    with open(s.seed, 'r+b') as f:
        f.seek(-5000, 2)
        byte = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([byte[0] ^ 1]))
    refused(s.lab, s.seed)
    s.lab.close()


def test_deltas_that_come_early_wait_for_what_is_missing():
    s = Story(5)
    lab = s.lab
    lab.dr('import', s.deltas[2, 3])            # before its seed: a placeholder
    check(points_of(lab.dr) == [])
    check(lab.dr.json('status')[0]['state'] == 'waiting-for-initial')
    waits(lab.dr, s.deltas[1, 2], 'a delta from point 1 waits for a seed')
    lab.dr('import', s.seed)
    s.whole([1, 2, 3])
    waits(lab.dr, s.deltas[4, 5], 'from point 4 waits', 'leads from point 3 to point 4', '--since 3')
    again(lab, s.deltas[4, 5])
    lab.same(3, os.path.join(lab.dr.replica(), 'disks'))
    lab.dr('import', s.deltas[3, 4])
    s.whole([1, 2, 3, 4, 5])
    lab.close()


def test_a_lost_delta_is_made_good_by_the_next():
    s = Story(1)
    lab = s.lab
    lab.dr('import', s.seed, '--receipt', lab.path('r1'))
    lab.hq('import', lab.path('r1'))
    s.next('acked')                             # lost
    s.next('acked')                             # lost too
    four = s.next('acked')
    check((1, 4) in s.deltas, 'a delta starts at', list(s.deltas))
    lab.dr('import', four, '--receipt', lab.path('r4'))
    s.whole([1, 4])
    s.next('acked')
    check((1, 5) in s.deltas, 'without the receipt a delta starts at', list(s.deltas))
    lab.hq('import', lab.path('r4'))
    lab.hq('import', lab.path('r1'))            # an older receipt that comes late takes nothing back
    six = s.next('acked')
    check((4, 6) in s.deltas, 'after the receipt a delta starts at', list(s.deltas))
    lab.dr('import', six)
    s.whole([1, 4, 6])
    lab.close()


def test_a_lost_seed_and_a_second_one():
    s = Story(3)                                # neither the seed nor a delta arrived
    lab = s.lab
    lab.write(lab.disks['vda'], 0, 8 * K)
    lab.keep(4)
    s.n = 4
    lab.dr('import', lab.export('--seed', name='second.vmf'))
    five = s.next('sent')
    lab.dr('import', five)
    s.whole([4, 5])
    again(lab, s.seed)                          # the first seed comes at last
    six = s.next('acked')                       # no receipt yet: from the first seed on, which covers all
    lab.dr('import', six)
    s.whole([4, 5, 6])
    lab.close()


def test_a_seed_over_a_replica_keeps_the_older_points():
    s = Story(2)
    lab = s.lab
    lab.dr('import', s.seed)
    lab.dr('import', s.deltas[1, 2])
    lab.write(lab.disks['vda'], 100 * K, 50 * K)
    os.truncate(lab.disks['vdb'], 32 * K)
    lab.keep(3)
    s.n = 3
    lab.dr('import', lab.export('--seed', name='again.vmf'))
    s.whole([1, 2, 3])
    lab.dr('import', s.next('sent'))
    s.whole([1, 2, 3, 4])
    lab.close()


def test_since_says_where_a_delta_starts():
    s = Story(3)
    lab = s.lab
    p = lab.hq('export', 'web1', '--delta', '-o', lab.path('x'))
    check('no receipt' in p.stderr and '--since sent' in p.stderr, 'there is no hint:', p.stderr)
    s.n += 1
    lab.keep(4)
    for since, first in (('acked', 1), ('sent', 5), (3, 3), (2, 2), (1, 1)):
        s.next(since)
        check((first, s.n) in s.deltas, '--since', since, 'starts at', list(s.deltas)[-1])
    lab.dr('import', s.seed)
    lab.dr('import', s.deltas[1, s.n], '--receipt', lab.path('r'))
    s.whole([1, s.n])
    lab.hq('import', lab.path('r'))
    s.next('acked')
    p = lab.hq('export', 'web1', '--since', 2, '-o', lab.path('x'), rc=1)     # acknowledged past it: not kept
    check('not kept any more' in p.stderr, p.stderr)
    lab.hq('export', 'web1', '--since', 99, '-o', lab.path('x'), rc=1)
    lab.dr('import', s.deltas[s.n - 1, s.n])
    s.whole([1, s.n - 1, s.n])
    lab.close()


def test_chains_are_staged_and_merged_later():
    s = Story(4)
    lab = s.lab
    lab.dr('import', '--no-merge', s.seed)
    for k in (2, 3, 4):
        lab.dr('import', '--no-merge', s.deltas[k - 1, k])
    status, = lab.dr.json('status')
    check(status['staged'] == 3 and status['points'] == 1 and status['last_point']['seq'] == 1, status)
    lab.same(1, os.path.join(lab.dr.replica(), 'disks'), 'staged only:')
    lab.dr('scrub', 'web1')
    p = lab.dr('import', s.deltas[2, 3], '--no-merge', '--receipt', lab.path('r'))
    lab.hq('import', lab.path('r'))
    check(lab.hq.json('status')[0]['targets'][0]['acked'] == 4, 'what is staged is not acknowledged')
    lab.dr('merge', 'web1')
    s.whole([1, 2, 3, 4])
    lab.dr('merge', 'web1')
    s.whole([1, 2, 3, 4])
    lab.close()


def test_an_import_merges_what_was_staged_before():
    s = Story(3)
    lab = s.lab
    lab.dr('import', s.seed)
    lab.dr('import', '--no-merge', s.deltas[1, 2])
    lab.dr('import', s.deltas[2, 3])
    s.whole([1, 2, 3])
    lab.close()


def test_points_beyond_the_limit_go_and_pinned_ones_stay():
    s = Story(4, points=3)
    lab = s.lab
    lab.dr('import', s.seed)
    for k in (2, 3, 4):
        lab.dr('import', s.deltas[k - 1, k])
    s.whole([2, 3, 4])
    lab.dr('points', 'web1', '--pin', 2)
    for k in (5, 6, 7):
        lab.dr('import', s.next('sent'))
    s.whole([2, 3, 4, 5, 6, 7])
    check([p['seq'] for p in lab.dr.json('points', 'web1') if p['pinned']] == [2])
    lab.dr('points', 'web1', '--pin', 5)
    lab.dr('points', 'web1', '--unpin', 2)
    lab.dr('points', 'web1', '--prune')
    s.whole([5, 6, 7])
    lab.dr('import', s.next('sent'))
    s.whole([5, 6, 7, 8])
    lab.dr('points', 'web1', '--unpin', 5)
    lab.dr('points', 'web1', '--prune')
    s.whole([6, 7, 8])
    before = tree(lab.dr.home)
    for args in (['--pin', 99], ['--unpin', 1]):
        check('points' in lab.dr('points', 'web1', *args, rc=1).stderr)
    lab.dr('restore', 'web1', '--point', 5, '-o', lab.path('gone'), rc=1)
    check(tree(lab.dr.home) == before)
    lab.close()


def test_the_latest_point_only():
    s = Story(3, points=1)
    lab = s.lab
    lab.dr('import', s.seed)
    for k in (2, 3):
        lab.dr('import', s.deltas[k - 1, k])
        s.whole([k])
    check(os.listdir(os.path.join(lab.dr.replica(), 'undo')) == [], 'an undo was kept')
    lab.close()


def test_two_targets_that_acknowledged_different_points():
    lab = Lab(sizes=(1 * M, 64 * K + 512), enable=False)
    far = Site(lab, 'far')
    far('trust', 'add', lab.hq.card, '--vm', '*')
    lab.hq('trust', 'add', far.card)
    lab.hq('enable', 'web1', '--to', 'dr', '--to', 'far', '--points', '24', *lab.disk_args())
    s = object.__new__(Story)
    s.lab, s.n, s.deltas = lab, 1, {}
    lab.keep(1)
    s.seed = lab.export('--seed')
    for site in (lab.dr, far):
        site('import', s.seed, '--receipt', lab.path('r-' + site.name))
        lab.hq('import', lab.path('r-' + site.name))
    two = s.next('acked')
    lab.dr('import', two, '--receipt', lab.path('r2'))
    lab.hq('import', lab.path('r2'))            # dr has 2, far only 1
    three = s.next('acked')
    check((1, 3) in s.deltas, 'a delta for both starts at', list(s.deltas))
    four = s.next('acked', '--to', 'dr')
    check((2, 4) in s.deltas, 'a delta for dr alone starts at', list(s.deltas))
    five = s.next('acked', '--to', 'far')
    check((1, 5) in s.deltas, 'a delta for far alone starts at', list(s.deltas))
    lab.dr('import', three)
    lab.dr('import', four)
    s.whole([1, 2, 3, 4])
    far('import', three)
    refused_at = tree(far.home)
    check(far('import', four, rc=1).stderr.count('not addressed') == 1)
    check(tree(far.home) == refused_at)
    far('import', five, '--receipt', lab.path('rf'))
    s.whole([1, 3, 5], far)
    acked = {t['site']: t['acked'] for t in lab.hq.json('status')[0]['targets']}
    check(acked == {'dr': 2, 'far': 1}, acked)
    lab.hq('import', lab.path('rf'))
    six = s.next('acked')
    check((2, 6) in s.deltas, 'now a delta for both starts at', list(s.deltas))
    for site, want in ((lab.dr, [1, 2, 3, 4, 6]), (far, [1, 3, 5, 6])):
        site('import', six)
        s.whole(want, site)
    lab.close()


def test_many_points_without_a_receipt_stay_exact():
    """With VMFERRY_FULL=1 more points than a primary keeps maps of: those that nobody starts from are folded into the next."""
    lab = Lab(sizes=(256 * K,))
    seed = lab.export('--seed')
    lab.dr('import', seed)
    changes = lab.path('changes')
    for n in range(1010 if FULL else 40):
        at = n * 5 % 60 * 4 * K
        lab.write(lab.disks['vda'], at, 4 * K)
        with open(changes, 'w') as f:
            f.write('vda %d 4096\n' % at)
        lab.hq('export', 'web1', '--changes', changes, '-o', lab.path('x'))
    lab.keep('end')
    lab.dr('import', lab.path('x'))
    lab.same('end', os.path.join(lab.dr.replica(), 'disks'))
    lab.dr('scrub', 'web1')
    lab.close()


if __name__ == '__main__':
    main(__name__, jobs=2)
