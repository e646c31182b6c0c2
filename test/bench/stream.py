"""What a session costs beside the bytes that it carries: over ssh on loopback, over a socket, and where nothing has changed.

A quiet cycle is one of `vmferry run`, of a VM whose QEMU says by its dirty bitmap that nothing was written (it is paused, and
has no firmware to run): the CPU time of run and of all that it starts at the primary, over the cycles.

Both sites are on this machine and share its processors, so a seed over a socket is at best as fast as its export and its
import together allow: their CPU time over the number of processors is shown beside it.
"""
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../e2e']

from measure import Command, Failed, Goal, median, note, quietly, remove, run_job, same, vmferry
from sites import VM, load, new_pair, replica_disk, save
from test_pipes import Sshd

ENOUGH = 1 / 0.9                    # a stream runs at nine tenths of what it is held against, or faster
QUIET_VMS = 4
QUIET_SECONDS = 20                  # that quiet cycles are counted for, one a second for each VM
QUIET_GOAL = 20                     # ms of CPU for one


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


def cpu_of(pid):
    """Seconds of CPU of a process, what it has waited for, and all that comes from it, but for the other site's."""
    total, kids, own = 0, {}, {}
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % name) as f:
                text = f.read()
        except OSError:
            continue
        fields = text[text.rindex(')') + 2:].split()
        kids.setdefault(int(fields[1]), []).append(int(name))
        own[int(name)] = (text[text.index('(') + 1:text.rindex(')')], sum(map(int, fields[11:15])))
    todo = [pid]
    while todo:
        at = todo.pop()
        if at in own and own[at][0] != 'vmferry-serve':
            total += own[at][1]
            todo += kids.get(at, [])
    return total / os.sysconf('SC_CLK_TCK')


class Idle:
    """A QEMU whose guest never runs, with a disk that has a bitmap when there is a point."""
    def __init__(self, folder, name):
        disk, self.socket = folder + '/' + name + '.qcow2', folder + '/' + name + '.qmp'
        quietly(['qemu-img', 'create', '-f', 'qcow2', disk, '64M'])
        self.process = subprocess.Popen([
            'qemu-system-x86_64', '-accel', 'tcg', '-m', '32', '-display', 'none', '-serial', 'none', '-nodefaults', '-S', '-name', name,
            '-qmp', 'unix:%s,server=on,wait=off' % self.socket, '-blockdev', 'driver=file,filename=%s,node-name=file' % disk,
            '-blockdev', 'driver=qcow2,file=file,node-name=vda', '-device', 'virtio-blk-pci,drive=vda,id=vda'],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self.process.kill()
        self.process.wait()


def points_sent(home):
    """The newest point of each VM."""
    said = subprocess.run([home[0], '--home', home[1], 'status', '--json'], capture_output=True, text=True, check=True).stdout
    return [(vm['last_point'] or {'seq': 0})['seq'] for vm in json.loads(said)]


def job_quiet(bench):
    folder = bench.work + '/quiet'       # on a disk: room in memory for a view is made page by page
    pair = new_pair(bench, folder, None)
    vms, runs = [], None
    with open(pair.hq + '/routes', 'w') as f:
        f.write('site="dr" via="%s"\n' % words(bench.vmferry, '--home', pair.dr, 'serve'))
    try:
        for i in range(QUIET_VMS):
            vms.append(Idle(folder, 'vm%d' % i))
        for i, vm in enumerate(vms):
            while not os.path.exists(vm.socket) and vm.process.poll() is None:
                time.sleep(0.05)
            vmferry(bench, 'enable', pair.hq, 'enable', 'vm%d' % i, '--host', 'qmp:' + vm.socket, '--to', 'dr', '--frequency', '1s')
        runs = subprocess.Popen([bench.vmferry, '--home', pair.hq, 'run'], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        home = (bench.vmferry, pair.hq)
        while min(points_sent(home)) < 4 and runs.poll() is None:
            time.sleep(0.5)
        cpu, points = cpu_of(runs.pid), sum(points_sent(home))
        time.sleep(QUIET_SECONDS)
        cpu, points = cpu_of(runs.pid) - cpu, sum(points_sent(home)) - points
        if runs.poll() is not None or points == 0:
            raise Failed('run: no cycles')
    finally:
        if runs is not None:
            runs.terminate()
            runs.wait()
        for vm in vms:
            vm.close()
        remove(folder)
    print('a quiet cycle: %d cycles of %d VMs in %d s' % (points, QUIET_VMS, QUIET_SECONDS))
    note(bench, 'a quiet cycle', 'vmferry run, one cycle of a VM with a bitmap, CPU', 1000 * cpu / points, QUIET_GOAL, 'ms')
    print()
