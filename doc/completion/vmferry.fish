# Completion of vmferry for fish: vmferry-complete(1) knows the answers.
function __vmferry_complete
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    set -l answer ($words[1] complete -- $words[2..] $cur 2>/dev/null)
    set -l kind $answer[1]
    for line in $answer[2..]
        echo $line
    end
    test "$kind" = none; and return
    # A path may stand behind "--option=" or "disk=".
    set -l head (string match -r '^[^/=]*=' -- $cur)
    for path in (complete -C "'' "(string replace -- "$head" '' $cur) | string match -r '^[^\t]*')
        test "$kind" = files; or string match -q '*/' -- $path; or continue
        echo "$head$path"
    end
end
complete -c vmferry -f -a '(__vmferry_complete)'
