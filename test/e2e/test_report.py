#!/usr/bin/env python3
"""The report: one page that needs nothing else, whatever the names, as a real browser shows it."""
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
    """web1: replicated for a while; web2: late; web3: sent and not acknowledged; web<script>...: hostile."""
    lab.hq('enable', 'web1', '--to', 'dr', '--frequency', '1h', *lab.disk_args())
    for n, vm in enumerate(['web2', 'web3', HOSTILE]):
        lab.hq('enable', vm, '--to', 'dr', '--frequency', '15m', '--disk', 'vda=' + lab.make_disk('other%d.img' % n, M))
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


if __name__ == '__main__':
    main(__name__)
