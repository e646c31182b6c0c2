"""Every command of the how-to pages works as it is written there, and says what the page says that it says.

A page is run from top to bottom.  Its blocks of ```sh say in a comment at which site they are typed; each site is a folder
here, in which lie the absolute paths of the page, and `ssh dr` is a shell there.  Media are carried: /media is one
folder for all.  A command must end with 0, or with 1 where its comment has "refused".  A block of ```text holds
lines that the block before it prints, in that order; numbers count as any number, and ... is anything.  What a page cannot
say to a reader, such as that the guest wrote something, stands in comments of HTML: <!-- lab: write -->.

VMFERRY_SHOW=1 shows what each command prints.
"""
import glob, os, re, subprocess
import random, shutil, tempfile
from lab import BIN, LABS, Lab, M, ROOT, UNDO, VMFERRY, check, main, run
from test_pipes import Sshd

PAGES = os.path.join(ROOT, 'doc', 'howto')
SHOW = os.environ.get('VMFERRY_SHOW')
SITES = ('hq', 'dr')
# What others say: ssh and shells.
ELSEWHERE = ('Permission denied', 'Connection refused', 'Host key verification failed', 'command not found')
SSH = '''#!/bin/sh
# ssh HOST COMMAND...: a shell at that site.
site=${1#*@}; shift
cd "%(dir)s/$site/root" || exit 255
VMFERRY_HOME=%(dir)s/$site/var/lib/vmferry; export VMFERRY_HOME
exec sh -c "$*"
'''


class Page:
    def __init__(self, name):
        self.name, self.dir, self.random = name, tempfile.mkdtemp(prefix='vmferry-test.'), random.Random(1)
        LABS.append(self)
        for site in SITES:
            for folder in ('root', 'vm', 'srv', 'var/lib', 'etc'):
                os.makedirs(self.path(site, folder))
        for folder in ('bin', 'media/usb', 'media/usb2'):
            os.makedirs(self.path(folder))
        with open(self.path('bin', 'ssh'), 'w') as f:
            f.write(SSH % {'dir': self.dir})
        os.chmod(self.path('bin', 'ssh'), 0o755)
        for disk, size in (('web1.img', 4 * M), ('web1-swap.img', M)):
            with open(self.path('hq', 'vm', disk), 'wb') as f:
                f.write(self.random.randbytes(M))
                f.truncate(size)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        LABS.remove(self)

    def at(self, site, command, rc=0):
        """Run a line of a page there; its output, words and data together."""
        here = re.sub(r'(?<![\w.~-])/(vm|srv|etc|var/lib|root)/', lambda m: '%s/%s/' % (self.path(site), m[1]), command)
        here = re.sub(r'(?<![\w.~-])/media/', self.path('media') + '/', here)
        env = dict(os.environ, PATH='%s:%s:%s' % (self.path('bin'), BIN, os.environ['PATH']),
                   VMFERRY_HOME=self.path(site, 'var/lib/vmferry'))
        p = subprocess.run(['bash', '-o', 'pipefail', '-c', here], cwd=self.path(site, 'root'), env=env, text=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        said = p.stdout.replace(self.path(site), '').replace(self.path('media'), '/media')
        for other in SITES:
            said = said.replace(self.path(other), '')
        if SHOW:
            print('%s$ %s\n%s' % (site, command, said), end='', flush=True)
        check(p.returncode == rc, '%s: at %s: %s\nends with %d\n%s' % (self.name, site, command, p.returncode, said))
        return said

    # --- what stands in comments: <!-- lab: NAME WORDS -->

    def lab_known(self):
        """Two sites that know each other."""
        for site in SITES:
            self.at(site, 'vmferry init --name %s > /media/%s.card' % (site, site))
        self.at('hq', "vmferry trust add /media/dr.card --vm 'web*'")
        self.at('dr', "vmferry trust add /media/hq.card --vm 'web*' --store /srv/replicas/")

    def lab_seeded(self):
        """And a VM that is replicated, with its initial copy in."""
        self.lab_known()
        self.at('hq', 'vmferry enable web1 --disk vda=/vm/web1.img --to dr --points 24')
        self.at('hq', 'vmferry export web1 --seed | ssh dr vmferry import --receipt - | vmferry import')

    def lab_write(self, path='/vm/web1.img'):
        """A guest has written to its disk."""
        with open(self.path('hq', path[1:]), 'r+b') as f:
            f.seek(self.random.randrange(0, 3 * M, 4096))
            f.write(self.random.randbytes(8192))

    def lab_delta(self):
        """A cycle of the replication."""
        self.lab_write()
        self.at('hq', 'vmferry export web1 | ssh dr vmferry import --receipt - | vmferry import')

    def lab_sh(self, site, *words):
        self.at(site, ' '.join(words))


def commands(block):
    """The commands of a block: its lines, those that go on on the next one joined, and here-documents whole."""
    lines = iter(re.sub(r' *\\\n *', ' ', block).splitlines())
    for line in lines:
        here = re.search(r"<<'(\w+)'", line)
        while here and not line.endswith('\n' + here[1]):
            line += '\n' + next(lines)
        if line.strip() and not line.lstrip().startswith('#'):
            yield line


def check_said(page, text, said):
    """Is each line of the text among what was said, in that order?"""
    lines, at = said.splitlines(), 0
    for line in text.splitlines():
        if not line.strip() or line.strip() == '...':
            continue
        pattern = re.sub(r'(\\\.){3}', '.*', re.escape(re.sub(r'\s+', ' ', line.strip())).replace(r'\ ', r'\s+'))
        pattern = re.sub(r'\d+', r'\\d+', pattern)
        while at < len(lines) and not re.search(pattern, re.sub(r'\s+', ' ', lines[at].strip())):
            at += 1
        check(at < len(lines), '%s: it is not said, or not there: %s\nof\n%s' % (page.name, line, said))
        at += 1


def run_page(name):
    with open(os.path.join(PAGES, name + '.md')) as f:
        text = f.read()
    page, said, site = Page(name), '', 'hq'
    blocks = re.findall(r'^```(\w*)\n(.*?)^```|<!-- lab: (.*?) -->', text, re.M | re.S)
    check(any(kind == 'sh' for kind, _, _ in blocks), name, 'has no commands')
    for kind, block, lab in blocks:
        if lab:
            word, *words = lab.split()
            getattr(page, 'lab_' + word)(*words)
        elif kind == 'sh':
            said = ''
            where = re.match(r'# at (\w+)', block)
            check(where, name, 'does not say where this is typed:', block)
            site = where[1]
            for line in commands(block):
                said += page.at(site, line, rc='# refused' in line and 1 or 0)
        elif kind == 'text':
            check_said(page, block, said)
        else:
            check(kind == 'ini', name, 'has a block of unknown kind', kind)


def pages():
    return sorted(p[:-3] for p in os.listdir(PAGES) if p.endswith('.md') and p != 'README.md')


for page_name in pages():
    globals()['test_' + page_name.replace('-', '_')] = lambda name=page_name: run_page(name)


def test_the_ssh_account_of_the_install_page_carries_bundles_and_can_do_nothing_else():
    if shutil.which('sshd', path='/usr/sbin:/usr/bin') is None:
        return print('skipped: sshd is not installed')
    with open(os.path.join(ROOT, 'doc', 'INSTALL.md')) as f:
        lines = re.findall(r'^    (restrict,command=".*") ssh-ed25519', f.read(), re.M)
    check(len(lines) == 2, 'the page has other lines', lines)
    lab = Lab(sizes=(M,))
    sshd = Sshd(lab)
    UNDO.append(sshd.close)
    with open(lab.path('ssh', 'authorized')) as f:
        key = f.read()
    ssh, hq = ' '.join(sshd.command), '%s --home %s ' % (VMFERRY, lab.hq.home)
    for line, use in ((lines[0], hq + "sync web1 --via '%s vmferry serve'" % ssh),
                      (lines[1], hq + 'export web1 | %s import | %simport' % (ssh, hq))):
        with open(lab.path('ssh', 'authorized'), 'w') as f:
            f.write(line.replace('vmferry --home /var/lib/vmferry', '%s --home %s' % (VMFERRY, lab.dr.home)) + ' ' + key)
        lab.write(lab.disks['vda'], 0, 5000)
        run('bash', '-o', 'pipefail', '-c', use)
        # Whatever else is asked for, the same tool answers, and it does not like an empty line.
        for other in (['echo', 'here'], []):
            p = run(*sshd.command, *other, rc=None)
            check(p.returncode != 0 and 'here' not in p.stdout, other, p.returncode, p.stdout)
    check(lab.hq.json('status')[0]['targets'][0]['acked'] == 2)


def test_zz_every_page_is_in_the_index_and_every_link_leads_somewhere():
    for name in pages() + ['README']:
        with open(os.path.join(PAGES, name + '.md')) as f:
            for link in re.findall(r'\]\(([^)#]+)\)', f.read()):
                check('://' in link or os.path.exists(os.path.join(PAGES, link)), name, 'links to', link)
    with open(os.path.join(PAGES, 'README.md')) as f:
        index = f.read()
    for name in pages():
        check('(%s.md)' % name in index, name, 'is not in the index')


def test_zz_what_can_go_wrong_is_quoted_as_the_tools_say_it():
    said = ''
    for f in glob.glob(os.path.join(ROOT, 'c[om][rd]*', '**', '*.c'), recursive=True):
        with open(f) as h:
            said += ''.join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', re.sub(r'"\s*(PRI\w+)\s*"', 'N', h.read()))) + '\n'
    said = re.sub(r'%(\.\*|\.?\d*)?(s|d|u|z|N)+', '%', said)
    for name in pages():
        with open(os.path.join(PAGES, name + '.md')) as f:
            rows = [line.split('|')[1] for line in f if re.match(r'\| .*`', line)]
        for quote in [q for row in rows for q in re.findall(r'`([^`]*)`', row)]:
            if quote in ELSEWHERE:
                continue
            parts = re.split(r'\.\.\.|\'?\b(?:web1|hq|dr|N|\d+)\b\'?|refused:', quote)
            for part in [x.strip(" :;,'") for x in parts]:
                check(len(part) < 5 or part in said, name, 'quotes what no tool says:', part)


if __name__ == '__main__':
    main(__name__)
