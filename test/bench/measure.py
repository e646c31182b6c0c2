"""Run commands side by side in rounds, say what each cost, and compare: the instrument of `make bench`.

All commands of a job run once in the first round, once in the second, and so on, so that whatever else the machine
does meets all of them.  Before each run its inputs are read into the page cache, free memory is touched (meter.c)
and older writes are on disk; none of that is timed.  The table gives medians.  A comparison is made within each
round, and the median of those ratios is what counts.
"""
import dataclasses
import glob
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

import workload


class Failed(Exception):
    """A command did not do its work."""


@dataclasses.dataclass
class Command:
    name: str
    argv: object                    # a list, or a line for bash
    output: str = ''                # the file or folder it makes: removed first, its size is reported
    warm: tuple = ()                # patterns of the files to read beforehand
    before: object = None           # what to call before each run
    check: object = None            # says whether the result is right
    check_each: bool = False        # after every run; else after the last one
    needs: tuple = ()               # the programs that must be installed


@dataclasses.dataclass
class Cost:
    wall: float                     # seconds
    cpu: float                      # seconds, of all processes
    others: float                   # CPU seconds that all else on the machine took meanwhile
    rss: float                      # MiB, of the largest process
    size: int = 0                   # bytes of output


@dataclasses.dataclass
class Goal:
    subject: str                    # a command's name
    against: tuple                  # names; the best of those that ran is what counts
    most: float                     # the ratio to reach
    metric: str = 'wall'
    called: str = ''                # what to call the others when there are several


@dataclasses.dataclass
class Bench:
    work: str                       # the folder for everything but the images
    images: str
    scratch: str                    # a folder for what is soon removed; in memory if there is room
    size: int                       # of an image, in bytes
    rounds: int
    vmferry: str
    peaks: dict = dataclasses.field(default_factory=dict)       # vmferry's resident sets, by kind of run
    reached: list = dataclasses.field(default_factory=list)     # lines about goals, for the end
    wrong: list = dataclasses.field(default_factory=list)
    missing: set = dataclasses.field(default_factory=set)
    pairs: dict = dataclasses.field(default_factory=dict)       # sites that several jobs use


def say(text):
    print(text, file=sys.stderr, flush=True)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def size_of(path):
    """Bytes of a file, or of all files in a folder; a sparse file counts what it holds."""
    if os.path.isdir(path):
        return sum(size_of(entry.path) for entry in os.scandir(path))
    status = os.lstat(path)
    return min(status.st_size, status.st_blocks * 512)


def same(image, other):
    """Whether two images are equal, byte for byte and in length."""
    size = os.path.getsize(other)
    return os.path.getsize(image) == size and not workload.changed(image, other, size, workload.K64)


def bring_back(path, original):
    """Make path a copy of a file; where there is almost one already, write only what differs."""
    size = os.path.getsize(original)
    if not os.path.isfile(path) or os.path.getsize(path) != size:
        remove(path)
        quietly(['cp', '--sparse=auto', '--reflink=never', original, path])
    else:
        with open(original, 'rb') as f, open(path, 'r+b') as g:
            for offset, length in workload.changed(path, original, size, workload.K64):
                for at in range(offset, offset + length, workload.K64):
                    data = os.pread(f.fileno(), workload.K64, at)
                    if any(data):
                        os.pwrite(g.fileno(), data, at)
                    else:
                        workload.punch(g.fileno(), at, len(data))
    shutil.copystat(original, path)


def bring_back_folder(folder, original):
    """The same for all that a folder holds."""
    os.makedirs(folder, exist_ok=True)
    names = os.listdir(original)
    for name in set(os.listdir(folder)) - set(names):
        remove(os.path.join(folder, name))
    for name in names:
        path, model = os.path.join(folder, name), os.path.join(original, name)
        if os.path.isdir(model):
            bring_back_folder(path, model)
        else:
            bring_back(path, model)
    shutil.copystat(original, folder)


def run(bench, argv, warm=(), touch=0, stdout=None):
    """Run one command under the meter; return what it cost, with no size."""
    if isinstance(argv, str):
        argv = ['bash', '-c', 'set -o pipefail; ' + argv]
    result, said = bench.work + '/meter.txt', bench.work + '/stderr.txt'
    remove(result)
    inputs = [path for pattern in warm for path in glob.glob(pattern)]
    with open(said, 'wb') as err:
        meter = subprocess.Popen([bench.work + '/meter', result, str(touch), *inputs, '--', *argv],
                                 stdin=subprocess.DEVNULL, stdout=stdout or subprocess.DEVNULL, stderr=err,
                                 start_new_session=True)
        try:
            code = meter.wait()
        except BaseException:
            os.killpg(meter.pid, signal.SIGKILL)
            meter.wait()
            raise
    if code != 0:
        with open(said, errors='replace') as f:
            tail = f.read().strip().splitlines()[-3:]
        raise Failed('%s: exit %d: %s' % (' '.join(argv), code, ' / '.join(tail)))
    with open(result) as f:
        wall, cpu, others, rss, _ = f.read().split()
    return Cost(float(wall), float(cpu), float(others), int(rss) / 1024)


def quietly(argv, **more):
    """Run a step that is not measured."""
    more.setdefault('stdin', subprocess.DEVNULL)
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
    if done.returncode != 0:
        raise Failed('%s: %s' % (' '.join(argv), done.stderr.decode(errors='replace').strip()[-300:]))


def vmferry(bench, kind, home, *words, output=None):
    """Run vmferry as a step that is not measured; its memory counts all the same."""
    with open(output or os.devnull, 'wb') as f:
        cost = run(bench, [bench.vmferry, '--home', home, *words], stdout=f)
    note_peak(bench, kind, cost)


def note_peak(bench, kind, cost):
    bench.peaks[kind] = max(cost.rss, bench.peaks.get(kind, 0))


def is_there(bench, command):
    missing = {tool for tool in command.needs if not shutil.which(tool)}
    bench.missing |= missing
    return not missing


def run_once(bench, command, title='setting up', touch=0):
    """Run one command with all that belongs before it."""
    if command.output:
        remove(command.output)
    if command.before:
        command.before()
    os.sync()
    cost = run(bench, command.argv, command.warm, touch)
    if command.output:
        cost.size = size_of(command.output)
    if command.name.startswith('vmferry'):
        note_peak(bench, '%s: %s' % (title, command.name), cost)
    return cost


def ensure(bench, command):
    """Make a command's output if an earlier job has not left it; return its path."""
    if not os.path.exists(command.output):
        run_once(bench, command)
    return command.output


def run_job(bench, title, commands, goals=(), touch=0):
    """Run a job's commands in rounds, check their results, print the table; return the costs by name."""
    costs = {command.name: [] for command in commands if is_there(bench, command)}
    for last in [False] * (bench.rounds - 1) + [True]:
        start = time.monotonic()
        for command in commands:
            if command.name not in costs:
                continue
            try:
                costs[command.name].append(run_once(bench, command, title, touch))
                if command.check and (last or command.check_each) and not command.check():
                    raise Failed('the result is not what it must be')
            except Failed as e:
                fail(bench, '%s: %s' % (title, command.name), e)
                del costs[command.name]
        say('%s: a round of %.0f s' % (title, time.monotonic() - start))
    print_table(title, commands, costs)
    for goal in goals:
        judge(bench, title, costs, goal)
    print(flush=True)
    return costs


def fail(bench, what, why):
    bench.wrong.append(what)
    print('WRONG  %s: %s' % (what, why), flush=True)


def median(costs, metric):
    return statistics.median(getattr(cost, metric) for cost in costs)


def ratio(costs, subject, against, metric):
    """The median over the rounds of subject's cost divided by the least of the others' in the same round."""
    rounds = zip(costs[subject], *(costs[name] for name in against))
    return statistics.median(getattr(own, metric) / max(1e-9, min(getattr(other, metric) for other in others))
                             for own, *others in rounds)


def print_table(title, commands, costs):
    """One line for each command; the ratios are to the first one."""
    first = commands[0].name
    print('%-44s %8s %8s %8s %8s %8s %9s' % (title, 'wall s', 'x first', 'CPU s', 'x first', 'RSS MiB', 'out MB'))
    for command in commands:
        own = costs.get(command.name)
        if own is None:
            missing = [tool for tool in command.needs if not shutil.which(tool)]
            print('  %-42s %s' % (command.name, 'not installed' if missing else 'FAILED'))
            continue
        compared = [ratio(costs, command.name, [first], m) if first in costs else float('nan') for m in ('wall', 'cpu')]
        size = '%.2f' % (median(own, 'size') / 1e6) if command.output else '-'
        print('  %-42s %8.3f %8.2f %8.2f %8.2f %8.1f %9s' % (
            command.name, median(own, 'wall'), compared[0], median(own, 'cpu'), compared[1], median(own, 'rss'), size))
    runs = [cost for own in costs.values() for cost in own]
    if runs:
        print('  (all else on the machine used %.2f cores meanwhile; wall times tell little where that is much)'
              % (max(0, sum(cost.others for cost in runs)) / sum(cost.wall for cost in runs)))


def judge(bench, title, costs, goal):
    against = [name for name in goal.against if name in costs]
    value = None
    if goal.subject in costs and against:
        value = ratio(costs, goal.subject, against, goal.metric)
    note(bench, title, '%s / %s, %s' % (goal.subject, goal.called or goal.against[0], goal.metric), value, goal.most)


def note(bench, title, what, value, most, unit='x'):
    """Say whether a figure is within its limit, here and once more at the end."""
    if value is None:
        line = '%-72s %8s   reach <= %.2f %s' % (what, 'not run', most, unit)
    else:
        line = '%-72s %8.2f   reach <= %.2f %s   %s' % (what, value, most, unit, 'met' if value <= most else 'MISSED')
    print('  ' + line, flush=True)
    bench.reached.append((title, line))
