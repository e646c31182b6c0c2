#!/usr/bin/env python3
"""Recovery points of a VM that runs: a guest writes a pattern to two disks that shows whether they are of one instant."""
import virt
from guest import Frozen, Guest, Serial, check_pattern, domain_xml, make_disks, there
from lab import *
from qemu_host import QemuHost


def pipe(lab, *export):
    """Export straight into an import."""
    p = start(VMFERRY, '--home', lab.hq.home, 'export', 'web1', '-o', '-', *export, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    q = lab.dr('import', '-', rc=None, stdin=p.stdout)
    p.stdout.close()
    said = p.stderr.read().decode()
    p.stderr.close()
    check(p.wait() == 0 and q.returncode == 0, 'export: exit', p.returncode, said, 'import: exit', q.returncode, q.stderr)
    return said


def points_are_whole(lab, promised):
    """Each point of the replica is of one instant, and no older than what was promised for it; seq -> transaction."""
    seen = {}
    for seq, least in promised.items():
        out = lab.path('restored')
        lab.dr('restore', 'web1', '--point', seq, '-o', out)
        seen[seq] = check_pattern(os.path.join(out, 'vda.raw'), os.path.join(out, 'vdb.raw'))
        check(seen[seq] >= least, 'point', seq, 'ends with transaction', seen[seq], 'but', least, 'was durable before it was cut')
        shutil.rmtree(out)
    return seen


def test_the_pattern_tells_when_disks_are_not_of_one_instant():
    if not there():
        return
    lab = Lab(sizes=(), enable=False)
    disks = make_disks(lab)
    guest = Guest(lab, disks)
    for late, rc in ((0, 0), (0.3, 1)):
        guest.wait_seq(20)
        view = Frozen(guest, disks, 'p%d' % rc, late=late)
        for i, uri in view.uri.items():
            run('qemu-img', 'convert', '-f', 'raw', '-O', 'raw', uri, lab.path(i))
        said = check_pattern(lab.path('vda'), lab.path('vdb'), rc=rc)
        check(rc == 0 or 'newer than the journal' in said, 'what is wrong was not told:', said)
        view.end()


class ByProgram:
    """The guest at a host by a program, the tests' own."""
    def __init__(self, lab, disks):
        self.host = QemuHost(lab, 'hq')
        self.host.have('web1', disks)
        self.spec, self.serial = self.host.spec, self.host.start('web1')

    def shut_down(self):
        return self.host.shut_down('web1')


class ByQmp:
    def __init__(self, lab, disks):
        self.serial = Guest(lab, disks)
        self.spec, self.shut_down = 'qmp:' + self.serial.qmp, self.serial.power_button


class ByLibvirt:
    def __init__(self, lab, disks):
        self.virt, self.spec = virt.Virt(lab), 'libvirt:' + virt.URI
        self.virt.define(domain_xml('web1', disks, lab.path('serial')))
        self.virt.virsh('start', 'web1')
        self.serial = Serial(lab.path('serial'), lambda: not self.virt.is_off('web1'))

    def shut_down(self):
        self.virt.virsh('shutdown', 'web1')
        self.virt.wait_off('web1')
        return self.serial.seq()


def live_points(host, points, form='qcow2'):
    """So many points of a guest that writes, each made of what changed since the one before, and sent by pipe."""
    lab = Lab(sizes=(), enable=False)
    vm = host(lab, make_disks(lab, form))
    lab.hq('enable', 'web1', '--to', 'dr', '--points', points, '--host', vm.spec)
    promised = {}
    for n in range(1, points + 1):
        promised[n] = vm.serial.wait_seq(20)
        said = pipe(lab, *(['--since', 'sent'] if n > 1 else []))
        check(n == 1 or form != 'qcow2' or said.count('changes are known from its dirty bitmap') == 2, 'the bitmaps were not used:', said)
    seen = points_are_whole(lab, promised)
    check(list(seen.values()) == sorted(set(seen.values())), 'a point is not newer than the one before:', seen)
    last = vm.shut_down()
    check(seen[points] <= last, 'a point is newer than the guest:', seen, last)


def test_live_points_are_whole_and_as_new_as_promised():
    if not there():
        return
    host = ByLibvirt if virt.there() else ByProgram
    live_points(host, 4)


if __name__ == '__main__':
    virt.enter()
    main(__name__)
