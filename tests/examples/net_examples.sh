#!/usr/bin/env bash
# net_examples.sh FOLDER CASE: the examples that use the network, against real peers: curl, wrk, nginx,
# bash's own connections, and peer.c. FOLDER holds the examples, PEER in the environment is peer.
#
# Loopback only; the system chooses the ports; nothing depends on how long something takes.
set -u
[ -x "${PEER:-}" ] || exit 2
export LC_ALL=C BRIGADE_STALL_MS=0
PATH=$PATH:/usr/sbin
programs=$1
work=$(mktemp -d) || exit 1
pids=()
trap 'end_all >/dev/null 2>&1; rm -rf "$work"' EXIT

end_all() {
    local pid
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" && wait "$pid"
    done
}

fail() {
    printf 'FAILED: %s\n%s\n' "$*" "${output:-}"
    cat "$work"/*.err 2>/dev/null
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# start PROGRAM ARGUMENTS...: in the background, until it listens: $pid and $port.
start() {
    local line
    mkfifo "$work/said" || fail "no fifo"
    "$programs/$1" "${@:2}" >"$work/said" 2>>"$work/$1.err" &
    pid=$!
    pids+=("$pid")
    read -r line <"$work/said"
    rm "$work/said"
    port=${line##*:}
    [[ $line =~ ^listening\ on\ 127\.0\.0\.1:[0-9]+$ ]] || fail "$1 does not listen: '$line'"
}

# ends PID SIGNAL: it ends, and well.
ends() {
    local status=0
    kill "-$2" "$1" || fail "it has ended before"
    wait "$1" || status=$?
    [ $status -eq 0 ] || fail "status $status after SIG$2"
}

# refuses PROGRAM ARGUMENTS...: one usage line on stderr, and status 2.
refuses() {
    local status=0
    output=$("$programs/$1" "${@:2}" 2>&1 >/dev/null) || status=$?
    [[ $status = 2 && $output = usage:* ]] || fail "'$*' is taken for good"
}

# until_true COMMAND...: for what another process does in its own time.
until_true() {
    local i
    for i in $(seq 1 2000); do
        "$@" && return 0
        sleep 0.05
    done
    fail "never: $*"
}

# What a process has of sockets and pipes. (Of other descriptors a runtime has some for each worker.)
descriptors() {
    find "/proc/$1/fd" -lname 'socket:*' -o -lname 'pipe:*' | wc -l
}
no_more_than() { [ "$(descriptors "$1")" -le "$2" ]; }

# asks PORT REQUEST: raw, through a connection of its own that is closed by the other side.
asks() (
    trap '' PIPE
    exec 9<>"/dev/tcp/127.0.0.1/$1" || fail "cannot connect"
    # shellcheck disable=SC2059 # with escapes
    printf "$2" >&9 2>/dev/null
    cat <&9 2>/dev/null
)

# status PORT REQUEST: of the last answer.
status() {
    asks "$1" "$2" | tr -d '\r' | sed -n 's/^HTTP\/1.1 \([0-9]*\) .*/\1/p' | tail -n 1
}

get() { curl -sS --max-time 600 "$@"; }

# makes_files DIRECTORY
makes_files() {
    mkdir -p "$1/sub/deep" "$work/outside"
    head -c 3000000 /dev/urandom >"$1/big"
    head -c 1 /dev/zero >"$1/one"
    : >"$1/empty"
    echo '<p>here' >"$1/index.html"
    echo below >"$1/sub/index.html"
    echo text >"$1/sub/deep/a b.txt"
    echo secret >"$work/outside/secret"
    ln -s "$work/outside/secret" "$1/link"
    ln -s "$work/outside" "$1/folder"
    ln -s index.html "$1/inside"
    mkfifo "$1/fifo"
    mkdir "$1/..."
    echo dots >"$1/.../x"
}

case $2 in
http_server)
    have curl || exit 77
    host='Host: a\r\n'
    bye='Connection: close\r\n\r\n'
    start http_server --timeout 600
    url=http://127.0.0.1:$port
    at_first=$(descriptors "$pid")

    [ "$(get "$url/")" = "Hello, world!" ] || fail "no greeting"
    output=$(get -i "$url/" | tr -d '\r')
    [[ $output = "HTTP/1.1 200 OK"$'\n'"Date: "*" GMT"*$'\n'"Content-Length: 14"$'\n\n'"Hello, world!" ]] ||
        fail "the answer"
    output=$(get -I "$url/" | tr -d '\r')
    [[ $output = "HTTP/1.1 200 OK"*"Content-Length: 14" ]] || fail "HEAD"
    [ "$(get -o /dev/null -w '%{http_code}' "$url/none")" = 404 ] || fail "404"
    [ "$(get "$url/?query")" = "Hello, world!" ] || fail "a query"
    [ "$(get -d hello "$url/")" = "5 bytes" ] || fail "a body"
    [ "$(get -X POST "$url/")" = "0 bytes" ] || fail "no body"
    head -c 3000000 /dev/zero >"$work/zeros"
    [ "$(get --data-binary "@$work/zeros" "$url/")" = "3000000 bytes" ] || fail "a large body"
    [ "$(get -X POST -T - "$url/" <"$work/zeros")" = "3000000 bytes" ] || fail "in chunks"
    [ "$(get -H 'Expect: 100-continue' -d hello "$url/")" = "5 bytes" ] || fail "continue"
    [ "$(get -0 "$url/")" = "Hello, world!" ] || fail "HTTP/1.0"
    [ "$(get -0 -H 'Connection: keep-alive' -i "$url/" | grep -ci '^connection: keep-alive')" = 1 ] ||
        fail "HTTP/1.0, keep-alive"
    [ "$(get -X DELETE -o /dev/null -w '%{http_code}' "$url/")" = 405 ] || fail "405"
    output=$(get -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects} ' "$url/" "$url/none" "$url/")
    [ "$output" = "1 0 0 " ] || fail "the connection is not kept"

    # Pipelined: in order, each one message; bodies of both kinds between them.
    many=
    for i in $(seq 1 50); do
        many+="GET / HTTP/1.1\r\n${host}\r\nPOST / HTTP/1.1\r\n${host}Content-Length: $((i % 10))\r\n\r\n"
        many+=$(printf 'x%.0s' $(seq 1 $((i % 10))) | head -c $((i % 10)))
        many+="GET /none HTTP/1.1\r\n${host}\r\n"
        many+="POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    done
    many+="GET / HTTP/1.1\r\n${host}$bye"
    asks "$port" "$many" | tr -d '\r' >"$work/answers"
    expected=$(for i in $(seq 1 50); do
        printf 'Hello, world!\n%d bytes\n404 Not Found\n3 bytes\n' $((i % 10))
    done)$'\n'"Hello, world!"
    output=$(diff <(grep -E '^(Hello|[0-9])' "$work/answers") <(echo "$expected")) || fail "pipelined"
    [ "$(grep -c '^Connection: close' "$work/answers")" = 1 ] || fail "the last one closes"

    # Byte by byte, and at the end nothing but the connection's end.
    request="POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n${bye}2\r\nab\r\n0\r\n\r\n"
    # shellcheck disable=SC2059 # with escapes
    request=$(printf "$request" | od -An -v -to1 | tr -d '\n')
    exec 8<>"/dev/tcp/127.0.0.1/$port" || fail "cannot connect"
    for byte in $request; do
        printf "\\$byte" >&8
    done
    output=$(tr -d '\r' <&8)
    exec 8>&-
    [[ $output = "HTTP/1.1 200 OK"*"2 bytes" ]] || fail "byte by byte"

    # What is wrong is refused, and the connection closed: asks would not end.
    long=$(printf 'a%.0s' $(seq 1 9000))
    for case in '400 GET / HTTP/1.1\r\n\r\n' \
        '400 GET  / HTTP/1.1\r\nHost: a\r\n\r\n' \
        '400 GET / HTTP/1.1\nHost: a\n\n' \
        '400 GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n' \
        '400 GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n' \
        '400 POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab' \
        '400 POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' \
        '400 POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n' \
        '501 POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n' \
        '505 GET / HTTP/2.0\r\nHost: a\r\n\r\n' \
        '413 POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n' \
        "414 GET /$long HTTP/1.1\r\nHost: a\r\n\r\n" \
        "431 GET / HTTP/1.1\r\nHost: a\r\nX: $long\r\n\r\n" \
        "400 \\026\\003\\001\\002\\000\\001\\000\\001\\374\\003\\003\n" \
        "400 GET / HTTP/1.1\r\nHost: a\r\n\r\nGET\r\n\r\n"; do
        [ "$(status "$port" "${case#* }")" = "${case%% *}" ] || fail "not ${case:0:60}"
    done
    # A head that needs the large buffer, and the small one again.
    headers=$(printf "X: %0500d\r\n" $(seq 1 20) | sed 's/\r$/\\r\\n/' | tr -d '\n')
    [ "$(status "$port" "GET / HTTP/1.1\r\n$host$headers\r\nGET /none HTTP/1.1\r\n$host$bye")" = 404 ] ||
        fail "a large head"
    output=$(printf '' | "$PEER" "$port") && [ -z "$output" ] || fail "an answer to nothing"
    output=$(printf 'GET / HT' | "$PEER" "$port") && [ -z "$output" ] || fail "an answer to half a request"

    # Many connections at once, all of them answered twice.
    connections=()
    for i in $(seq 1 200); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port" || fail "connection $i"
        connections+=("$fd")
    done
    for round in 1 2; do
        for fd in "${connections[@]}"; do
            printf "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" >&"$fd"
        done
        for fd in "${connections[@]}"; do
            read -r line <&"$fd"
            [ "$line" = $'HTTP/1.1 200 OK\r' ] || fail "one of many, round $round: '$line'"
            while read -r line <&"$fd" && [ "$line" != $'\r' ]; do :; done
        done
    done
    for fd in "${connections[@]}"; do
        exec {fd}>&-
    done
    if have wrk; then
        output=$(wrk -t2 -c50 -d1 --timeout 300 "$url/") || fail "wrk"
        [[ $output = *"Requests/sec"* && $output != *Non-2xx* && $output != *"Socket errors"* ]] ||
            fail "wrk finds errors"
    fi
    # Whoever is gone has left nothing.
    until_true no_more_than "$pid" "$at_first"
    ends "$pid" TERM
    refuses http_server x
    refuses http_server --port
    refuses http_server --port 65536
    refuses http_server --port x
    refuses http_server --limit 0
    refuses http_server --timeout 0
    refuses http_server --unknown 1
    output=$("$programs/http_server" --root "$work/none" 2>&1) && fail "no such root"
    [ "$(wc -l <<<"$output")" -eq 1 ] || fail "more than one line"
    ;;
http_server_files)
    have curl || exit 77
    makes_files "$work/www"
    start http_server --root "$work/www" --workers 2
    url=http://127.0.0.1:$port
    at_first=$(descriptors "$pid")
    for file in big one empty index.html sub/deep/a%20b.txt '%73ub/%64eep/a b.txt' ./sub//deep/./a%20b.txt \
        sub%2fdeep%2Fa%20b.txt .../x; do
        name=${file//%20/ }
        name=${name//%73/s}
        name=${name//%64/d}
        name=${name//%2?/\/}
        get --path-as-is -o "$work/got" -w '%{http_code}' "$url/${file// /%20}" >"$work/code" || fail "curl: $file"
        [ "$(cat "$work/code")" = 200 ] || fail "$file: $(cat "$work/code")"
        cmp "$work/got" "$work/www/$name" || fail "$file is something else"
    done
    [ "$(get "$url/")" = "<p>here" ] || fail "the index"
    [ "$(get "$url/sub")" = below ] || fail "the index of a folder"
    [ "$(get "$url/sub/?x")" = below ] || fail "the index of a folder"
    output=$(get -I "$url/big" | tr -d '\r')
    [[ $output = "HTTP/1.1 200 OK"*"Content-Type: application/octet-stream"*"Content-Length: 3000000" ]] ||
        fail "HEAD of a file"
    [[ $(get -I "$url/") = *"Content-Type: text/html"* ]] || fail "the type"
    output=$(get -o "$work/a" -o "$work/b" -o "$work/c" -w '%{num_connects} ' \
        "$url/big" "$url/empty" "$url/one")
    [ "$output" = "1 0 0 " ] || fail "the connection is not kept"
    [ "$(asks "$port" 'GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /index.html HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' |
        tail -n 1)" = "<p>here" ] || fail "pipelined files"

    # Nothing outside of the directory, and nothing but files.
    for case in '404 none' '404 big/' '404 big/x' '404 link' '404 folder/secret' '404 inside' '404 fifo' \
        '404 sub/deep' '404 ../outside/secret' '404 ../www/one' '404 sub/../one' '404 sub/deep/../../one' \
        '404 %2e%2e/outside/secret' '404 ..%2foutside%2fsecret' '404 .%2e/outside/secret' \
        '404 %252e%252e/outside/secret' '404 ..' '404 ..\outside\secret' '400 a%00b' '400 %' '400 %4' '400 %4g' \
        "400 $(printf 'a%.0s' $(seq 1 1100))" "404 $(printf 'a%.0s' $(seq 1 300))" \
        "404 //outside/secret" "404 $work/outside/secret"; do
        code=$(status "$port" "GET /$(sed 's/[%\\]/&&/g' <<<"${case#* }") HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        [ "$code" = "${case%% *}" ] || fail "$code, not ${case:0:60}"
    done
    if [ "$(id -u)" -ne 0 ]; then
        chmod 0 "$work/www/one"
        [ "$(get -o /dev/null -w '%{http_code}' "$url/one")" = 403 ] || fail "403"
    fi
    [ "$(get -d x -o /dev/null -w '%{http_code}' "$url/big")" = 405 ] || fail "405"

    # Many at once; some who break off; one who has not read any of it by the time another has all.
    exec 8<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' >&8
    getting=()
    for i in $(seq 1 20); do
        get -o "$work/got$i" "$url/big" &
        getting+=($!)
        printf 'GET /big HTTP/1.1\r\nHost: a\r\n\r\n' | "$PEER" "$port" reset || fail "peer"
    done
    wait "${getting[@]}"
    for i in $(seq 1 20); do
        cmp "$work/got$i" "$work/www/big" || fail "one of many"
    done
    cmp <(tail -c 3000000 <&8) "$work/www/big" || fail "the one who took time"
    exec 8>&-
    until_true no_more_than "$pid" "$at_first"
    ends "$pid" INT
    ;;
http_server_ends)
    # A request that does not come is answered so, or, where nothing has come, not at all.
    start http_server --timeout 1
    # (Until that: this side may take so long itself that nothing has come.)
    is_late() { [ "$(status "$port" "$1")" = 408 ]; }
    until_true is_late 'GET / HTTP/1.1\r\n'
    until_true is_late 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell'
    [ -z "$(asks "$port" '')" ] || fail "an answer to nothing"
    ends "$pid" TERM

    # The third of two at most is served when one of them has gone.
    start http_server --limit 2 --timeout 600
    for fd in 6 7 8; do
        eval "exec $fd<>/dev/tcp/127.0.0.1/$port" || fail "cannot connect"
        printf 'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n' >&$fd
        [ $fd = 8 ] || read -r line <&$fd
    done
    read -r -t 0.2 line <&8 && fail "one too many is served"
    exec 6>&-
    read -r line <&8
    [ "$line" = $'HTTP/1.1 200 OK\r' ] || fail "the third one is not served: '$line'"
    exec 7>&- 8>&-
    ends "$pid" INT

    # With connections that are idle, and amid a request.
    start http_server --timeout 600
    exec 7<>"/dev/tcp/127.0.0.1/$port" 8<>"/dev/tcp/127.0.0.1/$port"
    printf 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD' >&7
    read -r line <&7
    ends "$pid" TERM
    exec 7>&- 8>&-
    ;;
fetch)
    makes_files "$work/www"
    for i in $(seq 1 300); do
        head -c $((i * 7)) /dev/zero >"$work/www/file$i"
    done
    # urls N: the first N files, and what is to be said of them.
    urls() { for i in $(seq 1 "$1"); do echo "http://127.0.0.1:$port/file$i"; done; }
    said() { for i in $(seq 1 "$1"); do echo "200 $((i * 7)) http://127.0.0.1:$port/file$i"; done; }
    checks() {
        local url=http://127.0.0.1:$port status=0
        output=$(urls 300 | "$programs/fetch" --at-once 20 --timeout 600 - | diff - <(said 300)) || fail "in order"
        output=$(urls 300 | "$programs/fetch" --as-they-come --timeout 600 - | sort | diff - <(said 300 | sort)) ||
            fail "as they come"
        # shellcheck disable=SC2046 # a list of words
        output=$("$programs/fetch" --at-once 1 $(urls 20) | diff - <(said 20)) || fail "one at a time"
        output=$("$programs/fetch" "$url/big" "$url/empty" "$url" "$url/?q" "$url/sub/#f") || fail "status $?"
        [ "$output" = "200 3000000 $url/big"$'\n'"200 0 $url/empty"$'\n'"200 8 $url"$'\n'"200 8 $url/?q"$'\n'"200 6 $url/sub/#f" ] ||
            fail "sizes"
        output=$("$programs/fetch" "$url/none" "$url/one") || status=$?
        [ $status -eq 1 ] || fail "status $status with one that is not there"
        [[ $output = "404 "*" $url/none"$'\n'"200 1 $url/one" ]] || fail "one that is not there"
    }
    start http_server --root "$work/www"
    checks
    ends "$pid" TERM
    status=0
    output=$("$programs/fetch" http://127.0.0.1:1/ https://a/ http:/b ftp://c http://127.0.0.1:x/) || status=$?
    [ $status -eq 1 ] || fail "status $status with nobody there"
    expected="- - http://127.0.0.1:1/: connection refused
- - https://a/: protocol not supported
- - http:/b: invalid argument
- - ftp://c: protocol not supported
- - http://127.0.0.1:x/: invalid argument"
    [ "$output" = "$expected" ] || fail "what cannot be fetched"
    refuses fetch
    refuses fetch --at-once 0 http://a/
    refuses fetch --timeout x http://a/
    refuses fetch --unknown http://a/
    [ -z "$("$programs/fetch" - </dev/null)" ] || fail "something of nothing"

    have nginx || exit 0
    mkdir "$work/nginx" && echo '<!--# echo var="none" default="ok" -->' >"$work/www/made.html"
    for try in $(seq 1 20); do
        port=$((20000 + RANDOM % 12000)) # it cannot be told to take one that is free, and say which
        cat >"$work/nginx.conf" <<EOF
daemon off; master_process off; pid $work/nginx/pid; error_log $work/nginx/error;
events { worker_connections 1024; }
http {
    access_log off; default_type text/html;
    client_body_temp_path $work/nginx/1; proxy_temp_path $work/nginx/2; fastcgi_temp_path $work/nginx/3;
    uwsgi_temp_path $work/nginx/4; scgi_temp_path $work/nginx/5;
    server {
        listen 127.0.0.1:$port; root $work/www;
        location = /made.html { ssi on; }
        location = /slow { alias $work/www/big; limit_rate 1; }
        location = /moved { return 301 /one; }
        location = /nothing { return 204; }
        location = /cut { return 444; }
    }
}
EOF
        nginx -p "$work/nginx/" -e "$work/nginx/error" -c "$work/nginx.conf" >"$work/nginx/out" 2>&1 &
        nginx=$!
        pids+=("$nginx")
        for i in $(seq 1 2000); do
            kill -0 "$nginx" 2>/dev/null || break
            [ ! -s "$work/nginx/pid" ] || break 2 # it is written when it listens
            sleep 0.05
        done
        [ "$try" -lt 20 ] || fail "nginx does not start: $(cat "$work/nginx/error" "$work/nginx/out")"
    done
    checks
    url=http://127.0.0.1:$port
    output=$("$programs/fetch" "$url/made.html" "$url/moved" "$url/nothing") || fail "status $?"
    [[ $output = "200 3 $url/made.html"$'\n'"301 "*" $url/moved"$'\n'"204 0 $url/nothing" ]] || fail "of nginx"
    status=0
    output=$("$programs/fetch" --timeout 1 "$url/slow") || status=$?
    [ "$status $output" = "1 - - $url/slow: timed out" ] || fail "too slow"
    status=0
    output=$("$programs/fetch" "$url/cut") || status=$?
    [ "$status $output" = "1 - - $url/cut: connection reset" ] || fail "cut off"
    kill -TERM "$nginx" && wait "$nginx"
    ;;
tcp_proxy)
    have curl || exit 77
    makes_files "$work/www"
    head -c 3000000 /dev/zero >"$work/zeros"
    start http_server --root "$work/www"
    files=$port
    start http_server
    posts=$port
    for how in '' --copy; do
        # shellcheck disable=SC2086 # may be absent
        start tcp_proxy $how 127.0.0.1 "$files"
        url=http://127.0.0.1:$port
        first=$pid
        at_first=$(descriptors "$pid")
        getting=()
        for i in $(seq 1 20); do
            get -o "$work/got$i" "$url/big" &
            getting+=($!)
            printf 'GET /big HTTP/1.1\r\nHost: a\r\n\r\n' | "$PEER" "$port" reset || fail "peer"
        done
        wait "${getting[@]}"
        for i in $(seq 1 20); do
            cmp "$work/got$i" "$work/www/big" || fail "one of many $how"
        done
        output=$(get -o /dev/null -o /dev/null -w '%{num_connects} ' "$url/one" "$url/one")
        [ "$output" = "1 0 " ] || fail "the connection is not kept $how"
        # Half-closed: the answer comes after all has been sent, and then the end.
        printf 'GET /big HTTP/1.0\r\n\r\n' | "$PEER" "$port" | tail -c 3000000 | cmp - "$work/www/big" ||
            fail "half-closed $how"
        until_true no_more_than "$first" "$at_first"
        # shellcheck disable=SC2086
        start tcp_proxy $how 127.0.0.1 "$posts"
        [ "$(get --data-binary "@$work/zeros" "http://127.0.0.1:$port/")" = "3000000 bytes" ] || fail "to the server $how"
        ends "$pid" TERM
        ends "$first" INT
    done
    # Nobody there: who comes is told so by the connection's end, and so is whoever runs it.
    start tcp_proxy 127.0.0.1 1
    [ -z "$(asks "$port" 'GET / HTTP/1.0\r\n\r\n')" ] || fail "an answer of nobody"
    until_true [ -s "$work/tcp_proxy.err" ]
    [ "$(cat "$work/tcp_proxy.err")" = "tcp_proxy: 127.0.0.1 port 1: connection refused" ] ||
        fail "it is not said"
    ends "$pid" TERM
    # Nothing moves: closed. (asks would not end.)
    start tcp_proxy --idle 1 127.0.0.1 "$files"
    [ -z "$(asks "$port" '')" ] || fail "an answer to nothing"
    ends "$pid" TERM
    refuses tcp_proxy
    refuses tcp_proxy 127.0.0.1
    refuses tcp_proxy 127.0.0.1 1 2
    refuses tcp_proxy --limit 0 127.0.0.1 1
    refuses tcp_proxy --idle x 127.0.0.1 1
    ;;
chat_server)
    start chat_server
    # hears FD LINE: what comes next is this. comes FD NAME: a guest.
    hears() {
        local line
        read -r line <&"$1"
        [ "$line" = "$2" ] || fail "'$line', not '$2'"
    }
    comes() {
        eval "exec $1<>/dev/tcp/127.0.0.1/$port" || fail "cannot connect"
        hears "$1" "Your name?"
        echo "$2" >&"$1"
        hears "$1" "Welcome."
    }
    comes 5 ann
    comes 6 bob
    hears 5 "bob is here"
    exec 7<>"/dev/tcp/127.0.0.1/$port"
    hears 7 "Your name?"
    printf 'bob\r\n\r\n%030d\n' 0 >&7
    hears 7 "Somebody here has that name. Your name?"
    hears 7 "A name has 1 to 24 bytes. Your name?"
    hears 7 "A name has 1 to 24 bytes. Your name?"
    printf 'eve\nhello' >&7
    hears 7 "Welcome."
    hears 5 "eve is here"
    hears 6 "eve is here"
    printf ' all\r\n\n\nbell \a\n' >&7
    for fd in 5 6; do
        hears $fd "eve: hello all"
        hears $fd "eve: bell ?"
    done
    printf '%0900d\n' 0 >&5
    for fd in 6 7; do
        hears $fd "ann: $(printf '%0400d' 0)"
        hears $fd "ann: $(printf '%0400d' 0)"
        hears $fd "ann: $(printf '%0100d' 0)"
    done
    # As many lines at once as a queue has room for.
    lines=$(seq 1 60)
    echo "$lines" >&5
    for i in $lines; do
        hears 6 "ann: $i"
        hears 7 "ann: $i"
    done
    exec 7>&-
    hears 5 "eve has left"
    hears 6 "eve has left"
    # Half-closed: what was said before is still heard.
    output=$(printf 'joe\nlast words\n' | "$PEER" "$port")
    [ "$output" = "Your name?"$'\n'"Welcome." ] || fail "a guest who only talks"
    for fd in 5 6; do
        hears $fd "joe is here"
        hears $fd "joe: last words"
        hears $fd "joe has left"
    done
    # One who does not read is dropped, one day; one who does hears everything.
    exec 7<>"/dev/tcp/127.0.0.1/$port"
    echo slow >&7
    hears 5 "slow is here"
    hears 6 "slow is here"
    text=$(printf 'x%.0s' $(seq 1 390))
    for i in $(seq 1 20000); do
        echo "$i $text" >&5
        read -r line <&6
        [ "$line" = "ann: $i $text" ] || break
    done
    [ "$line" = "slow is too slow and was dropped" ] || fail "it is not dropped: '$line'"
    hears 5 "slow is too slow and was dropped"
    hears 6 "ann: $i $text"
    cat <&7 >/dev/null 2>&1 # until it ends
    exec 7>&-
    echo bye >&6
    hears 5 "bob: bye"
    ends "$pid" TERM
    output=$(cat <&5)
    [[ -z $output || $output = "bob has left" ]] || fail "something after the end"
    start chat_server --limit 1
    ends "$pid" INT
    refuses chat_server --limit 0
    refuses chat_server --port x
    refuses chat_server here
    ;;
api_calls)
    at_least() { awk -v least="$1" '{ exit !($(NF - 1) + 0.006 >= least) }' <<<"$2"; }
    output=$("$programs/api_calls" 5 0.04) || fail "status $?"
    [ "$(wc -l <<<"$output")" -eq 22 ] || fail "not 22 lines"
    expected=$(for i in 1 2 3 4 5; do printf 'Start call %d\nEnd call %d: 200\n' "$i" "$i"; done)
    [ "$(head -n 10 <<<"$output")" = "$expected" ] || fail "one after another"
    [ "$(sed -n 12,16p <<<"$output")" = "$(grep Start <<<"$expected")" ] || fail "they do not start at once"
    [ "$(sed -n 17,21p <<<"$output" | sort)" = "$(grep End <<<"$expected")" ] || fail "they do not all end"
    one=$(sed -n 11p <<<"$output")
    all=$(sed -n 22p <<<"$output")
    [[ $one =~ ^One\ after\ another:\ [0-9.]+\ seconds$ ]] || fail "the first total"
    [[ $all =~ ^At\ once:\ [0-9.]+\ seconds$ ]] || fail "the second total"
    at_least 0.2 "$one" || fail "one after another ended too early"
    at_least 0.04 "$all" || fail "at once ended too early"
    output=$("$programs/api_calls" 200 0) || fail "status $? of 200 calls"
    [ "$(grep -c '^End call' <<<"$output")" -eq 400 ] || fail "not 400 calls"
    refuses api_calls x
    refuses api_calls 0
    refuses api_calls 1001
    refuses api_calls 1 x
    refuses api_calls 1 ''
    refuses api_calls 1 -1
    refuses api_calls 1 1 1
    ;;
*)
    fail "no such case: $2"
    ;;
esac
exit 0
