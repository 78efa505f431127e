#!/bin/bash
# SPDX-License-Identifier: MIT
# The reverse complement of a sequence: a worker in a shell. (For texts: a variable holds no byte 0.)
LC_ALL=C # lengths are in bytes

send() {
    local n=${#1} head
    printf -v head '\\x%02x' $((n >> 24)) $((n >> 16 & 255)) $((n >> 8 & 255)) $((n & 255))
    printf "$head%s" "$1" >&3
}

receive() { # false at the end of the stream
    local a b c d
    read -r a b c d < <(head -c 4 <&3 | od -An -tu1)
    [[ $d ]] && task=$(head -c $((a << 24 | b << 16 | c << 8 | d)) <&3)
}

send 'remuda 1 raw'
while receive; do
    if [[ $task == *[^ACGT]* ]]; then
        send "-$task is no sequence"
    else
        send "+$(fold -w 1 <<<"$task" | tac | tr -d '\n' | tr ACGT TGCA)"
    fi
done
