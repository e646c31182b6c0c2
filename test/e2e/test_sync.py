#!/usr/bin/env python3
"""One pipe, both ways: sync at one site and serve at the other, over whatever carries bytes."""
import shlex, signal, threading

from lab import *
from test_pipes import Sshd, at, free_port, same_as_disks, words

TEETH = ('transport', 'keys', 'authorization', 'space', 'clock', 'terms')


def serve(site, *args):
    """The words of --via that run serve there."""
    return at(site, 'serve', *args)


def sync(lab, *args, rc=0, via=None, at=None, vm='web1'):
    return (at or lab.hq)('sync', vm, '--via', via or serve(lab.dr), *args, rc=rc)


def acked(lab, i=0):
    return lab.hq.json('status')[0]['targets'][i]['acked']


def twice(lab, via):
    """A seed and a delta that way; both disks are the same then, and their points acknowledged."""
    sync(lab, via=via)
    check(acked(lab) == 1, 'the seed is not acknowledged')
    same_as_disks(lab)
    lab.write(lab.disks['vda'], 100 * K, 300 * K)
    lab.write(lab.disks['vdb'], 8 * K, 9 * K)
    sync(lab, via=via)
    check(acked(lab) == 2, 'the delta is not acknowledged')
    same_as_disks(lab)


def processes():
    """The words of each that runs, by its number."""
    found = {}
    for p in glob.glob('/proc/[0-9]*/cmdline'):
        try:
            with open(p, 'rb') as f:
                found[int(p.split('/')[2])] = f.read().split(b'\0')
        except OSError:
            pass
    return found


def process_of(tool, home):
    """The first one of that tool and home, whose children have later numbers."""
    return min(p for p, w in processes().items() if w[0].endswith(tool) and home.encode() in w)


def no_process_of(lab):
    """Nobody is left who works in the lab's folder."""
    return not any(b'vmferry-' in w[0] and any(lab.dir.encode() in x for x in w) for w in processes().values())


def until(what, *why):
    for _ in range(600):
        if what():
            return
        time.sleep(0.05)
    raise Failed(' '.join(map(str, why)))


def answers(lab, **kw):
    """The answers of --test by name: (ok, text), and the exit status."""
    p = sync(lab, '--test', '--json', rc=None, **kw)
    found = {a['test']: (a['ok'], a['text']) for a in json.loads(p.stdout)}
    check(tuple(found) == TEETH, found)
    return p.returncode, found


# --- ways ---

def test_over_a_command():
    lab = Lab()
    twice(lab, serve(lab.dr))
    check(lab.dr.json('points', 'web1')[-1]['seq'] == 2)


def test_over_ssh():
    lab = Lab()
    sshd = Sshd(lab)
    UNDO.append(sshd.close)
    twice(lab, words(*sshd.command, serve(lab.dr)))


def test_over_nc_and_named_pipes():
    lab = Lab()
    for name in ('in', 'out'):
        os.mkfifo(lab.path(name))
    port = free_port()
    for seq in (1, 2):
        far = start('bash', '-c', 'nc -l 127.0.0.1 %d < %s > %s & %s > %s < %s; wait' % (
            port, lab.path('out'), lab.path('in'), serve(lab.dr), lab.path('out'), lab.path('in')), stderr=subprocess.DEVNULL)
        # nc -l serves one caller, so its socket cannot be tried first.
        until(lambda: sync(lab, via='nc -N 127.0.0.1 %d' % port, rc=None).returncode == 0, 'nobody answered')
        far.wait(60)
        check(acked(lab) == seq)
        lab.write(lab.disks['vda'], 0, 70 * K)


def test_over_a_unix_socket():
    lab = Lab()
    s = socket_that_serves(lab)
    twice(lab, 'unix:' + s)


def socket_that_serves(lab):
    """A socket with a serve for each caller, as systemd would have it."""
    import socket
    path = lab.path('socket')
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)

    def accept():
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            start(VMFERRY, '--home', lab.dr.home, 'serve', stdin=c, stdout=c, stderr=subprocess.DEVNULL)
            c.close()
    threading.Thread(target=accept, daemon=True).start()
    UNDO.append(lambda: listener.shutdown(socket.SHUT_RDWR))
    return path


def test_over_two_named_pipes():
    lab = Lab()
    for name in ('in', 'out'):
        os.mkfifo(lab.path(name))
    for seq in (1, 2):
        far = start('bash', '-c', '%s < %s > %s' % (serve(lab.dr), lab.path('in'), lab.path('out')), stderr=subprocess.DEVNULL)
        sync(lab, via='fifo:%s,%s' % (lab.path('in'), lab.path('out')))
        check(far.wait(60) == 0)
        check(acked(lab) == seq)
        lab.write(lab.disks['vda'], 0, 70 * K)


# --- what is sent ---

def test_the_first_sync_makes_the_seed_and_no_later_one_does():
    lab = Lab()
    check('seed to point 1' in sync(lab).stderr)
    check('delta to point 2' in sync(lab).stderr)


def test_what_a_courier_brought_is_gone_on_from():
    """A seed by file whose receipt was never brought: the replica says it over the line."""
    lab = Lab()
    lab.dr('import', lab.export('--seed'))
    p = sync(lab)
    check('delta to point 2' in p.stderr, p.stderr)
    check(acked(lab) == 2)
    same_as_disks(lab)


def test_a_seed_that_is_on_its_way_is_not_sent_again_unasked():
    lab = Lab()
    lab.export('--seed', '--to', 'dr', name='seed.vmf')
    p = sync(lab, rc=1)
    check('seed.vmf' in p.stderr and '--seed' in p.stderr, p.stderr)
    check(lab.dr.json('status') == [], 'something is there')
    sync(lab, '--seed')
    same_as_disks(lab)


def test_a_replica_that_is_gone_is_never_seeded_in_silence():
    lab = Lab()
    sync(lab)
    shutil.rmtree(lab.dr.replica())
    p = sync(lab, rc=1)
    check('--seed' in p.stderr and '--resync' in p.stderr, p.stderr)
    check(glob.glob(lab.dr.home + '/replicas/*-*') == [], 'it was seeded')
    check(answers(lab)[1]['authorization'][0] is False)
    sync(lab, '--seed')
    same_as_disks(lab)


def test_a_part_of_another_seed_is_no_reason_to_send_one():
    lab = Lab()
    sync(lab)
    shutil.rmtree(lab.dr.replica())
    for link in glob.glob(lab.dr.home + '/replicas/*-*'):
        os.path.islink(link) and os.unlink(link)
    with open(lab.export('--seed'), 'rb') as f:
        part = f.read()
    run(VMFERRY, '--home', lab.dr.home, 'import', input=part[:len(part) * 2 // 3], stdin=None, text=False, rc=None)
    check('record' in run(VMFERRY, '--home', lab.dr.home, 'import', '--position', 'web1').stdout)
    p = sync(lab, rc=1)
    check('had acknowledged' in p.stderr or 'on its way' in p.stderr, p.stderr)


def test_a_resync_compares_and_sends_what_differs():
    lab = Lab(sizes=(8 * M, 64 * K))
    lab.write(lab.disks['vda'], 0, 6 * M)
    sync(lab)
    # Its changes are forgotten: a delta could not start anywhere.
    lab.write(lab.disks['vda'], 1 * M, 64 * K)
    p = sync(lab, '--resync')
    same_as_disks(lab)
    size = int([l for l in p.stderr.splitlines() if 'delta to point' in l][0].split(' bytes')[0].split()[-1])
    check(size < 1 * M, 'it sent', size, 'bytes')


def test_adopted_disks_are_compared():
    lab = Lab(sizes=(8 * M, 64 * K))
    lab.write(lab.disks['vda'], 0, 6 * M)
    copies = {i: lab.path('copy-' + i) for i in lab.disks}
    for i, p in lab.disks.items():
        shutil.copy(p, copies[i])
    uuid = lab.hq.json('status')[0]['uuid']
    lab.dr('adopt', 'web1', '--from', 'hq', *[a for i, p in copies.items() for a in ('--disk', '%s=%s' % (i, p))],
           '-o', lab.path('unused'))
    lab.write(lab.disks['vda'], 1 * M, 64 * K)
    p = sync(lab, rc=1)
    check('--resync' in p.stderr, p.stderr)
    sync(lab, '--resync')
    same_as_disks(lab)
    check(acked(lab) == 1, uuid)


def test_a_replica_fetches_what_it_lacks():
    lab = Lab()
    for _ in range(2):
        sync(lab, at=lab.dr, via=serve(lab.hq)) if acked(lab) else sync(lab)
        same_as_disks(lab)
        lab.write(lab.disks['vda'], 40 * K, 50 * K)
    check(acked(lab) == 2)


def test_nobody_fetches_what_is_not_for_him():
    lab = Lab()
    sync(lab)
    other = Site(lab, 'other')
    for a, b in ((lab.hq, other), (other, lab.hq)):
        a('trust', 'add', b.card, *(['--vm', 'web*'] if a is other else []))
    shutil.copytree(lab.dr.replica(), other.home + '/replicas/' + os.path.basename(lab.dr.replica()))
    p = sync(lab, at=other, via=serve(lab.hq), rc=1)
    check("not replicated to site 'other'" in p.stderr, p.stderr)


def test_a_replica_forwards_what_it_got_until_none_is_left():
    lab = Lab()
    far = Site(lab, 'far')
    lab.hq('trust', 'add', far.card)
    lab.dr('trust', 'add', far.card)
    far('trust', 'add', lab.hq.card, '--vm', 'web*')
    far('trust', 'add', lab.dr.card)
    lab.hq('extend', 'web1', '--to', 'far', '--via', 'dr')
    seed = lab.export('--seed')
    lab.dr('import', seed)
    far('import', seed)
    lab.dr('extend', 'web1', '--to', 'far')
    for i in range(3):
        lab.write(lab.disks['vda'], 300 * K * i, 200 * K)
        sync(lab, '--to', 'dr')
    p = sync(lab, '--to', 'far', at=lab.dr, via=serve(far))
    check(far.json('points', 'web1')[-1]['seq'] == 4, p.stderr)
    for i, d in lab.disks.items():
        check(filecmp.cmp(d, os.path.join(far.replica(), 'disks', i + '.raw'), shallow=False))
    check(lab.dr.json('status')[0]['forwards'][0]['acked'] == 4 if 'forwards' in lab.dr.json('status')[0] else True)
    # Nothing is left: that is no error, and nothing is sent.
    sync(lab, '--to', 'far', at=lab.dr, via=serve(far))


def test_the_way_back_after_a_planned_failover():
    lab = Lab()
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*')
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web*')
    sync(lab)
    lab.hq('failover', 'web1', '--planned', '--vm-is-shut-down', '-o', lab.path('final'))
    # It goes by the line as well, whose other end serves and no more.
    sync(lab, '--bundle', lab.path('final'))
    check(acked(lab) == lab.hq.json('status')[0]['last_point']['seq'], 'the handover is not acknowledged')
    lab.dr('failover', 'web1', '--planned', '--complete')
    lab.dr('reverse', 'web1', '--to', 'hq')
    p = sync(lab, at=lab.dr, via=serve(lab.hq))
    check('delta' in p.stderr, p.stderr)
    # And now the old primary fetches.
    sync(lab, at=lab.hq, via=serve(lab.dr))


# --- who, and on what terms ---

def test_a_primary_that_comes_back_is_fenced_at_its_first_call_and_follows_by_the_line_alone():
    lab = Lab()
    lab.hq('trust', 'add', lab.dr.card, '--vm', '*')
    sync(lab)
    lab.dr('failover', 'web1', '--unplanned', '--yes')
    lab.dr('failover', 'web1', '--complete', '--yes')
    lab.dr('failover', 'web1', '--complete', '--reverse', '--yes')
    lab.write(lab.disks['vda'], 0, 64 * K)
    keep = open(os.path.join(lab.dr.replica(), 'disks', 'vda.raw'), 'rb').read()
    sync(lab, '--test')                                         # it changes nothing, and so fences nobody
    check(lab.hq.json('status')[0]['fenced'] is False, 'fenced by a question')
    p = sync(lab, '--test', via=serve(lab.hq), at=lab.dr, rc=1)
    check('takes itself for the primary' in p.stdout, p.stdout)
    p = sync(lab, rc=1)
    check('this site is fenced' in p.stderr, p.stderr)
    s = lab.hq.json('status')[0]
    check(s['fenced'] is True and s['health'] == 'critical', s)
    check(open(os.path.join(lab.dr.replica(), 'disks', 'vda.raw'), 'rb').read() == keep, 'it was overwritten')
    lab.hq('resync', 'web1', '--keep', 'dr', '--yes', '-o', lab.path('says'))
    back = serve(lab.hq)
    check('--resync' in sync(lab, via=back, at=lab.dr, rc=1).stderr, 'what to do now is not said')
    sync(lab, '--resync', via=back, at=lab.dr)
    with open(lab.disks['vda'], 'rb') as f:
        check(f.read() == keep, 'differs')
    sync(lab, via=back, at=lab.dr)


def test_a_command_that_fails_is_why_the_test_fails():
    lab = Lab()
    p = sync(lab, '--test', via='exit 7', rc=3)
    check('transport      no: exit 7: ended with status 7' in p.stdout, p.stdout)


def test_a_site_that_is_not_known_gets_no_answer():
    lab = Lab()
    other = Site(lab, 'other')
    other('trust', 'add', lab.hq.card, '--vm', '*')
    lab.hq('trust', 'add', other.card)
    other('trust', 'remove', 'hq')
    p = sync(lab, '--to', 'other', via=serve(other), rc=None)
    check(p.returncode in (1, 3) and 'other' in p.stderr, p.stderr)
    check(other.json('status') == [])


def test_another_site_at_the_other_end_is_refused():
    lab = Lab()
    other = Site(lab, 'other')
    other('trust', 'add', lab.hq.card, '--vm', '*')
    lab.hq('trust', 'add', other.card)
    p = sync(lab, '--to', 'dr', via=serve(other), rc=None)
    check(p.returncode in (1, 3), p.stderr)
    code, found = answers(lab, via=serve(other))
    check(code in (1, 3) and False in (found['transport'][0], found['keys'][0]), found)


def test_only_the_named_site_is_served():
    lab = Lab()
    check('not served' in sync(lab, via=serve(lab.dr, '--only', 'someone'), rc=1).stderr)
    check(lab.dr.json('status') == [])
    sync(lab, via=serve(lab.dr, '--only', 'hq'))


def test_terms_are_told_and_obeyed():
    lab = Lab()
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--frequency', '5m', '--rate', '900K', '--points', '2')
    check([e['points'] for e in lab.dr.json('trust', 'list')] == [2], lab.dr.json('trust', 'list'))
    text = answers(lab)[1]['terms'][1]
    check('300 s' in text and '921600' in text and '2 points' in text, text)
    lab.write(lab.disks['vda'], 0, 2 * M)
    t = time.monotonic()
    sync(lab)
    # Not a measure of speed, but of slowness: a limit that is not kept would take no time at all.
    check(time.monotonic() - t > 1, 'the rate was not obeyed')
    for _ in range(3):
        sync(lab)
    check(len(lab.dr.json('points', 'web1')) == 2, 'more points are kept than may be')


def test_the_answers_of_a_test_are_what_a_sync_would_meet():
    lab = Lab()
    before = tree(lab.dir)
    code, found = answers(lab)
    check(code == 0 and all(ok for ok, _ in found.values()), found)
    check(tree(lab.dir) == before, 'something has changed')
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'mail*')
    code, found = answers(lab)
    check(code == 1 and found['authorization'][0] is False and '--vm' in found['authorization'][1], found)
    check(sync(lab, rc=1).stderr.count('--vm') > 0)
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--max-size', '1M')
    code, found = answers(lab)
    check(code == 1 and '--max-size' in found['authorization'][1], found)
    code, found = answers(lab, via='exit 7')
    check(code == 3 and found['transport'][0] is False and found['clock'][0] is None, found)
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*')
    sync(lab)
    lab.dr('pause', 'web1')
    code, found = answers(lab)
    check(code == 1 and 'resume' in found['authorization'][1], found)
    lines = sync(lab, '--test', rc=1).stdout.splitlines()
    check([l.split()[0] for l in lines] == list(TEETH), lines)


def test_without_a_way_it_says_how_to_name_one():
    lab = Lab()
    p = lab.hq('sync', 'web1', rc=1)
    check('--via' in p.stderr and 'routes' in p.stderr, p.stderr)
    with open(os.path.join(lab.hq.home, 'routes'), 'w') as f:
        f.write('site="dr" via="%s"\n' % serve(lab.dr))
    lab.hq('sync', 'web1')
    same_as_disks(lab)


# --- how it ends ---

def test_a_stop_leaves_nobody_and_what_came_is_kept():
    for tool in (b'vmferry-sync', b'vmferry-serve'):
        lab = Lab(sizes=(8 * M, 64 * K))
        lab.write(lab.disks['vda'], 0, 8 * M)
        p = start(VMFERRY, '--home', lab.hq.home, 'sync', 'web1', '--via', serve(lab.dr), '--rate', '2M', '--patience', '0',
                  stderr=subprocess.DEVNULL)
        until(lambda: glob.glob(lab.dr.home + '/replicas/*-*/inbox/*.part'), 'nothing came')
        os.kill(process_of(tool, lab.hq.home if tool == b'vmferry-sync' else lab.dr.home), signal.SIGTERM)
        check(p.wait(60) == 3, 'exit', p.returncode, tool)
        until(lambda: no_process_of(lab), 'somebody is left of', tool)
        check(glob.glob(lab.dr.home + '/replicas/*-*/inbox/*.part'), 'what came is gone')
        sync(lab)
        same_as_disks(lab)
        lab.close()


if __name__ == '__main__':
    main(__name__, jobs=4)
