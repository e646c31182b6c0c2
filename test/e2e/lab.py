"""What the end-to-end tests share: two sites, a VM with disks, and the tools as a person runs them.

Every test is a function whose name starts with test_ and says what it proves; main() runs those of its
module, each in a fresh folder that is removed afterwards, and prints "N passed, N failed".
"""
import ctypes, filecmp, glob, json, multiprocessing, os, random, shutil, subprocess, sys, tempfile, time, traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get('VMFERRY_BIN', os.path.join(ROOT, 'build', 'bin'))
VMFERRY = os.path.join(BIN, 'vmferry')
RESCUE = os.path.join(ROOT, 'doc', 'rescue.py')
K, M, G = 1 << 10, 1 << 20, 1 << 30


class Failed(Exception):
    pass


def check(ok, *what):
    if not ok:
        raise Failed(' '.join(str(w) for w in what))


def run(*argv, rc=0, **kw):
    """Run a command; its exit status must be rc (None: any).  Returns the finished process, output as text."""
    kw.setdefault('stdin', subprocess.DEVNULL)
    text = kw.pop('text', True)
    p = subprocess.run([str(a) for a in argv], capture_output=True, text=text, timeout=600, **kw)
    if rc is not None and p.returncode != rc:
        raise Failed('%s: exit %d, not %d\n%s%s' % (' '.join(map(str, argv)), p.returncode, rc, p.stdout, p.stderr))
    return p


STARTED, LABS, UNDO = [], [], []      # what a test leaves behind when it fails; UNDO: what undoes it, in order


def start(*argv, **kw):
    """A process in the background."""
    p = subprocess.Popen([str(a) for a in argv], **kw)
    STARTED.append(p)
    return p


def clean_up():
    while UNDO:
        UNDO.pop()()
    while STARTED:
        p = STARTED.pop()
        if p.poll() is None:
            p.kill()
            p.wait()
    while LABS:
        LABS[-1].close()


class Site:
    def __init__(self, lab, name):
        self.lab, self.name, self.home = lab, name, os.path.join(lab.dir, name)
        self.card = self.home + '.card'
        with open(self.card, 'w') as f:
            f.write(self('init', '--name', name).stdout)

    def __call__(self, verb, *args, rc=0, **kw):
        return run(VMFERRY, '--home', self.home, verb, *args, rc=rc, **kw)

    def json(self, verb, *args):
        return json.loads(self(verb, *args, '--json').stdout)

    def replica(self, uuid='*'):
        """The folder of the only replica, or of the one of that UUID."""
        return os.path.realpath(glob.glob(os.path.join(self.home, 'replicas', uuid + '-*' if uuid == '*' else uuid))[0])


class Lab:
    """Sites hq (primary) and dr (replica), which know each other; VM web1 with disks vda and vdb."""
    def __init__(self, where=None, sizes=(4 * M, 1 * M + 512), points=24, enable=True):
        self.dir = tempfile.mkdtemp(prefix='vmferry-test.', dir=where)
        LABS.append(self)
        self.hq, self.dr = Site(self, 'hq'), Site(self, 'dr')
        self.hq('trust', 'add', self.dr.card)
        self.dr('trust', 'add', self.hq.card, '--vm', 'web*')
        self.random = random.Random(1)
        self.disks = {}
        for i, size in enumerate(sizes):
            self.disks['vd%c' % (ord('a') + i)] = self.make_disk('vd%c.img' % (ord('a') + i), size)
        if enable:
            self.hq('enable', 'web1', '--to', 'dr', '--points', points, *self.disk_args())

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def disk_args(self):
        return [a for i, p in self.disks.items() for a in ('--disk', '%s=%s' % (i, p))]

    def make_disk(self, name, size):
        """A sparse disk with some random data, some text and some zeroes."""
        p = self.path(name)
        with open(p, 'wb') as f:
            f.truncate(size)
        self.write(p, 0, min(size // 4, 256 * K))
        return p

    def write(self, path, offset, length, data=None):
        with open(path, 'r+b') as f:
            f.seek(offset)
            f.write(self.random.randbytes(length) if data is None else (data * length)[:length])

    def keep(self, tag):
        """Copies of the disks as they are now, to compare with later."""
        os.makedirs(self.path('kept', str(tag)))
        for i, p in self.disks.items():
            run('cp', '--sparse=always', p, self.path('kept', str(tag), i + '.raw'))

    def same(self, tag, folder, what=''):
        for i in self.disks:
            check(filecmp.cmp(self.path('kept', str(tag), i + '.raw'), os.path.join(folder, i + '.raw'), shallow=False),
                  what, 'disk', i, 'is not what was kept as', tag)

    def export(self, *args, name=None):
        """Export to a file and return its path."""
        out = self.path(name or 'b%d.vmf' % len(glob.glob(self.path('b*.vmf'))))
        self.hq('export', 'web1', '-o', out, *args)
        return out

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.dir + '.saved', ignore_errors=True)
        if self in LABS:
            LABS.remove(self)


def edit_record(path, change):
    """Let change() have its way with a record's JSON, and put the checksum right."""
    with open(path, 'rb') as f:
        o = json.loads(f.read()[:-22])
    change(o)
    text = json.dumps(o).encode()
    xxh3 = ctypes.CDLL('libxxhash.so.0').XXH3_64bits
    xxh3.restype, xxh3.argtypes = ctypes.c_uint64, (ctypes.c_char_p, ctypes.c_size_t)
    with open(path, 'wb') as f:
        f.write(text + b'xxh3 %016x\n' % xxh3(text, len(text)))


def tree(folder):
    """Every file below a folder with its content, to see whether anything changed; locks, which are empty, aside."""
    out = {}
    for d, dirs, files in os.walk(os.path.realpath(folder)):
        for f in files:
            if f in ('lock', 'trust.lock') and os.path.getsize(os.path.join(d, f)) == 0:
                continue
            p = os.path.join(d, f)
            with open(p, 'rb') as h:
                out[os.path.relpath(p, folder)] = hash(h.read())
    return out


def run_test(test):
    name, f = test
    t = time.time()
    try:
        f()
        print('ok      %s (%.1f s)' % (name[5:], time.time() - t), flush=True)
        return True
    except Exception as e:
        print('FAILED  %s: %s' % (name[5:], e if isinstance(e, Failed) else traceback.format_exc()), flush=True)
        return False
    finally:
        clean_up()


def main(module, jobs=1):
    """Run the module's tests, or those named as arguments; so many at a time, or as many as VMFERRY_JOBS says."""
    jobs = int(os.environ.get('VMFERRY_JOBS', jobs))
    tests = [(n, f) for n, f in vars(sys.modules[module]).items() if n.startswith('test_') and callable(f)]
    wanted = sys.argv[1:]
    tests = [t for t in tests if not wanted or t[0] in wanted]
    if jobs == 1:
        failed = sum(not run_test(t) for t in tests)
    else:
        with multiprocessing.Pool(jobs) as pool:
            failed = sum(not ok for ok in pool.imap(run_test, tests, chunksize=1))
    print('%d passed, %d failed' % (len(tests) - failed, failed), flush=True)
    sys.exit(1 if failed else 0)
