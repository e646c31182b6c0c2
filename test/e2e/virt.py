"""A libvirtd of the tests' own, and what they ask of it.

    if not there():             # prints why, and the test is skipped
        return
    v = Virt(lab)
    v.define(xml)
    v.virsh('start', 'web1')

enter() is called first of all, in the module's last lines: the tests then run in namespaces of their own, of mounts,
networks and processes.  What libvirt keeps in /etc, /run and /var is the tests' there, so is its network, and all that
was started there ends with the tests.
"""
import ctypes, os, shutil, signal, subprocess, sys, time

from lab import UNDO, Failed, run

INSIDE = 'VMFERRY_TEST_INSIDE'
HIDDEN = ['/etc/libvirt', '/run/libvirt', '/var/lib/libvirt', '/var/log/libvirt', '/var/cache/libvirt', '/var/log/swtpm']
LOG = '/var/log/libvirt/qemu'
RUN = '/run/libvirt/qemu'
URI = 'qemu:///system'


def why_not():
    gone = [p for p in ('libvirtd', 'virsh', 'qemu-system-x86_64', 'qemu-img', 'unshare') if not shutil.which(p, path=os.environ['PATH'] + ':/usr/sbin:/sbin')]
    if gone:
        return 'not installed: ' + ' '.join(gone)
    if os.getuid() != 0:
        return 'namespaces for a libvirtd of our own want root'
    return ''


def there():
    """Whether a libvirtd can run here; if not, say why."""
    why = why_not() or ('' if os.environ.get(INSIDE) else 'the tests are not in namespaces of their own')
    if why:
        print('        skipped:', why)
    return not why


def pass_on(child, n):
    try:
        os.kill(child, n)
    except ProcessLookupError:
        pass


def reap(child):
    """What the first process of a namespace has to do: see to the orphans (a QEMU has libvirtd's for a parent that is
    gone), and end with its child's status."""
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(s, lambda n, frame: pass_on(child, n))
    while True:
        try:
            pid, status = os.wait()
        except InterruptedError:
            continue
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def enter():
    """Go on in namespaces of our own; where that cannot be, there() says so."""
    if why_not():
        return
    if os.environ.get(INSIDE) is None:
        os.environ[INSIDE] = ''
        if subprocess.run(['unshare', '-mnp', '--fork', '--mount-proc', 'true'], stderr=subprocess.DEVNULL).returncode == 0:
            os.environ[INSIDE] = '1'
            os.execvp('unshare', ['unshare', '-mnp', '--fork', '--kill-child', '--mount-proc', sys.executable, '-B'] + sys.argv)
    if os.environ[INSIDE] != '1':
        return
    os.environ[INSIDE] = '2'
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    child = os.fork()
    if child:
        reap(child)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)          # PR_SET_PDEATHSIG
    for d in HIDDEN:
        if not d.endswith('swtpm'):
            os.makedirs(d, exist_ok=True)       # where libvirt is installed and never ran, some are not there yet
        if os.path.isdir(d):
            run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tests', d)
    if os.path.exists('/dev/kvm'):
        # No KVM: an emulator is meant.  What can be written to would have libvirt look for it each time that it is asked.
        none = '/run/libvirt/no-kvm'
        open(none, 'w').close()
        run('mount', '--bind', none, '/dev/kvm')
        run('mount', '-o', 'remount,bind,ro', '/dev/kvm')
    run('ip', 'link', 'set', 'lo', 'up', rc=None)


class Virt:
    """libvirtd.  It goes on for the module's next test, without domains and networks, unless that wants another conf."""
    running = None      # (process, conf)

    def __init__(self, lab, qemu_conf=''):
        self.lab, self.conf, self.log = lab, qemu_conf, '/var/log/libvirt/libvirtd.log'
        if Virt.running and Virt.running[0].poll() is None:
            self.process = Virt.running[0]
            if Virt.running[1] == qemu_conf:
                UNDO.append(self.clean)
                return
            self.stop()
        for d in ('/etc/libvirt/qemu/networks', '/etc/libvirt/hooks', LOG):
            os.makedirs(d, exist_ok=True)
        with open('/etc/libvirt/qemu.conf', 'w') as f:
            f.write('security_driver = "none"\nuser = "root"\ngroup = "root"\nstdio_handler = "file"\nnamespaces = []\n' + qemu_conf)
        self.start()
        UNDO.append(self.clean)

    def start(self):
        with open(self.log, 'ab') as f:
            self.process = subprocess.Popen(['libvirtd', '--pid-file', '/run/libvirt/libvirtd.pid'], stdin=subprocess.DEVNULL,
                                            stdout=f, stderr=f, start_new_session=True)
        Virt.running = self.process, self.conf
        self.wait(lambda: self.virsh('version', rc=None).returncode == 0, 'libvirtd answers', 60)

    def stop(self, how=signal.SIGTERM):
        """End libvirtd; its domains go on."""
        self.process.send_signal(how)
        self.process.wait()

    def restart(self, how=signal.SIGTERM):
        self.stop(how)
        self.start()

    def clean(self):
        """Back to a libvirt without domains and networks, for the next test."""
        if self.process.poll() is not None:
            self.start()
        for name in self.virsh('list', '--all', '--name').stdout.splitlines():
            if name:
                self.virsh('destroy', name, rc=None)
                self.virsh('undefine', name, '--nvram', '--managed-save', '--checkpoints-metadata', rc=None)
        for name in self.virsh('net-list', '--all', '--name').stdout.split():
            self.virsh('net-destroy', name, rc=None)
            self.virsh('net-undefine', name, rc=None)

    def virsh(self, *args, rc=0):
        return run('virsh', '-q', '-c', URI, *args, rc=rc)

    def define(self, xml):
        path = self.lab.path('domain.xml')
        with open(path, 'w') as f:
            f.write(xml)
        self.virsh('define', path)

    def network(self, name, xml='', active=True):
        """A network: isolated and without addresses unless xml says what it is."""
        path = self.lab.path('network.xml')
        with open(path, 'w') as f:
            f.write('<network><name>%s</name>%s</network>' % (name, xml))
        self.virsh('net-define', path)
        if active:
            self.virsh('net-start', name)

    def pid(self, name):
        """QEMU's."""
        with open(os.path.join(RUN, name + '.pid')) as f:
            return int(f.read())

    def is_off(self, name):
        return self.virsh('domstate', name).stdout.strip() == 'shut off'

    def wait_off(self, name, timeout=60):
        self.wait(lambda: self.is_off(name), name + ' is off', timeout)

    def wait(self, what, words, timeout=30):
        end = time.time() + timeout
        while not what():
            if time.time() > end:
                raise Failed('%s: not in %d s; libvirtd says:\n%s' % (words, timeout, self.words()))
            time.sleep(0.05)

    def words(self):
        with open(self.log, errors='replace') as f:
            return f.read()[-800:]

    def xml(self, name, *args):
        return self.virsh('dumpxml', name, *args).stdout
