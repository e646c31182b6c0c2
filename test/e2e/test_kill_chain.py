#!/usr/bin/env python3
"""Killed at any instant: an import at a site that forwards, the forwarding itself, and the receipt that ends it."""
import test_kill as kill
from inject import *
from lab import *


def forwarding():
    """dr and far have point 1; point 2 is cut for both, and dr forwards."""
    lab = kill.small_lab()
    far = lab.far = Site(lab, 'far')
    lab.hq('trust', 'add', far.card)
    lab.dr('trust', 'add', far.card)
    far('trust', 'add', lab.hq.card, '--vm', 'web*')
    lab.hq('extend', 'web1', '--to', 'far', '--via', 'dr')
    lab.keep(1)
    seed = lab.export('--seed', name='seed.vmf')          # sealed to both: the same file goes on by hand
    for site in lab.dr, far:
        site('import', seed)
    lab.dr('import', seed, '--receipt', lab.path('receipt.vmf'))
    lab.hq('import', lab.path('receipt.vmf'))
    lab.dr('extend', 'web1', '--to', 'far')
    kill.touch(lab, 2)
    lab.keep(2)
    lab.export(name='delta.vmf')
    return lab


def outbox(lab):
    folder = os.path.join(lab.dr.replica(), 'outbox')
    return os.listdir(folder) if os.path.exists(folder) else []


def named(lab):
    """Files of the outbox are those of the record once a command was there."""
    f = lab.dr.json('status')[0]['forwards'][0]
    check(len(outbox(lab)) == f['volumes'], 'the outbox has', *outbox(lab), 'and the record', f)
    return f


def arrives(lab):
    """far gets there with what dr forwards."""
    out = lab.path('out.vmf')
    lab.dr('export', 'web1', '--anew', '-o', out)
    with open(out, 'rb') as a, open(lab.path('delta.vmf'), 'rb') as b:
        check(a.read() == b.read(), 'what is forwarded is not what was made')
    lab.far('import', out)
    lab.same(2, os.path.join(lab.far.replica(), 'disks'), 'far:')
    os.unlink(out)


def test_import_at_a_site_that_forwards():
    lab = forwarding()
    argv = [tool('import'), '--home', lab.dr.home, lab.path('delta.vmf')]

    def after_kill(k):
        check(kill.seqs(lab.dr) in ([1], [1, 2]), 'the points are', kill.seqs(lab.dr))
        if k % 2:
            lab.dr('merge', 'web1')
            named(lab)

    def finish(k):
        kill.whole(lab, [1, 2])
        check(named(lab)['volumes'] == 1, named(lab))
        arrives(lab)

    kill.Sweep('import, forwarding', lab, argv, ['dr', 'far'], after_kill, lambda k: run(*argv), finish).run()


def test_forwarding_to_a_medium():
    lab = forwarding()
    lab.dr('import', lab.path('delta.vmf'))
    os.makedirs(lab.path('usb', 'vmferry'))
    argv = [tool('export'), '--home', lab.dr.home, 'web1', '--to', 'far', '--media', lab.path('usb')]

    def again(k):
        p = run(*argv, rc=None)
        check(p.returncode == 0 or (p.returncode == 1 and 'was sent' in p.stderr), p.returncode, p.stderr)

    def finish(k):
        f = named(lab)
        check(f['sent'] == 1, f)
        names = sorted(n for n in os.listdir(lab.path('usb', 'vmferry')) if n not in ('lock', 'medium'))
        check(len(names) == 4 and not [n for n in names if n.endswith('.part')], *names)
        run('b2sum', '-c', [n for n in names if n.endswith('.b2')][0], cwd=lab.path('usb', 'vmferry'))
        lab.far('import', '--media', lab.path('usb'))
        lab.same(2, os.path.join(lab.far.replica(), 'disks'), 'far:')

    kill.Sweep('forwarding to a medium', lab, argv, ['dr', 'far', 'usb'], lambda k: named(lab), again, finish, threads=3).run()


def test_forwarding_to_a_file():
    lab = forwarding()
    lab.dr('import', lab.path('delta.vmf'))
    argv = [tool('export'), '--home', lab.dr.home, 'web1', '-o', lab.path('new.vmf')]

    def again(k):
        p = run(*argv, rc=None)
        check(p.returncode == 0 or (p.returncode == 1 and 'was sent' in p.stderr), p.returncode, p.stderr)
        check(filecmp.cmp(lab.path('new.vmf'), lab.path('delta.vmf'), shallow=False), 'not what was made')

    kill.Sweep('forwarding to a file', lab, argv, ['dr', 'far'], lambda k: named(lab), again, lambda k: arrives(lab)).run()


def test_the_receipt_that_ends_it():
    lab = forwarding()
    lab.dr('import', lab.path('delta.vmf'))
    lab.far('import', lab.path('delta.vmf'), '--receipt', lab.path('far.vmf'))
    argv = [tool('import'), '--home', lab.dr.home, lab.path('far.vmf')]

    def after_kill(k):
        check(lab.dr.json('status')[0]['forwards'][0]['acked'] in (0, 2))

    def finish(k):
        check(named(lab)['acked'] == 2 and outbox(lab) == [], *outbox(lab))

    kill.Sweep('the receipt of a forward', lab, argv, ['dr'], after_kill, lambda k: run(*argv), finish).run()


def test_begin_and_end():
    lab = forwarding()
    lab.dr('extend', 'web1', '--to', 'far', '--end')
    lab.dr('import', '--no-merge', lab.path('delta.vmf'))
    argv = [tool('extend'), '--home', lab.dr.home, 'web1', '--to', 'far']

    def finish(k):
        check(named(lab)['volumes'] == 1)
        arrives(lab)
        if k == 0:
            lab.dr('merge', 'web1')

    kill.Sweep('extend at a replica', lab, argv, ['dr', 'far'], lambda k: lab.dr.json('status'), lambda k: run(*argv), finish).run()
    lab = forwarding()
    lab.dr('import', lab.path('delta.vmf'))
    over = [tool('extend'), '--home', lab.dr.home, 'web1', '--to', 'far', '--end']
    kill.Sweep('extend --end at a replica', lab, over, ['dr'], lambda k: lab.dr.json('status'), lambda k: run(*over, rc=None),
               lambda k: check(outbox(lab) == [] and 'forwards' not in lab.dr.json('status')[0])).run()


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
