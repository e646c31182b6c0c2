#!/usr/bin/env python3
"""Views of the disks of libvirt's running VMs: whole, of one instant, never at the VM's cost, and gone when they end."""
import glob, json, os, signal, time

import guest, virt
from guest import check_pattern, domain_xml, make_disks, make_file_systems
from lab import BIN, M, UNDO, Lab, check, main, run
from view import View, missed
from virt import Virt


def hide():
    """Views of others on this machine are none of ours."""
    if os.environ.get(virt.INSIDE):
        os.makedirs('/run/vmferry', exist_ok=True)
        run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tests', '/run/vmferry')


class Vm(guest.Serial):
    """A guest that writes the pattern, as web1 of a libvirt of its own."""
    def __init__(self, disks=None, pause=2000, more_disks=None, where=None, **how):
        self.lab = Lab(sizes=(), enable=False)
        self.virt = Virt(self.lab)
        self.disks = disks(self.lab) if disks else make_disks(self.lab)
        self.disks.update(more_disks(self.lab) if more_disks else {})
        serial = self.lab.path('serial')
        super().__init__(serial)
        self.virt.define(domain_xml('web1', self.disks, serial, pause=pause, **how))
        self.boot()

    def boot(self):
        if os.path.exists(self.serial):
            os.unlink(self.serial)
        self.at = 0
        self.virt.virsh('start', 'web1')
        self.wait('GUEST-UP')
        self.wait_seq(1)

    def view(self, token, since='', **more):
        return View(self.disks, token, since, **more)

    def copies(self, v, tag):
        return [v.read(i, self.lab.path('%s-%s.raw' % (tag, i))) for i in self.disks]

    def complete(self, tag, old, v):
        """Read all of v as tag: consistent; what differs from old is among its changes, where those are known."""
        copies = self.copies(v, tag)
        check_pattern(*copies[:2])
        known = 0
        for i, c in zip(self.disks, copies):
            changed = v.changed(i)
            if changed is not None:
                known += 1
                gone = missed(self.lab.path('%s-%s.raw' % (old, i)), c, changed)
                check(not gone, i, 'changed between', old, 'and', tag, 'and nobody says so, at', gone[:5])
        return known

    def goes_on(self):
        """The guest still writes."""
        state = self.virt.virsh('domstate', 'web1', '--reason').stdout.strip()
        check(state.startswith('running'), 'the VM is', state)
        return self.wait_seq(3)

    def checkpoints(self):
        return sorted(self.virt.virsh('checkpoint-list', 'web1', '--name').stdout.split())

    def leftovers(self):
        job = self.virt.virsh('backup-dumpxml', 'web1', rc=None)
        return glob.glob(self.lab.path('.*.scratch')) + glob.glob('/run/vmferry/*') + ([job.stdout] if job.returncode == 0 else [])

    def tidy(self, seconds=10):
        """Whatever happened: nothing of a view is left, soon."""
        self.virt.wait(lambda: not self.leftovers(), 'nothing is left of the view', seconds)


def test_a_vm_that_reading_would_crash_is_not_read():
    if not virt.there() or not guest.there('nbdcopy'):
        return
    vm = Vm(iothread=True)
    words = refused(vm, 'v-1', '')
    check('iothread' in words and 'QEMU 9.0' in words, words)
    vm.goes_on()
    vm.tidy(0)


def test_a_view_is_one_instant_and_names_all_that_changed_since_another():
    if not virt.there() or not guest.there('nbdcopy', 'nbdinfo'):
        return
    vm = Vm(more_disks=lambda lab: {'vdc': 'raw:' + lab.make_disk('plain.raw', 4 * M)})
    promised = vm.seq()
    v = vm.view('v-1')
    copies = vm.copies(v, 'v-1')
    check(check_pattern(*copies[:2]) >= promised, 'the view is older than', promised)
    check(not v.answer['quiesced'] and 'quiesce_why' not in v.answer, v.answer)
    v.end('keep')
    # Not taken: the next has all.
    vm.wait_seq(3)
    v = vm.view('v-2', 'v-1')
    check('raw' in v.disks['vdc']['why'], v.answer)
    check(vm.complete('v-2', 'v-1', v) == 2, v.answer)
    check(sum(n for _, n in v.changed('vda')) < 4 * M, 'all of vda has changed')
    v.end('drop')
    check(vm.checkpoints() == ['v-1'], vm.checkpoints())
    vm.wait_seq(3)
    v = vm.view('v-3', 'v-1')
    check(vm.complete('v-3', 'v-1', v) == 2, v.answer)
    v.end('keep')
    check(vm.checkpoints() == ['v-1', 'v-3'], vm.checkpoints())
    # Nobody knows: both are kept, and what is of no use to the next goes.  There is no agent to freeze the guest.
    v = vm.view('v-4', 'v-3', quiesce=True)
    check(not v.answer['quiesced'] and 'agent' in v.answer['quiesce_why'], v.answer)
    v.end('')
    check(vm.checkpoints() == ['v-3', 'v-4'], vm.checkpoints())
    vm.tidy(0)
    v = vm.view('v-5', 'v-3')
    check(vm.checkpoints() == ['v-3', 'v-5'], vm.checkpoints())
    check(vm.complete('v-5', 'v-3', v) == 2, v.answer)
    check('another view' in refused(vm, 'v-6', 'v-3'), 'two views of one VM at once')
    v.end('keep')
    # Another program's job is respected.
    job = vm.lab.path('job.xml')
    with open(job, 'w') as f:
        f.write("<domainbackup mode='pull'><server transport='unix' socket='%s'/></domainbackup>" % vm.lab.path('s'))
    vm.virt.virsh('backup-begin', 'web1', job)
    check('another program' in refused(vm, 'v-6', 'v-5'), 'a view beside the job of another program')
    vm.virt.virsh('domjobabort', 'web1')
    vm.goes_on()
    question = json.dumps({'version': 1, 'verb': 'forget', 'name': 'web1', 'host': '', 'prefix': 'v-'})
    run(os.path.join(BIN, 'vmferry-libvirt'), 'forget', 'web1', stdin=None, input=question)
    check(vm.checkpoints() == [], vm.checkpoints())


def test_after_a_kill_the_vm_goes_on_and_the_next_view_is_complete():
    if not virt.there() or not guest.there('nbdcopy', 'nbdinfo'):
        return
    vm = Vm()
    v = vm.view('v-0')
    vm.copies(v, 'v-0')
    v.end('keep')
    # The program: somebody else ends the view, soon.
    vm.view('v-1', 'v-0').kill()
    vm.tidy()
    # Both: the next view does.
    v = vm.view('v-2', 'v-0')
    for pid in watchers():
        os.kill(pid, signal.SIGKILL)
    v.kill()
    check(len(vm.leftovers()) > 1, 'nothing was left')
    v = vm.view('v-3', 'v-0')
    # libvirtd: QEMU serves the view.
    vm.virt.restart(signal.SIGKILL)
    check(vm.complete('v-3', 'v-0', v) == 2, v.answer)
    v.end('keep')
    vm.tidy(0)
    check(vm.checkpoints() == ['v-0', 'v-3'], vm.checkpoints())
    # QEMU: what its bitmaps held is lost.
    v = vm.view('v-4', 'v-3')
    os.kill(vm.virt.pid('web1'), signal.SIGKILL)
    check('lost' in v.ended(rc=1), 'not said that it is lost')
    vm.tidy(0)
    vm.virt.wait_off('web1')
    vm.boot()
    v = vm.view('v-5', 'v-3')
    check(vm.complete('v-5', 'v-3', v) == 0, v.answer)
    v.end('keep')
    check(vm.checkpoints() == ['v-3', 'v-5'], vm.checkpoints())


def watchers():
    """The processes that look after views."""
    out = []
    for p in glob.glob('/proc/[0-9]*/cmdline'):
        try:
            with open(p, 'rb') as f:
                words = f.read().split(b'\0')
        except FileNotFoundError:
            continue
        if words[0] == b'/proc/self/exe' and words[1] in (b'end', b'thaw', b'resume'):
            out.append(int(p.split('/')[2]))
    return out


def mounted(lab, size, kind='ext4', name='small'):
    """A file system of its own, on a loop device, unmounted when the test ends."""
    image, folder = lab.path(name + '.img'), lab.path(name)
    with open(image, 'wb') as f:
        f.truncate(size)
    run('mkfs.' + kind, '-q', image)
    os.makedirs(folder)
    run('mount', '-o', 'loop', image, folder)
    UNDO.append(lambda: run('umount', '-l', folder, rc=None))
    run('mountpoint', '-q', folder)
    return folder


def test_where_room_runs_out_the_view_is_given_up_and_the_vm_goes_on():
    if not virt.there() or not guest.there('nbdcopy'):
        return
    vm = Vm(disks=lambda lab: in_folder(make_disks(lab, 'raw'), mounted(lab, 160 * M)), pause=0)
    folder = vm.lab.path('small')
    v = vm.view('v-1')
    fill(os.path.join(folder, 'filler'), folder, 30 * M)
    words = v.ended(rc=1)
    check('runs out of space' in words, words)
    vm.goes_on()
    check(not glob.glob(os.path.join(folder, '.*')), os.listdir(folder))
    vm.tidy(0)
    # Too little to begin with.
    fill(os.path.join(folder, 'filler2'), folder, 20 * M)
    words = refused(vm, 'v-2')
    check('too little' in words, words)
    os.unlink(os.path.join(folder, 'filler2'))
    os.unlink(os.path.join(folder, 'filler'))
    # Nobody looks, and QEMU stops it: it goes on without the job.
    v = vm.view('v-3')
    v.process.send_signal(signal.SIGSTOP)
    fill(os.path.join(folder, 'filler'), folder, 0)
    vm.virt.wait(lambda: 'I/O' in vm.virt.virsh('domstate', 'web1', '--reason').stdout, 'QEMU stops the VM')
    v.process.send_signal(signal.SIGCONT)
    v.ended(rc=1)
    vm.goes_on()
    os.unlink(os.path.join(folder, 'filler'))
    v = vm.view('v-4')
    check_pattern(*vm.copies(v, 'v-4'))
    v.end('keep')


def in_folder(disks, folder):
    out = {}
    for i, where in disks.items():
        form, path = where.split(':', 1)
        run('cp', '--sparse=never', path, folder)
        os.unlink(path)
        out[i] = '%s:%s' % (form, os.path.join(folder, os.path.basename(path)))
    return out


def fill(path, folder, leave):
    """Take all but so many bytes of a file system."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    at = 0
    while True:
        s = os.statvfs(folder)
        n = min(s.f_bavail * s.f_frsize - leave, 8 * M)
        if n < 4096:
            break
        try:
            os.posix_fallocate(fd, at, n)
        except OSError:
            break
        at += n
    os.close(fd)


def refused(vm, token, since=''):
    return vm.view(token, since, wait=False).end('', rc=1)


def test_a_guest_is_frozen_for_the_instant_and_thawed_whatever_happens():
    if not virt.there() or not guest.there('nbdcopy', agent=True):
        return
    vm = Vm(disks=make_file_systems, mode='files', agent=True)
    vm.virt.wait(lambda: "state='connected'" in vm.virt.xml('web1'), 'the agent is there', 60)
    v = vm.view('v-1', quiesce=True)
    check(v.answer['quiesced'], v.answer)
    for i, c in zip(vm.disks, vm.copies(v, 'v-1')):
        check('needs_recovery' not in run('dumpe2fs', '-h', c).stdout, i, 'was not written out')
    vm.goes_on()
    v.end('keep')
    # Whoever asked dies while it is frozen.
    for after in (0.3, 0.8):
        v = vm.view('v-2', quiesce=True, wait=False)
        time.sleep(after)
        v.kill()
        end = time.time() + 10
        vm.goes_on()
        check(time.time() < end, 'it was frozen for too long')
        vm.tidy()


def test_raw_disks_on_xfs_are_cloned():
    if virt.there() and guest.there('mkfs.xfs'):
        cloned('xfs')


def cloned(kind):
    vm = Vm(disks=lambda lab: in_folder(make_disks(lab, 'raw'), mounted(lab, 512 * M, kind)))
    folder = vm.lab.path('small')
    promised = vm.seq()
    v = vm.view('v-1')
    check(check_pattern(*vm.copies(v, 'v-1')) >= promised, 'older than promised')
    check('stood still for' in v.end('keep'), 'not said how long it stood still')
    vm.wait_seq(3)
    v = vm.view('v-2', 'v-1')
    check(v.disks['vda'].get('how') == 'reflink', v.answer)
    check(vm.complete('v-2', 'v-1', v) == 2, v.answer)
    v.end('drop')
    vm.wait_seq(3)
    v = vm.view('v-3', 'v-1')
    check(vm.complete('v-3', 'v-1', v) == 2, v.answer)
    v.kill()
    vm.tidy()
    v = vm.view('v-4', 'v-1')
    # Room runs out: the clones go, and the VM goes on.
    fill(os.path.join(folder, 'filler'), folder, 10 * M)
    check('runs out of space' in v.ended(rc=1), 'not said')
    os.unlink(os.path.join(folder, 'filler'))
    vm.goes_on()
    check(not glob.glob(os.path.join(folder, '.*')), os.listdir(folder))


if __name__ == '__main__':
    virt.enter()
    hide()
    main(__name__)
