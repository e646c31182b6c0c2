#!/usr/bin/env python3
"""What people type at night, twice, at the wrong site and after a restored backup: each answer names a way that works."""
from test_turn import Pair, side
from lab import *


def alerts(site):
    return [a['name'] for v in site.json('status') for a in v['alerts']]


def test_to_complete_twice_is_to_complete_once():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.planned(lab.hq, lab.dr)
    p = lab.dr('failover', 'web1', '--planned', '--complete', '--reverse', '--start')
    check('primary already, in epoch 2' in p.stderr, p.stderr)
    p = lab.hq('failover', 'web1', '--planned', '--complete', rc=1)
    check('at the site of its replica' in p.stderr, p.stderr)
    lab.close()


def test_a_replica_is_not_taken_over_by_a_planned_failover_that_was_typed_at_the_wrong_site():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    out = lab.file('final')
    lab.hq('failover', 'web1', '--planned', '--vm-is-shut-down', '-o', out)
    lab.dr('import', out)
    p = lab.dr('failover', 'web1', '--planned', '--vm-is-shut-down', '-o', lab.file(), rc=1)
    check('--planned --complete' in p.stderr and side(lab.dr) == [('replica', 'replicating')], p.stderr)
    lab.close()


def test_who_follows_a_new_primary_answers_its_word_with_a_receipt():
    lab = Pair()
    far = Site(lab, 'far')
    for a, b in ((lab.hq, far), (lab.dr, far), (far, lab.hq), (far, lab.dr)):
        a('trust', 'add', b.card, '--vm', 'web*')
    lab.send(lab.hq, lab.dr, '--seed')
    lab.hq('extend', 'web1', '--to', 'far')
    lab.send(lab.hq, far, '--seed', '--to', 'far')
    lab.send(lab.hq, lab.dr)
    lab.unplanned(lab.dr)
    word, back = lab.file('word'), lab.file('r')
    p = lab.dr('reverse', 'web1', '-o', word)
    check(word in p.stderr, p.stderr)
    check("'vmferry reverse web1 -o FILE'" in lab.dr('status').stdout.replace('\n          ', ' '), lab.dr('status').stdout)
    far('import', word, '--receipt', back)
    p = lab.dr('import', back)
    check("site 'far' has point" in p.stderr, p.stderr)
    lab.close()


def restored(lab):
    """hq's home comes back from a backup of a point ago, and goes on."""
    lab.send(lab.hq, lab.dr, '--seed')
    shutil.copytree(lab.hq.home, lab.hq.home + '.old', symlinks=True)
    for _ in range(2):
        lab.dirty(lab.hq)
        lab.send(lab.hq, lab.dr)
    shutil.rmtree(lab.hq.home)
    os.rename(lab.hq.home + '.old', lab.hq.home)
    lab.dirty(lab.hq)
    out = lab.file()
    lab.hq('export', 'web1', '-o', out)
    return out


def test_a_primary_from_an_old_backup_is_fenced_by_the_receipt_of_what_was_refused():
    lab = Pair()
    out, back = restored(lab), lab.file('r')
    p = lab.dr('import', out, '--receipt', back, rc=1)
    check('--receipt' in p.stderr, p.stderr)
    lab.hq('import', back, rc=1)
    check(side(lab.hq) == [('primary', 'error')], side(lab.hq))
    lab.close()


def test_nothing_reminds_of_histories_that_have_come_together():
    lab = Pair()
    out, back, word, says = restored(lab), lab.file('r'), lab.file('word'), lab.file('says')
    lab.dr('import', out, '--receipt', back, rc=1)
    lab.hq('import', back, rc=1)
    check('split-history' in alerts(lab.hq), alerts(lab.hq))
    p = lab.hq('resync', 'web1', '--keep', 'hq', '--yes')
    check("'vmferry reverse web1 -o FILE'" in p.stderr, p.stderr)
    check('dns-unconfirmed' not in alerts(lab.hq), 'the VM was never elsewhere', alerts(lab.hq))
    lab.hq('reverse', 'web1', '-o', word)
    lab.dr('import', word, rc=1)
    lab.dr('resync', 'web1', '--keep', 'hq', '--yes', '-o', says)
    lab.send(lab.hq, lab.dr, '--against', says)
    check(alerts(lab.hq) == ['acknowledged'], alerts(lab.hq))
    check(alerts(lab.dr) == ['branch-kept'], alerts(lab.dr))
    check(lab.content(lab.hq) == lab.content(lab.dr), 'dr is not what hq is')
    lab.close()


def test_what_is_removed_at_a_site_that_took_over_leaves_the_disks_of_the_vm():
    lab = Pair()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.planned(lab.hq, lab.dr)
    lab.send(lab.dr, lab.hq)
    disks, want = lab.disk_paths(lab.dr), lab.content(lab.dr)
    p = lab.dr('disable', 'web1', '--remove', '--yes')
    check('stay in' in p.stderr, p.stderr)
    check(side(lab.dr) == [('replica', 'disabled')] and 'reverse-unfinished' not in alerts(lab.dr), lab.dr('status').stdout)
    lab.dr('disable', 'web1', '--remove', '--yes', rc=1)
    for path, bytes in zip(disks, want):
        with open(path, 'rb') as f:
            check(f.read() == bytes, path, 'has changed')
    lab.hq('failover', 'web1', '--unplanned', '--yes')
    lab.hq('failover', 'web1', '--complete', '--yes', '--reverse')
    lab.hq('disable', 'web1', '--remove', '--yes')
    check(lab.hq.json('status') == [], lab.hq('status').stdout)      # its disks were never in its home
    check(all(os.path.exists(p) for p in lab.disks.values()), 'the disks of the VM are gone')
    lab.close()


def test_a_vm_that_comes_back_has_its_own_disks_again_those_that_are_not_replicated_too():
    lab = Pair(enable=False)
    swap = lab.make_disk('swap.img', 1 * M)
    lab.hq('enable', 'web1', '--to', 'dr', '--exclude', 'vdc=' + swap, *lab.disk_args())
    lab.send(lab.hq, lab.dr, '--seed')
    for _ in range(2):
        lab.planned(lab.hq, lab.dr)
        lab.send(lab.dr, lab.hq)
        lab.planned(lab.dr, lab.hq)
        lab.send(lab.hq, lab.dr)
    check(lab.disk_paths(lab.hq)[-1] == swap, lab.disk_paths(lab.hq))
    lab.planned(lab.hq, lab.dr)
    check(lab.disk_paths(lab.dr)[-1].endswith('/excluded/vdc.raw'), lab.disk_paths(lab.dr))
    lab.send(lab.dr, lab.hq)
    os.unlink(swap)
    lab.planned(lab.dr, lab.hq)
    check(lab.disk_paths(lab.hq)[-1].endswith('/excluded/vdc.raw'), 'one that is gone is made anew', lab.disk_paths(lab.hq))
    lab.close()


if __name__ == '__main__':
    main(__name__)
