#!/usr/bin/env python3
"""Images of other formats as sources: VHDX, VHD, VMDK and qcow2, alone or with what they are based on."""
import contextlib, fcntl, hashlib, re, signal, struct

from inject import FULL, hurry, on_disk, one_processor, tool
from lab import *

NEEDED = ('qemu-nbd', 'qemu-img', 'qemu-io')


def lab_of(disks, **kw):
    lab = Lab(where=on_disk(), sizes=(), enable=False, **kw)
    lab.disks = disks
    return lab


def enable(lab, *more):
    lab.hq('enable', 'web1', '--to', 'dr', '--points', '24', *lab.disk_args(), *more)


def qemu_io(fmt, path, *commands):
    run('qemu-io', '-f', fmt, *[a for c in commands for a in ('-c', c)], path)


def digest(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def image(lab, fmt, name, size='24M', *options):
    """A new image with some data; its path."""
    p = lab.path(name)
    run('qemu-img', 'create', '-q', '-f', fmt, *options, p, size)
    qemu_io(fmt, p, 'write -P 7 0 300k', 'write -P 9 8M 1M', 'write -z 8500k 64k')
    return p


def chain(lab):
    """qcow2 on qcow2 on raw, the names of the first two counting from their folder; the path of the top."""
    os.mkdir(lab.path('base'))
    with open(lab.path('base', 'golden.img'), 'wb') as f:
        f.write(lab.random.randbytes(1 * M))
        f.truncate(16 * M)
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', 'golden.img', '-F', 'raw', lab.path('base', 'middle.qcow2'), '20M')
    qemu_io('qcow2', lab.path('base', 'middle.qcow2'), 'write -P 3 64k 64k', 'write -P 4 18M 100k', 'write -z 256k 64k')
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', 'base/middle.qcow2', '-F', 'qcow2', lab.path('top.qcow2'))
    qemu_io('qcow2', lab.path('top.qcow2'), 'write -P 5 512k 64k', 'write -P 6 17M 10k')
    return lab.path('top.qcow2')


def is_what_qemu_reads(lab, folder, what):
    """The disks in that folder are what qemu-img makes of the images."""
    for i, where in lab.disks.items():
        fmt, path = where.split(':', 1)
        raw = lab.path('converted')
        run('qemu-img', 'convert', '-f', {'vhd': 'vpc'}.get(fmt, fmt), '-O', 'raw', path, raw)
        check(filecmp.cmp(raw, os.path.join(folder, i + '.raw'), shallow=False), what, 'disk', i, 'is not what', where, 'holds')
        os.unlink(raw)


def servers(path):
    """Processes of qemu-nbd that have to do with this path."""
    found = []
    for p in glob.glob('/proc/[0-9]*/cmdline'):
        with contextlib.suppress(OSError), open(p, 'rb') as f:
            words = f.read().split(b'\0')
            if words[0].endswith(b'qemu-nbd') and path.encode() in b' '.join(words):
                found.append(int(p.split('/')[2]))
    return found


def no_server_is_left(lab):
    """One whose exporter was killed is killed at that instant, but takes a moment to go."""
    for _ in range(1000):
        if not servers(lab.dir):
            return
        time.sleep(0.01)
    check(False, 'left over:', *servers(lab.dir))


def restored(lab, point):
    out = lab.path('out')
    shutil.rmtree(out, ignore_errors=True)
    lab.dr('restore', 'web1', '--point', point, '-o', out)
    return out


def test_seeds_and_deltas_of_images_are_what_qemu_reads():
    lab = lab_of({})
    lab.disks = {'vda': 'vhdx:' + image(lab, 'vhdx', 'a, b.vhdx'), 'vdb': 'vhd:' + image(lab, 'vpc', 'disk.vhd'),
                 'vdc': 'vmdk:' + image(lab, 'vmdk', 'flat.vmdk', '24M', '-o', 'subformat=twoGbMaxExtentFlat'),
                 'vdd': 'vmdk:' + image(lab, 'vmdk', 'sparse.vmdk'), 'vde': 'vdi:' + image(lab, 'vdi', 'disk.vdi'),
                 'vdf': 'qcow2:' + chain(lab)}
    images = [w.split(':', 1)[1] for w in lab.disks.values()]
    before = [digest(p) for p in images]
    enable(lab)
    lab.dr('import', lab.export('--seed'))
    check([digest(p) for p in images] == before, 'an export changed its source')
    is_what_qemu_reads(lab, os.path.join(lab.dr.replica(), 'disks'), 'seeded:')
    for where in lab.disks.values():
        fmt, p = where.split(':', 1)
        qemu_io({'vhd': 'vpc'}.get(fmt, fmt), p, 'write -P 77 1M 20k', 'write -z 8M 128k', 'write -P 78 12M 4k')
    delta = lab.export('--delta')
    check(os.path.getsize(delta) < 256 * K, 'the delta has', os.path.getsize(delta), 'bytes')
    lab.dr('import', delta)
    is_what_qemu_reads(lab, restored(lab, 2), 'restored:')
    check('vpc:' + lab.path('disk.vhd') in open(glob.glob(lab.path('hq', 'primaries', '*', 'state'))[0]).read())
    no_server_is_left(lab)
    lab.close()


def test_an_image_without_its_format_is_refused():
    lab = lab_of({})
    p = image(lab, 'qcow2', 'disk.qcow2')
    for verb in (('enable', 'web1', '--to', 'dr'), ('enable', 'web1', '--exclude', 'vdb=' + p)):
        got = lab.hq(*verb, '--disk', 'vda=' + p, rc=1)
        check('say qcow2:%s, or raw:%s' % (p, p) in got.stderr, got.stderr)
    got = lab.dr('adopt', 'web1', '--from', 'hq', '--disk', 'vda=' + p, '-o', lab.path('x'), rc=1)
    check('say qcow2:' in got.stderr, got.stderr)
    lab.hq('enable', 'web2', '--to', 'dr', '--disk', 'vda=raw:' + p)    # the bytes of the file
    lab.hq('export', 'web2', '-o', lab.path('b0.vmf'))
    lab.dr('import', lab.path('b0.vmf'))
    check(filecmp.cmp(p, os.path.join(lab.dr.replica(), 'disks', 'vda.raw'), shallow=False), 'not the bytes of the file')
    got = lab.hq('enable', 'web3', '--disk', 'vda=vhdx:' + p, rc=1)
    check('cannot be opened as vhdx' in got.stderr, got.stderr)
    check(lab.hq('enable', 'web3', '--disk', 'vda=qcow2:' + lab.path('none'), rc=3).stderr.count('cannot find') == 1)
    os.rename(p, lab.path('disk.img'))          # what a guest may have written on a raw disk is its own affair
    lab.hq('enable', 'web3', '--disk', 'vda=' + lab.path('disk.img'))
    lab.close()


def test_an_image_based_on_one_of_no_known_format_is_refused():
    """As QEMU made them for years; today it wants to be told, so the word that it wrote is struck out."""
    lab = lab_of({})
    base, top = lab.make_disk('base.img', 1 * M), lab.path('top.qcow2')
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', top)
    with open(top, 'r+b') as f:
        at = f.read(4096).index(struct.pack('>II', 0xE2792ACA, 3))
        f.seek(at)
        f.write(struct.pack('>I', 0x12345678))
    got = lab.hq('enable', 'web1', '--disk', 'vda=qcow2:' + top, rc=1)
    check("qemu-img rebase -u -f qcow2 -F FORMAT -b %s %s" % (base, top) in got.stderr, got.stderr)
    run('qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'raw', '-b', base, top)
    lab.hq('enable', 'web1', '--disk', 'vda=qcow2:' + top)
    lab.close()


@contextlib.contextmanager
def in_use(lab, fmt, path):
    """QEMU has the image open for writing, as it has for a VM that runs."""
    p = start('qemu-nbd', '-t', '-f', fmt, '-k', lab.path('sock'), path)
    while not os.path.exists(lab.path('sock')):
        check(p.poll() is None, 'qemu-nbd ended')
        time.sleep(0.01)
    try:
        yield
    finally:
        p.terminate()
        p.wait()


def test_an_image_or_its_base_in_use_is_refused_unless_live():
    lab = lab_of({})
    lab.disks = {'vda': 'qcow2:' + chain(lab)}
    top, middle = lab.path('top.qcow2'), lab.path('base', 'middle.qcow2')
    for path in (top, middle):
        with in_use(lab, 'qcow2', path):
            if path == top:
                enable(lab)                     # only its size is wanted
                lab.dr('import', lab.export('--seed', '--live-unsafe'))
            got = lab.hq('export', 'web1', '-o', lab.path('x'), rc=1)
            check(path in got.stderr and 'open for writing' in got.stderr and '--live-unsafe' in got.stderr, got.stderr)
            check(not os.path.exists(lab.path('x')), 'something has the name of a bundle')
    # Another host's QEMU, on a shared file system, shows by its locks alone: that it writes is one on byte 101.
    with open(top, 'rb') as f:
        fcntl.fcntl(f, 37, struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 101, 1, 0))
        got = lab.hq('export', 'web1', '-o', lab.path('x'), rc=1)
        check(top in got.stderr and 'has it open for writing' in got.stderr, got.stderr)
    lab.dr('import', lab.export('--delta'))
    is_what_qemu_reads(lab, os.path.join(lab.dr.replica(), 'disks'), 'afterwards:')
    no_server_is_left(lab)
    lab.close()


def test_a_bitmap_in_the_image_tells_what_changed():
    lab = lab_of({})
    disk = image(lab, 'qcow2', 'disk.qcow2')
    lab.disks = {'vda': 'qcow2:' + disk}
    run('qemu-img', 'bitmap', '--add', '-f', 'qcow2', disk, 'since')
    enable(lab)
    lab.dr('import', lab.export('--seed'))
    qemu_io('qcow2', disk, 'write -P 2 1M 64k', 'write -P 3 20M 4k', 'write -z 8M 64k')
    p = lab.hq('export', 'web1', '--delta', '--changes', 'bitmap:since', '-o', lab.path('d1.vmf'))
    check('compared' not in p.stderr, 'the bitmap was not used:', p.stderr)
    check(os.path.getsize(lab.path('d1.vmf')) < 64 * K, 'it carries', os.path.getsize(lab.path('d1.vmf')), 'bytes')
    lab.dr('import', lab.path('d1.vmf'))
    is_what_qemu_reads(lab, os.path.join(lab.dr.replica(), 'disks'), 'by bitmap:')
    # The control: what a bitmap that is believed leaves out is not found, until the next comparison.
    run('qemu-img', 'bitmap', '--clear', '-f', 'qcow2', disk, 'since')
    p = lab.hq('export', 'web1', '--delta', '--changes', 'bitmap:since', '-o', lab.path('d2.vmf'))
    lab.dr('import', lab.path('d2.vmf'))

    def without(name, why):
        out = lab.path('w%d.vmf' % len(glob.glob(lab.path('w*.vmf'))))
        p = lab.hq('export', 'web1', '--delta', '--since', 'sent', '--changes', 'bitmap:' + name, '-o', out)
        check('no dirty bitmap' in p.stderr and why in p.stderr and 'compared' in p.stderr, name, why, p.stderr)
        lab.dr('import', out)
        is_what_qemu_reads(lab, os.path.join(lab.dr.replica(), 'disks'), why)

    qemu_io('qcow2', disk, 'write -P 4 5M 64k')
    without('other', 'the image has no such bitmap')
    run('qemu-img', 'bitmap', '--disable', '-f', 'qcow2', disk, 'since')
    qemu_io('qcow2', disk, 'write -P 5 6M 64k')
    without('since', 'switched off')
    run('qemu-img', 'bitmap', '--enable', '-f', 'qcow2', disk, 'since')
    p = start('qemu-io', '-f', 'qcow2', disk, stdin=subprocess.PIPE, stdout=subprocess.PIPE)   # a VM whose QEMU is killed
    p.stdin.write(b'write -P 6 7M 64k\nflush\n')
    p.stdin.flush()
    while b'wrote' not in p.stdout.readline():
        pass
    p.kill()
    p.wait()
    p.stdin.close()
    p.stdout.close()
    without('since', 'not closed in order')
    # What is written above a snapshot is not in the bitmap of the image below it.
    top = lab.path('top.qcow2')
    run('qemu-img', 'bitmap', '--remove', '-f', 'qcow2', disk, 'since')
    run('qemu-img', 'bitmap', '--add', '-f', 'qcow2', disk, 'since')
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', disk, '-F', 'qcow2', top)
    qemu_io('qcow2', top, 'write -P 8 9M 64k')
    lab.disks = {'vda': 'qcow2:' + top}
    lab.hq('enable', 'web1', '--remove', 'vda', *lab.disk_args())
    lab.dr('import', lab.export('--delta', '--since', 'sent'))
    qemu_io('qcow2', top, 'write -P 9 10M 64k')
    without('since', 'the image has no such bitmap')
    no_server_is_left(lab)
    lab.close()


def test_images_can_be_adopted():
    lab = lab_of({})
    disk = image(lab, 'vhdx', 'disk.vhdx')
    shutil.copy(disk, lab.path('copy.vhdx'))
    lab.disks = {'vda': 'vhdx:' + disk}
    enable(lab)
    lab.dr('adopt', 'web1', '--from', 'hq', '--disk', 'vda=vhdx:' + lab.path('copy.vhdx'), '-o', lab.path('compare.vmf'))
    qemu_io('vhdx', disk, 'write -P 55 3M 64k')
    bundle = lab.export('--against', lab.path('compare.vmf'))
    check(os.path.getsize(bundle) < 64 * K, 'it has', os.path.getsize(bundle), 'bytes')
    lab.dr('import', bundle)
    is_what_qemu_reads(lab, os.path.join(lab.dr.replica(), 'disks'), 'adopted:')
    lab.close()


def test_a_handover_says_that_an_image_cannot_become_a_replica():
    lab = lab_of({})
    lab.disks = {'vda': 'vdi:' + image(lab, 'vdi', 'disk.vdi')}
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web*')
    enable(lab)
    got = lab.hq('failover', 'web1', '--planned', '--dry-run', '--vm-is-shut-down', rc=1).stderr
    check('disk vda is at %s, where no replica can have it' % lab.disks['vda'] in got, got)
    no_server_is_left(lab)
    lab.close()


def test_an_excluded_image_is_named_with_its_size():
    lab = lab_of({})
    lab.disks = {'vda': lab.make_disk('vda.img', 1 * M)}
    enable(lab, '--exclude', 'vdb=vmdk:' + image(lab, 'vmdk', 'swap.vmdk'))
    got = json.loads(run(VMFERRY, 'inspect', '--json', lab.export('--seed')).stdout)
    check(got['excluded'] == [{'id': 'vdb', 'size': 24 * M}], got['excluded'])
    lab.close()


def noise():
    """A lab with an image full of data that does not shrink."""
    lab = lab_of({})
    with open(lab.path('noise'), 'wb') as f:
        f.write(os.urandom(20 * M))
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', lab.path('noise'), lab.path('disk.qcow2'))
    lab.disks = {'vda': 'qcow2:' + lab.path('disk.qcow2')}
    enable(lab)
    return lab


def trace(options, argv, log):
    """Of our own process alone: what qemu-img and qemu-nbd do is theirs."""
    return subprocess.run(['strace', '-qq', '-o', log, *options, '--', *map(str, argv)], capture_output=True, text=True, timeout=600,
                          preexec_fn=one_processor, stdin=subprocess.DEVNULL)


def test_an_unfinished_export_goes_on_unless_the_image_has_changed():
    if not shutil.which('strace'):
        print('        skipped: not installed: strace')
        return
    for write in (False, True):
        lab = noise()
        argv = ['web1', '--seed', '-o', lab.path('s.vmf')]
        p = trace(['-e', 'trace=writev', '-e', 'inject=writev:signal=KILL:when=12'], [tool('export'), '--home', lab.hq.home, *argv],
                  lab.path('strace.log'))
        check(p.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), 'it was not killed: exit', p.returncode, p.stderr)
        no_server_is_left(lab)
        if write:
            qemu_io('qcow2', lab.path('disk.qcow2'), 'write -P 1 0 64k')
        p = lab.hq('export', *argv)
        check(('has changed since the export began' in p.stderr) == write, p.stderr)
        lab.dr('import', lab.path('s.vmf'))
        is_what_qemu_reads(lab, os.path.join(lab.dr.replica(), 'disks'), 'resumed:')
        lab.close()


def test_a_server_that_dies_gives_the_export_up():
    lab = noise()
    p = start(os.path.join(BIN, 'vmferry-export'), '--home', lab.hq.home, 'web1', '--seed', stdout=subprocess.PIPE,
              stderr=subprocess.PIPE)
    p.stdout.read(1024)         # as long as nobody takes more, it waits
    check(len(servers(lab.dir)) == 1, 'there is no server')
    for pid in servers(lab.dir):
        os.kill(pid, signal.SIGKILL)
    p.stdout.read()
    words = p.stderr.read().decode()
    p.stdout.close()
    p.stderr.close()
    check(p.wait() == 3 and words.count('cannot read') == 1, 'exit', p.returncode, words)
    lab.dr('import', lab.export('--seed'))
    is_what_qemu_reads(lab, os.path.join(lab.dr.replica(), 'disks'), 'afterwards:')
    no_server_is_left(lab)
    lab.close()


# Calls around which the server, its connections and the record are in another state.
KILLED_AT = ('clone', 'clone3', 'connect', 'shutdown', 'sendto', 'recvfrom', 'pidfd_open', 'wait4', 'fcntl', 'pwrite64', 'write',
             'fsync', 'rename', 'openat')


def test_an_exporter_killed_anywhere_leaves_no_server_and_can_be_run_again():
    if not shutil.which('strace'):
        print('        skipped: not installed: strace')
        return
    lab = lab_of({})
    lab.disks = {'vda': 'qcow2:' + chain(lab)}
    enable(lab)
    argv = [tool('export'), '--home', lab.hq.home, 'web1', '--seed', '--anew', '-o', lab.path('s.vmf')]
    log = lab.path('strace.log')
    check(trace(['-e', 'trace=' + ','.join(KILLED_AT)], argv, log).returncode == 0)
    with open(log) as f:
        calls = re.findall(r'^(\w+)\(', f.read(), re.M)
    os.unlink(lab.path('s.vmf'))
    places = [(c, n + 1) for c in sorted(set(calls)) for n in range(calls.count(c))]
    check({'connect', 'shutdown', 'sendto', 'recvfrom', 'wait4'} <= set(calls), 'strace saw only', *set(calls))
    fell = 0
    places = places if FULL else places[::len(places) // 20 + 1]
    for name, n in places:
        p = trace(['-e', 'trace=' + name, '-e', 'inject=%s:signal=KILL:when=%d' % (name, n)], argv, log)
        check(p.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), name, n, 'exit', p.returncode, p.stderr)
        fell += p.returncode != 0
        no_server_is_left(lab)
        for p in glob.glob(lab.path('s.vmf*')):
            os.unlink(p)
    check(fell > len(places) * 3 // 4, 'only', fell, 'of', len(places), 'kills happened')      # the answers of a server vary
    lab.hq('export', *argv[3:])
    lab.dr('import', lab.path('s.vmf'))
    is_what_qemu_reads(lab, os.path.join(lab.dr.replica(), 'disks'), 'after the last kill:')
    no_server_is_left(lab)
    lab.close()


if __name__ == '__main__':
    gone = [p for p in NEEDED if shutil.which(p) is None]
    if gone:
        print('        skipped: not installed:', *gone)
        print('0 passed, 0 failed')
        sys.exit(0)
    hurry()
    main(__name__, jobs=2)
