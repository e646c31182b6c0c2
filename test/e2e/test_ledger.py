#!/usr/bin/python3 -B
"""What the primary knows of each site: what it has for sure, what is on its way; and what it plans."""
from lab import *


def target(lab, site='dr'):
    return [t for t in lab.hq.json('status')[0]['targets'] if t['site'] == site][0]


def flight(lab, site='dr'):
    return [(s['from'], s['to']) for s in target(lab, site)['in_flight']]


def change(lab, n=64 * K):
    lab.write(lab.disks['vda'], lab.random.randrange(0, 3 * M) // 4096 * 4096, n)


def receipt(lab, name='receipt'):
    lab.dr('import', '--receipt', lab.path(name), lab.path('last'))
    return lab.path(name)


def send(lab, *args):
    shutil.copy(lab.export(*args), lab.path('last'))


def test_status_says_what_is_there_for_sure_and_what_is_on_its_way():
    lab = Lab()
    check(flight(lab) == [], 'something is on its way before anything was sent')
    send(lab, '--seed')
    check(flight(lab) == [(0, 1)], flight(lab))
    lab.hq('import', receipt(lab))
    check(flight(lab) == [] and target(lab)['acked'] == 1, target(lab))
    for _ in range(2):
        change(lab)
        send(lab)
    check(flight(lab) == [(1, 2), (1, 3)], flight(lab))
    words = lab.hq('status').stdout
    check("site 'dr' has point 1 for sure; 2, 3 on the way" in words, words)
    check('b2.vmf' in words or 'b1.vmf' in words, words)
    lab.hq('import', receipt(lab))
    check(flight(lab) == [], flight(lab))


def test_a_stale_receipt_takes_nothing_back():
    lab = Lab()
    send(lab, '--seed')
    first = receipt(lab, 'first')
    change(lab)
    send(lab, '--since', 'sent')
    lab.hq('import', receipt(lab, 'second'))
    check(target(lab)['acked'] == 2, target(lab))
    before = target(lab)
    lab.hq('import', first)
    check(target(lab) == before, 'the older receipt changed', target(lab))


def test_a_site_that_went_back_is_a_warning_and_gets_what_it_needs():
    lab = Lab()
    third = Site(lab, 'third')          # it acknowledges nothing, so every point is kept
    lab.hq('trust', 'add', third.card)
    send(lab, '--seed')
    lab.hq('import', receipt(lab))
    lab.hq('export', 'web1', '--seed', '--to', 'third', '-o', lab.path('other'))
    run('cp', '-a', lab.dr.home, lab.path('backup'))
    change(lab)
    send(lab, '--to', 'dr')
    lab.hq('import', receipt(lab))
    check(target(lab)['acked'] == 3, target(lab))
    shutil.rmtree(lab.dr.home)
    run('mv', lab.path('backup'), lab.dr.home)
    now = time.time()
    while time.time() < int(now) + 1:   # a receipt's time has whole seconds
        pass
    shutil.copy(lab.path('b0.vmf'), lab.path('last'))
    p = lab.hq('import', receipt(lab))
    check('went back' in p.stderr, p.stderr)
    s, = lab.hq.json('status')
    check(s['health'] == 'warning' and any('went back to 1' in c for c in s['causes']), s['causes'])
    change(lab)
    lab.keep('now')
    send(lab, '--to', 'dr')
    check(json.loads(run(VMFERRY, 'inspect', '--json', lab.path('last')).stdout)['from']['seq'] == 1, 'it starts at another point')
    lab.hq('import', receipt(lab))
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'))
    check(target(lab)['went_back_to'] == 0, target(lab))


def test_a_delta_over_many_points_without_a_receipt_carries_what_changed_once():
    """What it costs does not grow with the points: the same blocks again and again are carried once."""
    lab = Lab(sizes=(16 * M,))
    send(lab, '--seed')
    lab.hq('import', receipt(lab))
    changes = lab.path('changes')
    where = [lab.random.randrange(0, 4096) * 4096 for _ in range(200)]
    with open(changes, 'w') as f:
        f.writelines('vda %d 4096\n' % o for o in where)
    for _ in range(20):
        for o in where[:20]:
            lab.write(lab.disks['vda'], o, 4096)
        lab.hq('export', 'web1', '--since', 'sent', '--changes', changes, '-o', lab.path('way'))
    one = os.path.getsize(lab.path('way'))
    lab.keep('now')
    send(lab, '--changes', changes)
    check(os.path.getsize(lab.path('last')) <= 1.2 * one, 'one delta has', one, 'and all in one', os.path.getsize(lab.path('last')))
    lab.dr('import', lab.path('last'))
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'))


def test_a_dry_run_cuts_and_writes_nothing_and_is_about_right():
    lab = Lab(sizes=(32 * M, 1 * M))
    lab.write(lab.disks['vda'], 0, 16 * M)
    lab.write(lab.disks['vda'], 16 * M, 8 * M, data=b'a')
    def home():     # but for files of leaves that have none yet
        return {k: v for k, v in tree(lab.hq.home).items() if v != hash(b'')}
    before = home()
    plan = json.loads(lab.hq('export', 'web1', '--seed', '--dry-run', '--json', '--transit', '2d', '--bandwidth', '1M').stdout)
    check(home() == before, 'the home has changed')
    size = os.path.getsize(lab.export('--seed'))
    check(size / 2 < plan['estimate'] < size * 2, 'it is', size, 'and was estimated as', plan)
    check(plan['type'] == 'seed' and plan['to'] == 1 and plan['from'] == 0, plan)
    check(plan['stale_on_arrival'] >= 2 * 86400 and plan['faster'] == 'line', plan)
    os.makedirs(lab.path('usb'))
    change(lab, 256 * K)
    words = lab.hq('export', 'web1', '--dry-run', '--media', lab.path('usb'), '--volume-size', '2M', '--transit', '1h').stdout
    check('a delta from point 1 to point 2' in words and 'volumes: 1 of 2.0 MiB' in words and 'free' in words, words)
    check(not glob.glob(lab.path('usb', 'vmferry', '*.vmf*')), 'something was written')
    check(lab.hq.json('status')[0]['last_point']['seq'] == 1, 'a point was cut')


if __name__ == '__main__':
    main('__main__')
