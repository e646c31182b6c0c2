#compdef vmferry
# Completion of vmferry for zsh: vmferry-complete(1) knows the answers.
_vmferry() {
	local kind line word
	local -a plain open
	{
		read -r kind
		while IFS= read -r line; do
			word=${line%%$'\t'*}
			line=${word//:/\\:}${line:${#word}}
			if [[ $word == *[=:] ]]; then open+=("${line/$'\t'/:}"); else plain+=("${line/$'\t'/:}"); fi
		done
	} < <($words[1] complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)
	(( $#plain )) && _describe vmferry plain
	(( $#open )) && _describe vmferry open -S ''
	[[ $kind == none ]] && return
	compset -P '[a-z-]*='
	if [[ $kind == files ]]; then _files; else _path_files -/; fi
}
_vmferry "$@"
