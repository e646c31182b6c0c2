#!/usr/bin/python3 -B
"""Exports to media: volumes, full media, and going on where an export was cut short."""
import contextlib, glob, signal, socket
from inject import *
from lab import *

VOLUME = '2M'


def media_lab(size=6 * M, **kw):
    """A VM whose disks take some volumes."""
    lab = Lab(where=on_disk(), sizes=(size, 512 * K), **kw)
    for p in lab.disks.values():
        lab.write(p, 0, os.path.getsize(p))
    return lab


def medium(lab, name):
    os.makedirs(lab.path(name), exist_ok=True)
    return lab.path(name)


def volumes(*media):
    return sorted(p for m in media for p in glob.glob(os.path.join(m, 'vmferry', '*.vmf')))


def parts(*media):
    return [p for m in media for p in glob.glob(os.path.join(m, 'vmferry', '*.part'))]


def argv(lab, folder, *how):
    return [tool('export'), '--home', lab.hq.home, 'web1', '--media', folder, '--volume-size', VOLUME, *how]


def arrive(lab, *media, tag='now'):
    """All volumes, in an order that is none, at the replica; then its disks are what they should be."""
    files = volumes(*media)
    lab.random.shuffle(files)
    for f in files:     # of two exports, the volumes of the older one may be refused: the newer one has begun to arrive
        check(lab.dr('import', f, rc=None).returncode in (0, 1), f)
    lab.same(tag, os.path.join(lab.dr.replica(), 'disks'), 'the replica:')
    lab.dr('scrub', 'web1')


def nothing_pending(lab):
    left = glob.glob(lab.path('hq', 'primaries', '*-*', 'pending')) + os.listdir(lab.path('hq', 'tmp'))
    check(not left, 'left over:', *left)


def age(lab):
    """Make the disks old enough that their times prove that nobody wrote to them since."""
    for p in lab.disks.values():
        os.utime(p, (1, 1))


@contextlib.contextmanager
def mounted(lab, name, size, kind='ext4'):
    """A small file system of its own, as a USB disk has."""
    image, at = lab.path(name + '.img'), medium(lab, name)
    with open(image, 'wb') as f:
        f.truncate(size)
    run('mkfs.' + kind, *(['-q', '-F', '-m', '0', '-O', '^has_journal'] if kind == 'ext4' else ['-n', name]), image)
    run('mount', '-o', 'loop', image, at)
    try:
        yield at
    finally:
        run('umount', '-l', at, rc=None)


def can_mount():
    if os.geteuid() == 0 and os.path.exists('/dev/loop-control'):
        return True
    print('        skipped: no loop devices here')
    return False


def test_volumes_are_read_back_named_and_whole():
    lab = media_lab()
    lab.keep('now')
    m = medium(lab, 'usb1')
    p = run(*argv(lab, m, '--seed'))
    names = [os.path.basename(f) for f in volumes(m)]
    check(len(names) >= 3 and not parts(m), names)
    check(all(os.path.getsize(f) <= 2 * M for f in volumes(m)), 'a volume is too large')
    check("volumes 1 to %d on medium 'usb1'" % len(names) in p.stderr, p.stderr)
    b2, = glob.glob(m + '/vmferry/*.b2')
    check(len(open(b2).read().splitlines()) == len(names), 'the manifest names other volumes')
    run('b2sum', '-c', os.path.basename(b2), cwd=m + '/vmferry')
    target, = lab.hq.json('status')[0]['targets']
    flight, = target['in_flight']
    check(flight['volumes'] == len(names) and flight['where'] == 'medium usb1' and flight['to'] == 1, flight)
    arrive(lab, m)
    nothing_pending(lab)


def test_several_vms_and_sites_share_a_medium():
    lab = media_lab(1 * M)
    lab.keep('now')
    other = lab.make_disk('other.img', 1 * M)
    third = Site(lab, 'third')
    lab.hq('trust', 'add', third.card)
    third('trust', 'add', lab.hq.card, '--vm', 'web*')
    lab.hq('enable', 'web2', '--to', 'dr', '--to', 'third', '--disk', 'vda=' + other)
    m = medium(lab, 'usb1')
    run(*argv(lab, m, '--seed'))
    lab.hq('export', 'web2', '--seed', '--media', m)
    lab.hq('export', 'web2', '--to', 'third', '--media', m)
    check(len(volumes(m)) == 3, volumes(m))
    for f in volumes(m):
        if 'web2' in f:
            third('import', f)
    check(filecmp.cmp(other, glob.glob(third.replica() + '/disks/*')[0], shallow=False), 'third has another disk')
    for f in volumes(m):
        if 'web1' in f:
            lab.dr('import', f)
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'))


def fill_media(lab, *how):
    """The same command with one small medium after the other; what was on the earlier ones is not touched."""
    media, seen = [], {}
    for i in range(1, 9):
        with mounted(lab, 'usb%d' % i, 5 * M) as at:
            p = run(*argv(lab, at, *how), rc=None)
            keep = medium(lab, 'kept%s-usb%d' % (how[0], i))
            shutil.copytree(at + '/vmferry', keep + '/vmferry', ignore=shutil.ignore_patterns('*.part'))
            media.append(keep)
            check(not parts(at), 'a volume was begun that does not fit')
        if p.returncode == 0:
            return media
        check(p.returncode == 3 and 'next --media' in p.stderr, p.returncode, p.stderr)
        check(volumes(keep), 'nothing came onto medium', i, p.stderr)
        names = [os.path.basename(v) for v in volumes(keep)]
        check(not set(names) & set(seen), 'written once more:', names)
        seen.update(dict.fromkeys(names))
    raise Failed('it never ends')


def test_a_full_medium_is_continued_on_the_next():
    if not can_mount():
        return
    lab = media_lab(12 * M)
    lab.keep('now')
    age(lab)
    media = fill_media(lab, '--seed')
    check(len(media) >= 3, 'it all went onto', len(media))
    arrive(lab, *media)
    nothing_pending(lab)
    for p in lab.disks.values():
        lab.write(p, 0, os.path.getsize(p) // 2)
    lab.keep('then')
    media = fill_media(lab, '--delta')      # disks that were just written: proved by reading them
    check(len(media) >= 2, 'it all went onto', len(media))
    arrive(lab, *media, tag='then')
    nothing_pending(lab)


def test_an_export_against_a_comparison_goes_on_too():
    if not can_mount():
        return
    lab = media_lab(12 * M)
    lab.dr('import', lab.export('--seed', '--plain'))
    for p in lab.disks.values():
        lab.write(p, 0, os.path.getsize(p) - 64 * K)
    lab.keep('now')
    age(lab)
    lab.dr('compare', 'web1', '-o', lab.path('compared'))
    media = fill_media(lab, '--against', lab.path('compared'))
    check(len(media) >= 2, 'it all went onto', len(media))
    arrive(lab, *media)
    nothing_pending(lab)
    for p in lab.disks.values():
        lab.write(p, 0, 64 * K)
    lab.keep('then')
    lab.dr('import', lab.export('--delta', '--since', 'sent'))
    lab.same('then', os.path.join(lab.dr.replica(), 'disks'))


def test_a_disk_that_changed_between_two_media_starts_anew_and_says_so():
    if not can_mount():
        return
    for aged in True, False:
        lab = media_lab(12 * M)
        if aged:
            age(lab)
        with mounted(lab, 'usb1', 5 * M) as at:
            run(*argv(lab, at, '--seed'), rc=3)
        lab.write(lab.disks['vda'], 0, 4096)
        lab.keep('now')
        m = medium(lab, 'large')
        p = run(*argv(lab, m, '--seed'))
        check('has changed' in p.stderr and 'never be completed' in p.stderr and "'usb1'" in p.stderr, p.stderr)
        arrive(lab, m)
        nothing_pending(lab)
        lab.close()


def test_what_changed_behind_the_prefix_goes_on_all_the_same():
    """The content is proved by what was read; what was not read yet may have changed."""
    if not can_mount():
        return
    lab = media_lab(12 * M)
    with mounted(lab, 'usb1', 5 * M) as at:
        run(*argv(lab, at, '--seed'), rc=3)
        shutil.copytree(at + '/vmferry', medium(lab, 'kept') + '/vmferry')
    lab.write(lab.disks['vdb'], 0, 4096)
    lab.keep('now')
    m = medium(lab, 'large')
    p = run(*argv(lab, m, '--seed'))
    check('has changed' not in p.stderr, p.stderr)
    arrive(lab, lab.path('kept'), m)
    nothing_pending(lab)


def test_other_exports_wait_until_it_is_finished_or_given_up():
    if not can_mount():
        return
    lab = media_lab(12 * M)
    with mounted(lab, 'usb1', 5 * M) as at:
        run(*argv(lab, at, '--seed'), rc=3)
    check(any('is not finished' in c and "'usb1'" in c for c in lab.hq.json('status')[0]['causes']), 'status does not tell')
    p = lab.hq('export', 'web1', '--seed', '-o', lab.path('x.vmf'), rc=1)
    check("'vmferry export web1 --seed --media DIR'" in p.stderr and '--anew' in p.stderr, p.stderr)
    check(lab.hq.json('status')[0]['last_point'] is None, 'a point was cut')
    p = lab.hq('export', 'web1', '--seed', '-o', lab.path('x.vmf'), '--anew')
    check('never be completed' in p.stderr, p.stderr)
    lab.dr('import', lab.path('x.vmf'))
    nothing_pending(lab)


def test_a_pulled_disk_is_continued_on_another_one():
    """The medium goes away in the middle of a write; what was whole and read back on it counts."""
    if not can_mount() or shutil.which('dmsetup') is None:
        print('        skipped: no dmsetup')
        return
    lab = media_lab(24 * M)
    lab.keep('now')
    image = lab.path('usb.img')
    with open(image, 'wb') as f:
        f.truncate(40 * M)
    loop = run('losetup', '-f', '--show', image).stdout.strip()
    name, at = 'vmferry-pulled-%d' % os.getpid(), medium(lab, 'usb1')
    good, bad = '0 81920 linear %s 0' % loop, '0 81920 error'
    try:
        if run('dmsetup', 'create', name, '--table', good, rc=None).returncode != 0:
            print('        skipped: no device mapper here')
            return
        run('mkfs.ext4', '-q', '-F', '/dev/mapper/' + name)
        run('mount', '/dev/mapper/' + name, at)
        log = open(lab.path('log'), 'wb')
        p = start(*argv(lab, at, '--seed'), stdout=log, stderr=log)
        while p.poll() is None and not volumes(at):
            pass
        run('dmsetup', 'suspend', '--noflush', '--nolockfs', name)
        run('dmsetup', 'load', name, '--table', bad)
        run('dmsetup', 'resume', name)
        rc = p.wait()
        run('umount', '-l', at)
        run('dmsetup', 'load', name, '--table', good)
        run('dmsetup', 'resume', name)
        run('mount', '-o', 'ro', '/dev/mapper/' + name, at)
        kept = medium(lab, 'kept')
        shutil.copytree(at + '/vmferry', kept + '/vmferry', ignore=shutil.ignore_patterns('*.part'))
        run('umount', at)
        m = medium(lab, 'usb2')
        if rc != 0:
            run(*argv(lab, m, '--seed'))
        arrive(lab, *([kept, m] if rc != 0 else [kept]))
        nothing_pending(lab)
    finally:
        run('umount', '-l', at, rc=None)
        run('dmsetup', 'remove', '--force', name, rc=None)
        run('losetup', '-d', loop, rc=None)


def cut_short(lab, path, keep):
    """An export to a file that is stopped when so many bytes are there."""
    with open(lab.path('log'), 'wb') as log:
        p = start(tool('export'), '--home', lab.hq.home, 'web1', '--seed', '--compress', 'none', '-o', path, stdout=log, stderr=log)
        while p.poll() is None and not (os.path.exists(path + '.part') and os.path.getsize(path + '.part') > keep):
            pass
        p.send_signal(signal.SIGKILL)
        p.wait()


def test_a_file_goes_on_behind_its_last_good_segment():
    for aged in True, False:
        lab = media_lab(64 * M)
        lab.keep('now')
        if aged:
            age(lab)
        out = lab.path('x.vmf')
        cut_short(lab, out, 8 * M)
        check(os.path.exists(out + '.part'), 'it was too fast to be cut short')
        with open(out + '.part', 'rb') as f:
            before = f.read(6 * M)
        p = run(tool('export'), '--home', lab.hq.home, 'web1', '--seed', '--compress', 'none', '-o', out)
        check('going on with' in p.stderr, p.stderr)
        with open(out, 'rb') as f:
            check(f.read(6 * M) == before, 'what was there was written once more')
        lab.dr('import', out)
        lab.same('now', os.path.join(lab.dr.replica(), 'disks'))
        nothing_pending(lab)
        lab.close()


def test_a_file_that_was_cut_anywhere_or_damaged_is_made_whole():
    lab = media_lab(8 * M)
    lab.keep('now')
    out = lab.path('x.vmf')
    cut_short(lab, out, 5 * M)
    check(os.path.exists(out + '.part'), 'it was too fast to be cut short')
    stage = Stage(lab)
    size = os.path.getsize(out + '.part')
    for n in [0, 1, 512, 5000, size // 3, size // 2, size - 1, -1]:
        stage.reset('hq', 'x.vmf', 'x.vmf.part', 'dr')
        with open(out + '.part', 'r+b') as f:
            if n >= 0:
                f.truncate(n)
            else:
                f.seek(size // 2)
                f.write(b'damage')
        lab.hq('export', 'web1', '--seed', '--compress', 'none', '-o', out)
        lab.dr('import', out)
        lab.same('now', os.path.join(lab.dr.replica(), 'disks'), 'cut at %d:' % n)
        nothing_pending(lab)
    stage.close()


def through_a_pipe(lab, limit, *how, rc=None):
    """An export into a receiver, over a line that breaks after so many bytes; then the receiver's word of where it is."""
    cmd = [tool('export'), '--home', lab.hq.home, 'web1', *how]
    ours, theirs = socket.socketpair()          # which holds less than a pipe: the end is not in it before it breaks
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    with open(lab.path('log'), 'wb') as log:
        e = start(*cmd, stdin=subprocess.DEVNULL, stdout=theirs, stderr=log)
        theirs.close()
        i = start(tool('import'), '--home', lab.dr.home, stdin=subprocess.PIPE, stdout=log, stderr=log)
        while limit is None or limit > 0:
            data = ours.recv(64 * K if limit is None else min(limit, 64 * K))
            if not data:
                break
            i.stdin.write(data)
            limit = None if limit is None else limit - len(data)
        ours.close()
        i.stdin.close()
        got = e.wait(), i.wait()
    with open(lab.path('log')) as f:
        words = f.read()
    check(rc is None or got == rc, 'export and import: exit', *got, words)
    return words


def position(lab):
    with open(lab.path('position'), 'w') as f:
        f.write(lab.dr('import', '--position').stdout)
    return lab.path('position')


def test_a_broken_line_goes_on_where_the_receiver_stands():
    lab = media_lab(64 * M)
    lab.keep('now')
    age(lab)
    through_a_pipe(lab, 9 * M, '--seed', '--compress', 'none', rc=(3, 1))
    through_a_pipe(lab, 7 * M, '--seed', '--compress', 'none', '--resume-from', position(lab), rc=(3, 1))
    through_a_pipe(lab, None, '--seed', '--compress', 'none', '--resume-from', position(lab), rc=(0, 0))
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'))
    lab.dr('scrub', 'web1')
    nothing_pending(lab)
    for p in lab.disks.values():        # the changes are known as if nothing had happened
        lab.write(p, 0, 64 * K)
    lab.keep('then')
    lab.dr('import', lab.export('--delta', '--since', 'sent'))
    lab.same('then', os.path.join(lab.dr.replica(), 'disks'))


def test_a_broken_line_of_a_delta_goes_on_where_the_receiver_stands():
    lab = media_lab(80 * M)
    lab.dr('import', lab.export('--seed'))
    for p in lab.disks.values():
        lab.write(p, 0, os.path.getsize(p) - 512 * K)
    lab.keep('now')
    age(lab)
    words = through_a_pipe(lab, 40 * M, '--delta', rc=(3, 1))
    through_a_pipe(lab, None, '--delta', '--resume-from', position(lab), rc=(0, 0))
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'))
    lab.dr('scrub', 'web1')
    nothing_pending(lab)


def test_what_goes_on_is_just_what_is_missing():
    """From whatever record the receiver names: the same bytes as from an earlier one, but for what it has."""
    lab = media_lab(70 * M)
    age(lab)
    how = '--seed', '--plain', '--compress', 'none'
    whole = os.path.getsize(lab.export(*how))
    through_a_pipe(lab, whole - 6000, *how, rc=(3, 1))
    with open(position(lab)) as f:
        hint = json.load(f)
    log, = [p for p in glob.glob(lab.path('hq', 'primaries', '*-*', 'shipped', hint['bundle']))]
    with open(log, 'rb') as f:
        text = f.read()
    records = {text[i + 8]: text[i:i + 256] for i in range(8, len(text) - 255) if text[i:i + 8] == b'VMFERRY1'}
    check({1, 2, 3, 4, 5} <= set(records), 'only records of types', *records)
    stage, before = Stage(lab), None
    for kind in 1, 2, 3, 4, 5:      # header, volume, the last segment, index, manifest
        hint['record'] = records[kind].hex()
        with open(lab.path('hint'), 'w') as f:
            json.dump(hint, f)
        rest = lab.hq('export', 'web1', *how, '--resume-from', lab.path('hint'), text=False).stdout
        if kind > 3:                # before these a segment is made anew, and that has another signature
            check(before.endswith(rest) and len(rest) < len(before), 'from record type', kind)
        before = rest
        nothing_pending(lab)
        stage.reset('hq')
    stage.close()


def test_a_position_is_a_hint_that_is_checked():
    lab = media_lab(64 * M)
    age(lab)
    lab.hq('export', 'web1', '--resume-from', '/dev/null', rc=1)
    through_a_pipe(lab, 9 * M, '--seed', '--compress', 'none', rc=(3, 1))
    how = 'export', 'web1', '--seed', '--compress', 'none', '--resume-from'
    with open(position(lab)) as f:
        good = json.load(f)
    raw = bytearray.fromhex(good['record'])
    raw[40] ^= 1
    for bad in ({}, [], {'record': '00'}, dict(good, record=raw.hex()), dict(good, record='00' * 256)):
        with open(lab.path('bad'), 'w') as f:
            json.dump(bad, f)
        p = lab.hq(*how, lab.path('bad'), rc=1)
        check(p.stdout == '', 'something was written')
    lab.write(lab.disks['vda'], 0, 4096)
    p = lab.hq(*how, lab.path('position'), rc=1)
    check('proved' in p.stderr or 'changed' in p.stderr, p.stderr)


def next_delta(lab):
    """What the primary remembers of the point is right too: the next delta leads to what the disks hold."""
    for p in lab.disks.values():
        lab.write(p, 8 * K, 64 * K)
    shutil.rmtree(lab.path('kept', 'next'), ignore_errors=True)
    lab.keep('next')
    lab.dr('import', lab.export('--delta', '--since', 'sent', name='next.vmf'))
    lab.same('next', os.path.join(lab.dr.replica(), 'disks'), 'the replica after the next delta:')


def media_sweep(name, lab, how, first, tag='now'):
    """Kill the export at every system call, twice; then it ends, and the replica gets what the disks hold."""
    stage = Stage(lab)
    m = lab.path('usb')
    cmd = argv(lab, m, *how)
    calls, _ = record(cmd, lab.dir, threads=99)
    stage.reset('hq', 'usb', 'dr')
    n = 0
    chosen = points(calls, 3, first)
    for call, when in chosen if FULL else chosen[first::6]:
        check(killed(cmd, lab.dir, call, when))
        killed(cmd, lab.dir, call, max(1, when // 2), must=False)
        p = run(*cmd, rc=None)
        check(p.returncode == 0, 'after', call, when, ':', p.stderr)
        check(not parts(m), 'left over after', call, when, parts(m))
        nothing_pending(lab)
        arrive(lab, m, tag=tag)
        if n % 4 == 0:
            next_delta(lab)
        stage.reset('hq', 'usb', 'dr', *(os.path.basename(d) for d in lab.disks.values()))
        n += 1
    print('        %s: %d kills' % (name, n))
    stage.close()


def test_a_kill_anywhere_loses_nothing_on_a_medium():
    hurry()
    lab = media_lab(4 * M)
    lab.keep('now')
    age(lab)
    medium(lab, 'usb')
    media_sweep('export --seed --media', lab, ['--seed', '--compress', 'none'], 0)


def test_a_kill_anywhere_loses_nothing_of_a_delta_by_a_list():
    hurry()
    lab = media_lab(4 * M)
    lab.dr('import', lab.export('--seed'))
    for p in lab.disks.values():
        lab.write(p, 0, os.path.getsize(p) * 3 // 4)
    lab.keep('now')
    medium(lab, 'usb')
    with open(lab.path('changes'), 'w') as f:
        f.write('vda 0 %d\nvdb 0 %d\n' % (3 * M, 384 * K))
    media_sweep('export --delta --media', lab, ['--delta', '--compress', 'none', '--changes', lab.path('changes')], 1)


if __name__ == '__main__':
    main('__main__')
