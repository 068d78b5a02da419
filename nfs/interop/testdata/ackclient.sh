#!/bin/bash
# The clients outside of the guest: runs $outside of each scene (ack.sh) when its server is there.
# usage: ackclient.sh DIR SCENE...
dir=$1; shift
for s; do
  outside=; . "$dir/$s"
  [ -n "$outside" ] || continue
  until [ -e "$dir/$s.go" ]; do sleep 0.05; done
  timeout 900 bash -c "$outside" > "$dir/$s.out" 2>&1; echo $? > "$dir/$s.rc"
  : > "$dir/$s.done"
done
