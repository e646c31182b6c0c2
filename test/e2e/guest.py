"""Real guests for the tests: QEMU without KVM, a Debian kernel, and the self-checking pattern of test/guest/pattern.c.

    if not there():             # prints why, and the test is skipped
        return
    lab = Lab(sizes=())
    disks = make_disks(lab, 'qcow2')
    g = Guest(lab, disks)
    promised = g.wait_seq(1)    # transactions up to this one are on both disks
    ...
    seq = check_pattern('a.raw', 'b.raw')
"""
import json, os, re, shutil, signal, socket, subprocess, time

from lab import M, ROOT, UNDO, Failed, check, run, start

MADE = os.path.join(os.environ.get('VMFERRY_TEST', os.path.join(ROOT, 'build', 'test')), 'guest')
QEMU = 'qemu-system-x86_64'
PATTERN = os.path.join(MADE, 'pattern')
PART2 = 67584 * 512             # of boot.raw: where the journal starts


def made(name):
    return os.path.join(MADE, name)


def there(*programs, agent=False, boot=False):
    """Whether guests can run here; if not, say why."""
    gone = [p for p in (QEMU, 'qemu-img') + programs if not shutil.which(p)]
    why = ''
    if gone:
        why = 'not installed: ' + ' '.join(gone)
    elif os.path.exists(made('why')):
        why = open(made('why')).read().strip()
    elif not os.path.exists(made('made')):
        why = 'test/guest/build.sh has made no guest'
    elif agent and not os.path.exists(made('initrd-agent')):
        why = 'the guest has no agent'
    elif boot and not os.path.exists(made('boot.raw')):
        why = 'there is no disk to boot from'
    if why:
        print('        skipped:', why)
    return not why


class Qmp:
    """QEMU's monitor; events are kept in .events."""
    def __init__(self, path, timeout=60):
        self.socket, self.events, end = socket.socket(socket.AF_UNIX), [], time.time() + 10
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.time() > end:
                    raise
                time.sleep(0.02)
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile('r')
        self.file.readline()
        self('qmp_capabilities')

    def __call__(self, command, **arguments):
        """Arguments by keyword, '_' for '-'."""
        return self.order(command, {k.replace('_', '-'): v for k, v in arguments.items()})

    def order(self, command, arguments):
        self.socket.sendall((json.dumps({'execute': command, 'arguments': arguments}) + '\n').encode())
        while True:
            line = self.file.readline()
            if not line:
                raise Failed('QMP: %s: QEMU is gone' % command)
            o = json.loads(line)
            if 'event' in o:
                self.events.append(o)
            elif 'error' in o:
                raise Failed('QMP: %s: %s' % (command, o['error']['desc']))
            else:
                return o['return']

    def wait(self, event):
        """The next event of that name; those that came already count."""
        while True:
            for e in self.events:
                if e['event'] == event:
                    self.events.remove(e)
                    return e
            line = self.file.readline()
            if not line:
                raise Failed('QMP: %s: QEMU is gone' % event)
            o = json.loads(line)
            if 'event' in o:
                self.events.append(o)

    def close(self):
        self.file.close()
        self.socket.close()


class Serial:
    """What a guest wrote to its serial console, which is a file; each wait goes on behind what the one before found."""
    def __init__(self, path, alive=lambda: True):
        self.serial, self.alive, self.at = path, alive, 0

    def text(self):
        try:
            with open(self.serial, errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def wait(self, pattern, timeout=60):
        """Wait for a line in which the expression is found; return the match."""
        end = time.time() + timeout
        while True:
            alive = self.alive()
            text = self.text()
            m = re.compile(pattern + r'[^\n]*\n').search(text, self.at)
            if m:
                self.at = m.end()
                return m
            bad = re.search(r'(PATTERN|GUEST)-BAD.*', text[self.at:])
            if bad or not alive or time.time() > end:
                raise Failed('the guest %s, not %s; its last words:\n%s' % (
                    'says ' + bad.group(0) if bad else 'did not say in %d s' % timeout if alive else 'ended', pattern, text[-600:]))
            time.sleep(0.02)

    def seq(self):
        """The last transaction that it said was durable; 0: none."""
        found = re.findall(r'PATTERN-(?:SEQ|END|OK) (\d+)[^\n]*\n', self.text())
        return int(found[-1]) if found else 0

    def wait_seq(self, more=1, timeout=120):
        """Wait until so many more transactions are durable than were said to be; return the last."""
        end, aim = time.time() + timeout, self.seq() + more
        while True:
            alive, seq = self.alive(), self.seq()
            if seq >= aim:
                return seq
            if not alive or time.time() > end:
                raise Failed('the guest came to transaction %d in %d s, not %d; its last words:\n%s' % (
                    seq, timeout, aim, self.text()[-600:]))
            time.sleep(0.02)

    def stalls(self):
        """The longest step of each line that said a transaction, in microseconds."""
        return [int(x) for x in re.findall(r'PATTERN-SEQ \d+ (\d+)', self.text())]


def qemu(disks, serial, monitors, mode='pattern', boot=False, agent='', pause=0, memory=128, cache='unsafe', name='web1'):
    """The command that runs a guest.  disks: ID -> FORMAT:PATH, in order; agent: the socket of its agent, if it has one."""
    argv = [QEMU, '-accel', 'tcg', '-cpu', 'max', '-m', str(memory), '-nodefaults', '-nographic', '-no-reboot', '-name', name,
            '-serial', 'file:' + serial]
    for m in monitors:
        argv += ['-qmp', 'unix:%s,server=on,wait=off' % m]
    if not boot:
        argv += ['-kernel', made('vmlinuz'), '-initrd', made('initrd-agent' if agent else 'initrd'), '-append', command_line(mode, pause)]
    if agent:
        argv += ['-device', 'virtio-serial-pci', '-chardev', 'socket,path=%s,server=on,wait=off,id=agent' % agent,
                 '-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0']
    cached = {'direct': cache == 'none', 'no-flush': cache == 'unsafe'}
    for i, where in disks.items():
        form, path = where.split(':', 1)
        argv += ['-blockdev', json.dumps({'driver': form, 'node-name': i, 'discard': 'unmap', 'cache': cached, 'file': {
            'driver': 'file', 'filename': path, 'discard': 'unmap', 'cache': cached}}),
            '-device', 'virtio-blk-pci,drive=%s,id=%s' % (i, i)]
    return argv


class Guest(Serial):
    """A guest under QEMU, not libvirt.  disks: ID -> FORMAT:PATH, in order.  Killed when the test ends.

    qmp and agent_socket are for the tools under test; .ask is the tests' own monitor.
    """
    def __init__(self, lab, disks, mode='pattern', boot=False, agent=False, pause=0, memory=128, cache='unsafe', name='g',
                 more=(), wait=True):
        self.dir = lab.path(name)
        os.makedirs(self.dir, exist_ok=True)
        serial = self.path('serial')
        self.qmp, self.agent_socket = self.path('qmp'), self.path('agent')
        for p in (serial, self.qmp, self.agent_socket, self.path('tests')):
            if os.path.lexists(p):
                os.unlink(p)
        argv = qemu(disks, serial, (self.qmp, self.path('tests')), mode, boot, self.agent_socket if agent else '', pause, memory, cache)
        self.log = open(self.path('qemu.log'), 'ab')
        self.process = start(*argv, *more, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.log.close()
        super().__init__(serial, lambda: self.process.poll() is None)
        try:
            self.ask = Qmp(self.path('tests'))
        except OSError:
            raise Failed('QEMU did not start: ' + open(self.path('qemu.log'), errors='replace').read()[-600:])
        if wait:
            self.wait('GUEST-UP')

    def path(self, name):
        return os.path.join(self.dir, name)

    def power_button(self, timeout=60):
        """Ask for an orderly shutdown, and wait until QEMU ended.  Return the last transaction."""
        self.ask('system_powerdown')
        return self.ended(timeout)

    def ended(self, timeout=60):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed('the guest did not power off in %d s; its last words:\n%s' % (timeout, self.text()[-600:]))
        return self.seq()

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait()


def command_line(mode='pattern', pause=0, more=''):
    return ('console=ttyS0 quiet panic=-1 mode=%s pause=%d %s' % (mode, pause, more)).strip()


def make_disks(lab, form='qcow2', journal=8 * M, data=32 * M, runs=4, label='web1', ids=('vda', 'vdb'), name='disk', boot=False):
    """Two disks with a pattern at its beginning: ID -> FORMAT:PATH.  boot: the first can be booted from."""
    out = {}
    raws = [lab.path('%s-%s.raw' % (name, i)) for i in ids]
    if boot:
        run('cp', '--sparse=always', made('boot.raw'), raws[0])
    for p, size in zip(raws, (journal, data)):
        if not os.path.exists(p):
            with open(p, 'wb') as f:
                f.truncate(size)
    run(PATTERN, 'format', raws[0] + ('@%d' % PART2 if boot else ''), raws[1], label, runs)
    for i, p in zip(ids, raws):
        out[i] = '%s:%s' % (form, p)
        if form != 'raw':
            q = p[:-3] + form
            run('qemu-img', 'convert', '-f', 'raw', '-O', form, p, q)
            os.unlink(p)
            out[i] = '%s:%s' % (form, q)
    return out


def make_file_systems(lab, form='qcow2', size=32 * M, runs=4, label='web1', ids=('vda', 'vdb'), name='fs'):
    """Two ext4 disks for mode=files: the journal is a file of the first, the data one of the second."""
    out, files = {}, [lab.path(name + '-a', 'journal'), lab.path(name + '-b', 'data')]
    for p, length in zip(files, (5 * M, size // 2)):
        os.makedirs(os.path.dirname(p))
        with open(p, 'wb') as f:
            f.truncate(length)
    run(PATTERN, 'format', *files, label, runs)
    for i, p in zip(ids, files):
        raw = lab.path('%s-%s.raw' % (name, i))
        with open(raw, 'wb') as f:
            f.truncate(size)
        run('mkfs.ext4', '-q', '-d', os.path.dirname(p), raw)
        shutil.rmtree(os.path.dirname(p))
        out[i] = '%s:%s' % (form, raw)
        if form != 'raw':
            q = raw[:-3] + form
            run('qemu-img', 'convert', '-f', 'raw', '-O', form, raw, q)
            os.unlink(raw)
            out[i] = '%s:%s' % (form, q)
    return out


def check_pattern(journal, data, boot=False, rc=0):
    """What two raw images show: the last transaction.  rc=1: they must not be right; return what is said."""
    p = run(PATTERN, 'check', journal + ('@%d' % PART2 if boot else ''), data, rc=None)
    if rc != p.returncode:
        raise Failed('the pattern on %s: %s%s' % (journal, p.stdout, p.stderr))
    return int(p.stdout.split()[1]) if rc == 0 else p.stdout


def write_pattern(journal, data, boot=False, seconds=0.3):
    """The guest's writes without a guest, on raw images.  Return the last transaction."""
    p = start(PATTERN, 'run', journal + ('@%d' % PART2 if boot else ''), data, stdout=subprocess.PIPE, text=True)
    time.sleep(seconds)
    p.terminate()
    said = p.communicate()[0].split()
    check(p.returncode == 0 and said[-2] == 'PATTERN-END', 'the pattern on', journal, 'says', *said)
    return int(said[-1])


def raw_of(where, out):
    """A raw copy of FORMAT:PATH, which nobody has open."""
    form, path = where.split(':', 1)
    run('qemu-img', 'convert', '-f', form, '-O', 'raw', path, out)
    return out


def domain_xml(name, disks, serial, mode='pattern', boot=False, agent=False, pause=0, memory=128, uuid=None,
               iothread=False, more=''):
    """The guest as libvirt's domain.  disks: ID -> FORMAT:PATH; serial: the file for its console."""
    out = ["<domain type='qemu'><name>%s</name>" % name, '<uuid>%s</uuid>' % uuid if uuid else '',
           "<memory unit='MiB'>%d</memory>%s<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type>" % (
               memory, '<iothreads>1</iothreads>' if iothread else '')]
    if not boot:
        out.append('<kernel>%s</kernel><initrd>%s</initrd><cmdline>%s</cmdline>' % (
            made('vmlinuz'), made('initrd-agent' if agent else 'initrd'), command_line(mode, pause)))
    out.append("</os><features><acpi/></features><cpu mode='maximum'/><on_poweroff>destroy</on_poweroff>"
               "<on_reboot>restart</on_reboot><on_crash>destroy</on_crash><devices>")
    for i, where in disks.items():
        form, path = where.split(':', 1)
        out.append("<disk type='file' device='disk'><driver name='qemu' type='%s' cache='unsafe' discard='unmap'%s/>"
                   "<source file='%s'/><target dev='%s' bus='virtio'/></disk>" % (form, " iothread='1'" if iothread else '', path, i))
    out.append("<serial type='file'><source path='%s'/><target port='0'/></serial>" % serial)
    if agent:
        out.append("<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>")
    out.append("<memballoon model='none'/><controller type='usb' model='none'/>%s</devices></domain>" % more)
    return ''.join(out)


class Frozen:
    """A view of a guest's disks at one instant, taken through QEMU's monitor alone: the tests' own, to judge ours by.

    guest: has .ask, a monitor, and .path.  now: the bitmap that records from this instant on.  since: an older one; a
    disk that has it offers what changed since as a bitmap of that name.  late: seconds by which each disk after the first
    is frozen too late, which is a fault.  URIs are in .uri, the disks that have a bitmap in .tracked.
    """
    def __init__(self, guest, disks, now, since=None, late=0):
        self.guest, self.ask, self.now, self.since = guest, guest.ask, now, since
        self.disks = list(disks)
        self.uri = {i: 'nbd+unix:///%s?socket=%s' % (i, guest.path('nbd')) for i in disks}
        nodes = self.nodes()
        self.tracked = [i for i in self.disks if since in bitmaps(nodes[i])]
        if not os.path.exists(guest.path('nbd')):
            self.ask('nbd-server-start', addr={'type': 'unix', 'data': {'path': guest.path('nbd')}})
        for i in self.disks:
            scratch = guest.path('scratch-%s.qcow2' % i)
            run('qemu-img', 'create', '-q', '-f', 'qcow2', scratch, nodes[i]['image']['virtual-size'])
            self.ask('blockdev-add', driver='qcow2', node_name='scratch-' + i, backing=i,
                     file={'driver': 'file', 'filename': scratch})
        actions = [self.freeze(nodes[i]) for i in self.disks]
        for some in actions if late else [sum(actions, [])]:
            self.ask('transaction', actions=some)
            time.sleep(late)
        for i in self.disks:
            self.ask('block-export-add', type='nbd', id='export-' + i, node_name='scratch-' + i, name=i,
                     bitmaps=[since] if i in self.tracked else [])

    def nodes(self):
        return {b['node-name']: b for b in self.ask('query-named-block-nodes', flat=True)}

    def freeze(self, node):
        i = node['node-name']
        out = [{'type': 'block-dirty-bitmap-add', 'data': {'node': i, 'name': self.now, 'persistent': node['drv'] == 'qcow2'}}]
        if i in self.tracked:
            out.append({'type': 'block-dirty-bitmap-disable', 'data': {'node': i, 'name': self.since}})
        out.append({'type': 'blockdev-backup', 'data': {'device': i, 'target': 'scratch-' + i, 'sync': 'none', 'job-id': 'view-' + i}})
        return out

    def end(self, how='keep'):
        """keep: the older bitmap goes; drop: the newer one, into the older one; both: both stay, and hold all."""
        for i in self.disks:
            self.ask('block-export-del', id='export-' + i, mode='hard')
        for _ in self.disks:
            self.ask.wait('BLOCK_EXPORT_DELETED')
        for i in self.disks:
            self.ask('block-job-cancel', device='view-' + i)
            while any(j['id'] == 'view-' + i for j in self.ask('query-jobs')):
                time.sleep(0.01)
            self.ask('blockdev-del', node_name='scratch-' + i)
            os.unlink(self.guest.path('scratch-%s.qcow2' % i))
        actions = []
        for i in self.tracked:
            if how == 'keep':
                actions.append(('remove', {'node': i, 'name': self.since}))
            else:
                actions += [('enable', {'node': i, 'name': self.since}),
                            ('merge', {'node': i, 'target': self.since, 'bitmaps': [self.now]})]
        if how == 'drop':
            actions += [('remove', {'node': i, 'name': self.now}) for i in self.disks]
        self.ask('transaction', actions=[{'type': 'block-dirty-bitmap-' + verb, 'data': data} for verb, data in actions])


def bitmaps(node):
    """The names of the bitmaps of a node that record, or could."""
    return [b['name'] for b in node.get('dirty-bitmaps', []) if 'name' in b and not b.get('inconsistent') and not b['busy']]
