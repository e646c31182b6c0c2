#!/usr/bin/env python3
"""Sessions that are cut, or either side of which is killed, at random places, as long as there is time.

    cuts.py [--seconds S] [--seed N]
"""
import argparse, os, random, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))
from lab import K, M, Failed, check, clean_up
from test_sync_cut import CutLab, cut_line


def history(r):
    """A seed and some deltas over a line that is cut now and then: after each sync that has ended well all is the same."""
    lab = CutLab(sizes=(r.choice((2, 6, 9)) * M, 64 * K))
    for _ in range(4):
        lab.write(lab.disks['vda'], 0, r.randrange(1, os.path.getsize(lab.disks['vda'])))
        cuts = [(r.choice(('to', 'to', 'from')), r.choice((r.randrange(700), r.randrange(9 * M))),
                 r.choice(('cut', 'cut', 'cut', 'serve', 'sync'))) for _ in range(r.randrange(4))]
        with open(lab.path('line', 'cuts'), 'w') as f:
            f.writelines(cut_line(c) for c in cuts)
        how = r.choice(([], [], ['--resync'])) if lab.hq.json('status')[0]['targets'][0]['acked'] else []
        for _ in range(len(cuts) + 1):
            p = lab.sync('--patience', '20', *how, rc=None)
            if p.returncode == 0:
                break
            check(p.returncode in (3, -9), 'exit', p.returncode, cuts, how, p.stderr)
        check(p.returncode == 0, 'it is not got over:', cuts, how, p.stderr)
        lab.is_same('after %s %s' % (cuts, how))
        check(lab.acked() == lab.dr.json('points', 'web1')[-1]['seq'], 'what is acknowledged is not what is there')
    lab.close()


def main():
    a = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    a.add_argument('--seconds', type=float, default=60)
    a.add_argument('--seed', type=int)
    o = a.parse_args()
    seed = o.seed if o.seed is not None else random.SystemRandom().randrange(1, 1 << 31)
    print('cut sessions, seed %d' % seed, flush=True)
    end, passed, failed = time.monotonic() + o.seconds, 0, 0
    while time.monotonic() < end or passed + failed == 0:
        try:
            history(random.Random(seed + passed + failed))
            passed += 1
        except Failed as e:
            failed += 1
            print('FAILED  history %d: %s' % (seed + passed + failed - 1, e), flush=True)
        finally:
            clean_up()
    print('%d passed, %d failed' % (passed, failed))
    sys.exit(1 if failed else 0)


main()
