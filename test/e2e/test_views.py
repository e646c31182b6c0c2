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
    check(vm.checkpoints() == ['v-3'], vm.checkpoints())
    # Nobody knows: both are kept, and what is of no use to the next goes.
    v = vm.view('v-4', 'v-3')
    v.end('')
    check(vm.checkpoints() == ['v-3', 'v-4'], vm.checkpoints())
    vm.tidy(0)
    v = vm.view('v-5', 'v-3')
    check(vm.checkpoints() == ['v-3', 'v-5'], vm.checkpoints())
    check(vm.complete('v-5', 'v-3', v) == 2, v.answer)
    v.end('keep')
    vm.goes_on()
    question = json.dumps({'version': 1, 'verb': 'forget', 'name': 'web1', 'host': '', 'prefix': 'v-'})
    run(os.path.join(BIN, 'vmferry-libvirt'), 'forget', 'web1', stdin=None, input=question)
    check(vm.checkpoints() == [], vm.checkpoints())


if __name__ == '__main__':
    virt.enter()
    hide()
    main(__name__)
