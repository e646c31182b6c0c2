"""What a night costs: from "the primary is gone" to disks that a VM can start from, at any point; and the way back.

A sparse disk, of which each point has changed a hundredth, in 64 KiB pieces.  A failover must take the time of the way
back to its point (the undo data), and nothing of the disk's size: so the same is done with a disk four times as large.
"""
import glob
import json
import os
import random

from measure import Command, Failed, Goal, note, quietly, remove, run_job, vmferry
from sites import VM, new_pair

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PIECE = 64 * KIB
POINTS = 24
WRITTEN = 4                         # hundredths of the disk that are ever written to
OLD = 12                            # the point that is failed over to for good


class Night:
    """A pair of sites with a VM of so many points."""
    def __init__(self, bench, name, size, changed):
        self.bench, self.size, self.changed = bench, size, changed
        self.rng = random.Random('vmferry-failover')
        self.folder = bench.work + '/' + name
        os.makedirs(self.folder)
        self.disk = self.folder + '/vda.img'
        self.pool = [i * (size // (WRITTEN * changed // PIECE)) // PIECE * PIECE
                     for i in range(WRITTEN * changed // PIECE)]
        with open(self.disk, 'wb') as f:
            f.truncate(size)
            for at in self.pool:
                os.pwrite(f.fileno(), os.urandom(PIECE), at)
        self.pair = new_pair(bench, self.folder + '/pair', self.disk, POINTS)
        for state in ('hq.empty', 'dr.empty', 'store.empty'):
            remove(self.pair.folder + '/' + state)
        self.hq('trust', 'add', self.pair.folder + '/dr.card', '--vm', '*')
        self.ship('--seed', [])
        for _ in range(POINTS - 1):
            self.ship('--delta', self.write(self.disk))

    def hq(self, *words, **kw):
        vmferry(self.bench, 'setting up', self.pair.hq, *words, **kw)

    def dr(self, *words, **kw):
        vmferry(self.bench, 'setting up', self.pair.dr, *words, **kw)

    def write(self, disk):
        """A hundredth of the disk is written; the pieces of it."""
        pieces = self.rng.sample(self.pool, self.changed // PIECE)
        with open(disk, 'r+b') as f:
            for at in pieces:
                os.pwrite(f.fileno(), os.urandom(PIECE), at)
        return pieces

    def ship(self, how, pieces):
        bundle, changes, receipt = (self.folder + name for name in ('/b.vmf', '/changes', '/r.vmf'))
        with open(changes, 'w') as f:
            f.writelines('vda %d %d\n' % (at, PIECE) for at in pieces)
        tracked = ['--changes', changes] if pieces else []
        self.hq('export', VM, how, *tracked, '--plain', '--compress', 'none', '-o', bundle)
        self.dr('import', bundle, '--receipt', receipt)
        self.hq('import', receipt)
        remove(bundle)

    def replica(self):
        return glob.glob(glob.escape(self.pair.store) + '/*-*')[0]

    def undos(self, point):
        """The files that lead back to a point."""
        return [path for path in glob.glob(self.replica() + '/undo/*.vmf')
                if int(os.path.basename(path)[:-4].split('-')[1]) >= point]

    def status(self, home, verb='status', *words):
        out = self.folder + '/out.json'
        vmferry(self.bench, 'setting up', home, verb, *(words or (VM,)), '--json', output=out)
        with open(out) as f:
            return json.load(f)


def start(night, name, how, point, stop):
    """The command that fails over to a point, from a state in which nothing stands."""
    def clear():
        if glob.glob(night.replica() + '/' + ('test' if how == '--test' else 'failover') + '/*.qcow2'):
            night.dr('failover', VM, stop)
    return Command(name, [night.bench.vmferry, '--home', night.pair.dr, 'failover', VM, how, '--point', str(point)]
                   + ([] if how == '--test' else ['--yes']), warm=tuple(glob.escape(p) for p in night.undos(point)),
                   before=clear)


def copied(night, point):
    """About the least that a way back takes: its data is read and written once, durably."""
    to = night.folder + '/copied'
    return Command('the undo data of point %d copied' % point,
                   'cat %s > %s && sync %s' % (' '.join(night.undos(point)), to, to), to,
                   warm=tuple(glob.escape(p) for p in night.undos(point)))


def shows(night, point):
    """Does the overlay of a test show what a restore of the point gives?"""
    out = night.folder + '/restored'
    remove(out)
    night.dr('failover', VM, '--test', '--point', str(point))
    night.dr('restore', VM, '--point', str(point), '-o', out)
    quietly(['qemu-img', 'compare', '-q', '-f', 'qcow2', '-F', 'raw', night.replica() + '/test/vda.qcow2',
             out + '/vda.raw'])
    night.dr('failover', VM, '--stop-test')
    remove(out)


def starts(bench, night, large):
    shows(night, 1)
    commands, goals = [], []
    for point in (POINTS, OLD, 1):
        test = start(night, 'test at point %d of %d' % (point, POINTS), '--test', point, '--stop-test')
        commands.append(test)
        if point != POINTS:
            commands.append(copied(night, point))
            goals.append(Goal(test.name, (commands[-1].name,), 2.0))
    big = start(large, 'the same at point 1, disk four times as large', '--test', 1, '--stop-test')
    commands.append(big)
    goals.append(Goal(big.name, (commands[-3].name,), 1.15))
    run_job(bench, 'test failover', commands, goals)
    for n in (night, large):
        n.dr('failover', VM, '--stop-test')
    unplanned = start(night, 'unplanned at point 1', '--unplanned', 1, '--cancel')
    run_job(bench, 'unplanned failover', [unplanned, copied(night, 1)],
            [Goal(unplanned.name, ('the undo data of point 1 copied',), 2.0)])
    night.dr('failover', VM, '--cancel')


def way_back(bench, night):
    """Fail over to an old point, write at both sites, and see what must flow back."""
    night.write(night.disk)
    before = night.folder + '/before.img'
    out = night.folder + '/restored'
    night.dr('restore', VM, '--point', str(OLD), '-o', out)
    os.rename(out + '/vda.raw', before)
    night.dr('failover', VM, '--unplanned', '--point', str(OLD), '--yes')
    night.dr('failover', VM, '--complete', '--yes')
    night.dr('reverse', VM, '-o', night.folder + '/claim.vmf')
    disk = night.replica() + '/disks/vda.raw'
    night.write(disk)
    try:
        night.hq('import', night.folder + '/claim.vmf')
    except Failed:
        pass                        # the answer is no, and it is fenced now
    night.hq('resync', VM, '--keep', 'dr', '--yes', '-o', night.folder + '/compare.vmf')
    night.dr('export', VM, '--against', night.folder + '/compare.vmf', '--plain', '--compress', 'none', '-o',
             night.folder + '/back.vmf')
    union = differing(before, night.disk) | differing(before, disk)
    carried = night.status(night.pair.dr, 'inspect', night.folder + '/back.vmf')
    data = carried['data'] if 'data' in carried else carried['end']['data']
    share = data / (len(union) * PIECE)
    note(bench, 'reverse', 'what flows back after an unplanned failover, to the union of changed 64 KiB', share, 1.05)
    night.hq('import', night.folder + '/back.vmf')
    quietly(['cmp', night.disk, disk])


def differing(a, b):
    """The numbers of the 64 KiB blocks in which two images differ."""
    found = set()
    with open(a, 'rb') as f, open(b, 'rb') as g:
        at, end = 0, os.path.getsize(a)
        while at < end:
            n = min(16 * MIB, end - at)
            x, y = os.pread(f.fileno(), n, at), os.pread(g.fileno(), n, at)
            if x != y:
                found |= {(at + i) // PIECE for i in range(0, n, PIECE) if x[i:i + PIECE] != y[i:i + PIECE]}
            at += n
    return found


def job_failover(bench):
    size = int(os.environ.get('BENCH_FAILOVER_GIB', '8')) * GIB
    changed = size // 100 // PIECE * PIECE
    night = Night(bench, 'night', size, changed)
    large = Night(bench, 'large', 4 * size, changed)
    starts(bench, night, large)
    remove(large.folder)
    way_back(bench, night)
    remove(night.folder)
