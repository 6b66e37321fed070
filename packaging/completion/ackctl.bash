# bash completion for ackctl, made by `ackctl completion bash`.
_ackctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb='' i words=''
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -i | -H | --socket | --instance | --host | --timeout) ((i++)) ;;
        -*) ;;
        *) verb=${COMP_WORDS[i]}; break ;;
        esac
    done
    case $verb in
    '') words='ls netstat show why watch capture open listen accept send recv nc close abort kill set stats daemon key conformance completion help dial-stdio -i --instance -H --host -h -V --version --socket -j --json --timeout --help' ;;
    ls)
        if [[ $cur == -* ]]; then words=' -a --all -l --listening -t --tcp -n --numeric -4 --ipv4 -6 --ipv6 -o --options --columns -e --extended -m --memory -i --info -p --processes -s --summary -H --no-header -O --oneline --closed --full --limit --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null; echo state exclude sport dport src dst and or not); fi ;;
    netstat)
        if [[ $cur == -* ]]; then words=' -a --all -l --listening -t --tcp -n --numeric -4 --inet -6 --inet6 -p --programs -s --statistics --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null; echo state exclude sport dport src dst and or not); fi ;;
    show)
        if [[ $cur == -* ]]; then words=' --header --fields --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null); fi ;;
    why)
        if [[ $cur == -* ]]; then words=' --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null); fi ;;
    watch)
        if [[ $cur == -* ]]; then words=' --segments --ladder --packetdrill -S --absolute -v --verbose --payload --snapshot -c --count --after --instance-id --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null; echo state exclude sport dport src dst and or not); fi ;;
    capture)
        if [[ $cur == -* ]]; then words=' -w --write -c --count -s --snaplen --all-frames --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null; echo state exclude sport dport src dst and or not); fi ;;
    open)
        if [[ $cur == -* ]]; then words=' -s --source -p --port -4 --ipv4 -6 --ipv6 -O --option --label -w --wait --no-wait --idle-timeout --fast-open --data -v --verbose --socket -j --json --timeout --help'
        else words=$(getent hosts 2>/dev/null | sed "s/^[^ ]* *//"); fi ;;
    listen)
        if [[ $cur == -* ]]; then words=' -b --backlog -4 --ipv4 -6 --ipv6 --from -O --option --label --idle-timeout -v --verbose --socket -j --json --timeout --help'
        else words=''; fi ;;
    accept)
        if [[ $cur == -* ]]; then words=' --label --idle-timeout -w --wait --no-wait -v --verbose --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null); fi ;;
    send)
        if [[ $cur == -* ]]; then words=' -f --file -e --escapes --push --urgent --fin -v --verbose --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null); fi ;;
    recv)
        if [[ $cur == -* ]]; then words=' -n --max --min -w --wait --no-wait --all --peek -v --verbose --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null); fi ;;
    nc)
        if [[ $cur == -* ]]; then words=' -l --listen -k --keep-open -N -q -w --wait -z -v --verbose -n -s --source -p --port -4 --ipv4 -6 --ipv6 --fast-open --socket -j --json --timeout --help'
        else words=$(getent hosts 2>/dev/null | sed "s/^[^ ]* *//"); fi ;;
    close)
        if [[ $cur == -* ]]; then words=' --half -w --wait -v --verbose --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null); fi ;;
    abort)
        if [[ $cur == -* ]]; then words=' --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null); fi ;;
    kill)
        if [[ $cur == -* ]]; then words=' --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null; echo state exclude sport dport src dst and or not); fi ;;
    set)
        if [[ $cur == -* ]]; then words=' --socket -j --json --timeout --help'
        else words=$(ackctl ls -H --columns id 2>/dev/null; ackctl ls -H --columns label 2>/dev/null; echo label= rcv_buffer_bytes= snd_buffer_bytes= rcv_buffer_max_bytes= snd_buffer_max_bytes= mss_clamp_bytes= nodelay= sack= timestamps= window_scaling= keepalive= keepalive_idle_ms= keepalive_interval_ms= keepalive_count= user_timeout_ms= syn_timeout_ms= r1_timeouts= orphan_timeout_ms= rto_initial_ms= rto_min_ms= rto_max_ms= delayed_ack_ms= msl_ms= fin_wait_2_ms= rfc1337= ttl= dscp= share_metrics= share_ssthresh= fast_open_queue= fast_open_no_cookie= fast_open_experimental= max_pacing_rate_bytes_per_s= hystart= abc_limit= idle_restart= cubic_alpha_one= require_auth= user_timeout_option= user_timeout_advertise_ms= user_timeout_min_ms= user_timeout_max_ms= icmp_policy= urgent_mode= syn_cookies= loss_detection= mtu_probing= accecn_option= ecn= congestion= pacing=); fi ;;
    stats)
        if [[ $cur == -* ]]; then words=' -a --all --openmetrics --socket -j --json --timeout --help'
        else words=''; fi ;;
    daemon)
        if [[ $cur == -* ]]; then words=' --socket -j --json --timeout --help'
        else words='status version log-level addresses routes neighbours metrics'; fi ;;
    key)
        if [[ $cur == -* ]]; then words=' --file --fd --send-id --receive-id --local --local-port --remote-port --exclude-options -f --force --current --next --listener --socket -j --json --timeout --help'
        else words='add ls rm use fast-open set rotate reset'; fi ;;
    conformance)
        if [[ $cur == -* ]]; then words=' -t --tests --socket -j --json --timeout --help'
        else words=''; fi ;;
    completion)
        if [[ $cur == -* ]]; then words=' --socket -j --json --timeout --help'
        else words='bash zsh fish'; fi ;;
    help)
        if [[ $cur == -* ]]; then words=' --socket -j --json --timeout --help'
        else words='ls netstat show why watch capture open listen accept send recv nc close abort kill set stats daemon key conformance completion help dial-stdio'; fi ;;
    dial-stdio)
        if [[ $cur == -* ]]; then words=' --socket -j --json --timeout --help'
        else words=''; fi ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o default -F _ackctl ackctl
