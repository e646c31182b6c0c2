"""What a session costs beside the bytes that it carries: over ssh on loopback, over a socket, and where nothing has changed.

Both sites are on this machine and share its processors, so a seed over a socket is at best as fast as its export and its
import together allow: their CPU time over the number of processors is shown beside it.
"""
import os
import shlex
import socket
import statistics
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../e2e']

from measure import Command, Goal, median, note, remove, run_job, same, vmferry
from sites import VM, load, new_pair, replica_disk, save
from test_pipes import Sshd

ENOUGH = 1 / 0.9                    # a stream runs at nine tenths of what it is held against, or faster


class Listener:
    """As systemd does it with Accept=yes: a process for each that calls, with the socket as its input and output."""
    def __init__(self, path, argv):
        self.path, self.argv = path, argv
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            with s:
                subprocess.run(self.argv, stdin=s, stdout=s, stderr=subprocess.DEVNULL)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


class Place:
    """As much of a lab as an ssh server of the tests wants."""
    def __init__(self, folder):
        self.dir = folder

    def path(self, *names):
        return os.path.join(self.dir, *names)


def words(*argv):
    return ' '.join(shlex.quote(str(a)) for a in argv)


def slower(costs, names, metric='wall'):
    """For each round, the cost of the slower of these."""
    return [max(getattr(c, metric) for c in row) for row in zip(*(costs[n] for n in names))]


def job_stream(bench, image):
    folder = bench.scratch + '/stream'
    pair = new_pair(bench, folder, image)
    vmferry(bench, 'enable', pair.hq, 'enable', VM, '--compress', 'fast')
    save(pair, 'empty')
    seed = folder + '/seed.vmf'
    hq, dr = [bench.vmferry, '--home', pair.hq], [bench.vmferry, '--home', pair.dr]
    vmferry(bench, 'export --seed, setting up', pair.hq, 'export', VM, '--seed', '-o', seed)
    sshd = Sshd(Place(folder))
    listener = Listener(folder + '/socket', [*dr, 'serve'])

    def clear():
        load(pair, 'empty')

    def arrived():
        return same(replica_disk(pair), image)

    far = words(*sshd.command)
    cat = Command('ssh cat', '%s %s < %s' % (far, shlex.quote('cat > /dev/null'), seed), warm=(seed,))
    export = Command('vmferry export, alone', words(*hq, 'export', VM, '--seed') + ' | cat > /dev/null', warm=(image,), before=clear)
    alone = Command('vmferry import, alone', 'cat %s | %s' % (seed, words(*dr, 'import')), warm=(seed,), before=clear, check=arrived)
    by_ssh = Command('vmferry sync, ssh', [*hq, 'sync', VM, '--via', far + ' ' + shlex.quote(words(*dr, 'serve'))], warm=(image,),
                     before=clear, check=arrived, check_each=True)
    by_socket = Command('vmferry sync, socket', [*hq, 'sync', VM, '--via', 'unix:' + folder + '/socket'], warm=(image,),
                        before=clear, check=arrived, check_each=True)
    try:
        costs = run_job(bench, 'a seed in a session', [cat, by_ssh, export, alone, by_socket],
                        [Goal(by_ssh.name, (cat.name,), ENOUGH)], touch=2 * os.path.getsize(image) // (1 << 20) // 2)
    finally:
        listener.close()
        sshd.close()
        remove(folder)
    if all(c.name in costs for c in (export, alone, by_socket)):
        own = [c.wall for c in costs[by_socket.name]]
        bound = slower(costs, (export.name, alone.name))
        note(bench, 'a seed in a session', 'vmferry sync, socket / the slower of export and import alone, wall',
             statistics.median(a / b for a, b in zip(own, bound)), ENOUGH)
        both = (median(costs[export.name], 'cpu') + median(costs[alone.name], 'cpu')) / os.cpu_count()
        print('  (both alone take %.2f s of CPU a processor here, and no session can be faster: sync / that is %.2f)'
              % (both, median(costs[by_socket.name], 'wall') / both))
