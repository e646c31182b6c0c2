#!/usr/bin/env python3
"""The primary's half of a planned failover, and what a primary makes of what other sites say of its VM."""
import test_kill as kill
from inject import *
from lab import *
from test_trust import clone, primary_record, refused

OFF = '--vm-is-shut-down'
KEY = '5' * 64


def ready(lab=None, points=2, **kw):
    """dr has all points, hq knows it, and dr may send back."""
    lab = lab or Lab(**kw)
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web1')
    for n in range(1, points + 1):
        if n > 1:
            lab.write(lab.disks['vda'], n * 64 * K, 10000)
        receipt(lab, lab.export())
    return lab


def receipt(lab, bundle, name='r', take=True):
    lab.dr('import', bundle, '--receipt', lab.path(name))
    if take:
        lab.hq('import', lab.path(name))
    return lab.path(name)


def role(site):
    with open(primary_record(site), 'rb') as f:
        return json.loads(f.read()[:-22])['role']


def state(site):
    return site.json('status')[0]['state']


def sign_key(site):
    """The key that names the site."""
    return [l.split(': ')[1].strip() for l in open(site.card) if l.startswith('sign: ')][0]


def planned(lab, *args, **kw):
    return lab.hq('failover', 'web1', '--planned', OFF, *args, **kw)


# --- the checks

def failing(lab, check_name, *words, args=(OFF,), alone=True):
    """That check fails, with these words; nothing changes; a dry run says so too, in words and to programs."""
    argv = ['failover', 'web1', '--planned', *args]
    refused(lab.hq, *argv, '-o', lab.path('never'), words=words)
    check(not glob.glob(lab.path('never*')), 'something was written')
    p = refused(lab.hq, *argv, '--dry-run', words='checks failed')
    check(re.search(r'^  NOT YET +%s: ' % check_name, p.stdout, re.M), 'the dry run says', p.stdout)
    p = refused(lab.hq, *argv, '--dry-run', '--json')
    o = json.loads(p.stdout)
    bad = {c['check']: c['text'] for c in o['checks'] if not c['ok']}
    check(not o['ok'] and check_name in bad and (len(bad) == 1 or not alone), 'the checks that failed are', bad)
    for w in words:
        check(w in bad[check_name], 'the words are', bad[check_name])


def test_nothing_is_handed_over_before_the_replica_has_answered():
    lab = Lab()
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web1')
    failing(lab, 'state', 'nothing was sent yet', alone=False)
    seed = lab.export()
    failing(lab, 'health', 'no receipt', alone=False)
    receipt(lab, seed)
    planned(lab, '-o', lab.path('final'))
    lab.close()


def test_nothing_is_handed_over_to_a_replica_that_went_back():
    lab = ready()
    old = clone(lab, lab.dr, 'old')
    lab.write(lab.disks['vda'], 0, 5000)
    receipt(lab, lab.export())
    time.sleep(1.1)         # receipts are told apart by the second in which they were made
    old('import', lab.path('b1.vmf'), '--receipt', lab.path('back'))
    lab.hq('import', lab.path('back'))
    failing(lab, 'health', 'went back', 'export to it')
    lab.close()


def test_one_site_is_meant():
    lab = ready()
    third = Site(lab, 'third')
    lab.hq('trust', 'add', third.card, '--vm', 'web1')
    failing(lab, 'target', 'is not replicated to site', args=(OFF, '--to', 'third'))
    lab.hq('export', 'web1', '--seed', '--to', 'third', '-o', lab.path('s3'))
    failing(lab, 'target', 'several sites', '--to SITE')
    planned(lab, '--to', 'dr', '-o', lab.path('final'))
    failing(lab, 'target', 'another site', '--cancel', args=(OFF, '--to', 'third'), alone=False)
    lab.close()


def test_the_vm_must_be_shut_down_and_its_disks_quiet():
    lab = ready()
    failing(lab, 'shut-down', 'shut it down', '--vm-is-shut-down', args=())
    with open(lab.disks['vdb'], 'r+b'):
        failing(lab, 'quiet', 'vdb.img')
        p = lab.hq('failover', 'web1', '--planned', '--dry-run', '--bandwidth', '1M', rc=1)
        check('to send: from point 2 to point 3' in p.stdout and 'down: about' in p.stdout, p.stdout)
    planned(lab, '-o', lab.path('final'))
    lab.close()


def test_the_host_says_whether_it_was_shut_down():
    lab = ready()
    host = lab.path('host')
    with open(host, 'w') as f:
        f.write('#!/bin/sh\n[ "$1" = state ] && cat "%s"\n' % lab.path('answer'))
    os.chmod(host, 0o755)
    refused(lab.hq, 'enable', 'web1', '--host', 'exec:host', rc=2, words='absolute path')
    lab.hq('enable', 'web1', '--host', 'exec:' + host)

    def answer(**o):
        with open(lab.path('answer'), 'w') as f:
            json.dump(o, f)

    answer(state='running')
    failing(lab, 'shut-down', 'is running', 'shut it down from inside')
    answer(state='off', stopped='turned-off')
    failing(lab, 'shut-down', 'what it had not written yet is lost', '--vm-is-shut-down', args=())
    answer(state='absent')
    failing(lab, 'shut-down', 'no VM of the name', args=())
    answer(state='nonsense')
    failing(lab, 'shut-down', args=())
    answer(state='off', stopped='shutdown')
    lab.hq('failover', 'web1', '--planned', '-o', lab.path('final'))
    lab.close()


def test_the_other_site_must_be_allowed_to_send_back():
    lab = ready()
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'db*')
    failing(lab, 'return', 'may not replicate', 'trust add')
    lab.close()


def test_no_other_export_is_under_way():
    lab = ready()
    stuck = [tool('export'), '--home', lab.hq.home, 'web1', '-o', lab.path('x')]
    lab.write(lab.disks['vda'], 0, 1 * M)
    killed(stuck, lab.dir, 'rename', 2)
    failing(lab, 'exports', 'is not finished', 'vmferry export web1 -o ' + os.path.realpath(lab.dir), '--anew')
    run(*stuck)
    planned(lab, '-o', lab.path('final'))
    lab.close()


def test_every_check_is_made_and_named():
    lab = Lab()
    lab.export()
    p = lab.hq('failover', 'web1', '--planned', '-o', lab.path('x'), rc=1)
    check(p.stderr.count('refused: ') == 4, p.stderr)
    for w in ('no receipt of its seed', 'no receipt of site', 'shut it down', 'may not replicate'):
        check(w in p.stderr, w, 'is not said:', p.stderr)
    lab.close()


def test_a_dry_run_says_how_much_and_how_long():
    lab = ready()
    lab.write(lab.disks['vda'], 0, 2 * M)
    before = tree(lab.hq.home)
    o = json.loads(planned(lab, '--dry-run', '--bandwidth', '100K', '--json').stdout)
    check(o['ok'] and all(c['ok'] for c in o['checks']) and o['to'] == 'dr', o)
    f = o['final']
    check(f['from'] == 2 and f['to'] == 3 and f['changed'] == 2 * M, f)
    check(f['line_seconds'] >= 20 and f['down_seconds'] >= f['line_seconds'], f)
    out = planned(lab, '--dry-run', '--bandwidth', '100K').stdout
    check('2.0 MiB changed' in out and 'on the line' in out and out.count('  ok ') == 7, out)
    check(tree(lab.hq.home) == before, 'a dry run changed something')
    lab.close()


# --- the handover

def test_the_final_delta_says_the_handover():
    lab = ready()
    out = lab.path('final')
    p = planned(lab, '-o', out)
    check('locked' in p.stderr and 'failover web1 --planned --complete' in p.stderr, p.stderr)
    o = lab.hq.json('inspect', out)
    dr = sign_key(lab.dr)
    check(o['type'] == 'delta' and o['to']['kind'] == 'final' and o['from']['seq'] == 2 and o['to']['seq'] == 3, o)
    check(o['handover'] == dr and o['targets'] == [dr] and o['heirs'] == [dr] and o['history'] == [], o)
    check(o['wishes'] == dict(frequency=0, compress='default', plain=False), o)
    text = lab.hq('inspect', out).stdout
    check("locked at that point, for 'dr' to take over" in text and 'final' in text, text)
    r = role(lab.hq)
    check((r['state'], r['locked_from'], r['locked'], r['locked_for']) == ('prepared-for-failover', 3, 3, dr), r)
    o = lab.hq.json('inspect', lab.path('b1.vmf'))
    check('handover' not in o and o['to']['kind'] == 'standard', o)
    lab.keep(3)
    lab.dr('import', out)
    lab.same(3, os.path.join(lab.dr.replica(), 'disks'))
    lab.close()


def test_a_locked_vm_is_not_exported():
    lab = ready()
    planned(lab, '-o', lab.path('final'))
    for args in ([], ['--seed'], ['--delta'], ['--anew'], ['--dry-run']):
        refused(lab.hq, 'export', 'web1', *args, '-o', lab.path('x'), words=['locked', 'failover --cancel'])
    check(not glob.glob(lab.path('x*')))
    s = lab.hq.json('status')[0]
    check(s['state'] == 'prepared-for-failover' and s['health'] == 'warning' and 'locked' in s['causes'][0], s)
    lab.hq('import', receipt(lab, lab.path('final'), take=False))      # receipts are taken
    check(state(lab.hq) == 'prepared-for-failover')
    refused(lab.hq, 'pause', 'web1', words='locked')
    refused(lab.hq, 'disable', 'web1', '--remove', '--yes', words='locked')
    lab.close()


def test_the_same_again_makes_the_handover_once_more():
    lab = ready()
    planned(lab, '-o', lab.path('f1'))
    planned(lab, '-o', lab.path('f2'))
    out = subprocess.run([VMFERRY, '--home', lab.hq.home, 'failover', 'web1', '--planned', OFF], capture_output=True, check=True).stdout
    with open(lab.path('f3'), 'wb') as f:
        f.write(out)
    r = role(lab.hq)
    check((r['locked_from'], r['locked']) == (3, 5), r)
    check([lab.hq.json('inspect', lab.path(f))['to']['seq'] for f in ('f1', 'f2', 'f3')] == [3, 4, 5])
    lab.keep(5)
    lab.dr('import', lab.path('f3'))            # the others are lost
    lab.same(5, os.path.join(lab.dr.replica(), 'disks'))
    lab.close()


def test_it_is_taken_back():
    lab = ready()
    refused(lab.hq, 'failover', 'web1', '--cancel', words='no failover of it is prepared')
    planned(lab, '-o', lab.path('f'))
    p = lab.hq('failover', 'web1', '--cancel')
    check('used all the same' in p.stderr, p.stderr)
    r = role(lab.hq)
    check(r['state'] == 'replicating' and r['withdrawn'] == 3 and 'locked' not in r, r)
    refused(lab.hq, 'failover', 'web1', '--planned', '--cancel', words='no failover of it is prepared')
    lab.write(lab.disks['vda'], 0, 9000)
    lab.keep(4)
    lab.dr('import', lab.path('f'))
    lab.dr('import', lab.export())
    lab.same(4, os.path.join(lab.dr.replica(), 'disks'))
    lab.close()


def test_a_bundle_of_a_handover_that_was_taken_back_is_never_completed():
    lab = ready()
    lab.write(lab.disks['vda'], 0, 1 * M)
    argv = [tool('failover'), '--home', lab.hq.home, 'web1', '--planned', OFF, '-o', lab.path('f')]
    calls, p = record(argv, lab.dir)
    lab.hq('failover', 'web1', '--cancel')
    os.unlink(lab.path('f'))
    for n in range(calls['rename'].count, 0, -1):      # the last kill behind the lock, and before the end
        killed(argv, lab.dir, 'rename', n, must=False)
        if state(lab.hq) == 'prepared-for-failover' and os.path.exists(lab.path('f.part')):
            break
        lab.hq('failover', 'web1', '--cancel', rc=None)
        for f in glob.glob(lab.path('f*')):
            os.unlink(f)
    else:
        raise Failed('no kill fell between the lock and the end')
    refused(lab.hq, 'export', 'web1', '--anew', '-o', lab.path('x'), words='locked')
    lab.hq('failover', 'web1', '--cancel')
    check(not glob.glob(lab.path('f*')), 'left:', glob.glob(lab.path('f*')))
    lab.export()
    run(*argv)
    o = lab.hq.json('inspect', lab.path('f'))
    check(o['to']['seq'] == role(lab.hq)['locked'], 'an old handover was completed')
    lab.close()


def test_a_handover_that_was_begun_is_given_up_by_cancel():
    lab = ready()
    lab.write(lab.disks['vda'], 0, 1 * M)
    killed([tool('failover'), '--home', lab.hq.home, 'web1', '--planned', OFF, '-o', lab.path('f')], lab.dir, 'rename', 2)
    check(state(lab.hq) == 'replicating')
    refused(lab.hq, 'export', 'web1', '-o', lab.path('x'), words=['vmferry failover web1 --planned --to dr -o', 'failover --cancel'])
    check('given up' in lab.hq('failover', 'web1', '--cancel').stderr)
    lab.export()
    lab.close()


def test_it_goes_to_a_medium():
    lab = ready()
    os.mkdir(lab.path('usb'))
    lab.write(lab.disks['vda'], 0, 100000)
    lab.keep(3)
    receipt(lab, lab.export(), take=False)
    lab.dr('import', lab.path('b2.vmf'))
    os.mkdir(lab.path('usb', 'vmferry'))
    lab.dr('import', '--media', lab.path('usb'))
    p = planned(lab, '--media', lab.path('usb'))
    check('medium' in p.stderr and 'locked' in p.stderr, p.stderr)
    lab.dr('import', '--media', lab.path('usb'))
    lab.same(3, os.path.join(lab.dr.replica(), 'disks'))
    lab.hq('media', lab.path('usb'))
    t = lab.hq.json('status')[0]['targets'][0]
    check(t['acked'] == role(lab.hq)['locked'] == t['sent'], t)
    lab.close()


# --- killed at any instant

def known(lab, path):
    """A bundle with an end is that of a handover that the record knows."""
    if not os.path.exists(path) or lab.dr('verify', path, rc=None).returncode != 0:
        return
    o, r = lab.hq.json('inspect', path), role(lab.hq)
    check(r.get('locked', 0) >= o['to']['seq'] or r.get('withdrawn', 0) >= o['to']['seq'], 'an end without a lock: point', o['to']['seq'], r)


def prepared(points=2):
    lab = kill.small_lab()
    ready(lab, points)
    lab.write(lab.disks['vda'], 16 * K, 20000)
    return lab


def finish_handover(lab, path):
    r = role(lab.hq)
    check(r['state'] == 'prepared-for-failover', r)
    lab.dr('verify', path)
    o = lab.hq.json('inspect', path)
    check(o['to']['seq'] == r['locked'] and o['handover'] == r['locked_for'], 'the record and the bundle differ', o, r)
    check(not os.path.exists(lab.path('hq', 'primaries', os.path.basename(os.path.dirname(primary_record(lab.hq))), 'pending')), 'left: pending')


def test_failover_planned_killed_anywhere():
    lab = prepared()
    out = lab.path('new.vmf')
    argv = [tool('failover'), '--home', lab.hq.home, 'web1', '--planned', OFF, '-o', out]

    def after_kill(k):
        check(state(lab.hq) in ('replicating', 'prepared-for-failover'))
        known(lab, out)
        known(lab, out + '.part')

    kill.Sweep('failover --planned', lab, argv, ['hq'], after_kill, lambda k: run(*argv), lambda k: finish_handover(lab, out)).run()


def test_failover_planned_to_a_medium_killed_anywhere():
    lab = prepared()
    os.makedirs(lab.path('usb', 'vmferry'))
    argv = [tool('failover'), '--home', lab.hq.home, 'web1', '--planned', OFF, '--media', lab.path('usb')]

    def volume():
        v = sorted(glob.glob(lab.path('usb', 'vmferry', '*.vmf')))
        return v[-1] if v else ''

    kill.Sweep('failover --planned --media', lab, argv, ['hq', 'usb'], lambda k: known(lab, volume()), lambda k: run(*argv),
               lambda k: finish_handover(lab, volume()), threads=99).run()


def test_failover_cancel_killed_anywhere():
    lab = prepared()
    planned(lab, '-o', lab.path('f'))
    argv = [tool('failover'), '--home', lab.hq.home, 'web1', '--cancel']

    def again(k):
        p = run(*argv, rc=None)
        check(p.returncode == 0 or 'no failover of it is prepared' in p.stderr, p.stderr)

    def finish(k):
        r = role(lab.hq)
        check(r['state'] == 'replicating' and r['withdrawn'] == 3 and 'locked' not in r, r)

    kill.Sweep('failover --cancel', lab, argv, ['hq'], lambda k: known(lab, lab.path('f')), again, finish).run()


def test_failover_cancel_of_what_was_begun_killed_anywhere():
    lab = prepared()
    begin = [tool('failover'), '--home', lab.hq.home, 'web1', '--planned', OFF, '-o', lab.path('hq', 'f')]
    calls, p = record(begin, lab.dir)
    lab.hq('failover', 'web1', '--cancel')
    os.unlink(lab.path('hq', 'f'))
    killed(begin, lab.dir, 'rename', calls['rename'].count - 2)
    check(state(lab.hq) == 'prepared-for-failover' and os.path.exists(lab.path('hq', 'f.part')), state(lab.hq), os.listdir(lab.path('hq')))
    argv = [tool('failover'), '--home', lab.hq.home, 'web1', '--cancel']

    def after_kill(k):
        known(lab, lab.path('hq', 'f'))
        if k % 2:       # the handover instead
            run(*begin)
            finish_handover(lab, lab.path('hq', 'f'))

    def finish(k):
        check(state(lab.hq) == 'replicating', state(lab.hq))
        check(not os.path.exists(lab.path('hq', 'f.part')), 'left: f.part')
        lab.hq('export', 'web1', '-o', lab.path('new.vmf'))

    def again(k):
        p = run(*argv, rc=None)
        check(p.returncode == 0 or 'no failover of it is prepared' in p.stderr, p.stderr)

    kill.Sweep('failover --cancel of what was begun', lab, argv, ['hq'], after_kill, again, finish).run()


# --- what others say

def says(lab, history, is_primary=True, keep=None, site=None):
    """A receipt of dr, whose record is made to say that history; dr is as it was before, in the end."""
    dr = site or lab.dr
    run('cp', '-a', dr.home, lab.path('as-was'))

    def change(o):
        o['role']['history'] = history
        if keep is not None:
            o['points'] = [p for p in o['points'] if p['seq'] <= keep]

    edit_record(os.path.join(dr.replica(), 'state'), change)
    p = dr('import', lab.path('b0.vmf'), '--receipt', lab.path('said'), rc=None)
    shutil.rmtree(dr.home)
    os.rename(lab.path('as-was'), dr.home)
    check(os.path.exists(lab.path('said')), 'no receipt:', p.stderr)
    return lab.path('said')


def fenced(lab, site, receipt, *words):
    """The receipt is refused, with these words, and from then on nothing is sent."""
    p = site('import', receipt, rc=1)
    for w in words:
        check(w in p.stderr, 'it does not say "%s": %s' % (w, p.stderr))
    r = role(site)
    check(r['fenced'] and r['state'] == 'error' and len(r['claims']) == 1, r)
    s = site.json('status')[0]
    check(s['health'] == 'critical' and s['fenced'] and 'resync web1 --keep' in s['causes'][0], s)
    for argv in (['export', 'web1', '--seed'], ['export', 'web1'], ['failover', 'web1', '--planned', OFF]):
        refused(site, *argv, '-o', lab.path('x'), words=['fenced', 'resync --keep'])
    for argv in (['failover', 'web1', '--cancel'], ['pause', 'web1'], ['resume', 'web1']):
        refused(site, *argv, words='fenced')
    check(site('import', receipt, rc=1).returncode == 1 and len(role(site)['claims']) == 1, 'once more')
    return r


def test_a_primary_restored_from_a_backup_is_fenced():
    lab = ready()
    old = clone(lab, lab.hq, 'old')
    for n in range(2):
        lab.write(lab.disks['vda'], 0, 9000)
        receipt(lab, lab.export())
    r = fenced(lab, old, lab.path('r'), "site 'dr' has point 4", 'the newest here is 2', 'restored from a backup',
               'resync web1 --keep hq', '--keep dr')
    check(r['claims'][0]['newest']['seq'] == 4, r)
    check(state(lab.hq) == 'replicating')
    lab.close()


def test_a_site_that_has_taken_over_fences_the_old_primary():
    lab = ready()
    dr = sign_key(lab.dr)
    r = fenced(lab, lab.hq, says(lab, [dict(epoch=2, seq=2, site=dr)]), "site 'dr' has taken over with epoch 2, behind point 2", '--keep dr')
    check(r['seen'] == 2 and r['claims'][0]['site'] == dr, r)
    lab.close()


def test_a_site_that_took_over_at_an_older_point_has_parted_from_us():
    lab = ready(points=3)
    dr = sign_key(lab.dr)
    r = fenced(lab, lab.hq, says(lab, [dict(epoch=2, seq=1, site=dr)]), 'behind point 1', 'has parted')
    lab.close()


def test_a_rival_of_the_same_epoch_fences():
    lab = ready()
    hq, dr = sign_key(lab.hq), sign_key(lab.dr)
    edit_record(primary_record(lab.hq), lambda o: o['role'].update(history=[dict(epoch=2, seq=1, site=hq)]))
    fenced(lab, lab.hq, says(lab, [dict(epoch=2, seq=2, site=dr)]), "site 'dr' has begun an epoch 2 of its own", 'behind point 1')
    lab.close()


def test_a_handover_that_was_used_is_said_and_fences_nothing():
    lab = ready()
    dr = sign_key(lab.dr)
    planned(lab, '-o', lab.path('f'))
    lab.dr('import', lab.path('f'))
    p = lab.hq('import', says(lab, [dict(epoch=2, seq=3, site=dr)]))
    check('the handover at point 3 was used' in p.stderr and 'next bundle' in p.stderr, p.stderr)
    r = role(lab.hq)
    check(r['state'] == 'prepared-for-failover' and not r['fenced'] and len(r['claims']) == 1, r)
    refused(lab.hq, 'export', 'web1', '-o', lab.path('x'), words='locked')
    lab.close()


def test_the_first_of_several_handovers_was_used():
    lab = ready()
    dr = sign_key(lab.dr)
    planned(lab, '-o', lab.path('f'))
    lab.dr('import', lab.path('f'))
    planned(lab, '-o', lab.path('f2'))      # it was thought to be lost
    p = lab.hq('import', says(lab, [dict(epoch=2, seq=3, site=dr)]))
    check('the handover at point 3 was used' in p.stderr, p.stderr)
    check(not role(lab.hq)['fenced'])
    lab.close()


def test_a_handover_that_was_taken_back_and_used_all_the_same_is_named():
    lab = ready()
    dr = sign_key(lab.dr)
    planned(lab, '-o', lab.path('f'))
    lab.dr('import', lab.path('f'))
    lab.hq('failover', 'web1', '--cancel')
    fenced(lab, lab.hq, says(lab, [dict(epoch=2, seq=3, site=dr)]), 'the handover at point 3 was taken back here, and used all the same')
    lab.close()


def test_an_old_handover_does_not_lead_a_primary_that_went_on():
    lab = ready()
    dr = sign_key(lab.dr)
    planned(lab, '-o', lab.path('f'))
    lab.dr('import', lab.path('f'))
    lab.hq('failover', 'web1', '--cancel')
    lab.write(lab.disks['vda'], 0, 9000)
    lab.export()
    planned(lab, '-o', lab.path('f2'))
    fenced(lab, lab.hq, says(lab, [dict(epoch=2, seq=3, site=dr)]), 'taken back here, and used all the same')
    lab.close()


def test_receipts_of_an_older_epoch_count_where_they_are_on_our_way():
    lab = ready(points=3)
    old = receipt(lab, lab.export(), take=False)                # point 4, epoch 1
    hq = sign_key(lab.hq)
    edit_record(primary_record(lab.hq), lambda o: o['role'].update(history=[dict(epoch=2, seq=4, site=hq)]))
    lab.hq('import', old)
    check(lab.hq.json('status')[0]['targets'][0]['acked'] == 4)
    lab.close()


def test_a_word_that_would_use_up_all_numbers_is_not_believed():
    lab = ready()
    dr = sign_key(lab.dr)
    before = role(lab.hq)
    for epoch, seq in ((1 << 48, 2), (2, 1 << 48), (2 + (1 << 32), 2)):
        refused(lab.hq, 'import', says(lab, [dict(epoch=epoch, seq=seq, site=dr)]), words='nobody can have come to')
    check(role(lab.hq) == before, 'something of it stayed:', role(lab.hq))
    # Where all are used up all the same, nothing is done that could not be read again.
    edit_record(os.path.join(lab.dr.replica(), 'state'), lambda o: o['role'].update(seen=1 << 48))
    lab.dr('failover', 'web1', '--unplanned', '--yes')
    lab.dr('failover', 'web1', '--complete', '--yes', rc=3)
    check(state(lab.dr) == 'failover-waiting-completion', state(lab.dr))
    lab.close()


def test_a_stray_is_told_to_give_way():
    lab = ready(points=3)
    hq = sign_key(lab.hq)
    old = receipt(lab, lab.export(), take=False)                # point 4, epoch 1
    edit_record(primary_record(lab.hq), lambda o: o['role'].update(history=[dict(epoch=2, seq=2, site=hq)]))
    p = lab.hq('import', old, rc=1)
    check('parted from what is here behind point 2' in p.stderr and 'resync web1 --keep hq' in p.stderr, p.stderr)
    r = role(lab.hq)
    check(r['state'] == 'replicating' and not r['fenced'] and r['claims'][0]['newest']['seq'] == 4, r)
    lab.close()


def test_only_a_site_that_the_vm_goes_to_can_fence_it():
    lab = ready()
    third = Site(lab, 'third')
    lab.hq('trust', 'add', third.card, '--vm', '*')
    key = sign_key(third)
    run('cp', '-a', lab.dr.home + '/replicas', third.home)
    third('trust', 'add', lab.hq.card, '--vm', '*')
    run('cp', '-a', lab.hq.home, lab.path('hq.was'))
    lab.hq('export', 'web1', '--seed', '--to', 'third', '-o', lab.path('b0.vmf'))
    shutil.rmtree(lab.hq.home)
    os.rename(lab.path('hq.was'), lab.hq.home)
    third('import', lab.path('b0.vmf'))
    refused(lab.hq, 'import', says(lab, [dict(epoch=2, seq=3, site=key)], site=third), words='nothing was ever sent')
    lab.close()


def test_a_handover_that_another_site_used_is_none():
    lab = ready()
    third = Site(lab, 'third')
    lab.hq('trust', 'add', third.card, '--vm', '*')
    third('trust', 'add', lab.hq.card, '--vm', '*')
    lab.hq('export', 'web1', '--seed', '--to', 'third', '-o', lab.path('b0.vmf'))
    third('import', lab.path('b0.vmf'), '--receipt', lab.path('r3'))
    lab.hq('import', lab.path('r3'))
    lab.hq('enable', 'web1', '--to', 'third')
    planned(lab, '--to', 'dr', '-o', lab.path('f'))
    planned(lab, '--to', 'dr', '-o', lab.path('f'))     # points 4 and 5; third has 3
    fenced(lab, lab.hq, says(lab, [dict(epoch=2, seq=5, site=sign_key(third))], site=third), "site 'third' has taken over with epoch 2")
    lab.close()


# --- what was wished when it was enabled

def test_what_enable_wishes_is_what_export_does():
    lab = Lab(enable=False)
    lab.hq('enable', 'web1', '--to', 'dr', '--compress', 'none', '--plain', '--frequency', '5m', *lab.disk_args())
    one = lab.hq.json('inspect', lab.export())
    check(not one['encrypted'] and one['wishes'] == dict(frequency=300, compress='none', plain=True), one)
    two = lab.hq.json('inspect', lab.export('--seed', '--encrypt', '--compress', 'best'))
    check(two['encrypted'] and two['stored'] != one['stored'], one['stored'], two['stored'])
    check(lab.hq.json('export', 'web1', '--dry-run')['type'] == 'delta')
    lab.close()


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
