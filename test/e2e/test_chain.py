#!/usr/bin/env python3
"""A third site: hq -> dr -> far by forwarding the same bundles, and hq -> dr and hq -> far at once."""
import shutil

import forge
from lab import *

TEST = os.environ.get('VMFERRY_TEST', os.path.join(ROOT, 'build', 'test'))


def touch(lab, n):
    size = os.path.getsize(lab.disks['vda']) - 72 * K
    lab.write(lab.disks['vda'], n * 5 * 64 * K % size, 70 * K)
    lab.write(lab.disks['vda'], n * 7 * 64 * K % size, 8 * K, b'\0')
    lab.write(lab.disks['vdb'], n * 4 * K % (64 * K) + 512, 512)


def has(status, name):
    return name in [a['name'] for a in status['alerts']]


class Chain:
    """hq, dr and far, which has its seed (point 2) from hq; dr has it too.  What goes to dr goes on to far."""
    def __init__(self, seeded=True, **kw):
        self.lab = lab = Lab(**kw)
        self.far = Site(lab, 'far')
        lab.hq('trust', 'add', self.far.card)
        lab.dr('trust', 'add', self.far.card)
        self.far('trust', 'add', lab.hq.card, '--vm', 'web*')
        self.n = 0
        self.cut('--seed')
        self.give_dr()
        lab.hq('extend', 'web1', '--to', 'far', '--via', 'dr')
        lab.dr('extend', 'web1', '--to', 'far')
        if seeded:
            self.cut('--seed', '--to', 'far')
            self.far('import', self.bundle(), '--receipt', lab.path('far.receipt'))
            self.receipt_of_far()

    def bundle(self, n=None):
        return self.lab.path('b%d.vmf' % (self.n if n is None else n))

    def cut(self, *args):
        """hq cuts the next point into a file; the disks are kept."""
        if self.n:
            touch(self.lab, self.n)
        self.n += 1
        self.lab.keep(self.n)
        return self.lab.hq('export', 'web1', '-o', self.bundle(), *args)

    def give_dr(self, n=None):
        p = self.lab.dr('import', self.bundle(n), '--receipt', self.lab.path('dr.receipt'))
        self.lab.hq('import', self.lab.path('dr.receipt'))
        return p

    def next(self, *args, rc=0):
        """dr forwards the next volume through a pipe: its bytes."""
        return run(VMFERRY, '--home', self.lab.dr.home, 'export', 'web1', '--to', 'far', *args, rc=rc, text=False)

    def give_far(self, data, rc=0):
        with open(self.lab.path('through.vmf'), 'wb') as f:
            f.write(data)
        with open(self.lab.path('through.vmf')) as f:
            return self.far('import', '--receipt', self.lab.path('far.receipt'), stdin=f, rc=rc)

    def receipt_of_far(self):
        """far's word goes to dr, and the same file to hq."""
        self.lab.dr('import', self.lab.path('far.receipt'))
        self.lab.hq('import', self.lab.path('far.receipt'))

    def forward(self):
        return self.lab.dr.json('status')[0]['forwards'][0]

    def acked(self, site):
        return [t['acked'] for t in self.lab.hq.json('status')[0]['targets'] if t['site'] == site][0]

    def outbox(self):
        folder = os.path.join(self.lab.dr.replica(), 'outbox')
        return sorted(os.listdir(folder)) if os.path.exists(folder) else []

    def at(self, site):
        return site.json('points', 'web1')[-1]['seq']

    def same(self, n):
        """dr and far are at point n, bit for bit, and their trees are those of their disks."""
        for site in self.lab.dr, self.far:
            check(self.at(site) == n, site.name, 'is at', self.at(site), 'and not at', n)
            self.lab.same(n, os.path.join(site.replica(), 'disks'), site.name)
            site('scrub', 'web1')


def test_the_same_bytes_go_on_through_pipes_and_are_dropped_when_acknowledged():
    c = Chain()
    for k in range(3):
        c.cut()
        c.give_dr()
        check(len(c.outbox()) == 1, *c.outbox())
        data = c.next().stdout
        with open(c.bundle(), 'rb') as f:
            check(data == f.read(), 'dr has changed what hq made')
        check('was sent' in c.next(rc=1).stderr.decode(), 'it is sent twice')
        c.give_far(data)
        check(c.forward()['sent'] == 1, c.forward())
        c.receipt_of_far()
        check(c.outbox() == [] and c.forward()['acked'] == c.n, c.outbox(), c.forward())
        check(c.acked('far') == c.acked('dr') == c.n, 'hq knows', c.acked('far'), c.acked('dr'))
        check('nothing waits' in c.next(rc=1).stderr.decode(), 'something is left')
        c.same(c.n)


def test_points_keep_their_kind_time_and_number():
    c = Chain()
    c.cut()
    c.give_dr()
    c.give_far(c.next().stdout)
    here, there = ({k: site.json('points', 'web1')[-1][k] for k in ('seq', 'epoch', 'time', 'kind')} for site in (c.lab.dr, c.far))
    check(here == there, here, there)


def test_lost_doubled_and_late_forwards():
    c = Chain()
    first = c.n
    for k in range(3):
        c.cut('--since', 'sent')
        c.give_dr()
    check(len(c.outbox()) == 3, *c.outbox())
    lost, second, third = (c.next().stdout for k in range(3))
    c.next(rc=1)
    p = c.give_far(third)                         # late: it waits
    check('nothing is here that leads from point' in p.stderr, p.stderr)
    check(c.at(c.far) == first, c.at(c.far))
    c.give_far(second)
    c.give_far(second)                            # doubled
    check(c.at(c.far) == first, c.at(c.far))
    c.receipt_of_far()
    check(len(c.outbox()) == 3, 'what is not acknowledged went', *c.outbox())
    again = c.next('--anew').stdout
    check(again == lost, 'another one comes first')
    c.give_far(again)
    p = c.give_far(again)
    check('already have' in p.stderr, p.stderr)
    c.same(c.n)
    check(c.next().stdout == second, 'after --anew the others are sent again')
    c.receipt_of_far()
    check(c.outbox() == [], *c.outbox())


def test_forwards_wait_until_far_has_its_seed():
    c = Chain(seeded=False)
    lab = c.lab
    check('only its primary' in lab.dr('export', 'web1', '--to', 'far', '--seed', rc=1).stderr)
    c.cut()
    p = c.give_dr()
    check(len(c.outbox()) == 1, p.stderr)
    c.cut('--seed', '--to', 'far')
    shutil.copy(c.bundle(), lab.path('carried.vmf'))
    c.far('import', lab.path('carried.vmf'))
    c.cut()
    c.give_dr()
    c.give_far(c.next().stdout)                   # older than its seed
    c.give_far(c.next().stdout)
    c.same(c.n)
    c.receipt_of_far()
    check(c.outbox() == [] and c.acked('far') == c.n)


def test_a_seed_that_dr_changes_is_refused_by_far():
    c = Chain(seeded=False)
    c.cut('--seed', '--to', 'far')
    with open(c.bundle(), 'rb') as f:
        data = bytearray(f.read())
    data[len(data) // 2] ^= 1
    c.give_far(bytes(data), rc=1)
    check(not glob.glob(os.path.join(c.far.home, 'replicas', '*', 'undo', '*')))


def test_every_flipped_byte_of_a_forwarded_bundle_is_refused():
    c = Chain(sizes=(160 * K, 64 * K + 4096 + 512))
    c.cut()
    c.give_dr()
    data = c.next().stdout
    path = c.lab.path('flipped.vmf')
    with open(path, 'wb') as f:
        f.write(data)
    before = c.at(c.far)
    print('        ' + run(os.path.join(TEST, 'flips'), 'import', c.far.home, path, 2003).stdout.strip())
    check(c.at(c.far) == before)
    c.give_far(data)
    c.same(c.n)


def test_dr_cannot_make_a_delta_for_far():
    c = Chain()
    c.cut()
    c.give_dr()
    c.next()
    b = forge.Bundle(c.bundle())
    forged = c.lab.path('forged.vmf')
    b.header.text = dict(b.header.text, signer='dr')
    b.write(forged, forge.Key(c.lab.dr))
    before = tree(c.far.replica())
    p = c.far('import', forged, rc=1)
    check('does not know' in p.stderr, p.stderr)
    c.far('trust', 'add', c.lab.dr.card, '--vm', 'web*')     # dr may bring VMs of its own there, but not this one
    p = c.far('import', forged, rc=1)
    check("accepted from site 'hq'" in p.stderr, p.stderr)
    check(tree(c.far.replica()) == before, 'far has changed')
    with open(c.bundle(), 'rb') as f:
        c.give_far(f.read())
    c.same(c.n)


def test_what_is_not_sealed_to_far_is_said_and_not_kept():
    c = Chain()
    c.lab.hq('extend', 'web1', '--to', 'far', '--end')
    c.cut()
    p = c.give_dr()
    check("not sealed to site 'far'" in p.stderr and 'extend web1 --to far --via dr' in p.stderr, p.stderr)
    check(c.outbox() == [], *c.outbox())
    s = c.lab.dr.json('status')[0]
    check(has(s, 'forward-gap') and s['health'] == 'warning', s)
    check('nothing waits' in c.next(rc=1).stderr.decode())
    with open(c.bundle(), 'rb') as f:
        check('not' in c.give_far(f.read(), rc=1).stderr)


def test_the_outbox_is_bounded_and_status_says_what_is_missing():
    c = Chain()
    c.lab.dr('trust', 'add', c.lab.hq.card, '--vm', 'web*', '--inbox', '400K')
    words = ''
    for k in range(5):
        c.cut('--since', 'sent')
        words += c.give_dr().stderr
    out = os.path.join(c.lab.dr.replica(), 'outbox')
    check(0 < sum(os.path.getsize(os.path.join(out, f)) for f in os.listdir(out)) <= 400 * K)
    check('to be forwarded, so the oldest' in words, words)
    s = c.lab.dr.json('status')[0]
    check(s['forwards'][0]['lost'] > 0 and has(s, 'forward-gap'), s)
    c.cut('--to', 'far')                          # what hq makes then
    with open(c.bundle(), 'rb') as f:
        c.give_far(f.read())
    c.receipt_of_far()
    s = c.lab.dr.json('status')[0]
    check(s['forwards'][0]['lost'] == 0 and s['health'] == 'normal' and c.outbox() == [], s)
    c.cut()
    c.give_dr()
    c.give_far(c.next().stdout)
    c.same(c.n)


def medium(lab, name):
    os.makedirs(lab.path(name), exist_ok=True)
    return lab.path(name)


def test_over_media_with_the_names_manifests_and_receipts_that_are_theirs():
    c = Chain(sizes=(6 * M, 1 * M + 512))
    lab, hq, dr, far = c.lab, c.lab.hq, c.lab.dr, c.far
    one, two = medium(lab, 'one'), medium(lab, 'two')
    lab.write(lab.disks['vda'], 0, 5 * M)
    c.n += 1
    lab.keep(c.n)
    hq('export', 'web1', '--media', one, '--volume-size', '2M')
    made = sorted(glob.glob(one + '/vmferry/*.vmf'))
    check(len(made) >= 3, *made)
    dr('import', '--media', one)
    p = dr('export', 'web1', '--to', 'far', '--media', two)
    check('%d volumes' % len(made) in p.stderr, p.stderr)
    for f in made:
        check(filecmp.cmp(f, two + '/vmferry/' + os.path.basename(f), shallow=False), 'not the same:', f)
    b2, = glob.glob(two + '/vmferry/*.b2')
    run('b2sum', '-c', os.path.basename(b2), cwd=two + '/vmferry')
    check('forward' in open(b2[:-3] + '.log').read())
    check('was sent' in dr('export', 'web1', '--to', 'far', '--media', two, rc=1).stderr)
    check(len(sorted(glob.glob(two + '/vmferry/*.vmf'))) == len(made))
    far('import', '--media', two)
    c.same(c.n)
    # far's receipt: dr takes it from the medium in passing, leaves it there, and hq finds it there.
    check(len(c.outbox()) == len(made), *c.outbox())
    check('nothing waits' in dr('export', 'web1', '--to', 'far', '--media', two, rc=1).stderr)
    check(c.outbox() == [] and c.forward()['acked'] == c.n, c.forward())
    check(c.acked('far') < c.n)
    c.n += 1
    touch(lab, c.n)
    lab.keep(c.n)
    hq('export', 'web1', '--media', two)
    check(c.acked('far') == c.n - 1, 'hq did not take the receipt of far')
    # The same medium goes on from dr to far: its bundles are there already.
    dr('import', '--media', two)
    dr('export', 'web1', '--to', 'far', '--media', two)
    far('import', '--media', two)
    c.same(c.n)


def test_volumes_are_forwarded_one_by_one_in_any_order():
    c = Chain(sizes=(6 * M, 1 * M + 512))
    lab = c.lab
    one = medium(lab, 'one')
    lab.write(lab.disks['vda'], 0, 5 * M)
    c.n += 1
    lab.keep(c.n)
    lab.hq('export', 'web1', '--media', one, '--volume-size', '2M')
    made = sorted(glob.glob(one + '/vmferry/*.vmf'))
    lab.dr('import', made[1])
    through = [c.next().stdout]
    c.next(rc=1)
    for f in made[:1] + made[2:]:
        lab.dr('import', f)
    through += [c.next().stdout for f in made[1:]]
    c.next(rc=1)
    for data in reversed(through):
        c.give_far(data)
    c.same(c.n)
    c.receipt_of_far()
    check(c.outbox() == [], *c.outbox())


def test_two_ways_at_once_each_from_its_own_point():
    lab = Lab()
    far = Site(lab, 'far')
    lab.hq('trust', 'add', far.card)
    far('trust', 'add', lab.hq.card, '--vm', 'web*')
    bundles = []

    def cut(*args):
        touch(lab, len(bundles))
        lab.keep(len(bundles) + 1)
        bundles.append(lab.path('b%d.vmf' % len(bundles)))
        return lab.hq('export', 'web1', '-o', bundles[-1], *args)

    def give(site, i, *receipt):
        site('import', bundles[i], '--receipt', lab.path('r'))
        lab.hq('import', lab.path('r'))

    def head(i):
        return lab.hq.json('inspect', bundles[i])

    cut('--seed')
    give(lab.dr, 0)
    p = lab.hq('extend', 'web1', '--to', 'far')
    check('--seed --to far' in p.stderr, p.stderr)
    p = cut()                                     # far has nothing: it does not make a seed of this
    check("'far' has no initial copy yet" in p.stderr, p.stderr)
    give(lab.dr, 1)
    cut('--seed', '--to', 'far')
    give(far, 2)
    cut()                                         # for both, from what both have
    give(far, 3)                                  # dr's is lost
    cut()
    give(lab.dr, 4)
    give(far, 4)
    for site in lab.dr, far:
        check(site.json('points', 'web1')[-1]['seq'] == 5)
        lab.same(5, os.path.join(site.replica(), 'disks'), site.name)
        site('scrub', 'web1')
    acked = {t['site']: t['acked'] for t in lab.hq.json('status')[0]['targets']}
    check(acked == {'dr': 5, 'far': 5}, acked)
    p = lab.hq('extend', 'web1', '--to', 'dr', '--end')
    cut()
    p = lab.dr('import', bundles[-1], rc=1)
    give(far, 5)
    check([t['site'] for t in lab.hq.json('status')[0]['targets']] == ['far'])


def test_ends_circles_and_strangers_are_said():
    c = Chain()
    hq, dr = c.lab.hq, c.lab.dr
    check('no site of that name' in hq('extend', 'web1', '--to', 'nobody', rc=1).stderr)
    hq('extend', 'web1', '--to', 'far', '--via', 'dr', '--end', rc=2)
    hq('trust', 'add', Site(c.lab, 'new').card)
    check("say 'vmferry extend web1 --to new' first" in hq('extend', 'web1', '--to', 'far', '--via', 'new', rc=1).stderr)
    check("'far' is reached by way of 'dr'" in hq('extend', 'web1', '--to', 'dr', '--end', rc=1).stderr)
    check('already' in hq('extend', 'web1', '--to', 'dr', '--via', 'far', rc=1).stderr)
    check('already' in hq('extend', 'web1', '--to', 'dr', '--via', 'dr', rc=1).stderr)
    check('for its primary' in dr('extend', 'web1', '--to', 'far', '--via', 'hq', rc=1).stderr)
    check("is its primary" in dr('extend', 'web1', '--to', 'hq', rc=1).stderr)
    check('already' in dr('extend', 'web1', '--to', 'far').stderr)
    check('does not forward' in dr('export', 'web1', '--to', 'hq', rc=1).stderr)
    check('only its primary' in dr('export', 'web1', '--seed', '--to', 'far', rc=1).stderr)
    check('as it is' in dr('export', 'web1', '--compress', 'best', rc=1).stderr)
    hq('extend', 'web1', '--to', 'far')           # directly from now on
    c.cut()
    hq('extend', 'web1', '--to', 'far', '--via', 'dr')
    c.give_dr()
    check(len(c.outbox()) == 1)
    dr('extend', 'web1', '--to', 'far', '--end')
    check(c.outbox() == [] and 'forwards' not in dr.json('status')[0])
    check('forwards it to nobody' in dr('export', 'web1', rc=1).stderr)
    check('the receipt is for' in dr('import', c.lab.path('far.receipt'), rc=1).stderr)


def test_what_lies_in_the_inbox_is_kept_when_forwarding_begins():
    c = Chain()
    c.lab.dr('extend', 'web1', '--to', 'far', '--end')
    c.cut()
    c.lab.dr('import', '--no-merge', c.bundle())
    c.lab.dr('extend', 'web1', '--to', 'far')
    check(len(c.outbox()) == 1, *c.outbox())
    c.lab.dr('merge', 'web1')
    c.give_far(c.next().stdout)
    c.same(c.n)


def test_a_site_that_went_back_is_said():
    c = Chain()
    c.cut()
    c.give_dr()
    shutil.copytree(c.far.home, c.lab.path('backup'), symlinks=True)
    c.give_far(c.next().stdout)
    c.receipt_of_far()
    shutil.rmtree(c.far.home)
    os.rename(c.lab.path('backup'), c.far.home)
    edit_record(os.path.join(c.lab.dr.replica(), 'state'), lambda o: o['forwards'][0].update(said_at=o['forwards'][0]['said_at'] - 100))
    c.far('merge', 'web1')
    c.cut()
    c.give_dr()
    c.give_far(c.next().stdout)                   # waits for the one before
    p = c.lab.dr('import', c.lab.path('far.receipt'))
    check('went back' in p.stderr, p.stderr)
    s = c.lab.dr.json('status')[0]
    check(has(s, 'forward-gap'), s)


def test_four_sites_in_a_row():
    c = Chain()
    lab, end = c.lab, Site(c.lab, 'end')
    for site in lab.hq, c.far:
        site('trust', 'add', end.card)
    end('trust', 'add', lab.hq.card, '--vm', 'web*')
    lab.hq('extend', 'web1', '--to', 'end', '--via', 'far')
    c.far('extend', 'web1', '--to', 'end')
    c.cut('--seed', '--to', 'end')
    end('import', c.bundle())
    c.cut()
    c.give_dr()
    c.give_far(c.next().stdout)
    data = run(VMFERRY, '--home', c.far.home, 'export', 'web1', text=False).stdout
    with open(lab.path('last.vmf'), 'wb') as f:
        f.write(data)
    end('import', lab.path('last.vmf'), '--receipt', lab.path('end.receipt'))
    for site in c.far, lab.hq:
        site('import', lab.path('end.receipt'))
    check(c.acked('end') == c.n)
    c.same(c.n)
    lab.same(c.n, os.path.join(end.replica(), 'disks'), 'end')


if __name__ == '__main__':
    main(__name__)
