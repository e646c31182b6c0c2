"""A view of a VM's disks, as one of our own host programs gives it: vmferry-host(7), seen from vmferry's side."""
import json, os, signal, subprocess, time

from lab import BIN, Failed, check, run, start


class View:
    """Begun; .answer is what the program says, .disks its disks by their ids."""
    def __init__(self, disks, token, since='', quiesce=False, name='web1', host='', kind='libvirt', prefix='v-', wait=True):
        question = {'version': 1, 'verb': 'view', 'name': name, 'host': host, 'token': token, 'prefix': prefix, 'quiesce': quiesce,
                    'disks': [{'id': i, 'where': w[4:] if w.startswith('raw:') else w} for i, w in disks.items()]}
        if since:
            question['since'] = since
        self.began = time.time()
        self.process = start(os.path.join(BIN, 'vmferry-' + kind), 'view', name, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.process.stdin.write(json.dumps(question) + '\n')
        self.process.stdin.flush()
        if wait:
            self.hear()

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed('no view: exit %d: %s' % (self.process.wait(), self.process.stderr.read()))
        self.took = time.time() - self.began
        self.answer = json.loads(line)
        self.disks = {d['id']: d for d in self.answer['disks']}
        return self

    def end(self, word='keep', rc=0):
        """Return its words."""
        try:
            if word:
                self.process.stdin.write(word + '\n')
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        return self.ended(rc)

    def ended(self, rc=0, timeout=60):
        words = self.process.stderr.read()
        check(self.process.wait(timeout) == rc, 'the view ended with %s, not %s: %s' % (self.process.returncode, rc, words))
        return words

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def read(self, disk, out):
        """All of a disk as it was then, as a raw image."""
        where = self.disks[disk]['where']
        if where.startswith('/'):
            run('cp', '--sparse=always', where, out)
        else:
            run('nbdcopy', where, out)
        return out

    def changed(self, disk):
        """What is said to have changed, as a list of (offset, length); None: not known."""
        d = self.disks[disk]
        if 'changes' in d:
            with open(d['changes']) as f:
                return [tuple(int(x) for x in line.split()) for line in f]
        if 'bitmap' not in d:
            check(d.get('why'), 'nothing is known of changes, and not why:', d)
            return None
        extents = json.loads(run('nbdinfo', '--json', '--map=qemu:dirty-bitmap:' + d['bitmap'], d['where']).stdout)
        return [(e['offset'], e['length']) for e in extents if e['type'] & 1]


def missed(old, new, changed, block=512):
    """Where two raw images differ although that is not among what changed."""
    out = []
    with open(old, 'rb') as a, open(new, 'rb') as b:
        at = 0
        while True:
            x, y = a.read(1 << 20), b.read(1 << 20)
            if not x and not y:
                return out
            if x != y:
                for o in range(0, max(len(x), len(y)), block):
                    if x[o:o + block] != y[o:o + block] and not any(s <= at + o and at + o + block <= s + n for s, n in changed):
                        out.append(at + o)
            at += 1 << 20
