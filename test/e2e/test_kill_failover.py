#!/usr/bin/env python3
"""Killed at any instant, a failover at a replica stands or does not, and the same command again completes it.

Each verb is run once undisturbed to learn its state-changing system calls, and what comes of it; then once for each of
them, killed there, and again.  What qemu-img and qemu-nbd do is theirs, and goes with us.
"""
import sys

from inject import *
from lab import *

SIZES = (160 * K, 64 * K + 512)
STRIDE = int(os.environ.get('VMFERRY_STRIDE', '2'))


def trace(options, argv, log):
    """As strace() of inject, but for our own process alone."""
    return subprocess.run(['strace', '-qq', '-o', log, '-y', *options, '--', *map(str, argv)], capture_output=True, text=True,
                          timeout=600, preexec_fn=one_processor, stdin=subprocess.DEVNULL)


def count(argv, where):
    log = os.path.join(where, 'strace.log')
    p = trace(['-e', 'trace=' + ','.join(CHANGING)], argv, log)
    check(p.returncode == 0, argv, 'undisturbed: exit', p.returncode, p.stderr)
    n, first = collections.Counter(), {}
    with open(log) as f:
        for line in f:
            m = re.match(r'(\w+)\(', line)
            if m:
                n[m.group(1)] += 1
                if m.group(1) not in first and (m.group(1) not in OPENING or where in line):
                    first[m.group(1)] = n[m.group(1)]
    os.unlink(log)
    check(sum(n.values()) > 10, 'strace saw next to nothing')
    return {k: Calls(first[k], n[k]) for k in n if k in first}


def seen(lab):
    """What a replica is to a person and to the next command: its state, its points, its files."""
    r = lab.dr.replica()
    files = {}
    for k, v in tree(r).items():
        if k.endswith('.qcow2'):        # made anew, it may differ in how it lies, not in what it shows
            out = lab.path('show.raw')
            run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', os.path.join(r, k), out)
            with open(out, 'rb') as f:
                v = hash(f.read())
            os.unlink(out)
        if k.startswith('undo/'):       # each has an id of its own; scrub says whether it is right
            v = None
        if k not in ('state', 'cycles'):
            files[k] = v
    with open(os.path.join(r, 'state'), 'rb') as f:
        o = json.loads(f.read()[:-22])
    role = o['role']
    stand = {k: v for k, v in o.get('failover', {}).items() if k != 'since'}
    test = {k: v for k, v in o.get('test', {}).items() if k not in ('since', 'ended')}
    return {'files': files, 'role': (role['state'], role.get('at'), role['history']), 'failover': stand, 'test': test,
            'points': [(p['epoch'], p['seq']) for p in o['points']], 'staged': len(o['staged'])}


def sweep(name, lab, args, accept=(0,), after=None, between=None):
    """Kill the verb at each call, then say it again (accept: its exit status then) and compare what came of it."""
    stage = Stage(lab)
    argv = [tool('failover'), '--home', lab.dr.home, 'web1', *args]
    calls = count(argv, lab.dir)
    if after:
        after()
    want = seen(lab)
    done = 0
    try:
        for call, n in points(calls, STRIDE):
            stage.reset()
            p = trace(['-e', 'trace=' + call, '-e', 'inject=%s:signal=KILL:when=%d' % (call, n)], argv, os.path.join(lab.dir, 'strace.log'))
            check(p.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), name, 'was not killed at', call, n, 'but exit', p.returncode, p.stderr)
            os.unlink(os.path.join(lab.dir, 'strace.log'))
            try:
                if between:
                    between()
                p = run(*argv, rc=None)
                check(p.returncode in accept, 'again: exit', p.returncode, p.stderr)
                if after:
                    after()
                have = seen(lab)
                if have['role'][0] == 'replicating':
                    lab.dr('scrub', 'web1')
                for k in want:
                    check(have[k] == want[k], k, 'is', have[k], 'and not', want[k])
                left = os.listdir(os.path.join(lab.dr.home, 'tmp'))
                check(not left, 'left over:', *left)
            except Failed as e:
                raise Failed('%s, killed at %s %d: %s' % (name, call, n, e))
            done += 1
        stage.reset()
    finally:
        shutil.rmtree(stage.saved, ignore_errors=True)
    print('        %s: killed %d times' % (name, done), flush=True)


def touch(lab, n):
    lab.write(lab.disks['vda'], (n * 5 % 36) * 4 * K, 6 * K)
    lab.write(lab.disks['vda'], (n * 7 % 38) * 4 * K, 8 * K, b'\0')
    lab.write(lab.disks['vdb'], n * 4 * K + 512, 512)


def replicated(points=3, staged=0):
    lab = Lab(where=on_disk(), sizes=SIZES)
    for n in range(1, points + staged + 1):
        touch(lab, n)
        lab.dr('import', lab.export(*([] if n > 1 else ['--seed']), *(['--since', n - 1] if n > 1 else [])),
               *(['--no-merge'] if n > points else []))
    return lab


def write(lab):
    for d in lab.disks:
        run('qemu-io', '-f', 'qcow2', '-c', 'write -P 5 8k 8k', '-c', 'write -z 40k 8k', os.path.join(lab.dr.replica(), 'failover', d + '.qcow2'))


def test_a_test_failover():
    lab = replicated()
    # Killed when all was done, it stands: then a second one is refused.
    sweep('--test', lab, ['--test', '--point', '1'], accept=(0, 1))


def test_the_end_of_a_test_failover():
    lab = replicated()
    lab.dr('failover', 'web1', '--test', '--point', 1)
    touch(lab, 9)
    lab.dr('import', lab.export('--since', 3))
    sweep('--stop-test', lab, ['--stop-test', '--result', 'good'])


def test_an_unplanned_failover():
    lab = replicated(2, staged=1)
    sweep('--unplanned', lab, ['--unplanned', '--yes'])
    lab.close()
    lab = replicated()
    sweep('--unplanned --point', lab, ['--unplanned', '--yes', '--point', '1'])


def test_taking_a_failover_back():
    lab = replicated()
    lab.dr('failover', 'web1', '--unplanned', '--yes', '--point', 1)
    write(lab)
    touch(lab, 9)
    lab.dr('import', lab.export('--since', 3))
    # Killed when it was taken back, there is nothing to take back; what waits is merged by the next that merges.
    sweep('--cancel', lab, ['--cancel'], accept=(0, 1), after=lambda: lab.dr('merge', 'web1'))


def test_completing_a_failover():
    lab = replicated(3, staged=1)
    lab.dr('failover', 'web1', '--unplanned', '--yes', '--point', 1)
    write(lab)
    sweep('--complete', lab, ['--complete', '--yes'])


def test_taking_over_as_planned():
    lab = Lab(where=on_disk(), sizes=SIZES)
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web*')
    for n in (1, 2):
        touch(lab, n)
        lab.dr('import', lab.export(), '--receipt', lab.path('r'))
        lab.hq('import', lab.path('r'))
    touch(lab, 3)
    lab.hq('failover', 'web1', '--planned', '--vm-is-shut-down', '-o', lab.path('final'))
    lab.dr('import', '--no-merge', lab.path('final'))
    sweep('--planned --complete', lab, ['--planned', '--complete'])


hurry()
main(__name__)
