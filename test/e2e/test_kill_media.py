#!/usr/bin/env python3
"""Killed at any instant: taking everything from a medium, leaving receipts there, and deleting what is done with."""
import test_kill as kill
from inject import *
from lab import *


def shipped():
    """dr has point 1; the bundle to point 2 is on its way.  The lab, and what lies on the medium."""
    lab = kill.small_lab()
    os.makedirs(lab.path('usb', 'vmferry'))
    lab.keep(1)
    lab.hq('export', 'web1', '-o', lab.path('seed.vmf'))
    lab.dr('import', lab.path('seed.vmf'), '--receipt', lab.path('receipt.vmf'))
    lab.hq('import', lab.path('receipt.vmf'))
    kill.touch(lab, 2)
    lab.keep(2)
    lab.hq('export', 'web1', '--media', lab.path('usb'))
    return lab


def names(lab):
    return sorted(n for n in os.listdir(lab.path('usb', 'vmferry')) if n not in ('lock', 'medium'))


def swept(lab):
    """hq knows what dr has; then nothing of it is left on the medium, half written or whole."""
    lab.hq('media', lab.path('usb'), '--clean')
    check(lab.hq.json('status')[0]['targets'][0]['acked'] == 2, 'not acknowledged')
    check(names(lab) == [], 'left over:', *names(lab))


def test_import_from_a_medium():
    lab = shipped()
    argv = [tool('import'), '--home', lab.dr.home, '--media', lab.path('usb')]

    def after_kill(k):
        check(kill.seqs(lab.dr) in ([1], [1, 2]), 'the points are', kill.seqs(lab.dr))
        check(all(b['whole'] for b in lab.hq.json('media', lab.path('usb'))['bundles']), 'a bundle is not whole')

    def finish(k):
        kill.whole(lab, [1, 2])
        check(len([n for n in names(lab) if '-receipt-' in n and n.endswith('.vmf')]) == 1, *names(lab))
        swept(lab)

    kill.Sweep('import --media', lab, argv, ['dr', 'hq', 'usb'], after_kill, lambda k: run(*argv), finish, threads=3).run()


def test_clean():
    lab = shipped()
    lab.dr('import', '--media', lab.path('usb'))
    argv = [tool('media'), '--home', lab.hq.home, lab.path('usb'), '--clean']
    kill.Sweep('media --clean', lab, argv, ['hq', 'usb'], lambda k: None, lambda k: run(*argv), lambda k: swept(lab)).run()


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
