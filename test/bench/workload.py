#!/usr/bin/env python3
"""Make the pair of disk images that `make bench` measures with, and the list of what changed between them.

    workload.py [--size-mib N] [--seed N] FOLDER

FOLDER then holds
    day1.img        a raw sparse ext4 image, 45 % full: files of this machine's /usr, and files that do not compress
                    (15 % of the bytes)
    day2.img        the same disk after a day of work
    changes.txt     what a change tracker with 64 KiB granularity knows of that day: lines "offset length", sorted
    changes-4k.txt  the same, exact to 4 KiB
    summary.txt     the figures; written last, so that it marks a finished workload

The day's work is what disks see: files removed, replaced and added in the file system; 1 % of all 64 KiB blocks
overwritten in place, as by a database; scattered 4 KiB writes; and one large discarded range.

One machine and one seed give the same bytes each time: the file system's UUID, hash seed and times are fixed and
everything random comes from the seed.  Nothing is mounted, so nobody needs to be root: debugfs writes the files.
A machine whose /usr is too small has its files written more than once, in folders of their own.
"""
import argparse
import ctypes
import hashlib
import itertools
import os
import random
import shutil
import subprocess
import zlib

K4, K64, MIB = 1 << 12, 1 << 16, 1 << 20
FULL, INCOMPRESSIBLE = 0.45, 0.15           # of the disk; of the bytes in it
UUID = '6f3c2a10-5b7d-4e8e-9a41-0c2d4e6f8a10'
TOOLS = dict(os.environ, LC_ALL='C', E2FSPROGS_FAKE_TIME='1700000000',
             PATH=os.environ.get('PATH', '/usr/bin:/bin') + ':/usr/sbin:/sbin')
WORDS = [hashlib.md5(b'%d' % i).hexdigest()[:2 + i % 11].encode() for i in range(500)]


def half_compressible(rng, length):
    """Bytes of which zstd saves about half: in turns 2 KiB of noise and 2 KiB of words."""
    parts = []
    for _ in range(0, length, K4):
        text = b' '.join(rng.choices(WORDS, k=500))
        parts += [rng.randbytes(K4 // 2), text[:K4 // 2].ljust(K4 // 2)]
    return b''.join(parts)[:length]


def data_extents(fd, size):
    """The parts of a sparse file that are not holes, as (start, end)."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end


def punch(fd, offset, length):
    """Make a hole in a file."""
    keep_size, punch_hole, libc = 1, 2, ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(fd, keep_size | punch_hole, ctypes.c_int64(offset), ctypes.c_int64(length)) != 0:
        raise OSError(ctypes.get_errno(), 'cannot make a hole')


def debugfs(image, commands, script):
    """Run debugfs on an image; it exits 0 whatever happens, so every word on standard error is a failure."""
    with open(script, 'w') as f:
        f.write('\n'.join(commands) + '\n')
    said = subprocess.run(['debugfs', '-w', '-f', script, image], env=TOOLS, check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, errors='replace').stderr
    os.unlink(script)
    wrong = [line for line in said.splitlines() if not line.startswith('debugfs ')]
    if wrong:
        raise SystemExit('workload: debugfs: ' + '; '.join(wrong[:3]))


def machine_files(largest):
    """This machine's files as (path, size), in an order that looks random but depends on their names alone."""
    found = []
    for folder, _, names in os.walk('/usr'):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
                continue
            size = os.path.getsize(path)
            if 0 < size <= largest and path.isprintable() and not set(path) & set('"\\'):
                found.append((zlib.crc32(path.encode()), path, size))
    if not found:
        raise SystemExit('workload: no files in /usr')
    return [(path, size) for _, path, size in sorted(found)]


def endless(files):
    """The files as (name on the image, path, size); when they run out, again in another folder."""
    for turn in itertools.count():
        for path, size in files:
            yield ('/again%d' % turn if turn else '') + path, path, size


def write_commands(pairs):
    """debugfs commands that write (name, path) pairs and make the folders they need."""
    commands, made, at = [], {'/'}, None

    def make_folder(folder):
        if folder not in made:
            make_folder(os.path.dirname(folder))
            made.add(folder)
            commands.append('cd "%s"' % os.path.dirname(folder))
            commands.append('mkdir "%s"' % os.path.basename(folder))

    for name, path in sorted(pairs):
        folder, base = os.path.split(name)
        if folder != at:
            make_folder(folder)
            commands.append('cd "%s"' % folder)
            at = folder
        commands.append('write "%s" "%s"' % (path, base))
    return commands


def make_day1(image, size, files, rng, scratch):
    """Make the first image; return the names on it.  files is left at the first file that was not used."""
    target = int(size * FULL)
    noise = int(target * INCOMPRESSIBLE)
    used, pairs = 0, []
    for name, path, length in files:
        pairs.append((name, path))
        used += -(-length // K4) * K4
        if used >= target - noise:
            break
    while noise > 0:
        length = min(noise, rng.choice((64, 1024, 8192, 24576)) << 10)
        path = '%s/noise%04d' % (scratch, len(pairs))
        with open(path, 'wb') as f:
            f.write(rng.randbytes(length))
        pairs.append(('/srv/' + os.path.basename(path), path))
        noise -= length
    with open(image, 'wb') as f:
        f.truncate(size)
    subprocess.run(['mkfs.ext4', '-q', '-F', '-U', UUID, '-i', '8192', '-m', '1', '-E',
                    'hash_seed=%s,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0' % UUID, image],
                   env=TOOLS, check=True)
    debugfs(image, write_commands(pairs), scratch + '/script')
    return [name for name, _ in pairs]


def change_files(image, size, names, files, rng, scratch):
    """Remove some files, and write others: a third of them where the removed ones were."""
    gone = rng.sample(sorted(names), max(4, 110 * size // (1 << 30)))
    again, commands, pairs = gone[:len(gone) // 3], ['rm "%s"' % name for name in gone], []
    budget = size // 160
    for name, path, length in files:
        if budget <= 0:
            break
        if length > 4 * MIB:
            continue
        if len(pairs) < len(again):
            folder, base = os.path.split(again[len(pairs)])
            commands += ['cd "%s"' % folder, 'write "%s" "%s"' % (path, base)]
        pairs.append(('/new/%05d' % len(pairs), path))
        budget -= length
    debugfs(image, commands + write_commands(pairs[len(again):]), scratch + '/script')


def change_blocks(image, size, rng):
    """Overwrite blocks in place, and discard the range of the disk that is fullest, so that it matters."""
    hole = max(MIB, size // 32 // MIB * MIB)
    with open(image, 'r+b') as f:
        for block in sorted(rng.sample(range(16, size // K64), size // K64 // 100)):
            os.pwrite(f.fileno(), half_compressible(rng, K64), block * K64)
        for block in sorted(rng.sample(range(256, size // K4), max(20, size // (1 << 22)))):
            os.pwrite(f.fileno(), half_compressible(rng, K4), block * K4)
        held = [0] * (size // hole)
        for start, end in data_extents(f.fileno(), size):
            for i in range(start // hole, min(-(-end // hole), len(held))):
                held[i] += min(end, (i + 1) * hole) - max(start, i * hole)
        punch(f.fileno(), max(range(1, len(held)), key=lambda i: held[i]) * hole, hole)


def changed(old, new, size, unit):
    """The ranges in which two images differ, as [offset, length], whole units, sorted, neighbours joined."""
    ranges = []
    with open(old, 'rb') as f, open(new, 'rb') as g:
        pieces = {i for h in (f, g) for start, end in data_extents(h.fileno(), size)
                  for i in range(start // K64, -(-end // K64))}
        for offset in sorted(i * K64 for i in pieces):
            x, y = os.pread(f.fileno(), K64, offset), os.pread(g.fileno(), K64, offset)
            if x == y:
                continue
            for at in range(0, len(x), unit):
                if x[at:at + unit] == y[at:at + unit]:
                    continue
                length = min(unit, len(x) - at)
                if ranges and sum(ranges[-1]) == offset + at:
                    ranges[-1][1] += length
                else:
                    ranges.append([offset + at, length])
    return ranges


def make(folder, size, seed):
    day1, day2, scratch = (os.path.join(folder, name) for name in ('day1.img', 'day2.img', 'scratch'))
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    for name in ('summary.txt', 'day1.img', 'day2.img'):
        if os.path.exists(os.path.join(folder, name)):
            os.unlink(os.path.join(folder, name))
    rng = random.Random(seed)
    files = endless(machine_files(size // 64))
    names = make_day1(day1, size, files, rng, scratch)
    subprocess.run(['cp', '--sparse=always', day1, day2], check=True)
    change_files(day2, size, names, files, rng, scratch)
    change_blocks(day2, size, rng)
    shutil.rmtree(scratch)
    os.sync()

    summary = ['size %d, seed %d' % (size, seed), 'files %d' % len(names)]
    for image in (day1, day2):
        summary.append('%s holds %d bytes' % (os.path.basename(image), os.stat(image).st_blocks * 512))
    for name, unit in (('changes.txt', K64), ('changes-4k.txt', K4)):
        ranges = changed(day1, day2, size, unit)
        with open(os.path.join(folder, name), 'w') as f:
            f.writelines('%d %d\n' % tuple(r) for r in ranges)
        summary.append('%s lists %d bytes in %d ranges' % (name, sum(r[1] for r in ranges), len(ranges)))
    with open(os.path.join(folder, 'summary.txt'), 'w') as f:
        f.write('\n'.join(summary) + '\n')


def main():
    parser = argparse.ArgumentParser(description='Make the disk images that make bench measures with.')
    parser.add_argument('folder', help='where to make them; older ones are replaced')
    parser.add_argument('--size-mib', type=int, default=4096)
    parser.add_argument('--seed', type=int, default=1)
    given = parser.parse_args()
    if given.size_mib < 64:
        parser.error('at least 64 MiB')
    make(given.folder, given.size_mib * MIB, given.seed)
    with open(os.path.join(given.folder, 'summary.txt')) as f:
        print(f.read(), end='')


if __name__ == '__main__':
    main()
