"""vmferry-qmp: a plain QEMU as host, by its monitor: asked as vmferry asks it, held against what QEMU and the guest say."""
import filecmp, json, os, shutil, signal, subprocess, time

from guest import Guest, Qmp, check_pattern, make_disks, make_file_systems, there
from lab import BIN, M, UNDO, VMFERRY, Failed, Lab, check, main, run, start

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
    disks = mixed_disks(lab)
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
    v.update(again, 'three')                        # 'again' is as of the first point
    v.end('')                                       # nobody knows: both are kept
    nothing_left(g, lab)
    check(bitmaps(g) == {'vda': names('1', '3'), 'vdb': names('1', '3')}, bitmaps(g))
    v = View(lab, g, disks, '4', '3')               # it was taken, as it turns out
    v.end()
    check(bitmaps(g) == {'vda': names('3', '4'), 'vdb': names('3', '4')}, bitmaps(g))
    print('        a view stands after %d ms; the guest waited %d ms at most' % (v.took * 1000, max(g.stalls()) // 1000))
    ask(lab, 'forget', g, prefix=PREFIX)
    check(bitmaps(g) == {'vda': [], 'vdb': []}, bitmaps(g))
    g.kill()
    lab.close()



def mixed_disks(lab):
    """A pattern over a qcow2 image, which keeps bitmaps, and a raw one, which does not."""
    return dict(vda=make_disks(lab, 'qcow2')['vda'], vdb=make_disks(lab, 'raw', name='plain')['vdb'])


def children(pid):
    return [int(c) for c in open('/proc/%d/task/%d/children' % (pid, pid)).read().split()]


def swept(g, seconds=10):
    """Wait until nothing of a view is in QEMU any more."""
    until = time.time() + seconds
    while g.ask('query-block-exports') or g.ask('query-block-jobs') or any(
            n['node-name'].startswith('vmf-') for n in g.ask('query-named-block-nodes', flat=True)):
        check(time.time() < until, 'the watchdog did not clean up in', seconds, 's')
        time.sleep(0.05)


def kill_at_message(lab, g, disks, token, since, n):
    """Begin a view whose program dies as it sends its n-th message to QEMU.  Whether it came so far."""
    v = View(lab, g, disks, token, since, rc=None, strace=(
        'strace', '-o', '/dev/null', '-e', 'trace=sendmsg', '-e', 'inject=sendmsg:signal=KILL:when=%d' % n))
    if v.process.poll() is None and v.process.stdout.peek(1):
        v.process.stdin.close()
    return v.process.wait(30) != 0


def test_whatever_is_killed_the_next_view_is_complete():
    if not there('nbdcopy', 'strace'):
        return
    lab = Lab(sizes=(), enable=False)
    disks = mixed_disks(lab)
    g = Guest(lab, disks)
    g.wait_seq(20)
    v = View(lab, g, disks, '1')
    base = v.read('base')
    v.end()
    # Killed while it stands: its watchdog ends the view.
    v = View(lab, g, disks, '2', '1')
    v.process.kill()
    v.process.wait()
    swept(g)
    # With its watchdog: the next view finds what is left.
    v = View(lab, g, disks, '3', '1')
    for pid in [v.process.pid] + children(v.process.pid):
        os.kill(pid, signal.SIGKILL)
    v.process.wait()
    check(len(g.ask('query-block-exports')) == 2, 'there is nothing left to be found')
    o = json.loads(ask(lab, 'machine', g).stdout)['disks']
    check({d['id']: d.get('where') for d in o} == {i: w.replace('raw:', '') for i, w in disks.items()}, 'QEMU\'s own filters are in the way:', o)
    check(kill_at_message(lab, g, disks, 'k', '1', 25), 'it is not killed')       # in the midst of its making
    g.wait_seq(20)
    v = View(lab, g, disks, '4', '1')
    check(v.update(base, 'next') > 0)
    v.end()
    nothing_left(g, lab)
    check(bitmaps(g) == {'vda': names('1', '4'), 'vdb': names('1', '4')}, bitmaps(g))
    # QEMU is killed: a bitmap that is not whole is not believed.
    g.wait_seq(20)
    g.kill()
    g = Guest(lab, disks)
    v = View(lab, g, disks, '5', '4')
    check(all('bitmap' not in d and d['why'] for d in v.of.values()), v.answer)
    base = v.read('base')
    v.end()
    check(bitmaps(g) == {'vda': names('5'), 'vdb': names('5')}, bitmaps(g))
    # QEMU ends in an orderly way, in the middle of a view: qcow2 has kept what changed since.
    v = View(lab, g, disks, '6', '5')
    g.wait_seq(20)
    g.ask('quit')
    g.ended()
    v.process.wait(20)
    check(v.process.returncode == 1 and b'QEMU' in v.process.stderr.read(), 'the view of a QEMU that is gone ended with', v.process.returncode)
    g = Guest(lab, disks)
    g.wait_seq(20)
    v = View(lab, g, disks, '7', '5')
    check(v.of['vda'].get('how') == 'dirty bitmap' and 'raw' not in v.of['vda'], v.answer)
    check('bitmap' not in v.of['vdb'] and 'format' in v.of['vdb']['why'], v.answer)
    v.disks = ['vda']
    check(v.update(base, 'last') > 0)
    v.disks = list(disks)
    v.end()
    g.kill()
    lab.close()


def test_a_guest_goes_on_when_there_is_no_room_for_what_it_overwrites():
    if os.geteuid() != 0:
        print('        skipped: needs root, to mount a small file system')
        return
    if not there('nbdcopy'):
        return
    lab = Lab(sizes=(), enable=False)
    disks = make_disks(lab, 'raw', data=96 * M)
    with open(lab.path('disk-vdb.raw'), 'r+b') as f:      # zeroes that are data: they have to be kept
        for _ in range(96):
            f.write(bytes(M))
    small = lab.path('small')
    os.mkdir(small)
    run('mount', '-t', 'tmpfs', '-o', 'size=40m', 'none', small)
    UNDO.append(lambda: run('umount', small))
    check(os.path.ismount(small))
    g = Guest(lab, disks)
    g.wait_seq(20)
    host = '%s,scratch=%s' % (g.qmp, small)
    v = View(lab, host, disks, '1')
    v.end()
    v = View(lab, host, disks, '2', '1')
    v.process.wait(60)                          # nobody reads: the guest fills it
    words = v.process.stderr.read().decode()
    check(v.process.returncode == 1 and 'out of space' in words and small in words, v.process.returncode, words)
    check(g.ask('query-status')['status'] == 'running', 'the guest stands still')
    check(not [e for e in g.ask.events if e['event'] in ('BLOCK_IO_ERROR', 'STOP')], 'the guest was stopped', g.ask.events)
    nothing_left(g, lab)
    check(os.listdir(small) == [], os.listdir(small))
    check(bitmaps(g) == {'vda': names('1', '2'), 'vdb': names('1', '2')}, bitmaps(g))
    g.wait_seq(50)
    # Somebody fills it at one stroke, while nobody can look: the guest is stopped, and let go.
    v = View(lab, host, disks, '2b', '2')
    os.kill(v.process.pid, signal.SIGSTOP)
    run('sh', '-c', 'cat /dev/zero >%s/filler' % small, rc=None)
    until = time.time() + 30
    while g.ask('query-status')['status'] != 'io-error':
        check(time.time() < until, 'the control: the guest was not stopped')
        time.sleep(0.05)
    os.kill(v.process.pid, signal.SIGCONT)
    v.process.wait(20)
    words = v.process.stderr.read().decode()
    check(v.process.returncode == 1 and 'goes on' in words, v.process.returncode, words)
    g.wait_seq(50)
    nothing_left(g, lab)
    os.unlink(os.path.join(small, 'filler'))
    # Without even that much room it is not begun.
    with open(os.path.join(small, 'full'), 'wb') as f:
        f.write(bytes(20 * M))
    v = View(lab, host, disks, '3', '1', rc=1)
    check('room' in v.words and small in v.words, v.words)
    g.wait_seq(20)
    g.kill()
    lab.close()


def freezes(trace):
    """The number of the message that freezes the guest, among those of a program that strace saw."""
    sent = [line for line in open(trace) if line.startswith('sendmsg(')]
    return next(i for i, line in enumerate(sent, 1) if 'guest-fsfreeze-freeze' in line)


def test_a_quiesced_view_is_clean_and_the_guest_always_thaws():
    if not there('nbdcopy', 'strace', 'dumpe2fs', agent=True):
        return
    lab = Lab(sizes=(), enable=False)
    disks = make_file_systems(lab, 'qcow2')
    g = Guest(lab, disks, mode='files', agent=True)
    g.wait('GUEST-UP|PATTERN-SEQ')
    g.wait_seq(10)
    v = View(lab, g, disks, '1')
    check(not v.answer['quiesced'])
    plain = v.read('plain')
    v.end()
    v = View(lab, g, disks, '2', '1', quiesce=True,
             strace=('strace', '-o', lab.path('trace'), '-s', '300', '-e', 'trace=sendmsg'))
    check(v.answer['quiesced'], v.answer)
    clean = v.read('clean')
    v.end()
    recovery = lambda p: 'needs_recovery' in run('dumpe2fs', '-h', p).stdout
    check(all(recovery(p) for p in plain.values()), 'the control is clean too')
    check(not any(recovery(p) for p in clean.values()), 'a file system was not frozen')
    g.wait_seq(10)
    at = freezes(lab.path('trace'))
    for n in (at, at + 1):                      # frozen; and all is done but the thaw
        check(kill_at_message(lab, g, disks, 'k%d' % n, '2', n))
        g.wait_seq(10, timeout=10)
        swept(g)
    # Nobody there who could freeze it: the point is taken all the same, and it is said.
    host = g.qmp + ',agent=' + lab.path('nobody')
    v = View(lab, host, disks, '3', '2', quiesce=True)
    check(not v.answer['quiesced'] and 'nobody' in v.answer['quiesce_why'], v.answer)
    v.end()
    v = View(lab, g.qmp, disks, '4', '3', quiesce=True)
    check(not v.answer['quiesced'] and 'agent=' in v.answer['quiesce_why'], v.answer)
    v.end()
    nothing_left(g, lab)
    # A guest shuts itself down: what nobody can be asked then is known.
    check(state(lab, g) == {'state': 'running'})
    ask(lab, 'shutdown', g)
    check(g.process.wait(10) == 0)
    check(state(lab, g) == {'state': 'off', 'stopped': 'shutdown'}, state(lab, g))
    ask(lab, 'shutdown', g)
    run('qemu-io', '-f', 'qcow2', '-c', 'write 0 512', disks['vda'].split(':')[1])
    check(state(lab, g) == {'state': 'off', 'stopped': 'unknown'}, 'somebody wrote to its disks since')
    lab.close()


def test_a_vm_of_plain_qemu_is_replicated_while_it_runs_and_when_it_is_off():
    if not there():
        return
    lab = Lab(sizes=(), enable=False)
    disks = make_disks(lab, 'raw')
    g = Guest(lab, disks)
    lab.hq('enable', NAME, '--to', 'dr', '--points', '8', '--host', 'qmp:' + g.qmp)
    promised = {}

    def point(*how):
        out = lab.path('b.vmf')
        said = lab.hq('export', NAME, '-o', out, *how).stderr
        lab.dr('import', out)
        os.unlink(out)
        return said

    promised[1] = g.wait_seq(20)
    point('--seed')
    promised[2] = g.wait_seq(20)
    check(point('--since', 'sent').count('dirty bitmap') == 2)
    # An exporter that dies has its point taken again, and the guest is left alone.
    p = start(VMFERRY, '--home', lab.hq.home, 'export', NAME, '--since', 'sent', '-o', '-', stdout=subprocess.PIPE)
    p.stdout.read(1)
    p.kill()
    p.wait()
    p.stdout.close()
    swept(g)
    promised[3] = g.wait_seq(20)
    check(point('--since', 'sent', '--anew').count('dirty bitmap') == 2)
    nothing_left(g, lab)
    promised[4] = g.power_button()
    point('--since', 'sent')
    points = [x['seq'] for x in lab.dr.json('points', NAME)]
    check(len(points) == 4, points)
    for seq, least in zip(sorted(points), promised.values()):
        out = lab.path('restored')
        lab.dr('restore', NAME, '--point', seq, '-o', out)
        seen = check_pattern(os.path.join(out, 'vda.raw'), os.path.join(out, 'vdb.raw'))
        check(seen >= least, 'point', seq, 'ends with transaction', seen, 'but', least, 'was durable before it was cut')
        shutil.rmtree(out)
    check(seen == promised[4], 'the last point is not as the guest left its disks')
    lab.close()


def idle(lab, *options, name=NAME):
    """A QEMU whose guest never starts; its monitor."""
    sock = lab.path('idle.%d' % len(os.listdir(lab.dir)))
    p = start('qemu-system-x86_64', '-accel', 'tcg', '-m', '32', '-nodefaults', '-nographic', '-S', *(['-name', name] if name else []),
              '-qmp', 'unix:%s,server=on,wait=off' % sock, '-qmp', 'unix:%s.t,server=on,wait=off' % sock, *options, cwd=lab.dir)
    return p, sock, Qmp(sock + '.t')


def test_disks_have_names_that_stay_and_reasons_that_are_said():
    if not there():
        return
    lab = Lab(sizes=(), enable=False)
    for n in 'abcdefg':
        run('qemu-img', 'create', '-q', '-f', 'qcow2' if n == 'a' else 'raw', lab.path('d,' + n), '1M')
    file = lambda n: lab.path('d,' + n).replace(',', ',,')
    p, sock, q = idle(
        lab, '-uuid', '3f2b5d6e-0000-4000-8000-00000000000a',
        '-drive', 'if=none,id=n1,format=qcow2,file=' + file('a'), '-device', 'virtio-blk-pci,drive=n1,id=root',
        '-drive', 'if=none,id=named,format=raw,file=d,,b', '-device', 'virtio-blk-pci,drive=named',
        '-blockdev', 'raw,node-name=nod,file.driver=file,file.filename=' + file('c'), '-device', 'virtio-blk-pci,drive=nod',
        '-drive', 'if=none,id=n4,format=raw,readonly=on,file=' + file('d'), '-device', 'virtio-blk-pci,drive=n4,id=ro',
        '-drive', 'if=none,id=n5,format=raw,file=' + file('e'), '-device', 'virtio-blk-pci,drive=n5,id=both,share-rw=on',
        '-drive', 'if=none,id=n6,media=cdrom,format=raw,file=' + file('f'), '-device', 'ide-cd,drive=n6,id=cd',
        '-device', 'virtio-scsi-pci', '-drive', 'if=none,id=n7,format=raw,file=' + file('g'), '-device', 'scsi-hd,drive=n7,id=disk.7')
    o = json.loads(ask(lab, 'machine', sock).stdout)
    check(o['uuid'] == '3f2b5d6e-0000-4000-8000-00000000000a', o)
    check(json.loads(o['definition'])[:3] == ['qemu-system-x86_64', '-accel', 'tcg'], o['definition'])
    d = {x['id']: x for x in o['disks']}
    where = lambda n, form='': form + os.path.realpath(lab.path('d,' + n))
    check({i: x['where'] for i, x in d.items() if 'where' in x} ==
          {'root': where('a', 'qcow2:'), 'named': where('b'), 'nod': where('c'), 'disk.7': where('g')}, o)
    check(all(x['size'] == M for x in d.values()), o)
    check({i: x['why'] for i, x in d.items() if 'why' in x} ==
          {'ro': 'is read-only', 'both': 'is shared with other VMs (share-rw)', 'cd': 'is removable'}, o)
    # A view of some, while the guest stands still.
    v = View(lab, sock, {'disk.7': 'x', 'root': 'y'}, '1')
    check('socket=' in v.of['root']['where'])
    run('nbdinfo', '--size', v.of['disk.7']['where'])
    # The monitor is in use; that the VM is there is still known.
    check(state(lab, sock) == {'state': 'running'})
    v.end('drop')
    check(state(lab, sock) == {'state': 'paused'})
    for disk, word in (('ro', 'read-only'), ('none', 'no disk')):
        check(word in View(lab, sock, {disk: ''}, '1', rc=1).words)
    q('nbd-server-start', addr={'type': 'unix', 'data': {'path': lab.path('nbd')}})
    check('nbd-server-stop' in View(lab, sock, {'root': ''}, '1', rc=1).words)
    q('query-block-exports')
    q('nbd-server-stop')                        # is not ours to be stopped
    p.kill()
    p.wait()
    check(state(lab, sock) == {'state': 'off', 'stopped': 'unknown'})
    for verb in ('shutdown', 'networks'):
        ask(lab, verb, sock)
    check(o.pop('state') == 'paused' and json.loads(ask(lab, 'machine', sock).stdout) == o, 'what it was is forgotten')
    ask(lab, 'forget', sock, prefix=PREFIX)
    check('is off' in ask(lab, 'machine', sock, rc=1).stderr)
    lab.close()


def test_what_would_harm_a_vm_is_refused():
    if not there():
        return
    lab = Lab(sizes=(), enable=False)
    run('qemu-img', 'create', '-q', '-f', 'raw', lab.path('d'), '1M')
    disk = ('-drive', 'if=none,id=n1,format=raw,file=' + lab.path('d'), '-device', 'virtio-blk-pci,drive=n1,id=root')
    p, sock, q = idle(lab, *disk, '-object', 'iothread,id=io')
    version = q('query-version')['qemu']
    if (version['major'], version['minor']) < (9, 0):
        words = View(lab, sock, {'root': ''}, '1', rc=1).words
        check('iothread' in words and '9.0' in words, words)
    p.kill()
    p.wait()
    check(state(lab, sock)['state'] == 'off')   # the socket is there, and nobody listens
    p, sock, q = idle(lab, *disk, name='another')
    check(state(lab, sock) == {'state': 'absent'})
    for verb in ('machine', 'shutdown'):
        check("is 'another'" in ask(lab, verb, sock, rc=1).stderr)
    check("is 'another'" in View(lab, sock, {'root': ''}, '1', rc=1).words)
    p.kill()
    p.wait()
    for host in ('relative', '/a,agent=b', '/a,other=/b', ''):
        check('SOCKET' in ask(lab, 'state', host, rc=1).stderr)
    check('too long' in ask(lab, 'state', '/' + 'x' * 200, rc=3).stderr)
    lab.close()


def test_the_secrets_on_the_command_line_are_not_told():
    if not shutil.which('qemu-system-x86_64'):
        print('        skipped: not installed: qemu-system-x86_64')
        return
    lab = Lab(enable=False)
    s = lab.path('qmp')
    p = start('qemu-system-x86_64', '-M', 'none', '-display', 'none', '-name', NAME, '-qmp', 'unix:%s,server=on,wait=off' % s,
              '-object', 'secret,id=one,data=swordfish,,too,format=raw',
              '-object', json.dumps({'qom-type': 'secret', 'id': 'two', 'data': 'swordfish'}))
    try:
        while not os.path.exists(s):
            check(p.poll() is None, 'QEMU has ended')
            time.sleep(0.05)
        said = ask(lab, 'machine', s).stdout
    finally:
        p.kill()
        p.wait()
    check('swordfish' not in said and 'too' not in said and 'id=one' in said and 'format=raw' in said, said)
    lab.close()


if __name__ == '__main__':
    main(__name__)
