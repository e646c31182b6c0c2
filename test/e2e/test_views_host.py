"""Points of a VM that runs are cut from a view that its host holds: what is asked, what is answered, and how it ends."""
import json, os, shutil, signal, subprocess, time

from inject import hurry, tool
from lab import K, M, VMFERRY, Lab, check, main, run, start

PROGRAM = '''#!%(python)s
import json, os, sys
dir = %(dir)r
verb = sys.argv[1]
question = json.loads(sys.stdin.readline())
with open(dir + '/asked', 'a') as f:
    f.write(json.dumps(question) + '\\n')
def say(o):
    print(json.dumps(o), flush=True)
if os.path.exists(dir + '/no-' + verb):
    sys.exit(open(dir + '/no-' + verb).read().strip() or 1)
if verb in ('state', 'machine'):
    print(open(dir + '/' + verb).read())
elif verb == 'view':
    answer = json.load(open(dir + '/view'))
    for d in answer['disks']:
        if os.path.exists(dir + '/' + d['id'] + '.frozen'):
            os.unlink(dir + '/' + d['id'] + '.frozen')
        os.link(d['where'], dir + '/' + d['id'] + '.frozen')
    say(answer)
    word = sys.stdin.readline().strip()
    with open(dir + '/asked', 'a') as f:
        f.write(json.dumps({'verb': 'end', 'word': word}) + '\\n')
    if os.path.exists(dir + '/broken'):
        sys.exit('the room for it ran out')
'''


class Host:
    """A program that is the host of web1, which runs; its disks are what it is told to say."""
    def __init__(self, lab):
        self.lab, self.program = lab, lab.path('host')
        with open(self.program, 'w') as f:
            f.write(PROGRAM % {'python': '/usr/bin/python3', 'dir': lab.dir})
        os.chmod(self.program, 0o755)
        self.put('state', state='running')
        self.put('machine', uuid='7b2cd1aa-6f0a-4c28-9f5b-0a3f6a2b9c11', definition='<domain/>', disks=[
            {'id': i, 'where': p, 'size': os.path.getsize(p)} for i, p in lab.disks.items()] +
            [{'id': 'sda', 'removable': True, 'why': 'is a CD-ROM drive'}])
        self.frozen()

    def put(self, name, **o):
        with open(self.lab.path(name), 'w') as f:
            json.dump(o, f)

    def frozen(self, changes=None, **more):
        """From now on views show the disks as they are now; changes: of each disk, lines of what changed."""
        disks = []
        for i, p in self.lab.disks.items():
            copy = self.lab.path('%s.%d.copy' % (i, time.monotonic_ns()))
            shutil.copy(p, copy)
            d = {'id': i, 'where': copy}
            if changes and i in changes:
                d['changes'], d['how'] = copy + '.list', 'list of the test'
                with open(d['changes'], 'w') as f:
                    f.write(changes[i])
            else:
                d['why'] = 'the test says so'
            disks.append(d)
        self.put('view', disks=disks, **more)

    def asked(self, verb):
        with open(self.lab.path('asked')) as f:
            return [o for o in map(json.loads, f) if o['verb'] == verb]


def ready(*args):
    lab = Lab(enable=False)
    host = Host(lab)
    lab.hq('enable', 'web1', '--to', 'dr', '--points', 24, '--host', 'exec:' + host.program, *args)
    return lab, host


def ship(lab, *args):
    out = lab.path('b%d.vmf' % time.monotonic_ns())
    p = lab.hq('export', 'web1', '-o', out, *args)
    lab.dr('import', out, '--receipt', out + '.r')
    lab.hq('import', out + '.r')
    return p


def replica_is(lab, tag):
    out = lab.path('restored.%d' % time.monotonic_ns())
    lab.dr('restore', 'web1', '-o', out)
    lab.same(tag, out)


def test_the_disks_are_those_that_the_host_names():
    lab, host = ready()
    status = lab.hq.json('status', 'web1')
    check('7b2cd1aa-6f0a-4c28-9f5b-0a3f6a2b9c11' in json.dumps(status), status)
    p = lab.hq('enable', 'web1', '--disk', 'vdq', rc=1)
    check("no disk 'vdq'" in p.stderr, p.stderr)
    lab.close()


def test_a_removable_disk_is_left_out_and_a_shared_one_is_refused():
    lab = Lab(enable=False)
    host = Host(lab)
    with open(lab.path('machine')) as f:
        m = json.load(f)
    m['disks'][1] = {'id': 'vdb', 'why': 'is shared with other VMs'}
    host.put('machine', **m)
    args = ('enable', 'web1', '--to', 'dr', '--host', 'exec:' + host.program)
    p = lab.hq(*args, rc=1)
    check('shared with other VMs' in p.stderr and '--exclude vdb' in p.stderr, p.stderr)
    p = lab.hq(*args, '--exclude', 'vdb')
    check('sda is left out: it is a CD-ROM drive' in p.stderr, p.stderr)
    lab.close()


def test_a_point_is_what_the_view_showed_and_not_what_came_later():
    lab, host = ready()
    lab.keep(1)
    lab.write(lab.disks['vda'], 1 * M, 64 * K)
    ship(lab)
    replica_is(lab, 1)
    check([o['word'] for o in host.asked('end')] == ['keep'], host.asked('end'))
    lab.close()


def test_changes_are_those_that_the_host_tracked_since_the_last_point():
    lab, host = ready()
    ship(lab)
    first = host.asked('view')[0]
    check('since' not in first and first['token'].startswith(first['prefix']), first)
    lab.write(lab.disks['vda'], 1 * M, 64 * K)
    lab.keep(2)
    host.frozen({'vda': '%d %d\n' % (1 * M, 64 * K), 'vdb': ''})
    p = ship(lab)
    check('vda: changes are known from its list of the test' in p.stderr, p.stderr)
    second = host.asked('view')[1]
    check(second['since'] == first['token'] and second['token'] != first['token'], second)
    replica_is(lab, 2)
    # What the host leaves out is not found: it was believed.
    lab.write(lab.disks['vda'], 3 * M, 4 * K)
    host.frozen({'vda': '', 'vdb': ''})
    ship(lab)
    replica_is(lab, 2)
    lab.close()


def test_where_the_host_has_a_doubt_the_disk_is_compared():
    lab, host = ready()
    ship(lab)
    lab.write(lab.disks['vda'], 1 * M, 64 * K)
    lab.write(lab.disks['vdb'], 0, 4 * K)
    lab.keep(2)
    host.frozen({'vdb': '0 4096\n'})
    p = ship(lab)
    check('vda is compared: the test says so' in p.stderr, p.stderr)
    replica_is(lab, 2)
    lab.close()


def test_a_view_that_was_given_up_is_no_point():
    lab, host = ready()
    ship(lab)
    token = host.asked('view')[0]['token']
    open(lab.path('broken'), 'w').close()
    lab.write(lab.disks['vda'], 1 * M, 64 * K)
    host.frozen()
    p = lab.hq('export', 'web1', '-o', lab.path('x'), rc=1)
    check('the room for it ran out' in p.stderr, p.stderr)
    check(not os.path.exists(lab.path('x')), 'there is a bundle')
    os.unlink(lab.path('broken'))
    lab.keep(2)
    ship(lab)
    check(host.asked('view')[-1]['since'] == token, 'the point before is not where changes are wanted from')
    replica_is(lab, 2)
    lab.close()


def test_a_host_that_cannot_freeze_it_is_an_answer_and_no_point():
    lab, host = ready()
    with open(lab.path('no-view'), 'w') as f:
        f.write('its backup job is taken')
    p = lab.hq('export', 'web1', '-o', lab.path('x'), rc=1)
    check('its backup job is taken' in p.stderr, p.stderr)
    host.put('state', state='absent')
    p = lab.hq('export', 'web1', '-o', lab.path('x'), rc=1)
    check('runs at another host' in p.stderr, p.stderr)
    lab.close()


def test_a_vm_that_is_off_is_read_from_its_disks():
    lab, host = ready()
    ship(lab)
    views = len(host.asked('view'))
    host.put('state', state='off', stopped='shutdown')
    lab.write(lab.disks['vda'], 2 * M, 64 * K)
    lab.keep(2)
    ship(lab)
    replica_is(lab, 2)
    check(len(host.asked('view')) == views, 'a view was asked for')
    lab.close()


def test_a_vm_that_was_started_again_meanwhile_is_not_handed_over():
    lab, host = ready()
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web1')
    ship(lab)
    host.put('state', state='off', stopped='shutdown')
    with open(lab.path('machine')) as f:
        m = json.load(f)
    host.put('machine', **dict(m, state='running'))
    views = len(host.asked('view'))
    p = lab.hq('failover', 'web1', '--planned', '--to', 'dr', '-o', lab.path('final'), rc=1)
    check('runs again' in p.stderr and len(host.asked('view')) == views, p.stderr)
    host.put('machine', **m)
    lab.hq('failover', 'web1', '--planned', '--to', 'dr', '-o', lab.path('final'))
    lab.close()


def test_an_image_put_back_as_it_was_at_the_tracked_point_is_seen_to_differ_from_later_points():
    lab, host = ready()
    lab.keep(1)
    ship(lab)
    shutil.copy(lab.disks['vda'], lab.path('backup'))
    host.put('state', state='off', stopped='shutdown')
    lab.write(lab.disks['vda'], 2 * M, 64 * K)
    ship(lab)
    # What is put back brings its bitmap along, by which nothing changed since it was begun; and that is true.
    shutil.copy(lab.path('backup'), lab.disks['vda'])
    host.put('state', state='running')
    host.frozen({'vda': '', 'vdb': ''})
    p = ship(lab)
    check('vda: changes are known from its list of the test' in p.stderr, p.stderr)
    check(host.asked('view')[-1]['since'] == host.asked('view')[0]['token'], host.asked('view'))
    replica_is(lab, 1)
    lab.close()


def test_a_bitmap_in_an_image_that_was_put_back_tells_too_little_alone():
    if not all(shutil.which(p) for p in ('qemu-img', 'qemu-io', 'qemu-nbd')):
        print('        skipped: not installed: qemu-img, qemu-io and qemu-nbd')
        return
    lab, host = ready()
    lab.keep(1)
    ship(lab)
    raw, image = lab.disks['vda'], lab.path('vda.qcow2')
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, image)
    run('qemu-img', 'bitmap', '--add', image, host.asked('view')[0]['token'])
    shutil.copy(image, lab.path('backup'))
    with open(lab.path('machine')) as f:
        m = json.load(f)
    m['disks'][0]['where'] = 'qcow2:' + image
    host.put('machine', **m)
    host.put('state', state='off', stopped='shutdown')
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 9 2M 64k', image)
    run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', image, raw)
    lab.keep(2)
    p = ship(lab)
    check('vda: what changed' not in p.stderr, 'the bitmap was not used:', p.stderr)
    replica_is(lab, 2)
    os.replace(lab.path('backup'), image)
    p = ship(lab)
    check('vda: what changed' not in p.stderr, 'the bitmap was not used:', p.stderr)
    replica_is(lab, 1)
    lab.close()


def test_every_nth_point_is_application_consistent_if_the_guest_can():
    lab, host = ready('--app', '2')
    kinds = lambda: [p['kind'] for p in lab.dr.json('points', 'web1')]
    ship(lab)
    check(host.asked('view')[-1]['quiesce'] is False)
    host.frozen(quiesced=True)
    ship(lab)
    check(host.asked('view')[-1]['quiesce'] is True)
    host.frozen(quiesced=False, quiesce_why='there is no guest agent')
    ship(lab)
    p = ship(lab)
    check('not application-consistent: there is no guest agent' in p.stderr, p.stderr)
    check(kinds() == ['standard', 'app', 'standard', 'standard'], kinds())
    check('no guest agent' in lab.hq('status', 'web1').stdout, lab.hq('status', 'web1').stdout)
    host.frozen(quiesced=True)
    ship(lab)
    check(kinds()[-1] == 'app', kinds())
    check('no guest agent' not in lab.hq('status', 'web1').stdout, 'it is still said')
    lab.close()


def test_the_view_ends_when_the_exporter_is_killed():
    lab, host = ready()
    ship(lab)
    lab.write(lab.disks['vda'], 0, 3 * M)
    host.frozen()
    r, w = os.pipe()
    p = start(tool('export'), '--home', lab.hq.home, 'web1', stdout=w)
    os.close(w)
    os.read(r, 1)
    p.send_signal(signal.SIGKILL)
    p.wait()
    os.close(r)
    for _ in range(100):
        if host.asked('end') and host.asked('end')[-1]['word'] == '':
            break
        time.sleep(0.1)
    check(host.asked('end')[-1]['word'] == '', host.asked('end'))
    lab.keep(2)
    host.frozen()
    ship(lab)
    replica_is(lab, 2)
    lab.close()


def test_who_is_stopped_waits_until_the_host_has_let_go():
    """Or a service manager, which kills who is left behind, would do so in the middle of that, and the guest stays frozen."""
    lab, host = ready()
    slow, gone = lab.path('slow'), lab.path('gone')
    with open(slow, 'w') as f:
        f.write('#!/bin/sh\n%s "$@"; rc=$?\n[ "$1" != view ] || { sleep 2; touch %s; }\nexit $rc\n' % (host.program, gone))
    os.chmod(slow, 0o755)
    lab.hq('enable', 'web1', '--host', 'exec:' + slow)
    p = start(VMFERRY, '--home', lab.hq.home, 'export', 'web1', '-o', '-', stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    p.stdout.read(1)
    check(not os.path.exists(gone) and p.poll() is None, 'it has ended too early for this test')
    p.terminate()
    check(p.wait(20) == 3, p.returncode)
    check(os.path.exists(gone), 'the host was still at it')


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
