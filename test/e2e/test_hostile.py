#!/usr/bin/env python3
"""Hostile input: crafted bundles, flipped bits and bundles cut short are refused, and change nothing.

The crafted ones come from test/hostile, with the keys of the sites of this test.  fixtures/hostile/expected.txt says
what each must be refused with.
"""
import contextlib, itertools, resource, stat
from lab import *

TEST = os.environ.get('VMFERRY_TEST', os.path.join(ROOT, 'build', 'test'))
TABLE = os.path.join(ROOT, 'fixtures', 'hostile', 'expected.txt')
THOROUGH = os.environ.get('VMFERRY_THOROUGH')
MEMORY = 400 * M


def expected():
    """The table, by (name, stage): who refuses it, and with which words."""
    table = {}
    with open(TABLE) as f:
        for line in f:
            if line.strip() and not line.startswith('#'):
                name, stages, who, words = line.rstrip('\n').split('\t')
                for stage in stages.split(','):
                    check((name, stage) not in table, name, stage, 'stands twice in the table')
                    table[name, stage] = who, words
    return table


def everything(folder):
    """Names, kinds, modes and contents of all below a folder, and where its links lead."""
    all = {}
    for d, dirs, files in os.walk(folder):
        for n in dirs + files:
            p = os.path.join(d, n)
            s = os.lstat(p)
            content = None
            if stat.S_ISLNK(s.st_mode):
                content = os.readlink(p)
            elif stat.S_ISREG(s.st_mode):
                with open(p, 'rb') as f:
                    content = f.read()
            all[os.path.relpath(p, folder)] = s.st_mode, content
    return all


class Target:
    """Sites hq and other, which may both replicate to dr, where the disks go to a store."""
    def __init__(self):
        self.lab = lab = Lab()
        self.other = Site(lab, 'other')
        self.store = lab.path('store')
        os.mkdir(self.store)
        for name, site in (('hq', lab.hq), ('other', self.other)):
            if name == 'hq':
                lab.dr('trust', 'remove', name)
            lab.dr('trust', 'add', site.card, '--vm', 'web*', '--store', self.store, '--max-size', '1G')
        lab.hq('trust', 'add', self.other.card)
        lab.dr('import', lab.path('no.vmf'), rc=None)      # whatever is made when a home is first used is there now

    def make(self, *receipt):
        """The bundles, by (name, stage), and the good ones apart."""
        out = self.lab.path('hostile%d' % len(receipt))
        os.mkdir(out)
        p = run(os.path.join(TEST, 'hostile'), self.lab.hq.home, self.other.home, self.lab.dr.home, out, *receipt)
        bundles, good = {}, {}
        for line in p.stdout.splitlines():
            name, stage = line.split('\t')
            path = os.path.join(out, '%s-%s.vmf' % (stage, name))
            if not os.path.exists(path):
                path = sorted(glob.glob(path[:-4] + '.[0-9].vmf'))      # of several volumes
            (good if name.startswith('good') else bundles)[name, stage] = path
        return bundles, good

    def state(self, site):
        return everything(site.home), everything(self.store)

    def close(self):
        self.lab.close()

    @contextlib.contextmanager
    def undone(self):
        """What happens within to dr and its store has not happened."""
        saved = [(p, p + '.saved') for p in (self.lab.dr.home, self.store)]
        for p, q in saved:
            shutil.copytree(p, q, symlinks=True)
        try:
            yield
        finally:
            for p, q in saved:
                shutil.rmtree(p)
                os.rename(q, p)


def limit():
    """Memory, as it is bounded for each processor, on two of them."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def bounded(site, *args):
    return site(*args, rc=None, preexec_fn=limit)


def must_be_refused(target, site, signer, path, who, words):
    """Import at that site: refused with these words, and all as before."""
    before = target.state(site)
    p = bounded(site, 'import', path)
    check(p.returncode == 1, 'import: exit %d, not 1: %s' % (p.returncode, p.stderr))
    check(words in p.stderr, 'import: not refused with "%s" but: %s' % (words, p.stderr))
    after = target.state(site)
    if who == 'merge':      # it was received, and then its roots were not the signed ones: the record says so
        for now in before + after:
            for n in [n for n in now if os.path.basename(n) in ('state', 'cycles')]:
                del now[n]
    check(before == after, 'the store has changed')
    if who == 'verify':
        p = bounded(site, 'verify', '--key', signer.card, path)
        check(p.returncode == 1, 'verify: exit %d, not 1: %s' % (p.returncode, p.stderr))
        check('refused' in p.stderr, 'verify: no refusal: %s' % p.stderr)


def points(site):
    """The points that the VM is known at, and its disks; none while it is a placeholder."""
    if site('points', 'web1', rc=None).returncode != 0 or not site.json('points', 'web1'):
        return [], {}
    disks = {d: open(os.path.join(site.replica(), 'disks', d), 'rb').read()
             for d in os.listdir(os.path.join(site.replica(), 'disks'))}
    return site.json('points', 'web1'), disks


def must_be_refused_as_set(target, site, paths, good, words):
    """Import the volumes in several orders: some are refused, nothing is applied, and the good ones come in."""
    orders = list(itertools.permutations(paths))
    for order in orders if THOROUGH else (orders[0], orders[3], orders[-1]):
        with target.undone():
            before, said = points(site), []
            for path in order:
                p = bounded(site, 'import', path)
                check(p.returncode in (0, 1), 'import: exit %d: %s' % (p.returncode, p.stderr))
                said += [p.stderr] if p.returncode == 1 else []
                check(points(site) == before, 'something of it was applied')
            check(said and all(any(w in s for w in words.split('|')) for s in said),
                  'not refused with "%s" but: %s' % (words, said))
            for path in good:
                site('import', path)
            site('scrub', 'web1')


def refuse_all(target, site, signer, bundles, stage, good=()):
    """Every case of a stage; all that fail are named at once."""
    failed, table = [], expected()
    todo = sorted(k for k in bundles if k[1] == stage)
    check(todo, 'no hostile', stage)
    for key in todo:
        try:
            if table[key][0] == 'set':
                must_be_refused_as_set(target, site, bundles[key], good, table[key][1])
            else:
                must_be_refused(target, site, signer, bundles[key], *table[key])
        except Failed as e:
            failed.append('%s: %s' % (key[0], str(e).strip()))
    check(not failed, '%d of %d:\n        %s' % (len(failed), len(todo), '\n        '.join(failed)))


def test_every_hostile_bundle_has_its_refusal_in_the_table():
    t = Target()
    made, _ = t.make()
    t.lab.dr('import', t.lab.export('--seed'), '--receipt', t.lab.path('receipt'))
    receipts, _ = t.make(t.lab.path('receipt'))
    made = set(made) | set(receipts)
    table = set(expected())
    check(made == table, 'not in the table:', sorted(made - table), 'not made:', sorted(table - made))
    check(len({name for name, _ in made}) >= 80)
    t.close()


def test_hostile_seeds_are_refused_and_change_nothing():
    t = Target()
    made, good = t.make()
    refuse_all(t, t.lab.dr, t.lab.hq, made, 'seed', good['good-volumes', 'seed'])
    t.lab.dr('import', good['good', 'seed'])
    t.lab.dr('scrub', 'web1')
    t.close()


def test_good_encrypted_bundles_are_accepted():
    t = Target()
    _, good = t.make()
    t.lab.dr('import', good['good-encrypted', 'seed'])
    t.lab.dr('import', good['good-encrypted', 'delta'])
    t.lab.dr('scrub', 'web1')
    t.close()


def test_good_volumes_are_applied_when_the_last_of_them_has_come_in_any_order():
    t = Target()
    _, good = t.make()
    for n, stage in enumerate(('seed', 'delta'), 1):
        for order in itertools.permutations(good['good-volumes', stage]):
            with t.undone():
                before = points(t.lab.dr)
                for path in order[:2]:
                    t.lab.dr('import', path)
                    p = t.lab.dr('import', path)
                    check('already have it' in p.stderr, p.stderr)
                    check(points(t.lab.dr) == before, 'something was applied before all volumes were there')
                t.lab.dr('import', order[2])
                check([p['seq'] for p in points(t.lab.dr)[0]] == list(range(1, n + 1)))
                t.lab.dr('scrub', 'web1')
        t.lab.dr('import', good['good', 'seed'])
    t.close()


def test_volumes_of_two_bundles_never_make_one():
    """Of the same disks at the same points, exported twice."""
    t = Target()
    _, good = t.make()
    for stage in ('seed', 'delta'):
        one, other = good['good-volumes', stage], good['good-other-volumes', stage]
        for order in itertools.permutations([one[0], other[1], one[2]]):
            with t.undone():
                before = points(t.lab.dr)
                for path in order:
                    t.lab.dr('import', path)
                check(points(t.lab.dr) == before, 'volumes of two bundles were taken for one')
                for path in other:
                    t.lab.dr('import', path)
                t.lab.dr('scrub', 'web1')
        t.lab.dr('import', good['good', 'seed'])
    t.close()


def test_a_good_combined_delta_is_accepted():
    t = Target()
    _, good = t.make()
    t.lab.dr('import', good['good', 'seed'])
    t.lab.dr('import', good['good-combined', 'delta'])
    t.lab.dr('scrub', 'web1')
    t.close()


def test_hostile_deltas_are_refused_and_change_nothing():
    t = Target()
    made, good = t.make()
    t.lab.dr('import', good['good', 'seed'])
    refuse_all(t, t.lab.dr, t.lab.hq, made, 'delta', good['good-volumes', 'delta'])
    t.lab.dr('scrub', 'web1')
    t.lab.dr('import', good['good', 'delta'])
    t.lab.dr('scrub', 'web1')
    check([p['seq'] for p in t.lab.dr.json('points', 'web1')] == [1, 2])
    t.close()


def test_hostile_receipts_are_refused_and_change_nothing():
    t = Target()
    lab = t.lab
    lab.dr('import', lab.export('--seed'))
    lab.write(lab.disks['vda'], 0, 5000)
    lab.dr('import', lab.export('--delta'), '--receipt', lab.path('receipt'))
    made, good = t.make(lab.path('receipt'))
    refuse_all(t, lab.hq, lab.dr, made, 'receipt')
    lab.hq('import', good['good', 'receipt'])
    t.close()


def test_a_bundle_that_is_accepted_is_noticed():
    """The check itself: a good bundle among the hostile ones, and one refused for another reason."""
    t = Target()
    made, good = t.make()
    for path, words in ((good['good', 'seed'], 'refused'), (made['json-array', 'seed'], 'the signature is wrong')):
        try:
            must_be_refused(t, t.lab.dr, t.lab.hq, path, 'verify', words)
        except Failed:
            continue
        raise Failed('a wrong outcome went unnoticed')
    try:
        must_be_refused_as_set(t, t.lab.dr, good['good-volumes', 'seed'], [], 'refused')
    except Failed:
        t.close()
        return
    raise Failed('a whole set went unnoticed')


def flips(*args, rc=0):
    p = run(os.path.join(TEST, 'flips'), *args, rc=rc)
    return p.stdout.strip()


def small(t):
    _, good = t.make()
    return good['good-small', 'seed'], good['good-small', 'delta']


def test_every_flipped_bit_and_every_cut_is_refused_by_verification():
    t = Target()
    _, delta = small(t)
    size = os.path.getsize(delta)
    check(flips('verify', t.lab.hq.card, delta) == '%d refused, 0 not' % (9 * size))
    t.close()


def test_flipped_bits_and_cuts_of_a_delta_change_nothing_at_import():
    t = Target()
    seed, delta = small(t)
    t.lab.dr('trust', 'remove', 'hq')
    t.lab.dr('trust', 'add', t.lab.hq.card, '--vm', 'web*')
    t.lab.dr('import', seed)
    print(flips('import', t.lab.dr.home, delta, 1 if THOROUGH else 41))
    t.lab.dr('import', delta)
    t.close()


def test_flipped_bits_and_cuts_of_a_seed_change_nothing_at_import():
    t = Target()
    seed, _ = small(t)
    t.lab.dr('trust', 'remove', 'hq')
    t.lab.dr('trust', 'add', t.lab.hq.card, '--vm', 'web*')
    print(flips('import', t.lab.dr.home, seed, 3 if THOROUGH else 307))
    t.lab.dr('import', seed)
    t.close()


def test_a_bundle_that_is_not_flipped_is_noticed():
    t = Target()
    seed, _ = small(t)
    check(flips('-n', 'import', t.lab.dr.home, seed, 10007, rc=1).startswith('0 refused'))
    t.close()


if __name__ == '__main__':
    main(__name__)
