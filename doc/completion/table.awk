# The man pages of the tools (vmferry.1 and vmferry-*.1) -> a C file with the table that core/complete.h describes.
# The synopsis says which options and words there are and what they take, the text behind ".It Fl" what they are for.

# What may stand for a word in italics: words to choose from, a kind (@...), or anything ("*").
BEGIN {
	kinds["VM"] = "@vm"; kinds["SITE"] = "@site"; kinds["DIR"] = "@dir"
	n = split("FILE CARD CARDFILE BUNDLE REQUEST FIX PATH PLACE SOCKET PROGRAM", names, " ")
	for (i = 1; i <= n; i++)
		kinds[names[i]] = "@file"
	kinds["HOW"] = "none|fast|default|best"
	kinds["HOST"] = "none|libvirt:qemu:///system|qmp:|exec:"
	split("Ar Cm Pa Va Em Sy Nm Ql Sq Qq Dq Li Ns No Op Oo Oc Ic Ev Er Xr Ta", names, " ")
	for (i in names)
		is_macro[names[i]] = 1
	print "/* Made by table.awk from the man pages. */\n#include <stddef.h>\n\n#include \"complete.h\"\n"
	print "const struct complete_row complete_table[] = {"
}

function quoted(s) { gsub(/[\\"]/, "\\\\&", s); return "\"" s "\"" }

# Text without macros: ".Ar FILE ." -> "FILE."
function plain(line,    n, i, w, out, glue) {
	if (line !~ /^\./)
		return line
	n = split(substr(line, 2), w, " ")
	for (i = 1; i <= n; i++) {
		if (w[i] == "Fl") { w[i + 1] = "-" w[i + 1]; continue }
		if (w[i] == "Xr") { w[i + 1] = w[i + 1] "(" w[i + 2] ")"; w[i + 2] = "" }
		if (w[i] == "Ns") glue = 1
		if (w[i] == "" || is_macro[w[i]]) continue
		out = out (out == "" || glue || w[i] ~ /^[.,;:)]$/ ? "" : " ") w[i]
		glue = 0
	}
	return out
}

# The first sentence or clause, on a line with others.
function short(s) {
	gsub(/"/, "", s); gsub(/\\&|\\\(../, "", s)
	sub(/^ +/, "", s)
	if (match(s, /[.;:]( |$)/))
		s = substr(s, 1, RSTART - 1)
	if (length(s) > 72) {
		s = substr(s, 1, 68)
		sub(/ [^ ]*$/, " ...", s)
	}
	return s
}

function take(path, token, value,    key) {
	key = path SUBSEP token
	if (!(key in values)) {
		order[++rows] = key
		values[key] = ""
	}
	if (value != "" && index("|" values[key] "|", "|" value "|") == 0)
		values[key] = values[key] (values[key] == "" ? "" : "|") value
}

# A line of a synopsis, or a ".It" line: what it has goes to path.
function scan(path, line,    n, i, w, mode, nopts, opts, j, v, words) {
	n = split(substr(line, 2), w, " ")
	nopts = 0; mode = ""
	for (i = 1; i <= n; i++) {
		if (w[i] == "Fl") {
			nopts = 0
			opts[++nopts] = "-" w[++i]
			take(path, opts[1], "")
			mode = "Fl"
		} else if (w[i] ~ /^-./ && mode == "Fl" && (w[i - 1] == "," || w[i - 1] == "|")) {
			opts[++nopts] = "-" w[i]
			take(path, opts[nopts], "")
		} else if (w[i] == "Ar" || w[i] == "Cm") {
			mode = w[i]
		} else if (w[i] == "Op" && w[i + 1] == "=") {
			continue
		} else if (w[i] == "Op" || w[i] == "Oo" || w[i] == "Oc") {
			mode = ""; nopts = 0
		} else if (w[i] == "=") {
			for (j = 1; j <= nopts; j++)
				values[path, opts[j]] = ""
		} else if ((mode == "Ar" || mode == "Cm") && w[i] !~ /^(\||,|;|-|Ns|:|\.\.\.|)$/) {
			v = mode == "Cm" ? w[i] : (w[i] in kinds) ? kinds[w[i]] : "*"
			if (mode == "Cm" && w[i + 1] == ":")
				v = v ":"
			if (v == "*" && nopts == 0)
				v = (path in names_site) ? "@site" : ""
			for (j = 1; j <= nopts; j++)
				take(path, opts[j], v)
			if (nopts == 0)
				take(path, "", v)
		}
	}
}

function flush_text(    i) {
	for (i = 1; i <= nitems; i++)
		if (items[i] && texts[verb, items[i]] == "")
			texts[verb, items[i]] = short(text)
	nitems = 0; text = ""
}

FNR == 1 {
	section = ""; nitems = 0
	verb = FILENAME
	sub(/^.*\/vmferry-?/, "", verb); sub(/\.1$/, "", verb)
	names_site["trust remove"] = names_site["key revoke"] = 1
	if (verb != "") {
		take("", "", verb)
		all[++nall] = verb
	}
}
/^\.Sh / { flush_text(); section = $2; path = verb; next }
/^\.Nd / && verb != "" { texts["", verb] = substr($0, 5); next }
section == "SYNOPSIS" && /^\.Nm/ {
	path = "-"	# another tool's
	if ($2 == "vmferry" && $3 == verb) {
		path = verb ($4 == "" ? "" : " " $4)
		if ($4 != "") {
			take(verb, "", $4)
			has_sub[verb] = 1
		}
	} else if (verb == "") {
		path = ""
	}
	next
}
section == "SYNOPSIS" && /^\./ && path != "-" { if (path != "" || /^\.O?p? *Fl/) scan(path, $0); next }
/^\.It Fl/ {
	flush_text()
	n = split(substr($0, 5), w, " ")
	for (i = 1; i <= n; i++)
		if (w[i] == "Fl" && w[i + 1] != "")
			items[++nitems] = "-" w[i + 1]
		else if (w[i] ~ /^-./)
			items[++nitems] = "-" w[i]
	lines[verb, ++nlines[verb]] = $0
	next
}
nitems > 0 && /^\.(It|El|Pp|Bl|Bd|Ss)/ { flush_text(); next }
nitems > 0 { text = text " " plain($0) }

END {
	flush_text()
	for (a = 1; a <= nall; a++)
		for (i = 1; i <= nlines[all[a]]; i++)
			if (!has_sub[all[a]])
				scan(all[a], substr(lines[all[a], i], 4))
	for (i = 1; i <= nlines[""]; i++)
		scan("", substr(lines["", i], 4))
	for (i = 1; i <= rows; i++) {
		split(order[i], w, SUBSEP)
		v = w[1]; sub(/ .*/, "", v)
		printf "\t{ %s, %s, %s, %s },\n", quoted(w[1]), quoted(w[2]), quoted(values[order[i]]), quoted(texts[v, w[2]])
	}
	n = split(values["", ""], w, "|")
	for (i = 1; i <= n; i++)
		printf "\t{ \"\", %s, \"\", %s },\n", quoted(w[i]), quoted(texts["", w[i]])
	print "\t{ NULL, NULL, NULL, NULL } };"
}
