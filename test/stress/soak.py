#!/usr/bin/env python3
"""'vmferry run' for a long time, compressed: cycles of a second, VMs that are written to, a line that comes and goes.

    soak.py [--seconds S] [--seed N] [--vms N] [--frequency S] [--steady]

An hour of 30-second cycles is 120 of them: two minutes here.  Some VMs go by a pipe, one by a mailbox that another run
empties.  Now and then the line is down, a carrier is killed, the routes are read again, and a VM is paused.  Then

- each replica is at what its disks held when it was stopped;
- memory and descriptors of run were no more at the end than after the first cycles;
- no process, zombie, temporary file or half-written record is left behind.

--steady leaves out what disturbs, and measures: cycles, those missed, and the CPU that they took.  With 100 VMs:
soak.py --steady --vms 100 --frequency 30 --seconds 300
"""
import argparse, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from lab import *
import signal

TICK = os.sysconf('SC_CLK_TCK')


def stat(pid):
    """Fields of /proc/PID/stat behind the name; None if it is gone."""
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()
    except OSError:
        return None


def below(pid):
    """Processes below that one, with whether they are zombies."""
    all_ = {int(p): s for p in os.listdir('/proc') if p.isdigit() for s in [stat(int(p))] if s}
    out, todo = {}, [pid]
    while todo:
        top = todo.pop()
        for p, s in all_.items():
            if int(s[1]) == top:
                out[p] = s[0] == 'Z'
                todo.append(p)
    return out


def private(pid):
    """KiB that are its own."""
    try:
        with open('/proc/%d/smaps_rollup' % pid) as f:
            return sum(int(l.split()[1]) for l in f if l.startswith('Private_'))
    except OSError:
        return 0


def memory(pid):
    """KiB, without what is a file's."""
    with open('/proc/%d/status' % pid) as f:
        return int([l for l in f if l.startswith('RssAnon')][0].split()[1])


def cpu(pid):
    """Seconds of its own, and of those that it has waited for."""
    s = stat(pid)
    return (int(s[11]) + int(s[12])) / TICK, (int(s[13]) + int(s[14])) / TICK


class Soak(Lab):
    def __init__(self, o):
        super().__init__(enable=False, sizes=())
        self.o, self.random = o, random.Random(o.seed)
        self.vms = {}
        self.far = Site(self, 'far')
        self.hq('trust', 'add', self.far.card)
        self.far('trust', 'add', self.hq.card, '--vm', 'web*')
        for i in range(o.vms):
            vm = 'web%d' % i
            self.vms[vm] = (self.make_disk(vm + '.img', 2 * M), 'far' if i == 0 and not o.steady else 'dr')
            self.hq('enable', vm, '--to', self.vms[vm][1], '--points', 8, '--frequency', '%ds' % o.frequency, '--disk',
                    'vda=' + self.vms[vm][0])
        os.mkdir(self.path('box'))
        self.up(True)
        with open(os.path.join(self.hq.home, 'routes'), 'w') as f:
            f.write('site=dr via="test -e %s && exec %s --home %s serve" parallel=2\n' % (
                self.path('up'), VMFERRY, self.dr.home))
            f.write('site=far mailbox="%s"\n' % self.path('box'))
        with open(os.path.join(self.far.home, 'routes'), 'w') as f:
            f.write('take="%s" every=1s\n' % self.path('box'))
        self.runs = {s.name: start(VMFERRY, '--home', s.home, 'run', stdin=subprocess.DEVNULL,
                                   stderr=open(self.path(s.name + '.log'), 'w'))
                     for s in ([self.hq] if o.steady else [self.hq, self.far])}

    def up(self, yes):
        if yes:
            open(self.path('up'), 'w').close()
        elif os.path.exists(self.path('up')):
            os.unlink(self.path('up'))

    def retry(self):
        self.runs['hq'].send_signal(signal.SIGHUP)

    def acked(self):
        return {s['vm']: s['targets'][0]['acked'] for s in self.hq.json('status')}

    def wait(self, ok, what, seconds=180):
        end = time.time() + seconds
        while not ok():
            check(time.time() < end, what, self.logs())
            check(all(p.poll() is None for p in self.runs.values()), 'a run has ended', self.logs())
            time.sleep(0.1)

    def logs(self):
        return ''.join('\n%s: %s' % (n, open(self.path(n + '.log')).read()[-2000:]) for n in self.runs)

    def disturb(self):
        """One of the things that happen."""
        what = self.random.choice(['down', 'kill', 'pause', 'reload', 'write', 'write', 'write'])
        if what == 'down':
            self.up(False)
            for p in self.lines():
                self.kill(p)
            time.sleep(self.random.uniform(0, 2))
            self.up(True)
            self.retry()
        elif what == 'kill':
            p = list(below(self.runs['hq'].pid))
            if p:
                self.kill(self.random.choice(p))
            self.retry()
        elif what == 'pause':
            vm = self.random.choice(list(self.vms))
            if self.hq('pause', vm, rc=None).returncode == 0:
                self.wait(lambda: self.hq('resume', vm, rc=None).returncode == 0, 'it cannot be resumed')
        elif what == 'reload':
            self.retry()
        else:
            disk = self.vms[self.random.choice(list(self.vms))][0]
            self.write(disk, self.random.randrange(0, 2 * M - 64 * K, 4096), self.random.randrange(1, 64 * K))

    def lines(self):
        """What serves at the other end."""
        out = []
        for p in below(self.runs['hq'].pid):
            try:
                with open('/proc/%d/cmdline' % p) as f:
                    if f.read().split('\0')[-2:] == ['serve', '']:
                        out.append(p)
            except OSError:
                pass
        return out

    @staticmethod
    def kill(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def sample(self):
        return {n: (memory(p.pid), len(os.listdir('/proc/%d/fd' % p.pid))) for n, p in self.runs.items()}

    def settle(self):
        """All is well, and every VM has had a cycle since."""
        self.up(True)
        self.retry()
        seq = self.acked()
        self.wait(lambda: all(a > seq[vm] for vm, a in self.acked().items()), 'a VM has no cycle any more')

    def stop(self):
        kin = {p for r in self.runs.values() for p in below(r.pid)}
        for r in self.runs.values():
            r.send_signal(signal.SIGTERM)
        for r in self.runs.values():
            check(r.wait(60) == 0, 'a run ended with', r.returncode, self.logs())
        end = time.time() + 10
        while any(stat(p) for p in kin) and time.time() < end:
            time.sleep(0.05)
        left = [p for p in kin if stat(p)]
        check(not left, 'left behind:', left)

    def look(self):
        """At what is left, and whether it is right."""
        for vm in self.vms:      # what was cut off last goes on, and comes to its end
            self.hq('run', '--once', rc=None)
            break
        time.sleep(self.o.frequency)
        self.hq('run', '--once')
        self.far('import', '--media', self.path('box'))
        uuids = {s['vm']: s['uuid'] for s in self.hq.json('status')}
        for vm, (disk, site) in self.vms.items():
            site = self.far if site == 'far' else self.dr
            replica = os.path.join(site.replica(uuids[vm]), 'disks', 'vda.raw')
            check(filecmp.cmp(disk, replica, shallow=False), vm, 'differs from its replica')
            site('scrub', vm)
        for s in (self.hq, self.dr, self.far):
            for d, _, files in os.walk(s.home):
                for f in files:
                    check(not f.endswith(('.new', '.part', '.tmp')), 'left behind:', os.path.join(d, f))
        check(os.listdir(self.path('box')) == ['vmferry'], os.listdir(self.path('box')))


def soak(o):
    lab = Soak(o)
    lab.wait(lambda: all(a > 0 for a in lab.acked().values()), 'the initial copies')
    lab.settle()
    end, samples = time.time() + o.seconds, []
    while time.time() < end:
        for _ in range(5):
            lab.disturb()
        lab.settle()
        time.sleep(1)
        samples.append(lab.sample())
        zombies = [p for r in lab.runs.values() for p, z in below(r.pid).items() if z]
        # Whoever is idle notices within seconds that what it spoke with was killed.
        lab.wait(lambda: not any((stat(p) or ' ')[0] == 'Z' for p in zombies), 'zombies stay', 15)
    cycles = sum(lab.acked().values())
    lab.stop()
    lab.look()
    for n in lab.runs:
        first, last = samples[:max(1, len(samples) // 3)], samples[-max(1, len(samples) // 3):]
        m0, m1 = max(s[n][0] for s in first), max(s[n][0] for s in last)
        f0, f1 = max(s[n][1] for s in first), min(s[n][1] for s in last)
        check(m1 <= m0 + 512, n, 'took %d KiB at first, and %d at last' % (m0, m1))
        check(f1 <= f0, n, 'had %d descriptors at first, and %d at last' % (f0, f1))
        print('%s: %d rounds, %d to %d KiB, %d to %d descriptors' % (n, len(samples), m0, m1, f0, f1), flush=True)
    print('%d cycles' % cycles, flush=True)
    lab.close()


def steady(o):
    lab = Soak(o)
    pid = lab.runs['hq'].pid
    lab.wait(lambda: all(a > 0 for a in lab.acked().values()), 'the initial copies', 60 + o.vms)
    time.sleep(o.frequency)
    seq, own, kin, t = lab.acked(), cpu(pid)[0], below(pid), time.time()
    spent = {p: sum(cpu(p)) for p in kin if stat(p)}
    time.sleep(o.seconds)
    own, t, now = cpu(pid)[0] - own, time.time() - t, lab.acked()
    all_ = sum(sum(cpu(p)) - spent.get(p, 0) for p in below(pid) if stat(p))
    cycles = sum(now.values()) - sum(seq.values())
    least = min(now[vm] - seq[vm] for vm in seq)
    print('%d VMs each %d s, for %.0f s: %d cycles, at least %d of each VM (%d fit)' % (
        o.vms, o.frequency, t, cycles, least, t // o.frequency))
    print('run: %.2f s CPU, %.2f ms a cycle, %d KiB RSS, %d private; carriers and what is below: %.1f ms a cycle' % (
        own, own * 1000 / cycles, memory(pid), private(pid), all_ * 1000 / cycles))
    for p in below(pid):
        with open('/proc/%d/cmdline' % p) as f:
            print('  %s: %d KiB RSS, %d private' % (f.read().replace('\0', ' ').strip()[-60:], memory(p), private(p)))
    check(least >= int(t // o.frequency) - 1, 'cycles were missed')
    lab.stop()
    lab.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--seconds', type=int, default=120)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--vms', type=int, default=5)
    p.add_argument('--frequency', type=int, default=1)
    p.add_argument('--steady', action='store_true')
    o = p.parse_args()
    try:
        (steady if o.steady else soak)(o)
        print('ok      %s' % ('steady' if o.steady else 'soak'))
        print('1 passed, 0 failed')
    except Exception as e:
        print('FAILED  %s' % (e if isinstance(e, Failed) else traceback.format_exc()))
        print('0 passed, 1 failed')
        sys.exit(1)
    finally:
        clean_up()


if __name__ == '__main__':
    main()
