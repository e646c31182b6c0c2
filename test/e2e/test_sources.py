#!/usr/bin/env python3
"""Where disks come from: raw files, block devices, qcow2, VHDX and VMDK over NBD; how changes are found; odd sizes."""
import contextlib, hashlib, mmap

from inject import on_disk
from lab import *

T = 1 << 40


def digest(path):
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').hexdigest() if hasattr(hashlib, 'file_digest') else hashlib.sha256(f.read()).hexdigest()


def only(disks, **kw):
    """A lab whose VM has just these disks, id -> path or URI, not yet enabled unless there are some."""
    lab = Lab(where=on_disk(), sizes=(), enable=False, **kw)
    lab.disks = dict(disks)
    return lab


def enable(lab, *more):
    lab.hq('enable', 'web1', '--to', 'dr', '--points', '24', *lab.disk_args(), *more)


def has(*programs):
    gone = [p for p in programs if shutil.which(p, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin') is None]
    if gone:
        print('        skipped: not installed:', *gone)
    return not gone


@contextlib.contextmanager
def nbd(lab, *argv):
    """A server on a socket of its own for as long as the block runs; gives the URI.  {} in argv is the socket."""
    sock = lab.path('nbd%d' % len(glob.glob(lab.path('nbd*'))))
    p = start(*[a.replace('{}', sock) for a in map(str, argv)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        while not os.path.exists(sock):
            check(p.poll() is None, 'the NBD server ended:', p.stderr.read() if p.poll() is not None else '')
            os.sched_yield()
        yield 'nbd+unix:///?socket=' + sock
    finally:
        p.terminate()
        p.wait()
        p.stderr.close()
        if os.path.exists(sock):
            os.unlink(sock)


def qemu_nbd(lab, image, fmt, *more):
    return nbd(lab, 'qemu-nbd', '-t', '-e', '4', '-r', '-k', '{}', '-f', fmt, *more, image)


def compare(lab, raw, disk='vda'):
    got = os.path.join(lab.dr.replica(), 'disks', disk + '.raw')
    check(filecmp.cmp(got, raw, shallow=False), 'disk', disk, 'is not what', raw, 'holds')
    lab.dr('scrub', 'web1')


def test_qcow2_vhdx_and_vmdk_come_over_as_they_are():
    if not has('qemu-nbd', 'qemu-img', 'qemu-io'):
        return
    lab = only({})
    images = []
    for i, fmt in enumerate(('qcow2', 'vhdx', 'vmdk')):
        p = lab.path('disk.' + fmt)
        run('qemu-img', 'create', '-q', '-f', fmt, p, '24M')
        run('qemu-io', '-f', fmt, '-c', 'write -P %d 0 300k' % (i + 1), '-c', 'write -P 9 8M 1M', '-c', 'write -z 8500k 64k', p)
        images.append((fmt, p))
    with contextlib.ExitStack() as servers:
        lab.disks = {'vd%c' % (97 + i): servers.enter_context(qemu_nbd(lab, p, fmt)) for i, (fmt, p) in enumerate(images)}
        before = [digest(p) for _, p in images]
        enable(lab)
        lab.dr('import', lab.export('--seed'))
        check([digest(p) for _, p in images] == before, 'an export changed its source')
        for i, (fmt, p) in enumerate(images):
            run('qemu-img', 'convert', '-f', fmt, '-O', 'raw', p, lab.path('raw'))
            compare(lab, lab.path('raw'), 'vd%c' % (97 + i))
    with contextlib.ExitStack() as servers:     # the guest ran, the servers are new ones at the same sockets
        for fmt, p in images:
            run('qemu-io', '-f', fmt, '-c', 'write -P 77 1M 20k', '-c', 'write -z 8M 128k', '-c', 'discard 0 128k', p)
            servers.enter_context(qemu_nbd(lab, p, fmt))
        lab.dr('import', lab.export('--delta'))
        for i, (fmt, p) in enumerate(images):
            run('qemu-img', 'convert', '-f', fmt, '-O', 'raw', p, lab.path('raw'))
            compare(lab, lab.path('raw'), 'vd%c' % (97 + i))
    p = lab.hq('export', 'web1', rc=None)
    check(p.returncode == 3 and 'connect' in p.stderr, 'without its server: exit', p.returncode, p.stderr)
    lab.close()


def test_an_export_of_very_many_stretches_is_asked_about_once():
    """More of them than are kept of one answer; asked about at each one, it would take minutes."""
    if not has('qemu-nbd'):
        return
    lab = only({})
    disk, n = lab.path('disk'), 8500
    with open(disk, 'wb') as f:
        for i in range(n):
            f.seek(i * 8 * K)
            f.write(b'%08d' % i * 512)
        f.truncate(n * 8 * K)
    with qemu_nbd(lab, disk, 'raw') as uri:
        lab.disks = {'vda': uri}
        enable(lab)
        began = time.time()
        seed = lab.export('--seed')
        check(time.time() - began < 120, 'it took', time.time() - began, 'seconds')
    lab.dr('import', seed)
    compare(lab, disk)
    lab.close()


def test_a_dirty_bitmap_tells_what_changed_and_without_it_all_is_compared():
    if not has('qemu-nbd', 'qemu-img', 'qemu-io'):
        return
    lab = only({})
    disk, raw = lab.path('disk.qcow2'), lab.path('raw')
    run('qemu-img', 'create', '-q', '-f', 'qcow2', disk, '32M')
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 1 0 4M', disk)
    with qemu_nbd(lab, disk, 'qcow2') as uri:
        lab.disks = {'vda': uri}
        enable(lab)
        lab.dr('import', lab.export('--seed'))
    run('qemu-img', 'bitmap', '--add', '-f', 'qcow2', disk, 'since')
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 2 1M 64k', '-c', 'write -P 3 20M 4k', '-c', 'write -z 2M 64k', disk)
    with qemu_nbd(lab, disk, 'qcow2', '-B', 'since'):
        p = lab.hq('export', 'web1', '--delta', '--changes', 'bitmap:since', '-o', lab.path('d1.vmf'))
    check('compared' not in p.stderr, 'the bitmap was not used:', p.stderr)
    lab.dr('import', lab.path('d1.vmf'))
    run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', disk, raw)
    compare(lab, raw)
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 4 5M 64k', disk)
    with qemu_nbd(lab, disk, 'qcow2'):
        p = lab.hq('export', 'web1', '--delta', '--since', 'sent', '--changes', 'bitmap:since', '-o', lab.path('d2.vmf'), rc=None)
    check(p.returncode == 0, 'without the bitmap: exit', p.returncode, p.stderr)
    check("no dirty bitmap 'since'" in p.stderr and 'compared' in p.stderr, 'it is not said that all is compared:', p.stderr)
    lab.dr('import', lab.path('d2.vmf'))
    run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', disk, raw)
    compare(lab, raw)
    lab.close()


def test_a_bitmap_is_really_believed():
    """The control of the test above: what the bitmap leaves out is not found, until the next comparison."""
    if not has('qemu-nbd', 'qemu-img', 'qemu-io'):
        return
    lab = only({})
    disk = lab.path('disk.qcow2')
    run('qemu-img', 'create', '-q', '-f', 'qcow2', disk, '8M')
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 1 0 1M', disk)
    with qemu_nbd(lab, disk, 'qcow2') as uri:
        lab.disks = {'vda': uri}
        enable(lab)
        lab.dr('import', lab.export('--seed'))
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 2 0 64k', disk)
    run('qemu-img', 'bitmap', '--add', '-f', 'qcow2', disk, 'late')
    with qemu_nbd(lab, disk, 'qcow2', '-B', 'late'):
        d = lab.export('--delta', '--changes', 'bitmap:late')
        check(json.loads(run(VMFERRY, 'inspect', '--json', d).stdout)['segments'] == 0, 'the bitmap was not asked')
        lab.dr('import', d)
        lab.dr('import', lab.export('--delta'))     # a comparison finds it
    run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', disk, lab.path('raw'))
    compare(lab, lab.path('raw'))
    lab.close()


def test_lists_of_changes_in_every_form():
    lab = Lab(where=on_disk())
    lab.dr('import', lab.export('--seed'))
    changes, disk = lab.path('changes'), lab.disks['vda']

    def point(text, writes, via='FILE', rc=0):
        for offset, length in writes:
            lab.write(disk, offset, length)
        with open(changes, 'w') as f:
            f.write(text)
        out = lab.path('d.vmf')
        with open(changes) as f:
            p = lab.hq('export', 'web1', '--since', 'sent', '--changes', changes if via == 'FILE' else '-', '-o', out, rc=rc,
                       stdin=f if via == '-' else subprocess.DEVNULL)
        if rc == 0:
            lab.keep('now')
            lab.dr('import', out)
            lab.same('now', os.path.join(lab.dr.replica(), 'disks'), text)
            lab.dr('scrub', 'web1')
            shutil.rmtree(lab.path('kept', 'now'))
        return p

    point('vda 0 4096\n', [(0, 4096)])
    point('vda 0x100000 0x1000\nvda 512 1\n', [(1 * M, 4096), (512, 1)], '-')
    point('vda 2097152 4096\nvda 4096 4096\nvda 1048576 9000\n', [(2 * M, 4096), (4 * K, 4096), (1 * M, 9000)])    # unsorted
    point('vda 0 20000\nvda 4096 8192\nvda 100 1\nvda 0 20000\n', [(0, 20000)])                                     # overlapping
    point('vda 0 4194304\nvdb 0 2000000\n', [(3 * M, 100)])                                                         # superset, too long
    point('vda 99999999999 4096\nvda 300 0\nvda 4093 5\n', [(4093, 5)])                                             # beyond the end, empty
    point('# words\n\n  vda\t8192 512\r\nvda 0x0 1\n', [(8192, 512), (0, 1)])
    point('vda 8192 512 read-write extra\n', [(8192, 512)])
    points = lab.dr.json('points', 'web1')
    for text in ('vdx 0 4096\n', '0 4096\n', 'vda 0\n', 'vda -4096 8192\n', 'vda 0 four\n', 'vda 1e3 5\n', 'vda 0 99999999999999999999999\n',
                 'vda 0 4096\nrubbish\n', 'vda 0 ' + '1' * 600 + '\n', '\x01\x02\n', 'vda 0x 1\n', 'vda 08q 1\n'):
        p = point(text, [], rc=1)
        check('line' in p.stderr, 'no line is named:', p.stderr)
    check(not os.path.exists(lab.path('d.vmf.part')))
    p = lab.hq('export', 'web1', '--changes', lab.path('none'), '-o', lab.path('d.vmf'), rc=3)
    check(lab.dr.json('points', 'web1') == points)
    lab.close()
    lab = Lab(where=on_disk(), sizes=(1 * M,))      # with one disk, a line need not name it
    lab.dr('import', lab.export('--seed'))
    lab.write(lab.disks['vda'], 40 * K, 8 * K)
    with open(lab.path('changes'), 'w') as f:
        f.write('40960 4096\n0xb000 0x1000\n')
    lab.keep(2)
    lab.dr('import', lab.export('--changes', lab.path('changes')))
    lab.same(2, os.path.join(lab.dr.replica(), 'disks'))
    lab.close()


def test_a_list_that_leaves_a_write_out_is_found_by_the_next_comparison():
    lab = Lab(where=on_disk())
    lab.dr('import', lab.export('--seed'))
    lab.write(lab.disks['vda'], 0, 4096)
    lab.write(lab.disks['vda'], 1 * M, 4096)
    with open(lab.path('changes'), 'w') as f:
        f.write('vda 0 4096\n')
    lab.dr('import', lab.export('--changes', lab.path('changes')))
    lab.keep('now')
    lab.dr('import', lab.export('--since', 'sent'))
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'))
    lab.close()


def test_a_block_device():
    if os.geteuid() != 0 or not has('losetup'):
        print('        skipped: needs root and losetup')
        return
    lab = only({})
    image = lab.make_disk('disk', 3 * M + 512)
    device = run('losetup', '-f', '--show', image).stdout.strip()
    try:
        lab.disks = {'vda': device}
        enable(lab)
        before = digest(image)
        lab.dr('import', lab.export('--seed'))
        check(digest(image) == before, 'an export changed its source')
        compare(lab, image)
        with open(device, 'r+b') as f:
            f.seek(1 * M)
            f.write(b'guest' * 1000)
            f.flush()
            os.fsync(f.fileno())
            p = lab.hq('export', 'web1', '-o', lab.path('x'), rc=1)
            check('open for writing' in p.stderr, 'a device in use:', p.stderr)
        lab.dr('import', lab.export('--delta'))
        compare(lab, image)
    finally:
        run('losetup', '-d', device)
    lab.close()


def test_a_disk_that_a_program_writes_to_is_refused():
    lab = Lab(where=on_disk())
    with open(lab.disks['vdb'], 'r+b'):
        p = lab.hq('export', 'web1', '--seed', '-o', lab.path('x'), rc=1)
        check('open for writing' in p.stderr and lab.disks['vdb'] in p.stderr, p.stderr)
        check(not glob.glob(lab.path('x*')), 'something was written')
        lab.hq('export', 'web1', '--seed', '--live-unsafe', '-o', lab.path('x'))
    with open(lab.disks['vdb'], 'rb'):
        lab.export('--seed')        # reading is fine
    with open(lab.disks['vdb'], 'r+b') as f:
        mapped = mmap.mmap(f.fileno(), 0)
    lab.hq('export', 'web1', '--seed', '-o', lab.path('y'), rc=1)   # it is closed, but can still be written to
    mapped.close()
    lab.hq('export', 'web1', '--seed', '-o', lab.path('y'))
    lab.close()


def test_a_disk_that_a_program_opens_during_the_export_gives_the_export_up():
    lab = Lab(where=on_disk(), sizes=(6 * M,))
    lab.write(lab.disks['vda'], 0, 6 * M)
    seqs = [x['last_point'] for x in lab.hq.json('status')]
    p = start(os.path.join(BIN, 'vmferry-export'), '--home', lab.hq.home, 'web1', '--seed', stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    out = os.read(p.stdout.fileno(), 1024)      # it is on its way, and the pipe holds less than it has to write
    try:
        os.close(os.open(lab.disks['vda'], os.O_WRONLY | os.O_NONBLOCK))
    except BlockingIOError:
        pass                                    # the export's lease keeps the program waiting, and the export learns of it
    out += p.stdout.read()
    words = p.stderr.read().decode()
    check(p.wait() == 3 and 'opened it for writing' in words, 'exit', p.returncode, words)
    check([x['last_point'] for x in lab.hq.json('status')] == seqs, 'a point was cut')
    with open(lab.path('cut'), 'wb') as f:
        f.write(out)
    lab.dr('verify', lab.path('cut'), rc=1)
    lab.close()


def test_an_export_never_alters_its_source():
    lab = Lab(where=on_disk())
    stat = lambda: [(digest(p), os.stat(p).st_mtime_ns, os.stat(p).st_blocks, os.stat(p).st_size, os.stat(p).st_mode) for p in lab.disks.values()]
    before = stat()
    lab.export('--seed')
    lab.export('--delta')
    lab.export('--live-unsafe', '--delta')
    check(stat() == before, 'the source is not what it was')
    for p in lab.disks.values():
        os.chmod(p, 0o444)
    lab.export('--delta')
    lab.close()


def test_growth_and_shrink_and_odd_ends():
    lab = Lab(where=on_disk())
    a, b = lab.disks['vda'], lab.disks['vdb']
    lab.keep(1)
    lab.dr('import', lab.export('--seed'))
    sizes = [(4 * M + 512, 512), (4 * M + 3584, 1 * M + 4096 + 1024), (512, 513 * 512), (2 * M + 4608, 512), (2 * M + 512, 8 * M),
             (2 * M, 8 * M - 512), (64 * K, 8 * M), (64 * K + 512, 4096)]
    for n, (x, y) in enumerate(sizes, 2):
        os.truncate(a, x)
        os.truncate(b, y)
        for p, s in ((a, x), (b, y)):
            if n % 2 == 0:
                lab.write(p, s - 512, 512)
            lab.write(p, s // 1024 * 512, min(512, s))
        lab.keep(n)
        how = ['--since', 'sent']
        if n % 2:       # a list that does not speak of what the resize did
            with open(lab.path('changes'), 'w') as f:
                f.write('vda %d 512\nvdb %d 512\n' % (x // 1024 * 512, y // 1024 * 512))
            how += ['--changes', lab.path('changes')]
        lab.dr('import', lab.export(*how, '--plain'))
        lab.same(n, os.path.join(lab.dr.replica(), 'disks'), 'point %d:' % n)
        lab.dr('scrub', 'web1')
    for n in range(1, len(sizes) + 2):
        lab.dr('restore', 'web1', '--point', n, '-o', lab.path('out'))
        lab.same(n, lab.path('out'), 'restored point %d:' % n)
        shutil.rmtree(lab.path('out'))
    lab.close()


def test_shrink_and_growth_again_between_two_exports_leave_no_old_bytes():
    lab = Lab(where=on_disk(), sizes=(1 * M,))
    lab.write(lab.disks['vda'], 0, 1 * M)
    lab.keep(1)
    lab.dr('import', lab.export('--seed', '--plain'))
    os.truncate(lab.disks['vda'], 100 * K + 512)
    lab.keep(2)
    small = lab.export('--delta', '--plain')
    os.truncate(lab.disks['vda'], 1 * M)        # zeroes where there was data, in points 1 and 2
    lab.keep(3)
    both = lab.export('--delta', '--plain')     # from the seed to here, past the small one
    lab.dr('import', both)
    lab.same(3, os.path.join(lab.dr.replica(), 'disks'), 'from 1 to 3:')
    lab.dr('restore', 'web1', '--point', 1, '-o', lab.path('out'))
    lab.same(1, lab.path('out'))
    run('python3', RESCUE, '-o', lab.path('r'), lab.path('b0.vmf'), both)
    lab.same(3, lab.path('r'), 'rescue.py:')
    run('python3', RESCUE, '-o', lab.path('r2'), lab.path('b0.vmf'), small, both)
    lab.same(3, lab.path('r2'), 'rescue.py, by way of 2:')
    lab.close()


def test_writes_beyond_4_gib():
    lab = only({})
    p = lab.path('disk')
    with open(p, 'wb') as f:
        f.truncate(9 * G + 512)
    places = [0, 4 * G - 4096, 4 * G, 4 * G + 12 * K, 8 * G + 1, 9 * G]
    for at in places:
        lab.write(p, at, 512 if at == 9 * G else 5000)
    lab.disks = {'vda': p}
    enable(lab)
    lab.dr('import', lab.export('--seed'))

    def same():
        got = os.path.join(lab.dr.replica(), 'disks', 'vda.raw')
        check(os.path.getsize(got) == os.path.getsize(p))
        with open(p, 'rb') as a, open(got, 'rb') as b:
            for at in places:
                for f in (a, b):
                    f.seek(max(0, at - 8 * K))
                check(a.read(24 * K) == b.read(24 * K), 'around byte', at)
        lab.dr('scrub', 'web1')
    same()
    for at in places[1:]:
        lab.write(p, at, 100)
    lab.dr('import', lab.export('--delta'))
    same()
    lab.close()


def bounded(argv, most=96 * M):
    """Run, and hold its memory at its highest to the bound."""
    pid = os.posix_spawn(argv[0], [str(a) for a in argv], os.environ)
    _, status, usage = os.wait4(pid, 0)
    check(os.waitstatus_to_exitcode(status) == 0, *argv, 'exit', os.waitstatus_to_exitcode(status))
    check(usage.ru_maxrss * 1024 <= most, os.path.basename(argv[0]), 'took', usage.ru_maxrss // 1024, 'MiB of memory')


def test_an_8_tib_sparse_disk_in_bounded_memory():
    lab = only({})
    p = lab.path('disk')
    try:
        with open(p, 'wb') as f:
            f.truncate(8 * T)
    except OSError as e:
        print('        skipped: no file of 8 TiB here:', e)
        return lab.close()
    places = [0, 3 * G + 17, 2 * T, 5 * T + 4 * K, 8 * T - 2 * M]
    for at in places:
        lab.write(p, at, 1 * M)
    lab.disks = {'vda': p}
    enable(lab)
    b = lambda v: os.path.join(BIN, 'vmferry-' + v)
    words, err = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    os.dup2(words, 2)
    try:
        bounded([b('export'), '--home', lab.hq.home, 'web1', '--seed', '-o', lab.path('s.vmf')])
        bounded([b('import'), '--home', lab.dr.home, lab.path('s.vmf')])
        for at in places:
            lab.write(p, at + 64 * K, 8 * K)
        bounded([b('export'), '--home', lab.hq.home, 'web1', '--delta', '-o', lab.path('d.vmf')])
        bounded([b('import'), '--home', lab.dr.home, lab.path('d.vmf')])
        bounded([b('restore'), '--home', lab.dr.home, 'web1', '--point', '1', '-o', lab.path('out')])
        bounded([b('scrub'), '--home', lab.dr.home, 'web1'])
        bounded([b('verify'), '--home', lab.dr.home, lab.path('s.vmf')])
    finally:
        os.dup2(err, 2)
        os.close(words)
        os.close(err)
    old = os.path.join(lab.path('out'), 'vda.raw')
    got = os.path.join(lab.dr.replica(), 'disks', 'vda.raw')
    check(os.path.getsize(got) == os.path.getsize(old) == 8 * T, 'the size')
    for at in places:
        with open(p, 'rb') as x, open(got, 'rb') as y, open(old, 'rb') as z:
            for f in (x, y, z):
                f.seek(at)
            now, here, before = x.read(1 * M), y.read(1 * M), z.read(1 * M)
            check(now == here, 'at byte', at)
            check(before[:64 * K] == now[:64 * K] and before[72 * K:] == now[72 * K:] and before != now, 'point 1 at byte', at)
    check(os.stat(got).st_blocks * 512 < 64 * M and os.stat(old).st_blocks * 512 < 64 * M, 'the images are not sparse')
    check(os.path.getsize(lab.path('s.vmf')) < 8 * M, 'the seed has', os.path.getsize(lab.path('s.vmf')), 'bytes')
    lab.close()


def test_an_unreadable_sector_aborts_the_export():
    lab = only({})
    raw = lab.make_disk('disk', 4 * M)
    lab.write(raw, 0, 4 * M)
    tried = 0
    if shutil.which('qemu-nbd'):
        blkdebug = ('driver=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename=%s,file.inject-error.0.event=read_aio,'
                    'file.inject-error.0.errno=5,file.inject-error.0.sector=4000' % raw)
        with nbd(lab, 'qemu-nbd', '-t', '-e', '4', '-r', '-k', '{}', '--image-opts', blkdebug) as uri:
            tried += 1
            lab.disks = {'vda': uri}
            enable(lab)
            p = lab.hq('export', 'web1', '--seed', '-o', lab.path('x.vmf'), rc=None)
            check(p.returncode == 3 and 'read' in p.stderr, 'exit', p.returncode, p.stderr)
            check(not os.path.exists(lab.path('x.vmf')), 'something has the name of a bundle')
            check(lab.hq.json('status')[0]['last_point'] is None, 'a point was cut')
    if shutil.which('nbdkit'):
        with nbd(lab, 'nbdkit', '-f', '-U', '{}', '--filter=error', 'file', raw, 'error-pread=EIO', 'error-pread-rate=100%') as uri:
            tried += 1
            lab.hq('enable', 'web2', '--to', 'dr', '--disk', 'vda=' + uri)
            p = lab.hq('export', 'web2', '--seed', '-o', lab.path('x.vmf'), rc=None)
            check(p.returncode == 3 and 'read' in p.stderr, 'exit', p.returncode, p.stderr)
            check(not os.path.exists(lab.path('x.vmf')), 'something has the name of a bundle')
    if not tried:
        print('        skipped: neither qemu-nbd nor nbdkit is installed')
    lab.close()


def test_a_source_that_gets_shorter_while_it_is_read_aborts_the_export():
    lab = Lab(where=on_disk(), sizes=(12 * M,))
    lab.write(lab.disks['vda'], 0, 12 * M)
    p = start(os.path.join(BIN, 'vmferry-export'), '--home', lab.hq.home, 'web1', '--seed', '--live-unsafe',
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.read(p.stdout.fileno(), 1024)
    os.truncate(lab.disks['vda'], 512)
    p.stdout.read()
    words = p.stderr.read().decode()
    check(p.wait() == 3 and 'ends at byte' in words, 'exit', p.returncode, words)
    lab.close()


def test_sizes_that_are_no_disk_are_refused():
    lab = only({})
    for n, size in enumerate((0, 1, 511, 513, 4095, 1 * M + 1)):
        p = lab.path('odd%d' % n)
        with open(p, 'wb') as f:
            f.truncate(size)
        got = lab.hq('enable', 'web%d' % n, '--disk', 'vda=' + p, rc=1)
        check('512' in got.stderr, got.stderr)
    check(lab.hq.json('status') == [])
    lab.hq('enable', 'web', '--disk', 'vda=' + lab.dir, rc=1)
    lab.hq('enable', 'web', '--disk', 'vda=' + lab.path('none'), rc=3)
    lab.hq('enable', 'web', '--disk', 'vda=/dev/null', rc=1)
    p = lab.make_disk('fine', 512)
    lab.disks = {'vda': p}
    enable(lab)
    lab.dr('import', lab.export('--seed'))
    os.truncate(p, 700)
    lab.hq('export', 'web1', '-o', lab.path('x'), rc=1)
    lab.close()


def test_excluded_disks_are_named_but_not_carried():
    lab = Lab(where=on_disk(), enable=False)
    swap = lab.make_disk('swap.img', 2 * M + 512)
    with open(swap, 'r+b') as f:
        f.write(b'the secret of the swap' * 100)
    enable(lab, '--exclude', 'vdc=' + swap)
    seed = lab.export('--seed', '--plain', '--compress', 'none')
    got = json.loads(run(VMFERRY, 'inspect', '--json', seed).stdout)
    check(got['excluded'] == [{'id': 'vdc', 'size': 2 * M + 512}], got['excluded'])
    check([d['id'] for d in got['disks']] == ['vda', 'vdb'])
    with open(seed, 'rb') as f:
        check(b'secret of the swap' not in f.read(), 'the excluded disk was carried')
    check('excluded' in run(VMFERRY, 'inspect', seed).stdout)
    lab.dr('import', seed)
    check(sorted(os.listdir(os.path.join(lab.dr.replica(), 'disks'))) == ['vda.raw', 'vdb.raw'])
    lab.close()


if __name__ == '__main__':
    main(__name__, jobs=2)
