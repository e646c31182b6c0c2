#!/usr/bin/env python3
"""Recovery points of a VM that runs: a guest writes a pattern to two disks that shows whether they are of one instant."""
import sys

from guest import Frozen, Guest, check_pattern, make_disks, there
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


def live_lab(points, form='qcow2', **kw):
    """web1, which runs at hq, whose host takes views of it through QEMU's monitor."""
    lab = Lab(sizes=(), enable=False)
    disks, host = make_disks(lab, form, **kw), QemuHost(lab, 'hq')
    host.have('web1', disks)
    lab.hq('enable', 'web1', '--to', 'dr', '--points', points, '--host', host.spec)
    return lab, host


def test_points_of_a_guest_that_writes_are_whole_and_as_new_as_promised(points=4):
    if not there():
        return
    lab, host = live_lab(points)
    guest = host.start('web1')
    guest.wait('GUEST-UP')
    promised = {}
    for n in range(1, points + 1):
        promised[n] = guest.wait_seq(20)
        said = pipe(lab, *(['--since', 'sent'] if n > 1 else []))
        check(n == 1 or said.count('changes are known from its dirty bitmap') == 2, 'the bitmaps were not used:', said)
    seen = points_are_whole(lab, promised)
    check(list(seen.values()) == sorted(set(seen.values())), 'a point is not newer than the one before:', seen)
    last = host.shut_down('web1')
    check(seen[points] <= last, 'a point is newer than the guest:', seen, last)


if __name__ == '__main__':
    main(__name__)
