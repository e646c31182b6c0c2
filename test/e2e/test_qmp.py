"""vmferry-qmp: a plain QEMU as host, by its monitor: asked as vmferry asks it, held against what QEMU and the guest say."""
import filecmp, json, os, re, shutil, signal, subprocess, time

from guest import Frozen, Guest, check_pattern, make_disks, make_file_systems, raw_of, there
from lab import BIN, K, M, Failed, Lab, check, main, run, start

PROGRAM = os.path.join(BIN, 'vmferry-qmp')
PREFIX = 'vmferry-%d-' % os.getpid()
NAME = 'web1'


def environment(lab):
    return dict(os.environ, VMFERRY_HOME=lab.path('hq'))


def question(verb, g, **more):
    host = g if isinstance(g, str) else g.qmp + (',agent=' + g.agent_socket if os.path.exists(g.agent_socket) else '')
    return json.dumps(dict({'version': 1, 'verb': verb, 'name': NAME, 'host': host}, **more)) + '\n'


def ask(lab, verb, g, rc=0, **more):
    p = subprocess.run([PROGRAM, verb, NAME], input=question(verb, g, **more), capture_output=True, text=True, timeout=120,
                       env=environment(lab))
    check(p.returncode == rc, verb, 'exit', p.returncode, p.stdout, p.stderr)
    return p


def state(lab, g):
    return json.loads(ask(lab, 'state', g).stdout)


class View:
    """A view that stands."""
    def __init__(self, lab, g, disks, token, since='', quiesce=False, rc=0, strace=()):
        self.lab, self.disks, self.asked = lab, list(disks), time.time()
        self.process = start(*strace, PROGRAM, 'view', NAME, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=environment(lab))
        q = question('view', g, token=PREFIX + token, since=since and PREFIX + since, prefix=PREFIX, quiesce=quiesce,
                     disks=[{'id': i, 'where': w.replace('raw:', '')} for i, w in disks.items()])
        self.process.stdin.write(q.encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        self.took = time.time() - self.asked
        if rc is None:
            return
        if rc:
            self.words = self.process.stderr.read().decode()
            check(self.process.wait() == rc and not line, 'exit', self.process.returncode, line, self.words)
            return
        if not line:
            raise Failed('no view: ' + self.process.stderr.read().decode())
        self.answer = json.loads(line)
        self.of = {d['id']: d for d in self.answer['disks']}
        check([d['id'] for d in self.answer['disks']] == self.disks, 'other disks, or another order', line)

    def read(self, name):
        """Raw copies of all disks."""
        out = {}
        for i in self.disks:
            out[i] = self.lab.path('%s-%s.raw' % (name, i))
            run('nbdcopy', self.of[i]['where'], out[i])
        return out

    def dirty(self, i):
        d = self.of[i]
        p = run('nbdinfo', '--json', '--map=qemu:dirty-bitmap:' + d['bitmap'], d['where'])
        return [(e['offset'], e['length']) for e in json.loads(p.stdout) if e['type'] & 1]

    def update(self, older, name):
        """Copies that are older, brought to the view by what the bitmaps say: must be the view.  Returns bytes that changed."""
        whole, n = self.read(name), 0
        for i in self.disks:
            with open(older[i], 'r+b') as to, open(whole[i], 'rb') as f:
                for offset, length in self.dirty(i):
                    f.seek(offset)
                    to.seek(offset)
                    to.write(f.read(length))
                    n += length
            check(filecmp.cmp(older[i], whole[i], shallow=False), 'a change of disk', i, 'is not in its bitmap')
        return n

    def end(self, word='keep', rc=0):
        if word:
            self.process.stdin.write(word.encode() + b'\n')
        self.process.stdin.close()
        self.process.wait(20)
        self.words = self.process.stderr.read().decode()
        check(self.process.returncode == rc, 'the view ended with', self.process.returncode, self.words)


def bitmaps(g):
    """Of the nodes of disks: node -> names."""
    return {n['node-name']: sorted(b['name'] for b in n.get('dirty-bitmaps', []) if b.get('name'))
            for n in g.ask('query-named-block-nodes', flat=True) if n['drv'] in ('raw', 'qcow2')}


def names(*tokens):
    return sorted(PREFIX + t for t in tokens)


def nothing_left(g, lab):
    """Of a view that ended: in QEMU, or on the disk."""
    check(g.ask('query-block-exports') == [], 'exports are left')
    check(g.ask('query-block-jobs') == [], 'jobs are left')
    left = [n['node-name'] for n in g.ask('query-named-block-nodes', flat=True) if n['node-name'].startswith(('vmf-', 'probe'))]
    check(not left, 'nodes are left', left)
    check(not [b for bs in bitmaps(g).values() for b in bs if b.endswith('.since')], 'frozen bitmaps are left')
    check('fdset' not in json.dumps(g.ask('query-fdsets')), 'descriptors are left')
    left = [f for f in os.listdir(lab.dir) if f.endswith('.scratch')]
    check(not left, 'scratch files are left', left)
    try:
        g.ask('nbd-server-stop')
    except Failed:
        return
    raise Failed('the NBD server is left')


def same_pattern(copies):
    return check_pattern(copies['vda'], copies['vdb'])


def test_views_are_of_one_instant_and_their_bitmaps_miss_nothing():
    if not there('nbdcopy'):
        return
    lab = Lab(sizes=(), enable=False)
    disks = dict(list(make_disks(lab, 'qcow2').items())[:1] + list(make_disks(lab, 'raw', name='plain').items())[1:])
    g = Guest(lab, disks)
    promised = g.wait_seq(20)
    v = View(lab, g, disks, '1')
    check(all('bitmap' not in d and 'changes' not in d for d in v.of.values()), v.answer)
    one = v.read('one')
    seq = same_pattern(one)
    check(promised <= seq, 'the view shows', seq, 'and', promised, 'was promised')
    g.wait_seq(30)
    again = v.read('again')
    check(all(filecmp.cmp(one[i], again[i], shallow=False) for i in disks), 'the view is not frozen')
    v.end()
    nothing_left(g, lab)
    check(bitmaps(g) == {'vda': names('1'), 'vdb': names('1')}, bitmaps(g))
    promised = g.wait_seq(20)
    v = View(lab, g, disks, '2', '1')
    check(all(d['how'] == 'dirty bitmap' for d in v.of.values()), v.answer)
    v.update(one, 'two')
    check(same_pattern(one) >= promised)
    v.end('drop')                                   # that point is not taken: the next one has all since the first
    nothing_left(g, lab)
    check(bitmaps(g) == {'vda': names('1'), 'vdb': names('1')}, bitmaps(g))
    g.wait_seq(20)
    v = View(lab, g, disks, '3', '1')
    two = v.read('three')
    for i in disks:
        shutil.copy(lab.path('one-%s.raw' % i), lab.path('base-%s.raw' % i))
    v.update(again, 'three')                        # 'again' is as of the first point
    v.end('')                                       # nobody knows: both are kept
    nothing_left(g, lab)
    check(bitmaps(g) == {'vda': names('1', '3'), 'vdb': names('1', '3')}, bitmaps(g))
    g.wait_seq(20)
    v = View(lab, g, disks, '4', '3')               # it was taken, as it turns out
    v.update(two, 'four')
    v.end()
    check(bitmaps(g) == {'vda': names('4'), 'vdb': names('4')}, bitmaps(g))
    print('        a view stands after %d ms; the guest waited %d ms at most' % (v.took * 1000, max(g.stalls()) // 1000))
    ask(lab, 'forget', g, prefix=PREFIX)
    check(bitmaps(g) == {'vda': [], 'vdb': []}, bitmaps(g))
    g.kill()
    lab.close()


if __name__ == '__main__':
    main(__name__)
