#!/bin/bash
# Servers side by side, each on a directory of its own, on file systems that they share. Runs where uml-nfs runs
# server commands. $PORT is the last one's port: uml-nfs waits for it.
# usage: paths-server.sh RINGNFS 'FS PORT FLAGS...'...
set -u
server=$1; shift
fail() { echo "paths-server: $*"; exit 1; }
mkdir -p "$RUNDIR/disk"
mount -t tmpfs -o mode=755,size=3g disk "$RUNDIR/disk" || fail 'no tmpfs' # nobody waits for this machine's disk
fresh() { # FS
  local at=$RUNDIR/disk/$1
  mkdir "$at"
  [ "$1" != tmpfs ] || return 0 # it lies on one
  truncate -s 600m "$at.img"
  "${0%/*}/makefs.sh" "$1" "$at.img" || fail "mkfs.$1"
  mount -o loop "$at.img" "$at" || fail "no loop mount of $1"
}

pids=()
# Before they end they say what they have done.
finish() { kill -USR1 "${pids[@]}"; sleep 0.5; kill -TERM "${pids[@]}"; }
trap finish TERM
for one in "$@"; do
  read -r fs port flags <<< "$one"
  dir=$RUNDIR/disk/$fs
  [ -d "$dir" ] || fresh "$fs"
  mkdir "$dir/$port" "$RUNDIR/state.$port"
  log=$RUNDIR/log.$port
  # shellcheck disable=SC2086
  # not in our process group, to which uml-nfs sends its signal
  setsid "$server" serve --listen "$SERVER" --port "$port" --portmap off --squash none --memory 80M --state-dir "$RUNDIR/state.$port" $flags "$dir/$port" > "$log" 2>&1 &
  pids+=($!)
  for _ in $(seq 200); do grep -q 'mount -t nfs' "$log" && break; sleep 0.05; done
  grep -q 'mount -t nfs' "$log" || { cat "$log"; kill -TERM "${pids[@]}" 2> /dev/null; fail "no server for $one"; }
done
failed=0
for pid in "${pids[@]}"; do
  while kill -0 "$pid" 2> /dev/null; do wait "$pid"; done # a trap ends a wait
  wait "$pid"; status=$?
  [ $status = 0 ] || { echo "the server of '$1' ended with $status"; failed=1; }
  shift
done
for log in "$RUNDIR"/log.*; do echo "== ${log##*.}"; cat "$log"; done
exit $failed
