#include "status/report_style.h"

/* Colours by what they mean: in the light (and on paper), and in the dark; texts keep a contrast of 4.5 : 1 at least. */
#define LIGHT                                                                                \
	"color-scheme:light;--bg:#f7f7f5;--card:#fff;--text:#1c2127;--soft:#565f6b;",        \
	    "--rule:#e0e2e6;--grid:#e8eaed;--line:#2a5fb4;--area:#2a5fb41f;--goal:#8a4b08;", \
	    "--bad:#a8201a;--badb:#fdeceb;--warn:#7a4f00;--warnb:#fdf3dd;",                  \
	    "--good:#1d6b40;--goodb:#e7f4ec;--note:#4a5663;--noteb:#eef0f3;"
#define DARK                                                                                 \
	"color-scheme:dark;--bg:#13161a;--card:#1a1e24;--text:#e3e7ec;--soft:#a0aab7;",      \
	    "--rule:#2d343d;--grid:#262c34;--line:#82b1ff;--area:#82b1ff26;--goal:#e9b46a;", \
	    "--bad:#ff9a92;--badb:#3a1d1c;--warn:#f2c06b;--warnb:#33290f;",                  \
	    "--good:#83cda0;--goodb:#15291d;--note:#b3bcc8;--noteb:#252b33;"

/* Lines: a rule, or a part of one. */
static const char *const style[] = {
	":root{",
	LIGHT,
	"}",
	"@media (prefers-color-scheme:dark){",
	":root{",
	DARK,
	"}",
	"}",
	"@media print{",
	":root{",
	LIGHT,
	"--bg:#fff}",
	"}",
	"*{box-sizing:border-box}",
	"html{-webkit-text-size-adjust:100%;text-size-adjust:100%}",
	"body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,",
	"\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif;font-variant-numeric:tabular-nums;",
	"overflow-wrap:anywhere}",
	"main,body>header,body>footer{max-width:1180px;margin:0 auto;padding:0 16px}",
	"h1{font-size:1.5rem;line-height:1.25;margin:24px 0 2px;font-weight:650}",
	"h2{font-size:1.1rem;margin:32px 0 10px;font-weight:650}",
	"h3{font-size:1.05rem;margin:0;font-weight:650;display:flex;flex-wrap:wrap;gap:4px 10px;",
	"align-items:center}",
	"h4{font-size:.9rem;margin:18px 0 4px;font-weight:600}",
	"p{margin:.3em 0}",
	"a{color:var(--line)}",
	"small,.soft{color:var(--soft);font-size:.86rem}",
	"code{font:.88em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;",
	"background:var(--noteb);padding:.1em .35em;border-radius:4px}",
	"ul,ol{margin:0;padding:0;list-style:none}",
	".card{background:var(--card);border:1px solid var(--rule);border-radius:8px}",
	".b{display:inline-block;white-space:nowrap;font-size:.8rem;font-weight:600;line-height:1.5;",
	"padding:0 .55em;border-radius:99px;border:1px solid currentColor;overflow-wrap:normal}",
	/* What a health is: a shape, a word, and then a colour. */
	".critical{color:var(--bad);background:var(--badb)}",
	".warning{color:var(--warn);background:var(--warnb)}",
	".normal{color:var(--good);background:var(--goodb)}",
	".note{color:var(--note);background:var(--noteb)}",
	".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(120px,1fr));gap:10px;",
	"margin:16px 0 0}",
	".tiles li{padding:9px 13px}",
	".tiles b{display:block;font-size:1.35rem;line-height:1.25;font-weight:650}",
	".tiles .t-critical b{color:var(--bad)}",
	".tiles .t-warning b{color:var(--warn)}",
	".tiles .t-normal b{color:var(--good)}",
	".badly{color:var(--bad)}",
	".todo li{padding:11px 14px;border-top:1px solid var(--rule);display:grid;gap:2px 12px;",
	"grid-template-columns:6.6em minmax(0,1fr)}",
	".todo li:first-child{border-top:0}",
	".todo .b{justify-self:start;align-self:start;margin-top:2px}",
	".todo p{margin:0}",
	".why li{display:grid;grid-template-columns:6.6em minmax(0,1fr);gap:2px 12px;padding:4px 0}",
	".why .b{justify-self:start;align-self:start;margin-top:2px}",
	".why p{margin:0}",
	".why p::first-letter{text-transform:uppercase}",
	"table{border-collapse:collapse;width:100%;font-size:.92rem}",
	"th,td{text-align:left;vertical-align:top;padding:7px 12px;border-top:1px solid var(--rule)}",
	"thead th{border-top:0;font-size:.8rem;font-weight:600;color:var(--soft)}",
	"tbody th{font-weight:600}",
	"tbody th small{display:block;font-weight:400}",
	".num{text-align:right}",
	"td,thead th{overflow-wrap:break-word}",
	"time{white-space:nowrap}",
	".nw{white-space:nowrap}",
	".vm{padding:16px 18px 18px;margin:0 0 14px}",
	".vm>.soft{margin:2px 0 8px}",
	".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,270px),1fr));",
	"gap:14px 24px;margin-top:12px}",
	"figure{margin:0;min-width:0}",
	"figcaption{font-size:.9rem;font-weight:600}",
	"figcaption small{display:block;font-weight:400}",
	/* Charts. */
	"svg{display:block;width:100%;height:auto;max-width:400px;margin-top:4px}",
	"svg text{font:10px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif;",
	"fill:var(--soft)}",
	".end{text-anchor:end}",
	".mid{text-anchor:middle}",
	"svg path,svg circle{fill:none}",
	".ax{stroke:var(--soft)}",
	".gr{stroke:var(--grid)}",
	".ln{stroke:var(--line);stroke-width:1.5;stroke-linejoin:round}",
	"svg .ar{fill:var(--area)}",
	"svg .ba{fill:var(--line)}",
	".go{stroke:var(--goal);stroke-width:1.2;stroke-dasharray:5 3}",
	"svg text.gt{fill:var(--goal);paint-order:stroke;stroke:var(--card);stroke-width:3px}",
	"svg .fi>*{fill:var(--line)}",
	"svg .op>*{fill:var(--card);stroke:var(--line);stroke-width:1.4}",
	"svg g>.ri{fill:none;stroke:var(--line);stroke-width:1.2}",
	"svg g>.cr{fill:none;stroke:var(--bad);stroke-width:1.8}",
	".figs{display:grid;grid-template-columns:repeat(auto-fill,minmax(135px,1fr));gap:10px 18px;",
	"margin:8px 0 0}",
	".figs div{display:flex;flex-direction:column;justify-content:flex-end}",
	".figs dt{font-size:.8rem;color:var(--soft)}",
	".figs dd{margin:0;font-weight:600}",
	"table.list{width:auto;min-width:min(100%,560px)}",
	".list th,.list td{padding:5px 14px 5px 0}",
	".list td:last-child,.list th:last-child{padding-right:0}",
	"body>footer{margin:28px auto 32px}",
	/* A phone. */
	"@media (max-width:640px){",
	".w{display:none}",
	"body{font-size:16px}",
	".vm{padding:14px 12px}",
	".todo li,.why li{grid-template-columns:minmax(0,1fr)}",
	"h1{margin-top:16px}",
	".tiles{grid-template-columns:repeat(6,1fr)}",
	".tiles li{grid-column:span 2;padding:7px 10px}",
	".tiles li:nth-child(n+4){grid-column:span 3}",
	"thead th{white-space:normal}",
	"table{font-size:.88rem}",
	"th,td{padding:7px 6px}",
	".b{font-size:.75rem;padding:0 .45em}",
	"}",
	/* Paper. */
	"@page{margin:14mm}",
	"@media print{",
	"body{font-size:10.5pt}",
	"main,body>header,body>footer{max-width:none;padding:0 1px}",
	".vm,.todo li,tr,figure,.figs,.tiles{break-inside:avoid}",
	"h2,h3,h4{break-after:avoid}",
	"thead{display:table-header-group}",
	".vm{border:0;border-top:1px solid var(--rule);border-radius:0;padding:12px 0}",
	"a{color:inherit;text-decoration:none}",
	".charts{grid-template-columns:1fr 1fr;gap:10px 24px}",
	".vm time[title]::after{content:\" (\" attr(title) \")\";font-weight:400}",
	"*{print-color-adjust:exact;-webkit-print-color-adjust:exact}",
	"}",
};

void
report_style_put(FILE *out)
{
	for (size_t i = 0; i < sizeof style / sizeof *style; i++) {
		fputs(style[i], out);
		fputc('\n', out);
	}
}
