#!/usr/bin/env python3
"""A line that is cut: cutline.py FOLDER COMMAND [ARG ...] runs the command and carries bytes between it and our own
standard input and output, as "--via" wants it.  FOLDER/cuts has a line for each time that we are called: DIRECTION BYTES
WHAT, after how many bytes "to" or "from" the command all is over; no line: never.  WHAT is "cut", or who is killed then:
"serve" or "sync".  FOLDER/carried gets a line with what went."""
import fcntl, os, select, signal, subprocess, sys


def next_cut(folder):
    with open(os.path.join(folder, 'lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = os.path.join(folder, 'cuts')
        lines = open(path).read().splitlines() if os.path.exists(path) else []
        with open(path, 'w') as f:
            f.writelines(l + '\n' for l in lines[1:])
        return lines[0].split() if lines else ('to', '-1', 'cut')


def sync_above():
    """The sync that has called us, through its shell."""
    pid = os.getppid()
    while True:
        with open('/proc/%d/stat' % pid) as f:
            name, rest = f.read().split('(', 1)[1].rsplit(')', 1)
        if name == 'vmferry-sync':
            return pid
        pid = int(rest.split()[1])


def carry(p, direction, most):
    """Until one side is at its end, or so many bytes have gone that way: how many went to and from."""
    went, ways = {'to': 0, 'from': 0}, {0: ('to', p.stdin.fileno()), p.stdout.fileno(): ('from', 1)}
    while True:
        for fd in select.select(list(ways), [], [])[0]:
            name, other = ways[fd]
            n = 1 << 16 if name != direction or most < 0 else min(1 << 16, most - went[name])
            data = os.read(fd, n) if n > 0 else b''
            if not data:
                return went
            while data:
                k = os.write(other, data)
                data, went[name] = data[k:], went[name] + k


def main():
    folder = sys.argv[1]
    direction, most, what = next_cut(folder)
    p = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    went = {'to': 0, 'from': 0}
    try:
        went = carry(p, direction, int(most))
    except OSError:
        pass
    if what != 'cut' and went[direction] == int(most):
        os.kill(p.pid if what == 'serve' else sync_above(), signal.SIGKILL)
    with open(os.path.join(folder, 'carried'), 'a') as f:
        f.write('%d %d\n' % (went['to'], went['from']))
    os.close(1)
    p.stdin.close()
    p.stdout.close()
    p.wait()


main()
