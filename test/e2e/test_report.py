#!/usr/bin/env python3
"""The report: one page that needs nothing else, whatever the names, as a real browser shows it.

With VMFERRY_KEEP=DIR a picture of it as on a phone stays there.
"""
import html.parser, re
from lab import *
import browser

DAY = 86400
HOSTILE = 'web<script>alert(1)<b title=x>&amp;&lt %s]]>-->'


class Balance(html.parser.HTMLParser):
    """Every element that is opened is closed, in order, and what there is of them."""
    EMPTY = {'meta', 'path', 'circle', 'br'}

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.ids, self.links, self.text = [], {}, [], [], []
        self.feed(text)
        self.close()
        check(self.open == [], 'not closed:', self.open)
        check(len(self.ids) == len(set(self.ids)), 'ids that are there twice', self.ids)
        check(set(self.links) <= set(self.ids), 'links to nowhere:', set(self.links) - set(self.ids))

    def handle_starttag(self, tag, attrs, is_closed=False):
        a = dict(attrs)
        self.seen[tag] = self.seen.get(tag, 0) + 1
        check(len(a) == len(attrs) and not any(k.startswith('on') or k in ('src', 'style', 'srcset') for k in a), tag, attrs)
        if 'id' in a:
            self.ids.append(a['id'])
        if 'href' in a:
            check(a['href'][0] == '#', 'a link to elsewhere', a)
            self.links.append(a['href'][1:])
        self.links += [i for k in ('aria-labelledby',) if k in a for i in a[k].split()]
        if tag == 'th':
            check(a.get('scope') in ('col', 'row'), 'a heading of a table without its scope', attrs)
        if tag == 'svg':
            check(a.get('role') == 'img' and len(a['aria-labelledby'].split()) == 2, attrs)
        if tag not in self.EMPTY and not is_closed:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs, True)

    def handle_endtag(self, tag):
        check(self.open and self.open[-1] == tag, tag, 'is closed within', self.open, self.getpos())
        self.open.pop()

    def handle_data(self, data):
        if self.open[-1:] != ['style']:
            self.text.append(data)


def look(text):
    """What any page must be: well-formed, by itself, and readable by those who do not see it."""
    b = Balance(text)
    check(text.startswith('<!DOCTYPE html>\n<html lang="en">'), text[:80])
    for tag in 'script', 'iframe', 'img', 'link', 'object', 'embed', 'form', 'base', 'image', 'use', 'foreignobject':
        check(tag not in b.seen, tag)
    plain = re.sub(r'&[a-z#0-9]+;', '', text)
    for word in 'http:', 'https:', 'url(', '@import', 'javascript:', 'data:':
        check(word not in plain, 'it names something outside:', word)
    check("default-src 'none'" in text and b.seen['h1'] == 1 and b.seen['title'] >= 1, b.seen)
    levels = [int(x) for x in re.findall('<h([1-6])', text)]
    check(all(q <= p + 1 for p, q in zip(levels, levels[1:])), 'a heading was skipped', levels)
    b.words = re.sub(r'\s+', ' ', ' '.join(b.text))
    return b


def page(site, *args, **kw):
    return site('report', '--html', '-', *args, **kw).stdout


def several(lab, deltas=8):
    """web1: replicated for a while; web2: late; web3: sent and not acknowledged, and for a second site that says nothing; web<script>...: hostile."""
    lab.hq('enable', 'web1', '--to', 'dr', '--frequency', '1h', '--points', 24, *lab.disk_args())
    far = Site(lab, 'far')
    lab.hq('trust', 'add', far.card)
    for n, vm in enumerate(['web2', 'web3', HOSTILE]):
        lab.hq('enable', vm, '--to', 'dr', *(['--to', 'far'] if vm == 'web3' else []), '--frequency', '15m', '--disk', 'vda=' + lab.make_disk('other%d.img' % n, M))
    for vm in 'web1', 'web2', 'web3', HOSTILE:
        lab.hq('export', vm, '--seed', '-o', lab.path('seed.vmf'))
        lab.dr('import', lab.path('seed.vmf'), '--receipt', lab.path('r'))
        lab.hq('import', lab.path('r'))
        os.unlink(lab.path('seed.vmf'))
    for n in range(deltas):
        lab.write(lab.disks['vda'], n * 4 * K, lab.random.randrange(1, 90) * K)
        lab.dr('import', lab.export(), '--receipt', lab.path('r'))
        if n < deltas - 2:
            lab.hq('import', lab.path('r'))
    lab.hq('export', 'web3', '-o', lab.path('usb<1>.vmf'))
    for kind, site in ('primaries', lab.hq), ('replicas', lab.dr):
        for d in glob.glob(os.path.join(site.home, kind, '*-*', 'state')):
            edit_record(d, lambda o: o['points'][-1].update(time=int(time.time()) - 2 * DAY) if o['vm'] == 'web2' else None)


def record(site, kind, vm):
    for d in glob.glob(os.path.join(site.home, kind, '*-*', 'state')):
        with open(d, 'rb') as f:
            if json.loads(f.read()[:-22])['vm'] == vm:
                return d
    raise Failed('no record of ' + vm)


def order(b):
    """The VMs as they are shown one by one, with their health."""
    return re.findall(r'id="v\d+h"><bdi>(.*?)</bdi><span class="b (\w+)"', b)


def test_the_page_has_the_worst_first_and_what_to_do():
    lab = Lab(enable=False)
    several(lab)
    edit_record(record(lab.hq, 'primaries', 'web3'),
                lambda o: o['role'].update(state='error', fenced=True, cause='site dr is the primary of epoch 2'))
    text = page(lab.hq)
    b = look(text)
    check([x[0] for x in order(text)][:2] == ['web3', 'web2'] and order(text)[0][1] == 'critical', order(text))
    check(b.words.find('What to do next') < b.words.find('site dr is the primary of epoch 2') < b.words.find('the last point is 2 days old')
          < b.words.find('Virtual machines'), b.words[:2000])
    check('<code>vmferry resync web3 --keep SITE</code>' in text and '2 of 4 VMs need a look' in b.words, b.words[:600])
    check('usb<1>.vmf' in b.words and '#1 to #2' in b.words and HOSTILE in b.words, 'media in flight')
    check('UTC' in b.words and re.search('RPO at *dr', b.words) and 'Cycles done 7' in b.words, b.words)
    check('Nothing was counted yet' in b.words and 'far nothing no receipt yet' in b.words, b.words)
    check(text.count('<svg') >= 8, text.count('<svg'))
    r = look(page(lab.dr))
    check(re.search('Replica of *hq', r.words) and 'Points taken in 9' in r.words and 'Last test never' in r.words, r.words)
    one = look(page(lab.hq, 'web1'))
    check('web1' in one.words and 'web2' not in one.words and 'b7.vmf' in one.words, one.words)


def test_it_says_what_status_says():
    lab = Lab(enable=False)
    several(lab)
    for site in lab.hq, lab.dr:
        text = page(site)
        shown = {html.unescape(vm): grade for vm, grade in order(text)}
        words = look(text).words
        for s in site.json('status'):
            check(shown[s['vm']] == s['health'], s['vm'], shown)
            for a in s['alerts']:
                check(a['name'] == 'acknowledged' or a['text'].replace("'", '') in words.replace("'", ''), a)


def test_failovers_and_tests_are_told():
    lab = Lab()
    lab.dr('import', lab.export('--seed'), '--receipt', lab.path('r'))
    lab.hq('import', lab.path('r'))
    lab.dr('failover', 'web1', '--test')
    check(re.search('One from point #1 stands, begun (just now|[0-9]+ s ago)', look(page(lab.dr)).words), page(lab.dr))
    lab.dr('failover', 'web1', '--stop-test')
    lab.dr('failover', 'web1', '--unplanned', '--yes')
    b = look(page(lab.dr))
    check('Last test never' not in b.words and 'The last, from point #1, ended' in b.words, b.words)
    check('It has failed over to here, from point #1' in b.words and 'that may be taken back' in b.words, b.words)
    lab.dr('failover', 'web1', '--complete', '--yes')
    lab.dr('reverse', 'web1')
    b = look(page(lab.dr))
    check('Epoch 2 began behind point #1, at dr' in b.words and 'Primary for hq' in b.words, b.words)


PROBE = """(() => {
const lum = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                   return .2126 * r + .7152 * g + .0722 * b };
const rgb = s => { const m = s.match(/[\\d.]+/g).map(Number); return m.length > 3 && m[3] < 1 ? null : m.slice(0, 3) };
const low = [], wide = [];
let texts = 0;
for (const e of document.body.querySelectorAll('*')) {
    const box = e.getBoundingClientRect();
    if (box.right > innerWidth + 1 || box.left < -1) wide.push(e.outerHTML.slice(0, 80));
    if (![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) || !box.width || e.closest('title, desc')) continue;
    let under = e, ground = null;
    while (under && !ground) { ground = rgb(getComputedStyle(under).backgroundColor); under = under.parentElement }
    const style = getComputedStyle(e), ink = rgb(e.namespaceURI.endsWith('svg') ? style.fill : style.color);
    const [a, b] = [lum(ink), lum(ground)].sort((x, y) => y - x);
    texts++;
    if ((a + .05) / (b + .05) < 4.5) low.push(e.outerHTML.slice(0, 80) + ' ' + ink + ' on ' + ground);
}
return {texts, low, wide, width: document.documentElement.scrollWidth, inner: innerWidth,
        ground: getComputedStyle(document.body).backgroundColor, scripts: document.scripts.length};
})()"""


def test_a_browser_shows_it_on_a_phone_a_desk_and_paper_in_the_light_and_the_dark():
    if browser.CHROMIUM is None:
        print('        skipped: there is no chromium here')
        return
    lab = Lab(enable=False)
    several(lab)
    long = 'web-' + 'x' * 240
    lab.hq('enable', long, '--to', 'dr', '--disk', 'vda=' + lab.make_disk('long.img', M))
    edit_record(record(lab.hq, 'primaries', 'web3'), lambda o: o['role'].update(
        state='error', cause='<img src=http://127.0.0.1:9/x onerror=alert(1)>' + 'y' * 150))
    b = browser.Browser(lab.dir)
    UNDO.append(b.close)
    grounds = set()
    for site in lab.hq, lab.dr:
        path = lab.path(site.name + '.html')
        site('report', '--html', path)
        for width, scheme, media in (320, 'light', 'screen'), (360, 'dark', 'screen'), (1280, 'light', 'screen'), (720, 'dark', 'print'):
            b.show(path, width=width, scheme=scheme, media=media)
            r = b.ask(PROBE)
            what = site.name, width, scheme, media
            check(r['width'] <= width and r['inner'] == width and r['wide'] == [], 'it is too wide:', what, r)
            check(r['texts'] > 50 and r['low'] == [], 'texts that are hard to read:', what, r)
            check(r['scripts'] == 0, r)
            if media == 'screen':
                grounds.add(r['ground'])
            else:
                check(r['ground'] == 'rgb(255, 255, 255)', 'paper is white', r)
            bad = [e for e in b.events if e[0] in ('Log.entryAdded', 'Runtime.exceptionThrown', 'Page.javascriptDialogOpening')]
            check(bad == [], what, bad)
    check(b.pdf().startswith(b'%PDF'), 'it does not print')
    check(len(grounds) == 2, 'the dark is not darker', grounds)
    picture = os.path.join(os.environ['VMFERRY_KEEP'], 'report.png') if 'VMFERRY_KEEP' in os.environ else lab.path('report.png')
    b.show(lab.path('hq.html'), width=360)
    b.picture(picture)
    with open(picture, 'rb') as f:
        check(f.read(8) == b'\x89PNG\r\n\x1a\n' and os.path.getsize(picture) > 20 * K, 'no picture')
    if 'VMFERRY_KEEP' in os.environ:
        print('kept', picture)
    check(b.asked and set(b.asked) == {'file://' + lab.path(s.name + '.html') for s in (lab.hq, lab.dr)}, 'it asked for', set(b.asked))


def test_words_from_outside_stay_words():
    lab = Lab()
    lab.dr('import', lab.export('--seed'), '--receipt', lab.path('r'))
    lab.hq('import', lab.path('r'))
    lab.write(lab.disks['vda'], 0, 5000)
    lab.export()
    nasty = ['</title><script>x()</script>', '"><img src=x onerror=x()>', "'vmferry </code><b>'", '&#60;b>', 'a\x1b[2J\u202eb', '<!--']
    for word in nasty:
        edit_record(record(lab.hq, 'primaries', 'web1'), lambda o: (
            o['role'].update(state='error', cause=word), o['shipments'][0].update(where=word), o['targets'][0].update(name='dr' + word)))
        edit_record(record(lab.dr, 'replicas', 'web1'), lambda o: (
            o['role'].update(state='error', cause=word),
            o.update(test={'last': {'epoch': 1, 'seq': 1, 'time': 1, 'kind': 1}, 'ended': 5, 'result': word})))
        for site in lab.hq, lab.dr:
            text = page(site)
            b = look(text)
            check(set(b.seen) <= {'html', 'head', 'meta', 'title', 'style', 'body', 'header', 'main', 'footer', 'section', 'article',
                                  'h1', 'h2', 'h3', 'h4', 'p', 'bdi', 'time', 'ol', 'ul', 'li', 'div', 'span', 'small', 'strong', 'b', 'a',
                                  'code', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'dl', 'dt', 'dd', 'figure', 'figcaption',
                                  'svg', 'desc', 'path', 'text', 'g', 'circle'}, b.seen)
            check('\x1b' not in text and '\u202e' not in text, repr(word))
            plain = word.replace('\x1b', '\ufffd').replace('\u202e', '\ufffd' * 3)
            check(plain.replace("'", '') in ''.join(b.text).replace("'", ''), 'it does not say', repr(plain))


def test_the_file_is_the_old_page_or_the_new_one():
    lab = Lab()
    folder = lab.path('www')
    os.mkdir(folder)
    path = os.path.join(folder, 'index.html')
    lab.hq('report', '--html', path)
    check(os.stat(path).st_mode & 0o777 == 0o644, 'a web server cannot read it')
    with open(path) as f:
        lab.export('--seed')
        lab.hq('report', '--html', path)
        old = f.read()
    with open(path) as f:
        new = f.read()
    look(old), look(new)
    check(os.listdir(folder) == ['index.html'] and old != new, os.listdir(folder))
    check('no such VM' in lab.hq('report', 'web9', '--html', path, rc=1).stderr)
    check('--html' in lab.hq('report', rc=2).stderr and '31 days' in lab.hq('report', '--html', path, '--interval', '32d', rc=2).stderr)
    with open(record(lab.hq, 'primaries', 'web1'), 'ab') as f:
        f.write(b'x')
    with open(path) as f:
        check(f.read() == new, 'a page was written where nothing was to be said')
    check('is damaged' in lab.hq('report', '--html', path, rc=3).stderr)
    with open(path) as f:
        check('This is not all of it' in look(f.read()).words, 'it does not say that a record is missing')
    with open('/dev/full', 'w') as full:
        p = subprocess.run([VMFERRY, '--home', lab.dr.home, 'report', '--html', '-'], stdout=full, stderr=subprocess.PIPE, text=True)
    check(p.returncode == 3 and 'standard output' in p.stderr, p)


def test_a_large_site_makes_a_page_that_can_be_read():
    lab = Lab()
    lab.dr('import', lab.export('--seed'), '--receipt', lab.path('r'))
    lab.hq('import', lab.path('r'))
    first = os.path.dirname(record(lab.hq, 'primaries', 'web1'))
    for n in range(300):
        uuid = '00000000-0000-4000-8000-%012x' % n
        d = os.path.join(os.path.dirname(first), uuid)
        os.mkdir(d)
        shutil.copy(os.path.join(first, 'state'), d)
        edit_record(os.path.join(d, 'state'), lambda o: (
            o.update(vm='vm%03d' % n, uuid=uuid), o['role'].update(state='suspended') if n % 30 == 7 else None))
    text = page(lab.hq)
    b = look(text)
    check(b.seen['article'] == 60 and text.count('<th scope="row"><a') == 60 and text.count('<small>primary, ') == 301, b.seen)
    check([x[0] for x in order(text)][:10] == ['vm%03d' % n for n in range(7, 300, 30)], order(text)[:11])
    check('7 more with \u201cpaused\u201d' in b.words and 'The 60 that need it most' in b.words, b.words[:1500])
    check(len(text) < 600 * K, len(text), 'bytes')


if __name__ == '__main__':
    main(__name__)
