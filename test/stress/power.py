#!/usr/bin/env python3
"""Power failures on ext4, xfs and btrfs: what was said to be done is there, and the rest can be done again.

    power.py [--seconds S] [--seed N] [--fs ext4,xfs,btrfs] [--points N] [--no-control]

Both sites' homes lie on a file system on a loop device, on a FUSE export of qemu-storage-daemon, whose blklogwrites
filter records every write and flush.  While the tools work, we note how many entries the log had when each command
ended.  Then the disk is made anew as it was after any entry: with all writes up to it, or without a random half of
those that came after the last flush.  It is mounted, and

- the replica is where the last finished command left it, or at a state of the one under way, and nowhere else;
- the command under way, done again, completes it; the disks are the oracle's, scrub passes, each point comes back;
- the primary knows each point whose bundle had come out with its end, and what was acknowledged;
- its next delta brings a replica, at whatever point it can be by then, to what the disks hold.

The same with fsync switched off below the tools must be found bad.  Needs root, loop devices and /dev/fuse; where
they are missing it says SKIPPED.  --seed repeats the writes and the choice of moments; what the log holds is up to
the kernel.
"""
import argparse, ctypes, signal, struct

from oracle import *
from inject import on_disk

FLUSH, FUA, DISCARD = 1, 2, 4
SYSTEMS = {
    'ext4': (256 * M, ['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0']),
    'xfs': (320 * M, ['mkfs.xfs', '-q', '-f']),
    'btrfs': (256 * M, ['mkfs.btrfs', '-q', '-f']),
}
NO_SYNC = 'int fsync(int d){(void)d;return 0;} int fdatasync(int d){(void)d;return 0;}\n' \
          'int sync_file_range(int d,long o,long n,unsigned f){(void)d;(void)o;(void)n;(void)f;return 0;}\n'
KEEP = 3
ROUND = 20      # moments that are looked at from one end of the log to the other
libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(1, signal.SIGKILL)


def why_not():
    """What is missing here; None if nothing is."""
    if os.geteuid() != 0:
        return 'needs root'
    for dev in ('/dev/fuse', '/dev/loop-control'):
        if not os.access(dev, os.W_OK):
            return 'needs ' + dev
    for program in ['qemu-storage-daemon', 'losetup', 'mount', 'umount', 'unshare', 'cc'] + [m[0] for _, m in SYSTEMS.values()]:
        if shutil.which(program, path=os.environ['PATH'] + ':/usr/sbin:/sbin') is None:
            return 'needs ' + program
    return None


def site_at(home):
    s = Site.__new__(Site)
    s.home = home
    return s


class Mounted:
    """An image, mounted."""
    def __init__(self, image, where):
        self.where = where
        os.makedirs(where, exist_ok=True)
        self.loop = run('losetup', '-f', '--show', image).stdout.strip()
        p = run('mount', self.loop, where, rc=None)
        run('losetup', '-d', self.loop)     # goes when it is unmounted; at once, if it could not be mounted
        check(p.returncode == 0, 'the file system does not mount:', p.stderr)

    def close(self):
        run('umount', self.where)


class Recorder:
    """A fresh file system, mounted, each of whose writes is recorded."""
    def __init__(self, folder, fs):
        size, mkfs = SYSTEMS[fs]
        self.base, self.log, disk, export = (os.path.join(folder, n) for n in ('base', 'log', 'disk', 'export'))
        with open(self.base, 'wb') as f:
            f.truncate(size)
        run(*mkfs, self.base)
        run('cp', '--sparse=always', self.base, disk)
        with open(self.log, 'wb') as f:
            f.truncate(64 * G)
        open(export, 'w').close()
        self.daemon = subprocess.Popen(
            ['qemu-storage-daemon', '--blockdev', 'file,node-name=disk,filename=' + disk, '--blockdev', 'file,node-name=log,filename=' + self.log,
             '--blockdev', 'blklogwrites,node-name=both,file=disk,log=log,log-sector-size=512,log-super-update-interval=1',
             '--export', 'type=fuse,id=out,node-name=both,writable=on,mountpoint=' + export, '--chardev', 'stdio,id=words',
             '--monitor', 'chardev=words'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
        try:
            # The greeting comes when all of the command line is done.
            check(b'QMP' in self.daemon.stdout.readline(), 'qemu-storage-daemon:', self.daemon.stderr)
            check(any(export in l.split() for l in open('/proc/mounts')), 'qemu-storage-daemon did not mount its export')
            self.mounted = Mounted(export, os.path.join(folder, 'm'))
        except BaseException:
            self.stop()
            raise

    def position(self):
        """Entries in the log."""
        with open(self.log, 'rb') as f:
            f.seek(16)
            return struct.unpack('<Q', f.read(8))[0]

    def stop(self):
        self.daemon.terminate()
        self.daemon.communicate()

    def close(self):
        self.mounted.close()
        self.stop()


class Log:
    def __init__(self, recorder):
        self.base, self.file, self.entries = recorder.base, open(recorder.log, 'rb'), []
        magic, version, n, sector = struct.unpack('<QQQI', self.file.read(28))
        check(magic == 0x6a736677736872 and version == 1, 'the log is not one of blklogwrites')
        at = sector
        for _ in range(n):
            self.file.seek(at)
            where, count, flags, _ = struct.unpack('<4Q', self.file.read(32))
            at += sector
            self.entries.append((where * sector, count * sector, flags, at))
            at += 0 if flags & DISCARD else count * sector

    def put(self, image, k):
        where, length, flags, at = self.entries[k]
        if flags & DISCARD:
            libc.fallocate(image.fileno(), 3, ctypes.c_long(where), ctypes.c_long(length))
        elif length:
            self.file.seek(at)
            image.seek(where)
            image.write(self.file.read(length))

    def flushed(self, n):
        """How many of the first n entries a flush made durable."""
        while n > 0 and not self.entries[n - 1][2] & FLUSH:
            n -= 1
        return n

    def images(self, moments, folder, r):
        """For ascending moments: (moment, kind, image), by turns all of it, and without half of what was not flushed."""
        now = {}
        for kind in ('all', 'half'):
            now[kind] = [open(os.path.join(folder, kind), 'w+b'), 0]
            run('cp', '--sparse=always', self.base, now[kind][0].name)
        image = os.path.join(folder, 'crashed')
        for i, (n, kinds) in enumerate(moments):
            for kind in kinds:
                f, done = now[kind]
                upto = n if kind == 'all' else self.flushed(n)
                for k in range(done, upto):
                    self.put(f, k)
                f.flush()
                now[kind][1] = upto
                run('cp', '--sparse=always', f.name, image)
                with open(image, 'r+b') as g:
                    for k in range(upto, n):
                        if self.entries[k][2] & FUA or r.random() < 0.5:
                            self.put(g, k)
                yield n, kind, image
        for f, _ in now.values():
            f.close()


# start, end: entries in the log before and after.  out: and when all of its bundle had come out.
Step = collections.namedtuple('Step', 'site start end out args move')


class Workload:
    """Two sites at work, each command with its place in the log."""
    def __init__(self, folder, recorder, seed, no_sync):
        self.folder, self.recorder, self.no_sync = folder, recorder, no_sync
        self.r = random.Random('work %d' % seed)
        self.home = recorder.mounted.where
        self.disks = {'vda': self.path('vda.img'), 'vdb': self.path('vdb.img')}
        self.oracle = Oracle(self.path('oracle'), self.disks)
        self.steps, self.states, self.snapshots, self.bundles, self.receipts = [], [NOTHING], {}, {}, {}
        for p, size in zip(self.disks.values(), (1 * M, 256 * K + 512)):
            with open(p, 'wb') as f:
                f.truncate(size)
                f.write(self.r.randbytes(size // 3))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def tool(self, site, *args, out=None):
        """Run a verb of a site, and note where in the log it began and ended."""
        argv = [VMFERRY, '--home', os.path.join(self.home, site), *map(str, args)]
        env = dict(os.environ, LD_PRELOAD=self.no_sync) if self.no_sync and self.states[-1].points else None
        start, came = self.recorder.position(), None
        p = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        data = b''
        while True:
            piece = os.read(p.stdout.fileno(), 1 << 20)
            if not piece:
                break
            data += piece
            if out and came is None and ended(data):
                came = self.recorder.position()
        words = p.communicate()[1].decode()
        check(p.returncode == 0, *argv, ': exit', p.returncode, words)
        self.steps.append(Step(site, start, self.recorder.position(), came, args, None))
        if out:
            check(came is not None, 'the bundle has no end')
            with open(out, 'wb') as f:
                f.write(data)
        return data.decode() if not out else None

    def setup(self):
        for s, other in (('hq', 'dr'), ('dr', 'hq')):
            with open(self.path(s + '.card'), 'w') as f:
                f.write(self.tool(s, 'init', '--name', s))
        self.tool('hq', 'trust', 'add', self.path('dr.card'))
        self.tool('dr', 'trust', 'add', self.path('hq.card'), '--vm', 'web*')
        self.tool('hq', 'enable', 'web1', '--to', 'dr', '--points', KEEP, *[a for i, p in self.disks.items() for a in ('--disk', i + '=' + p)])
        self.setup_end = self.recorder.position()
        run('sync', '-f', self.home)

    def export(self, *args):
        seq = len(self.bundles) + 1
        self.oracle.keep(seq)
        path = self.path('%d.vmf' % seq)
        self.tool('hq', 'export', 'web1', *args, out=path)
        start = base_of(path)
        self.bundles[seq] = Bundle(path, 'delta' if start else 'seed', start, seq, ('dr',), False)
        self.oracle.untouched(seq)

    def replica(self, move, *args):
        """A command at the replica, whose states move makes of the one before."""
        self.tool('dr', *args)
        rc, states = move(self.states[-1])
        check(rc == 0, 'the model refuses', *args)
        self.steps[-1] = self.steps[-1]._replace(move=move)
        self.states.append(states[-1] if states else self.states[-1])
        check(look(site_at(os.path.join(self.home, 'dr'))) == seen(self.states[-1]), *args, ': not what the model says')
        now = self.states[-1]
        if not now.staged:
            self.oracle.compare(now.points[-1][0], os.path.join(site_at(os.path.join(self.home, 'dr')).replica(), 'disks'), 'the replica')
            self.snapshots[now.points[-1][0]] = self.path('at%d' % now.points[-1][0])
            shutil.rmtree(self.path('at%d' % now.points[-1][0]), ignore_errors=True)
            run('cp', '-a', os.path.join(self.home, 'dr'), self.path('at%d' % now.points[-1][0]))

    def import_(self, seq, merge=True):
        b, receipt = self.bundles[seq], self.path('%d.receipt' % seq)
        self.replica(lambda s: receive(s, b, 'dr', KEEP, merge), 'import', b.path, '--receipt', receipt, *([] if merge else ['--no-merge']))

    def receipt(self, seq):
        self.tool('hq', 'import', self.path('%d.receipt' % seq))
        self.receipts[seq] = self.steps[-1]

    def write(self):
        for p in self.disks.values():
            size = os.path.getsize(p)
            with open(p, 'r+b') as f:
                for _ in range(self.r.randrange(2, 10)):
                    n = self.r.choice([512, 4 * K, 20 * K])
                    f.seek(self.r.randrange(max(1, size - n) // 512 + 1) * 512)
                    f.write(self.r.choice([self.r.randbytes, bytes])(min(n, size - f.tell())))

    def resize(self):
        os.truncate(self.disks['vda'], self.r.choice([900 * K + 512, 1200 * K, 1 * M - 512]))
        os.truncate(self.disks['vdb'], self.r.choice([200 * K, 300 * K + 1536]))

    def changes(self):
        """A list of what differs, to the sector."""
        with open(self.path('changes'), 'w') as out:
            for i, p in self.disks.items():
                with open(p, 'rb') as f, open(self.oracle.path(len(self.bundles), i), 'rb') as g:
                    a, b = f.read(), g.read()
                for at in range(0, min(len(a), len(b)), 512):
                    if a[at:at + 512] != b[at:at + 512]:
                        out.write('%s %d 512\n' % (i, at))
        return '--changes', self.path('changes')

    def run(self):
        self.setup()
        self.export('--seed')
        self.import_(1)
        for seq in (2, 3):
            self.write()
            self.export('--delta')
            self.import_(seq)
        self.receipt(2)
        self.write()
        self.export('--delta', *self.changes())
        self.resize()
        self.write()
        self.export('--delta', '--since', 'sent', '--compress', 'none')
        self.import_(4, merge=False)
        self.import_(5, merge=False)
        self.replica(lambda s: (0, merge_all(s, KEEP)), 'merge', 'web1')
        self.replica(lambda s: pin(s, 3, True, KEEP), 'points', 'web1', '--pin', 3)
        self.receipt(5)
        for seq in (6, 7):
            self.write()
            self.export('--delta', *(self.changes() if seq == 7 else []))
            self.import_(seq)
        self.replica(lambda s: pin(s, 3, False, KEEP), 'points', 'web1', '--unpin', 3)
        self.replica(lambda s: (0, prune_now(s, KEEP)), 'points', 'web1', '--prune')
        self.write()
        self.export('--seed')
        self.receipt(7)
        self.import_(8)
        self.end = self.recorder.position()

    # --- after a power failure, with len(entries) == n

    def examine(self, n, where, r):
        """Look at both sites, whose homes lie in where."""
        done = [s for s in self.steps if s.end <= n]
        for s in done:
            if s.args[0] == 'init':
                site_at(os.path.join(where, s.site))('card')
            elif s.args[0] == 'trust':
                check(site_at(os.path.join(where, s.site)).json('trust', 'list'), 'the trust of', s.site, 'is lost')
            elif s.args[0] == 'enable':
                check(site_at(os.path.join(where, s.site)).json('status'), 'what was enabled is lost')
        if n < self.setup_end:
            return
        self.examine_replica(n, site_at(os.path.join(where, 'dr')))
        self.examine_primary(n, site_at(os.path.join(where, 'hq')), r)

    def examine_replica(self, n, site):
        moves = [s for s in self.steps if s.move]
        k = sum(s.end <= n for s in moves)
        state, again = self.states[k], k < len(moves) and moves[k].start <= n
        step = moves[k] if again else None
        state = settle(state, step.move(state)[1] if again else [], look(site), 'a power failure during ' + ' '.join(map(str, step.args))
                       if again else 'a power failure after ' + (' '.join(map(str, moves[k - 1].args)) if k else 'enable'))
        if again:
            state = self.go_on(site, state, step)
        self.prove(site, state)
        if k + again < len(moves):      # and it goes on from there
            self.prove(site, self.go_on(site, state, moves[k + again]))

    def go_on(self, site, state, step):
        rc, states = step.move(state)
        p = site(*step.args, rc=None)
        check(p.returncode == rc, *step.args, 'again: exit', p.returncode, p.stderr)
        state = states[-1] if states else state
        check(look(site) == seen(state), *step.args, 'again left', look(site), 'not', seen(state))
        return state

    def prove(self, site, state):
        if not state.known:
            return
        check(not state.merging, 'a merge is still under way')
        if not state.points:
            return
        self.oracle.compare(state.points[-1][0], os.path.join(site.replica(), 'disks'), 'the replica')
        site('scrub', 'web1')
        for seq, _ in state.points:
            out = self.path('out')
            site('restore', 'web1', '--point', seq, '-o', out)
            self.oracle.compare(seq, out, 'restored')
            shutil.rmtree(out)

    def examine_primary(self, n, site, r):
        exports = [s for s in self.steps if s.args[0] == 'export']
        out, begun = sum(s.out <= n for s in exports), sum(s.start <= n for s in exports)
        status, = site.json('status')
        last, target = status['last_point']['seq'] if status['last_point'] else 0, status['targets'][0]
        check(out <= last <= begun, 'the primary is at point', last, 'with', out, 'bundles out and', begun, 'begun')
        acked = max([q for q, s in self.receipts.items() if s.end <= n], default=0)
        check(target['acked'] >= acked, 'acknowledged is', target['acked'], 'and was', acked)
        check(target['sent'] >= sum(s.end <= n for s in exports), 'sent is', target['sent'])
        # The disks, as they were by then, and a little further.
        for i, p in self.disks.items():
            copy_sparse(self.oracle.path(max(begun, 1), i), p)
        self.r = r
        self.write()
        self.oracle.keep('now')
        new = self.path('new.vmf')
        # A seed that was cut off is to be made again: a replica has nothing yet.
        site('export', 'web1', '--anew', '-o', new, '--delta' if out else '--seed')
        h = json.loads(run(VMFERRY, 'inspect', '--json', new).stdout)
        check(h['to']['seq'] == last + 1, 'the next point is', h['to'])
        base = base_of(new)
        check(base <= max(acked, 1) or base in self.receipts, 'the delta starts at point', base, 'and not at', acked)
        can = [b for b in self.snapshots if max(base, acked) <= b <= out] if out else [0]
        for b in {min(can), max(can)} if can else ():
            self.bring(b, new)
        os.unlink(new)
        self.oracle.forget('now')

    def bring(self, b, new):
        """A replica at point b takes the bundle, and then is what the disks are."""
        home = self.path('replica')
        if b:
            run('cp', '-a', self.snapshots[b], home)
        else:
            run('cp', '-a', self.path('fresh'), home)
        site = site_at(home)
        try:
            site('import', new)
            self.oracle.compare('now', os.path.join(site.replica(), 'disks'), 'a replica that was at point %d, by the next delta:' % b)
        finally:
            shutil.rmtree(home)


def ended(data):
    """Has a bundle come to its end?"""
    at = data.find(b'end.json\0')
    while at >= 0 and at % 512:
        at = data.find(b'end.json\0', at + 1)
    return at >= 0 and len(data) >= at + 136 and len(data) >= at + 512 + (int(data[at + 124:at + 135], 8) + 511) // 512 * 512 + 1024


class Trial:
    """One file system: record, then fail at many moments."""
    def __init__(self, fs, seed, where, no_sync=None):
        self.fs, self.seed = fs, seed
        self.folder = tempfile.mkdtemp(prefix='vmferry-power.', dir=where)
        self.r = random.Random('%s %d' % (fs, seed))
        try:
            recorder = Recorder(self.folder, fs)
            try:
                self.work = Workload(self.folder, recorder, seed, no_sync)
                self.work.run()
            finally:
                recorder.close()
            self.log = Log(recorder)
            # A replica site before anything came.
            fresh = site_at(self.work.path('fresh'))
            shutil.copytree(self.work.snapshots[1], fresh.home)
            for name in os.listdir(os.path.join(fresh.home, 'replicas')):
                shutil.rmtree(os.path.join(fresh.home, 'replicas', name))
        except BaseException:
            self.close()
            raise

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def round(self, first, last):
        """Fail at ROUND moments; those that are bad, with the reason."""
        low = self.work.setup_end
        moments = sorted(self.r.randrange(first, last + 1) if self.r.random() < 0.9 else self.r.randrange(1, low + 1) for _ in range(ROUND))
        kinds = [('all', 'half') if i % 2 else ('all',) for i in range(ROUND)]
        for n, kind, image in self.log.images(list(zip(moments, kinds)), self.folder, self.r):
            yield n, kind, self.fail(n, image)

    def fail(self, n, image):
        try:
            mounted = Mounted(image, self.work.path('c'))
        except Failed as e:
            return str(e)
        try:
            self.work.examine(n, mounted.where, self.r)
        except Failed as e:
            return str(e)
        except Exception:
            return traceback.format_exc()
        finally:
            mounted.close()
        return None


def test(fs, seed, where, least, seconds, enough):
    """True if nothing is bad."""
    begin, bad, count = time.monotonic(), 0, collections.Counter()
    t = Trial(fs, seed, where)
    try:
        w, flushes = t.work, sum(e[2] & FLUSH for e in t.log.entries)
        print('        %s: %d commands, %d writes, %d flushes' % (fs, len(w.steps), len(t.log.entries) - flushes, flushes), flush=True)
        while (count['all'] < least or time.monotonic() - begin < seconds) and bad < enough:
            for n, kind, why in t.round(w.setup_end, w.end):
                count[kind] += 1
                if why:
                    bad += 1
                    print('FAILED  %s, power failure after write %d of %d (%s): %s' % (
                        fs, n, len(t.log.entries), 'all writes' if kind == 'all' else 'half of what was not flushed', why), flush=True)
                    if bad == enough:
                        break
    finally:
        t.close()
    print('%s %s: %d power failures with all writes up to it, %d without a half of what was not flushed, %d bad (%.0f s)' % (
        'FAILED ' if bad else 'ok     ', fs, count['all'], count['half'], bad, time.monotonic() - begin), flush=True)
    return bad == 0


def control(fs, seed, where, no_sync):
    """Without fsync something must be found."""
    t, n = Trial(fs, seed, where, no_sync), 0
    try:
        for k in range(4):
            for at, kind, why in t.round(t.work.setup_end, len(t.log.entries)):
                n += 1
                if why and at > t.work.setup_end:
                    print('ok      %s without fsync: found bad after %d power failures: %s' % (fs, n, why.strip().splitlines()[-1][:150]), flush=True)
                    return True
    finally:
        t.close()
    print('FAILED  %s without fsync: %d power failures and nothing was found' % (fs, n), flush=True)
    return False


def main():
    a = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    a.add_argument('--seconds', type=float, default=0, help='go on as long as this')
    a.add_argument('--points', type=int, default=40, help='but with so many power failures for each file system')
    a.add_argument('--seed', type=int)
    a.add_argument('--fs', default=','.join(SYSTEMS))
    a.add_argument('--enough', type=int, default=5, help='bad ones of a file system after which it is left')
    a.add_argument('--no-control', action='store_true')
    a.add_argument('--inside', action='store_true', help=argparse.SUPPRESS)
    o = a.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    why = why_not()
    if why is None and not o.inside:
        # In a mount namespace of our own: whatever happens, no mount outlives us.
        if subprocess.run(['unshare', '--mount', 'true'], stderr=subprocess.DEVNULL).returncode == 0:
            os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable, *sys.argv, '--inside'])
        why = 'may not mount'
    if why:
        print('SKIPPED power failures: %s' % why)
        print('0 passed, 0 failed')
        return
    seed = o.seed if o.seed is not None else random.SystemRandom().randrange(1, 1 << 31)
    print('power failures, seed %d' % seed, flush=True)
    # The images are the device: it need not be durable itself.
    room = os.statvfs('/dev/shm') if os.path.isdir('/dev/shm') else None
    where = '/dev/shm' if room and room.f_bavail * room.f_frsize > 4 * G else on_disk()
    jobs, ok, bad = o.fs.split(','), 0, 0
    with tempfile.TemporaryDirectory(prefix='vmferry-power.') as d:
        no_sync = os.path.join(d, 'nosync.so')
        subprocess.run(['cc', '-shared', '-fPIC', '-x', 'c', '-o', no_sync, '-'], input=NO_SYNC, text=True, check=True)
        for fs in jobs:
            for f in [lambda: test(fs, seed, where, o.points, o.seconds / len(jobs), o.enough)] + ([] if o.no_control else [lambda: control(fs, seed, where, no_sync)]):
                try:
                    good = f()
                except Exception as e:
                    print('FAILED  %s: %s' % (fs, e if isinstance(e, Failed) else traceback.format_exc()), flush=True)
                    good = False
                ok, bad = ok + good, bad + (not good)
    print('%d passed, %d failed' % (ok, bad), flush=True)
    sys.exit(bad > 0)


if __name__ == '__main__':
    main()
