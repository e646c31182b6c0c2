#!/usr/bin/env python3
"""A replica's disks at NBD exports, as of distributed storage, and on block devices: all that happens to a replica happens there.

Who serves: nbdkit, with a file that the tests look at, and qemu-nbd, with a qcow2 image.
"""
import signal

import test_disks as disks
import test_failover as failover
import test_turn as turn
from inject import hurry
from lab import *

NBDKIT = ('nbdkit', '--foreground', '--newstyle', '--exit-with-parent', '-U', '{}')


def has(*programs):
    gone = [p for p in programs if shutil.which(p, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin') is None]
    if gone:
        print('        skipped: not installed:', *gone)
    return not gone


class Export:
    """An export with something on it; served by argv, where {} is the socket and [] the file."""
    def __init__(self, l, name, size, argv=NBDKIT + ('file', '[]')):
        self.l, self.argv, self.file, self.sock = l, argv, l.path(name), l.path(os.path.basename(name) + '.sock')
        self.uri = 'nbd+unix:///?socket=' + self.sock
        self.make(size)
        self.serve()

    def make(self, size):
        with open(self.file, 'wb') as f:
            f.write(self.l.random.randbytes(size))

    def serve(self):
        self.p = start(*[a.replace('{}', self.sock).replace('[]', self.file) for a in self.argv], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not os.path.exists(self.sock):
            check(self.p.poll() is None, 'the NBD server ended:', self.p.stderr.read() if self.p.poll() is not None else '')
            time.sleep(0.01)

    def stop(self, how=signal.SIGTERM):
        self.p.send_signal(how)
        self.p.wait()
        self.p.stderr.close()
        STARTED.remove(self.p)
        if os.path.exists(self.sock):
            os.unlink(self.sock)

    def content(self):
        with open(self.file, 'rb') as f:
            return f.read()


class Qcow2(Export):
    def __init__(self, l, name, size):
        super().__init__(l, name, size, ('qemu-nbd', '-t', '-e', '8', '-f', 'qcow2', '--discard=unmap', '-k', '{}', '[]'))

    def make(self, size):
        run('qemu-img', 'create', '-q', '-f', 'qcow2', self.file, size)
        run('qemu-io', '-f', 'qcow2', '-c', 'write -P 0x55 0 %d' % size, self.file)

    def content(self):
        run('qemu-img', 'convert', '-U', '-f', 'qcow2', '-O', 'raw', self.file, self.file + '.raw')
        with open(self.file + '.raw', 'rb') as f:
            return f.read()


class Device:
    def __init__(self, uri):
        self.uri = uri

    def content(self):
        with open(self.uri, 'rb') as f:
            return f.read()


def places(l, size):
    """One of each kind, by its name."""
    out = {}
    if has('nbdkit'):
        out['nbdkit'] = Export(l, 'export', size)
    if has('qemu-nbd', 'qemu-io'):
        out['qcow2'] = Qcow2(l, 'export.qcow2', size)
    device = disks.loop(l, 'device', size)
    if device is not None:
        out['device'] = Device(device)
    return out


def is_kept(l, place, tag, disk='vda', what=''):
    with open(l.path('kept', str(tag), disk + '.raw'), 'rb') as f:
        want = f.read()
    check(place.content()[:len(want)] == want, what, 'what is at', place.uri, 'is not disk', disk, 'of point', tag)


def at_exports(size=512 * K):
    """A replica with vda at nbdkit's and vdb at qemu-nbd's."""
    l = disks.Disks(sizes=(256 * K, 64 * K + 512))
    l.bring(l.cut('--seed'), l.cut('--delta'))
    l.receipt()
    a, b = Export(l, 'export', size), Qcow2(l, 'export.qcow2', size)
    l.dr('move', 'web1', '--disk', 'vda=' + a.uri, '--yes')
    l.dr('move', 'web1', '--disk', 'vdb=' + b.uri, '--yes')
    return l, a, b


# --- replicas ---------------------------------------------------------------------------------------------

def test_disks_at_exports_take_all_that_disks_in_files_take():
    if not has('nbdkit', 'qemu-nbd', 'qemu-io'):
        return
    l, a, b = at_exports()
    inside = os.path.join(l.dr.replica(), 'disks')
    check(os.listdir(inside) == [], 'copies are left in', os.listdir(inside))
    disks.life(l)
    is_kept(l, a, max(l.points)), is_kept(l, b, max(l.points), 'vdb')
    p = l.dr('move', 'web1', '--disk', 'vdb=' + a.uri, '--yes', rc=1)
    check('lies there' in p.stderr, p.stderr)
    # They grow over what was there, shrink, and grow again.
    for size in (384 * K, 64 * K + 512, 512 * K):
        os.truncate(l.disks['vda'], size)
        os.truncate(l.disks['vdb'], size)
        l.bring(l.cut('--delta'))
        l.receipt()
        l.whole()
        is_kept(l, a, max(l.points)), is_kept(l, b, max(l.points), 'vdb')
    # And beyond.
    os.truncate(l.disks['vda'], 1 * M)
    p = l.dr('import', l.cut('--delta'), rc=1)
    check(a.uri in p.stderr and 'move --disk' in p.stderr, p.stderr)
    check(l.seqs()[-1] + 1 == max(l.points), 'the points are', l.seqs())
    large = Export(l, 'large', 1 * M)
    l.dr('move', 'web1', '--disk', 'vda=' + large.uri, '--yes')
    l.dr('merge', 'web1')
    l.whole()
    is_kept(l, large, max(l.points))
    # A new seed goes there too; and back home they are as they were.
    l.bring(l.cut('--seed'))
    l.whole()
    is_kept(l, large, max(l.points)), is_kept(l, b, max(l.points), 'vdb')
    l.receipt()
    l.dr('move', 'web1', '--disk', 'vda')
    l.dr('move', 'web1', '--disk', 'vdb=' + l.path('else'))
    check(os.listdir(inside) == ['vda.raw'] and os.path.exists(l.path('else')), 'they are not back')
    disks.life(l)


def test_a_disk_goes_and_comes_back_at_an_export():
    if not has('nbdkit', 'qemu-nbd', 'qemu-io'):
        return
    l, a, _ = at_exports()
    l.change('--remove', 'vda')
    del l.disks['vda']
    l.bring(l.cut('--delta'))
    l.receipt()
    l.whole()
    check(not any(a.content()[:256 * K]), 'what is no more is not zero')
    l.add('vda', 32 * K)
    l.bring(l.cut('--delta'))
    l.whole()


def test_a_damaged_disk_at_an_export_is_found():
    if not has('nbdkit', 'qemu-nbd', 'qemu-io'):
        return
    l, a, _ = at_exports()
    l.write(a.file, 4096, 512)
    p = l.dr('scrub', 'web1', rc=1)
    check('disk vda' in p.stderr, p.stderr)


def test_an_export_that_cannot_keep_a_disk_is_refused():
    if not has('nbdkit', 'qemu-nbd', 'qemu-io'):
        return
    l = disks.Disks()
    l.bring(l.cut('--seed'))
    state = tree(l.dr.home)
    no_flush = NBDKIT + ('eval', 'get_size=echo 1M', 'pread=dd if=/dev/zero count=$3 iflag=count_bytes', 'pwrite=cat >/dev/null', 'can_write=exit 0')
    own = Export.__new__(Export)
    own.file, own.sock, own.l, own.argv = os.path.join(l.dr.replica(), 'disks', 'vda.raw'), l.path('own.sock'), l, NBDKIT + ('file', '[]')
    own.uri = 'nbd+unix:///?socket=' + own.sock
    own.serve()
    for e, words in ((Export(l, 'good', 1 * M), '--yes'), (Export(l, 'small', 64 * K), 'bytes'), (Export(l, 'ro', 1 * M, NBDKIT + ('-r', 'file', '[]')), 'write'),
                     (Export(l, 'noflush', 1 * M, no_flush), 'flush'), (own, 'open for writing'),
                     (Export(l, 'coarse', 1 * M, NBDKIT + ('--filter=blocksize-policy', 'file', '[]', 'blocksize-minimum=4096', 'blocksize-preferred=4096')), 'multiples')):
        p = l.dr('move', 'web1', '--disk', 'vda=' + e.uri, *(['--yes'] if words != '--yes' else []), rc=1)
        check(words in p.stderr and e.uri in p.stderr or e is own, words, 'not in', p.stderr)
        e.stop()
    p = l.dr('move', 'web1', '--disk', 'vda=' + e.uri, '--yes', rc=3)
    check('connect' in p.stderr, p.stderr)
    p = l.dr('move', 'web1', '--disk', 'vda=nbds://localhost/x', '--yes', rc=None)
    check(p.returncode in (1, 3), p.stderr)
    check(tree(l.dr.home) == state, 'something changed')
    l.whole([1])


def test_an_import_stays_confined():
    """Another process reads and writes the exports for it."""
    if not has('nbdkit', 'qemu-nbd', 'qemu-io', 'strace'):
        return
    l, a, b = at_exports()
    delta, log = l.cut('--delta'), l.path('log')
    p = run('strace', '-f', '-o', log, '-e', 'trace=connect,fork,clone,clone3,seccomp', os.path.join(BIN, 'vmferry-import'), '--home', l.dr.home, delta)
    if 'no Landlock' in p.stderr or 'no seccomp' in p.stderr:
        print('        skipped: this kernel cannot confine')
    with open(log) as f:
        lines = f.read().splitlines()
    us = [x.split()[0] for x in lines if 'seccomp(SECCOMP_SET_MODE_FILTER' in x and '= 0' in x]
    them = [x.split()[0] for x in lines if 'connect(' in x and '.sock' in x]
    check(len(set(them)) == 1 and not set(us) & set(them), 'who connects is confined, or is more than one:', us, them)
    l.whole()
    is_kept(l, a, 3), is_kept(l, b, 3, 'vdb')


# --- faults -------------------------------------------------------------------------------------------------

def test_a_write_that_fails_names_the_export_and_the_merge_is_finished_later():
    if not has('nbdkit', 'qemu-nbd', 'qemu-io'):
        return
    for verb in ('import', 'merge'):
        l = disks.Disks(sizes=(256 * K, 64 * K + 512))
        l.bring(l.cut('--seed'), l.cut('--delta'))
        bad = l.path('bad')
        e = Export(l, 'export', 512 * K, NBDKIT + ('--filter=error', 'file', '[]', 'error=EIO', 'error-pwrite-rate=50%', 'error-file=' + bad))
        l.dr('move', 'web1', '--disk', 'vda=' + e.uri, '--yes')
        for p in range(0, 240 * K, 12 * K):
            l.write(l.disks['vda'], p, 4 * K)
        delta = l.cut('--delta')
        open(bad, 'w').close()
        if verb == 'merge':
            l.dr('import', '--no-merge', delta)
        p = l.dr(*(('import', delta) if verb == 'import' else ('merge', 'web1')), rc=3)
        check(e.uri + ': cannot write at byte' in p.stderr and p.stderr.count('cannot write') == 1, p.stderr)
        check(l.dr('merge', 'web1', rc=None).returncode == 3, 'it was finished by a server that fails')
        os.unlink(bad)
        l.dr('merge', 'web1')
        l.whole([1, 2, 3])
        is_kept(l, e, 3)
        l.close()


def test_a_failed_flush_is_no_merge():
    if not has('nbdkit'):
        return
    l = disks.Disks(sizes=(256 * K, 64 * K + 512))
    l.bring(l.cut('--seed'), l.cut('--delta'))
    bad = l.path('bad')
    no_flush = 'if [ -e %s ]; then echo EIO sync >&2; exit 1; fi' % bad
    dd = 'conv=notrunc iflag=count_bytes,skip_bytes,fullblock oflag=seek_bytes status=none'
    e = Export(l, 'export', 512 * K, NBDKIT + ('eval', 'get_size=echo 512K', 'pread=dd if=%s count=$3 skip=$4 %s' % (l.path('export'), dd.replace('oflag=seek_bytes ', '')),
                                               'pwrite=dd of=%s seek=$4 %s' % (l.path('export'), dd), 'flush=' + no_flush, 'can_flush=exit 0'))
    l.dr('move', 'web1', '--disk', 'vda=' + e.uri, '--yes')
    delta = l.cut('--delta')
    open(bad, 'w').close()
    p = l.dr('import', delta, rc=3)
    check(e.uri in p.stderr and 'durable' in p.stderr, p.stderr)
    check(l.seqs() == [1, 2], 'the points are', l.seqs())
    os.unlink(bad)
    l.dr('merge', 'web1')
    l.whole([1, 2, 3])


def in_a_merge(argv, die):
    """die(lab, export, process) once the merge, by argv, has begun to write; and then it is finished all the same."""
    l = disks.Disks(sizes=(1 * M, 64 * K + 512))
    l.bring(l.cut('--seed'))
    e = Export(l, 'export', 1 * M, NBDKIT + ('-t', '2', '--filter=delay', 'file', '[]', 'wdelay=0'))
    l.dr('move', 'web1', '--disk', 'vda=' + e.uri, '--yes')
    e.stop()
    fast, e.argv = e.argv, tuple('wdelay=20ms' if a == 'wdelay=0' else a for a in e.argv)
    e.serve()
    for at in range(0, 1 * M - 8 * K, 8 * K):
        l.write(l.disks['vda'], at, 4 * K)
    delta = l.cut('--delta')
    if argv[0] == 'merge':
        l.dr('import', '--no-merge', delta)
    before = e.content()
    p = start(os.path.join(BIN, 'vmferry-' + argv[0]), '--home', l.dr.home, *(argv[1:] or [delta]), stderr=subprocess.PIPE, text=True)
    while e.content() == before:
        check(p.poll() is None, 'it wrote nothing and ended')
    die(e, p)
    words = p.stderr.read()
    p.wait()
    p.stderr.close()
    check(p.returncode == 3, 'exit', p.returncode, words)
    if e.p.poll() is not None:
        check(e.uri in words, words)
        check(l.dr('merge', 'web1', rc=None).returncode == 3, 'it was finished without a server')
    else:
        e.stop()
    e.argv = fast
    e.serve()
    l.dr('merge', 'web1')
    l.whole([1, 2])
    is_kept(l, e, 2)
    l.close()


def test_a_server_that_dies_in_a_merge_and_comes_back():
    if has('nbdkit'):
        in_a_merge(['import'], lambda e, p: e.stop(signal.SIGKILL))
        in_a_merge(['merge', 'web1'], lambda e, p: e.stop(signal.SIGKILL))


def test_the_process_that_writes_for_a_confined_one_dies_in_a_merge():
    def die(e, p):
        with open('/proc/%d/task/%d/children' % (p.pid, p.pid)) as f:
            children = f.read().split()
        # The other one tells the host, and has pipes alone.
        children = [c for c in children if any('socket:' in os.readlink(fd) for fd in glob.glob('/proc/%s/fd/*' % c))]
        check(len(children) == 1, 'the children are', children)
        os.kill(int(children[0]), signal.SIGKILL)

    if has('nbdkit'):
        in_a_merge(['import'], die)


# --- failovers ------------------------------------------------------------------------------------------------

def replicated(points=3, size=4 * M):
    """For each kind of place: a lab whose replica has vda there, and the place."""
    for kind in ('nbdkit', 'qcow2', 'device'):
        l = failover.replicated(points)
        place = places(l, size).get(kind)
        if place is not None:
            l.dr('move', 'web1', '--disk', 'vda=' + place.uri, '--yes')
            yield kind, l, place
        clean_up()


def test_test_failovers_from_there():
    for kind, l, place in replicated(size=5 * M):
        before = failover.raw(l), place.content()
        for seq in (1, 3):
            out = l.dr('failover', 'web1', '--test', '--point', seq).stdout
            failover.shows_all(l, 'test', seq)
            failover.guest_writes(os.path.join(failover.folder(l, 'test'), 'vda.qcow2'), 64 * K, 128 * K)
            if seq == 1:
                n = 4
                check('merges wait' in l.dr('import', failover.cycle(l, n)).stderr, 'a test does not hold merges back')
                l.dr('failover', 'web1', '--stop-test')
                is_kept(l, place, n)
                before = failover.raw(l), place.content()
            else:
                l.dr('failover', 'web1', '--stop-test')
                check((failover.raw(l), place.content()) == before, kind, 'is not as before the test from point', seq, out)
        l.dr('scrub', 'web1')


def test_unplanned_failovers_are_completed_there():
    for kind, l, place in replicated(3):
        l.dr('failover', 'web1', '--unplanned', '--yes', '--point', 2)
        for d in l.disks:
            path, model = os.path.join(failover.folder(l, 'failover'), d + '.qcow2'), l.path('kept', '2', d + '.raw')
            failover.shows(l, path, 2, d)
            for offset, length, byte in ((0, 4 * K, 7), (700 * K, 96 * K, 9), (M - 512, 1024, 11)):
                failover.guest_writes(path, offset, length, byte)
                l.write(model, offset, length, bytes([byte]))
        p = l.dr('failover', 'web1', '--complete', '--yes')
        is_kept(l, place, 2, what=kind)
        check("file=" + place.uri.replace(',', ',,') + ",format=raw" in p.stdout, 'it is not said how it is run:', p.stdout)


def test_a_host_is_told_the_uri():
    if not has('nbdkit', 'qemu-nbd'):
        return
    l = failover.replicated(2)
    e = Export(l, 'export', 4 * M)
    l.dr('move', 'web1', '--disk', 'vda=' + e.uri, '--yes')
    host = failover.Host(l)
    e.stop()
    o = json.loads(l.dr('failover', 'web1', '--unplanned', '--dry-run', '--json', rc=1).stdout)
    check(['export', False] in [[c['check'], c['ok']] for c in o['checks']], 'a server that is gone is not said:', o)
    e.serve()
    l.dr('failover', 'web1', '--unplanned', '--yes')
    l.dr('failover', 'web1', '--complete', '--yes', '--start')
    a, b = host.vms()['web1']['disks']
    check(a.get('uri') == e.uri and 'path' not in a and a['format'] == 'raw', a)
    check(b['path'].endswith('vdb.raw') and 'uri' not in b, b)


def at(lab, site):
    """What the VM's disks hold at a site, by its records; of an export, what is behind it."""
    out = []
    for p in lab.disk_paths(site):
        if p.startswith('nbd'):
            out.append(lab.place.content())
        else:
            with open(p, 'rb') as f:
                out.append(f.read())
    return out


def test_roles_change_hands_there():
    """Planned with reverse and back, then unplanned: the place is a replica's, a primary's source, and a replica's again."""
    for kind in ('nbdkit', 'qcow2', 'device'):
        lab = turn.Pair(sizes=(256 * K, 64 * K))
        lab.send(lab.hq, lab.dr, '--seed')
        lab.place = places(lab, 256 * K).get(kind)
        if lab.place is None:
            continue
        lab.dr('move', 'web1', '--disk', 'vda=' + lab.place.uri, '--yes')
        lab.dirty(lab.hq)
        lab.send(lab.hq, lab.dr)
        want = at(lab, lab.hq)
        check(at(lab, lab.dr) == want, kind, 'differs before')
        lab.planned(lab.hq, lab.dr)
        check(at(lab, lab.dr) == want and lab.place.uri in lab.disk_paths(lab.dr), kind, 'differs after the failover')
        guest(lab, 5)
        want = at(lab, lab.dr)
        lab.send(lab.dr, lab.hq)
        check(at(lab, lab.hq) == want, kind, 'differs after the reverse')
        lab.planned(lab.dr, lab.hq)
        lab.dirty(lab.hq)
        want = at(lab, lab.hq)
        lab.send(lab.hq, lab.dr)
        check(at(lab, lab.dr) == want and lab.place.uri in lab.disk_paths(lab.dr), kind, 'differs after the way back')
        lab.dr('scrub', 'web1')
        # And without a handover: the old primary comes back by comparing.
        lab.unplanned(lab.dr)
        word, comparison = lab.file('word'), lab.file('says')
        lab.dr('reverse', 'web1', '-o', word)
        lab.hq('import', word, rc=1)
        guest(lab, 6)
        want = at(lab, lab.dr)
        lab.hq('resync', 'web1', '--keep', 'dr', '-o', comparison, '--yes')
        lab.send(lab.dr, lab.hq, '--against', comparison)
        check(at(lab, lab.hq) == want, kind, 'differs at the site that was failed over from')
        clean_up()


def guest(lab, byte):
    """A VM writes to its disk there."""
    run('qemu-io', '-f', 'raw', '-c', 'write -P %d 64k 20k' % byte, '-c', 'write -z 8k 8k', lab.place.uri)


def test_a_place_that_is_larger_than_the_disk_is_the_disk_once_the_vm_runs_there():
    for kind in ('nbdkit', 'device'):
        lab = turn.Pair(sizes=(256 * K, 64 * K))
        lab.send(lab.hq, lab.dr, '--seed')
        lab.place = places(lab, 512 * K).get(kind)
        if lab.place is None:
            continue
        lab.dr('move', 'web1', '--disk', 'vda=' + lab.place.uri, '--yes')
        lab.dirty(lab.hq)
        lab.send(lab.hq, lab.dr)
        was = at(lab, lab.hq)[0]
        lab.planned(lab.hq, lab.dr)
        check(lab.place.content()[:256 * K] == was, kind, 'differs after the failover')
        guest(lab, 5)
        lab.send(lab.dr, lab.hq)
        check(at(lab, lab.hq) == at(lab, lab.dr) and len(at(lab, lab.hq)[0]) == 512 * K, kind, 'differs after the reverse')
        lab.planned(lab.dr, lab.hq)
        lab.dirty(lab.hq)
        lab.send(lab.hq, lab.dr)
        check(at(lab, lab.hq) == at(lab, lab.dr), kind, 'differs after the way back')
        lab.dr('scrub', 'web1')
        clean_up()


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
