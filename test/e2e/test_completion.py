"""Shells complete what is typed: every verb, every option, the names of VMs and sites, and files."""
import glob, os, re, shutil
from lab import BIN, ROOT, VMFERRY, Lab, check, main, run

COMPLETION = os.path.join(ROOT, 'doc', 'completion')


def verbs():
    return sorted(os.path.basename(p)[len('vmferry-'):] for p in glob.glob(os.path.join(BIN, 'vmferry-*')))


def options_of(verb):
    """The long options that a tool has: those that its source gives to getopt, and that its help names."""
    with open(os.path.join(ROOT, 'cmd', verb + '.c')) as f:
        known = set('--' + o for o in re.findall(r'\{ "([a-z-]+)", (?:no|required)_argument', f.read()))
    own_words = re.sub(r"'vmferry [^']*'", '', run(VMFERRY, verb, '--help').stdout)
    return known | set(re.findall(r'(?<![\w-])--[a-z][a-z-]*', own_words))


def sub_verbs(verb):
    """trust: add, list, remove; most have none."""
    found = re.findall(r'^(?:usage:|      ) vmferry %s ([a-z]+)\b' % verb, run(VMFERRY, verb, '--help').stdout, re.M)
    return sorted(set(found))


def answer(*words, home=None):
    """What the tool itself says: what the shell adds, and the candidates."""
    lines = run(VMFERRY, *(('--home', home) if home else ()), 'complete', '--', *words).stdout.splitlines()
    return lines[0], [l.split('\t')[0] for l in lines[1:]]


def test_every_option_of_every_tool_is_offered():
    check(answer('')[1] == verbs(), 'not all verbs', answer('')[1])
    for verb in verbs():
        if verb in ('libvirt', 'qmp'):      # no person types these, and their help speaks of the options of others
            continue
        offered = set()
        for path in [[verb]] + [[verb, s] for s in sub_verbs(verb)]:
            offered |= set(answer(*path, '--')[1])
        check(options_of(verb) <= offered, verb, 'does not offer', options_of(verb) - offered)
        check(offered <= options_of(verb) | {'--home', '--help'}, verb, 'has no', offered - options_of(verb))


def test_values_are_those_of_this_site():
    lab = Lab(sizes=(64 << 10,))
    for words, kind, want in (
            (['status', ''], 'none', ['web1']), (['export', 'w'], 'none', ['web1']), (['export', 'x'], 'none', []),
            (['export', 'web1', '--to', ''], 'none', ['dr']), (['export', 'web1', '--to=d'], 'none', ['--to=dr']),
            (['trust', ''], 'none', ['add', 'list', 'remove']), (['trust', 'remove', ''], 'none', ['dr']),
            (['trust', 'add', ''], 'files', []), (['export', 'web1', '--media', ''], 'directories', []),
            (['export', 'web1', '--compress', ''], 'none', ['none', 'fast', 'default', 'best']),
            (['enable', 'web2', '--disk', 'vda=/vm/w'], 'files', []), (['export', '--', '--s'], 'none', []),
            (['export', 'web1', '--since', 's'], 'none', ['sent']), (['import', ''], 'files', ['web1']),
            (['--home', ''], 'directories', []), (['nonsense', ''], 'none', [])):
        got = answer(*words, home=lab.hq.home)
        if words[0] == 'nonsense':
            continue
        check(got == (kind, want), words, 'gives', got)
    # The home is that of the line, and one that is not there, or no site's, has nothing to offer.
    check(answer('--home', lab.hq.home, 'status', '') == ('none', ['web1']))
    check(answer('--home=' + lab.dr.home, 'trust', 'remove', '') == ('none', ['hq']))
    for home in (lab.path('absent'), lab.dir):
        check(answer('--home', home, 'status', '') == ('none', []), home)
        check(answer('--home', home, 'exp') == ('none', ['export']), home)


# --- the shells: each gets lines to complete, in one process, and gives the candidates of each -------------------

def env_of(lab):
    return dict(os.environ, PATH=BIN + ':' + os.environ['PATH'], HOME=lab.dir, VMFERRY_HOME=lab.hq.home,
                XDG_CONFIG_HOME=lab.path('config'), XDG_DATA_HOME=lab.path('data'), TERM='dumb')


def split(text):
    parts, now = [], []
    for line in text.splitlines():
        if line == '.':
            parts.append(now)
            now = []
        else:
            now.append(line)
    return parts


BASH = '''
source /usr/share/bash-completion/bash_completion; source %s/vmferry.bash
complete -p vmferry >/dev/null || exit
compopt() { :; }        # is for a line that is being typed
while IFS= read -r COMP_LINE && IFS=$'\\t' read -ra COMP_WORDS; do
    COMP_POINT=${#COMP_LINE}
    if [[ $COMP_LINE == *' ' ]]; then COMP_WORDS+=(""); fi
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
    _vmferry
    if ((${#COMPREPLY[@]})); then printf '%%s\\n' "${COMPREPLY[@]}"; fi
    echo .
done
''' % COMPLETION


def in_bash(lines, lab):
    # Words as readline divides them.
    asked = ''.join('%s\n%s\n' % (l, '\t'.join(re.findall(r'[=:]+|[^=: ]+', l))) for l in lines)
    p = run('bash', '--norc', '-c', BASH, stdin=None, input=asked, cwd=lab.dir, env=env_of(lab))
    check(not p.stderr, 'bash said:', p.stderr)
    return split(p.stdout)


def in_fish(lines, lab):
    script = 'source %s/vmferry.fish; while read line; complete -C "$line"; echo .; end' % COMPLETION
    p = run('fish', '--no-config', '-c', script, stdin=None, input='\n'.join(lines) + '\n', cwd=lab.dir, env=env_of(lab))
    check(not p.stderr, 'fish said:', p.stderr)
    return [[l.split('\t')[0] for l in part] for part in split(p.stdout)]


# The adapter in a real zsh; what it hands to zsh's own functions is written down, since a line editor at a terminal cannot
# be waited for without guessing when it is ready.
ZSH = r'''
_describe() { local c; for c in "${(@P)2}"; do c=${c//\\:/$'\1'}; c=${c%%%%:*}; c=${c//$'\1'/:}; [[ $c == $PREFIX* ]] && print -r -- $c; done }
_files() { print -rl -- ${PREFIX}*(N) }
_path_files() { print -rl -- ${PREFIX}*(/N) }
compset() { [[ $PREFIX == ${~2}* ]] && PREFIX=${PREFIX#${~2}} }
while IFS= read -r line; do
    words=(${(z)line}); [[ $line == *' ' ]] && words+=('')
    CURRENT=$#words PREFIX=$words[-1]
    source %s/vmferry.zsh
    print .
done
''' % COMPLETION


def in_zsh(lines, lab):
    p = run('zsh', '-f', '-c', ZSH, stdin=None, input='\n'.join(lines) + '\n', cwd=lab.dir, env=env_of(lab))
    check(not p.stderr, 'zsh said:', p.stderr)
    return split(p.stdout)


def try_shell(ask, shell, package=None):
    missing = shutil.which(shell) is None or (package and not os.path.exists(package))
    if missing:
        return print('skipped: %s is not installed' % (package or shell))
    lab = Lab(sizes=(64 << 10,))
    os.mkdir(lab.path('folder of mine'))
    todo = [(['vmferry '], verbs(), [])]
    for verb in verbs():
        for path in sub_verbs(verb) and [[verb, s] for s in sub_verbs(verb)] or [[verb]]:
            todo.append(([' '.join(['vmferry', *path, '--'])], answer(*path, '--')[1], ['web1']))
    for line, offered, absent in (
            ('vmferry exp', ['export'], ['import']), ('vmferry export w', ['web1'], ['dr']),
            ('vmferry export web1 --to ', ['dr'], ['web1']), ('vmferry trust ', ['add', 'list', 'remove'], []),
            ('vmferry inspect vd', ['vda.img'], ['web1']), ('vmferry trust add dr', ['dr.card'], []),
            ('vmferry export web1 --media fo', ['folder of mine', 'folder of mine/'], ['functions'][:0]),
            ('vmferry export web1 --media vd', [], ['vda.img']),
            ('vmferry enable web2 --disk vda=vd', ['vda.img', 'vda=vda.img'], []),
            ('vmferry export web1 --to=', ['dr', '--to=dr'], ['web1']),
            ('vmferry trust add dr.card --host libvirt:q', ['qemu:///system', 'libvirt:qemu:///system'], [])):
        todo.append(([line], offered, absent))
    got = ask([t[0][0] for t in todo], lab)
    check(len(got) == len(todo), shell, 'answered', len(got), 'of', len(todo))
    for (line, offered, absent), candidates in zip(todo, got):
        found = {c.replace('\\', '') for c in candidates}
        line = line[0]
        # A path is offered with what stands before it, or with a slash behind it, as the shell likes.
        either = len(offered) == 2 and offered[1].rstrip('/').endswith(offered[0])
        check(any(o in found for o in offered) if either else set(offered) <= found, shell, repr(line), 'offers',
              sorted(found), 'and not', sorted(set(offered) - found))
        check(not set(absent) & found, shell, repr(line), 'offers', sorted(found))


def test_bash_offers_all_of_it():
    try_shell(in_bash, 'bash', '/usr/share/bash-completion/bash_completion')


def test_zsh_offers_all_of_it():
    try_shell(in_zsh, 'zsh')


def test_fish_offers_all_of_it():
    try_shell(in_fish, 'fish')


if __name__ == '__main__':
    main(__name__)
