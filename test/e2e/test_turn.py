#!/usr/bin/env python3
"""Roles change hands: reverse, following, histories that part, and what a person decides then."""
import inject
from lab import *


def side(site):
    return [(v['role'], v['state']) for v in site.json('status')]


def claims(site):
    with open(glob.glob(os.path.join(site.home, 'primaries', '*-*', 'state'))[0], 'rb') as f:
        return json.loads(f.read()[:-22])['role']['claims']


class Pair(Lab):
    """hq and dr, each of which may replicate to the other."""
    def __init__(self, **kw):
        super().__init__(**kw)
        self.hq('trust', 'add', self.dr.card, '--vm', 'web*')
        self.n = 0

    def file(self, kind='b'):
        self.n += 1
        return self.path('%s%d.vmf' % (kind, self.n))

    def send(self, a, b, *args, receipt=True):
        """A bundle from a to b, and its receipt back."""
        out, back = self.file(), self.file('r')
        a('export', 'web1', '-o', out, *args)
        b('import', out, '--receipt', back)
        if receipt:
            a('import', back)
        return out

    def dirty(self, site, n=3):
        """Writes to the VM's disks as they are at a site."""
        for p in self.disk_paths(site):
            size = os.path.getsize(p)
            for _ in range(n):
                self.write(p, self.random.randrange(size - 4096), 4096)

    def disk_paths(self, site):
        """Where the VM's disks are at a site, by what its records say."""
        side = [v['role'] for v in site.json('status')][0]
        with open(glob.glob(os.path.join(site.home, ('primaries' if side == 'primary' else 'replicas'), '*-*', 'state'))[0], 'rb') as f:
            o = json.loads(f.read()[:-22])
        if side == 'primary':
            return [d['where'] for d in o['disks']]
        return [o.get('where', {}).get(i) or os.path.join(site.replica(), 'disks', i + '.raw') for i in o['disks']]

    def content(self, site):
        out = []
        for p in self.disk_paths(site):
            with open(p, 'rb') as f:
                out.append(f.read())
        return out

    def planned(self, a, b, *more):
        """a hands the VM over to b."""
        out = self.file('final')
        a('failover', 'web1', '--planned', '--to', b.name, '--vm-is-shut-down', '-o', out)
        b('import', out)
        b('failover', 'web1', '--planned', '--complete', '--reverse', *more)

    def unplanned(self, b, *args):
        b('failover', 'web1', '--unplanned', '--yes', *args)
        b('failover', 'web1', '--complete', '--yes')


def test_a_planned_round_trip_needs_no_seed_and_loses_nothing():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.dirty(lab.hq)
    lab.send(lab.hq, lab.dr)
    at = lab.disk_paths(lab.hq)
    for a, b in ((lab.hq, lab.dr), (lab.dr, lab.hq)) * 2:
        lab.dirty(a)
        want = lab.content(a)
        lab.planned(a, b)
        check(lab.content(b) == want, 'something was lost on the way to', b.name)
        check(side(b) == [('primary', 'replicating')], side(b))
        lab.dirty(b)
        out = lab.send(b, a)
        size = json.loads(run(VMFERRY, 'inspect', '--json', out).stdout)
        check(size['type'] == 'delta', size)
        check(side(a) == [('replica', 'replicating')], side(a))
        check(lab.content(a) == lab.content(b), a.name, 'is not what', b.name, 'is')
        a('scrub', 'web1')
    check(lab.disk_paths(lab.hq) == at, 'the disks have moved')
    lab.close()


def test_after_an_unplanned_failover_the_old_primary_comes_back_by_comparing():
    lab = Pair(sizes=(64 * M, 1 * M + 512))
    lab.send(lab.hq, lab.dr, '--seed')
    for _ in range(3):
        lab.dirty(lab.hq)
        lab.send(lab.hq, lab.dr)
    fork = lab.content(lab.hq)
    lab.dirty(lab.hq)
    lab.hq('export', 'web1', '-o', lab.file('lost'))      # a point that never came
    lab.dirty(lab.hq)                                       # and writes that no point has
    lost = lab.content(lab.hq)
    lab.unplanned(lab.dr)
    word = lab.file('word')
    lab.dr('reverse', 'web1', '-o', word)
    lab.dirty(lab.dr)
    p = lab.dr('export', 'web1', '-o', lab.file(), rc=1)
    check('--against' in p.stderr and 'resync' in p.stderr, p.stderr)
    p = lab.hq('import', word, rc=1)
    check('fenced' in p.stderr and "'dr'" in p.stderr, p.stderr)
    p = lab.hq('export', 'web1', '-o', lab.file(), rc=1)
    check('fenced' in p.stderr, p.stderr)
    says = lab.file('says')
    p = lab.hq('resync', 'web1', '--keep', 'dr', '-o', says, rc=1)
    check('--yes' in p.stderr, p.stderr)
    lab.hq('resync', 'web1', '--keep', 'dr', '-o', says, '--yes')
    check(side(lab.hq) == [('replica', 'resynchronizing')], side(lab.hq))
    branch = lab.hq.json('points', 'web1')[-1]
    check(branch['branch'] and branch['pinned'], branch)
    out = lab.send(lab.dr, lab.hq, '--against', says)
    check(lab.content(lab.hq) == lab.content(lab.dr), 'hq is not what dr is')
    check(side(lab.hq) == [('replica', 'replicating')], side(lab.hq))
    check(side(lab.dr) == [('primary', 'replicating')], side(lab.dr))
    # What flowed back is what has changed on either side.
    now, union = lab.content(lab.dr), 0
    for a, b, c in zip(fork, lost, now):
        for at in range(0, len(a), 64 * K):
            blocks = {x[at:at + 64 * K] for x in (a, b, c)}
            union += min(64 * K, len(a) - at) if len(blocks) > 1 else 0
    data = json.loads(run(VMFERRY, 'inspect', '--json', out).stdout)
    carried = data['data'] if 'data' in data else data['end']['data']
    print('        %d bytes came back, %.3f of what changed on both sides' % (carried, carried / union))
    check(carried <= 1.05 * union, carried, 'bytes came back, of', union, 'that changed')
    # The branch is there, bit by bit, until a person drops it.
    for _ in range(3):
        lab.dirty(lab.dr)
        lab.send(lab.dr, lab.hq)
    lab.hq('restore', 'web1', '--point', branch['seq'], '-o', lab.path('back'))
    for i, want in zip(lab.disks, lost):
        with open(lab.path('back', i + '.raw'), 'rb') as f:
            check(f.read() == want, 'the branch is not what was on disk', i)
    check(str(branch['seq']) in lab.hq('points', 'web1', '--branch').stdout)
    check('--yes' in lab.hq('points', 'web1', '--branch', '--drop', rc=1).stderr)
    lab.hq('points', 'web1', '--branch', '--drop', '--yes')
    check(all(not p['branch'] and p['seq'] > branch['seq'] for p in lab.hq.json('points', 'web1')))
    lab.hq('scrub', 'web1')
    # And back again, as planned.
    lab.planned(lab.dr, lab.hq)
    lab.send(lab.hq, lab.dr)
    check(lab.content(lab.hq) == lab.content(lab.dr))
    lab.close()


def clone(lab, site, name):
    """The same site again, keys and all, as from a backup."""
    run('cp', '-a', site.home, lab.path(name))
    c = object.__new__(Site)
    c.lab, c.name, c.home, c.card = lab, site.name, lab.path(name), site.card
    return c


def says(p, *words):
    for w in words:
        check(w in p.stderr, 'it does not say "%s": %s' % (w, p.stderr))


def test_a_disk_that_was_written_to_after_the_handover_is_not_followed():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.planned(lab.hq, lab.dr)
    lab.dirty(lab.hq)
    mine = lab.content(lab.hq)
    out = lab.file()
    lab.dirty(lab.dr)
    lab.dr('export', 'web1', '-o', out)
    says(lab.hq('import', out, rc=1), 'final point', 'resync web1 --keep dr')
    check(side(lab.hq)[0][0] == 'primary', 'it has become a replica')
    check(lab.content(lab.hq) == mine, 'the disks have changed')
    lab.close()


def test_the_first_of_two_handovers_may_be_the_one_that_is_used():
    for is_written in (False, True):
        lab = Pair()
        lab.send(lab.hq, lab.dr, '--seed')
        first, second = lab.file('first'), lab.file('second')
        lab.hq('failover', 'web1', '--planned', '--vm-is-shut-down', '-o', first)
        if is_written:              # somebody started it all the same
            lab.dirty(lab.hq)
        lab.hq('failover', 'web1', '--planned', '--vm-is-shut-down', '-o', second)
        lab.dr('import', first)
        lab.dr('failover', 'web1', '--planned', '--complete', '--reverse')
        lab.dirty(lab.dr)
        out = lab.file()
        lab.dr('export', 'web1', '-o', out)
        lab.hq('import', out, rc=1 if is_written else 0)
        if is_written:
            check(lab.hq.json('status')[0]['fenced'], lab.hq.json('status'))
        else:
            check(lab.content(lab.hq) == lab.content(lab.dr), 'hq is not what dr is')
            lab.hq('scrub', 'web1')
        lab.close()


def test_a_handover_that_was_taken_back_fences_though_its_site_is_none_of_ours_any_more():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    final = lab.file('final')
    lab.hq('failover', 'web1', '--planned', '--to', 'dr', '--vm-is-shut-down', '-o', final)
    lab.hq('failover', 'web1', '--cancel')
    lab.hq('extend', 'web1', '--to', 'dr', '--end')
    lab.dr('import', final)
    word = lab.file('word')
    lab.dr('failover', 'web1', '--planned', '--complete', '--reverse')
    lab.dr('reverse', 'web1', '-o', word)
    says(lab.hq('import', word, rc=1), 'fenced', 'the handover that was taken back here was used')
    check(side(lab.hq) == [('primary', 'error')], side(lab.hq))
    lab.close()


def test_a_site_whose_keys_were_revoked_is_not_followed_to_a_new_epoch():
    lab = Pair()
    far = Site(lab, 'far')
    far('trust', 'add', lab.hq.card, '--vm', 'web*')
    far('trust', 'add', lab.dr.card, '--vm', 'web*')
    lab.hq('trust', 'add', far.card)
    lab.dr('trust', 'add', far.card)
    lab.send(lab.hq, lab.dr, '--seed')
    lab.send(lab.hq, far, '--seed', '--to', 'far')
    lab.send(lab.hq, far)
    lab.planned(lab.hq, lab.dr)
    out, theirs, r = lab.file(), lab.file(), lab.file('r')
    lab.dr('export', 'web1', '--to', 'hq', '-o', out)
    lab.dr('export', 'web1', '--seed', '--to', 'far', '-o', theirs)
    # Made before, as it says; but so could anybody say who has the key.
    time.sleep(1.1)
    for site, what in ((lab.hq, out), (far, theirs)):
        before = side(site)
        site('key', 'revoke', 'dr')
        says(site('import', what, rc=1), 'revoked here')
        check(side(site) == before, site.name, side(site))
    lab.close()


def test_the_last_word_of_a_site_counts_though_its_keys_are_new():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.unplanned(lab.dr)
    lab.dr('reverse', 'web1')
    lab.dirty(lab.dr)
    for n in (2, 3, 4):
        lab.dirty(lab.hq, 1)
        out = lab.file()
        lab.hq('export', 'web1', '-o', out)
        if n == 3:
            time.sleep(1.1)
            lab.hq('key', 'rotate')
            with open(lab.path('keys'), 'w') as f:
                f.write(lab.hq('key', 'show').stdout)
            lab.dr('key', 'import', lab.path('keys'))
        if n != 3:
            lab.dr('import', out, rc=1)
    check([c['newest']['seq'] for c in claims(lab.dr)] == [2, 4], claims(lab.dr))
    edit = glob.glob(os.path.join(lab.dr.home, 'primaries', '*-*', 'state'))[0]
    edit_record(edit, lambda o: o['role'].update(state='error', fenced=True, cause='as if'))
    lab.dr('resync', 'web1', '--keep', 'hq', '--yes', '-o', lab.path('says'))
    check(lab.dr.json('points', 'web1')[-1]['seq'] == 5, lab.dr.json('points', 'web1'))
    lab.close()


def test_a_handover_is_followed_from_behind_a_fence():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.planned(lab.hq, lab.dr)
    lab.dirty(lab.dr)
    edit_record(glob.glob(os.path.join(lab.hq.home, 'primaries', '*-*', 'state'))[0],
                lambda o: o['role'].update(state='error', fenced=True, cause='a third site said so'))
    lab.send(lab.dr, lab.hq)
    check(side(lab.hq) == [('replica', 'replicating')], side(lab.hq))
    check(lab.content(lab.hq) == lab.content(lab.dr))
    lab.close()


def test_a_failover_that_is_given_up_gives_way_to_a_primary_that_never_heard_of_it():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.dirty(lab.hq)
    lab.unplanned(lab.dr)
    lab.dirty(lab.dr)
    mine, comparison, out = lab.content(lab.dr), lab.file('says'), lab.file()
    lab.hq('export', 'web1', '-o', lab.path('h'))
    lab.dr('import', lab.path('h'), rc=1)
    lab.dr('resync', 'web1', '--keep', 'hq', '--yes', '-o', comparison)
    says(lab.hq('export', 'web1', '--against', comparison, '-o', out, rc=1), 'taken over with epoch 2', 'fenced', 'resync web1 --keep hq')
    check(not os.path.exists(out) and side(lab.hq) == [('primary', 'error')], side(lab.hq))
    lab.hq('resync', 'web1', '--keep', 'hq')
    lab.hq('export', 'web1', '--against', comparison, '-o', out)
    lab.dr('import', out)
    check(lab.content(lab.hq) == lab.content(lab.dr))
    seq = [p['seq'] for p in lab.dr.json('points', 'web1') if p['branch']]
    lab.dr('restore', 'web1', '--point', str(seq[0]), '-o', lab.path('back'))
    for i, want in zip(lab.disks, mine):
        with open(lab.path('back', i + '.raw'), 'rb') as f:
            check(f.read() == want, 'the branch is not what was on disk', i)
    lab.close()


def test_what_a_vm_wrote_to_an_excluded_disk_is_kept_when_its_site_gives_way():
    lab = Pair(enable=False)
    lab.hq('enable', 'web1', '--to', 'dr', '--exclude', 'swap=' + lab.make_disk('swap.img', 64 * K), *lab.disk_args())
    swap, mine = os.path.join('excluded', 'swap.raw'), bytes(range(200))

    def write():
        with open(os.path.join(lab.dr.replica(), swap), 'r+b') as f:
            f.write(mine)

    def kept(n):
        with open(os.path.join(lab.dr.replica(), swap.replace('excluded', 'excluded.%d' % n)), 'rb') as f:
            check(f.read(len(mine)) == mine, 'it is not what was written')

    lab.send(lab.hq, lab.dr, '--seed')
    lab.planned(lab.hq, lab.dr)
    write()
    lab.send(lab.dr, lab.hq)
    lab.planned(lab.dr, lab.hq)
    out = lab.file()
    lab.hq('export', 'web1', '-o', out)
    says(lab.dr('import', out), 'excluded.1')
    check(side(lab.dr) == [('replica', 'replicating')], side(lab.dr))
    kept(1)
    lab.unplanned(lab.dr)
    write()
    lab.dr('resync', 'web1', '--keep', 'hq', '--yes', '-o', lab.file())
    kept(2)
    kept(1)
    lab.close()


def test_a_disk_that_was_excluded_and_is_replicated_since_stays_when_its_site_gives_way():
    lab = Pair(enable=False)
    lab.hq('enable', 'web1', '--to', 'dr', '--exclude', 'swap=' + lab.make_disk('swap.img', 64 * K), *lab.disk_args())
    lab.send(lab.hq, lab.dr, '--seed')
    lab.planned(lab.hq, lab.dr)
    lab.dr('enable', 'web1', '--include', 'swap')
    lab.dirty(lab.dr)
    lab.send(lab.dr, lab.hq)
    lab.planned(lab.dr, lab.hq)
    lab.dirty(lab.hq)
    lab.send(lab.hq, lab.dr)
    check(lab.content(lab.hq) == lab.content(lab.dr) and len(lab.content(lab.dr)) == 3)
    lab.dr('scrub', 'web1')
    says(lab.dr('move', 'web1', '--store', lab.path('store'), rc=1), 'excluded once', '--disk')
    lab.dr('failover', 'web1', '--unplanned', '--yes')
    lab.dr('failover', 'web1', '--cancel')
    lab.dr('move', 'web1', '--disk', 'swap')
    lab.dr('move', 'web1', '--store', lab.path('store'))
    lab.dr('scrub', 'web1')
    lab.close()


def test_the_first_point_of_an_epoch_believes_no_tracker():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.planned(lab.hq, lab.dr)
    lab.dirty(lab.dr)
    with open(lab.path('none'), 'w'):
        pass
    lab.send(lab.dr, lab.hq, '--changes', lab.path('none'))
    check(lab.content(lab.hq) == lab.content(lab.dr), 'what was written before the tracker began was left out')
    lab.close()


def test_following_works_from_media_too():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.planned(lab.hq, lab.dr)
    lab.dirty(lab.dr)
    os.mkdir(lab.path('usb'))
    lab.dr('export', 'web1', '--media', lab.path('usb'))
    lab.hq('import', '--media', lab.path('usb'))
    check(side(lab.hq) == [('replica', 'replicating')], side(lab.hq))
    check(lab.content(lab.hq) == lab.content(lab.dr))
    lab.close()


def test_following_needs_the_trust_that_a_replica_needs():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.hq('trust', 'add', lab.dr.card)
    lab.hq('trust', 'remove', 'dr')
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web*')
    lab.planned(lab.hq, lab.dr)
    lab.hq('trust', 'remove', 'dr')
    lab.hq('trust', 'add', lab.dr.card)
    lab.dirty(lab.dr)
    out = lab.file()
    lab.dr('export', 'web1', '-o', out)
    says(lab.hq('import', out, rc=1), 'may not replicate', 'trust add --vm')
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web*')
    lab.hq('import', out)
    check(lab.content(lab.hq) == lab.content(lab.dr))
    lab.close()


def test_a_primary_that_meets_a_delta_of_a_higher_epoch_is_fenced():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.unplanned(lab.dr)
    lab.dr('reverse', 'web1')
    lab.dirty(lab.dr)
    out = lab.file()
    lab.dr('export', 'web1', '--seed', '-o', out)
    says(lab.hq('import', out, rc=1), 'epoch 2', 'fenced', "'dr'", 'resync web1 --keep dr')
    says(lab.hq('export', 'web1', '-o', lab.file(), rc=1), 'fenced')
    # A person says that what is here counts: then the other one is behind.
    lab.hq('resync', 'web1', '--keep', 'hq')
    check(side(lab.hq) == [('primary', 'replicating')], side(lab.hq))
    out = lab.file()
    lab.hq('export', 'web1', '--delta', '--since', '1', '-o', out)
    says(lab.dr('import', out, rc=1), 'fenced', "'hq'", 'epoch 3')
    lab.dr('resync', 'web1', '--keep', 'hq', '--yes', '-o', lab.path('says'))
    lab.send(lab.hq, lab.dr, '--against', lab.path('says'))
    check(lab.content(lab.hq) == lab.content(lab.dr))
    check(side(lab.dr) == [('replica', 'replicating')], side(lab.dr))
    lab.close()


def test_a_primary_from_a_backup_is_told_so_and_goes_on_in_a_new_epoch():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    old = clone(lab, lab.hq, 'old')
    for _ in range(3):
        lab.dirty(lab.hq)
        last = lab.send(lab.hq, lab.dr)
    lab.dr('import', last)      # twice is no harm
    lab.dirty(lab.hq)
    want = lab.content(lab.hq)
    lab.hq.home = old.home
    out, back = lab.file(), lab.file('r')
    lab.hq('export', 'web1', '-o', out)
    says(lab.dr('import', out, '--receipt', back, rc=1), 'restored from a backup', 'receipt')
    lab.dr('import', last, '--receipt', back)
    says(lab.hq('import', back, rc=1), 'restored from a backup')
    says(lab.hq('export', 'web1', '-o', lab.file(), rc=1), 'fenced')
    lab.hq('resync', 'web1', '--keep', 'hq')
    says(lab.hq('export', 'web1', '-o', lab.file(), rc=1), '--against')
    lab.hq('export', 'web1', '--delta', '--since', '2', '-o', out)
    says(lab.dr('import', out, rc=1), 'parted')
    check(side(lab.dr) == [('replica', 'waiting-for-resync')], side(lab.dr))
    lab.dr('resync', 'web1', '-o', lab.path('says'))
    lab.send(lab.hq, lab.dr, '--against', lab.path('says'))
    check(lab.content(lab.dr) == want, 'dr is not what hq is')
    check(side(lab.dr) == [('replica', 'replicating')], side(lab.dr))
    seqs = [p['seq'] for p in lab.dr.json('points', 'web1')]
    check(seqs == sorted(set(seqs)), 'a number is used twice:', seqs)
    lab.close()


class Three(Pair):
    """And a third site, third, to which hq replicates too."""
    def __init__(self):
        super().__init__(enable=False)
        self.third = Site(self, 'third')
        sites = (self.hq, self.dr, self.third)
        for a in sites:
            for b in sites:
                if a is not b:
                    a('trust', 'add', b.card, '--vm', 'web*')
        self.hq('enable', 'web1', '--to', 'dr', '--to', 'third', '--points', '24', *self.disk_args())

    def both(self, *args):
        out = self.file()
        self.hq('export', 'web1', '-o', out, *args)
        for s in (self.dr, self.third):
            back = self.file('r')
            s('import', out, '--receipt', back)
            self.hq('import', back)
        return out


def test_a_third_site_follows_whichever_took_over():
    lab = Three()
    lab.both('--seed')
    lab.dirty(lab.hq)
    lab.both()
    lab.unplanned(lab.dr)
    lab.dr('reverse', 'web1', '-o', lab.path('word'))
    says(lab.third('import', lab.path('word')), "'dr' is its primary")
    back = lab.file('r')
    lab.third('import', lab.path('b1.vmf'), '--receipt', back)
    lab.dr('import', back)
    lab.dirty(lab.dr)
    out = lab.send(lab.dr, lab.third, '--to', 'third')
    check(lab.content(lab.third) == lab.content(lab.dr))
    check(json.loads(run(VMFERRY, 'inspect', '--json', out).stdout)['type'] == 'delta')
    # The old primary does not know, and is told.
    lab.dirty(lab.hq)
    out = lab.file()
    lab.hq('export', 'web1', '-o', out)
    says(lab.third('import', out, rc=1), 'parted', "'hq'")
    lab.close()


def test_a_third_site_ahead_of_the_fork_waits_for_a_person():
    lab = Three()
    lab.both('--seed')
    lab.dirty(lab.hq)
    lab.send(lab.hq, lab.third, '--to', 'third')
    ahead = lab.content(lab.third)
    lab.unplanned(lab.dr)
    lab.dr('reverse', 'web1')
    lab.dirty(lab.dr)
    out = lab.file()
    lab.dr('export', 'web1', '--delta', '--since', '1', '--to', 'third', '-o', out)
    says(lab.third('import', out, rc=1), 'parted behind point 1', 'resync web1 --keep dr')
    check(side(lab.third) == [('replica', 'waiting-for-resync')], side(lab.third))
    lab.third('resync', 'web1', '--keep', 'dr', '--yes', '-o', lab.path('says'))
    points = lab.third.json('points', 'web1')
    check([p['seq'] for p in points] == [1, 2] and points[1]['branch'], points)
    lab.send(lab.dr, lab.third, '--against', lab.path('says'), '--to', 'third')
    check(lab.content(lab.third) == lab.content(lab.dr))
    lab.third('restore', 'web1', '--point', '2', '-o', lab.path('back'))
    for i, want in zip(lab.disks, ahead):
        with open(lab.path('back', i + '.raw'), 'rb') as f:
            check(f.read() == want, 'the branch is not what was on disk', i)
    lab.close()


def test_two_that_took_over_see_each_other():
    lab = Three()
    lab.both('--seed')
    for s in (lab.dr, lab.third):
        lab.unplanned(s)
        s('reverse', 'web1', '-o', lab.path(s.name + '.word'))
        lab.dirty(s)
    says(lab.dr('import', lab.path('third.word'), rc=1), 'fenced', "'third'")
    says(lab.third('import', lab.path('dr.word'), rc=1), 'fenced', "'dr'")
    # third gives way.
    mine = lab.content(lab.third)
    lab.third('resync', 'web1', '--keep', 'dr', '--yes', '-o', lab.path('says'))
    check(lab.content(lab.third) == mine, 'the disks have changed')
    lab.dr('resync', 'web1', '--keep', 'dr')
    lab.send(lab.dr, lab.third, '--against', lab.path('says'), '--to', 'third')
    check(lab.content(lab.third) == lab.content(lab.dr))
    check([p['branch'] for p in lab.third.json('points', 'web1')] == [True, False])
    lab.close()


# --- killed at any instant ---------------------------------------------------------------------------------

def sweep(name, lab, argv, finish, stride=3):
    """Kill argv at every changing call; the same again completes it."""
    stage, kills = inject.Stage(lab), 0
    calls, p = inject.record(argv, lab.dir, threads=9)
    check(p.returncode == 0, name, p.stderr)
    stage.reset()
    for call, n in inject.points(calls, stride):
        if not inject.killed(argv, lab.dir, call, n, must=False):
            stage.reset()
            continue
        kills += 1
        for s in (lab.hq, lab.dr):
            s('status')
        run(*argv)
        finish()
        stage.reset()
    check(kills > 20, name, 'was killed only', kills, 'times')
    print('        %s: %d kills' % (name, kills))
    stage.close()


def small():
    return Pair(where=inject.on_disk(), sizes=(256 * K, 64 * K + 512))


def test_reverse_killed_at_any_instant():
    lab = small()
    lab.send(lab.hq, lab.dr, '--seed')
    out = lab.file()
    lab.hq('failover', 'web1', '--planned', '--to', 'dr', '--vm-is-shut-down', '-o', out)
    lab.dr('import', out)
    lab.dr('failover', 'web1', '--planned', '--complete')

    def finish():
        check(side(lab.dr) == [('primary', 'replicating')], side(lab.dr))
        lab.dirty(lab.dr, 1)
        lab.send(lab.dr, lab.hq)
        check(lab.content(lab.hq) == lab.content(lab.dr))

    sweep('reverse', lab, [inject.tool('reverse'), '--home', lab.dr.home, 'web1', '-o', lab.path('word')], finish)


def test_following_killed_at_any_instant():
    lab = small()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.planned(lab.hq, lab.dr)
    lab.dirty(lab.dr, 1)
    out = lab.file()
    lab.dr('export', 'web1', '-o', out)

    def finish():
        check(side(lab.hq) == [('replica', 'replicating')], side(lab.hq))
        check(lab.content(lab.hq) == lab.content(lab.dr))
        check(not glob.glob(os.path.join(lab.hq.home, 'primaries', '*-*')), 'the old record is there')
        lab.hq('scrub', 'web1')

    sweep('import that follows', lab, [inject.tool('import'), '--home', lab.hq.home, out], finish)


def test_giving_way_killed_at_any_instant():
    lab = small()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.dirty(lab.hq, 1)
    lab.unplanned(lab.dr)
    lab.dr('reverse', 'web1', '-o', lab.path('word'))
    lab.dirty(lab.dr, 1)
    lab.hq('import', lab.path('word'), rc=1)
    mine = lab.content(lab.hq)

    def finish():
        check(side(lab.hq) == [('replica', 'resynchronizing')], side(lab.hq))
        check(lab.content(lab.hq) == mine, 'the disks have changed')
        lab.send(lab.dr, lab.hq, '--against', lab.path('says'))
        check(lab.content(lab.hq) == lab.content(lab.dr))
        check([p['branch'] for p in lab.hq.json('points', 'web1')] == [True, False], lab.hq.json('points', 'web1'))
        lab.hq('restore', 'web1', '--point', '2', '-o', lab.path('back'))
        for i, want in zip(lab.disks, mine):
            with open(lab.path('back', i + '.raw'), 'rb') as f:
                check(f.read() == want, 'the branch is not what was on disk', i)

    sweep('resync --keep', lab, [inject.tool('resync'), '--home', lab.hq.home, 'web1', '--keep', 'dr', '--yes', '-o', lab.path('says')],
          finish)

if __name__ == '__main__':
    inject.hurry()
    main(__name__)
