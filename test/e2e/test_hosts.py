"""A site of two hosts that share its home: any of them runs any command, and their locks hold for both.

The hosts are namespaces with names and mounts of their own over one file system of this machine's kernel; that the locks hold
between kernels is the word of the file systems made for it.
"""
import os, subprocess, time

from inject import hurry, tool
from lab import K, M, Lab, check, main, run, start
from test_views_host import Host


class Node:
    """A host: commands run under its name, where the shared folder is mounted once more."""
    def __init__(self, lab, name):
        self.lab, self.name, self.where = lab, name, lab.path('mnt-' + name)
        os.mkdir(self.where)

    def argv(self, verb, *args):
        inside = 'hostname "$0"; mount --bind "$1" "$2"; cd "$2"; shift 2; exec "$@"'
        return ['unshare', '--mount', '--uts', 'sh', '-ec', inside, self.name, self.lab.path('shared'), self.where,
                tool(verb), '--home', os.path.join(self.where, 'hq'), *args]

    def __call__(self, verb, *args, rc=0):
        return run(*self.argv(verb, *args), rc=rc)


def ready():
    """hq lives in a shared folder; its disks too, under the same path at both hosts."""
    lab = Lab(enable=False)
    os.mkdir(lab.path('shared'))
    run('cp', '-a', lab.hq.home, lab.path('shared', 'hq'))
    lab.hq.home = lab.path('shared', 'hq')
    return lab, Node(lab, 'alpha'), Node(lab, 'beta')


def import_both_ways(lab, node, bundle):
    lab.dr('import', bundle, '--receipt', bundle + '.r')
    node('import', bundle + '.r')


def test_any_host_goes_on_with_what_another_has_begun():
    lab, alpha, beta = ready()
    alpha('enable', 'web1', '--to', 'dr', *lab.disk_args())
    alpha('export', 'web1', '-o', lab.path('one'))
    import_both_ways(lab, beta, lab.path('one'))
    lab.write(lab.disks['vda'], 1 * M, 64 * K)
    lab.keep(2)
    beta('export', 'web1', '-o', lab.path('two'))
    import_both_ways(lab, alpha, lab.path('two'))
    lab.dr('restore', 'web1', '-o', lab.path('out'))
    lab.same(2, lab.path('out'))
    check('point 2' in alpha('status', 'web1').stdout, alpha('status', 'web1').stdout)
    lab.close()


def test_while_one_host_exports_the_other_is_refused():
    lab, alpha, beta = ready()
    alpha('enable', 'web1', '--to', 'dr', *lab.disk_args())
    lab.write(lab.disks['vda'], 0, 3 * M)
    r, w = os.pipe()
    p = start(*alpha.argv('export', 'web1'), stdout=w, stderr=subprocess.DEVNULL)
    os.close(w)
    os.read(r, 1)
    for verb in ('export', 'pause'):
        words = beta(verb, 'web1', rc=1).stderr
        check('another' in words or 'in use' in words, words)
    while os.read(r, M):
        pass
    check(p.wait() == 0, 'alpha')
    os.close(r)
    beta('pause', 'web1')
    lab.close()


def test_a_disk_that_a_vm_writes_at_the_other_host_is_not_read():
    lab, alpha, beta = ready()
    alpha('enable', 'web1', '--to', 'dr', *lab.disk_args())
    qemu = start('unshare', '--mount', '--uts', 'qemu-io', '-f', 'raw', lab.disks['vda'], stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE)
    qemu.stdin.write(b'write 0 4k\n')
    qemu.stdin.flush()
    qemu.stdout.read(len('qemu-io> wrote'))
    p = beta('export', 'web1', '-o', lab.path('one'), rc=1)
    check('open for writing' in p.stderr, p.stderr)
    qemu.communicate(b'quit\n')
    beta('export', 'web1', '-o', lab.path('one'))
    lab.close()


def test_a_vm_that_moved_to_the_other_host_keeps_its_lineage_and_what_changed_is_found():
    lab, alpha, beta = ready()
    host = Host(lab)
    alpha('enable', 'web1', '--to', 'dr', '--host', 'exec:' + host.program)
    alpha('export', 'web1', '-o', lab.path('one'))
    import_both_ways(lab, alpha, lab.path('one'))
    # At alpha it is not any more, and beta's hypervisor knows of no bitmap.
    lab.write(lab.disks['vda'], 2 * M, 64 * K)
    lab.keep(2)
    host.frozen()
    host.put('state', state='absent')
    p = alpha('export', 'web1', '-o', lab.path('two'), rc=1)
    check('another host' in p.stderr, p.stderr)
    host.put('state', state='running')
    p = beta('export', 'web1', '-o', lab.path('two'))
    check('is compared' in p.stderr, p.stderr)
    import_both_ways(lab, beta, lab.path('two'))
    lab.dr('restore', 'web1', '-o', lab.path('out'))
    lab.same(2, lab.path('out'))
    lab.close()


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
