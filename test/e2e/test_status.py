#!/usr/bin/env python3
"""What status says of a VM through its life: states, named causes, reminders until done, and histories that parted."""
import re
from lab import *

DAY = 86400
KEYS = {'vm', 'uuid', 'role', 'state', 'health', 'causes', 'points', 'last_point', 'staged', 'epoch', 'fenced', 'alerts',
        'history', 'next'}


def of(site):
    s, = site.json('status')
    check(set(s) >= KEYS, 'keys are missing:', KEYS - set(s))
    check(s['health'] in ('normal', 'warning', 'critical'), s['health'])
    check(len(s['causes']) == len(s['alerts']), s)
    for cause, alert in zip(s['causes'], s['alerts']):
        check(set(alert) == {'name', 'grade', 'text', 'remedy'}, alert)
        check(re.fullmatch('[a-z-]+', alert['name']) and alert['grade'] in ('note', 'warning', 'critical'), alert)
        check(cause == alert['text'] + ('; ' + alert['remedy'] if alert['remedy'] else ''), cause, alert)
    grades = [a['grade'] for a in s['alerts']]
    check(grades == sorted(grades, key=['critical', 'warning', 'note'].index), 'the worst is not the first', grades)
    worst = [g for g in grades if g != 'note']
    check(s['health'] == (worst[0] if worst else 'normal'), s)
    check(s['next'] == (s['alerts'][0]['remedy'] if worst else None), s)
    return s


def names(site):
    return [a['name'] for a in of(site)['alerts']]


def record(site, kind):
    d, = glob.glob(os.path.join(site.home, kind, '*-*'))
    return os.path.join(os.path.realpath(d), 'state')


def change(site, kind, **fields):
    """Put fields into the record of a role ('role', 'reminders' and 'cuts' are merged into what is there)."""
    def put(o):
        for k, v in fields.items():
            if isinstance(v, dict):
                o[k].update(v)
            else:
                o[k] = v
    edit_record(record(site, kind), put)


def narrow(site, *args):
    out = site('status', *args).stdout
    for line in out.splitlines():
        check(len(line) <= 100, len(line), 'columns:', line)
    return out


def seeded(lab):
    lab.dr('import', lab.export('--seed'), '--receipt', lab.path('r'))
    lab.hq('import', lab.path('r'))


def test_a_life_from_enable_to_the_first_delta():
    lab = Lab()
    s = of(lab.hq)
    check((s['state'], s['health'], s['last_point']) == ('ready-for-initial', 'warning', None), s)
    check(names(lab.hq) == ['seed-pending'] and "export web1 --seed'" in s['next'], s)
    check(lab.dr.json('status') == [] and lab.dr('status').stdout == '')
    seed = lab.export('--seed')
    s = of(lab.hq)
    check(s['state'] == 'waiting-for-initial' and names(lab.hq) == ['no-receipt'], s)
    lab.dr('import', seed, '--receipt', lab.path('r'))
    lab.hq('import', lab.path('r'))
    s = of(lab.hq)
    check((s['state'], s['health'], s['next'], s['epoch']) == ('replicating', 'normal', None, 1), s)
    check(names(lab.hq) == ['acknowledged'] and s['targets'][0]['acked'] == 1, s)
    s = of(lab.dr)
    check((s['role'], s['state'], s['health'], s['alerts'], s['history']) == ('replica', 'replicating', 'normal', [], []), s)
    check('fenced' in s and s['fenced'] is False and 'failover' not in s and 'last_test' not in s, s)
    lab.write(lab.disks['vda'], 0, 5000)
    lab.export()
    check('; 2 on the way' in of(lab.hq)['causes'][0], of(lab.hq)['causes'])
    for site in lab.hq, lab.dr:
        narrow(site)


def test_lines_fit_a_hundred_columns_whatever_the_names():
    lab = Lab(enable=False)
    name = 'web-' + 'a-very-long-name-indeed-' * 4
    lab.hq('enable', name, '--to', 'dr', *lab.disk_args())
    lab.hq('enable', 'web2', '--to', 'dr', *lab.disk_args())
    lab.hq('export', name, '--seed', '-o', lab.path('x' * 60))
    out = narrow(lab.hq)
    check(name in out and 'on the way' in re.sub(r'\s+', ' ', out), out)
    lab.dr('import', lab.path('x' * 60))
    change(lab.dr, 'replicas', role={'state': 'failover-waiting-completion', 'at': {'epoch': 1, 'seq': 1, 'time': 1, 'kind': 1}})
    out = narrow(lab.dr)
    check('failover-waiting-completion' in out, out)
    check(len([x for x in narrow(lab.hq, 'web2').splitlines() if 'web2' in x or x.startswith('VM ')]) == 3, narrow(lab.hq, 'web2'))


def test_control_characters_do_not_reach_the_terminal():
    lab = Lab()
    seeded(lab)
    change(lab.dr, 'replicas', role={'state': 'error', 'cause': 'a\x1b[2Jb'})
    out = lab.dr('status').stdout
    check('\x1b' not in out and 'a?[2Jb' in out, repr(out))
    check(of(lab.dr)['alerts'][0]['text'] == 'a\x1b[2Jb', of(lab.dr))


def test_cycles_that_were_missed():
    lab = Lab(enable=False)
    lab.hq('enable', 'web1', '--to', 'dr', '--frequency', '1h', *lab.disk_args())
    seeded(lab)
    check(names(lab.hq) == ['acknowledged'], names(lab.hq))
    now = int(time.time())
    cuts = [now - h * 3600 for h in range(10, -1, -1)]
    change(lab.hq, 'primaries', cuts={'frequency': 3600, 'at': cuts[:3] + cuts[4:]})
    check(names(lab.hq) == ['acknowledged'], 'one of ten:', names(lab.hq))
    change(lab.hq, 'primaries', cuts={'frequency': 3600, 'at': cuts[:3] + cuts[5:]})
    check(names(lab.hq) == ['cycles-missed', 'acknowledged'] and '2 of the last 10' in of(lab.hq)['causes'][0], of(lab.hq))
    narrow(lab.hq)
    lab.export()
    with open(record(lab.hq, 'primaries')) as f:
        check('"cuts"' in f.read())


def test_a_point_is_late():
    lab = Lab(enable=False)
    lab.hq('enable', 'web1', '--to', 'dr', '--frequency', '30m', *lab.disk_args())
    seeded(lab)
    for site, kind in (lab.hq, 'primaries'), (lab.dr, 'replicas'):
        def put(o, ago):
            o['points'][-1]['time'] = int(time.time()) - ago
        edit_record(record(site, kind), lambda o: put(o, 5400 - 60))
        check('late' not in names(site), names(site))
        edit_record(record(site, kind), lambda o: put(o, 5400 + 1))
        check(names(site)[0] == 'late', names(site))
    edit_record(record(lab.hq, 'primaries'), lambda o: put(o, -1000))
    check(names(lab.hq)[0] == 'clock', names(lab.hq))


def test_states_that_need_a_person():
    lab = Lab()
    seeded(lab)
    for site, kind, role, health, name in (
            (lab.hq, 'primaries', {'state': 'suspended'}, 'warning', 'paused'),
            (lab.hq, 'primaries', {'state': 'prepared-for-failover', 'locked': 1, 'locked_from': 1, 'locked_for': '00' * 32},
             'warning', 'locked'),
            (lab.hq, 'primaries', {'state': 'error', 'fenced': True, 'cause': "site 'dr' has taken over"}, 'critical', 'fenced'),
            (lab.hq, 'primaries', {'state': 'error', 'fenced': False, 'cause': 'x'}, 'critical', 'stopped'),
            (lab.dr, 'replicas', {'state': 'suspended'}, 'warning', 'paused'),
            (lab.dr, 'replicas', {'state': 'waiting-for-resync', 'cause': 'the disks were changed'}, 'critical', 'resync-needed'),
            (lab.dr, 'replicas', {'state': 'error', 'cause': 'scrub found damage'}, 'critical', 'root-mismatch')):
        change(site, kind, role=role)
        s = of(site)
        check(s['health'] == health and s['alerts'][0]['name'] == name and s['next'], role, s)
        check(s['state'] == role['state'] and s['fenced'] == role.get('fenced', False), s)
        narrow(site)


def test_a_replica_that_was_turned_shows_only_its_live_side():
    lab = Lab()
    seeded(lab)
    uuid = of(lab.dr)['uuid']
    change(lab.dr, 'replicas', role={'state': 'turned'})
    check(names(lab.dr) == ['reverse-unfinished'], names(lab.dr))
    # The primary that a reverse makes, here borrowed from the other site.
    shutil.copytree(os.path.join(lab.hq.home, 'primaries', uuid), os.path.join(lab.dr.home, 'primaries', uuid))
    s = of(lab.dr)
    check(s['role'] == 'primary', s)
    # And one beside a replica that is not turned is a leftover.
    change(lab.dr, 'replicas', role={'state': 'replicating'})
    check(of(lab.dr)['role'] == 'replica', of(lab.dr))


def test_a_failover_reminds_until_it_is_seen_to():
    lab = Lab()
    seeded(lab)
    key = re.search('sign: ([0-9a-f]{64})', lab.dr('card').stdout).group(1)
    refusal = lab.dr('confirm', 'web1', 'dns', rc=1).stderr
    check('has not failed over' in refusal, refusal)
    check('never failed over' in lab.hq('confirm', 'web1', 'dns', rc=1).stderr)
    lab.dr('failover', 'web1', '--unplanned', '--yes')
    check(names(lab.dr) == ['failover-incomplete'], names(lab.dr))
    f = of(lab.dr)['failover']
    check((f['point'], f['planned'], f['completed'], f['settled']) == (1, False, False, False) and f['since'], f)
    lab.dr('failover', 'web1', '--complete', '--yes')
    s = of(lab.dr)
    check(s['state'] == 'failed-over' and s['epoch'] == 2 and s['health'] == 'warning', s)
    check(names(lab.dr)[:2] == ['not-reversed', 'dns-unconfirmed'], names(lab.dr))
    check("reverse web1'" in s['next'], s['next'])
    check(s['history'] == [{'epoch': 2, 'behind': 1, 'site': 'dr', 'key': key}], s['history'])
    narrow(lab.dr)
    before = names(lab.dr)
    lab.dr('confirm', 'web1', 'dns')
    lab.dr('confirm', 'web1', 'dns')
    check(names(lab.dr) == [n for n in before if n != 'dns-unconfirmed'], names(lab.dr))
    # The next failover asks again.
    change(lab.dr, 'replicas', role={'history': [{'epoch': 2, 'seq': 1, 'site': key}, {'epoch': 3, 'seq': 1, 'site': key}]})
    check('dns-unconfirmed' in names(lab.dr), names(lab.dr))


def test_a_test_is_overdue_until_one_is_made():
    lab = Lab()
    seeded(lab)
    now = int(time.time())
    change(lab.dr, 'replicas', reminders={'since': now - 91 * DAY})
    check(names(lab.dr) == ['test-overdue'], names(lab.dr))
    lab.dr('confirm', 'web1', 'test', '--every', '100d')
    check(names(lab.dr) == [], names(lab.dr))
    lab.dr('confirm', 'web1', 'test', '--every', '0')
    check(names(lab.dr) == ['test-overdue'], names(lab.dr))
    lab.dr('confirm', 'web1', 'test')
    s = of(lab.dr)
    check(s['alerts'] == [] and s['last_test']['point'] is None and s['last_test']['ended'], s)
    change(lab.dr, 'replicas', reminders={'tested': now - 91 * DAY})
    check(names(lab.dr) == ['test-overdue'], names(lab.dr))
    lab.dr('failover', 'web1', '--test')
    check('test-stands' in names(lab.dr) and of(lab.dr)['test']['point'] == 1, of(lab.dr))
    lab.dr('failover', 'web1', '--stop-test')
    s = of(lab.dr)
    check(s['health'] == 'normal' and s['last_test']['point'] == 1 and s['last_test']['result'], s)
    check('that at the replica' in lab.hq('confirm', 'web1', 'test', rc=1).stderr)


def test_a_vm_that_is_away_for_long():
    lab = Lab()
    seeded(lab)
    now = int(time.time())
    key = re.search('sign: ([0-9a-f]{64})', lab.dr('card').stdout).group(1)
    change(lab.hq, 'primaries', reminders={'since': now - 31 * DAY})
    check('not-failed-back' not in names(lab.hq), 'it is at home')
    change(lab.hq, 'primaries', reminders={'home': key})
    check(names(lab.hq)[0] == 'not-failed-back' and "away from site 'dr'" in of(lab.hq)['causes'][0], of(lab.hq))
    change(lab.hq, 'primaries', reminders={'since': now - 29 * DAY})
    check('not-failed-back' not in names(lab.hq), names(lab.hq))


def test_networks_that_the_host_lacks():
    lab = Lab()
    seeded(lab)
    change(lab.dr, 'replicas', reminders={'missing': 'lan, dmz', 'asked': int(time.time())})
    check(names(lab.dr) == ['network-missing'] and 'lan, dmz' in of(lab.dr)['causes'][0], of(lab.dr))
    lab.dr('confirm', 'web1', 'network')
    check(names(lab.dr) == [], names(lab.dr))


def test_a_store_that_is_short_of_space():
    lab = Lab(enable=False)
    store = lab.path('store')
    os.mkdir(store)
    run('mount', '-t', 'tmpfs', '-o', 'size=4M', 'tmpfs', store)
    UNDO.append(lambda: run('umount', store))
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--store', store)
    lab.hq('enable', 'web1', '--to', 'dr', *lab.disk_args())
    seeded(lab)
    check(names(lab.dr) == [], names(lab.dr))
    v = os.statvfs(store)
    with open(os.path.join(store, 'filler'), 'wb') as f:
        f.write(bytes(v.f_bavail * v.f_frsize - 4 * M // 100 * 5 + 4096))
    s = of(lab.dr)
    check(s['health'] == 'critical' and names(lab.dr) == ['disk-short'], s)
    os.unlink(os.path.join(store, 'filler'))
    check(names(lab.dr) == [], names(lab.dr))
    clean_up()


def test_histories_that_parted_stand_side_by_side():
    lab = Lab()
    seeded(lab)
    for _ in range(3):
        lab.write(lab.disks['vda'], 0, 5000)
        lab.dr('import', lab.export(), '--receipt', lab.path('r'))
        lab.hq('import', lab.path('r'))
    keys = {s: re.search('sign: ([0-9a-f]{64})', s('card').stdout).group(1) for s in (lab.hq, lab.dr)}
    out = lab.hq('status', 'web1', '--branches').stdout
    check('no other history' in out, out)
    check('no other history' in lab.hq('status', '--branches').stdout and lab.hq.json('status', '--branches') == [])
    check('no such VM' in lab.hq('status', 'web9', '--branches', rc=1).stderr)
    # dr says that it failed over behind point 2 and has come to 7; a site that nobody knows has an epoch of its own.
    claims = [{'history': [{'epoch': 2, 'seq': 2, 'site': keys[lab.dr]}], 'newest': {'epoch': 2, 'seq': 7, 'time': 1000, 'kind': 1},
               'primary': True, 'heard': 2000, 'site': keys[lab.dr]},
              {'history': [{'epoch': 5, 'seq': 3, 'site': 'ab' * 32}], 'newest': {'epoch': 1, 'seq': 3, 'time': 1000, 'kind': 1},
               'primary': False, 'heard': 3000, 'site': 'ab' * 32}]
    change(lab.hq, 'primaries', role={'state': 'error', 'fenced': True, 'cause': 'another one is the primary', 'claims': claims})
    s = of(lab.hq)
    check(names(lab.hq)[:2] == ['fenced', 'split-history'] and s['fenced'], s)
    b, = lab.hq.json('status', 'web1', '--branches')
    check(b['fenced'] and b['newest']['seq'] == 4 and b['history'] == [], b)
    c = b['claims'][0]
    check((c['site'], c['primary'], c['newest']['seq'], c['fork']) == ('dr', True, 7, {'seq': 2, 'epoch': 1}), c)
    check((c['beyond_here'], c['beyond_there']) == (2, 5), c)
    check([(x['keep'], x['gives_way'], x['points']) for x in c['choices']] == [('hq', 'dr', 5), ('dr', 'hq', 2)], c)
    check(b['claims'][1]['site'].startswith('key abab') and b['claims'][1]['beyond_there'] == 0, b['claims'][1])
    out = narrow(lab.hq, '--branches')
    words = re.sub(r'\s+', ' ', out)
    for w in ("site 'dr', which says that it is the primary, heard 1970-01-01T00:33:20Z", "epoch 2, behind point 2, at site 'dr'",
              'both have point 2 of epoch 1; beyond it up to 2 here, 5 there', "'vmferry resync web1 --keep hq': 'dr' gives way",
              "'vmferry resync web1 --keep dr': 'hq' gives way", 'has nothing beyond point 3'):
        check(w in words, 'it does not say', w, out)


def test_looking_changes_nothing_and_needs_no_lock():
    lab = Lab()
    seeded(lab)
    before = tree(lab.dir)
    for site in lab.hq, lab.dr:
        for args in [], ['--json'], ['--branches'], ['web1', '--branches', '--json']:
            site('status', *args)
    check(tree(lab.dir) == before, 'something changed')


def test_records_from_before_have_no_reminders():
    lab = Lab()
    seeded(lab)

    def strip(o):
        for k in 'reminders', 'cuts':
            o.pop(k, None)
    for site, kind in (lab.hq, 'primaries'), (lab.dr, 'replicas'):
        edit_record(record(site, kind), strip)
        check(of(site)['health'] == 'normal', of(site))
    lab.write(lab.disks['vda'], 0, 5000)
    lab.dr('import', lab.export())
    check(of(lab.dr)['health'] == 'normal', of(lab.dr))
    lab.dr('confirm', 'web1', 'test')
    check(of(lab.dr)['last_test']['ended'], of(lab.dr))


def test_every_cause_is_in_the_manual():
    with open(os.path.join(ROOT, 'core', 'status', 'health.c')) as f:
        causes = set(re.findall(r'cause\(\s*(?:h|context), "([a-z-]+)"', f.read()))
    with open(os.path.join(ROOT, 'doc', 'vmferry-status.1')) as f:
        words = set(re.findall(r'[a-z]+(?:-[a-z]+)*', f.read()))
    check(len(causes) > 25 and causes <= words, 'not in the manual:', causes - words)


def test_what_another_site_says_is_shown_wherever_it_is_cut():
    lab = Lab(enable=False)
    for name in ('\u00e9' * 60, '\u00e9' * 60 + 'x'):
        lab.hq('enable', name, '--to', 'dr', '--disk', 'vda=' + lab.disks['vda'])
        p = lab.hq('sync', name, '--via', '%s --home %s serve' % (VMFERRY, lab.dr.home), rc=1)
        check('may not replicate' in p.stderr, p.stderr)
        s, = lab.hq.json('status', name)
        check('failing' in [a['name'] for a in s['alerts']] and len(s['alerts']) == len(s['causes']), s)


if __name__ == '__main__':
    main(__name__)
