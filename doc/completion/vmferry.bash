# Completion of vmferry for bash: vmferry-complete(1) knows the answers.
_vmferry() {
	local cur words cword line head kind c
	# Words as a person sees them: '=' and ':' do not divide them.
	_get_comp_words_by_ref -n =: cur words cword
	COMPREPLY=()
	# readline replaces only what is behind the last of those it divides words at.
	head=${cur%"${cur##*[=:]}"}
	[[ $COMP_WORDBREAKS == *:* || $head == *= ]] || head=
	{
		read -r kind
		while IFS= read -r line; do
			line=${line%%$'\t'*}
			printf -v c %q "${line#"$head"}"
			COMPREPLY+=("$c")
		done
	} < <("${words[0]}" complete -- "${words[@]:1:cword}" 2>/dev/null)
	if [[ ${#COMPREPLY[@]} == 1 && $line == *[=:] ]]; then compopt -o nospace; fi
	[[ $cur == *=* ]] && cur=${cur#*=}
	case $kind in
	files) compopt -o filenames; while IFS= read -r c; do COMPREPLY+=("$c"); done < <(compgen -f -- "$cur") ;;
	directories) compopt -o filenames; while IFS= read -r c; do COMPREPLY+=("$c"); done < <(compgen -d -- "$cur") ;;
	esac
} && complete -F _vmferry vmferry
