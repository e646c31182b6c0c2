"""What is installed, by hand or as a Debian package: all of it, where it is looked for, and it works from there."""
import glob, os, shutil, stat
from lab import BIN, M, ROOT, Lab, check, main, run

BUILD = os.path.dirname(BIN)


def make(*words):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MAKE')}
    return run('make', '-s', '-C', ROOT, *words, env=env)


def files_below(folder):
    return {os.path.relpath(os.path.join(d, f), folder) for d, _, files in os.walk(folder) for f in files}


def names(pattern):
    return sorted(os.path.basename(p) for p in glob.glob(os.path.join(ROOT, pattern)))


def wanted(prefix, units, zsh, zipped=''):
    """Every tool, page, text, unit and completion, from what the repository holds."""
    out = [prefix + '/bin/' + os.path.basename(p) for p in glob.glob(os.path.join(BIN, 'vmferry*'))]
    for section in '157':
        out += [prefix + '/share/man/man%s/%s%s' % (section, p, zipped) for p in names('doc/*.' + section)]
    out += [units + '/' + p for p in names('doc/systemd/*')]
    out += [prefix + '/share/doc/vmferry/examples/' + p for p in names('doc/examples/*')]
    return out + [prefix + '/share/' + p for p in (
        'bash-completion/completions/vmferry', 'zsh/%s/_vmferry' % zsh, 'fish/vendor_completions.d/vmferry.fish',
        'doc/vmferry/rescue.py')]


def try_out(tools, lab):
    """A replication with the tools that lie there: seed, delta, status, and a disk back."""
    vmferry, disk = os.path.join(tools, 'vmferry'), lab.disks['vda']
    hq, dr = (lambda *a: run(vmferry, '--home', lab.hq.home, *a)), (lambda *a: run(vmferry, '--home', lab.dr.home, *a))
    for n in range(2):
        lab.write(disk, n * M, 5000)
        hq('export', 'web1', '-o', lab.path('%d.vmf' % n))
        dr('import', lab.path('%d.vmf' % n), '--receipt', lab.path('%d.r' % n))
        hq('import', lab.path('%d.r' % n))
    check('web1' in hq('status').stdout and 'web1' in dr('status').stdout)
    dr('restore', 'web1', '-o', lab.path('out'))
    run('cmp', disk, lab.path('out', 'vda.raw'))


def check_paths(folder, prefix):
    """Whatever names a tool by its path names the one that was installed."""
    for f in files_below(folder):
        path = os.path.join(folder, f)
        if '/doc/' in f and not '/examples/' in f or f.endswith('.gz') or '/bin/' in f:
            continue
        with open(path, errors='replace') as h:
            text = h.read()
        check('/usr/local/bin/vmferry' not in text, f, 'names another place')
        if f.endswith('.service') and 'ExecStart' in text:
            check(prefix + '/bin/vmferry' in text, f, 'does not name', prefix)


def test_make_install_puts_all_of_it_below_its_prefix_and_it_works_from_there():
    lab = Lab(sizes=(2 * M,))
    make('install', 'B=' + BUILD, 'DESTDIR=' + lab.path('tree'), 'PREFIX=/opt/vmferry')
    found = files_below(lab.path('tree'))
    missing = set(wanted('opt/vmferry', 'opt/vmferry/lib/systemd/system', 'site-functions')) - found
    check(not missing, 'not installed:', sorted(missing))
    check_paths(lab.path('tree'), '/opt/vmferry')
    for f in found:
        mode = stat.S_IMODE(os.stat(lab.path('tree', f)).st_mode)
        check(mode == (0o755 if '/bin/' in f or f.endswith('.py') else 0o644), f, oct(mode))
    try_out(lab.path('tree', 'opt/vmferry/bin'), lab)


def test_the_debian_packages_please_lintian_have_all_of_it_and_work():
    for tool in ('dpkg-buildpackage', 'dh', 'lintian'):
        if shutil.which(tool) is None:
            return print('skipped: %s is not installed' % tool)
    lab = Lab(sizes=(2 * M,))
    make('deb', 'B=' + lab.path('made'), 'LEAN=' + BUILD)
    main_one, = glob.glob(lab.path('made', 'deb', 'vmferry_*.deb'))
    other, = glob.glob(lab.path('made', 'deb', 'vmferry-libvirt_*.deb'))
    version = run(os.path.join(BIN, 'vmferry'), '--version').stdout.split()[1]
    for deb in main_one, other:
        check(run('dpkg-deb', '-f', deb, 'Version').stdout.strip() == version, deb)
    # Who has no libvirt need not have its libraries, and the other package brings just that tool.
    check('libvirt' not in run('dpkg-deb', '-f', main_one, 'Depends').stdout)
    check('libvirt0' in run('dpkg-deb', '-f', other, 'Depends').stdout)
    run('dpkg', '-x', main_one, lab.path('tree'))
    check('usr/bin/vmferry-libvirt' not in files_below(lab.path('tree')))
    try_out(lab.path('tree', 'usr/bin'), lab)
    run('dpkg', '-x', other, lab.path('tree'))
    missing = set(wanted('usr', 'lib/systemd/system', 'vendor-completions', '.gz')) - files_below(lab.path('tree'))
    check(not missing, 'not in the packages:', sorted(missing))
    check_paths(lab.path('tree'), '/usr')
    # The installation makes nothing, and enables (so also starts) only what a person had enabled before.
    run('dpkg-deb', '-e', main_one, lab.path('control'))
    for script in ('preinst', 'postinst'):
        if os.path.exists(lab.path('control', script)):
            with open(lab.path('control', script)) as f:
                text = f.read()
            check(not any(word in text for word in ('systemctl enable', 'systemctl start', 'adduser', 'mkdir')), script, text)
            check(text.count(' enable ') == text.count('was-enabled') == text.count('debian-installed'), script, text)


if __name__ == '__main__':
    main(__name__)
