#!/usr/bin/env python3
"""A sample of the kill sweep at every single system call, as long as there is time.

    kills.py [--seconds S] [--jobs N] [--seed N]

The tests of test_kill*.py, in random order, each with VMFERRY_FULL=1; one that is not done in time is stopped, and
counts for nothing.
"""
import argparse, glob, os, random, re, shutil, signal, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
SWEEPS = sorted(glob.glob(os.path.join(HERE, '..', 'e2e', 'test_kill*.py')))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))
from inject import on_disk


running = []


def one(sweep, name, seed, folder, end):
    """True, False, or None if the time was over; and the words."""
    env = dict(os.environ, VMFERRY_FULL='1', VMFERRY_SEED=str(seed), TMPDIR=folder)
    p = subprocess.Popen([sys.executable, sweep, name], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, start_new_session=True)
    running.append(p)
    try:
        words = p.communicate(timeout=max(1, end - time.monotonic()))[0]
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        p.communicate()
        return None, ''
    finally:
        running.remove(p)
    return p.returncode == 0, '\n'.join(l for l in words.splitlines() if not re.fullmatch(r'\d+ passed, \d+ failed', l))


def main():
    a = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    a.add_argument('--seconds', type=float, default=60)
    a.add_argument('--jobs', type=int, default=2)
    a.add_argument('--seed', type=int)
    o = a.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    if not SWEEPS or shutil.which('strace') is None:
        print('SKIPPED the kill sweep: needs strace')
        print('0 passed, 0 failed')
        return
    seed = o.seed if o.seed is not None else random.SystemRandom().randrange(1, 1 << 31)
    names = []
    for sweep in SWEEPS:
        with open(sweep) as f:
            names += [(sweep, name) for name in re.findall(r'^def (test_\w+)', f.read(), re.M)]
    random.Random(seed).shuffle(names)
    print('kill sweep, seed %d' % seed, flush=True)
    end, results, lock = time.monotonic() + o.seconds, [], threading.Lock()
    with tempfile.TemporaryDirectory(prefix='vmferry-kills.', dir=on_disk(), ignore_cleanup_errors=True) as folder:
        def work():
            while True:
                with lock:
                    if not names or time.monotonic() > end:
                        return
                    sweep, name = names.pop()
                good, words = one(sweep, name, seed, folder, end)
                with lock:
                    results.append(good)
                    print(words if good is not None else '        %s was not done in time' % name[5:], flush=True)
        workers = [threading.Thread(target=work) for _ in range(o.jobs)]
        for w in workers:
            w.start()
        try:
            for w in workers:
                w.join()
        except BaseException:
            end = 0
            for p in running[:]:
                os.killpg(p.pid, signal.SIGKILL)
            raise
    print('%d passed, %d failed' % (results.count(True), results.count(False)), flush=True)
    sys.exit(results.count(False) > 0)


if __name__ == '__main__':
    main()
