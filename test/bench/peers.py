"""The floor's and the peers' commands, and the things they start from.

The peers run with the options that suit the job best among those that their users would choose.  Image names are
given as day1 and day2; everything that is made lies in the bench's work folder.
"""
import os
import shlex

from measure import Command, bring_back, ensure, quietly, remove, same

PIECE = 1 << 20


def quoted(*paths):
    return [shlex.quote(path) for path in paths]


def day(bench, number):
    return '%s/day%d.img' % (bench.images, number)


# The whole disk.

def floor_seed(bench):
    output = bench.work + '/seed.floor'
    return Command('floor', [bench.work + '/floor', 'export', '1', '2', day(bench, 1), output], output,
                   warm=(day(bench, 1),), check=lambda: floor_gives(bench, output, 1))


def floor_gives(bench, output, number, start=None):
    """Whether a file of the floor's, written over a copy of day 1 or into a new file, gives that day's image."""
    image = bench.scratch + '/check.img'
    if start:
        bring_back(image, day(bench, 1))
    quietly([bench.work + '/floor', 'import', '1', '2', output, image])
    right = same(image, day(bench, number))
    remove(image)
    return right


def tar_seed(bench):
    output = bench.work + '/seed.tar.zst'
    line = 'tar -S -cf - -C %s day1.img | zstd -1 -T2 -q -f -o %s' % tuple(quoted(bench.images, output))
    back = 'zstd -dcq %s | tar -xSf -' % quoted(output)[0]
    return Command('tar -S | zstd -1 -T2', line, output, warm=(day(bench, 1),), needs=('zstd',),
                   check=lambda: unpacks(bench, ['bash', '-c', back], 'day1.img', 1))


def unpacks(bench, argv, name, number):
    """Whether a command, run in an empty folder, makes there a file of that name which is that day's image."""
    folder = bench.scratch + '/unpacked'
    remove(folder)
    os.makedirs(folder)
    quietly(argv, cwd=folder)
    right = same(os.path.join(folder, name), day(bench, number))
    remove(folder)
    return right


def qemu_seed(bench):
    output = bench.work + '/seed.qcow2'
    return Command('qemu-img convert -c, zstd', ['qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2',
                                                 '-o', 'compression_type=zstd', day(bench, 1), output],
                   output, warm=(day(bench, 1),), needs=('qemu-img',),
                   check=lambda: qemu_same(output, day(bench, 1)))


def qemu_same(image, raw):
    quietly(['qemu-img', 'compare', '-q', '-f', 'qcow2', '-F', 'raw', image, raw])
    return True                     # quietly() has raised if it said no


def borg_seed(bench):
    repository = bench.work + '/borg'

    def before():
        remove(bench.work + '/borg.home')
        quietly(['borg', 'init', '-e', 'none', repository])

    return Command('borg zstd,1 fixed 1 MiB --sparse', borg_create(bench, 'day1'), repository,
                   warm=(day(bench, 1),), before=before, needs=('borg',), check=lambda: borg_gives(bench, 1))


def borg_create(bench, name):
    """Images are read each time, also when borg remembers that it has seen them."""
    return ['borg', 'create', '-C', 'zstd,1', '--sparse', '--files-cache', 'disabled',
            '--chunker-params', 'fixed,1048576', '%s/borg::%s' % (bench.work, name), '%s/%s.img' % (bench.images, name)]


def borg_gives(bench, number):
    argv = ['borg', 'extract', '--sparse', '%s/borg::day%d' % (bench.work, number)]
    return unpacks(bench, argv, day(bench, number).lstrip('/'), number)


def restic_seed(bench):
    repository = bench.work + '/restic'

    def before():
        quietly(['restic', '-q', 'init', '-r', repository])

    back = ['restic', '-q', '-r', repository, 'restore', 'latest', '--target', '.']
    return Command('restic', ['restic', '-q', '-r', repository, 'backup', day(bench, 1)], repository,
                   warm=(day(bench, 1),), before=before, needs=('restic',),
                   check=lambda: unpacks(bench, back, day(bench, 1).lstrip('/'), 1))


# The whole disk, back into a file.

def image_imports(bench, raw, sync, clear):
    """The floor's, and those of the two tools that are fast at it, from the zstd qcow2 image."""
    seed, source = floor_seed(bench), qemu_seed(bench)
    line = '%s import 1 2 %s %s' % tuple(quoted(bench.work + '/floor', seed.output, raw))
    commands = [import_image(bench, 'floor', line, seed, raw, sync, clear)]
    copy = 'nbdcopy -- [ qemu-nbd -r -f qcow2 %s ] %s' % tuple(quoted(source.output, raw))
    commands.append(import_image(bench, 'nbdcopy, zstd qcow2', copy, source, raw, sync, clear, 'nbdcopy', 'qemu-nbd'))
    convert = 'qemu-img convert -f qcow2 -O raw %s %s' % tuple(quoted(source.output, raw))
    commands.append(import_image(bench, 'qemu-img convert, zstd qcow2', convert, source, raw, sync, clear))
    return commands


def import_image(bench, name, line, seed, raw, sync, clear, *needs):
    def before():
        clear()
        ensure(bench, seed)

    return Command(name, line + (synced(raw) if sync else ''), warm=(seed.output,), before=before,
                   check=lambda: same(raw, day(bench, 1)), check_each=True, needs=(*seed.needs, *needs))


def synced(path):
    return ' && sync -d %s' % quoted(path)[0]


# What changed.

def floor_delta(bench):
    output = bench.work + '/delta.floor'
    return Command('floor', [bench.work + '/floor', 'delta', '3', '2', day(bench, 2), output,
                             bench.images + '/changes.txt'],
                   output, warm=(day(bench, 2),), check=lambda: floor_gives(bench, output, 2, start=1))


def floor_scan(bench):
    output, table = bench.work + '/scan.floor', bench.work + '/table.floor'
    quietly([bench.work + '/floor', 'table', '3', '2', day(bench, 1), table])
    return Command('floor', [bench.work + '/floor', 'scan', '3', '2', day(bench, 2), output, table],
                   output, warm=(day(bench, 2), table), check=lambda: floor_gives(bench, output, 2, start=1))


def qemu_delta(bench):
    """The dirty bitmap of a qcow2 image that went from day 1 to day 2."""
    tracked, output = bench.work + '/tracked.qcow2', bench.work + '/delta.qcow2'
    helper = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'qemu_backup.py')

    def before():
        if not os.path.exists(tracked):
            track(bench, tracked)

    def check():
        quietly(['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'raw', '-b', day(bench, 1), output])
        return qemu_same(output, day(bench, 2))

    return Command('qemu bitmap backup, zstd qcow2', ['python3', helper, tracked, 'day', output], output,
                   warm=(tracked,), before=before, check=check,
                   needs=('qemu-storage-daemon', 'qemu-img', 'qemu-io'))


def track(bench, image):
    """Make a qcow2 image of day 1 with a dirty bitmap, then write the day's changes to it."""
    pieces, commands = bench.work + '/pieces', []
    remove(pieces)
    os.makedirs(pieces)
    quietly(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', day(bench, 1), image])
    quietly(['qemu-img', 'bitmap', '--add', '--enable', image, 'day'])
    with open(day(bench, 2), 'rb') as f, open(bench.images + '/changes.txt') as changes:
        for line in changes:
            offset, left = map(int, line.split())
            while left > 0:
                length = min(PIECE, left)
                data = os.pread(f.fileno(), length, offset)
                if any(data):
                    with open('%s/%d' % (pieces, offset), 'wb') as piece:
                        piece.write(data)
                    commands.append('write -q -s %d %d %d' % (offset, offset, length))
                else:
                    commands.append('discard -q %d %d' % (offset, length))
                offset, left = offset + length, left - length
    script = pieces + '/script'
    with open(script, 'w') as f:
        f.write('\n'.join(commands) + '\nquit\n')
    with open(script) as f:
        quietly(['qemu-io', '-f', 'qcow2', '-d', 'unmap', '--cache=writeback', image], stdin=f, cwd=pieces)
    remove(pieces)


def borg_scan(bench):
    repository = bench.work + '/borg'

    def before():
        if not os.path.exists(repository):
            first = borg_seed(bench)
            first.before()
            quietly(first.argv)
        listed = '%s::day2' % repository
        quietly(['bash', '-c', 'borg info "$1" >/dev/null 2>&1 && borg delete "$1" && borg compact "$2" || :',
                 'bash', listed, repository])

    return Command('borg zstd,1 fixed 1 MiB --sparse', borg_create(bench, 'day2'), '', warm=(day(bench, 2),),
                   before=before, needs=('borg',), check=lambda: borg_gives(bench, 2))


def bdsync_scan(bench):
    old, output = bench.work + '/bdsync.img', bench.work + '/delta.bdsync'
    make = 'bdsync --blocksize=65536 --hash=sha1 "bdsync --server" %s %s | zstd -3 -T2 -q -f -o %s' % tuple(
        quoted(day(bench, 2), old, output))
    patch = 'zstd -dcq %s | bdsync --patch=%s' % tuple(quoted(output, old))

    def before():
        bring_back(old, day(bench, 1))

    def check():
        quietly(['bash', '-c', patch])
        return same(old, day(bench, 2))

    return Command('bdsync, 64 KiB sha1 | zstd -3 -T2', make, output, warm=(day(bench, 2), old), before=before,
                   check=check, needs=('bdsync', 'zstd'))


# The change, written over the older image; all synced.

def applies(bench, name, delta, line, prepare=None):
    """A command that takes a file made by delta and turns a copy of day 1, "replica.img", into day 2."""
    replica = bench.work + '/replica.img'

    def before():
        ensure(bench, delta)
        bring_back(replica, day(bench, 1))
        if prepare:
            prepare(replica)

    return Command(name, line + synced(replica), warm=(replica, delta.output), before=before, needs=delta.needs,
                   check=lambda: same(replica, day(bench, 2)), check_each=True)


def floor_apply(bench):
    delta = floor_delta(bench)
    line = '%s import 1 2 %s %s' % tuple(quoted(bench.work + '/floor', delta.output, bench.work + '/replica.img'))
    return applies(bench, 'floor, in place, nothing kept', delta, line)


def qemu_apply(bench):
    """The backup becomes an overlay of the copy, and is committed into it."""
    delta, overlay = qemu_delta(bench), bench.work + '/overlay.qcow2'

    def prepare(replica):
        quietly(['cp', delta.output, overlay])
        quietly(['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'raw', '-b', replica, overlay])

    line = 'qemu-img commit -q -d ' + quoted(overlay)[0]
    return applies(bench, 'qemu-img commit, nothing kept', delta, line, prepare)
