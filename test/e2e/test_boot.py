#!/usr/bin/env python3
"""A replica boots: a guest's disk with its own boot loader comes over, and QEMU runs it there."""
import virt
from guest import Serial, check_pattern, make_disks, there, write_pattern
from lab import *
from qemu_host import QemuHost


class LibvirtHost:
    """libvirt as a site's host, as QemuHost is."""
    def __init__(self, lab, name):
        self.lab, self.virt, self.spec, self.consoles = lab, virt.Virt(lab), 'libvirt:' + virt.URI, 0

    def serial(self, vm):
        """Its console from now on: a guest takes a second to say its first word."""
        self.consoles += 1
        tty, out = self.virt.virsh('ttyconsole', vm).stdout.strip(), self.lab.path('console-%d' % self.consoles)
        run('stty', '-F', tty, 'raw', '-echo')
        with open(out, 'wb') as f:
            start('cat', tty, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.DEVNULL)
        self.last = Serial(out, lambda: not self.virt.is_off(vm))
        return self.last

    def start(self, vm):
        self.virt.virsh('start', vm)
        return self.serial(vm)

    def shut_down(self, vm):
        self.virt.virsh('shutdown', vm, '--mode', 'acpi')
        self.virt.wait_off(vm)
        return self.last.seq()


class BootLab(Lab):
    """web1 at hq, which boots from its first disk; both sites have a host that runs it, hq's by QEMU alone."""
    def __init__(self, dr=QemuHost, **kw):
        super().__init__(sizes=(), enable=False)
        self.hosts = {'hq': QemuHost(self, 'hq'), 'dr': dr(self, 'dr')}
        self.hq('trust', 'add', self.dr.card, '--vm', 'web*', '--host', self.hosts['hq'].spec)
        self.dr('trust', 'add', self.hq.card, '--vm', 'web*', '--host', self.hosts['dr'].spec)
        where = make_disks(self, 'raw', data=8 * M, boot=True, **kw)
        self.disks = {i: w.split(':', 1)[1] for i, w in where.items()}
        self.hosts['hq'].have('web1', where, boot=True)
        self.hq('enable', 'web1', '--to', 'dr', '--points', 24, '--host', self.hosts['hq'].spec)

    def send(self, a, b):
        out, back = self.path('b.vmf'), self.path('r.vmf')
        for f in (out, back):
            if os.path.exists(f):
                os.unlink(f)
        a('export', 'web1', '-o', out)
        b('import', out, '--receipt', back)
        a('import', back)

    def write(self):
        """What the VM would write at hq.  Return the last transaction that is on its disks."""
        return write_pattern(*self.disks.values(), boot=True)

    def run(self, site, least=20):
        """The VM runs at a site for a while, and is shut down: the last transaction that is on its disks."""
        serial = self.hosts[site.name].start('web1')
        serial.wait_seq(least)
        return self.hosts[site.name].shut_down('web1')


def booted(serial, seq):
    """The guest came up, its disks are of one instant, and have just these transactions."""
    serial.wait('GUEST-UP')
    serial.wait('PATTERN-LABEL web1')
    found = int(serial.wait(r'PATTERN-OK (\d+)').group(1))
    check(found == seq, 'it boots with transaction', found, 'not', seq)
    serial.wait_seq(5)


def test_a_test_failover_boots_from_the_replica_while_imports_go_on():
    if not there(boot=True):
        return
    lab = BootLab()
    lab.send(lab.hq, lab.dr)
    first = lab.write()
    lab.send(lab.hq, lab.dr)
    before = {i: os.path.join(lab.dr.replica(), 'disks', i + '.raw') for i in lab.disks}
    lab.dr('failover', 'web1', '--test', '--start')
    serial = lab.hosts['dr'].serial('web1 - Test')
    serial.wait('GUEST-UP')
    second = lab.write()
    lab.send(lab.hq, lab.dr)            # while the test runs
    serial.at = 0
    booted(serial, first)
    lab.dr('failover', 'web1', '--stop-test')
    check(check_pattern(*before.values(), boot=True) == second, 'what came in during the test is not merged')
    lab.dr('scrub', 'web1')


if __name__ == '__main__':
    main(__name__)
