#!/usr/bin/env python3
"""vmferry-libvirt is killed at any moment of a view, alone and with whoever watches over it; so are libvirtd and QEMU, and
the VM is shut down, or its checkpoints are forgotten: the next view is complete, and the guest goes on.

In an order that --seed gives, as long as there is time.  Ends with "N passed, N failed".
"""
import argparse, os, random, signal, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
import guest, virt
from lab import check, main
from test_views import Vm, hide, make_file_systems, watchers
from view import missed


def kill_program(vm, dice, token, last):
    """At some moment, with its watchers or without."""
    v = vm.view(token, last, wait=False, quiesce=dice.random() < 0.5)
    time.sleep(dice.random() * 1.2)
    if dice.random() < 0.5:
        for pid in watchers():
            os.kill(pid, signal.SIGKILL)
        v.kill()
        vm.virt.virsh('domfsthaw', 'web1', rc=None)      # nobody is left who would
    else:
        v.kill()
        vm.tidy(15)


def kill_libvirtd(vm, dice, token, last):
    v = vm.view(token, last)
    vm.virt.stop(signal.SIGKILL)
    time.sleep(dice.random())
    vm.virt.start()
    v.end(dice.choice(['drop', '']))


def kill_qemu(vm, dice, token, last):
    v = vm.view(token, last)
    os.kill(vm.virt.pid('web1'), signal.SIGKILL)
    v.ended(rc=1)
    vm.virt.wait_off('web1')
    vm.boot()


def shut_down(vm, dice, token, last):
    vm.virt.virsh('shutdown', 'web1', '--mode', 'acpi')
    vm.virt.wait_off('web1')
    vm.boot()


def forget_checkpoints(vm, dice, token, last):
    """As at another host that it migrated to."""
    for name in vm.checkpoints():
        vm.virt.virsh('checkpoint-delete', 'web1', name, '--metadata')


def sweep(seconds, dice):
    vm = Vm(disks=make_file_systems, mode='files', agent=True)
    end, last, done = time.time() + seconds, 'v-0', []
    v = vm.view(last)
    vm.copies(v, last)
    v.end()
    what = [kill_program] * 8 + [kill_libvirtd, kill_qemu, shut_down, forget_checkpoints]
    while time.time() < end:
        f = dice.choice(what)
        done.append(f.__name__)
        vm.wait_seq(2)
        f(vm, dice, 'v-%da' % len(done), last)
        vm.wait_seq(2)
        token = 'v-%d' % len(done)
        v = vm.view(token, last, wait=False)
        v.hear()
        for i, copy in zip(vm.disks, vm.copies(v, token)):
            changed = v.changed(i)
            check(changed is not None or f is kill_qemu, 'after', f.__name__, 'nothing is known of', i, v.answer)
            gone = [] if changed is None else missed(vm.lab.path('%s-%s.raw' % (last, i)), copy, changed)
            check(not gone, 'after', f.__name__, i, 'changed and nobody says so, at', gone[:5])
        for i in vm.disks:
            os.unlink(vm.lab.path('%s-%s.raw' % (last, i)))
        v.end('keep')
        vm.tidy(0)
        check(vm.checkpoints() == [token], vm.checkpoints())
        last = token
    print('        %d times: %s' % (len(done), ', '.join('%d %s' % (done.count(n), n) for n in sorted(set(done)))))


def test_whatever_is_killed_the_next_view_is_complete():
    if virt.there() and guest.there('nbdcopy', 'nbdinfo', agent=True):
        sweep(options.seconds, random.Random(options.seed))


if __name__ == '__main__':
    virt.enter()
    hide()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=int, default=120)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    sys.argv[1:] = []
    main(__name__)
