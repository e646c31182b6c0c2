#!/usr/bin/env python3
"""Real guests for longer than in `make test`: many live points, round trips of planned failovers, another tool's restore.

Each test is run once, as long as there is time.  --seed is not used: what a guest writes when is up to the machine.
Ends with "N passed, N failed".
"""
import argparse, os, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
import test_live
from guest import check_pattern, there
from lab import *
from test_boot import BootLab, booted


def disks_at(site):
    """The VM's images at a site, in order, by its records."""
    role = site.json('status')[0]['role']
    with open(glob.glob(os.path.join(site.home, 'primaries' if role == 'primary' else 'replicas', '*-*', 'state'))[0], 'rb') as f:
        o = json.loads(f.read()[:-22])
    if role == 'primary':
        return [d['where'].removeprefix('raw:') for d in o['disks']]
    return [o.get('where', {}).get(i) or os.path.join(site.replica(), 'disks', i + '.raw') for i in o['disks']]


def test_twenty_points_of_a_guest_that_writes():
    test_live.test_points_of_a_guest_that_writes_are_whole_and_as_new_as_promised(20)


def test_planned_failovers_there_and_back_twice_lose_no_write():
    lab = BootLab()
    lab.send(lab.hq, lab.dr)
    last = lab.run(lab.hq)
    for a, b in ((lab.hq, lab.dr), (lab.dr, lab.hq)) * 2:
        final = lab.path('final-%d' % len(glob.glob(lab.path('final-*'))))
        a('failover', 'web1', '--planned', '--to', b.name, '-o', final)         # the host says that it was shut down
        b('import', final)
        b('failover', 'web1', '--planned', '--complete', '--reverse', '--start')
        host = lab.hosts[b.name]
        booted(host.serial('web1'), last)
        last = host.shut_down('web1')
        check(check_pattern(*disks_at(b), boot=True) == last, 'what the guest wrote at', b.name, 'is not on its disks')
        lab.send(b, a)
        check(check_pattern(*disks_at(a), boot=True) == last, 'what the guest wrote at', b.name, 'did not come back')
        a('scrub', 'web1')


def test_a_vm_that_was_killed_is_not_handed_over():
    lab = BootLab()
    lab.send(lab.hq, lab.dr)
    lab.hosts['hq'].start('web1').wait_seq(5)
    for how in ('is running', 'shut'):
        p = lab.hq('failover', 'web1', '--planned', '-o', lab.path('final'), rc=1)
        check(how in p.stderr, 'the words are', p.stderr)
        lab.hosts['hq'].kill('web1')
    lab.run(lab.hq, 5)          # the remedy: start it, let it recover, shut it down
    lab.hq('failover', 'web1', '--planned', '-o', lab.path('final'))


def test_an_unplanned_failover_at_the_older_point_boots_that_one():
    lab = BootLab()
    lab.send(lab.hq, lab.dr)
    older = lab.run(lab.hq)
    lab.send(lab.hq, lab.dr)
    newer = lab.run(lab.hq)
    lab.send(lab.hq, lab.dr)
    host = lab.hosts['dr']
    seqs = [p['seq'] for p in lab.dr.json('points', 'web1')]
    lab.dr('failover', 'web1', '--unplanned', '--yes', '--start')
    booted(host.serial('web1'), newer)
    lab.dr('failover', 'web1', '--cancel')
    lab.dr('failover', 'web1', '--unplanned', '--point', seqs[-2], '--yes', '--start')
    booted(host.serial('web1'), older)
    last = host.shut_down('web1')
    lab.dr('failover', 'web1', '--complete', '--yes', '--reverse', '--start')
    booted(host.serial('web1'), last)
    last = host.shut_down('web1')
    check(check_pattern(*disks_at(lab.dr), boot=True) == last, 'what the guest wrote is not on the disks')


def main():
    a = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    a.add_argument('--seconds', type=float, default=600)
    a.add_argument('--seed', type=int)
    a.add_argument('tests', nargs='*')
    o = a.parse_args()
    if not there(boot=True):
        print('SKIPPED the guests')
        print('0 passed, 0 failed')
        return
    end, passed, failed = time.monotonic() + o.seconds, 0, 0
    for name, test in [(n, f) for n, f in globals().items() if n.startswith('test_') and callable(f) and n in (o.tests or [n])]:
        if time.monotonic() > end:
            print('        %s was not begun in time' % name[5:])
        elif run_test((name, test)):
            passed += 1
        else:
            failed += 1
    print('%d passed, %d failed' % (passed, failed), flush=True)
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
