#!/usr/bin/env python3
"""A full disk, a failing disk, a cut pipe, a signal: exit 3, the replica at N or N+1, and the same command again succeeds."""
import re

from inject import *
from lab import *
from test_kill import rescued, seqs, small_lab, touch, whole, with_points

WRITES = ('write', 'writev', 'pwrite64', 'fsync', 'fdatasync', 'fallocate', 'ftruncate', 'rename')



def sweep(name, lab, argv, resets, errors, state, again, finish, calls=WRITES):
    """Every such call fails once with each error; with '+', it and all after it do."""
    stage = Stage(lab)
    counted, p = record(argv, lab.dir, calls)
    check(p.returncode == 0, name, 'undisturbed: exit', p.returncode, p.stderr)
    finish()
    faults = 0
    for error in errors:
        more = error.endswith('+')
        for call in sorted(counted):
            if error.startswith('ENOSPC') and call in ('fsync', 'fdatasync', 'rename'):
                continue
            step = 1 if FULL or counted[call].count < 12 else 3
            for n in range(1, counted[call].count + 1, step):
                stage.reset(*resets)
                p = disturbed(argv, lab.dir, call, '%d%s' % (n, '+' if more else ''), 'error=' + error.rstrip('+'))
                what = '%s, %s at %s %d of %d' % (name, error, call, n, counted[call].count)
                # The last words, on standard error, or those to who tells the host: nothing was lost.
                is_words = p.returncode == 0 and (call == 'write' or 'host is told with the next command' in p.stderr)
                try:
                    check(p.returncode == (0 if p.spared else 3) or is_words, 'exit', p.returncode, p.stderr)
                    check(p.stderr.strip() or call == 'write' or p.spared, 'not a word was said')
                    state()
                    again()
                    finish()
                except Failed as e:
                    raise Failed('%s: %s' % (what, e)) from None
                faults += 1
    print('        %s: %d faults at %s' % (name, faults, ', '.join('%s %d' % (c, counted[c].count) for c in sorted(counted))))
    stage.close()


def replica_case(name, lab, argv, allowed, want, resets=('dr',)):
    def state():
        check(seqs(lab.dr) in allowed, 'the points are', seqs(lab.dr))
    sweep(name, lab, argv, resets, ('EIO', 'ENOSPC', 'ENOSPC+'), state, lambda: run(*argv), lambda: whole(lab, want))


def test_import_of_a_seed_survives_every_error():
    lab = small_lab()
    seed, = with_points(lab, 1)
    replica_case('import of a seed', lab, [tool('import'), '--home', lab.dr.home, seed], [None, [], [1]], [1])


def test_import_and_merge_survive_every_error():
    lab = small_lab(points=2)
    bundles = with_points(lab, 3)
    for b in bundles[:2]:
        lab.dr('import', b)
    replica_case('import of a delta', lab, [tool('import'), '--home', lab.dr.home, bundles[2]],
                 [[1, 2], [1, 2, 3], [2, 3]], [2, 3])


def test_merge_of_staged_bundles_survives_every_error():
    lab = small_lab()
    bundles = with_points(lab, 2)
    lab.dr('import', bundles[0])
    lab.dr('import', '--no-merge', bundles[1])
    replica_case('merge', lab, [tool('merge'), '--home', lab.dr.home, 'web1'], [[1], [1, 2]], [1, 2])


def test_export_survives_every_error():
    lab = small_lab()
    lab.keep(1)
    lab.dr('import', lab.export('--seed'))
    touch(lab, 2)
    lab.keep('now')
    out = lab.path('new.vmf')
    argv = [tool('export'), '--home', lab.hq.home, 'web1', '--delta', '-o', out]

    def state():
        have = lab.hq.json('status')[0]['last_point']['seq']
        check(have in (1, 2), 'the primary is at', have)
        check(not os.path.exists(out) or lab.dr('verify', out), 'an unfinished bundle has its name')

    def finish():
        check(not os.path.exists(out + '.part'), 'left over: the part of a bundle')
        check(not os.path.exists(glob.glob(lab.path('hq', 'primaries', '*-*'))[0] + '/pending'), 'left over: what was pending')
        lab.dr('import', out)
        lab.same('now', os.path.join(lab.dr.replica(), 'disks'), 'the replica:')
        lab.dr('scrub', 'web1')
        os.unlink(out)

    sweep('export', lab, argv, ['hq', 'dr'], ('EIO', 'ENOSPC', 'ENOSPC+'), state, lambda: run(*argv), finish)


def test_restore_survives_every_error():
    lab = small_lab()
    for b in with_points(lab, 2):
        lab.dr('import', b)
    out = lab.path('restored')
    argv = [tool('restore'), '--home', lab.dr.home, 'web1', '--point', 1, '-o', out]

    def finish():
        lab.same(1, out, 'restored:')
        check(sorted(os.listdir(out)) == ['vda.raw', 'vdb.raw'], 'in the folder is', os.listdir(out))

    sweep('restore', lab, argv, ['restored'], ('EIO', 'ENOSPC'), lambda: None, lambda: run(*argv), finish)


def test_a_failed_fsync_is_never_retried_into_success():
    """The kernel reports a failed write-back once: the next fsync of the same file says 0."""
    lab = small_lab()
    bundles = with_points(lab, 2)
    lab.dr('import', bundles[0])
    argv = [tool('import'), '--home', lab.dr.home, bundles[1]]
    stage = Stage(lab)
    calls, _ = record(argv, lab.dir, ('fsync',))
    for n in range(1, calls['fsync'].count + 1):
        stage.reset('dr')
        p = disturbed(argv, lab.dir, 'fsync', n, 'error=EIO')
        check(p.returncode == 3, 'fsync', n, 'failed, but the exit is', p.returncode)
        check('durable' in p.stderr, 'nothing is said of it:', p.stderr)
    stage.close()


def not_durable(log, site):
    """What a trace of a successful run shows not to be durable when it must be: a list of words, empty if all is well."""
    dirty, entries, wrong = {}, {}, []
    here = site.lab.dir + '/'

    def aside(p):       # locks, figures, files without a name, and what is not ours
        return not p.startswith(here) or p.endswith(('lock', '/cycles')) or '/tmp/' in p[len(here):] or '#' in p or '(deleted)' in p

    for line in log.splitlines():
        m = re.match(r'\d+\s+(\w+)\((.*)\)\s+= (-?\d+)(?:<(.*)>)?', line)
        if m is None or m.group(3).startswith('-'):
            continue
        call, args, got = m.group(1), m.group(2), m.group(4)
        fd = re.match(r'\d+<([^>]*)>', args)
        names = re.findall(r'"((?:[^"\\]|\\.)*)"', args)
        if call == 'openat' and 'O_CREAT' in args and 'O_TMPFILE' not in args and not aside(got):
            entries.setdefault(got, 'created')
            if 'O_TRUNC' in args or 'O_EXCL' in args:
                dirty[got] = 'created'
        elif call in ('write', 'writev', 'pwrite64', 'ftruncate', 'fallocate') and fd and not aside(fd.group(1)):
            dirty[fd.group(1)] = call
        elif call in ('fsync', 'fdatasync') and fd:
            p = fd.group(1)
            dirty.pop(p, None)
            entries = {e: why for e, why in entries.items() if os.path.dirname(e) != p}
        elif call in ('mkdir', 'symlink') and not aside(names[-1]):
            entries[names[-1]] = call
        elif call in ('unlink', 'rmdir'):
            dirty.pop(names[0], None)
            entries.pop(names[0], None)
        elif call == 'rename':
            old, new = names
            if old in dirty:
                wrong.append('%s gets its name before its content is durable (%s)' % (new, dirty.pop(old)))
            entries.pop(old, None)
            if new.endswith('/state'):      # the record moves on: what it names must be there
                folder = os.path.dirname(new)
                for p in [*dirty, *entries]:
                    if p.startswith(folder + '/') and '/leaves/' not in p or p.startswith(folder) and '/replicas/' in p:
                        wrong.append('%s is not durable when the record moves on' % p)
            entries[new] = 'renamed'
    wrong += ['%s: its content (%s) is not durable at exit 0' % x for x in dirty.items()]
    wrong += ['%s: its entry (%s) is not durable at exit 0' % x for x in entries.items()]
    return list(dict.fromkeys(wrong))


def test_exit_0_means_durable_content_before_names_before_records():
    """By the trace of the system calls of each verb: nothing that counts is left to a later write-back."""
    lab = small_lab(points=2)
    env = {k: v for k, v in os.environ.items() if k != 'LD_PRELOAD'}
    control = not_durable('1 openat(AT_FDCWD, "%s/a", O_RDWR|O_CREAT|O_EXCL, 0600) = 3<%s/a>\n1 write(3<%s/a>, "x", 1) = 1\n'
                          '1 rename("%s/a", "%s/b") = 0\n' % (5 * (lab.dir,)), lab.hq)
    check(len(control) == 2, 'the reading of the trace finds nothing where there is something:', control)

    def traced(site, verb, *args):
        p = strace(['-e', 'trace=openat,write,writev,pwrite64,ftruncate,fallocate,fsync,fdatasync,mkdir,symlink,unlink,rmdir,rename'],
                   [tool(verb), '--home', site.home, *args], lab.path('log'), env=env)
        check(p.returncode == 0, verb, 'exit', p.returncode, p.stderr)
        with open(lab.path('log')) as f:
            log = f.read()
        check(log.count('fsync(') > 0 or verb == 'status', verb, 'makes nothing durable at all')
        wrong = not_durable(log, site)
        check(not wrong, verb, *args, ':', '; '.join(wrong))

    new = object.__new__(Site)
    new.lab, new.home = lab, lab.path('new', 'home')
    traced(new, 'init', '--name', 'new')
    traced(lab.hq, 'enable', 'web2', '--to', 'dr', *lab.disk_args())
    for n, how in enumerate((['--seed'], ['--since', 'sent'], ['--since', 'sent'], ['--since', 'sent'])):
        touch(lab, n)
        traced(lab.hq, 'export', 'web1', '-o', lab.path('x%d' % n), *how)
        if n == 2:
            traced(lab.dr, 'import', '--no-merge', lab.path('x2'))
            traced(lab.dr, 'merge', 'web1')
        else:
            traced(lab.dr, 'import', lab.path('x%d' % n), '--receipt', lab.path('r%d' % n))
            traced(lab.hq, 'import', lab.path('r%d' % n))
    traced(lab.dr, 'points', 'web1', '--pin', '4')
    traced(lab.dr, 'restore', 'web1', '--point', '3', '-o', lab.path('out'))
    traced(lab.dr, 'scrub', 'web1')
    traced(lab.hq, 'trust', 'remove', 'dr')
    traced(lab.hq, 'trust', 'add', lab.dr.card)
    lab.close()


# A library that makes write, writev, pwrite and read move at most a few bytes, and fails every third call with EINTR.
SHORT = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
static __thread unsigned calls;
static int interrupted(void) { if (++calls % 3 == 0) { errno = EINTR; return (1); } return (0); }
#define CUT(n) ((n) > 1000 ? 1000 - calls % 7 : (n) > 1 ? (n) / 2 : (n))
ssize_t write(int fd, const void *p, size_t n) { return (interrupted() ? -1 : syscall(SYS_write, fd, p, CUT(n))); }
ssize_t read(int fd, void *p, size_t n) { return (interrupted() ? -1 : syscall(SYS_read, fd, p, CUT(n))); }
ssize_t __read_chk(int fd, void *p, size_t n, size_t m) { (void)m; return (read(fd, p, n)); }
ssize_t pwrite(int fd, const void *p, size_t n, off_t o) { return (interrupted() ? -1 : syscall(SYS_pwrite64, fd, p, CUT(n), o)); }
ssize_t pread(int fd, void *p, size_t n, off_t o) { return (interrupted() ? -1 : syscall(SYS_pread64, fd, p, CUT(n), o)); }
ssize_t __pread_chk(int fd, void *p, size_t n, off_t o, size_t m) { (void)m; return (pread(fd, p, n, o)); }
ssize_t pread64(int fd, void *p, size_t n, off_t o) { return (pread(fd, p, n, o)); }
ssize_t pwrite64(int fd, const void *p, size_t n, off_t o) { return (pwrite(fd, p, n, o)); }
ssize_t writev(int fd, const struct iovec *v, int n)
{
	if (interrupted())
		return (-1);
	for (int i = 0; i < n; i++)
		if (v[i].iov_len > 0)
			return (syscall(SYS_write, fd, v[i].iov_base, CUT(v[i].iov_len)));
	return (0);
}
"""


def test_short_and_interrupted_calls_give_the_same_bytes():
    lab = small_lab()
    so = lab.path('short.so')
    if shutil.which('cc') is None:
        print('        skipped: there is no C compiler')
        return lab.close()
    run('cc', '-shared', '-fPIC', '-o', so, '-x', 'c', '-', stdin=None, input=SHORT)
    env = dict(os.environ, LD_PRELOAD=so)
    log = strace(['-e', 'trace=write,writev', '-E', 'LD_PRELOAD=' + so], [tool('export'), '--home', lab.hq.home, 'web1', '--seed', '--plain',
                 '-o', lab.path('s.vmf')], lab.path('log'))
    check(log.returncode == 0, 'export: exit', log.returncode, log.stderr)
    with open(lab.path('log')) as f:
        text = f.read()
    check('writev(' not in text and text.count('write(') > 200, 'the short writes did not happen')
    touch(lab, 2)
    lab.keep(2)
    run(tool('export'), '--home', lab.hq.home, 'web1', '--delta', '--plain', '-o', lab.path('d.vmf'), env=env)
    rescued(lab, [lab.path('s.vmf'), lab.path('d.vmf')], 2)
    for b in ('s.vmf', 'd.vmf'):
        with open(lab.path(b), 'rb') as f:
            run(tool('import'), '--home', lab.dr.home, env=env, stdin=f)
    lab.same(2, os.path.join(lab.dr.replica(), 'disks'), 'the replica:')
    run(tool('scrub'), '--home', lab.dr.home, 'web1', env=env)
    lab.dr('scrub', 'web1')
    lab.close()


class Mounted:
    """A small ext4 of our own, in a file; None of it if we may not mount."""
    def __init__(self, lab, size):
        self.image, self.at = lab.path('small.img'), lab.path('small')
        os.mkdir(self.at)
        with open(self.image, 'wb') as f:
            f.truncate(size)
        run('mkfs.ext4', '-q', '-F', '-m', '0', self.image)
        p = run('mount', '-o', 'loop', self.image, self.at, rc=None)
        self.ok = p.returncode == 0 and os.path.ismount(self.at)
        self.why = p.stderr.strip()

    def close(self):
        if self.ok:
            run('umount', self.at)


def test_a_really_full_file_system_loses_nothing():
    if os.geteuid() != 0:
        print('        skipped: only root may mount a file system')
        return
    lab = Lab(where=on_disk(), sizes=(2 * M, 64 * K))
    m = Mounted(lab, 16 * M)
    if not m.ok:
        print('        skipped: cannot mount:', m.why)
        return lab.close()
    try:
        lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--store', os.path.join(m.at, 'store'))
        lab.keep(1)
        lab.dr('import', lab.export('--seed'))
        check(os.path.realpath(lab.dr.replica()).startswith(os.path.realpath(m.at)), 'the replica is not on the small file system')
        lab.write(lab.disks['vda'], 0, 2 * M)
        lab.keep(2)
        delta = lab.export('--delta')
        ballast = os.path.join(m.at, 'ballast')
        for free in (0, 700 * K, 2200 * K, 3500 * K):      # it fails here while it is received, there while it is merged
            with open(ballast, 'wb') as f:
                room = os.statvfs(m.at)
                try:
                    os.posix_fallocate(f.fileno(), 0, max(4096, room.f_bavail * room.f_frsize - free))
                except OSError:
                    pass
            p = lab.dr('import', delta, rc=None)
            check(p.returncode == 3 and 'free' in p.stderr, 'with', free, 'bytes free: exit', p.returncode, p.stderr)
            check(seqs(lab.dr) == [1], 'points', seqs(lab.dr))
            lab.dr('restore', 'web1', '-o', lab.path('out'))
            lab.same(1, lab.path('out'), 'restored from a full disk:')
            shutil.rmtree(lab.path('out'))
            os.unlink(ballast)
        # Another of the estimate's making: the room goes while the import is under way.
        fifo = lab.path('fifo')
        os.mkfifo(fifo)
        p = start(tool('import'), '--home', lab.dr.home, fifo, stderr=subprocess.PIPE, text=True)
        with open(delta, 'rb') as f, open(fifo, 'wb', buffering=0) as to:
            data = f.read()
            to.write(data[:300 * K])    # more than the pipe holds: the check of the space is over
            with open(ballast, 'wb') as b:
                room = os.statvfs(m.at)
                os.posix_fallocate(b.fileno(), 0, room.f_bavail * room.f_frsize - 256 * K)
            try:
                to.write(data[300 * K:])
            except BrokenPipeError:
                pass
        words = p.communicate()[1]
        check(p.returncode == 3 and 'free some space' in words, 'the disk filled up under it: exit', p.returncode, words)
        check(seqs(lab.dr) == [1], 'points', seqs(lab.dr))
        lab.dr('restore', 'web1', '-o', lab.path('out'))
        lab.same(1, lab.path('out'), 'restored from a full disk:')
        shutil.rmtree(lab.path('out'))
        os.unlink(ballast)
        lab.dr('import', delta)
        whole(lab, [1, 2])
    finally:
        m.close()
    lab.close()


def big_lab():
    """Enough data that a bundle does not fit into a pipe."""
    lab = Lab(where=on_disk(), sizes=(6 * M, 64 * K))
    lab.write(lab.disks['vda'], 0, 5 * M)
    return lab


def test_an_output_that_cannot_take_it_is_no_success():
    lab = big_lab()
    export = "%s --home %s export web1 --seed" % (VMFERRY, lab.hq.home)

    def shell(text):
        return subprocess.run(['bash', '-c', text], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    for what, text in (('-o /dev/full', export + ' -o /dev/full'), ('> /dev/full', export + ' > /dev/full'),
                       ('>&-', export + ' >&-'), ('| head', '{ %s; echo $? >&2; } | head -c 1000 >/dev/null' % export),
                       ('to a folder that is not there', export + ' -o %s/none/x' % lab.dir)):
        p = shell(text)
        if what == '| head':
            check(p.stderr.strip().split('\n')[-1] == '3', 'of the export', p.stderr)
        else:
            check(p.returncode == 3, what, 'exit', p.returncode)
    for verb in ('card', 'status --json', 'trust list', 'trust list --json', 'status', 'export --help', 'inspect --json %s' % lab.export('--seed')):
        for out in ('> /dev/full', '>&-'):
            p = shell('%s --home %s %s %s' % (VMFERRY, lab.hq.home, verb, out))
            check(p.returncode == 3, verb, out, 'exit', p.returncode)
    lab.dr('import', lab.export('--seed'))
    for verb in ('points web1', 'points web1 --json'):
        for out in ('> /dev/full', '>&-'):
            p = shell('%s --home %s %s %s' % (VMFERRY, lab.dr.home, verb, out))
            check(p.returncode == 3, verb, out, 'exit', p.returncode)
    lab.write(lab.disks['vda'], 0, 4 * K)
    delta = lab.export('--delta')
    for out in ('> /dev/full', '>&-'):
        p = shell('%s --home %s import %s --receipt - %s' % (VMFERRY, lab.dr.home, delta, out))
        check(p.returncode == 3, 'import --receipt -', out, 'exit', p.returncode)
    check(lab.dr.json('points', 'web1')[-1]['seq'] == seqs(lab.dr)[-1])
    lab.dr('scrub', 'web1')
    lab.close()


def test_closed_descriptors_never_lead_into_our_files():
    """Whatever is closed at the start: no word and no bundle is written into a lock, a record or a disk."""
    lab = small_lab()
    lab.keep(1)
    lab.dr('import', lab.export('--seed'))
    touch(lab, 2)
    lab.keep(2)
    delta = lab.export('--delta')
    for closing in ('>&-', '2>&-', '<&-', '>&- 2>&-', '<&- >&- 2>&-', '<&- 2>&-'):
        for command in ('%s export web1 --seed' % lab.hq.home, '%s export web1 --seed -o %s' % (lab.hq.home, lab.path('x.vmf')),
                        '%s import %s' % (lab.dr.home, delta), '%s import' % lab.dr.home, '%s merge web1' % lab.dr.home,
                        '%s import --receipt -' % lab.dr.home, '%s scrub web1' % lab.dr.home, '%s points web1 --prune' % lab.dr.home):
            stdin = '' if 'import' not in command or '.vmf' in command or '<&-' in closing else '< %s' % delta
            subprocess.run(['bash', '-c', '%s --home %s %s %s' % (VMFERRY, command, stdin, closing)], capture_output=True)
            for d, _, files in os.walk(lab.dir):
                for f in files:
                    if f == 'lock' or f.endswith(('.raw', '.img')) and 'kept' not in d:
                        with open(os.path.join(d, f), 'rb') as h:
                            text = h.read()
                        check(b'vmferry-' not in text and b'VMFERRY1' not in text, command, closing, 'wrote into', os.path.join(d, f))
                        check(f != 'lock' or not text, command, closing, 'wrote into', os.path.join(d, f))
    lab.dr('import', delta)
    whole(lab, [1, 2])
    lab.close()


def test_a_closed_standard_output_takes_no_bundle():
    lab = small_lab()
    p = subprocess.run(['bash', '-c', 'exec %s --home %s export web1 --seed >&-' % (VMFERRY, lab.hq.home)], capture_output=True, text=True)
    check(p.returncode == 3, 'exit', p.returncode, p.stderr)
    check(lab.hq.json('status')[0]['targets'][0]['sent'] == 0, 'it counts as sent')
    lab.close()


def test_an_interrupted_export_leaves_nothing_half_done():
    lab = big_lab()
    lab.dr('import', lab.export('--seed'))
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        lab.write(lab.disks['vda'], 0, 5 * M)
        p = start(tool('export'), '--home', lab.hq.home, 'web1', '--delta', stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = os.read(p.stdout.fileno(), 512)     # it is writing, and soon will wait for us
        p.send_signal(sig)
        out = first + p.stdout.read()
        words = p.stderr.read()
        check(p.wait() == 3, sig, 'exit', p.returncode, words)
        check(b'interrupted' in words, words)
        with open(lab.path('cut.vmf'), 'wb') as f:
            f.write(out)
        before = tree(lab.dr.home)
        for verb in (['verify'], ['import']):
            p = lab.dr(*verb, lab.path('cut.vmf'), rc=None)
            check(p.returncode in (1, 3), 'what was written passes as a bundle:', *verb, p.returncode)
        check(tree(lab.dr.home) == before, 'an unfinished bundle changed the replica')
        check(lab.hq.json('status')[0]['last_point']['seq'] == 1, 'a point was cut')
        check(not os.listdir(lab.path('hq', 'tmp')), 'left over: tmp')
    lab.keep('now')
    lab.dr('import', lab.export('--delta'))
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'), 'the replica:')
    lab.close()


def test_an_interrupted_import_leaves_nothing_half_done():
    lab = big_lab()
    lab.keep(1)
    seed = lab.export('--seed')

    def interrupt(bundle, sig):
        with open(bundle, 'rb') as f:
            data = f.read()
        p = start(tool('import'), '--home', lab.dr.home, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        half = len(data) // 2
        p.stdin.write(data[:half])      # more than the pipe takes: it has read well into it
        p.stdin.flush()
        p.send_signal(sig)
        try:
            p.stdin.write(data[half:])
            p.stdin.close()
        except BrokenPipeError:
            pass
        words = p.stderr.read()
        check(p.wait() == 3 and b'interrupted' in words, sig, 'exit', p.returncode, words)

    for sig in (signal.SIGINT, signal.SIGTERM):
        interrupt(seed, sig)
        check(not seqs(lab.dr), 'a seed that was interrupted left', seqs(lab.dr))
    lab.dr('import', seed)
    lab.write(lab.disks['vda'], 0, 5 * M)
    lab.keep(2)
    delta = lab.export('--delta')
    before = tree(lab.dr.home)
    for sig in (signal.SIGINT, signal.SIGTERM):
        interrupt(delta, sig)
        check(tree(lab.dr.home) == before, 'a delta that was interrupted changed the replica')
    lab.dr('import', delta)
    whole(lab, [1, 2])
    lab.close()


def test_a_cut_pipe_makes_no_point():
    """What came of the seed may be kept, for the rest to continue it; but a placeholder is all that there is."""
    lab = big_lab()
    lab.keep(1)
    seed = lab.export('--seed')
    with open(seed, 'rb') as f:
        data = f.read()
    for n in (0, 1, 511, 512, 1000, 20 * K, len(data) // 2, len(data) - 1024, len(data) - 1):
        p = subprocess.run([tool('import'), '--home', lab.dr.home], input=data[:n], capture_output=True)
        check(p.returncode in (1, 3), 'cut at', n, 'exit', p.returncode)
        check(not seqs(lab.dr), 'cut at', n, 'points', seqs(lab.dr))
        check(n > 1000 or os.listdir(lab.path('dr', 'replicas')) == [], 'left of', n, 'bytes:', *os.listdir(lab.path('dr', 'replicas')))
    lab.dr('import', seed)
    whole(lab, [1])
    lab.close()


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
