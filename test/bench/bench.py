#!/usr/bin/env python3
"""make bench: vmferry beside the tools that Debian ships and beside the floor, on the same images in the same run.

The images are workload.py's.  The floor (floor.c) is about the least each job needs; the ratios to it hold from
machine to machine, the seconds do not.  measure.py says how the measuring is done.  Every result is compared with
what it must be: a wrong one is printed as WRONG and makes the exit status 1.  A goal that is missed does not.

Set in the environment:
    VMFERRY         the program to measure                          build/bin/vmferry
    BENCH_JOBS      some of: export import delta scan apply scatter verify memory media pending combine
                    failover live stream quiet
    BENCH_ROUNDS    how often each command runs                     3
    BENCH_SIZE_MIB  size of the images                              4096
    BENCH_DIR       a folder to work in; images made there earlier are used again
    BENCH_KEEP=1    do not remove what was made
"""
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import failover
import media
import peers
import stream
import workload
from measure import (Bench, Command, Failed, Goal, bring_back, ensure, fail, median, note, quietly, remove, run_job,
                     run_once, same, say, size_of)
from sites import VM, export_delta, export_seed, import_bundle, load, new_pair, replica_disk, send_seed

HERE = os.path.dirname(os.path.abspath(__file__))
MIB, GIB, TIB = 1 << 20, 1 << 30, 1 << 40
MEMORY = '/dev/shm'
SCATTERED = 20000                   # writes of 4 KiB
MEMORY_LIMIT = 96                   # MiB


def job_export(bench):
    """The whole disk into one file, with zstd's fast level; vmferry signs it, and encrypts it unless --plain."""
    plain, sealed = (day1_seed(bench, plain) for plain in (True, False))
    tar, borg, qemu, restic = (make(bench) for make in (peers.tar_seed, peers.borg_seed, peers.qemu_seed,
                                                        peers.restic_seed))
    run_job(bench, 'seed export', [peers.floor_seed(bench), plain, sealed, tar, borg, qemu, restic], [
        Goal(plain.name, ('floor',), 1.35),
        Goal(plain.name, (tar.name,), 1 / 1.5),
        Goal(plain.name, (borg.name,), 1 / 2),
        Goal(plain.name, (restic.name,), 1 / 4),
        Goal(sealed.name, ('floor',), 1.55),
        Goal(sealed.name, (tar.name, borg.name, qemu.name, restic.name), 1.0, called='the fastest peer'),
    ], touch=touched(bench))
    for command in (tar, restic):
        remove(command.output)


def touched(bench):
    """MiB of memory to touch before the whole disk is copied."""
    return bench.size // MIB // 2 + 200


def day1_seed(bench, plain):
    """The export of day 1; several jobs start from it."""
    day1 = peers.day(bench, 1)
    if 'day1' not in bench.pairs:
        bench.pairs['day1'] = new_pair(bench, bench.scratch + '/day1', day1)
    output = bench.work + ('/seed-plain.vmf' if plain else '/seed.vmf')
    return export_seed(bench, bench.pairs['day1'], output, plain, day1)


def job_import(bench):
    """The whole disk back into a new image: in memory, and on disk, where every command ends with its data synced."""
    seeds = [day1_seed(bench, plain) for plain in (True, False)]
    if bench.scratch.startswith(MEMORY):
        import_into(bench, 'seed import, in memory', bench.scratch, bench.pairs['day1'], seeds, sync=False)
    else:
        print('seed import, in memory: not run, too little room in %s\n' % MEMORY)
    day1 = peers.day(bench, 1)
    pair = new_pair(bench, bench.work + '/pair', day1)
    for seed in seeds:
        remove(seed.output)
    seeds = [export_seed(bench, pair, seed.output, plain, day1) for seed, plain in zip(seeds, (True, False))]
    import_into(bench, 'seed import, on disk, synced', bench.work, pair, seeds, sync=True)
    for path in [seed.output for seed in seeds] + [pair.folder]:
        remove(path)


def import_into(bench, title, folder, pair, seeds, sync):
    """One place to import into; the pair's store lies there too."""
    raw = folder + '/disk.raw'
    names = ('vmferry, not encrypted', 'vmferry')
    commands = [import_bundle(bench, pair, name, 'empty', ensure(bench, seed), peers.day(bench, 1))
                for name, seed in zip(names, seeds)]

    def clear():
        remove(raw)
        load(pair, 'empty', pair.dr, pair.store)

    floor, *others = peers.image_imports(bench, raw, sync, clear)
    for command in commands:
        command.before = clear
    run_job(bench, title, [floor, *commands, *others], [
        Goal(commands[0].name, tuple(other.name for other in others), 0.65, called='the fastest peer'),
    ], touch=touched(bench))
    clear()


def room_in_memory():
    if not os.path.isdir(MEMORY):
        return 0
    with open('/proc/meminfo') as f:
        available = next(int(line.split()[1]) << 10 for line in f if line.startswith('MemAvailable'))
    return min(available, shutil.disk_usage(MEMORY).free)


def tracked_pair(bench, points):
    """A pair whose replica holds day 1 while the disk holds day 2."""
    name = 'day2-%d' % points
    if name not in bench.pairs:
        disk = '%s/%s.img' % (bench.work, name)
        bring_back(disk, peers.day(bench, 1))
        pair = new_pair(bench, bench.work + '/' + name, disk, points)
        send_seed(bench, pair)
        bring_back(disk, peers.day(bench, 2))
        bench.pairs[name] = pair
    return bench.pairs[name]


def listed_delta(bench, name, changes, *options, points=24):
    output = '%s/%s.vmf' % (bench.work, name.replace(' ', '_').replace(',', ''))
    return export_delta(bench, tracked_pair(bench, points), name, output, peers.day(bench, 2),
                        '--changes', '%s/%s' % (bench.images, changes), *options)


def job_delta(bench):
    """What changed, by a list of changes."""
    plain = listed_delta(bench, 'vmferry --plain', 'changes.txt', '--plain')
    exact = listed_delta(bench, 'vmferry --plain, 4 KiB list', 'changes-4k.txt', '--plain')
    sealed = listed_delta(bench, 'vmferry', 'changes.txt')
    qemu = peers.qemu_delta(bench)
    costs = run_job(bench, 'delta, by list', [peers.floor_delta(bench), plain, sealed, exact, qemu], [
        Goal(plain.name, ('floor',), 1.4),
        Goal(plain.name, (qemu.name,), 1.0),
        Goal(plain.name, (qemu.name,), 1.0, 'size'),
    ], touch=600)
    print('  sizes: the lists name %.1f MB in 64 KiB blocks, %.1f MB in 4 KiB blocks; of that each made, in %%:'
          % (listed(bench, 'changes.txt') / 1e6, listed(bench, 'changes-4k.txt') / 1e6))
    for name, own in costs.items():
        made = median(own, 'size') * 100
        print('    %-40s %6.1f %6.1f' % (name, made / listed(bench, 'changes.txt'),
                                         made / listed(bench, 'changes-4k.txt')))
    print()


def listed(bench, changes):
    with open('%s/%s' % (bench.images, changes)) as f:
        return sum(int(line.split()[1]) for line in f)


def job_scan(bench):
    """What changed, by reading the whole disk."""
    pair, day2 = tracked_pair(bench, 24), peers.day(bench, 2)
    plain = export_delta(bench, pair, 'vmferry --plain', bench.work + '/scan-plain.vmf', day2, '--plain')
    sealed = export_delta(bench, pair, 'vmferry', bench.work + '/scan.vmf', day2)
    borg, bdsync = peers.borg_scan(bench), peers.bdsync_scan(bench)
    run_job(bench, 'delta, by scan', [peers.floor_scan(bench), plain, sealed, borg, bdsync], [
        Goal(plain.name, ('floor',), 1.4),
        Goal(plain.name, (borg.name, bdsync.name), 1 / 5, called='the fastest peer'),
    ], touch=600)


def job_apply(bench):
    """A delta onto the older image, synced; vmferry stages, merges and proves it, and can keep what it overwrites."""
    floor, qemu = peers.floor_apply(bench), peers.qemu_apply(bench)
    commands = []
    for name, points in (('vmferry, with undo', 24), ('vmferry, latest point only', 1)):
        made = listed_delta(bench, 'apply %d' % points, 'changes.txt', '--plain', points=points)
        run_once(bench, made)
        commands.append(import_bundle(bench, tracked_pair(bench, points), name, 'seeded', made.output,
                                      peers.day(bench, 2)))
    undo, latest = (command.name for command in commands)
    run_job(bench, 'stage and merge', [floor, *commands, qemu], [
        Goal(undo, (floor.name,), 3.0),
        Goal(latest, (floor.name,), 2.0),
    ], touch=200)


def job_scatter(bench):
    """Scattered 4 KiB writes in a sparse disk: the size of the delta, and whether a larger disk makes it slower."""
    rng = random.Random(7)
    blocks = [workload.half_compressible(rng, workload.K4) for _ in range(SCATTERED)]
    alone = bench.work + '/blocks'
    with open(alone, 'wb') as f:
        f.writelines(blocks)
    output = alone + '.zst'
    zstd = Command('zstd -3 of the changed bytes alone', ['zstd', '-3', '-T2', '-q', '-f', alone, '-o', output], output,
                   warm=(alone,), needs=('zstd',))
    # In 16 GiB several writes share a page of leaves; from 1 TiB on each has its own, and no more is to come.
    small = scattered_delta(bench, 'vmferry --plain, 16 GiB disk', 16 * GIB, blocks)
    large = scattered_delta(bench, 'vmferry --plain, 1 TiB disk', TIB, blocks)
    huge = scattered_delta(bench, 'vmferry --plain, 8 TiB disk', 8 * TIB, blocks)
    run_job(bench, 'scattered writes, by list', [zstd, small, large, huge], [
        Goal(large.name, (zstd.name,), 1.3, 'size'),
        Goal(huge.name, (large.name,), 1.2),
        Goal(large.name, (small.name,), 2),
    ], touch=300)
    for size in (16 * GIB, TIB, 8 * TIB):
        remove('%s/sparse-%d' % (bench.work, size))


def scattered_delta(bench, name, size, blocks):
    """The delta of a sparse disk from its seed, when it was empty, to when the blocks had been written to it."""
    folder = '%s/sparse-%d' % (bench.work, size)
    os.makedirs(folder)
    disk, changes = folder + '/disk.img', folder + '/changes.txt'
    with open(disk, 'wb') as f:
        f.truncate(size)
    pair = new_pair(bench, folder + '/pair', disk)
    send_seed(bench, pair)
    places = sorted(random.Random(8).sample(range(size // workload.K4), len(blocks)))
    with open(disk, 'r+b') as f, open(changes, 'w') as listing:
        for place, block in zip(places, blocks):
            os.pwrite(f.fileno(), block, place * workload.K4)
            listing.write('%d %d\n' % (place * workload.K4, workload.K4))
    return export_delta(bench, pair, name, folder + '/delta.vmf', disk, '--changes', changes, '--plain')


def job_verify(bench):
    """A bundle's signatures and digests checked, beside one thread that only computes the same digest."""
    seed = day1_seed(bench, True)
    ensure(bench, seed)
    card = bench.pairs['day1'].card
    b2sum = Command('b2sum -l 256', ['b2sum', '-l', '256', seed.output], warm=(seed.output,), needs=('b2sum',))
    verify = Command('vmferry verify', [bench.vmferry, 'verify', '--key', card, seed.output], warm=(seed.output,),
                     check=lambda: refuses_a_flipped_bit(bench, card, seed.output))
    costs = run_job(bench, 'verify', [b2sum, verify], [
        Goal(verify.name, (b2sum.name,), 1 / 0.9, 'cpu'),
    ])
    for name, own in costs.items():
        print('  %-42s %8.0f MB/s a core, %.0f MB/s' % (name, size_of(seed.output) / 1e6 / median(own, 'cpu'),
                                                       size_of(seed.output) / 1e6 / median(own, 'wall')))
    print()


def refuses_a_flipped_bit(bench, card, bundle):
    """verify's good answer was its exit status; it must also be able to say no."""
    bad = bench.work + '/flipped.vmf'
    shutil.copyfile(bundle, bad)
    with open(bad, 'r+b') as f:
        place = os.path.getsize(bad) // 2
        byte = os.pread(f.fileno(), 1, place)[0]
        os.pwrite(f.fileno(), bytes([byte ^ 16]), place)
    code = subprocess.run([bench.vmferry, 'verify', '--key', card, bad], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    remove(bad)
    return code == 1


def job_memory(bench):
    """A sparse disk of 8 TiB with little in it, through a pipe; the memory of all other runs is shown at the end."""
    folder = bench.work + '/huge'
    os.makedirs(folder)
    disk, rng = folder + '/disk.img', random.Random(9)
    with open(disk, 'wb') as f:
        f.truncate(8 * TIB)
        for _ in range(64):
            place = rng.randrange(8 * TIB // workload.K64) * workload.K64
            os.pwrite(f.fileno(), workload.half_compressible(rng, workload.K64), place)
        os.pwrite(f.fileno(), b'the end', 8 * TIB - 7)
    pair = new_pair(bench, folder + '/pair', disk, max_size='16T')
    ferry, hq, dr = (shlex.quote(word) for word in (bench.vmferry, pair.hq, pair.dr))
    pipe = Command('vmferry export | vmferry import', '%s --home %s export %s --seed | %s --home %s import' % (
        ferry, hq, VM, ferry, dr), before=lambda: load(pair, 'empty'), check=lambda: same(replica_disk(pair), disk))
    run_job(bench, 'sparse disk of 8 TiB', [pipe])
    remove(folder)


def job_live(bench):
    """Points of a guest that runs; in namespaces, so in a program of its own."""
    p = subprocess.Popen([sys.executable, '-B', HERE + '/live.py', bench.work, bench.images, str(bench.size),
                          str(bench.rounds), bench.vmferry], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    last = ''
    for line in p.stdout:
        if line.startswith('{'):
            last = line
        else:
            print(line, end='', flush=True)
    if p.wait() != 0:
        raise Failed('live.py: exit %d' % p.returncode)
    if last:
        o = json.loads(last)
        bench.reached += map(tuple, o['reached'])
        bench.wrong += o['wrong']
        bench.missing |= set(o['missing'])
        for kind, peak in o['peaks'].items():
            bench.peaks[kind] = max(peak, bench.peaks.get(kind, 0))


JOBS = {'export': job_export, 'import': job_import, 'delta': job_delta, 'scan': job_scan, 'apply': job_apply,
        'scatter': job_scatter, 'verify': job_verify, 'memory': job_memory,
        'media': lambda bench: media.job_media(bench, peers.day(bench, 1)), 'pending': media.job_pending,
        'combine': media.job_combine, 'failover': failover.job_failover, 'live': job_live,
        'stream': lambda bench: stream.job_stream(bench, peers.day(bench, 1)), 'quiet': stream.job_quiet}


def conclude(bench, started):
    """What was reached, the memory of vmferry's runs, what is missing; return the exit status."""
    print('memory: the largest resident set of any process of vmferry, MiB')
    for kind, peak in sorted(bench.peaks.items()):
        print('  %-72s %8.1f' % (kind, peak))
    note(bench, 'memory', 'the largest of all', max(bench.peaks.values(), default=None), MEMORY_LIMIT, 'MiB')
    print('\nreached (cost of the first divided by that of the second):')
    for title, line in bench.reached:
        print('  %-28s %s' % (title, line))
    if bench.missing:
        print('not installed: ' + ', '.join(sorted(bench.missing)))
    for what in bench.wrong:
        print('WRONG: ' + what)
    print('%.0f s in all; %s' % (time.monotonic() - started, 'some results are WRONG' if bench.wrong
                                 else 'every result was checked and is right'))
    return 1 if bench.wrong else 0


def compile_tools(bench):
    flags = ['-std=c11', '-D_GNU_SOURCE', '-O2']
    compiler = shlex.split(os.environ.get('CC', 'cc'))
    for name, libraries in (('floor', ['-lzstd', '-lpthread']), ('nbdfloor', ['-lnbd', '-lzstd', '-lpthread']),
                            ('meter', [])):
        quietly([*compiler, *flags, '-o', '%s/%s' % (bench.work, name), '%s/%s.c' % (HERE, name), *libraries])


def make_images(bench):
    """Make the images unless an earlier run left them."""
    summary = bench.images + '/summary.txt'
    wanted = 'size %d, seed 1\n' % bench.size
    if not os.path.exists(summary) or open(summary).readline() != wanted:
        say('making the images')
        workload.make(bench.images, bench.size, 1)
    with open(summary) as f:
        print(f.read())


def set_environment(work):
    """Peers look for nothing of their user's, and leave nothing in a home folder."""
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    os.environ.update(LC_ALL='C', BORG_BASE_DIR=work + '/borg.home', RESTIC_PASSWORD='bench',
                      RESTIC_CACHE_DIR=work + '/restic.cache', BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK='yes',
                      BORG_RELOCATED_REPO_ACCESS_IS_OK='yes', BORG_DELETE_I_KNOW_WHAT_I_AM_DOING='YES')
    os.environ.pop('VMFERRY_HOME', None)


def settings():
    """What the environment asks for: (jobs, rounds, size, vmferry)."""
    jobs = os.environ.get('BENCH_JOBS', ' '.join(JOBS)).replace(',', ' ').split()
    unknown = set(jobs) - set(JOBS)
    vmferry = os.path.abspath(os.environ.get('VMFERRY', 'build/bin/vmferry'))
    if unknown:
        sys.exit('bench: no such job: ' + ' '.join(sorted(unknown)))
    if not os.access(vmferry, os.X_OK):
        sys.exit('bench: %s is not there; run make first, or set VMFERRY' % vmferry)
    rounds, size = (int(os.environ.get(name, usual)) for name, usual in (('BENCH_ROUNDS', '3'),
                                                                         ('BENCH_SIZE_MIB', '4096')))
    return (jobs, rounds, size * MIB, vmferry)


def measure_all(bench, folder, jobs):
    """Run the jobs in a folder; return the exit status."""
    started = time.monotonic()
    if shutil.disk_usage(folder).free < 7 * bench.size:
        sys.exit('bench: %s has too little room: %d GiB are needed' % (folder, -(-7 * bench.size // GIB)))
    set_environment(bench.work)
    compile_tools(bench)
    make_images(bench)
    for job in jobs:
        try:
            JOBS[job](bench)
        except Failed as e:
            fail(bench, job, e)
    return conclude(bench, started)


def main():
    jobs, rounds, size, vmferry = settings()
    given, keep = os.environ.get('BENCH_DIR'), os.environ.get('BENCH_KEEP') == '1'
    folder = os.path.realpath(given or tempfile.mkdtemp(prefix='vmferry-bench.'))
    work = folder + '/run'
    scratch = work + '/scratch'
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        remove(work)
        os.makedirs(scratch)
        if room_in_memory() > 3 * size:
            scratch = tempfile.mkdtemp(prefix='vmferry-bench.', dir=MEMORY)
        return measure_all(Bench(work, folder + '/images', scratch, size, rounds, vmferry), folder, jobs)
    finally:
        if not keep:
            remove(scratch)
            remove(work if given else folder)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
