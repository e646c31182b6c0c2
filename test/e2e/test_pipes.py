#!/usr/bin/env python3
"""Bundles and receipts through real pipes: a shell's, ssh's and nc's, and through ones that break."""
import getpass, shlex, shutil, socket

from lab import *


def free_port():
    """A port that was free a moment ago; whoever needs one tries again if somebody was faster."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def until_it_listens(port, process):
    """Wait for a server's socket, as long as its process lives."""
    for _ in range(600):
        check(process.poll() is None, 'the server has ended:', process.returncode)
        with socket.socket() as s:
            if s.connect_ex(('127.0.0.1', port)) == 0:
                return
        time.sleep(0.05)
    raise Failed('nothing listens on port %d' % port)


class Sshd:
    """An ssh server of our own on loopback, with its own keys, for as long as a test runs."""
    def __init__(self, lab):
        self.lab, d = lab, lab.path('ssh')
        os.mkdir(d)
        for key in ('host', 'user'):
            run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', d + '/' + key)
        shutil.copy(d + '/user.pub', d + '/authorized')
        os.makedirs('/run/sshd', exist_ok=True) if os.geteuid() == 0 else None
        self.port = free_port()
        with open(d + '/config', 'w') as f:
            f.write('ListenAddress 127.0.0.1\nPort %d\nHostKey %s/host\nPidFile none\nAuthorizedKeysFile %s/authorized\n'
                    'StrictModes no\nUsePAM no\nPasswordAuthentication no\n' % (self.port, d, d))
        self.process = subprocess.Popen([shutil.which('sshd', path='/usr/sbin:/usr/bin'), '-D', '-e', '-f', d + '/config'],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until_it_listens(self.port, self.process)
        self.command = ['ssh', '-q', '-F', 'none', '-p', str(self.port), '-i', d + '/user', '-o', 'BatchMode=yes',
                        '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null',
                        getpass.getuser() + '@127.0.0.1']

    def close(self):
        self.process.terminate()
        self.process.wait()


def shell(command):
    return run('bash', '-o', 'pipefail', '-c', command, rc=None)


def words(*argv):
    return ' '.join(shlex.quote(str(a)) for a in argv)


def at(site, *argv):
    return words(VMFERRY, '--home', site.home, *argv)


def same_as_disks(lab):
    for i, p in lab.disks.items():
        check(filecmp.cmp(p, os.path.join(lab.dr.replica(), 'disks', i + '.raw'), shallow=False), 'disk', i, 'differs')


def test_seed_delta_and_receipt_through_a_shell_pipe():
    lab = Lab()
    p = shell('%s | %s' % (at(lab.hq, 'export', 'web1', '--seed'), at(lab.dr, 'import')))
    check(p.returncode == 0, p.stderr)
    lab.write(lab.disks['vda'], 100 * K, 5 * K)
    p = shell('%s | %s | %s' % (at(lab.hq, 'export', 'web1', '--delta'), at(lab.dr, 'import', '--receipt', '-'),
                                at(lab.hq, 'import')))
    check(p.returncode == 0, p.stderr)
    check(lab.hq.json('status')[0]['targets'][0]['acked'] == 2)
    same_as_disks(lab)
    lab.close()


def test_seed_delta_and_receipt_through_ssh():
    lab = Lab()
    sshd = Sshd(lab)
    try:
        far = words(*sshd.command)
        p = shell('%s | %s %s' % (at(lab.hq, 'export', 'web1', '--seed'), far, words(at(lab.dr, 'import'))))
        check(p.returncode == 0, p.stderr)
        lab.write(lab.disks['vdb'], 8 * K, 9 * K)
        p = shell('%s | %s %s | %s' % (at(lab.hq, 'export', 'web1', '--delta'), far,
                                       words(at(lab.dr, 'import', '--receipt', '-')), at(lab.hq, 'import')))
        check(p.returncode == 0, p.stderr)
        check(lab.hq.json('status')[0]['targets'][0]['acked'] == 2)
        same_as_disks(lab)
    finally:
        sshd.close()
        lab.close()


def test_a_seed_through_nc():
    lab = Lab()
    port = free_port()
    importer = subprocess.Popen(['bash', '-o', 'pipefail', '-c', 'nc -l 127.0.0.1 %d | %s' % (port, at(lab.dr, 'import'))],
                                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    # nc -l serves one caller, so its socket cannot be tried first: the sender tries until it is answered.
    seed = lab.export('--seed')
    for _ in range(600):
        if shell('nc -N 127.0.0.1 %d < %s' % (port, seed)).returncode == 0:
            break
        time.sleep(0.05)
    words_of_it = importer.communicate(timeout=60)[1]
    check(importer.returncode == 0, words_of_it)
    same_as_disks(lab)
    lab.close()


def test_a_line_that_breaks_leaves_the_replica_as_it_was():
    """What came is kept, beside what there is; and it goes when another bundle has made it useless."""
    lab = Lab()
    lab.dr('import', lab.export('--seed'))
    lab.write(lab.disks['vda'], 0, 300 * K)
    points = lab.dr.json('points', 'web1')
    before = {d: tree(os.path.join(lab.dr.replica(), d)) for d in ('disks', 'leaves', 'undo')}
    p = shell('%s | head -c 150000 | %s' % (at(lab.hq, 'export', 'web1', '--delta'), at(lab.dr, 'import')))
    check(p.returncode in (1, 3), 'exit', p.returncode, p.stderr)
    check('--position' in p.stderr, 'it does not say how it goes on:', p.stderr)
    check(lab.dr.json('points', 'web1') == points, 'the points have changed')
    for d in before:
        check(tree(os.path.join(lab.dr.replica(), d)) == before[d], d, 'of the replica has changed')
    part, = os.listdir(os.path.join(lab.dr.replica(), 'inbox'))
    check(part.endswith('.part'), part)
    lab.dr('scrub', 'web1')
    check(any('cut short' in c for c in lab.dr.json('status')[0]['causes']), lab.dr.json('status'))
    p = shell('%s | %s' % (at(lab.hq, 'export', 'web1', '--delta'), at(lab.dr, 'import')))
    check(p.returncode == 0, p.stderr)
    same_as_disks(lab)
    check(os.listdir(os.path.join(lab.dr.replica(), 'inbox')) == [], 'what is useless was kept')
    check(lab.dr.json('status')[0]['staged'] == 0)
    lab.close()


def test_installed_tools_work_from_wherever_they_lie():
    lab = Lab(enable=False)
    run('make', '-s', '-C', ROOT, 'install', 'DESTDIR=' + lab.path('root'), 'PREFIX=/any/where', 'B=' + os.path.dirname(BIN))
    tools = lab.path('root', 'any/where/bin')
    run(os.path.join(tools, 'vmferry'), '--home', lab.path('x'), 'init', '--name', 'x')
    run(os.path.join(tools, 'vmferry-status'), '--home', lab.path('x'))
    check(os.path.exists(lab.path('root', 'any/where/share/man/man5/bundle.5')))
    lab.close()


if __name__ == '__main__':
    main(__name__)
