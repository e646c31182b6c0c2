#!/usr/bin/env python3
"""Points of a guest that runs and writes, under a libvirtd of our own: what they cost, and what the guest feels of them.

    live.py WORK IMAGES SIZE ROUNDS VMFERRY         bench.py runs it as its job "live"

The guest, under TCG, writes the tests' pattern (test/guest/pattern.c) all the time; one more disk has the image of day 1.
An incremental begins when the guest has made so many transactions since the instant that the last one showed, so that
all have about the same to copy.  The floor (nbdfloor.c) reads what the bitmap marks from a view that is there already.
In its namespaces, nothing of this machine's libvirt is touched.  The last line is for bench.py.
"""
import glob
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, HERE + '/../e2e']

import guest
import virt
from lab import Failed as TestFailed
from lab import clean_up
from measure import Bench, Command, Failed, Goal, fail, note, quietly, remove, run_job, vmferry

VM = 'web1'
MIB = 1 << 20
DATA = 1024 * MIB               # of the disk that the guest writes to
RUNS = 16                       # in a transaction: some 300 KiB
BETWEEN = 150                   # transactions from one point to the next
CUTS = 15                       # views, to see what the guest feels
WINDOW = 1.5                    # seconds that are looked at around each


class Folder:
    """As much of a lab as the tests' modules want."""
    def __init__(self, folder):
        self.dir = folder

    def path(self, *names):
        return os.path.join(self.dir, *names)


class Live:
    """The guest, its two sites, and a file for each bundle of its chain."""
    def __init__(self, bench):
        self.bench, self.lab, self.bundles, self.made, self.view = bench, Folder(bench.work + '/live'), [], 0, None
        os.makedirs(self.lab.dir)
        self.virt = virt.Virt(self.lab)
        self.disks = guest.make_disks(self.lab, 'qcow2', data=DATA, runs=RUNS)
        still = self.lab.path('still.qcow2')
        quietly(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', bench.images + '/day1.img', still])
        self.disks['vdc'] = 'qcow2:' + still
        self.serial = guest.Serial(self.lab.path('serial'))
        self.virt.define(guest.domain_xml(VM, self.disks, self.lab.path('serial')))
        self.virt.virsh('start', VM)
        self.serial.wait('GUEST-UP')
        self.hq, self.dr = self.lab.path('hq'), self.lab.path('dr')
        for home in (self.hq, self.dr):
            vmferry(bench, 'init', home, 'init', '--name', os.path.basename(home), output=home + '.card')
        vmferry(bench, 'trust', self.hq, 'trust', 'add', self.dr + '.card')
        vmferry(bench, 'trust', self.dr, 'trust', 'add', self.hq + '.card', '--vm', '*')
        vmferry(bench, 'enable', self.hq, 'enable', VM, '--to', 'dr', '--host', 'libvirt:' + virt.URI)

    def record(self):
        with open(glob.glob(self.hq + '/primaries/*-*/state')[0], 'rb') as f:
            return json.loads(f.read()[:-22])

    # --- commands; what they do before each run is not measured

    def bundle(self):
        self.made += 1
        self.bundles.append(self.lab.path('b%d.vmf' % self.made))
        return self.bundles[-1]

    def export(self, name, *words):
        """A command that exports; each run makes the next bundle of the chain."""
        command = Command(name, [self.bench.vmferry, '--home', self.hq, 'export', VM, *words, '-o', ''])

        def before():
            if '--seed' not in words:
                self.apart()
            else:
                self.end_view()
                while self.bundles:         # a chain begins anew
                    remove(self.bundles.pop())
            command.argv[-1] = self.bundle()
        command.before = before
        return command

    def apart(self):
        """A point now, and then as many transactions as there are to be between two of them."""
        self.end_view()
        self.forget('virtnbdbackup')
        vmferry(self.bench, 'export, setting up', self.hq, 'export', VM, '--since', 'sent', '--plain', '-o', self.bundle())
        self.serial.wait_seq(BETWEEN, 600)

    def floor(self, level, is_full):
        """The command that reads what is dirty, or all, from a view that our own program holds."""
        command = Command('floor', [], needs=())

        def before():
            if not is_full:
                self.apart()
            self.end_view()
            answer = self.open_view()
            command.argv = [self.bench.work + '/nbdfloor', str(level), '4', self.lab.path('floor.out')]
            for d in answer['disks']:
                if not is_full and 'bitmap' not in d:
                    raise Failed('disk %s has no bitmap: %s' % (d['id'], d.get('why')))
                command.argv += ['-' if is_full else d['bitmap'], d['where']]
        command.before = before
        return command

    def open_view(self):
        o = self.record()
        prefix = 'vmferry-%s-' % o['lineage'][:16]
        question = {'version': 1, 'verb': 'view', 'name': VM, 'host': virt.URI, 'prefix': prefix, 'token': prefix + 'bench',
                    'disks': [{'id': d['id'], 'where': d['where']} for d in o['disks']], 'quiesce': False}
        if o.get('tracker'):
            question['since'] = o['tracker']
        with open(self.lab.path('view.log'), 'ab') as log:
            self.view = subprocess.Popen([self.bench.vmferry + '-libvirt', 'view', VM], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=log, text=True,
                                         env=dict(os.environ, VMFERRY_HOME=self.hq))
        print(json.dumps(question), file=self.view.stdin, flush=True)
        line = self.view.stdout.readline()
        if not line:
            self.view.wait()
            self.view = None
            with open(self.lab.path('view.log'), errors='replace') as f:
                raise Failed('there is no view: ' + f.read()[-300:])
        return json.loads(line)

    def end_view(self):
        if self.view is not None:
            self.view.communicate('drop\n')
            self.view = None

    def forget(self, prefix):
        """Remove the checkpoints of one of the tools: each is put off by those of the other."""
        for name in self.virt.virsh('checkpoint-list', VM, '--name').stdout.split():
            if name.startswith(prefix):
                self.virt.virsh('checkpoint-delete', VM, name)

    def other(self, level, *words):
        """virtnbdbackup: for an incremental, a full one was made before."""
        folder = self.lab.path('other')
        argv = ['virtnbdbackup', '-d', VM, '-o', folder, '-n', *words]

        def before():
            self.end_view()
            self.forget('')
            remove(folder)
            if level == 'inc':
                quietly([*argv, '-l', 'full'])
                self.serial.wait_seq(BETWEEN, 600)
        return Command(' '.join(['virtnbdbackup', *words]), [*argv, '-l', level], before=before, needs=('virtnbdbackup',))

    def check(self):
        """The last point, through all of the chain, is of one instant."""
        last = self.serial.seq()
        self.end_view()
        vmferry(self.bench, 'export, setting up', self.hq, 'export', VM, '--since', 'sent', '-o', self.bundle())
        for path in self.bundles:
            vmferry(self.bench, 'import of live points', self.dr, 'import', path)
        vmferry(self.bench, 'restore', self.dr, 'restore', VM, '-o', self.lab.path('restored'))
        if guest.check_pattern(self.lab.path('restored/vda.raw'), self.lab.path('restored/vdb.raw')) < last:
            raise Failed('the point is older than what the guest had written')


def full(live):
    floor, ours, sealed = live.floor(1, True), *(live.export(n, '--seed', '--compress', 'fast', *w) for n, w in
                                                 (('vmferry --plain', ['--plain']), ('vmferry', [])))
    others = [live.other('full'), live.other('full', '-z')]
    # The last one is the beginning of the chain, and of the floor's.
    run_job(live.bench, 'live, full', [floor, *others, ours, sealed], [
        Goal(sealed.name, ('floor',), 1.55),
        *(Goal(name, tuple(o.name for o in others), 1 / 3, called='the fastest peer') for name in (ours.name, sealed.name)),
    ], touch=600)


def incremental(live):
    floor, ours, sealed = live.floor(3, False), live.export('vmferry --plain', '--since', 'sent', '--plain'), live.export(
        'vmferry', '--since', 'sent')
    fast = live.export('vmferry --compress fast', '--since', 'sent', '--compress', 'fast')
    others = [live.other('inc'), live.other('inc', '-z')]
    run_job(live.bench, 'live, incremental', [floor, ours, sealed, fast, *others], [
        Goal(ours.name, ('floor',), 1.3),
        *(Goal(mine.name, tuple(o.name for o in others), 1 / 3, called='the fastest peer') for mine in (ours, fast)),
    ], touch=600)


def longest(live, act):
    """The guest's longest step, in ms, in a time around act()."""
    before = len(live.serial.stalls())
    act()
    time.sleep(WINDOW)
    return max(live.serial.stalls()[before:], default=WINDOW * 1e6) / 1e3


def stall(live):
    """What the guest feels: its longest step from write to flush when nothing is done, and when a view is taken."""
    def take():
        live.open_view()

    calm, cut = [], []
    live.apart()
    for _ in range(CUTS):
        calm.append(longest(live, lambda: None))
        cut.append(longest(live, take))
        live.end_view()
        time.sleep(0.3)
    print('what the guest feels: its longest step in %.1f s, ms     median %8.1f with a cut, %.1f without; worst %.1f, %.1f'
          % (WINDOW, *(f(x) for f in (statistics.median, max) for x in (cut, calm))))
    note(live.bench, 'live', 'guest stall while a point is cut, median', statistics.median(cut), 50, 'ms')
    print()


def main():
    work, images, size, rounds, program = sys.argv[1:]
    bench = Bench(work, images, work, int(size), int(rounds), program)
    if not guest.there() or not virt.there():
        return
    try:
        live = Live(bench)
        full(live)
        incremental(live)
        stall(live)
        live.check()
    except (Failed, TestFailed) as e:
        fail(bench, 'live', e)
    finally:
        clean_up()
    print(json.dumps({'reached': bench.reached, 'wrong': bench.wrong, 'missing': sorted(bench.missing), 'peaks': bench.peaks}))


if __name__ == '__main__':
    virt.enter()
    main()
