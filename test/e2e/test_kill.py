#!/usr/bin/env python3
"""Killed at any instant, a replica is at point N or N+1, whole, and the same command again completes.

Each verb is run once undisturbed to learn its state-changing system calls; then once for each of them, killed
there.  VMFERRY_FULL=1 takes every single one; else a stride is used where a call is very frequent.
VMFERRY_SEED=N repeats the choice of double kills.
"""
import itertools

from inject import *
from lab import *

SEED = int(os.environ.get('VMFERRY_SEED', '0')) or random.SystemRandom().randrange(1, 1 << 32)
SIZES = (160 * K, 64 * K + 512)
DOUBLES = 40 if FULL else 6     # double kills for each verb
STRIDE = int(os.environ.get('VMFERRY_STRIDE', '3'))


def small_lab(**kw):
    return Lab(where=on_disk(), sizes=SIZES, **kw)


def touch(lab, n):
    """The guest writes: some data, some zeroes, another place each time."""
    lab.write(lab.disks['vda'], (n * 5 % 36) * 4 * K, 6 * K)
    lab.write(lab.disks['vda'], (n * 7 % 38) * 4 * K, 8 * K, b'\0')
    lab.write(lab.disks['vdb'], n * 4 * K + 512, 512)
    lab.write(lab.disks['vdb'], 64 * K, 512)


def seqs(site):
    """The points of the replica; None where there is no replica."""
    p = site('points', 'web1', '--json', rc=None)
    if p.returncode == 1:
        return None
    check(p.returncode == 0, 'points: exit', p.returncode, p.stderr)
    return [x['seq'] for x in json.loads(p.stdout)]


def whole(lab, want):
    """The replica has these points and no others, each bit-identical to what was kept; nothing is left over."""
    have = seqs(lab.dr)
    check(have == want, 'the points are', have, 'and not', want)
    lab.same(want[-1], os.path.join(lab.dr.replica(), 'disks'), 'the replica:')
    lab.dr('scrub', 'web1')
    for n in want:
        out = lab.path('out')
        lab.dr('restore', 'web1', '--point', n, '-o', out)
        lab.same(n, out, 'restored:')
        shutil.rmtree(out)
    left = leftovers(lab.dr)
    check(not left, 'left over:', *left)


class Sweep:
    """One verb, killed everywhere; or, unless VMFERRY_FULL=1, at one of so many places, others each time."""
    def __init__(self, name, lab, argv, resets, after_kill, again, finish, threads=1, counted=True, share=1, calls=CHANGING):
        self.threads, self.share, self.calls = threads, 1 if FULL else share, calls
        self.counted = counted      # False: how many calls there are depends on what else runs here
        self.name, self.lab, self.argv, self.resets = name, lab, argv, resets
        self.after_kill, self.again, self.finish = after_kill, again, finish
        self.stage = Stage(lab)
        self.kills, self.runs = 0, 1    # runs: of the command, before the kill was looked at

    def step(self, what, f, *args):
        try:
            return f(*args)
        except Failed as e:
            raise Failed('%s, %s (seed %d): %s' % (self.name, what, SEED, e)) from None

    def fresh(self):
        """The state before the command, and no bundle of a run before."""
        self.stage.reset(*self.resets)
        for p in glob.glob(self.lab.path('new.vmf*')):
            os.unlink(p)

    def run(self):
        calls, p = record(self.argv, self.lab.dir, self.calls, threads=self.threads)
        check(p.returncode == 0, self.name, 'undisturbed: exit', p.returncode, p.stderr)
        check('fsync' in calls and ('rename' in calls or 'renameat2' in calls), self.name, 'makes no fsync or no rename: that cannot be right')
        self.step('undisturbed', self.finish, 0)
        todo = points(calls, STRIDE)
        todo = sorted(random.Random(SEED).sample(todo, -(-len(todo) // self.share)))
        for k, (call, n) in enumerate(todo):
            self.fresh()
            self.kills += killed(self.argv, self.lab.dir, call, n, must=self.counted)
            what = 'killed at %s %d of %d' % (call, n, calls[call].count)
            self.step(what, self.after_kill, k)
            self.step(what + ', again', self.again, k)
            self.step(what + ', in the end', self.finish, k)
        for call in calls:      # one call more than there are: now it must survive
            self.fresh()
            check(not killed(self.argv, self.lab.dir, call, calls[call].count + 1, must=False) or not self.counted, self.name,
                  'has more calls of', call, 'than when they were counted')
        self.doubles(todo, random.Random(SEED))
        print('        %s: %d kills at %s' %
              (self.name, self.kills, ', '.join('%s %d' % (c, calls[c].count - calls[c].first + 1) for c in sorted(calls))))
        self.stage.close()

    def doubles(self, todo, r):
        self.runs = 2
        for k in range(DOUBLES):
            one, two = r.choice(todo), r.choice(todo)
            self.fresh()
            killed(self.argv, self.lab.dir, *one, must=self.counted)
            fell = self.try_kill(two)
            self.kills += 1 + fell
            what = 'killed at %s %d and then at %s %d' % (one + two)
            self.step(what, self.after_kill, k)
            self.step(what + ', again', self.again, k)
            self.step(what + ', in the end', self.finish, k)

    def try_kill(self, at):
        """Kill the resumption; it may be done before it comes to that call, or be refused."""
        log = os.path.join(self.lab.dir, 'strace.log')
        p = strace(['-e', 'trace=' + at[0], '-e', 'inject=%s:signal=KILL:when=%d' % at], self.argv, log)
        os.unlink(log)
        return p.returncode == -signal.SIGKILL


def replica_sweep(name, lab, argv, allowed, want, oldest=True):
    """A verb at the replica: to the points wanted, through none that are not allowed."""
    def after_kill(k):
        have = seqs(lab.dr)
        check(have in allowed, 'the points are', have)
        status = lab.dr.json('status')
        check(len(status) == (have is not None), 'status shows', status)
        if status:
            last = status[0]['last_point']
            check((last['seq'] if last else None) == (have[-1] if have else None), 'status and points differ')
            check(status[0]['state'] == ('replicating' if have else 'waiting-for-initial'), 'state', status[0]['state'])
        # Every other time something else than the same command comes next.
        if have and k % 2:
            out = lab.path('out')
            lab.dr('restore', 'web1', *(['--point', have[0]] if oldest else []), '-o', out)
            lab.same(have[0] if oldest else seqs(lab.dr)[-1], out, 'restored at once:')
            shutil.rmtree(out)
            lab.dr('scrub', 'web1')

    def again(k):
        run(*argv)

    Sweep(name, lab, argv, ['dr'], after_kill, again, lambda k: whole(lab, want)).run()


def with_points(lab, n, *how):
    """Cut points 1 to n, keep the disks of each, and return the bundles."""
    out = []
    for k in range(1, n + 1):
        if k > 1:
            touch(lab, k)
        lab.keep(k)
        out.append(lab.export('--seed' if k == 1 else '--delta', *([] if k == 1 else ['--since', 'sent']), *how))
    return out


def rescued(lab, bundles, tag):
    """The independent reader must see in these plain bundles what was kept."""
    run('python3', RESCUE, '-o', lab.path('rescued'), *bundles)
    lab.same(tag, lab.path('rescued'), 'rescue.py:')
    shutil.rmtree(lab.path('rescued'))


def test_import_of_the_first_seed():
    lab = small_lab()
    seed, = with_points(lab, 1, '--plain')
    rescued(lab, [seed], 1)
    replica_sweep('import of a seed', lab, [tool('import'), '--home', lab.dr.home, seed], [None, [], [1]], [1])


def test_import_of_the_first_seed_into_a_store():
    lab = small_lab()
    store = lab.path('dr', 'store')     # below the home, so that it is put back with it
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--store', store)
    seed, = with_points(lab, 1)
    replica_sweep('import of a seed into a store', lab, [tool('import'), '--home', lab.dr.home, seed], [None, [], [1]], [1])


def test_import_of_a_delta_with_merge_and_undo():
    lab = small_lab()
    bundles = with_points(lab, 3, '--plain')
    rescued(lab, bundles, 3)
    for b in bundles[:2]:
        lab.dr('import', b)
    replica_sweep('import of a delta', lab, [tool('import'), '--home', lab.dr.home, bundles[2]], [[1, 2], [1, 2, 3]], [1, 2, 3])


def test_import_of_a_delta_that_resizes_the_disks():
    lab = small_lab()
    lab.keep(1)
    lab.dr('import', lab.export('--seed'))
    touch(lab, 2)
    os.truncate(lab.disks['vda'], 100 * K + 512)
    os.truncate(lab.disks['vdb'], 128 * K)
    lab.write(lab.disks['vdb'], 120 * K, 8 * K)
    lab.keep(2)
    delta = lab.export('--delta')
    replica_sweep('import of a delta that resizes', lab, [tool('import'), '--home', lab.dr.home, delta], [[1], [1, 2]], [1, 2])


def test_import_of_a_delta_of_which_only_the_latest_point_is_kept():
    lab = small_lab(points=1)
    bundles = with_points(lab, 2)
    lab.dr('import', bundles[0])
    replica_sweep('import, latest point only', lab, [tool('import'), '--home', lab.dr.home, bundles[1]], [[1], [2]], [2],
                  oldest=False)


def test_merge_of_staged_bundles():
    lab = small_lab()
    bundles = with_points(lab, 3)
    lab.dr('import', bundles[0])
    for b in bundles[1:]:
        lab.dr('import', '--no-merge', b)
    replica_sweep('merge of two staged bundles', lab, [tool('merge'), '--home', lab.dr.home, 'web1'],
                  [[1], [1, 2], [1, 2, 3]], [1, 2, 3])


def test_merge_that_prunes_the_points_beyond_the_limit():
    lab = small_lab(points=2)
    bundles = with_points(lab, 3)
    for b in bundles[:2]:
        lab.dr('import', b)
    replica_sweep('merge with prune', lab, [tool('import'), '--home', lab.dr.home, bundles[2]],
                  [[1, 2], [1, 2, 3], [2, 3]], [2, 3], oldest=False)


def test_prune_of_many_points_at_once():
    lab = small_lab(points=2)
    bundles = with_points(lab, 5)
    lab.dr('import', bundles[0])
    lab.dr('points', 'web1', '--pin', 1)
    for b in bundles[1:]:
        lab.dr('import', b)
    lab.dr('points', 'web1', '--unpin', 1)
    check(seqs(lab.dr) == [1, 2, 3, 4, 5])
    replica_sweep('prune', lab, [tool('points'), '--home', lab.dr.home, 'web1', '--prune'],
                  [[1, 2, 3, 4, 5], [4, 5]], [4, 5])


def primary_sweep(name, lab, how, again_how, kept_before, replica):
    """An export: what follows it must bring the replica to what the disks hold now."""
    out = lab.path('new.vmf')
    argv = [tool('export'), '--home', lab.hq.home, 'web1', '-o', out, *how]
    stage = ['hq'] + (['dr'] if replica else [])
    last = kept_before

    def after_kill(k):
        status, = lab.hq.json('status')
        have = status['last_point']['seq'] if status['last_point'] else 0
        check(have - last in range(sweep.runs + 1), 'the primary is at', have)
        for p in (out, out + '.part'):      # a bundle with an end is of a point that the primary knows
            if os.path.exists(p) and (p == out or lab.dr('verify', p, rc=None).returncode == 0):
                lab.dr('verify', p)
                to = json.loads(run(VMFERRY, 'inspect', '--json', p).stdout)['to']['seq']
                check(to <= have, 'there is a whole bundle of point', to, 'which the primary, at', have, ', does not know')

    def again(k):
        lab.hq('export', 'web1', '-o', out, *again_how)

    def finish(k):
        lab.dr('import', out)
        have = seqs(lab.dr)
        lab.same('now', os.path.join(lab.dr.replica(), 'disks'), 'the replica:')
        lab.dr('scrub', 'web1')
        if replica:
            check(have[0] == 1 and len(have) == 2, 'points', have)
            lab.dr('restore', 'web1', '--point', 1, '-o', lab.path('out'))
            lab.same(1, lab.path('out'), 'restored:')
            shutil.rmtree(lab.path('out'))
        elif k % 10 == 0:
            rescued(lab, [out], 'now')
        # And the one after that: what the primary remembers of the point is right too.
        save = {i: open(p, 'rb').read() for i, p in lab.disks.items()}
        touch(lab, 9)
        lab.keep('then')
        os.unlink(out)
        lab.hq('export', 'web1', '--delta', '--since', 'sent', '-o', out)
        lab.dr('import', out)
        lab.same('then', os.path.join(lab.dr.replica(), 'disks'), 'the replica after the next delta:')
        os.unlink(out)
        shutil.rmtree(lab.path('kept', 'then'))
        for i, p in lab.disks.items():
            with open(p, 'r+b') as f:
                f.write(save[i])
        lab.dr_fresh()
        left = [f for f in os.listdir(lab.dir) if f.startswith('new.vmf')] + os.listdir(lab.path('hq', 'tmp'))
        check(not left, 'left over:', *left)

    def dr_fresh():
        shutil.rmtree(lab.dr.home)
        run('cp', '-a', os.path.join(lab.dir + '.saved', 'dr'), lab.dir)

    lab.dr_fresh = dr_fresh
    sweep = Sweep(name, lab, argv, ['hq'], after_kill, again, finish)
    sweep.run()


def test_export_of_a_seed():
    lab = small_lab()
    lab.keep('now')
    primary_sweep('export --seed', lab, ['--seed', '--plain'], ['--seed', '--plain'], 0, False)


def test_export_of_a_delta():
    lab = small_lab()
    lab.keep(1)
    lab.dr('import', lab.export('--seed'))
    touch(lab, 2)
    lab.keep('now')
    primary_sweep('export --delta', lab, ['--delta'], ['--delta'], 1, True)


def test_export_of_a_delta_by_a_list_of_changes_after_a_receipt():
    lab = small_lab()
    lab.export('--seed')
    touch(lab, 2)
    lab.keep(1)
    lab.dr('import', lab.export('--seed'), '--receipt', lab.path('r'))
    lab.hq('import', lab.path('r'))
    run('sh', '-c', 'rm -f "$0"/b*.vmf', lab.dir)
    touch(lab, 3)
    os.truncate(lab.disks['vda'], 128 * K)
    lab.keep('now')
    changes = lab.path('changes')
    with open(changes, 'w') as f:
        f.write('vda 0 163840\nvdb 0 66048\n')
    out = lab.path('new.vmf')
    stage_seq = 2       # the first point at the replica; its receipt made it the base
    argv = [tool('export'), '--home', lab.hq.home, 'web1', '-o', out, '--delta', '--changes', changes]

    def after_kill(k):
        have = lab.hq.json('status')[0]['last_point']['seq']
        check(have - stage_seq in range(sweep.runs + 1), 'the primary is at', have)
        if os.path.exists(out):
            lab.dr('verify', out)

    def again(k):
        run(*argv)

    def finish(k):
        lab.dr('import', out)
        lab.same('now', os.path.join(lab.dr.replica(), 'disks'), 'the replica:')
        lab.dr('scrub', 'web1')
        lab.dr('restore', 'web1', '--point', stage_seq, '-o', lab.path('out'))
        lab.same(1, lab.path('out'), 'restored:')
        shutil.rmtree(lab.path('out'))
        os.unlink(out)

    sweep = Sweep('export --delta --changes', lab, argv, ['hq', 'dr'], after_kill, again, finish)
    sweep.run()


def test_enable():
    lab = small_lab(enable=False)
    argv = [tool('enable'), '--home', lab.hq.home, 'web1', '--to', 'dr', *lab.disk_args()]

    def after_kill(k):
        check(len(lab.hq.json('status')) in (0, 1))

    def again(k):
        p = run(*argv, rc=None)
        check(p.returncode == 0 or p.returncode == 1 and 'protected already' in p.stderr, 'exit', p.returncode, p.stderr)

    def finish(k):
        lab.dr('import', lab.export('--seed', name='x.vmf'))
        os.unlink(lab.path('x.vmf'))
        check(seqs(lab.dr) == [1], 'no replica came of it')
        shutil.rmtree(lab.dr.home)
        run('cp', '-a', os.path.join(lab.dir + '.saved', 'dr'), lab.dir)
        have = [x for x in os.listdir(lab.path('hq', 'primaries')) if x != 'lock']
        check(len(have) == 1, 'left over:', *have)

    Sweep('enable', lab, argv, ['hq'], after_kill, again, finish).run()


def test_init():
    lab = small_lab(enable=False)
    home = lab.path('new')
    argv = [tool('init'), '--home', home, '--name', 'new']

    def after_kill(k):
        p = run(VMFERRY, '--home', home, 'card', rc=None)
        check(p.returncode in (0, 3), 'card: exit', p.returncode)

    def again(k):
        p = run(*argv, rc=None)
        check(p.returncode == 0 or p.returncode == 1 and 'a site already' in p.stderr, 'exit', p.returncode, p.stderr)

    def finish(k):
        with open(lab.path('new.card'), 'w') as f:
            f.write(run(VMFERRY, '--home', home, 'card').stdout)
        check(os.stat(os.path.join(home, 'secret')).st_mode & 0o777 == 0o600, 'the mode of the secret')
        lab.dr('trust', 'add', lab.path('new.card'))
        lab.dr('trust', 'remove', 'new')
        left = [x for x in os.listdir(home) if x.endswith('.new')]
        check(not left, 'left over:', *left)

    Sweep('init', lab, argv, ['new'], after_kill, again, finish).run()


def test_trust_add():
    lab = small_lab(enable=False)
    third = Site(lab, 'third')
    argv = [tool('trust'), '--home', lab.hq.home, 'add', third.card, '--vm', '*']

    def names():
        return sorted(x['name'] for x in lab.hq.json('trust', 'list'))

    def after_kill(k):
        check(names() in (['dr'], ['dr', 'third']), 'known are', names())

    Sweep('trust add', lab, argv, ['hq'], after_kill, lambda k: run(*argv), lambda k: check(names() == ['dr', 'third'], names())).run()


def test_restore():
    lab = small_lab()
    bundles = with_points(lab, 3)
    for b in bundles:
        lab.dr('import', b)
    out = lab.path('restored')
    argv = [tool('restore'), '--home', lab.dr.home, 'web1', '--point', 1, '-o', out]

    def after_kill(k):
        check(seqs(lab.dr) == [1, 2, 3], 'points', seqs(lab.dr))
        for i in lab.disks:     # what has its name is whole
            p = os.path.join(out, i + '.raw')
            check(not os.path.exists(p) or filecmp.cmp(p, lab.path('kept', '1', i + '.raw'), shallow=False), 'an unfinished', i)

    def finish(k):
        lab.same(1, out, 'restored:')
        check(sorted(os.listdir(out)) == ['vda.raw', 'vdb.raw'], 'in the folder is', os.listdir(out))
        if k % 8 == 0:
            whole(lab, [1, 2, 3])

    Sweep('restore', lab, argv, ['restored'], after_kill, lambda k: run(*argv), finish).run()


def test_import_of_a_receipt():
    lab = small_lab()
    seed, = with_points(lab, 1)
    lab.dr('import', seed, '--receipt', lab.path('r'))
    argv = [tool('import'), '--home', lab.hq.home, lab.path('r')]

    def acked():
        return lab.hq.json('status')[0]['targets'][0]['acked']

    Sweep('import of a receipt', lab, argv, ['hq'], lambda k: check(acked() in (0, 1), acked()), lambda k: run(*argv),
          lambda k: check(acked() == 1, acked())).run()


def test_import_with_a_receipt():
    lab = small_lab()
    bundles = with_points(lab, 2)
    lab.dr('import', bundles[0])
    receipt = lab.path('dr', 'receipt')
    argv = [tool('import'), '--home', lab.dr.home, bundles[1], '--receipt', receipt]

    def after_kill(k):
        check(seqs(lab.dr) in ([1], [1, 2]), 'points', seqs(lab.dr))
        if os.path.exists(receipt):
            lab.hq('verify', receipt)

    def finish(k):
        whole(lab, [1, 2])
        lab.hq('import', receipt)
        check(lab.hq.json('status')[0]['targets'][0]['acked'] == 2, 'not acknowledged')
        check(not os.path.exists(receipt + '.part'), 'left over: the part of a receipt')

    Sweep('import --receipt', lab, argv, ['dr', 'hq'], after_kill, lambda k: run(*argv), finish).run()


def test_threads_killed_at_any_moment():
    """With all processors the counts are each thread's own; so kills fall where they fall, at random."""
    lab = small_lab()
    bundles = with_points(lab, 3)
    for b in bundles[:2]:
        lab.dr('import', b)
    stage, r, kills = Stage(lab), random.Random(SEED), 0
    for k in range(100 if FULL else 12):
        call, n = r.choice(['writev', 'pwrite64', 'fsync', 'rename']), r.randrange(1, 12)
        stage.reset('dr')
        p = subprocess.run(['strace', '-f', '-qq', '-o', lab.path('log'), '-e', 'trace=' + call, '-e',
                            'inject=%s:signal=KILL:when=%d' % (call, n), tool('import'), '--home', lab.dr.home, bundles[2]],
                           capture_output=True, text=True)
        kills += p.returncode == -signal.SIGKILL
        check(seqs(lab.dr) in ([1, 2], [1, 2, 3]), 'seed', SEED, 'kill at', call, n, 'points', seqs(lab.dr))
        lab.dr('import', bundles[2])
        whole(lab, [1, 2, 3])
    check(kills > 0, 'not one kill happened')
    stage.close()


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
