#!/usr/bin/env python3
"""The units of systemd are units, confine what they start, and serve hands a session its connection as they do."""
import shutil

from lab import *

UNITS = os.path.join(ROOT, 'doc', 'systemd')


def analyze(*args, rc=0):
    return run('systemd-analyze', *args, rc=rc, env=dict(os.environ, SYSTEMD_LOG_LEVEL='warning', SYSTEMD_PAGER=''))


def missing(program):
    if shutil.which(program):
        return False
    print('SKIPPED: there is no', program, flush=True)
    return True


def placed(lab):
    """Copies of the units that name the tools of this build, as make install does it."""
    os.mkdir(lab.path('units'))
    out = []
    for name in sorted(os.listdir(UNITS)):
        with open(os.path.join(UNITS, name)) as f:
            text = f.read().replace('/usr/local/bin/', BIN + '/')
        out.append(lab.path('units', name.replace('@.', '@1.')))
        with open(out[-1], 'w') as f:
            f.write(text)
        if '@' in name:
            shutil.copy(out[-1], lab.path('units', name))
    return out


def test_the_units_have_nothing_that_systemd_does_not_know():
    if missing('systemd-analyze'):
        return
    lab = Lab(enable=False)
    p = analyze('verify', '--man=no', '--recursive-errors=no', *placed(lab))
    check(not p.stdout and 'units' not in p.stderr, p.stdout, p.stderr)
    with open(lab.path('units', 'vmferry.service'), 'a') as f:      # a unit that is none is found
        f.write('[Service]\nProtectEverything=yes\n')
    p = analyze('verify', '--man=no', '--recursive-errors=no', lab.path('units', 'vmferry.service'), rc=None)
    check('ProtectEverything' in p.stderr, p.stderr)


def test_the_units_confine_what_they_start():
    if missing('systemd-analyze'):
        return
    lab = Lab(enable=False)
    placed(lab)
    for unit, most in (('vmferry.service', 45), ('vmferry-serve@.service', 25)):
        p = analyze('security', '--offline=yes', '--no-pager', '--threshold=%d' % most, lab.path('units', unit), rc=None)
        level = [l for l in p.stdout.splitlines() if 'Overall exposure' in l]
        check(p.returncode == 0, unit, level, p.stderr)


def test_a_connection_that_systemd_hands_over_is_a_session():
    if missing('systemd-socket-activate'):
        return
    lab = Lab()
    start('systemd-socket-activate', '-l', lab.path('socket'), '--accept', '--inetd', '--', os.path.join(BIN, 'vmferry-serve'),
          '--home', lab.dr.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.path.exists(lab.path('socket')):
        time.sleep(0.02)
    lab.hq('sync', 'web1', '--via', 'unix:' + lab.path('socket'))
    check(lab.hq.json('status')[0]['targets'][0]['acked'] == 1)


if __name__ == '__main__':
    main(__name__)
