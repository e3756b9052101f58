#!/usr/bin/env bash
# parallel_examples.sh PROGRAM CASE: what the examples of parallel loops print, against what other
# programs make of the same input, and what they do with bad input.
set -u
export LC_ALL=C BRIGADE_STALL_MS=0 # stderr is looked at
program=$1
work=$(mktemp -d) || exit 1
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT

fail() {
    printf 'FAILED: %s\n%s\n' "$*" "${output:-}"
    exit 1
}

# refuses ARGUMENTS...: one usage line on stderr, and status 2.
refuses() {
    local status=0
    output=$("$program" "$@" 2>&1 >/dev/null) || status=$?
    [[ $status = 2 && $output = usage:* ]] || fail "'$*' is taken for good"
}

# everywhere ARGUMENTS...: the program's output, in $work/out, on all CPUs. It has to be the same in
# the deterministic mode, with every fork stolen, and on one CPU.
everywhere() {
    "$program" "$@" >"$work/out" 2>"$work/err" || fail "status $? of '$*': $(cat "$work/err")"
    local how
    for how in 'env BRIGADE_SEED=1' 'env BRIGADE_SEED=2' 'env BRIGADE_STEAL_FORKS=1' 'taskset -c 0'; do
        # shellcheck disable=SC2086 # some words
        if $how true 2>/dev/null; then # there may be no taskset, or no such CPU
            $how "$program" "$@" >"$work/again" 2>"$work/err" ||
                fail "status $? of '$*' with $how: $(cat "$work/err")"
            cmp "$work/out" "$work/again" || fail "'$*' gives something else with $how"
        fi
    done
}

# noise BYTES SEED: the same on every machine; letters, spaces and line ends.
noise() {
    awk -v n="$1" -v x="$2" 'BEGIN {
        letters = "abcdeABCDEzZ  \n.,-0"
        while (n-- > 0) {
            x = (x * 16807) % 2147483647
            printf "%s", substr(letters, int(x / 1000) % length(letters) + 1, 1)
        }
    }'
}

case $2 in
sha256_tree)
    tree=$work/tree
    mkdir -p "$tree/a/deep/er" "$tree/a b" "$tree/empty" "$tree/a"$'\n'"c"
    for i in $(seq 1 60); do
        head -c $((i * 97)) /dev/zero >"$tree/a/$i"
    done
    noise 300000 1 >"$tree/a/deep/large"
    printf x >"$tree/a/deep/er/x"
    : >"$tree/a b/nothing"
    : >"$tree/a-b" # before a/... in byte order
    printf y >"$tree/a"$'\n'"c/line"$'\n'"end"
    printf z >"$tree/back\\slash"
    printf e >"$tree/-e"
    ln -s nowhere "$tree/dangling"
    ln -s a "$tree/link"
    mkfifo "$tree/fifo"
    everywhere "$tree"
    find "$tree" -type f -print0 | sort -z | xargs -0 sha256sum >"$work/expected"
    cmp "$work/expected" "$work/out" || fail "not as sha256sum"
    (cd "$work" && sha256sum --quiet -c out) || fail "sha256sum -c does not take it"
    everywhere "$tree/"
    cmp "$work/expected" "$work/out" || fail "not as sha256sum, with a slash"
    everywhere "$tree/empty"
    [ ! -s "$work/out" ] || fail "something in an empty directory"

    # The digest of a directory, as the head of the program defines it.
    digest() {
        (
            cd "$1" || exit
            for e in * .[!.]*; do
                if [ -f "$e" ] && [ ! -L "$e" ]; then
                    printf 'f %s %s\0' "$(sha256sum <"$e" | cut -d' ' -f1)" "$e"
                elif [ -d "$e" ] && [ ! -L "$e" ]; then
                    printf 'd %s %s\0' "$(digest "$e")" "$e"
                fi
            done
        ) | sha256sum | cut -d' ' -f1
    }
    rm "$tree"/a/[1-9]?
    expected=$(digest "$tree")
    everywhere -r "$tree"
    [ "$(cat "$work/out")" = "$expected  $tree" ] || fail "the root is not $expected"
    everywhere -r "$tree/empty"
    [ "$(cat "$work/out")" = "$(digest "$tree/empty")  $tree/empty" ] || fail "the empty root"
    mv "$tree/a/deep/er/x" "$tree/a/deep/er/w"
    everywhere -r "$tree"
    [ "$(cat "$work/out")" != "$expected  $tree" ] || fail "the root does not depend on names"

    # As deep as a path can be, the program's stack has to be enough.
    (
        cd "$tree/empty" || exit
        path=$(printf 'd/%.0s' $(seq 1 1900))
        mkdir -p "$path" && printf x >"${path}x"
    ) || fail "no deep tree"
    everywhere "$tree/empty"
    [ "$(wc -l <"$work/out")" -eq 1 ] || fail "not the deepest file"
    everywhere -r "$tree/empty"

    # What cannot be read: a line, and the rest goes on. The second one is not read by root either.
    if [ "$(id -u)" -ne 0 ]; then
        mkdir "$work/closed"
        printf x >"$work/closed/x"
        printf y >"$work/closed/y"
        chmod 0 "$work/closed/x"
        status=0
        output=$("$program" "$work/closed" 2>"$work/err") || status=$?
        [ $status -eq 1 ] || fail "status $status for a file that cannot be read"
        [ "$output" = "$(sha256sum "$work/closed/y")" ] || fail "the rest"
        [[ $(cat "$work/err") = "sha256_tree: $work/closed/x: "* ]] || fail "it is not named"
    fi
    long=$(printf 'n%.0s' $(seq 1 200))
    mkdir "$work/long"
    (
        cd "$work/long" || exit
        printf y >y
        for _ in $(seq 1 22); do
            mkdir "$long" && cd "$long" || exit
        done
        printf x >x
    ) || fail "no long tree"
    status=0
    output=$("$program" "$work/long" 2>"$work/err") || status=$?
    [ $status -eq 1 ] || fail "status $status for a path that is too long"
    [ "$output" = "$(sha256sum "$work/long/y")" ] || fail "the rest"
    [ "$(wc -l <"$work/err")" -eq 1 ] || fail "not one line: $(cat "$work/err")"
    output=$("$program" -r "$work/long" 2>/dev/null) && fail "status 0 for a part of a tree"
    [ -z "$output" ] || fail "a digest of a part of a tree"
    output=$("$program" "$work/none" 2>&1) && fail "status 0 for what is not there"
    [[ $output = "sha256_tree: $work/none: "* ]] || fail "what is not there is not named"
    output=$("$program" "$tree/a-b" 2>&1) && fail "a file is taken for a directory"
    refuses
    refuses ''
    refuses -x
    refuses -r
    refuses "$tree" "$tree"
    refuses -r "$tree" "$tree"
    ;;
word_count)
    # counts FILE N: the N most frequent words, and the totals, of other programs.
    counts() {
        tr -cs A-Za-z '\n' <"$1" | tr A-Z a-z | sed '/^$/d' | sort >"$work/words"
        uniq -c "$work/words" | sort -k1,1nr -k2 | head -n "$2"
        printf '%d lines, %d words, %d bytes\n' \
            "$(wc -l <"$1")" "$(wc -l <"$work/words")" "$(wc -c <"$1")"
    }
    check() {
        everywhere "$1" "$2"
        counts "$1" "$2" >"$work/expected"
        output=$(diff "$work/expected" "$work/out") || fail "$3"
    }
    noise 200000 1 >"$work/text"
    check "$work/text" 1000000 "random text"
    check "$work/text" 0 "no words of random text"
    check "$work/text" 7 "seven words of random text"
    everywhere "$work/text"
    counts "$work/text" 10 >"$work/expected"
    cmp "$work/expected" "$work/out" || fail "ten words are the usual number"
    # One word in all parts, and words that begin, or end, where a part does (of 4096 bytes).
    head -c 50000 /dev/zero | tr '\0' w >"$work/text"
    check "$work/text" 10 "a long word"
    for shift in 4090 4091 4092 4093 4094 4095 4096 4097 8190 8192; do
        {
            head -c $shift /dev/zero | tr '\0' ' '
            printf 'Word and more\n'
            head -c 9000 /dev/zero | tr '\0' '\n'
            printf 'word'
        } >"$work/text"
        counts "$work/text" 10 >"$work/expected"
        output=$("$program" "$work/text") || fail "status $?"
        [ "$output" = "$(cat "$work/expected")" ] || fail "a word at $shift"
    done
    # Many words, each of them rare: tables that grow.
    awk 'BEGIN { for (i = 0; i < 26 * 26 * 26; i++) printf "%c%c%cq\n", 97 + i % 26,
        65 + int(i / 26) % 26, 97 + int(i / 676) }' >"$work/text"
    check "$work/text" 1000000 "many words"
    for text in '' word '\n' '1 2 3' 'a\n' 'A a\nb' '\000\377word\200a'; do
        # shellcheck disable=SC2059 # with escapes
        printf "$text" >"$work/text"
        check "$work/text" 10 "'$text'"
    done
    output=$("$program" "$work/none" 2>&1) && fail "status 0 for what is not there"
    [[ $output = "word_count: $work/none: "* ]] || fail "what is not there is not named"
    output=$("$program" "$work" 2>&1) && fail "a directory is taken for a file"
    [ "$(wc -l <<<"$output")" -eq 1 ] || fail "more than one line"
    refuses
    refuses "$work/text" x
    refuses "$work/text" ''
    refuses "$work/text" -1
    refuses "$work/text" 1 2
    ;;
blur)
    # image FILE KIND WIDTH HEIGHT MOST SEED: one with random samples.
    image() {
        local channels=$(($2 == 5 ? 1 : 3))
        {
            printf 'P%d\n# a comment\n%d %d # another one\n%d\n' "$2" "$3" "$4" "$5"
            # shellcheck disable=SC2059 # escapes made by awk
            printf "$(awk -v n=$(($3 * $4 * channels)) -v most="$5" -v x="$6" 'BEGIN {
                while (n-- > 0) {
                    x = (x * 16807) % 2147483647
                    v = int(x / 1000) % (most + 1)
                    if (most > 255) printf "\\%03o", int(v / 256)
                    printf "\\%03o", v % 256
                }
            }')"
        } >"$1"
    }
    # samples FILE BYTES: the last ones, as numbers.
    samples() {
        tail -c "$2" "$1" | od -An -v -tu1 -w1
    }
    # mean KIND WIDTH HEIGHT MOST RADIUS: of numbers, by the definition.
    mean() {
        awk -v c=$(($1 == 5 ? 1 : 3)) -v w="$2" -v h="$3" -v wide=$(($4 > 255)) -v r="$5" '
            function within(i, n) { return i < 0 ? 0 : i < n ? i : n - 1 }
            wide && NR % 2 { high = $1; next }
            { v[n++] = $1 + 256 * high }
            END {
                for (y = 0; y < h; y++) for (x = 0; x < w; x++) for (k = 0; k < c; k++) {
                    s = 0
                    for (j = -r; j <= r; j++) for (i = -r; i <= r; i++)
                        s += v[(within(y + j, h) * w + within(x + i, w)) * c + k]
                    a = (2 * r + 1) ^ 2
                    m = int((s + int(a / 2)) / a)
                    if (wide) print int(m / 256)
                    print m % 256
                }
            }'
    }
    # blurred RADIUS KIND WIDTH HEIGHT MOST: the oracle's image against the program's.
    blurred() {
        local bytes=$(($3 * $4 * ($2 == 5 ? 1 : 3) * ($5 > 255 ? 2 : 1)))
        image "$work/in" "$2" "$3" "$4" "$5" $(($1 + $3 + 1))
        everywhere "$1" "$work/in" "$work/blurred"
        output=$(head -c -$bytes "$work/blurred")
        [ "$output" = "P$2"$'\n'"$3 $4"$'\n'"$5" ] || fail "the header of '$*'"
        samples "$work/in" $bytes | mean "$2" "$3" "$4" "$5" "$1" | sed 's/^ *//' >"$work/expected"
        samples "$work/blurred" $bytes | sed 's/^ *//' >"$work/found"
        cmp "$work/expected" "$work/found" || fail "'$*' is not the mean"
        [ $bytes -eq "$(wc -l <"$work/expected")" ] || fail "'$*': no image"
    }
    blurred 0 5 7 5 255
    blurred 1 5 7 5 255
    blurred 2 6 5 6 255
    blurred 3 5 9 40 100
    blurred 9 5 4 3 255
    blurred 2 5 6 6 65535
    blurred 1 6 3 4 256
    blurred 1 6 60 8 1
    blurred 5 5 1 1 255
    blurred 100 6 1 1 65535
    blurred 1 5 1 9 255
    blurred 1 6 9 1 255
    # More tiles and rows than workers, on any number of these: the same; and nothing else is left.
    image "$work/in" 6 150 70 255 5
    for radius in 0 4 40; do
        "$program" $radius "$work/in" "$work/first" || fail "status $?"
        for seed in 1 2 3; do
            BRIGADE_SEED=$seed "$program" $radius "$work/in" "$work/second" || fail "status $?"
            cmp "$work/first" "$work/second" || fail "radius $radius depends on the schedule"
        done
    done
    "$program" 0 "$work/in" "$work/first"
    cmp <(tail -c 31500 "$work/in") <(tail -c 31500 "$work/first") || fail "radius 0 changes it"
    { printf 'P5 300 200 255\n' && head -c 60000 /dev/zero | tr '\0' '\311'; } >"$work/flat"
    for radius in 1 30 1000; do
        "$program" $radius "$work/flat" "$work/flat.out" || fail "status $?"
        cmp <(tail -c 60000 "$work/flat") <(tail -c 60000 "$work/flat.out") || fail "one colour"
    done
    cp "$work/in" "$work/both"
    "$program" 4 "$work/both" "$work/both" || fail "status $?"
    "$program" 4 "$work/in" "$work/first" || fail "status $?"
    cmp "$work/both" "$work/first" || fail "an image cannot be blurred in place"

    # Refused, and what was there is unharmed. %s: no escapes, %b: with escapes.
    mkdir "$work/bad"
    printf before >"$work/bad/out"
    for bad in '' 'P' 'P4 1 1 1 x' 'P2 1 1 1\n1' 'P5' 'P5x1 1 255 x' 'P5 1 1 255' 'P5 1 1 255 ' \
        'P5 0 1 255 x' 'P5 1 0 255 x' 'P5 1 1 0 x' 'P5 1 1 65536 xx' 'P5 -1 1 255 x' \
        'P5 1 1 255x' 'P5 1 1 255# x' 'P5 a 1 255 x' 'P5 2 2 255 xxx' 'P5 2 2 255 xxxxx' \
        'P6 1 1 255 xx' 'P5 1 1 256 x' 'P5 1 1 10 x' 'P5 1 1 256 \0377\0377' \
        'P5 99999999 99999999 255 x' 'P5 18446744073709551617 1 255 x' 'P5\00001 1 255 x' \
        'P5 # no end'; do
        printf %b "$bad" >"$work/bad/in"
        status=0
        output=$("$program" 1 "$work/bad/in" "$work/bad/out" 2>&1) || status=$?
        [ $status -eq 1 ] || fail "status $status for '$bad'"
        [[ $output = "blur: $work/bad/in: "* ]] || fail "'$bad' is not named"
        [ "$(wc -l <<<"$output")" -eq 1 ] || fail "'$bad': more than one line"
        [ "$(cat "$work/bad/out")" = before ] || fail "'$bad': OUT is harmed"
    done
    mkdir "$work/bad/folder" "$work/bad/folder/full"
    for out in folder none/out; do
        output=$("$program" 1 "$work/in" "$work/bad/$out" 2>&1) && fail "status 0 for OUT $out"
        [[ $output = "blur: $work/bad/$out: "* ]] || fail "OUT is not named"
    done
    output=$("$program" 1 "$work/none" "$work/bad/out" 2>&1) && fail "status 0 for no IN"
    output=$(ls "$work/bad")
    [ "$output" = $'folder\nin\nout' ] || fail "something is left over"
    refuses
    refuses 1 "$work/in"
    refuses x "$work/in" "$work/out"
    refuses '' "$work/in" "$work/out"
    refuses -1 "$work/in" "$work/out"
    refuses 1001 "$work/in" "$work/out"
    refuses 1 "$work/in" "$work/out" x
    ;;
*)
    fail "no such case: $2"
    ;;
esac
exit 0
