#!/usr/bin/env python3
"""The figures of a replication: what is counted, how it is shown on a terminal, to programs and to Prometheus."""
import fcntl, pty, re, struct, subprocess, termios

from lab import *

LINES = re.compile(r'(?:# (?:HELP|TYPE|UNIT|EOF).*|[a-z_]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*\})? [0-9.]+)')


def of(site, *args):
    s, = json.loads(site('status', 'web1', '--json', *args).stdout)
    return s


def figures(site, *args):
    return of(site, *args)['figures']


def cycle(lab, n):
    lab.write(lab.disks['vda'], n * 8 * K, 8 * K)
    out = lab.export('--delta' if n else '--seed')
    lab.dr('import', out, '--receipt', lab.path('r'))
    lab.hq('import', lab.path('r'))


def tally_of(site, kind):
    d, = glob.glob(os.path.join(site.home, kind, '*-*'))
    return os.path.join(os.path.realpath(d), 'cycles')


def test_each_side_counts_its_own():
    lab = Lab()
    for n in range(3):
        cycle(lab, n)
    lab.export('--delta')
    f = figures(lab.hq)
    check(f['cycles'] == {'done': 3, 'missed': 0, 'failed': 0} and (f['bundles'], f['seeds']) == (4, 1), f)
    check(f['pending']['bundles'] == 1 and f['pending']['bytes'] > 0 and f['rpo']['now'] is not None, f)
    check(f['delta_bytes']['largest'] > 8 * K and f['bytes'] > f['delta_bytes']['largest'] and f['data'] > 16 * K, f)
    f = figures(lab.dr)
    check(f['cycles']['done'] == 3 and f['seeds'] == 1 and f['last_test'] is None and f['tests'] == 0, f)
    lab.dr('failover', 'web1', '--test')
    lab.dr('failover', 'web1', '--stop-test')
    f = figures(lab.dr)
    check(f['tests'] == 1 and f['last_test'] is not None, f)


def test_a_failed_export_is_counted_and_named_until_one_goes_out():
    lab = Lab(enable=False)
    lab.hq('enable', 'web1', '--to', 'dr', '--frequency', '5m', *lab.disk_args())
    cycle(lab, 0)
    for _ in range(2):      # at once after one another they are one
        with open('/dev/full', 'wb') as full:
            p = subprocess.run([os.path.join(BIN, 'vmferry'), 'export', '--home', lab.hq.home, 'web1'], stdout=full, stderr=subprocess.PIPE, text=True)
        check(p.returncode == 3, p.returncode, p.stderr)
    s = of(lab.hq)
    check(s['figures']['cycles']['failed'] == 1, s['figures'])
    a, = [x for x in s['alerts'] if x['name'] == 'failing']
    check('failed since the last receipt' in a['text'] and 'No space left' in a['text'] and a['grade'] == 'note', a)
    lab.export('--delta')
    check('failing' not in [x['name'] for x in of(lab.hq)['alerts']], 'it is still said')


def test_a_refused_command_is_no_cycle():
    lab = Lab()
    cycle(lab, 0)
    before = tree(lab.hq.home)
    lab.hq('pause', 'web1')
    lab.hq('export', 'web1', '-o', lab.path('x'), rc=1)
    lab.hq('resume', 'web1')
    check(figures(lab.hq)['cycles']['failed'] == 0, figures(lab.hq))
    check({k: v for k, v in tree(lab.hq.home).items() if 'state' not in k} ==
          {k: v for k, v in before.items() if 'state' not in k}, 'something was counted')


def test_a_reset_counts_from_now_on():
    lab = Lab()
    for n in range(2):
        cycle(lab, n)
    lab.hq('status', 'web1', '--reset')
    check(figures(lab.hq)['bundles'] == 0 and figures(lab.dr)['bundles'] == 2, figures(lab.hq))
    cycle(lab, 2)
    check(figures(lab.hq)['bundles'] == 1 and figures(lab.hq, '--interval', '10m')['bundles'] == 1, figures(lab.hq))
    check('vmferry_bundles_total{vm="web1"' in lab.hq('status', '--prometheus').stdout)
    check('no such VM' in lab.hq('status', 'web9', '--reset', rc=1).stderr)
    lab.hq('status', '--reset', rc=2)
    lab.hq('status', '--json', '--prometheus', rc=2)
    lab.hq('status', '--interval', '32d', rc=2)


def test_a_damaged_file_costs_figures_and_nothing_else():
    lab = Lab()
    cycle(lab, 0)
    for site, kind in (lab.hq, 'primaries'), (lab.dr, 'replicas'):
        path = tally_of(site, kind)
        for data in b'', b'x' * 100000, os.urandom(70000):
            with open(path, 'wb') as f:
                f.write(data)
            check(site('status', 'web1').stderr == '', 'something is said of it')
            check(figures(site)['bundles'] == 0, figures(site))
    cycle(lab, 1)
    check(figures(lab.hq)['bundles'] == 1 and figures(lab.dr)['cycles']['done'] == 1, figures(lab.hq), figures(lab.dr))
    os.unlink(tally_of(lab.hq, 'primaries'))
    os.mkdir(tally_of(lab.hq, 'primaries')[:-6] + 'cycles')
    cycle(lab, 2)
    check(figures(lab.hq)['bundles'] == 0, figures(lab.hq))
    lab.dr('scrub', 'web1')


def test_the_figures_go_with_the_replica_to_another_store():
    lab = Lab()
    cycle(lab, 0)
    lab.dr('move', 'web1', '--store', lab.path('store'))
    check(figures(lab.dr)['bundles'] == 1, figures(lab.dr))


# --- Prometheus ---------------------------------------------------------------------------------------------

def two_sided():
    """A site that is a primary to one VM and a replica to others, one of them of an odd name."""
    lab = Lab(enable=False)
    lab.hq('enable', 'web1', '--to', 'dr', '--frequency', '5m', *lab.disk_args())
    lab.hq('enable', 'büro {x="1"}'.replace('"', ''), '--to', 'dr', *lab.disk_args())
    cycle(lab, 0)
    return lab


def test_promtool_takes_the_metrics():
    if shutil.which('promtool') is None:
        print('        skipped: there is no promtool (Debian: prometheus)')
        return
    lab = two_sided()
    for site in lab.hq, lab.dr:
        text = site('status', '--prometheus').stdout
        p = subprocess.run(['promtool', 'check', 'metrics'], input=text, capture_output=True, text=True)
        check(p.returncode == 0 and p.stdout + p.stderr == '', p.returncode, p.stdout, p.stderr)
        p = subprocess.run(['promtool', 'check', 'metrics'], input=text.replace('} 0\n', '} zero\n', 1), capture_output=True, text=True)
        check(p.returncode != 0, 'promtool finds nothing where there is something')
        check(text.count('# TYPE vmferry_cycles_total counter\n') == 1 and '\n# UNIT' not in text, text)


def families(text):
    """OpenMetrics, read by its rules: {family: (type, unit, [samples])}."""
    lines = text.split('\n')
    check(lines[-2:] == ['# EOF', ''], 'it does not end as it must:', lines[-3:])
    out, name = {}, None
    for line in lines[:-2]:
        check(LINES.fullmatch(line), 'no line of OpenMetrics:', line)
        m = re.match(r'# (HELP|TYPE|UNIT) (\S+) (.*)', line)
        if m:
            kind, family, rest = m.groups()
            if kind == 'HELP':
                check(family not in out, 'a family comes twice:', family)
                name, out[family] = family, {'samples': []}
            check(family == name and kind not in out[name], 'out of place:', line)
            out[name][kind] = rest
            continue
        sample = re.match('[a-z_]+', line).group()
        want = {'counter': ['_total'], 'summary': ['_sum', '_count'], 'gauge': ['']}[out[name]['TYPE']]
        check(sample in [name + w for w in want], 'not a sample of', name, ':', line)
        check(line.rsplit(' ', 1)[0] not in [s.rsplit(' ', 1)[0] for s in out[name]['samples']], 'twice:', line)
        out[name]['samples'].append(line)
    for name, f in out.items():
        check('UNIT' not in f or name.endswith('_' + f['UNIT']), 'the unit is not in the name:', name)
        check('UNIT' in f or not re.search('_(seconds|bytes)$', name), 'it has no unit:', name)
    return out


def test_open_metrics_follow_their_rules():
    lab = two_sided()
    got = families(lab.hq('status', '--openmetrics').stdout)
    check(got['vmferry_cycles']['TYPE'] == 'counter' and len(got['vmferry_cycles']['samples']) == 6, got['vmferry_cycles'])
    check(any('vm="büro {x=1}"' in s for s in got['vmferry_health']['samples']), got['vmferry_health'])
    rpo, = [s for s in got['vmferry_rpo_seconds']['samples'] if 'vm="web1"' in s]
    check('site="dr"' in rpo and 'role="primary"' in rpo, rpo)
    check(any(s.endswith('state="ready-for-initial"} 1') for s in got['vmferry_state']['samples']), got['vmferry_state'])
    check(any('cause="seed-pending",grade="warning"} 1' in s for s in got['vmferry_cause']['samples']), got['vmferry_cause'])
    s = got['vmferry_rpo_goal_seconds']['samples']
    check(len(s) == 1 and s[0].endswith(' 300'), s)
    manual = re.sub(r'[^a-z_]+', ' ', run('man', '-l', os.path.join(ROOT, 'doc', 'vmferry-status.1'), rc=None).stdout) \
        if shutil.which('man') else open(os.path.join(ROOT, 'doc', 'vmferry-status.1')).read()
    for name, f in got.items():
        check(name in manual, 'not in the manual:', name)
    empty = Lab(enable=False)
    families(empty.hq('status', '--openmetrics').stdout)


# --- a terminal ---------------------------------------------------------------------------------------------

def on_a_terminal(site, columns, rows, *args, **env):
    """What status writes to a terminal of that size."""
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    e = {k: v for k, v in os.environ.items() if k not in ('NO_COLOR', 'COLUMNS', 'LINES')}
    e.update({'TERM': 'xterm', **env})
    p = subprocess.Popen([os.path.join(BIN, 'vmferry-status'), '--home', site.home, *args], stdout=other, env=e)
    os.close(other)
    out = b''
    while True:
        try:
            some = os.read(main, 65536)
        except OSError:     # the other end is closed
            some = b''
        if not some:
            break
        out += some
    os.close(main)
    check(p.wait() == 0, 'status: exit', p.returncode)
    return out.decode().replace('\r\n', '\n')


def plain(text):
    return re.sub('\x1b\\[[0-9;]*m', '', text)


def test_a_terminal_gets_colours_unless_it_wants_none():
    lab = two_sided()
    out = on_a_terminal(lab.hq, 100, 0)
    check('\x1b[32mnormal\x1b[0m' in out and '\x1b[33mwarning\x1b[0m' in out, repr(out))
    check(plain(out) == lab.hq('status').stdout, 'but for the colours it is something else')
    for env in ({'NO_COLOR': '1'}, {'TERM': 'dumb'}):
        check('\x1b' not in on_a_terminal(lab.hq, 120, 0, **env), env)
    check('\x1b[32m' in on_a_terminal(lab.hq, 120, 0, NO_COLOR=''), 'an empty NO_COLOR counts')
    check('\x1b' not in lab.hq('status').stdout, 'a pipe gets colours')


def test_lines_fit_the_terminal():
    lab = two_sided()
    lab.hq('enable', 'a-very-long-name-' * 8, '--to', 'dr', *lab.disk_args())
    for columns in 20, 40, 60, 75, 76, 80, 98, 99, 100, 200:
        for args in [], ['web1']:
            out = plain(on_a_terminal(lab.hq, columns, 0, *args))
            for line in out.splitlines():
                check(len(line) <= columns, columns, 'columns, and', len(line), 'in', repr(line))
            check('primary' in out and 'normal' in out, out)
    check(max(map(len, plain(on_a_terminal(lab.hq, 0, 0, COLUMNS='50')).splitlines())) <= 50, '$COLUMNS is not heard')
    check(50 < max(map(len, plain(on_a_terminal(lab.hq, 0, 0)).splitlines())) <= 80, 'not 80 where nothing is known')


def test_a_screen_that_is_too_small_shows_what_needs_a_look():
    lab = two_sided()
    out = plain(on_a_terminal(lab.hq, 100, 5))
    check('web1' not in out and 'büro' in out and 'Normal, and not shown: 1 of 2.' in out, out)
    check('web1' in plain(on_a_terminal(lab.hq, 100, 50)), 'it has room for all')
    check('web1' in plain(on_a_terminal(lab.hq, 100, 3, 'web1')), 'it was asked for')
    out = plain(on_a_terminal(lab.dr, 100, 2))
    check('VM ' not in out and 'not shown: 1 of 1.' in out, out)


if __name__ == '__main__':
    main(__name__)
