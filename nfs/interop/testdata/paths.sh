#!/bin/bash
# The steps of smoke.sh on several mounts, one after the other. The lines that it prints are those of smoke.sh,
# with the name of the mount before that of the step; the exit status is the number of steps that failed.
# usage: paths.sh 'NAME PORT OPTIONS STEP...'...
set -u
failed=0
for one in "$@"; do
  read -r name port opts steps <<< "$one"
  at=/mnt/$port; mkdir "$at"
  if ! mount -t nfs -o "vers=3,proto=tcp,retry=0,nolock,port=$port,mountport=$port,mountproto=tcp,$opts" "$SERVER:/" "$at" 2> /tmp/mount; then
    echo "FAIL $name/mount 0"; sed 's/^/     /' /tmp/mount; failed=$((failed + 1)); continue
  fi
  # shellcheck disable=SC2086
  MNT=$at "${BASH_SOURCE%/*}/smoke.sh" $steps | sed -u -E "s,^(PASS|FAIL|SKIP) ,\\1 $name/,"; status=${PIPESTATUS[0]}
  failed=$((failed + status))
  umount "$at" || { echo "FAIL $name/umount 0"; failed=$((failed + 1)); }
done
exit $((failed > 99 ? 99 : failed))
