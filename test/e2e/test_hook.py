#!/usr/bin/env python3
"""Who may start a VM: libvirt asks the records by its hook; and the site's own script around a start."""
import inject
from lab import *
from test_turn import Pair

XML = "<domain type='kvm' id='7'>\n  <name>%s</name>\n  <uuid>%s</uuid>\n  <title>x</title>\n</domain>\n"


def ask(site, name, uuid=None, operation='prepare', phase='begin', text=None):
    """What libvirt asks; the words of a no, or None."""
    text = text if text is not None else XML % (name, uuid) if uuid else ''
    p = subprocess.run([os.path.join(BIN, 'vmferry-hook'), '--home', site.home, '--', name, operation, phase, '-'], input=text,
                       capture_output=True, text=True, timeout=60)
    check(p.returncode in (0, 1) and p.stdout == '', p.returncode, p.stdout, p.stderr)
    check((p.returncode == 1) == ('refused' in p.stderr), p.stderr)
    return p.stderr if p.returncode else None


def uuid_of(site):
    return site.json('status')[0]['uuid']


def allowed(site, *args, **kw):
    check(ask(site, *args, **kw) is None, 'refused:', ask(site, *args, **kw))


def refused(site, words, *args, **kw):
    said = ask(site, *args, **kw)
    check(said is not None and words in said, 'is not refused with', words, 'but', said)


def test_a_vm_starts_only_where_it_lives_by_the_records():
    lab = Pair(sizes=(256 * K, 64 * K))
    u = uuid_of(lab.hq)
    allowed(lab.hq, 'web1', u)
    lab.send(lab.hq, lab.dr, '--seed')
    for op in ('prepare', 'start', 'restore', 'migrate'):
        refused(lab.dr, 'is a replica of site', 'web1', u, operation=op)
    for op, phase in (('stopped', 'end'), ('release', 'end'), ('reconnect', 'begin'), ('start', 'end')):
        allowed(lab.dr, 'web1', u, operation=op, phase=phase)
    refused(lab.dr, 'replica', 'another name', u.upper())
    refused(lab.dr, 'replica', 'web1')
    refused(lab.dr, 'replica', 'web1', '00000000-0000-4000-8000-000000000000')
    allowed(lab.dr, 'web2', '00000000-0000-4000-8000-000000000000')
    for text in ('', '<uuid>', '<uuid>%s' % u, '<uuid>' + 'x' * 100 + '</uuid>', '<' * 3000000):
        allowed(lab.dr, 'web2', text=text)
    before = tree(lab.dr.home)
    refused(lab.dr, 'replica', 'web1', u)
    check(tree(lab.dr.home) == before, 'to ask has changed something')


def test_failovers_open_the_way_and_handovers_close_it():
    lab = Pair(sizes=(256 * K, 64 * K))
    lab.send(lab.hq, lab.dr, '--seed')
    u = uuid_of(lab.hq)
    refused(lab.dr, 'replica', 'web1 - Test', u)
    lab.dr('failover', 'web1', '--test')
    allowed(lab.dr, 'web1 - Test', u)
    allowed(lab.dr, 'web1 - Test', '00000000-0000-4000-8000-000000000000')
    refused(lab.dr, 'replica', 'web1', u)
    lab.dr('failover', 'web1', '--stop-test')
    lab.dr('failover', 'web1', '--unplanned', '--yes')
    allowed(lab.dr, 'web1', u)
    lab.dr('failover', 'web1', '--cancel')
    refused(lab.dr, 'replica', 'web1', u)
    final = lab.file('final')
    lab.hq('failover', 'web1', '--planned', '--to', 'dr', '--vm-is-shut-down', '-o', final)
    refused(lab.hq, '--cancel', 'web1', u)
    lab.dr('import', final)
    refused(lab.dr, 'replica', 'web1', u)
    lab.dr('failover', 'web1', '--planned', '--complete')
    allowed(lab.dr, 'web1', u)
    lab.dr('disable', 'web1')
    allowed(lab.dr, 'web1', u)
    lab.dr('resume', 'web1')
    lab.dr('reverse', 'web1')
    allowed(lab.dr, 'web1', u)
    lab.send(lab.dr, lab.hq)
    refused(lab.hq, 'replica', 'web1', u)
    # Nothing protects it any more, and its disks are its own all the same.
    lab.dr('disable', 'web1', '--remove', '--yes')
    allowed(lab.dr, 'web1', u)


def test_the_old_primary_stays_off_when_another_took_over():
    lab = Pair(sizes=(256 * K, 64 * K))
    lab.send(lab.hq, lab.dr, '--seed')
    u = uuid_of(lab.hq)
    lab.unplanned(lab.dr)
    word = lab.file('word')
    lab.dr('reverse', 'web1', '-o', word)
    lab.hq('import', word, rc=1)
    refused(lab.hq, 'fenced', 'web1', u)
    lab.hq('resync', 'web1', '--keep', 'dr', '-o', lab.file('says'), '--yes')
    refused(lab.hq, 'replica', 'web1', u)


def test_a_placeholder_and_a_record_that_cannot_be_read_are_refused():
    lab = Pair(sizes=(3 * M, 64 * K))
    medium = lab.path('medium')
    os.mkdir(medium)
    for p in lab.disks.values():
        lab.write(p, 0, os.path.getsize(p))
    lab.hq('export', 'web1', '--seed', '--media', medium, '--volume-size', '2M')
    lab.dr('import', sorted(glob.glob(os.path.join(medium, 'vmferry', '*.vmf')))[0])
    u = uuid_of(lab.hq)
    refused(lab.dr, 'initial copy', 'web1', u)
    state = glob.glob(os.path.join(lab.hq.home, 'primaries', '*-*', 'state'))[0]
    lab.write(state, 100, 10, b'?')
    refused(lab.hq, 'cannot be read', 'web1', u)
    allowed(lab.hq, 'web2', '00000000-0000-4000-8000-000000000000')
    lab.write(os.path.join(lab.hq.home, 'card'), 0, 10, b'?')
    refused(lab.hq, 'cannot be read', 'web1', u)
    allowed(lab.hq, 'web2', '00000000-0000-4000-8000-000000000000')


# --- the site's script ---

SCRIPT = r'''#!/usr/bin/env python3
import json, os, sys
d = os.path.dirname(os.path.realpath(sys.argv[0]))
q = json.load(sys.stdin)
assert q['phase'] == sys.argv[1] and q['version'] == 1
with open(d + '/hook.log', 'a') as f:
    f.write(json.dumps(q) + '\n')
if os.path.exists(d + '/hook.fails') and open(d + '/hook.fails').read() == sys.argv[1]:
    sys.exit('no such zone')
'''


def script(site):
    with open(os.path.join(site.home, 'hook'), 'w') as f:
        f.write(SCRIPT)
    os.chmod(os.path.join(site.home, 'hook'), 0o755)


def ran(site):
    p = os.path.join(site.home, 'hook.log')
    out = [json.loads(x) for x in open(p)] if os.path.exists(p) else []
    if out:
        os.unlink(p)
    return out


def fails(site, phase):
    with open(os.path.join(site.home, 'hook.fails'), 'w') as f:
        f.write(phase)


def test_the_sites_script_is_run_around_starts_and_may_refuse_one():
    from test_definition import Hosted
    lab = Hosted()
    lab.send(lab.hq, lab.dr, '--seed')
    script(lab.dr)
    script(lab.hq)
    lab.dr('failover', 'web1', '--test', '--start')
    q = ran(lab.dr)
    check([(x['phase'], x['act']) for x in q] == [('before-start', 'test'), ('after-start', 'test')], q)
    check(q[0]['name'] == 'web1 - Test' and q[0]['vm'] == 'web1' and q[0]['network'] == 'isolated', q[0])
    check(q[0]['point']['seq'] == 1 and len(q[0]['disks']) == 2 and q[0]['definition'] == '<domain>one</domain>', q[0])
    check(q[0]['networks'] == ['lan', 'dmz'] and q[0]['missing'] == ['dmz'] and q[0]['purpose'] == 'test', q[0])
    lab.dr('failover', 'web1', '--stop-test')
    check([(x['phase'], x['act']) for x in ran(lab.dr)] == [('after-stop', 'test')], 'not after the stop')
    fails(lab.dr, 'before-start')
    p = lab.dr('failover', 'web1', '--unplanned', '--yes', '--start', rc=1)
    check('no such zone' in p.stderr and lab.b.vms()['web1']['state'] == 'off', p.stderr)
    fails(lab.dr, 'after-start')
    p = lab.dr('failover', 'web1', '--unplanned', '--yes', '--start')
    check('no such zone' in p.stderr and lab.b.vms()['web1']['state'] == 'running', p.stderr)
    check('no such zone' in str(lab.dr.json('status')[0]['alerts']), lab.dr.json('status')[0]['alerts'])
    lab.dr('confirm', 'web1', 'dns')
    check('script-failed' not in lab.dr('status').stdout + str(lab.dr.json('status')), 'it is still reminded of')
    ran(lab.dr)
    fails(lab.dr, 'nothing')
    lab.dr('failover', 'web1', '--cancel')
    check([(x['phase'], x['act']) for x in ran(lab.dr)] == [('after-stop', 'cancel')], 'not after the cancel')
    final = lab.file('final')
    lab.hq('failover', 'web1', '--planned', '--to', 'dr', '-o', final)
    q = ran(lab.hq)
    check([(x['phase'], x['act'], x['purpose']) for x in q] == [('after-stop', 'planned', 'fenced')], q)
    lab.dr('import', final)
    lab.dr('failover', 'web1', '--planned', '--complete', '--start', '--reverse')
    q = [(x['phase'], x['act'], x['purpose']) for x in ran(lab.dr)]
    check(q == [('before-start', 'planned', 'primary'), ('after-start', 'planned', 'primary'), ('after-turn', 'reverse', 'primary')], q)


if __name__ == '__main__':
    inject.hurry()
    main(__name__, jobs=2)
