#!/usr/bin/env python3
"""'vmferry run': all replications of a site, at their frequencies, by lines and mailboxes, with nobody looking."""
import shlex, signal, socket

from lab import *


def until(what, ok, seconds=60):
    """Wait until something is so."""
    end = time.time() + seconds
    while not ok():
        check(time.time() < end, 'never came:', what() if callable(what) else what)
        time.sleep(0.05)


def patiently(site, *args):
    """A command that meets a cycle of its VM is to be said again."""
    until(args, lambda: site(*args, rc=None).returncode == 0)


def children(pid):
    """The processes below that one."""
    out = []
    for p in glob.glob('/proc/[0-9]*/stat'):
        try:
            with open(p) as f:
                fields = f.read().rsplit(')', 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            out.append(int(p.split('/')[2]))
    return out + [x for c in out for x in children(c)]


class RunLab(Lab):
    """A site hq whose VM web1 goes to dr at 1 s, by a pipe that is there as long as the file 'up' is."""
    def __init__(self, frequency='1s', **kw):
        super().__init__(**kw)
        if frequency:
            self.hq('enable', 'web1', '--frequency', frequency)
        open(self.path('up'), 'w').close()
        self.via = 'test -e %s && exec %s --home %s serve' % tuple(map(shlex.quote, (self.path('up'), VMFERRY, self.dr.home)))
        self.routes('site="dr" via="%s"' % self.via)
        self.p = None

    def routes(self, *lines):
        with open(os.path.join(self.hq.home, 'routes'), 'w') as f:
            f.write('\n'.join(lines) + '\n')

    def start(self, *args, env=None):
        self.log = self.path('log')
        with open(self.log, 'a') as f:
            self.p = start(VMFERRY, '--home', self.hq.home, 'run', *args, stdin=subprocess.DEVNULL, stderr=f,
                           env=dict(os.environ, **(env or {})))
        return self.p

    def said(self):
        with open(self.log) as f:
            return f.read()

    def stop(self, rc=0):
        below = children(self.p.pid)
        self.p.send_signal(signal.SIGTERM)
        check(self.p.wait(30) == rc, 'it ended with', self.p.returncode, self.said())
        left = [c for c in below if os.path.exists('/proc/%d' % c)]
        until('the end of %s' % left, lambda: not any(os.path.exists('/proc/%d' % c) for c in below), 5)

    def once(self, rc=0, *args):
        return self.hq('run', '--once', *args, rc=rc)

    def acked(self, vm='web1', site='dr'):
        s = [s for s in self.hq.json('status') if s['vm'] == vm][0]
        return [t['acked'] for t in s['targets'] if t['site'] == site][0]

    def goes_on(self, n=1):
        """There are so many points more at the other side; it waits for that."""
        seq = self.acked() + n
        until(lambda: 'point %d; %s' % (seq, self.said()), lambda: self.acked() >= seq)

    def is_same(self):
        for i, p in self.disks.items():
            check(filecmp.cmp(p, os.path.join(self.dr.replica(), 'disks', i + '.raw'), shallow=False), i, 'differs')


def test_it_sends_the_initial_copy_and_then_what_changed():
    lab = RunLab()
    lab.start()
    lab.goes_on(2)
    lab.write(lab.disks['vda'], 0, 64 * K)
    lab.goes_on(2)
    lab.stop()
    lab.is_same()


def test_a_line_that_comes_and_goes_is_said_once_and_found_again():
    lab = RunLab()
    os.unlink(lab.path('up'))
    lab.start()
    until('words of the line', lambda: "site 'dr' cannot be reached" in lab.said())
    lab.p.send_signal(signal.SIGHUP)
    until('the second try', lambda: 'trying again' in lab.said())
    check(lab.said().count('cannot be reached') == 1, lab.said())
    open(lab.path('up'), 'w').close()
    lab.p.send_signal(signal.SIGHUP)
    until(lab.said, lambda: "site 'dr' is reached again" in lab.said())
    lab.goes_on()
    lab.stop()
    lab.is_same()
    check(lab.said().count('cannot be reached') == 1, lab.said())


def test_what_is_paused_disabled_or_new_is_seen():
    lab = RunLab()
    lab.start()
    lab.goes_on()
    patiently(lab.hq, 'pause', 'web1')
    seq = lab.acked()
    lab.hq('enable', 'web2', '--to', 'dr', '--disk', 'vda=' + lab.make_disk('other.img', 1 * M), '--frequency', '1s')
    until(lab.said, lambda: lab.acked('web2') >= 2)
    check(lab.acked() <= seq + 1, 'a paused VM was sent')
    patiently(lab.hq, 'disable', 'web2', '--remove', '--yes')
    patiently(lab.hq, 'resume', 'web1')
    lab.goes_on(2)
    lab.stop()
    check('web2: to site' not in lab.said() and 'web1: to site' not in lab.said(), lab.said())


def test_stopped_in_the_middle_it_leaves_nobody_behind_and_goes_on():
    lab = RunLab()
    lab.write(lab.disks['vda'], 0, 4 * M)
    lab.start('--rate', '256K')
    part = lambda: glob.glob(os.path.join(lab.dr.home, 'replicas', '*', 'inbox', '*'))
    until('a part of the bundle', part)
    t = time.time()
    lab.stop()
    check(time.time() - t < 15, 'it took', time.time() - t)
    lab.start()
    lab.goes_on(1)
    lab.stop()
    lab.is_same()


def test_killed_it_leaves_nobody_behind():
    lab = RunLab()
    lab.start()
    lab.goes_on(1)
    below = children(lab.p.pid)
    check(below, 'it has no processes?')
    lab.p.kill()
    lab.p.wait()
    until('the end of %s' % below, lambda: not any(os.path.exists('/proc/%d' % c) for c in below), 20)


def test_there_is_one_for_a_home():
    lab = RunLab()
    lab.start()
    lab.goes_on(1)
    p = lab.hq('run', rc=1)
    check("another 'vmferry run' works for this site" in p.stderr, p.stderr)
    lab.stop()
    lab.once()


def test_routes_are_read_again_and_bad_ones_change_nothing():
    lab = RunLab()
    lab.routes('# nothing yet')
    lab.start()
    until('words', lambda: "no way to site 'dr'" in lab.said())
    lab.routes('site="dr"')
    lab.p.send_signal(signal.SIGHUP)
    until('words', lambda: 'line 1 has a site, and not one of via= and mailbox=' in lab.said())
    lab.routes('site="dr" via="%s"' % lab.via)
    lab.p.send_signal(signal.SIGHUP)
    lab.goes_on(1)
    lab.routes('# none any more')
    lab.p.send_signal(signal.SIGHUP)
    until('words', lambda: lab.said().count("no way to site 'dr'") == 2)
    lab.stop()
    lab.routes('site=')
    check('routes: line 1' in lab.once(rc=1).stderr)


def test_what_has_no_frequency_is_left_alone_and_that_is_said_once():
    lab = RunLab(frequency=None)
    lab.start()
    until('words', lambda: 'web1: has no frequency' in lab.said())
    lab.hq('enable', 'web1', '--points', 12)
    other = lab.make_disk('other.img', 1 * M)
    lab.hq('enable', 'web2', '--to', 'dr', '--disk', 'vda=' + other, '--frequency', '1s')
    until('web2', lambda: lab.acked('web2') >= 1)
    check(lab.acked() == 0)
    lab.stop()
    check(lab.said().count('web1: has no frequency') == 1, lab.said())


def test_once_does_what_is_due_and_says_how_that_was():
    lab = RunLab(frequency='1h')
    lab.once()
    check(lab.acked() == 1)
    lab.once()
    check(lab.acked() == 1, 'it was not due')
    lab.hq('enable', 'web1', '--frequency', '1s')
    time.sleep(1)
    lab.once()
    check(lab.acked() == 2)
    os.unlink(lab.path('up'))
    time.sleep(1)
    p = lab.once(rc=3)
    check("site 'dr' cannot be reached" in p.stderr, p.stderr)
    open(lab.path('up'), 'w').close()
    lab.dr('trust', 'remove', 'hq')
    check(lab.once(rc=None).returncode in (1, 3))


def test_once_tries_each_once_however_many_refuse():
    lab = RunLab(frequency='1s')
    far = Site(lab, 'far')
    lab.hq('trust', 'add', far.card)
    far('trust', 'add', lab.hq.card, '--vm', 'web*')
    lab.hq('enable', 'db1', '--to', 'far', '--to', 'dr', '--disk', 'vda=' + lab.make_disk('o.img', 1 * M), '--frequency', '1s')
    lab.routes('site="dr" via="%s"' % lab.via, 'site="far" via="exec %s --home %s serve"' % (VMFERRY, far.home), 'parallel=1')
    p = lab.once(rc=1)
    check(p.stderr.count("db1: to site 'dr'") == 1 and p.stderr.count("db1: to site 'far'") == 1, p.stderr)
    check(lab.acked() == 1)


def test_mailboxes_are_filled_and_emptied():
    lab = RunLab()
    os.mkdir(lab.path('box'))
    lab.routes('site="dr" mailbox="%s"' % lab.path('box'))
    with open(os.path.join(lab.dr.home, 'routes'), 'w') as f:
        f.write('take="%s" every=1s\n' % lab.path('box'))
    dr = start(VMFERRY, '--home', lab.dr.home, 'run', stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.start()
    lab.goes_on(1)
    lab.write(lab.disks['vda'], 0, 64 * K)
    lab.goes_on(2)
    lab.stop()
    dr.send_signal(signal.SIGTERM)
    check(dr.wait(30) == 0)
    check(lab.dr('run', '--once').stderr == '', 'what was taken is said to have failed')
    lab.is_same()
    lab.once()
    left = [n for n in os.listdir(lab.path('box', 'vmferry')) if n.endswith('.vmf')]
    check(len(left) <= 2, 'what is acknowledged is not deleted:', left)


def test_what_the_way_itself_says_is_the_reason():
    lab = RunLab()
    lab.routes('site="dr" via="echo no route there >&2; exit 9"')
    p = lab.once(rc=3)
    check("site 'dr' cannot be reached: no route there (" in p.stderr and 'ended with status 9' in p.stderr, p.stderr)
    check('no route there' in lab.hq('status').stdout.replace('\n      ', ' '), 'status does not say it')


def test_an_initial_copy_that_waits_for_its_hours_is_said():
    lab = RunLab()
    lab.routes('site="dr" via="%s" initial="2099-01-01T00:00"' % lab.via)
    p = lab.once()
    check("web1: the initial copy to site 'dr' waits for the hours of initial=" in p.stderr, p.stderr)
    check(lab.acked() == 0)


def test_a_mailbox_that_is_not_there_is_said_once():
    lab = RunLab()
    lab.routes('site="dr" mailbox="%s"' % lab.path('box'))
    p = lab.once(rc=3)
    check("site 'dr' cannot be reached" in p.stderr and 'is it mounted?' in p.stderr, p.stderr)


def test_nothing_is_written_to_the_mount_point_of_a_mailbox():
    lab = RunLab()
    box = lab.path('box')
    os.mkdir(box)
    lab.routes('site="dr" mailbox="%s"' % box)
    lab.once()
    os.rename(box, lab.path('elsewhere'))
    os.mkdir(box)
    time.sleep(1)
    p = lab.once(rc=3)
    check("site 'dr' cannot be reached" in p.stderr and 'is it mounted?' in p.stderr, p.stderr)
    check(os.listdir(box) == [], os.listdir(box))
    # As it says, for whoever wants a new one there.
    os.mkdir(box + '/vmferry')
    lab.once()


def test_two_sites_each_by_its_own_way():
    lab = RunLab()
    far = Site(lab, 'far')
    lab.hq('trust', 'add', far.card)
    far('trust', 'add', lab.hq.card, '--vm', 'web*')
    lab.hq('enable', 'web2', '--to', 'far', '--to', 'dr', '--disk', 'vda=' + lab.make_disk('o.img', 1 * M), '--frequency', '1s')
    lab.routes('site="dr" via="%s"' % lab.via, 'site="far" via="exec %s --home %s serve" rate=20M parallel=2' % (VMFERRY, far.home),
               'parallel=3')
    os.unlink(lab.path('up'))
    lab.start()
    until(lab.said, lambda: lab.acked('web2', 'far') >= 2)
    check(lab.acked('web2', 'dr') == 0, 'what is down is down')
    open(lab.path('up'), 'w').close()
    lab.p.send_signal(signal.SIGHUP)
    until(lab.said, lambda: lab.acked('web2', 'dr') >= 1 and lab.acked() >= 1)
    lab.stop()


def test_the_service_manager_is_told():
    lab = RunLab()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(lab.path('notify'))
    s.settimeout(60)
    lab.start(env={'NOTIFY_SOCKET': lab.path('notify'), 'WATCHDOG_USEC': '400000'})
    heard = []
    while not {'READY=1', 'WATCHDOG=1'} <= set(heard) or not any(h.startswith('STATUS=1 replications') for h in heard):
        heard.append(s.recv(4096).decode())
    check('STOPPING=1' not in heard, heard)
    lab.stop()
    while heard[-1] != 'STOPPING=1':
        heard.append(s.recv(4096).decode())
    s.close()


def test_lines_to_the_journal_begin_with_their_level():
    lab = RunLab()
    lab.routes('site=')
    r, w = os.pipe()
    st = os.fstat(w)
    for stream, wanted in (('%d:%d' % (st.st_dev, st.st_ino), '<4>vmferry-run: refused: '), ('1:1', 'vmferry-run: refused: ')):
        p = start(VMFERRY, '--home', lab.hq.home, 'run', stderr=w, env=dict(os.environ, JOURNAL_STREAM=stream))
        check(p.wait(60) == 1)
        line = os.read(r, 4096).decode()
        check(line.startswith(wanted), line)
    os.close(r)
    os.close(w)


def test_initial_copies_wait_for_their_window():
    lab = RunLab()
    hour = (time.localtime().tm_hour + 12) % 24
    lab.routes('site="dr" via="%s" initial="%02d:00-%02d:30"' % (lab.via, hour, hour))
    lab.once()
    check(lab.acked() == 0, 'it is not the time')
    lab.routes('site="dr" via="%s" initial="2020-01-01T00:00"' % lab.via)
    lab.once()
    check(lab.acked() == 1)
    lab.routes('site="dr" via="%s" initial="%02d:00-%02d:30"' % (lab.via, hour, hour))
    time.sleep(1)
    lab.once()
    check(lab.acked() == 2, 'what changes needs no window')


def test_what_is_refused_is_said_once_with_its_reason():
    lab = RunLab()
    lab.hq('enable', 'db1', '--to', 'dr', '--disk', 'vda=' + lab.make_disk('o.img', 1 * M), '--frequency', '1s')
    lab.start()
    until(lab.said, lambda: "db1: to site 'dr': " in lab.said())
    lab.p.send_signal(signal.SIGHUP)
    lab.goes_on(2)
    lab.stop()
    check(lab.said().count("db1: to site 'dr': ") == 1 and 'cannot be reached' not in lab.said(), lab.said())
    f = lab.hq.json('status', 'db1')[0]
    check(lab.acked('db1') == 0, f)


if __name__ == '__main__':
    main(__name__)
