"""What media and air gaps cost: an export that is read back from its medium, deltas that carry what other deltas on
their way carry too, and deltas that are folded into one."""
import os
import random
import shlex
import shutil
import statistics
import subprocess
import time

import workload
from measure import Command, Failed, Goal, note, quietly, remove, run_job, same, size_of, vmferry
from sites import VM, arrives, export_delta, load, new_pair, replica_disk, save, send_seed

MIB, GIB = 1 << 20, 1 << 30
POINTS = 50                         # that are on their way when a delta is made
WRITES = 20000                      # of 4 KiB, in all of them together
RATE = 50                           # MB/s of a medium as slow as many are
DELTAS = 5                          # that are combined


class Medium:
    """A file system of its own, mounted as a USB disk would be; as slow as one where it has a rate, in MB/s each way."""
    def __init__(self, bench, size, rate=None):
        self.image, self.folder, self.disk = (bench.work + '/medium' + name for name in ('.img', '', '.disk'))
        self.undo = []
        os.makedirs(self.folder)
        with open(self.image, 'wb') as f:
            f.truncate(size)
        quietly(['mkfs.ext4', '-q', '-F', '-m', '0', '-E', 'lazy_itable_init=0,lazy_journal_init=0', self.image])
        try:
            self.plug(self.slowed(rate, size) if rate else self.image)
        except BaseException:
            self.__exit__()
            raise

    def slowed(self, rate, size):
        """The image as a file that is so slow."""
        with open(self.disk, 'wb'):
            pass
        for argv in (['nbdkit', '-f', '-U', self.disk + '.sock', '-t', '32', '--filter=rate', 'file', self.image,
                      'rate=%dM' % (rate * 8), 'burstiness=0.2'],
                     ['nbdfuse', self.disk, '--unix', self.disk + '.sock']):
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.undo.append(lambda process=process: (process.terminate(), process.wait()))
            self.wait(process, lambda: os.path.exists(self.disk + '.sock') if argv[0] == 'nbdkit'
                      else os.path.getsize(self.disk) == size)
        self.undo.append(lambda: quietly(['umount', self.disk]))
        return self.disk

    def wait(self, process, ready):
        while not ready():
            if process.poll() is not None:
                raise Failed('%s has ended' % process.args[0])
            time.sleep(0.05)

    def plug(self, image):
        # Straight to the image, as to a disk: nothing is cached twice.
        device = subprocess.run(['losetup', '--find', '--show', '--direct-io=on', image], check=True,
                                capture_output=True, text=True).stdout.strip()
        self.undo.append(lambda: quietly(['losetup', '--detach', device]))
        quietly(['mount', device, self.folder])
        self.undo.append(lambda: quietly(['umount', self.folder]))

    def empty(self):
        for name in os.listdir(self.folder):
            if name != 'lost+found':
                remove(os.path.join(self.folder, name))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        while self.undo:
            self.undo.pop()()
        for path in (self.image, self.folder, self.disk, self.disk + '.sock'):
            remove(path)


def job_media(bench, day1):
    """An export to a medium, read back, beside the two things that bound it: the export, and the medium's writing."""
    if os.geteuid() != 0:
        print('media: needs root, to mount a file system\n')
        return
    pair = new_pair(bench, bench.work + '/media', day1)
    for title, rate in (('media', None), ('media, %d MB/s each way' % RATE, RATE)):
        if rate and not (shutil.which('nbdkit') and shutil.which('nbdfuse') and os.path.exists('/dev/fuse')):
            print('%s: needs nbdkit, nbdfuse and /dev/fuse\n' % title)
            continue
        with Medium(bench, bench.size + bench.size // 4 + 256 * MIB, rate) as medium:
            measure_medium(bench, title, pair, day1, medium)
    remove(pair.folder)


def measure_medium(bench, title, pair, day1, medium):
    alone = bench.scratch + '/alone.vmf'
    export = [bench.vmferry, '--home', pair.hq, 'export', VM, '--seed', '--compress', 'fast']

    def fresh():
        medium.empty()
        load(pair, 'empty', pair.hq)

    def arrived():
        load(pair, 'empty', pair.dr, pair.store)
        vmferry(bench, 'import --media, checking', pair.dr, 'import', '--media', medium.folder)
        return same(replica_disk(pair), day1)
    pipe = Command('vmferry export, into memory', [*export, '-o', alone], alone, warm=(day1,), before=fresh)
    copy = Command('the medium: dd conv=fsync', ['dd', 'if=' + alone, 'of=' + medium.folder + '/alone', 'bs=4M',
                                                  'conv=fsync', 'status=none'], warm=(alone,), before=medium.empty)
    checked = Command('vmferry export --media, read back', [*export, '--media', medium.folder], warm=(day1,),
                      before=fresh, check=arrived)
    costs = run_job(bench, title, [pipe, copy, checked], touch=bench.size // MIB // 2 + 200)
    remove(alone)
    if len(costs) == 3:
        rounds = zip(*(costs[command.name] for command in (pipe, copy, checked)))
        note(bench, title, 'export --media / the slower of export and medium, wall',
             statistics.median(c.wall / max(a.wall, b.wall) for a, b, c in rounds), 1 / 0.9)
    print()


def scatter(bench, folder, points):
    """A pair whose disk was written to in that many points, all but the last of them exported and not acknowledged."""
    os.makedirs(folder)
    disk, changes = folder + '/disk.img', folder + '/changes.txt'
    with open(disk, 'wb') as f:
        f.truncate(16 * GIB)
    pair = new_pair(bench, folder + '/pair', disk)
    send_seed(bench, pair)
    rng = random.Random(9)
    places = random.Random(8).sample(range(16 * GIB // workload.K4), WRITES)
    for n in range(points):
        mine = sorted(places[n::points])
        with open(disk, 'r+b') as f, open(changes, 'w') as listing:
            for place in mine:
                os.pwrite(f.fileno(), workload.half_compressible(rng, workload.K4), place * workload.K4)
                listing.write('%d %d\n' % (place * workload.K4, workload.K4))
        if n + 1 < points:
            vmferry(bench, 'export, setting up', pair.hq, 'export', VM, '--delta', '--changes', changes, '--plain',
                    '-o', folder + '/lost.vmf')
    save(pair, 'seeded')
    return pair, changes, disk


def job_pending(bench):
    """A delta that carries what POINTS others on their way carry, beside one of the same changed bytes."""
    once, many = bench.work + '/once', bench.work + '/many'
    commands = []
    for folder, points, name in ((once, 1, 'vmferry, one point'), (many, POINTS, 'vmferry, %d points' % POINTS)):
        pair, changes, disk = scatter(bench, folder, points)
        commands.append(export_delta(bench, pair, name, folder + '/delta.vmf', disk, '--changes', changes, '--plain'))
    run_job(bench, 'unacknowledged points', commands, [Goal(commands[1].name, (commands[0].name,), 1.2),
                                                       Goal(commands[1].name, (commands[0].name,), 1.2, 'cpu')], touch=200)
    for folder in (once, many):
        remove(folder)


def job_combine(bench):
    """Deltas folded into one by a station that has no keys to them, beside copying them."""
    folder, part = bench.work + '/combine', bench.size // 4
    os.makedirs(folder)
    disk = folder + '/disk.img'
    with open(disk, 'wb') as f:
        f.truncate(bench.size)
    pair = new_pair(bench, folder + '/pair', disk)
    send_seed(bench, pair)
    bundles = []
    for n in range(DELTAS):
        with open(disk, 'r+b') as f:
            f.seek(part * n * 3 // 4 // MIB * MIB)
            for _ in range(part // MIB):
                f.write(os.urandom(MIB))
        bundles.append('%s/%d.vmf' % (folder, n))
        vmferry(bench, 'export, setting up', pair.hq, 'export', VM, '--delta', '--since', 'sent', '-o', bundles[-1])
    courier, card = folder + '/courier', folder + '/courier.card'
    vmferry(bench, 'init', courier, 'init', '--name', 'courier', output=card)
    vmferry(bench, 'trust', pair.dr, 'trust', 'add', card, '--vm', '*', '--store', pair.store)
    load_dr = pair.dr + '.seeded'
    quietly(['cp', pair.dr + '/trust', load_dr + '/trust'])
    out, copied = folder + '/out.vmf', folder + '/copied'
    cat = Command('cat, and sync', 'cat %s >%s && sync %s'
                  % (' '.join(map(shlex.quote, bundles)), shlex.quote(copied), shlex.quote(copied)), copied,
                  warm=tuple(bundles))
    fold = Command('vmferry combine', [bench.vmferry, '--home', courier, 'combine', '--key', pair.card, '-o', out,
                                       *bundles], out, warm=tuple(bundles),
                   check=lambda: arrives(bench, pair, 'seeded', out, disk))
    run_job(bench, 'combine, without keys', [cat, fold], [Goal(fold.name, (cat.name,), 1 / 0.8)], touch=200)
    remove(folder)
