#!/bin/sh
# Test of the mutation gate: it kills what gate_model.c needs, reports what it does not, and holds
# the list of survivors to be true. Usage: gate.sh PROGRAM
set -u
models=$1
list=$(mktemp)
trap 'rm -f "$list"' EXIT
failed=0
F=tests/model/gate_model.c

# expect STATUS TEXT...: the gate's exit status, and lines it must print.
expect() {
    status=$1
    shift
    out=$("$models" --gate -j 2 --below $F --equivalent "$list" gate/message gate/flags 2>&1)
    got=$?
    if [ $got -ne "$status" ]; then
        printf 'status %s, not %s:\n%s\n' $got "$status" "$out"
        failed=1
    fi
    for text; do
        case $out in
            *"$text"*) ;;
            *)
                printf 'not printed: %s\nbut:\n%s\n' "$text" "$out"
                failed=1
                ;;
        esac
    done
}

idle="$F writer: bgi_store_release(&idle, 1): release -> relaxed"
unreached="$F mc_gate_unreached: bgi_store_release(&full, 2): release -> relaxed"

: >"$list"
expect 1 "survived: $idle" "survived: $unreached" "reached by no model" \
    "6 mutants, 4 killed, 0 equivalent, 2 survived"

printf '%s\n  Nothing is written before it.\n%s\n  Nobody calls it.\n' "$idle" "$unreached" >"$list"
expect 0 "6 mutants, 4 killed, 2 equivalent, 0 survived"

printf '%s\n' "$F writer: bgi_store_release(&full, 1): release -> relaxed" "  A lie." >>"$list"
expect 1 "listed, but killed by gate/message" "4 killed, 2 equivalent, 0 survived"

printf '%s\n%s\n  A reason.\nfile lib/gone.c\n  Of old.\n%s gone\n' "$idle" "$unreached" "$F" >"$list"
expect 1 "no such mutant: $F gone" "no such file: lib/gone.c" "without a reason: $F gone"

printf 'file %s\n  All of it.\n' "$F" >"$list"
expect 0 "0 mutants, 0 killed, 0 equivalent, 0 survived; 6 in files left out"

# One mutant by itself, and its interleaving.
out=$("$models" --below $F --mutate 'bgi_store_release(&full, 1)' gate/message 2>&1)
if [ $? -ne 1 ]; then
    printf 'a weakened message passes:\n%s\n' "$out"
    failed=1
fi
case $out in
    *"data race"*"gate_model.c"*"replay: "*) ;;
    *)
        printf 'no interleaving:\n%s\n' "$out"
        failed=1
        ;;
esac
exit $failed
