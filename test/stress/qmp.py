#!/usr/bin/env python3
"""vmferry-qmp is killed at every message that it sends to QEMU, alone and with its watchdog: the next view is complete.

In an order that --seed gives, as long as there is time; the guest writes all the while, and is never stopped by it.
Ends with "N passed, N failed".
"""
import argparse, os, random, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from guest import Guest, there
from lab import *
from test_qmp import View, bitmaps, mixed_disks, names, nothing_left, swept


def messages(lab, g, disks):
    """How many a view sends until it stands."""
    v = View(lab, g, disks, 'm', '0', strace=('strace', '-o', lab.path('trace'), '-e', 'trace=sendmsg'))
    v.process.stdin.close()
    v.process.wait()
    with open(lab.path('trace')) as f:
        return f.read().count('sendmsg(')


def kill(lab, g, disks, token, since, n, both):
    """At its n-th message, or, if it stands before that, as it ends.  both: its watchdog dies as soon as it is there."""
    inject = ['-e', 'inject=sendmsg:signal=KILL:when=%d' % n] + (['-f', '-e', 'inject=setsid:signal=KILL'] if both else [])
    v = View(lab, g, disks, token, since, rc=None, strace=('strace', '-o', '/dev/null', '-e', 'trace=sendmsg,setsid', *inject))
    try:
        v.process.stdin.write(b'drop\n')
        v.process.stdin.close()
    except BrokenPipeError:
        pass
    check(v.process.wait(60) != 0, 'it has less than', n, 'messages')
    if not both:
        swept(g)


def sweep(seconds, dice):
    lab = Lab(sizes=(), enable=False)
    disks = mixed_disks(lab)
    g = Guest(lab, disks)
    g.wait_seq(20)
    end, done, last = time.time() + seconds, 0, '0'
    v = View(lab, g, disks, last)
    base = v.read('base')
    v.end()
    n = messages(lab, g, disks)
    cases = [(i, both) for i in range(1, n + 1) for both in (False, True)]
    dice.shuffle(cases)
    for i, both in cases:
        if time.time() > end:
            break
        done += 1
        kill(lab, g, disks, 'k%d' % done, last, i, both)
        g.wait_seq(5)
        v = View(lab, g, disks, str(done), last)
        v.update(base, 'now')
        v.end()
        nothing_left(g, lab)
        check(bitmaps(g) == {i: names(last, str(done)) for i in disks}, 'at message', i, bitmaps(g))
        last = str(done)
    check(g.ask('query-status')['status'] == 'running')
    check(not [e for e in g.ask.events if e['event'] == 'STOP'], 'the guest was stopped')
    print('        killed at %d of %d places; the guest waited %d ms at most' % (done, len(cases), max(g.stalls()) // 1000))


def test_killed_anywhere_the_next_view_is_complete():
    if there('nbdcopy', 'strace'):
        sweep(options.seconds, random.Random(options.seed))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=int, default=120)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    sys.argv[1:] = []
    main(__name__)
