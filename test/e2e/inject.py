"""Faults at chosen system calls, by strace; and the proof that each fault that was meant to happen did.

strace counts the calls of each name for each thread, so the tools run on one processor here: then they use one
thread, and the Nth call of a name is the same call each time.  (-e trace=none and --seccomp-bpf would make strace
inject nothing, without a word: neither is used, and every caller checks that the fault was there.)
"""
import atexit, collections, glob, os, re, shutil, signal, subprocess, tempfile

from lab import BIN, Failed, check, run

# Every call that can change a file, a folder or a stream.
CHANGING = ('write writev pwrite64 pwritev pwritev2 fsync fdatasync sync_file_range rename renameat renameat2 link linkat '
            'symlink symlinkat unlink unlinkat rmdir truncate ftruncate fallocate ioctl copy_file_range sendfile mkdir '
            'mkdirat mknod mknodat open openat creat fchmod chmod fchmodat').split()
SENDING = CHANGING + 'sendto sendmsg'.split()     # and what goes to an NBD server
OPENING = ('open', 'openat')
FULL = os.environ.get('VMFERRY_FULL') == '1'


def one_processor():
    """For the tools that are traced: which one, differs among the tests that run at a time."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[os.getppid() % len(cpus)]})


# A killed process loses nothing that it wrote, synced or not, so waiting for the disk proves nothing here.  The
# system calls are made all the same, on no file, so that strace counts them and can fail them.
HASTY = r"""
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
static int hasty(long call) { return (syscall(call, -1) == 0 || errno == EBADF ? 0 : -1); }
int fsync(int fd) { (void)fd; return (hasty(SYS_fsync)); }
int fdatasync(int fd) { (void)fd; return (hasty(SYS_fdatasync)); }
"""


def hurry():
    """From here on, our children do not wait for the disk; with VMFERRY_FULL=1, or without a compiler, they do."""
    if FULL or shutil.which('cc') is None:
        return
    d = tempfile.mkdtemp(prefix='vmferry-test.')
    atexit.register(shutil.rmtree, d, True)
    subprocess.run(['cc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-x', 'c', '-o', d + '/hasty.so', '-'], input=HASTY, text=True, check=True)
    os.environ['LD_PRELOAD'] = d + '/hasty.so'


def tool(verb):
    """The program of a verb itself, so that the counts are not those of the one that starts it."""
    return os.path.join(BIN, 'vmferry-' + verb)


def strace(options, argv, log, **kw):
    kw.setdefault('stdin', subprocess.DEVNULL)
    return subprocess.run(['strace', '-f', '-qq', '-o', log, '-y', *options, '--', *map(str, argv)], capture_output=True, text=True,
                          timeout=600, preexec_fn=one_processor, **kw)


Calls = collections.namedtuple('Calls', 'first count')  # the numbers that are worth a fault: first .. count


def record(argv, where, calls=CHANGING, threads=1, **kw):
    """Run argv undisturbed: for each changing call its number range, without the loader's opens; and the process.
    Where a thread reads back what the first one writes, so many threads are right, and the first one's calls count."""
    log = os.path.join(where, 'strace.log')
    p = strace(['-e', 'trace=' + ','.join(calls)], argv, log, **kw)
    count, first = collections.Counter(), {}
    with open(log) as f:
        lines = f.read().splitlines()
    os.unlink(log)
    tids = set()
    for line in lines:
        m = re.match(r'(\d+)\s+(\w+)\(', line)
        if m is None:
            continue
        if not tids:
            main = m.group(1)
        tids.add(m.group(1))
        name = m.group(2)
        if m.group(1) != main:
            continue
        count[name] += 1
        if name not in first and (name not in OPENING or where in line):
            first[name] = count[name]
    if argv[0] == tool('import'):   # beside it is the process that tells the host: it reads, and has counts of its own
        threads = max(threads, 2)
    check(len(tids) <= threads, 'more than one thread was at work: the counts mean nothing')
    check(sum(count.values()) > 0, 'strace saw no call at all')
    return {n: Calls(first[n], count[n]) for n in count if n in first}, p


def points(calls, stride=1, offset=0):
    """(call, N) for every N, or for every stride-th of the frequent ones."""
    out = []
    for name in sorted(calls):
        c = calls[name]
        step = stride if c.count - c.first + 1 > 8 and name in ('write', 'writev', 'pwrite64', 'openat', 'sendto', 'sendmsg') and not FULL else 1
        out += [(name, n) for n in range(c.first + (offset % step), c.count + 1, step)]
    return out


def killed(argv, where, name, n, must=True, **kw):
    """Run argv and kill it at the nth call of that name.  True: it was; with must, anything else is an error."""
    p = strace(['-e', 'trace=' + name, '-e', 'inject=%s:signal=KILL:when=%d' % (name, n)], argv, os.path.join(where, 'strace.log'), **kw)
    os.unlink(os.path.join(where, 'strace.log'))
    fell = p.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    if must and not fell:
        raise Failed('the kill at %s %d did not happen: exit %d\n%s' % (name, n, p.returncode, p.stderr))
    if not fell and p.returncode != 0:
        raise Failed('%s, not killed, exit %d\n%s' % (argv, p.returncode, p.stderr))
    return fell


def disturbed(argv, where, name, when, what, must=True, **kw):
    """Run argv with an error or another result injected; the process.  That it was injected is checked."""
    log = os.path.join(where, 'strace.log')
    p = strace(['-e', 'trace=' + name, '-e', 'inject=%s:%s:when=%s' % (name, what, when)], argv, log, **kw)
    with open(log) as f:
        hit = [line for line in f if '(INJECTED)' in line]
    p.injected = len(hit)
    p.spared = hit and all('/cycles>' in line for line in hit)      # only figures were lost, of which nobody speaks
    os.unlink(log)
    if must and p.injected == 0:
        raise Failed('%s at %s %s did not happen' % (what, name, when))
    return p


class Stage:
    """A lab whose folder is put back to a kept state before each run."""
    def __init__(self, lab):
        self.lab = lab
        self.saved = lab.dir + '.saved'
        self.keep()

    def keep(self):
        shutil.rmtree(self.saved, ignore_errors=True)
        run('cp', '-a', self.lab.dir, self.saved)

    def reset(self, *names):
        """Put the named folders back (all, if none is named)."""
        if not names:
            shutil.rmtree(self.lab.dir)
            run('cp', '-a', self.saved, self.lab.dir)
            return
        for n in names:
            shutil.rmtree(self.lab.path(n), ignore_errors=True)
        there = [os.path.join(self.saved, n) for n in names if os.path.exists(os.path.join(self.saved, n))]
        if there:
            run('cp', '-a', *there, self.lab.dir)

    def close(self):
        self.lab.close()        # and what was saved of it


def leftovers(site):
    """Files of a home that no record needs any more."""
    out = []
    for r in glob.glob(os.path.join(site.home, 'replicas', '*-*')):
        uuid = os.path.basename(r)
        s = [x for x in site.json('status') if x.get('uuid') == uuid][0]
        inbox, undo = os.listdir(os.path.join(r, 'inbox')), os.listdir(os.path.join(r, 'undo'))
        if len(inbox) != s['staged']:
            out += ['inbox/' + x for x in sorted(inbox)]
        if len(undo) != max(0, s['points'] - 1):
            out += ['undo/' + x for x in sorted(undo)]
    out += ['tmp/' + x for x in os.listdir(os.path.join(site.home, 'tmp'))]
    return out


def on_disk():
    """A folder on a real file system: crash tests on tmpfs prove little."""
    for d in (os.environ.get('TMPDIR'), '/var/tmp', '/tmp', os.getcwd()):
        if d and os.access(d, os.W_OK) and run('stat', '-f', '-c', '%T', d).stdout.strip() not in ('tmpfs', 'ramfs'):
            return d
    raise Failed('no folder on a disk is writable; set TMPDIR')
